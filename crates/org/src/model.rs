//! The tables and columns that the program itself relies on, by their logical names.

use std::sync::Arc;

use custodia_schema::{ColumnId, Schema, Table};

use crate::error::{Error, Result};

/// The table of that logical name.
pub(crate) fn table<'s>(schema: &'s Schema, name: &str) -> Result<&'s Arc<Table>> {
    schema.table_named(name).ok_or_else(|| Error::Invalid(format!("there is no table '{name}'")))
}

/// The column of that logical name.
pub(crate) fn column(table: &Table, name: &str) -> Result<ColumnId> {
    let found = table.column(name);
    Ok(found.ok_or_else(|| Error::Invalid(format!("table '{}' has no column '{name}'", table.name)))?.id)
}

/// The columns of those logical names, in that order.
pub(crate) fn columns(table: &Table, names: &[&str]) -> Result<Vec<ColumnId>> {
    names.iter().map(|name| column(table, name)).collect()
}
