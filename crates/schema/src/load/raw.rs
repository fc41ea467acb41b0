//! The shapes of the files, before anything is checked.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::{
    AssignCascade, Cascade, DateBehavior, DeleteCascade, IntegerFormat, Level, LookupFlavor, MergeCascade, Ownership,
    PrivilegeKind, RequiredLevel, TextFormat,
};

/// A table file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableFile {
    pub name: Spanned<String>,
    pub schema: String,
    #[serde(default)]
    pub set: Option<Spanned<String>>,
    pub label: String,
    pub collection_label: String,
    #[serde(default)]
    pub code: Option<Spanned<u32>>,
    #[serde(with = "OwnershipWord")]
    pub ownership: Ownership,
    pub primary_id: Spanned<String>,
    #[serde(default)]
    pub primary_name: Option<Spanned<String>>,
    #[serde(default)]
    pub activity: bool,
    #[serde(default)]
    pub intersect: bool,
    #[serde(default)]
    pub audited: Option<bool>,
    #[serde(default)]
    pub notes: bool,
    #[serde(default)]
    pub activities: bool,
    #[serde(default)]
    pub optimistic_concurrency: Option<bool>,
    #[serde(default)]
    pub change_tracking: Option<bool>,
    #[serde(default)]
    pub security: Option<Spanned<SecurityWord>>,
    #[serde(default)]
    pub privileges: Option<Spanned<Privileges>>,
    #[serde(default)]
    pub privileges_of: Option<Spanned<String>>,
    #[serde(default)]
    pub keys: Vec<Spanned<Key>>,
    #[serde(default)]
    pub list_indexes: Vec<Spanned<Vec<String>>>,
    pub columns: Vec<Spanned<Column>>,
    #[serde(default)]
    pub parents: Vec<Spanned<Parent>>,
}

#[derive(Deserialize)]
#[serde(remote = "Ownership", rename_all = "kebab-case")]
enum OwnershipWord {
    User,
    Organization,
    Business,
    None,
}

/// How the security of a row is found.
#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "security is \"owned\", \"organization\", \"intersect\", { unit = COLUMN, principal = COLUMN } or { parents = [COLUMNS] }"
)]
pub(super) enum SecurityWord {
    Word(SecurityName),
    Unit(SecurityUnit),
    Parents(SecurityParents),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SecurityName {
    Owned,
    Organization,
    Intersect,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecurityUnit {
    pub unit: String,
    #[serde(default)]
    pub principal: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecurityParents {
    pub parents: Vec<String>,
}

/// What a table's privileges are called and which there are; what is left out follows from the ownership.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Privileges {
    #[serde(default)]
    pub token: Option<String>,
    #[serde(default)]
    pub kinds: Option<Vec<KindWord>>,
    #[serde(default)]
    pub levels: Option<Vec<LevelWord>>,
    #[serde(default)]
    pub levels_of: BTreeMap<KindWord, Vec<LevelWord>>,
    #[serde(default)]
    pub names: BTreeMap<KindWord, String>,
}

/// A privilege kind as files write it.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KindWord(#[serde(with = "KindName")] pub PrivilegeKind);

#[derive(Deserialize)]
#[serde(remote = "PrivilegeKind")]
enum KindName {
    Create,
    Read,
    Write,
    Delete,
    Append,
    AppendTo,
    Assign,
    Share,
}

/// A level as files write it.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct LevelWord(#[serde(with = "LevelName")] pub Level);

#[derive(Deserialize)]
#[serde(remote = "Level", rename_all = "kebab-case")]
enum LevelName {
    Basic,
    Local,
    Deep,
    Global,
}

/// An alternate key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub name: String,
    pub columns: Vec<String>,
}

/// A column's kind.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
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
pub(super) enum Number {
    Whole(i64),
    Binary(f64),
    Exact(String),
}

/// A value of a new record.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "a default is true, false or the number of an option")]
pub(super) enum DefaultValue {
    Truth(bool),
    Option(i32),
}

/// An option of a choice, state or status column.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChoiceOption {
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
pub(super) struct Column {
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
    pub global: Option<String>,
    pub options: Option<Vec<ChoiceOption>>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Required(#[serde(with = "RequiredName")] pub RequiredLevel);

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
pub(super) enum Format {
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
pub(super) struct Behavior(#[serde(with = "BehaviorName")] pub DateBehavior);

#[derive(Deserialize)]
#[serde(remote = "DateBehavior", rename_all = "kebab-case")]
enum BehaviorName {
    UserLocal,
    DateOnly,
    TimeZoneIndependent,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Flavor(#[serde(with = "FlavorName")] pub LookupFlavor);

#[derive(Deserialize)]
#[serde(remote = "LookupFlavor", rename_all = "kebab-case")]
enum FlavorName {
    Simple,
    Customer,
    Owner,
    Regarding,
}

/// A 1:N relationship, written in the child's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parent {
    pub column: String,
    pub table: String,
    pub name: String,
    #[serde(default)]
    pub navigation: Option<String>,
    #[serde(default)]
    pub collection: Option<String>,
    #[serde(default)]
    pub hierarchical: bool,
    #[serde(default)]
    pub cascade: Option<CascadeWords>,
}

/// Cascades; what is left out does nothing.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CascadeWords {
    pub assign: AssignWord,
    pub share: AssignWord,
    pub unshare: AssignWord,
    pub reparent: AssignWord,
    pub delete: DeleteWord,
    pub merge: MergeWord,
}

impl CascadeWords {
    pub fn cascade(self) -> Cascade {
        Cascade {
            assign: self.assign.action(),
            share: self.share.action(),
            unshare: self.unshare.action(),
            reparent: self.reparent.action(),
            delete: match self.delete {
                DeleteWord::None => DeleteCascade::None,
                DeleteWord::RemoveLink => DeleteCascade::RemoveLink,
                DeleteWord::Cascade => DeleteCascade::Cascade,
                DeleteWord::Restrict => DeleteCascade::Restrict,
            },
            merge: match self.merge {
                MergeWord::None => MergeCascade::None,
                MergeWord::Cascade => MergeCascade::Cascade,
            },
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AssignWord {
    #[default]
    None,
    All,
    Active,
    UserOwned,
}

impl AssignWord {
    fn action(self) -> AssignCascade {
        match self {
            Self::None => AssignCascade::None,
            Self::All => AssignCascade::All,
            Self::Active => AssignCascade::Active,
            Self::UserOwned => AssignCascade::UserOwned,
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DeleteWord {
    #[default]
    None,
    RemoveLink,
    Cascade,
    Restrict,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MergeWord {
    #[default]
    None,
    Cascade,
}

/// `many-to-many.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManyToManyFile {
    pub many_to_many: Vec<Spanned<Link>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    pub name: String,
    pub intersect: String,
    pub first: End,
    pub second: End,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub table: String,
    pub column: String,
    #[serde(default)]
    pub navigation: Option<String>,
}

/// `option-sets.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptionSetFile {
    pub option_sets: Vec<Spanned<OptionSet>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptionSet {
    pub name: String,
    pub options: Vec<ChoiceOption>,
}

/// `privileges.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrivilegeFile {
    pub privileges: Vec<Spanned<String>>,
}

/// `defaults.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsFile {
    pub column: Column,
    pub kind: BTreeMap<Kind, Column>,
    pub primary_id: Column,
    pub primary_name: Column,
    #[serde(default)]
    pub columns: BTreeMap<String, Column>,
    pub table: TableSwitches,
    pub ownership: OwnershipDefaults,
    pub activity: ActivityDefaults,
    #[serde(default)]
    pub cascade: Vec<CascadeRule>,
    #[serde(default)]
    pub hierarchy: Hierarchy,
    #[serde(default)]
    pub tables: BTreeMap<String, TableDefaults>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableSwitches {
    pub audited: bool,
    pub optimistic_concurrency: bool,
    pub change_tracking: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnershipDefaults {
    pub user: Owned,
    pub organization: Owned,
    pub business: Owned,
    pub none: Owned,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owned {
    #[serde(default)]
    pub security: Option<SecurityWord>,
    pub kinds: Vec<KindWord>,
    pub levels: Vec<LevelWord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivityDefaults {
    pub privileges_of: String,
}

/// Cascades of relationships that have none in their file. Empty lists fit everything.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CascadeRule {
    pub columns: Vec<String>,
    pub parents: Vec<String>,
    pub children: Vec<String>,
    pub assign: AssignWord,
    pub share: AssignWord,
    pub unshare: AssignWord,
    pub reparent: AssignWord,
    pub delete: DeleteWord,
    pub merge: MergeWord,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Hierarchy {
    pub relationships: Vec<String>,
}

/// What a table's file lacks.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TableDefaults {
    pub code: Option<u32>,
    pub token: Option<String>,
    pub security: Option<SecurityWord>,
    pub privileges: Option<Privileges>,
    pub privileges_of: Option<String>,
    pub lengths: BTreeMap<String, u32>,
    pub values: BTreeMap<String, DefaultValue>,
    pub platform_fills: Vec<String>,
    pub auto_numbers: BTreeMap<String, String>,
    pub default_status: Vec<i32>,
}
