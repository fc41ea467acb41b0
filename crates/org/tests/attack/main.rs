//! What attackers try at the gate: ids that stand for something else in another table, rights given that the giver lacks,
//! ways round the rules, and nodes that know less than others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod activities;
mod collisions;
mod granting;
mod nodes;
#[path = "../gate/world.rs"]
#[expect(dead_code, reason = "the other test binaries use the rest")]
mod world;
