//! Requests and answers as texts: a request line, header lines, an empty line, a body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};

/// A request as an input has it.
pub(crate) struct Message {
    pub method: Method,
    /// Path and query below the service root.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Message {
    /// Reads an input; `None` for what no server would hand on: addresses and headers that HTTP does not know.
    pub fn read(data: &[u8]) -> Option<Self> {
        let mut rest = data;
        let first = std::str::from_utf8(line(&mut rest)?).ok()?;
        let (method, target) = first.split_once(' ')?;
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        let uri = Uri::try_from(format!("/{}", target.trim_start_matches('/'))).ok()?;
        let target = uri.path_and_query()?.as_str().trim_start_matches('/').to_owned();
        let mut headers = HeaderMap::new();
        while let Some(header) = line(&mut rest) {
            if header.is_empty() {
                break;
            }
            let colon = header.iter().position(|byte| *byte == b':')?;
            let (name, value) = header.split_at(colon);
            let name = HeaderName::from_bytes(name).ok()?;
            headers.append(name, HeaderValue::from_bytes(value[1..].trim_ascii()).ok()?);
        }
        Some(Self { method, target, headers, body: Bytes::copy_from_slice(rest) })
    }
}

/// Takes a line, without its end; `None` when nothing is left.
fn line<'d>(rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, after) = rest.split_at(end);
    *rest = after.strip_prefix(b"\n").unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// What holds of every answer: it is no fault of ours, it is complete, and an error has a code and says something.
pub(crate) fn check(answer: &Response<Bytes>) {
    let status = answer.status();
    let body = answer.body();
    let shown = || String::from_utf8_lossy(body).into_owned();
    assert!(!status.is_server_error() || status.as_u16() == 501, "{status}: {}", shown());
    assert_eq!(answer.headers().get("odata-version").and_then(|value| value.to_str().ok()), Some("4.0"));
    if matches!(status.as_u16(), 204 | 304) {
        return assert!(body.is_empty(), "{}", shown());
    }
    let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_else(|| panic!("{status} without a content type: {}", shown()));
    if content_type.starts_with("application/json") {
        let json: serde_json::Value =
            serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", shown()));
        if !status.is_success() {
            let error = &json["error"];
            assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{json}");
            assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{json}");
        }
    } else {
        assert!(status.is_success() || content_type.starts_with("multipart/mixed"), "{status}: {}", shown());
    }
}
