//! In which order a row keeps its columns.
//!
//! Both engines find a column by walking over those before it, and an embedded one leaves out the empty ones at a row's end.
//! So what most rows have and most questions name comes first. The order has no meaning otherwise: statements name their
//! columns, and a table that was made in another order stays as it is.

use custodia_schema::{Column, ColumnKind, Table};

use super::fetch::stored_columns;
use super::storage::{FOLD, Storage, TARGET, is_always_set};

/// A physical column: a value, or a companion of one, which has a suffix.
pub(super) struct Part<'t> {
    pub column: &'t Column,
    pub suffix: &'static str,
    pub storage: Storage,
}

/// Where a column stands; the order of the variants is that in the row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// It always has a value.
    Always,
    /// It usually has one: so manieth of those.
    Usual(usize),
    /// The fold of such a one: so many bytes more to pass over, needed where no index has it.
    UsualFold(usize),
    /// It is filled when the row is made.
    Filled,
    /// It usually has a value, which may be long: what stands behind it is far away.
    UsualLong(usize),
    /// All else.
    Rest,
}

/// The physical columns of a table in the order of the columns' numbers, a companion behind its value.
pub(super) fn parts(table: &Table) -> impl Iterator<Item = Part<'_>> {
    stored_columns(table).flat_map(|(column, storage)| {
        let companion = if column.kind.is_text() {
            Some((FOLD, Storage::Text))
        } else if column.kind.is_polymorphic() {
            Some((TARGET, Storage::BigInt))
        } else {
            None
        };
        std::iter::once(("", storage)).chain(companion).map(move |(suffix, storage)| Part { column, suffix, storage })
    })
}

/// The same in the order in which a table is made with them.
pub(super) fn laid_out(table: &Table) -> Vec<Part<'_>> {
    let mut parts: Vec<_> = parts(table).map(|part| (place(table, &part), part)).collect();
    // Stable: within a place the order of the numbers stays.
    parts.sort_by_key(|(place, _)| *place);
    parts.into_iter().map(|(_, part)| part).collect()
}

fn place(table: &Table, part: &Part<'_>) -> Place {
    let column = part.column;
    if is_always_set(table, column) {
        return Place::Always;
    }
    let named = table.primary_name.iter().chain(table.list_indexes.iter().flat_map(|index| &index.columns));
    let usual = table.usual.iter().chain(named).position(|usual| *usual == column.id);
    match usual {
        Some(rank) if matches!(column.kind, ColumnKind::Memo { .. }) => Place::UsualLong(rank),
        Some(rank) if part.suffix == FOLD => Place::UsualFold(rank),
        Some(rank) => Place::Usual(rank),
        None if is_filled(column) => Place::Filled,
        None => Place::Rest,
    }
}

/// Whether a new row gets a value there without being given one.
fn is_filled(column: &Column) -> bool {
    match &column.kind {
        ColumnKind::Boolean { default, .. } => default.is_some(),
        ColumnKind::Choice { default, .. } => default.is_some(),
        ColumnKind::Managed => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::collections::HashSet;

    use super::super::tests::{schema, table};
    use super::*;

    fn names(table: &Table) -> Vec<String> {
        laid_out(table).iter().map(|part| format!("{}{}", part.column.name, part.suffix)).collect()
    }

    #[test]
    fn a_row_begins_with_what_it_always_has_and_goes_on_with_what_is_usual() {
        let contact = table("contact");
        let names = names(&contact);
        let at = |name: &str| names.iter().position(|found| found == name).unwrap();
        let in_turn = [
            "contactid",
            "ownerid",
            "ownerid__t",
            "statecode",
            "fullname",
            "parentcustomerid",
            "parentcustomerid__t",
            "emailaddress1",
            "versionnumber",
            "createdon",
            "fullname__f",
            "emailaddress1__f",
            "preferredcontactmethodcode",
            "description",
            "description__f",
            "address3_city",
            "address3_city__f",
        ];
        for pair in in_turn.windows(2) {
            assert!(at(pair[0]) < at(pair[1]), "{} stands before {}", pair[1], pair[0]);
        }
        assert_eq!(at("contactid"), 0);
        assert!(at("createdon") < 50, "{}", at("createdon"));
    }

    #[test]
    fn every_column_and_companion_of_every_table_stands_once() {
        for table in schema().tables() {
            let names = names(table);
            let once: HashSet<&String> = names.iter().collect();
            assert_eq!(once.len(), names.len(), "{}", table.name);
            let stored = stored_columns(table).count();
            let companions = stored_columns(table)
                .filter(|(column, _)| column.kind.is_text() || column.kind.is_polymorphic())
                .count();
            assert_eq!(names.len(), stored + companions, "{}", table.name);
        }
    }
}
