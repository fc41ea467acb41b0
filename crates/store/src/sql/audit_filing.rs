//! Under which records the entries of the audit are filed, so that those of one record are found.
//!
//! PostgreSQL has an index. In a file an index would cost a page of its own with each audited write, since records are
//! written in no order, and pages are what a commit pays for: encrypted, sealed, written, copied back. So there entries are
//! filed many at a time, in the order of their records, and those that came since are looked through by their numbers.

use custodia_schema::{Guid, TableId};

use super::internal::{guid, number, read, statement};
use super::{Dialect, Output, Parameter, Statement};

/// Entries that come before they are filed: so many are looked through at most to find those of a record, and so many share
/// the pages that filing writes.
pub(crate) const FILED_TOGETHER: i64 = 8_192;
/// Entries filed by one statement where many wait, as in a copy that was just made.
pub(crate) const CATCH_UP: i64 = 16 * FILED_TOGETHER;

/// What they are kept in. It follows from the audit: copies made row by row leave it out, copied files are filed anew.
#[cfg(test)]
pub(crate) const DERIVED: [&str; 2] = ["custodia_audit_filed", "custodia_audit_filing"];

/// What makes it, in files, and takes away the index that was there before.
pub(crate) fn create(dialect: Dialect) -> Vec<String> {
    match dialect {
        Dialect::Sqlite => vec![
            "DROP INDEX custodia_audit_row".to_owned(),
            "CREATE TABLE custodia_audit_filed (tableid bigint NOT NULL, rowid_ BLOB NOT NULL, number bigint NOT NULL, \
             PRIMARY KEY (tableid, rowid_, number)) WITHOUT ROWID"
                .to_owned(),
            "CREATE TABLE custodia_audit_filing (through bigint NOT NULL)".to_owned(),
            "INSERT INTO custodia_audit_filing (through) VALUES (0)".to_owned(),
        ],
        Dialect::Postgres => Vec::new(),
    }
}

/// Whether entries are to be filed when a commit moves the last number.
pub(crate) fn is_due(dialect: Dialect, before: i64, after: i64) -> bool {
    dialect == Dialect::Sqlite && before.div_euclid(FILED_TOGETHER) != after.div_euclid(FILED_TOGETHER)
}

/// Files the entries that were not, up to a number.
pub(crate) fn file_entries(through: i64) -> [Statement; 2] {
    [
        // An entry that is filed already is so under the same record.
        statement(
            "INSERT OR IGNORE INTO custodia_audit_filed (tableid, rowid_, number) SELECT tableid, rowid_, number \
             FROM custodia_audit WHERE number > (SELECT through FROM custodia_audit_filing) AND number <= $1 \
             ORDER BY tableid, rowid_, number",
            vec![number(through)],
        ),
        statement("UPDATE custodia_audit_filing SET through = $1", vec![number(through)]),
    ]
}

/// Forgets what is filed, so that all of it is filed anew.
pub(crate) fn forget_all() -> [Statement; 2] {
    [
        statement("DELETE FROM custodia_audit_filed", Vec::new()),
        statement("UPDATE custodia_audit_filing SET through = 0", Vec::new()),
    ]
}

/// The number up to which entries are filed in a file, that of the last entry, and that of the first one that is not filed:
/// behind a restore there may be no entries for long.
pub(crate) fn select_filed() -> Statement {
    read(
        "SELECT through, audit_number, \
         COALESCE((SELECT MIN(number) FROM custodia_audit WHERE number > through), audit_number) \
         FROM custodia_audit_filing, custodia_head",
        Vec::new(),
        &[Output::Integer, Output::Integer, Output::Integer],
    )
}

/// Takes out the entries up to a number that is about to be removed.
pub(crate) fn forget_entries(dialect: Dialect, up_to: i64) -> Option<Statement> {
    (dialect == Dialect::Sqlite).then(|| {
        statement(
            "DELETE FROM custodia_audit_filed WHERE (tableid, rowid_, number) IN \
             (SELECT tableid, rowid_, number FROM custodia_audit WHERE number <= $1)",
            vec![number(up_to)],
        )
    })
}

/// The condition that an entry tells of a table, or of one record of it; its parameters come last.
pub(crate) fn tells_of(dialect: Dialect, table: TableId, row: Option<Guid>, parameters: &mut Vec<Parameter>) -> String {
    let mut place = |parameter: Parameter| {
        parameters.push(parameter);
        parameters.len()
    };
    let table = place(number(i64::from(table.0)));
    let row = row.map(|row| format!(" AND rowid_ = ${}", place(guid(row)))).unwrap_or_default();
    let told = format!("tableid = ${table}{row}");
    match dialect {
        Dialect::Postgres => told,
        Dialect::Sqlite => format!(
            "number IN (SELECT number FROM custodia_audit_filed WHERE {told} UNION ALL SELECT number FROM custodia_audit \
             WHERE number > (SELECT through FROM custodia_audit_filing) AND {told})"
        ),
    }
}
