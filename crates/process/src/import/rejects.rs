//! The rows that failed: a CSV file of its own, to be mended and brought in again.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::report::{Reject, Report};

/// A field as the error file has it. The file is kept, mailed and forgotten: a card number does not belong there.
fn without_card_numbers(field: &str) -> Cow<'_, str> {
    custodia_inspection::masked(field).map_or(Cow::Borrowed(field), Cow::Owned)
}

/// Takes failed rows: into the error file, if there is one, and the first of them into the report.
pub(super) struct Rejects {
    file: Option<(PathBuf, Option<File>)>,
    /// Bytes of the file that belong to rows that are done.
    bytes: u64,
    delimiter: u8,
    headers: StringRecord,
    samples: Vec<Reject>,
}

impl Rejects {
    /// Begins behind `bytes` of an earlier run: what it wrote behind that belongs to rows that come again. 0 removes the file.
    pub fn begin(path: Option<&Path>, bytes: u64, delimiter: u8, headers: StringRecord) -> io::Result<Self> {
        let mut rejects =
            Self { file: path.map(|path| (path.to_owned(), None)), bytes: 0, delimiter, headers, samples: Vec::new() };
        let Some((path, opened)) = &mut rejects.file else { return Ok(rejects) };
        if bytes == 0 {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return Ok(rejects),
            }
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // The file may have lost its end, or may be gone: what is there is kept.
        let kept = bytes.min(file.metadata()?.len());
        file.set_len(kept)?;
        file.seek(SeekFrom::Start(kept))?;
        *opened = Some(file);
        rejects.bytes = kept;
        Ok(rejects)
    }

    /// Takes rows with their reasons and makes them durable.
    pub fn take(&mut self, rows: &[(u64, &StringRecord, String)]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        for (line, _, reason) in rows {
            if self.samples.len() < Report::SAMPLES_MAX {
                self.samples.push(Reject { line: *line, reason: without_card_numbers(reason).into_owned() });
            }
        }
        let Some((path, opened)) = &mut self.file else { return Ok(()) };
        let mut writer = csv::WriterBuilder::new().delimiter(self.delimiter).flexible(true).from_writer(Vec::new());
        if self.bytes == 0 {
            writer.write_record(["import line", "import error"].into_iter().chain(self.headers.iter()))?;
        }
        for (line, record, reason) in rows {
            let fields = std::iter::once(reason.as_str()).chain(record.iter()).map(without_card_numbers);
            writer.write_record(
                std::iter::once(Cow::Owned(line.to_string())).chain(fields).map(|field| field.into_owned()),
            )?;
        }
        let written = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let file = match opened {
            Some(file) => file,
            None => opened.insert(File::create(path)?),
        };
        file.write_all(&written)?;
        file.sync_data()?;
        self.bytes += written.len() as u64;
        Ok(())
    }

    /// Bytes of the file that belong to rows that are done.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the file is, if it has rows, and the first rows of this run.
    pub fn finish(self) -> (Option<PathBuf>, Vec<Reject>) {
        (self.file.map(|(path, _)| path).filter(|_| self.bytes > 0), self.samples)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn take(rejects: &mut Rejects, line: u64, reason: &str, fields: &[&str]) {
        let record = StringRecord::from(fields.to_vec());
        rejects.take(&[(line, &record, reason.to_owned())]).unwrap();
    }

    #[test]
    fn failed_rows_stand_with_line_and_reason_before_their_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv.errors.csv");
        let headers = StringRecord::from(vec!["name", "note"]);
        let mut rejects = Rejects::begin(Some(&path), 0, b',', headers.clone()).unwrap();
        assert!(!path.exists());
        take(&mut rejects, 7, "no such \"option\"", &["Acme", "x,y"]);
        let first = rejects.bytes();
        take(&mut rejects, 9, "not this time", &["Beta"]);
        let expected = "import line,import error,name,note\n7,\"no such \"\"option\"\"\",Acme,\"x,y\"\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{expected}9,not this time,Beta\n"));

        let mut again = Rejects::begin(Some(&path), first, b',', headers.clone()).unwrap();
        take(&mut again, 9, "again", &["Beta"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{expected}9,again,Beta\n"));
        assert_eq!(again.finish().0, Some(path.clone()));

        let fresh = Rejects::begin(Some(&path), 0, b',', headers).unwrap();
        assert!(!path.exists() && fresh.finish().0.is_none());
    }

    #[test]
    fn card_numbers_stand_in_neither_file_nor_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv.errors.csv");
        let mut rejects = Rejects::begin(Some(&path), 0, b',', StringRecord::from(vec!["note"])).unwrap();
        take(&mut rejects, 2, "'4111111111111111' is no date", &["pay 4111 1111 1111 1111"]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("2,'************1111' is no date,pay **** **** **** 1111\n"), "{text}");
        assert_eq!(rejects.finish().1[0].reason, "'************1111' is no date");
    }

    #[test]
    fn a_report_has_the_first_failures() {
        let mut rejects = Rejects::begin(None, 0, b',', StringRecord::new()).unwrap();
        for line in 1..100 {
            take(&mut rejects, line, "why", &["x"]);
        }
        let (path, samples) = rejects.finish();
        assert_eq!((path, samples.len(), samples[0].line), (None, Report::SAMPLES_MAX, 1));
    }
}
