//! Telling the audit who read what, where a table's switches ask for it.
//!
//! An audited read is answered only once its entry is durable. What was asked is told by the names of the columns that
//! were shown and tested, without the values they were compared with, which may be somebody's.

use std::collections::BTreeSet;

use custodia_query::{Aggregation, Expand, Field, Filter, Link, Path, Query};
use custodia_schema::{ColumnId, Guid, Schema, Table, TableId};
use custodia_store::{AuditEntry, AuditOperation, Restart, Row, RowSink};

use crate::audit_detail::action;
use crate::caller::{Caller, Origin};
use crate::error::Result;
use crate::organization::Organization;

/// Names of columns that an entry lists; of more it says how many there are.
const NAMES_MAX: usize = 50;

/// Counts the rows that a sink takes, and keeps the id of the first.
pub(crate) struct Counted<'s, S> {
    sink: &'s mut S,
    rows: u64,
    first: Option<Guid>,
}

impl<'s, S> Counted<'s, S> {
    pub(crate) fn new(sink: &'s mut S) -> Self {
        Self { sink, rows: 0, first: None }
    }
}

impl<S: RowSink> RowSink for Counted<'_, S> {
    fn row(&mut self, row: &Row<'_>) {
        if self.rows == 0 {
            self.first = row.guid(0);
        }
        self.rows += 1;
        self.sink.row(row);
    }
}

impl<S: Restart> Restart for Counted<'_, S> {
    fn restart(&mut self) {
        (self.rows, self.first) = (0, None);
        self.sink.restart();
    }
}

impl Organization {
    /// Tells of rows that were read: of a single one by its id, of several as a list. A table beside the one that was asked
    /// is told of by either switch, since nobody knows which of its rows were shown.
    pub(crate) async fn tell_read<S>(&self, caller: &Caller, query: &Query, read: &Counted<'_, S>) -> Result<()> {
        let schema = self.schema();
        let Some(table) = schema.table(query.table) else { return Ok(()) };
        let mut told = Vec::new();
        if let (1, Some(id), true) = (read.rows, read.first, table.reads_audited) {
            told.push((table.id, id));
        }
        if table.lists_audited && (told.is_empty() || query.filter == Filter::True) {
            told.push((table.id, Guid::nil()));
        }
        told.extend(beside(&schema, query).into_iter().map(|table| (table, Guid::nil())));
        if told.is_empty() {
            return Ok(());
        }
        let rows = read.rows.min(u64::from(query.page_size));
        self.tell_reads(caller, told, format!("{rows} rows: {}", shape(&schema, query))).await
    }

    /// The same for groups of rows.
    pub(crate) async fn tell_groups<S>(
        &self,
        caller: &Caller,
        aggregation: &Aggregation,
        read: &Counted<'_, S>,
    ) -> Result<()> {
        let schema = self.schema();
        let query = &aggregation.rows;
        let mut told = beside(&schema, query);
        let grouped = aggregation.groups.iter().flat_map(|group| &group.path.steps).map(|step| step.target);
        let is_told =
            |table: &TableId| schema.table(*table).is_some_and(|table| table.lists_audited || table.reads_audited);
        told.extend(grouped.filter(is_told));
        told.extend(schema.table(query.table).filter(|table| table.lists_audited).map(|table| table.id));
        if told.is_empty() {
            return Ok(());
        }
        let told = told.into_iter().map(|table| (table, Guid::nil())).collect();
        self.tell_reads(caller, told, format!("{} groups: {}", read.rows, shape(&schema, query))).await
    }

    pub(crate) async fn tell_reads(&self, caller: &Caller, of: Vec<(TableId, Guid)>, detail: String) -> Result<()> {
        // What the platform reads for itself nobody is shown.
        if matches!(caller.origin, Origin::Platform(_)) {
            return Ok(());
        }
        self.in_transaction(caller, move |writing| {
            let (of, detail) = (of.clone(), detail.clone());
            Box::pin(async move {
                let settings = writing.shared.settings.organization(writing.transaction).await?;
                if !settings.audits || !settings.audits_reads {
                    return Ok(());
                }
                for (table, row) in of {
                    let entry = writing.audit_entry(table, row, AuditOperation::Access, action::RETRIEVE);
                    writing.transaction.audit(&AuditEntry { detail: Some(detail.clone()), ..entry });
                }
                Ok(())
            })
        })
        .await
    }
}

/// The tables beside the one asked whose rows a query shows, combines, tests or sorts by, and of which reads are told: what a
/// test answers is read as well. Collections within rows are questions of their own.
fn beside(schema: &Schema, query: &Query) -> BTreeSet<TableId> {
    let mut tested = Tested::default();
    tested.filter(&query.filter);
    query.order.iter().for_each(|order| tested.path(&order.path));
    tested.links(&query.links);
    let mut tables = tested.tables;
    let mut open: Vec<&Expand> = query.expand.iter().collect();
    while let Some(expand) = open.pop() {
        if let Expand::One { step, expand, .. } = expand {
            tables.insert(step.target);
            open.extend(expand);
        }
    }
    let is_told =
        |table: &TableId| schema.table(*table).is_some_and(|table| table.reads_audited || table.lists_audited);
    tables.into_iter().filter(is_told).collect()
}

/// What was asked: the columns shown, and those that were tested.
fn shape(schema: &Schema, query: &Query) -> String {
    let Some(table) = schema.table(query.table) else { return String::new() };
    let column = |field: &Field| if let Field::Column(column) = field { Some(*column) } else { None };
    let shown: BTreeSet<ColumnId> = query.fields.iter().filter_map(column).collect();
    let mut tested = Tested::default();
    tested.filter(&query.filter);
    let mut text = format!("columns {}", names(table, &shown));
    if !tested.columns.is_empty() {
        text.push_str(&format!("; tested {}", names(table, &tested.columns)));
    }
    for link in &query.links {
        if let Some(linked) = schema.table(link.table) {
            text.push_str(&format!("; with {}", linked.name));
        }
    }
    text
}

fn names(table: &Table, columns: &BTreeSet<ColumnId>) -> String {
    let known = columns.iter().filter_map(|column| table.column_by_id(*column));
    let mut names: Vec<&str> = known.take(NAMES_MAX).map(|column| column.name.as_str()).collect();
    let more = columns.len().saturating_sub(NAMES_MAX);
    let rest = format!("and {more} more");
    if more > 0 {
        names.push(&rest);
    }
    names.join(", ")
}

/// What a question tests.
#[derive(Default)]
struct Tested {
    /// Columns of the rows themselves.
    columns: BTreeSet<ColumnId>,
    /// Tables of other rows.
    tables: BTreeSet<TableId>,
}

impl Tested {
    fn path(&mut self, path: &Path) {
        if path.row == 0 && path.steps.is_empty() {
            self.columns.insert(path.column);
        }
        self.tables.extend(path.steps.iter().map(|step| step.target));
    }

    fn links(&mut self, links: &[Link]) {
        for link in links {
            self.tables.insert(link.table);
            self.of_others(&link.filter);
            link.order.iter().for_each(|order| self.path_of_others(&order.path));
        }
    }

    /// A filter on other rows than those that were asked for: its columns are not theirs.
    fn of_others(&mut self, filter: &Filter) {
        let mut beyond = Self::default();
        beyond.filter(filter);
        self.tables.extend(beyond.tables);
    }

    fn path_of_others(&mut self, path: &Path) {
        self.tables.extend(path.steps.iter().map(|step| step.target));
    }

    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::True | Filter::False => {}
            Filter::And(all) | Filter::Or(all) => all.iter().for_each(|filter| self.filter(filter)),
            Filter::Not(inner) => self.filter(inner),
            Filter::CompareColumns { left, right, .. } => [left, right].into_iter().for_each(|path| self.path(path)),
            Filter::Compare { path, .. }
            | Filter::IsNull(path)
            | Filter::In { path, .. }
            | Filter::Like { path, .. }
            | Filter::ContainsAny { path, .. }
            | Filter::InPeriod { path, .. }
            | Filter::Hierarchy { path, .. } => self.path(path),
            Filter::Exists(exists) => {
                self.path(&exists.near);
                self.tables.insert(exists.table);
                self.links(&exists.links);
                self.of_others(&exists.filter);
            }
        }
    }
}
