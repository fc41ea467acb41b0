//! The PostgreSQL server is killed while writes are under way, and its disk is cut back to what it had flushed.

use std::sync::Arc;

use custodia_testbed::PrivateCluster;

use crate::durability::journal::{Journal, Verdict, verify};
use crate::durability::parts;
use crate::durability::site::{Place, Site};
use crate::durability::writers::{CLIENTS, Deaf, Dice, Writers};

/// Kills in `make test`; `make soak` multiplies them.
const ROUNDS: u64 = 3;

fn place(cluster: &PrivateCluster, folder: &tempfile::TempDir) -> Place {
    let url = custodia_testbed::with_database(&cluster.url(), "custodia_control");
    Place { postgres: Some(url), ..Place::files(folder) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_the_death_of_the_server() {
    let kills = custodia_testbed::kills(ROUNDS);
    let dice = Dice::new(15);
    let mut acknowledged = 0;
    for part in parts(kills) {
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = PrivateCluster::start(&[]).unwrap();
        let mut place = place(&cluster, &folder);
        let mut site = Site::create(&mut place).await;
        assert_eq!(site.store.settings_that_lose_writes().await.unwrap(), []);
        let mut journals = Writers::fresh_journals();
        for round in part {
            println!("{round} of {kills}");
            let mut writers = Writers::start(&site, journals, round, Arc::new(Deaf));
            writers.acknowledged(20 + dice.below(150)).await;
            tokio::task::block_in_place(|| cluster.crash()).unwrap();
            journals = writers.end().await;
            assert!(journals.iter().any(|journal| journal.in_flight.is_some()), "it was killed at work");
            site.close();
            tokio::task::block_in_place(|| cluster.restart()).unwrap();
            site = Site::open(&mut place).await;
            let verdict = verify(&site, &journals.clone(), &mut journals).await;
            assert!(verdict.is_clean(), "round {round}: {verdict}");
        }
        site.prove_whole().await;
        acknowledged += journals.iter().map(|journal| journal.acknowledged).sum::<usize>();
    }
    custodia_testbed::tell(&format!(
        "{kills} kills of the PostgreSQL server, {acknowledged} writes acknowledged, none lost"
    ));
}

/// Has the server answer commits before they are flushed: a connection sets that right for itself, so that it is set anew in each
/// transaction.
async fn answer_unflushed(url: &str) {
    let connect = async |url: &str| {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    let named = "SELECT datname FROM pg_database WHERE datname LIKE 'custodia_demo_%'";
    let name: String = connect(url).await.query_one(named, &[]).await.unwrap().get(0);
    let database = connect(&custodia_testbed::with_database(url, &name)).await;
    let trigger = "CREATE FUNCTION unflushed() RETURNS trigger LANGUAGE plpgsql AS \
                   'BEGIN PERFORM set_config(''synchronous_commit'', ''off'', true); RETURN NEW; END'; \
                   CREATE TRIGGER unflushed BEFORE UPDATE ON custodia_head FOR EACH ROW EXECUTE FUNCTION unflushed()";
    database.batch_execute(trigger).await.unwrap();
}

/// Which moments do for cutting back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Any,
    /// One at which the server has acknowledged what it has not flushed: with durable settings there is none.
    Unflushed,
}

/// Writes, notes at some moment what was acknowledged and how far the server had flushed, kills it, and looks at what a
/// disk holds that got no more than that.
async fn cut_back(
    settings: &[(&str, &str)],
    acknowledged: usize,
    moment: Moment,
) -> (Verdict, Vec<(&'static str, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = PrivateCluster::start(settings).unwrap();
    let mut here = place(&cluster, &folder);
    Site::create(&mut here).await.close();
    if moment == Moment::Unflushed {
        answer_unflushed(&cluster.url()).await;
    }
    let mut disk = tokio::task::block_in_place(|| {
        cluster.stop().unwrap();
        let disk = cluster.copy_data_dir().unwrap();
        cluster.restart().unwrap();
        disk
    });
    let site = Site::open(&mut here).await;
    let faults = site.store.settings_that_lose_writes().await.unwrap();
    let mut writers = Writers::start(&site, Writers::fresh_journals(), 7, Arc::new(Deaf));
    writers.acknowledged(acknowledged).await;
    let (promised, flushed) = note(&mut writers, &cluster.url(), moment).await;
    writers.acknowledged(writers.count() + 20).await;
    tokio::task::block_in_place(|| cluster.crash()).unwrap();
    let mut journals = writers.end().await;
    site.close();
    tokio::task::block_in_place(|| {
        disk.take_write_ahead_log(&cluster, &flushed).unwrap();
        disk.restart().unwrap();
    });
    let mut there = Place { noise: 50, ..place(&disk, &folder) };
    let site = Site::open(&mut there).await;
    let verdict = verify(&site, &promised, &mut journals).await;
    site.prove_whole().await;
    (verdict, faults)
}

/// What is acknowledged, and after that, how far the write-ahead log is flushed.
async fn note(writers: &mut Writers, url: &str, moment: Moment) -> (Vec<Journal>, String) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let position = async |function: &str| -> (String, String) {
        // The second one sorts: both halves of a position are hexadecimal, the first of varying length.
        let sql = format!(
            "SELECT p::text, lpad(split_part(p::text, '/', 1), 8, '0') || lpad(split_part(p::text, '/', 2), 8, '0') FROM {function}() AS p"
        );
        let row = client.query_one(&sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    };
    let noted = loop {
        let (_, before) = position("pg_current_wal_insert_lsn").await;
        // Two for each client: some of them are begun after the position was read.
        writers.acknowledged(writers.count() + 2 * CLIENTS).await;
        let promised = writers.promised();
        let (flushed, place) = position("pg_current_wal_flush_lsn").await;
        if moment == Moment::Any || place <= before {
            break (promised, flushed);
        }
    };
    drop(client);
    driver.await.unwrap().unwrap();
    noted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_got_only_what_was_flushed_holds_every_acknowledged_write() {
    let dice = Dice::new(77);
    for _ in 0..custodia_testbed::effort() {
        let (verdict, faults) = cut_back(&[], 60 + dice.below(60), Moment::Any).await;
        assert_eq!(faults, []);
        assert!(verdict.is_clean(), "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_test_finds_what_is_lost_by_a_server_that_answers_before_it_flushes() {
    let (verdict, _) = cut_back(&[("wal_writer_delay", "10s")], 40, Moment::Unflushed).await;
    assert!(!verdict.lost.is_empty(), "{verdict}");
}
