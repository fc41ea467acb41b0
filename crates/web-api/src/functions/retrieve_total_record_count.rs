//! `RetrieveTotalRecordCount`: how many records of some tables there are that the caller may read.

use bytes::Bytes;
use custodia_org::Rows;
use custodia_query::odata::ParameterValue;
use custodia_query::{Aggregation, Measure, Query};
use custodia_schema::{Table, Value};
use http::{Response, StatusCode};

use super::{Operation, begin};
use crate::answer;
use crate::failure::Failure;
use crate::input::type_name;
use crate::json;

/// Tables that one call may name. Each is counted by a statement of its own.
const TABLES_MAX: usize = 100;

pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let names = names(operation)?;
    let mut body = begin(call, "RetrieveTotalRecordCountResponse");
    body.extend_from_slice(b"\"EntityRecordCountCollection\":{\"Count\":");
    json::natural(&mut body, names.len() as u64);
    body.extend_from_slice(b",\"IsReadOnly\":false,\"Keys\":[");
    let mut values = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let table = call.schema.table_named(type_name(name));
        let table = table.ok_or_else(|| Failure::invalid(format!("EntityNames: there is no table '{name}'")))?;
        if at > 0 {
            body.push(b',');
            values.push(b',');
        }
        json::text(&mut body, &table.name);
        json::integer(&mut values, count(operation, table).await?);
    }
    body.extend_from_slice(b"],\"Values\":[");
    body.extend_from_slice(&values);
    body.extend_from_slice(b"]}}");
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// The names in `EntityNames=['account','contact']`, in quotes of either kind.
fn names(operation: &Operation<'_>) -> Result<Vec<String>, Failure> {
    let malformed =
        || Failure::invalid("RetrieveTotalRecordCount takes EntityNames, a list like ['account','contact']");
    let Some(ParameterValue::Json(text)) = operation.parameter("EntityNames") else { return Err(malformed()) };
    let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(malformed)?;
    let mut names = Vec::new();
    for piece in inner.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let quoted = |quote: char| piece.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        names.push(quoted('\'').or_else(|| quoted('"')).ok_or_else(malformed)?.to_owned());
    }
    if names.is_empty() || names.len() > TABLES_MAX {
        return Err(Failure::invalid(format!("EntityNames has {} tables; 1 to {TABLES_MAX} are taken", names.len())));
    }
    Ok(names)
}

/// Records of one table, as far as the caller may read them: nobody learns how many there are beside those.
async fn count(operation: &Operation<'_>, table: &Table) -> Result<i64, Failure> {
    let call = operation.call;
    let counted = Aggregation {
        rows: Query::of(table, 1),
        groups: Vec::new(),
        measures: vec![Measure::Count],
        order: Vec::new(),
        skip: 0,
        page_size: 1,
        rows_max: u32::MAX,
    };
    let mut rows = Rows::default();
    call.organization.aggregate(call.caller, &counted, &mut rows).await?;
    Ok(match rows.rows.first().and_then(|row| row.first()) {
        Some(Value::BigInt(count)) => *count,
        Some(Value::Integer(count)) => i64::from(*count),
        _ => 0,
    })
}
