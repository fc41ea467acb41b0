//! The shapes of the files, before anything is checked.

mod column;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) use self::column::{Behavior, ChoiceOption, Column, DefaultValue, Flavor, Kind, Number, Required};
use crate::{AssignCascade, Cascade, DeleteCascade, Level, MergeCascade, Ownership, PrivilegeKind};

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
    #[serde(default)]
    pub usual: Option<Spanned<Vec<String>>>,
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
    pub usual: Vec<String>,
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
