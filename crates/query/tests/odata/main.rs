//! The languages of the protocol, from text to tree: one file for each part of a request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod apply;
mod expand;
mod filter;
mod function;
mod lambda;
mod options;
mod print;
mod rendering;
mod resource;
mod skip_token;
mod sql_select;
mod world;
