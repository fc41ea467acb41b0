//! What an audit entry says beside old and new values: with whom a record was shared, what it was linked with, which
//! privileges a role got. It is kept as a line that people read too, and read back from it here.

use custodia_access::RightsMask;
use custodia_schema::{Guid, Level, ManyToMany, Schema, TableId};
use custodia_store::AuditEntry;

/// What an audit entry says beside old and new values.
#[derive(Clone, Debug, PartialEq)]
pub enum AuditDetail {
    /// The record was shared: rights that were given by hand, before and after.
    Share {
        /// With whom.
        principal: Guid,
        /// It is a team.
        is_team: bool,
        /// Rights before.
        before: RightsMask,
        /// Rights after.
        after: RightsMask,
    },
    /// The record was linked with another one, or a link went.
    Link {
        /// Schema name of the relationship.
        relationship: String,
        /// The table of the other record.
        table: TableId,
        /// The other record; `None` for those who may not read it.
        other: Option<Guid>,
    },
    /// The privileges of a role changed: each with its level before and after.
    Privileges(Vec<PrivilegeChange>),
    /// Somebody signed in, or got a token.
    Access(String),
    /// Other words.
    Words(String),
}

/// How the level of a privilege of a role changed; `None` where the role does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivilegeChange {
    /// Its name.
    pub name: String,
    /// Its level before.
    pub before: Option<Level>,
    /// Its level after.
    pub after: Option<Level>,
}

/// The actions (`audit.action`) that entries tell of, in Dataverse's numbers; those about the audit itself are
/// [`custodia_store::audit_action`].
pub(crate) mod action {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const UPDATE: i32 = 2;
    pub(crate) const DELETE: i32 = 3;
    pub(crate) const MERGE: i32 = 12;
    pub(crate) const ASSIGN: i32 = 13;
    pub(crate) const SHARE: i32 = 14;
    pub(crate) const RETRIEVE: i32 = 15;
    pub(crate) const ADD_MEMBER: i32 = 31;
    pub(crate) const REMOVE_MEMBER: i32 = 32;
    pub(crate) const ASSOCIATE: i32 = 33;
    pub(crate) const DISASSOCIATE: i32 = 34;
    pub(crate) const ADD_MEMBERS: i32 = 35;
    pub(crate) const REMOVE_MEMBERS: i32 = 36;
    pub(crate) const SET_STATE: i32 = 41;
    pub(crate) const MODIFY_SHARE: i32 = 48;
    pub(crate) const UNSHARE: i32 = 49;
    pub(crate) const ROLE_TO_TEAM: i32 = 53;
    pub(crate) const ROLE_FROM_TEAM: i32 = 54;
    pub(crate) const ROLE_TO_USER: i32 = 55;
    pub(crate) const ROLE_FROM_USER: i32 = 56;
    pub(crate) const ADD_PRIVILEGES: i32 = 57;
    pub(crate) const REMOVE_PRIVILEGES: i32 = 58;
    pub(crate) const REPLACE_PRIVILEGES: i32 = 59;
    pub(crate) const ACCESS_BY_WEB: i32 = 64;
    pub(crate) const ACCESS_BY_SERVICE: i32 = 65;
    pub(crate) const TABLE_CHANGED: i32 = 102;
    pub(crate) const COLUMN_CHANGED: i32 = 103;
    pub(crate) const ORGANIZATION_CHANGED: i32 = 104;
    pub(crate) const TABLE_STARTED: i32 = 105;
    pub(crate) const COLUMN_STARTED: i32 = 106;
    pub(crate) const STARTED: i32 = 107;
    pub(crate) const TABLE_STOPPED: i32 = 108;
    pub(crate) const COLUMN_STOPPED: i32 = 109;
    pub(crate) const STOPPED: i32 = 110;
    pub(crate) const ACCESS_STARTED: i32 = 112;
    pub(crate) const ACCESS_STOPPED: i32 = 113;
    /// A rule about payment card numbers was set or removed. Dataverse has no number for it; those of the store about the
    /// audit itself are its neighbours.
    pub(crate) const CARD_RULE: i32 = 10_003;
    /// A rule that separates duties was set or removed.
    pub(crate) const DUTY_RULE: i32 = 10_004;
    /// Somebody asked what a user or team could do with other roles.
    pub(crate) const ROLES_SUPPOSED: i32 = 10_005;
    /// Somebody asked what a user would be answered.
    pub(crate) const REQUEST_SIMULATED: i32 = 10_006;
    /// Records of a table were written to a file.
    pub(crate) const EXPORTED: i32 = 10_007;
}

impl AuditDetail {
    /// What an entry says; `None` for one that says no more than its values.
    #[must_use]
    pub fn of(schema: &Schema, entry: &AuditEntry) -> Option<Self> {
        let text = entry.detail.as_deref()?;
        let read = match entry.action {
            action::SHARE | action::MODIFY_SHARE | action::UNSHARE => read_share(text),
            action::ADD_MEMBER..=action::REMOVE_MEMBERS | action::ROLE_TO_TEAM..=action::ROLE_FROM_USER => {
                read_link(schema, entry.table, text)
            }
            action::ADD_PRIVILEGES..=action::REPLACE_PRIVILEGES => read_privileges(text),
            action::ACCESS_BY_WEB | action::ACCESS_BY_SERVICE => Some(Self::Access(text.to_owned())),
            _ => None,
        };
        Some(read.unwrap_or_else(|| Self::Words(text.to_owned())))
    }

    /// The line that is kept.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Share { principal, is_team, before, after } => {
                let kind = if *is_team { "team" } else { "systemuser" };
                format!("{kind} {principal}: {before} -> {after}")
            }
            Self::Link { relationship, other, .. } => {
                format!("{relationship}: {}", other.map(|other| other.to_string()).unwrap_or_default())
            }
            Self::Privileges(changes) => {
                let level =
                    |level: Option<Level>| level.map_or_else(|| NO_LEVEL.to_owned(), |level| format!("{level:?}"));
                let one = |change: &PrivilegeChange| {
                    format!("{} {} -> {}", change.name, level(change.before), level(change.after))
                };
                changes.iter().map(one).collect::<Vec<_>>().join(", ")
            }
            Self::Access(text) | Self::Words(text) => text.clone(),
        }
    }
}

/// The level of a privilege that a role does not have.
const NO_LEVEL: &str = "none";

fn read_share(text: &str) -> Option<AuditDetail> {
    let (with, rights) = text.split_once(": ")?;
    let (kind, principal) = with.split_once(' ')?;
    let (before, after) = rights.split_once(" -> ")?;
    Some(AuditDetail::Share {
        principal: Guid::try_parse(principal).ok()?,
        is_team: kind == "team",
        before: before.parse().ok()?,
        after: after.parse().ok()?,
    })
}

fn read_link(schema: &Schema, table: TableId, text: &str) -> Option<AuditDetail> {
    let (relationship, other) = text.split_once(": ")?;
    let link: &ManyToMany = schema.links_of(table).find(|link| link.name == relationship)?;
    let far = if link.first == table { link.second } else { link.first };
    let other = Some(Guid::try_parse(other).ok()?);
    Some(AuditDetail::Link { relationship: relationship.to_owned(), table: far, other })
}

fn read_privileges(text: &str) -> Option<AuditDetail> {
    let level = |text: &str| match text {
        NO_LEVEL => Some(None),
        "Basic" => Some(Some(Level::Basic)),
        "Local" => Some(Some(Level::Local)),
        "Deep" => Some(Some(Level::Deep)),
        "Global" => Some(Some(Level::Global)),
        _ => None,
    };
    let changes: Option<Vec<_>> = text
        .split(", ")
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (before, after) = part.split_once(" -> ")?;
            let (name, before) = before.split_once(' ')?;
            Some(PrivilegeChange { name: name.to_owned(), before: level(before)?, after: level(after)? })
        })
        .collect();
    changes.map(AuditDetail::Privileges)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use custodia_access::RightsMask;
    use custodia_schema::standard;
    use custodia_store::AuditOperation;

    use super::*;

    fn entry(table: &str, action: i32, detail: &str) -> AuditEntry {
        AuditEntry {
            transaction: Guid::nil(),
            user: Guid::nil(),
            calling_user: None,
            origin: "web-api".into(),
            table: standard().table_named(table).unwrap().id,
            row: Guid::nil(),
            operation: AuditOperation::Update,
            action,
            changes: Vec::new(),
            detail: Some(detail.into()),
        }
    }

    #[test]
    fn details_are_read_back_from_their_line() {
        let schema = standard();
        let lead = schema.table_named("lead").unwrap().id;
        let details = [
            (
                "account",
                action::SHARE,
                AuditDetail::Share {
                    principal: Guid::from_u128(7),
                    is_team: true,
                    before: RightsMask::NONE,
                    after: "ReadAccess, WriteAccess".parse().unwrap(),
                },
            ),
            (
                "account",
                action::ASSOCIATE,
                AuditDetail::Link {
                    relationship: "accountleads_association".into(),
                    table: lead,
                    other: Some(Guid::from_u128(8)),
                },
            ),
            (
                "role",
                action::ADD_PRIVILEGES,
                AuditDetail::Privileges(vec![
                    PrivilegeChange { name: "prvReadAccount".into(), before: None, after: Some(Level::Deep) },
                    PrivilegeChange { name: "prvWriteAccount".into(), before: Some(Level::Global), after: None },
                ]),
            ),
            ("systemuser", action::ACCESS_BY_SERVICE, AuditDetail::Access("signed in".into())),
            ("account", 2, AuditDetail::Words("merged".into())),
        ];
        for (table, action, detail) in details {
            assert_eq!(AuditDetail::of(&schema, &entry(table, action, &detail.to_text())), Some(detail));
        }
        // What cannot be read is shown as it is.
        let odd = "somebody: all";
        assert_eq!(AuditDetail::of(&schema, &entry("account", 14, odd)), Some(AuditDetail::Words(odd.into())));
    }
}
