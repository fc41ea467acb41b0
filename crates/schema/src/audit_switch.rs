//! The switches that say what the audit tells of.

use crate::{ColumnId, TableId};

/// A switch that says what the audit tells of. All of them need the organisation's own to be on as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditSwitch {
    /// Changes of a table's records.
    Table(TableId),
    /// Changes of one column of them.
    Column(TableId, ColumnId),
    /// Single records that are read.
    Reads(TableId),
    /// Lists of records that are read.
    Lists(TableId),
}

impl AuditSwitch {
    /// The table that it is of.
    #[must_use]
    pub fn table(self) -> TableId {
        match self {
            Self::Table(table) | Self::Column(table, _) | Self::Reads(table) | Self::Lists(table) => table,
        }
    }
}
