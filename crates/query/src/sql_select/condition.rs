//! Conditions: columns against values, joined by `and` and `or`.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use super::resolve::Resolver;
use super::statement::invalid;
use crate::odata::ODataError;
use crate::operator::{Operator, Subject, test};
use crate::{Comparison, Filter, Path};

impl Resolver<'_> {
    /// A condition as a filter. Goes into itself at parentheses only, and at the right side of a list of another kind.
    pub(super) fn filter(&mut self, condition: &Expr) -> Result<Filter, ODataError> {
        match condition {
            Expr::Nested(inner) => self.filter(inner),
            Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } => {
                self.refuse_withheld(if *op == BinaryOperator::And { "and" } else { "or" })?;
                let mut parts = Vec::new();
                let mut rest = condition;
                // The left sides of one list stand within each other, as deep as the list is long.
                while let Expr::BinaryOp { left, op: found, right } = rest
                    && found == op
                {
                    parts.push(self.filter(right)?);
                    rest = left;
                }
                parts.push(self.filter(rest)?);
                parts.reverse();
                Ok(if *op == BinaryOperator::And { Filter::And(parts) } else { Filter::Or(parts) })
            }
            Expr::BinaryOp { left, op, right } => {
                let comparison = match op {
                    BinaryOperator::Eq => Comparison::Equal,
                    BinaryOperator::NotEq => Comparison::NotEqual,
                    BinaryOperator::Lt => Comparison::Less,
                    BinaryOperator::LtEq => Comparison::LessOrEqual,
                    BinaryOperator::Gt => Comparison::Greater,
                    BinaryOperator::GtEq => Comparison::GreaterOrEqual,
                    _ => return Err(invalid(format!("the operator '{op}' is not supported"))),
                };
                self.test(left, Operator::Compare(comparison), &[value(right)?])
            }
            Expr::IsNull(column) => self.test(column, Operator::Null, &[]),
            Expr::IsNotNull(column) => self.test(column, Operator::NotNull, &[]),
            Expr::InList { expr, list, negated } => {
                self.values += list.len();
                if self.values > self.limits.in_values_max {
                    return Err(self.too_much("in_values_max", self.limits.in_values_max));
                }
                let values = list.iter().map(value).collect::<Result<Vec<_>, _>>()?;
                self.test(expr, if *negated { Operator::NotIn } else { Operator::In }, &values)
            }
            Expr::Between { expr, negated, low, high } => {
                let operator = if *negated { Operator::NotBetween } else { Operator::Between };
                self.test(expr, operator, &[value(low)?, value(high)?])
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.test(expr, if *negated { Operator::NotLike } else { Operator::Like }, &[value(pattern)?])
            }
            _ => Err(invalid(
                "a condition that is not supported; expected a column with a comparison, 'in', 'between', 'like' or \
                 'is null', joined by 'and' and 'or'",
            )),
        }
    }

    /// Refuses an operator that is withheld, by its name in FetchXML.
    fn refuse_withheld(&self, operator: &str) -> Result<(), ODataError> {
        match self.limits.withheld.has("sql.operator", operator) {
            true => {
                Err(invalid(format!("this service has no operator '{}' in conditions", operator.replace('-', " "))))
            }
            false => Ok(()),
        }
    }

    fn test(&mut self, column: &Expr, operator: Operator, values: &[String]) -> Result<Filter, ODataError> {
        self.conditions += 1;
        if self.conditions > self.limits.conditions_max {
            return Err(self.too_much("conditions_max", self.limits.conditions_max));
        }
        self.refuse_withheld(operator.fetchxml_name().unwrap_or_default())?;
        let (row, table, column) = self.column(column)?;
        let path = Path::at(row, column.id);
        let subject = Subject { schema: self.schema, table, column };
        let filter = test(self.asker, subject, &path, operator, values).map_err(|error| invalid(error.to_string()))?;
        let is_negative = matches!(
            operator,
            Operator::Compare(Comparison::NotEqual) | Operator::NotIn | Operator::NotBetween | Operator::NotLike
        );
        // In SQL a missing value differs from none.
        Ok(if is_negative { Filter::And(vec![Filter::Not(Box::new(Filter::IsNull(path))), filter]) } else { filter })
    }
}

/// A value as text.
fn value(expression: &Expr) -> Result<String, ODataError> {
    match expression {
        Expr::Nested(inner) => value(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(format!("-{}", number(expr)?)),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => number(expr),
        Expr::Value(found) => match &found.value {
            Value::Number(digits, false) => Ok(digits.clone()),
            Value::SingleQuotedString(text) | Value::NationalStringLiteral(text) if !text.contains('\0') => {
                Ok(text.clone())
            }
            Value::Boolean(value) => Ok(value.to_string()),
            Value::Null => Err(invalid("nothing compares with null; expected 'is null' or 'is not null'")),
            _ => Err(invalid("expected a number or a quoted text")),
        },
        _ => Err(invalid("expected a column on the left side and a value on the right side of a comparison")),
    }
}

fn number(expression: &Expr) -> Result<String, ODataError> {
    match expression {
        Expr::Value(found) => match &found.value {
            Value::Number(digits, false) => Ok(digits.clone()),
            _ => Err(invalid("expected a number after a sign")),
        },
        _ => Err(invalid("expected a number after a sign")),
    }
}
