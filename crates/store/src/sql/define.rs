//! What tables look like.
//!
//! Nothing in the engine acts by itself: no cascades, no triggers, no defaults that depend on time (decision 0001.2). A
//! record table of SQLite has a rowid and a unique GUID key beside it; narrow link tables have none (decision 0001.16).

use custodia_schema::{Column, ColumnId, Schema, Table};

use super::Dialect;
use super::audit_view;
use super::index::{Index, indexes, own_indexes};
use super::layout::laid_out;
use super::storage::{FOLD, Storage, comparison_suffix, is_always_set, physical, shorten};

/// The statements that make a table and the indexes that it has in every organisation, in order.
#[must_use]
pub fn create_table(dialect: Dialect, schema: &Schema, table: &Table) -> Vec<String> {
    if audit_view::is_view(table) {
        return audit_view::create(dialect, schema, table);
    }
    let mut statements = vec![define(dialect, table)];
    statements.extend(indexes(schema, table).iter().map(|index| define_index(dialect, table, index)));
    statements
}

/// The statements that make the indexes which the organisation gave a table, each with the name of its index.
pub(crate) fn create_own_indexes(dialect: Dialect, table: &Table) -> impl Iterator<Item = (String, String)> {
    own_indexes(table).map(move |index| {
        let name = own_index_name(table, &index);
        let sql = define_index_named(dialect, table, &index, &name);
        (name, sql)
    })
}

/// The statement that makes one index of an organisation's own, over these leading columns.
pub(crate) fn create_own_index(dialect: Dialect, table: &Table, lead: &[ColumnId]) -> String {
    let index = Index::own(table, lead);
    define_index_named(dialect, table, &index, &own_index_name(table, &index))
}

/// All columns of such an index.
pub(crate) fn own_index_columns(table: &Table, lead: &[ColumnId]) -> Vec<ColumnId> {
    Index::own(table, lead).columns
}

/// The statement that removes it.
pub(crate) fn drop_own_index(table: &Table, lead: &[ColumnId]) -> String {
    let mut sql = "DROP INDEX IF EXISTS ".to_owned();
    Dialect::push_identifier(&mut sql, &own_index_name(table, &Index::own(table, lead)));
    sql
}

/// All indexes of a table, its primary key first, each with the name that it has in the database and whether it is the
/// organisation's own.
pub(crate) fn named_indexes(dialect: Dialect, schema: &Schema, table: &Table) -> Vec<(String, Index, bool)> {
    let primary = match dialect {
        Dialect::Sqlite => format!("sqlite_autoindex_{}_1", table.name),
        Dialect::Postgres => primary_name(table),
    };
    let key = Index { columns: vec![table.primary_id], unique: true, only_set: false };
    let standard = indexes(schema, table).into_iter().map(|index| (index_name(table, &index), index, false));
    let own = own_indexes(table).map(|index| (own_index_name(table, &index), index, true));
    std::iter::once((primary, key, false)).chain(standard).chain(own).collect()
}

/// Whether a unique violation, as the engine names it, is one of the table's primary id.
#[must_use]
pub fn is_primary_constraint(table: &Table, constraint: &str) -> bool {
    let column = table.column_by_id(table.primary_id).is_some_and(|column| {
        constraint.strip_prefix(table.name.as_str()).and_then(|rest| rest.strip_prefix('.'))
            == Some(column.name.as_str())
    });
    column || constraint == primary_name(table)
}

/// The key that a unique violation, as the engine names it, is one of, in words that its users know: `systemuser.domainname`.
/// `SQLite` names the columns as they are stored, PostgreSQL the index.
#[must_use]
pub fn key_of_constraint(schema: &Schema, table: &Table, constraint: &str) -> Option<String> {
    let stored: Vec<_> = constraint
        .split(", ")
        .filter_map(|column| column.strip_prefix(table.name.as_str())?.strip_prefix('.'))
        .map(|column| column.strip_suffix(FOLD).unwrap_or(column))
        .collect();
    let names =
        |index: &Index| columns(table, &index.columns).map(|column| column.name.clone()).collect::<Vec<String>>();
    let key = indexes(schema, table)
        .into_iter()
        .filter(|index| index.unique)
        .find(|index| index_name(table, index) == constraint || names(index) == stored)?;
    Some(names(&key).iter().map(|name| format!("{}.{name}", table.name)).collect::<Vec<_>>().join(", "))
}

fn define(dialect: Dialect, table: &Table) -> String {
    let mut sql = String::with_capacity(64 * table.columns().len());
    sql.push_str("CREATE TABLE ");
    Dialect::push_identifier(&mut sql, &table.name);
    sql.push_str(" (");
    for (at, part) in laid_out(table).into_iter().enumerate() {
        if at > 0 {
            sql.push_str(", ");
        }
        push_column(&mut sql, dialect, part.column, part.suffix, part.storage);
        if part.suffix.is_empty() && is_always_set(table, part.column) {
            sql.push_str(" NOT NULL");
        }
    }
    if let Some(key) = table.column_by_id(table.primary_id) {
        sql.push_str(", CONSTRAINT ");
        Dialect::push_identifier(&mut sql, &primary_name(table));
        sql.push_str(" PRIMARY KEY (");
        Dialect::push_identifier(&mut sql, &physical(&key.name, ""));
        sql.push(')');
    }
    sql.push(')');
    if dialect == Dialect::Sqlite {
        // Strict: a value of another type is an error there too, instead of a row that matches nothing.
        sql.push_str(if has_row_numbers(table) { " STRICT" } else { " STRICT, WITHOUT ROWID" });
    }
    sql
}

/// What SQLite calls the number by which it keeps a row.
pub(crate) const ROW_NUMBER: &str = "_rowid_";

/// Whether SQLite keeps the rows of a table by numbers of its own, and not by their ids.
pub(crate) fn has_row_numbers(table: &Table) -> bool {
    !table.is_intersect
}

fn push_column(sql: &mut String, dialect: Dialect, column: &Column, suffix: &str, storage: Storage) {
    Dialect::push_identifier(sql, &physical(&column.name, suffix));
    sql.push(' ');
    sql.push_str(dialect.column_type(storage));
}

fn define_index(dialect: Dialect, table: &Table, index: &Index) -> String {
    define_index_named(dialect, table, index, &index_name(table, index))
}

fn define_index_named(dialect: Dialect, table: &Table, index: &Index, name: &str) -> String {
    let mut sql = String::with_capacity(256);
    sql.push_str(if index.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
    Dialect::push_identifier(&mut sql, name);
    sql.push_str(" ON ");
    Dialect::push_identifier(&mut sql, &table.name);
    sql.push_str(" (");
    for (at, column) in columns(table, &index.columns).enumerate() {
        if at > 0 {
            sql.push_str(", ");
        }
        Dialect::push_identifier(&mut sql, &physical(&column.name, comparison_suffix(column)));
        if dialect == Dialect::Postgres && !is_always_set(table, column) {
            // As in every ORDER BY; read backwards it gives the descending order.
            sql.push_str(" NULLS FIRST");
        }
    }
    sql.push(')');
    if let Some(first) = columns(table, &index.columns).next().filter(|_| index.only_set) {
        sql.push_str(" WHERE ");
        Dialect::push_identifier(&mut sql, &physical(&first.name, comparison_suffix(first)));
        sql.push_str(" IS NOT NULL");
    }
    sql
}

fn columns<'t>(table: &'t Table, ids: &'t [ColumnId]) -> impl Iterator<Item = &'t Column> {
    ids.iter().filter_map(|id| table.column_by_id(*id))
}

fn primary_name(table: &Table) -> String {
    let mut name = format!("pk_{}", table.name);
    shorten(&mut name, "");
    name
}

fn index_name(table: &Table, index: &Index) -> String {
    name_of(if index.unique { "uq_" } else { "ix_" }, table, index)
}

/// Another prefix than that of the standard indexes: one of a later program may have the same columns.
fn own_index_name(table: &Table, index: &Index) -> String {
    name_of("own_", table, index)
}

fn name_of(prefix: &str, table: &Table, index: &Index) -> String {
    let mut name = String::from(prefix);
    name.push_str(&table.name);
    for column in columns(table, &index.columns) {
        name.push_str("__");
        name.push_str(&column.name);
    }
    shorten(&mut name, "");
    name
}
