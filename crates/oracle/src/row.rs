//! Is operation P on row R allowed for user U? (security model 5)

use custodia_schema::{Guid, Level, PrivilegeKind};

use crate::grant::{ACT_ON_BEHALF, Held, barred, held};
use crate::hierarchy::through_reports;
use crate::{GrantPath, Protection, Refusal, RowView, TeamKind, Verdict, World};

/// Whether `user` has the right `kind` on a row.
#[must_use]
pub fn may(world: &World, user: Guid, kind: PrivilegeKind, row: &RowView) -> Verdict {
    if let Some(bar) = barred(world, user) {
        return Verdict::refuse([bar]);
    }
    match row.table.protection() {
        Protection::Owned => may_owned(world, user, kind, row),
        Protection::Unit => may_in_unit(world, user, kind, row),
        Protection::Organization => match row.table.privilege(kind) {
            None => Verdict::refuse([Refusal::NoSuchPrivilege]),
            // All or nothing: the level does not matter.
            Some(privilege) if held(world, user, &privilege).is_empty() => Verdict::refuse([Refusal::NoPrivilege]),
            Some(_) => Verdict::allow([GrantPath::OrganizationWide]),
        },
        Protection::Line => may_line(world, user, kind, row),
        Protection::Link => may_link_row(world, user, kind, row),
    }
}

/// Whether `caller`, acting for `user`, has the right `kind` on a row: both must have it, and the caller must hold the
/// privilege to act for others through a role of their own (security model 12, case 26).
#[must_use]
pub fn may_on_behalf(world: &World, caller: Guid, user: Guid, kind: PrivilegeKind, row: &RowView) -> Verdict {
    if caller != user
        && let Some(refusal) = may_not_act_for(world, caller, user)
    {
        return Verdict::refuse([refusal]);
    }
    let as_user = may(world, user, kind, row);
    if as_user.allowed && !may(world, caller, kind, row).allowed {
        return Verdict::refuse([Refusal::CallerLacks]);
    }
    as_user
}

/// Why `caller` may not act for `user` (another one) at all.
pub(crate) fn may_not_act_for(world: &World, caller: Guid, user: Guid) -> Option<Refusal> {
    let held = held(world, caller, ACT_ON_BEHALF);
    if let Some(bar) = barred(world, caller).or_else(|| barred(world, user)) {
        Some(bar)
    } else if held.is_empty() {
        Some(Refusal::MayNotActForOthers)
    } else if held.iter().all(|held| held.team.is_some()) {
        Some(Refusal::MayActForOthersOnlyThroughTeam)
    } else {
        None
    }
}

fn may_owned(world: &World, user: Guid, kind: PrivilegeKind, row: &RowView) -> Verdict {
    let bit = right_bit(kind);
    let owning_team = world.teams_of(user).find(|team| row.owner == Some(team.id)).map(|team| team.id);
    let owns = row.owner == Some(user) || owning_team.is_some();
    let shares: Vec<_> = world
        .shares
        .iter()
        .filter(|share| share.record == row.id)
        .filter(|share| share.principal == user || world.teams_of(user).any(|team| team.id == share.principal))
        .collect();
    let is_shared = shares.iter().any(|share| (share.explicit | share.inherited) & bit != 0);

    // 1. The gate: the privilege at any level from any role; otherwise no, whatever is owned or shared.
    let held = match row.table.privilege(kind) {
        Some(privilege) => held(world, user, &privilege),
        None => return Verdict::refuse([Refusal::NoSuchPrivilege]),
    };
    if held.is_empty() {
        let mut refusals = vec![Refusal::NoPrivilege];
        if owns {
            refusals.push(Refusal::NoPrivilegeDespiteOwning);
        }
        if is_shared {
            refusals.push(Refusal::NoPrivilegeDespiteShare);
        }
        return Verdict::refuse(refusals);
    }

    let mut paths = Vec::new();
    // 2a. By ownership, whatever unit the row is in.
    for held in &held {
        let reaches = match (held.only_for_team(), owning_team) {
            (Some(only), Some(owner)) => (only == owner).then_some(GrantPath::OwnedByTeamOnly),
            (Some(_), None) => None,
            (None, Some(_)) => Some(GrantPath::OwnedByTeam),
            (None, None) => (row.owner == Some(user)).then_some(GrantPath::OwnedByUser),
        };
        paths.extend(reaches);
    }
    if paths.contains(&GrantPath::OwnedByTeam) {
        // The narrow way does not count where the wide one is open.
        paths.retain(|path| *path != GrantPath::OwnedByTeamOnly);
    }
    // 2b. By depth, from the row's own unit.
    let by_depth: Vec<GrantPath> = held.iter().filter_map(|held| depth_path(world, held, row)).collect();
    if paths.contains(&GrantPath::OwnedByUser) && by_depth.is_empty() && held.iter().any(|h| h.level > Level::Basic) {
        paths.push(GrantPath::OwnedByUserElsewhere);
    }
    paths.extend(by_depth);
    // 2c. By a share, explicit or inherited.
    for share in &shares {
        let team = world.team(share.principal).map(|team| team.kind);
        if share.explicit & bit != 0 {
            paths.push(match team {
                None => GrantPath::SharedWithUser,
                Some(TeamKind::Access) => GrantPath::SharedWithAccessTeam,
                Some(TeamKind::Owner | TeamKind::Default) => GrantPath::SharedWithTeam,
            });
        }
        if share.inherited & bit != 0 {
            paths.push(match team {
                None => GrantPath::InheritedByUser,
                Some(TeamKind::Access) => GrantPath::InheritedByAccessTeam,
                Some(TeamKind::Owner | TeamKind::Default) => GrantPath::InheritedByTeam,
            });
        }
    }
    // 2d. By those below the user, as far as the user's roles cover more than the rows of one team.
    let mut refusals = Vec::new();
    if let Some(user) = world.user(user)
        && held.iter().any(|held| held.only_for_team().is_none())
    {
        let (below, not_below) = through_reports(world, user, kind, row);
        paths.extend(below);
        refusals.extend(not_below);
    }
    if !paths.is_empty() {
        return Verdict::allow(paths);
    }

    // 3. Otherwise no.
    refusals.extend(held.iter().map(|held| out_of_reach(world, held, row, owns)));
    if !shares.is_empty() {
        refusals.push(Refusal::SharedWithoutRight);
    }
    Verdict::refuse(refusals)
}

fn may_in_unit(world: &World, user: Guid, kind: PrivilegeKind, row: &RowView) -> Verdict {
    let Some(privilege) = row.table.privilege(kind) else { return Verdict::refuse([Refusal::NoSuchPrivilege]) };
    let held = held(world, user, &privilege);
    if held.is_empty() {
        return Verdict::refuse([Refusal::NoPrivilege]);
    }
    let mut paths: Vec<GrantPath> = held.iter().filter_map(|held| depth_path(world, held, row)).collect();
    // The user's own row is reached at any level, except by a grant that is limited to a team's rows.
    if row.id == user && held.iter().any(|held| held.only_for_team().is_none()) {
        paths.push(GrantPath::OwnUserRow);
    }
    if paths.is_empty() {
        Verdict::refuse(held.iter().map(|held| out_of_reach(world, held, row, false)))
    } else {
        Verdict::allow(paths)
    }
}

/// A line follows its parent: Read is Read there, Create, Write, Delete and Append are Write, AppendTo is AppendTo.
fn may_line(world: &World, user: Guid, kind: PrivilegeKind, row: &RowView) -> Verdict {
    let there = match kind {
        PrivilegeKind::Read => PrivilegeKind::Read,
        PrivilegeKind::Create | PrivilegeKind::Write | PrivilegeKind::Delete | PrivilegeKind::Append => {
            PrivilegeKind::Write
        }
        PrivilegeKind::AppendTo => PrivilegeKind::AppendTo,
        PrivilegeKind::Assign | PrivilegeKind::Share => return Verdict::refuse([Refusal::NoSuchPrivilege]),
    };
    let parent = row.follows.iter().find_map(|id| world.row(*id));
    match parent.map(|parent| may(world, user, there, &parent)) {
        Some(verdict) if verdict.allowed => Verdict::allow([GrantPath::ThroughParent]),
        Some(verdict) if verdict.refusals.contains(&Refusal::NoPrivilege) => Verdict::refuse([Refusal::NoPrivilege]),
        _ => Verdict::refuse([Refusal::ParentNotReached]),
    }
}

/// A link follows both ends: to see it is Read on both, to make or cut it is Append on both.
fn may_link_row(world: &World, user: Guid, kind: PrivilegeKind, row: &RowView) -> Verdict {
    let there = match kind {
        PrivilegeKind::Read => PrivilegeKind::Read,
        PrivilegeKind::Create | PrivilegeKind::Delete => PrivilegeKind::Append,
        _ => return Verdict::refuse([Refusal::NoSuchPrivilege]),
    };
    let ends: Vec<Verdict> = row
        .follows
        .iter()
        .map(|id| world.row(*id).map_or_else(Verdict::default, |end| may(world, user, there, &end)))
        .collect();
    if ends.iter().all(|end| end.allowed) {
        Verdict::allow([GrantPath::ThroughBothEnds])
    } else if ends.iter().any(|end| end.refusals.contains(&Refusal::NoPrivilege)) {
        Verdict::refuse([Refusal::NoPrivilege])
    } else {
        Verdict::refuse([Refusal::EndNotReached])
    }
}

/// By which depth a grant reaches the unit a row sits in.
fn depth_path(world: &World, held: &Held, row: &RowView) -> Option<GrantPath> {
    let unit = row.unit?;
    let is_team = held.team.is_some();
    match held.level {
        Level::Basic => None,
        Level::Local if unit == held.base => {
            Some(if is_team { GrantPath::LocalOfTeam } else { GrantPath::LocalOfUser })
        }
        Level::Local => None,
        Level::Deep if unit == held.base => {
            Some(if is_team { GrantPath::DeepOfTeamHere } else { GrantPath::DeepOfUserHere })
        }
        Level::Deep if world.is_within(unit, held.base) => {
            Some(if is_team { GrantPath::DeepOfTeamBelow } else { GrantPath::DeepOfUserBelow })
        }
        Level::Deep => None,
        Level::Global => Some(if is_team { GrantPath::GlobalOfTeam } else { GrantPath::GlobalOfUser }),
    }
}

/// Why a grant does not reach a row.
fn out_of_reach(world: &World, held: &Held, row: &RowView, owns: bool) -> Refusal {
    let unit = row.unit.unwrap_or_default();
    match held.level {
        Level::Basic if owns => Refusal::OwnButTeamOnly,
        Level::Basic => Refusal::OwnedByOther,
        Level::Local if world.is_within(unit, held.base) => Refusal::BelowLocal,
        Level::Local => Refusal::OutsideLocal,
        Level::Deep if world.is_within(held.base, unit) => Refusal::AboveDeep,
        Level::Deep | Level::Global => Refusal::OutsideDeep,
    }
}

/// The bit of a right in a share (security model 6.2).
pub(crate) fn right_bit(kind: PrivilegeKind) -> u32 {
    match kind {
        PrivilegeKind::Read => 0x1,
        PrivilegeKind::Write => 0x2,
        PrivilegeKind::Append => 0x4,
        PrivilegeKind::AppendTo => 0x10,
        PrivilegeKind::Create => 0x20,
        PrivilegeKind::Delete => 0x1_0000,
        PrivilegeKind::Share => 0x4_0000,
        PrivilegeKind::Assign => 0x8_0000,
    }
}
