//! An audit entry as one line of JSON for `custodia audit`.

use custodia_schema::{Schema, Value};
use custodia_store::AuditRecord;
use serde_json::{Map, json};

/// The entry with names instead of numbers.
pub fn line(schema: &Schema, record: &AuditRecord) -> serde_json::Value {
    let entry = &record.entry;
    let table = schema.table(entry.table);
    let mut changes = Map::new();
    for change in &entry.changes {
        let name = table
            .and_then(|table| table.column_by_id(change.column))
            .map_or_else(|| change.column.to_string(), |column| column.name.clone());
        changes.insert(name, json!({ "old": shown(&change.old), "new": shown(&change.new) }));
    }
    json!({
        "number": record.number,
        "created": timestamp(record.created),
        "request": entry.transaction,
        "user": entry.user,
        "calling_user": entry.calling_user,
        "origin": entry.origin,
        "operation": entry.operation as i32,
        "action": entry.action,
        "table": table.map(|table| table.name.as_str()),
        "record": entry.row,
        "changes": changes,
        "detail": entry.detail,
        "erased": record.erased,
    })
}

fn shown(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(b) => json!(b),
        Value::Integer(n) => json!(n),
        Value::BigInt(n) => json!(n),
        Value::Decimal(d) => json!(d.to_string()),
        Value::Double(d) => json!(d),
        Value::Money(money) => json!(money.to_decimal().to_string()),
        Value::Text(text) => json!(text),
        Value::Guid(id) | Value::Lookup(_, id) => json!(id),
        Value::DateTime(seconds) => json!(timestamp(*seconds)),
        Value::Date(days) => json!(timestamp(i64::from(*days) * 86_400).get(..10)),
        Value::Choices(options) => json!(options),
    }
}

/// `2026-01-02T03:04:05Z`.
pub fn timestamp(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |timestamp| timestamp.to_string())
}
