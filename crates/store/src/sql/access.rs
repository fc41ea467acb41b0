//! Which rows a caller reaches, as predicates (decisions 0001.7, 0005.2).
//!
//! A predicate is written in one of two ways. As a *test* it is asked of a row that was found otherwise; it probes, and
//! on SQLite a `+` keeps its columns from drawing the planner away from the order asked. As a *source* it finds the rows
//! itself, one access path at a time. Shares are asked for only where some row of the table was ever shared.

use custodia_access::{Chain, Own, ParentAccess, Reports, RightsMask, RowAccess, RowArms};
use custodia_schema::{Column, ColumnId, Guid, RowSecurity, Table, Value};

use super::audit_view::TOLD_TABLE;
use super::storage::{Storage, TARGET};
use super::writer::{Alias, Writer};
use super::{CompileError, Context, Dialect};

/// The table of shares.
pub(crate) const SHARES: &str = "principalobjectaccess";
pub(crate) const SHARED_OBJECT: &str = "objectid";
pub(crate) const SHARED_TABLE: &str = "objecttypecode";
pub(crate) const SHARED_PRINCIPAL: &str = "principalid";
pub(crate) const SHARED_MASK: &str = "accessrightsmask";
pub(crate) const INHERITED_MASK: &str = "inheritedaccessrightsmask";

/// Users and what they act as: themselves and their teams.
pub(crate) const MEMBERS: &str = "custodia_member";
pub(crate) const MEMBER_USER: &str = "userid";
pub(crate) const MEMBER_PRINCIPAL: &str = "principalid";

/// Business units with all units below, themselves included.
pub(crate) const CLOSURE: &str = "custodia_unit_closure";
pub(crate) const CLOSURE_ANCESTOR: &str = "ancestor";
pub(crate) const CLOSURE_DESCENDANT: &str = "descendant";

/// Users with those whose chain of managers leads to them, and positions with those below them: kept while hierarchy
/// security is on.
pub(crate) const MANAGERS: &str = "custodia_manager_closure";
pub(crate) const POSITIONS: &str = "custodia_position_closure";
pub(crate) const CHAIN_ABOVE: &str = "above";
pub(crate) const CHAIN_BELOW: &str = "below";
pub(crate) const CHAIN_DISTANCE: &str = "distance";

/// The table of users, with what the chains are about.
const USERS: &str = "systemuser";
const USER_ID: &str = "systemuserid";
const USER_UNIT: &str = "businessunitid";
const USER_POSITION: &str = "positionid";

/// One way to reach rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// By ownership.
    Own,
    /// By the row's business unit.
    Units,
    /// By shares.
    Shared,
    /// By who of those below the caller owns them.
    OfReports,
    /// By shares with those below the caller.
    SharedWithReports,
}

/// Whether PostgreSQL probes subqueries row by row or may hash them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probing {
    EachRow,
    MayHash,
}

/// Writes the predicates of one statement.
#[derive(Clone, Copy)]
pub(crate) struct AccessWriter<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) probing: Probing,
}

impl<'a> AccessWriter<'a> {
    /// The answer where it is the same for every row.
    pub(crate) fn constant(self, table: &Table, access: &RowAccess) -> Option<bool> {
        match access {
            RowAccess::All => Some(true),
            RowAccess::Arms(arms) => {
                if self.paths(table, arms).iter().all(Option::is_none) {
                    Some(false)
                } else {
                    None
                }
            }
            RowAccess::Parent(parents) => {
                let reaches =
                    |parent: &ParentAccess| parent.access.is_some() && self.context.tables.exists(parent.table);
                if parents.iter().any(reaches) { None } else { Some(false) }
            }
            RowAccess::Telling(tables) => tables.is_empty().then_some(false),
            RowAccess::Every(all) => {
                let answers = || all.iter().map(|access| self.constant(table, access));
                if answers().any(|answer| answer == Some(false)) {
                    Some(false)
                } else if answers().all(|answer| answer == Some(true)) {
                    Some(true)
                } else {
                    None
                }
            }
        }
    }

    /// The paths of `arms` that can reach anything, in the order in which they are cheapest.
    pub(crate) fn paths(self, table: &Table, arms: &RowArms) -> [Option<Path>; 5] {
        let owns = match &arms.own {
            Own::UserAndTeams | Own::UserAnd(_) | Own::Itself => owner_column(table).is_some(),
            Own::Teams(teams) => !teams.is_empty() && owner_column(table).is_some(),
            Own::Self_ => true,
            Own::Nobody => false,
        };
        let sits = !(arms.units.is_empty() && arms.subtrees.is_empty()) && unit_column(table).is_some();
        let shared = arms.shared.is_some_and(|mask| mask != RightsMask::NONE) && self.has_shares(table);
        let below = arms.reports.is_some() && owner_column(table).is_some();
        [
            owns.then_some(Path::Own),
            sits.then_some(Path::Units),
            shared.then_some(Path::Shared),
            below.then_some(Path::OfReports),
            (below && shared).then_some(Path::SharedWithReports),
        ]
    }

    /// A test of the row at `alias`, in brackets where it needs them.
    pub(crate) fn test(
        self,
        w: &mut Writer,
        alias: Alias,
        table: &Table,
        access: &RowAccess,
    ) -> Result<(), CompileError> {
        if let Some(answer) = self.constant(table, access) {
            w.text(if answer { "TRUE" } else { "FALSE" });
            return Ok(());
        }
        match access {
            RowAccess::All => {}
            RowAccess::Arms(arms) => {
                w.text("(");
                for (at, path) in self.paths(table, arms).into_iter().flatten().enumerate() {
                    if at > 0 {
                        w.text(" OR ");
                    }
                    self.test_path(w, alias, table, arms, path)?;
                }
                w.text(")");
            }
            RowAccess::Parent(parents) => self.test_parents(w, alias, table, parents)?,
            RowAccess::Telling(tables) => {
                if w.dialect == Dialect::Sqlite {
                    w.text("+");
                }
                w.column(alias, TOLD_TABLE, "");
                for (at, told) in tables.iter().enumerate() {
                    w.text(if at == 0 { " IN (" } else { ", " });
                    w.number(u64::from(told.0));
                }
                w.text(")");
            }
            RowAccess::Every(all) => {
                w.text("(");
                for (at, access) in all.iter().enumerate() {
                    if at > 0 {
                        w.text(" AND ");
                    }
                    self.test(w, alias, table, access)?;
                }
                w.text(")");
            }
        }
        Ok(())
    }

    /// A test of one path.
    pub(crate) fn test_path(
        self,
        w: &mut Writer,
        alias: Alias,
        table: &Table,
        arms: &RowArms,
        path: Path,
    ) -> Result<(), CompileError> {
        match path {
            Path::Own => self.test_own(w, alias, table, arms),
            Path::Units => self.test_units(w, alias, table, arms),
            Path::Shared => self.test_shared(w, alias, table, arms),
            Path::OfReports => self.test_of_reports(w, alias, table, arms),
            Path::SharedWithReports => self.test_shared_with_reports(w, alias, table, arms),
        }
    }

    /// A condition that finds the rows of one path by an index. Its rows do not repeat.
    pub(crate) fn source_path(
        self,
        w: &mut Writer,
        alias: Alias,
        table: &Table,
        arms: &RowArms,
        path: Path,
    ) -> Result<(), CompileError> {
        match path {
            Path::Own => match &arms.own {
                Own::UserAndTeams => {
                    w.column(alias, &named(table, owner_column(table))?.name, "");
                    w.text(" IN (SELECT ");
                    let member = w.new_alias();
                    w.column(member, MEMBER_PRINCIPAL, "");
                    from_members(w, member, arms.user);
                    w.text(")");
                }
                Own::UserAnd(teams) => {
                    w.column(alias, &named(table, owner_column(table))?.name, "");
                    w.text(" IN ");
                    write_user_and(w, arms.user, teams);
                }
                Own::Teams(teams) => {
                    w.column(alias, &named(table, owner_column(table))?.name, "");
                    w.text(" IN ");
                    w.guids(teams);
                }
                Own::Itself => {
                    w.column(alias, &named(table, owner_column(table))?.name, "");
                    w.text(" = ");
                    w.user(arms.user);
                }
                Own::Self_ => {
                    w.column(alias, &named(table, self_column(table))?.name, "");
                    w.text(" = ");
                    w.user(arms.user);
                }
                Own::Nobody => w.text("FALSE"),
            },
            Path::Units => {
                w.column(alias, &named(table, unit_column(table))?.name, "");
                w.text(" IN ");
                if arms.subtrees.is_empty() {
                    w.guids(&arms.units);
                } else {
                    let closure = w.new_alias();
                    w.text("(SELECT ");
                    w.column(closure, CLOSURE_DESCENDANT, "");
                    w.text(" FROM ");
                    w.table(CLOSURE, closure);
                    w.text(" WHERE ");
                    w.column(closure, CLOSURE_ANCESTOR, "");
                    w.text(" IN ");
                    w.guids(&arms.subtrees);
                    if !arms.units.is_empty() {
                        // A unit reaches itself in the closure, so its own row there stands for it.
                        w.text(" OR (");
                        w.column(closure, CLOSURE_ANCESTOR, "");
                        w.text(" = ");
                        w.column(closure, CLOSURE_DESCENDANT, "");
                        w.text(" AND ");
                        w.column(closure, CLOSURE_DESCENDANT, "");
                        w.text(" IN ");
                        w.guids(&arms.units);
                        w.text(")");
                    }
                    w.text(")");
                }
            }
            Path::Shared => {
                let (member, share) = (w.new_alias(), w.new_alias());
                w.column(alias, &primary(table)?.name, "");
                w.text(" IN (SELECT ");
                w.column(share, SHARED_OBJECT, "");
                w.text(" FROM ");
                if arms.own == Own::Itself {
                    w.table(SHARES, share);
                    w.text(" WHERE ");
                    w.column(share, SHARED_PRINCIPAL, "");
                } else {
                    w.table(MEMBERS, member);
                    w.text(w.dialect.ordered_join());
                    w.table(SHARES, share);
                    w.text(" ON ");
                    w.column(share, SHARED_PRINCIPAL, "");
                    w.text(" = ");
                    w.column(member, MEMBER_PRINCIPAL, "");
                    w.text(" WHERE ");
                    w.column(member, MEMBER_USER, "");
                }
                w.text(" = ");
                w.user(arms.user);
                w.text(" AND ");
                self.of_table(w, share, table);
                w.text(" AND ");
                grants(w, share, arms.shared.unwrap_or(RightsMask::NONE));
                w.text(")");
            }
            Path::OfReports => {
                let Some(reports) = arms.reports else { return Ok(()) };
                w.column(alias, &named(table, owner_column(table))?.name, "");
                w.text(" IN (SELECT ");
                let member = w.new_alias();
                w.column(member, MEMBER_PRINCIPAL, "");
                self.write_reports(w, member, arms.user, reports);
                w.text(")");
            }
            Path::SharedWithReports => {
                let Some(reports) = arms.reports else { return Ok(()) };
                let (member, share) = (w.new_alias(), w.new_alias());
                w.column(alias, &primary(table)?.name, "");
                w.text(" IN (SELECT ");
                w.column(share, SHARED_OBJECT, "");
                self.write_reports(w, member, arms.user, reports);
                w.text(w.dialect.ordered_join());
                w.table(SHARES, share);
                w.text(" ON ");
                w.column(share, SHARED_PRINCIPAL, "");
                w.text(" = ");
                w.column(member, MEMBER_PRINCIPAL, "");
                w.text(" WHERE ");
                self.of_table(w, share, table);
                w.text(" AND ");
                grants_by_hand(w, share, arms.shared.unwrap_or(RightsMask::NONE));
                w.text(")");
            }
        }
        Ok(())
    }

    /// ` FROM …`: what those below the caller act as, found from the caller downwards.
    fn write_reports(self, w: &mut Writer, member: Alias, user: Guid, reports: Reports) {
        let chain = w.new_alias();
        w.text(" FROM ");
        w.table(chain_table(reports.chain), chain);
        let report = match reports.chain {
            Chain::Managers { within } => {
                if let Some(unit) = within {
                    let (sits, closure) = (w.new_alias(), w.new_alias());
                    w.text(w.dialect.ordered_join());
                    w.table(USERS, sits);
                    w.text(" ON ");
                    w.column(sits, USER_ID, "");
                    w.text(" = ");
                    w.column(chain, CHAIN_BELOW, "");
                    join_within(w, closure, sits, unit);
                }
                (chain, CHAIN_BELOW)
            }
            Chain::Positions(_) => {
                let holder = w.new_alias();
                w.text(w.dialect.ordered_join());
                w.table(USERS, holder);
                w.text(" ON ");
                w.column(holder, USER_POSITION, "");
                w.text(" = ");
                w.column(chain, CHAIN_BELOW, "");
                (holder, USER_ID)
            }
        };
        w.text(w.dialect.ordered_join());
        w.table(MEMBERS, member);
        w.text(" ON ");
        w.column(member, MEMBER_USER, "");
        w.text(" = ");
        w.column(report.0, report.1, "");
        w.text(" AND ");
        within_chain(w, chain, user, reports);
    }

    /// Joins to `member`, whose principal is known, the way up from its user to the caller.
    fn join_up(self, w: &mut Writer, member: Alias, user: Guid, reports: Reports) {
        let chain = w.new_alias();
        let from = match reports.chain {
            Chain::Managers { within } => {
                if let Some(unit) = within {
                    let (sits, closure) = (w.new_alias(), w.new_alias());
                    join_user(w, sits, member);
                    join_within(w, closure, sits, unit);
                }
                (member, MEMBER_USER)
            }
            Chain::Positions(_) => {
                let holder = w.new_alias();
                join_user(w, holder, member);
                (holder, USER_POSITION)
            }
        };
        w.text(w.dialect.ordered_join());
        w.table(chain_table(reports.chain), chain);
        w.text(" ON ");
        w.column(chain, CHAIN_BELOW, "");
        w.text(" = ");
        w.column(from.0, from.1, "");
        w.text(" AND ");
        within_chain(w, chain, user, reports);
    }

    /// Whether a share of a row of this table can be there.
    fn has_shares(self, of: &Table) -> bool {
        let Context { schema, tables, .. } = self.context;
        let named = |name| schema.table_named(name);
        named(SHARES).is_some_and(|table| tables.exists(table.id))
            && schema.shared_as(of).filter_map(named).any(|table| tables.has_shares(table.id))
    }

    fn test_own(self, w: &mut Writer, alias: Alias, table: &Table, arms: &RowArms) -> Result<(), CompileError> {
        match &arms.own {
            Own::UserAndTeams => {
                let owner = named(table, owner_column(table))?;
                // Most rows a caller reaches are the caller's own: one comparison spares the probe.
                not_by_index(w, alias, owner);
                w.text(" = ");
                w.user(arms.user);
                w.text(" OR EXISTS (SELECT 1");
                let member = w.new_alias();
                from_members(w, member, arms.user);
                w.text(" AND ");
                w.column(member, MEMBER_PRINCIPAL, "");
                w.text(" = ");
                not_by_index(w, alias, owner);
                self.end_probe(w);
            }
            Own::UserAnd(teams) => {
                not_by_index(w, alias, named(table, owner_column(table))?);
                w.text(" IN ");
                write_user_and(w, arms.user, teams);
            }
            Own::Teams(teams) => {
                not_by_index(w, alias, named(table, owner_column(table))?);
                w.text(" IN ");
                w.guids(teams);
            }
            Own::Itself => {
                not_by_index(w, alias, named(table, owner_column(table))?);
                w.text(" = ");
                w.user(arms.user);
            }
            Own::Self_ => {
                w.column(alias, &named(table, self_column(table))?.name, "");
                w.text(" = ");
                w.user(arms.user);
            }
            Own::Nobody => w.text("FALSE"),
        }
        Ok(())
    }

    fn test_units(self, w: &mut Writer, alias: Alias, table: &Table, arms: &RowArms) -> Result<(), CompileError> {
        let unit = named(table, unit_column(table))?;
        if !arms.units.is_empty() {
            not_by_index(w, alias, unit);
            w.text(" IN ");
            w.guids(&arms.units);
        }
        if !arms.subtrees.is_empty() {
            if !arms.units.is_empty() {
                w.text(" OR ");
            }
            let closure = w.new_alias();
            w.text("EXISTS (SELECT 1 FROM ");
            w.table(CLOSURE, closure);
            w.text(" WHERE ");
            w.column(closure, CLOSURE_ANCESTOR, "");
            w.text(" IN ");
            w.guids(&arms.subtrees);
            w.text(" AND ");
            w.column(closure, CLOSURE_DESCENDANT, "");
            w.text(" = ");
            not_by_index(w, alias, unit);
            self.end_probe(w);
        }
        Ok(())
    }

    fn test_shared(self, w: &mut Writer, alias: Alias, table: &Table, arms: &RowArms) -> Result<(), CompileError> {
        let (share, member) = (w.new_alias(), w.new_alias());
        w.text("EXISTS (SELECT 1 FROM ");
        w.table(SHARES, share);
        if arms.own == Own::Itself {
            w.text(" WHERE ");
            w.column(share, SHARED_PRINCIPAL, "");
            w.text(" = ");
            w.user(arms.user);
            w.text(" AND ");
        } else {
            w.text(w.dialect.ordered_join());
            w.table(MEMBERS, member);
            w.text(" ON ");
            w.column(member, MEMBER_USER, "");
            w.text(" = ");
            w.user(arms.user);
            w.text(" AND ");
            w.column(member, MEMBER_PRINCIPAL, "");
            w.text(" = ");
            w.column(share, SHARED_PRINCIPAL, "");
            w.text(" WHERE ");
        }
        w.column(share, SHARED_OBJECT, "");
        w.text(" = ");
        not_by_index(w, alias, primary(table)?);
        w.text(" AND ");
        self.of_table(w, share, table);
        w.text(" AND ");
        grants(w, share, arms.shared.unwrap_or(RightsMask::NONE));
        self.end_probe(w);
        Ok(())
    }

    fn test_of_reports(self, w: &mut Writer, alias: Alias, table: &Table, arms: &RowArms) -> Result<(), CompileError> {
        let Some(reports) = arms.reports else { return Ok(()) };
        let member = w.new_alias();
        w.text("EXISTS (SELECT 1 FROM ");
        w.table(MEMBERS, member);
        self.join_up(w, member, arms.user, reports);
        w.text(" WHERE ");
        w.column(member, MEMBER_PRINCIPAL, "");
        w.text(" = ");
        not_by_index(w, alias, named(table, owner_column(table))?);
        self.end_probe(w);
        Ok(())
    }

    fn test_shared_with_reports(
        self,
        w: &mut Writer,
        alias: Alias,
        table: &Table,
        arms: &RowArms,
    ) -> Result<(), CompileError> {
        let Some(reports) = arms.reports else { return Ok(()) };
        let (share, member) = (w.new_alias(), w.new_alias());
        w.text("EXISTS (SELECT 1 FROM ");
        w.table(SHARES, share);
        w.text(w.dialect.ordered_join());
        w.table(MEMBERS, member);
        w.text(" ON ");
        w.column(member, MEMBER_PRINCIPAL, "");
        w.text(" = ");
        w.column(share, SHARED_PRINCIPAL, "");
        self.join_up(w, member, arms.user, reports);
        w.text(" WHERE ");
        w.column(share, SHARED_OBJECT, "");
        w.text(" = ");
        not_by_index(w, alias, primary(table)?);
        w.text(" AND ");
        self.of_table(w, share, table);
        w.text(" AND ");
        grants_by_hand(w, share, arms.shared.unwrap_or(RightsMask::NONE));
        self.end_probe(w);
        Ok(())
    }

    /// A share is of a row of this table: another table may have a row of the same id.
    fn of_table(self, w: &mut Writer, share: Alias, table: &Table) {
        w.column(share, SHARED_TABLE, "");
        let names: Vec<&str> = self.context.schema.shared_as(table).collect();
        w.text(if names.len() == 1 { " = " } else { " IN (" });
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                w.text(", ");
            }
            w.value(Value::Text((*name).to_owned()), Storage::Text);
        }
        if names.len() > 1 {
            w.text(")");
        }
    }

    /// The first lookup that is set decides; among entries of the same lookup, the one for the table it points at.
    fn test_parents(
        self,
        w: &mut Writer,
        alias: Alias,
        table: &Table,
        parents: &[ParentAccess],
    ) -> Result<(), CompileError> {
        w.text("CASE");
        for group in parents.chunk_by(|left, right| left.lookup == right.lookup) {
            let Some(lookup) = group.first().map(|parent| parent.lookup) else { continue };
            let column = stored(table, lookup)?;
            let polymorphic = column.kind.is_polymorphic();
            for parent in group {
                w.text(" WHEN ");
                w.column(alias, &column.name, "");
                w.text(" IS NOT NULL");
                if polymorphic {
                    w.text(" AND ");
                    w.column(alias, &column.name, TARGET);
                    w.text(" = ");
                    w.number(u64::from(parent.table.0));
                }
                w.text(" THEN ");
                self.test_parent(w, alias, column, parent)?;
            }
            if polymorphic {
                w.text(" WHEN ");
                w.column(alias, &column.name, "");
                w.text(" IS NOT NULL THEN FALSE");
            }
        }
        w.text(" ELSE FALSE END");
        Ok(())
    }

    fn test_parent(
        self,
        w: &mut Writer,
        alias: Alias,
        lookup: &Column,
        parent: &ParentAccess,
    ) -> Result<(), CompileError> {
        let target = self.context.schema.table(parent.table).ok_or(CompileError::NoTable(parent.table))?;
        let Some(access) = parent.access.as_deref().filter(|_| self.context.tables.exists(parent.table)) else {
            w.text("FALSE");
            return Ok(());
        };
        if let Some(answer) = self.constant(target, access) {
            w.text(if answer { "TRUE" } else { "FALSE" });
            return Ok(());
        }
        let row = w.new_alias();
        w.text("EXISTS (SELECT 1 FROM ");
        w.table(&target.name, row);
        w.text(" WHERE ");
        w.column(row, &primary(target)?.name, "");
        w.text(" = ");
        w.column(alias, &lookup.name, "");
        w.text(" AND ");
        self.test(w, row, target, access)?;
        self.end_probe(w);
        Ok(())
    }

    fn end_probe(self, w: &mut Writer) {
        if self.probing == Probing::EachRow {
            w.text(w.dialect.probe_end());
        }
        w.text(")");
    }
}

fn write_user_and(w: &mut Writer, user: Guid, teams: &[Guid]) {
    w.text("(");
    w.user(user);
    for team in teams {
        w.text(", ");
        w.guid(*team);
    }
    w.text(")");
}

/// ` FROM … WHERE …`: what a user acts as.
fn from_members(w: &mut Writer, member: Alias, user: Guid) {
    w.text(" FROM ");
    w.table(MEMBERS, member);
    w.text(" WHERE ");
    w.column(member, MEMBER_USER, "");
    w.text(" = ");
    w.user(user);
}

/// The closure of a chain.
fn chain_table(chain: Chain) -> &'static str {
    match chain {
        Chain::Managers { .. } => MANAGERS,
        Chain::Positions(_) => POSITIONS,
    }
}

/// The upper end of a step of the chain is the caller, or the caller's position, and not too far away.
fn within_chain(w: &mut Writer, chain: Alias, user: Guid, reports: Reports) {
    w.column(chain, CHAIN_ABOVE, "");
    w.text(" = ");
    match reports.chain {
        Chain::Managers { .. } => w.user(user),
        Chain::Positions(position) => w.guid(position),
    }
    w.text(" AND ");
    w.column(chain, CHAIN_DISTANCE, "");
    w.text(" <= ");
    w.number(u64::from(reports.depth));
}

/// The row of the user who is a member.
fn join_user(w: &mut Writer, user: Alias, member: Alias) {
    w.text(w.dialect.ordered_join());
    w.table(USERS, user);
    w.text(" ON ");
    w.column(user, USER_ID, "");
    w.text(" = ");
    w.column(member, MEMBER_USER, "");
}

/// The user sits in a unit or below it.
fn join_within(w: &mut Writer, closure: Alias, user: Alias, unit: Guid) {
    w.text(w.dialect.ordered_join());
    w.table(CLOSURE, closure);
    w.text(" ON ");
    w.column(closure, CLOSURE_DESCENDANT, "");
    w.text(" = ");
    w.column(user, USER_UNIT, "");
    w.text(" AND ");
    w.column(closure, CLOSURE_ANCESTOR, "");
    w.text(" = ");
    w.guid(unit);
}

/// The explicit rights contain a right: what came from a parent record does not pass on to a manager.
fn grants_by_hand(w: &mut Writer, share: Alias, mask: RightsMask) {
    w.text("(");
    w.column(share, SHARED_MASK, "");
    w.text(" & ");
    w.value(Value::Integer(i32::try_from(mask.0).unwrap_or(0)), Storage::Integer);
    w.text(") <> 0");
}

/// Explicit and inherited rights together contain a right.
fn grants(w: &mut Writer, share: Alias, mask: RightsMask) {
    w.text("((");
    w.column(share, SHARED_MASK, "");
    w.text(" | ");
    w.column(share, INHERITED_MASK, "");
    w.text(") & ");
    w.value(Value::Integer(i32::try_from(mask.0).unwrap_or(0)), Storage::Integer);
    w.text(") <> 0");
}

/// A column that SQLite must not choose an index for: tests follow the order asked, they do not find rows.
fn not_by_index(w: &mut Writer, alias: Alias, column: &Column) {
    if w.dialect == Dialect::Sqlite {
        w.text("+");
    }
    w.column(alias, &column.name, "");
}

/// A stored column.
pub(crate) fn stored(table: &Table, column: ColumnId) -> Result<&Column, CompileError> {
    table
        .column_by_id(column)
        .filter(|column| column.kind.is_stored())
        .ok_or_else(|| CompileError::NoColumn { table: table.name.clone(), column })
}

/// The primary id.
pub(crate) fn primary(table: &Table) -> Result<&Column, CompileError> {
    stored(table, table.primary_id)
}

/// The column that holds the owner.
pub(crate) fn owner_column(table: &Table) -> Option<ColumnId> {
    match table.security {
        RowSecurity::Owned { owner, .. } => Some(owner),
        _ => None,
    }
}

/// The column that holds the business unit.
pub(crate) fn unit_column(table: &Table) -> Option<ColumnId> {
    match table.security {
        RowSecurity::Owned { unit, .. } | RowSecurity::Unit { unit, .. } => Some(unit),
        _ => None,
    }
}

/// The column that holds the caller's user id on the row that stands for the caller.
fn self_column(table: &Table) -> Option<ColumnId> {
    match table.security {
        RowSecurity::Unit { principal, .. } => principal.or(Some(table.primary_id)),
        _ => Some(table.primary_id),
    }
}

fn named(table: &Table, column: Option<ColumnId>) -> Result<&Column, CompileError> {
    match column {
        Some(column) => stored(table, column),
        None => {
            Err(CompileError::NoRelationship { table: table.name.clone(), why: "it has no owner or business unit" })
        }
    }
}
