//! Whose audit moved since it was last asked: those are the heads to be published. What is noted outlives the closing of a
//! database.

use std::collections::HashMap;

use custodia_schema::Guid;
use parking_lot::Mutex;

use crate::seal::Place;
use crate::store::Store;

/// Where an organisation's audit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovedAudit {
    /// The organisation.
    pub organization: Guid,
    /// Its epoch.
    pub epoch: i64,
    /// The last number and the chain up to it.
    pub place: Place,
}

/// Organisations by their ids, each with its epoch and where its audit stands.
#[derive(Default)]
pub(crate) struct MovedAudits(Mutex<HashMap<Guid, (i64, Place)>>);

impl MovedAudits {
    /// Notes where an audit stands, unless something later is noted already.
    pub(crate) fn note(&self, organization: Guid, epoch: i64, place: Place) {
        let mut moved = self.0.lock();
        let noted = moved.entry(organization).or_insert((epoch, place));
        if (noted.0, noted.1.number) < (epoch, place.number) {
            *noted = (epoch, place);
        }
    }
}

impl Store {
    /// Takes the audits that moved since the last time, and those of databases that were opened.
    #[must_use]
    pub fn take_moved_audits(&self) -> Vec<MovedAudit> {
        let moved = std::mem::take(&mut *self.services().audits.0.lock());
        let mut moved: Vec<_> =
            moved.into_iter().map(|(organization, (epoch, place))| MovedAudit { organization, epoch, place }).collect();
        moved.sort_by_key(|audit| audit.organization);
        moved
    }

    /// Notes audits again whose heads could not be published.
    pub fn give_back_moved_audits(&self, audits: &[MovedAudit]) {
        for audit in audits {
            self.services().audits.note(audit.organization, audit.epoch, audit.place);
        }
    }
}
