//! What a flush costs on the disk that the databases are on: half of what a durable write can be compared with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Bytes written before each flush: a page, as a small commit writes.
const PAGE: [u8; 4096] = [b'x'; 4096];

/// Writes a page at the end of a file and flushes it, again and again for that long; the median flush.
///
/// # Errors
/// What the disk says.
pub fn flush(folder: &Path, duration: Duration) -> Result<Duration> {
    let path = folder.join("flush-probe");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).context("the file of the disk probe")?;
    let begin = Instant::now();
    let mut flushes = Vec::new();
    while begin.elapsed() < duration || flushes.is_empty() {
        file.write_all(&PAGE)?;
        let written = Instant::now();
        file.sync_data()?;
        flushes.push(written.elapsed());
    }
    std::fs::remove_file(&path)?;
    flushes.sort_unstable();
    flushes.get(flushes.len() / 2).copied().context("there was a flush")
}
