//! The whole of `org` over both engines: what the gate does, who may do what, what attackers try, and what crashes leave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod attack;
mod durability;
mod gate;
mod security;
mod world;
