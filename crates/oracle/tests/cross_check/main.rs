//! What `custodia-access` decides, over generated worlds, against the oracle: without a database. Also shows, by planting
//! faults, that the comparison would notice if a rule were wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod compare;
mod facts;
mod fault;
mod reach;

use std::collections::BTreeSet;

use custodia_oracle::{
    Coverage, GrantPath, Operation, Refusal, SECURED_COLUMNS, World, WorldTable, secured_standard, shares_run_along,
};
use custodia_schema::{AssignCascade, PrivilegeKind};

use crate::compare::Comparison;
use crate::fault::Fault;

/// Worlds compared. Enough that everything counted below occurs at least [`OFTEN`] times.
const WORLDS: u64 = 2_000;

/// How often a thing must have occurred to count as tested.
const OFTEN: u64 = 100;

/// Worlds in which a planted fault must show: most do in the first few.
const WORLDS_PER_FAULT: u64 = 300;

#[test]
fn access_and_oracle_agree_in_every_world() {
    let schema = secured_standard();
    let mut coverage = Coverage::default();
    for seed in 0..WORLDS {
        let world = World::of_seed(seed);
        let differences = Comparison::new(&world, &schema, None).run(&mut coverage);
        assert!(
            differences.is_empty(),
            "world {seed}, {} differences:\n{}",
            differences.len(),
            differences[..differences.len().min(10)].join("\n")
        );
    }
    println!("{} questions in {WORLDS} worlds\n{}", coverage.questions(), coverage.report());
    assert_everything_occurred(&coverage);
}

fn assert_everything_occurred(coverage: &Coverage) {
    let mut rare = Vec::new();
    let mut often = |what: String, count: u64| {
        if count < OFTEN {
            rare.push(format!("{what}: {count}"));
        }
    };
    for operation in Operation::all() {
        often(format!("{operation:?} allowed"), coverage.allowed(operation));
        often(format!("{operation:?} refused"), coverage.refused(operation));
    }
    for path in GrantPath::OF_ROWS {
        often(format!("{path:?}"), coverage.path(path));
        // "Elsewhere" always comes with "owned": it only says where.
        if path != GrantPath::OwnedByUserElsewhere {
            often(format!("{path:?} alone"), coverage.only_path(path));
        }
    }
    for path in [
        GrantPath::NewForSelf,
        GrantPath::NewForOwnTeam,
        GrantPath::NewForTeamOnly,
        GrantPath::NewForOther,
        GrantPath::ColumnOfUserProfile,
        GrantPath::ColumnOfTeamProfile,
        GrantPath::ColumnSharedWithUser,
        GrantPath::ColumnSharedWithTeam,
        GrantPath::ColumnSharedWithAccessTeam,
        GrantPath::ColumnOpen,
    ] {
        often(format!("{path:?}"), coverage.path(path));
    }
    for refusal in Refusal::ALL {
        often(format!("{refusal:?}"), coverage.refusal(refusal));
    }
    assert!(rare.is_empty(), "too rare to count as tested:\n{}", rare.join("\n"));
}

#[test]
fn every_planted_fault_is_found() {
    let schema = secured_standard();
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        let mut first = None;
        for seed in 0..WORLDS_PER_FAULT {
            let world = World::of_seed(seed);
            let found = Comparison::new(&world, &schema, Some(fault)).run(&mut Coverage::default()).len();
            if found > 0 {
                first = Some((seed, found));
                break;
            }
        }
        match first {
            Some((seed, differences)) => println!("{fault:?}: {differences} differences in world {seed}"),
            None => missed.push(fault),
        }
    }
    assert!(Fault::ALL.len() >= 20);
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// The oracle names privileges, tables and columns itself; they must be those of the standard schema.
#[test]
fn the_worlds_speak_of_the_standard_schema() {
    let schema = secured_standard();
    for world_table in WorldTable::ALL {
        let table = schema.table_named(world_table.name()).unwrap_or_else(|| panic!("no table {}", world_table.name()));
        if let Some(column) = world_table.name_column() {
            assert!(table.column(column).is_some(), "{}.{column}", table.name);
        }
        if world_table.privilege_token().is_none() {
            continue;
        }
        for kind in PrivilegeKind::ALL {
            let named = table.privilege(kind).map(|privilege| privilege.name.clone());
            assert_eq!(world_table.privilege(kind), named, "{} {kind:?}", table.name);
            if let Some(privilege) = table.privilege(kind) {
                assert_eq!(world_table.levels(), privilege.levels, "{}", privilege.name);
            }
        }
    }
    for (table, column) in SECURED_COLUMNS {
        assert!(schema.table_named(table.name()).unwrap().column(column).unwrap().secured, "{}.{column}", table.name());
    }
    let world = World::of_seed(1);
    for record in &world.records {
        let table = schema.table_named(record.table.name()).unwrap();
        for lookup in &record.lookups {
            let target = schema.table_named(lookup.table.name()).unwrap();
            let column = table.column(lookup.column).unwrap_or_else(|| panic!("{}.{}", table.name, lookup.column));
            assert!(column.kind.targets().contains(&target.id), "{}.{}", table.name, lookup.column);
        }
    }
}

/// What the oracle says runs along to children is what the standard relationships say.
#[test]
fn shares_run_along_the_standard_cascades() {
    let schema = secured_standard();
    let mut compared = BTreeSet::new();
    for record in (0..50).flat_map(|seed| World::of_seed(seed).records) {
        let child = schema.table_named(record.table.name()).unwrap();
        for lookup in &record.lookups {
            let parent = schema.table_named(lookup.table.name()).unwrap();
            let relationship = schema
                .parents_of(child.id)
                .find(|relationship| {
                    relationship.referenced == parent.id
                        && child.column_by_id(relationship.referencing_column).unwrap().name == lookup.column
                })
                .unwrap();
            let expected = shares_run_along(record.table, lookup.column, lookup.table);
            assert_eq!(relationship.cascade.share != AssignCascade::None, expected, "{}", relationship.name);
            assert_eq!(relationship.cascade.reparent != AssignCascade::None, expected, "{}", relationship.name);
            compared.insert(relationship.name.clone());
        }
    }
    assert_eq!(compared.len(), 8, "{compared:?}");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    assert_eq!(World::of_seed(7), World::of_seed(7));
    assert_ne!(World::of_seed(7).users, World::of_seed(8).users);
}
