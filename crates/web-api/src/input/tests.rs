//! Values of bodies as columns take them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use custodia_schema::standard;

use super::*;

fn read(table: &str, column: &str, json: &str, numbers_quoted: bool) -> Result<Value, Failure> {
    let schema = standard();
    let table = schema.table_named(table).unwrap();
    let body = format!("{{\"value\": {json} }}");
    let object = Object::read(body.as_bytes()).unwrap();
    column_value(table, table.column(column).unwrap(), object.get("value").unwrap(), numbers_quoted)
}

#[test]
fn values_are_read_exactly() {
    let text = |text: &str| Value::Text(text.to_owned());
    let cases = [
        ("account", "name", "\"A\\u00e9\"", text("Aé")),
        ("account", "name", "null", Value::Null),
        ("account", "numberofemployees", "1500", Value::Integer(1_500)),
        ("account", "numberofemployees", "1.5e3", Value::Integer(1_500)),
        ("account", "numberofemployees", "-3.0", Value::Integer(-3)),
        ("account", "industrycode", "7", Value::Integer(7)),
        ("account", "creditonhold", "true", Value::Boolean(true)),
        ("account", "revenue", "1234.5", Value::Money(Money(12_345_000))),
        ("account", "revenue", "0.00005", Value::Money(Money(1))),
        ("account", "revenue", "922337203685477.5807", Value::Money(Money(i64::MAX))),
        ("account", "revenue", "1e3", Value::Money(Money(10_000_000))),
        ("account", "exchangerate", "0.123456789012", Value::Decimal(Decimal::new(123_456_789_012, 12))),
        ("account", "address1_latitude", "48.137", Value::Double(48.137)),
        ("account", "address1_latitude", "48", Value::Double(48.0)),
        ("account", "versionnumber", "9007199254740993", Value::BigInt(9_007_199_254_740_993)),
        ("account", "lastusedincampaign", "\"2024-02-29T10:00:00Z\"", Value::DateTime(1_709_200_800)),
        ("account", "lastusedincampaign", "\"2024-02-29T11:00:00.999+01:00\"", Value::DateTime(1_709_200_800)),
        ("account", "lastusedincampaign", "\"2024-02-29T10:00:00\"", Value::DateTime(1_709_200_800)),
        ("account", "lastusedincampaign", "\"2024-02-29\"", Value::DateTime(1_709_164_800)),
        ("account", "lastusedincampaign", "\"1969-12-31T23:59:59.5Z\"", Value::DateTime(-1)),
        ("account", "lastusedincampaign", "\"9999-12-31T23:59:59.9999999Z\"", Value::DateTime(253_402_300_799)),
        ("contact", "birthdate", "\"2024-02-29\"", Value::Date(19_782)),
        ("contact", "birthdate", "\"2024-02-29T00:00:00Z\"", Value::Date(19_782)),
        ("contact", "birthdate", "\"1900-01-01\"", Value::Date(-25_567)),
        (
            "account",
            "accountid",
            "\"{0123ABCD-0000-0000-0000-000000000001}\"",
            Value::Guid(Guid::from_u128(0x0123_abcd_0000_0000_0000_0000_0000_0001)),
        ),
    ];
    for (table, column, json, expected) in cases {
        assert_eq!(read(table, column, json, false), Ok(expected), "{column} {json}");
    }
}

#[test]
fn values_of_another_type_are_refused_with_what_was_expected() {
    let cases = [
        ("account", "name", "5", "a number; a text was expected"),
        ("account", "name", "[]", "a list; a text"),
        ("account", "name", "{}", "an object; a text"),
        ("account", "numberofemployees", "\"5\"", "a text; a whole number"),
        ("account", "numberofemployees", "1.5", "a number; a whole number"),
        ("account", "numberofemployees", "true", "true or false; a whole number"),
        ("account", "creditonhold", "1", "a number; true or false"),
        ("account", "revenue", "\"12\"", "a text; a number"),
        ("account", "lastusedincampaign", "\"29.02.2024\"", "a date and time"),
        ("account", "lastusedincampaign", "\"2023-02-29\"", "a date and time"),
        ("account", "lastusedincampaign", "\"20240229T100000Z\"", "a date and time"),
        ("account", "lastusedincampaign", "\"2024-02-29T10:00:00Z[Europe/Paris]\"", "a date and time"),
        ("account", "lastusedincampaign", "1709200800", "a date and time"),
        ("contact", "birthdate", "\"2024-02-29T10:00:00Z\"", "a date like"),
        ("account", "accountid", "\"x\"", "a GUID"),
    ];
    for (table, column, json, expected) in cases {
        let failure = read(table, column, json, false).unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.code), (400, 0x8004_8d19), "{column} {json}");
        assert!(failure.message.contains(expected), "{}", failure.message);
        assert!(failure.message.contains(&format!("column '{column}' of table '{table}'")), "{}", failure.message);
    }
}

#[test]
fn numbers_beyond_their_type_are_out_of_range() {
    let cases = [
        ("numberofemployees", "2147483648"),
        ("versionnumber", "9223372036854775808"),
        ("revenue", "922337203685477.5808"),
        ("revenue", "1e40"),
        ("exchangerate", "99999999999999999999999999999999"),
        ("address1_latitude", "1e400"),
    ];
    for (column, json) in cases {
        let failure = read("account", column, json, false).unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.code), (400, 0x8004_4330), "{column} {json} {failure:?}");
    }
}

#[test]
fn exact_numbers_may_come_in_quotes_where_the_sender_said_so() {
    assert_eq!(read("account", "revenue", "\"1.5\"", true), Ok(Value::Money(Money(15_000))));
    assert_eq!(read("account", "versionnumber", "\"7\"", true), Ok(Value::BigInt(7)));
    assert_eq!(read("account", "revenue", "1.5", true), Ok(Value::Money(Money(15_000))));
    assert_eq!(read("account", "exchangerate", "\"-1e-2\"", true), Ok(Value::Decimal(Decimal::new(-1, 2))));
    let refused = |column: &str, json: &str| {
        let failure = read("account", column, json, true).unwrap_err();
        assert_eq!(failure.status, 400, "{column} {json}");
        (failure.code, failure.message)
    };
    for json in ["x", "", "NaN", "0x1", "1 ", " 1", "1_0", "+1", ".5", "5.", "1.2.3", "-", "[1]", "1,0", "INF", "١"] {
        for column in ["revenue", "exchangerate", "versionnumber"] {
            let (code, message) = refused(column, &format!("\"{json}\""));
            assert_eq!(code, 0x8004_8d19, "{column} {json}");
            assert!(message.contains("is given a text; a ") && message.ends_with("number was expected"), "{message}");
        }
    }
    // Those that fit into 32 bits have no need of it.
    assert_eq!(refused("numberofemployees", "\"7\"").0, 0x8004_8d19);
    let (code, message) = refused("revenue", "\"1e40\"");
    assert_eq!((code, message.as_str()), (0x8004_4330, "column 'revenue' of table 'account': 1e40 is out of range"));
}

#[test]
fn several_options_are_sorted_and_each_once() {
    let cases = [
        ("", Some(vec![])),
        ("3", Some(vec![3])),
        ("3, 1,3", Some(vec![1, 3])),
        ("1,,2", None),
        ("1;2", None),
        ("a", None),
    ];
    for (text, expected) in cases {
        assert_eq!(options(text), expected, "{text:?}");
    }
}

#[test]
fn types_are_named_with_and_without_namespace() {
    for text in ["account", "#Microsoft.Dynamics.CRM.account", "Microsoft.Dynamics.CRM.account", "#mscrm.account"] {
        assert_eq!(type_name(text), "account");
    }
}
