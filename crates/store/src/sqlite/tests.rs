//! What a connection counts is what SQLite itself says that it ran.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::{Connection, SqliteFile, SqliteSettings};
use crate::ambient::Clock;
use crate::row::Row;
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

#[test]
fn every_statement_that_sqlite_runs_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SqliteSettings {
        clock: Arc::new(NoClock),
        statement_limit_ms: 60_000,
        cache_kibibytes: 4_096,
        readers_max: 1,
        file_layer: None,
        statements: StatementCount::default(),
    };
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
        let mut sink = |_: &Row<'_>| rows += 1;
        writer.read(commits, None, &[&named], &mut [&mut sink]).unwrap();
        check("a read");
    }
    writer.checkpoint().unwrap();
    check("moving the log into the file");
    assert!(seen.load(Ordering::Relaxed) > 12, "the trace sees statements");

    let nothing = Statement { parameters: vec![Parameter::Bytes(Vec::new()); 3], ..internal::select_tables() };
    assert!(writer.execute(&nothing).is_err());
    check("a statement that was never run");
}
