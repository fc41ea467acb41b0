//! What an import did, and how far it is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What became of rows. `read` is the sum of `created`, `updated`, `unchanged`, `skipped` and `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of the file.
    pub read: u64,
    /// Rows that made a record.
    pub created: u64,
    /// Rows that changed a record.
    pub updated: u64,
    /// Rows whose record was as they say already.
    pub unchanged: u64,
    /// Rows that the mapping leaves out (`only`).
    pub skipped: u64,
    /// Rows that could not be brought in; they are in the error file.
    pub failed: u64,
    /// Rows that are counted above, but whose `later` columns could not be set; they are in the error file too.
    pub incomplete: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.read += other.read;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.incomplete += other.incomplete;
    }
}

/// How far an import is. Given after each batch of rows.
#[derive(Clone, Copy, Debug)]
pub struct Advance<'a> {
    /// The file at work.
    pub file: &'a str,
    /// Its rows.
    pub rows_total: u64,
    /// Those of them that are done, of this pass.
    pub rows_done: u64,
    /// Whether the file is read a second time, for columns that are set `later`.
    pub second_pass: bool,
    /// What became of its rows.
    pub counts: &'a Counts,
}

/// Is told how far an import is. How often a person sees it is the implementer's choice.
pub trait Progress: Send {
    /// A batch of rows is done and durable.
    fn advanced(&mut self, advance: &Advance<'_>);
}

impl<F: FnMut(&Advance<'_>) + Send> Progress for F {
    fn advanced(&mut self, advance: &Advance<'_>) {
        self(advance);
    }
}

/// A row that could not be brought in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The line of its first field in the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Whether an earlier run of the same import was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// There was none.
    No,
    /// Its first rows were done; they are in the counts.
    After(u64),
    /// There was one, but of another mapping or of another content of the file: this one began at the first row.
    Discarded,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub counts: Counts,
    /// Whether it went on from an earlier run.
    pub resumed: Resumed,
    /// The file with the rows that failed, if any did and the source has a place for it.
    pub errors: Option<PathBuf>,
    /// The first rows that failed in this run, at most [`Report::SAMPLES_MAX`].
    pub samples: Vec<Reject>,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// File by file, in the order given.
    pub files: Vec<FileReport>,
}

impl Report {
    /// Failed rows that a report tells of; the error file has all.
    pub const SAMPLES_MAX: usize = 20;

    /// All files together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for file in &self.files {
            sum.add(file.counts);
        }
        sum
    }
}
