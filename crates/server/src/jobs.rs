//! The jobs of all organisations: who looks for them, when a step is done, and how many run at one time.
//!
//! Organisations with jobs are marked in the control database before a job is made, so that none is opened only to look for
//! one. Each node looks at the marks; a job is taken up by the node whose lease is in its record first. A job works in small
//! steps and rests as long as it worked, so that at least half of the time belongs to requests.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use custodia_org::{JobBell, JobTerms, JobWait, Organization};
use custodia_process::jobs::{Ended, JobRun, Options, Progress, is_passing};
use custodia_query::instant::Shown;
use custodia_schema::Guid;
use custodia_store::{Clock, OrganizationState, Store};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};

use crate::operation::one_line;
use crate::service::Service;

/// How often marks are looked at, besides when this node makes a job.
const LOOK: Duration = Duration::from_secs(1);
/// Milliseconds after which an organisation is looked at again when there was news of it: a job that was rung for may not
/// have been stored yet. While there is none, each further look is twice as late.
const LOOK_AGAIN_MS: u64 = 2_000;
/// Milliseconds after which it is looked at again at the latest: another node may hold a job and be gone, or have made a
/// further one without a new mark, or a user may have changed when one begins.
const LOOK_AGAIN_MAX_MS: u64 = 60_000;
/// Milliseconds in which a mark of this node's own is not renewed: it is kept much longer.
const MARK_AGAIN_MS: u64 = 60_000;
/// Milliseconds that a mark is kept at least: as long as a request that was marked may still be under way.
const MARK_KEPT_MS: i64 = 600_000;
/// Stands for the time of a mark where there is none.
const UNMARKED: i64 = i64::MAX;
/// The first rest after a step that met something passing; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_millis(250);
/// The longest of those rests.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// What the program's parts have to do with jobs: they ring when one is made, and count what becomes of them.
pub struct JobDesk {
    store: Arc<Store>,
    woken: Notify,
    /// Organisations to be looked at now, marked or not.
    opened: Mutex<Vec<Guid>>,
    /// When this node marked organisations last, on the monotonic clock.
    marked: Mutex<HashMap<Guid, u64>>,
    /// Set when this process begins to look for jobs; before, each ring marks.
    clock: OnceLock<Arc<dyn Clock>>,
    /// Organisations that were opened before.
    met: Mutex<HashSet<Guid>>,
    /// Jobs that wait in each organisation, as this node saw last.
    seen_waiting: Mutex<HashMap<Guid, u64>>,
    /// Jobs at work.
    pub running: AtomicU64,
    /// Jobs brought through.
    pub succeeded: AtomicU64,
    /// Jobs that failed.
    pub failed: AtomicU64,
    /// Steps done.
    pub steps: AtomicU64,
}

impl JobDesk {
    /// A desk of a node that has done nothing yet.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            woken: Notify::new(),
            opened: Mutex::new(Vec::new()),
            marked: Mutex::new(HashMap::new()),
            clock: OnceLock::new(),
            met: Mutex::new(HashSet::new()),
            seen_waiting: Mutex::new(HashMap::new()),
            running: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            steps: AtomicU64::new(0),
        }
    }

    /// An organisation was opened: it may have jobs that no mark tells of, when it was restored. Looking once is enough,
    /// however often it is closed and opened.
    pub fn opened(&self, organization: Guid) {
        if self.met.lock().insert(organization) {
            self.opened.lock().push(organization);
        }
    }

    /// An organisation was restored: whatever is opened next is looked at once more.
    pub fn restored(&self) {
        self.met.lock().clear();
        self.marked.lock().clear();
    }

    /// Marks an organisation durably, unless this node did a moment ago.
    async fn mark(&self, organization: Guid) -> custodia_store::Result<()> {
        // The time before the mark is made: a mark is never younger than is thought.
        let now = self.clock.get().map(|clock| clock.monotonic_ms());
        let is_fresh = |marked: u64, now: u64| now.saturating_sub(marked) < MARK_AGAIN_MS;
        let marked = self.marked.lock().get(&organization).copied();
        if let (Some(marked), Some(now)) = (marked, now)
            && is_fresh(marked, now)
        {
            return Ok(());
        }
        self.store.mark_jobs(organization).await?;
        if let Some(now) = now {
            let mut marks = self.marked.lock();
            marks.retain(|_, marked| is_fresh(*marked, now));
            marks.insert(organization, now);
        }
        Ok(())
    }

    /// Jobs that wait, as this node saw last.
    pub fn waiting(&self) -> u64 {
        self.seen_waiting.lock().values().sum()
    }
}

impl JobBell for JobDesk {
    fn ring(&self, organization: Guid) -> BoxFuture<'_, custodia_store::Result<()>> {
        Box::pin(async move {
            self.mark(organization).await?;
            self.opened.lock().push(organization);
            self.woken.notify_one();
            Ok(())
        })
    }
}

/// The jobs of one process.
pub struct Jobs {
    stop: watch::Sender<bool>,
    looking: JoinHandle<()>,
}

impl Jobs {
    /// Begins to look for jobs.
    pub fn start(service: &Arc<Service>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let _ = service.jobs.clock.set(Arc::clone(&service.clock) as Arc<dyn Clock>);
        Self { stop, looking: tokio::spawn(look(Arc::clone(service), stopped)) }
    }

    /// Ends after the steps at hand; the jobs are let go, for the next start or another node.
    pub async fn end(self) {
        let _ = self.stop.send(true);
        let _ = self.looking.await;
    }
}

/// A job as `custodia job list` shows it.
pub fn line(job: &JobWait, now: i64) -> String {
    let state = match (job.is_held, job.due > now) {
        (true, _) => "running",
        (false, true) => "later",
        (false, false) => "waiting",
    };
    format!("{} {state:<8} {} {} {}", job.id, Shown(job.created), job.user, one_line(&job.name))
}

/// What a node knows of an organisation with jobs.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Its mark at the last look.
    marked: i64,
    /// Milliseconds to the next look where nothing is due earlier.
    pause_ms: u64,
    /// On the monotonic clock: when to look again.
    look_at_ms: u64,
    /// A job of it is due and not at work here.
    waits: bool,
    /// And when a job of it was taken up last.
    begun_at_ms: u64,
}

/// Looks for jobs and has them done, until told to stop.
async fn look(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let options = options(&service);
    let mut desk = Looking {
        service: Arc::clone(&service),
        options,
        stop: stop.clone(),
        known: HashMap::new(),
        running: JoinSet::new(),
        at_work: HashMap::new(),
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = service.jobs.woken.notified() => {}
            Some(ended) = desk.running.join_next_with_id() => desk.ended(&ended),
            _ = stop.changed() => break,
        }
        if let Err(error) = desk.look_once().await {
            tracing::warn!(%error, "the marks of jobs could not be read");
        }
        service.jobs.running.store(desk.running.len() as u64, Ordering::Relaxed);
    }
    while desk.running.join_next().await.is_some() {}
    service.jobs.running.store(0, Ordering::Relaxed);
}

/// Whoever looks for jobs.
struct Looking {
    service: Arc<Service>,
    options: Options,
    stop: watch::Receiver<bool>,
    /// Organisations that are marked.
    known: HashMap<Guid, Known>,
    running: JoinSet<()>,
    /// The jobs that `running` does, and their organisations.
    at_work: HashMap<Id, (Guid, Guid)>,
}

impl Looking {
    /// A job is no longer at work here; one that panicked gives its place to others too, and is taken up again.
    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => *task,
            Err(error) => error.id(),
        };
        let Some((job, organization)) = self.at_work.remove(&task) else { return };
        if let Err(error) = ended {
            tracing::error!(organization.id = %organization, job.id = %job, %error, "a job ended in a fault");
        }
        // What waited for it may begin.
        for (id, known) in &mut self.known {
            if known.waits || *id == organization {
                known.look_at_ms = 0;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.at_work.len() >= self.service.config.limits.running_jobs
    }

    /// Looks at the organisations that may have jobs, those first whose turn was the longest ago.
    async fn look_once(&mut self) -> custodia_store::Result<()> {
        let mut marks = self.service.store.job_marks().await?;
        let mut opened = std::mem::take(&mut *self.service.jobs.opened.lock());
        opened.sort_unstable();
        opened.dedup();
        let marked: Vec<_> = marks.iter().map(|(id, _)| *id).collect();
        self.known.retain(|id, _| marked.contains(id));
        marks.extend(opened.iter().filter(|id| !marked.contains(id)).map(|id| (*id, UNMARKED)));
        marks.sort_by_key(|(id, _)| self.known.get(id).map(|known| known.begun_at_ms));
        let names: HashMap<Guid, String> =
            self.service.store.organizations().into_iter().map(|known| (known.id, known.name.clone())).collect();
        self.service.jobs.seen_waiting.lock().retain(|id, _| names.contains_key(id));
        for (id, marked) in marks {
            if *self.stop.borrow() {
                break;
            }
            let now = self.service.clock.monotonic_ms();
            let is_opened = opened.contains(&id);
            let is_news = is_opened || self.known.get(&id).is_none_or(|known| known.marked != marked);
            let is_due = is_news || self.known.get(&id).is_some_and(|known| known.look_at_ms <= now);
            let Some(name) = names.get(&id).filter(|_| is_due) else { continue };
            if self.is_full() {
                // Looked at when a job ends; that it was opened is not forgotten.
                self.service.jobs.opened.lock().extend(Some(id).filter(|_| is_opened));
                continue;
            }
            let known = self.known.entry(id).or_default();
            known.marked = marked;
            known.look_at_ms = now.saturating_add(LOOK_AGAIN_MS);
            // One that is suspended is passed over, as is one whose database is away.
            let Ok(organization) = self.service.organization_in_time(name).await else { continue };
            match organization.open_jobs().await {
                Ok(open) => {
                    self.begin(&organization, &open).await;
                    self.plan(id, now, is_news, &open);
                    settle_mark(&self.service, id, marked, &open).await;
                }
                Err(error) => tracing::warn!(organization.id = %id, %error, "jobs could not be looked for"),
            }
        }
        Ok(())
    }

    /// Says when an organisation is looked at again: at the latest when the first of its jobs is due that nobody works on.
    fn plan(&mut self, id: Guid, now_ms: u64, is_news: bool, open: &[JobWait]) {
        let now = self.service.now();
        let is_here = |job: &JobWait| self.is_at_work(job.id);
        let waits = open.iter().any(|job| job.due <= now && !is_here(job));
        let next = open.iter().filter(|job| !job.is_held && job.due > now).map(|job| job.due.saturating_sub(now)).min();
        let Some(known) = self.known.get_mut(&id) else { return };
        known.waits = waits;
        known.look_again(now_ms, is_news);
        if let Some(seconds) = next {
            let due_ms = now_ms.saturating_add(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000));
            known.look_at_ms = known.look_at_ms.min(due_ms);
        }
    }

    fn is_at_work(&self, job: Guid) -> bool {
        self.at_work.values().any(|(known, _)| *known == job)
    }

    /// Takes up the jobs of an organisation that are due, as many as there is room for.
    async fn begin(&mut self, organization: &Organization, open: &[JobWait]) {
        let now = self.service.now();
        for job in open.iter().filter(|job| job.due <= now) {
            if self.is_full() {
                return;
            }
            if self.is_at_work(job.id) {
                continue;
            }
            match JobRun::claim(organization, job.id, self.options).await {
                Ok(Some(run)) => {
                    tracing::info!(organization.id = %organization.id(), job.id = %job.id, "a job begins");
                    self.known.entry(organization.id()).or_default().begun_at_ms = self.service.clock.monotonic_ms();
                    let service = Arc::clone(&self.service);
                    let work = Work { service, organization: organization.clone(), job: job.id };
                    let task = self.running.spawn(work.through(run, self.stop.clone()));
                    self.at_work.insert(task.id(), (job.id, organization.id()));
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(job.id = %job.id, %error, "a job could not be taken up"),
            }
        }
    }
}

impl Known {
    /// After a look: soon where there was news, else later and later.
    fn look_again(&mut self, now: u64, is_news: bool) {
        self.pause_ms = match is_news {
            true => LOOK_AGAIN_MS,
            false => self.pause_ms.saturating_mul(2).clamp(LOOK_AGAIN_MS, LOOK_AGAIN_MAX_MS),
        };
        self.look_at_ms = now.saturating_add(self.pause_ms);
    }
}

fn options(service: &Service) -> Options {
    let limits = &service.config.limits;
    Options {
        terms: JobTerms {
            holder: service.new_id(),
            lease_seconds: i64::from(limits.job_lease_seconds),
            running_max: limits.organization_running_jobs,
            tries_max: limits.job_tries,
        },
        step_rows: limits.job_step_rows,
        step_ms: limits.job_step_ms,
        zone: custodia_web_api::clock,
    }
}

/// Keeps count of the jobs that wait, and takes away the mark of an organisation that has had none for long.
async fn settle_mark(service: &Service, id: Guid, marked: i64, open: &[JobWait]) {
    let waiting = open.iter().filter(|job| !job.is_held).count() as u64;
    if waiting > 0 {
        service.jobs.seen_waiting.lock().insert(id, waiting);
    } else {
        service.jobs.seen_waiting.lock().remove(&id);
    }
    let settled = if marked == UNMARKED {
        // Opened without a mark: one is needed only where there are jobs.
        if open.is_empty() { Ok(()) } else { service.store.mark_jobs(id).await }
    } else if open.is_empty() && service.clock.now_ms().saturating_sub(marked) > MARK_KEPT_MS {
        service.store.unmark_jobs(id, marked).await
    } else {
        Ok(())
    };
    if let Err(error) = settled {
        tracing::warn!(organization.id = %id, %error, "the mark of jobs could not be kept");
    }
}

/// One job at work on this node.
struct Work {
    service: Arc<Service>,
    organization: Organization,
    job: Guid,
}

impl Work {
    /// Does the job step by step.
    async fn through(self, mut run: JobRun, mut stop: watch::Receiver<bool>) {
        let (mut failures, mut rest) = (0, FIRST_REST);
        loop {
            if *stop.borrow() || !self.is_open() {
                let released = run.release().await;
                if released.is_ok()
                    && let Err(error) = self.service.store.mark_jobs(self.organization.id()).await
                {
                    // Another node looks at it when the mark is new, and else a little later.
                    tracing::warn!(job.id = %self.job, %error, "the mark of a job that was let go could not be renewed");
                }
                if let Err(error) = released {
                    tracing::warn!(job.id = %self.job, %error, "a job could not be let go; it goes on when its lease ends");
                }
                return;
            }
            let begun = self.service.clock.monotonic_ms();
            let pause = match run.step().await {
                Ok(Progress::More) => {
                    self.service.jobs.steps.fetch_add(1, Ordering::Relaxed);
                    (failures, rest) = (0, FIRST_REST);
                    Duration::from_millis(self.service.clock.monotonic_ms().saturating_sub(begun))
                }
                Ok(Progress::Ended(ended)) => {
                    self.tell(&ended);
                    return;
                }
                Err(error) if is_passing(&error) && failures + 1 < self.service.config.limits.job_tries => {
                    failures += 1;
                    tracing::warn!(job.id = %self.job, %error, "a step of a job is tried again");
                    let now = rest;
                    rest = (rest * 2).min(LONGEST_REST);
                    now
                }
                Err(error) => {
                    match run.give_up(&error).await {
                        Ok(Progress::Ended(ended)) => self.tell(&ended),
                        // Its lease ends, and it is taken up again, so often as a job is.
                        Ok(Progress::More) | Err(_) => tracing::error!(job.id = %self.job, %error, "a job is given up"),
                    }
                    return;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Whether the organisation is in use, and with the database that the job works on.
    fn is_open(&self) -> bool {
        let known = self.service.store.organization(self.organization.name());
        let is_active = |known: &custodia_store::Organization| {
            known.state == OrganizationState::Active && known.id == self.organization.id()
        };
        known.is_ok_and(|known| is_active(&known)) && !self.organization.database().is_retired()
    }

    fn tell(&self, ended: &Ended) {
        let (organization, job) = (self.organization.id(), self.job);
        match ended {
            Ended::Succeeded => {
                self.service.jobs.succeeded.fetch_add(1, Ordering::Relaxed);
                tracing::info!(organization.id = %organization, job.id = %job, "a job is through");
            }
            Ended::Failed(reason) => {
                self.service.jobs.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(organization.id = %organization, job.id = %job, %reason, "a job failed");
            }
            Ended::Lost => {
                tracing::info!(organization.id = %organization, job.id = %job, "a job was cancelled or taken over");
            }
        }
    }
}
