//! All tables and relationships of an organisation at one metadata version: an immutable snapshot.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use crate::standard::program;
use crate::{
    AuditSwitch, CardRules, Column, ColumnId, Guid, Level, ListIndex, ManyToMany, NamedPrivilege, OneToMany, Table,
    TableId, privilege_id,
};

/// The table in which every activity stands once more.
const ACTIVITIES: &str = "activitypointer";

/// Bits of a hash that a version of what is described leaves out.
const DESCRIBED_BITS_LEFT_OUT: u32 = 12;

/// An immutable snapshot of all tables and relationships. Cheap to clone behind an `Arc`.
#[derive(Clone, Debug, Default)]
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
    pub(crate) privileges: Vec<NamedPrivilege>,
    pub(crate) privilege_by_name: HashMap<String, usize>,
    pub(crate) privilege_by_id: HashMap<Guid, usize>,
    pub(crate) card_rules: Arc<CardRules>,
    described: Described,
}

/// What [`Schema::described_version`] came to. A copy is made to be changed, and works it out anew.
#[derive(Debug, Default)]
struct Described(OnceLock<i64>);

impl Clone for Described {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Schema {
    /// Puts checked parts together. `unbound` are the privileges that are not tied to rows.
    pub(crate) fn new(
        mut tables: Vec<Arc<Table>>,
        one_to_many: Vec<OneToMany>,
        many_to_many: Vec<ManyToMany>,
        unbound: Vec<String>,
    ) -> Self {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        let mut schema = Self { privileges: named_privileges(&tables, unbound), ..Self::default() };
        for (at, table) in tables.iter().enumerate() {
            schema.by_id.insert(table.id, at);
            schema.by_name.insert(table.name.clone(), at);
            if !table.set_name.is_empty() {
                schema.by_set.insert(table.set_name.clone(), at);
            }
        }
        for (at, relationship) in one_to_many.iter().enumerate() {
            schema.children.entry(relationship.referenced).or_default().push(at);
            schema.parents.entry(relationship.referencing).or_default().push(at);
        }
        for (at, link) in many_to_many.iter().enumerate() {
            schema.links.entry(link.first).or_default().push(at);
            if link.second != link.first {
                schema.links.entry(link.second).or_default().push(at);
            }
        }
        for (at, privilege) in schema.privileges.iter().enumerate() {
            schema.privilege_by_name.insert(privilege.name.clone(), at);
            schema.privilege_by_id.insert(privilege.id, at);
        }
        Self { tables, one_to_many, many_to_many, ..schema }
    }

    /// The same tables with column security on these columns as well: an organisation's layer over the standard tables.
    /// Columns that cannot be secured, and unknown ones, are passed over.
    #[must_use]
    pub fn with_secured(&self, secured: &[(TableId, ColumnId)]) -> Self {
        let mut layered = self.clone();
        for (table, column) in secured {
            let Some(table) = self.by_id.get(table).and_then(|&at| layered.tables.get_mut(at)) else { continue };
            let table = Arc::make_mut(table);
            if let Some(column) = table.columns.iter_mut().find(|found| found.id == *column && found.securable) {
                column.secured = true;
            }
        }
        layered
    }

    /// The same tables with the audit switch of these on as well: an organisation's layer over the standard tables.
    /// Unknown tables are passed over.
    #[must_use]
    pub fn with_audited(&self, audited: &[TableId]) -> Self {
        let mut layered = self.clone();
        for table in audited {
            if let Some(table) = self.by_id.get(table).and_then(|&at| layered.tables.get_mut(at)) {
                Arc::make_mut(table).audited = true;
            }
        }
        layered
    }

    /// The same tables with these rules for payment card numbers: an organisation's layer over the standard tables.
    #[must_use]
    pub fn with_card_rules(&self, rules: CardRules) -> Self {
        Self { card_rules: Arc::new(rules), ..self.clone() }
    }

    /// The same tables with these indexes as well: an organisation's layer over the standard tables. Those of tables or columns
    /// that there are not are passed over.
    #[must_use]
    pub fn with_own_indexes(&self, indexes: &[(TableId, Vec<ColumnId>)]) -> Self {
        let mut layered = self.clone();
        for (table, columns) in indexes {
            let Some(table) = self.by_id.get(table).and_then(|&at| layered.tables.get_mut(at)) else { continue };
            if !columns.is_empty() && columns.iter().all(|column| table.column_by_id(*column).is_some()) {
                Arc::make_mut(table).own_indexes.push(ListIndex { columns: columns.clone() });
            }
        }
        layered
    }

    /// The version of what is described: another number where the program's tables, the switches of audit and column security or
    /// the rules for card numbers are others, and the same wherever they are the same. It tells of no order.
    #[must_use]
    pub fn described_version(&self) -> i64 {
        *self.described.0.get_or_init(|| {
            let mut told = Vec::new();
            for table in &self.tables {
                told.extend_from_slice(&table.id.0.to_be_bytes());
                told.extend([table.audited, table.reads_audited, table.lists_audited].map(u8::from));
                told.extend(
                    table.columns().iter().map(|column| u8::from(column.secured) << 1 | u8::from(column.audited)),
                );
            }
            for rule in self.card_rules.all() {
                told.extend_from_slice(format!("{rule:?}").as_bytes());
            }
            let (high, _) = Guid::new_v5(&program(), &told).as_u64_pair();
            // Clients may keep it as a number of theirs: 2^53 is the largest that all of them hold exactly.
            i64::try_from(high >> DESCRIBED_BITS_LEFT_OUT).unwrap_or(0)
        })
    }

    /// What becomes of payment card numbers.
    #[must_use]
    pub fn card_rules(&self) -> &CardRules {
        &self.card_rules
    }

    /// The same tables with these switches of the audit as given: an organisation's layer over the standard tables.
    /// Unknown tables and columns are passed over.
    #[must_use]
    pub fn with_audit_switches(&self, switches: &[(AuditSwitch, bool)]) -> Self {
        let mut layered = self.clone();
        for (switch, on) in switches {
            let found = self.by_id.get(&switch.table()).and_then(|&at| layered.tables.get_mut(at));
            let Some(table) = found.map(Arc::make_mut) else { continue };
            match switch {
                AuditSwitch::Table(_) => table.audited = *on,
                AuditSwitch::Reads(_) => table.reads_audited = *on,
                AuditSwitch::Lists(_) => table.lists_audited = *on,
                AuditSwitch::Column(_, column) => {
                    if let Some(column) = table.columns.iter_mut().find(|found| found.id == *column) {
                        column.audited = *on;
                    }
                }
            }
        }
        layered
    }

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

    /// The logical names under which shares of a table's rows are kept. Ids are given by callers and may be the same in two
    /// tables, so a share is of a row of *its* table; only activities are one: each also stands in `activitypointer`, under
    /// the same id, and is shared as either.
    pub fn shared_as<'s>(&'s self, table: &'s Table) -> impl Iterator<Item = &'s str> {
        let is_one = |table: &Table| table.is_activity || table.name == ACTIVITIES;
        let activities = self.tables.iter().filter(move |other| is_one(table) && is_one(other) && other.id != table.id);
        std::iter::once(table.name.as_str()).chain(activities.map(|other| other.name.as_str()))
    }

    /// Which of its targets a lookup holds for a record of a table, if it may lead there: the table itself, or all activities
    /// where that is the one target and the table is one of them. An activity also stands in `activitypointer`, under the same id.
    #[must_use]
    pub fn target_for(&self, lookup: &Column, table: TableId) -> Option<TableId> {
        let targets = lookup.kind.targets();
        if targets.contains(&table) {
            return Some(table);
        }
        let is_activity = self.table(table).is_some_and(|table| table.is_activity);
        let pointer = self.table_named(ACTIVITIES).filter(|_| is_activity)?.id;
        (targets == [pointer]).then_some(pointer)
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

    /// All privileges, those on rows and those that are not tied to rows, in order of their names; each once, also when
    /// tables share it.
    #[must_use]
    pub fn privileges(&self) -> &[NamedPrivilege] {
        &self.privileges
    }

    /// The privilege of that id.
    #[must_use]
    pub fn privilege_of(&self, id: Guid) -> Option<&NamedPrivilege> {
        self.privilege_by_id.get(&id).and_then(|&at| self.privileges.get(at))
    }

    /// The privilege of that name.
    #[must_use]
    pub fn privilege_named(&self, name: &str) -> Option<&NamedPrivilege> {
        self.privilege_by_name.get(name).and_then(|&at| self.privileges.get(at))
    }
}

/// All privileges by name, from the tables in order of their names.
fn named_privileges(tables: &[Arc<Table>], unbound: Vec<String>) -> Vec<NamedPrivilege> {
    let mut named: BTreeMap<&str, NamedPrivilege> = BTreeMap::new();
    for table in tables {
        for privilege in &table.privileges {
            let entry = named.entry(&privilege.name).or_insert_with(|| NamedPrivilege {
                id: privilege_id(&privilege.name),
                name: privilege.name.clone(),
                kind: Some(privilege.kind),
                levels: privilege.levels.clone(),
                tables: Vec::new(),
            });
            entry.tables.push(table.id);
        }
    }
    let mut all: Vec<NamedPrivilege> = named.into_values().collect();
    all.extend(unbound.into_iter().map(|name| NamedPrivilege {
        id: privilege_id(&name),
        name,
        kind: None,
        levels: vec![Level::Global],
        tables: Vec::new(),
    }));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
