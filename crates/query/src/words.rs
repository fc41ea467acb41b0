//! What it takes to write a query in one of the languages, and what cannot be written.

use std::fmt::Write as _;

use custodia_schema::{Column, ColumnKind, Schema, Table, TableId, Value};

use crate::instant::{civil, day};
use crate::operator::{Asker, Operator, Subject, test};
use crate::{Comparison, Filter, Path};

/// What a query is written with: names, and the caller whose time zone and calendar its operators mean.
#[derive(Clone, Copy, Debug)]
pub struct Words<'w> {
    /// Where names are looked up.
    pub schema: &'w Schema,
    /// Who reads it.
    pub asker: &'w Asker,
    /// Operators to write where a part of a filter says what they do, rather than the comparisons that they come to: a tree
    /// no longer tells `today` from the day that it was.
    pub phrases: &'w [Phrase],
}

/// An operator with its values, on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Phrase {
    /// The table of the column.
    pub table: TableId,
    /// The way to it.
    pub path: Path,
    /// The operator.
    pub operator: Operator,
    /// Its values, as both languages write them.
    pub values: Vec<String>,
}

/// A language has no words for a part of a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{language} has no words for {what}")]
pub struct Unsayable {
    /// The language.
    pub language: &'static str,
    /// The part.
    pub what: String,
}

impl Phrase {
    /// What it says for a caller; `None` when the operator does not go with the column or the values.
    #[must_use]
    pub fn filter(&self, schema: &Schema, asker: &Asker) -> Option<Filter> {
        let table = schema.table(self.table)?;
        let column = table.column_by_id(self.path.column)?;
        test(asker, Subject { schema, table, column }, &self.path, self.operator, &self.values).ok()
    }
}

impl<'w> Words<'w> {
    /// The phrase that says the same as a filter. `table_of` gives the table that a path leads to.
    pub(crate) fn phrase(&self, filter: &Filter, table_of: impl Fn(&Path) -> Option<TableId>) -> Option<&'w Phrase> {
        self.phrases.iter().find(|phrase| {
            table_of(&phrase.path) == Some(phrase.table)
                && phrase.filter(self.schema, self.asker).is_some_and(|said| said == *filter)
        })
    }

    /// Whether an operator on a column says exactly this.
    pub(crate) fn says(
        &self,
        table: &Table,
        path: &Path,
        operator: Operator,
        values: &[String],
        filter: &Filter,
    ) -> bool {
        table.column_by_id(path.column).is_some_and(|column| {
            let subject = Subject { schema: self.schema, table, column };
            test(self.asker, subject, path, operator, values).is_ok_and(|said| said == *filter)
        })
    }

    /// Whether a value is one of the column's type, that its text is read as.
    pub(crate) fn is_value_of(&self, table: &Table, column: &Column, value: &Value) -> bool {
        if let (ColumnKind::Choices { .. }, Value::Choices(options)) = (&column.kind, value) {
            return !options.is_empty() && options.is_sorted_by(|one, next| one < next);
        }
        let path = Path::own(column.id);
        let Some(text) = literal(value) else { return false };
        let equal = Filter::Compare { path: path.clone(), operator: Comparison::Equal, value: value.clone() };
        self.says(table, &path, Operator::Compare(Comparison::Equal), &[text], &equal)
    }
}

/// A value as both languages write it, without quotes. `None` for what is no literal: null, and a link with its table.
pub(crate) fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null | Value::Lookup(..) => return None,
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::Double(value) => format!("{value:?}"),
        Value::Money(value) => value.to_decimal().normalize().to_string(),
        Value::Text(value) => value.clone(),
        Value::Guid(id) => id.to_string(),
        Value::DateTime(seconds) => format!("{}Z", civil(*seconds)?),
        Value::Date(days) => day(*days)?.to_string(),
        Value::Choices(options) => {
            let mut text = String::new();
            for (position, option) in options.iter().enumerate() {
                // Writing into a string cannot fail.
                let _ = write!(text, "{}{option}", if position > 0 { "," } else { "" });
            }
            text
        }
    })
}
