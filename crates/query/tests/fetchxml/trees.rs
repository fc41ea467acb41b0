//! Texts and the trees they mean.

use std::sync::Arc;

use custodia_query::fetchxml::{FetchXmlError, GroupValue, GroupsQuestion, Question, RowsQuestion};
use custodia_query::{
    Comparison, DatePart, Exists, Field, Filter, GroupBy, Link, LinkKind, Measure, Order, OrderBy, Path, Query, Zone,
};
use custodia_schema::{Guid, Value};

use super::{asker, column, resolve, table};

#[track_caller]
fn rows(text: &str) -> RowsQuestion {
    match resolve(text) {
        Ok(Question::Rows(question)) => question,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn groups(text: &str) -> GroupsQuestion {
    match resolve(text) {
        Ok(Question::Groups(question)) => question,
        other => panic!("{other:?}"),
    }
}

fn account(name: &str) -> Path {
    Path::own(column("account", name))
}

fn equal(path: Path, text: &str) -> Filter {
    Filter::Compare { path, operator: Comparison::Equal, value: Value::Text(text.to_owned()) }
}

/// A link from an account to contacts that point at it.
fn contacts(kind: LinkKind) -> Link {
    Link {
        from: 0,
        table: table("contact"),
        near: column("account", "accountid"),
        far: column("contact", "parentcustomerid"),
        kind,
        filter: Filter::True,
        fields: Vec::new(),
        order: Vec::new(),
    }
}

const LINK: &str = "name='contact' from='parentcustomerid' to='accountid'";
const ANN: &str = "<filter><condition attribute='lastname' operator='eq' value='Ann'/></filter>";

#[test]
fn columns_links_and_tests_stand_where_they_belong() {
    let question = rows(&format!(
        "<fetch count='10' returntotalrecordcount='true'><entity name='account'>
           <attribute name='name'/><attribute name='ownerid' alias='o'/><order attribute='name' descending='true'/>
           <filter><condition attribute='name' operator='eq' value='x'/>
             <condition entityname='p' attribute='lastname' operator='eq' valueof='q.fullname'/></filter>
           <link-entity {LINK} alias='p' link-type='outer'><attribute name='lastname'/>{ANN}
             <link-entity name='systemuser' from='systemuserid' to='owninguser' alias='q'/></link-entity>
         </entity></fetch>"
    ));
    let lastname = column("contact", "lastname");
    let expected = Query {
        fields: vec![
            Field::Column(column("account", "accountid")),
            Field::Column(column("account", "name")),
            Field::Column(column("account", "ownerid")),
        ],
        links: vec![
            Link {
                filter: equal(Path::at(1, lastname), "Ann"),
                fields: vec![Field::Column(lastname)],
                ..contacts(LinkKind::Outer)
            },
            Link {
                from: 1,
                table: table("systemuser"),
                near: column("contact", "owninguser"),
                far: column("systemuser", "systemuserid"),
                ..contacts(LinkKind::Inner)
            },
        ],
        filter: Filter::And(vec![
            equal(account("name"), "x"),
            Filter::CompareColumns {
                left: Path::at(1, lastname),
                operator: Comparison::Equal,
                right: Path::at(2, column("systemuser", "fullname")),
            },
        ]),
        order: vec![Order::by_value(account("name"), true)],
        count: true,
        ..Query::of(super::schema().table(table("account")).unwrap(), 10)
    };
    assert_eq!(question.query, expected);
    assert_eq!(question.tables, [table("account"), table("contact"), table("systemuser")]);
    let shown: Vec<_> =
        question.columns.iter().map(|shown| (shown.row, shown.name.as_str(), shown.null_shown)).collect();
    assert_eq!(shown, [(0, "name", true), (0, "o", false), (1, "p.lastname", false), (0, "accountid", true)]);
}

#[test]
fn tests_of_linked_rows_mean_what_they_say() {
    let exists = |filter: Filter| {
        Filter::Exists(Box::new(Exists {
            near: account("accountid"),
            table: table("contact"),
            far: column("contact", "parentcustomerid"),
            links: Vec::new(),
            filter,
        }))
    };
    let ann = equal(Path::own(column("contact", "lastname")), "Ann");
    let not = |filter: Filter| Filter::Not(Box::new(filter));
    let cases = [
        ("any", exists(ann.clone())),
        ("not any", not(exists(ann.clone()))),
        ("all", Filter::And(vec![exists(Filter::True), not(exists(ann.clone()))])),
        ("not all", exists(ann.clone())),
    ];
    for (kind, expected) in cases {
        let text = format!(
            "<fetch><entity name='account'><filter><link-entity {LINK} link-type='{kind}'>{ANN}</link-entity></filter>\
             </entity></fetch>"
        );
        assert_eq!(rows(&text).query.filter, expected, "{kind}");
    }
    for kind in ["exists", "in"] {
        let text = format!(
            "<fetch><entity name='account'><link-entity {LINK} link-type='{kind}'>{ANN}</link-entity></entity></fetch>"
        );
        let query = rows(&text).query;
        assert_eq!((query.filter, query.links), (exists(ann.clone()), Vec::new()), "{kind}");
    }
    // Existence below an outer link narrows the partners, not the rows.
    let text = format!(
        "<fetch><entity name='contact'><link-entity name='account' from='accountid' to='parentcustomerid' link-type='outer'>\
         <link-entity {LINK} link-type='exists'/></link-entity></entity></fetch>"
    );
    let query = rows(&text).query;
    assert_eq!(query.filter, Filter::True);
    let Filter::Exists(inner) = &query.links[0].filter else { panic!() };
    assert_eq!(inner.near, Path::at(1, column("account", "accountid")));
}

#[test]
fn rows_are_ordered_by_what_people_see() {
    let by = |attributes: &str, attribute: &str| {
        let text =
            format!("<fetch{attributes}><entity name='new_gadget'><order attribute='{attribute}'/></entity></fetch>");
        rows(&text).query.order.remove(0).by
    };
    assert_eq!(by("", "new_name"), OrderBy::Value);
    assert_eq!(by("", "new_at"), OrderBy::Value);
    assert_eq!(by("", "new_holder"), OrderBy::Name);
    assert_eq!(by("", "new_sort"), OrderBy::Label(Arc::from([1, 2])));
    assert_eq!(by("", "statecode"), OrderBy::Label(Arc::from([0, 1])));
    // No before Yes.
    assert_eq!(by("", "new_on"), OrderBy::Label(Arc::from([0, 1])));
    assert_eq!(by(" useraworderby='true'", "new_sort"), OrderBy::Value);
    let text = "<fetch><entity name='account'><link-entity name='contact' from='contactid' to='primarycontactid' \
                link-type='matchfirstrowusingcrossapply'><order attribute='lastname'/></link-entity></entity></fetch>";
    let query = rows(text).query;
    let expected = Order::by_value(Path::at(1, column("contact", "lastname")), false);
    assert_eq!((query.order, &query.links[0].order), (Vec::new(), &vec![expected]));
}

#[test]
fn distinct_rows_have_only_what_they_show() {
    let query = rows("<fetch distinct='true'><entity name='account'><attribute name='name'/></entity></fetch>").query;
    assert!(query.distinct);
    assert_eq!(query.fields, [Field::Column(column("account", "name"))]);
}

#[test]
fn columns_that_differ_are_not_both_without_a_value() {
    let text = "<fetch><entity name='account'><filter><condition attribute='name' operator='ne' valueof='fax'/></filter>\
                </entity></fetch>";
    let (left, right) = (account("name"), account("fax"));
    let both = Filter::And(vec![Filter::IsNull(left.clone()), Filter::IsNull(right.clone())]);
    let differ = Filter::CompareColumns { left, operator: Comparison::NotEqual, right };
    assert_eq!(rows(text).query.filter, Filter::And(vec![differ, Filter::Not(Box::new(both))]));
}

#[test]
fn values_are_those_of_the_caller() {
    let filter = |condition: &str| {
        let text = format!("<fetch><entity name='account'><filter>{condition}</filter></entity></fetch>");
        rows(&text).query.filter
    };
    let own = filter("<condition attribute='ownerid' operator='eq-userid'/>");
    let caller = Value::Guid(Guid::from_u128(1));
    assert_eq!(own, Filter::Compare { path: account("ownerid"), operator: Comparison::Equal, value: caller });
    let since = filter("<condition attribute='createdon' operator='ge' value='1970-01-02'/>");
    let value = Value::DateTime(86_400 - 3_600);
    assert_eq!(since, Filter::Compare { path: account("createdon"), operator: Comparison::GreaterOrEqual, value });
    // What designers leave behind at operators without a value.
    assert_eq!(filter("<condition attribute='name' operator='null' value=''/>"), Filter::IsNull(account("name")));
}

#[test]
fn groups_and_measures_keep_their_places() {
    let question = groups(
        "<fetch aggregate='true' aggregatelimit='7' count='3'><entity name='new_gadget'>
           <attribute name='new_count' alias='sum' aggregate='sum'/>
           <attribute name='new_at' alias='year' groupby='true' dategrouping='year'/>
           <attribute name='new_name' alias='names' aggregate='countcolumn' distinct='true'/>
           <attribute name='new_day' alias='day' groupby='true' dategrouping='day'/>
           <attribute name='new_at' alias='utc' groupby='true' dategrouping='month' usertimezone='false'/>
           <order alias='names' descending='true'/><order alias='year'/>
         </entity></fetch>",
    );
    let path = |name: &str| Path::own(column("new_gadget", name));
    let aggregation = question.aggregation;
    assert_eq!((aggregation.rows_max, aggregation.page_size, aggregation.skip), (7, 3, 0));
    let utc = Arc::new(Zone::utc());
    let by: Vec<_> = aggregation.groups.iter().map(|group| (group.path.clone(), group.by.clone())).collect();
    assert_eq!(
        by,
        [
            (path("new_at"), GroupBy::DatePart { part: DatePart::Year, zone: asker().zone }),
            (path("new_day"), GroupBy::DatePart { part: DatePart::Day, zone: utc.clone() }),
            (path("new_at"), GroupBy::DatePart { part: DatePart::Month, zone: utc }),
        ]
    );
    let names = Measure::CountValues { path: path("new_name"), distinct: true };
    assert_eq!(aggregation.measures, [Measure::Sum(path("new_count")), names]);
    assert_eq!(aggregation.order, [(4, true), (0, false)]);
    let shown: Vec<_> =
        question.columns.iter().map(|shown| (shown.name.as_str(), shown.position, shown.kind)).collect();
    assert_eq!(
        shown,
        [
            ("sum", 3, GroupValue::Value),
            ("year", 0, GroupValue::Part(DatePart::Year)),
            ("names", 4, GroupValue::Count),
            ("day", 1, GroupValue::Part(DatePart::Day)),
            ("utc", 2, GroupValue::Part(DatePart::Month)),
        ]
    );
}

#[test]
fn hidden_columns_and_those_outside_rows_are_refused() {
    let of = |inner: &str| resolve(&format!("<fetch><entity name='new_gadget'>{inner}</entity></fetch>"));
    for inner in [
        "<attribute name='new_hidden'/>",
        "<order attribute='new_hidden'/>",
        "<filter><condition attribute='new_hidden' operator='null'/></filter>",
        "<link-entity name='new_gadget' from='new_hidden' to='new_name'/>",
        "<filter><condition attribute='new_name' operator='eq' valueof='new_hidden'/></filter>",
    ] {
        let unknown = FetchXmlError::UnknownColumn { column: "new_hidden".to_owned(), table: "new_gadget".to_owned() };
        assert_eq!(of(inner), Err(unknown), "{inner}");
    }
    assert!(matches!(of("<attribute name='new_picture'/>"), Err(FetchXmlError::Unsupported(_))));
    assert!(matches!(of("<order attribute='new_tags'/>"), Err(FetchXmlError::Invalid(_))));
    // Links of texts with texts and of keys with lookups; not of one with another type.
    assert!(of("<link-entity name='new_gadget' from='new_other' to='new_name'/>").is_ok());
    assert!(of("<link-entity name='new_gadget' from='new_count' to='new_name'/>").is_err());
}
