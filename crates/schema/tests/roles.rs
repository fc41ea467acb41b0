//! The built-in roles.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashSet;

use custodia_schema::{
    BuiltinRole, Level, PrivilegeKind, TableId, builtin_roles, load_roles, standard, standard_files,
};

fn role(name: &str) -> &'static BuiltinRole {
    builtin_roles().iter().find(|role| role.name == name).unwrap_or_else(|| panic!("no role {name}"))
}

fn id(table: &str) -> TableId {
    standard().table_named(table).unwrap().id
}

/// The eight digits of a role on a table.
fn digits(role_name: &str, table: &str) -> String {
    let found = role(role_name).depths.iter().find(|(known, _)| *known == id(table));
    found.map_or([0; 8], |(_, digits)| *digits).iter().map(|digit| char::from(b'0' + digit)).collect()
}

#[test]
fn the_file_has_no_fault() {
    let (name, text) = standard_files().iter().find(|(name, _)| *name == "roles.toml").unwrap();
    if let Err(fault) = load_roles(name, text, &standard()) {
        panic!("{fault}");
    }
}

#[test]
fn all_are_there_once() {
    let names: HashSet<&str> = builtin_roles().iter().map(|role| role.name.as_str()).collect();
    let ids: HashSet<_> = builtin_roles().iter().map(|role| role.root_id).collect();
    assert_eq!((names.len(), ids.len()), (builtin_roles().len(), builtin_roles().len()));
    for name in [
        "System Administrator",
        "System Customizer",
        "Basic User",
        "Delegate",
        "Support User",
        "Environment Maker",
        "Knowledge Manager",
        "Service Reader",
        "Service Writer",
        "Service Deleter",
        "Salesperson",
        "Sales Manager",
        "Vice President of Sales",
        "CEO-Business Manager",
        "Customer Service Representative",
        "CSR Manager",
        "Marketing Professional",
        "Marketing Manager",
        "Vice President of Marketing",
        "Schedule Manager",
        "Scheduler",
    ] {
        assert!(names.contains(name), "{name}");
    }
    assert_eq!(role("System Administrator").template_id.unwrap().to_string(), "627090ff-40a3-4053-8790-584edc5be201");
}

#[test]
fn levels_are_allowed_and_shared() {
    let schema = standard();
    for role in builtin_roles() {
        assert!(role.depths.windows(2).all(|pair| pair[0].0 < pair[1].0), "{}", role.name);
        for (table, levels) in &role.depths {
            let table = schema.table(*table).unwrap();
            for (kind, digit) in PrivilegeKind::ALL.into_iter().zip(levels) {
                match (role.level(table.id, kind), table.privilege(kind)) {
                    (None, _) => assert_eq!(*digit, 0),
                    (Some(level), Some(privilege)) => {
                        assert_eq!(*digit, level as u8);
                        assert!(privilege.levels.contains(&level), "{} {} {kind:?}", role.name, table.name);
                        for &other in &schema.privilege_named(&privilege.name).unwrap().tables {
                            assert_eq!(role.level(other, kind), Some(level), "{} {}", role.name, privilege.name);
                        }
                    }
                    (Some(_), None) => panic!("{} has {kind:?} on {}, which does not exist", role.name, table.name),
                }
            }
        }
        assert!(role.misc.iter().all(|name| schema.privilege_named(name).is_some_and(|known| known.kind.is_none())));
        let count = role.privileges(&schema).count();
        let names: HashSet<&str> = role.privileges(&schema).map(|(privilege, _)| privilege.name.as_str()).collect();
        assert_eq!(names.len(), count, "{}", role.name);
        assert!(role.misc.iter().all(|name| names.contains(name.as_str())), "{}", role.name);
    }
}

#[test]
fn a_system_administrator_has_everything_at_its_highest() {
    let schema = standard();
    let all: Vec<_> = role("System Administrator").privileges(&schema).collect();
    assert_eq!(all.len(), schema.privileges().len());
    for (privilege, level) in all {
        assert_eq!(Some(level), privilege.highest(), "{}", privilege.name);
    }
    assert_eq!(digits("System Administrator", "account"), "44444444");
    assert_eq!(digits("System Administrator", "userquery"), "11110011");
    assert_eq!(digits("System Administrator", "product"), "44444400");
}

#[test]
fn only_a_system_administrator_lists_shares() {
    for role in builtin_roles().iter().filter(|role| role.name != "System Administrator") {
        assert_eq!(role.level(id("principalobjectaccess"), PrivilegeKind::Read), None, "{}", role.name);
        assert_eq!(role.level(id("audit"), PrivilegeKind::Read), None, "{}", role.name);
    }
}

/// Security model 10: the roles that were measured.
#[test]
fn measured_roles() {
    let tables = ["account", "contact", "task", "annotation", "businessunit", "systemuser", "role", "team", "workflow"];
    for (name, expected) in [
        ("System Administrator", "44444444 44444444 44444444 44444444 44444400 44444400 44444440 44444400 44444444"),
        ("System Customizer", "11111111 11111111 11111111 11111111 04000000 04202200 04000000 04000000 44444444"),
        ("Basic User", "11111111 11111111 11111111 11111111 04000000 04002200 02000000 04000000 11111411"),
        ("Knowledge Manager", "11111114 11111114 11111114 11111114 04000000 04002200 02000000 04000000 14411411"),
        ("Support User", "01000000 04000000 01000000 04000000 04000000 04000000 04000000 04000000 04000000"),
        ("Environment Maker", "00000000 00000000 00000000 11111111 04000000 04000000 04000000 44000000 11111111"),
    ] {
        let found: Vec<String> = tables.iter().map(|table| digits(name, table)).collect();
        assert_eq!(found.join(" "), expected, "{name}");
    }
    for table in ["account", "contact", "task", "annotation", "opportunity", "incident"] {
        assert_eq!(digits("Service Reader", table), "04000000");
        assert_eq!(digits("Service Writer", table), "44404440");
        assert_eq!(digits("Service Deleter", table), "00040000");
    }
    let delegate = role("Delegate");
    assert_eq!(
        (delegate.depths.as_slice(), delegate.misc.as_slice()),
        (&[][..], &["prvActOnBehalfOfAnotherUser".to_owned()][..])
    );
}

/// Security model 10: the roles whose levels were chosen, one row each of lead, account, incident, campaign, product, task.
#[test]
fn proposed_roles() {
    let tables = ["lead", "account", "incident", "campaign", "product", "task"];
    for (name, expected) in [
        ("Salesperson", "12111111 12111211 01001100 02001100 04000400 12111111"),
        ("Sales Manager", "23333333 23333333 02002200 23232222 44444400 23333333"),
        ("Vice President of Sales", "44444444 44444444 44444444 44444444 44444400 44444444"),
        ("CEO-Business Manager", "44444444 44444444 44444444 44444444 44444400 44444444"),
        ("Customer Service Representative", "01001100 14401411 12211211 01000000 04000400 12111111"),
        ("CSR Manager", "02002200 24402422 23333333 02000000 04000400 23333333"),
        ("Marketing Professional", "12111111 12111211 00000000 12111111 04000400 12111111"),
        ("Marketing Manager", "23333333 23333333 00000000 23333333 04000400 23333333"),
    ] {
        let found: Vec<String> = tables.iter().map(|table| digits(name, table)).collect();
        assert_eq!(found.join(" "), expected, "{name}");
    }
}

/// Without these a person could not open the application, nor make a record of business.
#[test]
fn people_can_work() {
    use PrivilegeKind::{Append, AppendTo, Create, Read, Write};
    let people = [
        "Salesperson",
        "Sales Manager",
        "Vice President of Sales",
        "CEO-Business Manager",
        "Customer Service Representative",
        "CSR Manager",
        "Marketing Professional",
        "Marketing Manager",
        "Vice President of Marketing",
        "Schedule Manager",
        "Scheduler",
    ];
    for name in people {
        let role = role(name);
        for table in [
            "systemuser",
            "businessunit",
            "team",
            "organization",
            "transactioncurrency",
            "product",
            "pricelevel",
            "savedquery",
            "systemform",
            "territory",
            "subject",
        ] {
            assert_eq!(role.level(id(table), Read), Some(Level::Global), "{name} reads {table}");
        }
        for table in ["transactioncurrency", "product", "pricelevel", "subject", "territory"] {
            assert_eq!(role.level(id(table), AppendTo), Some(Level::Global), "{name} refers to {table}");
        }
        for (table, kind) in [
            ("systemuser", AppendTo),
            ("usersettings", Read),
            ("usersettings", Write),
            ("role", Read),
            ("userquery", Create),
            ("annotation", Create),
            ("annotation", Append),
            ("task", Create),
            ("task", Append),
        ] {
            assert!(role.level(id(table), kind).is_some(), "{name} {kind:?} {table}");
        }
        // Whatever account is seen can be given business.
        let seen = role.level(id("account"), Read);
        assert!(seen.is_some() && role.level(id("account"), AppendTo) >= seen, "{name}");
    }
    let sales = role("Salesperson");
    for (table, kind) in
        [("opportunity", Create), ("opportunity", Append), ("opportunityproduct", Create), ("quote", Create)]
    {
        assert!(sales.level(id(table), kind).is_some(), "{kind:?} {table}");
    }
    assert_eq!(sales.level(id("role"), PrivilegeKind::Assign), None);
    assert!(!sales.misc.contains(&"prvActOnBehalfOfAnotherUser".to_owned()));
}

/// Whoever gives roles chooses from that table.
#[test]
fn the_document_lists_all_of_them_in_order() {
    let (_, section) = include_str!("../../../docs/security-model.md").split_once("## 10. Built-in roles").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let listed: Vec<&str> = rows.filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
    let names: Vec<&str> = builtin_roles().iter().map(|role| role.name.as_str()).collect();
    assert_eq!(listed, names);
}
