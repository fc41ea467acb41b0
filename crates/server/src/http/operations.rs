//! What machines ask: alive, ready, metrics. On a listener of its own, loopback unless configured otherwise.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::respond;
use crate::service::Service;

/// Answers one request of the operations listener.
pub async fn operations(service: Arc<Service>, request: Request<Incoming>) -> Response<Bytes> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let refusal = respond::text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        return respond::allowing(refusal, "GET, HEAD");
    }
    match request.uri().path() {
        "/health/live" => respond::text(StatusCode::OK, "alive\n"),
        "/health/ready" if service.draining.load(Ordering::Relaxed) => {
            respond::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
        "/health/ready" => match service.store.reload_organizations().await {
            Ok(()) => respond::text(StatusCode::OK, "ready\n"),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                respond::text(StatusCode::SERVICE_UNAVAILABLE, "the control database does not answer\n")
            }
        },
        "/metrics" => respond::text(StatusCode::OK, crate::metrics::render(&service)),
        _ => respond::text(StatusCode::NOT_FOUND, "there are /health/live, /health/ready and /metrics\n"),
    }
}
