//! The engines take the indexes that the shapes were made for: no page sorts or scans a table.

use custodia_access::{Own, RightsMask, RowAccess, RowArms};
use custodia_query::{Comparison, Filter, Query, Related, RowKey};
use custodia_schema::Value;

use super::super::content::grow_table;
use super::super::{
    Context, Dialect, Output, Plan, Statement, audit_filing, audit_id, audit_log, count, fetch, internal, plan_of_all,
};
use super::engines::{TestDatabase, engines};
use super::{Only, TestPolicy, column, compile, equal, id, order, query, schema, table, text};
use crate::AuditFilter;

const ROWS: u32 = 20_000;

/// Accounts of a hundred cities, six owners of very different share, and statistics where the engine keeps some.
fn fill(database: &TestDatabase) {
    let (series, blob) = match database.dialect() {
        Dialect::Sqlite => (
            format!("WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {ROWS})"),
            "CAST(printf('%016x', {}) AS BLOB)",
        ),
        Dialect::Postgres => (
            format!("WITH series(n) AS (SELECT generate_series(1, {ROWS}))"),
            "CAST(lpad(to_hex({}), 32, '0') AS uuid)",
        ),
    };
    let guid = |number: &str| blob.replace("{}", number);
    database.run(&format!(
        "INSERT INTO account (accountid, name, name__f, address1_city, address1_city__f, ownerid, ownerid__t, \
         owningbusinessunit, primarycontactid, statecode, statuscode) {series} SELECT {}, 'Name ' || ((n * 7919) % 20011), \
         'name ' || ((n * 7919) % 20011), 'City', 'city ' || (n % 100), {}, 8, {}, {}, 0, 1 FROM series",
        guid("n"),
        guid("CASE WHEN n % 10 < 3 THEN 1 WHEN n % 1000 = 999 THEN 2 ELSE 3 END"),
        guid("n % 20"),
        guid("n"),
    ));
    database.execute(&internal::insert_member(id(1), id(1)));
    database.execute(&internal::insert_member(id(2), id(2)));
    if database.dialect() == Dialect::Postgres {
        database.run("ANALYZE");
    }
}

fn seller(user: u128) -> TestPolicy {
    TestPolicy::reaching(
        "account",
        RowAccess::Arms(RowArms {
            user: id(user),
            own: Own::UserAndTeams,
            units: Vec::new(),
            subtrees: Vec::new(),
            shared: Some(RightsMask(1)),
            reports: None,
        }),
    )
}

fn by_city() -> Query {
    let mut list = query("account", &["name", "revenue"]);
    list.filter = equal("account", "address1_city", text("City 7"));
    list.order = order("account", &["name"]);
    list
}

struct Steps {
    dialect: Dialect,
    text: String,
    sql: String,
}

impl Steps {
    fn of(database: &TestDatabase, statement: &Statement) -> Self {
        Self { dialect: database.dialect(), text: database.explain(statement), sql: statement.sql.clone() }
    }

    fn sorts(&self) -> usize {
        let word = if self.dialect == Dialect::Sqlite { "FOR ORDER BY" } else { "Sort Key" };
        self.text.matches(word).count()
    }

    fn scans(&self, name: &str) -> bool {
        self.text.lines().any(|line| match self.dialect {
            Dialect::Sqlite => line.starts_with("SCAN") && line.contains(name) && !line.contains("USING"),
            Dialect::Postgres => line.contains("Seq Scan on ") && line.contains(name),
        })
    }

    #[track_caller]
    fn uses(&self, index: &str) -> &Self {
        assert!(self.text.contains(index), "{:?} does not use {index}:\n{}\n{}", self.dialect, self.text, self.sql);
        self
    }

    #[track_caller]
    fn sorts_at_most(&self, times: usize) -> &Self {
        assert!(self.sorts() <= times, "{:?} sorts {} times:\n{}\n{}", self.dialect, self.sorts(), self.text, self.sql);
        assert!(!self.scans("account") && !self.scans(" t0"), "{:?} scans the table:\n{}", self.dialect, self.text);
        self
    }
}

#[test]
fn pages_and_points_are_found_by_index() {
    let schema = schema();
    let by_city_index = "ix_account__address1_city__name";
    for database in engines(&["account", "contact", "principalobjectaccess"]) {
        fill(&database);
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
        let steps = |question: &Query, policy: &TestPolicy, plan| {
            Steps::of(&database, &compile(database.dialect(), question, policy, plan))
        };
        let primary = if database.dialect() == Dialect::Sqlite { "sqlite_autoindex_account_1" } else { "pk_account" };

        let mut one = query("account", &["name"]);
        one.filter = equal("account", "accountid", Value::Guid(id(5)));
        steps(&one, &seller(1), Plan::Ordered).uses(primary).sorts_at_most(0);
        Steps::of(&database, &fetch(&context, &table("account"), &RowKey::Id(id(5)), &[RowAccess::All]).unwrap())
            .uses(primary)
            .sorts_at_most(0);

        // A page in the order of an index, from its start and from its middle, forwards and backwards.
        let mut list = by_city();
        steps(&list, &seller(1), Plan::Ordered).uses(by_city_index).sorts_at_most(0);
        steps(&list, &TestPolicy::open(), Plan::Ordered).uses(by_city_index).sorts_at_most(0);
        list.after = Some(vec![text("Name 5"), Value::Guid(id(9))]);
        steps(&list, &seller(1), Plan::Ordered).uses(by_city_index).sorts_at_most(0);
        list.order = order("account", &["-name"]);
        list.after = None;
        steps(&list, &seller(1), Plan::Ordered).uses(by_city_index).sorts_at_most(0);
        // Two arms: each is read in order, only what they give is sorted.
        list.after = Some(vec![text("Name 5"), Value::Guid(id(9))]);
        steps(&list, &seller(1), Plan::Ordered).uses(by_city_index).sorts_at_most(2);

        // Without a filter, by name and by nothing.
        let mut all = query("account", &["name"]);
        steps(&all, &seller(1), Plan::Ordered).uses(primary).sorts_at_most(0);
        all.order = order("account", &["name"]);
        steps(&all, &seller(1), Plan::Ordered).uses("ix_account__name").sorts_at_most(0);
        all.order = order("account", &["-name"]);
        steps(&all, &seller(1), Plan::Ordered).uses("ix_account__name").sorts_at_most(0);
        all.after = Some(vec![Value::Null, Value::Guid(id(9))]);
        steps(&all, &seller(1), Plan::Ordered).uses("ix_account__name").sorts_at_most(0);

        // A state that most rows share does not draw SQLite away from the order asked.
        let mut active = query("account", &["name"]);
        active.filter = equal("account", "statecode", Value::Integer(0));
        active.order = order("account", &["-createdon"]);
        steps(&active, &seller(1), Plan::Ordered).uses("ix_account__createdon").sorts_at_most(0);
        active.order = order("account", &["name"]);
        steps(&active, &seller(1), Plan::Ordered).sorts_at_most(0);
        if database.dialect() == Dialect::Sqlite {
            steps(&active, &seller(1), Plan::Ordered).uses("ix_account__statecode__name");
        }

        // Few rows: by owner, then by share; each path's first page is sorted, and then what they give together.
        let gathered = steps(&by_city(), &seller(2), Plan::Union);
        gathered.sorts_at_most(4);
        if database.dialect() == Dialect::Sqlite {
            // PostgreSQL has statistics and may combine the owner with the city.
            gathered.uses("ix_account__ownerid").uses("ix_principalobjectaccess__principalid");
        }
        let units = TestPolicy::reaching(
            "account",
            RowAccess::Arms(RowArms {
                user: id(9),
                own: Own::Nobody,
                units: Vec::new(),
                subtrees: vec![id(3)],
                shared: None,
                reports: None,
            }),
        );
        Steps::of(&database, &count(&context, &query("account", &[]), &units, Plan::Union, 5_000).unwrap())
            .uses("owningbusinessunit")
            .sorts_at_most(0);

        // Children and cascades.
        let mut children = query("account", &["name"]);
        children.related = Some(Related::ByLookup {
            lookup: column("account", "primarycontactid"),
            parent: id(5),
            parent_table: table("contact").id,
        });
        steps(&children, &TestPolicy::open(), Plan::Ordered).uses("ix_account__primarycontactid").sorts_at_most(0);

        // A prefix is a range.
        let mut prefix = query("account", &["name"]);
        prefix.filter = Filter::Like {
            path: super::path("account", "name"),
            pattern: custodia_query::LikePattern::Prefix("name 12".to_owned()),
        };
        prefix.order = order("account", &["name"]);
        steps(&prefix, &TestPolicy::open(), Plan::Ordered).uses("ix_account__name").sorts_at_most(0);
    }
}

#[test]
fn an_order_that_no_index_begins_with_is_walked_once() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut list = query("account", &[]);
        list.order = order("account", &["-telephone1", "name"]);
        list.after = Some(vec![text("1"), text("a"), Value::Guid(id(1))]);
        let statement = compile(dialect, &list, &TestPolicy::open(), Plan::Ordered);
        assert!(!statement.sql.contains("UNION ALL") && statement.sql.contains(" OR "), "{}", statement.sql);
        list.order = order("account", &["-name", "telephone1"]);
        let statement = compile(dialect, &list, &TestPolicy::open(), Plan::Ordered);
        assert_eq!(statement.sql.matches("UNION ALL").count(), 2, "{}", statement.sql);
    }
}

#[test]
fn postgres_probes_shares_unless_it_is_told_that_many_rows_are_passed() {
    for database in engines(&["account", "principalobjectaccess"]) {
        if database.dialect() != Dialect::Postgres {
            continue;
        }
        fill(&database);
        let hashed = |plan| {
            database.explain(&compile(Dialect::Postgres, &by_city(), &seller(1), plan)).contains("hashed SubPlan")
        };
        assert!(!hashed(Plan::Ordered));
        assert!(hashed(Plan::Sweep));
    }
}

/// The record that the audit entry of this number tells of.
fn read_row(entry: i64) -> Statement {
    internal::read(
        "SELECT rowid_ FROM custodia_audit WHERE number = $1",
        vec![internal::number(entry)],
        &[Output::Guid],
    )
}

/// Entries of the audit that tell of five hundred accounts and as many contacts.
fn fill_audit(database: &TestDatabase) {
    let (series, blob) = match database.dialect() {
        Dialect::Sqlite => (
            format!("WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {ROWS})"),
            "CAST(printf('%016x', {}) AS BLOB)",
        ),
        Dialect::Postgres => (
            format!("WITH series(n) AS (SELECT generate_series(1, {ROWS}))"),
            "CAST(lpad(to_hex({}), 32, '0') AS uuid)",
        ),
    };
    let guid = |number: &str| blob.replace("{}", number);
    database.run(&format!(
        "INSERT INTO custodia_audit (number, created, transactionid, userid, origin, tableid, rowid_, operation, action, \
         payload) {series} SELECT n, n / 10, {}, {}, 'web-api', 1 + n % 2, {}, 2, 2, '' FROM series",
        guid("n"),
        guid("1"),
        guid("n % 1000"),
    ));
    if database.dialect() == Dialect::Postgres {
        database.run("ANALYZE");
    }
}

#[test]
fn entries_of_a_record_are_found_without_reading_those_of_others() {
    for database in engines(&[]) {
        fill_audit(&database);
        let row = database.rows(&read_row(4)).remove(0).remove(0);
        let Value::Guid(row) = row else { panic!("{row:?}") };
        let mut of_row = AuditFilter::of_row(50, custodia_schema::TableId(1), row);
        let numbers = |filter: &AuditFilter| -> Vec<_> {
            let statement = audit_log::select_audit(database.dialect(), filter);
            let steps = Steps::of(&database, &statement);
            match database.dialect() {
                Dialect::Sqlite => {
                    for needed in [
                        "SEARCH custodia_audit_filed USING PRIMARY KEY (tableid=? AND rowid_=?)",
                        "SEARCH custodia_audit USING INTEGER PRIMARY KEY (rowid=?)",
                        "SEARCH custodia_audit USING INTEGER PRIMARY KEY (rowid>?)",
                    ] {
                        steps.uses(needed);
                    }
                }
                Dialect::Postgres => {
                    steps.uses("custodia_audit_row");
                }
            }
            assert!(!steps.text.lines().any(|line| line == "SCAN custodia_audit"), "{}", steps.text);
            database.rows(&statement).iter().map(|entry| entry[0].clone()).collect()
        };
        let all: Vec<_> = (0..20).rev().map(|n| Value::BigInt(i64::from(n * 1_000 + 4))).collect();
        assert_eq!(numbers(&of_row), all, "none is filed yet");
        if database.dialect() == Dialect::Sqlite {
            for through in [9_004, 9_005, i64::from(ROWS)] {
                for statement in audit_filing::file_entries(through) {
                    database.execute(&statement);
                }
                assert_eq!(numbers(&of_row), all, "filed through {through}");
            }
        }
        of_row.before = 19_004;
        of_row.limit = 2;
        assert_eq!(numbers(&of_row), [Value::BigInt(18_004), Value::BigInt(17_004)]);
    }
}

#[test]
fn pages_of_the_audit_are_found_by_index() {
    for database in engines(&["audit"]) {
        fill_audit(&database);
        let policy = TestPolicy::reaching("audit", RowAccess::Telling(vec![custodia_schema::TableId(1)]));
        let rows = |question: &Query, index: &str| {
            let statement = compile(database.dialect(), question, &policy, Plan::Ordered);
            // PostgreSQL may gather the few entries of one record by the index and sort those.
            let sorts = usize::from(index == "custodia_audit_object");
            Steps::of(&database, &statement).uses(index).sorts_at_most(sorts);
            database.rows(&statement)
        };
        // An id of the fill: sixteen letters as bytes, or a number.
        let row = |number: u32| match database.dialect() {
            Dialect::Sqlite => custodia_schema::Guid::from_slice(format!("{number:016x}").as_bytes()).unwrap(),
            Dialect::Postgres => id(u128::from(number)),
        };
        let mut of_row = query("audit", &["createdon", "objecttypecode"]);
        of_row.filter = equal("audit", "objectid", Value::Guid(row(4)));
        of_row.order = order("audit", &["-createdon"]);
        let found = rows(&of_row, "custodia_audit_object");
        assert_eq!(found.len(), 20);
        assert_eq!(found[0], [Value::Guid(audit_id(19_004)), Value::DateTime(1_900), text("account")]);
        // Of a table that is not told of.
        of_row.filter = equal("audit", "objectid", Value::Guid(row(5)));
        assert_eq!(rows(&of_row, "custodia_audit_object"), Vec::<Vec<Value>>::new());

        let mut newest = query("audit", &["createdon"]);
        newest.order = order("audit", &["-createdon"]);
        assert_eq!(rows(&newest, "custodia_audit_created")[0][0], Value::Guid(audit_id(i64::from(ROWS))));
        let by_number = query("audit", &["createdon"]);
        assert_eq!(rows(&by_number, "custodia_audit_id")[0][0], Value::Guid(audit_id(2)));
        let mut one = query("audit", &["versionnumber"]);
        one.filter = equal("audit", "auditid", Value::Guid(audit_id(1_234)));
        assert_eq!(rows(&one, "custodia_audit_id"), [[Value::Guid(audit_id(1_234)), Value::BigInt(1_234)]]);
        let mut named = query("audit", &[]);
        named.filter = equal("audit", "objecttypecode", text("Account"));
        named.order = order("audit", &["createdon"]);
        // No statistics tell how many entries name a table, so that how they are found is the engine's choice.
        let found =
            |question: &Query| database.rows(&compile(database.dialect(), question, &policy, Plan::Ordered)).len();
        assert_eq!(found(&named), 51);
        // Made anew where the schema has other tables: the indexes are there already.
        let statements = grow_table(database.dialect(), &schema(), &table("audit"), &[]);
        statements.iter().for_each(|sql| database.run(sql));
        assert_eq!(found(&named), 51);
    }
}

#[test]
fn all_rows_are_gathered_by_path_unless_the_filter_leaves_few() {
    let schema = super::schema();
    let compared = |name: &str, operator, value| super::compare("opportunity", name, operator, value);
    let is_open = || equal("opportunity", "statecode", Value::Integer(0));
    let since = |name: &str| compared(name, Comparison::GreaterOrEqual, Value::Date(20_000));
    let cases = [
        (Filter::True, Plan::Union, Plan::Union),
        (is_open(), Plan::Union, Plan::Union),
        (equal("opportunity", "name", text("x")), Plan::Ordered, Plan::Ordered),
        // There are indexes by state and closing date, and none by the closing date alone or by the real one.
        (Filter::And(vec![is_open(), since("estimatedclosedate")]), Plan::Union, Plan::Sweep),
        (since("createdon"), Plan::Union, Plan::Sweep),
        (since("estimatedclosedate"), Plan::Union, Plan::Union),
        (Filter::And(vec![is_open(), since("actualclosedate")]), Plan::Union, Plan::Union),
        (Filter::Or(vec![is_open(), since("createdon")]), Plan::Union, Plan::Union),
    ];
    for (filter, for_few, for_many) in cases {
        let asked = Query { filter, ..query("opportunity", &[]) };
        assert_eq!(plan_of_all(&schema, &asked, Plan::Union), for_few, "{:?}", asked.filter);
        assert_eq!(plan_of_all(&schema, &asked, Plan::Sweep), for_many, "{:?}", asked.filter);
    }
}
