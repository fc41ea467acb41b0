//! The power goes at a random write or flush of an embedded database, or the disk lies about flushing.

use std::num::NonZeroU64;
use std::sync::Arc;

use custodia_sqlite::fault::{Failure, FaultLayer, FileKind, Flushing, Injection, Lasting, Loss, Operation};

use crate::durability::journal::verify;
use crate::durability::parts;
use crate::durability::site::{Place, Site};
use crate::durability::writers::{CLIENTS, Deaf, Dice, Writers};

/// Power cuts in `make test`; `make soak` multiplies them.
const ROUNDS: u64 = 10;
/// Writes that are acknowledged before the power can go.
const ACKNOWLEDGED: usize = 2 * CLIENTS;

fn place(folder: &tempfile::TempDir, layer: &FaultLayer) -> Place {
    Place { file_layer: Some(layer.name()), ..Place::files(folder) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_power_cuts() {
    let cuts = custodia_testbed::kills(ROUNDS);
    let layer = FaultLayer::register().unwrap();
    let dice = Dice::new(2026);
    let (mut in_flight, mut acknowledged) = (0, 0);
    for part in parts(cuts) {
        let folder = tempfile::tempdir().unwrap();
        let mut place = place(&folder, &layer);
        let mut site = Site::create(&mut place).await;
        let mut journals = Writers::fresh_journals();
        let mut heads = Vec::new();
        for round in part {
            println!("{round} of {cuts}");
            let mut writers = Writers::start(&site, journals, round, Arc::new(Deaf));
            // Every other time it goes while they begin.
            writers.acknowledged(if round % 2 == 0 { 0 } else { ACKNOWLEDGED }).await;
            let operation = [Operation::Write, Operation::Flush][dice.below(2)];
            // Checkpoints write to the file itself; there are fewer of those than of commits.
            let (file, within) = match dice.below(3) {
                0 => (Some(FileKind::Database), 30),
                1 => (Some(FileKind::WriteAheadLog), 200),
                _ => (None, 200),
            };
            let within = if operation == Operation::Flush { within.min(20) } else { within };
            let loss = if dice.below(2) == 0 { Loss::Everything } else { Loss::Some { seed: dice.next() } };
            layer.inject(Injection {
                operation,
                file,
                nth: NonZeroU64::new(1 + dice.below(within) as u64).unwrap(),
                failure: Failure::PowerCut(loss),
                lasting: Lasting::Once,
            });
            while !layer.is_power_cut() {
                let store = &site.store;
                tokio::task::block_in_place(|| store.checkpoint());
                tokio::task::yield_now().await;
            }
            journals = writers.end().await;
            // What is published at any moment must be there afterwards.
            heads.extend(site.heads());
            in_flight += journals.iter().filter(|journal| journal.in_flight.is_some()).count();
            site.close();
            layer.restore_power().unwrap();
            site = Site::open(&mut place).await;
            let verdict = verify(&site, &journals.clone(), &mut journals).await;
            assert!(verdict.is_clean(), "round {round}, {operation:?} of {file:?}, {loss:?}: {verdict}");
            site.prove_audit(&heads).await;
            site.prove_whole().await;
        }
        acknowledged += journals.iter().map(|journal| journal.acknowledged).sum::<usize>();
    }
    assert!(in_flight as u64 >= cuts, "{in_flight} writes were under way when the power went");
    let least = usize::try_from(cuts / 2).unwrap() * ACKNOWLEDGED;
    assert!(acknowledged >= least, "{acknowledged} of {least} writes were acknowledged");
    custodia_testbed::tell(&format!("{cuts} power cuts, {acknowledged} writes acknowledged, none lost"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_test_finds_what_a_disk_loses_that_pretends_to_flush() {
    let folder = tempfile::tempdir().unwrap();
    let layer = FaultLayer::register().unwrap();
    let mut place = place(&folder, &layer);
    let site = Site::create(&mut place).await;
    layer.set_flushing(Flushing::Pretended);
    let mut writers = Writers::start(&site, Writers::fresh_journals(), 1, Arc::new(Deaf));
    writers.acknowledged(40).await;
    layer.cut_power(Loss::Everything).unwrap();
    let mut journals = writers.end().await;
    site.close();
    layer.restore_power().unwrap();
    layer.set_flushing(Flushing::Real);
    let site = Site::open(&mut place).await;
    let verdict = verify(&site, &journals.clone(), &mut journals).await;
    assert!(verdict.lost.len() >= 10, "{verdict}");
}
