//! The example of `docs/import.md` does what the document says.

use custodia_process::import::{Advance, Counts, Import, Options, Source};
use custodia_schema::{Money, Value, standard};

use crate::import::{Desk, text};
use crate::world::Engine;

const DOCUMENT: &str = include_str!("../../../../docs/import.md");

/// The code blocks with that word after their fence.
fn blocks(word: &str) -> Vec<&'static str> {
    let mut blocks = Vec::new();
    let mut rest = DOCUMENT;
    while let Some((_, behind)) = rest.split_once("\n```") {
        let (info, behind) = behind.split_once('\n').unwrap();
        let (block, behind) = behind.split_once("```\n").unwrap();
        if info == word {
            blocks.push(block);
        }
        rest = behind;
    }
    blocks
}

const PEOPLE: &str = "name = \"people\"\ntable = \"systemuser\"\nkey = \"mail\"\n[columns]\nfirstname = \"first\"\n\
    lastname = \"last\"\ndomainname = \"mail\"\nbusinessunitid = { value = \"Demo\", lookup = { by = \"name\" } }\n";
const ACCOUNTS: &str = "name = \"accounts\"\ntable = \"account\"\nkey = \"name\"\n[columns]\nname = \"name\"\naccountnumber = \"number\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_example_does_what_the_document_says() {
    let desk = Desk::new(Engine::Sqlite).await;
    let users = desk.write("users.csv", "first,last,mail\nAnn,Arbor,ann@old.example\n");
    desk.import(PEOPLE, &users).await;
    // A deal needs its owner to be able to have it.
    let role = desk.world.rows_where("role", &["roleid"], &[("name", text("Salesperson"))]).await[0][0].guid().unwrap();
    let ann = desk.world.rows_where("systemuser", &["systemuserid"], &[("firstname", text("Ann"))]).await[0][0]
        .guid()
        .unwrap();
    let table = |name: &str| standard().table_named(name).unwrap().id;
    let request = custodia_org::LinkRequest {
        record: custodia_org::Reference::id(table("systemuser"), ann),
        relationship: "systemuserroles_association".into(),
        other: custodia_org::Reference::id(table("role"), role),
    };
    desk.world.organization.associate(&desk.world.admin(), request).await.unwrap();
    let accounts = desk.write("accounts.csv", "name,number\nAcme Corporation,1001\nBetatech,1002\n");
    desk.import(ACCOUNTS, &accounts).await;

    let mappings = blocks("toml");
    let files = blocks("csv");
    assert_eq!((mappings.len(), files.len()), (1, 2));
    let deals = desk.write("deals.csv", files[0]);
    let import = Import::load(&standard(), mappings[0], "deals.toml").unwrap();
    let (organization, admin) = (&desk.world.organization, desk.world.admin());
    let sources = vec![Source::file(&deals)];
    let report =
        import.run(organization, &admin, sources, &Options::default(), &mut |_: &Advance<'_>| {}).await.unwrap();
    let expected = Counts { read: 6, created: 3, skipped: 1, failed: 2, ..Counts::default() };
    assert_eq!(report.counts(), expected, "{:?}", report.files[0].samples);
    assert_eq!(desk.read("deals.csv.errors.csv").as_deref(), Some(files[1]));

    let columns = ["name", "estimatedvalue", "createdon", "opportunityratingcode", "statecode", "statuscode"];
    let rows = desk.world.rows("opportunity", &columns).await;
    let row = |name: &str, value, made, rating, state, status| {
        let number = Value::BigInt;
        vec![
            text(name),
            Value::Money(Money(value)),
            Value::DateTime(made),
            number(rating),
            number(state),
            number(status),
        ]
    };
    let expected = [
        row("GTK 500", 267_680_000, 1_752_508_800, 2, 2, 5),
        row("GTX Pro for Acme Corporation", 12_345_000_000, 1_767_342_600, 1, 0, 1),
        row("MG Special for 1002", 550_000, 1_752_508_800, 3, 1, 3),
    ];
    assert_eq!(rows, expected);
    let owned = desk.world.rows_where("opportunity", &["name"], &[("ownerid", Value::Guid(ann))]).await;
    assert_eq!(owned.len(), 3);
}

#[test]
fn its_other_rules_are_right() {
    let rules = blocks("toml account");
    assert!(!rules.is_empty());
    for columns in rules {
        let mapping = format!("name = \"a\"\ntable = \"account\"\nkey = \"company\"\n[columns]\n{columns}");
        Import::load(&standard(), &mapping, "docs/import.md").unwrap();
    }
}

#[test]
fn it_describes_every_property() {
    // What a faulty property is answered with lists those there are.
    let faults = [
        "name = \"a\"\nx = 1\ntable = \"account\"\nkey = \"k\"\n[columns]\nname = \"n\"\n",
        "name = \"a\"\ntable = \"account\"\nkey = \"k\"\n[columns]\nrevenue = { from = \"n\", x = 1 }\n",
        "name = \"a\"\ntable = \"contact\"\nkey = \"k\"\ntime_zone = \"UTC\"\n[columns]\nbirthdate = { from = \"n\", x = 1 }\n",
        "name = \"a\"\ntable = \"account\"\nkey = \"k\"\n[columns]\nparentaccountid = { from = \"n\", lookup = \"id\", x = 1 }\n",
        "name = \"a\"\ntable = \"account\"\nkey = \"k\"\n[columns]\nparentaccountid = { from = \"n\", lookup = { by = \"name\", x = 1 } }\n",
    ];
    for mapping in faults {
        let fault = Import::load(&standard(), mapping, "m.toml").unwrap_err().problem;
        let known = fault.split_once("there are ").unwrap_or_else(|| panic!("{fault}")).1;
        for property in known.split(", ") {
            let plain = property.trim_matches('`');
            let described = [format!("`{plain}`"), format!("{{ {plain} = ")];
            assert!(described.iter().any(|form| DOCUMENT.contains(form)), "{property} is not described");
        }
    }
}
