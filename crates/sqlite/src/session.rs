//! Change sets: what SQLite itself saw change, row by row.
//!
//! The store writes its own engine-neutral change log. SQLite's session extension watches the same connection from below, so
//! a test that compares the two shows that the log missed nothing. Change sets are positional, know nothing of types and are
//! never shipped.
//!
//! ```
//! use custodia_sqlite::{rusqlite, session};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connection = rusqlite::Connection::open_in_memory()?;
//! connection.execute_batch("CREATE TABLE account (accountid BLOB PRIMARY KEY NOT NULL, name TEXT)")?;
//! session::watch(&connection, |table| !table.starts_with("custodia_"))?;
//! connection.execute("INSERT INTO account VALUES (x'01', 'Contoso')", [])?;
//! let changes = session::take_changes(&connection)?;
//! assert_eq!(changes[0].table, "account");
//! assert_eq!(changes[0].operation, session::Operation::Insert);
//! # Ok(())
//! # }
//! ```
//!
//! The watch belongs to the connection and ends with it, so it also works on a connection that another component owns.
//!
//! What it does not see: schema changes; tables without a declared primary key ([`take_changes`] refuses them); rows whose key
//! holds a null; virtual tables, though it does see their shadow tables; changes by other connections. Several changes of
//! one row count as one: an insert and an update make an insert, an insert and a delete make nothing.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::catch_unwind;
use std::ptr;

use rusqlite::types::Value;
use rusqlite::{Connection, ffi};

use crate::Error;

/// Under this name SQLite keeps the watch of a connection.
const NAME: &CStr = c"custodia-session";

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The row is new.
    Insert,
    /// The row has other values.
    Update,
    /// The row is gone.
    Delete,
}

/// One row's change between the start of the session and now.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The table's name.
    pub table: String,
    /// What happened.
    pub operation: Operation,
    /// One entry per column, in the table's order: whether it belongs to the primary key.
    pub key_columns: Vec<bool>,
    /// One entry per column: the value before. Empty for an insert; for an update, only the key and the columns that changed
    /// are there.
    pub old: Vec<Option<Value>>,
    /// One entry per column: the value after. Empty for a delete; for an update, only the columns that changed are there.
    pub new: Vec<Option<Value>>,
}

impl Change {
    /// The values of the primary key, in the table's column order.
    pub fn key(&self) -> Vec<Value> {
        let values = if self.operation == Operation::Insert { &self.new } else { &self.old };
        self.key_columns
            .iter()
            .zip(values)
            .filter(|(in_key, _)| **in_key)
            .map(|(_, value)| value.clone().unwrap_or(Value::Null))
            .collect()
    }
}

/// Watches from now on what `connection` changes in the tables of its main database for which `filter` is true, also in those
/// that are created later. A second watch replaces the first.
///
/// # Errors
/// [`Error::Engine`] if SQLite refuses, for want of memory.
pub fn watch(connection: &Connection, filter: fn(&str) -> bool) -> Result<(), Error> {
    if let Some(existing) = find(connection) {
        existing.refuse_within_filter()?;
    }
    // SAFETY: the handle is open for as long as `connection`.
    let database = unsafe { connection.handle() };
    let watch = Box::new(Watch { database, session: Cell::default(), filter, in_filter: Cell::new(false) });
    watch.restart()?;
    // SAFETY: the connection is open. SQLite owns the box from here and hands it to `drop_watch` once: when another watch takes
    // its place, when the connection is closed, or at once if this call fails.
    check(unsafe {
        ffi::sqlite3_set_clientdata(database, NAME.as_ptr(), Box::into_raw(watch).cast(), Some(drop_watch))
    })
}

/// The changes since [`watch`], or since the last call, in no promised order of rows.
///
/// Call it between transactions: a transaction that is rolled back later takes changes with it that were returned already.
///
/// # Errors
/// [`Error::NotWatched`] without a watch; [`Error::NoPrimaryKey`] if a watched table could have changed unseen;
/// [`Error::Engine`] if SQLite refuses.
pub fn take_changes(connection: &Connection) -> Result<Vec<Change>, Error> {
    let watch = find(connection).ok_or(Error::NotWatched)?;
    watch.refuse_within_filter()?;
    watch.refuse_tables_without_key(connection)?;
    let changes = watch.changes()?;
    watch.restart()?;
    Ok(changes)
}

/// The session of one connection, kept by SQLite as the connection's client data.
///
/// It moves between threads with its connection, as `Connection` may: it holds nothing that is bound to a thread.
struct Watch {
    database: *mut ffi::sqlite3,
    /// Null before the first start and after a failed one.
    session: Cell<*mut ffi::sqlite3_session>,
    filter: fn(&str) -> bool,
    /// The filter is running. It must not replace or restart the session that asks it.
    in_filter: Cell<bool>,
}

/// The watch of a connection. It lives until the connection is closed or watched anew, which the borrow and
/// [`Watch::refuse_within_filter`] rule out while the answer is used.
fn find(connection: &Connection) -> Option<&Watch> {
    // SAFETY: the connection is open; under this name there is a `Watch` or nothing.
    unsafe { ffi::sqlite3_get_clientdata(connection.handle(), NAME.as_ptr()).cast::<Watch>().as_ref() }
}

unsafe extern "C" fn drop_watch(watch: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `watch`, handed back once.
    drop(unsafe { Box::from_raw(watch.cast::<Watch>()) });
}

impl Watch {
    fn refuse_within_filter(&self) -> Result<(), Error> {
        if self.in_filter.get() { check(ffi::SQLITE_MISUSE) } else { Ok(()) }
    }

    fn is_watched(&self, table: &str) -> bool {
        let outer = self.in_filter.replace(true);
        // A panic must not cross SQLite; a table that the filter cannot judge is watched.
        let filter = self.filter;
        let answer = catch_unwind(|| filter(table)).unwrap_or(true);
        self.in_filter.set(outer);
        answer
    }

    /// Forgets what was seen and starts anew.
    fn restart(&self) -> Result<(), Error> {
        self.stop();
        let mut session = ptr::null_mut();
        let context: *const Self = self;
        // SAFETY: the database is open: SQLite drops the watch before it closes it. The watch is boxed, so the context stays in
        // place, and outlives the session, which it deletes.
        unsafe {
            check(ffi::sqlite3session_create(self.database, c"main".as_ptr(), &raw mut session))?;
            self.session.set(session);
            ffi::sqlite3session_table_filter(session, Some(call_filter), context.cast_mut().cast());
            check(ffi::sqlite3session_attach(session, ptr::null()))
        }
    }

    fn stop(&self) {
        let session = self.session.replace(ptr::null_mut());
        if !session.is_null() {
            // SAFETY: made by SQLite, deleted once, while the database is open.
            unsafe { ffi::sqlite3session_delete(session) }
        }
    }

    fn changes(&self) -> Result<Vec<Change>, Error> {
        let session = self.session.get();
        if session.is_null() {
            return Err(Error::NotWatched);
        }
        let mut length: c_int = 0;
        let mut bytes = ptr::null_mut();
        // SAFETY: the session is alive; SQLite allocates the bytes, which `Bytes` frees.
        let code = unsafe { ffi::sqlite3session_changeset(session, &raw mut length, &raw mut bytes) };
        let bytes = Bytes(bytes);
        check(code)?;
        read_changes(&bytes, length)
    }

    /// SQLite passes over such tables in silence, and a witness that looks away proves nothing.
    fn refuse_tables_without_key(&self, connection: &Connection) -> Result<(), Error> {
        let mut statement = connection
            .prepare(
                "SELECT name FROM pragma_table_list AS t \
                 WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                 AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE pk > 0)",
            )
            .map_err(Error::engine("listing the tables"))?;
        let names = statement.query_map([], |row| row.get(0)).map_err(Error::engine("listing the tables"))?;
        for name in names {
            let table: String = name.map_err(Error::engine("listing the tables"))?;
            if self.is_watched(&table) {
                return Err(Error::NoPrimaryKey { table });
            }
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// SQLite's question whether a table is watched.
unsafe extern "C" fn call_filter(context: *mut c_void, table: *const c_char) -> c_int {
    // SAFETY: `context` is the watch whose session asks, `table` a string that ends in zero.
    let (watch, table) = unsafe { (&*context.cast::<Watch>(), CStr::from_ptr(table)) };
    watch.is_watched(&table.to_string_lossy()).into()
}

/// Memory that SQLite allocated.
struct Bytes(*mut c_void);

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: allocated by SQLite and freed once; null is allowed.
        unsafe { ffi::sqlite3_free(self.0) }
    }
}

/// An iterator over a change set, finished on every way out.
struct Iterator(*mut ffi::sqlite3_changeset_iter);

impl Drop for Iterator {
    fn drop(&mut self) {
        // SAFETY: started and not yet finished; errors of the steps are seen at the steps.
        unsafe {
            ffi::sqlite3changeset_finalize(self.0);
        }
    }
}

fn read_changes(bytes: &Bytes, length: c_int) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    if bytes.0.is_null() {
        return Ok(changes);
    }
    let mut iterator = ptr::null_mut();
    // SAFETY: `bytes` holds `length` bytes and outlives the iterator; what the iterator points out is read before the next step.
    unsafe {
        check(ffi::sqlite3changeset_start(&raw mut iterator, length, bytes.0))?;
        let iterator = Iterator(iterator);
        loop {
            match ffi::sqlite3changeset_next(iterator.0) {
                ffi::SQLITE_ROW => changes.push(read_change(iterator.0)?),
                ffi::SQLITE_DONE => return Ok(changes),
                code => check(code)?,
            }
        }
    }
}

/// # Safety
/// `iterator` stands on a change.
unsafe fn read_change(iterator: *mut ffi::sqlite3_changeset_iter) -> Result<Change, Error> {
    let (mut table, mut columns, mut operation, mut indirect) = (ptr::null(), 0, 0, 0);
    let (mut in_key, mut key_columns) = (ptr::null_mut(), 0);
    // SAFETY: the iterator stands on a change; table name and key flags live until the next step and are copied here.
    let (table, key_columns) = unsafe {
        check(ffi::sqlite3changeset_op(
            iterator,
            &raw mut table,
            &raw mut columns,
            &raw mut operation,
            &raw mut indirect,
        ))?;
        check(ffi::sqlite3changeset_pk(iterator, &raw mut in_key, &raw mut key_columns))?;
        let flags = std::slice::from_raw_parts(in_key, usize::try_from(key_columns).unwrap_or(0));
        (CStr::from_ptr(table).to_string_lossy().into_owned(), flags.iter().map(|flag| *flag != 0).collect())
    };
    let operation = match operation {
        ffi::SQLITE_INSERT => Operation::Insert,
        ffi::SQLITE_UPDATE => Operation::Update,
        _ => Operation::Delete,
    };
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for column in 0..columns {
        // SAFETY: the iterator stands on a change that has this column; old values exist for all but inserts, new ones for
        // all but deletes.
        unsafe {
            if operation != Operation::Insert {
                old.push(read_value(iterator, column, ffi::sqlite3changeset_old)?);
            }
            if operation != Operation::Delete {
                new.push(read_value(iterator, column, ffi::sqlite3changeset_new)?);
            }
        }
    }
    Ok(Change { table, operation, key_columns, old, new })
}

type ValueOf = unsafe extern "C" fn(*mut ffi::sqlite3_changeset_iter, c_int, *mut *mut ffi::sqlite3_value) -> c_int;

/// # Safety
/// `iterator` stands on a change that has `column` on the side that `value_of` reads.
unsafe fn read_value(
    iterator: *mut ffi::sqlite3_changeset_iter,
    column: c_int,
    value_of: ValueOf,
) -> Result<Option<Value>, Error> {
    let mut value = ptr::null_mut();
    // SAFETY: as promised by the caller; a value lives until the next step and its bytes are copied here. The text or blob is
    // asked for before its length, as SQLite wants.
    unsafe {
        check(value_of(iterator, column, &raw mut value))?;
        if value.is_null() {
            return Ok(None);
        }
        Ok(Some(match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_INTEGER => Value::Integer(ffi::sqlite3_value_int64(value)),
            ffi::SQLITE_FLOAT => Value::Real(ffi::sqlite3_value_double(value)),
            ffi::SQLITE_TEXT => {
                let start = ffi::sqlite3_value_text(value);
                Value::Text(String::from_utf8_lossy(&copy_bytes(start, ffi::sqlite3_value_bytes(value))).into_owned())
            }
            ffi::SQLITE_BLOB => {
                let start = ffi::sqlite3_value_blob(value);
                Value::Blob(copy_bytes(start.cast(), ffi::sqlite3_value_bytes(value)))
            }
            _ => Value::Null,
        }))
    }
}

/// # Safety
/// `start` points to `length` bytes, or `length` is zero.
unsafe fn copy_bytes(start: *const u8, length: c_int) -> Vec<u8> {
    match usize::try_from(length) {
        // SAFETY: as promised by the caller.
        Ok(length) if length > 0 => unsafe { std::slice::from_raw_parts(start, length) }.to_vec(),
        _ => Vec::new(),
    }
}

fn check(code: c_int) -> Result<(), Error> {
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        let source = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        Err(Error::Engine { doing: "reading the session's changes", source })
    }
}

#[cfg(test)]
mod tests;
