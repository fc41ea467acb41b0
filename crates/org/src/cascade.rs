//! The children of a record, as cascades select them.

use std::sync::Arc;

use custodia_query::{Query, Related};
use custodia_schema::{AssignCascade, Guid, OneToMany, Table, TableId, Value};
use custodia_store::{RowKey, StoredRow};

use crate::assign::owner_of;
use crate::error::{Error, Result};
use crate::writing::Writing;

impl Writing<'_> {
    /// Counts a record that goes with another one, of all that the request's changes take along.
    pub(crate) fn count_cascaded(&mut self, table: &Table) -> Result<()> {
        let limit = self.shared.limits.cascade_rows as usize;
        self.cascaded = self.cascaded.saturating_add(1);
        if self.cascaded <= limit {
            return Ok(());
        }
        Err(Error::TooManyDependents { table: table.name.clone(), limit })
    }

    /// The children of a row over one relationship that a cascade setting selects. `former` is the owner the parent had.
    pub(crate) async fn children(
        &mut self,
        relationship: &OneToMany,
        parent: Guid,
        cascade: AssignCascade,
        former: Option<Guid>,
    ) -> Result<Vec<StoredRow>> {
        if cascade == AssignCascade::None {
            return Ok(Vec::new());
        }
        let table = self.table(relationship.referencing)?;
        let all = self.all_children(&table, relationship, parent).await?;
        Ok(all
            .into_iter()
            .filter(|child| match cascade {
                AssignCascade::None => false,
                AssignCascade::All => true,
                AssignCascade::Active => table.state().is_none_or(|state| *child.get(state.id) == Value::Integer(0)),
                AssignCascade::UserOwned => owner_of(&table, child) == former,
            })
            .collect())
    }

    /// All children of a row over one relationship.
    pub(crate) async fn all_children(
        &mut self,
        table: &Arc<Table>,
        relationship: &OneToMany,
        parent: Guid,
    ) -> Result<Vec<StoredRow>> {
        let limit = self.shared.limits.cascade_rows;
        let ids = self.child_ids(table, relationship, parent, limit.saturating_add(1)).await?;
        if ids.len() > limit as usize {
            return Err(Error::TooManyDependents { table: table.name.clone(), limit: limit as usize });
        }
        let mut children = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(child) = self.transaction.fetch(table, &RowKey::Id(id), &[]).await? {
                children.push(child);
            }
        }
        Ok(children)
    }

    /// Ids of the children over one relationship, at most `limit`. A table that nobody used yet has none.
    pub(crate) async fn child_ids(
        &mut self,
        table: &Table,
        relationship: &OneToMany,
        parent: Guid,
        limit: u32,
    ) -> Result<Vec<Guid>> {
        let related = Related::ByLookup {
            lookup: relationship.referencing_column,
            parent,
            parent_table: relationship.referenced,
        };
        let query = Query { related: Some(related), top: Some(limit), ..Query::of(table, limit) };
        self.platform_ids("cascade", &query).await
    }

    /// The table a lookup value points into and the row, if it points anywhere.
    pub(crate) fn pointed(value: &Value) -> Option<(TableId, Guid)> {
        match value {
            Value::Lookup(table, id) => Some((*table, *id)),
            _ => None,
        }
    }
}
