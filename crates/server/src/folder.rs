//! The data folder: one process owns it, by a lock; its master key is made on first use.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use custodia_store::MasterKey;

use crate::ambient::{SystemRandom, environment};
use crate::config::Config;

/// The master key as text, instead of a file.
const KEY_VARIABLE: &str = "CUSTODIA_MASTER_KEY";
/// What a key is told by, derived from it: enough to see that another one was exported.
const FINGERPRINT: &str = "fingerprint";

/// A data folder that this process owns until it is dropped.
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Who has a folder.
pub enum Owned {
    /// This process, from now on.
    Ours(DataFolder),
    /// Another one.
    Theirs,
}

/// The master key and how it came here.
pub struct FoundKey {
    /// The key.
    pub key: MasterKey,
    /// Its file; `None` when the environment holds it.
    pub path: Option<PathBuf>,
    /// It was made just now.
    pub made: bool,
}

/// The socket on which the owner of a folder takes commands.
pub fn socket_path(folder: &Path) -> PathBuf {
    folder.join("custodia.sock")
}

/// Refuses a folder in which nobody ever made an installation: most likely another one was meant.
///
/// # Errors
/// When the folder is not there and the master key is not in the environment either.
pub fn require_installation(folder: &Path) -> Result<()> {
    if folder.is_dir() || environment(KEY_VARIABLE).is_some() {
        return Ok(());
    }
    bail!(
        "there is no data folder {}; name another with --data, or make one with 'custodia serve' or 'custodia org create'",
        folder.display()
    )
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
            Err(TryLockError::WouldBlock) => Ok(Owned::Theirs),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", lock_path.display()))
            }
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
    pub fn master_key(&self, config: &Config) -> Result<FoundKey> {
        let path = config.master_key_path(&self.path);
        if let Some(found) = present_key(&path)? {
            return Ok(found);
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
        Ok(FoundKey { key, path: Some(path), made: true })
    }

    /// Where the key is and what losing it means, to be said as long as there is no copy of it.
    pub fn export_reminder(&self, found: &FoundKey) -> Option<String> {
        let path = found.path.as_ref()?;
        let exported = std::fs::read_to_string(export_mark(&self.path)).unwrap_or_default();
        if exported.trim() == fingerprint(&found.key) {
            return None;
        }
        let (path, folder) = (path.display(), self.path.display());
        let first = if found.made {
            format!("A master key was made: {path}")
        } else {
            format!("The master key has no copy: {path}")
        };
        Some(format!(
            "{first}\n\
             It encrypts every organisation's key. Without it all data and all backups are lost, and nobody can help.\n\
             Keep a copy in another place: custodia key export --data {folder} --to FILE"
        ))
    }
}

/// Copies the master key to a new file, reads the copy back, and remembers that there is one.
///
/// # Errors
/// When there is no key, or the file exists or cannot be written.
pub fn export_key(folder: &Path, config: &Config, to: &Path) -> Result<()> {
    let path = config.master_key_path(folder);
    let found = present_key(&path)?.with_context(|| {
        format!(
            "there is no master key at {}; name the data folder with --data; 'custodia serve' makes one on first start",
            path.display()
        )
    })?;
    found.key.write_new(to).context("the copy of the master key")?;
    let copy = MasterKey::read(to).context("the copy of the master key")?;
    if fingerprint(&copy) != fingerprint(&found.key) {
        bail!("the copy at {} does not read back as the key; write it to another place", to.display());
    }
    if folder.is_dir() {
        let mark = export_mark(folder);
        let text = format!("{}\n", fingerprint(&copy));
        std::fs::write(&mark, text).with_context(|| format!("{} cannot be written", mark.display()))?;
    }
    Ok(())
}

fn present_key(path: &Path) -> Result<Option<FoundKey>> {
    if let Some(text) = environment(KEY_VARIABLE) {
        let key = MasterKey::parse(&text).context(KEY_VARIABLE)?;
        return Ok(Some(FoundKey { key, path: None, made: false }));
    }
    if !path.exists() {
        return Ok(None);
    }
    let key = MasterKey::read(path).with_context(|| format!("the master key {}", path.display()))?;
    Ok(Some(FoundKey { key, path: Some(path.to_owned()), made: false }))
}

/// Holds the fingerprint of the key that was exported.
fn export_mark(folder: &Path) -> PathBuf {
    folder.join("master.key.exported")
}

fn fingerprint(key: &MasterKey) -> String {
    key.derive(FINGERPRINT).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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
