//! What was perhaps meant by a name that there is not: a sentence behind the message, or nothing.

use custodia_schema::{ColumnKind, Schema, Table};

use super::names::{property, property_name};

/// Bytes of a name that is looked at: a longer one is no name mistyped.
const NAME_BYTES_MAX: usize = 64;
/// Letters that are missing, wrong, too many or changed about at most, in a name of three times as many.
const MISTAKES_MAX: usize = 2;

/// The set that was meant by a segment: that of the table of this name, or one that is called almost so. All who may ask at all are
/// told of all sets.
#[must_use]
pub fn hint_of_set(schema: &Schema, segment: &str) -> String {
    if segment.len() > NAME_BYTES_MAX {
        return String::new();
    }
    let asked = segment.to_ascii_lowercase();
    let of_table = schema.table_named(&asked).map(|table| table.set_name.as_str()).filter(|set| !set.is_empty());
    let set = of_table.or_else(|| {
        let most = MISTAKES_MAX.min(asked.chars().count() / 3);
        let sets = schema.tables().iter().map(|table| table.set_name.as_str()).filter(|set| !set.is_empty());
        let near = sets.filter(|set| set.len().abs_diff(asked.len()) <= most);
        let distances = near.map(|set| (strsim::osa_distance(&asked, set), set));
        distances.filter(|(distance, _)| *distance <= most).min().map(|(_, set)| set)
    });
    set.map(|set| format!(" Did you mean '{set}'?")).unwrap_or_default()
}

/// The property that was meant by a column's name: a lookup's value has a name of its own.
pub(super) fn hint_of_column(table: &Table, name: &str) -> String {
    let lookup = table.column(name).filter(|column| matches!(column.kind, ColumnKind::Lookup { .. }));
    let shown = lookup.map(property_name).filter(|shown| property(table, shown).is_some());
    shown.map(|shown| format!(" The value of a lookup is called '{shown}'.")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use custodia_schema::standard;

    use super::*;

    #[test]
    fn sets_are_found_by_their_table_or_with_a_mistake() {
        let schema = standard();
        for (asked, set) in [
            ("account", "accounts"),
            ("Account", "accounts"),
            ("Accounts", "accounts"),
            ("acounts", "accounts"),
            ("accuonts", "accounts"),
            ("opportunitys", "opportunities"),
            ("team", "teams"),
        ] {
            assert_eq!(hint_of_set(&schema, asked), format!(" Did you mean '{set}'?"), "{asked}");
        }
        let long = "accounts".repeat(20);
        for asked in ["", "a", "NoSuchThing", "WhoAmII", "acco", "äccöünts", &long] {
            assert_eq!(hint_of_set(&schema, asked), "", "{asked}");
        }
    }

    #[test]
    fn lookups_go_by_the_name_of_their_value() {
        let schema = standard();
        let account = schema.table_named("account").unwrap();
        let hint = " The value of a lookup is called '_primarycontactid_value'.";
        assert_eq!(hint_of_column(account, "primarycontactid"), hint);
        assert_eq!(hint_of_column(account, "name"), "");
        assert_eq!(hint_of_column(account, "nothing"), "");
    }
}
