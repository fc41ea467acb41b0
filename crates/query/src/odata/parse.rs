//! Query options into a [`Query`].

use custodia_schema::{Schema, Table};

use super::expand::{expand, top};
use super::filter::{Given, NAMESPACE, filter};
use super::lexer::{Lexer, Token};
use super::options::query_options;
use super::order::order;
use super::path::PathReader;
use super::select::{Selection, projection};
use super::shape::Shape;
use super::{Limits, ODataError, Place};
use crate::operator::Asker;
use crate::{Filter, Query};

/// What query options ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The query. Its `page_size` is [`Limits::page_rows_max`], its `related` and `after` are for the caller to fill.
    pub query: Query,
    /// What the answer looks like.
    pub shape: Shape,
    /// `$skiptoken`, decoded as the other options; see [`super::SkipToken::decode`].
    pub skip_token: Option<String>,
}

/// Options that stand for a whole query of another language, or ask for another kind of answer.
const LATER_OPTIONS: [&str; 7] = ["$compute", "$deltatoken", "$format", "fetchXml", "savedQuery", "sql", "userQuery"];

/// Options on a collection.
const COLLECTION_OPTIONS: [&str; 7] = ["$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken"];

/// Options on one record.
const RECORD_OPTIONS: [&str; 2] = ["$select", "$expand"];

/// Whether what options say may depend on who asks, so that [`parse_options`] needs to know it.
#[must_use]
pub fn depends_on_asker(options: &[(String, String)]) -> bool {
    options.iter().any(|(_, value)| value.contains(NAMESPACE))
}

/// Reads the raw query string, without its `?`, of a request for rows of `table` which does not depend on who asks.
///
/// # Errors
/// See [`ODataError`].
pub fn parse(schema: &Schema, table: &Table, raw: &str, limits: &Limits) -> Result<Parsed, ODataError> {
    parse_options(schema, table, &query_options(raw, limits)?, limits, None)
}

/// Reads decoded query options, as [`query_options`] gives them, of a request for rows of `table`.
///
/// `asker` is needed where [`depends_on_asker`].
///
/// # Errors
/// See [`ODataError`].
pub fn parse_options(
    schema: &Schema,
    table: &Table,
    options: &[(String, String)],
    limits: &Limits,
    asker: Option<&Asker>,
) -> Result<Parsed, ODataError> {
    read(schema, table, options, limits, asker, &COLLECTION_OPTIONS)
}

/// Reads decoded query options of a request for one record: `$select` and `$expand` only.
///
/// # Errors
/// See [`ODataError`].
pub fn parse_record_options(
    schema: &Schema,
    table: &Table,
    options: &[(String, String)],
    limits: &Limits,
    asker: Option<&Asker>,
) -> Result<Parsed, ODataError> {
    read(schema, table, options, limits, asker, &RECORD_OPTIONS)
}

fn read(
    schema: &Schema,
    table: &Table,
    options: &[(String, String)],
    limits: &Limits,
    asker: Option<&Asker>,
    allowed: &[&str],
) -> Result<Parsed, ODataError> {
    for (position, (name, _)) in options.iter().enumerate() {
        let name = name.as_str();
        let place = || Place::whole("query string");
        if LATER_OPTIONS.contains(&name) {
            return Err(ODataError::Unsupported { place: place(), what: format!("the option '{name}'") });
        }
        if name.starts_with('$') && !allowed.contains(&name) {
            let problem = format!("the option '{name}' is not supported here; expected {}", allowed.join(", "));
            return Err(ODataError::Invalid { place: place(), problem });
        }
        let before = options.iter().take(position);
        if name.starts_with(['$', '@']) && before.into_iter().any(|(earlier, _)| earlier == name) {
            let problem = format!("the option '{name}' is given twice");
            return Err(ODataError::Invalid { place: place(), problem });
        }
    }
    let option = |wanted: &'static str| {
        options.iter().find(|(name, _)| name == wanted).map(|(_, value)| Lexer::new(wanted, value))
    };

    let given = Given { aliases: options, asker };
    let selection = match option("$select") {
        Some(lexer) => Selection::read(lexer)?,
        None => Selection::everything(Lexer::new("$select", "")),
    };
    let columns = selection.columns(table)?;
    let (fields, mut shape) = projection(table, columns.as_deref());
    shape.as_owner = selection.names_owner_id(table);
    let mut paths = PathReader::new(schema, limits, table);
    let filter = match option("$filter") {
        Some(lexer) => filter(lexer, given, &mut paths)?,
        None => Filter::True,
    };
    let order = match option("$orderby") {
        Some(lexer) => order(lexer, given, &mut paths)?,
        None => Vec::new(),
    };
    let mut expands = Vec::new();
    if let Some(lexer) = option("$expand") {
        (expands, shape.expand) = expand(lexer, schema, limits, table, given)?;
    }
    let query = Query {
        fields,
        filter,
        order,
        top: option("$top").map(top).transpose()?,
        count: option("$count").map(count).transpose()?.unwrap_or(false),
        expand: expands,
        ..Query::of(table, limits.page_rows_max.max(1))
    };
    let skip_token = options.iter().find(|(name, _)| name == "$skiptoken").map(|(_, value)| value.clone());
    Ok(Parsed { query, shape, skip_token })
}

fn count(mut lexer: Lexer<'_>) -> Result<bool, ODataError> {
    let (token, at) = lexer.next()?;
    let value = match token {
        Token::Word("true") => true,
        Token::Word("false") => false,
        _ => return Err(lexer.invalid(at, "expected true or false")),
    };
    match lexer.next()? {
        (Token::End, _) => Ok(value),
        (_, at) => Err(lexer.invalid(at, "expected nothing after true or false")),
    }
}
