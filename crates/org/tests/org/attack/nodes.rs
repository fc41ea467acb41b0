//! Nodes over one database: none lives on what it knew before another one changed it.

use std::sync::Arc;

use custodia_org::{Error, Organization, Precondition, StoreError};
use custodia_schema::Value;
use custodia_store::Limits;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::world::{Engine, World};

async fn nodes() -> World {
    World::new(Engine::Postgres).await
}

/// A node in the middle of a write: no other writes meanwhile.
struct Holding {
    go_on: Arc<Semaphore>,
    write: JoinHandle<Result<(), StoreError>>,
}

impl Holding {
    async fn begin(node: &Organization) -> Self {
        let (held, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let database = node.database().clone();
        let write = {
            let (held, go_on) = (Arc::clone(&held), Arc::clone(&go_on));
            tokio::spawn(async move {
                database
                    .write(move |_| {
                        let (held, go_on) = (Arc::clone(&held), Arc::clone(&go_on));
                        Box::pin(async move {
                            held.notify_one();
                            // Closed when it may go on; then a second attempt does not wait at all.
                            let _ = go_on.acquire().await;
                            Ok::<_, StoreError>(())
                        })
                    })
                    .await
            })
        };
        held.notified().await;
        Self { go_on, write }
    }

    async fn end(self) -> Result<(), StoreError> {
        self.go_on.close();
        self.write.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_first_asked_for_after_a_column_was_secured_are_closed() {
    let world = nodes().await;
    let admin = world.admin();
    let reader = world.user("reader", world.seeded.unit, &["Basic User"]).await;
    let writer = world.user("writer", world.seeded.unit, &["Basic User"]).await;
    let named = |value: &str| [("name", Value::Text("A".into())), ("telephone1", Value::Text(value.into()))];
    let account = world.create(&reader, "account", &named("555")).await;
    let theirs = world.create(&writer, "account", &named("666")).await;
    // The other node has its schema from before, and knows nobody's rights yet.
    let other = world.another_node().await;
    let schema = world.org.schema();
    let table = schema.table_named("account").unwrap();
    let phone = table.column("telephone1").unwrap().id;
    world.org.secure_column(&admin, table.id, phone, true).await.unwrap();

    let query = world.query("account", &["telephone1"], &[("accountid", Value::Guid(account))]);
    let mut rows = custodia_org::Rows::default();
    other.query(&reader, &query, &mut rows).await.unwrap();
    assert_eq!(rows.rows, [[Value::Guid(account), Value::Null]]);
    let change = world.input("account", &[("telephone1", Value::Text("777".into()))]);
    let changed = other.update(&writer, world.reference("account", theirs), change, Precondition::Exists).await;
    assert!(matches!(changed, Err(Error::Denied(_))), "{changed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_meets_dependents_in_tables_that_another_node_made() {
    let world = nodes().await;
    let admin = world.admin();
    let account = world.create(&admin, "account", &[("name", Value::Text("A".into()))]).await;
    let other = world.another_node().await;
    let columns = [("name", Value::Text("I".into())), ("customerid", world.lookup("account", account))];
    world.create(&admin, "invoice", &columns).await;
    let gone = other.delete(&admin, world.reference("account", account), Precondition::None).await;
    assert!(matches!(gone, Err(Error::Restricted { .. })), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_waited_for_the_head_in_vain_writes_again() {
    let world = nodes().await;
    let other = world.another_node_within(Limits { statement_ms: 2_000, ..Limits::default() }).await;
    let admin = world.admin();
    let account = |name: &str| world.input("account", &[("name", Value::Text(name.into()))]);
    other.create(&admin, account("before")).await.unwrap();

    let holding = Holding::begin(&world.org).await;
    let refused = other.create(&admin, account("during")).await;
    assert!(matches!(refused, Err(Error::Store(_))), "{refused:?}");
    holding.end().await.unwrap();

    other.create(&admin, account("after")).await.unwrap();
    assert_eq!(world.select(&admin, "account", &["name"], &[]).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stands_still_within_a_write_does_not_hold_up_the_others() {
    let world = nodes().await;
    let standing = world.another_node_within(Limits { stalled_ms: 2_000, ..Limits::default() }).await;
    let admin = world.admin();
    let account = |name: &str| world.input("account", &[("name", Value::Text(name.into()))]);
    standing.create(&admin, account("before")).await.unwrap();
    let holding = Holding::begin(&standing).await;
    world.org.create(&admin, account("meanwhile")).await.unwrap();
    // What it was at is lost with its transaction, or was nothing; either way it goes on.
    let _ = holding.end().await;
    standing.create(&admin, account("after")).await.unwrap();
    assert_eq!(world.select(&admin, "account", &["name"], &[]).await.len(), 3);
}
