//! `$filter`: a recursive descent over its tokens, whose depth is bounded by [`Limits::filter_depth_max`].
//!
//! Tests are two-valued: a test on null is false, and `ne` and `not` are exact complements. A literal that no value of
//! the column's type can equal is no error: the test is resolved to what it says about every value.

use custodia_schema::{Column, ColumnKind, DateBehavior, Value};

use super::lexer::{Lexer, Token};
use super::literal::{Fit, Literal, expected};
use super::path::{Goal, PathReader, is_ordered, unknown_column};
use super::{Limits, ODataError};
use crate::operator::{Asker, compare_fit};
use crate::{Comparison, Filter, LikePattern, Path};

mod function;
mod lambda;

/// The namespace of query functions.
pub(super) const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// What a filter may refer to beside columns.
#[derive(Clone, Copy)]
pub(super) struct Given<'g> {
    /// The options of the request, parameter aliases among them.
    pub(super) aliases: &'g [(String, String)],
    /// Who asks; without it, query functions are refused.
    pub(super) asker: Option<&'g Asker>,
}

impl<'g> Given<'g> {
    /// What the request says that an alias stands for.
    pub(super) fn alias(self, name: &str) -> Option<&'g str> {
        self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, text)| text.as_str())
    }
}

/// Functions of the protocol that Dataverse does not take in a filter.
const REFUSED_FUNCTIONS: [&str; 30] = [
    "tolower",
    "toupper",
    "length",
    "indexof",
    "substring",
    "substringof",
    "trim",
    "concat",
    "matchesPattern",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "fractionalseconds",
    "totalseconds",
    "totaloffsetminutes",
    "date",
    "time",
    "now",
    "mindatetime",
    "maxdatetime",
    "round",
    "floor",
    "ceiling",
    "cast",
    "isof",
    "case",
    "hassubset",
];

/// Operators of the protocol that Dataverse does not take.
const REFUSED_OPERATORS: [&str; 7] = ["add", "sub", "mul", "div", "divby", "mod", "has"];

/// Reads a filter over rows of the table of `paths` from the whole of `lexer`.
pub(super) fn filter<'t>(lexer: Lexer<'t>, given: Given<'t>, paths: &mut PathReader<'_>) -> Result<Filter, ODataError> {
    let mut parser = Parser::new(lexer, paths.limits, given, paths)?;
    let operand = parser.either()?;
    if parser.token != Token::End {
        return Err(parser.unexpected("expected 'and', 'or' or the end"));
    }
    parser.test(operand)
}

/// What stands on a side of an operator, and where it starts.
struct Operand<'s> {
    meaning: Meaning<'s>,
    at: usize,
}

enum Meaning<'s> {
    Test(Filter),
    Column(Path, &'s Column),
    /// A navigation to one row: the name it was asked by, and a path that is null when there is no such row.
    Row(Path, String),
    Literal(Literal),
}

struct Parser<'p, 't, 's> {
    lexer: Lexer<'t>,
    /// The token that is looked at, and where it starts.
    token: Token<'t>,
    at: usize,
    limits: &'p Limits,
    given: Given<'t>,
    paths: &'p mut PathReader<'s>,
    /// The names of the rows of the collections that are being tested, the innermost last.
    variables: Vec<&'t str>,
    depth: usize,
    tests: usize,
    in_values: usize,
    alias_bytes: usize,
}

impl<'p, 't, 's> Parser<'p, 't, 's> {
    fn new(
        mut lexer: Lexer<'t>,
        limits: &'p Limits,
        given: Given<'t>,
        paths: &'p mut PathReader<'s>,
    ) -> Result<Self, ODataError> {
        let (token, at) = lexer.next()?;
        let variables = Vec::new();
        Ok(Self { lexer, token, at, limits, given, paths, variables, depth: 0, tests: 0, in_values: 0, alias_bytes: 0 })
    }

    /// Takes the token that is looked at.
    fn take(&mut self) -> Result<Token<'t>, ODataError> {
        let (next, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.token, Token::Word(found) if found == word)
    }

    /// Whether that operator is what is looked at, and there is one.
    fn is_operator(&self, word: &str) -> bool {
        self.is_word(word) && !self.limits.withheld.has("odata.operator", word)
    }

    fn unexpected(&self, expected: &str) -> ODataError {
        let found = match &self.token {
            Token::End => "the end".to_owned(),
            _ => format!("'{}'", self.lexer.slice(self.at, self.lexer.at())),
        };
        self.lexer.invalid(self.at, format!("{expected}, found {found}"))
    }

    fn deeper(&mut self) -> Result<(), ODataError> {
        self.depth += 1;
        if self.depth > self.limits.filter_depth_max {
            return Err(self.lexer.too_much(self.at, "filter_depth_max", self.limits.filter_depth_max));
        }
        Ok(())
    }

    /// One operand, or several joined by `and` and `or`, of which `and` binds closer. One function for both, because
    /// each level of parentheses passes through here and takes its share of the stack.
    fn either(&mut self) -> Result<Operand<'s>, ODataError> {
        let first = self.comparison()?;
        if !self.is_operator("and") && !self.is_operator("or") {
            return Ok(first);
        }
        let at = first.at;
        let mut any = Vec::new();
        let mut all = vec![self.test(first)?];
        loop {
            if self.is_operator("or") {
                any.push(conjunction(std::mem::take(&mut all)));
            } else if !self.is_operator("and") {
                break;
            }
            self.take()?;
            let next = self.comparison()?;
            all.push(self.test(next)?);
        }
        let last = conjunction(all);
        let test = if any.is_empty() {
            last
        } else {
            any.push(last);
            Filter::Or(any)
        };
        Ok(Operand { meaning: Meaning::Test(test), at })
    }

    fn comparison(&mut self) -> Result<Operand<'s>, ODataError> {
        if self.is_operator("not") {
            return self.negation();
        }
        let left = self.operand()?;
        self.compared(left)
    }

    fn negation(&mut self) -> Result<Operand<'s>, ODataError> {
        let at = self.at;
        self.deeper()?;
        self.take()?;
        let inner = self.comparison()?;
        self.depth -= 1;
        let inner = self.test(inner)?;
        Ok(Operand { meaning: Meaning::Test(Filter::Not(Box::new(inner))), at })
    }

    /// Goes on behind a left side: with an operator and a right side, if there are any.
    fn compared(&mut self, left: Operand<'s>) -> Result<Operand<'s>, ODataError> {
        let Token::Word(word) = self.token else { return Ok(left) };
        let operator = match word {
            "and" | "or" => return Ok(left),
            withheld if self.limits.withheld.has("odata.operator", withheld) => {
                return Err(self.unexpected("expected an operator that this service has"));
            }
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            "in" => return self.in_list(left),
            refused if REFUSED_OPERATORS.contains(&refused) => {
                return Err(self.lexer.invalid(self.at, format!("the operator '{refused}' is not supported")));
            }
            _ => return Err(self.unexpected("expected an operator like 'eq'")),
        };
        let operator_at = self.at;
        self.take()?;
        let right = self.operand()?;
        let at = left.at;
        let test = self.compare(left, operator, operator_at, right)?;
        Ok(Operand { meaning: Meaning::Test(test), at })
    }

    fn operand(&mut self) -> Result<Operand<'s>, ODataError> {
        if self.token == Token::Open { self.parenthesised() } else { self.plain_operand() }
    }

    fn parenthesised(&mut self) -> Result<Operand<'s>, ODataError> {
        let at = self.at;
        self.deeper()?;
        self.take()?;
        let inner = self.either()?;
        self.expect(&Token::Close, "expected 'and', 'or' or ')'")?;
        self.depth -= 1;
        Ok(Operand { meaning: inner.meaning, at })
    }

    fn plain_operand(&mut self) -> Result<Operand<'s>, ODataError> {
        let at = self.at;
        if let Some((goal, name)) = self.aliased_path()? {
            return self.reached(goal, name, at);
        }
        if let Some(literal) = self.literal()? {
            return Ok(Operand { meaning: Meaning::Literal(literal), at });
        }
        let Token::Word(word) = self.token else {
            return Err(self.unexpected("expected a column, a function, 'not' or '('"));
        };
        let mut ahead = self.lexer;
        if word.starts_with(NAMESPACE) || ahead.next().is_ok_and(|(token, _)| token == Token::Open) {
            return self.function(word);
        }
        if let Some(name) = self.function_of_row(word)? {
            return self.query_function(name, at);
        }
        if word.contains('.') {
            return Err(self.lexer.unsupported(at, format!("'{word}'")));
        }
        let (goal, name) = self.path(word)?;
        self.reached(goal, name, at)
    }

    /// What a path leads to, as an operand; of a collection the test is still to be read.
    fn reached(&mut self, goal: Goal<'s>, name: &str, at: usize) -> Result<Operand<'s>, ODataError> {
        let meaning = match goal {
            Goal::Column(path, column) => Meaning::Column(path, column),
            Goal::Row(path) => Meaning::Row(path, name.to_owned()),
            Goal::Rows(rows) => Meaning::Test(self.lambda(*rows, at)?),
        };
        Ok(Operand { meaning, at })
    }

    /// What an alias stands for, counted: each use of it is a copy.
    fn alias(&mut self, name: &str) -> Result<Option<&'t str>, ODataError> {
        let text = self.given.alias(name);
        self.count_alias(text.map_or(0, str::len), self.at)?;
        Ok(text)
    }

    fn count_alias(&mut self, bytes: usize, at: usize) -> Result<(), ODataError> {
        self.alias_bytes = self.alias_bytes.saturating_add(bytes);
        if self.alias_bytes > self.limits.alias_bytes_max {
            return Err(self.lexer.too_much(at, "alias_bytes_max", self.limits.alias_bytes_max));
        }
        Ok(())
    }

    /// One more value of a list.
    fn count_value(&mut self, at: usize) -> Result<(), ODataError> {
        self.in_values += 1;
        if self.in_values > self.limits.in_values_max {
            return Err(self.lexer.too_much(at, "in_values_max", self.limits.in_values_max));
        }
        Ok(())
    }

    /// Takes a literal or an alias of one, if that is what is looked at. An alias without a value is null.
    fn literal(&mut self) -> Result<Option<Literal>, ODataError> {
        let literal = match self.token {
            Token::Alias(name) => match self.alias(name)? {
                Some(text) => Some(alias_literal(name, text)?),
                None => Some(Literal::Null),
            },
            _ => Literal::of(&self.token),
        };
        if literal.is_some() {
            self.take()?;
        }
        Ok(literal)
    }

    /// Takes a path, whose first name is looked at. Also gives the path as written.
    fn path(&mut self, first: &'t str) -> Result<(Goal<'s>, &'t str), ODataError> {
        // The lexer stands behind the token that is looked at, which is where the reader goes on.
        let at = self.at;
        let (first, first_at) = self.after_variable(first, at)?;
        let goal = self.paths.read(&mut self.lexer, first, first_at)?;
        let written = self.lexer.slice(at, self.lexer.at());
        self.take()?;
        Ok((goal, written))
    }

    /// Takes an alias of a path, if that is what is looked at. Also gives the path as written.
    fn aliased_path(&mut self) -> Result<Option<(Goal<'s>, &'t str)>, ODataError> {
        let Token::Alias(name) = self.token else { return Ok(None) };
        let Some(text) = self.given.alias(name) else { return Ok(None) };
        let mut alias = Lexer::new(name, text);
        let (token, at) = alias.next()?;
        let Token::Word(first) = token else { return Ok(None) };
        if Literal::of(&token).is_some() {
            return Ok(None);
        }
        // The path is read where the alias says it; nothing goes on after a failure.
        let filter = std::mem::replace(&mut self.lexer, alias);
        let (first, first_at) = self.after_variable(first, at)?;
        let goal = self.paths.read(&mut self.lexer, first, first_at)?;
        let alias = std::mem::replace(&mut self.lexer, filter);
        if matches!(goal, Goal::Rows(_)) {
            return Err(alias.invalid(at, "an alias stands for a value or a column, not for a test of a collection"));
        }
        alias.end_after("the path to a column")?;
        self.take()?;
        Ok(Some((goal, text.trim())))
    }

    fn expect(&mut self, token: &Token<'_>, expected: &str) -> Result<(), ODataError> {
        if self.token != *token {
            return Err(self.unexpected(expected));
        }
        self.take()?;
        Ok(())
    }

    fn function(&mut self, name: &str) -> Result<Operand<'s>, ODataError> {
        let at = self.at;
        let pattern = match name {
            withheld if self.limits.withheld.has("odata.function", withheld) => {
                return Err(self.lexer.invalid(at, format!("this service has no function '{withheld}'")));
            }
            "contains" => LikePattern::contains,
            "startswith" => LikePattern::starts_with,
            "endswith" => LikePattern::ends_with,
            refused if REFUSED_FUNCTIONS.contains(&refused) => {
                return Err(self.lexer.invalid(at, format!("the function '{refused}' is not supported")));
            }
            qualified if qualified.starts_with(NAMESPACE) => {
                if let Some(variable) = self.variables.last() {
                    let problem =
                        format!("expected '{variable}/' before '{qualified}', which tests a row of the collection");
                    return Err(self.lexer.invalid(at, problem));
                }
                return self.query_function(qualified, at);
            }
            _ => return Err(self.lexer.invalid(at, format!("there is no function '{name}'"))),
        };
        self.count_test(at)?;
        self.take()?;
        self.take()?;
        let column_at = self.at;
        let reached = match (self.aliased_path()?, &self.token) {
            (Some(reached), _) => reached,
            (None, Token::Word(first)) => self.path(first)?,
            _ => return Err(self.unexpected(&format!("expected a text column as first argument of '{name}'"))),
        };
        let path = match reached {
            (Goal::Column(path, column), _) if column.kind.is_text() => path,
            (_, written) => {
                let problem = format!("'{name}' works on text columns; '{written}' is none");
                return Err(self.lexer.invalid(column_at, problem));
            }
        };
        self.expect(&Token::Comma, "expected ','")?;
        let text_at = self.at;
        let Some(Literal::Text(text)) = self.literal()? else {
            return Err(self.lexer.invalid(text_at, format!("expected a quoted text as second argument of '{name}'")));
        };
        self.expect(&Token::Close, "expected ')'")?;
        Ok(Operand { meaning: Meaning::Test(Filter::Like { path, pattern: pattern(&text) }), at })
    }

    fn in_list(&mut self, left: Operand<'s>) -> Result<Operand<'s>, ODataError> {
        let Meaning::Column(path, column) = left.meaning else {
            return Err(self.lexer.invalid(left.at, "expected a column before 'in'"));
        };
        self.count_test(left.at)?;
        self.take()?;
        let mut values = Vec::new();
        let mut with_null = false;
        for (literal, at) in self.list()? {
            match literal.fit(&column.kind) {
                _ if literal == Literal::Null => with_null = true,
                Some(Fit::Value(value)) => values.push(value),
                // Equal to no value of the column.
                Some(Fit::After(_) | Fit::BelowAll | Fit::AboveAll) => {}
                None => return Err(self.mismatch(at, column, &literal)),
            }
        }
        let test = match (with_null, values.is_empty()) {
            (true, true) => Filter::IsNull(path),
            (true, false) => Filter::Or(vec![Filter::IsNull(path.clone()), Filter::In { path, values }]),
            (false, _) => Filter::In { path, values },
        };
        Ok(Operand { meaning: Meaning::Test(test), at: left.at })
    }

    /// Reads the values after `in` and where they stand: in parentheses, or as one alias of all of them.
    fn list(&mut self) -> Result<Vec<(Literal, usize)>, ODataError> {
        if let Token::Alias(name) = self.token {
            let at = self.at;
            let Some(text) = self.alias(name)? else { return Err(no_value(&self.lexer, at, name)) };
            let literals = alias_list(name, text)?;
            literals.iter().try_for_each(|_| self.count_value(at))?;
            self.take()?;
            return Ok(literals.into_iter().map(|literal| (literal, at)).collect());
        }
        self.expect(&Token::Open, "expected '(' and a list of values")?;
        let mut literals = Vec::new();
        let mut more = self.token != Token::Close;
        while more {
            let at = self.at;
            let Some(literal) = self.literal()? else { return Err(self.unexpected("expected a value")) };
            self.count_value(at)?;
            literals.push((literal, at));
            more = self.token == Token::Comma;
            if more {
                self.take()?;
            }
        }
        self.expect(&Token::Close, "expected ',' or ')'")?;
        Ok(literals)
    }

    /// An operand as a test of its own.
    fn test(&mut self, operand: Operand<'s>) -> Result<Filter, ODataError> {
        match operand.meaning {
            Meaning::Test(filter) => Ok(filter),
            Meaning::Literal(Literal::Boolean(true)) => Ok(Filter::True),
            Meaning::Literal(Literal::Boolean(false)) => Ok(Filter::False),
            Meaning::Column(path, column) if is_boolean(&column.kind) => {
                self.count_test(operand.at)?;
                let value = Value::Boolean(true);
                Ok(Filter::Compare { path, operator: Comparison::Equal, value })
            }
            Meaning::Literal(literal) => {
                Err(self.lexer.invalid(operand.at, format!("expected a test, found {}", literal.noun())))
            }
            Meaning::Column(_, column) => {
                let problem = format!("expected a test like '{} ne null', found a column alone", column.name);
                Err(self.lexer.invalid(operand.at, problem))
            }
            Meaning::Row(_, name) => {
                let problem = format!("expected a test like '{name} ne null', found a navigation alone");
                Err(self.lexer.invalid(operand.at, problem))
            }
        }
    }

    fn count_test(&mut self, at: usize) -> Result<(), ODataError> {
        self.tests += 1;
        if self.tests > self.limits.filter_nodes_max {
            return Err(self.lexer.too_much(at, "filter_nodes_max", self.limits.filter_nodes_max));
        }
        Ok(())
    }

    fn compare(
        &mut self,
        left: Operand<'s>,
        operator: Comparison,
        operator_at: usize,
        right: Operand<'s>,
    ) -> Result<Filter, ODataError> {
        match (left.meaning, right.meaning) {
            (Meaning::Column(path, column), Meaning::Literal(literal)) => {
                self.count_test(left.at)?;
                self.compare_literal(path, column, operator, operator_at, &literal, right.at)
            }
            (Meaning::Literal(literal), Meaning::Column(path, column)) => {
                self.count_test(left.at)?;
                self.compare_literal(path, column, operator.mirrored(), operator_at, &literal, left.at)
            }
            (Meaning::Column(left_path, left_column), Meaning::Column(right_path, right_column)) => {
                self.count_test(left.at)?;
                if !comparable(&left_column.kind, &right_column.kind) {
                    let problem = format!(
                        "'{}' and '{}' hold values of different types and cannot be compared",
                        left_column.name, right_column.name
                    );
                    return Err(self.lexer.invalid(operator_at, problem));
                }
                self.check_order(left_column, operator, operator_at)?;
                Ok(Filter::CompareColumns { left: left_path, operator, right: right_path })
            }
            (Meaning::Row(path, name), Meaning::Literal(literal))
            | (Meaning::Literal(literal), Meaning::Row(path, name)) => {
                self.count_test(left.at)?;
                match (literal, operator) {
                    (Literal::Null, Comparison::Equal) => Ok(Filter::IsNull(path)),
                    (Literal::Null, Comparison::NotEqual) => Ok(Filter::Not(Box::new(Filter::IsNull(path)))),
                    _ => Err(unknown_column(&self.lexer, left.at, &name, self.paths.table)),
                }
            }
            (Meaning::Test(filter), Meaning::Literal(Literal::Boolean(value)))
            | (Meaning::Literal(Literal::Boolean(value)), Meaning::Test(filter)) => match operator {
                Comparison::Equal if value => Ok(filter),
                Comparison::NotEqual if !value => Ok(filter),
                Comparison::Equal | Comparison::NotEqual => Ok(Filter::Not(Box::new(filter))),
                _ => Err(self.lexer.invalid(operator_at, "a test can only be compared by 'eq' and 'ne'")),
            },
            (Meaning::Literal(_), Meaning::Literal(_)) => {
                Err(self.lexer.invalid(left.at, "two values are compared; expected a column on one side"))
            }
            (Meaning::Row(_, name), _) => Err(unknown_column(&self.lexer, left.at, &name, self.paths.table)),
            (_, Meaning::Row(_, name)) => Err(unknown_column(&self.lexer, right.at, &name, self.paths.table)),
            (Meaning::Test(_), _) => {
                Err(self.lexer.invalid(right.at, "a test can only be compared with true or false"))
            }
            (_, Meaning::Test(_)) => {
                Err(self.lexer.invalid(right.at, "a column can only be compared with a value or a column"))
            }
        }
    }

    fn compare_literal(
        &self,
        path: Path,
        column: &Column,
        operator: Comparison,
        operator_at: usize,
        literal: &Literal,
        literal_at: usize,
    ) -> Result<Filter, ODataError> {
        if *literal == Literal::Null {
            return Ok(match operator {
                Comparison::Equal => Filter::IsNull(path),
                Comparison::NotEqual => Filter::Not(Box::new(Filter::IsNull(path))),
                _ => Filter::False,
            });
        }
        let Some(fit) = literal.fit(&column.kind) else {
            return Err(self.mismatch(literal_at, column, literal));
        };
        self.check_order(column, operator, operator_at)?;
        Ok(compare_fit(path, operator, fit))
    }

    fn check_order(&self, column: &Column, operator: Comparison, operator_at: usize) -> Result<(), ODataError> {
        if matches!(operator, Comparison::Equal | Comparison::NotEqual) || is_ordered(&column.kind) {
            return Ok(());
        }
        let problem = format!("values of '{}' have no order; expected 'eq', 'ne' or 'in'", column.name);
        Err(self.lexer.invalid(operator_at, problem))
    }

    fn mismatch(&self, at: usize, column: &Column, literal: &Literal) -> ODataError {
        let problem =
            format!("'{}' is compared with {}; expected {}", column.name, literal.noun(), expected(&column.kind));
        self.lexer.invalid(at, problem)
    }
}

/// Tests of which all must hold; one of them needs no list.
fn conjunction(mut tests: Vec<Filter>) -> Filter {
    match (tests.pop(), tests.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            tests.extend(last);
            Filter::And(tests)
        }
    }
}

/// The literals that the request gives an alias of a list, which stands in parentheses or brackets.
fn alias_list(name: &str, text: &str) -> Result<Vec<Literal>, ODataError> {
    let listed = text.trim();
    let inner = listed.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let Some(inner) = inner.or_else(|| listed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))) else {
        return Err(Lexer::new(name, text).invalid(0, "expected a list of values like ('a','b')"));
    };
    let mut lexer = Lexer::new(name, inner);
    let mut literals = Vec::new();
    if inner.trim().is_empty() {
        return Ok(literals);
    }
    loop {
        let (token, at) = lexer.next()?;
        literals.push(Literal::of(&token).ok_or_else(|| lexer.invalid(at, "expected a value"))?);
        match lexer.next()? {
            (Token::Comma, _) => {}
            (Token::End, _) => return Ok(literals),
            (_, at) => return Err(lexer.invalid(at, "expected ',' or the end of the list")),
        }
    }
}

/// An alias without a value stands where null has no meaning.
pub(super) fn no_value(lexer: &Lexer<'_>, at: usize, name: &str) -> ODataError {
    lexer.invalid(at, format!("the parameter alias '{name}' has no value; expected '&{name}=…'"))
}

/// The literal that the request gives an alias.
pub(super) fn alias_literal(name: &str, text: &str) -> Result<Literal, ODataError> {
    let mut inner = Lexer::new(name, text);
    let (token, start) = inner.next()?;
    let Some(literal) = Literal::of(&token) else {
        return Err(inner.invalid(start, "expected a value"));
    };
    inner.end_after("the value")?;
    Ok(literal)
}

fn is_boolean(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Boolean { .. } | ColumnKind::Managed)
}

/// What columns hold, as far as comparing two of them goes: engines keep values of one family in one form.
#[derive(PartialEq)]
enum Family {
    Text,
    TableName,
    Whole,
    Decimal,
    Double,
    Money,
    Boolean,
    Instant,
    Day,
    Options,
    Guid,
}

fn family(kind: &ColumnKind) -> Option<Family> {
    Some(match kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Family::Text,
        ColumnKind::TableName => Family::TableName,
        ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => Family::Whole,
        ColumnKind::Decimal { .. } => Family::Decimal,
        ColumnKind::Double { .. } => Family::Double,
        ColumnKind::Money { .. } => Family::Money,
        ColumnKind::Boolean { .. } | ColumnKind::Managed => Family::Boolean,
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => Family::Day,
        ColumnKind::DateTime { .. } => Family::Instant,
        ColumnKind::Choices { .. } => Family::Options,
        ColumnKind::Guid | ColumnKind::Lookup { .. } => Family::Guid,
        ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => return None,
    })
}

pub(crate) fn comparable(left: &ColumnKind, right: &ColumnKind) -> bool {
    family(left).is_some_and(|left| family(right) == Some(left))
}
