//! How many rows a query matches.

use custodia_query::{Comparison, Filter, LikePattern, Path, Query};
use custodia_schema::{ColumnId, ColumnKind, Schema, Table};

use super::filter::Indexing;
use super::select::{Question, Source};
use super::writer::Writer;
use super::{CompileError, Context, Output, Plan, ReadPolicy, Statement};

/// The number of readable rows that match, whatever the page: one integer, at most `cap + 1`. With links it is that of
/// the combinations, with `distinct` that of the different ones.
///
/// Rows are found by `plan`, which is what [`plan_of_all`] says.
///
/// # Errors
/// As [`super::select()`].
pub fn count(
    context: &Context<'_>,
    query: &Query,
    policy: &dyn ReadPolicy,
    plan: Plan,
    cap: u64,
) -> Result<Statement, CompileError> {
    let mut w = Writer::new(context.dialect);
    let mut question = Question::new(context, &mut w, query, policy, plan)?;
    if question.is_empty() {
        w.output(Output::Integer);
        w.text("SELECT 0");
        return w.finish();
    }
    w.text("SELECT count(*) FROM (");
    if query.distinct {
        question.write_distinct_to_count(&mut w)?;
    } else if !query.links.is_empty() {
        w.text("SELECT 1");
        question.write_combined_rows(&mut w)?;
    } else {
        question.write_each(&mut w)?;
    }
    w.output(Output::Integer);
    w.text(" LIMIT ");
    w.number(cap.saturating_add(1));
    w.text(") ");
    let all = w.new_alias();
    w.alias(all);
    w.finish()
}

/// How all rows of a query are found, where a page of them would not do: gathered by the caller's access paths one after the
/// other, each without those of the paths before, since a single condition over all paths would test every row of the table
/// (decision 0005.2). Only where the filter leaves few rows are those tested instead: it pins a column with many values, or an
/// index holds a range of it and the caller reaches much. `pages` is how a page of the table is found for this caller.
pub(crate) fn plan_of_all(schema: &Schema, query: &Query, pages: Plan) -> Plan {
    let Some(table) = schema.table(query.table) else { return Plan::Ordered };
    let mut bounds = Bounds { table, pinned: Vec::new(), ranged: Vec::new() };
    bounds.gather(&query.filter);
    if query.related.is_some() || bounds.leave_few() {
        Plan::Ordered
    } else if pages != Plan::Union && bounds.are_held(schema) {
        pages
    } else {
        Plan::Union
    }
}

impl Question<'_> {
    /// `SELECT 1 …` for each matching row of one table.
    fn write_each(&self, w: &mut Writer) -> Result<(), CompileError> {
        match self.union() {
            Some((arms, paths)) => {
                for (at, path) in paths.into_iter().enumerate() {
                    w.text(if at > 0 { " UNION ALL SELECT 1" } else { "SELECT 1" });
                    self.write_rows(w, Source::Path(arms, path), Indexing::Closed, None)?;
                }
            }
            None => {
                w.text("SELECT 1");
                self.write_rows(w, Source::Tested, Indexing::Open, None)?;
            }
        }
        Ok(())
    }
}

/// What all rows of a filter have in common in columns of the queried row.
struct Bounds<'t> {
    table: &'t Table,
    /// Equal to a value.
    pinned: Vec<ColumnId>,
    /// Within a range of values.
    ranged: Vec<ColumnId>,
}

impl Bounds<'_> {
    fn gather(&mut self, filter: &Filter) {
        let own = |path: &Path| (path.row == 0 && path.steps.is_empty()).then_some(path.column);
        match filter {
            Filter::And(all) => all.iter().for_each(|filter| self.gather(filter)),
            Filter::Compare { path, operator: Comparison::Equal, .. } => self.pinned.extend(own(path)),
            Filter::Compare {
                path,
                operator: Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual,
                ..
            }
            | Filter::Like { path, pattern: LikePattern::Prefix(_) } => self.ranged.extend(own(path)),
            _ => {}
        }
    }

    /// Whether a column is pinned that has many different values.
    fn leave_few(&self) -> bool {
        self.pinned
            .iter()
            .filter_map(|id| self.table.column_by_id(*id))
            .any(|column| matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Guid | ColumnKind::Lookup { .. }))
    }

    /// Whether an index holds one of the ranges, at its beginning or behind a pinned column.
    fn are_held(&self, schema: &Schema) -> bool {
        let holds = |equal: &[ColumnId], range| super::index::holds(schema, self.table, equal, &[range]);
        self.ranged.iter().any(|range| {
            holds(&[], *range) || self.pinned.iter().any(|pinned| holds(std::slice::from_ref(pinned), *range))
        })
    }
}
