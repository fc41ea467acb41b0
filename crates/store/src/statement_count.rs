//! How many statements were sent to the engine: what a request costs in a figure that does not depend on the machine.
//!
//! Each engine counts where a statement leaves the program, the preparing of one on PostgreSQL too. What a backup copies
//! page by page and what SQLite's own checks run is no statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that all databases of an installation share; clones are the same count.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatementCount(Arc<AtomicU64>);

impl StatementCount {
    /// One more is about to be sent.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
