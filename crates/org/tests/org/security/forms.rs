//! Which forms the users of generated worlds get, against the oracle, over a real organisation.

use custodia_interface::{Display, FormKind, standard, write_form};
use custodia_oracle::{Asker, World, WorldForm, WorldTable, forms_of, main_forms};
use custodia_schema::{Guid, Value};

use crate::security::load::Slip;
use crate::security::stage::Stage;
use crate::world::Engine;

/// Worlds of one engine.
const WORLDS: u64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_are_those_of_the_oracle_on_sqlite() {
    forms_are_those_of_the_oracle(Engine::Sqlite, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_are_those_of_the_oracle_on_postgres() {
    forms_are_those_of_the_oracle(Engine::Postgres, 1_000_000).await;
}

async fn forms_are_those_of_the_oracle(engine: Engine, first: u64) {
    let stage = Stage::new(engine).await;
    let (mut several, mut fell_back) = (0, 0);
    for seed in first..first + WORLDS * u64::from(custodia_testbed::effort()) {
        let world = stage.world(seed, None).await;
        let forms = main_forms(&world);
        for (user, expected, shown) in ask(&stage, &world, &forms, None).await {
            assert_eq!(shown, expected, "world {seed}, {user}");
            several += usize::from(shown.len() > 1);
            let is_bound = |id: &Guid| forms.iter().any(|form| form.id == *id && !form.roles.is_empty());
            fell_back += usize::from(!shown.iter().any(is_bound));
        }
    }
    assert!(several > 10 && fell_back > 5, "{several} {fell_back}");
}

/// Something wrong, planted in how forms are stored or in who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// All forms have the same place.
    OrderForgotten,
    /// Forms are bound to no role.
    RolesForgotten,
    /// No form is open to everybody.
    EveryoneForgotten,
    /// Inactive forms are active.
    InactiveShown,
    /// Every form is one to fall back on.
    FallbackForAll,
    /// The forms are those of another user.
    OfAnotherUser,
    /// What a role gives that is held through a team does not count.
    TeamsForgotten,
}

impl Wrong {
    const ALL: [Self; 7] = [
        Self::OrderForgotten,
        Self::RolesForgotten,
        Self::EveryoneForgotten,
        Self::InactiveShown,
        Self::FallbackForAll,
        Self::OfAnotherUser,
        Self::TeamsForgotten,
    ];

    fn bend(self, form: &WorldForm) -> WorldForm {
        let mut form = form.clone();
        match self {
            Self::OrderForgotten => form.order = 0,
            Self::RolesForgotten => form.roles.clear(),
            Self::EveryoneForgotten => form.everyone = false,
            Self::InactiveShown => form.active = true,
            Self::FallbackForAll => form.fallback = true,
            Self::OfAnotherUser | Self::TeamsForgotten => {}
        }
        form
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_about_forms_is_found() {
    let stage = Stage::new(Engine::Sqlite).await;
    let mut missed = Vec::new();
    for (at, wrong) in Wrong::ALL.into_iter().enumerate() {
        let slip = (wrong == Wrong::TeamsForgotten).then_some(Slip::OwnerTeamMembers);
        let mut found = None;
        for seed in 0..WORLDS {
            let world = stage.world(1_000 * (at as u64 + 1) + seed, slip).await;
            let forms = main_forms(&world);
            let answers = ask(&stage, &world, &forms, Some(wrong)).await;
            found = answers.into_iter().find(|(_, expected, shown)| expected != shown);
            if found.is_some() {
                break;
            }
        }
        match found {
            Some(difference) => println!("{wrong:?}: {difference:?}"),
            None => missed.push(wrong),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// For every user who can be shown anything, the forms that are to be shown and those that are.
async fn ask(
    stage: &Stage,
    world: &World,
    forms: &[WorldForm],
    wrong: Option<Wrong>,
) -> Vec<(String, Vec<Guid>, Vec<Guid>)> {
    let stored: Vec<WorldForm> =
        forms.iter().map(|form| wrong.map_or(form.clone(), |wrong| wrong.bend(form))).collect();
    store(stage, &stored).await;
    let asking: Vec<_> = world.users.iter().filter(|user| !user.disabled && has_role(world, user.id)).collect();
    let mut answers = Vec::new();
    for (at, user) in asking.iter().enumerate() {
        let asks = if wrong == Some(Wrong::OfAnotherUser) { asking[(at + 1) % asking.len()] } else { user };
        let caller = stage.caller(Asker { user: asks.id, caller: None });
        let accounts = stage.table(WorldTable::Account);
        let shown = match stage.org.filtered_forms(&caller, accounts, FormKind::Main, None).await {
            Ok(shown) => shown.into_iter().map(|form| form.id).collect(),
            // Who lost their only role with a team is refused altogether.
            Err(custodia_org::Error::Denied(_)) if wrong.is_some() => Vec::new(),
            Err(error) => panic!("{error}"),
        };
        answers.push((user.name.clone(), forms_of(world, forms, user.id), shown));
    }
    remove(stage, &stored).await;
    answers
}

fn has_role(world: &World, user: Guid) -> bool {
    let through_team = |team: Guid| world.team(team).is_some_and(|team| team.members.contains(&user));
    world.user_roles.iter().any(|(holder, _)| *holder == user)
        || world.team_roles.iter().any(|(team, _)| through_team(*team))
}

/// Stores a world's forms in place of those of the account table, which would be shown beside them.
async fn store(stage: &Stage, forms: &[WorldForm]) {
    let admin = stage.made.admin();
    let kept = standard().forms.iter().find(|form| form.table == "account" && form.kind == FormKind::Main).unwrap();
    // The one to fall back on comes first: a table is never without.
    let mut order: Vec<&WorldForm> = forms.iter().collect();
    order.sort_by_key(|form| !(form.active && form.fallback));
    for form in order {
        let display =
            Display { everyone: form.everyone, roles: form.roles.clone(), order: form.order, fallback: form.fallback };
        let written = custodia_interface::Form { id: form.id, name: form.name.clone(), display, ..kept.clone() };
        let columns = [
            ("name", Value::Text(form.name.clone())),
            ("objecttypecode", Value::Text("account".into())),
            ("type", Value::Integer(2)),
            ("formactivationstate", Value::Integer(i32::from(form.active))),
            ("formxml", Value::Text(write_form(stage.table(WorldTable::Account), &written))),
        ];
        let mut input = stage.made.input("systemform", &columns);
        input.id = Some(form.id);
        stage.org.create(&admin, input).await.unwrap();
    }
    activate(stage, kept.id, 0).await;
}

/// Removes them again.
async fn remove(stage: &Stage, forms: &[WorldForm]) {
    let kept = standard().forms.iter().find(|form| form.table == "account" && form.kind == FormKind::Main).unwrap();
    activate(stage, kept.id, 1).await;
    for form in forms {
        let target = stage.made.reference("systemform", form.id);
        stage.org.delete(&stage.made.admin(), target, custodia_org::Precondition::None).await.unwrap();
    }
}

async fn activate(stage: &Stage, form: Guid, state: i32) {
    let input = stage.made.input("systemform", &[("formactivationstate", Value::Integer(state))]);
    let target = stage.made.reference("systemform", form);
    let admin = stage.made.admin();
    stage.org.update(&admin, target, input, custodia_org::Precondition::Exists).await.unwrap();
}
