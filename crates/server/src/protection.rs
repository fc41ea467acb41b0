//! Service protection limits: what one user may ask of an organisation within five minutes, and what all users of one
//! organisation together, so that nobody takes the service from the others. Each node counts for itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

use custodia_schema::Guid;
use custodia_store::Clock;
use parking_lot::Mutex;

use crate::config::Limits;

/// The window, in slices that are forgotten one by one.
const SLICES: usize = 10;
const SLICE_MS: u64 = 30_000;
/// Whoever is counted is counted in one of so many places, so that few wait for one another.
const PLACES: usize = 16;
/// Stands for no bound.
const UNBOUNDED: u64 = u64::MAX;

/// Counts the requests of users and of organisations.
pub struct Protection {
    users: Counts<User>,
    organizations: Counts<Guid>,
    user_bounds: Bounds,
}

/// Counts requests by whom they are of.
struct Counts<K> {
    places: [Mutex<HashMap<K, Usage>>; PLACES],
    hasher: RandomState,
}

/// A user of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The organisation.
    pub organization: Guid,
    /// The user.
    pub user: Guid,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    requests: u64,
    busy_ms: u64,
    running: u64,
}

#[derive(Default)]
struct Usage {
    slices: [Slice; SLICES],
    running: u64,
}

#[derive(Clone, Copy, Default)]
struct Slice {
    number: u64,
    requests: u64,
    busy_ms: u64,
}

/// A limit that a user has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Too many requests within the window.
    Requests,
    /// Too much time within the window.
    Time,
    /// Too many at one time.
    Concurrency,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One user's.
    User,
    /// That of all users of an organisation together.
    Organization,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose limit.
    pub whose: Whose,
    /// Why.
    pub reached: Reached,
    /// Seconds after which it is worth while to try again.
    pub retry_after: u64,
}

impl Reached {
    /// Dataverse's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Requests => "0x80072322",
            Self::Time => "0x80072321",
            Self::Concurrency => "0x80072326",
        }
    }
}

impl Refused {
    /// An organisation has as many requests at one time as it may have.
    pub fn too_many_of_organization() -> Self {
        Self { whose: Whose::Organization, reached: Reached::Concurrency, retry_after: 1 }
    }

    /// What the caller is told.
    pub fn message(self) -> &'static str {
        match (self.whose, self.reached) {
            (Whose::User, Reached::Requests) => {
                "Number of requests exceeded the limit for one user within 5 minutes. Send fewer."
            }
            (Whose::User, Reached::Time) => {
                "Combined execution time of requests exceeded the limit for one user within 5 minutes."
            }
            (Whose::User, Reached::Concurrency) => {
                "Number of concurrent requests exceeded the limit for one user. Send fewer at one time."
            }
            (Whose::Organization, Reached::Requests) => {
                "Number of requests exceeded the limit for this organisation within 5 minutes. Send fewer."
            }
            (Whose::Organization, Reached::Time | Reached::Concurrency) => {
                "Number of concurrent requests exceeded the limit for this organisation. Send fewer at one time."
            }
        }
    }
}

/// What a user has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Requests in this window.
    pub requests: u64,
    /// Milliseconds of work in this window.
    pub busy_ms: u64,
}

/// A request at work. It counts as running until it is dropped, and its time is its user's however it ends: one that was cut
/// off, stopped or refused on the way has worked, too.
pub struct Work<'p> {
    protection: &'p Protection,
    clock: &'p dyn Clock,
    user: Counted<'p, User>,
    _organization: Counted<'p, Guid>,
    /// Since when it is at work; nothing while the client sends it.
    started_ms: Option<u64>,
}

/// A request that counts as running until it is dropped.
struct Counted<'c, K: Eq + Hash + Copy> {
    counts: &'c Counts<K>,
    whose: K,
}

impl Protection {
    /// Nothing counted yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            users: Counts::new(),
            organizations: Counts::new(),
            user_bounds: Bounds {
                requests: limits.user_requests,
                busy_ms: limits.user_seconds.saturating_mul(1_000),
                running: limits.user_concurrent_requests,
            },
        }
    }

    /// Begins a request of a user, whose organisation may ask so many times in the window. No time is counted before
    /// [`Work::begin`].
    ///
    /// # Errors
    /// When the user or the organisation has reached a limit.
    pub fn enter<'p>(
        &'p self,
        user: User,
        organization_requests: u64,
        clock: &'p dyn Clock,
    ) -> Result<Work<'p>, Refused> {
        let now_ms = clock.monotonic_ms();
        let refused = |whose| move |(reached, retry_after)| Refused { whose, reached, retry_after };
        let one = self.users.begin(user, self.user_bounds, now_ms).map_err(refused(Whose::User))?;
        let all = Bounds { requests: organization_requests, busy_ms: UNBOUNDED, running: UNBOUNDED };
        let all = self.organizations.begin(user.organization, all, now_ms).map_err(|why| {
            // It was not done: it is not one that the user asked for.
            one.take_back(now_ms);
            refused(Whose::Organization)(why)
        })?;
        Ok(Work { protection: self, clock, user: one, _organization: all, started_ms: None })
    }

    /// Forgets users and organisations who asked for nothing within the window.
    pub fn forget_idle(&self, now_ms: u64) {
        self.users.forget_idle(now_ms);
        self.organizations.forget_idle(now_ms);
    }

    /// Requests of an organisation within the window.
    #[cfg(test)]
    fn requests_of(&self, organization: Guid, now_ms: u64) -> u64 {
        self.organizations.place(organization).lock().get(&organization).map_or(0, |usage| usage.in_window(now_ms).0)
    }
}

impl<K: Eq + Hash + Copy> Counts<K> {
    fn new() -> Self {
        Self { places: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }

    /// Begins a request; else the limit that was reached, and the seconds after which it is worth while to try again.
    fn begin(&self, whose: K, bounds: Bounds, now_ms: u64) -> Result<Counted<'_, K>, (Reached, u64)> {
        let mut place = self.place(whose).lock();
        let usage = place.entry(whose).or_default();
        let (requests, busy_ms) = usage.in_window(now_ms);
        if usage.running >= bounds.running {
            return Err((Reached::Concurrency, 1));
        }
        if requests >= bounds.requests {
            return Err((Reached::Requests, usage.seconds_until(now_ms, |(requests, _)| requests < bounds.requests)));
        }
        if busy_ms >= bounds.busy_ms {
            return Err((Reached::Time, usage.seconds_until(now_ms, |(_, busy_ms)| busy_ms < bounds.busy_ms)));
        }
        usage.running += 1;
        usage.slice(now_ms).requests += 1;
        Ok(Counted { counts: self, whose })
    }

    fn forget_idle(&self, now_ms: u64) {
        for place in &self.places {
            place.lock().retain(|_, usage| usage.running > 0 || usage.in_window(now_ms) != (0, 0));
        }
    }

    fn place(&self, whose: K) -> &Mutex<HashMap<K, Usage>> {
        let [first, ..] = &self.places;
        let at = usize::try_from(self.hasher.hash_one(whose) % PLACES as u64).unwrap_or(0);
        self.places.get(at).unwrap_or(first)
    }
}

impl Work<'_> {
    /// Counts the time from now on: how long the client took to send it is no work.
    pub fn begin(&mut self) {
        self.started_ms = Some(self.clock.monotonic_ms());
    }

    /// Counts the time that the request took; what the user has left.
    pub fn end(mut self) -> Remaining {
        let now_ms = self.clock.monotonic_ms();
        self.count(now_ms);
        let bounds = self.protection.user_bounds;
        let place = self.protection.users.place(self.user.whose).lock();
        let (requests, busy_ms) = place.get(&self.user.whose).map_or((0, 0), |usage| usage.in_window(now_ms));
        Remaining {
            requests: bounds.requests.saturating_sub(requests),
            busy_ms: bounds.busy_ms.saturating_sub(busy_ms),
        }
    }

    /// Counts the time since it began, once.
    fn count(&mut self, now_ms: u64) {
        let Some(started_ms) = self.started_ms.take() else { return };
        let mut users = self.protection.users.place(self.user.whose).lock();
        let usage = users.entry(self.user.whose).or_default();
        usage.slice(now_ms).busy_ms += now_ms.saturating_sub(started_ms);
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if self.started_ms.is_some() {
            self.count(self.clock.monotonic_ms());
        }
    }
}

impl<K: Eq + Hash + Copy> Counted<'_, K> {
    /// Counts it no longer as asked for.
    fn take_back(&self, now_ms: u64) {
        if let Some(usage) = self.counts.place(self.whose).lock().get_mut(&self.whose) {
            let slice = usage.slice(now_ms);
            slice.requests = slice.requests.saturating_sub(1);
        }
    }
}

impl<K: Eq + Hash + Copy> Drop for Counted<'_, K> {
    fn drop(&mut self) {
        if let Some(usage) = self.counts.place(self.whose).lock().get_mut(&self.whose) {
            usage.running = usage.running.saturating_sub(1);
        }
    }
}

/// The number of the slice of a moment; 0 is that of a slice which was never used.
fn slice_number(now_ms: u64) -> u64 {
    now_ms / SLICE_MS + 1
}

impl Usage {
    /// Requests and milliseconds of the slices that count now.
    fn in_window(&self, now_ms: u64) -> (u64, u64) {
        let now = slice_number(now_ms);
        let counted = self.slices.iter().filter(|slice| slice.number + SLICES as u64 > now);
        counted.fold((0, 0), |(requests, busy_ms), slice| (requests + slice.requests, busy_ms + slice.busy_ms))
    }

    /// Seconds until enough slices have gone that what is left, requests and milliseconds, is good for one more request. All
    /// that was asked for may be in the youngest slice, which is the last to go.
    fn seconds_until(&self, now_ms: u64, is_enough: impl Fn((u64, u64)) -> bool) -> u64 {
        let next_ms = now_ms - now_ms % SLICE_MS + SLICE_MS;
        let mut ends = (0..SLICES as u64).map(|slices| next_ms + slices * SLICE_MS);
        let end = ends.clone().find(|end| is_enough(self.in_window(*end))).or(ends.next_back());
        end.unwrap_or(next_ms).saturating_sub(now_ms).div_ceil(1_000)
    }

    /// The slice of this moment.
    fn slice(&mut self, now_ms: u64) -> &mut Slice {
        let number = slice_number(now_ms);
        let [first, ..] = &self.slices;
        let mut oldest = (0, first.number);
        for (at, slice) in self.slices.iter().enumerate() {
            if slice.number == number {
                oldest = (at, number);
                break;
            }
            if slice.number < oldest.1 {
                oldest = (at, slice.number);
            }
        }
        let at = oldest.0.min(SLICES - 1);
        #[expect(clippy::indexing_slicing, reason = "the position was found in the same array")]
        let slice = &mut self.slices[at];
        if slice.number != number {
            *slice = Slice { number, ..Slice::default() };
        }
        slice
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;
    use crate::ambient::HeldClock;

    const ANNE: User = User { organization: Guid::from_u128(1), user: Guid::from_u128(2) };
    const BEN: User = User { user: Guid::from_u128(3), ..ANNE };
    /// An organisation without a limit.
    const ANY: u64 = u64::MAX;

    /// The limits, by a clock that stands where the last call left it.
    struct Limited {
        protection: Protection,
        clock: HeldClock,
    }

    impl Limited {
        /// A request that is at work since that moment.
        fn begin(&self, user: User, organization_requests: u64, now_ms: u64) -> Result<Work<'_>, Refused> {
            self.clock.set(now_ms);
            let mut work = self.protection.enter(user, organization_requests, &self.clock)?;
            work.begin();
            Ok(work)
        }

        /// A request from one moment to another.
        fn done(&self, user: User, organization_requests: u64, begun_ms: u64, ended_ms: u64) -> Remaining {
            let work = self.begin(user, organization_requests, begun_ms).unwrap();
            self.clock.set(ended_ms);
            work.end()
        }
    }

    fn protection(requests: u64, seconds: u64, running: u64) -> Limited {
        let limits = Limits {
            user_requests: requests,
            user_seconds: seconds,
            user_concurrent_requests: running,
            ..Limits::default()
        };
        Limited { protection: Protection::new(&limits), clock: HeldClock::default() }
    }

    fn refusal(result: Result<Work<'_>, Refused>) -> Refused {
        result.err().expect("it is refused")
    }

    #[test]
    fn requests_count_for_five_minutes_and_for_one_user() {
        let protection = protection(3, 1_000, 10);
        for second in [0, 1, 40] {
            protection.done(ANNE, ANY, second * 1_000, second * 1_000);
        }
        let refused = refusal(protection.begin(ANNE, ANY, 299_999));
        assert_eq!(refused, Refused { whose: Whose::User, reached: Reached::Requests, retry_after: 1 });
        assert_eq!(refusal(protection.begin(ANNE, ANY, 41_000)).retry_after, 259);
        // The other user, and the other organisation, have their own.
        protection.begin(BEN, ANY, 299_999).unwrap();
        protection.begin(User { organization: Guid::from_u128(9), ..ANNE }, ANY, 299_999).unwrap();
        // The first slice is forgotten: two are left.
        let left = protection.done(ANNE, ANY, 300_000, 300_000);
        assert_eq!(left.requests, 1);
        protection.done(ANNE, ANY, 300_001, 300_001);
        refusal(protection.begin(ANNE, ANY, 300_002));
        // A slice is used again after a long time, with nothing in it.
        assert_eq!(protection.done(ANNE, ANY, 90_000_000, 90_000_000).requests, 2);
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_in_and_not_before() {
        let protection = protection(20, 2, 100);
        // All at once, late in a slice.
        for _ in 0..20 {
            protection.done(ANNE, ANY, 29_000, 29_000);
        }
        let wait = refusal(protection.begin(ANNE, ANY, 29_000)).retry_after;
        assert_eq!(wait, 271);
        for second in [1, 31, wait - 1] {
            let left = refusal(protection.begin(ANNE, ANY, 29_000 + second * 1_000)).retry_after;
            assert_eq!(second + left, wait);
        }
        protection.begin(ANNE, ANY, 29_000 + wait * 1_000).unwrap();
        // Time: the first of two slices is not enough of it.
        protection.done(BEN, ANY, 0, 1_000);
        protection.done(BEN, ANY, 30_000, 34_000);
        let refused = refusal(protection.begin(BEN, ANY, 34_000));
        assert_eq!((refused.reached, refused.retry_after), (Reached::Time, 296));
        refusal(protection.begin(BEN, ANY, 300_000));
        protection.begin(BEN, ANY, 330_000).unwrap();
    }

    #[test]
    fn time_at_work_counts() {
        let protection = protection(1_000, 2, 10);
        let left = protection.done(ANNE, ANY, 0, 1_500);
        assert_eq!(left, Remaining { requests: 999, busy_ms: 500 });
        protection.done(ANNE, ANY, 1_500, 2_000);
        assert_eq!(refusal(protection.begin(ANNE, ANY, 2_000)).reached, Reached::Time);
        protection.begin(BEN, ANY, 2_000).unwrap();
    }

    #[test]
    fn time_counts_however_a_request_ends() {
        let protection = protection(1_000, 2, 10);
        // Cut off, or answered early: dropped without an end.
        let cut = protection.begin(ANNE, ANY, 0).unwrap();
        protection.clock.set(1_500);
        drop(cut);
        assert_eq!(protection.done(ANNE, ANY, 1_500, 1_600).busy_ms, 400);
        // What the client sends slowly, and never to its end, is no work.
        let sending = protection.protection.enter(ANNE, ANY, &protection.clock).unwrap();
        protection.clock.set(9_000);
        drop(sending);
        drop(protection.begin(ANNE, ANY, 9_000).unwrap());
        let cut = protection.begin(ANNE, ANY, 9_000).unwrap();
        protection.clock.set(9_400);
        drop(cut);
        assert_eq!(refusal(protection.begin(ANNE, ANY, 9_400)).reached, Reached::Time);
        protection.begin(BEN, ANY, 9_400).unwrap();
    }

    #[test]
    fn requests_at_one_time_are_counted_until_they_are_over() {
        let protection = protection(1_000, 1_000, 2);
        let (first, _second) = (protection.begin(ANNE, ANY, 0).unwrap(), protection.begin(ANNE, ANY, 0).unwrap());
        assert_eq!(
            refusal(protection.begin(ANNE, ANY, 0)),
            Refused { whose: Whose::User, reached: Reached::Concurrency, retry_after: 1 }
        );
        protection.begin(BEN, ANY, 0).unwrap();
        drop(first);
        protection.begin(ANNE, ANY, 0).unwrap();
    }

    /// The time of a long request is in a later slice than the request.
    #[test]
    fn who_has_used_up_their_time_is_not_forgotten_with_their_last_request() {
        let protection = protection(10, 100, 10);
        protection.done(ANNE, ANY, 0, 200_000);
        protection.protection.forget_idle(310_000);
        assert_eq!(refusal(protection.begin(ANNE, ANY, 310_000)).reached, Reached::Time);
    }

    #[test]
    fn who_is_idle_is_forgotten() {
        let protection = protection(10, 10, 10);
        protection.done(ANNE, ANY, 0, 0);
        let running = protection.begin(BEN, ANY, 0).unwrap();
        let known = || protection.protection.users.places.iter().map(|place| place.lock().len()).sum::<usize>();
        protection.protection.forget_idle(299_999);
        assert_eq!(known(), 2);
        protection.protection.forget_idle(300_000);
        assert_eq!(known(), 1);
        drop(running);
        protection.protection.forget_idle(300_000);
        assert_eq!(known(), 0);
    }

    #[test]
    fn an_organisation_has_its_requests_whoever_asks() {
        let protection = protection(2, 1_000, 10);
        protection.done(ANNE, 3, 0, 0);
        protection.done(BEN, 3, 0, 0);
        // What a user is refused does not count for the organisation, nor the other way round.
        protection.done(BEN, 3, 0, 0);
        let expected = Refused { whose: Whose::User, reached: Reached::Requests, retry_after: 300 };
        assert_eq!(refusal(protection.begin(BEN, 4, 0)), expected);
        assert_eq!(protection.protection.requests_of(ANNE.organization, 0), 3);
        let expected = Refused { whose: Whose::Organization, reached: Reached::Requests, retry_after: 300 };
        assert_eq!(refusal(protection.begin(ANNE, 3, 0)), expected);
        // Another organisation has its own, and one whose limit is raised goes on.
        protection.begin(User { organization: Guid::from_u128(9), ..ANNE }, 3, 0).unwrap();
        assert_eq!(protection.done(ANNE, 4, 0, 0).requests, 0);
        assert_eq!(protection.protection.requests_of(ANNE.organization, 299_999), 4);
        assert_eq!(protection.protection.requests_of(ANNE.organization, 300_000), 0);
    }
}
