//! Who opens which database: one at a time an organisation, and what takes long is not begun anew for the next one.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_schema::Guid;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::Result;
use crate::database::Database;

/// An opening that goes on whether somebody waits for it or not.
pub(crate) struct Begun {
    /// The database, as the control database named it.
    pub name: String,
    /// Ends with the open database. Dropped, it closes what came of it.
    pub opened: JoinHandle<Result<Database>>,
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

    /// Closes what was opened for those who went away, unless somebody waits for it; whether there was something.
    pub(crate) fn forget_unwanted(&self) -> bool {
        let is_over = |place: &Place| {
            Arc::strong_count(place) == 1
                && place.try_lock().is_ok_and(|begun| begun.as_ref().is_none_or(|begun| begun.opened.is_finished()))
        };
        let unwanted: Vec<_> = self.places.lock().extract_if(|_, place| is_over(place)).collect();
        !unwanted.is_empty()
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
