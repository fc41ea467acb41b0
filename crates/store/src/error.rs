//! What can go wrong between a request and its rows.

use std::sync::Arc;

use custodia_access::Denied;
use custodia_schema::{Guid, TableId};

/// Why the store did not do what it was asked. Nothing was changed in any of these cases but [`Error::Unknown`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller lacks a privilege that the statement needs.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The rights or the metadata that the statement was compiled with are no longer the present ones: load them
    /// again and ask again.
    #[error("rights or metadata changed meanwhile")]
    Stale,
    /// A row with this primary id exists.
    #[error("a record with id {id} exists already in table {table}")]
    DuplicateId {
        /// The table.
        table: TableId,
        /// The id.
        id: Guid,
    },
    /// A row with these values of an alternate key (or of an N:N link) exists.
    #[error("a record with the same values of a unique key exists already ({constraint})")]
    DuplicateKey {
        /// The columns of the key, such as `account.accountnumber`; or the index that refused, as the engine names it.
        constraint: String,
    },
    /// The statement, or those of a write together, ran longer than their limit.
    #[error(
        "the database took longer than {limit_ms} ms and was stopped; ask for less, or raise limits.statement_ms, for writes \
         limits.write_ms"
    )]
    Timeout {
        /// The limit that was hit.
        limit_ms: u64,
    },
    /// The read was interrupted, so that the log of changes beside the file could be emptied.
    #[error("reading was interrupted again and again to empty a long log of changes; ask again shortly, or for less")]
    Interrupted,
    /// More write requests wait than the queue takes.
    #[error("more than {limit} writes are waiting for this organisation; try again shortly")]
    QueueFull {
        /// The limit that was hit.
        limit: usize,
    },
    /// The database cannot be reached or refused to work; the request may be tried again.
    #[error("the database is not available: {context}{}", because(.source))]
    Unavailable {
        /// What was being done.
        context: String,
        /// What the engine said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The database was lost during the commit of a write, or the write's end was never told: it may be done or not.
    #[error("whether it was written is not known: {0}")]
    Unknown(String),
    /// No room left on the disk.
    #[error("the disk is full; free space, the request can then be repeated")]
    DiskFull,
    /// The organisation's database has reached the size it may have.
    #[error("the organisation's storage of {limit} bytes is used up; delete records, or have the limit raised")]
    StorageFull {
        /// The limit that was hit, in bytes.
        limit: u64,
    },

    /// What was read does not make sense. Needs a person.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The database was written by a program newer than this one can work with.
    #[error(
        "this database needs storage format {needed} or newer (this program writes {present}); upgrade the program"
    )]
    TooNew {
        /// Storage format of the oldest program that may do so.
        needed: u32,
        /// This program's storage format.
        present: u32,
    },
    /// The wrong key, or no key.
    #[error("the database cannot be decrypted: {0}")]
    Key(String),
    /// A file that no organisation can be restored from.
    #[error("{path} cannot be restored: {why}")]
    Backup {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// A backup of an organisation that was deleted, and is to stay so.
    #[error("the backup is of organisation '{name}', which was deleted here: what was deleted is not brought back")]
    Destroyed {
        /// The name it had.
        name: String,
    },
    /// No such organisation.
    #[error("there is no organisation '{0}'")]
    NoOrganization(String),
    /// The organisation's state does not allow it.
    #[error("organisation '{name}' is {state}")]
    OrganizationState {
        /// Its name.
        name: String,
        /// `suspended` or `deleting`.
        state: String,
    },
    /// An organisation of that name exists, or the name is reserved or malformed.
    #[error("'{name}' cannot be the name of an organisation: {why}")]
    OrganizationName {
        /// The name asked for.
        name: String,
        /// Why not.
        why: String,
    },
    /// The question cannot be put to the database as it is.
    #[error("{0}")]
    Query(String),
    /// A sum is larger than its type holds.
    #[error("a number of the answer is larger than its type holds; sum over fewer records")]
    TooLargeNumber,
    /// More rows match than may be aggregated.
    #[error("more than {limit} records match, and no more are aggregated at once; add conditions that leave fewer")]
    TooManyRows {
        /// The limit that was hit.
        limit: u32,
    },
    /// More rows would have to be told apart than is done at once.
    #[error(
        "more than {limit} records match, and no more of so many columns are told apart at once; add conditions that leave \
         fewer, or ask for fewer columns"
    )]
    TooManyDistinct {
        /// The limit that was hit: rows of as many columns as were asked for.
        limit: u32,
    },
    /// A row that a write addressed is not there.
    #[error("no record {id} in table {table}")]
    Missing {
        /// The table.
        table: TableId,
        /// The id.
        id: Guid,
    },
    /// A file of the data folder cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The causes of an error behind a colon.
#[expect(clippy::ref_option, reason = "it is how a field is handed over")]
fn because(source: &Option<Box<dyn std::error::Error + Send + Sync>>) -> String {
    source.as_deref().map_or_else(String::new, |source| format!(": {}", with_causes(source)))
}

/// An error with its causes, each said once: some are repeated by the error above them.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An engine's refusal while doing `context`.
    pub(crate) fn unavailable(context: &str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable { context: context.to_owned(), source: Some(Box::new(source)) }
    }

    /// What several waited for has failed: the same for each of them.
    pub(crate) fn shared(this: &Arc<Self>) -> Self {
        let Self::Unavailable { context, source } = this.as_ref() else {
            return Self::Unavailable { context: this.to_string(), source: None };
        };
        let source = source.as_ref().map(|_| Box::new(Shared(Arc::clone(this))) as _);
        Self::Unavailable { context: context.clone(), source }
    }

    /// What the engine said.
    pub(crate) fn said(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        let Self::Unavailable { source: Some(source), .. } = self else { return None };
        match source.downcast_ref::<Shared>() {
            Some(Shared(error)) => error.said(),
            None => Some(source.as_ref()),
        }
    }
}

/// The cause of an error that several were told of.
#[derive(Debug)]
struct Shared(Arc<Error>);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.said().map_or(Ok(()), |said| std::fmt::Display::fmt(said, f))
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.said().and_then(std::error::Error::source)
    }
}
