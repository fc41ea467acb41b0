//! What names one row of a table.

use custodia_schema::{ColumnId, Guid, Table, Value};

use crate::Filter;

/// What names one row of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum RowKey {
    /// Its primary id.
    Id(Guid),
    /// The values of an alternate key, one per column of the key and in the key's order. Never null; links as
    /// [`Value::Guid`].
    Alternate(Vec<(ColumnId, Value)>),
}

impl RowKey {
    /// The filter that leaves the row of that table which the key names.
    #[must_use]
    pub fn filter(&self, table: &Table) -> Filter {
        match self {
            Self::Id(id) => Filter::equal(table.primary_id, Value::Guid(*id)),
            Self::Alternate(parts) => {
                Filter::And(parts.iter().map(|(column, value)| Filter::equal(*column, value.clone())).collect())
            }
        }
    }
}
