//! Answers a query by trying every row: slow, short and independent of the writer.

use std::cmp::Ordering;

use custodia_access::{Own, RowAccess, RowArms};
use custodia_query::{Comparison, Expand, Field, Filter, Path, Query, Related};
use custodia_schema::{Guid, Table, TableId, Value, fold};

use super::super::super::ReadPolicy;
use super::super::{TestPolicy, schema};
use super::question::Seen;
use super::world::{Row, World};

pub(super) struct Naive<'w> {
    pub(super) world: &'w World,
    pub(super) policy: &'w TestPolicy,
}

impl<'w> Naive<'w> {
    /// What the caller is shown, in order.
    pub(super) fn answer(&self, query: &Query, seen: &mut Seen) -> Vec<Vec<Value>> {
        let table = table_of(query.table);
        let mut rows = self.matching(query);
        rows.sort_by(|left, right| {
            for order in &query.order {
                let (left, right) = (self.value(&table, left, &order.path), self.value(&table, right, &order.path));
                let by_key = compare(&left, &right).unwrap_or_else(|| left.is_null().cmp(&right.is_null()).reverse());
                match if order.descending { by_key.reverse() } else { by_key } {
                    Ordering::Equal if left.is_null() => seen.null_ties += 1,
                    Ordering::Equal => seen.ties += 1,
                    other => return other,
                }
            }
            let by_id = self.id(&table, left).cmp(&self.id(&table, right));
            if query.order.last().is_some_and(|order| order.descending) { by_id.reverse() } else { by_id }
        });
        if let Some(top) = query.top {
            rows.truncate(usize::try_from(top).unwrap());
        }
        rows.into_iter().map(|row| self.shown(&table, row, query)).collect()
    }

    /// The rows that the caller reaches and the query asks for.
    pub(super) fn matching(&self, query: &Query) -> Vec<&'w Row> {
        let table = table_of(query.table);
        self.rows(&table)
            .iter()
            .filter(|row| self.reaches(&table, row))
            .filter(|row| query.related.as_ref().is_none_or(|related| self.is_related(&table, row, related)))
            .filter(|row| self.holds(&table, row, &query.filter))
            .collect()
    }

    fn rows(&self, table: &Table) -> &'w [Row] {
        self.world.rows.get(table.name.as_str()).map_or(&[], Vec::as_slice)
    }

    fn id(&self, table: &Table, row: &Row) -> Guid {
        raw(table, row, table.primary_id).guid().unwrap()
    }

    fn reaches(&self, table: &Table, row: &Row) -> bool {
        match self.policy.rows.get(&table.id) {
            None => true,
            Some(access) => self.is_in(table, row, access),
        }
    }

    fn is_in(&self, table: &Table, row: &Row, access: &RowAccess) -> bool {
        match access {
            RowAccess::All => true,
            RowAccess::Every(all) => all.iter().all(|access| self.is_in(table, row, access)),
            RowAccess::Arms(arms) => self.is_in_arms(table, row, arms),
            RowAccess::Parent(parents) => {
                let set = parents.iter().find(|parent| !raw(table, row, parent.lookup).is_null());
                let Some(Value::Lookup(target, id)) = set.map(|parent| raw(table, row, parent.lookup)) else {
                    return false;
                };
                let entry = parents.iter().find(|parent| parent.table == target);
                let Some(access) = entry.and_then(|parent| parent.access.as_deref()) else { return false };
                let target = table_of(target);
                // A parent open to everybody needs no look; in the service it exists.
                *access == RowAccess::All
                    || self.find(&target, id).is_some_and(|parent| self.is_in(&target, parent, access))
                    || self.is_everything(access)
            }
        }
    }

    fn is_everything(&self, access: &RowAccess) -> bool {
        match access {
            RowAccess::All => true,
            RowAccess::Every(all) => all.iter().all(|access| self.is_everything(access)),
            _ => false,
        }
    }

    fn is_in_arms(&self, table: &Table, row: &Row, arms: &RowArms) -> bool {
        let named = |name: &str| table.column(name).and_then(|column| raw(table, row, column.id).guid());
        let id = self.id(table, row);
        let member = |principal: Guid| self.world.members.contains(&(arms.user, principal));
        let owns = match &arms.own {
            Own::Nobody => false,
            Own::Self_ => id == arms.user,
            Own::Teams(teams) => named("ownerid").is_some_and(|owner| teams.contains(&owner)),
            Own::UserAnd(teams) => named("ownerid").is_some_and(|owner| owner == arms.user || teams.contains(&owner)),
            Own::UserAndTeams => named("ownerid").is_some_and(|owner| owner == arms.user || member(owner)),
        };
        let sits = named("owningbusinessunit").is_some_and(|unit| {
            arms.units.contains(&unit) || arms.subtrees.iter().any(|above| self.world.closure.contains(&(*above, unit)))
        });
        let shared = arms.shared.is_some_and(|mask| {
            let mask = i32::try_from(mask.0).unwrap();
            self.world.shares.iter().any(|(of, object, principal, own, inherited)| {
                *of == table.name && *object == id && member(*principal) && (own | inherited) & mask != 0
            })
        });
        owns || sits || shared
    }

    fn find(&self, table: &Table, id: Guid) -> Option<&'w Row> {
        self.rows(table).iter().find(|row| self.id(table, row) == id)
    }

    /// The value at the end of a path, as the caller may see it.
    fn value(&self, table: &Table, row: &Row, path: &Path) -> Value {
        let mut at = (table_of(table.id), row);
        for step in &path.steps {
            let Value::Lookup(target, id) = self.readable(&at.0, at.1, step.lookup) else { return Value::Null };
            let target_table = table_of(target);
            match self.find(&target_table, id) {
                Some(next) if target == step.target && self.reaches(&target_table, next) => at = (target_table, next),
                _ => return Value::Null,
            }
        }
        self.readable(&at.0, at.1, path.column)
    }

    fn readable(&self, table: &Table, row: &Row, column: custodia_schema::ColumnId) -> Value {
        if self.policy.reads_column(table, column) { raw(table, row, column) } else { Value::Null }
    }

    fn is_related(&self, table: &Table, row: &Row, related: &Related) -> bool {
        match related {
            Related::ByLookup { lookup, parent, parent_table } => {
                self.readable(table, row, *lookup) == Value::Lookup(*parent_table, *parent)
            }
            Related::ByLink { .. } => panic!("not asked"),
        }
    }

    fn holds(&self, table: &Table, row: &Row, filter: &Filter) -> bool {
        match filter {
            Filter::True => true,
            Filter::False => false,
            Filter::And(all) => all.iter().all(|filter| self.holds(table, row, filter)),
            Filter::Or(all) => all.iter().any(|filter| self.holds(table, row, filter)),
            Filter::Not(inner) => !self.holds(table, row, inner),
            Filter::IsNull(path) => self.value(table, row, path).is_null(),
            Filter::In { path, values } => {
                let held = self.value(table, row, path);
                values.iter().any(|value| compare(&held, value) == Some(Ordering::Equal))
            }
            Filter::Compare { path, operator, value } => test(&self.value(table, row, path), *operator, value),
            Filter::CompareColumns { left, operator, right } => {
                // Column against column compares ids only.
                test(&bare(self.value(table, row, left)), *operator, &bare(self.value(table, row, right)))
            }
            Filter::Like { path, pattern } => match self.value(table, row, path) {
                Value::Text(text) => pattern.matches(&fold(&text)),
                _ => false,
            },
        }
    }

    fn shown(&self, table: &Table, row: &Row, query: &Query) -> Vec<Value> {
        let mut values: Vec<Value> = query.fields.iter().map(|field| self.field(table, Some(row), *field)).collect();
        for expand in &query.expand {
            let Expand::One { step, fields, .. } = expand else { panic!("not asked") };
            let target = table_of(step.target);
            let related = match self.readable(table, row, step.lookup) {
                Value::Lookup(points_at, id) if points_at == step.target => self.find(&target, id),
                _ => None,
            };
            let related = related.filter(|row| self.reaches(&target, row));
            values.extend(fields.iter().map(|field| self.field(&target, related, *field)));
        }
        values
    }

    fn field(&self, table: &Table, row: Option<&Row>, field: Field) -> Value {
        let Some(row) = row else { return Value::Null };
        match field {
            Field::Column(column) => match self.readable(table, row, column) {
                Value::Integer(number) => Value::BigInt(i64::from(number)),
                Value::Lookup(_, id) => Value::Guid(id),
                other => other,
            },
            Field::TargetTable(lookup) => match self.readable(table, row, lookup) {
                Value::Lookup(target, _) => Value::BigInt(i64::from(target.0)),
                _ => Value::Null,
            },
            Field::TargetName(lookup) => match self.readable(table, row, lookup) {
                Value::Lookup(target, id) => {
                    let target = table_of(target);
                    let named = self.find(&target, id).zip(target.primary_name);
                    named.map_or(Value::Null, |(row, name)| self.readable(&target, row, name))
                }
                _ => Value::Null,
            },
        }
    }
}

fn table_of(id: TableId) -> std::sync::Arc<Table> {
    std::sync::Arc::clone(schema().table(id).unwrap())
}

/// What is stored, whoever asks.
fn raw(table: &Table, row: &Row, column: custodia_schema::ColumnId) -> Value {
    let name = table.column_by_id(column).unwrap().name.as_str();
    row.get(name).cloned().unwrap_or(Value::Null)
}

/// The id alone, for links compared with links.
fn bare(value: Value) -> Value {
    value.guid().map_or(value, Value::Guid)
}

/// False on null, but for "not equal". Only equality asks which table a link points into.
fn test(held: &Value, operator: Comparison, value: &Value) -> bool {
    let order = match operator {
        Comparison::Equal | Comparison::NotEqual => compare(held, value),
        _ => compare(&bare(held.clone()), &bare(value.clone())),
    };
    match operator {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}

/// How two values of one type compare; nothing where either is null. Two nulls sort alike.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return None,
        (Value::Text(left), Value::Text(right)) => fold(left).as_bytes().cmp(fold(right).as_bytes()),
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        (Value::Decimal(left), Value::Decimal(right)) => left.cmp(right),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right).unwrap(),
        (Value::Money(left), Value::Money(right)) => left.cmp(right),
        (Value::DateTime(left), Value::DateTime(right)) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        // A literal that names a table matches links into that table only; ids alone sort.
        (Value::Lookup(left_table, left), Value::Lookup(right_table, right))
            if left == right && left_table != right_table =>
        {
            return None;
        }
        (left, right) => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.guid().unwrap().as_bytes().cmp(right.guid().unwrap().as_bytes()),
        },
    })
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(i64::from(*number)),
        Value::BigInt(number) => Some(*number),
        _ => None,
    }
}
