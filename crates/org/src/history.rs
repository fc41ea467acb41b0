//! What the audit tells of one record, to those who may know it.
//!
//! It takes the privilege to read histories and the one to read the audit, and Read on the record as it is now. Of a
//! record that is gone nobody knows any more whose it was: its history is for those who read every row of its table.
//! Values of columns that are closed to the caller are left out; that they changed is told. So is which record was linked
//! with it, where the caller may not read that one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use custodia_access::{Authority, RowAccess};
use custodia_query::{Filter, Path, Query};
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Schema, Table, TableId, Value};
use custodia_store::{AuditFilter, AuditOperation, AuditPage, AuditRecord, RowKey, audit_id, audit_number};

use crate::audit_detail::{AuditDetail, action};
use crate::caller::Caller;
use crate::changes::Change;
use crate::error::{Error, Result};
use crate::input::{Input, Precondition, RecordInput, Reference};
use crate::model;
use crate::organization::Organization;
use crate::reading::Policy;

/// The privilege to read what became of a record.
pub(crate) const READ_HISTORY: &str = "prvReadRecordAuditHistory";
/// Entries read at one time, and records that entries link with.
const PAGE: u32 = 500;
/// What an entry counts in a page beside its values and words: who did what when.
const ENTRY_BYTES: usize = 256;
/// Entries that one page of a history holds.
pub const HISTORY_PAGE_MAX: usize = 5_000;

/// Which part of a record's history is asked for, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// Which one, from 1; of those after `after`, where that is said.
    pub number: usize,
    /// It begins after this entry, which a page before ended with ([`History::next`]).
    pub after: Option<Guid>,
    /// Entries in it, at most: one that is full of bytes has fewer.
    pub limit: usize,
    /// Whether all are to be counted.
    pub count: bool,
    /// Only those that tell of this column.
    pub column: Option<ColumnId>,
}

/// A part of a record's history.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The entries.
    pub entries: Vec<Told>,
    /// What the next page begins after; `None` where there are no further ones.
    pub next: Option<Guid>,
    /// How many there are, if that was asked.
    pub total: Option<usize>,
}

/// An audit entry as it is told to somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The entry; values of columns that are closed to the caller are null.
    pub record: AuditRecord,
    /// Columns whose values are left out.
    pub hidden: HashSet<ColumnId>,
    /// What it says beside values.
    pub detail: Option<AuditDetail>,
}

impl Told {
    /// Its id in the set `audits`.
    #[must_use]
    pub fn id(&self) -> Guid {
        audit_id(self.record.number)
    }

    /// What it counts in a page. Nothing of this depends on what is hidden.
    fn bytes(&self) -> usize {
        let of = |value: &Value| match value {
            Value::Text(text) => text.len(),
            _ => size_of::<Value>(),
        };
        let values: usize = self.record.entry.changes.iter().map(|change| of(&change.old) + of(&change.new)).sum();
        let words = match &self.detail {
            None => 0,
            Some(AuditDetail::Link { relationship, .. }) => relationship.len(),
            Some(detail) => detail.to_text().len(),
        };
        ENTRY_BYTES + values + words
    }
}

/// Which entries about an id are of the record that has it now. An id can be given again, by anybody: that does not make
/// somebody the reader of what it named before.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    /// The last entry that is none of it.
    pub(crate) after: i64,
    /// When the record was made, seconds since 1970: of one that was made or deleted without being told of, that is all
    /// that is known.
    pub(crate) since: i64,
}

impl Life {
    /// Every record that ever had the id.
    pub(crate) const ALL: Self = Self { after: 0, since: i64::MIN };

    /// The entries that tell where the lives of records of an id begin and end: the newest one says enough.
    pub(crate) fn ends(table: TableId, id: Guid) -> AuditFilter {
        AuditFilter { actions: vec![action::CREATE, action::DELETE], ..AuditFilter::of_row(1, table, id) }
    }

    /// By number and action of the newest of these entries, and by when the present record was made.
    pub(crate) fn of(newest: Option<(i64, i32)>, made: Option<&Value>) -> Self {
        let after = match newest {
            Some((number, action::CREATE)) => number - 1,
            Some((number, _)) => number,
            None => 0,
        };
        let since = match made {
            Some(Value::DateTime(since)) => *since,
            _ => i64::MIN,
        };
        Self { after, since }
    }

    fn has(&self, record: &AuditRecord) -> bool {
        record.number > self.after && record.created >= self.since
    }
}

/// Divides a history into pages of so many entries or so many bytes, and keeps one of them.
struct Pages {
    wanted: usize,
    limit: usize,
    bytes_max: usize,
    /// The page that is being filled, its entries and bytes.
    at: usize,
    entries: usize,
    bytes: usize,
    kept: Vec<Told>,
    next: Option<Guid>,
}

impl Pages {
    fn new(wanted: usize, limit: usize, bytes_max: usize) -> Self {
        Self { wanted, limit, bytes_max, at: 1, entries: 0, bytes: 0, kept: Vec::new(), next: None }
    }

    fn put(&mut self, told: Told) {
        let bytes = told.bytes();
        if self.entries > 0 && (self.entries >= self.limit || self.bytes.saturating_add(bytes) > self.bytes_max) {
            (self.at, self.entries, self.bytes) = (self.at.saturating_add(1), 0, 0);
        }
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.at == self.wanted {
            self.kept.push(told);
        } else if self.at > self.wanted && self.next.is_none() {
            self.next = self.kept.last().map(Told::id);
        }
    }
}

impl Organization {
    /// What the audit tells of a record, newest first.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privileges or Read on the record; [`Error::NotFound`] for a record that neither is
    /// there nor was; [`Error::Invalid`] where the page is looked for over more than `history_entries` of the limits, or
    /// begins after what is no entry; store errors.
    pub async fn record_history(
        &self,
        caller: &Caller,
        table: TableId,
        id: Guid,
        page: HistoryPage,
    ) -> Result<History> {
        self.told_fresh(&caller.users(), || async {
            let authority = self.authority(caller).await?;
            let schema = self.schema();
            let found = self.check_reads_history(caller, &authority, &schema, table, id).await?;
            let history = self.history(&authority, &schema, &found, id, page).await?;
            if found.reads_audited {
                self.tell_reads(caller, vec![(found.id, id)], "its history".to_owned()).await?;
            }
            self.check_fresh(&authority, self.shared.database.head().await?.versions)?;
            Ok(history)
        })
        .await
    }

    /// One entry of the audit with all that it says.
    ///
    /// # Errors
    /// As [`Self::record_history`] for the record that it tells of; [`Error::NotFound`] when there is no such entry.
    pub async fn audit_entry(&self, caller: &Caller, id: Guid) -> Result<Told> {
        self.told_fresh(&caller.users(), || async {
            let authority = self.authority(caller).await?;
            let schema = self.schema();
            let missing = || Error::NotFound { table: "audit".to_owned(), id };
            self.check_reads_audit(&authority, &schema)?;
            let number = audit_number(id).ok_or_else(missing)?;
            let one = AuditFilter { before: number.saturating_add(1), ..AuditFilter::newest(1) };
            let found = self.shared.database.audit_entries(&one).await?;
            let record = found.into_iter().find(|record| record.number == number).ok_or_else(missing)?;
            let (table, row) = (record.entry.table, record.entry.row);
            let table = self.check_reads_history(caller, &authority, &schema, table, row).await?;
            if !self.life(&authority, &table, row).await?.has(&record) {
                return Err(missing());
            }
            if table.reads_audited {
                self.tell_reads(caller, vec![(table.id, row)], "an entry of its history".to_owned()).await?;
            }
            let mut told = [tell(&authority, &schema, &table, record)];
            self.hide_ends(&authority, &schema, &mut told).await?;
            self.check_fresh(&authority, self.shared.database.head().await?.versions)?;
            let [told] = told;
            Ok(told)
        })
        .await
    }

    /// The change that gives a record the values again that it had before what an entry tells of: an ordinary update by
    /// the caller, told of like any other. Columns that nobody sets are passed over, since they follow from others; `only`
    /// names those that are meant.
    ///
    /// # Errors
    /// As [`Self::audit_entry`]; [`Error::Invalid`] for an entry that is not of a change of values, or hides some of them
    /// from the caller, or says nothing that can be set again.
    pub async fn restored_from_audit(&self, caller: &Caller, id: Guid, only: Option<Vec<String>>) -> Result<Change> {
        let told = self.audit_entry(caller, id).await?;
        let entry = &told.record.entry;
        if entry.operation != AuditOperation::Update || entry.changes.is_empty() {
            return Err(Error::Invalid("only the values of a change can be restored".to_owned()));
        }
        if told.record.erased {
            return Err(Error::Invalid("the values of this entry were erased: there is nothing to restore".to_owned()));
        }
        let schema = self.schema();
        let table = table_of(&schema, entry.table)?;
        let mut columns = Vec::new();
        for change in &entry.changes {
            let Some(column) = table.column_by_id(change.column) else { continue };
            if only.as_ref().is_some_and(|only| !only.contains(&column.name)) || !column.updatable {
                continue;
            }
            if told.hidden.contains(&change.column) {
                let why = format!("the value of column '{}' before the change is hidden from the caller", column.name);
                return Err(Error::Invalid(why));
            }
            columns.push((column.id, Input::Value(change.old.clone())));
        }
        let named = |name: &String| {
            columns.iter().any(|(id, _)| table.column_by_id(*id).is_some_and(|column| column.name == *name))
        };
        if let Some(name) = only.iter().flatten().find(|name| !named(name)) {
            return Err(Error::Invalid(format!("the change does not tell of a column '{name}' that can be set")));
        }
        if columns.is_empty() {
            return Err(Error::Invalid("the change tells of no column that can be set".to_owned()));
        }
        let input = RecordInput { table: table.id, id: None, columns };
        let target = Reference::id(table.id, entry.row);
        Ok(Change::Update { target, input, when: Precondition::Exists })
    }

    fn check_reads_audit(&self, authority: &Authority, schema: &Schema) -> Result<()> {
        authority.check_privilege(READ_HISTORY)?;
        authority.rows(model::table(schema, "audit")?, PrivilegeKind::Read)?;
        Ok(())
    }

    /// That the caller may know what became of a record.
    async fn check_reads_history(
        &self,
        caller: &Caller,
        authority: &Authority,
        schema: &Schema,
        table: TableId,
        id: Guid,
    ) -> Result<Arc<Table>> {
        self.check_reads_audit(authority, schema)?;
        let table = table_of(schema, table)?;
        let key = RowKey::Id(id);
        let (rows, head) = self.shared.database.rows(&Query::of_row(&table, &key), &Policy(authority)).await?;
        self.check_fresh(authority, head.versions)?;
        if rows.is_empty() && authority.rows(&table, PrivilegeKind::Read)? != RowAccess::All {
            return Err(self.explain_missing(caller, &table, &key).await);
        }
        Ok(table)
    }

    /// The entries of the present record; for those who read every row, of all that had its id.
    async fn life(&self, authority: &Authority, table: &Table, id: Guid) -> Result<Life> {
        if authority.rows(table, PrivilegeKind::Read)? == RowAccess::All {
            return Ok(Life::ALL);
        }
        let newest = self.shared.database.audit_entries(&Life::ends(table.id, id)).await?;
        let newest = newest.first().map(|record| (record.number, record.entry.action));
        let made = table.column("createdon").map(|column| column.id);
        let query = Query::of_row(table, &RowKey::Id(id)).showing(made);
        let (rows, _) = self.shared.platform_rows("history", &query).await?;
        Ok(Life::of(newest, rows.first().and_then(|row| row.get(1))))
    }

    async fn history(
        &self,
        authority: &Authority,
        schema: &Schema,
        table: &Table,
        id: Guid,
        page: HistoryPage,
    ) -> Result<History> {
        let life = self.life(authority, table, id).await?;
        let after = match page.after {
            Some(after) => audit_number(after)
                .ok_or_else(|| Error::Invalid("what the page is to begin after is no entry of the audit".to_owned()))?,
            None => i64::MAX,
        };
        let bytes_max = self.shared.limits.history_bytes;
        let mut pages = Pages::new(page.number, page.limit, bytes_max);
        // All are gone through where they are to be counted.
        let before = if page.count { i64::MAX } else { after };
        let limit = self.shared.limits.history_entries;
        let part = PAGE.min(u32::try_from(limit).unwrap_or(PAGE));
        let (mut filter, mut met, mut matching) =
            (AuditFilter { before, ..AuditFilter::of_row(part, table.id, id) }, 0, 0);
        loop {
            let AuditPage { records, more } = self.shared.database.audit_page(&filter, bytes_max).await?;
            let is_last = !more || records.last().is_none_or(|record| !life.has(record));
            met += records.len();
            for record in records.into_iter().filter(|record| life.has(record)) {
                filter.before = record.number;
                let tells = |column| record.entry.changes.iter().any(|change| change.column == column);
                if !page.column.is_none_or(tells) {
                    continue;
                }
                matching += 1;
                if record.number < after {
                    pages.put(tell(authority, schema, table, record));
                }
            }
            if is_last || !page.count && pages.next.is_some() {
                break;
            }
            if met >= limit {
                let why = format!(
                    "more than {limit} entries tell of this record (limits.history_entries); go on from page to page by the \
                     paging cookie and do not count, or ask the set audits, filtered by time"
                );
                return Err(Error::Invalid(why));
            }
        }
        if met == 0 && page.after.is_none() {
            // Nothing tells that there ever was such a record.
            let there = self.shared.platform_rows("history", &Query::of_row(table, &RowKey::Id(id))).await?;
            if there.0.is_empty() {
                return Err(Error::NotFound { table: table.name.clone(), id });
            }
        }
        let mut entries = pages.kept;
        self.hide_ends(authority, schema, &mut entries).await?;
        Ok(History { entries, next: pages.next, total: page.count.then_some(matching) })
    }

    /// Takes the names of records out that entries link with and the caller may not read. Of one that is gone nobody knows
    /// any more whose it was: it is named to those who read every row of its table.
    async fn hide_ends(&self, authority: &Authority, schema: &Schema, entries: &mut [Told]) -> Result<()> {
        let mut ends: BTreeMap<TableId, BTreeSet<Guid>> = BTreeMap::new();
        for told in entries.iter() {
            if let Some(AuditDetail::Link { table, other: Some(other), .. }) = &told.detail {
                ends.entry(*table).or_default().insert(*other);
            }
        }
        let mut read: HashSet<(TableId, Guid)> = HashSet::new();
        for (table, ids) in ends {
            let Some(table) = schema.table(table) else { continue };
            match authority.rows(table, PrivilegeKind::Read) {
                Ok(RowAccess::All) => read.extend(ids.into_iter().map(|id| (table.id, id))),
                Ok(_) => {
                    let ids: Vec<Value> = ids.into_iter().map(Value::Guid).collect();
                    for some in ids.chunks(PAGE as usize) {
                        let filter = Filter::In { path: Path::own(table.primary_id), values: some.to_vec() };
                        let query = Query { filter, ..Query::of(table, PAGE) };
                        let (rows, _) = self.shared.database.rows(&query, &Policy(authority)).await?;
                        let found = rows.iter().filter_map(|row| row.first().and_then(Value::guid));
                        read.extend(found.map(|id| (table.id, id)));
                    }
                }
                Err(_) => {}
            }
        }
        for told in entries {
            if let Some(AuditDetail::Link { table, other, .. }) = &mut told.detail
                && other.is_some_and(|id| !read.contains(&(*table, id)))
            {
                *other = None;
                told.record.entry.detail = None;
            }
        }
        Ok(())
    }
}

fn table_of(schema: &Schema, table: TableId) -> Result<Arc<Table>> {
    schema.table(table).cloned().ok_or_else(|| Error::Invalid(format!("there is no table {table}")))
}

/// Leaves out what the caller may not read in clear on every row.
fn tell(authority: &Authority, schema: &Schema, table: &Table, mut record: AuditRecord) -> Told {
    let mut hidden = HashSet::new();
    for change in record.entry.changes.iter_mut().filter(|change| !authority.reads_column(table, change.column)) {
        (change.old, change.new) = (Value::Null, Value::Null);
        hidden.insert(change.column);
    }
    let detail = AuditDetail::of(schema, &record.entry);
    Told { record, hidden, detail }
}
