//! Hierarchy security: what a user reaches of the rows of those who stand below them (security model 7).

use custodia_schema::{Guid, PrivilegeKind};

/// The chain by which others stand below a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Users whose chain of managers leads to the user; where a unit is given, only those who sit in it or below it.
    Managers {
        /// The user's own unit, where managers have to sit in the unit of their reports or above it.
        within: Option<Guid>,
    },
    /// Users who hold a position below this one.
    Positions(Guid),
}

/// The users who stand below a user: rows that they own or that are shared with them are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reports {
    /// The chain that leads to them.
    pub chain: Chain,
    /// Steps down at most; 1 are those directly below.
    pub depth: u32,
}

impl Reports {
    /// Those whose rows a right reaches: Read goes as far down as the organisation lets it, what changes rows one step, and
    /// the rest nowhere.
    pub(crate) fn for_right(self, kind: PrivilegeKind) -> Option<Self> {
        match kind {
            PrivilegeKind::Read => Some(self),
            PrivilegeKind::Write | PrivilegeKind::Append | PrivilegeKind::AppendTo => {
                Some(Self { depth: self.depth.min(1), ..self })
            }
            PrivilegeKind::Create | PrivilegeKind::Delete | PrivilegeKind::Assign | PrivilegeKind::Share => None,
        }
        .filter(|reports| reports.depth > 0)
    }
}
