//! Filters and conditions into tests.

use custodia_schema::Table;

use super::FetchXmlError;
use super::document::{Condition, Contents, FilterElement, LinkElement, LinkType, Test};
use super::resolve::{Resolver, Scope, column_named};
use crate::odata::comparable;
use crate::operator::{Operator, Subject, Take, test};
use crate::{Comparison, Filter, Path};

impl<'r> Resolver<'r> {
    /// What the rows of an element must pass: its filters, and the existence of rows linked to them.
    pub(super) fn tests(
        &self,
        scope: &Scope<'r, 'r>,
        row: usize,
        contents: &'r Contents,
    ) -> Result<Filter, FetchXmlError> {
        let mut all = Vec::new();
        for filter in &contents.filters {
            all.push(self.filter(scope, row, filter)?);
        }
        for link in contents.links.iter().filter(|link| link.kind.is_existence()) {
            all.push(Filter::Exists(Box::new(self.existence(scope.table_of(row)?, row, link)?)));
        }
        Ok(joined(false, all))
    }

    fn filter(&self, scope: &Scope<'r, 'r>, row: usize, element: &'r FilterElement) -> Result<Filter, FetchXmlError> {
        let mut tests = Vec::with_capacity(element.tests.len());
        for part in &element.tests {
            tests.push(match part {
                Test::Condition(condition) => self.condition(scope, row, condition)?,
                Test::Filter(filter) => self.filter(scope, row, filter)?,
                Test::Link(link) => self.link_test(scope.table_of(row)?, row, link)?,
            });
        }
        Ok(joined(element.any, tests))
    }

    fn link_test(&self, near: &Table, row: usize, link: &'r LinkElement) -> Result<Filter, FetchXmlError> {
        let passing = self.existence(near, row, link)?;
        Ok(match link.kind {
            LinkType::NotAny => Filter::Not(Box::new(Filter::Exists(Box::new(passing)))),
            // There are linked rows, and none passes: the name says otherwise.
            LinkType::All => {
                let mut any = passing.clone();
                any.links = Vec::new();
                any.filter = Filter::True;
                let none_passes = Filter::Not(Box::new(Filter::Exists(Box::new(passing))));
                Filter::And(vec![Filter::Exists(Box::new(any)), none_passes])
            }
            _ => Filter::Exists(Box::new(passing)),
        })
    }

    fn condition(&self, scope: &Scope<'r, 'r>, row: usize, condition: &Condition) -> Result<Filter, FetchXmlError> {
        let row = match &condition.entity {
            None => row,
            Some(entity) if row == 0 => scope.row_named(entity)?,
            Some(entity) => {
                return Err(FetchXmlError::invalid(format!(
                    "the condition on '{}' names the entity '{entity}'; only filters of the root entity can",
                    condition.attribute
                )));
            }
        };
        let table = scope.table_of(row)?;
        let column = column_named(table, &condition.attribute)?;
        let known = Operator::of_fetchxml(&condition.operator)
            .filter(|_| !self.withheld.has("fetchxml.operator", &condition.operator));
        let Some(operator) = known else {
            return Err(FetchXmlError::invalid(format!(
                "the condition on '{}' of '{}' has an unknown operator '{}'",
                condition.attribute, table.name, condition.operator
            )));
        };
        let path = Path::at(row, column.id);
        if let Some(other) = &condition.value_of {
            return self.compare_columns(scope, (row, condition), path, operator, other);
        }
        let mut values = condition.values.as_slice();
        // Designers leave an empty value at operators that take none.
        if operator.takes() == Take::None && values.iter().all(String::is_empty) {
            values = &[];
        }
        Ok(test(self.asker, Subject { schema: self.schema, table, column }, &path, operator, values)?)
    }

    fn compare_columns(
        &self,
        scope: &Scope<'r, 'r>,
        (row, condition): (usize, &Condition),
        left: Path,
        operator: Operator,
        other: &str,
    ) -> Result<Filter, FetchXmlError> {
        let about = || format!("the condition on '{}' with valueof='{other}'", condition.attribute);
        let Operator::Compare(operator) = operator else {
            return Err(FetchXmlError::invalid(format!(
                "{} has the operator '{}'; columns are compared by eq, ne, gt, ge, lt and le",
                about(),
                condition.operator
            )));
        };
        let (other_row, name) = match other.split_once('.') {
            Some((entity, name)) => (scope.row_named(entity)?, name),
            None => (row, other),
        };
        let column = column_named(scope.table_of(row)?, &condition.attribute)?;
        let other_column = column_named(scope.table_of(other_row)?, name)?;
        if !comparable(&column.kind, &other_column.kind) {
            return Err(FetchXmlError::invalid(format!("{} compares values of different types", about())));
        }
        let right = Path::at(other_row, other_column.id);
        let compared = Filter::CompareColumns { left: left.clone(), operator, right: right.clone() };
        if operator != Comparison::NotEqual {
            return Ok(compared);
        }
        // Two columns without a value are not different.
        let both_null = Filter::And(vec![Filter::IsNull(left), Filter::IsNull(right)]);
        Ok(Filter::And(vec![compared, Filter::Not(Box::new(both_null))]))
    }
}

/// Tests that must all hold, or of which any must. Without a test every row passes; one alone needs no list.
fn joined(any: bool, mut tests: Vec<Filter>) -> Filter {
    match (tests.pop(), tests.is_empty()) {
        (None, _) => Filter::True,
        (Some(only), true) => only,
        (Some(last), false) => {
            tests.push(last);
            if any { Filter::Or(tests) } else { Filter::And(tests) }
        }
    }
}
