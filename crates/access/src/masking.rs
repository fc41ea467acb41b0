//! Masking rules: what of a text shows to whoever reads its column masked (security model 8.6).

use regex::{Regex, RegexBuilder};

/// Characters of a pattern at most.
pub const PATTERN_CHARACTERS_MAX: usize = 500;

/// Memory that one pattern may take when it is compiled.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// What hides characters where a rule that was stored cannot be read.
const HIDING: char = '*';

/// Why a masking rule is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// The pattern is empty or too long.
    #[error("a pattern has 1 to {PATTERN_CHARACTERS_MAX} characters")]
    Length,
    /// The pattern cannot be read, or would take too much memory.
    #[error("the pattern cannot be used ({0}); patterns look neither ahead nor behind, and refer to no group")]
    Pattern(String),
    /// It is not one character that hides another.
    #[error("exactly one character stands for each that is masked")]
    Character,
}

/// A masking rule: each character that its pattern matches is shown as another. Matching takes time in proportion to the
/// text, whatever the pattern.
#[derive(Clone, Debug)]
pub struct Mask {
    /// `None` masks everything.
    pattern: Option<Regex>,
    character: char,
}

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        let text = |mask: &Self| mask.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
        self.character == other.character && text(self) == text(other)
    }
}

impl Eq for Mask {}

impl Mask {
    /// A rule of a pattern and the character that stands for each matched one.
    ///
    /// # Errors
    /// When the pattern cannot be read or is too large, or it is not one character.
    pub fn new(pattern: &str, character: &str) -> Result<Self, MaskError> {
        if pattern.is_empty() || pattern.chars().count() > PATTERN_CHARACTERS_MAX {
            return Err(MaskError::Length);
        }
        let mut characters = character.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else { return Err(MaskError::Character) };
        let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build();
        match built {
            Ok(pattern) => Ok(Self { pattern: Some(pattern), character }),
            Err(regex::Error::CompiledTooBig(_)) => Err(MaskError::Pattern("it is too large".to_owned())),
            Err(_) => Err(MaskError::Pattern("it is malformed".to_owned())),
        }
    }

    /// The rule that shows nothing: for one that was stored and cannot be read.
    #[must_use]
    pub fn everything() -> Self {
        Self { pattern: None, character: HIDING }
    }

    /// What of a text shows. A text in which nothing matches is masked whole: it does not look as the rule expects, and might
    /// be anything.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let hidden = |text: &str| std::iter::repeat_n(self.character, text.chars().count());
        let mut shown = String::with_capacity(text.len());
        let mut end = 0;
        let found = self.pattern.iter().flat_map(|pattern| pattern.find_iter(text));
        for matched in found.filter(|matched| !matched.is_empty()) {
            shown.push_str(text.get(end..matched.start()).unwrap_or_default());
            shown.extend(hidden(matched.as_str()));
            end = matched.end();
        }
        if end == 0 {
            return hidden(text).collect();
        }
        shown.push_str(text.get(end..).unwrap_or_default());
        shown
    }
}

/// Which clear values of masked columns a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unmasking {
    /// None.
    #[default]
    Nothing,
    /// Of the one record that it reads.
    OneRecord,
    /// Of all records.
    AllRecords,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn what_matches_is_masked_character_by_character() {
        for (pattern, character, text, shown) in [
            (r"\d", "#", "12-34 ab", "##-## ab"),
            (r"^.*@", "*", "ada@example.org", "****example.org"),
            (r"\d{4}", "#", "1234 12 5678", "#### 12 ####"),
            ("ä+", "•", "bäär", "b••r"),
            // Nothing matches, or only nothing: everything is masked.
            (r"\d", "#", "no digit", "########"),
            ("x*", "#", "abc", "###"),
            (r"\d", "#", "", ""),
        ] {
            assert_eq!(Mask::new(pattern, character).unwrap().apply(text), shown, "{pattern} on {text}");
        }
        assert_eq!(Mask::everything().apply("abc"), "***");
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        let long = "a".repeat(PATTERN_CHARACTERS_MAX + 1);
        let large = r"\w{1000}{100}";
        for (pattern, character) in [
            ("", "#"),
            (long.as_str(), "#"),
            ("(", "#"),
            (r"a(?=b)", "#"),
            (r"(a)\1", "#"),
            (large, "#"),
            ("a", ""),
            ("a", "##"),
        ] {
            assert!(Mask::new(pattern, character).is_err(), "{pattern} {character}");
        }
        // An error never repeats what was given.
        assert!(!Mask::new("(secret", "#").unwrap_err().to_string().contains("secret"));
    }
}
