//! Mapping files that are right and wrong, and what rows become by them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use csv::StringRecord;
use custodia_schema::{Money, Value, standard};

use super::*;
use crate::import::csv_file::Row;
use crate::import::rows::{Given, Key, Outline, Pass};

fn load(text: &str) -> std::result::Result<Import, String> {
    Import::load(&standard(), text, "m.toml").map_err(|fault| fault.to_string())
}

#[track_caller]
fn check_fault(text: &str, line: usize, part: &str) {
    let fault = load(text).expect_err("the mapping is faulty");
    assert!(fault.starts_with(&format!("m.toml:{line}: ")), "{fault}: should be on line {line}");
    assert!(fault.contains(part), "{fault}: should say `{part}`");
}

/// A mapping of accounts with these lines under `columns`; they begin on line 5.
fn accounts(columns: &str) -> String {
    format!("name = \"a\"\ntable = \"account\"\nkey = \"id\"\n[columns]\n{columns}\n")
}

fn opportunities(columns: &str) -> String {
    format!("name = \"o\"\ntable = \"opportunity\"\nkey = \"id\"\n[columns]\n{columns}\n")
}

#[test]
fn faults_of_a_mapping_have_their_line() {
    check_fault("name = \"a\"\ntable = \"account\n", 2, "");
    check_fault("table = \"account\"\n", 1, "`name` is missing");
    check_fault("name = \"My Accounts\"\n", 1, "`name` is made of");
    check_fault("name = \"a\"\ntable = \"acount\"\n", 2, "there is no table `acount`");
    check_fault("name = \"a\"\ntable = \"teamroles\"\n", 2, "links");
    check_fault("name = \"a\"\ntable = \"account\"\ntime_zone = \"New York\"\n", 3, "no time zone `New York`");
    check_fault("name = \"a\"\ntable = \"account\"\nempty = \"drop\"\n", 3, "not `drop`");
    check_fault("name = \"a\"\ntable = \"account\"\ndelimiter = \";;\"\n", 3, "one character");
    check_fault("name = \"a\"\ntable = \"account\"\nkey = \"id\"\n", 1, "`columns` is missing");
    check_fault("name = \"a\"\ntable = \"account\"\n[columns]\nname = \"n\"\n", 1, "`key` is missing");
    check_fault("name = \"a\"\ntable = \"account\"\nkey = []\n[columns]\nname = \"n\"\n", 3, "empty list");
    check_fault("name = \"a\"\ntable = \"account\"\nkey = 1\n[columns]\nname = \"n\"\n", 3, "a text in quotes");
    check_fault(
        "name = \"a\"\nkeys = \"id\"\ntable = \"account\"\nkey = \"id\"\n[columns]\nname = \"n\"\n",
        2,
        "`keys`",
    );
    check_fault(
        "name = \"a\"\ntable = \"account\"\nkey = \"id\"\nmatch = \"x\"\n[columns]\nname = \"n\"\n",
        3,
        "exclude",
    );
}

#[test]
fn faults_of_a_column_have_their_line() {
    check_fault(&accounts(""), 4, "`columns` is empty");
    check_fault(&accounts("nam = \"n\""), 5, "`account` has no column `nam`");
    check_fault(&accounts("name = \"n\"\naccountid = \"i\""), 6, "follows from `key`");
    check_fault("name = \"p\"\ntable = \"phonecall\"\nkey = \"id\"\n[columns]\nto = \"n\"\n", 5, "not a plain value");
    check_fault(&accounts("createdon = \"d\""), 5, "use `overriddencreatedon`");
    check_fault(&accounts("address1_composite = \"d\""), 5, "kept by the platform");
    check_fault(&accounts("name = 7"), 5, "the name of a column of the file");
    check_fault(&accounts("name = []"), 5, "at least one rule");
    check_fault(&accounts("name = {}"), 5, "where the text comes from");
    check_fault(&accounts("name = { from = \"n\", value = \"x\" }"), 5, "exclude each other");
    check_fault(&accounts("name = { value = \"x\", case = \"lower\" }"), 5, "taken as it is");
    check_fault(&accounts("name = { value = \" \" }"), 5, "is empty");
    check_fault(&accounts("name = { from = [\"a\", \"b\"] }"), 5, "need `join`");
    check_fault(&accounts("name = { from = \"n\", split = \",\" }"), 5, "go together");
    check_fault(&accounts("name = { from = \"n\", split = \",\", part = 0 }"), 5, "`part` is 1");
    check_fault(&accounts("name = { from = \"n\", case = \"title\" }"), 5, "not `title`");
    check_fault(&accounts("name = { from = \"n\", replace = { \"\" = \"x\" } }"), 5, "an empty text");
    check_fault(&accounts("revenue = { from = \"n\", scale = 0 }"), 5, "every number would become 0");
    check_fault(&accounts("revenue = { from = \"n\", scale = \"0.00\" }"), 5, "every number would become 0");
    check_fault(&accounts("name = { from = \"n\", form = \"m\" }"), 5, "no property `form`");
    check_fault(&accounts("name = { from = \"n\", scale = 2 }"), 5, "no property `scale`");
    check_fault(&accounts("name = \"n\"\nname2 = \"n\""), 6, "`name2`");
    check_fault(
        &accounts("name = { from = \"n\", when = { column = \"c\" } }"),
        5,
        "one of `is`, `is_not` and `empty`",
    );
    check_fault(&accounts("name = { from = \"n\", when = { is = \"c\" } }"), 5, "names its `column`");
    check_fault(&accounts("name = [{ from = \"n\" },\n{ from = \"m\", later = true }]"), 6, "`later` or none");
}

#[test]
fn faults_of_a_type_have_their_line() {
    check_fault(&accounts("name = \"n\"\nrevenue = { from = \"r\", scale = \"a lot\" }"), 6, "decimal number");
    check_fault(&accounts("revenue = { value = \"lots\" }"), 5, "`lots` is not a number");
    check_fault(&accounts("revenue = { from = \"r\", decimal_mark = \",\", group_mark = \",\" }"), 5, "are the same");
    check_fault(&accounts("revenue = { from = \"r\", decimal_mark = \"comma\" }"), 5, "one character");
    check_fault(
        &accounts("industrycode = { from = \"s\", map = { a = \"Brokers\",\n b = \"Tecnology\" } }"),
        6,
        "`Tecnology`",
    );
    check_fault(
        &accounts("industrycode = { from = \"s\", map = { a = \"Tecnology\" } }"),
        5,
        "`Tecnology` is none of the",
    );
    check_fault(&accounts("industrycode = { value = \"Tecnology\" }"), 5, "none of the options");
    check_fault(&accounts("creditonhold = { value = \"perhaps\" }"), 5, "neither yes nor no");
    check_fault(&accounts("overriddencreatedon = { from = \"d\", date = \"M/D/YYYY\" }"), 5, "say the `time_zone`");
    check_fault(&accounts("overriddencreatedon = { from = \"d\", date = \"M/D\" }"), 5, "one year");
    check_fault(
        &accounts("overriddencreatedon = { from = \"d\", date = \"M/D/YYYY\", time_zone = \"Mars\" }"),
        5,
        "no time zone `Mars`",
    );
}

#[test]
fn faults_of_a_lookup_have_their_line() {
    check_fault(&accounts("parentaccountid = \"p\""), 5, "`parentaccountid` is a link");
    check_fault(&accounts("parentaccountid = { from = \"p\" }"), 5, "is a link");
    check_fault(&accounts("parentaccountid = { from = \"p\", lookup = \"name\" }"), 5, "not \"name\"");
    check_fault(&accounts("parentaccountid = { from = \"p\", lookup = \"user\" }"), 5, "cannot point at users");
    check_fault(&accounts("parentaccountid = { from = \"p\", lookup = {} }"), 5, "one of `by`");
    for name in ["no such", ""] {
        let lookup = format!("parentaccountid = {{ from = \"p\", lookup = {{ mapping = \"{name}\" }} }}");
        check_fault(&accounts(&lookup), 5, &format!("no mapping is called `{name}`"));
    }
    check_fault(&accounts("parentaccountid = { from = \"p\", lookup = { by = \"nam\" } }"), 5, "no column `nam`");
    check_fault(
        &accounts("parentaccountid = { from = \"p\", lookup = { by = \"revenue\" } }"),
        5,
        "cannot be found by",
    );
    check_fault(&accounts("parentaccountid = { from = \"p\", lookup = { key = \"name\" } }"), 5, "no alternate key");
    check_fault(
        &accounts("parentaccountid = { from = \"p\", lookup = { table = \"contact\", by = \"fullname\" } }"),
        5,
        "cannot point at `contact`, only at `account`",
    );
    check_fault(&opportunities("customerid = { from = \"p\", lookup = { by = \"name\" } }"), 5, "say the `table`");
    check_fault(
        &accounts("parentaccountid = { from = \"p\", missing = \"skip\", lookup = { by = \"name\" } }"),
        5,
        "`skip`",
    );
    check_fault(&accounts("name = { from = \"n\", lookup = { by = \"name\" } }"), 5, "no property `lookup`");
    check_fault(&accounts("parentaccountid = { from = [\"p\", \"q\"], lookup = { by = \"name\" } }"), 5, "need `join`");
}

#[test]
fn an_alternate_key_is_given_by_every_row() {
    let currencies = |matching: &str, columns: &str| {
        format!("name = \"c\"\ntable = \"transactioncurrency\"\nmatch = \"{matching}\"\n[columns]\n{columns}\n")
    };
    load(&currencies("isocurrencycode", "isocurrencycode = \"Code\"\ncurrencyname = \"Name\"")).unwrap();
    check_fault(&currencies("isocode", "isocurrencycode = \"Code\""), 3, "there is `isocurrencycode`");
    check_fault(&currencies("isocurrencycode", "currencyname = \"Name\""), 3, "give it in `columns`");
}

/// The outline of a row under a header.
fn outline(mapping: &str, header: &[&str], fields: &[&str], pass: Pass) -> Outline {
    let import = load(mapping).unwrap();
    let positions: Vec<_> = import
        .sources
        .iter()
        .map(|source| header.iter().position(|name| *name == source.name).expect("the header has the column"))
        .collect();
    let row = Row { line: 2, record: StringRecord::from(fields.to_vec()) };
    import.plan(&row, &positions, header.len(), pass)
}

/// What a row gives, by the names of the columns.
#[track_caller]
fn given(mapping: &str, header: &[&str], fields: &[&str]) -> Vec<(String, Given)> {
    let table = Arc::clone(&load(mapping).unwrap().table);
    match outline(mapping, header, fields, Pass::First) {
        Outline::Planned(planned) => planned
            .columns
            .into_iter()
            .map(|(column, given)| (table.column_by_id(column).unwrap().name.clone(), given))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn value(column: &str, value: Value) -> (String, Given) {
    (column.to_owned(), Given::Value(value))
}

#[test]
fn a_row_becomes_values() {
    let mapping = accounts(
        "name = \"account\"\nrevenue = { from = \"revenue\", scale = 1_000_000 }\n\
         industrycode = { from = \"sector\", map = { technolgy = \"Business Services\" } }\n\
         address1_city = { from = \"place\", split = \",\", part = 1 }\n\
         address1_country = { value = \"USA\" }",
    );
    let header = ["id", "account", "revenue", "sector", "place"];
    let expected = vec![
        value("name", Value::Text("Acme".to_owned())),
        value("address1_city", Value::Text("Saint Paul".to_owned())),
        value("address1_country", Value::Text("USA".to_owned())),
        value("industrycode", Value::Integer(6)),
        value("revenue", Value::Money(Money(11_000_400_000_000))),
    ];
    assert_eq!(given(&mapping, &header, &["1", " Acme ", "1100.04", "technolgy", "Saint Paul, MN"]), expected);
}

#[test]
fn an_empty_cell_keeps_or_clears() {
    let keep = accounts("name = \"n\"\nrevenue = { from = \"r\", empty = \"clear\" }\ndescription = \"d\"");
    assert_eq!(given(&keep, &["id", "n", "r", "d"], &["1", "", " ", ""]), vec![value("revenue", Value::Null)]);
    let clear =
        format!("empty = \"clear\"\n{}", accounts("name = { from = \"n\", empty = \"keep\" }\ndescription = \"d\""));
    assert_eq!(given(&clear, &["id", "n", "d"], &["1", "", ""]), vec![value("description", Value::Null)]);
}

#[test]
fn the_first_rule_whose_conditions_hold_counts() {
    let mapping = opportunities(
        "statuscode = [\n{ value = \"Won\", when = { column = \"stage\", is = \"Won\" } },\n\
         { value = \"Out-Sold\", when = [{ column = \"stage\", is = [\"Lost\", \"Gone\"] }, { column = \"to\", empty = false }] },\n\
         { value = \"Canceled\", when = { column = \"stage\", is_not = [\"Open\", \"New\"] } },\n]",
    );
    let header = ["id", "stage", "to"];
    let status = |fields: &[&str]| given(&mapping, &header, fields).pop().map(|(_, given)| given);
    let is = |number| Some(Given::Value(Value::Integer(number)));
    assert_eq!(status(&["1", "Won", "x"]), is(3));
    assert_eq!(status(&["1", "Lost", "x"]), is(5));
    assert_eq!(status(&["1", "Lost", ""]), is(4));
    assert_eq!(status(&["1", "Open", "x"]), None);
}

#[test]
fn rows_that_the_mapping_leaves_out_are_skipped() {
    let mapping = format!("only = {{ column = \"gone\", empty = true }}\n{}", accounts("name = \"n\""));
    let header = ["id", "n", "gone"];
    assert!(matches!(outline(&mapping, &header, &["1", "a", ""], Pass::First), Outline::Planned(_)));
    assert_eq!(outline(&mapping, &header, &["1", "a", "2001"], Pass::First), Outline::Skipped);
}

#[test]
fn a_faulty_row_says_why() {
    let mapping = accounts("name = \"n\"\nrevenue = \"r\"");
    let header = ["id", "n", "r"];
    let why = |fields: &[&str]| match outline(&mapping, &header, fields, Pass::First) {
        Outline::Faulty(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&["1", "a", "x"]), "revenue: `x` is not a number");
    assert_eq!(why(&["1", "a"]), "the row has 2 fields, the header 3");
    assert_eq!(why(&["1", "a", "1", "2"]), "the row has 4 fields, the header 3");
    assert_eq!(why(&["", "a", "1"]), "the key is empty (id)");
}

#[test]
fn later_columns_are_those_of_the_second_pass() {
    let mapping =
        accounts("name = \"n\"\nparentaccountid = { from = \"p\", later = true, lookup = { mapping = \"a\" } }");
    let columns = |pass| match outline(&mapping, &["id", "n", "p"], &["1", "a", "2"], pass) {
        Outline::Planned(planned) => planned.columns,
        other => panic!("{other:?}"),
    };
    assert!(matches!(columns(Pass::First).as_slice(), [(_, Given::Value(Value::Text(_)))]));
    assert!(matches!(columns(Pass::Second).as_slice(), [(_, Given::Link { may_miss: false, .. })]));
}

#[test]
fn the_id_of_a_record_follows_from_mapping_and_key_for_ever() {
    let mapping = "name = \"crm-accounts\"\ntable = \"account\"\nkey = [\"a\", \"b\"]\n[columns]\nname = \"a\"\n";
    let key = |a: &str, b: &str| match outline(mapping, &["a", "b"], &[a, b], Pass::First) {
        Outline::Planned(planned) => planned.key,
        other => panic!("{other:?}"),
    };
    let Key::Id(id) = key("Acme", "1") else { panic!("by id") };
    // If this fails, imported records would come in a second time after an upgrade.
    assert_eq!(id.to_string(), "61c34dc1-e31b-579d-ab66-2226c06cfce2");
    assert_eq!(key(" Acme", "1 "), Key::Id(id));
    assert_ne!(key("Acme1", ""), Key::Id(id));
    assert_ne!(key("acme", "1"), Key::Id(id));
}
