//! Why a definition is refused.

/// Why a form, view or site map is refused. Its text may be shown to whoever wrote the definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// It is no XML, or says something that makes no sense.
    #[error("line {line}, column {column}: {problem}")]
    Wrong {
        /// Line of the text, from 1.
        line: u32,
        /// Character of the line, from 1.
        column: u32,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// More than is taken.
    #[error("it is larger than this service takes ({limit} is {max})")]
    TooMuch {
        /// The name of the limit, a field of [`crate::Limits`].
        limit: &'static str,
        /// Its value.
        max: u64,
    },
}
