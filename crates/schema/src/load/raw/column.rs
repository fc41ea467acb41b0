//! The shape of a column's line.

use serde::Deserialize;

use crate::{DateBehavior, IntegerFormat, LookupFlavor, RequiredLevel, TextFormat};

/// A column's kind.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub(in crate::load) enum Kind {
    Text,
    Memo,
    Integer,
    #[serde(rename = "bigint")]
    BigInt,
    Decimal,
    Double,
    Money,
    Boolean,
    #[serde(rename = "datetime")]
    DateTime,
    Choice,
    Choices,
    State,
    Status,
    Guid,
    Lookup,
    TableName,
    PartyList,
    Image,
    File,
    Managed,
}

/// A number as files write it: whole, with a point, or exact as a text.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "a number is written as 1, as 1.5 or, where it must be exact, as \"1.5\"")]
pub(in crate::load) enum Number {
    Whole(i64),
    Binary(f64),
    Exact(String),
}

/// A value of a new record.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "a default is true, false or the number of an option")]
pub(in crate::load) enum DefaultValue {
    Truth(bool),
    Option(i32),
}

/// An option of a choice, state or status column.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::load) struct ChoiceOption {
    pub value: i32,
    pub label: String,
    #[serde(default)]
    pub state: Option<i32>,
    #[serde(default)]
    pub default_status: Option<i32>,
}

/// A column, or what is known of one in the defaults. Only `name` is always there in table files.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::load) struct Column {
    pub id: Option<u16>,
    pub name: String,
    pub schema: Option<String>,
    pub label: Option<String>,
    pub kind: Option<Kind>,
    pub required: Option<Required>,
    pub create: Option<bool>,
    pub read: Option<bool>,
    pub update: Option<bool>,
    pub audited: Option<bool>,
    pub securable: Option<bool>,
    pub secured: Option<bool>,
    pub max_length: Option<u32>,
    pub format: Option<Format>,
    pub auto_number: Option<String>,
    pub min: Option<Number>,
    pub max: Option<Number>,
    pub precision: Option<u8>,
    pub base_precision: Option<u8>,
    pub base_of: Option<String>,
    pub true_label: Option<String>,
    pub false_label: Option<String>,
    pub default: Option<DefaultValue>,
    pub behavior: Option<Behavior>,
    pub date_only: Option<bool>,
    pub targets: Option<Vec<String>>,
    pub flavor: Option<Flavor>,
    pub derived_from: Option<Vec<String>>,
    pub typed_by: Option<String>,
    pub global: Option<String>,
    pub options: Option<Vec<ChoiceOption>>,
}

#[derive(Clone, Copy, Deserialize)]
pub(in crate::load) struct Required(#[serde(with = "RequiredName")] pub RequiredLevel);

#[derive(Deserialize)]
#[serde(remote = "RequiredLevel", rename_all = "kebab-case")]
enum RequiredName {
    None,
    Recommended,
    Application,
    System,
}

/// What a text means or an integer counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(in crate::load) enum Format {
    Text,
    TextArea,
    Email,
    Url,
    Phone,
    TickerSymbol,
    PhoneticGuide,
    RichText,
    Json,
    VersionNumber,
    None,
    Duration,
    TimeZone,
    Language,
    Locale,
}

impl Format {
    pub fn of_text(self) -> Option<TextFormat> {
        Some(match self {
            Self::Text => TextFormat::Text,
            Self::TextArea => TextFormat::TextArea,
            Self::Email => TextFormat::Email,
            Self::Url => TextFormat::Url,
            Self::Phone => TextFormat::Phone,
            Self::TickerSymbol => TextFormat::TickerSymbol,
            Self::PhoneticGuide => TextFormat::PhoneticGuide,
            Self::RichText => TextFormat::RichText,
            Self::Json => TextFormat::Json,
            Self::VersionNumber => TextFormat::VersionNumber,
            Self::None | Self::Duration | Self::TimeZone | Self::Language | Self::Locale => return None,
        })
    }

    pub fn of_integer(self) -> Option<IntegerFormat> {
        Some(match self {
            Self::None => IntegerFormat::None,
            Self::Duration => IntegerFormat::Duration,
            Self::TimeZone => IntegerFormat::TimeZone,
            Self::Language => IntegerFormat::Language,
            Self::Locale => IntegerFormat::Locale,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Deserialize)]
pub(in crate::load) struct Behavior(#[serde(with = "BehaviorName")] pub DateBehavior);

#[derive(Deserialize)]
#[serde(remote = "DateBehavior", rename_all = "kebab-case")]
enum BehaviorName {
    UserLocal,
    DateOnly,
    TimeZoneIndependent,
}

#[derive(Clone, Copy, Deserialize)]
pub(in crate::load) struct Flavor(#[serde(with = "FlavorName")] pub LookupFlavor);

#[derive(Deserialize)]
#[serde(remote = "LookupFlavor", rename_all = "kebab-case")]
enum FlavorName {
    Simple,
    Customer,
    Owner,
    Regarding,
}
