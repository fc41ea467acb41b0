//! The databases that are open: as many as may be, each until nobody has used it for long or another one needs its place.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use custodia_schema::Guid;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::database::{Database, off_the_worker};
use crate::{Error, Result};

/// How long the end of somebody's use of a database is waited for before it is looked again whether one may be closed.
const ROOM_LOOK_MS: u64 = 2;

/// What the owner of a store keeps of open organisations, such as rights: it goes before their databases are closed.
pub trait Keeper: Send + Sync {
    /// Lets go of what is kept of an organisation, unless somebody uses it at this moment.
    fn let_go(&self, organization: Guid);
    /// Lets go of it in any case: its database is not to be used any more.
    fn forget(&self, organization: Guid);
}

/// What was written since the installation was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteTotals {
    /// Batches committed, one flush each.
    pub batches: u64,
    /// Requests whose writes were committed.
    pub requests: u64,
    /// Batches run a second time.
    pub retries: u64,
    /// Requests waiting now.
    pub waiting: u64,
}

impl WriteTotals {
    /// Adds what a database has written.
    fn add(&mut self, database: &Database) {
        let counters = database.counters();
        self.batches += counters.batches();
        self.requests += counters.requests();
        self.retries += counters.retries();
    }
}

struct Opened {
    database: Database,
    /// The file, or the PostgreSQL database, as the control database named it.
    name: String,
}

pub(crate) struct OpenDatabases {
    open: Mutex<HashMap<Guid, Opened>>,
    most: usize,
    /// One permit for each database that may be open; an open one holds it until its connections are closed.
    room: Arc<Semaphore>,
    keeper: OnceLock<Arc<dyn Keeper>>,
    opened: AtomicU64,
    /// What those wrote that are not open any more. Locked while `open` is: each is in one of the two.
    closed_totals: Mutex<WriteTotals>,
    checkpoints_failing: Mutex<HashSet<Guid>>,
}

impl OpenDatabases {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            open: Mutex::default(),
            most,
            room: Arc::new(Semaphore::new(most)),
            keeper: OnceLock::new(),
            opened: AtomicU64::new(0),
            closed_totals: Mutex::default(),
            checkpoints_failing: Mutex::default(),
        }
    }

    /// Says who is to let go of an organisation before its database is closed. Only the first one counts.
    pub(crate) fn keep_with(&self, keeper: Arc<dyn Keeper>) {
        let _ = self.keeper.set(keeper);
    }

    pub(crate) fn get(&self, organization: Guid) -> Option<Database> {
        self.open.lock().get(&organization).map(|opened| opened.database.clone())
    }

    /// The databases that are open now, one at a time: while one is held here it cannot be closed for another's sake.
    pub(crate) fn each(&self) -> impl Iterator<Item = Database> {
        let open: Vec<_> = self.open.lock().keys().copied().collect();
        open.into_iter().filter_map(|organization| self.get(organization))
    }

    pub(crate) fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// How many were opened, each time anew.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    pub(crate) fn write_totals(&self) -> WriteTotals {
        let open = self.open.lock();
        let mut totals = *self.closed_totals.lock();
        for opened in open.values() {
            totals.add(&opened.database);
            totals.waiting += opened.database.writes_waiting() as u64;
        }
        totals
    }

    /// Leave to open one more; where as many are open as may be, what `gives_way` closes (whether it did) or the least
    /// recently used one that nobody uses now makes room.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if all are in use for that long.
    pub(crate) async fn room_for_one(
        &self,
        patience_ms: u64,
        gives_way: impl Fn() -> bool,
    ) -> Result<OwnedSemaphorePermit> {
        let look = Duration::from_millis(ROOM_LOOK_MS);
        for _ in 0..=patience_ms / ROOM_LOOK_MS {
            if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
                return Ok(room);
            }
            if gives_way() || self.close_least_used() {
                continue;
            }
            // All are in use: one of them may be closed as soon as its request is answered.
            if let Ok(Ok(room)) = tokio::time::timeout(look, Arc::clone(&self.room).acquire_owned()).await {
                return Ok(room);
            }
        }
        Err(self.no_room())
    }

    /// What is answered to whoever has waited for room for as long as one may.
    pub(crate) fn no_room(&self) -> Error {
        let context = format!("all {} databases that may be open at one time are in use", self.most);
        Error::Unavailable { context, source: None }
    }

    /// Adds what was just opened, under the name that the control database gave it.
    pub(crate) fn add(&self, organization: Guid, database: Database, name: String) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(organization, Opened { database, name });
    }

    /// Lets go of a database; whoever still has a handle is refused.
    pub(crate) fn forget(&self, organization: Guid) {
        self.forget_if(organization, |_| true);
    }

    /// The same if it is the one that is meant, by the name that the control database gave it.
    fn forget_if(&self, organization: Guid, is_meant: impl Fn(&str) -> bool) {
        let forgotten = {
            let mut open = self.open.lock();
            if open.get(&organization).is_some_and(|opened| !is_meant(&opened.name)) {
                return;
            }
            let forgotten = open.remove(&organization);
            if let Some(forgotten) = &forgotten {
                self.closed_totals.lock().add(&forgotten.database);
            }
            forgotten
        };
        self.checkpoints_failing.lock().remove(&organization);
        if let Some(Opened { database, .. }) = forgotten {
            // Before it is let go of, so that nobody keeps it afterwards.
            database.retire();
        }
        if let Some(keeper) = self.keeper.get() {
            keeper.forget(organization);
        }
    }

    /// Lets go of all but those of these organisations, under these names. They are asked for after it was looked what is open:
    /// what is made or restored meanwhile stays.
    pub(crate) fn forget_all_but(&self, present: impl FnOnce() -> HashMap<Guid, String>) {
        let open: Vec<_> = self.open.lock().iter().map(|(id, opened)| (*id, opened.name.clone())).collect();
        let present = present();
        for (organization, name) in open.into_iter().filter(|(id, name)| present.get(id) != Some(name)) {
            self.forget_if(organization, |opened| opened == name);
        }
    }

    /// Closes those that nobody has used for longer than `limit_ms`.
    pub(crate) fn close_idle(&self, now_ms: u64, limit_ms: u64) {
        let open: Vec<_> = self.open.lock().iter().map(|(id, opened)| (*id, opened.database.last_used_ms())).collect();
        for (id, _) in open.into_iter().filter(|(_, last_used)| now_ms.saturating_sub(*last_used) > limit_ms) {
            self.close_unused(id);
        }
    }

    /// Closes the least recently used of those that nobody uses now; whether there was one.
    fn close_least_used(&self) -> bool {
        let mut open: Vec<_> =
            self.open.lock().iter().map(|(id, opened)| (opened.database.last_used_ms(), *id)).collect();
        open.sort_unstable();
        open.into_iter().any(|(_, id)| self.close_unused(id))
    }

    /// Closes a database unless somebody uses it now; whether it was closed.
    fn close_unused(&self, organization: Guid) -> bool {
        if let Some(keeper) = self.keeper.get() {
            keeper.let_go(organization);
        }
        let closed = {
            let mut open = self.open.lock();
            // Nobody gets a handle while the registry is locked.
            if !open.get(&organization).is_some_and(|opened| opened.database.is_idle()) {
                return false;
            }
            let closed = open.remove(&organization);
            if let Some(closed) = &closed {
                self.closed_totals.lock().add(&closed.database);
            }
            closed
        };
        if let Some(closed) = closed {
            // It is told of again when it is opened again.
            self.checkpoints_failing.lock().remove(&organization);
            // What is left in its log is moved into the file.
            off_the_worker(|| drop(closed));
        }
        true
    }

    /// Tells when checkpoints of an organisation begin to fail, and when they no longer do: they are tried ten times a second.
    pub(crate) fn tell_of_checkpoint(&self, organization: Guid, checkpoint: Result<()>) {
        let mut failing = self.checkpoints_failing.lock();
        match checkpoint {
            Err(error) if failing.insert(organization) => {
                tracing::warn!(organization.id = %organization, %error, "a checkpoint failed; it is tried again and again");
            }
            Ok(()) if failing.remove(&organization) => {
                tracing::warn!(organization.id = %organization, "checkpoints succeed again");
            }
            _ => {}
        }
    }

    /// Lets go of all.
    pub(crate) fn close(&self) {
        let open: Vec<_> = self.open.lock().drain().collect();
        if let Some(keeper) = self.keeper.get() {
            // A file is closed with the last handle on it.
            open.iter().for_each(|(organization, _)| keeper.forget(*organization));
        }
    }
}
