//! What is asked is noted as a shape, without a value, within a bound, and outlives the process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::Ordering;

use custodia_query::Order;
use custodia_schema::{Table, Value};

use super::*;
use crate::own_indexes::tests::{Open, add, column, fill, of_number};
use crate::row::Gathered;
use crate::site::{Engine, Site, master_key, table};
use crate::{AdviceBounds, Limits};

/// Asks as a caller does.
pub(crate) async fn ask(database: &Database, query: &Query) {
    let reading = database.prepare(query, &Open).await.unwrap();
    let mut sink = Gathered::by(|_| Some(()));
    database.read(None, query, &Open, &reading, &mut sink).await.unwrap();
}

fn where_equal(table: &Table, names: &[&str]) -> Query {
    let equal = |name: &&str| Filter::equal(column(table, name), Value::Text("x".into()));
    Query { filter: Filter::And(names.iter().map(equal).collect()), ..Query::of(table, 50) }
}

async fn shapes_are_noted_and_kept_without_values(engine: Engine) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    fill(&database, 100).await;
    let accounts = table(&database, "account");
    let (number, revenue) = (column(&accounts, "telephone1"), column(&accounts, "revenue"));
    for text in ["555-7", "Canary of Borrowdale", "555-7"] {
        ask(&database, &of_number(&accounts, text)).await;
    }
    let one =
        Query { filter: Filter::equal(accounts.primary_id, Value::Guid(uuid::Uuid::nil())), ..Query::of(&accounts, 1) };
    ask(&database, &one).await;
    ask(&database, &Query::of(&accounts, 50)).await;
    let noted = database.questions().await.unwrap();
    let [question] = noted.as_slice() else { panic!("{noted:?}") };
    let shape = QuestionShape {
        table: accounts.id,
        aggregates: false,
        equal: vec![number],
        range: Vec::new(),
        order: vec![(revenue, false)],
        groups: Vec::new(),
    };
    assert_eq!((&question.shape, question.times, question.answered), (&shape, 3, 20));
    // Without an index all hundred rows are passed, three times: as many steps from one to the next.
    assert_eq!(question.scanned, if engine == Engine::Sqlite { 297 } else { 0 });

    // Kept where nothing of a value stands, and added to after the database was opened again.
    database.keep_questions(true).await.unwrap();
    let kept = database.setting(QUESTIONS).await.unwrap().unwrap();
    let kept = String::from_utf8(kept).unwrap().to_lowercase();
    assert!(!kept.contains("canary") && !kept.contains("555"), "{kept}");
    assert_eq!(database.questions().await.unwrap(), noted, "counted once");
    drop(database);
    let idle_ms = i64::try_from(Limits::default().idle_close_ms).unwrap() + 1;
    site.clock.0.fetch_add(idle_ms, Ordering::Relaxed);
    site.close_idle_to(0);
    let database = site.store.database("demo").await.unwrap();
    assert_eq!(database.questions().await.unwrap(), noted);
    ask(&database, &of_number(&accounts, "555-8")).await;
    assert_eq!(database.questions().await.unwrap()[0].times, 4);
    site.store.keep_questions(true).await;
    site.store.keep_questions(true).await;
    assert_eq!(database.questions().await.unwrap()[0].times, 4);

    // Nobody asks for a quarter of a year.
    site.clock.0.fetch_add(REMEMBERED_SECONDS * 1_000 + 1_000, Ordering::Relaxed);
    assert_eq!(database.questions().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shapes_are_noted_and_kept_without_values_on_sqlite() {
    shapes_are_noted_and_kept_without_values(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shapes_are_noted_and_kept_without_values_on_postgres() {
    shapes_are_noted_and_kept_without_values(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_shapes_are_remembered_and_those_that_matter() {
    let limits = Limits { noted_questions_max: 3, ..Limits::default() };
    let site = Site::with(Engine::Sqlite, &master_key(), None, limits).await;
    let database = site.organization("demo").await;
    fill(&database, 20).await;
    let accounts = table(&database, "account");
    let often = where_equal(&accounts, &["telephone1"]);
    for name in ["fax", "telephone2", "telephone3", "address1_city", "address2_city"] {
        ask(&database, &often).await;
        ask(&database, &where_equal(&accounts, &[name])).await;
    }
    let noted = database.questions().await.unwrap();
    assert_eq!((noted.len(), noted[0].times), (3, 5), "{noted:?}");
    assert_eq!(noted[0].shape.equal, [column(&accounts, "telephone1")]);
    site.store.keep_questions(true).await;
    for name in ["tickersymbol", "sic"] {
        ask(&database, &where_equal(&accounts, &[name])).await;
    }
    assert_eq!(database.questions().await.unwrap().len(), 3);
    site.store.keep_questions(true).await;
    let kept = database.questions().await.unwrap();
    assert_eq!((kept.len(), kept[0].times), (3, 5), "{kept:?}");

    // What the forgotten ones used is not called unused.
    add(&database, &accounts, &[column(&accounts, "tickersymbol")]).await.unwrap();
    let report = database.index_report(AdviceBounds::default()).await.unwrap();
    assert_eq!((report.questions, report.unused), (3, Vec::new()));
}

/// Notes are written when nobody asks, or at the latest after ten minutes: not with each look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_are_kept_when_it_is_time() {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("demo").await;
    fill(&database, 20).await;
    let accounts = table(&database, "account");
    site.clock.0.fetch_add(i64::try_from(KEPT_AFTER_MS).unwrap(), Ordering::Relaxed);
    let is_kept = async || database.setting(QUESTIONS).await.unwrap().is_some();
    let pass = |ms: u64| site.clock.0.fetch_add(i64::try_from(ms).unwrap(), Ordering::Relaxed);
    site.store.keep_questions(false).await;
    assert!(!is_kept().await, "nothing was asked");
    ask(&database, &where_equal(&accounts, &["fax"])).await;
    site.store.keep_questions(false).await;
    assert!(is_kept().await, "long enough after nothing was kept");
    let batches = || database.counters().batches();
    let before = batches();
    ask(&database, &where_equal(&accounts, &["fax"])).await;
    pass(QUIET_MS - 1);
    site.store.keep_questions(false).await;
    assert_eq!(batches(), before, "just asked");
    pass(1);
    site.store.keep_questions(false).await;
    assert_eq!(batches(), before + 1, "quiet");
    pass(KEPT_AFTER_MS);
    site.store.keep_questions(true).await;
    assert_eq!(batches(), before + 1, "nothing was asked since");
}

#[test]
fn what_says_the_same_has_the_same_hash_and_nothing_else() {
    let schema = custodia_schema::standard();
    let accounts = schema.table_named("account").unwrap();
    let contacts = schema.table_named("contact").unwrap();
    let hash = |query: &Query| Asked::list(query).unwrap().hash;
    let (name, fax) = (column(accounts, "name"), column(accounts, "fax"));
    let ordered = |query: Query, keys: &[(ColumnId, bool)]| Query {
        order: keys.iter().map(|(column, descending)| Order::by_value(Path::own(*column), *descending)).collect(),
        ..query
    };
    let one = where_equal(accounts, &["name", "fax"]);
    assert_eq!(hash(&one), hash(&where_equal(accounts, &["fax", "name"])));
    let range = |operator| Query {
        filter: Filter::Compare { path: Path::own(fax), operator, value: Value::Text("x".into()) },
        ..Query::of(accounts, 50)
    };
    assert_eq!(hash(&range(Comparison::Less)), hash(&range(Comparison::GreaterOrEqual)));
    assert!(Asked::list(&range(Comparison::NotEqual)).is_none() && Asked::list(&Query::of(accounts, 50)).is_none());
    let different = [
        one.clone(),
        where_equal(accounts, &["name"]),
        where_equal(accounts, &["fax"]),
        where_equal(contacts, &["fax"]),
        range(Comparison::Less),
        ordered(one.clone(), &[(name, false)]),
        ordered(one.clone(), &[(name, true)]),
        ordered(one.clone(), &[(name, false), (fax, false)]),
        ordered(one.clone(), &[(fax, false), (name, false)]),
        ordered(Query::of(accounts, 50), &[(name, false)]),
    ];
    let hashes: std::collections::HashSet<_> = different.iter().map(hash).collect();
    assert_eq!(hashes.len(), different.len());
}

#[test]
fn notes_that_cannot_be_read_are_damage() {
    assert!(matches!(questions_of(Some(b"{".to_vec())), Err(Error::Corrupt(_))));
    assert_eq!(questions_of(None).unwrap(), []);
}
