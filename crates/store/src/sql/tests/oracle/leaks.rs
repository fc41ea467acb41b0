//! Two databases that differ in nothing but what somebody may not see answer that somebody alike, and do the same work for
//! it: the same plan, and as many rows met and sorted. Otherwise the time of an answer would tell what the answer does not. In
//! which order rows are met may follow an index over a hidden column, so that a sort takes some steps more or fewer: that is
//! not compared, and said in SECURITY.md.
//!
//! The values are of columns that are closed, on all rows or on those on which they were not shared. Planted leaks show that
//! the comparison would notice.

use std::fmt::Write as _;

use custodia_query::{
    Aggregation, Comparison, Exists, Expand, Field, Filter, Group, GroupBy, Link, LinkKind, Measure, Order, OrderBy,
    Path, Query, Step,
};
use custodia_schema::Value;

use super::super::super::{Context, Dialect, Plan, aggregate, count, select};
use super::super::engines::{TestDatabase, engines};
use super::super::{Numbers, Only, TestPolicy, column, query, schema, table};
use super::naive::Naive;
use super::question::{self, Seen};
use super::world::{COLUMNS, DECIDING, World, any_value};

const WORLDS: u64 = 8;
const QUESTIONS: u64 = 30;

/// Worlds in which a planted leak must show.
const WORLDS_PER_LEAK: u64 = 20;

#[test]
fn what_is_hidden_changes_neither_answers_nor_work() {
    let (mut seen, mut hidden) = (Seen::default(), 0);
    for (one, other) in pairs() {
        for number in 0..WORLDS * u64::from(custodia_testbed::effort()) {
            let mut numbers = Numbers::new(number + 500_000);
            let twins = Twins::generate(&mut numbers, &one, &other);
            hidden += twins.hidden;
            for _ in 0..QUESTIONS {
                let plan = *numbers.pick(&[Plan::Ordered, Plan::Sweep, Plan::Union]);
                let rows = question::any(&twins.world, &mut numbers, &mut seen);
                let groups = question::any_aggregation(&twins.world, &mut numbers, &mut seen);
                for asked in [Asked::Rows(&rows), Asked::Count(&rows), Asked::Groups(&groups)] {
                    let difference = twins.difference(asked, &twins.policy, plan);
                    let about = || format!("world {number} on {:?} by {plan:?}", one.dialect());
                    assert!(difference.is_none(), "{}\n{asked:#?}\n{}", about(), difference.unwrap_or_default());
                }
            }
            twins.delete();
        }
    }
    let asked = 3 * WORLDS * QUESTIONS * u64::from(custodia_testbed::effort());
    custodia_testbed::tell(&format!(
        "leaks on each engine: {asked} questions to two databases, {hidden} hidden values"
    ));
    assert!(hidden >= 20 * usize::try_from(WORLDS).unwrap(), "only {hidden} values differed");
}

#[test]
fn every_planted_leak_is_found() {
    let mut missed = Vec::new();
    for (one, other) in pairs() {
        for leak in Leak::ALL {
            let found = (0..WORLDS_PER_LEAK).find_map(|number| {
                let mut numbers = Numbers::new(number + 600_000);
                let twins = Twins::generate(&mut numbers, &one, &other);
                let difference = twins.leaks(leak, &mut numbers);
                twins.delete();
                difference
            });
            match found {
                Some(difference) => {
                    println!("{:?} {leak:?}: {}", one.dialect(), difference.lines().next().unwrap_or(""))
                }
                None => missed.push((one.dialect(), leak)),
            }
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// All tables that a world fills.
fn tables() -> impl Iterator<Item = &'static str> {
    World::TABLES.iter().chain(&["custodia_member", "custodia_unit_closure"]).copied()
}

/// Two databases of each engine.
fn pairs() -> Vec<(TestDatabase, TestDatabase)> {
    let made = || {
        let databases = engines(World::TABLES);
        for database in databases.iter().filter(|database| database.dialect() == Dialect::Postgres) {
            // Or one of two might have been looked through for its statistics when it is asked, and the other not.
            tables().for_each(|name| database.run(&format!("ALTER TABLE {name} SET (autovacuum_enabled = false)")));
        }
        databases
    };
    made().into_iter().zip(made()).collect()
}

/// A question of any kind.
#[derive(Clone, Copy, Debug)]
enum Asked<'q> {
    Rows(&'q Query),
    Count(&'q Query),
    Groups(&'q Aggregation),
}

/// A world in two databases, of which the second has other values where a caller may not look.
struct Twins<'d> {
    world: World,
    policy: TestPolicy,
    databases: [&'d TestDatabase; 2],
    /// How many values differ.
    hidden: usize,
}

impl<'d> Twins<'d> {
    fn generate(numbers: &mut Numbers, one: &'d TestDatabase, other: &'d TestDatabase) -> Self {
        let world = World::generate(numbers);
        let mut policy = world.any_policy(numbers);
        for (name, columns) in COLUMNS {
            for column in columns[1..].iter().filter(|column| !DECIDING.contains(column)) {
                if numbers.below(5) == 0 {
                    policy = policy.hiding(name, column);
                }
            }
        }
        let mut twin = world.clone();
        let naive = Naive { world: &world, policy: &policy };
        let mut hidden = 0;
        for (name, rows) in &mut twin.rows {
            let of = table(name);
            let columns = COLUMNS.iter().find(|(table, _)| table == name).unwrap().1;
            for column in columns[1..].iter().filter(|column| !DECIDING.contains(column)) {
                for (row, original) in rows.iter_mut().zip(&world.rows[name]) {
                    if naive.reads(&of, original, super::super::column(name, column)) {
                        continue;
                    }
                    // What every row has, the other one has too.
                    let value = match (any_value(numbers, column), row.get(column)) {
                        (Value::Null, Some(present)) if *column == "statecode" => present.clone(),
                        (value, _) => value,
                    };
                    hidden += usize::from(row.get(column) != Some(&value));
                    row.insert(column, value);
                }
            }
        }
        for (database, world) in [(one, &world), (other, &twin)] {
            database.run("BEGIN");
            world.write(database);
            database.run("COMMIT");
        }
        Self { world, policy, databases: [one, other], hidden }
    }

    fn delete(&self) {
        for database in self.databases {
            match database.dialect() {
                Dialect::Sqlite => self.world.delete(database),
                // Rows that are only marked as deleted would be met by later questions.
                Dialect::Postgres => {
                    database.run(&format!("TRUNCATE {}", tables().collect::<Vec<_>>().join(", ")));
                }
            }
        }
    }

    /// How the answers of the two databases to one statement differ, or the work for them.
    fn difference(&self, asked: Asked<'_>, policy: &TestPolicy, plan: Plan) -> Option<String> {
        let schema = schema();
        let [(one, one_work), (other, other_work)] = self.databases.map(|database| {
            let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
            let statement = match asked {
                Asked::Rows(question) => select(&context, question, policy, plan),
                Asked::Count(question) => count(&context, question, policy, plan, 1_000),
                Asked::Groups(question) => aggregate(&context, question, policy, plan),
            };
            let statement = statement.unwrap_or_else(|error| panic!("{error}\n{asked:#?}"));
            match database.try_rows(&statement) {
                Ok(rows) => (Ok(rows), database.work(&statement)),
                Err(crate::Error::TooLargeNumber) => (Err("too large a number"), String::new()),
                Err(error) => panic!("{error:?}\n{asked:#?}\n{}", statement.sql),
            }
        });
        let mut found = String::new();
        if one != other {
            let _ = writeln!(found, "answers differ:\n{one:?}\n{other:?}");
        }
        if one_work != other_work {
            let _ = writeln!(found, "work differs:\n{one_work}\n{other_work}");
        }
        (!found.is_empty()).then_some(found)
    }

    /// Asks a question that reaches closed columns in one of its parts, as if that part forgot to close them.
    fn leaks(&self, leak: Leak, numbers: &mut Numbers) -> Option<String> {
        let policy = match leak {
            Leak::SharedOnEveryRow => TestPolicy { shared: Default::default(), ..self.policy.clone() },
            _ => TestPolicy { shared: Default::default(), hidden: Default::default(), ..self.policy.clone() },
        };
        (0..40).find_map(|_| {
            let name = *numbers.pick(&["account", "contact"]);
            let columns = COLUMNS.iter().find(|(of, _)| *of == name).unwrap().1;
            let closed: Vec<&str> = columns[1..]
                .iter()
                .copied()
                .filter(|candidate| !DECIDING.contains(candidate))
                .filter(|candidate| {
                    let id = column(name, candidate);
                    let is_shared = self.policy.shared.get(&table(name).id);
                    let is_shared = is_shared.is_some_and(|shared| shared.iter().any(|shared| shared.column == id));
                    match leak {
                        Leak::SharedOnEveryRow => is_shared,
                        _ => is_shared || self.policy.hidden.contains(&(table(name).id, id)),
                    }
                })
                .collect();
            if closed.is_empty() {
                return None;
            }
            let closed = *numbers.pick(&closed);
            let plan = *numbers.pick(&[Plan::Ordered, Plan::Sweep, Plan::Union]);
            leak.ask(name, closed, numbers, |asked| self.difference(asked, &policy, plan))
        })
    }
}

/// A part of a question that forgets what is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leak {
    Shown,
    Filtered,
    Sorted,
    Counted,
    Grouped,
    Measured,
    ComparedWithItself,
    AskedOfAnother,
    Linked,
    Expanded,
    Named,
    SharedOnEveryRow,
}

impl Leak {
    const ALL: [Self; 12] = [
        Self::Shown,
        Self::Filtered,
        Self::Sorted,
        Self::Counted,
        Self::Grouped,
        Self::Measured,
        Self::ComparedWithItself,
        Self::AskedOfAnother,
        Self::Linked,
        Self::Expanded,
        Self::Named,
        Self::SharedOnEveryRow,
    ];

    fn ask(
        self,
        name: &str,
        closed: &str,
        numbers: &mut Numbers,
        difference: impl Fn(Asked<'_>) -> Option<String>,
    ) -> Option<String> {
        let id = column(name, closed);
        let plain = query(name, &[]);
        let path = Path::own(id);
        let (account, contact) = (table("account"), table("contact"));
        let parent = column("contact", "parentcustomerid");
        let primary = column("account", "primarycontactid");
        let test = |path: Path| Filter::Not(Box::new(Filter::IsNull(path)));
        let groups = |groups: Vec<Group>, measures: Vec<Measure>| Aggregation {
            rows: plain.clone(),
            groups,
            measures,
            order: Vec::new(),
            skip: 0,
            page_size: 1_000,
            rows_max: 1_000,
        };
        let rows = match self {
            Self::Shown | Self::SharedOnEveryRow => Query { fields: vec![Field::Column(id)], ..plain },
            Self::Filtered => Query { filter: test(path), ..plain },
            Self::Sorted => Query { order: vec![Order::by_value(path, numbers.below(2) == 0)], ..plain },
            Self::Counted => return difference(Asked::Count(&Query { filter: Filter::IsNull(path), ..plain })),
            Self::Grouped => {
                let group = Group { path, by: GroupBy::Value };
                return difference(Asked::Groups(&groups(vec![group], vec![Measure::Count])));
            }
            Self::Measured => {
                let values = Measure::CountValues { path, distinct: numbers.below(2) == 0 };
                return difference(Asked::Groups(&groups(Vec::new(), vec![values])));
            }
            Self::ComparedWithItself => {
                let (left, right) = (path.clone(), path);
                Query { filter: Filter::CompareColumns { left, operator: Comparison::Equal, right }, ..plain }
            }
            // Contacts by their accounts, and accounts by their contacts.
            Self::AskedOfAnother if name == "contact" => Query {
                filter: Filter::Exists(Box::new(Exists {
                    near: Path::own(account.primary_id),
                    table: contact.id,
                    far: parent,
                    links: Vec::new(),
                    filter: test(path),
                })),
                ..query("account", &[])
            },
            Self::AskedOfAnother => Query {
                filter: test(Path::over(vec![Step { lookup: parent, target: account.id }], id)),
                ..query("contact", &[])
            },
            Self::Linked => {
                let (of, near, far) = if name == "contact" {
                    ("account", account.primary_id, parent)
                } else {
                    ("contact", parent, account.primary_id)
                };
                let link = Link {
                    from: 0,
                    table: table(name).id,
                    near,
                    far,
                    kind: LinkKind::Inner,
                    filter: test(Path::at(1, id)),
                    fields: Vec::new(),
                    order: Vec::new(),
                };
                Query { links: vec![link], ..query(of, &[]) }
            }
            Self::Expanded => {
                let (of, lookup) = if name == "contact" { ("account", primary) } else { ("contact", parent) };
                let step = Step { lookup, target: table(name).id };
                let fields = vec![Field::Column(id)];
                let expand = Expand::One { name: "expanded".into(), step, fields, expand: Vec::new() };
                Query { expand: vec![expand], ..query(of, &[]) }
            }
            Self::Named => {
                let (of, lookup) = if name == "contact" { ("account", primary) } else { ("contact", parent) };
                let order = Order { path: Path::own(lookup), by: OrderBy::Name, descending: false };
                Query { fields: vec![Field::TargetName(lookup)], order: vec![order], ..query(of, &[]) }
            }
        };
        difference(Asked::Rows(&rows))
    }
}
