//! Who may give rights to others: roles, column security profiles, and membership of teams that hold either. Nobody gives
//! what they lack (docs/security-choices.md).

use std::sync::Arc;

use custodia_schema::{ColumnId, Guid, ManyToMany, PrivilegeKind, Table};
use custodia_store::{RowKey, StoredRow};

use crate::error::{Error, Result};
use crate::model::column;
use crate::writing::{Draft, Writing};

/// The privilege to say who stands below whom counts, and how far down.
const HIERARCHY: &str = "prvConfigureHierarchySecurity";

/// What changing a column of the security model takes besides Write.
const COLUMN_PRIVILEGES: &[(&str, &str, &str)] = &[
    ("systemuser", "isdisabled", "prvEnableOrDisableUser"),
    ("systemuser", "businessunitid", "prvReparentUser"),
    ("systemuser", "parentsystemuserid", "prvAssignManager"),
    ("systemuser", "positionid", "prvAssignPosition"),
    ("organization", "ishierarchicalsecuritymodelenabled", HIERARCHY),
    ("organization", "maxdepthforhierarchicalsecuritymodel", HIERARCHY),
    ("organization", "usepositionhierarchy", HIERARCHY),
    ("organization", "orgdborgsettings", HIERARCHY),
    ("organization", "auditretentionperiodv2", "prvDeleteAuditData"),
    ("position", "parentpositionid", "prvAssignPosition"),
    ("team", "businessunitid", "prvReparentTeam"),
    ("businessunit", "isdisabled", "prvEnableOrDisableBusinessUnit"),
    ("businessunit", "parentbusinessunitid", "prvReparentBusinessUnit"),
];

impl Writing<'_> {
    /// That the columns of the security model that an update changes may be changed by the caller.
    pub(crate) fn check_changes_of_model(&self, table: &Table, stored: &StoredRow, changes: &Draft) -> Result<()> {
        for (_, name, privilege) in COLUMN_PRIVILEGES.iter().filter(|(of, ..)| *of == table.name) {
            let column = column(table, name)?;
            if changes.get(column).is_some_and(|value| value != stored.get(column)) {
                self.authority.check_privilege(privilege)?;
            }
        }
        Ok(())
    }

    /// The same for a record that is made: whoever it puts below somebody else, or into a position.
    pub(crate) fn check_new_of_model(&self, table: &Table, row: &Draft) -> Result<()> {
        if self.authority.platform_name().is_some() {
            return Ok(());
        }
        let chains = ["parentsystemuserid", "positionid", "parentpositionid"];
        let of_table = COLUMN_PRIVILEGES.iter().filter(|(of, name, _)| *of == table.name && chains.contains(name));
        for (_, name, privilege) in of_table {
            if row.named(table, name).is_some_and(|value| !value.is_null()) {
                self.authority.check_privilege(privilege)?;
            }
        }
        Ok(())
    }

    /// That a role may be given to or taken from somebody: it takes Assign on the role, and to give it everything that the
    /// role would do from where its holder sits.
    pub(crate) async fn check_role_link(&mut self, role: &StoredRow, gives: bool) -> Result<()> {
        let roles = self.table_named("role")?;
        let found = self.fetch_for(&roles, &RowKey::Id(role.id), PrivilegeKind::Assign).await?;
        let _checked = self.authority.permit_row(PrivilegeKind::Assign, &roles, found.reaches(0))?;
        if gives { self.check_role_given(&roles, role).await } else { Ok(()) }
    }

    /// That nothing which a role does from its unit is beyond the caller.
    async fn check_role_given(&mut self, roles: &Table, role: &StoredRow) -> Result<()> {
        let named = |name: &str| Ok::<_, Error>(role.get(column(roles, name)?).guid());
        let (root, template) = (named("parentrootroleid")?.unwrap_or(role.id), named("roletemplateid")?);
        let unit = named("businessunitid")?.unwrap_or_default();
        let unit = self.transaction.unit_path(unit).await?;
        let unit = unit.ok_or_else(|| Error::Invalid("the role is of no business unit".to_owned()))?;
        let schema = Arc::clone(&self.schema);
        for held in self.transaction.role_privileges(root, template).await? {
            if let Some(privilege) = schema.privilege_named(&held.name) {
                self.authority.check_gives(privilege, held.level, &unit)?;
            }
        }
        Ok(())
    }

    /// That a user may be put into a team: what the team's roles and profiles give, the new member gets.
    pub(crate) async fn check_membership_given(&mut self, team: Guid) -> Result<()> {
        let roles = self.table_named("role")?;
        for role in self.linked_to("teamroles", "teamid", team, "roleid").await? {
            let role = self.get(&roles, role).await?;
            self.check_role_given(&roles, &role).await?;
        }
        if !self.linked_to("teamprofiles", "teamid", team, "fieldsecurityprofileid").await?.is_empty() {
            self.authority.check_opens_columns()?;
        }
        Ok(())
    }

    /// That a link does not give away more than the caller has, by what it joins.
    pub(crate) async fn check_link_given(&mut self, link: &ManyToMany, ids: &[(ColumnId, Guid); 2]) -> Result<()> {
        if self.authority.platform_name().is_some() {
            return Ok(());
        }
        let roles = self.table_named("role")?;
        match link.name.as_str() {
            "systemuserroles_association" | "teamroles_association" => {
                let role = self.get(&roles, self.end(link, ids, "role")?).await?;
                self.check_role_link(&role, true).await
            }
            "teammembership_association" => self.check_membership_given(self.end(link, ids, "team")?).await,
            "systemuserprofiles_association" | "teamprofiles_association" => {
                Ok(self.authority.check_opens_columns()?)
            }
            // A privilege without a level is none; the actions of a role give it one.
            "roleprivileges_association" | "roletemplateprivileges_association" => {
                Err(Error::Invalid("privileges are given by AddPrivilegesRole".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The same for a link that goes.
    pub(crate) async fn check_link_taken(&mut self, link: &ManyToMany, ids: &[(ColumnId, Guid); 2]) -> Result<()> {
        if self.authority.platform_name().is_some() {
            return Ok(());
        }
        let roles = self.table_named("role")?;
        match link.name.as_str() {
            "systemuserroles_association" | "teamroles_association" => {
                let role = self.get(&roles, self.end(link, ids, "role")?).await?;
                self.check_role_link(&role, false).await
            }
            "systemuserprofiles_association" | "teamprofiles_association" => {
                Ok(self.authority.check_opens_columns()?)
            }
            "roleprivileges_association" | "roletemplateprivileges_association" => {
                Err(Error::Invalid("privileges are taken by RemovePrivilegeRole".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Which of two linked records is of that table.
    pub(crate) fn end(&self, link: &ManyToMany, ids: &[(ColumnId, Guid); 2], table: &str) -> Result<Guid> {
        let [(_, first), (_, second)] = *ids;
        Ok(if self.table(link.first)?.name == table { first } else { second })
    }

    /// The far ends of a record's links.
    pub(crate) async fn linked_to(&mut self, intersect: &str, near: &str, id: Guid, far: &str) -> Result<Vec<Guid>> {
        let intersect = self.table_named(intersect)?;
        let (near, far) = (column(&intersect, near)?, column(&intersect, far)?);
        let rows = self.intersect_rows(&intersect, &[(near, id)]).await?;
        Ok(rows.iter().filter_map(|row| row.get(far).guid()).collect())
    }

    /// That no user and team have one id: the owner of a record, a share's principal and a member are found by id alone.
    pub(crate) async fn check_principal_id(&mut self, table: &Table, id: Guid) -> Result<()> {
        let other = self.table_named(if table.name == "team" { "systemuser" } else { "team" })?;
        if self.find(&other, &RowKey::Id(id)).await?.is_some() {
            return Err(Error::Duplicate { table: other.name.clone(), id });
        }
        Ok(())
    }

    /// Removes what a principal that goes was given of single records: an id can be given again.
    pub(crate) async fn remove_shares_of_principal(&mut self, principal: Guid) -> Result<()> {
        let table = self.table_named("principalobjectaccess")?;
        for share in self.rows_where(&table, "principalid", principal).await? {
            let permit = self.platform_permit("share", &table, PrivilegeKind::Delete)?;
            self.transaction.delete(permit, &table, &StoredRow::of(share, Vec::new()))?;
        }
        Ok(())
    }

    /// Whether it is the System Administrator role or profile, which the platform keeps as it is.
    pub(crate) fn is_administrators(&self, table: &Table, stored: &StoredRow) -> bool {
        match table.name.as_str() {
            "role" => {
                let template = table.column("roletemplateid").and_then(|column| stored.get(column.id).guid());
                template.is_some() && template == crate::administration::administrator_template()
            }
            "fieldsecurityprofile" => stored.id == custodia_store::ADMINISTRATOR_PROFILE,
            _ => false,
        }
    }
}
