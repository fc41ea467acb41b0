//! The rules of the house that a machine can hold.
//!
//! Each module is one subject and gives findings: a place, what is wrong there and what to do instead. Its own tests show
//! on small samples that it finds what it should and leaves alone what it should; the test file `tests/house.rs` asks for
//! no findings in the whole repository. `ARCHITECTURE.md` names these tests beside its invariants.
//!
//! To add a rule: a function from text to findings in the module of its subject, a sample that breaks it and one that does
//! not, and one test in `tests/house.rs`.

pub mod ambient;
pub mod crates;
pub mod dependencies;
pub mod documents;
pub mod finding;
pub mod leftovers;
pub mod modules;
pub mod repository;
pub mod source;
pub mod sql;
pub mod unsafe_code;
