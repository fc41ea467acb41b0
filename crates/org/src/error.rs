//! Why an operation was not done. Nothing was changed in any of these cases.

use custodia_access::Denied;
use custodia_schema::Guid;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such record.
    #[error("{table} With Id = {id} Does Not Exist")]
    NotFound {
        /// Logical name of the table.
        table: String,
        /// The id asked for.
        id: Guid,
    },
    /// No record with these values of an alternate key.
    #[error("A record of table '{table}' with the specified key values does not exist")]
    NotFoundByKey {
        /// Logical name of the table.
        table: String,
    },
    /// The record changed since the caller read it.
    #[error(
        "The version of the existing record doesn't match the version given: it was changed meanwhile. Read it again."
    )]
    VersionMismatch,
    /// A record with this id exists.
    #[error("A record of table '{table}' with id {id} exists already")]
    Duplicate {
        /// Logical name of the table.
        table: String,
        /// The id.
        id: Guid,
    },
    /// A record with the same values of an alternate key, or the same link, exists.
    #[error("A record with the same key values exists already ({constraint})")]
    DuplicateKey {
        /// The columns of the key, or the name of its index.
        constraint: String,
    },
    /// A delete is held up by records that hang on the row.
    #[error("The {table} record cannot be deleted because records of table '{by}' depend on it")]
    Restricted {
        /// Logical name of the table.
        table: String,
        /// Logical name of the dependent table.
        by: String,
    },
    /// More records depend on one than a request changes.
    #[error("more than {limit} records of table '{table}' depend on this one; change them in smaller steps first")]
    TooManyDependents {
        /// Logical name of the dependent table.
        table: String,
        /// The limit.
        limit: usize,
    },
    /// A delete would change more records than a request does.
    #[error(
        "deleting this {table} record would change more than {limit} others; delete it with the action BulkDelete, \
         which does it in steps"
    )]
    CascadeTooLarge {
        /// Logical name of the table.
        table: String,
        /// The limit.
        limit: usize,
    },
    /// The organisation has as many open jobs as it may have.
    #[error("{limit} jobs of this organisation wait or run already; wait until one of them has ended, or cancel one")]
    TooManyJobs {
        /// The limit.
        limit: usize,
    },
    /// A value that cannot be stored.
    #[error("{table}.{column}: {why}")]
    Value {
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
        /// What is wrong, for callers that must tell cases apart.
        fault: Fault,
        /// What is wrong, in words.
        why: String,
    },
    /// A request that makes no sense for this table.
    #[error("{0}")]
    Invalid(String),
    /// A rule of the security model stands in the way.
    #[error("{why}")]
    Refused {
        /// The code clients know (docs/api.md, "Errors").
        code: u32,
        /// In words.
        why: String,
    },
    /// One of several changes failed; none was made.
    #[error("{error}")]
    Part {
        /// Its place among them, from 0.
        at: usize,
        /// Why.
        error: Box<Error>,
    },
    /// The store's answer.
    #[error(transparent)]
    Store(custodia_store::Error),
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Missing where one is needed.
    Required,
    /// Text too long.
    TooLong,
    /// Number or date out of range.
    OutOfRange,
    /// Not one of the options.
    NotAnOption,
    /// State and status do not belong together.
    StateStatus,
    /// Of the wrong type, or not allowed there.
    Type,
    /// A lookup to a table or record that cannot be its target.
    Target,
    /// It holds a payment card number where none is stored.
    CardNumber,
}

/// Result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

impl From<custodia_store::Error> for Error {
    fn from(error: custodia_store::Error) -> Self {
        match error {
            custodia_store::Error::Denied(denied) => Self::Denied(denied),
            custodia_store::Error::DuplicateKey { constraint } => Self::DuplicateKey { constraint },
            other => Self::Store(other),
        }
    }
}

impl custodia_store::IsStale for Error {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Store(custodia_store::Error::Stale))
    }
}
