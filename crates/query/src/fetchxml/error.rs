//! Why a FetchXML query cannot be understood.

use crate::operator::OperatorError;

/// Why a FetchXML query cannot be understood. Its text may be shown to the caller: it repeats nothing but the query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchXmlError {
    /// It is no XML, or not in the form of a query.
    #[error("The FetchXML is not valid: {0}")]
    Malformed(String),
    /// There is no such table.
    #[error("The entity with a name = '{0}' was not found. Logical names of tables are expected.")]
    UnknownTable(String),
    /// The table has no such column, or none that may be read.
    #[error("'{table}' entity doesn't contain attribute with Name = '{column}'.")]
    UnknownColumn {
        /// The name as it was asked.
        column: String,
        /// Logical name of the table.
        table: String,
    },
    /// An element says something that makes no sense: an alias, a link, an aggregate, a condition.
    #[error("The FetchXML query cannot be run: {0}")]
    Invalid(String),
    /// A condition's operator is not used as it can be.
    #[error("The FetchXML query cannot be run: {0}")]
    Operator(#[from] OperatorError),
    /// More than the service takes in one query.
    #[error("The FetchXML query is more than this service takes ({limit} is {max}).")]
    TooMuch {
        /// The name of the limit, a field of [`crate::odata::Limits`].
        limit: &'static str,
        /// Its value.
        max: usize,
    },
    /// The language has it, this service does not yet.
    #[error("{0} is not supported yet")]
    Unsupported(String),
}

impl FetchXmlError {
    pub(super) fn invalid(problem: impl Into<String>) -> Self {
        Self::Invalid(problem.into())
    }
}
