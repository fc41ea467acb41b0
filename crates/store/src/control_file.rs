//! The file of the control database, and what beside it shows that there was one: a new one in the place of one that was lost
//! would end its log, and with it the keys of all organisations.

use std::path::{Path, PathBuf};

use crate::unfinished::UNFINISHED;
use crate::{Error, Result};

/// Where the embedded databases are, below the data folder.
const DATABASES_FOLDER: &str = "organizations";
/// The file of the control database, in the data folder.
const CONTROL_FILE: &str = "control.db";
/// Its log.
const CONTROL_LOG: &str = "control.db-wal";
/// How the files of organisations end.
const DATABASE_ENDING: &str = ".db";

/// The folder of the embedded databases, where backups are unpacked too.
pub(crate) fn databases_in(folder: &Path) -> PathBuf {
    folder.join(DATABASES_FOLDER)
}

/// The file of the control database.
pub(crate) fn control_in(folder: &Path) -> PathBuf {
    folder.join(CONTROL_FILE)
}

/// Whether a data folder has an installation in files, or what is left of one.
pub(crate) fn has_installation(folder: &Path) -> bool {
    // What cannot be looked at may hold one.
    is_whole(folder) || !matches!(left_in(folder), Ok(None))
}

/// Whether there is a control database. Refuses a folder whose control database is gone while other files of the installation
/// are there.
pub(crate) fn require_not_lost(folder: &Path) -> Result<bool> {
    if is_whole(folder) {
        return Ok(true);
    }
    let file = control_in(folder);
    let Some(left) = left_in(folder)? else { return Ok(false) };
    let lost = if file.exists() { "is empty or was cut off" } else { "is gone" };
    Err(Error::Corrupt(format!(
        "the control database {} {lost}, while {} is there: put the file back, and leave {CONTROL_LOG} as it is; nothing was \
         changed. Where it is lost, so are the keys of the organisations: docs/operations/repairing.md, \"The control database is \
         lost\"",
        file.display(),
        left.display()
    )))
}

fn is_whole(folder: &Path) -> bool {
    let file = control_in(folder);
    file.exists() && !custodia_sqlite::is_cut_short(&file)
}

/// A file that only an installation has that was used.
fn left_in(folder: &Path) -> Result<Option<PathBuf>> {
    let log = folder.join(CONTROL_LOG);
    if log.exists() {
        return Ok(Some(log));
    }
    let databases = databases_in(folder);
    let entries = match std::fs::read_dir(&databases) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { path: databases.display().to_string(), source }),
    };
    Ok(entries.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(DATABASE_ENDING) && !name.starts_with(UNFINISHED)
    }))
}
