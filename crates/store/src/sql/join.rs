//! Steps over single-valued navigations, as joins that obey the caller's read access.

use custodia_access::RowAccess;
use custodia_query::{Filter, Path, Step};
use custodia_schema::{Column, ColumnKind, PrivilegeKind, Table};

use super::access::{AccessWriter, primary, stored};
use super::storage::TARGET;
use super::writer::{Alias, Writer};
use super::{CompileError, ReadPolicy};

/// Related rows that one statement may join: SQLite takes 64 tables, PostgreSQL plans many more only slowly.
const JOINS_MAX: usize = 40;

/// The rows that a query stands on: the queried table's and those some steps away.
pub(crate) struct Joins<'a> {
    pub(crate) access: AccessWriter<'a>,
    pub(crate) policy: &'a dyn ReadPolicy,
    pub(crate) root: Alias,
    pub(crate) table: &'a Table,
    nodes: Vec<Node<'a>>,
}

struct Node<'a> {
    from: Option<usize>,
    step: Step,
    /// `None` when no row can be found there: the link may not be read, or no row beyond it is reached.
    row: Option<Row<'a>>,
}

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
    /// Reached over a join, so that it may be missing.
    pub(crate) joined: bool,
}

impl<'a> Joins<'a> {
    pub(crate) fn new(access: AccessWriter<'a>, policy: &'a dyn ReadPolicy, root: Alias, table: &'a Table) -> Self {
        Self { access, policy, root, table, nodes: Vec::new() }
    }

    /// Adds the joins that a filter needs.
    pub(crate) fn add_filter(&mut self, w: &mut Writer, filter: &Filter) -> Result<(), CompileError> {
        match filter {
            Filter::True | Filter::False => Ok(()),
            Filter::And(all) | Filter::Or(all) => all.iter().try_for_each(|filter| self.add_filter(w, filter)),
            Filter::Not(inner) => self.add_filter(w, inner),
            Filter::CompareColumns { left, right, .. } => {
                self.add(w, &left.steps)?;
                self.add(w, &right.steps)?;
                Ok(())
            }
            Filter::Compare { path, .. }
            | Filter::IsNull(path)
            | Filter::In { path, .. }
            | Filter::ContainsAny { path, .. }
            | Filter::InPeriod { path, .. }
            | Filter::Hierarchy { path, .. }
            | Filter::Like { path, .. } => {
                self.add(w, &path.steps)?;
                Ok(())
            }
            Filter::Exists(_) => Err(CompileError::Unsupported("such a filter")),
        }
    }

    /// Adds the joins of some steps; where they lead, if anywhere.
    ///
    /// # Errors
    /// When a step is not in the schema or the caller may not read the table it leads to.
    pub(crate) fn add(&mut self, w: &mut Writer, steps: &[Step]) -> Result<Option<(Alias, &'a Table)>, CompileError> {
        let mut at = None;
        for step in steps {
            at = Some(match self.position(at, *step) {
                Some(known) => known,
                None => self.add_step(w, at, *step)?,
            });
        }
        Ok(self.row_at(at))
    }

    /// Where a path ends, if a row can be found there and the column may be read; its steps were added before.
    pub(crate) fn place(&self, path: &Path) -> Result<Option<Place<'a>>, CompileError> {
        let mut at = None;
        for step in &path.steps {
            at = self.position(at, *step);
            if at.is_none() {
                return Ok(None);
            }
        }
        let Some((alias, table)) = self.row_at(at) else { return Ok(None) };
        let column = stored(table, path.column)?;
        if !self.policy.reads_column(table, column.id) {
            return Ok(None);
        }
        Ok(Some(Place { alias, table, column, joined: at.is_some() }))
    }

    /// The column at the end of a path, readable or not.
    pub(crate) fn column_of(&self, path: &Path) -> Result<&'a Column, CompileError> {
        let table = match path.steps.last() {
            Some(step) => self.access.context.schema.table(step.target).ok_or(CompileError::NoTable(step.target))?,
            None => self.table,
        };
        stored(table, path.column)
    }

    /// ` LEFT JOIN …` for each.
    pub(crate) fn write(&self, w: &mut Writer) -> Result<(), CompileError> {
        for row in self.nodes.iter().filter_map(|node| node.row.as_ref()) {
            w.text(" LEFT JOIN ");
            w.table(&row.table.name, row.alias);
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

    /// The row one step away, if one can be found there; the step was added before.
    pub(crate) fn row_after(&self, step: Step) -> Option<Alias> {
        self.row_at(Some(self.position(None, step)?)).map(|(alias, _)| alias)
    }

    fn position(&self, from: Option<usize>, step: Step) -> Option<usize> {
        self.nodes.iter().position(|node| node.from == from && node.step == step)
    }

    /// The row at a node; the queried row for none.
    fn row_at(&self, at: Option<usize>) -> Option<(Alias, &'a Table)> {
        match at {
            None => Some((self.root, self.table)),
            Some(at) => self.nodes.get(at).and_then(|node| node.row.as_ref()).map(|row| (row.alias, row.table)),
        }
    }

    fn add_step(&mut self, w: &mut Writer, from: Option<usize>, step: Step) -> Result<usize, CompileError> {
        if self.nodes.len() >= JOINS_MAX {
            return Err(CompileError::TooLarge {
                what: "related records in its filter, order and expansions",
                limit: JOINS_MAX,
            });
        }
        let context = self.access.context;
        let source = match from.and_then(|at| self.nodes.get(at)) {
            None => self.table,
            Some(node) => context.schema.table(node.step.target).ok_or(CompileError::NoTable(node.step.target))?,
        };
        let lookup = stored(source, step.lookup)?;
        let leads = match &lookup.kind {
            ColumnKind::Lookup { targets, .. } => targets.contains(&step.target),
            _ => false,
        };
        if !leads {
            return Err(CompileError::NoRelationship {
                table: source.name.clone(),
                why: "the column of a step does not point at the step's table",
            });
        }
        let table: &'a Table = context.schema.table(step.target).ok_or(CompileError::NoTable(step.target))?;
        // The gate comes first: a table the caller may not read at all is an error even where no row could be found.
        let access = self.policy.rows(table, PrivilegeKind::Read)?;
        let found = self.policy.reads_column(source, lookup.id)
            && (context.tables)(table.id)
            && self.access.constant(table, &access) != Some(false);
        let row = match self.row_at(from) {
            Some((from, _)) if found => Some(Row { from, alias: w.new_alias(), table, lookup, access }),
            _ => None,
        };
        self.nodes.push(Node { from, step, row });
        Ok(self.nodes.len() - 1)
    }
}
