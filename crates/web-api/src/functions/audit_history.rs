//! What became of a record: `RetrieveRecordChangeHistory`, `RetrieveAttributeChangeHistory` and, of one entry of the set
//! `audits`, `RetrieveAuditDetails`; `DeleteRecordChangeHistory`, which takes the values out of a record's history; and
//! `custodia_RestoreFromAudit`, which gives a record the values again that it had before a change.

use bytes::Bytes;
use custodia_org::{AuditDetail, Change, Changed, HISTORY_PAGE_MAX, HistoryPage, PrivilegeChange, Told};
use custodia_query::RowKey;
use custodia_query::odata::{Binding, ParameterValue, property_name};
use custodia_schema::{Column, Guid, Level, Table, TableId, Value, ValueRef, privilege_id};
use http::{Response, StatusCode};

use super::{Operation, begin};
use crate::answer;
use crate::body::{Json, Object};
use crate::call::Call;
use crate::failure::Failure;
use crate::formatted::{Formats, Formatter};
use crate::json;
use crate::prefer::{FORMATTED_VALUE, LOOKUP_LOGICAL_NAME};
use crate::prepared::{Answering, PreparedWrite};
use crate::reads::record_id;

/// Entries in a page where the request does not say how many.
const PAGE_DEFAULT: usize = 5_000;

/// The functions.
pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let shown = Shown::of(call).await?;
    if operation.name == "RetrieveAuditDetails" {
        let told = call.organization.audit_entry(call.caller, entry_id(operation)?).await?;
        let mut body = begin(call, "RetrieveAuditDetailsResponse");
        body.extend_from_slice(b"\"AuditDetail\":");
        shown.detail(&mut body, &told);
        body.push(b'}');
        return Ok(answer::json(StatusCode::OK, call.media, body));
    }
    let target = operation.reference("Target")?;
    let table = call.table(target.table)?;
    let id = match &target.key {
        // It may be gone.
        RowKey::Id(id) => *id,
        key @ RowKey::Alternate(_) => record_id(call, table, key).await?,
    };
    let mut page = paging(operation)?;
    if operation.name == "RetrieveAttributeChangeHistory" {
        page.column = Some(named_column(operation, table)?.id);
    }
    let history = call.organization.record_history(call.caller, table.id, id, page).await?;
    let mut body = begin(call, &format!("{}Response", operation.name));
    body.extend_from_slice(b"\"AuditDetailCollection\":{\"MoreRecords\":");
    body.extend_from_slice(if history.next.is_some() { b"true" } else { b"false" });
    body.extend_from_slice(b",\"PagingCookie\":");
    json::text(&mut body, &history.next.map(|entry| entry.to_string()).unwrap_or_default());
    body.extend_from_slice(b",\"TotalRecordCount\":");
    // Dataverse says -1 where nothing was counted.
    json::integer(&mut body, history.total.map_or(-1, |total| i64::try_from(total).unwrap_or(i64::MAX)));
    body.extend_from_slice(b",\"AuditDetails\":[");
    for (at, told) in history.entries.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        shown.detail(&mut body, told);
    }
    body.extend_from_slice(b"]}}");
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// `custodia_RestoreFromAudit`, of the columns named in `AttributeLogicalNames`, or of all that the change tells of.
pub(super) async fn restore(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let call = operation.call;
    let names = match body.given("AttributeLogicalNames") {
        None => None,
        Some(names) => Some(names.texts()?.ok_or_else(|| {
            let found = Json::kind(names).noun();
            Failure::body(format!("'AttributeLogicalNames' is {found}; a list of texts was expected"))
        })?),
    };
    let change = call.organization.restored_from_audit(call.caller, entry_id(operation)?, names).await?;
    Ok(PreparedWrite::done(change))
}

/// `DeleteRecordChangeHistory` of the record in `Target`, which may be gone.
pub(super) fn erase(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let target = operation.call.referenced("Target", &body.need_object("Target")?)?;
    Ok(PreparedWrite { change: Change::EraseHistory(target), record: None, answering: Answering::Erased })
}

/// The answer once they are: how many entries lost their values.
pub(crate) fn erased(call: &Call<'_>, changed: &Changed) -> Response<Bytes> {
    let count = match changed {
        Changed::Erased(count) => i64::try_from(*count).unwrap_or(i64::MAX),
        Changed::Written(_) | Changed::Upserted(_) | Changed::Done | Changed::All(_) => 0,
    };
    let mut body = begin(call, "DeleteRecordChangeHistoryResponse");
    body.extend_from_slice(b"\"DeletedEntriesCount\":");
    json::integer(&mut body, count);
    body.push(b'}');
    answer::json(StatusCode::OK, call.media, body)
}

/// The id of the audit entry that an operation is called on.
fn entry_id(operation: &Operation<'_>) -> Result<Guid, Failure> {
    match operation.binding {
        Binding::Record(table, RowKey::Id(id)) if operation.table_name(*table) == "audit" => Ok(*id),
        _ => Err(Failure::no_such_resource(operation.name)),
    }
}

fn named_column<'t>(operation: &Operation<'_>, table: &'t Table) -> Result<&'t Column, Failure> {
    match operation.parameter("AttributeLogicalName") {
        Some(ParameterValue::Text(name)) => {
            table.column(name).ok_or_else(|| Failure::invalid(format!("table '{}' has no column '{name}'", table.name)))
        }
        _ => Err(Failure::invalid("RetrieveAttributeChangeHistory takes 'AttributeLogicalName', a text")),
    }
}

/// Reads `PagingInfo`: `{"PageNumber":1,"Count":50,"ReturnTotalRecordCount":true}`. A cookie says where the page begins,
/// whatever its number.
fn paging(operation: &Operation<'_>) -> Result<HistoryPage, Failure> {
    let first = HistoryPage { number: 1, after: None, limit: PAGE_DEFAULT, count: false, column: None };
    let text = match operation.parameter("PagingInfo") {
        None | Some(ParameterValue::Null) => return Ok(first),
        Some(ParameterValue::Json(text)) => text,
        Some(_) => return Err(Failure::invalid("the parameter 'PagingInfo' is an object with PageNumber and Count")),
    };
    let object = Object::read(text.as_bytes())?;
    let number = |name: &str, default: usize, most: usize| -> Result<usize, Failure> {
        match object.given(name) {
            None => Ok(default),
            Some(value) => value
                .number()
                .ok()
                .and_then(|digits| digits.parse().ok())
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| Failure::invalid(format!("PagingInfo: '{name}' is a number from 1 to {most}"))),
        }
    };
    let limit = number("Count", PAGE_DEFAULT, HISTORY_PAGE_MAX)?;
    let page = number("PageNumber", 1, i32::MAX as usize)?;
    let count = object.boolean_of("ReturnTotalRecordCount")?.unwrap_or(false);
    let cookie = object.text_of("PagingCookie")?.unwrap_or_default();
    let after = match cookie.as_str() {
        "" => None,
        cookie => Some(Guid::try_parse(cookie).map_err(|_| {
            Failure::invalid("PagingInfo: 'PagingCookie' is what the page before was answered with, or left out")
        })?),
    };
    Ok(HistoryPage { number: if after.is_some() { 1 } else { page }, after, limit, count, column: None })
}

/// How entries are shown to the caller.
struct Shown<'c> {
    call: &'c Call<'c>,
    /// Where formatted values were asked for.
    formats: Option<Formats>,
    shows_tables: bool,
}

impl<'c> Shown<'c> {
    async fn of(call: &'c Call<'_>) -> Result<Shown<'c>, Failure> {
        let formats = match call.preferences.wants(FORMATTED_VALUE) {
            true => Some(Formats::load(call.organization, call.caller, true).await?),
            false => None,
        };
        Ok(Shown { call, formats, shows_tables: call.preferences.wants(LOOKUP_LOGICAL_NAME) })
    }

    /// One entry: what was done, and what it says of it.
    fn detail(&self, out: &mut Vec<u8>, told: &Told) {
        let kind = match &told.detail {
            Some(AuditDetail::Share { .. }) => "ShareAuditDetail",
            Some(AuditDetail::Link { .. }) => "RelationshipAuditDetail",
            Some(AuditDetail::Privileges(_)) => "RolePrivilegeAuditDetail",
            Some(AuditDetail::Access(_)) => "UserAccessAuditDetail",
            Some(AuditDetail::Words(_)) if told.record.entry.changes.is_empty() => "AuditDetail",
            Some(AuditDetail::Words(_)) | None => "AttributeAuditDetail",
        };
        out.extend_from_slice(b"{\"@odata.type\":");
        json::text(out, &format!("#Microsoft.Dynamics.CRM.{kind}"));
        out.extend_from_slice(b",\"AuditRecord\":");
        self.record(out, told);
        match &told.detail {
            Some(AuditDetail::Share { principal, is_team, before, after }) => {
                member(out, "OldPrivileges");
                json::text(out, &before.to_text());
                member(out, "NewPrivileges");
                json::text(out, &after.to_text());
                member(out, "Principal");
                reference(out, if *is_team { "team" } else { "systemuser" }, None, *principal);
            }
            Some(AuditDetail::Link { relationship, table, other }) => {
                member(out, "RelationshipName");
                json::text(out, relationship);
                out.extend_from_slice(b",\"TargetRecords\":[");
                if let Some(other) = other {
                    self.record_reference(out, *table, *other);
                }
                out.push(b']');
            }
            Some(AuditDetail::Privileges(changes)) => {
                role_privileges(out, "OldRolePrivileges", changes, |change| change.before);
                role_privileges(out, "NewRolePrivileges", changes, |change| change.after);
                out.extend_from_slice(b",\"InvalidNewPrivileges\":[]");
            }
            Some(AuditDetail::Access(_)) => {
                member(out, "AccessTime");
                out.push(b'"');
                json::instant(out, told.record.created);
                // Each sign-in is told of: nothing is gathered over hours.
                out.extend_from_slice(b"\",\"Interval\":0");
            }
            Some(AuditDetail::Words(_)) if told.record.entry.changes.is_empty() => {}
            Some(AuditDetail::Words(_)) | None => self.values(out, told),
        }
        out.push(b'}');
    }

    fn values(&self, out: &mut Vec<u8>, told: &Told) {
        let entry = &told.record.entry;
        out.extend_from_slice(b",\"InvalidNewValueAttributes\":[],\"LocLabelLanguageCode\":0,\"DeletedAttributes\":");
        out.extend_from_slice(b"{\"Count\":0,\"IsReadOnly\":false,\"Keys\":[],\"Values\":[]}");
        let Ok(table) = self.call.table(entry.table) else { return };
        let columns = || entry.changes.iter().filter_map(|change| Some((table.column_by_id(change.column)?, change)));
        // What was empty is left out; what is hidden from the caller is null here, and so looks the same.
        let is_there = |(_, value): &(&Column, &Value)| **value != Value::Null;
        member(out, "OldValue");
        self.entity(out, table, columns().map(|(column, change)| (column, &change.old)).filter(is_there));
        member(out, "NewValue");
        self.entity(out, table, columns().map(|(column, change)| (column, &change.new)).filter(is_there));
    }

    /// The entry as the set `audits` has it.
    fn record(&self, out: &mut Vec<u8>, told: &Told) {
        let entry = &told.record.entry;
        let schema = &self.call.schema;
        let Some(table) = schema.table_named("audit") else { return out.extend_from_slice(b"null") };
        let users = schema.table_named("systemuser").map_or(TableId(0), |users| users.id);
        let of = schema.table(entry.table).map_or(Value::Null, |table| Value::Text(table.name.clone()));
        let values = [
            ("auditid", Value::Guid(told.id())),
            ("action", Value::Integer(entry.action)),
            ("callinguserid", entry.calling_user.map_or(Value::Null, |user| Value::Lookup(users, user))),
            ("createdon", Value::DateTime(told.record.created)),
            ("objectid", Value::Guid(entry.row)),
            ("objecttypecode", of),
            ("operation", Value::Integer(entry.operation as i32)),
            ("transactionid", Value::Guid(entry.transaction)),
            ("useradditionalinfo", Value::Text(entry.origin.clone())),
            ("userid", Value::Lookup(users, entry.user)),
        ];
        self.entity(out, table, values.iter().filter_map(|(name, value)| Some((table.column(name)?, value))));
    }

    /// A record with some of its values.
    fn entity<'v>(&self, out: &mut Vec<u8>, table: &Table, values: impl Iterator<Item = (&'v Column, &'v Value)>) {
        out.extend_from_slice(b"{\"@odata.type\":");
        json::text(out, &format!("#Microsoft.Dynamics.CRM.{}", table.name));
        for (column, value) in values {
            let name = property_name(column);
            let mut joined = String::new();
            let shown = borrowed(value, &mut joined);
            if let Some(formats) = &self.formats
                && let Some(formatter) = Formatter::of(column, None, None)
            {
                let mut text = Vec::new();
                if formatter.write(&mut text, shown, formats, |_| ValueRef::Null) {
                    member(out, &format!("{name}@{FORMATTED_VALUE}"));
                    out.push(b'"');
                    out.extend_from_slice(&text);
                    out.push(b'"');
                }
            }
            if let (true, Value::Lookup(table, _)) = (self.shows_tables, value)
                && let Some(table) = self.call.schema.table(*table)
            {
                member(out, &format!("{name}@{LOOKUP_LOGICAL_NAME}"));
                json::text(out, &table.name);
            }
            member(out, &name);
            crate::rows::write_column_value(out, column, shown, self.call.media.numbers_quoted);
        }
        out.push(b'}');
    }

    fn record_reference(&self, out: &mut Vec<u8>, table: TableId, id: Guid) {
        match self.call.table(table) {
            Ok(table) => {
                let key = table.column_by_id(table.primary_id).map(|column| column.name.as_str());
                reference(out, &table.name, key, id);
            }
            Err(_) => out.extend_from_slice(b"null"),
        }
    }
}

/// `,"name":`
fn member(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    json::text(out, name);
    out.push(b':');
}

/// A record by its type and id. Users and teams are called by what they are as owners, too.
fn reference(out: &mut Vec<u8>, table: &str, key: Option<&str>, id: Guid) {
    out.extend_from_slice(b"{\"@odata.type\":");
    json::text(out, &format!("#Microsoft.Dynamics.CRM.{table}"));
    let own = format!("{table}id");
    let as_owner = key.is_none().then_some("ownerid");
    for name in [Some(key.unwrap_or(&own)), as_owner].into_iter().flatten() {
        member(out, name);
        out.push(b'"');
        json::guid(out, &id);
        out.push(b'"');
    }
    out.push(b'}');
}

fn role_privileges(
    out: &mut Vec<u8>,
    name: &str,
    changes: &[PrivilegeChange],
    level: impl Fn(&PrivilegeChange) -> Option<Level>,
) {
    member(out, name);
    out.push(b'[');
    let mut separator: &[u8] = b"";
    for (change, level) in changes.iter().filter_map(|change| Some((change, level(change)?))) {
        out.extend_from_slice(separator);
        out.extend_from_slice(b"{\"Depth\":");
        json::text(out, &format!("{level:?}"));
        out.extend_from_slice(b",\"PrivilegeId\":\"");
        json::guid(out, &privilege_id(&change.name));
        out.push(b'"');
        member(out, "PrivilegeName");
        json::text(out, &change.name);
        out.push(b'}');
        separator = b",";
    }
    out.push(b']');
}

/// A value as a row would give it; several options are joined in `room`.
fn borrowed<'v>(value: &'v Value, room: &'v mut String) -> ValueRef<'v> {
    match value {
        Value::Null => ValueRef::Null,
        Value::Boolean(yes) => ValueRef::Boolean(*yes),
        Value::Integer(number) => ValueRef::Integer(i64::from(*number)),
        Value::BigInt(number) => ValueRef::Integer(*number),
        Value::Decimal(number) => ValueRef::Decimal(*number),
        Value::Double(number) => ValueRef::Double(*number),
        Value::Money(amount) => ValueRef::Money(*amount),
        Value::Text(text) => ValueRef::Text(text),
        Value::Guid(id) | Value::Lookup(_, id) => ValueRef::Guid(*id),
        Value::DateTime(seconds) => ValueRef::DateTime(*seconds),
        Value::Date(days) => ValueRef::Date(*days),
        Value::Choices(options) => {
            *room = options.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
            ValueRef::Text(room)
        }
    }
}
