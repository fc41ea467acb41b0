//! The query tree.

use std::sync::Arc;

use custodia_schema::{ColumnId, Guid, RelationshipId, Table, TableId, Value};

use crate::{LikePattern, RowKey};

/// A resolved question about the rows of one table, and of tables linked to it.
///
/// Output columns are, in this order: `fields`, then the fields of each of `links`, then the fields of each
/// [`Expand::One`] in order, each followed by those of the `Expand::One` within it. The first field of a query that is
/// not `distinct`, and of every `Expand::One`, must be the table's primary id.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The table asked.
    pub table: TableId,
    /// What each row shows; the first is the primary id.
    pub fields: Vec<Field>,
    /// Rows of other tables beside them: one result row for each combination.
    pub links: Vec<Link>,
    /// Which rows.
    pub filter: Filter,
    /// Only rows that hang on this one.
    pub related: Option<Related>,
    /// Equal result rows once.
    pub distinct: bool,
    /// In which order. The primary id is appended as last key, in the direction of the last key (ascending if none);
    /// after it those of the links. A `distinct` query is ordered by its outputs instead, ascending, after the keys given.
    pub order: Vec<Order>,
    /// Rows at most, over all pages.
    pub top: Option<u32>,
    /// Rows at most in one page, at least 1.
    pub page_size: u32,
    /// Continue after this place: one key per entry of `order`, then the primary id of the last row. Only where
    /// [`Query::can_seek`].
    pub after: Option<Vec<SeekKey>>,
    /// Rows passed over before the first, for queries that cannot seek. Not beside `after`.
    pub skip: u32,
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
            links: Vec::new(),
            filter: Filter::True,
            related: None,
            distinct: false,
            order: Vec::new(),
            top: None,
            page_size,
            after: None,
            skip: 0,
            count: false,
            expand: Vec::new(),
        }
    }

    /// The id of the one row that a key names.
    #[must_use]
    pub fn of_row(table: &Table, key: &RowKey) -> Self {
        Self { filter: key.filter(table), top: Some(1), ..Self::of(table, 1) }
    }

    /// Whether a page can continue after the keys of the last row: the rows are those of one table, each once, in the order
    /// of stored values. Other queries continue by `skip`.
    #[must_use]
    pub fn can_seek(&self) -> bool {
        self.links.is_empty() && !self.distinct && self.order.iter().all(|order| order.by == OrderBy::Value)
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
    /// How many rows of the same table, of those the caller may read, point at the row by this lookup.
    Children(ColumnId),
}

/// Rows of another table beside those that they are linked to. Access and column security hold for them as for the
/// queried rows: what may not be read is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The row it hangs on: 0 is the queried row, n that of the n-th link before this one.
    pub from: usize,
    /// The linked table.
    pub table: TableId,
    /// The column of the row it hangs on.
    pub near: ColumnId,
    /// The column of the linked table that must be equal to it, and not null. Texts are equal by fold; a lookup of several
    /// tables and a primary id are equal where the lookup points into the table of that id.
    pub far: ColumnId,
    /// What becomes of rows without a partner, and with several.
    pub kind: LinkKind,
    /// A part of the condition of the join: where it fails, the rows are no partners. Paths start at rows up to this one.
    pub filter: Filter,
    /// What it shows, null where there is no partner. None for the links within [`Exists`].
    pub fields: Vec<Field>,
    /// For [`LinkKind::First`]: which partner comes first; then the lowest primary id.
    pub order: Vec<Order>,
}

/// What a link does with rows that have no partner, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Rows without a partner are left out. On an outer link it leaves out partners, not the rows before.
    Inner,
    /// Rows without a partner stay, with nulls.
    Outer,
    /// As `Outer`, with one partner at most.
    First,
}

/// Tests whether there is a row of another table that is linked to a row and passes a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Exists {
    /// The row it hangs on. Its column is what the rows beyond must point at, or be pointed at by.
    pub near: Path,
    /// The linked table.
    pub table: TableId,
    /// The column of the linked table that must be equal to `near`, as in [`Link`].
    pub far: ColumnId,
    /// Further rows beside the linked one, which is row 0 for them and for the filter.
    pub links: Vec<Link>,
    /// What one combination must pass.
    pub filter: Filter,
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
    /// The row it starts at: 0 is the queried row, n that of the n-th link.
    pub row: usize,
    /// Steps from there, none for its own columns. At most [`crate::odata::Limits::path_steps_max`].
    pub steps: Vec<Step>,
    /// The column at the end.
    pub column: ColumnId,
}

impl Path {
    /// A column of the queried table itself.
    #[must_use]
    pub fn own(column: ColumnId) -> Self {
        Self::at(0, column)
    }

    /// A column of the queried row (0) or of the row of the n-th link.
    #[must_use]
    pub fn at(row: usize, column: ColumnId) -> Self {
        Self { row, steps: Vec::new(), column }
    }

    /// A column some steps from the queried row.
    #[must_use]
    pub fn over(steps: Vec<Step>, column: ColumnId) -> Self {
        Self { row: 0, steps, column }
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

impl Comparison {
    /// The operator that says the same with its sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
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
    /// One of these options at least is among those of a column of several choices; false on null.
    ContainsAny {
        /// The column.
        path: Path,
        /// The options; false when there are none.
        options: Vec<i32>,
    },
    /// A moment lies in the period of this number in whichever year; false on null.
    InPeriod {
        /// A column of dates or date-times.
        path: Path,
        /// The division of years.
        calendar: Fiscal,
        /// Where days begin. Not looked at for dates.
        zone: Arc<Zone>,
        /// The number of the period, from 1.
        period: u32,
    },
    /// The row that a lookup points at, or that a primary id names, lies above or under another in the tree of its table.
    Hierarchy {
        /// A lookup of that table, or its primary id. False on null.
        path: Path,
        /// The table of the tree.
        table: TableId,
        /// The lookup of that table which points at the row above.
        parent: ColumnId,
        /// The row that it is compared with. It and the rows between need not be readable.
        of: Guid,
        /// Which way.
        direction: Direction,
        /// Whether the row itself counts.
        inclusive: bool,
    },
    /// There is a row linked to this one.
    Exists(Box<Exists>),
}

/// A way along a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards the root, at most 100 levels.
    Above,
    /// Away from it, at most 100 levels.
    Under,
}

/// How far local time is ahead of UTC. Local time is that of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Seconds ahead before the first change.
    pub first: i32,
    /// From a moment on (seconds since 1970, rising), seconds ahead.
    pub changes: Vec<(i64, i32)>,
}

impl Zone {
    /// UTC, all the time.
    #[must_use]
    pub fn utc() -> Self {
        Self { first: 0, changes: Vec::new() }
    }

    /// Seconds ahead at a moment (seconds since 1970).
    #[must_use]
    pub fn ahead_at(&self, moment: i64) -> i32 {
        let before = self.changes.partition_point(|(from, _)| *from <= moment);
        match before.checked_sub(1).and_then(|at| self.changes.get(at)) {
            Some((_, ahead)) => *ahead,
            None => self.first,
        }
    }
}

/// An organisation's fiscal years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fiscal {
    /// The month they begin in, 1 to 12.
    pub month: u8,
    /// The day of that month, 1 to 28.
    pub day: u8,
    /// How they are divided.
    pub periods: FiscalPeriods,
    /// Whether a year has the name of the calendar year it begins in; otherwise of the one it ends in.
    pub named_by_start: bool,
}

/// How fiscal years are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FiscalPeriods {
    /// One period.
    Annually,
    /// Two of six months.
    Semiannually,
    /// Four of three months.
    Quarterly,
    /// Twelve months.
    Monthly,
    /// Thirteen of four weeks, the last one up to the end of the year.
    FourWeeks,
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
    /// What of the column decides.
    pub by: OrderBy,
}

impl Order {
    /// By the stored value of a column.
    #[must_use]
    pub fn by_value(path: Path, descending: bool) -> Self {
        Self { path, descending, by: OrderBy::Value }
    }
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OrderBy {
    /// The value.
    Value,
    /// The place of the value (of a choice, or 0 and 1 for no and yes) among these, which are in the order of their labels; others
    /// come last.
    Label(Arc<[i32]>),
    /// The primary name of the row that a lookup points at.
    Name,
}

/// A question about groups of rows: what their values come to.
///
/// Output columns are the groups, then the measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    /// Which rows: table, links, filter, related. Its fields, order, pages and expansions are not looked at.
    pub rows: Query,
    /// What rows of one group have in common. With none there is exactly one group, also over no rows.
    pub groups: Vec<Group>,
    /// What is told of each group.
    pub measures: Vec<Measure>,
    /// Positions of output columns to order by, and whether greatest first. Nulls come first ascending. The groups in their
    /// order, ascending, are appended.
    pub order: Vec<(usize, bool)>,
    /// Groups passed over before the first.
    pub skip: u32,
    /// Groups at most; one more is returned to show that there are more.
    pub page_size: u32,
    /// Rows that may be aggregated; more are an error.
    pub rows_max: u32,
}

/// Something that the rows of one group have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The column.
    pub path: Path,
    /// What of it.
    pub by: GroupBy,
}

/// What of a column's value groups share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The value. Texts by fold: the group shows one of them.
    Value,
    /// The number of a part of its date.
    DatePart {
        /// The part.
        part: DatePart,
        /// Where days begin. Not looked at for dates.
        zone: Arc<Zone>,
    },
}

/// A part of a date, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatePart {
    /// The day of the month.
    Day,
    /// The week of the year: 1 January lies in the first; weeks begin on Sunday.
    Week,
    /// The month.
    Month,
    /// The quarter of the calendar year.
    Quarter,
    /// The year.
    Year,
    /// The number of the period in its fiscal year, from 1.
    FiscalPeriod(Fiscal),
    /// The name of the fiscal year.
    FiscalYear(Fiscal),
}

/// A value of a group.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// How many rows.
    Count,
    /// How many values that are not null.
    CountValues {
        /// The column.
        path: Path,
        /// Equal ones once. Texts are equal by fold.
        distinct: bool,
    },
    /// Null over no values. Of integers a 64-bit integer, of decimals a decimal, of money an amount.
    Sum(Path),
    /// Null over no values. Of integers an integer, rounded towards zero; decimals and amounts round half away from zero.
    Average(Path),
    /// The least; null over no values.
    Least(Path),
    /// The greatest; null over no values.
    Greatest(Path),
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
        /// What is shown with the related row.
        expand: Vec<Expand>,
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
