//! Which rows a privilege reaches, in terms a statement can carry.

use custodia_schema::{ColumnId, Guid, TableId};

use crate::RightsMask;

/// Which rows of a table a caller reaches with one privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowAccess {
    /// Every row.
    All,
    /// Rows that satisfy at least one arm.
    Arms(RowArms),
    /// Rows whose parent row is reached: the first of these lookups that is not null decides.
    Parent(Vec<ParentAccess>),
    /// Rows reached by every one of these (a caller acting for another user).
    Every(Vec<RowAccess>),
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

/// The ways to reach a row that is neither open to everybody nor closed: any one suffices (security-model.md §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowArms {
    /// The caller.
    pub user: Guid,
    /// By ownership.
    pub own: Own,
    /// Business units whose rows are reached, by the row's own unit.
    pub units: Vec<Guid>,
    /// Business units whose rows are reached together with those of all units below.
    pub subtrees: Vec<Guid>,
    /// A share to the caller or to one of the caller's teams that contains this right; `None` where the table has no shares.
    pub shared: Option<RightsMask>,
}

/// Which owners' rows are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Rows owned by the caller or by a team of the caller (joined through the membership table, not listed).
    UserAndTeams,
    /// Only rows owned by these teams: the privilege comes from team roles that give team privileges only, at Basic level.
    Teams(Vec<Guid>),
    /// The one row that stands for the caller (a user's own user row).
    Self_,
    /// None: the table has no owners.
    Nobody,
}
