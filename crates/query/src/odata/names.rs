//! What the names of the protocol stand for: properties and navigations of a table. Names are case-sensitive.

use std::borrow::Cow;

use custodia_schema::{Column, ColumnId, ColumnKind, Guid, RelationshipId, Schema, Table, TableId};

use crate::{Related, Step};

/// The name of a column's property: `_primarycontactid_value` for a lookup and for the id of a record of any table, the
/// logical name for all others.
#[must_use]
pub fn property_name(column: &Column) -> Cow<'_, str> {
    if matches!(column.kind, ColumnKind::Lookup { .. }) || column.typed_by.is_some() {
        Cow::Owned(format!("_{}_value", column.name))
    } else {
        Cow::Borrowed(&column.name)
    }
}

/// The name that the ids of users and teams share, as owners.
pub const OWNER_ID: &str = "ownerid";

/// The id of a user or team by the name it has as an owner.
#[must_use]
pub fn owner_id<'s>(table: &'s Table, name: &str) -> Option<&'s Column> {
    if name == OWNER_ID && table.is_principal() { table.column_by_id(table.primary_id) } else { None }
}

/// The readable column behind a property name; `None` when there is none. The logical name of a lookup is none, that of the
/// id of a record of any table is.
///
/// The column may be one that is not stored (a file, a picture).
#[must_use]
pub fn property<'s>(table: &'s Table, name: &str) -> Option<&'s Column> {
    let lookup = name.strip_prefix('_').and_then(|rest| rest.strip_suffix("_value"));
    let column = match lookup {
        Some(logical) => table
            .column(logical)
            .filter(|column| matches!(column.kind, ColumnKind::Lookup { .. }) || column.typed_by.is_some()),
        None => table
            .column(name)
            .filter(|column| !matches!(column.kind, ColumnKind::Lookup { .. }))
            .or_else(|| owner_id(table, name)),
    };
    column.filter(|column| column.readable && !matches!(column.kind, ColumnKind::PartyList))
}

/// A navigation to at most one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleNavigation {
    /// Its name.
    pub name: String,
    /// The lookup column behind it.
    pub lookup: ColumnId,
    /// The tables it may lead to: one, but for an owner, who is a user or a team.
    pub targets: Vec<TableId>,
}

impl SingleNavigation {
    /// The step to its table, where only the row there tells whether there is one: a lookup that points into the list of all
    /// activities does not say of which type one is.
    #[must_use]
    pub fn step_of_type(&self, table: &Table) -> Option<Step> {
        let lookup = table.column_by_id(self.lookup)?;
        match self.targets.as_slice() {
            [target] if !lookup.kind.targets().contains(target) => Some(Step { lookup: lookup.id, target: *target }),
            _ => None,
        }
    }
}

/// What ties the rows of a collection to the row they are navigated from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// They hold it in a lookup.
    Lookup {
        /// The lookup column of the far side.
        lookup: ColumnId,
    },
    /// An N:N relationship links them.
    Link {
        /// Position in [`Schema::many_to_many`].
        relationship: RelationshipId,
        /// Whether the far side is the relationship's second side.
        far_is_second: bool,
    },
}

/// A navigation to any number of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionNavigation {
    /// Its name.
    pub name: String,
    /// The table of the rows on the far side.
    pub table: TableId,
    /// What ties them.
    pub tie: Tie,
}

impl CollectionNavigation {
    /// The restriction of a query of the far side to the rows of one row.
    #[must_use]
    pub fn of(&self, parent_table: TableId, parent: Guid) -> Related {
        match self.tie {
            Tie::Lookup { lookup } => Related::ByLookup { lookup, parent, parent_table },
            Tie::Link { relationship, far_is_second } => {
                Related::ByLink { relationship, queried_is_second: far_is_second, parent }
            }
        }
    }
}

/// A navigation property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Navigation {
    /// To at most one row.
    Single(SingleNavigation),
    /// To any number of rows.
    Collection(CollectionNavigation),
}

/// The navigation of that name on rows of `table`.
#[must_use]
pub fn navigation(schema: &Schema, table: &Table, name: &str) -> Option<Navigation> {
    let mut single: Option<SingleNavigation> = None;
    for parent in schema.parents_of(table.id).filter(|parent| parent.lookup_navigation == name) {
        single
            .get_or_insert_with(|| SingleNavigation {
                name: name.to_owned(),
                lookup: parent.referencing_column,
                targets: Vec::new(),
            })
            .targets
            .push(parent.referenced);
    }
    if let Some(single) = single {
        return Some(Navigation::Single(single));
    }
    let collection =
        |table, tie| Some(Navigation::Collection(CollectionNavigation { name: name.to_owned(), table, tie }));
    if let Some(child) = schema.children_of(table.id).find(|child| child.collection_navigation == name) {
        return collection(child.referencing, Tie::Lookup { lookup: child.referencing_column });
    }
    for (position, link) in schema.many_to_many().iter().enumerate() {
        let relationship = RelationshipId(u32::try_from(position).ok()?);
        if link.first == table.id && link.first_navigation == name {
            return collection(link.second, Tie::Link { relationship, far_is_second: true });
        }
        if link.second == table.id && link.second_navigation == name {
            return collection(link.first, Tie::Link { relationship, far_is_second: false });
        }
    }
    None
}

/// The name of the navigation that makes a step, `None` when the schema has no such relationship.
pub(super) fn step_name(schema: &Schema, table: TableId, step: Step) -> Option<&str> {
    schema
        .parents_of(table)
        .find(|parent| parent.referencing_column == step.lookup && parent.referenced == step.target)
        .map(|parent| parent.lookup_navigation.as_str())
}
