//! What the oracle answers.

use std::collections::BTreeSet;

/// A way to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantPath {
    /// The user owns the row and holds the privilege at some level.
    OwnedByUser,
    /// The same, in a unit that no level held reaches.
    OwnedByUserElsewhere,
    /// A team of the user owns the row.
    OwnedByTeam,
    /// A team of the user owns the row, and only that team's role, at Basic level with team privileges only, counts.
    OwnedByTeamOnly,
    /// Local through a role of the user.
    LocalOfUser,
    /// Local through a role of a team, measured from the team's unit.
    LocalOfTeam,
    /// Deep through a role of the user, in the very unit.
    DeepOfUserHere,
    /// Deep through a role of the user, in a unit below.
    DeepOfUserBelow,
    /// Deep through a role of a team, in the team's unit.
    DeepOfTeamHere,
    /// Deep through a role of a team, in a unit below the team's.
    DeepOfTeamBelow,
    /// Global through a role of the user.
    GlobalOfUser,
    /// Global through a role of a team.
    GlobalOfTeam,
    /// Shared with the user.
    SharedWithUser,
    /// Shared with an owner team of the user.
    SharedWithTeam,
    /// Shared with an access team of the user.
    SharedWithAccessTeam,
    /// Inherited by the user from a parent row.
    InheritedByUser,
    /// Inherited by an owner team of the user.
    InheritedByTeam,
    /// Inherited by an access team of the user.
    InheritedByAccessTeam,
    /// Somebody directly below the user owns the row.
    OwnedByReport,
    /// Somebody further below owns it.
    OwnedFurtherBelow,
    /// A team of somebody below owns it.
    OwnedByTeamOfReport,
    /// It is shared by hand with somebody below, or with a team of theirs.
    SharedWithReport,
    /// The row stands for the user.
    OwnUserRow,
    /// The organisation owns the table.
    OrganizationWide,
    /// A line: the parent row is reached.
    ThroughParent,
    /// A link: both ends are reached.
    ThroughBothEnds,
    /// A new row that the user will own.
    NewForSelf,
    /// A new row that a team of the user will own.
    NewForOwnTeam,
    /// A new row that a team will own, by that team's role with team privileges only.
    NewForTeamOnly,
    /// A new row of an owner in reach.
    NewForOther,
    /// No column security, or a profile of the user.
    ColumnOfUserProfile,
    /// A profile of a team.
    ColumnOfTeamProfile,
    /// The column of that row was shared with the user.
    ColumnSharedWithUser,
    /// The column of that row was shared with an owner team of the user.
    ColumnSharedWithTeam,
    /// The column of that row was shared with an access team of the user.
    ColumnSharedWithAccessTeam,
    /// The column is not secured.
    ColumnOpen,
}

impl GrantPath {
    /// The ways that concern an existing row and one privilege on it (security model 5).
    pub const OF_ROWS: [Self; 26] = [
        Self::OwnedByUser,
        Self::OwnedByUserElsewhere,
        Self::OwnedByTeam,
        Self::OwnedByTeamOnly,
        Self::LocalOfUser,
        Self::LocalOfTeam,
        Self::DeepOfUserHere,
        Self::DeepOfUserBelow,
        Self::DeepOfTeamHere,
        Self::DeepOfTeamBelow,
        Self::GlobalOfUser,
        Self::GlobalOfTeam,
        Self::SharedWithUser,
        Self::SharedWithTeam,
        Self::SharedWithAccessTeam,
        Self::InheritedByUser,
        Self::InheritedByTeam,
        Self::InheritedByAccessTeam,
        Self::OwnedByReport,
        Self::OwnedFurtherBelow,
        Self::OwnedByTeamOfReport,
        Self::SharedWithReport,
        Self::OwnUserRow,
        Self::OrganizationWide,
        Self::ThroughParent,
        Self::ThroughBothEnds,
    ];
}

/// A reason to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The user is disabled.
    Disabled,
    /// The user has no role.
    NoRoles,
    /// The operation does not exist on that table.
    NoSuchPrivilege,
    /// No role has the privilege.
    NoPrivilege,
    /// No role has the privilege, although the user (or a team of the user) owns the row.
    NoPrivilegeDespiteOwning,
    /// No role has the privilege, although the row is shared with that right.
    NoPrivilegeDespiteShare,
    /// Basic, and somebody else owns the row.
    OwnedByOther,
    /// Basic with team privileges only, and the row is the user's own or another team's.
    OwnButTeamOnly,
    /// Local, and the row sits in a unit below.
    BelowLocal,
    /// Local, and the row sits elsewhere.
    OutsideLocal,
    /// Deep, and the row sits above.
    AboveDeep,
    /// Deep, and the row sits beside.
    OutsideDeep,
    /// Shared with the user, but not with that right.
    SharedWithoutRight,
    /// It belongs to somebody below, and managers do not have that right.
    NotForManagers,
    /// It belongs to somebody too far below for that right.
    TooFarBelow,
    /// It belongs to somebody whom the user manages from a unit that is not above.
    ManagerElsewhere,
    /// A line whose parent row is not reached.
    ParentNotReached,
    /// A link of which an end is not reached.
    EndNotReached,
    /// The caller may not act for others: no such privilege at all.
    MayNotActForOthers,
    /// The caller may act for others only through a team's role.
    MayActForOthersOnlyThroughTeam,
    /// The calling user lacks what the user has.
    CallerLacks,
    /// A new row: the owner is out of reach.
    OwnerOutOfReach,
    /// A new row for somebody else without the privilege Assign.
    NoAssignForOther,
    /// The new owner is disabled.
    OwnerDisabled,
    /// The new owner is an access team.
    OwnerIsAccessTeam,
    /// The new owner may not read the table.
    OwnerMayNotRead,
    /// The row may be assigned, but not written.
    AssignWithoutWrite,
    /// The far row of a link may not be appended to.
    TargetNotReached,
    /// More is shared than held.
    SharesMoreThanHeld,
    /// No profile opens the secured column.
    ColumnClosed,
    /// A column it is derived from is closed.
    SourceColumnClosed,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 31] = [
        Self::Disabled,
        Self::NoRoles,
        Self::NoSuchPrivilege,
        Self::NoPrivilege,
        Self::NoPrivilegeDespiteOwning,
        Self::NoPrivilegeDespiteShare,
        Self::OwnedByOther,
        Self::OwnButTeamOnly,
        Self::BelowLocal,
        Self::OutsideLocal,
        Self::AboveDeep,
        Self::OutsideDeep,
        Self::SharedWithoutRight,
        Self::NotForManagers,
        Self::TooFarBelow,
        Self::ManagerElsewhere,
        Self::ParentNotReached,
        Self::EndNotReached,
        Self::MayNotActForOthers,
        Self::MayActForOthersOnlyThroughTeam,
        Self::CallerLacks,
        Self::OwnerOutOfReach,
        Self::NoAssignForOther,
        Self::OwnerDisabled,
        Self::OwnerIsAccessTeam,
        Self::OwnerMayNotRead,
        Self::AssignWithoutWrite,
        Self::TargetNotReached,
        Self::SharesMoreThanHeld,
        Self::ColumnClosed,
        Self::SourceColumnClosed,
    ];
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Allowed.
    pub allowed: bool,
    /// All ways by which; empty when refused.
    pub paths: BTreeSet<GrantPath>,
    /// All reasons why not; empty when allowed.
    pub refusals: BTreeSet<Refusal>,
}

impl Verdict {
    pub(crate) fn allow(paths: impl IntoIterator<Item = GrantPath>) -> Self {
        Self { allowed: true, paths: paths.into_iter().collect(), refusals: BTreeSet::new() }
    }

    pub(crate) fn refuse(refusals: impl IntoIterator<Item = Refusal>) -> Self {
        Self { allowed: false, paths: BTreeSet::new(), refusals: refusals.into_iter().collect() }
    }
}
