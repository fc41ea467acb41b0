//! `custodia_RetrieveUserInterface` and `RetrieveFilteredForms`: which forms, views and navigation somebody gets.

use bytes::Bytes;
use custodia_interface::FormKind;
use custodia_query::odata::ParameterValue;
use custodia_schema::{Guid, Table};
use http::{Response, StatusCode};
use serde::Serialize;

use super::{Operation, begin};
use crate::answer;
use crate::failure::Failure;
use crate::json;

/// `custodia_RetrieveUserInterface(EntityLogicalName='…')`: forms and views of a table; without a table the navigation.
pub(super) async fn interface(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let mut body = begin(call, "custodia_RetrieveUserInterfaceResponse");
    match table(operation)? {
        None => {
            let navigation = call.organization.navigation(call.caller).await?;
            body.extend_from_slice(b"\"Navigation\":");
            written(&mut body, &navigation)?;
        }
        Some(table) => {
            let found = call.organization.table_interface(call.caller, table).await?;
            body.extend_from_slice(b"\"EntityLogicalName\":");
            json::text(&mut body, &table.name);
            body.extend_from_slice(b",\"MainForms\":");
            written(&mut body, &found.main)?;
            body.extend_from_slice(b",\"OtherForms\":");
            written(&mut body, &found.others)?;
            body.extend_from_slice(b",\"Views\":");
            written(&mut body, &found.views)?;
            body.extend_from_slice(b",\"MoreViews\":");
            body.extend_from_slice(if found.more_views { b"true" } else { b"false" });
        }
    }
    body.push(b'}');
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// `RetrieveFilteredForms(EntityLogicalName='…',FormType=2,SystemUserId=…)`: references to forms, the default first.
pub(super) async fn forms(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let table = table(operation)?
        .ok_or_else(|| Failure::invalid("RetrieveFilteredForms takes the parameter EntityLogicalName, a text"))?;
    let kind = match operation.parameter("FormType") {
        Some(ParameterValue::Number(digits)) => digits.parse().ok().and_then(FormKind::of_code),
        _ => None,
    };
    let kind = kind.ok_or_else(|| {
        Failure::invalid(
            "RetrieveFilteredForms takes the parameter FormType: 2 main, 6 quick view, 7 quick create, 11 card",
        )
    })?;
    let forms = call.organization.filtered_forms(call.caller, table, kind, user(operation)?).await?;
    let mut body = begin(call, "RetrieveFilteredFormsResponse");
    body.extend_from_slice(b"\"SystemForms\":[");
    for (at, form) in forms.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"@odata.type\":\"#Microsoft.Dynamics.CRM.systemform\",\"formid\":\"");
        json::guid(&mut body, &form.id);
        body.extend_from_slice(b"\",\"name\":");
        json::text(&mut body, &form.name);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// The table that is asked about, if one is named.
fn table<'o>(operation: &'o Operation<'_>) -> Result<Option<&'o Table>, Failure> {
    let name = match operation.parameter("EntityLogicalName") {
        None | Some(ParameterValue::Null) => return Ok(None),
        Some(ParameterValue::Text(name)) => name,
        Some(_) => return Err(Failure::invalid("EntityLogicalName is the logical name of a table in quotes")),
    };
    let found = operation.call.schema.table_named(name).map(AsRef::as_ref);
    found.map(Some).ok_or_else(|| Failure::invalid(format!("EntityLogicalName: there is no table '{name}'")))
}

/// The user whose forms are asked for; `None`: the caller.
fn user(operation: &Operation<'_>) -> Result<Option<Guid>, Failure> {
    let wrong = || Failure::invalid("SystemUserId is the GUID of a user");
    match operation.parameter("SystemUserId") {
        None | Some(ParameterValue::Null) => Ok(None),
        Some(ParameterValue::Guid(id)) => Ok(Some(*id)),
        Some(ParameterValue::Text(text)) => Guid::try_parse(text).map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

fn written(body: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(body, value).map_err(|error| Failure::invalid(error.to_string()))
}
