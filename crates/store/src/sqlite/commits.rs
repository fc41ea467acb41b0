//! What is committed through the connections of a file: one process owns it, so that nobody else commits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// The counts of the files that are open. One that was let go of may still be at work when it is opened anew: whatever is
/// committed through either is counted for both.
#[derive(Clone, Default)]
pub(crate) struct CommitsByFile(Arc<Mutex<HashMap<PathBuf, Weak<Commits>>>>);

impl CommitsByFile {
    pub(super) fn of(&self, path: &Path) -> Arc<Commits> {
        let mut files = self.0.lock();
        if let Some(commits) = files.get(path).and_then(Weak::upgrade) {
            return commits;
        }
        files.retain(|_, commits| commits.strong_count() > 0);
        let commits = Arc::new(Commits::default());
        files.insert(path.to_owned(), Arc::downgrade(&commits));
        commits
    }
}

/// Counts commits, so that a read knows whether a snapshot that was kept is still the newest.
#[derive(Default)]
pub(super) struct Commits {
    done: AtomicU64,
    /// Those that were begun and not counted yet: some who read see them already, and others do not.
    at_work: AtomicU64,
}

impl Commits {
    /// How many there were. `None` while one is on its way: who has read it in a snapshot of their own must not read without it
    /// next, in one that was kept.
    pub(super) fn settled(&self) -> Option<u64> {
        // In this order: one that ends in between is counted.
        let is_settled = self.at_work.load(Ordering::SeqCst) == 0;
        let done = self.done.load(Ordering::SeqCst);
        is_settled.then_some(done)
    }

    /// Does what may commit; `is_over` tells afterwards whether it did.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T, is_over: impl FnOnce() -> bool) -> T {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let done = work();
        if is_over() {
            self.done.fetch_add(1, Ordering::SeqCst);
        }
        self.at_work.fetch_sub(1, Ordering::SeqCst);
        done
    }
}
