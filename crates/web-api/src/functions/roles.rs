//! `AddPrivilegesRole`, `ReplacePrivilegesRole`, `RemovePrivilegeRole` and `RetrieveRolePrivilegesRole`: the privileges of a
//! role.

use bytes::Bytes;
use custodia_org::{Change, RoleChange};
use custodia_query::odata::{Binding, ParameterValue};
use custodia_query::{Field, RowKey};
use custodia_schema::{Guid, Level, NamedPrivilege, Value};
use http::{Response, StatusCode};

use super::{Operation, begin};
use crate::answer;
use crate::body::Object;
use crate::failure::Failure;
use crate::json;
use crate::prepared::PreparedWrite;
use crate::reads::row_values;

/// The levels as the protocol names them.
const LEVELS: [(&str, Level); 4] =
    [("Basic", Level::Basic), ("Local", Level::Local), ("Deep", Level::Deep), ("Global", Level::Global)];

/// The three actions, bound to a role.
pub(super) async fn prepare(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let role = bound_role(operation).await?;
    let change = match operation.name {
        "RemovePrivilegeRole" => RoleChange::Remove(guid("PrivilegeId", &body.need_text("PrivilegeId")?)?),
        name => {
            let mut given = Vec::new();
            for privilege in body.need_objects("Privileges")? {
                let id = guid("PrivilegeId", &privilege.need_text("PrivilegeId")?)?;
                given.push((id, level(&privilege.need_text("Depth")?)?));
            }
            if name == "AddPrivilegesRole" { RoleChange::Add(given) } else { RoleChange::Replace(given) }
        }
    };
    Ok(PreparedWrite::done(Change::Role(role, change)))
}

/// The function: `RetrieveRolePrivilegesRole(RoleId=…)`.
pub(super) async fn retrieve(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let role = match operation.parameter("RoleId") {
        Some(ParameterValue::Guid(id)) => *id,
        Some(ParameterValue::Text(text)) => guid("RoleId", text)?,
        _ => return Err(Failure::invalid("RetrieveRolePrivilegesRole takes the parameter RoleId, a GUID")),
    };
    let held = call.organization.role_privileges(call.caller, role).await?;
    let table = call.schema.table_named("role").ok_or_else(|| Failure::no_such_resource(operation.name))?;
    let unit = table.column("businessunitid").ok_or_else(|| Failure::no_such_resource(operation.name))?;
    let row = row_values(call, table, &RowKey::Id(role), &[Field::Column(unit.id)]).await?;
    let unit = row.get(1).and_then(Value::guid).unwrap_or_default();
    let mut body = begin(call, "RetrieveRolePrivilegesRoleResponse");
    body.extend_from_slice(b"\"RolePrivileges\":[");
    for (at, (privilege, level)) in held.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        write_privilege(&mut body, privilege, *level, &unit);
    }
    body.extend_from_slice(b"]}");
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// One held privilege, and the business unit that its level is measured from.
pub(super) fn write_privilege(body: &mut Vec<u8>, privilege: &NamedPrivilege, level: Level, unit: &Guid) {
    body.extend_from_slice(b"{\"Depth\":");
    json::text(body, level_name(level));
    body.extend_from_slice(b",\"PrivilegeId\":\"");
    json::guid(body, &privilege.id);
    body.extend_from_slice(b"\",\"PrivilegeName\":");
    json::text(body, &privilege.name);
    body.extend_from_slice(b",\"BusinessUnitId\":\"");
    json::guid(body, unit);
    body.extend_from_slice(b"\"}");
}

/// A level as the protocol names it.
pub(super) fn level_name(level: Level) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == level).map_or("", |(name, _)| name)
}

async fn bound_role(operation: &Operation<'_>) -> Result<Guid, Failure> {
    let Binding::Record(table, key) = operation.binding else {
        return Err(Failure::no_such_resource(operation.name));
    };
    if operation.table_name(*table) != "role" {
        return Err(Failure::no_such_resource(operation.name));
    }
    operation.id_of(*table, key).await
}

fn guid(name: &str, text: &str) -> Result<Guid, Failure> {
    Guid::try_parse(text).map_err(|_| Failure::body(format!("'{name}' is '{text}'; expected a GUID")))
}

fn level(text: &str) -> Result<Level, Failure> {
    let found = LEVELS.iter().find(|(name, _)| *name == text).map(|(_, level)| *level);
    found.ok_or_else(|| Failure::body(format!("'Depth' is '{text}'; expected Basic, Local, Deep or Global")))
}
