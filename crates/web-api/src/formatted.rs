//! Formatted values: what people are shown instead of numbers, instants and GUIDs.

use std::sync::Arc;

use custodia_org::{Caller, Currency, Organization};
use custodia_query::instant;
use custodia_schema::{Column, ColumnKind, DateBehavior, Decimal, Guid, MoneyRole, Schema, ValueRef};
use jiff::tz::TimeZone;

use crate::failure::Failure;
use crate::json;
use crate::locale::Locale;
use crate::time_zone::time_zone;

/// What formatted values depend on beside the value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Formats {
    locale: Option<&'static Locale>,
    zone: Option<TimeZone>,
    /// The base currency first.
    currencies: Arc<Vec<Currency>>,
    /// Where the names of tables stand.
    schema: Arc<Schema>,
}

impl Formats {
    /// Reads the settings of the user in whose name the caller acts, and the currencies if amounts of money are shown.
    pub(crate) async fn load(organization: &Organization, caller: &Caller, shows_money: bool) -> Result<Self, Failure> {
        let settings = organization.user_settings(caller.acting()).await?;
        Ok(Self {
            locale: Locale::numbered(settings.locale),
            zone: Some(time_zone(settings.time_zone_code)),
            currencies: if shows_money { organization.currencies().await? } else { Arc::default() },
            schema: organization.schema(),
        })
    }

    #[cfg(test)]
    pub(crate) fn of(locale: i32, time_zone_code: i32, currencies: Vec<Currency>) -> Self {
        Self {
            locale: Locale::numbered(locale),
            zone: Some(time_zone(time_zone_code)),
            currencies: Arc::new(currencies),
            schema: custodia_schema::standard(),
        }
    }

    fn currency(&self, id: Option<Guid>) -> Option<&Currency> {
        match id {
            Some(id) => self.currencies.iter().find(|currency| currency.id == id),
            None => self.currencies.first(),
        }
    }
}

/// How the values of a column are shown to people.
#[derive(Clone, Debug)]
pub(crate) enum Formatter {
    /// The label of an option. Labels are written as they stand between quotes.
    Label(Vec<(i64, Vec<u8>)>),
    /// The labels of several options.
    Labels(Vec<(i64, Vec<u8>)>),
    /// Whether yes or no.
    YesNo { yes: Vec<u8>, no: Vec<u8> },
    /// An integer with separators.
    Integer,
    /// An integer without separators behind a word.
    Numbered(&'static str),
    /// A number with separators and so many digits after the point.
    Number { places: u8 },
    /// An amount. `currency` is the position of the record's currency; without one it is in the base currency.
    Money { currency: Option<usize>, places: u8 },
    /// An instant, in the user's time zone if it is `local`.
    Instant { local: bool, date_only: bool },
    /// A date.
    Date,
    /// What a table is called.
    Table,
    /// The name of the record that a lookup points at, at that position.
    Name { at: usize },
}

impl Formatter {
    /// How values of that column are shown; `None` for those that are shown as they are. `currency` is the position of
    /// the record's currency among the values, `name` that of the name of the record that the column points at.
    pub(crate) fn of(column: &Column, currency: Option<usize>, name: Option<usize>) -> Option<Self> {
        let label = |value: i32, label: &str| {
            let mut escaped = Vec::with_capacity(label.len());
            json::escaped(&mut escaped, label);
            (i64::from(value), escaped)
        };
        Some(match &column.kind {
            ColumnKind::Choice { options, .. } => {
                Self::Label(options.iter().map(|option| label(option.value, option.label.text())).collect())
            }
            ColumnKind::Choices { options, .. } => {
                Self::Labels(options.iter().map(|option| label(option.value, option.label.text())).collect())
            }
            ColumnKind::State { options } => Self::Label(
                options.iter().map(|option| label(option.choice.value, option.choice.label.text())).collect(),
            ),
            ColumnKind::Status { options } => {
                Self::Label(options.iter().map(|(option, _)| label(option.value, option.label.text())).collect())
            }
            ColumnKind::Boolean { true_label, false_label, .. } => {
                Self::YesNo { yes: label(1, true_label.text()).1, no: label(0, false_label.text()).1 }
            }
            ColumnKind::Integer { .. } | ColumnKind::BigInt => Self::Integer,
            ColumnKind::Decimal { precision, .. } | ColumnKind::Double { precision, .. } => {
                Self::Number { places: *precision }
            }
            ColumnKind::Money { precision, role, .. } => Self::Money {
                currency: currency.filter(|_| matches!(role, MoneyRole::Amount { .. })),
                places: *precision,
            },
            ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => Self::Date,
            ColumnKind::DateTime { behavior, date_only_format } => {
                Self::Instant { local: *behavior == DateBehavior::UserLocal, date_only: *date_only_format }
            }
            ColumnKind::Lookup { .. } => Self::Name { at: name? },
            ColumnKind::TableName => Self::Table,
            ColumnKind::Text { .. }
            | ColumnKind::Memo { .. }
            | ColumnKind::Guid
            | ColumnKind::PartyList
            | ColumnKind::Image
            | ColumnKind::File
            | ColumnKind::Managed => return None,
        })
    }

    /// Whether amounts of money are shown, for which currencies are needed.
    pub(crate) fn is_money(&self) -> bool {
        matches!(self, Self::Money { .. })
    }

    /// Writes a value as it stands between quotes. `at` gives the other values of the row. False, and nothing written,
    /// when there is nothing to show.
    pub(crate) fn write<'v>(
        &self,
        out: &mut Vec<u8>,
        value: ValueRef<'v>,
        formats: &Formats,
        at: impl Fn(usize) -> ValueRef<'v>,
    ) -> bool {
        let Some(locale) = formats.locale else { return false };
        match (self, value) {
            (Self::Label(labels), ValueRef::Integer(option)) => return write_label(out, labels, option),
            (Self::Labels(labels), ValueRef::Text(options)) => {
                let before = out.len();
                for option in options.split(',').filter_map(|option| option.parse().ok()) {
                    if out.len() > before {
                        out.extend_from_slice(b"; ");
                    }
                    write_label(out, labels, option);
                }
                return out.len() > before;
            }
            (Self::YesNo { yes, .. }, ValueRef::Boolean(true)) => out.extend_from_slice(yes),
            (Self::YesNo { no, .. }, ValueRef::Boolean(false)) => out.extend_from_slice(no),
            (Self::Integer, ValueRef::Integer(number)) => locale.write_integer(out, number),
            (Self::Numbered(word), ValueRef::Integer(number)) => {
                out.extend_from_slice(word.as_bytes());
                json::integer(out, number);
            }
            (Self::Number { places }, ValueRef::Decimal(number)) => {
                locale.write_number(out, number.mantissa(), number.scale(), *places);
            }
            (Self::Number { places }, ValueRef::Double(number)) => {
                // Shown rounded anyway: the nearest decimal will do. Beyond its range a number is shown as it is.
                match Decimal::try_from(number) {
                    Ok(decimal) => locale.write_number(out, decimal.mantissa(), decimal.scale(), *places),
                    Err(_) => json::double(out, number),
                }
            }
            (Self::Money { currency, places }, ValueRef::Money(amount)) => {
                let id = currency.and_then(|position| match at(position) {
                    ValueRef::Guid(id) => Some(id),
                    _ => None,
                });
                let known = formats.currency(id);
                let places = known.map_or(*places, |currency| currency.precision);
                locale.write_money(out, amount.0, places, known.map_or("", |currency| &currency.symbol));
            }
            (Self::Instant { local, date_only }, ValueRef::DateTime(seconds)) => {
                let seconds = match &formats.zone {
                    Some(zone) if *local => instant::local(zone, seconds),
                    _ => seconds,
                };
                if *date_only {
                    locale.write_date(out, seconds.div_euclid(json::DAY_SECONDS));
                } else {
                    locale.write_date_time(out, seconds);
                }
            }
            (Self::Date, ValueRef::Date(days)) => locale.write_date(out, i64::from(days)),
            (Self::Table, ValueRef::Text(name)) => match formats.schema.table_named(name) {
                Some(table) => json::escaped(out, table.display_name.text()),
                None => return false,
            },
            (Self::Name { at: position }, ValueRef::Guid(_)) => match at(*position) {
                ValueRef::Text(name) => json::escaped(out, name),
                _ => return false,
            },
            _ => return false,
        }
        true
    }
}

fn write_label(out: &mut Vec<u8>, labels: &[(i64, Vec<u8>)], option: i64) -> bool {
    match labels.iter().find(|(value, _)| *value == option) {
        Some((_, label)) => out.extend_from_slice(label),
        // An option that the list has no more: its number is all there is.
        None => json::integer(out, option),
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use custodia_schema::{Money, Schema, standard};

    use super::*;

    fn euro() -> Currency {
        Currency {
            id: Guid::from_u128(2),
            code: "EUR".into(),
            symbol: "€".into(),
            precision: 2,
            rate: Decimal::new(9, 1),
        }
    }

    fn formats(time_zone_code: i32) -> Formats {
        let dollar = Currency {
            id: Guid::from_u128(1),
            code: "USD".into(),
            symbol: "$".into(),
            precision: 2,
            rate: Decimal::ONE,
        };
        Formats::of(1033, time_zone_code, vec![dollar, euro()])
    }

    fn shown(schema: &Schema, table: &str, column: &str, values: &[ValueRef<'_>], time_zone: i32) -> Option<String> {
        let column = schema.table_named(table).unwrap().column(column).unwrap();
        let formatter = Formatter::of(column, Some(1), Some(1))?;
        let mut out = Vec::new();
        let at = |position: usize| values.get(position).copied().unwrap_or(ValueRef::Null);
        formatter.write(&mut out, at(0), &formats(time_zone), at).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_are_shown_as_people_read_them() {
        let schema = standard();
        // 2024-02-29T23:30:00Z
        let instant = ValueRef::DateTime(1_709_249_400);
        let amount = ValueRef::Money(Money(12_345_000));
        let dollars = ValueRef::Guid(Guid::from_u128(1));
        let euros = ValueRef::Guid(Guid::from_u128(2));
        let unknown = ValueRef::Guid(Guid::from_u128(3));
        type Case<'c> = (&'c str, &'c str, Vec<ValueRef<'c>>, i32, Option<&'c str>);
        let cases: Vec<Case<'_>> = vec![
            ("account", "statecode", vec![ValueRef::Integer(0)], 92, Some("Active")),
            ("account", "statuscode", vec![ValueRef::Integer(2)], 92, Some("Inactive")),
            ("account", "statecode", vec![ValueRef::Integer(77)], 92, Some("77")),
            ("account", "creditonhold", vec![ValueRef::Boolean(true)], 92, Some("Yes")),
            ("account", "creditonhold", vec![ValueRef::Boolean(false)], 92, Some("No")),
            ("account", "numberofemployees", vec![ValueRef::Integer(1_500)], 92, Some("1,500")),
            ("account", "versionnumber", vec![ValueRef::Integer(1_234_567)], 92, Some("1,234,567")),
            ("account", "revenue", vec![amount, dollars], 92, Some("$1,234.50")),
            ("account", "revenue", vec![amount, euros], 92, Some("€1,234.50")),
            ("account", "revenue", vec![amount, unknown], 92, Some("1,234.50")),
            ("account", "revenue", vec![amount, ValueRef::Null], 92, Some("$1,234.50")),
            ("account", "revenue_base", vec![amount, euros], 92, Some("$1,234.50")),
            ("account", "createdon", vec![instant], 92, Some("2/29/2024 11:30 PM")),
            ("account", "createdon", vec![instant], 110, Some("3/1/2024 12:30 AM")),
            ("account", "createdon", vec![instant], 35, Some("2/29/2024 6:30 PM")),
            ("contact", "birthdate", vec![ValueRef::Date(19_782)], 35, Some("2/29/2024")),
            (
                "account",
                "primarycontactid",
                vec![ValueRef::Guid(Guid::nil()), ValueRef::Text("Ann \"A\"")],
                92,
                Some("Ann \\\"A\\\""),
            ),
            ("account", "primarycontactid", vec![ValueRef::Guid(Guid::nil()), ValueRef::Null], 92, None),
            ("savedquery", "returnedtypecode", vec![ValueRef::Text("contact")], 92, Some("Contact")),
            ("savedquery", "returnedtypecode", vec![ValueRef::Text("none")], 92, None),
            ("account", "name", vec![ValueRef::Text("x")], 92, None),
            ("account", "accountid", vec![ValueRef::Guid(Guid::nil())], 92, None),
            ("account", "revenue", vec![ValueRef::Null], 92, None),
        ];
        for (table, column, values, zone, expected) in cases {
            assert_eq!(shown(&schema, table, column, &values, zone).as_deref(), expected, "{column} {values:?}");
        }
    }

    #[test]
    fn several_options_are_joined() {
        let labels = Formatter::Labels(vec![(1, b"One".to_vec()), (3, b"Three".to_vec())]);
        let mut out = Vec::new();
        assert!(labels.write(&mut out, ValueRef::Text("1,3,7"), &formats(92), |_| ValueRef::Null));
        assert_eq!(out, b"One; Three; 7");
    }

    #[test]
    fn floating_point_numbers_have_the_digits_of_their_column() {
        let places = Formatter::Number { places: 2 };
        for (number, expected) in [(1_234.5, "1,234.50"), (-0.005, "-0.01"), (1e300, "1e300")] {
            let mut out = Vec::new();
            places.write(&mut out, ValueRef::Double(number), &formats(92), |_| ValueRef::Null);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
