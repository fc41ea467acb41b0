//! Users with roles, for the tests.

use std::sync::Arc;

use custodia_access::{
    Authority, Facts, FieldPermission, OwnerFacts, OwnerKind, Reports, Rights, RoleGrant, RolePrivilege, TeamRole,
    UnitPath, Unmasking, UserFacts,
};
use custodia_schema::{ColumnId, Guid, Level, Schema, Table, standard};

/// A readable id.
pub const fn id(number: u128) -> Guid {
    Guid::from_u128(number)
}

/// The unit most test users sit in; [`EAST`] lies below it.
pub const HOME: Guid = id(0x10);
pub const EAST: Guid = id(0x11);
/// The user.
pub const ANNE: Guid = id(0x20);
pub const BOB: Guid = id(0x21);
pub const TEAM: Guid = id(0x30);

pub fn table(name: &str) -> Arc<Table> {
    Arc::clone(standard().table_named(name).unwrap_or_else(|| panic!("no table {name}")))
}

pub fn column(table: &Table, name: &str) -> ColumnId {
    table.column(name).unwrap_or_else(|| panic!("no column {name}")).id
}

/// A user to whom roles are given.
#[derive(Clone)]
pub struct Person {
    facts: Facts,
}

impl Person {
    pub fn new(user: Guid, unit: Guid) -> Self {
        let user = UserFacts { id: user, unit, disabled: false, is_team: false };
        let (roles, team_roles, field_permissions) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            facts: Facts {
                security_version: 7,
                user,
                roles,
                team_roles,
                few_owner_teams: None,
                reports: None,
                field_permissions,
                shared_columns: Vec::new(),
                masked_columns: Vec::new(),
                all_columns: false,
            },
        }
    }

    /// The team of the unit in the east, asked about by itself.
    pub fn team() -> Self {
        let mut team = Self::new(TEAM, EAST);
        team.facts.user.is_team = true;
        team
    }

    /// Anne of the home unit.
    pub fn anne() -> Self {
        Self::new(ANNE, HOME)
    }

    fn grant(base_unit: Guid, privileges: &[(&str, Level)]) -> RoleGrant {
        let privileges =
            privileges.iter().map(|(name, level)| RolePrivilege { name: (*name).to_owned(), level: *level }).collect();
        RoleGrant { root: id(0x40), base_unit, privileges }
    }

    /// A role of the user, measured from the user's unit.
    pub fn role(self, privileges: &[(&str, Level)]) -> Self {
        let unit = self.facts.user.unit;
        self.role_from(unit, privileges)
    }

    /// A role of the user, measured from another unit.
    pub fn role_from(mut self, unit: Guid, privileges: &[(&str, Level)]) -> Self {
        self.facts.roles.push(Self::grant(unit, privileges));
        self
    }

    /// A role of a team in a unit.
    pub fn team_role(mut self, team: Guid, unit: Guid, only: bool, privileges: &[(&str, Level)]) -> Self {
        let role = Self::grant(unit, privileges);
        self.facts.team_roles.push(TeamRole { team, role, team_privileges_only: only });
        self
    }

    /// A line of a field security profile, with what it allows: some of `r`, `c`, `u`.
    pub fn field(mut self, table: &Table, name: &str, allows: &str) -> Self {
        self.facts.field_permissions.push(FieldPermission {
            table: table.id,
            column: column(table, name),
            read: allows.contains('r'),
            create: allows.contains('c'),
            update: allows.contains('u'),
            unmasked: Unmasking::Nothing,
        });
        self
    }

    /// Above others.
    pub fn above(mut self, reports: Reports) -> Self {
        self.facts.reports = Some(reports);
        self
    }

    pub fn all_columns(mut self) -> Self {
        self.facts.all_columns = true;
        self
    }

    pub fn disabled(mut self) -> Self {
        self.facts.user.disabled = true;
        self
    }

    pub fn rights_in(&self, schema: &Arc<Schema>) -> Arc<Rights> {
        Arc::new(Rights::build(schema, &self.facts))
    }

    pub fn rights(&self) -> Arc<Rights> {
        self.rights_in(&standard())
    }

    pub fn authority(&self) -> Authority {
        Authority::user(self.rights())
    }

    /// As the owner of a row. The unit lies below the home unit, if it is not that.
    pub fn as_owner(&self, kind: OwnerKind, members: &[Guid]) -> OwnerFacts {
        let unit = unit_path(self.facts.user.unit);
        OwnerFacts { kind, unit, members: members.to_vec(), rights: self.rights() }
    }
}

pub fn unit_path(unit: Guid) -> UnitPath {
    UnitPath { unit, above: if unit == HOME { Vec::new() } else { vec![HOME] }, disabled: false }
}
