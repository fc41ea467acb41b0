//! `RetrieveUserPrivileges` and `RetrieveUserPrivilegeByPrivilegeName`: what a user holds from all roles.

use bytes::Bytes;
use custodia_org::HeldPrivilege;
use custodia_query::odata::{Binding, ParameterValue};
use http::{Response, StatusCode};

use super::{Operation, begin, roles};
use crate::answer;
use crate::failure::Failure;

pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let user = match operation.binding {
        Binding::Record(table, key) if operation.table_name(*table) == "systemuser" => {
            operation.id_of(*table, key).await?
        }
        _ => return Err(Failure::no_such_resource(operation.name)),
    };
    let name = match operation.name {
        "RetrieveUserPrivileges" => None,
        _ => match operation.parameter("PrivilegeName") {
            Some(ParameterValue::Text(text)) => Some(text),
            _ => return Err(Failure::invalid(format!("{} takes the parameter PrivilegeName, a text", operation.name))),
        },
    };
    let mut held = call.organization.user_privileges(call.caller, user).await?;
    if let Some(name) = name {
        held.retain(|held| held.privilege.name.eq_ignore_ascii_case(name));
        let is_known = |known: &str| known.eq_ignore_ascii_case(name);
        if held.is_empty() && !call.schema.privileges().iter().any(|privilege| is_known(&privilege.name)) {
            return Err(Failure::invalid(format!("there is no privilege '{name}'")));
        }
    }
    let mut body = begin(call, &format!("{}Response", operation.name));
    body.extend_from_slice(b"\"RolePrivileges\":[");
    for (at, HeldPrivilege { privilege, level, unit }) in held.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        roles::write_privilege(&mut body, privilege, *level, unit);
    }
    body.extend_from_slice(b"]}");
    Ok(answer::json(StatusCode::OK, call.media, body))
}
