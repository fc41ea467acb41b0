//! Where a row that does not exist yet will stand, and whether a privilege reaches there.

use custodia_schema::{Guid, Level, RowSecurity, Table};

use crate::{Grant, OwnerFacts, UnitPath};

/// Where a new row will stand: what takes the place of its owner and unit when Create (and Append) are judged. Which
/// variant fits follows from the table's [`RowSecurity`]; any other is refused.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// An owned row that the acting user will own, in the user's unit.
    Caller,
    /// An owned row of this owner, in the owner's unit.
    Owner(&'a OwnerFacts),
    /// An owned row of this owner that is put into another unit than the owner's (with ownership across units).
    OwnerIn(&'a OwnerFacts, &'a UnitPath),
    /// A row that sits in a unit: a user, a team, a role. A new business unit sits in its parent unit.
    Unit(&'a UnitPath),
    /// A row of a table that the organisation owns.
    Organization,
    /// A line or an intersect row: whether the caller reaches its parent (with what [`crate::Authority::rows`] answered for
    /// Create), or both its ends.
    Following {
        /// Reached.
        reached: bool,
    },
}

impl Place<'_> {
    /// Whether it is a place of that table's kind.
    pub(crate) fn fits(&self, table: &Table) -> bool {
        match table.security {
            RowSecurity::Owned { .. } => matches!(self, Self::Caller | Self::Owner(_) | Self::OwnerIn(..)),
            RowSecurity::Unit { .. } => matches!(self, Self::Unit(_)),
            RowSecurity::Organization => matches!(self, Self::Organization),
            RowSecurity::Parent { .. } | RowSecurity::Intersect => matches!(self, Self::Following { .. }),
        }
    }

    /// Whether grants of `user` reach this place; `acting` is the user in whose name the row is made.
    ///
    /// For the acting user's own rows any grant does that is not limited to a team's rows; a calling user behind the
    /// acting one then needs the privilege alone, at any level (docs/security-choices.md).
    pub(crate) fn reached_by(&self, grants: &[Grant], user: Guid, acting: Guid) -> bool {
        match self {
            Self::Caller => user != acting || grants.iter().any(|grant| grant.team_only.is_none()),
            Self::Owner(owner) if owner.id() == acting => Self::Caller.reached_by(grants, user, acting),
            Self::Owner(owner) => grants.iter().any(|grant| covers_owner(grant, user, owner)),
            Self::OwnerIn(owner, unit) => {
                Self::Owner(owner).reached_by(grants, user, acting)
                    && grants.iter().any(|grant| covers_unit(grant, unit))
            }
            Self::Unit(unit) => grants.iter().any(|grant| covers_unit(grant, unit)),
            Self::Organization => !grants.is_empty(),
            Self::Following { reached } => *reached,
        }
    }
}

/// Basic: the user's own rows and those of the user's teams, or of the one team the grant is limited to. Higher levels
/// contain Basic and add the rows whose owner sits in reach.
fn covers_owner(grant: &Grant, user: Guid, owner: &OwnerFacts) -> bool {
    match grant.team_only {
        Some(team) => owner.id() == team,
        None => owner.id() == user || owner.members.contains(&user) || covers_unit(grant, &owner.unit),
    }
}

pub(crate) fn covers_unit(grant: &Grant, unit: &UnitPath) -> bool {
    match grant.level {
        Level::Basic => false,
        Level::Local => unit.unit == grant.base_unit,
        Level::Deep => unit.is_within(grant.base_unit),
        Level::Global => true,
    }
}
