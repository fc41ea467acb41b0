//! Writing records: create, update, upsert, delete, and one property of one record.

use std::sync::Arc;

use custodia_org::{Change, Input, LinkRequest, Precondition, RecordInput, Reference};
use custodia_query::RowKey;
use custodia_query::odata::{CollectionNavigation, Tie};
use custodia_schema::{ColumnId, RequiredLevel, Table, Value};

use crate::body::Object;
use crate::call::Call;
use crate::etag::precondition;
use crate::failure::Failure;
use crate::input::{NewRecords, check_own_address, column_value, new_records, record_input};
use crate::links::relationship_name;
use crate::media::Media;
use crate::prepared::{Answering, PreparedWrite, Showing};

/// `POST accounts`.
pub(crate) async fn create(call: &Call<'_>, table: &Arc<Table>) -> Result<PreparedWrite, Failure> {
    let numbers_quoted = Media::sent_numbers_are_quoted(call.request.headers)?;
    let object = Object::read(&call.request.body)?;
    let made = new_records(call, table, &object, numbers_quoted, Vec::new())?;
    prepared(call, table, made).await
}

/// `POST accounts(…)/contact_customer_accounts`: makes a record that is linked to the one addressed.
pub(crate) async fn create_related(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &CollectionNavigation,
) -> Result<PreparedWrite, Failure> {
    let far = Arc::clone(call.table(navigation.table)?);
    let numbers_quoted = Media::sent_numbers_are_quoted(call.request.headers)?;
    let object = Object::read(&call.request.body)?;
    let parent = Reference { table: table.id, key: key.clone() };
    let made = match navigation.tie {
        Tie::Lookup { lookup } => {
            new_records(call, &far, &object, numbers_quoted, vec![(lookup, Input::Link(parent))])?
        }
        Tie::Link { .. } => {
            let mut made = new_records(call, &far, &object, numbers_quoted, Vec::new())?;
            let relationship = relationship_name(&call.schema, table.id, navigation)
                .ok_or_else(|| Failure::no_such_resource(&navigation.name))?
                .to_owned();
            let other = Reference::id(far.id, made.id);
            made.changes.push(Change::Associate(LinkRequest { record: parent, relationship, other }));
            made
        }
    };
    prepared(call, &far, made).await
}

async fn prepared(call: &Call<'_>, table: &Arc<Table>, made: NewRecords) -> Result<PreparedWrite, Failure> {
    let showing = Showing::prepare(call, table).await?;
    let record = Some(Reference::id(table.id, made.id));
    let main = Some(made.main);
    let answering = Answering::Record { table: Arc::clone(table), showing, main, when: Precondition::None };
    Ok(PreparedWrite { change: made.into_change(), record, answering })
}

/// `PATCH accounts(…)`: changes a record, or makes it where there is none and no condition forbids it.
pub(crate) async fn update(call: &Call<'_>, table: &Arc<Table>, key: &RowKey) -> Result<PreparedWrite, Failure> {
    let when = precondition(call.request.headers)?;
    let numbers_quoted = Media::sent_numbers_are_quoted(call.request.headers)?;
    let object = Object::read(&call.request.body)?;
    let input = record_input(call, table, &object, numbers_quoted)?;
    check_own_address(call, table, &object, Some(key))?;
    let target = Reference { table: table.id, key: key.clone() };
    if let (RowKey::Id(id), Some(other)) = (key, input.id)
        && *id != other
    {
        return Err(Failure::body("the primary id of a record cannot be changed"));
    }
    let showing = Showing::prepare(call, table).await?;
    let record = Some(target.clone());
    let change = match when {
        Precondition::Exists | Precondition::Version(_) => Change::Update { target, input, when },
        Precondition::None | Precondition::Absent => Change::Upsert { target, input, when },
    };
    let answering = Answering::Record { table: Arc::clone(table), showing, main: None, when };
    Ok(PreparedWrite { change, record, answering })
}

/// `DELETE accounts(…)`.
pub(crate) fn delete(call: &Call<'_>, table: &Table, key: &RowKey) -> Result<PreparedWrite, Failure> {
    let when = match precondition(call.request.headers)? {
        Precondition::Absent => return Err(Failure::invalid("If-None-Match does not go with DELETE")),
        when => when,
    };
    let target = Reference { table: table.id, key: key.clone() };
    Ok(PreparedWrite::done(Change::Delete { target, when }))
}

/// `PUT accounts(…)/name` with `{"value": …}`.
pub(crate) fn put_property(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
) -> Result<PreparedWrite, Failure> {
    let numbers_quoted = Media::sent_numbers_are_quoted(call.request.headers)?;
    let column = table.column_by_id(column).ok_or_else(|| Failure::no_such_resource(&column.to_string()))?;
    if !column.kind.targets().is_empty() {
        return Err(Failure::invalid(format!("'{}' is a link: PUT its navigation followed by /$ref", column.name)));
    }
    let body = Object::read(&call.request.body)?;
    let value = column_value(table, column, body.need("value")?, numbers_quoted)?;
    set_column(call, table, key, column.id, value)
}

/// `DELETE accounts(…)/name`.
pub(crate) fn delete_property(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
) -> Result<PreparedWrite, Failure> {
    // Null for it says nothing (see `docs/api.md`), and nothing else is asked for here.
    if let Some(column) = table.column_by_id(column)
        && column.updatable
        && column.required == RequiredLevel::System
        && table.is_given_otherwise(column)
    {
        return Err(Failure::invalid(format!("the column '{}' of '{}' keeps a value", column.name, table.name)));
    }
    set_column(call, table, key, column, Value::Null)
}

fn set_column(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
    value: Value,
) -> Result<PreparedWrite, Failure> {
    let stored = table.column_by_id(column).is_some_and(|column| column.kind.is_stored());
    if !stored {
        return Err(Failure::unsupported("writing a column that holds a file or a picture"));
    }
    set(call, table, key, column, Input::Value(value))
}

/// Sets one column of a record that exists. Unlike among others, one that callers may not set is not passed over: nothing
/// would be left to do.
pub(crate) fn set(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
    input: Input,
) -> Result<PreparedWrite, Failure> {
    if let Some(column) = table.column_by_id(column).filter(|column| !column.updatable) {
        return Err(Failure::invalid(format!(
            "the column '{}' of '{}' is not set by callers",
            column.name, table.name
        )));
    }
    let when = match precondition(call.request.headers)? {
        Precondition::None => Precondition::Exists,
        Precondition::Absent => return Err(Failure::invalid("If-None-Match does not go with a single property")),
        when => when,
    };
    let target = Reference { table: table.id, key: key.clone() };
    let input = RecordInput { table: table.id, id: None, columns: vec![(column, input)] };
    Ok(PreparedWrite::done(Change::Update { target, input, when }))
}
