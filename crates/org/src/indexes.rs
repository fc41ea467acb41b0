//! Indexes that an organisation gives its tables for what its people ask. One never changes an answer, only how it is found.

use std::sync::Arc;

use custodia_schema::{ColumnId, Table, TableId, description_id};
use custodia_store::{
    AdviceBounds, AuditEntry, AuditOperation, IndexListed, IndexReport, OWN_INDEX_CHARACTERS_MAX,
    OWN_INDEX_COLUMNS_MAX, characters_of, is_indexable, takes_own_indexes,
};

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::customization::CUSTOMIZE;
use crate::error::{Error, Result, refusal};
use crate::organization::Organization;
use crate::writing::Writing;

impl Organization {
    /// The indexes of a table, its primary key first.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to change tables; store errors.
    pub async fn indexes(&self, caller: &Caller, table: TableId) -> Result<Vec<IndexListed>> {
        self.authority(caller).await?.check_privilege(CUSTOMIZE)?;
        Ok(self.shared.database.indexes(table).await?)
    }

    /// Refuses columns that an index of the table begins with already, before anybody waits for another one.
    ///
    /// # Errors
    /// As [`Self::add_index`] where there is such an index.
    pub async fn check_no_index(&self, caller: &Caller, table: &Table, columns: &[ColumnId]) -> Result<()> {
        refuse_present(table, &self.indexes(caller, table.id).await?, columns)
    }

    /// Makes an index over these columns of a table, in this order. While it is made nobody writes.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to change tables; [`Error::Refused`] with the code of indexes for a table or
    /// column that takes none, one that is there already, and more than the limits allow; store errors. Nothing is changed
    /// then.
    pub async fn add_index(&self, caller: &Caller, table: TableId, columns: Vec<ColumnId>) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let columns = columns.clone();
            Box::pin(async move { writing.add_index(table, &columns).await })
        })
        .await?;
        Ok(self.shared.database.reload_metadata().await?)
    }

    /// Removes an index that the organisation made.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to change tables; [`Error::Refused`] with the code of indexes where there is
    /// none of its own over these columns; store errors. Nothing is changed then.
    pub async fn remove_index(&self, caller: &Caller, table: TableId, columns: Vec<ColumnId>) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let columns = columns.clone();
            Box::pin(async move { writing.remove_index(table, &columns).await })
        })
        .await?;
        Ok(self.shared.database.reload_metadata().await?)
    }
}

impl Organization {
    /// Says which indexes would help with what was asked, and which of the organisation's own nothing uses. It tells of
    /// columns and numbers of rows, never of values.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to change tables; store errors.
    pub async fn index_report(&self, caller: &Caller, bounds: AdviceBounds) -> Result<IndexReport> {
        self.authority(caller).await?.check_privilege(CUSTOMIZE)?;
        Ok(self.shared.database.index_report(bounds).await?)
    }
}

impl Writing<'_> {
    async fn add_index(&mut self, table: TableId, columns: &[ColumnId]) -> Result<()> {
        self.authority.check_privilege(CUSTOMIZE)?;
        let table = self.table(table)?;
        check_columns(&table, columns)?;
        // Another request of the same batch may be about to change the same list.
        self.transaction.claim_alone()?;
        let there = self.transaction.indexes(&table);
        refuse_present(&table, &there, columns)?;
        let limit = self.shared.limits.own_indexes;
        let own = there.iter().filter(|index| index.own.is_some()).count();
        if own >= limit {
            return Err(Error::refused(
                refusal::INDEX_REFUSED,
                format!(
                    "table '{}' has {own} indexes of the organisation's own already, {limit} are allowed (limits.own_indexes): \
                     remove one that nothing uses",
                    table.name
                ),
            ));
        }
        if !self.transaction.add_own_index(&table, columns).await? {
            return Err(Error::refused(
                refusal::INDEX_REFUSED,
                format!("an index of table '{}' that begins with these columns was just made", table.name),
            ));
        }
        self.audit_index(&table, columns, "made");
        Ok(())
    }

    async fn remove_index(&mut self, table: TableId, columns: &[ColumnId]) -> Result<()> {
        self.authority.check_privilege(CUSTOMIZE)?;
        let table = self.table(table)?;
        if !self.transaction.remove_own_index(&table, columns).await? {
            return Err(Error::refused(
                refusal::NO_SUCH_INDEX,
                format!(
                    "table '{}' has no index of the organisation's own over {}; those that come with the program stay",
                    table.name,
                    names(&table, columns)
                ),
            ));
        }
        self.audit_index(&table, columns, "removed");
        Ok(())
    }

    fn audit_index(&mut self, table: &Arc<Table>, columns: &[ColumnId], done: &str) {
        let description = description_id("EntityMetadata", &table.name);
        let entry = self.audit_entry(table.id, description, AuditOperation::Update, action::TABLE_CHANGED);
        let detail = Some(format!("index of {} over {} {done}", table.name, names(table, columns)));
        self.transaction.audit(&AuditEntry { detail, ..entry });
    }
}

/// That an index can be over these columns.
fn check_columns(table: &Table, columns: &[ColumnId]) -> Result<()> {
    let refused = |why: String| Err(Error::refused(refusal::INDEX_REFUSED, why));
    if !takes_own_indexes(table) {
        return refused(format!("table '{}' takes no indexes of an organisation's own", table.name));
    }
    if columns.is_empty() || columns.len() > OWN_INDEX_COLUMNS_MAX {
        return refused(format!("an index is over 1 to {OWN_INDEX_COLUMNS_MAX} columns"));
    }
    for (at, id) in columns.iter().enumerate() {
        let Some(column) = table.column_by_id(*id) else {
            return Err(Error::Invalid(format!("table '{}' has no column number {id}", table.name)));
        };
        if !is_indexable(column) {
            return refused(format!(
                "column '{}' of table '{}' cannot stand in an index: long texts, several choices and files do not",
                column.name, table.name
            ));
        }
        if columns.iter().take(at).any(|earlier| earlier == id) {
            return refused(format!("column '{}' is named twice", column.name));
        }
    }
    let characters = characters_of(table, columns);
    if characters > OWN_INDEX_CHARACTERS_MAX {
        return refused(format!(
            "the texts of these columns have up to {characters} characters together, and an index takes \
             {OWN_INDEX_CHARACTERS_MAX}: leave one out"
        ));
    }
    Ok(())
}

fn names(table: &Table, columns: &[ColumnId]) -> String {
    let known: Vec<_> =
        columns.iter().filter_map(|id| table.column_by_id(*id)).map(|column| column.name.as_str()).collect();
    known.join(", ")
}

fn refuse_present(table: &Table, there: &[IndexListed], columns: &[ColumnId]) -> Result<()> {
    if !there.iter().any(|index| index.begins_with(columns) && !index.only_set) {
        return Ok(());
    }
    let names = columns.iter().filter_map(|id| table.column_by_id(*id)).map(|column| column.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    Err(Error::refused(
        refusal::INDEX_REFUSED,
        format!("an index of table '{}' begins with {names} already", table.name),
    ))
}
