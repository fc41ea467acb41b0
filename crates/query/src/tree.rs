//! The query tree.

use custodia_schema::{ColumnId, Guid, RelationshipId, Table, TableId, Value};

use crate::{LikePattern, RowKey};

/// A resolved question about the rows of one table.
///
/// Output columns are, in this order: `fields`, then the fields of each [`Expand::One`] in order. The first field of
/// a query and of every `Expand::One` must be the table's primary id.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The table asked.
    pub table: TableId,
    /// What each row shows; the first is the primary id.
    pub fields: Vec<Field>,
    /// Which rows.
    pub filter: Filter,
    /// Only rows that hang on this one.
    pub related: Option<Related>,
    /// In which order. The primary id is appended as last key, in the direction of the last key (ascending if none).
    pub order: Vec<Order>,
    /// Rows at most, over all pages.
    pub top: Option<u32>,
    /// Rows at most in one page, at least 1.
    pub page_size: u32,
    /// Continue after this place: one key per entry of `order`, then the primary id of the last row.
    pub after: Option<Vec<SeekKey>>,
    /// Also count the rows (readable, matching, regardless of pages), up to the store's cap.
    pub count: bool,
    /// Related records to show with each row.
    pub expand: Vec<Expand>,
}

impl Query {
    /// The ids of all rows of a table, by id, in pages of `page_size`: what else is asked is set on it.
    #[must_use]
    pub fn of(table: &Table, page_size: u32) -> Self {
        Self {
            table: table.id,
            fields: vec![Field::Column(table.primary_id)],
            filter: Filter::True,
            related: None,
            order: Vec::new(),
            top: None,
            page_size,
            after: None,
            count: false,
            expand: Vec::new(),
        }
    }

    /// The id of the one row that a key names.
    #[must_use]
    pub fn of_row(table: &Table, key: &RowKey) -> Self {
        Self { filter: key.filter(table), top: Some(1), ..Self::of(table, 1) }
    }

    /// Also shows these columns, in this order.
    #[must_use]
    pub fn showing(mut self, columns: impl IntoIterator<Item = ColumnId>) -> Self {
        self.fields.extend(columns.into_iter().map(Field::Column));
        self
    }
}

/// One value of a row's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The column's value.
    Column(ColumnId),
    /// The table a polymorphic lookup points at, as an integer (object type code).
    TargetTable(ColumnId),
    /// The primary name of the row a lookup points at, readable or not: the label belongs to the row that has the lookup.
    /// Null when the lookup itself may not be read.
    TargetName(ColumnId),
}

/// The value of one sort key of the last row of a page; null included.
pub type SeekKey = Value;

/// One step over a single-valued navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The lookup column.
    pub lookup: ColumnId,
    /// The table it is followed to; rows that point elsewhere yield nulls.
    pub target: TableId,
}

/// A column, possibly of a row some steps away. The steps obey the caller's read access: a row that the caller may
/// not read yields nulls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Steps from the queried table, none for its own columns. At most [`crate::odata::Limits::path_steps_max`].
    pub steps: Vec<Step>,
    /// The column at the end.
    pub column: ColumnId,
}

impl Path {
    /// A column of the queried table itself.
    #[must_use]
    pub fn own(column: ColumnId) -> Self {
        Self { steps: Vec::new(), column }
    }
}

/// How two values are compared. Texts compare by fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal; false on null.
    Equal,
    /// Not equal; the complement of `Equal`, so true on null.
    NotEqual,
    /// Less; false on null.
    Less,
    /// Less or equal; false on null.
    LessOrEqual,
    /// Greater; false on null.
    Greater,
    /// Greater or equal; false on null.
    GreaterOrEqual,
}

/// A test on a row: true or false, never unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Every row.
    True,
    /// No row.
    False,
    /// All of them (true when empty).
    And(Vec<Filter>),
    /// Any of them (false when empty).
    Or(Vec<Filter>),
    /// The exact complement.
    Not(Box<Filter>),
    /// A column against a literal of the column's type. The literal is never null.
    Compare {
        /// The column.
        path: Path,
        /// The operator.
        operator: Comparison,
        /// The literal.
        value: Value,
    },
    /// A column against a column of a comparable type. Equal is false when either is null; NotEqual its complement.
    CompareColumns {
        /// Left column.
        left: Path,
        /// The operator.
        operator: Comparison,
        /// Right column.
        right: Path,
    },
    /// The column has no value (or none that the caller may read).
    IsNull(Path),
    /// The column's value is one of these (never null) values; false when empty or null.
    In {
        /// The column.
        path: Path,
        /// The values.
        values: Vec<Value>,
    },
    /// The column's folded text matches the pattern; false on null.
    Like {
        /// A text column.
        path: Path,
        /// The pattern, already folded.
        pattern: LikePattern,
    },
}

impl Filter {
    /// A column of the queried table itself equals a value.
    #[must_use]
    pub fn equal(column: ColumnId, value: Value) -> Self {
        Self::Compare { path: Path::own(column), operator: Comparison::Equal, value }
    }
}

/// One sort key. Nulls come first ascending, last descending. Texts sort by fold, lookups by GUID, choices by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// The column.
    pub path: Path,
    /// Greatest first.
    pub descending: bool,
}

/// Restricts a query to the rows on the far side of a relationship of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Related {
    /// Rows whose lookup holds this row.
    ByLookup {
        /// The lookup column of the queried table.
        lookup: ColumnId,
        /// The row it must hold.
        parent: Guid,
        /// The table of that row.
        parent_table: TableId,
    },
    /// Rows linked through an N:N intersect.
    ByLink {
        /// Position in `Schema::many_to_many`.
        relationship: RelationshipId,
        /// Whether the queried table is the relationship's second side.
        queried_is_second: bool,
        /// The row on the other side.
        parent: Guid,
    },
}

/// A related record or collection shown with each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Expand {
    /// A single-valued navigation, read in the same statement.
    One {
        /// Navigation property name.
        name: String,
        /// The step.
        step: Step,
        /// What the related row shows; the first is its primary id (null when there is none or it may not be read).
        fields: Vec<Field>,
    },
    /// A collection, read by one statement per row of the page. Its `query.related` is filled in per parent row:
    /// the `parent` it carries is ignored.
    Many {
        /// Navigation property name.
        name: String,
        /// The query of the far side.
        query: Box<Query>,
    },
}
