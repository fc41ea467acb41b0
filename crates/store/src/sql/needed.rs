//! Which tables a statement is about.

use custodia_access::{Denied, RowAccess};
use custodia_query::{Expand, Filter, Path, Query, Step};
use custodia_schema::{PrivilegeKind, Schema, TableId};

use super::ReadPolicy;
use super::access::SHARES;
use super::related::link_ends;

/// The tables that a query's answer depends on, without repeats: the queried one, those its steps lead to, the intersect it is
/// related through, and those that the caller's access looks at. [`super::select()`] needs none of them to exist. Tables
/// that only lend a lookup its name are not listed.
///
/// # Errors
/// When the caller lacks the privilege on one of them.
pub fn tables_needed(schema: &Schema, query: &Query, policy: &dyn ReadPolicy) -> Result<Vec<TableId>, Denied> {
    let mut steps = Vec::new();
    steps_of(&query.filter, &mut steps);
    steps.extend(query.order.iter().flat_map(|order| &order.path.steps));
    steps.extend(query.expand.iter().filter_map(|expand| match expand {
        Expand::One { step, .. } => Some(step),
        Expand::Many { .. } => None,
    }));
    let mut needed = Vec::new();
    for id in std::iter::once(query.table).chain(steps.iter().map(|step: &&Step| step.target)) {
        add(&mut needed, id);
        if let Some(table) = schema.table(id) {
            tables_of_access(schema, &policy.rows(table, PrivilegeKind::Read)?, &mut needed);
        }
    }
    if let Some(link) = query.related.as_ref().and_then(|related| link_ends(schema, related)) {
        add(&mut needed, link.intersect);
    }
    Ok(needed)
}

/// Adds the tables that a test of a row looks at, besides the row's own.
pub fn tables_of_access(schema: &Schema, access: &RowAccess, needed: &mut Vec<TableId>) {
    match access {
        RowAccess::All => {}
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

fn steps_of<'f>(filter: &'f Filter, steps: &mut Vec<&'f Step>) {
    let mut add = |path: &'f Path| steps.extend(&path.steps);
    match filter {
        Filter::True | Filter::False => {}
        Filter::And(all) | Filter::Or(all) => all.iter().for_each(|filter| steps_of(filter, steps)),
        Filter::Not(inner) => steps_of(inner, steps),
        Filter::CompareColumns { left, right, .. } => {
            add(left);
            add(right);
        }
        Filter::Compare { path, .. }
        | Filter::IsNull(path)
        | Filter::In { path, .. }
        | Filter::ContainsAny { path, .. }
        | Filter::InPeriod { path, .. }
        | Filter::Hierarchy { path, .. }
        | Filter::Like { path, .. } => {
            add(path);
        }
        Filter::Exists(exists) => add(&exists.near),
    }
}
