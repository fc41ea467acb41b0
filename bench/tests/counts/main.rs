//! What a request costs in figures that do not depend on the machine, held against `bench/counts.txt`.
//!
//! Statements, flushes and allocations of each kind of request, on both engines, with nothing else going on.
//! A figure that rises fails the test, and so does one that falls well below its line: the file is written anew then
//! (`scripts/counts`), so that the gain is kept.

// A request is one future from the protocol down to the engine.
#![recursion_limit = "256"]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![expect(clippy::disallowed_methods, reason = "a test that is told what to do by its environment")]

mod kinds;
mod ledger;
mod world;

use std::path::Path;

use custodia_sqlite::fault::FaultLayer;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::kinds::Kind;
use crate::ledger::{Cost, Costs, differences, read, write};
use crate::world::{Engine, World};

/// The file, and the variable that has it written.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt");
const WRITE_VARIABLE: &str = "CUSTODIA_COUNTS_WRITE";
/// Requests of a kind before those that are counted: statements are prepared, caches filled.
const WARM_UP: usize = 3;
/// Requests of a kind that are counted; the median is kept.
const REPEATS: usize = 7;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

#[test]
fn no_kind_of_request_costs_more_than_its_line() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut costs = Costs::new();
    let (counted, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // The layer that counts flushes remembers what is written: allocations are counted without it.
    let layer = FaultLayer::register().unwrap();
    let flushed = runtime.block_on(measure(Engine::Sqlite, counted.path(), Some(layer)));
    let mut embedded = runtime.block_on(measure(Engine::Sqlite, plain.path(), None));
    for (kind, cost) in &mut embedded {
        assert_eq!(cost.statements, flushed[kind].statements, "{kind}: statements do not depend on the layer");
        cost.flushes = flushed[kind].flushes;
    }
    let mut server = runtime.block_on(measure(Engine::Postgres, tempfile::tempdir().unwrap().path(), None));
    // In how many pieces an answer comes decides how much room is made for it: such a figure jitters.
    server.values_mut().for_each(|cost| cost.bytes = 0);
    for (engine, found) in [(Engine::Sqlite, embedded), (Engine::Postgres, server)] {
        costs.extend(found.into_iter().map(|(kind, cost)| ((engine.name().to_owned(), kind), cost)));
    }
    if std::env::var_os(WRITE_VARIABLE).is_some() {
        std::fs::write(FILE, write(&costs)).unwrap();
        return;
    }
    let lines = read(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let differences = differences(&lines, &costs);
    assert!(
        differences.is_empty(),
        "what a request costs has changed:\n  {}\nMend a rise, or explain it in the commit. To write {FILE} anew, so that \
         a gain is kept, type: scripts/counts",
        differences.join("\n  ")
    );
}

type ByKind = std::collections::BTreeMap<String, Cost>;

async fn measure(engine: Engine, folder: &Path, layer: Option<FaultLayer>) -> ByKind {
    let world = World::make(engine, folder, layer).await;
    let mut found = ByKind::new();
    for kind in Kind::ALL {
        let mut samples = Vec::new();
        for number in 0..WARM_UP + REPEATS {
            let ready = kind.ready(&world, number).await;
            let (sent, allocated) = (world.sent(), ALLOCATOR.stats());
            ready.run(&world).await;
            let (sent_after, allocated) = (world.sent(), ALLOCATOR.stats() - allocated);
            if number >= WARM_UP {
                samples.push(Cost {
                    statements: sent_after.statements - sent.statements,
                    flushes: sent_after.flushes - sent.flushes,
                    allocations: (allocated.allocations + allocated.reallocations) as u64,
                    bytes: allocated.bytes_allocated as u64,
                });
            }
        }
        let median = |figure: fn(&Cost) -> u64| {
            let mut figures: Vec<u64> = samples.iter().map(figure).collect();
            figures.sort_unstable();
            figures[figures.len() / 2]
        };
        let cost = Cost {
            statements: median(|cost| cost.statements),
            flushes: median(|cost| cost.flushes),
            allocations: median(|cost| cost.allocations),
            bytes: median(|cost| cost.bytes),
        };
        found.insert(kind.name().to_owned(), cost);
    }
    world.close();
    found
}
