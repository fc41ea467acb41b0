#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::{check_integrity, copy};

const SECRET: &str = "a sentence that must not be found in any file";

fn key(seed: u8) -> Key {
    Key::take(&mut [seed; Key::LENGTH])
}

fn encrypted(access: Access, key: &Key) -> Options<'_> {
    Options::new(Encryption::Key(key), access)
}

/// A folder with an encrypted database, its rows already in the file.
fn create(key: &Key) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("organisation.db");
    let connection = open(&path, &encrypted(Access::Create, key)).unwrap();
    fill(&connection);
    connection.close().unwrap();
    (folder, path)
}

fn fill(connection: &Connection) {
    connection.execute_batch("CREATE TABLE note (noteid INTEGER PRIMARY KEY, text TEXT)").unwrap();
    for id in 0..200 {
        connection.execute("INSERT INTO note VALUES (?1, ?2)", (id, SECRET)).unwrap();
    }
}

fn count(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap()
}

fn pragma(connection: &Connection, name: &str) -> String {
    connection
        .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
        .map(|value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
        .unwrap()
}

#[test]
fn a_file_reopens_with_its_key_and_is_sound() {
    let key = key(1);
    let (_folder, path) = create(&key);
    for access in [Access::Write, Access::Read] {
        let connection = open(&path, &encrypted(access, &key)).unwrap();
        assert_eq!(count(&connection), 200);
        assert_eq!(check_integrity(&connection).unwrap(), Vec::<String>::new());
    }
}

#[test]
fn nothing_readable_reaches_the_disk() {
    let key = key(1);
    let (folder, path) = create(&key);
    let connection = open(&path, &encrypted(Access::Write, &key)).unwrap();
    connection.execute("UPDATE note SET text = text || '!'", []).unwrap();

    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let file = entry.unwrap().path();
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{} holds a row in the clear", file.display());
        files += 1;
    }
    assert!(files >= 2, "the write-ahead log should be there beside the file");
    assert!(!fs::read(&path).unwrap().starts_with(b"SQLite format 3"));
}

#[test]
fn the_same_rows_in_the_clear_would_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.db");
    let connection = open(&path, &Options::new(Encryption::Plain, Access::Create)).unwrap();
    fill(&connection);
    connection.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"SQLite format 3"));
    assert!(bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
}

#[test]
fn two_files_with_one_key_share_no_page() {
    let key = key(1);
    let ((_first_folder, first), (_second_folder, second)) = (create(&key), create(&key));
    let (first, second) = (fs::read(first).unwrap(), fs::read(second).unwrap());
    assert!(first.chunks(4096).zip(second.chunks(4096)).all(|(first, second)| first != second));
}

#[test]
fn another_key_or_none_does_not_open_it() {
    let (_folder, path) = create(&key(1));
    let other = key(2);
    for access in [Access::Write, Access::Read] {
        let error = open(&path, &encrypted(access, &other)).unwrap_err();
        assert!(matches!(error, Error::WrongKey { .. }), "{error}");
        let error = open(&path, &Options::new(Encryption::Plain, access)).unwrap_err();
        assert!(matches!(error, Error::NotPlain { .. }), "{error}");
    }
    assert_eq!(
        count(&open(&path, &encrypted(Access::Write, &key(1))).unwrap()),
        200,
        "the refusals left the file as it was"
    );
}

#[test]
fn a_plain_file_does_not_open_with_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.db");
    fill(&open(&path, &Options::new(Encryption::Plain, Access::Create)).unwrap());
    let error = open(&path, &encrypted(Access::Write, &key(1))).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error}");
}

#[test]
fn a_changed_byte_is_noticed() {
    let key = key(1);
    let (_folder, path) = create(&key);
    let with_warm_cache = open(&path, &encrypted(Access::Write, &key)).unwrap();
    assert_eq!(check_integrity(&with_warm_cache).unwrap(), Vec::<String>::new());
    let mut bytes = fs::read(&path).unwrap();
    let third_page = 2 * 4096 + 100;
    bytes[third_page] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(!check_integrity(&with_warm_cache).unwrap().is_empty(), "the check reads the disk, not the cache");

    let connection = open(&path, &encrypted(Access::Write, &key)).unwrap();
    assert!(!check_integrity(&connection).unwrap().is_empty());
    assert!(
        connection.query_row("SELECT max(text) FROM note", [], |_| Ok(())).is_err(),
        "an altered page is never served"
    );
}

#[test]
fn a_new_file_never_replaces_one_and_an_old_one_is_never_made() {
    let key = key(1);
    let (folder, path) = create(&key);
    let error = open(&path, &encrypted(Access::Create, &key)).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    let absent = folder.path().join("absent.db");
    for access in [Access::Write, Access::Read] {
        let error = open(&absent, &encrypted(access, &key)).unwrap_err();
        assert!(matches!(error, Error::Missing { .. }), "{error}");
    }
    assert!(!absent.exists());
}

/// SQLite would take an empty file for a new database, and delete the log beside it.
#[test]
fn a_file_that_was_cut_short_is_not_opened_and_its_log_stays() {
    let key = key(1);
    let (folder, path) = create(&key);
    let connection = open(&path, &encrypted(Access::Write, &key).checkpoints(Checkpoints::Manual)).unwrap();
    connection.execute_batch("CREATE TABLE logged (id INTEGER PRIMARY KEY)").unwrap();
    let (copied, log) = (folder.path().join("copied.db"), folder.path().join("copied.db-wal"));
    fs::copy(folder.path().join(format!("{}-wal", path.display())), &log).unwrap();
    let logged = fs::read(&log).unwrap();
    assert!(!logged.is_empty());
    for left in [0, 4095] {
        fs::write(&copied, &fs::read(&path).unwrap()[..left]).unwrap();
        for access in [Access::Write, Access::Read] {
            let error = open(&copied, &encrypted(access, &key)).unwrap_err();
            assert!(matches!(error, Error::CutShort { .. }), "{error}");
        }
        assert!(fs::read(&log).unwrap() == logged);
    }
    fs::copy(&path, &copied).unwrap();
    open(&copied, &encrypted(Access::Write, &key)).unwrap().execute("DELETE FROM logged", []).unwrap();
}

#[test]
fn settings_hold_on_every_connection() {
    let key = key(1);
    let (folder, path) = create(&key);
    let plain = folder.path().join("plain.db");
    let mut connections = vec![
        open(&path, &encrypted(Access::Write, &key)).unwrap(),
        open(&plain, &Options::new(Encryption::Plain, Access::Create)).unwrap(),
    ];
    connections.push(open(&path, &encrypted(Access::Read, &key)).unwrap());
    for connection in &connections {
        assert_eq!(pragma(connection, "journal_mode"), "wal");
        assert_eq!(pragma(connection, "synchronous"), "2", "FULL");
        assert_eq!(pragma(connection, "foreign_keys"), "0");
        assert_eq!(pragma(connection, "temp_store"), "2", "MEMORY");
        assert_eq!(pragma(connection, "page_size"), "4096");
        assert_eq!(pragma(connection, "wal_autocheckpoint"), "1000");
        assert_eq!(pragma(connection, "cache_size"), "-2048");
        assert!(connection.prepare("SELECT \"no such column\"").is_err(), "double quotes are for names");
    }
    let options = encrypted(Access::Write, &key).checkpoints(Checkpoints::Manual).cache_kibibytes(64);
    let connection = open(&path, &options).unwrap();
    assert_eq!(pragma(&connection, "wal_autocheckpoint"), "0");
    assert_eq!(pragma(&connection, "cache_size"), "-64");
}

#[test]
fn a_connection_for_reading_does_not_write() {
    let key = key(1);
    let (_folder, path) = create(&key);
    let writer = open(&path, &encrypted(Access::Write, &key)).unwrap();
    let reader = open(&path, &encrypted(Access::Read, &key)).unwrap();
    let error = reader.execute("DELETE FROM note", []).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly));
    writer.execute("DELETE FROM note WHERE noteid = 0", []).unwrap();
    assert_eq!(count(&reader), 199, "and sees what the writer commits");
}

/// The settings above could be set and not kept: what a file was created with shows in its pages.
#[test]
fn pages_carry_a_sha256_mac() {
    let key = key(1);
    let (_folder, path) = create(&key);
    let stock = Connection::open(&path).unwrap();
    set_key(&stock, &key).unwrap();
    assert!(stock.query_row("PRAGMA schema_version", [], |_| Ok(())).is_err(), "the default MAC is another one");

    let stock = Connection::open(&path).unwrap();
    set_key(&stock, &key).unwrap();
    stock.execute_batch("PRAGMA cipher_hmac_algorithm = HMAC_SHA256").unwrap();
    assert_eq!(count(&stock), 200);
}

#[test]
fn a_name_like_an_address_is_a_file() {
    assert_eq!(literal_path(Path::new("file:x?mode=memory")), Path::new("./file:x?mode=memory"));
    assert_eq!(literal_path(Path::new("/data/file:x")), Path::new("/data/file:x"));
}

#[test]
fn a_copy_under_the_same_or_another_key_is_whole() {
    let key_of_source = key(1);
    let (folder, path) = create(&key_of_source);
    let source = open(&path, &encrypted(Access::Write, &key_of_source)).unwrap();
    source.execute("INSERT INTO note VALUES (1000, 'still in the write-ahead log')", []).unwrap();

    for (name, key_of_copy) in [("same.db", key(1)), ("other.db", key(2))] {
        let target = folder.path().join(name);
        copy(&source, &target, Encryption::Key(&key_of_copy)).unwrap();
        assert!(!fs::read(&target).unwrap().starts_with(b"SQLite format 3"));
        let connection = open(&target, &encrypted(Access::Write, &key_of_copy)).unwrap();
        assert_eq!(count(&connection), 201);
        assert_eq!(check_integrity(&connection).unwrap(), Vec::<String>::new());
        assert_eq!(pragma(&connection, "journal_mode"), "wal");
    }
    let error = open(&folder.path().join("other.db"), &encrypted(Access::Write, &key_of_source)).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error}");
}

#[test]
fn a_copy_never_drops_the_encryption_or_replaces_a_file() {
    let key = key(1);
    let (folder, path) = create(&key);
    let source = open(&path, &encrypted(Access::Write, &key)).unwrap();
    let error = copy(&source, &folder.path().join("plain.db"), Encryption::Plain).unwrap_err();
    assert!(matches!(error, Error::Engine { .. }), "{error}");
    let error = copy(&source, &path, Encryption::Key(&key)).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
}

/// Threads that open files at once, as the first thing that their process does with SQLite.
const FIRST_THREADS: usize = 8;
/// Such processes: of those in which every thread initialised SQLite for itself, six of 600 failed.
const FIRST_PROCESSES: usize = 100;

#[test]
fn the_first_files_of_a_process_may_be_opened_at_once() {
    for _ in 0..FIRST_PROCESSES {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "connection::tests::open_the_first_files", "--ignored", "--nocapture"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    }
}

#[test]
#[ignore = "run by the test that starts processes"]
fn open_the_first_files() {
    let folder = tempfile::tempdir().unwrap();
    let ready = std::sync::Barrier::new(FIRST_THREADS);
    std::thread::scope(|scope| {
        for number in 0..FIRST_THREADS {
            let (path, ready) = (folder.path().join(format!("{number}.db")), &ready);
            scope.spawn(move || {
                let key = key(1);
                ready.wait();
                open(&path, &encrypted(Access::Create, &key)).unwrap();
            });
        }
    });
}
