//! The data folder: one process owns it, by a lock; its master key is made on first use. It knows which engine has the
//! records of its installation, so that nobody makes another one beside it by leaving out an address.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use custodia_store::{MasterKey, Store};

use crate::ambient::{SystemClock, SystemRandom, environment};
use crate::config::Config;
use crate::held_file::OWNER_ONLY;
use crate::new_file;

/// The master key as text, instead of a file.
pub const KEY_VARIABLE: &str = "CUSTODIA_MASTER_KEY";
/// What a key is told by, derived from it: enough to see that another one was exported.
const FINGERPRINT: &str = "fingerprint";

/// Stands in a data folder whose installation keeps its records in PostgreSQL. Without its address, or with none that is
/// right, a command would take the folder for one in which nothing is yet.
const POSTGRES_MARK: &str = "on-postgresql";
/// What it says to whoever finds it.
const POSTGRES_MARK_TEXT: &str = "The installation of this folder keeps its records in PostgreSQL (--database).\n";

/// Held by the process that has the folder.
const LOCK: &str = "custodia.lock";
/// The user who may write anywhere.
const ADMINISTRATOR: u32 = 0;

/// What a command may make where there is no installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Makes<'a> {
    /// Its master key and its control database.
    Installation,
    /// The control database, under the key of this backup, which is there already.
    ControlDatabaseFor(&'a Path),
    /// Nothing.
    Nothing,
}

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

/// Refuses a folder in which nobody ever made an installation, unless the command makes one: most likely another one was meant,
/// or its volume is not mounted. Nothing is made in it then, not even a lock.
///
/// # Errors
/// When the folder is not there, or empty, and the master key is not elsewhere either: in the environment, or in the file that
/// the configuration names.
pub fn require_folder(folder: &Path, makes: Makes<'_>, config: impl FnOnce() -> Result<Config>) -> Result<()> {
    if makes == Makes::Installation || environment(KEY_VARIABLE)?.is_some() {
        return Ok(());
    }
    let is_there = folder.is_dir();
    if is_there && !std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(());
    }
    let key = config()?.master_key_path(folder);
    if key.exists() {
        return Ok(());
    }
    match makes {
        Makes::ControlDatabaseFor(_) => bail!("{}", no_key_for_backup(folder, &key)),
        _ if !is_there => bail!(
            "there is no data folder {}; name another with --data, or make one with 'custodia serve' or 'custodia org create'",
            folder.display()
        ),
        _ => bail!("{}", no_installation(folder, false)),
    }
}

fn no_key_for_backup(folder: &Path, key: &Path) -> String {
    format!(
        "{} has no master key: name another folder with --data, or put the key that fits this backup at {} first, \
         then restore again (docs/operations/backup.md, \"Losing the machine\")",
        folder.display(),
        key.display()
    )
}

/// Says that there is no installation where one was expected.
fn no_installation(folder: &Path, on_postgres: bool) -> String {
    let folder = folder.display();
    let (place, other) = match on_postgres {
        true => ("the PostgreSQL database".to_owned(), "name another with --database or CUSTODIA_DATABASE".to_owned()),
        false => (
            format!("the data folder {folder}"),
            "name another with --data, or mount its volume; for one on PostgreSQL add --database postgres://…"
                .to_owned(),
        ),
    };
    format!("there is no installation in {place}; {other}; 'custodia serve' or 'custodia org create' make a new one")
}

impl DataFolder {
    /// Takes the folder, making it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or locked for another reason than that it is in use, or is another user's: what is made in it
    /// would be closed to that user, whose service could not read it.
    pub fn take(path: &Path) -> Result<Owned> {
        make_private(path)?;
        let lock_path = path.join(LOCK);
        let other = other_owner(path, rustix::process::geteuid().as_raw())?;
        let lock = File::options()
            .create(other.is_none())
            .truncate(false)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&lock_path);
        let lock = match (lock, other) {
            (Err(error), Some(owner)) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("{}", of_another(path, owner))
            }
            (lock, _) => lock.map_err(|error| not_opened(&lock_path, &error))?,
        };
        match (lock.try_lock(), other) {
            (Ok(()), None) => Ok(Owned::Ours(Self { path: path.to_owned(), _lock: lock })),
            (Ok(()), Some(owner)) => bail!("{}", of_another(path, owner)),
            (Err(TryLockError::WouldBlock), _) => Ok(Owned::Theirs),
            (Err(TryLockError::Error(error)), _) => {
                Err(error).with_context(|| format!("{} cannot be locked", lock_path.display()))
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a command is given to go where this one went: one that is typed as it is printed must not go elsewhere.
    pub fn place(&self, config: &Config) -> String {
        let configured = config.file.as_ref().map_or_else(String::new, |file| format!(" --config {}", file.display()));
        format!("--data {}{configured}", self.path.display())
    }

    /// Refuses a configuration that leads away from where the installation of this folder has its records.
    ///
    /// # Errors
    /// When they are in PostgreSQL and no address is given, or in files and one is.
    pub fn require_engine(&self, config: &Config) -> Result<()> {
        let folder = self.path.display();
        if !config.database.is_empty() && Store::has_files(&self.path) {
            bail!(
                "the folder {folder} belongs to an installation in files: leave --database and CUSTODIA_DATABASE out, or give \
                 the one on PostgreSQL a --data folder of its own (docs/operations/backup.md, \"Moving to PostgreSQL\")"
            );
        }
        if config.database.is_empty() && self.is_on_postgres() {
            bail!(
                "the folder {folder} belongs to an installation on PostgreSQL: add --database postgres://…, or set \
                 CUSTODIA_DATABASE"
            );
        }
        Ok(())
    }

    /// Remembers that the installation of this folder has its records in PostgreSQL.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn mark_engine(&self, config: &Config) -> Result<()> {
        let mark = self.path.join(POSTGRES_MARK);
        if config.database.is_empty() || mark.exists() {
            return Ok(());
        }
        std::fs::write(&mark, POSTGRES_MARK_TEXT).with_context(|| format!("{} cannot be written", mark.display()))
    }

    /// Whether an installation was made here.
    pub fn holds_installation(&self) -> bool {
        holds_installation(&self.path)
    }

    /// Whether the installation of this folder has its records in PostgreSQL.
    pub fn is_on_postgres(&self) -> bool {
        is_on_postgres(&self.path)
    }

    /// Says that there is no installation where the configuration leads.
    pub fn no_installation(&self, config: &Config) -> String {
        if self.is_on_postgres() {
            return format!(
                "the folder {} belongs to an installation on PostgreSQL, which is not in the database of this address: correct \
                 --database or CUSTODIA_DATABASE; a new installation takes a --data folder of its own",
                self.path.display()
            );
        }
        no_installation(&self.path, !config.database.is_empty())
    }

    /// The master key: of the environment, of its file, or, in a folder without data and where the command may make it, a
    /// new one.
    ///
    /// # Errors
    /// When there is none and none is made, or it cannot be read.
    pub fn master_key(&self, config: &Config, makes: Makes<'_>) -> Result<FoundKey> {
        let path = config.master_key_path(&self.path);
        if let Some(found) = present_key(&path)? {
            return Ok(found);
        }
        if self.holds_installation() {
            bail!(
                "there is data in {} but no master key at {}: put back the key that was exported at setup; without it the data cannot be read",
                self.path.display(),
                path.display()
            );
        }
        match makes {
            Makes::Installation => {}
            Makes::ControlDatabaseFor(_) => bail!("{}", no_key_for_backup(&self.path, &path)),
            Makes::Nothing if config.database.is_empty() => bail!("{}", self.no_installation(config)),
            Makes::Nothing => bail!(
                "there is no master key at {}: put a copy of the one of this installation there (docs/operations/keys.md)",
                path.display()
            ),
        }
        let key = MasterKey::generate(&SystemRandom);
        write_key(&key, &path).context("the new master key")?;
        Ok(FoundKey { key, path: Some(path), made: true })
    }

    /// Refuses a backup that is not this key's, before anything is made with the key: what was made would keep the right
    /// key from being put in its place.
    ///
    /// # Errors
    /// When the backup cannot be read, or has another key.
    pub fn require_key_of_backup(&self, found: &FoundKey, backup: &Path) -> Result<()> {
        let place = found.path.as_ref().map_or_else(|| KEY_VARIABLE.to_owned(), |path| path.display().to_string());
        custodia_store::require_key_of_backup(backup, &found.key).map_err(|error| match error {
            custodia_store::Error::Key(why) => anyhow!(
                "the key at {place} does not open this backup ({why}): put the key there that was exported where the backup \
                 was taken, then restore again"
            ),
            other => other.into(),
        })
    }

    /// Where the key is and what losing it means, to be said as long as there is no copy of it.
    pub fn export_reminder(&self, found: &FoundKey, config: &Config) -> Option<String> {
        let path = found.path.as_ref()?;
        let exported = std::fs::read_to_string(export_mark(&self.path)).unwrap_or_default();
        if exported.trim() == fingerprint(&found.key) {
            return None;
        }
        let path = path.display();
        // The file may say where the key is.
        let place = self.place(config);
        let first = if found.made {
            format!("A master key was made: {path}")
        } else {
            format!("No copy of the master key was made from here: {path}")
        };
        Some(format!(
            "{first}\n\
             It encrypts every organisation's key. Without it all data and all backups are lost, and nobody can help.\n\
             Keep a copy in another place: custodia key export {place} --to FILE"
        ))
    }
}

/// Copies the master key to a new file, reads the copy back, and remembers that there is one.
///
/// # Errors
/// When there is no key, the copy would lie in the data folder, or the file exists or cannot be written.
pub fn export_key(folder: &Path, config: &Config, to: &Path) -> Result<()> {
    let path = config.master_key_path(folder);
    let Some(found) = present_key(&path)? else {
        if holds_installation(folder) {
            bail!(
                "the master key file {} is gone. Do not stop a server that runs: docs/operations/keys.md, \"What losing it \
                 means\"",
                path.display()
            );
        }
        bail!(
            "there is no master key at {}; name the data folder with --data; 'custodia serve' makes one on first start",
            path.display()
        );
    };
    require_outside(to, folder)?;
    write_key(&found.key, to).context("the copy of the master key")?;
    let copy = MasterKey::read(to).context("the copy of the master key")?;
    if fingerprint(&copy) != fingerprint(&found.key) {
        bail!("the copy at {} does not read back as the key; write it to another place", to.display());
    }
    if folder.is_dir() {
        let mark = export_mark(folder);
        write_mark(folder, &mark, &fingerprint(&copy)).with_context(|| {
            format!(
                "the copy was made, but {} cannot be written: each start will say that there is none",
                mark.display()
            )
        })?;
    }
    Ok(())
}

fn holds_installation(folder: &Path) -> bool {
    Store::has_files(folder) || is_on_postgres(folder)
}

fn is_on_postgres(folder: &Path) -> bool {
    folder.join(POSTGRES_MARK).exists()
}

/// Refuses a file within the data folder for a copy, whatever links lead there.
///
/// # Errors
/// When it is.
pub fn require_outside(copy: &Path, folder: &Path) -> Result<()> {
    match (new_file::folder_of(copy).canonicalize(), folder.canonicalize()) {
        (Ok(parent), Ok(folder)) if parent.starts_with(&folder) => bail!(
            "{} is inside the data folder: a copy there is lost with it; name a file in another place",
            copy.display()
        ),
        _ => Ok(()),
    }
}

/// The permissions of a key's file that others than its owner may read or write.
pub fn open_mode(key: &Path) -> Option<u32> {
    let mode = std::fs::metadata(key).ok()?.mode() & 0o777;
    Some(mode).filter(|mode| mode & 0o077 != 0)
}

/// Who has a folder, where it is not this user: whoever made the lock, which is the first file in it. Without one, only the
/// administrator is taken for somebody else: a volume may be another user's and open to the group of those who use it.
fn other_owner(folder: &Path, user: u32) -> std::io::Result<Option<u32>> {
    let owner = match std::fs::symlink_metadata(folder.join(LOCK)) {
        Ok(lock) => lock.uid(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && user == ADMINISTRATOR => {
            std::fs::metadata(folder)?.uid()
        }
        // Opening it says what is wrong.
        Err(_) => user,
    };
    Ok(Some(owner).filter(|owner| *owner != user))
}

/// Says whose a folder is.
fn of_another(folder: &Path, owner: u32) -> String {
    format!(
        "the data folder {} belongs to user {owner}, who could not read what is made here: run it as that user \
         (sudo -u '#{owner}' custodia …)",
        folder.display()
    )
}

/// The lock of a folder is the first file that a process opens: another user's is most likely somebody else's mistake.
fn not_opened(lock: &Path, error: &std::io::Error) -> anyhow::Error {
    let what_to_do = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ": run it as the owner of the folder (sudo -u USER custodia …)",
        _ => "",
    };
    anyhow!("{} cannot be opened: {error}{what_to_do}", lock.display())
}

fn present_key(path: &Path) -> Result<Option<FoundKey>> {
    if let Some(text) = environment(KEY_VARIABLE)? {
        let key = MasterKey::parse(&text).context(KEY_VARIABLE)?;
        return Ok(Some(FoundKey { key, path: None, made: false }));
    }
    if !path.exists() {
        return Ok(None);
    }
    let key = MasterKey::read(path).map_err(|error| match error {
        custodia_store::Error::File { source, .. } if source.kind() == std::io::ErrorKind::InvalidData => anyhow!(
            "the master key {}: a master key is 64 hexadecimal digits; put the copy back that was exported (docs/operations/keys.md); where \
             nothing was stored with it yet, remove the file, and 'custodia serve' makes a new one",
            path.display()
        ),
        other => anyhow::Error::from(other).context(format!("the master key {}", path.display())),
    })?;
    Ok(Some(FoundKey { key, path: Some(path.to_owned()), made: false }))
}

/// Writes a key to a new file.
fn write_key(key: &MasterKey, path: &Path) -> Result<()> {
    new_file::write_new(path, format!("{}\n", key.export()).as_bytes())
}

/// Holds the fingerprint of the key that was exported.
fn export_mark(folder: &Path) -> PathBuf {
    folder.join("master.key.exported")
}

/// Writes down which key was exported, for the service to read, whoever made the copy. The folder may be another user's: the
/// administrator writes to no file, and gives away none, that somebody else put there.
fn write_mark(folder: &Path, mark: &Path, fingerprint: &str) -> std::io::Result<()> {
    let other = other_owner(folder, rustix::process::geteuid().as_raw())?;
    let new =
        folder.join(format!("master.key.exported-{}", custodia_store::new_id(&SystemClock::start(), &SystemRandom)));
    // One that stands there is refused, a link too.
    let mut file = File::options().create_new(true).write(true).mode(OWNER_ONLY).open(&new)?;
    let written = writeln!(file, "{fingerprint}")
        .and_then(|()| other.map_or(Ok(()), |owner| std::os::unix::fs::fchown(&file, Some(owner), None)))
        .and_then(|()| std::fs::rename(&new, mark));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_of_whoever_made_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let own = rustix::process::geteuid().as_raw();
        let owner = |user| other_owner(folder.path(), user).unwrap();
        // A volume that is open to a group has no owner who would be shut out; the administrator shuts out anybody else.
        assert_eq!((owner(own), owner(own + 1)), (None, None));
        assert_eq!(owner(ADMINISTRATOR), Some(own).filter(|own| *own != ADMINISTRATOR));
        std::fs::write(folder.path().join(LOCK), "").unwrap();
        assert_eq!((owner(own), owner(own + 1)), (None, Some(own)));
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let victim = elsewhere.path().join("victim");
        std::os::unix::fs::symlink(&victim, folder.path().join(LOCK)).unwrap();
        let refused = || DataFolder::take(folder.path()).map(drop).unwrap_err().to_string();
        assert!(refused().contains("custodia.lock cannot be opened: "), "{}", refused());
        assert!(!victim.exists());
        std::fs::write(&victim, "").unwrap();
        assert!(refused().contains("custodia.lock cannot be opened: "), "{}", refused());
        // Whose the folder is, the link says and not what it leads to.
        let own = rustix::process::geteuid().as_raw();
        if own == ADMINISTRATOR {
            std::os::unix::fs::lchown(folder.path().join(LOCK), Some(own + 1), None).unwrap();
            assert_eq!(other_owner(folder.path(), own).unwrap(), Some(own + 1));
        }
    }

    #[test]
    fn whoever_may_not_open_a_folder_is_told_who_may() {
        let lock = Path::new("/data/custodia.lock");
        let told = |kind| not_opened(lock, &std::io::Error::from(kind)).to_string();
        let denied = told(std::io::ErrorKind::PermissionDenied);
        assert!(denied.ends_with(": run it as the owner of the folder (sudo -u USER custodia …)"), "{denied}");
        assert!(denied.starts_with("/data/custodia.lock cannot be opened: "), "{denied}");
        assert!(!told(std::io::ErrorKind::NotFound).contains("sudo"));
    }
}
