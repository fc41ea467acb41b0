//! What a record is: tables, columns, relationships, option sets and values.
//!
//! The standard CRM tables are data files (`standard/*.toml`, one per table) parsed once per process into an
//! immutable [`Schema`] that every organisation shares. This crate knows nothing of SQL, HTTP or users.
//!
//! Start at [`Schema`]; a [`Table`] lists its [`Column`]s, and [`Value`] is what one column of one record holds.

mod audit_switch;
mod card_rule;
mod column;
mod description;
mod fold;
mod id;
mod label;
mod load;
pub mod markup;
mod personal;
mod privilege;
mod relationship;
mod role;
mod schema;
mod standard;
mod table;
mod value;

pub use audit_switch::AuditSwitch;
pub use card_rule::{CardPolicy, CardRule, CardRules};
pub use column::{
    Choice, Column, ColumnKind, DateBehavior, IntegerFormat, LookupFlavor, MoneyRole, RequiredLevel, StateInfo,
    TextFormat,
};
pub use description::{column_description_id, description_id};
pub use fold::{FOLD_VERSION, fold};
pub use id::{ColumnId, RelationshipId, TableId};
pub use label::Label;
pub use load::{LoadError, load};
pub use personal::is_personal;
pub use privilege::{NamedPrivilege, privilege_id};
pub use relationship::{AssignCascade, Cascade, DeleteCascade, ManyToMany, MergeCascade, OneToMany};
pub use role::{BuiltinRole, builtin_roles, load_roles};
pub use schema::Schema;
pub use standard::{standard, standard_files};
pub use table::{AlternateKey, Level, ListIndex, Ownership, Privilege, PrivilegeKind, RowSecurity, Table};
pub use value::{Decimal, Guid, Money, Value, ValueRef};
