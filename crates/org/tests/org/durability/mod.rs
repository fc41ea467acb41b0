//! What was acknowledged is there after every kind of crash, what was refused is not, and the logs tell the same story.
//!
//! Each crash strikes while several clients write through the gate. Beside each test that must find nothing lost stands
//! one with the flushing taken away, which must find that something is.

mod faults;
mod journal;
mod kill;
mod postgres;
mod power;
mod replay;
mod site;
mod writers;

use std::ops::Range;

/// Kills of one installation: after each of them everything that was ever written to it is compared.
const KILLS_OF_ONE: u64 = 50;

/// The rounds of a campaign, in parts that begin with a new installation each.
fn parts(kills: u64) -> impl Iterator<Item = Range<u64>> {
    (0..kills.div_ceil(KILLS_OF_ONE)).map(move |part| part * KILLS_OF_ONE..kills.min((part + 1) * KILLS_OF_ONE))
}
