//! Jobs of an organisation: deletes that are too long for one request, done in steps.
//!
//! [`JobRun::claim`] takes a job up, [`JobRun::step`] does a little of it; who calls decides when, and how much else may go on
//! between. What a job is, and why a step is done once and no more, stands in `crates/org/src/jobs.rs`.

mod run;

pub use run::{Ended, JobRun, Options, Progress, is_passing};
