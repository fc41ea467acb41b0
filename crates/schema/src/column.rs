//! A column of a table: its type, limits and switches.

use crate::{ColumnId, Decimal, Label, TableId};

/// One option of a choice, state or status column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The stored number.
    pub value: i32,
    /// What a person sees.
    pub label: Label,
}

/// What a state option adds to its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateInfo {
    /// The option itself.
    pub choice: Choice,
    /// The status reason a record takes when this state is set without one.
    pub default_status: i32,
}

/// How strongly a value is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredLevel {
    /// Optional.
    None,
    /// Optional, marked in forms.
    Recommended,
    /// Asked for by forms; the API does not insist (as Dataverse).
    Application,
    /// A record cannot exist without it. Columns that the platform fills are exempt on input.
    System,
}

/// The meaning of a text column, for forms and validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// Plain text.
    Text,
    /// Several lines.
    TextArea,
    /// Mail address.
    Email,
    /// Web address.
    Url,
    /// Telephone number.
    Phone,
    /// Ticker symbol.
    TickerSymbol,
    /// Phonetic guide of another column.
    PhoneticGuide,
    /// HTML.
    RichText,
    /// JSON.
    Json,
    /// A version label.
    VersionNumber,
}

/// What an integer counts, for its formatted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerFormat {
    /// A plain number.
    None,
    /// Minutes, shown as a duration.
    Duration,
    /// A time zone's number.
    TimeZone,
    /// A language's number.
    Language,
    /// A locale's number.
    Locale,
}

/// How a date-time is kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateBehavior {
    /// A UTC instant shown in the user's time zone.
    UserLocal,
    /// A calendar date without time or zone ([`crate::Value::Date`]).
    DateOnly,
    /// A wall-clock time without zone, kept as if UTC.
    TimeZoneIndependent,
}

/// What a lookup column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFlavor {
    /// An ordinary link.
    Simple,
    /// Account or contact.
    Customer,
    /// The record's owner, a user or a team.
    Owner,
    /// What an activity or note is about.
    Regarding,
}

/// How a money column relates to the organisation's base currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyRole {
    /// An amount in the record's currency; `base` is its companion in base currency, if the table has one.
    Amount {
        /// The companion column, written by the platform.
        base: Option<ColumnId>,
    },
    /// The base-currency companion of `of`: `of / exchangerate`.
    Base {
        /// The column it is computed from.
        of: ColumnId,
    },
}

/// The type of a column with its limits. Ranges are inclusive.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnKind {
    /// Text up to `max_length` characters (Unicode scalar values), at most 4,000.
    Text {
        /// Longest text in characters.
        max_length: u32,
        /// Its meaning.
        format: TextFormat,
    },
    /// Long text up to `max_length` characters, at most 1,048,576.
    Memo {
        /// Longest text in characters.
        max_length: u32,
        /// Its meaning.
        format: TextFormat,
    },
    /// A 32-bit integer.
    Integer {
        /// Least value.
        min: i32,
        /// Greatest value.
        max: i32,
        /// What it counts.
        format: IntegerFormat,
    },
    /// A 64-bit integer.
    BigInt,
    /// An exact decimal number.
    Decimal {
        /// Least value.
        min: Decimal,
        /// Greatest value.
        max: Decimal,
        /// Digits after the point (0 to 12); input is rounded half away from zero.
        precision: u8,
    },
    /// A binary floating-point number.
    Double {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
        /// Digits after the point shown and kept.
        precision: u8,
    },
    /// An amount of money, kept in ten-thousandths.
    Money {
        /// Least value.
        min: Decimal,
        /// Greatest value.
        max: Decimal,
        /// Digits after the point shown (0 to 4).
        precision: u8,
        /// Amount or base-currency companion.
        role: MoneyRole,
    },
    /// Yes or no.
    Boolean {
        /// Label of `true`.
        true_label: Label,
        /// Label of `false`.
        false_label: Label,
        /// Value of a new record when none is given.
        default: Option<bool>,
    },
    /// An instant or a calendar date.
    DateTime {
        /// How it is kept and shown.
        behavior: DateBehavior,
        /// Shown without the time of day.
        date_only_format: bool,
    },
    /// One of a list of options.
    Choice {
        /// The options, in display order.
        options: Vec<Choice>,
        /// Value of a new record when none is given.
        default: Option<i32>,
        /// Name of the shared option set, if it is one.
        global: Option<String>,
    },
    /// Several of a list of options.
    Choices {
        /// The options, in display order.
        options: Vec<Choice>,
        /// Name of the shared option set, if it is one.
        global: Option<String>,
    },
    /// The record's state.
    State {
        /// The states, in display order.
        options: Vec<StateInfo>,
    },
    /// The record's status reason; each belongs to one state.
    Status {
        /// The reasons with the state each belongs to, in display order.
        options: Vec<(Choice, i32)>,
    },
    /// A bare GUID: the primary id, or a reference without a relationship.
    Guid,
    /// A link to a record of one of `targets`.
    Lookup {
        /// Tables it may point at, at least one. More than one: a `<column>__t` column says which.
        targets: Vec<TableId>,
        /// What it is for.
        flavor: LookupFlavor,
    },
    /// The logical name of a table.
    TableName,
    /// The parties of an activity: rows of `activityparty`, not a stored column.
    PartyList,
    /// A picture; not stored yet.
    Image,
    /// A file; not stored yet.
    File,
    /// A platform switch of a customisation component, kept as a boolean.
    Managed,
}

impl ColumnKind {
    /// Whether a record's row has a physical column for it.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        !matches!(self, Self::PartyList | Self::Image | Self::File)
    }

    /// Whether it is text that is compared by its fold.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Memo { .. })
    }

    /// The tables a lookup may point at; empty for other types.
    #[must_use]
    pub fn targets(&self) -> &[TableId] {
        match self {
            Self::Lookup { targets, .. } => targets,
            _ => &[],
        }
    }

    /// Whether a `<column>__t` companion says which table the link points at.
    #[must_use]
    pub fn is_polymorphic(&self) -> bool {
        self.targets().len() > 1
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Stable number within the table.
    pub id: ColumnId,
    /// Logical name, lower case.
    pub name: String,
    /// Schema name, mixed case.
    pub schema_name: String,
    /// What a person sees.
    pub display_name: Label,
    /// Type and limits.
    pub kind: ColumnKind,
    /// How strongly a value is asked for.
    pub required: RequiredLevel,
    /// A caller may set it on create.
    pub creatable: bool,
    /// A caller may change it on update.
    pub updatable: bool,
    /// A caller may read it (subject to column security).
    pub readable: bool,
    /// The column's audit switch.
    pub audited: bool,
    /// Column security may be switched on.
    pub securable: bool,
    /// Column security is on.
    pub secured: bool,
    /// Columns it is derived from (a composite address, a full name): it is readable only if all of them are.
    pub derived_from: Vec<ColumnId>,
    /// For a GUID that is the id of a record of any table: the column that says which table, by its logical name.
    pub typed_by: Option<ColumnId>,
    /// Pattern of the number the platform gives a new record that comes without one
    /// (`CAS-{SEQNUM:5}-{RANDSTRING:6}`); only on text columns.
    pub auto_number: Option<String>,
}

impl Column {
    /// The columns that this one shows something of: those it is composed of, and the amount that a base amount is of.
    pub fn sources(&self) -> impl Iterator<Item = ColumnId> + '_ {
        let base_of = match self.kind {
            ColumnKind::Money { role: MoneyRole::Base { of }, .. } => Some(of),
            _ => None,
        };
        self.derived_from.iter().copied().chain(base_of)
    }
}
