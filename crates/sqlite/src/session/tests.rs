#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE account (accountid BLOB PRIMARY KEY NOT NULL, name TEXT, revenue INTEGER, score REAL);
             CREATE TABLE link (a BLOB NOT NULL, b BLOB NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
             INSERT INTO account VALUES (x'01', 'Contoso', 5, 0.5), (x'02', 'Fabrikam', NULL, NULL);",
        )
        .unwrap();
    connection
}

fn of_table<'a>(changes: &'a [Change], table: &str) -> Vec<&'a Change> {
    changes.iter().filter(|change| change.table == table).collect()
}

#[test]
fn insert_update_and_delete_are_seen_with_their_values() {
    let connection = database();
    watch(&connection, |_| true).unwrap();
    connection
        .execute_batch(
            "INSERT INTO account VALUES (x'03', 'Zoë', 7, 1.5);
             UPDATE account SET name = 'Contoso Ltd', revenue = NULL WHERE accountid = x'01';
             DELETE FROM account WHERE accountid = x'02';
             INSERT INTO link VALUES (x'0a', x'0b');",
        )
        .unwrap();
    let changes = take_changes(&connection).unwrap();

    let mut accounts = of_table(&changes, "account");
    accounts.sort_by_key(|change| format!("{:?}", change.key()));
    let [updated, deleted, inserted] = accounts[..] else { panic!("{accounts:?}") };

    assert_eq!(updated.operation, Operation::Update);
    assert_eq!(updated.key(), [Value::Blob(vec![1])]);
    assert_eq!(
        updated.old,
        [Some(Value::Blob(vec![1])), Some(Value::Text("Contoso".into())), Some(Value::Integer(5)), None]
    );
    assert_eq!(updated.new, [None, Some(Value::Text("Contoso Ltd".into())), Some(Value::Null), None]);

    assert_eq!(deleted.operation, Operation::Delete);
    assert_eq!(deleted.key(), [Value::Blob(vec![2])]);
    assert_eq!(
        deleted.old,
        [Some(Value::Blob(vec![2])), Some(Value::Text("Fabrikam".into())), Some(Value::Null), Some(Value::Null)]
    );
    assert!(deleted.new.is_empty());

    assert_eq!(inserted.operation, Operation::Insert);
    assert_eq!(inserted.key_columns, [true, false, false, false]);
    assert_eq!(
        inserted.new,
        [Some(Value::Blob(vec![3])), Some(Value::Text("Zoë".into())), Some(Value::Integer(7)), Some(Value::Real(1.5))]
    );

    let links = of_table(&changes, "link");
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].key(), [Value::Blob(vec![0x0a]), Value::Blob(vec![0x0b])]);
    assert_eq!(changes.len(), 4);
}

#[test]
fn a_rolled_back_change_is_not_seen() {
    let connection = database();
    watch(&connection, |_| true).unwrap();
    connection.execute_batch("BEGIN; DELETE FROM account; ROLLBACK;").unwrap();
    assert_eq!(take_changes(&connection).unwrap(), []);
}

#[test]
fn tables_outside_the_filter_are_left_out() {
    let connection = database();
    watch(&connection, |table| table != "link").unwrap();
    connection
        .execute_batch("INSERT INTO link VALUES (x'0a', x'0b'); DELETE FROM account WHERE accountid = x'01';")
        .unwrap();
    let changes = take_changes(&connection).unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].table, "account");
}

#[test]
fn a_table_created_later_is_watched() {
    let connection = database();
    watch(&connection, |_| true).unwrap();
    connection
        .execute_batch("CREATE TABLE lead (leadid BLOB PRIMARY KEY NOT NULL); INSERT INTO lead VALUES (x'0c')")
        .unwrap();
    assert_eq!(of_table(&take_changes(&connection).unwrap(), "lead").len(), 1);
}

#[test]
fn a_table_without_primary_key_is_refused() {
    let connection = database();
    connection.execute_batch("CREATE TABLE loose (name TEXT)").unwrap();
    watch(&connection, |_| true).unwrap();
    let error = take_changes(&connection).unwrap_err();
    assert!(matches!(&error, Error::NoPrimaryKey { table } if table == "loose"), "{error}");

    watch(&connection, |table| table != "loose").unwrap();
    assert_eq!(take_changes(&connection).unwrap(), []);
}

#[test]
fn changes_are_taken_once() {
    let connection = database();
    watch(&connection, |_| true).unwrap();
    connection.execute("DELETE FROM account WHERE accountid = x'01'", []).unwrap();
    assert_eq!(take_changes(&connection).unwrap().len(), 1);
    assert_eq!(take_changes(&connection).unwrap(), []);
    connection.execute("INSERT INTO account (accountid) VALUES (x'01')", []).unwrap();
    let changes = take_changes(&connection).unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].operation, Operation::Insert, "not the update that both together would be");
}

#[test]
fn a_connection_without_a_watch_has_nothing_to_take() {
    let error = take_changes(&database()).unwrap_err();
    assert!(matches!(error, Error::NotWatched), "{error}");
}

#[test]
fn a_watch_moves_with_its_connection_and_ends_with_it() {
    let connection = database();
    watch(&connection, |_| true).unwrap();
    let count = std::thread::spawn(move || {
        connection.execute("DELETE FROM account", []).unwrap();
        let count = take_changes(&connection).unwrap().len();
        connection.close().unwrap();
        count
    });
    assert_eq!(count.join().unwrap(), 2);
}

#[test]
fn a_filter_that_panics_watches_the_table() {
    let connection = database();
    watch(&connection, |_| panic!("cannot say")).unwrap();
    connection.execute("DELETE FROM account", []).unwrap();
    assert_eq!(take_changes(&connection).unwrap().len(), 2);
}
