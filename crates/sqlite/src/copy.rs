//! Copying a live database and proving a copy whole.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, ffi};

use crate::connection::open_unconfigured;
use crate::{Access, Encryption, Error, Options};

/// Copies the database of `source` into a new file at `target`, as of one moment; writers go on meanwhile.
///
/// `encryption` protects the target. It may be another key than the source's, but both sides are encrypted or neither is:
/// SQLite's backup cannot cross that line. The copy is on the disk when this returns; the write-ahead log does not restart
/// until then, so a long copy under heavy writing makes it grow.
///
/// # Errors
/// [`Error::Exists`] if there is a file at `target`; [`Error::CopyBlocked`] if a lock was held for longer than the source's
/// busy timeout; [`Error::Engine`] otherwise, and then `target` may hold a part of the copy, which the caller deletes.
pub fn copy(source: &Connection, target: &Path, encryption: Encryption<'_>) -> Result<(), Error> {
    let mut copy = open_unconfigured(target, &Options::new(encryption, Access::Create))?;
    {
        let backup = Backup::new(source, &mut copy).map_err(Error::engine("starting the copy"))?;
        // All pages in one step: between steps another connection's commit would make the copy start again.
        match backup.step(-1).map_err(Error::engine("copying"))? {
            StepResult::Done => {}
            _ => return Err(Error::CopyBlocked { path: target.to_owned() }),
        }
    }
    copy.close().map_err(|(_, source)| Error::Engine { doing: "closing the copy", source })
}

/// Reads every table and index of a database and returns what is wrong with it: nothing, for a sound one.
///
/// Pages are read from the disk, not from the connection's cache, and each page of an encrypted file is authenticated on the way;
/// free pages are not read. This takes time in proportion to the file and writes nothing.
///
/// `PRAGMA cipher_integrity_check` is no help: it reads the file without its write-ahead log, so it reports a page that a crash
/// tore during a checkpoint although the log still holds it whole.
///
/// # Errors
/// [`Error::Engine`] if the file cannot be read at all.
pub fn check_integrity(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    match read_everything(connection, &mut faults) {
        Ok(()) => {}
        // Damage can be such that the check itself gives up: that is a finding too.
        Err(error @ rusqlite::Error::SqliteFailure(ffi::Error { code: ErrorCode::DatabaseCorrupt, .. }, _)) => {
            faults.push(format!("the check stopped: {error}"));
        }
        Err(source) => return Err(Error::Engine { doing: "checking the database", source }),
    }
    Ok(faults)
}

fn read_everything(connection: &Connection, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    // Forgets the cached pages.
    connection.execute_batch("PRAGMA shrink_memory")?;
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            faults.push(line);
        }
    }
    Ok(())
}
