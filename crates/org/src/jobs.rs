//! Jobs: work too long for one request, kept as records of the organisation and done in steps.
//!
//! A job is a record of `asyncoperation` with one of `bulkdeleteoperation`, made in the transaction of the request that
//! asks for it. It works for the user who asked, with the rights that user has when a step is done. Who works on a job
//! holds a lease that stands in the record; every step makes sure of it, and stores how far the job is in the transaction
//! of what it did (`job_step.rs`). So a job goes on exactly where it was, whoever takes it up, and two nodes never do the
//! same step. When steps are done, and by which node, is the business of those above.

use std::sync::Arc;

use custodia_query::odata::Limits;
use custodia_query::{Filter, Order, Path, Query};
use custodia_schema::{Guid, PrivilegeKind, Table, Value};
use custodia_store::{AuditOperation, AuditedChange, RowKey, StoredRow};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::audit_detail::action;
use crate::caller::{Caller, Origin};
use crate::create::{is_stamp, number};
use crate::error::{Error, Result};
use crate::model;
use crate::organization::Organization;
use crate::writing::{Draft, Writing, Written};

/// The name of this kind of job, in `messagename` and in the audit.
pub const BULK_DELETE: &str = "BulkDelete";

/// The table of jobs.
pub(crate) const ASYNC_OPERATION: &str = "asyncoperation";
/// The table of what jobs delete.
pub(crate) const BULK_DELETE_OPERATION: &str = "bulkdeleteoperation";

/// The privilege to ask for deletes in bulk.
const PRIVILEGE: &str = "prvBulkDelete";
/// What says whom the platform's own reads and writes are for.
const WHY: &str = "jobs";
/// The value of `operationtype` of a bulk delete.
const OPERATION_TYPE: i32 = 13;
/// Open jobs of an organisation that are looked at: it may have no more.
pub const JOBS_READ_MAX: u32 = 1_000;
/// What ends a query as it is written: within one it cannot stand.
const QUERY_END: &str = "</fetch>";
/// Characters of a reason that is kept with a job.
const REASON_MAX: usize = 2_000;
/// What a job's record tells where the store could not do something.
const STORE_FAILED: &str = "The database could not do it; the operator of the service finds why in its log.";
/// Values in the lists of a job's query: clients name the records of a job one by one.
const LISTED_MAX: usize = 10_000;

/// States with a status each, as clients know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// It may begin.
    Ready,
    /// It begins at its time.
    Waiting,
    /// A node works on it.
    InProgress,
    Succeeded,
    Failed,
    Canceled,
}

impl Status {
    /// The values of `statecode` and `statuscode`.
    fn values(self) -> (i32, i32) {
        match self {
            Self::Ready => (0, 0),
            Self::Waiting => (1, 10),
            Self::InProgress => (2, 20),
            Self::Succeeded => (COMPLETED, 30),
            Self::Failed => (COMPLETED, 31),
            Self::Canceled => (COMPLETED, 32),
        }
    }
}

/// The value of `statecode` of a job that has ended.
const COMPLETED: i32 = 3;

/// A delete of the records that queries find, as it is asked for. It is done by a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkDelete {
    /// What the job is called.
    pub name: String,
    /// Which records: queries in FetchXML as `Fetch::print` writes them, done one after the other.
    pub queries: Vec<String>,
    /// When it begins, seconds since 1970; `None`: at once.
    pub start: Option<i64>,
}

/// Told before a job is made, so that an organisation with a job is looked at even after this process is gone.
pub trait JobBell: Send + Sync {
    /// Notes durably that the organisation may have a job.
    fn ring(&self, organization: Guid) -> BoxFuture<'_, custodia_store::Result<()>>;
}

/// How much a query of a job may ask: as others, but with longer lists.
#[must_use]
pub fn query_limits() -> Limits {
    // Each value is an element with a text.
    Limits { in_values_max: LISTED_MAX, fetchxml_nodes_max: 3 * LISTED_MAX, ..Limits::default() }
}

/// On what terms a node works on jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTerms {
    /// The node, as long as its process lives.
    pub holder: Guid,
    /// Seconds that a lease is good for after each step.
    pub lease_seconds: i64,
    /// Jobs of one organisation that are worked on at the same time, on all nodes together.
    pub running_max: usize,
    /// Times that a job is taken up without getting on; then it has failed.
    pub tries_max: u32,
}

/// A job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobWait {
    /// Its id.
    pub id: Guid,
    /// What it is called.
    pub name: String,
    /// The user it works for.
    pub user: Guid,
    /// When it was asked for, seconds since 1970.
    pub created: i64,
    /// When it may be taken up: its time, or the end of the lease of whoever works on it; seconds since 1970.
    pub due: i64,
    /// Somebody works on it.
    pub is_held: bool,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// The query at work, from 0.
    pub query: usize,
    /// The last record of it that was seen to; those after it by id are left.
    pub after: Option<Guid>,
    /// Records deleted.
    pub succeeded: i32,
    /// Records that could not be deleted.
    pub failed: i32,
}

impl JobProgress {
    /// Whether a record of the query at work was seen to already.
    pub(crate) fn is_after(&self, row: Guid) -> bool {
        self.after.is_some_and(|after| row <= after)
    }
}

/// A job that this node works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: Guid,
    /// In whose name it works.
    pub caller: Caller,
    /// Its queries in FetchXML.
    pub queries: Vec<String>,
    /// How far it is.
    pub progress: JobProgress,
}

/// How a job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// It is through.
    Succeeded,
    /// It cannot go on, for this reason.
    Failed(String),
}

impl Error {
    /// Whether the store could not do it, wherever in a list of changes. What it says is the operator's business.
    pub(crate) fn is_of_the_store(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Part { error, .. } => error.is_of_the_store(),
            _ => false,
        }
    }

    /// What a job's record, which users see, tells of an error.
    #[must_use]
    pub fn told_in_a_job(&self) -> String {
        if self.is_of_the_store() {
            return STORE_FAILED.to_owned();
        }
        let told = self.to_string();
        custodia_inspection::masked(&told).unwrap_or(told)
    }
}

/// What a job's record holds that no caller sees or sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Who works on it.
    pub holder: Option<Guid>,
    /// Until when, seconds since 1970.
    pub until: i64,
    /// The last record of the query at work that was seen to.
    pub after: Option<Guid>,
    /// Times it was taken up since it last got on.
    pub tries: u32,
}

/// The two records of a job that this node works on.
pub(crate) struct Held {
    pub job: StoredRow,
    pub operation: StoredRow,
    pub state: State,
}

impl Organization {
    /// Rings for a job that is about to be made.
    pub(crate) async fn announce(&self) -> Result<()> {
        match &self.shared.bell {
            Some(bell) => Ok(bell.ring(self.id()).await?),
            None => Ok(()),
        }
    }

    /// That a caller may ask for deletes in bulk now.
    pub(crate) async fn check_may_delete_in_bulk(&self, caller: &Caller) -> Result<()> {
        let known = self.authority(caller).await;
        if known.is_ok_and(|known| known.check_privilege(PRIVILEGE).is_ok()) {
            return Ok(());
        }
        // What is known may be old by now: only a transaction tells. It stores nothing.
        let asked = self.rehearsal();
        asked.in_transaction(caller, |writing| Box::pin(async move { writing.check_deletes_in_bulk() })).await
    }

    /// The jobs that have not ended, the oldest first.
    ///
    /// # Errors
    /// Store errors.
    pub async fn open_jobs(&self) -> Result<Vec<JobWait>> {
        let schema = self.schema();
        let table = model::table(&schema, ASYNC_OPERATION)?;
        if !self.shared.database.has_table(table.id) {
            return Ok(Vec::new());
        }
        let shown = model::columns(table, &OPEN_COLUMNS)?;
        let mut query = open_query(table, JOBS_READ_MAX)?.showing(shown);
        query.order = vec![Order::by_value(Path::own(model::column(table, "createdon")?), false)];
        let (rows, _) = self.shared.platform_rows(WHY, &query).await?;
        Ok(rows.iter().take(JOBS_READ_MAX as usize).filter_map(|row| waiting(row)).collect())
    }

    /// Takes a job up, if it is due, nobody else works on it and the organisation has no more of them at work than it may.
    /// A job that was taken up too often without getting on fails instead.
    ///
    /// # Errors
    /// Store errors.
    pub async fn claim_job(&self, job: Guid, terms: &JobTerms) -> Result<Option<Job>> {
        let caller = Caller::platform(WHY, self.new_id());
        let terms = *terms;
        self.in_transaction(&caller, move |writing| {
            Box::pin(async move {
                writing.transaction.claim_alone()?;
                writing.claim_job(job, &terms).await
            })
        })
        .await
    }

    /// Ends a job that this node works on; whether it still did.
    ///
    /// # Errors
    /// Store errors.
    pub async fn end_job(&self, job: Guid, terms: &JobTerms, end: JobEnd) -> Result<bool> {
        let caller = Caller::platform(WHY, self.new_id());
        let terms = *terms;
        self.in_transaction(&caller, move |writing| {
            let end = end.clone();
            Box::pin(async move {
                let Some(held) = writing.hold_job(job, &terms).await? else { return Ok(false) };
                let (status, reason) = match end {
                    JobEnd::Succeeded => (Status::Succeeded, None),
                    JobEnd::Failed(reason) => (Status::Failed, Some(reason)),
                };
                writing.finish_job(&held.job, Some(&held.operation), status, reason)?;
                Ok(true)
            })
        })
        .await
    }

    /// Renews the lease of a job that this node works on; whether it still did. For what takes long and stores nothing.
    ///
    /// # Errors
    /// Store errors.
    pub async fn renew_job(&self, job: Guid, terms: &JobTerms) -> Result<bool> {
        let caller = Caller::platform(WHY, self.new_id());
        let terms = *terms;
        self.in_transaction(&caller, move |writing| {
            Box::pin(async move {
                let Some(held) = writing.hold_job(job, &terms).await? else { return Ok(false) };
                let until = writing.transaction.now().saturating_add(terms.lease_seconds);
                let jobs = writing.table_named(ASYNC_OPERATION)?;
                let mut changes = Draft::default();
                changes.stamp(&jobs, "workflowstate", written(&State { until, ..held.state })?);
                writing.write_for_jobs(&jobs, held.job.id, changes)?;
                Ok(true)
            })
        })
        .await
    }

    /// Lets go of a job that this node works on, so that another one may take it up at once.
    ///
    /// # Errors
    /// Store errors.
    pub async fn release_job(&self, job: Guid, terms: &JobTerms) -> Result<()> {
        let caller = Caller::platform(WHY, self.new_id());
        let terms = *terms;
        self.in_transaction(&caller, move |writing| {
            Box::pin(async move {
                let Some(held) = writing.hold_job(job, &terms).await? else { return Ok(()) };
                let state = State { holder: None, until: 0, tries: 0, ..held.state };
                let jobs = writing.table_named(ASYNC_OPERATION)?;
                let mut changes = status(&jobs, Status::Ready);
                changes.stamp(&jobs, "workflowstate", written(&state)?);
                writing.write_for_jobs(&jobs, held.job.id, changes)?;
                writing.show_status(&held.operation, Status::Ready)
            })
        })
        .await
    }

    /// Cancels a job in the platform's name; whether it was open.
    ///
    /// # Errors
    /// Store errors.
    pub async fn cancel_job(&self, caller: &Caller, job: Guid) -> Result<bool> {
        self.in_transaction(caller, move |writing| {
            Box::pin(async move {
                let jobs = writing.table_named(ASYNC_OPERATION)?;
                if !writing.transaction.has_table(jobs.id) {
                    return Ok(false);
                }
                let found = writing.find(&jobs, &RowKey::Id(job)).await?;
                let Some(row) = found.filter(|row| is_open(&jobs, row)) else { return Ok(false) };
                let operation = writing.operation_of(job).await?;
                writing.finish_job(&row, operation.as_ref(), Status::Canceled, None)?;
                Ok(true)
            })
        })
        .await
    }
}

impl Writing<'_> {
    /// Makes a job that deletes what queries find.
    pub(crate) async fn bulk_delete(&mut self, id: Guid, request: &BulkDelete) -> Result<Written> {
        self.check_deletes_in_bulk()?;
        let jobs = self.table_named(ASYNC_OPERATION)?;
        let operations = self.table_named(BULK_DELETE_OPERATION)?;
        let limit = self.shared.limits.open_jobs;
        // One row more than a page tells that there are more.
        let open = self.platform_ids(WHY, &Query { top: Some(limit), ..open_query(&jobs, limit)? }).await?;
        if open.len() >= limit as usize {
            return Err(Error::TooManyJobs { limit: limit as usize });
        }
        let queries = joined(&request.queries)?;
        // A query without the number it asks for would find other records.
        self.require_no_card_number(&jobs, "name", &request.name)?;
        self.require_no_card_number(&operations, "orderedquerysetxml", &queries)?;
        let start = request.start.filter(|start| *start > self.transaction.now());
        let begins = if start.is_some() { Status::Waiting } else { Status::Ready };

        let mut row = status(&jobs, begins);
        row.stamp(&jobs, "name", Value::Text(request.name.clone()));
        row.stamp(&jobs, "operationtype", Value::Integer(OPERATION_TYPE));
        row.stamp(&jobs, "messagename", Value::Text(BULK_DELETE.to_owned()));
        row.stamp(&jobs, "postponeuntil", start.map_or(Value::Null, Value::DateTime));
        row.stamp(&jobs, "correlationid", Value::Guid(self.caller.request));
        row.stamp(&jobs, "requestid", Value::Guid(self.caller.request));
        row.stamp(&jobs, "depth", Value::Integer(1));
        row.stamp(&jobs, "retrycount", Value::Integer(0));
        row.stamp(&jobs, "workflowstate", written(&State::default())?);
        let _owner = self.settle_owner(&jobs, &mut row).await?;
        let version = self.insert_for_jobs(&jobs, id, row.clone()).await?;

        let mut operation = status(&operations, begins);
        operation.stamp(&operations, "name", Value::Text(request.name.clone()));
        operation.stamp(&operations, "asyncoperationid", Value::Lookup(jobs.id, id));
        operation.stamp(&operations, "orderedquerysetxml", Value::Text(queries));
        operation.stamp(&operations, "isrecurring", Value::Boolean(false));
        operation.stamp(&operations, "nextrun", start.map_or(Value::Null, Value::DateTime));
        for count in ["successcount", "failurecount", "processingqeindex"] {
            operation.stamp(&operations, count, Value::Integer(0));
        }
        for owner in ["ownerid", "owningbusinessunit", "owninguser"] {
            operation.stamp(&operations, owner, row.named(&jobs, owner).cloned().unwrap_or(Value::Null));
        }
        let operation_id = self.fresh.id();
        self.insert_for_jobs(&operations, operation_id, operation).await?;
        Ok(Written { id, version, masked: false })
    }

    async fn claim_job(&mut self, id: Guid, terms: &JobTerms) -> Result<Option<Job>> {
        let jobs = self.table_named(ASYNC_OPERATION)?;
        if !self.transaction.has_table(jobs.id) {
            return Ok(None);
        }
        let now = self.transaction.now();
        let Some(row) = self.find(&jobs, &RowKey::Id(id)).await?.filter(|row| is_open(&jobs, row)) else {
            return Ok(None);
        };
        let state = state_of(&jobs, &row)?;
        let begins = named(&jobs, &row, "postponeuntil").clone();
        let is_early = matches!(begins, Value::DateTime(begins) if begins > now);
        if is_early || state.holder.is_some_and(|holder| holder != terms.holder) && state.until >= now {
            return Ok(None);
        }
        if self.held_beside(&jobs, id, now).await? >= terms.running_max {
            return Ok(None);
        }
        let operation = match self.operation_of(id).await? {
            Some(operation) if state.tries < terms.tries_max => operation,
            other => {
                let reason = format!("it was taken up {} times and did not get on", state.tries);
                self.finish_job(&row, other.as_ref(), Status::Failed, Some(reason))?;
                return Ok(None);
            }
        };
        let state = State {
            holder: Some(terms.holder),
            until: now.saturating_add(terms.lease_seconds),
            tries: state.tries.saturating_add(1),
            ..state
        };
        let mut changes = status(&jobs, Status::InProgress);
        if named(&jobs, &row, "startedon").is_null() {
            changes.stamp(&jobs, "startedon", Value::DateTime(now));
        }
        let retries = i32::try_from(state.tries.saturating_sub(1)).unwrap_or(i32::MAX);
        changes.stamp(&jobs, "retrycount", Value::Integer(retries));
        changes.stamp(&jobs, "hostid", Value::Text(terms.holder.to_string()));
        changes.stamp(&jobs, "workflowstate", written(&state)?);
        self.write_for_jobs(&jobs, id, changes)?;
        self.show_status(&operation, Status::InProgress)?;

        let operations = self.table_named(BULK_DELETE_OPERATION)?;
        let queries = match named(&operations, &operation, "orderedquerysetxml") {
            Value::Text(text) => text.split_inclusive(QUERY_END).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let user = |column| named(&jobs, &row, column).guid();
        let acting = user("createdby").unwrap_or_default();
        let behind = user("createdonbehalfby");
        let caller = Caller {
            user: behind.unwrap_or(acting),
            acting_for: behind.map(|_| acting),
            request: id,
            origin: Origin::Job(BULK_DELETE),
            unmasks: false,
            address: None,
        };
        Ok(Some(Job { id, caller, queries, progress: progress_of(&operations, &operation, &state) }))
    }

    /// Jobs beside one that somebody works on.
    async fn held_beside(&mut self, jobs: &Arc<Table>, id: Guid, now: i64) -> Result<usize> {
        let query = Query { top: Some(JOBS_READ_MAX), ..open_query(jobs, JOBS_READ_MAX)? };
        let query = query.showing(model::columns(jobs, &OPEN_COLUMNS)?);
        let rows = self.platform_rows(WHY, &query).await?;
        let others = rows.iter().filter(|row| row.first().and_then(Value::guid) != Some(id));
        Ok(others.filter_map(|row| leased(row)).filter(|state| state.holder.is_some() && state.until >= now).count())
    }

    /// The records of a job, if it is open and this node works on it.
    pub(crate) async fn hold_job(&mut self, id: Guid, terms: &JobTerms) -> Result<Option<Held>> {
        let jobs = self.table_named(ASYNC_OPERATION)?;
        let Some(job) = self.find(&jobs, &RowKey::Id(id)).await?.filter(|row| is_open(&jobs, row)) else {
            return Ok(None);
        };
        let state = state_of(&jobs, &job)?;
        if state.holder != Some(terms.holder) {
            return Ok(None);
        }
        let operation = self.operation_of(id).await?;
        Ok(operation.map(|operation| Held { job, operation, state }))
    }

    /// What a job deletes.
    async fn operation_of(&mut self, job: Guid) -> Result<Option<StoredRow>> {
        let operations = self.table_named(BULK_DELETE_OPERATION)?;
        let column = model::column(&operations, "asyncoperationid")?;
        let query =
            Query { filter: Filter::equal(column, Value::Guid(job)), top: Some(1), ..Query::of(&operations, 1) };
        match self.platform_ids(WHY, &query).await?.first() {
            Some(id) => self.find(&operations, &RowKey::Id(*id)).await,
            None => Ok(None),
        }
    }

    /// Stores how far a job is, and that this node goes on with it.
    pub(crate) fn store_progress(
        &mut self,
        held: &Held,
        terms: &JobTerms,
        progress: &JobProgress,
        reason: Option<String>,
    ) -> Result<()> {
        let jobs = self.table_named(ASYNC_OPERATION)?;
        let operations = self.table_named(BULK_DELETE_OPERATION)?;
        let state = State {
            holder: held.state.holder,
            until: self.transaction.now().saturating_add(terms.lease_seconds),
            after: progress.after,
            tries: 0,
        };
        let mut changes = Draft::default();
        changes.stamp(&jobs, "workflowstate", written(&state)?);
        if let Some(reason) = reason {
            changes.stamp(&jobs, "message", Value::Text(shortened(reason)));
        }
        self.write_for_jobs(&jobs, held.job.id, changes)?;
        let mut changes = Draft::default();
        changes.stamp(&operations, "successcount", Value::Integer(progress.succeeded));
        changes.stamp(&operations, "failurecount", Value::Integer(progress.failed));
        let query = i32::try_from(progress.query).unwrap_or(i32::MAX);
        changes.stamp(&operations, "processingqeindex", Value::Integer(query));
        self.write_for_jobs(&operations, held.operation.id, changes)
    }

    fn finish_job(
        &mut self,
        job: &StoredRow,
        operation: Option<&StoredRow>,
        end: Status,
        reason: Option<String>,
    ) -> Result<()> {
        let jobs = self.table_named(ASYNC_OPERATION)?;
        let mut changes = status(&jobs, end);
        changes.stamp(&jobs, "completedon", Value::DateTime(self.transaction.now()));
        if let Some(reason) = reason {
            let reason = Value::Text(shortened(reason));
            changes.stamp(&jobs, "message", reason.clone());
            changes.stamp(&jobs, "friendlymessage", reason);
        }
        self.write_for_jobs(&jobs, job.id, changes)?;
        operation.map_or(Ok(()), |operation| self.show_status(operation, end))
    }

    /// Lets the second record of a job show the state of the first.
    fn show_status(&mut self, operation: &StoredRow, shown: Status) -> Result<()> {
        let operations = self.table_named(BULK_DELETE_OPERATION)?;
        self.write_for_jobs(&operations, operation.id, status(&operations, shown))
    }

    fn write_for_jobs(&mut self, table: &Arc<Table>, id: Guid, mut changes: Draft) -> Result<()> {
        let permit = self.platform_permit(WHY, table, PrivilegeKind::Write)?;
        changes.stamp(table, "modifiedon", Value::DateTime(self.transaction.now()));
        self.transaction.update(permit, table, id, changes.into_values())?;
        Ok(())
    }

    async fn insert_for_jobs(&mut self, table: &Arc<Table>, id: Guid, mut row: Draft) -> Result<i64> {
        self.fill_defaults(table, &mut row)?;
        self.stamp_new(table, &mut row);
        let permit = self.platform_permit(WHY, table, PrivilegeKind::Create)?;
        let values = row.into_values();
        let version = self.transaction.insert(permit, table, id, values.clone())?;
        let audited = values
            .into_iter()
            .filter(|(column, value)| !value.is_null() && table.column_by_id(*column).is_some_and(|c| !is_stamp(c)))
            .map(|(column, new)| AuditedChange { column, old: Value::Null, new })
            .collect();
        self.audit(table, id, AuditOperation::Create, action::CREATE, audited, None).await?;
        Ok(version)
    }

    /// That the caller may still ask for deletes in bulk.
    pub(crate) fn check_deletes_in_bulk(&self) -> Result<()> {
        Ok(self.authority.check_privilege(PRIVILEGE)?)
    }

    /// What callers may do to a job: cancel it, and say when it begins.
    pub(crate) async fn before_job_update(
        &mut self,
        table: &Arc<Table>,
        stored: &StoredRow,
        changes: &mut Draft,
    ) -> Result<()> {
        if !is_job(table, stored) || self.authority.platform_name().is_some() {
            return Ok(());
        }
        let is_at_work = number(Some(named(table, stored, "statecode"))) == Some(Status::InProgress.values().0);
        let begins = changes.named(table, "postponeuntil");
        if is_at_work && begins.is_some_and(|begins| begins != named(table, stored, "postponeuntil")) {
            return Err(Error::Invalid(
                "a job that is in progress has begun: 'postponeuntil' is no longer set".to_owned(),
            ));
        }
        let given = |name: &str| number(changes.named(table, name));
        let (Some(state), Some(reason)) = (given("statecode"), given("statuscode")) else { return Ok(()) };
        let was = (number(Some(named(table, stored, "statecode"))), number(Some(named(table, stored, "statuscode"))));
        if (Some(state), Some(reason)) == was {
            return Ok(());
        }
        let (completed, canceled) = Status::Canceled.values();
        if (state, reason) != (completed, canceled) || !is_open(table, stored) {
            return Err(Error::Invalid(format!(
                "a job goes through its states by itself; one that has not ended can be cancelled, with statecode \
                 {completed} and statuscode {canceled}"
            )));
        }
        changes.stamp(table, "completedon", Value::DateTime(self.transaction.now()));
        match self.operation_of(stored.id).await? {
            Some(operation) => self.show_status(&operation, Status::Canceled),
            None => Ok(()),
        }
    }

    /// A job is deleted when it has ended.
    pub(crate) async fn before_job_delete(&mut self, table: &Arc<Table>, stored: &StoredRow) -> Result<()> {
        let jobs = self.table_named(ASYNC_OPERATION)?;
        let is_open = if table.id == jobs.id {
            is_open(&jobs, stored)
        } else {
            match named(table, stored, "asyncoperationid").guid() {
                Some(job) => self.find(&jobs, &RowKey::Id(job)).await?.is_some_and(|job| is_open(&jobs, &job)),
                None => false,
            }
        };
        if is_open {
            return Err(Error::Invalid("a job is deleted when it has ended; cancel it first".to_owned()));
        }
        Ok(())
    }
}

/// Columns of an open job, in the order in which they are read after the id.
const OPEN_COLUMNS: [&str; 6] = ["name", "createdby", "createdon", "postponeuntil", "workflowstate", "statecode"];

/// The ids of all open jobs.
fn open_query(jobs: &Table, rows: u32) -> Result<Query> {
    let open = [Status::Ready, Status::Waiting, Status::InProgress].map(|status| Value::Integer(status.values().0));
    let column = |name| model::column(jobs, name);
    let filter = Filter::And(vec![
        Filter::In { path: Path::own(column("statecode")?), values: open.to_vec() },
        Filter::equal(column("operationtype")?, Value::Integer(OPERATION_TYPE)),
        Filter::Not(Box::new(Filter::IsNull(Path::own(column("workflowstate")?)))),
    ]);
    Ok(Query { filter, ..Query::of(jobs, rows) })
}

/// Who works on a job, as [`OPEN_COLUMNS`] show it.
fn leased(row: &[Value]) -> Option<State> {
    match row.get(5)? {
        Value::Text(state) => serde_json::from_str(state).ok(),
        _ => None,
    }
}

/// A job as [`OPEN_COLUMNS`] show it.
fn waiting(row: &[Value]) -> Option<JobWait> {
    let Value::Text(name) = row.get(1)? else { return None };
    let (name, state) = (name.clone(), leased(row)?);
    let moment = |at: usize| match row.get(at) {
        Some(Value::DateTime(moment) | Value::BigInt(moment)) => *moment,
        _ => 0,
    };
    let is_held = state.holder.is_some();
    // A lease is good to the end of its last second.
    let free = if is_held { state.until.saturating_add(1) } else { 0 };
    Some(JobWait {
        id: row.first()?.guid()?,
        name,
        user: row.get(2)?.guid()?,
        created: moment(3),
        due: moment(4).max(free),
        is_held,
    })
}

fn named<'r>(table: &Table, row: &'r StoredRow, column: &str) -> &'r Value {
    table.column(column).map_or(&Value::Null, |column| row.get(column.id))
}

/// Whether a record of the table of jobs is one of ours: no caller can set what that shows by.
fn is_job(jobs: &Table, row: &StoredRow) -> bool {
    !named(jobs, row, "workflowstate").is_null()
}

fn is_open(jobs: &Table, row: &StoredRow) -> bool {
    is_job(jobs, row) && number(Some(named(jobs, row, "statecode"))) != Some(COMPLETED)
}

fn state_of(jobs: &Table, row: &StoredRow) -> Result<State> {
    match named(jobs, row, "workflowstate") {
        Value::Text(text) => serde_json::from_str(text)
            .map_err(|error| Error::Invalid(format!("the state of job {} cannot be read: {error}", row.id))),
        _ => Ok(State::default()),
    }
}

fn written(state: &State) -> Result<Value> {
    let text = serde_json::to_string(state);
    Ok(Value::Text(text.map_err(|error| Error::Invalid(format!("the state of a job cannot be written: {error}")))?))
}

pub(crate) fn progress_of(operations: &Table, operation: &StoredRow, state: &State) -> JobProgress {
    let count = |name| number(Some(named(operations, operation, name))).unwrap_or(0);
    JobProgress {
        query: usize::try_from(count("processingqeindex")).unwrap_or(0),
        after: state.after,
        succeeded: count("successcount"),
        failed: count("failurecount"),
    }
}

/// State and status of either record of a job.
fn status(table: &Table, status: Status) -> Draft {
    let (state, reason) = status.values();
    let mut row = Draft::default();
    row.stamp(table, "statecode", Value::Integer(state));
    row.stamp(table, "statuscode", Value::Integer(reason));
    row
}

/// Queries as the column keeps them: one after the other.
fn joined(queries: &[String]) -> Result<String> {
    let is_one = |query: &String| query.ends_with(QUERY_END) && query.matches(QUERY_END).count() == 1;
    if queries.is_empty() || !queries.iter().all(is_one) {
        return Err(Error::Invalid("a job needs at least one query, each in FetchXML".to_owned()));
    }
    Ok(queries.concat())
}

fn shortened(reason: String) -> String {
    match reason.char_indices().nth(REASON_MAX) {
        Some((end, _)) => reason.get(..end).unwrap_or_default().to_owned(),
        None => reason,
    }
}
