//! What the page cache of a connection holds, as SQLite counts it.

use std::ffi::c_int;

use rusqlite::{Connection, ffi};

/// Bytes that the page caches of a connection hold, with what SQLite keeps beside each page.
#[must_use]
pub fn page_cache_bytes(connection: &Connection) -> u64 {
    let (mut present, mut most): (c_int, c_int) = (0, 0);
    // SAFETY: the handle is open for as long as `connection`, which nobody else uses meanwhile; both numbers are written to
    // before the call returns.
    let code = unsafe {
        ffi::sqlite3_db_status(connection.handle(), ffi::SQLITE_DBSTATUS_CACHE_USED, &raw mut present, &raw mut most, 0)
    };
    if code == ffi::SQLITE_OK { u64::try_from(present).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::page_cache_bytes;
    use crate::{Access, Encryption, Options, open};

    #[test]
    fn pages_that_were_read_are_counted_until_they_are_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(Encryption::Plain, Access::Create).cache_kibibytes(1024);
        let connection = open(&folder.path().join("test.db"), &options).unwrap();
        connection.execute_batch("CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(200000))").unwrap();
        let held = page_cache_bytes(&connection);
        assert!((200_000..400_000).contains(&held), "{held}");
        connection.execute_batch("PRAGMA cache_size = -64").unwrap();
        // With what SQLite keeps beside the pages, and those that it just used.
        assert!(page_cache_bytes(&connection) <= 80 << 10, "{}", page_cache_bytes(&connection));
    }
}
