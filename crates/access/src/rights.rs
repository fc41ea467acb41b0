//! What one user may do.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use custodia_schema::{
    ColumnId, Guid, Level, NamedPrivilege, Privilege, PrivilegeKind, RowSecurity, Schema, Table, TableId,
};

use crate::authority::ACT_ON_BEHALF;
use crate::columns::ClosedColumns;
use crate::{Denied, Facts, Mask, MaskedColumn, Reports, UnitPath, Unmasking, UserFacts};

/// One way a user holds a privilege on a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    /// How far it reaches, as the privilege allows: what a role grants beyond that is cut.
    pub level: Level,
    /// The unit Local and Deep are measured from.
    pub base_unit: Guid,
    /// Set when the grant covers only rows of this team: Basic level through a role that gives team privileges only.
    pub team_only: Option<Guid>,
}

/// What one user (or one team, by its own roles) may do, computed from [`Facts`] of one security version and one
/// schema. Immutable; shared behind an `Arc` by all requests of the user until either changes.
///
/// Asking it allocates nothing and takes constant time, unless a method says otherwise.
#[derive(Debug)]
pub struct Rights {
    schema: Arc<Schema>,
    security_version: u64,
    user: UserFacts,
    has_roles: bool,
    /// By kind, for tables on which some privilege is held: position in `grant_lists`.
    grants: HashMap<TableId, [u16; 8]>,
    /// For tables on which some column is closed: to requests for nothing in clear, for one record, for all.
    closed_columns: [Arc<HashMap<TableId, ClosedColumns>>; 3],
    /// The organisation's masking rules.
    masked_columns: Vec<MaskedColumn>,
    /// The distinct lists of grants; many tables and kinds share one. The first is empty.
    grant_lists: Vec<Box<[Grant]>>,
    /// Privileges that belong to no table, and whether a directly assigned role gives them.
    miscellaneous: HashMap<Box<str>, HeldBy>,
    root_roles: Box<[Guid]>,
    all_columns: bool,
    few_owner_teams: Option<Box<[Guid]>>,
    reports: Option<Reports>,
}

/// Where a miscellaneous privilege comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HeldBy {
    /// Only from roles of teams.
    Team,
    /// From a role assigned to the user.
    User,
}

impl Rights {
    /// Digests what the store read. Costs a pass over the user's role privileges and over the schema's columns.
    ///
    /// To judge a *team*, give the team's id and unit as the user's and its roles as direct ones.
    #[must_use]
    pub fn build(schema: &Arc<Schema>, facts: &Facts) -> Self {
        let mut held: HashMap<TableId, [Vec<Grant>; 8]> = HashMap::new();
        let mut miscellaneous: HashMap<Box<str>, HeldBy> = HashMap::new();

        let direct = facts.roles.iter().map(|role| (role, None, HeldBy::User));
        let through_teams = facts
            .team_roles
            .iter()
            .map(|held| (&held.role, held.team_privileges_only.then_some(held.team), HeldBy::Team));
        for (role, team_only, held_by) in direct.chain(through_teams) {
            for granted in &role.privileges {
                let named = schema.privilege_named(&granted.name);
                let Some((named, kind)) = named.and_then(|named| Some((named, named.kind?))) else {
                    let known = miscellaneous.entry(granted.name.as_str().into()).or_insert(held_by);
                    *known = held_by.max(*known);
                    continue;
                };
                for table in named.tables.iter().filter_map(|&table| schema.table(table)) {
                    let Some(privilege) = table.privilege(kind) else { continue };
                    let level = effective_level(table, privilege, granted.level);
                    // Only Basic is affected by "team privileges only" (security model 4.3).
                    let team_only = team_only.filter(|_| level == Level::Basic);
                    if let Some(list) = held.entry(table.id).or_default().get_mut(kind as usize) {
                        list.push(Grant { level, base_unit: role.base_unit, team_only });
                    }
                }
            }
        }

        let mut grant_lists: Vec<Box<[Grant]>> = vec![Box::default()];
        let mut positions: HashMap<Box<[Grant]>, u16> = HashMap::new();
        let mut position = |list: Vec<Grant>| -> u16 {
            if list.is_empty() {
                return 0;
            }
            let list = shortest(list);
            if let Some(&known) = positions.get(&list) {
                return known;
            }
            // More than 65,535 distinct lists do not occur: each table has eight. One too many would be no grant.
            let Ok(next) = u16::try_from(grant_lists.len()) else { return 0 };
            grant_lists.push(list.clone());
            positions.insert(list, next);
            next
        };
        let grants = held.into_iter().map(|(table, kinds)| (table, kinds.map(&mut position))).collect();

        let closed = |unmasking| {
            let tables = schema.tables().iter();
            let closed = tables.filter_map(|table| Some((table.id, ClosedColumns::of(table, facts, unmasking)?)));
            Arc::new(closed.collect::<HashMap<_, _>>())
        };
        let masked = closed(Unmasking::Nothing);
        let closed_columns = if facts.masked_columns.is_empty() {
            [Arc::clone(&masked), Arc::clone(&masked), masked]
        } else {
            [masked, closed(Unmasking::OneRecord), closed(Unmasking::AllRecords)]
        };

        let mut root_roles: Vec<Guid> =
            facts.roles.iter().chain(facts.team_roles.iter().map(|held| &held.role)).map(|role| role.root).collect();
        root_roles.sort_unstable();
        root_roles.dedup();

        Self {
            schema: Arc::clone(schema),
            security_version: facts.security_version,
            user: facts.user.clone(),
            has_roles: !root_roles.is_empty(),
            grants,
            closed_columns,
            masked_columns: facts.masked_columns.clone(),
            grant_lists,
            miscellaneous,
            root_roles: root_roles.into(),
            all_columns: facts.all_columns,
            few_owner_teams: facts.few_owner_teams.as_deref().map(Into::into),
            reports: facts.reports,
        }
    }

    /// The user's teams that can own rows, where they are few.
    pub(crate) fn few_owner_teams(&self) -> Option<&[Guid]> {
        self.few_owner_teams.as_deref()
    }

    /// Those who stand below the user and whose rows this right reaches. A grant that is limited to the rows of a team
    /// covers theirs as little as the user's own.
    pub(crate) fn reports(&self, grants: &[Grant], kind: PrivilegeKind) -> Option<Reports> {
        let reports = self.reports?.for_right(kind)?;
        grants.iter().any(|grant| grant.team_only.is_none()).then_some(reports)
    }

    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> Guid {
        self.user.id
    }

    /// The user's business unit.
    #[must_use]
    pub fn unit(&self) -> Guid {
        self.user.unit
    }

    /// Whether it is a team's rights that these are.
    pub(crate) fn is_team(&self) -> bool {
        self.user.is_team
    }

    /// Whether the user is disabled.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.user.disabled
    }

    /// The security version the facts were read at.
    #[must_use]
    pub fn security_version(&self) -> u64 {
        self.security_version
    }

    /// The schema they were computed for.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How a privilege is held, without repeats and without what another grant contains: empty (not held), one Global
    /// or one Basic grant, several Basic grants of single teams, or Local and Deep grants.
    #[must_use]
    pub fn grants(&self, table: TableId, kind: PrivilegeKind) -> &[Grant] {
        self.grants
            .get(&table)
            .and_then(|by_kind| by_kind.get(kind as usize))
            .and_then(|&list| self.grant_lists.get(usize::from(list)))
            .map_or(&[], |list| list)
    }

    /// The highest level a privilege is held at; `None` when it is not held.
    #[must_use]
    pub fn level(&self, table: TableId, kind: PrivilegeKind) -> Option<Level> {
        self.grants(table, kind).iter().map(|grant| grant.level).max()
    }

    /// Whether a privilege of that name is held at any level, be it tied to rows (`prvReadAccount`) or not
    /// (`prvExportToExcel`).
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        if self.miscellaneous.contains_key(name) {
            return true;
        }
        let Some(named) = self.schema.privilege_named(name) else { return false };
        named.kind.is_some_and(|kind| named.tables.iter().any(|&table| self.level(table, kind).is_some()))
    }

    /// Whether a privilege that belongs to no table comes from a role assigned to the user, not only through a team.
    #[must_use]
    pub fn holds_directly(&self, name: &str) -> bool {
        self.miscellaneous.get(name) == Some(&HeldBy::User)
    }

    /// The topmost roles of which the user holds a copy, directly or through a team; sorted. Forms are bound to them.
    #[must_use]
    pub fn root_roles(&self) -> &[Guid] {
        &self.root_roles
    }

    /// Whether the user may act for others: for whom does not matter.
    ///
    /// # Errors
    /// When the user is disabled or has no role, or does not hold `prvActOnBehalfOfAnotherUser` through a role assigned
    /// directly.
    pub fn check_acts_for_others(&self) -> Result<(), Denied> {
        self.admitted()?;
        if self.holds_directly(ACT_ON_BEHALF) { Ok(()) } else { Err(Denied::OnBehalf { caller: self.user_id() }) }
    }

    /// Whether every secured column is open, also those that are secured later.
    #[must_use]
    pub fn opens_all_columns(&self) -> bool {
        self.all_columns
    }

    /// Whether a role with this privilege at this level may be given to somebody in `unit`: what it would reach from there
    /// is reached already.
    pub(crate) fn covers(&self, privilege: &NamedPrivilege, level: Level, unit: &UnitPath) -> bool {
        let Some(kind) = privilege.kind else {
            // It counts for its holder only when held directly, so who holds it otherwise has nothing to give.
            return if privilege.name == ACT_ON_BEHALF {
                self.holds_directly(ACT_ON_BEHALF)
            } else {
                self.holds(&privilege.name)
            };
        };
        let tables = privilege.tables.iter().filter_map(|&table| self.schema.table(table));
        tables.filter_map(|table| Some((table, table.privilege(kind)?))).all(|(table, own)| {
            let level = effective_level(table, own, level);
            self.grants(table.id, kind).iter().any(|grant| match grant.level {
                Level::Global => true,
                Level::Deep => level <= Level::Deep && (level == Level::Basic || unit.is_within(grant.base_unit)),
                Level::Local => level <= Level::Local && (level == Level::Basic || unit.unit == grant.base_unit),
                Level::Basic => level == Level::Basic && grant.team_only.is_none(),
            })
        })
    }

    /// Whether the column may be read: it is not secured, or a profile opens it, and the same holds for every column it
    /// is derived from. A column or table unknown to the schema the rights were computed for is closed, and so is one that
    /// is read masked.
    #[must_use]
    pub fn reads_column(&self, table: TableId, column: ColumnId) -> bool {
        self.reads_column_in_clear(table, column, Unmasking::Nothing)
    }

    /// The same for a request that asks for so much of what is masked.
    pub(crate) fn reads_column_in_clear(&self, table: TableId, column: ColumnId, unmasking: Unmasking) -> bool {
        self.column_is(table, column, unmasking, ClosedColumns::reads)
    }

    /// Whether the column may be given a value when a row is created.
    #[must_use]
    pub fn creates_column(&self, table: TableId, column: ColumnId) -> bool {
        self.column_is(table, column, Unmasking::Nothing, ClosedColumns::creates)
    }

    /// Whether the column of an existing row may be changed.
    #[must_use]
    pub fn updates_column(&self, table: TableId, column: ColumnId) -> bool {
        self.column_is(table, column, Unmasking::Nothing, ClosedColumns::updates)
    }

    /// What has to be shared on a row for a column to show there; `None` where it is open on every row, or on none.
    pub(crate) fn column_needs(&self, table: TableId, column: ColumnId, unmasking: Unmasking) -> Option<&[ColumnId]> {
        self.closed(unmasking).get(&table)?.needs(column)
    }

    /// The columns of a table that are read on those rows only on which they were shared with the user.
    pub(crate) fn shared_columns(&self, table: TableId, unmasking: Unmasking) -> impl Iterator<Item = ColumnId> + '_ {
        self.closed(unmasking).get(&table).into_iter().flat_map(ClosedColumns::shared)
    }

    /// The rule by which a column that is closed for reading is shown masked.
    pub(crate) fn mask(&self, table: TableId, column: ColumnId, unmasking: Unmasking) -> Option<&Arc<Mask>> {
        self.closed(unmasking).get(&table).filter(|closed| closed.masks(column))?;
        let mut masked = self.masked_columns.iter();
        masked.find(|masked| masked.table == table && masked.column == column).map(|masked| &masked.mask)
    }

    fn closed(&self, unmasking: Unmasking) -> &HashMap<TableId, ClosedColumns> {
        let [nothing, one, all] = &self.closed_columns;
        match unmasking {
            Unmasking::Nothing => nothing,
            Unmasking::OneRecord => one,
            Unmasking::AllRecords => all,
        }
    }

    fn column_is(
        &self,
        table: TableId,
        column: ColumnId,
        unmasking: Unmasking,
        open: fn(&ClosedColumns, ColumnId) -> bool,
    ) -> bool {
        let known = self.schema.table(table).and_then(|table| table.columns().last());
        known.is_some_and(|last| column <= last.id)
            && self.closed(unmasking).get(&table).is_none_or(|closed| open(closed, column))
    }

    /// Whether the user may do anything at all.
    pub fn admitted(&self) -> Result<(), Denied> {
        if self.user.disabled {
            return Err(Denied::Disabled { user: self.user.id });
        }
        if !self.has_roles {
            return Err(Denied::NoRoles { user: self.user.id });
        }
        Ok(())
    }

    /// The privilege gate (security model 5.1): the grants, of which there is at least one.
    pub(crate) fn gate(&self, table: &Table, kind: PrivilegeKind) -> Result<&[Grant], Denied> {
        self.admitted()?;
        let Some(privilege) = table.privilege(kind) else {
            return Err(Denied::NotApplicable { table: table.name.clone(), right: kind });
        };
        match self.grants(table.id, kind) {
            [] => Err(Denied::MissingPrivilege {
                user: self.user.id,
                privilege: privilege.name.clone(),
                table: Some(table.name.clone()),
            }),
            grants => Ok(grants),
        }
    }
}

/// The level a grant has on a table: all or nothing where the organisation owns the rows; otherwise the highest level
/// the privilege may take that is not above the granted one (a role may grant `userquery` at Global, but the privilege
/// only exists at Basic). A grant below every level the privilege may take stays as narrow as it is.
fn effective_level(table: &Table, privilege: &Privilege, granted: Level) -> Level {
    if matches!(table.security, RowSecurity::Organization) {
        return Level::Global;
    }
    privilege.levels.iter().copied().filter(|&level| level <= granted).max().unwrap_or(granted)
}

/// The same grants without repeats and without those that another one contains, in a fixed order.
fn shortest(grants: Vec<Grant>) -> Box<[Grant]> {
    if let Some(global) = grants.iter().filter(|grant| grant.level == Level::Global).min() {
        return Box::new([*global]);
    }
    let mut by_base: BTreeMap<Guid, Grant> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| grant.level > Level::Basic) {
        let kept = by_base.entry(grant.base_unit).or_insert(*grant);
        kept.level = kept.level.max(grant.level);
    }
    if !by_base.is_empty() {
        return by_base.into_values().collect();
    }
    if let Some(basic) = grants.iter().filter(|grant| grant.team_only.is_none()).min() {
        return Box::new([*basic]);
    }
    let mut of_teams = grants;
    of_teams.sort_unstable_by_key(|grant| grant.team_only);
    of_teams.dedup_by_key(|grant| grant.team_only);
    of_teams.into()
}
