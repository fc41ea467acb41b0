//! What a connection counts is what SQLite itself says that it ran, and page caches hold what they may.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::{CommitsByFile, Connection, PageCaches, SqliteFile, SqliteSettings};
use crate::Error;
use crate::ambient::Clock;
use crate::page_caches::LEAST_KIBIBYTES;
use crate::pipeline::tests::HeldClock;
use crate::row::{Gathered, Row};
use crate::sql::{Dialect, Parameter, Statement, internal};
use crate::statement_count::StatementCount;

struct NoClock;

impl Clock for NoClock {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// Counts every statement that this connection begins to run, by SQLite's own trace.
fn traced(connection: &mut Connection) -> Arc<AtomicU64> {
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    let trace = move |_: TraceEvent<'_>| {
        count.fetch_add(1, Ordering::Relaxed);
    };
    connection.inner.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(trace)).unwrap();
    seen
}

fn settings(caches: Option<Arc<PageCaches>>) -> SqliteSettings {
    SqliteSettings {
        clock: Arc::new(NoClock),
        statement_limit_ms: 60_000,
        caches,
        readers_max: 4,
        log_mebibytes_max: 1,
        file_layer: None,
        statements: StatementCount::default(),
        commits: CommitsByFile::default(),
    }
}

/// Files with two MiB each; all pages of one are passed by two connections at a time.
fn filled(folder: &Path, caches: &Arc<PageCaches>, files: usize) -> Vec<SqliteFile> {
    let made = (0..files).map(|at| {
        let path = folder.join(format!("{at}.db"));
        let file = SqliteFile::create(&path, None, settings(Some(Arc::clone(caches)))).unwrap();
        let fill = "CREATE TABLE t (b); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
            INSERT INTO t SELECT zeroblob(2000) FROM n";
        file.writer.lock().run(fill).unwrap();
        file
    });
    made.collect()
}

fn pass(file: &SqliteFile) {
    let all = |connection: &Connection| {
        let bytes: i64 = connection.raw().query_row("SELECT sum(length(b)) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(bytes, 2_000_000);
        Ok(())
    };
    file.with_reader(|one| all(one).and_then(|()| file.with_reader(all))).unwrap();
}

#[test]
fn all_page_caches_together_hold_what_they_may_and_a_busy_one_has_its_part() {
    const FILES: usize = 16;
    // Of each connection: what it has in any case, and what SQLite holds to a page more or less.
    const OF_A_CONNECTION: u64 = (LEAST_KIBIBYTES as u64 + 16) << 10;
    let folder = tempfile::tempdir().unwrap();
    let caches = Arc::new(PageCaches::new(4));
    let files = filled(folder.path(), &caches, FILES);
    let shares: Vec<_> = files.iter().filter_map(|file| file.cache_share().cloned()).collect();
    let held_at_most = (4 << 20) + FILES as u64 * 3 * OF_A_CONNECTION;
    let holds = || {
        let held: u64 = files.iter().map(SqliteFile::cache_bytes).sum();
        assert!(held <= held_at_most, "{held} bytes, {held_at_most} at most");
    };
    let divide = || {
        caches.divide(&shares);
        files.iter().for_each(|file| file.fit_caches().unwrap());
        holds();
    };
    for _ in 0..4 {
        for (at, file) in files.iter().enumerate() {
            (0..if at == 3 { 50 } else { 1 }).for_each(|_| pass(file));
            holds();
        }
        divide();
    }
    files.iter().for_each(pass);
    let of = |at: usize| files.get(at).unwrap().cache_bytes();
    assert!(of(3) > 1_800 << 10, "a busy one has half of the budget: {}", of(3));
    assert!(of(4) < 500 << 10, "{}", of(4));
    // What a busy one leaves is for the others.
    assert!(files.get(3).unwrap().rest().unwrap());
    assert!(of(3) < 3 * OF_A_CONNECTION, "{}", of(3));
    (0..100).for_each(|_| pass(files.get(4).unwrap()));
    divide();
    (0..2).for_each(|_| pass(files.get(4).unwrap()));
    assert!(of(4) > 900 << 10, "{}", of(4));
    holds();
}

#[test]
fn pages_are_kept_while_nobody_asks_for_some_seconds_and_a_file_at_work_does_not_rest() {
    let folder = tempfile::tempdir().unwrap();
    let caches = Arc::new(PageCaches::new(16));
    let files = filled(folder.path(), &caches, 1);
    let file = files.first().unwrap();
    let shares: Vec<_> = file.cache_share().cloned().into_iter().collect();
    let divide = || {
        caches.divide(&shares);
        file.fit_caches().unwrap();
    };
    (0..3).for_each(|_| {
        pass(file);
        divide();
    });
    pass(file);
    let warm = file.cache_bytes();
    assert!(warm > 2 << 20, "{warm}");
    (0..8).for_each(|_| divide());
    assert!(file.cache_bytes() >= warm / 2, "{} of {warm}", file.cache_bytes());
    (0..4).for_each(|_| divide());
    assert!(file.cache_bytes() < warm / 2, "{} of {warm}", file.cache_bytes());
    pass(file);
    let writing = file.writer.lock();
    assert!(!file.rest().unwrap());
    drop(writing);
    assert!(file.rest().unwrap());
    assert!(file.cache_bytes() < 512 << 10, "{}", file.cache_bytes());
}

#[test]
fn every_statement_that_sqlite_runs_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(None);
    let statements = settings.statements.clone();
    let file = SqliteFile::create(&folder.path().join("test.db"), None, settings).unwrap();
    for sql in internal::create(Dialect::Sqlite) {
        file.writer.lock().run(&sql).unwrap();
    }
    let mut writer = file.writer.lock();
    writer.execute(&internal::insert_head(0)).unwrap();
    let seen = traced(&mut writer);
    let before = statements.total();
    let check = |step: &str| {
        let (counted, ran) = (statements.total() - before, seen.load(Ordering::Relaxed));
        assert_eq!(counted, ran, "after {step}");
    };
    let head = writer.begin().unwrap();
    check("beginning");
    writer.execute(&internal::update_head(&head)).unwrap();
    check("changing a row");
    let mut rows = 0;
    writer.query(&internal::select_tables(), &mut |_: &Row<'_>| rows += 1).unwrap();
    check("a query");
    writer.run(internal::COMMIT).unwrap();
    check("committing");
    writer.head().unwrap();
    check("reading the head");
    // A read in a snapshot, the same again in the snapshot that it kept, and one after a commit.
    for commits in [1, 1, 2] {
        let named = internal::select_setting("none");
        let mut sink = Gathered::by(|_| Some(()));
        writer.read(Some(commits), 0, None, &[&named], &mut [&mut sink]).unwrap();
        check("a read");
    }
    writer.checkpoint().unwrap();
    check("moving the log into the file");
    assert!(seen.load(Ordering::Relaxed) > 12, "the trace sees statements");

    let nothing = Statement { parameters: vec![Parameter::Bytes(Vec::new()); 3], ..internal::select_tables() };
    assert!(writer.execute(&nothing).is_err());
    check("a statement that was never run");
}

#[test]
fn a_log_does_not_grow_without_end_while_reads_overlap() {
    const BATCHES: usize = 100;
    const LIMIT_MS: u64 = 1_000;
    /// How often is looked for what another thread is about to do: half a minute at the least.
    const LOOKS_MAX: u32 = 100_000_000;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(HeldClock::default());
    struct Ends<'c>(&'c HeldClock);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.0.store(LIMIT_MS + 1, Ordering::Relaxed);
        }
    }
    let settings = SqliteSettings { clock: clock.clone(), statement_limit_ms: LIMIT_MS, ..settings(None) };
    let file = SqliteFile::create(&folder.path().join("test.db"), None, settings).unwrap();
    for sql in internal::create(Dialect::Sqlite) {
        file.writer.lock().run(&sql).unwrap();
    }
    file.writer.lock().execute(&internal::insert_head(0)).unwrap();
    file.writer.lock().run("CREATE TABLE t (b)").unwrap();
    // It has a row of what was written, and then goes on until it is stopped.
    let endless = "WITH RECURSIVE n (i, last) AS (SELECT 0, max(rowid) FROM t UNION ALL SELECT i + 1, last FROM n) \
        SELECT i FROM n WHERE i = 0";
    let endless = Statement { sql: endless.to_owned(), ..Statement::default() };
    let (interrupted, at_work) = (AtomicU64::new(0), AtomicUsize::new(0));
    // Somebody always reads: when one is interrupted, the other goes on until it is, too.
    let read_on = || {
        loop {
            let mut first_row = Gathered::by(|_| Some(at_work.fetch_add(1, Ordering::Relaxed)));
            match file.read(LIMIT_MS, None, &[&endless], &mut [&mut first_row]) {
                Err(Error::Interrupted) => interrupted.fetch_add(1, Ordering::Relaxed),
                Err(Error::Timeout { .. }) => return,
                other => panic!("{other:?}"),
            };
            // None, if it was interrupted before it.
            at_work.fetch_sub(first_row.finish().unwrap().len(), Ordering::Relaxed);
        }
    };
    let both_read = || {
        let reads = (0..LOOKS_MAX).any(|_| {
            std::thread::yield_now();
            at_work.load(Ordering::Relaxed) == 2
        });
        assert!(reads, "both read");
    };
    // Many are done at once, and leave a snapshot for whoever asks next on their connection.
    let short = Statement { sql: "SELECT max(rowid) FROM t".to_owned(), ..Statement::default() };
    let read_shortly = || {
        while clock.monotonic_ms() == 0 {
            let read = file.read(LIMIT_MS, None, &[&short], &mut [&mut Gathered::by(|_| Some(()))]);
            assert!(matches!(read, Ok(_) | Err(Error::Interrupted | Error::Timeout { .. })), "{read:?}");
        }
    };
    let longest = std::thread::scope(|scope| {
        // Their time is over at the end, and when something fails.
        let _ends = Ends(&clock);
        scope.spawn(read_on);
        scope.spawn(read_on);
        scope.spawn(read_shortly);
        let mut longest = 0;
        for _ in 0..BATCHES {
            both_read();
            // What the writer of batches does, and the timer between them.
            file.shorten_log().unwrap();
            let writer = file.writer.lock();
            writer.begin().unwrap();
            writer.run("INSERT INTO t VALUES (zeroblob(200000))").unwrap();
            writer.run(internal::COMMIT).unwrap();
            drop(writer);
            file.checkpoint().unwrap();
            longest = longest.max(file.paths()[1].metadata().unwrap().len());
        }
        longest
    });
    assert!(interrupted.load(Ordering::Relaxed) > 4, "{interrupted:?}");
    // One batch more than the bound, and more of them where a reader was not run for a while.
    assert!(longest < 6 << 20, "{longest} bytes of a log that may have one MiB");
    assert!(file.size_bytes() > 20_000_000);
}

/// A clock that passes on with each look: whatever is looked at for its time is late.
struct Racing(AtomicU64);

impl Clock for Racing {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

#[test]
fn a_read_that_is_stopped_wherever_it_stands_leaves_a_connection_to_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SqliteSettings { clock: Arc::new(Racing(AtomicU64::new(0))), ..settings(None) };
    let file = SqliteFile::create(&folder.path().join("test.db"), None, settings).unwrap();
    for sql in internal::create(Dialect::Sqlite) {
        file.writer.lock().run(&sql).unwrap();
    }
    file.writer.lock().execute(&internal::insert_head(0)).unwrap();
    let mut stopped = 0;
    for _ in 0..30_000 {
        // Each begins a snapshot of its own, as after a commit.
        file.commits.during(|| {}, || true);
        match file.read(10, None, &[], &mut []) {
            Ok(_) => {}
            Err(Error::Timeout { .. }) => stopped += 1,
            Err(other) => panic!("after {stopped}: {other}"),
        }
    }
    assert!(stopped > 5, "{stopped}");
}

#[test]
fn a_kept_snapshot_is_neither_interrupted_nor_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile::create(&folder.path().join("test.db"), None, settings(None)).unwrap();
    file.writer.lock().run("CREATE TABLE t (b); INSERT INTO t VALUES (1)").unwrap();
    let write = || {
        for _ in 0..20 {
            file.writer.lock().run("INSERT INTO t VALUES (zeroblob(200000))").unwrap();
        }
        file.checkpoint().unwrap();
        file.shorten_log().unwrap();
    };
    let kept = file.connect_keeping().unwrap();
    kept.run("BEGIN; SELECT * FROM t").unwrap();
    let count = || kept.raw().query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
    write();
    assert_eq!((count(), file.rounds.load(Ordering::Relaxed)), (1, 0));
    drop(kept);
    write();
    assert_eq!((file.rounds.load(Ordering::Relaxed), file.paths()[1].metadata().unwrap().len()), (2, 0));
}

/// A commit is seen by some before it is counted: whoever has seen it sees it from then on, whichever connection reads.
#[test]
fn what_was_seen_of_a_commit_on_its_way_stays_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile::create(&folder.path().join("test.db"), None, settings(None)).unwrap();
    for sql in internal::create(Dialect::Sqlite) {
        file.writer.lock().run(&sql).unwrap();
    }
    file.writer.lock().execute(&internal::insert_head(0)).unwrap();
    let read = || file.read(60_000, None, &[], &mut []).unwrap().0.number;
    let before = read();
    // Through connections that this file does not count, as in the moment before it does.
    let elsewhere = SqliteFile::open(&folder.path().join("test.db"), None, settings(None)).unwrap();
    let commit = || {
        let mut head = elsewhere.writer.lock().head().unwrap();
        head.number += 1;
        elsewhere.writer.lock().execute(&internal::update_head(&head)).unwrap();
    };
    file.commits.during(
        || {
            commit();
            assert_eq!(read(), before + 1);
            commit();
            assert_eq!(read(), before + 2);
        },
        || true,
    );
    assert_eq!(read(), before + 2);
}

#[test]
fn a_value_that_is_missing_is_no_duplicate() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile::create(&folder.path().join("t.db"), None, settings(None)).unwrap();
    let writer = file.writer.lock();
    writer.run("CREATE TABLE keyed (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, part BLOB)").unwrap();
    writer.run("CREATE TABLE rowless (id BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID").unwrap();
    let refused = |statement: &str| writer.run(statement).unwrap_err();
    writer.run("INSERT INTO keyed VALUES (1, 'a', NULL); INSERT INTO rowless VALUES (x'01')").unwrap();
    for (statement, key) in [
        ("INSERT INTO keyed VALUES (1, 'b', NULL)", "keyed.id"),
        ("INSERT INTO keyed VALUES (2, 'a', NULL)", "keyed.key"),
        ("INSERT INTO rowless VALUES (x'01')", "rowless.id"),
    ] {
        let refused = refused(statement);
        assert!(matches!(&refused, Error::DuplicateKey { constraint } if constraint == key), "{refused}");
    }
    for statement in ["INSERT INTO keyed VALUES (3, NULL, NULL)", "INSERT INTO rowless VALUES (NULL)"] {
        let refused = refused(statement);
        assert!(matches!(&refused, Error::Unavailable { .. }), "{refused}");
        assert!(refused.to_string().contains("NOT NULL constraint failed"), "{refused}");
    }
}
