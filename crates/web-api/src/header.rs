//! Headers that say one thing: as text, or not at all.

use http::HeaderMap;
use http::header::AsHeaderName;

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
    let text = first.map(http::HeaderValue::to_str).transpose();
    match text {
        Ok(text) => Ok(text.map(str::trim)),
        Err(_) => Err(Failure::invalid(format!("{} has characters that are not of ASCII", name.as_ref()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use http::HeaderValue;

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
