//! Headers that say one thing: as text, or not at all.

use http::header::{AsHeaderName, CONTENT_ENCODING};
use http::{HeaderMap, HeaderValue};

use crate::failure::Failure;

/// The text of a header without the blanks around it; none where the header is not there.
///
/// # Errors
/// A header that is given twice, since which of the two would count is not for us to guess, and one that is not text: it never
/// counts as absent.
pub(crate) fn single(
    headers: &HeaderMap,
    name: impl AsHeaderName + AsRef<str> + Copy,
) -> Result<Option<&str>, Failure> {
    let mut given = headers.get_all(name).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        return Err(Failure::invalid(format!("{} is given twice", name.as_ref())));
    }
    let text = first.map(HeaderValue::to_str).transpose();
    match text {
        Ok(text) => Ok(text.map(str::trim)),
        Err(_) => Err(Failure::invalid(format!("{} has characters that are not of ASCII", name.as_ref()))),
    }
}

/// Why a body with these headers is not taken: it is encoded (415). Bodies are taken as they are: a few bytes that unfold to many
/// would be a way to fill the memory.
pub fn encoding_refused(headers: &HeaderMap) -> Option<String> {
    let encoding = headers.get_all(CONTENT_ENCODING).iter().find(|value| !is_identity(value))?;
    let named = encoding.to_str().ok().filter(|text| text.len() <= 100).unwrap_or("this encoding");
    Some(format!("Bodies with Content-Encoding are not taken; send it without '{named}'."))
}

/// Whether a body with this encoding is as it is.
fn is_identity(encoding: &HeaderValue) -> bool {
    encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity") || encoding.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_header_is_absent_or_text_or_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(single(&headers, "x").unwrap(), None);
        headers.append("x", HeaderValue::from_static(" a "));
        assert_eq!(single(&headers, "x").unwrap(), Some("a"));
        headers.append("x", HeaderValue::from_static("a"));
        assert_eq!(single(&headers, "x").unwrap_err().message, "x is given twice");
        headers.insert("x", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(single(&headers, "x").unwrap_err().status, 400);
    }
}
