//! One request's part of a write batch: it reads, decides, and leaves the statements to be run.
//!
//! Writes are gathered and run when the request has finished deciding (or at [`Transaction::flush`]), so that on
//! PostgreSQL all reads of a batch travel together and then all writes (decision 0001.4). A request therefore does not see
//! its own writes before it flushes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use custodia_access::{Permit, RowAccess};
use custodia_query::Query;
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Schema, Table, TableId, Value, ValueRef};
use parking_lot::Mutex;

use crate::ambient::{Clock, Random};
use crate::audit::AuditEntry;
use crate::change_log::{self, ChangeKind};
use crate::derived;
use crate::head::{Head, Versions};
use crate::link::{Link, LockedHead};
use crate::row::{Gathered, Row, RowSink, owned};
use crate::seal::{Place, Unsealed};
use crate::sql::{self, Context, Plan, ReadPolicy, RowKey, Statement, Tables, internal};
use crate::tables::KnownTables;
use crate::{Error, Result};

/// Counters and facts shared by the requests of one batch.
pub(crate) struct Batch {
    /// The head as it was when it was locked.
    pub begun: Head,
    /// The number by which PostgreSQL knows it.
    pub transaction: Option<i64>,
    pub commit_time: i64,
    number: AtomicI64,
    /// Where the audit stands: entries are sealed when it is certain that they are written.
    audit: Mutex<Place>,
    random: Arc<dyn Random>,
    timing: Timing,
    security: AtomicI64,
    metadata: AtomicI64,
    changes_schema: AtomicBool,
    /// Tables that exist physically, those made by this batch included.
    pub tables: Mutex<KnownTables>,
    /// The same as it was when the head was locked: what is known to be stored.
    begun_with: KnownTables,
    /// The limit of the organisation's storage, if that was reached when the batch began.
    pub storage_reached: Option<u64>,
}

impl Batch {
    pub(crate) fn new(
        locked: LockedHead,
        now: i64,
        tables: KnownTables,
        storage_reached: Option<u64>,
        random: Arc<dyn Random>,
        timing: Timing,
    ) -> Self {
        let LockedHead { head: begun, chain, transaction } = locked;
        Self {
            begun,
            transaction,
            commit_time: now.max(begun.commit_time),
            number: AtomicI64::new(begun.number),
            audit: Mutex::new(Place { number: begun.audit_number, chain }),
            random,
            timing,
            security: AtomicI64::new(begun.versions.security),
            metadata: AtomicI64::new(begun.versions.metadata),
            changes_schema: AtomicBool::new(false),
            begun_with: tables.clone(),
            tables: Mutex::new(tables),
            storage_reached,
        }
    }

    /// The head to be stored with the commit.
    pub(crate) fn head(&self) -> Head {
        Head {
            number: self.number.load(Ordering::Relaxed),
            audit_number: self.audit.lock().number,
            versions: self.versions(),
            commit_time: self.commit_time,
        }
    }

    /// Where the batch stands, to come back to when a request is taken back.
    pub(crate) fn mark(&self) -> Mark {
        Mark { head: self.head(), audit: self.audit(), tables: self.tables.lock().clone() }
    }

    /// Where the audit stands.
    pub(crate) fn audit(&self) -> Place {
        *self.audit.lock()
    }

    /// Gives entries their numbers and seals them: what writes them. From here on nothing may be left out of them.
    pub(crate) fn seal(&self, entries: Vec<Unsealed>) -> impl Iterator<Item = Operation> {
        let mut place = self.audit.lock();
        let sealed: Vec<_> = entries.into_iter().map(|entry| entry.sealed(&mut place)).collect();
        sealed.into_iter().map(|statement| Operation {
            statement,
            rows: Some(1),
            table: TableId(0),
            row: Guid::nil(),
            inserts: false,
        })
    }

    /// Gives back the numbers taken since a mark. Only for a request that ran with no other beside it.
    pub(crate) fn back_to(&self, mark: Mark) {
        self.number.store(mark.head.number, Ordering::Relaxed);
        *self.audit.lock() = mark.audit;
        self.security.store(mark.head.versions.security, Ordering::Relaxed);
        self.metadata.store(mark.head.versions.metadata, Ordering::Relaxed);
        *self.tables.lock() = mark.tables;
    }

    /// Whether a request of the batch changed more of the metadata than which tables there are.
    pub(crate) fn changes_schema(&self) -> bool {
        self.changes_schema.load(Ordering::Relaxed)
    }

    pub(crate) fn versions(&self) -> Versions {
        Versions {
            security: self.security.load(Ordering::Relaxed),
            metadata: self.metadata.load(Ordering::Relaxed),
            epoch: self.begun.versions.epoch,
        }
    }
}

/// How long the requests of a batch may take.
pub(crate) struct Timing {
    pub clock: Arc<dyn Clock>,
    /// Milliseconds that the statements of one request may take together.
    pub request_ms: u64,
}

/// A point within a batch.
pub(crate) struct Mark {
    head: Head,
    audit: Place,
    tables: KnownTables,
}

/// What a request has read or written, to find requests of one wave that get in each other's way.
#[derive(Default)]
pub(crate) struct Touched {
    rows: HashSet<(TableId, Guid)>,
    tables: HashSet<TableId>,
}

impl Touched {
    fn row(&mut self, table: TableId, row: Guid) {
        self.rows.insert((table, row));
    }

    /// Whether what `self` read or wrote overlaps what `writes` wrote.
    pub(crate) fn meets(&self, writes: &Touched) -> bool {
        self.rows.iter().any(|row| writes.rows.contains(row))
            || self.tables.iter().any(|table| writes.tables.contains(table))
    }

    /// Whether both wrote the same row.
    pub(crate) fn meets_rows(&self, writes: &Touched) -> bool {
        self.rows.iter().any(|row| writes.rows.contains(row))
    }

    pub(crate) fn merge(&mut self, other: &Touched) {
        self.rows.extend(&other.rows);
        self.tables.extend(&other.tables);
    }
}

/// A statement with what its outcome must be.
pub(crate) struct Operation {
    pub statement: Statement,
    /// Rows it must change; `None`: any number.
    pub rows: Option<u64>,
    /// The record it is about, for errors.
    pub table: TableId,
    pub row: Guid,
    /// An insert whose primary id may collide.
    pub inserts: bool,
}

/// A stored row as a write reads it before it decides: every stored column, and what the caller reaches.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    /// The row's id.
    pub id: Guid,
    /// One value per stored column in order of the columns' numbers, null where there is none.
    values: Vec<(ColumnId, Value)>,
    /// One answer per check asked, in order.
    pub reached: Vec<bool>,
}

impl StoredRow {
    /// A row put together from values, as if it had been read; for rows about to be made.
    #[must_use]
    pub fn of(id: Guid, mut values: Vec<(ColumnId, Value)>) -> Self {
        values.sort_by_key(|(column, _)| *column);
        Self { id, values, reached: Vec::new() }
    }

    /// Whether the caller reaches it by the check asked at that place; not by one that was not asked.
    #[must_use]
    pub fn reaches(&self, check: usize) -> bool {
        self.reached.get(check) == Some(&true)
    }

    /// The value of a column; null when the column is not stored.
    #[must_use]
    pub fn get(&self, column: ColumnId) -> &Value {
        let at = self.values.binary_search_by_key(&column, |(id, _)| *id).ok();
        at.and_then(|at| self.values.get(at)).map_or(&Value::Null, |(_, value)| value)
    }

    /// All values in order of the columns' numbers.
    #[must_use]
    pub fn values(&self) -> &[(ColumnId, Value)] {
        &self.values
    }
}

/// What a link to a row needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The row's id.
    pub id: Guid,
    /// Whether the caller reaches it by the check asked.
    pub is_reached: bool,
}

/// A request's view of the organisation's database inside a write batch.
pub struct Transaction {
    link: Link,
    batch: Arc<Batch>,
    schema: Arc<Schema>,
    alone: bool,
    wants_alone: AtomicBool,
    flushed: bool,
    /// The time after which no statement of the request is begun.
    ends_ms: u64,
    late: bool,
    broken: bool,
    torn: bool,
    moves_versions: bool,
    missing_tables: Vec<TableId>,
    pub(crate) pending: Vec<Operation>,
    /// Audit entries, which are written after everything else.
    pub(crate) entries: Vec<Unsealed>,
    pub(crate) reads: Touched,
    pub(crate) writes: Touched,
}

impl Transaction {
    pub(crate) fn new(link: Link, batch: Arc<Batch>, schema: Arc<Schema>, alone: bool) -> Self {
        Self {
            link,
            batch,
            schema,
            alone,
            wants_alone: AtomicBool::new(false),
            flushed: false,
            ends_ms: u64::MAX,
            late: false,
            broken: false,
            torn: false,
            moves_versions: false,
            missing_tables: Vec::new(),
            pending: Vec::new(),
            entries: Vec::new(),
            reads: Touched::default(),
            writes: Touched::default(),
        }
    }

    /// The request asked for something that it can only have when no other runs beside it.
    pub(crate) fn wants_alone(&self) -> bool {
        self.wants_alone.load(Ordering::Relaxed)
    }

    /// Some of its writes are in the database transaction already.
    pub(crate) fn flushed(&self) -> bool {
        self.flushed
    }

    /// Limits the time of the request's statements: one at work then is stopped on SQLite; on PostgreSQL each has its own limit.
    pub(crate) fn limit_until(&mut self, ends_ms: u64) {
        self.ends_ms = ends_ms;
        self.link.limit_until(ends_ms, self.batch.timing.request_ms);
    }

    /// A statement of the request was stopped or not begun, since its time was up.
    pub(crate) fn is_late(&self) -> bool {
        self.late
    }

    /// A statement of the request failed: on PostgreSQL those of the others beside it do from then on.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether writes of this request failed when they were run: some of them may be there, and none of them will follow.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Refuses what comes when the request's time is up.
    pub(crate) fn require_time(&mut self) -> Result<()> {
        let timing = &self.batch.timing;
        self.late = self.late || (self.ends_ms < u64::MAX && timing.clock.monotonic_ms() > self.ends_ms);
        if self.late { Err(Error::Timeout { limit_ms: timing.request_ms }) } else { Ok(()) }
    }

    /// Takes note of a statement that failed or was stopped.
    fn noted<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.broken = self.broken || outcome.is_err();
        self.late = self.late || matches!(outcome, Err(Error::Timeout { .. }));
        outcome
    }

    async fn query(&mut self, statement: &Statement, sink: &mut dyn RowSink) -> Result<()> {
        self.require_time()?;
        let outcome = self.link.query(statement, sink).await;
        self.noted(outcome)
    }

    /// It changed what the rights of later requests depend on.
    pub(crate) fn moves_versions(&self) -> bool {
        self.moves_versions
    }

    /// Tables that the request named and that do not exist yet.
    pub(crate) fn missing_tables(&self) -> &[TableId] {
        &self.missing_tables
    }

    /// Refuses what would take more storage, where what the organisation may take was used up when the batch began.
    ///
    /// # Errors
    /// [`Error::StorageFull`].
    pub fn require_storage(&self) -> Result<()> {
        self.batch.storage_reached.map_or(Ok(()), |limit| Err(Error::StorageFull { limit }))
    }

    /// The organisation's tables and relationships.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The time of this commit in seconds since 1970: the same for all its rows, never before an earlier commit's.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.batch.commit_time
    }

    /// Rights and metadata versions that hold for this request, changes by earlier requests of the batch included.
    #[must_use]
    pub fn versions(&self) -> Versions {
        self.batch.versions()
    }

    /// Whether [`Self::versions`] are committed ones: only then may anything computed from them be kept.
    #[must_use]
    pub fn versions_are_committed(&self) -> bool {
        self.batch.versions() == self.batch.begun.versions
    }

    /// Whether a table exists physically: one that was never used has no rows.
    #[must_use]
    pub fn has_table(&self, table: TableId) -> bool {
        self.batch.tables.lock().exists(table)
    }

    /// Makes sure that tables exist physically before statements name them.
    ///
    /// # Errors
    /// [`Error::Stale`] when one is missing: the batch makes it and runs the request again.
    pub fn need_tables(&mut self, tables: &[TableId]) -> Result<()> {
        let existing = self.batch.tables.lock().clone();
        self.missing_tables.extend(tables.iter().copied().filter(|table| !existing.exists(*table)));
        if self.missing_tables.is_empty() { Ok(()) } else { Err(Error::Stale) }
    }

    /// Reads one row with all its stored columns, and for each check whether the caller reaches it.
    ///
    /// # Errors
    /// Store errors; a missing row is `None`.
    pub async fn fetch(&mut self, table: &Arc<Table>, key: &RowKey, checks: &[RowAccess]) -> Result<Option<StoredRow>> {
        let statement = self.one_row(table, key, checks, |context| sql::fetch(context, table, key, checks))?;
        let mut found = None;
        self.query(&statement, &mut |row: &Row<'_>| found = Some(stored_row(table, row, checks.len()))).await?;
        let found = found.transpose()?;
        if let Some(row) = &found {
            self.reads.row(table.id, row.id);
        }
        Ok(found)
    }

    /// Reads of one row its id and whether the caller reaches it.
    ///
    /// # Errors
    /// Store errors; a missing row is `None`.
    pub async fn reach(&mut self, table: &Arc<Table>, key: &RowKey, check: &RowAccess) -> Result<Option<Reached>> {
        let checks = std::slice::from_ref(check);
        let statement = self.one_row(table, key, checks, |context| sql::reach(context, table, key, check))?;
        let mut found = None;
        self.query(&statement, &mut |row: &Row<'_>| {
            let is_reached = matches!(row.get(1), ValueRef::Boolean(true));
            found = Some(row.guid(0).map(|id| Reached { id, is_reached }));
        })
        .await?;
        let Some(found) = found else { return Ok(None) };
        let found = found.ok_or_else(|| Error::Corrupt(format!("a row of {} has no id", table.name)))?;
        self.reads.row(table.id, found.id);
        Ok(Some(found))
    }

    /// The statement that reads one row, after what it will read was noted.
    fn one_row(
        &mut self,
        table: &Table,
        key: &RowKey,
        checks: &[RowAccess],
        statement: impl FnOnce(&Context<'_>) -> std::result::Result<Statement, sql::CompileError>,
    ) -> Result<Statement> {
        let mut needed = vec![table.id];
        for check in checks {
            sql::tables_of_access(&self.schema, check, &mut needed);
        }
        self.need_tables(&needed)?;
        match key {
            RowKey::Id(id) => self.reads.row(table.id, *id),
            RowKey::Alternate(_) => {
                self.reads.tables.insert(table.id);
            }
        }
        if checks.iter().any(|check| !matches!(check, RowAccess::All)) {
            // A share made or taken earlier in the same wave must be seen.
            self.reads.tables.extend(self.schema.table_named("principalobjectaccess").map(|table| table.id));
        }
        let tables = self.batch.tables.lock().clone();
        Ok(statement(&Context { dialect: self.link.dialect(), schema: &self.schema, tables: &tables })?)
    }

    /// Reads rows by a query under a policy; integers come as [`Value::BigInt`].
    ///
    /// # Errors
    /// Store errors; [`Error::Denied`] when the policy's gate fails.
    pub async fn select(&mut self, query: &Query, policy: &dyn ReadPolicy) -> Result<Vec<Vec<Value>>> {
        let needed = sql::tables_needed(&self.schema, query, policy)?;
        self.need_tables(&needed)?;
        self.reads.tables.extend(&needed);
        let tables = self.batch.tables.lock().clone();
        let context = Context { dialect: self.link.dialect(), schema: &self.schema, tables: &tables };
        let statement = sql::select(&context, query, policy, Plan::Ordered)?;
        let mut rows = Vec::new();
        self.query(&statement, &mut |row: &Row<'_>| rows.push(row.to_values())).await?;
        Ok(rows)
    }

    /// Makes a row; its version number. `values` hold no primary id, no version number and no nulls that matter.
    ///
    /// # Errors
    /// When the permit is for another table or privilege.
    pub fn insert(
        &mut self,
        permit: Permit,
        table: &Arc<Table>,
        id: Guid,
        values: Vec<(ColumnId, Value)>,
    ) -> Result<i64> {
        check(&permit, table, &[PrivilegeKind::Create])?;
        self.need_tables(&[table.id])?;
        let number = self.next_number();
        let mut row: Vec<_> =
            values.into_iter().filter(|(column, value)| *column != table.primary_id && !value.is_null()).collect();
        row.push((table.primary_id, Value::Guid(id)));
        stamp_version(table, number, &mut row);
        row.sort_by_key(|(column, _)| *column);
        let statement = sql::insert(self.link.dialect(), table, &row)?;
        self.push(statement, Some(1), table.id, id, true);
        self.log(number, ChangeKind::Insert, table, id, &row);
        self.derive(ChangeKind::Insert, table, id, &row);
        Ok(number)
    }

    /// Changes columns of a row; its new version number.
    ///
    /// # Errors
    /// When the permit is for another table or privilege.
    pub fn update(
        &mut self,
        permit: Permit,
        table: &Arc<Table>,
        id: Guid,
        changes: Vec<(ColumnId, Value)>,
    ) -> Result<i64> {
        check(&permit, table, &[PrivilegeKind::Write, PrivilegeKind::Assign])?;
        let number = self.next_number();
        let mut row = changes;
        stamp_version(table, number, &mut row);
        row.sort_by_key(|(column, _)| *column);
        let statement = sql::update(self.link.dialect(), table, id, &row)?;
        self.push(statement, Some(1), table.id, id, false);
        self.log(number, ChangeKind::Update, table, id, &row);
        self.derive(ChangeKind::Update, table, id, &row);
        Ok(number)
    }

    /// Removes a row. What it last held is needed to keep derived tables in order.
    ///
    /// # Errors
    /// When the permit is for another table or privilege.
    pub fn delete(&mut self, permit: Permit, table: &Arc<Table>, last: &StoredRow) -> Result<()> {
        check(&permit, table, &[PrivilegeKind::Delete])?;
        let number = self.next_number();
        let statement = sql::delete(self.link.dialect(), table, last.id)?;
        self.push(statement, Some(1), table.id, last.id, false);
        self.log(number, ChangeKind::Delete, table, last.id, &[]);
        self.derive(ChangeKind::Delete, table, last.id, &last.values);
        Ok(())
    }

    /// Adds an entry to the audit. It gets its number when it is written.
    pub fn audit(&mut self, entry: &AuditEntry) {
        let unsealed = Unsealed::new(entry, self.batch.commit_time, self.batch.random.as_ref());
        self.entries.push(unsealed);
    }

    /// The last number given to an audit entry, those of this request that were not flushed left out.
    #[must_use]
    pub fn audit_number(&self) -> i64 {
        self.batch.audit().number
    }

    /// Runs a statement on the store's own tables with this request's writes.
    pub(crate) fn internal(&mut self, statement: Statement) {
        self.push(statement, None, TableId(0), Guid::nil(), false);
    }

    /// Reads the store's own tables, as of before this request's unflushed writes.
    pub(crate) async fn internal_rows<T: Send>(
        &mut self,
        statement: &Statement,
        read: impl Fn(&Row<'_>) -> Option<T> + Send,
    ) -> Result<Vec<T>> {
        let mut gathered = Gathered::by(read);
        self.query(statement, &mut gathered).await?;
        gathered.finish()
    }

    pub(crate) fn dialect(&self) -> sql::Dialect {
        self.link.dialect()
    }

    /// Runs what was gathered so far, so that later reads of this request see it.
    ///
    /// # Errors
    /// Store errors; [`Error::Stale`] when other requests run beside this one: the batch runs it again alone.
    pub async fn flush(&mut self) -> Result<()> {
        if !self.has_unflushed() {
            return Ok(());
        }
        self.claim_alone()?;
        self.require_time()?;
        let mut operations = std::mem::take(&mut self.pending);
        operations.extend(self.batch.seal(std::mem::take(&mut self.entries)));
        self.flushed = true;
        let outcome = run(&self.link, &self.schema, &operations).await;
        self.torn = self.torn || outcome.is_err();
        self.noted(outcome)
    }

    /// Whether writes were gathered that have not been run yet.
    #[must_use]
    pub fn has_unflushed(&self) -> bool {
        !self.pending.is_empty() || !self.entries.is_empty()
    }

    /// Says that this request must run with no other beside it.
    ///
    /// # Errors
    /// [`Error::Stale`] when others do: the batch runs it again alone.
    pub fn claim_alone(&self) -> Result<()> {
        if self.alone {
            return Ok(());
        }
        self.wants_alone.store(true, Ordering::Relaxed);
        Err(Error::Stale)
    }

    /// Makes missing tables. Only the batch calls this, for a request that runs alone.
    pub(crate) async fn make_tables(&mut self, tables: &[TableId]) -> Result<()> {
        self.unlimited();
        let schema = Arc::clone(&self.schema);
        for id in tables {
            let Some(table) = schema.table(*id) else {
                return Err(Error::Query(format!("there is no table {id}")));
            };
            if self.has_table(*id) {
                continue;
            }
            let number = self.next_number();
            self.make_table(table, number, self.batch.commit_time).await?;
            self.insert_initial(table)?;
        }
        Ok(())
    }

    /// Makes one table, under a number that was taken for it.
    pub(crate) async fn make_table(&mut self, table: &Table, number: i64, commit_time: i64) -> Result<()> {
        let statements = sql::create_table(self.link.dialect(), &self.schema, table);
        self.link.require_transaction()?;
        for sql in &statements {
            self.link.run(sql).await?;
        }
        for (_, sql) in sql::create_own_indexes(self.link.dialect(), table) {
            self.link.run(&sql).await?;
        }
        self.internal(internal::insert_table(table.id, number, sql::content::definition(&statements)));
        self.log_at(number, commit_time, ChangeKind::CreateTable, table.id, Guid::nil(), &[]);
        self.batch.metadata.fetch_add(1, Ordering::Relaxed);
        let mut tables = self.batch.tables.lock();
        *tables = tables.with_made(table.id);
        Ok(())
    }

    /// Lifts the limit of the request's time.
    pub(crate) fn unlimited(&mut self) {
        self.ends_ms = u64::MAX;
        self.link.unlimited();
    }

    /// Takes a number that another database gave.
    ///
    /// # Errors
    /// When this database has given it already.
    pub(crate) fn take_number(&self, number: i64) -> Result<()> {
        let head = self.batch.number.fetch_max(number, Ordering::Relaxed);
        if number > head {
            return Ok(());
        }
        Err(Error::Query(format!("change {number} is not later than change {head}, which this database has")))
    }

    /// Runs a definition at once, as part of the transaction: an index that is made or removed.
    ///
    /// # Errors
    /// Store errors; [`Error::Stale`] when other requests run beside this one: the batch runs it again alone.
    pub(crate) async fn define(&mut self, sql: &str) -> Result<()> {
        self.claim_alone()?;
        self.require_time()?;
        self.link.require_transaction()?;
        self.flushed = true;
        let outcome = self.link.run(sql).await;
        self.noted(outcome)
    }

    /// Indexes changed: statements compiled before may be told to go another way, and rights mean what they did.
    pub(crate) fn indexes_changed(&mut self) {
        self.batch.metadata.fetch_add(1, Ordering::Relaxed);
        self.batch.changes_schema.store(true, Ordering::Relaxed);
        self.moves_versions = true;
    }

    /// Tables or columns changed, and with them what rights mean.
    pub(crate) fn metadata_changed(&mut self) {
        self.batch.metadata.fetch_add(1, Ordering::Relaxed);
        self.batch.security.fetch_add(1, Ordering::Relaxed);
        self.batch.changes_schema.store(true, Ordering::Relaxed);
        self.moves_versions = true;
    }

    fn next_number(&self) -> i64 {
        self.batch.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn log(&mut self, number: i64, kind: ChangeKind, table: &Table, row: Guid, values: &[(ColumnId, Value)]) {
        self.log_at(number, self.batch.commit_time, kind, table.id, row, values);
    }

    pub(crate) fn log_at(
        &mut self,
        number: i64,
        commit_time: i64,
        kind: ChangeKind,
        table: TableId,
        row: Guid,
        values: &[(ColumnId, Value)],
    ) {
        let payload = change_log::encode(values.iter().map(|(column, value)| (*column, value)));
        let statement = internal::insert_change(
            &internal::ChangeRecord { number, commit_time, kind: kind.code(), table, row },
            payload,
        );
        self.push(statement, Some(1), table, row, false);
    }

    pub(crate) fn derive(&mut self, kind: ChangeKind, table: &Table, row: Guid, values: &[(ColumnId, Value)]) {
        self.writes.row(table.id, row);
        self.writes.tables.insert(table.id);
        if derived::is_security(&table.name) {
            self.batch.security.fetch_add(1, Ordering::Relaxed);
            self.moves_versions = true;
        }
        let exists = |name: &str| self.schema.table_named(name).is_some_and(|table| self.has_table(table.id));
        for statement in derived::statements(table, kind, row, values, exists) {
            self.internal(statement);
        }
        if let Some(shared) = derived::shared_table(&self.schema, table, kind, values) {
            self.note_shared(shared);
        }
    }

    /// Notes that rows of a table may be shared from now on, unless that is stored already: statements are compiled without
    /// a look at the shares until then. What another request of the batch noted may still be dropped with it.
    fn note_shared(&mut self, table: TableId) {
        if self.batch.begun_with.has_shares(table) {
            return;
        }
        self.internal(internal::insert_shared_table(table));
        self.metadata_changed();
        let mut tables = self.batch.tables.lock();
        *tables = tables.with_shared(table);
    }

    pub(crate) fn push(&mut self, statement: Statement, rows: Option<u64>, table: TableId, row: Guid, inserts: bool) {
        self.pending.push(Operation { statement, rows, table, row, inserts });
    }
}

/// A permit is for one table and one kind of change; giving a row another owner is a kind of its own.
fn check(permit: &Permit, table: &Table, kinds: &[PrivilegeKind]) -> Result<()> {
    if permit.table() == table.id && kinds.contains(&permit.kind()) {
        return Ok(());
    }
    Err(Error::Query(format!("a permit for something else was used to write table {}", table.name)))
}

/// Runs operations in order and checks what each did.
pub(crate) async fn run(link: &Link, schema: &Schema, operations: &[Operation]) -> Result<()> {
    match link {
        Link::Sqlite(file) => {
            let writer = file.writer.lock();
            for operation in operations {
                writer.require_transaction()?;
                writer.require_time()?;
                let outcome = writer.execute(&operation.statement);
                settle(schema, operation, outcome)?;
            }
            Ok(())
        }
        Link::Postgres(connection) => {
            let mut ready = Vec::with_capacity(operations.len());
            for operation in operations {
                ready.push((connection.ready(&operation.statement).await?, &operation.statement));
            }
            let outcomes = futures::future::join_all(
                ready.iter().map(|(ready, statement)| connection.execute_ready(ready, statement)),
            )
            .await;
            for (operation, outcome) in operations.iter().zip(outcomes) {
                settle(schema, operation, outcome)?;
            }
            Ok(())
        }
    }
}

fn settle(schema: &Schema, operation: &Operation, outcome: Result<u64>) -> Result<()> {
    match outcome {
        Ok(changed) if operation.rows.is_some_and(|rows| rows != changed) => {
            Err(Error::Missing { table: operation.table, id: operation.row })
        }
        Ok(_) => Ok(()),
        Err(Error::DuplicateKey { constraint }) => {
            let Some(table) = schema.table(operation.table) else { return Err(Error::DuplicateKey { constraint }) };
            if operation.inserts && sql::is_primary_constraint(table, &constraint) {
                return Err(Error::DuplicateId { table: operation.table, id: operation.row });
            }
            let constraint = sql::key_of_constraint(schema, table, &constraint).unwrap_or(constraint);
            Err(Error::DuplicateKey { constraint })
        }
        Err(error) => Err(error),
    }
}

fn stamp_version(table: &Table, number: i64, row: &mut Vec<(ColumnId, Value)>) {
    if let Some(version) = table.column("versionnumber") {
        row.retain(|(column, _)| *column != version.id);
        row.push((version.id, Value::BigInt(number)));
    }
}

/// A fetched row: the stored columns in order with the types of their columns, then the checks.
fn stored_row(table: &Table, row: &Row<'_>, checks: usize) -> Result<StoredRow> {
    let (values, used) = sql::stored_values(table, row);
    let reached = (used..used + checks).map(|at| matches!(row.get(at), ValueRef::Boolean(true))).collect();
    let id = values
        .iter()
        .find(|(column, _)| *column == table.primary_id)
        .and_then(|(_, value)| value.guid())
        .ok_or_else(|| Error::Corrupt(format!("a row of {} has no id", table.name)))?;
    Ok(StoredRow { id, values, reached })
}

/// A stored value with the type of its column: wide integers narrowed, lookups with their table.
#[must_use]
pub fn typed(column: &custodia_schema::Column, value: ValueRef<'_>, target: Option<TableId>) -> Value {
    use custodia_schema::ColumnKind;
    match (&column.kind, owned(value)) {
        (_, Value::Null) => Value::Null,
        (ColumnKind::BigInt, Value::BigInt(n)) => Value::BigInt(n),
        (_, Value::BigInt(n)) => i32::try_from(n).map_or(Value::BigInt(n), Value::Integer),
        (ColumnKind::Lookup { targets, .. }, Value::Guid(id)) => {
            target.or_else(|| targets.first().copied()).map_or(Value::Guid(id), |table| Value::Lookup(table, id))
        }
        (ColumnKind::Choices { .. }, Value::Text(text)) => {
            Value::Choices(text.split(',').filter_map(|part| part.parse().ok()).collect())
        }
        (_, other) => other,
    }
}
