//! What a text means as a value of a column.

use custodia_schema::{Column, ColumnKind, DateBehavior, Guid, Schema, TableId, Value};

use super::Asker;
use super::clock::DAY_SECONDS;
use super::period::Bound;
use crate::instant::{SECONDS_MAX, SECONDS_MIN};
use crate::odata::literal::{Fit, Literal, expected};
use crate::odata::number::Number;
use crate::odata::parse_moment;

/// The first and the last day that can be written, in days since 1970.
const DAY_FIRST: i64 = SECONDS_MIN.div_euclid(DAY_SECONDS);
const DAY_LAST: i64 = SECONDS_MAX.div_euclid(DAY_SECONDS);

/// What a text is among the values of a column; `None` when it is of another type.
pub(super) fn fit(asker: &Asker, schema: &Schema, column: &Column, text: &str) -> Option<Fit> {
    let trimmed = text.trim();
    let literal = match &column.kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Literal::Text(text.to_owned()),
        ColumnKind::TableName => {
            // Also by number, as object type codes are written.
            let named = trimmed.parse().ok().and_then(|number| schema.table(TableId(number)));
            Literal::Text(named.map_or_else(|| trimmed.to_owned(), |table| table.name.clone()))
        }
        ColumnKind::Boolean { .. } | ColumnKind::Managed => match trimmed {
            "1" => Literal::Boolean(true),
            "0" => Literal::Boolean(false),
            word if word.eq_ignore_ascii_case("true") => Literal::Boolean(true),
            word if word.eq_ignore_ascii_case("false") => Literal::Boolean(false),
            _ => return None,
        },
        ColumnKind::Guid | ColumnKind::Lookup { .. } => Literal::Guid(guid(trimmed)?),
        ColumnKind::DateTime { behavior, .. } => {
            let point = Point::read(trimmed)?;
            return Some(Fit::Value(match behavior {
                DateBehavior::DateOnly => date_value(point.day()),
                DateBehavior::TimeZoneIndependent => Value::DateTime(point.written),
                DateBehavior::UserLocal => Value::DateTime(point.moment(asker)),
            }));
        }
        ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Decimal { .. }
        | ColumnKind::Double { .. }
        | ColumnKind::Money { .. }
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => Literal::Number(Number::parse(trimmed)?),
        ColumnKind::Choices { .. } | ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => return None,
    };
    literal.fit(&column.kind)
}

/// What a value for a column must look like, for messages.
pub(super) fn wanted(kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Boolean { .. } | ColumnKind::Managed => "1, 0, true or false".to_owned(),
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => "a text".to_owned(),
        ColumnKind::TableName => "the name of a table".to_owned(),
        ColumnKind::Choices { .. } => "the number of an option like 1".to_owned(),
        other => expected(other).to_owned(),
    }
}

/// A GUID, with or without braces.
pub(super) fn guid(text: &str) -> Option<Guid> {
    Guid::try_parse(text.trim()).ok()
}

/// The day that a text means on a column: in the caller's time where the column keeps moments.
pub(super) fn day(asker: &Asker, behavior: DateBehavior, text: &str) -> Option<i64> {
    let point = Point::read(text.trim())?;
    Some(match behavior {
        DateBehavior::UserLocal => {
            asker.zone.local(point.moment(asker)).div_euclid(DAY_SECONDS).clamp(DAY_FIRST, DAY_LAST)
        }
        DateBehavior::DateOnly | DateBehavior::TimeZoneIndependent => point.day(),
    })
}

/// The value that a column of this behaviour has at an end of a span. Behind the last of all days and seconds it is one more,
/// which no record has: what ends before it goes on to the last.
pub(super) fn bound(asker: &Asker, behavior: DateBehavior, bound: Bound) -> Value {
    match (behavior, bound) {
        (DateBehavior::DateOnly, Bound::Day(day)) => date_value(day),
        (DateBehavior::DateOnly, Bound::Moment(moment)) => date_value(asker.zone.local(moment).div_euclid(DAY_SECONDS)),
        (DateBehavior::TimeZoneIndependent, Bound::Day(day)) => seconds_value(day.saturating_mul(DAY_SECONDS)),
        (DateBehavior::TimeZoneIndependent, Bound::Moment(moment)) => seconds_value(asker.zone.local(moment)),
        (DateBehavior::UserLocal, Bound::Day(day)) => {
            // No clock shows a day before the first or behind the last: what zones have of those belongs to these.
            seconds_value(match day {
                ..=DAY_FIRST => SECONDS_MIN,
                day if day > DAY_LAST => SECONDS_MAX + 1,
                day => asker.zone.moment_of(day.saturating_mul(DAY_SECONDS)),
            })
        }
        (DateBehavior::UserLocal, Bound::Moment(moment)) => seconds_value(moment),
    }
}

fn seconds_value(seconds: i64) -> Value {
    Value::DateTime(seconds.clamp(SECONDS_MIN, SECONDS_MAX + 1))
}

fn date_value(day: i64) -> Value {
    Value::Date(i32::try_from(day.clamp(DAY_FIRST, DAY_LAST + 1)).unwrap_or_default())
}

/// A date or a time as written.
struct Point {
    /// Seconds since 1970; of UTC if it says how far it is from it, otherwise of a clock on the wall.
    written: i64,
    /// It says how far it is from UTC.
    zoned: bool,
}

impl Point {
    fn read(text: &str) -> Option<Self> {
        // A blank between date and time is usual in this language.
        let separated = match text.split_at_checked(10) {
            Some((date, time)) if time.starts_with(' ') => format!("{date}T{}", time.trim_start()),
            _ => text.to_owned(),
        };
        let zoned = separated.split_once(['T', 't']).is_some_and(|(_, time)| time.contains(['Z', 'z', '+', '-', ' ']));
        Some(Self { written: parse_moment(&separated)?, zoned })
    }

    fn day(&self) -> i64 {
        self.written.div_euclid(DAY_SECONDS)
    }

    fn moment(&self, asker: &Asker) -> i64 {
        if self.zoned { self.written } else { asker.zone.moment_of(self.written) }
    }
}
