//! Who may do what, over both engines: everything the gate and its statements decide in thousands of generated worlds,
//! against the security oracle; rights that change, and the cases of docs/security-model.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod agreement;
mod attempts;
mod cases;
mod fault;
mod freshness;
mod inheritance;
mod load;
mod reader;
mod reads;
mod scene;
mod stage;
#[path = "../gate/world.rs"]
#[expect(dead_code, reason = "the other test binary uses the rest")]
mod world;
