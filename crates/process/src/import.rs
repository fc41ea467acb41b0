//! Rows of CSV files become records, as a mapping file says.
//!
//! The mapping language is described in `docs/import.md`. Start at [`Import`]: [`Import::load`] reads a mapping file and checks
//! it against the schema, [`Import::run`] brings files in.
//!
//! An import may be run again at any time: each row names its record by an external key, so that a row is never brought in
//! twice. It may be killed at any moment: it goes on where it was, with counts that are exact.
//!
//! Memory is bounded: files are read in batches of rows, a row has a greatest size, and what was looked up is forgotten
//! when it grows too much.

mod batch;
pub(crate) mod columns;
pub(crate) mod convert;
mod csv_file;
mod date_pattern;
mod document;
mod error;
mod journal;
mod lookup;
mod mapping;
mod number;
mod quotation;
mod rejects;
mod report;
mod rows;
mod run;
mod source;
mod text;

pub use error::{Error, MappingError};
pub use mapping::Import;
pub use report::{Advance, Counts, FileReport, Progress, Reject, Report, Resumed};
pub use run::Options;
pub use source::Source;
