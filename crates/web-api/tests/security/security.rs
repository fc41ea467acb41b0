//! The worlds' way into an organisation, which is that of the tests of `org`.

#[path = "../../../org/tests/org/security/load.rs"]
#[allow(dead_code, reason = "the tests of `org` use the rest")]
pub mod load;
#[path = "../../../org/tests/org/security/stage.rs"]
#[allow(dead_code, reason = "the tests of `org` use the rest")]
pub mod stage;
