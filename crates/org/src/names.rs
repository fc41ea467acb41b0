//! Columns composed of others: full names of persons, addresses in one text.

use custodia_schema::{Table, Value};

use crate::writing::Draft;

/// Composes what follows from the columns of a draft that is complete (all columns of the row, present or null).
pub(crate) fn compose(table: &Table, row: &Draft) -> Vec<(custodia_schema::ColumnId, Value)> {
    let mut composed = Vec::new();
    for column in table.columns() {
        if column.derived_from.is_empty() || !column.kind.is_text() {
            continue;
        }
        let separator = if column.name == "fullname" { " " } else { "\r\n" };
        let text = if column.name == "fullname" {
            joined(table, row, &["firstname", "middlename", "lastname"], separator)
        } else if let Some(prefix) = column.name.strip_suffix("_composite") {
            address(table, row, prefix)
        } else {
            continue;
        };
        let limit = match column.kind {
            custodia_schema::ColumnKind::Text { max_length, .. }
            | custodia_schema::ColumnKind::Memo { max_length, .. } => max_length as usize,
            _ => usize::MAX,
        };
        // A composed text has no input of its own to refuse: what does not fit is left out.
        let text: String = text.chars().take(limit).collect();
        composed.push((column.id, if text.is_empty() { Value::Null } else { Value::Text(text) }));
    }
    composed
}

/// Street lines, then city with region and code, then the country.
fn address(table: &Table, row: &Draft, prefix: &str) -> String {
    let part = |name: &str| text(table, row, &format!("{prefix}_{name}"));
    let place = [part("city"), part("stateorprovince"), part("postalcode")];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let lines =
        [part("line1"), part("line2"), part("line3"), Some(place).filter(|place| !place.is_empty()), part("country")];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\r\n")
}

fn joined(table: &Table, row: &Draft, names: &[&str], separator: &str) -> String {
    names.iter().filter_map(|name| text(table, row, name)).collect::<Vec<_>>().join(separator)
}

fn text(table: &Table, row: &Draft, name: &str) -> Option<String> {
    match row.named(table, name) {
        Some(Value::Text(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}
