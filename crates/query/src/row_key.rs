//! What names one row of a table.

use custodia_schema::{ColumnId, Guid, Value};

/// What names one row of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum RowKey {
    /// Its primary id.
    Id(Guid),
    /// The values of an alternate key, one per column of the key and in the key's order. Never null; links as
    /// [`Value::Guid`].
    Alternate(Vec<(ColumnId, Value)>),
}
