//! Worlds from seeds.

use std::collections::BTreeMap;

use custodia_schema::{Guid, Level, PrivilegeKind};

use crate::grant::ACT_ON_BEHALF;
use crate::inherit::inherited_shares;
use crate::random::Random;
use crate::row::right_bit;
use crate::{
    ColumnShare, Hierarchy, HierarchyModel, Link, Lookup, MASKED_COLUMNS, Permission, Position, Profile, Protection,
    READ_AUDIT, READ_HISTORY, Record, Role, SECURED_COLUMNS, Share, Team, TeamKind, Unit, Unmasked, User, World,
    WorldTable,
};

impl World {
    /// The world of that seed, with the hierarchy that the seed chooses.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self::generate(seed, Hierarchy::of_seed(seed))
    }

    /// The world of that seed. The weights below are chosen so that each way to be allowed, also as the only one, and each
    /// reason to be refused, turns up in every few worlds: a user holds few roles, a role few privileges, and rows are
    /// owned and shared widely.
    #[must_use]
    pub fn generate(seed: u64, hierarchy: Option<Hierarchy>) -> Self {
        let mut maker = Maker {
            random: Random::new(seed),
            world: Self {
                seed,
                ownership_across_units: false,
                hierarchy,
                positions: Vec::new(),
                units: Vec::new(),
                users: Vec::new(),
                teams: Vec::new(),
                roles: Vec::new(),
                user_roles: Vec::new(),
                team_roles: Vec::new(),
                profiles: Vec::new(),
                records: Vec::new(),
                links: Vec::new(),
                shares: Vec::new(),
                column_shares: Vec::new(),
            },
        };
        maker.world.ownership_across_units = maker.random.percent(30);
        maker.units();
        maker.users();
        maker.teams();
        maker.roles();
        maker.assign_roles();
        maker.profiles();
        maker.records();
        maker.shares();
        if hierarchy.is_some() {
            maker.positions();
            maker.superiors();
        }
        maker.column_shares();
        // What came later draws from a source of its own, so that seeds go on naming the worlds that they named.
        maker.random = Random::new(seed ^ 0x6d61_736b_7320_6f66);
        maker.masks();
        maker.auditors();
        if hierarchy.is_some_and(|hierarchy| hierarchy.model == HierarchyModel::Managers) {
            maker.lines_of_managers();
        }
        maker.world
    }
}

struct Maker {
    random: Random,
    world: World,
}

impl Maker {
    fn name(&self, what: &str, number: usize) -> String {
        format!("World {} {what} {number}", self.world.seed)
    }

    fn units(&mut self) {
        let count = self.random.between(3, 6);
        for number in 0..count {
            // Half of the units hang under the one made last, so that the tree grows deep as well as wide.
            let parent = match self.world.units.last() {
                Some(last) if self.random.percent(50) => Some(last.id),
                _ => self.random.pick(&self.world.units).map(|unit| unit.id),
            };
            let unit = Unit { id: self.random.guid(), name: self.name("unit", number), parent };
            self.world.units.push(unit);
        }
    }

    fn any_unit(&mut self) -> Guid {
        self.random.pick(&self.world.units).map(|unit| unit.id).unwrap_or_default()
    }

    fn any_user(&mut self) -> Guid {
        self.random.pick(&self.world.users).map(|user| user.id).unwrap_or_default()
    }

    fn users(&mut self) {
        for number in 0..self.random.between(4, 6) {
            let user = User {
                id: self.random.guid(),
                name: self.name("user", number),
                unit: self.any_unit(),
                disabled: self.random.percent(4),
                manager: None,
                position: None,
            };
            self.world.users.push(user);
        }
    }

    fn positions(&mut self) {
        for number in 0..self.random.between(3, 5) {
            // Mostly under the one made last: chains are longer than what hierarchy security reaches down.
            let parent = match self.world.positions.last() {
                Some(last) if self.random.percent(75) => Some(last.id),
                _ => self.random.pick(&self.world.positions).map(|position| position.id),
            };
            let position = Position { id: self.random.guid(), name: self.name("position", number), parent };
            self.world.positions.push(position);
        }
    }

    /// Who manages whom, and who holds which position.
    fn superiors(&mut self) {
        for at in 0..self.world.users.len() {
            let before: Vec<Guid> = self.world.users.iter().take(at).map(|user| user.id).collect();
            let manager = match before.last() {
                Some(last) if self.random.percent(55) => Some(*last),
                _ if self.random.percent(60) => self.random.pick(&before).copied(),
                _ => None,
            };
            let held = self.random.percent(85);
            let position = self.random.pick(&self.world.positions).map(|position| position.id).filter(|_| held);
            if let Some(user) = self.world.users.get_mut(at) {
                (user.manager, user.position) = (manager, position);
            }
        }
    }

    fn teams(&mut self) {
        for (number, unit) in self.world.units.clone().into_iter().enumerate() {
            let members = self.world.users.iter().filter(|user| user.unit == unit.id).map(|user| user.id).collect();
            let name = self.name("unit team", number);
            self.world.teams.push(Team {
                id: self.random.guid(),
                name,
                unit: unit.id,
                kind: TeamKind::Default,
                members,
            });
        }
        for (kind, what, count) in
            [(TeamKind::Owner, "team", self.random.between(2, 3)), (TeamKind::Access, "access team", 2)]
        {
            for number in 0..count {
                let mut members: Vec<Guid> = (0..self.random.between(1, 3)).map(|_| self.any_user()).collect();
                members.sort_unstable();
                members.dedup();
                let team = Team {
                    id: self.random.guid(),
                    name: self.name(what, number),
                    unit: self.any_unit(),
                    kind,
                    members,
                };
                self.world.teams.push(team);
            }
        }
    }

    fn roles(&mut self) {
        for number in 0..self.random.between(3, 5) {
            let top = if self.random.percent(70) {
                self.world.units.first().map(|unit| unit.id).unwrap_or_default()
            } else {
                self.any_unit()
            };
            let name = self.name("role", number);
            let team_privileges_only = self.random.percent(45);
            let privileges = self.privileges();
            let root = self.random.guid();
            let first_of_this_role = self.world.roles.len();
            // Units come parents first, so the copy above is there when the one below asks for it.
            for unit in self.world.units.clone() {
                if !self.world.is_within(unit.id, top) {
                    continue;
                }
                let is_root = unit.id == top;
                let above =
                    self.world.roles.iter().skip(first_of_this_role).find(|role| Some(role.unit) == unit.parent);
                let parent = above.map(|role| role.id);
                let role = Role {
                    id: if is_root { root } else { self.random.guid() },
                    name: name.clone(),
                    unit: unit.id,
                    root,
                    parent,
                    team_privileges_only,
                    privileges: if is_root { privileges.clone() } else { BTreeMap::new() },
                };
                self.world.roles.push(role);
            }
        }
    }

    fn privileges(&mut self) -> BTreeMap<String, Level> {
        let mut privileges = BTreeMap::new();
        for table in WorldTable::ALL {
            // A role is often silent about a table, and otherwise mostly has one level there.
            if self.random.percent(25) {
                continue;
            }
            let usual = self.level(table);
            for kind in PrivilegeKind::ALL {
                let Some(name) = table.privilege(kind) else { continue };
                let level = if self.random.percent(60) { usual } else { self.level(table) };
                if let Some(level) = level {
                    privileges.insert(name, level);
                }
            }
        }
        if self.random.percent(45) {
            privileges.insert(ACT_ON_BEHALF.to_owned(), Level::Global);
        }
        privileges
    }

    fn level(&mut self, table: WorldTable) -> Option<Level> {
        let levels: &[(usize, Option<Level>)] = match table.protection() {
            Protection::Owned => &[
                (22, None),
                (34, Some(Level::Basic)),
                (18, Some(Level::Local)),
                (19, Some(Level::Deep)),
                (7, Some(Level::Global)),
            ],
            Protection::Unit => {
                &[(25, None), (35, Some(Level::Local)), (30, Some(Level::Deep)), (10, Some(Level::Global))]
            }
            Protection::Organization => &[(45, None), (55, Some(Level::Global))],
            Protection::Line | Protection::Link => return None,
        };
        self.random.weighted(levels).flatten()
    }

    fn assign_roles(&mut self) {
        for user in self.world.users.clone() {
            let count = self.random.weighted(&[(30, 0), (50, 1), (20, 2)]).unwrap_or(0);
            for _ in 0..count {
                let across = self.world.ownership_across_units && self.random.percent(60);
                if let Some(role) = self.any_role(|role| across || role.unit == user.unit)
                    && !self.world.user_roles.contains(&(user.id, role))
                {
                    self.world.user_roles.push((user.id, role));
                }
            }
        }
        for team in self.world.teams.clone() {
            let count = match team.kind {
                TeamKind::Owner => self.random.between(0, 2),
                TeamKind::Default => usize::from(self.random.percent(20)),
                TeamKind::Access => 0,
            };
            for _ in 0..count {
                if let Some(role) = self.any_role(|role| role.unit == team.unit)
                    && !self.world.team_roles.contains(&(team.id, role))
                {
                    self.world.team_roles.push((team.id, role));
                }
            }
        }
    }

    fn any_role(&mut self, fits: impl Fn(&Role) -> bool) -> Option<Guid> {
        let fitting: Vec<Guid> = self.world.roles.iter().filter(|role| fits(role)).map(|role| role.id).collect();
        self.random.pick(&fitting).copied()
    }

    fn profiles(&mut self) {
        for number in 0..2 {
            let mut permissions = Vec::new();
            for (table, column) in SECURED_COLUMNS {
                if self.random.percent(70) {
                    let [read, create, update] = [50, 50, 50].map(|percent| self.random.percent(percent));
                    let unmasked = Unmasked::Nothing;
                    permissions.push(Permission { table, column, read, create, update, unmasked });
                }
            }
            let users = self.world.users.iter().map(|user| user.id).collect::<Vec<_>>();
            let users = users.into_iter().filter(|_| self.random.percent(25)).collect();
            let able = self.world.teams.iter().filter(|team| team.kind != TeamKind::Access).map(|team| team.id);
            let able: Vec<Guid> = able.collect();
            let teams = able.into_iter().filter(|_| self.random.percent(15)).collect();
            let id = self.random.guid();
            let name = self.name("profile", number);
            self.world.profiles.push(Profile { id, name, permissions, users, teams });
        }
    }

    fn records(&mut self) {
        use WorldTable::{Account, Competitor, Contact, Opportunity, Product, Quote, QuoteLine, Task};
        for (table, least, most) in [
            (Account, 3, 4),
            (Product, 1, 1),
            (Competitor, 1, 2),
            (Contact, 2, 3),
            (Opportunity, 2, 3),
            (Quote, 2, 2),
            (QuoteLine, 2, 3),
            (Task, 2, 3),
        ] {
            for number in 0..self.random.between(least, most) {
                let lookups = self.lookups(table);
                let (owner, unit) = match table.protection() {
                    Protection::Owned => {
                        let (owner, unit) = self.owner();
                        (Some(owner), Some(unit))
                    }
                    _ => (None, None),
                };
                let values = SECURED_COLUMNS
                    .into_iter()
                    .filter(|(of, _)| *of == table)
                    .map(|(_, column)| (column, i64::try_from(self.random.between(1, 1_000)).unwrap_or(1)))
                    .collect();
                let name = self.name(table.name(), number);
                let id = self.random.guid();
                let texts = Vec::new();
                self.world.records.push(Record { id, table, name, owner, unit, lookups, values, texts });
            }
        }
        let opportunities = self.ids_of(Opportunity);
        let competitors = self.ids_of(Competitor);
        for opportunity in opportunities {
            for competitor in &competitors {
                if self.random.percent(60) {
                    let id = self.random.guid();
                    self.world.links.push(Link { id, opportunity, competitor: *competitor });
                }
            }
        }
    }

    fn ids_of(&self, table: WorldTable) -> Vec<Guid> {
        self.world.records.iter().filter(|record| record.table == table).map(|record| record.id).collect()
    }

    /// Links of a new row to rows made before it.
    fn lookups(&mut self, table: WorldTable) -> Vec<Lookup> {
        use WorldTable::{Account, Contact, Opportunity, Quote, QuoteLine, Task};
        let wanted: &[(usize, &'static str, WorldTable)] = match table {
            Account => &[(30, "parentaccountid", Account)],
            Contact => &[(70, "parentcustomerid", Account)],
            Opportunity => &[(70, "customerid", Account)],
            Quote => &[(50, "customerid", Account), (50, "opportunityid", Opportunity)],
            QuoteLine => &[(100, "quoteid", Quote)],
            Task if self.random.percent(50) => &[(70, "regardingobjectid", Account)],
            Task => &[(70, "regardingobjectid", Opportunity)],
            _ => &[],
        };
        let mut lookups = Vec::new();
        for &(percent, column, to) in wanted {
            let targets = self.ids_of(to);
            if self.random.percent(percent)
                && let Some(id) = self.random.pick(&targets)
            {
                lookups.push(Lookup { column, table: to, id: *id });
            }
        }
        lookups
    }

    /// An owner, and the unit of the row.
    fn owner(&mut self) -> (Guid, Guid) {
        let (owner, unit) = if self.random.percent(60) {
            self.random.pick(&self.world.users).map(|user| (user.id, user.unit)).unwrap_or_default()
        } else {
            let able: Vec<(Guid, Guid)> = self
                .world
                .teams
                .iter()
                .filter(|team| team.kind != TeamKind::Access)
                .map(|team| (team.id, team.unit))
                .collect();
            self.random.pick(&able).copied().unwrap_or_default()
        };
        if self.world.ownership_across_units && self.random.percent(50) {
            return (owner, self.any_unit());
        }
        (owner, unit)
    }

    fn any_team(&mut self, access: bool) -> Guid {
        let fits = |team: &&Team| (team.kind == TeamKind::Access) == access;
        let fitting: Vec<Guid> = self.world.teams.iter().filter(fits).map(|team| team.id).collect();
        self.random.pick(&fitting).copied().unwrap_or_default()
    }

    fn shares(&mut self) {
        let owned: Vec<(Guid, Option<Guid>)> = self
            .world
            .records
            .iter()
            .filter(|record| record.table.protection() == Protection::Owned)
            .map(|record| (record.id, record.owner))
            .collect();
        for _ in 0..self.random.between(7, 11) {
            let Some(&(record, owner)) = self.random.pick(&owned) else { return };
            let principal = match self.random.weighted(&[(35, None), (25, Some(false)), (40, Some(true))]).flatten() {
                None => self.any_user(),
                Some(access) => self.any_team(access),
            };
            let mut explicit = 0;
            for kind in PrivilegeKind::ALL {
                if self.random.percent(45) {
                    explicit |= right_bit(kind);
                }
            }
            let known = self.world.shares.iter().any(|share| share.record == record && share.principal == principal);
            if explicit != 0 && owner != Some(principal) && !known {
                self.world.shares.push(Share { record, principal, explicit, inherited: 0 });
            }
        }
        for ((record, principal), inherited) in inherited_shares(&self.world) {
            let known = self.world.shares.iter_mut().find(|s| s.record == record && s.principal == principal);
            match known {
                Some(share) => share.inherited = inherited,
                None => self.world.shares.push(Share { record, principal, explicit: 0, inherited }),
            }
        }
    }

    /// Single columns of single rows: some for reading, some for changing, many for both.
    fn column_shares(&mut self) {
        for _ in 0..self.random.between(6, 10) {
            let Some(&(table, column)) = self.random.pick(&SECURED_COLUMNS) else { return };
            let rows = self.ids_of(table);
            let Some(&record) = self.random.pick(&rows) else { continue };
            let principal = match self.random.weighted(&[(40, None), (25, Some(false)), (35, Some(true))]).flatten() {
                None => self.any_user(),
                Some(access) => self.any_team(access),
            };
            let (read, update) = self
                .random
                .weighted(&[(40, (true, false)), (20, (false, true)), (40, (true, true))])
                .unwrap_or((true, false));
            let share = ColumnShare { record, table, column, principal, read, update };
            let is_same =
                |known: &ColumnShare| known.record == record && known.column == column && known.principal == principal;
            if !self.world.column_shares.iter().any(is_same) {
                self.world.column_shares.push(share);
            }
        }
    }

    /// What stands in masked columns, who reads them, and who in clear. Some were shared of single rows before they were
    /// masked.
    fn masks(&mut self) {
        for at in 0..self.world.records.len() {
            let Some(table) = self.world.records.get(at).map(|record| record.table) else { return };
            let masked = MASKED_COLUMNS.iter().filter(|masked| masked.table == table);
            let texts = masked.map(|masked| (masked.column, self.masked_text())).collect();
            if let Some(record) = self.world.records.get_mut(at) {
                record.texts = texts;
            }
        }
        for at in 0..self.world.profiles.len() {
            for masked in &MASKED_COLUMNS {
                if !self.random.percent(75) {
                    continue;
                }
                let [read, create, update] = [70, 40, 40].map(|percent| self.random.percent(percent));
                let levels = [(35, Unmasked::Nothing), (30, Unmasked::OneRecord), (35, Unmasked::AllRecords)];
                let unmasked = self.random.weighted(&levels).unwrap_or(Unmasked::Nothing);
                let (table, column) = (masked.table, masked.column);
                if let Some(profile) = self.world.profiles.get_mut(at) {
                    profile.permissions.push(Permission { table, column, read, create, update, unmasked });
                }
            }
        }
        for masked in &MASKED_COLUMNS {
            let rows = self.ids_of(masked.table);
            let principal = self.any_user();
            if let Some(&record) = self.random.pick(&rows) {
                let (table, column) = (masked.table, masked.column);
                let share = ColumnShare { record, table, column, principal, read: true, update: false };
                self.world.column_shares.push(share);
            }
        }
    }

    /// A text in which a rule finds something, or now and then nothing.
    fn masked_text(&mut self) -> String {
        let number = self.random.between(1, 9_999);
        match self.random.below(4) {
            0 => "none".to_owned(),
            1 => format!("{number}"),
            2 => format!("No. {number}, ext. {}", self.random.between(1, 99)),
            _ => format!("Dept {number}"),
        }
    }

    /// Roles that read the audit, the histories of records, or both.
    fn auditors(&mut self) {
        for at in 0..self.world.roles.len() {
            let (summary, history) = (self.random.percent(60), self.random.percent(55));
            let Some(role) = self.world.roles.get_mut(at).filter(|role| role.id == role.root) else { continue };
            for (privilege, held) in [(READ_AUDIT, summary), (READ_HISTORY, history)] {
                if held {
                    role.privileges.insert(privilege.to_owned(), Level::Global);
                }
            }
        }
    }

    /// In a quarter of the worlds, lines in which everybody sits in the unit of whom they are under or below it: managers who
    /// reach further than to those whom they manage themselves are seldom otherwise.
    fn lines_of_managers(&mut self) {
        if self.random.percent(75) {
            return;
        }
        for at in 1..self.world.users.len() {
            let unit = self.world.users.get(at).map(|user| user.unit).unwrap_or_default();
            let above: Vec<Guid> = self
                .world
                .users
                .iter()
                .take(at)
                .rev()
                .map(|user| (user.id, user.unit))
                .filter(|(_, other)| self.world.is_within(unit, *other))
                .map(|(id, _)| id)
                .collect();
            // The one before, mostly: lines grow long.
            let manager =
                if self.random.percent(75) { above.first().copied() } else { self.random.pick(&above).copied() };
            if let (Some(user), Some(manager)) = (self.world.users.get_mut(at), manager) {
                user.manager = Some(manager);
            }
        }
    }
}
