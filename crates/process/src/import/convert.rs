//! From a text to the value of a column, by the column's type.

use std::collections::HashMap;

use custodia_query::instant;
use custodia_schema::{ColumnKind, Decimal, Guid, Money, Value, fold};
use jiff::tz::TimeZone;

use super::date_pattern::{DatePattern, Moment};
use super::number::NumberFormat;

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// Options that a reason names; a list of hundreds helps nobody.
const OPTIONS_SHOWN_MAX: usize = 12;

/// How texts become values of one column. Lookups are not here: they ask the organisation.
#[derive(Clone, Debug)]
pub(super) enum Conversion {
    Text,
    Integer(Number),
    BigInt(Number),
    Decimal {
        number: Number,
        precision: u8,
    },
    Double {
        number: Number,
        precision: u8,
    },
    Money(Number),
    Boolean(HashMap<String, bool>),
    Choice(Options),
    Choices {
        options: Options,
        separator: String,
    },
    Instant {
        pattern: DatePattern,
        zone: Option<TimeZone>,
    },
    /// A wall-clock time, kept as if it were UTC.
    WallClock(DatePattern),
    Day {
        pattern: DatePattern,
        zone: Option<TimeZone>,
    },
    Guid,
}

/// How a number is written, and what it is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub format: NumberFormat,
    pub scale: Decimal,
}

impl Number {
    fn read(&self, text: &str) -> Result<Decimal, String> {
        let number = self.format.read(text).ok_or_else(|| format!("`{text}` is not a number"))?;
        number.checked_mul(self.scale).ok_or_else(|| format!("`{text}` is too large a number"))
    }

    fn whole<T: TryFrom<Decimal>>(&self, text: &str) -> Result<T, String> {
        let number = self.read(text)?;
        if !number.fract().is_zero() {
            return Err(format!("`{text}` is not a whole number"));
        }
        T::try_from(number).map_err(|_| format!("`{text}` is too large a number"))
    }
}

/// The options of a choice, by label and by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    by_label: HashMap<String, i32>,
    labels: Vec<(i32, String)>,
}

impl Options {
    /// The options of a column; `None` if it has none.
    pub fn of(kind: &ColumnKind) -> Option<Self> {
        let labels: Vec<_> = match kind {
            ColumnKind::Choice { options, .. } | ColumnKind::Choices { options, .. } => {
                options.iter().map(|option| (option.value, option.label.0.clone())).collect()
            }
            ColumnKind::State { options } => {
                options.iter().map(|option| (option.choice.value, option.choice.label.0.clone())).collect()
            }
            ColumnKind::Status { options } => {
                options.iter().map(|(option, _)| (option.value, option.label.0.clone())).collect()
            }
            _ => return None,
        };
        let mut by_label = HashMap::new();
        for (value, label) in &labels {
            by_label.entry(fold(label)).or_insert(*value);
        }
        Some(Self { by_label, labels })
    }

    /// The options with their labels, in display order.
    pub fn labels(&self) -> &[(i32, String)] {
        &self.labels
    }

    /// An option by its label, else by its number.
    pub fn read(&self, text: &str) -> Result<i32, String> {
        if let Some(value) = self.by_label.get(&fold(text)) {
            return Ok(*value);
        }
        let number = text.parse::<i32>().ok();
        if let Some((value, _)) = self.labels.iter().find(|(value, _)| Some(*value) == number) {
            return Ok(*value);
        }
        let mut shown: Vec<_> =
            self.labels.iter().take(OPTIONS_SHOWN_MAX).map(|(value, label)| format!("{label} ({value})")).collect();
        if self.labels.len() > OPTIONS_SHOWN_MAX {
            shown.push(format!("and {} more", self.labels.len() - OPTIONS_SHOWN_MAX));
        }
        Err(format!("`{text}` is none of the options {}", shown.join(", ")))
    }
}

/// What both values of a yes-or-no column may be called beside their labels.
const WORDS: [(&str, bool); 10] = [
    ("true", true),
    ("yes", true),
    ("1", true),
    ("y", true),
    ("t", true),
    ("false", false),
    ("no", false),
    ("0", false),
    ("n", false),
    ("f", false),
];

/// The names of both values of a yes-or-no column: its labels, which win, and the usual words.
pub(crate) fn boolean_words(kind: &ColumnKind) -> HashMap<String, bool> {
    let mut words: HashMap<String, bool> = WORDS.iter().map(|(word, flag)| ((*word).to_owned(), *flag)).collect();
    if let ColumnKind::Boolean { true_label, false_label, .. } = kind {
        let labels = (fold(true_label.text()), fold(false_label.text()));
        // Some columns call their `true` "No": such labels would turn a plain word around, so they are not taken.
        let contrary = words.get(&labels.0) == Some(&false) || words.get(&labels.1) == Some(&true);
        if !contrary && labels.0 != labels.1 {
            words.insert(labels.0, true);
            words.insert(labels.1, false);
        }
    }
    words
}

impl Conversion {
    /// The value of a text that is not empty, or why it is none.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Integer(number) => number.whole(text).map(Value::Integer),
            Self::BigInt(number) => number.whole(text).map(Value::BigInt),
            Self::Decimal { number, precision } => Ok(Value::Decimal(rounded(number.read(text)?, *precision))),
            Self::Double { number, precision } => {
                let number = rounded(number.read(text)?, *precision);
                f64::try_from(number).map(Value::Double).map_err(|_| format!("`{text}` is too large a number"))
            }
            Self::Money(number) => {
                let money = Money::from_decimal(number.read(text)?);
                money.map(Value::Money).ok_or_else(|| format!("`{text}` is too large an amount of money"))
            }
            Self::Boolean(words) => match words.get(&fold(text)) {
                Some(flag) => Ok(Value::Boolean(*flag)),
                None => Err(format!("`{text}` is neither yes nor no")),
            },
            Self::Choice(options) => options.read(text).map(Value::Integer),
            Self::Choices { options, separator } => {
                let parts = text.split(separator.as_str()).map(str::trim).filter(|part| !part.is_empty());
                let mut chosen = parts.map(|part| options.read(part)).collect::<Result<Vec<_>, _>>()?;
                chosen.sort_unstable();
                chosen.dedup();
                Ok(Value::Choices(chosen))
            }
            Self::Instant { pattern, zone } => match moment(pattern, text)? {
                Moment::Instant(seconds) => Ok(Value::DateTime(seconds)),
                Moment::Local(local) => match zone {
                    Some(zone) => instant::of_local(local, zone).map(Value::DateTime).ok_or_else(|| out_of_range(text)),
                    None => Err(format!("`{text}` does not say its offset from UTC: give the column a `time_zone`")),
                },
            },
            Self::WallClock(pattern) => match moment(pattern, text)? {
                Moment::Instant(seconds) => Ok(Value::DateTime(seconds)),
                Moment::Local(local) => Ok(Value::DateTime(instant::of_civil(local))),
            },
            Self::Day { pattern, zone } => {
                let seconds = match moment(pattern, text)? {
                    Moment::Local(local) => instant::of_civil(local),
                    Moment::Instant(seconds) => instant::local(zone.as_ref().unwrap_or(&TimeZone::UTC), seconds),
                };
                let days = i32::try_from(seconds.div_euclid(DAY_SECONDS));
                days.map(Value::Date).map_err(|_| out_of_range(text))
            }
            Self::Guid => Guid::try_parse(text).map(Value::Guid).map_err(|_| format!("`{text}` is not a GUID")),
        }
    }
}

fn moment(pattern: &DatePattern, text: &str) -> Result<Moment, String> {
    pattern.read(text).map_err(|_| format!("`{text}` is not a date written as {pattern}"))
}

fn out_of_range(text: &str) -> String {
    format!("`{text}` is out of the range of dates")
}

/// As the gate rounds, so that a row that was brought in already compares equal.
fn rounded(number: Decimal, digits: u8) -> Decimal {
    number.round_dp_with_strategy(u32::from(digits), rust_decimal::RoundingStrategy::MidpointAwayFromZero)
}

/// Whether a stored value, as a query gives it, is the one a row gives. Queries give integers wide, links as GUIDs, several
/// options as text.
pub(super) fn is_same(given: &Value, stored: &Value) -> bool {
    match (given, stored) {
        (Value::Integer(a), Value::BigInt(b)) => i64::from(*a) == *b,
        (Value::Lookup(_, a) | Value::Guid(a), Value::Guid(b) | Value::Lookup(_, b)) => a == b,
        (Value::Choices(a), Value::Text(b)) => {
            let digits = |text: &str| text.split(',').filter_map(|part| part.parse::<i32>().ok()).collect::<Vec<_>>();
            *a == digits(b)
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use custodia_schema::{Choice, Label};

    use super::*;
    use crate::import::date_pattern::time_zone;

    fn number(scale: &str) -> Number {
        Number { format: NumberFormat::default(), scale: scale.parse().unwrap() }
    }

    #[track_caller]
    fn check(conversion: &Conversion, text: &str, expected: Result<Value, &str>) {
        match (conversion.read(text), expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{text}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why} should contain {part}"),
            (read, expected) => panic!("{text}: {read:?}, not {expected:?}"),
        }
    }

    #[test]
    fn numbers_are_scaled_exactly() {
        check(&Conversion::Money(number("1000000")), "1100.04", Ok(Value::Money(Money(11_000_400_000_000))));
        check(&Conversion::Money(number("1")), "0.00005", Ok(Value::Money(Money(1))));
        check(&Conversion::Money(number("1000000")), "999999999999.99", Err("too large"));
        check(&Conversion::Integer(number("1")), "2822", Ok(Value::Integer(2822)));
        check(&Conversion::Integer(number("1000")), "1.5", Ok(Value::Integer(1500)));
        check(&Conversion::Integer(number("1")), "1.5", Err("not a whole number"));
        check(&Conversion::Integer(number("1")), "2147483648", Err("too large"));
        check(&Conversion::BigInt(number("1")), "-9223372036854775808", Ok(Value::BigInt(i64::MIN)));
        let decimal = Conversion::Decimal { number: number("1"), precision: 2 };
        check(&decimal, "1.005", Ok(Value::Decimal("1.01".parse().unwrap())));
        check(&decimal, "one", Err("`one` is not a number"));
        check(&Conversion::Double { number: number("1"), precision: 5 }, "40.656513341", Ok(Value::Double(40.65651)));
    }

    fn options() -> Options {
        let options = [(1, "Brokers"), (2, "Café"), (16, "Financial")];
        let options =
            options.map(|(value, label)| Choice { value, label: Label(label.to_owned()) }).into_iter().collect();
        Options::of(&ColumnKind::Choice { options, default: None, global: None }).unwrap()
    }

    #[test]
    fn options_are_found_by_label_and_by_number() {
        let choice = Conversion::Choice(options());
        check(&choice, "Financial", Ok(Value::Integer(16)));
        check(&choice, "CAFE", Ok(Value::Integer(2)));
        check(&choice, "16", Ok(Value::Integer(16)));
        check(&choice, "technolgy", Err("`technolgy` is none of the options Brokers (1), Café (2)"));
        check(&choice, "17", Err("none of the options"));
        let choices = Conversion::Choices { options: options(), separator: ";".to_owned() };
        check(&choices, "Financial; 1;Brokers;", Ok(Value::Choices(vec![1, 16])));
        check(&choices, "Financial,1", Err("none of the options"));
    }

    #[test]
    fn yes_and_no_have_many_names() {
        let kind = |yes: &str, no: &str| ColumnKind::Boolean {
            true_label: Label(yes.to_owned()),
            false_label: Label(no.to_owned()),
            default: None,
        };
        let allowed = Conversion::Boolean(boolean_words(&kind("Do Not Allow", "Allow")));
        check(&allowed, "do not allow", Ok(Value::Boolean(true)));
        check(&allowed, "Allow", Ok(Value::Boolean(false)));
        check(&allowed, "TRUE", Ok(Value::Boolean(true)));
        check(&allowed, "0", Ok(Value::Boolean(false)));
        check(&allowed, "maybe", Err("neither yes nor no"));
        let contrary = Conversion::Boolean(boolean_words(&kind("No", "Yes")));
        check(&contrary, "No", Ok(Value::Boolean(false)));
    }

    #[test]
    fn dates_follow_the_columns_behaviour() {
        let pattern = |text: &str| DatePattern::parse(text).unwrap();
        let zone = time_zone("America/New_York");
        let local = Conversion::Instant { pattern: pattern("M/D/YYYY H:MM"), zone: zone.clone() };
        check(&local, "3/14/2025 1:20", Ok(Value::DateTime(1_741_929_600)));
        check(&local, "3/14/2025", Err("not a date written as M/D/YYYY H:MM"));
        let iso = Conversion::Instant { pattern: DatePattern::Iso, zone: None };
        check(&iso, "2025-03-14T05:20:00.9Z", Ok(Value::DateTime(1_741_929_600)));
        check(&iso, "1969-12-31T23:59:58.5Z", Ok(Value::DateTime(-2)));
        check(&iso, "2025-03-14T05:20:00", Err("time_zone"));
        let day = Conversion::Day { pattern: pattern("M/D/YYYY"), zone: None };
        check(&day, "10/20/2016", Ok(Value::Date(17_094)));
        check(&day, "12/31/1969", Ok(Value::Date(-1)));
        let in_new_york = Conversion::Day { pattern: DatePattern::Iso, zone };
        check(&in_new_york, "1970-01-01T03:00:00Z", Ok(Value::Date(-1)));
        check(&Conversion::WallClock(pattern("YYYY-MM-DD H:MM")), "1970-01-01 0:01", Ok(Value::DateTime(60)));
    }

    #[test]
    fn a_guid_is_read_in_any_form() {
        let id = Guid::from_u128(0x1234_5678_0000_4000_8000_0000_0000_0001);
        check(&Conversion::Guid, &id.to_string(), Ok(Value::Guid(id)));
        check(&Conversion::Guid, &format!("{{{}}}", id.to_string().to_uppercase()), Ok(Value::Guid(id)));
        check(&Conversion::Guid, "1234", Err("not a GUID"));
    }
}
