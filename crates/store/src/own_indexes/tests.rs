//! An index of an organisation's own is taken by the engine, changes no answer, and lasts: over restarts, backups, and on the
//! other engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use custodia_access::{Denied, RowAccess};
use custodia_query::{Filter, Order, Path, Query};
use custodia_schema::{ColumnId, PrivilegeKind, Table, TableId, Value};

use crate::database::{CONNECTIONS_PER_DATABASE, Database};
use crate::link::Link;
use crate::postgres::PostgresConnection;
use crate::site::{Engine, Site, account, ring, table, write};
use crate::sql::{self, Context, Dialect, Output, Plan, ReadPolicy, Statement};
use crate::sqlite::SqliteFile;
use crate::{Error, Limits};

/// Everything is open.
pub(crate) struct Open;

impl ReadPolicy for Open {
    fn rows(&self, _: &Table, _: PrivilegeKind) -> Result<RowAccess, Denied> {
        Ok(RowAccess::All)
    }

    fn reads_column(&self, _: &Table, _: ColumnId) -> bool {
        true
    }
}

/// Accounts with telephone numbers that ten others have too, and an income.
pub(crate) async fn fill(database: &Database, rows: u32) {
    database.make_tables(&[table(database, "account").id]).await.unwrap();
    let (series, id) = match database.dialect() {
        Dialect::Sqlite => (
            format!("WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {rows})"),
            "CAST(printf('%016x', n) AS BLOB)",
        ),
        Dialect::Postgres => {
            (format!("WITH series(n) AS (SELECT generate_series(1, {rows}))"), "CAST(lpad(to_hex(n), 32, '0') AS uuid)")
        }
    };
    let others = rows / 10;
    let insert = format!(
        "INSERT INTO account (accountid, name, name__f, telephone1, telephone1__f, industrycode, revenue, ownerid, \
         ownerid__t, owningbusinessunit, statecode, statuscode) {series} SELECT {id}, 'Name ' || n, 'name ' || n, \
         '555-' || (n % {others}), '555-' || (n % {others}), n % 7, (n * 7919) % 100003, {id}, 8, {id}, 0, 1 FROM series"
    );
    match database.sqlite_file() {
        Some(file) => file.writer.lock().run(&insert).unwrap(),
        None => {
            let connection = database.own_connection().await.unwrap();
            connection.run(&insert).await.unwrap();
            connection.run("ANALYZE").await.unwrap();
        }
    }
}

pub(crate) fn column(table: &Table, name: &str) -> ColumnId {
    table.column(name).unwrap_or_else(|| panic!("no column {name}")).id
}

/// The accounts of a telephone number, by income.
pub(crate) fn of_number(table: &Table, number: &str) -> Query {
    Query {
        filter: Filter::equal(column(table, "telephone1"), Value::Text(number.into())),
        order: vec![Order::by_value(Path::own(column(table, "revenue")), false)],
        ..Query::of(table, 50).showing([column(table, "name")])
    }
}

async fn explained(database: &Database, query: &Query) -> String {
    let (schema, tables) = (database.schema(), database.known_tables());
    let context = Context { dialect: database.dialect(), schema: &schema, tables: &tables };
    let statement = sql::select(&context, query, &Open, Plan::Ordered).unwrap();
    let (prefix, at) = match database.dialect() {
        Dialect::Sqlite => ("EXPLAIN QUERY PLAN ", 3),
        Dialect::Postgres => ("EXPLAIN ", 0),
    };
    let outputs = std::iter::repeat_n(Output::Integer, at).chain([Output::Text]).collect();
    let explain = Statement {
        sql: format!("{prefix}{}", statement.sql),
        parameters: statement.parameters,
        outputs,
        ..Statement::default()
    };
    database.internal_rows(&explain, |row| Some(row.text(at)?.to_owned())).await.unwrap().join("\n")
}

pub(crate) async fn add(database: &Database, table: &Arc<Table>, columns: &[ColumnId]) -> crate::Result<bool> {
    let (table, columns) = (Arc::clone(table), columns.to_vec());
    let added = database
        .write(move |transaction| {
            let (table, columns) = (Arc::clone(&table), columns.clone());
            Box::pin(async move { transaction.add_own_index(&table, &columns).await })
        })
        .await?;
    database.reload_metadata().await?;
    Ok(added)
}

pub(crate) async fn remove(database: &Database, table: &Arc<Table>, columns: &[ColumnId]) -> bool {
    let (table, columns) = (Arc::clone(table), columns.to_vec());
    let removed = database
        .write(move |transaction| {
            let (table, columns) = (Arc::clone(&table), columns.clone());
            Box::pin(async move { transaction.remove_own_index(&table, &columns).await })
        })
        .await
        .unwrap();
    database.reload_metadata().await.unwrap();
    removed
}

async fn own(database: &Database, table: TableId) -> Vec<(String, bool)> {
    let listed = database.indexes(table).await.unwrap();
    listed.into_iter().filter(|index| index.own.is_some()).map(|index| (index.name, index.bytes > Some(0))).collect()
}

const NAME: &str = "own_account__telephone1__revenue__";

async fn an_own_index_is_taken_and_lasts(engine: Engine) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    fill(&database, 5_000).await;
    let accounts = table(&database, "account");
    let columns = [column(&accounts, "telephone1"), column(&accounts, "revenue")];
    let query = of_number(&accounts, "555-7");

    let before = database.rows(&query, &Open).await.unwrap().0;
    assert_eq!(before.len(), 10);
    assert!(!explained(&database, &query).await.contains("own_account"));
    let standard = database.indexes(accounts.id).await.unwrap();
    assert!(standard.len() > 5 && standard.iter().all(|index| index.bytes > Some(0)), "{standard:?}");

    assert!(add(&database, &accounts, &columns).await.unwrap());
    assert!(!add(&database, &accounts, &columns[..1]).await.unwrap(), "one of them begins with it");
    let plan = explained(&database, &query).await;
    assert!(plan.contains(NAME), "{plan}");
    // Ten rows PostgreSQL rather sorts.
    assert!(!plan.contains("ORDER BY"), "its order is that of the index: {plan}");
    assert_eq!(database.rows(&query, &Open).await.unwrap().0, before);
    let listed = own(&database, accounts.id).await;
    assert!(listed.len() == 1 && listed[0].0.starts_with(NAME) && listed[0].1, "{listed:?}");

    // A backup has it, wherever it comes back.
    let from = site.path("demo.backup");
    site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();
    for target in [Engine::Sqlite, Engine::Postgres] {
        let elsewhere = Site::new(target).await;
        elsewhere.store.restore(&from, None, false, &ring(), &mut |_: &str| {}).await.unwrap();
        let copy = elsewhere.store.database("demo").await.unwrap();
        let plan = explained(&copy, &query).await;
        assert!(plan.contains(NAME), "{target:?}: {plan}");
        assert_eq!(copy.rows(&query, &Open).await.unwrap().0, before);
        assert_eq!(copy.content().await.unwrap(), database.content().await.unwrap());
        assert!(remove(&copy, &accounts, &columns).await);
    }

    // So has the database when it is opened again.
    drop(database);
    site.clock
        .0
        .fetch_add(i64::try_from(Limits::default().idle_close_ms).unwrap() + 1, std::sync::atomic::Ordering::Relaxed);
    site.close_idle_to(0);
    let database = site.store.database("demo").await.unwrap();
    assert!(explained(&database, &query).await.contains(NAME));

    assert!(remove(&database, &accounts, &columns).await);
    assert!(!remove(&database, &accounts, &columns).await, "there is none any more");
    assert!(!explained(&database, &query).await.contains("own_account"));
    assert_eq!(database.rows(&query, &Open).await.unwrap().0, before);
    assert_eq!(own(&database, accounts.id).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_index_is_taken_and_lasts_on_sqlite() {
    an_own_index_is_taken_and_lasts(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_index_is_taken_and_lasts_on_postgres() {
    an_own_index_is_taken_and_lasts(Engine::Postgres).await;
}

/// A table that nobody used yet gets its index when it is made, and the same index once only: made twice, neither it nor its
/// table could be made.
async fn an_index_is_noted_and_made_once(engine: Engine) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    let accounts = table(&database, "account");
    let columns = [column(&accounts, "telephone1")];
    assert!(add(&database, &accounts, &columns).await.unwrap());
    assert!(!add(&database, &accounts, &columns).await.unwrap());
    let unmade = database.indexes(accounts.id).await.unwrap();
    assert!(unmade.iter().any(|index| index.own.is_some()) && unmade.iter().all(|index| index.bytes.is_none()));
    write(&database, vec![account(&database, uuid::Uuid::from_u128(1), "A")]).await.unwrap();
    assert!(matches!(own(&database, accounts.id).await.as_slice(), [(_, true)]));

    assert!(!add(&database, &accounts, &columns).await.unwrap());
    assert_eq!(own(&database, accounts.id).await.len(), 1);
    write(&database, vec![account(&database, uuid::Uuid::from_u128(2), "B")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_noted_and_made_once_on_sqlite() {
    an_index_is_noted_and_made_once(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_noted_and_made_once_on_postgres() {
    an_index_is_noted_and_made_once(Engine::Postgres).await;
}

/// An installation for one open database, whose organisation lacks an index that it noted; and a connection to its database.
async fn without_its_index(site: &Site) -> (PostgresConnection, String) {
    let database = site.organization("demo").await;
    fill(&database, 100).await;
    let accounts = table(&database, "account");
    assert!(add(&database, &accounts, &[column(&accounts, "telephone1")]).await.unwrap());
    let other = database.own_connection().await.unwrap();
    let name = other.text(INDEX).await.unwrap().unwrap();
    other.run(&format!("DROP INDEX \"{name}\"")).await.unwrap();
    let idle_ms = i64::try_from(Limits::default().idle_close_ms).unwrap() + 1;
    drop(database);
    site.clock.0.fetch_add(idle_ms, std::sync::atomic::Ordering::Relaxed);
    site.close_idle_to(0);
    (other, name)
}

/// The name of the index, if it is there.
const INDEX: &str = "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'own\\_%'";

/// A statement may take two seconds, who opens a database waits for one, and two may be open.
fn hasty() -> Limits {
    Limits {
        statement_ms: 2_000,
        silence_ms: 10_000,
        postgres_connections_max: 2 * CONNECTIONS_PER_DATABASE,
        open_wait_ms: 1_000,
        ..Limits::default()
    }
}

/// What an opening has to make takes the time that it takes, and is made once: whoever cannot wait is told, who goes away takes
/// nothing along, and the next one gets what came of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_opening_makes_goes_on_on_postgres() {
    let site = Site::with(Engine::Postgres, &crate::site::master_key(), None, hasty()).await;
    drop(site.organization("second").await);
    drop(site.organization("third").await);
    let (other, name) = without_its_index(&site).await;
    let looking = {
        let demo = site.store.organization("demo").unwrap();
        PostgresConnection::connect(&site.store.postgres_settings().unwrap().database(&demo.database)).await.unwrap()
    };
    other.run("BEGIN; LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    let refusal = async |organization: &str| match site.store.database_in_time(organization).await {
        Err(Error::Unavailable { context, .. }) => context,
        opened => panic!("{:?}", opened.map(drop)),
    };
    let second = site.store.database("second").await.unwrap();
    assert!(refusal("demo").await.contains("still being opened"));
    let opened = site.store.databases_opened();
    // Somebody who goes away, and those who come after.
    for _ in 0..3 {
        let mut leaving = std::pin::pin!(site.store.database("demo"));
        assert!(futures::poll!(leaving.as_mut()).is_pending());
    }
    assert!(refusal("demo").await.contains("still being opened"));
    // It has leave like one that is open, and nobody loses theirs because others come and are told.
    assert!(refusal("third").await.contains("all 2 databases"));
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async {
        loop {
            match looking.text(waiting).await.unwrap().unwrap() {
                none if none == "0" => {}
                some => return some,
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), waits).await.expect("it waits for the table"), "1");
    assert_eq!(site.store.databases_opened(), opened);

    // Who has time waits for longer than a statement may take.
    let mut patient = std::pin::pin!(site.store.database("demo"));
    let longer = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                  AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '3 seconds'";
    let held = async { while looking.text(longer).await.unwrap().as_deref() == Some("0") {} };
    tokio::select! {
        opened = patient.as_mut() => panic!("{:?}", opened.map(drop)),
        () = held => {}
    }
    other.run("COMMIT").await.unwrap();
    drop(patient.await.unwrap());
    assert_eq!(other.text(INDEX).await.unwrap(), Some(name));
    assert_eq!(site.store.databases_opened(), opened + 1);
    drop(second);
}

/// What nobody came back for is closed like what nobody uses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_that_nobody_waits_for_gives_way_on_postgres() {
    let site = Site::with(Engine::Postgres, &crate::site::master_key(), None, hasty()).await;
    drop(site.organization("second").await);
    drop(site.organization("third").await);
    let (other, _) = without_its_index(&site).await;
    other.run("BEGIN; LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    assert!(site.store.database_in_time("demo").await.is_err());
    let second = site.store.database("second").await.unwrap();
    assert!(site.store.database_in_time("third").await.is_err());
    other.run("COMMIT").await.unwrap();
    let third = async {
        loop {
            if let Ok(third) = site.store.database_in_time("third").await {
                return third;
            }
        }
    };
    let third = tokio::time::timeout(Duration::from_secs(60), third).await.expect("there is room");
    assert!(
        site.store.database_in_time("demo").await.is_err_and(|error| error.to_string().contains("all 2 databases"))
    );
    drop((second, third));
    site.store.database("demo").await.unwrap();
}

/// The file of an organisation that is closed, as another program has it open; and the name of the index of its own that it
/// lacks.
async fn file_without_its_index(site: &Site) -> (Link, String) {
    let database = site.organization("demo").await;
    fill(&database, 100).await;
    let accounts = table(&database, "account");
    assert!(add(&database, &accounts, &[column(&accounts, "telephone1")]).await.unwrap());
    drop(database);
    let idle_ms = i64::try_from(Limits::default().idle_close_ms).unwrap() + 1;
    site.clock.0.fetch_add(idle_ms, std::sync::atomic::Ordering::Relaxed);
    site.close_idle_to(0);
    let demo = site.store.organization("demo").unwrap();
    let key = demo.data_key(site.store.master()).unwrap();
    let other = SqliteFile::open(&site.store.path_of(&demo.database), Some(key), site.store.plain_files()).unwrap();
    let other = Link::Sqlite(Arc::new(other));
    let name = own_index_of(&other).await.unwrap();
    other.run(&format!("DROP INDEX \"{name}\"")).await.unwrap();
    (other, name)
}

async fn own_index_of(file: &Link) -> Option<String> {
    let named = Statement {
        sql: "SELECT name FROM sqlite_schema WHERE name LIKE 'own\\_%' ESCAPE '\\'".to_owned(),
        outputs: vec![Output::Text],
        ..Statement::default()
    };
    crate::link::rows(file, &named, |row| Some(row.text(0)?.to_owned())).await.unwrap().pop()
}

/// Whoever opens a file that is held up is told in time, and the one thread that answers requests answers others meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_opening_that_is_held_up_holds_up_nobody_else_on_sqlite() {
    let limits = Limits { open_wait_ms: 200, ..Limits::default() };
    let site = Arc::new(Site::with(Engine::Sqlite, &crate::site::master_key(), None, limits).await);
    drop(site.organization("second").await);
    let (other, name) = file_without_its_index(&site).await;
    let opened = site.store.databases_opened();
    other.run("BEGIN IMMEDIATE").await.unwrap();
    // On the runtime's thread, as requests are.
    let asked = {
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            // It has all the time that it needs: were it held up with the first one, that one would not be refused.
            let second = async {
                let second = site.store.database("second").await.unwrap();
                second.head().await.unwrap();
            };
            let (held_up, ()) = futures::join!(site.store.database_in_time("demo"), second);
            held_up.map(drop)
        })
    };
    let refused = asked.await.unwrap().unwrap_err();
    assert!(
        matches!(&refused, Error::Unavailable { context, .. } if context.contains("still being opened")),
        "{refused}"
    );
    assert_eq!(site.store.databases_opened(), opened + 1, "the second one alone");
    other.run("ROLLBACK").await.unwrap();
    site.store.database("demo").await.unwrap();
    assert_eq!(own_index_of(&other).await, Some(name));
    assert_eq!(site.store.databases_opened(), opened + 2);
}

/// What holds up an opening has none of the threads that the runtime keeps for what holds up a request.
#[test]
fn an_opening_that_is_held_up_has_a_thread_of_its_own_on_sqlite() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let limits = Limits { open_wait_ms: 200, ..Limits::default() };
        let site = Site::with(Engine::Sqlite, &crate::site::master_key(), None, limits).await;
        let (other, _) = file_without_its_index(&site).await;
        other.run("BEGIN IMMEDIATE").await.unwrap();
        assert!(site.store.database_in_time("demo").await.is_err());
        let beside = tokio::time::timeout(Duration::from_secs(60), tokio::task::spawn_blocking(|| 1)).await;
        assert_eq!(beside.unwrap().unwrap(), 1);
        let demo = site.store.organization("demo").unwrap();
        assert!(site.store.openings.goes_on(demo.id) && !site.store.openings.is_over(demo.id), "it was waited for");
        other.run("ROLLBACK").await.unwrap();
        site.store.database("demo").await.unwrap();
    });
}

/// What is deleted while it is opened is not open afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_while_it_is_opened_is_not_opened_on_sqlite() {
    let site = Site::new(Engine::Sqlite).await;
    let (other, _) = file_without_its_index(&site).await;
    other.run("BEGIN IMMEDIATE").await.unwrap();
    let mut opening = std::pin::pin!(site.store.database("demo"));
    assert!(futures::poll!(opening.as_mut()).is_pending());
    site.store.delete_organization(&site.store.organization("demo").unwrap()).await.unwrap();
    other.run("ROLLBACK").await.unwrap();
    assert!(opening.await.is_err());
    assert_eq!(site.store.open_databases(), 0);
}

/// What is suspended while it is opened answers nobody afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_suspended_while_it_is_opened_is_not_opened_on_sqlite() {
    let site = Site::new(Engine::Sqlite).await;
    let (other, _) = file_without_its_index(&site).await;
    other.run("BEGIN IMMEDIATE").await.unwrap();
    let mut opening = std::pin::pin!(site.store.database("demo"));
    assert!(futures::poll!(opening.as_mut()).is_pending());
    let demo = site.store.organization("demo").unwrap();
    site.store.suspend(&demo).await.unwrap();
    other.run("ROLLBACK").await.unwrap();
    assert!(matches!(opening.await, Err(Error::OrganizationState { .. })));
    assert_eq!(site.store.open_databases(), 0);
    site.store.activate(&site.store.organization("demo").unwrap()).await.unwrap();
    site.store.database("demo").await.unwrap();
}

/// What failed while nobody waited for it is not the answer to who comes later.
// The one thread begins the opening when this lets go of it, not before.
#[tokio::test]
async fn an_opening_that_failed_for_nobody_is_begun_anew_on_sqlite() {
    let site = Site::new(Engine::Sqlite).await;
    drop(site.organization("demo").await);
    let idle_ms = i64::try_from(Limits::default().idle_close_ms).unwrap() + 1;
    site.clock.0.fetch_add(idle_ms, std::sync::atomic::Ordering::Relaxed);
    site.close_idle_to(0);
    let demo = site.store.organization("demo").unwrap();
    let path = site.store.path_of(&demo.database);
    let away = site.path("away");
    std::fs::rename(&path, &away).unwrap();
    {
        let mut leaving = std::pin::pin!(site.store.database("demo"));
        assert!(futures::poll!(leaving.as_mut()).is_pending());
    }
    let failed = async {
        while !site.store.openings.is_over(demo.id) {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), failed).await.expect("it fails");
    std::fs::rename(&away, &path).unwrap();
    site.store.database("demo").await.unwrap();
    // Who waits for one that fails is told.
    site.store.forget_open(demo.id);
    std::fs::rename(&path, &away).unwrap();
    assert!(site.store.database("demo").await.is_err());
}

/// While somebody else writes, the index waits for another time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_that_cannot_make_an_index_opens_without_it_on_postgres() {
    let site = Site::with(Engine::Postgres, &crate::site::master_key(), None, hasty()).await;
    let (other, _) = without_its_index(&site).await;
    other.run("BEGIN; SELECT number FROM custodia_head FOR UPDATE").await.unwrap();
    site.store.database("demo").await.unwrap();
    assert_eq!(other.text(INDEX).await.unwrap(), None);
}
