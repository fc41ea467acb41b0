//! The embedded engine: one encrypted file per organisation, one process owning it.
//!
//! Short reads run where they are called, on a pooled connection; the commit head is read first in the same snapshot
//! (decision 0001.6), which the connection keeps until something is committed: beginning and ending one costs more than
//! finding a row. All writing goes through one connection on a writer thread.

mod commits;
mod connection;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use custodia_sqlite::{Access, Key};
use parking_lot::Mutex;
use rusqlite::ErrorCode;

use self::commits::Commits;
pub(crate) use self::commits::CommitsByFile;
pub(crate) use self::connection::Connection;
use self::connection::Snapshot;
#[cfg(any(test, feature = "witness"))]
pub(crate) use self::connection::raw_value;
use crate::ambient::Clock;
use crate::head::{Head, Versions};
use crate::page_caches::{CacheShare, PageCaches};
use crate::row::Restart;
use crate::sql::Statement;
use crate::statement_count::StatementCount;
use crate::{Error, Result};

/// Pages of a log (of 4 KiB) from which on the next batch waits until all of them are in the file.
const LOG_PAGES_MAX: i64 = 8_192;
/// Pages of a log in a MiB.
const LOG_PAGES_PER_MEBIBYTE: i64 = 256;
/// Moves all of a log into the file, waiting for those who read what was there before it.
const MOVE_LOG: &str = "PRAGMA wal_checkpoint(FULL)";
/// The same, and cuts it off, waiting for all who read from it.
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// What SQLite calls a read beyond the end of a file, and pages that are not what was written.
const DAMAGED: [i32; 3] =
    [rusqlite::ffi::SQLITE_IOERR_SHORT_READ, rusqlite::ffi::SQLITE_IOERR_DATA, rusqlite::ffi::SQLITE_IOERR_CORRUPTFS];

/// Whether a file that was opened is not there, is cut off, or is none of ours: an empty one opens under any key and has no
/// tables, and a page that is not what it was is a fault of SQLite's that says no more.
pub(crate) fn is_file_lost(error: &Error) -> bool {
    let Some(said) = error.said() else { return false };
    let engine = match said.downcast_ref::<custodia_sqlite::Error>() {
        Some(custodia_sqlite::Error::Missing { .. } | custodia_sqlite::Error::CutShort { .. }) => return true,
        Some(custodia_sqlite::Error::Engine { source, .. }) => Some(source),
        _ => said.downcast_ref::<rusqlite::Error>(),
    };
    let Some(engine) = engine else { return false };
    match engine.sqlite_error_code() {
        Some(ErrorCode::Unknown | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => true,
        Some(ErrorCode::SystemIoFailure) => {
            engine.sqlite_error().is_some_and(|error| DAMAGED.contains(&error.extended_code))
        }
        Some(_) => false,
        None => engine.to_string().starts_with("no such table"),
    }
}

/// How the files of one process are opened.
#[derive(Clone)]
pub(crate) struct SqliteSettings {
    pub clock: Arc<dyn Clock>,
    pub statement_limit_ms: u64,
    /// What page caches share; `None` for files that are no organisation's live database.
    pub caches: Option<Arc<PageCaches>>,
    pub readers_max: usize,
    /// MiB of the log beside a file from which on those who read are interrupted, so that it can be emptied.
    pub log_mebibytes_max: u32,
    /// Name of a file layer to go through; tests inject faults with it.
    pub file_layer: Option<&'static str>,
    pub statements: StatementCount,
    pub commits: CommitsByFile,
}

/// One file: its readers, and the one connection that writes.
pub(crate) struct SqliteFile {
    path: PathBuf,
    key: Option<Key>,
    settings: SqliteSettings,
    readers: Mutex<Vec<Connection>>,
    pub(crate) writer: Mutex<Connection>,
    /// Whether the log is to be moved whole before the next batch.
    log_is_long: AtomicBool,
    /// The files that were opened, the database and its log, as the system tells them apart; filled as they are met.
    opened: [OnceLock<FileId>; 2],
    commits: Arc<Commits>,
    /// What its page caches may hold.
    cache_share: Option<Arc<CacheShare>>,
    /// Reading connections that are at work.
    reading: AtomicU32,
    /// Counts how often those who read were asked to let go of their snapshots.
    rounds: Arc<AtomicU64>,
    /// Held by each connection that keeps one snapshot for as long as it is open: a backup is not begun anew.
    kept: Arc<()>,
}

/// What the system tells a file by, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino() }
    }
}

/// A connection that reads, counted while it does.
struct AtWork<'f>(&'f AtomicU32);

impl<'f> AtWork<'f> {
    fn new(reading: &'f AtomicU32) -> Self {
        reading.fetch_add(1, Ordering::Relaxed);
        Self(reading)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SqliteFile {
    pub(crate) fn create(path: &Path, key: Option<Key>, settings: SqliteSettings) -> Result<Self> {
        Self::with_access(path, key, settings, Access::Create)
    }

    pub(crate) fn open(path: &Path, key: Option<Key>, settings: SqliteSettings) -> Result<Self> {
        Self::with_access(path, key, settings, Access::Write)
    }

    fn with_access(path: &Path, key: Option<Key>, settings: SqliteSettings, access: Access) -> Result<Self> {
        let (commits, rounds) = (settings.commits.of(path), Arc::new(AtomicU64::new(0)));
        let cache_share = settings.caches.is_some().then(|| Arc::new(CacheShare::new()));
        let writer = Connection::open(path, key.as_ref(), &settings, access, &commits, &rounds, cache_share.as_ref())?;
        Ok(Self {
            path: path.to_owned(),
            key,
            settings,
            readers: Mutex::new(Vec::new()),
            writer: Mutex::new(writer),
            log_is_long: AtomicBool::new(false),
            opened: Default::default(),
            commits,
            cache_share,
            reading: AtomicU32::new(0),
            rounds,
            kept: Arc::new(()),
        })
    }

    /// Another connection to the file.
    fn connect(&self) -> Result<Connection> {
        let (key, share) = (self.key.as_ref(), self.cache_share.as_ref());
        Connection::open(&self.path, key, &self.settings, Access::Write, &self.commits, &self.rounds, share)
    }

    /// A connection that keeps one snapshot for as long as it is open. The log is not emptied meanwhile.
    pub(crate) fn connect_keeping(&self) -> Result<Connection> {
        Ok(self.connect()?.keeping(&self.kept))
    }

    /// Runs `work` on a pooled reading connection.
    fn with_reader<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = self.readers.lock().pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let at_work = AtWork::new(&self.reading);
        let result = connection.use_cache().and_then(|()| work(&connection));
        drop(at_work);
        let mut readers = self.readers.lock();
        // Whoever asks for snapshots to be let go looks for those kept here afterwards: this one might come too late for that.
        let round = self.rounds.load(Ordering::Relaxed);
        if connection.has_snapshot(|kept| kept.round != round)
            && let Err(error) = connection.end_snapshot()
        {
            tracing::debug!(%error, "a snapshot could not be ended: its connection is closed");
            return result;
        }
        if readers.len() < self.settings.readers_max {
            readers.push(connection);
        }
        result
    }

    /// One read in one snapshot with the head; also the rows that were passed in scans, which no index bounded.
    /// [`Error::Stale`] when `expected` is no longer true; [`Error::Timeout`] when it takes longer than `limit_ms`;
    /// [`Error::Interrupted`] when the log is to be emptied. What the sinks took does not count then.
    pub(crate) fn read(
        &self,
        limit_ms: u64,
        expected: Option<Versions>,
        statements: &[&Statement],
        sinks: &mut [&mut dyn Restart],
    ) -> Result<(Head, u64)> {
        // Counted before the snapshot is taken: what is committed in between ends it too early, never too late.
        let commits = self.commits.settled();
        let round = self.rounds.load(Ordering::Relaxed);
        self.with_reader(|connection| {
            connection.arm_for(limit_ms);
            connection.read(commits, round, expected, statements, sinks)
        })
    }

    /// Moves committed pages into the file; called by a timer, so that no commit waits for it. While batches follow one
    /// another it never gets all of them, and a log begins anew only where it did: a long one is left to
    /// [`Self::shorten_log`].
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let commits = self.commits.settled();
        self.end_snapshots(|snapshot| commits.is_none() || snapshot.commits != commits)?;
        let pages = self.with_reader(Connection::checkpoint)?;
        if pages > LOG_PAGES_MAX.min(self.log_pages_max()) {
            self.log_is_long.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Moves the rest of a long log into the file; between two batches, so that nothing is added meanwhile. It begins anew only
    /// where nobody reads it, and while reads overlap somebody always does: a very long one is emptied, for which those who read
    /// let go of their snapshots.
    pub(crate) fn shorten_log(&self) -> Result<()> {
        if !self.log_is_long.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.end_snapshots(|_| true)?;
        let writer = self.writer.lock();
        let pages = writer.checkpoint()?;
        if pages <= self.log_pages_max() || Arc::strong_count(&self.kept) > 1 {
            return Ok(());
        }
        // Who begins to read before all of it is in the file reads from the log, too: they are asked once more when it is.
        for checkpoint in [MOVE_LOG, EMPTY_LOG] {
            self.rounds.fetch_add(1, Ordering::Relaxed);
            // Those at work let go when they are done or interrupted; those kept for the next read look at nothing.
            self.end_snapshots(|_| true)?;
            if !writer.checkpoint_waiting(checkpoint)? {
                // It is tried again with a later batch.
                tracing::debug!("a long log could not be emptied: somebody reads it");
                break;
            }
        }
        Ok(())
    }

    /// Moves all of the log into the file and cuts it off, of a file that nobody else reads.
    pub(crate) fn empty_log(&self) -> Result<()> {
        self.writer.lock().checkpoint_waiting(EMPTY_LOG).map(drop)
    }

    /// Pages of a log that is emptied.
    fn log_pages_max(&self) -> i64 {
        i64::from(self.settings.log_mebibytes_max).saturating_mul(LOG_PAGES_PER_MEBIBYTE)
    }

    /// Gives back what is only kept for speed: all reading connections but one, and the pages that are cached. `false`, and
    /// nothing is given back, while something is written: that may take long, and others wait for whoever calls this.
    pub(crate) fn rest(&self) -> Result<bool> {
        let Some(writer) = self.writer.try_lock() else { return Ok(false) };
        let closed = {
            let mut readers = self.readers.lock();
            let kept = readers.len().min(1);
            readers.split_off(kept)
        };
        drop(closed);
        if let Some(share) = &self.cache_share {
            share.rest();
        }
        self.readers.lock().iter().try_for_each(Connection::forget_pages)?;
        writer.forget_pages()?;
        Ok(true)
    }

    /// What its page caches may hold, to be divided anew.
    pub(crate) fn cache_share(&self) -> Option<&Arc<CacheShare>> {
        self.cache_share.as_ref()
    }

    /// Gives the page caches of connections that lie idle the size that they may have now; those at work see to it when they
    /// are used next.
    pub(crate) fn fit_caches(&self) -> Result<()> {
        let Some(share) = &self.cache_share else { return Ok(()) };
        let readers = self.readers.lock();
        // A batch holds it for one statement at a time; what it does not find free now is resized with its next batch.
        let writer = self.writer.try_lock();
        let idle: Vec<_> =
            readers.iter().chain(writer.as_deref()).map(|connection| (connection, connection.has_part())).collect();
        let used = idle.iter().filter(|(_, has_part)| *has_part).count();
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        share.set_connections(used.saturating_add(self.reading.load(Ordering::Relaxed)));
        idle.into_iter().try_for_each(|(connection, has_part)| connection.fit_cache(has_part))
    }

    /// Bytes that the page caches of connections hold which lie idle.
    pub(crate) fn cache_bytes(&self) -> u64 {
        let readers = self.readers.lock();
        let writer = self.writer.try_lock();
        let idle = readers.iter().chain(writer.as_deref());
        idle.map(Connection::cache_bytes).sum()
    }

    /// Ends snapshots of connections that nobody uses: the log keeps what they may still read.
    fn end_snapshots(&self, which: impl Fn(Snapshot) -> bool) -> Result<()> {
        let readers = self.readers.lock();
        let mut ended = readers.iter().filter(|connection| connection.has_snapshot(&which));
        ended.try_for_each(Connection::end_snapshot)
    }

    /// Refuses when the file or its log is not where it was: what is written to an open file that has no name any more
    /// is gone when it is closed, and must not be acknowledged.
    pub(crate) fn require_in_place(&self) -> Result<()> {
        for (path, opened) in self.paths().iter().zip(&self.opened) {
            match (path.metadata(), opened.get()) {
                (Ok(present), None) => {
                    let _ = opened.set(FileId::of(&present));
                }
                (Ok(present), Some(opened)) if FileId::of(&present) == *opened => {}
                // The log is made by the first batch.
                (Err(_), None) => {}
                (_, Some(_)) => {
                    let context = format!(
                        "{} was moved, removed or replaced while it was open: put it back, or stop the service before it is \
                         replaced",
                        path.display()
                    );
                    return Err(Error::Unavailable { context, source: None });
                }
            }
        }
        Ok(())
    }

    /// The file and its log.
    fn paths(&self) -> [PathBuf; 2] {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        [self.path.clone(), log.into()]
    }

    /// Bytes of the file and its log.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.paths().iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum()
    }
}

#[cfg(test)]
mod tests;
