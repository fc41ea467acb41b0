//! What the yardstick does for a read, apart from HTTP: a prepared statement, and its rows straight to JSON bytes.

use std::io::Write;

use anyhow::Result;
use custodia_sqlite::rusqlite::types::{ToSql, ValueRef};
use custodia_sqlite::rusqlite::{Connection, Statement};
use uuid::Uuid;

/// W1: an account of the owner.
pub const ACCOUNT: &str = "
    SELECT accountid, name, accountnumber, address1_city, address1_line1, address1_postalcode, telephone1, emailaddress1,
        websiteurl, numberofemployees, revenue, createdon, opendeals
    FROM account WHERE accountid = ?1 AND ownerid = ?2";
/// W2: fifty accounts of a city. The plus keeps SQLite from finding rows by owner, which takes four times as long.
pub const ACCOUNTS: &str = "
    SELECT accountid, name, accountnumber, address1_city, address1_line1, address1_postalcode, telephone1, emailaddress1,
        websiteurl, numberofemployees, revenue, createdon, opendeals
    FROM account WHERE address1_city = ?1 AND +ownerid = ?2 ORDER BY name, accountid LIMIT 50";
/// W3: fifty contacts from a name on, with the names of their accounts.
pub const CONTACTS: &str = "
    SELECT c.contactid, c.fullname, c.firstname, c.lastname, c.jobtitle, c.emailaddress1, c.telephone1, c.mobilephone,
        c.address1_city, c.address1_postalcode, c.birthdate, c.createdon, c.parentcustomerid, a.name AS accountname
    FROM contact c LEFT JOIN account a ON a.accountid = c.parentcustomerid AND a.ownerid = ?2
    WHERE c.fullname >= ?1 AND +c.ownerid = ?2 ORDER BY c.fullname, c.contactid LIMIT 50";

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
