//! Which forms a user gets, as the sentences of docs/forms.md say it.

use custodia_schema::Guid;

use crate::World;
use crate::random::Random;
use crate::world::TeamKind;

/// A main form of the account table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldForm {
    /// `formid`.
    pub id: Guid,
    /// `name`, unique over all worlds.
    pub name: String,
    /// `formactivationstate`.
    pub active: bool,
    /// Open to everybody.
    pub everyone: bool,
    /// The roles that it is bound to, by their topmost roles.
    pub roles: Vec<Guid>,
    /// Its place.
    pub order: u32,
    /// Shown to whom no other form is.
    pub fallback: bool,
}

/// Forms for a world, the same for the same world: bound to its roles, some open to everybody, some inactive, some of equal
/// place, and at least one active one to fall back on, without which an organisation stores none.
#[must_use]
pub fn main_forms(world: &World) -> Vec<WorldForm> {
    let mut random = Random::new(world.seed ^ 0x666f_726d_7320_6f66);
    let roots: Vec<Guid> = world.roles.iter().filter(|role| role.root == role.id).map(|role| role.id).collect();
    let mut forms: Vec<WorldForm> = (0..random.between(2, 5))
        .map(|number| {
            let mut roles: Vec<Guid> = (0..random.below(3)).filter_map(|_| random.pick(&roots).copied()).collect();
            roles.sort_unstable();
            roles.dedup();
            WorldForm {
                id: random.guid(),
                name: format!("World {} form {number}", world.seed),
                active: random.percent(75),
                everyone: random.percent(15),
                roles,
                order: u32::try_from(random.below(4)).unwrap_or(0),
                fallback: random.percent(35),
            }
        })
        .collect();
    if !forms.iter().any(|form| form.active && form.fallback)
        && let Some(first) = forms.first_mut()
    {
        (first.active, first.fallback) = (true, true);
    }
    forms
}

/// The forms that a user gets, the default first.
#[must_use]
pub fn forms_of(world: &World, forms: &[WorldForm], user: Guid) -> Vec<Guid> {
    // A role is held by oneself, or through a team that can hold roles.
    let own = world.user_roles.iter().filter(|(holder, _)| *holder == user).map(|(_, role)| *role);
    let through_teams = world.team_roles.iter().filter(|(team, _)| {
        world.team(*team).is_some_and(|team| team.kind != TeamKind::Access && team.members.contains(&user))
    });
    let held: Vec<Guid> = own.chain(through_teams.map(|(_, role)| *role)).collect();
    // A copy of a role is the role.
    let is_held = |root: Guid| held.iter().any(|role| world.role(*role).is_some_and(|role| role.root == root));

    let mut sorted: Vec<&WorldForm> = forms.iter().collect();
    sorted.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
    let mut shown = Vec::new();
    for form in &sorted {
        // An inactive form is never shown.
        if form.active && (form.everyone || form.roles.iter().any(|role| is_held(*role))) {
            shown.push(form.id);
        }
    }
    if shown.is_empty() {
        for form in &sorted {
            if form.active && form.fallback {
                shown.push(form.id);
            }
        }
    }
    shown
}
