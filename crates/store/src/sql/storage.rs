//! How a column's values are kept, and what the physical columns are called.

use std::borrow::Cow;

use custodia_schema::{Column, ColumnKind, DateBehavior, RequiredLevel, RowSecurity, Table, Value};

use super::Output;

/// The suffix of the column that holds a text's fold.
pub(crate) const FOLD: &str = "__f";
/// The suffix of the column that holds the table a polymorphic lookup points at.
pub(crate) const TARGET: &str = "__t";

/// Longest identifier that both engines keep whole, in bytes: PostgreSQL cuts longer ones silently.
pub(crate) const IDENTIFIER_BYTES_MAX: usize = 63;

/// How values of a column are kept: what the engines' types and the comparisons follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Boolean,
    Integer,
    BigInt,
    Decimal,
    Double,
    Money,
    Text,
    Guid,
    DateTime,
    Date,
    /// Not of any record's column: payloads and secrets of the store's own tables.
    Bytes,
}

impl Storage {
    /// Of a column; `None` for columns that no row stores.
    pub(crate) fn of(kind: &ColumnKind) -> Option<Self> {
        Some(match kind {
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::TableName | ColumnKind::Choices { .. } => {
                Self::Text
            }
            ColumnKind::Integer { .. }
            | ColumnKind::Choice { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. } => Self::Integer,
            ColumnKind::BigInt => Self::BigInt,
            ColumnKind::Decimal { .. } => Self::Decimal,
            ColumnKind::Double { .. } => Self::Double,
            ColumnKind::Money { .. } => Self::Money,
            ColumnKind::Boolean { .. } | ColumnKind::Managed => Self::Boolean,
            ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => Self::Date,
            ColumnKind::DateTime { .. } => Self::DateTime,
            ColumnKind::Guid | ColumnKind::Lookup { .. } => Self::Guid,
            ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => return None,
        })
    }

    /// The storage a value needs when it is bound; `None` for null, which fits all.
    pub(crate) fn of_value(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Boolean(_) => Self::Boolean,
            Value::Integer(_) => Self::Integer,
            Value::BigInt(_) => Self::BigInt,
            Value::Decimal(_) => Self::Decimal,
            Value::Double(_) => Self::Double,
            Value::Money(_) => Self::Money,
            Value::Text(_) | Value::Choices(_) => Self::Text,
            Value::Guid(_) | Value::Lookup(..) => Self::Guid,
            Value::DateTime(_) => Self::DateTime,
            Value::Date(_) => Self::Date,
        })
    }

    /// Whether a column of this storage can be compared with a value or column of the other.
    pub(crate) fn compares_with(self, other: Self) -> bool {
        let whole = |storage| matches!(storage, Self::Integer | Self::BigInt);
        self == other || (whole(self) && whole(other))
    }

    /// How an output column of it is decoded.
    pub(crate) fn output(self) -> Output {
        match self {
            Self::Boolean => Output::Boolean,
            Self::Integer | Self::BigInt => Output::Integer,
            Self::Decimal => Output::Decimal,
            Self::Double => Output::Double,
            Self::Money => Output::Money,
            Self::Text | Self::Bytes => Output::Text,
            Self::Guid => Output::Guid,
            Self::DateTime => Output::DateTime,
            Self::Date => Output::Date,
        }
    }

    /// PostgreSQL's name of the type, as used in casts.
    pub(crate) fn postgres(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::BigInt | Self::Money => "bigint",
            Self::Decimal => "numeric",
            Self::Double => "double precision",
            Self::Text => "text",
            Self::Guid => "uuid",
            Self::DateTime => "timestamptz",
            Self::Date => "date",
            Self::Bytes => "bytea",
        }
    }

    /// SQLite's name of the type, in strict tables.
    pub(crate) fn sqlite(self) -> &'static str {
        match self {
            Self::Boolean | Self::Integer | Self::BigInt | Self::Money | Self::DateTime | Self::Date => "INTEGER",
            Self::Decimal | Self::Guid | Self::Bytes => "BLOB",
            Self::Double => "REAL",
            Self::Text => "TEXT",
        }
    }

    /// What a value of another type is called in an error.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Integer | Self::BigInt => "an integer",
            Self::Decimal => "a decimal number",
            Self::Double => "a floating-point number",
            Self::Money => "an amount of money",
            Self::Text => "a text",
            Self::Guid => "an id",
            Self::DateTime => "a date and time",
            Self::Date => "a date",
            Self::Bytes => "bytes",
        }
    }
}

/// The physical name of a column with a suffix: too long ones are cut and told apart by a hash.
pub(crate) fn physical<'n>(name: &'n str, suffix: &str) -> Cow<'n, str> {
    if suffix.is_empty() && name.len() <= IDENTIFIER_BYTES_MAX {
        return Cow::Borrowed(name);
    }
    let mut whole = format!("{name}{suffix}");
    shorten(&mut whole, suffix);
    Cow::Owned(whole)
}

/// Whether a name with a suffix needs neither cutting nor escaping, which is nearly always.
pub(crate) fn is_plain(name: &str, suffix: &str) -> bool {
    name.len() + suffix.len() <= IDENTIFIER_BYTES_MAX && !name.contains('"')
}

/// Cuts an identifier that is too long; the same text always gives the same name, on both engines.
pub(crate) fn shorten(name: &mut String, suffix: &str) {
    if name.len() <= IDENTIFIER_BYTES_MAX {
        return;
    }
    // FNV-1a: names are stored in databases, so the hash must never change with a library.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let tail = format!("_{hash:016x}{suffix}");
    let mut keep = IDENTIFIER_BYTES_MAX.saturating_sub(tail.len());
    while !name.is_char_boundary(keep) {
        keep -= 1;
    }
    name.truncate(keep);
    name.push_str(&tail);
}

/// The suffix of the physical column in which values of this column are compared and sorted.
pub(crate) fn comparison_suffix(column: &Column) -> &'static str {
    if column.kind.is_text() { FOLD } else { "" }
}

/// Whether the platform fills the column in every row, so that the database insists on it.
///
/// Deliberately narrow: what a form or a client must give is checked by the service, where it can be explained.
pub(crate) fn is_always_set(table: &Table, column: &Column) -> bool {
    if column.id == table.primary_id {
        return true;
    }
    match &table.security {
        RowSecurity::Owned { owner, unit } if column.id == *owner || column.id == *unit => return true,
        _ => {}
    }
    is_share_part(table, column)
        || is_link_end(table, column)
        || matches!(column.kind, ColumnKind::State { .. } | ColumnKind::Status { .. })
}

/// Whether the column is one of the two ends of an N:N intersect.
fn is_link_end(table: &Table, column: &Column) -> bool {
    table.is_intersect
        && table.security == RowSecurity::Intersect
        && column.required == RequiredLevel::System
        && matches!(column.kind, ColumnKind::Guid | ColumnKind::Lookup { .. })
}

/// Whether the column is one that the predicates over shares rely on.
fn is_share_part(table: &Table, column: &Column) -> bool {
    table.name == super::access::SHARES
        && [
            super::access::SHARED_OBJECT,
            super::access::SHARED_PRINCIPAL,
            super::access::SHARED_MASK,
            super::access::INHERITED_MASK,
        ]
        .contains(&column.name.as_str())
}
