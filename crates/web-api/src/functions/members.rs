//! `AddMembersTeam` and `RemoveMembersTeam`: users join and leave a team, all of them or none.

use custodia_org::{Change, LinkRequest, Reference};
use custodia_query::RowKey;
use custodia_query::odata::Binding;

use super::Operation;
use crate::body::Object;
use crate::failure::Failure;
use crate::prepared::PreparedWrite;
use crate::reads::record_id;

/// The relationship between teams and their members.
const MEMBERSHIP: &str = "teammembership_association";

pub(super) async fn prepare(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let call = operation.call;
    let Binding::Record(table, key) = operation.binding else {
        return Err(Failure::no_such_resource(operation.name));
    };
    if operation.table_name(*table) != "team" {
        return Err(Failure::no_such_resource(operation.name));
    }
    let mut links = Vec::new();
    for member in body.need_objects("Members")? {
        let other = call.referenced("Members", &member)?;
        let record = Reference { table: *table, key: RowKey::clone(key) };
        links.push(LinkRequest { record, relationship: MEMBERSHIP.to_owned(), other });
    }
    if links.is_empty() {
        // No link asks for the team then.
        record_id(call, call.table(*table)?, key).await?;
    }
    Ok(PreparedWrite::done(match operation.name {
        "AddMembersTeam" => Change::AssociateAll(links),
        _ => Change::DisassociateAll(links),
    }))
}
