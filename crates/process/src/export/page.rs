//! A page of records as bytes of the file.

use csv::Writer;
use custodia_org::{Restart, Row, RowSink};
use custodia_schema::Guid;

use super::column::FileColumn;

/// Takes the rows of one page, up to a number of bytes.
pub(super) struct Page<'e> {
    shown: &'e [FileColumn],
    bytes_max: usize,
    writer: Writer<Vec<u8>>,
    cell: String,
    bytes: usize,
    taken: u64,
    handed: u64,
    last: Option<Guid>,
}

/// What a page came to.
pub(super) struct Taken {
    pub bytes: Vec<u8>,
    /// Rows that are in it.
    pub rows: u64,
    /// Rows that were handed over; those beyond `rows` belong to the next page.
    pub handed: u64,
    /// The record that it ends with.
    pub last: Option<Guid>,
}

impl<'e> Page<'e> {
    /// An empty page that takes no more rows once it has that many bytes.
    pub fn new(shown: &'e [FileColumn], bytes_max: usize) -> Self {
        let writer = Writer::from_writer(Vec::new());
        Self { shown, bytes_max, writer, cell: String::new(), bytes: 0, taken: 0, handed: 0, last: None }
    }

    /// The first line of the file.
    pub fn header(shown: &[FileColumn]) -> csv::Result<Vec<u8>> {
        let mut writer = Writer::from_writer(Vec::new());
        writer.write_record(shown.iter().map(|column| &column.header))?;
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    /// The bytes and what they hold.
    pub fn end(self) -> std::io::Result<Taken> {
        let bytes = self.writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
        Ok(Taken { bytes, rows: self.taken, handed: self.handed, last: self.last })
    }
}

impl RowSink for Page<'_> {
    fn row(&mut self, row: &Row<'_>) {
        self.handed += 1;
        if self.bytes >= self.bytes_max {
            return;
        }
        // A writer into memory takes whatever it is given.
        let mut written = Ok(());
        for (at, column) in self.shown.iter().enumerate() {
            self.cell.clear();
            column.write(row.get(at), &mut self.cell);
            self.bytes += self.cell.len() + 1;
            written = written.and_then(|()| self.writer.write_field(&self.cell));
        }
        written = written.and_then(|()| self.writer.write_record(None::<&[u8]>));
        debug_assert!(written.is_ok(), "{written:?}");
        self.taken += 1;
        self.last = row.guid(0);
    }
}

impl Restart for Page<'_> {
    fn restart(&mut self) {
        *self = Self::new(self.shown, self.bytes_max);
    }
}
