//! What requests of one batch do to each other: nothing but share a flush.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use custodia_schema::{Guid, PrivilegeKind, Value};
use custodia_testbed::{Cut, CutOff, fresh_database_name, with_database};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::on_both_engines;
use crate::site::{Engine, HeldClock, Site, Step, account, master_key, permit, table, values, write};
use crate::sql::content::Layout;
use crate::sql::{Dialect, Statement, Tables, internal};
use crate::{Database, Error, Limits, Result, RowKey, Transaction, WriteTotals};

on_both_engines! {
    the_innocent_survive_a_failing_neighbour;
    a_request_that_stores_and_then_refuses_leaves_nothing;
    a_request_that_stores_and_then_needs_a_new_table_is_stored_once;
    what_a_batch_shares_first_is_noted_and_what_it_refuses_is_not;
    requests_for_one_row_in_one_batch_follow_on_each_other;
    a_full_queue_refuses_and_recovers;
    a_batch_is_one_commit;
    what_is_refused_or_only_read_is_not_committed;
    a_write_that_takes_too_long_is_refused_alone;
    a_question_that_takes_too_long_is_refused_alone;
    what_was_gathered_and_takes_too_long_is_refused_alone;
    questions_beside_one_that_takes_too_long_are_answered;
    questions_in_turn_after_one_that_fails_are_answered;
    many_short_statements_are_stopped_too;
    each_request_of_a_batch_has_time_of_its_own;
    tables_that_are_made_leave_the_limit_where_it_was;
    what_nobody_waits_for_is_not_begun;
    what_goes_on_after_its_writes_failed_is_refused_alone;
    a_closed_organisation_begins_nothing_and_what_was_at_work_is_seen_in_the_next;
    a_request_that_panics_at_once_is_refused_alone;
    what_waited_in_a_closed_database_waits_no_more;
}

/// A queue that is held up by a request at work, so that what comes meanwhile forms one batch.
struct Held {
    open: watch::Sender<bool>,
    holding: JoinHandle<Result<()>>,
}

impl Held {
    async fn up(database: &Database) -> Self {
        let (open, opened) = watch::channel(false);
        let (entered, mut waits) = watch::channel(false);
        let database = database.clone();
        let holding = tokio::spawn(async move {
            database
                .write(move |_: &mut Transaction| {
                    let (mut opened, entered) = (opened.clone(), entered.clone());
                    Box::pin(async move {
                        entered.send_replace(true);
                        opened.wait_for(|open| *open).await.unwrap();
                        Ok::<(), Error>(())
                    })
                })
                .await
        });
        waits.wait_for(|entered| *entered).await.unwrap();
        Self { open, holding }
    }

    async fn release(self) {
        self.open.send_replace(true);
        self.holding.await.unwrap().unwrap();
    }
}

/// Starts a request and returns when it stands in the queue.
async fn queued<T: Send + 'static>(
    database: &Database,
    request: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let waiting = database.writes_waiting();
    let handle = tokio::spawn(request);
    while database.writes_waiting() == waiting && !handle.is_finished() {
        tokio::task::yield_now().await;
    }
    handle
}

fn insert(database: &Database, number: u128) -> impl Future<Output = Result<()>> + Send + 'static {
    let (database, step) = (database.clone(), account(database, Guid::from_u128(number), &format!("Account {number}")));
    async move { write(&database, vec![step]).await }
}

/// Accounts by number.
async fn accounts(database: &Database) -> Vec<u128> {
    let table = table(database, "account");
    let layout = Layout::of(&table);
    let id = layout.columns.iter().position(|column| column.name == "accountid").unwrap();
    let mut found = database.internal_rows(&layout.select(), |row| Some(row.guid(id)?.as_u128())).await.unwrap();
    found.sort_unstable();
    found
}

/// Rows that the change log says were made.
async fn logged(database: &Database) -> Vec<u128> {
    let table = table(database, "account").id;
    let changes = database.changes(0, u32::MAX).await.unwrap();
    let mut found: Vec<_> = changes
        .iter()
        .filter(|change| change.table == table && !change.row.is_nil())
        .map(|change| change.row.as_u128())
        .collect();
    found.sort_unstable();
    found
}

async fn with_accounts(engine: Engine) -> (Site, Database) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    insert(&database, 1000).await.unwrap();
    (site, database)
}

/// Milliseconds that statements may take in these tests: PostgreSQL counts real ones.
const SHORT_MS: i64 = 2_000;

async fn with_little_time(engine: Engine) -> (Site, Database) {
    let short = u64::try_from(SHORT_MS).unwrap();
    let statement_ms = if engine == Engine::Postgres { short } else { 10 * short };
    let limits = Limits { statement_ms, write_ms: short, write_batch_ms: 1_000_000, ..Limits::default() };
    let site = Site::with(engine, &master_key(), None, limits).await;
    let database = site.organization("demo").await;
    insert(&database, 1000).await.unwrap();
    (site, database)
}

/// Where a request comes to something without an end.
#[derive(Clone, Copy, PartialEq)]
enum Sticks {
    /// In a question.
    Reading,
    /// In what it has written before it goes on.
    Flushing,
    /// In what it leaves to be written.
    Gathered,
}

/// A statement that ends when it is stopped. The clock goes on while the embedded engine works on it.
fn endless(dialect: Dialect, sticks: Sticks) -> Statement {
    let sql = match (dialect, sticks) {
        (Dialect::Postgres, _) => "SELECT pg_sleep(60)",
        (Dialect::Sqlite, Sticks::Reading) => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0"
        }
        (Dialect::Sqlite, _) => {
            "INSERT INTO custodia_shared (tableid) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0"
        }
    };
    Statement { sql: sql.to_owned(), ..Statement::default() }
}

/// Makes an account, and then does something without an end; how often it came to that is counted.
fn insert_and_stick(
    site: &Site,
    database: &Database,
    number: u128,
    sticks: Sticks,
    stuck: &Arc<AtomicUsize>,
) -> impl Future<Output = Result<()>> + Send + 'static {
    let (database, clock, stuck) = (database.clone(), Arc::clone(&site.clock), Arc::clone(stuck));
    let step = account(&database, Guid::from_u128(number), "Endless");
    async move {
        database
            .write(move |transaction: &mut Transaction| {
                let (step, clock, stuck) = (step.clone(), Arc::clone(&clock), Arc::clone(&stuck));
                Box::pin(async move {
                    step.run(transaction).await?;
                    if sticks == Sticks::Flushing {
                        transaction.flush().await?;
                    }
                    stuck.fetch_add(1, Ordering::Relaxed);
                    let endless = endless(transaction.dialect(), sticks);
                    clock.1.store(SHORT_MS / 50, Ordering::Relaxed);
                    if sticks == Sticks::Reading {
                        return transaction.internal_rows(&endless, |_| Some(())).await.map(drop);
                    }
                    transaction.internal(endless);
                    if sticks == Sticks::Flushing { transaction.flush().await } else { Ok(()) }
                })
            })
            .await
    }
}

/// Makes an account in two parts, between which so much time passes; how often it got so far is counted.
fn insert_slowly(
    clock: &Arc<HeldClock>,
    database: &Database,
    number: u128,
    takes_ms: i64,
    runs: &Arc<AtomicUsize>,
) -> impl Future<Output = Result<()>> + Send + 'static {
    let (database, clock, runs) = (database.clone(), Arc::clone(clock), Arc::clone(runs));
    let step = |number| account(&database, Guid::from_u128(number), "Slow");
    let steps = [step(number), step(number + 1)];
    async move {
        database
            .write(move |transaction: &mut Transaction| {
                let ([first, second], clock, runs) = (steps.clone(), Arc::clone(&clock), Arc::clone(&runs));
                Box::pin(async move {
                    first.run(transaction).await?;
                    transaction.flush().await?;
                    runs.fetch_add(1, Ordering::Relaxed);
                    clock.0.fetch_add(takes_ms, Ordering::Relaxed);
                    second.run(transaction).await?;
                    transaction.flush().await
                })
            })
            .await
    }
}

/// A site whose way to PostgreSQL can be cut off, and an organisation with account 1000.
async fn that_can_be_cut_off() -> (CutOff, Site, Database) {
    let url = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
    let way = CutOff::of(&with_database(&url, &fresh_database_name())).unwrap();
    let limits = Limits { silence_ms: 500, stalled_ms: 500, ..Limits::default() };
    let site = Site::at(Some(way.url().to_owned()), &master_key(), None, limits).await;
    let database = site.organization("demo").await;
    insert(&database, 1000).await.unwrap();
    (way, site, database)
}

/// Accounts 1 and 2 in one batch, whose commit is cut off so; how both ended.
async fn cut_off(way: &CutOff, database: &Database, cut: Cut) -> [Result<()>; 2] {
    let held = Held::up(database).await;
    let first = queued(database, insert(database, 1)).await;
    let second = queued(database, insert(database, 2)).await;
    way.at_next_commit(cut);
    held.release().await;
    let ended = [first.await.unwrap(), second.await.unwrap()];
    assert!(way.is_done());
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_done() {
    let (way, _site, database) = that_can_be_cut_off().await;
    let requests = database.counters().requests();
    let ended = cut_off(&way, &database, Cut::AfterCommit).await;
    assert!(matches!(ended, [Ok(()), Ok(())]), "{ended:?}");
    assert_eq!(database.counters().requests(), requests + 2);
    // What moves no number is known, too: by the transaction, not by the head.
    way.at_next_commit(Cut::AfterCommit);
    let set = database.write(|transaction: &mut Transaction| {
        Box::pin(async move {
            transaction.put_setting("held", vec![7]);
            Ok::<(), Error>(())
        })
    });
    set.await.unwrap();
    assert!(way.is_done());
    assert_eq!(database.setting("held").await.unwrap(), Some(vec![7]));
    insert(&database, 3).await.unwrap();
    assert_eq!(accounts(&database).await, [1, 2, 3, 1000]);
    assert_eq!(logged(&database).await, [1, 2, 3, 1000]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_the_server_never_got_is_not_done() {
    let (way, _site, database) = that_can_be_cut_off().await;
    let ended = cut_off(&way, &database, Cut::BeforeCommit).await;
    assert!(matches!(ended, [Err(Error::Unavailable { .. }), Err(Error::Unavailable { .. })]), "{ended:?}");
    insert(&database, 3).await.unwrap();
    assert_eq!(accounts(&database).await, [3, 1000]);
    assert_eq!(logged(&database).await, [3, 1000]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_which_nobody_can_tell_may_be_done() {
    let (way, _site, database) = that_can_be_cut_off().await;
    let ended = cut_off(&way, &database, Cut::AfterCommitAndAway).await;
    assert!(matches!(ended, [Err(Error::Unknown(_)), Err(Error::Unknown(_))]), "{ended:?}");
    way.let_in();
    insert(&database, 3).await.unwrap();
    assert_eq!(accounts(&database).await, [1, 2, 3, 1000]);
    assert_eq!(logged(&database).await, [1, 2, 3, 1000]);
}

mod bodies {
    use super::*;

    pub async fn a_closed_organisation_begins_nothing_and_what_was_at_work_is_seen_in_the_next(engine: Engine) {
        let (site, database) = with_accounts(engine).await;
        let (open, opened) = watch::channel(false);
        let (entered, mut waits) = watch::channel(false);
        let (old, step) = (database.clone(), account(&database, Guid::from_u128(1), "At work"));
        let at_work = tokio::spawn(async move {
            old.write(move |transaction: &mut Transaction| {
                let (step, mut opened, entered) = (step.clone(), opened.clone(), entered.clone());
                Box::pin(async move {
                    step.run(transaction).await?;
                    entered.send_replace(true);
                    opened.wait_for(|open| *open).await.unwrap();
                    Ok::<(), Error>(())
                })
            })
            .await
        });
        waits.wait_for(|entered| *entered).await.unwrap();
        let waiting = queued(&database, insert(&database, 2)).await;
        site.store.suspend(&site.store.organization("demo").unwrap()).await.unwrap();
        site.store.activate(&site.store.organization("demo").unwrap()).await.unwrap();
        let next = site.store.database("demo").await.unwrap();
        // What is read is kept for the next reads, until something is committed.
        for _ in 0..2 {
            assert_eq!(accounts(&next).await, [1000]);
        }
        open.send_replace(true);
        at_work.await.unwrap().unwrap();
        let refused = waiting.await.unwrap();
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
        assert_eq!(accounts(&next).await, [1, 1000]);
        insert(&next, 3).await.unwrap();
        assert_eq!(accounts(&next).await, [1, 3, 1000]);
        assert!(insert(&database, 4).await.is_err());
    }

    pub async fn a_request_that_panics_at_once_is_refused_alone(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let broken = database.clone();
        let held = Held::up(&database).await;
        let broken = queued(&database, async move {
            broken
                .write(|_: &mut Transaction| -> BoxFuture<'_, Result<()>> { panic!("before it waits for anything") })
                .await
        })
        .await;
        let beside = queued(&database, insert(&database, 1)).await;
        held.release().await;
        assert!(matches!(broken.await.unwrap(), Err(Error::Unavailable { .. })));
        beside.await.unwrap().unwrap();
        insert(&database, 2).await.unwrap();
        assert_eq!(accounts(&database).await, [1, 2, 1000]);
    }

    pub async fn what_waited_in_a_closed_database_waits_no_more(engine: Engine) {
        let (site, database) = with_accounts(engine).await;
        let held = Held::up(&database).await;
        let waiting = [queued(&database, insert(&database, 1)).await, queued(&database, insert(&database, 2)).await];
        let before = site.store.write_totals();
        assert_eq!(before.waiting, 2);
        site.store.forget_open(database.organization());
        assert_eq!(site.store.write_totals(), WriteTotals { waiting: 0, ..before });
        held.release().await;
        for refused in waiting {
            assert!(refused.await.unwrap().is_err());
        }
        assert_eq!(site.store.write_totals().waiting, 0);
    }

    /// A batch of small ones and one that takes too long, before which another failed or not.
    async fn refused_alone(engine: Engine, sticks: Sticks) {
        let (site, database) = with_little_time(engine).await;
        for (fails_before, first) in [(false, 1), (true, 11)] {
            let stuck = Arc::new(AtomicUsize::new(0));
            let held = Held::up(&database).await;
            let before = queued(&database, insert(&database, first)).await;
            let failing = if fails_before { Some(queued(&database, insert(&database, 1000)).await) } else { None };
            let long = insert_and_stick(&site, &database, first + 1, sticks, &stuck);
            let long = queued(&database, long).await;
            let after = queued(&database, insert(&database, first + 2)).await;
            held.release().await;
            let refused = long.await.unwrap();
            site.clock.1.store(0, Ordering::Relaxed);
            assert!(matches!(refused, Err(Error::Timeout { limit_ms: 2_000 })), "{refused:?}");
            before.await.unwrap().unwrap();
            after.await.unwrap().unwrap();
            if let Some(failing) = failing {
                assert!(matches!(failing.await.unwrap(), Err(Error::DuplicateId { .. })));
            }
            // On PostgreSQL what all gathered is written together: whose it was is found out by running them in turn.
            let runs = if sticks == Sticks::Gathered && engine == Engine::Postgres { 2 } else { 1 };
            assert_eq!(stuck.load(Ordering::Relaxed), runs, "what took too long is not run again");
        }
        assert_eq!(accounts(&database).await, [1, 3, 11, 13, 1000]);
        assert_eq!(logged(&database).await, [1, 3, 11, 13, 1000]);
        insert(&database, 20).await.unwrap();
    }

    pub async fn a_write_that_takes_too_long_is_refused_alone(engine: Engine) {
        refused_alone(engine, Sticks::Flushing).await;
    }

    pub async fn a_question_that_takes_too_long_is_refused_alone(engine: Engine) {
        refused_alone(engine, Sticks::Reading).await;
    }

    pub async fn what_was_gathered_and_takes_too_long_is_refused_alone(engine: Engine) {
        refused_alone(engine, Sticks::Gathered).await;
    }

    pub async fn questions_beside_one_that_takes_too_long_are_answered(engine: Engine) {
        let (site, database) = with_little_time(engine).await;
        let asking = || {
            let (database, accounts) = (database.clone(), table(&database, "account"));
            async move {
                database
                    .write(move |transaction: &mut Transaction| {
                        let accounts = Arc::clone(&accounts);
                        Box::pin(
                            async move { transaction.fetch(&accounts, &RowKey::Id(Guid::from_u128(1000)), &[]).await },
                        )
                    })
                    .await
            }
        };
        let stuck = Arc::new(AtomicUsize::new(0));
        let held = Held::up(&database).await;
        let before = queued(&database, asking()).await;
        let long = queued(&database, insert_and_stick(&site, &database, 1, Sticks::Reading, &stuck)).await;
        let after = queued(&database, asking()).await;
        held.release().await;
        assert!(matches!(long.await.unwrap(), Err(Error::Timeout { limit_ms: 2_000 })));
        site.clock.1.store(0, Ordering::Relaxed);
        for asked in [before, after] {
            let answer: Result<_> = asked.await.unwrap();
            assert!(answer.unwrap().is_some());
        }
        assert_eq!(stuck.load(Ordering::Relaxed), 1);
    }

    pub async fn questions_in_turn_after_one_that_fails_are_answered(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let failing = {
            let database = database.clone();
            async move {
                let statement = Statement { sql: "SELECT nothing FROM nowhere".to_owned(), ..Statement::default() };
                database
                    .write(move |transaction: &mut Transaction| {
                        let statement = statement.clone();
                        Box::pin(async move {
                            transaction.claim_alone()?;
                            transaction.internal_rows(&statement, |_| Some(())).await.map(drop)
                        })
                    })
                    .await
            }
        };
        let asking = {
            let (database, accounts) = (database.clone(), table(&database, "account"));
            async move {
                database
                    .write(move |transaction: &mut Transaction| {
                        let accounts = Arc::clone(&accounts);
                        Box::pin(async move {
                            transaction.claim_alone()?;
                            transaction.fetch(&accounts, &RowKey::Id(Guid::from_u128(1000)), &[]).await
                        })
                    })
                    .await
            }
        };
        let held = Held::up(&database).await;
        let failing: JoinHandle<Result<()>> = queued(&database, failing).await;
        let asking: JoinHandle<Result<_>> = queued(&database, asking).await;
        held.release().await;
        assert!(matches!(failing.await.unwrap(), Err(Error::Unavailable { .. })));
        assert!(asking.await.unwrap().is_ok());
    }

    pub async fn many_short_statements_are_stopped_too(engine: Engine) {
        let (site, database) = with_little_time(engine).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let held = Held::up(&database).await;
        let before = queued(&database, insert(&database, 1)).await;
        let slow = queued(&database, insert_slowly(&site.clock, &database, 2, SHORT_MS + 1, &runs)).await;
        let after = queued(&database, insert(&database, 4)).await;
        held.release().await;
        assert!(matches!(slow.await.unwrap(), Err(Error::Timeout { limit_ms: 2_000 })));
        before.await.unwrap().unwrap();
        after.await.unwrap().unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 1, "it is not run again");
        assert_eq!(accounts(&database).await, [1, 4, 1000]);
        assert_eq!(logged(&database).await, [1, 4, 1000]);
    }

    pub async fn each_request_of_a_batch_has_time_of_its_own(engine: Engine) {
        let (site, database) = with_little_time(engine).await;
        let (batches, runs) = (database.counters().batches(), Arc::new(AtomicUsize::new(0)));
        let held = Held::up(&database).await;
        let mut slow = Vec::new();
        for number in [1, 3, 5] {
            let request = insert_slowly(&site.clock, &database, number, SHORT_MS, &runs);
            slow.push(queued(&database, request).await);
        }
        held.release().await;
        for request in slow {
            request.await.unwrap().unwrap();
        }
        assert_eq!(accounts(&database).await, [1, 2, 3, 4, 5, 6, 1000]);
        assert_eq!((database.counters().batches() - batches, runs.load(Ordering::Relaxed)), (1, 3));
    }

    pub async fn tables_that_are_made_leave_the_limit_where_it_was(engine: Engine) {
        let (site, database) = with_little_time(engine).await;
        let (contacts, opportunities) = (table(&database, "contact").id, table(&database, "opportunity").id);
        let needs = |flushes: bool, table, takes_ms| {
            let (database, clock) = (database.clone(), Arc::clone(&site.clock));
            let step = account(&database, Guid::from_u128(1), "Slow");
            async move {
                database
                    .write(move |transaction: &mut Transaction| {
                        let (step, clock) = (step.clone(), Arc::clone(&clock));
                        Box::pin(async move {
                            step.run(transaction).await?;
                            if flushes {
                                transaction.flush().await?;
                            }
                            transaction.need_tables(&[table])?;
                            clock.0.fetch_add(takes_ms, Ordering::Relaxed);
                            transaction.flush().await
                        })
                    })
                    .await
            }
        };
        // The table is made in the transaction that the request has already, or after what it wrote was taken back.
        for (flushes, table) in [(false, contacts), (true, opportunities)] {
            let refused = needs(flushes, table, SHORT_MS + 1).await;
            assert!(matches!(refused, Err(Error::Timeout { limit_ms: 2_000 })), "{refused:?}");
        }
        assert_eq!(accounts(&database).await, [1000]);
        needs(true, opportunities, 0).await.unwrap();
        assert_eq!(accounts(&database).await, [1, 1000]);
    }

    pub async fn what_nobody_waits_for_is_not_begun(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let held = Held::up(&database).await;
        let carried = Arc::new(());
        let carrying = |number: u128| {
            let (database, carried) = (database.clone(), Arc::clone(&carried));
            let step = account(&database, Guid::from_u128(number), "Withdrawn");
            async move {
                database
                    .write(move |transaction: &mut Transaction| {
                        let (step, _carried) = (step.clone(), Arc::clone(&carried));
                        Box::pin(async move { step.run(transaction).await })
                    })
                    .await
            }
        };
        let mut waiting = Vec::new();
        for number in 0..200 {
            waiting.push(queued(&database, carrying(number)).await);
        }
        assert_eq!((database.writes_waiting(), Arc::strong_count(&carried)), (200, 201));
        // Whose place is in the middle goes as well as the first and the last.
        let kept = waiting.remove(100);
        for request in &waiting {
            request.abort();
        }
        for request in waiting {
            assert!(request.await.unwrap_err().is_cancelled());
        }
        assert_eq!((database.writes_waiting(), Arc::strong_count(&carried)), (1, 2), "nothing is held of them");
        held.release().await;
        kept.await.unwrap().unwrap();
        assert_eq!((accounts(&database).await, logged(&database).await), (vec![100, 1000], vec![100, 1000]));
        // What was begun is finished.
        let begun = Held::up(&database).await;
        begun.holding.abort();
        assert!(begun.holding.await.unwrap_err().is_cancelled());
        begun.open.send_replace(true);
        insert(&database, 300).await.unwrap();
        assert_eq!(accounts(&database).await, [100, 300, 1000]);
        assert_eq!((database.writes_waiting(), Arc::strong_count(&carried)), (0, 1));
    }

    pub async fn the_innocent_survive_a_failing_neighbour(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let batches = database.counters().batches();
        let held = Held::up(&database).await;
        let mut good = Vec::new();
        for number in 1..=3 {
            good.push(queued(&database, insert(&database, number)).await);
        }
        let duplicate = queued(&database, insert(&database, 1000)).await;
        good.push(queued(&database, insert(&database, 4)).await);
        let unread = {
            let database = database.clone();
            queued(&database.clone(), async move {
                database
                    .write(|transaction: &mut Transaction| {
                        Box::pin(async move {
                            let nonsense =
                                Statement { sql: "SELECT nothing_of_the_kind".into(), ..Statement::default() };
                            let read = transaction.internal_rows(&nonsense, |_| Some(())).await;
                            assert!(read.is_err());
                            Err::<(), _>(Error::Query("I could not read".into()))
                        })
                    })
                    .await
            })
            .await
        };
        good.push(queued(&database, insert(&database, 5)).await);
        let faulty = {
            let database = database.clone();
            queued(&database.clone(), async move {
                database
                    .write(|transaction: &mut Transaction| {
                        Box::pin(async move {
                            // It breaks with writes gathered.
                            let step = Step::Delete(
                                transaction.schema().table_named("account").unwrap().clone(),
                                Guid::from_u128(1000),
                            );
                            step.run(transaction).await?;
                            if transaction.now() > 0 {
                                panic!("a fault in a request");
                            }
                            Ok::<(), Error>(())
                        })
                    })
                    .await
            })
            .await
        };
        good.push(queued(&database, insert(&database, 6)).await);
        held.release().await;
        for request in good {
            request.await.unwrap().unwrap();
        }
        assert!(matches!(duplicate.await.unwrap(), Err(Error::DuplicateId { .. })));
        assert!(matches!(unread.await.unwrap(), Err(Error::Query(why)) if why == "I could not read"));
        assert!(matches!(faulty.await.unwrap(), Err(Error::Unavailable { .. })));
        assert_eq!(accounts(&database).await, [1, 2, 3, 4, 5, 6, 1000]);
        assert_eq!(logged(&database).await, [1, 2, 3, 4, 5, 6, 1000]);
        assert_eq!(database.counters().retries(), 1, "once more, behind savepoints");
        assert_eq!(database.counters().batches(), batches + 1, "in one commit all the same");
        insert(&database, 7).await.unwrap();
    }

    pub async fn a_request_that_stores_and_then_refuses_leaves_nothing(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let before = (database.content().await.unwrap(), database.head().await.unwrap());
        let refuses = |number: u128| {
            let (database, step) = (database.clone(), account(&database, Guid::from_u128(number), "Refused"));
            async move {
                database
                    .write(move |transaction: &mut Transaction| {
                        let step = step.clone();
                        Box::pin(async move {
                            step.run(transaction).await?;
                            transaction.flush().await?;
                            Err::<(), _>(Error::Query("on second thoughts".into()))
                        })
                    })
                    .await
            }
        };
        assert!(matches!(refuses(1).await, Err(Error::Query(_))));
        assert_eq!((database.content().await.unwrap(), database.head().await.unwrap()), before);
        let held = Held::up(&database).await;
        let first = queued(&database, insert(&database, 2)).await;
        let refused = queued(&database, refuses(3)).await;
        let last = queued(&database, insert(&database, 4)).await;
        held.release().await;
        assert!(matches!(refused.await.unwrap(), Err(Error::Query(why)) if why == "on second thoughts"));
        first.await.unwrap().unwrap();
        last.await.unwrap().unwrap();
        assert_eq!(accounts(&database).await, [2, 4, 1000]);
        assert_eq!(logged(&database).await, [2, 4, 1000]);
    }

    pub async fn what_goes_on_after_its_writes_failed_is_refused_alone(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let held = Held::up(&database).await;
        let first = queued(&database, insert(&database, 1)).await;
        let goes_on = {
            let (database, there) = (database.clone(), account(&database, Guid::from_u128(1000), "There already"));
            let here = account(&database, Guid::from_u128(2), "Gathered before");
            queued(&database.clone(), async move {
                database
                    .write(move |transaction: &mut Transaction| {
                        let (here, there) = (here.clone(), there.clone());
                        Box::pin(async move {
                            here.run(transaction).await?;
                            there.run(transaction).await?;
                            match transaction.flush().await {
                                Err(Error::Stale) => Err(Error::Stale),
                                // It takes what failed for its own business.
                                failed => {
                                    failed.unwrap_err();
                                    Ok::<(), Error>(())
                                }
                            }
                        })
                    })
                    .await
            })
            .await
        };
        let last = queued(&database, insert(&database, 3)).await;
        held.release().await;
        first.await.unwrap().unwrap();
        last.await.unwrap().unwrap();
        assert!(matches!(goes_on.await.unwrap(), Err(Error::Unavailable { .. })));
        assert_eq!(accounts(&database).await, [1, 3, 1000]);
        assert_eq!(logged(&database).await, [1, 3, 1000]);
    }

    pub async fn a_request_that_stores_and_then_needs_a_new_table_is_stored_once(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let contacts = table(&database, "contact");
        assert!(!database.has_table(contacts.id));
        let (first, needed) = (account(&database, Guid::from_u128(1), "Parent"), contacts.id);
        database
            .write(move |transaction: &mut Transaction| {
                let first = first.clone();
                Box::pin(async move {
                    first.run(transaction).await?;
                    transaction.flush().await?;
                    transaction.need_tables(&[needed])
                })
            })
            .await
            .unwrap();
        assert!(database.has_table(contacts.id));
        assert_eq!(logged(&database).await, [1, 1000]);
        let last = database.changes(0, u32::MAX).await.unwrap().last().unwrap().number;
        assert_eq!(database.head().await.unwrap().number, last, "no number was lost on the way");
    }

    pub async fn what_a_batch_shares_first_is_noted_and_what_it_refuses_is_not(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let shares = table(&database, "principalobjectaccess");
        database.make_tables(&[shares.id]).await.unwrap();
        let share = |number: u128, of: &str| {
            let named = values(
                &shares,
                &[
                    ("objectid", Value::Guid(Guid::from_u128(number))),
                    ("objecttypecode", Value::Text(of.into())),
                    ("principalid", Value::Guid(Guid::from_u128(1))),
                    ("accessrightsmask", Value::Integer(1)),
                    ("inheritedaccessrightsmask", Value::Integer(0)),
                ],
            );
            Step::Insert(shares.clone(), Guid::from_u128(number), named)
        };
        let held = Held::up(&database).await;
        let mut good = Vec::new();
        for (number, of) in [(1, "account"), (2, "contact"), (3, "account")] {
            let (database, step) = (database.clone(), share(number, of));
            good.push(queued(&database.clone(), async move { write(&database, vec![step]).await }).await);
        }
        let twice = vec![share(9, "lead"), account(&database, Guid::from_u128(1000), "Account 1000")];
        let refused = {
            let database = database.clone();
            queued(&database.clone(), async move { write(&database, twice).await }).await
        };
        held.release().await;
        for done in good {
            done.await.unwrap().unwrap();
        }
        assert!(matches!(refused.await.unwrap(), Err(Error::DuplicateId { .. })));

        let noted = async || {
            let found = database.internal_rows(&internal::select_shared_tables(), |row| row.integer(0)).await.unwrap();
            let of = |name: &str| found.contains(&i64::from(table(&database, name).id.0));
            ["account", "contact", "lead"].map(of)
        };
        assert_eq!(noted().await, [true, true, false]);
        let known = async || {
            let versions = database.head().await.unwrap().versions;
            database.know_metadata(versions).await.unwrap();
            let tables = database.known_tables();
            ["account", "contact", "lead"].map(|name| tables.has_shares(table(&database, name).id))
        };
        assert_eq!(known().await, [true, true, false]);

        // Later shares of the same tables change nothing that was compiled; the first of another table does.
        let metadata = database.head().await.unwrap().versions.metadata;
        write(&database, vec![share(10, "account")]).await.unwrap();
        assert_eq!(database.head().await.unwrap().versions.metadata, metadata);
        write(&database, vec![share(11, "lead")]).await.unwrap();
        assert!(database.head().await.unwrap().versions.metadata > metadata);
        assert_eq!((noted().await, known().await), ([true; 3], [true; 3]));
    }

    pub async fn requests_for_one_row_in_one_batch_follow_on_each_other(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let accounts = table(&database, "account");
        let column = accounts.column("numberofemployees").unwrap().id;
        let one_more = || {
            let (database, accounts) = (database.clone(), Arc::clone(&accounts));
            async move {
                database
                    .write(move |transaction: &mut Transaction| {
                        let accounts = Arc::clone(&accounts);
                        Box::pin(async move {
                            let id = Guid::from_u128(1000);
                            let row = transaction.fetch(&accounts, &RowKey::Id(id), &[]).await?.unwrap();
                            let counted = match row.get(column) {
                                Value::Integer(n) => *n,
                                _ => 0,
                            };
                            let change = vec![(column, Value::Integer(counted + 1))];
                            let permit = permit(&accounts, PrivilegeKind::Write);
                            let number = transaction.update(permit, &accounts, id, change)?;
                            Ok::<_, Error>((counted, number))
                        })
                    })
                    .await
            }
        };
        let batches = database.counters().batches();
        let held = Held::up(&database).await;
        let mut requests = Vec::new();
        for number in 1..=10 {
            requests.push(queued(&database, one_more()).await);
            // Others that have nothing to do with it stand between.
            queued(&database, insert(&database, number)).await;
        }
        held.release().await;
        let mut versions = Vec::new();
        for (at, request) in (0..).zip(requests) {
            let (counted, version) = request.await.unwrap().unwrap();
            assert_eq!(counted, at, "each sees what the one before it wrote");
            versions.push(version);
        }
        assert!(versions.is_sorted(), "{versions:?}");
        assert_eq!(database.counters().batches(), batches + 1);
        assert_eq!(database.counters().retries(), 0);
        let changes = database.changes(0, u32::MAX).await.unwrap();
        let written: Vec<_> = changes
            .iter()
            .filter(|change| versions.contains(&change.number))
            .map(|change| change.values.iter().find(|(id, _)| *id == column).unwrap().1.clone())
            .collect();
        assert_eq!(written, (1..=10).map(Value::Integer).collect::<Vec<_>>(), "the log has them in order");
    }

    pub async fn a_full_queue_refuses_and_recovers(engine: Engine) {
        let limits = Limits { write_queue_max: 3, ..Limits::default() };
        let site = Site::with(engine, &crate::site::master_key(), None, limits).await;
        let database = site.organization("demo").await;
        insert(&database, 1000).await.unwrap();
        let held = Held::up(&database).await;
        let mut waiting = Vec::new();
        for number in 1..=3 {
            waiting.push(queued(&database, insert(&database, number)).await);
        }
        for number in 4..=6 {
            let refused = queued(&database, insert(&database, number)).await;
            assert!(refused.is_finished(), "it waits");
            assert!(matches!(refused.await.unwrap(), Err(Error::QueueFull { limit: 3 })));
        }
        held.release().await;
        for request in waiting {
            request.await.unwrap().unwrap();
        }
        insert(&database, 7).await.unwrap();
        assert_eq!(accounts(&database).await, [1, 2, 3, 7, 1000]);
    }

    pub async fn a_batch_is_one_commit(engine: Engine) {
        let limits = Limits { write_batch_max: 60, ..Limits::default() };
        let site = Site::with(engine, &master_key(), None, limits).await;
        let database = site.organization("demo").await;
        insert(&database, 1000).await.unwrap();
        let (batches, requests) = (database.counters().batches(), database.counters().requests());
        let held = Held::up(&database).await;
        let mut waiting = Vec::new();
        for number in 0..70 {
            waiting.push(queued(&database, insert(&database, number)).await);
        }
        held.release().await;
        for request in waiting {
            request.await.unwrap().unwrap();
        }
        assert_eq!(database.counters().batches() - batches, 2, "60 at most in one, then the rest");
        assert_eq!(database.counters().requests() - requests, 70);
    }

    pub async fn what_is_refused_or_only_read_is_not_committed(engine: Engine) {
        let (_site, database) = with_accounts(engine).await;
        let (batches, head) = (database.counters().batches(), database.head().await.unwrap());
        let reads = database
            .write(|transaction: &mut Transaction| {
                Box::pin(async move {
                    let accounts = transaction.schema().table_named("account").unwrap().clone();
                    transaction.fetch(&accounts, &RowKey::Id(Guid::from_u128(1000)), &[]).await
                })
            })
            .await;
        assert!(reads.unwrap().is_some());
        let step = account(&database, Guid::from_u128(1), "Refused");
        let refused: Result<()> = database
            .write(move |transaction: &mut Transaction| {
                let step = step.clone();
                Box::pin(async move {
                    step.run(transaction).await?;
                    Err(Error::Query("no".into()))
                })
            })
            .await;
        assert!(refused.is_err());
        assert_eq!((database.counters().batches(), database.head().await.unwrap()), (batches, head));
    }
}

/// Once a batch has lasted for its time, another organisation is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_batches_of_one_organisation_let_others_in_between() {
    let limits = Limits { writer_threads: 1, write_batch_ms: 500, ..Limits::default() };
    let site = Site::with(Engine::Sqlite, &master_key(), None, limits).await;
    let (busy, other) = (site.organization("busy").await, site.organization("other").await);
    for database in [&busy, &other] {
        insert(database, 1000).await.unwrap();
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let taking = |database: &Database, number: u128, takes_ms: i64| {
        let (order, clock) = (Arc::clone(&order), Arc::clone(&site.clock));
        let (database, step) = (database.clone(), account(database, Guid::from_u128(number), "Slow"));
        async move {
            database
                .write(move |transaction: &mut Transaction| {
                    order.lock().push(number);
                    clock.0.fetch_add(takes_ms, Ordering::Relaxed);
                    let step = step.clone();
                    Box::pin(async move { step.run(transaction).await })
                })
                .await
        }
    };
    let batches = busy.counters().batches();
    let held = Held::up(&busy).await;
    let mut waiting = Vec::new();
    for number in 1..=4 {
        waiting.push(queued(&busy, taking(&busy, number, 250)).await);
    }
    waiting.push(queued(&other, taking(&other, 10, 0)).await);
    held.release().await;
    for request in waiting {
        request.await.unwrap().unwrap();
    }
    let order = order.lock().clone();
    assert!(order.ends_with(&[3, 4]) && order.contains(&10), "{order:?}");
    assert_eq!(busy.counters().batches() - batches, 2);
    assert_eq!(accounts(&busy).await, [1, 2, 3, 4, 1000]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_store_refuses_instead_of_waiting() {
    let (site, database) = with_accounts(Engine::Sqlite).await;
    site.store.close();
    let error = insert(&database, 1).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_share_a_flush() {
    let layer = custodia_sqlite::fault::FaultLayer::register().unwrap();
    let site = Site::with(Engine::Sqlite, &crate::site::master_key(), Some(layer.name()), Limits::default()).await;
    let database = site.organization("demo").await;
    insert(&database, 1000).await.unwrap();

    // What waits while one flush is under way goes out with the next one, all of it.
    let held = Held::up(&database).await;
    let mut waiting = Vec::new();
    for number in 1..=16 {
        waiting.push(queued(&database, insert(&database, number)).await);
    }
    let before = layer.counts();
    held.release().await;
    for request in waiting {
        request.await.unwrap().unwrap();
    }
    assert_eq!(layer.counts().since(&before).flushes(), 1, "the request that held it wrote nothing");
}

/// Whoever is refused for what another one wrote is told so only if that was stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_a_batch_that_is_not_stored_are_not_told() {
    let site = Site::new(Engine::Postgres).await;
    let database = site.organization("demo").await;
    insert(&database, 1000).await.unwrap();
    let held = Held::up(&database).await;
    let first = queued(&database, insert(&database, 1)).await;
    let again = queued(&database, insert(&database, 1)).await;
    let breaks = {
        let database = database.clone();
        queued(&database.clone(), async move {
            database
                .write(|transaction: &mut Transaction| {
                    Box::pin(async move {
                        transaction.claim_alone()?;
                        let end = "SELECT pg_terminate_backend(pg_backend_pid())".into();
                        let statement = Statement { sql: end, ..Statement::default() };
                        transaction.internal_rows(&statement, |_| Some(())).await.map(drop)
                    })
                })
                .await
        })
        .await
    };
    held.release().await;
    for request in [first, again, breaks] {
        let refused = request.await.unwrap();
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    }
    assert_eq!(accounts(&database).await, [1000]);
}
