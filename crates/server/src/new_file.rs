//! Files that commands make: for their owner alone, and under their name only when they are whole.

use std::ffi::OsString;
use std::fs::{File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What a file is called until it is whole, behind its name.
const UNFINISHED: &str = ".unfinished";
/// Who may read one.
const OWNER_ONLY: u32 = 0o600;

/// A file that is being made. What is dropped unfinished leaves nothing.
pub struct NewFile {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
    bytes: u64,
    is_finished: bool,
}

impl NewFile {
    /// Begins one; what a command that was killed left of it is overwritten.
    ///
    /// # Errors
    /// When there is a file of that name, another command is making it, or it cannot be written.
    pub fn begin(path: &Path) -> Result<Self> {
        refuse_existing(path)?;
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(UNFINISHED);
        let unfinished = PathBuf::from(unfinished);
        let cannot = || format!("{} cannot be written", path.display());
        let file = File::options().create(true).truncate(false).write(true).mode(OWNER_ONLY).open(&unfinished);
        let file = file.with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another command is writing {}", path.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", unfinished.display()));
            }
        }
        let begun = Self { file, unfinished, path: path.to_owned(), bytes: 0, is_finished: false };
        begun.file.set_permissions(Permissions::from_mode(OWNER_ONLY)).with_context(cannot)?;
        begun.file.set_len(0).with_context(cannot)?;
        Ok(begun)
    }

    /// Adds to it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Gives it its name, once it is durable and as long as what was written.
    ///
    /// # Errors
    /// When it is not, or a file of that name came meanwhile.
    pub fn finish(mut self) -> Result<()> {
        let failed = || format!("{} cannot be finished", self.path.display());
        self.file.sync_all().with_context(failed)?;
        let bytes = self.file.metadata().with_context(failed)?.len();
        if bytes != self.bytes {
            bail!(
                "{} has {bytes} bytes, {} were written: the disk lost some; try another place",
                self.path.display(),
                self.bytes
            );
        }
        refuse_existing(&self.path)?;
        std::fs::rename(&self.unfinished, &self.path).with_context(failed)?;
        self.is_finished = true;
        let folder = folder_of(&self.path);
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // What is left of it is of no use to anybody.
            let _ = std::fs::remove_file(&self.unfinished);
        }
    }
}

/// Makes a file of these bytes.
///
/// # Errors
/// As those of [`NewFile`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::begin(path)?;
    file.write(bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    file.finish()
}

/// Whether two files that are to be made would be one, whatever links lead to their folders.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| -> Option<(PathBuf, OsString)> {
        Some((folder_of(path).canonicalize().ok()?, path.file_name()?.to_owned()))
    };
    one == other || place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refuse_existing(path: &Path) -> Result<()> {
    if path.exists() {
        bail!("{} exists: remove it, or name another file", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (path, unfinished) = (folder.path().join("f"), folder.path().join("f.unfinished"));
        std::fs::write(&unfinished, "left over").unwrap();
        std::fs::set_permissions(&unfinished, Permissions::from_mode(0o644)).unwrap();
        let mut file = NewFile::begin(&path).unwrap();
        file.write(b"half").unwrap();
        assert!(NewFile::begin(&path).is_err_and(|error| error.to_string().starts_with("another command is writing ")));
        assert!(!path.exists() && unfinished.exists());
        drop(file);
        assert!(!path.exists() && !unfinished.exists());
        write_new(&path, b"whole").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert!(
            write_new(&path, b"other").unwrap_err().to_string().ends_with(" exists: remove it, or name another file")
        );
        assert_eq!((std::fs::read(&path).unwrap(), unfinished.exists()), (b"whole".to_vec(), false));
    }

    #[test]
    fn files_are_one_whatever_leads_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(is_same(&at("z"), &at("./z")) && is_same(&at("z"), &at("link/z")) && is_same(&at("no/z"), &at("no/z")));
        assert!(!is_same(&at("z"), &at("y")) && !is_same(&at("z"), &at("no/z")));
    }
}
