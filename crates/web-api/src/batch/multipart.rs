//! The form of a batch: `multipart/mixed` (RFC 2046) whose parts hold HTTP requests.
//!
//! Clients differ in their line ends, blank lines and what they leave out, so everything that is not needed to tell the
//! parts apart is tolerated.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::failure::Failure;

/// Header lines of one part, or of the request in it: more than clients send, and a bound on what is kept of a batch.
const HEADERS_MAX: usize = 100;

/// One part: its headers and what it holds.
pub(super) struct Part {
    pub headers: HeaderMap,
    pub content: Bytes,
}

/// A request as it stands in a part.
pub(super) struct PartRequest {
    pub method: Method,
    /// The address as it was written.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The boundary that a `multipart/mixed` content type names; `None` for any other type.
pub(super) fn boundary(text: &str) -> Option<Result<String, Failure>> {
    let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let boundary = named
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .find(|value| !value.is_empty() && value.len() <= 200);
    Some(boundary.map(str::to_owned).ok_or_else(|| {
        Failure::invalid(
            "Content-Type: multipart/mixed needs a boundary of 1 to 200 characters: multipart/mixed;boundary=b",
        )
    }))
}

/// Cuts a body at its delimiters.
///
/// # Errors
/// A body without the closing delimiter, which may have been cut short; more than `parts_max` parts.
pub(super) fn parts(body: &Bytes, boundary: &str, parts_max: usize) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    for cut in cuts(body, boundary) {
        let Cut::Part(whole) = cut else { return Ok(parts) };
        if parts.len() >= parts_max {
            return Err(Failure::invalid(format!("a batch has at most {parts_max} operations")));
        }
        parts.push(part(body.slice(whole))?);
    }
    Err(Failure::invalid(format!("the body ends without '--{boundary}--': it is no complete batch")))
}

/// What it takes to read a body part by part, where `cost` says what it takes to read some bytes: the heads of all parts, which
/// are kept together, and the largest of what they hold. What stands before, between and behind the parts is never read.
pub(super) fn cost_in_parts(body: &[u8], boundary: &str, parts_max: usize, cost: impl Fn(&[u8]) -> usize) -> usize {
    let (mut heads, mut largest) = (0, 0);
    for cut in cuts(body, boundary).take(parts_max) {
        let Cut::Part(whole) = cut else { break };
        let part = body.get(whole).unwrap_or_default();
        let head = lines(part, 0).find(|line| line.text.trim_ascii().is_empty()).map_or(part.len(), |line| line.end);
        let (head, content) = part.split_at_checked(head).unwrap_or((part, &[]));
        heads += cost(head);
        largest = largest.max(cost(content));
    }
    heads + largest
}

/// A place where a body is cut.
enum Cut {
    /// A part, with its head.
    Part(Range<usize>),
    /// The closing delimiter.
    End,
}

fn cuts<'b>(body: &'b [u8], boundary: &str) -> impl Iterator<Item = Cut> + use<'b> {
    let delimiter = format!("--{boundary}");
    let closing = format!("--{boundary}--");
    let mut lines = lines(body, 0);
    let mut begun: Option<usize> = None;
    let mut closed = false;
    std::iter::from_fn(move || {
        loop {
            if closed {
                return Some(Cut::End);
            }
            let Line { text, start, end } = lines.next()?;
            let line = text.trim_ascii_end();
            closed = line == closing.as_bytes();
            if !closed && line != delimiter.as_bytes() {
                continue;
            }
            if let Some(begun) = begun.replace(end) {
                // The line end before a delimiter belongs to it.
                return Some(Cut::Part(begun..without_line_end(body, begun, start)));
            }
        }
    })
}

fn part(whole: Bytes) -> Result<Part, Failure> {
    let mut begun = 0;
    let headers = headers(&whole, &mut begun)?;
    Ok(Part { headers, content: whole.slice(begun..) })
}

impl Part {
    /// The request that the part holds.
    pub(super) fn request(&self) -> Result<PartRequest, Failure> {
        let whole = &self.content;
        let first = lines(whole, 0).find(|line| !line.text.trim_ascii().is_empty());
        let first = first.ok_or_else(|| Failure::invalid("a part holds no request"))?;
        let line = std::str::from_utf8(first.text.trim_ascii())
            .map_err(|_| Failure::invalid("the request line of a part is not UTF-8"))?;
        let malformed = || {
            Failure::invalid(format!(
                "'{line}' is no request line; expected one like GET /api/data/v9.2/accounts HTTP/1.1"
            ))
        };
        let (method, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| malformed())?;
        // The address may have blanks in it, so the version is what stands last.
        let target = match rest.rfind(" HTTP/") {
            Some(at) => rest.get(..at).unwrap_or(rest),
            None => rest,
        };
        if target.trim().is_empty() {
            return Err(malformed());
        }
        let mut begun = first.end;
        let headers = headers(whole, &mut begun)?;
        Ok(PartRequest { method, target: target.trim().to_owned(), headers, body: whole.slice(begun..) })
    }
}

/// Reads header lines from `begun` to the next blank line, and leaves `begun` behind it.
fn headers(whole: &Bytes, begun: &mut usize) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for Line { text, end, .. } in lines(whole, *begun) {
        *begun = end;
        let line = text.trim_ascii();
        if line.is_empty() {
            return Ok(headers);
        }
        if headers.len() >= HEADERS_MAX {
            return Err(Failure::invalid(format!("a part has more than {HEADERS_MAX} headers")));
        }
        let malformed = || Failure::invalid(format!("'{}' is no header", String::from_utf8_lossy(line)));
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
        let (name, value) = line.split_at_checked(colon).ok_or_else(malformed)?;
        let name = HeaderName::from_bytes(name.trim_ascii()).map_err(|_| malformed())?;
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        headers.append(name, HeaderValue::from_bytes(value).map_err(|_| malformed())?);
    }
    Ok(headers)
}

/// One line and where it stands: `end` is behind its line end.
struct Line<'b> {
    text: &'b [u8],
    start: usize,
    end: usize,
}

/// The lines from a place on. Lines end with a line feed, before which a carriage return may stand.
fn lines(whole: &[u8], from: usize) -> impl Iterator<Item = Line<'_>> {
    let mut at = from;
    std::iter::from_fn(move || {
        let rest = whole.get(at..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |feed| feed + 1);
        let line = Line { text: rest.get(..length)?, start: at, end: at + length };
        at = line.end;
        Some(line)
    })
}

/// The end of what stands from `begun` to before `end`, without the line end there.
fn without_line_end(whole: &[u8], begun: usize, end: usize) -> usize {
    let content = whole.get(begun..end).unwrap_or_default();
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    begun + content.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn boundaries_are_found_in_every_form() {
        for text in [
            "multipart/mixed;boundary=b_1",
            "multipart/mixed; boundary=b_1",
            "Multipart/Mixed; charset=utf-8; Boundary=\"b_1\"",
            "multipart/mixed;boundary=b_1;x=y",
        ] {
            assert_eq!(boundary(text).unwrap().unwrap(), "b_1", "{text}");
        }
        assert!(boundary("application/json").is_none());
        assert!(boundary("multipart/mixed").unwrap().is_err());
        assert!(boundary("multipart/mixed;boundary=").unwrap().is_err());
        assert!(boundary("").is_none());
    }

    #[test]
    fn parts_are_cut_whatever_ends_the_lines() {
        let lines = [
            "",
            "a preamble",
            "--b",
            "Content-Type: application/http",
            "Content-ID: 7",
            "",
            "POST accounts?$select=a b HTTP/1.1",
            "Content-Type: application/json",
            "",
            "{\"a\":1}",
            "--bb is no delimiter",
            "",
            "--b   ",
            "Content-Type: application/http",
            "",
            "",
            "GET /x",
            "--b--",
            "an epilogue",
        ];
        for line_end in ["\n", "\r\n"] {
            let body = Bytes::from(lines.join(line_end));
            let parts = parts(&body, "b", 10).unwrap();
            assert_eq!(parts.len(), 2);
            assert_eq!(parts[0].headers["content-id"], "7");
            let request = parts[0].request().unwrap();
            assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "accounts?$select=a b"));
            assert_eq!(request.headers["content-type"], "application/json");
            assert_eq!(request.body, format!("{{\"a\":1}}{line_end}--bb is no delimiter{line_end}"));
            let request = parts[1].request().unwrap();
            assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/x"));
            assert!(request.headers.is_empty() && request.body.is_empty());
        }
    }

    #[test]
    fn what_reading_takes_is_that_of_the_largest_part_and_of_all_heads() {
        // Each comma is one, wherever it is read.
        let commas = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b',').count();
        let cost = |body: &str| cost_in_parts(body.as_bytes(), "b", 3, commas);
        assert_eq!(cost(""), 0);
        assert_eq!(cost(&",".repeat(1_000)), 0, "a preamble is not read");
        assert_eq!(cost(",,,\n--b\nA: ,\n\n,,\n--b\nA: ,,\n\n,,,,\n--b--\n,,,"), 3 + 4);
        assert_eq!(cost("--b\n\n,,\n--b\n\n,,,,\ncut short"), 2);
        assert_eq!(cost("--b\n,,,\n--b\n\n1\n--b\n\n2\n--b\n\n,,,,\n--b--"), 3, "more parts are not read");
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let cut = |body: &'static str| parts(&Bytes::from_static(body.as_bytes()), "b", 2);
        assert!(cut("").is_err());
        assert!(cut("--b\n\nGET x\n").is_err(), "cut short");
        assert!(cut("--b\nno header\n\nGET x\n--b--").is_err());
        assert!(cut("--b\n\n1\n--b\n\n2\n--b\n\n3\n--b--").is_err(), "too many");
        assert_eq!(cut("--b--").unwrap().len(), 0);
        let request = |content: &'static str| {
            Part { headers: HeaderMap::new(), content: Bytes::from_static(content.as_bytes()) }.request().err()
        };
        for content in ["", "\n\n", "GET", "G<T x HTTP/1.1", "GET  HTTP/1.1", "GET x HTTP/1.1\nno header"] {
            assert!(request(content).is_some(), "{content:?}");
        }
    }
}
