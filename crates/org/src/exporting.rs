//! Telling the audit that records of a table left the organisation.

use custodia_schema::{Guid, TableId};
use custodia_store::{AuditEntry, AuditOperation};

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::error::Result;
use crate::organization::Organization;

/// Where it came from, as the audit says it.
const ORIGIN: &str = "export";

impl Organization {
    /// Writes an audit entry about an export of a table's records, whether or not the table's changes are audited: who
    /// asked stands in the caller, what of the table in `detail`.
    ///
    /// # Errors
    /// [`crate::Error::Denied`] for a disabled user; store errors.
    pub async fn audit_export(&self, caller: &Caller, table: TableId, detail: &str) -> Result<()> {
        // It repeats the conditions of a query.
        let detail = custodia_inspection::masked(detail).unwrap_or_else(|| detail.to_owned());
        self.in_transaction(caller, move |writing| {
            let entry = writing.audit_entry(table, Guid::nil(), AuditOperation::Access, action::EXPORTED);
            // A user who exports does not come over the Web API.
            let entry = AuditEntry { origin: ORIGIN.to_owned(), detail: Some(detail.clone()), ..entry };
            Box::pin(async move {
                writing.transaction.audit(&entry);
                Ok(())
            })
        })
        .await
    }
}
