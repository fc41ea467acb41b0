//! Giving a record another owner, and the children that follow their parent.

use std::sync::Arc;

use custodia_access::RightsMask;
use custodia_schema::{AssignCascade, ColumnId, Guid, PrivilegeKind, RowSecurity, Table, TableId, Value};
use custodia_store::{AuditOperation, AuditedChange, StoredRow};

use crate::error::{Error, Result};
use crate::writing::{Draft, Writing};

impl Writing<'_> {
    /// Checks that the row may be given to the owner, and gives its children with it. Returns the columns of the row
    /// itself that change; the caller writes them with its other changes.
    pub(crate) async fn assign_stored(
        &mut self,
        table: &Arc<Table>,
        stored: &StoredRow,
        target: TableId,
        owner: Guid,
        may_write: bool,
        may_assign: bool,
    ) -> Result<Vec<(ColumnId, Value)>> {
        let facts = self.owner_facts(target, owner).await?;
        let facts = facts.ok_or_else(|| Error::Refused {
            code: 0x8004_0229,
            why: format!("there is no user or team {owner} that could own the record"),
        })?;
        if self.authority.platform_name().is_some() {
            custodia_access::new_owner_may_hold(&facts, table)?;
        } else {
            let mut reached = RightsMask::NONE;
            if may_write {
                reached = reached.union(RightsMask::of(PrivilegeKind::Write));
            }
            if may_assign {
                reached = reached.union(RightsMask::of(PrivilegeKind::Assign));
            }
            let _checked = self.authority.permit_assign(table, reached, &facts)?;
        }
        let mut changes = Draft::default();
        self.stamp_owner(table, &mut changes, target, owner, facts.unit.unit);
        let former = owner_of(table, stored);
        self.assign_children(table, stored.id, former, target, owner, facts.unit.unit).await?;
        self.owner_changed(table, stored.id, former, owner).await?;
        Ok(changes.into_values())
    }

    /// Gives the children that follow on assign to the same owner, and theirs.
    async fn assign_children(
        &mut self,
        table: &Arc<Table>,
        parent: Guid,
        former: Option<Guid>,
        target: TableId,
        owner: Guid,
        unit: Guid,
    ) -> Result<()> {
        let mut waiting = vec![(Arc::clone(table), parent, former)];
        let mut met = std::collections::HashSet::from([(table.id, parent)]);
        while let Some((table, parent, former)) = waiting.pop() {
            let relationships: Vec<_> = self
                .schema
                .children_of(table.id)
                .filter(|relationship| relationship.cascade.assign != AssignCascade::None)
                .cloned()
                .collect();
            for relationship in relationships {
                let child_table = self.table(relationship.referencing)?;
                let children = self.children(&relationship, parent, relationship.cascade.assign, former).await?;
                for child in children {
                    if !met.insert((child_table.id, child.id)) {
                        continue;
                    }
                    let child_owner = owner_of(&child_table, &child);
                    if child_owner != Some(owner) {
                        self.give(&child_table, &child, target, owner, unit).await?;
                        self.owner_changed(&child_table, child.id, child_owner, owner).await?;
                    }
                    waiting.push((Arc::clone(&child_table), child.id, child_owner));
                }
            }
        }
        Ok(())
    }

    /// Writes the owner of a child; it follows its parent without a check of its own (docs/security-choices.md).
    async fn give(
        &mut self,
        table: &Arc<Table>,
        child: &StoredRow,
        target: TableId,
        owner: Guid,
        unit: Guid,
    ) -> Result<()> {
        if !matches!(table.security, RowSecurity::Owned { .. }) {
            return Ok(());
        }
        let mut changes = Draft::default();
        self.stamp_owner(table, &mut changes, target, owner, unit);
        let audited = changes
            .iter()
            .filter(|(column, new)| child.get(*column) != *new)
            .map(|(column, new)| AuditedChange { column, old: child.get(column).clone(), new: new.clone() })
            .collect();
        self.stamp_modified(table, &mut changes);
        let permit = self.platform_permit("assign cascade", table, PrivilegeKind::Assign)?;
        self.transaction.update(permit, table, child.id, changes.into_values())?;
        self.audit(table, child.id, AuditOperation::Update, 13, audited, None).await
    }
}

/// The owner of a stored row, if its table has owners.
pub(crate) fn owner_of(table: &Table, row: &StoredRow) -> Option<Guid> {
    match table.security {
        RowSecurity::Owned { owner, .. } => row.get(owner).guid(),
        _ => None,
    }
}
