//! Where quotation marks open and close in a CSV file. The parser takes whatever it is given: a mark that is never closed makes the
//! rest of the file one cell, and text behind a closing mark is put to the cell. Both are rows that vanish without a word, so
//! the same bytes are followed here.

/// How far the marks are. It follows the states of `csv_core`: a mark counts where a field begins and nowhere else.
#[derive(Clone, Copy, Debug)]
enum Place {
    FieldStart,
    /// In a field without marks around it; one within it is text.
    Bare,
    Quoted,
    /// Behind a mark within quotes: it closes them, unless another follows.
    Closing,
}

/// What is wrong with the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file ends within quotes.
    NeverClosed,
    /// Quotes are closed, and neither a delimiter nor the end of the row follows.
    TextBehind,
}

/// Follows the marks of a file, byte by byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotation {
    delimiter: u8,
    place: Place,
    /// The line where quotes opened last, from 1.
    opened: u64,
}

impl Quotation {
    pub const fn new(delimiter: u8) -> Self {
        Self { delimiter, place: Place::FieldStart, opened: 1 }
    }

    /// The line where the quotes opened that are open, or were closed last.
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Takes the next byte of the file, which stands on this line.
    pub fn follow(&mut self, byte: u8, line: u64) -> Result<(), Fault> {
        let ends_field = byte == self.delimiter || matches!(byte, b'\r' | b'\n');
        self.place = match (self.place, byte) {
            (Place::Quoted, b'"') => Place::Closing,
            (Place::Quoted, _) | (Place::Closing, b'"') => Place::Quoted,
            (Place::FieldStart, b'"') => {
                self.opened = line;
                Place::Quoted
            }
            (_, _) if ends_field => Place::FieldStart,
            (Place::Closing, _) => return Err(Fault::TextBehind),
            (Place::FieldStart | Place::Bare, _) => Place::Bare,
        };
        Ok(())
    }

    /// The file ends here.
    pub const fn end(&self) -> Result<(), Fault> {
        match self.place {
            Place::Quoted => Err(Fault::NeverClosed),
            Place::FieldStart | Place::Bare | Place::Closing => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn followed(text: &str) -> Result<(), (Fault, u64)> {
        let (mut quotation, mut line) = (Quotation::new(b','), 1);
        for byte in text.bytes() {
            quotation.follow(byte, line).map_err(|fault| (fault, line))?;
            line += u64::from(byte == b'\n');
        }
        quotation.end().map_err(|fault| (fault, quotation.opened()))
    }

    #[test]
    fn marks_close_where_a_field_ends() {
        for text in ["", "\"\"", "\"a\",\"b\"\"\"\r\n\"c,\n\",d\n", "a\"b,\"\n\"", "12\" pipe,\"x\"\n", " \"a\" ,b\n"] {
            assert_eq!(followed(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_mark_that_stays_open_is_told_where_it_opens() {
        assert_eq!(followed("a,b\n1,\"x\ny\n"), Err((Fault::NeverClosed, 2)));
        assert_eq!(followed("\"a\nb\",\"\"\"\n"), Err((Fault::NeverClosed, 2)));
        assert_eq!(followed("\""), Err((Fault::NeverClosed, 1)));
    }

    #[test]
    fn text_behind_a_closing_mark_is_a_fault() {
        for (text, line) in [("\"a\"b\n", 1), ("1,\"x\n2,\"y\"\n", 2), ("\"a\" ,b\n", 1), ("\"a\"\0", 1)] {
            assert_eq!(followed(text), Err((Fault::TextBehind, line)), "{text:?}");
        }
    }
}
