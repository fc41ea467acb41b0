//! Files that one command has at a time, and that go with it. The administrator makes them in folders of others, too: what
//! stands there already is not trusted, no link is followed, and nothing is removed but a file that nobody has locked.

use std::fs::{File, Metadata, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
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
    /// Makes the file of that name; what a command that was killed left of it is removed. `None` while another command has it.
    ///
    /// # Errors
    /// When it cannot be made, locked or removed; when what stands there is none that a command makes, such as a link.
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

/// Removes what a command left at a name, if it is there. `false` while another command has it. Whose it is does not matter: NFS
/// and FAT may name somebody else.
fn clear(path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        Ok(found) if is_left_over(&found) => {}
        Ok(_) => return Err(in_the_way(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    // It may be a link by now, or a pipe, which nobody may read from.
    let as_it_is = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match File::options().write(true).custom_flags(as_it_is).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::LOOP | Errno::NXIO)) => {
            return Err(in_the_way(path));
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(in_the_way(path)),
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

/// What stands at a name is not removed unasked: a lock can be had of a file alone.
fn in_the_way(path: &Path) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!(
            "{} is no file that a command of this user left, but a link, something else, or somebody else's: remove it, or name \
             another file",
            path.display()
        ),
    )
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

/// Whether a file may be one that a command has or left. One without any name was removed while it was looked at: what stands at
/// the name by now may be another command's.
fn is_left_over(found: &Metadata) -> bool {
    found.is_file() && found.nlink() <= 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::Permissions;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
        // Nor does it help to put links there all the time.
        let (nothing, is_over) = (folder.path().join("nothing"), AtomicBool::new(false));
        let link = || {
            while !is_over.load(Ordering::SeqCst) {
                if std::os::unix::fs::symlink(&nothing, &path).is_ok() {
                    remove(&path).unwrap();
                }
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(take)).collect();
            let linking = scope.spawn(link);
            let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
            is_over.store(true, Ordering::SeqCst);
            linking.join().unwrap();
            ended.into_iter().for_each(|ended| ended.unwrap());
        });
        assert!(HeldFile::take(&path).unwrap().is_some());
    }

    #[test]
    fn what_is_no_file_of_a_command_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (path, victim) = (at("f.unfinished"), at("victim"));
        std::fs::write(&victim, "kept").unwrap();
        let in_the_way: [fn(&Path, &Path); 4] = [
            |victim, path| std::os::unix::fs::symlink(victim, path).unwrap(),
            |victim, path| std::fs::hard_link(victim, path).unwrap(),
            |_, path| std::fs::create_dir(path).unwrap(),
            |_, path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        ];
        for put in in_the_way {
            put(&victim, &path);
            let error = HeldFile::take(&path).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert!(error.to_string().ends_with(": remove it, or name another file"), "{error}");
            assert_eq!(std::fs::read(&victim).unwrap(), b"kept");
            std::fs::rename(&path, at("put aside")).unwrap();
            assert!(HeldFile::take(&path).unwrap().is_some());
            std::process::Command::new("rm").arg("-r").arg(at("put aside")).status().unwrap();
        }
    }

    /// As on a file system that names another user.
    #[test]
    fn a_file_is_held_whoever_it_is_said_to_be_of() {
        const OTHER: u32 = 61_234;
        if !rustix::process::geteuid().is_root() {
            println!("files can be given to another user by the administrator alone");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.unfinished");
        let held = HeldFile::take(&path).unwrap().unwrap();
        std::os::unix::fs::chown(&path, Some(OTHER), None).unwrap();
        assert!(HeldFile::take(&path).unwrap().is_none());
        assert!(held.is_there().unwrap());
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
