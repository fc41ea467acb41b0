//! Rows without security of their own: lines follow their parent row, intersect rows both their ends.

use custodia_schema::{ColumnId, ManyToMany, PrivilegeKind, RowSecurity, Schema, Table, TableId};

use crate::{Denied, ParentAccess, Rights, RowAccess};

/// How many parents are followed from a line upwards: an attachment hangs on an activity, no standard table needs two.
/// A limit, so that tables that name each other as parent cannot go round for ever.
const PARENT_STEPS_MAX: usize = 4;

/// What a right on a line asks of its parent row: Read is Read, everything that makes, changes or removes the line is
/// Write, and linking something to the line is linking it to the parent. A line cannot be assigned or shared.
pub(crate) fn followed_kind(kind: PrivilegeKind) -> Option<PrivilegeKind> {
    match kind {
        PrivilegeKind::Read => Some(PrivilegeKind::Read),
        PrivilegeKind::Create | PrivilegeKind::Write | PrivilegeKind::Delete | PrivilegeKind::Append => {
            Some(PrivilegeKind::Write)
        }
        PrivilegeKind::AppendTo => Some(PrivilegeKind::AppendTo),
        PrivilegeKind::Assign | PrivilegeKind::Share => None,
    }
}

/// What a right on an intersect row asks of both its ends: to see the link is to read both, to make or cut it is Append
/// on both. Links are not changed, assigned or shared.
pub(crate) fn linked_kind(kind: PrivilegeKind) -> Option<PrivilegeKind> {
    match kind {
        PrivilegeKind::Read => Some(PrivilegeKind::Read),
        PrivilegeKind::Create | PrivilegeKind::Delete => Some(PrivilegeKind::Append),
        PrivilegeKind::Write
        | PrivilegeKind::Append
        | PrivilegeKind::AppendTo
        | PrivilegeKind::Assign
        | PrivilegeKind::Share => None,
    }
}

/// Which rows of a line or intersect table are reached.
pub(crate) fn rows(rights: &Rights, table: &Table, kind: PrivilegeKind, steps: usize) -> Result<RowAccess, Denied> {
    rights.admitted()?;
    let not_applicable = || Denied::NotApplicable { table: table.name.clone(), right: kind };
    if steps >= PARENT_STEPS_MAX {
        return Err(not_applicable());
    }
    match &table.security {
        RowSecurity::Parent { lookups } => {
            let parent_kind = followed_kind(kind).ok_or_else(not_applicable)?;
            let targets: Vec<(ColumnId, TableId)> = lookups
                .iter()
                .filter_map(|&lookup| table.column_by_id(lookup))
                .flat_map(|column| column.kind.targets().iter().map(|&to| (column.id, to)))
                .collect();
            own_gate(rights, table, kind, &targets)?;
            parents(rights, targets, parent_kind, steps).unwrap_or_else(|| Err(not_applicable()))
        }
        RowSecurity::Intersect => {
            let end_kind = linked_kind(kind).ok_or_else(not_applicable)?;
            let ends = ends(rights.schema(), table);
            if ends.is_empty() {
                return Err(not_applicable());
            }
            let reached: Result<Vec<RowAccess>, Denied> = ends
                .into_iter()
                .map(|(column, to)| {
                    let targets = to.into_iter().map(|to| (column, to)).collect();
                    parents(rights, targets, end_kind, steps).unwrap_or_else(|| Err(not_applicable()))
                })
                .collect();
            Ok(RowAccess::every(reached?))
        }
        RowSecurity::Owned { .. } | RowSecurity::Unit { .. } | RowSecurity::Organization => Err(not_applicable()),
    }
}

/// The gate of a line table that has the privilege itself (`customeraddress`): it is needed besides the parent. A line
/// table that shares the privilege of its parent (`quotedetail` is protected by `prvDeleteQuote`) has no gate of its own:
/// there, removing a line is writing the parent, not deleting it.
fn own_gate(
    rights: &Rights,
    table: &Table,
    kind: PrivilegeKind,
    targets: &[(ColumnId, TableId)],
) -> Result<(), Denied> {
    let Some(own) = table.privilege(kind) else { return Ok(()) };
    let parents = targets.iter().filter_map(|&(_, to)| rights.schema().table(to));
    if parents.flat_map(|parent| &parent.privileges).any(|privilege| privilege.name == own.name) {
        return Ok(());
    }
    rights.gate(table, kind).map(|_| ())
}

/// What is reached through lookups to parents. An error when no parent table at all is open, with the first reason;
/// everything when every parent table is open entirely; `None` when there is no parent table.
fn parents(
    rights: &Rights,
    targets: Vec<(ColumnId, TableId)>,
    kind: PrivilegeKind,
    steps: usize,
) -> Option<Result<RowAccess, Denied>> {
    let mut first_reason = None;
    let mut entries: Vec<ParentAccess> = Vec::new();
    for (lookup, to) in targets {
        let Some(parent) = rights.schema().table(to) else { continue };
        let access = match rights.rows(parent, kind, steps + 1) {
            Ok(access) => Some(Box::new(access)),
            Err(reason) => {
                first_reason.get_or_insert(reason);
                None
            }
        };
        entries.push(ParentAccess { lookup, table: to, access });
    }
    if entries.is_empty() {
        return None;
    }
    if entries.iter().all(|entry| entry.access.as_deref() == Some(&RowAccess::All)) {
        return Some(Ok(RowAccess::All));
    }
    match first_reason {
        Some(reason) if entries.iter().all(|entry| entry.access.is_none()) => Some(Err(reason)),
        _ => Some(Ok(RowAccess::Parent(entries))),
    }
}

/// The columns of an intersect that hold its ends, each with the tables it may point at: several N:N relationships may
/// share one intersect (`listmember`).
fn ends(schema: &Schema, table: &Table) -> Vec<(ColumnId, Vec<TableId>)> {
    let mut ends: Vec<(ColumnId, Vec<TableId>)> = Vec::new();
    let mut add = |column: ColumnId, to: TableId| match ends.iter_mut().find(|(known, _)| *known == column) {
        Some((_, targets)) if targets.contains(&to) => {}
        Some((_, targets)) => targets.push(to),
        None => ends.push((column, vec![to])),
    };
    for link in schema.many_to_many().iter().filter(|link| link.intersect == table.id) {
        let ManyToMany { first, first_column, second, second_column, .. } = link;
        add(*first_column, *first);
        add(*second_column, *second);
    }
    ends
}
