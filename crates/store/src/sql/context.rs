//! What a statement is compiled against, and why it may not be.

use std::sync::Arc;

use custodia_access::{Denied, Mask, RowAccess, SharedColumn};
use custodia_schema::{ColumnId, PrivilegeKind, Schema, Table, TableId};

use super::Dialect;

/// What a read is compiled against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The engine.
    pub dialect: Dialect,
    /// The organisation's tables and relationships.
    pub schema: &'a Schema,
    /// Which tables there are. What cannot find anything is left out of the text, so compile again once that changed.
    pub tables: &'a dyn Tables,
}

/// Which tables a database has; they are made on first use.
pub trait Tables: Sync {
    /// Whether a table exists physically.
    fn exists(&self, table: TableId) -> bool;

    /// Whether a share was ever kept under the name of that table.
    fn has_shares(&self, table: TableId) -> bool;
}

/// Whose rows and columns a read may show.
pub trait ReadPolicy: Send + Sync {
    /// Which rows of a table are reached with a privilege.
    ///
    /// # Errors
    /// When the caller lacks the privilege on the table altogether.
    fn rows(&self, table: &Table, kind: PrivilegeKind) -> Result<RowAccess, Denied>;

    /// Whether a column may be read, of some rows at least; one that may not behaves as null everywhere.
    fn reads_column(&self, table: &Table, column: ColumnId) -> bool;

    /// Those of the columns that may be read that are null all the same but on the rows on which they were shared. Who
    /// knows nothing of shares lets them be read everywhere or nowhere.
    fn shared_columns(&self, _table: &Table) -> Vec<SharedColumn> {
        Vec::new()
    }

    /// The rule by which a column that may not be read is shown all the same. To everything but its showing it is null.
    fn mask(&self, _table: &Table, _column: ColumnId) -> Option<Arc<Mask>> {
        None
    }
}

/// How a read finds its rows. The result is the same, the cost is not (decision 0005.2): [`super::estimate()`] counts what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Plan {
    /// Walk in the order asked and test each row, expecting to find a page soon.
    #[default]
    Ordered,
    /// The same, expecting to pass thousands of rows: only keys are gathered first, and PostgreSQL may hash the
    /// shares instead of probing them row by row.
    Sweep,
    /// Gather every reachable row by the access paths, then filter and sort: for callers who reach few rows.
    Union,
}

/// Why a question cannot be put into SQL.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The caller lacks a privilege on one of the tables.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such table.
    #[error("there is no table number {0}")]
    NoTable(TableId),
    /// No such column, or one that no row stores (party lists, files).
    #[error("table {table} stores no column number {column}")]
    NoColumn {
        /// Logical name of the table.
        table: String,
        /// The column.
        column: ColumnId,
    },
    /// The value or pattern does not fit the column's type.
    #[error("{table}.{column} cannot be compared with or set to {given}")]
    Type {
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
        /// What was given.
        given: &'static str,
    },
    /// Two columns of different types were compared.
    #[error("columns {left} and {right} have different types and cannot be compared")]
    Incomparable {
        /// Logical name of the left column.
        left: String,
        /// Logical name of the right column.
        right: String,
    },
    /// A step or relationship that the schema does not have.
    #[error("table {table} is not related that way: {why}")]
    NoRelationship {
        /// Logical name of the table.
        table: String,
        /// What is missing.
        why: &'static str,
    },
    /// The question is larger than an engine takes.
    #[error("the query needs more than {limit} {what}; ask for less at once")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
    /// What values of such a column do not come to.
    #[error("there is no {what} of {table}.{column}: its values are no numbers or dates")]
    Measure {
        /// The measure.
        what: &'static str,
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
    },
    /// The parts of the question do not go together.
    #[error("the query cannot be answered: {0}")]
    Unanswerable(&'static str),
    /// The place to continue after does not belong to this order.
    #[error("the place to continue after has {given} keys, the order needs {needed}")]
    SeekKeys {
        /// Keys given.
        given: usize,
        /// Keys needed: one per order entry and the primary id.
        needed: usize,
    },
}
