//! `$orderby`: in which order.

use custodia_schema::{Column, ColumnKind};

use super::ODataError;
use super::lexer::{Lexer, Token};
use super::path::{Goal, PathReader, unknown_column};
use crate::{Order, Path};

/// Texts longer than this are no sort keys: the last one of a page stands in the link to the next.
const SORTED_LENGTH_MAX: u32 = 4_000;

/// Reads sort keys of the table of `paths` from the whole of `lexer`.
///
/// A key that can no longer decide anything is dropped: a path named before, and all that follows the primary id.
pub(super) fn order(mut lexer: Lexer<'_>, paths: &mut PathReader<'_>) -> Result<Vec<Order>, ODataError> {
    let mut keys: Vec<Order> = Vec::new();
    let mut decided = false;
    let mut count = 0;
    loop {
        let (Token::Word(name), at) = lexer.next()? else {
            return Err(lexer.invalid(lexer.at(), "expected the name of a column"));
        };
        count += 1;
        if count > paths.limits.order_keys_max {
            return Err(lexer.too_much(at, "order_keys_max", paths.limits.order_keys_max));
        }
        let path = match paths.read(&mut lexer, name, at)? {
            Goal::Column(path, column) => {
                check(&lexer, at, column)?;
                path
            }
            Goal::Rows(_) => return Err(lexer.invalid(at, "rows are not ordered by tests of a collection")),
            Goal::Row(_) => {
                let name = lexer.slice(at, lexer.at());
                return Err(unknown_column(&lexer, at, name, paths.table));
            }
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
