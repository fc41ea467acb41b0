//! Why a request is not answered as asked: status, code and message, as clients know them.
//!
//! This is the one place where errors of the crates below become an answer (docs/api.md says which).
//! What a client sees repeats its own request and names users, privileges, tables and columns; what the machinery said
//! goes to the log, under the request's id.

use custodia_access::Denied;
use custodia_org::{Error, Fault, StoreError};
use custodia_query::fetchxml::FetchXmlError;
use custodia_query::odata::{ODataError, SkipTokenError};
use http::StatusCode;

/// Codes that clients know, by what they say.
pub(crate) mod code {
    /// Parser errors of the protocol have no code of their own.
    pub(crate) const NONE: u32 = 0;
    /// A request that is malformed or asks for what there is not.
    pub(crate) const INVALID_REQUEST: u32 = 0x8006_0888;
    /// A path that names nothing.
    pub(crate) const NO_SUCH_RESOURCE: u32 = 0x8006_088a;
    /// A preference that makes no sense.
    pub(crate) const INVALID_PREFERENCE: u32 = 0x8006_088b;
    /// A body that cannot be read.
    pub(crate) const UNREADABLE_BODY: u32 = 0x8004_8d19;
    /// A value or combination that makes no sense.
    pub(crate) const INVALID_ARGUMENT: u32 = 0x8004_0203;
    /// No such record.
    pub(crate) const NOT_FOUND: u32 = 0x8004_0217;
    /// No record with these key values.
    pub(crate) const NOT_FOUND_BY_KEY: u32 = 0x8006_0891;
    /// A record with the same id, or the same link.
    pub(crate) const DUPLICATE: u32 = 0x8004_0237;
    /// A record with the same alternate key.
    pub(crate) const DUPLICATE_KEY: u32 = 0x8006_0892;
    /// The record is not what the caller takes it for.
    pub(crate) const VERSION_MISMATCH: u32 = 0x8006_0882;
    /// Other records depend on it.
    pub(crate) const RESTRICTED: u32 = 0x8004_0227;
    /// A text that is too long.
    pub(crate) const TOO_LONG: u32 = 0x8004_4331;
    /// A number out of its range.
    pub(crate) const OUT_OF_RANGE: u32 = 0x8004_4330;
    /// Not one of the options.
    pub(crate) const NOT_AN_OPTION: u32 = 0x8004_431a;
    /// A value of the wrong type.
    pub(crate) const WRONG_TYPE: u32 = 0x8004_432f;
    /// State and status reason that do not belong together.
    pub(crate) const STATE_STATUS: u32 = 0x8004_8408;
    /// A payment card number where none is stored.
    pub(crate) const CARD_NUMBER: u32 = 0x8005_f110;
    /// Rights that make no sense.
    pub(crate) const INVALID_RIGHTS: u32 = 0x8004_020d;
    /// A stamp or token that is too old to say what changed since.
    pub(crate) const EXPIRED_STAMP: u32 = 0x8004_4352;
    /// The caller may not act for that user.
    pub(crate) const MAY_NOT_ACT: u32 = 0x8006_0308;
    /// FetchXML that cannot be read.
    pub(crate) const INVALID_FETCHXML: u32 = 0x8004_0201;
    /// FetchXML that names a table that there is not.
    pub(crate) const NO_SUCH_TABLE: u32 = 0x8004_1102;
    /// FetchXML that names a column that there is not.
    pub(crate) const NO_SUCH_COLUMN: u32 = 0x8004_1103;
    /// FetchXML that makes no sense otherwise.
    pub(crate) const SENSELESS_FETCHXML: u32 = 0x8004_111a;
    /// Something broke.
    pub(crate) const UNEXPECTED: u32 = 0x8004_0216;
    /// The database refused.
    pub(crate) const DATABASE: u32 = 0x8004_4150;
    /// The database took too long.
    pub(crate) const DATABASE_TIMEOUT: u32 = 0x8004_4151;
    /// The service cannot answer at present.
    pub(crate) const UNAVAILABLE: u32 = 0x8005_f103;
    /// The organisation's storage is used up.
    pub(crate) const STORAGE_FULL: u32 = 0x8005_f104;
    /// Too many requests at the same time.
    pub(crate) const TOO_MANY: u32 = 0x8007_2326;
}

/// Bytes of a message: it repeats parts of the request, and those may be as long as a body.
const MESSAGE_BYTES_MAX: usize = 1_000;

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub status: StatusCode,
    pub code: u32,
    /// For the client. Never empty.
    pub message: String,
    /// Methods that the resource knows, for a wrong one.
    pub allow: Option<String>,
    /// Seconds after which the request may be tried again.
    pub retry_after: Option<u32>,
    /// Whether something was changed is not known.
    pub may_be_done: bool,
    /// What the machinery said, with its causes: for the log, and for nobody else.
    pub cause: Option<String>,
}

impl Failure {
    /// A failure with neither methods nor a time to wait.
    pub(crate) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        let mut message = message.into();
        // It repeats parts of the request.
        if let Some(masked) = custodia_inspection::masked(&message) {
            message = masked;
        }
        if message.len() > MESSAGE_BYTES_MAX {
            let end = (0..=MESSAGE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at));
            message.truncate(end.unwrap_or(0));
            message.push('…');
        }
        Self { status, code, message, allow: None, retry_after: None, may_be_done: false, cause: None }
    }

    /// The service cannot do it now, and may be asked again.
    pub(crate) fn busy(message: &str) -> Self {
        let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, message);
        Self { retry_after: Some(RETRY_SECONDS), ..failure }
    }

    /// The request is malformed or asks for what there is not.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message)
    }

    /// The body cannot be read.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::UNREADABLE_BODY, message)
    }

    /// A preference makes no sense.
    pub(crate) fn preference(message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::INVALID_PREFERENCE, format!("Prefer: {message}"))
    }

    /// The protocol has it, this service does not yet.
    pub(crate) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, code::INVALID_REQUEST, format!("{what} is not supported yet"))
    }

    /// The path names nothing.
    pub(crate) fn no_such_resource(segment: &str) -> Self {
        Self::no_such_resource_but(segment, "")
    }

    /// The path names nothing, and what was perhaps meant as a sentence behind the text.
    pub(crate) fn no_such_resource_but(segment: &str, hint: &str) -> Self {
        let message = format!("Resource not found for the segment '{segment}'.{hint}");
        Self::new(StatusCode::NOT_FOUND, code::NO_SUCH_RESOURCE, message)
    }

    /// An operation called with the wrong method: for the protocol there is no such thing.
    pub(crate) fn no_matching_operation(name: &str, method: &str) -> Self {
        let message =
            format!("No HTTP resource was found that matches the request URI: '{name}' is not called with {method}.");
        Self::new(StatusCode::NOT_FOUND, code::NONE, message)
    }

    /// The resource does not know the method.
    pub(crate) fn method(method: &str, allow: String) -> Self {
        let message = format!("The method {method} is not allowed here; allowed are {allow}.");
        let failure = Self::new(StatusCode::METHOD_NOT_ALLOWED, code::INVALID_REQUEST, message);
        Self { allow: Some(allow), ..failure }
    }

    /// The record changed since the caller read it.
    pub(crate) fn version_mismatch() -> Self {
        Error::VersionMismatch.into()
    }

    /// No such record.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, message)
    }

    /// What is to be made is there.
    pub(crate) fn already_there(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, code::DUPLICATE, message)
    }

    /// A fault of the service itself. What happened goes to the log when the request is answered ([`answer::refused`]); the
    /// client gets its request's id from the headers.
    ///
    /// [`answer::refused`]: crate::answer::refused
    fn internal(status: StatusCode, code: u32, message: &str, error: &dyn std::error::Error) -> Self {
        Self { cause: Some(with_causes(error)), ..Self::new(status, code, message) }
    }
}

/// An error with its causes, for the log; payment card numbers in it are masked.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let chain = custodia_org::with_causes(error);
    custodia_inspection::masked(&chain).unwrap_or(chain)
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let status = match denied {
            Denied::InvalidMask { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        Self::new(status, denied.code(), denied.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let error = match error {
            Error::Part { error, .. } => return (*error).into(),
            other => other,
        };
        let (status, code) = match &error {
            Error::Denied(denied) => return denied.clone().into(),
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, code::NOT_FOUND),
            Error::NotFoundByKey { .. } => (StatusCode::NOT_FOUND, code::NOT_FOUND_BY_KEY),
            Error::VersionMismatch => (StatusCode::PRECONDITION_FAILED, code::VERSION_MISMATCH),
            Error::Duplicate { .. } => (StatusCode::PRECONDITION_FAILED, code::DUPLICATE),
            Error::DuplicateKey { .. } => (StatusCode::PRECONDITION_FAILED, code::DUPLICATE_KEY),
            Error::Restricted { .. } => (StatusCode::METHOD_NOT_ALLOWED, code::RESTRICTED),
            Error::Value { fault, .. } => (StatusCode::BAD_REQUEST, code_of(*fault)),
            Error::TooManyJobs { .. } => (StatusCode::TOO_MANY_REQUESTS, code::TOO_MANY),
            Error::Invalid(_)
            | Error::Part { .. }
            | Error::TooManyChanges { .. }
            | Error::TooManyDependents { .. }
            | Error::CascadeTooLarge { .. } => (StatusCode::BAD_REQUEST, code::INVALID_ARGUMENT),
            Error::Refused { code, .. } => (StatusCode::BAD_REQUEST, *code),
            Error::Store(_) => {
                if let Error::Store(error) = error {
                    return error.into();
                }
                (StatusCode::INTERNAL_SERVER_ERROR, code::UNEXPECTED)
            }
        };
        Self::new(status, code, error.to_string())
    }
}

fn code_of(fault: Fault) -> u32 {
    match fault {
        Fault::Required | Fault::Target => code::INVALID_ARGUMENT,
        Fault::TooLong => code::TOO_LONG,
        Fault::OutOfRange => code::OUT_OF_RANGE,
        Fault::NotAnOption => code::NOT_AN_OPTION,
        Fault::StateStatus => code::STATE_STATUS,
        Fault::Type => code::WRONG_TYPE,
        Fault::CardNumber => code::CARD_NUMBER,
    }
}

/// What a client is told when something broke.
const BROKEN: &str = "The service failed to answer. An operator finds the cause in the log under the request's id.";
/// What a client is told when the database is away.
const AWAY: &str = "The organisation's database is not available at present; try again shortly.";

/// What a client is told when the database was lost during the commit of what it changes.
const MAY_BE_DONE: &str = "The organisation's database was lost while this was stored: it may be done or not. Look before you send \
                           it again.";

/// What a client is told when there is no room for what it sends.
const FULL: &str =
    "The disk of the service is full: nothing can be written until an operator makes room; reading goes on.";

/// Seconds after which a request may be tried again for which there was no room: it takes a person.
const STORAGE_RETRY_SECONDS: u32 = 60;
/// Seconds after which a request that met a passing obstacle may be tried again.
const RETRY_SECONDS: u32 = 1;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let later = |failure: Self| Self { retry_after: Some(RETRY_SECONDS), ..failure };
        let unknown = |failure: Self| Self { may_be_done: true, ..failure };
        match &error {
            StoreError::Denied(denied) => denied.clone().into(),
            StoreError::DuplicateId { id, .. } => Self::already_there(format!("A record with id {id} exists already.")),
            StoreError::DuplicateKey { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, code::DUPLICATE_KEY, error.to_string())
            }
            StoreError::Query(_) | StoreError::TooLargeNumber | StoreError::TooManyDistinct { .. } => {
                Self::invalid(error.to_string())
            }
            StoreError::TooManyRows { .. } => {
                Self::new(StatusCode::BAD_REQUEST, custodia_org::TOO_MANY_AGGREGATED, error.to_string())
            }
            StoreError::Timeout { .. } => {
                let message = "The request took longer than this service allows and was stopped; ask for less.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code::DATABASE_TIMEOUT, message)
            }
            StoreError::Interrupted => {
                later(Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, error.to_string()))
            }
            StoreError::QueueFull { .. } => {
                later(Self::new(StatusCode::TOO_MANY_REQUESTS, code::TOO_MANY, error.to_string()))
            }
            StoreError::Stale => {
                let message = "Rights or tables changed while the request ran; try again.";
                later(Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, message))
            }
            StoreError::OrganizationState { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, error.to_string())
            }
            StoreError::NoOrganization(_) => Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, error.to_string()),
            StoreError::OrganizationName { .. } => {
                Self::new(StatusCode::BAD_REQUEST, code::INVALID_ARGUMENT, error.to_string())
            }
            StoreError::StorageFull { .. } => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, code::STORAGE_FULL, error.to_string())
            }
            StoreError::Unavailable { .. } => {
                later(Self::internal(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, AWAY, &error))
            }
            StoreError::Unknown(_) => {
                unknown(Self::internal(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, MAY_BE_DONE, &error))
            }
            StoreError::DiskFull => {
                let failure = Self::internal(StatusCode::INSUFFICIENT_STORAGE, code::UNAVAILABLE, FULL, &error);
                Self { retry_after: Some(STORAGE_RETRY_SECONDS), ..failure }
            }
            StoreError::TooNew { .. }
            | StoreError::Key(_)
            | StoreError::Backup { .. }
            | StoreError::Destroyed { .. } => {
                Self::internal(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, AWAY, &error)
            }
            StoreError::Corrupt(_) => {
                unknown(Self::internal(StatusCode::INTERNAL_SERVER_ERROR, code::DATABASE, BROKEN, &error))
            }
            StoreError::File { .. } => {
                unknown(Self::internal(StatusCode::INTERNAL_SERVER_ERROR, code::UNEXPECTED, BROKEN, &error))
            }
            StoreError::Missing { .. } => {
                Self::internal(StatusCode::INTERNAL_SERVER_ERROR, code::UNEXPECTED, BROKEN, &error)
            }
        }
    }
}

impl From<ODataError> for Failure {
    fn from(error: ODataError) -> Self {
        let (status, code) = match error {
            ODataError::Invalid { .. } | ODataError::TooMuch { .. } => (StatusCode::BAD_REQUEST, code::INVALID_REQUEST),
            ODataError::UnknownProperty { .. } => (StatusCode::BAD_REQUEST, code::NONE),
            ODataError::UnknownSegment { .. } => (StatusCode::NOT_FOUND, code::NO_SUCH_RESOURCE),
            ODataError::Unsupported { .. } => (StatusCode::NOT_IMPLEMENTED, code::INVALID_REQUEST),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<FetchXmlError> for Failure {
    fn from(error: FetchXmlError) -> Self {
        let (status, code) = match error {
            FetchXmlError::Malformed(_) => (StatusCode::BAD_REQUEST, code::INVALID_FETCHXML),
            FetchXmlError::UnknownTable(_) => (StatusCode::BAD_REQUEST, code::NO_SUCH_TABLE),
            FetchXmlError::UnknownColumn { .. } => (StatusCode::BAD_REQUEST, code::NO_SUCH_COLUMN),
            FetchXmlError::Invalid(_) | FetchXmlError::Operator(_) | FetchXmlError::TooMuch { .. } => {
                (StatusCode::BAD_REQUEST, code::SENSELESS_FETCHXML)
            }
            FetchXmlError::Unsupported(_) => (StatusCode::NOT_IMPLEMENTED, code::INVALID_REQUEST),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<SkipTokenError> for Failure {
    fn from(error: SkipTokenError) -> Self {
        Self::invalid(format!("$skiptoken: {error}"))
    }
}
