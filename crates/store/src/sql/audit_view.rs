//! The table `audit` as others see it: a view over the store's own entries, so that the one writer of reads works on it.
//!
//! It is made when it is first asked for, like a record table, and its indexes with it: an organisation that never reads
//! its audit over the protocol does not pay for them. Nothing is ever written to it.

use custodia_schema::{Schema, Table};

use super::Dialect;
use super::layout::{Part, laid_out};
use super::storage::{FOLD, Storage};

/// The logical name of the table, and the name of the view.
const AUDIT: &str = "audit";
/// The column of the view that holds the number of the table that an entry tells of. No question can name it.
pub(crate) const TOLD_TABLE: &str = "tableid";
/// The first bits of an entry's id: `audit` in letters, and what makes it a well-formed id; the last sixty are its number.
const ID_PREFIX: u128 = 0x6175_6469_7400_8000_8000_0000_0000_0000;
/// The bits of an id that hold the number.
const NUMBER_BITS: u32 = 60;

/// Whether a table is a view over the store's own tables: it has no rows of its own, to be copied or compared.
pub(crate) fn is_view(table: &Table) -> bool {
    table.name == AUDIT
}

/// The id of the audit entry of that number, in the set `audits`.
#[must_use]
pub fn audit_id(number: i64) -> custodia_schema::Guid {
    let number = u128::from(u64::try_from(number).unwrap_or(0)) & ((1 << NUMBER_BITS) - 1);
    custodia_schema::Guid::from_u128(ID_PREFIX | number)
}

/// The number of the audit entry of that id; `None` for an id that no entry has.
#[must_use]
pub fn audit_number(id: custodia_schema::Guid) -> Option<i64> {
    let number = id.as_u128() & ((1 << NUMBER_BITS) - 1);
    (id.as_u128() ^ number == ID_PREFIX).then(|| i64::try_from(number).ok()).flatten()
}

/// The statements that make the view and its indexes. Those stay where the view is made anew.
pub(crate) fn create(dialect: Dialect, schema: &Schema, table: &Table) -> Vec<String> {
    let mut view = "CREATE VIEW ".to_owned();
    Dialect::push_identifier(&mut view, &table.name);
    view.push_str(" AS SELECT ");
    for part in laid_out(table) {
        view.push_str(&expression(dialect, schema, &part));
        view.push_str(" AS ");
        Dialect::push_identifier(&mut view, &format!("{}{}", part.column.name, part.suffix));
        view.push_str(", ");
    }
    // On PostgreSQL the sum keeps the test of the table from drawing the planner to another index.
    view.push_str(if dialect == Dialect::Postgres { "tableid + 0 AS " } else { "tableid AS " });
    Dialect::push_identifier(&mut view, TOLD_TABLE);
    view.push_str(" FROM custodia_audit");
    let (id, created) = (id(dialect), created(dialect));
    // As in every ORDER BY of a column that may be empty.
    let nulls = if dialect == Dialect::Postgres { " NULLS FIRST" } else { "" };
    vec![
        view,
        format!("CREATE INDEX IF NOT EXISTS \"custodia_audit_id\" ON custodia_audit (({id}))"),
        format!("CREATE INDEX IF NOT EXISTS \"custodia_audit_created\" ON custodia_audit (({created}){nulls}, ({id}))"),
        format!(
            "CREATE INDEX IF NOT EXISTS \"custodia_audit_object\" ON custodia_audit (rowid_, ({created}){nulls}, ({id}))"
        ),
    ]
}

/// What takes the view away.
pub(crate) fn drop_view(table: &Table) -> String {
    let mut sql = "DROP VIEW IF EXISTS ".to_owned();
    Dialect::push_identifier(&mut sql, &table.name);
    sql
}

/// A database of an older program may have an empty table of that name.
pub(crate) fn forget_table(_: Dialect) -> Vec<String> {
    vec!["DROP TABLE IF EXISTS \"audit\"".to_owned(), "DELETE FROM custodia_table WHERE id = 4567".to_owned()]
}

fn id(dialect: Dialect) -> String {
    let prefix = format!("{:017x}", ID_PREFIX >> NUMBER_BITS);
    match dialect {
        Dialect::Sqlite => format!("unhex(printf('{prefix}%015x', number))"),
        Dialect::Postgres => format!("('{prefix}' || lpad(to_hex(number), 15, '0'))::uuid"),
    }
}

fn created(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "created",
        Dialect::Postgres => "to_timestamp(created::double precision)",
    }
}

fn expression(dialect: Dialect, schema: &Schema, part: &Part<'_>) -> String {
    match (part.column.name.as_str(), part.suffix) {
        ("auditid", _) => id(dialect),
        ("createdon", _) => created(dialect).to_owned(),
        ("objectid", _) => "rowid_".to_owned(),
        // Logical names are lower-case: they are their own fold.
        ("objecttypecode", _) => names(dialect, schema),
        ("useradditionalinfo", FOLD) => text(dialect, "lower(origin COLLATE \"C\")", "lower(origin)"),
        ("useradditionalinfo", _) => text(dialect, "origin", "origin"),
        ("versionnumber", _) => "number".to_owned(),
        (name @ ("action" | "operation" | "transactionid" | "userid" | "callinguserid"), _) => name.to_owned(),
        _ => nothing(dialect, part.storage),
    }
}

/// The logical name of the table that an entry tells of.
fn names(dialect: Dialect, schema: &Schema) -> String {
    let mut sql = "CASE tableid".to_owned();
    for table in schema.tables() {
        // Logical names are letters, digits and underscores.
        sql.push_str(&format!(" WHEN {} THEN '{}'", table.id.0, table.name.replace('\'', "''")));
    }
    sql.push_str(" END");
    text(dialect, &format!("({sql})"), &sql)
}

fn text(dialect: Dialect, postgres: &str, sqlite: &str) -> String {
    match dialect {
        Dialect::Sqlite => sqlite.to_owned(),
        Dialect::Postgres => format!("({postgres})::text COLLATE \"C\""),
    }
}

fn nothing(dialect: Dialect, storage: Storage) -> String {
    match dialect {
        Dialect::Sqlite => "NULL".to_owned(),
        Dialect::Postgres => format!("NULL::{}", dialect.column_type(storage)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_follow_from_numbers_and_back() {
        for number in [1, 2, 77, (1 << NUMBER_BITS) - 1] {
            assert_eq!(audit_number(audit_id(number)), Some(number));
        }
        assert_eq!(audit_id(255).to_string(), "61756469-7400-8000-8000-0000000000ff");
        assert_eq!(audit_number(custodia_schema::Guid::from_u128(1)), None);
        assert!(id(Dialect::Sqlite).contains("'61756469740080008%015x'"));
    }
}
