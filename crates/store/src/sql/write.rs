//! Inserts, updates and deletes of one row. What the database derives from a value (a text's fold, the table behind a
//! polymorphic lookup) is derived here and nowhere else.

use custodia_schema::{Column, ColumnId, Guid, Table, TableId, Value, fold};

use super::access::{primary, stored};
use super::storage::{FOLD, Storage, TARGET};
use super::writer::Writer;
use super::{CompileError, Dialect, Statement};

/// Makes a row. Columns that are not named are null.
///
/// # Errors
/// When a column is not stored or a value does not fit it; a polymorphic lookup needs a [`Value::Lookup`].
pub fn insert(dialect: Dialect, table: &Table, values: &[(ColumnId, Value)]) -> Result<Statement, CompileError> {
    let mut w = Writer::new(dialect);
    w.text("INSERT INTO ");
    w.identifier(&table.name);
    w.text(" (");
    each(&mut w, table, values, |w, column, suffix, _, _| w.name(&column.name, suffix))?;
    w.text(") VALUES (");
    each(&mut w, table, values, |w, _, _, storage, value| w.value(value, storage))?;
    w.text(")");
    w.finish()
}

/// Changes columns of a row.
///
/// # Errors
/// As [`insert()`].
pub fn update(
    dialect: Dialect,
    table: &Table,
    id: Guid,
    values: &[(ColumnId, Value)],
) -> Result<Statement, CompileError> {
    let mut w = Writer::new(dialect);
    w.text("UPDATE ");
    w.identifier(&table.name);
    w.text(" SET ");
    each(&mut w, table, values, |w, column, suffix, storage, value| {
        w.name(&column.name, suffix);
        w.text(" = ");
        w.value(value, storage);
    })?;
    write_key(&mut w, table, id)?;
    w.finish()
}

/// Removes a row.
///
/// # Errors
/// When the table has no primary id.
pub fn delete(dialect: Dialect, table: &Table, id: Guid) -> Result<Statement, CompileError> {
    let mut w = Writer::new(dialect);
    w.text("DELETE FROM ");
    w.identifier(&table.name);
    write_key(&mut w, table, id)?;
    w.finish()
}

fn write_key(w: &mut Writer, table: &Table, id: Guid) -> Result<(), CompileError> {
    w.text(" WHERE ");
    w.name(&primary(table)?.name, "");
    w.text(" = ");
    w.guid(id);
    Ok(())
}

/// Visits every physical column that the values reach, with commas between.
fn each(
    w: &mut Writer,
    table: &Table,
    values: &[(ColumnId, Value)],
    mut write: impl FnMut(&mut Writer, &Column, &'static str, Storage, Value),
) -> Result<(), CompileError> {
    for (at, (id, value)) in values.iter().enumerate() {
        let column = stored(table, *id)?;
        let storage = fitting(table, column, value)?;
        if at > 0 {
            w.text(", ");
        }
        write(w, column, "", storage, value.clone());
        if column.kind.is_text() {
            w.text(", ");
            let folded = match value {
                Value::Text(text) => Value::Text(fold(text)),
                _ => Value::Null,
            };
            write(w, column, FOLD, Storage::Text, folded);
        } else if column.kind.is_polymorphic() {
            w.text(", ");
            let target = match value {
                Value::Lookup(TableId(number), _) => Value::BigInt(i64::from(*number)),
                _ => Value::Null,
            };
            write(w, column, TARGET, Storage::BigInt, target);
        }
    }
    Ok(())
}

/// Stored values have exactly their column's type.
fn fitting(table: &Table, column: &Column, value: &Value) -> Result<Storage, CompileError> {
    let wanted = Storage::of(&column.kind);
    let given = Storage::of_value(value);
    let complete = !(column.kind.is_polymorphic() && matches!(value, Value::Guid(_)));
    match wanted {
        Some(wanted) if complete && given.is_none_or(|given| given == wanted) => Ok(wanted),
        _ => Err(CompileError::Type {
            table: table.name.clone(),
            column: column.name.clone(),
            given: given.map_or("null", Storage::noun),
        }),
    }
}
