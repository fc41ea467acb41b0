//! Removing a record and what goes with it.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::{DeleteCascade, Guid, PrivilegeKind, Table, TableId, Value};
use custodia_store::{AuditOperation, AuditedChange, RowKey, StoredRow};

use crate::create::is_stamp;
use crate::error::{Error, Result};
use crate::input::{Precondition, Reference};
use crate::update::check_version;
use crate::writing::{Draft, Writing};

/// Rows that one delete removes or unlinks at most; more is work for a job.
const ROWS_MAX: usize = 20_000;

/// What a delete will do, gathered before anything is changed: Restrict is tested first.
#[derive(Default)]
struct Plan {
    /// Rows to remove, parents before children.
    removed: Vec<(Arc<Table>, StoredRow)>,
    /// Links to clear: table, row, column.
    unlinked: Vec<(Arc<Table>, StoredRow, custodia_schema::ColumnId)>,
    met: HashSet<(TableId, Guid)>,
}

impl Writing<'_> {
    /// Removes a record. Children are removed or lose their link as their relationships say, without a check of their
    /// own; dependents with Restrict refuse the whole delete.
    pub(crate) async fn delete(&mut self, target: &Reference, when: Precondition) -> Result<()> {
        let table = self.table(target.table)?;
        let access = self.authority.rows(&table, PrivilegeKind::Delete)?;
        let stored = self.transaction.fetch(&table, &target.key, std::slice::from_ref(&access)).await?;
        let stored = stored.ok_or_else(|| Self::missing(&table, &target.key))?;
        check_version(&table, &stored, when)?;
        let permit = self.permit_on(&table, PrivilegeKind::Delete, stored.reached.first() == Some(&true))?;
        self.before_delete(&table, &stored).await?;
        let mut plan = Plan::default();
        self.plan_delete(&table, stored, &mut plan).await?;
        let mut permit = Some(permit);
        for (table, row, column) in &plan.unlinked {
            if !plan.is_removed(table.id, row.id) {
                self.clear_link(table, row, *column).await?;
            }
        }
        // Children first, so that at no moment a row points at one that is gone.
        for (at, (table, row)) in plan.removed.iter().enumerate().rev() {
            let permit = match permit.take_if(|_| at == 0) {
                Some(permit) => permit,
                None => self.platform_permit("delete cascade", table, PrivilegeKind::Delete)?,
            };
            self.remove_shares(row.id).await?;
            self.remove_links(table, row.id).await?;
            self.transaction.delete(permit, table, row)?;
            let last = row
                .values()
                .iter()
                .filter(|(column, old)| !old.is_null() && table.column_by_id(*column).is_some_and(|c| !is_stamp(c)))
                .map(|(column, old)| AuditedChange { column: *column, old: old.clone(), new: Value::Null })
                .collect();
            self.audit(table, row.id, AuditOperation::Delete, 3, last, None).await?;
            self.after_delete(table, row).await?;
        }
        Ok(())
    }

    async fn plan_delete(&mut self, table: &Arc<Table>, row: StoredRow, plan: &mut Plan) -> Result<()> {
        plan.met.insert((table.id, row.id));
        plan.removed.push((Arc::clone(table), row));
        let mut next = 0;
        while let Some((table, id)) = plan.removed.get(next).map(|(table, row)| (Arc::clone(table), row.id)) {
            next += 1;
            let relationships: Vec<_> = self.schema.children_of(table.id).cloned().collect();
            for relationship in relationships {
                let cascade = relationship.cascade.delete;
                if cascade == DeleteCascade::None {
                    continue;
                }
                let child_table = self.table(relationship.referencing)?;
                if cascade == DeleteCascade::Restrict {
                    let ids = self.child_ids(&child_table, &relationship, id, ROWS_MAX as u32).await?;
                    if ids.iter().any(|child| !plan.is_removed(child_table.id, *child)) {
                        return Err(Error::Restricted { table: table.name.clone(), by: child_table.name.clone() });
                    }
                    continue;
                }
                for child in self.all_children(&child_table, &relationship, id).await? {
                    if cascade == DeleteCascade::RemoveLink {
                        plan.unlinked.push((Arc::clone(&child_table), child, relationship.referencing_column));
                    } else if plan.met.insert((child_table.id, child.id)) {
                        plan.removed.push((Arc::clone(&child_table), child));
                    }
                }
            }
            if plan.removed.len() + plan.unlinked.len() > ROWS_MAX {
                return Err(Error::Invalid(format!(
                    "deleting this record would change more than {ROWS_MAX} others; delete those first"
                )));
            }
        }
        Ok(())
    }

    async fn clear_link(
        &mut self,
        table: &Arc<Table>,
        row: &StoredRow,
        column: custodia_schema::ColumnId,
    ) -> Result<()> {
        let mut changes = Draft::default();
        changes.set(column, Value::Null);
        self.stamp_modified(table, &mut changes);
        let permit = self.platform_permit("remove link", table, PrivilegeKind::Write)?;
        let old = row.get(column).clone();
        self.transaction.update(permit, table, row.id, changes.into_values())?;
        let change = AuditedChange { column, old, new: Value::Null };
        self.audit(table, row.id, AuditOperation::Update, 2, vec![change], None).await
    }

    /// Removes the N:N links of a row that goes.
    async fn remove_links(&mut self, table: &Arc<Table>, id: Guid) -> Result<()> {
        let links: Vec<_> = self.schema.links_of(table.id).cloned().collect();
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
                for row in self.intersect_rows(&intersect, &[(side, id)]).await? {
                    let permit = self.platform_permit("remove link", &intersect, PrivilegeKind::Delete)?;
                    self.transaction.delete(permit, &intersect, &row)?;
                }
            }
        }
        Ok(())
    }

    /// Rows of an intersect with these ids in these columns.
    pub(crate) async fn intersect_rows(
        &mut self,
        intersect: &Arc<Table>,
        ids: &[(custodia_schema::ColumnId, Guid)],
    ) -> Result<Vec<StoredRow>> {
        use custodia_query::{Comparison, Field, Filter, Path, Query};
        if !self.transaction.has_table(intersect.id) {
            return Ok(Vec::new());
        }
        let tests = ids.iter().map(|(column, id)| Filter::Compare {
            path: Path::own(*column),
            operator: Comparison::Equal,
            value: Value::Guid(*id),
        });
        let query = Query {
            table: intersect.id,
            fields: vec![Field::Column(intersect.primary_id)],
            filter: Filter::And(tests.collect()),
            related: None,
            order: Vec::new(),
            top: None,
            page_size: ROWS_MAX as u32,
            after: None,
            count: false,
            expand: Vec::new(),
        };
        let authority = custodia_access::Authority::platform("links of a record");
        let rows = self.transaction.select(&query, &crate::reading::Policy(&authority)).await?;
        let mut found = Vec::new();
        for id in rows.iter().filter_map(|row| row.first().and_then(Value::guid)) {
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
