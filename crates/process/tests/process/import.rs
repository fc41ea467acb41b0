//! Files become records: counts, errors, links, repeats.

use std::path::{Path, PathBuf};

use custodia_org::StoreError;
use custodia_process::import::{Advance, Counts, Error, Import, Options, Report, Resumed, Source};
use custodia_schema::{Money, Value, standard};
use custodia_store::Transaction;
use futures::channel::{mpsc, oneshot};
use futures::{FutureExt, StreamExt};

use crate::world::{Engine, NOW, World};

/// An organisation and a folder with files.
pub struct Desk {
    pub world: World,
    pub folder: tempfile::TempDir,
}

impl Desk {
    pub async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { world: World::new(engine, folder.path()).await, folder }
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(name)).ok()
    }

    pub async fn try_import(&self, mapping: &str, files: &[&Path]) -> Result<Report, Error> {
        let import = Import::load(&standard(), mapping, "m.toml").unwrap();
        let sources = files.iter().map(|path| Source::file(path)).collect();
        // Small batches, so that small files have several.
        let options = Options { batch_rows: 4, in_flight: 3 };
        import.run(&self.world.organization, &self.world.admin(), sources, &options, &mut |_: &Advance<'_>| {}).await
    }

    pub async fn import(&self, mapping: &str, file: &Path) -> Counts {
        self.try_import(mapping, &[file]).await.unwrap().counts()
    }
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn created(n: u64) -> Counts {
    Counts { read: n, created: n, ..Counts::default() }
}

const ACCOUNTS: &str = "name = \"accounts\"\ntable = \"account\"\nkey = \"id\"\n\
    [columns]\nname = \"name\"\nrevenue = { from = \"revenue\", scale = 1000 }\n";

async fn a_second_import_changes_only_what_differs(engine: Engine) {
    let desk = Desk::new(engine).await;
    let file =
        desk.write("a.csv", "id,name,revenue\n1,Acme,1.5\n2,Beta,\n3,Gamma,3\n4,Delta,4\n5,Epsilon,5\n6,Zeta,6\n");
    assert_eq!(desk.import(ACCOUNTS, &file).await, created(6));
    let expected = Counts { read: 6, unchanged: 6, ..Counts::default() };
    assert_eq!(desk.import(ACCOUNTS, &file).await, expected);
    assert_eq!((desk.read("a.csv.errors.csv"), desk.read("a.csv.import-state")), (None, None));

    let file = desk.write("a.csv", "id,name,revenue\n1,Acme,1.5\n2,Beta,2\n3,Gamma plus,3\n7,Eta,7\n4,Delta,\n");
    let expected = Counts { read: 5, created: 1, updated: 2, unchanged: 2, ..Counts::default() };
    assert_eq!(desk.import(ACCOUNTS, &file).await, expected);
    let money = |n: i64| Value::Money(Money(n * 10_000));
    let rows = desk.world.rows("account", &["name", "revenue"]).await;
    let expected = [("Acme", 1500), ("Beta", 2000), ("Delta", 4000), ("Epsilon", 5000), ("Eta", 7000)];
    let expected: Vec<_> = expected
        .iter()
        .chain(&[("Gamma plus", 3000), ("Zeta", 6000)])
        .map(|(name, n)| vec![text(name), money(*n)])
        .collect();
    assert_eq!(rows, expected);
}

async fn failed_rows_are_told_and_can_be_mended(engine: Engine) {
    let desk = Desk::new(engine).await;
    let long = "x".repeat(161);
    let content = format!(
        "id,name,revenue\n1,Acme,lots\n2,\"Be\nta\",2\n3,{long},3\n,Nobody,4\n5,Epsilon\n6,Zeta,-6\n7,Eta,7\n8,Theta,8,9\n9,Io\0ta,9\n"
    );
    let file = desk.write("a.csv", content);
    let mapping = format!("{ACCOUNTS}creditonhold = {{ value = \"no\" }}\n");
    let report = desk.try_import(&mapping, &[&file]).await.unwrap();
    let file_report = &report.files[0];
    assert_eq!(file_report.counts, Counts { read: 9, created: 2, failed: 7, ..Counts::default() });
    assert_eq!(file_report.errors, Some(desk.folder.path().join("a.csv.errors.csv")));
    let reasons: Vec<_> = file_report.samples.iter().map(|reject| (reject.line, reject.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (2, "revenue: `lots` is not a number"),
            (5, "account.name: the text has 161 characters, at most 160 fit"),
            (6, "the key is empty (id)"),
            (7, "the row has 2 fields, the header 3"),
            (8, "account.revenue: -6000 is not between 0 and 100000000000000"),
            (10, "the row has 4 fields, the header 3"),
            (11, "account.name: a text cannot contain the character U+0000"),
        ]
    );
    let errors = desk.read("a.csv.errors.csv").unwrap();
    let mut lines = errors.lines();
    assert_eq!(lines.next(), Some("import line,import error,id,name,revenue"));
    assert_eq!(lines.next(), Some("2,revenue: `lots` is not a number,1,Acme,lots"));

    // The error file itself, mended, is a file to import.
    let mended = errors.replace("Acme,lots", "Acme,1").replace(&long, "Gamma").replace(",,Nobody", ",4,Nobody");
    let mended = mended.replace("5,Epsilon", "5,Epsilon,5").replace(",-6", ",6").replace("Theta,8,9", "Theta,8");
    let mended = desk.write("mended.csv", mended.replace('\0', ""));
    assert_eq!(desk.import(&mapping, &mended).await, created(7));
    assert_eq!(desk.world.rows("account", &["name"]).await.len(), 9);

    // What fails no more leaves no error file behind.
    desk.write("a.csv", "id,name,revenue\n7,Eta,7\n");
    assert_eq!(desk.import(&mapping, &file).await, Counts { read: 1, unchanged: 1, ..Counts::default() });
    assert_eq!(desk.read("a.csv.errors.csv"), None);
}

async fn rows_of_one_record_follow_each_other(engine: Engine) {
    let desk = Desk::new(engine).await;
    let file =
        desk.write("a.csv", "id,name,revenue\n1,One,1\n1,Two,1\n1,Two,1\n1,Three,1\n2,Other,2\n1,Four,1\n2,Other,2\n");
    let expected = Counts { read: 7, created: 2, updated: 3, unchanged: 2, ..Counts::default() };
    assert_eq!(desk.import(ACCOUNTS, &file).await, expected);
    let names = desk.world.rows("account", &["name"]).await;
    assert_eq!(names, [[text("Four")], [text("Other")]]);
    // A repeat of a row that failed has failed too.
    let file = desk.write("b.csv", "id,name,revenue\n8,Eight,-1e\n8,Eight,-1e\n");
    assert_eq!(desk.import(ACCOUNTS, &file).await, Counts { read: 2, failed: 2, ..Counts::default() });
}

async fn links_find_their_records(engine: Engine) {
    let desk = Desk::new(engine).await;
    let file = desk.write("a.csv", "id,name,revenue\n1,Acme,1\n2,Beta,2\n3,Twin,3\n4,Twin,4\n");
    desk.import(ACCOUNTS, &file).await;
    let contacts = "name = \"contacts\"\ntable = \"contact\"\nkey = \"no\"\n[columns]\nlastname = \"last\"\n\
        parentcustomerid = [\n\
        { from = \"account\", when = { column = \"by\", is = \"name\" }, lookup = { table = \"account\", by = [\"accountnumber\", \"name\"] } },\n\
        { from = \"account\", when = { column = \"by\", is = \"key\" }, lookup = { table = \"account\", mapping = \"accounts\" } },\n\
        { from = \"account\", when = { column = \"by\", is = \"id\" }, lookup = \"id\" },\n]\n"
        .replace("lookup = \"id\"", "lookup = { table = \"account\", by = \"accountid\" }");
    let acme = desk.world.rows_where("account", &["accountid"], &[("name", text("Acme"))]).await[0][0].guid().unwrap();
    let file = desk.write(
        "c.csv",
        format!(
            "no,last,by,account\n1,Adams,name,ÀCME \n2,Brown,key,2\n3,Clark,id,{acme}\n4,Davis,name,Gone\n5,Evans,name,Twin\n\
             6,Frank,key,77\n7,Green,name,\n8,Hills,id,{acme}x\n"
        ),
    );
    let report = desk.try_import(&contacts, &[&file]).await.unwrap();
    assert_eq!(report.counts(), Counts { read: 8, created: 4, failed: 4, ..Counts::default() });
    let reasons: Vec<_> = report.files[0].samples.iter().map(|reject| (reject.line, reject.reason.clone())).collect();
    let by = "account by accountnumber or name";
    assert_eq!(reasons[0], (5, format!("parentcustomerid: there is no record for `Gone` ({by})")));
    assert_eq!(
        reasons[1],
        (6, format!("parentcustomerid: there are several records for `Twin` ({by}): it must name one"))
    );
    // What is not looked up is told of like what is.
    let of_mapping = "account of the mapping `accounts`";
    assert_eq!(reasons[2], (7, format!("parentcustomerid: there is no record for `77` ({of_mapping})")));
    assert_eq!(reasons[3], (9, format!("parentcustomerid: there is no record for `{acme}x` (account by accountid)")));
    let linked = desk.world.rows("contact", &["lastname", "parentcustomerid"]).await;
    let linked: Vec<_> =
        linked.iter().map(|row| (row[0].clone(), row[1].guid() == Some(acme), row[1].is_null())).collect();
    assert_eq!(
        linked,
        [
            (text("Adams"), true, false),
            (text("Brown"), false, false),
            (text("Clark"), true, false),
            (text("Green"), false, true),
        ]
    );

    // A link that may be missed leaves its column alone.
    let lenient = contacts
        .replace("lookup = { table = \"account\", by", "missing = \"leave\", lookup = { table = \"account\", by");
    let file = desk.write("d.csv", "no,last,by,account\n1,Adams,name,Gone\n9,Irwin,name,Gone\n");
    let expected = Counts { read: 2, created: 1, unchanged: 1, ..Counts::default() };
    assert_eq!(desk.import(&lenient, &file).await, expected);
}

async fn later_columns_may_point_at_rows_below(engine: Engine) {
    let desk = Desk::new(engine).await;
    let mapping =
        format!("{ACCOUNTS}parentaccountid = {{ from = \"of\", later = true, lookup = {{ by = \"name\" }} }}\n");
    let first =
        desk.write("1.csv", "id,name,revenue,of\n1,One,1,Six\n2,Two,2,One\n3,Three,x,One\n4,Four,4,Gone\n5,Five,5,\n");
    let second = desk.write("2.csv", "id,name,revenue,of\n6,Six,6,\n");
    let report = desk.try_import(&mapping, &[&first, &second]).await.unwrap();
    let expected = Counts { read: 5, created: 4, failed: 1, incomplete: 1, ..Counts::default() };
    assert_eq!((report.files[0].counts, report.files[1].counts), (expected, created(1)));
    let errors = desk.read("1.csv.errors.csv").unwrap();
    let lines: Vec<_> = errors.lines().skip(1).collect();
    assert!(lines[0].starts_with("4,") && lines[1].starts_with("5,parentaccountid: there is no record for `Gone`"));
    let ids = desk.world.rows("account", &["name", "accountid", "parentaccountid"]).await;
    let of = |name: &str| ids.iter().find(|row| row[0] == text(name)).unwrap();
    assert_eq!(of("One")[2], of("Six")[1]);
    assert_eq!(of("Two")[2], of("One")[1]);
    assert!(of("Four")[2].is_null());
    let again = desk.try_import(&mapping, &[&first, &second]).await.unwrap().counts();
    assert_eq!(again, Counts { read: 6, unchanged: 5, failed: 1, incomplete: 1, ..Counts::default() });
    let by_key = mapping.replace("by = \"name\"", "mapping = \"accounts\"");
    let file = desk.write("3.csv", "id,name,revenue,of\n4,Four,4,77\n");
    let report = desk.try_import(&by_key, &[&file]).await.unwrap();
    let told = "parentaccountid: there is no record for `77` (account of the mapping `accounts`)";
    assert_eq!(report.files[0].samples[0].reason, told);
}

async fn states_and_times_come_from_the_file(engine: Engine) {
    let desk = Desk::new(engine).await;
    let mapping = "name = \"deals\"\ntable = \"opportunity\"\nkey = \"id\"\ntime_zone = \"America/New_York\"\n[columns]\n\
        name = \"id\"\nstatecode = \"state\"\noverriddencreatedon = { from = \"made\", date = \"M/D/YYYY H:MM\" }\n\
        actualclosedate = { from = \"closed\", date = \"M/D/YYYY\" }\n";
    let file =
        desk.write("d.csv", "id,state,made,closed\n1,Won,3/14/2025 1:20,4/1/2025\n2,Open,,\n3,2,3/9/2025 2:30,\n");
    assert_eq!(desk.import(mapping, &file).await, created(3));
    let columns = ["name", "statecode", "statuscode", "createdon", "actualclosedate"];
    let rows = desk.world.rows("opportunity", &columns).await;
    let row = |name: &str, state, status, made, closed| {
        vec![text(name), Value::BigInt(state), Value::BigInt(status), Value::DateTime(made), closed]
    };
    let expected = [
        row("1", 1, 3, 1_741_929_600, Value::Date(20_179)),
        row("2", 0, 1, NOW, Value::Null),
        // 2:30 was left out on that day: the clocks went from 2 to 3.
        row("3", 2, 4, 1_741_505_400, Value::Null),
    ];
    assert_eq!(rows, expected);

    // A state moves with the file; when a record was made does not.
    let file = desk.write("d.csv", "id,state,made,closed\n1,Open,1/1/2020 1:00,4/1/2025\n2,Won,,\n3,Lost,,\n");
    let expected = Counts { read: 3, updated: 2, unchanged: 1, ..Counts::default() };
    assert_eq!(desk.import(mapping, &file).await, expected);
    let rows = desk.world.rows("opportunity", &["name", "statecode", "createdon"]).await;
    let states: Vec<_> = rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(states, [Value::BigInt(0), Value::BigInt(1), Value::BigInt(2)]);
    assert_eq!(rows[0][2], Value::DateTime(1_741_929_600));
}

async fn an_empty_cell_keeps_unless_it_clears(engine: Engine) {
    let desk = Desk::new(engine).await;
    let mapping = format!("{ACCOUNTS}description = {{ from = \"about\", empty = \"clear\" }}\nsic = \"about\"\n");
    let file = desk.write("a.csv", "id,name,revenue,about\n1,Acme,1,x\n2,Beta,2,\n");
    assert_eq!(desk.import(&mapping, &file).await, created(2));
    let file = desk.write("a.csv", "id,name,revenue,about\n1,,,\n2,Beta,2,\n");
    let expected = Counts { read: 2, updated: 1, unchanged: 1, ..Counts::default() };
    assert_eq!(desk.import(&mapping, &file).await, expected);
    let rows = desk.world.rows("account", &["name", "description", "sic"]).await;
    assert_eq!(rows, [[text("Acme"), Value::Null, text("x")], [text("Beta"), Value::Null, Value::Null]]);
}

async fn an_alternate_key_finds_what_is_there(engine: Engine) {
    let desk = Desk::new(engine).await;
    let mapping = "name = \"currencies\"\ntable = \"transactioncurrency\"\nmatch = \"isocurrencycode\"\n\
        only = { column = \"gone\", empty = true }\n[columns]\nisocurrencycode = \"code\"\ncurrencyname = \"name\"\n\
        currencysymbol = \"code\"\ncurrencyprecision = { value = \"2\" }\nexchangerate = { value = \"1\" }\n";
    let file = desk.write(
        "c.csv",
        "code,name,gone\nEUR,Euro,\nUSD,Dollar,\nEUR,Euro,\nDEM,Mark,2002\neur,Euro,\nCHF,Franc,\n,Nothing,\n",
    );
    // USD was there under another name; eur is EUR, whose code then changes.
    let expected = Counts { read: 7, created: 2, updated: 2, unchanged: 1, skipped: 1, failed: 1, ..Counts::default() };
    assert_eq!(desk.import(mapping, &file).await, expected);
    let rows = desk.world.rows("transactioncurrency", &["isocurrencycode", "currencyname"]).await;
    let expected = [[text("CHF"), text("Franc")], [text("eur"), text("Euro")], [text("USD"), text("Dollar")]];
    assert_eq!(rows, expected);
}

/// As beside a server, where what an import that was cut off has begun goes on.
async fn a_record_that_came_meanwhile_is_changed(engine: Engine) {
    let desk = Desk::new(engine).await;
    let mapping = "name = \"currencies\"\ntable = \"transactioncurrency\"\nmatch = \"isocurrencycode\"\n\
        [columns]\nisocurrencycode = \"code\"\ncurrencyname = \"name\"\ncurrencysymbol = \"code\"\n\
        currencyprecision = { value = \"2\" }\nexchangerate = { value = \"1\" }\n";
    let (one, two) = ("code,name\nEUR,Euro\nCHF,Franc\n", "code,name\nEUR,Euro\nCHF,Swiss Franc\n");
    let (one, two) = (desk.write("one.csv", one), desk.write("two.csv", two));
    let database = desk.world.organization.database();
    let (entering, mut entered) = mpsc::unbounded();
    let (opening, opened) = oneshot::channel();
    let opened = opened.shared();
    let held = database.write(move |_: &mut Transaction| {
        let (entering, opened) = (entering.clone(), opened.clone());
        Box::pin(async move {
            entering.unbounded_send(()).unwrap();
            opened.await.unwrap();
            Ok::<(), StoreError>(())
        })
    });
    let once_waiting = async |writes: usize| {
        while database.writes_waiting() < writes {
            tokio::task::yield_now().await;
        }
    };
    let both = async {
        entered.next().await.unwrap();
        let second = async {
            once_waiting(2).await;
            desk.import(mapping, &two).await
        };
        let release = async {
            once_waiting(4).await;
            opening.send(()).unwrap();
        };
        tokio::join!(desk.import(mapping, &one), second, release)
    };
    let (held, (first, second, ())) = tokio::join!(held, both);
    held.unwrap();
    assert_eq!((first, second), (created(2), Counts { read: 2, updated: 2, ..Counts::default() }));
    let rows = desk.world.rows("transactioncurrency", &["isocurrencycode", "currencyname"]).await;
    let expected = [("CHF", "Swiss Franc"), ("EUR", "Euro"), ("USD", "US Dollar")];
    assert_eq!(rows, expected.map(|(code, name)| vec![text(code), text(name)]));
}

async fn an_id_that_another_kind_of_activity_has_fails_its_row_alone(engine: Engine) {
    let desk = Desk::new(engine).await;
    let mapping = |table: &str, key: &str| {
        format!("name = \"acts\"\ntable = \"{table}\"\n{key} = \"K\"\n[columns]\nsubject = \"N\"\n")
    };
    let tasks = desk.write("tasks.csv", "K,N\n1,One\n2,Two\n3,Three\n");
    assert_eq!(desk.import(&mapping("task", "key"), &tasks).await, created(3));
    let calls = desk.write("calls.csv", "K,N\n7,Seven\n2,Two\n9,Nine\n");
    for expected in [
        Counts { read: 3, created: 2, failed: 1, ..Counts::default() },
        Counts { read: 3, unchanged: 2, failed: 1, ..Counts::default() },
    ] {
        let report = desk.try_import(&mapping("phonecall", "key"), &[&calls]).await.unwrap();
        assert_eq!(report.counts(), expected);
        let reason = &report.files[0].samples[0].reason;
        assert!(reason.starts_with("a record of another kind has the id ") && reason.contains("`name`"), "{reason}");
        assert!(desk.read("calls.csv.errors.csv").unwrap().contains(reason));
        assert_eq!(desk.read("calls.csv.import-state"), None);
    }
    let called = desk.world.rows("phonecall", &["subject"]).await;
    assert_eq!(called, [[text("Nine")], [text("Seven")]]);

    let taken = desk.world.rows("task", &["activityid"]).await[0][0].guid().unwrap();
    let by_id = desk.write("by-id.csv", format!("K,N\n{taken},Again\n"));
    let report = desk.try_import(&mapping("phonecall", "id"), &[&by_id]).await.unwrap();
    assert_eq!(report.counts(), Counts { read: 1, failed: 1, ..Counts::default() });
    assert_eq!(report.files[0].samples[0].reason, format!("a record of another kind has the id {taken} already"));
}

async fn rows_bring_no_id_of_zeros_and_no_loop(engine: Engine) {
    let desk = Desk::new(engine).await;
    let mapping = "name = \"own\"\ntable = \"account\"\nid = \"id\"\n[columns]\nname = \"name\"\n\
        parentaccountid = { from = \"of\", later = true, lookup = { id = true } }\n";
    let zeros = "00000000-0000-0000-0000-000000000000";
    let (one, two) = ("11111111-0000-0000-0000-000000000001", "22222222-0000-0000-0000-000000000002");
    let file = desk.write("own.csv", format!("id,name,of\n{zeros},None,\n{one},One,{two}\n{two},Two,{one}\n"));
    let report = desk.try_import(mapping, &[&file]).await.unwrap();
    let counts = report.counts();
    let reasons: Vec<_> = report.files[0].samples.iter().map(|reject| reject.reason.as_str()).collect();
    assert_eq!((counts.read, counts.created, counts.failed, counts.incomplete), (3, 2, 1, 2), "{reasons:?}");
    for expected in ["of zeros", "above itself"] {
        assert!(reasons.iter().any(|reason| reason.contains(expected)), "{reasons:?}");
    }
}

async fn nothing_is_written_before_all_files_are_looked_through(engine: Engine) {
    let desk = Desk::new(engine).await;
    let good = desk.write("good.csv", "id,name,revenue\n1,Acme,1\n");
    let refused = async |name: &str, content: &[u8]| {
        let bad = desk.write(name, content);
        let error = desk.try_import(ACCOUNTS, &[&good, &bad]).await.unwrap_err().to_string();
        assert_eq!(desk.world.rows("account", &["name"]).await.len(), 0, "{error}");
        assert_eq!(desk.read("good.csv.import-state"), None);
        error
    };
    let problem = refused("width.csv", b"id,nam,revenue\n1,Acme,1\n").await;
    assert!(
        problem.starts_with("m.toml:5: ") && problem.ends_with("has no column `name`; it has `id`, `nam`, `revenue`"),
        "{problem}"
    );
    let problem = refused("twice.csv", b"id,name,name,revenue\n1,Acme,Acme,1\n").await;
    assert!(problem.starts_with("m.toml:5: ") && problem.contains("several columns `name`"), "{problem}");
    let problem = refused("latin.csv", b"id,name,revenue\n1,Acme,1\n2,B\xe9ta,1\n").await;
    assert!(problem.contains("latin.csv:3: ") && problem.contains("not UTF-8"), "{problem}");
    let problem = refused("empty.csv", b"").await;
    assert!(problem.contains("empty.csv:1: it is empty"), "{problem}");
    let problem = refused("open.csv", b"id,name,revenue\n101,\"Open Quote Ltd,1\n102,Second,2\n103,Third,3\n").await;
    assert!(problem.contains("open.csv:2: a quotation mark opens here and is never closed"), "{problem}");
    let problem = refused("behind.csv", b"id,name,revenue\n1,Acme,1\n2,\"a \"b\" c\",1\n").await;
    assert!(
        problem.contains("behind.csv:3: something other than a delimiter follows a closing quotation mark"),
        "{problem}"
    );
    for (name, content, hint) in [
        ("semicolons.csv", "id;name;revenue\n1;Acme;1\n", "it has `id;name;revenue`; is `delimiter = \";\"` missing?"),
        ("tabs.csv", "id\tname\trevenue\n", "it has `id\tname\trevenue`; is `delimiter = \"\\t\"` missing?"),
    ] {
        let problem = refused(name, content.as_bytes()).await;
        assert!(problem.starts_with("m.toml:5: ") && problem.ends_with(hint), "{problem}");
    }
    let gone = desk.folder.path().join("gone.csv");
    let problem = desk.try_import(ACCOUNTS, &[&good, &gone]).await.unwrap_err().to_string();
    assert!(problem.contains("gone.csv:1: it cannot be opened"), "{problem}");
}

async fn a_state_of_another_content_is_not_taken_up(engine: Engine) {
    let desk = Desk::new(engine).await;
    let file = desk.write("a.csv", "id,name,revenue\n1,Acme,1\n2,Beta,2\n");
    desk.write("a.csv.import-state", "version = 1\nof = \"another\"\n");
    let report = desk.try_import(ACCOUNTS, &[&file]).await.unwrap();
    assert_eq!((report.files[0].resumed, report.counts()), (Resumed::Discarded, created(2)));
    let report = desk.try_import(ACCOUNTS, &[&file]).await.unwrap();
    assert_eq!(report.files[0].resumed, Resumed::No);
}

async fn an_import_of_nothing_does_nothing(engine: Engine) {
    let desk = Desk::new(engine).await;
    let file = desk.write("a.csv", "\u{feff}id,name,revenue\r\n");
    assert_eq!(desk.import(ACCOUNTS, &file).await, Counts::default());
}

/// Each case on both engines.
macro_rules! on_both_engines {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::Engine::Sqlite).await;
            })*
        }
        mod postgresql {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::Engine::Postgres).await;
            })*
        }
    };
}

on_both_engines![
    a_second_import_changes_only_what_differs,
    failed_rows_are_told_and_can_be_mended,
    a_record_that_came_meanwhile_is_changed,
    an_id_that_another_kind_of_activity_has_fails_its_row_alone,
    rows_bring_no_id_of_zeros_and_no_loop,
    rows_of_one_record_follow_each_other,
    links_find_their_records,
    later_columns_may_point_at_rows_below,
    states_and_times_come_from_the_file,
    an_empty_cell_keeps_unless_it_clears,
    an_alternate_key_finds_what_is_there,
    nothing_is_written_before_all_files_are_looked_through,
    a_state_of_another_content_is_not_taken_up,
    an_import_of_nothing_does_nothing,
];
