//! Files that are being made, each in a folder of its own beside the place that it is for: SQLite follows the links that it meets,
//! and who may write in that place may put some there.

use std::fs::{DirBuilder, File};
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use custodia_schema::Guid;

use crate::new_name::give_new_name;
use crate::{Error, Result};

/// Begins the names of the folders.
pub(crate) const UNFINISHED: &str = ".unfinished-";
/// What the file is called there.
const FILE: &str = "copy";
/// Nobody else reads the folder, or makes anything in it.
const OWNER_ONLY: u32 = 0o700;

/// A file within a folder of its own until it is complete; removed, with what SQLite keeps beside it, if it never is.
pub(crate) struct Unfinished {
    folder: PathBuf,
    path: PathBuf,
}

impl Unfinished {
    /// Makes the folder beside `final_path`, whether that exists or not. The file is the caller's to make.
    pub(crate) fn beside(final_path: &Path, id: Guid) -> Result<Self> {
        let folder = final_path.with_file_name(format!("{UNFINISHED}{}", id.simple()));
        // What the system says of the place; the database library would only say that it cannot write.
        let made = DirBuilder::new().mode(OWNER_ONLY).create(&folder);
        made.map_err(|source| file_error(final_path, source))?;
        let path = folder.join(FILE);
        Ok(Self { folder, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the complete file its name, unless something has it by now. When this returns, file and name are on the disk.
    pub(crate) fn publish(self, to: &Path) -> Result<()> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        synced.map_err(|source| file_error(&self.path, source))?;
        // A place that may not be opened is found out before the name is given, not after it.
        let place = folder_of(to);
        let opened = File::open(place).map_err(|source| file_error(place, source))?;
        give_new_name(&self.path, to).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => exists(to),
            _ => file_error(to, source),
        })?;
        drop(self);
        opened.sync_all().map_err(|source| file_error(place, source))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // By their names: what somebody else put in the folder's place is not emptied. What cannot be removed stays under a name
        // that says what it is.
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(self.folder.join(format!("{FILE}{suffix}")));
        }
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// Removes what was left unfinished in a folder of this program's own, by one that was killed.
pub(crate) fn remove_unfinished(folder: &Path) {
    // A folder that is not there yet has nothing in it.
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            continue;
        }
        // Earlier programs made files.
        let removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(entry.path()),
            _ => std::fs::remove_file(entry.path()),
        };
        if let Err(error) = removed {
            tracing::warn!(path = %entry.path().display(), %error, "an unfinished copy could not be removed");
        }
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub(crate) fn exists(path: &Path) -> Error {
    let why = "the file exists and a backup never overwrites one: name another, or remove it";
    file_error(path, IoError::new(ErrorKind::AlreadyExists, why))
}

pub(crate) fn file_error(path: &Path, source: IoError) -> Error {
    Error::File { path: path.display().to_string(), source }
}
