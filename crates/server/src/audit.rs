//! `custodia audit`: entries, each as one line of JSON.

use anyhow::{Context as _, Result, bail};
use custodia_org::{Organization, read_origin};
use custodia_schema::{ColumnKind, Guid, Schema, Value};
use custodia_store::{AuditFilter, AuditRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::naming;
use crate::operation::Output;

/// Audit entries read at one time.
const PAGE: u32 = 1_000;

/// Which entries are listed: those for which all of it holds.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Only {
    /// Only of records of this table.
    pub table: Option<String>,
    /// Only of this record.
    pub record: Option<uuid::Uuid>,
    /// Only what this user did.
    pub user: Option<String>,
    /// Only from this moment on.
    pub since: Option<String>,
    /// Only these actions, by number or name.
    pub actions: Vec<String>,
}

impl Only {
    async fn filter(&self, organization: &Organization, limit: u32) -> Result<AuditFilter> {
        let schema = organization.schema();
        let table = match &self.table {
            Some(name) => Some(schema.table_named(name).with_context(|| format!("there is no table '{name}'"))?.id),
            None => None,
        };
        if table.is_none() && self.record.is_some() {
            bail!("--record needs --table: ids are unique within a table");
        }
        let user = match &self.user {
            Some(name) => Some(match Guid::try_parse(name) {
                // Also of a user who is gone.
                Ok(id) => id,
                Err(_) => naming::user(organization, name).await?.id,
            }),
            None => None,
        };
        let since = self.since.as_deref().map(moment).transpose()?;
        let actions = self.actions.iter().map(|word| action(&schema, word)).collect::<Result<_>>()?;
        Ok(AuditFilter { table, row: self.record, user, since, actions, ..AuditFilter::newest(limit) })
    }
}

/// Lists entries, newest first.
///
/// # Errors
/// A table, user, moment or action that there is not; store errors.
pub async fn list(organization: &Organization, limit: u32, only: &Only, output: &mut dyn Output) -> Result<()> {
    let schema = organization.schema();
    let mut filter = only.filter(organization, PAGE).await?;
    let mut left = limit;
    while left > 0 {
        filter.limit = left.min(PAGE);
        let entries = organization.audit_matching(&filter).await?;
        let Some(last) = entries.last() else { break };
        filter.before = last.number;
        for entry in &entries {
            output.line(&serde_json::to_string(&line(&schema, entry))?);
        }
        left = left.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
    }
    Ok(())
}

/// A day or a moment, UTC where it does not say, in seconds since 1970.
///
/// # Errors
/// What is neither.
pub fn moment(text: &str) -> Result<i64> {
    custodia_query::odata::parse_moment(text)
        .with_context(|| format!("'{text}' is neither a day (2026-01-31) nor a moment (2026-01-31T08:00:00Z)"))
}

/// The number of an action, by which it is named or its name in small letters with hyphens.
fn action(schema: &Schema, word: &str) -> Result<i32> {
    if let Ok(number) = word.parse() {
        return Ok(number);
    }
    let found = names_of(schema, "action").find(|(_, name)| hyphened(name) == word.to_ascii_lowercase());
    let (number, _) =
        found.with_context(|| format!("there is no action '{word}'; give its number or a name such as assign"))?;
    Ok(number)
}

/// The options of a column of the audit: numbers and names.
fn names_of<'s>(schema: &'s Schema, column: &str) -> impl Iterator<Item = (i32, &'s str)> {
    let found = schema.table_named("audit").and_then(|table| table.column(column));
    let options = found.and_then(|column| match &column.kind {
        ColumnKind::Choice { options, .. } => Some(options.as_slice()),
        _ => None,
    });
    options.unwrap_or_default().iter().map(|option| (option.value, option.label.text()))
}

fn hyphened(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "-")
}

/// The entry with names beside numbers.
fn line(schema: &Schema, record: &AuditRecord) -> serde_json::Value {
    let entry = &record.entry;
    let (origin, address) = read_origin(&entry.origin);
    let action_name =
        names_of(schema, "action").find(|(number, _)| *number == entry.action).map(|(_, name)| hyphened(name));
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
        "origin": origin,
        "address": address,
        "operation": entry.operation as i32,
        "action": entry.action,
        "action_name": action_name,
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
        Value::Date(days) => json!(custodia_query::instant::day(*days).map(|day| day.to_string())),
        Value::Choices(options) => json!(options),
    }
}

/// `2026-01-02T03:04:05Z`.
pub fn timestamp(seconds: i64) -> String {
    custodia_query::instant::Shown(seconds).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn days_moments_and_actions_are_read() {
        assert_eq!(moment("1970-01-02").unwrap(), 86_400);
        assert_eq!(moment("1970-01-01T00:00:09Z").unwrap(), 9);
        assert_eq!(moment("1970-01-02T08:00:00").unwrap(), 86_400 + 8 * 3_600, "no time is dropped");
        assert_eq!(moment("1970-01-02T08:00+02:00").unwrap(), 86_400 + 6 * 3_600);
        for wrong in
            ["yesterday", "2026-02-30", "2026-01-31T25:00:00Z", "2026-01-31T08:00:00Zulu", "2026-01-31 ", "20260131"]
        {
            let told = custodia_store::with_causes(moment(wrong).unwrap_err().as_ref());
            assert_eq!(told, format!("'{wrong}' is neither a day (2026-01-31) nor a moment (2026-01-31T08:00:00Z)"));
        }
        assert_eq!(timestamp(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(shown(&Value::DateTime(253_402_214_400)), "9999-12-31T00:00:00Z");
        assert_eq!(shown(&Value::Date(2_932_896)), "9999-12-31");
        let schema = custodia_schema::standard();
        for (word, number) in [("13", 13), ("assign", 13), ("Assign-Role-To-User", 55), ("modify-share", 48)] {
            assert_eq!(action(&schema, word).unwrap(), number);
        }
        assert!(action(&schema, "nothing").is_err());
    }
}
