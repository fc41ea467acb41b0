//! A mark before texts that a spreadsheet would take for formulas: whoever could write a record could otherwise have the
//! spreadsheet of whoever exports it do something.

use std::borrow::Cow;

/// The mark: spreadsheets show what is behind it as text.
const MARK: char = '\'';

/// What formulas begin with, or what spreadsheets drop before they look; full-width forms are taken for the narrow ones.
const BEGINNINGS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A text that cannot be taken for a formula. A text that begins with marks and looks like a formula behind them gets one
/// more, so that each text comes back.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if could_be_formula(text) { Cow::Owned(format!("{MARK}{text}")) } else { Cow::Borrowed(text) }
}

/// The text that was guarded.
pub(crate) fn unguarded(text: &str) -> &str {
    match text.strip_prefix(MARK) {
        Some(rest) if could_be_formula(rest) => rest,
        _ => text,
    }
}

fn could_be_formula(text: &str) -> bool {
    text.trim_start_matches(MARK).starts_with(BEGINNINGS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn formulas_are_texts_and_every_text_comes_back() {
        for formula in ["=1+1", "+1 555 0100", "-", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\u{ff1d}1"] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for plain in ["", "Acme", "1-2", "a=b", "'quoted'", " = 1"] {
            assert_eq!(guarded(plain), plain);
        }
        let pieces = ["", "'", "=", "x", "-1", "''", "'=", "\t"];
        for first in pieces {
            for second in pieces {
                let text = format!("{first}{second}");
                assert_eq!(unguarded(&guarded(&text)), text, "{text:?}");
            }
        }
    }
}
