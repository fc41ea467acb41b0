//! The connection that writes: one per organisation and node, of either engine.

use std::sync::Arc;

use crate::Result;
use crate::head::Head;
use crate::postgres::PostgresConnection;
use crate::row::{Gathered, Row, RowSink};
use crate::seal::Chain;
use crate::sql::{Dialect, Statement, internal};
use crate::sqlite::SqliteFile;

/// The connection that writes.
#[derive(Clone)]
pub(crate) enum Link {
    /// The file's writer; used by one batch at a time.
    Sqlite(Arc<SqliteFile>),
    /// A connection of its own.
    Postgres(Arc<PostgresConnection>),
}

/// What a batch of writes begins with.
pub(crate) struct LockedHead {
    pub head: Head,
    /// The chain of the audit.
    pub chain: Chain,
    /// The number by which PostgreSQL knows the transaction.
    pub transaction: Option<i64>,
}

impl Link {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Begins a transaction, locks the head and reads it. Also of a database of an older format.
    pub(crate) async fn begin(&self) -> Result<Head> {
        match self {
            Self::Sqlite(file) => {
                file.require_in_place()?;
                file.shorten_log()?;
                file.writer.lock().begin()
            }
            Self::Postgres(connection) => connection.begin().await,
        }
    }

    /// The same for a batch of writes.
    pub(crate) async fn begin_batch(&self) -> Result<LockedHead> {
        match self {
            Self::Sqlite(file) => {
                file.require_in_place()?;
                file.shorten_log()?;
                let (head, chain) = file.writer.lock().begin_batch()?;
                Ok(LockedHead { head, chain, transaction: None })
            }
            Self::Postgres(connection) => connection.begin_batch().await,
        }
    }

    /// The head with the chain of the audit.
    pub(crate) async fn sealed_head(&self) -> Result<(Head, Chain)> {
        match self {
            Self::Sqlite(file) => file.writer.lock().sealed_head(),
            Self::Postgres(connection) => connection.sealed_head().await,
        }
    }

    /// The head, within a transaction that locked it.
    pub(crate) async fn locked_head(&self) -> Result<Head> {
        match self {
            Self::Sqlite(file) => file.writer.lock().head(),
            Self::Postgres(connection) => connection.head().await,
        }
    }

    pub(crate) async fn query(&self, statement: &Statement, sink: &mut dyn RowSink) -> Result<()> {
        match self {
            Self::Sqlite(file) => file.writer.lock().query(statement, sink),
            Self::Postgres(connection) => connection.query(statement, sink).await,
        }
    }

    pub(crate) async fn execute(&self, statement: &Statement) -> Result<u64> {
        match self {
            Self::Sqlite(file) => file.writer.lock().execute(statement),
            Self::Postgres(connection) => connection.execute(statement).await,
        }
    }

    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(file) => file.writer.lock().run(sql),
            Self::Postgres(connection) => connection.run(sql).await,
        }
    }

    /// Stores the moved head and commits. On PostgreSQL both go out together; a commit after a failed statement is answered
    /// with success although it rolls back, so the head's own reply counts too (decision 0005.1). `transaction` is the one that
    /// was begun.
    ///
    /// # Errors
    /// [`Error::Unknown`] where nobody can tell whether it is done; with any other nothing is.
    ///
    /// [`Error::Unknown`]: crate::Error::Unknown
    pub(crate) async fn commit(&self, head: &Statement, transaction: Option<i64>) -> Result<()> {
        match self {
            Self::Sqlite(file) => {
                let writer = file.writer.lock();
                writer.require_transaction()?;
                writer.execute(head)?;
                writer.run(internal::COMMIT)
            }
            Self::Postgres(connection) => {
                let ready = connection.ready(head).await?;
                let (stored, committed) =
                    futures::join!(connection.execute_ready(&ready, head), connection.run(internal::COMMIT));
                match stored.and(committed) {
                    Ok(()) => Ok(()),
                    Err(error) => connection.settle(transaction, error).await,
                }
            }
        }
    }

    pub(crate) async fn rollback(&self) {
        let result = match self {
            Self::Sqlite(file) => {
                let writer = file.writer.lock();
                if writer.in_transaction() { writer.run(internal::ROLLBACK) } else { Ok(()) }
            }
            Self::Postgres(connection) => connection.run(internal::ROLLBACK).await,
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a rollback failed; the connection is given up");
        }
    }

    /// Whether the transaction begun last can still be used: some errors of SQLite end it.
    pub(crate) fn transaction_lives(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.writer.lock().in_transaction(),
            Self::Postgres(connection) => !connection.is_closed(),
        }
    }

    /// Refuses where an error has ended the transaction of a file: what follows would be committed by itself.
    pub(crate) fn require_transaction(&self) -> Result<()> {
        match self {
            Self::Sqlite(file) => file.writer.lock().require_transaction(),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Gives the statements that follow the time that one of them may take.
    pub(crate) fn arm(&self) {
        if let Self::Sqlite(file) = self {
            file.writer.lock().arm();
        }
    }

    /// Stops statements after that time, which is so many milliseconds after it was set. Each of PostgreSQL's has its own limit.
    pub(crate) fn limit_until(&self, ends_ms: u64, limit_ms: u64) {
        if let Self::Sqlite(file) = self {
            file.writer.lock().limit_until(ends_ms, limit_ms);
        }
    }

    /// Begins a transaction whose statements may take as long as they take, and stand still as long: for bringing a whole
    /// database forward. [`Self::end_unlimited`] ends it.
    pub(crate) async fn begin_unlimited(&self) -> Result<()> {
        let begun = async {
            self.begin().await?;
            match self {
                Self::Sqlite(_) => self.unlimited(),
                Self::Postgres(connection) => connection.lift_limits().await?,
            }
            Ok(())
        };
        let begun = begun.await;
        if begun.is_err() {
            // The head may have been waited for in vain: the transaction that waited must not stay open.
            self.rollback().await;
        }
        begun
    }

    /// Commits it, or takes it back where something failed.
    pub(crate) async fn end_unlimited(&self, step: Result<()>) -> Result<()> {
        let outcome = match step {
            Ok(()) => self.run(internal::COMMIT).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.rollback().await;
        }
        if let Self::Postgres(connection) = self {
            connection.restore_limits();
        }
        outcome
    }

    /// Lifts the statement limit of the present transaction: for building tables and replaying logs.
    pub(crate) fn unlimited(&self) {
        if let Self::Sqlite(file) = self {
            file.writer.lock().unlimited();
        }
    }
}

impl From<Arc<SqliteFile>> for Link {
    fn from(file: Arc<SqliteFile>) -> Self {
        Self::Sqlite(file)
    }
}

impl Link {
    /// Begins a transaction in a database that has no head yet.
    pub(crate) async fn begin_plain(&self) -> Result<()> {
        match self {
            Self::Sqlite(file) => {
                let writer = file.writer.lock();
                writer.unlimited();
                writer.run(internal::BEGIN)
            }
            Self::Postgres(connection) => connection.run(internal::BEGIN).await,
        }
    }
}

/// Rows gathered in memory: for the few rows that the store itself needs.
pub(crate) async fn rows<T: Send>(
    link: &Link,
    statement: &Statement,
    read: impl Fn(&Row<'_>) -> Option<T> + Send,
) -> Result<Vec<T>> {
    let mut gathered = Gathered::by(read);
    match link {
        Link::Sqlite(_) => link.query(statement, &mut gathered).await?,
        Link::Postgres(connection) => connection.query_anew(statement, &mut gathered).await?,
    }
    gathered.finish()
}
