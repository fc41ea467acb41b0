//! What the table files leave out.

use super::raw::{self, Column, DefaultsFile, Kind, TableDefaults};
use super::{LoadError, Source};
use crate::{Cascade, Ownership};

/// The defaults, and the order in which they are asked.
pub(super) struct Defaults {
    file: DefaultsFile,
    nothing: TableDefaults,
    no_column: Column,
}

/// What a column is to its table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    PrimaryId,
    PrimaryName,
    Other,
}

impl Defaults {
    pub fn read(source: &Source<'_>) -> Result<Self, LoadError> {
        let file: DefaultsFile = source.parse()?;
        if let Some((name, _)) = file.columns.iter().find(|(_, column)| column.kind.is_none()) {
            let at = source.text.find(&format!("\n{name} ")).map_or(0, |at| at + 1);
            return Err(source.fault(&(at..at), format!("`columns.{name}` has no kind: add kind = \"…\"")));
        }
        Ok(Self { file, nothing: TableDefaults::default(), no_column: Column::default() })
    }

    /// What is known of a table beyond its file.
    pub fn of_table(&self, name: &str) -> &TableDefaults {
        self.file.tables.get(name).unwrap_or(&self.nothing)
    }

    /// The kind of a column whose line does not state it.
    pub fn kind_of(&self, column: &str) -> Option<Kind> {
        self.file.columns.get(column)?.kind
    }

    /// Where a property of a column is looked for, first to last.
    pub fn layers<'a>(&'a self, line: &'a Column, kind: Kind, place: Place) -> Layers<'a> {
        let common = self.file.columns.get(&line.name).filter(|common| common.kind == Some(kind));
        Layers([
            line,
            common.unwrap_or(&self.no_column),
            match place {
                Place::PrimaryId => &self.file.primary_id,
                Place::PrimaryName => &self.file.primary_name,
                Place::Other => &self.no_column,
            },
            self.file.kind.get(&kind).unwrap_or(&self.no_column),
            &self.file.column,
        ])
    }

    pub fn switches(&self) -> &raw::TableSwitches {
        &self.file.table
    }

    pub fn ownership(&self, ownership: Ownership) -> &raw::Owned {
        match ownership {
            Ownership::User => &self.file.ownership.user,
            Ownership::Organization => &self.file.ownership.organization,
            Ownership::Business => &self.file.ownership.business,
            Ownership::None => &self.file.ownership.none,
        }
    }

    /// The table whose privileges all activity types share.
    pub fn activity_privileges(&self) -> &str {
        &self.file.activity.privileges_of
    }

    /// The cascades of a relationship that states none.
    pub fn cascade(&self, column: &str, parent: &str, child: &str) -> Option<Cascade> {
        let fits = |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        let rule =
            self.file.cascade.iter().find(|rule| {
                fits(&rule.columns, column) && fits(&rule.parents, parent) && fits(&rule.children, child)
            })?;
        let words = raw::CascadeWords {
            assign: rule.assign,
            share: rule.share,
            unshare: rule.unshare,
            reparent: rule.reparent,
            delete: rule.delete,
            merge: rule.merge,
        };
        Some(words.cascade())
    }

    /// Whether hierarchy operators follow a relationship whose line does not say so.
    pub fn is_hierarchical(&self, relationship: &str) -> bool {
        self.file.hierarchy.relationships.iter().any(|known| known == relationship)
    }
}

/// Where a property of a column is looked for, first to last.
pub(super) struct Layers<'a>([&'a Column; 5]);

impl<'a> Layers<'a> {
    /// The property from the first layer that has it.
    pub fn first<T>(&self, property: impl Fn(&'a Column) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|layer| property(layer))
    }

    /// The switch from the first layer that has it; off if none has.
    pub fn switch(&self, property: impl Fn(&'a Column) -> Option<bool>) -> bool {
        self.first(property).unwrap_or(false)
    }
}
