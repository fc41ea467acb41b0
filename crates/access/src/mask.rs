//! The bit mask of shared rights.

use custodia_schema::PrivilegeKind;

/// Rights on one row as `principalobjectaccess` stores them (security-model.md §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct RightsMask(pub u32);

/// Text that names no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an access right; use ReadAccess, WriteAccess, AppendAccess, AppendToAccess, CreateAccess, DeleteAccess, ShareAccess or AssignAccess, joined by commas")]
pub struct RightsMaskError(pub String);

impl RightsMask {
    /// No right.
    pub const NONE: Self = Self(0);
    /// All rights that exist.
    pub const ALL: Self = Self(1 | 2 | 4 | 16 | 32 | 65_536 | 262_144 | 524_288);

    /// The bit of one privilege.
    #[must_use]
    pub fn of(kind: PrivilegeKind) -> Self {
        Self(match kind {
            PrivilegeKind::Read => 1,
            PrivilegeKind::Write => 2,
            PrivilegeKind::Append => 4,
            PrivilegeKind::AppendTo => 16,
            PrivilegeKind::Create => 32,
            PrivilegeKind::Delete => 65_536,
            PrivilegeKind::Share => 262_144,
            PrivilegeKind::Assign => 524_288,
        })
    }

    /// Whether every right of `other` is in `self`.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
