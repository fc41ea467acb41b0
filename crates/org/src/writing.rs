//! Writing records: the entry points, and what all operations share.
//!
//! Each entry point puts one request in the organisation's write queue and answers once it is durable. Inside the batch
//! a [`Writing`] runs it: the caller's rights as of the locked head, the transaction, and one operation per sibling file.

use std::sync::Arc;

use custodia_access::{Authority, Permit, RightsMask, RowAccess};
use custodia_query::Query;
use custodia_schema::{Column, ColumnId, Guid, PrivilegeKind, Schema, Table, TableId, Value};
use custodia_store::{AuditEntry, AuditOperation, AuditedChange, Reached, RowKey, StoredRow, Transaction};

use crate::audit_detail::AuditDetail;
use crate::caller::{Caller, Origin};
use crate::error::{Error, Fault, Result};
use crate::hierarchy::AccountParents;
use crate::input::{Precondition, RecordInput, Reference};
use crate::model;
use crate::organization::{Organization, Shared};
use crate::reading::Policy;

/// A record that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub id: Guid,
    /// Its version number after the write.
    pub version: i64,
    /// Payment card numbers were left out of it where the policy is to say so ([`custodia_schema::CardPolicy::Warn`]).
    pub masked: bool,
}

/// What an upsert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upserted {
    /// The record.
    pub written: Written,
    /// It did not exist before.
    pub created: bool,
}

/// One request at work inside a write batch.
pub(crate) struct Writing<'t> {
    pub shared: &'t Shared,
    pub transaction: &'t mut Transaction,
    pub schema: Arc<Schema>,
    pub caller: Caller,
    pub authority: Authority,
    /// Ids for rows this request makes beside the one asked for, drawn before the batch so that a second run draws the
    /// same.
    pub fresh: Fresh,
    /// Records that went with others so far, removed, unlinked or given away by cascades of any of the request's changes.
    pub cascaded: usize,
    /// Records whose owner changed: what their children inherit follows at the end.
    pub moved_owners: Vec<(TableId, Guid)>,
    /// Records that lost a parent, or got another owner with a parent: what they inherit follows at the end, too.
    pub unsettled: Vec<(TableId, Guid)>,
    /// Parents of accounts as the changes of this request have read and set them.
    pub account_parents: AccountParents,
    /// Card numbers were left out of the record at work, and the caller is to be told.
    pub masked: bool,
}

/// Ids that a request draws, the same in every run of it.
#[derive(Clone, Copy)]
pub(crate) struct Fresh {
    seed: Guid,
    drawn: u64,
}

impl Fresh {
    pub(crate) fn new(seed: Guid) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next id. Time-ordered like its seed, and as unguessable.
    pub(crate) fn id(&mut self) -> Guid {
        self.drawn += 1;
        Guid::new_v5(&self.seed, &self.drawn.to_le_bytes())
    }
}

/// How a request ended that stored nothing.
enum Ended<T> {
    /// It was refused, or failed.
    Refused(Error),
    /// It would have gone well.
    Rehearsed(T),
}

impl<T, E: Into<Error>> From<E> for Ended<T> {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl Organization {
    /// Runs one request in a write batch.
    pub(crate) async fn in_transaction<T, F>(&self, caller: &Caller, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'w> Fn(&'w mut Writing<'_>) -> futures::future::BoxFuture<'w, Result<T>> + Send + Sync + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let caller = caller.clone();
        let seed = self.new_id();
        let work = Arc::new(work);
        let rehearses = self.rehearses;
        let ended = self
            .shared
            .database
            .write(move |transaction| {
                let (shared, caller, work) = (Arc::clone(&shared), caller.clone(), Arc::clone(&work));
                Box::pin(async move {
                    let authority = shared.authority_in(transaction, &caller).await?;
                    let schema = Arc::clone(transaction.schema());
                    let mut writing = Writing {
                        shared: &shared,
                        transaction,
                        schema,
                        caller,
                        authority,
                        fresh: Fresh::new(seed),
                        cascaded: 0,
                        moved_owners: Vec::new(),
                        unsettled: Vec::new(),
                        account_parents: AccountParents::default(),
                        masked: false,
                    };
                    let answer = work(&mut writing).await?;
                    writing.settle_inherited().await?;
                    // The store keeps nothing of a request that answers with an error.
                    if rehearses { Err(Ended::Rehearsed(answer)) } else { Ok(answer) }
                })
            })
            .await;
        match ended {
            Ok(answer) | Err(Ended::Rehearsed(answer)) => Ok(answer),
            Err(Ended::Refused(error)) => Err(error),
        }
    }

    /// Makes a record.
    ///
    /// # Errors
    /// See [`Error`]; nothing is stored then.
    pub async fn create(&self, caller: &Caller, input: RecordInput) -> Result<Written> {
        let input = input.with_id(|| self.new_id());
        self.in_transaction(caller, move |writing| {
            let input = input.clone();
            Box::pin(async move { writing.create(input).await })
        })
        .await
    }

    /// Changes a record that exists.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NotFound`] when there is none.
    pub async fn update(
        &self,
        caller: &Caller,
        target: Reference,
        input: RecordInput,
        when: Precondition,
    ) -> Result<Written> {
        self.in_transaction(caller, move |writing| {
            let (target, input) = (target.clone(), input.clone());
            Box::pin(async move { writing.update(&target, input, when).await })
        })
        .await
    }

    /// Changes a record, or makes it when there is none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn upsert(
        &self,
        caller: &Caller,
        target: Reference,
        input: RecordInput,
        when: Precondition,
    ) -> Result<Upserted> {
        let fresh = self.new_id();
        self.in_transaction(caller, move |writing| {
            let (target, input) = (target.clone(), input.clone());
            Box::pin(async move { writing.upsert(&target, input, when, fresh).await })
        })
        .await
    }

    /// Removes a record, and what its relationships remove with it.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Restricted`] when dependent records hold it.
    pub async fn delete(&self, caller: &Caller, target: Reference, when: Precondition) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let target = target.clone();
            Box::pin(async move { writing.delete(&target, when).await })
        })
        .await
    }
}

impl<'t> Writing<'t> {
    /// The table of that number.
    pub(crate) fn table(&self, id: TableId) -> Result<Arc<Table>> {
        self.schema.table(id).cloned().ok_or_else(|| Error::Invalid(format!("there is no table {id}")))
    }

    /// The table of that logical name; for the fixed parts of the model.
    pub(crate) fn table_named(&self, name: &str) -> Result<Arc<Table>> {
        model::table(&self.schema, name).cloned()
    }

    /// A permit for a row that the platform keeps for itself; `why` names the caller in the audit.
    pub(crate) fn platform_permit(&self, why: &'static str, table: &Table, kind: PrivilegeKind) -> Result<Permit> {
        Ok(Permit::platform(&Authority::platform(why), table, kind)?)
    }

    /// The user in whose name rows are stamped.
    pub(crate) fn acting(&self) -> Guid {
        self.caller.acting()
    }

    /// Whether the platform or an import runs, which may set what callers may not.
    pub(crate) fn is_trusted(&self) -> bool {
        matches!(self.caller.origin, Origin::Platform(_) | Origin::Import)
    }

    /// Refuses to store more where the organisation's storage is used up; deletes are not asked. What the platform itself
    /// keeps, such as who signed in, is kept all the same.
    pub(crate) fn require_storage(&self) -> Result<()> {
        match self.caller.origin {
            Origin::Platform(_) => Ok(()),
            _ => Ok(self.transaction.require_storage()?),
        }
    }

    /// The row that a key names, if there is one.
    pub(crate) async fn find(&mut self, table: &Arc<Table>, key: &RowKey) -> Result<Option<StoredRow>> {
        Ok(self.transaction.fetch(table, key, &[]).await?)
    }

    /// The row of a table of the fixed model.
    pub(crate) async fn get(&mut self, table: &Arc<Table>, id: Guid) -> Result<StoredRow> {
        let found = self.find(table, &RowKey::Id(id)).await?;
        found.ok_or_else(|| Error::NotFound { table: table.name.clone(), id })
    }

    /// The row that a key names, with whether the caller reaches it with a right: its only check.
    pub(crate) async fn fetch_for(
        &mut self,
        table: &Arc<Table>,
        key: &RowKey,
        kind: PrivilegeKind,
    ) -> Result<StoredRow> {
        let access = self.authority.rows(table, kind)?;
        let found = self.transaction.fetch(table, key, std::slice::from_ref(&access)).await?;
        found.ok_or_else(|| Self::missing(table, key))
    }

    /// The record that a link names, with whether the caller reaches it with the right that linking needs there.
    pub(crate) async fn link_end(&mut self, table: &Arc<Table>, key: &RowKey, kind: PrivilegeKind) -> Result<Reached> {
        let access = self.authority.rows(table, kind)?;
        let found = self.transaction.reach(table, key, &access).await?;
        found.ok_or_else(|| Self::missing(table, key))
    }

    /// The id of the record that a key names, if there is one.
    pub(crate) async fn id_of_key(&mut self, table: &Arc<Table>, key: &RowKey) -> Result<Option<Guid>> {
        Ok(self.transaction.reach(table, key, &RowAccess::All).await?.map(|found| found.id))
    }

    /// The row that a key names, if there is one, with what the caller holds on it of these rights. A right that the gate
    /// refuses is not held; it is refused again, by name, where it is needed.
    pub(crate) async fn fetch_held(
        &mut self,
        table: &Arc<Table>,
        key: &RowKey,
        kinds: &[PrivilegeKind],
    ) -> Result<Option<(StoredRow, RightsMask)>> {
        let nothing = RowAccess::nothing(self.acting());
        let checks: Vec<_> =
            kinds.iter().map(|kind| self.authority.rows(table, *kind).unwrap_or_else(|_| nothing.clone())).collect();
        let Some(row) = self.transaction.fetch(table, key, &checks).await? else { return Ok(None) };
        let held = (0..).zip(kinds).filter(|(check, _)| row.reaches(*check));
        let held = held.fold(RightsMask::NONE, |held, (_, kind)| held.union(RightsMask::of(*kind)));
        Ok(Some((row, held)))
    }

    /// All rows of a query that the platform asks for itself; `why` says what for. A table that nobody used yet has none;
    /// more than a page of the query are an error, since nothing may be left out without a word.
    pub(crate) async fn platform_rows(&mut self, why: &'static str, query: &Query) -> Result<Vec<Vec<Value>>> {
        if !self.transaction.has_table(query.table) {
            return Ok(Vec::new());
        }
        let authority = Authority::platform(why);
        let rows = self.transaction.select(query, &Policy(&authority)).await?;
        if rows.len() > query.page_size as usize {
            let table = self.table(query.table)?;
            return Err(Error::TooManyDependents { table: table.name.clone(), limit: query.page_size as usize });
        }
        Ok(rows)
    }

    /// The ids of the same.
    pub(crate) async fn platform_ids(&mut self, why: &'static str, query: &Query) -> Result<Vec<Guid>> {
        let rows = self.platform_rows(why, query).await?;
        Ok(rows.iter().filter_map(|row| row.first().and_then(Value::guid)).collect())
    }

    /// Says that a record does not exist, by what it was asked for.
    pub(crate) fn missing(table: &Table, key: &RowKey) -> Error {
        match key {
            RowKey::Id(id) => Error::NotFound { table: table.name.clone(), id: *id },
            RowKey::Alternate(_) => Error::NotFoundByKey { table: table.name.clone() },
        }
    }

    /// Writes an audit entry if the table's switches ask for one; columns whose switch is off are left out.
    pub(crate) async fn audit(
        &mut self,
        table: &Table,
        row: Guid,
        operation: AuditOperation,
        action: i32,
        changes: Vec<AuditedChange>,
        detail: Option<String>,
    ) -> Result<()> {
        if !self.shared.settings.audits(self.transaction, table).await? {
            return Ok(());
        }
        let had_changes = !changes.is_empty();
        let changes: Vec<_> = changes
            .into_iter()
            .filter(|change| table.column_by_id(change.column).is_some_and(|column| column.audited))
            .map(|change| self.told_without_numbers(table, change))
            .collect();
        // Only unaudited columns changed: nothing to tell.
        if operation == AuditOperation::Update && had_changes && changes.is_empty() {
            return Ok(());
        }
        let entry = self.audit_entry(table.id, row, operation, action);
        self.transaction.audit(&AuditEntry { changes, detail, ..entry });
        Ok(())
    }

    /// Writes an audit entry about who may do what, if the organisation audits at all: no switch of a table hides it.
    pub(crate) async fn audit_rights(
        &mut self,
        table: TableId,
        row: Guid,
        action: i32,
        detail: &AuditDetail,
    ) -> Result<()> {
        if self.shared.settings.organization(self.transaction).await?.audits {
            let entry = self.audit_entry(table, row, AuditOperation::Update, action);
            self.transaction.audit(&AuditEntry { detail: Some(detail.to_text()), ..entry });
        }
        Ok(())
    }

    /// An audit entry of this request, without values.
    pub(crate) fn audit_entry(&self, table: TableId, row: Guid, operation: AuditOperation, action: i32) -> AuditEntry {
        AuditEntry {
            transaction: self.caller.request,
            user: self.acting(),
            calling_user: self.caller.acting_for.map(|_| self.caller.user),
            origin: self.caller.origin_text(),
            table,
            row,
            operation,
            action,
            changes: Vec::new(),
            detail: None,
        }
    }
}

/// A record about to be written: its values by column.
///
/// In the order of the columns' numbers, as stored rows are: a whole row is taken over without looking for places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    values: Vec<(ColumnId, Value)>,
}

impl Draft {
    /// Where a column stands, or where it would.
    fn place(&self, column: ColumnId) -> std::result::Result<usize, usize> {
        match self.values.last() {
            Some((last, _)) if *last < column => Err(self.values.len()),
            _ => self.values.binary_search_by_key(&column, |(column, _)| *column),
        }
    }

    pub(crate) fn set(&mut self, column: ColumnId, value: Value) {
        match self.place(column) {
            Ok(at) => {
                if let Some((_, present)) = self.values.get_mut(at) {
                    *present = value;
                }
            }
            Err(at) => self.values.insert(at, (column, value)),
        }
    }

    /// Sets a column by its logical name, where the table has it.
    pub(crate) fn stamp(&mut self, table: &Table, column: &str, value: Value) {
        if let Some(column) = table.column(column).filter(|column| column.kind.is_stored()) {
            self.set(column.id, value);
        }
    }

    /// The same, unless the column has been set.
    pub(crate) fn stamp_absent(&mut self, table: &Table, column: &str, value: Value) {
        if let Some(column) = table.column(column).filter(|column| column.kind.is_stored())
            && !self.contains(column.id)
        {
            self.set(column.id, value);
        }
    }

    pub(crate) fn get(&self, column: ColumnId) -> Option<&Value> {
        let at = self.place(column).ok()?;
        self.values.get(at).map(|(_, value)| value)
    }

    /// The value of a column by its logical name.
    pub(crate) fn named(&self, table: &Table, column: &str) -> Option<&Value> {
        table.column(column).and_then(|column| self.get(column.id))
    }

    /// The value that a column will have: the one given, or that of the stored row, if there is one.
    pub(crate) fn or_stored(&self, table: &Table, stored: Option<&StoredRow>, column: &str) -> Value {
        let Some(column) = table.column(column) else { return Value::Null };
        let present = || stored.map(|stored| stored.get(column.id));
        self.get(column.id).or_else(present).cloned().unwrap_or(Value::Null)
    }

    pub(crate) fn contains(&self, column: ColumnId) -> bool {
        self.place(column).is_ok()
    }

    pub(crate) fn remove(&mut self, column: ColumnId) -> Option<Value> {
        self.place(column).ok().map(|at| self.values.remove(at).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ColumnId, &Value)> {
        self.values.iter().map(|(column, value)| (*column, value))
    }

    /// In order of the columns' numbers.
    pub(crate) fn into_values(self) -> Vec<(ColumnId, Value)> {
        self.values
    }
}

/// A value's fault, with the names a person knows.
pub(crate) fn fault(table: &Table, column: &Column, fault: Fault, why: impl Into<String>) -> Error {
    Error::Value { table: table.name.clone(), column: column.name.clone(), fault, why: why.into() }
}
