//! Who opens which database: one at a time an organisation, and what takes long is not begun anew for the next one.
//! Its tests stand with those of the indexes that an opening makes (`own_indexes/tests.rs`): one that lacks its index and is held up
//! takes long.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_schema::Guid;
use parking_lot::Mutex;
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

type Place = Arc<tokio::sync::Mutex<Option<Begun>>>;

/// The organisations that somebody opens now, or whose opening goes on.
#[derive(Default)]
pub(crate) struct Openings {
    places: Mutex<HashMap<Guid, Place>>,
}

/// What somebody holds who wants an organisation opened. Whoever has locked the place is the one who opens it.
pub(crate) struct Turn<'a> {
    openings: &'a Openings,
    organization: Guid,
    /// What was begun before and went on.
    pub place: Place,
}

impl Openings {
    pub(crate) fn turn(&self, organization: Guid) -> Turn<'_> {
        let place = Arc::clone(self.places.lock().entry(organization).or_default());
        Turn { openings: self, organization, place }
    }

    /// Whether an organisation is being opened: somebody is at it, or an opening was begun that nobody took yet.
    pub(crate) fn goes_on(&self, organization: Guid) -> bool {
        let is_taken = |place: &Place| place.try_lock().is_ok_and(|begun| begun.is_none());
        self.places.lock().get(&organization).is_some_and(|place| !is_taken(place))
    }

    /// Whether what was begun for an organisation is over, and nobody took it.
    #[cfg(test)]
    pub(crate) fn is_over(&self, organization: Guid) -> bool {
        let is_over = |begun: &Option<Begun>| begun.as_ref().is_some_and(|begun| begun.opened.is_finished());
        self.places.lock().get(&organization).is_some_and(|place| place.try_lock().is_ok_and(|begun| is_over(&begun)))
    }

    /// Closes what was opened for those who went away, unless somebody waits for it; whether there was something.
    pub(crate) fn forget_unwanted(&self) -> bool {
        let is_over = |place: &Place| {
            Arc::strong_count(place) == 1
                && place.try_lock().is_ok_and(|begun| begun.as_ref().is_none_or(|begun| begun.opened.is_finished()))
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
        if Arc::strong_count(&self.place) == 2 && self.place.try_lock().is_ok_and(|begun| begun.is_none()) {
            places.remove(&self.organization);
        }
    }
}
