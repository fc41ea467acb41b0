//! The store from outside: backup and restore, replay, opening older and newer databases, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod backup;
mod fixture;
mod many;
mod order;
mod replay;
mod restore;
mod site;
