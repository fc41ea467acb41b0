//! Questions for one record that are asked again and again.

use std::sync::Arc;

use custodia_access::{Authority, Rights};
use custodia_query::{Filter, Query};
use custodia_schema::{ColumnId, Guid, Table, Value};
use custodia_store::{Database, Reading};
use hashlink::LruCache;
use parking_lot::Mutex;

/// Users for whom one question is kept compiled, the most recent ones: some kilobytes each.
const READINGS_KEPT_MAX: usize = 16;

/// How one record of a table is asked for, again and again: what users' questions were compiled to is kept with it, since
/// that takes a quarter of the time of a short read.
pub struct RecordQuestion {
    id_column: ColumnId,
    query: Query,
    kept: Mutex<LruCache<Guid, Kept>>,
}

/// What a user's question was compiled to.
struct Kept {
    rights: Arc<Rights>,
    reading: Reading,
}

impl RecordQuestion {
    /// The question of a record of `table` that shows what `query` does; its filter is replaced.
    #[must_use]
    pub fn new(table: &Table, query: Query) -> Self {
        Self { id_column: table.primary_id, query, kept: Mutex::new(LruCache::new(READINGS_KEPT_MAX)) }
    }

    /// What it shows of a record.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The query for one record.
    pub(crate) fn of(&self, id: Guid) -> Query {
        Query { filter: Filter::equal(self.id_column, Value::Guid(id)), ..self.query.clone() }
    }

    /// What is kept for a user, if rights, schema and tables are what they were.
    pub(crate) fn kept(&self, database: &Database, authority: &Authority, id: Guid) -> Option<Reading> {
        let rights = authority.single()?;
        let mut kept = self.kept.lock();
        let found = kept.get(&rights.user_id())?;
        let is_same = Arc::ptr_eq(&found.rights, rights) && database.is_current(&found.reading);
        if is_same { found.reading.of_row(id) } else { None }
    }

    /// Keeps what a user's question was compiled to.
    pub(crate) fn keep(&self, authority: &Authority, reading: &Reading, id: Guid) {
        if let (Some(rights), Some(reading)) = (authority.single(), reading.of_row(id)) {
            self.kept.lock().insert(rights.user_id(), Kept { rights: Arc::clone(rights), reading });
        }
    }
}
