//! Change sets: what SQLite itself saw change, row by row.
//!
//! The store writes its own engine-neutral change log. SQLite's session extension watches the same connection from below, so
//! a test that compares the two shows that the log missed nothing. Change sets are positional, know nothing of types and are
//! never shipped.
//!
//! ```
//! # use custodia_sqlite::{rusqlite, session::{Operation, Session}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connection = rusqlite::Connection::open_in_memory()?;
//! connection.execute_batch("CREATE TABLE account (accountid BLOB PRIMARY KEY NOT NULL, name TEXT)")?;
//! let mut session = Session::watch(&connection, |_table| true)?;
//! connection.execute("INSERT INTO account VALUES (x'01', 'Contoso')", [])?;
//! let changes = session.changes()?;
//! assert_eq!(changes[0].table, "account");
//! assert_eq!(changes[0].operation, Operation::Insert);
//! # Ok(())
//! # }
//! ```
//!
//! What a session does not see: schema changes; tables without a declared primary key ([`Session::changes`] refuses them);
//! rows whose key holds a null; virtual tables, though it does see their shadow tables; changes before [`Session::watch`].
//! Several changes of one row count as one: an insert and an update make an insert, an insert and a delete make nothing.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::{Connection, ffi};

use crate::Error;

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

/// A connection that outlives the session watching it: borrowed, shared or given away.
///
/// Sealed: the session is sound only if the connection behind the holder cannot be closed or exchanged.
pub trait Holder: Deref<Target = Connection> + sealed::Sealed {}

impl Holder for &Connection {}
impl Holder for Rc<Connection> {}
impl Holder for Box<Connection> {}

mod sealed {
    use super::{Connection, Rc};

    pub trait Sealed {}
    impl Sealed for &Connection {}
    impl Sealed for Rc<Connection> {}
    impl Sealed for Box<Connection> {}
}

type Filter = Box<dyn Fn(&str) -> bool>;

/// Watches one connection's changes to its main database until it is dropped.
///
/// It gives the connection back by `Deref`, so a session may own the connection it watches (`Session<Box<Connection>>`).
pub struct Session<C: Holder> {
    handle: *mut ffi::sqlite3_session,
    /// Boxed twice, since C keeps a thin pointer to it.
    filter: Box<Filter>,
    connection: C,
}

impl<C: Holder> Session<C> {
    /// Starts watching every table for which `filter` is true, also those that are created later.
    ///
    /// # Errors
    /// [`Error::Engine`] if SQLite refuses, for want of memory.
    pub fn watch(connection: C, filter: impl Fn(&str) -> bool + 'static) -> Result<Self, Error> {
        let mut session = Self { handle: ptr::null_mut(), filter: Box::new(Box::new(filter)), connection };
        // SAFETY: the connection is open and `Holder` keeps it so until `drop` has deleted the session. The filter's box
        // does not move when the session does, and is freed after it.
        unsafe {
            check(ffi::sqlite3session_create(session.connection.handle(), c"main".as_ptr(), &raw mut session.handle))?;
            let context: *const Filter = &raw const *session.filter;
            ffi::sqlite3session_table_filter(session.handle, Some(call_filter), context.cast_mut().cast());
            check(ffi::sqlite3session_attach(session.handle, ptr::null()))?;
        }
        Ok(session)
    }

    /// The changes since the session started, in no promised order of rows. The session goes on.
    ///
    /// # Errors
    /// [`Error::NoPrimaryKey`] if a watched table could have changed unseen; [`Error::Engine`] if SQLite refuses.
    pub fn changes(&mut self) -> Result<Vec<Change>, Error> {
        self.refuse_tables_without_key()?;
        let mut length: c_int = 0;
        let mut bytes = ptr::null_mut();
        // SAFETY: the session is open; SQLite allocates the bytes, which `Bytes` frees.
        let bytes = unsafe {
            let code = ffi::sqlite3session_changeset(self.handle, &raw mut length, &raw mut bytes);
            let bytes = Bytes(bytes);
            check(code)?;
            bytes
        };
        read_changes(&bytes, length)
    }

    /// SQLite passes over such tables in silence, and a witness that looks away proves nothing.
    fn refuse_tables_without_key(&self) -> Result<(), Error> {
        let mut statement = self
            .connection
            .prepare(
                "SELECT name FROM pragma_table_list AS t WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                 AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE pk > 0)",
            )
            .map_err(Error::engine("listing the tables"))?;
        let names = statement.query_map([], |row| row.get(0)).map_err(Error::engine("listing the tables"))?;
        for name in names {
            let table: String = name.map_err(Error::engine("listing the tables"))?;
            if (self.filter)(&table) {
                return Err(Error::NoPrimaryKey { table });
            }
        }
        Ok(())
    }
}

impl<C: Holder> Deref for Session<C> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl<C: Holder> Drop for Session<C> {
    fn drop(&mut self) {
        // A session that was never made is a null pointer, which must not be deleted.
        if !self.handle.is_null() {
            // SAFETY: made by SQLite and deleted once, while the connection is open: fields are dropped after this.
            unsafe { ffi::sqlite3session_delete(self.handle) }
        }
    }
}

/// SQLite's question whether a table is watched. A filter that panics watches the table.
unsafe extern "C" fn call_filter(context: *mut c_void, table: *const c_char) -> c_int {
    // SAFETY: `context` is the filter of the living session that asks, `table` a string that ends in zero.
    let (filter, table) = unsafe { (&*context.cast::<Filter>(), CStr::from_ptr(table)) };
    catch_unwind(AssertUnwindSafe(|| filter(&table.to_string_lossy()))).unwrap_or(true).into()
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
