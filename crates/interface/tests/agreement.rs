//! Which forms somebody gets, against the oracle: over generated worlds, and with wrong rules that must be noticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use custodia_interface::{Display, Holder, visible_forms};
use custodia_oracle::{TeamKind, World, WorldForm, forms_of, main_forms};
use custodia_schema::Guid;
use custodia_testbed::effort;

/// A wrong rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TeamRolesForgotten,
    OwnRolesForgotten,
    AccessTeamMembersWithoutTheirRoles,
    CopiesNotComparedByRoot,
    InactiveShown,
    FallbackBesideOthers,
    FallbackForgotten,
    FallbackIsOpen,
    EveryoneForgotten,
    AnyBoundFormIsOpen,
    OrderForgotten,
    OrderReversed,
    NamesForgotten,
    FirstRoleOnly,
}

const FAULTS: [Fault; 14] = [
    Fault::TeamRolesForgotten,
    Fault::OwnRolesForgotten,
    Fault::AccessTeamMembersWithoutTheirRoles,
    Fault::CopiesNotComparedByRoot,
    Fault::InactiveShown,
    Fault::FallbackBesideOthers,
    Fault::FallbackForgotten,
    Fault::FallbackIsOpen,
    Fault::EveryoneForgotten,
    Fault::AnyBoundFormIsOpen,
    Fault::OrderForgotten,
    Fault::OrderReversed,
    Fault::NamesForgotten,
    Fault::FirstRoleOnly,
];

const WORLDS: u64 = 2_000;
const WORLDS_PER_FAULT: u64 = 150;

/// What the program knows of a user when it chooses.
fn holder(world: &World, user: Guid, fault: Option<Fault>) -> Holder {
    let root = |role: &Guid| match fault {
        Some(Fault::CopiesNotComparedByRoot) => *role,
        _ => world.role(*role).unwrap().root,
    };
    let is_member = |team: &Guid| {
        let team = world.team(*team).unwrap();
        let in_access_team = world.teams_of(user).any(|team| team.kind == TeamKind::Access);
        team.members.contains(&user) && !(fault == Some(Fault::AccessTeamMembersWithoutTheirRoles) && in_access_team)
    };
    let mut holder = Holder::default();
    if fault != Some(Fault::OwnRolesForgotten) {
        let own = world.user_roles.iter().filter(|(holder, _)| *holder == user);
        holder.roots.extend(own.map(|(_, role)| root(role)));
    }
    if fault != Some(Fault::TeamRolesForgotten) {
        let held = world.team_roles.iter().filter(|(team, _)| is_member(team));
        holder.roots.extend(held.map(|(_, role)| root(role)));
    }
    holder
}

fn chosen(world: &World, forms: &[WorldForm], user: Guid, fault: Option<Fault>) -> Vec<Guid> {
    let active: Vec<&WorldForm> =
        forms.iter().filter(|form| form.active || fault == Some(Fault::InactiveShown)).collect();
    let displays: Vec<Display> = active
        .iter()
        .map(|form| {
            let open = fault == Some(Fault::FallbackIsOpen) && form.fallback
                || fault == Some(Fault::AnyBoundFormIsOpen) && !form.roles.is_empty();
            let roles = if fault == Some(Fault::FirstRoleOnly) { 1 } else { form.roles.len() };
            Display {
                everyone: open || form.everyone && fault != Some(Fault::EveryoneForgotten),
                roles: form.roles.iter().copied().take(roles).collect(),
                order: match fault {
                    Some(Fault::OrderForgotten) => 0,
                    Some(Fault::OrderReversed) => u32::MAX - form.order,
                    _ => form.order,
                },
                fallback: form.fallback && fault != Some(Fault::FallbackForgotten),
            }
        })
        .collect();
    let name =
        |form: &'_ WorldForm| if fault == Some(Fault::NamesForgotten) { String::new() } else { form.name.clone() };
    let names: Vec<String> = active.iter().map(|form| name(form)).collect();
    let candidates: Vec<_> = displays
        .iter()
        .zip(&names)
        .zip(&active)
        .map(|((display, name), form)| (display, name.as_str(), form.id))
        .collect();
    let holder = holder(world, user, fault);
    let mut shown = visible_forms(&candidates, &holder);
    if fault == Some(Fault::FallbackBesideOthers) {
        shown.extend((0..active.len()).filter(|at| active[*at].fallback));
        shown.sort_unstable_by_key(|at| (displays[*at].order, &names[*at]));
        shown.dedup();
    }
    shown.into_iter().map(|at| active[at].id).collect()
}

/// The users of a world for whom rule and oracle differ.
fn differences(seed: u64, fault: Option<Fault>) -> usize {
    let world = World::generate(seed, None);
    let forms = main_forms(&world);
    let differs = |user: &Guid| chosen(&world, &forms, *user, fault) != forms_of(&world, &forms, *user);
    world.users.iter().map(|user| user.id).filter(differs).count()
}

#[test]
fn forms_are_chosen_as_the_oracle_says() {
    let (mut asked, mut fell_back, mut several) = (0, 0, 0);
    for seed in 0..WORLDS * u64::from(effort()) {
        assert_eq!(differences(seed, None), 0, "world {seed}");
        let world = World::generate(seed, None);
        let forms = main_forms(&world);
        for user in &world.users {
            let shown = forms_of(&world, &forms, user.id);
            assert!(!shown.is_empty(), "nobody is left without a form");
            let of = |id: &Guid| forms.iter().find(|form| form.id == *id).unwrap();
            let holder = holder(&world, user.id, None);
            let bound = |form: &WorldForm| form.everyone || form.roles.iter().any(|role| holder.roots.contains(role));
            asked += 1;
            fell_back += usize::from(!shown.iter().any(|id| bound(of(id))));
            several += usize::from(shown.len() > 1);
        }
    }
    assert!(asked > 5_000 && fell_back > 500 && several > 500, "{asked} {fell_back} {several}");
}

#[test]
fn every_wrong_rule_is_noticed() {
    for fault in FAULTS {
        let noticed: usize = (0..WORLDS_PER_FAULT).map(|seed| differences(seed, Some(fault))).sum();
        assert!(noticed > 0, "{fault:?} was not noticed in {WORLDS_PER_FAULT} worlds");
    }
}
