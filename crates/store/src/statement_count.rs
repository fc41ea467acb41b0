//! How many statements were sent to the engine: what a request costs in a figure that does not depend on the machine.
//!
//! Each engine counts where a statement leaves the program, the preparing of one on PostgreSQL too. What a backup copies
//! page by page and what SQLite's own checks run is no statement. Beside it, how many steps of its virtual machine SQLite took
//! for rows: what a question costs in a figure that goes with the rows it visits, and not with the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that all databases of an installation share; clones are the same count.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatementCount(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    statements: AtomicU64,
    steps: AtomicU64,
}

impl StatementCount {
    /// One more is about to be sent.
    pub(crate) fn count(&self) {
        self.0.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// SQLite took so many steps for the rows of a statement.
    pub(crate) fn count_steps(&self, steps: u64) {
        self.0.steps.fetch_add(steps, Ordering::Relaxed);
    }

    /// How many steps there were.
    pub(crate) fn steps(&self) -> u64 {
        self.0.steps.load(Ordering::Relaxed)
    }
}
