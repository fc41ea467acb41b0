//! What an asker sees of a table as a whole: which rows, which columns, and whether it is refused altogether.

use custodia_schema::{Guid, PrivilegeKind};

use crate::{Asker, ColumnRight, Question, Refusal, Verdict, World, WorldTable, column_of_row_open, column_open};

impl World {
    /// Whether the asker may read a row.
    #[must_use]
    pub fn reads(&self, asker: Asker, table: WorldTable, row: Guid) -> bool {
        self.answer(&Question::Row(asker, PrivilegeKind::Read, table, row)).allowed
    }

    /// Whether the asker may read a column of every row.
    #[must_use]
    pub fn opens(&self, asker: Asker, table: WorldTable, column: &str) -> bool {
        let opens = |user| column_open(self, user, ColumnRight::Read, table, column).allowed;
        opens(asker.user) && asker.caller.is_none_or(opens)
    }

    /// Whether the asker may read a column of one row, if the row may be read.
    #[must_use]
    pub fn opens_on(&self, asker: Asker, table: WorldTable, column: &str, row: Guid) -> bool {
        let opens = |user| column_of_row_open(self, user, ColumnRight::Read, table, column, row).allowed;
        opens(asker.user) && asker.caller.is_none_or(opens)
    }

    /// Whether a list of the table is refused, whatever its rows: the privilege gate fails, of the user or of the one who acts
    /// for the user, or one may not act for the other. `None` when the world has no row of it to tell by.
    #[must_use]
    pub fn refuses_list(&self, asker: Asker, table: WorldTable) -> Option<bool> {
        let row = self.rows().into_iter().find(|row| row.table == table)?.id;
        let verdict = |asker| self.answer(&Question::Row(asker, PrivilegeKind::Read, table, row));
        let own = |user| Asker { user, caller: None };
        Some(match asker.caller {
            None => is_gate(&verdict(asker)),
            Some(caller) => {
                is_gate(&verdict(own(caller))) || is_gate(&verdict(own(asker.user))) || may_not_act(&verdict(asker))
            }
        })
    }
}

/// Whether the reason is the privilege gate, not the row.
fn is_gate(verdict: &Verdict) -> bool {
    [Refusal::Disabled, Refusal::NoRoles, Refusal::NoSuchPrivilege, Refusal::NoPrivilege]
        .iter()
        .any(|reason| verdict.refusals.contains(reason))
}

/// Whether the asker may not act for the other at all.
fn may_not_act(verdict: &Verdict) -> bool {
    [Refusal::MayNotActForOthers, Refusal::MayActForOthersOnlyThroughTeam]
        .iter()
        .any(|reason| verdict.refusals.contains(reason))
}
