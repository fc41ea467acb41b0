//! An import is killed at random moments and run again, until it is through: the counts are those of one run, and the rows too.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use custodia_process::import::{Advance, Counts, Import, Options, Source};
use custodia_schema::{Guid, Value, standard};

use crate::world::{Engine, World};

/// Tells the child which folder to work in; the test is none without it.
const CHILD: &str = "CUSTODIA_TEST_IMPORT_CHILD";
/// The line by which the child says that the import is through.
const THROUGH: &str = "through";
const ROWS: usize = 1200;
const BATCH: usize = 24;

const MAPPING: &str = "name = \"accounts\"\ntable = \"account\"\nkey = \"id\"\n[columns]\nname = \"name\"\nrevenue = \"revenue\"\n\
    sic = \"sic\"\nparentaccountid = { from = \"of\", later = true, lookup = { mapping = \"accounts\" } }\n";

/// Rows that are made, that change one another, that fail, that are left as they are.
fn content() -> String {
    let mut content = "id,name,revenue,sic,of\n".to_owned();
    for row in 0..ROWS {
        let id = if row % 10 == 9 { row - 5 } else { row };
        let revenue = if row % 37 == 5 { "lots".to_owned() } else { row.to_string() };
        let of = match row % 4 {
            1 => (row * 7 % ROWS).to_string(),
            2 if row % 62 == 2 => "nobody".to_owned(),
            _ => String::new(),
        };
        content.push_str(&format!("{id},Account {id},{revenue},{},{of}\n", row % 3));
    }
    content
}

async fn import(world: &World, folder: &Path, mut told: impl FnMut(&Advance<'_>) + Send) -> Counts {
    let import = Import::load(&standard(), MAPPING, "m.toml").unwrap();
    let options = Options { batch_rows: BATCH, in_flight: 8 };
    let sources = vec![Source::file(&folder.join("a.csv"))];
    import.run(&world.organization, &world.admin(), sources, &options, &mut told).await.unwrap().counts()
}

/// What the import leaves behind: rows, and the error file.
async fn left(world: &World, folder: &Path) -> (Vec<Vec<Value>>, String) {
    let rows = world.rows("account", &["accountid", "name", "revenue", "sic", "parentaccountid"]).await;
    (rows, std::fs::read_to_string(folder.join("a.csv.errors.csv")).unwrap())
}

/// The child: goes on with the import in a folder, and says how far it is.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the parent tells the child by its environment what to do")]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let [administrator, postgres, folder] = told.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let postgres = (!postgres.is_empty()).then(|| postgres.to_owned());
    let world = World::reopen(Path::new(folder), postgres, Guid::try_parse(administrator).unwrap()).await;
    // Straight to the descriptor: the test harness would keep what is printed.
    let say =
        |line: String| std::fs::OpenOptions::new().append(true).open("/dev/stderr").unwrap().write_all(line.as_bytes());
    let counts = import(&world, Path::new(folder), |advance| {
        say(format!("done {} {}\n", advance.rows_done, advance.second_pass)).unwrap();
    })
    .await;
    say(format!("{THROUGH} {counts:?}\n")).unwrap();
}

/// Runs the child; kills it when it has said `lines` lines. Its last word, if it came through.
fn run_child(told: &str, lines: usize) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, told)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut through = None;
    let mut left = lines;
    while left > 0 {
        let Some(line) = said.next() else { break };
        let line = line.unwrap();
        assert!(!line.contains("panicked"), "{line}: {:?}", said.map_while(Result::ok).collect::<Vec<_>>());
        if let Some(counts) = line.strip_prefix(THROUGH) {
            through = Some(counts.trim().to_owned());
        }
        left -= usize::from(line.starts_with("done"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // It may have come through between its last line and its end.
    through
        .or_else(|| said.map_while(Result::ok).find_map(|line| line.strip_prefix(THROUGH).map(|c| c.trim().to_owned())))
}

async fn killed_imports_come_to_the_same(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), content()).unwrap();
    let world = World::new(engine, folder.path()).await;
    let expected_counts = import(&world, folder.path(), |_| {}).await;
    let expected = left(&world, folder.path()).await;
    let all = [expected_counts.created, expected_counts.updated, expected_counts.failed, expected_counts.incomplete];
    assert!(all.iter().all(|count| *count > 10), "{expected_counts:?} tests too little");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), content()).unwrap();
    let world = World::new(engine, folder.path()).await;
    let told =
        format!("{} {} {}", world.administrator, world.postgres.clone().unwrap_or_default(), folder.path().display());
    let (administrator, postgres) = (world.administrator, world.postgres.clone());
    world.close();
    let mut kills = 0;
    let mut pace = 1_usize;
    let counts = loop {
        pace = pace.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match run_child(&told, 1 + (pace >> 33) % 6) {
            Some(counts) => break counts,
            None => kills += 1,
        }
        assert!(kills < 300, "the import does not get on");
    };
    assert!(kills >= 5, "killed {kills} times only");
    assert_eq!(counts, format!("{expected_counts:?}"), "after {kills} kills");
    let world = World::reopen(folder.path(), postgres, administrator).await;
    let found = left(&world, folder.path()).await;
    assert_eq!(found.0.len(), expected.0.len());
    assert!(found == expected, "the rows or the errors differ after {kills} kills");
    assert!(!folder.path().join("a.csv.import-state").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_imports_come_to_the_same_on_sqlite() {
    killed_imports_come_to_the_same(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_imports_come_to_the_same_on_postgresql() {
    killed_imports_come_to_the_same(Engine::Postgres).await;
}
