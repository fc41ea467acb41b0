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
