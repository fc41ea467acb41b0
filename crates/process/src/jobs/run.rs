//! One job at work: which records come next, and what becomes of those that cannot be deleted.

use std::sync::Arc;

use custodia_org::{
    CascadeWalk, Error, Job, JobEnd, JobProgress, JobTerms, Organization, Reference, Rows, RowsToDelete, Stepped,
    StoreError, query_limits,
};
use custodia_query::fetchxml::{Fetch, Question};
use custodia_query::operator::Asker;
use custodia_query::{Comparison, Field, Filter, Path, Query, Zone};
use custodia_schema::{ColumnId, Guid, TableId, Value};

/// How jobs are worked on.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// On what terms jobs are taken up.
    pub terms: JobTerms,
    /// Records of a step at most.
    pub step_rows: usize,
    /// Milliseconds after which a step ends with the record at hand.
    pub step_ms: u64,
    /// The time zone of a code in a user's settings.
    pub zone: fn(i32) -> Arc<Zone>,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    More,
    /// The job is no longer this node's.
    Ended(Ended),
}

/// Why a job is no longer this node's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is through.
    Succeeded,
    /// It could not go on; why, in words for the operator.
    Failed(String),
    /// It was cancelled, is gone, or another node works on it.
    Lost,
}

/// A job that this node works on.
pub struct JobRun {
    organization: Organization,
    options: Options,
    job: Job,
    current: Option<Current>,
    /// A look at what goes with the record at hand, where it is too much for one request.
    walk: Option<Walk>,
    /// What that look has found.
    cascade: Option<Cascade>,
    /// Records of a step now: one after a step that took too long.
    rows_now: usize,
}

/// The query at work.
struct Current {
    at: usize,
    table: TableId,
    primary_id: ColumnId,
    query: Query,
}

/// A look at what goes with a record.
struct Walk {
    query: usize,
    row: Guid,
    found: CascadeWalk,
}

/// A record with more hanging on it than one request removes.
struct Cascade {
    row: Guid,
    /// What is left of what was found.
    left: CascadeWalk,
}

impl JobRun {
    /// Takes a job up; `None` where it is not to be had now.
    ///
    /// # Errors
    /// Store errors.
    pub async fn claim(organization: &Organization, job: Guid, options: Options) -> Result<Option<Self>, Error> {
        let claimed = organization.claim_job(job, &options.terms).await?;
        Ok(claimed.map(|job| Self {
            organization: organization.clone(),
            options,
            job,
            current: None,
            walk: None,
            cascade: None,
            rows_now: options.step_rows.max(1),
        }))
    }

    /// How far the job is.
    #[must_use]
    pub fn progress(&self) -> JobProgress {
        self.job.progress
    }

    /// Does a little of the job: one transaction, or a look at what comes next.
    ///
    /// # Errors
    /// Where something passing is in the way (see [`is_passing`]): the step is to be tried again. Nothing of it was stored, or
    /// nobody knows; what was stored is not done or counted again.
    pub async fn step(&mut self) -> Result<Progress, Error> {
        match self.go_on().await {
            Ok(progress) => Ok(progress),
            Err(error) if is_passing(&error) => {
                // A smaller step may have the time that this one lacked.
                self.rows_now = 1;
                Err(error)
            }
            Err(error) => self.fail(&error).await,
        }
    }

    /// Ends the job as failed: something passing did not pass.
    ///
    /// # Errors
    /// Store errors.
    pub async fn give_up(&mut self, why: &Error) -> Result<Progress, Error> {
        self.fail(why).await
    }

    /// Lets go of the job, so that another node may take it up at once.
    ///
    /// # Errors
    /// Store errors.
    pub async fn release(self) -> Result<(), Error> {
        self.organization.release_job(self.job.id, &self.options.terms).await
    }

    async fn go_on(&mut self) -> Result<Progress, Error> {
        if let Some(walk) = self.walk.take() {
            return self.walk_step(walk).await;
        }
        if self.cascade.is_some() {
            return self.cascade_step().await;
        }
        let Some(query) = self.current().await? else {
            return self.end(JobEnd::Succeeded, Ended::Succeeded).await;
        };
        let (at, table) = (query.at, query.table);
        let rows = self.next_rows().await?;
        if rows.is_empty() {
            self.current = None;
            self.job.progress = JobProgress { query: at + 1, after: None, ..self.job.progress };
            return Ok(Progress::More);
        }
        self.delete(at, table, rows).await
    }

    /// Ends the job as failed: its record shows what is the users' business, the answer all of it.
    async fn fail(&self, why: &Error) -> Result<Progress, Error> {
        self.end(JobEnd::Failed(why.told_in_a_job()), Ended::Failed(why.to_string())).await
    }

    async fn end(&self, end: JobEnd, ended: Ended) -> Result<Progress, Error> {
        let was_held = self.organization.end_job(self.job.id, &self.options.terms, end).await?;
        Ok(Progress::Ended(if was_held { ended } else { Ended::Lost }))
    }

    /// The query at work, looked up once; `None` after the last.
    async fn current(&mut self) -> Result<Option<&Current>, Error> {
        let at = self.job.progress.query;
        if self.current.as_ref().is_none_or(|current| current.at != at) {
            let Some(text) = self.job.queries.get(at) else { return Ok(None) };
            let limits = query_limits();
            let senseless = |error: custodia_query::fetchxml::FetchXmlError| Error::Invalid(error.to_string());
            let fetch = Fetch::read(text, &limits).map_err(senseless)?;
            let asker = match fetch.depends_on_asker() {
                true => self.organization.asker(&self.job.caller, self.options.zone).await?,
                false => Asker::plain(0, self.job.caller.acting(), Guid::nil()),
            };
            let schema = self.organization.schema();
            let Question::Rows(mut question) = fetch.resolve(&schema, &asker, &limits).map_err(senseless)? else {
                return Err(Error::Invalid("a query of a job asks for groups, not for records".to_owned()));
            };
            let table = schema.table(question.query.table);
            let table = table.ok_or_else(|| Error::Invalid(format!("there is no table '{}'", fetch.table)))?;
            question.query.fields = vec![Field::Column(table.primary_id)];
            question.query.links.iter_mut().for_each(|link| link.fields.clear());
            question.query.order.clear();
            self.current = Some(Current { at, table: table.id, primary_id: table.primary_id, query: question.query });
        }
        Ok(self.current.as_ref())
    }

    /// The records that come next, in the order of their ids.
    async fn next_rows(&self) -> Result<Vec<Guid>, Error> {
        let Some(current) = &self.current else { return Ok(Vec::new()) };
        let mut query = current.query.clone();
        query.page_size = u32::try_from(self.rows_now).unwrap_or(u32::MAX);
        if let Some(after) = self.job.progress.after {
            let later = Filter::Compare {
                path: Path::own(current.primary_id),
                operator: Comparison::Greater,
                value: Value::Guid(after),
            };
            query.filter = Filter::And(vec![later, query.filter]);
        }
        let mut found = Rows::default();
        self.organization.query(&self.job.caller, &query, &mut found).await?;
        let mut rows: Vec<_> =
            found.rows.iter().take(self.rows_now).filter_map(|row| row.first().and_then(Value::guid)).collect();
        // A record stands there once for each combination with linked ones.
        rows.dedup();
        Ok(rows)
    }

    async fn delete(&mut self, query: usize, table: TableId, rows: Vec<Guid>) -> Result<Progress, Error> {
        let step = RowsToDelete { query, table, rows: rows.clone(), step_ms: self.options.step_ms };
        match self.organization.delete_for_job(&self.job, &self.options.terms, step).await {
            Ok(stepped) => {
                self.rows_now = self.options.step_rows.max(1);
                Ok(self.stepped(stepped))
            }
            Err(Error::Part { at, error }) => self.failed_at(query, table, rows, at, *error).await,
            Err(error) => Err(error),
        }
    }

    /// A record of a step must be seen to by itself: those before it come first.
    async fn failed_at(
        &mut self,
        query: usize,
        table: TableId,
        mut rows: Vec<Guid>,
        at: usize,
        error: Error,
    ) -> Result<Progress, Error> {
        let failing = rows.get(at).copied();
        if at > 0 {
            rows.truncate(at);
            let step = RowsToDelete { query, table, rows, step_ms: self.options.step_ms };
            let stepped = self.organization.delete_for_job(&self.job, &self.options.terms, step).await?;
            return Ok(self.stepped(stepped));
        }
        let Some(row) = failing else { return Err(error) };
        match error {
            Error::CascadeTooLarge { .. } => {
                self.walk = Some(Walk { query, row, found: CascadeWalk::from(table, row) });
                Ok(Progress::More)
            }
            // By itself it takes as long as it takes.
            Error::Store(StoreError::Timeout { .. }) if rows.len() > 1 => {
                self.rows_now = 1;
                Ok(Progress::More)
            }
            error if is_passing(&error) && !matches!(error, Error::Store(StoreError::Timeout { .. })) => Err(error),
            error => self.pass_over(query, row, &error).await,
        }
    }

    async fn pass_over(&mut self, query: usize, row: Guid, why: &Error) -> Result<Progress, Error> {
        self.cascade = None;
        let (job, terms) = (&self.job, &self.options.terms);
        let stepped = self.organization.pass_over_for_job(job, terms, query, row, why).await?;
        Ok(self.stepped(stepped))
    }

    /// Looks a little further at what goes with a record. Nothing is removed before all of it is known.
    async fn walk_step(&mut self, mut walk: Walk) -> Result<Progress, Error> {
        // A walk that something passing interrupted begins anew: the record is found again.
        let (query, row) = (walk.query, walk.row);
        let is_through = match self.organization.walk_cascade(&mut walk.found).await {
            Ok(is_through) => is_through,
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => return self.pass_over(query, row, &error).await,
        };
        if !is_through {
            self.walk = Some(walk);
        } else {
            match self.organization.check_found(&walk.found) {
                Ok(()) => self.cascade = Some(Cascade { row, left: walk.found }),
                Err(error) => return self.pass_over(query, row, &error).await,
            }
        }
        match self.organization.renew_job(self.job.id, &self.options.terms).await? {
            true => Ok(Progress::More),
            false => Ok(Progress::Ended(Ended::Lost)),
        }
    }

    async fn cascade_step(&mut self) -> Result<Progress, Error> {
        let (Some(cascade), Some(current)) = (&mut self.cascade, &self.current) else { return Ok(Progress::More) };
        let (query, table, row) = (current.at, current.table, cascade.row);
        let many = self.rows_now.min(cascade.left.left());
        if many == 0 {
            self.cascade = None;
            return self.delete(query, table, vec![row]).await;
        }
        let root = Reference::id(table, row);
        match self.organization.remove_for_job(&self.job, &self.options.terms, root, &cascade.left, many).await {
            Ok(stepped) => {
                // A step that failed is done again.
                cascade.left.forget_last(many);
                self.rows_now = self.options.step_rows.max(1);
                Ok(self.stepped(stepped))
            }
            Err(Error::NotFound { .. }) => {
                // Somebody else deleted the record meanwhile.
                self.cascade = None;
                Ok(Progress::More)
            }
            Err(error) if is_passing(&error) => Err(error),
            Err(error) => self.pass_over(query, row, &error).await,
        }
    }

    fn stepped(&mut self, stepped: Stepped) -> Progress {
        match stepped {
            Stepped::Done(progress) => {
                self.job.progress = progress;
                Progress::More
            }
            Stepped::Lost => Progress::Ended(Ended::Lost),
        }
    }
}

/// Whether an error is of the moment, so that the same may go well later.
#[must_use]
pub fn is_passing(error: &Error) -> bool {
    match error {
        Error::Part { error, .. } => is_passing(error),
        Error::Store(error) => matches!(
            error,
            StoreError::Unavailable { .. }
                | StoreError::Unknown(_)
                | StoreError::Timeout { .. }
                | StoreError::Interrupted
                | StoreError::QueueFull { .. }
                | StoreError::DiskFull
                | StoreError::Stale
        ),
        _ => false,
    }
}
