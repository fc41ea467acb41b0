//! FetchXML: texts to the trees they mean, back to texts, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod printing;
mod trees;

use std::sync::{Arc, OnceLock};

use custodia_query::Zone;
use custodia_query::fetchxml::{Fetch, FetchXmlError, Question};
use custodia_query::odata::Limits;
use custodia_query::operator::Asker;
use custodia_schema::{ColumnId, Guid, Schema, TableId, load, standard_files};

/// The standard tables and one with a column of every kind.
fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut files = standard_files().to_vec();
        files.push(("new_gadget.toml", include_str!("../odata/new_gadget.toml")));
        load(&files).unwrap_or_else(|fault| panic!("{fault}"))
    })
}

fn table(name: &str) -> TableId {
    schema().table_named(name).unwrap_or_else(|| panic!("no table {name}")).id
}

fn column(table: &str, name: &str) -> ColumnId {
    let table = schema().table_named(table).unwrap_or_else(|| panic!("no table {table}"));
    table.column(name).unwrap_or_else(|| panic!("no column {name}")).id
}

/// Somebody an hour ahead of UTC, on 2024-03-01.
fn asker() -> Asker {
    let zone = Arc::new(Zone { first: 3_600, changes: Vec::new() });
    Asker { zone, ..Asker::plain(1_709_290_800, Guid::from_u128(1), Guid::from_u128(2)) }
}

fn read(text: &str) -> Result<Fetch, FetchXmlError> {
    Fetch::read(text, &Limits::default())
}

fn resolve(text: &str) -> Result<Question, FetchXmlError> {
    read(text)?.resolve(schema(), &asker(), &Limits::default())
}
