//! The machine's clock, randomness and environment. The only place that reads them (invariant I3).

use std::cell::RefCell;
use std::env::VarError;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use custodia_store::{Clock, Random};

/// The machine's clocks.
pub struct SystemClock {
    started: Instant,
    /// The latest moment that an id was made of.
    latest_id_ms: AtomicI64,
}

impl SystemClock {
    /// The clocks, monotonic time counted from now.
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub fn start() -> Self {
        Self { started: Instant::now(), latest_id_ms: AtomicI64::new(0) }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A clock that was set back makes no id that sorts before earlier ones of this process: until it has caught up, ids are of
    /// the latest moment that there was.
    fn id_ms(&self) -> i64 {
        never_back(&self.latest_id_ms, self.now_ms())
    }
}

/// The latest moment seen, this one included.
fn never_back(latest: &AtomicI64, now: i64) -> i64 {
    latest.fetch_max(now, Ordering::Relaxed).max(now)
}

/// The operating system's randomness, by way of the cryptographic library.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        fill(buffer);
    }
}

impl custodia_identity::RandomSource for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        fill(buffer);
    }
}

/// A clock that stands still until it is set.
#[cfg(test)]
#[derive(Default)]
pub struct HeldClock(std::sync::atomic::AtomicU64);

#[cfg(test)]
impl HeldClock {
    /// Sets what it says in monotonic milliseconds.
    pub fn set(&self, monotonic_ms: u64) {
        self.0.store(monotonic_ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Clock for HeldClock {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Randomness for the ids of requests, drawn in advance: drawing a few bytes costs as much as reading a row. For nothing
/// that must stay secret, since what was drawn lies in memory.
pub struct RandomForIds;

/// Bytes drawn at one time.
const DRAWN: usize = 1024;

struct Drawn {
    bytes: [u8; DRAWN],
    used: usize,
}

thread_local! {
    static FOR_IDS: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; DRAWN], used: DRAWN }) };
}

impl Random for RandomForIds {
    fn fill(&self, buffer: &mut [u8]) {
        FOR_IDS.with_borrow_mut(|drawn| {
            if drawn.used + buffer.len() > DRAWN {
                fill(&mut drawn.bytes);
                drawn.used = 0;
            }
            match drawn.bytes.get(drawn.used..drawn.used + buffer.len()) {
                Some(bytes) => buffer.copy_from_slice(bytes),
                None => fill(buffer),
            }
            drawn.used += buffer.len();
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where randomness is read")]
#[expect(clippy::panic, reason = "going on with predictable keys would be worse than stopping")]
fn fill(buffer: &mut [u8]) {
    if aws_lc_rs::rand::fill(buffer).is_err() {
        panic!("the operating system gives no randomness");
    }
}

/// The names of all variables of the environment.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn environment_names() -> Vec<String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
}

/// An environment variable, if it is set.
///
/// # Errors
/// When it is set to what is no text: taken for one that is not set, the default would be in force, or another key.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn environment(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => bail!("{name}: its value is not UTF-8"),
    }
}

/// The bit of SIGHUP among the signals in `/proc/self/status`.
const HANGUP_BIT: u64 = 1;

/// Whether the process was started so that it ignores a terminal that hangs up.
pub fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & HANGUP_BIT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_that_ids_are_made_of_does_not_go_back() {
        let latest = AtomicI64::new(0);
        let moments = [5, 7, 6, 7, -1, 8].map(|now| never_back(&latest, now));
        assert_eq!(moments, [5, 7, 7, 7, 7, 8]);
    }
}
