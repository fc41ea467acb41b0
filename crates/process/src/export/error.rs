//! Why an export was not done.

/// Why an export was not done. What was handed over until then is a part only, and of no use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such table, or nothing of it can be exported.
    #[error("{0}")]
    Table(String),
    /// A column that there is not, or that nobody may read.
    #[error("{0}")]
    Column(String),
    /// The filter is no query of this table's rows.
    #[error("the filter: {0}")]
    Filter(String),
    /// The caller may not read the table, or the organisation does not answer.
    #[error("stopped after {rows} rows: {source}")]
    Gate {
        /// Rows read until then.
        rows: u64,
        /// Why.
        #[source]
        source: Box<custodia_org::Error>,
    },
    /// What was read cannot be written to where it shall go.
    #[error("stopped after {rows} rows: {source}")]
    Destination {
        /// Rows handed over until then.
        rows: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
