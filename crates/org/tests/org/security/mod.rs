//! Who may do what, over both engines: everything the gate and its statements decide in thousands of generated worlds,
//! against the security oracle; rights that change, and the cases of docs/security-model.md.

mod agreement;
mod attempts;
mod beside;
mod cases;
mod fault;
mod freshness;
mod inheritance;
mod load;
mod reader;
mod reads;
mod scene;
mod stage;
