//! Text patterns over fold columns (decision 0001.10). A pattern becomes the cheapest condition that says the same: a
//! range for a prefix, a search for a substring, and a matcher for the rest: on PostgreSQL the engine's own, with its special
//! characters taken literally, on SQLite ours (`crate::patterns`).

use std::borrow::Cow;

use custodia_query::{LikePattern, LikeToken};
use custodia_schema::Value;

use super::Dialect;
use super::filter::{Indexing, constant};
use super::storage::Storage;
use super::writer::Writer;
use crate::patterns::MATCHES;

/// Writes the condition, in brackets where it needs them; it is unknown for null. `column` writes the folded column.
pub(crate) fn write(w: &mut Writer, pattern: &LikePattern, column: impl Fn(&mut Writer, Indexing)) {
    match pattern {
        LikePattern::Anything => {
            column(w, Indexing::Open);
            w.text(" IS NOT NULL");
        }
        LikePattern::Exact(text) => {
            column(w, Indexing::Open);
            w.text(" = ");
            bind(w, text);
        }
        LikePattern::Prefix(text) => write_prefix(w, text, &column),
        LikePattern::Suffix(text) => write_suffix(w, text, &column),
        LikePattern::Substring(text) => match w.dialect {
            Dialect::Sqlite => write_match(w, pattern, &column),
            Dialect::Postgres => {
                w.text("strpos(");
                column(w, Indexing::Open);
                w.text(", ");
                bind(w, text);
                w.text(") > 0");
            }
        },
        LikePattern::General(tokens) => write_general(w, pattern, tokens, &column),
    }
}

fn bind(w: &mut Writer, text: &str) {
    w.value(Value::Text(text.to_owned()), Storage::Text);
}

/// Texts that begin with this: those from it up to the next text that does not.
fn write_prefix(w: &mut Writer, text: &str, column: &impl Fn(&mut Writer, Indexing)) {
    w.text("(");
    column(w, Indexing::Open);
    w.text(" >= ");
    bind(w, text);
    if let Some(next) = after_prefix(text) {
        w.text(" AND ");
        column(w, Indexing::Open);
        w.text(" < ");
        w.value(Value::Text(next), Storage::Text);
    }
    w.text(")");
}

/// The least text above all that begin with `prefix`: byte order of UTF-8 is the order of the characters' numbers.
/// `None` when there is none.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn write_suffix(w: &mut Writer, text: &str, column: &impl Fn(&mut Writer, Indexing)) {
    let characters = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    match w.dialect {
        Dialect::Sqlite => {
            w.text("substr(");
            column(w, Indexing::Open);
            w.text(", ");
            w.value(Value::BigInt(-characters), Storage::BigInt);
        }
        Dialect::Postgres => {
            w.text("right(");
            column(w, Indexing::Open);
            w.text(", ");
            w.value(Value::Integer(i32::try_from(characters).unwrap_or(i32::MAX)), Storage::Integer);
        }
    }
    w.text(") = ");
    bind(w, text);
}

/// By the pattern's own matcher, whose time on SQLite is bounded.
fn write_match(w: &mut Writer, pattern: &LikePattern, column: &impl Fn(&mut Writer, Indexing)) {
    w.text(MATCHES);
    w.text("(");
    column(w, Indexing::Open);
    w.text(", ");
    bind(w, &pattern.to_text());
    w.text(")");
}

fn write_general(w: &mut Writer, pattern: &LikePattern, tokens: &[LikeToken], column: &impl Fn(&mut Writer, Indexing)) {
    if tokens.iter().any(|token| matches!(class_of(token), Some(Class { negated: false, empty: true, .. }))) {
        constant(w, false);
        return;
    }
    let prefix: String =
        tokens.iter().map_while(|token| if let LikeToken::Char(c) = token { Some(*c) } else { None }).collect();
    w.text("(");
    if !prefix.is_empty() {
        write_prefix(w, &prefix, column);
        w.text(" AND ");
    }
    match w.dialect {
        Dialect::Sqlite => write_match(w, pattern, column),
        Dialect::Postgres if tokens.iter().any(|token| class_of(token).is_some_and(|class| !class.empty)) => {
            column(w, Indexing::Open);
            w.text(" ~ ");
            bind(w, &regular_expression(tokens));
        }
        Dialect::Postgres => {
            column(w, Indexing::Open);
            w.text(" LIKE ");
            bind(w, &like(tokens));
        }
    }
    w.text(")");
}

struct Class<'t> {
    negated: bool,
    ranges: Cow<'t, [(char, char)]>,
    /// No character is named: outside of it is every one, in it none.
    empty: bool,
}

/// A class without the ranges that hold nothing.
fn class_of(token: &LikeToken) -> Option<Class<'_>> {
    let LikeToken::Class { negated, ranges } = token else { return None };
    let ranges: Cow<'_, [(char, char)]> = if ranges.iter().all(|(low, high)| low <= high) {
        Cow::Borrowed(ranges)
    } else {
        Cow::Owned(ranges.iter().copied().filter(|(low, high)| low <= high).collect())
    };
    let empty = ranges.is_empty();
    Some(Class { negated: *negated, ranges, empty })
}

/// PostgreSQL's LIKE, for patterns without classes.
fn like(tokens: &[LikeToken]) -> String {
    let mut text = String::with_capacity(tokens.len() + 8);
    for token in tokens {
        match token {
            LikeToken::Char(c @ ('%' | '_' | '\\')) => text.extend(['\\', *c]),
            LikeToken::Char(c) => text.push(*c),
            LikeToken::One | LikeToken::Class { .. } => text.push('_'),
            LikeToken::Many => text.push('%'),
        }
    }
    text
}

/// PostgreSQL's regular expressions, anchored at both ends.
fn regular_expression(tokens: &[LikeToken]) -> String {
    let mut text = String::with_capacity(tokens.len() * 2 + 8);
    text.push('^');
    for token in tokens {
        match token {
            LikeToken::Char(c) => push_escaped(&mut text, *c),
            LikeToken::One => text.push('.'),
            LikeToken::Many => text.push_str(".*"),
            LikeToken::Class { .. } => match class_of(token) {
                Some(class) if !class.empty => {
                    text.push_str(if class.negated { "[^" } else { "[" });
                    for (low, high) in class.ranges.iter() {
                        push_escaped(&mut text, *low);
                        if low < high {
                            text.push('-');
                            push_escaped(&mut text, *high);
                        }
                    }
                    text.push(']');
                }
                _ => text.push('.'),
            },
        }
    }
    text.push('$');
    text
}

/// A backslash before anything but letters, digits and what is not ASCII takes it literally.
fn push_escaped(text: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        text.push('\\');
    }
    text.push(c);
}
