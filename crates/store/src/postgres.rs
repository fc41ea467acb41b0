//! The server engine: one PostgreSQL database per organisation, any number of nodes.
//!
//! Two shared, pipelined connections per database and node carry short reads (decision 0001.17); another carries the
//! write batches. A connection that breaks is replaced on the next use.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use custodia_schema::Value;
use futures::TryStreamExt;
use parking_lot::Mutex;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::head::{Head, Versions};
use crate::row::{Row, RowSink};
use crate::seal::Chain;
use crate::sql::storage::Storage;
use crate::sql::{Parameter, Statement, internal};
use crate::statement_count::StatementCount;
use crate::{Error, Limits, Result};

/// Seconds between 1970-01-01 and PostgreSQL's epoch, 2000-01-01.
const EPOCH_SECONDS: i64 = 946_684_800;
/// Days between the two.
const EPOCH_DAYS: i32 = 10_957;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A connection with its prepared statements.
pub(crate) struct PostgresConnection {
    client: Client,
    closed: Arc<AtomicBool>,
    prepared: Mutex<HashMap<Arc<str>, tokio_postgres::Statement>>,
    prepared_max: usize,
    limit_ms: u64,
    statements: StatementCount,
    /// How long it is waited for an answer; nothing, where statements have no limit.
    patience: Option<Duration>,
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
}

impl PostgresSettings {
    /// From `postgres://…`; the limits are set on each connection.
    pub(crate) fn parse(url: &str, limits: &Limits) -> Result<Self> {
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
        })
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
}

impl PostgresConnection {
    /// Connects to a database, making it when the server has none of that name.
    pub(crate) async fn connect_or_create(settings: &PostgresSettings) -> Result<Self> {
        match Self::connect(settings).await {
            Err(Error::Unavailable { source: Some(source), context }) => {
                let missing = source
                    .downcast_ref::<tokio_postgres::Error>()
                    .and_then(tokio_postgres::Error::code)
                    .is_some_and(|code| *code == tokio_postgres::error::SqlState::UNDEFINED_DATABASE);
                let Some(name) = settings.config.get_dbname().filter(|_| missing) else {
                    return Err(Error::Unavailable { source: Some(source), context });
                };
                let server = Self::connect(&settings.database("postgres").unlimited()).await?;
                server.run(&internal::create_database(name)).await?;
                Self::connect(settings).await
            }
            other => other,
        }
    }

    pub(crate) async fn connect(settings: &PostgresSettings) -> Result<Self> {
        let mut config = tokio_postgres::Config::clone(&settings.config);
        config.application_name("custodia");
        // A server that is stopped in the middle takes connections and says nothing on them.
        let patience = Duration::from_millis(settings.silence_ms);
        let (client, connection) = tokio::time::timeout(patience, config.connect(NoTls))
            .await
            .map_err(|_| silent("connecting to PostgreSQL"))?
            .map_err(|error| Error::unavailable("connecting to PostgreSQL", error))?;
        let closed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&closed);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "connection to PostgreSQL lost");
            }
            flag.store(true, Ordering::Release);
        });
        let limit_ms = settings.statement_limit_ms;
        let this = Self {
            client,
            closed,
            prepared: Mutex::new(HashMap::new()),
            prepared_max: settings.prepared_max,
            limit_ms,
            patience: Some(patience),
            statements: settings.statements.clone(),
        };
        this.run(&internal::postgres_session(limit_ms, settings.stalled_limit_ms)).await?;
        let patience = (limit_ms > 0).then(|| Duration::from_millis(limit_ms.saturating_add(settings.silence_ms)));
        Ok(Self { patience, ..this })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) || self.client.is_closed()
    }

    /// Waits for the server for as long as a statement may take and a little longer. One that says nothing for that long
    /// has lost the request or will never come to it: the connection is given up, and the next use makes another. Whether
    /// the server does what it was sent last is not known.
    async fn in_time<T>(&self, context: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(patience) = self.patience else { return work.await };
        if self.is_closed() {
            return Err(silent(context));
        }
        tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
            self.closed.store(true, Ordering::Release);
            Err(silent(context))
        })
    }

    async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement> {
        if let Some(statement) = self.prepared.lock().get(sql) {
            return Ok(statement.clone());
        }
        self.statements.count();
        let statement = self.client.prepare(sql).await.map_err(|error| self.error("preparing a statement", error))?;
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

    async fn query_ready(&self, ready: &ReadyStatement, statement: &Statement, sink: &mut dyn RowSink) -> Result<()> {
        let work = async {
            let parameters = statement.parameters.iter().map(Bound).collect::<Vec<_>>();
            self.statements.count();
            let stream = self
                .client
                .query_raw(&ready.0, parameters.iter().map(|bound| bound as &(dyn ToSql + Sync)))
                .await
                .map_err(|error| self.error("running a statement", error))?;
            let mut stream = std::pin::pin!(stream);
            while let Some(row) = stream.try_next().await.map_err(|error| self.error("running a statement", error))? {
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
        self.statements.count();
        let work =
            async { self.client.simple_query(sql).await.map_err(|error| self.error("running a statement", error)) };
        let messages = self.in_time("running a statement", work).await?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// The head, read without a lock.
    pub(crate) async fn head(&self) -> Result<Head> {
        self.head_by(internal::HEAD).await
    }

    /// Begins a transaction and locks the head: from here to the commit no other writer of this organisation runs.
    pub(crate) async fn begin(&self) -> Result<Head> {
        // Both go out together; the head's reply proves the begin.
        let (begun, head) = futures::join!(self.run(internal::BEGIN), self.head_by(internal::HEAD_LOCKED));
        begun?;
        head
    }

    /// The same for a batch of writes: with the chain of the audit.
    pub(crate) async fn begin_batch(&self) -> Result<(Head, Chain)> {
        let (begun, head) =
            futures::join!(self.run(internal::BEGIN), self.sealed_head_by(internal::HEAD_SEALED_LOCKED));
        begun?;
        head
    }

    /// The head with the chain of the audit.
    pub(crate) async fn sealed_head(&self) -> Result<(Head, Chain)> {
        self.sealed_head_by(internal::HEAD_SEALED).await
    }

    async fn sealed_head_by(&self, sql: &str) -> Result<(Head, Chain)> {
        let row = self.head_row(sql).await?;
        let chain = row.try_get::<_, Option<&[u8]>>(6).map_err(|error| self.error("reading the head", error))?;
        Ok((self.head_of(&row)?, Chain::of_head(chain)?))
    }

    async fn head_by(&self, sql: &str) -> Result<Head> {
        self.head_of(&self.head_row(sql).await?)
    }

    async fn head_row(&self, sql: &str) -> Result<tokio_postgres::Row> {
        let work = async {
            let prepared = self.prepare(sql).await?;
            self.statements.count();
            self.client.query_one(&prepared, &[]).await.map_err(|error| self.error("reading the head", error))
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
        sink: &mut dyn RowSink,
    ) -> Result<Head> {
        let ready = self.ready(statement).await?;
        let (read, head) = futures::join!(self.query_ready(&ready, statement, sink), self.head());
        read?;
        let head = head?;
        if expected.is_some_and(|expected| expected != head.versions) {
            return Err(Error::Stale);
        }
        Ok(head)
    }

    fn error(&self, context: &str, error: tokio_postgres::Error) -> Error {
        use tokio_postgres::error::SqlState;
        let Some(database) = error.as_db_error() else { return Error::unavailable(context, error) };
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
        let said = Said { state: state.code().to_owned(), message: database.message().to_owned() };
        Error::unavailable(context, said)
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
struct Bound<'p>(&'p Parameter);

/// The driver can be made to log parameters: what records hold does not belong there.
impl std::fmt::Debug for Bound<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, target: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, BoxError> {
        let value = match self.0 {
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
