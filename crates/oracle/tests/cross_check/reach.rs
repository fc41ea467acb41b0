//! Carries a predicate out over the rows of a world, as a statement would.

use custodia_access::{Chain, Own, Reports, RowAccess, RowArms};
use custodia_oracle::{RowView, TeamKind, User, World};
use custodia_schema::{Guid, Schema};

use crate::fault::Fault;

/// Whether the row satisfies the predicate.
pub fn reaches(world: &World, schema: &Schema, access: &RowAccess, row: &RowView, fault: Option<Fault>) -> bool {
    match access {
        RowAccess::All => true,
        RowAccess::Arms(arms) => reaches_by_arm(world, arms, row, fault),
        // No world of this test has an audit.
        RowAccess::Telling(_) => false,
        RowAccess::Every(all) => all.iter().all(|access| reaches(world, schema, access, row, fault)),
        RowAccess::Parent(entries) => {
            let table = schema.table_named(row.table.name()).unwrap();
            let first = entries.iter().find_map(|entry| {
                let column = &table.column_by_id(entry.lookup).unwrap().name;
                let parent = lookup_value(world, row, column)?;
                (schema.table_named(parent.table.name()).unwrap().id == entry.table).then_some((entry, parent))
            });
            first.is_some_and(|(entry, parent)| {
                entry.access.as_ref().is_some_and(|access| reaches(world, schema, access, &parent, fault))
            })
        }
    }
}

/// The row a lookup column of a line, or an end column of a link, points at.
fn lookup_value(world: &World, row: &RowView, column: &str) -> Option<RowView> {
    let id = match world.links.iter().find(|link| link.id == row.id) {
        Some(link) if column == "opportunityid" => link.opportunity,
        Some(link) if column == "competitorid" => link.competitor,
        _ => world.record(row.id)?.lookups.iter().find(|lookup| lookup.column == column)?.id,
    };
    world.row(id)
}

fn reaches_by_arm(world: &World, arms: &RowArms, row: &RowView, fault: Option<Fault>) -> bool {
    // The membership table: the user and all teams of the user.
    let is_member =
        |principal: Guid| principal == arms.user || world.teams_of(arms.user).any(|team| team.id == principal);
    let user_unit = world.user(arms.user).unwrap().unit;

    let own = match &arms.own {
        Own::UserAndTeams | Own::UserAnd(_) if fault == Some(Fault::TeamOwnershipIgnored) => {
            row.owner == Some(arms.user)
        }
        Own::UserAnd(teams) => row.owner.is_some_and(|owner| owner == arms.user || teams.contains(&owner)),
        Own::UserAndTeams => row.owner.is_some_and(is_member),
        Own::Teams(teams) => row.owner.is_some_and(|owner| teams.contains(&owner)),
        Own::Itself => row.owner == Some(arms.user),
        Own::Self_ => row.id == arms.user,
        Own::Nobody => false,
    };
    let own = own && (fault != Some(Fault::OwnershipOnlyInOwnUnit) || row.unit == Some(user_unit));

    let unit = if fault == Some(Fault::OwnersUnitInsteadOfRows) {
        let owner = row.owner;
        let of_user = world.users.iter().find(|user| Some(user.id) == owner).map(|user| user.unit);
        of_user.or_else(|| world.teams.iter().find(|team| Some(team.id) == owner).map(|team| team.unit)).or(row.unit)
    } else {
        row.unit
    };
    let in_unit = unit.is_some_and(|unit| arms.units.contains(&unit));
    let in_subtree = unit.is_some_and(|unit| {
        arms.subtrees.iter().any(|top| match fault {
            Some(Fault::SubtreeUpwards) => world.is_within(*top, unit),
            _ => world.is_within(unit, *top),
        })
    });

    let shared = arms.shared.is_some_and(|right| {
        world.shares.iter().filter(|share| share.record == row.id && is_member(share.principal)).any(|share| {
            let kind = world.team(share.principal).map(|team| team.kind);
            if fault == Some(Fault::AccessTeamSharesIgnored) && kind == Some(TeamKind::Access)
                || fault == Some(Fault::OwnerTeamSharesIgnored)
                    && matches!(kind, Some(TeamKind::Owner | TeamKind::Default))
            {
                return false;
            }
            let explicit = if fault == Some(Fault::ExplicitBitsIgnored) { 0 } else { share.explicit };
            let inherited = if fault == Some(Fault::InheritedBitsIgnored) { 0 } else { share.inherited };
            (explicit | inherited) & right.0 != 0
        })
    });
    let below = arms.reports.is_some_and(|reports| reaches_by_reports(world, arms, reports, row, fault));
    own || in_unit || in_subtree || shared || below
}

/// As the statement does it: the chain's closure joined with the membership table.
fn reaches_by_reports(world: &World, arms: &RowArms, reports: Reports, row: &RowView, fault: Option<Fault>) -> bool {
    let below = |report: &User| {
        let (mut at, goal) = match reports.chain {
            Chain::Managers { .. } => (report.manager, arms.user),
            Chain::Positions(position) => {
                let parent = |id| world.positions.iter().find(|p| p.id == id).unwrap().parent;
                (report.position.and_then(parent), position)
            }
        };
        let mut distance = 1;
        while let Some(above) = at {
            if above == goal {
                return distance <= reports.depth;
            }
            distance += 1;
            at = match reports.chain {
                Chain::Managers { .. } => world.user(above).unwrap().manager,
                Chain::Positions(_) => world.positions.iter().find(|p| p.id == above).unwrap().parent,
            };
        }
        false
    };
    let sits = |report: &User| match reports.chain {
        Chain::Managers { within: Some(unit) } => world.is_within(report.unit, unit),
        _ => true,
    };
    world.users.iter().filter(|report| below(report) && sits(report)).any(|report| {
        let acts_as = |principal: Guid| {
            principal == report.id
                || fault != Some(Fault::TeamsOfReportsIgnored)
                    && world.teams_of(report.id).any(|team| team.id == principal)
        };
        let shared = || {
            let right = arms.shared.map_or(0, |right| right.0);
            let right = if fault == Some(Fault::SharesOfReportsWithAnyRight) { u32::MAX } else { right };
            world.shares.iter().filter(|share| share.record == row.id && acts_as(share.principal)).any(|share| {
                let inherited = if fault == Some(Fault::InheritedSharesOfReportsCount) { share.inherited } else { 0 };
                (share.explicit | inherited) & right != 0
            })
        };
        row.owner.is_some_and(acts_as) || fault != Some(Fault::SharesOfReportsIgnored) && shared()
    })
}
