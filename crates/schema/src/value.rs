//! What one column of one record holds.

/// A GUID. Ordered by its bytes, which is the order of both engines.
pub type Guid = uuid::Uuid;

/// An exact decimal number.
pub type Decimal = rust_decimal::Decimal;

/// An amount in ten-thousandths of the currency's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

impl Money {
    /// From a decimal; `None` when it does not fit. More than four digits after the point are rounded half away from zero.
    #[must_use]
    pub fn from_decimal(value: Decimal) -> Option<Self> {
        use rust_decimal::RoundingStrategy::MidpointAwayFromZero;
        let scaled = value.checked_mul(Decimal::from(10_000))?.round_dp_with_strategy(0, MidpointAwayFromZero);
        i64::try_from(scaled).ok().map(Self)
    }

    /// As a decimal with four digits after the point.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 4)
    }
}

/// What one column of one record holds. The variant follows from the column's type; `Null` fits every type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A 32-bit integer, choice, state or status.
    Integer(i32),
    /// A 64-bit integer.
    BigInt(i64),
    /// An exact decimal.
    Decimal(Decimal),
    /// A binary floating-point number, never NaN or infinite.
    Double(f64),
    /// An amount of money.
    Money(Money),
    /// Text, also a table name.
    Text(String),
    /// A GUID that is not a lookup.
    Guid(Guid),
    /// A link: the row and the table it is in (object type code).
    Lookup(crate::TableId, Guid),
    /// A UTC instant, or a wall-clock time kept as UTC, in whole seconds since 1970.
    DateTime(i64),
    /// A calendar date, in days since 1970-01-01.
    Date(i32),
    /// Options of a multi-select, sorted, without repeats.
    Choices(Vec<i32>),
}

impl Value {
    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The GUID of a lookup or GUID column.
    #[must_use]
    pub fn guid(&self) -> Option<Guid> {
        match self {
            Self::Guid(id) | Self::Lookup(_, id) => Some(*id),
            _ => None,
        }
    }
}

/// A borrowed value as a row gives it, before it becomes bytes or a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// Any integer: 32 and 64 bit, choices.
    Integer(i64),
    /// An exact decimal.
    Decimal(Decimal),
    /// A floating-point number.
    Double(f64),
    /// An amount of money.
    Money(Money),
    /// Text.
    Text(&'a str),
    /// A GUID, also of a lookup.
    Guid(Guid),
    /// Seconds since 1970.
    DateTime(i64),
    /// Days since 1970-01-01.
    Date(i32),
}
