//! Which tables a database has.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::TableId;

use crate::sql::Tables;

/// The tables of a database as of some metadata version. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownTables {
    made: Arc<HashSet<TableId>>,
    shared: Arc<HashSet<TableId>>,
}

impl KnownTables {
    /// Those that exist, and those of which some row was ever shared.
    pub(crate) fn new(made: HashSet<TableId>, shared: HashSet<TableId>) -> Self {
        Self { made: Arc::new(made), shared: Arc::new(shared) }
    }

    /// The same with one more table.
    #[must_use]
    pub(crate) fn with_made(&self, table: TableId) -> Self {
        Self { made: with(&self.made, table), shared: Arc::clone(&self.shared) }
    }

    /// The same where some row of a table is shared now.
    #[must_use]
    pub(crate) fn with_shared(&self, table: TableId) -> Self {
        Self { made: Arc::clone(&self.made), shared: with(&self.shared, table) }
    }
}

impl Tables for KnownTables {
    fn exists(&self, table: TableId) -> bool {
        self.made.contains(&table)
    }

    fn has_shares(&self, table: TableId) -> bool {
        self.shared.contains(&table)
    }
}

fn with(tables: &HashSet<TableId>, table: TableId) -> Arc<HashSet<TableId>> {
    let mut grown = HashSet::clone(tables);
    grown.insert(table);
    Arc::new(grown)
}
