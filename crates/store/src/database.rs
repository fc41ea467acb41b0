//! One organisation's database: the only handle through which its rows are reached.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use custodia_access::RowAccess;
use custodia_query::{Aggregation, Filter, Query};
use custodia_schema::{Guid, PrivilegeKind, Schema, TableId, Value};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::connection_slot::ConnectionSlot;
use crate::head::{Head, Versions};
use crate::layer::{
    AUDIT_SWITCHES, AUDITED_TABLES, CARD_RULES, Layer, OWN_INDEXES, SECURED_COLUMNS, audited_of, card_rules_of,
    own_indexes_of, secured_of, switches_of,
};
use crate::link::Link;
use crate::migration::{PROGRAM_VERSION, Programs, bring_forward};
use crate::page_caches::CacheShare;
use crate::postgres::{PostgresConnection, PostgresSettings};
use crate::questions::{Asked, Questions, Took};
use crate::reading_connections::{READING_CONNECTIONS, ReadingConnections};
use crate::row::{Counting, Gathered, Groups, Masking, Number, Restart, Row};
use crate::seal::Place;
use crate::sql::{self, Context, Dialect, Parameter, Plan, ReadPolicy, Statement, Tables, internal};
use crate::sqlite::SqliteFile;
use crate::tables::KnownTables;
use crate::threads::WriterThreads;
use crate::transaction::Transaction;
use crate::writer::{Metadata, Ran, Request, Writer};
use crate::{Error, Result, Services, own_indexes};

/// Times that a read or write is tried again when tables had to be made for it.
const TRIES_MAX: usize = 4;
/// Connections to PostgreSQL that one open database holds at most: those, and the one that writes.
pub(crate) const CONNECTIONS_PER_DATABASE: usize = READING_CONNECTIONS + 1;
/// Rows from which a page that nothing narrows is expected to take long enough for a thread of its own.
const LONG_PAGE_ROWS: u32 = 500;
/// Milliseconds that a read of a file may take on the thread that asked. What takes longer is given up there and begun anew as
/// a long read: how many rows a question passes cannot be told from it, and while it runs its thread does nothing else.
const SHORT_READ_MS: u64 = 10;
/// Milliseconds from which on a read of a file lets others have its thread before it is answered: a request may be of many. Two
/// looks at a clock of whole milliseconds differ by one for what takes no time, too.
const LETS_GO_MS: u64 = 2;

/// One organisation's database. Cheap to clone; all clones share connections, the write queue and caches.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    organization: Guid,
    engine: Engine,
    writer: Writer,
    services: Arc<Services>,
    last_used_ms: AtomicU64,
    /// Batches that had been committed when pages were last moved into the file.
    checkpointed: AtomicU64,
    /// The use after which memory was given back.
    rested_after_ms: AtomicU64,
    estimates: crate::estimate::Estimates,
    questions: Questions,
    /// Leave to read much from its file.
    long_reads: Semaphore,
    /// The oldest program that may write, when that is newer than this one.
    writer_needed: Option<u32>,
    /// The organisation has another database now, or none: this one is not to be used any more.
    retired: AtomicBool,
    /// Leave to be open. The last field, so that it is given back when the connections are closed.
    _room: Option<OwnedSemaphorePermit>,
}

enum Engine {
    Sqlite { file: Arc<SqliteFile>, threads: Arc<WriterThreads> },
    Postgres { settings: PostgresSettings, reading: Box<ReadingConnections>, writing: Box<ConnectionSlot> },
}

/// What a read found beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// The head in the snapshot of the read.
    pub head: Head,
    /// Rows that match, if the query asked: at most the cap plus one.
    pub count: Option<u64>,
}

/// A read compiled once: its rows carry the output columns of the query, then its sort keys.
pub struct Reading {
    statement: Statement,
    /// What it was compiled against.
    schema: Arc<Schema>,
    tables: Arc<KnownTables>,
}

impl Reading {
    /// For each sort key of the query, the output position that holds it; the primary id is the last key and stands at
    /// position 0.
    #[must_use]
    pub fn keys(&self) -> &[usize] {
        &self.statement.keys
    }

    /// The same read of another row; `None` where it does not ask for one row by its id, or compares more with it.
    #[must_use]
    pub fn of_row(&self, id: Guid) -> Option<Self> {
        let mut statement = self.statement.clone();
        *statement.parameters.get_mut(statement.row?)? = Parameter::Value(Value::Guid(id));
        Some(Self { statement, schema: Arc::clone(&self.schema), tables: Arc::clone(&self.tables) })
    }
}

impl Database {
    pub(crate) async fn open_sqlite(
        organization: Guid,
        file: Arc<SqliteFile>,
        threads: Arc<WriterThreads>,
        services: Arc<Services>,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<Self> {
        let link = Link::Sqlite(Arc::clone(&file));
        let programs = bring_forward(&link, &services).await?;
        let found = opened(&link, &services, programs).await?;
        note_audit(organization, &link, &services).await?;
        Ok(Self::new(organization, Engine::Sqlite { file, threads }, programs, found, services, room))
    }

    pub(crate) async fn open_postgres(
        organization: Guid,
        settings: PostgresSettings,
        services: Arc<Services>,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<Self> {
        let reading = Box::new(ReadingConnections::new(&settings, &services.limits));
        let link = Link::Postgres(reading.take().await?);
        let programs = bring_forward(&link, &services).await?;
        let found = opened(&link, &services, programs).await?;
        note_audit(organization, &link, &services).await?;
        let writing = Box::new(ConnectionSlot::new(settings.clone()));
        let engine = Engine::Postgres { settings, reading, writing };
        Ok(Self::new(organization, engine, programs, found, services, room))
    }

    fn new(
        organization: Guid,
        engine: Engine,
        programs: Programs,
        found: Metadata,
        services: Arc<Services>,
        room: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let writer = Writer::new(organization, found, &services);
        let inner = Inner {
            organization,
            engine,
            writer,
            last_used_ms: AtomicU64::new(services.clock.monotonic_ms()),
            checkpointed: AtomicU64::new(0),
            rested_after_ms: AtomicU64::new(u64::MAX),
            estimates: crate::estimate::Estimates::default(),
            questions: Questions::default(),
            long_reads: Semaphore::new(services.limits.own_long_reads_max()),
            writer_needed: Some(programs.oldest_writer).filter(|needed| *needed > PROGRAM_VERSION),
            retired: AtomicBool::new(false),
            services,
            _room: room,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The organisation whose records these are.
    #[must_use]
    pub fn organization(&self) -> Guid {
        self.inner.organization
    }

    /// The organisation's tables and relationships at the present metadata version.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.inner.writer.schema.load_full()
    }

    /// What was committed since the database was opened.
    #[must_use]
    pub fn counters(&self) -> &crate::writer::WriteCounters {
        &self.inner.writer.counters
    }

    /// Bytes that the database takes on disk.
    ///
    /// # Errors
    /// When PostgreSQL cannot be asked.
    pub async fn size_bytes(&self) -> Result<u64> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => Ok(file.size_bytes()),
            Engine::Postgres { .. } => {
                let text = self.inner.reading().await?.text(internal::POSTGRES_SIZE).await?;
                Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
            }
        }
    }

    /// The oldest program that may write here, where that is newer than this one.
    pub(crate) fn writer_needed(&self) -> Option<u32> {
        self.inner.writer_needed
    }

    /// Bytes it may take from now on.
    pub(crate) fn limit_storage(&self, bytes_max: u64) {
        self.inner.writer.storage.limit(bytes_max);
    }

    /// The commit head as of now.
    ///
    /// # Errors
    /// Store errors.
    pub async fn head(&self) -> Result<Head> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => self.read_file(file, false, None, &[], &mut []).await.map(|(head, _)| head),
            Engine::Postgres { .. } => self.inner.reading().await?.head().await,
        }
    }

    /// Compiles a query under a policy, making tables on first use.
    ///
    /// # Errors
    /// [`Error::Denied`] when the policy's gate fails; [`Error::TooManyDistinct`] when more rows match than are told apart;
    /// store errors.
    pub async fn prepare(&self, query: &Query, policy: &dyn ReadPolicy) -> Result<Reading> {
        let schema = self.schema();
        self.make_tables(&sql::tables_needed(&schema, query, policy)?).await?;
        if query.distinct {
            self.require_few_to_tell_apart(&schema, query, policy).await?;
        }
        let plan = self.plan(&schema, query, policy).await?;
        self.compile(&schema, query, policy, plan)
    }

    /// Compiles a query for a given plan instead of the one that counts would choose: for measuring, and for showing that
    /// all plans answer the same.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub async fn prepare_as(&self, query: &Query, policy: &dyn ReadPolicy, plan: Plan) -> Result<Reading> {
        let schema = self.schema();
        self.make_tables(&sql::tables_needed(&schema, query, policy)?).await?;
        self.compile(&schema, query, policy, plan)
    }

    fn compile(&self, schema: &Arc<Schema>, query: &Query, policy: &dyn ReadPolicy, plan: Plan) -> Result<Reading> {
        let tables = self.inner.writer.tables.load_full();
        let context = Context { dialect: self.inner.dialect(), schema, tables: &*tables };
        let statement = sql::select(&context, query, policy, plan)?;
        Ok(Reading { statement, schema: Arc::clone(schema), tables })
    }

    /// Whether a read would be compiled from the same schema and tables now. Whether it would be for the same rights, and
    /// by the same plan, is the caller's to know; a read of one row has one plan.
    #[must_use]
    pub fn is_current(&self, reading: &Reading) -> bool {
        let writer = &self.inner.writer;
        Arc::ptr_eq(&writer.schema.load(), &reading.schema) && Arc::ptr_eq(&writer.tables.load(), &reading.tables)
    }

    /// Reads the rows of a query into a sink. With `expected` versions, refuses when they are no longer the present
    /// ones: the caller's rights or the metadata changed.
    ///
    /// # Errors
    /// [`Error::Stale`] as said; the sink may then have taken rows that must be thrown away.
    pub async fn read(
        &self,
        expected: Option<Versions>,
        query: &Query,
        policy: &dyn ReadPolicy,
        reading: &Reading,
        sink: &mut dyn Restart,
    ) -> Result<ReadOutcome> {
        // One row is found by its id: there is nothing to learn of it.
        let Some(asked) = Asked::list(query).filter(|_| reading.statement.row.is_none()) else {
            return self.read_scanning(expected, query, policy, reading, sink).await.map(|(outcome, _)| outcome);
        };
        let begun = self.now_ms();
        let mut counting = Counting::new(sink);
        let (outcome, scanned) = self.read_scanning(expected, query, policy, reading, &mut counting).await?;
        self.note(&asked, begun, counting.rows, scanned);
        Ok(outcome)
    }

    /// Notes what a question took.
    fn note(&self, asked: &Asked<'_>, begun_ms: u64, answered: u64, scanned: u64) {
        let milliseconds = self.now_ms().saturating_sub(begun_ms);
        let took = Took { milliseconds, answered, scanned, now: self.now_seconds() };
        self.inner.questions.note(asked, &took, self.limits().noted_questions_max);
    }

    async fn read_scanning(
        &self,
        expected: Option<Versions>,
        query: &Query,
        policy: &dyn ReadPolicy,
        reading: &Reading,
        sink: &mut dyn Restart,
    ) -> Result<(ReadOutcome, u64)> {
        self.require_current()?;
        self.touch();
        let mut masking;
        let sink: &mut dyn Restart = if reading.statement.masks.is_empty() {
            sink
        } else {
            masking = Masking::new(&reading.statement.masks, sink);
            &mut masking
        };
        let count = if query.count { Some(self.count_statement(query, policy).await?) } else { None };
        let mut counted = Number::default();
        let (head, scanned) = match &self.inner.engine {
            Engine::Sqlite { file, .. } => {
                let is_long = count.is_some() || is_long_page(query);
                match &count {
                    Some(count) => {
                        let statements = [&reading.statement, count];
                        self.read_file(file, is_long, expected, &statements, &mut [sink, &mut counted]).await?
                    }
                    None => self.read_file(file, is_long, expected, &[&reading.statement], &mut [sink]).await?,
                }
            }
            Engine::Postgres { .. } => {
                let connection = self.inner.reading().await?;
                if let Some(count) = &count {
                    connection.query(count, &mut counted).await?;
                }
                (connection.read(expected, &reading.statement, sink).await?, 0)
            }
        };
        // What this statement read is right as it is; the next one knows the tables that another node made.
        self.know_metadata(head.versions).await?;
        Ok((ReadOutcome { head, count: counted.0.and_then(|n| u64::try_from(n).ok()) }, scanned))
    }

    /// Reads a file in one snapshot with the head; also the rows that were passed in scans, which no index bounded. What is not
    /// expected to take long is tried on the thread that asked.
    async fn read_file(
        &self,
        file: &SqliteFile,
        is_long: bool,
        expected: Option<Versions>,
        statements: &[&Statement],
        sinks: &mut [&mut dyn Restart],
    ) -> Result<(Head, u64)> {
        if !is_long {
            // A request may be of many reads, and none of them waits for anything: after so many it lets others have the thread.
            tokio::task::coop::consume_budget().await;
            let begun = self.now_ms();
            let read = file.read(SHORT_READ_MS, expected, statements, sinks);
            if self.now_ms().saturating_sub(begun) >= LETS_GO_MS {
                tokio::task::yield_now().await;
            }
            match read {
                Err(Error::Timeout { .. } | Error::Interrupted) => sinks.iter_mut().for_each(|sink| sink.restart()),
                read => return read,
            }
        }
        let limit_ms = self.limits().statement_ms;
        for _ in 1..TRIES_MAX {
            match self.long_read(|| file.read(limit_ms, expected, statements, sinks)).await {
                Err(Error::Interrupted) => sinks.iter_mut().for_each(|sink| sink.restart()),
                read => return read,
            }
        }
        self.long_read(|| file.read(limit_ms, expected, statements, sinks)).await
    }

    /// Reads the groups of an aggregation into a sink, in the statement's own snapshot. Makes tables on first use.
    ///
    /// # Errors
    /// [`Error::Denied`] when the policy's gate fails; [`Error::TooManyRows`] when more rows match than may be aggregated;
    /// [`Error::TooLargeNumber`]; store errors. The sink has then taken nothing that counts.
    pub async fn aggregate(
        &self,
        aggregation: &Aggregation,
        policy: &dyn ReadPolicy,
        sink: &mut dyn Restart,
    ) -> Result<Head> {
        let plan = self.plan_of_all(&self.schema(), &aggregation.rows, policy).await?;
        self.aggregate_as(aggregation, policy, plan, sink).await
    }

    /// The same by a given plan: for showing that all plans answer the same.
    ///
    /// # Errors
    /// As [`Self::aggregate`].
    pub async fn aggregate_as(
        &self,
        aggregation: &Aggregation,
        policy: &dyn ReadPolicy,
        plan: Plan,
        sink: &mut dyn Restart,
    ) -> Result<Head> {
        self.require_current()?;
        self.touch();
        let schema = self.schema();
        self.make_tables(&sql::tables_of_aggregation(&schema, aggregation, policy)?).await?;
        let statement = self.compiled(&schema, |context| sql::aggregate(context, aggregation, policy, plan))?;
        let begun = self.now_ms();
        let mut groups = Groups::new(sink, aggregation.rows_max);
        let (head, scanned) = match &self.inner.engine {
            Engine::Sqlite { file, .. } => self.read_file(file, true, None, &[&statement], &mut [&mut groups]).await?,
            Engine::Postgres { .. } => (self.inner.reading().await?.read(None, &statement, &mut groups).await?, 0),
        };
        if let Some(asked) = Asked::aggregate(aggregation) {
            self.note(&asked, begun, groups.answered, scanned);
        }
        self.know_metadata(head.versions).await?;
        if groups.is_of_too_many() {
            return Err(Error::TooManyRows { limit: aggregation.rows_max });
        }
        Ok(head)
    }

    /// Compiles a statement against the tables that there are.
    fn compiled(
        &self,
        schema: &Schema,
        compile: impl FnOnce(&Context<'_>) -> std::result::Result<Statement, sql::CompileError>,
    ) -> Result<Statement> {
        let tables = self.inner.writer.tables.load();
        Ok(compile(&Context { dialect: self.inner.dialect(), schema, tables: &**tables })?)
    }

    /// Reads all rows of a query at once, integers as [`Value::BigInt`]: for the few rows the service itself needs.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn rows(&self, query: &Query, policy: &dyn ReadPolicy) -> Result<(Vec<Vec<Value>>, Head)> {
        let reading = self.prepare(query, policy).await?;
        let mut rows = Gathered::by(|row| Some(row.to_values()));
        let (outcome, _) = self.read_scanning(None, query, policy, &reading, &mut rows).await?;
        Ok((rows.finish()?, outcome.head))
    }

    /// Runs a request in the next write batch and gives its answer once it is durable.
    ///
    /// The request may be run more than once; only what its last run gathered is stored. When it answers with an error
    /// nothing of it is stored. Dropped before the request was begun, nothing is done of it; afterwards it is done all the
    /// same.
    ///
    /// # Errors
    /// The request's own, or the store's.
    pub async fn write<T, E, F>(&self, request: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> Fn(&'t mut Transaction) -> BoxFuture<'t, std::result::Result<T, E>> + Send + Sync + 'static,
    {
        self.require_current()?;
        if let Some(needed) = self.inner.writer_needed {
            return Err(E::from(Error::TooNew { needed, present: PROGRAM_VERSION }));
        }
        self.touch();
        let (answer, answered) = oneshot::channel();
        let queued = Box::new(Queued { request, kept: None, answer: Some(answer) });
        let place = self.inner.writer.enqueue(queued);
        if place.as_ref().is_some_and(|place| place.is_unattended) {
            self.schedule();
        }
        let mut waiting = Waiting { writer: &self.inner.writer, ticket: place.map(|place| place.ticket) };
        let answered = answered.await;
        waiting.ticket = None;
        match answered {
            Ok(result) => result,
            Err(_) => {
                Err(E::from(Error::Unavailable { context: "the write queue was closed".to_owned(), source: None }))
            }
        }
    }

    /// Makes sure that tables exist physically.
    ///
    /// # Errors
    /// Store errors.
    pub async fn make_tables(&self, tables: &[TableId]) -> Result<()> {
        let missing: Vec<_> = {
            let existing = self.inner.writer.tables.load();
            tables.iter().copied().filter(|table| !existing.exists(*table)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        self.write(move |transaction| {
            let missing = missing.clone();
            Box::pin(async move { transaction.need_tables(&missing) })
        })
        .await
    }

    /// Whether a table exists physically already.
    #[must_use]
    pub fn has_table(&self, table: TableId) -> bool {
        self.inner.writer.tables.load().exists(table)
    }

    #[cfg(test)]
    pub(crate) fn reading_connections(&self) -> Option<&ReadingConnections> {
        match &self.inner.engine {
            Engine::Postgres { reading, .. } => Some(reading),
            Engine::Sqlite { .. } => None,
        }
    }

    #[cfg(test)]
    pub(crate) fn known_tables(&self) -> KnownTables {
        KnownTables::clone(&self.inner.writer.tables.load())
    }

    /// Reads again what tables there are and what the organisation changed of them: this node or another one changed it.
    ///
    /// # Errors
    /// Store errors.
    pub async fn reload_metadata(&self) -> Result<()> {
        let standard = &self.inner.services.schema;
        let found = match &self.inner.engine {
            Engine::Sqlite { .. } => {
                // The writer's connection may be in the middle of a batch: a reader sees what is committed.
                let version = self.head().await?.versions.metadata;
                let made = self.internal_rows(&internal::select_tables(), table_of).await?;
                let shared = self.internal_rows(&internal::select_shared_tables(), table_of).await?;
                let tables = KnownTables::new(made.into_iter().collect(), shared.into_iter().collect());
                let layer = Layer {
                    secured: secured_of(self.setting(SECURED_COLUMNS).await?)?,
                    audited: audited_of(self.setting(AUDITED_TABLES).await?)?,
                    card_rules: card_rules_of(self.setting(CARD_RULES).await?)?,
                    switches: switches_of(self.setting(AUDIT_SWITCHES).await?)?,
                    indexes: own_indexes_of(self.setting(OWN_INDEXES).await?)?,
                };
                Metadata { version, tables, schema: layer.over(standard) }
            }
            Engine::Postgres { .. } => metadata(&Link::Postgres(self.inner.reading().await?), standard).await?,
        };
        self.inner.writer.adopt(found);
        Ok(())
    }

    /// Makes sure that what is known here of tables and secured columns is as new as a head that was read: rights must not
    /// be computed at a security version with a schema from before it.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn know_metadata(&self, versions: Versions) -> Result<()> {
        if self.inner.writer.knows(versions.metadata) { Ok(()) } else { self.reload_metadata().await }
    }

    /// The tables and relationships, at least as new as a head that was read: this node or another one may have changed
    /// them since they were read last.
    ///
    /// # Errors
    /// Store errors.
    pub async fn schema_as_of(&self, versions: Versions) -> Result<Arc<Schema>> {
        self.know_metadata(versions).await?;
        Ok(self.schema())
    }

    /// Moves committed pages of an embedded database into its file, if any were committed since the last time; called on a
    /// timer.
    ///
    /// # Errors
    /// Store errors.
    pub fn checkpoint(&self) -> Result<()> {
        let Engine::Sqlite { file, .. } = &self.inner.engine else { return Ok(()) };
        let batches = self.inner.writer.counters.batches();
        if self.inner.checkpointed.load(Ordering::Relaxed) == batches {
            return Ok(());
        }
        file.checkpoint()?;
        self.inner.checkpointed.store(batches, Ordering::Relaxed);
        Ok(())
    }

    /// Gives back memory and connections of an embedded database that nobody asked for so long; once for each pause.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) fn rest_after(&self, idle_ms: u64) -> Result<()> {
        let Engine::Sqlite { file, .. } = &self.inner.engine else { return Ok(()) };
        let last_used = self.last_used_ms();
        let idle = self.inner.services.clock.monotonic_ms().saturating_sub(last_used) >= idle_ms;
        let busy = self.writes_waiting() > 0 || self.inner.rested_after_ms.load(Ordering::Relaxed) == last_used;
        if !idle || busy {
            return Ok(());
        }
        if file.rest()? {
            self.inner.rested_after_ms.store(last_used, Ordering::Relaxed);
        }
        Ok(())
    }

    /// What the page caches of an embedded database may hold.
    pub(crate) fn cache_share(&self) -> Option<Arc<CacheShare>> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => file.cache_share().cloned(),
            Engine::Postgres { .. } => None,
        }
    }

    /// Gives its page caches the sizes that they may have now.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) fn fit_caches(&self) -> Result<()> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => file.fit_caches(),
            Engine::Postgres { .. } => Ok(()),
        }
    }

    /// Bytes that the page caches of connections hold which are not at work.
    pub(crate) fn cache_bytes(&self) -> u64 {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => file.cache_bytes(),
            Engine::Postgres { .. } => 0,
        }
    }

    /// Requests that wait to be written.
    #[must_use]
    pub fn writes_waiting(&self) -> usize {
        self.inner.writer.waiting()
    }

    /// Whether the organisation has left this database: it was restored, suspended or deleted. Another handle, if there
    /// is one, comes from the store.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.inner.retired.load(Ordering::Acquire)
    }

    /// Refuses everything from now on: the organisation has another database, or none.
    pub(crate) fn retire(&self) {
        self.inner.retired.store(true, Ordering::Release);
    }

    fn require_current(&self) -> Result<()> {
        if self.is_retired() {
            let context = "the organisation was closed, or has another database since a restore".to_owned();
            return Err(Error::Unavailable { context, source: None });
        }
        Ok(())
    }

    /// A connection for one long job, without a limit for its statements.
    pub(crate) async fn own_connection(&self) -> Result<PostgresConnection> {
        match &self.inner.engine {
            Engine::Postgres { settings, .. } => PostgresConnection::connect(&settings.unlimited()).await,
            Engine::Sqlite { .. } => Err(Error::Query("an embedded database has no connections".to_owned())),
        }
    }

    pub(crate) fn last_used_ms(&self) -> u64 {
        self.inner.last_used_ms.load(Ordering::Relaxed)
    }

    /// Whether only the registry holds it and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.inner) == 1 && self.inner.writer.waiting() == 0
    }

    pub(crate) fn asked(&self) -> &Questions {
        &self.inner.questions
    }

    pub(crate) fn limits(&self) -> &crate::Limits {
        &self.inner.services.limits
    }

    /// Milliseconds of a clock that never goes back.
    pub(crate) fn now_ms(&self) -> u64 {
        self.inner.services.clock.monotonic_ms()
    }

    /// Seconds since 1970.
    pub(crate) fn now_seconds(&self) -> i64 {
        self.inner.services.clock.now_ms().div_euclid(1_000)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    pub(crate) fn sqlite_file(&self) -> Option<&Arc<SqliteFile>> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => Some(file),
            Engine::Postgres { .. } => None,
        }
    }

    /// Rows of the store's own tables, without a policy.
    pub(crate) async fn internal_rows<T: Send>(
        &self,
        statement: &Statement,
        read: impl FnMut(&Row<'_>) -> Option<T> + Send,
    ) -> Result<Vec<T>> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => {
                let mut gathered = Gathered::by(read);
                self.read_file(file, false, None, &[statement], &mut [&mut gathered]).await?;
                gathered.finish()
            }
            Engine::Postgres { .. } => {
                crate::link::rows(&Link::Postgres(self.inner.reading().await?), statement, read).await
            }
        }
    }

    fn touch(&self) {
        self.inner.last_used_ms.store(self.inner.services.clock.monotonic_ms(), Ordering::Relaxed);
    }

    async fn count_statement(&self, query: &Query, policy: &dyn ReadPolicy) -> Result<Statement> {
        let (schema, cap) = (self.schema(), u64::from(self.inner.services.limits.count_max));
        let plan = self.plan_of_all(&schema, query, policy).await?;
        self.compiled(&schema, |context| sql::count(context, query, policy, plan, cap))
    }

    /// Chooses how to find all rows of a query.
    async fn plan_of_all(&self, schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<Plan> {
        Ok(sql::plan_of_all(schema, query, self.plan(schema, query, policy).await?))
    }

    /// Chooses how to find the rows (decision 0008): few reachable ones are gathered, many are met in order.
    async fn plan(&self, schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<Plan> {
        let Some(table) = schema.table(query.table) else { return Ok(Plan::Ordered) };
        let RowAccess::Arms(arms) = policy.rows(table, PrivilegeKind::Read)? else { return Ok(Plan::Ordered) };
        if crate::estimate::names_one_row(table, query) {
            return Ok(Plan::Ordered);
        }
        let now = self.inner.services.clock.monotonic_ms();
        if let Some(plan) = self.inner.estimates.get(table.id, &arms, now) {
            return Ok(plan);
        }
        let statement =
            self.compiled(schema, |context| sql::estimate(context, table, &arms, crate::estimate::COUNTED_MAX))?;
        let counts = self
            .internal_rows(&statement, |row| Some((row.integer(0).unwrap_or(0), row.integer(1).unwrap_or(0))))
            .await?;
        let (reachable, all) = counts.first().copied().unwrap_or((0, 0));
        let plan = crate::estimate::choose(self.inner.dialect(), reachable, all);
        Ok(self.inner.estimates.keep(table.id, arms, plan, now))
    }

    /// Refuses a question whose distinct rows would take more memory to tell apart than the limits allow: they are counted
    /// before, as they are without being told apart.
    async fn require_few_to_tell_apart(&self, schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<()> {
        let columns = query.fields.len() + query.links.iter().map(|link| link.fields.len()).sum::<usize>();
        let columns = u32::try_from(columns).unwrap_or(u32::MAX).max(1);
        let limit = self.inner.services.limits.distinct_values_max / columns;
        let all = Query { distinct: false, order: Vec::new(), top: None, skip: 0, ..query.clone() };
        let plan = self.plan_of_all(schema, &all, policy).await?;
        let statement = self.compiled(schema, |context| sql::count(context, &all, policy, plan, u64::from(limit)))?;
        let mut count = Number::default();
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => self.read_file(file, true, None, &[&statement], &mut [&mut count]).await?.0,
            Engine::Postgres { .. } => self.inner.reading().await?.read(None, &statement, &mut count).await?,
        };
        if count.0.is_none_or(|found| found > i64::from(limit)) {
            Err(Error::TooManyDistinct { limit })
        } else {
            Ok(())
        }
    }

    /// Reads much from a file beside the requests that are worked on, when there is room: more of them at once than there are
    /// processors would be no faster, and each takes a connection with pages of its own. One database has half of the room,
    /// so that the long reads of another do not wait behind all of its own.
    async fn long_read<T>(&self, work: impl FnOnce() -> T) -> T {
        // Neither is ever closed.
        let _own = self.inner.long_reads.acquire().await;
        let _place = self.inner.services.long_reads.acquire().await;
        off_the_worker(work)
    }

    fn schedule(&self) {
        match &self.inner.engine {
            Engine::Sqlite { threads, .. } => threads.schedule(Arc::clone(&self.inner)),
            Engine::Postgres { .. } => {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(async move { inner.work_off().await });
            }
        }
    }
}

impl Inner {
    fn dialect(&self) -> Dialect {
        match &self.engine {
            Engine::Sqlite { .. } => Dialect::Sqlite,
            Engine::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// The connection for a read.
    async fn reading(&self) -> Result<Arc<PostgresConnection>> {
        match &self.engine {
            Engine::Postgres { reading, .. } => reading.take().await,
            Engine::Sqlite { .. } => Err(Error::Query("an embedded database has no connections".to_owned())),
        }
    }

    /// Answers everything that waits with an error.
    pub(crate) fn refuse_waiting(&self, why: &str) {
        self.writer.refuse_all(why);
    }

    /// Works off one batch; whether more is waiting.
    pub(crate) async fn work_once(&self) -> bool {
        let link = match &self.engine {
            Engine::Sqlite { file, .. } => Link::Sqlite(Arc::clone(file)),
            Engine::Postgres { writing, .. } => match writing.connected().await {
                Ok(connection) => Link::Postgres(connection),
                Err(error) => {
                    self.writer.refuse_all(&error.to_string());
                    return false;
                }
            },
        };
        self.writer.work(&link).await
    }

    async fn work_off(&self) {
        while self.work_once().await {}
    }
}

/// Notes where the audit stands: entries may have been written that no published head protects yet.
async fn note_audit(organization: Guid, link: &Link, services: &Services) -> Result<()> {
    let (head, chain) = link.sealed_head().await?;
    if head.audit_number > 0 {
        services.audits.note(organization, head.versions.epoch, Place { number: head.audit_number, chain });
    }
    Ok(())
}

/// What a database says of itself when it is opened, after the indexes that a copy came without were made.
async fn opened(link: &Link, services: &Services, programs: Programs) -> Result<Metadata> {
    let found = metadata(link, &services.schema).await?;
    if programs.oldest_writer <= PROGRAM_VERSION {
        own_indexes::make_missing(link, &found.schema, &found.tables).await?;
    }
    Ok(found)
}

/// What a database says of itself. The version is read first, so that the rest is never older.
pub(crate) async fn metadata(link: &Link, standard: &Arc<Schema>) -> Result<Metadata> {
    let versions = crate::link::rows(link, &internal::select_metadata_version(), |row| row.integer(0)).await?;
    let version = *versions.first().ok_or_else(|| Error::Corrupt("the commit head is missing".to_owned()))?;
    let made = crate::link::rows(link, &internal::select_tables(), table_of).await?;
    let shared = crate::link::rows(link, &internal::select_shared_tables(), table_of).await?;
    let tables = KnownTables::new(made.into_iter().collect(), shared.into_iter().collect());
    let setting = async |name: &str| {
        crate::link::rows(link, &internal::select_setting(name), |row| Some(row.bytes(0)?.to_vec()))
            .await
            .map(|kept| kept.into_iter().next())
    };
    let layer = Layer {
        secured: secured_of(setting(SECURED_COLUMNS).await?)?,
        audited: audited_of(setting(AUDITED_TABLES).await?)?,
        card_rules: card_rules_of(setting(CARD_RULES).await?)?,
        switches: switches_of(setting(AUDIT_SWITCHES).await?)?,
        indexes: own_indexes_of(setting(OWN_INDEXES).await?)?,
    };
    Ok(Metadata { version, tables, schema: layer.over(standard) })
}

fn table_of(row: &Row<'_>) -> Option<TableId> {
    row.integer(0).and_then(|id| u32::try_from(id).ok()).map(TableId)
}

/// Runs blocking work without holding up the other requests of this worker.
pub(crate) fn off_the_worker<T>(work: impl FnOnce() -> T) -> T {
    let multi = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if multi { tokio::task::block_in_place(work) } else { work() }
}

/// Whether a page is expected to be long: clients seldom say how many rows they want, and of most questions there are few.
fn is_long_page(query: &Query) -> bool {
    let rows_max = query.top.map_or(query.page_size, |top| top.min(query.page_size));
    let is_narrowed = query.filter != Filter::True || query.related.is_some() || !query.links.is_empty();
    rows_max >= LONG_PAGE_ROWS && !is_narrowed
}

/// Somebody who waits for a request, and withdraws it on leaving.
struct Waiting<'w> {
    writer: &'w Writer,
    /// Its place in the queue; none when it was answered.
    ticket: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.writer.withdraw(ticket);
        }
    }
}

/// A request with its answer, once it has run.
struct Queued<F, T, E> {
    request: F,
    kept: Option<std::result::Result<T, E>>,
    answer: Option<oneshot::Sender<std::result::Result<T, E>>>,
}

impl<T, E, F> Request for Queued<F, T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: for<'t> Fn(&'t mut Transaction) -> BoxFuture<'t, std::result::Result<T, E>> + Send + Sync + 'static,
{
    fn run<'t>(&'t mut self, transaction: &'t mut Transaction) -> BoxFuture<'t, Ran> {
        Box::pin(async move {
            // A fault in one request must cost neither the others of its batch nor the thread that writes.
            let ran = AssertUnwindSafe((self.request)(transaction)).catch_unwind().await;
            let result = ran.unwrap_or_else(|_| {
                let context = "the request failed in a way that it should not; the log says where".to_owned();
                Err(E::from(Error::Unavailable { context, source: None }))
            });
            let ran = if result.is_ok() { Ran::Write } else { Ran::Drop };
            self.kept = Some(result);
            ran
        })
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        let result = match (outcome, self.kept.take()) {
            (Ok(()), Some(kept)) => kept,
            (Ok(()), None) => Err(E::from(Error::Stale)),
            (Err(error), _) => Err(E::from(error)),
        };
        if let Some(answer) = self.answer.take() {
            // The caller may have gone; what was written stays written.
            let _ = answer.send(result);
        }
    }
}

/// Retries a read whose rights went stale: `attempt` loads them again each time.
///
/// # Errors
/// The last attempt's, when rights keep changing faster than they can be read.
pub async fn retry_stale<T, E, F, A>(mut attempt: A) -> std::result::Result<T, E>
where
    A: FnMut() -> F,
    F: Future<Output = std::result::Result<T, E>>,
    E: IsStale,
{
    let mut last = attempt().await;
    for _ in 1..TRIES_MAX {
        match last {
            Err(error) if error.is_stale() => last = attempt().await,
            other => return other,
        }
    }
    last
}

/// An error that may mean "rights changed meanwhile".
pub trait IsStale {
    /// Whether it does.
    fn is_stale(&self) -> bool;
}

impl IsStale for Error {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Stale)
    }
}

#[cfg(test)]
mod tests;
