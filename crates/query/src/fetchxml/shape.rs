//! What the answer to a FetchXML query looks like.

use custodia_schema::{ColumnId, TableId};

use crate::{Aggregation, DatePart, Field, Query};

/// A query that was looked up.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Rows are asked for.
    Rows(RowsQuestion),
    /// Groups of rows are.
    Groups(GroupsQuestion),
}

/// A question about rows. Page, size and place are not set.
#[derive(Clone, Debug, PartialEq)]
pub struct RowsQuestion {
    /// What is asked.
    pub query: Query,
    /// The table of each row: that of the queried one, then those of the links.
    pub tables: Vec<TableId>,
    /// What each result shows, in order.
    pub columns: Vec<RowColumn>,
}

/// A value of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowColumn {
    /// Whose it is: 0 is the queried row, n that of the n-th link.
    pub row: usize,
    /// The value; it is among the fields of that row.
    pub field: Field,
    /// What it is called.
    pub name: String,
    /// It is shown also when there is no value.
    pub null_shown: bool,
}

/// A question about groups. Page and size are not set.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupsQuestion {
    /// What is asked.
    pub aggregation: Aggregation,
    /// What each result shows, in order.
    pub columns: Vec<GroupColumn>,
}

/// A value of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupColumn {
    /// Its position among the outputs.
    pub position: usize,
    /// What it is called.
    pub name: String,
    /// The table of the column that it comes from.
    pub table: TableId,
    /// The column.
    pub column: ColumnId,
    /// What of the column it is.
    pub kind: GroupValue,
}

/// What of a column a value of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupValue {
    /// A value of the column's type.
    Value,
    /// A number of rows or values.
    Count,
    /// A part of its date.
    Part(DatePart),
}
