//! Tests of the SQL writer: texts against golden files, and texts run on both engines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod choices;
mod combined;
mod engines;
mod golden;
mod oracle;
mod paging;
mod patterns;
mod plans;
mod security;
mod tables;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use custodia_access::{ColumnShare, Denied, RowAccess, SharedColumn};
use custodia_query::{Comparison, Field, Filter, Order, Path, Query, Step};
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Schema, Table, TableId, Value};

use super::{Context, Dialect, Plan, ReadPolicy, Statement, Tables, insert, select};

pub(super) fn schema() -> Arc<Schema> {
    custodia_schema::standard()
}

pub(super) fn table(name: &str) -> Arc<Table> {
    Arc::clone(schema().table_named(name).unwrap_or_else(|| panic!("no table {name}")))
}

pub(super) fn column(of: &str, name: &str) -> ColumnId {
    table(of).column(name).unwrap_or_else(|| panic!("no column {of}.{name}")).id
}

pub(super) fn id(number: u128) -> Guid {
    Guid::from_u128(number)
}

/// A path written `parentcustomerid:account.name`, from a table.
pub(super) fn path(from: &str, text: &str) -> Path {
    let mut at = from.to_owned();
    let mut parts: Vec<&str> = text.split('.').collect();
    let last = parts.pop().unwrap();
    let mut steps = Vec::new();
    for part in parts {
        let (lookup, target) = part.split_once(':').unwrap();
        steps.push(Step { lookup: column(&at, lookup), target: table(target).id });
        target.clone_into(&mut at);
    }
    Path::over(steps, column(&at, last))
}

pub(super) fn compare(from: &str, text: &str, operator: Comparison, value: Value) -> Filter {
    Filter::Compare { path: path(from, text), operator, value }
}

pub(super) fn equal(from: &str, text: &str, value: Value) -> Filter {
    compare(from, text, Comparison::Equal, value)
}

pub(super) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// A query of a table that shows some columns after its primary id.
pub(super) fn query(of: &str, fields: &[&str]) -> Query {
    let queried = table(of);
    let mut shown = vec![Field::Column(queried.primary_id)];
    shown.extend(fields.iter().map(|name| Field::Column(column(of, name))));
    Query { fields: shown, ..Query::of(&queried, 50) }
}

/// An order written `name`, or `-name` for descending.
pub(super) fn order(from: &str, keys: &[&str]) -> Vec<Order> {
    let key = |text: &str| match text.strip_prefix('-') {
        Some(text) => Order::by_value(path(from, text), true),
        None => Order::by_value(path(from, text), false),
    };
    keys.iter().map(|text| key(text)).collect()
}

/// A database that has these tables, with shares of each.
pub(super) struct Only<F>(pub(super) F);

impl<F: Fn(TableId) -> bool + Sync> Tables for Only<F> {
    fn exists(&self, table: TableId) -> bool {
        (self.0)(table)
    }

    fn has_shares(&self, table: TableId) -> bool {
        (self.0)(table)
    }
}

/// Reads everything but what is listed.
#[derive(Clone, Debug, Default)]
pub(super) struct TestPolicy {
    pub(super) rows: HashMap<TableId, RowAccess>,
    pub(super) hidden: HashSet<(TableId, ColumnId)>,
    /// Null but on the rows on which they were shared.
    pub(super) shared: HashMap<TableId, Vec<SharedColumn>>,
    pub(super) closed: HashSet<TableId>,
}

impl TestPolicy {
    pub(super) fn open() -> Self {
        Self::default()
    }

    pub(super) fn reaching(name: &str, access: RowAccess) -> Self {
        Self::open().and_reaching(name, access)
    }

    pub(super) fn and_reaching(mut self, name: &str, access: RowAccess) -> Self {
        self.rows.insert(table(name).id, access);
        self
    }

    pub(super) fn hiding(mut self, of: &str, name: &str) -> Self {
        self.hidden.insert((table(of).id, column(of, name)));
        self
    }

    /// Hides a column but on the rows on which `needs` were shared, each with one user.
    pub(super) fn sharing(mut self, of: &str, name: &str, needs: &[(Guid, &str)]) -> Self {
        let needs = needs.iter().map(|(user, name)| ColumnShare { user: *user, column: column(of, name) }).collect();
        self.shared.entry(table(of).id).or_default().push(SharedColumn { column: column(of, name), needs });
        self
    }

    pub(super) fn closing(mut self, name: &str) -> Self {
        self.closed.insert(table(name).id);
        self
    }
}

impl ReadPolicy for TestPolicy {
    fn rows(&self, table: &Table, _: PrivilegeKind) -> Result<RowAccess, Denied> {
        if self.closed.contains(&table.id) {
            return Err(Denied::NoRoles { user: id(1) });
        }
        Ok(self.rows.get(&table.id).cloned().unwrap_or(RowAccess::All))
    }

    fn reads_column(&self, table: &Table, column: ColumnId) -> bool {
        !self.hidden.contains(&(table.id, column))
    }

    fn shared_columns(&self, table: &Table) -> Vec<SharedColumn> {
        self.shared.get(&table.id).cloned().unwrap_or_default()
    }
}

pub(super) fn compile(dialect: Dialect, query: &Query, policy: &TestPolicy, plan: Plan) -> Statement {
    let schema = schema();
    let context = Context { dialect, schema: &schema, tables: &Only(|_| true) };
    select(&context, query, policy, plan).unwrap()
}

pub(super) fn compile_insert(dialect: Dialect, into: &str, values: &[(&str, Value)]) -> Statement {
    let values: Vec<_> = values.iter().map(|(name, value)| (column(into, name), value.clone())).collect();
    insert(dialect, &table(into), &values).unwrap()
}

/// Numbers that look random and are the same in every run.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap();
        &from[at]
    }
}
