//! Erasing values from the entries of one record: their commitments stay, so that the chain holds.

use custodia_schema::{Guid, TableId};
use serde::{Deserialize, Serialize};

use super::Stored;
use crate::sql::audit_log;
use crate::transaction::Transaction;
use crate::{Error, Result};

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
    /// Takes the values and details out of the entries of one record, oldest first, at most so many: what the caller's entry
    /// of [`crate::audit_action::LOG_DELETED`], about the same record, is to have as its detail.
    ///
    /// # Errors
    /// Store errors; [`Error::Stale`] when other requests run beside this one; [`Error::Corrupt`] for an entry that is not
    /// as it was written.
    pub async fn erase_audit(&mut self, table: TableId, row: Guid, entries_max: u32, why: &str) -> Result<ErasedThen> {
        self.claim_alone()?;
        let through = self.audit_number();
        let statement = audit_log::select_sealed_of(table, row, through, entries_max);
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
