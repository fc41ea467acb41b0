//! The columns of standard tables that hold what is private to a person: those that somebody who looks after rights is reminded
//! of when they are neither secured nor audited.

use crate::{Column, Table};

/// Table and column. Names, addresses and telephone numbers of people at work are not among them: every CRM shows those.
const PERSONAL_COLUMNS: &[(&str, &str)] = &[
    ("account", "creditlimit"),
    ("contact", "anniversary"),
    ("contact", "annualincome"),
    ("contact", "birthdate"),
    ("contact", "childrensnames"),
    ("contact", "creditlimit"),
    ("contact", "familystatuscode"),
    ("contact", "gendercode"),
    ("contact", "governmentid"),
    ("contact", "numberofchildren"),
    ("contact", "spousesname"),
    ("systemuser", "governmentid"),
    ("systemuser", "homephone"),
    ("systemuser", "personalemailaddress"),
];

/// Whether a column holds what is private to a person, by a list that the program comes with.
#[must_use]
pub fn is_personal(table: &Table, column: &Column) -> bool {
    PERSONAL_COLUMNS.contains(&(table.name.as_str(), column.name.as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;
    use crate::standard;

    #[test]
    fn every_column_of_the_list_is_there_and_could_be_secured() {
        let schema = standard();
        for (table, column) in PERSONAL_COLUMNS {
            let table = schema.table_named(table).unwrap();
            let found = table.column(column).unwrap_or_else(|| panic!("{}.{column}", table.name));
            assert!(found.securable && is_personal(table, found), "{}.{column}", table.name);
        }
        let contact = schema.table_named("contact").unwrap();
        assert!(!is_personal(contact, contact.column("jobtitle").unwrap()));
    }
}
