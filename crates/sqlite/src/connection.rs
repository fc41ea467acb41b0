//! Opening one database file with the settings that the rest of the service relies on.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::{Error, Key};

/// Bytes of a page, frozen when a file is created: larger ones were measured slower throughout.
const PAGE_BYTES: u32 = 4096;

/// How the pages of a file are protected, in words and in full: SQLCipher's defaults are the slowest choice and may change
/// with its version, while a file keeps what it was created with for ever. The derivation algorithm counts although the key is
/// raw, because the key of the page MAC is derived from it.
const CIPHER_SETTINGS: &str = "\
    PRAGMA cipher_page_size = 4096;\
    PRAGMA cipher_use_hmac = ON;\
    PRAGMA cipher_hmac_algorithm = HMAC_SHA256;\
    PRAGMA cipher_kdf_algorithm = PBKDF2_HMAC_SHA512;\
    PRAGMA cipher_plaintext_header_size = 0;";

/// How a file is protected. There is no default: a caller says which.
#[derive(Debug, Clone, Copy)]
pub enum Encryption<'a> {
    /// Every page is encrypted and authenticated with this key.
    Key(&'a Key),
    /// Pages are written in the clear: for tests and measurements.
    Plain,
}

/// What the connection may do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Make a new file; one that exists is an error.
    Create,
    /// Read and write a file that exists.
    Write,
    /// Read a file that exists; a statement that writes is an error.
    Read,
}

/// Who moves committed pages from the write-ahead log into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// SQLite does, inside a commit, every thousand pages.
    Automatic,
    /// Nobody does on this connection: the caller runs `PRAGMA wal_checkpoint` on another one, so that no commit waits for it.
    Manual,
}

/// How [`open`] opens a file.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    encryption: Encryption<'a>,
    access: Access,
    checkpoints: Checkpoints,
    cache_kibibytes: u32,
    busy_timeout: Duration,
    file_layer: Option<&'a str>,
}

impl<'a> Options<'a> {
    /// Page cache of a connection unless asked otherwise: SQLite's own default of 2 MiB.
    pub const CACHE_KIBIBYTES: u32 = 2048;

    /// How long a statement waits for another connection's lock unless asked otherwise.
    pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

    /// Options with automatic checkpoints, the default cache and the operating system's files.
    pub fn new(encryption: Encryption<'a>, access: Access) -> Self {
        Self {
            encryption,
            access,
            checkpoints: Checkpoints::Automatic,
            cache_kibibytes: Self::CACHE_KIBIBYTES,
            busy_timeout: Self::BUSY_TIMEOUT,
            file_layer: None,
        }
    }

    /// Who runs checkpoints.
    #[must_use]
    pub fn checkpoints(self, checkpoints: Checkpoints) -> Self {
        Self { checkpoints, ..self }
    }

    /// Size of the page cache in KiB. A page found there costs no decryption.
    #[must_use]
    pub fn cache_kibibytes(self, cache_kibibytes: u32) -> Self {
        Self { cache_kibibytes, ..self }
    }

    /// How long a statement waits for another connection's lock before it fails as busy.
    #[must_use]
    pub fn busy_timeout(self, busy_timeout: Duration) -> Self {
        Self { busy_timeout, ..self }
    }

    /// Goes through the file layer registered under `name` instead of the operating system's: see `fault`.
    #[must_use]
    pub fn file_layer(self, name: &'a str) -> Self {
        Self { file_layer: Some(name), ..self }
    }
}

/// Opens a database file.
///
/// The connection has: the write-ahead log; `synchronous=FULL`, so a commit returns when it is on the disk; foreign keys off,
/// since the engine never cascades; temporary data in memory only, so nothing decrypted reaches the disk; double quotes for
/// names only, so a mistyped column is an error and not a text; an untrusted schema, and no way to corrupt the file by SQL.
/// A file opened for reading keeps the journal mode that it was created with.
///
/// # Errors
/// [`Error::Exists`] or [`Error::Missing`] where `access` forbids; [`Error::CutShort`]; [`Error::WrongKey`] or [`Error::NotPlain`] if the file is
/// not what `encryption` says; [`Error::Engine`] otherwise.
pub fn open(path: &Path, options: &Options<'_>) -> Result<Connection, Error> {
    let connection = open_unconfigured(path, options)?;
    if options.access != Access::Read {
        let mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .map_err(Error::engine("switching to the write-ahead log"))?;
        if mode != "wal" {
            return Err(Error::Build { found: format!("journal mode is {mode} where wal was asked for") });
        }
    }
    if options.checkpoints == Checkpoints::Manual {
        // A query, not an update: the pragma answers with a row.
        connection
            .query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))
            .map_err(Error::engine("turning automatic checkpoints off"))?;
    }
    Ok(connection)
}

/// Opens a file with everything but its journal mode, which [`crate::copy()`] takes over from the source.
pub(crate) fn open_unconfigured(path: &Path, options: &Options<'_>) -> Result<Connection, Error> {
    initialise()?;
    let exists = path.exists();
    let flags = match options.access {
        Access::Create if exists => return Err(Error::Exists { path: path.to_owned() }),
        Access::Write | Access::Read if !exists => return Err(Error::Missing { path: path.to_owned() }),
        // SQLite takes it for a new database, and deletes the log beside it with all that only the log has.
        Access::Write | Access::Read if is_cut_short(path) => return Err(Error::CutShort { path: path.to_owned() }),
        Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    // One thread at a time uses a connection (`Connection` is not `Sync`), so SQLite need not lock it.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = literal_path(path);
    let connection = match options.file_layer {
        Some(layer) => Connection::open_with_flags_and_vfs(&file, flags, layer),
        None => Connection::open_with_flags(&file, flags),
    }
    .map_err(Error::engine("opening the database file"))?;

    connection.busy_timeout(options.busy_timeout).map_err(Error::engine("setting the busy timeout"))?;
    if let Encryption::Key(key) = options.encryption {
        set_key(&connection, key)?;
        // The first touch of the file reads its salt, so these must come before it.
        connection.execute_batch(CIPHER_SETTINGS).map_err(Error::engine("setting the cipher"))?;
        verify_cipher(&connection)?;
    }
    read_first_page(&connection, path, options.encryption)?;
    configure(&connection, options)?;
    Ok(connection)
}

/// Whether a file is too short to be a database: none was ever finished in it, or it was emptied.
pub fn is_cut_short(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.len() < u64::from(PAGE_BYTES))
}

/// Initialises SQLite and SQLCipher within it, once in a process and before any file is opened: SQLite tells other threads
/// that it is initialised before SQLCipher is, and what they open in between can be given no key.
pub(crate) fn initialise() -> Result<(), Error> {
    static INITIALISED: OnceLock<c_int> = OnceLock::new();
    // SAFETY: it takes nothing and may be called at any time; it is documented as safe for threads.
    let code = *INITIALISED.get_or_init(|| unsafe { ffi::sqlite3_initialize() });
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    let source = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
    Err(Error::Engine { doing: "initialising SQLite", source })
}

/// SQLite reads a name that begins with `file:` as an address with options; a leading `./` keeps it a path.
fn literal_path(path: &Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().starts_with(b"file:") { Path::new(".").join(path) } else { path.to_owned() }
}

/// Hands SQLCipher the key through its C function: a `PRAGMA` would leave copies of it in the text of a statement.
pub(crate) fn set_key(connection: &Connection, key: &Key) -> Result<(), Error> {
    let literal = key.to_blob_literal();
    let length = c_int::try_from(literal.len()).unwrap_or(0);
    // SAFETY: the handle is open for as long as `connection`; SQLCipher copies `length` bytes and keeps no pointer.
    let code = unsafe { ffi::sqlite3_key(connection.handle(), literal.as_ptr().cast(), length) };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        let source = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        Err(Error::Engine { doing: "setting the key", source })
    }
}

/// SQLCipher's settings fail without a word, and a file created with others could not be changed later.
fn verify_cipher(connection: &Connection) -> Result<(), Error> {
    let expected = [("cipher_status", "1"), ("cipher_page_size", "4096"), ("cipher_hmac_algorithm", "HMAC_SHA256")];
    for (setting, expected) in expected {
        let found: String = connection
            .query_row(&format!("PRAGMA {setting}"), [], |row| row.get(0))
            .map_err(Error::engine("reading the cipher's settings"))?;
        if found != expected {
            return Err(Error::Build { found: format!("{setting} is {found} where {expected} was asked for") });
        }
    }
    Ok(())
}

/// Reads the first page, which shows whether the file is what the caller believes.
fn read_first_page(connection: &Connection, path: &Path, encryption: Encryption<'_>) -> Result<(), Error> {
    match connection.query_row("PRAGMA schema_version", [], |_| Ok(())) {
        Ok(()) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => Err(match encryption {
            Encryption::Key(_) => Error::WrongKey { path: path.to_owned() },
            Encryption::Plain => Error::NotPlain { path: path.to_owned() },
        }),
        Err(source) => Err(Error::Engine { doing: "reading the first page", source }),
    }
}

fn configure(connection: &Connection, options: &Options<'_>) -> Result<(), Error> {
    let switches = [
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    ];
    for (switch, on) in switches {
        connection.set_db_config(switch, on).map_err(Error::engine("configuring the connection"))?;
    }
    let page_size = match options.encryption {
        // SQLCipher has its own setting, made above.
        Encryption::Key(_) => String::new(),
        Encryption::Plain => format!("PRAGMA page_size = {PAGE_BYTES};"),
    };
    let cache = options.cache_kibibytes;
    connection
        .execute_batch(&format!(
            "{page_size} PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache};"
        ))
        .map_err(Error::engine("configuring the connection"))
}

#[cfg(test)]
mod tests;
