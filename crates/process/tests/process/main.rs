//! What the business does, against organisations on both engines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod demo;
mod document;
mod export;
mod import;
mod jobs;
mod kill;
mod rights;
mod world;
