//! The tests that FetchXML writes as operators and OData as query functions: one table of their names, one meaning.
//!
//! Start at [`Operator`] for what there is and at [`test`] for what it says about a column.

mod asker;
mod calendar;
mod clock;
mod error;
mod kind;
mod names;
mod period;
mod test;
mod value;

pub use asker::Asker;
pub use calendar::month_and_day;
pub use error::OperatorError;
pub use kind::{Operator, Take, Unit};
pub use test::{Subject, test};
pub(crate) use test::{compare_fit, tree_parent};

#[cfg(test)]
mod tests;
