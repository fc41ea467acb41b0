//! Which indexes a table has, said once: the table definition makes them, and reads ask whether one holds an order.
//!
//! A list index ends in id, owner and unit, so that the caller's access is tested on the index and rows are fetched
//! late (decision 0005.2). Lookups that deletes and cascades follow have an index of the rows that are set, which costs
//! nothing where they are not.

use std::collections::BTreeSet;

use custodia_schema::{
    AssignCascade, Column, ColumnId, DeleteCascade, ManyToMany, OneToMany, RowSecurity, Schema, Table,
};

use super::access::{
    INHERITED_MASK, SHARED_MASK, SHARED_OBJECT, SHARED_PRINCIPAL, SHARED_TABLE, SHARES, owner_column, unit_column,
};

/// Tables of few rows that every row of others points at: an index on such a lookup would cost each insert and find
/// nothing but the rare child of a currency about to be deleted.
const POINTED_AT_BY_ALL: &[&str] = &["transactioncurrency"];

/// An index over columns in the form in which they are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) columns: Vec<ColumnId>,
    pub(crate) unique: bool,
    /// Only rows in which the first column is set.
    pub(crate) only_set: bool,
}

impl Index {
    /// One that an organisation made for itself, over these columns and what every list index ends in.
    pub(crate) fn own(table: &Table, lead: &[ColumnId]) -> Self {
        Self { columns: with_tail(table, lead), unique: false, only_set: false }
    }
}

/// Those that the organisation made for itself.
pub(crate) fn own_indexes(table: &Table) -> impl Iterator<Item = Index> {
    table.own_indexes.iter().map(|index| Index::own(table, &index.columns))
}

/// All indexes that every organisation's table has, but its primary key.
pub(crate) fn indexes(schema: &Schema, table: &Table) -> Vec<Index> {
    let mut found: Vec<Index> = Vec::new();
    let mut add = |columns: Vec<ColumnId>, unique: bool, only_set: bool| {
        let stored = columns.iter().all(|id| column(table, *id).is_some());
        if stored && !columns.is_empty() && !found.iter().any(|index| index.columns == columns) {
            found.push(Index { columns, unique, only_set });
        }
    };
    for key in &table.keys {
        add(key.columns.clone(), true, false);
    }
    for (first, second) in link_ends(schema, table) {
        add(vec![first, second], true, false);
        add(vec![second, first], false, false);
    }
    if table.name == SHARES {
        let named = |names: &[&str]| names.iter().filter_map(|name| Some(table.column(name)?.id)).collect::<Vec<_>>();
        add(named(&[SHARED_OBJECT, SHARED_PRINCIPAL, SHARED_TABLE]), true, false);
        add(named(&[SHARED_PRINCIPAL, SHARED_TABLE, SHARED_OBJECT, SHARED_MASK, INHERITED_MASK]), false, false);
    }
    for lead in security_columns(table) {
        let mut columns = vec![lead];
        columns.extend(table.primary_name);
        columns.push(table.primary_id);
        add(columns, false, false);
    }
    for lead in list_leads(table) {
        add(with_tail(table, lead), false, false);
    }
    for lookup in followed_lookups(schema, table).collect::<BTreeSet<_>>() {
        add(vec![lookup, table.primary_id], false, true);
    }
    found
}

/// Whether an index holds the rows with these columns equal to something in the order of those: found by asking each
/// family of indexes, without building them.
pub(crate) fn holds(schema: &Schema, table: &Table, equal: &[ColumnId], order: &[ColumnId]) -> bool {
    let fits = |columns: &mut dyn Iterator<Item = ColumnId>| continues(columns, equal, order);
    let id = table.primary_id;
    if fits(&mut std::iter::once(id)) {
        return true;
    }
    if security_columns(table)
        .any(|lead| fits(&mut std::iter::once(lead).chain(table.primary_name).chain(std::iter::once(id))))
    {
        return true;
    }
    let own = table.own_indexes.iter().map(|index| index.columns.as_slice());
    if list_leads(table).chain(own).any(|lead| fits(&mut with_tail(table, lead).into_iter())) {
        return true;
    }
    let [single] = equal else { return false };
    order == [id] && followed_lookups(schema, table).any(|lookup| lookup == *single)
}

/// Whether an index over `columns` starts with the equal ones, in any order, and goes on with `order`.
fn continues(columns: &mut dyn Iterator<Item = ColumnId>, equal: &[ColumnId], order: &[ColumnId]) -> bool {
    let mut pinned = 0;
    let mut ordered = 0;
    for column in columns {
        if ordered == 0 && equal.contains(&column) {
            pinned += 1;
        } else if order.get(ordered) == Some(&column) {
            ordered += 1;
        } else {
            break;
        }
    }
    // With an equality the index does not start with, the engine may choose another index and sort the few rows left.
    ordered == order.len() && pinned == equal.len()
}

fn column(table: &Table, id: ColumnId) -> Option<&Column> {
    table.column_by_id(id).filter(|column| column.kind.is_stored())
}

fn security_columns(table: &Table) -> impl Iterator<Item = ColumnId> + '_ {
    owner_column(table).into_iter().chain(unit_column(table))
}

/// Leading columns of the list indexes: those of the table's file, and the primary name. Shares have indexes of their
/// own that begin with the same columns.
fn list_leads(table: &Table) -> impl Iterator<Item = &[ColumnId]> {
    let named = table.primary_name.as_slice();
    let listed = table.list_indexes.iter().map(|index| index.columns.as_slice());
    listed.chain((!named.is_empty()).then_some(named)).filter(|_| table.name != SHARES)
}

fn with_tail(table: &Table, lead: &[ColumnId]) -> Vec<ColumnId> {
    let mut columns = lead.to_vec();
    for id in std::iter::once(table.primary_id).chain(security_columns(table)) {
        if !columns.contains(&id) {
            columns.push(id);
        }
    }
    columns
}

/// Lookups of this table along which something is done to its rows when their parent changes or goes, where no other
/// index begins with them. A lookup with several targets comes several times.
fn followed_lookups<'s>(schema: &'s Schema, table: &'s Table) -> impl Iterator<Item = ColumnId> + 's {
    schema
        .parents_of(table.id)
        .filter(|relationship| is_followed(relationship) && !is_pointed_at_by_all(schema, relationship))
        .map(|relationship| relationship.referencing_column)
        .filter(|lookup| !security_columns(table).any(|column| column == *lookup))
        .filter(|lookup| !list_leads(table).any(|lead| lead.first() == Some(lookup)))
}

fn is_pointed_at_by_all(schema: &Schema, relationship: &OneToMany) -> bool {
    schema.table(relationship.referenced).is_some_and(|table| POINTED_AT_BY_ALL.contains(&table.name.as_str()))
}

fn is_followed(relationship: &OneToMany) -> bool {
    let cascade = &relationship.cascade;
    let assigns = [cascade.assign, cascade.share, cascade.unshare, cascade.reparent];
    assigns.iter().any(|rule| *rule != AssignCascade::None) || cascade.delete != DeleteCascade::None
}

/// The two ends of an intersect.
fn link_ends<'s>(schema: &'s Schema, table: &'s Table) -> impl Iterator<Item = (ColumnId, ColumnId)> + 's {
    let is_link = table.is_intersect && matches!(table.security, RowSecurity::Intersect);
    let ends = |link: &ManyToMany| (link.first_column, link.second_column);
    schema.many_to_many().iter().filter(move |link| is_link && link.intersect == table.id).map(ends)
}
