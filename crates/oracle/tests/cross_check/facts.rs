//! What the store would read about a user of a world, before the rights are computed.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_access::{
    Chain, FEW_TEAMS, Facts, FieldPermission, OwnerFacts, OwnerKind, Reports, Rights, RoleGrant, RolePrivilege,
    TeamRole, UnitPath, Unmasking, UserFacts,
};
use custodia_oracle::{ACT_ON_BEHALF, ColumnRight, ColumnShare, HierarchyModel, Profile, TeamKind, World};
use custodia_schema::{ColumnId, Guid, Level, Schema, TableId};

use crate::fault::Fault;

fn role_grant(world: &World, role: Guid, base_unit: Guid) -> RoleGrant {
    let role = world.role(role).unwrap();
    let root = world.role(role.root).unwrap();
    let privileges =
        root.privileges.iter().map(|(name, level)| RolePrivilege { name: name.clone(), level: *level }).collect();
    RoleGrant { root: root.id, base_unit, privileges }
}

pub fn of_user(world: &World, schema: &Schema, user: Guid, fault: Option<Fault>) -> Facts {
    let user = world.user(user).unwrap();
    let mut roles: Vec<RoleGrant> = world
        .user_roles
        .iter()
        .filter(|(holder, _)| *holder == user.id)
        .map(|(_, role)| {
            let across = world.ownership_across_units && fault != Some(Fault::OwnRolesFromUsersUnit);
            role_grant(world, *role, if across { world.role(*role).unwrap().unit } else { user.unit })
        })
        .collect();
    let mut team_roles = Vec::new();
    for team in world.teams_of(user.id) {
        for (_, role) in world.team_roles.iter().filter(|(holder, _)| *holder == team.id) {
            let base = if fault == Some(Fault::TeamRolesFromUsersUnit) { user.unit } else { team.unit };
            let only = world.role(*role).unwrap().team_privileges_only;
            team_roles.push(TeamRole {
                team: team.id,
                role: role_grant(world, *role, base),
                team_privileges_only: only && fault != Some(Fault::TeamOnlyIgnored),
            });
        }
    }
    if fault == Some(Fault::TeamRolesIgnored) {
        team_roles.clear();
    }
    if fault == Some(Fault::ActOnBehalfThroughTeam)
        && team_roles.iter().any(|held| held.role.privileges.iter().any(|p| p.name == ACT_ON_BEHALF))
    {
        let privileges = vec![RolePrivilege { name: ACT_ON_BEHALF.to_owned(), level: Level::Global }];
        roles.push(RoleGrant { root: user.id, base_unit: user.unit, privileges });
    }
    Facts {
        security_version: world.seed,
        user: UserFacts {
            id: user.id,
            unit: user.unit,
            disabled: user.disabled && fault != Some(Fault::DisabledIgnored),
            is_team: false,
        },
        roles,
        team_roles,
        few_owner_teams: few_owner_teams(world, user.id),
        reports: reports(world, user, fault),
        field_permissions: field_permissions(world, schema, user.id, fault),
        shared_columns: shared_columns(world, schema, user.id, fault),
        masked_columns: Vec::new(),
        all_columns: false,
    }
}

fn reports(world: &World, user: &custodia_oracle::User, fault: Option<Fault>) -> Option<Reports> {
    let hierarchy = world.hierarchy?;
    let chain = match hierarchy.model {
        HierarchyModel::Managers => {
            Chain::Managers { within: (fault != Some(Fault::ManagersFromAnywhere)).then_some(user.unit) }
        }
        HierarchyModel::Positions => Chain::Positions(user.position?),
    };
    let deeper = u32::from(fault == Some(Fault::HierarchyTooDeep));
    Some(Reports { chain, depth: hierarchy.depth + deeper })
}

fn few_owner_teams(world: &World, user: Guid) -> Option<Vec<Guid>> {
    let teams: Vec<Guid> =
        world.teams_of(user).filter(|team| team.kind != TeamKind::Access).map(|team| team.id).collect();
    (teams.len() <= FEW_TEAMS).then_some(teams)
}

fn field_permissions(world: &World, schema: &Schema, user: Guid, fault: Option<Fault>) -> Vec<FieldPermission> {
    let teams_count = fault != Some(Fault::ColumnProfilesOfTeamsIgnored);
    let held: Vec<&Profile> = world
        .profiles
        .iter()
        .filter(|profile| {
            let through_team = || world.teams_of(user).any(|team| profile.teams.contains(&team.id));
            profile.users.contains(&user) || (teams_count && through_team())
        })
        .collect();
    let mut permissions: Vec<FieldPermission> = held
        .iter()
        .flat_map(|profile| &profile.permissions)
        .map(|permission| {
            let table = schema.table_named(permission.table.name()).unwrap();
            FieldPermission {
                table: table.id,
                column: table.column(permission.column).unwrap().id,
                read: permission.read,
                create: permission.create,
                update: permission.update,
                unmasked: Unmasking::Nothing,
            }
        })
        .collect();
    if fault == Some(Fault::ColumnProfilesIntersected) && held.len() > 1 {
        for at in 0..permissions.len() {
            let (table, column) = (permissions[at].table, permissions[at].column);
            let all = |allows: fn(&FieldPermission) -> bool| {
                permissions.iter().filter(|p| p.table == table && p.column == column).all(allows)
            };
            let (read, create, update) = (all(|p| p.read), all(|p| p.create), all(|p| p.update));
            permissions[at] = FieldPermission { read, create, update, ..permissions[at].clone() };
        }
    }
    permissions
}

/// The columns of which a user, or a team of theirs, was given the reading of some row.
fn shared_columns(world: &World, schema: &Schema, user: Guid, fault: Option<Fault>) -> Vec<(TableId, ColumnId)> {
    let gives = |share: &&ColumnShare| column_share_counts(world, share, user, ColumnRight::Read, fault);
    let shares = world.column_shares.iter().filter(gives);
    shares
        .map(|share| {
            let table = schema.table_named(share.table.name()).unwrap();
            (table.id, table.column(share.column).unwrap().id)
        })
        .collect()
}

/// Whether a share gives a user that right, on its row.
pub fn column_share_counts(
    world: &World,
    share: &ColumnShare,
    user: Guid,
    right: ColumnRight,
    fault: Option<Fault>,
) -> bool {
    let gives = match (right, fault) {
        (_, Some(Fault::ColumnSharesIgnored)) | (ColumnRight::Create, _) => false,
        (ColumnRight::Read, Some(Fault::ColumnSharesReadByUpdate)) => share.read || share.update,
        (ColumnRight::Update, Some(Fault::ColumnSharesUpdateByRead)) => share.read || share.update,
        (ColumnRight::Read, _) => share.read,
        (ColumnRight::Update, _) => share.update,
    };
    let through_team = || world.teams_of(user).any(|team| team.id == share.principal);
    gives && (share.principal == user || fault != Some(Fault::ColumnSharesOfTeamsIgnored) && through_team())
}

pub fn unit_path(world: &World, unit: Guid) -> UnitPath {
    let above =
        world.units.iter().map(|other| other.id).filter(|other| *other != unit && world.is_within(unit, *other));
    UnitPath { unit, above: above.collect(), disabled: false }
}

/// Everybody who might own a row.
pub fn owners(world: &World, schema: &Arc<Schema>, users: &HashMap<Guid, Arc<Rights>>) -> Vec<OwnerFacts> {
    let users = world.users.iter().map(|user| OwnerFacts {
        kind: OwnerKind::User,
        unit: unit_path(world, user.unit),
        members: Vec::new(),
        rights: Arc::clone(&users[&user.id]),
    });
    let teams = world.teams.iter().map(|team| {
        let roles = world.team_roles.iter().filter(|(holder, _)| *holder == team.id);
        let facts = Facts {
            security_version: world.seed,
            user: UserFacts { id: team.id, unit: team.unit, disabled: false, is_team: true },
            roles: roles.map(|(_, role)| role_grant(world, *role, team.unit)).collect(),
            team_roles: Vec::new(),
            few_owner_teams: None,
            reports: None,
            field_permissions: Vec::new(),
            shared_columns: Vec::new(),
            masked_columns: Vec::new(),
            all_columns: true,
        };
        OwnerFacts {
            kind: if team.kind == TeamKind::Access { OwnerKind::AccessTeam } else { OwnerKind::Team },
            unit: unit_path(world, team.unit),
            members: team.members.clone(),
            rights: Arc::new(Rights::build(schema, &facts)),
        }
    });
    users.chain(teams).collect()
}
