//! `scripts/million`: many records in and out of a fresh installation, killed once midway; prints one table for each engine.

#![expect(clippy::disallowed_methods, reason = "a program of its own: it reads its environment")]

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use custodia_bench::million::{Plan, run};
use custodia_bench::report::Engine;
use custodia_testbed::{POSTGRES_VARIABLE, fresh_database_name, with_database};

/// Brings many records in, kills the server midway, counts, takes them out, and asks for them.
#[derive(Parser)]
struct Options {
    /// How many contacts, and how many opportunities.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// What Custodia keeps its records in.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    engine: Vec<Engine>,
    /// Folder for files and databases, on the disk that is to be measured; what is made in it is removed.
    #[arg(long, default_value = "target/million")]
    folder: PathBuf,
    /// The program; beside this one if not given.
    #[arg(long)]
    custodia: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    std::fs::create_dir_all(&options.folder)?;
    let beside = std::env::current_exe()?.with_file_name("custodia");
    for engine in options.engine {
        let folder = tempfile::tempdir_in(&options.folder)?;
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                let cluster =
                    std::env::var(POSTGRES_VARIABLE).context("start it by scripts/million, which has a cluster")?;
                Some(with_database(&cluster, &fresh_database_name()))
            }
        };
        let plan = Plan {
            program: options.custodia.clone().unwrap_or_else(|| beside.clone()),
            folder: std::path::absolute(folder.path())?,
            database,
            rows: options.rows,
        };
        let findings = run(&plan).await?;
        println!("{} rows of each kind, {}:\n\n{}", options.rows, engine.name(), findings.table());
    }
    Ok(())
}
