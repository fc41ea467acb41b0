//! Reading records: one statement that carries the caller's rights.

use std::sync::Arc;

use custodia_access::{Authority, Denied, Mask, RowAccess, SharedColumn, Unmasking};
use custodia_query::Query;
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Table, Value};
use custodia_store::{Head, ReadPolicy, Restart, Row, RowKey, RowSink, Versions};

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organization::{Organization, Shared};
use crate::read_auditing::Counted;
use crate::record_question::RecordQuestion;

/// An authority as the store asks it.
pub(crate) struct Policy<'a>(pub &'a Authority);

impl ReadPolicy for Policy<'_> {
    fn rows(&self, table: &Table, kind: PrivilegeKind) -> std::result::Result<RowAccess, Denied> {
        self.0.rows(table, kind)
    }

    fn reads_column(&self, table: &Table, column: ColumnId) -> bool {
        self.0.reads_column_somewhere(table, column)
    }

    fn shared_columns(&self, table: &Table) -> Vec<SharedColumn> {
        self.0.shared_columns(table)
    }

    fn mask(&self, table: &Table, column: ColumnId) -> Option<Arc<Mask>> {
        self.0.mask(table, column)
    }
}

/// What a read found beside its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Rows that match, if the query asked: at most the store's cap plus one.
    pub count: Option<u64>,
    /// For each sort key of the query, the output position that holds it.
    pub keys: Vec<usize>,
    /// The version of what is described of tables ([`custodia_schema::Schema::described_version`]).
    pub metadata_version: i64,
}

impl Organization {
    /// Reads the rows of a query that the caller may see into `sink`, which is restarted when rights change meanwhile.
    /// One row more than `query.page_size` is handed over when there is a further page.
    ///
    /// # Errors
    /// [`Error::Denied`] when the Read gate fails on a table that the query names; store errors.
    pub async fn query<S: Restart>(&self, caller: &Caller, query: &Query, sink: &mut S) -> Result<Answer> {
        let mut sink = Counted::new(sink);
        let answer = self.ask(caller, query, None, &mut sink).await?;
        self.tell_read(caller, query, &sink).await?;
        Ok(answer)
    }

    /// Reads one record as a question shows it into `sink`.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn record<S: Restart>(
        &self,
        caller: &Caller,
        question: &RecordQuestion,
        id: Guid,
        sink: &mut S,
    ) -> Result<Answer> {
        let mut sink = Counted::new(sink);
        let query = question.of(id);
        let answer = self.ask(caller, &query, Some((question, id)), &mut sink).await?;
        self.tell_read(caller, &query, &sink).await?;
        Ok(answer)
    }

    async fn ask<S: Restart>(
        &self,
        caller: &Caller,
        query: &Query,
        of: Option<(&RecordQuestion, Guid)>,
        sink: &mut S,
    ) -> Result<Answer> {
        let mut last = self.ask_once(caller, query, of, sink).await;
        for _ in 0..QUERY_TRIES {
            if !self.is_outdated(&caller.users(), &last).await? {
                break;
            }
            sink.restart();
            self.shared.database.reload_metadata().await?;
            last = self.ask_once(caller, query, of, sink).await;
        }
        last
    }

    async fn ask_once(
        &self,
        caller: &Caller,
        query: &Query,
        of: Option<(&RecordQuestion, Guid)>,
        sink: &mut dyn Restart,
    ) -> Result<Answer> {
        let mut authority = self.authority(caller).await?;
        if caller.unmasks {
            // What such a question comes to is not kept: it is that of others who ask alike.
            authority = authority.unmasking(if of.is_some() { Unmasking::OneRecord } else { Unmasking::AllRecords });
        }
        let of = of.filter(|_| !caller.unmasks);
        let (database, policy) = (&self.shared.database, Policy(&authority));
        let kept = of.and_then(|(question, id)| question.kept(database, &authority, id));
        let reading = match kept {
            Some(reading) => reading,
            None => {
                let reading = match database.prepare(query, &policy).await {
                    Ok(reading) => reading,
                    // How many rows there are is said of those that the caller may still see.
                    Err(error @ custodia_store::Error::TooManyDistinct { .. }) => {
                        self.check_fresh(&authority, database.head().await?.versions)?;
                        return Err(error.into());
                    }
                    Err(error) => return Err(error.into()),
                };
                if let Some((question, id)) = of {
                    question.keep(&authority, &reading, id);
                }
                reading
            }
        };
        let outcome = database.read(None, query, &policy, &reading, sink).await?;
        self.check_fresh(&authority, outcome.head.versions)?;
        Ok(Answer {
            count: outcome.count,
            keys: reading.keys().to_vec(),
            metadata_version: database.schema().described_version(),
        })
    }

    /// Refuses an answer computed with rights of another version than its snapshot's.
    pub(crate) fn check_fresh(&self, authority: &Authority, versions: Versions) -> Result<()> {
        let security = u64::try_from(versions.security).unwrap_or(0);
        if authority.security_versions().all(|version| version == security) {
            return Ok(());
        }
        Err(Error::Store(custodia_store::Error::Stale))
    }

    /// Why a record that a retrieve did not find was not found: it is not there, or the caller may not see it. The two are
    /// told apart, as Dataverse does (decision 0001.20).
    ///
    /// # Errors
    /// Always: that is the answer.
    pub async fn explain_missing(&self, caller: &Caller, table: &Table, key: &RowKey) -> Error {
        let gone = match key {
            RowKey::Id(id) => Error::NotFound { table: table.name.clone(), id: *id },
            RowKey::Alternate(_) => Error::NotFoundByKey { table: table.name.clone() },
        };
        match self.shared.platform_rows("explain a missing record", &Query::of_row(table, key)).await {
            Ok((rows, _)) if rows.is_empty() => gone,
            Ok(_) => {
                let user = caller.acting();
                Error::Denied(Denied::RowNotReached { user, right: PrivilegeKind::Read, table: table.name.clone() })
            }
            Err(error) => error,
        }
    }
}

impl Shared {
    /// Rows that the platform reads for itself, and the head in their snapshot; `why` says what for.
    pub(crate) async fn platform_rows(&self, why: &'static str, query: &Query) -> Result<(Vec<Vec<Value>>, Head)> {
        Ok(self.database.rows(query, &Policy(&Authority::platform(why))).await?)
    }
}

/// Times a query is read again because rights changed while it ran.
pub(crate) const QUERY_TRIES: usize = 4;

/// Collects rows as owned values.
#[derive(Default)]
pub struct Rows {
    /// The rows taken.
    pub rows: Vec<Vec<Value>>,
}

impl RowSink for Rows {
    fn row(&mut self, row: &Row<'_>) {
        self.rows.push(row.to_values());
    }
}

impl Restart for Rows {
    fn restart(&mut self) {
        self.rows.clear();
    }
}
