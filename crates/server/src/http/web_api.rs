//! The Web API: who calls, then the protocol.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use custodia_identity::{Principal, TokenFault, TokenUse, bearer_token, www_authenticate};
use custodia_org::{Caller, Organization};
use custodia_schema::Guid;
use custodia_store::{Organization as Entry, OrganizationLimit};
use custodia_web_api::ApiRequest;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Response, StatusCode};

use super::respond;
use super::routes::PublicRequest;
use crate::protection::{Refused, User, Whose};
use crate::service::Service;
use crate::turns::{Turn, Turns};

/// Answers a request below `/{organization}/api/data/{version}`.
pub async fn answer(
    service: &Arc<Service>,
    name: &str,
    version: &str,
    below: &str,
    request: PublicRequest<'_>,
) -> Response<Bytes> {
    let entry = match request.known.entry(service, name) {
        Ok(entry) => entry,
        Err(response) => return *response,
    };
    let (organization, principal) = match enter(service, &entry, &request).await {
        Ok(entered) => entered,
        Err(response) => {
            // A client that is still sending would not see the answer.
            if let Some(_stranger) = service.strangers.admit(request.counted) {
                let _ = request.body.read_of_stranger().await;
            }
            return *response;
        }
    };
    // Before the body is read: a client that is slow to send it takes a place, too.
    let limit = service.limit_of(&entry, OrganizationLimit::ConcurrentRequests);
    let Some(_guest) = service.present.enter(entry.id, limit) else {
        return refuse_use(service, Refused::too_many_of_organization());
    };
    let user = User { organization: organization.id(), user: principal.user };
    let requests = service.limit_of(&entry, OrganizationLimit::Requests);
    let mut work = match service.protection.enter(user, requests, service.clock.as_ref()) {
        Ok(work) => work,
        Err(refused) => return refuse_use(service, refused),
    };
    let answering = match service.answers.begin(user) {
        Ok(answering) => answering,
        Err(response) => return *response,
    };
    let body = match request.body.read(user, below, request.headers).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    work.begin();
    let turns = OrganizationTurns { turns: &service.turns, organization: entry.id };
    let turn = turns.turn(request.method).await;
    let mut caller = Caller { address: Some(request.source), ..Caller::user(principal.user, request.known.id) };
    match custodia_web_api::acting_for(&organization, &caller, request.headers).await {
        Ok(acting_for) => caller.acting_for = acting_for,
        Err(response) => return response,
    }
    let service_root = format!("{}/{name}/api/data/{version}/", request.base);
    let api_request = ApiRequest {
        method: request.method,
        path: below,
        query: request.uri.query().unwrap_or(""),
        headers: request.headers,
        body: body.bytes.clone(),
        service_root: &service_root,
        limits: &service.odata_limits,
        page_token_key: &service.page_token_key,
        questions: &service.questions,
        turns: &turns,
        memory: &answering,
    };
    let response = custodia_web_api::handle(&organization, &caller, &api_request).await;
    let mut response = answering.send(request.method, response);
    drop(turn);
    let left = work.end();
    let headers = response.headers_mut();
    headers.insert("x-ms-ratelimit-burst-remaining-xrm-requests", HeaderValue::from(left.requests));
    headers.insert("x-ms-ratelimit-time-remaining-xrm-requests", seconds_value(left.busy_ms));
    response
}

/// The turns of one organisation.
struct OrganizationTurns<'s> {
    turns: &'s Turns<Guid>,
    organization: Guid,
}

impl<'s> OrganizationTurns<'s> {
    /// Waits for a turn, where the method takes one: what writes waits in the organisation's own queue, and shares its flushes
    /// there.
    async fn turn(&self, method: &Method) -> Option<Turn<'s, Guid>> {
        match *method {
            Method::GET | Method::HEAD => Some(self.turns.take(self.organization).await),
            _ => None,
        }
    }
}

impl custodia_web_api::Turns for OrganizationTurns<'_> {
    fn take(&self, method: &Method) -> Option<custodia_web_api::Waiting<'_>> {
        let method = method.clone();
        Some(Box::pin(async move {
            // One that came alone would have been waited for; the time limit of them all is looked at, too.
            tokio::task::yield_now().await;
            Box::new(self.turn(&method).await) as custodia_web_api::Turn<'_>
        }))
    }
}

/// Seconds with two digits after the point, as Dataverse tells what time is left.
fn seconds_value(ms: u64) -> HeaderValue {
    let text = format!("{}.{:02}", ms / 1_000, ms % 1_000 / 10);
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("0"))
}

/// A user or an organisation has reached a limit.
fn refuse_use(service: &Service, refused: Refused) -> Response<Bytes> {
    if refused.whose == Whose::Organization {
        service.metrics.organizations_limited.fetch_add(1, Ordering::Relaxed);
    }
    let mut response = respond::error(StatusCode::TOO_MANY_REQUESTS, refused.reached.code(), refused.message());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(refused.retry_after));
    response
}

/// The organisation, and who bears the request's token. A database that is closed is opened for a good token alone: strangers
/// who name one organisation after the other cause no work.
async fn enter(
    service: &Arc<Service>,
    entry: &Entry,
    request: &PublicRequest<'_>,
) -> Result<(Organization, Principal), Box<Response<Bytes>>> {
    // Looked for first: it is known of whatever is at hand which tokens have ended.
    let at_hand = service.at_hand(entry);
    let principal = authenticate(service, entry, request.headers, &request.base, request.known.id).await?;
    if let Some(organization) = at_hand {
        return Ok((organization, principal));
    }
    let opened = service.organization_in_time(&entry.name).await;
    let organization = opened.map_err(|error| Box::new(request.known.closed(&error)))?;
    if service.tokens.is_revoked(&principal) {
        return Err(Box::new(challenge(entry, &request.base, Some(&TokenFault::Revoked))));
    }
    Ok((organization, principal))
}

/// Who bears the request's token.
async fn authenticate(
    service: &Arc<Service>,
    organization: &Entry,
    headers: &HeaderMap,
    base: &str,
    id: Guid,
) -> Result<Principal, Box<Response<Bytes>>> {
    let Ok(addresses) = service.addresses(organization, base) else {
        return Err(Box::new(respond::error(StatusCode::BAD_REQUEST, "0x80060888", "The Host header is malformed.")));
    };
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = header.and_then(bearer_token) else {
        return Err(Box::new(challenge(organization, base, None)));
    };
    let used = TokenUse { organization: organization.id, addresses: &addresses };
    let now = service.now();
    let first = service.tokens.authenticate(token, || service.keys(), &used, now);
    let verified = match first {
        Err(TokenFault::UnknownKey) if service.reload_keys_for_token().await.is_ok() => {
            service.tokens.authenticate(token, || service.keys(), &used, now)
        }
        other => other,
    };
    verified.map_err(|fault| {
        if matches!(fault, TokenFault::Organization) {
            let organization = &organization.name;
            tracing::warn!(request.id = %id, organization.name = %organization, severity = "high", "a token of another organisation was refused");
        }
        Box::new(challenge(organization, base, Some(&fault)))
    })
}

/// 401 with where to sign in.
fn challenge(organization: &Entry, base: &str, fault: Option<&TokenFault>) -> Response<Bytes> {
    let message = fault.map_or("Sign in first: the request has no bearer token.", TokenFault::description);
    let code = if matches!(fault, Some(TokenFault::Expired)) { "0x8005F101" } else { "0x80040220" };
    let mut response = respond::error(StatusCode::UNAUTHORIZED, code, message);
    let root = custodia_identity::Address::parse(base).and_then(|base| base.join(&organization.name));
    if let Some(value) = root.ok().and_then(|root| HeaderValue::from_str(&www_authenticate(&root, fault)).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}
