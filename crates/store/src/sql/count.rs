//! How many rows a query matches.

use custodia_query::{Comparison, Filter, Query};
use custodia_schema::{ColumnKind, Table};

use super::filter::Indexing;
use super::select::{Question, Source};
use super::writer::Writer;
use super::{CompileError, Context, Output, Plan, ReadPolicy, Statement};

/// The number of readable rows that match, whatever the page: one integer, at most `cap + 1`.
///
/// Rows are gathered by the caller's access paths one after the other, each without those of the paths before: a single
/// condition over all paths would test every row of the table (decision 0005.2). Only where the filter pins a column with many
/// values are the few rows that are left tested instead.
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
    let few_are_left = context
        .schema
        .table(query.table)
        .is_some_and(|table| query.related.is_some() || is_narrow(table, &query.filter));
    let plan = if few_are_left { Plan::Ordered } else { Plan::Union };
    let question = Question::new(context, &mut w, query, policy, plan)?;
    w.output(Output::Integer);
    if !(context.tables)(question.table.id) {
        w.text("SELECT 0");
        return w.finish();
    }
    w.text("SELECT count(*) FROM (");
    match question.union() {
        Some((arms, paths)) => {
            for (at, path) in paths.into_iter().enumerate() {
                w.text(if at > 0 { " UNION ALL SELECT 1" } else { "SELECT 1" });
                question.write_rows(&mut w, Source::Path(arms, path), Indexing::Closed, None)?;
            }
        }
        None => {
            w.text("SELECT 1");
            question.write_rows(&mut w, Source::Tested, Indexing::Open, None)?;
        }
    }
    w.text(" LIMIT ");
    w.number(cap.saturating_add(1));
    w.text(") ");
    let all = w.new_alias();
    w.alias(all);
    w.finish()
}

/// Whether the filter pins a column that has many different values.
fn is_narrow(table: &Table, filter: &Filter) -> bool {
    match filter {
        Filter::And(all) => all.iter().any(|filter| is_narrow(table, filter)),
        Filter::Compare { path, operator: Comparison::Equal, .. } if path.steps.is_empty() => {
            table.column_by_id(path.column).is_some_and(|column| {
                matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Guid | ColumnKind::Lookup { .. })
            })
        }
        _ => false,
    }
}
