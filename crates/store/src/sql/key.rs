//! What names one row.

use custodia_schema::{ColumnId, Guid, Value};

/// What names one row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowKey {
    /// Its primary id.
    Id(Guid),
    /// The values of an alternate key, one per column of it. A null among them names no row.
    Alternate(Vec<(ColumnId, Value)>),
}
