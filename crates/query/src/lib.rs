//! What may be asked: one query tree and the languages into it.
//!
//! [`Query`] is engine-neutral and resolved: it names tables and columns by number, its literals carry the type of the
//! column they are compared with, and its negations are exact complements (a test on null is false, so `ne` and
//! `not` include nulls, as in Dataverse). This crate knows nothing of engines, HTTP or users; it writes no SQL.
//!
//! Start at [`Query`]; [`odata`] parses OData's query options into it, [`fetchxml`] FetchXML and [`sql_select`] one
//! selection in SQL. What the languages share is in [`operator`].

pub mod fetchxml;
pub mod instant;
mod like;
pub mod odata;
pub mod operator;
mod row_key;
pub mod sql_select;
mod tree;
mod withheld;
mod words;

pub use like::{LikePattern, LikeToken};
pub use row_key::RowKey;
pub use tree::{
    Aggregation, Comparison, DatePart, Direction, Exists, Expand, Field, Filter, Fiscal, FiscalPeriods, Group, GroupBy,
    Link, LinkKind, Measure, Order, OrderBy, Path, Query, Related, SeekKey, Step, Zone,
};
pub use withheld::{Withheld, language_parts};
pub use words::{Phrase, Unsayable, Words};
