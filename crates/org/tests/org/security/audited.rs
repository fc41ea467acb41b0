//! Who may know what of the audit, over generated worlds whose records change, against the oracle: the set of all entries,
//! histories of records and of single columns, and single entries. Also shows that the comparison would notice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use custodia_oracle::{
    Asker, AuditEvent, MASKED_COLUMNS, SECURED_COLUMNS, ToldEntry, ToldValue, World, WorldTable, after_events,
    audit_events, audit_shows, entries_of, told_history,
};
use custodia_org::{Caller, Error, HISTORY_PAGE_MAX, HistoryPage, Precondition, Reference, Rows, Told};
use custodia_query::{Field, Filter, Path, Query};
use custodia_schema::{ColumnId, Guid, Value};
use custodia_testbed::effort;
use futures::StreamExt;

use crate::security::load::{Slip, column_value, text};
use crate::security::stage::{Stage, askers};
use crate::world::Engine;

/// How often a thing must have occurred to count as tested.
const OFTEN: u64 = 20;
/// Worlds of one engine, and those that are asked at the same time.
const WORLDS: u64 = 40;
const WORLDS_AT_ONCE: usize = 4;
/// Worlds in which a wrong rule must show.
const WORLDS_PER_WRONG: u64 = 20;

/// Something wrong, planted in what is asked or in what happens to the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// While loading.
    Loaded(Slip),
    /// Who acts for another asks as that one.
    UserAlone,
    /// Who acts for another asks for themselves.
    CallerAlone,
    /// Histories are told as to an administrator.
    AsAdministrator,
    /// The history of a column is that of the record.
    ColumnForgotten,
    /// Whoever reads a record is told what became of an earlier one that had its id.
    FormerLifeTold,
    /// A single entry is that before it.
    EntryBefore,
    /// The set of all entries is asked as by an administrator.
    SetAsAdministrator,
}

impl Wrong {
    const ALL: [Self; 12] = [
        Self::Loaded(Slip::AuditForgotten),
        Self::Loaded(Slip::HistoryGiven),
        Self::Loaded(Slip::ProfilesReadByUpdate),
        Self::Loaded(Slip::ProfilesOfUsers),
        Self::Loaded(Slip::UnitOfRows),
        Self::UserAlone,
        Self::CallerAlone,
        Self::AsAdministrator,
        Self::ColumnForgotten,
        Self::FormerLifeTold,
        Self::EntryBefore,
        Self::SetAsAdministrator,
    ];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audits_are_told_as_the_oracle_says_on_sqlite() {
    audits_are_told_as_the_oracle_says(Engine::Sqlite, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audits_are_told_as_the_oracle_says_on_postgres() {
    audits_are_told_as_the_oracle_says(Engine::Postgres, 1_000_000).await;
}

async fn audits_are_told_as_the_oracle_says(engine: Engine, first: u64) {
    let stage = stage(engine).await;
    let mut worlds = Vec::new();
    for seed in first..first + WORLDS * u64::from(effort()) {
        worlds.push(Audited::new(&stage, seed, None).await);
    }
    let asked = worlds.into_iter().map(|world| {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move { world.compare(&stage, None).await })
    });
    let mut asked = futures::stream::iter(asked).buffer_unordered(WORLDS_AT_ONCE);
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    while let Some(compared) = asked.next().await {
        let compared = compared.unwrap();
        let shown = &compared.differences[..compared.differences.len().min(5)];
        assert!(compared.differences.is_empty(), "{} differences:\n{}", compared.differences.len(), shown.join("\n"));
        for (what, count) in compared.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    let questions: u64 = counts.iter().filter(|(what, _)| what.contains(':')).map(|(_, count)| count).sum();
    custodia_testbed::tell(&format!("audit on {engine:?}: {questions} questions about who may know"));
    println!("{counts:#?}");
    let rare: Vec<_> = COUNTED.iter().filter(|what| counts.get(*what).copied().unwrap_or(0) < OFTEN).collect();
    assert!(rare.is_empty(), "too rare to count as tested: {rare:?}");
}

/// What has to occur.
const COUNTED: [&str; 11] = [
    "set: shown",
    "set: some tables",
    "set: refused",
    "history: told",
    "history: refused",
    "column: told",
    "entry: told",
    "entry: refused",
    "value",
    "hidden value",
    "entries of a former life left out",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_told_wrongly_of_the_audit_is_found() {
    let stage = stage(Engine::Sqlite).await;
    let mut missed = Vec::new();
    for (at, wrong) in Wrong::ALL.into_iter().enumerate() {
        let mut found = None;
        for seed in 0..WORLDS_PER_WRONG {
            let world = Audited::new(&stage, 1_000 * (at as u64 + 1) + seed, Some(wrong)).await;
            let compared = world.compare(&stage, Some(wrong)).await;
            found = compared.differences.into_iter().next();
            if found.is_some() {
                break;
            }
        }
        match found {
            Some(difference) => println!("{wrong:?}: {difference}"),
            None => missed.push(wrong),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// An organisation whose audit tells of the tables whose records change.
async fn stage(engine: Engine) -> Arc<Stage> {
    let stage = Stage::new(engine).await;
    for table in [WorldTable::Account, WorldTable::Contact, WorldTable::Opportunity] {
        stage.org.audit_table(&stage.made.admin(), stage.table(table).id, true).await.unwrap();
    }
    stage
}

/// A world with what became of its records.
struct Audited {
    before: World,
    now: World,
    events: Vec<AuditEvent>,
}

#[derive(Default)]
struct Compared {
    differences: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

impl Audited {
    async fn new(stage: &Stage, seed: u64, wrong: Option<Wrong>) -> Self {
        let slip = if let Some(Wrong::Loaded(slip)) = wrong { Some(slip) } else { None };
        let before = stage.world(seed, slip).await;
        let events = audit_events(&before);
        let now = after_events(&before, &events);
        let audited = Self { before, now, events };
        for event in &audited.events {
            audited.happen(stage, event).await;
        }
        audited
    }

    fn table_of(&self, record: Guid) -> WorldTable {
        self.before.record(record).unwrap().table
    }

    /// Lets an event happen, by an administrator.
    async fn happen(&self, stage: &Stage, event: &AuditEvent) {
        let admin = stage.made.admin();
        let table = self.table_of(event.record());
        let target = Reference::id(stage.table(table).id, event.record());
        let change = async |column: &str, value: Value| {
            let input = stage.made.input(table.name(), &[(column, value)]);
            stage.org.update(&admin, target.clone(), input, Precondition::Exists).await.unwrap();
        };
        match event {
            AuditEvent::Number(_, column, number) => change(column, column_value(column, *number)).await,
            AuditEvent::Text(_, column, value) => change(column, text(value)).await,
            AuditEvent::Name(_, name) => change(table.name_column().unwrap(), text(name)).await,
            AuditEvent::Remove(_) => stage.org.delete(&admin, target, Precondition::None).await.unwrap(),
            AuditEvent::Remake(id, owner, name) => {
                let columns = [("lastname", text(name)), ("ownerid", stage.made.lookup("systemuser", *owner))];
                let mut input = stage.made.input("contact", &columns);
                input.id = Some(*id);
                stage.org.create(&admin, input).await.unwrap();
            }
        }
    }

    /// Asks everybody's questions about all records to which something happened.
    async fn compare(&self, stage: &Stage, wrong: Option<Wrong>) -> Compared {
        let mut compared = Compared::default();
        let records: BTreeSet<Guid> = self.events.iter().map(AuditEvent::record).collect();
        // Which entry tells of which event: those of a record, in their order.
        let mut ids: BTreeMap<(Guid, usize), Guid> = BTreeMap::new();
        for record in &records {
            let table = self.table_of(*record);
            let all = history(stage, &stage.made.admin(), table, *record, None).await.unwrap();
            let events = entries_of(&self.before, &self.events, table, *record);
            if all.len() != events.len() {
                compared.differences.push(format!("{} entries tell of {record}, {} events", all.len(), events.len()));
                return compared;
            }
            ids.extend(events.into_iter().zip(all.iter().rev()).map(|(event, told)| ((*record, event), told.id())));
        }
        for asker in askers(&self.before) {
            let asking = Asking { stage, asker, wrong, ids: &ids };
            self.set(&asking, &records, &mut compared).await;
            for record in &records {
                self.histories(&asking, *record, &mut compared).await;
            }
        }
        compared
    }

    /// The set of all entries, as far as they are about these records.
    async fn set(&self, asking: &Asking<'_>, records: &BTreeSet<Guid>, compared: &mut Compared) {
        let shows: Vec<Option<bool>> =
            records.iter().map(|record| audit_shows(&self.now, asking.asker, self.table_of(*record))).collect();
        let expected: Option<BTreeSet<Guid>> = shows.iter().copied().collect::<Option<Vec<bool>>>().map(|shows| {
            let shown: BTreeSet<Guid> =
                records.iter().zip(shows).filter(|(_, shown)| *shown).map(|(id, _)| *id).collect();
            asking.ids.iter().filter(|((record, _), _)| shown.contains(record)).map(|(_, id)| *id).collect()
        });
        let audit = asking.stage.schema.table_named("audit").unwrap();
        let about = Path::own(audit.column("objectid").unwrap().id);
        let query = Query {
            fields: vec![Field::Column(audit.primary_id)],
            filter: Filter::In { path: about, values: records.iter().map(|id| Value::Guid(*id)).collect() },
            ..Query::of(audit, 5_000)
        };
        let caller = match asking.wrong {
            Some(Wrong::SetAsAdministrator) => asking.stage.made.admin(),
            _ => asking.caller(),
        };
        let mut sink = Rows::default();
        let found = match asking.stage.org.query(&caller, &query, &mut sink).await {
            Ok(_) => Some(sink.rows.iter().map(|row| row[0].guid().unwrap()).collect::<BTreeSet<Guid>>()),
            Err(Error::Denied(_)) => None,
            Err(error) => panic!("{error}"),
        };
        compared.count(match &expected {
            None => "set: refused",
            Some(shown) if shown.len() < asking.ids.len() && !shown.is_empty() => "set: some tables",
            Some(_) => "set: shown",
        });
        if found != expected {
            compared.differ(self, asking, "the set audits", expected, found);
        }
    }

    async fn histories(&self, asking: &Asking<'_>, record: Guid, compared: &mut Compared) {
        let table = self.table_of(record);
        let told = told_history(&self.before, &self.events, asking.asker, table, record);
        let all = entries_of(&self.before, &self.events, table, record);
        if told.as_ref().is_some_and(|told| told.len() < all.len()) {
            compared.count("entries of a former life left out");
        }
        compared.count(if told.is_some() { "history: told" } else { "history: refused" });
        let caller = match asking.wrong {
            Some(Wrong::AsAdministrator) => asking.stage.made.admin(),
            Some(Wrong::FormerLifeTold) if told.as_ref().is_some_and(|told| told.len() < all.len()) => {
                asking.stage.made.admin()
            }
            _ => asking.caller(),
        };
        let found = history(asking.stage, &caller, table, record, None).await;
        self.check(asking, (record, "history"), told.as_deref(), found, compared);

        let column = known_columns(table)[asking.turn() % known_columns(table).len()];
        let of_column = told.as_ref().map(|told| {
            told.iter().filter(|entry| entry.values.contains_key(column)).cloned().collect::<Vec<ToldEntry>>()
        });
        compared.count(match &of_column {
            Some(told) if !told.is_empty() => "column: told",
            Some(_) => "column: nothing told",
            None => "column: refused",
        });
        let only = (asking.wrong != Some(Wrong::ColumnForgotten)).then(|| asking.stage.column(table, column));
        let found = history(asking.stage, &caller, table, record, only).await;
        self.check(asking, (record, column), of_column.as_deref(), found, compared);

        for (at, event) in all.iter().enumerate() {
            let entry = told.iter().flatten().find(|entry| entry.event == *event).cloned();
            compared.count(if entry.is_some() { "entry: told" } else { "entry: refused" });
            let asked = match asking.wrong {
                Some(Wrong::EntryBefore) => all[at.saturating_sub(1)],
                _ => *event,
            };
            let found = match asking.stage.org.audit_entry(&caller, asking.ids[&(record, asked)]).await {
                Ok(told) => Some(vec![told]),
                Err(Error::Denied(_) | Error::NotFound { .. }) => None,
                Err(error) => panic!("{error}"),
            };
            self.check(asking, (record, "entry"), entry.map(|entry| vec![entry]).as_deref(), found, compared);
        }
    }

    /// Compares what is told with what the oracle says is.
    fn check(
        &self,
        asking: &Asking<'_>,
        (record, what): (Guid, &str),
        expected: Option<&[ToldEntry]>,
        found: Option<Vec<Told>>,
        compared: &mut Compared,
    ) {
        let table = self.table_of(record);
        let about = format!("{what} of {} {record}", table.name());
        let (expected, found) = match (expected, found) {
            (None, None) => return,
            (Some(expected), Some(found)) => (expected, found),
            (expected, found) => return compared.differ(self, asking, &about, expected, found),
        };
        let wanted: Vec<Guid> = expected.iter().map(|entry| asking.ids[&(record, entry.event)]).collect();
        let told: Vec<Guid> = found.iter().map(Told::id).collect();
        if wanted != told {
            return compared.differ(self, asking, &about, wanted, told);
        }
        for (entry, told) in expected.iter().zip(&found) {
            for column in known_columns(table) {
                let id = asking.stage.column(table, column);
                let change = told.record.entry.changes.iter().find(|change| change.column == id);
                let found = change.map(|change| (change.old.clone(), change.new.clone(), told.hidden.contains(&id)));
                let expected = entry.values.get(column).map(|value| told_value(column, value));
                compared.count_value(expected.as_ref());
                if found != expected {
                    let about = format!("{about}, {column} after event {}", entry.event);
                    compared.differ(self, asking, &about, expected, found);
                }
            }
        }
    }
}

impl Compared {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn count_value(&mut self, value: Option<&(Value, Value, bool)>) {
        match value {
            Some((.., true)) => self.count("hidden value"),
            Some(_) => self.count("value"),
            None => {}
        }
    }

    fn differ(
        &mut self,
        of: &Audited,
        asking: &Asking<'_>,
        about: &str,
        expected: impl std::fmt::Debug,
        told: impl std::fmt::Debug,
    ) {
        let (seed, asker) = (of.before.seed, asking.asker);
        self.differences.push(format!("world {seed}, {asker:?}, {about}:\n  expected {expected:?}\n  told {told:?}"));
    }
}

/// Who asks, and what is known beside.
struct Asking<'a> {
    stage: &'a Stage,
    asker: Asker,
    wrong: Option<Wrong>,
    /// The id of the entry about an event of a record.
    ids: &'a BTreeMap<(Guid, usize), Guid>,
}

impl Asking<'_> {
    fn caller(&self) -> Caller {
        let asker = match (self.wrong, self.asker.caller) {
            (Some(Wrong::UserAlone), Some(_)) => Asker { caller: None, ..self.asker },
            (Some(Wrong::CallerAlone), Some(caller)) => Asker { user: caller, caller: None },
            _ => self.asker,
        };
        self.stage.caller(asker)
    }

    /// A number that differs from asker to asker.
    fn turn(&self) -> usize {
        usize::from(self.asker.user.as_bytes()[0]) + usize::from(self.asker.caller.is_some())
    }
}

/// The entries of a record, newest first; `None` where they are refused.
async fn history(
    stage: &Stage,
    caller: &Caller,
    table: WorldTable,
    record: Guid,
    column: Option<ColumnId>,
) -> Option<Vec<Told>> {
    let page = HistoryPage { number: 1, after: None, limit: HISTORY_PAGE_MAX, count: true, column };
    match stage.org.record_history(caller, stage.table(table).id, record, page).await {
        Ok(history) => {
            assert_eq!(history.total, Some(history.entries.len()));
            Some(history.entries)
        }
        Err(Error::Denied(_) | Error::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The columns of a table that the oracle knows.
fn known_columns(table: WorldTable) -> Vec<&'static str> {
    let secured = SECURED_COLUMNS.iter().filter(|(of, _)| *of == table).map(|(_, column)| *column);
    let masked = MASKED_COLUMNS.iter().filter(|masked| masked.table == table).map(|masked| masked.column);
    secured.chain(masked).chain(table.name_column()).collect()
}

/// What an entry says of a column: before, after, and whether that is left out.
fn told_value(column: &str, value: &ToldValue) -> (Value, Value, bool) {
    let number = |number: &Option<i64>| number.map_or(Value::Null, |number| column_value(column, number));
    let words = |words: &Option<String>| words.as_deref().map_or(Value::Null, text);
    match value {
        ToldValue::Hidden => (Value::Null, Value::Null, true),
        ToldValue::Numbers(old, new) => (number(old), number(new), false),
        ToldValue::Texts(old, new) => (words(old), words(new), false),
    }
}
