//! Privileges as clients see them: by name and by a stable id.

use crate::{Guid, Level, PrivilegeKind, TableId};

/// The namespace of privilege ids. Fixed for ever: ids made from it stand in databases.
const NAMESPACE: Guid = Guid::from_u128(0x6d3c_1f0e_9b57_5b1c_8c8f_2f4a_7e60_d9a1);

/// The id of the privilege of that name, the same in every organisation.
///
/// A name-based GUID (version 5), so that the ids need no list and a custom table's privileges have theirs at once.
#[must_use]
pub fn privilege_id(name: &str) -> Guid {
    Guid::new_v5(&NAMESPACE, name.as_bytes())
}

/// A privilege by name. Several tables may share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPrivilege {
    /// Its id: [`privilege_id`] of the name.
    pub id: Guid,
    /// Its name (`prvReadAccount`, `prvMerge`).
    pub name: String,
    /// Which of the eight; `None` for one that is not tied to rows.
    pub kind: Option<PrivilegeKind>,
    /// Levels it may take, lowest first. One that is not tied to rows is on ([`Level::Global`]) or off.
    pub levels: Vec<Level>,
    /// The tables it protects, in order of their names; empty for one that is not tied to rows.
    pub tables: Vec<TableId>,
}

impl NamedPrivilege {
    /// The highest level it may take.
    #[must_use]
    pub fn highest(&self) -> Option<Level> {
        self.levels.iter().copied().max()
    }
}
