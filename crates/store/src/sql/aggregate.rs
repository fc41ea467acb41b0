//! What the values of groups of rows come to.
//!
//! The rows are found first, one more than may be aggregated at most, and then grouped: how many there were stands beside
//! each group, so that the one who asked can refuse an answer over a part of them.

use custodia_query::{Aggregation, Group, GroupBy, Measure, Path};
use custodia_schema::{Column, ColumnKind, Table};

use super::filter::Indexing;
use super::join::Place;
use super::order::write_direction;
use super::outputs::storage_of;
use super::period::{dated, write_part};
use super::select::{Question, Source};
use super::storage::{Storage, comparison_suffix};
use super::writer::Writer;
use super::{CompileError, Context, Dialect, Output, Plan, ReadPolicy, Statement};
use crate::aggregates::{AVERAGE_CUT, AVERAGE_ROUNDED, DECIMAL_AVERAGE, DECIMAL_SUM, WHOLE_SUM};

/// An aggregation as one statement. Outputs: the groups, the measures, and last how many rows were aggregated, at most one
/// more than `rows_max`.
///
/// # Errors
/// When a gate fails on a table that the aggregation names, or it does not fit the schema.
pub fn aggregate(
    context: &Context<'_>,
    aggregation: &Aggregation,
    policy: &dyn ReadPolicy,
    plan: Plan,
) -> Result<Statement, CompileError> {
    let mut w = Writer::new(context.dialect);
    let mut question = Question::new(context, &mut w, &aggregation.rows, policy, plan)?;
    let measured = aggregation.measures.iter().filter_map(path_of);
    let grouped = aggregation.groups.iter().map(|group| &group.path);
    grouped.chain(measured).try_for_each(|path| question.joins.add_path(&mut w, path))?;
    Aggregates { aggregation, question: &question }.write(&mut w)?;
    w.finish()
}

/// The column that a measure is of.
pub(crate) fn path_of(measure: &Measure) -> Option<&Path> {
    match measure {
        Measure::Count => None,
        Measure::CountValues { path, .. }
        | Measure::Sum(path)
        | Measure::Average(path)
        | Measure::Least(path)
        | Measure::Greatest(path) => Some(path),
    }
}

struct Aggregates<'q, 'a> {
    aggregation: &'q Aggregation,
    question: &'q Question<'a>,
}

impl<'a> Aggregates<'_, 'a> {
    fn write(&self, w: &mut Writer) -> Result<(), CompileError> {
        let rows = w.new_alias();
        w.text("WITH ");
        w.alias(rows);
        w.text(" AS (");
        self.write_rows(w)?;
        w.text(" LIMIT ");
        w.number(u64::from(self.aggregation.rows_max).saturating_add(1));
        w.text(") SELECT ");
        for (at, group) in self.aggregation.groups.iter().enumerate() {
            let (column, folded) = (self.column(&group.path)?, self.is_folded(group)?);
            w.text(if folded { "min(g" } else { "g" });
            w.number(at as u64);
            w.text(if folded { "), " } else { ", " });
            w.output(match group.by {
                GroupBy::Value => storage_of(self.table(&group.path)?, column)?.output(),
                GroupBy::DatePart { .. } => Output::Integer,
            });
        }
        for (at, measure) in self.aggregation.measures.iter().enumerate() {
            self.write_measure(w, at, measure)?;
            w.text(", ");
        }
        let ungrouped = self.aggregation.groups.is_empty();
        w.text(if ungrouped { "count(*)" } else { "sum(count(*)) OVER ()" });
        w.output(Output::Integer);
        w.text(if w.dialect == Dialect::Postgres { "::bigint FROM " } else { " FROM " });
        w.alias(rows);
        if !ungrouped {
            w.text(" GROUP BY ");
            (0..self.aggregation.groups.len()).try_for_each(|at| self.write_group(w, at, at > 0))?;
            self.write_order(w)?;
        }
        w.text(" LIMIT ");
        w.number(u64::from(self.aggregation.page_size).saturating_add(1));
        if self.aggregation.skip > 0 {
            w.text(" OFFSET ");
            w.number(u64::from(self.aggregation.skip));
        }
        Ok(())
    }

    /// `SELECT …` for each row that is aggregated. What the caller's access paths find is read there and then, each path
    /// without those before it: gathered by their numbers first, the rows would be sorted and looked for a second time.
    fn write_rows(&self, w: &mut Writer) -> Result<(), CompileError> {
        let question = self.question;
        match question.union() {
            Some((arms, paths)) if question.query.links.is_empty() && !question.is_empty() => {
                for (at, path) in paths.into_iter().enumerate() {
                    w.text(if at > 0 { " UNION ALL SELECT 1 AS c" } else { "SELECT 1 AS c" });
                    self.write_columns(w)?;
                    question.write_rows(w, Source::Path(arms, path), Indexing::Closed, None)?;
                }
                Ok(())
            }
            _ => {
                w.text("SELECT 1 AS c");
                self.write_columns(w)?;
                if question.is_empty() {
                    w.text(" WHERE FALSE");
                    return Ok(());
                }
                question.write_combined_rows(w)
            }
        }
    }

    /// What each row gives to its group.
    fn write_columns(&self, w: &mut Writer) -> Result<(), CompileError> {
        for (at, group) in self.aggregation.groups.iter().enumerate() {
            let (table, column) = (self.table(&group.path)?, self.column(&group.path)?);
            let place = self.place(&group.path)?;
            w.text(", ");
            match &group.by {
                GroupBy::Value => {
                    let storage = storage_of(table, column)?;
                    self.write_value(w, place, storage, "");
                    if self.is_folded(group)? {
                        w.text(" AS g");
                        w.number(at as u64);
                        w.text(", ");
                        self.write_value(w, place, storage, comparison_suffix(column));
                        w.text(" AS f");
                        w.number(at as u64);
                        continue;
                    }
                }
                GroupBy::DatePart { part, zone } => {
                    dated(Place { alias: self.question.joins.root, table, column, joined: false })?;
                    match place {
                        Some(place) => write_part(w, place, *part, zone)?,
                        None => w.null(Storage::Integer),
                    }
                }
            }
            w.text(" AS g");
            w.number(at as u64);
        }
        for (at, measure) in self.aggregation.measures.iter().enumerate() {
            let Some(path) = path_of(measure) else { continue };
            let (table, column) = (self.table(path)?, self.column(path)?);
            let suffix = if matches!(measure, Measure::CountValues { .. }) { comparison_suffix(column) } else { "" };
            w.text(", ");
            self.write_value(w, self.place(path)?, storage_of(table, column)?, suffix);
            w.text(" AS v");
            w.number(at as u64);
        }
        Ok(())
    }

    fn write_value(&self, w: &mut Writer, place: Option<Place<'a>>, storage: Storage, suffix: &str) {
        match place {
            Some(place) => w.column(place.alias, &place.column.name, suffix),
            None => w.null(storage),
        }
    }

    fn write_measure(&self, w: &mut Writer, at: usize, measure: &Measure) -> Result<(), CompileError> {
        let Some(path) = path_of(measure) else {
            w.text("count(*)");
            w.output(Output::Integer);
            return Ok(());
        };
        let (table, column) = (self.table(path)?, self.column(path)?);
        let storage = storage_of(table, column)?;
        let refuse = |what| CompileError::Measure { what, table: table.name.clone(), column: column.name.clone() };
        let is_number = matches!(
            column.kind,
            ColumnKind::Integer { .. }
                | ColumnKind::BigInt
                | ColumnKind::Decimal { .. }
                | ColumnKind::Double { .. }
                | ColumnKind::Money { .. }
        );
        let value = Measured { at, storage, digits: digits_of(column) };
        match measure {
            Measure::CountValues { distinct, .. } => {
                value.call(w, if *distinct { "count(DISTINCT " } else { "count(" });
                w.output(Output::Integer);
                return Ok(());
            }
            Measure::Sum(_) if is_number => value.sum(w),
            Measure::Average(_) if is_number => value.average(w),
            Measure::Least(_) | Measure::Greatest(_)
                if is_number || matches!(storage, Storage::Date | Storage::DateTime) =>
            {
                value.call(w, if matches!(measure, Measure::Least(_)) { "min(" } else { "max(" });
            }
            Measure::Sum(_) => return Err(refuse("sum")),
            Measure::Average(_) => return Err(refuse("average")),
            Measure::Count | Measure::Least(_) | Measure::Greatest(_) => return Err(refuse("least and greatest")),
        }
        w.output(storage.output());
        Ok(())
    }

    fn write_order(&self, w: &mut Writer) -> Result<(), CompileError> {
        let groups = self.aggregation.groups.len();
        let outputs = groups + self.aggregation.measures.len();
        let mut first = true;
        for (output, descending) in &self.aggregation.order {
            if *output >= outputs {
                return Err(CompileError::Unanswerable("the order names an output that is not there"));
            }
            w.text(if first { " ORDER BY " } else { ", " });
            first = false;
            if *output < groups {
                self.write_group(w, *output, false)?;
            } else {
                w.number(*output as u64 + 1);
            }
            write_direction(w, *descending, true);
        }
        for at in 0..groups {
            w.text(if first { " ORDER BY " } else { ", " });
            first = false;
            self.write_group(w, at, false)?;
            write_direction(w, false, true);
        }
        Ok(())
    }

    /// What the rows of a group share, in the form in which it is compared.
    fn write_group(&self, w: &mut Writer, at: usize, after_another: bool) -> Result<(), CompileError> {
        let folded = match self.aggregation.groups.get(at) {
            Some(group) => self.is_folded(group)?,
            None => false,
        };
        w.text(if after_another { ", " } else { "" });
        w.text(if folded { "f" } else { "g" });
        w.number(at as u64);
        Ok(())
    }

    fn is_folded(&self, group: &Group) -> Result<bool, CompileError> {
        Ok(group.by == GroupBy::Value && !comparison_suffix(self.column(&group.path)?).is_empty())
    }

    fn table(&self, path: &Path) -> Result<&'a Table, CompileError> {
        self.question.joins.table_of(path)
    }

    fn column(&self, path: &Path) -> Result<&'a Column, CompileError> {
        self.question.joins.column_of(path)
    }

    /// Where a value is read, if there is any and it may be.
    fn place(&self, path: &Path) -> Result<Option<Place<'a>>, CompileError> {
        if self.question.is_empty() { Ok(None) } else { self.question.joins.place(path) }
    }
}

/// Digits after the point that an average keeps.
fn digits_of(column: &Column) -> u32 {
    match column.kind {
        ColumnKind::Decimal { precision, .. } => u32::from(precision).min(crate::decimal::SCALE),
        _ => 0,
    }
}

/// A column of the rows, `v0`, `v1`, ….
struct Measured {
    at: usize,
    storage: Storage,
    digits: u32,
}

impl Measured {
    fn call(&self, w: &mut Writer, function: &str) {
        w.text(function);
        self.name(w);
        w.text(")");
    }

    fn name(&self, w: &mut Writer) {
        w.text("v");
        w.number(self.at as u64);
    }

    fn sum(&self, w: &mut Writer) {
        match (w.dialect, self.storage) {
            (Dialect::Sqlite, Storage::Decimal) => {
                w.text(DECIMAL_SUM);
                self.call(w, "(");
            }
            (Dialect::Sqlite, Storage::Integer | Storage::BigInt | Storage::Money) => {
                w.text(WHOLE_SUM);
                self.call(w, "(");
            }
            (Dialect::Postgres, Storage::Integer | Storage::BigInt | Storage::Money) => {
                self.call(w, "sum(");
                w.text("::bigint");
            }
            _ => self.call(w, "sum("),
        }
    }

    fn average(&self, w: &mut Writer) {
        match (w.dialect, self.storage) {
            (_, Storage::Double) => self.call(w, "avg("),
            (Dialect::Sqlite, Storage::Decimal) => {
                w.text(DECIMAL_AVERAGE);
                w.text("(");
                self.name(w);
                w.text(", ");
                w.number(u64::from(self.digits));
                w.text(")");
            }
            (Dialect::Sqlite, Storage::Money) => {
                w.text(AVERAGE_ROUNDED);
                self.call(w, "(");
            }
            (Dialect::Sqlite, _) => {
                w.text(AVERAGE_CUT);
                self.call(w, "(");
            }
            (Dialect::Postgres, Storage::Decimal | Storage::Money) => self.rounded(w),
            (Dialect::Postgres, _) => {
                w.text("div(");
                self.call(w, "sum(");
                w.text("::numeric, ");
                self.call(w, "count(");
                w.text("::numeric)::bigint");
            }
        }
    }

    /// Half away from zero and exactly: a quotient of numerics would be rounded before it is rounded.
    fn rounded(&self, w: &mut Writer) {
        let (units, unit) = ("0".repeat(self.digits as usize), "0".repeat(self.digits.saturating_sub(1) as usize));
        w.text("(sign(");
        self.call(w, "sum(");
        w.text(") * div(2");
        w.text(&units);
        w.text(" * abs(");
        self.call(w, "sum(");
        w.text(")::numeric + ");
        self.call(w, "count(");
        w.text(", 2 * ");
        self.call(w, "count(");
        w.text("))");
        if self.digits > 0 {
            w.text(" * 0.");
            w.text(&unit);
            w.text("1");
        }
        w.text(if self.storage == Storage::Money { "::bigint" } else { "" });
    }
}
