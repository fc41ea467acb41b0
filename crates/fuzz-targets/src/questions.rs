//! The languages that questions are asked in: query options, `$apply`, paths, FetchXML, `?sql=`.
//!
//! A text for an OData target begins with the set that it is asked of: `accounts?$filter=…`.

use std::sync::{Arc, OnceLock};

use custodia_oracle::speech;
use custodia_query::fetchxml::{Fetch, Question};
use custodia_query::odata::{
    Limits, ODataError, below_root, parse_apply, parse_options, parse_record_options, parse_reference, parse_resource,
    query_options, query_string, write_apply, write_options,
};
use custodia_query::operator::Asker;
use custodia_query::sql_select::parse_select;
use custodia_query::{Aggregation, Query, Words, Zone};
use custodia_schema::{Guid, Schema, Table, load, standard_files};

/// The standard tables and one with a column of every kind.
pub(crate) fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut files = standard_files().to_vec();
        files.push(("new_gadget.toml", include_str!("../../query/tests/odata/new_gadget.toml")));
        load(&files).unwrap_or_else(|fault| panic!("{fault}"))
    })
}

/// Somebody in a zone with summer time, with teams, in an organisation whose years begin in April.
fn asker() -> &'static Asker {
    static ASKER: OnceLock<Asker> = OnceLock::new();
    ASKER.get_or_init(|| {
        let changes = vec![(1_711_846_800, 7_200), (1_729_990_800, 3_600), (1_743_296_400, 7_200)];
        let mut asker = Asker::plain(1_720_000_000, Guid::from_u128(0xa), Guid::from_u128(0xb));
        asker.zone = Arc::new(Zone { first: 3_600, changes });
        asker.teams = vec![Guid::from_u128(0xc), Guid::from_u128(0xd)];
        asker.fiscal.month = 4;
        asker.week_begins = 1;
        asker
    })
}

/// What a question is written with.
fn words() -> Words<'static> {
    Words { schema: schema(), asker: asker(), phrases: &[] }
}

/// The table that a text is about, and the query string behind its set.
pub(crate) fn asked(text: &str) -> (&'static Table, &str) {
    let (set, raw) = text.split_once('?').unwrap_or(("", text));
    let table = schema().table_of_set(set).or_else(|| schema().table_named("new_gadget"));
    (table.expect("the tests' table"), raw)
}

/// That an error says something, and where: within the longest part of the request, at its end, or of a part as a whole.
fn check_error(error: &ODataError, longest: usize) {
    assert!(!error.to_string().is_empty());
    let place = error.place();
    assert!(!place.part.is_empty(), "{error}");
    assert!(place.character <= longest + 1, "{error}: {place}, but the longest part has {longest}");
}

fn longest_of(options: &[(String, String)]) -> usize {
    options.iter().flat_map(|(name, value)| [name.chars().count(), value.chars().count()]).max().unwrap_or(0)
}

/// Options as they were sent, decoded; that they are written and read back as the same.
fn decoded(raw: &str) -> Option<Vec<(String, String)>> {
    match query_options(raw, &Limits::default()) {
        Ok(options) => {
            assert_eq!(sent_again(&options), options, "{raw}");
            Some(options)
        }
        Err(error) => {
            check_error(&error, raw.chars().count());
            None
        }
    }
}

/// Options written into an address and read from it.
fn sent_again(options: &[(String, String)]) -> Vec<(String, String)> {
    let raw = query_string(options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    query_options(&raw, &speech::limits()).unwrap_or_else(|error| panic!("{error}: {raw}"))
}

/// Query options on a set and on a record.
pub(crate) fn odata_options(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (table, raw) = asked(text);
    let Some(options) = decoded(raw) else { return };
    let limits = Limits::default();
    if let Err(error) = parse_record_options(schema(), table, &options, &limits, Some(asker())) {
        check_error(&error, longest_of(&options));
    }
    match parse_options(schema(), table, &options, &limits, Some(asker())) {
        Ok(parsed) => check_rows(&parsed.query),
        Err(error) => check_error(&error, longest_of(&options)),
    }
}

/// That a question about rows reads back as the same from both languages, as far as they have words for it.
fn check_rows(query: &Query) {
    if let Ok(options) = write_options(&words(), query) {
        let table = schema().table(query.table).expect("a parsed query has a table");
        let read = parse_options(schema(), table, &sent_again(&options), &speech::limits(), Some(asker()));
        let read = read.unwrap_or_else(|error| panic!("{error}\n{options:#?}"));
        assert_eq!(Query { page_size: query.page_size, ..read.query }, *query, "{options:#?}");
    }
    if let Some(twin) = speech::linked(schema(), query) {
        check_fetched_rows(&twin);
    }
}

/// That a question about rows reads back as the same from FetchXML, if that has words for it.
fn check_fetched_rows(query: &Query) {
    let Ok(fetch) = Fetch::of_query(&words(), query) else { return };
    let text = fetch.print();
    match resolved(&text) {
        Question::Rows(read) => assert_eq!(Query { page_size: query.page_size, ..read.query }, *query, "{text}"),
        Question::Groups(_) => panic!("groups: {text}"),
    }
}

/// The same for groups.
fn check_fetched_groups(groups: &Aggregation) {
    let Ok(fetch) = Fetch::of_groups(&words(), groups) else { return };
    let text = fetch.print();
    match resolved(&text) {
        Question::Groups(read) => assert_eq!(read.aggregation, *groups, "{text}"),
        Question::Rows(_) => panic!("rows: {text}"),
    }
}

/// What a written text asks.
fn resolved(text: &str) -> Question {
    let fetch = Fetch::read(text, &speech::limits()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    fetch.resolve(schema(), asker(), &speech::limits()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// `$apply`.
pub(crate) fn odata_apply(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (table, raw) = asked(text);
    let Some(options) = decoded(raw) else { return };
    let groups = match parse_apply(schema(), table, &options, &Limits::default(), Some(asker())) {
        Ok(None) => return,
        Ok(Some(applied)) => applied.question.aggregation,
        Err(error) => return check_error(&error, longest_of(&options)),
    };
    if let Ok(options) = write_apply(&words(), &groups) {
        let read = parse_apply(schema(), table, &sent_again(&options), &speech::limits(), Some(asker()));
        let read = read.unwrap_or_else(|error| panic!("{error}\n{options:#?}")).expect("it has $apply");
        assert_eq!(read.question.aggregation, groups, "{options:#?}");
    }
    if let Some(twin) = speech::linked_groups(schema(), &groups) {
        check_fetched_groups(&twin);
    }
}

/// Paths below the service root, and addresses of records.
pub(crate) fn odata_path(data: &[u8]) {
    const ROOT: &str = "https://crm.example:8443/demo/api/data/v9.2/";
    let Ok(text) = std::str::from_utf8(data) else { return };
    let limits = Limits::default();
    let (path, raw) = text.split_once('?').unwrap_or((text, ""));
    let options = decoded(raw).unwrap_or_default();
    let longest = longest_of(&options).max(path.chars().count());
    if let Err(error) = parse_resource(schema(), path, &options, &limits) {
        check_error(&error, longest);
    }
    match parse_reference(schema(), text, ROOT, &limits) {
        Ok(reference) => {
            let table = schema().table(reference.table).expect("a record is of a table");
            assert!(!table.set_name.is_empty());
        }
        Err(error) => check_error(&error, text.chars().count()),
    }
    if let Some(below) = below_root(text, ROOT) {
        assert!(text.ends_with(below));
    }
}

/// FetchXML.
pub(crate) fn fetchxml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let limits = Limits::default();
    let fetch = match Fetch::read(text, &limits) {
        Ok(fetch) => fetch,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let printed = fetch.print();
    let read = Fetch::read(&printed, &speech::limits()).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(read, fetch, "{printed}");
    match fetch.resolve(schema(), asker(), &limits) {
        Ok(question) => check_question(&question),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_question(question: &Question) {
    match question {
        Question::Rows(rows) => check_fetched_rows(&rows.query),
        Question::Groups(groups) => check_fetched_groups(&groups.aggregation),
    }
}

/// `?sql=`.
pub(crate) fn sql_select(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_select(schema(), text, asker(), &Limits::default()) {
        Ok(select) => check_question(&select.question),
        Err(error) => check_error(&error, text.chars().count()),
    }
}
