//! A few thousand records through the program, as `scripts/million` does it with a million: brought in, the server killed
//! midway, counted, taken out, asked for; on both engines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use custodia_bench::million::{Plan, run};
use custodia_testbed::{fresh_database_name, postgres_url, with_database};

/// Four batches of an import: the server is killed at the beginning of the third.
const ROWS: u32 = 4_000;

async fn a_few_thousand(database: Option<String>) {
    let program = Path::new(env!("CARGO_BIN_EXE_custodia-million")).with_file_name("custodia");
    assert!(program.exists(), "build the program first: cargo build --package custodia-server");
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { program, folder: folder.path().to_owned(), database, rows: ROWS };
    let findings = run(&plan).await.unwrap();
    let table = findings.table();
    assert_eq!((findings.phases.len(), findings.questions.len()), (7, 6), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_thousand_come_through_on_sqlite() {
    a_few_thousand(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_thousand_come_through_on_postgresql() {
    let cluster = postgres_url().expect("PostgreSQL is needed for this test");
    a_few_thousand(Some(with_database(&cluster, &fresh_database_name()))).await;
}
