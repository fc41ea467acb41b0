//! What of which table is exported.

use std::sync::Arc;

use custodia_query::fetchxml::{Fetch, Question};
use custodia_query::odata::Limits;
use custodia_query::operator::Asker;
use custodia_query::{Filter, Query};
use custodia_schema::{Column, Schema, Table};

use super::column::FileColumn;
use super::error::Error;

/// How values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Options by their labels, not by their numbers.
    pub labels: bool,
    /// Texts as they are, also those that a spreadsheet would take for formulas.
    pub raw: bool,
}

/// An export that fits the schema.
#[derive(Clone, Debug)]
pub struct Export {
    pub(super) schema: Arc<Schema>,
    pub(super) table: Arc<Table>,
    /// The columns of the table, the primary id first.
    pub(super) columns: Vec<Column>,
    /// What the file shows of them.
    pub(super) shown: Vec<FileColumn>,
    pub(super) filter: Filter,
    pub(super) style: Style,
}

impl Export {
    /// All records of a table, with these columns or, if none are named, all that may be read. The primary id always comes
    /// first.
    ///
    /// # Errors
    /// [`Error::Table`], [`Error::Column`].
    pub fn of(schema: &Arc<Schema>, table: &str, columns: &[String], style: Style) -> Result<Self, Error> {
        let found = schema.table_named(table).filter(|found| !found.set_name.is_empty());
        let table = found.ok_or_else(|| {
            Error::Table(format!(
                "there is no table '{table}' with records to export: give its logical name, such as account"
            ))
        })?;
        let exports = |column: &&Column| column.readable && column.kind.is_stored();
        let mut chosen: Vec<&Column> = table.columns().iter().filter(|column| column.id == table.primary_id).collect();
        if columns.is_empty() {
            chosen.extend(table.columns().iter().filter(exports).filter(|column| column.id != table.primary_id));
        }
        for name in columns {
            let Some(column) = table.column(name) else {
                return Err(Error::Column(format!("table '{}' has no column '{name}'", table.name)));
            };
            if !exports(&column) {
                return Err(Error::Column(format!("'{}.{name}' holds no value that can be exported", table.name)));
            }
            if !chosen.iter().any(|known| known.id == column.id) {
                chosen.push(column);
            }
        }
        let shown = chosen.iter().flat_map(|column| FileColumn::all_of(schema, column, style)).collect();
        Ok(Self {
            schema: Arc::clone(schema),
            table: Arc::clone(table),
            columns: chosen.into_iter().cloned().collect(),
            shown,
            filter: Filter::True,
            style,
        })
    }

    /// Only the records for which the filter of a FetchXML query holds. `asker` is whom the query's words for time and person
    /// mean.
    ///
    /// # Errors
    /// [`Error::Filter`], also for a query that asks for more than rows of the table: an order, a page, linked rows, groups.
    pub fn filtered(mut self, fetch_xml: &str, asker: &Asker) -> Result<Self, Error> {
        let limits = Limits::default();
        let faulty = |why: String| Err(Error::Filter(why));
        let fetch = Fetch::read(fetch_xml, &limits).map_err(|error| Error::Filter(error.to_string()))?;
        if fetch.table != self.table.name {
            return faulty(format!("it asks for '{}', the export is of '{}'", fetch.table, self.table.name));
        }
        let pages =
            fetch.top.is_some() || fetch.count.is_some() || fetch.page.is_some() || fetch.paging_cookie.is_some();
        if pages || fetch.aggregate || fetch.distinct || !fetch.contents.orders.is_empty() {
            return faulty(
                "an export takes the conditions of a query only: leave out order, pages, top, distinct and groups"
                    .to_owned(),
            );
        }
        let question = fetch.resolve(&self.schema, asker, &limits).map_err(|error| Error::Filter(error.to_string()))?;
        match question {
            Question::Rows(question) if question.query.links.is_empty() => self.filter = question.query.filter,
            Question::Rows(_) | Question::Groups(_) => {
                return faulty("a link-entity makes several rows of one record: use one of link-type any or exists within the filter".to_owned());
            }
        }
        Ok(self)
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The records in the order of their ids, in pages.
    pub(super) fn query(&self, page_size: u32) -> Query {
        Query {
            fields: self.shown.iter().map(|column| column.field).collect(),
            filter: self.filter.clone(),
            ..Query::of(&self.table, page_size)
        }
    }
}
