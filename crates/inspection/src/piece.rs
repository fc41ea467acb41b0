//! A text as the pieces that matter for numbers: digits, what may stand between two digits of one number, and the rest.
//!
//! It is read in one of two ways: as it stands, and as markup, where tags are skipped and what is written as an entity, as
//! an escape of JSON or in percent is what it means. Each byte is looked at a bounded number of times.

use crate::digit::digit;
use crate::identifier::identifier;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A digit with its value.
    Digit(u8),
    /// Nothing to see: it stands between digits as if it were not there.
    Joiner,
    /// What people and programs put between groups of digits.
    Separator(char),
    /// A letter, and whether it is a digit of hexadecimal numbers.
    Letter { hexadecimal: bool },
    /// What phone numbers begin with.
    Plus,
    /// What ends a number.
    Other,
}

/// A piece and where it stands, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it stands.
    Plain,
    /// As HTML, JSON or an address.
    Markup,
}

impl Reading {
    /// Whether a text means something else when read as markup.
    pub fn is_markup(text: &str) -> bool {
        text.bytes().any(|byte| matches!(byte, b'<' | b'&' | b'\\' | b'%'))
    }
}

/// Bytes of a tag, at most; what is longer is text.
const TAG_BYTES_MAX: usize = 4_096;
/// Bytes of an entity between `&` and `;`, at most.
const ENTITY_BYTES_MAX: usize = 10;

/// Tags within a line: what stands before and behind them belongs together.
const INLINE_TAGS: [&str; 26] = [
    "a", "abbr", "b", "bdi", "bdo", "big", "code", "del", "em", "font", "i", "ins", "kbd", "label", "mark", "nobr",
    "o:p", "s", "samp", "small", "span", "strong", "sub", "sup", "u", "wbr",
];

/// Entities that stand for separators, or for nothing to see.
const ENTITIES: [(&str, char); 22] = [
    ("nbsp", '\u{a0}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("emsp13", '\u{2004}'),
    ("emsp14", '\u{2005}'),
    ("numsp", '\u{2007}'),
    ("puncsp", '\u{2008}'),
    ("thinsp", '\u{2009}'),
    ("hairsp", '\u{200a}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("shy", '\u{ad}'),
    ("hyphen", '\u{2010}'),
    ("dash", '\u{2010}'),
    ("ndash", '\u{2013}'),
    ("mdash", '\u{2014}'),
    ("minus", '\u{2212}'),
    ("sol", '/'),
    ("period", '.'),
    ("lowbar", '_'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
];

/// The pieces of a text, in order.
pub(crate) struct Pieces<'t> {
    text: &'t str,
    reading: Reading,
    at: usize,
    /// Whether the piece before was a part of a word.
    in_word: bool,
    after_digit: bool,
}

impl<'t> Pieces<'t> {
    pub fn new(text: &'t str, reading: Reading) -> Self {
        Self { text, reading, at: 0, in_word: false, after_digit: false }
    }

    /// The kind of what the rest begins with, and its bytes.
    fn first(&self, rest: &str, c: char) -> (Kind, usize) {
        if !self.in_word
            && c.is_ascii_alphanumeric()
            && let Some(length) = identifier(rest.as_bytes())
        {
            return (Kind::Other, length);
        }
        let read = match (self.reading, c) {
            (Reading::Plain, _) => None,
            (Reading::Markup, '<') => tag(rest),
            (Reading::Markup, '&') => entity(rest),
            (Reading::Markup, '\\') => escape(rest),
            (Reading::Markup, '%') => percent(rest),
            // In addresses a blank is written as a plus.
            (Reading::Markup, '+') if self.after_digit => Some((Kind::Separator(' '), 1)),
            (Reading::Markup, _) => None,
        };
        read.unwrap_or_else(|| (kind_of(c), c.len_utf8()))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let rest = self.text.get(self.at..)?;
        let (kind, length) = self.first(rest, rest.chars().next()?);
        let start = self.at;
        self.at += length;
        self.in_word = matches!(kind, Kind::Digit(_) | Kind::Letter { .. });
        self.after_digit = matches!(kind, Kind::Digit(_));
        Some(Piece { kind, start, end: self.at })
    }
}

/// What a character is between digits.
fn kind_of(c: char) -> Kind {
    if let Some(value) = digit(c) {
        return Kind::Digit(value);
    }
    match c {
        '+' | '\u{ff0b}' => Kind::Plus,
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '-' | '.' | '/' | '_' => Kind::Separator(c),
        c if c.is_ascii() => {
            if c.is_ascii_alphabetic() {
                Kind::Letter { hexadecimal: c.is_ascii_hexdigit() }
            } else if c.is_ascii_control() {
                Kind::Joiner
            } else {
                Kind::Other
            }
        }
        // Soft hyphens, marks of direction and of joining, variation selectors, marks above and around characters, tags.
        '\u{80}'..='\u{84}'
        | '\u{86}'..='\u{9f}'
        | '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20f0}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => Kind::Joiner,
        // Hyphens and dashes, dots, slashes, low lines.
        '\u{58a}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{fe58}'
        | '\u{fe63}'
        | '\u{ff0d}'
        | '\u{b7}'
        | '\u{2022}'
        | '\u{2024}'
        | '\u{2027}'
        | '\u{2219}'
        | '\u{22c5}'
        | '\u{30fb}'
        | '\u{ff0e}'
        | '\u{2044}'
        | '\u{2215}'
        | '\u{ff0f}'
        | '\u{203f}'
        | '\u{ff3f}' => Kind::Separator(c),
        c if c.is_whitespace() => Kind::Separator(c),
        c if c.is_alphabetic() => Kind::Letter { hexadecimal: false },
        _ => Kind::Other,
    }
}

/// A tag: within a line nothing to see, else a new line. Its bytes.
fn tag(rest: &str) -> Option<(Kind, usize)> {
    let inside = rest.get(1..)?;
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') {
        return None;
    }
    let end = inside.bytes().take(TAG_BYTES_MAX).position(|byte| matches!(byte, b'<' | b'>'))?;
    let inside = inside.get(..end).filter(|_| rest.as_bytes().get(end + 1) == Some(&b'>'))?;
    let name = inside.trim_start_matches('/');
    let name = name.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').next().unwrap_or_default();
    let is_inline = inside.starts_with('!') || INLINE_TAGS.iter().any(|inline| inline.eq_ignore_ascii_case(name));
    Some((if is_inline { Kind::Joiner } else { Kind::Separator('\n') }, end + 2))
}

/// `&nbsp;`, `&#52;`, `&#x34;`.
fn entity(rest: &str) -> Option<(Kind, usize)> {
    let inside = rest.get(1..)?;
    let end = inside.bytes().take(ENTITY_BYTES_MAX + 1).position(|byte| byte == b';')?;
    let inside = inside.get(..end)?;
    let c = match inside.strip_prefix('#') {
        Some(number) => {
            let hexadecimal = number.strip_prefix(['x', 'X']);
            let code = hexadecimal.map_or_else(|| number.parse().ok(), |number| u32::from_str_radix(number, 16).ok());
            code.and_then(char::from_u32)
        }
        None => ENTITIES.iter().find(|(name, _)| *name == inside).map(|(_, c)| *c),
    };
    Some((c.map_or(Kind::Other, kind_of), end + 2))
}

/// `\n`, `\u0034`.
fn escape(rest: &str) -> Option<(Kind, usize)> {
    match rest.as_bytes().get(1)? {
        b'n' | b'r' | b't' => Some((Kind::Separator('\n'), 2)),
        b'/' => Some((Kind::Separator('/'), 2)),
        b'u' => {
            let code = rest.get(2..6).and_then(|code| u32::from_str_radix(code, 16).ok())?;
            Some((char::from_u32(code).map_or(Kind::Other, kind_of), 6))
        }
        _ => None,
    }
}

/// `%20`; what is not ASCII and written so is a separator, as no-break blanks are.
fn percent(rest: &str) -> Option<(Kind, usize)> {
    let byte = rest.get(1..3).and_then(|code| u8::from_str_radix(code, 16).ok())?;
    Some((if byte.is_ascii() { kind_of(char::from(byte)) } else { Kind::Separator(' ') }, 3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn kinds(text: &str, reading: Reading) -> String {
        let sign = |piece: Piece| match piece.kind {
            Kind::Digit(value) => char::from(b'0' + value),
            Kind::Joiner => '~',
            Kind::Separator(_) => ' ',
            Kind::Letter { .. } => 'x',
            Kind::Plus => '+',
            Kind::Other => '|',
        };
        Pieces::new(text, reading).map(sign).collect()
    }

    #[test]
    fn markup_is_what_it_means() {
        for (text, expected) in [
            ("1<b>2</b>3<br/>4<td x='5'>6", "1~2~3 4 6"),
            ("1<2<x", "1|2|x"),
            ("<!-- 1 -->2", "~2"),
            ("&#52;&#x35;&nbsp;6&zwj;7&amp;8&", "45 6~7|8|"),
            ("\\u0034\\n5\\/6\\q", "4 5 6|x"),
            ("1%202%c2%a03+4%zz", "1 2  3 4|xx"),
        ] {
            assert_eq!(kinds(text, Reading::Markup), expected, "{text}");
        }
        assert_eq!(kinds("1<b>2", Reading::Plain), "1|x|2");
        assert_eq!(kinds("4\u{fe0f}\u{20e3}4\u{200b}\u{a0}٤", Reading::Plain), "4~~4~ 4");
    }

    #[test]
    fn every_byte_belongs_to_one_piece() {
        for text in ["<a<b>1&#x1F4B3;é\\u00", "%4&#;<>\\u12é", "a\u{1f4b3}&#99999999;"] {
            let mut at = 0;
            for piece in Pieces::new(text, Reading::Markup) {
                assert_eq!(piece.start, at);
                assert!(piece.end > at && text.is_char_boundary(piece.end));
                at = piece.end;
            }
            assert_eq!(at, text.len());
        }
    }
}
