//! Reading the audit for operators: `custodia audit`.

use custodia_schema::{Guid, TableId};
use custodia_store::AuditRecord;

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
        Ok(self.shared.database.audit_entries(before.unwrap_or(i64::MAX), limit, of).await?)
    }
}
