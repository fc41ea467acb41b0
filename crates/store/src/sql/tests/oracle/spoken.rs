//! Questions as text: generated, written in FetchXML and as query options, read again, asked of both engines and answered as
//! the naive evaluator does. A question and its twin in the other language give the same rows, and pages that are reached by
//! cookies give the same list.

use std::sync::Arc;

use custodia_oracle::speech::{Language, Met, Vocabulary, limits, linked, linked_groups};
use custodia_query::fetchxml::{Fetch, Question};
use custodia_query::odata::{
    SkipToken, SkipTokenBinding, parse_apply, parse_options, query_options, query_string, write_apply, write_options,
};
use custodia_query::operator::Asker;
use custodia_query::{Aggregation, Phrase, Query, Words, Zone};
use custodia_schema::{Column, ColumnId, ColumnKind, Schema, Table, TableId, Value};

use super::super::super::{Context, Plan, aggregate};
use super::super::engines::{TestDatabase, engines};
use super::super::{Numbers, Only, TestPolicy, column, id, schema, table};
use super::naive::Naive;
use super::pages;
use super::question::Seen;
use super::world::{COLUMNS, World, any_set_value};

const WORLDS: u64 = 6;
const QUESTIONS: u64 = 30;

/// How often a part must have been asked to count as tested.
const OFTEN: usize = 10;

/// The tables of the worlds, and those that operators look into, which stay empty.
const TABLES: &[&str] = &[
    "account",
    "contact",
    "systemuser",
    "team",
    "principalobjectaccess",
    "principalobjectattributeaccess",
    "teammembership",
    "businessunit",
];

/// One of the worlds' users, somewhere with summer time, in an organisation whose years begin in April.
fn asker() -> Asker {
    let changes = vec![(1_711_846_800, 7_200), (1_729_990_800, 3_600), (1_743_296_400, 7_200)];
    let mut asker = Asker::plain(1_735_689_600, id(1_000), id(3_000));
    asker.zone = Arc::new(Zone { first: 3_600, changes });
    asker.teams = vec![id(2_000), id(2_001)];
    asker.fiscal.month = 4;
    asker
}

fn value(number: u64, _: &Table, column: &Column) -> Value {
    let name = COLUMNS.iter().flat_map(|(_, names)| *names).find(|name| **name == column.name).unwrap();
    match any_set_value(&mut Numbers::new(number), name) {
        Value::Lookup(_, id) => Value::Guid(id),
        other => other,
    }
}

/// Reads what was written. Each language has its own way to the tree.
struct Reader<'r> {
    schema: &'r Schema,
    asker: &'r Asker,
}

impl Reader<'_> {
    fn words<'w>(&'w self, phrases: &'w [Phrase]) -> Words<'w> {
        Words { schema: self.schema, asker: self.asker, phrases }
    }

    /// The question in query options and read again; `None` where it cannot be said.
    fn through_options(&self, phrases: &[Phrase], query: &Query) -> Option<Query> {
        let options = write_options(&self.words(phrases), query).ok()?;
        let options = self.sent(&options);
        let parsed = parse_options(self.schema, &table_of(query.table), &options, &limits(), Some(self.asker));
        let read = parsed.unwrap_or_else(|error| panic!("{error}\n{options:#?}")).query;
        Some(Query { page_size: query.page_size, ..read })
    }

    fn through_fetch(&self, phrases: &[Phrase], query: &Query) -> Option<Query> {
        let text = Fetch::of_query(&self.words(phrases), query).ok()?.print();
        match self.resolve(&text) {
            Question::Rows(read) => Some(Query { page_size: query.page_size, ..read.query }),
            other => panic!("{other:#?}"),
        }
    }

    fn groups_through_options(&self, phrases: &[Phrase], question: &Aggregation) -> Option<Aggregation> {
        let options = self.sent(&write_apply(&self.words(phrases), question).ok()?);
        let queried = table_of(question.rows.table);
        let applied = parse_apply(self.schema, &queried, &options, &limits(), Some(self.asker));
        Some(applied.unwrap_or_else(|error| panic!("{error}\n{options:#?}")).unwrap().question.aggregation)
    }

    fn groups_through_fetch(&self, phrases: &[Phrase], question: &Aggregation) -> Option<Aggregation> {
        let text = Fetch::of_groups(&self.words(phrases), question).ok()?.print();
        match self.resolve(&text) {
            Question::Groups(read) => Some(read.aggregation),
            other => panic!("{other:#?}"),
        }
    }

    fn resolve(&self, text: &str) -> Question {
        let fetch = Fetch::read(text, &limits()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        fetch.resolve(self.schema, self.asker, &limits()).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn sent(&self, options: &[(String, String)]) -> Vec<(String, String)> {
        let text = query_string(options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        query_options(&text, &limits()).unwrap()
    }

    /// The place after a row as the cookie that a client is given and sends back has it.
    fn through_cookie(&self, language: Language, query: &Query, place: Vec<Value>) -> Vec<Value> {
        let keys = query.order.iter().map(|order| {
            let end = order.path.steps.last().map_or(query.table, |step| step.target);
            table_of(end).column_by_id(order.path.column).unwrap().kind.clone()
        });
        let last: Vec<Value> = place
            .into_iter()
            .zip(keys.chain([ColumnKind::Guid]))
            .map(|(value, kind)| match value {
                // Rows give all integers in one width.
                Value::BigInt(number) if kind != ColumnKind::BigInt => Value::Integer(i32::try_from(number).unwrap()),
                other => other,
            })
            .collect();
        let binding = SkipTokenBinding { caller: self.asker.user, path: "rows", options: &[] };
        let sign = |message: &[u8]| {
            let sum = message.iter().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
            [sum; 32]
        };
        let token = SkipToken { page_number: 2, top_left: query.top, last };
        let mut text = token.encode(self.schema, query, &token.last, &binding, &sign).unwrap();
        if language == Language::FetchXml {
            let plain = Fetch::of_query(&self.words(&[]), &Query::of(&table_of(query.table), 1)).unwrap();
            let sent = Fetch { page: Some(2), paging_cookie: Some(text), ..plain }.print();
            text = Fetch::read(&sent, &limits()).unwrap().paging_cookie.unwrap();
        }
        let read = SkipToken::decode(&text, self.schema, query, &binding, &sign).unwrap();
        assert_eq!(read, token, "{text}");
        read.last
    }
}

fn table_of(id: TableId) -> Arc<Table> {
    Arc::clone(schema().table(id).unwrap())
}

/// A database, a caller's rights in a world and a plan.
struct Asked<'a> {
    database: &'a TestDatabase,
    policy: &'a TestPolicy,
    plan: Plan,
}

impl Asked<'_> {
    #[track_caller]
    fn answers(&self, reader: &Reader<'_>, language: Language, query: &Query, expected: &[Vec<Value>]) {
        let place = |query: &Query, place| reader.through_cookie(language, query, place);
        let found = pages(self.database, query, self.policy, self.plan, &place);
        let about = (self.database.dialect(), self.plan, self.policy);
        assert_eq!(found, expected, "{language:?} {about:#?}\n{query:#?}");
    }

    /// The groups, and of how many rows; `None` where a sum is too large.
    fn groups(&self, question: &Aggregation) -> Option<Vec<Vec<Value>>> {
        let schema = schema();
        let context = Context { dialect: self.database.dialect(), schema: &schema, tables: &Only(|_| true) };
        let statement = aggregate(&context, question, self.policy, self.plan).unwrap();
        match self.database.try_rows(&statement) {
            Ok(rows) => Some(rows),
            Err(crate::Error::TooLargeNumber) => None,
            Err(error) => panic!("{error:?}\n{question:#?}"),
        }
    }
}

#[test]
fn questions_and_their_twins_are_answered_alike() {
    let (schema, asker) = (schema(), asker());
    let columns = |(name, names): &(&str, &[&str])| -> (TableId, Vec<ColumnId>) {
        (table(name).id, names.iter().map(|found| column(name, found)).collect())
    };
    let tables: Vec<_> = COLUMNS.iter().map(columns).collect();
    let vocabulary =
        Vocabulary { schema: &schema, asker: &asker, tables: &tables, asked: 2, collections: false, value: &value };
    let reader = Reader { schema: &schema, asker: &asker };
    let mut met = Met::default();
    for database in engines(TABLES) {
        for number in 0..WORLDS * u64::from(custodia_testbed::effort()) {
            let mut numbers = Numbers::new(number + 90_000);
            let world = World::generate(&mut numbers);
            world.write(&database);
            for _ in 0..QUESTIONS {
                let policy = world.any_policy(&mut numbers);
                let plan = *numbers.pick(&[Plan::Ordered, Plan::Sweep, Plan::Union]);
                let asked = Asked { database: &database, policy: &policy, plan };
                let naive = Naive { world: &world, policy: &policy };
                options(&reader, &vocabulary, &asked, &naive, &mut numbers, &mut met);
                fetch(&reader, &vocabulary, &asked, &naive, &mut numbers, &mut met);
                groups(&reader, &vocabulary, &asked, &naive, &mut numbers, &mut met);
            }
            world.delete(&database);
        }
    }
    let asked = 3 * WORLDS * QUESTIONS * u64::from(custodia_testbed::effort());
    custodia_testbed::tell(&format!("spoken questions on each engine: {asked}"));
    let parts = [
        "options",
        "fetch",
        "twin in fetch",
        "twin of another form",
        "twin in options",
        "groups in options",
        "groups in fetch",
        "twin of groups",
        "pages by cookie",
        "some rows",
        "several groups",
        "one step",
        "two steps",
        "expanded one",
        "expand in an expand",
        "outer link",
        "inner link",
        "first link",
        "exists",
        "exists with links",
        "hierarchy",
        "period",
        "columns",
        "distinct",
        "order by label",
        "order by name",
        "number of children",
        "part of a date",
    ];
    let rare = met.rarer(&parts, OFTEN);
    assert!(rare.is_empty(), "rare: {rare:?} {met:#?}");
}

fn options(
    reader: &Reader<'_>,
    vocabulary: &Vocabulary<'_>,
    asked: &Asked<'_>,
    naive: &Naive<'_>,
    numbers: &mut Numbers,
    met: &mut Met,
) {
    let saying = vocabulary.query(Language::OData, numbers.next()).unwrap();
    let question = &saying.question;
    let Some(read) = reader.through_options(&saying.phrases, question) else { return };
    assert_eq!(read, *question);
    let expected = naive.answer(question, &mut Seen::default());
    asked.answers(reader, Language::OData, &read, &expected);
    note(met, "options", question, &expected);
    let twin = linked(reader.schema, question).and_then(|twin| reader.through_fetch(&[], &twin));
    if let Some(mut twin) = twin {
        met.note(if twin.links == question.links { "twin in fetch" } else { "twin of another form" });
        if !twin.can_seek() {
            twin.page_size = twin.page_size.max(7);
        }
        asked.answers(reader, Language::FetchXml, &twin, &expected);
    }
}

fn fetch(
    reader: &Reader<'_>,
    vocabulary: &Vocabulary<'_>,
    asked: &Asked<'_>,
    naive: &Naive<'_>,
    numbers: &mut Numbers,
    met: &mut Met,
) {
    let saying = vocabulary.query(Language::FetchXml, numbers.next()).unwrap();
    let question = &saying.question;
    let Some(read) = reader.through_fetch(&saying.phrases, question) else { return };
    assert_eq!(read, *question);
    let expected = naive.answer(question, &mut Seen::default());
    asked.answers(reader, Language::FetchXml, &read, &expected);
    note(met, "fetch", question, &expected);
    // Options always show the version of a row.
    let with_version = Query { fields: versioned(question), ..question.clone() };
    if let Some(twin) = reader.through_options(&saying.phrases, &with_version) {
        assert_eq!(twin, with_version);
        met.note("twin in options");
        let expected = naive.answer(&with_version, &mut Seen::default());
        asked.answers(reader, Language::OData, &twin, &expected);
    }
}

fn versioned(question: &Query) -> Vec<custodia_query::Field> {
    let version = table_of(question.table).column("versionnumber").map(|column| column.id);
    let version = version.map(custodia_query::Field::Column);
    let mut fields = question.fields.clone();
    fields.retain(|field| Some(*field) != version);
    fields.splice(1.min(fields.len())..1.min(fields.len()), version);
    fields
}

fn groups(
    reader: &Reader<'_>,
    vocabulary: &Vocabulary<'_>,
    asked: &Asked<'_>,
    naive: &Naive<'_>,
    numbers: &mut Numbers,
    met: &mut Met,
) {
    let language = *numbers.pick(&[Language::OData, Language::FetchXml]);
    let saying = vocabulary.groups(language, numbers.next()).unwrap();
    let question = &saying.question;
    let (kind, read) = match language {
        Language::OData => ("groups in options", reader.groups_through_options(&saying.phrases, question)),
        Language::FetchXml => ("groups in fetch", reader.groups_through_fetch(&saying.phrases, question)),
    };
    let Some(read) = read else { return };
    assert_eq!(read, *question);
    let rows = Value::BigInt(i64::try_from(naive.matching(&question.rows).len()).unwrap());
    let expected = naive.aggregated(question).map(|groups| {
        let with_rows = groups.into_iter().map(|mut group| {
            group.push(rows.clone());
            group
        });
        with_rows.collect::<Vec<_>>()
    });
    let about = (asked.database.dialect(), asked.plan, asked.policy);
    assert_eq!(asked.groups(&read), expected, "{about:#?}\n{question:#?}");
    met.note(kind);
    met.note(if expected.is_some_and(|groups| groups.len() > 1) { "several groups" } else { "one group" });
    met.groups(question);
    if let Language::OData = language
        && let Some(twin) = linked_groups(reader.schema, question)
        && let Some(read) = reader.groups_through_fetch(&[], &twin)
    {
        assert_eq!(asked.groups(&read), asked.groups(question), "{about:#?}\n{question:#?}\n{read:#?}");
        met.note("twin of groups");
    }
}

fn note(met: &mut Met, kind: &str, question: &Query, expected: &[Vec<Value>]) {
    met.note(kind);
    met.query(question);
    if !expected.is_empty() {
        met.note("some rows");
    }
    if question.can_seek() && expected.len() > usize::try_from(question.page_size).unwrap() {
        met.note("pages by cookie");
    }
}
