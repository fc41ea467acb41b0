//! The course of an import: its files, one after the other, in one or two passes.

use std::path::PathBuf;

use csv::StringRecord;
use custodia_org::{Caller, Organization, Origin};

use super::batch::{Halt, Intended, Outcome, Writer};
use super::csv_file::{CsvFile, Row, Scan};
use super::error::{Error, MappingError};
use super::journal::{Earlier, Journal, State};
use super::lookup::Finder;
use super::mapping::Import;
use super::rejects::Rejects;
use super::report::{Advance, Counts, FileReport, Progress, Report, Resumed};
use super::rows::Pass;
use super::source::Source;

/// Bytes of the rows of a batch at most; the row that passes it is the last of its batch.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How an import goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Rows that are read, looked up and written together.
    pub batch_rows: usize,
    /// Write requests under way at the same time: they share the organisation's flushes.
    pub in_flight: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch_rows: 1024, in_flight: 512 }
    }
}

/// One file at work.
struct Work {
    source: Source,
    scan: Scan,
    /// Where in the file each column is that the mapping names.
    positions: Vec<usize>,
    journal: Journal,
    state: State,
    resumed: Resumed,
    rejects: Rejects,
}

impl Import {
    /// Brings files in, with the rights of the caller. All files are looked through before the first row is written: they must
    /// be UTF-8, close their quotation marks and have the columns that the mapping names.
    ///
    /// # Errors
    /// See [`Error`]. A row that cannot be brought in is no error: it is in the report and in the error file.
    pub async fn run(
        &self,
        organization: &Organization,
        caller: &Caller,
        sources: Vec<Source>,
        options: &Options,
        progress: &mut dyn Progress,
    ) -> Result<Report, Error> {
        // The platform's own rights hang on its origin; a person's do not, and may set in an import what else they may not.
        let origin = match caller.origin {
            Origin::Platform(name) => Origin::Platform(name),
            Origin::Import | Origin::WebApi | Origin::Job(_) => Origin::Import,
        };
        let caller = Caller { origin, ..caller.clone() };
        let mut files = Vec::with_capacity(sources.len());
        for source in sources {
            let scan = CsvFile::scan(&source, self.delimiter)?;
            let positions = self.positions(&source.name, &scan.headers)?;
            files.push((source, scan, positions));
        }
        let begun = files.into_iter().map(|(source, scan, positions)| {
            self.begin(organization, source, scan, positions, options.batch_rows.max(1))
        });
        let mut files = begun.collect::<Result<Vec<_>, _>>()?;

        let mut writer = Writer {
            organization,
            caller: &caller,
            import: self,
            in_flight: options.in_flight,
            finder: Finder::default(),
        };
        let passes: &[_] = if self.has_second_pass() { &[Pass::First, Pass::Second] } else { &[Pass::First] };
        for pass in passes {
            for work in &mut files {
                if work.state.pass == number_of(*pass) {
                    self.pass(work, &mut writer, *pass, progress).await?;
                }
            }
        }

        let mut report = Report { files: Vec::with_capacity(files.len()) };
        for work in files {
            work.journal.remove().map_err(|source| Error::Beside { path: work.journal.path(), source })?;
            let (errors, samples) = work.rejects.finish();
            report.files.push(FileReport {
                name: work.source.name,
                counts: work.state.counts,
                resumed: work.resumed,
                errors,
                samples,
            });
        }
        Ok(report)
    }

    /// Where in a file each column is that the mapping names.
    fn positions(&self, file: &str, headers: &StringRecord) -> Result<Vec<usize>, MappingError> {
        let fault = |line: usize, problem: String| MappingError { file: self.file.clone(), line, problem };
        let positions = self.sources.iter().map(|source| {
            let mut found = headers.iter().enumerate().filter(|(_, name)| *name == source.name).map(|(at, _)| at);
            match (found.next(), found.next()) {
                (Some(at), None) => Ok(at),
                (Some(_), Some(_)) => {
                    Err(fault(source.line, format!("{file} has several columns `{}`: rename all but one", source.name)))
                }
                (None, _) => {
                    let names: Vec<_> = headers.iter().map(|name| format!("`{name}`")).collect();
                    let other = other_delimiter(headers, self.delimiter);
                    let hint =
                        other.map(|other| format!("; is `delimiter = \"{other}\"` missing?")).unwrap_or_default();
                    let problem = format!("{file} has no column `{}`; it has {}{hint}", source.name, names.join(", "));
                    Err(fault(source.line, problem))
                }
            }
        });
        positions.collect()
    }

    /// Takes up what an earlier run left, if it is of the same import.
    fn begin(
        &self,
        organization: &Organization,
        source: Source,
        scan: Scan,
        positions: Vec<usize>,
        batch_rows: usize,
    ) -> Result<Work, Error> {
        let beside = source.beside.clone();
        let journal = Journal::new(beside.as_ref().map(|beside| beside.state.as_path()));
        let of = format!("{} {} {}", organization.id(), hex(&self.digest), hex(&scan.digest));
        let earlier = journal.read(&of).map_err(|source| Error::Beside { path: journal.path(), source })?;
        let (state, resumed) = match earlier {
            Earlier::Same(state) => {
                let resumed = Resumed::After(state.counts.read);
                (state, resumed)
            }
            Earlier::None => (State::new(of, batch_rows), Resumed::No),
            Earlier::Other => (State::new(of, batch_rows), Resumed::Discarded),
        };
        let errors = beside.as_ref().map(|beside| beside.errors.as_path());
        let rejects = Rejects::begin(errors, state.error_bytes, self.delimiter, scan.headers.clone());
        let rejects = rejects.map_err(|error| beside_error(errors, error))?;
        Ok(Work { source, scan, positions, journal, state, resumed, rejects })
    }

    /// Goes once over one file.
    async fn pass(
        &self,
        work: &mut Work,
        writer: &mut Writer<'_>,
        pass: Pass,
        progress: &mut dyn Progress,
    ) -> Result<(), Error> {
        let mut file = CsvFile::open(&work.source, self.delimiter)?;
        let header_and_done = work.state.rows_done.saturating_add(1);
        for _ in 0..header_and_done {
            if file.next()?.is_none() {
                break;
            }
        }
        loop {
            let rows = next_batch(&mut file, work.state.batch_rows)?;
            if rows.is_empty() {
                break;
            }
            self.batch(work, writer, pass, &rows).await?;
            progress.advanced(&Advance {
                file: &work.source.name,
                rows_total: work.scan.rows_total,
                rows_done: work.state.rows_done,
                second_pass: pass == Pass::Second,
                counts: &work.state.counts,
            });
        }
        work.state.pass += 1;
        work.state.rows_done = 0;
        work.journal.write(&work.state).map_err(|source| Error::Beside { path: work.journal.path(), source })
    }

    async fn batch(&self, work: &mut Work, writer: &mut Writer<'_>, pass: Pass, rows: &[Row]) -> Result<(), Error> {
        let Work { source, scan, positions, journal, state, rejects, .. } = work;
        // What a run that was killed in this batch had in hand.
        let earlier =
            Intended { creating: std::mem::take(&mut state.creating), updating: std::mem::take(&mut state.updating) };
        state.creating.clone_from(&earlier.creating);
        state.updating.clone_from(&earlier.updating);
        let mut before_write = |intended: &Intended| {
            state.creating.extend(intended.creating.iter().filter(|at| !earlier.creating.contains(at)));
            state.updating.extend(intended.updating.iter().filter(|at| !earlier.updating.contains(at)));
            journal.write(state)
        };
        let outcomes = writer.bring_in(rows, positions, scan.headers.len(), pass, &mut before_write).await;
        let outcomes = outcomes.map_err(|halt| match halt {
            Halt::Journal(source) => Error::Beside { path: journal.path(), source },
            Halt::Gate(error) => {
                Error::Stopped { file: source.name.clone(), rows: state.rows_done, source: Box::new(error) }
            }
        })?;

        let failed: Vec<_> = rows
            .iter()
            .zip(&outcomes)
            .filter_map(|(row, outcome)| match outcome {
                Outcome::Failed(why) => Some((row.line, &row.record, why.clone())),
                _ => None,
            })
            .collect();
        rejects
            .take(&failed)
            .map_err(|error| beside_error(source.beside.as_ref().map(|b| b.errors.as_path()), error))?;
        match pass {
            Pass::First => state.counts.add(count(&outcomes, &earlier)),
            Pass::Second => state.counts.incomplete += failed.len() as u64,
        }
        state.rows_done += rows.len() as u64;
        state.error_bytes = rejects.bytes();
        state.creating.clear();
        state.updating.clear();
        Ok(())
    }
}

/// What became of the rows of a batch. A row whose record an earlier run had in hand is what it was for that run.
fn count(outcomes: &[Outcome], earlier: &Intended) -> Counts {
    let mut counts = Counts { read: outcomes.len() as u64, ..Counts::default() };
    for (at, outcome) in outcomes.iter().enumerate() {
        let was = |rows: &[u32]| u32::try_from(at).is_ok_and(|at| rows.contains(&at));
        match outcome {
            Outcome::Unchanged | Outcome::Updated if was(&earlier.creating) => counts.created += 1,
            Outcome::Unchanged if was(&earlier.updating) => counts.updated += 1,
            Outcome::Created => counts.created += 1,
            Outcome::Updated => counts.updated += 1,
            Outcome::Unchanged => counts.unchanged += 1,
            Outcome::Skipped => counts.skipped += 1,
            Outcome::Failed(_) => counts.failed += 1,
        }
    }
    counts
}

/// What the columns of a file seem to be delimited by instead, if its header is one column for this delimiter. As TOML has it.
fn other_delimiter(headers: &StringRecord, delimiter: u8) -> Option<&'static str> {
    let header = headers.get(0).filter(|_| headers.len() == 1)?;
    let usual = [(';', ";"), ('\t', "\\t"), (',', ","), ('|', "|")];
    let found = usual.iter().find(|(other, _)| *other != char::from(delimiter) && header.contains(*other));
    found.map(|(_, toml)| *toml)
}

fn next_batch(file: &mut CsvFile, rows_max: usize) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    while rows.len() < rows_max && bytes < BATCH_BYTES_MAX {
        let Some(row) = file.next()? else { break };
        bytes += row.record.as_slice().len();
        rows.push(row);
    }
    Ok(rows)
}

fn number_of(pass: Pass) -> u8 {
    match pass {
        Pass::First => 1,
        Pass::Second => 2,
    }
}

fn beside_error(path: Option<&std::path::Path>, source: std::io::Error) -> Error {
    Error::Beside { path: path.map(PathBuf::from).unwrap_or_default(), source }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn rows_that_a_killed_run_had_in_hand_count_as_what_they_were() {
        let failed = || Outcome::Failed("why".to_owned());
        let outcomes = [
            Outcome::Unchanged,
            Outcome::Created,
            Outcome::Unchanged,
            Outcome::Updated,
            Outcome::Unchanged,
            failed(),
            Outcome::Skipped,
        ];
        let earlier = Intended { creating: vec![0, 1, 5], updating: vec![2, 3] };
        let expected = Counts { read: 7, created: 2, updated: 2, unchanged: 1, skipped: 1, failed: 1, incomplete: 0 };
        assert_eq!(count(&outcomes, &earlier), expected);
    }
}
