//! Generated trees said in both languages: what is written reads back as the tree that it was written from, a question and
//! its twin in the other language are written alike, and broken texts are refused and break nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod mutation;
mod operators;
mod world;

use custodia_oracle::speech::{Language, Met, limits, linked, linked_groups};
use custodia_query::fetchxml::{Fetch, Question};
use custodia_query::odata::{parse_apply, parse_options, query_options, query_string, write_apply, write_options};
use custodia_query::{Aggregation, Comparison, Field, Filter, Order, OrderBy, Path, Phrase, Query, Unsayable, Words};
use custodia_schema::{Guid, Value};

use crate::world::{asker, schema, vocabulary};

/// Questions of each kind in each language, times the effort.
const QUESTIONS: u64 = 2_000;

/// How often a part must have been read back to count as tested.
const OFTEN: usize = 20;

fn questions() -> u64 {
    QUESTIONS * u64::from(custodia_testbed::effort())
}

fn words(phrases: &[Phrase]) -> Words<'_> {
    Words { schema: schema(), asker: asker(), phrases }
}

/// Options as they stand in an address.
fn sent(options: &[(String, String)]) -> String {
    query_string(options.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The question that options ask, as they stand in an address.
#[track_caller]
fn read_options(query: &Query, options: &[(String, String)]) -> Query {
    let options = query_options(&sent(options), &limits()).unwrap();
    let table = schema().table(query.table).unwrap();
    let parsed = parse_options(schema(), table, &options, &limits(), Some(asker()));
    let read = parsed.unwrap_or_else(|error| panic!("{error}\n{options:#?}\n{query:#?}")).query;
    Query { page_size: query.page_size, ..read }
}

#[track_caller]
fn read_fetch(text: &str) -> Question {
    let fetch = Fetch::read(text, &limits()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    fetch.resolve(schema(), asker(), &limits()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
fn read_fetch_query(query: &Query, text: &str) -> Query {
    match read_fetch(text) {
        // With 'top' there is no other size of a page.
        Question::Rows(question) => Query { page_size: query.page_size, ..question.query },
        other => panic!("{other:?}"),
    }
}

fn fetch_text(words: &Words<'_>, query: &Query) -> Result<String, Unsayable> {
    Fetch::of_query(words, query).map(|fetch| fetch.print())
}

/// Collections carry the greatest page, whatever they were made with.
fn with_collections_whole(mut query: Query) -> Query {
    fn whole(expand: &mut [custodia_query::Expand]) {
        for entry in expand {
            match entry {
                custodia_query::Expand::One { expand, .. } => whole(expand),
                custodia_query::Expand::Many { query, .. } => {
                    query.page_size = limits().page_rows_max;
                    whole(&mut query.expand);
                }
            }
        }
    }
    whole(&mut query.expand);
    query
}

/// That most questions were said, and each of their parts often enough.
fn check(met: &Met, unsaid: &Met, parts: &[&str]) {
    let rare = met.rarer(parts, OFTEN);
    assert!(rare.is_empty(), "rare: {rare:?}\n{met:#?}\nnot said: {unsaid:#?}");
    assert!(met.count("said") > 3 * unsaid.count("unsaid"), "too few were said: {unsaid:#?}");
}

const TESTS: &[&str] = &[
    "true",
    "false",
    "and",
    "or",
    "not",
    "equal",
    "not equal",
    "less",
    "less or equal",
    "greater",
    "greater or equal",
    "columns",
    "null",
    "in",
    "like",
    "contains any",
    "period",
    "hierarchy",
    "exists",
    "exists with links",
];

#[test]
fn options_read_back_as_what_they_were_written_from() {
    let (mut met, mut unsaid) = (Met::default(), Met::default());
    for seed in 0..questions() {
        let saying = vocabulary().query(Language::OData, seed).unwrap();
        let query = with_collections_whole(saying.question);
        let options = match write_options(&words(&saying.phrases), &query) {
            Ok(options) => options,
            Err(error) => {
                unsaid.note("unsaid");
                unsaid.note(&error.to_string());
                continue;
            }
        };
        assert_eq!(read_options(&query, &options), query, "question {seed}: {options:#?}");
        met.note("said");
        met.query(&query);
    }
    check(&met, &unsaid, TESTS);
    check(
        &met,
        &unsaid,
        &[
            "one step",
            "two steps",
            "order by value",
            "descending",
            "top",
            "count of all",
            "expanded one",
            "address of one",
            "expanded many",
            "addresses of many",
            "expand in an expand",
        ],
    );
}

#[test]
fn fetchxml_reads_back_as_what_it_was_written_from() {
    let (mut met, mut unsaid) = (Met::default(), Met::default());
    for seed in 0..questions() {
        let saying = vocabulary().query(Language::FetchXml, seed).unwrap();
        let query = saying.question;
        let text = match fetch_text(&words(&saying.phrases), &query) {
            Ok(text) => text,
            Err(error) => {
                unsaid.note("unsaid");
                unsaid.note(&error.to_string());
                continue;
            }
        };
        assert_eq!(read_fetch_query(&query, &text), query, "question {seed}: {text}");
        met.note("said");
        met.query(&query);
        for kind in ["exists", "any", "not any", "all"] {
            if text.contains(&format!("link-type=\"{kind}\"")) {
                met.note(kind);
            }
        }
    }
    check(&met, &unsaid, TESTS);
    check(
        &met,
        &unsaid,
        &[
            "inner link",
            "outer link",
            "first link",
            "link of a link",
            "filter of a link",
            "column of a linked row",
            "exists",
            "any",
            "not any",
            "all",
            "order by value",
            "order by label",
            "order by name",
            "descending",
            "distinct",
            "number of children",
            "top",
            "count of all",
        ],
    );
}

/// A question of query options and the FetchXML of its twin come to the same, also where the trees are others.
#[test]
fn what_options_ask_is_asked_in_fetchxml_too() {
    let (mut met, mut unsaid) = (Met::default(), Met::default());
    for seed in 0..questions() {
        let saying = vocabulary().query(Language::OData, seed).unwrap();
        let Some(twin) = linked(schema(), &saying.question) else { continue };
        // The phrases are those of other rows.
        match fetch_text(&words(&[]), &twin) {
            Ok(text) => {
                assert_eq!(read_fetch_query(&twin, &text), twin, "question {seed}: {text}");
                met.note("said");
                met.query(&twin);
            }
            Err(error) => {
                unsaid.note("unsaid");
                unsaid.note(&error.to_string());
            }
        }
    }
    let rare = met.rarer(&["outer link", "link of a link", "exists", "not", "columns", "hierarchy", "period"], OFTEN);
    assert!(rare.is_empty() && met.count("said") > unsaid.count("unsaid"), "{rare:?} {met:#?} {unsaid:#?}");
}

#[test]
fn groups_read_back_as_what_they_were_written_from() {
    let (mut met, mut unsaid) = (Met::default(), Met::default());
    for seed in 0..questions() {
        let saying = vocabulary().groups(Language::OData, seed).unwrap();
        let question = saying.question;
        let options = match write_apply(&words(&saying.phrases), &question) {
            Ok(options) => options,
            Err(error) => {
                unsaid.note("unsaid");
                unsaid.note(&error.to_string());
                continue;
            }
        };
        let table = schema().table(question.rows.table).unwrap();
        let options = query_options(&sent(&options), &limits()).unwrap();
        let applied = parse_apply(schema(), table, &options, &limits(), Some(asker()));
        let applied = applied.unwrap_or_else(|error| panic!("question {seed}: {error}\n{options:#?}")).unwrap();
        assert_eq!(applied.question.aggregation, question, "question {seed}: {options:#?}");
        met.note("said");
        met.groups(&question);
        if let Some(twin) = linked_groups(schema(), &question)
            && let Ok(fetch) = Fetch::of_groups(&words(&[]), &twin)
        {
            assert_eq!(read_groups(&fetch.print()), twin, "question {seed}");
            met.note("twin");
        }
    }
    let parts = [
        "group",
        "count",
        "count of distinct values",
        "sum",
        "average",
        "least",
        "greatest",
        "order of groups",
        "one step",
        "two steps",
        "twin",
    ];
    check(&met, &unsaid, &parts);
}

#[test]
fn aggregates_read_back_as_what_they_were_written_from() {
    let (mut met, mut unsaid) = (Met::default(), Met::default());
    for seed in 0..questions() {
        let saying = vocabulary().groups(Language::FetchXml, seed).unwrap();
        let text = match Fetch::of_groups(&words(&saying.phrases), &saying.question) {
            Ok(fetch) => fetch.print(),
            Err(error) => {
                unsaid.note("unsaid");
                unsaid.note(&error.to_string());
                continue;
            }
        };
        assert_eq!(read_groups(&text), saying.question, "question {seed}: {text}");
        met.note("said");
        met.groups(&saying.question);
    }
    let parts = [
        "group",
        "part of a date",
        "count",
        "count of values",
        "count of distinct values",
        "sum",
        "average",
        "least",
        "greatest",
        "order of groups",
        "inner link",
        "outer link",
        "first link",
        "column of a linked row",
    ];
    check(&met, &unsaid, &parts);
}

#[track_caller]
fn read_groups(text: &str) -> Aggregation {
    match read_fetch(text) {
        Question::Groups(question) => question.aggregation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_language_has_no_words_for_is_named() {
    let account = schema().table_named("account").unwrap();
    let version = Field::Column(account.column("versionnumber").unwrap().id);
    let plain = Query { fields: vec![Field::Column(account.primary_id), version], ..Query::of(account, 10) };
    let name = Path::own(account.column("name").unwrap().id);
    let owner = Path::own(account.column("ownerid").unwrap().id);
    let user = schema().table_named("systemuser").unwrap().id;
    let linked_name = Filter::IsNull(Path { row: 1, ..name.clone() });
    let by_name = Order { path: name.clone(), descending: false, by: OrderBy::Name };
    let negated = Filter::Not(Box::new(Filter::Or(vec![Filter::IsNull(name.clone()), Filter::IsNull(owner.clone())])));
    let of_table = Filter::Compare {
        path: owner.clone(),
        operator: Comparison::Equal,
        value: Value::Lookup(user, Guid::from_u128(1)),
    };
    let less = Filter::Compare { path: owner, operator: Comparison::Less, value: Value::Guid(Guid::from_u128(1)) };
    let control = Filter::Compare { path: name, operator: Comparison::Equal, value: Value::Text("\u{1}".to_owned()) };
    let with = |filter: &Filter| Query { filter: filter.clone(), ..plain.clone() };
    for (query, expected) in [
        (Query { distinct: true, ..plain.clone() }, "distinct rows"),
        (Query { fields: plain.fields[..1].to_vec(), ..plain.clone() }, "without their key, version or currency"),
        (Query { order: vec![by_name], ..plain.clone() }, "an order by labels or names"),
        (with(&linked_name), "a row outside of the collection"),
        (with(&of_table), "a value that 'ownerid' cannot have"),
        (with(&less), "an order of values of 'ownerid'"),
    ] {
        let refused = write_options(&words(&[]), &query).unwrap_err().to_string();
        assert!(refused.starts_with("OData has no words for ") && refused.contains(expected), "{refused}");
    }
    for (query, expected) in [
        (Query { fields: Vec::new(), ..plain.clone() }, "without their key or currency"),
        (Query { top: Some(6_000), ..plain.clone() }, "so many rows"),
        (with(&linked_name), "steps over lookups"),
        (with(&negated), "this test, or its negation"),
        (with(&of_table), "this test, or its negation"),
        (with(&less), "this test of 'ownerid'"),
        (with(&control), "a control character"),
    ] {
        let refused = Fetch::of_query(&words(&[]), &query).unwrap_err().to_string();
        assert!(refused.starts_with("FetchXML has no words for ") && refused.contains(expected), "{refused}");
    }
}
