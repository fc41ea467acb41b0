//! Erasing values from the entries of one record: their commitments stay, so that the chain holds.

use custodia_schema::{Guid, TableId};
use serde::{Deserialize, Serialize};

use super::Stored;
use crate::sql::audit_log;
use crate::transaction::Transaction;
use crate::{Error, Result};

/// Which entries lose their values, and why.
#[derive(Clone, Copy, Debug)]
pub struct Erasure<'e> {
    /// The table of the record.
    pub table: TableId,
    /// The record.
    pub row: Guid,
    /// Only entries with a higher number.
    pub after: i64,
    /// Only those written at this moment or later, in seconds since 1970.
    pub since: i64,
    /// So many at most, the oldest of them.
    pub entries_max: u32,
    /// Why.
    pub why: &'e str,
}

/// What the entry says that tells of an erasure, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedThen {
    /// How many entries lost their values.
    pub entries: usize,
    /// The last number that may have.
    pub through: i64,
    /// Why.
    pub why: String,
}

impl Transaction {
    /// Takes the values and details out of entries of one record: what the caller's entry of
    /// [`crate::audit_action::LOG_DELETED`], about the same record, is to have as its detail.
    ///
    /// # Errors
    /// Store errors; [`Error::Stale`] when other requests run beside this one; [`Error::Corrupt`] for an entry that is not
    /// as it was written.
    pub async fn erase_audit(&mut self, erasure: Erasure<'_>) -> Result<ErasedThen> {
        self.claim_alone()?;
        let through = self.audit_number();
        let Erasure { table, row, after, since, entries_max, why } = erasure;
        let dialect = self.dialect();
        let statement = audit_log::select_sealed_of(dialect, (table, row), (after, since), through, entries_max);
        let found = self
            .internal_rows(&statement, |row| {
                let stored = Stored::of_row(row)?;
                Some((stored.number, stored.erased_payload()))
            })
            .await?;
        for (number, payload) in &found {
            let payload = payload.clone().ok_or_else(|| {
                Error::Corrupt(format!(
                    "audit entry {number} is not as it was written: 'custodia audit verify' says more"
                ))
            })?;
            self.internal(audit_log::erase_audit(*number, payload));
        }
        Ok(ErasedThen { entries: found.len(), through, why: why.to_owned() })
    }
}
