//! What an organisation's people ask, as shapes: which columns of a table are compared, ordered by and grouped by, how often,
//! and what it took. Never a value. It says which indexes would help (`index_advice.rs`).
//!
//! Noted in memory where a question is answered, and from time to time added to a setting of the organisation, so that it
//! outlives the process. What is known already is found by a hash, without a copy of the question.

use std::collections::HashMap;

use custodia_query::{Aggregation, Comparison, Filter, GroupBy, LikePattern, OrderBy, Path, Query, Related};
use custodia_schema::{ColumnId, TableId};
use futures::FutureExt;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::sql::internal;
use crate::transaction::Transaction;
use crate::{Error, Result};

/// The setting that keeps what was asked, as [`Kept`] in JSON.
const QUESTIONS: &str = "questions asked";
/// How long a question is remembered that nobody asks any more: a quarter of a year.
const REMEMBERED_SECONDS: i64 = 90 * 86_400;
/// How long notes stay in memory alone while they grow.
const KEPT_AFTER_MS: u64 = 600_000;
/// How long nobody asked anything when they are kept all the same: before an unused database is closed.
const QUIET_MS: u64 = 60_000;

/// What a list or an aggregate compares, orders and groups by, of the columns of its own table. What no index could serve
/// is left out: other conditions, alternatives, and columns of linked rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionShape {
    /// The table.
    pub table: TableId,
    /// It aggregates rows, and so meets all of them.
    pub aggregates: bool,
    /// Columns that equal one value, or one of several.
    pub equal: Vec<ColumnId>,
    /// Columns within a range, beginnings of texts among them.
    pub range: Vec<ColumnId>,
    /// The order as far as it is by stored values of its own columns, and whether greatest first.
    pub order: Vec<(ColumnId, bool)>,
    /// Columns that are grouped by.
    pub groups: Vec<ColumnId>,
}

/// A shape with how often it was asked and what that took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedQuestion {
    /// The shape.
    pub shape: QuestionShape,
    /// How often.
    pub times: u64,
    /// Milliseconds that reading took, all together.
    pub milliseconds: u64,
    /// Rows or groups that were answered, all together.
    pub answered: u64,
    /// Rows that were passed in scans, which no index bounded, all together; 0 where the engine does not tell.
    pub scanned: u64,
    /// When it was asked last, seconds since 1970.
    pub last_asked: i64,
}

/// What one question took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub milliseconds: u64,
    pub answered: u64,
    pub scanned: u64,
    /// Seconds since 1970.
    pub now: i64,
}

impl NotedQuestion {
    fn new(shape: QuestionShape) -> Self {
        Self { shape, times: 0, milliseconds: 0, answered: 0, scanned: 0, last_asked: 0 }
    }

    fn count(&mut self, took: &Took) {
        self.times = self.times.saturating_add(1);
        self.milliseconds = self.milliseconds.saturating_add(took.milliseconds);
        self.answered = self.answered.saturating_add(took.answered);
        self.scanned = self.scanned.saturating_add(took.scanned);
        self.last_asked = self.last_asked.max(took.now);
    }

    fn add(&mut self, more: &Self) {
        self.times = self.times.saturating_add(more.times);
        self.milliseconds = self.milliseconds.saturating_add(more.milliseconds);
        self.answered = self.answered.saturating_add(more.answered);
        self.scanned = self.scanned.saturating_add(more.scanned);
        self.last_asked = self.last_asked.max(more.last_asked);
    }

    /// What it is worth to be remembered.
    fn weight(&self) -> (u64, u64, i64) {
        (self.milliseconds, self.times, self.last_asked)
    }
}

/// A question whose shape can be noted.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'q> {
    rows: &'q Query,
    aggregation: Option<&'q Aggregation>,
    hash: u64,
}

/// How a condition goes with an index.
#[derive(Clone, Copy)]
enum Condition {
    Equal,
    Range,
}

impl<'q> Asked<'q> {
    /// A list; `None` where there is nothing that an index could help with.
    pub(crate) fn list(query: &'q Query) -> Option<Self> {
        Self::of(query, None)
    }

    /// An aggregation.
    pub(crate) fn aggregate(aggregation: &'q Aggregation) -> Option<Self> {
        Self::of(&aggregation.rows, Some(aggregation))
    }

    fn of(rows: &'q Query, aggregation: Option<&'q Aggregation>) -> Option<Self> {
        if matches!(rows.related, Some(Related::ByLink { .. })) {
            return None;
        }
        let mut asked = Self { rows, aggregation, hash: 0 };
        let (mut hash, mut any) = (mixed(u64::from(rows.table.0) << 1 | u64::from(aggregation.is_some())), false);
        // The order of conditions says nothing, that of sort keys does.
        asked.each_condition(&mut |condition, column| {
            any = true;
            let kind = match condition {
                Condition::Equal => 1,
                Condition::Range => 2,
            };
            hash = hash.wrapping_add(mixed(kind << 32 | u64::from(column.0)));
        });
        for (column, descending) in asked.order() {
            any = true;
            hash = mixed(hash ^ (3 << 32 | u64::from(column.0) << 1 | u64::from(descending)));
        }
        for column in asked.groups() {
            any = true;
            hash = mixed(hash ^ (4 << 32 | u64::from(column.0)));
        }
        asked.hash = hash;
        any.then_some(asked)
    }

    fn shape(&self) -> QuestionShape {
        let mut shape = QuestionShape {
            table: self.rows.table,
            aggregates: self.aggregation.is_some(),
            order: self.order().collect(),
            groups: self.groups().collect(),
            equal: Vec::new(),
            range: Vec::new(),
        };
        self.each_condition(&mut |condition, column| match condition {
            Condition::Equal => shape.equal.push(column),
            Condition::Range => shape.range.push(column),
        });
        for columns in [&mut shape.equal, &mut shape.range] {
            columns.sort_unstable();
            columns.dedup();
        }
        shape
    }

    fn each_condition(&self, take: &mut dyn FnMut(Condition, ColumnId)) {
        if let Some(Related::ByLookup { lookup, .. }) = &self.rows.related {
            take(Condition::Equal, *lookup);
        }
        conditions(&self.rows.filter, take);
    }

    fn order(&self) -> impl Iterator<Item = (ColumnId, bool)> {
        // That of an aggregation is one of its groups.
        let order = self.rows.order.iter().filter(|_| self.aggregation.is_none());
        order.map_while(|order| {
            (order.by == OrderBy::Value).then_some(own(&order.path)?).map(|id| (id, order.descending))
        })
    }

    fn groups(&self) -> impl Iterator<Item = ColumnId> {
        let groups = self.aggregation.into_iter().flat_map(|aggregation| &aggregation.groups);
        groups.filter(|group| group.by == GroupBy::Value).filter_map(|group| own(&group.path))
    }
}

/// A column of the queried table itself.
fn own(path: &Path) -> Option<ColumnId> {
    (path.row == 0 && path.steps.is_empty()).then_some(path.column)
}

fn conditions(filter: &Filter, take: &mut dyn FnMut(Condition, ColumnId)) {
    let (condition, path) = match filter {
        Filter::And(all) => return all.iter().for_each(|filter| conditions(filter, take)),
        Filter::Compare { operator: Comparison::NotEqual, .. } => return,
        Filter::Compare { path, operator: Comparison::Equal, .. } | Filter::In { path, .. } => (Condition::Equal, path),
        Filter::Like { path, pattern: LikePattern::Exact(_) } => (Condition::Equal, path),
        Filter::Compare { path, .. } | Filter::Like { path, pattern: LikePattern::Prefix(_) } => {
            (Condition::Range, path)
        }
        _ => return,
    };
    if let Some(column) = own(path) {
        take(condition, column);
    }
}

/// Mixes bits (the finaliser of SplitMix64): the hash of a shape is asked of each question, and is kept by one process.
fn mixed(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// What was asked of one open database, as far as it is not kept yet.
#[derive(Default)]
pub(crate) struct Questions {
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    by_hash: HashMap<u64, NotedQuestion>,
    /// Something was asked that is not kept.
    grew: bool,
    kept_ms: u64,
}

impl Questions {
    /// Notes one question. With one shape more than `shapes_max` the one that took the least is forgotten.
    pub(crate) fn note(&self, asked: &Asked<'_>, took: &Took, shapes_max: usize) {
        let mut noted = self.noted.lock();
        noted.grew = true;
        if let Some(known) = noted.by_hash.get_mut(&asked.hash) {
            known.count(took);
            return;
        }
        if noted.by_hash.len() >= shapes_max {
            let least = noted.by_hash.iter().min_by_key(|(_, question)| question.weight()).map(|(hash, _)| *hash);
            let _ = least.map(|least| noted.by_hash.remove(&least));
        }
        let mut question = NotedQuestion::new(asked.shape());
        question.count(took);
        noted.by_hash.insert(asked.hash, question);
    }

    /// What is not kept yet.
    fn present(&self) -> Vec<NotedQuestion> {
        self.noted.lock().by_hash.values().filter(|question| question.times > 0).cloned().collect()
    }

    /// The same, to be kept now: it counts from nothing again.
    fn take(&self, now_ms: u64) -> Vec<NotedQuestion> {
        let mut noted = self.noted.lock();
        noted.grew = false;
        noted.kept_ms = now_ms;
        let counted = noted.by_hash.values_mut().filter(|question| question.times > 0);
        counted
            .map(|question| {
                let fresh = NotedQuestion::new(question.shape.clone());
                std::mem::replace(question, fresh)
            })
            .collect()
    }

    /// Puts back what could not be kept.
    fn put_back(&self, questions: Vec<NotedQuestion>) {
        let mut noted = self.noted.lock();
        noted.grew = true;
        for question in questions {
            let known = noted.by_hash.values_mut().find(|known| known.shape == question.shape);
            // One that was forgotten meanwhile took less than those that are there.
            if let Some(known) = known {
                known.add(&question);
            }
        }
    }

    fn is_due(&self, now_ms: u64, quiet_ms: u64) -> bool {
        let noted = self.noted.lock();
        noted.grew && (quiet_ms >= QUIET_MS || now_ms.saturating_sub(noted.kept_ms) >= KEPT_AFTER_MS)
    }

    fn grew(&self) -> bool {
        self.noted.lock().grew
    }
}

/// A shape as it is kept: its columns by number.
#[derive(Serialize, Deserialize)]
struct Kept {
    table: u32,
    aggregates: bool,
    equal: Vec<u16>,
    range: Vec<u16>,
    order: Vec<(u16, bool)>,
    groups: Vec<u16>,
    times: u64,
    milliseconds: u64,
    answered: u64,
    scanned: u64,
    last_asked: i64,
}

impl Kept {
    fn of(question: &NotedQuestion) -> Self {
        let numbers = |columns: &[ColumnId]| columns.iter().map(|column| column.0).collect();
        let shape = &question.shape;
        Self {
            table: shape.table.0,
            aggregates: shape.aggregates,
            equal: numbers(&shape.equal),
            range: numbers(&shape.range),
            order: shape.order.iter().map(|(column, descending)| (column.0, *descending)).collect(),
            groups: numbers(&shape.groups),
            times: question.times,
            milliseconds: question.milliseconds,
            answered: question.answered,
            scanned: question.scanned,
            last_asked: question.last_asked,
        }
    }

    fn into_question(self) -> NotedQuestion {
        let columns = |numbers: Vec<u16>| numbers.into_iter().map(ColumnId).collect();
        NotedQuestion {
            shape: QuestionShape {
                table: TableId(self.table),
                aggregates: self.aggregates,
                equal: columns(self.equal),
                range: columns(self.range),
                order: self.order.into_iter().map(|(column, descending)| (ColumnId(column), descending)).collect(),
                groups: columns(self.groups),
            },
            times: self.times,
            milliseconds: self.milliseconds,
            answered: self.answered,
            scanned: self.scanned,
            last_asked: self.last_asked,
        }
    }
}

fn questions_of(kept: Option<Vec<u8>>) -> Result<Vec<NotedQuestion>> {
    let Some(kept) = kept else { return Ok(Vec::new()) };
    let read: Vec<Kept> = serde_json::from_slice(&kept)
        .map_err(|error| Error::Corrupt(format!("the notes of what was asked cannot be read: {error}")))?;
    Ok(read.into_iter().map(Kept::into_question).collect())
}

/// One list of several: each shape once, those first that took longest, as many as may be remembered, and none that
/// nobody asked since `oldest`.
fn merged(lists: impl IntoIterator<Item = NotedQuestion>, oldest: i64, shapes_max: usize) -> Vec<NotedQuestion> {
    let mut by_shape: HashMap<QuestionShape, NotedQuestion> = HashMap::new();
    for question in lists.into_iter().filter(|question| question.last_asked >= oldest) {
        match by_shape.get_mut(&question.shape) {
            Some(known) => known.add(&question),
            None => {
                by_shape.insert(question.shape.clone(), question);
            }
        }
    }
    let mut all: Vec<_> = by_shape.into_values().collect();
    all.sort_by(|a, b| b.weight().cmp(&a.weight()).then_with(|| a.shape.cmp(&b.shape)));
    all.truncate(shapes_max);
    all
}

impl Database {
    /// What was asked of lists and aggregates, here and, as far as it was kept, elsewhere: what took longest first.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the notes cannot be read; store errors.
    pub async fn questions(&self) -> Result<Vec<NotedQuestion>> {
        let kept = questions_of(self.setting(QUESTIONS).await?)?;
        let all = kept.into_iter().chain(self.asked().present());
        Ok(merged(all, self.oldest_question(), self.limits().noted_questions_max))
    }

    /// Adds what was noted to what is kept, if something was and it is time; with `now` in any case.
    ///
    /// # Errors
    /// Store errors; what was noted stays in memory then.
    pub(crate) async fn keep_questions(&self, now: bool) -> Result<()> {
        let now_ms = self.now_ms();
        let quiet_ms = now_ms.saturating_sub(self.last_used_ms());
        let due = if now { self.asked().grew() } else { self.asked().is_due(now_ms, quiet_ms) };
        if !due || self.is_retired() || self.writer_needed().is_some() {
            return Ok(());
        }
        let questions = self.asked().take(now_ms);
        if questions.is_empty() {
            return Ok(());
        }
        let (oldest, shapes_max) = (self.oldest_question(), self.limits().noted_questions_max);
        let adding = questions.clone();
        let kept = self
            .write(move |transaction: &mut Transaction| {
                let adding = adding.clone();
                async move { transaction.keep_questions(adding, oldest, shapes_max).await }.boxed()
            })
            .await;
        if kept.is_err() {
            self.asked().put_back(questions);
        }
        kept
    }

    fn oldest_question(&self) -> i64 {
        self.now_seconds().saturating_sub(REMEMBERED_SECONDS)
    }
}

impl Transaction {
    async fn keep_questions(&mut self, more: Vec<NotedQuestion>, oldest: i64, shapes_max: usize) -> Result<()> {
        // Another node adds to the same notes.
        self.claim_alone()?;
        let kept = self.internal_rows(&internal::select_setting(QUESTIONS), |row| Some(row.bytes(0)?.to_vec())).await?;
        // Notes that cannot be read are begun anew: they are advice, and must not stand in the way of it for ever.
        let kept = questions_of(kept.into_iter().next()).unwrap_or_default();
        let all: Vec<_> = merged(kept.into_iter().chain(more), oldest, shapes_max).iter().map(Kept::of).collect();
        let bytes = serde_json::to_vec(&all).map_err(|error| Error::Corrupt(error.to_string()))?;
        self.put_setting(QUESTIONS, bytes);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
