//! The standard tables and one with a column of every kind.

use std::sync::{Arc, OnceLock};

use custodia_schema::{Schema, Table, load, standard_files};

/// The schema of these tests.
pub(crate) fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut files = standard_files().to_vec();
        files.push(("new_gadget.toml", include_str!("new_gadget.toml")));
        load(&files).unwrap_or_else(|fault| panic!("{fault}"))
    })
}

/// A table of that schema.
pub(crate) fn table(name: &str) -> &'static Arc<Table> {
    schema().table_named(name).unwrap_or_else(|| panic!("no table {name}"))
}
