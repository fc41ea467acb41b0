//! Everything a user of a world can read, compared with the oracle: lists in order with their counts, single rows, columns
//! behind their masks in all parts of a question, rows along relationships; and the eight rights on every row.

use std::collections::{BTreeMap, BTreeSet};

use custodia_oracle::{
    Asker, ColumnRight, Coverage, DERIVED_COLUMNS, MASKED_COLUMNS, Operation, Question, Record, SECURED_COLUMNS,
    Verdict, World, WorldTable, column_of_row_open,
};
use custodia_query::{Comparison, Expand, Field, Filter, Order, Path, Query, Related, Step};
use custodia_schema::{Guid, PrivilegeKind, RelationshipId, Value};

use crate::security::load::{column_value, text};
use crate::security::reader::{Answer, Part, Reader};
use crate::security::stage::{Sample, askers};

/// Asks one in so many of all questions; what differs, in words.
pub async fn compare(reader: &mut Reader<'_>, coverage: &mut Coverage, one_in: usize) -> Vec<String> {
    let mut turns = Sample::new(reader.world.seed, one_in);
    let mut comparing = Comparing { world: reader.world, reader, coverage, differences: Vec::new() };
    for (turn, asker) in askers(comparing.world).into_iter().enumerate() {
        for table in WorldTable::ALL {
            if turns.take() {
                comparing.list(asker, table).await;
            }
            if turns.take() {
                comparing.rights(asker, table).await;
            }
        }
        if turns.take() {
            comparing.one_row(asker, turn).await;
        }
        for (table, column) in SECURED_COLUMNS {
            if turns.take() {
                comparing.masked(asker, table, column, turn).await;
            }
        }
        if turns.take() {
            comparing.followed(asker, turn).await;
        }
        if turns.take() {
            comparing.related(asker).await;
        }
        if turns.take() {
            comparing.beside(asker, turn).await;
        }
        for masked in &MASKED_COLUMNS {
            if turns.take() {
                let turn = turn + usize::try_from(comparing.world.seed % 64).unwrap();
                comparing.masked_texts(asker, masked, turn).await;
            }
        }
    }
    comparing.differences
}

/// Whether a filter keeps a record.
type Test<'t> = &'t (dyn Fn(&Record) -> bool + Sync);

pub(super) struct Comparing<'c, 'r> {
    pub(super) world: &'c World,
    pub(super) reader: &'c mut Reader<'r>,
    pub(super) coverage: &'c mut Coverage,
    differences: Vec<String>,
}

impl Comparing<'_, '_> {
    // -- What is expected -------------------------------------------------------------------------------------------

    fn verdict(&self, asker: Asker, kind: PrivilegeKind, table: WorldTable, row: Guid) -> Verdict {
        self.world.answer(&Question::Row(asker, kind, table, row))
    }

    pub(super) fn reads(&self, asker: Asker, record: &Record) -> bool {
        self.world.reads(asker, record.table, record.id)
    }

    fn rows_of(&self, table: WorldTable) -> Vec<Guid> {
        self.world.rows().into_iter().filter(|row| row.table == table).map(|row| row.id).collect()
    }

    pub(super) fn records_of(&self, table: WorldTable) -> Vec<&Record> {
        self.world.records.iter().filter(|record| record.table == table).collect()
    }

    /// Whether the whole question is refused, whatever the rows; `None` when the world has no row to tell by.
    pub(super) fn refuses_all(&self, asker: Asker, table: WorldTable) -> Option<bool> {
        self.world.refuses_list(asker, table)
    }

    pub(super) fn differ(
        &mut self,
        asker: Asker,
        about: &str,
        expected: impl std::fmt::Debug,
        actual: impl std::fmt::Debug,
    ) {
        self.differences.push(format!(
            "world {}, {asker:?}, {about}:\n  expected {expected:?}\n  answered {actual:?}",
            self.world.seed
        ));
    }

    /// Compares an answer with the rows expected, `None` for a refusal.
    pub(super) fn check(&mut self, asker: Asker, about: &str, expected: Option<Vec<Vec<Value>>>, actual: &Answer) {
        let same = match (&expected, actual) {
            (None, Err(_)) => true,
            (Some(expected), Ok((rows, count))) => {
                expected == rows && count.is_none_or(|count| count == expected.len() as u64)
            }
            _ => false,
        };
        if !same {
            self.differ(asker, about, expected, actual);
        }
    }

    // -- Rows -------------------------------------------------------------------------------------------------------

    /// The list of a table, with every column that is masked or could be, and its count.
    async fn list(&mut self, asker: Asker, table: WorldTable) {
        let Some(refused) = self.refuses_all(asker, table) else { return };
        let stage = self.reader.stage;
        let shown: Vec<&str> = columns_of(table);
        let mut query = stage.list(self.world, table);
        query.fields.extend(shown.iter().map(|column| Field::Column(stage.column(table, column))));
        query.order = table.name_column().map(|name| order(stage.column(table, name), false)).into_iter().collect();
        query.count = true;
        let mut expected = Vec::new();
        for row in self.rows_of(table) {
            let verdict = self.verdict(asker, PrivilegeKind::Read, table, row);
            if asker.caller.is_none() {
                self.coverage.count(Operation::Row(PrivilegeKind::Read), &verdict);
            } else {
                self.coverage.count(Operation::OnBehalf(PrivilegeKind::Read), &verdict);
            }
            if !verdict.allowed {
                continue;
            }
            let record = self.world.record(row);
            let name = record.map(|record| record.name.clone()).or(self.world.user(row).map(|user| user.name.clone()));
            let masked = |column: &&str| {
                let stored = record.map_or(Value::Null, |record| value_of(record, column));
                if self.world.opens_on(asker, table, column, row) { stored } else { Value::Null }
            };
            let values: Vec<Value> = std::iter::once(Value::Guid(row)).chain(shown.iter().map(masked)).collect();
            expected.push((name.unwrap_or_default(), row, values));
            for column in shown.iter().filter(|_| asker.caller.is_none()) {
                let verdict = column_of_row_open(self.world, asker.user, ColumnRight::Read, table, column, row);
                self.coverage.count(Operation::ReadColumn, &verdict);
            }
        }
        expected.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let expected = (!refused).then(|| expected.into_iter().map(|(_, _, values)| values).collect());
        let actual = self.reader.rows(asker, Part::Shows, &query).await;
        self.check(asker, &format!("list of {}", table.name()), expected, &actual);
    }

    /// One row by its id: there or not, and refused as a whole only by the gate.
    async fn one_row(&mut self, asker: Asker, turn: usize) {
        let rows = self.world.rows();
        // A few of them; every row is met in the lists.
        for row in rows.iter().skip(turn % 7).step_by(7) {
            let Some(refused) = self.refuses_all(asker, row.table) else { continue };
            let allowed = self.verdict(asker, PrivilegeKind::Read, row.table, row.id).allowed;
            let id = Path::own(self.reader.stage.table(row.table).primary_id);
            let equal = Filter::Compare { path: id, operator: Comparison::Equal, value: Value::Guid(row.id) };
            let query = self.reader.stage.query(row.table, equal);
            let expected = (!refused).then(|| if allowed { vec![vec![Value::Guid(row.id)]] } else { Vec::new() });
            let actual = self.reader.rows(asker, Part::Shows, &query).await;
            self.check(asker, &format!("one row of {}", row.table.name()), expected, &actual);
        }
    }

    /// The eight rights on every row of a table, as a write asks.
    async fn rights(&mut self, asker: Asker, table: WorldTable) {
        let rows = self.rows_of(table);
        let found = self.reader.rights(asker, self.reader.stage.table(table), &rows).await;
        for (at, row) in rows.iter().enumerate() {
            for kind in PrivilegeKind::ALL {
                let verdict = self.verdict(asker, kind, table, *row);
                let operation = if asker.caller.is_none() { Operation::Row(kind) } else { Operation::OnBehalf(kind) };
                if kind != PrivilegeKind::Read {
                    self.coverage.count(operation, &verdict);
                }
                let reached = found.as_ref().is_some_and(|found| found[at][kind as usize]);
                if reached != verdict.allowed {
                    self.differ(asker, &format!("{kind:?} on {} {row}", table.name()), &verdict, reached);
                }
            }
        }
    }

    // -- Masks ------------------------------------------------------------------------------------------------------

    /// A secured column in filters and orders: to who may not read it, it is null.
    async fn masked(&mut self, asker: Asker, table: WorldTable, column: &'static str, turn: usize) {
        let Some(refused) = self.refuses_all(asker, table) else { return };
        let stage = self.reader.stage;
        let world = self.world;
        let opens = |record: &Record| world.opens_on(asker, table, column, record.id);
        let open = world.opens(asker, table, column);
        let id = stage.column(table, column);
        let readable: Vec<Record> =
            self.records_of(table).into_iter().filter(|record| self.reads(asker, record)).cloned().collect();
        let records: Vec<Record> = self.records_of(table).into_iter().cloned().collect();
        let wanted = value_of(&records[turn % records.len()], column);
        let equal = Filter::Compare { path: Path::own(id), operator: Comparison::Equal, value: wanted.clone() };
        let more = Filter::Compare { path: Path::own(id), operator: Comparison::GreaterOrEqual, value: wanted.clone() };
        let is_equal = |record: &Record| opens(record) && value_of(record, column) == wanted;
        let is_more = |record: &Record| opens(record) && sort_key(&value_of(record, column)) >= sort_key(&wanted);
        let tests: [(&str, Filter, Test); 5] = [
            ("eq", equal.clone(), &is_equal),
            ("not eq", Filter::Not(Box::new(equal)), &|record| !is_equal(record)),
            ("eq null", Filter::IsNull(Path::own(id)), &|record| !opens(record)),
            ("ne null", Filter::Not(Box::new(Filter::IsNull(Path::own(id)))), &|record| opens(record)),
            ("ge", more, &is_more),
        ];
        // Two of the five for each asker; all of them meet every kind of asker.
        for at in [turn, turn + 1] {
            let (name, filter, test) = &tests[at % tests.len()];
            let filter = filter.clone();
            let mut query = stage.list(self.world, table);
            query.filter = Filter::And(vec![query.filter, filter]);
            query.order = table.name_column().map(|name| order(stage.column(table, name), false)).into_iter().collect();
            query.count = true;
            let mut kept: Vec<_> =
                readable.iter().filter(|record| test(record)).map(|r| (r.name.clone(), r.id)).collect();
            kept.sort();
            let expected = (!refused).then(|| kept.into_iter().map(|(_, id)| vec![Value::Guid(id)]).collect());
            let actual = self.reader.rows(asker, Part::Filters, &query).await;
            self.check(asker, &format!("{} where {column} {name} (open: {open})", table.name()), expected, &actual);
        }
        let descending = turn % 2 == 1;
        let mut query = stage.list(self.world, table);
        let name = stage.column(table, table.name_column().unwrap());
        query.order = vec![order(id, descending), order(name, false)];
        let mut sorted: Vec<(SortKey, String, Guid)> = readable
            .iter()
            .map(|record| {
                let value = if opens(record) { value_of(record, column) } else { Value::Null };
                (sort_key(&value), record.name.clone(), record.id)
            })
            .collect();
        sorted.sort_by(|a, b| {
            let first = if descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            first.then_with(|| a.1.cmp(&b.1))
        });
        let expected = (!refused).then(|| sorted.into_iter().map(|(_, _, id)| vec![Value::Guid(id)]).collect());
        let mut actual = self.reader.rows(asker, Part::Sorts, &query).await;
        if let Ok((rows, _)) = &mut actual {
            // The place to continue after is shown behind the id; it must not tell what is masked.
            for row in rows {
                let keys = row.split_off(1);
                let is_open = row[0].guid().and_then(|id| world.record(id)).is_some_and(opens);
                if !is_open && keys.first() != Some(&Value::Null) {
                    self.differ(asker, &format!("the sort key of masked {column}"), Value::Null, keys);
                }
            }
        }
        self.check(asker, &format!("{} by {column} (open: {open})", table.name()), expected, &actual);
    }

    // -- Rows beside rows ---------------------------------------------------------------------------------------------

    /// Contacts with what the caller may see of their accounts: filtered by it, shown with it, and their labels.
    async fn followed(&mut self, asker: Asker, turn: usize) {
        let stage = self.reader.stage;
        let (Some(contacts), Some(accounts)) =
            (self.refuses_all(asker, WorldTable::Contact), self.refuses_all(asker, WorldTable::Account))
        else {
            return;
        };
        let lookup = stage.column(WorldTable::Contact, "parentcustomerid");
        let account = stage.table(WorldTable::Account);
        let step = Step { lookup, target: account.id };
        let secured = stage.column(WorldTable::Account, "creditlimit");
        let world = self.world;
        let open = world.opens(asker, WorldTable::Account, "creditlimit");
        let opens = |account: &Record| world.opens_on(asker, WorldTable::Account, "creditlimit", account.id);
        let parent_of = |record: &Record| {
            let lookup = record.lookups.iter().find(|lookup| lookup.column == "parentcustomerid")?;
            world.record(lookup.id)
        };
        let readable: Vec<&Record> =
            self.records_of(WorldTable::Contact).into_iter().filter(|record| self.reads(asker, record)).collect();

        let filter = Filter::Compare {
            path: Path::over(vec![step], secured),
            operator: Comparison::GreaterOrEqual,
            value: column_value("creditlimit", 1),
        };
        let filter = if turn.is_multiple_of(2) { filter } else { Filter::Not(Box::new(filter)) };
        let mut query = stage.list(self.world, WorldTable::Contact);
        query.filter = Filter::And(vec![query.filter, filter]);
        let seen = |record: &Record| parent_of(record).is_some_and(|parent| opens(parent) && self.reads(asker, parent));
        let expected: BTreeSet<Guid> =
            readable.iter().filter(|record| seen(record) == (turn.is_multiple_of(2))).map(|record| record.id).collect();

        let mut shown = BTreeMap::new();
        for record in &readable {
            let parent = parent_of(record);
            let of_parent = parent.filter(|parent| self.reads(asker, parent));
            shown.insert(
                record.id,
                [
                    // The label of the account shows to whoever sees the contact.
                    parent.map_or(Value::Null, |parent| text(&parent.name)),
                    of_parent.map_or(Value::Null, |parent| Value::Guid(parent.id)),
                    of_parent.map_or(Value::Null, |parent| text(&parent.name)),
                    of_parent
                        .filter(|parent| opens(parent))
                        .map_or(Value::Null, |parent| value_of(parent, "creditlimit")),
                ],
            );
        }
        let mut showing = stage.list(self.world, WorldTable::Contact);
        showing.fields.push(Field::TargetName(lookup));
        showing.expand.push(Expand::One {
            name: "parentcustomerid_account".into(),
            step,
            fields: vec![
                Field::Column(account.primary_id),
                Field::Column(stage.column(WorldTable::Account, "name")),
                Field::Column(secured),
            ],
            expand: Vec::new(),
        });

        let refused = contacts || accounts;
        let actual = self.reader.rows(asker, Part::Follows, &query).await;
        let found = actual.as_ref().ok().map(|(rows, _)| ids(rows));
        if found != (!refused).then(|| expected.clone()) {
            self.differ(
                asker,
                &format!("contacts by creditlimit of their accounts (open: {open}, refused: {refused})"),
                expected,
                actual,
            );
        }
        let actual = self.reader.rows(asker, Part::Shows, &showing).await;
        let found = actual.as_ref().ok().map(|(rows, _)| {
            rows.iter()
                .map(|row| (row[0].guid().unwrap(), <[Value; 4]>::try_from(row[1..].to_vec()).unwrap()))
                .collect::<BTreeMap<_, _>>()
        });
        if found != (!refused).then(|| shown.clone()) {
            self.differ(
                asker,
                &format!("contacts with their accounts (open: {open}, refused: {refused})"),
                shown,
                actual,
            );
        }
    }

    /// Rows that hang on one row: by their lookup, and over an N:N link.
    async fn related(&mut self, asker: Asker) {
        let stage = self.reader.stage;
        if let (Some(refused), Some(account)) = (
            self.refuses_all(asker, WorldTable::Contact),
            self.world.records.iter().find_map(|record| {
                record.lookups.iter().find(|lookup| lookup.column == "parentcustomerid").map(|lookup| lookup.id)
            }),
        ) {
            let mut query = stage.query(WorldTable::Contact, Filter::True);
            query.related = Some(Related::ByLookup {
                lookup: stage.column(WorldTable::Contact, "parentcustomerid"),
                parent: account,
                parent_table: stage.table(WorldTable::Account).id,
            });
            let below = |record: &Record| record.lookups.iter().any(|lookup| lookup.id == account);
            let expected: BTreeSet<Guid> = self
                .records_of(WorldTable::Contact)
                .into_iter()
                .filter(|record| below(record) && self.reads(asker, record))
                .map(|record| record.id)
                .collect();
            self.check_set(asker, "contacts of an account", (!refused).then_some(expected), &query).await;
        }
        if let (Some(refused), Some(link)) =
            (self.refuses_all(asker, WorldTable::Opportunity), self.world.links.first())
        {
            let at = self
                .reader
                .stage
                .schema
                .many_to_many()
                .iter()
                .position(|link| link.intersect == stage.table(WorldTable::OpportunityCompetitor).id)
                .unwrap();
            let queried_is_second = stage.schema.many_to_many()[at].second == stage.table(WorldTable::Opportunity).id;
            let mut query = stage.query(WorldTable::Opportunity, Filter::True);
            query.related = Some(Related::ByLink {
                relationship: RelationshipId(u32::try_from(at).unwrap()),
                queried_is_second,
                parent: link.competitor,
            });
            let linked = |record: &Record| {
                self.world
                    .links
                    .iter()
                    .any(|other| other.competitor == link.competitor && other.opportunity == record.id)
            };
            let expected: BTreeSet<Guid> = self
                .records_of(WorldTable::Opportunity)
                .into_iter()
                .filter(|record| linked(record) && self.reads(asker, record))
                .map(|record| record.id)
                .collect();
            self.check_set(asker, "opportunities of a competitor", (!refused).then_some(expected), &query).await;
        }
    }

    async fn check_set(&mut self, asker: Asker, about: &str, expected: Option<BTreeSet<Guid>>, query: &Query) {
        let actual = self.reader.rows(asker, Part::Shows, query).await;
        if actual.as_ref().ok().map(|(rows, _)| ids(rows)) != expected {
            self.differ(asker, about, expected, actual);
        }
    }
}

pub(super) fn ids(rows: &[Vec<Value>]) -> BTreeSet<Guid> {
    let found: BTreeSet<Guid> = rows.iter().map(|row| row[0].guid().unwrap()).collect();
    assert_eq!(found.len(), rows.len(), "a row came twice");
    found
}

fn order(column: custodia_schema::ColumnId, descending: bool) -> Order {
    Order::by_value(Path::own(column), descending)
}

/// What a list of the table shows: its name, and everything a mask could hide.
fn columns_of(table: WorldTable) -> Vec<&'static str> {
    let secured = SECURED_COLUMNS.iter().filter(|(of, _)| *of == table).map(|(_, column)| *column);
    let derived = DERIVED_COLUMNS.iter().filter(|(of, ..)| *of == table).map(|(_, column, _)| *column);
    secured.chain(derived).collect()
}

/// The value of a secured or derived column as it is stored.
pub(super) fn value_of(record: &Record, column: &str) -> Value {
    let derived = DERIVED_COLUMNS.iter().find(|(of, derived, _)| *of == record.table && *derived == column);
    let source = derived.map_or(column, |(_, _, source)| *source);
    let (_, value) = record.values.iter().find(|(of, _)| *of == source).unwrap();
    column_value(source, *value)
}

/// What a value sorts by; none sorts first.
pub(super) type SortKey = Option<(i64, String)>;

pub(super) fn sort_key(value: &Value) -> SortKey {
    match value {
        Value::Null => None,
        Value::Money(money) => Some((money.0, String::new())),
        Value::Text(text) => Some((0, text.clone())),
        other => panic!("no world has {other:?} in a secured column"),
    }
}
