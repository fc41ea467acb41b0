//! Puts the worlds of the oracle into an organisation, row by row, without a check of anybody's rights: as plain rows
//! through the store, so that nothing of what is judged takes part. Each world's root unit hangs under the organisation's.

use std::sync::Arc;

use custodia_access::{Authority, Permit};
use custodia_oracle::{Protection, Record, SECURED_COLUMNS, TeamKind, World, WorldTable};
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
}

impl Slip {
    /// Those that concern every organisation, whether hierarchy security is on or not.
    pub const ALL: [Self; 12] = [
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
    ];
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
            values.extend(position.parent.map(|parent| ("parentpositionid", Value::Guid(parent))));
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
            let manager = user.manager.filter(|_| slip != Some(Slip::ManagersForgotten));
            values.extend(manager.map(|manager| ("parentsystemuserid", Value::Guid(manager))));
            let position = user.position.filter(|_| slip != Some(Slip::PositionsForgotten));
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
            let own = role.privileges.iter().map(|(name, level)| (name.as_str(), *level));
            let held: Vec<_> = own.chain(besides).filter(|_| role.id == role.root).collect();
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
            let values = [("systemuserid", Value::Guid(*user)), ("roleid", Value::Guid(*role))];
            self.put_unnamed("systemuserroles", &values);
        }
        for (team, role) in &self.world.team_roles {
            self.put_unnamed("teamroles", &[("teamid", Value::Guid(*team)), ("roleid", Value::Guid(*role))]);
        }
    }

    fn profiles(&mut self) {
        for profile in &self.world.profiles {
            self.put("fieldsecurityprofile", profile.id, &[("name", text(&profile.name))]);
            let may = |open: bool| Value::Integer(if open { 4 } else { 0 });
            for permission in &profile.permissions {
                let values = [
                    ("fieldsecurityprofileid", Value::Guid(profile.id)),
                    ("entityname", text(permission.table.name())),
                    ("attributelogicalname", text(permission.column)),
                    ("canread", may(permission.read)),
                    ("cancreate", may(permission.create)),
                    ("canupdate", may(permission.update)),
                ];
                self.put_unnamed("fieldpermission", &values);
            }
            for user in &profile.users {
                let values =
                    [("systemuserid", Value::Guid(*user)), ("fieldsecurityprofileid", Value::Guid(profile.id))];
                self.put_unnamed("systemuserprofiles", &values);
            }
            for team in &profile.teams {
                let values = [("teamid", Value::Guid(*team)), ("fieldsecurityprofileid", Value::Guid(profile.id))];
                self.put_unnamed("teamprofiles", &values);
            }
        }
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
            let is_team = self.world.team(share.principal).is_some();
            let (mut explicit, mut inherited) = (share.explicit, share.inherited);
            match self.slip {
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
            if is_team && slip == Some(Slip::ColumnSharesOfTeams) {
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
            let unit = if self.slip == Some(Slip::UnitOfRows) { self.top } else { unit };
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
