//! The one statement of SQL that clients ask records with, into the query tree.
//!
//! Columns or aggregates of one table and of tables joined to it, by inner and left joins over two equal columns; conditions of
//! columns against values; distinct rows, groups, an order, a first number of rows. Everything else is refused: nothing is passed
//! over. Tests are those of SQL: what compares a missing value, also by `<>` or `not in`, is not true.
//!
//! Start at [`parse_select`].

mod condition;
mod resolve;
mod statement;

pub use resolve::{SelectQuestion, depends_on_asker, parse_select};
