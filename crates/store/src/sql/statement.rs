//! What the writer hands to an engine.

use std::sync::Arc;

use custodia_access::Mask;
use custodia_schema::Value;

/// One statement, ready to be prepared, bound and run.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// The values, in the order of their placeholders (`?1`, `$1` first).
    pub parameters: Vec<Parameter>,
    /// How each output column is decoded, in order. Empty for statements that give no rows.
    pub outputs: Vec<Output>,
    /// For a read with an order: for each entry of `Query::order`, the output column that holds its key. The last row's
    /// values there, followed by its primary id, continue the list ([`custodia_query::Query::after`]).
    pub keys: Vec<usize>,
    /// The outputs that are shown masked, in order, and by which rule. Such an output is null to whoever reads a row by
    /// itself.
    pub masks: Vec<(usize, Arc<Mask>)>,
    /// Which of the values is the primary id of the row asked for, where just one is: the same statement with another id
    /// there asks for another row.
    pub row: Option<usize>,
}

/// A bound value.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// A value of a record.
    Value(Value),
    /// Bytes of the store's own tables.
    Bytes(Vec<u8>),
}

/// How an engine decodes an output column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Yes or no.
    Boolean,
    /// Any integer: 32 and 64 bit, choices, states.
    Integer,
    /// An exact decimal.
    Decimal,
    /// A floating-point number.
    Double,
    /// An amount in ten-thousandths.
    Money,
    /// Text; also the options of a multi-select, as numbers joined by commas.
    Text,
    /// Text of which only what its rule lets through may leave the store.
    Masked,
    /// A GUID, also of a lookup.
    Guid,
    /// Seconds since 1970.
    DateTime,
    /// Days since 1970-01-01.
    Date,
}
