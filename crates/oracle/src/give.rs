//! Giving rows away, sharing them and linking them (security model 5.5, 5.6 and 6).

use custodia_schema::{Guid, PrivilegeKind};

use crate::create::may_not_own;
use crate::row::right_bit;
use crate::{GrantPath, Refusal, RowView, User, Verdict, World, may};

/// Whether `user` may give a row to another owner: Assign and Write on it as it is, and the new owner may own it.
#[must_use]
pub fn may_assign(world: &World, user: Guid, row: &RowView, owner: Guid) -> Verdict {
    let assign = may(world, user, PrivilegeKind::Assign, row);
    if !assign.allowed {
        return assign;
    }
    if !may(world, user, PrivilegeKind::Write, row).allowed {
        return Verdict::refuse([Refusal::AssignWithoutWrite]);
    }
    match may_not_own(world, owner, row.table) {
        Some(refusal) => Verdict::refuse([refusal]),
        None => assign,
    }
}

/// Whether `user` may share a row with these rights: Share on it, and every right that is handed out.
#[must_use]
pub fn may_share(world: &World, user: Guid, row: &RowView, rights: u32) -> Verdict {
    let share = may(world, user, PrivilegeKind::Share, row);
    if share.allowed && rights & !rights_on(world, user, row) != 0 {
        return Verdict::refuse([Refusal::SharesMoreThanHeld]);
    }
    share
}

/// All rights a user has on a row, as bits of a share.
#[must_use]
pub fn rights_on(world: &World, user: Guid, row: &RowView) -> u32 {
    let held = PrivilegeKind::ALL.into_iter().filter(|kind| may(world, user, *kind, row).allowed);
    held.map(right_bit).fold(0, |bits, bit| bits | bit)
}

/// All rights a team has on a row by itself, as bits of a share: those of a user who sits in its unit, holds its roles, owns
/// what it owns and is given what it is given.
#[must_use]
pub fn team_rights_on(world: &World, team: Guid, row: &RowView) -> u32 {
    let mut world = world.clone();
    // A team's roles are measured from its unit, whatever the setting (security model 4.2).
    world.ownership_across_units = false;
    let unit = world.team(team).map(|team| team.unit).unwrap_or_default();
    world.users.push(User { id: team, name: String::new(), unit, disabled: false, manager: None, position: None });
    let held: Vec<_> = world.team_roles.iter().filter(|(of, _)| *of == team).copied().collect();
    world.user_roles.extend(held);
    rights_on(&world, team, row)
}

/// Whether `user` may point a lookup of the existing row `from` at the row `to`: Append here, AppendTo there. (Write on
/// `from` is asked for besides, by the update.)
#[must_use]
pub fn may_link(world: &World, user: Guid, from: &RowView, to: &RowView) -> Verdict {
    let append = may(world, user, PrivilegeKind::Append, from);
    if !append.allowed {
        return append;
    }
    let append_to = may(world, user, PrivilegeKind::AppendTo, to);
    if append_to.allowed { append } else { Verdict::refuse([Refusal::TargetNotReached]) }
}

/// Whether `user` may link two rows through an N:N relationship: Append on both.
#[must_use]
pub fn may_associate(world: &World, user: Guid, one: &RowView, other: &RowView) -> Verdict {
    for end in [one, other] {
        let append = may(world, user, PrivilegeKind::Append, end);
        if !append.allowed {
            return append;
        }
    }
    Verdict::allow([GrantPath::ThroughBothEnds])
}
