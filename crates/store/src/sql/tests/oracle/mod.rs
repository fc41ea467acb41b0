//! The query oracle: a naive evaluator over rows in memory says what a query answers, and both engines must agree, for
//! generated rows, rights and questions. It uses nothing of the writer: no SQL, no joins, no arms.
//!
//! [`world`] makes rows and rights, [`question`] makes queries over them, [`naive`] answers them by trying every row.

mod naive;
mod question;
mod world;

use custodia_query::{Expand, Query};
use custodia_schema::Value;

use self::naive::Naive;
use self::question::Seen;
use self::world::World;
use super::super::{Context, Plan, count, select};
use super::engines::{TestDatabase, engines};
use super::{Numbers, schema};

const WORLDS: u64 = 12;
const QUESTIONS: u64 = 50;
const COUNT_CAP: u64 = 20;

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
                let found = pages(&database, &question, &policy, plan);
                assert_eq!(
                    found,
                    expected,
                    "world {number} on {:?} by {plan:?}\n{question:#?}\n{policy:#?}",
                    database.dialect()
                );
                let schema = schema();
                let context = Context { dialect: database.dialect(), schema: &schema, tables: &|_| true };
                let counted = database.rows(&count(&context, &question, &policy, COUNT_CAP).unwrap());
                let matching = naive.matching(&question).len() as u64;
                seen.note(match matching {
                    0 => "no row",
                    World::ROWS => "all rows",
                    _ => "some rows",
                });
                assert_eq!(
                    counted,
                    [[Value::BigInt(i64::try_from(matching.min(COUNT_CAP + 1)).unwrap())]],
                    "world {number} counted on {:?}\n{question:#?}\n{policy:#?}",
                    database.dialect()
                );
            }
            world.delete(&database);
        }
    }
    seen.check();
}

/// All pages joined, without the outputs that only continue the list.
fn pages(database: &TestDatabase, question: &Query, policy: &super::TestPolicy, plan: Plan) -> Vec<Vec<Value>> {
    let schema = schema();
    let context = Context { dialect: database.dialect(), schema: &schema, tables: &|_| true };
    let shown = question.fields.len()
        + question
            .expand
            .iter()
            .map(|expand| match expand {
                Expand::One { fields, .. } => fields.len(),
                Expand::Many { .. } => 0,
            })
            .sum::<usize>();
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
        if let Some(last) = rows.last() {
            let mut after: Vec<Value> = statement.keys.iter().map(|at| last[*at].clone()).collect();
            after.push(last[0].clone());
            question.after = Some(after);
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
