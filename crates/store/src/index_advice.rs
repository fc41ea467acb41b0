//! Which indexes would help with what was asked, and which of the organisation's own nothing uses.
//!
//! A question is weighed against an index by the rows that would be met: those that the leading columns leave, or, where
//! the index holds the order asked, as many as a page takes. How many rows a value leaves is taken from the first rows of
//! the table. What a caller may not see is not looked at: who reaches little is served by other indexes.

use std::collections::{BTreeMap, BTreeSet};

use custodia_schema::{Column, ColumnId, Table, TableId};

use crate::database::Database;
use crate::own_indexes::{
    IndexListed, OWN_INDEX_CHARACTERS_MAX, OWN_INDEX_COLUMNS_MAX, characters_of, is_indexable, takes_own_indexes,
};
use crate::questions::{NotedQuestion, QuestionShape};
use crate::{Result, sql};

/// Rows of a table that are looked at.
const SAMPLED_ROWS_MAX: u32 = 10_000;
/// Rows of the page that a person waits for.
const PAGE_ROWS: u64 = 50;
/// A range is taken to leave one row in so many.
const RANGE_LEAVES: u64 = 3;

/// What is worth an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdviceBounds {
    /// Rows that a question meets now, at least.
    pub rows_min: u64,
    /// How many times fewer it must meet with the index, at least.
    pub gain_min: u64,
}

impl Default for AdviceBounds {
    fn default() -> Self {
        Self { rows_min: 1_000, gain_min: 4 }
    }
}

/// A question, and about how many rows it meets each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisedQuestion {
    /// What is asked.
    pub question: NotedQuestion,
    /// Rows met with the indexes that there are.
    pub met_now: u64,
    /// Rows met with the one advised.
    pub met_then: u64,
}

/// An index that would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexAdvice {
    /// The table.
    pub table: TableId,
    /// Its leading columns, in order.
    pub columns: Vec<ColumnId>,
    /// What it would help with, what takes longest first.
    pub questions: Vec<AdvisedQuestion>,
    /// About how many rows the table has, and so the index entries.
    pub rows: u64,
    /// Indexes that each new row is entered into already.
    pub indexes_now: usize,
}

impl IndexAdvice {
    /// Milliseconds that its questions took.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        self.questions.iter().map(|advised| advised.question.milliseconds).fold(0, u64::saturating_add)
    }

    /// Times that its questions were asked.
    #[must_use]
    pub fn times(&self) -> u64 {
        self.questions.iter().map(|advised| advised.question.times).fold(0, u64::saturating_add)
    }
}

/// What is to be said of an organisation's indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexReport {
    /// Indexes that would help; what saves most first.
    pub advice: Vec<IndexAdvice>,
    /// The organisation's own that no question remembered would use.
    pub unused: Vec<IndexListed>,
    /// Shapes of questions remembered.
    pub questions: usize,
}

/// What the values of a table's columns are like.
struct Sample {
    rows: u64,
    /// One value of the column leaves one row in so many.
    leaves: BTreeMap<ColumnId, u64>,
}

impl Sample {
    fn leaves(&self, column: ColumnId) -> u64 {
        self.leaves.get(&column).copied().unwrap_or(1).max(1)
    }

    /// Rows that a question meets in an index over these columns.
    fn met(&self, shape: &QuestionShape, columns: &[ColumnId], primary: ColumnId) -> u64 {
        let pinned = columns.iter().take_while(|column| shape.equal.contains(column)).count();
        let (leading, rest) = columns.split_at_checked(pinned).unwrap_or((columns, &[]));
        let bounds = rest.first().is_some_and(|next| shape.range.contains(next));
        let mut found = leading.iter().fold(self.rows, |rows, column| rows / self.leaves(*column));
        if bounds {
            found /= RANGE_LEAVES;
        }
        if shape.aggregates || !holds_order(shape, rest, primary) {
            return found;
        }
        // The page is full once so many were met: of those that the index leaves, the other conditions pass one in so many.
        let others = shape.equal.iter().filter(|column| !leading.contains(column));
        let ranges = shape.range.len().saturating_sub(usize::from(bounds));
        let passes = others.fold(1_u64, |passes, column| passes.saturating_mul(self.leaves(*column)));
        let passes = (0..ranges).fold(passes, |passes, _| passes.saturating_mul(RANGE_LEAVES));
        found.min(PAGE_ROWS.saturating_mul(passes))
    }
}

/// Whether what follows the columns that are pinned is in the order asked; without one it is that of the ids.
fn holds_order(shape: &QuestionShape, rest: &[ColumnId], primary: ColumnId) -> bool {
    let Some(keys) = uniform_order(shape) else { return false };
    let mut wanted = keys.iter().copied().filter(|column| !shape.equal.contains(column)).chain([primary]);
    let mut held = rest.iter();
    // Behind the primary id nothing decides.
    wanted.all(|column| held.next() == Some(&column))
}

/// The columns of an order that goes one way, as that of an index does.
fn uniform_order(shape: &QuestionShape) -> Option<Vec<ColumnId>> {
    let first = shape.order.first().map(|(_, descending)| *descending);
    let uniform = shape.order.iter().all(|(_, descending)| Some(*descending) == first);
    uniform.then(|| shape.order.iter().map(|(column, _)| *column).collect())
}

impl Database {
    /// Says which indexes would help with what was asked, and which of the organisation's own nothing uses.
    ///
    /// # Errors
    /// Store errors.
    pub async fn index_report(&self, bounds: AdviceBounds) -> Result<IndexReport> {
        let (schema, questions) = (self.schema(), self.questions().await?);
        // Of more questions those that took least are forgotten, which an index is to blame for.
        let all_are_noted = questions.len() < self.limits().noted_questions_max;
        let mut report = IndexReport { questions: questions.len(), ..IndexReport::default() };
        let asked: BTreeSet<TableId> = questions.iter().map(|question| question.shape.table).collect();
        let with_own = schema.tables().iter().filter(|table| !table.own_indexes.is_empty()).map(|table| table.id);
        for id in asked.into_iter().chain(with_own).collect::<BTreeSet<_>>() {
            let Some(table) = schema.table(id).filter(|table| takes_own_indexes(table) && self.has_table(id)) else {
                continue;
            };
            let of_table: Vec<_> = questions.iter().filter(|question| question.shape.table == id).collect();
            let sample = self.sample(table, &of_table).await?;
            let indexes: Vec<_> = IndexListed::of(self.dialect(), &schema, table).collect();
            if all_are_noted {
                report.unused.extend(unused(&sample, table, &indexes, &of_table));
            }
            report.advice.extend(advice(&sample, table, &indexes, &of_table, bounds));
        }
        report.advice.sort_by_key(|advice| std::cmp::Reverse((advice.milliseconds(), advice.times())));
        Ok(report)
    }

    /// Looks at the columns that questions compare.
    async fn sample(&self, table: &Table, questions: &[&NotedQuestion]) -> Result<Sample> {
        let compared: BTreeSet<ColumnId> = questions.iter().flat_map(|question| question.shape.equal.clone()).collect();
        let compared = compared.into_iter().filter_map(|id| table.column_by_id(id));
        let columns: Vec<&Column> = compared.filter(|column| column.kind.is_stored()).collect();
        let statement = sql::sample(self.dialect(), table, &columns, SAMPLED_ROWS_MAX)?;
        let many = 2 + 2 * columns.len();
        let counted = self
            .internal_rows(&statement, |row| {
                let count = |at| u64::try_from(row.integer(at).unwrap_or(0)).unwrap_or(0);
                Some((0..many).map(count).collect::<Vec<_>>())
            })
            .await?;
        let counted = counted.into_iter().next().unwrap_or_default();
        let (about, sampled) = (counted.first().copied().unwrap_or(0), counted.get(1).copied().unwrap_or(0));
        // A table that was sampled whole has as many rows as that.
        let rows = if sampled < u64::from(SAMPLED_ROWS_MAX) { sampled } else { about.max(sampled) };
        let counts = counted.get(2..).unwrap_or_default().as_chunks::<2>().0;
        let leaves = columns.iter().zip(counts).map(|(column, counts)| (column.id, leaves(rows, sampled, *counts)));
        Ok(Sample { rows, leaves: leaves.collect() })
    }
}

/// One row in how many has one value of a column, of which so many were set and different among those sampled.
fn leaves(rows: u64, sampled: u64, [set, different]: [u64; 2]) -> u64 {
    if sampled == 0 || set == 0 {
        return 1;
    }
    // A column that is nearly unique has more values in more rows; another one has shown its values.
    let different =
        if different.saturating_mul(2) > set { different.saturating_mul(rows) / sampled } else { different };
    (different.saturating_mul(sampled) / set).max(1)
}

/// The fewest rows that a question meets with the indexes that there are, and which of them it is: the first of the best.
fn best<'i>(
    sample: &Sample,
    table: &Table,
    indexes: &'i [IndexListed],
    shape: &QuestionShape,
) -> (u64, Option<&'i IndexListed>) {
    let met = |index: &IndexListed| match index.columns.first() {
        // It holds only rows that are set there.
        Some(first) if index.only_set && !shape.equal.contains(first) => sample.rows,
        _ => sample.met(shape, &index.columns, table.primary_id),
    };
    let all = indexes.iter().map(|index| (met(index), index));
    match all.min_by_key(|(rows, _)| *rows) {
        Some((rows, index)) if rows < sample.rows => (rows, Some(index)),
        _ => (sample.rows, None),
    }
}

/// The organisation's own indexes that no question is served best by.
fn unused(sample: &Sample, table: &Table, indexes: &[IndexListed], questions: &[&NotedQuestion]) -> Vec<IndexListed> {
    let used: BTreeSet<&str> = questions
        .iter()
        .filter_map(|question| best(sample, table, indexes, &question.shape).1)
        .map(|index| index.name.as_str())
        .collect();
    indexes.iter().filter(|index| index.own.is_some() && !used.contains(index.name.as_str())).cloned().collect()
}

fn advice(
    sample: &Sample,
    table: &Table,
    indexes: &[IndexListed],
    questions: &[&NotedQuestion],
    bounds: AdviceBounds,
) -> Vec<IndexAdvice> {
    let mut found: BTreeMap<Vec<ColumnId>, Vec<AdvisedQuestion>> = BTreeMap::new();
    for question in questions {
        let (met_now, _) = best(sample, table, indexes, &question.shape);
        if met_now < bounds.rows_min {
            continue;
        }
        let candidates = candidates(sample, table, &question.shape).into_iter();
        let weighed = candidates.map(|columns| {
            let whole = sql::own_index_columns(table, &columns);
            (sample.met(&question.shape, &whole, table.primary_id), columns)
        });
        let Some((met_then, columns)) = weighed.min_by_key(|(rows, columns)| (*rows, columns.len())) else { continue };
        if met_then.max(1).saturating_mul(bounds.gain_min) > met_now {
            continue;
        }
        let advised = AdvisedQuestion { question: NotedQuestion::clone(question), met_now, met_then };
        found.entry(columns).or_default().push(advised);
    }
    fold_beginnings(&mut found);
    let indexes_now = indexes.len();
    let made = |(columns, mut questions): (Vec<ColumnId>, Vec<AdvisedQuestion>)| {
        questions.sort_by_key(|advised| std::cmp::Reverse((advised.question.milliseconds, advised.question.times)));
        IndexAdvice { table: table.id, columns, questions, rows: sample.rows, indexes_now }
    };
    found.into_iter().map(made).collect()
}

/// Of two indexes of which one begins with the other, the longer one serves the questions of both.
fn fold_beginnings(found: &mut BTreeMap<Vec<ColumnId>, Vec<AdvisedQuestion>>) {
    let all: Vec<_> = found.keys().cloned().collect();
    // In order, what begins with others comes right after them.
    for (shorter, longer) in all.iter().zip(all.iter().skip(1)) {
        if longer.starts_with(shorter)
            && let Some(questions) = found.remove(shorter)
        {
            found.entry(longer.clone()).or_default().extend(questions);
        }
    }
}

/// Indexes that could serve a question: what it pins, those columns first that leave fewest rows, and then a range, or the
/// order.
fn candidates(sample: &Sample, table: &Table, shape: &QuestionShape) -> Vec<Vec<ColumnId>> {
    let indexable = |id: &ColumnId| table.column_by_id(*id).is_some_and(is_indexable);
    let mut pinned: Vec<ColumnId> = shape.equal.iter().copied().filter(indexable).collect();
    pinned.sort_by_key(|column| (std::cmp::Reverse(sample.leaves(*column)), *column));
    let order = uniform_order(shape).unwrap_or_default();
    let order: Vec<_> =
        order.into_iter().filter(|column| !shape.equal.contains(column)).take_while(indexable).collect();
    let range = shape.range.iter().copied().find(indexable);
    let tails = [order, range.into_iter().collect(), Vec::new()];
    let whole = tails.into_iter().map(|tail| fitting(table, pinned.iter().copied().chain(tail)));
    whole.filter(|columns| !columns.is_empty() && columns.first() != Some(&table.primary_id)).collect()
}

/// As many of the columns, from the first, as an index may have.
fn fitting(table: &Table, columns: impl Iterator<Item = ColumnId>) -> Vec<ColumnId> {
    let mut fitting = Vec::with_capacity(OWN_INDEX_COLUMNS_MAX);
    for column in columns.take(OWN_INDEX_COLUMNS_MAX) {
        fitting.push(column);
        if characters_of(table, &fitting) > OWN_INDEX_CHARACTERS_MAX {
            fitting.pop();
            break;
        }
    }
    fitting
}

#[cfg(test)]
mod tests;
