//! Requests of each organisation that are in the house, from their heads to their answers: one organisation has so many, and
//! the rest of what the service takes on is left for the others.

use std::collections::HashMap;

use custodia_schema::Guid;
use parking_lot::Mutex;

/// Counts requests by organisation; only those that have some are kept.
#[derive(Default)]
pub struct Present(Mutex<HashMap<Guid, u64>>);

/// A request in the house, until it is dropped.
pub struct Guest<'p> {
    present: &'p Present,
    organization: Guid,
}

impl Present {
    /// Lets a request in, unless its organisation has so many already.
    pub fn enter(&self, organization: Guid, limit: u64) -> Option<Guest<'_>> {
        let mut counts = self.0.lock();
        let count = counts.entry(organization).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Guest { present: self, organization })
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut counts = self.present.0.lock();
        if let Some(count) = counts.get_mut(&self.organization) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_organisation_has_so_many_and_the_others_theirs() {
        let (present, north, south) = (Present::default(), Guid::from_u128(1), Guid::from_u128(2));
        let first = present.enter(north, 2).unwrap();
        let second = present.enter(north, 2).unwrap();
        assert!(present.enter(north, 2).is_none());
        let other = present.enter(south, 2).unwrap();
        drop(first);
        let third = present.enter(north, 2).unwrap();
        assert!(present.enter(north, 2).is_none(), "what was refused was not counted");
        drop((second, third, other));
        assert!(present.0.lock().is_empty());
    }
}
