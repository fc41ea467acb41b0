//! A write between reading its request and answering it: what is to be changed, and what is said of it.
//!
//! A request by itself is read, changed and answered in one go. In a change set all requests are read first, then all
//! changes are made in one transaction, then all are answered.

use std::sync::Arc;

use bytes::Bytes;
use custodia_org::{Change, Changed, Error, Fault, Precondition, Reference, StoreError, Upserted, Written};
use custodia_query::RowKey;
use custodia_schema::{ColumnKind, Guid, Schema, Table};
use http::{Response, StatusCode};

use crate::answer;
use crate::call::Call;
use crate::failure::Failure;
use crate::functions::{begin, history_erased, job_made, record_team_joined};
use crate::input::how_to_link;
use crate::json;
use crate::reads::RecordReading;

/// A write whose request was read.
pub(crate) struct PreparedWrite {
    /// What is to be changed.
    pub change: Change,
    /// The record that the request is about, for others that refer to it by the request's `Content-ID`.
    pub record: Option<Reference>,
    pub answering: Answering,
}

/// How a write is answered.
pub(crate) enum Answering {
    /// 204.
    Done,
    /// 204; what is there already answers as a link does.
    Linked,
    /// The record that was written.
    Record {
        table: Arc<Table>,
        showing: Showing,
        /// Its place where several are written with it.
        main: Option<usize>,
        when: Precondition,
    },
    /// The ids of the records that were made, in the order of the request.
    Ids(Vec<Guid>),
    /// The job that was made.
    Job(Guid),
    /// The access team of a record that a user joined or left, as the response of this type.
    RecordTeam(&'static str),
    /// How many entries of the audit lost their values.
    Erased,
    /// What became of each target, and how many there are.
    Upserts(Arc<Table>, usize),
    /// 204; a failure names the target of so many.
    Targets(usize),
}

impl PreparedWrite {
    /// A write that there is nothing to say of.
    pub(crate) fn done(change: Change) -> Self {
        Self { change, record: None, answering: Answering::Done }
    }

    /// Makes the change by itself.
    pub(crate) async fn perform(self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        match call.organization.change(call.caller, self.change).await {
            Ok(changed) => self.answering.answer(call, changed).await,
            Err(error) => Err(self.answering.refuse(&call.schema, error)),
        }
    }
}

impl Answering {
    /// The answer once the change is made.
    pub(crate) async fn answer(self, call: &Call<'_>, changed: Changed) -> Result<Response<Bytes>, Failure> {
        let masked = changed.is_masked();
        let response = match self {
            Self::Done | Self::Linked | Self::Targets(_) => Ok(answer::empty(StatusCode::NO_CONTENT)),
            Self::Record { table, showing, main, when } => {
                let (written, status) = written(changed, main, when);
                Ok(showing.answer(call, &table, written.id, status).await)
            }
            Self::Ids(ids) => Ok(ids_made(call, &ids)),
            Self::Job(job) => Ok(job_made(call, job)),
            Self::RecordTeam(response_type) => Ok(record_team_joined(call, response_type, &changed)),
            Self::Erased => Ok(history_erased(call, &changed)),
            Self::Upserts(table, _) => Ok(upserts_done(call, &table, changed)),
        };
        if masked { response.map(answer::masked) } else { response }
    }

    /// The same without the record: there is no room to show it.
    pub(crate) fn without_record(self) -> Self {
        match self {
            Self::Record { table, main, when, .. } => Self::Record { table, showing: Showing(None), main, when },
            other => other,
        }
    }

    /// Why the change was not made.
    pub(crate) fn refuse(&self, schema: &Schema, error: Error) -> Failure {
        let hint = hint_of_link(schema, &error);
        let failure = self.refused(error);
        match hint {
            Some(hint) => Failure { message: format!("{}; {hint}", failure.message), ..failure },
            None => failure,
        }
    }

    fn refused(&self, error: Error) -> Failure {
        let targets = match self {
            Self::Ids(ids) => ids.len(),
            Self::Upserts(_, count) | Self::Targets(count) => *count,
            _ => 0,
        };
        match (self, error) {
            (_, Error::Part { at, error }) if targets > 0 => of_target(at, *error),
            // What is there already comes to light when it is stored: the last target, as those before it were stored by then.
            (_, error) if targets > 0 && is_there_already(&error) => of_target(targets - 1, error),
            // What is unique about a link is not a key of a table; a record that must not be there is, whichever key names it.
            (Self::Linked | Self::Record { when: Precondition::Absent, .. }, error @ Error::DuplicateKey { .. }) => {
                Failure::already_there(error.to_string())
            }
            (_, error) => error.into(),
        }
    }
}

fn of_target(at: usize, error: Error) -> Failure {
    let failure = Failure::from(error);
    Failure { message: format!("Targets[{at}]: {}", failure.message), ..failure }
}

fn is_there_already(error: &Error) -> bool {
    matches!(error, Error::Duplicate { .. } | Error::DuplicateKey { .. } | Error::Store(StoreError::DuplicateId { .. }))
}

/// How the link is given that an error misses.
fn hint_of_link(schema: &Schema, error: &Error) -> Option<String> {
    match error {
        Error::Part { error, .. } => hint_of_link(schema, error),
        Error::Value { table, column, fault: Fault::Required, .. } => {
            let table = schema.table_named(table)?;
            let column = table.column(column).filter(|column| matches!(column.kind, ColumnKind::Lookup { .. }))?;
            Some(how_to_link(schema, table, column))
        }
        _ => None,
    }
}

/// The record that a change is about, and how an answer that shows it says what was done.
fn written(changed: Changed, main: Option<usize>, when: Precondition) -> (Written, StatusCode) {
    match changed {
        Changed::Written(written) if matches!(when, Precondition::Exists | Precondition::Version(_)) => {
            (written, StatusCode::OK)
        }
        Changed::Written(written) => (written, StatusCode::CREATED),
        Changed::Upserted(Upserted { written, created }) => {
            (written, if created { StatusCode::CREATED } else { StatusCode::OK })
        }
        Changed::All(all) => match main.and_then(|at| all.into_iter().nth(at)) {
            Some(changed) => written(changed, None, when),
            None => (Written { id: Guid::nil(), version: 0, masked: false }, StatusCode::OK),
        },
        Changed::Erased(_) | Changed::Done => (Written { id: Guid::nil(), version: 0, masked: false }, StatusCode::OK),
    }
}

fn ids_made(call: &Call<'_>, ids: &[Guid]) -> Response<Bytes> {
    let mut body = begin(call, "CreateMultipleResponse");
    body.extend_from_slice(b"\"Ids\":[");
    for (at, id) in ids.iter().enumerate() {
        body.extend_from_slice(if at > 0 { b",\"" } else { b"\"" });
        json::guid(&mut body, id);
        body.push(b'"');
    }
    body.extend_from_slice(b"]}");
    answer::json(StatusCode::OK, call.media, body)
}

fn upserts_done(call: &Call<'_>, table: &Table, changed: Changed) -> Response<Bytes> {
    let id_name = table.column_by_id(table.primary_id).map_or("", |column| &column.name);
    let mut body = begin(call, "UpsertMultipleResponse");
    body.extend_from_slice(b"\"Results\":[");
    let all = match changed {
        Changed::All(all) => all,
        one => vec![one],
    };
    for (at, changed) in all.into_iter().enumerate() {
        let (written, status) = written(changed, None, Precondition::None);
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"RecordCreated\":");
        body.extend_from_slice(if status == StatusCode::CREATED { b"true" } else { b"false" });
        body.extend_from_slice(b",\"Target\":{\"@odata.type\":");
        json::text(&mut body, &format!("#Microsoft.Dynamics.CRM.{}", table.name));
        body.push(b',');
        json::text(&mut body, id_name);
        body.extend_from_slice(b":\"");
        json::guid(&mut body, &written.id);
        body.extend_from_slice(b"\"}}");
    }
    body.extend_from_slice(b"]}");
    answer::json(StatusCode::OK, call.media, body)
}

/// How a written record is answered: by its address, or as a whole.
pub(crate) struct Showing(Option<Box<RecordReading>>);

impl Showing {
    /// Reads how it is to be shown, so that a wrong `$select` comes to light before anything is written: also where nothing is to
    /// be shown, since whoever sends an option means something by it.
    pub(crate) async fn prepare(call: &Call<'_>, table: &Table) -> Result<Self, Failure> {
        let says_how = call.options.iter().any(|(name, _)| name.starts_with('$'));
        if !call.preferences.representation && !says_how {
            return Ok(Self(None));
        }
        let reading = RecordReading::prepare(call, table).await?;
        Ok(Self(call.preferences.representation.then(|| Box::new(reading))))
    }

    /// `status` says what was done, where the record is shown.
    async fn answer(self, call: &Call<'_>, table: &Table, id: Guid, status: StatusCode) -> Response<Bytes> {
        let address = call.address(table, id);
        match self.read(call, table, id).await {
            None => answer::written(answer::empty(StatusCode::NO_CONTENT), &address),
            Some(body) => {
                let response = answer::written(answer::json(status, call.media, body), &address);
                answer::applied(response, Some(&call.preferences.applied_to_written()))
            }
        }
    }

    /// The record. It is written, whatever becomes of showing it, and whoever is told that something failed would write it again: who
    /// may create and not read gets its address, and so does everybody where it cannot be read, or where there is no memory for it.
    async fn read(self, call: &Call<'_>, table: &Table, id: Guid) -> Option<Vec<u8>> {
        let memory = call.request.memory;
        let reading = self.0.filter(|_| memory.has_room().is_ok())?;
        match reading.read(call, table, &RowKey::Id(id), None).await {
            Ok(shown) => shown.map(|(body, _)| body).filter(|body| memory.take(body.len()).is_ok()),
            Err(failure) => {
                answer::log_broken(&failure, call.organization, call.caller.request);
                None
            }
        }
    }
}
