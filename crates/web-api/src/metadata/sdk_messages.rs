//! Which operations may be asked of which table, as clients look them up before they send many records at once: the sets
//! `sdkmessages` and `sdkmessagefilters`.
//!
//! In Dataverse they are records. Here they follow from the tables and are read like descriptions.

use custodia_schema::{PrivilegeKind, Table};
use serde_json::json;

use super::item::Properties;
use super::model::Source;

/// An operation on records.
#[derive(Debug)]
pub(crate) struct Message {
    /// What it is called.
    pub name: &'static str,
    /// What somebody must be able to hold on a table for it to be one of that table.
    privilege: PrivilegeKind,
    /// The only tables it is for; all when empty.
    only: &'static [&'static str],
}

/// All that there are, in order of their names.
pub(crate) static ALL: &[Message] = &[
    message("Assign", PrivilegeKind::Assign),
    message("Create", PrivilegeKind::Create),
    message("CreateMultiple", PrivilegeKind::Create),
    message("Delete", PrivilegeKind::Delete),
    message("DeleteMultiple", PrivilegeKind::Delete),
    message("GrantAccess", PrivilegeKind::Share),
    Message { name: "Merge", privilege: PrivilegeKind::Write, only: &["account", "contact", "incident", "lead"] },
    message("ModifyAccess", PrivilegeKind::Share),
    message("Retrieve", PrivilegeKind::Read),
    message("RetrieveMultiple", PrivilegeKind::Read),
    message("RevokeAccess", PrivilegeKind::Share),
    message("Update", PrivilegeKind::Write),
    message("UpdateMultiple", PrivilegeKind::Write),
    message("UpsertMultiple", PrivilegeKind::Write),
];

const fn message(name: &'static str, privilege: PrivilegeKind) -> Message {
    Message { name, privilege, only: &[] }
}

impl Message {
    /// Whether it may be asked of a table.
    pub(crate) fn is_for(&self, table: &Table) -> bool {
        !table.set_name.is_empty()
            && table.privilege(self.privilege).is_some()
            && (self.only.is_empty() || self.only.contains(&table.name.as_str()))
    }
}

pub(super) fn describe(message: &Message) -> Properties {
    vec![("name", json!(message.name))]
}

pub(super) fn describe_filter(table: &Table, message: &'static Message) -> Properties {
    vec![
        ("_sdkmessageid_value", json!(Source::Message(message).id().to_string())),
        ("isvisible", json!(true)),
        ("primaryobjecttypecode", json!(table.name)),
        ("secondaryobjecttypecode", json!("none")),
    ]
}
