//! Query strings: cut into options and written again.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Limits, ODataError, Place};

/// What stays as it is in a written query string.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'$')
    .remove(b'@')
    .remove(b'(')
    .remove(b')')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'*')
    .remove(b'!');

/// Cuts a raw query string, without its `?`, into decoded names and values, in order.
///
/// Blanks may stand as `%20` or `+`; braces, quotes and bars may stand unencoded, as clients send them. A `%` that
/// begins no code stands for itself.
///
/// # Errors
/// More than [`Limits::query_bytes_max`] or [`Limits::options_max`], or bytes that are no UTF-8.
pub fn query_options(raw: &str, limits: &Limits) -> Result<Vec<(String, String)>, ODataError> {
    let too_much = |limit, max| {
        let place = Place::whole("query string");
        Err(ODataError::TooMuch { place, limit, max })
    };
    if raw.len() > limits.query_bytes_max {
        return too_much("query_bytes_max", limits.query_bytes_max);
    }
    let mut options = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        if options.len() >= limits.options_max {
            return too_much("options_max", limits.options_max);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name, "query string")?;
        let value = decode(value, if name.is_empty() { "query string" } else { &name })?;
        options.push((name, value));
    }
    Ok(options)
}

fn decode(text: &str, part: &str) -> Result<String, ODataError> {
    let blanks: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    match percent_decode_str(&blanks).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(fault) => {
            let bytes: Vec<u8> = percent_decode_str(&blanks).take(fault.valid_up_to()).collect();
            let character = String::from_utf8_lossy(&bytes).chars().count() + 1;
            let place = Place { part: part.to_owned(), character };
            Err(ODataError::Invalid { place, problem: "expected text in UTF-8, percent-encoded".to_owned() })
        }
    }
}

/// Writes options as a query string, without a `?`, that [`query_options`] reads as the same.
#[must_use]
pub fn query_string<'a>(options: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut raw = String::new();
    for (name, value) in options {
        if !raw.is_empty() {
            raw.push('&');
        }
        // Writing into a string cannot fail.
        let _ = write!(raw, "{}={}", utf8_percent_encode(name, KEPT), utf8_percent_encode(value, KEPT));
    }
    raw
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn raw_query_strings_are_tolerated() {
        let cases = [
            ("", vec![]),
            ("&&", vec![]),
            ("$top=3", vec![("$top", "3")]),
            ("$count", vec![("$count", "")]),
            ("$filter=name eq 'a b'", vec![("$filter", "name eq 'a b'")]),
            ("$filter=name%20eq+'a%2Bb'", vec![("$filter", "name eq 'a+b'")]),
            ("%24filter=x%20eq%20%27%26%27&a=1", vec![("$filter", "x eq '&'"), ("a", "1")]),
            ("$filter=id eq {0}|\"x\"", vec![("$filter", "id eq {0}|\"x\"")]),
            ("$filter=contains(a,'100%')", vec![("$filter", "contains(a,'100%')")]),
            ("@p={'@odata.id':'accounts(1)'}", vec![("@p", "{'@odata.id':'accounts(1)'}")]),
            ("a=b=c", vec![("a", "b=c")]),
            ("$filter=a eq 'Z%C3%BCrich'", vec![("$filter", "a eq 'Zürich'")]),
        ];
        for (raw, expected) in cases {
            let expected: Vec<(String, String)> =
                expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(query_options(raw, &Limits::default()), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_they_stand() {
        let error = query_options("$filter=ab%FFc", &Limits::default()).unwrap_err();
        assert_eq!(*error.place(), Place { part: "$filter".into(), character: 3 });
    }

    #[test]
    fn query_strings_are_bounded() {
        let limits = Limits { query_bytes_max: 10, ..Limits::default() };
        assert!(query_options("$top=12345", &limits).is_ok());
        let error = query_options("$top=123456", &limits).unwrap_err();
        assert!(matches!(error, ODataError::TooMuch { limit: "query_bytes_max", max: 10, .. }));
        let limits = Limits { options_max: 2, ..Limits::default() };
        assert!(query_options("a=1&&b=2&", &limits).is_ok());
        let error = query_options("a=1&b=2&c=3", &limits).unwrap_err();
        assert!(matches!(error, ODataError::TooMuch { limit: "options_max", max: 2, .. }));
    }

    proptest! {
        #[test]
        fn written_options_read_back_equal(options in prop::collection::vec((".{1,8}", ".{0,12}"), 0..4)) {
            let written = query_string(options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(query_options(&written, &Limits::default()), Ok(options));
        }
    }
}
