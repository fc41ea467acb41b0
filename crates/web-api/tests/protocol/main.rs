//! The protocol over a real organisation, on both engines: what goes over the wire, case by case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod annotations;
mod applying;
mod auditing;
mod batch;
mod bulk;
mod catalogue;
mod column_security;
mod delta;
mod entrances;
mod expanding;
mod explaining;
mod fetchxml;
mod interface;
mod jobs;
mod lambdas;
mod linking;
mod masking;
mod merging;
mod metadata;
mod nesting;
mod operations;
mod paging;
mod query_functions;
mod querying;
mod reading;
mod refusing;
mod required;
mod rights;
mod selecting;
mod world;
mod writing;
