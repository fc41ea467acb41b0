//! Writing records: create, update, upsert, delete, and one property of one record.

use bytes::Bytes;
use custodia_org::{Error, Input, Precondition, RecordInput, Reference};
use custodia_query::RowKey;
use custodia_schema::{ColumnId, Guid, Table, Value};
use http::{Response, StatusCode};

use crate::answer;
use crate::body::Object;
use crate::call::Call;
use crate::etag::precondition;
use crate::failure::Failure;
use crate::input::{column_value, record_input};
use crate::media::Media;
use crate::reads::RecordReading;

/// `POST accounts`.
pub(crate) async fn create(call: &Call<'_>, table: &Table) -> Result<Response<Bytes>, Failure> {
    let input = body_input(call, table)?;
    let showing = Showing::prepare(call, table).await?;
    let written = call.organization.create(call.caller, input).await?;
    showing.answer(call, table, written.id, StatusCode::CREATED).await
}

/// `PATCH accounts(…)`: changes a record, or makes it where there is none and no condition forbids it.
pub(crate) async fn update(call: &Call<'_>, table: &Table, key: &RowKey) -> Result<Response<Bytes>, Failure> {
    let when = precondition(call.request.headers)?;
    let input = body_input(call, table)?;
    let target = Reference { table: table.id, key: key.clone() };
    if let (RowKey::Id(id), Some(other)) = (key, input.id)
        && *id != other
    {
        return Err(Failure::body("the primary id of a record cannot be changed"));
    }
    let showing = Showing::prepare(call, table).await?;
    match when {
        Precondition::Exists | Precondition::Version(_) => {
            let written = call.organization.update(call.caller, target, input, when).await?;
            showing.answer(call, table, written.id, StatusCode::OK).await
        }
        Precondition::None | Precondition::Absent => {
            let upserted = call.organization.upsert(call.caller, target, input, when).await;
            let upserted = upserted.map_err(|error| already_there(error, when))?;
            let status = if upserted.created { StatusCode::CREATED } else { StatusCode::OK };
            showing.answer(call, table, upserted.written.id, status).await
        }
    }
}

/// A record that must not exist does: the same answer whichever key named it.
fn already_there(error: Error, when: Precondition) -> Failure {
    match (&error, when) {
        (Error::DuplicateKey { .. }, Precondition::Absent) => Failure::already_there(error.to_string()),
        _ => error.into(),
    }
}

/// `DELETE accounts(…)`.
pub(crate) async fn delete(call: &Call<'_>, table: &Table, key: &RowKey) -> Result<Response<Bytes>, Failure> {
    let when = match precondition(call.request.headers)? {
        Precondition::Absent => return Err(Failure::invalid("If-None-Match does not go with DELETE")),
        when => when,
    };
    let target = Reference { table: table.id, key: key.clone() };
    call.organization.delete(call.caller, target, when).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// `PUT accounts(…)/name` with `{"value": …}`.
pub(crate) async fn put_property(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
) -> Result<Response<Bytes>, Failure> {
    let numbers_quoted = Media::sent_numbers_are_quoted(call.request.headers)?;
    let column = table.column_by_id(column).ok_or_else(|| Failure::no_such_resource(&column.to_string()))?;
    if !column.kind.targets().is_empty() {
        return Err(Failure::invalid(format!("'{}' is a link: PUT its navigation followed by /$ref", column.name)));
    }
    let body = Object::read(&call.request.body)?;
    let value = column_value(table, column, body.need("value")?, numbers_quoted)?;
    set_column(call, table, key, column.id, value).await
}

/// `DELETE accounts(…)/name`.
pub(crate) async fn delete_property(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
) -> Result<Response<Bytes>, Failure> {
    set_column(call, table, key, column, Value::Null).await
}

async fn set_column(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
    value: Value,
) -> Result<Response<Bytes>, Failure> {
    let stored = table.column_by_id(column).is_some_and(|column| column.kind.is_stored());
    if !stored {
        return Err(Failure::unsupported("writing a column that holds a file or a picture"));
    }
    set(call, table, key, column, Input::Value(value)).await
}

/// Sets one column of a record that exists.
pub(crate) async fn set(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
    input: Input,
) -> Result<Response<Bytes>, Failure> {
    let when = match precondition(call.request.headers)? {
        Precondition::None => Precondition::Exists,
        Precondition::Absent => return Err(Failure::invalid("If-None-Match does not go with a single property")),
        when => when,
    };
    let target = Reference { table: table.id, key: key.clone() };
    let input = RecordInput { table: table.id, id: None, columns: vec![(column, input)] };
    call.organization.update(call.caller, target, input, when).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn body_input(call: &Call<'_>, table: &Table) -> Result<RecordInput, Failure> {
    let numbers_quoted = Media::sent_numbers_are_quoted(call.request.headers)?;
    let object = Object::read(&call.request.body)?;
    record_input(call, table, &object, numbers_quoted)
}

/// How a written record is answered: by its address, or as a whole.
struct Showing(Option<RecordReading>);

impl Showing {
    async fn prepare(call: &Call<'_>, table: &Table) -> Result<Self, Failure> {
        Ok(Self(match call.preferences.representation {
            true => Some(RecordReading::prepare(call, table).await?),
            false => None,
        }))
    }

    /// `status` says what was done, where the record is shown.
    async fn answer(
        self,
        call: &Call<'_>,
        table: &Table,
        id: Guid,
        status: StatusCode,
    ) -> Result<Response<Bytes>, Failure> {
        let address = call.address(table, id);
        let shown = match self.0 {
            None => None,
            // The record is written, whatever becomes of showing it: who may create and not read gets its address.
            Some(reading) => match reading.read(call, table, &RowKey::Id(id), None).await {
                Ok(shown) => shown,
                Err(failure) if failure.status == StatusCode::FORBIDDEN => None,
                Err(failure) => return Err(failure),
            },
        };
        Ok(match shown {
            None => answer::written(answer::empty(StatusCode::NO_CONTENT), &address),
            Some((body, _)) => {
                let response = answer::written(answer::json(status, call.media, body), &address);
                answer::applied(response, Some(&call.preferences.applied_to_written()))
            }
        })
    }
}
