//! Which audit entries are asked for.

use custodia_schema::{Guid, TableId};

/// Which audit entries are asked for, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only entries with a lower number.
    pub before: i64,
    /// So many.
    pub limit: u32,
    /// Only those that tell of this table.
    pub table: Option<TableId>,
    /// Only those that tell of this row.
    pub row: Option<Guid>,
    /// Only what this user did, by itself or through another one who acted for it, or did for another one.
    pub user: Option<Guid>,
    /// Only those written at this moment or later, in seconds since 1970.
    pub since: Option<i64>,
    /// Only these actions (`audit.action`); all of them where none is named.
    pub actions: Vec<i32>,
}

impl AuditFilter {
    /// The newest entries, so many.
    #[must_use]
    pub fn newest(limit: u32) -> Self {
        Self { before: i64::MAX, limit, table: None, row: None, user: None, since: None, actions: Vec::new() }
    }

    /// The same of one row.
    #[must_use]
    pub fn of_row(limit: u32, table: TableId, row: Guid) -> Self {
        Self { table: Some(table), row: Some(row), ..Self::newest(limit) }
    }
}
