//! The standard schema with the worlds' secured columns.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_schema::{Schema, load, standard_files};

use crate::{MASKED_COLUMNS, SECURED_COLUMNS};

/// The standard schema, with `secured` switched on for [`SECURED_COLUMNS`] and [`MASKED_COLUMNS`] as an administrator
/// would.
///
/// # Panics
/// When the standard files do not have those columns: then this crate has to follow them.
#[must_use]
#[expect(clippy::panic, reason = "test support: a wrong fixture has to stop the test")]
pub fn secured_standard() -> Arc<Schema> {
    let mut changed: HashMap<&str, String> = HashMap::new();
    let masked = MASKED_COLUMNS.iter().map(|masked| (masked.table, masked.column));
    for (table, column) in SECURED_COLUMNS.into_iter().chain(masked) {
        let file = format!("{}.toml", table.name());
        let Some((name, text)) = standard_files().iter().find(|(name, _)| *name == file) else {
            panic!("there is no standard file {file}")
        };
        let text = changed.entry(name).or_insert_with(|| (*text).to_owned());
        let line = format!("name = \"{column}\", ");
        assert!(text.matches(&line).count() == 1, "{file} should have one line of column {column}");
        *text = text.replacen(&line, &format!("{line}secured = true, "), 1);
    }
    let files: Vec<(&str, &str)> =
        standard_files().iter().map(|(name, text)| (*name, changed.get(name).map_or(*text, String::as_str))).collect();
    match load(&files) {
        Ok(schema) => Arc::new(schema),
        Err(fault) => panic!("{fault}"),
    }
}
