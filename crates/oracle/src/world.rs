//! A world: one organisation's people, roles and rows, as plain data that is easy to load.

use std::collections::BTreeMap;

use custodia_schema::{Guid, Level, PrivilegeKind};

use crate::Hierarchy;

/// A business unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// `businessunitid`.
    pub id: Guid,
    /// `name`, unique over all worlds.
    pub name: String,
    /// `parentbusinessunitid`; `None` for the world's root, which is the first unit.
    pub parent: Option<Guid>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `systemuserid`.
    pub id: Guid,
    /// `lastname` and `domainname`, unique over all worlds.
    pub name: String,
    /// `businessunitid`.
    pub unit: Guid,
    /// `isdisabled`.
    pub disabled: bool,
    /// `parentsystemuserid`.
    pub manager: Option<Guid>,
    /// `positionid`.
    pub position: Option<Guid>,
}

/// A position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// `positionid`.
    pub id: Guid,
    /// `name`, unique over all worlds.
    pub name: String,
    /// `parentpositionid`.
    pub parent: Option<Guid>,
}

/// Kinds of teams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamKind {
    /// An owner team (0) made by hand.
    Owner,
    /// The owner team (0) that every unit has, holding exactly the unit's users (`isdefault`).
    Default,
    /// An access team (1).
    Access,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// `teamid`.
    pub id: Guid,
    /// `name`, unique over all worlds.
    pub name: String,
    /// `businessunitid`.
    pub unit: Guid,
    /// What kind.
    pub kind: TeamKind,
    /// Its members (`teammembership`).
    pub members: Vec<Guid>,
}

/// A role, or the inherited copy of one in a unit below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `roleid`.
    pub id: Guid,
    /// `name`, the same for all copies.
    pub name: String,
    /// `businessunitid`.
    pub unit: Guid,
    /// `parentrootroleid`: the topmost role; its own id if it is that.
    pub root: Guid,
    /// `parentroleid`: the copy in the unit above; `None` for the topmost.
    pub parent: Option<Guid>,
    /// `isinherited` 0: team privileges only. The same for all copies.
    pub team_privileges_only: bool,
    /// Privileges by name. Only the topmost role has them; all copies share them.
    pub privileges: BTreeMap<String, Level>,
}

/// The tables a world has rows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorldTable {
    /// User-owned; parent of contacts, opportunities, quotes, tasks and accounts.
    Account,
    /// User-owned.
    Contact,
    /// User-owned; parent of tasks and quotes.
    Opportunity,
    /// User-owned; follows its customer, but not its opportunity, when that is shared.
    Quote,
    /// User-owned; shares its privileges with all activities.
    Task,
    /// The organisation's.
    Product,
    /// The organisation's.
    Competitor,
    /// A line of a quote.
    QuoteLine,
    /// The intersect between opportunities and competitors.
    OpportunityCompetitor,
    /// The users themselves: by unit, with the user's own row.
    User,
}

/// How rows of a table are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// By owner, unit and shares.
    Owned,
    /// By unit.
    Unit,
    /// All or nothing.
    Organization,
    /// As the parent row.
    Line,
    /// As both ends.
    Link,
}

impl WorldTable {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::Contact,
        Self::Opportunity,
        Self::Quote,
        Self::Task,
        Self::Product,
        Self::Competitor,
        Self::QuoteLine,
        Self::OpportunityCompetitor,
        Self::User,
    ];

    /// Logical name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Contact => "contact",
            Self::Opportunity => "opportunity",
            Self::Quote => "quote",
            Self::Task => "task",
            Self::Product => "product",
            Self::Competitor => "competitor",
            Self::QuoteLine => "quotedetail",
            Self::OpportunityCompetitor => "opportunitycompetitors",
            Self::User => "systemuser",
        }
    }

    /// The column that shows a row's name.
    #[must_use]
    pub fn name_column(self) -> Option<&'static str> {
        match self {
            Self::Account | Self::Opportunity | Self::Quote | Self::Product | Self::Competitor => Some("name"),
            Self::Contact | Self::User => Some("lastname"),
            Self::Task => Some("subject"),
            Self::QuoteLine => Some("productdescription"),
            Self::OpportunityCompetitor => None,
        }
    }

    /// How its rows are protected.
    #[must_use]
    pub fn protection(self) -> Protection {
        match self {
            Self::Account | Self::Contact | Self::Opportunity | Self::Quote | Self::Task => Protection::Owned,
            Self::Product | Self::Competitor => Protection::Organization,
            Self::QuoteLine => Protection::Line,
            Self::OpportunityCompetitor => Protection::Link,
            Self::User => Protection::Unit,
        }
    }

    /// The word in its privileges' names; `None` for tables without privileges of their own.
    #[must_use]
    pub fn privilege_token(self) -> Option<&'static str> {
        match self {
            Self::Account => Some("Account"),
            Self::Contact => Some("Contact"),
            Self::Opportunity => Some("Opportunity"),
            Self::Quote => Some("Quote"),
            Self::Task => Some("Activity"),
            Self::Product => Some("Product"),
            Self::Competitor => Some("Competitor"),
            Self::User => Some("User"),
            Self::QuoteLine | Self::OpportunityCompetitor => None,
        }
    }

    /// The table's own privilege of that kind, if there is one.
    #[must_use]
    pub fn privilege(self, kind: PrivilegeKind) -> Option<String> {
        let owned = self.protection() == Protection::Owned;
        if !owned && matches!(kind, PrivilegeKind::Assign | PrivilegeKind::Share) {
            return None;
        }
        Some(format!("prv{}{}", kind.word(), self.privilege_token()?))
    }

    /// The levels its privileges may take.
    #[must_use]
    pub fn levels(self) -> &'static [Level] {
        match self.protection() {
            Protection::Owned => &[Level::Basic, Level::Local, Level::Deep, Level::Global],
            Protection::Unit => &[Level::Local, Level::Deep, Level::Global],
            Protection::Organization => &[Level::Global],
            Protection::Line | Protection::Link => &[],
        }
    }
}

/// A link from a row to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The lookup column.
    pub column: &'static str,
    /// The table it points at.
    pub table: WorldTable,
    /// The row.
    pub id: Guid,
}

/// A row of one of the business tables. Users and links stand elsewhere in the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Primary id.
    pub id: Guid,
    /// Its table.
    pub table: WorldTable,
    /// Its name ([`WorldTable::name_column`]), unique over all worlds.
    pub name: String,
    /// `ownerid`, a user or a team: on owned tables. Lines are owned by their parent's owner (read-only, not set here).
    pub owner: Option<Guid>,
    /// `owningbusinessunit`: on owned tables. Another unit than the owner's only where
    /// [`World::ownership_across_units`] is on.
    pub unit: Option<Guid>,
    /// Its links.
    pub lookups: Vec<Lookup>,
    /// Values of secured columns: money in whole units, or a number to be written as text.
    pub values: Vec<(&'static str, i64)>,
    /// Values of masked columns ([`crate::MASKED_COLUMNS`]).
    pub texts: Vec<(&'static str, String)>,
}

/// An N:N link between an opportunity and a competitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The intersect row's id.
    pub id: Guid,
    /// `opportunityid`.
    pub opportunity: Guid,
    /// `competitorid`.
    pub competitor: Guid,
}

/// A row of `principalobjectaccess`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The shared row.
    pub record: Guid,
    /// The receiver, a user or a team.
    pub principal: Guid,
    /// `accessrightsmask`.
    pub explicit: u32,
    /// `inheritedaccessrightsmask`, without the mark of inheritance. In a generated world it is what the parents give
    /// ([`crate::inherited_shares`]).
    pub inherited: u32,
}

/// A row of `principalobjectattributeaccess`: one column of one row, shared with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnShare {
    /// The row.
    pub record: Guid,
    /// Its table.
    pub table: WorldTable,
    /// The secured column, which `attributeid` stands for.
    pub column: &'static str,
    /// The receiver, a user or a team.
    pub principal: Guid,
    /// `readaccess`.
    pub read: bool,
    /// `updateaccess`.
    pub update: bool,
}

/// Of how many rows a profile shows masked columns in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmasked {
    /// Of none (`canreadunmasked` 0).
    Nothing,
    /// Of one that is asked for alone (1).
    OneRecord,
    /// Of all (3).
    AllRecords,
}

/// One line of a field security profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// `entityname`.
    pub table: WorldTable,
    /// `attributelogicalname`.
    pub column: &'static str,
    /// `canread`.
    pub read: bool,
    /// `cancreate`.
    pub create: bool,
    /// `canupdate`.
    pub update: bool,
    /// `canreadunmasked`.
    pub unmasked: Unmasked,
}

/// A field security profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `fieldsecurityprofileid`.
    pub id: Guid,
    /// `name`, unique over all worlds.
    pub name: String,
    /// Its lines, at most one per column.
    pub permissions: Vec<Permission>,
    /// Users that have it.
    pub users: Vec<Guid>,
    /// Teams that have it; never access teams.
    pub teams: Vec<Guid>,
}

/// One organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// What it was generated from.
    pub seed: u64,
    /// The organisation setting `EnableOwnershipAcrossBusinessUnits`: users may hold roles of other units, measured
    /// from there, and rows may sit in other units than their owners.
    pub ownership_across_units: bool,
    /// Hierarchy security, where it is switched on.
    pub hierarchy: Option<Hierarchy>,
    /// Positions; parents come before children. None where hierarchy security is off.
    pub positions: Vec<Position>,
    /// Units; the first is the root, parents come before children.
    pub units: Vec<Unit>,
    /// Users; managers come before those they manage.
    pub users: Vec<User>,
    /// Teams, the units' own ones included.
    pub teams: Vec<Team>,
    /// Roles and their copies; parents come before copies.
    pub roles: Vec<Role>,
    /// `systemuserroles`: user, role.
    pub user_roles: Vec<(Guid, Guid)>,
    /// `teamroles`: team, role of the team's unit. Never access teams.
    pub team_roles: Vec<(Guid, Guid)>,
    /// Field security profiles.
    pub profiles: Vec<Profile>,
    /// Rows; parents come before children. To be loaded without a check of the owners' rights.
    pub records: Vec<Record>,
    /// N:N links.
    pub links: Vec<Link>,
    /// Shares, at most one per row and principal, never with the row's owner.
    pub shares: Vec<Share>,
    /// `principalobjectattributeaccess`, each record, column and principal at most once.
    pub column_shares: Vec<ColumnShare>,
}

/// What of any row counts for its security.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowView {
    /// The row.
    pub id: Guid,
    /// Its table.
    pub table: WorldTable,
    /// Owner.
    pub owner: Option<Guid>,
    /// Unit.
    pub unit: Option<Guid>,
    /// A line's parent row; both ends of a link.
    pub follows: Vec<Guid>,
}

impl World {
    /// The unit of that id.
    #[must_use]
    pub fn unit(&self, id: Guid) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.id == id)
    }

    /// The user of that id.
    #[must_use]
    pub fn user(&self, id: Guid) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The team of that id.
    #[must_use]
    pub fn team(&self, id: Guid) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    /// The role of that id.
    #[must_use]
    pub fn role(&self, id: Guid) -> Option<&Role> {
        self.roles.iter().find(|role| role.id == id)
    }

    /// The record of that id.
    #[must_use]
    pub fn record(&self, id: Guid) -> Option<&Record> {
        self.records.iter().find(|record| record.id == id)
    }

    /// Whether `unit` is `top` or lies below it.
    #[must_use]
    pub fn is_within(&self, unit: Guid, top: Guid) -> bool {
        unit == top || self.unit(unit).and_then(|unit| unit.parent).is_some_and(|parent| self.is_within(parent, top))
    }

    /// The teams a user is in, of every kind.
    pub fn teams_of(&self, user: Guid) -> impl Iterator<Item = &Team> {
        self.teams.iter().filter(move |team| team.members.contains(&user))
    }

    /// All rows of all tables, as far as their security goes.
    #[must_use]
    pub fn rows(&self) -> Vec<RowView> {
        let records = self.records.iter().map(RowView::of_record);
        records.chain(self.links.iter().map(RowView::of_link)).chain(self.users.iter().map(RowView::of_user)).collect()
    }

    /// One row of any table, as far as its security goes.
    #[must_use]
    pub fn row(&self, id: Guid) -> Option<RowView> {
        let record = self.records.iter().find(|record| record.id == id).map(RowView::of_record);
        let link = || self.links.iter().find(|link| link.id == id).map(RowView::of_link);
        record.or_else(link).or_else(|| self.user(id).map(RowView::of_user))
    }
}

impl RowView {
    fn of_record(record: &Record) -> Self {
        let follows = match record.table.protection() {
            Protection::Line => record.lookups.iter().map(|lookup| lookup.id).collect(),
            _ => Vec::new(),
        };
        Self { id: record.id, table: record.table, owner: record.owner, unit: record.unit, follows }
    }

    fn of_link(link: &Link) -> Self {
        let follows = vec![link.opportunity, link.competitor];
        Self { id: link.id, table: WorldTable::OpportunityCompetitor, owner: None, unit: None, follows }
    }

    fn of_user(user: &User) -> Self {
        Self { id: user.id, table: WorldTable::User, owner: None, unit: Some(user.unit), follows: Vec::new() }
    }
}
