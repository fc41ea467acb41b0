//! Records go out and come back: equal content, the caller's rights, pages, refusals.

use std::io;

use custodia_org::{Caller, Input, Organization, RecordInput, Reference};
use custodia_process::export::{Destination, Error, Export, Exported, Style};
use custodia_process::import::{Advance, Counts, Import, Options, Source};
use custodia_query::Zone;
use custodia_schema::{Guid, Value};
use futures::future::BoxFuture;

use crate::import::text;
use crate::rights::sellers;
use crate::world::{Engine, World};

/// Keeps what it is given; breaks after a number of parts.
#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    parts: usize,
    parts_max: Option<usize>,
}

impl Destination for Memory {
    fn take<'d>(&'d mut self, bytes: Vec<u8>, _: u64) -> BoxFuture<'d, io::Result<()>> {
        self.parts += 1;
        let broken = self.parts_max.is_some_and(|max| self.parts > max);
        self.bytes.extend(bytes);
        Box::pin(async move { if broken { Err(io::Error::other("full")) } else { Ok(()) } })
    }
}

fn plan(world: &World, table: &str, columns: &[&str], style: Style) -> Result<Export, Error> {
    let columns: Vec<_> = columns.iter().map(|name| (*name).to_owned()).collect();
    Export::of(&world.organization.schema(), table, &columns, style)
}

async fn run(organization: &Organization, caller: &Caller, export: &Export) -> Result<(Exported, String), Error> {
    let mut memory = Memory::default();
    let exported = export.run(organization, caller, &mut memory).await?;
    assert_eq!(exported.bytes, memory.bytes.len() as u64);
    Ok((exported, String::from_utf8(memory.bytes).unwrap()))
}

/// Lines of fields, the header first.
fn fields(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The columns of a file but those of these names, or that belong to them.
fn without(csv: &str, names: &[&str]) -> Vec<Vec<String>> {
    let lines = fields(csv);
    let is_kept = |header: &String| !names.contains(&header.split('.').next().unwrap());
    let kept: Vec<bool> = lines[0].iter().map(is_kept).collect();
    let of_line =
        |line: &Vec<String>| line.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(f, _)| f.clone()).collect();
    lines.iter().map(of_line).collect()
}

async fn bring(world: &World, mapping: &str, content: &str) -> Counts {
    let import =
        Import::load(&world.organization.schema(), mapping, "m.toml").unwrap_or_else(|e| panic!("{e}\n{mapping}"));
    let sources = vec![Source::memory("rows.csv", content.to_owned())];
    let told = &mut |_: &Advance<'_>| {};
    let report = import.run(&world.organization, &world.admin(), sources, &Options::default(), told).await.unwrap();
    assert_eq!(report.counts().failed + report.counts().incomplete, 0, "{:?}\n{mapping}", report.files[0].samples);
    report.counts()
}

const ACCOUNTS: &str = "name = \"accounts\"\ntable = \"account\"\nkey = \"no\"\ncells = \"exact\"\n[columns]\n\
    name = \"name\"\nsic = \"sic\"\ndescription = \"about\"\nrevenue = \"revenue\"\nindustrycode = \"trade\"\n\
    creditonhold = \"hold\"\nparentaccountid = { from = \"of\", later = true, lookup = { mapping = \"accounts\" } }\n\
    overriddencreatedon = \"made\"\nstatuscode = \"status\"\n";

/// Texts that spreadsheets and parsers stumble over.
const ACCOUNT_ROWS: &str = "no,name,sic,about,revenue,trade,hold,of,made,status\n\
    1,\"=HYPERLINK(\"\"http://x\"\")\",+1,\" blanks \",1234.5678,Accounting,true,2,2020-02-29T23:59:59Z,Active\n\
    2,'=already,'+,\"two\nlines\r\n, and \"\"quotes\"\"\",0.01,1,no,,2001-01-01T00:00:00Z,Inactive\n\
    3,Ærø Ünïcode 漢字,\t,\"\ttab\",,,,1,,\n\
    4,'plain,@x,-5,-0,,,,,\n";

const CONTACTS: &str = "name = \"contacts\"\ntable = \"contact\"\nkey = \"no\"\n[columns]\nlastname = \"last\"\n\
    birthdate = \"born\"\nfamilystatuscode = \"family\"\nparentcustomerid = [\n\
    { from = \"account\", when = { column = \"account\", empty = false }, later = true, lookup = { table = \"account\", mapping = \"accounts\" } },\n\
    { from = \"contact\", later = true, lookup = { table = \"contact\", mapping = \"contacts\" } } ]\n";
const CONTACT_ROWS: &str =
    "no,last,born,family,account,contact\n1,One,1950-12-31,Married,1,\n2,Two,,,,1\n3,Three,2000-02-29,4,,\n";

/// The first and the last instants that there are: what people write for "without end".
const TASKS: &str = "name = \"tasks\"\ntable = \"task\"\nkey = \"no\"\n[columns]\nsubject = \"no\"\n\
    scheduledstart = \"from\"\nscheduledend = \"to\"\n";
const TASK_ROWS: &str = "no,from,to\n1,1753-01-01T00:00:00Z,9999-12-31T00:00:00Z\n\
    2,2024-02-29T10:00:00+02:00,9999-12-31T23:59:59Z\n";

/// What another organisation has its own of, and what says when a row was written.
const OF_THE_ORGANISATION: &[&str] = &[
    "ownerid",
    "owninguser",
    "owningteam",
    "owningbusinessunit",
    "createdby",
    "modifiedby",
    "versionnumber",
    "transactioncurrencyid",
    "overriddencreatedon",
];

async fn what_goes_out_comes_back(engine: Engine) {
    for style in [Style::default(), Style { labels: true, raw: false }, Style { labels: false, raw: true }] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(engine, folder.path()).await;
        bring(&world, ACCOUNTS, ACCOUNT_ROWS).await;
        bring(&world, CONTACTS, CONTACT_ROWS).await;
        bring(&world, TASKS, TASK_ROWS).await;
        let other_folder = tempfile::tempdir().unwrap();
        let other = World::new(engine, other_folder.path()).await;
        for (table, rows) in [("account", 4), ("contact", 3), ("task", 2)] {
            let export = plan(&world, table, &[], style).unwrap();
            let (exported, file) = run(&world.organization, &world.admin(), &export).await.unwrap();
            assert_eq!((exported.rows, exported.changes_meanwhile), (rows, Some(0)));
            let counts = bring(&other, &export.mapping(), &file).await;
            assert_eq!(counts, Counts { read: rows, created: rows, ..Counts::default() }, "{table}");
            let (_, again) = run(&other.organization, &other.admin(), &export).await.unwrap();
            assert_eq!(without(&file, OF_THE_ORGANISATION), without(&again, OF_THE_ORGANISATION), "{table} {style:?}");
            // The file says all there is to say: brought in again, it changes nothing.
            let counts = bring(&other, &export.mapping(), &file).await;
            assert_eq!(counts, Counts { read: rows, unchanged: rows, ..Counts::default() }, "{table}");
        }
    }
}

async fn a_file_is_what_a_person_expects(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(engine, folder.path()).await;
    bring(&world, ACCOUNTS, ACCOUNT_ROWS).await;
    let columns = ["name", "sic", "revenue", "industrycode", "creditonhold", "parentaccountid", "createdon"];
    let export = plan(&world, "account", &columns, Style { labels: true, raw: false }).unwrap();
    let (_, file) = run(&world.organization, &world.admin(), &export).await.unwrap();
    let lines = fields(&file);
    assert_eq!(
        lines[0],
        [
            "accountid",
            "name",
            "sic",
            "revenue",
            "industrycode",
            "creditonhold",
            "parentaccountid",
            "parentaccountid.name",
            "createdon"
        ]
    );
    let ids: Vec<_> = lines[1..].iter().map(|line| line[0].clone()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let of = |sic: &str| lines.iter().find(|line| line[2] == sic).unwrap_or_else(|| panic!("{sic}: {lines:?}")).clone();
    let first = of("'+1");
    assert_eq!(first[1], "'=HYPERLINK(\"http://x\")");
    assert_eq!(first[3..6], ["1234.5678", "Accounting", "Yes"]);
    assert_eq!(first[7], "''=already");
    assert_eq!(first[8], "2020-02-29T23:59:59Z");
    assert_eq!(of("''+")[5], "No");
    assert_eq!(of("'@x")[1], "'plain");
    assert_eq!(of("'@x")[3], "0");
}

async fn pages_neither_lose_nor_repeat_a_row(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(engine, folder.path()).await;
    let rows = (0..2_001).map(|row| format!("{row},Account {row},{}\n", if row < 1_000 { "a" } else { "b" }));
    let content = format!("no,name,sic\n{}", rows.collect::<String>());
    let mapping = "name = \"many\"\ntable = \"account\"\nkey = \"no\"\n[columns]\nname = \"name\"\nsic = \"sic\"\n";
    bring(&world, mapping, &content).await;
    let asker = world.organization.asker(&world.admin(), |_| Zone::utc().into()).await.unwrap();
    let where_sic = |value: &str| {
        format!(
            "<fetch><entity name='account'><filter><condition attribute='sic' operator='eq' value='{value}'/></filter></entity></fetch>"
        )
    };
    for (filter, rows) in [(None, 2_001), (Some("a"), 1_000), (Some("b"), 1_001), (Some("c"), 0)] {
        let mut export = plan(&world, "account", &["name"], Style::default()).unwrap();
        if let Some(filter) = filter {
            export = export.filtered(&where_sic(filter), &asker).unwrap();
        }
        let (exported, file) = run(&world.organization, &world.admin(), &export).await.unwrap();
        let mut names: Vec<_> = fields(&file)[1..].iter().map(|line| line[1].clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!((exported.rows, names.len() as u64), (rows, rows), "{filter:?}");
    }

    // Long texts end a page before its rows do.
    let text = "x".repeat(99_000);
    let notes = (0..60).map(|row| format!("{row},Note {row},{text}\n"));
    let content = format!("no,title,body\n{}", notes.collect::<String>());
    let mapping =
        "name = \"notes\"\ntable = \"annotation\"\nkey = \"no\"\n[columns]\nsubject = \"title\"\nnotetext = \"body\"\n";
    bring(&world, mapping, &content).await;
    let export = plan(&world, "annotation", &["subject", "notetext"], Style::default()).unwrap();
    let mut memory = Memory::default();
    let exported = export.run(&world.organization, &world.admin(), &mut memory).await.unwrap();
    assert_eq!((exported.rows, memory.parts), (60, 3), "a header and two pages");
    let lines = fields(std::str::from_utf8(&memory.bytes).unwrap());
    let mut titles: Vec<_> = lines[1..].iter().map(|line| line[1].clone()).collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 60);
}

async fn an_export_has_the_rights_of_its_caller(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(engine, folder.path()).await;
    let (sue, tim) = sellers(&world, "Basic User").await;
    let mapping = "name = \"owned\"\ntable = \"account\"\nkey = \"name\"\n[columns]\nname = \"name\"\ncreditlimit = \"limit\"\n\
        ownerid = { from = \"owner\", lookup = \"user\" }\n";
    bring(&world, mapping, "name,limit,owner\nSue's,100,sue@demo.example\nTim's,200,tim@demo.example\n").await;
    let export = plan(&world, "account", &["name", "creditlimit", "creditlimit_base"], Style::default()).unwrap();
    let of = async |caller: &Caller| fields(&run(&world.organization, caller, &export).await.unwrap().1)[1..].to_vec();
    let lines = of(&sue).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0][1..], ["Sue's", "100", "100"]);

    // A secured column is empty for whoever may not read it.
    let account = world.organization.schema().table_named("account").unwrap().clone();
    let platform = Caller::platform("test", Guid::from_u128(9));
    let limit = account.column("creditlimit").unwrap().id;
    world.organization.secure_column(&platform, account.id, limit, true).await.unwrap();
    assert_eq!(of(&tim).await[0][1..3], ["Tim's", ""]);
    assert_eq!(of(&platform).await.len(), 2);

    // Who may not read the table gets nothing, and a disabled user neither.
    let users = world.organization.schema().table_named("systemuser").unwrap().clone();
    let input = RecordInput {
        table: users.id,
        id: None,
        columns: vec![(users.column("isdisabled").unwrap().id, Input::Value(Value::Boolean(true)))],
    };
    let target = Reference::id(users.id, tim.user);
    world.organization.update(&world.admin(), target, input, custodia_org::Precondition::Exists).await.unwrap();
    let refused = run(&world.organization, &tim, &export).await.unwrap_err();
    assert!(matches!(&refused, Error::Gate { rows: 0, .. }), "{refused}");
}

async fn what_cannot_be_exported_is_refused(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(engine, folder.path()).await;
    let refused =
        |table: &str, columns: &[&str]| plan(&world, table, columns, Style::default()).unwrap_err().to_string();
    assert!(refused("acount", &[]).contains("there is no table 'acount'"));
    assert!(refused("account", &["nme"]).contains("has no column 'nme'"));
    assert!(refused("competitor", &["entityimage"]).contains("no value that can be exported"));
    let asker = world.organization.asker(&world.admin(), |_| Zone::utc().into()).await.unwrap();
    let export = plan(&world, "account", &["name"], Style::default()).unwrap();
    let filtered = |inner: &str, table: &str, with: &str| {
        let fetch = format!("<fetch {with}><entity name='{table}'>{inner}</entity></fetch>");
        export.clone().filtered(&fetch, &asker).unwrap_err().to_string()
    };
    assert!(filtered("", "contact", "").contains("asks for 'contact'"));
    assert!(filtered("<order attribute='name'/>", "account", "").contains("leave out order"));
    assert!(filtered("", "account", "top='5'").contains("leave out order"));
    let link = "<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='inner'/>";
    assert!(filtered(link, "account", "").contains("link-entity"));
    assert!(filtered("<filter><condition attribute='nme' operator='null'/></filter>", "account", "").contains("nme"));

    bring(&world, ACCOUNTS, ACCOUNT_ROWS).await;
    let mut memory = Memory { parts_max: Some(1), ..Memory::default() };
    let broken = export.run(&world.organization, &world.admin(), &mut memory).await.unwrap_err();
    assert!(matches!(broken, Error::Destination { .. }), "{broken}");
    assert_eq!(world.rows_where("account", &["name"], &[("sic", text("@x"))]).await.len(), 1);
}

macro_rules! on_both_engines {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::world::Engine::Sqlite).await;
            })+
        }
        mod on_postgresql {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::world::Engine::Postgres).await;
            })+
        }
    };
}
on_both_engines!(
    what_goes_out_comes_back,
    a_file_is_what_a_person_expects,
    pages_neither_lose_nor_repeat_a_row,
    an_export_has_the_rights_of_its_caller,
    what_cannot_be_exported_is_refused,
);
