//! Slowing down who guesses: after some failures an account, and the place the attempts come from, have to wait, each
//! time twice as long.
//!
//! An attempt counts as failed from its beginning, and is taken back when it turns out well: so a thousand attempts at
//! once have no more tries than a thousand one after the other. A place where the account signed in well before is
//! counted by itself, so that a stranger's guesses do not lock the user out.
//!
//! The counts live in this process and are forgotten when it ends; with several nodes each counts for itself. An
//! unknown name is counted like a known one.

use std::net::IpAddr;

use aws_lc_rs::digest::{Context, SHA256};
use hashlink::LruCache;
use parking_lot::Mutex;

use crate::principal::Guid;

/// How failures turn into waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// Failures that cost nothing.
    pub free_failures: u32,
    /// The wait after the first failure beyond; doubles with each further one.
    pub first_wait_seconds: i64,
    /// The longest wait.
    pub longest_wait_seconds: i64,
    /// One failure is forgiven each time this much passes.
    pub forgiven_after_seconds: i64,
}

/// For one account. In the long run 96 guesses a day, below the 100 in a row that NIST SP 800-63B allows.
pub const ACCOUNT_BACK_OFF: BackOff =
    BackOff { free_failures: 10, first_wait_seconds: 1, longest_wait_seconds: 900, forgiven_after_seconds: 900 };
/// For one place. An office behind one address has many people who mistype.
pub const SOURCE_BACK_OFF: BackOff =
    BackOff { free_failures: 100, first_wait_seconds: 1, longest_wait_seconds: 900, forgiven_after_seconds: 60 };
/// How long a place where an account signed in well is remembered: 30 days.
pub const FAMILIAR_SECONDS: i64 = 30 * 24 * 3600;
/// Accounts, places, and pairs of both that are counted at a time; the least recently seen are forgotten first.
pub const COUNTED_MAX: usize = 64 * 1024;

/// Too many failures: nothing was tried. Answer 429 with `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Seconds until the next attempt is let through; at least 1.
    pub retry_after_seconds: i64,
    /// What is throttled.
    pub subject: ThrottledSubject,
}

/// What has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottledSubject {
    /// The account.
    Account,
    /// The place the attempts come from.
    Source,
}

/// Whose password is tried.
#[derive(Clone, Copy, Debug)]
pub enum AccountName<'a> {
    /// A user that exists, by whatever name they were called.
    Known(Guid),
    /// A name that nobody has.
    Unknown(&'a str),
}

/// The counts of failures of one process. Share one.
pub struct Throttle {
    account_rule: BackOff,
    source_rule: BackOff,
    sources: Mutex<LruCache<Key, Failures>>,
    accounts: Mutex<LruCache<Key, Failures>>,
    /// Places where an account has signed in well.
    familiar: Mutex<LruCache<Key, Familiar>>,
}

/// An attempt under way: counted as failed until [`Throttle::succeed`] or [`Throttle::withdraw`] is told otherwise.
/// Dropping it means that it failed.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    source: Option<Key>,
    account: Option<AccountAttempt>,
}

#[derive(Clone, Copy, Debug)]
struct AccountAttempt {
    account: Key,
    /// Nothing where places are not told apart.
    pair: Option<Key>,
    is_familiar: bool,
}

/// A SHA-256 of what is counted, so that an entry has one size and holds no name.
type Key = [u8; 32];

#[derive(Clone, Copy, Debug)]
struct Familiar {
    failures: Failures,
    until: i64,
}

impl Throttle {
    /// With the rules [`ACCOUNT_BACK_OFF`] and [`SOURCE_BACK_OFF`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_rules(ACCOUNT_BACK_OFF, SOURCE_BACK_OFF)
    }

    /// With rules of one's own.
    #[must_use]
    pub fn with_rules(account_rule: BackOff, source_rule: BackOff) -> Self {
        Self {
            account_rule,
            source_rule,
            sources: Mutex::new(LruCache::new(COUNTED_MAX)),
            accounts: Mutex::new(LruCache::new(COUNTED_MAX)),
            familiar: Mutex::new(LruCache::new(COUNTED_MAX)),
        }
    }

    /// Begins an attempt from a place; `None` where places are not told apart: one that everybody comes from would have
    /// everybody wait for one guesser.
    ///
    /// # Errors
    /// [`Throttled`] if the place has to wait.
    pub fn begin(&self, source: Option<IpAddr>, now: i64) -> Result<Attempt, Throttled> {
        let Some(source) = source.map(source_key) else { return Ok(Attempt { source: None, account: None }) };
        let mut sources = self.sources.lock();
        let failures = sources.entry(source).or_insert_with(|| Failures::none(now));
        failures.begin(&self.source_rule, now).map_err(|wait| wait.of(ThrottledSubject::Source))?;
        Ok(Attempt { source: Some(source), account: None })
    }

    /// Says whose account the attempt is about.
    ///
    /// # Errors
    /// [`Throttled`] if the account has to wait; the place keeps the failure.
    pub fn name_account(
        &self,
        attempt: &mut Attempt,
        organization: Guid,
        name: AccountName<'_>,
        now: i64,
    ) -> Result<(), Throttled> {
        let account = account_key(organization, name);
        let pair = attempt.source.map(|source| key(&[b"pair", &account, &source]));
        let wait = |wait: Wait| wait.of(ThrottledSubject::Account);
        let mut familiar = self.familiar.lock();
        let is_familiar = match pair.as_ref().and_then(|pair| familiar.get_mut(pair)) {
            Some(familiar) if now < familiar.until => {
                familiar.failures.begin(&self.account_rule, now).map_err(wait)?;
                true
            }
            _ => false,
        };
        drop(familiar);
        if !is_familiar {
            let mut accounts = self.accounts.lock();
            let failures = accounts.entry(account).or_insert_with(|| Failures::none(now));
            failures.begin(&self.account_rule, now).map_err(wait)?;
        }
        attempt.account = Some(AccountAttempt { account, pair, is_familiar });
        Ok(())
    }

    /// The attempt was good: the account's failures are forgotten, the place's own one is taken back, and the place is
    /// from now on familiar to the account.
    pub fn succeed(&self, attempt: Attempt, now: i64) {
        self.withdraw_from(&self.sources, &self.source_rule, attempt.source.as_ref());
        let Some(account) = attempt.account else { return };
        if !account.is_familiar {
            self.accounts.lock().remove(&account.account);
        }
        let until = now.saturating_add(FAMILIAR_SECONDS);
        if let Some(pair) = account.pair {
            self.familiar.lock().insert(pair, Familiar { failures: Failures::none(now), until });
        }
    }

    /// The attempt came to no end (a database did not answer, say) or was not about guessing: it is taken back.
    pub fn withdraw(&self, attempt: Attempt) {
        self.withdraw_from(&self.sources, &self.source_rule, attempt.source.as_ref());
        match attempt.account {
            Some(account) if account.is_familiar => {
                let mut familiar = self.familiar.lock();
                if let Some(familiar) = account.pair.and_then(|pair| familiar.peek_mut(&pair)) {
                    familiar.failures.withdraw(&self.account_rule);
                }
            }
            Some(account) => self.withdraw_from(&self.accounts, &self.account_rule, Some(&account.account)),
            None => {}
        }
    }

    fn withdraw_from(&self, counted: &Mutex<LruCache<Key, Failures>>, rule: &BackOff, key: Option<&Key>) {
        let mut counted = counted.lock();
        if let Some(failures) = key.and_then(|key| counted.peek_mut(key)) {
            failures.withdraw(rule);
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

/// The failures of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failures {
    count: u32,
    /// Since when forgiveness runs.
    since: i64,
    blocked_until: i64,
}

struct Wait(i64);

impl Wait {
    fn of(self, subject: ThrottledSubject) -> Throttled {
        Throttled { retry_after_seconds: self.0, subject }
    }
}

impl Failures {
    fn none(now: i64) -> Self {
        Self { count: 0, since: now, blocked_until: i64::MIN }
    }

    /// Counts a failure in advance, or says how long to wait.
    fn begin(&mut self, rule: &BackOff, now: i64) -> Result<(), Wait> {
        // A clock that was set back must not lengthen a wait.
        self.blocked_until = self.blocked_until.min(now.saturating_add(rule.longest_wait_seconds));
        self.since = self.since.min(now);
        if now < self.blocked_until {
            return Err(Wait(self.blocked_until - now));
        }
        self.blocked_until = i64::MIN;
        self.forgive(rule, now);
        self.count = self.count.saturating_add(1);
        if let Some(excess) = self.count.checked_sub(rule.free_failures).filter(|excess| *excess > 0) {
            let doublings = (excess - 1).min(62);
            let wait = rule.first_wait_seconds.saturating_mul(1_i64 << doublings).min(rule.longest_wait_seconds);
            self.blocked_until = now.saturating_add(wait);
        }
        Ok(())
    }

    fn forgive(&mut self, rule: &BackOff, now: i64) {
        let forgiven = now.saturating_sub(self.since) / rule.forgiven_after_seconds.max(1);
        self.count = self.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        self.since = if self.count == 0 { now } else { self.since + forgiven * rule.forgiven_after_seconds };
    }

    fn withdraw(&mut self, rule: &BackOff) {
        self.count = self.count.saturating_sub(1);
        if self.count <= rule.free_failures {
            self.blocked_until = i64::MIN;
        }
    }
}

/// An IPv4 address, or the 64 bits of an IPv6 address that name a network: within those a guesser has addresses in
/// plenty.
fn source_key(source: IpAddr) -> Key {
    match source.to_canonical() {
        IpAddr::V4(address) => key(&[b"v4", &address.octets()]),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64;
            key(&[b"v6", &network.to_be_bytes()])
        }
    }
}

fn account_key(organization: Guid, name: AccountName<'_>) -> Key {
    match name {
        AccountName::Known(user) => key(&[b"known", organization.as_bytes(), user.as_bytes()]),
        AccountName::Unknown(name) => {
            key(&[b"unknown", organization.as_bytes(), name.trim().to_lowercase().as_bytes()])
        }
    }
}

/// The parts before the last have a fixed length for each kind, so no two subjects have the same key.
fn key(parts: &[&[u8]]) -> Key {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut key = [0; 32];
    for (target, source) in key.iter_mut().zip(context.finish().as_ref()) {
        *target = *source;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;
    const ORGANIZATION: Guid = Guid::from_u128(1);
    const ANNA: AccountName<'static> = AccountName::Known(Guid::from_u128(7));

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Tries to sign in and fails; how long to wait, if the attempt was not let through.
    fn fail(throttle: &Throttle, from: u8, name: AccountName<'_>, now: i64) -> Result<(), Throttled> {
        let mut attempt = throttle.begin(Some(source(from)), now)?;
        throttle.name_account(&mut attempt, ORGANIZATION, name, now)
    }

    /// Fails until it has to wait; how many attempts were let through.
    fn fail_until_throttled(throttle: &Throttle, from: u8, name: AccountName<'_>, now: i64) -> usize {
        (0..1000).take_while(|_| fail(throttle, from, name, now).is_ok()).count()
    }

    fn succeed(throttle: &Throttle, from: u8, name: AccountName<'_>, now: i64) -> Result<(), Throttled> {
        let mut attempt = throttle.begin(Some(source(from)), now)?;
        throttle.name_account(&mut attempt, ORGANIZATION, name, now)?;
        throttle.succeed(attempt, now);
        Ok(())
    }

    #[test]
    fn where_places_are_not_told_apart_accounts_alone_wait() {
        let throttle = Throttle::new();
        let begin = || throttle.begin(None, NOW);
        for _ in 0..2 * SOURCE_BACK_OFF.free_failures {
            drop(begin().unwrap());
        }
        let name = |attempt: &mut Attempt| throttle.name_account(attempt, ORGANIZATION, ANNA, NOW);
        let mut good = begin().unwrap();
        name(&mut good).unwrap();
        throttle.succeed(good, NOW);
        let let_through = (0..1000).take_while(|_| name(&mut begin().unwrap()).is_ok()).count();
        assert_eq!(let_through, ACCOUNT_BACK_OFF.free_failures as usize + 1);
    }

    #[test]
    fn after_the_free_failures_each_wait_is_twice_as_long() {
        let rule = BackOff { forgiven_after_seconds: i64::MAX, ..ACCOUNT_BACK_OFF };
        let mut failures = Failures::none(NOW);
        let mut now = NOW;
        for _ in 0..rule.free_failures {
            assert!(failures.begin(&rule, now).is_ok());
        }
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert!(failures.begin(&rule, now).is_ok());
            assert_eq!(failures.begin(&rule, now).unwrap_err().0, expected);
            assert_eq!(failures.begin(&rule, now + expected - 1).unwrap_err().0, 1);
            now += expected;
        }
    }

    #[test]
    fn a_patient_guesser_has_fewer_than_a_hundred_tries_a_day() {
        let mut failures = Failures::none(NOW);
        let mut tries = 0;
        for second in 0..10 * 86_400 {
            tries += i64::from(failures.begin(&ACCOUNT_BACK_OFF, NOW + second).is_ok());
        }
        assert!((900..1000).contains(&tries), "{tries} tries in ten days");
    }

    #[test]
    fn attempts_at_once_have_no_more_tries_than_attempts_in_a_row() {
        let throttle = Throttle::new();
        let mut under_way = Vec::new();
        for _ in 0..1000 {
            let Ok(mut attempt) = throttle.begin(Some(source(1)), NOW) else { continue };
            if throttle.name_account(&mut attempt, ORGANIZATION, ANNA, NOW).is_ok() {
                under_way.push(attempt);
            }
        }
        assert_eq!(under_way.len(), 11, "the free ones and the one that starts the wait");
    }

    #[test]
    fn a_success_clears_the_account_but_not_the_place() {
        let throttle = Throttle::new();
        for _ in 0..9 {
            fail(&throttle, 1, ANNA, NOW).unwrap();
        }
        succeed(&throttle, 1, ANNA, NOW).unwrap();
        assert_eq!(fail_until_throttled(&throttle, 1, ANNA, NOW), 11, "from the place that is now familiar");
        assert_eq!(fail_until_throttled(&throttle, 2, ANNA, NOW), 11, "and from any other");
        // Nine and eleven failures and one that was refused by name: 80 are left to the place.
        for other in 0..80 {
            fail(&throttle, 1, AccountName::Unknown(&format!("name{other}")), NOW).unwrap();
        }
        assert_eq!(fail(&throttle, 1, AccountName::Unknown("x"), NOW).unwrap_err().subject, ThrottledSubject::Source);
        assert!(fail(&throttle, 3, AccountName::Unknown("x"), NOW).is_ok(), "another place does not wait");
    }

    #[test]
    fn a_stranger_does_not_lock_the_user_out_of_a_familiar_place() {
        let throttle = Throttle::new();
        succeed(&throttle, 1, ANNA, NOW).unwrap();
        assert_eq!(fail_until_throttled(&throttle, 2, ANNA, NOW), 11);
        assert_eq!(fail(&throttle, 3, ANNA, NOW).unwrap_err().subject, ThrottledSubject::Account, "any strange place");
        assert!(succeed(&throttle, 1, ANNA, NOW).is_ok());
        // The familiar place has a count of its own: it is no free pass.
        assert_eq!(fail_until_throttled(&throttle, 1, ANNA, NOW), 11);
        // And it is not familiar for ever.
        let much_later = NOW + FAMILIAR_SECONDS;
        succeed(&throttle, 5, ANNA, much_later - FAMILIAR_SECONDS / 2).unwrap();
        assert_eq!(fail_until_throttled(&throttle, 2, ANNA, much_later), 11);
        assert!(fail(&throttle, 1, ANNA, much_later).is_err());
        assert!(fail(&throttle, 5, ANNA, much_later).is_ok());
    }

    #[test]
    fn an_unknown_name_is_throttled_like_a_known_one() {
        let throttle = Throttle::new();
        assert_eq!(fail_until_throttled(&throttle, 1, AccountName::Unknown("Nobody@example.com"), NOW), 11);
        assert!(fail(&throttle, 1, AccountName::Unknown(" nobody@EXAMPLE.com "), NOW).is_err(), "spelled otherwise");
        assert!(fail(&throttle, 1, AccountName::Unknown("nobody2@example.com"), NOW).is_ok());
    }

    #[test]
    fn a_withdrawn_attempt_does_not_count() {
        let throttle = Throttle::new();
        for _ in 0..500 {
            let mut attempt = throttle.begin(Some(source(1)), NOW).unwrap();
            throttle.name_account(&mut attempt, ORGANIZATION, ANNA, NOW).unwrap();
            throttle.withdraw(attempt);
        }
    }

    #[test]
    fn an_ipv6_network_is_one_place_and_a_mapped_address_is_ipv4() {
        let key = |text: &str| source_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_a_wait() {
        let mut failures = Failures::none(NOW);
        let tries = (0..1000).take_while(|_| failures.begin(&ACCOUNT_BACK_OFF, NOW).is_ok()).count();
        assert_eq!(tries, 11);
        let wait = failures.begin(&ACCOUNT_BACK_OFF, NOW - 1_000_000).unwrap_err().0;
        assert!(wait <= ACCOUNT_BACK_OFF.longest_wait_seconds);
        assert!(
            failures.begin(&ACCOUNT_BACK_OFF, i64::MAX).is_ok() && failures.begin(&ACCOUNT_BACK_OFF, i64::MIN).is_ok()
        );
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let throttle = Throttle::new();
        for number in 0..COUNTED_MAX + 100 {
            let address = IpAddr::from((number as u32).to_be_bytes());
            let _ = throttle.begin(Some(address), NOW).unwrap();
        }
        // The map makes room on the next insertion, not on this one.
        assert!(throttle.sources.lock().len() <= COUNTED_MAX + 1);
    }
}
