//! Runs the target of crates/fuzz-targets that `CUSTODIA_FUZZ_TARGET` names under libFuzzer.
//!
//! One program for all targets, since each would link the whole service: `scripts/fuzz` starts it.
#![no_main]

use std::sync::LazyLock;

use custodia_fuzz_targets::{TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("CUSTODIA_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("CUSTODIA_FUZZ_TARGET is '{name}', expected one of {TARGETS:?}"))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
