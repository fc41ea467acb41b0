//! Answers: status, headers and body.

use bytes::Bytes;
use custodia_org::Organization;
use custodia_schema::Guid;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::failure::Failure;
use crate::json;
use crate::media::Media;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const ODATA_ENTITY_ID: HeaderName = HeaderName::from_static("odata-entityid");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const SERVICE_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-service-request-id");
/// What became of payment card numbers, where the policy is to say so (docs/cards.md).
const CARD_NUMBERS: HeaderName = HeaderName::from_static("custodia-card-numbers");
const REQUEST_ID: HeaderName = HeaderName::from_static("req_id");

/// Stands with an answer that tells of a failure after which something may be done.
#[derive(Clone, Copy, Debug)]
struct MayBeDone;

/// Whether what was asked for is done, or nobody knows.
pub(crate) fn may_be_done(response: &Response<Bytes>) -> bool {
    let status = response.status();
    let has_failed = status.is_client_error() || status.is_server_error();
    !has_failed || response.extensions().get::<MayBeDone>().is_some()
}

/// An answer with nothing to say but its status.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, media: Media, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(held(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media.content_type());
    response
}

/// The bytes of an answer without the room that was kept for more of them: it holds what it counts as until it is taken.
pub(crate) fn held(body: Vec<u8>) -> Bytes {
    Bytes::from(body.into_boxed_slice())
}

/// An answer in plain text.
pub(crate) fn text(body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(held(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Says which preferences were followed.
pub(crate) fn applied(mut response: Response<Bytes>, preferences: Option<&str>) -> Response<Bytes> {
    if let Some(value) = preferences.and_then(|text| HeaderValue::from_str(text).ok()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, value);
    }
    response
}

/// Says which record was written.
pub(crate) fn written(mut response: Response<Bytes>, address: &str) -> Response<Bytes> {
    if let Ok(value) = HeaderValue::from_str(address) {
        response.headers_mut().insert(ODATA_ENTITY_ID, value.clone());
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// Says that payment card numbers were left out of what was written.
pub(crate) fn masked(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(CARD_NUMBERS, HeaderValue::from_static("masked"));
    response
}

/// The whole answer to a request that failed. What broke goes to the log under the id that the answer carries.
pub(crate) fn refused(failed: &Failure, organization: &Organization, request: Guid) -> Response<Bytes> {
    log_broken(failed, organization, request);
    finished(failure(failed), request)
}

/// Tells the log what broke, if something did.
pub(crate) fn log_broken(failed: &Failure, organization: &Organization, request: Guid) {
    if let Some(cause) = &failed.cause {
        tracing::error!(
            request.id = %request,
            organization.name = %organization.name(),
            error = %cause,
            "a request failed"
        );
    }
}

/// An answer that says why a request failed.
fn failure(failure: &Failure) -> Response<Bytes> {
    let mut body = b"{\"error\":{\"code\":\"0x".to_vec();
    body.extend_from_slice(spelled(failure.code).as_bytes());
    body.extend_from_slice(b"\",\"message\":");
    json::text(&mut body, &failure.message);
    body.extend_from_slice(b"}}");
    let mut response = json(failure.status, Media::default(), body);
    if let Some(methods) = failure.allow.as_ref().and_then(|methods| HeaderValue::from_str(methods).ok()) {
        response.headers_mut().insert(ALLOW, methods);
    }
    if failure.may_be_done {
        response.extensions_mut().insert(MayBeDone);
    }
    if let Some(seconds) = failure.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Codes whose hexadecimal letters the published list spells in capitals; clients compare the text.
const IN_CAPITALS: [u32; 7] =
    [0x8004_431a, 0x8004_432f, 0x8004_f01f, 0x8004_e023, 0x8005_f101, 0x8005_f103, 0x8004_111a];

/// The digits of a code as the published list spells them (docs/api.md).
fn spelled(code: u32) -> String {
    if IN_CAPITALS.contains(&code) { format!("{code:X}") } else { format!("{code:x}") }
}

/// Adds what every answer carries.
pub(crate) fn finished(mut response: Response<Bytes>, request: Guid) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
    let mut id = Vec::with_capacity(36);
    json::guid(&mut id, &request);
    if let Ok(id) = HeaderValue::from_bytes(&id) {
        headers.insert(SERVICE_REQUEST_ID, id.clone());
        headers.insert(REQUEST_ID, id);
    }
    response
}
