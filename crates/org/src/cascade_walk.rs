//! What goes with a record that has more hanging on it than one request removes: looked up before anything is removed, so
//! that a dependent that forbids the delete is found first.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_query::{Filter, Path, Query};
use custodia_schema::{ColumnId, DeleteCascade, Guid, Schema, Table, TableId, Value};

use crate::error::{Error, Result};
use crate::organization::Organization;

/// Records and links that are looked up for one record; they are kept in memory. A record with more of them is not deleted.
pub const WALKED_MAX: usize = 1_000_000;

/// Records whose dependents are read by one statement.
const PARENTS_AT_ONCE: usize = 500;
/// Dependents that one statement reads.
const PAGE_ROWS: u32 = 5_000;
/// What says whom the reads are for.
const WHY: &str = "cascade";

/// Something that goes with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CascadeItem {
    /// A record that is removed.
    Row {
        /// Its table.
        table: TableId,
        /// Its id.
        id: Guid,
    },
    /// A link of many to many that is removed.
    Link {
        /// The intersect.
        table: TableId,
        /// The id of its row.
        id: Guid,
        /// The record whose link it is.
        of: (TableId, Guid),
    },
    /// A record that stays and loses a link.
    Unlink {
        /// Its table.
        table: TableId,
        /// Its id.
        id: Guid,
        /// The lookup that is cleared.
        column: ColumnId,
        /// What it must point at.
        from: (TableId, Guid),
    },
}

/// By what a record hangs on another: its lookup, and what that pointed at when it was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub column: ColumnId,
    pub parent: (TableId, Guid),
}

/// By what each record of a cascade hangs on the one before it, the root besides.
pub(crate) type Holds = HashMap<(TableId, Guid), Hold>;

/// A look at all that goes with a record, a group of records at a time.
#[derive(Debug)]
pub struct CascadeWalk {
    /// What was found, parents before what hangs on them; the first is the record itself.
    items: Vec<CascadeItem>,
    root: (TableId, Guid),
    /// The other records among them, and by what each hangs there: they are removed later, and may hang elsewhere by then.
    met: Arc<Holds>,
    /// Dependents that forbid the delete unless they go with the record.
    restricting: Vec<(TableId, Guid)>,
    /// Items whose own dependents were looked up.
    passed: usize,
}

impl Organization {
    /// Looks up what hangs on some more of the records that a walk has met; whether it is through.
    ///
    /// # Errors
    /// [`Error::TooManyDependents`] beyond [`WALKED_MAX`]; store errors.
    pub async fn walk_cascade(&self, walk: &mut CascadeWalk) -> Result<bool> {
        let schema = self.schema();
        let (parents, ids, taken) = walk.group();
        if let Some(table) = schema.table(parents).filter(|_| !ids.is_empty()) {
            self.walk_children(&schema, table, &ids, walk).await?;
            self.walk_links(&schema, table, &ids, walk).await?;
        }
        walk.passed += taken;
        Ok(walk.passed >= walk.items.len())
    }

    /// That what a walk has found, which is through, may go.
    ///
    /// # Errors
    /// [`Error::Restricted`] where a dependent forbids the delete.
    pub fn check_found(&self, walk: &CascadeWalk) -> Result<()> {
        let schema = self.schema();
        let name = |table| schema.table(table).map_or_else(String::new, |table| table.name.clone());
        if let Some((by, _)) = walk.restricting.iter().find(|dependent| !walk.has_met(dependent)) {
            return Err(Error::Restricted { table: name(walk.root.0), by: name(*by) });
        }
        Ok(())
    }

    async fn walk_children(&self, schema: &Schema, table: &Table, ids: &[Guid], walk: &mut CascadeWalk) -> Result<()> {
        for relationship in schema.children_of(table.id) {
            let cascade = relationship.cascade.delete;
            let Some(children) = schema.table(relationship.referencing).filter(|_| cascade != DeleteCascade::None)
            else {
                continue;
            };
            let column = relationship.referencing_column;
            for (child, parent) in self.pointing_at(children, column, table.id, ids).await? {
                match cascade {
                    DeleteCascade::None => {}
                    DeleteCascade::Restrict => walk.restricting.push((children.id, child)),
                    DeleteCascade::RemoveLink => {
                        let from = (table.id, parent);
                        walk.items.push(CascadeItem::Unlink { table: children.id, id: child, column, from });
                    }
                    DeleteCascade::Cascade => {
                        let record = (children.id, child);
                        if !walk.has_met(&record) {
                            Arc::make_mut(&mut walk.met).insert(record, Hold { column, parent: (table.id, parent) });
                            walk.items.push(CascadeItem::Row { table: children.id, id: child });
                        }
                    }
                }
            }
            walk.check(children)?;
        }
        Ok(())
    }

    async fn walk_links(&self, schema: &Schema, table: &Table, ids: &[Guid], walk: &mut CascadeWalk) -> Result<()> {
        for link in schema.links_of(table.id) {
            let Some(intersect) = schema.table(link.intersect) else { continue };
            let first = (link.first == table.id).then_some(link.first_column);
            let second = (link.second == table.id).then_some(link.second_column);
            for column in [first, second].into_iter().flatten() {
                for (row, linked) in self.pointing_at(intersect, column, table.id, ids).await? {
                    // One that is a record too goes as such.
                    if walk.has_met(&(intersect.id, row)) {
                        continue;
                    }
                    walk.items.push(CascadeItem::Link { table: intersect.id, id: row, of: (table.id, linked) });
                }
                walk.check(intersect)?;
            }
        }
        Ok(())
    }

    /// The rows of a table whose column holds one of these records: their ids, and the record's.
    async fn pointing_at(
        &self,
        table: &Arc<Table>,
        column: ColumnId,
        parents: TableId,
        ids: &[Guid],
    ) -> Result<Vec<(Guid, Guid)>> {
        let mut found = Vec::new();
        if !self.shared.database.has_table(table.id) {
            return Ok(found);
        }
        let is_lookup = table.column_by_id(column).is_some_and(|column| !column.kind.targets().is_empty());
        let value = |id: &Guid| if is_lookup { Value::Lookup(parents, *id) } else { Value::Guid(*id) };
        let filter = Filter::In { path: Path::own(column), values: ids.iter().map(value).collect() };
        let mut query = Query { filter, ..Query::of(table, PAGE_ROWS).showing([column]) };
        loop {
            let (mut rows, _) = self.shared.platform_rows(WHY, &query).await?;
            let is_last = rows.len() <= PAGE_ROWS as usize;
            rows.truncate(PAGE_ROWS as usize);
            let ids = rows.iter().filter_map(|row| Some((row.first()?.guid()?, row.get(1)?.guid()?)));
            found.extend(ids);
            let last = found.last().filter(|_| !is_last && found.len() <= WALKED_MAX);
            let Some((last, _)) = last else { return Ok(found) };
            query.after = Some(vec![Value::Guid(*last)]);
        }
    }
}

impl CascadeWalk {
    /// A walk from one record.
    #[must_use]
    pub fn from(table: TableId, id: Guid) -> Self {
        Self {
            items: vec![CascadeItem::Row { table, id }],
            root: (table, id),
            met: Arc::default(),
            restricting: Vec::new(),
            passed: 0,
        }
    }

    /// Items that are left, besides the record itself.
    #[must_use]
    pub fn left(&self) -> usize {
        self.items.len().saturating_sub(1)
    }

    /// The items to be removed next, what hangs on another record before that one, and by what records hang there.
    pub(crate) fn last(&self, many: usize) -> (Vec<CascadeItem>, Arc<Holds>) {
        let items = self.items.iter().rev().take(many.min(self.left())).copied().collect();
        (items, Arc::clone(&self.met))
    }

    /// Forgets the items that were to be removed next.
    pub fn forget_last(&mut self, many: usize) {
        let left = self.left().saturating_sub(many);
        self.items.truncate(left + 1);
    }

    fn has_met(&self, record: &(TableId, Guid)) -> bool {
        self.root == *record || self.met.contains_key(record)
    }

    /// The next records of one table, and how many items they and what lies between take.
    fn group(&self) -> (TableId, Vec<Guid>, usize) {
        let (mut of, mut ids, mut taken) = (None, Vec::new(), 0);
        for item in self.items.iter().skip(self.passed) {
            if let CascadeItem::Row { table, id } = item {
                if *of.get_or_insert(*table) != *table || ids.len() >= PARENTS_AT_ONCE {
                    break;
                }
                ids.push(*id);
            }
            taken += 1;
        }
        (of.unwrap_or(TableId(0)), ids, taken)
    }

    fn check(&self, table: &Table) -> Result<()> {
        if self.items.len() + self.restricting.len() > WALKED_MAX {
            return Err(Error::TooManyDependents { table: table.name.clone(), limit: WALKED_MAX });
        }
        Ok(())
    }
}
