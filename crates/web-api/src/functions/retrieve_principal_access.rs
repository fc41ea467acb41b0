//! `RetrievePrincipalAccess`: which rights a user or team has on one record, from whatever source.

use bytes::Bytes;
use custodia_org::Principal;
use custodia_query::odata::Binding;
use http::{Response, StatusCode};

use super::{Operation, begin};
use crate::answer;
use crate::failure::Failure;
use crate::json;
use crate::reads::record_id;

pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let Binding::Record(table, key) = operation.binding else {
        return Err(Failure::no_such_resource(operation.name));
    };
    let kind = match operation.table_name(*table) {
        "systemuser" => Principal::User,
        "team" => Principal::Team,
        _ => return Err(Failure::no_such_resource(operation.name)),
    };
    let principal = kind(record_id(call, call.table(*table)?, key).await?);
    let target = operation.reference("Target")?;
    let id = record_id(call, call.table(target.table)?, &target.key).await?;
    let rights = call.organization.principal_access(call.caller, principal, target.table, id).await?;
    let mut body = begin(call, "RetrievePrincipalAccessResponse");
    body.extend_from_slice(b"\"AccessRights\":");
    json::text(&mut body, &rights.to_text());
    body.push(b'}');
    Ok(answer::json(StatusCode::OK, call.media, body))
}
