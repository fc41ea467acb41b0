//! A file layer for tests that loses what was not flushed, counts flushes and injects disk errors.
//!
//! [`FaultLayer`] sits between SQLite and the operating system's files. Reads and writes go through to the real files, and each
//! write is remembered until its file is flushed. A test can then
//!
//! - cut the power ([`FaultLayer::cut_power`]): every unflushed write is undone, on the disk, and all connections fail from
//!   then on; after [`FaultLayer::restore_power`] the files open as after a crash;
//! - look at what a crash would leave without having one ([`FaultLayer::copy_survivors`]), as often as it likes and beside
//!   running connections;
//! - make the disk pretend to flush ([`Flushing::Pretended`]), to show that the test would notice a missing flush;
//! - let the n-th write or flush fail, or cut the power there ([`FaultLayer::inject`]);
//! - count writes and flushes ([`FaultLayer::counts`]).
//!
//! ```
//! use custodia_sqlite::fault::{FaultLayer, Loss};
//! use custodia_sqlite::{Access, Encryption, Options, open};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("a.db");
//! let layer = FaultLayer::register()?;
//! let options = Options::new(Encryption::Plain, Access::Create).file_layer(layer.name());
//! let connection = open(&path, &options)?;
//! connection.execute_batch("CREATE TABLE account (name TEXT)")?;
//!
//! let before = layer.counts();
//! connection.execute("INSERT INTO account VALUES ('Contoso')", [])?;
//! assert_eq!(layer.counts().since(&before).write_ahead_log.flushes, 1);
//!
//! layer.cut_power(Loss::Everything)?;
//! assert!(connection.execute("INSERT INTO account VALUES ('Fabrikam')", []).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # What it models, and what not
//! - Database, write-ahead log and journals are tracked; temporary files and the shared memory beside the log are not, since
//!   nothing of them is meant to survive.
//! - A file that was made and never flushed is gone after a power cut. A flush makes its name durable too. Deleting a file is
//!   durable at once.
//! - Files are those of one process, and are not to be touched except through the layer while connections are open.
//! - The real flush happens as well; what it costs is the machine's, so counts and not times belong in assertions.

mod shim;
mod state;

#[cfg(test)]
mod tests;

use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Error;
use state::Shared;

/// A file layer of its own, with its own files, counts and faults; tests in one process do not disturb each other.
///
/// Cheap to clone: clones are the same layer. SQLite knows it by [`FaultLayer::name`] until the process ends.
#[derive(Debug, Clone)]
pub struct FaultLayer {
    shared: Arc<Shared>,
}

/// Which of the unflushed writes a power cut takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of them: files are as of their last flush.
    Everything,
    /// Some: each sector of each unflushed write is kept or lost by a coin that this seed decides, so later writes may survive
    /// earlier ones and a write may be torn.
    Some {
        /// The same seed and the same writes lose the same sectors.
        seed: u64,
    },
}

/// What a flush does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushing {
    /// It flushes.
    Real,
    /// It reports success and flushes nothing, as a disk that lies does: writes stay unflushed.
    Pretended,
}

/// What a tracked file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The database itself.
    Database,
    /// The write-ahead log.
    WriteAheadLog,
    /// A rollback journal or a super-journal.
    Journal,
}

/// An operation that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Writing to a file, or cutting it shorter.
    Write,
    /// Flushing a file.
    Flush,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No space is left (a write answers `SQLITE_FULL`; a flush answers an I/O error, as SQLite itself would).
    DiskFull,
    /// An I/O error.
    InputOutput,
    /// The power goes just before the operation: see [`FaultLayer::cut_power`].
    PowerCut(Loss),
}

/// How often an injected failure happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// The n-th operation fails; those after it succeed.
    Once,
    /// The n-th operation and all after it fail, until [`FaultLayer::clear_injections`].
    UntilCleared,
}

/// A failure to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injection {
    /// The operation that fails.
    pub operation: Operation,
    /// The kind of file that counts; `None` counts all tracked files.
    pub file: Option<FileKind>,
    /// Which one fails, counted from the moment of injection: 1 is the next.
    pub nth: NonZeroU64,
    /// How it fails.
    pub failure: Failure,
    /// Whether it goes on failing.
    pub lasting: Lasting,
}

/// What was done to files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileCounts {
    /// Writes that were carried out, and truncations.
    pub writes: u64,
    /// Bytes of those writes.
    pub bytes: u64,
    /// Flushes that SQLite asked for and that reported success, pretended ones too.
    pub flushes: u64,
}

/// What was done since the layer was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// To database files.
    pub database: FileCounts,
    /// To write-ahead logs.
    pub write_ahead_log: FileCounts,
    /// To journals.
    pub journal: FileCounts,
}

impl FileCounts {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            writes: self.writes.saturating_sub(earlier.writes),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            flushes: self.flushes.saturating_sub(earlier.flushes),
        }
    }
}

impl Counts {
    /// What was done after `earlier` was taken.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            database: self.database.since(&earlier.database),
            write_ahead_log: self.write_ahead_log.since(&earlier.write_ahead_log),
            journal: self.journal.since(&earlier.journal),
        }
    }

    /// Flushes of files of every kind.
    pub fn flushes(&self) -> u64 {
        self.database.flushes + self.write_ahead_log.flushes + self.journal.flushes
    }
}

/// Why power could not be restored: connections from before the cut are still open.
///
/// SQLite shares memory between the connections of a process, so they would hand what they remember to new ones.
#[derive(Debug, thiserror::Error)]
#[error("{open_files} files from before the power cut are still open: drop their connections first")]
pub struct StillOpen {
    /// Tracked files that are open.
    pub open_files: usize,
}

impl FaultLayer {
    /// Registers a new layer with SQLite.
    ///
    /// # Errors
    /// [`Error::Engine`] if SQLite has no file layer to stand on or refuses another one.
    pub fn register() -> Result<Self, Error> {
        let shared = Arc::new(Shared::new());
        shim::register(&shared)?;
        Ok(Self { shared })
    }

    /// The name for [`crate::Options::file_layer`].
    pub fn name(&self) -> &'static str {
        self.shared.name()
    }

    /// Says what flushes do from now on. A new layer flushes.
    pub fn set_flushing(&self, flushing: Flushing) {
        self.shared.set_flushing(flushing);
    }

    /// Cuts the power: undoes on the disk what `loss` takes of the unflushed writes. From now on opening a file and every
    /// operation on an open one fails, closing excepted.
    ///
    /// Writes that other threads have begun are undone or kept whole; none comes after. A second cut in a row does nothing.
    ///
    /// # Errors
    /// If a file could not be put back.
    pub fn cut_power(&self, loss: Loss) -> io::Result<()> {
        self.shared.cut_power(loss)
    }

    /// Whether the power is cut, by [`FaultLayer::cut_power`] or by an injection.
    pub fn is_power_cut(&self) -> bool {
        self.shared.is_power_cut()
    }

    /// Lets files be opened again.
    ///
    /// # Errors
    /// [`StillOpen`] while a connection from before the cut lives.
    pub fn restore_power(&self) -> Result<(), StillOpen> {
        self.shared.restore_power()
    }

    /// Copies what a power cut now would leave of the tracked files below `folder` to the same places below `into`, and returns
    /// the copies' paths. All files are taken at one moment, and the connections go on undisturbed.
    ///
    /// # Errors
    /// If a file cannot be read or a copy not written.
    pub fn copy_survivors(&self, folder: &Path, into: &Path, loss: Loss) -> io::Result<Vec<PathBuf>> {
        self.shared.copy_survivors(folder, into, loss)
    }

    /// Adds a failure to come. Several may wait at once; each counts for itself.
    pub fn inject(&self, injection: Injection) {
        self.shared.inject(injection);
    }

    /// Takes back all failures to come and ends those that last.
    pub fn clear_injections(&self) {
        self.shared.clear_injections();
    }

    /// How many operations an injection has made fail so far: a test whose fault never struck has shown nothing.
    pub fn injected(&self) -> u64 {
        self.shared.injected()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }
}
