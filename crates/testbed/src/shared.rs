//! What all tests of one run share: one cluster, and how hard to try.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cluster::PrivateCluster;
use crate::error::Error;

/// Names the cluster to use: a URL with a user who may create databases. `make test` sets it.
pub const POSTGRES_VARIABLE: &str = "CUSTODIA_TEST_POSTGRES";

/// Multiplies the number of generated cases. `make soak` sets it.
const EFFORT_VARIABLE: &str = "CUSTODIA_TEST_EFFORT";

/// The number of kills of a crash campaign. `scripts/soak` sets it.
const KILLS_VARIABLE: &str = "CUSTODIA_TEST_KILLS";

/// The seconds of a mixed load. `scripts/soak` sets it.
const SECONDS_VARIABLE: &str = "CUSTODIA_TEST_SECONDS";

/// A cluster for tests that each make databases of their own in it.
///
/// It is the one that [`POSTGRES_VARIABLE`] names; else this process starts one on the first call, and it ends with the
/// process. Without PostgreSQL on the machine there is none: the test then covers SQLite alone, and a line on standard
/// error says so. `make test` never gets there, it refuses to start without PostgreSQL.
///
/// # Panics
/// If PostgreSQL is installed and does not start: that is a fault to see, not a reason to test less.
#[must_use]
pub fn postgres_url() -> Option<String> {
    static STARTED: OnceLock<Option<PrivateCluster>> = OnceLock::new();
    if let Ok(url) = std::env::var(POSTGRES_VARIABLE) {
        return Some(url);
    }
    STARTED
        .get_or_init(|| match PrivateCluster::start(&[]) {
            Ok(cluster) => Some(cluster),
            Err(missing @ Error::NotInstalled) => {
                eprintln!("tested on SQLite alone: {missing}");
                None
            }
            Err(fault) => panic!("{fault}"),
        })
        .as_ref()
        .map(PrivateCluster::url)
}

/// A database name that no other test uses, in this process or another one. The database itself is the caller's to make,
/// and nobody's to drop: it goes with the cluster, and dropping one costs a checkpoint of the whole cluster, seconds.
#[must_use]
pub fn fresh_database_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("custodia_test_{nanoseconds:x}_{}_{number}", std::process::id())
}

/// The factor by which generated tests multiply their number of cases: 1 in `make test`, more in `make soak`.
#[must_use]
pub fn effort() -> u32 {
    number_in(EFFORT_VARIABLE).and_then(|factor| factor.try_into().ok()).map_or(1, |factor: u32| factor.max(1))
}

/// How often a crash campaign kills: `usual` times the effort, or the number that its variable gives.
#[must_use]
pub fn kills(usual: u64) -> u64 {
    number_in(KILLS_VARIABLE).unwrap_or(usual.saturating_mul(u64::from(effort())))
}

/// How many seconds a load goes on: `usual` ones, or the number that its variable gives.
#[must_use]
pub fn seconds(usual: u64) -> u64 {
    number_in(SECONDS_VARIABLE).unwrap_or(usual)
}

/// Says how much was really done, on a line of its own that `scripts/soak` looks for.
pub fn tell(done: &str) {
    println!("soak: {done}");
}

fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|number| number.parse().ok())
}
