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

#[test]
fn every_file_of_the_folder_is_compiled_in() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("standard");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    let listed: Vec<&str> = standard_files().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, listed, "list the files of crates/schema/standard in crates/schema/src/standard.rs, in order");
}

#[test]
fn the_roles_have_no_fault() {
    let (name, text) = standard_files().iter().find(|(name, _)| *name == "roles.toml").unwrap();
    if let Err(fault) = custodia_schema::load_roles(name, text, &custodia_schema::standard()) {
        panic!("{fault}");
    }
}
