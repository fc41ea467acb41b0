//! What is printed is read as the same query; nothing that is read breaks anything.

use custodia_query::fetchxml::{
    Aggregate, Attribute, Condition, Contents, DateGrouping, Fetch, FilterElement, LinkElement, LinkType, Sort, Test,
};
use custodia_query::odata::Limits;
use proptest::prelude::*;

use super::{read, resolve};

/// One of everything.
const WHOLE: &str = r#"<?xml version="1.0"?>
<!-- a comment --><fetch version='1.0' mapping="logical" no-lock='true' count='50' page="2" paging-cookie='&lt;cookie/&gt;'
    returntotalrecordcount='true' distinct='1' aggregate='0' aggregatelimit='100' useraworderby='true' datasource='retained'>
  <entity name='account'>
    <no-attrs/><all-attributes/>
    <attribute name='name' alias='n' build='1' addedby='x'/>
    <attribute name='createdon' groupby='true' dategrouping='fiscal-year' usertimezone='false' alias='y'/>
    <attribute name='revenue' aggregate='avg' alias='m'/>
    <attribute name='fax' aggregate='countcolumn' distinct='true' alias='c'/>
    <attribute name='accountid' rowaggregate='CountChildren' alias='k'/>
    <order attribute='name' descending='true'/><order alias='n'/><order entityname='p' attribute='lastname'/>
    <filter type='or' isquickfindfields='1' hint='union'>
      <condition attribute='name' operator='eq' value='A &amp; &quot;B&quot; &lt;c&gt;' uiname='x'/>
      <condition attribute='name' operator='in'><value>a</value><value uitype='x'> b&#10;</value></condition>
      <condition entityname='p' attribute='lastname' operator='ne' valueof='p.firstname'/>
      <filter><condition attribute='name' operator='null'/></filter>
      <link-entity name='contact' from='parentcustomerid' to='accountid' link-type='not any'><filter/></link-entity>
    </filter>
    <link-entity name='contact' from='contactid' to='primarycontactid' alias='p' link-type='matchfirstrowusingcrossapply'
        visible='false' intersect='true'>
      <attribute name='lastname'/><link-entity name='account'/>
    </link-entity>
  </entity>
</fetch>"#;

#[test]
fn everything_is_read_and_printed() {
    let whole = read(WHOLE).unwrap();
    assert_eq!(read(&whole.print()).unwrap(), whole);
    assert_eq!((whole.count, whole.page, whole.top), (Some(50), Some(2), None));
    assert_eq!(whole.paging_cookie.as_deref(), Some("<cookie/>"));
    assert!(whole.total && whole.distinct && !whole.aggregate && whole.raw_order && whole.retained);
    let [filter] = whole.contents.filters.as_slice() else { panic!() };
    let Test::Condition(first) = &filter.tests[0] else { panic!() };
    assert_eq!(first.values, ["A & \"B\" <c>"]);
    let Test::Condition(second) = &filter.tests[1] else { panic!() };
    assert_eq!(second.values, ["a", " b\n"]);
    assert_eq!(whole.contents.links[0].kind, LinkType::First);
    let common = whole.of_all_pages();
    assert_eq!((common.count, common.page, &common.paging_cookie, common.total), (None, None, &None, false));
    assert_eq!(common.contents, whole.contents);
}

#[test]
fn what_depends_on_the_caller_says_so() {
    let depends = |condition: &str| {
        let text = format!("<fetch><entity name='account'><filter>{condition}</filter></entity></fetch>");
        read(&text).unwrap().depends_on_asker()
    };
    for (condition, expected) in [
        ("<condition attribute='name' operator='eq' value='x'/>", false),
        ("<condition attribute='name' operator='null'/>", false),
        ("<condition attribute='name' operator='like' value='2024-01-01'/>", false),
        ("<condition attribute='createdon' operator='gt' value='2024-01-01'/>", true),
        (
            "<condition attribute='createdon' operator='in'><value>x</value><value> 2024-01-01T00:00:00</value></condition>",
            true,
        ),
        ("<condition attribute='createdon' operator='today'/>", true),
        ("<condition attribute='createdon' operator='on' value='2024-01-01'/>", true),
        ("<condition attribute='ownerid' operator='eq-userid'/>", true),
        ("<condition attribute='accountid' operator='under' value='x'/>", false),
        (
            "<link-entity name='contact' link-type='any'><filter><condition attribute='createdon' operator='today'/></filter>\
             </link-entity>",
            true,
        ),
    ] {
        assert_eq!(depends(condition), expected, "{condition}");
    }
    let grouped = "<fetch><entity name='account'><attribute name='createdon' dategrouping='day'/></entity></fetch>";
    assert!(read(grouped).unwrap().depends_on_asker());
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,6}"
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äß€\\n\\t\\r]{0,8}"
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let aggregate = prop::option::of(prop::sample::select(vec![
        Aggregate::Count,
        Aggregate::CountColumn,
        Aggregate::Sum,
        Aggregate::Average,
        Aggregate::Least,
        Aggregate::Greatest,
    ]));
    let date_grouping = prop::option::of(prop::sample::select(vec![
        DateGrouping::Day,
        DateGrouping::Week,
        DateGrouping::Month,
        DateGrouping::Quarter,
        DateGrouping::Year,
        DateGrouping::FiscalPeriod,
        DateGrouping::FiscalYear,
    ]));
    let flags = any::<(bool, bool, bool, bool)>();
    (name(), prop::option::of(name()), aggregate, date_grouping, flags).prop_map(
        |(name, alias, aggregate, date_grouping, (group, user_time_zone, distinct, count_children))| Attribute {
            name,
            alias,
            aggregate,
            group,
            date_grouping,
            user_time_zone,
            distinct,
            count_children,
        },
    )
}

fn sort() -> impl Strategy<Value = Sort> {
    (name(), prop::option::of(name()), prop::option::of(name()), any::<bool>()).prop_map(
        |(attribute, alias, entity, descending)| Sort { attribute: Some(attribute), alias, entity, descending },
    )
}

fn condition() -> impl Strategy<Value = Condition> {
    let compared = prop_oneof![
        prop::collection::vec(text(), 0..4).prop_map(|values| (values, None)),
        name().prop_map(|name| (Vec::new(), Some(name))),
    ];
    (name(), name(), prop::option::of(name()), compared).prop_map(
        |(attribute, operator, entity, (values, value_of))| Condition { attribute, operator, values, value_of, entity },
    )
}

fn link(tests: bool, contents: impl Strategy<Value = Contents>) -> impl Strategy<Value = LinkElement> {
    let kinds = match tests {
        true => vec![LinkType::Any, LinkType::NotAny, LinkType::All, LinkType::NotAll],
        false => vec![LinkType::Inner, LinkType::Outer, LinkType::Exists, LinkType::In, LinkType::First],
    };
    let names = (name(), prop::option::of(name()), prop::option::of(name()), prop::option::of(name()));
    (names, prop::sample::select(kinds), contents).prop_map(|((table, from, to, alias), kind, contents)| LinkElement {
        table,
        from,
        to,
        alias,
        kind,
        contents,
    })
}

fn filter() -> impl Strategy<Value = FilterElement> {
    let leaf = condition().prop_map(Test::Condition);
    let tests = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (any::<bool>(), prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(any, tests)| Test::Filter(FilterElement { any, tests })),
            link(
                true,
                prop::collection::vec(inner, 1..3).prop_map(|tests| Contents {
                    filters: vec![FilterElement { any: false, tests }],
                    ..Contents::default()
                })
            )
            .prop_map(Test::Link),
        ]
    });
    (any::<bool>(), prop::collection::vec(tests, 0..3)).prop_map(|(any, tests)| FilterElement { any, tests })
}

fn contents() -> impl Strategy<Value = Contents> {
    let leaf = (
        prop::collection::vec(attribute(), 0..3),
        any::<(bool, bool)>(),
        prop::collection::vec(sort(), 0..2),
        prop::collection::vec(filter(), 0..2),
    )
        .prop_map(|(attributes, (all_attributes, no_attributes), orders, filters)| Contents {
            attributes,
            all_attributes,
            no_attributes,
            orders,
            filters,
            links: Vec::new(),
        });
    leaf.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), prop::collection::vec(link(false, inner), 0..3))
            .prop_map(|(contents, links)| Contents { links, ..contents })
    })
}

fn fetch() -> impl Strategy<Value = Fetch> {
    let numbers = (prop::option::of(1..5_000_u32), prop::option::of(1..99_u32), prop::option::of(1..50_000_u32));
    let flags = any::<(bool, bool, bool, bool, bool)>();
    (name(), numbers, prop::option::of("[ -~]{1,9}"), flags, contents()).prop_map(
        |(
            table,
            (count, page, aggregate_limit),
            paging_cookie,
            (total, distinct, aggregate, raw_order, retained),
            contents,
        )| {
            Fetch {
                top: None,
                count,
                page,
                paging_cookie,
                total,
                distinct,
                aggregate,
                aggregate_limit,
                raw_order,
                retained,
                table,
                contents,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_as_the_same(fetch in fetch()) {
        let printed = fetch.print();
        let limits = Limits { links_max: 1_000, order_keys_max: 1_000, ..Limits::default() };
        prop_assert_eq!(Fetch::read(&printed, &limits).map_err(|error| error.to_string()), Ok(fetch), "{}", printed);
    }

    #[test]
    fn nothing_breaks_the_reader(text in "\\PC{0,60}", at in 0..2_500_usize, length in 0..40_usize) {
        let _ = resolve(&text);
        let mut broken: Vec<char> = WHOLE.chars().collect();
        let at = at.min(broken.len());
        let end = (at + length).min(broken.len());
        broken.splice(at..end, text.chars().take(3));
        let _ = resolve(&broken.into_iter().collect::<String>());
    }
}
