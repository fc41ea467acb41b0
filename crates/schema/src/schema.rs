//! All tables and relationships of an organisation at one metadata version: an immutable snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{ManyToMany, OneToMany, Table, TableId};

/// An immutable snapshot of all tables and relationships. Cheap to clone behind an `Arc`.
#[derive(Debug, Default)]
pub struct Schema {
    pub(crate) tables: Vec<Arc<Table>>,
    pub(crate) by_id: HashMap<TableId, usize>,
    pub(crate) by_name: HashMap<String, usize>,
    pub(crate) by_set: HashMap<String, usize>,
    pub(crate) one_to_many: Vec<OneToMany>,
    pub(crate) many_to_many: Vec<ManyToMany>,
    /// Relationships by parent table.
    pub(crate) children: HashMap<TableId, Vec<usize>>,
    /// Relationships by child table.
    pub(crate) parents: HashMap<TableId, Vec<usize>>,
    pub(crate) links: HashMap<TableId, Vec<usize>>,
}

impl Schema {
    /// All tables, in order of their logical names.
    #[must_use]
    pub fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// The table of that number.
    #[must_use]
    pub fn table(&self, id: TableId) -> Option<&Arc<Table>> {
        self.by_id.get(&id).and_then(|&at| self.tables.get(at))
    }

    /// The table of that logical name.
    #[must_use]
    pub fn table_named(&self, name: &str) -> Option<&Arc<Table>> {
        self.by_name.get(name).and_then(|&at| self.tables.get(at))
    }

    /// The table whose URL set has that name.
    #[must_use]
    pub fn table_of_set(&self, set: &str) -> Option<&Arc<Table>> {
        self.by_set.get(set).and_then(|&at| self.tables.get(at))
    }

    /// Relationships in which `table` is the parent.
    pub fn children_of(&self, table: TableId) -> impl Iterator<Item = &OneToMany> {
        self.children.get(&table).into_iter().flatten().filter_map(|&at| self.one_to_many.get(at))
    }

    /// Relationships in which `table` is the child.
    pub fn parents_of(&self, table: TableId) -> impl Iterator<Item = &OneToMany> {
        self.parents.get(&table).into_iter().flatten().filter_map(|&at| self.one_to_many.get(at))
    }

    /// N:N relationships in which `table` is one of the ends.
    pub fn links_of(&self, table: TableId) -> impl Iterator<Item = &ManyToMany> {
        self.links.get(&table).into_iter().flatten().filter_map(|&at| self.many_to_many.get(at))
    }

    /// All 1:N relationships.
    #[must_use]
    pub fn one_to_many(&self) -> &[OneToMany] {
        &self.one_to_many
    }

    /// All N:N relationships.
    #[must_use]
    pub fn many_to_many(&self) -> &[ManyToMany] {
        &self.many_to_many
    }
}
