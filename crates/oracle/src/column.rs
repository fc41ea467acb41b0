//! Column security (security model 8).

use std::collections::BTreeSet;

use custodia_schema::Guid;

use crate::{GrantPath, Refusal, TeamKind, Verdict, World, WorldTable};

/// What is asked of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnRight {
    /// See its value.
    Read,
    /// Give it a value on create.
    Create,
    /// Change it.
    Update,
}

/// The columns that are secured in every world. In the standard tables they are not; [`crate::secured_standard`] switches
/// them on.
pub const SECURED_COLUMNS: [(WorldTable, &str); 4] = [
    (WorldTable::Account, "creditlimit"),
    (WorldTable::Contact, "address1_city"),
    (WorldTable::Contact, "jobtitle"),
    (WorldTable::Opportunity, "estimatedvalue"),
];

/// Columns of the worlds' tables that show the value of a secured one, with the column they show.
pub const DERIVED_COLUMNS: [(WorldTable, &str, &str); 3] = [
    (WorldTable::Account, "creditlimit_base", "creditlimit"),
    (WorldTable::Contact, "address1_composite", "address1_city"),
    (WorldTable::Opportunity, "estimatedvalue_base", "estimatedvalue"),
];

/// Whether a column is open to a user. Roles do not matter.
#[must_use]
pub fn column_open(world: &World, user: Guid, right: ColumnRight, table: WorldTable, column: &str) -> Verdict {
    // A derived column is read like what it shows. Callers never write it.
    let source = DERIVED_COLUMNS.iter().find(|(of, derived, _)| *of == table && *derived == column);
    if let (Some((_, _, source)), ColumnRight::Read) = (source, right) {
        let verdict = column_open(world, user, right, table, source);
        return if verdict.allowed { verdict } else { Verdict::refuse([Refusal::SourceColumnClosed]) };
    }
    if !SECURED_COLUMNS.contains(&(table, column)) {
        return Verdict::allow([GrantPath::ColumnOpen]);
    }
    let mut paths = Vec::new();
    for profile in &world.profiles {
        let opens = profile.permissions.iter().any(|permission| {
            permission.table == table
                && permission.column == column
                && match right {
                    ColumnRight::Read => permission.read,
                    ColumnRight::Create => permission.create,
                    ColumnRight::Update => permission.update,
                }
        });
        if opens && profile.users.contains(&user) {
            paths.push(GrantPath::ColumnOfUserProfile);
        }
        if opens && world.teams_of(user).any(|team| profile.teams.contains(&team.id)) {
            paths.push(GrantPath::ColumnOfTeamProfile);
        }
    }
    if paths.is_empty() { Verdict::refuse([Refusal::ColumnClosed]) } else { Verdict::allow(paths) }
}

/// The profiles by which a secured column is open to a user, their own and those of their teams.
#[must_use]
pub fn opening_profiles(
    world: &World,
    user: Guid,
    right: ColumnRight,
    table: WorldTable,
    column: &str,
) -> BTreeSet<Guid> {
    let mut opening = BTreeSet::new();
    for profile in &world.profiles {
        let is_had = profile.users.contains(&user) || world.teams_of(user).any(|team| profile.teams.contains(&team.id));
        for line in &profile.permissions {
            let opens = match right {
                ColumnRight::Read => line.read,
                ColumnRight::Create => line.create,
                ColumnRight::Update => line.update,
            };
            if is_had && opens && line.table == table && line.column == column {
                opening.insert(profile.id);
            }
        }
    }
    opening
}

/// With whom a column of a row was shared so that it is open to a user there: the user, and teams of theirs.
#[must_use]
pub fn sharers_of_column(world: &World, user: Guid, right: ColumnRight, row: Guid, column: &str) -> BTreeSet<Guid> {
    let mut with = BTreeSet::new();
    for share in &world.column_shares {
        let gives = match right {
            ColumnRight::Read => share.read,
            ColumnRight::Create => false,
            ColumnRight::Update => share.update,
        };
        let is_theirs = share.principal == user || world.teams_of(user).any(|team| team.id == share.principal);
        if gives && is_theirs && share.record == row && share.column == column {
            with.insert(share.principal);
        }
    }
    with
}

/// Whether a column of one row is open to a user: a profile opens it on every row, or it was shared on this one, with the
/// user or a team of whatever kind (security model 8.5). Whether the user reaches the row is another question.
#[must_use]
pub fn column_of_row_open(
    world: &World,
    user: Guid,
    right: ColumnRight,
    table: WorldTable,
    column: &str,
    row: Guid,
) -> Verdict {
    let source = DERIVED_COLUMNS.iter().find(|(of, derived, _)| *of == table && *derived == column);
    if let (Some((_, _, source)), ColumnRight::Read) = (source, right) {
        let verdict = column_of_row_open(world, user, right, table, source, row);
        return if verdict.allowed { verdict } else { Verdict::refuse([Refusal::SourceColumnClosed]) };
    }
    let everywhere = column_open(world, user, right, table, column);
    let mut paths: Vec<GrantPath> = everywhere.paths.iter().copied().collect();
    for share in &world.column_shares {
        let gives = match right {
            ColumnRight::Read => share.read,
            ColumnRight::Create => false,
            ColumnRight::Update => share.update,
        };
        if !gives || share.record != row || share.table != table || share.column != column {
            continue;
        }
        if share.principal == user {
            paths.push(GrantPath::ColumnSharedWithUser);
        }
        if let Some(team) = world.teams_of(user).find(|team| team.id == share.principal) {
            paths.push(match team.kind {
                TeamKind::Owner | TeamKind::Default => GrantPath::ColumnSharedWithTeam,
                TeamKind::Access => GrantPath::ColumnSharedWithAccessTeam,
            });
        }
    }
    if paths.is_empty() { everywhere } else { Verdict::allow(paths) }
}
