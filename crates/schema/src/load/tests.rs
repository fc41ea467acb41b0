//! Each kind of fault, with its file and line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::{
    AssignCascade, ColumnKind, DeleteCascade, Level, LookupFlavor, MoneyRole, PrivilegeKind, RowSecurity, load_roles,
    standard_files,
};

const USER: &str = r#"name = "systemuser"
schema = "SystemUser"
set = "systemusers"
label = "User"
collection_label = "Users"
code = 8
ownership = "organization"
security = "organization"
primary_id = "systemuserid"
columns = [
    { id = 1, name = "systemuserid", schema = "SystemUserId", label = "User", kind = "guid" },
]
"#;

const TEAM: &str = r#"name = "team"
schema = "Team"
set = "teams"
label = "Team"
collection_label = "Teams"
code = 9
ownership = "organization"
security = "organization"
primary_id = "teamid"
columns = [
    { id = 1, name = "teamid", schema = "TeamId", label = "Team", kind = "guid" },
]
"#;

const UNIT: &str = r#"name = "businessunit"
schema = "BusinessUnit"
set = "businessunits"
label = "Unit"
collection_label = "Units"
code = 10
ownership = "organization"
security = "organization"
primary_id = "businessunitid"
columns = [
    { id = 1, name = "businessunitid", schema = "BusinessUnitId", label = "Unit", kind = "guid" },
]
"#;

/// A small table with one of most things. The first column stands on line 12, the first relationship on line 25.
const BOAT: &str = r#"name = "boat"
schema = "Boat"
set = "boats"
label = "Boat"
collection_label = "Boats"
code = 77
ownership = "user"
primary_id = "boatid"
primary_name = "name"
keys = [{ name = "by_number", columns = ["number"] }]
columns = [
    { id = 1, name = "boatid", schema = "BoatId", label = "Boat", kind = "guid" },
    { id = 2, name = "name", schema = "Name", label = "Name", kind = "text" },
    { id = 3, name = "number", schema = "Number", label = "Number", kind = "integer", min = 0, max = 9 },
    { id = 4, name = "price", schema = "Price", label = "Price", kind = "money" },
    { id = 5, name = "price_base", schema = "Price_Base", label = "Price (Base)", kind = "money", base_of = "price" },
    { id = 6, name = "rig", schema = "Rig", label = "Rig", kind = "choice", options = [{ value = 1, label = "Sloop" }] },
    { id = 7, name = "statecode", options = [{ value = 0, label = "Afloat" }] },
    { id = 8, name = "statuscode", options = [{ value = 1, label = "Moored", state = 0 }, { value = 2, label = "At sea", state = 0 }] },
    { id = 9, name = "ownerid" },
    { id = 10, name = "owningbusinessunit" },
    { id = 11, name = "motherid", schema = "MotherId", label = "Mother ship", kind = "lookup", targets = ["boat"] },
]
parents = [
    { column = "ownerid", table = "systemuser", name = "owner_boats" },
    { column = "ownerid", table = "team", name = "team_owner_boats", collection = "owner_boats" },
    { column = "owningbusinessunit", table = "businessunit", name = "business_unit_boats" },
    { column = "motherid", table = "boat", name = "boat_mother", cascade = { assign = "user-owned", delete = "restrict" }, hierarchical = true },
]
"#;

const CREW: &str = r#"name = "crew"
schema = "Crew"
label = "Crew"
collection_label = "Crews"
code = 78
ownership = "none"
primary_id = "crewid"
intersect = true
columns = [
    { id = 1, name = "crewid", schema = "CrewId", label = "Crew", kind = "guid" },
    { id = 2, name = "boatid", schema = "BoatId", label = "Boat", kind = "guid" },
    { id = 3, name = "systemuserid", schema = "SystemUserId", label = "User", kind = "guid" },
]
"#;

const LINKS: &str = r#"many_to_many = [
    { name = "boat_crew", intersect = "crew", first = { table = "boat", column = "boatid" }, second = { table = "systemuser", column = "systemuserid" } },
]
"#;

fn defaults() -> &'static str {
    standard_files().iter().find(|(name, _)| *name == "defaults.toml").unwrap().1
}

/// The small tables, with one file's text changed.
fn changed(file: &str, from: &str, to: &str) -> Result<Schema, LoadError> {
    let mut files = vec![
        ("defaults.toml", defaults().to_owned()),
        ("systemuser.toml", USER.to_owned()),
        ("team.toml", TEAM.to_owned()),
        ("businessunit.toml", UNIT.to_owned()),
        ("boat.toml", BOAT.to_owned()),
        ("crew.toml", CREW.to_owned()),
        ("many-to-many.toml", LINKS.to_owned()),
        (
            "option-sets.toml",
            "option_sets = [\n    { name = \"rigs\", options = [{ value = 1, label = \"Sloop\" }] },\n]\n".to_owned(),
        ),
        ("privileges.toml", "privileges = [\n    \"prvSail\",\n]\n".to_owned()),
    ];
    let text = &mut files.iter_mut().find(|(name, _)| *name == file).unwrap().1;
    assert!(from.is_empty() || text.contains(from), "{file} does not hold {from}");
    *text = text.replacen(from, to, 1);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    load(&files)
}

/// The fault must be told at that line, in words that hold `words`.
#[track_caller]
fn check(file: &str, from: &str, to: &str, line: usize, words: &str) {
    match changed(file, from, to) {
        Ok(_) => panic!("no fault was found"),
        Err(fault) => {
            assert_eq!((fault.file.as_str(), fault.line), (file, line), "{fault}");
            assert!(fault.problem.contains(words), "{fault}");
        }
    }
}

#[test]
fn the_small_tables_have_no_fault_and_mean_what_they_say() {
    let schema = changed("boat.toml", "", "").unwrap();
    let boat = schema.table_named("boat").unwrap();
    assert_eq!((boat.id.0, boat.set_name.as_str(), boat.schema_name.as_str()), (77, "boats", "Boat"));
    assert_eq!(schema.table_of_set("boats").unwrap().id, boat.id);
    assert!(matches!(boat.security, RowSecurity::Owned { .. }));
    assert_eq!(boat.columns().len(), 11);

    let price = boat.column("price").unwrap();
    let base = boat.column("price_base").unwrap();
    assert!(
        matches!(price.kind, ColumnKind::Money { role: MoneyRole::Amount { base: Some(id) }, precision: 2, .. } if id == base.id)
    );
    assert!(
        matches!(base.kind, ColumnKind::Money { role: MoneyRole::Base { of }, precision: 4, .. } if of == price.id)
    );
    assert_eq!(base.derived_from, [price.id]);

    assert!(matches!(&boat.state().unwrap().kind, ColumnKind::State { options } if options[0].default_status == 1));
    assert!(matches!(boat.column("ownerid").unwrap().kind, ColumnKind::Lookup { flavor: LookupFlavor::Owner, .. }));
    let read = boat.privilege(PrivilegeKind::Read).unwrap();
    assert_eq!((read.name.as_str(), read.levels.len()), ("prvReadBoat", 4));
    assert_eq!(schema.privilege_named("prvSail").unwrap().kind, None);
    assert_eq!(schema.privilege_named("prvSail").unwrap().highest(), Some(Level::Global));

    let mother = schema.one_to_many().iter().find(|known| known.name == "boat_mother").unwrap();
    assert_eq!((mother.cascade.assign, mother.cascade.share), (AssignCascade::UserOwned, AssignCascade::None));
    assert_eq!(mother.cascade.delete, DeleteCascade::Restrict);
    assert_eq!((mother.lookup_navigation.as_str(), mother.collection_navigation.as_str()), ("motherid", "boat_mother"));
    assert!(mother.hierarchical);
    let owners: Vec<&str> = schema.parents_of(boat.id).take(2).map(|known| known.lookup_navigation.as_str()).collect();
    assert_eq!(owners, ["ownerid", "ownerid"]);
    assert_eq!(schema.links_of(boat.id).count(), 1);
}

#[test]
fn a_file_that_is_no_toml() {
    check("boat.toml", "primary_id = ", "primary_id ", 8, "");
}

#[test]
fn an_unknown_property() {
    check("boat.toml", "kind = \"text\" }", "kind = \"text\", colour = 1 }", 13, "unknown field `colour`");
    check("defaults.toml", "[column]\n", "[column]\ncolour = 1\n", 1 + line_of("[column]"), "unknown field `colour`");
    check("many-to-many.toml", "intersect", "between", 2, "unknown field `between`");
    check("option-sets.toml", "name", "nam", 2, "unknown field `nam`");
}

/// The line of `defaults.toml` that is exactly this.
fn line_of(text: &str) -> usize {
    1 + defaults().lines().position(|line| line == text).unwrap()
}

#[test]
fn a_missing_property() {
    check("boat.toml", "label = \"Boat\"\n", "", 1, "missing field `label`");
}

#[test]
fn an_unknown_word() {
    check("boat.toml", "ownership = \"user\"", "ownership = \"people\"", 7, "unknown variant `people`");
    check("boat.toml", "kind = \"text\"", "kind = \"string\"", 13, "unknown variant `string`");
    check("boat.toml", "\"user-owned\"", "\"some\"", 28, "unknown variant `some`");
}

#[test]
fn no_defaults() {
    let fault = load(&[("boat.toml", BOAT)]).unwrap_err();
    assert_eq!(fault.file, "defaults.toml");
    assert!(fault.problem.contains("missing"), "{fault}");
}

#[test]
fn a_common_column_without_a_kind() {
    let line = 1 + defaults().lines().position(|line| line.starts_with("createdon = ")).unwrap();
    check("defaults.toml", "createdon = { kind = \"datetime\", ", "createdon = { ", line, "has no kind");
}

#[test]
fn a_file_not_named_like_its_table() {
    check("boat.toml", "name = \"boat\"", "name = \"ship\"", 1, "name the file `ship.toml`");
}

#[test]
fn a_schema_name_that_is_another() {
    check("boat.toml", "schema = \"Boat\"", "schema = \"Ship\"", 1, "in mixed case");
    check("boat.toml", "schema = \"Price\"", "schema = \"Cost\"", 15, "in mixed case");
}

#[test]
fn a_bad_logical_name() {
    for name in ["Rig", "rig__t", "1rig", "rig-type", "rig type", "größe"] {
        check("boat.toml", "name = \"rig\"", &format!("name = \"{name}\""), 17, "is not a logical name");
    }
}

#[test]
fn a_table_twice() {
    let fault = load(&[("defaults.toml", defaults()), ("team.toml", TEAM), ("team.toml", TEAM)]).unwrap_err();
    assert_eq!((fault.file.as_str(), fault.line), ("team.toml", 1));
    assert!(fault.problem.contains("second table"), "{fault}");
}

#[test]
fn one_code_for_two_tables() {
    check("boat.toml", "code = 77", "code = 9", 6, "already `team`'s");
    check("boat.toml", "code = 77\n", "", 1, "no object type code");
}

#[test]
fn one_set_for_two_tables() {
    check("boat.toml", "set = \"boats\"", "set = \"teams\"", 3, "already `team`'s");
}

#[test]
fn one_number_for_two_columns() {
    check("boat.toml", "id = 6,", "id = 5,", 17, "already `price_base`'s");
    check("boat.toml", "id = 6, ", "", 17, "has no number");
    check("boat.toml", "id = 6,", "id = 0,", 17, "has no number");
}

#[test]
fn a_column_twice() {
    check("boat.toml", "name = \"rig\"", "name = \"name\"", 17, "second column `name`");
}

#[test]
fn a_column_without_kind_schema_name_or_label() {
    check("boat.toml", ", kind = \"money\" }", " }", 15, "has no kind");
    check("boat.toml", "schema = \"Price\", ", "", 15, "has no schema name");
    check("boat.toml", "label = \"Price\", ", "", 15, "has no label");
}

#[test]
fn a_property_that_means_nothing_for_the_kind() {
    check("boat.toml", "kind = \"text\"", "kind = \"text\", min = 1", 13, "min means nothing");
    check("boat.toml", "kind = \"money\" }", "kind = \"money\", max_length = 3 }", 15, "max_length means nothing");
    check("boat.toml", "kind = \"text\"", "kind = \"text\", format = \"duration\"", 13, "format means nothing");
    check("boat.toml", "label = \"Sloop\" }", "label = \"Sloop\", state = 0 }", 17, "state means nothing");
    check("boat.toml", "label = \"Afloat\" }", "label = \"Afloat\", state = 0 }", 18, "state means nothing");
    check("boat.toml", "kind = \"text\"", "kind = \"text\", base_precision = 4", 13, "base_precision means nothing");
}

#[test]
fn a_length_or_precision_out_of_bounds() {
    check("boat.toml", "kind = \"text\"", "kind = \"text\", max_length = 4001", 13, "or make it a memo");
    check("boat.toml", "kind = \"text\"", "kind = \"text\", max_length = 0", 13, "not between 1 and 4000");
    check("boat.toml", "kind = \"text\"", "kind = \"memo\", max_length = 1048577", 13, "not between 1 and 1048576");
    check("boat.toml", "kind = \"money\" }", "kind = \"money\", precision = 5 }", 15, "more than the 4 digits");
    check("boat.toml", "kind = \"money\" }", "kind = \"decimal\", precision = 13 }", 15, "more than the 12 digits");
}

#[test]
fn a_range_upside_down_or_of_the_wrong_numbers() {
    check("boat.toml", "min = 0, max = 9", "min = 9, max = 0", 14, "min is greater than max");
    check("boat.toml", "min = 0, max = 9", "min = 0.5, max = 9", 14, "min is not a number of this kind");
    check("boat.toml", "min = 0, max = 9", "min = 0, max = 2147483648", 14, "max is not a number of this kind");
    check("boat.toml", "kind = \"money\" }", "kind = \"money\", max = 0.1 }", 15, "max is not a number of this kind");
    check(
        "boat.toml",
        "kind = \"money\" }",
        "kind = \"money\", max = \"ten\" }",
        15,
        "max is not a number of this kind",
    );
    check(
        "boat.toml",
        "kind = \"money\" }",
        "kind = \"money\", max = \"922337203685478\" }",
        15,
        "wider than money can be",
    );
    check("boat.toml", "kind = \"money\" }", "kind = \"double\", max = inf }", 15, "max is not a number of this kind");
}

#[test]
fn options_that_are_missing_or_repeated() {
    check("boat.toml", ", options = [{ value = 1, label = \"Sloop\" }]", "", 17, "no options");
    check("boat.toml", "[{ value = 1, label = \"Sloop\" }]", "[]", 17, "no options");
    check(
        "boat.toml",
        "label = \"Sloop\" }]",
        "label = \"Sloop\" }, { value = 1, label = \"Ketch\" }]",
        17,
        "option 1 stands twice",
    );
    check(
        "option-sets.toml",
        "label = \"Sloop\" }]",
        "label = \"Sloop\" }, { value = 1, label = \"Ketch\" }]",
        2,
        "stands twice",
    );
}

#[test]
fn an_option_set_that_is_unknown_or_too_much() {
    let own = "options = [{ value = 1, label = \"Sloop\" }]";
    check("boat.toml", own, "global = \"hulls\"", 17, "no option set `hulls`");
    check("boat.toml", own, &format!("global = \"rigs\", {own}"), 17, "both options and global");
    let schema = changed("boat.toml", own, "global = \"rigs\"").unwrap();
    let rig = schema.table_named("boat").unwrap().column("rig").unwrap().kind.clone();
    assert!(
        matches!(rig, ColumnKind::Choice { options, global: Some(name), .. } if options.len() == 1 && name == "rigs")
    );
}

#[test]
fn a_default_that_is_no_value_of_the_column() {
    check("boat.toml", "kind = \"choice\"", "kind = \"choice\", default = 7", 17, "none of the options");
    check("boat.toml", "kind = \"choice\"", "kind = \"choice\", default = true", 17, "the number of an option");
    check("boat.toml", "kind = \"money\" }", "kind = \"boolean\", default = 1 }", 15, "is true or false");
    check("boat.toml", "kind = \"money\" }", "kind = \"money\", default = 1 }", 15, "default means nothing");
}

#[test]
fn a_state_and_a_status_that_do_not_fit() {
    let status = BOAT.lines().find(|line| line.contains("statuscode")).unwrap();
    let state = BOAT.lines().find(|line| line.contains("statecode")).unwrap();
    check("boat.toml", state, "", 19, "status column without a state");
    check("boat.toml", status, "", 18, "has no status reason");
    check(
        "boat.toml",
        "label = \"At sea\", state = 0",
        "label = \"At sea\", state = 3",
        19,
        "belongs to state 3, which does not exist",
    );
    check("boat.toml", "label = \"At sea\", state = 0", "label = \"At sea\"", 19, "belongs to no state");
    check(
        "boat.toml",
        "label = \"Afloat\" }",
        "label = \"Afloat\" }, { value = 1, label = \"Sunk\" }",
        18,
        "state 1 has no status reason",
    );
    check(
        "boat.toml",
        "label = \"Afloat\" }",
        "label = \"Afloat\", default_status = 3 }",
        18,
        "no status reason of state 0",
    );
    check(
        "boat.toml",
        "kind = \"choice\", options = [{ value = 1,",
        "kind = \"state\", options = [{ value = 0,",
        18,
        "second state",
    );
}

#[test]
fn a_companion_of_nothing() {
    check("boat.toml", "base_of = \"price\"", "base_of = \"cost\"", 16, "no column `cost`");
    check("boat.toml", "base_of = \"price\"", "base_of = \"name\"", 16, "must name an amount of money");
    check("boat.toml", "base_of = \"price\"", "base_of = \"price_base\"", 16, "derived from itself");
}

#[test]
fn a_column_derived_from_nothing() {
    check("boat.toml", "kind = \"text\"", "kind = \"text\", derived_from = [\"nick\"]", 13, "no column `nick`");
    check("boat.toml", "kind = \"text\"", "kind = \"text\", derived_from = [\"name\"]", 13, "derived from itself");
}

#[test]
fn a_number_pattern_on_a_number() {
    check(
        "boat.toml",
        "kind = \"money\" }",
        "kind = \"money\", auto_number = \"B-{SEQNUM:3}\" }",
        15,
        "not of kind text",
    );
}

#[test]
fn a_lookup_at_nothing() {
    check("boat.toml", "targets = [\"boat\"]", "targets = [\"ship\"]", 22, "no table `ship`");
    check("boat.toml", "targets = [\"boat\"]", "targets = []", 22, "without targets");
    check("boat.toml", "targets = [\"boat\"]", "targets = [\"boat\", \"boat\"]", 22, "stands twice");
    check("boat.toml", ", targets = [\"boat\"]", "", 22, "has no targets");
}

#[test]
fn a_primary_column_that_is_none() {
    check("boat.toml", "primary_id = \"boatid\"", "primary_id = \"shipid\"", 8, "no column `shipid`");
    check("boat.toml", "primary_id = \"boatid\"", "primary_id = \"name\"", 8, "must be of kind guid");
    check("boat.toml", "kind = \"guid\"", "kind = \"guid\", update = true", 8, "never changes");
    check("boat.toml", "primary_name = \"name\"", "primary_name = \"title\"", 9, "no column `title`");
    check("boat.toml", "primary_name = \"name\"", "primary_name = \"number\"", 9, "must be of kind text");
}

#[test]
fn a_key_or_an_index_on_nothing() {
    check("boat.toml", "columns = [\"number\"]", "columns = [\"weight\"]", 10, "no column `weight`");
    check("boat.toml", "columns = [\"number\"]", "columns = []", 10, "name at least one");
    check("boat.toml", "columns = [\"number\"]", "columns = [\"number\", \"number\"]", 10, "stands twice");
    check(
        "boat.toml",
        "columns = [\"number\"] }]",
        "columns = [\"number\"] }, { name = \"by_number\", columns = [\"name\"] }]",
        10,
        "second key",
    );
    check("boat.toml", "kind = \"integer\",", "kind = \"integer\", secured = true,", 10, "is secured");
    check("boat.toml", "columns = [\n", "list_indexes = [[\"weight\"]]\ncolumns = [\n", 11, "no column `weight`");
    let photo = "{ id = 12, name = \"photo\", schema = \"Photo\", label = \"Photo\", kind = \"image\" },";
    let with_photo = format!("list_indexes = [[\"photo\"]]\ncolumns = [\n    {photo}\n");
    check("boat.toml", "columns = [\n", &with_photo, 11, "is not stored");
    check("boat.toml", "columns = [\n", "usual = [\"weight\"]\ncolumns = [\n", 11, "no column `weight`");
}

#[test]
fn security_that_cannot_be() {
    check(
        "boat.toml",
        "ownership = \"user\"",
        "ownership = \"business\"",
        1,
        "nothing says how rows of `boat` are protected",
    );
    check("boat.toml", "code = 77", "code = 77\nsecurity = \"open\"", 7, "security is \"owned\"");
    check("boat.toml", "code = 77", "code = 77\nsecurity = \"intersect\"", 7, "is for intersects");
    check("boat.toml", "code = 77", "code = 77\nsecurity = { unit = \"harbour\" }", 7, "`harbour`, which is no column");
    check("boat.toml", "code = 77", "code = 77\nsecurity = { parents = [\"name\"] }", 7, "only lookups");
    check("boat.toml", "code = 77", "code = 77\nsecurity = { parents = [] }", 7, "name at least one");
    check("team.toml", "security = \"organization\"", "security = \"owned\"", 8, "needs an owner");
    check(
        "boat.toml",
        "    { id = 10, name = \"owningbusinessunit\" },\n",
        "",
        1,
        "lacks an owner or `owningbusinessunit`",
    );
}

#[test]
fn security_as_the_file_says() {
    let security = |words: &str| {
        let schema = changed("boat.toml", "code = 77", &format!("code = 77\nsecurity = {words}")).unwrap();
        schema.table_named("boat").unwrap().security.clone()
    };
    assert_eq!(security("\"organization\""), RowSecurity::Organization);
    assert_eq!(security("{ parents = [\"motherid\"] }"), RowSecurity::Parent { lookups: vec![crate::ColumnId(11)] });
    let unit = crate::ColumnId(10);
    assert_eq!(security("{ unit = \"owningbusinessunit\" }"), RowSecurity::Unit { unit, principal: None });
    let principal = Some(crate::ColumnId(1));
    assert_eq!(
        security("{ unit = \"owningbusinessunit\", principal = \"boatid\" }"),
        RowSecurity::Unit { unit, principal }
    );
}

#[test]
fn privileges_that_cannot_be() {
    check("boat.toml", "code = 77", "code = 77\nprivileges = { kinds = [\"Read\", \"Read\"] }", 7, "Read stands twice");
    check("boat.toml", "code = 77", "code = 77\nprivileges = { kinds = [\"Sail\"] }", 7, "unknown variant `Sail`");
    check("boat.toml", "code = 77", "code = 77\nprivileges = { levels = [] }", 7, "may take no level");
    check(
        "boat.toml",
        "code = 77",
        "code = 77\nprivileges = { kinds = [\"Read\"], names = { Write = \"prvX\" } }",
        7,
        "Write is not among",
    );
    check("boat.toml", "code = 77", "code = 77\nprivileges_of = \"crew\"", 7, "which has none of its own");
    check("boat.toml", "code = 77", "code = 77\nprivileges_of = \"ship\"", 7, "which has none of its own");
    check("boat.toml", "code = 77", "code = 77\nprivileges = { token = \"Team\" }", 7, "other levels on `team`");
    check("privileges.toml", "prvSail", "prvReadBoat", 2, "a privilege on rows of `boat`");
    check("privileges.toml", "prvSail", "sail", 2, "does not begin with prv");
    check("privileges.toml", "\"prvSail\",", "\"prvSail\",\n    \"prvSail\",", 3, "stands twice");
}

#[test]
fn privileges_shared_with_another_table() {
    let schema = changed("boat.toml", "code = 77", "code = 77\nprivileges_of = \"team\"").unwrap();
    let boat = schema.table_named("boat").unwrap();
    let team = schema.table_named("team").unwrap();
    assert_eq!(boat.privileges, team.privileges);
    assert_eq!(schema.privilege_named("prvReadTeam").unwrap().tables, [boat.id, team.id]);
    assert_eq!(schema.privilege_named("prvReadBoat"), None);
}

#[test]
fn a_relationship_without_its_parts() {
    check("boat.toml", "column = \"motherid\"", "column = \"fatherid\"", 28, "no column `fatherid`");
    check("boat.toml", "column = \"motherid\"", "column = \"name\"", 28, "`name` is no lookup");
    check("boat.toml", "table = \"boat\"", "table = \"ship\"", 28, "no table `ship`");
    check("boat.toml", "table = \"boat\"", "table = \"team\"", 28, "does not point at `team`");
}

#[test]
fn a_lookup_without_a_relationship() {
    let line = BOAT.lines().find(|line| line.contains("boat_mother")).unwrap();
    check("boat.toml", line, "", 22, "`parents` has no line for that");
}

#[test]
fn a_relationship_twice() {
    let twice = |name: &str| {
        format!(
            "parents = [\n    {{ column = \"motherid\", table = \"boat\", name = \"{name}\", navigation = \"m\" }},\n"
        )
    };
    check("boat.toml", "parents = [\n", &twice("boat_mother"), 29, "second relationship `boat_mother`");
    check("boat.toml", "parents = [\n", &twice("boat_ship"), 29, "`boat_ship` already joins");
}

#[test]
fn a_navigation_twice() {
    check(
        "boat.toml",
        "name = \"boat_mother\"",
        "name = \"boat_mother\", navigation = \"ownerid\"",
        28,
        "already has a navigation `ownerid`",
    );
    check(
        "boat.toml",
        "name = \"boat_mother\"",
        "name = \"boat_mother\", collection = \"motherid\"",
        28,
        "already has a navigation `motherid`",
    );
    check(
        "boat.toml",
        "name = \"boat_mother\"",
        "name = \"boat_mother\", navigation = \"rig\"",
        28,
        "also a column of `boat`",
    );
    check(
        "boat.toml",
        "name = \"owner_boats\"",
        "name = \"owner_boats\", navigation = \"motherid\"",
        28,
        "already has a navigation `motherid`",
    );
    check(
        "many-to-many.toml",
        "column = \"boatid\"",
        "column = \"boatid\", navigation = \"motherid\"",
        2,
        "already has a navigation `motherid`",
    );
    check(
        "many-to-many.toml",
        "column = \"systemuserid\"",
        "column = \"systemuserid\", navigation = \"owner_boats\"",
        2,
        "already has a navigation `owner_boats`",
    );
}

#[test]
fn a_hierarchy_of_another_table() {
    check(
        "boat.toml",
        "name = \"owner_boats\"",
        "name = \"owner_boats\", hierarchical = true",
        25,
        "from a table to itself",
    );
}

#[test]
fn a_cascade_that_nothing_states() {
    let rules = defaults().find("[[cascade]]\ndelete = \"remove-link\"").unwrap();
    let last = &defaults()[rules..rules + "[[cascade]]\ndelete = \"remove-link\"".len()];
    let cut = ", cascade = { assign = \"user-owned\", delete = \"restrict\" }";
    let schema = changed("boat.toml", cut, "").unwrap();
    let mother = schema.one_to_many().iter().find(|known| known.name == "boat_mother").unwrap();
    assert_eq!(mother.cascade.delete, DeleteCascade::RemoveLink, "the last rule of the defaults fits everything");

    let without = defaults().replacen(last, "", 1);
    let boat = BOAT.replacen(cut, "", 1);
    let files = [
        ("defaults.toml", without.as_str()),
        ("systemuser.toml", USER),
        ("team.toml", TEAM),
        ("businessunit.toml", UNIT),
        ("boat.toml", boat.as_str()),
    ];
    let fault = load(&files).unwrap_err();
    assert_eq!((fault.file.as_str(), fault.line), ("boat.toml", 28));
    assert!(fault.problem.contains("no rule of defaults.toml fits"), "{fault}");
}

#[test]
fn a_link_without_its_parts() {
    check("many-to-many.toml", "intersect = \"crew\"", "intersect = \"gang\"", 2, "no table `gang`");
    check("many-to-many.toml", "table = \"boat\"", "table = \"ship\"", 2, "no table `ship`");
    check("many-to-many.toml", "column = \"boatid\"", "column = \"shipid\"", 2, "no column `shipid`");
    check("many-to-many.toml", "column = \"boatid\"", "column = \"crewid\"", 2, "no column `crewid` that can hold");
    check("many-to-many.toml", "column = \"boatid\"", "column = \"systemuserid\"", 2, "holds both ends");
    check(
        "many-to-many.toml",
        "name = \"boat_crew\"",
        "name = \"boat_mother\"",
        2,
        "second relationship `boat_mother`",
    );
}

#[test]
fn faults_of_roles() {
    let schema = changed("boat.toml", "", "").unwrap();
    let roles = "[base]\nprivileges = [\"prvSail\"]\n[base.tables]\nteam = \"04000000\"\n\n[[roles]]\nname = \"Mate\"\n\
                 id = \"11111111-2222-3333-4444-555555555555\"\nbase = true\n[roles.tables]\nboat = \"12340000\"\n";
    let loaded = load_roles("roles.toml", roles, &schema).unwrap();
    assert_eq!(loaded[0].depths, [(TableId(9), [0, 4, 0, 0, 0, 0, 0, 0]), (TableId(77), [1, 2, 3, 4, 0, 0, 0, 0])]);
    assert_eq!(loaded[0].misc, ["prvSail"]);

    let check = |from: &str, to: &str, line: usize, words: &str| {
        assert!(roles.contains(from), "{from}");
        let fault = load_roles("roles.toml", &roles.replacen(from, to, 1), &schema).unwrap_err();
        assert_eq!((fault.file.as_str(), fault.line), ("roles.toml", line), "{fault}");
        assert!(fault.problem.contains(words), "{fault}");
    };
    check("boat =", "ship =", 11, "no table `ship`");
    check("12340000", "1234", 11, "not eight digits");
    check("12340000", "12350000", 11, "not eight digits");
    check("04000000", "02000000", 4, "may not take the level 2");
    check("04000000", "04000010", 4, "no privilege Assign");
    check("prvSail", "prvSwim", 2, "not in privileges.toml");
    check("prvSail", "prvReadBoat", 2, "not in privileges.toml");
    check("base = true", "base = 1", 9, "invalid type");
    check("11111111-", "1-", 8, "");
    let second = "[[roles]]\nname = \"Mate\"\nid = \"21111111-2222-3333-4444-555555555555\"\n\n[[roles]]";
    check("[[roles]]", second, 11, "second role");
    check("base = true", "every_table = \"04000000\"\nexcept_tables = [\"ship\"]", 10, "no table `ship`");
}

#[test]
fn tables_that_share_a_privilege_are_named_once_in_a_role() {
    let schema = changed("boat.toml", "code = 77", "code = 77\nprivileges_of = \"team\"").unwrap();
    let role = "[[roles]]\nname = \"Mate\"\nid = \"11111111-2222-3333-4444-555555555555\"\n[roles.tables]\nteam = \"04000000\"\n";
    let digits = [0, 4, 0, 0, 0, 0, 0, 0];
    let loaded = load_roles("roles.toml", role, &schema).unwrap();
    assert_eq!(loaded[0].depths, [(TableId(9), digits), (TableId(77), digits)]);
    let fault = load_roles("roles.toml", &format!("{role}boat = \"04000000\"\n"), &schema).unwrap_err();
    assert!(fault.problem.contains("shares `prvReadTeam`"), "{fault}");
}

/// A name in the defaults that fits nothing would be a correction without effect.
#[test]
fn every_name_in_the_standard_defaults_exists() {
    let schema = load(standard_files()).unwrap();
    let file: raw::DefaultsFile = toml::from_str(defaults()).unwrap();
    let exists = |column: &str| schema.tables().iter().any(|table| table.column(column).is_some());
    for name in file.columns.keys() {
        assert!(exists(name), "columns.{name}");
    }
    for (name, known) in &file.tables {
        let table = schema.table_named(name).unwrap_or_else(|| panic!("tables.{name}"));
        let columns = known.lengths.keys().chain(known.values.keys()).chain(known.auto_numbers.keys());
        for column in columns.chain(&known.platform_fills) {
            assert!(table.column(column).is_some(), "tables.{name}: {column}");
        }
        let reasons = match table.status().map(|status| &status.kind) {
            Some(ColumnKind::Status { options }) => options.iter().map(|(reason, _)| reason.value).collect(),
            _ => Vec::new(),
        };
        assert!(known.default_status.iter().all(|reason| reasons.contains(reason)), "tables.{name}: default_status");
    }
    for name in &file.hierarchy.relationships {
        assert!(schema.one_to_many().iter().any(|known| known.name == *name), "hierarchy: {name}");
    }
    // Each rule of the cascades decides for a relationship that states none.
    let undecided: Vec<(String, String, String)> = standard_files()
        .iter()
        .filter(|(name, _)| schema.table_named(name.trim_end_matches(".toml")).is_some())
        .flat_map(|(_, text)| {
            let file: raw::TableFile = toml::from_str(text).unwrap();
            let child = file.name.get_ref().clone();
            let silent =
                file.parents.into_iter().map(toml::Spanned::into_inner).filter(|parent| parent.cascade.is_none());
            silent.map(move |parent| (parent.column, parent.table, child.clone())).collect::<Vec<_>>()
        })
        .collect();
    let fits = |names: &[String], name: &String| names.is_empty() || names.contains(name);
    let mut left: Vec<&(String, String, String)> = undecided.iter().collect();
    for rule in &file.cascade {
        let before = left.len();
        left.retain(|(column, parent, child)| {
            !(fits(&rule.columns, column) && fits(&rule.parents, parent) && fits(&rule.children, child))
        });
        assert!(
            left.len() < before,
            "no relationship needs the rule for {:?} {:?} {:?}",
            rule.columns,
            rule.parents,
            rule.children
        );
    }
    assert!(left.is_empty());
}
