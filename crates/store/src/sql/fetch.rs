//! The one row that a write is about to change.

use custodia_access::RowAccess;
use custodia_schema::{Column, ColumnId, Table, TableId, Value, fold};

use super::access::{AccessWriter, Probing, primary, stored};
use super::select::Conditions;
use super::storage::{Storage, TARGET, comparison_suffix};
use super::writer::Writer;
use super::{CompileError, Context, Output, RowKey, Statement};
use crate::row::Row;

/// Reads every stored column of one row, whoever may read it, and for each check whether the row is reached.
///
/// Outputs: the stored columns in the order of their numbers, each polymorphic lookup followed by the table it points
/// at, as [`stored_values`] reads them; then one boolean per check.
///
/// # Errors
/// When the key names a column that the table does not store, or a value does not fit its column.
pub fn fetch(
    context: &Context<'_>,
    table: &Table,
    key: &RowKey,
    checks: &[RowAccess],
) -> Result<Statement, CompileError> {
    one_row(context, table, stored_columns(table), key, checks)
}

/// Reads of one row the id, and whether it is reached: what a link to it needs.
///
/// # Errors
/// As [`fetch()`].
pub fn reach(context: &Context<'_>, table: &Table, key: &RowKey, check: &RowAccess) -> Result<Statement, CompileError> {
    let id = (primary(table)?, Storage::Guid);
    one_row(context, table, std::iter::once(id), key, std::slice::from_ref(check))
}

fn one_row<'t>(
    context: &Context<'_>,
    table: &'t Table,
    columns: impl Iterator<Item = (&'t Column, Storage)>,
    key: &RowKey,
    checks: &[RowAccess],
) -> Result<Statement, CompileError> {
    let mut w = Writer::new(context.dialect);
    let access = AccessWriter { context, probing: Probing::EachRow };
    let row = w.new_alias();
    w.text("SELECT ");
    for (column, storage) in columns {
        if w.output(storage.output()) > 0 {
            w.text(", ");
        }
        w.column(row, &column.name, "");
        if column.kind.is_polymorphic() {
            w.output(Output::Integer);
            w.text(", ");
            w.column(row, &column.name, TARGET);
        }
    }
    for check in checks {
        w.output(Output::Boolean);
        w.text(", ");
        access.test(&mut w, row, table, check)?;
        w.text(" IS TRUE");
    }
    w.text(" FROM ");
    w.table(&table.name, row);
    let mut conditions = Conditions::default();
    match key {
        RowKey::Id(id) => {
            conditions.next(&mut w);
            w.column(row, &primary(table)?.name, "");
            w.text(" = ");
            w.guid(*id);
        }
        RowKey::Alternate(values) => {
            for (id, value) in values {
                let column = stored(table, *id)?;
                conditions.next(&mut w);
                w.column(row, &column.name, comparison_suffix(column));
                w.text(" = ");
                let storage = fitting(table, column, value)?;
                w.value(comparable(column, value), storage);
            }
            if values.is_empty() {
                w.text(" WHERE FALSE");
            }
        }
    }
    w.finish()
}

/// The values of a row that [`fetch()`] read, with the types of their columns, and how many outputs they took.
#[must_use]
pub fn stored_values(table: &Table, row: &Row<'_>) -> (Vec<(ColumnId, Value)>, usize) {
    let mut at = 0;
    let mut values = Vec::with_capacity(table.columns().len());
    for (column, _) in stored_columns(table) {
        let value = row.get(at);
        at += 1;
        let target = if column.kind.is_polymorphic() {
            at += 1;
            row.integer(at - 1).and_then(|number| u32::try_from(number).ok()).map(TableId)
        } else {
            None
        };
        values.push((column.id, crate::transaction::typed(column, value, target)));
    }
    (values, at)
}

/// The columns a row stores, with how.
pub(crate) fn stored_columns(table: &Table) -> impl Iterator<Item = (&Column, Storage)> {
    table.columns().iter().filter_map(|column| Some((column, Storage::of(&column.kind)?)))
}

/// The storage to bind a value with; null fits nothing here.
fn fitting(table: &Table, column: &Column, value: &Value) -> Result<Storage, CompileError> {
    let wanted = Storage::of(&column.kind);
    match (wanted, Storage::of_value(value)) {
        (Some(wanted), Some(given)) if wanted.compares_with(given) => Ok(given),
        (Some(wanted), None) => Ok(wanted),
        (_, given) => Err(CompileError::Type {
            table: table.name.clone(),
            column: column.name.clone(),
            given: given.map_or("null", Storage::noun),
        }),
    }
}

/// The value in the form in which the column is compared.
fn comparable(column: &Column, value: &Value) -> Value {
    match value {
        Value::Text(text) if column.kind.is_text() => Value::Text(fold(text)),
        other => other.clone(),
    }
}
