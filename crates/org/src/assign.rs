//! Giving a record another owner, and the children that follow their parent.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_access::{Permit, RightsMask};
use custodia_schema::{ColumnId, Guid, RowSecurity, Table, TableId, Value};
use custodia_store::{AuditOperation, AuditedChange, StoredRow};

use crate::audit_detail::action;
use crate::error::{Error, Result, refusal};
use crate::writing::{Draft, Writing};

impl Writing<'_> {
    /// Checks that the row, on which the caller holds these rights, may be given to the owner, and gives its children with it. Returns the columns of the row
    /// itself that change; the caller writes them with its other changes.
    pub(crate) async fn assign_stored(
        &mut self,
        table: &Arc<Table>,
        stored: &StoredRow,
        target: TableId,
        owner: Guid,
        held: RightsMask,
    ) -> Result<Vec<(ColumnId, Value)>> {
        let facts = self.owner_facts(target, owner).await?;
        let facts = facts.ok_or_else(|| {
            let why = format!("there is no user or team {owner} that could own the record");
            Error::refused(refusal::UNKNOWN_OWNER, why)
        })?;
        let permit = self.authority.permit_assign(table, held, &facts)?;
        let owner = NewOwner { table: target, id: owner, unit: facts.unit.unit };
        let mut changes = Draft::default();
        self.stamp_owner(table, &mut changes, owner.table, owner.id, owner.unit);
        let former = owner_of(table, stored);
        self.assign_children(table, stored.id, former, owner, permit).await?;
        self.owner_changed(table, stored.id, former, owner.id).await?;
        Ok(changes.into_values())
    }

    /// Gives the children that follow on assign to the same owner, and theirs.
    async fn assign_children(
        &mut self,
        table: &Arc<Table>,
        parent: Guid,
        former: Option<Guid>,
        owner: NewOwner,
        permit: Permit,
    ) -> Result<()> {
        let schema = Arc::clone(&self.schema);
        let mut waiting = vec![(Arc::clone(table), parent, former, permit)];
        let mut met = HashSet::from([(table.id, parent)]);
        while let Some((table, parent, former, permit)) = waiting.pop() {
            for relationship in schema.children_of(table.id) {
                let child_table = self.table(relationship.referencing)?;
                let children = self.children(relationship, parent, relationship.cascade.assign, former).await?;
                for child in children {
                    let (Some(to_write), Some(to_pass_on)) =
                        (permit.cascade(relationship), permit.cascade(relationship))
                    else {
                        continue;
                    };
                    if !met.insert((child_table.id, child.id)) {
                        continue;
                    }
                    self.count_cascaded(&child_table)?;
                    let child_owner = owner_of(&child_table, &child);
                    if child_owner != Some(owner.id) {
                        self.give(&child_table, &child, owner, to_write).await?;
                        self.owner_changed(&child_table, child.id, child_owner, owner.id).await?;
                        self.unsettled.push((child_table.id, child.id));
                    }
                    waiting.push((Arc::clone(&child_table), child.id, child_owner, to_pass_on));
                }
            }
        }
        Ok(())
    }

    /// Writes the owner of a child; it follows its parent without a check of its own (docs/security-choices.md).
    async fn give(&mut self, table: &Arc<Table>, child: &StoredRow, owner: NewOwner, permit: Permit) -> Result<()> {
        if !matches!(table.security, RowSecurity::Owned { .. }) {
            return Ok(());
        }
        let mut changes = Draft::default();
        self.stamp_owner(table, &mut changes, owner.table, owner.id, owner.unit);
        let audited = changes
            .iter()
            .filter(|(column, new)| child.get(*column) != *new)
            .map(|(column, new)| AuditedChange { column, old: child.get(column).clone(), new: new.clone() })
            .collect();
        self.stamp_modified(table, &mut changes);
        self.mirror_activity(table, child.id, &changes, false).await?;
        self.transaction.update(permit, table, child.id, changes.into_values())?;
        self.audit(table, child.id, AuditOperation::Update, action::ASSIGN, audited, None).await
    }
}

/// Who a row is given to, and the unit it sits in then.
#[derive(Clone, Copy)]
struct NewOwner {
    table: TableId,
    id: Guid,
    unit: Guid,
}

/// The owner of a stored row, if its table has owners.
pub(crate) fn owner_of(table: &Table, row: &StoredRow) -> Option<Guid> {
    match table.security {
        RowSecurity::Owned { owner, .. } => row.get(owner).guid(),
        _ => None,
    }
}
