//! However many ask, and whenever they go away: few connections, nothing is held up by what nobody waits for, and whoever waits
//! is answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::Database;
use crate::connection_slot::FAILED_RESTS_MS;
use crate::database::CONNECTIONS_PER_DATABASE;
use crate::site::{Engine, Site, master_key};
use crate::sql::{Output, Statement};

/// Longer than what takes no time, shorter than a statement may take.
const SOON: Duration = Duration::from_secs(20);
const READS: usize = 100;

/// Holds a lock that reads of the test wait for, on a connection of its own.
struct Held(PostgresConnection);

impl Held {
    async fn new(database: &Database) -> Self {
        let connection = database.own_connection().await.unwrap();
        connection.run("SELECT pg_advisory_lock(7)").await.unwrap();
        Self(connection)
    }

    async fn release(&self) {
        self.0.run("SELECT pg_advisory_unlock(7)").await.unwrap();
    }

    /// How many wait for the lock.
    async fn waiting(&self) -> usize {
        let count = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event = 'advisory'";
        self.0.text(count).await.unwrap().unwrap().parse().unwrap()
    }

    /// Waits until so many wait for the lock.
    async fn waited_for(&self, many: usize) {
        let waiting = async { while self.waiting().await != many {} };
        tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("{many} wait for the lock"));
    }

    /// How many server processes the database has besides this one's.
    async fn processes(&self) -> usize {
        let count = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        self.0.text(count).await.unwrap().unwrap().parse().unwrap()
    }

    /// Waits until the database has no more of them than that: the server notices a moment later that somebody went away.
    async fn processes_at_most(&self, many: usize) {
        let gone = async { while self.processes().await > many {} };
        tokio::time::timeout(SOON, gone).await.unwrap_or_else(|_| panic!("{many} server processes at most"));
    }
}

fn statement(sql: &str) -> Statement {
    Statement { sql: sql.to_owned(), outputs: vec![Output::Integer], ..Statement::default() }
}

/// Lasts until the lock is released.
fn slow() -> Statement {
    statement("SELECT 5 FROM (SELECT pg_advisory_xact_lock_shared(7)) AS held")
}

async fn read(database: &Database, statement: &Statement) -> Result<Vec<i64>> {
    database.internal_rows(statement, |row| row.integer(0)).await
}

fn begin(database: &Database, many: usize) -> Vec<JoinHandle<Result<Vec<i64>>>> {
    let begin = |_| {
        let database = database.clone();
        tokio::spawn(async move { read(&database, &slow()).await })
    };
    (0..many).map(begin).collect()
}

/// How many statements are on their way.
fn on_their_way(database: &Database) -> usize {
    database.reading_connections().unwrap().slots.iter().map(|slot| slot.load().sent).sum()
}

/// Waits until so many statements are on their way.
async fn sent(database: &Database, many: usize) {
    let waiting = async {
        while on_their_way(database) != many {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(SOON, waiting).await;
    waited.unwrap_or_else(|_| panic!("{} are on their way, not {many}", on_their_way(database)));
}

async fn postgres(limits: Limits) -> (Site, Database) {
    let site = Site::with(Engine::Postgres, &master_key(), None, limits).await;
    let database = site.organization("demo").await;
    (site, database)
}

/// Makes both connections, which know the slow statement then: whoever reads from now on sends one statement, and the first two
/// send it over one of them each.
async fn make_both(database: &Database) {
    for slot in &database.reading_connections().unwrap().slots {
        slot.connected().await.unwrap().ready(&slow()).await.unwrap();
    }
}

/// Has the clock go on while the test runs.
fn go_on(site: &Site) {
    const STEP: Duration = Duration::from_millis(5);
    let clock = Arc::clone(&site.clock);
    tokio::spawn(async move {
        let mut steps = tokio::time::interval(STEP);
        loop {
            steps.tick().await;
            clock.0.fetch_add(5, Ordering::Relaxed);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_reads_at_once_open_no_more_connections_than_there_are_places() {
    let (_site, database) = postgres(Limits::default()).await;
    let held = Held::new(&database).await;
    held.processes_at_most(CONNECTIONS_PER_DATABASE).await;
    let reads = begin(&database, READS);
    sent(&database, READS).await;
    let processes = held.processes().await;
    assert!(processes <= CONNECTIONS_PER_DATABASE, "{processes}");
    held.release().await;
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_nobody_waits_for_hold_up_nobody() {
    let (_site, database) = postgres(Limits::default()).await;
    let held = Held::new(&database).await;
    held.processes_at_most(CONNECTIONS_PER_DATABASE).await;
    let reads = begin(&database, READS);
    sent(&database, READS).await;
    for read in reads {
        read.abort();
        assert!(read.await.unwrap_err().is_cancelled());
    }
    // It is answered long before the first of them would be over by itself.
    let quick = tokio::time::timeout(SOON, read(&database, &statement("SELECT 3"))).await;
    assert_eq!(quick.expect("it is answered soon").unwrap(), [3]);
    sent(&database, 0).await;
    let processes = held.processes().await;
    assert!(processes <= CONNECTIONS_PER_DATABASE, "{processes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_among_those_who_left_is_answered() {
    let (site, database) = postgres(Limits::default()).await;
    make_both(&database).await;
    let held = Held::new(&database).await;
    let mut waiting = Vec::new();
    for at in 0..30 {
        waiting.extend(begin(&database, 1));
        sent(&database, at + 1).await;
        // The first ones are what the server is at, one on each connection.
        held.waited_for((at + 1).min(READING_CONNECTIONS)).await;
    }
    let statements = site.store.statements();
    // All but those that the server is at, and some behind them.
    let left: Vec<_> = (0..12).map(|at| waiting.remove(2 + at)).collect();
    for read in left {
        read.abort();
        assert!(read.await.unwrap_err().is_cancelled());
    }
    // Time to do harm: what was never begun must not be ended in place of what was.
    for _ in 0..200 {
        held.processes().await;
    }
    assert_eq!(site.store.statements(), statements + 200, "none was begun anew");
    held.release().await;
    for read in waiting {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
    sent(&database, 0).await;
}

/// Has the one server process that waits for a lock end what it is at, as the cancel of a statement before it would.
async fn cancel_who_waits(held: &Held, lock: &str) {
    let cancel = format!(
        "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event = '{lock}'"
    );
    let cancelled = async {
        while held.0.text(&cancel).await.unwrap().as_deref() != Some("1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, cancelled).await.expect("it waits for the lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_the_cancel_of_another_meets_is_begun_anew() {
    let (_site, database) = postgres(Limits::default()).await;
    let held = Held::new(&database).await;
    // Without rows, and with one that was passed before.
    let passing = Statement { sql: format!("SELECT 4 UNION ALL {}", slow().sql), ..slow() };
    for (statement, rows) in [(slow(), vec![5]), (passing, vec![4, 5])] {
        let read = {
            let database = database.clone();
            tokio::spawn(async move { read(&database, &statement).await })
        };
        cancel_who_waits(&held, "advisory").await;
        held.release().await;
        assert_eq!(read.await.unwrap().unwrap(), rows);
        held.0.run("SELECT pg_advisory_lock(7)").await.unwrap();
    }
    // The head alone.
    let holder = database.own_connection().await.unwrap();
    holder.run("BEGIN; LOCK TABLE custodia_head IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let head = {
        let database = database.clone();
        tokio::spawn(async move { database.head().await })
    };
    cancel_who_waits(&held, "relation").await;
    holder.run("COMMIT").await.unwrap();
    head.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_statements_are_on_their_way_and_more_reads_wait() {
    const PIPELINE: usize = 4;
    let limits = Limits { postgres_pipeline_max: PIPELINE, postgres_wait_ms: 60_000, ..Limits::default() };
    let (_site, database) = postgres(limits).await;
    let held = Held::new(&database).await;
    let reads = begin(&database, READS);
    for _ in 0..100 {
        held.processes().await;
        // One that begins is a statement that is prepared, and the one that reads.
        let most = 2 * READING_CONNECTIONS * PIPELINE;
        assert!(on_their_way(&database) <= most, "{}", on_their_way(&database));
    }
    held.release().await;
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }

    let limits = Limits { postgres_pipeline_max: PIPELINE, postgres_wait_ms: 50, ..Limits::default() };
    let (_site, database) = postgres(limits).await;
    make_both(&database).await;
    let held = Held::new(&database).await;
    let mut reads = Vec::new();
    for at in 0..READING_CONNECTIONS * PIPELINE {
        reads.extend(begin(&database, 1));
        sent(&database, at + 1).await;
    }
    let refused = read(&database, &statement("SELECT 3")).await.unwrap_err();
    assert!(matches!(&refused, Error::Unavailable { context, .. } if context.contains("as may be")), "{refused}");
    held.release().await;
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
    assert_eq!(read(&database, &statement("SELECT 3")).await.unwrap(), [3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_answers_what_was_sent_before_is_not_silent() {
    let limits = Limits { statement_ms: 2_000, silence_ms: 3_000, ..Limits::default() };
    let (site, database) = postgres(limits).await;
    go_on(&site);
    let held = Held::new(&database).await;
    let processes = held.processes().await;
    // The last ones have had their turn when all have waited for longer than what a statement and silence may take together.
    let reads = begin(&database, 4 * READING_CONNECTIONS);
    for read in reads {
        let refused = read.await.unwrap().unwrap_err();
        assert!(matches!(refused, Error::Timeout { limit_ms: 2_000 }), "{refused}");
    }
    assert!(held.processes().await <= processes + 1);
    held.release().await;
    assert_eq!(read(&database, &slow()).await.unwrap(), [5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_up_leaves_nothing_at_work() {
    let (_site, database) = postgres(Limits::default()).await;
    let held = Held::new(&database).await;
    let before = held.processes().await;
    let given_up = begin(&database, 1).remove(0);
    sent(&database, 1).await;
    let reading = database.reading_connections().unwrap();
    reading.slots[0].open().unwrap().give_up();
    // Another takes its place, although what was sent before would go on for long.
    let quick = tokio::time::timeout(SOON, read(&database, &statement("SELECT 3"))).await;
    assert_eq!(quick.expect("it is answered soon").unwrap(), [3]);
    assert!(matches!(given_up.await.unwrap(), Err(Error::Unavailable { .. })));
    held.processes_at_most(before).await;
}

/// A cancel may come before the server has begun: then nobody tells it any more that what it was sent is not waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_connection_was_sent_is_not_worked_off() {
    let (_site, database) = postgres(Limits::default()).await;
    let held = Held::new(&database).await;
    let lost = begin(&database, 1).remove(0);
    held.waited_for(1).await;
    database.reading_connections().unwrap().slots[0].open().unwrap().lose();
    assert!(matches!(lost.await.unwrap(), Err(Error::Unavailable { .. })));
    held.waited_for(0).await;
}

/// The server takes no more connections: those that there are carry what they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_cannot_be_made_fails_no_read_while_another_is_whole() {
    let (_site, database) = postgres(Limits::default()).await;
    assert_eq!(read(&database, &statement("SELECT 3")).await.unwrap(), [3]);
    let held = Held::new(&database).await;
    let reads = begin(&database, 1);
    sent(&database, 1).await;
    // Nobody is let in any more, superusers neither.
    held.0.run("UPDATE pg_database SET datallowconn = false WHERE datname = current_database()").await.unwrap();
    let second = begin(&database, 1);
    sent(&database, 2).await;
    held.release().await;
    for read in reads.into_iter().chain(second) {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
}

/// Stands before a server: connections to it are let through, held, or closed as soon as they come, and are counted.
struct Gate {
    port: u16,
    way: watch::Sender<Way>,
    came: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Open,
    Held,
    Closed,
}

impl Gate {
    /// Before the server at that address.
    async fn new(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, ways) = watch::channel(Way::Open);
        let came = Arc::new(AtomicUsize::new(0));
        let (counted, server) = (Arc::clone(&came), authority(url).to_owned());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (mut ways, server) = (ways.clone(), server.clone());
                tokio::spawn(async move {
                    let is_open = ways.wait_for(|way| *way != Way::Held).await.is_ok_and(|way| *way == Way::Open);
                    if is_open && let Ok(mut server) = TcpStream::connect(server).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { port, way, came }
    }

    fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }
}

/// Host and port of an address.
fn authority(url: &str) -> &str {
    let behind_user = url.rsplit_once('@').unwrap().1;
    behind_user.split_once('/').unwrap().0
}

/// An organisation on a server behind a gate, with one of the connections for reads, which waits for a lock.
async fn with_one_connection() -> (Site, Gate, Database, Held, JoinHandle<Result<Vec<i64>>>) {
    let url = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
    let gate = Gate::new(&url).await;
    let url = url.replace(authority(&url), &format!("127.0.0.1:{}", gate.port));
    let address = custodia_testbed::with_database(&url, &custodia_testbed::fresh_database_name());
    let limits = Limits { silence_ms: 60_000, postgres_wait_ms: 60_000, ..Limits::default() };
    let site = Site::at(Some(address), &master_key(), None, limits).await;
    let database = site.organization("demo").await;
    assert_eq!(read(&database, &statement("SELECT 3")).await.unwrap(), [3]);
    let held = Held::new(&database).await;
    // The second one may have been made while the organisation was.
    let [_, second] = &database.reading_connections().unwrap().slots;
    until("nothing is being made", || !second.is_made_now()).await;
    if let Some(made) = second.open() {
        made.lose();
        made.ended().await;
    }
    let first = begin(&database, 1).remove(0);
    sent(&database, 1).await;
    (site, gate, database, held, first)
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// Has what is on its way count as slow, so that no connection is a good one.
fn make_slow(site: &Site) {
    site.clock.0.fetch_add(1_000, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_made_once_whoever_goes_away_and_holds_up_no_read() {
    let (_site, gate, database, held, first) = with_one_connection().await;
    let [_, second] = &database.reading_connections().unwrap().slots;
    gate.set(Way::Held);
    let before = gate.came();
    // The other place has nothing to do: this one has its connection made, and goes away.
    let leaving = begin(&database, 1).remove(0);
    until("a connection is asked for", || gate.came() > before).await;
    leaving.abort();
    let _ = leaving.await;
    let mut reads = vec![first];
    for at in 0..30 {
        reads.extend(begin(&database, 1));
        sent(&database, at + 2).await;
    }
    assert!(second.is_made_now() && gate.came() == before + 1, "{}", gate.came() - before);
    gate.set(Way::Open);
    until("it is made", || second.open().is_some()).await;
    assert_eq!(gate.came(), before + 1);
    held.release().await;
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_good_connection_waits_for_the_one_that_is_made() {
    let (site, gate, database, held, first) = with_one_connection().await;
    let [_, second] = &database.reading_connections().unwrap().slots;
    make_slow(&site);
    gate.set(Way::Held);
    let before = gate.came();
    let reads = begin(&database, 10);
    until("a connection is asked for", || gate.came() > before).await;
    assert_eq!(on_their_way(&database), 1);
    gate.set(Way::Open);
    sent(&database, 11).await;
    assert_eq!((second.load().sent, gate.came()), (10, before + 1));
    held.release().await;
    for read in reads.into_iter().chain([first]) {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_cannot_be_made_is_tried_once_in_a_while() {
    let (site, gate, database, held, first) = with_one_connection().await;
    make_slow(&site);
    gate.set(Way::Closed);
    let before = gate.came();
    let mut reads = vec![first];
    for tried in 1..=2 {
        reads.extend(begin(&database, 16));
        sent(&database, reads.len()).await;
        assert_eq!(gate.came(), before + tried);
        site.clock.0.fetch_add(i64::try_from(FAILED_RESTS_MS).unwrap(), Ordering::Relaxed);
    }
    held.release().await;
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_another_connection_all_who_wait_are_told_of_one_failure() {
    let (_site, gate, database, _held, first) = with_one_connection().await;
    gate.set(Way::Held);
    let [only, _] = &database.reading_connections().unwrap().slots;
    only.open().unwrap().lose();
    assert!(first.await.unwrap().is_err());
    let before = gate.came();
    let asking = slow();
    let mut reads: Vec<_> = (0..16).map(|_| Box::pin(read(&database, &asking))).collect();
    // Run here, and not by tasks of their own: all of them have come to wait then.
    while gate.came() == before {
        for read in &mut reads {
            assert!(futures::poll!(read.as_mut()).is_pending());
        }
        tokio::task::yield_now().await;
    }
    gate.set(Way::Closed);
    for read in reads {
        let refused = read.await.unwrap_err();
        let Error::Unavailable { context, source: Some(source) } = &refused else { panic!("{refused}") };
        assert_eq!(context, "connecting to PostgreSQL");
        assert!(!source.to_string().is_empty());
    }
    assert_eq!(gate.came(), before + 1);
    // The next one asks anew.
    gate.set(Way::Open);
    assert_eq!(read(&database, &statement("SELECT 3")).await.unwrap(), [3]);
}

/// The server goes on with those whom it knows, and answers nobody who comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_long_in_the_making_holds_up_no_read() {
    let cluster = custodia_testbed::PrivateCluster::start(&[]).unwrap();
    let address = custodia_testbed::with_database(&cluster.url(), "custodia");
    let site = Site::at(Some(address), &master_key(), None, Limits { silence_ms: 60_000, ..Limits::default() }).await;
    let database = site.organization("demo").await;
    assert_eq!(read(&database, &statement("SELECT 3")).await.unwrap(), [3]);
    let held = Held::new(&database).await;
    // The second one may have been made while the organisation was.
    let [_, second] = &database.reading_connections().unwrap().slots;
    until("nothing is being made", || !second.is_made_now()).await;
    if let Some(made) = second.open() {
        made.lose();
        made.ended().await;
    }
    cluster.pause_admission().unwrap();
    let mut answered = begin(&database, 1);
    sent(&database, 1).await;
    // The other place has nothing to do: the first of these asks for its connection.
    answered.extend(begin(&database, 10));
    sent(&database, 11).await;
    assert!(second.is_made_now());
    held.release().await;
    for read in answered {
        assert_eq!(read.await.unwrap().unwrap(), [5]);
    }
    assert!(second.is_made_now());
    cluster.go_on().unwrap();
}
