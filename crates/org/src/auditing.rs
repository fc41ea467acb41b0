//! Which tables are audited.

use custodia_schema::TableId;

use crate::caller::Caller;
use crate::customization::CUSTOMIZE;
use crate::error::Result;
use crate::organization::Organization;
use crate::writing::Writing;

impl Organization {
    /// Switches the audit of a table's changes on or off. A table that is audited in the standard tables stays so.
    ///
    /// # Errors
    /// [`crate::Error::Denied`]; store errors.
    pub async fn audit_table(&self, caller: &Caller, table: TableId, audited: bool) -> Result<()> {
        self.in_transaction(caller, move |writing| Box::pin(async move { writing.audit_table(table, audited).await }))
            .await?;
        Ok(self.shared.database.reload_metadata().await?)
    }
}

impl Writing<'_> {
    async fn audit_table(&mut self, table: TableId, audited: bool) -> Result<()> {
        self.authority.check_privilege(CUSTOMIZE)?;
        let found = self.table(table)?;
        // Another request of the same batch may be about to change the same list.
        self.transaction.claim_alone()?;
        let mut tables = self.transaction.audited_tables().await?;
        tables.retain(|entry| *entry != table);
        if audited {
            tables.push(table);
        }
        tables.sort_unstable();
        self.transaction.set_audited_tables(&tables);
        let state = if audited { "on" } else { "off" };
        self.audit_service(self.acting(), 0, &format!("audit of {} switched {state}", found.name));
        Ok(())
    }
}
