//! The catalogue of the protocol: each part that its references name, with the case that shows it.
//!
//! Start at [`rows`]. The tests here ask all cases, and withhold parts to see that the cases that name them, and only those, fail.
//! `document.rs` writes the page for people.

mod case;
pub mod data;
mod document;
mod fetchxml;
mod named;
mod odata;
mod operators;
mod protocol;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use case::{Case, Expected};
use row::{Proof, Row};

use crate::on_both_engines;

on_both_engines! {
    every_case_is_answered_as_the_references_say;
    without_a_part_just_the_cases_that_name_it_fail;
}

/// All parts.
fn rows() -> Vec<Row> {
    let mut rows = fetchxml::fetchxml();
    rows.extend(operators::operators());
    rows.extend(odata::odata());
    rows.extend(odata::sql());
    rows.extend(protocol::protocol());
    rows
}

/// The language or kind that a part is of, and what of it: the cases that are asked where the part is withheld.
fn area(part: &str) -> &str {
    let end = part.match_indices('.').nth(1).map_or(part.len(), |(at, _)| at);
    match part.split('.').next().unwrap() {
        "fetchxml" | "odata" | "sql" => &part[..end],
        kind => kind,
    }
}

/// What is answered, in the areas that hold parts which can be withheld, by area.
fn answered_cases() -> BTreeMap<String, Vec<Case>> {
    let known: BTreeSet<String> = custodia_web_api::parts().iter().map(|part| area(part).to_owned()).collect();
    let mut cases: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for row in rows() {
        let area = area(row.part.split(" (").next().unwrap()).to_owned();
        match row.proof {
            Proof::Asked(case) if known.contains(&area) && !matches!(case.expected, Expected::Refused(..)) => {
                cases.entry(area).or_default().push(case);
            }
            _ => {}
        }
    }
    cases
}

#[test]
fn every_part_that_can_be_withheld_is_in_the_catalogue() {
    let rows = rows();
    let parts = custodia_web_api::parts();
    assert_eq!(parts.iter().collect::<BTreeSet<_>>().len(), parts.len(), "a part is listed twice");
    for part in parts {
        let shown: Vec<&Row> = rows.iter().filter(|row| row.part == part).collect();
        assert!(!shown.is_empty(), "{part} has no case");
        for row in shown {
            if let Proof::Asked(case) = &row.proof {
                let refused = matches!(case.expected, Expected::Refused(..));
                assert!(refused || case.named().contains(&part), "{part} is not in its case: {}", case.shown());
            }
        }
    }
    let wrong = custodia_web_api::withhold(["fetchxml.operator.like", "fetchxml.operator.nothing"]).unwrap_err();
    assert!(wrong.to_string().contains("fetchxml.operator.nothing"));
}

#[test]
fn every_test_that_the_catalogue_names_is_there() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for row in rows() {
        let Proof::Tested(test) = row.proof else { continue };
        let (file, function) = test.split_once(": ").unwrap();
        let path =
            if file.contains('/') { here.join("../..").join(file) } else { here.join("tests/protocol").join(file) };
        let text = std::fs::read_to_string(Path::new(&path)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {function}(")), "{}: there is no test '{test}'", row.part);
    }
}

mod bodies {
    use std::collections::BTreeSet;

    use custodia_testbed::effort;

    use super::data::Data;
    use super::row::Proof;
    use super::{answered_cases, area, rows};
    use crate::world::World;

    /// Parts that are withheld in turn, on each engine.
    const SAMPLE: usize = 12;

    pub async fn every_case_is_answered_as_the_references_say(world: World) {
        let data = Data::new(&world).await;
        let mut faults = Vec::new();
        for row in rows() {
            if let Proof::Asked(case) = &row.proof {
                faults.extend(case.fault(&world, &data).await.map(|fault| format!("{}: {fault}", row.part)));
            }
        }
        assert!(faults.is_empty(), "{} cases:\n{}", faults.len(), faults.join("\n"));
    }

    pub async fn without_a_part_just_the_cases_that_name_it_fail(mut world: World) {
        let data = Data::new(&world).await;
        let cases = answered_cases();
        let shown = |part: &String| {
            cases.get(area(part)).is_some_and(|cases| cases.iter().any(|case| case.named().contains(part)))
        };
        let mut parts: Vec<String> = custodia_web_api::parts().into_iter().filter(shown).collect();
        // Ids are drawn anew in each run; what fails is named.
        let mut state = u64::try_from(world.seeded.administrator.as_u128() & u128::from(u64::MAX)).unwrap() | 1;
        for left in 0..(SAMPLE * effort() as usize).min(parts.len()) {
            // Xorshift: any spread will do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let rest = u64::try_from(parts.len() - left).unwrap();
            let chosen = left + usize::try_from(state % rest).unwrap();
            parts.swap(left, chosen);
            let part = &parts[left];
            world.withhold(part);
            let mut wrong = BTreeSet::new();
            for case in &cases[area(part)] {
                let fault = case.fault(&world, &data).await;
                match (fault, case.named().contains(part)) {
                    (Some(fault), false) => drop(wrong.insert(format!("fails without naming it: {fault}"))),
                    (None, true) => drop(wrong.insert(format!("does not fail: {}", case.shown()))),
                    _ => {}
                }
            }
            assert!(wrong.is_empty(), "without {part}:\n{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
        }
    }
}
