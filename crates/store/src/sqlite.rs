//! The embedded engine: one encrypted file per organisation, one process owning it.
//!
//! Short reads run where they are called, on a pooled connection; the commit head is read first in the same snapshot
//! (decision 0001.6), which the connection keeps until something is committed: beginning and ending one costs more than
//! finding a row. All writing goes through one connection on a writer thread.

use std::cell::Cell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use custodia_schema::Value;
use custodia_sqlite::{Access, Checkpoints, Encryption, Key, Options};
use parking_lot::Mutex;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Raw};

use crate::ambient::Clock;
use crate::head::{Head, Versions};
use crate::page_caches::{CacheShare, LEAST_KIBIBYTES, PageCache, PageCaches};
use crate::row::{Restart, Row, RowSink};
use crate::seal::{Chain, HASH_BYTES};
use crate::sql::content::SINGLE_FILE;
use crate::sql::{Parameter, Statement, internal};
use crate::statement_count::StatementCount;
use crate::{Error, Result};

/// Statements kept prepared on one connection.
const PREPARED_STATEMENTS_MAX: usize = 256;
/// Bytes of the text of a statement that is kept prepared: a prepared one takes about ten times its text.
const PREPARED_BYTES_MAX: usize = 16 * 1024;
/// Pages of a log (of 4 KiB) from which on the next batch waits until all of them are in the file.
const LOG_PAGES_MAX: i64 = 8_192;
/// Pages of a log in a MiB.
const LOG_PAGES_PER_MEBIBYTE: i64 = 256;
/// How long a batch waits for those who read to let go of their snapshots where a log is to be emptied. They look about every
/// 0.1 ms whether they are asked to.
const LETTING_GO: Duration = Duration::from_millis(250);
/// Moves all of a log into the file, waiting for those who read what was there before it.
const MOVE_LOG: &str = "PRAGMA wal_checkpoint(FULL)";
/// The same, and cuts it off, waiting for all who read from it.
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// Virtual-machine steps between two looks at the clock, about 0.1 ms of work.
const STEPS_PER_LOOK: i32 = 10_000;
/// The round of a connection that lets go of its snapshot when it is done, and not before.
const NO_ROUND: u64 = u64::MAX;

/// Page cache of a connection that shares nothing: to the control database, and to copies while they are made.
const ALONE_KIBIBYTES: u32 = 8 * 1024;

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
    /// Counts what was committed through this file's connections: one process owns it, so that nobody else commits.
    commits: Arc<AtomicU64>,
    /// What its page caches may hold.
    cache_share: Option<Arc<CacheShare>>,
    /// Reading connections that are at work.
    reading: AtomicU32,
    /// Counts how often those who read were asked to let go of their snapshots.
    rounds: Arc<AtomicU64>,
    /// Held by each connection that keeps one snapshot for as long as it is open: a backup is not begun anew.
    kept: Arc<()>,
}

/// A connection whose statements stop at a deadline.
pub(crate) struct Connection {
    inner: rusqlite::Connection,
    watch: Arc<Watch>,
    limit_ms: u64,
    /// The limit that the deadline comes of.
    armed_ms: Cell<u64>,
    statements: StatementCount,
    commits: Arc<AtomicU64>,
    snapshot: Cell<Option<Snapshot>>,
    cache: Option<PageCache>,
    _keeps: Option<Arc<()>>,
}

/// What stops the statements of one connection.
struct Watch {
    clock: Arc<dyn Clock>,
    deadline_ms: AtomicU64,
    /// Those asked to let go so far, and as of which of these it reads.
    rounds: Arc<AtomicU64>,
    round: AtomicU64,
}

impl Watch {
    fn disarm(&self) {
        self.deadline_ms.store(u64::MAX, Ordering::Relaxed);
        self.round.store(NO_ROUND, Ordering::Relaxed);
    }

    fn is_late(&self) -> bool {
        self.clock.monotonic_ms() > self.deadline_ms.load(Ordering::Relaxed)
    }

    fn is_asked_to_let_go(&self) -> bool {
        self.round.load(Ordering::Relaxed) < self.rounds.load(Ordering::Relaxed)
    }
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

/// The open read transaction of a connection.
#[derive(Clone, Copy)]
struct Snapshot {
    /// Commits counted before it was taken: while there are no more, it is the newest.
    commits: u64,
    /// The round of letting go that it was taken in.
    round: u64,
    head: Head,
}

impl SqliteFile {
    pub(crate) fn create(path: &Path, key: Option<Key>, settings: SqliteSettings) -> Result<Self> {
        Self::with_access(path, key, settings, Access::Create)
    }

    pub(crate) fn open(path: &Path, key: Option<Key>, settings: SqliteSettings) -> Result<Self> {
        Self::with_access(path, key, settings, Access::Write)
    }

    fn with_access(path: &Path, key: Option<Key>, settings: SqliteSettings, access: Access) -> Result<Self> {
        let (commits, rounds) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let cache_share = settings.caches.is_some().then(|| Arc::new(CacheShare::new()));
        let writer = connect(path, key.as_ref(), &settings, access, &commits, &rounds, cache_share.as_ref())?;
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
        connect(&self.path, key, &self.settings, Access::Write, &self.commits, &self.rounds, share)
    }

    /// A connection that keeps one snapshot for as long as it is open. The log is not emptied meanwhile.
    pub(crate) fn connect_keeping(&self) -> Result<Connection> {
        Ok(Connection { _keeps: Some(Arc::clone(&self.kept)), ..self.connect()? })
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
        let commits = self.commits.load(Ordering::Acquire);
        let round = self.rounds.load(Ordering::Relaxed);
        self.with_reader(|connection| {
            connection.arm_for(limit_ms);
            connection.watch.round.store(round, Ordering::Relaxed);
            let read = connection.read(commits, round, expected, statements, sinks);
            let lets_go = connection.watch.is_asked_to_let_go();
            // What follows on the connection is nobody's read.
            connection.watch.disarm();
            if lets_go || read.as_ref().is_err_and(|error| !matches!(error, Error::Stale)) {
                // Some errors end the transaction: the next read begins anew.
                connection.abandon()?;
            }
            read
        })
    }

    /// Moves committed pages into the file; called by a timer, so that no commit waits for it. While batches follow one
    /// another it never gets all of them, and a log begins anew only where it did: a long one is left to
    /// [`Self::shorten_log`].
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let commits = self.commits.load(Ordering::Acquire);
        self.end_snapshots(|snapshot| snapshot.commits != commits)?;
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
        idle.map(|connection| custodia_sqlite::page_cache_bytes(&connection.inner)).sum()
    }

    /// Ends snapshots of connections that nobody uses: the log keeps what they may still read.
    fn end_snapshots(&self, which: impl Fn(Snapshot) -> bool) -> Result<()> {
        let readers = self.readers.lock();
        let mut ended = readers.iter().filter(|connection| connection.snapshot.get().is_some_and(&which));
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

fn connect(
    path: &Path,
    key: Option<&Key>,
    settings: &SqliteSettings,
    access: Access,
    commits: &Arc<AtomicU64>,
    rounds: &Arc<AtomicU64>,
    share: Option<&Arc<CacheShare>>,
) -> Result<Connection> {
    let cache = settings.caches.as_ref().zip(share);
    let cache = cache.map(|(caches, share)| PageCache::new(Arc::clone(caches), Arc::clone(share)));
    let encryption = key.map_or(Encryption::Plain, Encryption::Key);
    let cache_kibibytes = if cache.is_some() { LEAST_KIBIBYTES } else { ALONE_KIBIBYTES };
    let mut options =
        Options::new(encryption, access).checkpoints(Checkpoints::Manual).cache_kibibytes(cache_kibibytes);
    if let Some(layer) = settings.file_layer {
        options = options.file_layer(layer);
    }
    let mut inner = custodia_sqlite::open(path, &options).map_err(open_error)?;
    inner.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS_MAX);
    crate::aggregates::register(&inner).map_err(|error| sqlite_error("adding functions", error, 0))?;
    let watch = Arc::new(Watch {
        clock: Arc::clone(&settings.clock),
        deadline_ms: AtomicU64::new(u64::MAX),
        rounds: Arc::clone(rounds),
        round: AtomicU64::new(NO_ROUND),
    });
    let is_over = || {
        let watched = Arc::clone(&watch);
        move || watched.is_late() || watched.is_asked_to_let_go()
    };
    crate::patterns::register(&inner, is_over()).map_err(|error| sqlite_error("adding functions", error, 0))?;
    inner
        .progress_handler(STEPS_PER_LOOK, Some(is_over()))
        .map_err(|error| sqlite_error("limiting statement time", error, 0))?;
    Ok(Connection {
        inner,
        watch,
        limit_ms: settings.statement_limit_ms,
        armed_ms: Cell::new(settings.statement_limit_ms),
        statements: settings.statements.clone(),
        commits: Arc::clone(commits),
        snapshot: Cell::new(None),
        cache,
        _keeps: None,
    })
}

fn open_error(error: custodia_sqlite::Error) -> Error {
    match error {
        custodia_sqlite::Error::WrongKey { .. } | custodia_sqlite::Error::NotPlain { .. } => {
            Error::Key(error.to_string())
        }
        other => Error::unavailable("opening a database file", other),
    }
}

impl Connection {
    /// Moves committed pages into the file, as far as nobody reads older ones; the pages the log has.
    fn checkpoint(&self) -> Result<i64> {
        self.end_snapshot()?;
        self.statements.count();
        self.inner
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
            .map_err(|error| sqlite_error("moving the log into the file", error, self.limit_ms))
    }

    /// Moves all of the log into the file; whether those who read let go of it in time.
    fn checkpoint_waiting(&self, checkpoint: &str) -> Result<bool> {
        let failed = |error| sqlite_error("emptying the log", error, self.limit_ms);
        self.inner.busy_timeout(LETTING_GO).map_err(failed)?;
        self.statements.count();
        let busy = self.inner.query_row(checkpoint, [], |row| row.get::<_, bool>(0));
        self.inner.busy_timeout(Options::BUSY_TIMEOUT).map_err(failed)?;
        Ok(!busy.map_err(failed)?)
    }

    /// Empties the page cache, gives up what it may hold, and lets prepared statements go.
    fn forget_pages(&self) -> Result<()> {
        self.end_snapshot()?;
        self.inner.flush_prepared_statement_cache();
        self.fit_cache(false)?;
        self.step("PRAGMA shrink_memory")
    }

    /// Gives the page cache its size before it is used.
    fn use_cache(&self) -> Result<()> {
        if let Some(cache) = &self.cache {
            cache.ask();
        }
        self.fit_cache(true)
    }

    fn has_part(&self) -> bool {
        self.cache.as_ref().is_some_and(PageCache::has_part)
    }

    /// Gives the page cache the size that it may have now. That is no statement of anybody's request, and not counted as one.
    fn fit_cache(&self, is_used: bool) -> Result<()> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let Some(kibibytes) = cache.resize(is_used) else { return Ok(()) };
        self.inner
            .execute_batch(&format!("PRAGMA cache_size = -{kibibytes}"))
            .map_err(|error| self.error("resizing a page cache", error))?;
        cache.resized(kibibytes);
        Ok(())
    }

    /// Starts the statement limit anew.
    pub(crate) fn arm(&self) {
        self.arm_for(self.limit_ms);
    }

    /// The same with another limit, if that is less.
    fn arm_for(&self, limit_ms: u64) {
        let limit_ms = limit_ms.min(self.limit_ms);
        self.limit_until(self.watch.clock.monotonic_ms().saturating_add(limit_ms), limit_ms);
    }

    /// Stops statements after that time; errors tell of that limit.
    pub(crate) fn limit_until(&self, ends_ms: u64, limit_ms: u64) {
        self.armed_ms.set(limit_ms);
        self.watch.deadline_ms.store(ends_ms, Ordering::Relaxed);
    }

    /// Refuses a statement that comes when the time is up. Those that take few steps are never stopped themselves.
    pub(crate) fn require_time(&self) -> Result<()> {
        if self.watch.is_late() {
            return Err(Error::Timeout { limit_ms: self.armed_ms.get() });
        }
        Ok(())
    }

    /// Refuses where an error has ended the transaction: what follows would be committed by itself.
    pub(crate) fn require_transaction(&self) -> Result<()> {
        if self.in_transaction() {
            return Ok(());
        }
        Err(Error::Unavailable { context: "an error has ended the transaction".to_owned(), source: None })
    }

    /// Lifts the limit: for backups, checkpoints and building tables.
    pub(crate) fn unlimited(&self) {
        self.watch.disarm();
    }

    pub(crate) fn raw(&self) -> &rusqlite::Connection {
        &self.inner
    }

    fn error(&self, context: &str, error: rusqlite::Error) -> Error {
        let interrupted = error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted);
        if interrupted && self.watch.is_asked_to_let_go() && !self.watch.is_late() {
            return Error::Interrupted;
        }
        sqlite_error(context, error, self.armed_ms.get())
    }

    /// Runs a statement and throws its rows away; what SQLite counted meanwhile: steps of full scans, sorts, and rows put into
    /// automatic indexes.
    #[cfg(test)]
    pub(crate) fn counted(&self, statement: &Statement) -> Result<[i32; 3]> {
        use rusqlite::StatementStatus::{AutoIndex, FullscanStep, Sort};
        let failed = |error| self.error("running a statement", error);
        let mut prepared = self.inner.prepare_cached(&statement.sql).map_err(failed)?;
        let counters = [FullscanStep, Sort, AutoIndex];
        for counter in &counters {
            prepared.reset_status(*counter);
        }
        self.bind(&mut prepared, &statement.parameters)?;
        let mut rows = prepared.raw_query();
        while rows.next().map_err(failed)?.is_some() {}
        drop(rows);
        Ok(counters.map(|counter| prepared.get_status(counter)))
    }

    fn read(
        &self,
        commits: u64,
        round: u64,
        expected: Option<Versions>,
        statements: &[&Statement],
        sinks: &mut [&mut dyn Restart],
    ) -> Result<(Head, u64)> {
        let head = self.snapshot(commits, round)?;
        let mut scanned = 0;
        if expected.is_some_and(|expected| expected != head.versions) {
            return Err(Error::Stale);
        }
        for (statement, sink) in statements.iter().zip(sinks) {
            scanned += self.query_scanning(statement, *sink)?;
        }
        Ok((head, scanned))
    }

    /// The head in a snapshot that has everything of the first `commits` commits, taken after those were asked to let go who
    /// had to before `round`.
    fn snapshot(&self, commits: u64, round: u64) -> Result<Head> {
        let is_newest = |present: &Snapshot| present.commits == commits && present.round == round;
        if let Some(present) = self.snapshot.get().filter(is_newest) {
            return Ok(present.head);
        }
        self.abandon()?;
        self.step("BEGIN")?;
        self.statements.count();
        let mut statement =
            self.inner.prepare_cached(internal::HEAD).map_err(|error| self.error("reading the head", error))?;
        let head = match statement.query_row([], head_of) {
            Ok(head) => head,
            Err(error) => {
                self.step("ROLLBACK")?;
                return Err(match error {
                    rusqlite::Error::QueryReturnedNoRows => Error::Corrupt("the commit head is missing".to_owned()),
                    other => self.error("reading the head", other),
                });
            }
        };
        self.snapshot.set(Some(Snapshot { commits, round, head }));
        Ok(head)
    }

    /// Ends whatever transaction a reading connection has: a `BEGIN` that is interrupted may have begun one all the same.
    fn abandon(&self) -> Result<()> {
        self.snapshot.set(None);
        if self.in_transaction() { self.step("ROLLBACK") } else { Ok(()) }
    }

    fn end_snapshot(&self) -> Result<()> {
        if self.snapshot.take().is_some() && self.in_transaction() {
            self.step("ROLLBACK")?;
        }
        Ok(())
    }

    /// Runs a statement that is run again and again and commits nothing.
    fn step(&self, sql: &str) -> Result<()> {
        self.statements.count();
        let stepped = self.inner.prepare_cached(sql).and_then(|mut statement| statement.raw_execute());
        stepped.map(drop).map_err(|error| self.error("reading one snapshot", error))
    }

    /// Runs a statement and hands its rows to the sink.
    pub(crate) fn query(&self, statement: &Statement, sink: &mut dyn RowSink) -> Result<()> {
        self.query_scanning(statement, sink).map(drop)
    }

    /// The same; the rows that it passed in scans, as SQLite counts them.
    fn query_scanning(&self, statement: &Statement, sink: &mut dyn RowSink) -> Result<u64> {
        self.with_prepared(statement, |prepared| {
            let mut rows = prepared.raw_query();
            while let Some(row) = rows.next().map_err(|error| self.error("running a statement", error))? {
                sink.row(&Row::sqlite(row, &statement.outputs));
            }
            drop(rows);
            let counted = |status| u64::try_from(prepared.reset_status(status)).unwrap_or(0);
            self.statements.count_steps(counted(rusqlite::StatementStatus::VmStep));
            Ok(counted(rusqlite::StatementStatus::FullscanStep))
        })
    }

    /// Runs a statement that gives no rows; how many rows it changed.
    pub(crate) fn execute(&self, statement: &Statement) -> Result<u64> {
        let changed = self.with_prepared(statement, |prepared| {
            prepared.raw_execute().map_err(|error| self.error("running a statement", error))
        })?;
        self.count_commit();
        Ok(changed as u64)
    }

    /// Runs a statement with its values bound, and keeps it prepared if it is not too long for that.
    fn with_prepared<T>(
        &self,
        statement: &Statement,
        run: impl FnOnce(&mut rusqlite::CachedStatement<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut prepared =
            self.inner.prepare_cached(&statement.sql).map_err(|error| self.error("preparing a statement", error))?;
        let result = self.bind(&mut prepared, &statement.parameters).and_then(|()| {
            self.statements.count();
            run(&mut prepared)
        });
        if statement.sql.len() > PREPARED_BYTES_MAX {
            prepared.discard();
        }
        result
    }

    /// Runs statements without parameters, once each, unprepared: transactions and table definitions.
    pub(crate) fn run(&self, sql: &str) -> Result<()> {
        self.statements.count();
        let result = self.inner.execute_batch(sql).map_err(|error| self.error("running a statement", error));
        // Also after an error: of several statements the first ones may have been committed.
        self.count_commit();
        result
    }

    /// Counts a commit where no transaction is open any more.
    fn count_commit(&self) {
        if !self.in_transaction() {
            self.commits.fetch_add(1, Ordering::Release);
        }
    }

    fn bind(&self, prepared: &mut rusqlite::CachedStatement<'_>, parameters: &[Parameter]) -> Result<()> {
        for (at, parameter) in parameters.iter().enumerate() {
            prepared
                .raw_bind_parameter(at + 1, Bound(parameter))
                .map_err(|error| self.error("binding a value", error))?;
        }
        Ok(())
    }

    /// The head as this connection sees it.
    pub(crate) fn head(&self) -> Result<Head> {
        self.statements.count();
        let mut prepared =
            self.inner.prepare_cached(internal::HEAD).map_err(|error| self.error("reading the head", error))?;
        prepared.query_row([], head_of).map_err(|error| self.error("reading the head", error))
    }

    /// Begins a transaction that writes, with a fresh time limit for its statements.
    pub(crate) fn begin(&self) -> Result<Head> {
        self.use_cache()?;
        self.arm();
        self.run("BEGIN IMMEDIATE")?;
        self.head()
    }

    /// The same for a batch of writes: with the chain of the audit.
    pub(crate) fn begin_batch(&self) -> Result<(Head, Chain)> {
        self.use_cache()?;
        self.arm();
        self.run("BEGIN IMMEDIATE")?;
        self.sealed_head()
    }

    /// The head with the chain of the audit.
    pub(crate) fn sealed_head(&self) -> Result<(Head, Chain)> {
        self.statements.count();
        let wrong = |error| self.error("reading the head", error);
        let mut prepared = self.inner.prepare_cached(internal::HEAD_SEALED).map_err(wrong)?;
        let (head, chain) = prepared
            .query_row([], |row| Ok((head_of(row)?, row.get::<_, Option<[u8; HASH_BYTES]>>(6)?)))
            .map_err(wrong)?;
        Ok((head, Chain::of_head(chain.as_ref().map(<[u8; HASH_BYTES]>::as_slice))?))
    }

    /// Ends the log beside the file, so that the file alone is the database until it is opened again.
    pub(crate) fn end_log(&self) -> Result<()> {
        self.unlimited();
        self.statements.count();
        let mode: String = self
            .inner
            .query_row(SINGLE_FILE, [], |row| row.get(0))
            .map_err(|error| self.error("ending the write-ahead log", error))?;
        if mode == "delete" {
            return Ok(());
        }
        // SQLite says so in the answer and not as an error.
        Err(Error::Unavailable { context: "the write-ahead log of a copy is still in use".to_owned(), source: None })
    }

    /// Whether the transaction is still open: some errors end it (decision 0001.4).
    pub(crate) fn in_transaction(&self) -> bool {
        !self.inner.is_autocommit()
    }
}

fn head_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        number: row.get(0)?,
        audit_number: row.get(1)?,
        versions: Versions { security: row.get(2)?, metadata: row.get(3)?, epoch: row.get(4)? },
        commit_time: row.get(5)?,
    })
}

struct Bound<'p>(&'p Parameter);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Parameter::Bytes(bytes) => return Ok(ToSqlOutput::Borrowed(Raw::Blob(bytes))),
            Parameter::Value(value) => value,
        };
        Ok(match value {
            Value::Null => ToSqlOutput::Borrowed(Raw::Null),
            Value::Boolean(b) => ToSqlOutput::from(*b),
            Value::Integer(n) => ToSqlOutput::from(*n),
            Value::BigInt(n) => ToSqlOutput::from(*n),
            Value::Double(d) => ToSqlOutput::from(*d),
            Value::Money(money) => ToSqlOutput::from(money.0),
            Value::Text(text) => ToSqlOutput::Borrowed(Raw::Text(text.as_bytes())),
            Value::Guid(id) | Value::Lookup(_, id) => ToSqlOutput::Borrowed(Raw::Blob(id.as_bytes())),
            Value::DateTime(seconds) => ToSqlOutput::from(*seconds),
            Value::Date(days) => ToSqlOutput::from(*days),
            Value::Decimal(decimal) => {
                let bytes = crate::decimal::encode(*decimal).ok_or_else(|| {
                    rusqlite::Error::ToSqlConversionFailure("a decimal has more than 12 digits after the point".into())
                })?;
                ToSqlOutput::Owned(rusqlite::types::Value::Blob(bytes.to_vec()))
            }
            Value::Choices(options) => ToSqlOutput::Owned(rusqlite::types::Value::Text(crate::choices_text(options))),
        })
    }
}

/// A value as a file holds it.
#[cfg(any(test, feature = "witness"))]
pub(crate) fn raw_value(value: &Value) -> rusqlite::types::Value {
    let parameter = Parameter::Value(value.clone());
    let bound = Bound(&parameter);
    let raw = match bound.to_sql() {
        Ok(ToSqlOutput::Borrowed(raw)) => rusqlite::types::Value::try_from(raw).ok(),
        Ok(ToSqlOutput::Owned(raw)) => Some(raw),
        _ => None,
    };
    raw.unwrap_or(rusqlite::types::Value::Null)
}

fn sqlite_error(context: &str, error: rusqlite::Error, limit_ms: u64) -> Error {
    use rusqlite::ErrorCode;
    let Some(code) = error.sqlite_error_code() else { return Error::unavailable(context, error) };
    match code {
        ErrorCode::OperationInterrupted => Error::Timeout { limit_ms },
        ErrorCode::DiskFull => Error::DiskFull,
        ErrorCode::Unknown if error.to_string().contains("integer overflow") => Error::TooLargeNumber,
        ErrorCode::ConstraintViolation => {
            let text = error.to_string();
            // "UNIQUE constraint failed: account.accountid, account.name__f"
            let constraint = text.split_once("constraint failed: ").map_or(text.as_str(), |(_, columns)| columns);
            Error::DuplicateKey { constraint: constraint.to_owned() }
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt(error.to_string()),
        _ => Error::unavailable(context, error),
    }
}

#[cfg(test)]
mod tests;
