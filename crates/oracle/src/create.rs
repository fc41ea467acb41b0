//! May a new row be made? (security model 5.4)

use custodia_schema::{Guid, Level, PrivilegeKind};

use crate::grant::{Held, barred, held, held_by_team};
use crate::row::may_not_act_for;
use crate::{GrantPath, Refusal, TeamKind, Verdict, World, WorldTable, may};

/// Where a new row would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewRow {
    /// Owned by the user in whose name it is made.
    Own,
    /// Owned by this user or team.
    OwnedBy(Guid),
    /// A user (or another row that sits in a unit) in this unit.
    InUnit(Guid),
    /// A row of the organisation.
    OfOrganization,
    /// A line of this row.
    Under(Guid),
}

/// Whether `user` may make a row.
#[must_use]
pub fn may_create(world: &World, user: Guid, table: WorldTable, new: NewRow) -> Verdict {
    create(world, user, user, table, new)
}

/// Whether `caller`, acting for `user`, may make a row. A row that the user will own is made as the user: the caller
/// then needs Create at any level only. For any other row both must reach it.
#[must_use]
pub fn may_create_on_behalf(world: &World, caller: Guid, user: Guid, table: WorldTable, new: NewRow) -> Verdict {
    if caller == user {
        return may_create(world, user, table, new);
    }
    if let Some(refusal) = may_not_act_for(world, caller, user) {
        return Verdict::refuse([refusal]);
    }
    let as_user = create(world, user, user, table, new);
    if as_user.allowed && !create(world, caller, user, table, new).allowed {
        return Verdict::refuse([Refusal::CallerLacks]);
    }
    as_user
}

/// Judges the rights of `judged`; the row is made in the name of `acting`.
fn create(world: &World, judged: Guid, acting: Guid, table: WorldTable, new: NewRow) -> Verdict {
    if let Some(bar) = barred(world, judged) {
        return Verdict::refuse([bar]);
    }
    if let NewRow::Under(parent) = new {
        // A line: Write on its parent.
        return match world.row(parent).map(|parent| may(world, judged, PrivilegeKind::Write, &parent)) {
            Some(verdict) if verdict.allowed => Verdict::allow([GrantPath::ThroughParent]),
            Some(verdict) if verdict.refusals.contains(&Refusal::NoPrivilege) => {
                Verdict::refuse([Refusal::NoPrivilege])
            }
            _ => Verdict::refuse([Refusal::ParentNotReached]),
        };
    }
    let held = match table.privilege(PrivilegeKind::Create) {
        Some(privilege) => held(world, judged, &privilege),
        None => return Verdict::refuse([Refusal::NoSuchPrivilege]),
    };
    if held.is_empty() {
        return Verdict::refuse([Refusal::NoPrivilege]);
    }
    match new {
        NewRow::OfOrganization => Verdict::allow([GrantPath::OrganizationWide]),
        NewRow::InUnit(unit) if held.iter().any(|held| reaches_unit(world, held, unit)) => {
            Verdict::allow([GrantPath::NewForOther])
        }
        NewRow::InUnit(_) => Verdict::refuse([Refusal::OwnerOutOfReach]),
        NewRow::Own => create_for(world, &held, judged, acting, table, acting),
        NewRow::OwnedBy(owner) => create_for(world, &held, judged, acting, table, owner),
        NewRow::Under(_) => Verdict::refuse([Refusal::NoSuchPrivilege]),
    }
}

fn create_for(world: &World, held: &[Held], judged: Guid, acting: Guid, table: WorldTable, owner: Guid) -> Verdict {
    if owner == acting {
        // Basic is for oneself; every higher level contains it. "Team privileges only" is not for oneself.
        let covers = judged != acting || held.iter().any(|held| held.only_for_team().is_none());
        return if covers {
            Verdict::allow([GrantPath::NewForSelf])
        } else {
            Verdict::refuse([Refusal::OwnButTeamOnly])
        };
    }
    let unit = match (world.user(owner), world.team(owner)) {
        (Some(user), _) => user.unit,
        (None, Some(team)) => team.unit,
        (None, None) => return Verdict::refuse([Refusal::OwnerOutOfReach]),
    };
    let is_own_team = |member: Guid| world.team(owner).is_some_and(|team| team.members.contains(&member));
    let mut paths = Vec::new();
    for held in held {
        match held.only_for_team() {
            Some(team) if team == owner => paths.push(GrantPath::NewForTeamOnly),
            Some(_) => {}
            None if is_own_team(judged) => paths.push(GrantPath::NewForOwnTeam),
            None if owner == judged || reaches_unit(world, held, unit) => paths.push(GrantPath::NewForOther),
            None => {}
        }
    }
    let mut refusals = Vec::new();
    if paths.is_empty() {
        refusals.push(Refusal::OwnerOutOfReach);
    }
    // For somebody else than the acting user and their teams, Assign is needed too, at any level.
    if !is_own_team(acting) && table.privilege(PrivilegeKind::Assign).is_none_or(|p| held_none(world, judged, &p)) {
        refusals.push(Refusal::NoAssignForOther);
    }
    refusals.extend(may_not_own(world, owner, table));
    if refusals.is_empty() { Verdict::allow(paths) } else { Verdict::refuse(refusals) }
}

/// Why a user or team may not own rows of a table: disabled, an access team, or without Read at any level.
pub(crate) fn may_not_own(world: &World, owner: Guid, table: WorldTable) -> Option<Refusal> {
    let read = table.privilege(PrivilegeKind::Read)?;
    if let Some(user) = world.user(owner) {
        return match () {
            () if user.disabled => Some(Refusal::OwnerDisabled),
            () if held(world, owner, &read).is_empty() => Some(Refusal::OwnerMayNotRead),
            () => None,
        };
    }
    match world.team(owner) {
        Some(team) if team.kind == TeamKind::Access => Some(Refusal::OwnerIsAccessTeam),
        Some(_) if held_by_team(world, owner, &read).is_empty() => Some(Refusal::OwnerMayNotRead),
        Some(_) => None,
        None => Some(Refusal::OwnerMayNotRead),
    }
}

fn held_none(world: &World, user: Guid, privilege: &str) -> bool {
    held(world, user, privilege).is_empty()
}

fn reaches_unit(world: &World, held: &Held, unit: Guid) -> bool {
    match held.level {
        Level::Basic => false,
        Level::Local => unit == held.base,
        Level::Deep => world.is_within(unit, held.base),
        Level::Global => true,
    }
}
