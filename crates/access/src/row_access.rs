//! Which rows a privilege reaches, in terms a statement can carry.

use custodia_schema::{ColumnId, Guid, Level, PrivilegeKind, RowSecurity, Table, TableId};

use crate::{Denied, Grant, Reports, Rights, RightsMask, followed};

/// The table of audit entries.
const AUDIT: &str = "audit";

/// Which rows of a table a caller reaches with one privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowAccess {
    /// Every row.
    All,
    /// Rows that satisfy at least one arm.
    Arms(RowArms),
    /// Rows whose parent row is reached: the first of these lookups that is not null decides. Neighbouring entries of
    /// the same lookup are its possible target tables, of which the one it points at counts. A row whose lookups are
    /// all null is not reached. In an intersect the "lookups" may be plain GUID columns.
    Parent(Vec<ParentAccess>),
    /// Rows of the audit that tell of rows of one of these tables, in the order of their numbers.
    Telling(Vec<TableId>),
    /// Rows reached by every one of these (a caller acting for another user; both ends of an intersect row).
    Every(Vec<RowAccess>),
}

impl RowAccess {
    /// No row at all: what a caller reaches whose privilege gate failed.
    #[must_use]
    pub fn nothing(user: Guid) -> Self {
        let (units, subtrees) = (Vec::new(), Vec::new());
        Self::Arms(RowArms { user, own: Own::Nobody, units, subtrees, shared: None, reports: None })
    }

    /// Rows reached by every one of these, in the shortest form: what reaches everything and what repeats is left out.
    #[must_use]
    pub fn every(all: impl IntoIterator<Item = Self>) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        for access in all {
            match access {
                Self::All => {}
                Self::Every(inner) => {
                    for access in inner {
                        if !kept.contains(&access) {
                            kept.push(access);
                        }
                    }
                }
                other if kept.contains(&other) => {}
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::All,
            1 => kept.swap_remove(0),
            _ => Self::Every(kept),
        }
    }
}

impl RowAccess {
    /// What is reached of the parent that a row's lookup points at; `None` when nothing is, or when rows of this access do
    /// not follow a parent.
    #[must_use]
    pub fn parent(&self, lookup: ColumnId, table: TableId) -> Option<Self> {
        match self {
            Self::All => Some(Self::All),
            Self::Arms(_) | Self::Telling(_) => None,
            Self::Parent(parents) => {
                let found = parents.iter().find(|parent| parent.lookup == lookup && parent.table == table)?;
                found.access.as_deref().cloned()
            }
            Self::Every(all) => {
                let each: Option<Vec<_>> = all.iter().map(|access| access.parent(lookup, table)).collect();
                Some(Self::Every(each?))
            }
        }
    }
}

/// One lookup to a parent row and what is reached there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentAccess {
    /// The lookup column of the child.
    pub lookup: ColumnId,
    /// The table it points at.
    pub table: TableId,
    /// What the caller reaches of that table; `None` when the privilege is missing there.
    pub access: Option<Box<RowAccess>>,
}

/// The ways to reach a row that is neither open to everybody nor closed: any one suffices (security model 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowArms {
    /// The caller.
    pub user: Guid,
    /// By ownership.
    pub own: Own,
    /// Business units whose rows are reached, by the row's own unit; sorted.
    pub units: Vec<Guid>,
    /// Business units whose rows are reached together with those of all units below; sorted. None of them is in
    /// `units` too.
    pub subtrees: Vec<Guid>,
    /// A share to the caller or to one of the caller's teams that contains this right; `None` where the table has no shares.
    pub shared: Option<RightsMask>,
    /// Users below the caller: rows that they or their teams own, and rows that somebody shared with them by hand for the
    /// right that `shared` names.
    pub reports: Option<Reports>,
}

/// Which owners' rows are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Rows owned by the caller or by a team of the caller (joined through the membership table, not listed).
    UserAndTeams,
    /// Rows owned by the caller or by one of these teams: all of the caller's that can own rows, where they are few.
    UserAnd(Vec<Guid>),
    /// Only rows owned by these teams, sorted: the privilege comes from team roles that give team privileges only, at
    /// Basic level.
    Teams(Vec<Guid>),
    /// Rows owned by the caller itself, which is a team. Shares are then those to the team alone.
    Itself,
    /// The one row that stands for the caller (a user's own user row).
    Self_,
    /// None: the table has no owners.
    Nobody,
}

impl Rights {
    /// Which rows of `table` the user reaches with `kind`, after the privilege gate. `steps`: how many parents were
    /// followed to get here, 0 for the table that was asked for.
    pub(crate) fn rows(&self, table: &Table, kind: PrivilegeKind, steps: usize) -> Result<RowAccess, Denied> {
        match table.security {
            RowSecurity::Owned { .. } => {
                let grants = self.gate(table, kind)?;
                let reports = self.reports(grants, kind);
                Ok(arms(self.user_id(), grants, self.own_by_owner(grants), Some(RightsMask::of(kind)), reports))
            }
            RowSecurity::Unit { principal, .. } => {
                let grants = self.gate(table, kind)?;
                let is_own = principal.is_some() && grants.iter().any(|grant| grant.team_only.is_none());
                Ok(arms(self.user_id(), grants, if is_own { Own::Self_ } else { Own::Nobody }, None, None))
            }
            RowSecurity::Organization => {
                self.gate(table, kind)?;
                Ok(if table.name == AUDIT { self.told() } else { RowAccess::All })
            }
            RowSecurity::Parent { .. } | RowSecurity::Intersect => followed::rows(self, table, kind, steps),
        }
    }

    /// The audit tells of a table to those who may read some of its rows: an entry says whose row changed when, and that
    /// there is one (docs/security-choices.md). What no user can read is told to those who read all else.
    fn told(&self) -> RowAccess {
        let (mut told, mut all) = (Vec::new(), true);
        for table in self.schema().tables().iter().filter(|table| table.name != AUDIT) {
            match self.rows(table, PrivilegeKind::Read, 0) {
                Ok(_) => told.push(table.id),
                Err(Denied::NotApplicable { .. }) => {}
                Err(_) => all = false,
            }
        }
        told.sort_unstable();
        if all { RowAccess::All } else { RowAccess::Telling(told) }
    }

    /// Any grant covers own rows and those of own teams, except one limited to a team's rows (security model 4.3).
    fn own_by_owner(&self, grants: &[Grant]) -> Own {
        if self.is_team() {
            return Own::Itself;
        }
        let limited: Option<Vec<Guid>> = grants.iter().map(|grant| grant.team_only).collect();
        match (limited, self.few_owner_teams()) {
            (Some(teams), _) => Own::Teams(teams),
            (None, Some(few)) => Own::UserAnd(few.to_vec()),
            (None, None) => Own::UserAndTeams,
        }
    }
}

fn arms(user: Guid, grants: &[Grant], own: Own, shared: Option<RightsMask>, reports: Option<Reports>) -> RowAccess {
    if grants.iter().any(|grant| grant.level == Level::Global) {
        return RowAccess::All;
    }
    let bases = |level| grants.iter().filter(move |grant| grant.level == level).map(|grant| grant.base_unit).collect();
    RowAccess::Arms(RowArms { user, own, units: bases(Level::Local), subtrees: bases(Level::Deep), shared, reports })
}
