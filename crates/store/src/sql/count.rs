//! How many rows a query matches.

use custodia_query::{Comparison, Filter, Query};
use custodia_schema::{ColumnKind, Schema, Table};

use super::filter::Indexing;
use super::select::{Question, Source};
use super::writer::Writer;
use super::{CompileError, Context, Output, Plan, ReadPolicy, Statement};

/// The number of readable rows that match, whatever the page: one integer, at most `cap + 1`. With links it is that of
/// the combinations, with `distinct` that of the different ones.
///
/// Rows are found as [`plan_of_all`] says.
///
/// # Errors
/// As [`super::select()`].
pub fn count(
    context: &Context<'_>,
    query: &Query,
    policy: &dyn ReadPolicy,
    cap: u64,
) -> Result<Statement, CompileError> {
    let mut w = Writer::new(context.dialect);
    let mut question = Question::new(context, &mut w, query, policy, plan_of_all(context.schema, query))?;
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
/// (decision 0005.2). Only where the filter pins a column with many values are the few rows that are left tested instead.
pub(crate) fn plan_of_all(schema: &Schema, query: &Query) -> Plan {
    let few_are_left =
        schema.table(query.table).is_some_and(|table| query.related.is_some() || is_narrow(table, &query.filter));
    if few_are_left { Plan::Ordered } else { Plan::Union }
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

/// Whether the filter pins a column that has many different values.
fn is_narrow(table: &Table, filter: &Filter) -> bool {
    match filter {
        Filter::And(all) => all.iter().any(|filter| is_narrow(table, filter)),
        Filter::Compare { path, operator: Comparison::Equal, .. } if path.row == 0 && path.steps.is_empty() => {
            table.column_by_id(path.column).is_some_and(|column| {
                matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Guid | ColumnKind::Lookup { .. })
            })
        }
        _ => false,
    }
}
