//! Tables that follow from records and make authorisation fast: who is a member of what, which units lie below which, and,
//! while hierarchy security is on, who stands below whom. Kept in the same transaction; never logged, since replaying the records makes them again.

use custodia_schema::{ColumnId, Guid, Schema, Table, TableId, Value};

use crate::change_log::ChangeKind;
use crate::sql::internal::RECORD_CHAINS;
use crate::sql::{SHARED_TABLE, SHARES, Statement, internal};

/// Tables whose rows decide what users may do, and what they are shown: each change of one makes cached rights and settings
/// stale.
pub const SECURITY_TABLES: &[&str] = &[
    "attributemaskingrule",
    "businessunit",
    "fieldpermission",
    "fieldsecurityprofile",
    "maskingrule",
    "organization",
    "position",
    "principalobjectattributeaccess",
    "role",
    "roleprivileges",
    "systemuser",
    "systemuserprofiles",
    "systemuserroles",
    "team",
    "teammembership",
    "teamprofiles",
    "teamroles",
    "transactioncurrency",
    "usersettings",
];

/// Whether a change in this table makes cached rights stale.
pub(crate) fn is_security(table: &str) -> bool {
    SECURITY_TABLES.binary_search(&table).is_ok()
}

/// What follows from one row change, in order. `exists`: whether a record table has been made.
pub(crate) fn statements(
    table: &Table,
    kind: ChangeKind,
    row: Guid,
    values: &[(ColumnId, Value)],
    exists: impl Fn(&str) -> bool,
) -> Vec<Statement> {
    let mut all = of_members_and_units(table, kind, row, values);
    all.extend(of_chains(table, kind, row, values, exists));
    all
}

/// Who stands below whom. Without a row of the organisation nothing can be switched on.
fn of_chains(
    table: &Table,
    kind: ChangeKind,
    row: Guid,
    values: &[(ColumnId, Value)],
    exists: impl Fn(&str) -> bool,
) -> Vec<Statement> {
    let given = |name: &str| {
        let column = table.column(name)?.id;
        values.iter().find(|(id, _)| *id == column).map(|(_, value)| value)
    };
    if table.name == "organization" {
        let switches = kind == ChangeKind::Update && given("ishierarchicalsecuritymodelenabled").is_some();
        let chains = RECORD_CHAINS.iter().filter(|chain| switches && exists(chain.table));
        return chains.flat_map(internal::RecordChain::fill).collect();
    }
    let Some(chain) = RECORD_CHAINS.iter().find(|chain| chain.table == table.name) else { return Vec::new() };
    if !exists("organization") {
        return Vec::new();
    }
    match (kind, given(chain.parent)) {
        (ChangeKind::Insert, Some(parent)) => {
            parent.guid().map(|parent| chain.attach(row, parent)).into_iter().collect()
        }
        (ChangeKind::Update, Some(parent)) => {
            let attached = parent.guid().map(|parent| chain.attach(row, parent));
            std::iter::once(chain.detach(row)).chain(attached).collect()
        }
        (ChangeKind::Delete, _) => chain.remove(row),
        _ => Vec::new(),
    }
}

fn of_members_and_units(table: &Table, kind: ChangeKind, row: Guid, values: &[(ColumnId, Value)]) -> Vec<Statement> {
    let guid = |name: &str| {
        let column = table.column(name)?.id;
        values.iter().find(|(id, _)| *id == column).and_then(|(_, value)| value.guid())
    };
    match (table.name.as_str(), kind) {
        // A user is its own first principal, so that own, team and share are one look-up.
        ("systemuser", ChangeKind::Insert) => vec![internal::insert_member(row, row)],
        ("systemuser", ChangeKind::Delete) => vec![internal::delete_members_of(row)],
        ("teammembership", ChangeKind::Insert) => match (guid("systemuserid"), guid("teamid")) {
            (Some(user), Some(team)) => vec![internal::insert_member(user, team)],
            _ => Vec::new(),
        },
        ("teammembership", ChangeKind::Delete) => match (guid("systemuserid"), guid("teamid")) {
            (Some(user), Some(team)) => vec![internal::delete_member(user, team)],
            _ => Vec::new(),
        },
        ("businessunit", ChangeKind::Insert) => internal::insert_unit(row, guid("parentbusinessunitid")),
        ("businessunit", ChangeKind::Delete) => vec![internal::delete_unit(row)],
        ("businessunit", ChangeKind::Update) => match guid("parentbusinessunitid") {
            Some(parent) => internal::move_unit(row, parent),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The table whose rows a change of the shares is about; none for other changes, and where a share ends.
pub(crate) fn shared_table(
    schema: &Schema,
    table: &Table,
    kind: ChangeKind,
    values: &[(ColumnId, Value)],
) -> Option<TableId> {
    if table.name != SHARES || kind == ChangeKind::Delete {
        return None;
    }
    let named = table.column(SHARED_TABLE)?.id;
    match values.iter().find(|(column, _)| *column == named) {
        Some((_, Value::Text(name))) => schema.table_named(name).map(|table| table.id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_the_search() {
        assert!(SECURITY_TABLES.is_sorted());
        assert!(is_security("role") && !is_security("account"));
    }
}
