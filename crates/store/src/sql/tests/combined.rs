//! Linked rows, tests for them and groups: what is refused, what a missing table or a closed one does to them, and that they are
//! found by index.

use custodia_access::RowAccess;
use custodia_query::{
    Aggregation, Direction, Exists, Field, Filter, Group, GroupBy, Link, LinkKind, Measure, Order, OrderBy, Path, Query,
};
use custodia_schema::{TableId, Value};

use super::super::{CompileError, Context, Dialect, Plan, aggregate, count, select, tables_needed};
use super::engines::engines;
use super::{Only, TestPolicy, column, compile, equal, id, order, path, query, schema, table, text};

fn link(from: usize, (near_of, near): (&str, &str), (of, far): (&str, &str), kind: LinkKind) -> Link {
    Link {
        from,
        table: table(of).id,
        near: column(near_of, near),
        far: column(of, far),
        kind,
        filter: Filter::True,
        fields: vec![Field::Column(table(of).primary_id)],
        order: Vec::new(),
    }
}

fn contacts(kind: LinkKind) -> Link {
    link(0, ("account", "accountid"), ("contact", "parentcustomerid"), kind)
}

fn having_contacts(filter: Filter) -> Filter {
    Filter::Exists(Box::new(Exists {
        near: path("account", "accountid"),
        table: table("contact").id,
        far: column("contact", "parentcustomerid"),
        links: Vec::new(),
        filter,
    }))
}

fn under(of: u128) -> Filter {
    Filter::Hierarchy {
        path: path("account", "accountid"),
        table: table("account").id,
        parent: column("account", "parentaccountid"),
        of: id(of),
        direction: Direction::Under,
        inclusive: true,
    }
}

fn groups(rows: Query, groups: Vec<Group>, measures: Vec<Measure>) -> Aggregation {
    Aggregation { rows, groups, measures, order: Vec::new(), skip: 0, page_size: 50, rows_max: 100 }
}

fn refusal(question: &Query, policy: &TestPolicy) -> CompileError {
    let schema = schema();
    let context = Context { dialect: Dialect::Sqlite, schema: &schema, tables: &Only(|_| true) };
    select(&context, question, policy, Plan::Ordered).unwrap_err()
}

#[test]
fn questions_whose_parts_do_not_go_together_are_refused() {
    let open = TestPolicy::open();
    let with = |change: &dyn Fn(&mut Query)| {
        let mut question = query("account", &["name"]);
        change(&mut question);
        refusal(&question, &open).to_string()
    };
    let beyond = with(&|question| {
        question.links = vec![link(2, ("account", "accountid"), ("contact", "parentcustomerid"), LinkKind::Inner)];
    });
    assert_eq!(
        beyond,
        "table account is not related that way: there are fewer linked rows than a column of one of them says"
    );
    let types = with(&|question| {
        question.links = vec![link(0, ("account", "revenue"), ("contact", "fullname"), LinkKind::Inner)];
    });
    assert_eq!(types, "columns revenue and fullname have different types and cannot be compared");
    let types = with(&|question| {
        question.filter = Filter::Exists(Box::new(Exists {
            near: path("account", "name"),
            table: table("contact").id,
            far: column("contact", "createdon"),
            links: Vec::new(),
            filter: Filter::True,
        }));
    });
    assert_eq!(types, "columns name and createdon have different types and cannot be compared");
    let later = with(&|question| {
        let mut first = contacts(LinkKind::Outer);
        first.filter = Filter::IsNull(Path::at(2, column("contact", "fullname")));
        question.links = vec![first, contacts(LinkKind::Outer)];
    });
    assert_eq!(later, "the query cannot be answered: a condition of a link looks at a row that is linked later");
    let after = with(&|question| {
        question.links = vec![contacts(LinkKind::Outer)];
        question.after = Some(vec![Value::Guid(id(1))]);
    });
    assert_eq!(after, "the query cannot be answered: rows in this order have no place to continue after");
    let distinct = with(&|question| {
        question.distinct = true;
        question.order = order("account", &["address1_city"]);
    });
    assert_eq!(distinct, "the query cannot be answered: distinct rows can only be sorted by columns that they show");
    let named = with(&|question| {
        question.order = vec![Order { path: path("account", "name"), descending: false, by: OrderBy::Name }];
    });
    assert_eq!(named, "account.name cannot be compared with or set to a name");
    let tree = with(&|question| {
        question.filter = Filter::Hierarchy {
            path: path("account", "primarycontactid"),
            table: table("account").id,
            parent: column("account", "parentaccountid"),
            of: id(1),
            direction: Direction::Above,
            inclusive: true,
        };
    });
    assert_eq!(tree, "table account is not related that way: the columns do not name rows of one tree");
    let children = with(&|question| question.fields.push(Field::Children(column("account", "primarycontactid"))));
    assert_eq!(children, "table account is not related that way: the column does not point at rows of its own table");
    let many = with(&|question| question.links = vec![contacts(LinkKind::Inner); 41]);
    assert!(many.starts_with("the query needs more than 40 related records"), "{many}");
}

#[test]
fn only_numbers_and_dates_are_measured() {
    let schema = schema();
    let context = Context { dialect: Dialect::Sqlite, schema: &schema, tables: &Only(|_| true) };
    for (measure, expected) in [
        (Measure::Sum(path("account", "name")), "there is no sum of account.name: its values are no numbers or dates"),
        (
            Measure::Average(path("account", "statecode")),
            "there is no average of account.statecode: its values are no numbers or dates",
        ),
        (
            Measure::Least(path("account", "name")),
            "there is no least and greatest of account.name: its values are no numbers or dates",
        ),
    ] {
        let question = groups(query("account", &[]), Vec::new(), vec![measure]);
        let error = aggregate(&context, &question, &TestPolicy::open(), Plan::Ordered).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let month = Group {
        path: path("account", "name"),
        by: GroupBy::DatePart {
            part: custodia_query::DatePart::Month,
            zone: std::sync::Arc::new(custodia_query::Zone::utc()),
        },
    };
    let question = groups(query("account", &[]), vec![month], vec![Measure::Count]);
    let error = aggregate(&context, &question, &TestPolicy::open(), Plan::Ordered).unwrap_err();
    assert_eq!(error.to_string(), "account.name cannot be compared with or set to a part of a date");
}

#[test]
fn a_closed_table_closes_every_question_that_names_it() {
    let schema = schema();
    let context = Context { dialect: Dialect::Sqlite, schema: &schema, tables: &Only(|_| true) };
    let closed = TestPolicy::open().closing("contact");
    let mut by_link = query("account", &[]);
    by_link.links = vec![contacts(LinkKind::Outer)];
    let mut by_test = query("account", &[]);
    by_test.filter = Filter::Or(vec![Filter::True, having_contacts(Filter::True)]);
    let mut within = query("systemuser", &[]);
    within.filter = Filter::Exists(Box::new(Exists {
        near: path("systemuser", "systemuserid"),
        table: table("account").id,
        far: column("account", "ownerid"),
        links: vec![contacts(LinkKind::Inner)],
        filter: Filter::True,
    }));
    let mut nested = by_test.clone();
    nested.filter = Filter::Not(Box::new(Filter::Not(Box::new(nested.filter))));
    for question in [&by_link, &by_test, &within, &nested] {
        assert!(matches!(refusal(question, &closed), CompileError::Denied(_)), "{question:?}");
        assert!(
            matches!(count(&context, question, &closed, Plan::Ordered, 50), Err(CompileError::Denied(_))),
            "{question:?}"
        );
        assert!(tables_needed(&schema, question, &closed).is_err(), "{question:?}");
        let grouped = groups(question.clone(), Vec::new(), vec![Measure::Count]);
        let refused = aggregate(&context, &grouped, &closed, Plan::Union);
        assert!(matches!(refused, Err(CompileError::Denied(_))), "{question:?}");
    }
    let mut tree = query("contact", &[]);
    tree.filter = Filter::Hierarchy {
        path: path("contact", "parentcustomerid"),
        table: table("account").id,
        parent: column("account", "parentaccountid"),
        of: id(1),
        direction: Direction::Under,
        inclusive: true,
    };
    let closed = TestPolicy::open().closing("account");
    assert!(matches!(refusal(&tree, &closed), CompileError::Denied(_)));
    assert!(tables_needed(&schema, &tree, &closed).is_err());
}

#[test]
fn what_was_never_stored_is_linked_to_nothing() {
    let schema = schema();
    for database in engines(&["account"]) {
        database.insert(
            "account",
            &[
                ("accountid", Value::Guid(id(1))),
                ("ownerid", Value::Lookup(TableId(8), id(5))),
                ("owningbusinessunit", Value::Guid(id(6))),
                ("statecode", Value::Integer(0)),
                ("statuscode", Value::Integer(1)),
            ],
        );
        let only_accounts = |of: TableId| of == table("account").id;
        let nothing = |_: TableId| false;
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(only_accounts) };
        let open = TestPolicy::open();
        let rows = |question: &Query| {
            let counted = database.rows(&count(&context, question, &open, Plan::Ordered, 50).unwrap());
            let rows = database.rows(&select(&context, question, &open, Plan::Ordered).unwrap());
            assert_eq!(counted, [[Value::BigInt(rows.len() as i64)]], "{question:?}");
            rows
        };
        let mut question = query("account", &[]);
        let only = vec![Value::Guid(id(1))];
        question.filter = having_contacts(Filter::True);
        assert!(rows(&question).is_empty());
        question.filter = Filter::Not(Box::new(having_contacts(Filter::True)));
        assert_eq!(rows(&question)[0][..1], only);
        question.filter = under(1);
        assert_eq!(rows(&question)[0][..1], only);

        question.filter = Filter::True;
        question.links = vec![contacts(LinkKind::Inner)];
        assert!(rows(&question).is_empty());
        for kind in [LinkKind::Outer, LinkKind::First] {
            question.links = vec![contacts(kind)];
            assert_eq!(rows(&question), [[Value::Guid(id(1)), Value::Null]]);
            question.distinct = true;
            assert_eq!(rows(&question), [[Value::Guid(id(1)), Value::Null]]);
            question.distinct = false;
        }

        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(nothing) };
        let measures = vec![Measure::Count, Measure::Sum(path("account", "revenue"))];
        let all = groups(query("account", &[]), Vec::new(), measures.clone());
        let statement = aggregate(&context, &all, &open, Plan::Ordered).unwrap();
        assert_eq!(database.rows(&statement), [[Value::BigInt(0), Value::Null, Value::BigInt(0)]]);
        let by_city = Group { path: path("account", "address1_city"), by: GroupBy::Value };
        let grouped = groups(query("account", &[]), vec![by_city], measures);
        assert!(database.rows(&aggregate(&context, &grouped, &open, Plan::Ordered).unwrap()).is_empty());
    }
}

#[test]
fn linked_rows_are_found_by_index() {
    for database in engines(&["account", "contact", "principalobjectaccess", "systemuser"]) {
        // What PostgreSQL takes for a few rows says nothing.
        if database.dialect() != Dialect::Sqlite {
            continue;
        }
        let policy = TestPolicy::open().and_reaching("account", RowAccess::All);
        let mut having = query("account", &[]);
        having.order = order("account", &["name"]);
        having.filter = having_contacts(equal("contact", "fullname", text("a")));
        let mut linked = query("account", &[]);
        linked.links = vec![contacts(LinkKind::Outer)];
        let mut first = query("account", &[]);
        first.links = vec![contacts(LinkKind::First)];
        let mut tree = query("account", &[]);
        tree.filter = under(1);
        for (question, index) in [
            (&having, "ix_contact__parentcustomerid"),
            (&linked, "ix_contact__parentcustomerid"),
            (&first, "ix_contact__parentcustomerid"),
            (&tree, "ix_account__parentaccountid"),
        ] {
            let statement = compile(database.dialect(), question, &policy, Plan::Ordered);
            let steps = database.explain(&statement);
            assert!(steps.contains(index), "{steps}\n{}", statement.sql);
        }
    }
}
