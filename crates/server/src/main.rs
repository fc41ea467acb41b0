//! The `custodia` binary.
fn main() {}
