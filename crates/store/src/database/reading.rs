//! How one organisation's rows are read: compiled by a plan, on either engine, in one snapshot with the head. A file is read on
//! the thread that asked as long as that takes no time, and beside it otherwise.

use std::future::Future;
use std::sync::Arc;

use custodia_access::RowAccess;
use custodia_query::{Aggregation, Filter, Query};
use custodia_schema::{Guid, PrivilegeKind, Schema, Value};

use super::{Database, Engine, Inner, off_the_worker};
use crate::head::{Head, Versions};
use crate::postgres::PostgresConnection;
use crate::questions::{Asked, Took};
use crate::row::{Counting, Gathered, Groups, Masking, Number, Restart, Row};
use crate::sql::{self, Context, Parameter, Plan, ReadPolicy, Statement};
use crate::sqlite::SqliteFile;
use crate::tables::KnownTables;
use crate::{Error, Result};

/// Times that a read or write is tried again when tables had to be made for it.
const TRIES_MAX: usize = 4;
/// Rows from which a page that nothing narrows is expected to take long enough for a thread of its own.
const LONG_PAGE_ROWS: u32 = 500;
/// Milliseconds that a read of a file may take on the thread that asked. What takes longer is given up there and begun anew as
/// a long read: how many rows a question passes cannot be told from it, and while it runs its thread does nothing else.
const SHORT_READ_MS: u64 = 10;
/// Milliseconds from which on a read of a file lets others have its thread before it is answered: a request may be of many. Two
/// looks at a clock of whole milliseconds differ by one for what takes no time, too.
const LETS_GO_MS: u64 = 2;

/// What a read found beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// The head in the snapshot of the read.
    pub head: Head,
    /// Rows that match, if the query asked: at most the cap plus one.
    pub count: Option<u64>,
}

/// A read compiled once: its rows carry the output columns of the query, then its sort keys.
pub struct Reading {
    statement: Statement,
    /// What it was compiled against.
    schema: Arc<Schema>,
    tables: Arc<KnownTables>,
}

impl Reading {
    /// For each sort key of the query, the output position that holds it; the primary id is the last key and stands at
    /// position 0.
    #[must_use]
    pub fn keys(&self) -> &[usize] {
        &self.statement.keys
    }

    /// The same read of another row; `None` where it does not ask for one row by its id, or compares more with it.
    #[must_use]
    pub fn of_row(&self, id: Guid) -> Option<Self> {
        let mut statement = self.statement.clone();
        *statement.parameters.get_mut(statement.row?)? = Parameter::Value(Value::Guid(id));
        Some(Self { statement, schema: Arc::clone(&self.schema), tables: Arc::clone(&self.tables) })
    }
}

impl Database {
    /// The commit head as of now.
    ///
    /// # Errors
    /// Store errors.
    pub async fn head(&self) -> Result<Head> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => self.read_file(file, false, None, &[], &mut []).await.map(|(head, _)| head),
            Engine::Postgres { .. } => self.inner.reading().await?.head().await,
        }
    }

    /// Compiles a query under a policy, making tables on first use.
    ///
    /// # Errors
    /// [`Error::Denied`] when the policy's gate fails; [`Error::TooManyDistinct`] when more rows match than are told apart;
    /// store errors.
    pub async fn prepare(&self, query: &Query, policy: &dyn ReadPolicy) -> Result<Reading> {
        let schema = self.schema();
        self.make_tables(&sql::tables_needed(&schema, query, policy)?).await?;
        if query.distinct {
            self.require_few_to_tell_apart(&schema, query, policy).await?;
        }
        let plan = self.plan(&schema, query, policy).await?;
        self.compile(&schema, query, policy, plan)
    }

    /// Compiles a query for a given plan instead of the one that counts would choose: for measuring, and for showing that
    /// all plans answer the same.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub async fn prepare_as(&self, query: &Query, policy: &dyn ReadPolicy, plan: Plan) -> Result<Reading> {
        let schema = self.schema();
        self.make_tables(&sql::tables_needed(&schema, query, policy)?).await?;
        self.compile(&schema, query, policy, plan)
    }

    fn compile(&self, schema: &Arc<Schema>, query: &Query, policy: &dyn ReadPolicy, plan: Plan) -> Result<Reading> {
        let tables = self.inner.writer.tables.load_full();
        let context = Context { dialect: self.inner.dialect(), schema, tables: &*tables };
        let statement = sql::select(&context, query, policy, plan)?;
        Ok(Reading { statement, schema: Arc::clone(schema), tables })
    }

    /// Whether a read would be compiled from the same schema and tables now. Whether it would be for the same rights, and
    /// by the same plan, is the caller's to know; a read of one row has one plan.
    #[must_use]
    pub fn is_current(&self, reading: &Reading) -> bool {
        let writer = &self.inner.writer;
        Arc::ptr_eq(&writer.schema.load(), &reading.schema) && Arc::ptr_eq(&writer.tables.load(), &reading.tables)
    }

    /// Reads the rows of a query into a sink. With `expected` versions, refuses when they are no longer the present
    /// ones: the caller's rights or the metadata changed.
    ///
    /// # Errors
    /// [`Error::Stale`] as said; the sink may then have taken rows that must be thrown away.
    pub async fn read(
        &self,
        expected: Option<Versions>,
        query: &Query,
        policy: &dyn ReadPolicy,
        reading: &Reading,
        sink: &mut dyn Restart,
    ) -> Result<ReadOutcome> {
        // One row is found by its id: there is nothing to learn of it.
        let Some(asked) = Asked::list(query).filter(|_| reading.statement.row.is_none()) else {
            return self.read_scanning(expected, query, policy, reading, sink).await.map(|(outcome, _)| outcome);
        };
        let begun = self.now_ms();
        let mut counting = Counting::new(sink);
        let (outcome, scanned) = self.read_scanning(expected, query, policy, reading, &mut counting).await?;
        self.note(&asked, begun, counting.rows, scanned);
        Ok(outcome)
    }

    /// Notes what a question took.
    fn note(&self, asked: &Asked<'_>, begun_ms: u64, answered: u64, scanned: u64) {
        let milliseconds = self.now_ms().saturating_sub(begun_ms);
        let took = Took { milliseconds, answered, scanned, now: self.now_seconds() };
        self.inner.questions.note(asked, &took, self.limits().noted_questions_max);
    }

    async fn read_scanning(
        &self,
        expected: Option<Versions>,
        query: &Query,
        policy: &dyn ReadPolicy,
        reading: &Reading,
        sink: &mut dyn Restart,
    ) -> Result<(ReadOutcome, u64)> {
        self.require_current()?;
        self.touch();
        let mut masking;
        let sink: &mut dyn Restart = if reading.statement.masks.is_empty() {
            sink
        } else {
            masking = Masking::new(&reading.statement.masks, sink);
            &mut masking
        };
        let count = if query.count { Some(self.count_statement(query, policy).await?) } else { None };
        let mut counted = Number::default();
        let (head, scanned) = match &self.inner.engine {
            Engine::Sqlite { file, .. } => {
                let is_long = count.is_some() || is_long_page(query);
                match &count {
                    Some(count) => {
                        let statements = [&reading.statement, count];
                        self.read_file(file, is_long, expected, &statements, &mut [sink, &mut counted]).await?
                    }
                    None => self.read_file(file, is_long, expected, &[&reading.statement], &mut [sink]).await?,
                }
            }
            Engine::Postgres { .. } => {
                let connection = self.inner.reading().await?;
                if let Some(count) = &count {
                    connection.query_anew(count, &mut counted).await?;
                }
                (connection.read(expected, &reading.statement, sink).await?, 0)
            }
        };
        // What this statement read is right as it is; the next one knows the tables that another node made.
        self.know_metadata(head.versions).await?;
        Ok((ReadOutcome { head, count: counted.0.and_then(|n| u64::try_from(n).ok()) }, scanned))
    }

    /// Reads a file in one snapshot with the head; also the rows that were passed in scans, which no index bounded. What is not
    /// expected to take long is tried on the thread that asked.
    async fn read_file(
        &self,
        file: &SqliteFile,
        is_long: bool,
        expected: Option<Versions>,
        statements: &[&Statement],
        sinks: &mut [&mut dyn Restart],
    ) -> Result<(Head, u64)> {
        if !is_long {
            // A request may be of many reads, and none of them waits for anything: after so many it lets others have the thread.
            tokio::task::coop::consume_budget().await;
            let begun = self.now_ms();
            let read = file.read(SHORT_READ_MS, expected, statements, sinks);
            if self.now_ms().saturating_sub(begun) >= LETS_GO_MS {
                tokio::task::yield_now().await;
            }
            match read {
                Err(Error::Timeout { .. } | Error::Interrupted) => sinks.iter_mut().for_each(|sink| sink.restart()),
                read => return read,
            }
        }
        let limit_ms = self.limits().statement_ms;
        for _ in 1..TRIES_MAX {
            match self.long_read(|| file.read(limit_ms, expected, statements, sinks)).await {
                Err(Error::Interrupted) => sinks.iter_mut().for_each(|sink| sink.restart()),
                read => return read,
            }
        }
        self.long_read(|| file.read(limit_ms, expected, statements, sinks)).await
    }

    /// Reads the groups of an aggregation into a sink, in the statement's own snapshot. Makes tables on first use.
    ///
    /// # Errors
    /// [`Error::Denied`] when the policy's gate fails; [`Error::TooManyRows`] when more rows match than may be aggregated;
    /// [`Error::TooLargeNumber`]; store errors. The sink has then taken nothing that counts.
    pub async fn aggregate(
        &self,
        aggregation: &Aggregation,
        policy: &dyn ReadPolicy,
        sink: &mut dyn Restart,
    ) -> Result<Head> {
        let plan = self.plan_of_all(&self.schema(), &aggregation.rows, policy).await?;
        self.aggregate_as(aggregation, policy, plan, sink).await
    }

    /// The same by a given plan: for showing that all plans answer the same.
    ///
    /// # Errors
    /// As [`Self::aggregate`].
    pub async fn aggregate_as(
        &self,
        aggregation: &Aggregation,
        policy: &dyn ReadPolicy,
        plan: Plan,
        sink: &mut dyn Restart,
    ) -> Result<Head> {
        self.require_current()?;
        self.touch();
        let schema = self.schema();
        self.make_tables(&sql::tables_of_aggregation(&schema, aggregation, policy)?).await?;
        let statement = self.compiled(&schema, |context| sql::aggregate(context, aggregation, policy, plan))?;
        let begun = self.now_ms();
        let mut groups = Groups::new(sink, aggregation.rows_max);
        let (head, scanned) = match &self.inner.engine {
            Engine::Sqlite { file, .. } => self.read_file(file, true, None, &[&statement], &mut [&mut groups]).await?,
            Engine::Postgres { .. } => (self.inner.reading().await?.read(None, &statement, &mut groups).await?, 0),
        };
        if let Some(asked) = Asked::aggregate(aggregation) {
            self.note(&asked, begun, groups.answered, scanned);
        }
        self.know_metadata(head.versions).await?;
        if groups.is_of_too_many() {
            return Err(Error::TooManyRows { limit: aggregation.rows_max });
        }
        Ok(head)
    }

    /// Compiles a statement against the tables that there are.
    fn compiled(
        &self,
        schema: &Schema,
        compile: impl FnOnce(&Context<'_>) -> std::result::Result<Statement, sql::CompileError>,
    ) -> Result<Statement> {
        let tables = self.inner.writer.tables.load();
        Ok(compile(&Context { dialect: self.inner.dialect(), schema, tables: &**tables })?)
    }

    /// Reads all rows of a query at once, integers as [`Value::BigInt`]: for the few rows the service itself needs.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn rows(&self, query: &Query, policy: &dyn ReadPolicy) -> Result<(Vec<Vec<Value>>, Head)> {
        let reading = self.prepare(query, policy).await?;
        let mut rows = Gathered::by(|row| Some(row.to_values()));
        let (outcome, _) = self.read_scanning(None, query, policy, &reading, &mut rows).await?;
        Ok((rows.finish()?, outcome.head))
    }

    /// Rows of the store's own tables, without a policy.
    pub(crate) async fn internal_rows<T: Send>(
        &self,
        statement: &Statement,
        read: impl Fn(&Row<'_>) -> Option<T> + Send,
    ) -> Result<Vec<T>> {
        let mut gathered = Gathered::by(read);
        self.internal_read(statement, &mut gathered).await?;
        gathered.finish()
    }

    /// The same into a sink.
    pub(crate) async fn internal_read(&self, statement: &Statement, sink: &mut dyn Restart) -> Result<()> {
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => self.read_file(file, false, None, &[statement], &mut [sink]).await.map(drop),
            Engine::Postgres { .. } => self.inner.reading().await?.query_anew(statement, sink).await,
        }
    }

    async fn count_statement(&self, query: &Query, policy: &dyn ReadPolicy) -> Result<Statement> {
        let (schema, cap) = (self.schema(), u64::from(self.inner.services.limits.count_max));
        let plan = self.plan_of_all(&schema, query, policy).await?;
        self.compiled(&schema, |context| sql::count(context, query, policy, plan, cap))
    }

    /// Chooses how to find all rows of a query.
    async fn plan_of_all(&self, schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<Plan> {
        Ok(sql::plan_of_all(schema, query, self.plan(schema, query, policy).await?))
    }

    /// Chooses how to find the rows (decision 0008): few reachable ones are gathered, many are met in order.
    async fn plan(&self, schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<Plan> {
        let Some(table) = schema.table(query.table) else { return Ok(Plan::Ordered) };
        let RowAccess::Arms(arms) = policy.rows(table, PrivilegeKind::Read)? else { return Ok(Plan::Ordered) };
        if crate::estimate::names_one_row(table, query) {
            return Ok(Plan::Ordered);
        }
        let now = self.inner.services.clock.monotonic_ms();
        if let Some(plan) = self.inner.estimates.get(table.id, &arms, now) {
            return Ok(plan);
        }
        let statement =
            self.compiled(schema, |context| sql::estimate(context, table, &arms, crate::estimate::COUNTED_MAX))?;
        let counts = self
            .internal_rows(&statement, |row| Some((row.integer(0).unwrap_or(0), row.integer(1).unwrap_or(0))))
            .await?;
        let (reachable, all) = counts.first().copied().unwrap_or((0, 0));
        let plan = crate::estimate::choose(self.inner.dialect(), reachable, all);
        Ok(self.inner.estimates.keep(table.id, arms, plan, now))
    }

    /// Refuses a question whose distinct rows would take more memory to tell apart than the limits allow: they are counted
    /// before, as they are without being told apart.
    async fn require_few_to_tell_apart(&self, schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<()> {
        let columns = query.fields.len() + query.links.iter().map(|link| link.fields.len()).sum::<usize>();
        let columns = u32::try_from(columns).unwrap_or(u32::MAX).max(1);
        let limit = self.inner.services.limits.distinct_values_max / columns;
        let all = Query { distinct: false, order: Vec::new(), top: None, skip: 0, ..query.clone() };
        let plan = self.plan_of_all(schema, &all, policy).await?;
        let statement = self.compiled(schema, |context| sql::count(context, &all, policy, plan, u64::from(limit)))?;
        let mut count = Number::default();
        match &self.inner.engine {
            Engine::Sqlite { file, .. } => self.read_file(file, true, None, &[&statement], &mut [&mut count]).await?.0,
            Engine::Postgres { .. } => self.inner.reading().await?.read(None, &statement, &mut count).await?,
        };
        if count.0.is_none_or(|found| found > i64::from(limit)) {
            Err(Error::TooManyDistinct { limit })
        } else {
            Ok(())
        }
    }

    /// Reads much from a file beside the requests that are worked on, when there is room: more of them at once than there are
    /// processors would be no faster, and each takes a connection with pages of its own. One database has half of the room,
    /// so that the long reads of another do not wait behind all of its own.
    async fn long_read<T>(&self, work: impl FnOnce() -> T) -> T {
        let done = {
            // Neither is ever closed.
            let _own = self.inner.long_reads.acquire().await;
            let _place = self.inner.services.long_reads.acquire().await;
            off_the_worker(work)
        };
        // Of a request or a command of many, whoever gave it may have gone.
        tokio::task::yield_now().await;
        done
    }
}

impl Inner {
    /// The connection for a read.
    pub(super) async fn reading(&self) -> Result<Arc<PostgresConnection>> {
        match &self.engine {
            Engine::Postgres { reading, .. } => reading.take().await,
            Engine::Sqlite { .. } => Err(Error::Query("an embedded database has no connections".to_owned())),
        }
    }
}

/// Whether a page is expected to be long: clients seldom say how many rows they want, and of most questions there are few.
fn is_long_page(query: &Query) -> bool {
    let rows_max = query.top.map_or(query.page_size, |top| top.min(query.page_size));
    let is_narrowed = query.filter != Filter::True || query.related.is_some() || !query.links.is_empty();
    rows_max >= LONG_PAGE_ROWS && !is_narrowed
}

/// Retries a read whose rights went stale: `attempt` loads them again each time.
///
/// # Errors
/// The last attempt's, when rights keep changing faster than they can be read.
pub async fn retry_stale<T, E, F, A>(mut attempt: A) -> std::result::Result<T, E>
where
    A: FnMut() -> F,
    F: Future<Output = std::result::Result<T, E>>,
    E: IsStale,
{
    let mut last = attempt().await;
    for _ in 1..TRIES_MAX {
        match last {
            Err(error) if error.is_stale() => last = attempt().await,
            other => return other,
        }
    }
    last
}

/// An error that may mean "rights changed meanwhile".
pub trait IsStale {
    /// Whether it does.
    fn is_stale(&self) -> bool;
}

impl IsStale for Error {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Stale)
    }
}

#[cfg(test)]
mod tests;
