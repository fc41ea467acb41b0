//! A cluster starts, crashes, recovers, is copied and cut back, and never outlives its owner.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, Stdio};

use custodia_testbed::{Error, PrivateCluster, fresh_database_name, postgres_url, with_database};

/// Runs statements and gives the last one's only value.
fn value(url: &str, statements: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname", url])
        .args(["--command", statements])
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn a_cluster_is_durable_and_tuned_by_default() {
    let cluster = PrivateCluster::start(&[("work_mem", "5MB")]).unwrap();
    let show = |name: &str| value(&cluster.url(), &format!("SHOW {name}")).unwrap();
    for (name, expected) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("jit", "off"),
        ("shared_buffers", "256MB"),
        ("max_connections", "300"),
        ("work_mem", "5MB"),
    ] {
        assert_eq!(show(name), expected, "{name}");
    }
}

#[test]
fn text_is_not_compared_as_bytes_unless_a_statement_says_so() {
    let cluster = PrivateCluster::start(&[]).unwrap();
    assert_eq!(value(&cluster.url(), "SELECT 'a' < 'B'").unwrap(), "t");
    assert_eq!(value(&cluster.url(), r#"SELECT 'a' < 'B' COLLATE "C""#).unwrap(), "f");
}

#[test]
fn nobody_connects_without_the_password() {
    let cluster = PrivateCluster::start(&[]).unwrap();
    let address = cluster.url().rsplit_once('@').unwrap().1.to_owned();
    let refusal = value(&format!("postgres://custodia:wrong@{address}"), "SELECT 1").unwrap_err();
    assert!(refusal.contains("password authentication failed"), "{refusal}");
}

#[test]
fn what_was_committed_before_a_crash_is_there_after_the_restart() {
    let mut cluster = PrivateCluster::start(&[]).unwrap();
    let url = cluster.url();
    value(&url, "CREATE TABLE note (text text); INSERT INTO note VALUES ('kept')").unwrap();
    cluster.crash().unwrap();
    assert!(value(&url, "SELECT 1").is_err());
    assert!(matches!(cluster.crash(), Err(Error::WrongState { is: "crashed", .. })));
    cluster.restart().unwrap();
    assert_eq!(value(&url, "SELECT text FROM note").unwrap(), "kept");
    assert!(cluster.log().contains("automatic recovery in progress"), "{}", cluster.log());
}

#[test]
fn a_running_cluster_is_not_copied() {
    let cluster = PrivateCluster::start(&[]).unwrap();
    assert!(matches!(cluster.copy_data_dir(), Err(Error::WrongState { is: "running", .. })));
}

/// Writes one row, says how far the log was flushed when the write was acknowledged, crashes, and counts the rows that
/// are left when only that much of the log had reached the disk.
fn rows_left_after_power_cut(settings: &[(&str, &str)]) -> String {
    let mut cluster = PrivateCluster::start(settings).unwrap();
    value(&cluster.url(), "CREATE TABLE note (text text)").unwrap();
    cluster.stop().unwrap();
    let mut disk = cluster.copy_data_dir().unwrap();
    cluster.restart().unwrap();

    value(&cluster.url(), "INSERT INTO note SELECT 'acknowledged' FROM generate_series(1, 3)").unwrap();
    let flushed = value(&cluster.url(), "SELECT pg_current_wal_flush_lsn()").unwrap();
    value(&cluster.url(), "INSERT INTO note VALUES ('later')").unwrap();
    cluster.crash().unwrap();

    disk.take_write_ahead_log(&cluster, &flushed).unwrap();
    disk.restart().unwrap();
    value(&disk.url(), "SELECT count(*) FROM note").unwrap()
}

#[test]
fn a_log_cut_back_to_its_last_flush_holds_what_was_acknowledged_and_nothing_later() {
    assert_eq!(rows_left_after_power_cut(&[]), "3");
}

#[test]
fn a_log_cut_back_shows_that_acknowledging_before_the_flush_loses_writes() {
    let unflushed = [("synchronous_commit", "off"), ("wal_writer_delay", "10s")];
    assert_eq!(rows_left_after_power_cut(&unflushed), "0");
}

#[test]
fn a_log_is_not_cut_back_on_a_copy_that_is_older_than_the_last_checkpoint() {
    let mut cluster = PrivateCluster::start(&[]).unwrap();
    cluster.stop().unwrap();
    let mut disk = cluster.copy_data_dir().unwrap();
    cluster.restart().unwrap();
    value(&cluster.url(), "CHECKPOINT").unwrap();
    cluster.crash().unwrap();
    assert!(matches!(disk.take_write_ahead_log(&cluster, "0/1"), Err(Error::WrongState { .. })));
    assert!(matches!(disk.take_write_ahead_log(&cluster, "1"), Err(Error::NotAPosition { .. })));
}

#[test]
fn a_cluster_ends_and_its_folder_goes_when_its_owner_is_killed() {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_with-postgres"))
        .args(["sh", "-c", "echo $CUSTODIA_TEST_POSTGRES; exec cat"])
        .env_remove("CUSTODIA_TEST_POSTGRES")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(owner.stdout.take().unwrap()), &mut url).unwrap();
    let url = url.trim();
    let data = std::path::PathBuf::from(value(url, "SHOW data_directory").unwrap());
    assert!(data.exists());

    owner.kill().unwrap();
    owner.wait().unwrap();
    while data.parent().unwrap().exists() {
        std::thread::yield_now();
    }
    assert!(value(url, "SELECT 1").is_err());
}

#[test]
fn a_command_beside_a_cluster_gives_its_exit_code() {
    let with_postgres = |command: &str, url: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_with-postgres"));
        program.args(["sh", "-c", command]).env("CUSTODIA_TEST_POSTGRES", url).status().unwrap().code()
    };
    assert_eq!(with_postgres("test \"$CUSTODIA_TEST_POSTGRES\" = present", "present"), Some(0));
    assert_eq!(with_postgres("exit 7", "present"), Some(7));
}

#[test]
fn the_shared_cluster_gives_every_test_a_database_of_its_own() {
    let Some(url) = postgres_url() else { return };
    let (one, other) = (fresh_database_name(), fresh_database_name());
    assert_ne!(one, other);
    value(&url, &format!("CREATE DATABASE {one}")).unwrap();
    assert_eq!(value(&with_database(&url, &one), "SELECT current_database()").unwrap(), one);
}
