//! The one writer of SQL text, in two dialects.
//!
//! Everything here turns a question or a change that names tables and columns by number into one [`Statement`]: text,
//! the values bound to it, and how each output column is decoded. It does no I/O and keeps nothing. Values are always
//! bound, identifiers always quoted (in [`Dialect`]'s one function); what is written into text are whole numbers alone:
//! limits, tables' own numbers, the order of options, and the hours of time zones.
//!
//! The same shape of question gives the same text, so that an engine finds its prepared statement by the text.
//!
//! Where to start: [`select()`] for reading under a [`ReadPolicy`], [`fetch()`] for the row that a write is about to change,
//! [`insert()`] and its siblings for writing, [`create_table()`] for what the tables look like.

mod access;
mod aggregate;
pub(crate) mod audit_filing;
pub(crate) mod audit_log;
pub(crate) mod audit_view;
mod combined;
pub(crate) mod content;
mod context;
pub(crate) mod control;
mod count;
mod define;
mod dialect;
mod estimate;
mod exists;
pub(crate) mod facts;
mod fetch;
mod filter;
mod hierarchy;
mod index;
pub(crate) mod internal;
mod join;
mod layout;
mod like;
mod links;
mod names;
mod needed;
mod order;
mod outputs;
mod period;
pub(crate) mod physical_indexes;
mod related;
mod sample;
mod seek;
mod select;
pub(crate) mod shared_columns;
mod statement;
pub(crate) mod storage;
#[cfg(test)]
mod tests;
mod walk;
mod write;
mod writer;

pub(crate) use access::{SHARED_TABLE, SHARES};
pub use aggregate::aggregate;
pub use audit_view::{audit_id, audit_number};
pub use custodia_query::RowKey;

pub use context::{CompileError, Context, Plan, ReadPolicy, Tables};
pub use count::count;
pub(crate) use count::plan_of_all;
pub(crate) use define::{create_own_index, create_own_indexes, drop_own_index, named_indexes, own_index_columns};
pub use define::{create_table, is_primary_constraint, key_of_constraint};
pub use dialect::Dialect;
pub use estimate::estimate;
pub use fetch::{fetch, reach, stored_values};
pub use needed::{tables_needed, tables_of_access, tables_of_aggregation};
pub(crate) use sample::sample;
pub use select::select;
pub use statement::{Output, Parameter, Statement};
pub use write::{delete, insert, update};
