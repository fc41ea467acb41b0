//! Who stands below whom, and what that opens (security model 7): every user's way up is walked, step by step.

use custodia_schema::{Guid, PrivilegeKind};

use crate::row::right_bit;
use crate::{GrantPath, Refusal, RowView, User, World};

/// By what people stand below others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HierarchyModel {
    /// By their managers, each of whom has to sit in the unit of whom they manage or above it.
    Managers,
    /// By their positions, wherever they sit.
    Positions,
}

/// Hierarchy security as an organisation has it switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hierarchy {
    /// By what.
    pub model: HierarchyModel,
    /// How many steps down it reaches.
    pub depth: u32,
}

impl Hierarchy {
    /// What an organisation in worlds may have: none, or one of the two models. The depth lets the deepest be out of reach.
    pub const ALL: [Option<Self>; 3] = [
        None,
        Some(Self { model: HierarchyModel::Managers, depth: 2 }),
        Some(Self { model: HierarchyModel::Positions, depth: 2 }),
    ];

    /// The one of the world of that seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Option<Self> {
        match seed % 4 {
            2 => Self::ALL[1],
            3 => Self::ALL[2],
            _ => Self::ALL[0],
        }
    }
}

/// What the hierarchy says of a right of `user` on a row: ways to be allowed, or what keeps it from being one.
pub(crate) fn through_reports(
    world: &World,
    user: &User,
    kind: PrivilegeKind,
    row: &RowView,
) -> (Vec<GrantPath>, Vec<Refusal>) {
    let (mut paths, mut refusals) = (Vec::new(), Vec::new());
    let Some(hierarchy) = world.hierarchy else { return (paths, refusals) };
    for report in world.users.iter().filter(|other| other.id != user.id) {
        let Some(steps) = steps_up(world, hierarchy.model, report, user) else { continue };
        let ways = ways_to(world, report, kind, row, steps);
        if ways.is_empty() {
            continue;
        }
        let reads = kind == PrivilegeKind::Read;
        let changes = matches!(kind, PrivilegeKind::Write | PrivilegeKind::Append | PrivilegeKind::AppendTo);
        if hierarchy.model == HierarchyModel::Managers && !world.is_within(report.unit, user.unit) {
            refusals.push(Refusal::ManagerElsewhere);
        } else if !reads && !changes {
            refusals.push(Refusal::NotForManagers);
        } else if steps > hierarchy.depth || changes && steps > 1 {
            refusals.push(Refusal::TooFarBelow);
        } else {
            paths.extend(ways);
        }
    }
    (paths, refusals)
}

/// How the row belongs to somebody below.
fn ways_to(world: &World, report: &User, kind: PrivilegeKind, row: &RowView, steps: u32) -> Vec<GrantPath> {
    let mut ways = Vec::new();
    let in_team = |team: Guid| world.teams_of(report.id).any(|of| of.id == team);
    if row.owner == Some(report.id) {
        ways.push(if steps == 1 { GrantPath::OwnedByReport } else { GrantPath::OwnedFurtherBelow });
    }
    if row.owner.is_some_and(in_team) {
        ways.push(GrantPath::OwnedByTeamOfReport);
    }
    // By hand: what came down from a parent row is not the report's to pass on.
    let mut shares = world.shares.iter().filter(|share| share.record == row.id);
    if shares.any(|share| {
        share.explicit & right_bit(kind) != 0 && (share.principal == report.id || in_team(share.principal))
    }) {
        ways.push(GrantPath::SharedWithReport);
    }
    ways
}

/// How many steps lead from somebody up to `user`; none when the way does not.
fn steps_up(world: &World, model: HierarchyModel, from: &User, user: &User) -> Option<u32> {
    let mut steps = 0;
    match model {
        HierarchyModel::Managers => {
            let mut at = from;
            while at.id != user.id {
                at = world.user(at.manager?)?;
                steps += 1;
            }
        }
        HierarchyModel::Positions => {
            let (mut at, goal) = (from.position?, user.position?);
            if at == goal {
                return None;
            }
            while at != goal {
                at = world.positions.iter().find(|position| position.id == at)?.parent?;
                steps += 1;
            }
        }
    }
    Some(steps)
}
