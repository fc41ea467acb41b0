//! Puts the worlds of the oracle into an organisation, row by row, without a check of anybody's rights: as plain rows
//! through the store, so that nothing of what is judged takes part. Each world's root unit hangs under the organisation's.

use std::sync::Arc;

use custodia_access::{Authority, Permit};
use custodia_oracle::{
    Permission, Protection, READ_AUDIT, READ_HISTORY, Record, SECURED_COLUMNS, TeamKind, Unmasked, World, WorldTable,
};
use custodia_schema::{
    ColumnId, ColumnKind, Decimal, Guid, Level, Money, PrivilegeKind, RowSecurity, Schema, Table, TableId, Value,
    column_description_id, privilege_id,
};

use crate::security::stage::Stage;

/// Privileges that every role of a world has besides its own. No world asks about them: making a record needs them for the
/// links that the platform or the question itself puts into it, and the comparison is about everything else.
const BESIDES: [&str; 2] = ["prvAppendToBusinessUnit", "prvAppendToTransactionCurrency"];

/// Something left out or done wrong while loading: as if the tables that rights are read from were not kept well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// Members of access teams are not entered.
    AccessTeamMembers,
    /// Members of owner teams are not entered.
    OwnerTeamMembers,
    /// Every unit hangs directly under the organisation's.
    FlatUnits,
    /// Shares are stored without their inherited part.
    InheritedBits,
    /// Shares are stored without their explicit part.
    ExplicitBits,
    /// Roles that give team privileges only are stored as giving the member's as well.
    TeamPrivilegesOnly,
    /// Copies of roles have privileges of their own: none.
    PrivilegesOfCopies,
    /// Rows sit in the organisation's unit.
    UnitOfRows,
    /// Nobody has a manager.
    ManagersForgotten,
    /// Nobody holds a position.
    PositionsForgotten,
    /// Columns that were shared with teams are not entered.
    ColumnSharesOfTeams,
    /// A column that was shared for changing is shared for reading too.
    ColumnSharesReadByUpdate,
    /// The column of another record of the table is shared.
    ColumnSharesOfAnotherRow,
    /// Another secured column of the record is shared.
    ColumnSharesOfAnotherColumn,
    /// Columns that were shared with users are not entered.
    ColumnSharesOfUsers,
    /// Users do not get their profiles.
    ProfilesOfUsers,
    /// Teams do not get their profiles.
    ProfilesOfTeams,
    /// A profile that lets a column be changed lets it be read.
    ProfilesReadByUpdate,
    /// A profile speaks of another secured column of the table.
    ProfilesOfAnotherColumn,
    /// Whoever reads a masked column reads it in clear.
    UnmaskedByRead,
    /// Nobody reads a masked column in clear.
    UnmaskedForgotten,
    /// What is shared with access teams, those of records among them, is not entered.
    SharesOfAccessTeams,
    /// What is shared with owner teams is not entered.
    SharesOfOwnerTeams,
    /// Rows sit in their owners' units.
    UnitOfOwners,
    /// Users hold the copies of their roles that are of their own unit.
    RolesOfOwnUnit,
    /// Nobody reads the audit.
    AuditForgotten,
    /// Whoever reads the audit reads histories of records.
    HistoryGiven,
    /// Everybody is managed by whom their manager is managed by.
    ManagersSkipped,
    /// No position is below another.
    PositionsFlat,
    /// Everybody holds the position below their own.
    PositionsShifted,
}

impl Slip {
    /// Those that concern every organisation, whether hierarchy security is on or not.
    pub const ALL: [Self; 23] = [
        Self::AccessTeamMembers,
        Self::OwnerTeamMembers,
        Self::FlatUnits,
        Self::InheritedBits,
        Self::ExplicitBits,
        Self::TeamPrivilegesOnly,
        Self::PrivilegesOfCopies,
        Self::UnitOfRows,
        Self::ColumnSharesOfTeams,
        Self::ColumnSharesReadByUpdate,
        Self::ColumnSharesOfAnotherRow,
        Self::ColumnSharesOfAnotherColumn,
        Self::ColumnSharesOfUsers,
        Self::ProfilesOfUsers,
        Self::ProfilesOfTeams,
        Self::ProfilesReadByUpdate,
        Self::ProfilesOfAnotherColumn,
        Self::UnmaskedByRead,
        Self::UnmaskedForgotten,
        Self::SharesOfAccessTeams,
        Self::SharesOfOwnerTeams,
        Self::UnitOfOwners,
        Self::RolesOfOwnUnit,
    ];

    /// Those that show only where managers count.
    pub const OF_MANAGERS: [Self; 2] = [Self::ManagersForgotten, Self::ManagersSkipped];

    /// Those that show only where positions count.
    pub const OF_POSITIONS: [Self; 3] = [Self::PositionsForgotten, Self::PositionsFlat, Self::PositionsShifted];
}

/// A row ready to be stored.
struct Row {
    table: Arc<Table>,
    id: Guid,
    values: Vec<(ColumnId, Value)>,
}

/// Collects the rows of one world.
struct Loading<'a> {
    schema: Arc<Schema>,
    world: &'a World,
    top: Guid,
    currency: Guid,
    slip: Option<Slip>,
    rows: Vec<Row>,
    /// Ids of rows that the worlds do not name.
    drawn: u64,
}

/// Stores a world. Its users can be asked as soon as this returns.
pub async fn load(stage: &Stage, world: &World, slip: Option<Slip>) {
    let mut loading = Loading {
        schema: stage.org.schema(),
        world,
        top: stage.seeded.unit,
        currency: stage.currency,
        slip,
        rows: Vec::new(),
        drawn: 0,
    };
    loading.people();
    loading.roles();
    loading.profiles();
    loading.records();
    let rows = Arc::new(loading.rows);
    stage
        .org
        .database()
        .write::<_, custodia_store::Error, _>(move |transaction| {
            let rows = Arc::clone(&rows);
            Box::pin(async move {
                let loader = Authority::platform("load a world");
                for row in rows.iter() {
                    let permit = Permit::platform(&loader, &row.table, PrivilegeKind::Create)?;
                    transaction.insert(permit, &row.table, row.id, row.values.clone())?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
}

impl Loading<'_> {
    fn put(&mut self, table: &str, id: Guid, values: &[(&str, Value)]) {
        let table = Arc::clone(self.schema.table_named(table).unwrap());
        let values = values
            .iter()
            .map(|(name, value)| {
                let column = table.column(name).unwrap_or_else(|| panic!("{}.{name}", table.name));
                let value = match (&column.kind, value) {
                    (ColumnKind::Lookup { targets, .. }, Value::Guid(id)) => Value::Lookup(targets[0], *id),
                    (_, value) => value.clone(),
                };
                (column.id, value)
            })
            .collect();
        self.rows.push(Row { table, id, values });
    }

    /// A row of a table whose ids nobody asks for.
    fn put_unnamed(&mut self, table: &str, values: &[(&str, Value)]) {
        self.drawn += 1;
        let id = Guid::new_v5(&self.world.units[0].id, &self.drawn.to_le_bytes());
        self.put(table, id, values);
    }

    fn code(&self, table: &str) -> TableId {
        self.schema.table_named(table).unwrap().id
    }

    fn people(&mut self) {
        let slip = self.slip;
        for unit in &self.world.units {
            let parent = unit.parent.filter(|_| slip != Some(Slip::FlatUnits)).unwrap_or(self.top);
            let values =
                [("name", text(&unit.name)), ("parentbusinessunitid", Value::Guid(parent)), ("isdisabled", no())];
            self.put("businessunit", unit.id, &values);
        }
        for position in &self.world.positions {
            let (state, status) = (Value::Integer(0), Value::Integer(1));
            let mut values = vec![("name", text(&position.name)), ("statecode", state), ("statuscode", status)];
            let parent = position.parent.filter(|_| slip != Some(Slip::PositionsFlat));
            values.extend(parent.map(|parent| ("parentpositionid", Value::Guid(parent))));
            self.put("position", position.id, &values);
        }
        for user in &self.world.users {
            let mut values = vec![
                ("lastname", text(&user.name)),
                ("fullname", text(&user.name)),
                ("domainname", text(&user.name)),
                ("businessunitid", Value::Guid(user.unit)),
                ("isdisabled", Value::Boolean(user.disabled)),
            ];
            let manager = match slip {
                Some(Slip::ManagersForgotten) => None,
                Some(Slip::ManagersSkipped) => user.manager.and_then(|above| self.world.user(above)?.manager),
                _ => user.manager,
            };
            values.extend(manager.map(|manager| ("parentsystemuserid", Value::Guid(manager))));
            let below = |held| self.world.positions.iter().find(|position| position.parent == Some(held));
            let position = match slip {
                Some(Slip::PositionsForgotten) => None,
                Some(Slip::PositionsShifted) => {
                    user.position.map(|held| below(held).map_or(held, |position| position.id))
                }
                _ => user.position,
            };
            values.extend(position.map(|position| ("positionid", Value::Guid(position))));
            self.put("systemuser", user.id, &values);
        }
        for team in &self.world.teams {
            let kind = i32::from(team.kind == TeamKind::Access);
            let values = [
                ("name", text(&team.name)),
                ("businessunitid", Value::Guid(team.unit)),
                ("teamtype", Value::Integer(kind)),
                ("isdefault", Value::Boolean(team.kind == TeamKind::Default)),
            ];
            self.put("team", team.id, &values);
            let forgotten = match team.kind {
                TeamKind::Access => slip == Some(Slip::AccessTeamMembers),
                TeamKind::Owner | TeamKind::Default => slip == Some(Slip::OwnerTeamMembers),
            };
            for member in team.members.iter().filter(|_| !forgotten) {
                let values = [("systemuserid", Value::Guid(*member)), ("teamid", Value::Guid(team.id))];
                self.put_unnamed("teammembership", &values);
            }
        }
    }

    fn roles(&mut self) {
        for role in &self.world.roles {
            let only = role.team_privileges_only && self.slip != Some(Slip::TeamPrivilegesOnly);
            let root = if self.slip == Some(Slip::PrivilegesOfCopies) { role.id } else { role.root };
            let mut values = vec![
                ("name", text(&role.name)),
                ("businessunitid", Value::Guid(role.unit)),
                ("parentrootroleid", Value::Guid(root)),
                ("isinherited", Value::Integer(i32::from(!only))),
            ];
            values.extend(role.parent.map(|parent| ("parentroleid", Value::Guid(parent))));
            self.put("role", role.id, &values);
            let besides = BESIDES.iter().map(|name| (*name, Level::Global));
            let slip = self.slip;
            let own = role.privileges.iter().map(|(name, level)| (name.as_str(), *level));
            let own = own.filter(|(name, _)| *name != READ_AUDIT || slip != Some(Slip::AuditForgotten));
            let reads = role.privileges.contains_key(READ_AUDIT) && !role.privileges.contains_key(READ_HISTORY);
            let given = (reads && slip == Some(Slip::HistoryGiven)).then_some((READ_HISTORY, Level::Global));
            let held: Vec<_> = own.chain(besides).chain(given).filter(|_| role.id == role.root).collect();
            for (name, level) in held {
                let mask = match level {
                    Level::Basic => 1,
                    Level::Local => 2,
                    Level::Deep => 4,
                    Level::Global => 8,
                };
                let values = [
                    ("roleid", Value::Guid(role.id)),
                    ("privilegeid", Value::Guid(privilege_id(name))),
                    ("privilegedepthmask", Value::Integer(mask)),
                ];
                self.put_unnamed("roleprivileges", &values);
            }
        }
        for (user, role) in &self.world.user_roles {
            let unit = self.world.user(*user).map(|user| user.unit);
            let held = self.world.role(*role).unwrap();
            let own = self.world.roles.iter().find(|copy| copy.root == held.root && Some(copy.unit) == unit);
            let role = own.filter(|_| self.slip == Some(Slip::RolesOfOwnUnit)).map_or(*role, |own| own.id);
            let values = [("systemuserid", Value::Guid(*user)), ("roleid", Value::Guid(role))];
            self.put_unnamed("systemuserroles", &values);
        }
        for (team, role) in &self.world.team_roles {
            self.put_unnamed("teamroles", &[("teamid", Value::Guid(*team)), ("roleid", Value::Guid(*role))]);
        }
    }

    fn profiles(&mut self) {
        let slip = self.slip;
        for profile in &self.world.profiles {
            self.put("fieldsecurityprofile", profile.id, &[("name", text(&profile.name))]);
            let may = |open: bool| Value::Integer(if open { 4 } else { 0 });
            for permission in &profile.permissions {
                let (column, reads, unmasked) = self.permission(permission);
                let values = [
                    ("fieldsecurityprofileid", Value::Guid(profile.id)),
                    ("entityname", text(permission.table.name())),
                    ("attributelogicalname", text(column)),
                    ("canreadunmasked", Value::Integer(unmasked)),
                    ("canread", may(reads)),
                    ("cancreate", may(permission.create)),
                    ("canupdate", may(permission.update)),
                ];
                self.put_unnamed("fieldpermission", &values);
            }
            for user in profile.users.iter().filter(|_| slip != Some(Slip::ProfilesOfUsers)) {
                let values =
                    [("systemuserid", Value::Guid(*user)), ("fieldsecurityprofileid", Value::Guid(profile.id))];
                self.put_unnamed("systemuserprofiles", &values);
            }
            for team in profile.teams.iter().filter(|_| slip != Some(Slip::ProfilesOfTeams)) {
                let values = [("teamid", Value::Guid(*team)), ("fieldsecurityprofileid", Value::Guid(profile.id))];
                self.put_unnamed("teamprofiles", &values);
            }
        }
    }

    /// Of which column a line of a profile speaks, whether that is read, and how far in clear.
    fn permission(&self, permission: &Permission) -> (&'static str, bool, i32) {
        let is_other =
            |(table, column): &&(WorldTable, &'static str)| *table == permission.table && *column != permission.column;
        let is_secured = SECURED_COLUMNS.contains(&(permission.table, permission.column));
        let other = SECURED_COLUMNS.iter().find(is_other).filter(|_| is_secured).map(|(_, column)| *column);
        let column = other.filter(|_| self.slip == Some(Slip::ProfilesOfAnotherColumn)).unwrap_or(permission.column);
        let reads = permission.read || permission.update && self.slip == Some(Slip::ProfilesReadByUpdate);
        let unmasked = match (self.slip, permission.unmasked) {
            (Some(Slip::UnmaskedForgotten), _) => 0,
            (Some(Slip::UnmaskedByRead), _) | (_, Unmasked::AllRecords) => 3,
            (_, Unmasked::OneRecord) => 1,
            (_, Unmasked::Nothing) => 0,
        };
        (column, reads, unmasked)
    }

    fn records(&mut self) {
        for record in &self.world.records {
            self.record(record);
        }
        for link in &self.world.links {
            let values =
                [("opportunityid", Value::Guid(link.opportunity)), ("competitorid", Value::Guid(link.competitor))];
            self.put("opportunitycompetitors", link.id, &values);
        }
        for share in &self.world.shares {
            let of = self.world.record(share.record).unwrap().table;
            let team = self.world.team(share.principal).map(|team| team.kind);
            let is_team = team.is_some();
            let (mut explicit, mut inherited) = (share.explicit, share.inherited);
            match self.slip {
                Some(Slip::SharesOfAccessTeams) if team == Some(TeamKind::Access) => continue,
                Some(Slip::SharesOfOwnerTeams) if is_team && team != Some(TeamKind::Access) => continue,
                Some(Slip::ExplicitBits) => explicit = 0,
                Some(Slip::InheritedBits) => inherited = 0,
                _ => {}
            }
            let values = [
                ("objectid", Value::Guid(share.record)),
                ("objecttypecode", text(of.name())),
                ("principalid", Value::Guid(share.principal)),
                ("principaltypecode", text(if is_team { "team" } else { "systemuser" })),
                ("accessrightsmask", Value::Integer(i32::try_from(explicit).unwrap())),
                ("inheritedaccessrightsmask", Value::Integer(i32::try_from(inherited).unwrap())),
            ];
            self.put_unnamed("principalobjectaccess", &values);
        }
        self.column_shares();
    }

    fn column_shares(&mut self) {
        let slip = self.slip;
        for share in &self.world.column_shares {
            let is_team = self.world.team(share.principal).is_some();
            let forgotten = if is_team { Slip::ColumnSharesOfTeams } else { Slip::ColumnSharesOfUsers };
            if slip == Some(forgotten) {
                continue;
            }
            let others = self.world.records.iter().filter(|record| record.table == share.table);
            let other = others.map(|record| record.id).find(|id| *id != share.record);
            let record = other.filter(|_| slip == Some(Slip::ColumnSharesOfAnotherRow)).unwrap_or(share.record);
            let of_table = SECURED_COLUMNS.iter().filter(|(table, _)| *table == share.table);
            let other = of_table.map(|(_, column)| *column).find(|column| *column != share.column);
            let column = other.filter(|_| slip == Some(Slip::ColumnSharesOfAnotherColumn)).unwrap_or(share.column);
            let read = share.read || share.update && slip == Some(Slip::ColumnSharesReadByUpdate);
            let table = Arc::clone(self.schema.table_named(share.table.name()).unwrap());
            let column = table.column(column).unwrap();
            let principal = Value::Lookup(self.code(if is_team { "team" } else { "systemuser" }), share.principal);
            let values = [
                ("objectid", Value::Lookup(table.id, record)),
                ("attributeid", Value::Guid(column_description_id(&table, column))),
                ("principalid", principal),
                ("readaccess", Value::Boolean(read)),
                ("updateaccess", Value::Boolean(share.update)),
            ];
            self.put_unnamed("principalobjectattributeaccess", &values);
        }
    }

    fn record(&mut self, record: &Record) {
        let table = Arc::clone(self.schema.table_named(record.table.name()).unwrap());
        let mut values = vec![(record.table.name_column().unwrap(), text(&record.name))];
        for column in table.columns() {
            match &column.kind {
                ColumnKind::State { .. } => values.push((&column.name, Value::Integer(0))),
                ColumnKind::Status { options } => {
                    let first = options.iter().find(|(_, state)| *state == 0).unwrap();
                    values.push((&column.name, Value::Integer(first.0.value)));
                }
                _ => {}
            }
        }
        match record.table {
            WorldTable::Product => values.push(("productnumber", text(&record.name))),
            WorldTable::Quote => values.push(("quotenumber", text(&record.name))),
            WorldTable::Contact => values.push(("fullname", text(&record.name))),
            _ => {}
        }
        if record.table.protection() == Protection::Owned {
            let (owner, unit) = (record.owner.unwrap(), record.unit.unwrap());
            let of_owner = self.world.user(owner).map(|user| user.unit);
            let of_owner = of_owner.or_else(|| self.world.team(owner).map(|team| team.unit));
            let unit = match self.slip {
                Some(Slip::UnitOfRows) => self.top,
                Some(Slip::UnitOfOwners) => of_owner.unwrap_or(unit),
                _ => unit,
            };
            let is_user = self.world.user(owner).is_some();
            let target = self.code(if is_user { "systemuser" } else { "team" });
            values.push(("ownerid", Value::Lookup(target, owner)));
            values.push(("owningbusinessunit", Value::Guid(unit)));
            values.push((if is_user { "owninguser" } else { "owningteam" }, Value::Guid(owner)));
            assert!(matches!(table.security, RowSecurity::Owned { .. }));
        }
        for lookup in &record.lookups {
            values.push((lookup.column, Value::Lookup(self.code(lookup.table.name()), lookup.id)));
        }
        for (column, value) in &record.values {
            values.extend(stored_value(column, *value));
            if is_money(column) {
                values.push(("transactioncurrencyid", Value::Guid(self.currency)));
                values.push(("exchangerate", Value::Decimal(Decimal::ONE)));
            }
        }
        for (column, stored) in &record.texts {
            values.push((column, text(stored)));
        }
        self.put(record.table.name(), record.id, &values);
        if record.table == WorldTable::Task {
            // Every activity has a row there with the same id.
            let shared = ["subject", "ownerid", "owningbusinessunit", "statecode", "statuscode", "regardingobjectid"];
            values.retain(|(name, _)| shared.contains(name));
            values.push(("activitytypecode", text("task")));
            self.put("activitypointer", record.id, &values);
        }
    }
}

/// Whether a secured column of the worlds holds money.
pub fn is_money(column: &str) -> bool {
    matches!(column, "creditlimit" | "estimatedvalue")
}

/// A secured column's number as it is stored, with the column derived from it.
fn stored_value(column: &'static str, value: i64) -> Vec<(&'static str, Value)> {
    let stored = column_value(column, value);
    let derived = match column {
        "creditlimit" => Some("creditlimit_base"),
        "estimatedvalue" => Some("estimatedvalue_base"),
        "address1_city" => Some("address1_composite"),
        _ => None,
    };
    std::iter::once((column, stored.clone())).chain(derived.map(|derived| (derived, stored))).collect()
}

/// A world's number as a value of its column.
pub fn column_value(column: &str, value: i64) -> Value {
    if is_money(column) { Value::Money(Money(value * 10_000)) } else { text(&format!("{column} {value}")) }
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn no() -> Value {
    Value::Boolean(false)
}
