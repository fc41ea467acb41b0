//! Pages joined give the whole list, in every order, whatever the plan.

use std::cmp::Ordering;

use custodia_access::{Own, RowAccess, RowArms};
use custodia_query::{Field, Query};
use custodia_schema::{Guid, Money, Value, fold};

use super::super::{Plan, internal};
use super::engines::{TestDatabase, engines};
use super::{Numbers, Only, TestPolicy, compile, id, order, query, table, text};

/// A row as it was written: what it may be sorted by.
#[derive(Clone)]
struct Written {
    id: Guid,
    keys: Vec<(&'static str, Value)>,
}

impl Written {
    fn key(&self, name: &str) -> Value {
        self.keys.iter().find(|(key, _)| *key == name).map_or(Value::Null, |(_, value)| value.clone())
    }
}

/// Folds that tie, nulls, and values at both ends of their types.
fn write_accounts(database: &TestDatabase, count: u64) -> Vec<Written> {
    let mut numbers = Numbers::new(7);
    let names = ["", "a", "A", "Ä", "b", "B ", "ß", "ss", "z\u{10FFFF}", "Zoë"].map(text);
    let mut rows = Vec::new();
    for at in 0..count {
        let mut pick =
            |values: &[Value]| if numbers.below(3) == 0 { Value::Null } else { numbers.pick(values).clone() };
        let name = pick(&names);
        let employees = pick(&[Value::Integer(i32::MIN), Value::Integer(0), Value::Integer(i32::MAX)]);
        let revenue = pick(&[Value::Money(Money(i64::MIN)), Value::Money(Money(-1)), Value::Money(Money(i64::MAX))]);
        let created = pick(&[Value::DateTime(-1), Value::DateTime(0)]);
        let owner = id(u128::from(numbers.below(3)) + 1);
        // Ids in another order than the rows are written.
        let row = id(u128::from(numbers.next()) << 64 | u128::from(at));
        database.insert(
            "account",
            &[
                ("accountid", Value::Guid(row)),
                ("name", name.clone()),
                ("numberofemployees", employees.clone()),
                ("revenue", revenue.clone()),
                ("createdon", created.clone()),
                ("ownerid", Value::Lookup(table("systemuser").id, owner)),
                ("owningbusinessunit", Value::Lookup(table("businessunit").id, id(1))),
                ("statecode", Value::Integer(0)),
                ("statuscode", Value::Integer(1)),
            ],
        );
        let keys = vec![
            ("name", name),
            ("numberofemployees", employees),
            ("revenue", revenue),
            ("createdon", created),
            ("accountid", Value::Guid(row)),
        ];
        rows.push(Written { id: row, keys });
    }
    rows
}

fn by_value(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Text(left), Value::Text(right)) => fold(left).as_bytes().cmp(fold(right).as_bytes()),
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        (Value::Money(left), Value::Money(right)) => left.cmp(right),
        (Value::DateTime(left), Value::DateTime(right)) => left.cmp(right),
        (Value::Guid(left), Value::Guid(right)) => left.as_bytes().cmp(right.as_bytes()),
        other => panic!("not compared: {other:?}"),
    }
}

/// The ids in the order asked, as a person would sort them.
fn sorted(mut rows: Vec<Written>, keys: &[&str], hidden: Option<&str>) -> Vec<Guid> {
    let turn = |descending: bool, order: Ordering| if descending { order.reverse() } else { order };
    rows.sort_by(|left, right| {
        for key in keys {
            let (name, descending) = key.strip_prefix('-').map_or((*key, false), |name| (name, true));
            if hidden == Some(name) {
                continue;
            }
            let order = turn(descending, by_value(&left.key(name), &right.key(name)));
            if order != Ordering::Equal {
                return order;
            }
        }
        let descending = keys.last().is_some_and(|key| key.starts_with('-'));
        turn(descending, left.id.cmp(&right.id))
    });
    rows.into_iter().map(|row| row.id).collect()
}

/// Reads page after page until there is none.
fn pages(database: &TestDatabase, mut question: Query, policy: &TestPolicy, plan: Plan) -> Vec<Guid> {
    let mut found = Vec::new();
    let page = usize::try_from(question.page_size).unwrap();
    loop {
        let statement = compile(database.dialect(), &question, policy, plan);
        let rows = database.rows(&statement);
        assert!(rows.len() <= page + 1);
        let more = rows.len() > page;
        for row in rows.iter().take(page) {
            found.push(row[0].guid().unwrap());
        }
        if !more {
            return found;
        }
        let last = &rows[page - 1];
        let mut after: Vec<Value> = statement.keys.iter().map(|at| last[*at].clone()).collect();
        after.push(last[0].clone());
        question.after = Some(after);
    }
}

const ORDERS: &[&[&str]] = &[
    &[],
    &["name"],
    &["-name"],
    &["numberofemployees"],
    &["-numberofemployees"],
    &["name", "numberofemployees"],
    &["name", "-numberofemployees"],
    &["-name", "numberofemployees"],
    &["-name", "-numberofemployees"],
    &["revenue", "name", "createdon"],
    &["-revenue", "-name", "-createdon"],
    &["revenue", "-name", "createdon"],
    &["-createdon", "revenue", "-name"],
    &["createdon", "createdon"],
    &["accountid"],
    &["-accountid"],
    &["-createdon", "accountid", "name"],
];

#[test]
fn pages_joined_equal_the_list() {
    for database in engines(&["account"]) {
        let rows = write_accounts(&database, 60);
        for user in 1..=3 {
            database.execute(&internal::insert_member(id(user), id(user)));
        }
        let everything = RowArms {
            user: id(1),
            own: Own::UserAndTeams,
            units: vec![id(1)],
            subtrees: Vec::new(),
            shared: None,
            reports: None,
        };
        for keys in ORDERS {
            for hidden in [None, Some("name")] {
                let expected = sorted(rows.clone(), keys, hidden);
                for (plan, policy) in [
                    (Plan::Ordered, TestPolicy::open()),
                    (Plan::Sweep, TestPolicy::open()),
                    (Plan::Ordered, TestPolicy::reaching("account", RowAccess::Arms(everything.clone()))),
                    (Plan::Union, TestPolicy::reaching("account", RowAccess::Arms(everything.clone()))),
                ] {
                    let policy = hidden.map_or_else(|| policy.clone(), |name| policy.clone().hiding("account", name));
                    for page_size in [1, 7] {
                        let mut question = query("account", &["revenue"]);
                        question.order = order("account", keys);
                        question.page_size = page_size;
                        let found = pages(&database, question, &policy, plan);
                        assert_eq!(found, expected, "{:?} {plan:?} {keys:?} without {hidden:?}", database.dialect());
                    }
                }
            }
        }
    }
}

#[test]
fn pages_ordered_over_a_join_equal_the_list() {
    for database in engines(&["account", "contact"]) {
        let accounts = write_accounts(&database, 12);
        let mut numbers = Numbers::new(3);
        let mut contacts = Vec::new();
        for _ in 0..40 {
            let row = id(u128::from(numbers.next()));
            let parent = if numbers.below(4) == 0 { None } else { Some(numbers.pick(&accounts).clone()) };
            // A link into another table leads nowhere, whatever its id is.
            let target = if numbers.below(5) == 0 { "contact" } else { "account" };
            database.insert(
                "contact",
                &[
                    ("contactid", Value::Guid(row)),
                    (
                        "parentcustomerid",
                        parent.as_ref().map_or(Value::Null, |parent| Value::Lookup(table(target).id, parent.id)),
                    ),
                    ("ownerid", Value::Lookup(table("systemuser").id, id(1))),
                    ("owningbusinessunit", Value::Lookup(table("businessunit").id, id(1))),
                    ("statecode", Value::Integer(0)),
                    ("statuscode", Value::Integer(1)),
                ],
            );
            let parent = parent.filter(|_| target == "account");
            let key = |name: &str| parent.as_ref().map_or(Value::Null, |parent| parent.key(name));
            contacts.push(Written { id: row, keys: vec![("name", key("name")), ("revenue", key("revenue"))] });
        }
        for keys in [["name", "revenue"], ["name", "-revenue"], ["-name", "revenue"], ["-name", "-revenue"]] {
            let expected = sorted(contacts.clone(), &keys, None);
            let joined = keys.map(|key| match key.strip_prefix('-') {
                Some(key) => format!("-parentcustomerid:account.{key}"),
                None => format!("parentcustomerid:account.{key}"),
            });
            let mut question = query("contact", &[]);
            question.order = order("contact", &[&joined[0], &joined[1]]);
            question.page_size = 3;
            for plan in [Plan::Ordered, Plan::Sweep] {
                let found = pages(&database, question.clone(), &TestPolicy::open(), plan);
                assert_eq!(found, expected, "{:?} {plan:?} {keys:?}", database.dialect());
            }
        }
    }
}

#[test]
fn top_ends_the_list_without_asking_for_more() {
    for database in engines(&["account"]) {
        write_accounts(&database, 9);
        for (top, page_size, expected) in
            [(Some(0), 5, 0), (Some(4), 5, 4), (Some(5), 5, 5), (Some(6), 5, 6), (None, 5, 6)]
        {
            let mut question = query("account", &["name"]);
            (question.top, question.page_size) = (top, page_size);
            let statement = compile(database.dialect(), &question, &TestPolicy::open(), Plan::Ordered);
            assert_eq!(database.rows(&statement).len(), expected, "top {top:?}");
        }
    }
}

#[test]
fn a_place_that_does_not_fit_the_order_is_refused() {
    let schema = super::schema();
    let context = super::Context { dialect: super::Dialect::Sqlite, schema: &schema, tables: &Only(|_| true) };
    let mut question = query("account", &["name"]);
    question.fields.push(Field::Column(super::column("account", "revenue")));
    question.order = order("account", &["name"]);
    for (after, fits) in [
        (vec![text("a"), Value::Guid(id(1))], true),
        (vec![Value::Null, Value::Guid(id(1))], true),
        (vec![Value::Guid(id(1))], false),
        (vec![text("a"), text("b"), Value::Guid(id(1))], false),
        (vec![Value::Integer(1), Value::Guid(id(1))], false),
        (vec![text("a"), Value::Null], false),
    ] {
        question.after = Some(after.clone());
        let compiled = super::select(&context, &question, &TestPolicy::open(), Plan::Ordered);
        assert_eq!(compiled.is_ok(), fits, "{after:?}");
    }
}
