//! The statements of the audit: its entries, what seals them, and what is removed or erased of them.

use custodia_schema::{Guid, TableId, Value};

use super::internal::{guid, number, read, small, statement, text};
use super::{Dialect, Output, Parameter, Statement, audit_filing};
use crate::audit::AuditEntry;
use crate::audit_filter::AuditFilter;
use crate::seal::Chain;

/// Makes an audit entry of these values, in the order of the columns named; its number and its chain value come last.
pub(crate) fn insert_audit(mut values: Vec<Parameter>, place: i64, chain: &Chain) -> Statement {
    values.push(number(place));
    values.push(Parameter::Bytes(chain.as_bytes().to_vec()));
    statement(
        "INSERT INTO custodia_audit (created, transactionid, userid, callinguserid, origin, tableid, rowid_, operation, \
         action, payload, detail, salt, number, chain) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
         $14)",
        values,
    )
}

/// What [`insert_audit`] takes of an entry beside its number and its chain value.
pub(crate) fn audit_values(created: i64, entry: &AuditEntry, payload: Vec<u8>, salt: Vec<u8>) -> Vec<Parameter> {
    // Room for the two that come last.
    let mut values = Vec::with_capacity(14);
    values.extend([
        number(created),
        guid(entry.transaction),
        guid(entry.user),
        entry.calling_user.map_or(Parameter::Value(Value::Null), guid),
        text(&entry.origin),
        number(i64::from(entry.table.0)),
        guid(entry.row),
        small(entry.operation as i32),
        small(entry.action),
        Parameter::Bytes(payload),
        entry.detail.as_deref().map_or(Parameter::Value(Value::Null), text),
        Parameter::Bytes(salt),
    ]);
    values
}

/// What an entry says, as [`crate::logs`] reads it.
const ENTRY: &str = "number, created, transactionid, userid, callinguserid, origin, tableid, rowid_, operation, action, \
                     payload, detail";
const ENTRY_OUTPUTS: &[Output] = &[
    Output::Integer,
    Output::Integer,
    Output::Guid,
    Output::Guid,
    Output::Guid,
    Output::Text,
    Output::Integer,
    Output::Guid,
    Output::Integer,
    Output::Integer,
    Output::Text,
    Output::Text,
];

/// Reads entries with what seals them: salt and chain value, after what they say.
fn read_sealed(rest: &str, parameters: Vec<Parameter>) -> Statement {
    let outputs = [ENTRY_OUTPUTS, &[Output::Text, Output::Text]].concat();
    read(&format!("SELECT {ENTRY}, salt, chain FROM custodia_audit {rest}"), parameters, &outputs)
}

/// All audit entries with what seals them, oldest first.
pub(crate) fn select_sealed() -> Statement {
    read_sealed("ORDER BY number", Vec::new())
}

/// The same of some entries after a number.
pub(crate) fn select_sealed_after(after: i64, limit: u32) -> Statement {
    read_sealed("WHERE number > $1 ORDER BY number LIMIT $2", vec![number(after), number(i64::from(limit))])
}

/// The same of the entries of one record up to a number whose values were not erased, oldest first: of those after a number
/// and of no earlier moment.
pub(crate) fn select_sealed_of(
    dialect: Dialect,
    (table, row): (TableId, Guid),
    (after, since): (i64, i64),
    up_to: i64,
    limit: u32,
) -> Statement {
    let mut parameters = vec![number(up_to), small(crate::audit::action::LOG_DELETED), number(after), number(since)];
    let told = audit_filing::tells_of(dialect, table, Some(row), &mut parameters);
    parameters.push(number(i64::from(limit)));
    let rest = format!(
        "WHERE number <= $1 AND salt IS NOT NULL AND action <> $2 AND number > $3 AND created >= $4 AND {told} \
         ORDER BY number LIMIT ${}",
        parameters.len()
    );
    read_sealed(&rest, parameters)
}

/// The chain value of the last audit entry, as the head has it (bytes).
pub(crate) fn select_audit_chain() -> Statement {
    read("SELECT audit_chain FROM custodia_head", Vec::new(), &[Output::Text])
}

/// Seals an entry that was written before the audit was sealed.
pub(crate) fn update_seal(place: i64, salt: Vec<u8>, chain: &Chain) -> Statement {
    statement(
        "UPDATE custodia_audit SET salt = $1, chain = $2 WHERE number = $3",
        vec![Parameter::Bytes(salt), Parameter::Bytes(chain.as_bytes().to_vec()), number(place)],
    )
}

/// Takes the values out of an entry and leaves their commitments.
pub(crate) fn erase_audit(place: i64, payload: Vec<u8>) -> Statement {
    statement(
        "UPDATE custodia_audit SET payload = $1, detail = NULL, salt = NULL WHERE number = $2",
        vec![Parameter::Bytes(payload), number(place)],
    )
}

/// Of the oldest entries, at most so many, the last one that was written before a moment: its number and chain value.
pub(crate) fn select_last_before(before: i64, limit: u32) -> Statement {
    read(
        "SELECT number, chain FROM (SELECT number, created, chain FROM custodia_audit ORDER BY number LIMIT $1) AS oldest \
         WHERE created < $2 ORDER BY number DESC LIMIT 1",
        vec![number(i64::from(limit)), number(before)],
        &[Output::Integer, Output::Text],
    )
}

/// Entries of one action up to a number: their details.
pub(crate) fn select_audit_details(action: i32, up_to: i64) -> Statement {
    read(
        "SELECT detail FROM custodia_audit WHERE number <= $1 AND action = $2 ORDER BY number",
        vec![number(up_to), small(action)],
        &[Output::Text],
    )
}

/// Removes the oldest entries, up to a number.
pub(crate) fn delete_audit(up_to: i64) -> Statement {
    statement("DELETE FROM custodia_audit WHERE number <= $1", vec![number(up_to)])
}

/// Columns for what seals the audit. Entries that are there already are sealed by `seal::existing`.
pub(crate) fn create_seals(dialect: Dialect) -> Vec<String> {
    let (bytes, zero) = match dialect {
        Dialect::Sqlite => ("BLOB", format!("x'{}'", Chain::BEGINNING)),
        Dialect::Postgres => ("bytea", format!("'\\x{}'", Chain::BEGINNING)),
    };
    vec![
        format!("ALTER TABLE custodia_audit ADD COLUMN salt {bytes}"),
        format!("ALTER TABLE custodia_audit ADD COLUMN chain {bytes}"),
        format!("ALTER TABLE custodia_head ADD COLUMN audit_chain {bytes}"),
        format!("UPDATE custodia_head SET audit_chain = {zero}"),
    ]
}

/// Audit entries, newest first: number, created, transaction, user, calling user, origin, table, row, operation, action,
/// payload (bytes), detail.
pub(crate) fn select_audit(dialect: Dialect, filter: &AuditFilter) -> Statement {
    let mut sql = format!("SELECT {ENTRY} FROM custodia_audit WHERE number < $1");
    let mut parameters = vec![number(filter.before)];
    if let Some(table) = filter.table {
        sql.push_str(" AND ");
        sql.push_str(&audit_filing::tells_of(dialect, table, filter.row, &mut parameters));
    }
    let mut add = |condition: &str, parameter: Parameter| {
        parameters.push(parameter);
        sql.push_str(&condition.replace('?', &format!("${}", parameters.len())));
    };
    if let (None, Some(row)) = (filter.table, filter.row) {
        add(" AND rowid_ = ?", guid(row));
    }
    if let Some(user) = filter.user {
        add(" AND (userid = ?", guid(user));
        add(" OR callinguserid = ?)", guid(user));
    }
    if let Some(since) = filter.since {
        add(" AND created >= ?", number(since));
    }
    for (at, action) in filter.actions.iter().enumerate() {
        add(if at == 0 { " AND action IN (?" } else { ", ?" }, small(*action));
    }
    if !filter.actions.is_empty() {
        sql.push(')');
    }
    parameters.push(number(i64::from(filter.limit)));
    sql.push_str(&format!(" ORDER BY number DESC LIMIT ${}", parameters.len()));
    read(&sql, parameters, ENTRY_OUTPUTS)
}
