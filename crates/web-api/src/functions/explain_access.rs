//! `custodia_ExplainAccess`: why a user may do something, or what is missing. A function of our own: Dataverse has none.

use bytes::Bytes;
use custodia_access::RightsMask;
use custodia_org::{AccessQuestion, ColumnOpening, Explanation, Granted, Named, Reached, SharedBy};
use custodia_query::odata::{Binding, ParameterValue};
use custodia_schema::{PrivilegeKind, Table};
use http::{Response, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{Operation, begin, roles};
use crate::answer;
use crate::failure::Failure;

/// `systemusers(id)/Microsoft.Dynamics.CRM.custodia_ExplainAccess(Right='ReadAccess',Target=@t,EntityLogicalName='account',
/// AttributeLogicalName='creditlimit')`: with a record or a table, with a column or without.
pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let user = match operation.binding {
        Binding::Record(table, key) if operation.table_name(*table) == "systemuser" => {
            operation.id_of(*table, key).await?
        }
        _ => return Err(Failure::no_such_resource(operation.name)),
    };
    let text = |name: &str| match operation.parameters.iter().find(|(known, _)| known == name) {
        Some((_, ParameterValue::Text(text))) => Ok(Some(text.as_str())),
        Some(_) => Err(Failure::invalid(format!("the parameter '{name}' of {} is a text", operation.name))),
        None => Ok(None),
    };
    let right = right_of(text("Right")?.unwrap_or_default())?;
    let has_target = operation.parameters.iter().any(|(name, _)| name == "Target");
    let (table, record) = match (has_target, text("EntityLogicalName")?) {
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
    let column = match text("AttributeLogicalName")? {
        Some(name) => {
            let found = table.column(name);
            Some(found.ok_or_else(|| Failure::invalid(format!("table '{}' has no column '{name}'", table.name)))?.id)
        }
        None => None,
    };
    let question = AccessQuestion { user, right, table: table.id, record, column };
    let explanation = call.organization.explain_access(call.caller, &question).await?;
    let mut body = begin(call, "custodia_ExplainAccessResponse");
    // Without the brace that has been written already.
    body.extend_from_slice(shown(table, right, &explanation).to_string().as_bytes().get(1..).unwrap_or_default());
    Ok(answer::json(StatusCode::OK, call.media, body))
}

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

fn shown(table: &Table, right: PrivilegeKind, explanation: &Explanation) -> Json {
    json!({
        "Allowed": explanation.allowed,
        "Right": RightsMask::of(right).to_text(),
        "EntityLogicalName": table.name,
        "PrivilegeName": explanation.privilege,
        "Grants": explanation.grants.iter().map(shown_grant).collect::<Vec<_>>(),
        "Column": explanation.column.as_ref().map(shown_column),
        "Missing": explanation.missing,
    })
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
