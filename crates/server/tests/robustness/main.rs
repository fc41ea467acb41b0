//! Hostile clients, floods and faults of the machine against the real program. What clients see, that others are answered
//! meanwhile, that memory stays bounded, and that all is well afterwards; `docs/operations/limits.md` has the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bodies;
mod clocks;
mod databases;
mod disks;
mod floods;
mod frames;
#[path = "../service/http.rs"]
#[allow(dead_code, reason = "the tests of the service use the rest")]
mod http;
mod http2;
mod process;
mod reads;
mod signals;
#[path = "../service/site.rs"]
#[allow(dead_code, unused_macros, unused_imports, reason = "the tests of the service use the rest")]
mod site;
mod slow;
mod strangers;
mod writes;
