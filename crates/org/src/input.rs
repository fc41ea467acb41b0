//! What a caller gives to be written.

use custodia_schema::{ColumnId, Guid, TableId, Value};
use custodia_store::RowKey;

/// A record named by its id or by an alternate key.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The table.
    pub table: TableId,
    /// The row.
    pub key: RowKey,
}

impl Reference {
    /// A record named by its id.
    #[must_use]
    pub fn id(table: TableId, id: Guid) -> Self {
        Self { table, key: RowKey::Id(id) }
    }
}

/// One column's input.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A value; null clears.
    Value(Value),
    /// A link to a record.
    Link(Reference),
}

/// What a caller gives for a record: columns in the order given, each at most once.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordInput {
    /// The table.
    pub table: TableId,
    /// The id the record shall have; `None` on create, or one of zeros, which clients send where they have none: one is made.
    pub id: Option<Guid>,
    /// The columns.
    pub columns: Vec<(ColumnId, Input)>,
}

impl RecordInput {
    /// With an id of its own if it was given none.
    pub(crate) fn with_id(mut self, draw: impl FnOnce() -> Guid) -> Self {
        self.id = Some(self.id.filter(|id| !id.is_nil()).unwrap_or_else(draw));
        self
    }
}

/// What must hold of the record as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// It must exist (`If-Match: *`).
    Exists,
    /// It must not exist (`If-None-Match: *`).
    Absent,
    /// It must exist with this version number (`If-Match: W/"n"`).
    Version(i64),
}
