//! Files that one command has at a time, and that go with it. The administrator makes them in folders of others, too: what
//! stands there already is not trusted, and no link is followed.

use std::fs::{File, Metadata, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Who may read what a command makes.
pub const OWNER_ONLY: u32 = 0o600;
/// How often another file is taken where somebody else moved the one at hand.
const TRIES_MAX: usize = 8;

/// A file that this command has until it is dropped. Then it is gone, unless it was given another name.
pub struct HeldFile {
    file: File,
    path: PathBuf,
}

impl HeldFile {
    /// Takes the file of that name: what a command of this user that was killed left of it, or else a new one. What is anything
    /// else is removed. `None` while another command has it.
    ///
    /// # Errors
    /// When it cannot be made, locked or removed.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        for _ in 0..TRIES_MAX {
            let Some(file) = open(path)? else { continue };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if stands_at(&file, path)? {
                return Ok(Some(Self { file, path: path.to_owned() }));
            }
        }
        Err(Error::other(format!("{} is made and removed by others all the time", path.display())))
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The name that it was taken under.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still what stands at that name.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn is_there(&self) -> Result<bool> {
        stands_at(&self.file, &self.path)
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        // What is left of it is of no use to anybody.
        if self.is_there().unwrap_or(false) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A name for a file beside another one.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Removes a file, if it is there.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens what a command of this user left, or makes the file; `None` when something else stood there, or came meanwhile.
fn open(path: &Path) -> Result<Option<File>> {
    let mut options = File::options();
    options.write(true).mode(OWNER_ONLY).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    let opened = match path.symlink_metadata() {
        Ok(found) if is_left_over(&found) => options.open(path).and_then(|file| {
            // Something else may stand there by now.
            let is_it = is_left_over(&file.metadata()?);
            Ok(is_it.then_some(file))
        }),
        Ok(_) => remove(path).map(|()| None),
        // Whose it is then, the file system says as it likes: NFS and FAT may name somebody else.
        Err(error) if error.kind() == ErrorKind::NotFound => options.create_new(true).open(path).map(Some),
        Err(error) => Err(error),
    };
    match opened {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => Ok(None),
        // It is a link by now.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => Ok(None),
        opened => opened,
    }
}

/// Whether a file is the one of that name: whoever had it before may have given it another one.
fn stands_at(file: &File, path: &Path) -> Result<bool> {
    let held = file.metadata()?;
    let is_it = |found: Metadata| (found.dev(), found.ino()) == (held.dev(), held.ino());
    Ok(path.symlink_metadata().is_ok_and(is_it))
}

/// Whether a file may be one that a command of this user left: what somebody else has, or has a name for, would be theirs to
/// read, too.
fn is_left_over(found: &Metadata) -> bool {
    found.is_file() && found.uid() == rustix::process::geteuid().as_raw() && found.nlink() == 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_command_has_a_file_and_takes_it_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "left over").unwrap();
        let held = HeldFile::take(&path).unwrap().unwrap();
        assert!(HeldFile::take(&path).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        let held = HeldFile::take(&path).unwrap().unwrap();
        // Under another name it stays, and so does what came in its place.
        std::fs::rename(&path, folder.path().join("g")).unwrap();
        std::fs::write(&path, "another").unwrap();
        drop(held);
        assert!(folder.path().join("g").exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
    }

    #[test]
    fn what_was_given_another_name_before_it_was_locked_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (path, finished) = (folder.path().join("f.unfinished"), folder.path().join("f"));
        std::fs::write(&path, "whole").unwrap();
        let late = open(&path).unwrap().unwrap();
        std::fs::rename(&path, &finished).unwrap();
        assert!(!stands_at(&late, &path).unwrap());
        // Nor when another command has begun since.
        std::fs::write(&path, "").unwrap();
        assert!(!stands_at(&late, &path).unwrap());
        assert!(stands_at(&late, &finished).unwrap());
    }
}
