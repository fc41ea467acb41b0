//! The names of rows that lookups point at.

use custodia_schema::Column;

use super::CompileError;
use super::access::primary;
use super::join::Joins;
use super::storage::{FOLD, Storage, TARGET};
use super::writer::{Alias, Writer};

/// The name of the row a lookup points at, or its fold, whichever of its tables that is in. Only column security hides
/// it.
pub(crate) fn write_target_name(
    w: &mut Writer,
    joins: &Joins<'_>,
    row: Alias,
    lookup: &Column,
    folded: bool,
) -> Result<(), CompileError> {
    let context = joins.access.context;
    let polymorphic = lookup.kind.is_polymorphic();
    let mut named = 0;
    for target in lookup.kind.targets() {
        let table = context.schema.table(*target).ok_or(CompileError::NoTable(*target))?;
        let Some(name) = table.primary_name.and_then(|name| table.column_by_id(name)) else { continue };
        let shown = context.tables.exists(*target)
            && Storage::of(&name.kind) == Some(Storage::Text)
            && joins.policy.reads_column(table, name.id);
        if !shown {
            continue;
        }
        if polymorphic {
            if named == 0 {
                w.text("CASE ");
                w.column(row, &lookup.name, TARGET);
            }
            w.text(" WHEN ");
            w.number(u64::from(target.0));
            w.text(" THEN ");
        }
        named += 1;
        let other = w.new_alias();
        w.text("(SELECT ");
        w.column(other, &name.name, if folded && name.kind.is_text() { FOLD } else { "" });
        w.text(" FROM ");
        joins.write_table(w, table, other)?;
        w.text(" WHERE ");
        w.column(other, &primary(table)?.name, "");
        w.text(" = ");
        w.column(row, &lookup.name, "");
        w.text(")");
    }
    if named == 0 {
        w.null(Storage::Text);
    } else if polymorphic {
        w.text(" END");
    }
    Ok(())
}
