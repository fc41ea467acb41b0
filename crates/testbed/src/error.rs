//! What can go wrong with a test cluster.

use std::path::PathBuf;

/// Why a test cluster could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No PostgreSQL server programs on this machine: install them, or run without PostgreSQL.
    #[error(
        "the PostgreSQL server programs (initdb, pg_ctl, postgres) were not found: install them (Debian: apt-get install \
         postgresql) or name their folder in CUSTODIA_TEST_POSTGRES_BIN"
    )]
    NotInstalled,
    /// The programs are there, but the cluster did not start. `log` is the end of what the server wrote.
    #[error("the PostgreSQL cluster in {} did not start:\n{log}", .folder.display())]
    DidNotStart {
        /// The cluster's folder.
        folder: PathBuf,
        /// The end of the server's log.
        log: String,
    },
    /// The cluster is not in the state that the call needs, for example copied while it runs.
    #[error("the cluster is {is}; {wanted}")]
    WrongState {
        /// What the cluster is doing.
        is: &'static str,
        /// What the caller has to do first.
        wanted: &'static str,
    },
    /// A position in the write-ahead log that is not written `XXXXXXXX/XXXXXXXX`.
    #[error("{position:?} is no position in a write-ahead log; it looks like 0/16B3740")]
    NotAPosition {
        /// What was given.
        position: String,
    },
    /// The operating system refused.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// What the system answered.
        source: std::io::Error,
    },
}

/// Names what was being done when the system refused.
pub(crate) trait Doing<T> {
    /// Turns a system error into ours.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<std::io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::System { doing: what(), source: source.into() })
    }
}
