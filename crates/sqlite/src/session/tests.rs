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
    let mut session = Session::watch(&connection, |_| true).unwrap();
    connection
        .execute_batch(
            "INSERT INTO account VALUES (x'03', 'Zoë', 7, 1.5);
             UPDATE account SET name = 'Contoso Ltd', revenue = NULL WHERE accountid = x'01';
             DELETE FROM account WHERE accountid = x'02';
             INSERT INTO link VALUES (x'0a', x'0b');",
        )
        .unwrap();
    let changes = session.changes().unwrap();

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
    let mut session = Session::watch(&connection, |_| true).unwrap();
    connection.execute_batch("BEGIN; DELETE FROM account; ROLLBACK;").unwrap();
    assert_eq!(session.changes().unwrap(), []);
}

#[test]
fn tables_outside_the_filter_are_left_out() {
    let connection = database();
    let mut session = Session::watch(&connection, |table| table != "link").unwrap();
    connection
        .execute_batch("INSERT INTO link VALUES (x'0a', x'0b'); DELETE FROM account WHERE accountid = x'01';")
        .unwrap();
    let changes = session.changes().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].table, "account");
}

#[test]
fn a_table_created_later_is_watched() {
    let connection = database();
    let mut session = Session::watch(&connection, |_| true).unwrap();
    connection
        .execute_batch("CREATE TABLE lead (leadid BLOB PRIMARY KEY NOT NULL); INSERT INTO lead VALUES (x'0c')")
        .unwrap();
    assert_eq!(of_table(&session.changes().unwrap(), "lead").len(), 1);
}

#[test]
fn a_table_without_primary_key_is_refused() {
    let connection = database();
    connection.execute_batch("CREATE TABLE loose (name TEXT)").unwrap();
    let mut session = Session::watch(&connection, |_| true).unwrap();
    let error = session.changes().unwrap_err();
    assert!(matches!(&error, Error::NoPrimaryKey { table } if table == "loose"), "{error}");
    drop(session);

    let mut session = Session::watch(&connection, |table| table != "loose").unwrap();
    assert_eq!(session.changes().unwrap(), []);
}

#[test]
fn a_session_may_own_its_connection() {
    let session = Session::watch(Box::new(database()), |_| true).unwrap();
    session.execute("DELETE FROM account WHERE accountid = x'01'", []).unwrap();
    let mut moved = Box::new(session);
    assert_eq!(moved.changes().unwrap().len(), 1);
}
