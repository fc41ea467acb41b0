//! The forms, views and navigation of the standard tables, compiled into the program and read when somebody asks.

use std::sync::OnceLock;

use crate::describe::{Described, describe};

/// Name and text of each file.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../standard/", $name)))),*]
    };
}

/// The data files, as name and text: what [`describe`] reads.
#[must_use]
pub fn standard_files() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// What they come to; read on the first call and shared by the whole process.
#[must_use]
pub fn standard() -> &'static Described {
    static STANDARD: OnceLock<Described> = OnceLock::new();
    STANDARD.get_or_init(read)
}

#[expect(
    clippy::panic,
    reason = "the files are part of the program and a test reads them, so a fault in them cannot reach a running server"
)]
fn read() -> Described {
    match describe(&custodia_schema::standard(), FILES) {
        Ok(described) => described,
        Err(fault) => panic!("the data files compiled into this program are faulty: {fault}"),
    }
}

/// Every file of the folder `standard`; a test compares the two.
static FILES: &[(&str, &str)] = files![
    "customers.ui",
    "sales.ui",
    "catalogue.ui",
    "service.ui",
    "marketing.ui",
    "activities.ui",
    "people.ui",
    "settings.ui",
    "navigation.ui",
];
