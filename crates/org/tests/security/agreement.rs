//! The comparison over many worlds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use custodia_oracle::{Coverage, World};
use custodia_testbed::effort;
use parking_lot::Mutex;

use crate::reader::{Reader, Way};
use crate::stage::Stage;
use crate::world::Engine;
use crate::{load, reads};

/// Worlds that are compared at the same time.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_agree_on_sqlite() {
    lists_agree(Engine::Sqlite, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_agree_on_postgres() {
    lists_agree(Engine::Postgres, 0).await;
}

async fn lists_agree(engine: Engine, first: u64) {
    let stage = Stage::new(engine).await;
    let worlds: u64 = std::env::var("W").unwrap().parse().unwrap();
    let start = std::time::Instant::now();
    let mut all = Vec::new();
    for seed in first..first + worlds {
        all.push(stage.world(seed, None).await);
    }
    println!("{engine:?} loaded {worlds} in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let mut coverage = Coverage::default();
    for world in &all {
        let differences = reads::compare(&mut Reader::new(&stage, world, Way::Gate), &mut coverage).await;
        assert!(
            differences.is_empty(),
            "{}: {}",
            differences.len(),
            differences[..differences.len().min(10)].join("\n")
        );
    }
    println!("{engine:?} compared in {:?}", start.elapsed());
    println!("{}", coverage.report());
    let _ = (effort(), AT_ONCE, Arc::new(Mutex::new(AtomicU64::new(0))).lock().load(Ordering::Relaxed));
    let _ = |w: &World| load::is_money(&w.units[0].name);
}
