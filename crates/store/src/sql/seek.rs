//! Order and the place to continue after (decisions 0001.13, 0005.3).
//!
//! The rows after a place are cut into arms, each a range that an index holds in order: one arm per prefix of the keys,
//! where neighbouring keys of one direction share a row-value comparison, and one for the nulls that a descending order
//! puts last. Every ORDER BY names its null order: without it PostgreSQL sorts the table.

use custodia_query::Order;
use custodia_schema::{Value, fold};

use super::CompileError;
use super::access::primary;
use super::join::{Joins, Place};
use super::order::write_direction;
use super::storage::{Storage, comparison_suffix, is_always_set};
use super::writer::{Alias, Bound, Writer};

/// Columns a list may be sorted by: each may become two arms of a compound, of which SQLite takes 500.
const ORDER_KEYS_MAX: usize = 32;

/// A column that the rows are sorted by. Keys the caller may not read are left out: they are null in every row.
#[derive(Clone, Copy)]
pub(crate) struct SortKey<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) storage: Storage,
    pub(crate) descending: bool,
    pub(crate) nullable: bool,
    /// Its position in the query's order; `None` for the primary id that ends every order.
    pub(crate) position: Option<usize>,
}

/// The order of a query: its readable keys up to the first unique one, ending with the primary id.
pub(crate) struct Seek<'a> {
    pub(crate) keys: Vec<SortKey<'a>>,
    after: Option<Vec<After>>,
}

struct After {
    value: Value,
    bound: Option<Bound>,
}

/// Rows after the place that share its first `equal` keys and then go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) equal: usize,
    pub(crate) then: Then,
}

/// How an arm goes on after its equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The keys from the first unequal one up to this position lie after the place, compared together.
    Beyond(usize),
    /// The next key is null.
    Null,
    /// The next key is not null.
    NotNull,
}

impl<'a> Seek<'a> {
    /// Resolves the keys; the joins they need were added.
    pub(crate) fn new(joins: &Joins<'a>, order: &[Order], after: Option<&[Value]>) -> Result<Self, CompileError> {
        if order.len() > ORDER_KEYS_MAX {
            return Err(CompileError::TooLarge { what: "columns to sort by", limit: ORDER_KEYS_MAX });
        }
        let table = joins.table;
        let mut keys: Vec<SortKey<'a>> = Vec::with_capacity(order.len() + 1);
        let mut unique = false;
        let mut descending = false;
        for (position, entry) in order.iter().enumerate() {
            descending = entry.descending;
            let Some(place) = joins.place(&entry.path)? else { continue };
            let storage = storage_of(place)?;
            let nullable = place.joined || !is_always_set(place.table, place.column);
            keys.push(SortKey { place, storage, descending, nullable, position: Some(position) });
            if !place.joined && place.column.id == table.primary_id {
                unique = true;
                break;
            }
        }
        if !unique {
            let place = Place { alias: joins.root, table, column: primary(table)?, joined: false };
            keys.push(SortKey { place, storage: Storage::Guid, descending, nullable: false, position: None });
        }
        let after = after.map(|values| after_values(&keys, order.len(), values)).transpose()?;
        Ok(Self { keys, after })
    }

    /// The arms after the place; none when the query starts at the beginning.
    pub(crate) fn arms(&self) -> Vec<Arm> {
        let Some(after) = &self.after else { return Vec::new() };
        let is_null = |at: usize| after.get(at).is_none_or(|after| after.value.is_null());
        let descends = |at: usize| self.keys.get(at).is_some_and(|key| key.descending);
        let mut arms = Vec::with_capacity(self.keys.len() + 1);
        let mut end = self.keys.len();
        while end > 0 {
            let last = end - 1;
            if is_null(last) {
                // Ascending, nulls come first and all values after them; descending, nothing comes after a null.
                if !descends(last) {
                    arms.push(Arm { equal: last, then: Then::NotNull });
                }
                end = last;
                continue;
            }
            let mut start = last;
            while start > 0 && !is_null(start - 1) && descends(start - 1) == descends(last) {
                start -= 1;
            }
            arms.push(Arm { equal: start, then: Then::Beyond(end) });
            if descends(last) {
                let nulls = (start..end).rev().filter(|at| self.keys.get(*at).is_some_and(|key| key.nullable));
                arms.extend(nulls.map(|equal| Arm { equal, then: Then::Null }));
            }
            end = start;
        }
        arms
    }

    /// The condition of one arm.
    pub(crate) fn write_arm(&mut self, w: &mut Writer, arm: Arm) {
        for at in 0..arm.equal {
            self.write_key(w, at);
            if self.after_is_null(at) {
                w.text(" IS NULL AND ");
            } else {
                w.text(" = ");
                self.write_after(w, at);
                w.text(" AND ");
            }
        }
        match arm.then {
            Then::Null => {
                self.write_key(w, arm.equal);
                w.text(" IS NULL");
            }
            Then::NotNull => {
                self.write_key(w, arm.equal);
                w.text(" IS NOT NULL");
            }
            Then::Beyond(end) => {
                let descending = self.keys.get(arm.equal).is_some_and(|key| key.descending);
                let single = end == arm.equal + 1;
                self.write_list(w, arm.equal..end, single, Self::write_key);
                w.text(if descending { " < " } else { " > " });
                self.write_list(w, arm.equal..end, single, Self::write_after);
            }
        }
    }

    /// `ORDER BY …` over the keys where they come from.
    pub(crate) fn write_order(&self, w: &mut Writer) {
        w.text(" ORDER BY ");
        for (at, key) in self.keys.iter().enumerate() {
            if at > 0 {
                w.text(", ");
            }
            w.column(key.place.alias, &key.place.column.name, comparison_suffix(key.place.column));
            write_direction(w, key.descending, key.nullable);
        }
    }

    /// `ORDER BY …` over the keys as a subquery names them; `source` is left out inside a compound.
    pub(crate) fn write_order_of_names(&self, w: &mut Writer, source: Option<Alias>) {
        w.text(" ORDER BY ");
        for (at, key) in self.keys.iter().enumerate() {
            if at > 0 {
                w.text(", ");
            }
            if let Some(source) = source {
                w.alias(source);
                w.text(".");
            }
            write_name(w, at);
            write_direction(w, key.descending, key.nullable);
        }
    }

    /// Writes the keys as columns of a subquery: `k0`, `k1`, …, the last one being or leading to the primary id.
    pub(crate) fn write_columns(&self, w: &mut Writer) {
        for (at, key) in self.keys.iter().enumerate() {
            if at > 0 {
                w.text(", ");
            }
            w.column(key.place.alias, &key.place.column.name, comparison_suffix(key.place.column));
            w.text(" AS ");
            write_name(w, at);
        }
    }

    fn write_list(
        &mut self,
        w: &mut Writer,
        range: std::ops::Range<usize>,
        single: bool,
        write: impl Fn(&mut Self, &mut Writer, usize),
    ) {
        if !single {
            w.text("(");
        }
        for (count, at) in range.enumerate() {
            if count > 0 {
                w.text(", ");
            }
            write(self, w, at);
        }
        if !single {
            w.text(")");
        }
    }

    fn write_key(&mut self, w: &mut Writer, at: usize) {
        if let Some(key) = self.keys.get(at) {
            w.column(key.place.alias, &key.place.column.name, comparison_suffix(key.place.column));
        }
    }

    fn after_is_null(&self, at: usize) -> bool {
        self.after.as_ref().and_then(|after| after.get(at)).is_none_or(|after| after.value.is_null())
    }

    fn write_after(&mut self, w: &mut Writer, at: usize) {
        let Some(storage) = self.keys.get(at).map(|key| key.storage) else { return };
        let Some(after) = self.after.as_mut().and_then(|after| after.get_mut(at)) else { return };
        let bound = match after.bound {
            Some(bound) => bound,
            None => {
                let storage = Storage::of_value(&after.value).unwrap_or(storage);
                let bound = w.bind(std::mem::replace(&mut after.value, Value::Boolean(true)), storage);
                after.bound = Some(bound);
                bound
            }
        };
        w.bound(bound);
    }
}

/// The name of a key in a subquery.
pub(crate) fn write_name(w: &mut Writer, at: usize) {
    w.text("k");
    w.number(at as u64);
}

fn storage_of(place: Place<'_>) -> Result<Storage, CompileError> {
    Storage::of(&place.column.kind)
        .ok_or_else(|| CompileError::NoColumn { table: place.table.name.clone(), column: place.column.id })
}

/// The values of the readable keys, in the form in which they are compared.
fn after_values(keys: &[SortKey<'_>], entries: usize, values: &[Value]) -> Result<Vec<After>, CompileError> {
    if values.len() != entries + 1 {
        return Err(CompileError::SeekKeys { given: values.len(), needed: entries + 1 });
    }
    keys.iter()
        .map(|key| {
            let value = values.get(key.position.unwrap_or(entries)).unwrap_or(&Value::Null);
            let column = key.place.column;
            let fits = Storage::of_value(value).is_none_or(|given| key.storage.compares_with(given));
            if !fits || (value.is_null() && !key.nullable) {
                return Err(CompileError::Type {
                    table: key.place.table.name.clone(),
                    column: column.name.clone(),
                    given: Storage::of_value(value).map_or("null", Storage::noun),
                });
            }
            let value = match value {
                Value::Text(text) if column.kind.is_text() => Value::Text(fold(text)),
                other => other.clone(),
            };
            Ok(After { value, bound: None })
        })
        .collect()
}
