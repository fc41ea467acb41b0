//! `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple` and `DeleteMultiple`: many records of one table, all or none.

use std::sync::Arc;

use custodia_org::{Change, Input, Precondition, RecordInput, Reference};
use custodia_query::RowKey;
use custodia_query::odata::Binding;
use custodia_schema::{Guid, Table, Value};

use super::Operation;
use crate::body::Object;
use crate::call::Call;
use crate::failure::Failure;
use crate::input::{check_id_beside, given_id, new_records, record_input};
use crate::prepared::{Answering, PreparedWrite};

/// Targets of one action. All are written in one transaction, while no other write of the organisation runs.
const TARGETS_MAX: usize = 5_000;

pub(super) fn prepare(
    operation: &Operation<'_>,
    body: &Object<'_>,
    numbers_quoted: bool,
) -> Result<PreparedWrite, Failure> {
    let call = operation.call;
    let Binding::Collection(table) = operation.binding else {
        return Err(Failure::no_such_resource(operation.name));
    };
    let table = Arc::clone(call.table(*table)?);
    let targets = body.need_objects("Targets")?;
    if targets.len() > TARGETS_MAX {
        let count = targets.len();
        return Err(Failure::invalid(format!(
            "'Targets' has {count} records; at most {TARGETS_MAX} are taken at once"
        )));
    }
    let mut changes = Vec::with_capacity(targets.len());
    let mut ids = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        let prepared = match operation.name {
            "CreateMultiple" => new_records(call, &table, target, numbers_quoted, Vec::new()).map(|made| {
                ids.push(made.id);
                made.into_change()
            }),
            "UpdateMultiple" => update(call, &table, target, numbers_quoted),
            "UpsertMultiple" => upsert(call, &table, target, numbers_quoted),
            _ => delete(call, &table, target),
        };
        changes.push(prepared.map_err(|failure| within(at, failure))?);
    }
    let answering = match operation.name {
        "CreateMultiple" => Answering::Ids(ids),
        "UpsertMultiple" => Answering::Upserts(table, targets.len()),
        _ => Answering::Targets(targets.len()),
    };
    Ok(PreparedWrite { change: Change::All(changes), record: None, answering })
}

fn update(call: &Call<'_>, table: &Table, object: &Object<'_>, numbers_quoted: bool) -> Result<Change, Failure> {
    let input = record_input(call, table, object, numbers_quoted)?;
    let target = existing(call, table, object, &input)?;
    Ok(Change::Update { target, input, when: Precondition::Exists })
}

/// A target that says nothing of which record it is, is a new one.
fn upsert(call: &Call<'_>, table: &Table, object: &Object<'_>, numbers_quoted: bool) -> Result<Change, Failure> {
    let input = record_input(call, table, object, numbers_quoted)?;
    Ok(match named(call, table, object, &input)? {
        Some(target) => Change::Upsert { target, input, when: Precondition::None },
        None => Change::Create(input),
    })
}

fn delete(call: &Call<'_>, table: &Table, object: &Object<'_>) -> Result<Change, Failure> {
    let input = record_input(call, table, object, false)?;
    let target = existing(call, table, object, &input)?;
    Ok(Change::Delete { target, when: Precondition::None })
}

/// The record that a target stands for which has to be there. An id of zeros is that of no record; what the target says besides
/// does not make it another one's.
fn existing(call: &Call<'_>, table: &Table, object: &Object<'_>, input: &RecordInput) -> Result<Reference, Failure> {
    if given_id(table, object)?.is_some_and(|id| id.is_nil()) && object.given("@odata.id").is_none() {
        return Ok(Reference::id(table.id, Guid::nil()));
    }
    named(call, table, object, input)?.ok_or_else(|| nameless(table))
}

/// The record that a target stands for: by its address, its primary id, or the columns of an alternate key among its own.
fn named(
    call: &Call<'_>,
    table: &Table,
    object: &Object<'_>,
    input: &RecordInput,
) -> Result<Option<Reference>, Failure> {
    if let Some(address) = object.text_of("@odata.id")? {
        let reference = call.reference(&address)?;
        if reference.table != table.id {
            return Err(Failure::body(format!("'{address}' is no record of {}", table.set_name)));
        }
        check_id_beside(table, object, &address, &reference)?;
        return Ok(Some(reference));
    }
    if let Some(id) = input.id {
        return Ok(Some(Reference::id(table.id, id)));
    }
    for key in &table.keys {
        let given = |column| {
            let (_, input) = input.columns.iter().find(|(known, _)| *known == column)?;
            key_value(input).map(|value| (column, value))
        };
        if let Some(parts) = key.columns.iter().map(|column| given(*column)).collect::<Option<Vec<_>>>() {
            return Ok(Some(Reference { table: table.id, key: RowKey::Alternate(parts) }));
        }
    }
    Ok(None)
}

/// What a key holds of a column's input; links stand in keys by their ids.
fn key_value(input: &Input) -> Option<Value> {
    match input {
        Input::Value(Value::Null) => None,
        Input::Value(value) => Some(value.clone()),
        Input::Link(Reference { key: RowKey::Id(id), .. }) => Some(Value::Guid(Guid::clone(id))),
        Input::Link(_) => None,
    }
}

fn nameless(table: &Table) -> Failure {
    let id_name = table.column_by_id(table.primary_id).map_or("", |column| &column.name);
    Failure::body(format!("which record? Give '{id_name}', '@odata.id', or all columns of an alternate key"))
}

fn within(at: usize, failure: Failure) -> Failure {
    Failure { message: format!("Targets[{at}]: {}", failure.message), ..failure }
}
