//! Every standard table can be made, written and read on both engines.

use custodia_access::{Own, RightsMask, RowAccess, RowArms};
use custodia_query::{Field, RowKey};
use custodia_schema::{Column, ColumnKind, Decimal, Money, Table, Value};

use super::super::audit_view::is_view;
use super::super::storage::{IDENTIFIER_BYTES_MAX, Storage, physical};
use super::super::{
    CompileError, Context, Dialect, Plan, count, create_table, delete, estimate, fetch, insert, is_primary_constraint,
    key_of_constraint, select, stored_values, update,
};
use super::engines::engines;
use super::{Only, TestPolicy, column, equal, id, query, schema, table, text};

/// A value of a column's type, not the same for two seeds.
fn sample(column: &Column, seed: u32) -> Value {
    let number = i32::try_from(seed).unwrap();
    match &column.kind {
        ColumnKind::Choices { .. } => Value::Choices(vec![1, number + 2]),
        ColumnKind::Lookup { targets, .. } => Value::Lookup(*targets.last().unwrap(), id(u128::from(seed) + 1)),
        kind => match Storage::of(kind).unwrap() {
            Storage::Boolean => Value::Boolean(seed.is_multiple_of(2)),
            Storage::Integer => Value::Integer(-number),
            Storage::BigInt => Value::BigInt(i64::MIN + i64::from(seed)),
            Storage::Decimal => Value::Decimal(Decimal::new(i64::from(seed) * 1_000_000_007, 10)),
            Storage::Double => Value::Double(f64::from(seed) + 0.25),
            Storage::Money => Value::Money(Money(i64::MAX - i64::from(seed))),
            Storage::Text | Storage::Bytes => text(&format!("Żółw {seed} % ' \" \\")),
            Storage::Guid => Value::Guid(id(u128::from(seed) << 64)),
            Storage::DateTime => Value::DateTime(-62_135_596_800 + i64::from(seed)),
            Storage::Date => Value::Date(number - 719_162),
        },
    }
}

fn samples(table: &Table, seed: u32) -> Vec<(custodia_schema::ColumnId, Value)> {
    let stored = table.columns().iter().filter(|column| column.kind.is_stored());
    stored
        .map(|column| {
            let value = if column.id == table.primary_id {
                Value::Guid(id(u128::from(seed) + 77))
            } else {
                sample(column, seed * 1_000 + u32::from(column.id.0))
            };
            (column.id, value)
        })
        .collect()
}

#[test]
fn every_standard_table_holds_every_value_and_gives_it_back() {
    let schema = schema();
    for database in engines(&[]) {
        let dialect = database.dialect();
        let context = Context { dialect, schema: &schema, tables: &Only(|_| true) };
        for table in schema.tables().iter().filter(|table| !is_view(table)) {
            database.create(&table.name);
            let first = samples(table, 1);
            assert_eq!(database.execute(&insert(database.dialect(), table, &first).unwrap()), 1);
            let read = fetch(&context, table, &RowKey::Id(id(78)), &[RowAccess::All]).unwrap();
            let mut found = Vec::new();
            database.each(&read, &mut |row| {
                let (values, used) = stored_values(table, row);
                assert_eq!(row.get(used), custodia_schema::ValueRef::Boolean(true));
                assert_eq!(used + 1, row.len());
                found.push(values);
            });
            assert_eq!(found, [first], "{dialect:?} {}", table.name);

            let changed: Vec<_> = samples(table, 2).into_iter().filter(|(id, _)| *id != table.primary_id).collect();
            if !changed.is_empty() {
                assert_eq!(database.execute(&update(database.dialect(), table, id(78), &changed).unwrap()), 1);
                found.clear();
                database.each(&read, &mut |row| found.push(stored_values(table, row).0));
                assert!(changed.iter().all(|value| found[0].contains(value)), "{dialect:?} {}", table.name);
            }
            assert_eq!(database.execute(&delete(database.dialect(), table, id(78)).unwrap()), 1);
            assert_eq!(database.execute(&delete(database.dialect(), table, id(78)).unwrap()), 0);
        }
    }
}

#[test]
fn nulls_are_written_and_read_in_every_column_that_may_be_null() {
    let schema = schema();
    for database in engines(&["account", "contact", "opportunity"]) {
        let dialect = database.dialect();
        let context = Context { dialect, schema: &schema, tables: &Only(|_| true) };
        for name in ["account", "contact", "opportunity"] {
            let table = table(name);
            let nulls: Vec<_> = samples(&table, 1)
                .into_iter()
                .map(|(id, value)| {
                    let set = super::super::storage::is_always_set(&table, table.column_by_id(id).unwrap());
                    (id, if set { value } else { Value::Null })
                })
                .collect();
            database.execute(&insert(database.dialect(), &table, &nulls).unwrap());
            let read = fetch(&context, &table, &RowKey::Id(id(78)), &[]).unwrap();
            let mut found = Vec::new();
            database.each(&read, &mut |row| found.push(stored_values(&table, row).0));
            assert_eq!(found, [nulls]);
        }
    }
}

#[test]
fn every_standard_table_is_listed_counted_and_estimated_with_every_field() {
    let schema = schema();
    let arms = RowArms {
        user: id(1),
        own: Own::UserAndTeams,
        units: vec![id(2)],
        subtrees: vec![id(3), id(4)],
        shared: Some(RightsMask(1)),
        reports: None,
    };
    for database in engines(&[]) {
        for table in schema.tables() {
            database.create(&table.name);
        }
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
        for table in schema.tables() {
            let mut question = query(&table.name, &[]);
            for column in table.columns().iter().filter(|column| column.kind.is_stored()) {
                question.fields.push(Field::Column(column.id));
                if !column.kind.targets().is_empty() {
                    question.fields.extend([Field::TargetTable(column.id), Field::TargetName(column.id)]);
                }
                let path = custodia_query::Path::own(column.id);
                question.order = vec![custodia_query::Order::by_value(path, column.id.0 % 2 == 0)];
            }
            let policy = TestPolicy::reaching(&table.name, RowAccess::Arms(arms.clone()));
            for plan in [Plan::Ordered, Plan::Sweep, Plan::Union] {
                let statement = select(&context, &question, &policy, plan).unwrap();
                assert_eq!(database.rows(&statement), Vec::<Vec<Value>>::new());
            }
            for plan in [Plan::Ordered, Plan::Sweep, Plan::Union] {
                let counted = count(&context, &question, &policy, plan, 5_000).unwrap();
                assert_eq!(database.rows(&counted), [[Value::BigInt(0)]]);
            }
            // Nobody reaches rows of a view by arms.
            if !is_view(table) {
                let estimated = estimate(&context, table, &arms, 100).unwrap();
                let rows = database.rows(&estimated);
                assert_eq!(rows[0][0], Value::BigInt(0));
            }
        }
    }
}

#[test]
fn estimates_add_up_the_paths_and_know_the_table() {
    let schema = schema();
    for database in engines(&["account", "principalobjectaccess"]) {
        for number in 0..30_u128 {
            database.insert(
                "account",
                &[
                    ("accountid", Value::Guid(id(number + 100))),
                    ("ownerid", Value::Lookup(table("systemuser").id, id(number % 3))),
                    ("owningbusinessunit", Value::Lookup(table("businessunit").id, id(number % 2))),
                    ("statecode", Value::Integer(0)),
                    ("statuscode", Value::Integer(1)),
                ],
            );
        }
        database.execute(&super::super::internal::insert_member(id(1), id(1)));
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
        let arms = RowArms {
            user: id(1),
            own: Own::UserAndTeams,
            units: vec![id(1)],
            subtrees: Vec::new(),
            shared: Some(RightsMask(1)),
            reports: None,
        };
        let rows = database.rows(&estimate(&context, &table("account"), &arms, 12).unwrap());
        assert_eq!(rows[0][0], Value::BigInt(10 + 12), "ten owned, fifteen in the unit cut at twelve");
        let Value::BigInt(all) = rows[0][1] else { panic!("no number of rows") };
        assert!((10..=60).contains(&all), "{all} of 30 rows");
    }
}

#[test]
fn a_second_row_with_the_same_id_is_told_from_one_with_the_same_key() {
    for database in engines(&["teammembership", "account"]) {
        for name in ["account", "teammembership"] {
            let table = table(name);
            database.execute(&insert(database.dialect(), &table, &samples(&table, 1)).unwrap());
            let again = database.try_execute(&insert(database.dialect(), &table, &samples(&table, 1)).unwrap());
            let Err(crate::Error::DuplicateKey { constraint }) = again else { panic!("{again:?}") };
            // An intersect may name either of the two constraints it breaks.
            assert!(is_primary_constraint(&table, &constraint) || table.is_intersect, "{constraint}");
        }
        let link = table("teammembership");
        let mut same_ends = samples(&link, 1);
        for (column, value) in &mut same_ends {
            if *column == link.primary_id {
                *value = Value::Guid(id(5));
            }
        }
        let again = database.try_execute(&insert(database.dialect(), &link, &same_ends).unwrap());
        let Err(crate::Error::DuplicateKey { constraint }) = again else { panic!("{again:?}") };
        assert!(!is_primary_constraint(&link, &constraint), "{constraint}");
    }
}

#[test]
fn a_key_that_is_taken_is_named_by_its_columns() {
    let schema = schema();
    for database in engines(&["systemuser"]) {
        let user = table("systemuser");
        let sign_in_name = user.column("domainname").unwrap().id;
        let named = |seed| {
            let mut values = samples(&user, seed);
            values.retain(|(column, _)| *column != sign_in_name);
            values.push((sign_in_name, Value::Text("ann@example.com".to_owned())));
            insert(database.dialect(), &user, &values).unwrap()
        };
        database.execute(&named(1));
        let Err(crate::Error::DuplicateKey { constraint }) = database.try_execute(&named(2)) else {
            panic!("two users of one name")
        };
        let key = key_of_constraint(&schema, &user, &constraint);
        assert_eq!(key.as_deref(), Some("systemuser.domainname"), "{constraint}");
        assert_eq!(key_of_constraint(&schema, &user, "pk_systemuser"), None);
    }
}

#[test]
fn rows_are_fetched_by_the_fold_of_an_alternate_key() {
    let schema = schema();
    for database in engines(&["account"]) {
        let account = table("account");
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
        let mut values = samples(&account, 1);
        for (id, value) in &mut values {
            if *id == column("account", "accountnumber") {
                *value = text("Ärger-7");
            }
        }
        database.execute(&insert(database.dialect(), &account, &values).unwrap());
        let number_of_rows = |key: Vec<(custodia_schema::ColumnId, Value)>| {
            database.rows(&fetch(&context, &account, &RowKey::Alternate(key), &[]).unwrap()).len()
        };
        let number = column("account", "accountnumber");
        assert_eq!(number_of_rows(vec![(number, text("ARGER-7"))]), 1);
        assert_eq!(number_of_rows(vec![(number, text("ARGER-8"))]), 0);
        assert_eq!(number_of_rows(vec![(number, Value::Null)]), 0);
        assert_eq!(number_of_rows(Vec::new()), 0);
    }
}

#[test]
fn tables_that_do_not_exist_yet_are_empty() {
    let schema = schema();
    let nothing = |_| false;
    for database in engines(&[]) {
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(nothing) };
        let mut question = query("contact", &["fullname", "parentcustomerid"]);
        let parent = column("contact", "parentcustomerid");
        question.fields.extend([Field::TargetTable(parent), Field::TargetName(parent)]);
        question.order = super::order("contact", &["parentcustomerid:account.name", "-createdon"]);
        question.filter = equal("contact", "parentcustomerid:account.name", text("x"));
        question.expand = vec![custodia_query::Expand::One {
            name: "parentcustomerid_account".to_owned(),
            step: custodia_query::Step { lookup: parent, target: table("account").id },
            fields: vec![Field::Column(table("account").primary_id)],
            expand: Vec::new(),
        }];
        let policy = TestPolicy::open();
        let statement = select(&context, &question, &policy, Plan::Ordered).unwrap();
        assert_eq!(statement.outputs.len(), 8);
        assert_eq!(statement.keys, [6, 7]);
        assert_eq!(database.rows(&statement), Vec::<Vec<Value>>::new());
        assert_eq!(database.rows(&count(&context, &question, &policy, Plan::Union, 10).unwrap()), [[Value::BigInt(0)]]);
    }
}

#[test]
fn names_fit_both_engines_and_do_not_collide() {
    let schema = schema();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut indexes = std::collections::HashSet::new();
        for table in schema.tables() {
            let mut columns = std::collections::HashSet::new();
            for column in table.columns() {
                for suffix in ["", "__f", "__t"] {
                    let name = physical(&column.name, suffix).into_owned();
                    assert!(name.len() <= IDENTIFIER_BYTES_MAX, "{name}");
                    assert!(columns.insert(name.clone()), "{}.{name} twice", table.name);
                }
            }
            for sql in create_table(dialect, &schema, table).into_iter().skip(1) {
                let name = sql.split('"').nth(1).unwrap().to_owned();
                assert!(name.len() <= IDENTIFIER_BYTES_MAX, "{name}");
                assert!(indexes.insert(name.clone()), "index {name} twice");
            }
        }
    }
}

#[test]
fn long_names_are_cut_the_same_way_for_ever() {
    let long = "new_".to_owned() + &"a".repeat(80);
    assert_eq!(physical(&long, "__f"), "new_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_67f526d05a74a332__f");
    assert_ne!(physical(&(long.clone() + "b"), ""), physical(&(long + "c"), ""));
    assert_eq!(physical("name", "__f"), "name__f");
}

#[test]
fn values_that_do_not_fit_are_refused_before_the_engine_sees_them() {
    let account = table("account");
    for (name, value) in [
        ("name", Value::Integer(1)),
        ("numberofemployees", Value::BigInt(1)),
        ("revenue", Value::Decimal(Decimal::ONE)),
        ("ownerid", Value::Guid(id(1))),
        ("createdon", Value::Date(1)),
    ] {
        let refused = insert(Dialect::Sqlite, &account, &[(column("account", name), value)]);
        assert!(matches!(refused, Err(CompileError::Type { .. })), "{name}: {refused:?}");
    }
    let unknown = insert(Dialect::Sqlite, &account, &[(custodia_schema::ColumnId(9_999), Value::Null)]);
    assert!(matches!(unknown, Err(CompileError::NoColumn { .. })));
}
