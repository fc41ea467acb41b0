//! What no index serves is advised; once it is there it is not, and what nothing uses is told of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use custodia_query::{Aggregation, Filter, Measure, Order, Path, Query};
use custodia_schema::Value;

use super::*;
use crate::own_indexes::tests::{Open, add, column, fill, of_number, remove};
use crate::questions::tests::ask;
use crate::row::Gathered;
use crate::site::{Engine, Site, table};

/// Advice as columns and the rows met before and then.
fn said(report: &IndexReport, table: &Table) -> Vec<(Vec<String>, u64, u64)> {
    let name = |id: &ColumnId| table.column_by_id(*id).unwrap().name.clone();
    let advice = report.advice.iter().map(|advice| {
        let first = &advice.questions[0];
        (advice.columns.iter().map(name).collect(), first.met_now, first.met_then)
    });
    let mut advice: Vec<_> = advice.collect();
    advice.sort();
    advice
}

async fn what_no_index_serves_is_advised(engine: Engine) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    fill(&database, 5_000).await;
    let accounts = table(&database, "account");
    let bounds = AdviceBounds::default();
    assert_eq!(database.index_report(bounds).await.unwrap(), IndexReport::default());

    // Ten accounts have a number; a seventh of them an industry, of which a page is wanted in an order; and a sum.
    let by_industry = Query {
        filter: Filter::equal(column(&accounts, "industrycode"), Value::Integer(3)),
        order: vec![Order::by_value(Path::own(column(&accounts, "revenue")), true)],
        ..Query::of(&accounts, 50)
    };
    let sum = Aggregation {
        rows: Query {
            filter: Filter::equal(column(&accounts, "telephone1"), Value::Text("555-3".into())),
            ..Query::of(&accounts, 50)
        },
        groups: Vec::new(),
        measures: vec![Measure::Sum(Path::own(column(&accounts, "revenue")))],
        order: Vec::new(),
        skip: 0,
        page_size: 50,
        rows_max: 50_000,
    };
    // What indexes serve already: the name, an owner's, one by id.
    let by_name = Query {
        filter: Filter::equal(column(&accounts, "name"), Value::Text("Name 7".into())),
        ..Query::of(&accounts, 50)
    };
    for query in [&of_number(&accounts, "555-7"), &by_industry, &by_name] {
        ask(&database, query).await;
    }
    let mut groups = Gathered::by(|_| Some(()));
    database.aggregate(&sum, &Open, &mut groups).await.unwrap();
    let report = database.index_report(bounds).await.unwrap();
    assert_eq!(report.questions, 4);
    assert_eq!(
        said(&report, &accounts),
        [
            (vec!["industrycode".to_owned(), "revenue".to_owned()], 5_000, 50),
            (vec!["telephone1".to_owned()], 5_000, 10)
        ]
    );
    let of_number = report.advice.iter().find(|advice| advice.columns.len() == 1).unwrap();
    assert_eq!((of_number.times(), of_number.questions.len(), of_number.rows), (2, 2, 5_000), "the list and the sum");
    assert_eq!(of_number.indexes_now, database.indexes(accounts.id).await.unwrap().len());

    // Nobody wants an index for few rows, or for little.
    let many = AdviceBounds { rows_min: 5_001, ..bounds };
    assert_eq!(said(&database.index_report(many).await.unwrap(), &accounts), []);
    let much = AdviceBounds { gain_min: 101, ..bounds };
    assert_eq!(said(&database.index_report(much).await.unwrap(), &accounts).len(), 1);

    // Made, it is not advised any more; what nothing uses is told of.
    let (telephone, fax) = ([column(&accounts, "telephone1")], [column(&accounts, "fax")]);
    add(&database, &accounts, &telephone).await.unwrap();
    add(&database, &accounts, &fax).await.unwrap();
    let report = database.index_report(bounds).await.unwrap();
    assert_eq!(said(&report, &accounts).len(), 1, "{report:?}");
    let unused: Vec<_> = report.unused.iter().map(|index| index.own.clone().unwrap()).collect();
    assert_eq!(unused, [fax.to_vec()]);
    remove(&database, &accounts, &telephone).await;
    remove(&database, &accounts, &fax).await;
    let report = database.index_report(bounds).await.unwrap();
    assert_eq!((said(&report, &accounts).len(), report.unused.len()), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_index_serves_is_advised_on_sqlite() {
    what_no_index_serves_is_advised(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_index_serves_is_advised_on_postgres() {
    what_no_index_serves_is_advised(Engine::Postgres).await;
}

#[test]
fn one_value_leaves_as_many_rows_as_the_sample_says() {
    assert_eq!(leaves(5_000, 5_000, [5_000, 500]), 500);
    // Set in a tenth of the rows, all different: a value is in one row of all.
    assert_eq!(leaves(5_000, 5_000, [500, 500]), 5_000);
    // Nearly unique in a part of the rows.
    assert_eq!(leaves(1_000_000, 10_000, [10_000, 9_000]), 900_000);
    assert_eq!(leaves(1_000_000, 10_000, [10_000, 7]), 7);
    assert_eq!(leaves(0, 0, [0, 0]), 1);
    assert_eq!(leaves(10, 10, [0, 0]), 1);
}

#[test]
fn of_two_indexes_the_longer_one_is_advised() {
    let question = |times| {
        let shape = QuestionShape {
            table: TableId(1),
            aggregates: false,
            equal: Vec::new(),
            range: Vec::new(),
            order: Vec::new(),
            groups: Vec::new(),
        };
        let question = NotedQuestion { shape, times, milliseconds: 0, answered: 0, scanned: 0, last_asked: 0 };
        AdvisedQuestion { question, met_now: 9, met_then: 1 }
    };
    let [a, b, c] = [ColumnId(1), ColumnId(2), ColumnId(3)];
    let mut found = BTreeMap::from([
        (vec![a], vec![question(1)]),
        (vec![a, b], vec![question(2)]),
        (vec![a, b, c], vec![question(3)]),
        (vec![b], vec![question(4)]),
    ]);
    fold_beginnings(&mut found);
    let left: Vec<_> = found.iter().map(|(columns, questions)| (columns.clone(), questions.len())).collect();
    assert_eq!(left, [(vec![a, b, c], 3), (vec![b], 1)]);
}
