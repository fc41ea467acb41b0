//! What an organisation changes of the standard tables: so far, which columns are secured.

use custodia_schema::{ColumnId, TableId, description_id};
use custodia_store::{AuditEntry, AuditOperation};

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::error::{Error, Result, refusal};
use crate::organization::Organization;
use crate::writing::Writing;

/// The privilege to change tables and columns.
pub(crate) const CUSTOMIZE: &str = "prvPublishCustomization";

impl Organization {
    /// Switches column security of a column on or off. A column that is secured in the standard tables stays so.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::Invalid`] for a column that cannot be secured.
    pub async fn secure_column(&self, caller: &Caller, table: TableId, column: ColumnId, secured: bool) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            Box::pin(async move { writing.secure_column(table, column, secured).await })
        })
        .await?;
        Ok(self.shared.database.reload_metadata().await?)
    }
}

impl Writing<'_> {
    pub(crate) async fn secure_column(&mut self, table: TableId, column: ColumnId, secured: bool) -> Result<()> {
        self.authority.check_privilege(CUSTOMIZE)?;
        if !secured {
            // It opens the column to everybody.
            self.authority.check_opens_columns()?;
        }
        let found = self.table(table)?;
        let named = found.column_by_id(column);
        let named =
            named.ok_or_else(|| Error::Invalid(format!("table '{}' has no column number {column}", found.name)))?;
        if !named.securable {
            return Err(Error::refused(
                refusal::COLUMN_NOT_SECURED,
                format!("column '{}' of table '{}' cannot be secured", named.name, found.name),
            ));
        }
        if secured && found.keys.iter().any(|key| key.columns.contains(&column)) {
            return Err(Error::refused(
                refusal::COLUMN_NOT_SECURED,
                format!(
                    "column '{}' of table '{}' is part of an alternate key, by which anybody can ask for its values",
                    named.name, found.name
                ),
            ));
        }
        let pointers = self.table_named("activitypointer")?;
        if secured && found.is_activity && found.id != pointers.id && pointers.column(&named.name).is_some() {
            return Err(Error::refused(
                refusal::COLUMN_NOT_SECURED,
                format!("column '{}' of table '{}' is shown in the list of all activities", named.name, found.name),
            ));
        }
        // Another request of the same batch may be about to change the same list.
        self.transaction.claim_alone()?;
        let mut columns = self.transaction.secured_columns().await?;
        columns.retain(|entry| *entry != (table, column));
        if secured {
            columns.push((table, column));
        }
        columns.sort_unstable();
        self.transaction.set_secured_columns(&columns);
        if !secured {
            self.remove_column_shares(&found, column).await?;
        }
        let state = if secured { "on" } else { "off" };
        let name = format!("{}.{}", found.name, named.name);
        let entry = self.audit_entry(
            table,
            description_id("AttributeMetadata", &name),
            AuditOperation::Update,
            action::COLUMN_CHANGED,
        );
        let detail = Some(format!("column security of {name} switched {state}"));
        self.transaction.audit(&AuditEntry { detail, ..entry });
        Ok(())
    }
}
