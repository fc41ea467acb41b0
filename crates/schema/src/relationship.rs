//! How tables hang together.

use crate::{ColumnId, TableId};

/// What assign, share, unshare and reparent of a parent do to its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignCascade {
    /// Nothing.
    None,
    /// All children.
    All,
    /// Children whose state is active (state 0).
    Active,
    /// Children owned by the owner the parent had before.
    UserOwned,
}

/// What deleting a parent does to its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteCascade {
    /// Children lose the link.
    RemoveLink,
    /// Children are deleted too.
    Cascade,
    /// The delete is refused while children exist.
    Restrict,
    /// Nothing happens; the platform keeps the column in order by other means.
    None,
}

/// What merging two parents does to the children of the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeCascade {
    /// They move to the greater.
    Cascade,
    /// They stay.
    None,
}

/// The cascades of one relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cascade {
    /// On assign.
    pub assign: AssignCascade,
    /// On share.
    pub share: AssignCascade,
    /// On revoke.
    pub unshare: AssignCascade,
    /// On setting the link.
    pub reparent: AssignCascade,
    /// On delete.
    pub delete: DeleteCascade,
    /// On merge.
    pub merge: MergeCascade,
}

/// One parent, many children: a lookup column of `referencing` that points at `referenced`.
/// A polymorphic lookup has one relationship per target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneToMany {
    /// Schema name, unique.
    pub name: String,
    /// The parent table.
    pub referenced: TableId,
    /// The child table.
    pub referencing: TableId,
    /// The lookup column of the child table.
    pub referencing_column: ColumnId,
    /// Cascades.
    pub cascade: Cascade,
    /// Name of the collection on the parent (`contact_customer_accounts`).
    pub collection_navigation: String,
    /// Name of the single value on the child (`parentcustomerid_account`).
    pub lookup_navigation: String,
    /// The relationship that hierarchy operators follow.
    pub hierarchical: bool,
}

/// Many on both sides, through an intersect table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManyToMany {
    /// Schema name, unique.
    pub name: String,
    /// The intersect table.
    pub intersect: TableId,
    /// One side.
    pub first: TableId,
    /// Column of the intersect that holds the first side's id.
    pub first_column: ColumnId,
    /// The other side.
    pub second: TableId,
    /// Column of the intersect that holds the second side's id.
    pub second_column: ColumnId,
    /// Name of the collection of second rows on a first row.
    pub first_navigation: String,
    /// Name of the collection of first rows on a second row.
    pub second_navigation: String,
}
