//! Figures as tables, for the eye and for `BENCHMARKS.md`.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::measure::{Comparison, Turn, median};
use crate::work::Work;

/// Where the tables stand in the document; what is outside is written by hand.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// What Custodia keeps its records in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// An encrypted file per organisation.
    Sqlite,
    /// A database per organisation.
    Postgres,
}

impl Engine {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// What share of the yardstick's rate is aimed at; nothing where no aim was set.
    #[must_use]
    pub fn aim(self, work: Work, connections: usize) -> Aim {
        let (landing, whole) = match (self, work, connections) {
            (_, Work::Scale | Work::Sealing, _) => (None, None),
            (Self::Sqlite, Work::Create, 1) => (None, Some(0.45)),
            (Self::Sqlite, Work::Create, 16) => (None, Some(1.5)),
            (Self::Sqlite, Work::Create, 64) => (None, Some(2.0)),
            (_, Work::Create, _) => (None, None),
            (Self::Sqlite, Work::Update, _) => (None, Some(0.75)),
            (Self::Sqlite, Work::Apply | Work::FetchAggregate, _) => (None, Some(0.90)),
            (Self::Sqlite, Work::CreateMany | Work::BatchMany | Work::Import, _) => (None, Some(0.50)),
            (Self::Postgres, Work::Update | Work::Apply | Work::FetchAggregate, _) => (None, None),
            (Self::Postgres, Work::CreateMany | Work::BatchMany | Work::Import, _) => (None, None),
            (Self::Sqlite, Work::ReadOne, _) => (Some(0.50), Some(0.80)),
            (Self::Sqlite, Work::ListFormatted, _) => (Some(0.50), Some(0.75)),
            (Self::Sqlite, Work::List | Work::Expand, _) => (Some(0.50), Some(0.85)),
            (Self::Postgres, ..) => (Some(0.25), Some(0.30)),
        };
        Aim { landing, whole }
    }
}

/// What share of the yardstick's rate is aimed at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Aim {
    /// Of the first landing, where there was one.
    pub landing: Option<f64>,
    /// In the end.
    pub whole: Option<f64>,
}

/// How often the 99th percentile of the yardstick that of Custodia may be.
const TAIL_AIM: f64 = 3.0;

/// How many acknowledged writes a flush has to carry.
#[must_use]
pub fn writes_per_flush_aim(connections: usize) -> Option<f64> {
    match connections {
        16 => Some(6.0),
        64 => Some(24.0),
        _ => None,
    }
}

/// What one engine reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The engine.
    pub engine: Engine,
    /// Its version and settings, where it is a program of its own.
    pub settings: Option<String>,
    /// The work, in the order it was done.
    pub comparisons: Vec<Comparison>,
    /// Memory of Custodia, in MiB.
    pub memory: Memory,
    /// Memory of the yardstick at the end, in MiB.
    pub yardstick_mebibytes: u64,
    /// Size of Custodia's program, in MiB.
    pub program_mebibytes: u64,
}

/// Memory of Custodia, in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Before the first request, without an organisation.
    pub idle: u64,
    /// While 64 connections asked for lists (W2).
    pub loaded: u64,
    /// When all work was done.
    pub end: u64,
}

/// What the yardstick takes by itself: whether it is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// Microseconds for an answer that says nothing.
    pub nothing_us: f64,
    /// For each read: microseconds of the statement in a loop without HTTP, and of the yardstick's answer.
    pub reads: Vec<(Work, f64, f64)>,
}

/// A table of one engine's figures.
#[must_use]
pub fn comparisons(section: &Section) -> String {
    let mut text = String::new();
    let name = section.engine.name();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "### Custodia on {name}\n");
    if let Some(settings) = &section.settings {
        let _ = writeln!(text, "Settings: `{settings}`.\n");
    }
    let _ = writeln!(
        text,
        "| work | connections | yardstick /s | Custodia /s | ratio (lowest to highest) | first landing | aim | CPU µs: yardstick, Custodia | CPU ratio | \
         p50, p95, p99 ms: yardstick | Custodia | p99 ratio |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for comparison in &section.comparisons {
        let _ = writeln!(text, "{}", comparison_row(section.engine, comparison));
    }
    let writes: Vec<&Comparison> =
        section.comparisons.iter().filter(|one| matches!(one.work, Work::Create | Work::Update)).collect();
    if !writes.is_empty() {
        let _ = writeln!(
            text,
            "\n| work | connections | acknowledged writes per flush | aim | raw flush µs (lowest to highest) |"
        );
        let _ = writeln!(text, "| --- | --- | --- | --- | --- |");
        for one in writes {
            let aim = writes_per_flush_aim(one.connections).filter(|_| one.work == Work::Create);
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} | {} | {:.0} ({:.0} to {:.0}) |",
                one.work.name(),
                one.connections,
                one.writes_per_flush.unwrap_or(f64::NAN),
                aim_text(aim, one.writes_per_flush),
                median(one.flushes_us.iter().copied()),
                lowest(&one.flushes_us),
                highest(&one.flushes_us),
            );
        }
    }
    let Memory { idle, loaded, end } = section.memory;
    let _ = writeln!(
        text,
        "\nMemory of Custodia: {idle} MiB before the first request, {loaded} MiB under W2 with 64 connections (aim: at most 100), \
         {end} MiB at the end, where the yardstick had {} MiB. Its program has {} MiB.",
        section.yardstick_mebibytes, section.program_mebibytes
    );
    text
}

fn comparison_row(engine: Engine, comparison: &Comparison) -> String {
    let of = |figure: fn(&Turn) -> f64| {
        let yardstick = median(comparison.turns.iter().map(|(turn, _)| figure(turn)));
        (yardstick, median(comparison.turns.iter().map(|(_, turn)| figure(turn))))
    };
    let ratios: Vec<f64> = comparison.turns.iter().map(|(one, other)| other.rate / one.rate).collect();
    let ratio = median(ratios.iter().copied());
    let processor = median(comparison.turns.iter().map(|(one, other)| one.processor_us / other.processor_us));
    let ((yard_rate, rate), (yard_cpu, cpu)) = (of(|turn| turn.rate), of(|turn| turn.processor_us));
    let aim = engine.aim(comparison.work, comparison.connections);
    let (p50, p95, p99) = (of(|turn| turn.p50_ms), of(|turn| turn.p95_ms), of(|turn| turn.p99_ms));
    format!(
        "| {} {} | {} | {yard_rate:.0} | {rate:.0} | **{ratio:.2}** ({:.2} to {:.2}) | {} | {} | {yard_cpu:.0}, {cpu:.0} | \
         {processor:.2} | {} | {} | {} |",
        comparison.work.name(),
        comparison.work.words(),
        comparison.connections,
        lowest(&ratios),
        highest(&ratios),
        aim_text(aim.landing, Some(ratio)),
        aim_text(aim.whole, Some(ratio)),
        times(p50.0, p95.0, p99.0),
        times(p50.1, p95.1, p99.1),
        tail_text(p99.1 / p99.0),
    )
}

/// Three percentiles; a file that is brought in has none.
fn times(p50: f64, p95: f64, p99: f64) -> String {
    if p50.is_nan() { "-".to_owned() } else { format!("{p50:.2}, {p95:.2}, {p99:.2}") }
}

fn tail_text(ratio: f64) -> String {
    match ratio {
        ratio if ratio.is_nan() => "-".to_owned(),
        ratio if ratio <= TAIL_AIM => format!("{ratio:.1}"),
        ratio => format!("{ratio:.1}: **above {TAIL_AIM}**"),
    }
}

fn aim_text(aim: Option<f64>, reached: Option<f64>) -> String {
    match (aim, reached) {
        (Some(aim), Some(reached)) if reached >= aim => format!("≥ {aim}: reached"),
        (Some(aim), _) => format!("≥ {aim}: **missed**"),
        (None, _) => "-".to_owned(),
    }
}

fn lowest(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

fn highest(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// A table that shows whether the yardstick is one.
#[must_use]
pub fn calibration(calibration: &Calibration) -> String {
    let mut text = String::from("### The yardstick itself\n\n");
    let _ = writeln!(
        text,
        "An answer that says nothing takes it {:.1} µs of CPU: that is HTTP.\n\n\
         | work | statement and JSON in a loop, µs | yardstick's answer, CPU µs | to the loop | to the loop and HTTP |\n\
         | --- | --- | --- | --- | --- |",
        calibration.nothing_us
    );
    for (work, in_loop, answered) in &calibration.reads {
        let with_http = in_loop + calibration.nothing_us;
        let _ = writeln!(
            text,
            "| {} {} | {in_loop:.1} | {answered:.1} | {:.2} | {:.2} |",
            work.name(),
            work.words(),
            answered / in_loop,
            answered / with_http
        );
    }
    text
}

/// Puts the tables into the document, in the place of those of the last run.
///
/// # Errors
/// A document without the marks between which the tables stand.
pub fn write(document: &Path, tables: &str) -> Result<()> {
    let text = std::fs::read_to_string(document).with_context(|| format!("reading {}", document.display()))?;
    let replaced =
        replace(&text, tables).with_context(|| format!("{} has no lines '{BEGIN}' and '{END}'", document.display()))?;
    std::fs::write(document, replaced).with_context(|| format!("writing {}", document.display()))
}

fn replace(text: &str, tables: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", tables.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(rate: f64, processor_us: f64) -> Turn {
        Turn { rate, processor_us, p50_ms: 1.0, p95_ms: 2.0, p99_ms: 3.0, body_bytes: 10.0 }
    }

    fn section(work: Work, connections: usize, rate: f64) -> Section {
        let turns = vec![(turn(100.0, 10.0), turn(rate, 20.0)), (turn(100.0, 10.0), turn(rate, 20.0))];
        let writes_per_flush = (work == Work::Create).then_some(7.0);
        let comparison = Comparison { work, connections, turns, flushes_us: vec![90.0, 110.0], writes_per_flush };
        Section {
            engine: Engine::Sqlite,
            settings: None,
            comparisons: vec![comparison],
            memory: Memory { idle: 20, loaded: 60, end: 40 },
            yardstick_mebibytes: 9,
            program_mebibytes: 30,
        }
    }

    #[test]
    fn a_ratio_is_held_against_its_aim() {
        let reached = comparisons(&section(Work::ReadOne, 16, 60.0));
        assert!(
            reached.contains(
                "| 100 | 60 | **0.60** (0.60 to 0.60) | ≥ 0.5: reached | ≥ 0.8: **missed** | 10, 20 | 0.50 |"
            ),
            "{reached}"
        );
        assert!(!reached.contains("flush") && reached.contains("20 MiB before"), "{reached}");
        assert!(comparisons(&section(Work::ReadOne, 16, 40.0)).contains("≥ 0.5: **missed**"));
    }

    #[test]
    fn writes_have_their_flushes() {
        let text = comparisons(&section(Work::Create, 16, 160.0));
        assert!(text.contains("| W4 | 16 | 7.0 | ≥ 6: reached | 100 (90 to 110) |"), "{text}");
        let text = comparisons(&section(Work::Create, 64, 160.0));
        assert!(text.contains("| W4 | 64 | 7.0 | ≥ 24: **missed** |"), "{text}");
    }

    #[test]
    fn a_tail_is_held_against_its_aim() {
        assert_eq!((tail_text(2.96), tail_text(3.2)), ("3.0".to_owned(), "3.2: **above 3**".to_owned()));
        assert_eq!((tail_text(f64::NAN), times(f64::NAN, 0.0, 0.0)), ("-".to_owned(), "-".to_owned()));
    }

    #[test]
    fn tables_take_the_place_of_the_last_ones() {
        let text = format!("# A\n{BEGIN}\nold\n{END}\n## B\n");
        assert_eq!(replace(&text, "new\n"), Some(format!("# A\n{BEGIN}\n\nnew\n\n{END}\n## B\n")));
        assert_eq!(replace("# A\n", "new"), None);
    }
}
