//! What attackers try at the gate: ids that stand for something else in another table, rights given that the giver lacks,
//! ways round the rules, and nodes that know less than others.

mod activities;
mod collisions;
mod granting;
mod nodes;
