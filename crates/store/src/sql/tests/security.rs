//! Rows that a caller reaches, by every path, plan and kind of table, against a list written by hand.

use std::collections::BTreeSet;

use custodia_access::{Own, ParentAccess, RightsMask, RowAccess, RowArms};
use custodia_query::{Comparison, Expand, Field, Filter, Query, RowKey, Step};
use custodia_schema::{Guid, Value, ValueRef};

use super::super::{CompileError, Context, Plan, count, fetch, internal, select, stored_values};
use super::engines::{TestDatabase, engines};
use super::{Only, TestPolicy, column, compare, compile, equal, id, order, query, schema, table, text};

const READ: u32 = 1;
const WRITE: u32 = 2;

// Users and teams.
const ANN: u128 = 1;
const BEN: u128 = 2;
const TEAM: u128 = 3;
const OTHER_TEAM: u128 = 4;
// Units: EAST and WEST below ROOT, EAST1 below EAST.
const ROOT: u128 = 10;
const EAST: u128 = 11;
const EAST1: u128 = 12;
const WEST: u128 = 13;

/// Accounts: id, owner, unit.
const ACCOUNTS: &[(u128, u128, u128)] = &[
    (100, ANN, EAST),
    (101, BEN, EAST),
    (102, TEAM, WEST),
    (103, BEN, EAST1),
    (104, OTHER_TEAM, WEST),
    (105, BEN, ROOT),
    (106, BEN, WEST),
    (107, OTHER_TEAM, ROOT),
];
/// Shares: row, principal, explicit mask, inherited mask.
const SHARES: &[(u128, u128, u32, u32)] = &[
    (105, ANN, READ, 0),
    (106, TEAM, 0, READ | WRITE),
    (107, ANN, WRITE, 0),
    (103, BEN, READ, 0),
    (100, ANN, READ, 0),
];

fn fill(database: &TestDatabase) {
    for (user, principal) in [(ANN, ANN), (ANN, TEAM), (BEN, BEN), (BEN, OTHER_TEAM)] {
        database.execute(&internal::insert_member(id(user), id(principal)));
    }
    for (unit, parent) in [(ROOT, None), (EAST, Some(ROOT)), (EAST1, Some(EAST)), (WEST, Some(ROOT))] {
        for statement in internal::insert_unit(id(unit), parent.map(id)) {
            database.execute(&statement);
        }
    }
    let (user, team, unit) = (table("systemuser").id, table("team").id, table("businessunit").id);
    let owner_of = |owner: u128| Value::Lookup(if owner == ANN || owner == BEN { user } else { team }, id(owner));
    for (row, owner, sits) in ACCOUNTS {
        database.insert(
            "account",
            &[
                ("accountid", Value::Guid(id(*row))),
                ("name", text(&format!("Account {row}"))),
                ("revenue", Value::Money(custodia_schema::Money(1_000))),
                ("ownerid", owner_of(*owner)),
                ("owningbusinessunit", Value::Lookup(unit, id(*sits))),
                ("statecode", Value::Integer(0)),
                ("statuscode", Value::Integer(1)),
            ],
        );
        // One contact below each account.
        database.insert(
            "contact",
            &[
                ("contactid", Value::Guid(id(row + 1_000))),
                ("fullname", text(&format!("Contact {row}"))),
                ("parentcustomerid", Value::Lookup(table("account").id, id(*row))),
                ("ownerid", owner_of(BEN)),
                ("owningbusinessunit", Value::Lookup(unit, id(ROOT))),
                ("statecode", Value::Integer(0)),
                ("statuscode", Value::Integer(1)),
            ],
        );
    }
    for (at, (row, principal, explicit, inherited)) in SHARES.iter().enumerate() {
        database.insert(
            "principalobjectaccess",
            &[
                ("principalobjectaccessid", Value::Guid(id(at as u128))),
                ("objectid", Value::Guid(id(*row))),
                ("objecttypecode", text("account")),
                ("principalid", Value::Guid(id(*principal))),
                ("accessrightsmask", Value::Integer(i32::try_from(*explicit).unwrap())),
                ("inheritedaccessrightsmask", Value::Integer(i32::try_from(*inherited).unwrap())),
            ],
        );
    }
}

fn arms() -> RowArms {
    RowArms { user: id(ANN), own: Own::Nobody, units: Vec::new(), subtrees: Vec::new(), shared: None, reports: None }
}

/// Every shape of access with the accounts it reaches.
fn shapes() -> Vec<(&'static str, RowAccess, Vec<u128>)> {
    let all: Vec<u128> = ACCOUNTS.iter().map(|(row, ..)| *row).collect();
    let of = |arms: RowArms| RowAccess::Arms(arms);
    let ids = |units: &[u128]| units.iter().map(|unit| id(*unit)).collect::<Vec<_>>();
    vec![
        ("all", RowAccess::All, all),
        ("nobody", of(arms()), vec![]),
        ("own and teams", of(RowArms { own: Own::UserAndTeams, ..arms() }), vec![100, 102]),
        ("one team", of(RowArms { own: Own::Teams(ids(&[TEAM])), ..arms() }), vec![102]),
        ("no team", of(RowArms { own: Own::Teams(Vec::new()), ..arms() }), vec![]),
        ("local", of(RowArms { units: ids(&[EAST]), ..arms() }), vec![100, 101]),
        ("two units", of(RowArms { units: ids(&[EAST1, WEST]), ..arms() }), vec![102, 103, 104, 106]),
        ("deep", of(RowArms { subtrees: ids(&[EAST]), ..arms() }), vec![100, 101, 103]),
        (
            "deep and local",
            of(RowArms { subtrees: ids(&[EAST]), units: ids(&[WEST]), ..arms() }),
            vec![100, 101, 102, 103, 104, 106],
        ),
        ("shared for reading", of(RowArms { shared: Some(RightsMask(READ)), ..arms() }), vec![100, 105, 106]),
        ("shared for writing", of(RowArms { shared: Some(RightsMask(WRITE)), ..arms() }), vec![106, 107]),
        ("shared for deleting", of(RowArms { shared: Some(RightsMask(65_536)), ..arms() }), vec![]),
        (
            "every path, overlapping",
            of(RowArms {
                own: Own::UserAndTeams,
                units: ids(&[WEST]),
                subtrees: ids(&[EAST]),
                shared: Some(RightsMask(READ)),
                ..arms()
            }),
            vec![100, 101, 102, 103, 104, 105, 106],
        ),
        ("a team itself", of(RowArms { user: id(TEAM), own: Own::Itself, ..arms() }), vec![102]),
        (
            "a team itself, with shares to it and not to its members",
            of(RowArms { user: id(TEAM), own: Own::Itself, shared: Some(RightsMask(READ)), ..arms() }),
            vec![102, 106],
        ),
        ("the own row", of(RowArms { user: id(103), own: Own::Self_, ..arms() }), vec![103]),
        (
            "two callers",
            RowAccess::Every(vec![
                of(RowArms { own: Own::UserAndTeams, shared: Some(RightsMask(READ)), ..arms() }),
                of(RowArms { user: id(BEN), own: Own::UserAndTeams, ..arms() }),
            ]),
            vec![105, 106],
        ),
        (
            "two callers, one of them everywhere",
            RowAccess::Every(vec![RowAccess::All, of(RowArms { units: ids(&[EAST]), ..arms() })]),
            vec![100, 101],
        ),
        ("two callers, one of them nowhere", RowAccess::Every(vec![of(arms()), RowAccess::All]), vec![]),
    ]
}

fn ids_of(database: &TestDatabase, question: &Query, policy: &TestPolicy, plan: Plan) -> Vec<Guid> {
    let statement = compile(database.dialect(), question, policy, plan);
    database.rows(&statement).iter().map(|row| row[0].guid().unwrap()).collect()
}

#[test]
fn every_plan_reaches_the_rows_that_the_rules_say() {
    let schema = schema();
    for database in engines(&["account", "contact", "principalobjectaccess"]) {
        fill(&database);
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
        for (name, access, expected) in shapes() {
            let expected: Vec<Guid> = expected.into_iter().map(id).collect();
            let policy = TestPolicy::reaching("account", access.clone());
            let mut question = query("account", &["name"]);
            question.order = order("account", &["name"]);
            for plan in [Plan::Ordered, Plan::Sweep, Plan::Union] {
                assert_eq!(
                    ids_of(&database, &question, &policy, plan),
                    expected,
                    "{name} {plan:?} {:?}",
                    database.dialect()
                );
                let mut by_unit = question.clone();
                by_unit.order = order("account", &["-owningbusinessunit", "ownerid"]);
                let found: BTreeSet<_> = ids_of(&database, &by_unit, &policy, plan).into_iter().collect();
                assert_eq!(found, expected.iter().copied().collect(), "{name} {plan:?} by unit");
                // One row by its id, as a retrieve asks.
                for (row, ..) in ACCOUNTS {
                    let mut one = query("account", &["name"]);
                    one.filter = equal("account", "accountid", Value::Guid(id(*row)));
                    let found = !ids_of(&database, &one, &policy, plan).is_empty();
                    assert_eq!(found, expected.contains(&id(*row)), "{name} {plan:?} {row}");
                }
            }
            for filter in [Filter::True, compare("account", "name", Comparison::NotEqual, text("account 100"))] {
                let left_out = usize::from(filter != Filter::True && expected.contains(&id(100)));
                question.filter = filter;
                for plan in [Plan::Ordered, Plan::Sweep, Plan::Union] {
                    let counted = database.rows(&count(&context, &question, &policy, plan, 5_000).unwrap());
                    let matching = expected.len() - left_out;
                    assert_eq!(counted, [[Value::BigInt(matching as i64)]], "{name} counted by {plan:?}");
                    let capped = database.rows(&count(&context, &question, &policy, plan, 1).unwrap());
                    assert_eq!(capped, [[Value::BigInt(matching.min(2) as i64)]], "{name} capped by {plan:?}");
                }
            }
            // As a check before a write.
            let mut reached = Vec::new();
            for (row, ..) in ACCOUNTS {
                let read =
                    fetch(&context, &table("account"), &RowKey::Id(id(*row)), std::slice::from_ref(&access)).unwrap();
                database.each(&read, &mut |found| {
                    let (_, at) = stored_values(&table("account"), found);
                    if found.get(at) == ValueRef::Boolean(true) {
                        reached.push(id(*row));
                    }
                });
            }
            assert_eq!(reached, expected, "{name} checked");
            // As the parent that a child follows.
            let follows = RowAccess::Parent(vec![
                ParentAccess {
                    lookup: column("contact", "parentcustomerid"),
                    table: table("contact").id,
                    access: Some(Box::new(RowAccess::All)),
                },
                ParentAccess {
                    lookup: column("contact", "parentcustomerid"),
                    table: table("account").id,
                    access: Some(Box::new(access.clone())),
                },
            ]);
            let policy = TestPolicy::reaching("contact", follows);
            for plan in [Plan::Ordered, Plan::Sweep, Plan::Union] {
                let found: Vec<_> = ids_of(&database, &query("contact", &[]), &policy, plan);
                let children: Vec<_> = expected.iter().map(|parent| id(parent.as_u128() + 1_000)).collect();
                assert_eq!(found, children, "{name} followed {plan:?}");
            }
        }
    }
}

#[test]
fn shares_count_only_once_their_table_exists() {
    let schema = schema();
    let shares = table("principalobjectaccess").id;
    for database in engines(&["account"]) {
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|id| id != shares) };
        let policy = TestPolicy::reaching(
            "account",
            RowAccess::Arms(RowArms { own: Own::UserAndTeams, shared: Some(RightsMask(READ)), ..arms() }),
        );
        for plan in [Plan::Ordered, Plan::Sweep, Plan::Union] {
            let statement = select(&context, &query("account", &[]), &policy, plan).unwrap();
            assert!(!statement.sql.contains("principalobjectaccess"));
            assert_eq!(database.rows(&statement).len(), 0);
        }
    }
}

#[test]
fn steps_show_only_rows_that_are_reached_but_names_of_all() {
    for database in engines(&["account", "contact", "principalobjectaccess", "systemuser", "team"]) {
        fill(&database);
        let customer = column("contact", "parentcustomerid");
        let step = Step { lookup: customer, target: table("account").id };
        let mut question = query("contact", &["parentcustomerid"]);
        question.fields.extend([Field::TargetTable(customer), Field::TargetName(customer)]);
        question.expand = vec![Expand::One {
            name: "parentcustomerid_account".to_owned(),
            step,
            fields: vec![
                Field::Column(table("account").primary_id),
                Field::Column(column("account", "name")),
                Field::TargetTable(column("account", "owningbusinessunit")),
            ],
            expand: Vec::new(),
        }];
        let local = RowAccess::Arms(RowArms { units: vec![id(EAST)], ..arms() });
        let policy = TestPolicy::reaching("account", local);
        let statement = compile(database.dialect(), &question, &policy, Plan::Ordered);
        let rows = database.rows(&statement);
        assert_eq!(rows.len(), ACCOUNTS.len());
        for (row, (account, _, unit)) in rows.iter().zip(ACCOUNTS) {
            let name = text(&format!("Account {account}"));
            assert_eq!(
                row[1..4],
                [Value::Guid(id(*account)), Value::BigInt(i64::from(table("account").id.0)), name.clone()]
            );
            let expanded = if *unit == EAST {
                vec![Value::Guid(id(*account)), name, Value::BigInt(i64::from(table("businessunit").id.0))]
            } else {
                vec![Value::Null; 3]
            };
            assert_eq!(row[4..], expanded, "{account}");
        }
        // A filter over the step takes the row that is not reached for null.
        question.filter = Filter::Not(Box::new(equal("contact", "parentcustomerid:account.name", text("Account 101"))));
        assert_eq!(ids_of(&database, &question, &policy, Plan::Ordered).len(), ACCOUNTS.len() - 1);
        question.filter = Filter::IsNull(super::path("contact", "parentcustomerid:account.name"));
        assert_eq!(ids_of(&database, &question, &policy, Plan::Ordered).len(), ACCOUNTS.len() - 2);

        // Column security on the lookup hides all of it; on the name, the name wherever it would show.
        question.filter = Filter::True;
        let rows = database.rows(&compile(
            database.dialect(),
            &question,
            &policy.clone().hiding("contact", "parentcustomerid"),
            Plan::Ordered,
        ));
        assert!(rows.iter().all(|row| row[1..].iter().all(Value::is_null)));
        let rows = database.rows(&compile(
            database.dialect(),
            &question,
            &policy.clone().hiding("account", "name"),
            Plan::Ordered,
        ));
        assert!(rows.iter().all(|row| row[3].is_null() && row[5].is_null() && !row[1].is_null()));
    }
}

#[test]
fn a_column_that_may_not_be_read_is_null_in_every_place() {
    for database in engines(&["account", "contact", "principalobjectaccess"]) {
        fill(&database);
        let policy = TestPolicy::open().hiding("account", "revenue");
        let money = |amount| Value::Money(custodia_schema::Money(amount));
        let revenue = || super::path("account", "revenue");
        let not = |filter| Filter::Not(Box::new(filter));
        let all = ACCOUNTS.len();
        for (filter, expected) in [
            (compare("account", "revenue", Comparison::Equal, money(1_000)), 0),
            (compare("account", "revenue", Comparison::NotEqual, money(1_000)), all),
            (compare("account", "revenue", Comparison::Greater, money(0)), 0),
            (not(compare("account", "revenue", Comparison::Greater, money(0))), all),
            (Filter::IsNull(revenue()), all),
            (not(Filter::IsNull(revenue())), 0),
            (Filter::In { path: revenue(), values: vec![money(1_000)] }, 0),
            (not(Filter::In { path: revenue(), values: vec![money(1_000)] }), all),
            (
                Filter::CompareColumns {
                    left: revenue(),
                    operator: Comparison::Equal,
                    right: super::path("account", "marketcap"),
                },
                0,
            ),
            (
                Filter::CompareColumns {
                    left: super::path("account", "marketcap"),
                    operator: Comparison::NotEqual,
                    right: revenue(),
                },
                all,
            ),
        ] {
            let mut question = query("account", &["revenue"]);
            question.filter = filter.clone();
            question.order = order("account", &["-revenue", "name"]);
            let statement = compile(database.dialect(), &question, &policy, Plan::Ordered);
            let rows = database.rows(&statement);
            assert_eq!(rows.len(), expected, "{filter:?}");
            assert!(rows.iter().all(|row| row[1].is_null()));
            assert!(!statement.sql.contains("revenue"), "{}", statement.sql);
        }
    }
}

#[test]
fn a_closed_table_is_an_error_wherever_it_is_named() {
    let schema = schema();
    let context = Context { dialect: super::Dialect::Sqlite, schema: &schema, tables: &Only(|_| true) };
    let closed = TestPolicy::open().closing("account");
    let denied = |question: &Query| {
        matches!(select(&context, question, &closed, Plan::Ordered), Err(CompileError::Denied(_)))
            && super::super::tables_needed(&schema, question, &closed).is_err()
    };
    let mut plain = query("contact", &["fullname", "parentcustomerid"]);
    plain.fields.push(Field::TargetName(column("contact", "parentcustomerid")));
    assert!(select(&context, &plain, &closed, Plan::Ordered).is_ok(), "the name of a lookup needs no privilege");
    assert!(denied(&query("account", &[])));
    let mut filtered = plain.clone();
    filtered.filter = equal("contact", "parentcustomerid:account.name", text("a"));
    assert!(denied(&filtered));
    let mut ordered = plain.clone();
    ordered.order = order("contact", &["parentcustomerid:account.name"]);
    assert!(denied(&ordered));
    let mut expanded = plain;
    expanded.expand = vec![Expand::One {
        name: "parentcustomerid_account".to_owned(),
        step: Step { lookup: column("contact", "parentcustomerid"), target: table("account").id },
        fields: vec![Field::Column(table("account").primary_id)],
        expand: Vec::new(),
    }];
    assert!(denied(&expanded));
    // Also where the tables are not there yet, so that the answer does not tell whether they are.
    let nothing = Context { tables: &Only(|_| false), ..context };
    assert!(matches!(select(&nothing, &expanded, &closed, Plan::Ordered), Err(CompileError::Denied(_))));
}
