//! `$apply`: groups of rows and what their values come to.
//!
//! `filter(…)/groupby((a,nav/b),aggregate(x with sum as n,$count as c))`, `groupby(…)` and `aggregate(…)` alone. Only these, in
//! this order: what Dataverse takes.

use std::borrow::Cow;

use custodia_schema::{Column, ColumnKind, Schema, Table};

use super::expand::top;
use super::filter::{Given, filter};
use super::lexer::{Lexer, Token};
use super::names::{OWNER_ID, owner_id, property_name};
use super::path::{Goal, PathReader, unknown_column};
use super::{Limits, ODataError, Place};
use crate::fetchxml::{GroupColumn, GroupValue, GroupsQuestion};
use crate::operator::Asker;
use crate::{Aggregation, Filter, Group, GroupBy, Measure, Path, Query};

/// Options that may stand beside `$apply`.
const OPTIONS: [&str; 4] = ["$apply", "$orderby", "$skiptoken", "$top"];

/// What query options with `$apply` ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The groups. Their `page_size` is [`Limits::page_rows_max`], `skip` and the `related` of the rows are for the caller to fill.
    pub question: GroupsQuestion,
    /// `$top`: groups at most, over all pages.
    pub top: Option<u32>,
    /// `$skiptoken`, as it was given.
    pub skip_token: Option<String>,
}

/// Reads decoded query options, `$apply` among them, of a request about rows of `table`; `None` where there is no `$apply`.
///
/// `asker` is needed where [`super::depends_on_asker`].
///
/// # Errors
/// See [`ODataError`].
pub fn parse_apply(
    schema: &Schema,
    table: &Table,
    options: &[(String, String)],
    limits: &Limits,
    asker: Option<&Asker>,
) -> Result<Option<Applied>, ODataError> {
    let option = |wanted: &'static str| {
        options.iter().find(|(name, _)| name == wanted).map(|(_, value)| Lexer::new(wanted, value))
    };
    let Some(lexer) = option("$apply") else { return Ok(None) };
    for (position, (name, _)) in options.iter().enumerate() {
        let place = || Place::whole("query string");
        if name.starts_with('$') && !OPTIONS.contains(&name.as_str()) {
            let problem =
                format!("the option '{name}' is not supported beside $apply; rows are chosen by filter(…) in it");
            return Err(ODataError::Invalid { place: place(), problem });
        }
        if name.starts_with(['$', '@']) && options.iter().take(position).any(|(earlier, _)| earlier == name) {
            let problem = format!("the option '{name}' is given twice");
            return Err(ODataError::Invalid { place: place(), problem });
        }
    }
    let mut reader = Reader {
        lexer,
        given: Given { aliases: options, asker },
        paths: PathReader::new(schema, limits, table),
        groups: Vec::new(),
        measures: Vec::new(),
        columns: Vec::new(),
    };
    let filter = reader.transformations()?;
    let order = match option("$orderby") {
        Some(lexer) => reader.order(lexer)?,
        None => Vec::new(),
    };
    let Reader { groups, measures, columns, .. } = reader;
    let page_size = limits.page_rows_max.max(1);
    let aggregation = Aggregation {
        rows: Query { filter, ..Query::of(table, page_size) },
        groups,
        measures,
        order,
        skip: 0,
        page_size,
        rows_max: limits.aggregate_rows_max,
    };
    Ok(Some(Applied {
        question: GroupsQuestion { aggregation, columns },
        top: option("$top").map(top).transpose()?,
        skip_token: options.iter().find(|(name, _)| name == "$skiptoken").map(|(_, value)| value.clone()),
    }))
}

struct Reader<'r> {
    lexer: Lexer<'r>,
    given: Given<'r>,
    paths: PathReader<'r>,
    groups: Vec<Group>,
    measures: Vec<Measure>,
    columns: Vec<GroupColumn>,
}

impl<'r> Reader<'r> {
    /// Reads everything; gives the filter of the rows.
    fn transformations(&mut self) -> Result<Filter, ODataError> {
        let mut filters = Vec::new();
        loop {
            let (token, at) = self.lexer.next()?;
            match token {
                Token::Word(word) if self.paths.limits.withheld.has("odata.apply", word) => {
                    return Err(self.lexer.invalid(at, format!("this service has no '{word}' in $apply")));
                }
                Token::Word("filter") => {
                    let inner = self.parentheses("filter")?;
                    filters.push(filter(inner, self.given, &mut self.paths)?);
                }
                Token::Word("groupby") => {
                    self.group_by()?;
                    break;
                }
                Token::Word("aggregate") => {
                    let inner = self.parentheses("aggregate")?;
                    self.aggregate(inner)?;
                    break;
                }
                Token::Word(other) => {
                    let problem = format!("'{other}' is not supported; expected filter, groupby or aggregate");
                    return Err(self.lexer.invalid(at, problem));
                }
                _ => return Err(self.lexer.invalid(at, "expected filter, groupby or aggregate")),
            }
            expect(&mut self.lexer, &Token::Slash, "expected '/' and groupby or aggregate after filter(…)")?;
        }
        expect(&mut self.lexer, &Token::End, "expected nothing after groupby or aggregate")?;
        Ok(match (filters.len(), filters.pop()) {
            (_, None) => Filter::True,
            (1, Some(only)) => only,
            (_, Some(last)) => {
                filters.push(last);
                Filter::And(filters)
            }
        })
    }

    /// Takes what stands in parentheses, to be read by itself.
    fn parentheses(&mut self, word: &str) -> Result<Lexer<'r>, ODataError> {
        expect(&mut self.lexer, &Token::Open, &format!("expected '(' after '{word}'"))?;
        let start = self.lexer.at();
        let end = self.lexer.end_of_stretch(&[')']);
        if !self.lexer.slice(end, end + 1).starts_with(')') {
            return Err(self.lexer.invalid(end, "expected ')'"));
        }
        self.lexer.go_to(end + 1);
        Ok(self.lexer.within(start, end))
    }

    fn group_by(&mut self) -> Result<(), ODataError> {
        let mut inner = self.parentheses("groupby")?;
        expect(&mut inner, &Token::Open, "expected '(' and what rows are grouped by")?;
        loop {
            self.group(&mut inner)?;
            match inner.next()? {
                (Token::Comma, _) => {}
                (Token::Close, _) => break,
                (_, at) => return Err(inner.invalid(at, "expected ',' or ')'")),
            }
        }
        match inner.next()? {
            (Token::End, _) => Ok(()),
            (Token::Comma, at) => {
                if self.paths.limits.withheld.has("odata.apply", "aggregate") {
                    return Err(inner.invalid(at, "this service has no 'aggregate' in $apply"));
                }
                expect(&mut inner, &Token::Word("aggregate"), "expected aggregate")?;
                expect(&mut inner, &Token::Open, "expected '(' after 'aggregate'")?;
                let start = inner.at();
                let end = inner.end_of_stretch(&[')']);
                let values = inner.within(start, end);
                inner.go_to(end);
                expect(&mut inner, &Token::Close, "expected ')'")?;
                expect(&mut inner, &Token::End, "expected ')' and nothing after aggregate(…)")?;
                self.aggregate(values)
            }
            (_, at) => Err(inner.invalid(at, "expected ',' and aggregate, or ')'")),
        }
    }

    /// Reads one path that rows are grouped by.
    fn group(&mut self, lexer: &mut Lexer<'r>) -> Result<(), ODataError> {
        let (path, column, at) = self.column(lexer)?;
        let problem = match &column.kind {
            ColumnKind::Memo { .. } => "holds long texts",
            ColumnKind::Choices { .. } => "holds several options",
            ColumnKind::DateTime { .. } => "holds dates; FetchXML groups by their parts",
            _ => "",
        };
        if !problem.is_empty() {
            return Err(lexer.invalid(at, format!("rows cannot be grouped by '{}': it {problem}", column.name)));
        }
        self.limited(lexer, at)?;
        let table = self.table_of(&path);
        // The id of a user or team keeps the name that it was asked for by.
        let last = lexer.slice(at, lexer.at()).rsplit('/').next().unwrap_or_default().trim();
        let own = match owner_id(table, last) {
            Some(_) => Cow::Borrowed(OWNER_ID),
            None => property_name(column),
        };
        // A column of another row has the name of that row's table before its own.
        let name = match path.steps.as_slice() {
            [] => own.into_owned(),
            _ => format!("{}_{own}", table.name),
        };
        let position = self.groups.len();
        self.add(
            lexer,
            at,
            GroupColumn { position, name, table: table.id, column: column.id, kind: GroupValue::Value },
        )?;
        self.groups.push(Group { path, by: GroupBy::Value });
        Ok(())
    }

    /// Reads what is told of each group.
    fn aggregate(&mut self, mut lexer: Lexer<'r>) -> Result<(), ODataError> {
        loop {
            let mut ahead = lexer;
            let (measure, table, column, kind, at) = match ahead.next()? {
                (Token::Word("$count"), at) => {
                    lexer = ahead;
                    refuse_withheld(&lexer, self.paths.limits, "$count", at)?;
                    (Measure::Count, self.paths.table, self.paths.table.primary_id, GroupValue::Count, at)
                }
                _ => {
                    let (path, column, at) = self.column(&mut lexer)?;
                    let table = self.table_of(&path);
                    expect(&mut lexer, &Token::Word("with"), "expected 'with' and an aggregate like 'sum'")?;
                    let (measure, kind) = measure(&mut lexer, self.paths.limits, path, column)?;
                    (measure, table, column.id, kind, at)
                }
            };
            expect(&mut lexer, &Token::Word("as"), "expected 'as' and a name for the value")?;
            let (name, name_at) = match lexer.next()? {
                (Token::Word(name), at) if !name.contains(['.', '$']) => (name.to_owned(), at),
                (_, at) => return Err(lexer.invalid(at, "expected a name for the value")),
            };
            self.limited(&lexer, at)?;
            let position = self.groups.len() + self.measures.len();
            self.add(&lexer, name_at, GroupColumn { position, name, table: table.id, column, kind })?;
            self.measures.push(measure);
            match lexer.next()? {
                (Token::Comma, _) => {}
                (Token::End, _) => return Ok(()),
                (_, at) => return Err(lexer.invalid(at, "expected ',' or ')'")),
            }
        }
    }

    /// Reads a path to a column.
    fn column(&mut self, lexer: &mut Lexer<'r>) -> Result<(Path, &'r Column, usize), ODataError> {
        let (first, at) = word(lexer, "expected the name of a column")?;
        match self.paths.read(lexer, first, at)? {
            Goal::Column(path, column) => Ok((path, column, at)),
            Goal::Row(_) => Err(unknown_column(lexer, at, lexer.slice(at, lexer.at()), self.paths.table)),
            Goal::Rows(_) => Err(lexer.invalid(at, "a test of a collection is no value")),
        }
    }

    fn table_of(&self, path: &Path) -> &'r Table {
        path.steps.last().and_then(|step| self.paths.schema.table(step.target)).map_or(self.paths.table, |table| table)
    }

    fn add(&mut self, lexer: &Lexer<'_>, at: usize, column: GroupColumn) -> Result<(), ODataError> {
        if self.columns.iter().any(|known| known.name == column.name) {
            return Err(lexer.invalid(at, format!("two values would be called '{}'", column.name)));
        }
        self.columns.push(column);
        Ok(())
    }

    fn limited(&self, lexer: &Lexer<'_>, at: usize) -> Result<(), ODataError> {
        let max = self.paths.limits.group_columns_max;
        if self.columns.len() >= max {
            return Err(lexer.too_much(at, "group_columns_max", max));
        }
        Ok(())
    }

    /// Reads in which order groups come: only by what they are grouped by.
    fn order(&mut self, mut lexer: Lexer<'r>) -> Result<Vec<(usize, bool)>, ODataError> {
        let mut order = Vec::new();
        loop {
            let mut ahead = lexer;
            let (token, at) = ahead.next()?;
            let named = match token {
                Token::Word(name) => self.columns.iter().find(|column| column.name == name),
                _ => None,
            };
            let position = match named {
                Some(column) if column.position < self.groups.len() => {
                    lexer = ahead;
                    column.position
                }
                Some(column) => {
                    let problem =
                        format!("groups cannot be ordered by '{}', only by what they are grouped by", column.name);
                    return Err(lexer.invalid(at, problem));
                }
                None => {
                    let (path, column, at) = self.column(&mut lexer)?;
                    self.groups.iter().position(|group| group.path == path).ok_or_else(|| {
                        let problem =
                            format!("groups cannot be ordered by '{}', only by what they are grouped by", column.name);
                        lexer.invalid(at, problem)
                    })?
                }
            };
            let (mut token, mut at) = lexer.next()?;
            let mut descending = false;
            if let Token::Word(word @ ("asc" | "desc")) = token {
                descending = word == "desc";
                (token, at) = lexer.next()?;
            }
            if !order.iter().any(|(known, _)| *known == position) {
                order.push((position, descending));
            }
            match token {
                Token::Comma => {}
                Token::End => return Ok(order),
                _ => return Err(lexer.invalid(at, "expected 'asc', 'desc', ',' or the end")),
            }
        }
    }
}

/// Takes a token that must come next.
fn expect(lexer: &mut Lexer<'_>, token: &Token<'_>, problem: &str) -> Result<(), ODataError> {
    match lexer.next()? {
        (found, _) if found == *token => Ok(()),
        (_, at) => Err(lexer.invalid(at, problem)),
    }
}

/// Takes a word that must come next.
fn word<'t>(lexer: &mut Lexer<'t>, problem: &str) -> Result<(&'t str, usize), ODataError> {
    match lexer.next()? {
        (Token::Word(word), at) => Ok((word, at)),
        (_, at) => Err(lexer.invalid(at, problem)),
    }
}

/// Refuses an aggregate that is withheld.
fn refuse_withheld(lexer: &Lexer<'_>, limits: &Limits, name: &str, at: usize) -> Result<(), ODataError> {
    match limits.withheld.has("odata.aggregate", name) {
        true => Err(lexer.invalid(at, format!("this service has no aggregate '{name}'"))),
        false => Ok(()),
    }
}

/// Reads the name of an aggregate, for a column that has it.
fn measure(
    lexer: &mut Lexer<'_>,
    limits: &Limits,
    path: Path,
    column: &Column,
) -> Result<(Measure, GroupValue), ODataError> {
    let (name, at) = word(lexer, "expected an aggregate like 'sum'")?;
    refuse_withheld(lexer, limits, name, at)?;
    let (measure, kind) = match name {
        "sum" => (Measure::Sum(path), GroupValue::Value),
        "average" => (Measure::Average(path), GroupValue::Value),
        "min" => (Measure::Least(path), GroupValue::Value),
        "max" => (Measure::Greatest(path), GroupValue::Value),
        "countdistinct" => (Measure::CountValues { path, distinct: true }, GroupValue::Count),
        _ => {
            let problem = format!(
                "there is no aggregate '{name}'; expected sum, average, min, max, countdistinct, or '$count as'"
            );
            return Err(lexer.invalid(at, problem));
        }
    };
    if !has_measure(column, name) {
        let expected = match name {
            "sum" | "average" => "numbers",
            "min" | "max" => "numbers and dates",
            _ => "columns other than long texts and several options",
        };
        return Err(lexer.invalid(at, format!("'{name}' works on {expected}; '{}' holds others", column.name)));
    }
    Ok((measure, kind))
}

/// Whether a column has the aggregate of that name.
pub(super) fn has_measure(column: &Column, name: &str) -> bool {
    let is_number = matches!(
        column.kind,
        ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Decimal { .. }
            | ColumnKind::Double { .. }
            | ColumnKind::Money { .. }
    );
    match name {
        "sum" | "average" => is_number,
        "min" | "max" => is_number || matches!(column.kind, ColumnKind::DateTime { .. }),
        _ => !matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Choices { .. }),
    }
}
