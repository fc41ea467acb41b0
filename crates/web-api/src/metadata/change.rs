//! Changing descriptions: `PUT` and `PATCH` of a table's or a column's, with the whole description in the body, as clients
//! send back what they read. Only the switches of the audit and of column security may differ from what is stored.

use bytes::Bytes;
use custodia_org::DescriptionChange;
use custodia_schema::AuditSwitch;
use http::{Response, StatusCode};
use serde_json::{Map, Value as Json};

use super::address::{Place, resolve};
use super::item::describe;
use super::model::{Model, Source};
use crate::answer;
use crate::call::Call;
use crate::failure::{Failure, code};

/// The switch that a managed property of a description holds.
const VALUE: &str = "Value";
/// How deep a description in a body may be.
const DEPTH_MAX: usize = 16;

/// Changes the description that a path names.
pub(super) async fn answer(call: &Call<'_>, path: &str) -> Result<Response<Bytes>, Failure> {
    let (_, schema) = call.organization.described(call.caller).await?;
    let model = Model { schema: &schema };
    let Place::One { source, .. } = resolve(model, path)?.place else {
        return Err(Failure::unsupported("changing anything but the description of one table or column"));
    };
    let body: Json = serde_json::from_slice(&call.request.body)
        .map_err(|error| Failure::body(format!("the body is no description in JSON: {error}")))?;
    let Json::Object(given) = body else {
        return Err(Failure::body("the body is no description; an object was expected"));
    };
    let change = change(model, source, &given)?;
    call.organization.change_description(call.caller, change).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// What a description that was sent asks to change.
fn change(model: Model<'_>, source: Source<'_>, given: &Map<String, Json>) -> Result<DescriptionChange, Failure> {
    let stored = describe(model, source);
    let mut change = DescriptionChange { switches: Vec::new(), secured: None };
    for (name, value) in given.iter().filter(|(name, _)| !name.contains('@')) {
        let Some(present) = stored.get(name) else {
            return Err(refused(&format!("a description of this kind has no '{name}' that can be changed")));
        };
        let wanted = match (source, name.as_str()) {
            (Source::Table(_) | Source::Column(..), "IsAuditEnabled") => managed(name, present, value)?,
            (Source::Table(_), "IsRetrieveAuditEnabled" | "IsRetrieveMultipleAuditEnabled")
            | (Source::Column(..), "IsSecured") => switch(name, value)?,
            _ if is_same(present, value, DEPTH_MAX) => continue,
            _ => return Err(refused(&format!("'{name}' is not what is stored, and cannot be changed here"))),
        };
        let Some(on) = wanted else { continue };
        match (source, name.as_str()) {
            (Source::Table(table), "IsAuditEnabled") if on != table.audited => {
                change.switches.push((AuditSwitch::Table(table.id), on));
            }
            (Source::Table(table), "IsRetrieveAuditEnabled") if on != table.reads_audited => {
                change.switches.push((AuditSwitch::Reads(table.id), on));
            }
            (Source::Table(table), "IsRetrieveMultipleAuditEnabled") if on != table.lists_audited => {
                change.switches.push((AuditSwitch::Lists(table.id), on));
            }
            (Source::Column(table, column), "IsAuditEnabled") if on != column.audited => {
                change.switches.push((AuditSwitch::Column(table.id, column.id), on));
            }
            (Source::Column(table, column), "IsSecured") if on != column.secured => {
                change.secured = Some((table.id, column.id, on));
            }
            _ => {}
        }
    }
    Ok(change)
}

/// The value of a managed property; all else of it must be as it is stored.
fn managed(name: &str, present: &Json, given: &Json) -> Result<Option<bool>, Failure> {
    let (Json::Object(present), Json::Object(given)) = (present, given) else {
        return if given.is_null() {
            Ok(None)
        } else {
            Err(refused(&format!("'{name}' is an object with a '{VALUE}'")))
        };
    };
    for (member, value) in given.iter().filter(|(member, _)| *member != VALUE) {
        if !present.get(member).is_some_and(|present| is_same(present, value, DEPTH_MAX)) && !value.is_null() {
            return Err(refused(&format!("'{name}.{member}' is not what is stored, and cannot be changed here")));
        }
    }
    given.get(VALUE).map_or(Ok(None), |value| switch(name, value))
}

fn switch(name: &str, given: &Json) -> Result<Option<bool>, Failure> {
    match given {
        Json::Null => Ok(None),
        Json::Bool(on) => Ok(Some(*on)),
        _ => Err(refused(&format!("'{name}' is true or false"))),
    }
}

/// Whether what was sent says nothing else than what is stored: what it leaves out, or says is nothing, stays.
fn is_same(present: &Json, given: &Json, depth: usize) -> bool {
    match (present, given) {
        (_, Json::Null) => true,
        (Json::Object(present), Json::Object(given)) => {
            depth > 0
                && given.iter().filter(|(name, _)| !name.contains('@')).all(|(name, value)| match present.get(name) {
                    Some(present) => is_same(present, value, depth - 1),
                    None => value.is_null(),
                })
        }
        (Json::Array(present), Json::Array(given)) => {
            depth > 0
                && present.len() == given.len()
                && present.iter().zip(given).all(|(present, given)| is_same(present, given, depth - 1))
        }
        (present, given) => present == given,
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, code::INVALID_ARGUMENT, format!("changing a description: {why}"))
}
