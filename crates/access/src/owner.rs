//! Who is to own a row, and whether that is possible.

use std::sync::Arc;

use custodia_schema::{Guid, PrivilegeKind, Table};

use crate::{Denied, Rights};

/// What a new owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerKind {
    /// A user.
    User,
    /// A team that may hold roles: owner team or directory group.
    Team,
    /// An access team, which owns nothing.
    AccessTeam,
}

/// A business unit and the way up from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPath {
    /// The unit.
    pub unit: Guid,
    /// All units above it, in any order; empty for the root.
    pub above: Vec<Guid>,
    /// The unit is disabled.
    pub disabled: bool,
}

impl UnitPath {
    /// Whether the unit lies in the subtree under `top`, itself included.
    #[must_use]
    pub fn is_within(&self, top: Guid) -> bool {
        self.unit == top || self.above.contains(&top)
    }
}

/// What the store read about the user or team that is to own a row.
#[derive(Clone, Debug)]
pub struct OwnerFacts {
    /// What it is.
    pub kind: OwnerKind,
    /// Its unit.
    pub unit: UnitPath,
    /// Which users of the [`crate::Authority`] are members, when it is a team.
    pub members: Vec<Guid>,
    /// What it may do; carries its id. For a team: its roles, given as if assigned directly.
    pub rights: Arc<Rights>,
}

impl OwnerFacts {
    /// The owner's id.
    #[must_use]
    pub fn id(&self) -> Guid {
        self.rights.user_id()
    }
}

/// Whether this user or team may own rows of `table`: it is no access team, is enabled, sits in an enabled unit and
/// holds Read on the table at any level (security model 5.5).
///
/// # Errors
/// What stands in the way.
pub fn new_owner_may_hold(owner: &OwnerFacts, table: &Table) -> Result<(), Denied> {
    if owner.kind == OwnerKind::AccessTeam {
        return Err(Denied::OwnerIsAccessTeam { team: owner.id() });
    }
    if owner.rights.is_disabled() {
        return Err(Denied::OwnerDisabled { owner: owner.id() });
    }
    if owner.unit.disabled {
        return Err(Denied::OwnerUnitDisabled { unit: owner.unit.unit });
    }
    if owner.rights.level(table.id, PrivilegeKind::Read).is_none() {
        return Err(Denied::OwnerLacksRead {
            owner: owner.id(),
            privilege: table.privilege(PrivilegeKind::Read).map(|read| read.name.clone()).unwrap_or_default(),
            table: table.name.clone(),
        });
    }
    Ok(())
}
