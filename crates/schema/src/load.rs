//! Reads table files into a [`Schema`].
//!
//! # The files
//!
//! One file per table, named after it (`account.toml`), and beside them
//!
//! - `defaults.toml`: everything the facts about the standard tables do not say (required);
//! - `option-sets.toml`: options that several columns share by name;
//! - `many-to-many.toml`: N:N relationships;
//! - `privileges.toml`: privileges that are not tied to rows;
//! - `roles.toml`: built-in roles, read by [`crate::load_roles`] and passed over here.
//!
//! A table file has the table's own properties, then `columns`, one to a line, and `parents`, the 1:N relationships in which
//! the table is the child, one to a line:
//!
//! ```toml
//! columns = [
//!     { id = 1, name = "accountid", schema = "AccountId", label = "Account", kind = "guid" },
//!     { id = 2, name = "name", schema = "Name", label = "Account Name", kind = "text", max_length = 160 },
//!     { id = 3, name = "createdon" },
//! ]
//! parents = [
//!     { column = "ownerid", table = "team", name = "team_owner_accounts", collection = "owner_accounts" },
//! ]
//! ```
//!
//! A column's `id` is its number for ever: new columns take the next free one wherever their line stands, and a removed
//! column's number is not given out again. Every lookup has one line in `parents` for each table it points at.
//!
//! Navigation names that a relationship does not state follow the Web API's rules: the collection is named like the
//! relationship; the single value like the column, with the target's name behind it if there is more than one target,
//! and with the child's name behind that if the child is an activity type, whose names would otherwise clash with those
//! it inherits from `activitypointer`. An owner has one navigation, named like the column, for users and teams.
//!
//! # Faults
//!
//! The first fault ends the load. It names the file, the line and what to do; nothing is repaired silently.

mod columns;
mod defaults;
mod draft;
mod options;
mod pairs;
mod raw;
mod relationships;
mod security;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Schema, Table, TableId};
use defaults::Defaults;
use draft::Draft;
pub(crate) use source::Source;

/// A fault in a data file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct LoadError {
    /// The file's name as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Reads data files, each given as name and text, into a schema. The order of the files does not matter.
///
/// # Errors
/// The first fault found, with its file and line.
pub fn load(files: &[(&str, &str)]) -> Result<Schema, LoadError> {
    let sources = || files.iter().map(|&(name, text)| Source { name, text });
    let special = |wanted: &str| sources().find(|source| source.name == wanted);

    let Some(defaults) = special("defaults.toml") else {
        return Err(LoadError {
            file: "defaults.toml".to_owned(),
            line: 1,
            problem: "the file is missing: give it along with the table files, it says what they leave out".to_owned(),
        });
    };
    let defaults = Defaults::read(&defaults)?;
    let option_sets = match special("option-sets.toml") {
        Some(source) => options::read_option_sets(&source)?,
        None => HashMap::new(),
    };

    let mut drafts = Vec::with_capacity(files.len());
    for source in sources() {
        if !matches!(
            source.name,
            "defaults.toml" | "option-sets.toml" | "many-to-many.toml" | "privileges.toml" | "roles.toml"
        ) {
            drafts.push(Draft::read(source, &defaults)?);
        }
    }
    let ids = draft::register(&drafts)?;

    let mut tables = Vec::with_capacity(drafts.len());
    for draft in &drafts {
        tables.push(draft.table(&ids, &defaults, &option_sets)?);
    }
    security::settle_privileges(&drafts, &mut tables, &defaults)?;

    let one_to_many = relationships::one_to_many(&drafts, &tables, &ids, &defaults)?;
    let many_to_many = match special("many-to-many.toml") {
        Some(source) => relationships::many_to_many(&source, &tables, &ids, &one_to_many)?,
        None => Vec::new(),
    };
    let unbound = match special("privileges.toml") {
        Some(source) => security::unbound_privileges(&source, &tables)?,
        None => Vec::new(),
    };
    Ok(Schema::new(tables.into_iter().map(Arc::new).collect(), one_to_many, many_to_many, unbound))
}

/// Table numbers by name.
type TableIds = HashMap<String, TableId>;

/// The table of that number among those being loaded.
fn table_of(tables: &[Table], id: TableId) -> Option<&Table> {
    tables.iter().find(|table| table.id == id)
}
