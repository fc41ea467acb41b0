//! How far an import of one file is: kept beside the file, so that a killed import goes on with exact counts.
//!
//! Before rows of a batch are written, the journal says which of them will make and which will change a record. A later run
//! finds the records of such rows there already; it counts them as what they were. What is not written is not lost either: rows
//! name their records by key, so that reading them again brings nothing in twice.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::report::Counts;

/// The format's number: a state of another one is of no use.
const VERSION: u32 = 1;

/// How far an import of one file is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub version: u32,
    /// What is being brought in: organisation, mapping and content, each by its digest or id.
    pub of: String,
    /// Rows to a batch.
    pub batch_rows: usize,
    /// The pass at work: 1 or 2; 3 when both are done.
    pub pass: u8,
    /// Rows of this pass that are done.
    pub rows_done: u64,
    /// Bytes of the error file that belong to rows that are done.
    pub error_bytes: u64,
    /// Rows of the batch at work, counted from 0 in the batch, that will make a record.
    pub creating: Vec<u32>,
    /// The same for rows that will change one.
    pub updating: Vec<u32>,
    /// What became of the rows that are done.
    pub counts: Counts,
}

impl State {
    pub fn new(of: String, batch_rows: usize) -> Self {
        Self { version: VERSION, of, batch_rows, pass: 1, ..Self::default() }
    }
}

/// What an earlier run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Earlier {
    None,
    /// Of another mapping, content or organisation, or unreadable.
    Other,
    Same(State),
}

/// The state file of one input, if it has a place for one.
pub(super) struct Journal {
    path: Option<PathBuf>,
}

impl Journal {
    pub fn new(path: Option<&Path>) -> Self {
        Self { path: path.map(Path::to_owned) }
    }

    /// Reads what an earlier run of `of` left.
    pub fn read(&self, of: &str) -> io::Result<Earlier> {
        let Some(path) = &self.path else { return Ok(Earlier::None) };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Earlier::None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Earlier::Other),
            Err(error) => return Err(error),
        };
        let state = toml::from_str::<State>(&text).ok();
        let state = state.filter(|state| state.version == VERSION && state.of == of && state.batch_rows > 0);
        Ok(state.map_or(Earlier::Other, Earlier::Same))
    }

    /// Writes the state durably: all of it or nothing.
    pub fn write(&self, state: &State) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = toml::to_string(state).map_err(io::Error::other)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = path.with_file_name(name);
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(beside, path)
    }

    /// The import of the file is through.
    pub fn remove(&self) -> io::Result<()> {
        match self.path.as_ref().map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where the state is, for messages.
    pub fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_state_is_taken_up_by_the_same_import_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv.import-state");
        let journal = Journal::new(Some(&path));
        assert_eq!(journal.read("one").unwrap(), Earlier::None);
        let state = State {
            rows_done: 512,
            creating: vec![0, 7],
            counts: Counts { read: 512, created: 500, failed: 12, ..Counts::default() },
            ..State::new("one".to_owned(), 256)
        };
        journal.write(&state).unwrap();
        assert_eq!(journal.read("one").unwrap(), Earlier::Same(state));
        assert_eq!(journal.read("other").unwrap(), Earlier::Other);
        std::fs::write(&path, "").unwrap();
        assert_eq!(journal.read("one").unwrap(), Earlier::Other);
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(journal.read("one").unwrap(), Earlier::Other);
        journal.remove().unwrap();
        journal.remove().unwrap();
        assert_eq!(journal.read("one").unwrap(), Earlier::None);
    }

    #[test]
    fn without_a_place_nothing_is_kept() {
        let journal = Journal::new(None);
        journal.write(&State::new("one".to_owned(), 256)).unwrap();
        assert_eq!(journal.read("one").unwrap(), Earlier::None);
        journal.remove().unwrap();
    }
}
