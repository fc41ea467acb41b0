//! Cuts the text of a query option or a path into tokens.

use custodia_schema::Guid;
use uuid::Uuid;

use super::moment::{Moment, Prefix};
use super::number::Number;
use super::{ODataError, Place};

/// The smallest piece with a meaning of its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
    /// `/`.
    Slash,
    /// `=`.
    Equals,
    /// `*`.
    Star,
    /// `:`.
    Colon,
    /// A name, a qualified name, an operator, `null`, `true`, `$count`.
    Word(&'t str),
    /// `@p1`, with its sign.
    Alias(&'t str),
    /// A quoted text, unquoted.
    Text(String),
    /// A number.
    Number(Number),
    /// A bare GUID.
    Guid(Guid),
    /// A bare date or instant.
    Moment(Moment),
    /// Nothing is left.
    End,
}

/// Takes tokens from the front of a text. Positions are byte offsets into it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'t> {
    part: &'t str,
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    /// Over the whole text of `part`, the name errors call it by.
    pub(super) fn new(part: &'t str, text: &'t str) -> Self {
        Self { part, text, at: 0 }
    }

    /// Over the part of its text from `start` up to `end`; positions stay those of the whole.
    pub(super) fn within(&self, start: usize, end: usize) -> Self {
        Self { part: self.part, text: self.text.get(..end).unwrap_or(self.text), at: start }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The position reached.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes on from a position it gave out.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text between two positions it gave out.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// A position for people.
    pub(super) fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        Place { part: self.part.to_owned(), character: before.chars().count() + 1 }
    }

    pub(super) fn invalid(&self, at: usize, problem: impl Into<String>) -> ODataError {
        ODataError::Invalid { place: self.place(at), problem: problem.into() }
    }

    pub(super) fn unsupported(&self, at: usize, what: impl Into<String>) -> ODataError {
        ODataError::Unsupported { place: self.place(at), what: what.into() }
    }

    pub(super) fn too_much(&self, at: usize, limit: &'static str, max: usize) -> ODataError {
        ODataError::TooMuch { place: self.place(at), limit, max }
    }

    /// Skips blanks.
    pub(super) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// The next token and where it starts.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, usize), ODataError> {
        self.skip_blanks();
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok((Token::End, start)) };
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            ',' => Some(Token::Comma),
            '/' => Some(Token::Slash),
            '=' => Some(Token::Equals),
            '*' => Some(Token::Star),
            ':' => Some(Token::Colon),
            _ => None,
        };
        if let Some(token) = single {
            self.at += 1;
            return Ok((token, start));
        }
        if first == '\'' {
            return self.text_token(start);
        }
        if (first == '{' || first.is_ascii_hexdigit())
            && let Some((id, length)) = guid_prefix(rest)
        {
            return self.bare(Token::Guid(id), start, length);
        }
        if first.is_ascii_digit() {
            match Moment::prefix(rest) {
                Prefix::Moment(moment, length) => return self.bare(Token::Moment(moment), start, length),
                Prefix::Impossible => {
                    let problem = "there is no such date or time; expected one like 2024-02-29 or 2024-02-29T10:00:00Z";
                    return Err(self.invalid(start, problem));
                }
                Prefix::NoDate => {}
            }
        }
        if first.is_ascii_digit() || first == '-' {
            return self.number_token(start);
        }
        let name_length = |text: &str| text.find(|c| !is_name(c)).unwrap_or(text.len());
        if first == '@' {
            let name = rest.get(1..).unwrap_or_default();
            let length = 1 + name_length(name);
            let alias = rest.get(..length).unwrap_or_default();
            if length == 1 {
                return Err(self.invalid(start, "expected the name of a parameter alias after '@'"));
            }
            self.at += length;
            return Ok((Token::Alias(alias), start));
        }
        if first == '$' || is_name(first) {
            let body = rest.strip_prefix('$').unwrap_or(rest);
            let length = (rest.len() - body.len()) + name_length(body);
            self.at += length;
            return Ok((Token::Word(rest.get(..length).unwrap_or_default()), start));
        }
        Err(self.invalid(start, format!("'{}' has no meaning here", shown(first))))
    }

    /// A token of `length` bytes that must not run into a name.
    fn bare(&mut self, token: Token<'t>, start: usize, length: usize) -> Result<(Token<'t>, usize), ODataError> {
        self.at = start + length;
        match self.rest().chars().next() {
            Some(next) if is_name(next) || next == '-' => {
                Err(self.invalid(self.at, format!("'{}' has no meaning directly after a value", shown(next))))
            }
            _ => Ok((token, start)),
        }
    }

    fn text_token(&mut self, start: usize) -> Result<(Token<'t>, usize), ODataError> {
        let mut text = String::new();
        let mut rest = self.rest().get(1..).unwrap_or_default();
        loop {
            let Some((piece, after)) = rest.split_once('\'') else {
                return Err(self.invalid(start, "this quoted text has no end; expected another '"));
            };
            text.push_str(piece);
            if piece.contains('\0') {
                // One of the engines has no text that holds it, so no record has.
                return Err(self.invalid(start, "this quoted text holds the null character, which no text may"));
            }
            match after.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => {
                    self.at = self.text.len() - after.len();
                    return Ok((Token::Text(text), start));
                }
            }
        }
    }

    fn number_token(&mut self, start: usize) -> Result<(Token<'t>, usize), ODataError> {
        let rest = self.rest();
        let mut before = ' ';
        let end = rest
            .find(|c: char| {
                let sign = matches!(c, '-' | '+') && matches!(before, ' ' | 'e' | 'E');
                before = c;
                !(sign || c == '.' || is_name(c))
            })
            .unwrap_or(rest.len());
        let written = rest.get(..end).unwrap_or_default();
        match Number::parse(written) {
            Some(number) => self.bare(Token::Number(number), start, end),
            None if !written.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()) => {
                Err(self.invalid(start, "expected a number after '-'"))
            }
            None => Err(self.invalid(start, format!("'{written}' is not a number; expected one like 12, -1.5 or 2e6"))),
        }
    }

    /// Refuses whatever is left behind something.
    pub(super) fn end_after(mut self, what: &str) -> Result<(), ODataError> {
        match self.next()? {
            (Token::End, _) => Ok(()),
            (_, at) => Err(self.invalid(at, format!("expected nothing after {what}"))),
        }
    }

    /// The end of a stretch of text that goes on to the first of `stops` outside quotes and brackets, or to the end.
    pub(super) fn end_of_stretch(&self, stops: &[char]) -> usize {
        let mut depth = 0_usize;
        let mut quote = None;
        for (offset, c) in self.rest().char_indices() {
            match (quote, c) {
                (Some(open), _) if open == c => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, _) if depth == 0 && stops.contains(&c) => return self.at + offset,
                (None, '(' | '[' | '{') => depth += 1,
                (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        self.text.len()
    }
}

/// Whether a character may stand in a name. Qualified names have points.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// A character as a message may show it.
fn shown(c: char) -> String {
    if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() }
}

/// A GUID in its hyphenated form at the start of a text, with or without braces, and how many bytes it takes.
fn guid_prefix(text: &str) -> Option<(Guid, usize)> {
    let (start, length) = if text.starts_with('{') { (1, 38) } else { (0, 36) };
    if start == 1 && text.as_bytes().get(37) != Some(&b'}') {
        return None;
    }
    let id = parse_hyphenated(text.get(start..start + 36)?)?;
    Some((id, length))
}

/// A GUID as a whole text, with or without braces.
pub(super) fn parse_guid(text: &str) -> Option<Guid> {
    let bare = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    parse_hyphenated(bare)
}

fn parse_hyphenated(text: &str) -> Option<Guid> {
    if text.len() != 36 || text.as_bytes().get(8) != Some(&b'-') {
        return None;
    }
    Uuid::try_parse(text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    fn tokens(text: &str) -> Result<Vec<Token<'_>>, ODataError> {
        let mut lexer = Lexer::new("$filter", text);
        let mut all = Vec::new();
        loop {
            match lexer.next()? {
                (Token::End, _) => return Ok(all),
                (token, _) => all.push(token),
            }
        }
    }

    fn number(text: &str) -> Token<'static> {
        Token::Number(Number::parse(text).unwrap())
    }

    #[test]
    fn texts_are_cut_into_tokens() {
        use Token::{Alias, Close, Comma, Guid, Open, Slash, Text, Word};
        let id = Uuid::from_u128(0xa1b2c3d4_0000_0000_0000_00000000000f);
        let cases = [
            ("", vec![]),
            ("  \t", vec![]),
            ("name eq 'O''Neil'", vec![Word("name"), Word("eq"), Text("O'Neil".into())]),
            ("''", vec![Text(String::new())]),
            ("''''", vec![Text("'".into())]),
            ("a/b(1,-2.5e-3)", vec![Word("a"), Slash, Word("b"), Open, number("1"), Comma, number("-2.5e-3"), Close]),
            ("a1b2c3d4-0000-0000-0000-00000000000F", vec![Guid(id)]),
            ("{A1B2C3D4-0000-0000-0000-00000000000f}", vec![Guid(id)]),
            ("a1b2c3d4 eq", vec![Word("a1b2c3d4"), Word("eq")]),
            (
                "12345678-0000-0000-0000-00000000000f",
                vec![Guid(Uuid::from_u128(0x12345678_0000_0000_0000_00000000000f))],
            ),
            ("1970-01-02", vec![Token::Moment(Moment { seconds: 86_400 })]),
            ("1970-01-01T00:00:00+01:00)", vec![Token::Moment(Moment { seconds: -3_600 }), Close]),
            ("@p1", vec![Alias("@p1")]),
            ("$count", vec![Word("$count")]),
            ("Microsoft.Dynamics.CRM.Last7Days", vec![Word("Microsoft.Dynamics.CRM.Last7Days")]),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_where_it_stands() {
        let cases = [
            ("a eq 'x", 6),
            ("a eq #", 6),
            ("é", 1),
            ("'é' é", 5),
            ("5x", 1),
            ("- 5", 1),
            ("@", 1),
            ("2024-02-30", 1),
            ("2024-02-28x", 11),
            ("a1b2c3d4-0000-0000-0000-00000000000fa", 37),
            ("{a1b2c3d4}", 1),
            ("\u{0}", 1),
            ("a eq 'x\u{0}'", 6),
        ];
        for (text, character) in cases {
            let error = tokens(text).unwrap_err();
            assert_eq!(error.place().character, character, "{text}: {error}");
        }
    }

    #[test]
    fn stretches_end_outside_quotes_and_brackets() {
        let cases = [("a;b", 1), ("a(;)b;c", 5), ("'a;''b';c", 7), ("[\";\"];", 5), ("a", 1), ("(a;b", 4)];
        for (text, end) in cases {
            assert_eq!(Lexer::new("$expand", text).end_of_stretch(&[';']), end, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends(text in ".{0,60}") {
            let _ = tokens(&text);
        }
    }
}
