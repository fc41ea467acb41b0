//! Reading the audit for operators: `custodia audit`.

use custodia_schema::{Guid, TableId};
use custodia_store::{AuditFilter, AuditRecord};

use crate::error::Result;
use crate::organization::Organization;

impl Organization {
    /// Audit entries before a number, newest first, optionally of one record only.
    ///
    /// # Errors
    /// Store errors.
    pub async fn audit_entries(
        &self,
        before: Option<i64>,
        limit: u32,
        of: Option<(TableId, Guid)>,
    ) -> Result<Vec<AuditRecord>> {
        let filter = AuditFilter {
            before: before.unwrap_or(i64::MAX),
            table: of.map(|(table, _)| table),
            row: of.map(|(_, row)| row),
            ..AuditFilter::newest(limit)
        };
        self.audit_matching(&filter).await
    }

    /// The audit entries that a filter names, newest first.
    ///
    /// # Errors
    /// Store errors.
    pub async fn audit_matching(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
        Ok(self.shared.database.audit_entries(filter).await?)
    }
}
