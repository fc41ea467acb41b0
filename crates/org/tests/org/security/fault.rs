//! Wrong rules, planted one at a time between the rights of a user and the statement made of them, or in the tables the
//! statement reads: the comparison has to notice each.

use std::sync::Arc;

use custodia_access::{
    Authority, Chain, Denied, Mask, Own, Reports, RightsMask, RowAccess, RowArms, SharedColumn, Unmasking,
};
use custodia_oracle::{Asker, DERIVED_COLUMNS, MASKED_COLUMNS};
use custodia_schema::{ColumnId, PrivilegeKind, RowSecurity, Table};
use custodia_store::Plan;

use crate::security::reader::Part;

/// A wrong rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Deep without the units below: the closure is not asked.
    ClosureMissing,
    /// Local with the units below.
    LocalAsDeep,
    /// Deep reaches everything.
    DeepAsGlobal,
    /// A level above Basic reaches no unit at all.
    UnitsMissing,
    /// Rows of the user and of teams are reached by no other way than depth and shares.
    OwnershipMissing,
    /// Rows of teams are not the user's.
    TeamOwnershipMissing,
    /// Basic through a role with team privileges only covers the user's own rows as well.
    TeamOnlyIgnored,
    /// Basic through a role with team privileges only covers nothing.
    TeamOnlyCoversNothing,
    /// Shares do not count.
    SharesMissing,
    /// Shares count only in the plan that walks in order.
    SharesMissingInUnion,
    /// The plan that gathers rows by their access paths forgets the units.
    UnitsMissingInUnion,
    /// The plan that gathers rows by their access paths forgets the owner.
    OwnershipMissingInUnion,
    /// A share with the right of the next bit counts.
    WrongBit,
    /// A share with any right counts.
    AnyBit,
    /// Those below the caller do not count.
    ReportsMissing,
    /// Those below the caller count only in the plan that walks in order.
    ReportsMissingInUnion,
    /// Those below reach one step further.
    ReportsTooDeep,
    /// A manager's rights reach as far down as Read does.
    ReportsAsDeepAsRead,
    /// Managers reach whom they manage wherever they sit.
    ManagersFromAnywhere,
    /// Lines are open.
    ParentIgnored,
    /// A link needs only one end; who acts for another needs only one of both.
    FirstOfSeveral,
    /// Without the privilege, shares still count.
    SharesWithoutGate,
    /// Without the privilege, a list is empty instead of refused.
    EmptyInsteadOfRefused,
    /// Write is answered as Read.
    WriteAsRead,
    /// Delete is answered as Write.
    DeleteAsWrite,
    /// Who acts for another has the other's rights.
    OnlyTheUser,
    /// Who acts for another has their own rights.
    OnlyTheCaller,
    /// One's own user row needs reach.
    OwnUserRowMissing,
    /// Secured columns are shown.
    ShownInSpiteOfMask,
    /// Secured columns are filtered by.
    FilteredInSpiteOfMask,
    /// Secured columns are sorted by.
    SortedInSpiteOfMask,
    /// Secured columns of other rows are filtered by.
    FollowedInSpiteOfMask,
    /// Columns derived from secured ones are shown.
    DerivedShown,
    /// What was shared of single rows does not count.
    ColumnSharesIgnored,
    /// A column that was shared on one row is open on all.
    ColumnSharesOnEveryRow,
    /// Of those who act for each other, it is enough that one was given the column.
    ColumnSharesOfOneOfBoth,
    /// A share of any secured column of the row counts as one of each.
    ColumnSharesOfAnotherColumn,
    /// What is derived from a column stays hidden where that was shared.
    DerivedOfSharedHidden,
    /// Secured columns are hidden from those whom a profile lets read them.
    ProfilesIgnored,
    /// Whoever may change a column reads it.
    ColumnReadByUpdate,
    /// Whoever may give a column on create reads it.
    ColumnReadByCreate,
    /// Who acts for another reads the other's columns.
    ColumnsOfTheUserAlone,
    /// Columns derived from secured ones are hidden from everybody.
    DerivedHidden,
    /// Masked columns are hidden from those who read them.
    MaskForgotten,
    /// Masked columns are shown in clear.
    MaskedShownInClear,
    /// Masked columns are filtered by.
    MaskedFilteredInClear,
    /// Masked columns are sorted by.
    MaskedSortedInClear,
    /// All of a masked text is hidden, whatever the rule says.
    MaskedWhole,
    /// What is masked is shown behind its mask to those who may not read it.
    MaskedShownWithoutProfile,
    /// Clear text is given to whoever might ask for it, asked or not.
    UnmaskedUnasked,
    /// Clear text is given to nobody.
    UnmaskedNever,
    /// Who may see one record in clear sees all.
    OneRecordAsAll,
    /// Who may see one record in clear, and not all, does not.
    OneRecordIgnored,
    /// Those below reach one step less.
    ReportsTooShallow,
    /// Managers delete.
    ManagersDelete,
    /// Managers give away.
    ManagersAssign,
    /// Managers share.
    ManagersShare,
    /// Where positions count, managers do.
    ManagersForPositions,
}

impl Fault {
    pub const ALL: [Self; 58] = [
        Self::ClosureMissing,
        Self::LocalAsDeep,
        Self::DeepAsGlobal,
        Self::UnitsMissing,
        Self::OwnershipMissing,
        Self::TeamOwnershipMissing,
        Self::TeamOnlyIgnored,
        Self::TeamOnlyCoversNothing,
        Self::SharesMissing,
        Self::SharesMissingInUnion,
        Self::UnitsMissingInUnion,
        Self::OwnershipMissingInUnion,
        Self::WrongBit,
        Self::AnyBit,
        Self::ReportsMissing,
        Self::ReportsMissingInUnion,
        Self::ReportsTooDeep,
        Self::ReportsAsDeepAsRead,
        Self::ManagersFromAnywhere,
        Self::ParentIgnored,
        Self::FirstOfSeveral,
        Self::SharesWithoutGate,
        Self::EmptyInsteadOfRefused,
        Self::WriteAsRead,
        Self::DeleteAsWrite,
        Self::OnlyTheUser,
        Self::OnlyTheCaller,
        Self::OwnUserRowMissing,
        Self::ShownInSpiteOfMask,
        Self::FilteredInSpiteOfMask,
        Self::SortedInSpiteOfMask,
        Self::FollowedInSpiteOfMask,
        Self::DerivedShown,
        Self::ColumnSharesIgnored,
        Self::ColumnSharesOnEveryRow,
        Self::ColumnSharesOfOneOfBoth,
        Self::ColumnSharesOfAnotherColumn,
        Self::DerivedOfSharedHidden,
        Self::ProfilesIgnored,
        Self::ColumnReadByUpdate,
        Self::ColumnReadByCreate,
        Self::ColumnsOfTheUserAlone,
        Self::DerivedHidden,
        Self::MaskForgotten,
        Self::MaskedShownInClear,
        Self::MaskedFilteredInClear,
        Self::MaskedSortedInClear,
        Self::MaskedWhole,
        Self::MaskedShownWithoutProfile,
        Self::UnmaskedUnasked,
        Self::UnmaskedNever,
        Self::OneRecordAsAll,
        Self::OneRecordIgnored,
        Self::ReportsTooShallow,
        Self::ManagersDelete,
        Self::ManagersAssign,
        Self::ManagersShare,
        Self::ManagersForPositions,
    ];

    /// The plan in which it shows.
    pub fn plan(self) -> Plan {
        match self {
            Self::SharesMissingInUnion
            | Self::UnitsMissingInUnion
            | Self::OwnershipMissingInUnion
            | Self::ReportsMissingInUnion => Plan::Union,
            _ => Plan::Ordered,
        }
    }

    /// In whose name the question is asked.
    pub fn asker(self, asker: Asker) -> Asker {
        match (self, asker.caller) {
            (Self::OnlyTheUser, Some(_)) => Asker { caller: None, ..asker },
            (Self::OnlyTheCaller, Some(caller)) => Asker { user: caller, caller: None },
            _ => asker,
        }
    }

    /// The rows that are reached by the wrong rule.
    pub fn bend(
        self,
        authority: &Authority,
        table: &Table,
        kind: PrivilegeKind,
        plan: Plan,
    ) -> Result<RowAccess, Denied> {
        let asked = match (self, kind) {
            (Self::WriteAsRead, PrivilegeKind::Write) => PrivilegeKind::Read,
            (Self::DeleteAsWrite, PrivilegeKind::Delete) => PrivilegeKind::Write,
            _ => kind,
        };
        let user = authority.user_id().unwrap();
        match authority.rows(table, asked) {
            Ok(RowAccess::Arms(arms)) if self.is_a_managers(kind) => {
                let reports = match authority.rows(table, PrivilegeKind::Read) {
                    Ok(RowAccess::Arms(read)) => read.reports.map(|reports| Reports { depth: 1, ..reports }),
                    _ => None,
                };
                Ok(RowAccess::Arms(RowArms { reports, ..arms }))
            }
            Ok(access) => Ok(self.bend_access(access, table, plan)),
            Err(Denied::MissingPrivilege { .. }) if self == Self::EmptyInsteadOfRefused => Ok(RowAccess::nothing(user)),
            Err(Denied::MissingPrivilege { .. })
                if self == Self::SharesWithoutGate && matches!(table.security, RowSecurity::Owned { .. }) =>
            {
                let (units, subtrees, shared) = (Vec::new(), Vec::new(), Some(RightsMask::of(kind)));
                Ok(RowAccess::Arms(RowArms { user, own: Own::Nobody, units, subtrees, shared, reports: None }))
            }
            Err(denied) => Err(denied),
        }
    }

    /// Whether the wrong rule gives this right to managers.
    fn is_a_managers(self, kind: PrivilegeKind) -> bool {
        match self {
            Self::ManagersDelete => kind == PrivilegeKind::Delete,
            Self::ManagersAssign => kind == PrivilegeKind::Assign,
            Self::ManagersShare => kind == PrivilegeKind::Share,
            _ => false,
        }
    }

    fn bend_access(self, access: RowAccess, table: &Table, plan: Plan) -> RowAccess {
        match access {
            access @ (RowAccess::All | RowAccess::Telling(_)) => access,
            RowAccess::Arms(arms) => self.bend_arms(arms, plan),
            RowAccess::Parent(_) if self == Self::ParentIgnored => RowAccess::All,
            // A link to a table that is open to everybody shrinks to its other end.
            RowAccess::Parent(_) if self == Self::FirstOfSeveral && table.is_intersect => RowAccess::All,
            RowAccess::Parent(mut parents) => {
                for parent in &mut parents {
                    parent.access = parent.access.take().map(|access| Box::new(self.bend_access(*access, table, plan)));
                }
                RowAccess::Parent(parents)
            }
            RowAccess::Every(mut all) if self == Self::FirstOfSeveral => all.swap_remove(0),
            RowAccess::Every(all) => {
                RowAccess::Every(all.into_iter().map(|access| self.bend_access(access, table, plan)).collect())
            }
        }
    }

    fn bend_arms(self, mut arms: RowArms, plan: Plan) -> RowAccess {
        let is_owned = matches!(arms.own, Own::UserAndTeams | Own::UserAnd(_) | Own::Teams(_));
        match self {
            Self::ClosureMissing => {
                let deep = std::mem::take(&mut arms.subtrees);
                arms.units.extend(deep);
            }
            Self::LocalAsDeep => {
                let local = std::mem::take(&mut arms.units);
                arms.subtrees.extend(local);
            }
            Self::DeepAsGlobal if !arms.subtrees.is_empty() => return RowAccess::All,
            Self::UnitsMissingInUnion if plan != Plan::Union => {}
            Self::UnitsMissing | Self::UnitsMissingInUnion => {
                arms.units.clear();
                arms.subtrees.clear();
            }
            Self::OwnershipMissingInUnion if plan != Plan::Union => {}
            Self::OwnershipMissing | Self::OwnershipMissingInUnion if is_owned => arms.own = Own::Nobody,
            Self::TeamOwnershipMissing if matches!(arms.own, Own::UserAndTeams | Own::UserAnd(_)) => {
                arms.own = Own::Teams(vec![arms.user]);
            }
            Self::TeamOnlyIgnored if is_owned => arms.own = Own::UserAndTeams,
            Self::TeamOnlyCoversNothing if matches!(arms.own, Own::Teams(_)) => arms.own = Own::Nobody,
            Self::SharesMissingInUnion if plan != Plan::Union => {}
            Self::SharesMissing | Self::SharesMissingInUnion => arms.shared = None,
            Self::ReportsMissingInUnion if plan != Plan::Union => {}
            Self::ReportsMissing | Self::ReportsMissingInUnion => arms.reports = None,
            Self::ReportsTooDeep => {
                arms.reports = arms.reports.map(|reports| Reports { depth: reports.depth + 1, ..reports });
            }
            Self::ReportsTooShallow => {
                arms.reports =
                    arms.reports.map(|reports| Reports { depth: reports.depth.saturating_sub(1), ..reports });
            }
            Self::ManagersForPositions => {
                arms.reports =
                    arms.reports.map(|reports| Reports { chain: Chain::Managers { within: None }, ..reports });
            }
            Self::ReportsAsDeepAsRead => arms.reports = arms.reports.map(|reports| Reports { depth: 2, ..reports }),
            Self::ManagersFromAnywhere => {
                arms.reports = arms.reports.map(|reports| match reports.chain {
                    Chain::Managers { .. } => Reports { chain: Chain::Managers { within: None }, ..reports },
                    Chain::Positions(_) => reports,
                });
            }
            Self::WrongBit => arms.shared = arms.shared.map(|mask| RightsMask(mask.0 << 1)),
            Self::AnyBit => arms.shared = arms.shared.map(|_| RightsMask::ALL),
            Self::OwnUserRowMissing if arms.own == Own::Self_ => arms.own = Own::Nobody,
            _ => {}
        }
        RowAccess::Arms(arms)
    }

    /// Whether a column may be read of some rows by the wrong rule.
    pub fn reads_column(self, authority: &Authority, table: &Table, column: ColumnId) -> bool {
        match self {
            Self::ColumnSharesIgnored => authority.reads_column(table, column),
            Self::ProfilesIgnored => {
                let is_secured = table.column_by_id(column).is_some_and(|column| column.secured);
                !is_secured && authority.reads_column(table, column)
            }
            Self::DerivedHidden => !is_derived(table, column) && authority.reads_column_somewhere(table, column),
            Self::DerivedOfSharedHidden => {
                let shared = authority.shared_columns(table);
                let is_derived = |shared: &SharedColumn| !shared.needs.iter().any(|need| need.column == column);
                authority.reads_column_somewhere(table, column)
                    && !shared.iter().any(|shared| shared.column == column && is_derived(shared))
            }
            _ => authority.reads_column_somewhere(table, column),
        }
    }

    /// What single rows open by the wrong rule.
    pub fn bend_shared(self, table: &Table, mut shared: Vec<SharedColumn>) -> Vec<SharedColumn> {
        match self {
            Self::ColumnSharesIgnored | Self::ColumnSharesOnEveryRow | Self::ProfilesIgnored => shared.clear(),
            Self::DerivedHidden => shared.retain(|shared| !is_derived(table, shared.column)),
            Self::ColumnSharesOfOneOfBoth => shared.iter_mut().for_each(|column| column.needs.truncate(1)),
            Self::ColumnSharesOfAnotherColumn => {
                for need in shared.iter_mut().flat_map(|column| &mut column.needs) {
                    let mut secured = table.columns().iter().filter(|column| column.secured);
                    need.column = secured.find(|other| other.id != need.column).map_or(need.column, |other| other.id);
                }
            }
            _ => {}
        }
        shared
    }

    /// How a masked column shows by the wrong rule.
    pub fn bend_mask(self, mask: Option<Arc<Mask>>, table: &Table, column: ColumnId) -> Option<Arc<Mask>> {
        match self {
            Self::MaskForgotten => None,
            Self::MaskedWhole => mask.map(|_| Arc::new(Mask::everything())),
            Self::MaskedShownWithoutProfile if is_masked(table, column) => {
                mask.or_else(|| Some(Arc::new(Mask::everything())))
            }
            _ => mask,
        }
    }

    /// How much clear text is given by the wrong rule, when so much is asked for.
    pub fn unmasking(self, asked: Unmasking) -> Unmasking {
        match (self, asked) {
            (Self::UnmaskedUnasked, _) => Unmasking::AllRecords,
            (Self::UnmaskedNever, _) => Unmasking::Nothing,
            (Self::OneRecordAsAll, Unmasking::AllRecords) => Unmasking::OneRecord,
            (Self::OneRecordIgnored, Unmasking::OneRecord) => Unmasking::AllRecords,
            _ => asked,
        }
    }

    /// Whether the wrong rule opens a column that is closed.
    pub fn opens(self, authority: &Authority, part: Part, table: &Table, column: ColumnId) -> bool {
        let is_secured = || table.column_by_id(column).is_some_and(|column| column.secured);
        let shows_masked = || authority.mask(table, column).is_some();
        match self {
            Self::ShownInSpiteOfMask => part == Part::Shows,
            Self::FilteredInSpiteOfMask => part == Part::Filters,
            Self::SortedInSpiteOfMask => part == Part::Sorts,
            Self::FollowedInSpiteOfMask => part == Part::Follows,
            Self::DerivedShown => is_derived(table, column),
            Self::ColumnReadByUpdate => is_secured() && authority.updates_column(table, column),
            Self::ColumnReadByCreate => is_secured() && authority.creates_column(table, column),
            Self::ColumnsOfTheUserAlone => {
                !is_masked(table, column)
                    && authority.acting().is_some_and(|rights| rights.reads_column(table.id, column))
            }
            Self::MaskedShownInClear => part == Part::Shows && shows_masked(),
            Self::MaskedFilteredInClear => part == Part::Filters && shows_masked(),
            Self::MaskedSortedInClear => part == Part::Sorts && shows_masked(),
            _ => false,
        }
    }
}

fn is_derived(table: &Table, column: ColumnId) -> bool {
    DERIVED_COLUMNS
        .iter()
        .any(|(of, derived, _)| of.name() == table.name && table.column(derived).is_some_and(|c| c.id == column))
}

fn is_masked(table: &Table, column: ColumnId) -> bool {
    MASKED_COLUMNS
        .iter()
        .any(|of| of.table.name() == table.name && table.column(of.column).is_some_and(|c| c.id == column))
}
