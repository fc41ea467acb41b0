//! Two organisations that differ only in values that some askers may not see answer those askers the same bytes: to the
//! questions that the oracle judges, and to questions made up in every language.

use std::sync::Arc;

use custodia_oracle::speech::{Language, Vocabulary, linked, linked_groups};
use custodia_oracle::{Asker, World, WorldTable};
use custodia_query::fetchxml::Fetch;
use custodia_query::odata::{query_string, write_apply, write_options};
use custodia_query::{Aggregation, Phrase, Query, Words, operator};
use custodia_schema::{Column, ColumnId, ColumnKind, Guid, Money, Table, TableId, Value};
use custodia_testbed::effort;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::asking::{Changes, refuses_any, send};
use crate::cases::cases;
use crate::security::load::load;
use crate::security::stage::{Sample, Stage, askers};
use crate::world::Engine;

/// Askers of one world, and questions made up for each.
const ASKERS: usize = 2;
const SPOKEN: u64 = 40;

/// The columns that questions are made up about; those of the worlds that are secured, and what is derived, among them.
const COLUMNS: [(WorldTable, &[&str]); 2] = [
    (
        WorldTable::Account,
        &[
            "accountid",
            "name",
            "creditlimit",
            "creditlimit_base",
            "parentaccountid",
            "ownerid",
            "statecode",
            "versionnumber",
        ],
    ),
    (
        WorldTable::Contact,
        &[
            "contactid",
            "lastname",
            "jobtitle",
            "address1_city",
            "address1_composite",
            "parentcustomerid",
            "ownerid",
            "statecode",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_values_change_no_byte_on_sqlite() {
    hidden_values_change_no_byte(Engine::Sqlite, 2_000_000, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_values_change_no_byte_on_postgres() {
    hidden_values_change_no_byte(Engine::Postgres, 3_000_000, 5).await;
}

async fn hidden_values_change_no_byte(engine: Engine, first: u64, worlds: u64) {
    let (mut asked, mut hidden, mut with_rows) = (0, 0, 0);
    for seed in first..first + worlds * u64::from(effort()) {
        // Worlds of their own: who reaches everything would see the values of those before.
        let twins = Twins::new(engine, seed).await;
        hidden += twins.hidden;
        for asker in &twins.askers {
            for target in twins.targets(*asker, seed) {
                let [one, other] = twins.answers(*asker, &target).await;
                assert_eq!(one, other, "world {seed}, {asker:?}: {target}");
                asked += 1;
                with_rows += u64::from(one.0 == 200 && !one.1.contains("\"value\":[]"));
            }
        }
    }
    custodia_testbed::tell(&format!(
        "leaks on {engine:?}: {asked} requests to two organisations, {hidden} hidden values, {with_rows} with rows"
    ));
    assert!(hidden >= 2 * worlds && with_rows * 3 > asked, "{hidden} hidden, {with_rows} of {asked} with rows");
}

/// The comparison notices values that were not hidden: some asker is shown or finds them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_not_hidden_is_noticed() {
    for seed in 4_000_000..4_000_020 {
        let mut twins = Twins::new(Engine::Sqlite, seed).await;
        // Somebody else asks, who was not asked about when the values were changed.
        twins.askers = askers(&twins.world).into_iter().filter(|asker| !twins.askers.contains(asker)).collect();
        for asker in &twins.askers {
            for target in twins.targets(*asker, seed) {
                let [one, other] = twins.answers(*asker, &target).await;
                if one != other {
                    return;
                }
            }
        }
    }
    panic!("nobody was shown a difference");
}

/// A world, in two organisations.
struct Twins {
    world: World,
    stages: [Arc<Stage>; 2],
    links: [String; 2],
    askers: Vec<Asker>,
    /// How many values differ.
    hidden: u64,
}

impl Twins {
    async fn new(engine: Engine, seed: u64) -> Self {
        let world = World::generate(seed, None);
        let both = [WorldTable::Account, WorldTable::Contact];
        let sees = |asker: &Asker| refuses_any(&world, *asker, &both) == Some(false);
        let some: Vec<Asker> = askers(&world).into_iter().filter(sees).take(ASKERS).collect();
        let mut twin = world.clone();
        let mut hidden = 0;
        for record in &mut twin.records {
            for (column, value) in &mut record.values {
                if !some.iter().any(|asker| world.opens_on(*asker, record.table, column, record.id)) {
                    *value += 1_000;
                    hidden += 1;
                }
            }
        }
        let stages = [Stage::new(engine).await, Stage::new(engine).await];
        let mut links = Vec::new();
        for (stage, world) in stages.iter().zip([&world, &twin]) {
            let changes = Changes::begin(stage).await;
            load(stage, world, None).await;
            links.push(changes.link().to_owned());
        }
        Self { world, stages, links: links.try_into().unwrap(), askers: some, hidden }
    }

    /// What is asked in the name of an asker.
    fn targets(&self, asker: Asker, seed: u64) -> Vec<String> {
        let mut targets: Vec<String> =
            (0..3).flat_map(|turn| cases(&self.world, asker, turn)).map(|case| case.target).collect();
        targets.push(CHANGES.to_owned());
        let schema = &self.stages[0].schema;
        let table = |table: WorldTable| self.stages[0].table(table);
        let tables: Vec<(TableId, Vec<ColumnId>)> = COLUMNS
            .iter()
            .map(|(of, columns)| (table(*of).id, columns.iter().map(|name| self.stages[0].column(*of, name)).collect()))
            .collect();
        let speaker = operator::Asker::plain(1_767_323_045, asker.user, Guid::nil());
        let ids: Vec<Guid> = self.world.records.iter().map(|record| record.id).collect();
        let value = |number: u64, _: &Table, column: &Column| value_of(number, column, &ids);
        let vocabulary =
            Vocabulary { schema, asker: &speaker, tables: &tables, asked: 2, collections: true, value: &value };
        let mut numbers = Sample::new(seed ^ u64::from(asker.user.as_fields().0), 1);
        for _ in 0..SPOKEN {
            let mut number = || numbers.below(usize::MAX) as u64;
            if let Some(saying) = vocabulary.query(Language::OData, number()) {
                targets.extend(
                    self.options(&Words { schema, asker: &speaker, phrases: &saying.phrases }, &saying.question),
                );
                if let Some(twin) = linked(schema, &saying.question) {
                    targets.extend(self.fetch(&Words { schema, asker: &speaker, phrases: &[] }, &twin));
                }
            }
            if let Some(saying) = vocabulary.query(Language::FetchXml, number()) {
                targets
                    .extend(self.fetch(&Words { schema, asker: &speaker, phrases: &saying.phrases }, &saying.question));
            }
            for language in [Language::OData, Language::FetchXml] {
                let Some(saying) = vocabulary.groups(language, number()) else { continue };
                targets.extend(self.groups(
                    &Words { schema, asker: &speaker, phrases: &saying.phrases },
                    &saying.question,
                    language,
                ));
            }
        }
        targets
    }

    fn set(&self, table: TableId) -> &str {
        &self.stages[0].schema.table(table).unwrap().set_name
    }

    fn options(&self, words: &Words<'_>, query: &Query) -> Option<String> {
        let options = write_options(words, query).ok()?;
        let text = query_string(options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Some(format!("{}?{text}", self.set(query.table)))
    }

    fn fetch(&self, words: &Words<'_>, query: &Query) -> Option<String> {
        let text = Fetch::of_query(words, query).ok()?.print();
        Some(format!("{}?fetchXml={}", self.set(query.table), utf8_percent_encode(&text, NON_ALPHANUMERIC)))
    }

    fn groups(&self, words: &Words<'_>, question: &Aggregation, language: Language) -> Option<String> {
        let set = self.set(question.rows.table);
        if language == Language::OData {
            let options = write_apply(words, question).ok()?;
            let text = query_string(options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            return Some(format!("{set}?{text}"));
        }
        let fetch = Fetch::of_groups(words, question).ok().or_else(|| {
            let twin = linked_groups(words.schema, question)?;
            let none: &[Phrase] = &[];
            Fetch::of_groups(&Words { phrases: none, ..*words }, &twin).ok()
        })?;
        Some(format!("{set}?fetchXml={}", utf8_percent_encode(&fetch.print(), NON_ALPHANUMERIC)))
    }

    /// What both answer. The ids that each organisation drew for itself are left out.
    async fn answers(&self, asker: Asker, target: &str) -> [(u16, String); 2] {
        let mut answers = Vec::new();
        for (stage, link) in self.stages.iter().zip(&self.links) {
            let target = if target == CHANGES { link } else { target };
            let headers = [("prefer", "odata.include-annotations=\"*\"")];
            let (status, mut body) = send(stage, &stage.caller(asker), "GET", target, &headers, String::new()).await;
            for own in [stage.seeded.unit, stage.seeded.administrator, stage.currency, stage.org.id()] {
                body = body.replace(&own.to_string(), "own");
            }
            // A link to what changed next says in which epoch of its organisation that was.
            if let Some(at) = body.find("\"@odata.deltaLink\"") {
                body.truncate(at);
            }
            answers.push((status, body));
        }
        answers.try_into().unwrap()
    }
}

/// Stands for the changes since before the world.
const CHANGES: &str = "changes";

/// A value of a column as it might be there.
fn value_of(number: u64, column: &Column, ids: &[Guid]) -> Value {
    let small = i64::try_from(number % 2_000).unwrap() + 1;
    match &column.kind {
        ColumnKind::Money { .. } => Value::Money(Money(small * 10_000)),
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Value::Text(format!("{} {small}", column.name)),
        ColumnKind::State { .. } | ColumnKind::Integer { .. } | ColumnKind::Choice { .. } => {
            Value::Integer(i32::try_from(small % 2).unwrap())
        }
        ColumnKind::BigInt => Value::BigInt(small),
        _ => Value::Guid(ids[usize::try_from(number).unwrap() % ids.len()]),
    }
}
