//! What a layer knows: its files with their unflushed writes, its faults and its counts. No foreign functions here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Counts, Failure, FileCounts, FileKind, Flushing, Injection, Lasting, Loss, Operation, StillOpen};

/// The unit in which a disk writes: what is torn is torn here. SQLite assumes no less.
const SECTOR_BYTES: usize = 512;

/// A change of a file that is not flushed yet, with what it takes to undo it.
#[derive(Debug)]
pub(super) enum Change {
    /// Bytes were written.
    Write {
        /// Where the first byte went.
        offset: usize,
        /// What stood there, as far as the file reached.
        old: Vec<u8>,
        /// What stands there now.
        new: Vec<u8>,
        /// Length of the file before.
        old_length: usize,
    },
    /// The file was cut or extended to a length.
    Truncate {
        /// Length of the file now.
        length: usize,
        /// What stood behind that length.
        old_tail: Vec<u8>,
        /// Length of the file before.
        old_length: usize,
    },
}

/// What is not durable of one file.
#[derive(Debug, Default)]
pub(super) struct FileState {
    /// The file was made through this layer and never flushed.
    pub(super) unborn: bool,
    /// Oldest first, each with its number; a flush takes all that were there when it began.
    pub(super) unflushed: Vec<(u64, Change)>,
    next_number: u64,
}

impl FileState {
    pub(super) fn push(&mut self, change: Change) {
        self.unflushed.push((self.next_number, change));
        self.next_number += 1;
    }

    /// The number below which a flush that begins now makes changes durable.
    pub(super) fn flush_limit(&self) -> u64 {
        self.next_number
    }

    pub(super) fn flushed(&mut self, limit: u64) {
        self.unflushed.retain(|(number, _)| *number >= limit);
        self.unborn = false;
    }

    /// What a power cut leaves of a file that now holds `content`; `None` if not even its name.
    fn survivor(&self, content: Vec<u8>, coins: &mut Option<Coins>) -> Option<Vec<u8>> {
        if self.unborn && !coins.as_mut().is_some_and(Coins::toss) {
            return None;
        }
        let mut content = content;
        for (_, change) in self.unflushed.iter().rev() {
            undo(&mut content, change);
        }
        if let Some(coins) = coins {
            for (_, change) in &self.unflushed {
                redo_some(&mut content, change, coins);
            }
        }
        Some(content)
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

fn undo(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, old, old_length, .. } => {
            put(content, *offset, old);
            content.resize(*old_length, 0);
        }
        Change::Truncate { length, old_tail, old_length } => {
            put(content, *length, old_tail);
            content.resize(*old_length, 0);
        }
    }
}

fn redo_some(content: &mut Vec<u8>, change: &Change, coins: &mut Coins) {
    match change {
        Change::Write { offset, new, .. } => {
            let mut start = 0;
            while start < new.len() {
                // Sectors lie at multiples of their size in the file, wherever the write begins.
                let to_boundary = SECTOR_BYTES - (offset + start) % SECTOR_BYTES;
                let end = new.len().min(start + to_boundary);
                if coins.toss()
                    && let Some(part) = new.get(start..end)
                {
                    put(content, offset + start, part);
                }
                start = end;
            }
        }
        Change::Truncate { length, .. } => {
            if coins.toss() {
                content.resize(*length, 0);
            }
        }
    }
}

/// A reproducible sequence of coin tosses (splitmix64): chance enough for choosing sectors.
struct Coins(u64);

impl Coins {
    fn of(loss: Loss) -> Option<Self> {
        match loss {
            Loss::Everything => None,
            Loss::Some { seed } => Some(Self(seed)),
        }
    }

    fn toss(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}

/// A tracked file, shared by all that have it open.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) path: PathBuf,
    pub(super) kind: FileKind,
    state: Mutex<FileState>,
}

impl Tracked {
    /// Held across a real write, so that what is remembered is in the order of what was written.
    pub(super) fn lock(&self) -> MutexGuard<'_, FileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Tally {
    writes: AtomicU64,
    bytes: AtomicU64,
    flushes: AtomicU64,
}

impl Tally {
    fn read(&self) -> FileCounts {
        FileCounts {
            writes: self.writes.load(Ordering::SeqCst),
            bytes: self.bytes.load(Ordering::SeqCst),
            flushes: self.flushes.load(Ordering::SeqCst),
        }
    }
}

/// All of one layer. Locks are taken in this order: `files`, then the state of files in the order of their paths.
#[derive(Debug)]
pub(super) struct Shared {
    name: &'static str,
    files: Mutex<BTreeMap<PathBuf, Arc<Tracked>>>,
    open_files: AtomicUsize,
    power_cut: AtomicBool,
    pretend_flushes: AtomicBool,
    injections: Mutex<Vec<Injection>>,
    injected: AtomicU64,
    database: Tally,
    write_ahead_log: Tally,
    journal: Tally,
}

impl Shared {
    pub(super) fn new() -> Self {
        static LAYERS: AtomicU64 = AtomicU64::new(0);
        Self {
            // SQLite keeps a layer's name for the life of the process.
            name: format!("custodia-fault-{}", LAYERS.fetch_add(1, Ordering::SeqCst)).leak(),
            files: Mutex::default(),
            open_files: AtomicUsize::new(0),
            power_cut: AtomicBool::new(false),
            pretend_flushes: AtomicBool::new(false),
            injections: Mutex::default(),
            injected: AtomicU64::new(0),
            database: Tally::default(),
            write_ahead_log: Tally::default(),
            journal: Tally::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    fn lock_files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Arc<Tracked>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_injections(&self) -> MutexGuard<'_, Vec<Injection>> {
        self.injections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tally(&self, kind: FileKind) -> &Tally {
        match kind {
            FileKind::Database => &self.database,
            FileKind::WriteAheadLog => &self.write_ahead_log,
            FileKind::Journal => &self.journal,
        }
    }

    /// Opens a file by `open_real`, which says whether it worked, and tracks it.
    ///
    /// No power cut comes in between.
    pub(super) fn open(&self, path: &Path, kind: FileKind, open_real: impl FnOnce() -> bool) -> Option<Arc<Tracked>> {
        let mut files = self.lock_files();
        if self.is_power_cut() {
            return None;
        }
        let existed = path.exists();
        if !open_real() {
            return None;
        }
        self.open_files.fetch_add(1, Ordering::SeqCst);
        let tracked = files.entry(path.to_owned()).or_insert_with(|| {
            let state = FileState { unborn: !existed, ..FileState::default() };
            Arc::new(Tracked { path: path.to_owned(), kind, state: Mutex::new(state) })
        });
        Some(Arc::clone(tracked))
    }

    pub(super) fn closed(&self) {
        self.open_files.fetch_sub(1, Ordering::SeqCst);
    }

    /// Deletes a file by `delete_real`, which says whether it worked; answers `None` when the power is cut.
    pub(super) fn delete<T>(&self, path: &Path, delete_real: impl FnOnce() -> (bool, T)) -> Option<T> {
        let mut files = self.lock_files();
        if self.is_power_cut() {
            return None;
        }
        let (deleted, answer) = delete_real();
        if deleted {
            files.remove(path);
        }
        Some(answer)
    }

    /// The failure that is due for this operation, if any. A power cut has happened when this returns.
    pub(super) fn due_failure(&self, operation: Operation, kind: FileKind) -> Option<Failure> {
        let mut due = None;
        self.lock_injections().retain_mut(|injection| {
            if injection.operation != operation || injection.file.is_some_and(|file| file != kind) {
                return true;
            }
            if let Some(left) = NonZeroU64::new(injection.nth.get() - 1) {
                injection.nth = left;
                return true;
            }
            due = due.or(Some(injection.failure));
            injection.lasting == Lasting::UntilCleared
        });
        if due.is_some() {
            self.injected.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(Failure::PowerCut(loss)) = due {
            // A file that cannot be put back leaves a wrong disk, which the test then sees; there is nobody to tell here.
            let _unseen = self.cut_power(loss);
        }
        due
    }

    pub(super) fn count_write(&self, kind: FileKind, bytes: usize) {
        let tally = self.tally(kind);
        tally.writes.fetch_add(1, Ordering::SeqCst);
        tally.bytes.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::SeqCst);
    }

    pub(super) fn count_flush(&self, kind: FileKind) {
        self.tally(kind).flushes.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            database: self.database.read(),
            write_ahead_log: self.write_ahead_log.read(),
            journal: self.journal.read(),
        }
    }

    pub(super) fn set_flushing(&self, flushing: Flushing) {
        self.pretend_flushes.store(flushing == Flushing::Pretended, Ordering::SeqCst);
    }

    pub(super) fn flushing(&self) -> Flushing {
        if self.pretend_flushes.load(Ordering::SeqCst) { Flushing::Pretended } else { Flushing::Real }
    }

    pub(super) fn inject(&self, injection: Injection) {
        self.lock_injections().push(injection);
    }

    pub(super) fn clear_injections(&self) {
        self.lock_injections().clear();
    }

    pub(super) fn injected(&self) -> u64 {
        self.injected.load(Ordering::SeqCst)
    }

    pub(super) fn is_power_cut(&self) -> bool {
        self.power_cut.load(Ordering::SeqCst)
    }

    pub(super) fn cut_power(&self, loss: Loss) -> io::Result<()> {
        let mut files = self.lock_files();
        // Writers look at this with their file's lock held: those that hold it now finish and are undone, the others stop.
        if self.power_cut.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let mut coins = Coins::of(loss);
        let mut outcome = Ok(());
        for tracked in files.values() {
            let state = tracked.lock();
            let restored = fs::read(&tracked.path).and_then(|content| match state.survivor(content, &mut coins) {
                Some(content) => fs::write(&tracked.path, content),
                None => fs::remove_file(&tracked.path),
            });
            // The other files are put back even so: a test that goes on should see as right a disk as can be.
            outcome = outcome.and(restored);
        }
        files.clear();
        outcome
    }

    pub(super) fn restore_power(&self) -> Result<(), StillOpen> {
        let _files = self.lock_files();
        match self.open_files.load(Ordering::SeqCst) {
            0 => {
                self.power_cut.store(false, Ordering::SeqCst);
                Ok(())
            }
            open_files => Err(StillOpen { open_files }),
        }
    }

    pub(super) fn copy_survivors(&self, folder: &Path, into: &Path, loss: Loss) -> io::Result<Vec<PathBuf>> {
        let folder = fs::canonicalize(folder)?;
        let files = self.lock_files();
        let tracked: Vec<_> = files.values().filter(|tracked| tracked.path.starts_with(&folder)).collect();
        // All at once, before anything is read: no write may fall between two files.
        let states: Vec<_> = tracked.iter().map(|tracked| tracked.lock()).collect();
        let mut coins = Coins::of(loss);
        let mut copies = Vec::new();
        for (tracked, state) in tracked.iter().zip(&states) {
            let Some(content) = state.survivor(fs::read(&tracked.path)?, &mut coins) else {
                continue;
            };
            let place = into.join(tracked.path.strip_prefix(&folder).unwrap_or(&tracked.path));
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&place, content)?;
            copies.push(place);
        }
        Ok(copies)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn write(content: &mut Vec<u8>, offset: usize, new: &[u8]) -> Change {
        let old_length = content.len();
        let old = content.get(offset..old_length.min(offset + new.len())).unwrap_or_default().to_vec();
        put(content, offset, new);
        Change::Write { offset, old, new: new.to_vec(), old_length }
    }

    fn truncate(content: &mut Vec<u8>, length: usize) -> Change {
        let old_length = content.len();
        let old_tail = content.get(length..).unwrap_or_default().to_vec();
        content.resize(length, 0);
        Change::Truncate { length, old_tail, old_length }
    }

    #[test]
    fn undoing_every_change_gives_the_flushed_content() {
        let flushed = b"the quick brown fox".to_vec();
        let mut content = flushed.clone();
        let mut state = FileState::default();
        for change in [
            write(&mut content, 4, b"SLOW!"),
            write(&mut content, 17, b"xxxxxx"),
            truncate(&mut content, 6),
            write(&mut content, 30, b"behind the end"),
            truncate(&mut content, 50),
        ] {
            state.push(change);
        }
        assert_eq!(content.len(), 50);
        assert_eq!(state.survivor(content, &mut None), Some(flushed));
    }

    #[test]
    fn a_flush_keeps_what_was_written_before_it_began() {
        let mut content = b"....".to_vec();
        let mut state = FileState { unborn: true, ..FileState::default() };
        state.push(write(&mut content, 0, b"a"));
        let limit = state.flush_limit();
        state.push(write(&mut content, 1, b"b"));
        assert_eq!(state.survivor(content.clone(), &mut None), None);
        state.flushed(limit);
        assert_eq!(state.survivor(content.clone(), &mut None), Some(b"a...".to_vec()));
        let limit = state.flush_limit();
        state.flushed(limit);
        assert_eq!(state.survivor(content, &mut None), Some(b"ab..".to_vec()));
    }

    #[test]
    fn chance_tears_writes_at_sectors_only() {
        let mut content = vec![b'.'; 8 * SECTOR_BYTES];
        let mut state = FileState::default();
        state.push(write(&mut content, 100, &vec![b'x'; 7 * SECTOR_BYTES]));
        let (mut torn, mut outcomes) = (0, Vec::new());
        for seed in 0..20 {
            let survivor = state.survivor(content.clone(), &mut Coins::of(Loss::Some { seed })).unwrap();
            assert_eq!(survivor.len(), content.len());
            let kept: Vec<bool> = survivor
                .chunks(SECTOR_BYTES)
                .enumerate()
                .map(|(index, sector)| {
                    let written = match index {
                        0 => &sector[100..],
                        7 => &sector[..100],
                        _ => sector,
                    };
                    assert!(written.iter().all(|byte| *byte == written[0]), "sector {index} is torn");
                    written[0] == b'x'
                })
                .collect();
            torn += usize::from(kept.contains(&true) && kept.contains(&false));
            outcomes.push(kept);
        }
        assert!(torn > 10, "{torn} of 20 seeds tore the write");
        outcomes.dedup();
        assert!(outcomes.len() > 10, "seeds differ");
    }
}
