//! How a user holds a privilege.

use custodia_schema::{Guid, Level};

use crate::{Refusal, World};

/// The privilege to act for another user.
pub const ACT_ON_BEHALF: &str = "prvActOnBehalfOfAnotherUser";

/// One way to hold a privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The role, by the topmost one.
    pub role: Guid,
    /// How far it reaches.
    pub level: Level,
    /// The unit it is measured from.
    pub base: Guid,
    /// The team whose role it is; `None` for a role of the user.
    pub team: Option<Guid>,
    /// The role gives team privileges only.
    pub team_privileges_only: bool,
}

impl Held {
    /// "Team privileges only" concerns Basic alone: such a grant covers nothing but the team's rows (security model 4.3).
    #[must_use]
    pub fn only_for_team(&self) -> Option<Guid> {
        self.team.filter(|_| self.team_privileges_only && self.level == Level::Basic)
    }
}

/// Every way in which a user holds a privilege, whether anything bars them or not.
#[must_use]
pub fn held(world: &World, user: Guid, privilege: &str) -> Vec<Held> {
    let Some(user) = world.user(user) else { return Vec::new() };
    let mut held = Vec::new();
    for (_, role) in world.user_roles.iter().filter(|(holder, _)| *holder == user.id) {
        let Some(role) = world.role(*role) else { continue };
        // Security model 3.2: normally the role is of the user's unit; across units, it is measured from its own.
        let base = if world.ownership_across_units { role.unit } else { user.unit };
        if let Some(level) = level_in(world, role.root, privilege) {
            held.push(Held { role: role.root, level, base, team: None, team_privileges_only: false });
        }
    }
    for team in world.teams_of(user.id) {
        held.extend(held_by_team(world, team.id, privilege));
    }
    held
}

/// Every way in which a team itself holds a privilege.
pub(crate) fn held_by_team(world: &World, team: Guid, privilege: &str) -> Vec<Held> {
    let Some(team) = world.team(team) else { return Vec::new() };
    let roles = world.team_roles.iter().filter(|(holder, _)| *holder == team.id);
    roles
        .filter_map(|(_, role)| {
            let role = world.role(*role)?;
            let level = level_in(world, role.root, privilege)?;
            // Security model 4.2: a team's role is measured from the team's unit.
            let team_privileges_only = role.team_privileges_only;
            Some(Held { role: role.root, level, base: team.unit, team: Some(team.id), team_privileges_only })
        })
        .collect()
}

fn level_in(world: &World, root: Guid, privilege: &str) -> Option<Level> {
    world.role(root)?.privileges.get(privilege).copied()
}

/// What bars a user from everything.
pub(crate) fn barred(world: &World, user: Guid) -> Option<Refusal> {
    if world.user(user).is_none_or(|user| user.disabled) {
        return Some(Refusal::Disabled);
    }
    let has_own = world.user_roles.iter().any(|(holder, _)| *holder == user);
    let has_team = world.teams_of(user).any(|team| world.team_roles.iter().any(|(holder, _)| *holder == team.id));
    if has_own || has_team { None } else { Some(Refusal::NoRoles) }
}
