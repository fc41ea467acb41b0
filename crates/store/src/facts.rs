//! Reads what decides a principal's rights, as `access` digests it.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_access::{
    Chain, FEW_TEAMS, Facts, FieldPermission, Mask, MaskedColumn, OrganizationOptions, OwnerKind, Reports, RoleGrant,
    RolePrivilege, TeamRole, UnitPath, Unmasking, UserFacts,
};
use custodia_schema::{
    BuiltinRole, Column, ColumnId, Guid, Level, Schema, Table, TableId, ValueRef, builtin_roles, column_description_id,
};

use crate::database::Database;
use crate::row::Row;
use crate::sql::shared_columns::COLUMN_SHARES;
use crate::sql::{Statement, facts as statements};
use crate::transaction::Transaction;
use crate::{Error, Result};

/// The System Administrator profile, which opens every secured column (security model 3.5).
pub const ADMINISTRATOR_PROFILE: Guid = Guid::from_u128(0x5723_29c1_a042_4e22_be47_367c_6374_ea45);
/// How far hierarchy security reaches down where the organisation says nothing.
const HIERARCHY_DEPTH: u32 = 3;
/// The tables of masking rules.
const MASKING_TABLES: [&str; 2] = ["attributemaskingrule", "maskingrule"];
/// Roles of one principal at most; more is a sign of a broken import.
const ROLES_MAX: usize = 10_000;

/// Where facts are read from: a database as of now, or a write batch with what it has flushed.
pub(crate) trait FactSource: Send {
    /// Whether a table exists physically: one that was never used has no rows, and no statement may name it.
    fn has(&self, table: TableId) -> bool;

    /// Runs a statement on fixed tables.
    fn rows<T: Send>(
        &mut self,
        statement: &Statement,
        read: impl Fn(&Row<'_>) -> Option<T> + Send,
    ) -> impl Future<Output = Result<Vec<T>>> + Send;
}

impl FactSource for &Database {
    fn has(&self, table: TableId) -> bool {
        self.has_table(table)
    }

    async fn rows<T: Send>(
        &mut self,
        statement: &Statement,
        read: impl Fn(&Row<'_>) -> Option<T> + Send,
    ) -> Result<Vec<T>> {
        self.internal_rows(statement, read).await
    }
}

impl FactSource for &mut Transaction {
    fn has(&self, table: TableId) -> bool {
        self.has_table(table)
    }

    async fn rows<T: Send>(
        &mut self,
        statement: &Statement,
        read: impl Fn(&Row<'_>) -> Option<T> + Send,
    ) -> Result<Vec<T>> {
        self.internal_rows(statement, read).await
    }
}

impl Database {
    /// What decides a user's rights, at one security version; `None` when there is no such user.
    ///
    /// # Errors
    /// [`Error::Stale`] when rights changed while they were read; store errors.
    pub async fn user_facts(&self, user: Guid) -> Result<Option<Facts>> {
        let versions = self.head().await?.versions;
        self.know_metadata(versions).await?;
        let before = versions.security;
        let facts = user_facts(&mut &*self, &self.schema(), user, before).await?;
        if self.head().await?.versions.security != before {
            return Err(Error::Stale);
        }
        Ok(facts)
    }

    /// A team's roles given as if assigned to it directly, at one security version; `None` when there is no such team.
    ///
    /// # Errors
    /// [`Error::Stale`] when rights changed while they were read; store errors.
    pub async fn team_facts(&self, team: Guid) -> Result<Option<Facts>> {
        let versions = self.head().await?.versions;
        self.know_metadata(versions).await?;
        let before = versions.security;
        let found = team_facts(&mut &*self, &self.schema(), team, before).await?;
        if self.head().await?.versions.security != before {
            return Err(Error::Stale);
        }
        Ok(found.map(|(_, facts)| facts))
    }
}

impl Transaction {
    /// What decides a user's rights inside this batch; `None` when there is no such user.
    ///
    /// # Errors
    /// Store errors.
    pub async fn user_facts(&mut self, user: Guid) -> Result<Option<Facts>> {
        let (schema, version) = (std::sync::Arc::clone(self.schema()), self.versions().security);
        user_facts(&mut &mut *self, &schema, user, version).await
    }

    /// A team's kind, and its roles given as if assigned to it directly; `None` when there is no such team.
    ///
    /// # Errors
    /// Store errors.
    pub async fn team_facts(&mut self, team: Guid) -> Result<Option<(OwnerKind, Facts)>> {
        let (schema, version) = (std::sync::Arc::clone(self.schema()), self.versions().security);
        team_facts(&mut &mut *self, &schema, team, version).await
    }

    /// A business unit and the way up from it; `None` when there is no such unit.
    ///
    /// # Errors
    /// Store errors.
    pub async fn unit_path(&mut self, unit: Guid) -> Result<Option<UnitPath>> {
        let source = &mut &mut *self;
        let found = source
            .rows(&statements::units_above(unit), |row| {
                Some((row.guid(0)?, matches!(row.get(1), custodia_schema::ValueRef::Boolean(true))))
            })
            .await?;
        let Some(disabled) = found.first().map(|(_, disabled)| *disabled) else { return Ok(None) };
        let above = found.into_iter().map(|(above, _)| above).filter(|above| *above != unit).collect();
        Ok(Some(UnitPath { unit, above, disabled }))
    }

    /// The privileges of a root role: those stored, or of a built-in one that nobody edited those the program ships.
    ///
    /// # Errors
    /// Store errors.
    pub async fn role_privileges(&mut self, root: Guid, template: Option<Guid>) -> Result<Vec<RolePrivilege>> {
        let schema = std::sync::Arc::clone(self.schema());
        let grant = RolePrivileges::default().grant(&mut &mut *self, &schema, root, template, Guid::nil()).await?;
        Ok(grant.privileges)
    }

    /// Whether a user is a member of a team.
    ///
    /// # Errors
    /// Store errors.
    pub async fn is_member(&mut self, user: Guid, team: Guid) -> Result<bool> {
        let source = &mut &mut *self;
        Ok(!source.rows(&statements::membership(user, team), |row| row.guid(0)).await?.is_empty())
    }
}

fn role_of(row: &Row<'_>) -> Option<(Guid, Option<Guid>)> {
    Some((row.guid(0)?, row.guid(1)))
}

async fn user_facts(source: &mut impl FactSource, schema: &Schema, user: Guid, version: i64) -> Result<Option<Facts>> {
    let found = source
        .rows(&statements::user(user), |row| {
            let is = |at| matches!(row.get(at), ValueRef::Boolean(true));
            let hierarchy = is(3).then(|| Hierarchy {
                position: is(4).then(|| row.guid(2)),
                depth: row.integer(5).map_or(HIERARCHY_DEPTH, |depth| u32::try_from(depth).unwrap_or(0)),
                options: OrganizationOptions::stored(row.text(6)),
            });
            Some((row.guid(0)?, is(1), hierarchy))
        })
        .await?;
    let Some((unit, disabled, hierarchy)) = found.first().copied() else { return Ok(None) };
    let reports = match hierarchy {
        Some(hierarchy) => hierarchy.reports(source, user, unit).await?,
        None => None,
    };
    let mut privileges = RolePrivileges::default();
    let mut roles = Vec::new();
    let direct = source.rows(&statements::roles(user), |row| Some((row.guid(0)?, row.guid(1), row.guid(2)))).await?;
    let mut all_columns = false;
    for (root, template, role_unit) in direct {
        all_columns |= template.and_then(builtin_of_template).is_some_and(BuiltinRole::is_administrator);
        // A role is measured from its own unit. That is the user's, unless ownership across units lets users hold roles
        // of other units.
        roles.push(privileges.grant(source, schema, root, template, role_unit.unwrap_or(unit)).await?);
    }
    let held = source
        .rows(&statements::team_roles(user), |row| {
            Some((row.guid(0)?, row.guid(1)?, row.guid(2)?, row.guid(3), row.integer(4).unwrap_or(1)))
        })
        .await?;
    if held.len() > ROLES_MAX {
        return Err(Error::Corrupt(format!("user {user} holds more than {ROLES_MAX} roles through teams")));
    }
    let mut team_roles = Vec::new();
    for (team, team_unit, root, template, inheritance) in held {
        let role = privileges.grant(source, schema, root, template, team_unit).await?;
        team_roles.push(TeamRole { team, role, team_privileges_only: inheritance == 0 });
    }
    let owner_teams = source.rows(&statements::owner_teams(user, FEW_TEAMS + 1), |row| row.guid(0)).await?;
    let few_owner_teams = (owner_teams.len() <= FEW_TEAMS).then_some(owner_teams);
    let mut field_permissions = Vec::new();
    for profile in source.rows(&statements::profiles(user), |row| row.guid(0)).await? {
        all_columns |= profile == ADMINISTRATOR_PROFILE;
        let said = source
            .rows(&statements::permissions(profile), |row| {
                let may = |at| row.integer(at) == Some(4);
                let unmasked = match row.integer(5) {
                    Some(1) => Unmasking::OneRecord,
                    Some(3) => Unmasking::AllRecords,
                    _ => Unmasking::Nothing,
                };
                Some((NamedColumn::of(row), [may(2), may(3), may(4)], unmasked))
            })
            .await?;
        for (named, [read, create, update], unmasked) in said {
            // A permission on no table or column, or on one that is gone, says nothing.
            let Some((table, column)) = named.and_then(|named| named.known(schema)) else { continue };
            let (table, column) = (table.id, column.id);
            field_permissions.push(FieldPermission { table, column, read, create, update, unmasked });
        }
    }
    let shared_columns = shared_columns(source, schema, user).await?;
    let masked_columns = masked_columns(source, schema).await?;
    Ok(Some(Facts {
        security_version: u64::try_from(version).unwrap_or(0),
        user: UserFacts { id: user, unit, disabled, is_team: false },
        roles,
        team_roles,
        few_owner_teams,
        reports,
        field_permissions,
        shared_columns,
        masked_columns,
        all_columns,
    }))
}

/// A column by the names that a row says.
struct NamedColumn {
    table: String,
    column: String,
}

impl NamedColumn {
    /// What a row names by its first two texts, table and column. One that names none is no damage: nothing that callers
    /// may store keeps anybody's rights from being read.
    fn of(row: &Row<'_>) -> Option<Self> {
        Some(Self { table: row.text(0)?.to_owned(), column: row.text(1)?.to_owned() })
    }

    /// The column, if there is one of these names.
    fn known(self, schema: &Schema) -> Option<(&Table, &Column)> {
        let table = schema.table_named(&self.table)?;
        Some((table, table.column(&self.column)?))
    }
}

/// The secured columns that have a masking rule.
async fn masked_columns(source: &mut impl FactSource, schema: &Schema) -> Result<Vec<MaskedColumn>> {
    let mut tables = MASKING_TABLES.iter().map(|name| schema.table_named(name));
    if !tables.all(|table| table.is_some_and(|table| source.has(table.id))) {
        return Ok(Vec::new());
    }
    let rules = source
        .rows(&statements::masked_columns(), |row| {
            let rule = row.text(2).zip(row.text(3)).and_then(|(pattern, character)| Mask::new(pattern, character).ok());
            // A rule that cannot be read hides all it is for.
            Some((NamedColumn::of(row), rule.unwrap_or_else(Mask::everything)))
        })
        .await?;
    let found = rules.into_iter().filter_map(|(named, mask)| {
        let (table, column) = named?.known(schema).filter(|(_, column)| column.secured)?;
        Some(MaskedColumn { table: table.id, column: column.id, mask: Arc::new(mask) })
    });
    Ok(found.collect())
}

/// The secured columns of which the reading was shared of some record with a user or a team of theirs.
async fn shared_columns(source: &mut impl FactSource, schema: &Schema, user: Guid) -> Result<Vec<(TableId, ColumnId)>> {
    if !schema.table_named(COLUMN_SHARES).is_some_and(|table| source.has(table.id)) {
        return Ok(Vec::new());
    }
    let shared = source.rows(&statements::shared_columns(user), |row| row.guid(0)).await?;
    if shared.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for table in schema.tables() {
        let secured = table.columns().iter().filter(|column| column.secured);
        let named = secured.filter(|column| shared.contains(&column_description_id(table, column)));
        found.extend(named.map(|column| (table.id, column.id)));
    }
    Ok(found)
}

async fn team_facts(
    source: &mut impl FactSource,
    schema: &Schema,
    team: Guid,
    version: i64,
) -> Result<Option<(OwnerKind, Facts)>> {
    let found = source.rows(&statements::team(team), |row| Some((row.guid(0)?, row.integer(1).unwrap_or(0)))).await?;
    let Some((unit, kind)) = found.first().copied() else { return Ok(None) };
    let kind = if kind == 1 { OwnerKind::AccessTeam } else { OwnerKind::Team };
    let mut privileges = RolePrivileges::default();
    let mut roles = Vec::new();
    for (root, template) in source.rows(&statements::roles_of_team(team), role_of).await? {
        roles.push(privileges.grant(source, schema, root, template, unit).await?);
    }
    let facts = Facts {
        security_version: u64::try_from(version).unwrap_or(0),
        user: UserFacts { id: team, unit, disabled: false, is_team: true },
        roles,
        team_roles: Vec::new(),
        few_owner_teams: None,
        reports: None,
        field_permissions: Vec::new(),
        shared_columns: Vec::new(),
        masked_columns: Vec::new(),
        all_columns: false,
    };
    Ok(Some((kind, facts)))
}

/// How the organisation has hierarchy security switched on.
#[derive(Clone, Copy)]
struct Hierarchy {
    /// By positions, with the user's; otherwise by managers.
    position: Option<Option<Guid>>,
    depth: u32,
    options: OrganizationOptions,
}

impl Hierarchy {
    /// Those below a user; none where nobody is, so that statements spare the question.
    async fn reports(self, source: &mut impl FactSource, user: Guid, unit: Guid) -> Result<Option<Reports>> {
        let (chain, anybody) = match self.position {
            Some(None) => return Ok(None),
            Some(Some(position)) => (Chain::Positions(position), statements::position_below(position)),
            None => {
                let within = self.options.managers_above_reports.then_some(unit);
                (Chain::Managers { within }, statements::managed_by(user))
            }
        };
        let is_alone = self.depth == 0 || source.rows(&anybody, |row| row.guid(0)).await?.is_empty();
        Ok((!is_alone).then_some(Reports { chain, depth: self.depth }))
    }
}

/// Privileges of the roles met so far: a user holds the same role through several teams.
#[derive(Default)]
struct RolePrivileges {
    known: HashMap<Guid, Vec<RolePrivilege>>,
}

impl RolePrivileges {
    async fn grant(
        &mut self,
        source: &mut impl FactSource,
        schema: &Schema,
        root: Guid,
        template: Option<Guid>,
        base_unit: Guid,
    ) -> Result<RoleGrant> {
        if let Some(privileges) = self.known.get(&root) {
            return Ok(RoleGrant { root, base_unit, privileges: privileges.clone() });
        }
        let rows = source.rows(&statements::privileges(root), |row| Some((row.guid(0)?, row.integer(1)?))).await?;
        let privileges = match template.and_then(builtin_of_template) {
            // A built-in role that nobody edited has no rows: the program knows what it holds.
            Some(builtin) if rows.is_empty() => builtin_privileges(schema, builtin),
            _ => rows
                .into_iter()
                .filter_map(|(privilege, mask)| {
                    Some(RolePrivilege { name: schema.privilege_of(privilege)?.name.clone(), level: level_of(mask)? })
                })
                .collect(),
        };
        self.known.insert(root, privileges.clone());
        Ok(RoleGrant { root, base_unit, privileges })
    }
}

/// The built-in role that a `roletemplateid` names; roles without a published template use their own id.
fn builtin_of_template(template: Guid) -> Option<&'static BuiltinRole> {
    builtin_roles().iter().find(|role| role.template() == template)
}

/// The privileges of a built-in role as the program ships it.
#[must_use]
pub fn builtin_privileges(schema: &Schema, role: &BuiltinRole) -> Vec<RolePrivilege> {
    role.privileges(schema).map(|(privilege, level)| RolePrivilege { name: privilege.name.clone(), level }).collect()
}

/// `roleprivileges.privilegedepthmask`: 1, 2, 4 or 8.
fn level_of(mask: i64) -> Option<Level> {
    match mask {
        1 => Some(Level::Basic),
        2 => Some(Level::Local),
        4 => Some(Level::Deep),
        8 => Some(Level::Global),
        _ => None,
    }
}
