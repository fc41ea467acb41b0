//! Filters written as text that reads back as the same filter.

use std::fmt::Write as _;

use custodia_schema::{Schema, Table, Value};
use jiff::{SignedDuration, Timestamp};

use super::filter::NAMESPACE;
use super::moment::DAY_SECONDS;
use super::names::{property_name, step_name};
use crate::like::pattern_text;
use crate::{Comparison, Direction, Exists, Filter, LikePattern, LikeToken, Path};

/// Writes a filter on rows of `table` as the value of a `$filter`.
///
/// What the parser makes of a `$filter` reads back equal. Other filters read back with the same meaning, except that
/// links are written as their GUID, that a pattern bound to both ends of a text becomes the function
/// `Microsoft.Dynamics.CRM.Like`, and that what OData has no words for becomes `?`: a name that the schema does not have,
/// links that are no navigation. The periods of a fiscal year are those of whoever reads it.
#[must_use]
pub fn print(schema: &Schema, table: &Table, filter: &Filter) -> String {
    let mut printer = Printer { schema, table, row: 0, depth: 0, text: String::new() };
    printer.filter(filter, Surroundings::Open);
    printer.text
}

/// What stands around a filter, and so whether it needs parentheses.
#[derive(Clone, Copy, PartialEq)]
enum Surroundings {
    /// Nothing, or parentheses already.
    Open,
    /// A list of `and` or `or`.
    List,
}

struct Printer<'s> {
    schema: &'s Schema,
    /// The table of the rows that paths start at.
    table: &'s Table,
    /// The number of those rows.
    row: usize,
    /// How many collections are around.
    depth: usize,
    text: String,
}

impl<'s> Printer<'s> {
    fn filter(&mut self, filter: &Filter, surroundings: Surroundings) {
        match filter {
            Filter::True => self.text.push_str("true"),
            Filter::False => self.text.push_str("false"),
            Filter::And(parts) => self.list(parts, " and ", "true", surroundings),
            Filter::Or(parts) => self.list(parts, " or ", "false", surroundings),
            Filter::Not(inner) => match &**inner {
                Filter::IsNull(path) => {
                    self.path(path);
                    self.text.push_str(" ne null");
                }
                other => {
                    self.text.push_str("not (");
                    self.filter(other, Surroundings::Open);
                    self.text.push(')');
                }
            },
            Filter::Compare { path, operator, value } => {
                self.path(path);
                self.operator(*operator);
                self.value(value);
            }
            Filter::CompareColumns { left, operator, right } => {
                self.path(left);
                self.operator(*operator);
                self.path(right);
            }
            Filter::IsNull(path) => {
                self.path(path);
                self.text.push_str(" eq null");
            }
            Filter::In { path, values } => {
                self.path(path);
                self.text.push_str(" in (");
                for (position, value) in values.iter().enumerate() {
                    if position > 0 {
                        self.text.push(',');
                    }
                    self.value(value);
                }
                self.text.push(')');
            }
            Filter::Like { path, pattern } => self.like(path, pattern),
            Filter::ContainsAny { path, options } => {
                let options: Vec<String> = options.iter().map(|option| format!("'{option}'")).collect();
                self.function("ContainValues", path);
                self.text.push_str(",PropertyValues=[");
                self.text.push_str(&options.join(","));
                self.text.push_str("])");
            }
            Filter::InPeriod { path, period, .. } => {
                self.function("InFiscalPeriod", path);
                // Writing into a string cannot fail.
                let _ = write!(self.text, ",PropertyValue={period})");
            }
            Filter::Hierarchy { path, of, direction, inclusive, .. } => {
                let name = match (direction, inclusive) {
                    (Direction::Above, false) => "Above",
                    (Direction::Above, true) => "AboveOrEqual",
                    (Direction::Under, false) => "Under",
                    (Direction::Under, true) => "UnderOrEqual",
                };
                self.function(name, path);
                let _ = write!(self.text, ",PropertyValue={of})");
            }
            Filter::Exists(exists) => self.exists(exists),
        }
    }

    /// A test of a collection, if its links are those of a navigation.
    fn exists(&mut self, exists: &Exists) {
        let near = self.table_of(&exists.near);
        let collection = match exists.links.as_slice() {
            _ if exists.near.row != self.row || exists.near.column != near.primary_id => None,
            [] => self
                .schema
                .children_of(near.id)
                .find(|child| child.referencing == exists.table && child.referencing_column == exists.far)
                .map(|child| (child.collection_navigation.as_str(), child.referencing, 0)),
            [link] => {
                self.schema.many_to_many().iter().filter(|many| many.intersect == exists.table).find_map(|many| {
                    let (first, second) = (many.first_column, many.second_column);
                    let forward = many.first == near.id && (exists.far, link.near) == (first, second);
                    let backward = many.second == near.id && (exists.far, link.near) == (second, first);
                    match (forward, backward) {
                        (true, _) => Some((many.first_navigation.as_str(), many.second, 1)),
                        (false, true) => Some((many.second_navigation.as_str(), many.first, 1)),
                        (false, false) => None,
                    }
                })
            }
            _ => None,
        };
        let found = collection.and_then(|(name, far, row)| Some((name, self.schema.table(far)?, row)));
        let Some((name, far, row)) = found else {
            self.text.push('?');
            return;
        };
        self.start(&exists.near);
        self.text.push_str(name);
        self.text.push_str("/any(");
        if exists.filter != Filter::True {
            let around = (self.table, self.row);
            (self.table, self.row) = (far, row);
            self.depth += 1;
            let _ = write!(self.text, "o{}:", self.depth);
            self.filter(&exists.filter, Surroundings::Open);
            self.depth -= 1;
            (self.table, self.row) = around;
        }
        self.text.push(')');
    }

    /// `Microsoft.Dynamics.CRM.Name(PropertyName='path'`
    fn function(&mut self, name: &str, path: &Path) {
        self.variable();
        let _ = write!(self.text, "{NAMESPACE}{name}(PropertyName='");
        self.steps(path);
        match self.table_of(path).column_by_id(path.column) {
            Some(column) => self.text.push_str(&column.name),
            None => self.text.push('?'),
        }
        self.text.push('\'');
    }

    /// The name of the row of a collection and a slash.
    fn variable(&mut self) {
        if self.depth > 0 {
            let _ = write!(self.text, "o{}/", self.depth);
        }
    }

    /// What is before the last name of a path.
    fn start(&mut self, path: &Path) {
        if path.row != self.row {
            self.text.push('?');
        }
        self.variable();
        self.steps(path);
    }

    fn steps(&mut self, path: &Path) {
        let mut table = self.table;
        for step in &path.steps {
            self.text.push_str(step_name(self.schema, table.id, *step).unwrap_or("?"));
            self.text.push('/');
            if let Some(next) = self.schema.table(step.target) {
                table = next;
            }
        }
    }

    /// The table that a path leads to.
    fn table_of(&self, path: &Path) -> &'s Table {
        path.steps.last().and_then(|step| self.schema.table(step.target)).map_or(self.table, |table| table)
    }

    fn list(&mut self, parts: &[Filter], separator: &str, empty: &str, surroundings: Surroundings) {
        match parts {
            [] => self.text.push_str(empty),
            [only] => self.filter(only, surroundings),
            several => {
                let parentheses = surroundings == Surroundings::List;
                if parentheses {
                    self.text.push('(');
                }
                for (position, part) in several.iter().enumerate() {
                    if position > 0 {
                        self.text.push_str(separator);
                    }
                    self.filter(part, Surroundings::List);
                }
                if parentheses {
                    self.text.push(')');
                }
            }
        }
    }

    fn path(&mut self, path: &Path) {
        self.start(path);
        match self.table_of(path).column_by_id(path.column) {
            Some(column) => self.text.push_str(&property_name(column)),
            None => self.text.push('?'),
        }
    }

    fn operator(&mut self, operator: Comparison) {
        self.text.push_str(match operator {
            Comparison::Equal => " eq ",
            Comparison::NotEqual => " ne ",
            Comparison::Less => " lt ",
            Comparison::LessOrEqual => " le ",
            Comparison::Greater => " gt ",
            Comparison::GreaterOrEqual => " ge ",
        });
    }

    fn value(&mut self, value: &Value) {
        // Writing into a string cannot fail.
        let _ = match value {
            Value::Null => write!(self.text, "null"),
            Value::Boolean(value) => write!(self.text, "{value}"),
            Value::Integer(value) => write!(self.text, "{value}"),
            Value::BigInt(value) => write!(self.text, "{value}"),
            Value::Decimal(value) => write!(self.text, "{value}"),
            Value::Double(value) => write!(self.text, "{value:?}"),
            Value::Money(value) => write!(self.text, "{}", value.to_decimal().normalize()),
            Value::Text(value) => {
                self.quoted(value);
                Ok(())
            }
            Value::Guid(id) | Value::Lookup(_, id) => write!(self.text, "{id}"),
            Value::DateTime(seconds) => write!(self.text, "{}", instant(*seconds)),
            Value::Date(days) => {
                let midnight = instant(i64::from(*days).saturating_mul(DAY_SECONDS)).to_string();
                write!(self.text, "{}", midnight.split('T').next().unwrap_or_default())
            }
            Value::Choices(options) => {
                let options: Vec<String> = options.iter().map(ToString::to_string).collect();
                self.quoted(&options.join(","));
                Ok(())
            }
        };
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('\'');
        for c in text.chars() {
            if c == '\'' {
                self.text.push('\'');
            }
            self.text.push(c);
        }
        self.text.push('\'');
    }

    fn like(&mut self, path: &Path, pattern: &LikePattern) {
        let tokens = pattern.tokens();
        let (function, inner) = match tokens.as_slice() {
            [LikeToken::Many, inner @ .., LikeToken::Many] => ("contains(", inner),
            [LikeToken::Many] => ("contains(", [].as_slice()),
            [inner @ .., LikeToken::Many] => ("startswith(", inner),
            [LikeToken::Many, inner @ ..] => ("endswith(", inner),
            whole => {
                self.function("Like", path);
                self.text.push_str(",PropertyValue=");
                self.quoted(&pattern_text(whole));
                self.text.push(')');
                return;
            }
        };
        self.text.push_str(function);
        self.path(path);
        self.text.push(',');
        self.quoted(&pattern_text(inner));
        self.text.push(')');
    }
}

/// An instant; the nearest that can be written when it is beyond year 9999 either way.
fn instant(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}
