//! The standard tables and one with a column of every kind.

use std::sync::{Arc, OnceLock};

use custodia_query::Words;
use custodia_query::operator::Asker;
use custodia_schema::{Guid, Schema, Table, load, standard_files};

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

/// 2026-01-02T03:04:05Z, a Friday.
pub(crate) const NOW: i64 = 1_767_323_045;

/// Who asks in these tests: the user 0xa of the unit 0xb.
pub(crate) fn asker() -> Asker {
    Asker::plain(NOW, Guid::from_u128(0xa), Guid::from_u128(0xb))
}

/// What queries are written with in these tests.
pub(crate) fn words() -> Words<'static> {
    static ASKER: OnceLock<Asker> = OnceLock::new();
    Words { schema: schema(), asker: ASKER.get_or_init(asker), phrases: &[] }
}
