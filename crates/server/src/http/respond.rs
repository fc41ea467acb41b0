//! Small answers: errors as JSON, texts.

use bytes::Bytes;
use custodia_schema::Guid;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Response, StatusCode};

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const SERVICE_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-service-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("req_id");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What every answer carries. They are data for programs: a browser that is led to one is to take it for no page, show it in
/// no frame, tell nobody where it came from, give it to no page from elsewhere, and keep it nowhere.
const CARRIED: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The answer as it leaves, whatever it says.
pub fn secured(mut response: Response<Bytes>, over_tls: bool) -> Response<Bytes> {
    let headers = response.headers_mut();
    // At once: one by one they would have the table grow twice.
    headers.reserve(CARRIED.len() + 1);
    for (name, value) in CARRIED {
        headers.insert(name, value);
    }
    if over_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// The answer with the id of its request, unless the Web API has put it there.
pub fn named(mut response: Response<Bytes>, request: Guid) -> Response<Bytes> {
    let headers = response.headers_mut();
    if !headers.contains_key(SERVICE_REQUEST_ID)
        && let Ok(id) = HeaderValue::from_str(&request.to_string())
    {
        headers.reserve(CARRIED.len() + 3);
        headers.insert(SERVICE_REQUEST_ID, id.clone());
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// The refusal of a method that a route does not know.
pub fn wrong_method(methods: &[Method]) -> Response<Bytes> {
    let methods = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("This method is not allowed here; allowed are {methods}.");
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "0x80060888", &message);
    if let Ok(value) = HeaderValue::from_str(&methods) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

/// Dataverse's error body.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let body = serde_json::json!({ "error": { "code": code, "message": message } });
    let mut response = with_type(status, "application/json; charset=utf-8", body.to_string());
    response.headers_mut().insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
    response
}

/// The service cannot do it now, and may be asked again in a second.
pub fn busy(message: &str) -> Response<Bytes> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "0x8005F103", message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// As many requests are at work or owed their answers as may be: [`busy`] without a body, which would be owed, too.
pub fn without_room() -> Response<Bytes> {
    busy("").map(|_| Bytes::new())
}

/// HTTP without encryption, where it is expected; the connection ends with this answer.
pub fn not_https() -> Response<Bytes> {
    let message = "This port speaks HTTPS: ask for an address that begins with https://.";
    let mut response = secured(error(StatusCode::BAD_REQUEST, "0x80060888", message), false);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
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
