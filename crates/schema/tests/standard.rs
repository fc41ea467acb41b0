//! The standard tables as a whole: what holds for every one of them, and facts worth their own line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::{
    AssignCascade, Cascade, Column, ColumnKind, DateBehavior, DeleteCascade, Level, LookupFlavor, MergeCascade,
    MoneyRole, OneToMany, Ownership, PrivilegeKind, RequiredLevel, RowSecurity, Schema, Table, load, standard,
    standard_files,
};

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
fn one_copy_is_shared() {
    assert!(Arc::ptr_eq(&standard(), &standard()));
}

/// Facts do not get lost: these numbers only grow, unless a table or column is taken out on purpose.
#[test]
fn nothing_is_missing() {
    let schema = standard();
    let columns: usize = schema.tables().iter().map(|table| table.columns().len()).sum();
    let cascading = schema.one_to_many().iter().filter(|known| known.cascade != nothing()).count();
    assert!(schema.tables().len() >= 109, "{} tables", schema.tables().len());
    assert!(columns >= 4_789, "{columns} columns");
    assert!(schema.one_to_many().len() >= 1_277, "{} relationships", schema.one_to_many().len());
    assert!(cascading >= 540, "{cascading} relationships with a cascade");
    assert!(schema.many_to_many().len() >= 28, "{} N:N relationships", schema.many_to_many().len());
    assert!(schema.privileges().len() >= 350, "{} privileges", schema.privileges().len());
}

fn nothing() -> Cascade {
    let none = AssignCascade::None;
    Cascade {
        assign: none,
        share: none,
        unshare: none,
        reparent: none,
        delete: DeleteCascade::None,
        merge: MergeCascade::None,
    }
}

fn table(name: &str) -> Arc<Table> {
    Arc::clone(standard().table_named(name).unwrap_or_else(|| panic!("no table {name}")))
}

fn column(table_name: &str, name: &str) -> Column {
    table(table_name).column(name).unwrap_or_else(|| panic!("no column {table_name}.{name}")).clone()
}

fn relationship<'s>(schema: &'s Schema, name: &str) -> &'s OneToMany {
    schema.one_to_many().iter().find(|known| known.name == name).unwrap_or_else(|| panic!("no relationship {name}"))
}

#[test]
fn tables_are_found_by_number_name_and_set() {
    let schema = standard();
    for table in schema.tables() {
        assert!(Arc::ptr_eq(schema.table(table.id).unwrap(), table));
        assert!(Arc::ptr_eq(schema.table_named(&table.name).unwrap(), table));
        if !table.set_name.is_empty() {
            assert!(Arc::ptr_eq(schema.table_of_set(&table.set_name).unwrap(), table));
        }
    }
    assert!(schema.tables().windows(2).all(|pair| pair[0].name < pair[1].name));
    for (code, name, set) in [
        (1, "account", "accounts"),
        (2, "contact", "contacts"),
        (3, "opportunity", "opportunities"),
        (4, "lead", "leads"),
        (8, "systemuser", "systemusers"),
        (9, "team", "teams"),
        (10, "businessunit", "businessunits"),
        (112, "incident", "incidents"),
        (1036, "role", "roles"),
        (4200, "activitypointer", "activitypointers"),
        (4212, "task", "tasks"),
        (9105, "transactioncurrency", "transactioncurrencies"),
        (12, "roleprivileges", "roleprivilegescollection"),
    ] {
        let table = schema.table_named(name).unwrap();
        assert_eq!((table.id.0, table.set_name.as_str()), (code, set));
    }
}

#[test]
fn columns_are_well_formed() {
    let mut names = HashSet::new();
    for table in standard().tables() {
        assert!(
            !table.display_name.text().is_empty() && !table.display_collection_name.text().is_empty(),
            "{}",
            table.name
        );
        assert!(table.columns().windows(2).all(|pair| pair[0].id < pair[1].id), "{}", table.name);
        for column in table.columns() {
            let name = format!("{}.{}", table.name, column.name);
            assert!(!column.name.contains("__"), "{name}");
            assert_eq!(column.schema_name.to_lowercase(), column.name, "{name}");
            assert!(!column.display_name.text().trim().is_empty(), "{name}");
            assert_eq!(table.column(&column.name).map(|found| found.id), Some(column.id), "{name}");
            assert_eq!(table.column_by_id(column.id).map(|found| &found.name), Some(&column.name), "{name}");
            assert!(
                column.derived_from.iter().all(|&source| source != column.id && table.column_by_id(source).is_some()),
                "{name}"
            );
            assert!(names.insert(name.clone()), "{name}");
            check_kind(&name, table, column);
        }
    }
}

fn check_kind(name: &str, table: &Table, column: &Column) {
    let schema = standard();
    match &column.kind {
        ColumnKind::Text { max_length, .. } => assert!((1..=4_000).contains(max_length), "{name}"),
        ColumnKind::Memo { max_length, .. } => assert!((1..=1_048_576).contains(max_length), "{name}"),
        ColumnKind::Integer { min, max, .. } => assert!(min < max, "{name}"),
        ColumnKind::Decimal { min, max, .. } => assert!(min < max, "{name}"),
        ColumnKind::Double { min, max, .. } => assert!(min < max, "{name}"),
        ColumnKind::Money { min, max, role, .. } => {
            assert!(min < max, "{name}");
            match role {
                MoneyRole::Amount { base } => {
                    assert!(base.is_some(), "{name} has no base-currency companion");
                    for needed in ["transactioncurrencyid", "exchangerate"] {
                        assert!(table.column(needed).is_some(), "{name} is money but there is no {needed}");
                    }
                }
                MoneyRole::Base { of } => {
                    assert_eq!(column.derived_from, [*of], "{name}");
                    assert!(!column.creatable && !column.updatable, "{name} is the platform's");
                }
            }
        }
        ColumnKind::Choice { options, default, .. } => {
            assert!(!options.is_empty(), "{name}");
            let values: HashSet<i32> = options.iter().map(|option| option.value).collect();
            assert_eq!(values.len(), options.len(), "{name}");
            assert!(default.is_none_or(|value| values.contains(&value)), "{name}");
            assert!(options.iter().all(|option| !option.label.text().trim().is_empty()), "{name}");
        }
        ColumnKind::Lookup { targets, flavor } => {
            assert!(!targets.is_empty() && targets.iter().all(|&target| schema.table(target).is_some()), "{name}");
            if *flavor == LookupFlavor::Customer {
                assert_eq!(targets, &[table_id("account"), table_id("contact")], "{name}");
            }
        }
        _ => {}
    }
}

fn table_id(name: &str) -> custodia_schema::TableId {
    table(name).id
}

#[test]
fn tables_have_what_the_platform_needs() {
    for table in standard().tables() {
        let name = &table.name;
        let primary = table.column_by_id(table.primary_id).unwrap();
        assert_eq!(primary.kind, ColumnKind::Guid, "{name}");
        assert!(!primary.updatable && !primary.securable && primary.readable, "{name}");
        assert_eq!(primary.required, RequiredLevel::System, "{name}");
        assert!(table.column("versionnumber").is_some_and(|column| column.kind == ColumnKind::BigInt), "{name}");

        if table.ownership == Ownership::User {
            let owner = table.column("ownerid").unwrap();
            assert!(
                matches!(&owner.kind, ColumnKind::Lookup { flavor: LookupFlavor::Owner, targets }
                if *targets == [table_id("systemuser"), table_id("team")]),
                "{name}"
            );
            for needed in [
                "owningbusinessunit",
                "owninguser",
                "owningteam",
                "createdon",
                "createdby",
                "createdonbehalfby",
                "modifiedon",
                "modifiedby",
                "modifiedonbehalfby",
                "overriddencreatedon",
                "importsequencenumber",
            ] {
                assert!(table.column(needed).is_some(), "{name} has no {needed}");
            }
        }
        for kept in [
            "createdon",
            "createdby",
            "createdonbehalfby",
            "modifiedon",
            "modifiedby",
            "modifiedonbehalfby",
            "versionnumber",
            "owningbusinessunit",
            "owninguser",
            "owningteam",
        ] {
            if let Some(column) = table.column(kept) {
                assert!(!column.creatable && !column.updatable && !column.securable, "{name}.{kept} is the platform's");
            }
        }
        assert_eq!(table.is_intersect, table.security == RowSecurity::Intersect, "{name}");
        if table.is_intersect {
            assert!(table.privileges.is_empty() && table.ownership == Ownership::None, "{name}");
        } else {
            assert!(table.privilege(PrivilegeKind::Read).is_some(), "nobody could read {name}");
        }
    }
}

#[test]
fn states_and_reasons_fit() {
    for table in standard().tables() {
        let (state, status) = match (table.state(), table.status()) {
            (None, None) => continue,
            (Some(state), Some(status)) => (state, status),
            _ => panic!("{} has only one of state and status", table.name),
        };
        assert_eq!((state.name.as_str(), status.name.as_str()), ("statecode", "statuscode"), "{}", table.name);
        let (ColumnKind::State { options: states }, ColumnKind::Status { options: reasons }) =
            (&state.kind, &status.kind)
        else {
            panic!("{}", table.name);
        };
        for state in states {
            let own = reasons.iter().filter(|(_, of)| *of == state.choice.value);
            assert!(own.clone().any(|(reason, _)| reason.value == state.default_status), "{} {state:?}", table.name);
        }
        assert!(reasons.iter().all(|(_, of)| states.iter().any(|state| state.choice.value == *of)), "{}", table.name);
    }
}

#[test]
fn each_lookup_has_one_relationship_per_target() {
    let schema = standard();
    let pointer = table_id("activitypointer");
    for table in schema.tables() {
        for column in table.columns() {
            for &target in column.kind.targets() {
                let count = schema
                    .parents_of(table.id)
                    .filter(|known| known.referencing_column == column.id && known.referenced == target)
                    .count();
                assert_eq!(count, 1, "{}.{} -> {target}", table.name, column.name);
            }
        }
    }
    for known in schema.one_to_many() {
        let child = schema.table(known.referencing).unwrap();
        let parent = schema.table(known.referenced).unwrap();
        let targets = child.column_by_id(known.referencing_column).unwrap().kind.targets();
        let as_activity = parent.is_activity && targets.contains(&pointer);
        assert!(targets.contains(&parent.id) || as_activity, "{}", known.name);
        assert!(schema.children_of(parent.id).any(|other| std::ptr::eq(other, known)), "{}", known.name);
    }
}

#[test]
fn navigations_are_unique() {
    let schema = standard();
    for table in schema.tables() {
        let mut names: HashSet<&str> = HashSet::new();
        let mut owner: HashSet<&str> = HashSet::new();
        for known in schema.parents_of(table.id) {
            let name = known.lookup_navigation.as_str();
            let column = table.column_by_id(known.referencing_column).unwrap();
            if matches!(column.kind, ColumnKind::Lookup { flavor: LookupFlavor::Owner, .. }) {
                assert_eq!(name, "ownerid", "{}", table.name);
                owner.insert(name);
            } else {
                assert!(names.insert(name), "{}.{name}", table.name);
            }
        }
        assert!(names.is_disjoint(&owner), "{}", table.name);
        names.extend(owner);
        for known in schema.children_of(table.id) {
            assert!(names.insert(&known.collection_navigation), "{}.{}", table.name, known.collection_navigation);
        }
        for link in schema.links_of(table.id) {
            if link.first == table.id {
                assert!(names.insert(&link.first_navigation), "{}.{}", table.name, link.first_navigation);
            }
            if link.second == table.id {
                assert!(names.insert(&link.second_navigation), "{}.{}", table.name, link.second_navigation);
            }
        }
        for name in names {
            let clash = table.column(name).is_some_and(|column| !matches!(column.kind, ColumnKind::Lookup { .. }));
            assert!(!clash, "{}.{name} is a column and a navigation", table.name);
        }
    }
}

#[test]
fn navigations_are_called_as_clients_know_them() {
    let schema = standard();
    for (name, lookup, collection) in [
        ("contact_customer_accounts", "parentcustomerid_account", "contact_customer_accounts"),
        ("contact_customer_contacts", "parentcustomerid_contact", "contact_customer_contacts"),
        ("account_primary_contact", "primarycontactid", "account_primary_contact"),
        ("opportunity_customer_accounts", "customerid_account", "opportunity_customer_accounts"),
        ("opportunity_parent_account", "parentaccountid", "opportunity_parent_account"),
        ("Account_Tasks", "regardingobjectid_account_task", "Account_Tasks"),
        ("Account_Letters", "regardingobjectid_account_letter", "Account_Letters"),
        ("Account_ActivityPointers", "regardingobjectid_account", "Account_ActivityPointers"),
        ("Account_Annotation", "objectid_account", "Account_Annotation"),
        ("owner_accounts", "ownerid", "owner_accounts"),
        ("team_owner_accounts", "ownerid", "owner_accounts"),
        ("owner_tasks", "ownerid", "owner_tasks"),
        ("lk_task_createdby", "createdby_task", "lk_task_createdby"),
        ("quote_details", "quoteid", "quote_details"),
        ("quote_customer_contacts", "customerid_contact", "quote_customer_contacts"),
        ("email_activity_parties", "activityid_email", "email_activity_parties"),
        ("business_unit_system_users", "businessunitid", "business_unit_system_users"),
    ] {
        let known = relationship(&schema, name);
        assert_eq!(
            (known.lookup_navigation.as_str(), known.collection_navigation.as_str()),
            (lookup, collection),
            "{name}"
        );
    }
    let of = |name: &str| schema.many_to_many().iter().find(|link| link.name == name).unwrap();
    for name in [
        "systemuserroles_association",
        "teamroles_association",
        "teammembership_association",
        "systemuserprofiles_association",
    ] {
        assert_eq!((of(name).first_navigation.as_str(), of(name).second_navigation.as_str()), (name, name));
    }
    let itself = of("campaigncampaign_association");
    assert_eq!(itself.first_navigation, "Referencingcampaigncampaign_association");
    assert_eq!(itself.second_navigation, "Referencedcampaigncampaign_association");
}

#[test]
fn intersects_hold_both_ends() {
    let schema = standard();
    for link in schema.many_to_many() {
        let intersect = schema.table(link.intersect).unwrap();
        for (end, id) in [(link.first, link.first_column), (link.second, link.second_column)] {
            let column = intersect.column_by_id(id).unwrap();
            assert_ne!(column.id, intersect.primary_id, "{}", link.name);
            match &column.kind {
                ColumnKind::Guid => {}
                ColumnKind::Lookup { targets, .. } => assert!(targets.contains(&end), "{}", link.name),
                other => panic!("{}: {other:?}", link.name),
            }
        }
        assert!(intersect.is_intersect || intersect.name == "listmember", "{}", link.name);
    }
}

/// The cascades that somebody who knows Dataverse relies on.
#[test]
fn cascades_are_those_of_the_model() {
    use AssignCascade::{All, None as Stays};
    let schema = standard();
    let check = |names: &[&str], assign, share, reparent, delete| {
        for name in names {
            let cascade = relationship(&schema, name).cascade;
            assert_eq!((cascade.assign, cascade.share, cascade.unshare), (assign, share, share), "{name}");
            assert_eq!((cascade.reparent, cascade.delete), (reparent, delete), "{name}");
        }
    };
    let parental = [
        "contact_customer_accounts",
        "opportunity_customer_accounts",
        "quote_customer_accounts",
        "incident_customer_accounts",
        "Account_Tasks",
        "Account_Annotation",
        "Opportunity_Tasks",
        "Opportunity_Annotation",
        "Account_Letters",
        "quote_customer_contacts",
    ];
    check(&parental, All, All, All, DeleteCascade::Cascade);
    check(&["order_customer_accounts", "invoice_customer_accounts"], All, All, All, DeleteCascade::Restrict);
    check(&["account_parent_account"], All, All, All, DeleteCascade::RemoveLink);
    check(
        &["account_primary_contact", "opportunity_parent_account", "lead_parent_account", "Account_ActivityPointers"],
        Stays,
        Stays,
        Stays,
        DeleteCascade::RemoveLink,
    );
    check(&["opportunity_quotes"], All, Stays, Stays, DeleteCascade::Cascade);
    check(&["opportunity_sales_orders"], All, Stays, Stays, DeleteCascade::Restrict);
    check(&["opportunity_invoices"], Stays, Stays, Stays, DeleteCascade::Restrict);
    check(&["quote_details"], All, Stays, Stays, DeleteCascade::Cascade);
    check(&["order_details", "invoice_details", "product_opportunities"], Stays, Stays, Stays, DeleteCascade::Cascade);
    check(&["quote_orders", "order_invoices"], Stays, Stays, Stays, DeleteCascade::Restrict);
    let links = ["owner_accounts", "team_owner_accounts", "business_unit_accounts", "team_accounts", "user_accounts"];
    check(&links, Stays, Stays, Stays, DeleteCascade::None);
}

/// What a table may follow at most once, else rights would have two origins.
#[test]
fn a_share_comes_down_one_lookup() {
    let schema = standard();
    for table in schema.tables().iter().filter(|table| matches!(table.security, RowSecurity::Owned { .. })) {
        let columns: HashSet<_> = schema
            .parents_of(table.id)
            .filter(|known| known.cascade.share != AssignCascade::None && known.referenced != table.id)
            .map(|known| table.column_by_id(known.referencing_column).unwrap().name.clone())
            .collect();
        let expected: &[&str] = match table.name.as_str() {
            // A close activity is about its record by two lookups that hold the same row.
            "opportunityclose" => &["opportunityid", "regardingobjectid"],
            "incidentresolution" => &["incidentid", "regardingobjectid"],
            _ => {
                assert!(columns.len() <= 1, "{}: {columns:?}", table.name);
                continue;
            }
        };
        assert_eq!(columns, expected.iter().map(|name| (*name).to_owned()).collect(), "{}", table.name);
    }
}

#[test]
fn hierarchies() {
    let schema = standard();
    let names: HashSet<&str> =
        schema.one_to_many().iter().filter(|known| known.hierarchical).map(|known| known.name.as_str()).collect();
    let expected = [
        "account_parent_account",
        "business_unit_parent_business_unit",
        "goal_parent_goal",
        "position_parent_position",
        "product_parent_product",
        "user_parent_user",
    ];
    assert_eq!(names, HashSet::from(expected));
}

#[test]
fn rows_are_protected_as_the_model_says() {
    let named = |table: &Table, name: &str| table.column(name).unwrap().id;
    for name in [
        "account",
        "contact",
        "lead",
        "opportunity",
        "quote",
        "salesorder",
        "invoice",
        "incident",
        "task",
        "annotation",
        "userquery",
    ] {
        let table = table(name);
        let (owner, unit) = (named(&table, "ownerid"), named(&table, "owningbusinessunit"));
        assert_eq!(table.security, RowSecurity::Owned { owner, unit }, "{name}");
    }
    for (name, unit, principal) in [
        ("systemuser", "businessunitid", Some("systemuserid")),
        ("usersettings", "businessunitid", Some("systemuserid")),
        ("team", "businessunitid", None),
        ("role", "businessunitid", None),
        ("businessunit", "businessunitid", None),
    ] {
        let table = table(name);
        let (unit, principal) = (named(&table, unit), principal.map(|name| named(&table, name)));
        assert_eq!(table.security, RowSecurity::Unit { unit, principal }, "{name}");
    }
    for (name, lookup) in [
        ("opportunityproduct", "opportunityid"),
        ("quotedetail", "quoteid"),
        ("salesorderdetail", "salesorderid"),
        ("invoicedetail", "invoiceid"),
        ("customeraddress", "parentid"),
        ("activityparty", "activityid"),
        ("listmember", "listid"),
        ("queueitem", "queueid"),
    ] {
        let table = table(name);
        assert_eq!(table.security, RowSecurity::Parent { lookups: vec![named(&table, lookup)] }, "{name}");
        let owner = table.column("ownerid").unwrap();
        assert!(!owner.creatable && !owner.updatable, "{name} follows its parent's owner");
    }
    for name in [
        "product",
        "pricelevel",
        "transactioncurrency",
        "organization",
        "savedquery",
        "systemform",
        "principalobjectaccess",
        "privilege",
        "audit",
    ] {
        assert_eq!(table(name).security, RowSecurity::Organization, "{name}");
    }
}

#[test]
fn parents_of_rows_lead_to_protected_rows() {
    let schema = standard();
    for table in schema.tables() {
        if let RowSecurity::Parent { lookups } = &table.security {
            for &lookup in lookups {
                for &target in table.column_by_id(lookup).unwrap().kind.targets() {
                    let parent = schema.table(target).unwrap();
                    assert!(matches!(parent.security, RowSecurity::Owned { .. }), "{} -> {}", table.name, parent.name);
                }
            }
        }
    }
}

/// Security model 2.
#[test]
fn privileges_are_those_of_the_model() {
    let schema = standard();
    let names = |name: &str| -> Vec<String> { table(name).privileges.iter().map(|known| known.name.clone()).collect() };
    assert_eq!(
        names("account"),
        [
            "prvCreateAccount",
            "prvReadAccount",
            "prvWriteAccount",
            "prvDeleteAccount",
            "prvAppendAccount",
            "prvAppendToAccount",
            "prvAssignAccount",
            "prvShareAccount"
        ]
    );
    for activity in
        ["task", "phonecall", "email", "appointment", "letter", "fax", "opportunityclose", "incidentresolution"]
    {
        assert!(table(activity).is_activity, "{activity}");
        assert_eq!(names(activity), names("activitypointer"), "{activity}");
    }
    assert_eq!(names("activitypointer")[1], "prvReadActivity");
    assert_eq!(names("annotation")[1], "prvReadNote");
    assert_eq!(names("savedquery"), ["prvCreateQuery", "prvReadQuery", "prvWriteQuery", "prvDeleteQuery"]);
    assert!(!names("userquery").iter().any(|name| name.contains("Append")));
    assert_eq!(names("systemform").len(), 4);
    assert_eq!(names("salesorder")[1], "prvReadOrder");
    assert_eq!(names("quotedetail"), names("quote"));
    assert_eq!(names("pricelevel"), names("product"));
    assert!(table("team").privilege(PrivilegeKind::Assign).is_none());

    let levels = |name: &str, kind| table(name).privilege(kind).unwrap().levels.clone();
    use Level::{Basic, Deep, Global, Local};
    assert_eq!(levels("account", PrivilegeKind::Read), [Basic, Local, Deep, Global]);
    assert_eq!(levels("product", PrivilegeKind::Read), [Global]);
    assert_eq!(levels("team", PrivilegeKind::Read), [Local, Deep, Global]);
    assert_eq!(levels("businessunit", PrivilegeKind::Create), [Deep, Global]);
    assert_eq!(levels("userquery", PrivilegeKind::Read), [Basic]);

    let ids: HashSet<_> = schema.privileges().iter().map(|known| known.id).collect();
    assert_eq!(ids.len(), schema.privileges().len());
    let read = schema.privilege_named("prvReadActivity").unwrap();
    assert!(read.tables.len() >= 13 && read.tables.contains(&table_id("task")));
    assert_eq!(schema.privilege_named("prvMerge").unwrap().tables, []);
}

/// Privilege ids stand in databases: they never change.
#[test]
fn privilege_ids_are_fixed() {
    let id = custodia_schema::privilege_id("prvReadAccount");
    assert_eq!(id.to_string(), "3d045dd4-1f16-55b6-aacf-03f20d602111");
    assert_eq!(standard().privilege_named("prvReadAccount").unwrap().id, id);
}

#[test]
fn derived_columns_know_their_sources() {
    let sources = |table_name: &str, name: &str| -> Vec<String> {
        let table = table(table_name);
        let ids = &table.column(name).unwrap().derived_from;
        ids.iter().map(|&id| table.column_by_id(id).unwrap().name.clone()).collect()
    };
    for name in ["contact", "lead", "systemuser"] {
        assert_eq!(sources(name, "fullname"), ["firstname", "middlename", "lastname"], "{name}");
        assert!(!column(name, "fullname").creatable && !column(name, "fullname").updatable, "{name}");
    }
    assert_eq!(
        sources("account", "address1_composite"),
        [
            "address1_line1",
            "address1_line2",
            "address1_line3",
            "address1_city",
            "address1_stateorprovince",
            "address1_postalcode",
            "address1_country"
        ]
    );
    assert_eq!(sources("account", "creditlimit_base"), ["creditlimit"]);
    assert_eq!(sources("opportunity", "accountid"), ["customerid"]);
    assert_eq!(sources("contact", "accountid"), ["parentcustomerid"]);
    for name in ["lead", "opportunity"] {
        assert!(sources(name, "parentcontactid").is_empty() && column(name, "parentcontactid").updatable, "{name}");
    }
    for name in ["owninguser", "owningteam"] {
        assert!(sources("account", name).is_empty());
    }
}

#[test]
fn columns_have_their_types_and_limits() {
    assert!(matches!(column("account", "name").kind, ColumnKind::Text { max_length: 160, .. }));
    assert!(matches!(column("account", "revenue").kind, ColumnKind::Money { precision: 2, .. }));
    assert!(matches!(
        column("account", "numberofemployees").kind,
        ColumnKind::Integer { min: 0, max: 1_000_000_000, .. }
    ));
    assert!(matches!(
        column("contact", "birthdate").kind,
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. }
    ));
    assert!(matches!(
        column("task", "actualdurationminutes").kind,
        ColumnKind::Integer { format: custodia_schema::IntegerFormat::Duration, .. }
    ));
    assert!(matches!(column("annotation", "documentbody").kind, ColumnKind::Memo { max_length: 1_048_576, .. }));
    assert!(matches!(column("task", "activitytypecode").kind, ColumnKind::TableName));
    assert!(matches!(column("email", "to").kind, ColumnKind::PartyList));
    assert!(matches!(column("transactioncurrency", "exchangerate").kind, ColumnKind::Decimal { precision: 12, .. }));
    assert!(column("transactioncurrency", "exchangerate").creatable);
    assert!(!column("account", "exchangerate").creatable);
    assert_eq!(column("incident", "ticketnumber").auto_number.as_deref(), Some("CAS-{SEQNUM:5}-{RANDSTRING:6}"));
    let status = column("opportunity", "statuscode").kind;
    assert!(
        matches!(status, ColumnKind::Status { options } if options.iter().any(|(reason, state)| (reason.value, *state) == (5, 2)))
    );
    let choice = column("role", "isinherited").kind;
    assert!(matches!(choice, ColumnKind::Choice { default: Some(1), .. }));
    assert!(column("account", "creditlimit").securable && !column("account", "ownerid").securable);
}

#[test]
fn only_what_a_caller_knows_must_be_given() {
    let given = |name: &str| -> Vec<String> {
        let table = table(name);
        let must = table.columns().iter().filter(|column| table.must_be_given(column));
        must.map(|column| column.name.clone()).collect()
    };
    for name in [
        "account",
        "contact",
        "lead",
        "opportunity",
        "quote",
        "task",
        "email",
        "annotation",
        "organization",
        "usersettings",
    ] {
        assert!(given(name).is_empty(), "{name}: {:?}", given(name));
    }
    assert_eq!(given("incident"), ["customerid"]);
    assert_eq!(given("quotedetail"), ["quoteid"]);
    assert_eq!(given("systemuser"), ["businessunitid", "domainname"]);
    assert_eq!(given("team"), ["name"]);
    assert_eq!(given("businessunit"), ["name"]);
    assert_eq!(given("list"), ["listname", "createdfromcode"]);
}

#[test]
fn keys_are_those_the_platform_enforces() {
    let keys = |name: &str| -> Vec<String> { table(name).keys.iter().map(|key| key.name.clone()).collect() };
    assert!(keys("account").is_empty(), "account numbers may repeat");
    assert!(keys("contact").is_empty());
    assert_eq!(keys("transactioncurrency"), ["isocurrencycode"]);
    assert_eq!(keys("product"), ["productnumber"]);
    assert!(keys("systemuser").contains(&"domainname".to_owned()));
}
