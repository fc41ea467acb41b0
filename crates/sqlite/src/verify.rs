//! Proof at start-up that SQLite was compiled as `.cargo/config.toml` says.
//!
//! The settings reach the C compiler through environment variables of the build. A build that loses them still links and runs,
//! with another cipher provider, without change sets or with decrypted data spilling to disk: so the program looks.

use std::ffi::CString;

use rusqlite::{Connection, ffi};

use crate::{Error, Key, cipher};

/// Options that SQLite must have been compiled with.
const REQUIRED: [&str; 8] = [
    "HAS_CODEC",
    "ENABLE_SESSION",
    "ENABLE_PREUPDATE_HOOK",
    "ENABLE_MATH_FUNCTIONS",
    "ENABLE_NULL_TRIM",
    "MAX_COLUMN=32767",
    "TEMP_STORE=2",
    "THREADSAFE=1",
];

/// The oldest SQLCipher whose provider interface ours follows.
const SQLCIPHER_MAJOR: &str = "4.";

/// What the program was built with: for the log and the health report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// SQLite's version, as `3.53.4`.
    pub sqlite: String,
    /// SQLCipher's version and edition.
    pub sqlcipher: String,
    /// The cipher provider's library and version.
    pub provider: String,
}

/// Checks the compile options and the cipher provider of the SQLite in this program. Call it once, before any file is opened.
///
/// # Errors
/// [`Error::Build`] names the first setting that is wrong; [`Error::Engine`] if SQLite does not even answer.
pub fn verify_build() -> Result<Build, Error> {
    for option in REQUIRED {
        if !compiled_with(option) {
            return Err(Error::Build { found: format!("the compile option {option} is missing") });
        }
    }
    // What is not opened by `open` finds SQLCipher half initialised, where others come first.
    crate::connection::initialise()?;
    // The provider shows itself only on a connection with a key; the database in memory is never written.
    let connection = Connection::open_in_memory().map_err(Error::engine("opening a database in memory"))?;
    crate::connection::set_key(&connection, &Key::take(&mut [0; Key::LENGTH]))?;
    let answer = |setting: &str| -> Result<String, Error> {
        match connection.query_row(&format!("PRAGMA {setting}"), [], |row| row.get(0)) {
            Ok(answer) => Ok(answer),
            Err(rusqlite::Error::QueryReturnedNoRows) => {
                Err(Error::Build { found: format!("{setting} is unknown to it") })
            }
            Err(source) => Err(Error::Engine { doing: "asking for the cipher provider", source }),
        }
    };
    let provider = answer("cipher_provider")?;
    if provider.as_bytes() != cipher::NAME.to_bytes() {
        let expected = cipher::NAME.to_string_lossy();
        return Err(Error::Build { found: format!("the cipher provider is {provider}, not {expected}") });
    }
    let sqlcipher = answer("cipher_version")?;
    if !sqlcipher.starts_with(SQLCIPHER_MAJOR) {
        return Err(Error::Build { found: format!("SQLCipher is {sqlcipher}, not {SQLCIPHER_MAJOR}x") });
    }
    Ok(Build { sqlite: rusqlite::version().to_owned(), sqlcipher, provider: answer("cipher_provider_version")? })
}

fn compiled_with(option: &str) -> bool {
    let Ok(name) = CString::new(option) else {
        return false;
    };
    // SAFETY: a string that ends in zero, read during the call only.
    unsafe { ffi::sqlite3_compileoption_used(name.as_ptr()) == 1 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn this_build_is_right() {
        let build = verify_build().unwrap();
        assert!(build.sqlite.starts_with("3."), "{build:?}");
        assert!(build.provider.contains("AWS-LC"), "{build:?}");
    }

    #[test]
    fn an_option_that_was_not_given_is_noticed() {
        assert!(!compiled_with("ENABLE_EVERYTHING"));
        assert!(!compiled_with("TEMP_STORE=1"));
    }
}
