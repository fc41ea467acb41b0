//! Operators of FetchXML and the query functions of OData that mean the same, case by case.
//!
//! No standard table has a column of several choices: the operators on those are tested by the readers' own tests.

use super::case::{Case, letters};
use super::row::Row;

/// The operator, the query function (none where OData has other words), the values, and the letters of the tasks whose time they
/// are due passes.
#[rustfmt::skip]
const DATES: [(&str, &str, &[&str], &str); 60] = [
    ("eq", "", &["2026-01-03T12:00:00Z"], "j"),
    ("ne", "", &["2026-01-03T12:00:00Z"], "abcdefghiklmno"),
    ("neq", "", &["2026-01-03T12:00:00Z"], "abcdefghiklmno"),
    ("gt", "", &["2026-05-10T12:00:00Z"], "o"),
    ("ge", "", &["2026-05-10T12:00:00Z"], "mo"),
    ("lt", "", &["2025-03-10T12:00:00Z"], "a"),
    ("le", "", &["2025-03-10T12:00:00Z"], "ab"),
    ("between", "Between", &["2026-01-01", "2026-01-03T12:00:00Z"], "ghij"),
    ("not-between", "NotBetween", &["2026-01-01", "2026-01-03T12:00:00Z"], "abcdefklmno"),
    ("null", "", &[], "n"),
    ("not-null", "", &[], "abcdefghijklmo"),
    ("on", "On", &["2026-01-02"], "hi"),
    ("not-on", "NotOn", &["2026-01-02"], "abcdefgjklmno"),
    ("on-or-before", "OnOrBefore", &["2025-12-31"], "abcdef"),
    ("on-or-after", "OnOrAfter", &["2026-02-10"], "lmo"),
    ("yesterday", "Yesterday", &[], "g"),
    ("today", "Today", &[], "hi"),
    ("tomorrow", "Tomorrow", &[], "j"),
    ("last-seven-days", "Last7Days", &[], "efgh"),
    ("next-seven-days", "Next7Days", &[], "ijk"),
    ("last-week", "LastWeek", &[], "e"),
    ("this-week", "ThisWeek", &[], "fghij"),
    ("next-week", "NextWeek", &[], "k"),
    ("last-month", "LastMonth", &[], "def"),
    ("this-month", "ThisMonth", &[], "ghijk"),
    ("next-month", "NextMonth", &[], "l"),
    ("last-year", "LastYear", &[], "bcdef"),
    ("this-year", "ThisYear", &[], "ghijklm"),
    ("next-year", "NextYear", &[], "o"),
    ("last-x-hours", "LastXHours", &["2"], "h"),
    ("next-x-hours", "NextXHours", &["2"], "i"),
    ("last-x-days", "LastXDays", &["2"], "fgh"),
    ("next-x-days", "NextXDays", &["1"], "ij"),
    ("last-x-weeks", "LastXWeeks", &["1"], "efgh"),
    ("next-x-weeks", "NextXWeeks", &["1"], "ijk"),
    ("last-x-months", "LastXMonths", &["1"], "defgh"),
    ("next-x-months", "NextXMonths", &["1"], "ijk"),
    ("last-x-years", "LastXYears", &["1"], "bcdefgh"),
    ("next-x-years", "NextXYears", &["1"], "ijklm"),
    ("olderthan-x-minutes", "OlderThanXMinutes", &["30"], "abcdefgh"),
    ("olderthan-x-hours", "OlderThanXHours", &["2"], "abcdefg"),
    ("olderthan-x-days", "OlderThanXDays", &["2"], "abcde"),
    ("olderthan-x-weeks", "OlderThanXWeeks", &["1"], "abcd"),
    ("olderthan-x-months", "OlderThanXMonths", &["1"], "abc"),
    ("olderthan-x-years", "OlderThanXYears", &["1"], "a"),
    ("last-fiscal-year", "LastFiscalYear", &[], "bcdef"),
    ("this-fiscal-year", "ThisFiscalYear", &[], "ghijklm"),
    ("next-fiscal-year", "NextFiscalYear", &[], "o"),
    ("last-fiscal-period", "LastFiscalPeriod", &[], "cdef"),
    ("this-fiscal-period", "ThisFiscalPeriod", &[], "ghijkl"),
    ("next-fiscal-period", "NextFiscalPeriod", &[], "m"),
    ("last-x-fiscal-years", "LastXFiscalYears", &["2"], "abcdefgh"),
    ("next-x-fiscal-years", "NextXFiscalYears", &["1"], "ijklmo"),
    ("last-x-fiscal-periods", "LastXFiscalPeriods", &["1"], "cdefgh"),
    ("next-x-fiscal-periods", "NextXFiscalPeriods", &["1"], "ijklm"),
    ("in-fiscal-year", "InFiscalYear", &["2025"], "bcdef"),
    ("in-fiscal-period", "InFiscalPeriod", &["1"], "bghijkl"),
    ("in-fiscal-period-and-year", "InFiscalPeriodAndYear", &["4", "2025"], "cdef"),
    ("in-or-before-fiscal-period-and-year", "InOrBeforeFiscalPeriodAndYear", &["1", "2025"], "ab"),
    ("in-or-after-fiscal-period-and-year", "InOrAfterFiscalPeriodAndYear", &["2", "2026"], "mo"),
];

/// The column, the operator, the query function, the values, and the letters of the accounts that pass.
#[rustfmt::skip]
const VALUES: [(&str, &str, &str, &[&str], &str); 52] = [
    ("name", "eq", "", &["CONTOSO"], "C"),
    ("name", "ne", "", &["contoso"], "AEF"),
    ("address1_city", "ne", "", &["Paris"], "EF"),
    ("name", "gt", "", &["Contoso"], "EF"),
    ("name", "ge", "", &["Contoso"], "CEF"),
    ("name", "lt", "", &["Contoso"], "A"),
    ("name", "le", "", &["Contoso"], "AC"),
    ("name", "like", "Like", &["%so _a%"], "EF"),
    ("name", "like", "Like", &["[a-b]%"], "A"),
    ("address1_city", "not-like", "NotLike", &["P%"], "EF"),
    ("name", "begins-with", "BeginsWith", &["contoso "], "EF"),
    ("address1_city", "not-begin-with", "DoesNotBeginWith", &["Par"], "EF"),
    ("name", "ends-with", "EndsWith", &["East"], "E"),
    ("address1_city", "not-end-with", "DoesNotEndWith", &["is"], "EF"),
    ("address1_city", "in", "In", &["paris", "berlin"], "AC"),
    ("address1_city", "not-in", "NotIn", &["paris", "berlin"], "EF"),
    ("name", "between", "Between", &["B", "Contoso"], "C"),
    ("numberofemployees", "eq", "", &["10"], "AC"),
    ("numberofemployees", "ne", "", &["10"], "EF"),
    ("numberofemployees", "gt", "", &["10"], "E"),
    ("numberofemployees", "between", "Between", &["10", "20"], "AC"),
    ("numberofemployees", "not-between", "NotBetween", &["10", "20"], "EF"),
    ("numberofemployees", "null", "", &[], "F"),
    ("numberofemployees", "not-null", "", &[], "ACE"),
    ("revenue", "ge", "", &["1000.00"], "C"),
    ("industrycode", "in", "In", &["1", "2"], "CE"),
    ("industrycode", "not-in", "NotIn", &["1"], "AEF"),
    ("creditonhold", "eq", "", &["1"], "C"),
    ("statecode", "eq", "", &["0"], "ACEF"),
    ("accountid", "eq", "", &["{{CONTOSO}}"], "C"),
    ("parentaccountid", "eq", "", &["{contoso}"], "E"),
    ("parentaccountid", "ne", "", &["{contoso}"], "ACF"),
    ("parentaccountid", "in", "In", &["{contoso}", "{east}"], "EF"),
    ("ownerid", "eq", "", &["{admin}"], "ACEF"),
    ("ownerid", "eq-userid", "EqualUserId", &[], "ACEF"),
    ("ownerid", "ne-userid", "NotEqualUserId", &[], ""),
    ("parentaccountid", "ne-userid", "NotEqualUserId", &[], "ACEF"),
    ("ownerid", "eq-userteams", "EqualUserTeams", &[], ""),
    ("ownerid", "eq-useroruserteams", "EqualUserOrUserTeams", &[], "ACEF"),
    ("ownerid", "eq-useroruserhierarchy", "EqualUserOrUserHierarchy", &[], "ACEF"),
    ("ownerid", "eq-useroruserhierarchyandteams", "EqualUserOrUserHierarchyAndTeams", &[], "ACEF"),
    ("owningbusinessunit", "eq-businessid", "EqualBusinessId", &[], "ACEF"),
    ("owningbusinessunit", "ne-businessid", "NotEqualBusinessId", &[], ""),
    ("accountid", "under", "Under", &["{contoso}"], "EF"),
    ("accountid", "eq-or-under", "UnderOrEqual", &["{contoso}"], "CEF"),
    ("accountid", "not-under", "NotUnder", &["{contoso}"], "AC"),
    ("accountid", "above", "Above", &["{far}"], "CE"),
    ("accountid", "eq-or-above", "AboveOrEqual", &["{far}"], "CEF"),
    ("accountid", "under", "Under", &["00000000-0000-0000-0000-000000000009"], ""),
    ("numberofemployees", "eq-userlanguage", "EqualUserLanguage", &[], ""),
    ("industrycode", "gt", "", &["1"], "E"),
    ("name", "not-between", "NotBetween", &["B", "Contoso"], "AEF"),
];

/// A row for each operator and each query function.
pub fn operators() -> Vec<Row> {
    let dates = DATES
        .iter()
        .map(|(operator, function, values, expected)| ("scheduledend", operator, function, values, expected));
    let values = VALUES
        .iter()
        .map(|(column, operator, function, values, expected)| (*column, operator, function, values, expected));
    let mut rows = Vec::new();
    for (column, operator, function, values, expected) in dates.chain(values) {
        let (set, table, name) = match column {
            "scheduledend" => ("tasks", "task", "subject"),
            _ => ("accounts", "account", "accountnumber"),
        };
        let listed: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        let xml = format!(
            "<fetch><entity name='{table}'><attribute name='{name}' alias='n'/><order attribute='{name}'/><filter>\
             <condition attribute='{column}' operator='{operator}'>{listed}</condition></filter></entity></fetch>"
        );
        let case = Case::option(set, "fetchXml", &xml, letters("n", expected));
        rows.push(Row::asked(&format!("fetchxml.operator.{operator}"), case));
        if function.is_empty() {
            continue;
        }
        let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
        let given = match (*function, quoted.as_slice()) {
            ("In" | "NotIn" | "Between" | "NotBetween", _) => format!(",PropertyValues=[{}]", quoted.join(",")),
            (_, []) => String::new(),
            (_, [only]) => format!(",PropertyValue={only}"),
            (_, [first, second]) => format!(",PropertyValue1={first},PropertyValue2={second}"),
            (_, _) => panic!("{function} takes no such list"),
        };
        let test = format!("Microsoft.Dynamics.CRM.{function}(PropertyName='{column}'{given})");
        let target = format!("{set}?$select={name}&$orderby={name}&$filter={test}");
        rows.push(Row::asked(&format!("odata.query-function.{function}"), Case::get(&target, letters(name, expected))));
    }
    let contains = "accounts?$select=accountnumber&$orderby=accountnumber\
         &$filter=Microsoft.Dynamics.CRM.Contains(PropertyName='name',PropertyValue='so E')";
    rows.push(Row::asked("odata.query-function.Contains", Case::get(contains, letters("accountnumber", "E"))));
    for part in ["fetchxml.operator.contain-values", "fetchxml.operator.not-contain-values"] {
        rows.push(Row::tested(
            part,
            "crates/query/src/operator/tests.rs: several_choices_are_tested_for_what_is_among_them",
        ));
    }
    for part in ["odata.query-function.ContainValues", "odata.query-function.DoesNotContainValues"] {
        rows.push(Row::tested(part, "crates/query/tests/odata/function.rs: parameters_are_written_in_many_ways"));
    }
    rows
}
