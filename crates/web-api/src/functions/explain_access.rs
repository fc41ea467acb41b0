//! `custodia_ExplainAccess`: why a user or team may do something, or what is missing. A function of our own: Dataverse has none.

use bytes::Bytes;
use custodia_access::RightsMask;
use custodia_org::{
    AccessQuestion, Asked, ColumnOpening, Explanation, Granted, Named, Principal, PrivilegeChange, Reached,
    RightQuestion, SharedBy, Supposed, Supposition,
};
use custodia_query::odata::{Binding, ParameterValue};
use custodia_schema::{Guid, Level, PrivilegeKind, Schema, Table};
use http::{Response, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{Operation, begin, roles};
use crate::answer;
use crate::failure::Failure;

/// `systemusers(id)/Microsoft.Dynamics.CRM.custodia_ExplainAccess(Right='ReadAccess',Target=@t,EntityLogicalName='account',
/// AttributeLogicalName='creditlimit')`: with a record or a table, with a column or without, of a user or a team.
/// `NewOwner=@o`: whether it may be given to that one. Instead of a right `PrivilegeName` or `ActingFor=@u`. `WithRoles` and
/// `WithoutRoles` are lists of roles that are supposed to be held or not.
pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let Binding::Record(table, key) = operation.binding else {
        return Err(Failure::no_such_resource(operation.name));
    };
    let id = operation.id_of(*table, key).await?;
    let of = principal_of(operation.table_name(*table), id).ok_or_else(|| Failure::no_such_resource(operation.name))?;
    let supposed = Supposed { with: roles_of(operation, "WithRoles")?, without: roles_of(operation, "WithoutRoles")? };
    let question = AccessQuestion { of, asked: Box::pin(asked(operation)).await?, supposed };
    let explanation = Box::pin(call.organization.explain_access(call.caller, &question)).await?;
    let shown = explanation_json(&call.schema, &question, &explanation);
    let mut body = begin(call, "custodia_ExplainAccessResponse");
    // Without the brace that has been written already.
    body.extend_from_slice(shown.to_string().as_bytes().get(1..).unwrap_or_default());
    Ok(answer::json(StatusCode::OK, call.media, body))
}

fn principal_of(table: &str, id: Guid) -> Option<Principal> {
    match table {
        "systemuser" => Some(Principal::User(id)),
        "team" => Some(Principal::Team(id)),
        _ => None,
    }
}

fn has(operation: &Operation<'_>, name: &str) -> bool {
    operation.parameter(name).is_some()
}

fn text<'o>(operation: &'o Operation<'_>, name: &str) -> Result<Option<&'o str>, Failure> {
    match operation.parameter(name) {
        Some(ParameterValue::Text(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Failure::invalid(format!("the parameter '{name}' of {} is a text", operation.name))),
        None => Ok(None),
    }
}

/// Ids of roles: `["…","…"]`.
fn roles_of(operation: &Operation<'_>, name: &str) -> Result<Vec<Guid>, Failure> {
    let read = match operation.parameter(name) {
        None => return Ok(Vec::new()),
        Some(ParameterValue::Json(text)) => serde_json::from_str::<Vec<Guid>>(text).ok(),
        Some(_) => None,
    };
    read.ok_or_else(|| {
        let message = format!("the parameter '{name}' of {} is a list of ids of roles: [\"…\"]", operation.name);
        Failure::invalid(message)
    })
}

/// What is asked about: a right, a privilege of no table, or acting for somebody.
async fn asked(operation: &Operation<'_>) -> Result<Asked, Failure> {
    let names = ["Right", "PrivilegeName", "ActingFor"];
    if names.iter().filter(|name| has(operation, name)).count() != 1 {
        return Err(Failure::invalid(format!("{} takes one of {}", operation.name, names.join(", "))));
    }
    if let Some(name) = text(operation, "PrivilegeName")? {
        return Ok(Asked::Privilege(name.to_owned()));
    }
    if has(operation, "ActingFor") {
        return match principal(operation, "ActingFor").await? {
            Principal::User(user) => Ok(Asked::ActingFor(user)),
            Principal::Team(_) => Err(Failure::invalid("the parameter 'ActingFor' is a user")),
        };
    }
    let right = right_of(text(operation, "Right")?.unwrap_or_default())?;
    let call = operation.call;
    let (table, record) = match (has(operation, "Target"), text(operation, "EntityLogicalName")?) {
        (true, None) => {
            let target = operation.reference("Target")?;
            (call.table(target.table)?, Some(operation.id_of(target.table, &target.key).await?))
        }
        (false, Some(name)) => {
            let found = call.schema.table_named(name);
            (found.ok_or_else(|| Failure::invalid(format!("there is no table '{name}'")))?, None)
        }
        _ => {
            let message = "custodia_ExplainAccess takes either Target, a record, or EntityLogicalName, a table";
            return Err(Failure::invalid(message));
        }
    };
    let column = match text(operation, "AttributeLogicalName")? {
        Some(name) => {
            let found = table.column(name);
            Some(found.ok_or_else(|| Failure::invalid(format!("table '{}' has no column '{name}'", table.name)))?.id)
        }
        None => None,
    };
    let owner = if has(operation, "NewOwner") { Some(principal(operation, "NewOwner").await?) } else { None };
    Ok(Asked::Right(RightQuestion { right, table: table.id, record, column, owner }))
}

/// The user or team that a parameter stands for.
async fn principal(operation: &Operation<'_>, name: &str) -> Result<Principal, Failure> {
    let reference = operation.reference(name)?;
    let id = operation.id_of(reference.table, &reference.key).await?;
    let found = principal_of(operation.table_name(reference.table), id);
    found.ok_or_else(|| Failure::invalid(format!("the parameter '{name}' is a user or a team")))
}

/// A right by its name: `ReadAccess`, also without `Access`.
fn right_of(text: &str) -> Result<PrivilegeKind, Failure> {
    let known = PrivilegeKind::ALL.into_iter().find(|kind| {
        let name = RightsMask::of(*kind).to_text();
        name == text || name.strip_suffix("Access") == Some(text)
    });
    known.ok_or_else(|| {
        let names: Vec<String> = PrivilegeKind::ALL.into_iter().map(|kind| RightsMask::of(kind).to_text()).collect();
        Failure::invalid(format!("the parameter 'Right' is one of {}", names.join(", ")))
    })
}

/// An explanation as the function answers it.
#[must_use]
pub fn explanation_json(schema: &Schema, question: &AccessQuestion, explanation: &Explanation) -> Json {
    let right = match &question.asked {
        Asked::Right(right) => Some(right),
        Asked::Privilege(_) | Asked::ActingFor(_) => None,
    };
    let table: Option<&Table> = right.and_then(|right| schema.table(right.table)).map(AsRef::as_ref);
    json!({
        "Allowed": explanation.allowed,
        "Right": right.map(|right| RightsMask::of(right.right).to_text()),
        "EntityLogicalName": table.map(|table| &table.name),
        "PrivilegeName": explanation.privilege,
        "Grants": explanation.grants.iter().map(shown_grant).collect::<Vec<_>>(),
        "Column": explanation.column.as_ref().map(shown_column),
        "Missing": explanation.missing,
        "Supposed": explanation.supposed.as_ref().map(shown_supposition),
    })
}

/// How the level of a privilege would change, as the function answers it.
#[must_use]
pub fn privilege_change_json(change: &PrivilegeChange) -> Json {
    let level = |level: Option<Level>| level.map(roles::level_name);
    json!({ "PrivilegeName": change.name, "Before": level(change.before), "After": level(change.after) })
}

fn shown_supposition(supposition: &Supposition) -> Json {
    let changes: Vec<Json> = supposition.changes.iter().map(privilege_change_json).collect();
    json!({ "AllowedNow": supposition.allowed_now, "PrivilegeChanges": changes })
}

fn shown_grant(grant: &Granted) -> Json {
    json!({
        "Role": shown_name(&grant.role),
        "Team": grant.team.as_ref().map(shown_name),
        "TeamPrivilegesOnly": grant.team_privileges_only,
        "Depth": grant.level.map(roles::level_name),
        "BusinessUnit": shown_name(&grant.unit),
        "Reaches": grant.reaches.iter().map(shown_way).collect::<Vec<_>>(),
    })
}

fn shown_way(way: &Reached) -> Json {
    let (name, more) = match way {
        Reached::Everything => ("Everything", None),
        Reached::Own => ("Owner", None),
        Reached::OfTeam(team) => ("OwnerTeam", Some(("Team", shown_name(team)))),
        Reached::Unit(unit) => ("BusinessUnit", Some(("BusinessUnit", shown_name(unit)))),
        Reached::Subtree(unit) => ("ParentChildBusinessUnits", Some(("BusinessUnit", shown_name(unit)))),
        Reached::Shared(shares) => ("Shared", Some(("Shares", shares.iter().map(shown_share).collect()))),
        Reached::Parent(lookups) => ("Parent", Some(("Lookups", json!(lookups)))),
        Reached::Reports => ("Hierarchy", None),
        Reached::Telling => ("AuditOfTable", None),
        Reached::All => ("EveryEnd", None),
    };
    let mut shown = Map::new();
    shown.insert("By".to_owned(), name.into());
    shown.extend(more.map(|(key, value)| (key.to_owned(), value)));
    Json::Object(shown)
}

fn shown_share(share: &SharedBy) -> Json {
    json!({ "Principal": shown_name(&share.with), "Inherited": !share.explicit })
}

fn shown_column(column: &ColumnOpening) -> Json {
    json!({
        "Allowed": column.allowed,
        "IsSecured": column.secured,
        "IsMasked": column.masked,
        "Profiles": column.profiles.iter().map(shown_name).collect::<Vec<_>>(),
        "SharedWith": column.shared_with.iter().map(shown_name).collect::<Vec<_>>(),
    })
}

fn shown_name(named: &Named) -> Json {
    json!({ "Id": named.id, "Name": named.name })
}
