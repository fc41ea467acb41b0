//! Checks one input value against its column: required, length, range, option. Limits are errors, never truncation.

use custodia_schema::{Column, ColumnKind, DateBehavior, Decimal, Money, Table, Value};

use crate::error::{Fault, Result};
use crate::writing::fault;

/// Earliest and latest instant of a date-time column: 1753-01-01 and 9999-12-31T23:59:59, Dataverse's range.
const INSTANT_MIN: i64 = -6_847_804_800;
const INSTANT_MAX: i64 = 253_402_300_799;
/// The same as days.
const DAY_MIN: i32 = -79_257;
const DAY_MAX: i32 = 2_932_896;
/// Longest logical name of a table, in bytes: Dataverse's.
const TABLE_NAME_BYTES_MAX: usize = 128;

/// The value as it is stored, or what is wrong with it. Null is always of the right type.
pub(crate) fn value(table: &Table, column: &Column, value: Value) -> Result<Value> {
    let wrong = |kind: Fault, why: String| Err(fault(table, column, kind, why));
    let mismatch = |needed: &str| wrong(Fault::Type, format!("a value of type {needed} is needed"));
    if value.is_null() {
        return Ok(value);
    }
    match (&column.kind, value) {
        (ColumnKind::Text { max_length, .. } | ColumnKind::Memo { max_length, .. }, Value::Text(text)) => {
            if text.contains('\0') {
                return wrong(Fault::Type, "a text cannot contain the character U+0000".to_owned());
            }
            // Dataverse keeps an empty text as no text.
            if text.is_empty() {
                return Ok(Value::Null);
            }
            let length = text.chars().count();
            if length > *max_length as usize {
                return wrong(Fault::TooLong, format!("the text has {length} characters, at most {max_length} fit"));
            }
            Ok(Value::Text(text))
        }
        (ColumnKind::TableName, Value::Text(text)) => {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if text.is_empty() || text.len() > TABLE_NAME_BYTES_MAX || !text.bytes().all(letter) {
                return wrong(Fault::Type, "it is not the logical name of a table".to_owned());
            }
            Ok(Value::Text(text))
        }
        (ColumnKind::Integer { min, max, .. }, Value::Integer(n)) => {
            if n < *min || n > *max {
                return wrong(Fault::OutOfRange, format!("{n} is not between {min} and {max}"));
            }
            Ok(Value::Integer(n))
        }
        (ColumnKind::BigInt, Value::BigInt(n)) => Ok(Value::BigInt(n)),
        (ColumnKind::BigInt, Value::Integer(n)) => Ok(Value::BigInt(i64::from(n))),
        (ColumnKind::Decimal { min, max, precision }, Value::Decimal(d)) => {
            let d = rounded(d, u32::from(*precision));
            if d < *min || d > *max {
                return wrong(Fault::OutOfRange, format!("{d} is not between {min} and {max}"));
            }
            Ok(Value::Decimal(d))
        }
        (ColumnKind::Decimal { .. }, Value::Integer(n)) => self::value(table, column, Value::Decimal(Decimal::from(n))),
        (ColumnKind::Double { min, max, precision }, Value::Double(d)) => {
            if !d.is_finite() || d < *min || d > *max {
                return wrong(Fault::OutOfRange, format!("{d} is not between {min} and {max}"));
            }
            let factor = 10_f64.powi(i32::from(*precision));
            let kept = (d * factor).round() / factor;
            Ok(Value::Double(if kept.is_finite() { kept } else { d }))
        }
        (ColumnKind::Money { min, max, .. }, Value::Money(money)) => {
            let amount = money.to_decimal();
            if amount < *min || amount > *max {
                return wrong(Fault::OutOfRange, format!("{} is not between {min} and {max}", amount.normalize()));
            }
            Ok(Value::Money(money))
        }
        (ColumnKind::Money { .. }, Value::Decimal(d)) => match Money::from_decimal(d) {
            Some(money) => self::value(table, column, Value::Money(money)),
            None => wrong(Fault::OutOfRange, format!("{d} is too large for an amount of money")),
        },
        (ColumnKind::Boolean { .. } | ColumnKind::Managed, Value::Boolean(b)) => Ok(Value::Boolean(b)),
        (ColumnKind::Choice { options, .. }, Value::Integer(n)) => {
            one_of(table, column, n, options.iter().map(|option| option.value))
        }
        (ColumnKind::State { options }, Value::Integer(n)) => {
            one_of(table, column, n, options.iter().map(|option| option.choice.value))
        }
        (ColumnKind::Status { options }, Value::Integer(n)) => {
            one_of(table, column, n, options.iter().map(|(option, _)| option.value))
        }
        (ColumnKind::Choices { options, .. }, Value::Choices(mut chosen)) => {
            for n in &chosen {
                one_of(table, column, *n, options.iter().map(|option| option.value))?;
            }
            chosen.sort_unstable();
            chosen.dedup();
            Ok(if chosen.is_empty() { Value::Null } else { Value::Choices(chosen) })
        }
        (ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. }, Value::Date(days)) => {
            if !(DAY_MIN..=DAY_MAX).contains(&days) {
                return wrong(Fault::OutOfRange, "the date is not between 1753-01-01 and 9999-12-31".to_owned());
            }
            Ok(Value::Date(days))
        }
        (ColumnKind::DateTime { .. }, Value::DateTime(seconds)) => {
            if !(INSTANT_MIN..=INSTANT_MAX).contains(&seconds) {
                return wrong(Fault::OutOfRange, "the date is not between 1753-01-01 and 9999-12-31".to_owned());
            }
            Ok(Value::DateTime(seconds))
        }
        (ColumnKind::Guid, Value::Guid(id)) => Ok(Value::Guid(id)),
        (ColumnKind::Lookup { targets, .. }, Value::Lookup(target, id)) => {
            if !targets.contains(&target) {
                return wrong(Fault::Target, "it cannot point at a record of that table".to_owned());
            }
            Ok(Value::Lookup(target, id))
        }
        (ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File, _) => {
            wrong(Fault::Type, "this column cannot be set in this way yet".to_owned())
        }
        (kind, _) => mismatch(kind_name(kind)),
    }
}

/// Rounded half away from zero to a column's digits.
fn rounded(value: Decimal, digits: u32) -> Decimal {
    value.round_dp_with_strategy(digits, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
}

fn one_of(table: &Table, column: &Column, n: i32, mut options: impl Iterator<Item = i32>) -> Result<Value> {
    if options.any(|option| option == n) {
        return Ok(Value::Integer(n));
    }
    Err(fault(table, column, Fault::NotAnOption, format!("{n} is not one of its options")))
}

/// The name of a type as clients know it.
fn kind_name(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::TableName => "Edm.String",
        ColumnKind::Integer { .. }
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => "Edm.Int32",
        ColumnKind::BigInt => "Edm.Int64",
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => "Edm.Decimal",
        ColumnKind::Double { .. } => "Edm.Double",
        ColumnKind::Boolean { .. } | ColumnKind::Managed => "Edm.Boolean",
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => "Edm.Date",
        ColumnKind::DateTime { .. } => "Edm.DateTimeOffset",
        ColumnKind::Guid | ColumnKind::Lookup { .. } => "Edm.Guid",
        ColumnKind::Choices { .. } => "Edm.String (options joined by commas)",
        ColumnKind::PartyList => "a collection of activity parties",
        ColumnKind::Image | ColumnKind::File => "Edm.Binary",
    }
}
