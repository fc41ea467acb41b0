//! Orders that no place can be continued after: over linked rows, by labels and by names.

use custodia_query::{Order, OrderBy, Path};
use custodia_schema::{ColumnKind, Table};

use super::access::primary;
use super::join::{Joins, Place};
use super::names::write_target_name;
use super::storage::{Storage, comparison_suffix, is_always_set};
use super::writer::Writer;
use super::{CompileError, Dialect};

/// The readable keys of an order, up to the ids that make it total.
pub(crate) struct SortKeys<'a, 'o> {
    keys: Vec<SortKey<'a, 'o>>,
}

struct SortKey<'a, 'o> {
    place: Place<'a>,
    by: &'o OrderBy,
    descending: bool,
    nullable: bool,
}

impl<'a, 'o> SortKeys<'a, 'o> {
    /// The keys of a query, then the primary ids of the queried row and the linked ones, in the direction of the last key.
    /// Adds the joins they need.
    pub(crate) fn of_query(w: &mut Writer, joins: &mut Joins<'a>, order: &'o [Order]) -> Result<Self, CompileError> {
        let mut found = Self::given(w, joins, order)?;
        let descending = order.last().is_some_and(|last| last.descending);
        for row in 0..=joins.links.len() {
            found.add_id(joins, row, descending)?;
        }
        Ok(found)
    }

    /// The keys that say which partner comes first, then its primary id. Adds the joins they need.
    pub(crate) fn of_first(
        w: &mut Writer,
        joins: &mut Joins<'a>,
        row: usize,
        order: &'o [Order],
    ) -> Result<Self, CompileError> {
        let mut found = Self::given(w, joins, order)?;
        found.add_id(joins, row, false)?;
        Ok(found)
    }

    /// The keys given, without an id.
    pub(crate) fn given(w: &mut Writer, joins: &mut Joins<'a>, order: &'o [Order]) -> Result<Self, CompileError> {
        order.iter().try_for_each(|key| joins.add_path(w, &key.path))?;
        let mut keys = Vec::with_capacity(order.len() + 1);
        for key in order {
            require_fitting(joins.table_of(&key.path)?, &key.path, &key.by)?;
            if let Some(place) = joins.place(&key.path)? {
                let set = !place.joined && is_always_set(place.table, place.column) && key.by != OrderBy::Name;
                keys.push(SortKey { place, by: &key.by, descending: key.descending, nullable: !set });
            }
        }
        Ok(Self { keys })
    }

    fn add_id(&mut self, joins: &Joins<'a>, row: usize, descending: bool) -> Result<(), CompileError> {
        if let Some((alias, table)) = joins.row(row) {
            let place = Place { alias, table, column: primary(table)?, joined: false };
            self.keys.push(SortKey { place, by: &OrderBy::Value, descending, nullable: joins.may_be_missing(row) });
        }
        Ok(())
    }

    /// ` ORDER BY …`, or nothing where there is no key.
    pub(crate) fn write(&self, w: &mut Writer, joins: &Joins<'a>) -> Result<(), CompileError> {
        for (at, key) in self.keys.iter().enumerate() {
            w.text(if at > 0 { ", " } else { " ORDER BY " });
            write_key(w, joins, key)?;
            write_direction(w, key.descending, key.nullable);
        }
        Ok(())
    }

    /// `, … AS k0, … AS k1`: the keys as columns of a subquery.
    pub(crate) fn write_columns(&self, w: &mut Writer, joins: &Joins<'a>) -> Result<(), CompileError> {
        for (at, key) in self.keys.iter().enumerate() {
            w.text(", ");
            write_key(w, joins, key)?;
            w.text(" AS k");
            w.number(at as u64);
        }
        Ok(())
    }

    /// Whether each key is greatest first.
    pub(crate) fn directions(&self) -> Vec<bool> {
        self.keys.iter().map(|key| key.descending).collect()
    }
}

/// The place of a column's value in an order, smallest first.
fn write_key(w: &mut Writer, joins: &Joins<'_>, key: &SortKey<'_, '_>) -> Result<(), CompileError> {
    let (place, column) = (key.place, key.place.column);
    match key.by {
        OrderBy::Value => w.column(place.alias, &column.name, comparison_suffix(column)),
        OrderBy::Name => write_target_name(w, joins, place.alias, column, true)?,
        OrderBy::Label(values) => {
            let boolean = Storage::of(&column.kind) == Some(Storage::Boolean);
            w.text("CASE ");
            w.column(place.alias, &column.name, "");
            for (rank, value) in values.iter().enumerate() {
                w.text(" WHEN ");
                if boolean {
                    w.text(if *value == 0 { "FALSE" } else { "TRUE" });
                } else {
                    w.integer(i64::from(*value));
                }
                w.text(" THEN ");
                w.number(rank as u64);
            }
            w.text(" ELSE CASE WHEN ");
            w.column(place.alias, &column.name, "");
            w.text(" IS NOT NULL THEN ");
            w.number(values.len() as u64);
            w.text(" END END");
        }
    }
    Ok(())
}

/// The direction of a key; PostgreSQL is told where nulls go, SQLite puts them there by itself.
pub(crate) fn write_direction(w: &mut Writer, descending: bool, nullable: bool) {
    w.text(match (descending, nullable, w.dialect) {
        (false, true, Dialect::Postgres) => " ASC NULLS FIRST",
        (true, true, Dialect::Postgres) => " DESC NULLS LAST",
        // Columns that are never null are indexed without a null order.
        (false, _, _) => "",
        (true, _, _) => " DESC",
    });
}

/// Labels are of choices and of yes and no, names of lookups.
fn require_fitting(table: &Table, path: &Path, by: &OrderBy) -> Result<(), CompileError> {
    let column = super::access::stored(table, path.column)?;
    let (fits, given) = match by {
        OrderBy::Value => (true, ""),
        OrderBy::Label(values) => (
            !values.is_empty()
                && matches!(Storage::of(&column.kind), Some(Storage::Boolean | Storage::Integer | Storage::BigInt)),
            "a list of labels",
        ),
        OrderBy::Name => (matches!(column.kind, ColumnKind::Lookup { .. }), "a name"),
    };
    if fits {
        return Ok(());
    }
    Err(CompileError::Type { table: table.name.clone(), column: column.name.clone(), given })
}
