//! Indexes that an organisation gives its tables for what its people ask: beside the standard ones, kept as a setting, and so
//! in copies of the organisation, on every node and for later programs. An index never changes an answer.
//!
//! One is made or removed in the transaction that notes it. Where a copy came row by row, those that are noted and not
//! there are made when the database is opened.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::{Column, ColumnId, ColumnKind, Schema, Table, TableId};

use crate::database::Database;
use crate::layer::{OWN_INDEXES, OwnIndex, own_indexes_bytes, own_indexes_of};
use crate::link::Link;
use crate::sql::physical_indexes::{select_index_bytes, select_index_names};
use crate::sql::{self, Dialect, SHARES, Tables, internal};
use crate::tables::KnownTables;
use crate::transaction::Transaction;
use crate::{Error, Result};

/// Indexes of an organisation's own on one table at most: each costs every insert.
pub const OWN_INDEXES_PER_TABLE_MAX: usize = 8;
/// Columns of such an index at most, beside those that every list index ends in.
pub const OWN_INDEX_COLUMNS_MAX: usize = 4;
/// Characters that the texts of one index may have together: PostgreSQL refuses an entry of more than 2,704 bytes.
pub const OWN_INDEX_CHARACTERS_MAX: u32 = 450;

/// An index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexListed {
    /// The table.
    pub table: TableId,
    /// What the engine calls it.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<ColumnId>,
    /// No two rows have the same values in them.
    pub unique: bool,
    /// It holds only rows in which the first column is set.
    pub only_set: bool,
    /// The leading columns that the organisation gave, where it is one of its own.
    pub own: Option<Vec<ColumnId>>,
    /// Bytes of its pages; `None` where the table does not exist yet or the engine does not tell.
    pub bytes: Option<u64>,
}

impl IndexListed {
    /// The indexes that a table has, or would have once it is made; without sizes.
    pub(crate) fn of(dialect: Dialect, schema: &Schema, table: &Table) -> impl Iterator<Item = Self> {
        let mut own = table.own_indexes.iter();
        sql::named_indexes(dialect, schema, table).into_iter().map(move |(name, index, is_own)| Self {
            table: table.id,
            name,
            columns: index.columns,
            unique: index.unique,
            only_set: index.only_set,
            own: is_own.then(|| own.next().map(|index| index.columns.clone())).flatten(),
            bytes: None,
        })
    }

    /// Whether it begins with these columns in this order.
    #[must_use]
    pub fn begins_with(&self, columns: &[ColumnId]) -> bool {
        self.columns.starts_with(columns)
    }
}

/// Whether an organisation may give a table indexes: one that rows of records are stored in.
#[must_use]
pub fn takes_own_indexes(table: &Table) -> bool {
    table.name != SHARES && !sql::audit_view::is_view(table) && !table.is_intersect
}

/// Whether values of a column can stand in an index: not long texts, several choices, or what no row stores.
#[must_use]
pub fn is_indexable(column: &Column) -> bool {
    match column.kind {
        ColumnKind::Text { max_length, .. } => max_length <= OWN_INDEX_CHARACTERS_MAX,
        ColumnKind::Memo { .. } | ColumnKind::Choices { .. } => false,
        _ => column.kind.is_stored(),
    }
}

/// Characters that the texts of these columns may have together.
#[must_use]
pub fn characters_of(table: &Table, columns: &[ColumnId]) -> u32 {
    let known = columns.iter().filter_map(|id| table.column_by_id(*id));
    known
        .map(|column| match column.kind {
            ColumnKind::Text { max_length, .. } => max_length,
            _ => 0,
        })
        .fold(0, u32::saturating_add)
}

impl Database {
    /// The indexes of a table, its primary key first, with the sizes of those that are there.
    ///
    /// # Errors
    /// Store errors.
    pub async fn indexes(&self, table: TableId) -> Result<Vec<IndexListed>> {
        let schema = self.schema();
        let Some(found) = schema.table(table).filter(|found| !sql::audit_view::is_view(found)) else {
            return Ok(Vec::new());
        };
        let mut listed: Vec<_> = IndexListed::of(self.dialect(), &schema, found).collect();
        if self.has_table(table) {
            for index in &mut listed {
                let statement = select_index_bytes(self.dialect(), &index.name);
                let bytes = self.internal_rows(&statement, |row| Some(row.integer(0))).await?;
                index.bytes = bytes.first().copied().flatten().and_then(|bytes| u64::try_from(bytes).ok());
            }
        }
        Ok(listed)
    }
}

impl Transaction {
    /// The indexes that this organisation made, by their leading columns.
    async fn own_indexes(&mut self) -> Result<Vec<OwnIndex>> {
        let kept =
            self.internal_rows(&internal::select_setting(OWN_INDEXES), |row| Some(row.bytes(0)?.to_vec())).await?;
        own_indexes_of(kept.into_iter().next())
    }

    /// The indexes that a table has now, without sizes.
    #[must_use]
    pub fn indexes(&self, table: &Table) -> Vec<IndexListed> {
        IndexListed::of(self.dialect(), self.schema(), table).collect()
    }

    /// Makes an index, and notes it; `false` when one of the organisation's own begins with these columns by now. What it is over
    /// must have been checked. The caller has the database reload its metadata after the commit.
    ///
    /// # Errors
    /// [`crate::Error::Timeout`] where there are too many rows for one statement; store errors. Nothing is kept then.
    pub async fn add_own_index(&mut self, table: &Arc<Table>, columns: &[ColumnId]) -> Result<bool> {
        self.claim_alone()?;
        let mut indexes = self.own_indexes().await?;
        // The tables that this request knows are those from before its batch, in which another one may have made the same.
        if indexes.iter().any(|(of, over)| *of == table.id && over.starts_with(columns)) {
            return Ok(false);
        }
        indexes.push((table.id, columns.to_vec()));
        indexes.sort();
        if self.has_table(table.id) {
            self.define(&sql::create_own_index(self.dialect(), table, columns)).await?;
        }
        self.keep_own_indexes(&indexes);
        Ok(true)
    }

    /// Removes an index; whether there was one of these columns.
    ///
    /// # Errors
    /// Store errors. Nothing is changed then.
    pub async fn remove_own_index(&mut self, table: &Arc<Table>, columns: &[ColumnId]) -> Result<bool> {
        self.claim_alone()?;
        let mut indexes = self.own_indexes().await?;
        let before = indexes.len();
        indexes.retain(|(of, over)| *of != table.id || over != columns);
        if indexes.len() == before {
            return Ok(false);
        }
        if self.has_table(table.id) {
            self.define(&sql::drop_own_index(table, columns)).await?;
        }
        self.keep_own_indexes(&indexes);
        Ok(true)
    }

    fn keep_own_indexes(&mut self, indexes: &[OwnIndex]) {
        self.put_setting(OWN_INDEXES, own_indexes_bytes(indexes));
        self.indexes_changed();
    }
}

/// Makes the indexes that an organisation noted and that are not there: a copy came row by row. One that cannot be made
/// is told of on the log, and the database opens without it; where somebody else writes for long, without all that are left.
pub(crate) async fn make_missing(link: &Link, schema: &Schema, made: &KnownTables) -> Result<()> {
    let dialect = link.dialect();
    let own = schema.tables().iter().filter(|table| !table.own_indexes.is_empty() && made.exists(table.id));
    let wanted: Vec<_> = own.flat_map(|table| sql::create_own_indexes(dialect, table)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let names = crate::link::rows(link, &select_index_names(dialect), |row| Some(row.text(0)?.to_owned())).await?;
    let there: HashSet<_> = names.into_iter().collect();
    for (name, sql) in wanted.into_iter().filter(|(name, _)| !there.contains(name)) {
        match make_one(link, &sql).await {
            Ok(()) => tracing::info!(index = %name, "an index of the organisation's own was made"),
            Err(error) => {
                tracing::warn!(index = %name, %error, "an index of the organisation's own could not be made");
                if matches!(error, Error::Timeout { .. }) {
                    break;
                }
            }
        }
    }
    Ok(())
}

async fn make_one(link: &Link, sql: &str) -> Result<()> {
    link.begin_unlimited().await?;
    // Another node may have been faster.
    let step = link.run(&sql.replacen(" INDEX ", " INDEX IF NOT EXISTS ", 1)).await;
    link.end_unlimited(step).await
}

#[cfg(test)]
pub(crate) mod tests;
