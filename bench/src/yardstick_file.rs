//! The yardstick's database file: plain tables of the columns that the work touches, filled with the world.
//!
//! Its indexes are those that Custodia gives the same tables: the list indexes of the schema, each ending in id, owner
//! and unit, and those by owner and by unit. So both sides find rows alike, and both pay for the same indexes when they
//! insert.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use custodia_schema::{ColumnId, Table, standard};
use custodia_sqlite::rusqlite::{Connection, Transaction, params};
use custodia_sqlite::{Access, Checkpoints, Encryption, Options, open};
use serde::Deserialize;
use uuid::Uuid;

use crate::statements::INSERT_CONTACT;
use crate::world;

/// The page cache of a connection in KiB: what Custodia's connections have of `limits.caches_mebibytes`, when one organisation is
/// read by one connection for each of two processors.
const CACHE_KIBIBYTES: u32 = 20 * 1024;
/// When the rows of the world were made, as the yardstick keeps moments.
const MADE: &str = "2024-05-01T09:00:00Z";
/// The one unit of the yardstick's world.
const UNIT: [u8; 16] = [7; 16];

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
    ) STRICT;
    CREATE TABLE opportunity (
        opportunityid BLOB NOT NULL PRIMARY KEY, name TEXT, customerid BLOB, estimatedvalue INTEGER, salesstage INTEGER,
        statecode INTEGER, statuscode INTEGER, estimatedclosedate TEXT, createdon TEXT, createdby BLOB, modifiedon TEXT,
        modifiedby BLOB, versionnumber INTEGER, ownerid BLOB NOT NULL, owningbusinessunit BLOB NOT NULL
    ) STRICT;";
const TABLE_NAMES: [&str; 3] = ["account", "contact", "opportunity"];

const INSERT_ACCOUNT: &str = "
    INSERT INTO account (accountid, name, accountnumber, address1_city, address1_line1, address1_postalcode, telephone1,
        emailaddress1, websiteurl, numberofemployees, revenue, opendeals, statecode, statuscode, createdon, createdby,
        modifiedon, modifiedby, versionnumber, ownerid, owningbusinessunit)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, 0, 1, ?12, ?13, ?12, ?13, 1, ?13, ?14)";

const INSERT_OPPORTUNITY: &str = "
    INSERT INTO opportunity (opportunityid, name, customerid, estimatedvalue, salesstage, statecode, statuscode, createdon,
        createdby, modifiedon, modifiedby, versionnumber, ownerid, owningbusinessunit)
    VALUES (?1, ?2, ?3, ?4, ?5, 0, 1, ?6, ?7, ?6, ?7, 1, ?7, ?8)";

/// A contact as it is posted.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "named as the columns are")]
pub struct NewContact<'body> {
    pub firstname: &'body str,
    pub lastname: &'body str,
    pub jobtitle: &'body str,
    pub emailaddress1: &'body str,
    pub telephone1: &'body str,
    pub mobilephone: &'body str,
    pub address1_line1: &'body str,
    pub address1_city: &'body str,
    pub address1_postalcode: &'body str,
    pub birthdate: &'body str,
    pub parentcustomerid: Uuid,
}

/// Inserts a contact by one statement, which is a transaction where none is open.
///
/// # Errors
/// What SQLite says.
pub fn insert_contact(connection: &Connection, id: &Uuid, owner: &Uuid, new: &NewContact<'_>) -> Result<()> {
    let full_name = format!("{} {}", new.firstname, new.lastname);
    let account = new.parentcustomerid.as_bytes();
    #[rustfmt::skip]
    let values = params![
        id.as_bytes(), full_name, new.firstname, new.lastname, new.jobtitle, new.emailaddress1, new.telephone1,
        new.mobilephone, new.address1_line1, new.address1_city, new.address1_postalcode, new.birthdate, account,
        owner.as_bytes(), UNIT,
    ];
    connection.prepare_cached(INSERT_CONTACT)?.execute(values)?;
    Ok(())
}

/// Opens the file of a yardstick with the settings that Custodia's own files have, but in the clear, and with SQLite's own
/// checkpoints.
///
/// # Errors
/// What SQLite says.
pub fn connect(file: &Path, access: Access) -> Result<Connection> {
    let options =
        Options::new(Encryption::Plain, access).checkpoints(Checkpoints::Automatic).cache_kibibytes(CACHE_KIBIBYTES);
    open(file, &options).with_context(|| format!("opening {}", file.display()))
}

/// Makes the file and fills it with the world.
///
/// # Errors
/// What SQLite says; a file that exists.
pub fn make(file: &Path) -> Result<()> {
    let mut connection = connect(file, Access::Create)?;
    connection.execute_batch(TABLES)?;
    for name in TABLE_NAMES {
        let table = standard().table_named(name).context("the schema has the tables of the world")?.clone();
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
    for number in 0..world::CONTACTS {
        let contact = world::contact(number);
        let new = NewContact {
            firstname: &contact.first_name,
            lastname: &contact.last_name,
            jobtitle: &contact.job_title,
            emailaddress1: &contact.email,
            telephone1: &contact.telephone,
            mobilephone: &contact.mobile,
            address1_line1: &contact.street,
            address1_city: &contact.city,
            address1_postalcode: &contact.postal_code,
            birthdate: &contact.birthday,
            parentcustomerid: world::id(world::Kind::Account, contact.account),
        };
        let owner = world::id(world::Kind::User, world::owner_of_account(contact.account));
        insert_contact(transaction, &contact.id, &owner, &new)?;
    }
    // What is shared with the caller is the caller's here: the sums are over the same rows then.
    let shared: BTreeSet<u32> = world::shared_opportunities().into_iter().collect();
    let mut insert = transaction.prepare(INSERT_OPPORTUNITY)?;
    for number in 0..world::OPPORTUNITIES {
        let opportunity = world::opportunity(number);
        let owner = if shared.contains(&number) {
            world::id(world::Kind::User, 0).into_bytes()
        } else {
            owner(opportunity.account)
        };
        insert.execute(params![
            opportunity.id.as_bytes(),
            opportunity.name,
            world::id(world::Kind::Account, opportunity.account).as_bytes(),
            i64::try_from(opportunity.value)?,
            opportunity.stage,
            MADE,
            owner,
            UNIT,
        ])?;
    }
    Ok(())
}

/// Statements that make the indexes Custodia has on a table, where the yardstick's table has their columns: but for those that
/// begin with the owner and are no list's, which Custodia made for sums and a bare program would not have.
fn indexes(table: &Table) -> Result<Vec<String>> {
    let named = |column: &str| table.column(column).map(|column| column.id);
    let tail = [Some(table.primary_id), named("ownerid"), named("owningbusinessunit")];
    let tail: Vec<ColumnId> = tail.into_iter().flatten().collect();
    let listed = table.list_indexes.iter().filter(|index| index.columns.first().copied() != named("ownerid"));
    let mut leads: Vec<Vec<ColumnId>> = listed.map(|index| index.columns.clone()).collect();
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
    use crate::statements::{ACCOUNTS, CONTACTS};

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
        for name in TABLE_NAMES {
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
        assert_eq!(count("opportunity"), world::OPPORTUNITIES);
        assert!(make(&file).is_err(), "a file that exists is left alone");
    }
}
