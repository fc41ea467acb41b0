//! The page caches of open embedded databases: all of them together have so much memory, divided by use.
//!
//! Every connection has [`LEAST_KIBIBYTES`] in any case. What is beyond is taken from a budget and given back to it, so that
//! there is never more of it given out than there is. Once a second it is worked out anew what each database may have: of one
//! half of the budget all that are in use have equal parts, of the other half parts by how often they were asked, and one has
//! half of the budget at most. A database that rests has none. A connection takes on its new size between two
//! statements: when it is used next, or while it lies idle.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What the cache of each connection may hold in any case, in KiB: the pages that finding one row passes.
pub(crate) const LEAST_KIBIBYTES: u32 = 64;
/// What one database has of the budget at most: a half.
const PART_MAX: u32 = 2;
/// Milliseconds between two divisions.
const DIVISION_MS: u64 = 1_000;
/// Divisions after which a connection that was not used meanwhile gives its part back: some seconds, so that whoever asks now and
/// then finds pages.
const KEPT_DIVISIONS: u32 = 10;
/// Connections of a database of which nothing is known yet: one that reads and the one that writes.
const CONNECTIONS_FIRST: u32 = 2;

/// The memory for all page caches, and what is given out of it.
pub(crate) struct PageCaches {
    budget: u32,
    given: AtomicU32,
    in_use: AtomicU32,
    divided_ms: AtomicU64,
}

/// What one database may have, and what it is asked for. All sizes are KiB beyond the least.
pub(crate) struct CacheShare {
    asked: AtomicU32,
    /// How often it was asked, of late above all; 0 while it rests.
    weight: AtomicU32,
    /// Its connections that were used of late.
    connections: AtomicU32,
    kibibytes: AtomicU32,
}

/// The cache of one connection.
pub(crate) struct PageCache {
    caches: Arc<PageCaches>,
    share: Arc<CacheShare>,
    held: Cell<u32>,
    /// Divisions since it was used.
    unused: Cell<u32>,
}

impl PageCaches {
    /// A budget in MiB.
    pub(crate) fn new(mebibytes: u32) -> Self {
        Self {
            budget: mebibytes.saturating_mul(1024),
            given: AtomicU32::new(0),
            in_use: AtomicU32::new(0),
            divided_ms: AtomicU64::new(0),
        }
    }

    /// Whether a second has passed since the last division; the next one is counted from now.
    pub(crate) fn is_due(&self, now_ms: u64) -> bool {
        let last = self.divided_ms.load(Ordering::Relaxed);
        let due = now_ms.saturating_sub(last) >= DIVISION_MS;
        due && self.divided_ms.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Works out what each of these databases, which are all that are open, may have from now on.
    pub(crate) fn divide(&self, shares: &[Arc<CacheShare>]) {
        let weights: Vec<u32> = shares.iter().map(|share| share.weigh()).collect();
        let in_use = weights.iter().filter(|weight| **weight > 0).count();
        let in_use = u32::try_from(in_use).unwrap_or(u32::MAX);
        self.in_use.store(in_use, Ordering::Relaxed);
        let all: u64 = weights.iter().copied().map(u64::from).sum();
        for (share, weight) in shares.iter().zip(weights) {
            share.kibibytes.store(self.part(in_use, weight, all), Ordering::Relaxed);
        }
    }

    fn part(&self, in_use: u32, weight: u32, all: u64) -> u32 {
        if weight == 0 {
            return 0;
        }
        let half = self.budget / 2;
        let by_use = u64::from(half) * u64::from(weight) / all.max(1);
        let part = half / in_use.max(1) + u32::try_from(by_use).unwrap_or(half);
        part.min(self.budget / PART_MAX)
    }

    /// Takes more from the budget, as far as there is more, or gives some back; what is held then.
    fn exchange(&self, held: u32, wanted: u32) -> u32 {
        let mut granted = held;
        let _ = self.given.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |given| {
            let others = given.saturating_sub(held);
            granted = wanted.min(self.budget.saturating_sub(others));
            Some(others + granted)
        });
        granted
    }
}

impl CacheShare {
    pub(crate) fn new() -> Self {
        Self {
            asked: AtomicU32::new(0),
            weight: AtomicU32::new(0),
            connections: AtomicU32::new(CONNECTIONS_FIRST),
            kibibytes: AtomicU32::new(0),
        }
    }

    /// How much it is in use: what was asked of late counts twice what was asked before. Who was asked once stays in use until
    /// it rests.
    fn weigh(&self) -> u32 {
        let before = self.weight.load(Ordering::Relaxed);
        let weight = (before - before / 2).saturating_add(self.asked.swap(0, Ordering::Relaxed));
        self.weight.store(weight, Ordering::Relaxed);
        weight
    }

    /// Nobody asks any more.
    pub(crate) fn rest(&self) {
        for number in [&self.asked, &self.weight, &self.kibibytes] {
            number.store(0, Ordering::Relaxed);
        }
    }

    /// How many connections share it from now on.
    pub(crate) fn set_connections(&self, connections: u32) {
        self.connections.store(connections.max(1), Ordering::Relaxed);
    }
}

impl PageCache {
    pub(crate) fn new(caches: Arc<PageCaches>, share: Arc<CacheShare>) -> Self {
        Self { caches, share, held: Cell::new(0), unused: Cell::new(KEPT_DIVISIONS) }
    }

    /// It is about to be used. A database that has rested gets its part at once, and not with the next division.
    pub(crate) fn ask(&self) {
        self.unused.set(0);
        self.share.asked.fetch_add(1, Ordering::Relaxed);
        if self.share.kibibytes.load(Ordering::Relaxed) == 0 {
            let in_use = self.caches.in_use.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            self.share.kibibytes.store(self.caches.part(in_use, 1, u64::from(in_use)), Ordering::Relaxed);
        }
    }

    /// Counts a division; whether it was used so lately that it has a part in it.
    pub(crate) fn has_part(&self) -> bool {
        let unused = self.unused.get();
        self.unused.set(unused.saturating_add(1));
        unused < KEPT_DIVISIONS
    }

    /// The size that it is to have from now on, in KiB, if that is another one: its part, as far as the budget has it, or the
    /// least for who is not used. To be told to SQLite before [`Self::resized`].
    pub(crate) fn resize(&self, is_used: bool) -> Option<u32> {
        let share = &self.share;
        let part = share.kibibytes.load(Ordering::Relaxed) / share.connections.load(Ordering::Relaxed).max(1);
        let (held, wanted) = (self.held.get(), if is_used { part } else { 0 });
        // A little more is not worth a statement.
        if wanted == held || (wanted > held && wanted - held < held / 4) {
            return None;
        }
        if wanted < held {
            return Some(LEAST_KIBIBYTES + wanted);
        }
        let granted = self.caches.exchange(held, wanted);
        self.held.set(granted);
        (granted != held).then_some(LEAST_KIBIBYTES + granted)
    }

    /// SQLite has taken on that size: what it gave up is free for others only now.
    pub(crate) fn resized(&self, kibibytes: u32) {
        let held = kibibytes.saturating_sub(LEAST_KIBIBYTES);
        self.held.set(self.caches.exchange(self.held.get(), held));
    }
}

impl Drop for PageCache {
    fn drop(&mut self) {
        self.caches.exchange(self.held.get(), 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn parts(shares: &[Arc<CacheShare>]) -> Vec<u32> {
        shares.iter().map(|share| share.kibibytes.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn who_is_asked_more_has_more_and_all_together_have_the_budget() {
        let caches = PageCaches::new(64);
        let shares: Vec<_> = (0..100).map(|_| Arc::new(CacheShare::new())).collect();
        let ask = |at: u32, times: u32| {
            shares[at as usize].asked.fetch_add(times, Ordering::Relaxed);
        };
        caches.divide(&shares);
        assert_eq!(parts(&shares), vec![0; 100], "nobody was asked");
        ask(7, 1);
        caches.divide(&shares);
        assert_eq!(parts(&shares)[7], 32 * 1024, "one alone has half");
        // Others come, one of them is asked far more.
        (0..50).for_each(|at| ask(at, 10));
        ask(3, 100_000);
        caches.divide(&shares);
        let divided = parts(&shares);
        assert_eq!(divided[3], 32 * 1024);
        assert!(divided[..50].iter().all(|part| *part >= 32 * 1024 / 50), "{divided:?}");
        assert!(divided[50..].iter().all(|part| *part == 0));
        for round in 0_u32..200 {
            (0..100).filter(|at| (at + round) % 7 == 0).for_each(|at| ask(at, at * round % 91));
            caches.divide(&shares);
            assert!(parts(&shares).iter().sum::<u32>() <= 64 * 1024, "{round}");
        }
        // Who is not asked any more falls behind, and has nothing once it rests.
        assert!(parts(&shares)[3] < 4 * 1024);
        shares[3].rest();
        caches.divide(&shares);
        assert_eq!(parts(&shares)[3], 0);
    }

    #[test]
    fn connections_hold_no_more_than_there_is() {
        let caches = Arc::new(PageCaches::new(1));
        let shares: Vec<_> = (0..20).map(|_| Arc::new(CacheShare::new())).collect();
        let connections: Vec<_> = shares
            .iter()
            .flat_map(|share| (0..3).map(|_| PageCache::new(Arc::clone(&caches), Arc::clone(share))))
            .collect();
        let held = || connections.iter().map(|connection| connection.held.get()).sum::<u32>();
        let use_all = || {
            for connection in &connections {
                connection.ask();
                if let Some(size) = connection.resize(true) {
                    connection.resized(size);
                }
                assert!(held() <= 1024 && held() == caches.given.load(Ordering::Relaxed), "{}", held());
            }
        };
        for _ in 0..5 {
            use_all();
            caches.divide(&shares);
        }
        assert!(held() > 512, "it is given out: {}", held());
        // What is told to SQLite later is not free before.
        let connection = connections.iter().find(|connection| connection.held.get() > 0).unwrap();
        let (before, size) = (held(), connection.resize(false).unwrap());
        assert_eq!((size, held()), (LEAST_KIBIBYTES, before));
        connection.resized(size);
        assert!(held() < before);
        drop(connections);
        assert_eq!(caches.given.load(Ordering::Relaxed), 0);
    }
}
