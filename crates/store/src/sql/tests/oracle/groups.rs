//! What groups of rows come to, added up one by one.

use std::cmp::Ordering;

use custodia_query::{Aggregation, GroupBy, Measure};
use custodia_schema::{ColumnKind, Decimal, Money, Value, fold};

use super::super::schema;
use super::naive::{Combination, Naive, date_part, local_day, nulls_first};

impl<'w> Naive<'w> {
    /// The groups in order; `None` when a sum is larger than its type holds.
    pub(super) fn aggregated(&self, question: &Aggregation) -> Option<Vec<Vec<Value>>> {
        let results = self.matching(&question.rows);
        let mut groups: Vec<(Vec<Value>, Vec<&Combination<'w>>)> = Vec::new();
        if question.groups.is_empty() {
            groups.push((Vec::new(), results.iter().collect()));
        }
        for result in results.iter().filter(|_| !question.groups.is_empty()) {
            let shared: Vec<Value> = question
                .groups
                .iter()
                .map(|group| {
                    let value = self.value(result, &group.path);
                    match &group.by {
                        GroupBy::Value => plain(value),
                        GroupBy::DatePart { part, zone } => {
                            local_day(&value, zone).map_or(Value::Null, |day| Value::BigInt(date_part(day, *part)))
                        }
                    }
                })
                .collect();
            let same = |known: &[Value]| {
                known.iter().zip(&shared).all(|(one, other)| match (one, other) {
                    (Value::Text(one), Value::Text(other)) => fold(one) == fold(other),
                    _ => one == other,
                })
            };
            match groups.iter_mut().find(|(known, _)| same(known)) {
                Some((known, rows)) => {
                    rows.push(result);
                    for (known, value) in known.iter_mut().zip(shared) {
                        if let (Value::Text(known), Value::Text(value)) = (known, value)
                            && value < *known
                        {
                            *known = value;
                        }
                    }
                }
                None => groups.push((shared, vec![result])),
            }
        }
        let mut answer = Vec::new();
        for (mut shown, rows) in groups {
            for measure in &question.measures {
                shown.push(self.measured(question, measure, &rows)?);
            }
            answer.push(shown);
        }
        answer.sort_by(|left, right| {
            let keys = question.order.iter().copied().chain((0..question.groups.len()).map(|at| (at, false)));
            keys.fold(Ordering::Equal, |so_far, (at, descending)| {
                so_far.then_with(|| {
                    let order = nulls_first(&left[at], &right[at]);
                    if descending { order.reverse() } else { order }
                })
            })
        });
        Some(answer)
    }

    fn measured(&self, question: &Aggregation, measure: &Measure, rows: &[&Combination<'w>]) -> Option<Value> {
        let values = |path| {
            let values = rows.iter().map(move |row| plain(self.value(row, path)));
            values.filter(|value| !value.is_null()).collect::<Vec<Value>>()
        };
        let number = |count: usize| Some(Value::BigInt(i64::try_from(count).unwrap()));
        match measure {
            Measure::Count => number(rows.len()),
            Measure::CountValues { path, distinct: false } => number(values(path).len()),
            Measure::CountValues { path, distinct: true } => {
                let mut found: Vec<Value> = Vec::new();
                for value in values(path) {
                    let value = match value {
                        Value::Text(text) => Value::Text(fold(&text)),
                        other => other,
                    };
                    if !found.contains(&value) {
                        found.push(value);
                    }
                }
                number(found.len())
            }
            Measure::Least(path) => Some(values(path).into_iter().min_by(nulls_first).unwrap_or(Value::Null)),
            Measure::Greatest(path) => Some(values(path).into_iter().max_by(nulls_first).unwrap_or(Value::Null)),
            Measure::Sum(path) | Measure::Average(path) => {
                let values = values(path);
                let Some(first) = values.first() else { return Some(Value::Null) };
                let sum: i128 = values.iter().map(units).sum();
                let count = i128::try_from(values.len()).unwrap();
                let is_sum = matches!(measure, Measure::Sum(_));
                let away = |sum: i128, by: i128| sum.signum() * ((2 * sum.abs() + by) / (2 * by));
                match first {
                    Value::BigInt(_) => {
                        let number = if is_sum { sum } else { sum / count };
                        i64::try_from(number).ok().map(Value::BigInt)
                    }
                    Value::Money(_) => {
                        let number = if is_sum { sum } else { away(sum, count) };
                        i64::try_from(number).ok().map(|number| Value::Money(Money(number)))
                    }
                    Value::Decimal(_) => {
                        let digits = self.digits(question, path);
                        let cut = 10_i128.pow(12 - digits);
                        let number = if is_sum { sum } else { away(sum, count * cut) * cut };
                        Some(Value::Decimal(Decimal::from_i128_with_scale(number, 12).normalize()))
                    }
                    other => panic!("{other:?} has no sum"),
                }
            }
        }
    }

    fn digits(&self, question: &Aggregation, path: &custodia_query::Path) -> u32 {
        let start = match path.row {
            0 => question.rows.table,
            row => question.rows.links[row - 1].table,
        };
        let schema = schema();
        let table = schema.table(path.steps.last().map_or(start, |step| step.target)).unwrap();
        match table.column_by_id(path.column).unwrap().kind {
            ColumnKind::Decimal { precision, .. } => u32::from(precision),
            _ => panic!("not a decimal"),
        }
    }
}

/// A value as an answer shows it.
fn plain(value: Value) -> Value {
    match value {
        Value::Integer(number) => Value::BigInt(i64::from(number)),
        Value::Lookup(_, id) => Value::Guid(id),
        other => other,
    }
}

/// A number in units of the last digit that its type keeps.
fn units(value: &Value) -> i128 {
    match value {
        Value::BigInt(number) => i128::from(*number),
        Value::Money(money) => i128::from(money.0),
        Value::Decimal(number) => number.mantissa() * 10_i128.pow(12 - number.scale()),
        other => panic!("{other:?} is no number"),
    }
}
