//! `RetrieveEntity` and `RetrieveAllEntities`: descriptions of tables with what is within them, in one answer.

use bytes::Bytes;
use custodia_query::odata::ParameterValue;
use custodia_schema::{Guid, Table};
use http::{Response, StatusCode};
use serde_json::Value as Json;

use super::changes::{part, written_stamp};
use super::item::describe;
use super::listing::Listing;
use super::missing;
use super::model::{Model, Source};
use crate::answer;
use crate::call::Call;
use crate::failure::Failure;
use crate::functions::{begin, parameter};
use crate::json;

/// What of tables is asked for, beside their own properties: the members of `EntityFilters` with their numbers, and the
/// collections that each of them brings.
const FILTERS: [(&str, u32, &[&str]); 4] = [
    ("Entity", 1, &[]),
    ("Attributes", 2, &["Attributes", "Keys"]),
    ("Privileges", 4, &[]),
    ("Relationships", 8, &["ManyToManyRelationships", "ManyToOneRelationships", "OneToManyRelationships"]),
];

/// Every member of `EntityFilters`.
const ALL: u32 = 15;

/// The member that leaves the privileges in.
const PRIVILEGES: u32 = 4;

/// `name` is that of one of the two functions.
pub(crate) async fn answer(
    call: &Call<'_>,
    name: &str,
    parameters: &[(String, ParameterValue)],
) -> Result<Response<Bytes>, Failure> {
    let (version, schema) = call.organization.described(call.caller).await?;
    let model = Model { schema: &schema };
    let parameter = |name: &str| parameter(parameters, name);
    let filters = filters(parameter("EntityFilters"))?;
    // Nothing waits to be published here, so that both answers are the same.
    match parameter("RetrieveAsIfPublished") {
        None | Some(ParameterValue::Null | ParameterValue::Boolean(_)) => {}
        Some(_) => return Err(Failure::invalid("the parameter 'RetrieveAsIfPublished' is true or false")),
    }
    let mut body = begin(call, &format!("{name}Response"));
    body.extend_from_slice(b"\"EntityMetadata\":");
    if name == "RetrieveEntity" {
        let table = named(model, parameter("LogicalName"), parameter("MetadataId"))?;
        body.extend_from_slice(whole(model, table, filters)?.to_string().as_bytes());
    } else {
        let mut tables = Listing::new();
        for table in model.schema.tables() {
            tables.push(whole(model, table, filters)?).await;
        }
        body.extend_from_slice(&tables.finish());
        body.extend_from_slice(b",\"Timestamp\":");
        json::text(&mut body, &written_stamp(version));
    }
    body.push(b'}');
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// Reads `EntityFilters`: a number, or names of members with commas between them.
fn filters(given: Option<&ParameterValue>) -> Result<u32, Failure> {
    let wrong = || {
        let names = FILTERS.map(|(name, ..)| name).join(", ");
        Failure::invalid(format!(
            "the parameter 'EntityFilters' is All, or any of {names}, or their sum, at most {ALL}"
        ))
    };
    let written = match given {
        Some(ParameterValue::Number(number)) => number,
        Some(ParameterValue::Enum { type_name, member }) if type_name == "EntityFilters" => member,
        Some(ParameterValue::Text(text)) => text,
        _ => return Err(wrong()),
    };
    if let Ok(number) = written.parse::<u32>() {
        return if (1..=ALL).contains(&number) { Ok(number) } else { Err(wrong()) };
    }
    let mut members = written.split(',').map(str::trim).map(|member| match member {
        "All" => Some(ALL),
        "Default" => Some(1),
        member => FILTERS.iter().find(|(name, ..)| *name == member).map(|(_, number, _)| *number),
    });
    members.try_fold(0, |sum, member| Some(sum | member?)).ok_or_else(wrong)
}

/// The table that one is asked for: by the id of its description, or where that is nothing, by its name.
fn named<'s>(
    model: Model<'s>,
    name: Option<&ParameterValue>,
    id: Option<&ParameterValue>,
) -> Result<&'s Table, Failure> {
    let mut tables = model.schema.tables().iter().map(AsRef::<Table>::as_ref);
    let (found, key) = match (id, name) {
        (Some(ParameterValue::Guid(id)), _) if *id != Guid::nil() => {
            (tables.find(|table| Source::Table(table).id() == *id), id.to_string())
        }
        (None | Some(ParameterValue::Null | ParameterValue::Guid(_)), Some(ParameterValue::Text(name))) => {
            (tables.find(|table| table.name == *name), name.clone())
        }
        _ => {
            let message = "RetrieveEntity takes 'MetadataId', a GUID, or 'LogicalName', a text";
            return Err(Failure::invalid(message));
        }
    };
    found.ok_or_else(|| missing("EntityDefinitions", &key))
}

/// A table's description with what was asked for within it.
fn whole(model: Model<'_>, table: &Table, filters: u32) -> Result<Json, Failure> {
    let source = Source::Table(table);
    let mut whole = describe(model, source);
    if filters & PRIVILEGES == 0 {
        whole.remove("Privileges");
    }
    for name in FILTERS.iter().filter(|(_, number, _)| filters & number != 0).flat_map(|(_, _, parts)| *parts) {
        whole.insert((*name).to_owned(), Json::Array(part(model, source, name)?));
    }
    Ok(Json::Object(whole))
}
