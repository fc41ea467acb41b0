//! The one statement of SQL.

use custodia_query::fetchxml::Question;
use custodia_query::odata::{Limits, ODataError};
use custodia_query::sql_select::{SelectQuestion, depends_on_asker, parse_select};
use custodia_query::{Filter, Measure};
use proptest::prelude::*;

use crate::rendering;
use crate::world::{asker, schema, table};

fn read(text: &str) -> Result<SelectQuestion, ODataError> {
    parse_select(schema(), text, &asker(), &Limits::default())
}

/// A question as a short text.
fn rendered(select: &SelectQuestion) -> String {
    let table_of = |id| &**schema().table(id).unwrap();
    let (query, mut text, names) = match &select.question {
        Question::Rows(rows) => {
            let names: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
            let tables: Vec<&str> = rows.tables.iter().map(|id| table_of(*id).name.as_str()).collect();
            assert_eq!(tables.len(), rows.query.links.len() + 1);
            (&rows.query, String::new(), names.join(" "))
        }
        Question::Groups(groups) => {
            let names: Vec<&str> = groups.columns.iter().map(|column| column.name.as_str()).collect();
            (&groups.aggregation.rows, String::new(), names.join(" "))
        }
    };
    let mut rows = vec![table_of(query.table)];
    let root = rows[0];
    text.push_str(&format!("{} [{}]", root.name, rendering::fields(root, &query.fields)));
    for link in &query.links {
        let far = table_of(link.table);
        let near = &rows[link.from].column_by_id(link.near).unwrap().name;
        let column = &far.column_by_id(link.far).unwrap().name;
        text.push_str(&format!(
            " {:?} {}.{column} = {}:{near} [{}]",
            link.kind,
            far.name,
            link.from,
            rendering::fields(far, &link.fields)
        ));
        rows.push(far);
    }
    if query.filter != Filter::True {
        text.push_str(&format!(" filter {}", rendering::filter_in(&rows, &query.filter)));
    }
    if query.distinct {
        text.push_str(" distinct");
    }
    for order in &query.order {
        text.push_str(&format!(
            " order {}{}",
            rendering::path_in(&rows, &order.path),
            if order.descending { " desc" } else { "" }
        ));
    }
    if let Question::Groups(groups) = &select.question {
        for group in &groups.aggregation.groups {
            text.push_str(&format!(" by {}", rendering::path_in(&rows, &group.path)));
        }
        for measure in &groups.aggregation.measures {
            text.push_str(&match measure {
                Measure::Count => " count".to_owned(),
                Measure::CountValues { path, distinct } => {
                    format!(" count{} {}", if *distinct { " distinct" } else { "" }, rendering::path_in(&rows, path))
                }
                Measure::Sum(path) => format!(" sum {}", rendering::path_in(&rows, path)),
                Measure::Average(path) => format!(" average {}", rendering::path_in(&rows, path)),
                Measure::Least(path) => format!(" least {}", rendering::path_in(&rows, path)),
                Measure::Greatest(path) => format!(" greatest {}", rendering::path_in(&rows, path)),
            });
        }
        for (position, descending) in &groups.aggregation.order {
            text.push_str(&format!(" order {position}{}", if *descending { " desc" } else { "" }));
        }
    }
    if let Some(top) = select.top {
        text.push_str(&format!(" top {top}"));
    }
    format!("{text} named {names}")
}

#[test]
fn selections_are_read() {
    let cases = [
        ("SELECT name FROM account", "account [accountid name] named name accountid"),
        ("select Name, AccountId from Account", "account [accountid name] named name accountid"),
        (
            "SELECT TOP 5 name AS n, [revenue] FROM account AS a;",
            "account [accountid name revenue] top 5 named n revenue accountid",
        ),
        (
            "SELECT a.primarycontactid FROM account a",
            "account [accountid primarycontactid] named _primarycontactid_value accountid",
        ),
        (
            "SELECT name FROM account WHERE name = 'O''Neil' AND revenue >= 10.5 OR (statecode <> 1 AND numberofemployees IS NULL)",
            "account [accountid name] filter Or(And(name Equal Text(\"O'Neil\"), revenue GreaterOrEqual Money(Money(105000))), And(And(Not(IsNull(statecode)), statecode NotEqual Integer(1)), IsNull(numberofemployees))) named name accountid",
        ),
        (
            "SELECT name FROM account WHERE name IN ('a', 'b') AND numberofemployees BETWEEN -1 AND 5 AND name LIKE 'C%' AND name IS NOT NULL",
            "account [accountid name] filter And(name In [Text(\"a\"), Text(\"b\")], And(numberofemployees GreaterOrEqual Integer(-1), numberofemployees LessOrEqual Integer(5)), name Like Prefix(\"c\"), Not(IsNull(name))) named name accountid",
        ),
        (
            "SELECT name FROM account WHERE name NOT IN ('a') AND name NOT LIKE '%b'",
            "account [accountid name] filter And(And(Not(IsNull(name)), Not(name In [Text(\"a\")])), And(Not(IsNull(name)), Not(name Like Suffix(\"b\")))) named name accountid",
        ),
        (
            "SELECT name FROM account ORDER BY revenue DESC, name",
            "account [accountid name] order revenue desc order name named name accountid",
        ),
        (
            "SELECT DISTINCT address1_city FROM account ORDER BY address1_city",
            "account [address1_city] distinct order address1_city named address1_city",
        ),
        (
            "SELECT a.name, c.fullname AS person FROM account a INNER JOIN contact c ON a.primarycontactid = c.contactid WHERE c.lastname = 'x' ORDER BY person",
            "account [accountid name] Inner contact.contactid = 0:primarycontactid [fullname] filter 1:lastname Equal Text(\"x\") order 1:fullname named name person accountid",
        ),
        (
            "SELECT account.name, contact.fullname FROM account LEFT JOIN contact ON contact.contactid = account.primarycontactid LEFT OUTER JOIN systemuser u ON u.systemuserid = contact.ownerid",
            "account [accountid name] Outer contact.contactid = 0:primarycontactid [fullname] Outer systemuser.systemuserid = 1:ownerid [] named name contact.fullname accountid",
        ),
        ("SELECT COUNT(*) FROM account", "account [accountid] count named count"),
        (
            "SELECT statecode, COUNT(*) AS n, SUM(revenue) total, COUNT(DISTINCT name) AS d, avg(revenue), MIN(createdon) AS f, MAX(createdon) AS l, COUNT(revenue) AS v FROM account WHERE statecode = 0 GROUP BY statecode ORDER BY n DESC, statecode",
            "account [accountid] filter statecode Equal Integer(0) by statecode count sum revenue count distinct name average revenue least createdon greatest createdon count revenue order 1 desc order 0 named statecode n total d avg_revenue f l v",
        ),
        (
            "SELECT address1_city FROM account GROUP BY address1_city",
            "account [accountid] by address1_city named address1_city",
        ),
        (
            "SELECT c.lastname, COUNT(*) AS n FROM account a JOIN contact c ON c.contactid = a.primarycontactid GROUP BY c.lastname ORDER BY COUNT(*)",
            "account [accountid] Inner contact.contactid = 0:primarycontactid [] by 1:lastname count order 1 named c.lastname n",
        ),
    ];
    for (text, expected) in cases {
        let select = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rendered(&select), expected, "{text}");
    }
    assert_eq!(table("account").name, "account");
}

#[test]
fn everything_else_is_refused() {
    let cases = [
        ("", "exactly one statement"),
        ("SELECT", "cannot be read"),
        ("SELECT name", "exactly one table"),
        ("SELECT name FROM", "cannot be read"),
        ("SELECT name FROM account; SELECT name FROM account", "exactly one statement"),
        ("DELETE FROM account", "only a selection"),
        ("UPDATE account SET name = 'x'", "only a selection"),
        ("DROP TABLE account", "only a selection"),
        ("SELECT * FROM account", "'*' is not supported"),
        ("SELECT a.* FROM account a", "'*' is not supported"),
        ("SELECT name FROM account, contact", "exactly one table"),
        ("SELECT name FROM account UNION SELECT fullname FROM contact", "a union"),
        ("WITH x AS (SELECT name FROM account) SELECT name FROM x", "before the selection"),
        ("SELECT name FROM (SELECT name FROM account) a", "a selection within another"),
        (
            "SELECT name FROM account WHERE accountid IN (SELECT accountid FROM account)",
            "a condition that is not supported",
        ),
        ("SELECT name FROM account WHERE EXISTS (SELECT name FROM account)", "a condition that is not supported"),
        ("SELECT name FROM account WHERE NOT name = 'x'", "a condition that is not supported"),
        ("SELECT name FROM account WHERE name = address1_city", "a value on the right side"),
        ("SELECT name FROM account WHERE 'x' = name", "expected a column"),
        ("SELECT name FROM account WHERE numberofemployees + 1 = 2", "expressions are not supported"),
        ("SELECT name FROM account WHERE UPPER(name) = 'X'", "expressions are not supported"),
        ("SELECT name FROM account WHERE name = NULL", "nothing compares with null"),
        ("SELECT name FROM account WHERE numberofemployees = 'x'", "The value 'x'"),
        ("SELECT name FROM account WHERE name LIKE 'x' ESCAPE '!'", "a condition that is not supported"),
        ("SELECT name FROM account WHERE name", "a condition that is not supported"),
        ("SELECT UPPER(name) FROM account", "no aggregate 'upper'"),
        ("SELECT revenue * 2 FROM account", "expressions are not supported"),
        ("SELECT nothing FROM account", "named 'nothing' on type 'Microsoft.Dynamics.CRM.account'"),
        ("SELECT b.name FROM account a", "no table is called 'b'"),
        ("SELECT a.b.name FROM account a", "expected a column as"),
        ("SELECT name FROM nothing", "there is no table 'nothing'"),
        ("SELECT name FROM dbo.account", "without anything before it"),
        ("SELECT name FROM account a JOIN contact a ON a.contactid = a.primarycontactid", "two tables are called 'a'"),
        (
            "SELECT createdon FROM account a JOIN contact c ON c.contactid = a.primarycontactid",
            "a column of several tables",
        ),
        ("SELECT a.name FROM account a JOIN contact c ON a.name = 'x'", "expected a column"),
        (
            "SELECT a.name FROM account a JOIN contact c ON a.accountid = a.parentaccountid",
            "one column of the joined table",
        ),
        ("SELECT a.name FROM account a JOIN contact c ON a.accountid = c.lastname", "different types"),
        (
            "SELECT a.name FROM account a JOIN contact c ON a.accountid = c.contactid AND c.lastname = 'x'",
            "a join needs 'on'",
        ),
        ("SELECT a.name FROM account a RIGHT JOIN contact c ON a.accountid = c.contactid", "neither inner nor left"),
        ("SELECT a.name FROM account a FULL JOIN contact c ON a.accountid = c.contactid", "neither inner nor left"),
        ("SELECT a.name FROM account a CROSS JOIN contact c", "neither inner nor left"),
        ("SELECT name FROM account GROUP BY statecode", "neither grouped by nor an aggregate"),
        ("SELECT name, COUNT(*) FROM account", "neither grouped by nor an aggregate"),
        ("SELECT statecode FROM account GROUP BY statecode HAVING COUNT(*) > 1", "'having' is not supported"),
        ("SELECT DISTINCT statecode FROM account GROUP BY statecode", "'distinct' beside groups"),
        ("SELECT SUM(name) FROM account", "'sum' does not work on 'name'"),
        ("SELECT COUNT(*) OVER () FROM account", "this use of 'count'"),
        ("SELECT COUNT(name, revenue) FROM account", "takes one column"),
        ("SELECT name AS x, revenue AS x FROM account", "two values would be called 'x'"),
        ("SELECT name AS [a b] FROM account", "the name 'a b' is not valid"),
        ("SELECT DISTINCT name FROM account ORDER BY revenue", "only be ordered by columns that are shown"),
        ("SELECT name FROM account ORDER BY nothing", "named 'nothing'"),
        ("SELECT name FROM account ORDER BY 1", "expressions are not supported"),
        ("SELECT statecode FROM account GROUP BY statecode ORDER BY name", "cannot be ordered by 'name'"),
        ("SELECT TOP 5 PERCENT name FROM account", "with ties or per cent"),
        ("SELECT name FROM account ORDER BY name OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY", "a limit other than 'top'"),
        ("SELECT name INTO x FROM account", "'into' is not supported"),
        ("SELECT name FROM account FOR XML AUTO", "a form of the answer"),
        ("SELECT name FROM account WITH (NOLOCK)", "a hint"),
    ];
    for (text, message) in cases {
        let error = match read(text) {
            Err(error) => error,
            Ok(select) => panic!("{text} is read as {}", rendered(&select)),
        };
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(!matches!(error, ODataError::Unsupported { .. }), "{text}: {error}");
    }
}

#[test]
fn statements_are_bounded() {
    let deep = format!("SELECT name FROM account WHERE {}name = 'x'{}", "(".repeat(2_000), ")".repeat(2_000));
    assert!(read(&deep).is_err());
    let deep = format!("SELECT name FROM account WHERE {}name = 'x'{}", "(".repeat(100), ")".repeat(100));
    assert!(read(&deep).is_err());
    let long = format!("SELECT name FROM account WHERE {}", vec!["name = 'x'"; 5_000].join(" AND "));
    let told = read(&long).unwrap_err().to_string();
    let expected = "sql: the statement has 15004 key words and signs; at most 2000 are read (conditions_max times 4)";
    assert_eq!(told, expected);
    // Of a fault its place is told once.
    let told = read("SELECT name FROM account WHERE name = = 1").unwrap_err().to_string();
    assert!(told.starts_with("sql: the statement cannot be read") && told.contains("Line: 1, Column: "), "{told}");
    let told = read("SELECT name FROM nothing").unwrap_err().to_string();
    assert!(told.starts_with("sql, character 18: there is no table 'nothing'"), "{told}");
    let told = read("SELECT name\nFROM nothing").unwrap_err().to_string();
    assert!(told.starts_with("sql: there is no table 'nothing'"), "{told}");
    let long = |count: usize| format!("SELECT name FROM account WHERE {}", vec!["name = 'x'"; count].join(" OR "));
    assert!(read(&long(500)).is_ok());
    assert!(matches!(read(&long(501)).unwrap_err(), ODataError::TooMuch { limit: "conditions_max", .. }));
    let list = |count: usize| format!("SELECT name FROM account WHERE name IN ({})", vec!["'x'"; count].join(","));
    assert!(read(&list(2_000)).is_ok());
    assert!(matches!(read(&list(2_001)).unwrap_err(), ODataError::TooMuch { limit: "in_values_max", .. }));
    let sums =
        format!("SELECT {} FROM account", (0..101).map(|n| format!("COUNT(*) AS n{n}")).collect::<Vec<_>>().join(","));
    assert!(matches!(read(&sums).unwrap_err(), ODataError::TooMuch { limit: "group_columns_max", .. }));
    let joins: String = (0..16).map(|n| format!(" JOIN contact c{n} ON c{n}.contactid = a.primarycontactid")).collect();
    let error = read(&format!("SELECT a.name FROM account a{joins}")).unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { limit: "links_max", .. }), "{error}");
}

#[test]
fn only_times_depend_on_who_asks() {
    assert!(depends_on_asker("SELECT name FROM account WHERE createdon > '2026-01-01'"));
    assert!(!depends_on_asker("SELECT name FROM account WHERE name = 'x'"));
}

proptest! {
    #[test]
    fn no_text_brings_the_reader_down(text in "((SELECT|FROM|WHERE|AND|OR|NOT|IN|JOIN|ON|GROUP BY|ORDER BY|account|contact|name|'x'|5|=|<>|[(),.*;-]|COUNT|AS|TOP) ?){0,16}") {
        let _ = read(&text);
        let _ = read(&format!("SELECT name FROM account {text}"));
        let _ = read(&format!("SELECT name FROM account WHERE {text}"));
    }
}
