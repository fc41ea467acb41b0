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
    /// A request that changes more records than one may.
    #[error("one request changes at most {limit} records and links together; send them in several")]
    TooManyChanges {
        /// The limit.
        limit: usize,
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

impl Error {
    /// A rule of the security model stands in the way.
    pub(crate) fn refused(code: u32, why: impl Into<String>) -> Self {
        Self::Refused { code, why: why.into() }
    }
}

/// The codes of [`Error::Refused`], as clients of Dataverse know them, and our own.
pub(crate) mod refusal {
    /// A record is not shared with its owner.
    pub(crate) const SHARED_WITH_OWNER: u32 = 0x8004_0214;
    /// A record is not without an owner.
    pub(crate) const NO_OWNER: u32 = 0x8004_0215;
    /// There is no such user or team to own a record.
    pub(crate) const UNKNOWN_OWNER: u32 = 0x8004_0229;
    /// An account does not stand above itself.
    pub(crate) const ACCOUNT_LOOP: u32 = 0x8004_0507;
    /// A manager sits in the line of business units.
    pub(crate) const MANAGER_ELSEWHERE: u32 = 0x8004_1d07;
    /// The System Administrator role is not deleted.
    pub(crate) const ADMINISTRATOR_ROLE_DELETED: u32 = 0x8004_1d2e;
    /// The last System Administrator is not disabled.
    pub(crate) const LAST_ADMINISTRATOR_DISABLED: u32 = 0x8004_1d2f;
    /// The last System Administrator does not lose the role.
    pub(crate) const LAST_ADMINISTRATOR_LOST: u32 = 0x8004_1d30;
    /// A role is held in its own business unit.
    pub(crate) const ROLE_ELSEWHERE: u32 = 0x8004_1d36;
    /// A business unit is disabled before it is deleted.
    pub(crate) const UNIT_ENABLED: u32 = 0x8004_1d60;
    /// A business unit with units below it is not deleted.
    pub(crate) const UNIT_HAS_UNITS: u32 = 0x8004_1d61;
    /// A business unit that somebody or something sits in is not deleted.
    pub(crate) const UNIT_IN_USE: u32 = 0x8004_1d62;
    /// The default team of a business unit is not deleted.
    pub(crate) const DEFAULT_TEAM_DELETED: u32 = 0x8004_8307;
    /// The default team of a business unit is neither renamed nor moved.
    pub(crate) const DEFAULT_TEAM_CHANGED: u32 = 0x8004_830a;
    /// Nobody joins the default team of a business unit by hand.
    pub(crate) const DEFAULT_TEAM_JOINED: u32 = 0x8004_830b;
    /// Nobody leaves the default team of a business unit by hand.
    pub(crate) const DEFAULT_TEAM_LEFT: u32 = 0x8004_830c;
    /// A team that owns records is not deleted.
    pub(crate) const TEAM_OWNS_RECORDS: u32 = 0x8004_830e;
    /// An access team holds neither roles nor profiles.
    pub(crate) const ACCESS_TEAM_HOLDS_NONE: u32 = 0x8004_8331;
    /// Nobody shares by hand with a team that the platform keeps for one record.
    pub(crate) const KEPT_TEAM: u32 = 0x8004_8339;
    /// A column that cannot be secured, or is not and so is neither shared nor masked, or comes secured and stays so.
    pub(crate) const COLUMN_NOT_SECURED: u32 = 0x8004_f508;
    /// A share of a column gives something.
    pub(crate) const COLUMN_SHARE_EMPTY: u32 = 0x8004_f509;
    /// A share of a column is not changed so that it gives nothing.
    pub(crate) const COLUMN_SHARE_EMPTIED: u32 = 0x8004_f50a;
    /// A column of a record is shared once with somebody.
    pub(crate) const COLUMN_SHARED_ALREADY: u32 = 0x8004_f50b;
    /// Nobody holds what a rule of the organisation separates. Our own: Dataverse has no such rules.
    pub(crate) const DUTIES_SEPARATED: u32 = 0x8005_f120;
    /// An index that cannot be made, or is there already. Our own, like the next.
    pub(crate) const INDEX_REFUSED: u32 = 0x8005_f130;
    /// There is no such index that could be removed.
    pub(crate) const NO_SUCH_INDEX: u32 = 0x8005_f131;
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
