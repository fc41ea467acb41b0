//! Reading the two logs, and the store's own small tables.

use custodia_schema::{AuditSwitch, CardRules, ColumnId, Guid, TableId};

use crate::audit::{AuditEntry, AuditOperation, AuditPage, AuditRecord};
use crate::audit_filter::AuditFilter;
use crate::change_log::{Change, ChangeKind};
use crate::database::Database;
use crate::layer::{
    AUDIT_SWITCHES, CARD_RULES, SECURED_COLUMNS, card_rules_bytes, card_rules_of, secured_bytes, secured_of,
    switches_bytes, switches_of,
};
use crate::row::{Restart, Row, RowSink};
use crate::sql::{audit_log, internal};
use crate::transaction::Transaction;
use crate::{Error, Result};

/// The setting that keeps the rules of which roles and privileges nobody is to hold together, as the gate writes them.
const SEPARATED_DUTIES: &str = "separated duties";

/// Gathers entries of the audit with their payloads, until so many bytes are held.
#[derive(Default)]
struct AuditRows {
    bytes_max: usize,
    held: usize,
    /// Entries that came, whether they are held or not.
    met: u32,
    found: Vec<(AuditRecord, Vec<u8>)>,
    damaged: bool,
}

impl RowSink for AuditRows {
    fn row(&mut self, row: &Row<'_>) {
        self.met = self.met.saturating_add(1);
        if self.held >= self.bytes_max {
            return;
        }
        let Some((record, payload)) = read_audit(row) else {
            self.damaged = true;
            return;
        };
        self.held += payload.len() + record.entry.detail.as_ref().map_or(0, String::len);
        self.found.push((record, payload));
    }
}

impl Restart for AuditRows {
    fn restart(&mut self) {
        *self = Self { bytes_max: self.bytes_max, ..Self::default() };
    }
}

impl Database {
    /// Changes after a number, in the one order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a payload cannot be read; store errors.
    pub async fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>> {
        let rows = self
            .internal_rows(&internal::select_changes(after, limit), |row| {
                Some((
                    row.integer(0)?,
                    row.integer(1)?,
                    ChangeKind::of_code(row.integer(2)?)?,
                    TableId(u32::try_from(row.integer(3)?).ok()?),
                    row.guid(4)?,
                    row.bytes(5)?.to_vec(),
                ))
            })
            .await?;
        rows.into_iter()
            .map(|(number, commit_time, kind, table, row, payload)| {
                let values = crate::change_log::decode(&payload)
                    .map_err(|error| Error::Corrupt(format!("change {number}: {error}")))?;
                Ok(Change { number, commit_time, kind, table, row, values })
            })
            .collect()
    }

    /// Changes of the rows of one table between two numbers, the second included, in the one order, at most `limit`:
    /// number, kind and row.
    ///
    /// Whoever gives the number of a head that was read before gets all changes up to it: numbers are given with the head
    /// locked, so that a change with a lower number than a committed one is committed too.
    ///
    /// # Errors
    /// Store errors.
    pub async fn table_changes(
        &self,
        table: TableId,
        after: i64,
        up_to: i64,
        limit: u32,
    ) -> Result<Vec<(i64, ChangeKind, Guid)>> {
        let statement = internal::select_table_changes(table, after, up_to, limit);
        self.internal_rows(&statement, |row| {
            Some((row.integer(0)?, ChangeKind::of_code(row.integer(1)?)?, row.guid(2)?))
        })
        .await
    }

    /// The audit entries that a filter names, newest first.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a payload cannot be read; store errors.
    pub async fn audit_entries(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
        Ok(self.audit_page(filter, usize::MAX).await?.records)
    }

    /// The same, but no more entries once so many bytes of values and details are held: one entry at least, and no more than
    /// one beyond the bound.
    ///
    /// # Errors
    /// As [`Self::audit_entries`].
    pub async fn audit_page(&self, filter: &AuditFilter, bytes_max: usize) -> Result<AuditPage> {
        let mut rows = AuditRows { bytes_max, ..AuditRows::default() };
        self.internal_read(&audit_log::select_audit(self.dialect(), filter), &mut rows).await?;
        if rows.damaged {
            return Err(Error::Corrupt("an entry of the audit cannot be read".to_owned()));
        }
        let met = rows.met;
        let records: Vec<AuditRecord> = rows
            .found
            .into_iter()
            .map(|(mut record, payload)| {
                record.erased = crate::audit::is_erased(&payload);
                record.entry.changes = crate::audit::decode(&payload)
                    .map_err(|error| Error::Corrupt(format!("audit entry {}: {error}", record.number)))?;
                Ok(record)
            })
            .collect::<Result<_>>()?;
        let more = met >= filter.limit || records.len() < met as usize;
        Ok(AuditPage { records, more })
    }

    /// A setting of the store's own.
    ///
    /// # Errors
    /// Store errors.
    pub async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let rows = self.internal_rows(&internal::select_setting(name), |row| Some(row.bytes(0)?.to_vec())).await?;
        Ok(rows.into_iter().next())
    }
}

impl Transaction {
    /// Columns that this organisation secured, beside those of the standard tables.
    ///
    /// # Errors
    /// Store errors.
    pub async fn secured_columns(&mut self) -> Result<Vec<(TableId, ColumnId)>> {
        secured_of(self.setting(SECURED_COLUMNS).await?)
    }

    /// The switches of the audit that this organisation set.
    ///
    /// # Errors
    /// Store errors.
    pub async fn audit_switches(&mut self) -> Result<Vec<(AuditSwitch, bool)>> {
        switches_of(self.setting(AUDIT_SWITCHES).await?)
    }

    /// The latest gap record of the audit.
    pub(crate) async fn audit_gap(&mut self) -> Result<Option<Vec<u8>>> {
        self.setting(crate::seal::gap::GAP).await
    }

    /// What this organisation has become of payment card numbers.
    ///
    /// # Errors
    /// Store errors.
    pub async fn card_rules(&mut self) -> Result<CardRules> {
        card_rules_of(self.setting(CARD_RULES).await?)
    }

    /// Keeps what this organisation has become of payment card numbers; the caller has the database reload its metadata
    /// after the commit.
    pub fn set_card_rules(&mut self, rules: &CardRules) {
        self.put_setting(CARD_RULES, card_rules_bytes(rules));
        self.metadata_changed();
    }

    /// Number and action of the newest entry of the audit that a filter names, those of this request that were not flushed
    /// left out.
    ///
    /// # Errors
    /// Store errors.
    pub async fn newest_audit(&mut self, filter: &AuditFilter) -> Result<Option<(i64, i32)>> {
        let one = AuditFilter { limit: 1, ..filter.clone() };
        let found = self
            .internal_rows(&audit_log::select_audit(self.dialect(), &one), |row| {
                Some((row.integer(0)?, i32::try_from(row.integer(9)?).ok()?))
            })
            .await?;
        Ok(found.into_iter().next())
    }

    /// The rules that say which roles and privileges nobody is to hold together, as they were kept.
    ///
    /// # Errors
    /// Store errors.
    pub async fn separated_duties(&mut self) -> Result<Option<Vec<u8>>> {
        self.setting(SEPARATED_DUTIES).await
    }

    /// Keeps these rules.
    pub fn set_separated_duties(&mut self, rules: Vec<u8>) {
        self.put_setting(SEPARATED_DUTIES, rules);
    }

    async fn setting(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let kept = self.internal_rows(&internal::select_setting(name), |row| Some(row.bytes(0)?.to_vec())).await?;
        Ok(kept.into_iter().next())
    }

    /// Keeps the switches of the audit; the caller has the database reload its metadata after the commit.
    pub fn set_audit_switches(&mut self, switches: &[(AuditSwitch, bool)]) {
        self.put_setting(AUDIT_SWITCHES, switches_bytes(switches));
        self.metadata_changed();
    }

    /// Keeps the columns that this organisation secured. Rights and statements of before are stale after the commit;
    /// the caller has the database reload its metadata then.
    pub fn set_secured_columns(&mut self, secured: &[(TableId, ColumnId)]) {
        self.put_setting(SECURED_COLUMNS, secured_bytes(secured));
        self.metadata_changed();
    }

    /// Keeps a setting of the store's own.
    pub fn put_setting(&mut self, name: &str, value: Vec<u8>) {
        self.internal(internal::upsert_setting(name, value));
    }
}

/// An audit row, its payload not decoded yet.
fn read_audit(row: &Row<'_>) -> Option<(AuditRecord, Vec<u8>)> {
    let entry = AuditEntry {
        transaction: row.guid(2)?,
        user: row.guid(3)?,
        calling_user: row.guid(4),
        origin: row.text(5)?.to_owned(),
        table: TableId(u32::try_from(row.integer(6)?).ok()?),
        row: row.guid(7)?,
        operation: AuditOperation::of_code(row.integer(8)?)?,
        action: i32::try_from(row.integer(9)?).ok()?,
        changes: Vec::new(),
        detail: row.text(11).map(str::to_owned),
    };
    let record = AuditRecord { number: row.integer(0)?, created: row.integer(1)?, erased: false, entry };
    Some((record, row.bytes(10)?.to_vec()))
}

#[cfg(test)]
mod tests;
