//! The data folder: one process owns it, by a lock; its master key is made on first use.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use custodia_store::MasterKey;

use crate::ambient::SystemRandom;
use crate::config::Config;

/// A data folder that this process owns until it is dropped.
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Who has a folder.
pub enum Owned {
    /// This process, from now on.
    Ours(DataFolder),
    /// Another one, which listens on the folder's socket.
    Running,
}

/// The socket on which the owner of a folder takes commands.
pub fn socket_path(folder: &Path) -> PathBuf {
    folder.join("custodia.sock")
}

impl DataFolder {
    /// Takes the folder, making it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or locked for another reason than that it is in use.
    pub fn take(path: &Path) -> Result<Owned> {
        make_private(path)?;
        let lock_path = path.join("custodia.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .with_context(|| format!("{} cannot be opened", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Owned::Ours(Self { path: path.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(Owned::Running),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", lock_path.display()))
            }
        }
    }

    /// Takes the folder; another owner is an error.
    ///
    /// # Errors
    /// As [`Self::take`], and when a server runs on it.
    pub fn take_alone(path: &Path) -> Result<Self> {
        match Self::take(path)? {
            Owned::Ours(folder) => Ok(folder),
            Owned::Running => bail!(
                "another custodia process uses the data folder {}; stop it first, or give this one another --data folder",
                path.display()
            ),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The master key: of the environment, of its file, or, in a folder without data, a new one.
    ///
    /// # Errors
    /// When there is data but no key, or the key cannot be read.
    pub fn master_key(&self, config: &Config) -> Result<MasterKey> {
        if let Some(text) = crate::ambient::environment("CUSTODIA_MASTER_KEY") {
            return MasterKey::parse(&text).context("CUSTODIA_MASTER_KEY");
        }
        let path = config.master_key_path(&self.path);
        if path.exists() {
            return MasterKey::read(&path).with_context(|| format!("the master key {}", path.display()));
        }
        if self.path.join("control.db").exists() {
            bail!(
                "there is data in {} but no master key at {}: put back the key that was exported at setup; without it the data cannot be read",
                self.path.display(),
                path.display()
            );
        }
        let key = MasterKey::generate(&SystemRandom);
        key.write_new(&path).context("the new master key")?;
        eprintln!(
            "A master key was made: {}\n\
             It encrypts every organisation's key. Without it all data and all backups are lost, and nobody can help.\n\
             Keep a copy in another place: custodia key export --data {} --to FILE",
            path.display(),
            self.path.display()
        );
        Ok(key)
    }
}

/// A folder that only its owner may enter.
fn make_private(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("the data folder {} cannot be made", path.display()))
}
