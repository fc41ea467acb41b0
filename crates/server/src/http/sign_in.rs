//! The paths where programs sign in (docs/api.md, "Sign-in").

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use custodia_identity::{
    AUTHORIZATION_REFUSAL, Address as Root, GrantError, ProtocolVersion, Served, TokenEndpoint, TokenRequest,
    discovery_document,
};
use custodia_org::Caller;
use custodia_store::Organization as Entry;
use http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use super::known::Known;
use super::respond;
use super::route::{Address, ClientPlace};
use super::routes::PublicRequest;
use crate::directory::{DirectoryError, OrganizationDirectory};
use crate::service::Service;

/// Answers a request to one of the sign-in paths of an organisation, named by its name or its id.
pub async fn answer(service: &Arc<Service>, address: Address<'_>, request: PublicRequest<'_>) -> Response<Bytes> {
    let entry = match request.known.entry(service, &service.name_of(address.organization)) {
        Ok(entry) => entry,
        Err(response) => return *response,
    };
    let version = if address.route.path.contains("v2.0") { ProtocolVersion::V2 } else { ProtocolVersion::V1 };
    let Ok(root) = Root::parse(&request.base).and_then(|base| base.join(&entry.name)) else {
        return respond::error(StatusCode::BAD_REQUEST, "0x80060888", "The Host header is malformed.");
    };
    match address.route.place {
        ClientPlace::Token => token(service, &entry, version, &root, request).await,
        ClientPlace::Authorization => {
            let (code, why) = AUTHORIZATION_REFUSAL;
            respond::json(StatusCode::BAD_REQUEST, code.body(why))
        }
        ClientPlace::Keys => document(service.keys().published(service.now()), request.known),
        _ => document(discovery_document(&root, version, Served::default()), request.known),
    }
}

fn document(made: Result<Vec<u8>, custodia_identity::Error>, known: Known<'_>) -> Response<Bytes> {
    match made {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(error) => failed(&error, known),
    }
}

async fn token(
    service: &Arc<Service>,
    entry: &Entry,
    version: ProtocolVersion,
    root: &Root,
    request: PublicRequest<'_>,
) -> Response<Bytes> {
    let known = request.known;
    let Ok(addresses) = service.addresses(entry, &request.base) else {
        return respond::error(StatusCode::BAD_REQUEST, "0x80060888", "The Host header is malformed.");
    };
    let Some(stranger) = service.strangers.admit(request.counted) else {
        return respond::busy("Too many sign-ins are at work. Try again shortly.");
    };
    let body = match request.body.read_of_stranger().await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let directory = OrganizationDirectory::new(service, entry, request.counted, stranger, known.id);
    let keys = service.keys();
    let endpoint = TokenEndpoint {
        directory: &directory,
        keys: &keys,
        throttle: &service.throttle,
        random: service.random.as_ref(),
        organization: entry.id,
        era: service.sessions_era(),
        root,
        addresses: &addresses,
    };
    let token_request = TokenRequest {
        version,
        authorization: request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()),
        body: &body.bytes,
        source: request.counted,
    };
    match endpoint.answer(&token_request, service.now()).await {
        Ok(granted) => {
            let (user, address) = (granted.principal.user, Some(request.source));
            let caller = Caller { user, address, ..Caller::platform("sign-in", known.id) };
            let detail = format!("signed in: {:?}", granted.kind);
            let audited = async { Ok(directory.organization().await?.audit_access(&caller, &detail).await?) };
            if let Err(error) = audited.await {
                return unanswered(&error, known);
            }
            service.metrics.tokens_issued.fetch_add(1, Ordering::Relaxed);
            match granted.response.body() {
                Ok(body) => respond::json(StatusCode::OK, body),
                Err(error) => failed(&error, known),
            }
        }
        Err(GrantError::Refused(refusal)) => {
            service.metrics.sign_ins_refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                request.id = %known.id,
                organization.name = %entry.name,
                reason = ?refusal.reason,
                "a sign-in was refused"
            );
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = respond::json(status, refusal.body());
            let headers = response.headers_mut();
            if let Some(value) = refusal.www_authenticate() {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(value));
            }
            if let Some(value) =
                refusal.retry_after_seconds.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok())
            {
                headers.insert(RETRY_AFTER, value);
            }
            response
        }
        Err(GrantError::Directory(error)) => unanswered(&error, known),
        Err(error) => failed(&error, known),
    }
}

/// The directory could not be asked.
fn unanswered(error: &DirectoryError, known: Known<'_>) -> Response<Bytes> {
    match error {
        DirectoryError::Closed(error) => known.closed(error),
        DirectoryError::TooManyOpenings(refused) => {
            let mut response = respond::busy("Too many sign-ins are at work. Try again shortly.");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(refused.retry_after));
            response
        }
        DirectoryError::Gate(error) => failed(error, known),
    }
}

fn failed(error: &dyn std::error::Error, known: Known<'_>) -> Response<Bytes> {
    known.broken(error, "a sign-in could not be answered")
}
