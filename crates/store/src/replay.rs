//! Doing again what a change log says, in another database: what replication, restore to a point in time and moving an
//! organisation between engines stand on.

use std::sync::Arc;

use custodia_schema::{ColumnId, Table, Value};

use crate::change_log::{Change, ChangeKind};
use crate::database::Database;
use crate::sql::{self, RowKey};
use crate::transaction::{StoredRow, Transaction};
use crate::{Error, Result};

/// Statements gathered before they are run.
const STATEMENTS_MAX: usize = 300;

impl Database {
    /// Does changes of another database again, in their order and under their numbers, all or none. They must follow
    /// on the last change that this database has; nothing else writes to it meanwhile.
    ///
    /// Record tables and what is derived from them become equal to the origin's. What the change log does not carry
    /// (audit, credentials, settings) is not replayed.
    ///
    /// # Errors
    /// [`Error::Query`] when a change is not later than the head; [`Error::Corrupt`] when the changes do not fit this
    /// database, for example because some are missing; store errors. Nothing is stored then.
    pub async fn replay(&self, changes: Vec<Change>) -> Result<()> {
        let changes = Arc::new(changes);
        self.write(move |transaction| {
            let changes = Arc::clone(&changes);
            Box::pin(async move {
                transaction.claim_alone()?;
                transaction.unlimited();
                for change in changes.iter() {
                    transaction.replay(change).await.map_err(explain)?;
                }
                transaction.flush().await.map_err(explain)
            })
        })
        .await
    }
}

/// A row that is there where none should be, or the other way round, means that the log is not this database's.
fn explain(error: Error) -> Error {
    match error {
        Error::Missing { .. } | Error::DuplicateId { .. } | Error::DuplicateKey { .. } => {
            Error::Corrupt(format!("the changes do not follow on what this database holds: {error}"))
        }
        other => other,
    }
}

impl Transaction {
    async fn replay(&mut self, change: &Change) -> Result<()> {
        let table = self.schema().table(change.table).cloned().ok_or_else(|| {
            let table = change.table;
            Error::Corrupt(format!("change {}: table {table} is not one that this program knows", change.number))
        })?;
        self.take_number(change.number)?;
        match change.kind {
            ChangeKind::CreateTable => return self.make_table(&table, change.number, change.commit_time).await,
            ChangeKind::Insert | ChangeKind::Update | ChangeKind::Delete if !self.has_table(table.id) => {
                return Err(Error::Corrupt(format!("change {}: table {} was not made", change.number, table.name)));
            }
            ChangeKind::Insert => self.replay_insert(change, &table)?,
            ChangeKind::Update => self.replay_update(change, &table)?,
            ChangeKind::Delete => self.replay_delete(change, &table).await?,
        }
        if self.pending.len() >= STATEMENTS_MAX { self.flush().await } else { Ok(()) }
    }

    fn replay_insert(&mut self, change: &Change, table: &Arc<Table>) -> Result<()> {
        let statement = sql::insert(self.dialect(), table, &change.values)?;
        self.push(statement, Some(1), table.id, change.row, true);
        self.replayed(change, table, &change.values);
        Ok(())
    }

    fn replay_update(&mut self, change: &Change, table: &Arc<Table>) -> Result<()> {
        let statement = sql::update(self.dialect(), table, change.row, &change.values)?;
        self.push(statement, Some(1), table.id, change.row, false);
        self.replayed(change, table, &change.values);
        Ok(())
    }

    async fn replay_delete(&mut self, change: &Change, table: &Arc<Table>) -> Result<()> {
        // What follows from a delete depends on what the row last held.
        self.flush().await?;
        let last: StoredRow = self
            .fetch(table, &RowKey::Id(change.row), &[])
            .await?
            .ok_or(Error::Missing { table: table.id, id: change.row })?;
        let statement = sql::delete(self.dialect(), table, change.row)?;
        self.push(statement, Some(1), table.id, change.row, false);
        self.replayed(change, table, last.values());
        Ok(())
    }

    /// Logs the change under its own number and time, and derives what follows from it.
    fn replayed(&mut self, change: &Change, table: &Table, values: &[(ColumnId, Value)]) {
        self.log_at(change.number, change.commit_time, change.kind, table.id, change.row, &change.values);
        self.derive(change.kind, table, change.row, values);
    }
}
