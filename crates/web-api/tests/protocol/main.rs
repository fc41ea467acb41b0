//! The protocol over a real organisation, on both engines: what goes over the wire, case by case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod annotations;
mod batch;
mod bulk;
mod linking;
mod merging;
mod metadata;
mod nesting;
mod operations;
mod paging;
mod querying;
mod reading;
mod refusing;
mod world;
mod writing;
