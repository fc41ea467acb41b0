//! `AddUserToRecordTeam` and `RemoveUserFromRecordTeam`: a user joins or leaves the access team that a template gives a
//! record.

use bytes::Bytes;
use custodia_org::{Change, Changed, RecordTeamMember, Reference};
use custodia_query::RowKey;
use custodia_query::odata::Binding;
use custodia_schema::Guid;
use http::{Response, StatusCode};

use super::{Operation, begin};
use crate::answer;
use crate::body::Object;
use crate::call::Call;
use crate::failure::Failure;
use crate::json;
use crate::prepared::{Answering, PreparedWrite};
use crate::reads::record_id;

/// The two actions, bound to a user.
pub(super) async fn prepare(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let call = operation.call;
    let Binding::Record(table, key) = operation.binding else {
        return Err(Failure::no_such_resource(operation.name));
    };
    if operation.table_name(*table) != "systemuser" {
        return Err(Failure::no_such_resource(operation.name));
    }
    let user = id_of(call, Reference { table: *table, key: RowKey::clone(key) }).await?;
    let record = call.referenced("Record", &body.need_object("Record")?)?;
    let template = call.referenced("TeamTemplate", &body.need_object("TeamTemplate")?)?;
    if operation.table_name(template.table) != "teamtemplate" {
        let name = operation.table_name(template.table);
        return Err(Failure::body(format!("'TeamTemplate' is of type '{name}'; expected teamtemplate")));
    }
    let member = RecordTeamMember { user, record, template: id_of(call, template).await? };
    let (change, response_type) = match operation.name {
        "AddUserToRecordTeam" => (Change::AddToRecordTeam(member), "AddUserToRecordTeamResponse"),
        _ => (Change::RemoveFromRecordTeam(member), "RemoveUserFromRecordTeamResponse"),
    };
    Ok(PreparedWrite { change, record: None, answering: Answering::RecordTeam(response_type) })
}

async fn id_of(call: &Call<'_>, reference: Reference) -> Result<Guid, Failure> {
    match reference.key {
        RowKey::Id(id) => Ok(id),
        key @ RowKey::Alternate(_) => record_id(call, call.table(reference.table)?, &key).await,
    }
}

/// The answer: which team it is.
pub(crate) fn joined(call: &Call<'_>, response_type: &str, changed: &Changed) -> Response<Bytes> {
    let team = match changed {
        Changed::Written(written) => written.id,
        Changed::Upserted(_) | Changed::Erased(_) | Changed::Done | Changed::All(_) => Guid::nil(),
    };
    let mut body = begin(call, response_type);
    body.extend_from_slice(b"\"AccessTeamId\":\"");
    json::guid(&mut body, &team);
    body.extend_from_slice(b"\"}");
    answer::json(StatusCode::OK, call.media, body)
}
