//! Who opens which database: one at a time an organisation, and what takes long is not begun anew for the next one.
//! Its tests stand with those of the indexes that an opening makes (`own_indexes/tests.rs`): one that lacks its index and is held up
//! takes long.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use custodia_schema::Guid;
use parking_lot::Mutex;
use tokio::sync::MutexGuard;
use tokio::task::JoinHandle;

use crate::Result;
use crate::database::{Database, off_the_worker};

/// An opening that goes on whether somebody waits for it or not.
pub(crate) struct Begun {
    /// The database, as the control database named it.
    pub name: String,
    /// Ends with the open database. Dropped, it closes what came of it.
    pub opened: JoinHandle<Result<Database>>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        // What nobody comes back for is not made. A thread that is at a file goes on to its end.
        self.opened.abort();
    }
}

/// Where one organisation is opened.
#[derive(Default)]
pub(crate) struct Place {
    /// Whoever has locked it is the one who opens it.
    begun: tokio::sync::Mutex<Option<Begun>>,
    /// Whether something is begun, for those who have not locked it.
    goes_on: AtomicBool,
}

impl Place {
    /// Waits until nobody else opens the organisation.
    pub(crate) async fn lock(&self) -> Opener<'_> {
        Opener { begun: self.begun.lock().await, goes_on: &self.goes_on }
    }
}

/// The one who opens an organisation now. Dropped, it leaves what it began to the next one.
pub(crate) struct Opener<'a> {
    begun: MutexGuard<'a, Option<Begun>>,
    goes_on: &'a AtomicBool,
}

impl Opener<'_> {
    /// What was begun and is not over, or nobody took.
    pub(crate) fn begun(&self) -> Option<&Begun> {
        self.begun.as_ref()
    }

    pub(crate) fn take(&mut self) -> Option<Begun> {
        self.goes_on.store(false, Ordering::Release);
        self.begun.take()
    }

    pub(crate) fn insert(&mut self, begun: Begun) -> &mut Begun {
        self.goes_on.store(true, Ordering::Release);
        self.begun.insert(begun)
    }
}

/// The organisations that somebody opens now, or whose opening goes on.
#[derive(Default)]
pub(crate) struct Openings {
    places: Mutex<HashMap<Guid, Arc<Place>>>,
}

/// What somebody holds who wants an organisation opened.
pub(crate) struct Turn<'a> {
    openings: &'a Openings,
    organization: Guid,
    /// With what was begun before and went on.
    pub place: Arc<Place>,
}

impl Openings {
    pub(crate) fn turn(&self, organization: Guid) -> Turn<'_> {
        let place = Arc::clone(self.places.lock().entry(organization).or_default());
        Turn { openings: self, organization, place }
    }

    /// Whether an organisation is being opened: that was begun, and nobody took it yet. Whoever waits for leave has not begun.
    pub(crate) fn goes_on(&self, organization: Guid) -> bool {
        self.places.lock().get(&organization).is_some_and(|place| place.goes_on.load(Ordering::Acquire))
    }

    /// Whether what was begun for an organisation is over, and nobody took it.
    #[cfg(test)]
    pub(crate) fn is_over(&self, organization: Guid) -> bool {
        let is_over = |begun: &Option<Begun>| begun.as_ref().is_some_and(|begun| begun.opened.is_finished());
        self.places
            .lock()
            .get(&organization)
            .is_some_and(|place| place.begun.try_lock().is_ok_and(|begun| is_over(&begun)))
    }

    /// Closes what was opened for those who went away, unless somebody waits for it; whether there was something.
    pub(crate) fn forget_unwanted(&self) -> bool {
        let is_over = |place: &Arc<Place>| {
            Arc::strong_count(place) == 1
                && place
                    .begun
                    .try_lock()
                    .is_ok_and(|begun| begun.as_ref().is_none_or(|begun| begun.opened.is_finished()))
        };
        let unwanted: Vec<_> = self.places.lock().extract_if(|_, place| is_over(place)).collect();
        let found = !unwanted.is_empty();
        // What is left in the log of a file is moved into it.
        off_the_worker(|| drop(unwanted));
        found
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut places = self.openings.places.lock();
        // The registry's and this one: nobody else waits, and nobody gets another while it is locked.
        if Arc::strong_count(&self.place) == 2 && self.place.begun.try_lock().is_ok_and(|begun| begun.is_none()) {
            places.remove(&self.organization);
        }
    }
}
