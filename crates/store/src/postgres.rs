//! The server engine: one PostgreSQL database per organisation, any number of nodes.
//!
//! Two shared, pipelined connections per database and node carry short reads (decision 0001.17); another carries the
//! write batches. A connection that breaks is replaced on the next use. A statement that nobody waits for any more is taken
//! back where the server is at it, and counts until it is answered.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::BytesMut;
use custodia_schema::Value;
use futures::stream::{BoxStream, Peekable};
use futures::{FutureExt, StreamExt, TryFutureExt};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{CancelToken, Client, NoTls, SimpleQueryMessage};

use crate::head::{Head, Versions};
use crate::link::LockedHead;
use crate::pipeline::{Load, Pipeline, Ticket};
use crate::row::{Restart, Row, RowSink};
use crate::seal::Chain;
use crate::sql::storage::Storage;
use crate::sql::{Parameter, Statement, internal};
use crate::statement_count::StatementCount;
use crate::{Clock, Error, Limits, Result};

/// Seconds between 1970-01-01 and PostgreSQL's epoch, 2000-01-01.
const EPOCH_SECONDS: i64 = 946_684_800;
/// Days between the two.
const EPOCH_DAYS: i32 = 10_957;

/// How long a statement that nobody waits for any more may be at the head before the server is told to end it: what is quick
/// is over by then, and costs no cancel.
const LEFT_FOR: Duration = Duration::from_millis(20);
/// After which it is told again.
const TOLD_AGAIN: Duration = Duration::from_secs(1);
/// After which it is asked again what became of a commit.
const ASKED_AGAIN: Duration = Duration::from_millis(100);
/// Times that a read is begun anew because the cancel of another met it.
const CUT_SHORT_MAX: usize = 3;

/// The database that a PostgreSQL cluster has from the start: one is connected to it to make others.
pub(crate) const DEFAULT_DATABASE: &str = "postgres";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A connection with its prepared statements.
pub(crate) struct PostgresConnection {
    client: Arc<Client>,
    pipeline: Arc<Pipeline>,
    /// Held while a statement takes its place and is sent.
    sending: Mutex<()>,
    /// Whether it carries reads alone: then what is left there is taken back.
    reading: bool,
    given_up: AtomicBool,
    task: AbortHandle,
    /// Closed when the socket is.
    ended: watch::Receiver<()>,
    prepared: Mutex<HashMap<Arc<str>, tokio_postgres::Statement>>,
    prepared_max: usize,
    limit_ms: u64,
    statements: StatementCount,
    settings: PostgresSettings,
    silence: Duration,
    /// How long it is waited for an answer; nothing, where statements have no limit.
    patience: Option<Duration>,
    /// The statements of the present transaction have no limit.
    unlimited: AtomicBool,
}

/// What the server answers to one statement. Whoever drops it before its end leaves the rest to a task, which has the server end
/// the statement if it is at it, and keeps its place in the pipeline until it is answered.
struct Answer<'c, T: Send + 'static> {
    connection: &'c PostgresConnection,
    items: Option<Peekable<BoxStream<'static, std::result::Result<T, tokio_postgres::Error>>>>,
    ticket: Option<Ticket>,
}

/// What PostgreSQL calls an error (SQLSTATE), if it is one of its own.
fn state_of(error: &Error) -> Option<&str> {
    Some(error.said()?.downcast_ref::<Said>()?.state.as_str())
}

/// A refusal of the server, or what became of the connection, while doing `context`.
fn unavailable(context: &str, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(said) => {
            let said = Said { state: said.code().code().to_owned(), message: said.message().to_owned() };
            Error::unavailable(context, said)
        }
        None => Error::unavailable(context, error),
    }
}

/// Whether a statement failed because the database has no such table.
pub(crate) fn is_table_missing(error: &Error) -> bool {
    state_of(error) == Some(SqlState::UNDEFINED_TABLE.code())
}

/// Whether the server has no such database.
pub(crate) fn is_database_missing(error: &Error) -> bool {
    state_of(error) == Some(SqlState::UNDEFINED_DATABASE.code())
}

/// A statement that a connection has prepared.
pub(crate) struct ReadyStatement(tokio_postgres::Statement);

/// Where a database is.
#[derive(Clone)]
pub(crate) struct PostgresSettings {
    pub config: Arc<tokio_postgres::Config>,
    pub statement_limit_ms: u64,
    /// How long a transaction may stand still; 0 for ever.
    pub stalled_limit_ms: u64,
    pub statements: StatementCount,
    /// Statements kept prepared on one connection.
    pub prepared_max: usize,
    /// Milliseconds that the server may be silent beyond the limit of a statement.
    pub silence_ms: u64,
    pub clock: Arc<dyn Clock>,
    /// For connections that carry reads alone: told of each answer.
    pub room: Option<Arc<Notify>>,
}

impl PostgresSettings {
    /// From `postgres://…`; the limits are set on each connection.
    pub(crate) fn parse(url: &str, limits: &Limits, clock: Arc<dyn Clock>) -> Result<Self> {
        let config = url
            .parse::<tokio_postgres::Config>()
            .map_err(|error| Error::unavailable("reading the database address", error))?;
        Ok(Self {
            config: Arc::new(config),
            statement_limit_ms: limits.statement_ms,
            stalled_limit_ms: limits.stalled_ms,
            silence_ms: limits.silence_ms,
            prepared_max: limits.prepared_statements_max,
            statements: StatementCount::default(),
            clock,
            room: None,
        })
    }

    /// The same database, for a connection that carries reads alone.
    pub(crate) fn reading(&self, room: Arc<Notify>) -> Self {
        Self { room: Some(room), ..self.clone() }
    }

    /// The same server, another database.
    pub(crate) fn database(&self, name: &str) -> Self {
        let mut config = tokio_postgres::Config::clone(&self.config);
        config.dbname(name);
        Self { config: Arc::new(config), ..self.clone() }
    }
}

impl PostgresSettings {
    /// The same database, without limits for statements and transactions.
    pub(crate) fn unlimited(&self) -> Self {
        Self { statement_limit_ms: 0, stalled_limit_ms: 0, ..self.clone() }
    }

    /// How long it is tried to find out what became of a commit: the server may be silent, and ends a transaction whose commit
    /// never reached it when that has stood still for long.
    fn commit_known_within(&self) -> Duration {
        Duration::from_millis(self.silence_ms.saturating_add(self.stalled_limit_ms))
    }

    /// The same database, for asking that: nothing is left of it on the server for much longer.
    fn commit_asking(&self) -> Self {
        Self { statement_limit_ms: self.silence_ms.saturating_add(self.stalled_limit_ms), ..self.clone() }
    }

    /// The same database, for a transaction that stands still while a statement runs over another connection: what it has locked
    /// is locked for longer than that, and not for ever.
    pub(crate) fn outlasting_a_statement(&self) -> Self {
        Self { stalled_limit_ms: self.statement_limit_ms.saturating_add(self.silence_ms), ..self.clone() }
    }
}

impl PostgresConnection {
    /// Connects to a database, making it when the server has none of that name.
    pub(crate) async fn connect_or_create(settings: &PostgresSettings) -> Result<Self> {
        if let Some(connection) = Self::connect_existing(settings).await? {
            return Ok(connection);
        }
        // An address without a database is one of the user's name.
        let name = settings.config.get_dbname().or_else(|| settings.config.get_user()).unwrap_or_default();
        let server = Self::connect(&settings.database(DEFAULT_DATABASE).unlimited()).await?;
        server.create_database(name, settings).await?;
        Self::connect(settings).await
    }

    /// Connects to a database; `None` when the server has none of that name.
    pub(crate) async fn connect_existing(settings: &PostgresSettings) -> Result<Option<Self>> {
        match Self::connect(settings).await {
            Err(error) if is_database_missing(&error) => Ok(None),
            connected => connected.map(Some),
        }
    }

    /// Makes a database on the server that this connection leads to.
    pub(crate) async fn create_database(&self, name: &str, settings: &PostgresSettings) -> Result<()> {
        let made = self.run(&internal::create_database(name)).await;
        made.map_err(|error| {
            if state_of(&error) != Some(SqlState::INSUFFICIENT_PRIVILEGE.code()) {
                return error;
            }
            let user = settings.config.get_user().unwrap_or("USER");
            let context = format!("the PostgreSQL user may not make databases: ALTER ROLE {user} CREATEDB");
            Error::Unavailable { context, source: None }
        })
    }

    pub(crate) async fn connect(settings: &PostgresSettings) -> Result<Self> {
        let mut config = tokio_postgres::Config::clone(&settings.config);
        config.application_name("custodia");
        notice_lost_hosts(&mut config, settings);
        // A server that is stopped in the middle takes connections and says nothing on them.
        let patience = Duration::from_millis(settings.silence_ms);
        let (client, connection) = tokio::time::timeout(patience, config.connect(NoTls))
            .await
            .map_err(|_| silent("connecting to PostgreSQL"))?
            .map_err(|error| unavailable("connecting to PostgreSQL", error))?;
        let (open, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                let error = unavailable("a connection", error);
                tracing::warn!(%error, "connection to PostgreSQL lost");
            }
            drop(open);
        });
        let limit_ms = settings.statement_limit_ms;
        let this = Self {
            client: Arc::new(client),
            pipeline: Arc::new(Pipeline::new(Arc::clone(&settings.clock), settings.room.clone().unwrap_or_default())),
            sending: Mutex::new(()),
            reading: settings.room.is_some(),
            given_up: AtomicBool::new(false),
            task: task.abort_handle(),
            ended,
            prepared: Mutex::new(HashMap::new()),
            prepared_max: settings.prepared_max,
            limit_ms,
            silence: patience,
            patience: Some(patience),
            unlimited: AtomicBool::new(false),
            statements: settings.statements.clone(),
            settings: settings.clone(),
        };
        this.run(&internal::postgres_session(limit_ms, settings.stalled_limit_ms)).await?;
        let patience = (limit_ms > 0).then(|| Duration::from_millis(limit_ms.saturating_add(settings.silence_ms)));
        Ok(Self { patience, ..this })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.given_up.load(Ordering::Acquire) || self.client.is_closed()
    }

    /// Waits until the socket is closed, of a connection that broke or was given up.
    pub(crate) async fn ended(&self) {
        // Nothing is ever sent: it changes by being closed.
        let _ = self.ended.clone().changed().await;
    }

    /// What is on its way over it.
    pub(crate) fn load(&self) -> Load {
        self.pipeline.load()
    }

    /// Waits for the server for as long as a statement may take and a little longer, from when it was answered what was sent
    /// before. One that says nothing for that long has lost the request or will never come to it: the connection is given up,
    /// and the next use makes another. Whether the server does what it was sent last is not known.
    async fn in_time<T>(&self, context: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(patience) = self.patience.filter(|_| !self.unlimited.load(Ordering::Relaxed)) else {
            return work.await;
        };
        if self.is_closed() {
            return Err(silent(context));
        }
        let mut work = std::pin::pin!(work);
        let mut wait = patience;
        loop {
            if let Ok(done) = tokio::time::timeout(wait, work.as_mut()).await {
                self.pipeline.answered();
                return done;
            }
            let left = patience.saturating_sub(Duration::from_millis(self.pipeline.silent_ms()));
            if left.is_zero() || self.is_closed() {
                self.give_up();
                return Err(silent(context));
            }
            wait = left;
        }
    }

    /// Ends the connection: what the server is at is taken back, then the socket is closed.
    pub(crate) fn give_up(&self) {
        if self.given_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let (token, silence, task) = (self.client.cancel_token(), self.silence, self.task.clone());
        tokio::spawn(async move {
            cancel(&token, silence).await;
            task.abort();
        });
    }

    /// Loses the connection, without a word to the server.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.task.abort();
    }

    /// Sends a statement, and takes its place in the pipeline.
    fn send<T: Send + 'static>(
        &self,
        items: impl futures::Stream<Item = std::result::Result<T, tokio_postgres::Error>> + Send + 'static,
    ) -> Answer<'_, T> {
        self.statements.count();
        let mut items = items.boxed().peekable();
        // It is sent when it is polled first. One after the other: places in another order than the server's would have it end
        // what somebody waits for in place of what nobody does.
        let _in_order = self.sending.lock();
        let ticket = self.pipeline.take();
        let _ = Pin::new(&mut items).poll_peek(&mut Context::from_waker(Waker::noop()));
        Answer { connection: self, items: Some(items), ticket: Some(ticket) }
    }

    /// Sends a statement whose parameters are bound.
    fn send_bound(
        &self,
        statement: &tokio_postgres::Statement,
        parameters: &[Parameter],
    ) -> Answer<'_, tokio_postgres::Row> {
        let (client, statement) = (Arc::clone(&self.client), statement.clone());
        let bound: Vec<_> = parameters.iter().cloned().map(Bound).collect();
        self.send(async move { client.query_raw(&statement, bound).await }.try_flatten_stream())
    }

    async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement> {
        if let Some(statement) = self.prepared.lock().get(sql) {
            return Ok(statement.clone());
        }
        let (client, text) = (Arc::clone(&self.client), sql.to_owned());
        let mut answer = self.send(async move { client.prepare(&text).await }.into_stream());
        let statement = answer.only("preparing a statement").await?;
        let mut prepared = self.prepared.lock();
        if prepared.len() >= self.prepared_max {
            // Rare: shapes are few. Dropping all is simpler than ordering them and costs one round of preparing.
            prepared.clear();
        }
        prepared.insert(Arc::from(sql), statement.clone());
        Ok(statement)
    }

    /// Makes statements ready to be run without a round trip between them. Whoever runs them in an order holds them: asked for
    /// one by one, a statement that the connection let go meanwhile would be sent after those behind it.
    pub(crate) async fn ready(&self, statement: &Statement) -> Result<ReadyStatement> {
        if let Some(known) = self.prepared.lock().get(statement.sql.as_str()) {
            return Ok(ReadyStatement(known.clone()));
        }
        self.in_time("preparing a statement", self.prepare(&statement.sql)).await.map(ReadyStatement)
    }

    /// Runs a statement and hands its rows to the sink.
    pub(crate) async fn query(&self, statement: &Statement, sink: &mut dyn RowSink) -> Result<()> {
        let ready = self.ready(statement).await?;
        self.query_ready(&ready, statement, sink).await
    }

    /// The same over a connection that carries reads, where the cancel of another may meet it: then it is begun anew.
    pub(crate) async fn query_anew(&self, statement: &Statement, sink: &mut dyn Restart) -> Result<()> {
        for _ in 0..CUT_SHORT_MAX {
            match self.query(statement, sink).await {
                Err(error) if is_cut_short(&error) => sink.restart(),
                done => return done,
            }
        }
        self.query(statement, sink).await
    }

    async fn query_ready(&self, ready: &ReadyStatement, statement: &Statement, sink: &mut dyn RowSink) -> Result<()> {
        let work = async {
            let mut answer = self.send_bound(&ready.0, &statement.parameters);
            while let Some(row) = answer.next("running a statement").await? {
                sink.row(&Row::postgres(&row, &statement.outputs));
            }
            Ok(())
        };
        self.in_time("running a statement", work).await
    }

    /// Runs a statement that gives no rows; how many rows it changed.
    pub(crate) async fn execute(&self, statement: &Statement) -> Result<u64> {
        let ready = self.ready(statement).await?;
        self.execute_ready(&ready, statement).await
    }

    /// Runs a statement that was made ready. Calls polled together are pipelined, in the order of the polls.
    pub(crate) async fn execute_ready(&self, ready: &ReadyStatement, statement: &Statement) -> Result<u64> {
        let work = async {
            let parameters = statement.parameters.iter().map(Bound).collect::<Vec<_>>();
            self.statements.count();
            self.client
                .execute_raw(&ready.0, parameters.iter().map(|bound| bound as &(dyn ToSql + Sync)))
                .await
                .map_err(|error| self.error("running a statement", error))
        };
        self.in_time("running a statement", work).await
    }

    /// Runs statements without parameters: transactions and table definitions.
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        self.statements.count();
        let work =
            async { self.client.batch_execute(sql).await.map_err(|error| self.error("running a statement", error)) };
        self.in_time("running a statement", work).await
    }

    /// Lifts the limits of the statements of the present transaction, of a connection that does nothing else meanwhile.
    pub(crate) async fn lift_limits(&self) -> Result<()> {
        self.run(crate::sql::content::POSTGRES_UNLIMITED).await?;
        self.unlimited.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the end of that transaction for the end of what it lifted.
    pub(crate) fn restore_limits(&self) {
        self.unlimited.store(false, Ordering::Relaxed);
    }

    /// Fills a table with the rows that come, in PostgreSQL's binary form; how many came. `types` are its columns' as
    /// they physically are.
    pub(crate) async fn copy_in(
        &self,
        sql: &str,
        types: &[Storage],
        mut rows: tokio::sync::mpsc::Receiver<Vec<Vec<Parameter>>>,
    ) -> Result<u64> {
        let wrong = |error| self.error("filling a table", error);
        let types: Vec<_> = types.iter().map(|storage| type_of(*storage)).collect();
        self.statements.count();
        let sink = self.client.copy_in(sql).await.map_err(wrong)?;
        let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &types));
        while let Some(chunk) = rows.recv().await {
            for row in &chunk {
                let bound: Vec<_> = row.iter().map(Bound).collect();
                let values = bound.iter().map(|bound| bound as &(dyn ToSql + Sync));
                writer.as_mut().write_raw(values).await.map_err(wrong)?;
            }
        }
        writer.as_mut().finish().await.map_err(wrong)
    }

    /// The one text value a statement without parameters answers, if any.
    pub(crate) async fn text(&self, sql: &str) -> Result<Option<String>> {
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        let work = async {
            let mut answer = self.send(async move { client.simple_query(&sql).await }.into_stream());
            answer.only("running a statement").await
        };
        let messages: Vec<_> = self.in_time("running a statement", work).await?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// The head, read without a lock.
    pub(crate) async fn head(&self) -> Result<Head> {
        for _ in 0..CUT_SHORT_MAX {
            match self.head_by(internal::HEAD).await {
                Err(error) if is_cut_short(&error) => {}
                done => return done,
            }
        }
        self.head_by(internal::HEAD).await
    }

    /// Begins a transaction and locks the head: from here to the commit no other writer of this organisation runs.
    pub(crate) async fn begin(&self) -> Result<Head> {
        // Both go out together; the head's reply proves the begin.
        let (begun, head) = futures::join!(self.run(internal::BEGIN), self.head_by(internal::HEAD_LOCKED));
        begun?;
        head
    }

    /// The same for a batch of writes.
    pub(crate) async fn begin_batch(&self) -> Result<LockedHead> {
        let (begun, row) = futures::join!(self.run(internal::BEGIN), self.head_row(internal::HEAD_SEALED_LOCKED));
        begun?;
        let row = row?;
        let (head, chain) = self.sealed_head_of(&row)?;
        let transaction = row.try_get(7).map_err(|error| self.error("reading the head", error))?;
        Ok(LockedHead { head, chain, transaction: Some(transaction) })
    }

    /// What becomes of a transaction whose commit failed: `Ok` if it is done all the same.
    ///
    /// # Errors
    /// That `error` if it is not done, [`Error::Unknown`] where the server does not tell in time.
    pub(crate) async fn settle(&self, transaction: Option<i64>, error: Error) -> Result<()> {
        if self.run(internal::ROLLBACK).await.is_ok() {
            // It answers still, so that what it said of the commit was its last word.
            return Err(error);
        }
        self.give_up();
        let asking = async {
            let transaction = transaction?;
            // Made before the other is closed, it would be one more than there are places.
            self.ended().await;
            loop {
                match self.is_committed(transaction).await {
                    Ok(known) => return known,
                    Err(error) => tracing::debug!(%error, "what became of a commit could not be asked"),
                }
                tokio::time::sleep(ASKED_AGAIN).await;
            }
        };
        match tokio::time::timeout(self.settings.commit_known_within(), asking).await.ok().flatten() {
            Some(true) => {
                tracing::warn!(%error, "the connection to PostgreSQL was lost during a commit, which is done");
                Ok(())
            }
            Some(false) => Err(error),
            None => Err(Error::Unknown(error.to_string())),
        }
    }

    /// Asks over another connection whether a transaction was committed; nothing where the server does not know it.
    async fn is_committed(&self, transaction: i64) -> Result<Option<bool>> {
        let settings = self.settings.commit_asking();
        let asking = Self::connect(&settings).await?;
        // A server process that is at it still has the head: it is waited for.
        asking.begin().await?;
        let status = asking.text(&internal::transaction_status(transaction)).await?;
        // Not taken back: where a commit waits for other servers, this one waits until they have that one, too.
        asking.run(internal::COMMIT).await?;
        Ok(match status.as_deref() {
            Some("committed") => Some(true),
            Some("aborted") => Some(false),
            _ => None,
        })
    }

    /// The head with the chain of the audit.
    pub(crate) async fn sealed_head(&self) -> Result<(Head, Chain)> {
        self.sealed_head_of(&self.head_row(internal::HEAD_SEALED).await?)
    }

    fn sealed_head_of(&self, row: &tokio_postgres::Row) -> Result<(Head, Chain)> {
        let chain = row.try_get::<_, Option<&[u8]>>(6).map_err(|error| self.error("reading the head", error))?;
        Ok((self.head_of(row)?, Chain::of_head(chain)?))
    }

    async fn head_by(&self, sql: &str) -> Result<Head> {
        self.head_of(&self.head_row(sql).await?)
    }

    async fn head_row(&self, sql: &str) -> Result<tokio_postgres::Row> {
        let work = async {
            let prepared = self.prepare(sql).await?;
            let mut answer = self.send_bound(&prepared, &[]);
            let mut head = None;
            while let Some(row) = answer.next("reading the head").await? {
                head = Some(row);
            }
            head.ok_or_else(|| Error::Corrupt("the commit head is missing".to_owned()))
        };
        self.in_time("reading the head", work).await
    }

    fn head_of(&self, row: &tokio_postgres::Row) -> Result<Head> {
        let read = |at: usize| row.try_get::<_, i64>(at).map_err(|error| self.error("reading the head", error));
        Ok(Head {
            number: read(0)?,
            audit_number: read(1)?,
            versions: Versions { security: read(2)?, metadata: read(3)?, epoch: read(4)? },
            commit_time: read(5)?,
        })
    }

    /// A read, then the head. Versions only grow: a later head that still shows the expected ones proves them for
    /// the earlier snapshot too (decision 0007). Both are pipelined, the read first: it is made ready before, or a head
    /// sent while it is prepared would prove nothing.
    pub(crate) async fn read(
        &self,
        expected: Option<Versions>,
        statement: &Statement,
        sink: &mut dyn Restart,
    ) -> Result<Head> {
        for _ in 0..CUT_SHORT_MAX {
            match self.read_once(expected, statement, sink).await {
                Err(error) if is_cut_short(&error) => sink.restart(),
                done => return done,
            }
        }
        self.read_once(expected, statement, sink).await
    }

    async fn read_once(
        &self,
        expected: Option<Versions>,
        statement: &Statement,
        sink: &mut dyn RowSink,
    ) -> Result<Head> {
        let ready = self.ready(statement).await?;
        let (read, head) = futures::join!(self.query_ready(&ready, statement, sink), self.head_by(internal::HEAD));
        read?;
        let head = head?;
        if expected.is_some_and(|expected| expected != head.versions) {
            return Err(Error::Stale);
        }
        Ok(head)
    }

    /// The same, of a statement that the server was at for so long. A cancel comes when it comes: by then the server may be at
    /// the statement behind the one that is meant, which is not over its time then.
    fn error_of_read(&self, context: &str, error: tokio_postgres::Error, at_work_ms: u64) -> Error {
        let ended = error.code() == Some(&SqlState::QUERY_CANCELED);
        if self.reading && ended && at_work_ms < self.limit_ms / 2 {
            return Error::unavailable(context, CutShort);
        }
        self.error(context, error)
    }

    fn error(&self, context: &str, error: tokio_postgres::Error) -> Error {
        let Some(database) = error.as_db_error() else { return unavailable(context, error) };
        let state = database.code();
        if *state == SqlState::UNIQUE_VIOLATION {
            let constraint = database.constraint().unwrap_or("unknown key").to_owned();
            return Error::DuplicateKey { constraint };
        }
        if *state == SqlState::QUERY_CANCELED {
            return Error::Timeout { limit_ms: self.limit_ms };
        }
        if *state == SqlState::NUMERIC_VALUE_OUT_OF_RANGE {
            return Error::TooLargeNumber;
        }
        if *state == SqlState::DISK_FULL {
            return Error::DiskFull;
        }
        if *state == SqlState::DATA_CORRUPTED || *state == SqlState::INDEX_CORRUPTED {
            return Error::Corrupt(database.message().to_owned());
        }
        unavailable(context, error)
    }
}

impl<T: Send + 'static> Answer<'_, T> {
    /// The next of what is answered; nothing at the end.
    async fn next(&mut self, context: &str) -> Result<Option<T>> {
        let Some(items) = &mut self.items else { return Ok(None) };
        match items.next().await {
            Some(Ok(item)) => Ok(Some(item)),
            Some(Err(error)) => {
                self.items = None;
                let at_work_ms = self.ticket.take().map_or(0, |ticket| ticket.at_work_ms());
                Err(self.connection.error_of_read(context, error, at_work_ms))
            }
            None => {
                self.items = None;
                self.ticket = None;
                Ok(None)
            }
        }
    }

    /// The one thing that is answered.
    async fn only(&mut self, context: &str) -> Result<T> {
        let only = self.next(context).await?.ok_or_else(|| silent(context))?;
        self.items = None;
        self.ticket = None;
        Ok(only)
    }
}

impl<T: Send + 'static> Drop for Answer<'_, T> {
    fn drop(&mut self) {
        let (Some(mut items), Some(ticket)) = (self.items.take(), self.ticket.take()) else { return };
        // Without a runtime the connection is closed, too.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (token, silence) = (self.connection.client.cancel_token(), self.connection.silence);
        let cancels = self.connection.reading;
        runtime.spawn(async move {
            let taking_in = async { while let Some(Ok(_)) = items.next().await {} };
            let cancelling = async {
                if !cancels {
                    return std::future::pending().await;
                }
                ticket.at_head().await;
                tokio::time::sleep(LEFT_FOR).await;
                loop {
                    cancel(&token, silence).await;
                    tokio::time::sleep(TOLD_AGAIN).await;
                }
            };
            tokio::select! {
                biased;
                () = taking_in => {}
                () = cancelling => {}
            }
        });
    }
}

/// Has the server end what it is at on a connection.
async fn cancel(token: &CancelToken, silence: Duration) {
    match tokio::time::timeout(silence, token.cancel_query(NoTls)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = unavailable("ending a statement", error);
            tracing::warn!(%error, "a statement that nobody waits for could not be ended");
        }
        Err(_) => tracing::warn!("a statement that nobody waits for could not be ended: PostgreSQL does not answer"),
    }
}

/// A read was ended in place of another.
#[derive(Debug, thiserror::Error)]
#[error("the server ended it before its time")]
struct CutShort;

fn is_cut_short(error: &Error) -> bool {
    matches!(error, Error::Unavailable { source: Some(source), .. } if source.is::<CutShort>())
}

/// Has the system end a connection whose host is gone, within a minute: where a statement may take as long as it takes, nothing
/// else tells. What the address says of it stays.
fn notice_lost_hosts(config: &mut tokio_postgres::Config, settings: &PostgresSettings) {
    const IDLE: Duration = Duration::from_secs(30);
    const INTERVAL: Duration = Duration::from_secs(10);
    const PROBES: u32 = 3;
    if config.get_keepalives_idle() == tokio_postgres::Config::new().get_keepalives_idle() {
        config.keepalives_idle(IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(PROBES);
    }
    // Probes are not sent while what was sent is not acknowledged. But a server that is at a statement takes in no more either,
    // once its buffers are full: it has the time of a statement, and where that has no limit, what the system gives it.
    if config.get_tcp_user_timeout().is_none() && settings.statement_limit_ms > 0 {
        let patience = Duration::from_millis(settings.statement_limit_ms.saturating_add(settings.silence_ms));
        config.tcp_user_timeout(patience.max(IDLE + INTERVAL * PROBES));
    }
}

/// The server says nothing any more.
fn silent(context: &str) -> Error {
    Error::Unavailable { context: format!("{context}: PostgreSQL does not answer"), source: None }
}

/// What the server said, without its detail: that repeats values of records, and errors are logged.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({state})")]
struct Said {
    state: String,
    message: String,
}

/// A parameter in the form the server asks for.
struct Bound<P>(P);

/// The driver can be made to log parameters: what records hold does not belong there.
impl<P> std::fmt::Debug for Bound<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl<P: Borrow<Parameter>> ToSql for Bound<P> {
    fn to_sql(&self, target: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, BoxError> {
        let value = match self.0.borrow() {
            Parameter::Bytes(bytes) => return bytes.as_slice().to_sql(target, out),
            Parameter::Value(value) => value,
        };
        match value {
            Value::Null => Ok(IsNull::Yes),
            Value::Boolean(b) => b.to_sql(target, out),
            Value::Integer(n) => integer(i64::from(*n), target, out),
            Value::BigInt(n) => integer(*n, target, out),
            Value::Money(money) => integer(money.0, target, out),
            Value::Double(d) => d.to_sql(target, out),
            Value::Decimal(decimal) => decimal.to_sql(target, out),
            Value::Text(text) => text.as_str().to_sql(target, out),
            Value::Guid(id) | Value::Lookup(_, id) => id.to_sql(target, out),
            Value::DateTime(seconds) => Seconds(*seconds).to_sql(target, out),
            Value::Date(days) => Days(*days).to_sql(target, out),
            Value::Choices(options) => crate::choices_text(options).as_str().to_sql(target, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // The writer casts every parameter to its column's type, so the type asked for fits the value.
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

fn type_of(storage: Storage) -> Type {
    match storage {
        Storage::Boolean => Type::BOOL,
        Storage::Integer => Type::INT4,
        Storage::BigInt | Storage::Money => Type::INT8,
        Storage::Decimal => Type::NUMERIC,
        Storage::Double => Type::FLOAT8,
        Storage::Text => Type::TEXT,
        Storage::Guid => Type::UUID,
        Storage::DateTime => Type::TIMESTAMPTZ,
        Storage::Date => Type::DATE,
        Storage::Bytes => Type::BYTEA,
    }
}

fn integer(n: i64, target: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, BoxError> {
    match *target {
        Type::INT2 => i16::try_from(n)?.to_sql(target, out),
        Type::INT4 => i32::try_from(n)?.to_sql(target, out),
        _ => n.to_sql(&Type::INT8, out),
    }
}

/// Any integer type, widened.
pub(crate) struct AnyInteger(pub i64);

impl<'a> FromSql<'a> for AnyInteger {
    fn from_sql(source: &Type, raw: &'a [u8]) -> std::result::Result<Self, BoxError> {
        Ok(Self(match *source {
            Type::INT2 => i64::from(i16::from_sql(source, raw)?),
            Type::INT4 => i64::from(i32::from_sql(source, raw)?),
            _ => i64::from_sql(source, raw)?,
        }))
    }

    fn accepts(source: &Type) -> bool {
        matches!(*source, Type::INT2 | Type::INT4 | Type::INT8)
    }
}

/// A value of any type, unread.
pub(crate) struct Anything;

impl<'a> FromSql<'a> for Anything {
    fn from_sql(_: &Type, _: &'a [u8]) -> std::result::Result<Self, BoxError> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Seconds since 1970 as `timestamptz`.
#[derive(Debug)]
pub(crate) struct Seconds(pub i64);

impl<'a> FromSql<'a> for Seconds {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, BoxError> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(micros.div_euclid(1_000_000) + EPOCH_SECONDS))
    }

    fn accepts(source: &Type) -> bool {
        *source == Type::TIMESTAMPTZ
    }
}

impl ToSql for Seconds {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, BoxError> {
        let micros = self
            .0
            .checked_sub(EPOCH_SECONDS)
            .and_then(|seconds| seconds.checked_mul(1_000_000))
            .ok_or("a date-time is out of range")?;
        out.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(target: &Type) -> bool {
        *target == Type::TIMESTAMPTZ
    }

    tokio_postgres::types::to_sql_checked!();
}

/// Days since 1970-01-01 as `date`.
#[derive(Debug)]
pub(crate) struct Days(pub i32);

impl<'a> FromSql<'a> for Days {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, BoxError> {
        Ok(Self(i32::from_be_bytes(raw.try_into()?).checked_add(EPOCH_DAYS).ok_or("a date is out of range")?))
    }

    fn accepts(source: &Type) -> bool {
        *source == Type::DATE
    }
}

impl ToSql for Days {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, BoxError> {
        let days = self.0.checked_sub(EPOCH_DAYS).ok_or("a date is out of range")?;
        out.extend_from_slice(&days.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(target: &Type) -> bool {
        *target == Type::DATE
    }

    tokio_postgres::types::to_sql_checked!();
}

#[cfg(test)]
mod tests;
