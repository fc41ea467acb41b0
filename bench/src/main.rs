//! `make bench`: Custodia beside the yardstick, on both engines.
//!
//! It fills both sides with the same world, checks that they give the same answers, lets them take turns at each piece of
//! work, prints the tables and, if asked, puts them into `BENCHMARKS.md`.

#![expect(clippy::disallowed_methods, reason = "a program of its own: it reads its environment")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use custodia_bench::check;
use custodia_bench::custodia::{Content, Custodia, ROOT};
use custodia_bench::http::Connection;
use custodia_bench::measure::{Plan, Sides, yardstick_alone};
use custodia_bench::report::{Calibration, Engine, Memory, Section, calibration, comparisons, write};
use custodia_bench::work::Work;
use custodia_bench::yardstick::Yardstick;
use custodia_bench::{organizations, scale, sealing, statement_loop};
use custodia_testbed::{POSTGRES_VARIABLE, fresh_database_name, with_database};

/// Measures Custodia beside the yardstick.
#[derive(Parser)]
struct Options {
    /// What Custodia keeps its records in.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    engine: Vec<Engine>,
    /// The work; all of it if not given.
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true)]
    work: Vec<Work>,
    /// Turns that each side takes.
    #[arg(long, default_value_t = 5)]
    repeats: u32,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Accounts of the large world of W9.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// Folder for the databases, on the disk that is to be measured; it is made and removed.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// The server; beside this program if not given.
    #[arg(long)]
    custodia: Option<PathBuf>,
    /// Measure so many organisations on one machine instead (W8, W10): Custodia alone.
    #[arg(long)]
    organizations: Option<u32>,
    /// Fill both sides, say where they are and wait for Ctrl-C before measuring: for a profiler.
    #[arg(long)]
    hold: bool,
    /// Document to put the tables into.
    #[arg(long)]
    write: Option<PathBuf>,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// One thread: what the client takes is missing in the servers.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut tables = conditions(&options)?;
    let mut calibrated = false;
    let chosen = if options.work.is_empty() { Work::ALL.to_vec() } else { options.work.clone() };
    let (scaled, others): (Vec<Work>, Vec<Work>) = chosen.into_iter().partition(|work| *work == Work::Scale);
    let (sealing, taking_turns): (Vec<Work>, Vec<Work>) = others.into_iter().partition(|work| *work == Work::Sealing);
    for engine in &options.engine {
        if let Some(organizations) = options.organizations {
            println!("{}", many_organizations(&options, *engine, organizations).await?);
            continue;
        }
        if !scaled.is_empty() {
            let text = measure_scale(&options, *engine).await?;
            println!("{text}");
            tables.push_str(&text);
            tables.push('\n');
        }
        if !sealing.is_empty() {
            let text = measure_sealing(&options, *engine).await?;
            println!("{text}");
            tables.push_str(&text);
            tables.push('\n');
        }
        if taking_turns.is_empty() {
            continue;
        }
        let (section, found) = measure(&options, *engine, &taking_turns, !calibrated).await?;
        if let Some(found) = found {
            calibrated = true;
            let text = calibration(&found);
            println!("{text}");
            tables.push_str(&text);
            tables.push('\n');
        }
        let text = comparisons(&section);
        println!("{text}");
        tables.push_str(&text);
        tables.push('\n');
    }
    options.write.as_deref().map_or(Ok(()), |document| write(document, &tables))
}

/// W9, over worlds of their own.
async fn measure_scale(options: &Options, engine: Engine) -> Result<String> {
    let folder = Fresh::make(&options.folder)?;
    let server = server_program(options)?;
    let mut scaled = Vec::new();
    for rows in [scale::FEW, options.rows] {
        eprintln!("{}: W9 with {rows} accounts", engine.name());
        let url = fresh_database(engine)?;
        scaled.push(scale::measure(&server, folder.path(), url.as_deref(), rows).await.context("W9")?);
    }
    let [few, many] = scaled.as_slice() else { return Ok(String::new()) };
    Ok(scale::table(engine.name(), few, many))
}

/// W11, in a world of its own.
async fn measure_sealing(options: &Options, engine: Engine) -> Result<String> {
    let folder = Fresh::make(&options.folder)?;
    let (server, url) = (server_program(options)?, fresh_database(engine)?);
    eprintln!("{}: W11", engine.name());
    let plan = Plan { repeats: options.repeats, turn: Duration::from_secs_f64(options.seconds) };
    let sealed = sealing::measure(&server, folder.path(), url.as_deref(), plan).await.context("W11")?;
    sealing::table(engine.name(), &sealed)
}

/// A program that was built beside this one.
fn program(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

fn server_program(options: &Options) -> Result<PathBuf> {
    options.custodia.clone().map_or_else(|| program("custodia"), Ok)
}

/// A new control database of the cluster, where the engine is one.
fn fresh_database(engine: Engine) -> Result<Option<String>> {
    Ok(match engine {
        Engine::Sqlite => None,
        Engine::Postgres => {
            let cluster = std::env::var(POSTGRES_VARIABLE)
                .with_context(|| format!("{POSTGRES_VARIABLE} names no cluster: run 'make bench', which starts one"))?;
            Some(with_database(&cluster, &fresh_database_name()))
        }
    })
}

async fn many_organizations(options: &Options, engine: Engine, organizations: u32) -> Result<String> {
    let folder = Fresh::make(&options.folder)?;
    let (server, url) = (server_program(options)?, fresh_database(engine)?);
    let plan = organizations::Plan {
        program: &server,
        folder: folder.path(),
        database: url.as_deref(),
        organizations,
        repeats: options.repeats,
        turn: Duration::from_secs_f64(options.seconds),
    };
    organizations::measure(plan).await.with_context(|| engine.name())
}

async fn measure(
    options: &Options,
    engine: Engine,
    chosen: &[Work],
    calibrate: bool,
) -> Result<(Section, Option<Calibration>)> {
    let folder = Fresh::make(&options.folder)?;
    let server = server_program(options)?;
    let url = fresh_database(engine)?;
    eprintln!("{}: filling both sides with the world", engine.name());
    let yardstick = Yardstick::start(&program("custodia-yardstick")?, folder.path())?;
    let duration = Duration::from_secs_f64(options.seconds);
    let found = if calibrate { Some(calibrate_yardstick(&yardstick, duration).await?) } else { None };
    let custodia = Custodia::start(&server, folder.path(), url.as_deref(), Content::World).await?;

    let mut ours = Connection::open(yardstick.server.address).await?;
    let mut theirs = Connection::open(custodia.server.address).await?;
    check::answers(&mut ours, &mut theirs, &custodia.token).await.context("the answers differ")?;
    check::creation(&mut ours, &mut theirs, &custodia.token).await.context("the created records differ")?;
    check::writing(&mut ours, &mut theirs, &custodia.token).await.context("something was not written")?;
    drop((ours, theirs));

    if options.hold {
        let (one, other) = (&yardstick.server, &custodia.server);
        eprintln!("yardstick: process {} at http://{}", one.id(), one.address);
        eprintln!("Custodia: process {} at http://{}{ROOT}", other.id(), other.address);
        eprintln!("token of the caller: {}", custodia.token);
        tokio::signal::ctrl_c().await?;
    }
    let sides = Sides { yardstick: &yardstick, custodia: &custodia, folder: folder.path() };
    let plan = Plan { repeats: options.repeats, turn: duration };
    let loaded = sides.memory_under_load(plan).await?;
    let mut done = Vec::new();
    for work in chosen {
        for connections in work.connections() {
            eprintln!("{}: {} over {connections} connections", engine.name(), work.name());
            let compared = match work {
                Work::Import => sides.compare_imports(plan).await,
                _ => sides.compare(*work, *connections, plan).await,
            };
            done.push(compared.with_context(|| work.name())?);
        }
    }
    let settings = match &custodia.cluster {
        Some(cluster) => Some(cluster.describe().await?),
        None => None,
    };
    let memory = Memory { idle: custodia.idle_mebibytes, loaded, end: custodia.server.memory_mebibytes()? };
    let yardstick_mebibytes = yardstick.server.memory_mebibytes()?;
    let program_mebibytes = std::fs::metadata(&server)?.len() >> 20;
    Ok((Section { engine, settings, comparisons: done, memory, yardstick_mebibytes, program_mebibytes }, found))
}

async fn calibrate_yardstick(yardstick: &Yardstick, duration: Duration) -> Result<Calibration> {
    let mut calibration =
        Calibration { nothing_us: yardstick_alone(yardstick, None, duration).await?, reads: Vec::new() };
    for work in [Work::ReadOne, Work::List, Work::Expand, Work::Apply] {
        let in_loop = statement_loop::microseconds(&yardstick.file, work, duration)?;
        let answered = yardstick_alone(yardstick, Some(work), duration).await?;
        calibration.reads.push((work, in_loop, answered));
    }
    Ok(calibration)
}

/// When, where, of what and how.
fn conditions(options: &Options) -> Result<String> {
    let said = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).output().with_context(|| format!("running {program}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    Ok(format!(
        "Measured on {} at commit {}: {} turns of {} s for each side, {} cores ({model}), Linux {}.\n\n",
        said("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])?,
        said("git", &["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])?,
        options.repeats,
        options.seconds,
        std::thread::available_parallelism()?,
        said("uname", &["-r"])?,
    ))
}

/// A folder that is new, and is removed with this value.
struct Fresh(PathBuf);

impl Fresh {
    fn make(folder: &Path) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder.to_owned()))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was left behind: {error}", self.0.display());
        }
    }
}
