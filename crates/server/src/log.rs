//! The log on standard error.
//!
//! A system call for each line would be a tenth of what a short request costs, and whoever reads the log may stop reading:
//! then a write blocks for as long as that lasts. So lines are only gathered where they come about. A thread of their own
//! writes them, at most [`DELAY`] later, warnings and errors at once; where nobody takes them, [`WAITING_MAX`] bytes wait,
//! and the lines beyond are lost and counted.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::{Condvar, Mutex};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const DELAY: Duration = Duration::from_millis(50);
/// Bytes that are written without waiting for more.
const GATHERED_MAX: usize = 64 * 1024;
/// Bytes that wait at most while nobody takes them.
const WAITING_MAX: usize = 4 << 20;
/// How long the end of the process waits for somebody to take the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What waits to be written.
struct Waiting {
    lines: Vec<u8>,
    /// They are to be written without waiting for others.
    at_once: bool,
    /// What was taken from here is being written.
    writing: bool,
    /// Lines that found no room.
    lost: u64,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting { lines: Vec::new(), at_once: false, writing: false, lost: 0 });
static SOMETHING: Condvar = Condvar::new();
static NOTHING: Condvar = Condvar::new();

/// Logs to standard error, in colours and line by line if a person reads it there. `format` is `json` or `text`.
///
/// # Errors
/// When `filter` is none, or there is no thread to be had.
pub fn start(filter: &str, format: &str) -> Result<()> {
    let filter =
        tracing_subscriber::EnvFilter::try_new(filter).with_context(|| format!("log.filter = \"{filter}\""))?;
    let read_by_a_person = io::stderr().is_terminal();
    std::thread::Builder::new().name("log".to_owned()).spawn(write_for_ever).context("the log's thread")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Log { at_once: read_by_a_person })
        .with_ansi(read_by_a_person)
        // Whoever read the log may be gone; the service goes on.
        .log_internal_errors(false);
    if format == "json" {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}

/// Waits until everything is written, or nobody takes it. The process calls it at its end.
pub fn flush() {
    let mut waiting = WAITING.lock();
    waiting.at_once = true;
    SOMETHING.notify_one();
    NOTHING.wait_while_for(&mut waiting, |waiting| waiting.writing || !waiting.lines.is_empty(), LAST_LINES);
}

fn write_for_ever() {
    let mut taken = Vec::new();
    loop {
        let mut waiting = WAITING.lock();
        SOMETHING.wait_while(&mut waiting, |waiting| waiting.lines.is_empty());
        SOMETHING.wait_while_for(&mut waiting, |waiting| !waiting.at_once, DELAY);
        std::mem::swap(&mut taken, &mut waiting.lines);
        waiting.at_once = false;
        waiting.writing = true;
        drop(waiting);
        let _ = io::stderr().lock().write_all(&taken);
        taken.clear();
        let mut waiting = WAITING.lock();
        waiting.writing = false;
        let lost = std::mem::take(&mut waiting.lost);
        drop(waiting);
        if lost > 0 {
            tracing::warn!(lines = lost, "lines of the log were lost, since nobody took them");
        }
        NOTHING.notify_all();
    }
}

/// Makes writers of lines.
struct Log {
    at_once: bool,
}

/// Takes one line.
struct Line {
    at_once: bool,
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Line;

    fn make_writer(&'w self) -> Line {
        Line { at_once: self.at_once }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Line {
        Line { at_once: self.at_once || *metadata.level() <= Level::WARN }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = WAITING.lock();
        if waiting.lines.len() + bytes.len() > WAITING_MAX {
            waiting.lost += 1;
            return Ok(bytes.len());
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(bytes);
        let now = self.at_once || waiting.lines.len() >= GATHERED_MAX;
        let woken = first || (now && !waiting.at_once);
        waiting.at_once |= now;
        drop(waiting);
        if woken {
            SOMETHING.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
