//! Whole tables, column by column as they physically are: for copying a database to another engine, for comparing two
//! copies, and for bringing tables of an older schema forward.

use custodia_schema::{Schema, Table, TableId, Value};

use super::audit_view;
use super::internal;
use super::layout;
use super::storage::{FOLD, Storage, TARGET, physical};
use super::{Dialect, Output, Parameter, Statement, create_table};
use crate::row::Row;

/// What a physical column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The value of the column of this number.
    Value(u16),
    /// The table that the polymorphic lookup of this number points at.
    Target(u16),
    /// The fold of the text of this number: derived, so no content of its own.
    Fold(u16),
}

/// One physical column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhysicalColumn {
    pub name: String,
    pub storage: Storage,
    pub part: Part,
}

impl PhysicalColumn {
    fn of(part: &layout::Part<'_>) -> Self {
        let number = part.column.id.0;
        let meaning = match part.suffix {
            FOLD => Part::Fold(number),
            TARGET => Part::Target(number),
            _ => Part::Value(number),
        };
        Self { name: physical(&part.column.name, part.suffix).into_owned(), storage: part.storage, part: meaning }
    }
}

/// A physical table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub name: String,
    pub columns: Vec<PhysicalColumn>,
}

impl Layout {
    /// Of a record table, in the order of the columns' numbers: hashes do not depend on how it was made.
    pub(crate) fn of(table: &Table) -> Self {
        Self { name: table.name.clone(), columns: layout::parts(table).map(|part| PhysicalColumn::of(&part)).collect() }
    }

    /// The same in the order in which the table is made.
    #[cfg(any(test, feature = "witness"))]
    pub(crate) fn made(table: &Table) -> Self {
        let columns = layout::laid_out(table).iter().map(PhysicalColumn::of).collect();
        Self { name: table.name.clone(), columns }
    }

    /// Of the store's own tables, those that a copy of an organisation consists of beside its records.
    pub(crate) fn internal() -> Vec<Self> {
        internal::TABLES
            .iter()
            .map(|(name, columns)| Self {
                name: (*name).to_owned(),
                columns: (0..)
                    .zip(*columns)
                    .map(|(number, (name, storage))| PhysicalColumn {
                        name: (*name).to_owned(),
                        storage: *storage,
                        part: Part::Value(number),
                    })
                    .collect(),
            })
            .collect()
    }

    /// What a comparison needs: without what is derived, and without columns that are not `present` yet in a database
    /// of an older program.
    pub(crate) fn compared(mut self, present: &[String]) -> Self {
        self.columns.retain(|column| !matches!(column.part, Part::Fold(_)) && present.contains(&column.name));
        self
    }

    /// All rows, in no order.
    pub(crate) fn select(&self) -> Statement {
        let mut sql = "SELECT ".to_owned();
        self.push_columns(&mut sql);
        sql.push_str(" FROM ");
        Dialect::push_identifier(&mut sql, &self.name);
        Statement {
            sql,
            outputs: self.columns.iter().map(|column| column.storage.output()).collect(),
            ..Statement::default()
        }
    }

    /// Makes one row of all columns, given as [`Self::parameters`].
    pub(crate) fn insert(&self, dialect: Dialect, parameters: Vec<Parameter>) -> Statement {
        let mut sql = "INSERT INTO ".to_owned();
        Dialect::push_identifier(&mut sql, &self.name);
        sql.push_str(" (");
        self.push_columns(&mut sql);
        sql.push_str(") VALUES (");
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                sql.push_str(", ");
            }
            dialect.push_placeholder(&mut sql, at + 1, column.storage);
        }
        sql.push(')');
        Statement { sql, parameters, ..Statement::default() }
    }

    /// PostgreSQL's bulk insert of rows of all columns.
    pub(crate) fn copy_in(&self) -> String {
        let mut sql = "COPY ".to_owned();
        Dialect::push_identifier(&mut sql, &self.name);
        sql.push_str(" (");
        self.push_columns(&mut sql);
        sql.push_str(") FROM STDIN (FORMAT binary)");
        sql
    }

    /// Has PostgreSQL look how the values of the table are spread, which its plans go by.
    pub(crate) fn analyze(&self) -> String {
        let mut sql = "ANALYZE ".to_owned();
        Dialect::push_identifier(&mut sql, &self.name);
        sql
    }

    /// A row of [`Self::select`], to be bound again.
    pub(crate) fn parameters(&self, row: &Row<'_>) -> Vec<Parameter> {
        self.columns
            .iter()
            .enumerate()
            .map(|(at, column)| match column.storage {
                Storage::Bytes => match row.bytes(at) {
                    Some(bytes) => Parameter::Bytes(bytes.to_vec()),
                    None => Parameter::Value(Value::Null),
                },
                _ => Parameter::Value(crate::row::owned(row.get(at))),
            })
            .collect()
    }

    fn push_columns(&self, sql: &mut String) {
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                sql.push_str(", ");
            }
            Dialect::push_identifier(sql, &column.name);
        }
    }
}

/// Names of the columns that a table has physically, in its order.
pub(crate) fn select_columns(dialect: Dialect, table: &str) -> Statement {
    let sql = match dialect {
        Dialect::Sqlite => "SELECT name FROM pragma_table_info($1)",
        Dialect::Postgres => {
            "SELECT column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1::text ORDER BY ordinal_position"
        }
    };
    Statement {
        sql: sql.to_owned(),
        parameters: vec![Parameter::Value(Value::Text(table.to_owned()))],
        outputs: vec![Output::Text],
        ..Statement::default()
    }
}

/// What a table of an older schema, which has these columns physically, lacks.
///
/// Columns come without NOT NULL, since rows are there already. A column that the schema no longer has stays: every
/// statement names its columns. An index is told from another by its name, which says its columns.
pub(crate) fn grow_table(dialect: Dialect, schema: &Schema, table: &Table, present: &[String]) -> Vec<String> {
    if audit_view::is_view(table) {
        return std::iter::once(audit_view::drop_view(table)).chain(create_table(dialect, schema, table)).collect();
    }
    let mut statements = Vec::new();
    for column in Layout::of(table).columns.iter().filter(|column| !present.contains(&column.name)) {
        let mut sql = "ALTER TABLE ".to_owned();
        Dialect::push_identifier(&mut sql, &table.name);
        sql.push_str(" ADD COLUMN ");
        Dialect::push_identifier(&mut sql, &column.name);
        sql.push(' ');
        sql.push_str(dialect.column_type(column.storage));
        statements.push(sql);
    }
    for index in create_table(dialect, schema, table).into_iter().skip(1) {
        statements.push(index.replacen(" INDEX ", " INDEX IF NOT EXISTS ", 1));
    }
    statements
}

/// Which definition a table was made with, as a number that is kept beside it.
pub(crate) fn definition(statements: &[String]) -> i64 {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for statement in statements {
        context.update(statement.as_bytes());
        context.update(b";");
    }
    let digest = context.finish();
    digest.as_ref().first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// The definition that a table would be made with now.
pub(crate) fn present_definition(dialect: Dialect, schema: &Schema, id: TableId) -> Option<i64> {
    schema.table(id).map(|table| definition(&create_table(dialect, schema, table)))
}

/// A moment that all statements of a transaction see, without a lock.
pub(crate) fn begin_snapshot(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "BEGIN",
        Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    }
}

/// Ends the log beside a file that nobody else has open, so that the file alone is the database.
pub(crate) const SINGLE_FILE: &str = "PRAGMA journal_mode = DELETE";

/// No time limit for the statements of the present transaction.
pub(crate) const POSTGRES_UNLIMITED: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// A PostgreSQL setting's value.
pub(crate) fn show(setting: &str) -> String {
    format!("SHOW {setting}")
}
