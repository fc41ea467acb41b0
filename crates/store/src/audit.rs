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
    /// Its values were erased: the columns stand there with nulls, and there is no detail.
    pub erased: bool,
    /// What it says.
    pub entry: AuditEntry,
}

/// Some entries, in the order that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditPage {
    /// The entries.
    pub records: Vec<AuditRecord>,
    /// There may be further ones.
    pub more: bool,
}

/// The first byte of a payload that holds the values themselves.
pub(crate) const VALUES: u8 = 1;
/// The first byte of a payload whose values were erased: of each only its commitment is left (see `seal`).
pub(crate) const ERASED: u8 = 2;
/// Bytes that an erased payload has of each column: its number and its commitment.
pub(crate) const ERASED_COLUMN_BYTES: usize = 2 + crate::seal::HASH_BYTES;

/// What entries about the audit itself say they did (`audit.action`). Dataverse has a number for the first only.
pub mod action {
    /// A part of the audit was removed: by retention, or the values of one record's entries were erased.
    pub const LOG_DELETED: i32 = 111;
    /// Entries that had been written before the audit was sealed were sealed where they stood.
    pub const SEALED: i32 = 10_001;
    /// The organisation was restored from a backup.
    pub const RESTORED: i32 = 10_002;
}

/// The changes as bytes: `version u8`, then column `u16`, old, column `u16`, new, each value as in the change log.
#[must_use]
pub fn encode(changes: &[AuditedChange]) -> Vec<u8> {
    let mut old = Vec::with_capacity(64);
    old.push(VALUES);
    for change in changes {
        old.extend_from_slice(&change.column.0.to_le_bytes());
        encode_value(&mut old, &change.old);
        old.extend_from_slice(&change.column.0.to_le_bytes());
        encode_value(&mut old, &change.new);
    }
    old
}

/// Whether the values of a payload were erased.
#[must_use]
pub fn is_erased(bytes: &[u8]) -> bool {
    bytes.first() == Some(&ERASED)
}

/// Bytes of [`encode`] as changes. Where values were erased, the columns are told with nulls.
///
/// # Errors
/// When the bytes are no values of the change log, or an old value stands without its new one.
pub fn decode(bytes: &[u8]) -> Result<Vec<AuditedChange>, PayloadError> {
    if is_erased(bytes) {
        let erased = crate::seal::Erased::of(bytes).ok_or(PayloadError { at: 0, why: "cut short" })?;
        let null = |column| AuditedChange { column, old: Value::Null, new: Value::Null };
        return Ok(erased.columns().map(|(column, _)| null(column)).collect());
    }
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
