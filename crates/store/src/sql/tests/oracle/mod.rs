//! The query oracle: a naive evaluator over rows in memory says what a query answers, and both engines must agree, for
//! generated rows, rights and questions. It uses nothing of the writer: no SQL, no joins, no arms.
//!
//! [`world`] makes rows and rights, [`question`] makes queries over them, [`naive`] answers them by trying
//! every row, [`groups`] aggregates. [`spoken`] does the same with questions as texts of the two languages.

mod groups;
mod leaks;
mod naive;
mod question;
mod spoken;
mod world;

use custodia_query::{Expand, Query};
use custodia_schema::Value;

use self::naive::Naive;
use self::question::Seen;
use self::world::World;
use super::super::{Context, Plan, aggregate, count, select};
use super::engines::{TestDatabase, engines};
use super::{Numbers, Only, schema};

const WORLDS: u64 = 12;
const QUESTIONS: u64 = 50;
const COUNT_CAP: u64 = 20;

/// Questions that each engine is asked.
fn questions_asked() -> u64 {
    WORLDS * QUESTIONS * u64::from(custodia_testbed::effort())
}

#[test]
fn both_engines_answer_as_the_naive_evaluator() {
    let mut seen = Seen::default();
    for database in engines(World::TABLES) {
        for number in 0..WORLDS * u64::from(custodia_testbed::effort()) {
            let mut numbers = Numbers::new(number);
            let world = World::generate(&mut numbers);
            world.write(&database);
            for _ in 0..QUESTIONS {
                let policy = world.any_policy(&mut numbers);
                let question = question::any(&world, &mut numbers, &mut seen);
                let plan = *numbers.pick(&[Plan::Ordered, Plan::Sweep, Plan::Union]);
                let naive = Naive { world: &world, policy: &policy };
                let expected = naive.answer(&question, &mut seen);
                let found = pages(&database, &question, &policy, plan, &|_, place| place);
                assert_eq!(
                    found,
                    expected,
                    "world {number} on {:?} by {plan:?}\n{question:#?}\n{policy:#?}",
                    database.dialect()
                );
                let schema = schema();
                let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
                let counted = database.rows(&count(&context, &question, &policy, plan, COUNT_CAP).unwrap());
                let matching = naive.count(&question) as u64;
                seen.note(match matching {
                    0 => "no row",
                    World::ROWS => "all rows",
                    _ => "some rows",
                });
                assert_eq!(
                    counted,
                    [[Value::BigInt(i64::try_from(matching.min(COUNT_CAP + 1)).unwrap())]],
                    "world {number} counted on {:?} by {plan:?}\n{question:#?}\n{policy:#?}",
                    database.dialect()
                );
            }
            world.delete(&database);
        }
    }
    custodia_testbed::tell(&format!("statements on each engine: {} questions", questions_asked()));
    seen.check();
}

#[test]
fn both_engines_aggregate_as_the_naive_evaluator() {
    let mut seen = Seen::default();
    let schema = schema();
    for database in engines(World::TABLES) {
        for number in 0..WORLDS * u64::from(custodia_testbed::effort()) {
            let mut numbers = Numbers::new(number + 7_000);
            let world = World::generate(&mut numbers);
            world.write(&database);
            for _ in 0..QUESTIONS {
                let policy = world.any_policy(&mut numbers);
                let mut question = question::any_aggregation(&world, &mut numbers, &mut seen);
                let plan = *numbers.pick(&[Plan::Ordered, Plan::Sweep, Plan::Union]);
                let naive = Naive { world: &world, policy: &policy };
                let rows = naive.matching(&question.rows).len();
                let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
                let about =
                    format!("world {number} on {:?} by {plan:?}\n{question:#?}\n{policy:#?}", database.dialect());
                let statement = aggregate(&context, &question, &policy, plan).unwrap();
                match naive.aggregated(&question) {
                    Some(expected) => {
                        seen.note(if expected.len() > 1 { "several groups" } else { "one group" });
                        let found: Vec<Vec<Value>> = database
                            .rows(&statement)
                            .into_iter()
                            .map(|mut row| {
                                assert_eq!(row.pop(), Some(Value::BigInt(rows as i64)), "{about}");
                                row
                            })
                            .collect();
                        assert_eq!(found, expected, "{about}\n{}", statement.sql);
                    }
                    None => {
                        seen.note("sum too large");
                        let refused = database.try_rows(&statement).unwrap_err();
                        assert!(matches!(refused, crate::Error::TooLargeNumber), "{refused:?} {about}");
                    }
                }
                if rows > 1 {
                    seen.note("too many rows");
                    question.rows_max = u32::try_from(rows - 2).unwrap();
                    question.measures = vec![custodia_query::Measure::Count];
                    question.order = Vec::new();
                    let statement = aggregate(&context, &question, &policy, plan).unwrap();
                    let found = database.rows(&statement);
                    assert_eq!(found[0].last(), Some(&Value::BigInt(rows as i64 - 1)), "{about}");
                }
            }
            world.delete(&database);
        }
    }
    custodia_testbed::tell(&format!("groups on each engine: {} questions", questions_asked()));
    seen.check_aggregations();
    seen.check_sums();
}

/// All pages joined, without the outputs that only continue the list. `place` is handed where each page ends, and gives where
/// the next one begins.
fn pages(
    database: &TestDatabase,
    question: &Query,
    policy: &super::TestPolicy,
    plan: Plan,
    place: &dyn Fn(&Query, Vec<Value>) -> Vec<Value>,
) -> Vec<Vec<Value>> {
    let schema = schema();
    let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
    let links: usize = question.links.iter().map(|link| link.fields.len()).sum();
    let shown = question.fields.len() + links + expanded_fields(&question.expand);
    let page = usize::try_from(question.page_size).unwrap();
    let mut question = question.clone();
    let mut found: Vec<Vec<Value>> = Vec::new();
    loop {
        let statement =
            select(&context, &question, policy, plan).unwrap_or_else(|error| panic!("{error}\n{question:#?}"));
        let mut rows = database.rows(&statement);
        assert!(rows.iter().all(|row| row.len() == statement.outputs.len()));
        let more = rows.len() > page;
        rows.truncate(page);
        if !question.can_seek() {
            question.skip += u32::try_from(rows.len()).unwrap();
        } else if let Some(last) = rows.last() {
            let mut after: Vec<Value> = statement.keys.iter().map(|at| last[*at].clone()).collect();
            after.push(last[0].clone());
            question.after = Some(place(&question, after));
        }
        // A `top` counts over all pages.
        if let Some(top) = &mut question.top {
            *top -= u32::try_from(rows.len()).unwrap();
        }
        found.extend(rows.into_iter().map(|mut row| {
            row.truncate(shown);
            row
        }));
        if !more || question.top == Some(0) {
            return found;
        }
    }
}

fn expanded_fields(expand: &[Expand]) -> usize {
    let of = |entry: &Expand| match entry {
        Expand::One { fields, expand, .. } => fields.len() + expanded_fields(expand),
        Expand::Many { .. } => 0,
    };
    expand.iter().map(of).sum()
}
