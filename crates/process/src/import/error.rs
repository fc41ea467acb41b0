//! Why an import did not begin, or stopped.

use std::path::PathBuf;

/// A fault in a mapping file. Nothing has been written when it is found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct MappingError {
    /// The mapping file's name as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Why an import did not begin or stopped. What was written until then stays; run it again to go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mapping does not fit the files. Nothing has been written.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A file cannot be read as UTF-8 CSV. Nothing has been written.
    #[error("{file}:{line}: {problem}")]
    Input {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The state file or the error file beside an input cannot be written.
    #[error("{path}: {source}; the import keeps its place there: make the folder writable and run it again")]
    Beside {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The organisation cannot take rows at the moment.
    #[error(
        "{file}: stopped, {rows} rows are done and perhaps some of the next: {source}; run the import again, it goes on from there"
    )]
    Stopped {
        /// The file.
        file: String,
        /// Rows of the file that are done.
        rows: u64,
        /// Why.
        #[source]
        source: Box<custodia_org::Error>,
    },
}
