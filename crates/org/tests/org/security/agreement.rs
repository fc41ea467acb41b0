//! The comparison over many worlds, each way a question can take.

use std::collections::BTreeMap;
use std::sync::Arc;

use custodia_oracle::{Coverage, GrantPath, Hierarchy, HierarchyModel, Operation, Refusal, TextSight, World};
use custodia_store::Plan;
use custodia_testbed::effort;
use futures::StreamExt;

use crate::security::attempts::{Attempt, Outcome};
use crate::security::fault::Fault;
use crate::security::load::Slip;
use crate::security::reader::{Reader, Way};
use crate::security::stage::{Sample, Stage};
use crate::security::{attempts, reads};
use crate::world::Engine;

/// How often a thing must have occurred to count as tested.
const OFTEN: u64 = 100;

/// Worlds stored together before they are asked: while worlds are being stored, rights are never settled.
const WORLDS_AT_ONCE: u64 = 50;

/// How much more seldom than others the seldom ones may be.
const SELDOM: u64 = 5;

/// Worlds asked at the same time: while one waits for the database, another one works out what is right.
const COMPARED_AT_ONCE: usize = 4;

/// Attempts of one world that wait for the gate at the same time.
const ATTEMPTS_AT_ONCE: usize = 24;

/// Worlds in which a planted fault must show.
const WORLDS_PER_FAULT: u64 = 25;

/// How much is asked of one engine.
struct Extent {
    engine: Engine,
    /// The first world's seed: the engines get different worlds.
    first: u64,
    worlds: u64,
    /// One in so many questions about rows, and attempts to change something.
    reads_one_in: usize,
    attempts_one_in: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_agrees_with_the_oracle_on_sqlite() {
    let extent = Extent { engine: Engine::Sqlite, first: 0, worlds: 1_200, reads_one_in: 5, attempts_one_in: 12 };
    the_gate_agrees_with_the_oracle(extent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_agrees_with_the_oracle_on_postgres() {
    let extent =
        Extent { engine: Engine::Postgres, first: 1_000_000, worlds: 800, reads_one_in: 9, attempts_one_in: 12 };
    the_gate_agrees_with_the_oracle(extent).await;
}

async fn the_gate_agrees_with_the_oracle(extent: Extent) {
    let stages = Stages::new(extent.engine).await;
    let mut coverage = Coverage::default();
    let mut tried: BTreeMap<&'static str, [u64; 2]> = BTreeMap::new();
    let last = extent.first + extent.worlds * u64::from(effort());
    let mut next = extent.first;
    while next < last {
        let seeds = next..last.min(next + WORLDS_AT_ONCE);
        next = seeds.end;
        let worlds = futures::future::join_all(seeds.map(|seed| stages.of_seed(seed).world(seed, None))).await;
        let compared = worlds.into_iter().map(|world| {
            let stage = Arc::clone(stages.of_seed(world.seed));
            // A task of its own, so that every processor works.
            tokio::spawn(compare_world(stage, world, extent.reads_one_in, extent.attempts_one_in))
        });
        let mut compared = futures::stream::iter(compared).buffer_unordered(COMPARED_AT_ONCE);
        while let Some(compared) = compared.next().await {
            let compared = compared.unwrap();
            assert_none(&compared.differences);
            coverage.add(&compared.coverage);
            for (word, [refused, allowed]) in compared.tried {
                let slot = tried.entry(word).or_default();
                *slot = [slot[0] + refused, slot[1] + allowed];
            }
        }
    }
    let (questions, worlds) = (coverage.questions(), last - extent.first);
    custodia_testbed::tell(&format!(
        "gate on {:?}: {questions} questions about rights in {worlds} worlds",
        extent.engine
    ));
    println!("{}", coverage.report());
    println!("{:32} {:>10} {:>10}", "tried", "allowed", "refused");
    for (word, [refused, allowed]) in &tried {
        println!("{word:32} {allowed:>10} {refused:>10}");
    }
    assert_everything_occurred(&coverage, &tried);
}

/// What came of one world.
#[derive(Default)]
struct Compared {
    differences: Vec<String>,
    coverage: Coverage,
    tried: BTreeMap<&'static str, [u64; 2]>,
}

async fn compare_world(stage: Arc<Stage>, world: World, reads_one_in: usize, attempts_one_in: usize) -> Compared {
    let mut compared = Compared::default();
    let mut reader = Reader::new(&stage, &world, Way::Gate);
    compared.differences = reads::compare(&mut reader, &mut compared.coverage, reads_one_in).await;
    let outcomes = try_some(&stage, &world, attempts_one_in).await;
    compared.differences.extend(judge(&world, &outcomes, &mut compared.coverage, &mut compared.tried));
    compared
}

/// Organisations with and without hierarchy security: a world is hung into the one that its seed chooses.
struct Stages(Vec<Arc<Stage>>);

impl Stages {
    async fn new(engine: Engine) -> Self {
        let made = Hierarchy::ALL.map(|hierarchy| Stage::with_hierarchy(engine, hierarchy));
        Self(futures::future::join_all(made).await)
    }

    fn of_seed(&self, seed: u64) -> &Arc<Stage> {
        self.with(Hierarchy::of_seed(seed))
    }

    fn with(&self, hierarchy: Option<Hierarchy>) -> &Arc<Stage> {
        self.0.iter().find(|stage| stage.hierarchy == hierarchy).unwrap()
    }
}

/// Tries some of what can be tried in a world, many at a time. Most attempts are refused, some kinds are rare: those that
/// the oracle allows and those that are rare are taken more often.
async fn try_some(stage: &Arc<Stage>, world: &World, one_in: usize) -> Vec<(Attempt, Outcome, Outcome)> {
    let mut turns = Sample::new(!world.seed, one_in);
    let mut some = Vec::new();
    for attempt in attempts::of(world) {
        let is_rare = attempt.is_rare(world);
        if if is_rare { turns.below(one_in) < 6 } else { turns.take() } {
            let expected = attempt.expected(world);
            if is_rare || expected != Outcome::Refused || turns.below(8) == 0 {
                some.push((attempt, expected));
            }
        }
    }
    let tries = some
        .into_iter()
        .map(|(attempt, expected)| async move { (attempt, expected, attempt.tried(stage, world).await) });
    futures::stream::iter(tries).buffer_unordered(ATTEMPTS_AT_ONCE).collect().await
}

fn judge(
    world: &World,
    outcomes: &[(Attempt, Outcome, Outcome)],
    coverage: &mut Coverage,
    tried: &mut BTreeMap<&'static str, [u64; 2]>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for (attempt, expected, outcome) in outcomes {
        if let Some(question) = attempt.question() {
            coverage.count(question.operation(), &world.answer(&question));
        }
        tried.entry(attempt.word()).or_default()[usize::from(*expected != Outcome::Refused)] += 1;
        if outcome != expected {
            differences
                .push(format!("world {}, {attempt:?}:\n  expected {expected:?}\n  found {outcome:?}", world.seed));
        }
    }
    differences
}

fn assert_none(differences: &[String]) {
    let shown = &differences[..differences.len().min(10)];
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), shown.join("\n"));
}

fn assert_everything_occurred(coverage: &Coverage, tried: &BTreeMap<&'static str, [u64; 2]>) {
    let mut rare = Vec::new();
    let mut often = |what: String, count: u64| {
        if count < OFTEN {
            rare.push(format!("{what}: {count}"));
        }
    };
    for operation in Operation::all() {
        often(format!("{operation:?} allowed"), coverage.allowed(operation));
        often(format!("{operation:?} refused"), coverage.refused(operation));
    }
    for path in GrantPath::OF_ROWS {
        // Two levels of a hierarchy that reaches so far down, and Read alone: it is seldom, and met in every run.
        let weight = if path == GrantPath::OwnedFurtherBelow { SELDOM } else { 1 };
        often(format!("{path:?}"), coverage.path(path) * weight);
        // "Elsewhere" always comes with "owned": it only says where.
        if path != GrantPath::OwnedByUserElsewhere {
            often(format!("{path:?} alone"), coverage.only_path(path) * weight);
        }
    }
    for path in [
        GrantPath::NewForSelf,
        GrantPath::NewForOwnTeam,
        GrantPath::NewForTeamOnly,
        GrantPath::NewForOther,
        GrantPath::ColumnOfUserProfile,
        GrantPath::ColumnOfTeamProfile,
        GrantPath::ColumnSharedWithUser,
        GrantPath::ColumnSharedWithTeam,
        GrantPath::ColumnSharedWithAccessTeam,
    ] {
        often(format!("{path:?}"), coverage.path(path));
    }
    for refusal in Refusal::ALL {
        often(format!("{refusal:?}"), coverage.refusal(refusal));
    }
    for sight in [TextSight::Hidden, TextSight::Masked, TextSight::Clear] {
        often(format!("masked text {sight:?}"), coverage.sight(sight));
    }
    for (word, [refused, allowed]) in tried {
        often(format!("{word}: allowed"), *allowed);
        often(format!("{word}: refused"), *refused);
    }
    assert!(rare.is_empty(), "too rare to count as tested:\n{}", rare.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_plan_answers_the_same_on_sqlite() {
    every_plan_answers_the_same(Engine::Sqlite, 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_plan_answers_the_same_on_postgres() {
    every_plan_answers_the_same(Engine::Postgres, 5).await;
}

/// All plans answer as the oracle does, and so the same.
async fn every_plan_answers_the_same(engine: Engine, worlds: u64) {
    let stages = Stages::new(engine).await;
    for seed in 0..worlds * u64::from(effort()) {
        let stage = stages.of_seed(seed);
        let world = stage.world(seed, None).await;
        for plan in [Plan::Ordered, Plan::Sweep, Plan::Union] {
            let mut reader = Reader::new(stage, &world, Way::Store(plan, None));
            let differences = reads::compare(&mut reader, &mut Coverage::default(), 1).await;
            assert!(differences.is_empty(), "{plan:?}: {}", differences.join("\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_fault_is_found_on_sqlite() {
    every_planted_fault_is_found(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_fault_is_found_on_postgres() {
    every_planted_fault_is_found(Engine::Postgres).await;
}

async fn every_planted_fault_is_found(engine: Engine) {
    let stages = Stages::new(engine).await;
    let seeds = 0..WORLDS_PER_FAULT;
    let worlds = futures::future::join_all(seeds.map(|seed| stages.of_seed(seed).world(seed, None))).await;
    let asked: Arc<Vec<(Arc<Stage>, World)>> =
        Arc::new(worlds.into_iter().map(|world| (Arc::clone(stages.of_seed(world.seed)), world)).collect());
    let searches = Fault::ALL.into_iter().map(|fault| {
        let asked = Arc::clone(&asked);
        tokio::spawn(async move { (format!("{fault:?}"), difference_by(fault, &asked).await) })
    });
    let searches = futures::stream::iter(searches).buffer_unordered(COMPARED_AT_ONCE);
    let mut found: Vec<(String, Option<String>)> = searches.map(Result::unwrap).collect().await;

    let of_managers = Slip::OF_MANAGERS.map(|slip| (slip, Some(HierarchyModel::Managers)));
    let of_positions = Slip::OF_POSITIONS.map(|slip| (slip, Some(HierarchyModel::Positions)));
    let slips = Slip::ALL.map(|slip| (slip, None)).into_iter().chain(of_managers).chain(of_positions);
    for (at, (slip, model)) in slips.enumerate() {
        let hierarchy = Hierarchy::ALL.into_iter().find(|hierarchy| hierarchy.map(|h| h.model) == model).unwrap();
        let stage = stages.with(hierarchy);
        let mut difference = None;
        for seed in 0..WORLDS_PER_FAULT {
            let world = stage.world(1_000 * (at as u64 + 1) + seed, Some(slip)).await;
            let mut reader = Reader::new(stage, &world, Way::Gate);
            let differences = reads::compare(&mut reader, &mut Coverage::default(), 2).await;
            difference = first_of(&differences);
            if difference.is_some() {
                break;
            }
        }
        found.push((format!("{slip:?}"), difference));
    }
    let missed: Vec<&String> =
        found.iter().filter(|(_, difference)| difference.is_none()).map(|(wrong, _)| wrong).collect();
    for (wrong, difference) in &found {
        println!("{wrong}: {}", difference.as_deref().unwrap_or("not found"));
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// The first difference that a wrong rule makes.
async fn difference_by(fault: Fault, asked: &[(Arc<Stage>, World)]) -> Option<String> {
    for (stage, world) in asked {
        let mut reader = Reader::new(stage, world, Way::Store(fault.plan(), Some(fault)));
        let differences = reads::compare(&mut reader, &mut Coverage::default(), 2).await;
        if let Some(difference) = first_of(&differences) {
            return Some(difference);
        }
    }
    None
}

fn first_of(differences: &[String]) -> Option<String> {
    differences.first().map(|difference| difference.lines().next().unwrap_or_default().to_owned())
}
