//! `$orderby`: in which order.

use custodia_schema::{Column, ColumnKind};

use super::ODataError;
use super::filter::{Given, no_value};
use super::lexer::{Lexer, Token};
use super::path::{Goal, PathReader, unknown_column};
use crate::{Order, Path};

/// Texts longer than this are no sort keys: the last one of a page stands in the link to the next.
const SORTED_LENGTH_MAX: u32 = 4_000;

/// Reads sort keys of the table of `paths` from the whole of `lexer`.
///
/// A key that can no longer decide anything is dropped: a path named before, and all that follows the primary id.
pub(super) fn order(
    mut lexer: Lexer<'_>,
    given: Given<'_>,
    paths: &mut PathReader<'_>,
) -> Result<Vec<Order>, ODataError> {
    let mut keys: Vec<Order> = Vec::new();
    let mut decided = false;
    let mut count = 0;
    loop {
        let (token, at) = lexer.next()?;
        count += 1;
        if count > paths.limits.order_keys_max {
            return Err(lexer.too_much(at, "order_keys_max", paths.limits.order_keys_max));
        }
        let path = match token {
            Token::Word(name) => key(&mut lexer, name, at, paths)?,
            Token::Alias(name) => {
                let mut alias = Lexer::new(name, given.alias(name).ok_or_else(|| no_value(&lexer, at, name))?);
                let (Token::Word(first), first_at) = alias.next()? else {
                    return Err(alias.invalid(0, "expected the name of a column"));
                };
                let path = key(&mut alias, first, first_at, paths)?;
                alias.end_after("the path to a column")?;
                path
            }
            _ => return Err(lexer.invalid(lexer.at(), "expected the name of a column")),
        };
        let mut descending = false;
        let (mut token, mut next_at) = lexer.next()?;
        if let Token::Word(word @ ("asc" | "desc")) = token {
            descending = word == "desc";
            (token, next_at) = lexer.next()?;
        }
        if !decided && !keys.iter().any(|key| key.path == path) {
            decided = path == Path::own(paths.table.primary_id);
            keys.push(Order::by_value(path, descending));
        }
        match token {
            Token::Comma => {}
            Token::End => return Ok(keys),
            _ => return Err(lexer.invalid(next_at, "expected 'asc', 'desc', ',' or the end")),
        }
    }
}

/// Reads the path of a sort key, whose first name has been taken from the lexer already.
fn key<'t>(lexer: &mut Lexer<'t>, first: &'t str, at: usize, paths: &mut PathReader<'_>) -> Result<Path, ODataError> {
    match paths.read(lexer, first, at)? {
        Goal::Column(path, column) => {
            check(lexer, at, column)?;
            Ok(path)
        }
        Goal::Rows(_) => Err(lexer.invalid(at, "rows are not ordered by tests of a collection")),
        Goal::Row(_) => {
            let name = lexer.slice(at, lexer.at());
            Err(unknown_column(lexer, at, name, paths.table))
        }
    }
}

/// Rows can be ordered by the column: it has one value, and not a long one.
pub(super) fn can_sort(column: &Column) -> bool {
    why_unsorted(column).is_none()
}

fn why_unsorted(column: &Column) -> Option<&'static str> {
    match column.kind {
        ColumnKind::Choices { .. } => Some("holds several options"),
        ColumnKind::Memo { max_length, .. } if max_length > SORTED_LENGTH_MAX => {
            Some("holds texts too long to sort by")
        }
        _ => None,
    }
}

fn check(lexer: &Lexer<'_>, at: usize, column: &Column) -> Result<(), ODataError> {
    match why_unsorted(column) {
        Some(problem) => Err(lexer.invalid(at, format!("rows cannot be ordered by '{}': it {problem}", column.name))),
        None => Ok(()),
    }
}
