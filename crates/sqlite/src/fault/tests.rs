#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

use super::*;
use crate::{Access, Checkpoints, Encryption, Key, Options, check_integrity, open};

/// A folder and a layer, with a database of one table in it.
struct Disk {
    folder: TempDir,
    layer: FaultLayer,
    key: Option<Key>,
}

impl Disk {
    fn plain() -> Self {
        Self::new(None)
    }

    fn encrypted() -> Self {
        Self::new(Some(Key::take(&mut [7; Key::LENGTH])))
    }

    fn new(key: Option<Key>) -> Self {
        let disk = Self { folder: tempfile::tempdir().unwrap(), layer: FaultLayer::register().unwrap(), key };
        let connection = disk.open(Access::Create).unwrap();
        connection.execute_batch("CREATE TABLE account (accountid INTEGER PRIMARY KEY, name TEXT)").unwrap();
        disk
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    fn encryption(&self) -> Encryption<'_> {
        self.key.as_ref().map_or(Encryption::Plain, Encryption::Key)
    }

    fn open(&self, access: Access) -> Result<Connection, Error> {
        let options = Options::new(self.encryption(), access).checkpoints(Checkpoints::Manual);
        open(&self.path(), &options.file_layer(self.layer.name()))
    }

    fn write(&self) -> Connection {
        self.open(Access::Write).unwrap()
    }

    /// Cuts the power under `connection` and opens the database again.
    fn crash(&self, connection: Connection) -> Connection {
        self.layer.cut_power(Loss::Everything).unwrap();
        drop(connection);
        self.layer.restore_power().unwrap();
        self.write()
    }

    fn inject(&self, operation: Operation, file: Option<FileKind>, nth: u64, failure: Failure, lasting: Lasting) {
        let nth = NonZeroU64::new(nth).unwrap();
        self.layer.inject(Injection { operation, file, nth, failure, lasting });
    }
}

fn insert(connection: &Connection, id: i64) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO account VALUES (?1, 'Contoso')", [id])
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

fn ids(connection: &Connection) -> Vec<i64> {
    let mut statement = connection.prepare("SELECT accountid FROM account ORDER BY accountid").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn assert_sound(connection: &Connection) {
    assert_eq!(check_integrity(connection).unwrap(), Vec::<String>::new());
}

#[test]
fn a_committed_row_survives_a_power_cut() {
    for disk in [Disk::plain(), Disk::encrypted()] {
        let connection = disk.write();
        insert(&connection, 1).unwrap();
        let connection = disk.crash(connection);
        assert_eq!(ids(&connection), [1]);
        assert_sound(&connection);
    }
}

#[test]
fn an_unflushed_row_is_lost() {
    let disk = Disk::plain();
    let connection = disk.write();
    insert(&connection, 1).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    insert(&connection, 2).unwrap();
    assert_eq!(ids(&connection), [1, 2], "until the power goes it is there");
    assert_eq!(ids(&disk.crash(connection)), [1]);
}

#[test]
fn a_row_is_lost_on_a_disk_that_pretends_to_flush() {
    let disk = Disk::plain();
    let connection = disk.write();
    insert(&connection, 1).unwrap();
    disk.layer.set_flushing(Flushing::Pretended);
    let before = disk.layer.counts();
    insert(&connection, 2).unwrap();
    assert_eq!(disk.layer.counts().since(&before).write_ahead_log.flushes, 1, "SQLite asked for it");
    assert_eq!(ids(&disk.crash(connection)), [1]);
}

#[test]
fn a_new_file_that_was_never_flushed_is_gone() {
    let disk = Disk::plain();
    let path = disk.folder.path().join("b.db");
    disk.layer.set_flushing(Flushing::Pretended);
    let options = Options::new(Encryption::Plain, Access::Create);
    let connection = open(&path, &options.file_layer(disk.layer.name())).unwrap();
    connection.execute_batch("CREATE TABLE account (name TEXT)").unwrap();
    assert!(path.exists());
    disk.layer.cut_power(Loss::Everything).unwrap();
    assert!(!path.exists());
    assert!(disk.path().exists(), "the flushed one beside it is still there");
}

#[test]
fn nothing_works_without_power() {
    let disk = Disk::plain();
    let connection = disk.write();
    insert(&connection, 1).unwrap();
    disk.layer.cut_power(Loss::Everything).unwrap();
    assert!(disk.layer.is_power_cut());
    assert!(insert(&connection, 2).is_err());
    assert!(connection.query_row("SELECT count(*) FROM account", [], |_| Ok(())).is_err());
    assert!(disk.open(Access::Write).is_err());

    let refusal = disk.layer.restore_power().unwrap_err();
    assert_eq!(refusal.open_files, 2, "database and write-ahead log");
    drop(connection);
    disk.layer.restore_power().unwrap();
    assert_eq!(ids(&disk.write()), [1]);
}

#[test]
fn each_commit_flushes_the_log_once() {
    let disk = Disk::plain();
    let connection = disk.write();
    insert(&connection, 1).unwrap();
    let before = disk.layer.counts();
    for id in 2..12 {
        insert(&connection, id).unwrap();
    }
    let counts = disk.layer.counts().since(&before);
    assert_eq!(counts.write_ahead_log.flushes, 10);
    assert_eq!(counts.database, FileCounts::default(), "no checkpoint came in between");
    assert!(counts.write_ahead_log.bytes > 10 * 4096, "{counts:?}");

    let before = disk.layer.counts();
    connection.execute_batch("BEGIN").unwrap();
    for id in 12..22 {
        insert(&connection, id).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    assert_eq!(disk.layer.counts().since(&before).flushes(), 1, "ten rows in one transaction share a flush");
}

#[test]
fn a_full_disk_fails_the_write_and_harms_nothing() {
    let disk = Disk::plain();
    let connection = disk.write();
    insert(&connection, 1).unwrap();
    disk.inject(Operation::Write, None, 1, Failure::DiskFull, Lasting::UntilCleared);
    for id in 2..4 {
        let error = insert(&connection, id).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DiskFull), "{error}");
    }
    assert_eq!(disk.layer.injected(), 2);
    assert_eq!(ids(&connection), [1]);

    disk.layer.clear_injections();
    insert(&connection, 4).unwrap();
    let connection = disk.crash(connection);
    assert_eq!(ids(&connection), [1, 4]);
    assert_sound(&connection);
}

#[test]
fn the_nth_operation_fails_and_no_other() {
    let disk = Disk::plain();
    let connection = disk.write();
    insert(&connection, 1).unwrap();
    disk.inject(Operation::Flush, Some(FileKind::WriteAheadLog), 2, Failure::InputOutput, Lasting::Once);
    disk.inject(Operation::Flush, Some(FileKind::Database), 1, Failure::InputOutput, Lasting::Once);
    insert(&connection, 2).unwrap();
    let error = insert(&connection, 3).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure), "{error}");
    insert(&connection, 4).unwrap();
    assert_eq!(disk.layer.injected(), 1, "a commit does not flush the database file");
    assert_eq!(ids(&disk.crash(connection)), [1, 2, 4]);
}

#[test]
fn survivors_are_copied_beside_a_running_connection() {
    let disk = Disk::encrypted();
    let connection = disk.write();
    insert(&connection, 1).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    insert(&connection, 2).unwrap();

    let copies = tempfile::tempdir().unwrap();
    let paths = disk.layer.copy_survivors(disk.folder.path(), copies.path(), Loss::Everything).unwrap();
    assert_eq!(paths, [copies.path().join("a.db"), copies.path().join("a.db-wal")]);
    let copy = open(&copies.path().join("a.db"), &Options::new(disk.encryption(), Access::Write)).unwrap();
    assert_eq!(ids(&copy), [1]);

    insert(&connection, 3).unwrap();
    assert_eq!(ids(&connection), [1, 2, 3], "the connection noticed nothing");
}

/// Writes rows and moves them to the file now and then; returns the ids that were acknowledged and the one under way.
fn work(connection: &Connection) -> (Vec<i64>, Option<i64>) {
    let mut acknowledged = Vec::new();
    for id in 1..=6 {
        if insert(connection, id).is_err() {
            return (acknowledged, Some(id));
        }
        acknowledged.push(id);
        if id % 2 == 0 && checkpoint(connection, "TRUNCATE").is_err() {
            return (acknowledged, None);
        }
    }
    (acknowledged, None)
}

/// Cuts the power at every write, or every flush, of `work` in turn; returns how many there were.
fn cut_everywhere(operation: Operation, loss: Loss) -> u64 {
    for nth in 1.. {
        let disk = Disk::encrypted();
        let connection = disk.write();
        disk.inject(operation, None, nth, Failure::PowerCut(loss), Lasting::Once);
        let (acknowledged, under_way) = work(&connection);
        if disk.layer.injected() == 0 {
            return nth - 1;
        }
        drop(connection);
        disk.layer.restore_power().unwrap();
        let connection = disk.write();
        let found = ids(&connection);
        let with_last: Vec<i64> = acknowledged.iter().copied().chain(under_way).collect();
        assert!(
            found == acknowledged || found == with_last,
            "{operation:?} {nth}, {loss:?}: {found:?}, but {acknowledged:?} were acknowledged"
        );
        assert_eq!(check_integrity(&connection).unwrap(), Vec::<String>::new(), "{operation:?} {nth}, {loss:?}");
    }
    0
}

#[test]
fn no_acknowledged_row_is_lost_wherever_the_power_goes() {
    for loss in [Loss::Everything, Loss::Some { seed: 1 }, Loss::Some { seed: 2 }] {
        // Six commits; three checkpoints of the log, each with a flush of the file.
        assert!(cut_everywhere(Operation::Flush, loss) >= 9);
        assert!(cut_everywhere(Operation::Write, loss) >= 18);
    }
}

/// The test above with its flushes taken away: were nothing lost here, it would show nothing.
#[test]
fn acknowledged_rows_are_lost_if_flushes_are_pretended() {
    let disk = Disk::encrypted();
    let connection = disk.write();
    disk.layer.set_flushing(Flushing::Pretended);
    let (acknowledged, _) = work(&connection);
    assert_eq!(acknowledged.len(), 6);
    assert_eq!(ids(&disk.crash(connection)), Vec::<i64>::new());
}

#[test]
fn a_cut_beside_other_threads_leaves_a_sound_database() {
    let disk = Disk::plain();
    let acknowledged = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let connection = disk.write();
            (1..).take_while(|id| insert(&connection, *id).is_ok()).last().unwrap_or(0)
        });
        let checkpointer = scope.spawn(|| {
            let connection = disk.write();
            while checkpoint(&connection, "PASSIVE").is_ok() {}
        });
        let enough = |counts: Counts| counts.database.flushes >= 5 && counts.write_ahead_log.flushes >= 50;
        while !enough(disk.layer.counts()) {
            std::thread::yield_now();
        }
        disk.layer.cut_power(Loss::Some { seed: 3 }).unwrap();
        checkpointer.join().unwrap();
        writer.join().unwrap()
    });
    disk.layer.restore_power().unwrap();
    let connection = disk.write();
    let found = i64::try_from(ids(&connection).len()).unwrap();
    assert!(found == acknowledged || found == acknowledged + 1, "{found} rows of {acknowledged}");
    assert_sound(&connection);
}
