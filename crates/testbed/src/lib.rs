//! What the tests of several crates stand on: PostgreSQL clusters that live as long as the tests need them, and how
//! much effort a generated test should make.
//!
//! This crate is a development dependency only; nothing that ships depends on it. It may read the environment and start
//! processes because it is no part of the service.
//!
//! Where to start:
//! - [`postgres_url`]: a shared cluster to make databases in ([`fresh_database_name`]);
//! - [`PrivateCluster`]: a cluster of one's own that a durability test may kill, copy, cut back and start again;
//! - [`CutOff`]: a way to a cluster that is cut off during a commit;
//! - [`effort`]: the factor by which generated tests multiply their number of cases; [`kills`] and [`seconds`] of others;
//! - [`tell`]: how much was really done, for the record of a long run.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "support for tests: it reads the environment for them, and fails the test that cannot have a cluster"
)]

mod cluster;
mod cut_off;
mod error;
mod installation;
mod processes;
mod shared;
mod supervisor;
mod write_ahead_log;

pub use cluster::{PrivateCluster, with_database};
pub use cut_off::{Cut, CutOff};
pub use error::Error;
pub use shared::{POSTGRES_VARIABLE, effort, fresh_database_name, kills, postgres_url, seconds, tell};
