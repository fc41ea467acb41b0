//! Query functions: `Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=7)`.

use custodia_schema::Column;

use super::{Goal, Lexer, Literal, Meaning, NAMESPACE, ODataError, Operand, Parser, Token, no_value};
use crate::Path;
use crate::operator::{Operator, Subject, Take, test};

/// What a parameter was given.
enum Argument {
    One(String),
    List(Vec<String>),
}

/// What the parameters of a function were given, and where the function stands.
#[derive(Default)]
struct Arguments {
    name: Option<String>,
    value: Option<String>,
    first: Option<String>,
    second: Option<String>,
    list: Option<Vec<String>>,
}

impl<'t, 's> Parser<'_, 't, 's> {
    /// Within a collection, takes the name of its row and the slash before a query function; the function's name is looked at then.
    /// `None`, and nothing is taken, where something else stands.
    pub(super) fn function_of_row(&mut self, word: &str) -> Result<Option<&'t str>, ODataError> {
        if self.variables.last().is_none_or(|variable| *variable != word) {
            return Ok(None);
        }
        let mut ahead = self.lexer;
        if ahead.next()?.0 != Token::Slash {
            return Ok(None);
        }
        let (Token::Word(name), at) = ahead.next()? else { return Ok(None) };
        if !name.starts_with(NAMESPACE) {
            return Ok(None);
        }
        (self.lexer, self.token, self.at) = (ahead, Token::Word(name), at);
        Ok(Some(name))
    }

    /// Reads a query function, whose qualified name is looked at.
    pub(super) fn query_function(&mut self, qualified: &str, start: usize) -> Result<Operand<'s>, ODataError> {
        let at = self.at;
        let name = qualified.strip_prefix(NAMESPACE).unwrap_or(qualified);
        let known = Operator::of_function(name).filter(|_| !self.limits.withheld.has("odata.query-function", name));
        let Some(operator) = known else {
            return Err(self.lexer.invalid(at, format!("there is no function '{qualified}'")));
        };
        let Some(asker) = self.given.asker else {
            return Err(self.lexer.unsupported(at, format!("the function '{name}' in this place")));
        };
        self.count_test(at)?;
        self.take()?;
        let arguments = self.arguments(operator, name)?;
        let Some(property) = arguments.name else {
            return Err(self.lexer.invalid(at, format!("'{name}' needs the parameter 'PropertyName'")));
        };
        let (path, column) = self.named_column(&property)?;
        let values: Vec<String> = match operator.takes() {
            Take::Two if arguments.list.is_none() => arguments.first.into_iter().chain(arguments.second).collect(),
            Take::Two | Take::Many => arguments.list.unwrap_or_default(),
            Take::One | Take::None => arguments.value.into_iter().collect(),
        };
        self.in_values += values.len();
        if self.in_values > self.limits.in_values_max {
            return Err(self.lexer.too_much(at, "in_values_max", self.limits.in_values_max));
        }
        let end = path.steps.last().and_then(|step| self.paths.schema.table(step.target)).map(|table| &**table);
        let subject = Subject { schema: self.paths.schema, table: end.unwrap_or(self.paths.table), column };
        match test(asker, subject, &path, operator, &values) {
            Ok(filter) => Ok(Operand { meaning: Meaning::Test(filter), at: start }),
            Err(error) => Err(self.lexer.invalid(at, error.to_string())),
        }
    }

    /// Reads parameters, from the opening parenthesis to behind the closing one.
    fn arguments(&mut self, operator: Operator, name: &str) -> Result<Arguments, ODataError> {
        let mut arguments = Arguments::default();
        self.expect(&Token::Open, &format!("expected '(' after '{name}'"))?;
        loop {
            let Token::Word(parameter) = self.token else {
                return Err(self.unexpected("expected a parameter like 'PropertyName'"));
            };
            let at = self.at;
            self.take()?;
            if self.token != Token::Equals {
                return Err(self.unexpected(&format!("expected '=' after '{parameter}'")));
            }
            // The lexer stands behind the sign.
            let argument = self.argument()?;
            self.take()?;
            let is_fiscal =
                operator.takes() == Take::Two && !matches!(operator, Operator::Between | Operator::NotBetween);
            let again = match (parameter, operator.takes(), argument) {
                ("PropertyName", _, Argument::One(name)) => arguments.name.replace(name).is_some(),
                ("PropertyValue", Take::One, Argument::One(value)) => arguments.value.replace(value).is_some(),
                ("PropertyValue1", _, Argument::One(value)) if is_fiscal => arguments.first.replace(value).is_some(),
                ("PropertyValue2", _, Argument::One(value)) if is_fiscal => arguments.second.replace(value).is_some(),
                ("PropertyValues", Take::Two | Take::Many, Argument::List(values)) if !is_fiscal => {
                    arguments.list.replace(values).is_some()
                }
                _ => {
                    let expected = match operator.takes() {
                        Take::None => "PropertyName",
                        Take::One => "PropertyName and PropertyValue",
                        Take::Two if is_fiscal => "PropertyName, PropertyValue1 and PropertyValue2",
                        Take::Two | Take::Many => "PropertyName and the list PropertyValues",
                    };
                    let problem = format!("'{parameter}' is not what '{name}' takes; expected {expected}");
                    return Err(self.lexer.invalid(at, problem));
                }
            };
            if again {
                return Err(self.lexer.invalid(at, format!("'{parameter}' is given twice")));
            }
            if self.token != Token::Comma {
                self.expect(&Token::Close, "expected ',' or ')'")?;
                return Ok(arguments);
            }
            self.take()?;
        }
    }

    /// Reads the value of a parameter: a literal, a list of them, or an alias of either.
    fn argument(&mut self) -> Result<Argument, ODataError> {
        self.lexer.skip_blanks();
        if self.lexer.rest().starts_with('[') {
            return list(&mut self.lexer).map(Argument::List);
        }
        let mut ahead = self.lexer;
        let Ok((Token::Alias(name), at)) = ahead.next() else { return value(&mut self.lexer).map(Argument::One) };
        let Some(text) = self.given.alias(name) else { return Err(no_value(&self.lexer, at, name)) };
        self.count_alias(text.len(), at)?;
        self.lexer = ahead;
        let mut inner = Lexer::new(name, text);
        inner.skip_blanks();
        let argument = if inner.rest().starts_with('[') {
            Argument::List(list(&mut inner)?)
        } else {
            Argument::One(value(&mut inner)?)
        };
        inner.end_after("the value")?;
        Ok(argument)
    }

    /// The column that a `PropertyName` names, by its logical name or as a path.
    fn named_column(&mut self, name: &str) -> Result<(Path, &'s Column), ODataError> {
        let mut lexer = Lexer::new("PropertyName", name);
        let (Token::Word(first), at) = lexer.next()? else {
            return Err(lexer.invalid(0, "expected the name of a column"));
        };
        let goal = self.paths.read_logical(&mut lexer, first, at)?;
        lexer.end_after("the name of a column")?;
        match goal {
            Goal::Column(path, column) => Ok((path, column)),
            _ => Err(lexer.invalid(0, format!("expected the name of a column, found '{name}'"))),
        }
    }
}

/// Reads a list from its opening to behind its closing bracket.
fn list(lexer: &mut Lexer<'_>) -> Result<Vec<String>, ODataError> {
    let mut values = Vec::new();
    lexer.go_to(lexer.at() + 1);
    lexer.skip_blanks();
    if lexer.rest().starts_with(']') {
        lexer.go_to(lexer.at() + 1);
        return Ok(values);
    }
    loop {
        values.push(value(lexer)?);
        lexer.skip_blanks();
        let at = lexer.at();
        let next = lexer.rest().chars().next();
        if !matches!(next, Some(',' | ']')) {
            return Err(lexer.invalid(at, "expected ',' or ']'"));
        }
        lexer.go_to(at + 1);
        if next == Some(']') {
            return Ok(values);
        }
    }
}

/// Reads one value as text: quoted, also in double quotes, or bare as it is written.
fn value(lexer: &mut Lexer<'_>) -> Result<String, ODataError> {
    lexer.skip_blanks();
    if lexer.rest().starts_with('"') {
        return double_quoted(lexer);
    }
    let (token, at) = lexer.next()?;
    match Literal::of(&token) {
        Some(Literal::Text(text)) => Ok(text),
        Some(Literal::Null) | None => Err(lexer.invalid(at, "expected a value")),
        Some(_) => Ok(lexer.slice(at, lexer.at()).to_owned()),
    }
}

/// Reads a text in double quotes, as in JSON.
fn double_quoted(lexer: &mut Lexer<'_>) -> Result<String, ODataError> {
    let start = lexer.at();
    let mut text = String::new();
    let mut rest = lexer.rest().char_indices().skip(1);
    while let Some((offset, c)) = rest.next() {
        match c {
            '"' => {
                lexer.go_to(start + offset + 1);
                return Ok(text);
            }
            '\\' => match rest.next() {
                Some((_, quoted @ ('"' | '\\' | '/'))) => text.push(quoted),
                Some((_, 'n')) => text.push('\n'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'u')) => {
                    let digits: String = rest.by_ref().take(4).map(|(_, digit)| digit).collect();
                    let decoded = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).filter(|c| *c != '\0');
                    let Some(decoded) = decoded else {
                        return Err(lexer.invalid(start + offset, "this escape stands for no character"));
                    };
                    text.push(decoded);
                }
                _ => return Err(lexer.invalid(start + offset, "this escape stands for no character")),
            },
            '\0' => return Err(lexer.invalid(start, "this quoted text holds the null character, which no text may")),
            c => text.push(c),
        }
    }
    Err(lexer.invalid(start, "this quoted text has no end; expected another \""))
}
