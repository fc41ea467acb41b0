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
    /// Makes the file of that name; what a command of this user that was killed left of it is removed, and so is anything else.
    /// `None` while another command has it.
    ///
    /// # Errors
    /// When it cannot be made, locked or removed.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        for _ in 0..TRIES_MAX {
            // Whoever had what was left over may have it open still: what is written goes into a file that nobody had.
            if !clear(path)? {
                return Ok(None);
            }
            // Whose it is then, the file system says as it likes: NFS and FAT may name somebody else.
            let file = match File::options().write(true).create_new(true).mode(OWNER_ONLY).open(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made?,
            };
            if !lock(&file)? {
                return Ok(None);
            }
            // Another command may have taken it for one that was left over.
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

/// Removes what stands at a name, or some of it where others are at it, too. `false` while another command has it.
fn clear(path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        Ok(found) if is_left_over(&found) => {}
        Ok(_) => return remove(path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = match File::options().write(true).custom_flags(no_link).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        // It is a link by now.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => return Ok(true),
        opened => opened?,
    };
    if !lock(&file)? {
        return Ok(false);
    }
    // Whoever had it may have given it another name before it was locked.
    if stands_at(&file, path)? {
        remove(path)?;
    }
    Ok(true)
}

/// Locks a file, unless another command has.
fn lock(file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a file is the one of that name: whoever had it before may have given it another one.
fn stands_at(file: &File, path: &Path) -> Result<bool> {
    let held = file.metadata()?;
    let is_it = |found: Metadata| (found.dev(), found.ino()) == (held.dev(), held.ino());
    Ok(path.symlink_metadata().is_ok_and(is_it))
}

/// Whether a file may be one that a command of this user has or left. One without any name was removed while it was looked at:
/// what stands at the name by now may be another command's.
fn is_left_over(found: &Metadata) -> bool {
    found.is_file() && found.uid() == rustix::process::geteuid().as_raw() && found.nlink() <= 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::Permissions;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often each of several threads takes a file.
    const ROUNDS: usize = 50_000;

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
        let late = File::open(&path).unwrap();
        std::fs::rename(&path, &finished).unwrap();
        assert!(!stands_at(&late, &path).unwrap());
        // Nor when another command has begun since.
        std::fs::write(&path, "").unwrap();
        assert!(!stands_at(&late, &path).unwrap());
        assert!(stands_at(&late, &finished).unwrap());
    }

    #[test]
    fn of_those_who_take_a_file_at_one_time_one_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let holders = AtomicUsize::new(0);
        let take = || {
            for _ in 0..ROUNDS {
                // Who was in the way of too many others is told so, and has nothing.
                let Ok(Some(held)) = HeldFile::take(&path) else { continue };
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                assert!(held.is_there().unwrap());
                holders.fetch_sub(1, Ordering::SeqCst);
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(take)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        assert!(HeldFile::take(&path).unwrap().is_some());
    }

    /// Another user may have opened what was left over while its mode let them.
    #[test]
    fn who_has_open_what_was_left_over_sees_nothing_of_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.unfinished");
        std::fs::write(&path, "left over").unwrap();
        for mode in [0o644, OWNER_ONLY] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let theirs = File::open(&path).unwrap();
            let held = HeldFile::take(&path).unwrap().unwrap();
            assert_eq!(path.metadata().unwrap().mode() & 0o777, OWNER_ONLY);
            held.file().write_all(b"secret").unwrap();
            assert_eq!(std::io::read_to_string(&theirs).unwrap(), "left over");
            drop(held);
            std::fs::write(&path, "left over").unwrap();
        }
    }
}
