//! Two nodes on one PostgreSQL behind a balancer: what one was told governs the other, and clients meet nothing worse than
//! that they have to ask again when a node is killed, hangs, ends or starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test of the whole service measures how long nodes take to learn of a change"
)]

mod balancer;
mod clients;
mod failures;
mod freshness;
#[path = "../service/http.rs"]
#[allow(dead_code, reason = "the tests of the service use the rest")]
mod http;
mod joining;
mod pair;
#[path = "../service/site.rs"]
#[allow(dead_code, unused_macros, unused_imports, reason = "the tests of the service use the rest")]
mod site;
mod writer;
