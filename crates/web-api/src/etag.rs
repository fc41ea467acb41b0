//! Entity tags: `W/"<version number>"`, and the conditions made of them.

use custodia_org::Precondition;
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::failure::Failure;
use crate::header::single;

/// What a header with entity tags says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    /// `*`.
    Any,
    /// A version number.
    Version(i64),
    /// An entity tag that was not given out here: no record has it.
    Foreign,
}

/// What must hold of a record before it is written: from `If-Match` and `If-None-Match`.
///
/// # Errors
/// A header that is malformed (400), and a condition that no record can meet (412).
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Precondition, Failure> {
    match (tag(headers, &IF_MATCH)?, tag(headers, &IF_NONE_MATCH)?) {
        (None, None) => Ok(Precondition::None),
        (Some(Tag::Any), None) => Ok(Precondition::Exists),
        (Some(Tag::Version(version)), None) => Ok(Precondition::Version(version)),
        (Some(Tag::Foreign), None) => Err(Failure::version_mismatch()),
        (None, Some(Tag::Any)) => Ok(Precondition::Absent),
        (None, Some(_)) => Err(Failure::invalid("If-None-Match on a write takes * only")),
        (Some(_), Some(_)) => Err(Failure::invalid("If-Match and If-None-Match exclude each other")),
    }
}

/// The version of the record that the caller has already: from `If-None-Match` of a read.
///
/// # Errors
/// A header that is malformed. An empty one says nothing: without it the record is answered, which harms nobody.
pub(crate) fn known_version(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    if single(headers, &IF_NONE_MATCH)? == Some("") {
        return Ok(None);
    }
    Ok(match tag(headers, &IF_NONE_MATCH)? {
        Some(Tag::Version(version)) => Some(version),
        Some(Tag::Any | Tag::Foreign) | None => None,
    })
}

fn tag(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tag>, Failure> {
    let Some(text) = single(headers, name)? else { return Ok(None) };
    match text {
        // One client sends the word where it has no tag.
        "null" => return Ok(None),
        "*" => return Ok(Some(Tag::Any)),
        _ => {}
    }
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|inner| !inner.contains('"'));
    match inner {
        Some(inner) => Ok(Some(inner.parse().map_or(Tag::Foreign, Tag::Version))),
        None => Err(Failure::invalid(format!("{name} is '{text}'; expected * or an entity tag like W/\"123\""))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |value: &str| http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        pairs.iter().map(|(name, text)| (name.clone(), value(text))).collect()
    }

    #[test]
    fn conditions_of_writes() {
        type Given<'g> = &'g [(HeaderName, &'g str)];
        let cases: [(Given<'_>, Result<Precondition, u16>); 18] = [
            (&[], Ok(Precondition::None)),
            (&[(IF_MATCH, "*")], Ok(Precondition::Exists)),
            (&[(IF_MATCH, "W/\"42\"")], Ok(Precondition::Version(42))),
            (&[(IF_MATCH, "\"42\"")], Ok(Precondition::Version(42))),
            (&[(IF_NONE_MATCH, "*")], Ok(Precondition::Absent)),
            (&[(IF_NONE_MATCH, "null")], Ok(Precondition::None)),
            (&[(IF_MATCH, "*"), (IF_NONE_MATCH, "null")], Ok(Precondition::Exists)),
            (&[(IF_MATCH, "W/\"x\"")], Err(412)),
            (&[(IF_MATCH, "W/\"99999999999999999999\"")], Err(412)),
            (&[(IF_MATCH, "42")], Err(400)),
            (&[(IF_MATCH, "W/\"1\", W/\"2\"")], Err(400)),
            (&[(IF_NONE_MATCH, "W/\"42\"")], Err(400)),
            (&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")], Err(400)),
            // What is no tag leaves no write without a condition.
            (&[(IF_MATCH, "")], Err(400)),
            (&[(IF_MATCH, "W/\"\u{e9}\"")], Err(400)),
            (&[(IF_MATCH, "\u{e9}")], Err(400)),
            (&[(IF_NONE_MATCH, "\u{e9}")], Err(400)),
            (&[(IF_NONE_MATCH, "")], Err(400)),
        ];
        for (given, expected) in cases {
            let found = precondition(&headers(given)).map_err(|failure| failure.status.as_u16());
            assert_eq!(found, expected, "{given:?}");
        }
    }

    #[test]
    fn one_header_says_which_tag() {
        for name in [IF_MATCH, IF_NONE_MATCH] {
            let mut twice = headers(&[(name.clone(), "*")]);
            twice.append(name, http::HeaderValue::from_static("*"));
            assert_eq!(precondition(&twice).unwrap_err().status.as_u16(), 400);
        }
    }

    #[test]
    fn versions_that_readers_have() {
        for (text, expected) in
            [("W/\"7\"", Some(7)), ("null", None), ("*", None), ("W/\"x\"", None), ("", None), (" ", None)]
        {
            assert_eq!(known_version(&headers(&[(IF_NONE_MATCH, text)])).unwrap(), expected, "{text}");
        }
    }
}
