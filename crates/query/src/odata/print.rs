//! Filters written as text that reads back as the same filter.

use std::fmt::Write as _;

use custodia_schema::{Column, ColumnKind, Table, TableId, Value};

use super::filter::NAMESPACE;
use super::names::{Navigation, navigation, property, property_name, step_name};
use super::path::is_ordered;
use crate::like::pattern_text;
use crate::operator::{Operator, Take};
use crate::words::literal;
use crate::{Comparison, Direction, Exists, Filter, LikePattern, LikeToken, Link, LinkKind, Path, Unsayable, Words};

/// Writes a filter on rows of `table` as the value of a `$filter`.
///
/// It reads back equal, but for lists of one test and none, which are written as that test, `true` and `false`.
///
/// # Errors
/// What OData has no words for: links that are no navigation, a period of another calendar than the caller's, values and
/// comparisons that the column's type does not have.
pub fn print(words: &Words<'_>, table: &Table, filter: &Filter) -> Result<String, Unsayable> {
    let mut printer = Printer { words: *words, table, row: 0, depth: 0, text: String::new() };
    printer.filter(filter, Surroundings::Open)?;
    Ok(printer.text)
}

/// Writes a path from rows of `table`, as in `$orderby`. Also gives the column at its end.
pub(super) fn path_text<'w>(
    words: &Words<'w>,
    table: &'w Table,
    path: &Path,
) -> Result<(String, &'w Table, &'w Column), Unsayable> {
    let mut printer = Printer { words: *words, table, row: 0, depth: 0, text: String::new() };
    let column = printer.path(path)?;
    let end = printer.table_of(path);
    Ok((printer.text, end, column))
}

pub(super) fn unsayable(what: impl Into<String>) -> Unsayable {
    Unsayable { language: "OData", what: what.into() }
}

/// What stands around a filter, and so whether it needs parentheses.
#[derive(Clone, Copy, PartialEq)]
enum Surroundings {
    /// Nothing, or parentheses already.
    Open,
    /// A list of `and` or `or`.
    List,
}

struct Printer<'w> {
    words: Words<'w>,
    /// The table of the rows that paths start at.
    table: &'w Table,
    /// The number of those rows.
    row: usize,
    /// How many collections are around.
    depth: usize,
    text: String,
}

impl<'w> Printer<'w> {
    fn filter(&mut self, filter: &Filter, surroundings: Surroundings) -> Result<(), Unsayable> {
        let here = |path: &Path| (path.row == self.row).then(|| self.table_of(path).id);
        if let Some(phrase) = self.words.phrase(filter, here)
            && let Some(name) = phrase.operator.function_name()
        {
            return self.function(name, &phrase.path, phrase.operator.takes(), &phrase.values);
        }
        match filter {
            Filter::True => self.text.push_str("true"),
            Filter::False => self.text.push_str("false"),
            Filter::And(parts) => return self.list(parts, " and ", "true", surroundings),
            Filter::Or(parts) => return self.list(parts, " or ", "false", surroundings),
            Filter::Not(inner) => match &**inner {
                Filter::IsNull(path) => {
                    self.path(path)?;
                    self.text.push_str(" ne null");
                }
                other => {
                    self.text.push_str("not (");
                    self.filter(other, Surroundings::Open)?;
                    self.text.push(')');
                }
            },
            Filter::Compare { path, operator, value } => {
                let column = self.path(path)?;
                self.operator(*operator, column)?;
                self.value(path, column, value)?;
            }
            Filter::CompareColumns { left, operator, right } => {
                let column = self.path(left)?;
                self.operator(*operator, column)?;
                let other = self.path(right)?;
                if !super::comparable(&column.kind, &other.kind) {
                    return Err(unsayable(format!("'{}' compared with '{}'", column.name, other.name)));
                }
            }
            Filter::IsNull(path) => {
                self.path(path)?;
                self.text.push_str(" eq null");
            }
            Filter::In { path, values } => {
                let column = self.path(path)?;
                self.text.push_str(" in (");
                for (position, value) in values.iter().enumerate() {
                    if position > 0 {
                        self.text.push(',');
                    }
                    self.value(path, column, value)?;
                }
                self.text.push(')');
            }
            Filter::Like { path, pattern } => return self.like(path, pattern),
            Filter::ContainsAny { path, options } => {
                let options: Vec<String> = options.iter().map(ToString::to_string).collect();
                return self.operator_function(Operator::ContainValues, path, &options, filter);
            }
            Filter::InPeriod { path, period, .. } => {
                return self.operator_function(Operator::InFiscalPeriod, path, &[period.to_string()], filter);
            }
            Filter::Hierarchy { path, of, direction, inclusive, .. } => {
                let operator = match (direction, inclusive) {
                    (Direction::Above, false) => Operator::Above,
                    (Direction::Above, true) => Operator::AboveOrEqual,
                    (Direction::Under, false) => Operator::Under,
                    (Direction::Under, true) => Operator::UnderOrEqual,
                };
                return self.operator_function(operator, path, &[of.to_string()], filter);
            }
            Filter::Exists(exists) => return self.exists(exists),
        }
        Ok(())
    }

    /// A test of a collection, if its links are those of a navigation.
    fn exists(&mut self, exists: &Exists) -> Result<(), Unsayable> {
        let near = self.table_of(&exists.near);
        let schema = self.words.schema;
        let collection = match exists.links.as_slice() {
            _ if exists.near.column != near.primary_id => None,
            [] => schema
                .children_of(near.id)
                .find(|child| child.referencing == exists.table && child.referencing_column == exists.far)
                .map(|child| (child.collection_navigation.as_str(), child.referencing, 0)),
            [link] => schema.many_to_many().iter().filter(|many| many.intersect == exists.table).find_map(|many| {
                let (first, second) = (many.first_column, many.second_column);
                let is = |here, there, far: TableId| {
                    exists.far == here && schema.table(far).is_some_and(|far| *link == beyond(there, far))
                };
                if many.first == near.id && is(first, second, many.second) {
                    return Some((many.first_navigation.as_str(), many.second, 1));
                }
                (many.second == near.id && is(second, first, many.first)).then_some((
                    many.second_navigation.as_str(),
                    many.first,
                    1,
                ))
            }),
            _ => None,
        };
        let found = collection.and_then(|(name, far, row)| Some((name, schema.table(far)?, row)));
        let Some((name, far, row)) = found else {
            return Err(unsayable("a link that is no navigation to many rows"));
        };
        self.start(&exists.near)?;
        self.steps(&exists.near, name)?;
        self.text.push_str(name);
        self.text.push_str("/any(");
        if exists.filter != Filter::True {
            let around = (self.table, self.row);
            (self.table, self.row) = (far, row);
            self.depth += 1;
            // Writing into a string cannot fail.
            let _ = write!(self.text, "o{}:", self.depth);
            self.filter(&exists.filter, Surroundings::Open)?;
            self.depth -= 1;
            (self.table, self.row) = around;
        }
        self.text.push(')');
        Ok(())
    }

    /// The function of an operator, if that says what is meant.
    fn operator_function(
        &mut self,
        operator: Operator,
        path: &Path,
        values: &[String],
        filter: &Filter,
    ) -> Result<(), Unsayable> {
        let Some(name) = operator.function_name() else {
            return Err(unsayable(format!("{operator:?}")));
        };
        if !self.words.says(self.table_of(path), path, operator, values, filter) {
            return Err(unsayable(format!("{name} with other values than the caller's and the column's")));
        }
        self.function(name, path, operator.takes(), values)
    }

    /// `Microsoft.Dynamics.CRM.Name(PropertyName='path',PropertyValue='value')`
    fn function(&mut self, name: &str, path: &Path, takes: Take, values: &[String]) -> Result<(), Unsayable> {
        let table = self.table_of(path);
        let column = self.column(table, path)?;
        let fiscal = takes == Take::Two && !matches!(name, "Between" | "NotBetween");
        self.variable();
        // Writing into a string cannot fail.
        let _ = write!(self.text, "{NAMESPACE}{name}(PropertyName='");
        self.check_row(path)?;
        self.steps(path, &property_name(column))?;
        self.text.push_str(&column.name);
        self.text.push('\'');
        match values {
            [] => {}
            [only] if takes == Take::One => {
                self.text.push_str(",PropertyValue=");
                self.quoted(only)?;
            }
            [first, second] if fiscal => {
                self.text.push_str(",PropertyValue1=");
                self.quoted(first)?;
                self.text.push_str(",PropertyValue2=");
                self.quoted(second)?;
            }
            several => {
                self.text.push_str(",PropertyValues=[");
                for (position, value) in several.iter().enumerate() {
                    if position > 0 {
                        self.text.push(',');
                    }
                    self.quoted(value)?;
                }
                self.text.push(']');
            }
        }
        self.text.push(')');
        Ok(())
    }

    /// The name of the row of a collection and a slash.
    fn variable(&mut self) {
        if self.depth > 0 {
            let _ = write!(self.text, "o{}/", self.depth);
        }
    }

    fn check_row(&self, path: &Path) -> Result<(), Unsayable> {
        if path.row == self.row { Ok(()) } else { Err(unsayable("a column of a row outside of the collection")) }
    }

    /// What is before a path.
    fn start(&mut self, path: &Path) -> Result<(), Unsayable> {
        self.check_row(path)?;
        self.variable();
        Ok(())
    }

    /// The navigations of a path, each with a slash. `end` is the name after them.
    fn steps(&mut self, path: &Path, end: &str) -> Result<(), Unsayable> {
        let schema = self.words.schema;
        let mut table = self.table;
        for (position, step) in path.steps.iter().enumerate() {
            let (Some(name), Some(next)) = (step_name(schema, table.id, *step), schema.table(step.target)) else {
                return Err(unsayable("a lookup that is no navigation"));
            };
            // A navigation to several tables leads to the one that has the name after it.
            let after = path.steps.get(position + 1).map(|step| step_name(schema, next.id, *step).unwrap_or_default());
            let after = after.unwrap_or(end);
            if let Some(Navigation::Single(single)) = navigation(schema, table, name)
                && single.targets.len() > 1
            {
                let known =
                    single.targets.iter().filter_map(|target| schema.table(*target)).filter(|target| {
                        property(target, after).is_some() || navigation(schema, target, after).is_some()
                    });
                let lookup = table.column_by_id(single.lookup);
                if known.count() != 1 || lookup.is_some_and(|lookup| lookup.name == after) {
                    return Err(unsayable(format!("'{name}/{after}', which several tables have")));
                }
            }
            self.text.push_str(name);
            self.text.push('/');
            table = next;
        }
        Ok(())
    }

    /// The table that a path leads to.
    fn table_of(&self, path: &Path) -> &'w Table {
        path.steps.last().and_then(|step| self.words.schema.table(step.target)).map_or(self.table, |table| table)
    }

    fn column(&self, table: &'w Table, path: &Path) -> Result<&'w Column, Unsayable> {
        let column = table.column_by_id(path.column).filter(|column| {
            column.kind.is_stored()
                && property(table, &property_name(column)).is_some_and(|found| found.id == column.id)
        });
        column.ok_or_else(|| unsayable(format!("a column of '{}' that cannot be read", table.name)))
    }

    fn list(
        &mut self,
        parts: &[Filter],
        separator: &str,
        empty: &str,
        surroundings: Surroundings,
    ) -> Result<(), Unsayable> {
        match parts {
            [] => self.text.push_str(empty),
            [only] => return self.filter(only, surroundings),
            several => {
                let parentheses = surroundings == Surroundings::List;
                if parentheses {
                    self.text.push('(');
                }
                for (position, part) in several.iter().enumerate() {
                    if position > 0 {
                        self.text.push_str(separator);
                    }
                    self.filter(part, Surroundings::List)?;
                }
                if parentheses {
                    self.text.push(')');
                }
            }
        }
        Ok(())
    }

    fn path(&mut self, path: &Path) -> Result<&'w Column, Unsayable> {
        let column = self.column(self.table_of(path), path)?;
        let name = property_name(column);
        self.start(path)?;
        self.steps(path, &name)?;
        self.text.push_str(&name);
        Ok(column)
    }

    fn operator(&mut self, operator: Comparison, column: &Column) -> Result<(), Unsayable> {
        if !matches!(operator, Comparison::Equal | Comparison::NotEqual) && !is_ordered(&column.kind) {
            return Err(unsayable(format!("an order of values of '{}'", column.name)));
        }
        self.text.push_str(match operator {
            Comparison::Equal => " eq ",
            Comparison::NotEqual => " ne ",
            Comparison::Less => " lt ",
            Comparison::LessOrEqual => " le ",
            Comparison::Greater => " gt ",
            Comparison::GreaterOrEqual => " ge ",
        });
        Ok(())
    }

    fn value(&mut self, path: &Path, column: &Column, value: &Value) -> Result<(), Unsayable> {
        let text = literal(value).filter(|_| self.words.is_value_of(self.table_of(path), column, value));
        let Some(text) = text else {
            return Err(unsayable(format!("a value that '{}' cannot have", column.name)));
        };
        match column.kind {
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::TableName | ColumnKind::Choices { .. } => {
                self.quoted(&text)
            }
            _ => {
                self.text.push_str(&text);
                Ok(())
            }
        }
    }

    fn quoted(&mut self, text: &str) -> Result<(), Unsayable> {
        if text.contains('\0') {
            return Err(unsayable("a text with the null character"));
        }
        self.text.push('\'');
        for c in text.chars() {
            if c == '\'' {
                self.text.push('\'');
            }
            self.text.push(c);
        }
        self.text.push('\'');
        Ok(())
    }

    fn like(&mut self, path: &Path, pattern: &LikePattern) -> Result<(), Unsayable> {
        let tokens = pattern.tokens();
        let (function, inner) = match tokens.as_slice() {
            [LikeToken::Many, inner @ .., LikeToken::Many] => ("contains(", inner),
            [LikeToken::Many] => ("contains(", [].as_slice()),
            [inner @ .., LikeToken::Many] => ("startswith(", inner),
            [LikeToken::Many, inner @ ..] => ("endswith(", inner),
            whole => {
                let text = pattern_text(whole);
                let filter = Filter::Like { path: path.clone(), pattern: pattern.clone() };
                return self.operator_function(Operator::Like, path, &[text], &filter);
            }
        };
        self.text.push_str(function);
        let column = self.path(path)?;
        if !column.kind.is_text() {
            return Err(unsayable(format!("a pattern for '{}'", column.name)));
        }
        self.text.push(',');
        self.quoted(&pattern_text(inner))?;
        self.text.push(')');
        Ok(())
    }
}

/// The link of an intersect's row to the row on its far side.
pub(super) fn beyond(near: custodia_schema::ColumnId, far: &Table) -> Link {
    Link {
        from: 0,
        table: far.id,
        near,
        far: far.primary_id,
        kind: LinkKind::Inner,
        filter: Filter::True,
        fields: Vec::new(),
        order: Vec::new(),
    }
}
