//! Who sees what through the protocol: the users of generated worlds ask in every language it has, and the security oracle
//! says what they are to be shown. The tests of `org` do the same below the languages, with every plan and planted faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![recursion_limit = "256"]

mod asking;
mod cases;
mod leaks;
mod security;
#[path = "../../../org/tests/org/world.rs"]
#[allow(dead_code, unused_macros, reason = "the tests of `org` use the rest")]
mod world;

use std::collections::BTreeMap;

use custodia_oracle::{World, WorldTable};
use custodia_testbed::effort;

use crate::asking::{Asked, Changes, ask_everything, refuses_any};
use crate::cases::description;
use crate::security::load::Slip;
use crate::security::stage::{Sample, Stage, askers};
use crate::world::Engine;

/// How often each question has to be answered with rows, answered while its column is closed, and refused.
const OFTEN: u64 = 5;

/// What is done wrong while loading. The tests of `org` look for more of it.
const SLIPS: [Slip; 12] = [
    Slip::AccessTeamMembers,
    Slip::OwnerTeamMembers,
    Slip::FlatUnits,
    Slip::InheritedBits,
    Slip::ExplicitBits,
    Slip::TeamPrivilegesOnly,
    Slip::PrivilegesOfCopies,
    Slip::UnitOfRows,
    Slip::ColumnSharesOfTeams,
    Slip::ColumnSharesReadByUpdate,
    Slip::ColumnSharesOfAnotherRow,
    Slip::ColumnSharesOfAnotherColumn,
];

/// Worlds in which a world that was loaded wrongly must show.
const WORLDS_PER_SLIP: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_language_agrees_with_the_oracle_on_sqlite() {
    every_language_agrees_with_the_oracle(Engine::Sqlite, 0, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_language_agrees_with_the_oracle_on_postgres() {
    every_language_agrees_with_the_oracle(Engine::Postgres, 1_000_000, 30).await;
}

async fn every_language_agrees_with_the_oracle(engine: Engine, first: u64, worlds: u64) {
    let stage = Stage::new(engine).await;
    let mut asked: BTreeMap<&'static str, Asked> = BTreeMap::new();
    for seed in first..first + worlds * u64::from(effort()) {
        let changes = Changes::begin(&stage).await;
        let world = stage.world(seed, None).await;
        let differences = ask_some(&stage, &world, &changes, 8, &mut asked).await;
        let shown = &differences[..differences.len().min(5)];
        assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), shown.join("\n"));
    }
    let questions: u64 = asked.values().map(|asked| asked.with_rows + asked.refused).sum();
    let worlds = worlds * u64::from(effort());
    custodia_testbed::tell(&format!(
        "languages on {engine:?}: {questions} questions answered with rows or refused in {worlds} worlds"
    ));
    println!("{engine:?}: {:44} {:>8} {:>8} {:>8}", "", "rows", "closed", "refused");
    for (name, asked) in &asked {
        println!("{engine:?}: {name:44} {:>8} {:>8} {:>8}", asked.with_rows, asked.closed, asked.refused);
    }
    let rare: Vec<_> = asked
        .iter()
        .filter(|(_, asked)| {
            let closed_is_enough = asked.closed >= OFTEN || !asked.asks_for_secured;
            asked.with_rows < OFTEN || asked.refused < OFTEN || !closed_is_enough
        })
        .collect();
    assert!(asked.len() >= cases::KINDS, "only {} kinds of questions", asked.len());
    assert!(rare.is_empty(), "too rare to count as tested: {rare:?}");
}

/// Worlds that were loaded wrongly, as if the tables that rights are read from were not kept well: the comparison notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_slip_is_found_by_every_language() {
    let stage = Stage::new(Engine::Sqlite).await;
    let mut missed = Vec::new();
    for (at, slip) in SLIPS.into_iter().enumerate() {
        let mut found = false;
        for seed in 0..WORLDS_PER_SLIP {
            let changes = Changes::begin(&stage).await;
            let world = stage.world(1_000 * (at as u64 + 1) + seed, Some(slip)).await;
            let differences = ask_some(&stage, &world, &changes, 12, &mut BTreeMap::new()).await;
            if let Some(difference) = differences.first() {
                println!("{slip:?}: {difference}");
                found = true;
                break;
            }
        }
        if !found {
            missed.push(slip);
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// Asks everything in the name of who sees accounts and contacts, and of one in so many others; what differs, in words.
async fn ask_some(
    stage: &std::sync::Arc<Stage>,
    world: &World,
    changes: &Changes,
    one_in: usize,
    asked: &mut BTreeMap<&'static str, Asked>,
) -> Vec<String> {
    let mut turns = Sample::new(world.seed, one_in);
    let mut differences = Vec::new();
    for (turn, asker) in askers(world).into_iter().enumerate() {
        // Most are refused contacts or accounts; those who are not tell more, and those who may do nothing are rare.
        let sees_both = refuses_any(world, asker, &[WorldTable::Account, WorldTable::Contact]) == Some(false);
        let is_nobody = description(world, asker).is_some_and(|case| case.expected.is_none());
        if sees_both || is_nobody || turns.take() {
            let turn = turn + usize::try_from(world.seed % 64).unwrap();
            differences.extend(ask_everything(stage, world, asker, turn, changes, asked).await);
        }
    }
    differences
}
