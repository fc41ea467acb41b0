//! The organisations that are open, each with what is known of it: rights, settings and the like. A handle goes before its
//! database is closed.

use std::collections::HashMap;

use custodia_org::Organization;
use custodia_schema::Guid;
use custodia_store::Keeper;
use parking_lot::RwLock;

/// Handles by the organisation's id.
#[derive(Default)]
pub struct Handles(RwLock<HashMap<Guid, Handle>>);

/// A handle that is kept.
#[derive(Clone)]
pub struct Handle {
    /// The organisation.
    pub organization: Organization,
    /// When it was last read which tokens have ended, on the monotonic clock in milliseconds.
    pub revocations_read_ms: u64,
}

impl Handles {
    /// What is kept of an organisation.
    pub fn get(&self, organization: Guid) -> Option<Handle> {
        self.0.read().get(&organization).cloned()
    }

    /// Keeps a handle; the one that is to be used, if another request was quicker.
    pub fn keep(&self, handle: Handle) -> Organization {
        let mut handles = self.0.write();
        let organization = match handles.get(&handle.organization.id()) {
            Some(quicker) if !quicker.organization.database().is_retired() => quicker.organization.clone(),
            _ => handle.organization,
        };
        // One that was closed meanwhile is not to be used again.
        if !organization.database().is_retired() {
            let kept = Handle { organization: organization.clone(), ..handle };
            handles.insert(organization.id(), kept);
        }
        organization
    }
}

impl Keeper for Handles {
    fn let_go(&self, organization: Guid) {
        let mut handles = self.0.write();
        // Nobody gets a handle meanwhile.
        if handles.get(&organization).is_some_and(|handle| handle.organization.is_unused()) {
            handles.remove(&organization);
        }
    }

    fn forget(&self, organization: Guid) {
        self.0.write().remove(&organization);
    }
}
