//! `GrantAccess`, `ModifyAccess` and `RevokeAccess`: sharing one record with a user or a team.

use bytes::Bytes;
use custodia_access::RightsMask;
use custodia_org::Reference;
use custodia_schema::Guid;
use http::{Response, StatusCode};

use super::Operation;
use crate::answer;
use crate::body::Object;
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::media::Media;
use crate::reads::record_id;

pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    Media::sent_numbers_are_quoted(call.request.headers)?;
    let body = Object::read(&call.request.body)?;
    let target = call.referenced("Target", &body.need_object("Target")?)?;
    if operation.name == "RevokeAccess" {
        let principal = principal(call, "Revokee", &body.need_object("Revokee")?).await?;
        call.organization.revoke_access(call.caller, target, principal).await?;
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    }
    let access = body.need_object("PrincipalAccess")?;
    let principal = principal(call, "Principal", &access.need_object("Principal")?).await?;
    let rights = rights(&access.need_text("AccessMask")?)?;
    match operation.name {
        "GrantAccess" => call.organization.grant_access(call.caller, target, principal, rights).await?,
        _ => call.organization.modify_access(call.caller, target, principal, rights).await?,
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The user or team that an object stands for.
async fn principal(call: &Call<'_>, name: &str, object: &Object<'_>) -> Result<Guid, Failure> {
    let Reference { table, key } = call.referenced(name, object)?;
    let table = call.table(table)?;
    if !matches!(table.name.as_str(), "systemuser" | "team") {
        return Err(Failure::body(format!("'{name}' is of type '{}'; expected systemuser or team", table.name)));
    }
    match key {
        custodia_query::RowKey::Id(id) => Ok(id),
        key @ custodia_query::RowKey::Alternate(_) => record_id(call, table, &key).await,
    }
}

fn rights(text: &str) -> Result<RightsMask, Failure> {
    text.parse().map_err(|error: custodia_access::RightsMaskError| {
        Failure::new(StatusCode::BAD_REQUEST, code::INVALID_RIGHTS, error.to_string())
    })
}
