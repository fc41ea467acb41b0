//! What the audit tells of one record, to those who may know it.
//!
//! It takes the privilege to read histories and the one to read the audit, and Read on the record as it is now. Of a
//! record that is gone nobody knows any more whose it was: its history is for those who read every row of its table.
//! Values of columns that are closed to the caller are left out; that they changed is told.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_access::{Authority, RowAccess};
use custodia_query::Query;
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Schema, Table, TableId, Value};
use custodia_store::{AuditFilter, AuditOperation, AuditRecord, RowKey, audit_id, audit_number};

use crate::audit_detail::{AuditDetail, action};
use crate::caller::Caller;
use crate::changes::Change;
use crate::error::{Error, Result};
use crate::input::{Input, Precondition, RecordInput, Reference};
use crate::model;
use crate::organization::Organization;
use crate::reading::Policy;

/// The privilege to read what became of a record.
const READ_HISTORY: &str = "prvReadRecordAuditHistory";
/// Entries read at one time.
const PAGE: u32 = 500;
/// Entries of one record that a history goes through; more are to be asked of the set `audits`.
pub const HISTORY_ENTRIES_MAX: usize = 50_000;
/// Entries that one page of a history holds.
pub const HISTORY_PAGE_MAX: usize = 5_000;

/// Which part of a record's history is asked for, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// Entries before it.
    pub skip: usize,
    /// Entries in it.
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
    /// There are further ones.
    pub more: bool,
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
}

impl Organization {
    /// What the audit tells of a record, newest first.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privileges or Read on the record; [`Error::NotFound`] for a record that neither is
    /// there nor was; [`Error::Invalid`] for one with more than [`HISTORY_ENTRIES_MAX`] entries; store errors.
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
            if record.number <= self.former_life(&authority, &table, row).await? {
                return Err(missing());
            }
            if table.reads_audited {
                self.tell_reads(caller, vec![(table.id, row)], "an entry of its history".to_owned()).await?;
            }
            let told = tell(&authority, &schema, &table, record);
            self.check_fresh(&authority, self.shared.database.head().await?.versions)?;
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

    /// The last entry about an earlier record of the same id, which was deleted; 0 where there was none, and for those who
    /// read every row. An id can be given again, by anybody: that does not make somebody the reader of what it named before.
    async fn former_life(&self, authority: &Authority, table: &Table, id: Guid) -> Result<i64> {
        if authority.rows(table, PrivilegeKind::Read)? == RowAccess::All {
            return Ok(0);
        }
        let filter = AuditFilter { actions: vec![action::DELETE], ..AuditFilter::of_row(1, table.id, id) };
        Ok(self.shared.database.audit_entries(&filter).await?.first().map_or(0, |record| record.number))
    }

    async fn history(
        &self,
        authority: &Authority,
        schema: &Schema,
        table: &Table,
        id: Guid,
        page: HistoryPage,
    ) -> Result<History> {
        let mut history = History { entries: Vec::new(), more: false, total: None };
        let former = self.former_life(authority, table, id).await?;
        let (mut filter, mut met, mut matching) = (AuditFilter::of_row(PAGE, table.id, id), 0, 0);
        loop {
            let found = self.shared.database.audit_entries(&filter).await?;
            let is_last = found.len() < PAGE as usize || found.last().is_some_and(|record| record.number <= former);
            met += found.len();
            for record in found.into_iter().filter(|record| record.number > former) {
                filter.before = record.number;
                let tells = |column| record.entry.changes.iter().any(|change| change.column == column);
                if !page.column.is_none_or(tells) {
                    continue;
                }
                matching += 1;
                if matching > page.skip && history.entries.len() < page.limit {
                    history.entries.push(tell(authority, schema, table, record));
                }
            }
            if is_last || !page.count && matching > page.skip.saturating_add(page.limit) {
                break;
            }
            if met >= HISTORY_ENTRIES_MAX {
                let why = format!(
                    "more than {HISTORY_ENTRIES_MAX} entries tell of this record; ask the set audits, filtered by time"
                );
                return Err(Error::Invalid(why));
            }
        }
        if met == 0 {
            // Nothing tells that there ever was such a record.
            let there = self.shared.platform_rows("history", &Query::of_row(table, &RowKey::Id(id))).await?;
            if there.0.is_empty() {
                return Err(Error::NotFound { table: table.name.clone(), id });
            }
        }
        history.more = matching > page.skip.saturating_add(page.limit);
        history.total = page.count.then_some(matching);
        Ok(history)
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
