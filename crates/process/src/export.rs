//! Records become rows of a CSV file that a spreadsheet opens and an import brings back.
//!
//! What a file looks like is described in `docs/export.md`. Start at [`Export`]: [`Export::of`] says what of which table is
//! wanted, [`Export::run`] writes it, [`Export::mapping`] is the mapping file for the way back.
//!
//! Records are read through the gate in pages, each continuing behind the last record of the one before, so that memory does
//! not grow with their number.

mod cell;
mod column;
mod error;
mod guard;
mod mapping;
mod page;
mod plan;
mod run;

pub use error::Error;
pub(crate) use guard::unguarded;
pub use plan::{Export, Style};
pub use run::{Destination, Exported};
