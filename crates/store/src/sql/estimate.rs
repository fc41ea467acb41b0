//! Counts that choose between plans.

use custodia_access::RowArms;
use custodia_schema::Table;

use super::access::{AccessWriter, Probing};
use super::writer::Writer;
use super::{CompileError, Context, Dialect, Output, Statement};

/// Rows of an average record table fit this often into a byte of PostgreSQL's file: a guess for tables that were never
/// analysed.
const POSTGRES_ROW_BYTES: u64 = 500;

/// Two integers: how many rows the access paths reach, each counted up to `cap` and rows on several paths repeated; and
/// about how many rows the table has. The table must exist physically.
///
/// # Errors
/// When the table lacks the columns that its security names.
pub fn estimate(context: &Context<'_>, table: &Table, arms: &RowArms, cap: u32) -> Result<Statement, CompileError> {
    let mut w = Writer::new(context.dialect);
    let access = AccessWriter { context, probing: Probing::MayHash };
    w.text("SELECT ");
    w.output(Output::Integer);
    let mut any = false;
    for path in access.paths(table, arms).into_iter().flatten() {
        w.text(if any { " + " } else { "" });
        any = true;
        let (row, counted) = (w.new_alias(), w.new_alias());
        w.text("(SELECT count(*) FROM (SELECT 1 FROM ");
        w.table(&table.name, row);
        w.text(" WHERE ");
        access.source_path(&mut w, row, table, arms, path)?;
        w.text(" LIMIT ");
        w.number(u64::from(cap));
        w.text(") ");
        w.alias(counted);
        w.text(")");
    }
    if !any {
        w.text("0");
    }
    w.text(", ");
    w.output(Output::Integer);
    write_rows_of(&mut w, table);
    w.finish()
}

/// About how many rows a table has, as one value.
pub(super) fn write_rows_of(w: &mut Writer, table: &Table) {
    let row = w.new_alias();
    match w.dialect {
        Dialect::Sqlite if !table.is_intersect => {
            // The last row's place: one step, and right but for deleted rows.
            w.text("(SELECT max(");
            w.alias(row);
            w.text(".rowid) FROM ");
            w.table(&table.name, row);
            w.text(")");
        }
        Dialect::Sqlite => {
            w.text("(SELECT count(*) FROM ");
            w.table(&table.name, row);
            w.text(")");
        }
        Dialect::Postgres => {
            w.text("(SELECT greatest(");
            w.alias(row);
            w.text(".reltuples::bigint, pg_relation_size(");
            w.alias(row);
            w.text(".oid) / ");
            w.number(POSTGRES_ROW_BYTES);
            w.text(") FROM pg_class ");
            w.alias(row);
            w.text(" WHERE ");
            w.alias(row);
            w.text(".oid = to_regclass(");
            let mut quoted = String::with_capacity(table.name.len() + 2);
            Dialect::push_identifier(&mut quoted, &table.name);
            w.value(custodia_schema::Value::Text(quoted), super::storage::Storage::Text);
            w.text("))");
        }
    }
}
