//! What becomes of a world's records while the audit is on, and who may know of it (security model 9.6, and the choices in
//! docs/security-choices.md).

use std::collections::BTreeMap;

use custodia_schema::{Guid, Level, PrivilegeKind};

use crate::create::may_not_own;
use crate::grant::{barred, held};
use crate::random::Random;
use crate::row::may_not_act_for;
use crate::{Asker, ColumnRight, MASKED_COLUMNS, Protection, Record, SECURED_COLUMNS, World, WorldTable, column_open};

/// The privilege to read the audit.
pub const READ_AUDIT: &str = "prvReadAuditSummary";
/// The privilege to read histories of records, besides.
pub const READ_HISTORY: &str = "prvReadRecordAuditHistory";

/// Tables whose records change.
const CHANGING: [WorldTable; 3] = [WorldTable::Account, WorldTable::Contact, WorldTable::Opportunity];

/// Something that became of a record, by somebody who may do everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A secured column got another number.
    Number(Guid, &'static str, i64),
    /// A masked column got another text.
    Text(Guid, &'static str, String),
    /// The name changed.
    Name(Guid, String),
    /// A contact was removed. Nothing hangs on contacts.
    Remove(Guid),
    /// A contact was made under the id of one that was removed, owned by this user, and nothing but a name in it.
    Remake(Guid, Guid, String),
}

impl AuditEvent {
    /// The record that it is about.
    #[must_use]
    pub fn record(&self) -> Guid {
        match self {
            Self::Number(record, ..)
            | Self::Text(record, ..)
            | Self::Name(record, ..)
            | Self::Remove(record)
            | Self::Remake(record, ..) => *record,
        }
    }
}

/// What an entry tells of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToldValue {
    /// That it changed, and not how.
    Hidden,
    /// The numbers of a secured column.
    Numbers(Option<i64>, Option<i64>),
    /// The texts of a masked column or a name.
    Texts(Option<String>, Option<String>),
}

/// An entry as it is told to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldEntry {
    /// Which of the events it is about.
    pub event: usize,
    /// What it tells of the columns that worlds know. It may tell of others.
    pub values: BTreeMap<&'static str, ToldValue>,
}

/// What becomes of a world's records, in order; the same for the same world. In every world some columns change, most worlds lose
/// a contact, and in many another one gets its id.
#[must_use]
pub fn audit_events(world: &World) -> Vec<AuditEvent> {
    let mut random = Random::new(world.seed ^ 0x6175_6469_7420_6f66);
    let mut events = Vec::new();
    let changing: Vec<&Record> = world.records.iter().filter(|record| CHANGING.contains(&record.table)).collect();
    for _ in 0..random.between(6, 9) {
        let Some(record) = random.pick(&changing) else { break };
        let numbers: Vec<_> = SECURED_COLUMNS.iter().filter(|(table, _)| *table == record.table).collect();
        let texts: Vec<_> = MASKED_COLUMNS.iter().filter(|masked| masked.table == record.table).collect();
        let number = i64::try_from(random.between(1_001, 2_000)).unwrap_or(1_001);
        match random.below(4) {
            0 | 1 => {
                if let Some((_, column)) = random.pick(&numbers) {
                    events.push(AuditEvent::Number(record.id, column, number));
                }
            }
            2 => {
                if let Some(masked) = random.pick(&texts) {
                    events.push(AuditEvent::Text(record.id, masked.column, format!("Ext {number}")));
                }
            }
            _ => events.push(AuditEvent::Name(record.id, format!("{} called {number}", record.name))),
        }
    }
    let contacts: Vec<&Record> = changing.into_iter().filter(|record| record.table == WorldTable::Contact).collect();
    if let Some(gone) = random.pick(&contacts).filter(|_| random.percent(75)) {
        events.push(AuditEvent::Remove(gone.id));
        // Mostly somebody who reads histories, and so would like to know what that one was.
        let reads = |user: Guid| holds(world, user, READ_AUDIT) && holds(world, user, READ_HISTORY);
        let able = world.users.iter().map(|user| user.id);
        let mut able: Vec<Guid> =
            able.filter(|user| may_not_own(world, *user, WorldTable::Contact).is_none()).collect();
        if able.iter().any(|user| reads(*user)) && random.percent(80) {
            able.retain(|user| reads(*user));
        }
        if let Some(&owner) = random.pick(&able) {
            events.push(AuditEvent::Remake(gone.id, owner, format!("{} again", gone.name)));
        }
    }
    events
}

/// The world after the first so many of its events.
#[must_use]
pub fn after_events(world: &World, events: &[AuditEvent]) -> World {
    let mut world = world.clone();
    for event in events {
        let gone = matches!(event, AuditEvent::Remove(_));
        if gone {
            let id = event.record();
            world.records.retain(|record| record.id != id);
            world.shares.retain(|share| share.record != id);
            world.column_shares.retain(|share| share.record != id);
            continue;
        }
        if let AuditEvent::Remake(id, owner, name) = event {
            world.records.push(Record {
                id: *id,
                table: WorldTable::Contact,
                name: name.clone(),
                owner: Some(*owner),
                unit: world.user(*owner).map(|user| user.unit),
                lookups: Vec::new(),
                values: Vec::new(),
                texts: Vec::new(),
            });
            continue;
        }
        let Some(record) = world.records.iter_mut().find(|record| record.id == event.record()) else { continue };
        match event {
            AuditEvent::Number(_, column, number) => {
                record.values.retain(|(of, _)| of != column);
                record.values.push((column, *number));
            }
            AuditEvent::Text(_, column, text) => {
                record.texts.retain(|(of, _)| of != column);
                record.texts.push((column, text.clone()));
            }
            AuditEvent::Name(_, name) => record.name.clone_from(name),
            AuditEvent::Remove(_) | AuditEvent::Remake(..) => {}
        }
    }
    world
}

/// Whether the set of all entries shows an asker those about a table; `None` when it is refused altogether. `world` is as it is
/// now. An entry says that there is a row and when it changed, so it is for those who may read rows of the table at all.
#[must_use]
pub fn audit_shows(world: &World, asker: Asker, table: WorldTable) -> Option<bool> {
    if may_not_ask(world, asker) || !everybody(asker, |user| holds(world, user, READ_AUDIT)) {
        return None;
    }
    Some(everybody(asker, |user| passes_gate(world, user, table)))
}

/// What an asker is told of a record's history, newest first; `None` where it is refused. `before` is the world as it was before
/// all `events`.
#[must_use]
pub fn told_history(
    before: &World,
    events: &[AuditEvent],
    asker: Asker,
    table: WorldTable,
    record: Guid,
) -> Option<Vec<ToldEntry>> {
    let now = after_events(before, events);
    let privileged = |user| holds(&now, user, READ_AUDIT) && holds(&now, user, READ_HISTORY);
    if may_not_ask(&now, asker) || !everybody(asker, privileged) {
        return None;
    }
    // Of a row that is gone nobody knows any more whose it was.
    let reads_all = everybody(asker, |user| reads_every_row(&now, user, table));
    let reads_it = || now.record(record).is_some() && now.reads(asker, table, record);
    if !reads_all && !reads_it() {
        return None;
    }
    // A row that got the id of one that is gone does not make its reader the reader of that one.
    let gone = events.iter().rposition(|event| *event == AuditEvent::Remove(record));
    let first = if reads_all { 0 } else { gone.map_or(0, |gone| gone + 1) };
    let mut told = Vec::new();
    for (at, values) in changes_of(before, events, table, record).into_iter().filter(|(at, _)| *at >= first) {
        let shown = values.into_iter().map(|(column, value)| {
            (column, if is_told(&now, asker, table, column) { value } else { ToldValue::Hidden })
        });
        told.push(ToldEntry { event: at, values: shown.collect() });
    }
    told.reverse();
    Some(told)
}

/// The events that an entry is written of for a record, oldest first: a change to what a value was before is none.
#[must_use]
pub fn entries_of(before: &World, events: &[AuditEvent], table: WorldTable, record: Guid) -> Vec<usize> {
    changes_of(before, events, table, record).into_iter().map(|(at, _)| at).collect()
}

fn changes_of(
    before: &World,
    events: &[AuditEvent],
    table: WorldTable,
    record: Guid,
) -> Vec<(usize, BTreeMap<&'static str, ToldValue>)> {
    let mut changes = Vec::new();
    for (at, _) in events.iter().enumerate().filter(|(_, event)| event.record() == record) {
        let was = after_events(before, events.get(..at).unwrap_or_default());
        let is = after_events(before, events.get(..=at).unwrap_or_default());
        let values = changed_values(was.record(record), is.record(record), table);
        if !values.is_empty() {
            changes.push((at, values));
        }
    }
    changes
}

/// The columns whose values differ.
fn changed_values(was: Option<&Record>, is: Option<&Record>, table: WorldTable) -> BTreeMap<&'static str, ToldValue> {
    let mut changed = BTreeMap::new();
    let number = |record: Option<&Record>, column: &str| {
        record?.values.iter().find(|(of, _)| *of == column).map(|(_, number)| *number)
    };
    let text = |record: Option<&Record>, column: &str| {
        record?.texts.iter().find(|(of, _)| *of == column).map(|(_, text)| text.clone())
    };
    for (_, column) in SECURED_COLUMNS.iter().filter(|(of, _)| *of == table) {
        let (old, new) = (number(was, column), number(is, column));
        if old != new {
            changed.insert(*column, ToldValue::Numbers(old, new));
        }
    }
    for masked in MASKED_COLUMNS.iter().filter(|masked| masked.table == table) {
        let (old, new) = (text(was, masked.column), text(is, masked.column));
        if old != new {
            changed.insert(masked.column, ToldValue::Texts(old, new));
        }
    }
    let (old, new) = (was.map(|record| record.name.clone()), is.map(|record| record.name.clone()));
    if let Some(column) = table.name_column()
        && old != new
    {
        changed.insert(column, ToldValue::Texts(old, new));
    }
    changed
}

/// Whether values of a column are told: it is read in clear on every row. What was shared of one row tells nothing of the past,
/// and a mask is for what is shown now.
fn is_told(world: &World, asker: Asker, table: WorldTable, column: &str) -> bool {
    let is_masked = MASKED_COLUMNS.iter().any(|masked| masked.table == table && masked.column == column);
    !is_masked && everybody(asker, |user| column_open(world, user, ColumnRight::Read, table, column).allowed)
}

fn everybody(asker: Asker, test: impl Fn(Guid) -> bool) -> bool {
    test(asker.user) && asker.caller.is_none_or(test)
}

/// Whether something bars the asker from asking at all.
fn may_not_ask(world: &World, asker: Asker) -> bool {
    match asker.caller {
        Some(caller) => may_not_act_for(world, caller, asker.user).is_some(),
        None => barred(world, asker.user).is_some(),
    }
}

fn holds(world: &World, user: Guid, privilege: &str) -> bool {
    !held(world, user, privilege).is_empty()
}

/// Whether a user may read rows of a table at all, were there one to read.
fn passes_gate(world: &World, user: Guid, table: WorldTable) -> bool {
    let of = |table: WorldTable| {
        table.privilege(PrivilegeKind::Read).is_some_and(|privilege| holds(world, user, &privilege))
    };
    match table.protection() {
        Protection::Owned | Protection::Unit | Protection::Organization => of(table),
        Protection::Line => of(WorldTable::Quote),
        Protection::Link => of(WorldTable::Opportunity) && of(WorldTable::Competitor),
    }
}

/// Whether a user reads every row of a table, whatever row it is.
fn reads_every_row(world: &World, user: Guid, table: WorldTable) -> bool {
    let Some(privilege) = table.privilege(PrivilegeKind::Read) else { return false };
    held(world, user, &privilege).iter().any(|held| held.level == Level::Global)
}
