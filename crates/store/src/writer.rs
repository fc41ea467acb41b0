//! Group commit: requests that wait while a batch is flushed form the next batch (decisions 0001.3, 0001.4).
//!
//! A batch locks the commit head, runs its requests, stores the moved head and commits; only then is anybody told.
//! The first attempt takes no savepoints. If a statement fails, nothing was stored: the batch is run again, one
//! request after another, each behind a savepoint, and the failing one alone is refused.
//!
//! There is no waiting window: draining the queue after each flush was measured as good as any wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use custodia_schema::{Guid, Schema, TableId};
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;

use crate::ambient::{Clock, Random};
use crate::head::Head;
use crate::link::Link;
use crate::moved_audits::MovedAudits;
use crate::quota::StorageQuota;
use crate::sql::{audit_filing, internal};
use crate::tables::KnownTables;
use crate::transaction::{self, Batch, Touched, Transaction};
use crate::{Error, Result, Services};

/// How a request's part of a batch ended.
pub(crate) enum Ran {
    /// Store what it gathered.
    Write,
    /// It refused by itself, or only read: drop what it gathered and give its answer.
    Drop,
}

/// A request in the queue. It may be run more than once; only the last run counts.
pub(crate) trait Request: Send {
    /// Reads, decides and gathers writes. Keeps its own answer for [`Request::finish`].
    fn run<'t>(&'t mut self, transaction: &'t mut Transaction) -> BoxFuture<'t, Ran>;
    /// Gives the answer away: its own when `outcome` is good, else the store's error.
    fn finish(self: Box<Self>, outcome: Result<()>);
}

/// What a request that ran alone left behind.
enum Alone {
    /// Its writes are in the transaction.
    Wrote,
    /// Nothing.
    Nothing,
    /// Writes that it flushed before it refused: they must be taken back.
    Undo,
    /// Writes that it flushed before it named these tables, which do not exist: they must be taken back, the tables
    /// made, and the request run again.
    Again(Vec<TableId>),
}

impl Alone {
    /// Requests that wrote, 0 or 1.
    ///
    /// # Errors
    /// When something must be taken back: only a savepoint can, so the batch is run again with them.
    fn without_savepoint(self) -> Result<u64> {
        match self {
            Self::Wrote => Ok(1),
            Self::Nothing => Ok(0),
            Self::Undo | Self::Again(_) => Err(Error::Stale),
        }
    }
}

/// What has been committed since the database was opened.
#[derive(Debug, Default)]
pub struct WriteCounters {
    batches: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
}

impl WriteCounters {
    /// Batches committed: each is one flush.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Requests whose writes were committed.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Batches that had to be run a second time, behind savepoints.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}

/// The queue of one organisation's writes.
pub(crate) struct Writer {
    organization: Guid,
    queue: Mutex<VecDeque<Box<dyn Request>>>,
    scheduled: AtomicBool,
    limits: WriterLimits,
    clock: Arc<dyn Clock>,
    /// Salts of audit entries.
    random: Arc<dyn Random>,
    audits: Arc<MovedAudits>,
    pub counters: WriteCounters,
    /// What the organisation's layer lies over.
    standard: Arc<Schema>,
    /// The schema and the tables that exist, as of `metadata`.
    pub schema: ArcSwap<Schema>,
    pub tables: ArcSwap<KnownTables>,
    /// The metadata version that both are at least as new as. Changed, like both, by who holds `adopting`.
    metadata: AtomicI64,
    adopting: Mutex<()>,
    pub storage: StorageQuota,
}

/// What a database says of itself.
pub(crate) struct Metadata {
    /// The version that the rest is at least as new as.
    pub version: i64,
    pub schema: Arc<Schema>,
    pub tables: KnownTables,
}

/// Bounds of a write queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriterLimits {
    /// Requests that may wait.
    pub queue_max: usize,
    /// Requests in one batch: more fills no batch further on PostgreSQL and lengthens a retry (decision 0005.1).
    pub batch_max: usize,
}

impl Writer {
    pub(crate) fn new(organization: Guid, found: Metadata, services: &Services) -> Self {
        Self {
            organization,
            queue: Mutex::new(VecDeque::new()),
            scheduled: AtomicBool::new(false),
            limits: services.limits.writer(),
            clock: Arc::clone(&services.clock),
            random: Arc::clone(&services.random),
            audits: Arc::clone(&services.audits),
            counters: WriteCounters::default(),
            standard: Arc::clone(&services.schema),
            schema: ArcSwap::new(found.schema),
            tables: ArcSwap::from_pointee(found.tables),
            metadata: AtomicI64::new(found.version),
            adopting: Mutex::new(()),
            storage: StorageQuota::new(),
        }
    }

    /// Whether the schema and the tables known here are as new as that metadata version.
    pub(crate) fn knows(&self, metadata: i64) -> bool {
        self.metadata.load(Ordering::Acquire) >= metadata
    }

    /// Takes over what was read of the database, unless that or something newer is known: what was compiled stays good.
    pub(crate) fn adopt(&self, found: Metadata) {
        let _one_at_a_time = self.adopting.lock();
        if self.knows(found.version) {
            return;
        }
        self.schema.store(found.schema);
        self.tables.store(Arc::new(found.tables));
        self.metadata.store(found.version, Ordering::Release);
    }

    /// Puts a request in the queue. `true`: nobody works on the queue, the caller must see that somebody does.
    pub(crate) fn enqueue(&self, request: Box<dyn Request>) -> bool {
        {
            let mut queue = self.queue.lock();
            if queue.len() >= self.limits.queue_max {
                drop(queue);
                request.finish(Err(Error::QueueFull { limit: self.limits.queue_max }));
                return false;
            }
            queue.push_back(request);
        }
        !self.scheduled.swap(true, Ordering::AcqRel)
    }

    /// Requests waiting now.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// Works off one batch. `true`: more is waiting and this worker is still the one responsible.
    pub(crate) async fn work(&self, link: &Link) -> bool {
        let batch: Vec<_> = {
            let mut queue = self.queue.lock();
            let many = queue.len().min(self.limits.batch_max);
            queue.drain(..many).collect()
        };
        if !batch.is_empty() {
            self.run_batch(link, batch).await;
        }
        let queue = self.queue.lock();
        if !queue.is_empty() {
            return true;
        }
        // Under the queue's lock, so that a request enqueued right now schedules somebody else.
        self.scheduled.store(false, Ordering::Release);
        false
    }

    /// Answers everything that waits with an error: the database cannot be reached.
    pub(crate) fn refuse_all(&self, why: &str) {
        let waiting: Vec<_> = {
            let mut queue = self.queue.lock();
            self.scheduled.store(false, Ordering::Release);
            queue.drain(..).collect()
        };
        for request in waiting {
            request.finish(Err(Error::Unavailable { context: why.to_owned(), source: None }));
        }
    }

    async fn run_batch(&self, link: &Link, mut requests: Vec<Box<dyn Request>>) {
        let first = match link {
            Link::Postgres(_) => self.attempt_in_waves(link, &mut requests).await,
            Link::Sqlite(_) => self.attempt_in_turn(link, &mut requests, false).await,
        };
        let outcomes = match first {
            Ok(outcomes) => Ok(outcomes),
            Err(_) => {
                self.counters.retries.fetch_add(1, Ordering::Relaxed);
                self.attempt_in_turn(link, &mut requests, true).await
            }
        };
        match outcomes {
            Ok(outcomes) => {
                for (request, outcome) in requests.into_iter().zip(outcomes) {
                    request.finish(outcome);
                }
            }
            Err(error) => {
                let text = error.to_string();
                let full = matches!(error, Error::DiskFull);
                tracing::warn!(error = %text, requests = requests.len(), "a write batch was not stored");
                for request in requests {
                    let refusal =
                        if full { Error::DiskFull } else { Error::Unavailable { context: text.clone(), source: None } };
                    request.finish(Err(refusal));
                }
            }
        }
    }

    async fn begin(&self, link: &Link) -> Result<Arc<Batch>> {
        let begun = async {
            let sealed = link.begin_batch().await?;
            let (head, _) = sealed;
            if !self.knows(head.versions.metadata) {
                // Another node made tables or secured columns, or this one did and has not looked since.
                self.adopt(crate::database::metadata(link, &self.standard).await?);
            }
            Ok((sealed, self.storage.reached(link, self.clock.monotonic_ms()).await?))
        };
        match begun.await {
            Ok((sealed, storage_reached)) => {
                let now = self.clock.now_ms().div_euclid(1000);
                let tables = KnownTables::clone(&self.tables.load());
                Ok(Arc::new(Batch::new(sealed, now, tables, storage_reached, Arc::clone(&self.random))))
            }
            Err(error) => {
                // The head may have been waited for in vain: the transaction that waited must not stay open.
                link.rollback().await;
                Err(error)
            }
        }
    }

    async fn commit(&self, link: &Link, batch: &Batch, wrote: u64) -> Result<()> {
        if wrote == 0 && batch.head() == (Head { commit_time: batch.commit_time, ..batch.begun }) {
            // Nothing was written, not even in the store's own tables: nothing to flush.
            link.rollback().await;
            return Ok(());
        }
        let audit = batch.audit();
        if audit_filing::is_due(link.dialect(), batch.begun.audit_number, audit.number) {
            for statement in audit_filing::file_entries(audit.number) {
                link.execute(&statement).await?;
            }
        }
        link.commit(&internal::store_head(&batch.head(), &audit.chain)).await?;
        self.committed(batch);
        if audit.number != batch.begun.audit_number {
            self.audits.note(self.organization, batch.versions().epoch, audit);
        }
        self.counters.batches.fetch_add(1, Ordering::Relaxed);
        self.counters.requests.fetch_add(wrote, Ordering::Relaxed);
        Ok(())
    }

    /// Takes over the tables that a batch made. Columns that it secured are read again by whoever needs them next.
    fn committed(&self, batch: &Batch) {
        let _one_at_a_time = self.adopting.lock();
        let metadata = batch.versions().metadata;
        if self.knows(metadata) {
            return;
        }
        self.tables.store(Arc::new(batch.tables.lock().clone()));
        if !batch.changes_schema() {
            self.metadata.store(metadata, Ordering::Release);
        }
    }

    fn transaction(&self, link: &Link, batch: &Arc<Batch>, alone: bool) -> Transaction {
        Transaction::new(link.clone(), Arc::clone(batch), self.schema.load_full(), alone)
    }

    /// All reads together, then all writes together; requests that meet an earlier one's writes follow in turn.
    async fn attempt_in_waves(&self, link: &Link, requests: &mut [Box<dyn Request>]) -> Result<Vec<Result<()>>> {
        let batch = self.begin(link).await?;
        let begun = batch.mark();
        let result = async {
            let mut wrote = 0;
            let mut transactions: Vec<_> = requests.iter().map(|_| self.transaction(link, &batch, false)).collect();
            let ran = join_all(
                requests.iter_mut().zip(&mut transactions).map(|(request, transaction)| request.run(transaction)),
            )
            .await;
            let mut taken = Touched::default();
            let mut operations = Vec::new();
            let mut entries = Vec::new();
            let mut in_turn = Vec::new();
            let mut versions_moved = false;
            for (at, (ran, mut transaction)) in ran.into_iter().zip(transactions).enumerate() {
                let deferred = versions_moved
                    || transaction.wants_alone()
                    || !transaction.missing_tables().is_empty()
                    || transaction.reads.meets(&taken)
                    || transaction.writes.meets_rows(&taken);
                if deferred {
                    in_turn.push(at);
                } else if let Ran::Write = ran {
                    versions_moved |= transaction.moves_versions();
                    taken.merge(&transaction.writes);
                    wrote += u64::from(transaction.has_unflushed());
                    operations.append(&mut transaction.pending);
                    entries.append(&mut transaction.entries);
                }
            }
            operations.extend(batch.seal(entries));
            if operations.is_empty() {
                // Nobody stored anything: the numbers taken are free again, and there may be nothing to commit.
                batch.back_to(begun);
            }
            transaction::run(link, &self.schema.load(), &operations).await?;
            for at in in_turn {
                if let Some(request) = requests.get_mut(at) {
                    wrote += self.run_alone(link, &batch, request.as_mut()).await?.without_savepoint()?;
                }
            }
            self.commit(link, &batch, wrote).await
        }
        .await;
        match result {
            Ok(()) => Ok(requests.iter().map(|_| Ok(())).collect()),
            Err(error) => {
                link.rollback().await;
                Err(error)
            }
        }
    }

    /// One request after another. With savepoints a failing statement costs only its own request.
    async fn attempt_in_turn(
        &self,
        link: &Link,
        requests: &mut [Box<dyn Request>],
        savepoints: bool,
    ) -> Result<Vec<Result<()>>> {
        let mut refused: Vec<Option<Error>> = requests.iter().map(|_| None).collect();
        loop {
            let batch = self.begin(link).await?;
            let result = self.pass_in_turn(link, &batch, requests, &mut refused, savepoints).await;
            match result {
                Ok(true) => return Ok(refused.into_iter().map(|error| error.map_or(Ok(()), Err)).collect()),
                // An error ended the whole transaction: run the innocents again, without the one just refused.
                Ok(false) => link.rollback().await,
                Err(error) => {
                    link.rollback().await;
                    return Err(error);
                }
            }
        }
    }

    async fn pass_in_turn(
        &self,
        link: &Link,
        batch: &Arc<Batch>,
        requests: &mut [Box<dyn Request>],
        refused: &mut [Option<Error>],
        savepoints: bool,
    ) -> Result<bool> {
        let mut wrote = 0;
        for (request, refusal) in requests.iter_mut().zip(refused.iter_mut()) {
            if refusal.is_some() {
                continue;
            }
            if !savepoints {
                wrote += self.run_alone(link, batch, request.as_mut()).await?.without_savepoint()?;
                continue;
            }
            match self.run_behind_savepoint(link, batch, request.as_mut()).await? {
                Ok(many) => wrote += many,
                Err(error) => {
                    *refusal = Some(error);
                    if !link.transaction_lives() {
                        return Ok(false);
                    }
                }
            }
        }
        self.commit(link, batch, wrote).await?;
        Ok(true)
    }

    /// Runs one request so that nothing is left of it if it fails: how many wrote, 0 or 1, or why it is refused.
    async fn run_behind_savepoint(
        &self,
        link: &Link,
        batch: &Arc<Batch>,
        request: &mut dyn Request,
    ) -> Result<Result<u64>> {
        let mut missing: Vec<TableId> = Vec::new();
        loop {
            link.run(internal::SAVEPOINT).await?;
            let mark = batch.mark();
            let ran = match self.make_tables(link, batch, &missing).await {
                Ok(()) => self.run_alone(link, batch, request).await,
                Err(error) => Err(error),
            };
            let outcome = match ran {
                Ok(Alone::Wrote) => {
                    link.run(internal::RELEASE).await?;
                    return Ok(Ok(1));
                }
                Ok(Alone::Nothing | Alone::Undo) => Some(Ok(0)),
                Ok(Alone::Again(tables)) => {
                    missing.extend(tables);
                    None
                }
                Err(error) if !link.transaction_lives() => return Ok(Err(error)),
                Err(error) => Some(Err(error)),
            };
            // Also where nothing was written: a read that failed leaves a PostgreSQL transaction that only this mends.
            link.run(internal::ROLLBACK_TO).await?;
            batch.back_to(mark);
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
    }

    async fn make_tables(&self, link: &Link, batch: &Arc<Batch>, tables: &[TableId]) -> Result<()> {
        let mut maker = self.transaction(link, batch, true);
        maker.make_tables(tables).await?;
        maker.flush().await
    }

    /// Runs one request with no other beside it and stores what it gathered.
    async fn run_alone(&self, link: &Link, batch: &Arc<Batch>, request: &mut dyn Request) -> Result<Alone> {
        let mut made_tables = false;
        loop {
            let mark = batch.mark();
            let mut transaction = self.transaction(link, batch, true);
            let ran = request.run(&mut transaction).await;
            if !transaction.missing_tables().is_empty() {
                let missing = transaction.missing_tables().to_vec();
                if transaction.flushed() {
                    return Ok(Alone::Again(missing));
                }
                made_tables = true;
                batch.back_to(mark);
                self.make_tables(link, batch, &missing).await?;
                continue;
            }
            return match ran {
                Ran::Write => {
                    transaction.flush().await?;
                    Ok(if transaction.flushed() || made_tables { Alone::Wrote } else { Alone::Nothing })
                }
                Ran::Drop if transaction.flushed() => Ok(Alone::Undo),
                Ran::Drop => {
                    batch.back_to(mark);
                    Ok(Alone::Nothing)
                }
            };
        }
    }
}

#[cfg(test)]
mod tests;
