//! The demonstration is filled, with the numbers that its data has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use custodia_process::demo::{DemoReport, PasswordError, PasswordSetter, fill_demo, fill_demo2};
use custodia_process::import::{Advance, Counts};
use custodia_schema::{Decimal, Guid, Money, Value};
use futures::future::BoxFuture;

use crate::world::{Engine, World};

/// Keeps the passwords it is given; its noise is other noise for each of them.
#[derive(Default)]
struct KeptPasswords(Mutex<HashMap<Guid, String>>);

impl PasswordSetter for KeptPasswords {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(u8::try_from(self.0.lock().unwrap().len()).unwrap());
    }

    fn set<'a>(&'a self, user: Guid, password: &'a str) -> BoxFuture<'a, Result<(), PasswordError>> {
        self.0.lock().unwrap().insert(user, password.to_owned());
        Box::pin(async { Ok(()) })
    }
}

fn silent() -> impl FnMut(&Advance<'_>) + Send {
    |_: &Advance<'_>| {}
}

fn counts_of(report: &DemoReport, mapping: &str) -> Counts {
    report.counts.iter().find(|(name, _)| *name == mapping).unwrap_or_else(|| panic!("{mapping}")).1
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::BigInt(number) => *number,
        other => panic!("{other:?}"),
    }
}

/// How many rows have each value of a choice.
fn by_number<'v>(values: impl Iterator<Item = &'v Value>) -> BTreeMap<i64, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(integer(value)).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_has_the_numbers_of_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Engine::Sqlite, folder.path()).await;
    let passwords = KeptPasswords::default();
    let report = fill_demo(&world.organization, &world.admin(), &passwords, &mut silent()).await.unwrap();

    for (name, counts) in &report.counts {
        let sum = counts.created + counts.updated + counts.unchanged + counts.skipped + counts.failed;
        assert_eq!((counts.read, counts.failed, counts.incomplete), (sum, 0, 0), "{name}");
    }
    let of = |read, created, unchanged, skipped| Counts { read, created, unchanged, skipped, ..Counts::default() };
    assert_eq!(counts_of(&report, "demo/units.toml"), of(35, 3, 32, 0));
    assert_eq!(counts_of(&report, "demo/managers.toml"), of(35, 6, 29, 0));
    // 165 currencies are in use, the base currency was there.
    assert_eq!(counts_of(&report, "demo/currencies.toml"), of(449, 164, 100, 185));
    assert_eq!(counts_of(&report, "demo/opportunities.toml"), of(8800, 8800, 0, 0));
    assert_eq!(counts_of(&report, "demo/boroughs.toml"), of(4969, 6, 4963, 0));

    people(&world, &report, &passwords).await;
    sales(&world).await;
    service(&world).await;

    // Filling it again makes nothing new.
    let again = fill_demo(&world.organization, &world.admin(), &passwords, &mut silent()).await.unwrap();
    for (name, counts) in &again.counts {
        assert_eq!((counts.created, counts.updated, counts.failed, counts.incomplete), (0, 0, 0, 0), "{name}");
    }
}

async fn people(world: &World, report: &DemoReport, passwords: &KeptPasswords) {
    let roles: Vec<_> = report.users.iter().map(|user| (user.user.as_str(), user.role.as_str())).collect();
    assert_eq!(
        roles,
        [
            ("admin@demo.example", "System Administrator"),
            ("darcel.schlecht@demo.example", "Salesperson"),
            ("cassey.cress@demo.example", "Salesperson"),
            ("vicki.laflamme@demo.example", "Salesperson"),
            ("melvin.marxen@demo.example", "Sales Manager"),
            ("casey.morgan@demo.example", "Customer Service Representative"),
        ]
    );
    let kept = passwords.0.lock().unwrap().clone();
    for user in &report.users {
        let id =
            world.rows_where("systemuser", &["systemuserid"], &[("domainname", Value::Text(user.user.clone()))]).await;
        assert_eq!(kept.get(&id[0][0].guid().unwrap()), Some(&user.password), "{}", user.user);
    }
    assert_eq!(kept.values().collect::<std::collections::HashSet<_>>().len(), report.users.len());
    assert!(!format!("{report:?}").contains(&report.users[1].password), "a password is not for logs");

    let users =
        world.rows("systemuser", &["domainname", "fullname", "jobtitle", "businessunitid", "parentsystemuserid"]).await;
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    let of_title = |title: &str| users.iter().filter(|row| text(&row[2]) == title).count();
    assert_eq!((of_title("Salesperson"), of_title("Sales Manager")), (35, 6));
    let find = |name: &str| users.iter().find(|row| text(&row[1]) == name).unwrap();
    assert_eq!(text(&find("Mei-Mei Johns")[0]), "mei-mei.johns@demo.example");
    assert!(find("Mei-Mei Johns")[4].guid().is_some() && find("Melvin Marxen")[4].is_null());
    assert_ne!(find("Darcel Schlecht")[3], find("Cassey Cress")[3], "the sellers with a password sit in two units");
    // Everybody but the administrator and the platform's own user has one of the three roles.
    assert_eq!(world.rows("systemuserroles", &["systemuserid"]).await.len(), 35 + 6 + 1 + 1);
}

async fn sales(world: &World) {
    let columns =
        ["statecode", "parentaccountid", "actualvalue", "estimatedvalue", "ownerid", "name", "createdon", "statuscode"];
    let opportunities = world.rows("opportunity", &columns).await;
    assert_eq!(by_number(opportunities.iter().map(|row| &row[0])), BTreeMap::from([(0, 2089), (1, 4238), (2, 2473)]));
    assert_eq!(opportunities.iter().filter(|row| row[1].is_null()).count(), 1425);
    assert!(opportunities.iter().all(|row| (integer(&row[0]) == 2) == (integer(&row[7]) == 5)), "lost is Out-Sold");
    let open = |row: &&Vec<Value>| integer(&row[0]) == 0;
    assert!(opportunities.iter().filter(open).all(|row| row[2].is_null()), "an open deal has no value yet");
    let money = |value: &Value| match value {
        Value::Money(Money(amount)) => *amount,
        other => panic!("{other:?}"),
    };
    // The sums of close_value in the file.
    let won: i64 = opportunities.iter().filter(|row| integer(&row[0]) == 1).map(|row| money(&row[2])).sum();
    assert_eq!(Money(won).to_decimal(), Decimal::from(10_005_534));
    assert!(opportunities.iter().all(|row| money(&row[3]) > 0));
    assert!(opportunities.iter().any(|row| row[5] == Value::Text("GTX Pro for Isdom".into())));
    assert!(!opportunities.iter().any(|row| matches!(&row[5], Value::Text(name) if name.contains("GTXPro"))));
    // 2016-10-20, the first day on which a deal was engaged.
    let first = opportunities.iter().map(|row| match row[6] {
        Value::DateTime(seconds) => seconds,
        ref other => panic!("{other:?}"),
    });
    assert_eq!(first.min(), Some(1_476_921_600));
    assert_eq!(world.rows("opportunityproduct", &["opportunityid"]).await.len(), 8800);

    let acme = [("name", Value::Text("Acme Corporation".into()))];
    let acme = world.rows_where("account", &["accountid", "revenue", "industrycode", "numberofemployees"], &acme).await;
    let expected = [Value::Money(Money(11_000_400_000_000)), Value::BigInt(12), Value::BigInt(2822)];
    assert_eq!(acme[0][1..], expected);
    let daughters = world.rows_where("account", &["name"], &[("parentaccountid", acme[0][0].clone())]).await;
    assert_eq!(daughters.len(), 4);
    assert_eq!(world.rows("account", &["name"]).await.len(), 85 + 10 + 6);
    assert_eq!(world.rows("contact", &["fullname"]).await.len(), 59);
    assert_eq!(world.rows_where("product", &["name"], &[("statecode", Value::Integer(0))]).await.len(), 7);
    assert_eq!(world.rows("transactioncurrency", &["isocurrencycode"]).await.len(), 165);
}

async fn service(world: &World) {
    let incidents = world.rows("incident", &["ticketnumber", "statecode", "createdon", "title", "subjectid"]).await;
    assert_eq!(by_number(incidents.iter().map(|row| &row[1])), BTreeMap::from([(0, 277), (1, 4692)]));
    let find = |number: &str| incidents.iter().find(|row| row[0] == Value::Text(number.into())).unwrap();
    let abused = find("64345465");
    // 3/14/2025 1:20 in New York, four hours behind UTC since the week before.
    assert_eq!(abused[2], Value::DateTime(1_741_929_600));
    assert_eq!(abused[3], Value::Text("Animal-Abuse: Neglected".into()));
    assert!(incidents.iter().all(|row| row[4].guid().is_some()));
    let brooklyn = [("name", Value::Text("Borough of Brooklyn".into()))];
    let brooklyn = world.rows_where("account", &["accountid"], &brooklyn).await;
    let of_brooklyn = world.rows_where("incident", &["title"], &[("customerid", brooklyn[0][0].clone())]).await;
    assert_eq!(of_brooklyn.len(), 1654);
}

/// On both engines: the first takes too long on PostgreSQL for every run of the tests, and is filled in the same way.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_demonstration_is_filled_on_both_engines() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(engine, folder.path()).await;
        let passwords = KeptPasswords::default();
        let report = fill_demo2(&world.organization, &world.admin(), &passwords, &mut silent()).await.unwrap();
        assert_eq!(report.users.len(), 3);
        assert_eq!(counts_of(&report, "demo/sp500.toml"), Counts { read: 503, created: 503, ..Counts::default() });
        let place = |symbol: &str| {
            let of = [("tickersymbol", Value::Text(symbol.into()))];
            let world = &world;
            async move { world.rows_where("account", &["address1_city", "address1_stateorprovince"], &of).await }
        };
        let text = |text: &str| Value::Text(text.into());
        assert_eq!(place("MMM").await, [[text("Saint Paul"), text("Minnesota")]]);
        assert_eq!(place("AON").await.len(), 1);
    }
}
