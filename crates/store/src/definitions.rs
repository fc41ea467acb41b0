//! The program's forms, views and navigation as records: a table of them is filled when it is made, and brought to the
//! edition of this program when an organisation is opened (decision 0017).

use std::sync::Arc;

use custodia_access::{Authority, Permit};
use custodia_interface::{EDITION, InitialRow, initial_rows};
use custodia_schema::{ColumnId, PrivilegeKind, Table, Value};

use crate::Result;
use crate::database::Database;
use crate::sql::RowKey;
use crate::transaction::Transaction;

/// The tables whose records the program brings along.
const DEFINITION_TABLES: [&str; 3] = ["systemform", "savedquery", "sitemap"];
/// The setting that says which edition of them an organisation has: four bytes, little-endian.
const EDITION_HELD: &str = "edition of forms and views";
/// In whose name they are written.
const WRITER: &str = "forms and views of the program";

impl Transaction {
    /// Gives a table that was just made the records that it begins with.
    pub(crate) fn insert_initial(&mut self, table: &Arc<Table>) -> Result<()> {
        if !DEFINITION_TABLES.contains(&table.name.as_str()) {
            return Ok(());
        }
        let schema = Arc::clone(self.schema());
        for row in initial_rows(&schema, table) {
            self.insert_definition(table, row)?;
        }
        self.put_setting(EDITION_HELD, EDITION.to_le_bytes().to_vec());
        Ok(())
    }

    fn insert_definition(&mut self, table: &Arc<Table>, row: InitialRow) -> Result<()> {
        let permit = Permit::platform(&Authority::platform(WRITER), table, PrivilegeKind::Create)?;
        let mut values = row.values;
        values.extend(self.stamps(table, &["createdon", "modifiedon"]));
        self.insert(permit, table, row.id, values).map(drop)
    }

    /// The time of this commit in the columns of those names.
    fn stamps(&self, table: &Table, columns: &[&str]) -> Vec<(ColumnId, Value)> {
        let known = columns.iter().filter_map(|name| table.column(name));
        known.map(|column| (column.id, Value::DateTime(self.now()))).collect()
    }

    /// Adds the records that a table lacks and renews those that nobody changed.
    async fn renew_definitions(&mut self, tables: &[Arc<Table>]) -> Result<()> {
        let schema = Arc::clone(self.schema());
        for table in tables {
            let managed = table.column("ismanaged").map(|column| column.id);
            for row in initial_rows(&schema, table) {
                let Some(stored) = self.fetch(table, &RowKey::Id(row.id), &[]).await? else {
                    self.insert_definition(table, row)?;
                    continue;
                };
                let is_unchanged = managed.is_some_and(|column| *stored.get(column) == Value::Boolean(true));
                let mut changes = row.values;
                changes.retain(|(column, value)| stored.get(*column) != value);
                if is_unchanged && !changes.is_empty() {
                    changes.extend(self.stamps(table, &["modifiedon"]));
                    let permit = Permit::platform(&Authority::platform(WRITER), table, PrivilegeKind::Write)?;
                    self.update(permit, table, row.id, changes)?;
                }
            }
        }
        self.put_setting(EDITION_HELD, EDITION.to_le_bytes().to_vec());
        Ok(())
    }
}

impl Database {
    /// Brings the forms, views and navigation that an organisation has to the edition of this program. One that has none of
    /// these tables yet gets them when somebody uses them.
    ///
    /// # Errors
    /// Store errors.
    pub async fn renew_definitions(&self) -> Result<()> {
        let schema = self.schema();
        let known = DEFINITION_TABLES.iter().filter_map(|name| schema.table_named(name));
        let tables: Vec<_> = known.filter(|table| self.has_table(table.id)).cloned().collect();
        if tables.is_empty() || self.writer_needed().is_some() {
            return Ok(());
        }
        if self.setting(EDITION_HELD).await?.as_deref() == Some(&EDITION.to_le_bytes()) {
            return Ok(());
        }
        self.write(move |transaction| {
            let tables = tables.clone();
            Box::pin(async move { transaction.renew_definitions(&tables).await })
        })
        .await
    }
}
