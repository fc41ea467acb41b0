//! Column security.

use std::sync::Arc;

use custodia_access::{Authority, Denied};
use custodia_schema::{ColumnId, Schema, load, standard_files};

use crate::people::{ANNE, BOB, EAST, Person, column};

/// The standard schema with `contact.firstname` and `contact.creditlimit` secured.
fn secured() -> Arc<Schema> {
    let contact = standard_files().iter().find(|(name, _)| *name == "contact.toml").unwrap().1;
    let secured: Vec<String> = contact
        .lines()
        .map(|line| match line.contains("name = \"firstname\", ") || line.contains("name = \"creditlimit\", ") {
            true => line.replace(", securable = false", "").replace(" },", ", secured = true },"),
            false => line.to_owned(),
        })
        .collect();
    let secured = secured.join("\n");
    let files: Vec<(&str, &str)> = standard_files()
        .iter()
        .map(|(name, text)| (*name, if *name == "contact.toml" { secured.as_str() } else { *text }))
        .collect();
    Arc::new(load(&files).unwrap())
}

#[test]
fn a_secured_column_is_closed_unless_a_profile_opens_it() {
    let schema = secured();
    let contact = schema.table_named("contact").unwrap();
    let cases = [
        ("no profile", Person::anne(), "firstname", [false, false, false]),
        ("read only", Person::anne().field(contact, "firstname", "r"), "firstname", [true, false, false]),
        ("blind writes", Person::anne().field(contact, "firstname", "u"), "firstname", [false, false, true]),
        (
            "profiles add up",
            Person::anne().field(contact, "firstname", "r").field(contact, "firstname", "c"),
            "firstname",
            [true, true, false],
        ),
        ("another column's profile", Person::anne().field(contact, "creditlimit", "rcu"), "firstname", [false; 3]),
        ("System Administrator", Person::anne().all_columns(), "firstname", [true; 3]),
        ("not secured", Person::anne(), "lastname", [true; 3]),
    ];
    for (what, person, name, expected) in cases {
        let rights = person.rights_in(&schema);
        let column = column(contact, name);
        let open = [
            rights.reads_column(contact.id, column),
            rights.creates_column(contact.id, column),
            rights.updates_column(contact.id, column),
        ];
        assert_eq!(open, expected, "{what}");
    }
}

#[test]
fn derived_columns_are_read_only_with_all_their_sources() {
    let schema = secured();
    let contact = schema.table_named("contact").unwrap();
    let reads = |person: &Person, name| person.rights_in(&schema).reads_column(contact.id, column(contact, name));
    let nobody = Person::anne();
    assert!(!reads(&nobody, "fullname"));
    assert!(!reads(&nobody, "creditlimit_base"));
    assert!(reads(&nobody, "address1_composite"));
    let open = Person::anne().field(contact, "firstname", "r").field(contact, "creditlimit", "r");
    assert!(reads(&open, "fullname"));
    assert!(reads(&open, "creditlimit_base"));
    // The base amount being closed says nothing about its source.
    let schema_account = schema.table_named("account").unwrap();
    let rights = nobody.rights_in(&schema);
    assert!(!rights.reads_column(schema_account.id, column(schema_account, "openrevenue_base")));
    assert!(rights.reads_column(schema_account.id, column(schema_account, "revenue_base")));
}

#[test]
fn unknown_columns_and_tables_are_closed() {
    let schema = secured();
    let contact = schema.table_named("contact").unwrap();
    let rights = Person::anne().all_columns().rights_in(&schema);
    assert!(!rights.reads_column(contact.id, ColumnId(u16::MAX)));
    assert!(!rights.reads_column(custodia_schema::TableId(4_000_000), ColumnId(1)));
}

#[test]
fn a_write_that_mentions_a_closed_column_is_refused_whole() {
    let schema = secured();
    let contact = schema.table_named("contact").unwrap();
    let authority = Authority::user(Person::anne().field(contact, "firstname", "u").rights_in(&schema));
    let mentioned = [column(contact, "lastname"), column(contact, "firstname")];
    let denied = authority.check_created_columns(contact, mentioned).unwrap_err();
    assert_eq!(denied.code(), 0x8004_f502);
    let (table, column_name) = ("contact".to_owned(), "firstname".to_owned());
    assert_eq!(denied, Denied::ColumnCreate { user: ANNE, table, column: column_name });
    assert_eq!(authority.check_updated_columns(contact, mentioned), Ok(()));
    assert_eq!(authority.check_created_columns(contact, [column(contact, "lastname")]), Ok(()));
    let denied = authority.check_updated_columns(contact, [column(contact, "creditlimit")]).unwrap_err();
    assert_eq!(denied.code(), 0x8004_f507);
}

#[test]
fn both_users_need_the_column_when_one_acts_for_the_other() {
    let schema = secured();
    let contact = schema.table_named("contact").unwrap();
    let firstname = column(contact, "firstname");
    let global = custodia_schema::Level::Global;
    let anne = Person::anne().role(&[("prvActOnBehalfOfAnotherUser", global)]);
    let bob = Person::new(BOB, EAST).role(&[]).field(contact, "firstname", "r").rights_in(&schema);
    let closed = Authority::on_behalf(anne.rights_in(&schema), Arc::clone(&bob)).unwrap();
    assert!(!closed.reads_column(contact, firstname));
    let open = Authority::on_behalf(anne.field(contact, "firstname", "r").rights_in(&schema), bob).unwrap();
    assert!(open.reads_column(contact, firstname));
}
