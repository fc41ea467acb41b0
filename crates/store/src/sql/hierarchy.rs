//! Rows above and under another in the tree of their table.

use custodia_query::{Direction, Path};
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Table, TableId};

use super::CompileError;
use super::access::{primary, stored};
use super::filter::{FilterWriter, constant};
use super::join::Joins;
use super::links::names_rows_of;
use super::storage::TARGET;
use super::writer::{Alias, Writer};

/// Levels that are gone up or down at most, so that a tree that bites its own tail ends too.
const LEVELS_MAX: u64 = 100;

/// A way along the tree of a table.
pub(super) struct Way<'t> {
    pub(super) table: &'t Table,
    pub(super) parent: ColumnId,
    pub(super) of: Guid,
    pub(super) direction: Direction,
    pub(super) inclusive: bool,
}

impl FilterWriter<'_, '_> {
    /// The table of a tree.
    pub(super) fn tree(&self, table: TableId) -> Result<&Table, CompileError> {
        let table: &Table = self.joins.access.context.schema.table(table).ok_or(CompileError::NoTable(table))?;
        Ok(table)
    }

    /// Whether the row that a column names lies on a way along a tree. What lies between need not be readable, but whoever may
    /// not read the table or the column that makes the tree learns nothing of it.
    pub(super) fn hierarchy(
        &self,
        w: &mut Writer,
        path: &Path,
        way: &Way<'_>,
        negated: bool,
    ) -> Result<(), CompileError> {
        let (joins, table) = (self.joins, way.table);
        joins.policy.rows(table, PrivilegeKind::Read)?;
        let (named, parent) = (joins.column_of(path)?, stored(table, way.parent)?);
        let names_rows =
            names_rows_of(joins.table_of(path)?, named) == Some(table.id) || named.kind.targets().contains(&table.id);
        if !names_rows || !parent.kind.targets().contains(&table.id) {
            return Err(CompileError::NoRelationship {
                table: table.name.clone(),
                why: "the columns do not name rows of one tree",
            });
        }
        let Some(place) = joins.place(path)? else {
            constant(w, negated);
            return Ok(());
        };
        w.text("(");
        w.column(place.alias, &named.name, "");
        if joins.access.context.tables.exists(table.id) && joins.policy.reads_column(table, parent.id) {
            w.text(" IN (");
            write_way(w, joins, way)?;
            w.text(")");
        } else if way.inclusive {
            w.text(" = ");
            w.guid(way.of);
        } else {
            w.text(" IS NULL AND FALSE");
        }
        if named.kind.is_polymorphic() {
            w.text(" AND ");
            w.column(place.alias, &named.name, TARGET);
            w.text(" = ");
            w.number(u64::from(table.id.0));
        }
        w.text(if negated { ") IS NOT TRUE" } else { ")" });
        Ok(())
    }
}

/// The ids on a way.
fn write_way(w: &mut Writer, joins: &Joins<'_>, way: &Way<'_>) -> Result<(), CompileError> {
    let parent = stored(way.table, way.parent)?;
    let (found, row) = (w.new_alias(), w.new_alias());
    let (start, next) = match way.direction {
        Direction::Under => (parent, primary(way.table)?),
        Direction::Above => (primary(way.table)?, parent),
    };
    let column = |w: &mut Writer, of: Alias, name: &str| {
        w.alias(of);
        w.text(name);
    };
    let of = w.bind(custodia_schema::Value::Guid(way.of), super::storage::Storage::Guid);
    w.text("WITH RECURSIVE ");
    w.alias(found);
    w.text("(id, level) AS (SELECT ");
    w.bound(of);
    w.text(", 0 UNION SELECT ");
    w.column(row, &next.name, "");
    w.text(", ");
    column(w, found, ".level + 1");
    w.text(" FROM ");
    w.alias(found);
    w.text(" INNER JOIN ");
    joins.write_table(w, way.table, row)?;
    w.text(" ON ");
    w.column(row, &start.name, "");
    w.text(" = ");
    column(w, found, ".id");
    w.text(" WHERE ");
    column(w, found, ".level < ");
    w.number(LEVELS_MAX);
    w.text(" AND ");
    w.column(row, &parent.name, "");
    w.text(" IS NOT NULL");
    if parent.kind.is_polymorphic() {
        w.text(" AND ");
        w.column(row, &parent.name, TARGET);
        w.text(" = ");
        w.number(u64::from(way.table.id.0));
    }
    w.text(") SELECT ");
    column(w, found, ".id");
    w.text(" FROM ");
    w.alias(found);
    if !way.inclusive {
        w.text(" WHERE ");
        column(w, found, ".id <> ");
        w.bound(of);
    }
    Ok(())
}
