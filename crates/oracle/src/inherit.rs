//! Which shares a row inherits from its parents (security model 6).

use std::collections::BTreeMap;

use custodia_schema::{Guid, PrivilegeKind};

use crate::row::right_bit;
use crate::{World, WorldTable};

/// What a parent's owner inherits on a child: every right but Create.
fn owner_rights() -> u32 {
    PrivilegeKind::ALL.into_iter().filter(|kind| *kind != PrivilegeKind::Create).map(right_bit).fold(0, |a, b| a | b)
}

/// Whether sharing a parent runs along a lookup to its children, of the lookups that worlds have.
#[must_use]
pub fn shares_run_along(child: WorldTable, lookup: &str, parent: WorldTable) -> bool {
    matches!(
        (child, lookup, parent),
        (WorldTable::Account, "parentaccountid", WorldTable::Account)
            | (WorldTable::Contact, "parentcustomerid", WorldTable::Account)
            | (WorldTable::Opportunity | WorldTable::Quote, "customerid", WorldTable::Account)
            | (WorldTable::Task, "regardingobjectid", WorldTable::Account | WorldTable::Opportunity)
    )
}

/// What every child row inherits: by row and principal, the rights all its present parents give. A parent gives whoever
/// it is shared with the rights they have through shares, its owner all rights but Create, and passes on what it inherits
/// itself. A row's own owner inherits nothing on it. Entries without a right are left out.
#[must_use]
pub fn inherited_shares(world: &World) -> BTreeMap<(Guid, Guid), u32> {
    let mut inherited: BTreeMap<(Guid, Guid), u32> = BTreeMap::new();
    // Parents come before children, so what a parent inherits is known when its children ask.
    for child in &world.records {
        for lookup in &child.lookups {
            if !shares_run_along(child.table, lookup.column, lookup.table) {
                continue;
            }
            let Some(parent) = world.record(lookup.id) else { continue };
            let mut given: BTreeMap<Guid, u32> = BTreeMap::new();
            for share in world.shares.iter().filter(|share| share.record == parent.id) {
                *given.entry(share.principal).or_default() |= share.explicit;
            }
            for ((_, principal), rights) in inherited.iter().filter(|((row, _), _)| *row == parent.id) {
                *given.entry(*principal).or_default() |= rights;
            }
            if let Some(owner) = parent.owner {
                *given.entry(owner).or_default() |= owner_rights();
            }
            for (principal, rights) in given {
                if child.owner != Some(principal) && rights != 0 {
                    *inherited.entry((child.id, principal)).or_default() |= rights;
                }
            }
        }
    }
    inherited
}
