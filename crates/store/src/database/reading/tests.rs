//! What takes long is read aside, whatever it answers, and a request of many reads lets others have its thread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use custodia_query::{Filter, LikePattern, Path};

use super::*;
use crate::own_indexes::tests::{Open, column, fill};
use crate::row::RowSink;
use crate::site::{Engine, HeldClock, Site, table};

const ROWS: u32 = 5_000;

/// Takes rows, and lets time pass with each.
struct Slow<'c> {
    clock: &'c HeldClock,
    passes_ms: AtomicI64,
    rows: AtomicUsize,
    restarts: AtomicUsize,
}

impl<'c> Slow<'c> {
    fn new(clock: &'c HeldClock, passes_ms: u64) -> Self {
        let passes_ms = AtomicI64::new(i64::try_from(passes_ms).unwrap());
        Self { clock, passes_ms, rows: AtomicUsize::new(0), restarts: AtomicUsize::new(0) }
    }

    fn taken(&self) -> (usize, usize) {
        (self.rows.load(Ordering::Relaxed), self.restarts.load(Ordering::Relaxed))
    }
}

impl RowSink for &Slow<'_> {
    fn row(&mut self, _: &Row<'_>) {
        self.rows.fetch_add(1, Ordering::Relaxed);
        self.clock.0.fetch_add(self.passes_ms.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Restart for &Slow<'_> {
    fn restart(&mut self) {
        self.rows.store(0, Ordering::Relaxed);
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Few rows of many, none of them by an index.
fn seldom(database: &Database) -> Query {
    let accounts = table(database, "account");
    let pattern = LikePattern::Substring("999".to_owned());
    let some = Filter::Like { path: Path::own(column(&accounts, "name")), pattern };
    let every = Filter::Compare {
        path: Path::own(column(&accounts, "revenue")),
        operator: custodia_query::Comparison::GreaterOrEqual,
        value: Value::Money(custodia_schema::Money(0)),
    };
    Query { filter: Filter::And(vec![some, every]), ..Query::of(&accounts, 50) }
}

#[tokio::test]
async fn what_passes_many_rows_is_given_up_and_read_aside() {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("demo").await;
    fill(&database, ROWS).await;
    let query = seldom(&database);
    let reading = database.prepare(&query, &Open).await.unwrap();
    let places = &database.inner.services.long_reads;
    let all = u32::try_from(places.available_permits()).unwrap();

    // In time, it is answered where it was asked.
    let held = places.acquire_many(all).await.unwrap();
    let quick = Slow::new(&site.clock, 0);
    database.read(None, &query, &Open, &reading, &mut &quick).await.unwrap();
    assert_eq!(quick.taken(), (5, 0));
    // So is a question for a long page of which there are few rows; a page that will be long waits.
    let paged = |query: Query| Query { page_size: LONG_PAGE_ROWS, ..query };
    assert_eq!(database.rows(&paged(query.clone()), &Open).await.unwrap().0.len(), 5);
    let all_of_them = paged(Query { filter: Filter::True, ..query.clone() });
    assert!(futures::poll!(Box::pin(database.rows(&all_of_them, &Open))).is_pending());

    // Too late, it waits for a place.
    let slow = Slow::new(&site.clock, SHORT_READ_MS + 1);
    let mut sink = &slow;
    let mut read = Box::pin(database.read(None, &query, &Open, &reading, &mut sink));
    // It lets others have the thread first.
    assert!(futures::poll!(&mut read).is_pending());
    for _ in 0..4 {
        assert!(futures::poll!(&mut read).is_pending());
        assert_eq!(slow.taken(), (0, 1));
    }
    drop(held);
    read.await.unwrap();
    assert_eq!(slow.taken(), (5, 1), "every row once");
    let noted = database.questions().await.unwrap();
    assert_eq!(noted.iter().map(|noted| (noted.times, noted.answered)).collect::<Vec<_>>(), [(2, 10)]);

    // That it takes longer still is told.
    slow.passes_ms.store(i64::try_from(database.limits().statement_ms).unwrap() + 1, Ordering::Relaxed);
    let late = database.read(None, &query, &Open, &reading, &mut &slow).await;
    assert!(matches!(late, Err(Error::Timeout { limit_ms }) if limit_ms == database.limits().statement_ms), "{late:?}");
}

#[tokio::test]
async fn one_database_has_half_of_the_places_for_long_reads() {
    let site = Site::new(Engine::Sqlite).await;
    let (north, south) = (site.organization("north").await, site.organization("south").await);
    let (own, all) = (&north.inner.long_reads, &north.inner.services.long_reads);
    assert_eq!((own.available_permits(), all.available_permits()), (2, 4));
    for database in [&north, &south] {
        fill(database, 10).await;
    }
    let long = |database: &Database| Query { page_size: LONG_PAGE_ROWS, ..Query::of(&table(database, "account"), 5) };
    let held = (own.acquire_many(2).await.unwrap(), all.acquire_many(2).await.unwrap());
    let query = long(&north);
    let mut waiting = Box::pin(north.rows(&query, &Open));
    for _ in 0..5 {
        assert!(futures::poll!(&mut waiting).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(south.rows(&long(&south), &Open).await.unwrap().0.len(), 10);
    drop(held);
    assert_eq!(waiting.await.unwrap().0.len(), 10);
}

#[tokio::test]
async fn many_short_reads_let_others_have_their_thread() {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("demo").await;
    let query = Query::of(&table(&database, "account"), 5);
    // The first one makes the table, which is waited for.
    database.rows(&query, &Open).await.unwrap();
    let mut many = Box::pin(async {
        for _ in 0..1_000 {
            database.rows(&query, &Open).await.unwrap();
        }
    });
    assert!(futures::poll!(&mut many).is_pending());
    let mut times = 1;
    while futures::poll!(&mut many).is_pending() {
        times += 1;
        tokio::task::yield_now().await;
    }
    assert!(times > 5, "{times}");
}

#[tokio::test]
async fn a_read_that_takes_a_while_lets_others_have_its_thread_before_the_next() {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("demo").await;
    fill(&database, 100).await;
    let query = Query::of(&table(&database, "account"), 5);
    let reading = database.prepare(&query, &Open).await.unwrap();
    for (passes_ms, at_once) in [(0, true), (LETS_GO_MS, false)] {
        let slow = Slow::new(&site.clock, passes_ms);
        let mut sink = &slow;
        let mut read = Box::pin(database.read(None, &query, &Open, &reading, &mut sink));
        assert_eq!(futures::poll!(&mut read).is_ready(), at_once);
        assert_eq!(slow.taken(), (6, 0), "it is read by then");
    }
    let long = Query { page_size: LONG_PAGE_ROWS, ..query };
    let reading = database.prepare(&long, &Open).await.unwrap();
    let slow = Slow::new(&site.clock, 0);
    let mut sink = &slow;
    let mut read = Box::pin(database.read(None, &long, &Open, &reading, &mut sink));
    assert!(futures::poll!(&mut read).is_pending(), "nobody knows yet");
    assert_eq!(slow.taken(), (100, 0), "it is read by then");
    read.await.unwrap();
}
