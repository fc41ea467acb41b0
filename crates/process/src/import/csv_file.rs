//! A CSV file, read row by row.

use std::io::{self, Read};

use csv::StringRecord;
use csv_core::ReadRecordResult;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::quotation::{Fault, Quotation};
use super::source::Source;

/// Bytes of one row at most: the longest long texts of a record fit. A quotation mark that is not closed would otherwise read the
/// rest of the file into memory.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Fields of one row at most: more than any table has columns.
const FIELDS_MAX: usize = 16 * 1024;
/// What some programs put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF_16: &str = "it is UTF-16: save the file as UTF-8 and try again";
/// Bytes the reader takes from the file at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The line of its first field, from 1.
    pub line: u64,
    pub record: StringRecord,
}

/// What a first reading of a whole file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    pub headers: StringRecord,
    pub rows_total: u64,
    /// Of all bytes.
    pub digest: [u8; 32],
}

/// A file being read. The parser is driven by hand, because the ready-made reader counts the lines of files from Windows wrong
/// and lets a row grow without bound.
pub(super) struct CsvFile {
    name: String,
    inner: Box<dyn Read + Send>,
    hash: Sha256,
    parser: csv_core::Reader,
    quotation: Quotation,
    /// What has been read of the file; what is not parsed yet lies between `at` and `filled`.
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    /// The line that is parsed next, from 1.
    line: u64,
    /// The text of all fields of a row, and where each ends.
    fields: Vec<u8>,
    ends: Vec<usize>,
}

impl CsvFile {
    /// Opens a file. Rows may have fewer or more fields than the header: that is a fault of the row.
    pub fn open(source: &Source, delimiter: u8) -> Result<Self, Error> {
        let inner = (source.open)().map_err(|error| Error::Input {
            file: source.name.clone(),
            line: 1,
            problem: format!("it cannot be opened: {error}"),
        })?;
        let mut file = Self {
            name: source.name.clone(),
            inner,
            hash: Sha256::new(),
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            quotation: Quotation::new(delimiter),
            buffer: vec![0; BUFFER_BYTES],
            at: 0,
            filled: 0,
            line: 1,
            fields: vec![0; BUFFER_BYTES],
            ends: vec![0; 64],
        };
        file.fill()?;
        if file.buffer.starts_with(&[0xff, 0xfe]) || file.buffer.starts_with(&[0xfe, 0xff]) {
            return Err(file.fault(1, UTF_16));
        }
        if file.buffer.starts_with(BYTE_ORDER_MARK) {
            file.at = BYTE_ORDER_MARK.len();
        }
        Ok(file)
    }

    /// Takes the next part of the file. Short reads are joined, so that a byte order mark is not cut in two.
    fn fill(&mut self) -> Result<(), Error> {
        (self.at, self.filled) = (0, 0);
        while let Some(free) = self.buffer.get_mut(self.filled..).filter(|free| !free.is_empty()) {
            match self.inner.read(free) {
                Ok(0) => break,
                Ok(bytes) => self.filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(self.line, format!("it cannot be read: {error}"))),
            }
        }
        self.hash.update(self.buffer.get(..self.filled).unwrap_or_default());
        Ok(())
    }

    /// The next row, the header being the first. `None` at the end. Empty lines are no rows.
    pub fn next(&mut self) -> Result<Option<Row>, Error> {
        let (mut text_length, mut fields) = (0, 0);
        let mut began = false;
        let mut first_line = self.line;
        loop {
            if self.at == self.filled {
                self.fill()?;
            }
            if self.filled == 0 {
                self.quotation.end().map_err(|fault| self.misquoted(fault))?;
            }
            let input = self.buffer.get(self.at..self.filled).unwrap_or_default();
            let (text, ends) = (self.fields.get_mut(text_length..), self.ends.get_mut(fields..));
            let (result, taken, written, ended) =
                self.parser.read_record(input, text.unwrap_or_default(), ends.unwrap_or_default());
            let parsed = input.get(..taken).unwrap_or_default();
            for byte in parsed {
                if !began && !matches!(byte, b'\r' | b'\n') {
                    began = true;
                    first_line = self.line;
                }
                if let Err(fault) = self.quotation.follow(*byte, self.line) {
                    return Err(self.misquoted(fault));
                }
                self.line += u64::from(*byte == b'\n');
            }
            self.at += taken;
            text_length += written;
            fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if text_length >= ROW_BYTES_MAX => {
                    let problem = format!(
                        "the row is longer than {ROW_BYTES_MAX} bytes: a quotation mark is probably not closed"
                    );
                    return Err(self.fault(first_line, problem));
                }
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if fields >= FIELDS_MAX => {
                    return Err(self.fault(first_line, format!("the row has more than {FIELDS_MAX} fields")));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => return self.row(first_line, text_length, fields).map(Some),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn row(&self, line: u64, text_length: usize, fields: usize) -> Result<Row, Error> {
        let text = self.fields.get(..text_length).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(text) else {
            return Err(self.fault(line, "there are bytes that are not UTF-8: save the file as UTF-8 and try again"));
        };
        let mut record = StringRecord::with_capacity(text_length, fields);
        let mut start = 0;
        for end in self.ends.iter().take(fields) {
            // A field that ends within a character would take the next one's bytes: the quotes cut it.
            let Some(field) = text.get(start..*end) else {
                return Err(
                    self.fault(line, "there are bytes that are not UTF-8: save the file as UTF-8 and try again")
                );
            };
            record.push_field(field);
            start = *end;
        }
        Ok(Row { line, record })
    }

    fn misquoted(&self, fault: Fault) -> Error {
        let opened = self.quotation.opened();
        match fault {
            Fault::NeverClosed => self.fault(
                opened,
                "a quotation mark opens here and is never closed: the file was cut short, or a quote inside a text is not \
                 doubled",
            ),
            Fault::TextBehind => self.fault(
                self.line,
                format!(
                    "something other than a delimiter follows a closing quotation mark: a blank, or a quote inside a text is not \
                     doubled, or the quotation mark that opens in line {opened} was never closed"
                ),
            ),
        }
    }

    fn fault(&self, line: u64, problem: impl Into<String>) -> Error {
        Error::Input { file: self.name.clone(), line, problem: problem.into() }
    }

    /// Reads a whole file: that all of it is UTF-8 and its quotation marks are closed, how many rows it has, what it contains.
    pub fn scan(source: &Source, delimiter: u8) -> Result<Scan, Error> {
        let mut file = Self::open(source, delimiter)?;
        let Some(header) = file.next()? else {
            return Err(file.fault(1, "it is empty: the first line must name the columns"));
        };
        // Without its byte order mark UTF-16 is bytes of zero between those of ASCII, which is UTF-8, too.
        if header.record.iter().any(|name| name.contains('\0')) {
            return Err(file.fault(1, UTF_16));
        }
        let mut rows_total = 0;
        while file.next()?.is_some() {
            rows_total += 1;
        }
        let headers = header.record.iter().map(str::trim).collect();
        Ok(Scan { headers, rows_total, digest: file.hash.finalize().into() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn rows(content: &[u8]) -> Result<Vec<(u64, Vec<String>)>, String> {
        let source = Source::memory("rows.csv", content.to_vec());
        CsvFile::scan(&source, b',').map_err(|error| error.to_string())?;
        let mut file = CsvFile::open(&source, b',').unwrap();
        let mut rows = Vec::new();
        while let Some(row) = file.next().unwrap() {
            rows.push((row.line, row.record.iter().map(str::to_owned).collect()));
        }
        Ok(rows)
    }

    fn row(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(|field| (*field).to_owned()).collect())
    }

    #[test]
    fn rows_know_their_lines() {
        let content = b"\xef\xbb\xbfname,note\r\nAcme,\"two\nlines\"\r\n\r\nB\xc3\xa9ta,x,y\n";
        let expected = vec![row(1, &["name", "note"]), row(2, &["Acme", "two\nlines"]), row(5, &["Béta", "x", "y"])];
        assert_eq!(rows(content), Ok(expected));
    }

    #[test]
    fn other_encodings_are_refused_with_their_line() {
        assert_eq!(
            rows(b"name\nAcme\nB\xe9ta\n").unwrap_err(),
            "rows.csv:3: there are bytes that are not UTF-8: save the file as UTF-8 and try again"
        );
        let utf16: Vec<u8> = "\u{feff}name\nAcme\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(rows(&utf16).unwrap_err().contains("rows.csv:1: it is UTF-16"));
        assert!(rows(&utf16[2..]).unwrap_err().contains("rows.csv:1: it is UTF-16"));
        let big_endian: Vec<u8> = "name\nAcme\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(rows(&big_endian).unwrap_err().contains("rows.csv:1: it is UTF-16"));
        assert!(rows(b"").unwrap_err().contains("it is empty"));
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_is_told_where_it_opens() {
        let never_closed = "a quotation mark opens here and is never closed: the file was cut short, or a quote inside a text \
                            is not doubled";
        for (content, line) in [
            ("no,name\n101,\"Open Quote Ltd\n102,Second\n103,Third\n", 2),
            ("no,name\r\n101,\"two\r\nlines\"\r\n102,\"Cut sh", 4),
            ("no,name\n101,\"x\ny\",\"\"\"\n", 3),
            ("\u{feff}\"no,name\n101,Acme\n", 1),
        ] {
            assert_eq!(
                rows(content.as_bytes()).unwrap_err(),
                format!("rows.csv:{line}: {never_closed}"),
                "{content:?}"
            );
        }
        // Wherever the file is read in parts, too.
        let mut content = b"name\n".to_vec();
        content.resize(BUFFER_BYTES - 1, b'x');
        content.extend(b"\n\"open");
        assert_eq!(rows(&content).unwrap_err(), format!("rows.csv:3: {never_closed}"));
    }

    #[test]
    fn what_follows_a_closing_quotation_mark_is_refused() {
        assert_eq!(
            rows(b"no,name\n101,\"Open Quote Ltd\n102,\"Second\"\n").unwrap_err(),
            "rows.csv:3: something other than a delimiter follows a closing quotation mark: a blank, or a quote inside a text is \
             not doubled, or the quotation mark that opens in line 2 was never closed"
        );
        for row in ["1,\"a \"b\" c\"", "1 ,\"a\" "] {
            let told = rows(format!("no,name\n{row}\n").as_bytes()).unwrap_err();
            assert!(told.starts_with("rows.csv:2: something other than a delimiter follows"), "{told}");
        }
    }

    #[test]
    fn quotation_marks_within_bare_cells_are_text() {
        let content = b"no,name\n1,12\" pipe\n2, \"a\"\n3,\"\"\n4,\"a \"\"b\"\"\"";
        let expected =
            vec![row(1, &["no", "name"]), row(2, &["1", "12\" pipe"]), row(3, &["2", " \"a\""]), row(4, &["3", ""])];
        let last = row(5, &["4", "a \"b\""]);
        assert_eq!(rows(content), Ok([expected, vec![last]].concat()));
        // A byte order mark is no text before a quotation mark.
        assert_eq!(rows(b"\xef\xbb\xbf\"a,b\"\n1\n"), Ok(vec![row(1, &["a,b"]), row(2, &["1"])]));
    }

    #[test]
    fn a_row_that_grows_too_long_ends_the_reading() {
        let mut content = b"name\nAcme\n\"".to_vec();
        content.resize(content.len() + 17 * 1024 * 1024, b'x');
        let problem = rows(&content).unwrap_err();
        assert!(
            problem.contains("rows.csv:3") && problem.contains("a quotation mark is probably not closed"),
            "{problem}"
        );
    }

    #[test]
    fn many_long_rows_are_no_long_row() {
        let mut content = b"name\n".to_vec();
        for _ in 0..20 {
            content.resize(content.len() + 1024 * 1024, b'x');
            content.push(b'\n');
        }
        assert_eq!(CsvFile::scan(&Source::memory("rows.csv", content), b',').unwrap().rows_total, 20);
    }

    #[test]
    fn a_scan_tells_contents_apart() {
        let scan = |content: &str| CsvFile::scan(&Source::memory("a", content.to_owned()), b';').unwrap();
        let one = scan("a; b \n1;2\n");
        assert_eq!((one.headers.clone(), one.rows_total), (StringRecord::from(vec!["a", "b"]), 1));
        assert_eq!(one.digest, scan("a; b \n1;2\n").digest);
        assert_ne!(one.digest, scan("a; b \n1;3\n").digest);
    }
}
