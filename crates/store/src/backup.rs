//! A verified copy of one organisation, taken while it is in use.
//!
//! A backup is one file (see `container.rs`) and the same on both engines: an embedded database is copied page by page,
//! a PostgreSQL database row by row from one snapshot. It counts as made when a check of the whole file found nothing and
//! its tables have the counts and hashes of the snapshot; until then it is elsewhere (see `unfinished.rs`).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custodia_sqlite::Encryption;

use crate::container::{Container, Manifest, seal};
use crate::content::{Content, records};
use crate::control::{Organization, OrganizationState};
use crate::database::off_the_worker;
use crate::keys::{KEY_BYTES, data_key};
use crate::link::Link;
use crate::snapshot::Snapshot;
use crate::sql::content::Layout;
use crate::sqlite::SqliteFile;
use crate::store::Store;
use crate::unfinished::{Unfinished, exists, file_error, folder_of};
use crate::{Error, Result};

/// What a backup holds, as measured.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupReport {
    /// The organisation's name.
    pub organization: String,
    /// The file.
    pub path: PathBuf,
    /// The last change that is in it.
    pub number: i64,
    /// The records in it.
    pub content: Content,
    /// Length of the file.
    pub bytes: u64,
    /// How long it took.
    pub milliseconds: u64,
}

impl fmt::Display for BackupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "organisation {} was copied to {} as of change {}",
            self.organization,
            self.path.display(),
            self.number
        )?;
        write_measures(f, &self.content, self.bytes, self.milliseconds)
    }
}

/// `1234 rows in 12 tables, 567890 bytes, 1.2 s, content …`
pub(crate) fn write_measures(
    f: &mut fmt::Formatter<'_>,
    content: &Content,
    bytes: u64,
    milliseconds: u64,
) -> fmt::Result {
    write!(
        f,
        "{} rows in {} tables, {bytes} bytes, {}.{} s; checked, content {}",
        content.rows(),
        content.tables().len(),
        milliseconds / 1000,
        milliseconds % 1000 / 100,
        content.hash()
    )
}

impl Store {
    /// Copies an organisation into a new file at `to`, as of one moment; requests go on meanwhile.
    ///
    /// The file appears when it is complete, checked and on the disk; one that exists is never overwritten.
    ///
    /// # Errors
    /// [`Error::NoOrganization`], [`Error::OrganizationState`] while it is being made or deleted, [`Error::File`],
    /// [`Error::Corrupt`] when the organisation's data or the copy does not pass the checks. No file is left then.
    pub async fn backup(&self, name: &str, to: &Path, progress: &mut (dyn FnMut(&str) + Send)) -> Result<BackupReport> {
        let begun = self.services().clock.monotonic_ms();
        let organization = self.organization(name)?;
        require_complete(&organization)?;
        refuse_existing(to)?;
        let part = off_the_worker(|| Unfinished::beside(to, self.new_id()))?;
        let mut key = organization.data_key_bytes(self.master())?;
        let written = self.write_part(&organization, &part, &key, progress).await;
        key.fill(0);
        let (content, number) = written?;
        let bytes = std::fs::metadata(part.path()).map_err(|source| file_error(part.path(), source))?.len();
        off_the_worker(|| part.publish(to))?;
        Ok(BackupReport {
            organization: organization.name.clone(),
            path: to.to_owned(),
            number,
            content: content.of_records(),
            bytes,
            milliseconds: self.services().clock.monotonic_ms().saturating_sub(begun),
        })
    }

    async fn write_part(
        &self,
        organization: &Organization,
        part: &Unfinished,
        key: &[u8; KEY_BYTES],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(Content, i64)> {
        let database = self.open_database(organization).await?;
        let taken = self.now();
        let snapshot = database.snapshot().await?;
        let head = snapshot.head().await?;
        let (engine, content) = match database.sqlite_file() {
            Some(_) => {
                progress("reading all tables");
                let content = self.everything(&snapshot).await?;
                progress("copying the file");
                copy_pages(&snapshot, part, key)?;
                ("sqlite", content)
            }
            None => {
                let file = SqliteFile::create(part.path(), Some(data_key(key)), self.plain_files())?;
                let schema = database.schema();
                ("postgres", crate::transfer::to_file(&snapshot, &schema, &file, progress).await?)
            }
        };
        drop(snapshot);
        progress("checking the copy");
        let copied = self.checked(part.path(), key).await?;
        if let Some(difference) = content.difference(&copied) {
            return Err(Error::Corrupt(format!("the copy is not what was read: {difference}")));
        }
        let manifest = Manifest {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            engine: engine.to_owned(),
            taken,
            organization: organization.id,
            name: organization.name.clone(),
            display_name: organization.display_name.clone(),
            created: organization.created,
            epoch: organization.epoch,
            number: head.number,
            commit_time: head.commit_time,
            wrapped_key: organization.wrapped_key_text(),
            database_sha256: String::new(),
            tables: Manifest::entries(&content),
            hash: content.hash().to_string(),
        };
        off_the_worker(|| seal(part.path(), manifest, key))?;
        // What was written is read once more, as a restore would.
        Container::open(part.path())?.prove(key)?;
        Ok((content, head.number))
    }

    /// Checks a database file from end to end and gives its content. Afterwards the file alone is the database.
    pub(crate) async fn checked(&self, path: &Path, key: &[u8; KEY_BYTES]) -> Result<Content> {
        let file = Arc::new(SqliteFile::open(path, Some(data_key(key)), self.plain_files())?);
        crate::migration::readable(&Link::Sqlite(Arc::clone(&file))).await?;
        let faults = off_the_worker(|| custodia_sqlite::check_integrity(file.writer.lock().raw()))
            .map_err(|error| Error::unavailable("checking a copy", error))?;
        if let Some(fault) = faults.first() {
            return Err(Error::Corrupt(format!("{} faults, the first: {fault}", faults.len())));
        }
        let content = self.everything(&Snapshot::of_file(&file)?).await?;
        off_the_worker(|| file.writer.lock().end_log())?;
        Ok(content)
    }

    /// The content of all tables, the store's own included.
    pub(crate) async fn everything(&self, snapshot: &Snapshot) -> Result<Content> {
        let mut layouts = Layout::internal();
        layouts.extend(records(&self.services().schema, &snapshot.tables().await?)?);
        snapshot.content(layouts).await
    }
}

/// Copies the pages of a snapshot's file.
pub(crate) fn copy_pages(snapshot: &Snapshot, target: &Unfinished, key: &[u8; KEY_BYTES]) -> Result<()> {
    let Snapshot::Sqlite(connection) = snapshot else {
        return Err(Error::Query("only embedded databases have pages".to_owned()));
    };
    let key = data_key(key);
    off_the_worker(|| custodia_sqlite::copy(connection.lock().raw(), target.path(), Encryption::Key(&key)))
        .map_err(|error| Error::unavailable("copying the database file", error))
}

/// Refuses organisations whose databases are half made or half destroyed.
pub(crate) fn require_complete(organization: &Organization) -> Result<()> {
    match organization.state {
        OrganizationState::Active | OrganizationState::Suspended => Ok(()),
        state => Err(Error::OrganizationState { name: organization.name.clone(), state: state.word().to_owned() }),
    }
}

fn refuse_existing(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    if folder_of(path).is_dir() {
        Ok(())
    } else {
        Err(file_error(path, std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such folder")))
    }
}
