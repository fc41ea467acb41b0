//! What can go wrong with a database file, by what the caller can do about it.

use std::path::PathBuf;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite was not compiled as the service needs: the build is wrong, no file is.
    #[error("SQLite was compiled wrongly: {found}; build with the [env] settings of .cargo/config.toml")]
    Build {
        /// The first setting found to be different, in words.
        found: String,
    },
    /// The file holds no database that this key opens.
    ///
    /// Encrypted pages carry no mark of their key, so a wrong key and a damaged first page look the same.
    #[error("{path} does not open with this key: the key is another file's, or the first page is damaged")]
    WrongKey {
        /// The database file.
        path: PathBuf,
    },
    /// The file was opened without a key and is not a plain database.
    #[error("{path} is not an unencrypted database: it needs a key, or is no database at all")]
    NotPlain {
        /// The database file.
        path: PathBuf,
    },
    /// There is no file to open.
    #[error("{path} does not exist")]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// The file is shorter than the first page of a database.
    #[error("{path} is empty or was cut off: put the file back, and leave the log beside it (-wal) as it is")]
    CutShort {
        /// The database file.
        path: PathBuf,
    },
    /// There is a file already where one was to be created.
    #[error("{path} exists already: a new database never overwrites a file")]
    Exists {
        /// The database file.
        path: PathBuf,
    },
    /// A source could not be copied because another connection holds a lock on it for longer than the busy timeout.
    #[error("copying to {path} was blocked by a lock on the source or the target: try again")]
    CopyBlocked {
        /// The file that was to be written.
        path: PathBuf,
    },
    /// The changes of a connection were asked for that nobody watches.
    #[error("the connection is not watched: start a session before the first change")]
    NotWatched,
    /// A table that is watched for changes has no declared primary key, so its changes are not captured.
    #[error("table {table} has no declared primary key: a session does not capture its changes")]
    NoPrimaryKey {
        /// The table.
        table: String,
    },
    /// SQLite refused.
    #[error("{doing} failed: {source}")]
    Engine {
        /// What was being done, for a reader of the log.
        doing: &'static str,
        /// SQLite's own error.
        source: rusqlite::Error,
    },
}

impl Error {
    /// Wraps SQLite's error with the operation it stopped; for `map_err`.
    pub(crate) fn engine(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Engine { doing, source }
    }
}
