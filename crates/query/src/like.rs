//! Patterns with `%`, `_`, `[a-f]` and `[^x]` over folded text: parsed once, here, for both engines (decision 0001.10).
//!
//! A pattern is a list of [`LikeToken`]s, reduced by [`LikePattern::parse`] to the cheapest form that says the same, so
//! that an engine can answer a prefix by a range and a plain text by equality.

use std::str::Chars;

use custodia_schema::fold;

/// One element of a general pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LikeToken {
    /// This character.
    Char(char),
    /// Any one character.
    One,
    /// Any run of characters, also none.
    Many,
    /// One character in (or, negated, outside) these inclusive ranges.
    Class {
        /// `[^…]`.
        negated: bool,
        /// Inclusive ranges in ascending order without overlap; a single character is a range of one. None of them
        /// (an empty class, a range written backwards): no character is inside.
        ranges: Vec<(char, char)>,
    },
}

/// A pattern, reduced to the cheapest form that says the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LikePattern {
    /// Any text that is not null.
    Anything,
    /// Exactly this folded text.
    Exact(String),
    /// Texts that begin with this.
    Prefix(String),
    /// Texts that end with this.
    Suffix(String),
    /// Texts that contain this.
    Substring(String),
    /// Everything else. In a run of [`LikeToken::One`] and [`LikeToken::Many`] the `Many` stands once, at the end.
    General(Vec<LikeToken>),
}

impl LikePattern {
    /// Reads a pattern that a whole text must match.
    ///
    /// `%` is any run of characters, `_` any one, `[a-f]` one of a class, `[^x]` one outside it, `[%]` the character
    /// itself. A `[` that is never closed stands for itself. What is not a wildcard is folded as stored text is;
    /// trailing blanks of the pattern are ignored as those of stored text are. Every text is a pattern.
    #[must_use]
    pub fn parse(pattern: &str) -> Self {
        reduce(tokens(pattern))
    }

    /// Texts that contain `pattern`; wildcards inside it count.
    #[must_use]
    pub fn contains(pattern: &str) -> Self {
        let mut all = vec![LikeToken::Many];
        all.append(&mut tokens(pattern));
        all.push(LikeToken::Many);
        reduce(all)
    }

    /// Texts that begin with `pattern`; wildcards inside it count.
    #[must_use]
    pub fn starts_with(pattern: &str) -> Self {
        let mut all = tokens(pattern);
        all.push(LikeToken::Many);
        reduce(all)
    }

    /// Texts that end with `pattern`; wildcards inside it count.
    #[must_use]
    pub fn ends_with(pattern: &str) -> Self {
        let mut all = vec![LikeToken::Many];
        all.append(&mut tokens(pattern));
        reduce(all)
    }

    /// Whether a folded text matches. Takes at most the length of the text times that of the pattern.
    #[must_use]
    pub fn matches(&self, folded: &str) -> bool {
        self.matches_while(folded, || true).unwrap_or(false)
    }

    /// The same for texts and patterns that may take long together: from time to time it asks whether to go on, and answers
    /// `None` when it was told not to.
    pub fn matches_while(&self, folded: &str, go_on: impl FnMut() -> bool) -> Option<bool> {
        Some(match self {
            Self::Anything => true,
            Self::Exact(text) => folded == text,
            Self::Prefix(text) => folded.starts_with(text.as_str()),
            Self::Suffix(text) => folded.ends_with(text.as_str()),
            Self::Substring(text) => folded.contains(text.as_str()),
            Self::General(tokens) => return matches_tokens(tokens, folded, go_on),
        })
    }

    /// The pattern as a text that [`Self::parse`] reads as the same.
    #[must_use]
    pub fn to_text(&self) -> String {
        pattern_text(&self.tokens())
    }

    /// Characters and wildcards that have to be looked for at every place of a text; none where one place is enough.
    #[must_use]
    pub fn sought(&self) -> usize {
        match self {
            Self::Anything | Self::Exact(_) | Self::Prefix(_) | Self::Suffix(_) => 0,
            Self::Substring(text) => text.chars().count(),
            Self::General(tokens) => tokens.len(),
        }
    }

    /// The pattern as a list of tokens, whatever form it was reduced to.
    #[must_use]
    pub fn tokens(&self) -> Vec<LikeToken> {
        let (before, text, after) = match self {
            Self::Anything => (true, "", false),
            Self::Exact(text) => (false, text.as_str(), false),
            Self::Prefix(text) => (false, text.as_str(), true),
            Self::Suffix(text) => (true, text.as_str(), false),
            Self::Substring(text) => (true, text.as_str(), true),
            Self::General(tokens) => return tokens.clone(),
        };
        let mut tokens = Vec::with_capacity(text.len() + 2);
        if before {
            tokens.push(LikeToken::Many);
        }
        tokens.extend(text.chars().map(LikeToken::Char));
        if after {
            tokens.push(LikeToken::Many);
        }
        tokens
    }
}

/// Writes tokens as a pattern that [`LikePattern::parse`] reads as the same tokens.
pub(crate) fn pattern_text(tokens: &[LikeToken]) -> String {
    let mut text = String::with_capacity(tokens.len());
    for token in tokens {
        match token {
            LikeToken::Char(c @ ('%' | '_' | '[')) => {
                text.push('[');
                text.push(*c);
                text.push(']');
            }
            LikeToken::Char(c) => text.push(*c),
            LikeToken::One => text.push('_'),
            LikeToken::Many => text.push('%'),
            LikeToken::Class { negated, ranges } => {
                text.push('[');
                if *negated {
                    text.push('^');
                }
                for (low, high) in ranges {
                    text.push(inside_class(*low));
                    if low != high {
                        text.push('-');
                        text.push(inside_class(*high));
                    }
                }
                text.push(']');
            }
        }
    }
    text
}

/// A character as it can stand in a class: those with a meaning there in their full-width form, which folds to them.
fn inside_class(c: char) -> char {
    match c {
        ']' => '］',
        '-' => '－',
        '^' => '＾',
        other => other,
    }
}

fn tokens(pattern: &str) -> Vec<LikeToken> {
    let mut tokens = Vec::with_capacity(pattern.len() + 2);
    let mut literal = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        let token = match c {
            '%' => LikeToken::Many,
            '_' => LikeToken::One,
            '[' => {
                if let Some((inside, after)) = rest.as_str().split_once(']') {
                    rest = after.chars();
                    class(inside)
                } else {
                    literal.push('[');
                    continue;
                }
            }
            other => {
                literal.push(other);
                continue;
            }
        };
        push_folded(&mut tokens, &mut literal);
        tokens.push(token);
    }
    push_folded(&mut tokens, &mut literal);
    tokens
}

fn push_folded(tokens: &mut Vec<LikeToken>, literal: &mut String) {
    if !literal.is_empty() {
        tokens.extend(fold_piece(literal).chars().map(LikeToken::Char));
        literal.clear();
    }
}

/// Folds a piece of a text. [`fold`] trims trailing blanks, which count in the middle of a text: a character after
/// them keeps them.
fn fold_piece(piece: &str) -> String {
    let mut folded = fold(&format!("{piece}|"));
    folded.pop();
    folded
}

/// The character a character of a class folds to. `None` when it folds to several or none: no single character of a
/// folded text can be it.
fn fold_member(c: char) -> Option<char> {
    let folded = fold_piece(c.encode_utf8(&mut [0; 4]));
    let mut characters = folded.chars();
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

fn class(inside: &str) -> LikeToken {
    let (negated, body) = match inside.strip_prefix('^') {
        Some(body) => (true, body),
        None => (false, inside),
    };
    let mut ranges = Vec::new();
    let mut members = body.chars();
    while let Some(low) = members.next() {
        let mut high = low;
        let mut ahead = members.clone();
        if ahead.next() == Some('-')
            && let Some(end) = ahead.next()
        {
            high = end;
            members = ahead;
        }
        if let (Some(low), Some(high)) = (fold_member(low), fold_member(high))
            && low <= high
        {
            ranges.push((low, high));
        }
    }
    ranges.sort_unstable();
    let mut merged: Vec<(char, char)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low <= last.1 => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    match (negated, merged.as_slice()) {
        (true, []) => LikeToken::One,
        (false, [(low, high)]) if low == high => LikeToken::Char(*low),
        _ => LikeToken::Class { negated, ranges: merged },
    }
}

fn reduce(mut tokens: Vec<LikeToken>) -> LikePattern {
    // Folded text has no trailing blanks, so a pattern whose end is the text's end cannot ask for them.
    while tokens.last() == Some(&LikeToken::Char(' ')) {
        tokens.pop();
    }
    let mut reduced: Vec<LikeToken> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (reduced.last(), &token) {
            (Some(LikeToken::Many), LikeToken::Many) => {}
            (Some(LikeToken::Many), LikeToken::One) => {
                reduced.pop();
                reduced.push(LikeToken::One);
                reduced.push(LikeToken::Many);
            }
            _ => reduced.push(token),
        }
    }
    let plain = match reduced.as_slice() {
        [LikeToken::Many] => Some(LikePattern::Anything),
        [LikeToken::Many, middle @ .., LikeToken::Many] => text_of(middle).map(LikePattern::Substring),
        [LikeToken::Many, end @ ..] => text_of(end).map(LikePattern::Suffix),
        [start @ .., LikeToken::Many] => text_of(start).map(LikePattern::Prefix),
        all => text_of(all).map(LikePattern::Exact),
    };
    plain.unwrap_or(LikePattern::General(reduced))
}

/// The text of tokens that are all characters.
fn text_of(tokens: &[LikeToken]) -> Option<String> {
    tokens
        .iter()
        .map(|token| match token {
            LikeToken::Char(c) => Some(*c),
            _ => None,
        })
        .collect()
}

/// Comparisons of a token with a character between two questions whether to go on: about 0.1 ms.
const COMPARISONS_PER_LOOK: u32 = 65_536;

/// Goes through the text once; after a mismatch it returns to the last `Many` only, one character further on. `None` when it
/// was told not to go on.
fn matches_tokens(tokens: &[LikeToken], folded: &str, mut go_on: impl FnMut() -> bool) -> Option<bool> {
    let mut compared = 0;
    let mut text = folded.chars();
    let mut at = 0;
    let mut retry: Option<(usize, Chars<'_>)> = None;
    loop {
        if tokens.get(at) == Some(&LikeToken::Many) {
            at += 1;
            retry = Some((at, text.clone()));
            continue;
        }
        compared += 1;
        if compared == COMPARISONS_PER_LOOK {
            compared = 0;
            if !go_on() {
                return None;
            }
        }
        let mut ahead = text.clone();
        match (tokens.get(at), ahead.next()) {
            (None, None) => return Some(true),
            (Some(token), Some(c)) if accepts(token, c) => {
                at += 1;
                text = ahead;
            }
            (Some(_), None) => return Some(false),
            _ => match &mut retry {
                Some((after_many, from)) => {
                    if from.next().is_none() {
                        return Some(false);
                    }
                    at = *after_many;
                    text = from.clone();
                }
                None => return Some(false),
            },
        }
    }
}

fn accepts(token: &LikeToken, c: char) -> bool {
    match token {
        LikeToken::Char(expected) => *expected == c,
        LikeToken::One | LikeToken::Many => true,
        LikeToken::Class { negated, ranges } => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
        }
    }
}

#[cfg(test)]
mod tests;
