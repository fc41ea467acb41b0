//! Which tables a statement is about.

use custodia_access::{Denied, RowAccess};
use custodia_query::{Aggregation, Exists, Expand, Filter, Link, Order, Path, Query};
use custodia_schema::{PrivilegeKind, Schema, TableId};

use super::ReadPolicy;
use super::access::SHARES;
use super::aggregate::path_of;
use super::related::link_ends;
use super::walk::{each_test, expanded, paths_of};

/// The tables that a query's answer depends on, without repeats: the queried one, those linked to it or tested for, those that
/// steps lead to, the intersect it is related through, and those that the caller's access looks at. [`super::select()`] needs none of them to
/// exist. Tables that only lend a lookup its name are not listed, nor are those of collections within the rows.
///
/// # Errors
/// When the caller lacks the privilege on one of them, or on one that a collection within the rows needs: a question is
/// refused for what it names, whether there are rows or not.
pub fn tables_needed(schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<Vec<TableId>, Denied> {
    needed(schema, query, Named { tables: vec![query.table] }, policy)
}

/// The same for an aggregation.
///
/// # Errors
/// As [`tables_needed`].
pub fn tables_of_aggregation(
    schema: &Schema,
    aggregation: &Aggregation,
    policy: &dyn ReadPolicy,
) -> Result<Vec<TableId>, Denied> {
    let mut named = Named { tables: vec![aggregation.rows.table] };
    aggregation.groups.iter().for_each(|group| named.add_path(&group.path));
    aggregation.measures.iter().filter_map(path_of).for_each(|path| named.add_path(path));
    needed(schema, &aggregation.rows, named, policy)
}

fn needed(schema: &Schema, query: &Query, mut named: Named, policy: &dyn ReadPolicy) -> Result<Vec<TableId>, Denied> {
    named.add_links(&query.links);
    named.add_filter(&query.filter);
    named.add_order(&query.order);
    expanded(&query.expand).iter().flatten().for_each(|step| add(&mut named.tables, step.target));
    let mut needed = Vec::new();
    for id in named.tables {
        add(&mut needed, id);
        if let Some(table) = schema.table(id) {
            tables_of_access(schema, &policy.rows(table, PrivilegeKind::Read)?, &mut needed);
        }
    }
    if let Some(link) = query.related.as_ref().and_then(|related| link_ends(schema, related)) {
        add(&mut needed, link.intersect);
    }
    check_collections(schema, &query.expand, policy)?;
    Ok(needed)
}

fn check_collections(schema: &Schema, expands: &[Expand], policy: &dyn ReadPolicy) -> Result<(), Denied> {
    expands.iter().try_for_each(|expand| match expand {
        Expand::One { expand, .. } => check_collections(schema, expand, policy),
        Expand::Many { query, .. } => tables_needed(schema, query, policy).map(drop),
    })
}

/// The tables that a query names, without repeats.
struct Named {
    tables: Vec<TableId>,
}

impl Named {
    fn add_path(&mut self, path: &Path) {
        path.steps.iter().for_each(|step| add(&mut self.tables, step.target));
    }

    fn add_order(&mut self, order: &[Order]) {
        order.iter().for_each(|order| self.add_path(&order.path));
    }

    fn add_links(&mut self, links: &[Link]) {
        for link in links {
            add(&mut self.tables, link.table);
            self.add_filter(&link.filter);
            self.add_order(&link.order);
        }
    }

    fn add_filter(&mut self, filter: &Filter) {
        let mut visit = |test: &Filter| -> Result<(), std::convert::Infallible> {
            paths_of(test).for_each(|path| self.add_path(path));
            match test {
                Filter::Exists(exists) => self.add_exists(exists),
                Filter::Hierarchy { table, .. } => add(&mut self.tables, *table),
                _ => {}
            }
            Ok(())
        };
        let Ok(()) = each_test(filter, &mut visit);
    }

    fn add_exists(&mut self, exists: &Exists) {
        add(&mut self.tables, exists.table);
        self.add_links(&exists.links);
        self.add_filter(&exists.filter);
    }
}

/// Adds the tables that a test of a row looks at, besides the row's own.
pub fn tables_of_access(schema: &Schema, access: &RowAccess, needed: &mut Vec<TableId>) {
    match access {
        RowAccess::All | RowAccess::Telling(_) => {}
        RowAccess::Arms(arms) => {
            if let Some(shares) = schema.table_named(SHARES).filter(|_| arms.shared.is_some()) {
                add(needed, shares.id);
            }
        }
        RowAccess::Parent(parents) => {
            for parent in parents {
                let Some(access) = parent.access.as_deref() else { continue };
                add(needed, parent.table);
                tables_of_access(schema, access, needed);
            }
        }
        RowAccess::Every(all) => all.iter().for_each(|access| tables_of_access(schema, access, needed)),
    }
}

fn add(needed: &mut Vec<TableId>, table: TableId) {
    if !needed.contains(&table) {
        needed.push(table);
    }
}
