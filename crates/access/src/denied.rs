//! Why something is not allowed.

use custodia_schema::{Guid, PrivilegeKind};

use crate::RightsMask;

/// A refusal. It names users, privileges, tables and columns, never a value of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The user is disabled.
    #[error("User {user} is disabled. An administrator has to enable the user first.")]
    Disabled {
        /// The user.
        user: Guid,
    },
    /// The user holds no role, neither directly nor through a team.
    #[error(
        "User {user} has no security role, neither directly nor through a team. An administrator has to assign one."
    )]
    NoRoles {
        /// The user.
        user: Guid,
    },
    /// None of the user's roles has the privilege, at any level.
    #[error("User {user} lacks the privilege {privilege}{}. None of the user's roles grants it.", table.as_deref().map(|name| format!(" on table '{name}'")).unwrap_or_default())]
    MissingPrivilege {
        /// The user.
        user: Guid,
        /// The privilege.
        privilege: String,
        /// Logical name of the table; `None` for privileges that belong to no table.
        table: Option<String>,
    },
    /// The user's roles have the privilege, but it does not reach this row.
    #[error("User {user} has no {} right on this record of table '{table}': it is neither in reach of the user's roles nor shared with that right.", right.word())]
    RowNotReached {
        /// The user (the acting one, where one acts for another).
        user: Guid,
        /// The right.
        right: PrivilegeKind,
        /// Logical name of the table.
        table: String,
    },
    /// The user's roles let the user create or append, but not for that owner or in that unit.
    #[error("User {user} may not {} a record of table '{table}' for that owner or in that business unit: the level of the privilege does not reach it.", right.word().to_lowercase())]
    PlaceNotReached {
        /// The user.
        user: Guid,
        /// `Create`, `Append` or `Assign`.
        right: PrivilegeKind,
        /// Logical name of the table.
        table: String,
    },
    /// The operation does not exist on that table, for nobody.
    #[error("Records of table '{table}' cannot take {}: the table has no such privilege.", right.word())]
    NotApplicable {
        /// Logical name of the table.
        table: String,
        /// The right asked for.
        right: PrivilegeKind,
    },
    /// Acting for another user needs the privilege from a directly assigned role.
    #[error(
        "User {caller} may not act on behalf of others: the privilege prvActOnBehalfOfAnotherUser has to come from a role assigned to the caller directly, not through a team."
    )]
    OnBehalf {
        /// Who called. For whom is not told: it would tell whom the caller named by another id.
        caller: Guid,
    },
    /// The new owner may not even read the table.
    #[error("The new owner {owner} lacks the privilege {privilege} on table '{table}' and so cannot own its records.")]
    OwnerLacksRead {
        /// User or team.
        owner: Guid,
        /// The Read privilege of the table.
        privilege: String,
        /// Logical name of the table.
        table: String,
    },
    /// The new owner is disabled.
    #[error("User {owner} is disabled and cannot become the owner of a record.")]
    OwnerDisabled {
        /// The user.
        owner: Guid,
    },
    /// Access teams own nothing.
    #[error("Team {team} is an access team and cannot own records; share the record with it instead.")]
    OwnerIsAccessTeam {
        /// The team.
        team: Guid,
    },
    /// The new owner's business unit is disabled.
    #[error("Business unit {unit} of the new owner is disabled.")]
    OwnerUnitDisabled {
        /// The unit.
        unit: Guid,
    },
    /// Nobody can hand out rights they lack.
    #[error("User {user} cannot share rights on this record of table '{table}' that the user lacks: {missing}.")]
    SharesMoreThanHeld {
        /// The user.
        user: Guid,
        /// What was asked for and is missing.
        missing: RightsMask,
        /// Logical name of the table.
        table: String,
    },
    /// Nobody can give a role that does more, or reaches further, than they do themselves.
    #[error(
        "User {user} cannot give a role with the privilege {privilege}: the user lacks it, or it would reach further from there than the user does."
    )]
    GivesMoreThanHeld {
        /// The user.
        user: Guid,
        /// The privilege.
        privilege: String,
    },
    /// Nobody can open a column that may be closed to them.
    #[error(
        "User {user} cannot decide who reads and sets secured columns: only those may to whom every column is open, as it is to System Administrators."
    )]
    OpensColumns {
        /// The user.
        user: Guid,
    },
    /// The mask has bits that are no rights, or none at all.
    #[error("{} is not a valid mask of access rights.", mask.0)]
    InvalidMask {
        /// What was asked for.
        mask: RightsMask,
    },
    /// A secured column was given on create without the permission.
    #[error("User {user} may not set the secured column '{column}' of table '{table}' when creating a record.")]
    ColumnCreate {
        /// The user.
        user: Guid,
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
    },
    /// A secured column was given on update without the permission.
    #[error("User {user} may not change the secured column '{column}' of table '{table}'.")]
    ColumnUpdate {
        /// The user.
        user: Guid,
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
    },
    /// The value of a secured column was to be shared by somebody who may not read it.
    #[error("User {user} may not share the reading of column '{column}' of table '{table}', which the user lacks.")]
    ColumnShareRead {
        /// The user.
        user: Guid,
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
    },
    /// The changing of a secured column was to be shared by somebody who may not change it.
    #[error("User {user} may not share the changing of column '{column}' of table '{table}', which the user lacks.")]
    ColumnShareUpdate {
        /// The user.
        user: Guid,
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
    },
    /// A permit of the platform was asked for in a user's name.
    #[error("Only the platform's own callers may write table '{table}' this way.")]
    NotPlatform {
        /// Logical name of the table.
        table: String,
    },
}

impl Denied {
    /// The error code clients know (docs/api.md lists them).
    #[must_use]
    pub const fn code(&self) -> u32 {
        match self {
            Self::Disabled { .. } | Self::OwnerDisabled { .. } => 0x8004_0225,
            Self::NoRoles { .. } => 0x8004_2f09,
            Self::MissingPrivilege { .. }
            | Self::RowNotReached { .. }
            | Self::PlaceNotReached { .. }
            | Self::NotApplicable { .. }
            | Self::OnBehalf { .. }
            | Self::SharesMoreThanHeld { .. }
            | Self::GivesMoreThanHeld { .. }
            | Self::OpensColumns { .. }
            | Self::NotPlatform { .. } => 0x8004_0220,
            Self::OwnerLacksRead { .. } => 0x8004_0231,
            Self::OwnerIsAccessTeam { .. } => 0x8004_8340,
            Self::OwnerUnitDisabled { .. } => 0x8004_032d,
            Self::InvalidMask { .. } => 0x8004_020d,
            Self::ColumnCreate { .. } => 0x8004_f502,
            Self::ColumnUpdate { .. } => 0x8004_f507,
            Self::ColumnShareUpdate { .. } => 0x8004_f503,
            Self::ColumnShareRead { .. } => 0x8004_f504,
        }
    }
}
