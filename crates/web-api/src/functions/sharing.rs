//! `GrantAccess`, `ModifyAccess`, `RevokeAccess` and `RetrieveSharedPrincipalsAndAccess`: sharing one record with users and
//! teams.

use bytes::Bytes;
use custodia_access::RightsMask;
use custodia_org::{Change, Reference};
use custodia_schema::Guid;
use http::{Response, StatusCode};

use super::{Operation, begin};
use crate::answer;
use crate::body::Object;
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::json;
use crate::prepared::PreparedWrite;
use crate::reads::record_id;

pub(super) async fn prepare(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let call = operation.call;
    let target = call.referenced("Target", &body.need_object("Target")?)?;
    if operation.name == "RevokeAccess" {
        let principal = principal(call, "Revokee", &body.need_object("Revokee")?).await?;
        return Ok(PreparedWrite::done(Change::Revoke(target, principal)));
    }
    let access = body.need_object("PrincipalAccess")?;
    let principal = principal(call, "Principal", &access.need_object("Principal")?).await?;
    let rights = rights(&access.need_text("AccessMask")?)?;
    Ok(PreparedWrite::done(match operation.name {
        "GrantAccess" => Change::Grant(target, principal, rights),
        _ => Change::Modify(target, principal, rights),
    }))
}

/// The function: `RetrieveSharedPrincipalsAndAccess(Target=…)`, with whom a record is shared by hand.
pub(super) async fn retrieve(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let target = operation.reference("Target")?;
    let shares = call.organization.shared_with(call.caller, target).await?;
    let mut body = begin(call, "RetrieveSharedPrincipalsAndAccessResponse");
    body.extend_from_slice(b"\"PrincipalAccesses\":[");
    for (at, share) in shares.iter().enumerate() {
        let name = if share.is_team { "team" } else { "systemuser" };
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"AccessMask\":");
        json::text(&mut body, &share.explicit.to_text());
        body.extend_from_slice(b",\"Principal\":{\"@odata.type\":");
        json::text(&mut body, &format!("#Microsoft.Dynamics.CRM.{name}"));
        body.push(b',');
        json::text(&mut body, &format!("{name}id"));
        body.extend_from_slice(b":\"");
        json::guid(&mut body, &share.principal);
        body.extend_from_slice(b"\",\"ownerid\":\"");
        json::guid(&mut body, &share.principal);
        body.extend_from_slice(b"\"}}");
    }
    body.extend_from_slice(b"]}");
    Ok(answer::json(StatusCode::OK, call.media, body))
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
