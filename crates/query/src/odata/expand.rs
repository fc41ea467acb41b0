//! `$expand`: related records shown with each record. One level; what is below it comes later.

use custodia_schema::{Guid, Schema, Table};

use super::filter::filter;
use super::lexer::{Lexer, Token};
use super::names::{CollectionNavigation, Navigation, SingleNavigation, navigation};
use super::order::order;
use super::path::{PathReader, unknown};
use super::select::{Selection, projection};
use super::shape::ExpandShape;
use super::{Limits, ODataError};
use crate::{Expand, Filter, Order, Query, Step};

/// The options in the parentheses of one expanded navigation.
struct Options<'t> {
    select: Selection<'t>,
    filter: Option<Lexer<'t>>,
    order: Option<Lexer<'t>>,
    top: Option<u32>,
    /// Where the first option stands that only a collection takes.
    collection_only_at: Option<usize>,
}

/// Reads what is expanded on rows of `table` from the whole of `lexer`.
pub(super) fn expand(
    mut lexer: Lexer<'_>,
    schema: &Schema,
    limits: &Limits,
    table: &Table,
    aliases: &[(String, String)],
) -> Result<(Vec<Expand>, Vec<ExpandShape>), ODataError> {
    let mut expands = Vec::new();
    let mut shapes: Vec<ExpandShape> = Vec::new();
    loop {
        let (name, at) = match lexer.next()? {
            (Token::Word(name), at) => (name, at),
            (Token::Star, at) => return Err(lexer.unsupported(at, "'*' in $expand")),
            (_, at) => return Err(lexer.invalid(at, "expected the name of a navigation")),
        };
        if expands.len() >= limits.expand_max {
            return Err(lexer.too_much(at, "expand_max", limits.expand_max));
        }
        let Some(navigation) = navigation(schema, table, name) else {
            return Err(unknown(&lexer, at, name, &table.name));
        };
        if shapes.iter().any(|known| known.name == name) {
            return Err(lexer.invalid(at, format!("'{name}' is expanded twice")));
        }
        let (mut token, mut next_at) = lexer.next()?;
        if token == Token::Slash {
            let (_, at) = lexer.next()?;
            return Err(lexer.unsupported(at, format!("'{}' in $expand", lexer.slice(at, lexer.at()))));
        }
        let mut options = Options {
            select: Selection::everything(lexer),
            filter: None,
            order: None,
            top: None,
            collection_only_at: None,
        };
        if token == Token::Open {
            read_options(&mut lexer, &mut options)?;
            (token, next_at) = lexer.next()?;
        }
        match navigation {
            Navigation::Single(single) => {
                if let Some(at) = options.collection_only_at {
                    let problem = format!("'{name}' leads to one record at most; expected '$select' only");
                    return Err(lexer.invalid(at, problem));
                }
                for (expand, shape) in expand_single(schema, table, &single, &options.select)? {
                    expands.push(expand);
                    shapes.push(shape);
                }
            }
            Navigation::Collection(collection) => {
                let Some(far) = schema.table(collection.table) else {
                    return Err(unknown(&lexer, at, name, &table.name));
                };
                let (expand, shape) = expand_collection(schema, limits, table, far, &collection, &options, aliases)?;
                expands.push(expand);
                shapes.push(shape);
            }
        }
        match token {
            Token::Comma => {}
            Token::End => return Ok((expands, shapes)),
            _ => return Err(lexer.invalid(next_at, "expected ',', '(' or the end")),
        }
    }
}

/// Reads options separated by `;` up to and with the closing parenthesis.
fn read_options<'t>(lexer: &mut Lexer<'t>, options: &mut Options<'t>) -> Result<(), ODataError> {
    let mut seen: Vec<&str> = Vec::new();
    loop {
        let (name, at) = match lexer.next()? {
            (Token::Word(name), at) => (name, at),
            (Token::Close, _) if seen.is_empty() => return Ok(()),
            (_, at) => return Err(lexer.invalid(at, "expected an option like '$select'")),
        };
        let (Token::Equals, _) = lexer.next()? else {
            return Err(lexer.invalid(lexer.at(), format!("expected '=' after '{name}'")));
        };
        if seen.contains(&name) {
            return Err(lexer.invalid(at, format!("'{name}' is given twice")));
        }
        seen.push(name);
        let start = lexer.at();
        let end = lexer.end_of_stretch(&[';', ')']);
        let value = lexer.within(start, end);
        lexer.go_to(end);
        match name {
            "$select" => options.select = Selection::read(value)?,
            "$filter" => options.filter = Some(value),
            "$orderby" => options.order = Some(value),
            "$top" => options.top = Some(top(value)?),
            "$expand" | "$levels" => return Err(lexer.unsupported(at, format!("'{name}' within $expand"))),
            _ => {
                let problem = format!(
                    "the option '{name}' is not supported within $expand; expected $select, $filter, $orderby or $top"
                );
                return Err(lexer.invalid(at, problem));
            }
        }
        if name != "$select" {
            options.collection_only_at.get_or_insert(at);
        }
        match lexer.rest().chars().next() {
            Some(';') => lexer.go_to(end + 1),
            Some(')') => {
                lexer.go_to(end + 1);
                return Ok(());
            }
            _ => return Err(lexer.invalid(end, "expected ';' or ')'")),
        }
    }
}

/// Reads the number of a `$top`.
pub(super) fn top(mut lexer: Lexer<'_>) -> Result<u32, ODataError> {
    lexer.skip_blanks();
    let digits = lexer.rest().trim_end_matches(' ');
    let number = (digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse::<i32>().ok()).flatten();
    number
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| lexer.invalid(lexer.at(), format!("expected a whole number from 0 to {}", i32::MAX)))
}

fn expand_single(
    schema: &Schema,
    table: &Table,
    single: &SingleNavigation,
    select: &Selection<'_>,
) -> Result<Vec<(Expand, ExpandShape)>, ODataError> {
    let targets: Vec<&Table> =
        single.targets.iter().filter_map(|target| schema.table(*target)).map(|target| &**target).collect();
    let selected = match targets.as_slice() {
        [target] => vec![select.columns(target)?],
        several => {
            let id_name = table.column_by_id(single.lookup).map_or("", |lookup| lookup.name.as_str());
            select.columns_of_owner(several, id_name)?
        }
    };
    Ok(targets
        .iter()
        .zip(selected)
        .map(|(target, columns)| {
            let (fields, shape) = projection(target, columns.as_deref());
            let step = Step { lookup: single.lookup, target: target.id };
            (
                Expand::One { name: single.name.clone(), step, fields, expand: Vec::new() },
                ExpandShape { name: single.name.clone(), collection: false, shape },
            )
        })
        .collect())
}

fn expand_collection(
    schema: &Schema,
    limits: &Limits,
    table: &Table,
    far: &Table,
    collection: &CollectionNavigation,
    options: &Options<'_>,
    aliases: &[(String, String)],
) -> Result<(Expand, ExpandShape), ODataError> {
    let name = &collection.name;
    let columns = options.select.columns(far)?;
    let (fields, shape) = projection(far, columns.as_deref());
    let mut paths = PathReader::new(schema, limits, far);
    let filter = match options.filter {
        Some(lexer) => filter(lexer, aliases, &mut paths)?,
        None => Filter::True,
    };
    let order: Vec<Order> = match options.order {
        Some(lexer) => order(lexer, &mut paths)?,
        None => Vec::new(),
    };
    let query = Query {
        fields,
        filter,
        related: Some(collection.of(table.id, Guid::nil())),
        order,
        top: options.top,
        ..Query::of(far, limits.page_rows_max.max(1))
    };
    Ok((
        Expand::Many { name: name.clone(), query: Box::new(query) },
        ExpandShape { name: name.clone(), collection: true, shape },
    ))
}
