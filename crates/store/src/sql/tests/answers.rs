//! Filters and relationships on both engines: negations are exact complements, literals of every type match.

use std::collections::HashSet;

use custodia_query::{Comparison, Filter, Path, Related};
use custodia_schema::{Decimal, Guid, Money, RelationshipId, Value};

use super::super::{CompileError, Context, Dialect, Plan, select};
use super::engines::{TestDatabase, engines};
use super::{Only, TestPolicy, column, compare, compile, equal, id, path, query, schema, table, text};

/// Five accounts; the last has nothing but what every row has.
fn fill(database: &TestDatabase) {
    let decimals = ["0.1", "0.2", "100000000000", "-0.000000000001"];
    for at in 0..5_u8 {
        let number = i64::from(at);
        let mut values = vec![
            ("accountid", Value::Guid(id(u128::from(at)))),
            ("ownerid", Value::Lookup(table(if at % 2 == 0 { "systemuser" } else { "team" }).id, id(50))),
            ("owningbusinessunit", Value::Lookup(table("businessunit").id, id(60))),
            ("statecode", Value::Integer(i32::from(at % 2))),
            ("statuscode", Value::Integer(1)),
        ];
        if at < 4 {
            values.extend([
                ("name", text(["Ärger", "arger", "Zoo", ""][usize::from(at)])),
                ("address1_city", text("Zoo")),
                ("numberofemployees", Value::Integer(i32::from(at) - 1)),
                ("revenue", Value::Money(Money(number * 10_000))),
                ("exchangerate", Value::Decimal(decimals[usize::from(at)].parse().unwrap())),
                ("address1_latitude", Value::Double(f64::from(at) - 0.5)),
                ("creditonhold", Value::Boolean(at % 2 == 0)),
                ("createdon", Value::DateTime(number - 1)),
                ("primarycontactid", Value::Lookup(table("contact").id, id(u128::from(at)))),
                ("versionnumber", Value::BigInt(i64::MAX - number)),
            ]);
        }
        database.insert("account", &values);
    }
}

fn matched(database: &TestDatabase, filter: &Filter) -> Vec<u128> {
    let mut question = query("account", &[]);
    question.filter = filter.clone();
    let found: Vec<_> = [Plan::Ordered, Plan::Sweep]
        .into_iter()
        .map(|plan| {
            let statement = compile(database.dialect(), &question, &TestPolicy::open(), plan);
            database.rows(&statement).iter().map(|row| row[0].guid().unwrap().as_u128()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found[0], found[1]);
    found[0].clone()
}

fn leaves() -> Vec<(Filter, Vec<u128>)> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let of = |name: &str, operator, value| compare("account", name, operator, value);
    let decimal = |digits: &str| Value::Decimal(digits.parse::<Decimal>().unwrap());
    let columns = |left: &str, operator, right: &str| Filter::CompareColumns {
        left: path("account", left),
        operator,
        right: path("account", right),
    };
    let one_of = |name: &str, values: Vec<Value>| Filter::In { path: path("account", name), values };
    let (user, team) = (table("systemuser").id, table("team").id);
    vec![
        (Filter::True, vec![0, 1, 2, 3, 4]),
        (Filter::False, vec![]),
        (Filter::And(vec![]), vec![0, 1, 2, 3, 4]),
        (Filter::Or(vec![]), vec![]),
        (of("name", Equal, text("ARGER  ")), vec![0, 1]),
        (of("name", NotEqual, text("arger")), vec![2, 3, 4]),
        (of("name", Less, text("b")), vec![0, 1, 3]),
        (of("name", GreaterOrEqual, text("arger")), vec![0, 1, 2]),
        (of("name", Equal, text("")), vec![3]),
        (of("numberofemployees", LessOrEqual, Value::Integer(0)), vec![0, 1]),
        (of("numberofemployees", Greater, Value::BigInt(i64::from(i32::MAX) + 1)), vec![]),
        (of("numberofemployees", Less, Value::BigInt(i64::MAX)), vec![0, 1, 2, 3]),
        (of("versionnumber", GreaterOrEqual, Value::BigInt(i64::MAX)), vec![0]),
        (of("versionnumber", Less, Value::BigInt(i64::MAX)), vec![1, 2, 3]),
        (of("revenue", Greater, Value::Money(Money(10_000))), vec![2, 3]),
        (of("exchangerate", Equal, decimal("0.10")), vec![0]),
        (of("exchangerate", Less, decimal("0")), vec![3]),
        (of("exchangerate", Equal, decimal("0.1000000000001")), vec![]),
        (of("exchangerate", Less, decimal("0.1000000000001")), vec![0, 3]),
        (of("exchangerate", LessOrEqual, decimal("0.0999999999999")), vec![3]),
        (of("exchangerate", Greater, decimal("0.1000000000001")), vec![1, 2]),
        (of("exchangerate", GreaterOrEqual, decimal("-0.0000000000001")), vec![0, 1, 2]),
        (of("exchangerate", Less, decimal("79228162514264337593543950335")), vec![0, 1, 2, 3]),
        (of("exchangerate", GreaterOrEqual, decimal("79228162514264337593543950335")), vec![]),
        (of("exchangerate", Greater, decimal("-79228162514264337593543950335")), vec![0, 1, 2, 3]),
        (of("exchangerate", Equal, decimal("-79228162514264337593543950335")), vec![]),
        (of("address1_latitude", Less, Value::Double(0.5)), vec![0]),
        (of("creditonhold", Equal, Value::Boolean(true)), vec![0, 2]),
        (of("creditonhold", NotEqual, Value::Boolean(true)), vec![1, 3, 4]),
        (of("createdon", Less, Value::DateTime(0)), vec![0]),
        (of("statecode", Equal, Value::Integer(1)), vec![1, 3]),
        (of("statecode", NotEqual, Value::Integer(1)), vec![0, 2, 4]),
        (of("primarycontactid", Equal, Value::Guid(id(2))), vec![2]),
        (of("primarycontactid", NotEqual, Value::Guid(id(2))), vec![0, 1, 3, 4]),
        (of("ownerid", Equal, Value::Guid(id(50))), vec![0, 1, 2, 3, 4]),
        (of("ownerid", Equal, Value::Lookup(user, id(50))), vec![0, 2, 4]),
        (of("ownerid", NotEqual, Value::Lookup(team, id(50))), vec![0, 2, 4]),
        (Filter::IsNull(path("account", "name")), vec![4]),
        (Filter::IsNull(path("account", "statecode")), vec![]),
        (one_of("name", vec![text("Ärger"), text("zoo")]), vec![0, 1, 2]),
        (one_of("name", vec![]), vec![]),
        (one_of("exchangerate", vec![decimal("0.2"), decimal("0.1000000000001")]), vec![1]),
        (one_of("ownerid", vec![Value::Lookup(team, id(50)), Value::Guid(id(51))]), vec![1, 3]),
        (columns("name", Equal, "address1_city"), vec![2]),
        (columns("name", NotEqual, "address1_city"), vec![0, 1, 3, 4]),
        (columns("statecode", Less, "numberofemployees"), vec![2, 3]),
        (columns("accountid", Equal, "primarycontactid"), vec![0, 1, 2, 3]),
        (Filter::Or((0..300).map(|at| of("numberofemployees", Equal, Value::Integer(at))).collect()), vec![1, 2, 3]),
        (
            Filter::And((1..3_000).map(|at| of("numberofemployees", NotEqual, Value::Integer(at))).collect()),
            vec![0, 1, 4],
        ),
    ]
}

#[test]
fn filters_and_their_complements_match_the_rows_they_should() {
    for database in engines(&["account"]) {
        fill(&database);
        for (filter, expected) in leaves() {
            assert_eq!(matched(&database, &filter), expected, "{:?} {filter:?}", database.dialect());
            let complement: Vec<u128> = (0..5).filter(|row| !expected.contains(row)).collect();
            let not = Filter::Not(Box::new(filter));
            assert_eq!(matched(&database, &not), complement, "{:?} {not:?}", database.dialect());
            let twice = Filter::Not(Box::new(not));
            assert_eq!(matched(&database, &twice), expected, "{:?} {twice:?}", database.dialect());
        }
    }
}

#[test]
fn literals_of_another_type_are_refused_even_against_hidden_columns() {
    let schema = schema();
    let context = Context { dialect: Dialect::Postgres, schema: &schema, tables: &Only(|_| true) };
    let hidden = TestPolicy::open().hiding("account", "revenue").hiding("account", "name");
    for policy in [TestPolicy::open(), hidden] {
        for filter in [
            equal("account", "revenue", text("a")),
            equal("account", "name", Value::Integer(1)),
            equal("account", "name", Value::Null),
            Filter::In { path: path("account", "revenue"), values: vec![Value::Double(1.0)] },
            Filter::Like { path: path("account", "revenue"), pattern: custodia_query::LikePattern::Anything },
        ] {
            let mut question = query("account", &[]);
            question.filter = filter.clone();
            let refused = select(&context, &question, &policy, Plan::Ordered);
            assert!(matches!(refused, Err(CompileError::Type { .. })), "{filter:?}: {refused:?}");
        }
        let mut question = query("account", &[]);
        question.filter = Filter::CompareColumns {
            left: path("account", "revenue"),
            operator: Comparison::Equal,
            right: path("account", "exchangerate"),
        };
        assert!(matches!(select(&context, &question, &policy, Plan::Ordered), Err(CompileError::Incomparable { .. })));
    }
    let mut strange = query("account", &[]);
    strange.filter = Filter::IsNull(Path::over(
        vec![custodia_query::Step { lookup: column("account", "ownerid"), target: table("account").id }],
        column("account", "name"),
    ));
    let refused = select(&context, &strange, &TestPolicy::open(), Plan::Ordered);
    assert!(matches!(refused, Err(CompileError::NoRelationship { .. })), "{refused:?}");
}

#[test]
fn rows_are_found_by_what_they_hang_on() {
    let schema = schema();
    for database in engines(&["contact", "systemuser", "team", "teammembership"]) {
        let contact = |row: u128, parent: Value| {
            database.insert(
                "contact",
                &[
                    ("contactid", Value::Guid(id(row))),
                    ("parentcustomerid", parent),
                    ("ownerid", Value::Lookup(table("systemuser").id, id(1))),
                    ("owningbusinessunit", Value::Lookup(table("businessunit").id, id(1))),
                    ("statecode", Value::Integer(0)),
                    ("statuscode", Value::Integer(1)),
                ],
            );
        };
        contact(1, Value::Lookup(table("account").id, id(9)));
        contact(2, Value::Lookup(table("contact").id, id(9)));
        contact(3, Value::Null);
        let ids = |question: &custodia_query::Query, policy: &TestPolicy| -> Vec<Guid> {
            let statement = compile(database.dialect(), question, policy, Plan::Ordered);
            database.rows(&statement).iter().map(|row| row[0].guid().unwrap()).collect()
        };
        let mut children = query("contact", &[]);
        let lookup = column("contact", "parentcustomerid");
        children.related = Some(Related::ByLookup { lookup, parent: id(9), parent_table: table("account").id });
        assert_eq!(ids(&children, &TestPolicy::open()), [id(1)]);
        assert_eq!(ids(&children, &TestPolicy::open().hiding("contact", "parentcustomerid")), Vec::<Guid>::new());

        for (user, team) in [(1, 11), (1, 12), (2, 12)] {
            database.insert(
                "teammembership",
                &[
                    ("teammembershipid", Value::Guid(id(user * 100 + team))),
                    ("systemuserid", Value::Guid(id(user))),
                    ("teamid", Value::Guid(id(team))),
                ],
            );
        }
        for team in [11, 12, 13] {
            database.insert("team", &[("teamid", Value::Guid(id(team))), ("name", text("t"))]);
        }
        for user in [1, 2, 3] {
            database.insert("systemuser", &[("systemuserid", Value::Guid(id(user)))]);
        }
        let (position, link) = schema
            .many_to_many()
            .iter()
            .enumerate()
            .find(|(_, link)| link.intersect == table("teammembership").id)
            .unwrap();
        let linked = |of: &str, parent: u128| {
            let mut linked = query(of, &[]);
            linked.related = Some(Related::ByLink {
                relationship: RelationshipId(u32::try_from(position).unwrap()),
                queried_is_second: link.second == table(of).id,
                parent: id(parent),
            });
            linked
        };
        assert_eq!(ids(&linked("team", 1), &TestPolicy::open()), [id(11), id(12)]);
        assert_eq!(ids(&linked("systemuser", 12), &TestPolicy::open()), [id(1), id(2)]);
        assert_eq!(ids(&linked("team", 3), &TestPolicy::open()), Vec::<Guid>::new());
        // The wrong end is an error, not an empty list.
        let mut wrong = linked("team", 1);
        if let Some(Related::ByLink { queried_is_second, .. }) = &mut wrong.related {
            *queried_is_second = !*queried_is_second;
        }
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
        assert!(select(&context, &wrong, &TestPolicy::open(), Plan::Ordered).is_err());
    }
}

#[test]
fn questions_larger_than_an_engine_takes_are_refused_with_what_is_too_much() {
    let schema = schema();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let context = Context { dialect, schema: &schema, tables: &Only(|_| true) };
        let refused =
            |question: &custodia_query::Query| match select(&context, question, &TestPolicy::open(), Plan::Ordered) {
                Err(CompileError::TooLarge { what, .. }) => what,
                other => panic!("{other:?}"),
            };
        let mut values = query("account", &[]);
        values.filter = Filter::In {
            path: path("account", "numberofemployees"),
            values: (0..40_000).map(Value::Integer).collect(),
        };
        assert_eq!(refused(&values), "values");
        let mut steps = query("account", &[]);
        let mut deep = path("account", "name");
        steps.filter = Filter::And(
            (0..50)
                .map(|_| {
                    let step = custodia_query::Step {
                        lookup: column("account", "parentaccountid"),
                        target: table("account").id,
                    };
                    deep.steps.push(step);
                    Filter::IsNull(deep.clone())
                })
                .collect(),
        );
        assert!(refused(&steps).starts_with("related records"));
        let mut keys = query("account", &[]);
        keys.order = super::order("account", &["name"; 33]);
        assert_eq!(refused(&keys), "columns to sort by");
    }
}

#[test]
fn lists_of_many_lengths_leave_few_statements() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let written: HashSet<String> = (17..2_000)
            .map(|length| {
                let mut question = query("account", &[]);
                let values = (0..length).map(Value::Integer).collect();
                question.filter = Filter::In { path: path("account", "numberofemployees"), values };
                compile(dialect, &question, &TestPolicy::open(), Plan::Ordered).sql
            })
            .collect();
        // 32, 64, 128, 256, 512, 1,024, 2,048.
        assert_eq!(written.len(), 7, "{dialect:?}");
    }
}
