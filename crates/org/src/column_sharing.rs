//! Sharing one column of one record: who may give what to whom, and what of it counts in an update
//! (security model 8.5). Reading is the statement's matter.

use std::sync::Arc;

use custodia_access::decides_rows;
use custodia_query::{Filter, Query};
use custodia_schema::{Column, ColumnId, Guid, PrivilegeKind, Table, TableId, Value, column_description_id};
use custodia_store::{RowKey, StoredRow};

use crate::error::{Error, Result, refusal};
use crate::model::{self, column};
use crate::writing::{Draft, Writing};

/// The table of what was shared of single columns of single records.
pub(crate) const COLUMN_SHARES: &str = "principalobjectattributeaccess";

/// Columns of a share that stay as they were made.
const FIXED: [&str; 3] = ["objectid", "attributeid", "principalid"];

/// Shares of one column that are looked at in one step; more of one record belong into a team.
const SHARES_MAX: u32 = 10_000;

/// One share of a column as it is to be.
struct ColumnShare {
    table: TableId,
    record: Guid,
    attribute: Guid,
    principal: Guid,
    reads: bool,
    updates: bool,
}

impl ColumnShare {
    /// What the columns of a share say; `value` gives the value of one.
    fn of(value: impl Fn(&str) -> Value) -> Result<Self> {
        let needed = |name: &str| Error::Invalid(format!("a share of a column needs '{name}'"));
        let Value::Lookup(table, record) = value("objectid") else { return Err(needed("objectid")) };
        let attribute = value("attributeid").guid().ok_or_else(|| needed("attributeid"))?;
        let principal = value("principalid").guid().ok_or_else(|| needed("principalid"))?;
        let is_on = |name: &str| value(name) == Value::Boolean(true);
        Ok(Self { table, record, attribute, principal, reads: is_on("readaccess"), updates: is_on("updateaccess") })
    }

    /// The secured column that is shared.
    fn column<'t>(&self, table: &'t Table) -> Result<&'t Column> {
        let mut columns = table.columns().iter();
        let found = columns.find(|column| column_description_id(table, column) == self.attribute);
        let found = found.ok_or_else(|| {
            Error::Invalid(format!("'attributeid': table '{}' has no column of that MetadataId", table.name))
        })?;
        if found.secured && decides_rows(table, found.id) {
            return Err(Error::refused(
                refusal::COLUMN_NOT_SECURED,
                format!(
                    "column '{}' decides who reaches a record of '{}'; it cannot be shared by itself",
                    found.name, table.name
                ),
            ));
        }
        if found.secured {
            return Ok(found);
        }
        Err(Error::refused(
            refusal::COLUMN_NOT_SECURED,
            format!("column '{}' of table '{}' is not secured, so there is nothing to share", found.name, table.name),
        ))
    }
}

impl Writing<'_> {
    /// That a column of a record may be shared like this.
    pub(crate) async fn before_column_share(&mut self, table: &Arc<Table>, row: &Draft) -> Result<()> {
        let share = ColumnShare::of(|name| row.named(table, name).cloned().unwrap_or(Value::Null))?;
        if !share.reads && !share.updates {
            return Err(Error::refused(
                refusal::COLUMN_SHARE_EMPTY,
                "a column is shared for reading, for changing, or both: set 'readaccess' or 'updateaccess'",
            ));
        }
        self.check_column_share(&share).await?;
        self.transaction.flush().await?;
        let query = self.column_shares(share.table, share.record, share.attribute)?;
        let principal = Filter::equal(column(table, "principalid")?, Value::Guid(share.principal));
        let query = Query { filter: Filter::And(vec![query.filter.clone(), principal]), ..query };
        if self.platform_rows("shares of a column", &query).await?.is_empty() {
            return Ok(());
        }
        Err(Error::refused(
            refusal::COLUMN_SHARED_ALREADY,
            "this column of the record is shared with that user or team already; change that share",
        ))
    }

    /// That a share of a column may be changed like this.
    pub(crate) async fn before_column_share_update(
        &mut self,
        table: &Arc<Table>,
        stored: &StoredRow,
        changes: &Draft,
    ) -> Result<()> {
        for name in FIXED {
            let was = stored.get(column(table, name)?);
            if changes.named(table, name).is_some_and(|value| value.guid() != was.guid()) {
                return Err(Error::Invalid(format!(
                    "'{name}' of a share of a column does not change; make another share"
                )));
            }
        }
        let share = ColumnShare::of(|name| changes.or_stored(table, Some(stored), name))?;
        if !share.reads && !share.updates {
            return Err(Error::refused(
                refusal::COLUMN_SHARE_EMPTIED,
                "a share that neither reads nor changes is none; delete it",
            ));
        }
        self.check_column_share(&share).await
    }

    /// That a share of a column may be taken away: who may share the record may.
    pub(crate) async fn before_column_share_delete(&mut self, table: &Arc<Table>, stored: &StoredRow) -> Result<()> {
        let Value::Lookup(shared, record) = *stored.get(column(table, "objectid")?) else { return Ok(()) };
        let shared = self.table(shared)?;
        self.require_sharing(&shared, record).await
    }

    /// That the column is secured, the caller may share the record, and gives nothing of the column that the caller lacks.
    async fn check_column_share(&mut self, share: &ColumnShare) -> Result<()> {
        let shared = self.table(share.table)?;
        let shared_column = share.column(&shared)?.id;
        self.require_sharing(&shared, share.record).await?;
        Ok(self.authority.check_gives_column(&shared, shared_column, share.reads, share.updates)?)
    }

    /// That the caller may share a record; where records cannot be shared, that the caller may change it.
    async fn require_sharing(&mut self, table: &Arc<Table>, record: Guid) -> Result<()> {
        if self.authority.platform_name().is_some() {
            return Ok(());
        }
        let shares = table.privilege(PrivilegeKind::Share).is_some();
        let kind = if shares { PrivilegeKind::Share } else { PrivilegeKind::Write };
        let found = self.fetch_for(table, &RowKey::Id(record), kind).await?;
        let _checked = self.authority.permit_row(kind, table, found.reaches(0))?;
        Ok(())
    }

    /// That all columns an update of a record mentions may be changed there: profiles open them on every record, shares
    /// on single ones.
    pub(crate) async fn check_updated_columns(
        &mut self,
        table: &Arc<Table>,
        record: Guid,
        columns: impl IntoIterator<Item = ColumnId>,
    ) -> Result<()> {
        for column in columns {
            let closed: Vec<Guid> = self.authority.closed_to_update(table, column).collect();
            for user in closed {
                if !self.column_is_shared(table, record, column, user).await? {
                    self.authority.check_updated_columns(table, [column])?;
                }
            }
        }
        Ok(())
    }

    /// Whether a column of a record was shared for changing with a user or a team of theirs.
    async fn column_is_shared(&mut self, table: &Table, record: Guid, column: ColumnId, user: Guid) -> Result<bool> {
        let Some(column) = table.column_by_id(column) else { return Ok(false) };
        let shares = self.table_named(COLUMN_SHARES)?;
        let query = self.column_shares(table.id, record, column_description_id(table, column))?;
        let updates = Filter::equal(model::column(&shares, "updateaccess")?, Value::Boolean(true));
        let query = Query { filter: Filter::And(vec![query.filter.clone(), updates]), ..query };
        let principal = model::column(&shares, "principalid")?;
        let rows = self.platform_rows("shares of a column", &query.showing([principal])).await?;
        for principal in rows.iter().filter_map(|row| row.get(1).and_then(Value::guid)) {
            if principal == user || self.transaction.is_member(user, principal).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The shares of one column of one record.
    fn column_shares(&self, table: TableId, record: Guid, attribute: Guid) -> Result<Query> {
        let shares = self.table_named(COLUMN_SHARES)?;
        let filter = Filter::And(vec![
            Filter::equal(column(&shares, "objectid")?, Value::Lookup(table, record)),
            Filter::equal(column(&shares, "attributeid")?, Value::Guid(attribute)),
        ]);
        Ok(Query { filter, ..Query::of(&shares, SHARES_MAX) })
    }

    /// Takes away what was shared of a column that is no longer secured: who secures it again decides anew.
    pub(crate) async fn remove_column_shares(&mut self, table: &Table, shared: ColumnId) -> Result<()> {
        let Some(shared) = table.column_by_id(shared) else { return Ok(()) };
        let shares = self.table_named(COLUMN_SHARES)?;
        let of_column =
            Filter::equal(column(&shares, "attributeid")?, Value::Guid(column_description_id(table, shared)));
        // In pages: there is no bound on how many there are.
        loop {
            let query = Query { filter: of_column.clone(), top: Some(SHARES_MAX), ..Query::of(&shares, SHARES_MAX) };
            let ids = self.platform_ids("shares of a column", &query).await?;
            for id in &ids {
                let permit = self.platform_permit("share of a column", &shares, PrivilegeKind::Delete)?;
                self.transaction.delete(permit, &shares, &StoredRow::of(*id, Vec::new()))?;
            }
            if ids.len() < SHARES_MAX as usize {
                return Ok(());
            }
            self.transaction.flush().await?;
        }
    }
}
