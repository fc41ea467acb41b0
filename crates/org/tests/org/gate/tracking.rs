//! A copy that is kept by changes is the same as what it is a copy of, whatever writers do meanwhile, on any node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use custodia_access::{Authority, Permit};
use custodia_org::{Caller, Moment, Organization, Precondition, Rows, TRACKED_SECONDS};
use custodia_query::{Field, Filter, Path, Query};
use custodia_schema::{Guid, PrivilegeKind, TableId, Value};
use custodia_store::Error as StoreError;
use tokio::sync::watch;

use crate::on_both_engines;
use crate::world::World;

on_both_engines! {
    a_change_that_is_held_up_is_told_of_later;
    a_copy_kept_while_all_write_is_whole;
    moments_of_other_times_are_not_known;
}

/// A copy of the accounts: by id, the name and the version.
#[derive(Default, PartialEq, Eq, Debug, Clone)]
struct Copy {
    rows: BTreeMap<Guid, (String, i64)>,
}

async fn read(org: &Organization, caller: &Caller, filter: Filter) -> Copy {
    let schema = org.schema();
    let table = schema.table_named("account").unwrap();
    let column = |name: &str| Field::Column(table.column(name).unwrap().id);
    let fields = vec![Field::Column(table.primary_id), column("name"), column("versionnumber")];
    let mut rows = Rows::default();
    let query = Query { fields, filter, ..Query::of(table, 5_000) };
    org.query(caller, &query, &mut rows).await.unwrap();
    let rows = rows.rows.iter().map(|row| match row.as_slice() {
        [Value::Guid(id), Value::Text(name), Value::BigInt(version)] => (*id, (name.clone(), *version)),
        other => panic!("{other:?}"),
    });
    Copy { rows: rows.collect() }
}

impl Copy {
    /// Takes over what changed after a moment, `limit` changes at a time, and gives the moment it is of then.
    async fn follow(&mut self, org: &Organization, caller: &Caller, mut from: Moment, limit: u32) -> Moment {
        let schema = org.schema();
        let table = schema.table_named("account").unwrap();
        loop {
            let changes = org.changes_after(caller, table.id, from, limit).await.unwrap().unwrap();
            let ids = changes.written.keys().copied().map(Value::Guid).collect();
            let filter = Filter::In { path: Path::own(table.primary_id), values: ids };
            for (id, row) in read(org, caller, filter).await.rows {
                // What changed again is told of again.
                if changes.written[&id] == row.1 {
                    self.rows.insert(id, row);
                }
            }
            for (_, id) in &changes.removed {
                self.rows.remove(id);
            }
            from = changes.up_to;
            if !changes.more {
                return from;
            }
        }
    }
}

fn accounts(world: &World) -> TableId {
    world.table("account")
}

mod bodies {
    use super::*;

    pub async fn a_change_that_is_held_up_is_told_of_later(world: World) {
        let caller = world.admin();
        let other = world.another_node().await;
        let id = world.create(&caller, "account", &[("name", Value::Text("before".into()))]).await;

        // One writer has its number and has written its row, but not committed.
        let (entered, mut held) = watch::channel(false);
        let (open, opened) = watch::channel(false);
        let database = world.org.database().clone();
        let schema = world.org.schema();
        let table = Arc::clone(schema.table_named("account").unwrap());
        let name = table.column("name").unwrap().id;
        let writing = {
            tokio::spawn(async move {
                database
                    .write(move |transaction| {
                        let (mut opened, entered, table) = (opened.clone(), entered.clone(), Arc::clone(&table));
                        let changes = vec![(name, Value::Text("held".into()))];
                        Box::pin(async move {
                            let platform = Authority::platform("test");
                            let permit = Permit::platform(&platform, &table, PrivilegeKind::Write)?;
                            let number = transaction.update(permit, &table, id, changes)?;
                            transaction.flush().await?;
                            entered.send_replace(true);
                            opened.wait_for(|open| *open).await.unwrap();
                            Ok::<_, StoreError>(number)
                        })
                    })
                    .await
            })
        };
        if held.wait_for(|held| *held).await.is_err() {
            panic!("{:?}", writing.await);
        }

        // Another one, on the other node, waits behind it. Meanwhile somebody makes a copy.
        let waiting = {
            let (other, caller) = (other.clone(), caller.clone());
            let input = world.input("account", &[("name", Value::Text("behind".into()))]);
            tokio::spawn(async move { other.create(&caller, input).await })
        };
        let moment = other.present_moment(&caller, accounts(&world)).await.unwrap();
        let mut copy = read(&other, &caller, Filter::True).await;
        assert_eq!(copy.rows[&id].0, "before", "what is not committed is not seen");
        open.send_replace(true);
        let number = writing.await.unwrap().unwrap();
        waiting.await.unwrap().unwrap();
        assert!(moment.number < number);

        // A plain sequence would have shown the last number given, committed or not: the change is lost for good.
        let mut lost = copy.clone();
        lost.follow(&other, &caller, Moment { number, ..moment }, 100).await;
        assert!(lost.rows[&id].0 == "before" && lost.rows.len() == 2, "{lost:?}");
        // And so it is where the moment is taken in another snapshot, after the rows.
        let mut late = copy.clone();
        let later = world.org.present_moment(&caller, accounts(&world)).await.unwrap();
        late.follow(&world.org, &caller, later, 100).await;
        assert!(late.rows[&id].0 == "before" && late.rows.len() == 1, "{late:?}");

        copy.follow(&other, &caller, moment, 100).await;
        assert_eq!(copy, read(&world.org, &caller, Filter::True).await);
        assert!(copy.rows[&id].0 == "held" && copy.rows.len() == 2, "{copy:?}");
    }

    pub async fn a_copy_kept_while_all_write_is_whole(world: World) {
        let caller = world.admin();
        let other = world.another_node().await;
        let is_over = Arc::new(AtomicBool::new(false));
        let rounds = 20 * custodia_testbed::effort();
        let mut writers = Vec::new();
        for (number, org) in [world.org.clone(), other.clone(), world.org.clone()].into_iter().enumerate() {
            let caller = caller.clone();
            let table = accounts(&world);
            let input = move |name: String, world: &Organization| {
                let schema = world.schema();
                let column = schema.table(table).unwrap().column("name").unwrap().id;
                custodia_org::RecordInput {
                    table,
                    id: None,
                    columns: vec![(column, custodia_org::Input::Value(Value::Text(name)))],
                }
            };
            writers.push(tokio::spawn(async move {
                let mut mine = Vec::new();
                for round in 0..rounds {
                    let name = format!("{number} {round}");
                    mine.push(org.create(&caller, input(name.clone(), &org)).await.unwrap().id);
                    let at = |index: usize| custodia_org::Reference::id(table, mine[index % mine.len()]);
                    let change = input(format!("{name} changed"), &org);
                    // Some are deleted already.
                    drop(org.update(&caller, at(round as usize * 7), change, Precondition::Exists).await);
                    if round % 3 == 0 {
                        drop(org.delete(&caller, at(round as usize * 5), Precondition::None).await);
                    }
                }
            }));
        }
        let mut followers = Vec::new();
        for (org, limit) in [(world.org.clone(), 1), (other.clone(), 3), (other.clone(), 1_000)] {
            let (caller, is_over, table) = (caller.clone(), Arc::clone(&is_over), accounts(&world));
            followers.push(tokio::spawn(async move {
                let mut moment = org.present_moment(&caller, table).await.unwrap();
                let mut copy = read(&org, &caller, Filter::True).await;
                loop {
                    let was_over = is_over.load(Ordering::Acquire);
                    moment = copy.follow(&org, &caller, moment, limit).await;
                    if was_over {
                        return copy;
                    }
                    tokio::task::yield_now().await;
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        is_over.store(true, Ordering::Release);
        let whole = read(&world.org, &caller, Filter::True).await;
        assert!(whole.rows.len() > 10);
        for follower in followers {
            assert_eq!(follower.await.unwrap(), whole);
        }
    }

    pub async fn moments_of_other_times_are_not_known(world: World) {
        let caller = world.admin();
        let table = accounts(&world);
        let present = world.org.present_moment(&caller, table).await.unwrap();
        for (moment, is_known) in [
            (present, true),
            (Moment { number: 0, ..present }, true),
            (Moment { number: present.number + 1, ..present }, false),
            (Moment { number: -1, ..present }, false),
            (Moment { epoch: present.epoch + 1, ..present }, false),
            (Moment { seconds: present.seconds - TRACKED_SECONDS, ..present }, true),
            (Moment { seconds: present.seconds - TRACKED_SECONDS - 1, ..present }, false),
        ] {
            let found = world.org.changes_after(&caller, table, moment, 10).await.unwrap();
            assert_eq!(found.is_some(), is_known, "{moment:?}");
        }
    }
}
