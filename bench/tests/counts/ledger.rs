//! The file of counts: what one request of each kind cost when it was last written, and how far it may be from that.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What one request cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub statements: u64,
    pub flushes: u64,
    pub allocations: u64,
    pub bytes: u64,
}

/// Cost by engine and kind.
pub type Costs = BTreeMap<(String, String), Cost>;

/// How far a figure may be above and below its line, in hundredths of it.
struct Tolerance {
    above: u64,
    below: u64,
    /// What is allowed to small figures beyond.
    least: u64,
}

/// Statements and flushes are whole and the same in every run.
const EXACT: Tolerance = Tolerance { above: 0, below: 0, least: 0 };
/// Vectors and maps grow at other moments when the versions of libraries or the order of replies differ.
const ALLOCATIONS: Tolerance = Tolerance { above: 4, below: 10, least: 3 };
const BYTES: Tolerance = Tolerance { above: 8, below: 15, least: 1_024 };

impl Tolerance {
    /// What is wrong with a figure, if anything.
    fn judge(&self, line: u64, found: u64) -> Option<&'static str> {
        if found > line + (line * self.above / 100).max(self.least) {
            Some("rose")
        } else if found < line.saturating_sub((line * self.below / 100).max(self.least)) {
            Some("fell")
        } else {
            None
        }
    }
}

const HEADER: &str = "\
# What one request of each kind costs: statements sent to the engine (ends of transactions too), flushes, allocations and
# their bytes (0: not held, since on PostgreSQL they depend on the pieces in which answers come), as tests build the program.
# `make test` holds every kind against it (bench/tests/counts). A rise is mended or explained in the commit; a gain is kept by
# writing the file anew:
#
#     scripts/counts
#
# engine kind statements flushes allocations bytes
";

/// The file's text.
pub fn write(costs: &Costs) -> String {
    let mut text = HEADER.to_owned();
    for ((engine, kind), cost) in costs {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{engine:<8} {kind:<24} {:>4} {:>3} {:>7} {:>9}",
            cost.statements, cost.flushes, cost.allocations, cost.bytes
        );
    }
    text
}

/// What a text of [`write`] says.
///
/// # Errors
/// The line that is no line of it.
pub fn read(text: &str) -> Result<Costs, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [engine, kind, numbers @ ..] = fields.as_slice() else { return Err(line.to_owned()) };
            let numbers: Result<Vec<u64>, _> = numbers.iter().map(|text| text.parse()).collect();
            let Ok([statements, flushes, allocations, bytes]) = numbers.as_deref() else { return Err(line.to_owned()) };
            let (statements, flushes, allocations, bytes) = (*statements, *flushes, *allocations, *bytes);
            let cost = Cost { statements, flushes, allocations, bytes };
            Ok((((*engine).to_owned(), (*kind).to_owned()), cost))
        })
        .collect()
}

/// Every figure that is too far from its line, in words; and every kind that stands in one of them only.
pub fn differences(lines: &Costs, found: &Costs) -> Vec<String> {
    let mut differences = Vec::new();
    for ((engine, kind), cost) in found {
        let Some(line) = lines.get(&(engine.clone(), kind.clone())) else {
            differences.push(format!("{engine} {kind}: has no line yet"));
            continue;
        };
        let figures = [
            ("statements", line.statements, cost.statements, EXACT),
            ("flushes", line.flushes, cost.flushes, EXACT),
            ("allocations", line.allocations, cost.allocations, ALLOCATIONS),
            ("allocated bytes", line.bytes, cost.bytes, BYTES),
        ];
        for (what, line, found, tolerance) in figures {
            if let Some(verdict) = tolerance.judge(line, found) {
                differences.push(format!("{engine} {kind}: {what} {verdict} from {line} to {found}"));
            }
        }
    }
    let gone = lines.keys().filter(|key| !found.contains_key(*key));
    differences.extend(gone.map(|(engine, kind)| format!("{engine} {kind}: has a line and is not measured")));
    differences
}

#[test]
fn what_is_written_is_read() {
    let costs = Costs::from([
        (("sqlite".into(), "a".into()), Cost { statements: 1, flushes: 2, allocations: 3, bytes: 4 }),
        (("postgres".into(), "a".into()), Cost::default()),
    ]);
    assert_eq!(read(&write(&costs)).unwrap(), costs);
    assert_eq!(read("sqlite a 1 2 3 -\n").unwrap_err(), "sqlite a 1 2 3 -");
}

#[test]
fn a_figure_that_rose_or_fell_is_named() {
    let costs = |statements, allocations, bytes| {
        let cost = Cost { statements, flushes: 1, allocations, bytes };
        Costs::from([(("sqlite".to_owned(), "a".to_owned()), cost)])
    };
    let line = costs(3, 1_000, 100_000);
    let found = |found: Costs| differences(&line, &found);
    assert!(found(costs(3, 1_030, 101_000)).is_empty());
    assert!(found(costs(3, 950, 95_000)).is_empty());
    assert_eq!(found(costs(4, 1_000, 100_000)), ["sqlite a: statements rose from 3 to 4"]);
    assert_eq!(found(costs(2, 1_000, 100_000)), ["sqlite a: statements fell from 3 to 2"]);
    assert_eq!(found(costs(3, 1_050, 100_000)), ["sqlite a: allocations rose from 1000 to 1050"]);
    assert_eq!(found(costs(3, 800, 100_000)), ["sqlite a: allocations fell from 1000 to 800"]);
    assert_eq!(found(costs(3, 1_000, 110_000)), ["sqlite a: allocated bytes rose from 100000 to 110000"]);
    assert_eq!(found(Costs::new()), ["sqlite a: has a line and is not measured"]);
    assert_eq!(differences(&Costs::new(), &line), ["sqlite a: has no line yet"]);
}
