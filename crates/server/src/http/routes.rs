//! The client listener: each request to where its route leads (`route.rs`). Limits and logging are here, round everything.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use custodia_store::Clock;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::bodies::UnreadBody;
use super::known::Known;
use super::listener::Peer;
use super::route::{Address, ClientPlace};
use super::traffic::Room;
use super::{respond, sign_in, web_api};
use crate::service::Service;

/// Headers of which the first and the last could say different things: a proxy may go by the one, and the program by the other.
const SINGLE: [HeaderName; 3] = [HOST, AUTHORIZATION, TRANSFER_ENCODING];

/// One request as the routes see it: its body is not read, its organisation is not opened yet.
pub struct PublicRequest<'r> {
    /// Method.
    pub method: &'r Method,
    /// Path and query as received.
    pub uri: &'r http::Uri,
    /// Headers.
    pub headers: &'r HeaderMap,
    /// What is still to be read.
    pub body: UnreadBody,
    /// Where the client is: who connected, or whom a proxy that is trusted says it connected for.
    pub source: IpAddr,
    /// The same, where that tells one client from another: whose share of what is there for strangers is counted.
    pub counted: Option<IpAddr>,
    /// `scheme://host` as the client used it.
    pub base: String,
    /// What it is known by in the log.
    pub known: Known<'r>,
}

/// Answers one request of the client listener.
pub async fn public(service: Arc<Service>, request: Request<Incoming>, peer: Peer, room: Room) -> Response<Bytes> {
    let started = service.clock.monotonic_ms();
    let id = service.new_request_id();
    let method = request.method().clone();
    let version = request.version();
    let route = Address::of(request.uri().path()).map_or("other", |address| address.route.name());
    let organization = OnceLock::new();
    let running = Running::begin(&service.metrics.running);
    let limits = &service.config.limits;
    let mut response = if room == Room::Full {
        service.metrics.overloaded.fetch_add(1, Ordering::Relaxed);
        respond::without_room()
    } else if running.present > limits.concurrent_requests as u64 {
        service.metrics.overloaded.fetch_add(1, Ordering::Relaxed);
        respond::busy("Too many requests are running. Try again shortly.")
    } else {
        let work = answer(&service, request, peer, Known { id, organization: &organization });
        match tokio::time::timeout(Duration::from_secs(limits.request_seconds), work).await {
            Ok(response) => response,
            Err(_) => respond::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "0x80044151",
                "The request took too long and was stopped. Ask for less at one time.",
            ),
        }
    };
    drop(running);
    // A client that keeps its connection would meet its end; so it makes another one, which may lead to another node.
    if service.draining.load(Ordering::Relaxed) && version <= Version::HTTP_11 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let duration_ms = service.clock.monotonic_ms().saturating_sub(started);
    let status = response.status().as_u16();
    service.metrics.answered(status, duration_ms);
    tracing::info!(
        request.id = %id,
        organization.name = organization.get().map(|entry| display(&entry.name)),
        http.method = %told(&method),
        http.route = route,
        http.status = status,
        duration_ms,
        "answered"
    );
    respond::secured(respond::named(response, id), peer.over_tls)
}

/// A method as the log tells it: what a client makes up may be as long as a head.
fn told(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    }
}

/// A request at work. It is counted until it is dropped, however it ends: a client that goes away takes its request with it.
struct Running<'m> {
    counter: &'m AtomicU64,
    /// Requests at work when this one began, itself included.
    present: u64,
}

impl<'m> Running<'m> {
    fn begin(counter: &'m AtomicU64) -> Self {
        let present = counter.fetch_add(1, Ordering::Relaxed) + 1;
        Self { counter, present }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn answer(service: &Arc<Service>, request: Request<Incoming>, peer: Peer, known: Known<'_>) -> Response<Bytes> {
    let limits = &service.config.limits;
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        let message = format!("The address is {target} bytes long; at most {} are accepted.", limits.target_bytes);
        return respond::error(StatusCode::URI_TOO_LONG, "0x80060888", &message);
    }
    if parts.headers.get_all(TRANSFER_ENCODING).iter().any(|value| !is_chunked(value)) {
        let message = "The only Transfer-Encoding that is taken is 'chunked', without another one.";
        return respond::error(StatusCode::NOT_IMPLEMENTED, "0x80060888", message);
    }
    if let Some(name) = SINGLE.iter().find(|name| parts.headers.get_all(*name).iter().nth(1).is_some()) {
        let message = format!("There is more than one {name} header; send it once.");
        return respond::error(StatusCode::BAD_REQUEST, "0x80060888", &message);
    }
    if let Some(message) = custodia_web_api::encoding_refused(&parts.headers) {
        let mut response = respond::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "0x80048d19", &message);
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return response;
    }
    let body = match service.bodies.unread(body) {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let base = match base_of(service, &parts.headers, &parts.uri, peer) {
        Some(base) => base,
        None => {
            return respond::error(StatusCode::BAD_REQUEST, "0x80060888", "The Host header is missing or malformed.");
        }
    };
    let source = source_of(service.config.trust_forwarded, &parts.headers, peer);
    let counted = service.config.tells_clients_apart().then_some(source);
    let incoming = PublicRequest {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        body,
        source,
        counted,
        base,
        known,
    };
    route(service, incoming).await
}

/// Whether a body comes in pieces and is nothing else besides: what is packed would be taken for what it holds.
fn is_chunked(encoding: &HeaderValue) -> bool {
    encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")
}

async fn route(service: &Arc<Service>, request: PublicRequest<'_>) -> Response<Bytes> {
    let Some(address) = Address::of(request.uri.path()) else {
        let message = "No HTTP resource was found that matches the request address.";
        return respond::error(StatusCode::NOT_FOUND, "0x0", message);
    };
    let Address { organization, below, route } = address;
    if !route.knows(request.method) {
        return respond::wrong_method(route.methods);
    }
    match route.place {
        ClientPlace::WebApi(version) => web_api::answer(service, organization, version, below, request).await,
        ClientPlace::Token | ClientPlace::Authorization | ClientPlace::Configuration | ClientPlace::Keys => {
            sign_in::answer(service, address, request).await
        }
        ClientPlace::Welcome => welcome(service, organization, &request),
        // That they are not there is told apart from a mistyped address.
        ClientPlace::Later => {
            let message = "Search and background operations are not supported yet.";
            respond::error(StatusCode::NOT_IMPLEMENTED, "0x80060888", message)
        }
    }
}

/// Where to go on from the root of the service, or from that of an organisation.
fn welcome(service: &Service, organization: &str, request: &PublicRequest<'_>) -> Response<Bytes> {
    if organization.is_empty() {
        let text = "Custodia. The Web API of an organisation is at /{organization}/api/data/v9.2/\n";
        return respond::text(StatusCode::OK, text);
    }
    match request.known.entry(service, &service.name_of(organization)) {
        Ok(entry) => {
            let root = format!("{}/{}", request.base, entry.name);
            let text = format!(
                "Custodia. The Web API of this organisation is at {root}/api/data/v9.2/\n\
                 Programs get tokens for it at {root}/oauth2/v2.0/token\n"
            );
            respond::text(StatusCode::OK, text)
        }
        Err(response) => *response,
    }
}

/// `scheme://host` of the client's own address, which answers are built with.
fn base_of(service: &Service, headers: &HeaderMap, uri: &http::Uri, peer: Peer) -> Option<String> {
    let config = &service.config;
    if !config.public_url.is_empty() {
        return Some(config.public_url.trim_end_matches('/').to_owned());
    }
    let forwarded = |name: &str| last_of(headers, name).filter(|_| config.trust_forwarded);
    let host = forwarded("x-forwarded-host")
        .or_else(|| headers.get(HOST).and_then(|value| value.to_str().ok()))
        .or_else(|| uri.authority().map(http::uri::Authority::as_str))?;
    let sound = !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    let scheme = match forwarded("x-forwarded-proto") {
        Some("https") => "https",
        Some("http") => "http",
        _ if peer.over_tls => "https",
        _ => "http",
    };
    sound.then(|| format!("{scheme}://{host}"))
}

/// The last of the headers of a name: those before it are what the client said, and not the proxy that is trusted.
fn last_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok())
}

/// Where the client is. Of the addresses that proxies put in a row only the last is the word of the one that is trusted: those
/// before it are what the client said.
fn source_of(trust_forwarded: bool, headers: &HeaderMap, peer: Peer) -> IpAddr {
    let said = last_of(headers, "x-forwarded-for").filter(|_| trust_forwarded);
    let last = said.and_then(|value| value.rsplit(',').next()).map(str::trim);
    let address = last.and_then(|text| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
    });
    address.unwrap_or_else(|| peer.address.ip())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_where_a_client_is_and_only_last() {
        let peer = Peer { address: "192.0.2.1:5".parse().unwrap(), over_tls: false };
        let cases: [(bool, &[&str], &str); 8] = [
            (false, &["198.51.100.7"], "192.0.2.1"),
            (true, &[], "192.0.2.1"),
            (true, &["198.51.100.7"], "198.51.100.7"),
            (true, &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            (true, &["203.0.113.9", "198.51.100.7:443"], "198.51.100.7"),
            (true, &["[2001:db8::7]"], "2001:db8::7"),
            (true, &["[2001:db8::7]:443"], "2001:db8::7"),
            (true, &["203.0.113.9, unknown"], "192.0.2.1"),
        ];
        for (trusted, given, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            assert_eq!(source_of(trusted, &headers, peer).to_string(), expected, "{given:?}");
        }
    }

    #[test]
    fn a_request_that_is_dropped_is_not_at_work_any_more() {
        let counter = AtomicU64::new(0);
        let one = Running::begin(&counter);
        assert_eq!((one.present, Running::begin(&counter).present), (1, 2));
        drop(one);
        assert_eq!(counter.load(Ordering::Relaxed), 0);
    }
}
