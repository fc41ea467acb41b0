//! Filters as conditions.
//!
//! A filter is true or false, never unknown (decision 0001.14): a test on null is false and a negation is the exact
//! complement. Negations are pushed down to the tests, so that what remains is joined by AND and OR only; there an
//! unknown of the engine and a false come to the same.

use custodia_query::{Comparison, DatePart, Filter, LikePattern, Path};
use custodia_schema::{Column, ColumnKind, Decimal, TableId, Value, fold};

use super::hierarchy::Way;
use super::join::{Joins, Place};
use super::links::require_comparable;
use super::storage::{Storage, TARGET, comparison_suffix, is_always_set};
use super::writer::Writer;
use super::{CompileError, Dialect, like};

/// Conditions joined at one level before they are grouped: engines bound the depth of an expression, and a chain of
/// ANDs is as deep as it is long.
const CHAIN_MAX: usize = 64;

/// Digits after the point that decimals are stored with.
const DECIMAL_SCALE: u32 = crate::decimal::SCALE;

/// Whether an index may serve a condition. SQLite weighs indexes without statistics, so what is known better is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexing {
    /// Yes.
    Open,
    /// Not for columns with few values: an index holds the rows in the order asked without them, and they would only
    /// leave many rows to sort.
    Selective,
    /// No: the rows are found by the caller's access paths.
    Closed,
}

/// Whether the column has so few values that one of them is shared by many rows.
pub(crate) fn has_few_values(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnKind::Boolean { .. }
            | ColumnKind::Managed
            | ColumnKind::Choice { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. }
            | ColumnKind::TableName
    )
}

/// Writes the filter of one statement; its joins were added before.
pub(crate) struct FilterWriter<'j, 'a> {
    pub(crate) joins: &'j Joins<'a>,
    pub(crate) indexing: Indexing,
}

/// A literal as it can be compared with what is stored.
enum Literal {
    /// This value.
    Value(Value),
    /// Between two values that can be stored, just above this one.
    JustAbove(Value),
    /// Greater than every value that can be stored.
    AboveAll,
    /// Less than every value that can be stored.
    BelowAll,
}

impl FilterWriter<'_, '_> {
    /// Writes a filter or its complement, in brackets where it needs them.
    pub(crate) fn write(&self, w: &mut Writer, filter: &Filter, negated: bool) -> Result<(), CompileError> {
        match filter {
            Filter::True => constant(w, !negated),
            Filter::False => constant(w, negated),
            Filter::And(all) if negated => self.chain(w, all, negated, " OR ", false)?,
            Filter::And(all) => self.chain(w, all, negated, " AND ", true)?,
            Filter::Or(all) if negated => self.chain(w, all, negated, " AND ", true)?,
            Filter::Or(all) => self.chain(w, all, negated, " OR ", false)?,
            Filter::Not(inner) => self.write(w, inner, !negated)?,
            Filter::IsNull(path) => self.is_null(w, path, negated)?,
            Filter::Compare { path, operator, value } => self.compare(w, path, *operator, value, negated)?,
            Filter::CompareColumns { left, operator, right } => {
                self.compare_columns(w, left, *operator, right, negated)?;
            }
            Filter::In { path, values } => self.is_in(w, path, values, negated)?,
            Filter::Like { path, pattern } => self.like(w, path, pattern, negated)?,
            Filter::Exists(exists) => self.exists(w, exists, negated)?,
            Filter::ContainsAny { path, options } => self.contains_any(w, path, options, negated)?,
            Filter::InPeriod { path, calendar, zone, period } => {
                self.in_period(w, path, DatePart::FiscalPeriod(*calendar), zone, *period, negated)?;
            }
            Filter::Hierarchy { path, table, parent, of, direction, inclusive } => {
                let table = self.tree(*table)?;
                let way = Way { table, parent: *parent, of: *of, direction: *direction, inclusive: *inclusive };
                self.hierarchy(w, path, &way, negated)?;
            }
        }
        Ok(())
    }

    fn chain(
        &self,
        w: &mut Writer,
        filters: &[Filter],
        negated: bool,
        word: &'static str,
        empty: bool,
    ) -> Result<(), CompileError> {
        match filters {
            [] => constant(w, empty),
            [single] => self.write(w, single, negated)?,
            many => {
                w.text("(");
                if many.len() > CHAIN_MAX {
                    let (left, right) = many.split_at(many.len() / 2);
                    self.chain(w, left, negated, word, empty)?;
                    w.text(word);
                    self.chain(w, right, negated, word, empty)?;
                } else {
                    for (at, filter) in many.iter().enumerate() {
                        if at > 0 {
                            w.text(word);
                        }
                        self.write(w, filter, negated)?;
                    }
                }
                w.text(")");
            }
        }
        Ok(())
    }

    fn is_null(&self, w: &mut Writer, path: &Path, negated: bool) -> Result<(), CompileError> {
        let Some(place) = self.joins.place(path)? else {
            constant(w, !negated);
            return Ok(());
        };
        if !place.joined && is_always_set(place.table, place.column) {
            constant(w, negated);
            return Ok(());
        }
        self.raw_column(w, place, "");
        w.text(if negated { " IS NOT NULL" } else { " IS NULL" });
        Ok(())
    }

    fn compare(
        &self,
        w: &mut Writer,
        path: &Path,
        operator: Comparison,
        value: &Value,
        negated: bool,
    ) -> Result<(), CompileError> {
        let Some(place) = self.joins.place(path)? else {
            self.check(path, value)?;
            constant(w, (operator == Comparison::NotEqual) != negated);
            return Ok(());
        };
        let storage = storage_of(place)?;
        let literal = literal(place, storage, value)?;
        // NotEqual is the complement of Equal, so only five operators remain to be complemented.
        let (operator, negated) = match operator {
            Comparison::NotEqual => (Comparison::Equal, !negated),
            other => (other, negated),
        };
        match literal {
            Literal::AboveAll => {
                self.of_all_values(w, place, matches!(operator, Comparison::Less | Comparison::LessOrEqual), negated);
            }
            Literal::BelowAll => {
                let always = matches!(operator, Comparison::Greater | Comparison::GreaterOrEqual);
                self.of_all_values(w, place, always, negated);
            }
            Literal::JustAbove(below) => match operator {
                Comparison::Less | Comparison::LessOrEqual => {
                    self.compare_value(w, place, Comparison::LessOrEqual, below, storage, negated);
                }
                Comparison::Greater | Comparison::GreaterOrEqual => {
                    self.compare_value(w, place, Comparison::Greater, below, storage, negated);
                }
                Comparison::Equal | Comparison::NotEqual => constant(w, negated),
            },
            Literal::Value(value) => match target_of(place, &value) {
                Some(target) if operator == Comparison::Equal => self.compare_link(w, place, value, target, negated),
                _ => {
                    let storage = Storage::of_value(&value).unwrap_or(storage);
                    self.compare_value(w, place, operator, value, storage, negated);
                }
            },
        }
        Ok(())
    }

    /// A condition that holds, or fails, for every value and fails for null.
    fn of_all_values(&self, w: &mut Writer, place: Place<'_>, holds: bool, negated: bool) {
        if holds {
            self.raw_column(w, place, "");
            w.text(if negated { " IS NULL" } else { " IS NOT NULL" });
        } else {
            constant(w, negated);
        }
    }

    fn compare_value(
        &self,
        w: &mut Writer,
        place: Place<'_>,
        operator: Comparison,
        value: Value,
        storage: Storage,
        negated: bool,
    ) {
        let always_set = !place.joined && is_always_set(place.table, place.column);
        let (word, complete) = match (operator, negated) {
            (Comparison::Equal, false) | (Comparison::NotEqual, true) => (" = ", true),
            (Comparison::Equal, true) | (Comparison::NotEqual, false) => (distinct(w.dialect), true),
            (Comparison::Less, false) => (" < ", true),
            (Comparison::LessOrEqual, false) => (" <= ", true),
            (Comparison::Greater, false) => (" > ", true),
            (Comparison::GreaterOrEqual, false) => (" >= ", true),
            (Comparison::Less, true) => (" >= ", always_set),
            (Comparison::LessOrEqual, true) => (" > ", always_set),
            (Comparison::Greater, true) => (" <= ", always_set),
            (Comparison::GreaterOrEqual, true) => (" < ", always_set),
        };
        if !complete {
            w.text("(");
        }
        self.column(w, place);
        w.text(word);
        let is_row_id = !place.joined && place.column.id == place.table.primary_id && word == " = ";
        if is_row_id && matches!(value, Value::Guid(_)) {
            w.row_id(value);
        } else {
            w.value(value, storage);
        }
        if !complete {
            w.text(" OR ");
            self.column(w, place);
            w.text(" IS NULL)");
        }
    }

    /// A polymorphic lookup against a row of a known table.
    fn compare_link(&self, w: &mut Writer, place: Place<'_>, value: Value, target: TableId, negated: bool) {
        w.text("(");
        if negated {
            w.text("(");
        }
        self.column(w, place);
        w.text(" = ");
        w.value(value, Storage::Guid);
        w.text(" AND ");
        self.raw_column(w, place, TARGET);
        w.text(" = ");
        w.number(u64::from(target.0));
        if negated {
            w.text(") IS NOT TRUE");
        }
        w.text(")");
    }

    fn compare_columns(
        &self,
        w: &mut Writer,
        left: &Path,
        operator: Comparison,
        right: &Path,
        negated: bool,
    ) -> Result<(), CompileError> {
        require_comparable(self.joins.column_of(left)?, self.joins.column_of(right)?)?;
        let (operator, negated) = match operator {
            Comparison::NotEqual => (Comparison::Equal, !negated),
            other => (other, negated),
        };
        let (Some(left), Some(right)) = (self.joins.place(left)?, self.joins.place(right)?) else {
            constant(w, negated);
            return Ok(());
        };
        w.text("(");
        if negated {
            w.text("(");
        }
        self.column(w, left);
        w.text(match operator {
            Comparison::Equal | Comparison::NotEqual => " = ",
            Comparison::Less => " < ",
            Comparison::LessOrEqual => " <= ",
            Comparison::Greater => " > ",
            Comparison::GreaterOrEqual => " >= ",
        });
        self.column(w, right);
        if negated {
            w.text(") IS NOT TRUE");
        }
        w.text(")");
        Ok(())
    }

    fn is_in(&self, w: &mut Writer, path: &Path, values: &[Value], negated: bool) -> Result<(), CompileError> {
        let Some(place) = self.joins.place(path)? else {
            values.iter().try_for_each(|value| self.check(path, value))?;
            constant(w, negated);
            return Ok(());
        };
        let storage = storage_of(place)?;
        let mut storable = Vec::with_capacity(values.len());
        for value in values {
            match literal(place, storage, value)? {
                Literal::Value(value) => storable.push(value),
                Literal::JustAbove(_) | Literal::AboveAll | Literal::BelowAll => {}
            }
        }
        let Some(last) = storable.last().cloned() else {
            constant(w, negated);
            return Ok(());
        };
        storable.resize(list_length(storable.len()), last);
        if negated {
            w.text("(");
        }
        if storable.iter().any(|value| target_of(place, value).is_some()) {
            self.is_one_of_links(w, place, storable);
        } else {
            self.column(w, place);
            w.text(" IN (");
            for (at, value) in storable.into_iter().enumerate() {
                if at > 0 {
                    w.text(", ");
                }
                let storage = Storage::of_value(&value).unwrap_or(storage);
                w.value(value, storage);
            }
            w.text(")");
        }
        if negated {
            w.text(") IS NOT TRUE");
        }
        Ok(())
    }

    fn is_one_of_links(&self, w: &mut Writer, place: Place<'_>, values: Vec<Value>) {
        w.text("(");
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                w.text(" OR ");
            }
            match target_of(place, &value) {
                Some(target) => self.compare_link(w, place, value, target, false),
                None => self.compare_value(w, place, Comparison::Equal, value, Storage::Guid, false),
            }
        }
        w.text(")");
    }

    fn like(&self, w: &mut Writer, path: &Path, pattern: &LikePattern, negated: bool) -> Result<(), CompileError> {
        let column = self.joins.column_of(path)?;
        if !column.kind.is_text() {
            return Err(self.mismatch(path, "a text pattern")?);
        }
        let Some(place) = self.joins.place(path)? else {
            constant(w, negated);
            return Ok(());
        };
        if negated {
            w.text("(");
        }
        like::write(w, pattern, |w, indexing| {
            let indexing = if self.indexing == Indexing::Closed { Indexing::Closed } else { indexing };
            column_text(w, place, indexing);
        });
        if negated {
            w.text(") IS NOT TRUE");
        }
        Ok(())
    }

    /// Several choices are kept as numbers joined by commas.
    fn contains_any(&self, w: &mut Writer, path: &Path, options: &[i32], negated: bool) -> Result<(), CompileError> {
        if !matches!(self.joins.column_of(path)?.kind, ColumnKind::Choices { .. }) {
            return Err(self.mismatch(path, "a list of options")?);
        }
        let Some(place) = self.joins.place(path)?.filter(|_| !options.is_empty()) else {
            constant(w, negated);
            return Ok(());
        };
        w.text("(");
        for (at, option) in options.iter().enumerate() {
            w.text(if at > 0 { " OR " } else { "" });
            w.text(match w.dialect {
                Dialect::Sqlite => "instr(',' || ",
                Dialect::Postgres => "strpos(',' || ",
            });
            self.raw_column(w, place, "");
            w.text(" || ',', ");
            w.value(Value::Text(format!(",{option},")), Storage::Text);
            w.text(") > 0");
        }
        w.text(if negated { ") IS NOT TRUE" } else { ")" });
        Ok(())
    }

    /// A value that meets a column the caller may not read must fit its type all the same.
    fn check(&self, path: &Path, value: &Value) -> Result<(), CompileError> {
        let column = self.joins.column_of(path)?;
        let fits = match (Storage::of(&column.kind), Storage::of_value(value)) {
            (Some(storage), Some(given)) => storage.compares_with(given),
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.mismatch(path, Storage::of_value(value).map_or("null", Storage::noun))?) }
    }

    fn mismatch(&self, path: &Path, given: &'static str) -> Result<CompileError, CompileError> {
        let table = self.joins.table_of(path)?.name.clone();
        Ok(CompileError::Type { table, column: self.joins.column_of(path)?.name.clone(), given })
    }

    /// The column in the form in which it is compared.
    fn column(&self, w: &mut Writer, place: Place<'_>) {
        column_text(w, place, self.indexing);
    }

    fn raw_column(&self, w: &mut Writer, place: Place<'_>, suffix: &str) {
        close(w, place, self.indexing);
        w.column(place.alias, &place.column.name, suffix);
    }
}

fn column_text(w: &mut Writer, place: Place<'_>, indexing: Indexing) {
    close(w, place, indexing);
    w.column(place.alias, &place.column.name, comparison_suffix(place.column));
}

fn close(w: &mut Writer, place: Place<'_>, indexing: Indexing) {
    let closed = match indexing {
        Indexing::Open => false,
        Indexing::Selective => has_few_values(place.column),
        Indexing::Closed => true,
    };
    if closed && w.dialect == Dialect::Sqlite {
        w.text("+");
    }
}

/// A condition that is the same for every row.
pub(crate) fn constant(w: &mut Writer, holds: bool) {
    w.text(if holds { "TRUE" } else { "FALSE" });
}

fn distinct(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => " IS NOT ",
        Dialect::Postgres => " IS DISTINCT FROM ",
    }
}

fn storage_of(place: Place<'_>) -> Result<Storage, CompileError> {
    Storage::of(&place.column.kind)
        .ok_or_else(|| CompileError::NoColumn { table: place.table.name.clone(), column: place.column.id })
}

/// The table a literal names, where the column can point at several.
fn target_of(place: Place<'_>, value: &Value) -> Option<TableId> {
    match value {
        Value::Lookup(table, _) if place.column.kind.is_polymorphic() => Some(*table),
        _ => None,
    }
}

fn literal(place: Place<'_>, storage: Storage, value: &Value) -> Result<Literal, CompileError> {
    if !Storage::of_value(value).is_some_and(|given| storage.compares_with(given)) {
        return Err(CompileError::Type {
            table: place.table.name.clone(),
            column: place.column.name.clone(),
            given: Storage::of_value(value).map_or("null", Storage::noun),
        });
    }
    Ok(match value {
        Value::Decimal(decimal) => decimal_literal(*decimal),
        // Logical names are lower case, as folding makes them.
        Value::Text(text) if place.column.kind.is_text() || matches!(place.column.kind, ColumnKind::TableName) => {
            Literal::Value(Value::Text(fold(text)))
        }
        other => Literal::Value(other.clone()),
    })
}

/// Decimals are stored with a bounded number of digits; a literal with more of them lies between two stored values.
fn decimal_literal(decimal: Decimal) -> Literal {
    let decimal = decimal.normalize();
    let below = if decimal.scale() > DECIMAL_SCALE {
        decimal.round_dp_with_strategy(DECIMAL_SCALE, rust_decimal::RoundingStrategy::ToNegativeInfinity)
    } else {
        decimal
    };
    if crate::decimal::encode(below).is_none() {
        return if decimal.is_sign_negative() { Literal::BelowAll } else { Literal::AboveAll };
    }
    if below == decimal { Literal::Value(Value::Decimal(decimal)) } else { Literal::JustAbove(Value::Decimal(below)) }
}

/// Values that a list is written with: long lists are filled up with their last one, so that there are few lengths, and few
/// statements to prepare and keep.
fn list_length(values: usize) -> usize {
    const EXACT_MAX: usize = 16;
    const FILLED_MAX: usize = 4_096;
    if (EXACT_MAX..=FILLED_MAX).contains(&values) { values.next_power_of_two() } else { values }
}
