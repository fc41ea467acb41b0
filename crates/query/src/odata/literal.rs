//! Literals, and what they are for the column they are compared with.

use custodia_schema::{ColumnKind, DateBehavior, Decimal, Guid, Money, Value};

use super::lexer::{Token, parse_guid};
use super::moment::{DAY_SECONDS, Moment};
use super::number::{Number, Scaled};

/// Digits after the point that a decimal column can hold, whatever its precision.
const DECIMAL_PLACES: u8 = 12;

/// Digits after the point that a money column can hold.
const MONEY_PLACES: u8 = 4;

/// A literal as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    Guid(Guid),
    Moment(Moment),
}

/// What a literal is among the values of a type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fit {
    /// One of them.
    Value(Value),
    /// None of them, but this is the next smaller one.
    After(Value),
    /// Smaller than all of them.
    BelowAll,
    /// Greater than all of them.
    AboveAll,
}

impl Literal {
    /// The literal a token is. `None` for every token that is none.
    pub(super) fn of(token: &Token<'_>) -> Option<Self> {
        Some(match token {
            Token::Word("null") => Self::Null,
            Token::Word("true") => Self::Boolean(true),
            Token::Word("false") => Self::Boolean(false),
            Token::Number(number) => Self::Number(number.clone()),
            Token::Text(text) => Self::Text(text.clone()),
            Token::Guid(id) => Self::Guid(*id),
            Token::Moment(moment) => Self::Moment(*moment),
            _ => return None,
        })
    }

    /// What it is, for messages.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a quoted text",
            Self::Guid(_) => "a GUID",
            Self::Moment(_) => "a date",
        }
    }

    /// What it is among the values of a column of this type; `None` when it is of another type. Null is of no type.
    pub(crate) fn fit(&self, kind: &ColumnKind) -> Option<Fit> {
        Some(match kind {
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Fit::Value(Value::Text(self.text()?.to_owned())),
            ColumnKind::TableName => Fit::Value(Value::Text(self.text()?.to_ascii_lowercase())),
            ColumnKind::Integer { .. }
            | ColumnKind::Choice { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. } => units(self.number()?, 0, |units| units.try_into().ok().map(Value::Integer)),
            ColumnKind::BigInt => units(self.number()?, 0, |units| units.try_into().ok().map(Value::BigInt)),
            ColumnKind::Money { .. } => units(self.number()?, MONEY_PLACES, |units| {
                units.try_into().ok().map(|units| Value::Money(Money(units)))
            }),
            ColumnKind::Decimal { .. } => units(self.number()?, DECIMAL_PLACES, |units| {
                let decimal = Decimal::try_from_i128_with_scale(units, u32::from(DECIMAL_PLACES)).ok()?;
                Some(Value::Decimal(decimal.normalize()))
            }),
            ColumnKind::Double { .. } => match self.number()?.nearest_double() {
                f64::INFINITY => Fit::AboveAll,
                f64::NEG_INFINITY => Fit::BelowAll,
                finite => Fit::Value(Value::Double(finite)),
            },
            ColumnKind::Boolean { .. } | ColumnKind::Managed => match self {
                Self::Boolean(value) => Fit::Value(Value::Boolean(*value)),
                _ => return None,
            },
            ColumnKind::DateTime { behavior, .. } => {
                let seconds = self.moment()?.seconds;
                match behavior {
                    DateBehavior::UserLocal | DateBehavior::TimeZoneIndependent => Fit::Value(Value::DateTime(seconds)),
                    DateBehavior::DateOnly => {
                        let day = Value::Date(i32::try_from(seconds.div_euclid(DAY_SECONDS)).ok()?);
                        if seconds.rem_euclid(DAY_SECONDS) == 0 { Fit::Value(day) } else { Fit::After(day) }
                    }
                }
            }
            ColumnKind::Choices { .. } => Fit::Value(Value::Choices(choices(self.text()?)?)),
            ColumnKind::Guid | ColumnKind::Lookup { .. } => Fit::Value(Value::Guid(self.guid()?)),
            ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => return None,
        })
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Bare or quoted.
    pub(crate) fn guid(&self) -> Option<Guid> {
        match self {
            Self::Guid(id) => Some(*id),
            Self::Text(text) => parse_guid(text),
            _ => None,
        }
    }

    /// Bare or quoted.
    fn moment(&self) -> Option<Moment> {
        match self {
            Self::Moment(moment) => Some(*moment),
            Self::Text(text) => Moment::parse(text),
            _ => None,
        }
    }
}

/// What a literal must look like for a column of this type, for messages.
pub(crate) fn expected(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => "a quoted text like 'Contoso'",
        ColumnKind::TableName => "the quoted logical name of a table like 'account'",
        ColumnKind::Integer { .. } | ColumnKind::BigInt => "a whole number like 12",
        ColumnKind::Choice { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => {
            "the number of an option like 1"
        }
        ColumnKind::Choices { .. } => "quoted numbers of options like '1,3'",
        ColumnKind::Money { .. } | ColumnKind::Decimal { .. } | ColumnKind::Double { .. } => "a number like 12.5",
        ColumnKind::Boolean { .. } | ColumnKind::Managed => "true or false",
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => "a date like 2024-02-29",
        ColumnKind::DateTime { .. } => "a date and time like 2024-02-29T10:00:00Z",
        ColumnKind::Guid | ColumnKind::Lookup { .. } => "a GUID like 00000000-0000-0000-0000-000000000001",
        ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => "null",
    }
}

/// Places a number among values that are whole units of ten to the power of minus `places`. `value` makes one of
/// them, `None` when it is beyond the type's range.
fn units(number: &Number, places: u8, value: impl Fn(i128) -> Option<Value>) -> Fit {
    match number.scaled(places) {
        Scaled::TooSmall => Fit::BelowAll,
        Scaled::TooGreat => Fit::AboveAll,
        Scaled::Units { floor, exact } => match value(floor) {
            Some(value) if exact => Fit::Value(value),
            Some(value) => Fit::After(value),
            None if floor < 0 => Fit::BelowAll,
            None => Fit::AboveAll,
        },
    }
}

/// The options of a multi-select: numbers joined by commas, sorted, without repeats.
fn choices(text: &str) -> Option<Vec<i32>> {
    let mut options = text.split(',').map(|option| option.trim().parse().ok()).collect::<Option<Vec<i32>>>()?;
    options.sort_unstable();
    options.dedup();
    Some(options)
}
