//! Those who have shown no token: what they keep at work, and how many databases they have opened, is bounded apart from the
//! rest, so that it takes nothing from users.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::addresses::{Share, Shares, site_of};
use crate::config::Limits;

const MINUTE_MS: u64 = 60_000;

/// The room for strangers.
pub struct Strangers {
    room: Arc<Semaphore>,
    shares: Shares,
    of_an_address: usize,
    openings: Mutex<Openings>,
    openings_max: u32,
    openings_of_an_address: u32,
}

/// A stranger at work, until it is dropped.
pub struct Stranger {
    _room: OwnedSemaphorePermit,
    _share: Option<Share>,
}

/// Databases that were opened for strangers within one minute. Never more addresses are in it than openings are counted.
#[derive(Default)]
struct Openings {
    minute: u64,
    all: u32,
    of: HashMap<IpAddr, u32>,
}

/// As many databases were opened for strangers as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyOpenings {
    /// Seconds until more may be.
    pub retry_after: u64,
}

impl Strangers {
    /// Nobody is in yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            room: Arc::new(Semaphore::new(limits.strangers)),
            shares: Shares::default(),
            of_an_address: limits.address_strangers,
            openings: Mutex::default(),
            openings_max: limits.strangers_openings,
            openings_of_an_address: limits.address_strangers_openings,
        }
    }

    /// Lets one in; nothing, if there are as many as may be, or as many of that address, where addresses tell clients apart.
    pub fn admit(&self, source: Option<IpAddr>) -> Option<Stranger> {
        let share = match source {
            Some(source) => Some(self.shares.take(source, self.of_an_address)?),
            None => None,
        };
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        Some(Stranger { _room: room, _share: share })
    }

    /// Leave to have one more database opened, on the monotonic clock in milliseconds. What is refused is not counted.
    ///
    /// # Errors
    /// [`TooManyOpenings`], of all strangers or of that address.
    pub fn open(&self, source: Option<IpAddr>, now_ms: u64) -> Result<(), TooManyOpenings> {
        let minute = now_ms / MINUTE_MS;
        let refused = TooManyOpenings { retry_after: (MINUTE_MS - now_ms % MINUTE_MS).div_ceil(1_000) };
        let mut openings = self.openings.lock();
        if openings.minute != minute {
            *openings = Openings { minute, ..Openings::default() };
        }
        if openings.all >= self.openings_max {
            return Err(refused);
        }
        if let Some(source) = source {
            let of_the_address = openings.of.entry(site_of(source)).or_default();
            if *of_the_address >= self.openings_of_an_address {
                return Err(refused);
            }
            *of_the_address += 1;
        }
        openings.all += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn databases_are_opened_for_strangers_so_often_in_a_minute() {
        let limits = Limits { strangers_openings: 3, address_strangers_openings: 2, ..Limits::default() };
        let strangers = Strangers::new(&limits);
        let open = |text: &str, now_ms| strangers.open(Some(text.parse().unwrap()), now_ms);
        let begun = 7 * MINUTE_MS;
        assert_eq!((open("192.0.2.1", begun), open("::ffff:192.0.2.1", begun + 1)), (Ok(()), Ok(())));
        assert_eq!(open("192.0.2.1", begun + 2), Err(TooManyOpenings { retry_after: 60 }));
        // Another address has its own, until all of them together have theirs.
        assert_eq!(open("192.0.2.2", begun + 3), Ok(()));
        assert_eq!(open("192.0.2.3", begun + MINUTE_MS - 1), Err(TooManyOpenings { retry_after: 1 }));
        assert!(strangers.openings.lock().of.len() <= 3);
        assert_eq!(open("192.0.2.1", begun + MINUTE_MS), Ok(()));
        assert_eq!(strangers.openings.lock().of.len(), 1);
    }

    #[test]
    fn where_addresses_do_not_tell_clients_apart_all_have_what_there_is() {
        let limits = Limits { strangers: 3, address_strangers: 1, strangers_openings: 3, ..Limits::default() };
        let strangers = Strangers::new(&Limits { address_strangers_openings: 1, ..limits });
        let held: Vec<_> = (0..3).map(|_| strangers.admit(None).unwrap()).collect();
        assert!(strangers.admit(None).is_none());
        drop(held);
        let opened = (0..4).filter(|_| strangers.open(None, MINUTE_MS).is_ok()).count();
        assert_eq!(opened, 3);
    }
}
