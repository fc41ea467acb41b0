//! FetchXML but for its operators: elements, attributes, links, aggregates, and what it does not have.

use serde_json::{Value as Json, json};

use super::case::{Case, Expected, SOMETHING, letters, rows};
use super::row::Row;

const ANNOTATIONS: (&str, &str) = ("prefer", "odata.include-annotations=*");

/// A query for accounts by their letters, with more in the root element and in the entity.
fn accounts(fetch: &str, inner: &str) -> String {
    format!(
        "<fetch{fetch}><entity name='account'><attribute name='accountnumber' alias='n'/><order attribute='accountnumber'/>\
         {inner}</entity></fetch>"
    )
}

fn ask(set: &str, xml: &str, expected: Expected) -> Case {
    Case::option(set, "fetchXml", xml, expected)
}

/// The letters of the accounts that are found.
fn found(part: &str, fetch: &str, inner: &str, expected: &str) -> Row {
    Row::asked(part, ask("accounts", &accounts(fetch, inner), letters("n", expected)))
}

fn shown(part: &str, xml: &str, expected: Json) -> Row {
    Row::asked(part, ask("accounts", xml, rows(expected)))
}

fn refused(part: &str, status: u16, code: &'static str, xml: &str) -> Row {
    Row::asked(part, ask("accounts", xml, Expected::Refused(status, code)))
}

/// Contoso alone.
const CONTOSO: &str = "<filter><condition attribute='accountnumber' operator='eq' value='C'/></filter>";

/// Whose name is Ann.
const ANN: &str = "<filter><condition attribute='lastname' operator='eq' value='Ann'/></filter>";

/// Everything but operators.
pub fn fetchxml() -> Vec<Row> {
    let mut rows = elements();
    rows.extend(attributes_of_fetch());
    rows.extend(attributes());
    rows.extend(attributes_without_effect());
    rows.extend(links());
    rows.extend(aggregates());
    rows.extend(rules());
    rows
}

fn elements() -> Vec<Row> {
    let of_contoso = |inner: &str| format!("<fetch><entity name='account'>{inner}{CONTOSO}</entity></fetch>");
    let contact = "<link-entity name='contact' from='contactid' to='primarycontactid' alias='p'>";
    vec![
        found("fetchxml.element.fetch", "", "", "ACEF"),
        found("fetchxml.element.entity", "", "", "ACEF"),
        shown(
            "fetchxml.element.attribute",
            &of_contoso("<attribute name='name'/>"),
            json!([{"name": "Contoso", "accountid": "{contoso}", "fax": null}]),
        ),
        shown(
            "fetchxml.element.all-attributes",
            &of_contoso(&format!("<attribute name='name'/>{contact}<all-attributes/></link-entity>")),
            json!([{"name": "Contoso", "p.lastname": "Ann", "p.birthdate": "1980-02-29"}]),
        ),
        shown(
            "fetchxml.element.no-attrs",
            &of_contoso("<no-attrs/>"),
            json!([{"accountid": "{contoso}", "name": null}]),
        ),
        shown(
            "fetchxml.element.order",
            "<fetch><entity name='account'><attribute name='name'/><order attribute='name'/></entity></fetch>",
            json!([{"name": "Adventure"}, {"name": "Contoso"}, {"name": "Contoso East"}, {"name": "Contoso Far"}]),
        ),
        found("fetchxml.element.filter", "", CONTOSO, "C"),
        found(
            "fetchxml.element.filter",
            "",
            "<filter/><filter><condition attribute='numberofemployees' operator='eq' value='10'/></filter>",
            "AC",
        ),
        found(
            "fetchxml.element.condition",
            "",
            "<filter><condition attribute='address1_city' operator='eq' value='paris'/></filter>",
            "AC",
        ),
        found(
            "fetchxml.element.value",
            "",
            "<filter><condition attribute='accountnumber' operator='in'><value>A</value><value>F</value></condition></filter>",
            "AF",
        ),
        found("fetchxml.element.link-entity", "", &format!("{contact}{ANN}</link-entity>"), "C"),
        refused(
            "fetchxml.element (unknown)",
            400,
            "0x80040201",
            "<fetch><entity name='account'><column name='name'/></entity></fetch>",
        ),
    ]
}

fn attributes_of_fetch() -> Vec<Row> {
    let counted = |rows: &str, about: &Json| {
        let mut body = json!({"value": rows.chars().map(|n| json!({"n": n.to_string()})).collect::<Json>()});
        for (name, value) in about.as_object().unwrap() {
            body[format!("@Microsoft.Dynamics.CRM.{name}")] = value.clone();
        }
        Expected::Body(body)
    };
    let asked = |part: &str, fetch: &str, expected: Expected| {
        Row::asked(part, ask("accounts", &accounts(fetch, ""), expected).with(ANNOTATIONS.0, ANNOTATIONS.1))
    };
    let cookie = " count='2' page='2' paging-cookie='&lt;cookie page=&quot;1&quot;&gt;&lt;accountid last=&quot;{{CONTOSO}}&quot; \
         first=&quot;{{CONTOSO}}&quot; /&gt;&lt;/cookie&gt;'";
    let by_way = "<filter><condition attribute='accountnumber' operator='in'><value>A</value><value>C</value></condition></filter>";
    let cities = "<fetch distinct='true'><entity name='account'><attribute name='address1_city'/>\
         <order attribute='address1_city'/></entity></fetch>";
    let count = |fetch: &str| {
        format!(
            "<fetch aggregate='true'{fetch}><entity name='account'><attribute name='accountid' alias='n' aggregate='count'/>\
             </entity></fetch>"
        )
    };
    let by_label = "<fetch useraworderby='true'><entity name='account'><attribute name='accountnumber' alias='n'/>\
         <order attribute='preferredcontactmethodcode'/>";
    vec![
        asked("fetchxml.attribute.fetch.top", " top='2'", counted("AC", &json!({"morerecords": false}))),
        refused("fetchxml.attribute.fetch.top", 400, "0x8004111A", &accounts(" top='2' count='1'", "")),
        refused("fetchxml.attribute.fetch.top", 400, "0x80040201", &accounts(" top='5001'", "")),
        asked(
            "fetchxml.attribute.fetch.count",
            " count='2'",
            counted("AC", &json!({"morerecords": true, "fetchxmlpagingcookie": SOMETHING})),
        ),
        asked("fetchxml.attribute.fetch.page", " count='2' page='2'", counted("EF", &json!({"morerecords": false}))),
        refused("fetchxml.attribute.fetch.page", 400, "0x8004111A", &accounts(" count='5000' page='12'", "")),
        asked("fetchxml.attribute.fetch.paging-cookie", cookie, counted("EF", &json!({"morerecords": false}))),
        Row::tested("fetchxml.attribute.fetch.paging-cookie", "fetchxml.rs: pages_joined_are_the_list"),
        asked(
            "fetchxml.attribute.fetch.returntotalrecordcount",
            " count='1' returntotalrecordcount='true'",
            counted("A", &json!({"totalrecordcount": 4, "totalrecordcountlimitexceeded": false})),
        ),
        shown(
            "fetchxml.attribute.fetch.distinct",
            cities,
            json!([{"address1_city": null}, {"address1_city": "Paris"}, {"address1_city": "Rome"}]),
        ),
        shown("fetchxml.attribute.fetch.aggregate", &count(""), json!([{"n": 4}])),
        shown("fetchxml.attribute.fetch.aggregatelimit", &count(" aggregatelimit='4'"), json!([{"n": 4}])),
        refused("fetchxml.attribute.fetch.aggregatelimit", 400, "0x8004E023", &count(" aggregatelimit='3'")),
        // Phone is 3 and Fax is 4.
        Row::asked(
            "fetchxml.attribute.fetch.useraworderby",
            ask("accounts", &format!("{by_label}{by_way}</entity></fetch>"), letters("n", "CA")),
        ),
        Row::asked(
            "fetchxml.rule.choices-sort-by-label",
            ask(
                "accounts",
                &format!("{by_label}{by_way}</entity></fetch>").replace(" useraworderby='true'", ""),
                letters("n", "AC"),
            ),
        ),
        found("fetchxml.attribute.fetch.datasource", " datasource='retained'", "", "").but("nothing is archived yet"),
    ]
}

fn attributes() -> Vec<Row> {
    let grouped = |set: &str, table: &str, inner: &str, expected: Json| {
        ask(set, &format!("<fetch aggregate='true'><entity name='{table}'>{inner}</entity></fetch>"), rows(expected))
    };
    let cities = "<attribute name='address1_city' alias='city' groupby='true'/>\
         <attribute name='accountid' alias='n' aggregate='count'/>";
    let days = "<attribute name='scheduledend' alias='day' groupby='true' dategrouping='day'/>\
         <attribute name='activityid' alias='n' aggregate='count'/><filter><condition attribute='subject' operator='in'>\
         <value>g</value><value>h</value><value>i</value></condition></filter>";
    let either = "<filter type='or'><condition attribute='accountnumber' operator='eq' value='A'/>\
         <condition attribute='accountnumber' operator='eq' value='E'/></filter>";
    let contact = "<link-entity name='contact' from='contactid' to='primarycontactid' alias='p'>";
    let mut new_york = grouped("tasks", "task", days, json!([{"day": 1, "n": 2}, {"day": 2, "n": 1}]));
    new_york.from_new_york = true;
    let mut utc = grouped(
        "tasks",
        "task",
        &days.replace("'day'/>", "'day' usertimezone='false'/>"),
        json!([{"day": 1, "n": 1}, {"day": 2, "n": 2}]),
    );
    utc.from_new_york = true;
    let both_filled = "<condition attribute='address1_city' operator='not-null'/>";
    vec![
        shown(
            "fetchxml.attribute.attribute.name",
            "<fetch top='1'><entity name='account'><attribute name='accountnumber'/><order attribute='accountnumber'/></entity></fetch>",
            json!([{"accountnumber": "A"}]),
        ),
        found("fetchxml.attribute.attribute.alias", "", "", "ACEF"),
        Row::asked(
            "fetchxml.attribute.attribute.aggregate",
            grouped("accounts", "account", "<attribute name='accountid' alias='n' aggregate='count'/>", json!([{"n": 4}])),
        ),
        Row::asked(
            "fetchxml.attribute.attribute.groupby",
            grouped(
                "accounts",
                "account",
                &format!("{cities}<order alias='city'/>"),
                json!([{"city": null, "n": 1}, {"city": "Paris", "n": 2}, {"city": "Rome", "n": 1}]),
            ),
        ),
        Row::asked("fetchxml.attribute.attribute.dategrouping", new_york).but("in the caller's time zone"),
        Row::asked("fetchxml.attribute.attribute.usertimezone", utc),
        Row::asked(
            "fetchxml.attribute.attribute.distinct",
            grouped(
                "accounts",
                "account",
                "<attribute name='numberofemployees' alias='n' aggregate='countcolumn' distinct='true'/>",
                json!([{"n": 2}]),
            ),
        ),
        shown(
            "fetchxml.attribute.attribute.rowaggregate",
            &format!(
                "<fetch><entity name='account'><attribute name='accountid' alias='below' rowaggregate='CountChildren'/>\
                 {CONTOSO}</entity></fetch>"
            ),
            json!([{"below": 1}]),
        ),
        Row::asked(
            "fetchxml.attribute.order.alias",
            grouped(
                "accounts",
                "account",
                &format!("{cities}<order alias='n' descending='true'/><order alias='city'/>"),
                json!([{"city": "Paris", "n": 2}, {"city": null, "n": 1}, {"city": "Rome", "n": 1}]),
            ),
        ),
        found("fetchxml.attribute.order.attribute", "", "", "ACEF"),
        Row::asked(
            "fetchxml.attribute.order.descending",
            ask(
                "accounts",
                "<fetch><entity name='account'><attribute name='accountnumber' alias='n'/>\
                 <order attribute='numberofemployees' descending='true'/><order attribute='accountnumber' descending='true'/>\
                 </entity></fetch>",
                letters("n", "ECAF"),
            ),
        )
        .but("nulls first ascending, last descending"),
        Row::asked(
            "fetchxml.attribute.order.entityname",
            ask(
                "accounts",
                &format!(
                    "<fetch><entity name='account'><attribute name='accountnumber' alias='n'/>\
                     <order entityname='p' attribute='lastname' descending='true'/>{contact}</link-entity></entity></fetch>"
                ),
                letters("n", "AC"),
            ),
        ),
        found("fetchxml.attribute.filter.type", "", either, "AE"),
        found("fetchxml.attribute.condition.attribute", "", CONTOSO, "C"),
        found("fetchxml.attribute.condition.operator", "", CONTOSO, "C"),
        found("fetchxml.attribute.condition.value", "", CONTOSO, "C"),
        found(
            "fetchxml.attribute.condition.valueof",
            "",
            "<filter><condition attribute='address1_city' operator='eq' valueof='fax'/></filter>",
            "A",
        ),
        // True where one side alone has no value, false where neither has.
        found(
            "fetchxml.attribute.condition.valueof",
            "",
            "<filter><condition attribute='address1_city' operator='ne' valueof='fax'/></filter>",
            "CE",
        ),
        found(
            "fetchxml.attribute.condition.valueof",
            "",
            &format!(
                "<filter><condition attribute='name' operator='gt' valueof='p.lastname'/>{both_filled}</filter>{contact}</link-entity>"
            ),
            "C",
        ),
        refused(
            "fetchxml.attribute.condition.valueof",
            400,
            "0x8004111A",
            &accounts("", "<filter><condition attribute='name' operator='like' valueof='fax'/></filter>"),
        ),
        found(
            "fetchxml.attribute.condition.entityname",
            "",
            "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='p' link-type='outer'/>\
             <filter><condition entityname='p' attribute='contactid' operator='null'/></filter>",
            "EF",
        ),
        refused(
            "fetchxml.attribute.condition.aggregate",
            501,
            "0x80060888",
            &accounts("", "<filter><condition attribute='name' operator='eq' value='1' aggregate='count'/></filter>"),
        ),
        found("fetchxml.attribute.link-entity.name", "", &format!("{contact}</link-entity>"), "AC"),
        found("fetchxml.attribute.link-entity.from", "", &format!("{contact}</link-entity>"), "AC"),
        found("fetchxml.attribute.link-entity.to", "", &format!("{contact}</link-entity>"), "AC"),
        shown(
            "fetchxml.attribute.link-entity.alias",
            &accounts("", &format!("{contact}<attribute name='lastname'/></link-entity>{CONTOSO}")),
            json!([{"n": "C", "p.lastname": "Ann"}]),
        ),
        found(
            "fetchxml.attribute.link-entity.link-type",
            "",
            "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer'/>",
            "ACEF",
        ),
        found(
            "fetchxml.attribute.link-entity (neither from nor to)",
            "",
            &format!("<link-entity name='transactioncurrency'/>{CONTOSO}"),
            "C",
        )
        .but("along the only relationship"),
        refused(
            "fetchxml.attribute.link-entity (neither from nor to)",
            400,
            "0x8004111A",
            &accounts("", "<link-entity name='contact'/>"),
        )
        .but("more than one relationship"),
        found(
            "fetchxml.attribute.link-entity (columns without a relationship)",
            "",
            "<link-entity name='account' from='address1_city' to='address1_city' link-type='exists'>\
             <filter><condition attribute='accountnumber' operator='eq' value='A'/></filter></link-entity>",
            "AC",
        ),
    ]
}

/// Attributes that are taken and change nothing.
fn attributes_without_effect() -> Vec<Row> {
    let root = [
        "latematerialize='true'",
        "no-lock='true'",
        "options='OptimizeForUnknown'",
        "mapping='logical'",
        "version='1.0'",
        "output-format='xml-platform'",
        "min-active-row-version='true'",
        "utc-offset='0'",
    ];
    let mut all = Vec::new();
    let name = |attribute: &'static str| attribute.split('=').next().unwrap();
    for attribute in root {
        let part = format!("fetchxml.attribute.fetch.{}", name(attribute));
        all.push(found(&part, &format!(" {attribute}"), "", "ACEF"));
    }
    for attribute in ["addedby='x'", "build='1.5'"] {
        let inner = format!("<attribute name='name' {attribute}/>{CONTOSO}");
        all.push(found(&format!("fetchxml.attribute.attribute.{}", name(attribute)), "", &inner, "C"));
    }
    for attribute in [
        "isquickfindfields='0'",
        "overridequickfindrecordlimitenabled='1'",
        "overridequickfindrecordlimitdisabled='1'",
        "hint='union'",
    ] {
        let inner = CONTOSO.replace("<filter>", &format!("<filter {attribute}>"));
        all.push(found(&format!("fetchxml.attribute.filter.{}", name(attribute)), "", &inner, "C"));
    }
    for attribute in ["uiname='x'", "uitype='account'", "uihidden='1'"] {
        let inner = CONTOSO.replace("<condition ", &format!("<condition {attribute} "));
        all.push(found(&format!("fetchxml.attribute.condition.{}", name(attribute)), "", &inner, "C"));
    }
    for attribute in ["uiname='x'", "uitype='account'"] {
        let inner = format!(
            "<filter><condition attribute='accountnumber' operator='in'><value {attribute}>C</value></condition></filter>"
        );
        all.push(found(&format!("fetchxml.attribute.value.{}", name(attribute)), "", &inner, "C"));
    }
    let link = "<link-entity name='contact' from='contactid' to='primarycontactid' visible='false'/>";
    all.push(found("fetchxml.attribute.link-entity.visible", "", link, "AC"));
    all.push(found(
        "fetchxml.attribute.link-entity.intersect",
        "",
        "<link-entity name='accountleads' from='accountid' to='accountid' intersect='true'>\
         <link-entity name='lead' from='leadid' to='leadid'>\
         <filter><condition attribute='lastname' operator='eq' value='Lee'/></filter></link-entity></link-entity>",
        "C",
    ));
    all.into_iter().map(|row| row.but("no effect on rows")).collect()
}

fn links() -> Vec<Row> {
    let contacts = |kind: &str, inner: &str| {
        format!(
            "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='p' link-type='{kind}'>{inner}</link-entity>"
        )
    };
    let within = |test: String| format!("<filter>{test}</filter>");
    let show = "<attribute name='lastname'/><order attribute='lastname'/>";
    let latest = "<attribute name='lastname'/><order attribute='lastname' descending='true'/>";
    let cases: [(&str, String, &[&str]); 13] = [
        ("inner", contacts("inner", show), &["A Cid", "C Ann", "C Bob"]),
        ("inner", contacts("inner", &format!("{show}{ANN}")), &["C Ann"]),
        ("natural", contacts("natural", show), &["A Cid", "C Ann", "C Bob"]),
        ("outer", contacts("outer", show), &["A Cid", "C Ann", "C Bob", "E", "F"]),
        ("outer", contacts("outer", &format!("{show}{ANN}")), &["A", "C Ann", "E", "F"]),
        ("exists", contacts("exists", ANN), &["C"]),
        ("in", contacts("in", ""), &["A", "C"]),
        (
            "matchfirstrowusingcrossapply",
            contacts("matchfirstrowusingcrossapply", latest),
            &["A Cid", "C Bob", "E", "F"],
        ),
        ("any", within(contacts("any", ANN)), &["C"]),
        ("not any", within(contacts("not any", ANN)), &["A", "E", "F"]),
        // There are some, and none of them passes.
        ("all", within(contacts("all", ANN)), &["A"]),
        ("not all", within(contacts("not all", ANN)), &["C"]),
        ("any", contacts("any", "").replacen("<link", "<filter><link", 1) + "</filter>", &["A", "C"]),
    ];
    let mut all: Vec<Row> = cases
        .into_iter()
        .map(|(kind, inner, expected)| {
            let expected = expected.iter().map(|row| match row.split_once(' ') {
                Some((letter, name)) => json!({"n": letter, "p.lastname": name}),
                None => json!({"n": row, "p.lastname": null}),
            });
            shown(&format!("fetchxml.link-type.{kind}"), &accounts("", &inner), expected.collect())
        })
        .collect();
    let link = |more: &str, inner: &str| {
        accounts(
            "",
            &format!("<link-entity name='contact' from='parentcustomerid' to='accountid' {more}>{inner}</link-entity>"),
        )
    };
    for (what, xml) in [
        ("unknown", link("link-type='sideways'", "")),
        ("any outside of a filter", link("link-type='any'", "")),
        ("attribute within exists", link("link-type='exists'", "<attribute name='lastname'/>")),
    ] {
        all.push(refused(&format!("fetchxml.link-type ({what})"), 400, "0x8004111A", &xml));
    }
    all
}

fn aggregates() -> Vec<Row> {
    let of = |inner: &str| format!("<fetch aggregate='true'><entity name='account'>{inner}</entity></fetch>");
    let employees =
        |function: &str| of(&format!("<attribute name='numberofemployees' alias='x' aggregate='{function}'/>"));
    let mut all: Vec<Row> = [("count", 4), ("countcolumn", 3), ("sum", 45), ("avg", 15), ("min", 10), ("max", 25)]
        .into_iter()
        .map(|(function, value)| {
            shown(&format!("fetchxml.aggregate.{function}"), &employees(function), json!([{"x": value}]))
        })
        .collect();
    let nobody = "<filter><condition attribute='name' operator='eq' value='nobody'/></filter>";
    let sum = "<attribute name='numberofemployees' alias='x' aggregate='sum'/><attribute name='name' alias='n' aggregate='count'/>";
    all.push(shown("fetchxml.aggregate (over no rows)", &of(&format!("{sum}{nobody}")), json!([{"n": 0, "x": null}])));
    all.push(refused(
        "fetchxml.aggregate (unknown)",
        400,
        "0x8004111A",
        &of("<attribute name='numberofemployees' alias='x' aggregate='median'/>"),
    ));
    all.push(refused(
        "fetchxml.aggregate (without alias)",
        400,
        "0x8004111A",
        &of("<attribute name='numberofemployees' aggregate='sum'/>"),
    ));
    all.push(refused(
        "fetchxml.aggregate (of another type)",
        400,
        "0x8004111A",
        &of("<attribute name='name' alias='x' aggregate='max'/>"),
    ));
    // Those due in 2024 and 2025, and what each part of their dates counts.
    let parts: [(&str, &[(u32, u32)]); 7] = [
        ("day", &[(10, 1), (15, 1), (20, 2), (27, 1), (31, 1)]),
        ("week", &[(11, 1), (24, 1), (47, 1), (51, 1), (52, 1), (53, 1)]),
        ("month", &[(3, 1), (6, 1), (11, 1), (12, 3)]),
        ("quarter", &[(1, 1), (2, 1), (4, 4)]),
        ("year", &[(2024, 1), (2025, 5)]),
        ("fiscal-period", &[(1, 1), (2, 1), (4, 4)]),
        ("fiscal-year", &[(2024, 1), (2025, 5)]),
    ];
    for (part, expected) in parts {
        let xml = format!(
            "<fetch aggregate='true'><entity name='task'><attribute name='scheduledend' alias='part' groupby='true' \
             dategrouping='{part}'/><attribute name='activityid' alias='n' aggregate='count'/><order alias='part'/>\
             <filter><condition attribute='scheduledend' operator='lt' value='2026-01-01T00:00:00Z'/></filter></entity></fetch>"
        );
        let expected = expected.iter().map(|(part, count)| json!({"part": part, "n": count})).collect();
        all.push(Row::asked(&format!("fetchxml.date-grouping.{part}"), ask("tasks", &xml, rows(expected))));
    }
    all
}

/// What holds of whole queries.
fn rules() -> Vec<Row> {
    let tested = [
        ("fetchxml.rule.values-by-type", "crates/query/src/operator/tests.rs: values_are_tested_by_type"),
        (
            "fetchxml.rule.fiscal-settings",
            "crates/query/src/operator/tests.rs: fiscal_years_begin_and_are_divided_as_the_organisation_says",
        ),
        (
            "fetchxml.rule.first-day-of-the-week",
            "crates/query/src/operator/tests.rs: weeks_begin_when_the_organisation_says",
        ),
        ("fetchxml.rule.returned-columns", "fetchxml.rs: answers_show_what_is_asked_for"),
        ("fetchxml.rule.sorting", "fetchxml.rs: rows_are_ordered_as_people_read_them"),
        ("fetchxml.rule.nested-filters", "fetchxml.rs: conditions_are_joined"),
        ("fetchxml.rule.nested-links", "fetchxml.rs: rows_are_linked"),
        ("fetchxml.rule.days-of-the-caller", "fetchxml.rs: dates_are_those_of_the_callers_clock"),
        ("fetchxml.rule.groups-of-links-and-pages", "fetchxml.rs: groups_are_aggregated"),
        ("fetchxml.rule.paging-cookies", "fetchxml.rs: pages_joined_are_the_list"),
        ("fetchxml.rule.stored-views", "fetchxml.rs: stored_views_are_run"),
        ("fetchxml.rule.collections-of-a-record", "fetchxml.rs: every_collection_can_be_asked"),
        ("fetchxml.rule.limits-and-errors", "fetchxml.rs: senseless_queries_are_refused"),
        ("fetchxml.rule.rights", "fetchxml.rs: what_a_caller_may_not_read_is_not_there"),
    ];
    tested.into_iter().map(|(part, test)| Row::tested(part, test)).collect()
}
