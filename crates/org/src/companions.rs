//! Columns that tell of others of the same record: which table a link leads to, how large a document is, what kind of activity
//! it is, how long it is to take and when it was done. Callers need not give them.

use custodia_schema::{ColumnKind, Table, TableId, Value};
use custodia_store::StoredRow;

use crate::writing::Draft;

/// Lookups with a column beside them that says which table they lead to: table, lookup, type.
const TYPES_OF_LINKS: &[(&str, &str, &str)] = &[
    ("activitymimeattachment", "objectid", "objecttypecode"),
    ("annotation", "objectid", "objecttypecode"),
    ("connection", "record1id", "record1objecttypecode"),
    ("connection", "record2id", "record2objecttypecode"),
    ("customeraddress", "parentid", "objecttypecode"),
    ("listmember", "entityid", "entitytype"),
    ("queueitem", "objectid", "objecttypecode"),
];

/// Columns that hold a file as base64.
const DOCUMENTS: &[(&str, &str)] = &[("activitymimeattachment", "body"), ("annotation", "documentbody")];

/// The state of activities that are yet to be done.
const OPEN: i32 = 0;
/// The state of those that have their time.
const SCHEDULED: i32 = 3;

/// Fills the companions of what a new record is made of, or of the columns of a stored one that change. `name_of` knows the
/// logical names of tables.
pub(crate) fn settle<'s>(
    table: &Table,
    stored: Option<&StoredRow>,
    row: &mut Draft,
    now: i64,
    name_of: impl Fn(TableId) -> Option<&'s str>,
) {
    if table.is_activity {
        settle_activity(table, stored, row, now);
    }
    for (_, link, kind) in TYPES_OF_LINKS.iter().filter(|(of, ..)| *of == table.name) {
        let (Some(link), Some(kind)) = (table.column(link), table.column(kind)) else { continue };
        if !row.contains(link.id) && !row.contains(kind.id) {
            continue;
        }
        let leads_to = row.get(link.id).or_else(|| stored.map(|stored| stored.get(link.id)));
        match (leads_to, &kind.kind) {
            (Some(Value::Lookup(target, _)), ColumnKind::Choice { .. }) => {
                let code = i32::try_from(target.0).map_or(Value::Null, Value::Integer);
                row.set(kind.id, code);
            }
            (Some(Value::Lookup(target, _)), _) => {
                let name = name_of(*target).map_or(Value::Null, |name| Value::Text(name.to_owned()));
                row.set(kind.id, name);
            }
            // The link was taken away. Of one that there never was, what was given stays: a form may say it beforehand.
            _ if stored.is_some() && row.contains(link.id) => row.set(kind.id, Value::Null),
            _ => {}
        }
    }
    for (_, body) in DOCUMENTS.iter().filter(|(of, _)| *of == table.name) {
        let Some(body) = row.named(table, body) else { continue };
        let size = match body {
            Value::Text(base64) => Some(decoded_length(base64)),
            _ => None,
        };
        row.stamp(table, "isdocument", Value::Boolean(size.is_some()));
        row.stamp(table, "filesize", size.map_or(Value::Null, Value::Integer));
    }
}

/// What kind of activity it is, how long it is to take, and when it ended: when it is completed or cancelled, unless that is
/// said already.
fn settle_activity(table: &Table, stored: Option<&StoredRow>, row: &mut Draft, now: i64) {
    let was = |name: &str| table.column(name).and_then(|column| Some(stored?.get(column.id)));
    let Some(stored_row) = stored else {
        row.stamp(table, "activitytypecode", Value::Text(table.name.clone()));
        if let Some(minutes) = minutes(row.named(table, "scheduledstart"), row.named(table, "scheduledend")) {
            row.stamp(table, "scheduleddurationminutes", minutes);
        }
        return;
    };
    let (start, end) = (row.named(table, "scheduledstart"), row.named(table, "scheduledend"));
    if start.is_some() || end.is_some() {
        let minutes = minutes(start.or_else(|| was("scheduledstart")), end.or_else(|| was("scheduledend")));
        row.stamp(table, "scheduleddurationminutes", minutes.unwrap_or(Value::Null));
    }
    let state = table.state().and_then(|state| Some((row.get(state.id)?, stored_row.get(state.id))));
    let is_done = |state: &Value| matches!(state, Value::Integer(state) if *state != OPEN && *state != SCHEDULED);
    let ends = state.is_some_and(|(state, former)| is_done(state) && !is_done(former));
    if ends && was("actualend").is_none_or(Value::is_null) {
        row.stamp_absent(table, "actualend", Value::DateTime(now));
    }
}

/// The whole minutes from one moment to another that is not before it.
fn minutes(start: Option<&Value>, end: Option<&Value>) -> Option<Value> {
    let (Value::DateTime(start), Value::DateTime(end)) = (start?, end?) else { return None };
    let minutes = end.checked_sub(*start)?.div_euclid(60);
    i32::try_from(minutes).ok().filter(|minutes| *minutes >= 0).map(Value::Integer)
}

/// How many bytes a text in base64 stands for.
fn decoded_length(base64: &str) -> i32 {
    let digits = base64.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count();
    i32::try_from(digits * 3 / 4).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use custodia_schema::standard;

    use super::{DOCUMENTS, TYPES_OF_LINKS, decoded_length};

    /// What tells something of a column is hidden with it, or the column is never hidden.
    #[test]
    fn what_tells_of_a_column_is_hidden_with_it() {
        let schema = standard();
        let pointers = schema.table_named("activitypointer").unwrap();
        let mut pairs: Vec<(&str, &str, &str)> = TYPES_OF_LINKS.to_vec();
        for (table, body) in DOCUMENTS {
            pairs.extend([(*table, *body, "isdocument"), (*table, *body, "filesize")]);
        }
        for table in schema.tables().iter().filter(|table| table.is_activity) {
            for moment in ["scheduledstart", "scheduledend"] {
                pairs.push((&table.name, moment, "scheduleddurationminutes"));
            }
        }
        let mut told = 0;
        let mut open = Vec::new();
        for (name, source, companion) in pairs {
            let table = schema.table_named(name).unwrap();
            let (Some(source), Some(companion)) = (table.column(source), table.column(companion)) else { continue };
            told += 1;
            // What the list of all activities shows, too, is secured of none of them (`secure_column`).
            let may_be_hidden = source.securable && !(table.is_activity && pointers.column(&source.name).is_some());
            if may_be_hidden && !companion.sources().any(|of| of == source.id) {
                open.push(format!("{name}.{} tells of {}, which can be secured", companion.name, source.name));
            }
        }
        assert!(open.is_empty(), "{open:#?}");
        assert!(told > 30, "{told}");
    }

    #[test]
    fn a_document_is_as_long_as_its_bytes() {
        for (text, length) in [("", 0), ("YQ==", 1), ("YWI=", 2), ("YWJj", 3), ("YWJj\r\nYQ==", 4)] {
            assert_eq!(decoded_length(text), length, "{text:?}");
        }
    }
}
