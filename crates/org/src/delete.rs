//! Removing a record and what goes with it.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_access::Permit;
use custodia_query::{Filter, Query};
use custodia_schema::{ColumnId, DeleteCascade, Guid, PrivilegeKind, Table, TableId, Value};
use custodia_store::{AuditOperation, AuditedChange, RowKey, StoredRow};

use crate::administration::is_kept_team;
use crate::audit_detail::action;
use crate::create::is_stamp;
use crate::error::{Error, Result};
use crate::input::{Precondition, Reference};
use crate::link::end_of;
use crate::share::parents;
use crate::update::check_version;
use crate::writing::{Draft, Writing};

/// What a delete will do, gathered before anything is changed: Restrict is tested first.
#[derive(Default)]
struct Plan {
    /// Rows to remove, parents before children.
    removed: Vec<Removal>,
    /// Links to clear: table, row, column.
    unlinked: Vec<(Arc<Table>, StoredRow, ColumnId, Permit)>,
    met: HashSet<(TableId, Guid)>,
}

/// A row to remove.
struct Removal {
    table: Arc<Table>,
    row: StoredRow,
    permit: Permit,
    /// It is a part of a row before it, and not told of by itself.
    is_part: bool,
}

impl Writing<'_> {
    /// Removes a record. Children are removed or lose their link as their relationships say, without a check of their
    /// own; dependents with Restrict refuse the whole delete.
    pub(crate) async fn delete(&mut self, target: &Reference, when: Precondition) -> Result<()> {
        let table = self.table(target.table)?;
        let stored = self.fetch_for(&table, &target.key, PrivilegeKind::Delete).await?;
        let permit = self.permit_on(&table, PrivilegeKind::Delete, stored.reaches(0))?;
        check_version(&table, &stored, when)?;
        self.before_delete(&table, &stored).await?;
        self.before_cutting(&table, &stored).await?;
        self.remove(&table, stored, permit).await
    }

    /// Removes a row that may be removed, and what goes with it.
    pub(crate) async fn remove(&mut self, table: &Arc<Table>, row: StoredRow, permit: Permit) -> Result<()> {
        let removed = self.remove_with_dependents(table, row, permit).await;
        removed.map_err(|error| match error {
            Error::TooManyDependents { limit, .. } => Error::CascadeTooLarge { table: table.name.clone(), limit },
            other => other,
        })
    }

    async fn remove_with_dependents(&mut self, table: &Arc<Table>, row: StoredRow, permit: Permit) -> Result<()> {
        self.account_parents.forget();
        let mut plan = Plan::default();
        self.plan_delete(table, row, permit, &mut plan).await?;
        let Plan { removed, unlinked, met } = plan;
        self.cascaded += (removed.len() + unlinked.len()).saturating_sub(1);
        for (table, row, column, permit) in unlinked {
            if !met.contains(&(table.id, row.id)) {
                self.clear_link(&table, &row, column, permit).await?;
            }
        }
        // Children first, so that at no moment a row points at one that is gone.
        for Removal { table, row, permit, is_part } in removed.into_iter().rev() {
            if !is_part {
                // A part has none of its own: an activity is shared in one with its row of all activities.
                self.remove_shares(&table, row.id).await?;
            }
            self.remove_links(&table, row.id, &met).await?;
            self.transaction.delete(permit, &table, &row)?;
            let last = row
                .values()
                .iter()
                .filter(|(column, old)| !old.is_null() && table.column_by_id(*column).is_some_and(|c| !is_stamp(c)))
                .map(|(column, old)| AuditedChange { column: *column, old: old.clone(), new: Value::Null })
                .collect();
            if !is_part {
                self.audit(&table, row.id, AuditOperation::Delete, action::DELETE, last, None).await?;
            }
            self.after_delete(&table, row.id).await?;
        }
        Ok(())
    }

    /// A row of an intersect is a link: what taking the link away asks for is asked here too.
    async fn before_cutting(&mut self, table: &Table, row: &StoredRow) -> Result<()> {
        let links: Vec<_> =
            self.schema.many_to_many().iter().filter(|link| link.intersect == table.id).cloned().collect();
        for link in links {
            let ends = (row.get(link.first_column).guid(), row.get(link.second_column).guid());
            if let (Some(first), Some(second)) = ends {
                self.before_unlink(&link, &[(link.first_column, first), (link.second_column, second)]).await?;
            }
        }
        Ok(())
    }

    async fn plan_delete(&mut self, table: &Arc<Table>, row: StoredRow, permit: Permit, plan: &mut Plan) -> Result<()> {
        plan.met.insert((table.id, row.id));
        plan.removed.push(Removal { table: Arc::clone(table), row, permit, is_part: false });
        let schema = Arc::clone(&self.schema);
        let limit = self.shared.limits.cascade_rows;
        let mut next = 0;
        while let Some((table, id)) = plan.removed.get(next).map(|next| (Arc::clone(&next.table), next.row.id)) {
            for (table, row) in self.parts(&table, id).await? {
                if plan.met.insert((table.id, row.id)) {
                    let permit = self.platform_permit("part of a record", &table, PrivilegeKind::Delete)?;
                    plan.removed.push(Removal { table, row, permit, is_part: true });
                }
            }
            for relationship in schema.children_of(table.id) {
                let cascade = relationship.cascade.delete;
                if cascade == DeleteCascade::None {
                    continue;
                }
                let child_table = self.table(relationship.referencing)?;
                if cascade == DeleteCascade::Restrict {
                    let ids = self.child_ids(&child_table, relationship, id, limit).await?;
                    if ids.iter().any(|child| !plan.is_removed(child_table.id, *child)) {
                        return Err(Error::Restricted { table: table.name.clone(), by: child_table.name.clone() });
                    }
                    continue;
                }
                for child in self.all_children(&child_table, relationship, id).await? {
                    let permit = plan.removed.get(next).and_then(|next| next.permit.cascade(relationship));
                    let permit = permit.ok_or_else(|| Error::Invalid("a cascade was not authorised".to_owned()))?;
                    if cascade == DeleteCascade::RemoveLink {
                        let column = relationship.referencing_column;
                        plan.unlinked.push((Arc::clone(&child_table), child, column, permit));
                    } else if plan.met.insert((child_table.id, child.id)) {
                        if child_table.name == "team" && !is_kept_team(&child_table, &child) {
                            // A team may own records, which nobody would own then.
                            self.before_delete(&child_table, &child).await?;
                        }
                        let table = Arc::clone(&child_table);
                        plan.removed.push(Removal { table, row: child, permit, is_part: false });
                    }
                }
            }
            next += 1;
            if self.cascaded + plan.removed.len() + plan.unlinked.len() > limit as usize {
                return Err(Error::TooManyDependents { table: table.name.clone(), limit: limit as usize });
            }
        }
        Ok(())
    }

    pub(crate) async fn clear_link(
        &mut self,
        table: &Arc<Table>,
        row: &StoredRow,
        column: ColumnId,
        permit: Permit,
    ) -> Result<()> {
        let mut changes = Draft::default();
        changes.set(column, Value::Null);
        self.stamp_modified(table, &mut changes);
        let old = row.get(column).clone();
        self.transaction.update(permit, table, row.id, changes.into_values())?;
        if parents(&self.schema, table).any(|relationship| relationship.referencing_column == column) {
            self.unsettled.push((table.id, row.id));
        }
        let change = AuditedChange { column, old, new: Value::Null };
        self.audit(table, row.id, AuditOperation::Update, action::UPDATE, vec![change], None).await
    }

    /// Removes the N:N links of a row that goes, but for those that go as records by themselves: members of a list and items of
    /// a campaign are both.
    pub(crate) async fn remove_links(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        removed: &HashSet<(TableId, Guid)>,
    ) -> Result<()> {
        let links: Vec<_> = self.schema.links_of(table.id).cloned().collect();
        let mut cut = HashSet::new();
        for link in links {
            let intersect = self.table(link.intersect)?;
            if !self.transaction.has_table(intersect.id) {
                continue;
            }
            let mut sides = Vec::new();
            if link.first == table.id {
                sides.push(link.first_column);
            }
            if link.second == table.id {
                sides.push(link.second_column);
            }
            for side in sides {
                let end = end_of(&intersect, side, table.id, id);
                for row in self.rows_between(&intersect, &[(side, end)]).await? {
                    // Several relationships may share an intersect, and then find the same rows.
                    if removed.contains(&(intersect.id, row.id)) || !cut.insert((intersect.id, row.id)) {
                        continue;
                    }
                    let permit = self.platform_permit("remove link", &intersect, PrivilegeKind::Delete)?;
                    self.transaction.delete(permit, &intersect, &row)?;
                    self.audit_right_lost(&link, &row).await?;
                }
            }
        }
        Ok(())
    }

    /// Rows of an intersect with these ids in these columns.
    pub(crate) async fn intersect_rows(
        &mut self,
        intersect: &Arc<Table>,
        ids: &[(ColumnId, Guid)],
    ) -> Result<Vec<StoredRow>> {
        let ends: Vec<_> = ids.iter().map(|(column, id)| (*column, Value::Guid(*id))).collect();
        self.rows_between(intersect, &ends).await
    }

    /// Rows of an intersect with these ends, as [`end_of`](crate::link::end_of) gives them.
    pub(crate) async fn rows_between(
        &mut self,
        intersect: &Arc<Table>,
        ends: &[(ColumnId, Value)],
    ) -> Result<Vec<StoredRow>> {
        let tests = ends.iter().map(|(column, end)| Filter::equal(*column, end.clone()));
        let query =
            Query { filter: Filter::And(tests.collect()), ..Query::of(intersect, self.shared.limits.cascade_rows) };
        let mut found = Vec::new();
        for id in self.platform_ids("links of a record", &query).await? {
            found.extend(self.transaction.fetch(intersect, &RowKey::Id(id), &[]).await?);
        }
        Ok(found)
    }
}

impl Plan {
    fn is_removed(&self, table: TableId, id: Guid) -> bool {
        self.met.contains(&(table, id))
    }
}
