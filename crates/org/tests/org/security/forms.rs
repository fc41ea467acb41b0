//! Which forms the users of generated worlds get, against the oracle, over a real organisation.

use custodia_interface::{Display, FormKind, standard, write_form};
use custodia_oracle::{Asker, World, WorldForm, WorldTable, forms_of, main_forms};
use custodia_schema::{Guid, Value};

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
        store(&stage, &forms).await;
        for user in world.users.iter().filter(|user| !user.disabled && has_role(&world, user.id)) {
            let caller = stage.caller(Asker { user: user.id, caller: None });
            let accounts = stage.table(WorldTable::Account);
            let shown = stage.org.filtered_forms(&caller, accounts, FormKind::Main, None).await.unwrap();
            let shown: Vec<Guid> = shown.into_iter().map(|form| form.id).collect();
            let expected = forms_of(&world, &forms, user.id);
            assert_eq!(shown, expected, "world {seed}, {}", user.name);
            several += usize::from(shown.len() > 1);
            let is_bound = |id: &Guid| forms.iter().any(|form| form.id == *id && !form.roles.is_empty());
            fell_back += usize::from(!shown.iter().any(is_bound));
        }
        remove(&stage, &forms).await;
    }
    assert!(several > 10 && fell_back > 5, "{several} {fell_back}");
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
