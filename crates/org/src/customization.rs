//! What an organisation changes of the standard tables: so far, which columns are secured.

use custodia_schema::{ColumnId, TableId, description_id, standard};
use custodia_store::{AuditEntry, AuditOperation};

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::error::{Error, Result, refusal};
use crate::organization::Organization;
use crate::writing::Writing;

/// The privilege to change tables and columns.
pub(crate) const CUSTOMIZE: &str = "prvPublishCustomization";

impl Organization {
    /// Switches column security of a column on or off.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::Refused`] for a column that cannot be secured, and for switching it off for one that comes
    /// secured with the program, which stays so; [`Error::Invalid`] for a column that there is not.
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
        if !secured && comes_secured(table, column) {
            return Err(Error::refused(
                refusal::COLUMN_NOT_SECURED,
                format!(
                    "column '{}' of table '{}' comes secured with the program and stays so",
                    named.name, found.name
                ),
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

/// Whether a column is secured in the standard tables, which no organisation changes.
pub(crate) fn comes_secured(table: TableId, column: ColumnId) -> bool {
    let standard = standard();
    standard.table(table).and_then(|table| table.column_by_id(column)).is_some_and(|column| column.secured)
}
