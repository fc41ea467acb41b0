//! The privileges of a role: reading and changing them. Copies in the units below share those of their root.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use custodia_schema::{Guid, Level, NamedPrivilege, PrivilegeKind, Table, Value};
use custodia_store::{RowKey, StoredRow};

use crate::administration::administrator_template;
use crate::audit_detail::{AuditDetail, PrivilegeChange, action};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::model::column;
use crate::organization::Organization;
use crate::writing::{Draft, Writing};

/// What is to become of a role's privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleChange {
    /// These are added, or their levels changed.
    Add(Vec<(Guid, Level)>),
    /// These and no others.
    Replace(Vec<(Guid, Level)>),
    /// This one goes.
    Remove(Guid),
}

impl Organization {
    /// Changes the privileges of a role, in all units at once. Nobody can give what they lack.
    ///
    /// # Errors
    /// [`Error::Refused`] for the System Administrator role and for copies; [`Error::Denied`]; see [`Error`].
    pub async fn change_role(&self, caller: &Caller, role: Guid, change: RoleChange) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let change = change.clone();
            Box::pin(async move { writing.change_role(role, &change).await })
        })
        .await
    }

    /// The privileges of a role with their levels, by privilege name.
    ///
    /// # Errors
    /// [`Error::Denied`] when the caller may not read the role; see [`Error`].
    pub async fn role_privileges(&self, caller: &Caller, role: Guid) -> Result<Vec<(NamedPrivilege, Level)>> {
        self.in_transaction(caller, move |writing| Box::pin(async move { writing.read_role(role).await })).await
    }
}

impl Writing<'_> {
    async fn read_role(&mut self, role: Guid) -> Result<Vec<(NamedPrivilege, Level)>> {
        let table = self.table_named("role")?;
        let row = self.fetch_for(&table, &RowKey::Id(role), PrivilegeKind::Read).await?;
        let _checked = self.permit_on(&table, PrivilegeKind::Read, row.reaches(0))?;
        let held = self.transaction.role_privileges(root_of(&table, &row), template_of(&table, &row)).await?;
        let schema = Arc::clone(&self.schema);
        let named = held
            .iter()
            .filter_map(|privilege| Some((schema.privilege_named(&privilege.name)?.clone(), privilege.level)));
        let mut named: Vec<_> = named.collect();
        named.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        Ok(named)
    }

    pub(crate) async fn change_role(&mut self, role: Guid, change: &RoleChange) -> Result<()> {
        let table = self.table_named("role")?;
        let row = self.fetch_for(&table, &RowKey::Id(role), PrivilegeKind::Write).await?;
        let _checked = self.permit_on(&table, PrivilegeKind::Write, row.reaches(0))?;
        if root_of(&table, &row) != role {
            return Err(Error::Invalid(
                "this role is a copy that follows the role it was made from; change that one".to_owned(),
            ));
        }
        let template = template_of(&table, &row);
        if template.is_some() && template == administrator_template() {
            return Err(Error::Invalid("the System Administrator role cannot be changed".to_owned()));
        }
        let schema = Arc::clone(&self.schema);
        let held = self.transaction.role_privileges(role, template).await?;
        let before: BTreeMap<Guid, Level> = held
            .iter()
            .filter_map(|privilege| Some((schema.privilege_named(&privilege.name)?.id, privilege.level)))
            .collect();
        let mut after = before.clone();
        match change {
            RoleChange::Add(given) => after.extend(given.iter().copied()),
            RoleChange::Replace(given) => after = given.iter().copied().collect(),
            RoleChange::Remove(privilege) => {
                after.remove(privilege);
            }
        }
        let unit = column(&table, "businessunitid")?;
        let unit = self.transaction.unit_path(row.get(unit).guid().unwrap_or_default()).await?;
        let unit = unit.ok_or_else(|| Error::Invalid("the role is of no business unit".to_owned()))?;
        let units = self.table_named("businessunit")?;
        let is_copied = !self.rows_where(&units, "parentbusinessunitid", unit.unit).await?.is_empty();
        for (privilege, level) in &after {
            if before.get(privilege) == Some(level) {
                continue;
            }
            let known = schema.privilege_of(*privilege);
            let known = known.ok_or_else(|| Error::Invalid(format!("there is no privilege {privilege}")))?;
            if !known.levels.contains(level) {
                return Err(Error::Invalid(format!("privilege {} cannot have the level {level:?}", known.name)));
            }
            // The copies of the role in the units below give it there too.
            let reach = if is_copied && *level == Level::Local { Level::Deep } else { *level };
            self.authority.check_gives(known, reach, &unit)?;
        }
        Box::pin(self.check_duties_of_role(role, &before, &after)).await?;
        self.store_privileges(role, &before, &after, template.is_some()).await?;
        if template.is_some() {
            // Edited, it is no longer the role that the program ships.
            for copy in self.rows_where(&table, "parentrootroleid", role).await? {
                let mut changes = Draft::default();
                changes.stamp(&table, "roletemplateid", Value::Null);
                self.stamp_modified(&table, &mut changes);
                let permit = self.platform_permit("edit role", &table, PrivilegeKind::Write)?;
                self.transaction.update(permit, &table, copy, changes.into_values())?;
            }
        }
        let kind = match change {
            RoleChange::Add(_) => action::ADD_PRIVILEGES,
            RoleChange::Replace(_) => action::REPLACE_PRIVILEGES,
            RoleChange::Remove(_) => action::REMOVE_PRIVILEGES,
        };
        let detail = AuditDetail::Privileges(changed(&schema, &before, &after));
        self.audit_rights(table.id, role, kind, &detail).await
    }

    /// Brings the stored privileges of a role from `before` to `after`. A built-in role has none stored until now.
    async fn store_privileges(
        &mut self,
        role: Guid,
        before: &BTreeMap<Guid, Level>,
        after: &BTreeMap<Guid, Level>,
        was_built_in: bool,
    ) -> Result<()> {
        let table = self.table_named("roleprivileges")?;
        let columns = (table.column("roleid"), table.column("privilegeid"), table.column("privilegedepthmask"));
        let (Some(role_column), Some(privilege_column), Some(mask_column)) = columns else {
            return Err(Error::Invalid("roles have no privileges in this schema".to_owned()));
        };
        let (role_column, privilege_column, mask_column) = (role_column.id, privilege_column.id, mask_column.id);
        let stored =
            if was_built_in { Vec::new() } else { self.intersect_rows(&table, &[(role_column, role)]).await? };
        let mut stored: BTreeMap<Guid, StoredRow> =
            stored.into_iter().filter_map(|row| Some((row.get(privilege_column).guid()?, row))).collect();
        for (privilege, level) in after {
            let mask = Value::Integer(mask_of(*level));
            match stored.remove(privilege) {
                Some(row) if before.get(privilege) == Some(level) => drop(row),
                Some(row) => {
                    let permit = self.platform_permit("edit role", &table, PrivilegeKind::Write)?;
                    self.transaction.update(permit, &table, row.id, vec![(mask_column, mask)])?;
                }
                None => {
                    let values = vec![
                        (role_column, Value::Guid(role)),
                        (privilege_column, Value::Guid(*privilege)),
                        (mask_column, mask),
                    ];
                    let permit = self.platform_permit("edit role", &table, PrivilegeKind::Create)?;
                    let id = self.fresh.id();
                    self.transaction.insert(permit, &table, id, values)?;
                }
            }
        }
        for row in stored.into_values() {
            let permit = self.platform_permit("edit role", &table, PrivilegeKind::Delete)?;
            self.transaction.delete(permit, &table, &row)?;
        }
        Ok(())
    }
}

fn root_of(table: &Table, row: &StoredRow) -> Guid {
    table.column("parentrootroleid").and_then(|column| row.get(column.id).guid()).unwrap_or(row.id)
}

fn template_of(table: &Table, row: &StoredRow) -> Option<Guid> {
    table.column("roletemplateid").and_then(|column| row.get(column.id).guid())
}

/// `roleprivileges.privilegedepthmask`.
fn mask_of(level: Level) -> i32 {
    match level {
        Level::Basic => 1,
        Level::Local => 2,
        Level::Deep => 4,
        Level::Global => 8,
    }
}

/// What changed, for the audit.
fn changed(
    schema: &custodia_schema::Schema,
    before: &BTreeMap<Guid, Level>,
    after: &BTreeMap<Guid, Level>,
) -> Vec<PrivilegeChange> {
    let ids: BTreeSet<&Guid> = before.keys().chain(after.keys()).collect();
    let change = |id: &Guid| PrivilegeChange {
        name: schema.privilege_of(*id).map_or_else(|| id.to_string(), |privilege| privilege.name.clone()),
        before: before.get(id).copied(),
        after: after.get(id).copied(),
    };
    ids.into_iter().map(change).filter(|change| change.before != change.after).collect()
}
