//! A value as the text of a cell: such that an import of the column reads the same value from it.

use std::collections::HashMap;
use std::fmt::Write as _;

use custodia_query::instant::{self, Shown};
use custodia_schema::{Column, ColumnKind, DateBehavior, ValueRef, fold};

use super::guard::guarded;
use super::plan::Style;
use crate::import::convert::{Options, boolean_words};

/// What stands between several options: what an import takes, too.
const BETWEEN_OPTIONS: char = ';';

/// How the values of one column are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// A text, guarded or not.
    Text { guarded: bool },
    /// By the value's own type: a number, a GUID.
    Plain,
    /// `false` and `true`.
    Boolean { no: String, yes: String },
    /// One option.
    Choice(HashMap<i64, String>),
    /// Several options.
    Choices { texts: HashMap<i64, String>, guarded: bool },
    /// An instant, in UTC.
    Instant,
    /// A time without a zone.
    WallClock,
    /// A day.
    Day,
}

impl Cell {
    /// How the values of a column are written.
    pub fn of(column: &Column, style: Style) -> Self {
        match &column.kind {
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::TableName => Self::text(style),
            ColumnKind::Boolean { true_label, false_label, .. } if style.labels => {
                let words = boolean_words(&column.kind);
                let word = |value: bool, label: &str| match words.get(&fold(label)) {
                    Some(read) if *read == value => framed(label, style),
                    _ => value.to_string(),
                };
                Self::Boolean { no: word(false, false_label.text()), yes: word(true, true_label.text()) }
            }
            ColumnKind::Boolean { .. } | ColumnKind::Managed => {
                Self::Boolean { no: false.to_string(), yes: true.to_string() }
            }
            ColumnKind::Choice { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => {
                Self::Choice(texts(&column.kind, style, |text| framed(text, style)))
            }
            // One cell holds several: it is guarded as a whole.
            ColumnKind::Choices { .. } => {
                Self::Choices { texts: texts(&column.kind, style, str::to_owned), guarded: !style.raw }
            }
            ColumnKind::DateTime { behavior: DateBehavior::UserLocal, .. } => Self::Instant,
            ColumnKind::DateTime { behavior: DateBehavior::TimeZoneIndependent, .. } => Self::WallClock,
            ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => Self::Day,
            _ => Self::Plain,
        }
    }

    /// A text.
    pub fn text(style: Style) -> Self {
        Self::Text { guarded: !style.raw }
    }

    /// Writes a value; nothing for null.
    pub fn write(&self, value: ValueRef<'_>, into: &mut String) {
        let written = match (self, value) {
            (_, ValueRef::Null) => Ok(()),
            (Self::Text { guarded: true }, ValueRef::Text(text)) => into.write_str(&guarded(text)),
            (Self::Boolean { no, yes }, ValueRef::Boolean(value)) => into.write_str(if value { yes } else { no }),
            (Self::Choice(texts), ValueRef::Integer(number)) => match texts.get(&number) {
                Some(text) => into.write_str(text),
                None => write!(into, "{number}"),
            },
            (Self::Choices { texts, guarded: is_guarded }, ValueRef::Text(numbers)) => {
                let shown = numbers.split(',').map(|number| {
                    let text = number.parse().ok().and_then(|number: i64| texts.get(&number));
                    text.map_or(number, String::as_str)
                });
                let shown = shown.collect::<Vec<_>>().join(BETWEEN_OPTIONS.encode_utf8(&mut [0; 4]));
                into.write_str(if *is_guarded { guarded(&shown) } else { shown.as_str().into() }.as_ref())
            }
            (Self::WallClock, ValueRef::DateTime(seconds)) => match instant::civil(seconds) {
                Some(time) => write!(into, "{time}"),
                None => write!(into, "{seconds}"),
            },
            (_, ValueRef::DateTime(seconds)) => write!(into, "{}", Shown(seconds)),
            (_, ValueRef::Date(days)) => match instant::day(days) {
                Some(day) => write!(into, "{day}"),
                None => write!(into, "{days}"),
            },
            (_, ValueRef::Boolean(value)) => write!(into, "{value}"),
            (_, ValueRef::Integer(number)) => write!(into, "{number}"),
            (_, ValueRef::Decimal(number)) => write!(into, "{}", number.normalize()),
            (_, ValueRef::Double(number)) => write!(into, "{number}"),
            (_, ValueRef::Money(money)) => write!(into, "{}", money.to_decimal().normalize()),
            (_, ValueRef::Text(text)) => into.write_str(text),
            (_, ValueRef::Guid(id)) => write!(into, "{id}"),
        };
        debug_assert!(written.is_ok(), "a text takes whatever is written");
    }
}

fn framed(text: &str, style: Style) -> String {
    if style.raw { text.to_owned() } else { guarded(text).into_owned() }
}

/// What the options of a column are written as: a label only where it reads back as its option.
fn texts(kind: &ColumnKind, style: Style, framed: impl Fn(&str) -> String) -> HashMap<i64, String> {
    let Some(options) = Options::of(kind) else { return HashMap::new() };
    let shown = options.labels().iter().map(|(value, label)| {
        let reads_back = style.labels
            && label.trim() == label
            && !label.contains(BETWEEN_OPTIONS)
            && options.read(label).is_ok_and(|read| read == *value);
        (i64::from(*value), if reads_back { framed(label) } else { value.to_string() })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use custodia_schema::{Money, standard};

    use super::*;

    fn written(cell: &Cell, value: ValueRef<'_>) -> String {
        let mut text = String::new();
        cell.write(value, &mut text);
        text
    }

    const LABELS: Style = Style { labels: true, raw: false };
    const NUMBERS: Style = Style { labels: false, raw: true };

    #[test]
    fn values_are_written_as_imports_read_them() {
        assert_eq!(written(&Cell::Instant, ValueRef::DateTime(-1)), "1969-12-31T23:59:59Z");
        assert_eq!(written(&Cell::WallClock, ValueRef::DateTime(60)), "1970-01-01T00:01:00");
        assert_eq!(written(&Cell::Day, ValueRef::Date(-1)), "1969-12-31");
        let last = ValueRef::DateTime(253_402_300_799);
        assert_eq!(written(&Cell::Instant, last), "9999-12-31T23:59:59Z");
        assert_eq!(written(&Cell::WallClock, last), "9999-12-31T23:59:59");
        assert_eq!(written(&Cell::Day, ValueRef::Date(2_932_896)), "9999-12-31");
        assert_eq!(written(&Cell::Plain, ValueRef::Money(Money(-12_500))), "-1.25");
        assert_eq!(written(&Cell::Plain, ValueRef::Double(0.1)), "0.1");
        assert_eq!(written(&Cell::text(LABELS), ValueRef::Text("=1")), "'=1");
        assert_eq!(written(&Cell::text(NUMBERS), ValueRef::Text("=1")), "=1");
        assert_eq!(written(&Cell::Plain, ValueRef::Null), "");
    }

    #[test]
    fn every_option_of_every_standard_table_reads_back() {
        let mut seen = 0;
        for table in standard().tables() {
            for column in table.columns() {
                let Some(options) = Options::of(&column.kind) else { continue };
                for style in [LABELS, NUMBERS] {
                    let cell = Cell::of(column, style);
                    for (value, _) in options.labels() {
                        let text = match &cell {
                            Cell::Choices { .. } => written(&cell, ValueRef::Text(&value.to_string())),
                            _ => written(&cell, ValueRef::Integer(i64::from(*value))),
                        };
                        let read = options.read(&super::super::unguarded(&text));
                        assert_eq!(read, Ok(*value), "{}.{}: {text}", table.name, column.name);
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 1_000, "{seen}");
    }

    #[test]
    fn yes_and_no_of_every_standard_table_read_back() {
        for table in standard().tables() {
            for column in table.columns().iter().filter(|column| matches!(column.kind, ColumnKind::Boolean { .. })) {
                for value in [false, true] {
                    let text = written(&Cell::of(column, LABELS), ValueRef::Boolean(value));
                    let read = boolean_words(&column.kind).get(&fold(&super::super::unguarded(&text))).copied();
                    assert_eq!(read, Some(value), "{}.{}: {text}", table.name, column.name);
                }
            }
        }
    }
}
