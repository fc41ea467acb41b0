//! What the yardstick does for a read, apart from HTTP: a prepared statement, and its rows straight to JSON bytes.

use std::io::Write;

use anyhow::Result;
use custodia_sqlite::rusqlite::types::{ToSql, ValueRef};
use custodia_sqlite::rusqlite::{Connection, Statement};
use uuid::Uuid;

/// A statement with the beginnings of its columns in JSON.
pub struct Prepared<'connection> {
    statement: Statement<'connection>,
    keys: Vec<Vec<u8>>,
}

impl<'connection> Prepared<'connection> {
    /// Prepares it; SQLite's errors.
    pub fn new(connection: &'connection Connection, sql: &str) -> Result<Self> {
        let statement = connection.prepare(sql)?;
        let separators = std::iter::once("{").chain(std::iter::repeat(","));
        let names = statement.column_names().zip(separators);
        Ok(Self { keys: names.map(|(name, before)| format!("{before}\"{name}\":").into_bytes()).collect(), statement })
    }

    /// Writes the rows for a key that the owner has, between commas; how many there were.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rows(&mut self, key: &dyn ToSql, owner: &Uuid, body: &mut Vec<u8>) -> Result<u32> {
        let mut rows = self.statement.query((key, owner.as_bytes()))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            body.extend_from_slice(if count > 0 { b"," } else { b"" });
            count += 1;
            for (column, key) in self.keys.iter().enumerate() {
                body.extend_from_slice(key);
                match row.get_ref(column)? {
                    ValueRef::Null => body.extend_from_slice(b"null"),
                    ValueRef::Integer(number) => write!(body, "{number}")?,
                    ValueRef::Real(number) => write!(body, "{number}")?,
                    ValueRef::Text(text) => serde_json::to_writer(&mut *body, std::str::from_utf8(text)?)?,
                    ValueRef::Blob(id) => write!(body, "\"{}\"", Uuid::from_slice(id)?.hyphenated())?,
                }
            }
            body.push(b'}');
        }
        Ok(count)
    }
}
