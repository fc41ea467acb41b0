//! What the values of some columns are like, from the first rows of a table: for advice on indexes.

use custodia_schema::{Column, Table};

use super::storage::comparison_suffix;
use super::writer::Writer;
use super::{CompileError, Dialect, Output, Statement, estimate};

/// Integers: about how many rows the table has, how many were sampled, at most `rows_max`, and for each column in how many
/// of those it is set and how many different values it has. The table must exist physically.
///
/// # Errors
/// None that comes from the question.
pub(crate) fn sample(
    dialect: Dialect,
    table: &Table,
    columns: &[&Column],
    rows_max: u32,
) -> Result<Statement, CompileError> {
    let mut w = Writer::new(dialect);
    let name = |w: &mut Writer, column: &Column| w.name(&column.name, comparison_suffix(column));
    w.text("SELECT ");
    w.output(Output::Integer);
    estimate::write_rows_of(&mut w, table);
    w.output(Output::Integer);
    w.text(", count(*)");
    for column in columns {
        w.output(Output::Integer);
        w.text(", count(");
        name(&mut w, column);
        w.text("), count(DISTINCT ");
        w.output(Output::Integer);
        name(&mut w, column);
        w.text(")");
    }
    w.text(" FROM (SELECT ");
    if columns.is_empty() {
        w.text("1");
    }
    for (at, column) in columns.iter().enumerate() {
        w.text(if at > 0 { ", " } else { "" });
        name(&mut w, column);
    }
    let (row, sampled) = (w.new_alias(), w.new_alias());
    w.text(" FROM ");
    w.table(&table.name, row);
    w.text(" LIMIT ");
    w.number(u64::from(rows_max));
    w.text(") ");
    w.alias(sampled);
    w.finish()
}
