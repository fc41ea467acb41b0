//! What an engine says of the indexes that physically exist.

use custodia_schema::Value;

use super::{Dialect, Output, Parameter, Statement};

/// The names of all indexes.
pub(crate) fn select_index_names(dialect: Dialect) -> Statement {
    let sql = match dialect {
        Dialect::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'index'",
        Dialect::Postgres => "SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema()",
    };
    Statement { sql: sql.to_owned(), outputs: vec![Output::Text], ..Statement::default() }
}

/// Bytes of the pages of one index; null where there is none of that name.
pub(crate) fn select_index_bytes(dialect: Dialect, name: &str) -> Statement {
    let sql = match dialect {
        Dialect::Sqlite => "SELECT sum(pgsize) FROM dbstat WHERE name = $1 AND aggregate = TRUE",
        Dialect::Postgres => "SELECT pg_relation_size(to_regclass(quote_ident($1::text)))",
    };
    Statement {
        sql: sql.to_owned(),
        parameters: vec![Parameter::Value(Value::Text(name.to_owned()))],
        outputs: vec![Output::Integer],
        ..Statement::default()
    }
}
