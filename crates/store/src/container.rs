//! The file that a backup is: an encrypted SQLite database, followed by what says whose it is and proves it whole.
//!
//! ```text
//! database    the pages, encrypted with the organisation's data key
//! manifest    JSON, in the clear: see [`Manifest`]
//! proof       HMAC-SHA256 of the manifest under a key derived from the data key, 32 bytes
//! lengths     of database (u64) and manifest (u32), little-endian
//! format      the oldest program that can read this container, u32, little-endian
//! mark        16 bytes
//! ```
//!
//! The end is written last, so a file that was cut short is none. The manifest holds the hash of the database's bytes,
//! so nothing in the file can be changed or exchanged by who does not have the key.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use custodia_schema::Guid;
use serde::{Deserialize, Serialize};

use crate::content::{Content, TableContent};
use crate::keys::{KEY_BYTES, MasterKey, derive, key_bytes};
use crate::{Error, Result, hex};

/// The oldest program that can read what this one writes.
const FORMAT: u32 = 1;
/// Ends every backup.
const MARK: &[u8; 16] = b"CUSTODIA BACKUP\n";
/// Bytes of the lengths, the format and the mark.
const TAIL_BYTES: u64 = 8 + 4 + 4 + 16;
/// Bytes of the proof.
const PROOF_BYTES: u64 = 32;
/// Longest manifest: 10,000 tables are about 1.5 MB.
const MANIFEST_BYTES_MAX: u32 = 16 << 20;
/// Bytes copied at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Version of the program that made it, for people.
    pub program: String,
    /// `sqlite` or `postgres`: where the organisation lived. A backup restores on either.
    pub engine: String,
    /// When it was begun, seconds since 1970.
    pub taken: i64,
    /// The organisation's id.
    pub organization: Guid,
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// When it was made, seconds since 1970.
    pub created: i64,
    /// Its epoch.
    pub epoch: i64,
    /// The commit head's number: the last change that is in the backup.
    pub number: i64,
    /// Time of the last commit that is in the backup, seconds since 1970.
    pub commit_time: i64,
    /// The data key, wrapped by the master key.
    pub wrapped_key: String,
    /// SHA-256 of the database's bytes.
    pub database_sha256: String,
    /// All tables with rows, those of the store itself among them.
    pub tables: Vec<TableEntry>,
    /// One hash over all of them.
    pub hash: String,
}

/// One table of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TableEntry {
    pub table: String,
    pub rows: u64,
    pub hash: String,
}

impl Manifest {
    /// The tables as they are compared.
    pub(crate) fn content(&self) -> Result<Content> {
        let tables = self
            .tables
            .iter()
            .map(|entry| Ok(TableContent { table: entry.table.clone(), rows: entry.rows, hash: entry.hash.parse()? }));
        Ok(Content::of(tables.collect::<Result<Vec<_>>>()?))
    }

    /// The tables as they are kept.
    pub(crate) fn entries(content: &Content) -> Vec<TableEntry> {
        content
            .tables()
            .iter()
            .map(|table| TableEntry { table: table.table.clone(), rows: table.rows, hash: table.hash.to_string() })
            .collect()
    }

    /// The data key's bytes, wiped by who uses them.
    pub(crate) fn unwrap_key(&self, master: &MasterKey) -> Result<[u8; KEY_BYTES]> {
        let wrapped = hex::decode(&self.wrapped_key)
            .ok_or_else(|| Error::Corrupt("the backup's key is not written in hexadecimal digits".to_owned()))?;
        key_bytes(master.unseal(&wrapped, self.organization)?)
    }
}

/// Makes a database file a backup by appending the manifest. `manifest` may leave `database_sha256` empty.
pub(crate) fn seal(path: &Path, mut manifest: Manifest, key: &[u8; KEY_BYTES]) -> Result<()> {
    let wrong = |source| Error::File { path: path.display().to_string(), source };
    let mut file = File::options().read(true).write(true).open(path).map_err(wrong)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(wrong)?;
    let length = file.metadata().map_err(wrong)?.len();
    manifest.database_sha256 = hex::encode(&copy(&mut file, length, &mut std::io::sink()).map_err(wrong)?);
    let text = serde_json::to_vec(&manifest).map_err(|error| wrong(error.into()))?;
    let mut tail = text;
    let manifest_length = u32::try_from(tail.len()).unwrap_or(u32::MAX);
    let proof = hmac::sign(&proof_key(key), &tail);
    tail.extend_from_slice(proof.as_ref());
    tail.extend_from_slice(&length.to_le_bytes());
    tail.extend_from_slice(&manifest_length.to_le_bytes());
    tail.extend_from_slice(&FORMAT.to_le_bytes());
    tail.extend_from_slice(MARK);
    file.seek(SeekFrom::Start(length)).map_err(wrong)?;
    file.write_all(&tail).map_err(wrong)?;
    file.sync_all().map_err(wrong)
}

/// A backup whose end has been read.
pub(crate) struct Container {
    path: PathBuf,
    file: File,
    manifest_bytes: Vec<u8>,
    proof: [u8; PROOF_BYTES as usize],
    database_bytes: u64,
    pub manifest: Manifest,
}

impl Container {
    /// Reads what a backup says of itself. Nothing of it is proved before [`Self::prove`].
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let wrong = |source| Error::File { path: path.display().to_string(), source };
        let refuse = |why: &str| Error::Backup { path: path.display().to_string(), why: why.to_owned() };
        let mut file = File::open(path).map_err(wrong)?;
        let length = file.metadata().map_err(wrong)?.len();
        let no_backup = || refuse("it is not a backup, or it was cut short");
        let tail_at = length.checked_sub(TAIL_BYTES).ok_or_else(no_backup)?;
        file.seek(SeekFrom::Start(tail_at)).map_err(wrong)?;
        let database_bytes = u64::from_le_bytes(take(&mut file).map_err(wrong)?);
        let manifest_length = u32::from_le_bytes(take(&mut file).map_err(wrong)?);
        let format = u32::from_le_bytes(take(&mut file).map_err(wrong)?);
        if take::<16>(&mut file).map_err(wrong)? != *MARK {
            return Err(no_backup());
        }
        if format > FORMAT {
            return Err(refuse(&format!(
                "a newer program made it (format {format} of backups, this one reads up to {FORMAT}); upgrade the program"
            )));
        }
        let whole = [u64::from(manifest_length), PROOF_BYTES, TAIL_BYTES]
            .iter()
            .try_fold(database_bytes, |sum, part| sum.checked_add(*part));
        if whole != Some(length) || manifest_length > MANIFEST_BYTES_MAX {
            return Err(refuse("its length is not what it says: it was cut short or changed"));
        }
        file.seek(SeekFrom::Start(database_bytes)).map_err(wrong)?;
        let mut manifest_bytes = vec![0; manifest_length as usize];
        file.read_exact(&mut manifest_bytes).map_err(wrong)?;
        let proof = take(&mut file).map_err(wrong)?;
        let manifest = serde_json::from_slice(&manifest_bytes)
            .map_err(|error| refuse(&format!("its description cannot be read: {error}")))?;
        Ok(Self { path: path.to_owned(), file, manifest_bytes, proof, database_bytes, manifest })
    }

    /// Bytes of the whole file.
    pub(crate) fn bytes(&self) -> u64 {
        self.database_bytes + self.manifest_bytes.len() as u64 + PROOF_BYTES + TAIL_BYTES
    }

    /// Refuses a description that was changed.
    pub(crate) fn prove(&self, key: &[u8; KEY_BYTES]) -> Result<()> {
        hmac::verify(&proof_key(key), &self.manifest_bytes, &self.proof)
            .map_err(|_| self.refuse("its description was changed after it was made"))
    }

    /// Writes the database to a new file.
    pub(crate) fn extract(&mut self, to: &Path) -> Result<()> {
        let wrong = |source| Error::File { path: self.path.display().to_string(), source };
        let wrong_target = |source| Error::File { path: to.display().to_string(), source };
        self.file.seek(SeekFrom::Start(0)).map_err(wrong)?;
        let mut target = File::options().write(true).create_new(true).open(to).map_err(wrong_target)?;
        let found = copy(&mut self.file, self.database_bytes, &mut target).map_err(wrong_target)?;
        if hex::encode(&found) != self.manifest.database_sha256 {
            return Err(self.refuse("its data was damaged or changed after it was made"));
        }
        Ok(())
    }

    fn refuse(&self, why: &str) -> Error {
        Error::Backup { path: self.path.display().to_string(), why: why.to_owned() }
    }
}

fn proof_key(key: &[u8; KEY_BYTES]) -> hmac::Key {
    hmac::Key::new(HMAC_SHA256, &derive(key, "backup manifest"))
}

fn take<const N: usize>(file: &mut File) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Copies `length` bytes from where `from` stands; their SHA-256.
fn copy(from: &mut File, length: u64, to: &mut impl Write) -> std::io::Result<Vec<u8>> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut left = length;
    while left > 0 {
        let many = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let Some(chunk) = buffer.get_mut(..many) else { break };
        from.read_exact(chunk)?;
        context.update(chunk);
        to.write_all(chunk)?;
        left -= many as u64;
    }
    Ok(context.finish().as_ref().to_vec())
}
