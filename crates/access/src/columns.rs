//! Column security: which columns of a table are closed to one user (security model 8).

use custodia_schema::{ColumnId, ColumnKind, MoneyRole, Table};

use crate::FieldPermission;

/// The columns of one table that are closed to one user, each list sorted. Tables where nothing is closed have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosedColumns {
    read: Box<[ColumnId]>,
    create: Box<[ColumnId]>,
    update: Box<[ColumnId]>,
}

impl ClosedColumns {
    /// What `permissions` (of all profiles of the user, of all tables) leave closed in `table`; `None` when nothing is.
    pub(crate) fn of(table: &Table, permissions: &[FieldPermission]) -> Option<Self> {
        if !table.columns().iter().any(|column| column.secured) {
            return None;
        }
        let closed = |allows: fn(&FieldPermission) -> bool| -> Vec<ColumnId> {
            let open = |column| permissions.iter().any(|p| p.table == table.id && p.column == column && allows(p));
            table.columns().iter().filter(|column| column.secured && !open(column.id)).map(|column| column.id).collect()
        };
        let mut read = closed(|permission| permission.read);
        close_derived(table, &mut read);
        let closed = Self {
            read: read.into(),
            create: closed(|permission| permission.create).into(),
            update: closed(|permission| permission.update).into(),
        };
        (!closed.read.is_empty() || !closed.create.is_empty() || !closed.update.is_empty()).then_some(closed)
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
}

/// Adds to `closed` (sorted) every column derived from a closed one, over any number of steps: a full name or a base
/// amount shows what its sources hold.
fn close_derived(table: &Table, closed: &mut Vec<ColumnId>) {
    loop {
        let leaking: Vec<ColumnId> = table
            .columns()
            .iter()
            .filter(|column| closed.binary_search(&column.id).is_err())
            .filter(|column| {
                let base_of = match column.kind {
                    ColumnKind::Money { role: MoneyRole::Base { of }, .. } => Some(of),
                    _ => None,
                };
                column.derived_from.iter().chain(base_of.iter()).any(|source| closed.binary_search(source).is_ok())
            })
            .map(|column| column.id)
            .collect();
        if leaking.is_empty() {
            return;
        }
        closed.extend(leaking);
        closed.sort_unstable();
    }
}
