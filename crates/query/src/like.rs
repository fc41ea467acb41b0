//! Patterns with `%`, `_`, `[a-f]` and `[^x]` over folded text: parsed once, here, for both engines (DESIGN §9.10).

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
        /// Inclusive ranges; a single character is a range of one.
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
    /// Everything else.
    General(Vec<LikeToken>),
}
