//! Why an operator cannot be used as it was.

/// Why an operator cannot be used as it was. Its text may be shown to the caller: it repeats nothing but the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// The column's type has no such test.
    #[error("The operator '{operator}' works on {expected}; the column '{column}' of '{table}' is none.")]
    WrongColumn {
        /// Name of the operator.
        operator: &'static str,
        /// Logical name of the column.
        column: String,
        /// Logical name of its table.
        table: String,
        /// What it works on.
        expected: &'static str,
    },
    /// Too few or too many values.
    #[error(
        "The operator '{operator}' on the column '{column}' of '{table}' takes {expected}, and {found} were given."
    )]
    WrongCount {
        /// Name of the operator.
        operator: &'static str,
        /// Logical name of the column.
        column: String,
        /// Logical name of its table.
        table: String,
        /// How many it takes.
        expected: &'static str,
        /// How many there were.
        found: usize,
    },
    /// A value that the operator cannot take.
    #[error(
        "The value '{value}' for the operator '{operator}' on the column '{column}' of '{table}' is not {expected}."
    )]
    WrongValue {
        /// Name of the operator.
        operator: &'static str,
        /// Logical name of the column.
        column: String,
        /// Logical name of its table.
        table: String,
        /// The value, cut if it is long.
        value: String,
        /// What it takes.
        expected: String,
    },
}
