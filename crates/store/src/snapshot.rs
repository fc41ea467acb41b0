//! A database as of one moment, on a connection of its own: what backups and comparisons read.

use custodia_schema::TableId;
use parking_lot::Mutex;

use crate::Result;
use crate::database::{Database, off_the_worker};
use crate::head::Head;
use crate::postgres::PostgresConnection;
use crate::row::{Gathered, Row, RowSink};
use crate::sql::{Dialect, Statement, content, internal};
use crate::sqlite::{Connection, SqliteFile};

/// A database as of one moment. Writers go on meanwhile; the moment ends when this is dropped.
pub(crate) enum Snapshot {
    Sqlite(Mutex<Connection>),
    Postgres(PostgresConnection),
}

impl Snapshot {
    /// Of an embedded database.
    pub(crate) fn of_file(file: &SqliteFile) -> Result<Self> {
        let connection = file.connect_keeping()?;
        connection.unlimited();
        connection.run(content::begin_snapshot(Dialect::Sqlite))?;
        // The first read fixes the moment.
        connection.head()?;
        Ok(Self::Sqlite(Mutex::new(connection)))
    }

    /// Of the database of a connection that does nothing else.
    pub(crate) async fn of_connection(connection: PostgresConnection) -> Result<Self> {
        connection.run(content::begin_snapshot(Dialect::Postgres)).await?;
        connection.run(content::POSTGRES_UNLIMITED).await?;
        connection.head().await?;
        Ok(Self::Postgres(connection))
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The commit head.
    pub(crate) async fn head(&self) -> Result<Head> {
        match self {
            Self::Sqlite(connection) => connection.lock().head(),
            Self::Postgres(connection) => connection.head().await,
        }
    }

    /// Runs a statement and hands its rows to the sink.
    pub(crate) async fn query(&self, statement: &Statement, sink: &mut dyn RowSink) -> Result<()> {
        match self {
            Self::Sqlite(connection) => off_the_worker(|| connection.lock().query(statement, sink)),
            Self::Postgres(connection) => connection.query(statement, sink).await,
        }
    }

    /// Rows gathered in memory, for the few that the store itself needs.
    pub(crate) async fn rows<T: Send>(
        &self,
        statement: &Statement,
        read: impl Fn(&Row<'_>) -> Option<T> + Send,
    ) -> Result<Vec<T>> {
        let mut gathered = Gathered::by(read);
        self.query(statement, &mut gathered).await?;
        gathered.finish()
    }

    /// The tables that existed.
    pub(crate) async fn tables(&self) -> Result<Vec<TableId>> {
        self.rows(&internal::select_tables(), |row| row.integer(0).and_then(|id| u32::try_from(id).ok()).map(TableId))
            .await
    }
}

impl Database {
    /// The database as of now.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        match self.sqlite_file() {
            Some(file) => off_the_worker(|| Snapshot::of_file(file)),
            None => Snapshot::of_connection(self.own_connection().await?).await,
        }
    }
}
