//! The standard tables as a whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use custodia_schema::load;
use custodia_schema::standard_files;

#[test]
fn the_data_files_have_no_fault() {
    if let Err(fault) = load(standard_files()) {
        panic!("{fault}");
    }
}
