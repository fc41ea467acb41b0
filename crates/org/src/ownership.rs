//! Rows that sit in another unit than their owner's: possible where ownership across business units is switched on.

use custodia_access::{Denied, OwnerFacts, RightsMask, UnitPath};
use custodia_schema::{ColumnId, Guid, RowSecurity, Table, Value};
use custodia_store::StoredRow;

use crate::error::{Error, Result};
use crate::writing::{Draft, Writing};

impl Writing<'_> {
    /// Whether rows may sit in other units than their owners.
    pub(crate) async fn owns_across_units(&mut self) -> Result<bool> {
        Ok(self.shared.settings.organization(self.transaction).await?.options.ownership_across_units)
    }

    /// Whether a caller may say in which unit a row sits: never but where ownership across units is on.
    pub(crate) async fn may_choose_unit(&mut self, table: &Table, column: ColumnId) -> Result<bool> {
        match table.security {
            RowSecurity::Owned { unit, .. } if unit == column => self.owns_across_units().await,
            _ => Ok(false),
        }
    }

    /// The unit that the caller chose for a row; taken out of what is to be written, where the owner's unit takes its place.
    pub(crate) fn take_chosen_unit(&self, table: &Table, row: &mut Draft) -> Result<Option<Guid>> {
        let RowSecurity::Owned { unit, .. } = table.security else { return Ok(None) };
        match row.remove(unit) {
            None => Ok(None),
            Some(value) => match value.guid() {
                Some(unit) => Ok(Some(unit)),
                None => Err(Error::Invalid("a record cannot be without a business unit".to_owned())),
            },
        }
    }

    /// Puts a new row into the unit that was chosen for it, if that is not the owner's.
    pub(crate) async fn settle_unit(
        &mut self,
        table: &Table,
        row: &mut Draft,
        owner: Option<&OwnerFacts>,
        chosen: Option<Guid>,
    ) -> Result<Option<UnitPath>> {
        let (Some(owner), Some(chosen)) = (owner, chosen) else { return Ok(None) };
        if owner.unit.unit == chosen {
            return Ok(None);
        }
        let path = self.enabled_unit(chosen).await?;
        self.stamp_unit(table, row, chosen);
        Ok(Some(path))
    }

    /// Puts a stored row, on which the caller holds these rights, into the unit that was chosen for it.
    pub(crate) async fn move_to_unit(
        &mut self,
        table: &Table,
        stored: &StoredRow,
        changes: &mut Draft,
        chosen: Option<Guid>,
        held: RightsMask,
    ) -> Result<()> {
        let (RowSecurity::Owned { unit, .. }, Some(chosen)) = (&table.security, chosen) else { return Ok(()) };
        if changes.get(*unit).unwrap_or_else(|| stored.get(*unit)).guid() == Some(chosen) {
            return Ok(());
        }
        let path = self.enabled_unit(chosen).await?;
        if self.authority.platform_name().is_none() {
            self.authority.check_row_into(table, held, &path)?;
        }
        self.stamp_unit(table, changes, chosen);
        Ok(())
    }

    async fn enabled_unit(&mut self, unit: Guid) -> Result<UnitPath> {
        let path = self.transaction.unit_path(unit).await?;
        let path = path.ok_or_else(|| Error::NotFound { table: "businessunit".to_owned(), id: unit })?;
        if path.disabled { Err(Error::Denied(Denied::OwnerUnitDisabled { unit })) } else { Ok(path) }
    }

    fn stamp_unit(&self, table: &Table, row: &mut Draft, unit: Guid) {
        if let Some(units) = self.schema.table_named("businessunit") {
            row.stamp(table, "owningbusinessunit", Value::Lookup(units.id, unit));
        }
    }
}
