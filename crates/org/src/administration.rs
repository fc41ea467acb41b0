//! What the platform does beside a write on tables of the security model: default teams, role copies, user settings; and
//! what it refuses there.

use std::sync::Arc;

use custodia_query::{Filter, Path, Query};
use custodia_schema::{BuiltinRole, ColumnId, Guid, ManyToMany, PrivilegeKind, Table, Value, builtin_roles};
use custodia_store::{RowKey, StoredRow};

use crate::column_permission::COLUMN_PERMISSIONS;
use crate::column_sharing::COLUMN_SHARES;
use crate::duties::gives_roles;
use crate::error::{Error, Result, refusal};
use crate::jobs::{ASYNC_OPERATION, BULK_DELETE_OPERATION};
use crate::masking::{MASKED_COLUMNS, MASKING_RULES};
use crate::model::column;
use crate::writing::{Draft, Writing};

/// Rows of the security model one step may touch.
const ROWS_MAX: u32 = 20_000;

impl Writing<'_> {
    /// Fills what a record of the security model needs before it is made.
    pub(crate) async fn before_create(&mut self, table: &Arc<Table>, id: Guid, row: &mut Draft) -> Result<()> {
        self.check_new_of_model(table, row)?;
        self.check_chain(table, id, None, row).await?;
        match table.name.as_str() {
            "businessunit" => {
                // Only the first of an organisation has none above it.
                if row.named(table, "parentbusinessunitid").is_none_or(Value::is_null)
                    && let Some(root) = self.find_root_unit().await?
                {
                    row.stamp(table, "parentbusinessunitid", Value::Lookup(table.id, root));
                }
                row.stamp_absent(table, "isdisabled", Value::Boolean(false));
            }
            "systemuser" => {
                self.check_principal_id(table, id).await?;
                if row.named(table, "domainname").is_none_or(Value::is_null) {
                    let mail = row.named(table, "internalemailaddress").filter(|mail| !mail.is_null()).cloned();
                    // An application has neither: it goes by its id.
                    let application = row.named(table, "applicationid").and_then(Value::guid);
                    let name = mail.or_else(|| application.map(|id| Value::Text(id.to_string())));
                    row.stamp(table, "domainname", name.unwrap_or(Value::Null));
                }
                row.stamp_absent(table, "isdisabled", Value::Boolean(false));
            }
            "team" => {
                self.check_principal_id(table, id).await?;
                let users = self.table_named("systemuser")?;
                row.stamp_absent(table, "administratorid", Value::Lookup(users.id, self.acting()));
                row.stamp_absent(table, "teamtype", Value::Integer(0));
                row.stamp_absent(table, "isdefault", Value::Boolean(false));
                row.stamp_absent(table, "systemmanaged", Value::Boolean(false));
            }
            "role" => {
                row.stamp_absent(table, "parentrootroleid", Value::Lookup(table.id, id));
                row.stamp_absent(table, "isinherited", Value::Integer(1));
            }
            COLUMN_PERMISSIONS => self.before_column_permission(table, None, row)?,
            "teamtemplate" => self.check_team_template(table, row)?,
            COLUMN_SHARES => self.before_column_share(table, row).await?,
            MASKING_RULES | MASKED_COLUMNS => self.before_masking(table, None, row)?,
            "systemform" | "savedquery" | "userquery" | "sitemap" => {
                self.before_definition_create(table, id, row).await?;
            }
            // What keeps them does not come by this way.
            "principalobjectaccess" | "privilege" | "audit" | "organization" | "activitypointer" => {
                return Err(kept_by_platform(table));
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes what hangs on a new record of the security model.
    pub(crate) async fn after_create(&mut self, table: &Arc<Table>, id: Guid, row: &Draft) -> Result<()> {
        match table.name.as_str() {
            "businessunit" => {
                let parent = row.named(table, "parentbusinessunitid").and_then(Value::guid);
                self.make_default_team(id, row.named(table, "name").cloned().unwrap_or(Value::Null)).await?;
                if let Some(parent) = parent {
                    for role in self.roles_of_unit(parent).await? {
                        self.copy_role(&role, id).await?;
                    }
                }
            }
            "systemuser" => {
                if let Some(unit) = row.named(table, "businessunitid").and_then(Value::guid) {
                    self.join_default_team(id, unit).await?;
                    Box::pin(self.check_duties_held(id)).await?;
                    let settings = self.table_named("usersettings")?;
                    let mut values = Draft::default();
                    values.stamp(&settings, "businessunitid", Value::Guid(unit));
                    values.stamp(&settings, "timezonecode", Value::Integer(92));
                    values.stamp(&settings, "uilanguageid", Value::Integer(1033));
                    values.stamp(&settings, "localeid", Value::Integer(1033));
                    let permit = self.platform_permit("new user", &settings, PrivilegeKind::Create)?;
                    self.transaction.insert(permit, &settings, id, values.into_values())?;
                }
            }
            "role" => {
                let own_root = row.named(table, "parentrootroleid").and_then(Value::guid) == Some(id);
                if let (true, Some(unit)) = (own_root, row.named(table, "businessunitid").and_then(Value::guid)) {
                    self.transaction.flush().await?;
                    let role = self.get(table, id).await?;
                    self.copy_role_below(&role, unit).await?;
                }
            }
            _ => self.mirror_activity(table, id, row, true).await?,
        }
        Ok(())
    }

    /// Refuses changes that the security model forbids, and moves what must move along.
    pub(crate) async fn before_update(
        &mut self,
        table: &Arc<Table>,
        stored: &StoredRow,
        changes: &mut Draft,
    ) -> Result<()> {
        let was = |name: &str| table.column(name).map_or(Value::Null, |column| stored.get(column.id).clone());
        self.check_changes_of_model(table, stored, changes)?;
        self.check_chain(table, stored.id, Some(stored), changes).await?;
        match table.name.as_str() {
            "organization" => self.check_switches(table, changes)?,
            "teamtemplate" => self.check_team_template(table, changes)?,
            "team" if is_kept_team(table, stored) && self.authority.platform_name().is_none() => {
                return Err(kept_by_platform(table));
            }
            "role" | "fieldsecurityprofile"
                if self.is_administrators(table, stored) && self.authority.platform_name().is_none() =>
            {
                return Err(kept_by_platform(table));
            }
            "principalobjectaccess" | "privilege" | "audit" | "activitypointer" => return Err(kept_by_platform(table)),
            COLUMN_PERMISSIONS => self.before_column_permission(table, Some(stored), changes)?,
            COLUMN_SHARES => self.before_column_share_update(table, stored, changes).await?,
            MASKING_RULES | MASKED_COLUMNS => self.before_masking(table, Some(stored), changes)?,
            "systemform" | "savedquery" | "userquery" | "sitemap" => {
                self.before_definition_update(table, stored, changes).await?;
            }
            ASYNC_OPERATION => self.before_job_update(table, stored, changes).await?,
            "role" => {
                let root = was("parentrootroleid").guid();
                if root != Some(stored.id) && self.authority.platform_name().is_none() {
                    return Err(Error::Invalid(
                        "this role is a copy that follows the role it was made from; change that one".to_owned(),
                    ));
                }
                let unit = changes.named(table, "businessunitid");
                if unit.is_some_and(|unit| unit.guid() != was("businessunitid").guid()) {
                    return Err(Error::Invalid("a role cannot be moved to another business unit".to_owned()));
                }
            }
            "team"
                if was("isdefault") == Value::Boolean(true)
                    && self.authority.platform_name().is_none()
                    && ["name", "businessunitid"]
                        .iter()
                        .any(|column| changes.named(table, column).is_some_and(|value| *value != was(column))) =>
            {
                return Err(Error::refused(
                    refusal::DEFAULT_TEAM_CHANGED,
                    "the default team of a business unit cannot be renamed or moved",
                ));
            }
            "businessunit" => {
                let root = was("parentbusinessunitid").is_null();
                if let Some(parent) = changes.named(table, "parentbusinessunitid") {
                    let Some(parent) = parent.guid().filter(|_| !root) else {
                        return Err(Error::Invalid(
                            "the root business unit cannot be moved, nor another made root".to_owned(),
                        ));
                    };
                    let path = self.transaction.unit_path(parent).await?;
                    if path.is_some_and(|path| path.is_within(stored.id)) {
                        return Err(Error::Invalid("a business unit cannot be moved below itself".to_owned()));
                    }
                }
                if root && changes.named(table, "isdisabled") == Some(&Value::Boolean(true)) {
                    return Err(Error::Invalid("the root business unit cannot be disabled".to_owned()));
                }
            }
            "systemuser" => {
                if changes.named(table, "isdisabled") == Some(&Value::Boolean(true)) {
                    let why = "the last System Administrator cannot be disabled";
                    self.keep_an_administrator(|user, _| user == stored.id, refusal::LAST_ADMINISTRATOR_DISABLED, why)
                        .await?;
                }
                if changes.named(table, "businessunitid").is_some_and(|unit| *unit != was("businessunitid")) {
                    let why = "the last System Administrator cannot be moved: who moves loses all roles";
                    self.keep_an_administrator(|user, _| user == stored.id, refusal::LAST_ADMINISTRATOR_LOST, why)
                        .await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes what follows from a change in the security model.
    pub(crate) async fn after_update(&mut self, table: &Arc<Table>, stored: &StoredRow, changes: &Draft) -> Result<()> {
        // Here and not where a user signs in: one who is enabled again goes on with nothing of before.
        if table.name == "systemuser" && changes.named(table, "isdisabled") == Some(&Value::Boolean(true)) {
            self.transaction.end_sessions(stored.id);
        }
        if matches!(table.name.as_str(), "systemuser" | "team") {
            let unit = table.column("businessunitid").map(|column| column.id);
            if let Some((column, moved)) = unit.and_then(|id| Some((id, changes.get(id)?.guid()?))) {
                let former = stored.get(column).guid();
                if former != Some(moved) {
                    if table.name == "systemuser" {
                        self.change_default_team(stored.id, former, moved).await?;
                    }
                    self.move_principal(table, stored.id, former, moved).await?;
                    if table.name == "systemuser" {
                        Box::pin(self.check_duties_held(stored.id)).await?;
                    }
                }
            }
        }
        if table.name == "businessunit" {
            let parent = changes.named(table, "parentbusinessunitid").and_then(Value::guid);
            let former = table.column("parentbusinessunitid").and_then(|column| stored.get(column.id).guid());
            if let Some(parent) = parent.filter(|parent| former != Some(*parent)) {
                self.transaction.flush().await?;
                self.follow_parent_roles(stored.id, parent).await?;
            }
        }
        if table.name == "organization" {
            self.tell_organization_switches(table, stored, changes);
        }
        self.mirror_activity(table, stored.id, changes, false).await
    }

    /// Refuses deletes that the security model forbids.
    pub(crate) async fn before_delete(&mut self, table: &Arc<Table>, stored: &StoredRow) -> Result<()> {
        let was = |name: &str| table.column(name).map_or(Value::Null, |column| stored.get(column.id).clone());
        match table.name.as_str() {
            "systemuser" => Err(Error::Invalid("a user cannot be deleted; disable the user instead".to_owned())),
            "organization" | "principalobjectaccess" | "audit" | "privilege" | "usersettings" | "activitypointer" => {
                Err(kept_by_platform(table))
            }
            "fieldsecurityprofile" if self.is_administrators(table, stored) => Err(kept_by_platform(table)),
            "fieldsecurityprofile" | COLUMN_PERMISSIONS | MASKING_RULES | MASKED_COLUMNS => {
                Ok(self.authority.check_opens_columns()?)
            }
            COLUMN_SHARES => self.before_column_share_delete(table, stored).await,
            "systemform" | "savedquery" | "sitemap" => self.before_definition_delete(table, stored).await,
            ASYNC_OPERATION | BULK_DELETE_OPERATION => self.before_job_delete(table, stored).await,
            "team" if was("isdefault") == Value::Boolean(true) => Err(Error::refused(
                refusal::DEFAULT_TEAM_DELETED,
                "the default team of a business unit cannot be deleted",
            )),
            "team" if is_kept_team(table, stored) && self.authority.platform_name().is_none() => {
                Err(kept_by_platform(table))
            }
            "team" => {
                if self.owns_records(stored.id).await? {
                    return Err(Error::refused(
                        refusal::TEAM_OWNS_RECORDS,
                        "a team that owns records cannot be deleted; assign them first",
                    ));
                }
                Ok(())
            }
            "role" => {
                if was("roletemplateid").guid() == administrator_template() {
                    return Err(Error::refused(
                        refusal::ADMINISTRATOR_ROLE_DELETED,
                        "the System Administrator role cannot be deleted",
                    ));
                }
                if was("parentrootroleid").guid() != Some(stored.id) {
                    return Err(Error::Invalid("this role is a copy; delete the role it was made from".to_owned()));
                }
                Box::pin(self.check_no_duty_names(stored.id)).await
            }
            "businessunit" => {
                if was("isdisabled") != Value::Boolean(true) {
                    return Err(Error::refused(
                        refusal::UNIT_ENABLED,
                        "a business unit must be disabled before it is deleted",
                    ));
                }
                let children = self.rows_where(table, "parentbusinessunitid", stored.id).await?;
                if !children.is_empty() {
                    return Err(Error::refused(
                        refusal::UNIT_HAS_UNITS,
                        "a business unit with units below it cannot be deleted",
                    ));
                }
                let users = self.table_named("systemuser")?;
                if !self.rows_where(&users, "businessunitid", stored.id).await?.is_empty() {
                    return Err(Error::refused(
                        refusal::UNIT_IN_USE,
                        "users still belong to this business unit; move them first",
                    ));
                }
                if self.owns_records(default_team_id(stored.id)).await? {
                    let why = "the default team of this business unit owns records; assign them first";
                    return Err(Error::refused(refusal::UNIT_IN_USE, why));
                }
                if self.any_owned("owningbusinessunit", stored.id).await? {
                    let why = "records of other owners sit in this business unit; put them into another first";
                    return Err(Error::refused(refusal::UNIT_IN_USE, why));
                }
                let copies: Vec<Guid> = self.roles_of_unit(stored.id).await?.iter().map(|role| role.id).collect();
                let why = "the last System Administrator holds the role by the copy of this business unit";
                self.keep_an_administrator(|_, role| copies.contains(&role), refusal::LAST_ADMINISTRATOR_LOST, why)
                    .await
            }
            _ => Ok(()),
        }
    }

    /// Rows that are a part of another one and go with it, where no relationship says so: a unit's default team and copies of
    /// roles, an activity's entry in the list of all activities.
    pub(crate) async fn parts(&mut self, table: &Arc<Table>, id: Guid) -> Result<Vec<(Arc<Table>, StoredRow)>> {
        let mut parts = Vec::new();
        match table.name.as_str() {
            "businessunit" => {
                let teams = self.table_named("team")?;
                let team = self.find(&teams, &RowKey::Id(default_team_id(id))).await?;
                parts.extend(team.map(|team| (teams, team)));
                let roles = self.table_named("role")?;
                let root = column(&roles, "parentrootroleid")?;
                let copies =
                    self.roles_of_unit(id).await?.into_iter().filter(|role| role.get(root).guid() != Some(role.id));
                parts.extend(copies.map(|copy| (Arc::clone(&roles), copy)));
            }
            _ if table.is_activity => {
                let pointers = self.table_named("activitypointer")?;
                if table.id != pointers.id && self.transaction.has_table(pointers.id) {
                    let pointer = self.find(&pointers, &RowKey::Id(id)).await?;
                    parts.extend(pointer.map(|pointer| (pointers, pointer)));
                }
            }
            _ => {}
        }
        Ok(parts)
    }

    /// Removes what was given to a record that is gone.
    pub(crate) async fn after_delete(&mut self, table: &Table, id: Guid) -> Result<()> {
        if table.name == "team" { self.remove_shares_of_principal(id).await } else { Ok(()) }
    }

    /// Refuses links that the security model forbids.
    pub(crate) async fn before_link(&mut self, link: &ManyToMany, ids: &[(ColumnId, Guid); 2]) -> Result<()> {
        self.check_link_given(link, ids).await?;
        if gives_roles(link) {
            Box::pin(self.check_duties_of_link(link, ids)).await?;
        }
        let [(_, first), (_, second)] = *ids;
        match link.name.as_str() {
            "teammembership_association" => {
                self.check_members_changeable(link, first, second, refusal::DEFAULT_TEAM_JOINED).await
            }
            "systemuserroles_association" | "teamroles_association" => {
                let (principal_table, principal, role) = if self.table(link.first)?.name == "role" {
                    (self.table(link.second)?, second, first)
                } else {
                    (self.table(link.first)?, first, second)
                };
                let roles = self.table_named("role")?;
                let role = self.get(&roles, role).await?;
                let principal = self.get(&principal_table, principal).await?;
                if principal_table.name == "team" && teamtype(&principal_table, &principal) == Some(1) {
                    return Err(Error::refused(refusal::ACCESS_TEAM_HOLDS_NONE, "an access team can hold no roles"));
                }
                let unit_of = |table: &Table, row: &StoredRow| {
                    table.column("businessunitid").and_then(|column| row.get(column.id).guid())
                };
                let elsewhere = unit_of(&roles, &role) != unit_of(&principal_table, &principal);
                // Across units, users hold roles of other units, which are measured from there.
                if elsewhere && (principal_table.name == "team" || !self.owns_across_units().await?) {
                    return Err(Error::refused(
                        refusal::ROLE_ELSEWHERE,
                        "the role belongs to another business unit; use the copy of the role in the unit of the user or team",
                    ));
                }
                Ok(())
            }
            "teamprofiles_association" => {
                let teams = self.table_named("team")?;
                let team = if link.first == teams.id { first } else { second };
                let team = self.get(&teams, team).await?;
                if teamtype(&teams, &team) == Some(1) {
                    return Err(Error::refused(
                        refusal::ACCESS_TEAM_HOLDS_NONE,
                        "an access team can hold no column security profiles",
                    ));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Refuses to take links away that the security model needs.
    pub(crate) async fn before_unlink(&mut self, link: &ManyToMany, ids: &[(ColumnId, Guid); 2]) -> Result<()> {
        self.check_link_taken(link, ids).await?;
        let [(_, first), (_, second)] = *ids;
        match link.name.as_str() {
            "teammembership_association" => {
                self.check_members_changeable(link, first, second, refusal::DEFAULT_TEAM_LEFT).await
            }
            "systemuserroles_association" => {
                let (user, role) =
                    if self.table(link.first)?.name == "role" { (second, first) } else { (first, second) };
                let roles = self.table_named("role")?;
                let role = self.get(&roles, role).await?;
                let template = roles.column("roletemplateid").and_then(|column| role.get(column.id).guid());
                if template.is_some() && template == administrator_template() {
                    let taken = role.id;
                    self.keep_an_administrator(
                        |holder, role| (holder, role) == (user, taken),
                        refusal::LAST_ADMINISTRATOR_LOST,
                        "the last user of the System Administrator role cannot lose it",
                    )
                    .await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn check_members_changeable(
        &mut self,
        link: &ManyToMany,
        first: Guid,
        second: Guid,
        code: u32,
    ) -> Result<()> {
        let teams = self.table_named("team")?;
        let team = if link.first == teams.id { first } else { second };
        let team = self.get(&teams, team).await?;
        let is_default = teams.column("isdefault").map(|column| team.get(column.id)) == Some(&Value::Boolean(true));
        if is_default && self.authority.platform_name().is_none() {
            return Err(Error::refused(
                code,
                "the members of a business unit's default team are the users of the unit",
            ));
        }
        if is_kept_team(&teams, &team) && self.authority.platform_name().is_none() {
            return Err(Error::Invalid(
                "the team is kept by the platform for one record; use AddUserToRecordTeam and RemoveUserFromRecordTeam"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Refuses when no enabled user would hold the System Administrator role any more: `is_lost` says which user loses it by
    /// which copy. What comes through a team does not count.
    async fn keep_an_administrator(
        &mut self,
        is_lost: impl Fn(Guid, Guid) -> bool,
        code: u32,
        why: &str,
    ) -> Result<()> {
        let roles = self.table_named("role")?;
        let Some(template) = administrator_template() else { return Ok(()) };
        let users = self.table_named("systemuser")?;
        let held = self.table_named("systemuserroles")?;
        let (role_column, user_column) = (column(&held, "roleid")?, column(&held, "systemuserid")?);
        let mut loses = false;
        for role in self.rows_where(&roles, "roletemplateid", template).await? {
            let holders = Query { filter: Filter::equal(role_column, Value::Guid(role)), ..Query::of(&held, ROWS_MAX) };
            let holders = self.platform_rows("last administrator", &holders.showing([user_column])).await?;
            for holder in holders.iter().filter_map(|row| row.get(1).and_then(Value::guid)) {
                let row = self.get(&users, holder).await?;
                let disabled =
                    users.column("isdisabled").map(|column| row.get(column.id)) == Some(&Value::Boolean(true));
                if disabled {
                    continue;
                }
                if !is_lost(holder, role) {
                    return Ok(());
                }
                loses = true;
            }
        }
        if loses { Err(Error::refused(code, why)) } else { Ok(()) }
    }

    /// Ids of the rows whose column holds `id`.
    pub(crate) async fn rows_where(&mut self, table: &Table, name: &str, id: Guid) -> Result<Vec<Guid>> {
        let query =
            Query { filter: Filter::equal(column(table, name)?, Value::Guid(id)), ..Query::of(table, ROWS_MAX) };
        self.platform_ids("security model", &query).await
    }

    /// The one unit without a parent.
    pub(crate) async fn root_unit(&mut self) -> Result<Guid> {
        let root = self.find_root_unit().await?;
        root.ok_or_else(|| Error::Invalid("the organisation has no root business unit".to_owned()))
    }

    async fn find_root_unit(&mut self) -> Result<Option<Guid>> {
        let table = self.table_named("businessunit")?;
        let filter = Filter::IsNull(Path::own(column(&table, "parentbusinessunitid")?));
        let roots = self.platform_ids("root unit", &Query { filter, ..Query::of(&table, 1) }).await?;
        Ok(roots.first().copied())
    }

    /// The owner team that always holds exactly the unit's users.
    async fn make_default_team(&mut self, unit: Guid, name: Value) -> Result<()> {
        let table = self.table_named("team")?;
        let (users, units) = (self.table_named("systemuser")?, self.table_named("businessunit")?);
        let mut row = Draft::default();
        row.stamp(&table, "name", name);
        row.stamp(&table, "teamtype", Value::Integer(0));
        row.stamp(&table, "isdefault", Value::Boolean(true));
        row.stamp(&table, "systemmanaged", Value::Boolean(false));
        row.stamp(&table, "businessunitid", Value::Lookup(units.id, unit));
        row.stamp(&table, "administratorid", Value::Lookup(users.id, self.acting()));
        self.stamp_platform_row(&table, &mut row);
        let permit = self.platform_permit("default team", &table, PrivilegeKind::Create)?;
        self.transaction.insert(permit, &table, default_team_id(unit), row.into_values())?;
        Ok(())
    }

    async fn join_default_team(&mut self, user: Guid, unit: Guid) -> Result<()> {
        let table = self.table_named("teammembership")?;
        let mut row = Draft::default();
        row.stamp(&table, "systemuserid", Value::Guid(user));
        row.stamp(&table, "teamid", Value::Guid(default_team_id(unit)));
        let permit = self.platform_permit("default team", &table, PrivilegeKind::Create)?;
        let id = self.fresh.id();
        self.transaction.insert(permit, &table, id, row.into_values())?;
        Ok(())
    }

    /// A user who moves to another unit leaves one default team for the other.
    async fn change_default_team(&mut self, user: Guid, former: Option<Guid>, unit: Guid) -> Result<()> {
        let members = self.table_named("teammembership")?;
        let columns = (members.column("systemuserid"), members.column("teamid"));
        if let ((Some(of), Some(team)), Some(former)) = (columns, former) {
            for row in self.intersect_rows(&members, &[(of.id, user), (team.id, default_team_id(former))]).await? {
                let permit = self.platform_permit("move user", &members, PrivilegeKind::Delete)?;
                self.transaction.delete(permit, &members, &row)?;
            }
        }
        self.join_default_team(user, unit).await
    }

    /// A user or team that moves to another unit loses the roles of the unit left, and the unit of the records owned follows.
    /// Across units, roles of other units stay, and so does the place of the records (docs/security-choices.md).
    async fn move_principal(&mut self, table: &Table, principal: Guid, former: Option<Guid>, unit: Guid) -> Result<()> {
        let across = self.owns_across_units().await?;
        let roles_left: Vec<Guid> = match former.filter(|_| across) {
            Some(former) => self.roles_of_unit(former).await?.iter().map(|role| role.id).collect(),
            None => Vec::new(),
        };
        let (held, holder, mover) = match table.name.as_str() {
            "team" => ("teamroles", "teamid", "move team"),
            _ => ("systemuserroles", "systemuserid", "move user"),
        };
        let held = self.table_named(held)?;
        let link = self.schema.many_to_many().iter().find(|link| link.intersect == held.id).cloned();
        if let (Some(column), Some(role)) = (held.column(holder), held.column("roleid")) {
            for row in self.intersect_rows(&held, &[(column.id, principal)]).await? {
                if across && row.get(role.id).guid().is_some_and(|role| !roles_left.contains(&role)) {
                    continue;
                }
                let permit = self.platform_permit(mover, &held, PrivilegeKind::Delete)?;
                self.transaction.delete(permit, &held, &row)?;
                if let Some(link) = &link {
                    self.audit_right_lost(link, &row).await?;
                }
            }
        }
        if across {
            return Ok(());
        }
        let units = self.table_named("businessunit")?;
        for table in self.owned_tables() {
            for id in self.rows_where(&table, "ownerid", principal).await? {
                let mut changes = Draft::default();
                changes.stamp(&table, "owningbusinessunit", Value::Lookup(units.id, unit));
                let permit = self.platform_permit(mover, &table, PrivilegeKind::Assign)?;
                self.transaction.update(permit, &table, id, changes.into_values())?;
            }
        }
        Ok(())
    }

    fn owned_tables(&self) -> Vec<Arc<Table>> {
        let owned = |table: &&Arc<Table>| {
            matches!(table.security, custodia_schema::RowSecurity::Owned { .. }) && self.transaction.has_table(table.id)
        };
        self.schema.tables().iter().filter(owned).cloned().collect()
    }

    async fn owns_records(&mut self, owner: Guid) -> Result<bool> {
        self.any_owned("ownerid", owner).await
    }

    /// Whether any owned record has this owner, or sits in this unit.
    async fn any_owned(&mut self, name: &str, id: Guid) -> Result<bool> {
        for table in self.owned_tables() {
            let filter = Filter::equal(column(&table, name)?, Value::Guid(id));
            let one = Query { filter, top: Some(1), ..Query::of(&table, 1) };
            if !self.platform_ids("records of a team or unit", &one).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All roles of a unit, own and copied.
    async fn roles_of_unit(&mut self, unit: Guid) -> Result<Vec<StoredRow>> {
        let table = self.table_named("role")?;
        let mut roles = Vec::new();
        for id in self.rows_where(&table, "businessunitid", unit).await? {
            roles.push(self.get(&table, id).await?);
        }
        Ok(roles)
    }

    /// Copies a role into every unit below its own.
    async fn copy_role_below(&mut self, role: &StoredRow, unit: Guid) -> Result<()> {
        let units = self.table_named("businessunit")?;
        let mut waiting = vec![(role.clone(), unit)];
        while let Some((parent, unit)) = waiting.pop() {
            for child in self.rows_where(&units, "parentbusinessunitid", unit).await? {
                let copy = self.copy_role(&parent, child).await?;
                waiting.push((copy, child));
            }
        }
        Ok(())
    }

    /// After a move of a unit: it and all below it lose the copies of roles of units that are above them no longer, with
    /// whoever held those, and get copies of the roles of those that are.
    async fn follow_parent_roles(&mut self, unit: Guid, parent: Guid) -> Result<()> {
        let (roles, units) = (self.table_named("role")?, self.table_named("businessunit")?);
        let (root, above) = (column(&roles, "parentrootroleid")?, column(&roles, "parentroleid")?);
        let of_unit = column(&roles, "businessunitid")?;
        let root_of = |role: &StoredRow| role.get(root).guid().unwrap_or(role.id);
        let mut moved = vec![(unit, parent)];
        let mut next = 0;
        while let Some((unit, _)) = moved.get(next).copied() {
            let below = self.rows_where(&units, "parentbusinessunitid", unit).await?;
            moved.extend(below.into_iter().map(|child| (child, unit)));
            next += 1;
        }
        // From below, so that no copy is left without the one above it.
        for (unit, _) in moved.iter().rev() {
            let path = self.transaction.unit_path(*unit).await?;
            for copy in self.roles_of_unit(*unit).await? {
                let home = self.get(&roles, root_of(&copy)).await?.get(of_unit).guid().unwrap_or_default();
                if path.as_ref().is_some_and(|path| !path.is_within(home)) {
                    let permit = self.platform_permit("move unit", &roles, PrivilegeKind::Delete)?;
                    self.remove(&roles, copy, permit).await?;
                }
            }
            self.transaction.flush().await?;
        }
        for (unit, parent) in moved {
            let present = self.roles_of_unit(unit).await?;
            for role in self.roles_of_unit(parent).await? {
                match present.iter().find(|copy| root_of(copy) == root_of(&role)) {
                    None => {
                        self.copy_role(&role, unit).await?;
                    }
                    Some(copy) if copy.get(above).guid() != Some(role.id) => {
                        let changes = vec![(above, Value::Lookup(roles.id, role.id))];
                        let permit = self.platform_permit("move unit", &roles, PrivilegeKind::Write)?;
                        self.transaction.update(permit, &roles, copy.id, changes)?;
                    }
                    Some(_) => {}
                }
            }
            self.transaction.flush().await?;
        }
        Ok(())
    }

    /// The inherited copy of a role in a unit: its own id, the privileges of its root.
    async fn copy_role(&mut self, parent: &StoredRow, unit: Guid) -> Result<StoredRow> {
        let table = self.table_named("role")?;
        let units = self.table_named("businessunit")?;
        let mut row = Draft::default();
        for name in ["name", "isinherited", "roletemplateid", "parentrootroleid"] {
            if let Some(column) = table.column(name) {
                row.set(column.id, parent.get(column.id).clone());
            }
        }
        row.stamp(&table, "parentroleid", Value::Lookup(table.id, parent.id));
        row.stamp(&table, "businessunitid", Value::Lookup(units.id, unit));
        self.stamp_platform_row(&table, &mut row);
        let root =
            table.column("parentrootroleid").and_then(|column| parent.get(column.id).guid()).unwrap_or(parent.id);
        let id = role_copy_id(root, unit);
        let values = row.into_values();
        let permit = self.platform_permit("role copy", &table, PrivilegeKind::Create)?;
        self.transaction.insert(permit, &table, id, values.clone())?;
        Ok(StoredRow::of(id, values))
    }

    fn stamp_platform_row(&self, table: &Table, row: &mut Draft) {
        row.stamp_absent(table, "createdon", Value::DateTime(self.transaction.now()));
        self.stamp_modified(table, row);
    }

    /// Every activity also stands in `activitypointer`, with the columns both share.
    pub(crate) async fn mirror_activity(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        row: &Draft,
        is_new: bool,
    ) -> Result<()> {
        let pointers = self.table_named("activitypointer")?;
        if !table.is_activity || table.id == pointers.id {
            return Ok(());
        }
        let mut shared = Draft::default();
        for (column, value) in row.iter() {
            let Some(column) = table.column_by_id(column) else { continue };
            let Some(twin) =
                pointers.column(&column.name).filter(|twin| twin.id != pointers.primary_id && twin.kind.is_stored())
            else {
                continue;
            };
            if std::mem::discriminant(&twin.kind) == std::mem::discriminant(&column.kind) {
                shared.set(twin.id, value.clone());
            }
        }
        if is_new {
            let permit = self.platform_permit("activity", &pointers, PrivilegeKind::Create)?;
            self.transaction.insert(permit, &pointers, id, shared.into_values())?;
        } else if !shared.is_empty() {
            let permit = self.platform_permit("activity", &pointers, PrivilegeKind::Write)?;
            self.transaction.update(permit, &pointers, id, shared.into_values())?;
        }
        Ok(())
    }
}

/// A unit has one default team, so its id follows from the unit's.
pub(crate) fn default_team_id(unit: Guid) -> Guid {
    Guid::new_v5(&unit, b"default team")
}

/// A unit has one copy of a role, so its id follows from both.
pub(crate) fn role_copy_id(root: Guid, unit: Guid) -> Guid {
    Guid::new_v5(&root, unit.as_bytes())
}

/// The template id of the System Administrator role.
pub(crate) fn administrator_template() -> Option<Guid> {
    builtin_roles().iter().find(|role| role.is_administrator()).map(BuiltinRole::template)
}

/// Whether it is the access team that the platform keeps for a record.
pub(crate) fn is_kept_team(teams: &Table, team: &StoredRow) -> bool {
    teams.column("systemmanaged").map(|column| team.get(column.id)) == Some(&Value::Boolean(true))
}

fn teamtype(table: &Table, row: &StoredRow) -> Option<i32> {
    match table.column("teamtype").map(|column| row.get(column.id)) {
        Some(Value::Integer(n)) => Some(*n),
        _ => None,
    }
}

fn kept_by_platform(table: &Table) -> Error {
    Error::Invalid(format!("records of '{}' are kept by the platform", table.name))
}
