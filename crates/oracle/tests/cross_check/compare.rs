//! Asks both sides the same questions.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use custodia_access::{
    Authority, Denied, Facts, Own, OwnerFacts, Place, Reports, Rights, RightsMask, RolePrivilege, RowAccess, RowArms,
    append_kind, append_to_kind,
};
use custodia_oracle::{
    Asker, ColumnRight, Coverage, DERIVED_COLUMNS, NewRow, Protection, Question, Refusal, RowView, Verdict, World,
    WorldTable,
};
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Schema, Table};

use crate::fault::Fault;
use crate::{facts, reach};

/// One world, asked from end to end.
pub struct Comparison<'a> {
    world: &'a World,
    schema: &'a Arc<Schema>,
    fault: Option<Fault>,
    facts: HashMap<Guid, Facts>,
    rights: HashMap<Guid, Arc<Rights>>,
    owners: HashMap<Guid, OwnerFacts>,
    tables: HashMap<WorldTable, Arc<Table>>,
    /// Predicates already asked for.
    predicates: RefCell<HashMap<(Asker, WorldTable, PrivilegeKind), Predicate>>,
}

/// What `custodia-access` answers about a table.
type Predicate = Result<RowAccess, Denied>;

impl<'a> Comparison<'a> {
    pub fn new(world: &'a World, schema: &'a Arc<Schema>, fault: Option<Fault>) -> Self {
        let facts: HashMap<Guid, Facts> =
            world.users.iter().map(|user| (user.id, facts::of_user(world, schema, user.id, fault))).collect();
        let rights: HashMap<Guid, Arc<Rights>> =
            facts.iter().map(|(user, facts)| (*user, Arc::new(Rights::build(schema, facts)))).collect();
        let owners = facts::owners(world, schema, &rights).into_iter().map(|owner| (owner.id(), owner)).collect();
        let tables = WorldTable::ALL
            .into_iter()
            .map(|table| (table, Arc::clone(schema.table_named(table.name()).unwrap())))
            .collect();
        Self { world, schema, fault, facts, rights, owners, tables, predicates: RefCell::default() }
    }

    /// Asks everything; the answers that differ, described.
    pub fn run(&self, coverage: &mut Coverage) -> Vec<String> {
        let mut differences = Vec::new();
        for question in self.world.questions() {
            let expected = self.world.answer(&question);
            coverage.count(question.operation(), &expected);
            let actual = self.answer(&question);
            if actual != expected.allowed {
                differences.push(format!("{question:?}: access says {actual}, oracle {expected:?}"));
            }
            // A list is an error where the gate fails and only there (security model 5.1).
            if let Question::Row(asker @ Asker { caller: None, .. }, kind, table, _) = question
                && self.predicate(asker, table, kind).is_err() != is_gate(&expected)
            {
                differences.push(format!("{question:?}: the list is an error, or should be, oracle {expected:?}"));
            }
        }
        differences
    }

    fn answer(&self, question: &Question) -> bool {
        let row = |id: Guid| self.world.row(id).unwrap();
        let own = |user: Guid| Asker { user, caller: None };
        match *question {
            Question::Row(asker, kind, table, id) => {
                let reached = self.has(asker, kind, &row(id));
                if let (Ok(authority), None) = (self.authority(asker), self.fault) {
                    let permit = authority.permit_row(kind, self.table(table), reached);
                    assert_eq!(permit.is_ok(), reached, "{question:?}");
                }
                reached
            }
            Question::Create(asker, table, new) => self.creates(asker, table, new),
            Question::Assign(user, table, id, owner) => self.assigns(own(user), table, &row(id), owner),
            Question::Share(user, table, id, rights) => self.shares(own(user), table, &row(id), RightsMask(rights)),
            Question::Link(user, (from_table, from), _, (to_table, to)) => {
                self.has(own(user), append_kind(self.table(from_table)), &row(from))
                    && (self.fault == Some(Fault::AppendToIgnored)
                        || self.has(own(user), append_to_kind(self.table(to_table)), &row(to)))
            }
            Question::Associate(user, one, other) => {
                self.has(own(user), PrivilegeKind::Append, &row(one))
                    && (self.fault == Some(Fault::AssociateNeedsOneEnd)
                        || self.has(own(user), PrivilegeKind::Append, &row(other)))
            }
            Question::Column(user, right, table, column) => self.column_is_open(own(user), right, table, column),
            Question::ColumnOfRow(user, right, table, column, row) => {
                self.column_is_open(own(user), right, table, column)
                    || self.column_of_row_is_open(own(user), right, table, column, row)
            }
        }
    }

    fn authority(&self, asker: Asker) -> Result<Authority, Denied> {
        let rights = |id: Guid| Arc::clone(&self.rights[&id]);
        match (asker.caller, self.fault) {
            (None, _) => Ok(Authority::user(rights(asker.user))),
            (Some(caller), fault) => Authority::on_behalf(rights(caller), rights(asker.user)).map(|both| match fault {
                Some(Fault::OnBehalfOfUserAlone) => Authority::user(rights(asker.user)),
                Some(Fault::OnBehalfOfCallerAlone) => Authority::user(rights(caller)),
                _ => both,
            }),
        }
    }

    fn table(&self, table: WorldTable) -> &Table {
        &self.tables[&table]
    }

    // -- Rights on rows ---------------------------------------------------------------------------------------------

    fn predicate(&self, asker: Asker, table: WorldTable, kind: PrivilegeKind) -> Predicate {
        let mut predicates = self.predicates.borrow_mut();
        predicates.entry((asker, table, kind)).or_insert_with(|| self.faulty_predicate(asker, table, kind)).clone()
    }

    /// The predicate, with the planted fault.
    fn faulty_predicate(&self, asker: Asker, table: WorldTable, kind: PrivilegeKind) -> Predicate {
        let authority = self.authority(asker)?;
        let asked_kind = match self.fault {
            Some(Fault::WriteByRead) if kind == PrivilegeKind::Write => PrivilegeKind::Read,
            Some(Fault::DeleteByWrite) if kind == PrivilegeKind::Delete => PrivilegeKind::Write,
            _ => kind,
        };
        let mut access = authority.rows(self.table(table), asked_kind);
        if matches!(self.fault, Some(Fault::ShareWithoutGate | Fault::OwnershipWithoutGate))
            && matches!(access, Err(Denied::MissingPrivilege { .. }))
            && table.protection() == Protection::Owned
        {
            let own = if self.fault == Some(Fault::OwnershipWithoutGate) { Own::UserAndTeams } else { Own::Nobody };
            let shared = (self.fault == Some(Fault::ShareWithoutGate)).then(|| RightsMask::of(kind));
            let (units, subtrees) = (Vec::new(), Vec::new());
            access = Ok(RowAccess::Arms(RowArms { user: asker.user, own, units, subtrees, shared, reports: None }));
        }
        if self.fault == Some(Fault::LineDeleteNeedsDelete)
            && table == WorldTable::QuoteLine
            && kind == PrivilegeKind::Delete
        {
            authority.rows(self.table(WorldTable::Quote), PrivilegeKind::Delete)?;
        }
        access.map(|access| self.bend(asker, table, kind, access))
    }

    fn bend(&self, asker: Asker, table: WorldTable, kind: PrivilegeKind, access: RowAccess) -> RowAccess {
        let mut arms = match (access, self.fault) {
            (RowAccess::Parent(_), Some(Fault::LineIsOpen)) => return RowAccess::All,
            (RowAccess::Every(mut all), Some(Fault::LinkNeedsOneEnd))
                if table == WorldTable::OpportunityCompetitor && asker.caller.is_none() =>
            {
                return all.swap_remove(0);
            }
            // A link to a table that is open to everybody shrinks to its other end: bend it by opening it.
            (RowAccess::Parent(_), Some(Fault::LinkNeedsOneEnd)) if table == WorldTable::OpportunityCompetitor => {
                return RowAccess::All;
            }
            (RowAccess::Arms(arms), Some(_)) => arms,
            (access, _) => return access,
        };
        match self.fault {
            Some(Fault::DeepAsLocal) => {
                let mut deep = std::mem::take(&mut arms.subtrees);
                arms.units.append(&mut deep);
            }
            Some(Fault::LocalAsDeep) => {
                let mut local = std::mem::take(&mut arms.units);
                arms.subtrees.append(&mut local);
            }
            Some(Fault::DeepAsGlobal) if !arms.subtrees.is_empty() => return RowAccess::All,
            Some(Fault::LocalAsBasic) => arms.units.clear(),
            Some(Fault::ShareOfAnyRight) => arms.shared = arms.shared.map(|_| RightsMask::ALL),
            Some(Fault::SharesOnlyWhereDepthIsBasic) if !arms.units.is_empty() || !arms.subtrees.is_empty() => {
                arms.shared = None;
            }
            Some(Fault::HierarchyIgnored) => arms.reports = None,
            Some(Fault::ManagersWriteFurtherDown) => {
                arms.reports =
                    arms.reports.map(|reports| Reports { depth: self.world.hierarchy.unwrap().depth, ..reports });
            }
            Some(Fault::ManagersDelete) if kind == PrivilegeKind::Delete && arms.shared.is_some() => {
                arms.reports = self.facts[&arms.user].reports.map(|reports| Reports { depth: 1, ..reports });
            }
            Some(Fault::TeamOnlyReachesReports) if matches!(arms.own, Own::Teams(_)) => {
                let changes = [PrivilegeKind::Write, PrivilegeKind::Append, PrivilegeKind::AppendTo].contains(&kind);
                if changes || kind == PrivilegeKind::Read {
                    let depth = |reports: Reports| if changes { 1 } else { reports.depth };
                    let below = self.facts[&arms.user].reports;
                    arms.reports = below.map(|reports| Reports { depth: depth(reports), ..reports });
                }
            }
            Some(Fault::OwnUserRowNeedsReach) if arms.own == Own::Self_ => arms.own = Own::Nobody,
            Some(Fault::TeamOnlyAtEveryLevel) => {
                let name = table.privilege(kind).unwrap_or_default();
                let facts = &self.facts[&arms.user];
                let has = |privileges: &[RolePrivilege]| privileges.iter().any(|p| p.name == name);
                let wide = facts.roles.iter().any(|role| has(&role.privileges))
                    || facts.team_roles.iter().any(|held| !held.team_privileges_only && has(&held.role.privileges));
                if !wide && matches!(arms.own, Own::UserAndTeams | Own::UserAnd(_)) {
                    let teams = facts.team_roles.iter().filter(|held| has(&held.role.privileges));
                    arms.own = Own::Teams(teams.map(|held| held.team).collect());
                }
            }
            _ => {}
        }
        RowAccess::Arms(arms)
    }

    fn has(&self, asker: Asker, kind: PrivilegeKind, row: &RowView) -> bool {
        let predicate = self.predicate(asker, row.table, kind);
        predicate.is_ok_and(|predicate| reach::reaches(self.world, self.schema, &predicate, row, self.fault))
    }

    fn rights_on(&self, asker: Asker, row: &RowView) -> RightsMask {
        PrivilegeKind::ALL.into_iter().filter(|kind| self.has(asker, *kind, row)).collect()
    }

    // -- Writes -----------------------------------------------------------------------------------------------------

    fn creates(&self, asker: Asker, table: WorldTable, new: NewRow) -> bool {
        let Ok(authority) = self.authority(asker) else { return false };
        let unit;
        let place = match new {
            NewRow::Own => Place::Caller,
            NewRow::OwnedBy(owner) => Place::Owner(&self.owners[&owner]),
            NewRow::InUnit(id) => {
                unit = facts::unit_path(self.world, id);
                Place::Unit(&unit)
            }
            NewRow::OfOrganization => Place::Organization,
            NewRow::Under(parent) => {
                let parent = self.world.row(parent).unwrap();
                let reached = match self.predicate(asker, table, PrivilegeKind::Create) {
                    Ok(RowAccess::All) => true,
                    // What a new line may hang on: the entry of its parent table.
                    Ok(access) => self.reaches_parent(&access, &parent),
                    Err(_) => false,
                };
                Place::Following { reached }
            }
        };
        match authority.permit_create(self.table(table), place) {
            Ok(permit) => {
                assert_eq!((permit.table(), permit.kind()), (self.table(table).id, PrivilegeKind::Create));
                true
            }
            Err(Denied::MissingPrivilege { privilege, .. }) if privilege.starts_with("prvAssign") => {
                self.fault == Some(Fault::CreateForOthersWithoutAssign)
            }
            Err(Denied::PlaceNotReached { .. }) => self.fault == Some(Fault::CreateForAnybody),
            Err(Denied::OwnerLacksRead { .. }) => self.fault == Some(Fault::NewOwnerWithoutRead),
            Err(Denied::OwnerIsAccessTeam { .. }) => self.fault == Some(Fault::AccessTeamMayOwn),
            Err(_) => false,
        }
    }

    fn reaches_parent(&self, access: &RowAccess, parent: &RowView) -> bool {
        match access {
            RowAccess::All => true,
            RowAccess::Every(all) => all.iter().all(|access| self.reaches_parent(access, parent)),
            RowAccess::Parent(entries) => entries
                .iter()
                .find(|entry| entry.table == self.table(parent.table).id)
                .and_then(|entry| entry.access.as_ref())
                .is_some_and(|access| reach::reaches(self.world, self.schema, access, parent, self.fault)),
            RowAccess::Arms(_) | RowAccess::Telling(_) => panic!("a line has no arms of its own"),
        }
    }

    fn assigns(&self, asker: Asker, table: WorldTable, row: &RowView, owner: Guid) -> bool {
        let Ok(authority) = self.authority(asker) else { return false };
        let mut held = self.rights_on(asker, row);
        if self.fault == Some(Fault::AssignWithoutWrite) {
            held = held.union(RightsMask::of(PrivilegeKind::Write));
        }
        match authority.permit_assign(self.table(table), held, &self.owners[&owner]) {
            Err(Denied::OwnerLacksRead { .. }) => self.fault == Some(Fault::NewOwnerWithoutRead),
            Err(Denied::OwnerIsAccessTeam { .. }) => self.fault == Some(Fault::AccessTeamMayOwn),
            answer => answer.is_ok(),
        }
    }

    fn shares(&self, asker: Asker, table: WorldTable, row: &RowView, rights: RightsMask) -> bool {
        let Ok(authority) = self.authority(asker) else { return false };
        match authority.permit_share(self.table(table), self.rights_on(asker, row), rights) {
            Err(Denied::SharesMoreThanHeld { .. }) => self.fault == Some(Fault::ShareBeyondOwnRights),
            answer => answer.is_ok(),
        }
    }

    // -- Columns ----------------------------------------------------------------------------------------------------

    fn column_is_open(&self, asker: Asker, right: ColumnRight, world_table: WorldTable, name: &str) -> bool {
        let Ok(authority) = self.authority(asker) else { return false };
        let table = self.table(world_table);
        let column = table.column(name).unwrap().id;
        let is_derived = DERIVED_COLUMNS.iter().any(|(of, derived, _)| *of == world_table && *derived == name);
        match (right, self.fault) {
            (ColumnRight::Read, Some(Fault::DerivedColumnOpen)) if is_derived => true,
            (ColumnRight::Update, Some(Fault::UpdateByReadPermission)) => authority.reads_column(table, column),
            (ColumnRight::Create, Some(Fault::CreateByUpdatePermission)) => authority.updates_column(table, column),
            (ColumnRight::Read, _) => authority.reads_column(table, column),
            (ColumnRight::Create, _) => authority.creates_column(table, column),
            (ColumnRight::Update, _) => authority.updates_column(table, column),
        }
    }
}

impl Comparison<'_> {
    /// Whether what was shared of a row opens a column there, as a statement tests it.
    fn column_of_row_is_open(
        &self,
        asker: Asker,
        right: ColumnRight,
        world_table: WorldTable,
        name: &str,
        row: Guid,
    ) -> bool {
        let Ok(authority) = self.authority(asker) else { return false };
        let table = self.table(world_table);
        let column = table.column(name).unwrap().id;
        let is_shared = |user: Guid, needed: ColumnId| {
            self.world.column_shares.iter().any(|share| {
                share.table == world_table
                    && (share.record == row || self.fault == Some(Fault::ColumnSharesOnEveryRow))
                    && table.column(share.column).unwrap().id == needed
                    && facts::column_share_counts(self.world, share, user, right, self.fault)
            })
        };
        match right {
            ColumnRight::Read => {
                let shared = authority.shared_columns(table);
                let shared = shared.iter().find(|shared| shared.column == column);
                shared.is_some_and(|shared| shared.needs.iter().all(|need| is_shared(need.user, need.column)))
            }
            ColumnRight::Update => authority.closed_to_update(table, column).all(|user| is_shared(user, column)),
            ColumnRight::Create => false,
        }
    }
}

/// Whether the reason is the privilege gate, not the row.
fn is_gate(verdict: &Verdict) -> bool {
    [Refusal::Disabled, Refusal::NoRoles, Refusal::NoSuchPrivilege, Refusal::NoPrivilege]
        .iter()
        .any(|reason| verdict.refusals.contains(reason))
}
