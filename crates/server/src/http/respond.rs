//! Small answers: errors as JSON, texts.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

/// Headers that every answer of the service carries.
pub fn secured(mut response: Response<Bytes>, over_tls: bool) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if over_tls {
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Dataverse's error body.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let body = serde_json::json!({ "error": { "code": code, "message": message } });
    with_type(status, "application/json; charset=utf-8", body.to_string())
}

/// A refusal of a method, with those that the address knows.
pub fn allowing(mut response: Response<Bytes>, allow: &'static str) -> Response<Bytes> {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// The service cannot do it now, and may be asked again in a second.
pub fn busy(message: &str) -> Response<Bytes> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "0x8005F103", message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A body that was made elsewhere.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    with_type(status, "application/json; charset=utf-8", body)
}

/// A text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    with_type(status, "text/plain; charset=utf-8", body)
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
