//! What children inherit, kept by the gate through changes of every kind, against the oracle's computation from the rows as
//! they then are: nothing of it is stored in steps.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use custodia_access::RightsMask;
use custodia_oracle::{Lookup, Protection, Record, Share, TeamKind, World, WorldTable, inherited_shares};
use custodia_org::{Error, Input, Precondition, RecordInput, Reference};
use custodia_query::{Field, Filter, Path, Query};
use custodia_schema::{Guid, Value};
use custodia_testbed::effort;

use crate::security::load::text;
use crate::security::stage::{Sample, Stage};
use crate::world::Engine;

/// Lookups along which rights may run, or may not.
const LOOKUPS: [(WorldTable, &str, WorldTable); 7] = [
    (WorldTable::Account, "parentaccountid", WorldTable::Account),
    (WorldTable::Contact, "parentcustomerid", WorldTable::Account),
    (WorldTable::Opportunity, "customerid", WorldTable::Account),
    (WorldTable::Quote, "customerid", WorldTable::Account),
    (WorldTable::Quote, "opportunityid", WorldTable::Opportunity),
    (WorldTable::Task, "regardingobjectid", WorldTable::Account),
    (WorldTable::Task, "regardingobjectid", WorldTable::Opportunity),
];

/// Changes made to each world.
const CHANGES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_children_inherit_follows_every_change_on_sqlite() {
    what_children_inherit_follows_every_change(Engine::Sqlite, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_children_inherit_follows_every_change_on_postgres() {
    what_children_inherit_follows_every_change(Engine::Postgres, 12).await;
}

async fn what_children_inherit_follows_every_change(engine: Engine, worlds: u64) {
    let stage = Stage::new(engine).await;
    let mut done: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..worlds * u64::from(effort()) {
        let mut changing = Changing {
            world: stage.world(seed, None).await,
            stage: Arc::clone(&stage),
            random: Sample::new(seed, 1),
            last: String::new(),
        };
        changing.compare().await;
        for _ in 0..CHANGES {
            if let Some(what) = changing.change().await {
                *done.entry(what).or_default() += 1;
                changing.compare().await;
            }
        }
    }
    println!("{engine:?}: {done:?}");
    for what in ["make", "point", "clear", "assign", "grant", "modify", "revoke", "delete"] {
        let often = done.get(what).copied().unwrap_or(0);
        assert!(often >= worlds / 2, "{what} happened only {often} times");
    }
}

struct Changing {
    stage: Arc<Stage>,
    world: World,
    random: Sample,
    last: String,
}

impl Changing {
    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.random.below(from.len())].clone()) }
    }

    fn owned(&self) -> Vec<Record> {
        self.world.records.iter().filter(|record| record.table.protection() == Protection::Owned).cloned().collect()
    }

    /// Somebody who can own rows of any table: the world's people often lack Read, which is then a refusal.
    fn principal(&mut self) -> Guid {
        let teams = self.world.teams.iter().filter(|team| team.kind != TeamKind::Access).map(|team| team.id);
        let all: Vec<Guid> = self.world.users.iter().map(|user| user.id).chain(teams).collect();
        self.pick(&all).unwrap()
    }

    fn reference(&self, table: WorldTable, id: Guid) -> Reference {
        Reference::id(self.stage.table(table).id, id)
    }

    fn principal_value(&self, id: Guid) -> Value {
        let table = if self.world.team(id).is_some() { "team" } else { "systemuser" };
        Value::Lookup(self.stage.schema.table_named(table).unwrap().id, id)
    }

    fn input(&self, table: WorldTable, columns: &[(&str, Value)]) -> RecordInput {
        let columns =
            columns.iter().map(|(name, value)| (self.stage.column(table, name), Input::Value(value.clone()))).collect();
        RecordInput { table: self.stage.table(table).id, id: None, columns }
    }

    /// Makes one change, as the administrator; what it was, if it could be made.
    async fn change(&mut self) -> Option<&'static str> {
        let kinds =
            ["make", "point", "point", "clear", "assign", "assign", "grant", "grant", "modify", "revoke", "delete"];
        let what = self.pick(&kinds)?;
        let org = self.stage.org.clone();
        let admin = self.stage.made.admin();
        let row = self.pick(&self.owned())?;
        let target = self.reference(row.table, row.id);
        let with = self.principal();
        let rights = RightsMask([0x1, 0x3, 0x4_0013, 0x20, 0x1_0000][self.random.below(5)]);
        let shares: Vec<Share> = self.world.shares.iter().filter(|share| share.explicit != 0).copied().collect();
        let share = self.pick(&shares);
        let shared = share.map(|share| self.reference(self.world.record(share.record).unwrap().table, share.record));
        self.last = format!("{what} {} {} with {with}", row.table.name(), row.id);
        let result = match what {
            "make" => {
                let (table, column, to) = self.pick(&LOOKUPS)?;
                let parents = self.of_table(to);
                let parent = self.pick(&parents)?;
                let mut columns = vec![
                    (table.name_column()?, text("made")),
                    (column, Value::Lookup(self.stage.table(to).id, parent)),
                    ("ownerid", self.principal_value(with)),
                ];
                if table == WorldTable::Quote {
                    columns.push(("quotenumber", text(&org.new_id().to_string())));
                }
                match org.create(&admin, self.input(table, &columns)).await {
                    Ok(made) => {
                        self.world.records.push(Record {
                            id: made.id,
                            table,
                            name: String::new(),
                            owner: None,
                            unit: None,
                            lookups: Vec::new(),
                            values: Vec::new(),
                            texts: Vec::new(),
                        });
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            "point" | "clear" => {
                let fitting: Vec<_> = LOOKUPS.into_iter().filter(|(table, ..)| *table == row.table).collect();
                let (table, column, to) = self.pick(&fitting)?;
                // Accounts hang only under those before them, so that no circle comes about.
                let parents: Vec<Guid> = self.of_table(to).into_iter().take_while(|id| *id != row.id).collect();
                let value = match what {
                    "clear" => Value::Null,
                    _ => Value::Lookup(self.stage.table(to).id, self.pick(&parents)?),
                };
                let input = self.input(table, &[(column, value)]);
                org.update(&admin, target, input, Precondition::None).await.map(|_| ())
            }
            "assign" => {
                let input = self.input(row.table, &[("ownerid", self.principal_value(with))]);
                org.update(&admin, target, input, Precondition::None).await.map(|_| ())
            }
            "grant" => org.grant_access(&admin, target, with, rights).await,
            "modify" => org.modify_access(&admin, shared?, share?.principal, rights).await,
            "revoke" => org.revoke_access(&admin, shared?, share?.principal).await,
            _ => org.delete(&admin, target, Precondition::None).await,
        };
        match result {
            Ok(()) => Some(what),
            // A share with the owner, an owner without Read: nothing was changed.
            Err(Error::Denied(_) | Error::Refused { .. }) => None,
            Err(error) => panic!("{}: {error}", self.last),
        }
    }

    fn of_table(&self, table: WorldTable) -> Vec<Guid> {
        self.world.records.iter().filter(|record| record.table == table).map(|record| record.id).collect()
    }

    /// Reads the world back and compares what is inherited.
    async fn compare(&mut self) {
        let mut kept = Vec::new();
        for table in WorldTable::ALL.into_iter().filter(|table| table.protection() == Protection::Owned) {
            kept.extend(self.read(table).await);
        }
        let others = self.world.records.iter().filter(|record| record.table.protection() != Protection::Owned).cloned();
        kept.extend(others);
        // Parents before children: tables come in that order, and accounts hang only under those before them.
        let place: HashMap<Guid, usize> =
            self.world.records.iter().enumerate().map(|(at, record)| (record.id, at)).collect();
        let rank = |table: WorldTable| match table {
            WorldTable::Account => 0,
            WorldTable::Opportunity => 1,
            _ => 2,
        };
        kept.sort_by_key(|record| (rank(record.table), place[&record.id]));
        self.world.records = kept;
        self.world.shares = self.read_shares().await;
        let expected = inherited_shares(&self.world);
        let stored: BTreeMap<(Guid, Guid), u32> = self
            .world
            .shares
            .iter()
            .filter(|share| share.inherited != 0)
            .map(|share| ((share.record, share.principal), share.inherited))
            .collect();
        let describe = |(row, principal): &(Guid, Guid)| {
            let record = self.world.record(*row).unwrap();
            format!("{} {row} of {:?} for {principal}", record.table.name(), record.owner)
        };
        let mut differences = Vec::new();
        for (key, rights) in &expected {
            if stored.get(key) != Some(rights) {
                differences.push(format!("{}: expected {rights:#x}, stored {:x?}", describe(key), stored.get(key)));
            }
        }
        for (key, rights) in stored.iter().filter(|(key, _)| !expected.contains_key(key)) {
            differences.push(format!("{}: expected nothing, stored {rights:#x}", describe(key)));
        }
        assert!(differences.is_empty(), "world {}, after: {}\n{}", self.world.seed, self.last, differences.join("\n"));
    }

    /// The rows of a table that are still there, with owner and lookups.
    async fn read(&self, table: WorldTable) -> Vec<Record> {
        let lookups: Vec<&'static str> = {
            let mut all: Vec<_> =
                LOOKUPS.iter().filter(|(of, ..)| *of == table).map(|(_, column, _)| *column).collect();
            all.dedup();
            all
        };
        let known: HashMap<Guid, &Record> = self.world.records.iter().map(|record| (record.id, record)).collect();
        let ids = self.of_table(table).into_iter().map(Value::Guid).collect();
        let filter = Filter::In { path: Path::own(self.stage.table(table).primary_id), values: ids };
        let mut query = Query { page_size: 5_000, ..self.stage.query(table, filter) };
        query.fields.push(Field::Column(self.stage.column(table, "ownerid")));
        for lookup in &lookups {
            let column = self.stage.column(table, lookup);
            query.fields.extend([Field::Column(column), Field::TargetTable(column)]);
        }
        self.rows(&query)
            .await
            .into_iter()
            .map(|row| {
                let id = row[0].guid().unwrap();
                let targets = lookups.iter().enumerate().filter_map(|(at, column)| {
                    let Value::BigInt(code) = row[3 + 2 * at] else { return None };
                    let to = WorldTable::ALL
                        .into_iter()
                        .find(|table| i64::from(self.stage.table(*table).id.0) == code)
                        .unwrap();
                    Some(Lookup { column, table: to, id: row[2 + 2 * at].guid().unwrap() })
                });
                Record { owner: row[1].guid(), lookups: targets.collect(), ..known[&id].clone() }
            })
            .collect()
    }

    async fn read_shares(&self) -> Vec<Share> {
        let table = self.stage.schema.table_named("principalobjectaccess").unwrap();
        let column = |name: &str| table.column(name).unwrap().id;
        let ids = self.world.records.iter().map(|record| Value::Guid(record.id)).collect();
        let mut query = self.stage.query(WorldTable::Account, Filter::True);
        query.table = table.id;
        query.page_size = 5_000;
        query.filter = Filter::In { path: Path::own(column("objectid")), values: ids };
        query.fields =
            ["principalobjectaccessid", "objectid", "principalid", "accessrightsmask", "inheritedaccessrightsmask"]
                .map(|name| Field::Column(column(name)))
                .to_vec();
        let mask = |value: &Value| match value {
            Value::BigInt(n) => u32::try_from(*n).unwrap(),
            other => panic!("{other:?} is no mask"),
        };
        self.rows(&query)
            .await
            .into_iter()
            .map(|row| Share {
                record: row[1].guid().unwrap(),
                principal: row[2].guid().unwrap(),
                explicit: mask(&row[3]),
                inherited: mask(&row[4]),
            })
            .collect()
    }

    async fn rows(&self, query: &Query) -> Vec<Vec<Value>> {
        let mut rows = custodia_org::Rows::default();
        self.stage.org.query(&self.stage.made.platform(), query, &mut rows).await.unwrap();
        rows.rows
    }
}
