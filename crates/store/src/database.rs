//! One organisation's database: the only handle through which its rows are reached.

mod reading;
mod writing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use custodia_schema::{Guid, Schema, TableId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::reading::{IsStale, ReadOutcome, Reading, retry_stale};
use crate::connection_slot::ConnectionSlot;
use crate::head::Versions;
use crate::layer::{
    AUDIT_SWITCHES, AUDITED_TABLES, CARD_RULES, Layer, OWN_INDEXES, SECURED_COLUMNS, audited_of, card_rules_of,
    own_indexes_of, secured_of, switches_of,
};
use crate::link::Link;
use crate::migration::{PROGRAM_VERSION, Programs, bring_forward};
use crate::moved_audits::MovedAudits;
use crate::page_caches::CacheShare;
use crate::postgres::{PostgresConnection, PostgresSettings};
use crate::questions::Questions;
use crate::reading_connections::{READING_CONNECTIONS, ReadingConnections};
use crate::row::Row;
use crate::seal::Place;
use crate::sql::{Dialect, Tables, internal};
use crate::sqlite::SqliteFile;
use crate::tables::KnownTables;
use crate::threads::WriterThreads;
use crate::writer::{Metadata, Writer};
use crate::{Error, Result, Services, own_indexes};

/// Connections to PostgreSQL that one open database holds at most: those, and the one that writes.
pub(crate) const CONNECTIONS_PER_DATABASE: usize = READING_CONNECTIONS + 1;
/// What is told of one that is not to be used any more.
const RETIRED: &str = "the organisation was closed, or has another database since a restore";

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
    /// Leave to be open. The last field, so that it is given back when the connections are closed.
    _room: Option<OwnedSemaphorePermit>,
}

enum Engine {
    Sqlite { file: Arc<SqliteFile>, threads: Arc<WriterThreads> },
    Postgres { settings: PostgresSettings, reading: Box<ReadingConnections>, writing: Box<ConnectionSlot> },
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
        let audits = audits_of(&services, room.as_ref());
        note_audit(organization, &link, &audits).await?;
        let writer = Writer::new(organization, found, audits, &services);
        Ok(Self::new(organization, Engine::Sqlite { file, threads }, programs, writer, services, room))
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
        let audits = audits_of(&services, room.as_ref());
        note_audit(organization, &link, &audits).await?;
        let writer = Writer::new(organization, found, audits, &services);
        let writing = Box::new(ConnectionSlot::new(settings.clone()));
        let engine = Engine::Postgres { settings, reading, writing };
        Ok(Self::new(organization, engine, programs, writer, services, room))
    }

    fn new(
        organization: Guid,
        engine: Engine,
        programs: Programs,
        writer: Writer,
        services: Arc<Services>,
        room: Option<OwnedSemaphorePermit>,
    ) -> Self {
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
        self.inner.writer.is_closed()
    }

    /// Refuses everything from now on, what waits to be written too: the organisation has another database, or none.
    pub(crate) fn retire(&self) {
        self.inner.writer.close();
    }

    fn require_current(&self) -> Result<()> {
        if self.is_retired() {
            return Err(Error::Unavailable { context: RETIRED.to_owned(), source: None });
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

    fn touch(&self) {
        self.inner.last_used_ms.store(self.inner.services.clock.monotonic_ms(), Ordering::Relaxed);
    }
}

impl Inner {
    fn dialect(&self) -> Dialect {
        match &self.engine {
            Engine::Sqlite { .. } => Dialect::Sqlite,
            Engine::Postgres { .. } => Dialect::Postgres,
        }
    }
}

/// Where it is noted that the audit moved. One that is opened without leave is no organisation's yet, and may never be: its heads
/// are not to be published.
fn audits_of(services: &Services, room: Option<&OwnedSemaphorePermit>) -> Arc<MovedAudits> {
    room.map_or_else(Arc::default, |_| Arc::clone(&services.audits))
}

/// Notes where the audit stands: entries may have been written that no published head protects yet.
async fn note_audit(organization: Guid, link: &Link, audits: &MovedAudits) -> Result<()> {
    let (head, chain) = link.sealed_head().await?;
    if head.audit_number > 0 {
        audits.note(organization, head.versions.epoch, Place { number: head.audit_number, chain });
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
