//! Every input that was kept, and each with a few things changed, through the targets: what fuzzing has found once is met by
//! every run of the tests, on any toolchain.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use custodia_fuzz_targets::{TARGETS, Target};

/// Changed inputs of each target, times the effort. Spread over its corpus.
const CHANGED: usize = 150;

/// Fewest inputs that a target has: less would say that its corpus was lost.
const KEPT_MIN: usize = 5;

/// Bytes of all kept inputs together.
const KEPT_BYTES_MAX: usize = 2_000_000;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files of a folder with their names, in order; none where there is no folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

/// What was kept for a target: its corpus, and the inputs that broke something once.
fn kept(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folders = ["corpus", "regressions"];
    let of = |folder: &str| {
        let path = format!("{folder}/{}", target.name);
        files(&fuzz_folder().join(&path)).into_iter().map(move |(name, bytes)| (format!("{path}/{name}"), bytes))
    };
    folders.into_iter().flat_map(of).collect()
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

/// The input with one to three things done to it; `other` is one that a stretch may come from.
fn changed(input: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + numbers.below(24)).min(bytes.len());
        match numbers.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let stretch = bytes[at..end].to_vec();
                bytes.splice(at..at, stretch);
            }
            3 => {
                let from = numbers.below(other.len() + 1);
                let to = (from + numbers.below(40)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            4 => bytes.insert(at, b"()'\"<>/&;,=:*@$%[]{}-+.# \t\r\n0aZ\xff\x00"[numbers.below(33)]),
            5 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            6 if at < end => bytes[at..end].reverse(),
            _ if !bytes.is_empty() => {
                let (one, other) = (numbers.below(bytes.len()), numbers.below(bytes.len()));
                bytes.swap(one, other);
            }
            _ => {}
        }
    }
    bytes
}

/// Runs an input; says which it was when it breaks something.
fn run(target: &Target, name: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        panic!(
            "{name} breaks the target {}; keep the input as fuzz/regressions/{}/NAME:\n{}",
            target.name,
            target.name,
            input.escape_ascii()
        );
    }
}

#[test]
fn every_kept_input_and_its_like_breaks_nothing() {
    let effort = custodia_testbed::effort() as usize;
    for target in TARGETS {
        let kept = kept(target);
        assert!(kept.len() >= KEPT_MIN, "{} has only {} inputs", target.name, kept.len());
        for (name, input) in &kept {
            run(target, name, input);
        }
        let mut numbers = Numbers(effort as u64);
        for round in 0..CHANGED * effort {
            let (name, input) = &kept[round % kept.len()];
            let (_, other) = &kept[numbers.below(kept.len())];
            run(target, &format!("{name}, changed,"), &changed(input, other, &mut numbers));
        }
    }
    custodia_fuzz_targets::clean_up();
}

#[test]
fn every_corpus_belongs_to_a_target() {
    for folder in ["corpus", "regressions"] {
        for entry in std::fs::read_dir(fuzz_folder().join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(TARGETS.iter().any(|target| target.name == name), "{folder}/{name} belongs to no target");
        }
    }
}

#[test]
fn what_is_kept_stays_small() {
    let bytes: usize = TARGETS.iter().flat_map(kept).map(|(_, input)| input.len()).sum();
    assert!(bytes <= KEPT_BYTES_MAX, "{bytes} bytes are kept: drop what reaches nothing new with 'scripts/fuzz'");
}
