//! The repository as it is, held against every rule of the house.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use custodia_house::finding::{Finding, assert_none};
use custodia_house::repository::{File, files, root};
use custodia_house::source::Source;
use custodia_house::{ambient, crates, dependencies, documents, leftovers, modules, sql, unsafe_code};

/// The Rust files of the crates, cut, with the name of their crate.
fn sources() -> Vec<(String, Source)> {
    let rust = files().into_iter().filter(|file| file.extension() == "rs");
    rust.filter_map(|file| Some((file.crate_name()?.to_owned(), Source::parse(&file)))).collect()
}

fn file(path: &str) -> File {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    File { path: path.to_owned(), text }
}

#[test]
fn crates_stand_on_each_other_in_one_direction() {
    let manifests =
        files().into_iter().filter(|file| file.crate_name().is_some() && file.path.ends_with("/Cargo.toml"));
    let findings: Vec<Finding> = manifests.flat_map(|manifest| crates::findings(&manifest)).collect();
    assert_none(&findings);
}

#[test]
fn only_store_contains_sql() {
    let findings: Vec<Finding> = sources().iter().flat_map(|(name, source)| sql::findings(name, source)).collect();
    assert_none(&findings);
}

#[test]
fn only_server_reads_clock_environment_and_randomness() {
    let findings: Vec<Finding> = sources().iter().flat_map(|(name, source)| ambient::findings(name, source)).collect();
    assert_none(&findings);
}

#[test]
fn unsafe_stands_in_sqlite_only() {
    let findings: Vec<Finding> =
        sources().iter().flat_map(|(name, source)| unsafe_code::findings(name, source)).collect();
    assert_none(&findings);
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let rust = files().into_iter().filter(|file| file.extension() == "rs" && file.crate_name().is_some());
    let findings: Vec<Finding> = rust.filter_map(|file| modules::without_purpose(&file)).collect();
    assert_none(&findings);
}

#[test]
fn every_source_file_is_compiled() {
    let mut by_crate: BTreeMap<String, Vec<Source>> = BTreeMap::new();
    for (name, source) in sources() {
        by_crate.entry(name).or_default().push(source);
    }
    let findings: Vec<Finding> = by_crate.values().flat_map(|sources| modules::never_compiled(sources)).collect();
    assert_none(&findings);
}

#[test]
fn nothing_is_left_unfinished() {
    let findings: Vec<Finding> = sources().iter().flat_map(|(_, source)| leftovers::unfinished(source)).collect();
    assert_none(&findings);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let findings: Vec<Finding> = files().iter().flat_map(leftovers::machine_paths).collect();
    assert_none(&findings);
}

#[test]
fn every_path_a_document_names_exists() {
    let root = root();
    let exists = |path: &str| root.join(path).exists();
    let written = files().into_iter().filter(|file| file.extension() == "md");
    let findings: Vec<Finding> = written.flat_map(|document| documents::missing_paths(&document, &exists)).collect();
    assert_none(&findings);
}

#[test]
fn every_document_a_comment_names_is_in_the_repository() {
    let root = root();
    let exists = |path: &str| root.join(path).exists();
    let findings: Vec<Finding> =
        sources().iter().flat_map(|(_, source)| documents::strange_documents(source, &exists)).collect();
    assert_none(&findings);
}

/// Every test as `crate::test`.
fn tests() -> BTreeSet<String> {
    let sources = sources();
    let of = |name: &str, source: &Source| -> Vec<String> {
        documents::test_names(&source.code).into_iter().map(|test| format!("{name}::{test}")).collect()
    };
    sources.iter().flat_map(|(name, source)| of(name, source)).collect()
}

#[test]
fn every_threat_is_held_by_a_test_that_exists() {
    let security = file("SECURITY.md");
    assert!(security.text.contains("| held by |"), "the threats are found by their tables");
    assert_none(&documents::unheld_threats(&security, &tests()));
}

#[test]
fn every_invariant_is_held_by_a_test_that_exists() {
    let architecture = file("ARCHITECTURE.md");
    assert!(architecture.text.contains("| I1 |"), "the invariants are found by their table");
    assert_none(&documents::unheld_invariants(&architecture, &tests()));
}

#[test]
fn no_banned_library_is_built() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--target",
            "all",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--offline",
            "--locked",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let built = String::from_utf8(tree.stdout).unwrap();
    assert!(built.contains("rusqlite "), "the list of what is built is a real one");
    assert_none(&dependencies::banned(&file("deny.toml"), &built));
}

#[test]
fn libraries_come_from_the_public_registry_and_lock_files_name_no_other() {
    let files = files();
    let locks = |name: &'static str| files.iter().filter(move |file| file.path.rsplit('/').next() == Some(name));
    let cargo = locks("Cargo.lock").flat_map(dependencies::foreign_sources);
    let npm = locks("package-lock.json").flat_map(dependencies::named_hosts);
    assert_none(&cargo.chain(npm).collect::<Vec<_>>());
}
