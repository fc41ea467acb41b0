//! Who may do what, over both engines: everything the gate and its statements decide in thousands of generated worlds,
//! against the security oracle; rights that change, and the cases of docs/security-model.md.

mod across_units;
mod agreement;
mod attempts;
mod audited;
mod beside;
mod cases;
mod duties;
mod explained;
mod fault;
mod forms;
mod freshness;
mod hierarchy;
mod inheritance;
mod lint;
mod load;
mod lock_out;
mod masks;
mod reader;
mod reads;
mod record_teams;
mod scene;
mod stage;
