//! Group commit: requests that wait while a batch is flushed form the next batch (decisions 0001.3, 0001.4).
//!
//! A batch locks the commit head, runs its requests, stores the moved head and commits; only then is anybody told.
//! The first attempt takes no savepoints. If a statement fails, nothing was stored: the batch is run again, one
//! request after another, each behind a savepoint, and the failing one alone is refused. What used its time up is not run
//! again.
//!
//! A request stays in the queue until it is begun: until then whoever waits for it may withdraw it.
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
use crate::transaction::{self, Batch, Timing, Touched, Transaction};
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
    /// It used its time up and refused. `flushed`: with writes that must be taken back.
    Late { flushed: bool },
    /// Writes that it flushed before it named these tables, which do not exist: they must be taken back, the tables
    /// made, and the request run again.
    Again(Vec<TableId>),
}

/// A request of a batch that was begun.
struct Begun {
    request: Box<dyn Request>,
    /// How it ended, where that is known before the batch is stored: it is not run again.
    ended: Option<Ended>,
}

/// How a request ended before its batch was stored.
enum Ended {
    /// Its time was up, or it ended the transaction: whatever becomes of the batch. Good: by its own answer.
    Itself(Result<()>),
    /// It was refused on what it saw, and that may be what others of the batch wrote: they have to be stored first.
    Refused(Error),
}

impl Begun {
    /// Takes note of a run that no savepoint takes back: how many wrote, 0 or 1.
    ///
    /// # Errors
    /// When something must be taken back: only a savepoint can, so the batch is run again with them.
    fn ran(&mut self, ran: Result<Alone>) -> Result<u64> {
        match ran {
            Ok(Alone::Wrote) => Ok(1),
            Ok(Alone::Nothing) => Ok(0),
            Ok(Alone::Undo | Alone::Again(_)) => Err(Error::Stale),
            Ok(Alone::Late { flushed }) => {
                self.ended = Some(Ended::Itself(Ok(())));
                if flushed { Err(Error::Stale) } else { Ok(0) }
            }
            Err(error @ Error::Timeout { .. }) => {
                self.ended = Some(Ended::Itself(Err(error)));
                Err(Error::Stale)
            }
            Err(error) => Err(error),
        }
    }
}

/// The requests of one batch.
struct Intake {
    begun: Vec<Begun>,
    /// The ticket of the last one that it may take from the queue.
    last: u64,
    /// The time from which on it takes no more.
    until_ms: u64,
}

/// The requests that wait, in the order in which they came.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Box<dyn Request>)>,
    /// Tickets given so far: to each request its own, in their order.
    tickets: u64,
}

impl Queue {
    /// The ticket of the last request of a batch of so many; none where nobody waits.
    fn last_of(&self, many: usize) -> Option<u64> {
        let last = self.waiting.len().min(many).checked_sub(1)?;
        self.waiting.get(last).map(|(ticket, _)| *ticket)
    }

    /// Takes the next request, if its ticket is no later one.
    fn next(&mut self, last: u64) -> Option<Box<dyn Request>> {
        self.waiting.front().filter(|(ticket, _)| *ticket <= last)?;
        self.waiting.pop_front().map(|(_, request)| request)
    }
}

/// A request's place in the queue.
pub(crate) struct Place {
    pub ticket: u64,
    /// Nobody works on the queue: whoever put the request there must see that somebody does.
    pub is_unattended: bool,
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
    queue: Mutex<Queue>,
    scheduled: AtomicBool,
    /// Nothing is begun any more.
    closed: AtomicBool,
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
    /// Milliseconds after which a batch that runs one request after another begins no more of them.
    pub batch_ms: u64,
    /// Milliseconds that the statements of one request may take together.
    pub request_ms: u64,
}

impl Writer {
    pub(crate) fn new(organization: Guid, found: Metadata, audits: Arc<MovedAudits>, services: &Services) -> Self {
        Self {
            organization,
            queue: Mutex::default(),
            scheduled: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            limits: services.limits.writer(),
            clock: Arc::clone(&services.clock),
            random: Arc::clone(&services.random),
            audits,
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

    /// Puts a request in the queue; where that is full, the request is answered so.
    pub(crate) fn enqueue(&self, request: Box<dyn Request>) -> Option<Place> {
        let ticket = {
            let mut queue = self.queue.lock();
            if queue.waiting.len() >= self.limits.queue_max {
                drop(queue);
                request.finish(Err(Error::QueueFull { limit: self.limits.queue_max }));
                return None;
            }
            queue.tickets += 1;
            let ticket = queue.tickets;
            queue.waiting.push_back((ticket, request));
            ticket
        };
        Some(Place { ticket, is_unattended: !self.scheduled.swap(true, Ordering::AcqRel) })
    }

    /// Takes a request out of the queue for which nobody waits any more, unless it was begun: that is finished.
    pub(crate) fn withdraw(&self, ticket: u64) {
        let withdrawn = {
            let mut queue = self.queue.lock();
            let at = queue.waiting.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok();
            at.and_then(|at| queue.waiting.remove(at))
        };
        // What it holds may be much to give back: not under the queue's lock.
        drop(withdrawn);
    }

    /// Begins nothing any more. A batch at work goes on to its end with what it has begun.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Requests waiting now.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Works off one batch. `true`: more is waiting and this worker is still the one responsible.
    pub(crate) async fn work(&self, link: &Link) -> bool {
        let last = self.queue.lock().last_of(self.limits.batch_max);
        if let Some(last) = last {
            self.run_batch(link, last).await;
        }
        let queue = self.queue.lock();
        if !queue.waiting.is_empty() {
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
            queue.waiting.drain(..).collect()
        };
        for (_, request) in waiting {
            request.finish(Err(Error::Unavailable { context: why.to_owned(), source: None }));
        }
    }

    /// Runs the requests up to that ticket, as many as are begun in time.
    async fn run_batch(&self, link: &Link, last: u64) {
        let until_ms = self.clock.monotonic_ms().saturating_add(self.limits.batch_ms);
        let mut intake = Intake { begun: Vec::new(), last, until_ms };
        let first = match link {
            Link::Postgres(_) => {
                self.take_all(&mut intake);
                self.attempt_in_waves(link, &mut intake.begun).await
            }
            Link::Sqlite(_) => self.attempt_in_turn(link, &mut intake, false).await,
        };
        let outcome = match first {
            Ok(()) => Ok(()),
            // Run again, it might be done twice.
            Err(error @ Error::Unknown(_)) => Err(error),
            Err(_) => {
                self.counters.retries.fetch_add(1, Ordering::Relaxed);
                self.attempt_in_turn(link, &mut intake, true).await
            }
        };
        match outcome {
            Ok(()) => {
                for Begun { request, ended } in intake.begun {
                    request.finish(match ended {
                        None => Ok(()),
                        Some(Ended::Itself(own)) => own,
                        Some(Ended::Refused(error)) => Err(error),
                    });
                }
            }
            Err(error) => {
                // Also those that were not begun: they would fare no better.
                self.take_all(&mut intake);
                tracing::warn!(%error, requests = intake.begun.len(), "a write batch failed");
                for Begun { request, ended } in intake.begun {
                    request.finish(match (ended, &error) {
                        (Some(Ended::Itself(own)), _) => own,
                        (_, Error::DiskFull) => Err(Error::DiskFull),
                        (None, Error::Unknown(context)) => Err(Error::Unknown(context.clone())),
                        // Of what was refused on its own nothing is written, whatever became of the others.
                        (None | Some(Ended::Refused(_)), error) => {
                            Err(Error::Unavailable { context: error.to_string(), source: None })
                        }
                    });
                }
            }
        }
    }

    /// Begins all requests that a batch may take.
    fn take_all(&self, intake: &mut Intake) {
        let mut queue = self.queue.lock();
        while let Some(request) = queue.next(intake.last) {
            intake.begun.push(Begun { request, ended: None });
        }
    }

    /// The request at that place of a batch; after those begun the next one that waits, while the batch takes more.
    fn request_at<'i>(&self, intake: &'i mut Intake, at: usize) -> Option<&'i mut Begun> {
        if at == intake.begun.len() {
            if at > 0 && (self.is_closed() || self.clock.monotonic_ms() >= intake.until_ms) {
                return None;
            }
            let request = self.queue.lock().next(intake.last)?;
            intake.begun.push(Begun { request, ended: None });
        }
        intake.begun.get_mut(at)
    }

    /// When the statements of a request that is begun now are to have ended.
    fn ends_ms(&self) -> u64 {
        self.clock.monotonic_ms().saturating_add(self.limits.request_ms)
    }

    async fn begin(&self, link: &Link) -> Result<Arc<Batch>> {
        let begun = async {
            let locked = link.begin_batch().await?;
            let head = locked.head;
            if !self.knows(head.versions.metadata) {
                // Another node made tables or secured columns, or this one did and has not looked since.
                self.adopt(crate::database::metadata(link, &self.standard).await?);
            }
            Ok((locked, self.storage.reached(link, self.clock.monotonic_ms()).await?))
        };
        match begun.await {
            Ok((locked, storage_reached)) => {
                let now = self.clock.now_ms().div_euclid(1000);
                let tables = KnownTables::clone(&self.tables.load());
                let timing = Timing { clock: Arc::clone(&self.clock), request_ms: self.limits.request_ms };
                Ok(Arc::new(Batch::new(locked, now, tables, storage_reached, Arc::clone(&self.random), timing)))
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
        link.require_transaction()?;
        // What the last request left of its time is not what the commit has.
        link.arm();
        let audit = batch.audit();
        if audit_filing::is_due(link.dialect(), batch.begun.audit_number, audit.number) {
            for statement in audit_filing::file_entries(audit.number) {
                link.execute(&statement).await?;
            }
        }
        link.commit(&internal::store_head(&batch.head(), &audit.chain), batch.transaction).await?;
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
    async fn attempt_in_waves(&self, link: &Link, requests: &mut [Begun]) -> Result<()> {
        let batch = self.begin(link).await?;
        let begun = batch.mark();
        let result = async {
            let mut wrote = 0;
            let mut transactions: Vec<_> = requests.iter().map(|_| self.transaction(link, &batch, false)).collect();
            let ran = join_all(
                requests.iter_mut().zip(&mut transactions).map(|(begun, transaction)| begun.request.run(transaction)),
            )
            .await;
            for (begun, (ran, transaction)) in requests.iter_mut().zip(ran.iter().zip(&transactions)) {
                if let (Ran::Drop, true) = (ran, transaction.is_late()) {
                    begun.ended = Some(Ended::Itself(Ok(())));
                }
            }
            if transactions.iter().any(Transaction::is_broken) {
                // What the others were answered may come of that: they are run again, without who was late.
                return Err(Error::Stale);
            }
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
                if let Some(begun) = requests.get_mut(at) {
                    let ran = self.run_alone(link, &batch, begun.request.as_mut(), &mut self.ends_ms()).await;
                    wrote += begun.ran(ran)?;
                }
            }
            self.commit(link, &batch, wrote).await
        }
        .await;
        if result.is_err() {
            link.rollback().await;
        }
        result
    }

    /// One request after another. With savepoints a failing statement costs only its own request.
    async fn attempt_in_turn(&self, link: &Link, intake: &mut Intake, savepoints: bool) -> Result<()> {
        loop {
            let batch = self.begin(link).await?;
            match self.pass_in_turn(link, &batch, intake, savepoints).await {
                Ok(true) => return Ok(()),
                // An error ended the whole transaction: run the others again, without the one just refused.
                Ok(false) => {
                    link.rollback().await;
                    for begun in &mut intake.begun {
                        begun.ended = begun.ended.take().filter(|ended| matches!(ended, Ended::Itself(_)));
                    }
                }
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
        intake: &mut Intake,
        savepoints: bool,
    ) -> Result<bool> {
        let (mut wrote, mut at) = (0, 0);
        while let Some(begun) = self.request_at(intake, at) {
            at += 1;
            if begun.ended.is_some() {
                continue;
            }
            if !savepoints {
                let ran = self.run_alone(link, batch, begun.request.as_mut(), &mut self.ends_ms()).await;
                wrote += begun.ran(ran)?;
                if !link.transaction_lives() {
                    // An error that the request took for its own has ended the transaction, and with it what others wrote.
                    return Err(Error::Stale);
                }
                continue;
            }
            let (many, ended) = self.run_behind_savepoint(link, batch, begun.request.as_mut()).await?;
            wrote += many;
            begun.ended = ended;
            if begun.ended.is_some() && !link.transaction_lives() {
                return Ok(false);
            }
        }
        self.commit(link, batch, wrote).await?;
        Ok(true)
    }

    /// Runs one request so that nothing is left of it if it fails: how many wrote, 0 or 1, and how it ended, where it is not
    /// to be run again.
    async fn run_behind_savepoint(
        &self,
        link: &Link,
        batch: &Arc<Batch>,
        request: &mut dyn Request,
    ) -> Result<(u64, Option<Ended>)> {
        let mut missing: Vec<TableId> = Vec::new();
        let mut ends_ms = self.ends_ms();
        loop {
            link.run(internal::SAVEPOINT).await?;
            let mark = batch.mark();
            let ran = match self.make_tables(link, batch, &missing, &mut ends_ms).await {
                Ok(()) => self.run_alone(link, batch, request, &mut ends_ms).await,
                Err(error) => Err(error),
            };
            let runs_again = matches!(ran, Ok(Alone::Again(_)));
            let ended = match ran {
                Ok(Alone::Wrote) => {
                    link.run(internal::RELEASE).await?;
                    return Ok((1, None));
                }
                Ok(Alone::Nothing | Alone::Undo) => None,
                Ok(Alone::Late { .. }) => Some(Ended::Itself(Ok(()))),
                Ok(Alone::Again(tables)) => {
                    missing.extend(tables);
                    None
                }
                Err(error @ Error::Timeout { .. }) => Some(Ended::Itself(Err(error))),
                Err(error) => Some(Ended::Refused(error)),
            };
            if !link.transaction_lives() {
                if let Link::Postgres(_) = link {
                    let context = "the connection to PostgreSQL was lost while it wrote".to_owned();
                    return Err(Error::Unavailable { context, source: None });
                }
                // Some errors of SQLite end the transaction, and the savepoint with it: whoever met one keeps its answer.
                return Ok((
                    0,
                    Some(Ended::Itself(match ended {
                        None => Ok(()),
                        Some(Ended::Itself(own)) => own,
                        Some(Ended::Refused(error)) => Err(error),
                    })),
                ));
            }
            // Also where nothing was written: a read that failed leaves a PostgreSQL transaction that only this mends.
            link.run(internal::ROLLBACK_TO).await?;
            batch.back_to(mark);
            if !runs_again {
                return Ok((0, ended));
            }
        }
    }

    /// Makes tables. What that takes is not of the time of the request that named them.
    async fn make_tables(&self, link: &Link, batch: &Arc<Batch>, tables: &[TableId], ends_ms: &mut u64) -> Result<()> {
        if tables.is_empty() {
            return Ok(());
        }
        let begun = self.clock.monotonic_ms();
        let mut maker = self.transaction(link, batch, true);
        maker.make_tables(tables).await?;
        maker.flush().await?;
        *ends_ms = ends_ms.saturating_add(self.clock.monotonic_ms().saturating_sub(begun));
        Ok(())
    }

    /// Runs one request with no other beside it and stores what it gathered, until its time is up.
    async fn run_alone(
        &self,
        link: &Link,
        batch: &Arc<Batch>,
        request: &mut dyn Request,
        ends_ms: &mut u64,
    ) -> Result<Alone> {
        let mut made_tables = false;
        loop {
            let mark = batch.mark();
            let mut transaction = self.transaction(link, batch, true);
            // Also after tables were made, for which it was lifted.
            transaction.limit_until(*ends_ms);
            let ran = request.run(&mut transaction).await;
            if !transaction.missing_tables().is_empty() {
                let missing = transaction.missing_tables().to_vec();
                if transaction.flushed() {
                    return Ok(Alone::Again(missing));
                }
                made_tables = true;
                batch.back_to(mark);
                self.make_tables(link, batch, &missing, ends_ms).await?;
                continue;
            }
            // Whatever follows a failed statement of PostgreSQL fails as well, until something is taken back.
            let fails = transaction.is_broken() && matches!(link, Link::Postgres(_));
            let flushed = transaction.flushed() || fails;
            return match ran {
                Ran::Write if transaction.is_torn() || fails => {
                    let context = "the request went on after what it did in the database had failed".to_owned();
                    Err(Error::Unavailable { context, source: None })
                }
                Ran::Write => {
                    transaction.require_time()?;
                    transaction.flush().await?;
                    Ok(if transaction.flushed() || made_tables { Alone::Wrote } else { Alone::Nothing })
                }
                Ran::Drop if transaction.is_late() => {
                    if !flushed {
                        batch.back_to(mark);
                    }
                    Ok(Alone::Late { flushed })
                }
                Ran::Drop if flushed => Ok(Alone::Undo),
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
