//! Patterns of `like`, against a matcher that tries everything.

use custodia_query::{LikePattern, LikeToken};
use custodia_schema::fold;

/// Characters of pattern and text that trying everything bears.
const TRIED_MAX: usize = 12;

/// A pattern, and behind a line end the text that it is held against.
pub(crate) fn pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, text) = text.split_once('\n').unwrap_or((text, text));
    let folded = fold(text);
    for read in [
        LikePattern::parse(pattern),
        LikePattern::contains(pattern),
        LikePattern::starts_with(pattern),
        LikePattern::ends_with(pattern),
    ] {
        let matches = read.matches(&folded);
        let tokens = read.tokens();
        if tokens.len() <= TRIED_MAX && folded.chars().count() <= TRIED_MAX {
            let characters: Vec<char> = folded.chars().collect();
            assert_eq!(matches, is_match(&tokens, &characters), "{read:?} {folded:?}");
        }
    }
}

/// Whether a text matches, by trying every way.
fn is_match(tokens: &[LikeToken], text: &[char]) -> bool {
    let Some((token, tokens)) = tokens.split_first() else { return text.is_empty() };
    if *token == LikeToken::Many {
        return (0..=text.len()).any(|many| is_match(tokens, &text[many..]));
    }
    let Some((first, text)) = text.split_first() else { return false };
    let fits = match token {
        LikeToken::Char(wanted) => first == wanted,
        LikeToken::Class { negated, ranges } => {
            ranges.iter().any(|(least, most)| (least..=most).contains(&first)) != *negated
        }
        LikeToken::One | LikeToken::Many => true,
    };
    fits && is_match(tokens, text)
}
