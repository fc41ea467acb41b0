//! A table: its columns, ownership, keys and privileges.

use std::collections::HashMap;

use crate::{Column, ColumnId, ColumnKind, Label, LookupFlavor, RequiredLevel, TableId};

/// Who owns the rows of a table. Fixed when the table is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// A user or a team owns each row.
    User,
    /// The organisation owns all rows: access is all or nothing.
    Organization,
    /// Rows belong to a business unit (user, team, role, unit, …).
    Business,
    /// Intersects and child rows.
    None,
}

/// How the security of a row is found. Derived from ownership and the facts of the data files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowSecurity {
    /// By `owner` and `unit` columns of the row, and by shares.
    Owned {
        /// `ownerid`.
        owner: ColumnId,
        /// `owningbusinessunit`.
        unit: ColumnId,
    },
    /// By the business unit the row sits in; `principal` names the column that makes a row "the caller's own".
    Unit {
        /// Column holding the unit.
        unit: ColumnId,
        /// Column that equals the caller's user id on the caller's own row.
        principal: Option<ColumnId>,
    },
    /// All or nothing.
    Organization,
    /// As the row that one of these lookups points at (line tables, addresses, activity parties); the first that is set counts.
    Parent {
        /// Lookup columns to the parent.
        lookups: Vec<ColumnId>,
    },
    /// No rows of its own to protect: an N:N intersect follows both ends.
    Intersect,
}

/// The eight record privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PrivilegeKind {
    /// Make a row.
    Create = 0,
    /// See a row.
    Read = 1,
    /// Change a row.
    Write = 2,
    /// Remove a row.
    Delete = 3,
    /// Link this row to another.
    Append = 4,
    /// Let another row be linked to this one.
    AppendTo = 5,
    /// Give it another owner.
    Assign = 6,
    /// Share it.
    Share = 7,
}

impl PrivilegeKind {
    /// All eight, in the order of the digit strings of role files.
    pub const ALL: [Self; 8] =
        [Self::Create, Self::Read, Self::Write, Self::Delete, Self::Append, Self::AppendTo, Self::Assign, Self::Share];

    /// The word in privilege names and right masks (`Create`, `AppendTo`, …).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Delete => "Delete",
            Self::Append => "Append",
            Self::AppendTo => "AppendTo",
            Self::Assign => "Assign",
            Self::Share => "Share",
        }
    }
}

/// How far a privilege reaches. A higher level contains the lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Rows the user (or a team of the user) owns.
    Basic = 1,
    /// Rows of the business unit.
    Local = 2,
    /// Rows of the business unit and the units below.
    Deep = 3,
    /// All rows.
    Global = 4,
}

/// A privilege a role may hold on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    /// Name as clients know it (`prvReadAccount`); tables may share one (`prvReadActivity`).
    pub name: String,
    /// Which of the eight.
    pub kind: PrivilegeKind,
    /// Levels it may take.
    pub levels: Vec<Level>,
}

/// A set of columns whose values name one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlternateKey {
    /// Logical name of the key.
    pub name: String,
    /// Its columns, at least one.
    pub columns: Vec<ColumnId>,
}

/// Columns that lists are filtered or ordered by; the store adds id, owner and unit (decision 0001.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListIndex {
    /// Leading columns, at least one.
    pub columns: Vec<ColumnId>,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Stable number (object type code).
    pub id: TableId,
    /// Logical name, lower case.
    pub name: String,
    /// Schema name, mixed case.
    pub schema_name: String,
    /// Name of the set in URLs (`accounts`). Empty when the table has none (plain intersects).
    pub set_name: String,
    /// What a person sees for one row.
    pub display_name: Label,
    /// What a person sees for many rows.
    pub display_collection_name: Label,
    /// The GUID key. `None` never happens for loaded tables: intersects have one too.
    pub primary_id: ColumnId,
    /// The text that stands for a row; `None` for tables without one (intersects, lines).
    pub primary_name: Option<ColumnId>,
    /// Ownership kind.
    pub ownership: Ownership,
    /// How a row's security is found.
    pub security: RowSecurity,
    /// An activity type: it also stands in `activitypointer`.
    pub is_activity: bool,
    /// An N:N intersect.
    pub is_intersect: bool,
    /// The table's audit switch.
    pub audited: bool,
    /// The audit tells of single records that are read. Only an organisation switches it on.
    pub reads_audited: bool,
    /// The audit tells of lists of records that are read. Only an organisation switches it on.
    pub lists_audited: bool,
    /// `If-Match` is honoured.
    pub optimistic_concurrency: bool,
    /// Change tracking may be asked for.
    pub change_tracking: bool,
    /// Can be put in a queue, has notes, has activities: for forms.
    pub has_notes: bool,
    /// Activities may regard it.
    pub has_activities: bool,
    /// Privileges, at most one of each kind.
    pub privileges: Vec<Privilege>,
    /// Alternate keys.
    pub keys: Vec<AlternateKey>,
    /// Indexes for lists.
    pub list_indexes: Vec<ListIndex>,
    /// Indexes that only this organisation has.
    pub own_indexes: Vec<ListIndex>,
    /// Columns that most rows have a value in and most questions name, those first that matter most. A store keeps them
    /// where a row is read first; nothing else depends on it.
    pub usual: Vec<ColumnId>,
    /// Columns in order of their numbers.
    pub(crate) columns: Vec<Column>,
    /// Position in `columns` by logical name.
    pub(crate) by_name: HashMap<String, usize>,
}

impl Table {
    /// Columns in order of their numbers.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of that logical name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.by_name.get(name).and_then(|&at| self.columns.get(at))
    }

    /// The column of that number.
    #[must_use]
    pub fn column_by_id(&self, id: ColumnId) -> Option<&Column> {
        let at = self.columns.binary_search_by_key(&id, |column| column.id).ok()?;
        self.columns.get(at)
    }

    /// The privilege of that kind, if the table has it.
    #[must_use]
    pub fn privilege(&self, kind: PrivilegeKind) -> Option<&Privilege> {
        self.privileges.iter().find(|privilege| privilege.kind == kind)
    }

    /// Whether its rows own others: users and teams, which Dataverse calls principals.
    #[must_use]
    pub fn is_principal(&self) -> bool {
        matches!(self.name.as_str(), "systemuser" | "team")
    }

    /// Whether the platform or a default gives this column a value where a caller gives none.
    #[must_use]
    pub fn is_given_otherwise(&self, column: &Column) -> bool {
        match &column.kind {
            ColumnKind::State { .. } | ColumnKind::Status { .. } | ColumnKind::Managed => true,
            ColumnKind::Boolean { default, .. } => default.is_some(),
            ColumnKind::Choice { default, .. } => default.is_some(),
            ColumnKind::Lookup { flavor, .. } => *flavor == LookupFlavor::Owner,
            _ => column.id == self.primary_id || column.auto_number.is_some(),
        }
    }

    /// Whether a caller who makes a row has to give this column a value: the system requires one, and neither the
    /// platform nor a default gives it.
    #[must_use]
    pub fn must_be_given(&self, column: &Column) -> bool {
        column.required == RequiredLevel::System
            && column.creatable
            && !self.is_given_otherwise(column)
            && self.privilege(PrivilegeKind::Create).is_some()
    }

    /// The state column and its options, if the table has one.
    #[must_use]
    pub fn state(&self) -> Option<&Column> {
        self.columns.iter().find(|column| matches!(column.kind, ColumnKind::State { .. }))
    }

    /// The status column, if the table has one.
    #[must_use]
    pub fn status(&self) -> Option<&Column> {
        self.columns.iter().find(|column| matches!(column.kind, ColumnKind::Status { .. }))
    }
}
