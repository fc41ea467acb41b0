//! An organisation in which a test makes units, people, roles and records by hand, through the gate as its administrator.

use custodia_access::RightsMask;
use custodia_org::{Caller, Error, LinkRequest, Organization, Precondition, RoleChange, Rows, StoreError};
use custodia_schema::{Guid, Level, Value, privilege_id};

use crate::security::load::text;
use crate::world::World;

/// The hand-made organisation.
pub struct Scene {
    pub world: World,
    /// The root unit.
    pub root: Guid,
    pub admin: Caller,
}

/// How a new team or role differs from the ordinary one.
pub const OWNER_TEAM: i32 = 0;
pub const ACCESS_TEAM: i32 = 1;

impl Scene {
    pub fn of(world: World) -> Self {
        Self { root: world.seeded.unit, admin: world.admin(), world }
    }

    pub fn org(&self) -> &Organization {
        &self.world.org
    }

    // -- People -----------------------------------------------------------------------------------------------------

    pub async fn unit(&self, name: &str, parent: Guid) -> Guid {
        let parent = self.world.lookup("businessunit", parent);
        self.world.create(&self.admin, "businessunit", &[("name", text(name)), ("parentbusinessunitid", parent)]).await
    }

    pub async fn user(&self, name: &str, unit: Guid) -> Caller {
        self.world.user(name, unit, &[]).await
    }

    /// A role of a unit, with copies in all units below it.
    pub async fn role(&self, name: &str, unit: Guid, privileges: &[(&str, Level)]) -> Guid {
        self.role_of(name, unit, privileges, 1).await
    }

    /// The same, giving team privileges only.
    pub async fn team_only_role(&self, name: &str, unit: Guid, privileges: &[(&str, Level)]) -> Guid {
        self.role_of(name, unit, privileges, 0).await
    }

    async fn role_of(&self, name: &str, unit: Guid, privileges: &[(&str, Level)], isinherited: i32) -> Guid {
        let values = [
            ("name", text(name)),
            ("businessunitid", self.world.lookup("businessunit", unit)),
            ("isinherited", Value::Integer(isinherited)),
        ];
        let role = self.world.create(&self.admin, "role", &values).await;
        self.change_role(role, RoleChange::Add(named(privileges))).await;
        role
    }

    pub async fn change_role(&self, role: Guid, change: RoleChange) {
        self.org().change_role(&self.admin, role, change).await.unwrap();
    }

    /// The copy of a role in a unit.
    pub async fn copy(&self, role: Guid, unit: Guid) -> Guid {
        let equal = [("parentrootroleid", Value::Guid(role)), ("businessunitid", Value::Guid(unit))];
        let rows = self.world.select(&self.admin, "role", &["roleid"], &equal).await;
        rows[0][0].guid().unwrap()
    }

    async fn unit_of(&self, table: &str, id: Guid) -> Guid {
        let key = format!("{table}id");
        let rows = self.world.select(&self.admin, table, &["businessunitid"], &[(&key, Value::Guid(id))]).await;
        rows[0][0].guid().unwrap()
    }

    pub fn has_role(&self, user: &Caller, role: Guid) -> Link {
        Link {
            table: "systemuser",
            id: user.user,
            relationship: "systemuserroles_association",
            other: "role",
            to: role,
        }
    }

    /// Gives a user the copy of a role that belongs to the user's unit.
    pub async fn give(&self, user: &Caller, role: Guid) -> Link {
        let role = self.copy(role, self.unit_of("systemuser", user.user).await).await;
        self.link(self.has_role(user, role)).await
    }

    pub async fn team(&self, name: &str, unit: Guid, kind: i32) -> Guid {
        let unit = self.world.lookup("businessunit", unit);
        let values = [("name", text(name)), ("businessunitid", unit), ("teamtype", Value::Integer(kind))];
        self.world.create(&self.admin, "team", &values).await
    }

    pub async fn join(&self, team: Guid, user: &Caller) -> Link {
        self.link(Link {
            table: "team",
            id: team,
            relationship: "teammembership_association",
            other: "systemuser",
            to: user.user,
        })
        .await
    }

    pub async fn give_team(&self, team: Guid, role: Guid) -> Link {
        let to = self.copy(role, self.unit_of("team", team).await).await;
        self.link(Link { table: "team", id: team, relationship: "teamroles_association", other: "role", to }).await
    }

    /// A field security profile that lets its holders read, create and update one column.
    pub async fn profile(&self, name: &str, table: &str, column: &str, may: [bool; 3]) -> Guid {
        let profile = self.world.create(&self.admin, "fieldsecurityprofile", &[("name", text(name))]).await;
        let [read, create, update] = may.map(|may| Value::Integer(if may { 4 } else { 0 }));
        let values = [
            ("fieldsecurityprofileid", self.world.lookup("fieldsecurityprofile", profile)),
            ("entityname", text(table)),
            ("attributelogicalname", text(column)),
            ("canread", read),
            ("cancreate", create),
            ("canupdate", update),
        ];
        self.world.create(&self.admin, "fieldpermission", &values).await;
        profile
    }

    pub async fn give_profile(&self, user: &Caller, to: Guid) -> Link {
        let (table, id, other) = ("systemuser", user.user, "fieldsecurityprofile");
        self.link(Link { table, id, relationship: "systemuserprofiles_association", other, to }).await
    }

    pub async fn give_team_profile(&self, team: Guid, to: Guid) -> Result<(), Error> {
        let (table, id, other) = ("team", team, "fieldsecurityprofile");
        let link = Link { table, id, relationship: "teamprofiles_association", other, to };
        self.org().associate(&self.admin, link.request(&self.world)).await
    }

    pub async fn secure(&self, table: &str, column: &str) {
        let schema = self.org().schema();
        let table = schema.table_named(table).unwrap();
        self.org().secure_column(&self.admin, table.id, table.column(column).unwrap().id, true).await.unwrap();
    }

    /// Links, and gives the link back so that it can be taken away.
    pub async fn link(&self, link: Link) -> Link {
        self.org().associate(&self.admin, link.request(&self.world)).await.unwrap();
        link
    }

    pub async fn unlink(&self, link: &Link) {
        self.org().disassociate(&self.admin, link.request(&self.world)).await.unwrap();
    }

    pub async fn change(&self, table: &str, id: Guid, columns: &[(&str, Value)]) {
        self.try_change(&self.admin, table, id, columns).await.unwrap();
    }

    /// Puts a user under a manager.
    pub async fn under(&self, user: &Caller, manager: &Caller) {
        let manager = self.world.lookup("systemuser", manager.user);
        self.change("systemuser", user.user, &[("parentsystemuserid", manager)]).await;
    }

    /// Switches hierarchy security on, by managers or by positions.
    pub async fn switch_hierarchy(&self, by_positions: bool, depth: i32) {
        let switches = [
            ("ishierarchicalsecuritymodelenabled", Value::Boolean(true)),
            ("usepositionhierarchy", Value::Boolean(by_positions)),
            ("maxdepthforhierarchicalsecuritymodel", Value::Integer(depth)),
        ];
        self.change("organization", self.org().id(), &switches).await;
    }

    /// Sets one of the switches that stand in one text.
    pub async fn switch(&self, name: &str, value: bool) {
        let options = format!("<OrgSettings><{name}>{value}</{name}></OrgSettings>");
        self.change("organization", self.org().id(), &[("orgdborgsettings", text(&options))]).await;
    }

    // -- Records ----------------------------------------------------------------------------------------------------

    /// A record of this owner, made by the administrator.
    pub async fn record(&self, table: &str, owner: &Caller, columns: &[(&str, Value)]) -> Guid {
        let mut columns = columns.to_vec();
        columns.push(("ownerid", self.world.lookup("systemuser", owner.user)));
        self.world.create(&self.admin, table, &columns).await
    }

    pub async fn record_of_team(&self, table: &str, team: Guid, columns: &[(&str, Value)]) -> Guid {
        let mut columns = columns.to_vec();
        columns.push(("ownerid", self.world.lookup("team", team)));
        self.world.create(&self.admin, table, &columns).await
    }

    pub async fn account(&self, owner: &Caller, name: &str) -> Guid {
        self.record("account", owner, &[("name", text(name))]).await
    }

    /// An account of a user who may not even read the table: given while the user could.
    pub async fn account_of_blind(&self, owner: &Caller, name: &str) -> Guid {
        let role = self.role(&format!("While {name} is made"), self.root, &[("prvReadAccount", Level::Basic)]).await;
        let held = self.give(owner, role).await;
        let account = self.account(owner, name).await;
        self.unlink(&held).await;
        account
    }

    pub async fn contact(&self, owner: &Caller, name: &str, account: Guid) -> Guid {
        let parent = self.world.lookup("account", account);
        self.record("contact", owner, &[("lastname", text(name)), ("parentcustomerid", parent)]).await
    }

    pub async fn share(&self, table: &str, id: Guid, with: Guid, rights: u32) {
        let target = self.world.reference(table, id);
        self.org().grant_access(&self.admin, target, with, RightsMask(rights)).await.unwrap();
    }

    pub async fn owner_of(&self, table: &str, id: Guid) -> Guid {
        let key = format!("{table}id");
        let rows = self.world.select(&self.admin, table, &["ownerid"], &[(&key, Value::Guid(id))]).await;
        rows[0][0].guid().unwrap()
    }

    // -- What somebody can do -----------------------------------------------------------------------------------------

    /// Whether a record is in the user's list of its table. A list that is refused counts as one without it.
    pub async fn sees(&self, user: &Caller, table: &str, id: Guid) -> bool {
        self.sees_at(self.org(), user, table, id).await
    }

    /// The same, asked of one node of several.
    pub async fn sees_at(&self, org: &Organization, user: &Caller, table: &str, id: Guid) -> bool {
        let mut sink = Rows::default();
        match org.query(user, &self.world.query(table, &[], &[]), &mut sink).await {
            Ok(_) => sink.rows.iter().any(|row| row[0] == Value::Guid(id)),
            Err(Error::Denied(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Whether the whole list is refused, not only empty.
    pub async fn is_refused(&self, user: &Caller, table: &str) -> bool {
        matches!(self.world.try_select(user, table, &[], &[]).await, Err(Error::Denied(_)))
    }

    pub async fn try_change(
        &self,
        user: &Caller,
        table: &str,
        id: Guid,
        columns: &[(&str, Value)],
    ) -> Result<(), Error> {
        self.try_change_at(self.org(), user, table, id, columns).await
    }

    pub async fn try_change_at(
        &self,
        org: &Organization,
        user: &Caller,
        table: &str,
        id: Guid,
        columns: &[(&str, Value)],
    ) -> Result<(), Error> {
        let input = self.world.input(table, columns);
        org.update(user, self.world.reference(table, id), input, Precondition::None).await.map(|_| ())
    }

    pub async fn try_delete(&self, user: &Caller, table: &str, id: Guid) -> Result<(), Error> {
        self.org().delete(user, self.world.reference(table, id), Precondition::None).await
    }

    pub async fn try_create(&self, user: &Caller, table: &str, columns: &[(&str, Value)]) -> Result<Guid, Error> {
        self.org().create(user, self.world.input(table, columns)).await.map(|written| written.id)
    }
}

/// A link between two records of the security model.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub table: &'static str,
    pub id: Guid,
    pub relationship: &'static str,
    pub other: &'static str,
    pub to: Guid,
}

impl Link {
    fn request(&self, world: &World) -> LinkRequest {
        LinkRequest {
            record: world.reference(self.table, self.id),
            relationship: self.relationship.into(),
            other: world.reference(self.other, self.to),
        }
    }
}

/// Privileges by name as the gate takes them.
pub fn named(privileges: &[(&str, Level)]) -> Vec<(Guid, Level)> {
    privileges.iter().map(|(name, level)| (privilege_id(name), *level)).collect()
}

/// The code of a refusal; `None` when it was done.
///
/// # Panics
/// When something else than a refusal stood in the way.
pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<u32> {
    match result {
        Ok(_) => None,
        Err(Error::Denied(denied) | Error::Store(StoreError::Denied(denied))) => Some(denied.code()),
        Err(Error::Refused { code, .. }) => Some(code),
        Err(Error::Part { error, .. }) => code::<()>(Err(*error)),
        Err(error) => panic!("refused for another reason: {error}"),
    }
}

/// The caller lacks the privilege, or the right on the row.
pub const LACKS: Option<u32> = Some(0x8004_0220);
