//! The log on standard error.
//!
//! A system call for each line would be a tenth of what a short request costs. Lines are gathered and written by a
//! thread of their own, at most [`DELAY`] later; warnings and errors at once, with all that came before them.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::{Condvar, Mutex};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const DELAY: Duration = Duration::from_millis(50);
/// Bytes that wait at most.
const GATHERED_MAX: usize = 64 * 1024;

static GATHERED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static SOMETHING: Condvar = Condvar::new();

/// Logs to standard error, in colours and line by line if a person reads it there. `format` is `json` or `text`.
///
/// # Errors
/// When `filter` is none, or there is no thread to be had.
pub fn start(filter: &str, format: &str) -> Result<()> {
    let filter =
        tracing_subscriber::EnvFilter::try_new(filter).with_context(|| format!("log.filter = \"{filter}\""))?;
    let read_by_a_person = io::stderr().is_terminal();
    if !read_by_a_person {
        std::thread::Builder::new().name("log".to_owned()).spawn(write_now_and_then).context("the log's thread")?;
    }
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

/// Writes what waits. The process calls it at its end.
pub fn flush() {
    write_out(&mut GATHERED.lock());
}

fn write_out(gathered: &mut Vec<u8>) {
    let _ = io::stderr().lock().write_all(gathered);
    gathered.clear();
}

fn write_now_and_then() {
    loop {
        let mut gathered = GATHERED.lock();
        while gathered.is_empty() {
            SOMETHING.wait(&mut gathered);
        }
        drop(gathered);
        std::thread::sleep(DELAY);
        flush();
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
        let mut gathered = GATHERED.lock();
        if gathered.is_empty() && !self.at_once {
            SOMETHING.notify_one();
        }
        gathered.extend_from_slice(bytes);
        if self.at_once || gathered.len() >= GATHERED_MAX {
            write_out(&mut gathered);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
