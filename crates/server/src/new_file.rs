//! Files that commands make: for their owner alone, and under their name only when they are whole.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use custodia_store::give_new_name;

use crate::held_file::{HeldFile, beside};

/// What a file is called until it is whole, behind its name.
const UNFINISHED: &str = ".unfinished";

/// A file that is being made. What is dropped unfinished leaves nothing.
pub struct NewFile {
    unfinished: HeldFile,
    path: PathBuf,
    bytes: u64,
}

impl NewFile {
    /// Begins one; what a command that was killed left of it is removed.
    ///
    /// # Errors
    /// When there is a file of that name, another command is making it, or it cannot be written.
    pub fn begin(path: &Path) -> Result<Self> {
        refuse_existing(path)?;
        let cannot = || format!("{} cannot be written", path.display());
        let Some(unfinished) = HeldFile::take(&beside(path, UNFINISHED)).with_context(cannot)? else {
            bail!("another command is writing {}", path.display());
        };
        // Whoever had it before may have finished it.
        refuse_existing(path)?;
        Ok(Self { unfinished, path: path.to_owned(), bytes: 0 })
    }

    /// Adds to it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.unfinished.file().write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Gives it its name, once it is durable and as long as what was written.
    ///
    /// # Errors
    /// When it is not, or a file of that name came meanwhile.
    pub fn finish(self) -> Result<()> {
        let failed = || format!("{} cannot be finished", self.path.display());
        self.unfinished.file().sync_all().with_context(failed)?;
        let bytes = self.unfinished.file().metadata().with_context(failed)?.len();
        if bytes != self.bytes {
            bail!(
                "{} has {bytes} bytes, {} were written: the disk lost some; try another place",
                self.path.display(),
                self.bytes
            );
        }
        if !self.unfinished.is_there().with_context(failed)? {
            bail!("{} cannot be finished: somebody else removed what was written of it", self.path.display());
        }
        give_new_name(self.unfinished.path(), &self.path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(&self.path),
            _ => anyhow::Error::from(error).context(failed()),
        })?;
        let folder = folder_of(&self.path);
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)
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

/// Whether two names are those of one file, whatever links lead to their folders.
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
    match path.symlink_metadata() {
        Ok(_) => Err(exists(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
    }
}

fn exists(path: &Path) -> anyhow::Error {
    anyhow::anyhow!("{} exists: remove it, or name another file", path.display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::held_file::OWNER_ONLY;

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
    fn a_link_in_the_place_of_what_is_unfinished_leaves_its_target_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (path, unfinished, victim) = (at("f"), at("f.unfinished"), at("victim"));
        std::fs::write(&victim, "kept").unwrap();
        for is_symbolic in [true, false] {
            match is_symbolic {
                true => std::os::unix::fs::symlink(&victim, &unfinished).unwrap(),
                false => std::fs::hard_link(&victim, &unfinished).unwrap(),
            }
            let refused = format!("{:#}", write_new(&path, b"secret").unwrap_err());
            assert!(refused.ends_with("or somebody else's: remove it, or name another file"), "{refused}");
            assert_eq!(std::fs::read(&victim).unwrap(), b"kept");
            assert!(unfinished.exists() && !path.exists());
            std::fs::remove_file(&unfinished).unwrap();
        }
        // A link to nothing is a name that is taken.
        std::os::unix::fs::symlink(at("nothing"), &path).unwrap();
        let refused = write_new(&path, b"secret").unwrap_err().to_string();
        assert!(refused.ends_with(" exists: remove it, or name another file"), "{refused}");
        assert!(!at("nothing").exists() && !unfinished.exists());
    }

    #[test]
    fn what_another_user_left_unfinished_is_not_written_to() {
        const OTHER: u32 = 61_234;
        if !rustix::process::geteuid().is_root() {
            println!("files can be given to another user by the administrator alone");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (path, unfinished) = (folder.path().join("f"), folder.path().join("f.unfinished"));
        std::fs::write(&unfinished, "theirs").unwrap();
        std::os::unix::fs::chown(&unfinished, Some(OTHER), None).unwrap();
        let theirs = File::open(&unfinished).unwrap();
        write_new(&path, b"secret").unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&path).unwrap()), 0);
        assert_eq!(std::io::read_to_string(&theirs).unwrap(), "theirs");
    }

    #[test]
    fn what_somebody_else_put_in_the_place_of_what_is_unfinished_gets_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, unfinished) = (folder.path().join("f"), folder.path().join("f.unfinished"));
        let file = NewFile::begin(&path).unwrap();
        std::fs::remove_file(&unfinished).unwrap();
        std::fs::write(&unfinished, "another").unwrap();
        assert!(file.finish().unwrap_err().to_string().contains("somebody else removed what was written of it"));
        assert_eq!((path.exists(), std::fs::read(&unfinished).unwrap()), (false, b"another".to_vec()));
    }

    #[test]
    fn a_file_that_came_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, unfinished) = (folder.path().join("f"), folder.path().join("f.unfinished"));
        let mut file = NewFile::begin(&path).unwrap();
        file.write(b"mine").unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert!(file.finish().unwrap_err().to_string().ends_with(" exists: remove it, or name another file"));
        assert_eq!((std::fs::read(&path).unwrap(), unfinished.exists()), (b"theirs".to_vec(), false));
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
