//! An import has the rights of whoever runs it, and no more.

use custodia_org::{Caller, LinkRequest, Reference};
use custodia_process::import::{Advance, Counts, Error, Import, Options, Report, Source};
use custodia_schema::{Guid, Value, standard};

use crate::import::text;
use crate::world::{Engine, World};

const PEOPLE: &str = "name = \"people\"\ntable = \"systemuser\"\nkey = \"mail\"\n[columns]\nfirstname = \"first\"\n\
    lastname = \"last\"\ndomainname = \"mail\"\nbusinessunitid = { value = \"Demo\", lookup = { by = \"name\" } }\n";
const ACCOUNTS: &str = "name = \"accounts\"\ntable = \"account\"\nkey = \"name\"\n[columns]\nname = \"name\"\n\
    sic = \"sic\"\nownerid = { from = \"owner\", lookup = \"user\" }\n";

async fn import(world: &World, caller: &Caller, mapping: &str, content: &str) -> Result<Report, Error> {
    let import = Import::load(&standard(), mapping, "m.toml").unwrap();
    let sources = vec![Source::memory("rows.csv", content.to_owned())];
    import.run(&world.organization, caller, sources, &Options::default(), &mut |_: &Advance<'_>| {}).await
}

/// Two users of one unit with one role.
pub async fn sellers(world: &World, role: &str) -> (Caller, Caller) {
    let people = "first,last,mail\nSue,Seller,sue@demo.example\nTim,Trader,tim@demo.example\n";
    import(world, &world.admin(), PEOPLE, people).await.unwrap();
    let role = world.rows_where("role", &["roleid"], &[("name", text(role))]).await[0][0].guid().unwrap();
    let table = |name: &str| standard().table_named(name).unwrap().id;
    let mut callers = Vec::new();
    for mail in ["sue@demo.example", "tim@demo.example"] {
        let id = world.rows_where("systemuser", &["systemuserid"], &[("domainname", text(mail))]).await[0][0]
            .guid()
            .unwrap();
        let request = LinkRequest {
            record: Reference::id(table("systemuser"), id),
            relationship: "systemuserroles_association".into(),
            other: Reference::id(table("role"), role),
        };
        world.organization.associate(&world.admin(), request).await.unwrap();
        callers.push(Caller::user(id, Guid::from_u128(7)));
    }
    (callers[0].clone(), callers[1].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_has_the_rights_of_its_caller() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(engine, folder.path()).await;
        let (sue, tim) = sellers(&world, "Salesperson").await;
        let rows = "name,sic,owner\nAcme,1,sue@demo.example\nBeta,1,Sue Seller\n";
        let expected = Counts { read: 2, created: 2, ..Counts::default() };
        assert_eq!(import(&world, &sue, ACCOUNTS, rows).await.unwrap().counts(), expected);

        // He may see her accounts, but neither change nor take them.
        let rows = "name,sic,owner\nAcme,1,sue@demo.example\nBeta,2,Sue Seller\nGamma,1,Tim Trader\n";
        let report = import(&world, &tim, ACCOUNTS, rows).await.unwrap();
        let expected = Counts { read: 3, created: 1, unchanged: 1, failed: 1, ..Counts::default() };
        assert_eq!(report.counts(), expected, "{:?}", report.files[0].samples);
        assert_eq!(report.files[0].samples[0].line, 3);
        let beta = world.rows_where("account", &["sic"], &[("name", text("Beta"))]).await;
        assert_eq!(beta, [[text("1")]]);

        // An import is no way to a table that its caller may not write.
        let units = "name = \"units\"\ntable = \"businessunit\"\nmatch = \"name\"\n[columns]\nname = \"name\"\n";
        let report = import(&world, &sue, units, "name\nMine\n").await.unwrap();
        assert_eq!(report.counts(), Counts { read: 1, failed: 1, ..Counts::default() });
        let units = world.rows("businessunit", &["name"]).await;
        assert_eq!(units, [[Value::Text("Demo".into())]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_itself_imports_with_every_right() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Engine::Sqlite, folder.path()).await;
    let (sue, _) = sellers(&world, "Salesperson").await;
    let platform = Caller::platform("import", Guid::from_u128(8));
    let rows = "name,sic,owner\nAcme,1,sue@demo.example\n";
    let expected = Counts { read: 1, created: 1, ..Counts::default() };
    assert_eq!(import(&world, &platform, ACCOUNTS, rows).await.unwrap().counts(), expected);
    let owned = world.rows_where("account", &["name"], &[("ownerid", Value::Guid(sue.user))]).await;
    assert_eq!(owned, [[text("Acme")]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_the_platform_itself_import_what_is_kept_by_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(engine, folder.path()).await;
        let platform = Caller::platform("import", Guid::from_u128(8));
        let units = "name = \"units\"\ntable = \"businessunit\"\nkey = \"K\"\n[columns]\nname = \"N\"\n";
        let created = Counts { read: 1, created: 1, ..Counts::default() };
        assert_eq!(import(&world, &platform, units, "K,N\n1,East\n").await.unwrap().counts(), created);
        let all = world.rows("businessunit", &["name", "parentbusinessunitid", "businessunitid"]).await;
        let (root, above) = (all[0][2].guid().unwrap(), |at: usize| all[at][1].guid());
        assert_eq!((all.len(), &all[0][0], above(0), above(1)), (2, &text("Demo"), None, Some(root)));

        let failed = Counts { read: 1, failed: 1, ..Counts::default() };
        for (table, column, cell) in [
            ("organization", "name", "Another"),
            ("privilege", "name", "prvAnother"),
            ("activitypointer", "subject", "Another"),
            ("principalobjectaccess", "accessrightsmask", "1"),
        ] {
            let mapping = format!("name = \"own\"\ntable = \"{table}\"\nkey = \"K\"\n[columns]\n{column} = \"N\"\n");
            let report = import(&world, &platform, &mapping, &format!("K,N\n1,{cell}\n")).await.unwrap();
            let reasons = &report.files[0].samples;
            assert_eq!(report.counts(), failed, "{table}: {reasons:?}");
            assert_eq!(reasons[0].reason, format!("records of '{table}' are kept by the platform"));
        }
        let task = world.create(&world.admin(), "task", &[("subject", text("Call"))]).await;
        let pointers = "name = \"own\"\ntable = \"activitypointer\"\nid = \"K\"\n[columns]\nsubject = \"N\"\n";
        let report = import(&world, &platform, pointers, &format!("K,N\n{task},Another\n")).await.unwrap();
        assert_eq!(report.counts(), failed, "{:?}", report.files[0].samples);
        assert_eq!(world.rows("activitypointer", &["subject"]).await, [[text("Call")]]);
        assert_eq!(world.rows("organization", &["name"]).await, [[text("Demo")]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_cannot_go_on_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Engine::Sqlite, folder.path()).await;
    let nobody = Caller::user(Guid::from_u128(99), Guid::from_u128(7));
    let error = import(&world, &nobody, ACCOUNTS, "name,sic,owner\nAcme,1,\n").await.unwrap_err();
    assert!(matches!(error, Error::Stopped { rows: 0, .. }), "{error}");
    assert!(error.to_string().contains("run the import again"), "{error}");
}
