#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, OnceLock};

use custodia_schema::{Guid, Schema, Value, load, standard_files};
use jiff::Timestamp;
use jiff::civil::date;

use super::*;
use crate::instant::SECONDS_MAX;
use crate::{Comparison, Direction, Filter, Fiscal, FiscalPeriods, Path, Zone};

fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut files = standard_files().to_vec();
        files.push(("new_gadget.toml", include_str!("../../tests/odata/new_gadget.toml")));
        load(&files).unwrap()
    })
}

fn seconds(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

/// Berlin's clock around 2024: an hour ahead, two in summer.
fn berlin() -> Arc<Zone> {
    Arc::new(Zone {
        first: 3_600,
        changes: vec![
            (seconds("2023-03-26T01:00:00Z"), 7_200),
            (seconds("2023-10-29T01:00:00Z"), 3_600),
            (seconds("2024-03-31T01:00:00Z"), 7_200),
            (seconds("2024-10-27T01:00:00Z"), 3_600),
            (seconds("2025-03-30T01:00:00Z"), 7_200),
        ],
    })
}

/// Friday, 2024-03-29, 10:20:30 in Berlin, an hour ahead of UTC.
const NOW: &str = "2024-03-29T09:20:30Z";

fn asker() -> Asker {
    Asker { zone: berlin(), ..Asker::plain(seconds(NOW), Guid::from_u128(1), Guid::from_u128(2)) }
}

/// A filter in words, times of the table's columns in UTC.
fn said(filter: &Filter) -> String {
    match filter {
        Filter::And(all) => all.iter().map(said).collect::<Vec<_>>().join(" "),
        Filter::Or(any) => any.iter().map(said).collect::<Vec<_>>().join(" or "),
        Filter::Not(inner) => format!("not({})", said(inner)),
        Filter::Compare { operator, value, .. } => {
            let operator = match operator {
                Comparison::Equal => "=",
                Comparison::NotEqual => "<>",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
            };
            format!("{operator}{}", shown(value))
        }
        Filter::In { values, .. } => format!("in[{}]", values.iter().map(shown).collect::<Vec<_>>().join(",")),
        Filter::IsNull(_) => "null".to_owned(),
        Filter::Like { pattern, .. } => format!("{pattern:?}"),
        Filter::ContainsAny { options, .. } => format!("any{options:?}"),
        Filter::InPeriod { period, .. } => format!("period {period}"),
        Filter::Hierarchy { of, direction, inclusive, .. } => {
            let direction = match direction {
                Direction::Above => "above",
                Direction::Under => "under",
            };
            format!("{direction}{} {}", if *inclusive { "-or-is" } else { "" }, of.as_u128())
        }
        Filter::Exists(exists) => format!("exists({})", said(&exists.filter)),
        other => format!("{other:?}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::DateTime(moment) => {
            if *moment == SECONDS_MAX + 1 {
                return "the end".to_owned();
            }
            let civil = date(1970, 1, 1).at(0, 0, 0, 0) + jiff::SignedDuration::from_secs(*moment);
            format!("{civil}Z")
        }
        Value::Date(day) if i64::from(*day) * 86_400 == SECONDS_MAX + 1 => "the end".to_owned(),
        Value::Date(day) => (date(1970, 1, 1) + jiff::Span::new().days(*day)).to_string(),
        Value::Guid(id) => id.as_u128().to_string(),
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn ask(asker: &Asker, table: &str, column: &str, operator: &str, values: &[&str]) -> Result<String, OperatorError> {
    let operator = Operator::of_fetchxml(operator).unwrap_or_else(|| panic!("no operator {operator}"));
    ask_operator(asker, table, column, operator, values)
}

fn ask_operator(
    asker: &Asker,
    table: &str,
    column: &str,
    operator: Operator,
    values: &[&str],
) -> Result<String, OperatorError> {
    let table = schema().table_named(table).unwrap();
    let column = table.column(column).unwrap_or_else(|| panic!("no column {column}"));
    let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
    let subject = Subject { schema: schema(), table, column };
    test(asker, subject, &Path::own(column.id), operator, &values).map(|filter| said(&filter))
}

/// Every operator on dates, on a column of moments: the ranges of local days, in UTC.
const MOMENTS: &[(&str, &[&str], &str)] = &[
    ("on", &["2024-03-31"], ">=2024-03-30T23:00:00Z <2024-03-31T22:00:00Z"),
    ("on", &["2024-10-27"], ">=2024-10-26T22:00:00Z <2024-10-27T23:00:00Z"),
    ("on", &["2024-03-29T23:30:00Z"], ">=2024-03-29T23:00:00Z <2024-03-30T23:00:00Z"),
    ("not-on", &["2024-01-01"], "not(>=2023-12-31T23:00:00Z <2024-01-01T23:00:00Z)"),
    ("on-or-before", &["2024-01-01"], "<2024-01-01T23:00:00Z"),
    ("on-or-after", &["2024-01-01"], ">=2023-12-31T23:00:00Z"),
    ("eq", &["2024-01-01T10:00:00"], "=2024-01-01T09:00:00Z"),
    ("eq", &["2024-07-01 10:00:00"], "=2024-07-01T08:00:00Z"),
    ("eq", &["2024-01-01T10:00:00Z"], "=2024-01-01T10:00:00Z"),
    ("ne", &["2024-01-01T10:00:00+02:00"], "<>2024-01-01T08:00:00Z"),
    ("gt", &["2024-01-01"], ">2023-12-31T23:00:00Z"),
    ("between", &["2024-01-01", "2024-07-01"], ">=2023-12-31T23:00:00Z <=2024-06-30T22:00:00Z"),
    ("not-between", &["2024-01-01", "2024-07-01"], "not(>=2023-12-31T23:00:00Z <=2024-06-30T22:00:00Z)"),
    ("yesterday", &[], ">=2024-03-27T23:00:00Z <2024-03-28T23:00:00Z"),
    ("today", &[], ">=2024-03-28T23:00:00Z <2024-03-29T23:00:00Z"),
    ("tomorrow", &[], ">=2024-03-29T23:00:00Z <2024-03-30T23:00:00Z"),
    ("last-seven-days", &[], ">=2024-03-21T23:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-seven-days", &[], ">2024-03-29T09:20:30Z <2024-04-05T22:00:00Z"),
    ("last-week", &[], ">=2024-03-16T23:00:00Z <2024-03-23T23:00:00Z"),
    ("this-week", &[], ">=2024-03-23T23:00:00Z <2024-03-30T23:00:00Z"),
    ("next-week", &[], ">=2024-03-30T23:00:00Z <2024-04-06T22:00:00Z"),
    ("last-month", &[], ">=2024-01-31T23:00:00Z <2024-02-29T23:00:00Z"),
    ("this-month", &[], ">=2024-02-29T23:00:00Z <2024-03-31T22:00:00Z"),
    ("next-month", &[], ">=2024-03-31T22:00:00Z <2024-04-30T22:00:00Z"),
    ("last-year", &[], ">=2022-12-31T23:00:00Z <2023-12-31T23:00:00Z"),
    ("this-year", &[], ">=2023-12-31T23:00:00Z <2024-12-31T23:00:00Z"),
    ("next-year", &[], ">=2024-12-31T23:00:00Z <2025-12-31T22:00:00Z"),
    ("last-x-hours", &["2"], ">=2024-03-29T07:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-x-hours", &["2"], ">2024-03-29T09:20:30Z <2024-03-29T12:00:00Z"),
    ("last-x-days", &["3"], ">=2024-03-25T23:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-x-days", &["3"], ">2024-03-29T09:20:30Z <2024-04-01T22:00:00Z"),
    ("last-x-weeks", &["1"], ">=2024-03-21T23:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-x-weeks", &["1"], ">2024-03-29T09:20:30Z <2024-04-05T22:00:00Z"),
    // The day is clipped to the last of its month: 2024-02-29, 2024-04-30.
    ("last-x-months", &["1"], ">=2024-02-28T23:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-x-months", &["1"], ">2024-03-29T09:20:30Z <2024-04-29T22:00:00Z"),
    ("last-x-months", &["13"], ">=2023-02-27T23:00:00Z <=2024-03-29T09:20:30Z"),
    ("last-x-years", &["1"], ">=2023-03-28T22:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-x-years", &["1"], ">2024-03-29T09:20:30Z <2025-03-29T23:00:00Z"),
    ("olderthan-x-minutes", &["5"], "<2024-03-29T09:15:00Z"),
    ("olderthan-x-hours", &["5"], "<2024-03-29T04:00:00Z"),
    ("olderthan-x-days", &["5"], "<2024-03-23T23:00:00Z"),
    ("olderthan-x-weeks", &["1"], "<2024-03-21T23:00:00Z"),
    ("olderthan-x-months", &["1"], "<2024-02-28T23:00:00Z"),
    ("olderthan-x-years", &["1"], "<2023-03-28T22:00:00Z"),
    ("last-fiscal-year", &[], ">=2022-12-31T23:00:00Z <2023-12-31T23:00:00Z"),
    ("this-fiscal-year", &[], ">=2023-12-31T23:00:00Z <2024-12-31T23:00:00Z"),
    ("next-fiscal-year", &[], ">=2024-12-31T23:00:00Z <2025-12-31T22:00:00Z"),
    ("last-fiscal-period", &[], ">=2023-09-30T22:00:00Z <2023-12-31T23:00:00Z"),
    ("this-fiscal-period", &[], ">=2023-12-31T23:00:00Z <2024-03-31T22:00:00Z"),
    ("next-fiscal-period", &[], ">=2024-03-31T22:00:00Z <2024-06-30T22:00:00Z"),
    ("last-x-fiscal-years", &["2"], ">=2021-12-31T23:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-x-fiscal-years", &["2"], ">2024-03-29T09:20:30Z <2026-12-31T22:00:00Z"),
    ("last-x-fiscal-periods", &["2"], ">=2023-06-30T22:00:00Z <=2024-03-29T09:20:30Z"),
    ("next-x-fiscal-periods", &["2"], ">2024-03-29T09:20:30Z <2024-09-30T22:00:00Z"),
    ("in-fiscal-year", &["2023"], ">=2022-12-31T23:00:00Z <2023-12-31T23:00:00Z"),
    ("in-fiscal-period", &["4"], "period 4"),
    ("in-fiscal-period-and-year", &["2", "2024"], ">=2024-03-31T22:00:00Z <2024-06-30T22:00:00Z"),
    ("in-or-before-fiscal-period-and-year", &["2", "2024"], "<2024-06-30T22:00:00Z"),
    ("in-or-after-fiscal-period-and-year", &["2", "2024"], ">=2024-03-31T22:00:00Z"),
    ("null", &[], "null"),
    ("not-null", &[], "not(null)"),
];

#[test]
fn moments_are_tested_by_the_callers_days() {
    for (operator, values, expected) in MOMENTS {
        let found = ask(&asker(), "account", "createdon", operator, values).unwrap();
        assert_eq!(found, *expected, "{operator} {values:?}");
    }
}

#[test]
fn dates_are_tested_as_dates_and_now_is_today() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("on", &["2024-03-31T23:30:00"], ">=2024-03-31 <2024-04-01"),
        ("eq", &["2024-03-31T23:30:00"], "=2024-03-31"),
        ("today", &[], ">=2024-03-29 <2024-03-30"),
        ("last-seven-days", &[], ">=2024-03-22 <=2024-03-29"),
        ("next-seven-days", &[], ">2024-03-29 <2024-04-06"),
        ("last-x-hours", &["30"], ">=2024-03-28 <=2024-03-29"),
        ("olderthan-x-minutes", &["5"], "<2024-03-29"),
        ("olderthan-x-months", &["1"], "<2024-02-29"),
        ("this-fiscal-period", &[], ">=2024-01-01 <2024-04-01"),
        ("last-month", &[], ">=2024-02-01 <2024-03-01"),
    ];
    for (operator, values, expected) in cases {
        let found = ask(&asker(), "contact", "birthdate", operator, values).unwrap();
        assert_eq!(found, *expected, "{operator} {values:?}");
    }
    // Late in the evening in Berlin, when it is yesterday in UTC no more.
    let late = Asker { now: seconds("2024-03-29T23:30:00Z"), ..asker() };
    assert_eq!(ask(&late, "contact", "birthdate", "today", &[]).unwrap(), ">=2024-03-30 <2024-03-31");
}

#[test]
fn clocks_on_the_wall_are_compared_as_they_are() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("on", &["2024-03-31"], ">=2024-03-31T00:00:00Z <2024-04-01T00:00:00Z"),
        ("today", &[], ">=2024-03-29T00:00:00Z <2024-03-30T00:00:00Z"),
        ("last-x-hours", &["2"], ">=2024-03-29T08:00:00Z <=2024-03-29T10:20:30Z"),
        ("eq", &["2024-01-01T10:00:00"], "=2024-01-01T10:00:00Z"),
    ];
    for (operator, values, expected) in cases {
        let found = ask(&asker(), "appointment", "formattedscheduledend", operator, values).unwrap();
        assert_eq!(found, *expected, "{operator} {values:?}");
    }
}

#[test]
fn weeks_begin_when_the_organisation_says() {
    for (begins, expected) in [
        (0, ">=2024-03-24 <2024-03-31"),
        (1, ">=2024-03-25 <2024-04-01"),
        (5, ">=2024-03-29 <2024-04-05"),
        (6, ">=2024-03-23 <2024-03-30"),
    ] {
        let asker = Asker { week_begins: begins, ..asker() };
        assert_eq!(ask(&asker, "contact", "birthdate", "this-week", &[]).unwrap(), expected, "{begins}");
    }
}

#[test]
fn fiscal_years_begin_and_are_divided_as_the_organisation_says() {
    let fiscal = |month, day, periods, named_by_start| Fiscal { month, day, periods, named_by_start };
    let cases: &[(Fiscal, &str, &[&str], &str)] = &[
        (fiscal(7, 1, FiscalPeriods::Quarterly, true), "this-fiscal-year", &[], ">=2023-07-01 <2024-07-01"),
        (fiscal(7, 1, FiscalPeriods::Quarterly, true), "this-fiscal-period", &[], ">=2024-01-01 <2024-04-01"),
        (fiscal(7, 1, FiscalPeriods::Quarterly, true), "in-fiscal-year", &["2024"], ">=2024-07-01 <2025-07-01"),
        (fiscal(7, 1, FiscalPeriods::Quarterly, false), "in-fiscal-year", &["2024"], ">=2023-07-01 <2024-07-01"),
        (fiscal(1, 1, FiscalPeriods::Quarterly, false), "in-fiscal-year", &["2024"], ">=2024-01-01 <2025-01-01"),
        (fiscal(3, 15, FiscalPeriods::Monthly, true), "this-fiscal-period", &[], ">=2024-03-15 <2024-04-15"),
        (fiscal(3, 15, FiscalPeriods::Monthly, true), "last-fiscal-period", &[], ">=2024-02-15 <2024-03-15"),
        (fiscal(4, 1, FiscalPeriods::Semiannually, true), "this-fiscal-period", &[], ">=2023-10-01 <2024-04-01"),
        (fiscal(4, 1, FiscalPeriods::Annually, true), "next-fiscal-period", &[], ">=2024-04-01 <2025-04-01"),
        // Thirteen periods of four weeks; the last one goes on to the end of the year.
        (fiscal(1, 1, FiscalPeriods::FourWeeks, true), "this-fiscal-period", &[], ">=2024-03-25 <2024-04-22"),
        (
            fiscal(1, 1, FiscalPeriods::FourWeeks, true),
            "in-fiscal-period-and-year",
            &["13", "2024"],
            ">=2024-12-02 <2025-01-01",
        ),
        (fiscal(1, 1, FiscalPeriods::FourWeeks, true), "last-x-fiscal-periods", &["4"], ">=2023-12-03 <=2024-03-29"),
        (fiscal(1, 1, FiscalPeriods::FourWeeks, true), "next-x-fiscal-periods", &["1"], ">2024-03-29 <2024-05-20"),
    ];
    for (fiscal, operator, values, expected) in cases {
        let asker = Asker { fiscal: *fiscal, ..asker() };
        let found = ask(&asker, "contact", "birthdate", operator, values).unwrap();
        assert_eq!(found, *expected, "{fiscal:?} {operator} {values:?}");
    }
    let found = ask(&asker(), "contact", "birthdate", "in-fiscal-period", &["5"]).unwrap_err().to_string();
    assert!(found.contains("from 1 to 4"), "{found}");
}

#[test]
fn a_day_begins_when_the_clock_first_shows_it() {
    // Clocks went from 24:00 to 01:00 (Beirut's rule), and from 24:00 back to 23:00.
    let zone = Zone {
        first: 7_200,
        changes: vec![(seconds("2024-03-30T22:00:00Z"), 10_800), (seconds("2024-10-26T21:00:00Z"), 7_200)],
    };
    let asker = Asker { zone: Arc::new(zone), ..asker() };
    let on = |day: &str| ask(&asker, "account", "createdon", "on", &[day]).unwrap();
    assert_eq!(on("2024-03-31"), ">=2024-03-30T22:00:00Z <2024-03-31T21:00:00Z");
    assert_eq!(on("2024-10-26"), ">=2024-10-25T21:00:00Z <2024-10-26T22:00:00Z");
    // 02:30 is not on Berlin's clock that night, and is twice on it in autumn: the first counts.
    let at = |moment: &str| ask(&self::asker(), "account", "createdon", "eq", &[moment]).unwrap();
    assert_eq!(at("2024-03-31T02:30:00"), "=2024-03-31T01:00:00Z");
    assert_eq!(at("2024-10-27T02:30:00"), "=2024-10-27T00:30:00Z");
}

#[test]
fn days_and_dates_agree_with_the_calendar() {
    for day in (-800_000..2_900_000).step_by(97) {
        let known = date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
        let found = calendar::Date::of(i64::from(day));
        assert_eq!(
            (found.year, found.month, found.day),
            (i64::from(known.year()), i64::from(known.month()), i64::from(known.day()))
        );
        assert_eq!(found.days(), i64::from(day));
        for months in [-25, -12, -1, 0, 1, 11, 12, 14] {
            let moved = known.checked_add(jiff::Span::new().months(months)).unwrap();
            let found = found.plus_months(months.into());
            assert_eq!(
                (found.month, found.day),
                (i64::from(moved.month()), i64::from(moved.day())),
                "{known} {months}"
            );
        }
    }
}

#[test]
fn counts_beyond_all_time_are_clipped() {
    for unit in ["hours", "days", "weeks", "months", "years", "fiscal-years", "fiscal-periods"] {
        let last = ask(&asker(), "account", "createdon", &format!("last-x-{unit}"), &["2147483647"]).unwrap();
        assert_eq!(last, ">=0001-01-01T00:00:00Z <=2024-03-29T09:20:30Z", "{unit}");
        let next = ask(&asker(), "account", "createdon", &format!("next-x-{unit}"), &["2147483647"]).unwrap();
        assert_eq!(next, ">2024-03-29T09:20:30Z <the end", "{unit}");
    }
    let ancient = ask(&asker(), "contact", "birthdate", "olderthan-x-years", &["2147483647"]).unwrap();
    assert_eq!(ancient, "<0001-01-01");
}

#[test]
fn the_last_of_all_days_is_a_day_to_its_end() {
    let ahead = |hours: i32| Asker { zone: Arc::new(Zone { first: hours * 3_600, changes: Vec::new() }), ..asker() };
    // On the day that a clock shows last there is also what it would show a day later.
    for (hours, begins) in [(0, "9999-12-31T00"), (9, "9999-12-30T15"), (-5, "9999-12-31T05")] {
        let begins = format!("{begins}:00:00Z");
        for (operator, value, expected) in [
            ("on", "9999-12-31", format!(">={begins} <the end")),
            ("on", "9999-12-31T23:59:59Z", format!(">={begins} <the end")),
            ("not-on", "9999-12-31", format!("not(>={begins} <the end)")),
            ("on-or-before", "9999-12-31", "<the end".to_owned()),
            ("on-or-after", "9999-12-31", format!(">={begins}")),
            ("on-or-before", "9999-12-30", format!("<{begins}")),
        ] {
            let found = ask(&ahead(hours), "account", "createdon", operator, &[value]).unwrap();
            assert_eq!(found, expected, "{hours} {operator} {value}");
        }
        let year = ask(&ahead(hours), "account", "createdon", "in-fiscal-year", &["9999"]).unwrap();
        assert!(year.ends_with(" <the end"), "{year}");
    }
    // The first of all days likewise.
    for (hours, ends) in [(0, "0001-01-02T00"), (9, "0001-01-01T15"), (-5, "0001-01-02T05")] {
        let found = ask(&ahead(hours), "account", "createdon", "on", &["0001-01-01"]).unwrap();
        assert_eq!(found, format!(">=0001-01-01T00:00:00Z <{ends}:00:00Z"));
    }
    for (operator, values, expected) in [
        ("on", vec!["9999-12-31"], ">=9999-12-31 <the end"),
        ("not-on", vec!["9999-12-31"], "not(>=9999-12-31 <the end)"),
        ("on-or-before", vec!["9999-12-31"], "<the end"),
        ("in-fiscal-year", vec!["9999"], ">=9999-01-01 <the end"),
        ("in-or-before-fiscal-period-and-year", vec!["4", "9999"], "<the end"),
        ("next-x-years", vec!["8000"], ">2024-03-29 <the end"),
    ] {
        assert_eq!(ask(&asker(), "contact", "birthdate", operator, &values).unwrap(), expected, "{operator}");
    }
    let walls = ask(&asker(), "appointment", "formattedscheduledend", "on", &["9999-12-31"]).unwrap();
    assert_eq!(walls, ">=9999-12-31T00:00:00Z <the end");
}

#[test]
fn values_are_tested_by_type() {
    let asker = Asker { teams: vec![Guid::from_u128(7), Guid::from_u128(8)], ..asker() };
    let own = "00000000-0000-0000-0000-000000000009";
    let cases: &[(&str, &str, &str, &[&str], &str)] = &[
        ("account", "name", "eq", &["Contoso"], "=Contoso"),
        ("account", "name", "neq", &["Contoso"], "<>Contoso"),
        ("account", "name", "lt", &["M"], "<M"),
        ("account", "name", "between", &["A", "M"], ">=A <=M"),
        ("account", "name", "like", &["%con%"], "Substring(\"con\")"),
        ("account", "name", "not-like", &["a_"], "not(General([Char('a'), One]))"),
        ("account", "name", "begins-with", &["Con"], "Prefix(\"con\")"),
        ("account", "name", "not-begin-with", &["Con"], "not(Prefix(\"con\"))"),
        ("account", "name", "ends-with", &["so"], "Suffix(\"so\")"),
        ("account", "name", "not-end-with", &["so"], "not(Suffix(\"so\"))"),
        ("account", "name", "in", &["a", "b"], "in[a,b]"),
        ("account", "name", "not-in", &["a"], "not(in[a])"),
        ("account", "numberofemployees", "ge", &[" 5 "], ">=5"),
        ("account", "numberofemployees", "gt", &["5.5"], ">5"),
        ("account", "numberofemployees", "eq", &["5.5"], "False"),
        ("account", "numberofemployees", "le", &["1e20"], "not(null)"),
        ("account", "numberofemployees", "in", &["1", "2.5", "3"], "in[1,3]"),
        ("account", "statecode", "eq", &["1"], "=1"),
        ("account", "industrycode", "not-null", &[], "not(null)"),
        ("account", "creditonhold", "eq", &["1"], "=Boolean(true)"),
        ("account", "creditonhold", "ne", &["False"], "<>Boolean(false)"),
        ("account", "primarycontactid", "eq", &["{00000000-0000-0000-0000-000000000009}"], "=9"),
        ("account", "ownerid", "in", &[own], "in[9]"),
        ("account", "accountid", "ne", &[own], "<>9"),
        ("account", "ownerid", "eq-userid", &[], "=1"),
        ("account", "ownerid", "ne-userid", &[], "not(=1)"),
        ("account", "ownerid", "eq-userteams", &[], "in[7,8]"),
        ("account", "ownerid", "eq-useroruserteams", &[], "in[1,7,8]"),
        ("account", "ownerid", "eq-useroruserhierarchy", &[], "under-or-is 1"),
        (
            "account",
            "ownerid",
            "eq-useroruserhierarchyandteams",
            &[],
            "under-or-is 1 or in[7,8] or exists(under-or-is 1)",
        ),
        ("account", "owningbusinessunit", "eq-businessid", &[], "=2"),
        ("account", "owningbusinessunit", "ne-businessid", &[], "not(=2)"),
        ("usersettings", "uilanguageid", "eq-userlanguage", &[], "=1033"),
        ("account", "accountid", "under", &[own], "under 9"),
        ("account", "accountid", "eq-or-under", &[own], "under-or-is 9"),
        ("account", "accountid", "not-under", &[own], "not(under 9)"),
        ("account", "accountid", "above", &[own], "above 9"),
        ("account", "accountid", "eq-or-above", &[own], "above-or-is 9"),
        ("account", "parentaccountid", "under", &[own], "under 9"),
        ("systemuser", "systemuserid", "under", &[own], "under 9"),
        ("businessunit", "businessunitid", "eq-or-under", &[own], "under-or-is 9"),
        ("savedquery", "returnedtypecode", "eq", &["1"], "=account"),
    ];
    for (table, column, operator, values, expected) in cases {
        let found = ask(&asker, table, column, operator, values).unwrap();
        assert_eq!(found, *expected, "{table}.{column} {operator} {values:?}");
    }
    let contains = Operator::of_function("Contains").unwrap();
    assert_eq!(ask_operator(&asker, "account", "name", contains, &["on"]).unwrap(), "Substring(\"on\")");
}

#[test]
fn several_choices_are_tested_for_what_is_among_them() {
    let table = schema().table_named("new_gadget").unwrap();
    let several =
        table.columns().iter().find(|column| matches!(column.kind, custodia_schema::ColumnKind::Choices { .. }));
    let name = &several.unwrap().name;
    assert_eq!(ask(&asker(), "new_gadget", name, "contain-values", &["3", "1", "3"]).unwrap(), "any[1, 3]");
    assert_eq!(ask(&asker(), "new_gadget", name, "not-contain-values", &["1"]).unwrap(), "not(any[1])");
    for (operator, values) in [("contain-values", &["x"][..]), ("eq", &["1"]), ("in", &["1"]), ("like", &["1"])] {
        assert!(ask(&asker(), "new_gadget", name, operator, values).is_err(), "{operator}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_names() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("name", "today", &[]),
        ("name", "on", &["2024-01-01"]),
        ("name", "last-x-days", &["2"]),
        ("name", "in-fiscal-period", &["2"]),
        ("name", "eq-userid", &[]),
        ("name", "eq-userlanguage", &[]),
        ("name", "under", &["00000000-0000-0000-0000-000000000009"]),
        ("name", "contain-values", &["1"]),
        ("name", "eq", &[]),
        ("name", "eq", &["a", "b"]),
        ("name", "null", &["a"]),
        ("name", "in", &[]),
        ("name", "between", &["a"]),
        ("createdon", "today", &["1"]),
        ("createdon", "last-x-days", &["0"]),
        ("createdon", "last-x-days", &["-1"]),
        ("createdon", "last-x-days", &["1.5"]),
        ("createdon", "last-x-days", &["2147483648"]),
        ("createdon", "on", &["2023-02-29"]),
        ("createdon", "eq", &["yesterday"]),
        ("createdon", "like", &["2024%"]),
        ("createdon", "in-fiscal-year", &["x"]),
        ("createdon", "in-fiscal-period-and-year", &["0", "2024"]),
        ("statecode", "eq", &["Active"]),
        ("numberofemployees", "eq", &["many"]),
        ("numberofemployees", "like", &["1%"]),
        ("creditonhold", "eq", &["yes"]),
        ("creditonhold", "gt", &["0"]),
        ("accountid", "lt", &["00000000-0000-0000-0000-000000000009"]),
        ("primarycontactid", "eq", &["Ann"]),
        ("primarycontactid", "eq-useroruserhierarchy", &[]),
        ("accountid", "eq-useroruserhierarchyandteams", &[]),
        ("transactioncurrencyid", "under", &["00000000-0000-0000-0000-000000000009"]),
        ("accountid", "under", &["x"]),
    ];
    for (column, operator, values) in cases {
        let problem = ask(&asker(), "account", column, operator, values).unwrap_err().to_string();
        let names = [*operator, *column, "account"];
        assert!(names.iter().all(|name| problem.contains(name)), "{column} {operator} {values:?}: {problem}");
    }
    let file = ask(&asker(), "new_gadget", "new_picture", "null", &[]);
    assert!(matches!(file, Err(OperatorError::WrongColumn { .. })), "a file is not kept in its row");
}

#[test]
fn operators_have_the_names_of_both_languages() {
    let mut names = std::collections::HashSet::new();
    for operator in Operator::all() {
        assert!(operator.fetchxml_name().is_some() || operator.function_name().is_some());
        for name in [operator.fetchxml_name(), operator.function_name()].into_iter().flatten() {
            assert!(names.insert(name), "{name} stands twice");
        }
        if let Some(name) = operator.fetchxml_name() {
            assert_eq!(Operator::of_fetchxml(name), Some(operator));
        }
        if let Some(name) = operator.function_name() {
            assert_eq!(Operator::of_function(name), Some(operator));
        }
    }
    assert_eq!(Operator::of_fetchxml("neq"), Operator::of_fetchxml("ne"));
    assert_eq!((Operator::of_fetchxml("nope"), Operator::of_function("nope")), (None, None));
    // Each operator on dates has a case above.
    for operator in
        Operator::all().filter(|operator| ask_operator(&asker(), "contact", "birthdate", *operator, &["1"]).is_ok())
    {
        let name = operator.fetchxml_name().unwrap();
        assert!(MOMENTS.iter().any(|(known, ..)| *known == name), "{name} has no case");
    }
}
