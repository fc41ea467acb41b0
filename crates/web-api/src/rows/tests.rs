//! Rows by hand through a plan made from real options.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::str::FromStr as _;

use custodia_query::odata::{Limits, Parsed, parse};
use custodia_schema::{Decimal, Money, standard};
use http::HeaderMap;
use serde_json::Value as Tree;

use super::*;
use crate::prefer::Preferences;

const ROOT: &str = "https://crm.example/demo/api/data/v9.2/";

/// A row as a test writes it.
struct Given<'g>(Vec<ValueRef<'g>>);

impl Values for Given<'_> {
    fn at(&self, position: usize) -> ValueRef<'_> {
        self.0.get(position).copied().unwrap_or(ValueRef::Null)
    }
}

struct Case {
    query: Query,
    plan: RowPlan,
}

impl Case {
    fn new(table: &str, options: &str, annotations: &str, media: Media) -> Self {
        let schema = standard();
        let table = schema.table_named(table).unwrap();
        let Parsed { mut query, shape, .. } = parse(&schema, table, options, &Default::default()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("prefer", format!("odata.include-annotations=\"{annotations}\"").parse().unwrap());
        let preferences = Preferences::read(&headers, &Limits::default()).unwrap();
        let planning = Planning { schema: &schema, service_root: ROOT, media, preferences: &preferences };
        let plan = planning.plan(&mut query, &shape).with_formats(Arc::new(Formats::of(1033, 92, Vec::new())));
        Self { query, plan }
    }

    fn written(&self, rows: &[&[ValueRef<'_>]]) -> String {
        let mut page = Page::new(&self.plan, Vec::new(), 100, false);
        for row in rows {
            page.take(&Given(row.to_vec()), Vec::new);
        }
        let text = String::from_utf8(page.finish().out).unwrap();
        let parsed: Tree = serde_json::from_str(&format!("[{text}]")).unwrap();
        assert_eq!(parsed.as_array().unwrap().len(), rows.len());
        text
    }
}

fn id(number: u128) -> ValueRef<'static> {
    ValueRef::Guid(Guid::from_u128(number))
}

const FIRST: &str = "00000000-0000-0000-0000-000000000001";

#[test]
fn a_record_has_its_entity_tag_the_selected_columns_and_its_id() {
    let case = Case::new("account", "$select=name,numberofemployees,_primarycontactid_value", "", Media::default());
    // id, version, then as selected.
    let rows: [&[ValueRef<'_>]; 2] = [
        &[id(1), ValueRef::Integer(42), ValueRef::Text("A \"b\""), ValueRef::Integer(1_500), id(2)],
        &[id(2), ValueRef::Integer(43), ValueRef::Null, ValueRef::Null, ValueRef::Null],
    ];
    assert_eq!(
        case.written(&rows),
        "{\"@odata.etag\":\"W/\\\"42\\\"\",\"name\":\"A \\\"b\\\"\",\"numberofemployees\":1500,\
         \"_primarycontactid_value\":\"00000000-0000-0000-0000-000000000002\",\"accountid\":\"00000000-0000-0000-0000-000000000001\"},\
         {\"@odata.etag\":\"W/\\\"43\\\"\",\"name\":null,\"numberofemployees\":null,\
         \"_primarycontactid_value\":null,\"accountid\":\"00000000-0000-0000-0000-000000000002\"}"
    );
}

#[test]
fn every_type_has_its_form() {
    let case = Case::new(
        "account",
        "$select=creditonhold,revenue,exchangerate,address1_latitude,createdon,statecode,versionnumber",
        "",
        Media::default(),
    );
    let rows: [&[ValueRef<'_>]; 1] = [&[
        id(1),
        ValueRef::Integer(7),
        ValueRef::Boolean(true),
        ValueRef::Money(Money(12_345_000)),
        ValueRef::Decimal(Decimal::from_str("1.25").unwrap()),
        ValueRef::Double(48.0),
        ValueRef::DateTime(1_709_200_800),
        ValueRef::Integer(0),
        id(9),
    ]];
    assert_eq!(
        case.written(&rows),
        format!(
            "{{\"@odata.etag\":\"W/\\\"7\\\"\",\"creditonhold\":true,\"revenue\":1234.5000,\"exchangerate\":1.2500000000{},\
             \"address1_latitude\":48.0,\"createdon\":\"2024-02-29T10:00:00Z\",\"statecode\":0,\"versionnumber\":7,\
             \"_transactioncurrencyid_value\":\"00000000-0000-0000-0000-000000000009\",\"accountid\":\"{FIRST}\"}}",
            "0".repeat(exchange_places() - 10)
        )
    );
}

/// Digits after the point of an exchange rate.
fn exchange_places() -> usize {
    let schema = standard();
    match &schema.table_named("account").unwrap().column("exchangerate").unwrap().kind {
        ColumnKind::Decimal { precision, .. } => usize::from(*precision),
        other => panic!("{other:?}"),
    }
}

#[test]
fn exact_numbers_stand_in_quotes_where_asked() {
    let media = Media { metadata: MetadataLevel::None, numbers_quoted: true };
    let case = Case::new("account", "$select=revenue,versionnumber,numberofemployees", "", media);
    let row: &[ValueRef<'_>] =
        &[id(1), ValueRef::Integer(7), ValueRef::Money(Money(5)), ValueRef::Integer(3), ValueRef::Null];
    assert_eq!(
        case.written(&[row]),
        format!(
            "{{\"revenue\":\"0.0005\",\"versionnumber\":\"7\",\"numberofemployees\":3,\
             \"_transactioncurrencyid_value\":null,\"accountid\":\"{FIRST}\"}}"
        )
    );
}

#[test]
fn annotations_stand_before_their_value_and_only_where_asked() {
    let columns = "$select=statecode,name,_parentcustomerid_value,_ownerid_value,_createdby_value";
    let all = Case::new("contact", columns.replace("name,", "lastname,").as_str(), "*", Media::default());
    // The order of what annotations add is the plan's: look it up.
    let mut row = vec![ValueRef::Null; all.query.fields.len()];
    let schema = standard();
    let contact = schema.table_named("contact").unwrap();
    let account = schema.table_named("account").unwrap().id;
    let team = schema.table_named("team").unwrap().id;
    let number = |name: &str| contact.column(name).unwrap().id;
    let mut put = |field: Field, value: ValueRef<'static>| {
        let at = all.query.fields.iter().position(|known| *known == field).unwrap();
        row[at] = value;
    };
    put(Field::Column(contact.primary_id), id(1));
    put(Field::Column(number("versionnumber")), ValueRef::Integer(1));
    put(Field::Column(number("statecode")), ValueRef::Integer(0));
    put(Field::Column(number("parentcustomerid")), id(2));
    put(Field::TargetName(number("parentcustomerid")), ValueRef::Text("Contoso"));
    put(Field::TargetTable(number("parentcustomerid")), ValueRef::Integer(i64::from(account.0)));
    put(Field::Column(number("ownerid")), id(3));
    put(Field::TargetTable(number("ownerid")), ValueRef::Integer(i64::from(team.0)));
    let text = all.written(&[&row]);
    assert_eq!(
        text,
        format!(
            "{{\"@odata.etag\":\"W/\\\"1\\\"\",\
             \"statecode@OData.Community.Display.V1.FormattedValue\":\"Active\",\"statecode\":0,\
             \"lastname\":null,\
             \"_parentcustomerid_value@OData.Community.Display.V1.FormattedValue\":\"Contoso\",\
             \"_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty\":\"parentcustomerid_account\",\
             \"_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"account\",\
             \"_parentcustomerid_value\":\"00000000-0000-0000-0000-000000000002\",\
             \"_ownerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty\":\"ownerid\",\
             \"_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"team\",\
             \"_ownerid_value\":\"00000000-0000-0000-0000-000000000003\",\
             \"_createdby_value\":null,\
             \"contactid\":\"{FIRST}\"}}"
        )
    );

    let none = Case::new("contact", "$select=statecode,_createdby_value", "", Media::default());
    let text = none.written(&[&[id(1), ValueRef::Integer(1), ValueRef::Integer(0), id(2)]]);
    assert!(!text.contains("statecode@"), "{text}");
    assert_eq!(none.query.fields.len(), 4);

    let tables = Case::new("contact", "$select=_createdby_value", "*.lookuplogicalname,Microsoft.*", Media::default());
    let text = tables.written(&[&[id(1), ValueRef::Integer(1), id(2)]]);
    assert!(text.contains("\"_createdby_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"systemuser\""), "{text}");
    assert!(!text.contains("Formatted"), "{text}");
}

#[test]
fn expanded_records_are_objects_or_null() {
    let options = "$select=name&$expand=primarycontactid($select=fullname),ownerid($select=ownerid)";
    let case = Case::new("account", options, "", Media::default());
    let widths: Vec<usize> = case
        .query
        .expand
        .iter()
        .map(|expand| match expand {
            Expand::One { fields, .. } => fields.len(),
            Expand::Many { .. } => 0,
        })
        .collect();
    assert_eq!(case.query.fields.len(), 3);
    let row = |contact: ValueRef<'static>, owners: [ValueRef<'static>; 2]| {
        let mut row = vec![id(1), ValueRef::Integer(5), ValueRef::Text("A")];
        row.extend([contact, ValueRef::Integer(6), ValueRef::Text("Ann")]);
        for (width, owner) in widths[1..].iter().zip(owners) {
            row.push(owner);
            row.extend(vec![ValueRef::Null; width - 1]);
        }
        row
    };
    let text = case.written(&[&row(id(2), [ValueRef::Null, id(4)]), &row(ValueRef::Null, [ValueRef::Null; 2])]);
    let parsed: Tree = serde_json::from_str(&format!("[{text}]")).unwrap();
    assert_eq!(parsed[0]["primarycontactid"]["fullname"], "Ann");
    assert_eq!(parsed[0]["primarycontactid"]["@odata.etag"], "W/\"6\"");
    assert_eq!(
        parsed[0]["ownerid"]["teamid"].as_str().or(parsed[0]["ownerid"]["systemuserid"].as_str()).unwrap().len(),
        36
    );
    assert_eq!(parsed[1]["primarycontactid"], Tree::Null);
    assert!(parsed[1].as_object().unwrap().contains_key("ownerid"));
    assert_eq!(parsed[1]["ownerid"], Tree::Null);
    // An owner within the record says `ownerid` of itself too.
    let shown = ["\"ownerid\":{", "\"ownerid\":null"].map(|member| text.matches(member).count());
    assert_eq!(shown, [1, 1], "one of several candidates is shown: {text}");
}

#[test]
fn the_full_level_adds_types_and_addresses() {
    let media = Media { metadata: MetadataLevel::Full, numbers_quoted: false };
    let case = Case::new("account", "$select=name", "", media);
    assert_eq!(
        case.written(&[&[id(1), ValueRef::Integer(5), ValueRef::Text("A")]]),
        format!(
            "{{\"@odata.etag\":\"W/\\\"5\\\"\",\"@odata.type\":\"#Microsoft.Dynamics.CRM.account\",\
             \"@odata.id\":\"{ROOT}accounts({FIRST})\",\"@odata.editLink\":\"accounts({FIRST})\",\
             \"name\":\"A\",\"accountid\":\"{FIRST}\"}}"
        )
    );
}

#[test]
fn pages_stop_where_they_are_full_and_remember_their_ends() {
    let case = Case::new("account", "$select=name", "", Media::default());
    let mut page = Page::new(&case.plan, b"before".to_vec(), 2, true);
    for number in 1..=3_u8 {
        let row = Given(vec![id(u128::from(number)), ValueRef::Integer(1), ValueRef::Text("x")]);
        page.take(&row, || vec![Value::Integer(i32::from(number))]);
    }
    let taken = page.finish();
    let ends = taken.ends.unwrap();
    assert_eq!((taken.rows, ends.first, ends.last), (2, vec![Value::Integer(1)], vec![Value::Integer(2)]));
    let text = String::from_utf8(taken.out).unwrap();
    assert!(text.starts_with("before{") && text.ends_with('}'), "{text}");

    // A page that is restarted begins where it began.
    let mut page = Page::new(&case.plan, b"before".to_vec(), 2, false);
    for _ in 0..3 {
        page.take(&Given(vec![id(1), ValueRef::Integer(1), ValueRef::Null]), Vec::new);
    }
    page.restart();
    let taken = page.finish();
    assert_eq!((taken.rows, taken.ends.is_none(), taken.out.as_slice()), (0, true, &b"before"[..]));
}

#[test]
fn collections_leave_a_gap_where_they_belong() {
    let case =
        Case::new("account", "$select=name&$expand=contact_customer_accounts($select=fullname)", "", Media::default());
    let mut page = Page::new(&case.plan, Vec::new(), 10, false);
    for number in [1, 2] {
        page.take(&Given(vec![id(number), ValueRef::Integer(1), ValueRef::Text("x")]), Vec::new);
    }
    let taken = page.finish();
    assert_eq!(taken.gaps.len(), 2);
    for (gap, number) in taken.gaps.iter().zip([1, 2]) {
        assert_eq!((gap.parent, gap.index, taken.out[gap.offset]), (Guid::from_u128(number), 0, b'}'));
    }
}
