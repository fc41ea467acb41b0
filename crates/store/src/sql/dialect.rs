//! What differs between the two engines.

use super::storage::Storage;

/// The engine a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.53.
    Sqlite,
    /// PostgreSQL 15 or newer.
    Postgres,
}

impl Dialect {
    /// Appends an identifier, always quoted.
    pub(crate) fn push_identifier(sql: &mut String, name: &str) {
        sql.push('"');
        for (at, part) in name.split('"').enumerate() {
            if at > 0 {
                sql.push_str("\"\"");
            }
            sql.push_str(part);
        }
        sql.push('"');
    }

    /// Appends the placeholder of the parameter at `position`, from 1. On PostgreSQL it carries its type, because the
    /// server cannot infer one everywhere.
    pub(crate) fn push_placeholder(self, sql: &mut String, position: usize, storage: Storage) {
        match self {
            Self::Sqlite => {
                sql.push('?');
                push_number(sql, position as u64);
            }
            Self::Postgres => {
                sql.push('$');
                push_number(sql, position as u64);
                sql.push_str("::");
                sql.push_str(storage.postgres());
            }
        }
    }

    /// The type of a column in a table definition.
    pub(crate) fn column_type(self, storage: Storage) -> &'static str {
        match (self, storage) {
            (Self::Sqlite, _) => storage.sqlite(),
            (Self::Postgres, Storage::Text) => "text COLLATE \"C\"",
            (Self::Postgres, _) => storage.postgres(),
        }
    }

    /// What ends a probing subquery: on PostgreSQL this keeps the planner from hashing the whole of it (decision 0005.2).
    pub(crate) fn probe_end(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " OFFSET 0",
        }
    }

    /// Joins two tables, the left one outermost on SQLite; PostgreSQL knows the sizes and chooses itself.
    pub(crate) fn ordered_join(self) -> &'static str {
        match self {
            Self::Sqlite => " CROSS JOIN ",
            Self::Postgres => " INNER JOIN ",
        }
    }
}

/// Appends a number in decimal.
pub(crate) fn push_number(sql: &mut String, number: u64) {
    let mut digits = [0_u8; 20];
    let mut rest = number;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    for digit in digits.iter().skip(digits.len() - length) {
        sql.push(char::from(*digit));
    }
}
