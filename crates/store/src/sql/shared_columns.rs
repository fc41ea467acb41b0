//! Tables some of whose columns are null but on the rows on which they were shared with the caller.
//!
//! Such a table is read through a subquery that has all its columns, those with the value or null; whatever stands
//! around it then shows, filters, sorts, groups and joins what the caller may see of each row, and nothing else can be
//! named. Callers of whom no row's column was shared read the table itself.

use custodia_access::SharedColumn;
use custodia_schema::{Table, column_description_id};

use super::access::{MEMBER_PRINCIPAL, MEMBER_USER, MEMBERS, primary};
use super::layout::parts;
use super::storage::TARGET;
use super::writer::{Alias, Writer};
use super::{CompileError, Context, ReadPolicy};

/// The table of what was shared of single columns of single rows.
pub(crate) const COLUMN_SHARES: &str = "principalobjectattributeaccess";
const SHARED_RECORD: &str = "objectid";
const SHARED_ATTRIBUTE: &str = "attributeid";
const SHARED_PRINCIPAL: &str = "principalid";
const READ_ACCESS: &str = "readaccess";

/// Names a table in a FROM, as the caller sees its columns.
pub(crate) fn write_table(
    w: &mut Writer,
    context: &Context<'_>,
    policy: &dyn ReadPolicy,
    table: &Table,
    alias: Alias,
) -> Result<(), CompileError> {
    let shared = policy.shared_columns(table);
    if shared.is_empty() {
        w.table(&table.name, alias);
        return Ok(());
    }
    let row = w.new_alias();
    for (at, part) in parts(table).enumerate() {
        w.text(if at > 0 { ", " } else { "(SELECT " });
        let conditional = shared.iter().find(|shared| shared.column == part.column.id);
        if let Some(shared) = conditional {
            w.text("CASE WHEN ");
            write_condition(w, context, table, row, shared)?;
            w.text(" THEN ");
        }
        w.column(row, &part.column.name, part.suffix);
        if conditional.is_some() {
            w.text(" END");
        }
        w.text(" AS ");
        w.name(&part.column.name, part.suffix);
    }
    w.text(" FROM ");
    w.table(&table.name, row);
    w.text(") ");
    w.alias(alias);
    Ok(())
}

/// That everything the column shows was shared on this row.
fn write_condition(
    w: &mut Writer,
    context: &Context<'_>,
    table: &Table,
    row: Alias,
    shared: &SharedColumn,
) -> Result<(), CompileError> {
    let shares = context.schema.table_named(COLUMN_SHARES).filter(|shares| context.tables.exists(shares.id));
    if shares.is_none() || shared.needs.is_empty() {
        w.text("FALSE");
        return Ok(());
    }
    for (at, need) in shared.needs.iter().enumerate() {
        let Some(needed) = table.column_by_id(need.column) else {
            return Err(CompileError::NoColumn { table: table.name.clone(), column: need.column });
        };
        let (share, member) = (w.new_alias(), w.new_alias());
        w.text(if at > 0 { " AND EXISTS (SELECT 1 FROM " } else { "EXISTS (SELECT 1 FROM " });
        w.table(COLUMN_SHARES, share);
        w.text(w.dialect.ordered_join());
        w.table(MEMBERS, member);
        w.text(" ON ");
        w.column(member, MEMBER_USER, "");
        w.text(" = ");
        w.user(need.user);
        w.text(" AND ");
        w.column(member, MEMBER_PRINCIPAL, "");
        w.text(" = ");
        w.column(share, SHARED_PRINCIPAL, "");
        w.text(" WHERE ");
        w.column(share, SHARED_RECORD, "");
        w.text(" = ");
        w.column(row, &primary(table)?.name, "");
        w.text(" AND ");
        w.column(share, SHARED_RECORD, TARGET);
        w.text(" = ");
        w.number(u64::from(table.id.0));
        w.text(" AND ");
        w.column(share, SHARED_ATTRIBUTE, "");
        w.text(" = ");
        w.guid(column_description_id(table, needed));
        w.text(" AND ");
        w.column(share, READ_ACCESS, "");
        w.text(")");
    }
    Ok(())
}
