//! The standard CRM tables, compiled into the program.

use std::sync::{Arc, OnceLock};

use crate::{Schema, load};

// `FILES`: name and text of each `standard/*.toml`, in order of their names, listed by the build script.
include!(concat!(env!("OUT_DIR"), "/standard_files.rs"));

/// The data files of the standard tables, as name and text: what [`load`] reads.
#[must_use]
pub fn standard_files() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// The standard tables, parsed on the first call and shared by the whole process.
#[must_use]
pub fn standard() -> Arc<Schema> {
    static STANDARD: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(STANDARD.get_or_init(|| Arc::new(parse())))
}

#[expect(
    clippy::panic,
    reason = "the files are part of the program and a test loads them, so a fault in them cannot reach a running server"
)]
fn parse() -> Schema {
    match load(standard_files()) {
        Ok(schema) => schema,
        Err(fault) => panic!("the data files compiled into this program are faulty: {fault}"),
    }
}
