//! Column security: which columns of a table are closed to one user, and which of those single records open
//! (security model 8).

use custodia_schema::{ColumnId, Guid, RowSecurity, Table};

use crate::{Facts, FieldPermission, Unmasking};

/// A column that one or several users read on those rows only on which it was shared with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedColumn {
    /// The column.
    pub column: ColumnId,
    /// What has to be shared on a row for its value to show there: all of it.
    pub needs: Vec<ColumnShare>,
}

/// That a column of a row was shared for reading with a user or a team of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnShare {
    /// The user.
    pub user: Guid,
    /// The column.
    pub column: ColumnId,
}

/// The columns of one table that are closed to one user, each list sorted. Tables where nothing is closed have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosedColumns {
    read: Box<[ColumnId]>,
    create: Box<[ColumnId]>,
    update: Box<[ColumnId]>,
    /// Those closed for reading that are shown masked.
    masked: Box<[ColumnId]>,
    /// Those closed for reading that single rows open, each with the columns that have to be shared there: itself, or
    /// what it is derived from.
    shared: Box<[(ColumnId, Box<[ColumnId]>)]>,
}

impl ClosedColumns {
    /// What the facts of a user leave closed in `table`, for a request that asks for so much in clear; `None` when nothing
    /// is. A column that is read masked is closed: only its showing is another.
    pub(crate) fn of(table: &Table, facts: &Facts, unmasking: Unmasking) -> Option<Self> {
        if !table.columns().iter().any(|column| column.secured) {
            return None;
        }
        let secured = || table.columns().iter().filter(|column| column.secured).map(|column| column.id);
        let allows = |column: ColumnId, allows: &dyn Fn(&FieldPermission) -> bool| {
            let mut permissions = facts.field_permissions.iter().filter(|p| p.table == table.id && p.column == column);
            facts.all_columns || permissions.any(allows)
        };
        let is_masked = |column| facts.masked_columns.iter().any(|m| m.table == table.id && m.column == column);
        let in_clear = |column| {
            let allowed = |permission: &FieldPermission| match unmasking {
                Unmasking::Nothing => false,
                Unmasking::OneRecord => permission.unmasked != Unmasking::Nothing,
                Unmasking::AllRecords => permission.unmasked == Unmasking::AllRecords,
            };
            !is_masked(column) || unmasking != Unmasking::Nothing && allows(column, &allowed)
        };
        let unread: Vec<ColumnId> =
            secured().filter(|column| !allows(*column, &|p| p.read) || !in_clear(*column)).collect();
        let mut read = unread.clone();
        close_derived(table, &mut read);
        // What is masked is not opened by shares: reading it takes a profile.
        let is_shared = |column: &ColumnId| {
            facts.shared_columns.contains(&(table.id, *column)) && !decides_rows(table, *column) && !is_masked(*column)
        };
        let shared = if unread.iter().any(is_shared) {
            let needs = read.iter().map(|column| (*column, closed_sources(table, *column, &unread)));
            needs
                .filter(|(_, needs)| needs.iter().all(is_shared))
                .map(|(column, needs)| (column, needs.into()))
                .collect()
        } else {
            Box::default()
        };
        let masked = unread.iter().filter(|column| is_masked(**column) && allows(**column, &|p| p.read));
        let closed = Self {
            masked: masked.copied().collect(),
            read: read.into(),
            create: secured().filter(|column| !allows(*column, &|p| p.create)).collect(),
            update: secured().filter(|column| !allows(*column, &|p| p.update)).collect(),
            shared,
        };
        (!closed.read.is_empty() || !closed.create.is_empty() || !closed.update.is_empty()).then_some(closed)
    }

    /// Whether the column, which is closed for reading, is shown masked.
    pub(crate) fn masks(&self, column: ColumnId) -> bool {
        self.masked.binary_search(&column).is_ok()
    }

    pub(crate) fn reads(&self, column: ColumnId) -> bool {
        self.read.binary_search(&column).is_err()
    }

    pub(crate) fn creates(&self, column: ColumnId) -> bool {
        self.create.binary_search(&column).is_err()
    }

    pub(crate) fn updates(&self, column: ColumnId) -> bool {
        self.update.binary_search(&column).is_err()
    }

    /// The columns that have to be shared on a row for this one to show there; `None` where it is open, or closed on
    /// every row.
    pub(crate) fn needs(&self, column: ColumnId) -> Option<&[ColumnId]> {
        let found = self.shared.binary_search_by_key(&column, |(of, _)| *of).ok()?;
        self.shared.get(found).map(|(_, needs)| &**needs)
    }

    /// The columns that single rows open.
    pub(crate) fn shared(&self) -> impl Iterator<Item = ColumnId> + '_ {
        self.shared.iter().map(|(column, _)| *column)
    }
}

/// Whether it is by this column that a row's owner, unit or parent is found, on which access to the row depends. Statements
/// ask it of every row, so that it is open everywhere or nowhere, and not shared of single rows.
#[must_use]
pub fn decides_rows(table: &Table, column: ColumnId) -> bool {
    column == table.primary_id
        || match &table.security {
            RowSecurity::Owned { owner, unit } => column == *owner || column == *unit,
            RowSecurity::Unit { unit, principal } => column == *unit || Some(column) == *principal,
            RowSecurity::Parent { lookups } => lookups.contains(&column),
            RowSecurity::Organization => false,
            RowSecurity::Intersect => true,
        }
}

/// Adds to `closed` (sorted) every column derived from a closed one, over any number of steps: a full name or a base
/// amount shows what its sources hold.
fn close_derived(table: &Table, closed: &mut Vec<ColumnId>) {
    loop {
        let leaking: Vec<ColumnId> = table
            .columns()
            .iter()
            .filter(|column| closed.binary_search(&column.id).is_err())
            .filter(|column| column.sources().any(|source| closed.binary_search(&source).is_ok()))
            .map(|column| column.id)
            .collect();
        if leaking.is_empty() {
            return;
        }
        closed.extend(leaking);
        closed.sort_unstable();
    }
}

/// The secured columns closed to the user that a column shows: itself, and those it is derived from over any number of
/// steps. Sorted.
fn closed_sources(table: &Table, column: ColumnId, secured: &[ColumnId]) -> Vec<ColumnId> {
    let mut met = vec![column];
    let mut next = 0;
    while let Some(column) = met.get(next).and_then(|id| table.column_by_id(*id)) {
        for source in column.sources() {
            if !met.contains(&source) {
                met.push(source);
            }
        }
        next += 1;
    }
    met.retain(|column| secured.binary_search(column).is_ok());
    met.sort_unstable();
    met
}
