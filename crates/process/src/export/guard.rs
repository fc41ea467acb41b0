//! A mark before texts that a spreadsheet would take for formulas: whoever could write a record could otherwise have the
//! spreadsheet of whoever exports it do something.

use std::borrow::Cow;

/// The mark: spreadsheets show what is behind it as text.
const MARK: char = '\'';

/// What formulas begin with; full-width forms are taken for the narrow ones.
const BEGINNINGS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
/// What spreadsheets drop at the beginning of a cell before they look.
const DROPPED: [char; 3] = ['\t', '\r', '\n'];
/// What a spreadsheet may take for the end of a cell, if it is told another separator than the comma: then a quotation mark
/// within a line is no beginning of a quoted cell to it, and lines end in the middle of texts.
const SEPARATORS: [char; 5] = [';', '\t', '|', '\r', '\n'];

/// A text of which no part can be taken for a formula, whichever separator the file is opened with. A part that begins with
/// marks and looks like a formula behind them gets one more, so that each text comes back.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if !parts(text).any(|(part, is_first)| could_be_formula(part, is_first)) {
        return Cow::Borrowed(text);
    }
    let mut guarded = String::with_capacity(text.len() + 1);
    for (part, is_first) in parts(text) {
        if could_be_formula(part, is_first) {
            guarded.push(MARK);
        }
        guarded.push_str(part);
    }
    Cow::Owned(guarded)
}

/// The text that was guarded.
pub(crate) fn unguarded(text: &str) -> Cow<'_, str> {
    let mark_of = |part: &str, is_first| part.strip_prefix(MARK).is_some_and(|rest| could_be_formula(rest, is_first));
    if !parts(text).any(|(part, is_first)| mark_of(part, is_first)) {
        return Cow::Borrowed(text);
    }
    let bare = |(part, is_first)| if mark_of(part, is_first) { part.strip_prefix(MARK).unwrap_or(part) } else { part };
    Cow::Owned(parts(text).map(bare).collect())
}

/// A text in the parts that could become cells, each with the separator that ends it, and whether it is the first.
fn parts(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.split_inclusive(SEPARATORS).zip(std::iter::once(true).chain(std::iter::repeat(false)))
}

/// Whether a part could be taken for a formula. Quotation marks before it may be dropped, too.
fn could_be_formula(part: &str, is_first: bool) -> bool {
    let part = part.trim_start_matches([MARK, '"']);
    part.starts_with(BEGINNINGS) || is_first && part.starts_with(DROPPED)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn formulas_are_texts_and_every_text_comes_back() {
        for formula in ["=1+1", "+1 555 0100", "-", "@SUM(A1)", "\t", "\r", "\n1", "\u{ff1d}1", "\"=1"] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for (text, expected) in [
            ("a;=1", "a;'=1"),
            ("a\t@b|+1", "a\t'@b|'+1"),
            ("a\r\n-1\r\n\r\nb", "a\r\n'-1\r\n\r\nb"),
            ("\n=1", "'\n'=1"),
            ("a;\"=1", "a;'\"=1"),
        ] {
            assert_eq!(guarded(text), expected);
        }
        for plain in ["", "Acme", "1-2", "a=b", "'quoted'", " = 1", "a, -b", "a; b", "a;b\nc\n\nd"] {
            assert_eq!(guarded(plain), plain);
        }
        let pieces = ["", "'", "=", "x", "-1", "''", "'=", "\t", ";", "|'", "\r\n", "\"", ";="];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let text = format!("{first}{second}{third}");
                    let file = guarded(&text);
                    assert_eq!(unguarded(&file), text, "{text:?}");
                    for cell in file.split(SEPARATORS).map(|cell| cell.trim_start_matches('"')) {
                        assert!(!cell.starts_with(BEGINNINGS), "{file:?}");
                    }
                }
            }
        }
    }
}
