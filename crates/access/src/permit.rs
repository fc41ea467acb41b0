//! The proof that a write was authorised.

use custodia_schema::{AssignCascade, DeleteCascade, OneToMany, PrivilegeKind, Table, TableId};

use crate::{Authority, Denied};

/// The proof that a write was authorised: for rows of one table and one kind of change. The store demands one for every
/// insert, update and delete, and uses it up.
///
/// Only this crate makes permits: [`Authority`]'s `permit_*` methods after a check, [`Permit::cascade`] for what a
/// relationship does to the children of a row, and [`Permit::platform`] for the platform's own callers. It cannot be
/// copied, so that one check is one write:
///
/// ```compile_fail,E0451
/// use custodia_access::Permit;
/// use custodia_schema::{PrivilegeKind, TableId};
/// let forged = Permit { table: TableId(1), kind: PrivilegeKind::Delete };
/// ```
///
/// ```compile_fail,E0599
/// fn twice(permit: custodia_access::Permit) -> [custodia_access::Permit; 2] {
///     [permit.clone(), permit]
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that nothing is written with means that the write was forgotten"]
pub struct Permit {
    table: TableId,
    kind: PrivilegeKind,
}

impl Permit {
    pub(crate) fn new(table: &Table, kind: PrivilegeKind) -> Self {
        Self { table: table.id, kind }
    }

    /// A permit without a check, for a named caller of the platform itself (a migration, a job, a row that the platform
    /// keeps for itself). Search for this name to list all such writes.
    ///
    /// # Errors
    /// When `authority` is a user's.
    pub fn platform(authority: &Authority, table: &Table, kind: PrivilegeKind) -> Result<Self, Denied> {
        match authority.platform_name() {
            Some(_) => Ok(Self::new(table, kind)),
            None => Err(Denied::NotPlatform { table: table.name.clone() }),
        }
    }

    /// What this permit lets a relationship do to the children of the row it is for: children follow their parent
    /// without a check of their own (docs/security-choices.md). `None` when the relationship does nothing on that
    /// change, or when this permit is for another table than its parent table.
    ///
    /// A delete gives Delete where children are deleted and Write where they lose the link; an assign or share gives the
    /// same where it runs along (also for Active and UserOwned, which children it touches is the caller's to select).
    #[must_use]
    pub fn cascade(&self, relationship: &OneToMany) -> Option<Self> {
        if self.table != relationship.referenced {
            return None;
        }
        let cascade = &relationship.cascade;
        let kind = match self.kind {
            PrivilegeKind::Delete => match cascade.delete {
                DeleteCascade::Cascade => PrivilegeKind::Delete,
                DeleteCascade::RemoveLink => PrivilegeKind::Write,
                DeleteCascade::Restrict | DeleteCascade::None => return None,
            },
            PrivilegeKind::Assign if cascade.assign != AssignCascade::None => PrivilegeKind::Assign,
            PrivilegeKind::Share if cascade.share != AssignCascade::None || cascade.unshare != AssignCascade::None => {
                PrivilegeKind::Share
            }
            _ => return None,
        };
        Some(Self { table: relationship.referencing, kind })
    }

    /// The table whose rows may be changed.
    #[must_use]
    pub fn table(&self) -> TableId {
        self.table
    }

    /// The change that is allowed.
    #[must_use]
    pub fn kind(&self) -> PrivilegeKind {
        self.kind
    }
}
