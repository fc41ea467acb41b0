//! Every parser stands in the list, is there, and is tried by a target or says why not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use custodia_fuzz_targets::{Fuzzed, PARSERS, Sender, TARGETS};
use custodia_house::repository::{File, files};
use custodia_house::source::Source;

/// The crates that read what comes from outside, or what was stored.
const CRATES: &[&str] =
    &["access", "identity", "inspection", "interface", "org", "process", "query", "server", "store", "web-api"];

/// What parsers are called, or begin with.
const NAMES: &[&str] = &["parse", "decode", "read", "from_stored", "verify_token", "verify_export", "unseal"];

/// What they are given.
const TEXTS: &[&str] = &["str", "[u8]", "Bytes"];

/// Public functions that are called like parsers and are given texts, and are none.
const NONE: &[(&str, &str)] = &[
    ("crates/access/src/authority.rs: reads_column", "a question"),
    ("crates/process/src/import/lookup.rs: read", "a query"),
    ("crates/server/src/http/bodies.rs: read", "the bytes of a body, which others parse"),
    ("crates/store/src/sql/internal.rs: read", "the text of a statement"),
];

/// The public functions of a file that are called like parsers and given a text or bytes.
fn found(file: &File) -> Vec<String> {
    let source = Source::parse(file);
    let mut names = Vec::new();
    for at in source.find_in_code("fn") {
        let line_begin = source.code[..at].rfind('\n').map_or(0, |end| end + 1);
        if !source.code[line_begin..at].trim_start().starts_with("pub") || source.is_test(at) {
            continue;
        }
        let rest = source.code[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let called = NAMES
            .iter()
            .any(|begin| name.strip_prefix(begin).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')));
        let end = rest.find(['{', ';']).unwrap_or(rest.len());
        let parameters = rest[..end].split("->").next().unwrap();
        let given = parameters.split(',').any(|parameter| {
            let kind = parameter.split_once(':').map_or("", |(_, kind)| kind).trim().trim_end_matches(')');
            let kind = kind.strip_prefix('&').unwrap_or("").trim_start();
            let kind = if kind.starts_with('\'') { kind.split_once(' ').map_or("", |(_, kind)| kind) } else { kind };
            TEXTS.contains(&kind.trim())
        });
        if called && given {
            names.push(format!("{}: {name}", file.path));
        }
    }
    names
}

#[test]
fn every_parser_stands_in_the_list() {
    let files = files();
    let of_program = files.iter().filter(|file| {
        let is_source = file.extension() == "rs" && file.path.contains("/src/");
        is_source && file.crate_name().is_some_and(|name| CRATES.contains(&name))
    });
    let found: BTreeSet<String> = of_program.flat_map(found).collect();
    assert!(found.len() > 30, "parsers are found by their names: {found:?}");
    let listed = |function: &str| PARSERS.iter().any(|parser| parser.function == function);
    let excepted = |function: &str| NONE.iter().any(|(known, _)| *known == function);
    let missing: Vec<&String> = found.iter().filter(|name| !listed(name) && !excepted(name)).collect();
    assert!(
        missing.is_empty(),
        "say in crates/fuzz-targets/src/parser.rs who sends it and what tries it: {missing:#?}"
    );
}

#[test]
fn every_parser_that_is_listed_is_there_once() {
    let files = files();
    for parser in PARSERS {
        let (path, name) = parser.function.split_once(": ").unwrap();
        let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("there is no {path}"));
        let is_there = ["(", "<"].iter().any(|after| file.text.contains(&format!("fn {name}{after}")));
        assert!(is_there, "{}", parser.function);
        let times = PARSERS.iter().filter(|other| other.function == parser.function).count();
        assert_eq!(times, 1, "{}", parser.function);
    }
}

#[test]
fn every_parser_has_a_target_and_every_target_a_parser() {
    for parser in PARSERS {
        match parser.fuzzed {
            Fuzzed::By(name) => {
                assert!(TARGETS.iter().any(|target| target.name == name), "{}: no target {name}", parser.function);
            }
            Fuzzed::Not(why) => {
                assert!(parser.of > Sender::User, "{} reads what strangers and users send", parser.function);
                assert!(!why.is_empty());
            }
        }
        assert!(parser.of > Sender::User || !parser.bounds.is_empty(), "{} has no bound", parser.function);
    }
    for target in TARGETS {
        let tries = PARSERS.iter().any(|parser| parser.fuzzed == Fuzzed::By(target.name));
        assert!(tries, "{} tries no parser that is listed", target.name);
    }
}
