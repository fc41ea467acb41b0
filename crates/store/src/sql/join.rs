//! Steps over single-valued navigations, as joins that obey the caller's read access.

use custodia_access::RowAccess;
use custodia_query::{Filter, Path, Step};
use custodia_schema::{Column, PrivilegeKind, Table};

use super::access::{AccessWriter, primary, stored};
use super::links::LinkRow;
use super::shared_columns::write_table;
use super::storage::TARGET;
use super::walk::{each_test, paths_of};
use super::writer::{Alias, Writer};
use super::{CompileError, ReadPolicy};

/// Related and linked rows that one statement may join: SQLite takes 64 tables, PostgreSQL plans many more only slowly.
const JOINS_MAX: usize = 40;

/// The rows that a query stands on: the queried table's, those linked to it, and those some steps away from them.
#[derive(Clone)]
pub(crate) struct Joins<'a> {
    pub(crate) access: AccessWriter<'a>,
    pub(crate) policy: &'a dyn ReadPolicy,
    pub(crate) root: Alias,
    pub(crate) table: &'a Table,
    /// The linked rows: row 0 is the queried one, row n the n-th of these.
    pub(super) links: Vec<LinkRow<'a>>,
    nodes: Vec<Node<'a>>,
}

#[derive(Clone)]
struct Node<'a> {
    /// The row it starts at.
    start: usize,
    from: Option<usize>,
    step: Step,
    /// `None` when no row can be found there: the link may not be read, or no row beyond it is reached.
    row: Option<Row<'a>>,
}

#[derive(Clone)]
struct Row<'a> {
    from: Alias,
    alias: Alias,
    table: &'a Table,
    lookup: &'a Column,
    access: RowAccess,
}

/// A row that a path ends at, with its column.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) alias: Alias,
    pub(crate) table: &'a Table,
    pub(crate) column: &'a Column,
    /// Reached over a join, or open on some rows only, so that it may be missing.
    pub(crate) joined: bool,
}

impl<'a> Joins<'a> {
    pub(crate) fn new(access: AccessWriter<'a>, policy: &'a dyn ReadPolicy, root: Alias, table: &'a Table) -> Self {
        Self { access, policy, root, table, links: Vec::new(), nodes: Vec::new() }
    }

    /// The same queried and linked rows, with other names for none of them and without the steps from them.
    pub(super) fn without_steps(&self) -> Self {
        Self { nodes: Vec::new(), ..self.clone() }
    }

    /// Adds the joins that a filter needs, and counts what it looks for in texts.
    pub(crate) fn add_filter(&mut self, w: &mut Writer, filter: &Filter) -> Result<(), CompileError> {
        each_test(filter, &mut |test| {
            if let Filter::Like { pattern, .. } = test {
                w.count_pattern(pattern.sought());
            }
            paths_of(test).try_for_each(|path| self.add_path(w, path))
        })
    }

    /// Adds the joins of a path's steps.
    pub(crate) fn add_path(&mut self, w: &mut Writer, path: &Path) -> Result<(), CompileError> {
        self.table_of_row(path.row)?;
        self.add(w, path.row, &path.steps)
    }

    /// Adds the joins of some steps from a row.
    ///
    /// # Errors
    /// When a step is not in the schema or the caller may not read the table it leads to.
    pub(crate) fn add(&mut self, w: &mut Writer, start: usize, steps: &[Step]) -> Result<(), CompileError> {
        let mut at = None;
        for step in steps {
            at = Some(match self.position(start, at, *step) {
                Some(known) => known,
                None => self.add_step(w, start, at, *step)?,
            });
        }
        Ok(())
    }

    /// Where a path ends, if a row can be found there and the column may be read; its steps were added before.
    pub(crate) fn place(&self, path: &Path) -> Result<Option<Place<'a>>, CompileError> {
        let Some((alias, table)) = self.row_after(path.row, &path.steps) else { return Ok(None) };
        let column = stored(table, path.column)?;
        if !self.policy.reads_column(table, column.id) {
            return Ok(None);
        }
        let joined = !path.steps.is_empty() || self.may_be_missing(path.row) || self.is_open_by_row(table, column);
        Ok(Some(Place { alias, table, column, joined }))
    }

    /// Whether a column that may be read is open on some rows only.
    fn is_open_by_row(&self, table: &Table, column: &Column) -> bool {
        self.policy.shared_columns(table).iter().any(|shared| shared.column == column.id)
    }

    /// Names a table in a FROM, as the caller sees its columns.
    pub(crate) fn write_table(&self, w: &mut Writer, table: &Table, alias: Alias) -> Result<(), CompileError> {
        write_table(w, self.access.context, self.policy, table, alias)
    }

    /// The table at the end of a path.
    pub(crate) fn table_of(&self, path: &Path) -> Result<&'a Table, CompileError> {
        match path.steps.last() {
            Some(step) => {
                let table: &'a Table =
                    self.access.context.schema.table(step.target).ok_or(CompileError::NoTable(step.target))?;
                Ok(table)
            }
            None => self.table_of_row(path.row),
        }
    }

    /// The column at the end of a path, readable or not.
    pub(crate) fn column_of(&self, path: &Path) -> Result<&'a Column, CompileError> {
        stored(self.table_of(path)?, path.column)
    }

    /// ` LEFT JOIN …` for each step from a row.
    pub(super) fn write_steps(&self, w: &mut Writer, start: usize) -> Result<(), CompileError> {
        let nodes = self.nodes.iter().filter(|node| node.start == start);
        for row in nodes.filter_map(|node| node.row.as_ref()) {
            w.text(" LEFT JOIN ");
            self.write_table(w, row.table, row.alias)?;
            w.text(" ON ");
            w.column(row.alias, &primary(row.table)?.name, "");
            w.text(" = ");
            w.column(row.from, &row.lookup.name, "");
            if row.lookup.kind.is_polymorphic() {
                w.text(" AND ");
                w.column(row.from, &row.lookup.name, TARGET);
                w.text(" = ");
                w.number(u64::from(row.table.id.0));
            }
            if row.access != RowAccess::All {
                w.text(" AND ");
                self.access.test(w, row.alias, row.table, &row.access)?;
            }
        }
        Ok(())
    }

    /// Whether a step from this row is joined.
    pub(super) fn has_steps(&self, start: usize) -> bool {
        self.nodes.iter().any(|node| node.start == start && node.row.is_some())
    }

    /// The row some steps from a row, if one can be found there; the steps were added before.
    pub(crate) fn row_after(&self, start: usize, steps: &[Step]) -> Option<(Alias, &'a Table)> {
        let mut at = None;
        for step in steps {
            at = Some(self.position(start, at, *step)?);
        }
        self.row_at(start, at)
    }

    fn position(&self, start: usize, from: Option<usize>, step: Step) -> Option<usize> {
        self.nodes.iter().position(|node| node.start == start && node.from == from && node.step == step)
    }

    /// The row at a node; the one it starts at for none.
    fn row_at(&self, start: usize, at: Option<usize>) -> Option<(Alias, &'a Table)> {
        match at {
            None => self.row(start),
            Some(at) => self.nodes.get(at).and_then(|node| node.row.as_ref()).map(|row| (row.alias, row.table)),
        }
    }

    /// Refuses one more joined row when there are too many.
    pub(super) fn make_room(&self) -> Result<(), CompileError> {
        if self.nodes.len() + self.links.len() < JOINS_MAX {
            return Ok(());
        }
        Err(CompileError::TooLarge {
            what: "related records in its links, filter, order and expansions",
            limit: JOINS_MAX,
        })
    }

    fn add_step(
        &mut self,
        w: &mut Writer,
        start: usize,
        from: Option<usize>,
        step: Step,
    ) -> Result<usize, CompileError> {
        self.make_room()?;
        let context = self.access.context;
        let source = match from.and_then(|at| self.nodes.get(at)) {
            None => self.table_of_row(start)?,
            Some(node) => context.schema.table(node.step.target).ok_or(CompileError::NoTable(node.step.target))?,
        };
        let lookup = stored(source, step.lookup)?;
        if context.schema.target_for(lookup, step.target).is_none() {
            return Err(CompileError::NoRelationship {
                table: source.name.clone(),
                why: "the column of a step does not point at the step's table",
            });
        }
        let table: &'a Table = context.schema.table(step.target).ok_or(CompileError::NoTable(step.target))?;
        // The gate comes first: a table the caller may not read at all is an error even where no row could be found.
        let access = self.policy.rows(table, PrivilegeKind::Read)?;
        let found = self.policy.reads_column(source, lookup.id)
            && context.tables.exists(table.id)
            && self.access.constant(table, &access) != Some(false);
        let row = match self.row_at(start, from) {
            Some((from, _)) if found => Some(Row { from, alias: w.new_alias(), table, lookup, access }),
            _ => None,
        };
        self.nodes.push(Node { start, from, step, row });
        Ok(self.nodes.len() - 1)
    }
}
