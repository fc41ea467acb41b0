//! The name of a file that is whole. Nothing that has it already is replaced.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Gives a file its name. One of that name stays as it is.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where something has that name; when the file system refuses.
pub fn give_new_name(unfinished: &Path, path: &Path) -> Result<()> {
    let is_missing = |error: &Errno| matches!(*error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP);
    match renameat_with(CWD, unfinished, CWD, path, RenameFlags::NOREPLACE) {
        Err(error) if is_missing(&error) => give_by_link(unfinished, path),
        done => Ok(done?),
    }
}

/// The same where the file system knows no such rename, as NFS does not. One that knows no links either keeps what came before
/// this moment.
fn give_by_link(unfinished: &Path, path: &Path) -> Result<()> {
    match std::fs::hard_link(unfinished, path) {
        Ok(()) => {
            // It is whole, and has its name: another one does no harm.
            let _ = std::fs::remove_file(unfinished);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) if path.symlink_metadata().is_ok() => Err(Error::from(ErrorKind::AlreadyExists)),
        Err(_) => std::fs::rename(unfinished, path),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_has_the_name_already_is_kept() {
        for give in [give_new_name, give_by_link] {
            let folder = tempfile::tempdir().unwrap();
            let (unfinished, path, nothing) =
                (folder.path().join("unfinished"), folder.path().join("f"), folder.path().join("nothing"));
            std::fs::write(&unfinished, "mine").unwrap();
            std::fs::write(&path, "theirs").unwrap();
            assert_eq!(give(&unfinished, &path).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!((std::fs::read(&path).unwrap(), unfinished.exists()), (b"theirs".to_vec(), true));
            std::fs::remove_file(&path).unwrap();
            // A link to nothing is a name that is taken.
            std::os::unix::fs::symlink(&nothing, &path).unwrap();
            assert_eq!(give(&unfinished, &path).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert!(path.is_symlink() && !nothing.exists());
            std::fs::remove_file(&path).unwrap();
            give(&unfinished, &path).unwrap();
            assert_eq!((std::fs::read(&path).unwrap(), unfinished.exists()), (b"mine".to_vec(), false));
        }
    }
}
