//! The rules of `custodia-access`, case by case, on the standard schema. The comparison with the security oracle (crate
//! `custodia-oracle`) covers their combinations; here stand the corners and what is not in its worlds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod columns;
mod hierarchy;
mod lines;
mod people;
mod permits;
mod rights;
