//! What the store read about one user at one security version, before it is digested into [`crate::Rights`].

use std::sync::Arc;

use custodia_schema::{ColumnId, Guid, Level, TableId};

use crate::{Mask, Reports, Unmasking};

/// The user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFacts {
    /// `systemuserid`.
    pub id: Guid,
    /// The user's business unit.
    pub unit: Guid,
    /// A disabled user may do nothing.
    pub disabled: bool,
    /// It is a team, asked about as if it were a user: it is a member of nothing.
    pub is_team: bool,
}

/// One privilege of a role. Privileges shared by several tables are spread over them before they get here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePrivilege {
    /// Name (`prvReadAccount`, `prvExportToExcel`).
    pub name: String,
    /// How far.
    pub level: Level,
}

/// A role held directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    /// The topmost role this one is a copy of (itself if it is none).
    pub root: Guid,
    /// The unit the role's levels are measured from: the user's or, with ownership across units, the role's.
    pub base_unit: Guid,
    /// Its privileges.
    pub privileges: Vec<RolePrivilege>,
}

/// A role held through a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamRole {
    /// The team.
    pub team: Guid,
    /// The role, measured from the team's unit.
    pub role: RoleGrant,
    /// "Team privileges only": a Basic grant covers only rows this team owns.
    pub team_privileges_only: bool,
}

/// What one field security profile of the user says of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPermission {
    /// Table.
    pub table: TableId,
    /// Column.
    pub column: ColumnId,
    /// May read it.
    pub read: bool,
    /// May set it on create.
    pub create: bool,
    /// May change it.
    pub update: bool,
    /// Of which records a masked value may be read in clear, on request.
    pub unmasked: Unmasking,
}

/// A secured column with a masking rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedColumn {
    /// Table.
    pub table: TableId,
    /// Column.
    pub column: ColumnId,
    /// The rule.
    pub mask: Arc<Mask>,
}

/// Teams that are listed in statements rather than joined: comparing a row's owner with so many costs less than one probe.
pub const FEW_TEAMS: usize = 3;

/// Everything that decides what one user may do, except rows, teams and shares, which statements join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The security version these facts were read at.
    pub security_version: u64,
    /// The user.
    pub user: UserFacts,
    /// Roles held directly.
    pub roles: Vec<RoleGrant>,
    /// Roles held through teams (all teams of the user that can hold roles).
    pub team_roles: Vec<TeamRole>,
    /// The user's teams that can own rows, where they are no more than [`FEW_TEAMS`]; `None` where they are more, and are
    /// joined instead.
    pub few_owner_teams: Option<Vec<Guid>>,
    /// Those who stand below the user, where hierarchy security is on and somebody does.
    pub reports: Option<Reports>,
    /// Permissions of all profiles of the user, direct and through teams.
    pub field_permissions: Vec<FieldPermission>,
    /// Columns of which the value of some record was shared for reading with the user or a team of theirs. Of which
    /// records, statements join.
    pub shared_columns: Vec<(TableId, ColumnId)>,
    /// The organisation's masked columns.
    pub masked_columns: Vec<MaskedColumn>,
    /// The user holds the System Administrator profile: every secured column is open.
    pub all_columns: bool,
}
