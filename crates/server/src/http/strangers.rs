//! Those who have shown no token: what they keep at work is bounded apart from the rest, so that it takes nothing from users.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::addresses::{Share, Shares};
use crate::config::Limits;

/// The room for strangers.
pub struct Strangers {
    room: Arc<Semaphore>,
    shares: Shares,
    of_an_address: usize,
}

/// A stranger at work, until it is dropped.
pub struct Stranger {
    _room: OwnedSemaphorePermit,
    _share: Share,
}

impl Strangers {
    /// Nobody is in yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            room: Arc::new(Semaphore::new(limits.strangers)),
            shares: Shares::default(),
            of_an_address: limits.address_strangers,
        }
    }

    /// Lets one in; nothing, if there are as many as may be, or as many of that address.
    pub fn admit(&self, source: IpAddr) -> Option<Stranger> {
        let share = self.shares.take(source, self.of_an_address)?;
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        Some(Stranger { _room: room, _share: share })
    }
}
