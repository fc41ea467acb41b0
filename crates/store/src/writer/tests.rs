//! What requests of one batch do to each other: nothing but share a flush.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::future::Future;
use std::sync::Arc;

use custodia_schema::{Guid, PrivilegeKind, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::on_both_engines;
use crate::site::{Dice, Engine, Site, Step, account, master_key, permit, table, values, write};
use crate::sql::content::Layout;
use crate::sql::{Statement, Tables, internal};
use crate::{Database, Error, Limits, Result, RowKey, Transaction};

on_both_engines! {
    the_innocent_survive_a_failing_neighbour;
    a_request_that_stores_and_then_refuses_leaves_nothing;
    a_request_that_stores_and_then_needs_a_new_table_is_stored_once;
    what_a_batch_shares_first_is_noted_and_what_it_refuses_is_not;
    requests_for_one_row_in_one_batch_follow_on_each_other;
    a_full_queue_refuses_and_recovers;
    a_batch_is_one_commit;
    what_is_refused_or_only_read_is_not_committed;
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

mod bodies {
    use super::*;

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

    // Sixteen clients, each of which waits for its answer before it writes again.
    let before = layer.counts();
    let each = 30;
    let clients: Vec<_> = (0..16_u128)
        .map(|client| {
            let database = database.clone();
            let ids = Dice::new(u64::try_from(client).unwrap());
            tokio::spawn(async move {
                for _ in 0..each {
                    write(&database, vec![account(&database, ids.guid(), "Client")]).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let flushes = layer.counts().since(&before).flushes();
    let written = 16 * each;
    assert!(written >= 6 * flushes, "{written} writes in {flushes} flushes");
}
