//! Audit entries as the store keeps them: written in the transaction of the change they tell of.

use custodia_schema::{ColumnId, Guid, TableId, Value};

use crate::change_log::{PayloadError, encode_value};

/// What an entry tells of, in Dataverse's numbers (`audit.operation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum AuditOperation {
    /// A row was made.
    Create = 1,
    /// A row was changed.
    Update = 2,
    /// A row was removed.
    Delete = 3,
    /// A row, or the service, was accessed.
    Access = 4,
}

impl AuditOperation {
    pub(crate) fn of_code(code: i64) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete, Self::Access].into_iter().find(|operation| *operation as i64 == code)
    }
}

/// An entry about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// The request; all entries of one request share it.
    pub transaction: Guid,
    /// On whose rights it ran.
    pub user: Guid,
    /// Who really called, when acting for `user`.
    pub calling_user: Option<Guid>,
    /// Where the request came from: `web-api`, `import`, `cli`, or a system caller's name.
    pub origin: String,
    /// The table; its number is 0 for entries about the service (sign-in, tokens).
    pub table: TableId,
    /// The row.
    pub row: Guid,
    /// What was done.
    pub operation: AuditOperation,
    /// Finer: Dataverse's `audit.action` (1 create, 2 update, 3 delete, 13 assign, 14 share, …).
    pub action: i32,
    /// Old and new value per changed column.
    pub changes: Vec<AuditedChange>,
    /// More in words: a share's principal and rights, a relationship's name.
    pub detail: Option<String>,
}

/// One column's change.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditedChange {
    /// The column.
    pub column: ColumnId,
    /// Before.
    pub old: Value,
    /// After.
    pub new: Value,
}

/// An entry as it was read back.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Its place in the organisation's audit.
    pub number: i64,
    /// When, seconds since 1970.
    pub created: i64,
    /// What it says.
    pub entry: AuditEntry,
}

/// The changes as bytes: `version u8`, then column `u16`, old, new, each value as in the change log.
#[must_use]
pub fn encode(changes: &[AuditedChange]) -> Vec<u8> {
    let mut old = Vec::with_capacity(64);
    old.push(1);
    for change in changes {
        old.extend_from_slice(&change.column.0.to_le_bytes());
        encode_value(&mut old, &change.old);
        old.extend_from_slice(&change.column.0.to_le_bytes());
        encode_value(&mut old, &change.new);
    }
    old
}

/// Bytes of [`encode`] as changes.
///
/// # Errors
/// When the bytes are no values of the change log, or an old value stands without its new one.
pub fn decode(bytes: &[u8]) -> Result<Vec<AuditedChange>, PayloadError> {
    let values = crate::change_log::decode(bytes)?;
    values
        .chunks(2)
        .map(|pair| match pair {
            [(column, old), (same, new)] if column == same => {
                Ok(AuditedChange { column: *column, old: old.clone(), new: new.clone() })
            }
            _ => Err(PayloadError { at: 0, why: "an old value without its new one" }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn changes_come_back() {
        let changes = vec![
            AuditedChange { column: ColumnId(3), old: Value::Null, new: Value::Text("x".into()) },
            AuditedChange { column: ColumnId(9), old: Value::Integer(1), new: Value::Null },
        ];
        assert_eq!(decode(&encode(&changes)).unwrap(), changes);
        assert!(decode(&encode(&changes)[..1]).unwrap().is_empty());
    }
}
