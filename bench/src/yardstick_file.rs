//! The yardstick's database file: plain tables of the columns that the work touches, filled with the world.
//!
//! Its indexes are those that Custodia gives the same tables: the list indexes of the schema, each ending in id, owner
//! and unit, and those by owner and by unit. So both sides find rows alike, and both pay for the same indexes when they
//! insert.

use std::path::Path;

use anyhow::{Context, Result};
use custodia_schema::{ColumnId, Table, standard};
use custodia_sqlite::rusqlite::{Connection, Transaction, params};
use custodia_sqlite::{Access, Checkpoints, Encryption, Options, open};

use crate::world;

/// Custodia's own variable for the page cache of a connection in KiB: where it is set, it holds for both sides.
const CACHE_VARIABLE: &str = "CUSTODIA_LIMITS_CACHE_KIBIBYTES";
/// What it is by default.
const CACHE_KIBIBYTES: u32 = 8 * 1024;
/// When the rows of the world were made, as the yardstick keeps moments.
const MADE: &str = "2024-05-01T09:00:00Z";
/// The one unit of the yardstick's world.
pub const UNIT: [u8; 16] = [7; 16];

const TABLES: &str = "
    CREATE TABLE account (
        accountid BLOB NOT NULL PRIMARY KEY, name TEXT, accountnumber TEXT, address1_city TEXT, address1_line1 TEXT,
        address1_postalcode TEXT, telephone1 TEXT, emailaddress1 TEXT, websiteurl TEXT, numberofemployees INTEGER,
        revenue INTEGER, opendeals INTEGER, statecode INTEGER, statuscode INTEGER, createdon TEXT, createdby BLOB,
        modifiedon TEXT, modifiedby BLOB, versionnumber INTEGER, ownerid BLOB NOT NULL, owningbusinessunit BLOB NOT NULL
    ) STRICT;
    CREATE TABLE contact (
        contactid BLOB NOT NULL PRIMARY KEY, fullname TEXT, firstname TEXT, lastname TEXT, jobtitle TEXT,
        emailaddress1 TEXT, telephone1 TEXT, mobilephone TEXT, address1_line1 TEXT, address1_city TEXT,
        address1_postalcode TEXT, birthdate TEXT, parentcustomerid BLOB, statecode INTEGER, statuscode INTEGER,
        createdon TEXT, createdby BLOB, modifiedon TEXT, modifiedby BLOB, versionnumber INTEGER,
        ownerid BLOB NOT NULL, owningbusinessunit BLOB NOT NULL
    ) STRICT;";

/// The statement that inserts a contact: the one that W4 measures, and that fills the file.
pub const INSERT_CONTACT: &str = "
    INSERT INTO contact (contactid, fullname, firstname, lastname, jobtitle, emailaddress1, telephone1, mobilephone,
        address1_line1, address1_city, address1_postalcode, birthdate, parentcustomerid, statecode, statuscode,
        createdon, createdby, modifiedon, modifiedby, versionnumber, ownerid, owningbusinessunit)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 1, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?14,
        strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?14, 1, ?14, ?15)";

const INSERT_ACCOUNT: &str = "
    INSERT INTO account (accountid, name, accountnumber, address1_city, address1_line1, address1_postalcode, telephone1,
        emailaddress1, websiteurl, numberofemployees, revenue, opendeals, statecode, statuscode, createdon, createdby,
        modifiedon, modifiedby, versionnumber, ownerid, owningbusinessunit)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, 0, 1, ?12, ?13, ?12, ?13, 1, ?13, ?14)";

/// Opens the file of a yardstick with the settings that Custodia's own files have, but in the clear, and with SQLite's own
/// checkpoints.
///
/// # Errors
/// What SQLite says.
pub fn connect(file: &Path, access: Access) -> Result<Connection> {
    let cache = std::env::var(CACHE_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(CACHE_KIBIBYTES);
    let options = Options::new(Encryption::Plain, access).checkpoints(Checkpoints::Automatic).cache_kibibytes(cache);
    open(file, &options).with_context(|| format!("opening {}", file.display()))
}

/// Makes the file and fills it with the world.
///
/// # Errors
/// What SQLite says; a file that exists.
pub fn make(file: &Path) -> Result<()> {
    let mut connection = connect(file, Access::Create)?;
    connection.execute_batch(TABLES)?;
    for name in ["account", "contact"] {
        let table = standard().table_named(name).context("the schema has accounts and contacts")?.clone();
        for index in indexes(&table)? {
            connection.execute_batch(&index)?;
        }
    }
    let transaction = connection.transaction()?;
    fill(&transaction)?;
    transaction.commit()?;
    // As a database that has been in use for a while: nothing left in the log, and statistics for the planner are not
    // needed, since every statement names what it wants in an order that one index holds.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn fill(transaction: &Transaction<'_>) -> Result<()> {
    let owner = |number: u32| world::id(world::Kind::User, world::owner_of_account(number)).into_bytes();
    let mut insert = transaction.prepare(INSERT_ACCOUNT)?;
    for number in 0..world::ACCOUNTS {
        let account = world::account(number);
        insert.execute(params![
            account.id.as_bytes(),
            account.name,
            account.number,
            account.city,
            account.street,
            account.postal_code,
            account.telephone,
            account.email,
            account.website,
            account.employees,
            i64::try_from(account.revenue)?,
            MADE,
            owner(number),
            UNIT,
        ])?;
    }
    let mut insert = transaction.prepare(INSERT_CONTACT)?;
    for number in 0..world::CONTACTS {
        let contact = world::contact(number);
        insert.execute(params![
            contact.id.as_bytes(),
            contact.full_name(),
            contact.first_name,
            contact.last_name,
            contact.job_title,
            contact.email,
            contact.telephone,
            contact.mobile,
            contact.street,
            contact.city,
            contact.postal_code,
            contact.birthday,
            world::id(world::Kind::Account, contact.account).as_bytes(),
            owner(contact.account),
            UNIT,
        ])?;
    }
    Ok(())
}

/// Statements that make the indexes Custodia has on a table, where the yardstick's table has their columns.
fn indexes(table: &Table) -> Result<Vec<String>> {
    let named = |column: &str| table.column(column).map(|column| column.id);
    let tail = [Some(table.primary_id), named("ownerid"), named("owningbusinessunit")];
    let tail: Vec<ColumnId> = tail.into_iter().flatten().collect();
    let mut leads: Vec<Vec<ColumnId>> = table.list_indexes.iter().map(|index| index.columns.clone()).collect();
    for security in ["ownerid", "owningbusinessunit"] {
        leads.push([named(security), table.primary_name].into_iter().flatten().collect());
    }
    leads
        .into_iter()
        .enumerate()
        .map(|(number, mut columns)| {
            let by_owner_or_unit = tail.iter().skip(1).any(|column| columns.first() == Some(column));
            let tail = if by_owner_or_unit { tail.iter().take(1) } else { tail.iter().take(tail.len()) };
            let missing: Vec<ColumnId> = tail.filter(|column| !columns.contains(column)).copied().collect();
            columns.extend(missing);
            let names: Option<Vec<&str>> =
                columns.iter().map(|id| table.column_by_id(*id).map(|column| column.name.as_str())).collect();
            let names = names.context("an index has columns of its table")?.join(", ");
            Ok(format!("CREATE INDEX {0}_{number} ON {0} ({names})", table.name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bare::{ACCOUNTS, CONTACTS};

    #[test]
    fn the_indexes_are_those_of_the_schema() {
        let made = indexes(standard().table_named("account").unwrap()).unwrap();
        let has = |columns: &str| made.iter().any(|index| index.ends_with(&format!("({columns})")));
        assert!(has("address1_city, name, accountid, ownerid, owningbusinessunit"), "{made:#?}");
        assert!(has("ownerid, name, accountid"), "{made:#?}");
        assert!(has("owningbusinessunit, name, accountid"), "{made:#?}");
    }

    #[test]
    fn lists_are_found_by_the_index_of_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let connection = connect(&folder.path().join("empty.db"), Access::Create).unwrap();
        connection.execute_batch(TABLES).unwrap();
        for name in ["account", "contact"] {
            for index in indexes(standard().table_named(name).unwrap()).unwrap() {
                connection.execute_batch(&index).unwrap();
            }
        }
        for (sql, lead) in [(ACCOUNTS, "(address1_city=?)"), (CONTACTS, "(fullname>?)")] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan: Vec<String> =
                statement.query_map(["", ""], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            assert!(plan.iter().any(|step| step.contains(lead)), "{plan:#?}");
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
        }
    }

    #[test]
    fn the_file_holds_the_world() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("yardstick.db");
        make(&file).unwrap();
        let connection = connect(&file, Access::Read).unwrap();
        let count = |table: &str| {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, u32>(0)).unwrap()
        };
        assert_eq!((count("account"), count("contact")), (world::ACCOUNTS, world::CONTACTS));
        assert!(make(&file).is_err(), "a file that exists is left alone");
    }
}
