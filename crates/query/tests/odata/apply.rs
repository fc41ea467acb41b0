//! `$apply`.

use custodia_query::odata::{Applied, Limits, ODataError, parse_apply};
use custodia_query::{Filter, Measure};

use crate::rendering;
use crate::world::{asker, schema, table};

fn read_with(table_name: &str, options: &[(&str, &str)], limits: &Limits) -> Result<Applied, ODataError> {
    let options: Vec<(String, String)> =
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parse_apply(schema(), table(table_name), &options, limits, Some(&asker())).map(Option::unwrap)
}

fn read(table_name: &str, apply: &str) -> Result<Applied, ODataError> {
    read_with(table_name, &[("$apply", apply), ("@p", "'x'")], &Limits::default())
}

/// An aggregation as a short text.
fn rendered(table_name: &str, applied: &Applied) -> String {
    let table = table(table_name);
    let aggregation = &applied.question.aggregation;
    let path = |path: &custodia_query::Path| rendering::path(table, path);
    let mut text = String::new();
    if aggregation.rows.filter != Filter::True {
        text.push_str(&format!("filter {} ", rendering::filter(table, &aggregation.rows.filter)));
    }
    let groups: Vec<String> = aggregation.groups.iter().map(|group| path(&group.path)).collect();
    text.push_str(&format!("by [{}]", groups.join(" ")));
    for measure in &aggregation.measures {
        text.push_str(&match measure {
            Measure::Count => " count".to_owned(),
            Measure::CountValues { path: of, distinct } => {
                format!(" count {}{}", if *distinct { "distinct " } else { "" }, path(of))
            }
            Measure::Sum(of) => format!(" sum {}", path(of)),
            Measure::Average(of) => format!(" average {}", path(of)),
            Measure::Least(of) => format!(" least {}", path(of)),
            Measure::Greatest(of) => format!(" greatest {}", path(of)),
        });
    }
    for (position, descending) in &aggregation.order {
        text.push_str(&format!(" order {position}{}", if *descending { " desc" } else { "" }));
    }
    let names: Vec<&str> = applied.question.columns.iter().map(|column| column.name.as_str()).collect();
    let positions: Vec<usize> = applied.question.columns.iter().map(|column| column.position).collect();
    assert_eq!(positions, (0..names.len()).collect::<Vec<_>>());
    format!("{text} named {}", names.join(" "))
}

#[test]
fn transformations_become_groups_and_measures() {
    let cases = [
        ("aggregate($count as n)", "by [] count named n"),
        ("aggregate(revenue with sum as total)", "by [] sum revenue named total"),
        (
            "aggregate(revenue with average as a,numberofemployees with min as b,createdon with max as c,ownerid/ownerid with countdistinct as d)",
            "by [] average revenue least numberofemployees greatest createdon count distinct ownerid named a b c d",
        ),
        ("groupby((statecode))", "by [statecode] named statecode"),
        (
            "groupby((_primarycontactid_value,address1_city))",
            "by [primarycontactid address1_city] named _primarycontactid_value address1_city",
        ),
        (
            "groupby((primarycontactid/fullname,statuscode),aggregate(revenue with sum as total,$count as n))",
            "by [primarycontactid>contact.fullname statuscode] sum revenue count named contact_fullname statuscode total n",
        ),
        (
            "filter(statecode eq 0 and contains(name,'),('))/groupby((statuscode),aggregate($count as n))",
            "filter And(statecode Equal Integer(0), name Like Substring(\"),(\")) by [statuscode] count named statuscode n",
        ),
        (
            "filter(name eq @p)/filter(contact_customer_accounts/any(o:o/statecode eq 0))/aggregate($count as n)",
            "filter And(name Equal Text(\"x\"), Exists(contact.parentcustomerid = accountid where statecode Equal Integer(0))) by [] count named n",
        ),
        (
            " filter( Microsoft.Dynamics.CRM.EqualUserLanguage(PropertyName='numberofemployees') ) / groupby( ( statecode ) , aggregate( $count as n ) ) ",
            "filter numberofemployees Equal Integer(1033) by [statecode] count named statecode n",
        ),
        (
            "aggregate(primarycontactid/creditlimit with max as most)",
            "by [] greatest primarycontactid>contact.creditlimit named most",
        ),
    ];
    for (text, expected) in cases {
        let applied = read("account", text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rendered("account", &applied), expected, "{text}");
        assert_eq!(applied.question.aggregation.rows_max, Limits::default().aggregate_rows_max);
    }
}

#[test]
fn groups_are_ordered_and_limited() {
    let apply = ("$apply", "groupby((statecode,primarycontactid/fullname),aggregate($count as n))");
    for (order, expected) in [
        ("statecode desc", "order 0 desc named"),
        ("primarycontactid/fullname,statecode", "order 1 order 0 named"),
        ("contact_fullname asc,statecode desc,statecode", "order 1 order 0 desc named"),
    ] {
        let options = [apply, ("$orderby", order), ("$top", "3"), ("$skiptoken", "t"), ("other", "x")];
        let applied = read_with("account", &options, &Limits::default()).unwrap();
        assert!(rendered("account", &applied).contains(expected), "{order}");
        assert_eq!((applied.top, applied.skip_token.as_deref()), (Some(3), Some("t")));
    }
    for (order, message) in [
        ("n", "cannot be ordered by 'n'"),
        ("name", "cannot be ordered by 'name'"),
        ("nothing", "named 'nothing'"),
        ("statecode x", "expected 'asc'"),
        ("", "expected the name of a column"),
    ] {
        let error = read_with("account", &[apply, ("$orderby", order)], &Limits::default()).expect_err(order);
        assert!(error.to_string().contains(message), "{order}: {error}");
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let cases = [
        ("", 1, "expected filter, groupby or aggregate"),
        ("nothing", 1, "'nothing' is not supported"),
        ("topcount(2,revenue)", 1, "'topcount' is not supported"),
        ("filter(statecode eq 0)", 23, "expected '/'"),
        ("filter(statecode)", 8, "expected a test"),
        ("filter statecode", 8, "expected '('"),
        ("filter(statecode eq 0", 22, "expected ')'"),
        ("filter(nothing eq 0)/aggregate($count as n)", 8, "named 'nothing'"),
        ("groupby(statecode)", 9, "expected '('"),
        ("groupby(())", 10, "expected the name of a column"),
        ("groupby((statecode)", 20, "expected ')'"),
        ("groupby((statecode))/filter(statecode eq 0)", 21, "expected nothing after"),
        ("groupby((statecode),count)", 21, "expected aggregate"),
        ("groupby((statecode),aggregate($count as n),x)", 43, "expected ')'"),
        ("groupby((nothing))", 10, "named 'nothing'"),
        ("groupby((primarycontactid))", 10, "named 'primarycontactid'"),
        ("groupby((contact_customer_accounts/any()))", 10, "no value"),
        ("groupby((createdon))", 10, "holds dates"),
        ("groupby((description))", 10, "holds long texts"),
        ("groupby((statecode,statecode))", 20, "two values would be called 'statecode'"),
        ("groupby((statecode),aggregate($count as statecode))", 41, "two values would be called 'statecode'"),
        ("aggregate()", 11, "expected the name of a column"),
        ("aggregate(revenue)", 18, "expected 'with'"),
        ("aggregate(revenue with sum)", 27, "expected 'as'"),
        ("aggregate(revenue with sum as)", 30, "expected a name"),
        ("aggregate(revenue with sum as a.b)", 31, "expected a name"),
        ("aggregate(revenue with nothing as n)", 24, "there is no aggregate 'nothing'"),
        ("aggregate(name with sum as n)", 21, "'sum' works on numbers"),
        ("aggregate(name with max as n)", 21, "'max' works on numbers and dates"),
        ("aggregate(statecode with average as n)", 26, "'average' works on numbers"),
        ("aggregate(description with countdistinct as n)", 28, "'countdistinct' works on"),
        ("aggregate(revenue mul 2 with sum as n)", 19, "expected 'with'"),
        ("aggregate($count as n x)", 23, "expected ',' or ')'"),
        ("aggregate($count as n)/aggregate($count as m)", 23, "expected nothing after"),
    ];
    for (text, character, message) in cases {
        let error = match read("account", text) {
            Err(error) => error,
            Ok(_) => panic!("{text} is read"),
        };
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!((error.place().part.as_str(), error.place().character), ("$apply", character), "{text}: {error}");
        assert!(!matches!(error, ODataError::Unsupported { .. }), "{text}: {error}");
    }
    for other in ["$filter", "$select", "$expand", "$count", "$skip", "$search"] {
        let error = read_with("account", &[("$apply", "aggregate($count as n)"), (other, "true")], &Limits::default());
        assert!(error.unwrap_err().to_string().contains("not supported beside $apply"), "{other}");
    }
    let twice = [("$apply", "aggregate($count as n)"), ("$apply", "aggregate($count as n)")];
    assert!(read_with("account", &twice, &Limits::default()).unwrap_err().to_string().contains("given twice"));
    assert!(parse_apply(schema(), table("account"), &[], &Limits::default(), None).unwrap().is_none());
    let limits = Limits { group_columns_max: 2, ..Limits::default() };
    let error = read_with("account", &[("$apply", "groupby((name,statecode),aggregate($count as n))")], &limits);
    assert!(matches!(error.unwrap_err(), ODataError::TooMuch { limit: "group_columns_max", max: 2, .. }));
}
