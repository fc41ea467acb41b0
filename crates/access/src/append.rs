//! Linking one row to another: which rights setting a lookup asks for.

use custodia_schema::{PrivilegeKind, RowSecurity, Table};

/// The right on a row that setting one of its lookups asks for: Append, or Write where the table has privileges but no
/// Append (`userquery`, `systemform`), since nobody could hold it.
#[must_use]
pub fn append_kind(table: &Table) -> PrivilegeKind {
    kind_or(table, PrivilegeKind::Append, PrivilegeKind::Write)
}

/// The right on a row that pointing a lookup at it asks for: AppendTo, or Read where the table has privileges but no
/// AppendTo (`savedquery`), since nobody could hold it.
#[must_use]
pub fn append_to_kind(table: &Table) -> PrivilegeKind {
    kind_or(table, PrivilegeKind::AppendTo, PrivilegeKind::Read)
}

fn kind_or(table: &Table, kind: PrivilegeKind, substitute: PrivilegeKind) -> PrivilegeKind {
    let has_own_security = !matches!(table.security, RowSecurity::Parent { .. } | RowSecurity::Intersect);
    if has_own_security && table.privilege(kind).is_none() { substitute } else { kind }
}
