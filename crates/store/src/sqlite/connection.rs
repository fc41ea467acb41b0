//! One connection to a file: its statements stop at a deadline, are counted and kept prepared, and what it reads stands in one
//! snapshot with the head for as long as nothing is committed.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use custodia_schema::Value;
use custodia_sqlite::{Access, Checkpoints, Encryption, Key, Options};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Raw};

use super::SqliteSettings;
use super::commits::Commits;
use crate::ambient::Clock;
use crate::head::{Head, Versions};
use crate::page_caches::{CacheShare, LEAST_KIBIBYTES, PageCache};
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
/// How long a batch waits for those who read to let go of their snapshots where a log is to be emptied. They look about every
/// 0.1 ms whether they are asked to.
const LETTING_GO: Duration = Duration::from_millis(250);
/// Virtual-machine steps between two looks at the clock, about 0.1 ms of work.
const STEPS_PER_LOOK: i32 = 10_000;
/// The round of a connection that lets go of its snapshot when it is done, and not before.
const NO_ROUND: u64 = u64::MAX;
/// Page cache of a connection that shares nothing: to the control database, and to copies while they are made.
const ALONE_KIBIBYTES: u32 = 8 * 1024;

/// A connection whose statements stop at a deadline.
pub(crate) struct Connection {
    pub(super) inner: rusqlite::Connection,
    watch: Arc<Watch>,
    limit_ms: u64,
    /// The limit that the deadline comes of.
    armed_ms: Cell<u64>,
    statements: StatementCount,
    commits: Arc<Commits>,
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

/// The open read transaction of a connection.
#[derive(Clone, Copy)]
pub(super) struct Snapshot {
    /// Commits counted before it was taken: while there are no more, it is the newest. `None`: one was on its way.
    pub commits: Option<u64>,
    /// The round of letting go that it was taken in.
    pub round: u64,
    head: Head,
}

impl Connection {
    /// Opens a file once more. `commits` and `rounds` are those that all of its connections share.
    pub(super) fn open(
        path: &Path,
        key: Option<&Key>,
        settings: &SqliteSettings,
        access: Access,
        commits: &Arc<Commits>,
        rounds: &Arc<AtomicU64>,
        share: Option<&Arc<CacheShare>>,
    ) -> Result<Self> {
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
        Ok(Self {
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

    /// The same connection, which keeps one snapshot and is counted as one that does.
    pub(super) fn keeping(self, kept: &Arc<()>) -> Self {
        Self { _keeps: Some(Arc::clone(kept)), ..self }
    }

    /// Whether it has a snapshot of that kind.
    pub(super) fn has_snapshot(&self, which: impl Fn(Snapshot) -> bool) -> bool {
        self.snapshot.get().is_some_and(which)
    }

    /// Bytes that its page cache holds.
    pub(super) fn cache_bytes(&self) -> u64 {
        custodia_sqlite::page_cache_bytes(&self.inner)
    }

    /// Moves committed pages into the file, as far as nobody reads older ones; the pages the log has.
    pub(super) fn checkpoint(&self) -> Result<i64> {
        self.end_snapshot()?;
        self.statements.count();
        self.inner
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
            .map_err(|error| sqlite_error("moving the log into the file", error, self.limit_ms))
    }

    /// Moves all of the log into the file; whether those who read let go of it in time.
    pub(super) fn checkpoint_waiting(&self, checkpoint: &str) -> Result<bool> {
        let failed = |error| sqlite_error("emptying the log", error, self.limit_ms);
        self.inner.busy_timeout(LETTING_GO).map_err(failed)?;
        self.statements.count();
        let busy = self.inner.query_row(checkpoint, [], |row| row.get::<_, bool>(0));
        self.inner.busy_timeout(Options::BUSY_TIMEOUT).map_err(failed)?;
        Ok(!busy.map_err(failed)?)
    }

    /// Empties the page cache, gives up what it may hold, and lets prepared statements go.
    pub(super) fn forget_pages(&self) -> Result<()> {
        self.end_snapshot()?;
        self.inner.flush_prepared_statement_cache();
        self.fit_cache(false)?;
        self.step("PRAGMA shrink_memory")
    }

    /// Gives the page cache its size before it is used.
    pub(super) fn use_cache(&self) -> Result<()> {
        if let Some(cache) = &self.cache {
            cache.ask();
        }
        self.fit_cache(true)
    }

    pub(super) fn has_part(&self) -> bool {
        self.cache.as_ref().is_some_and(PageCache::has_part)
    }

    /// Gives the page cache the size that it may have now. That is no statement of anybody's request, and not counted as one.
    pub(super) fn fit_cache(&self, is_used: bool) -> Result<()> {
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
    pub(super) fn arm_for(&self, limit_ms: u64) {
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

    /// Reads in one snapshot with the head that has everything of the first `commits` commits, taken in `round` of letting go, or
    /// in one of its own; also the rows that were passed in scans.
    pub(super) fn read(
        &self,
        commits: Option<u64>,
        round: u64,
        expected: Option<Versions>,
        statements: &[&Statement],
        sinks: &mut [&mut dyn Restart],
    ) -> Result<(Head, u64)> {
        self.watch.round.store(round, Ordering::Relaxed);
        let read = self.read_snapshot(commits, round, expected, statements, sinks);
        let lets_go = self.watch.is_asked_to_let_go();
        // What follows on the connection is nobody's read.
        self.watch.disarm();
        if lets_go || read.as_ref().is_err_and(|error| !matches!(error, Error::Stale)) {
            // Some errors end the transaction: the next read begins anew.
            self.abandon()?;
        }
        read
    }

    fn read_snapshot(
        &self,
        commits: Option<u64>,
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
    fn snapshot(&self, commits: Option<u64>, round: u64) -> Result<Head> {
        let is_newest = |present: &Snapshot| commits.is_some() && present.commits == commits && present.round == round;
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

    pub(super) fn end_snapshot(&self) -> Result<()> {
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
        let execute = || {
            self.with_prepared(statement, |prepared| {
                prepared.raw_execute().map_err(|error| self.error("running a statement", error))
            })
        };
        // By itself it is a transaction.
        let changed = match self.in_transaction() {
            true => execute(),
            false => self.commits.during(execute, || true),
        }?;
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
        let run = || self.inner.execute_batch(sql).map_err(|error| self.error("running a statement", error));
        // Also after an error: of several statements the first ones may have been committed.
        self.commits.during(run, || !self.in_transaction())
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

fn open_error(error: custodia_sqlite::Error) -> Error {
    match error {
        custodia_sqlite::Error::WrongKey { .. } | custodia_sqlite::Error::NotPlain { .. } => {
            Error::Key(error.to_string())
        }
        other => Error::unavailable("opening a database file", other),
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
        ErrorCode::ConstraintViolation if is_duplicate(&error) => {
            let text = error.to_string();
            // "UNIQUE constraint failed: account.accountid, account.name__f"
            let constraint = text.split_once("constraint failed: ").map_or(text.as_str(), |(_, columns)| columns);
            Error::DuplicateKey { constraint: constraint.to_owned() }
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt(error.to_string()),
        _ => Error::unavailable(context, error),
    }
}

/// Whether the constraint that was violated is one of keys: one that a value is missing for is a fault of what was written.
fn is_duplicate(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE};
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| {
        [SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE].contains(&code)
    })
}
