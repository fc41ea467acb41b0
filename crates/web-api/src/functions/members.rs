//! `AddMembersTeam` and `RemoveMembersTeam`: users join and leave a team, all of them or none.

use bytes::Bytes;
use custodia_org::{LinkRequest, Reference};
use custodia_query::RowKey;
use custodia_query::odata::Binding;
use http::{Response, StatusCode};

use super::Operation;
use crate::answer;
use crate::body::Object;
use crate::failure::Failure;
use crate::media::Media;

/// The relationship between teams and their members.
const MEMBERSHIP: &str = "teammembership_association";

pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let Binding::Record(table, key) = operation.binding else {
        return Err(Failure::no_such_resource(operation.name));
    };
    if operation.table_name(*table) != "team" {
        return Err(Failure::no_such_resource(operation.name));
    }
    Media::sent_numbers_are_quoted(call.request.headers)?;
    let body = Object::read(&call.request.body)?;
    let mut links = Vec::new();
    for member in body.need_objects("Members")? {
        let other = call.referenced("Members", &member)?;
        let record = Reference { table: *table, key: RowKey::clone(key) };
        links.push(LinkRequest { record, relationship: MEMBERSHIP.to_owned(), other });
    }
    match operation.name {
        "AddMembersTeam" => call.organization.associate_all(call.caller, links).await?,
        _ => call.organization.disassociate_all(call.caller, links).await?,
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
