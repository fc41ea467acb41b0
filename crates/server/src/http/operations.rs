//! What machines ask: alive, ready, metrics. On a listener of its own, loopback unless configured otherwise.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::listener::Peer;
use super::respond;
use super::route::{MachinePlace, OF_OPERATIONS};
use super::traffic::Room;
use crate::service::Service;

/// Answers one request of the operations listener.
pub async fn operations(service: Arc<Service>, request: Request<Incoming>, peer: Peer, room: Room) -> Response<Bytes> {
    let response = match room {
        Room::Free => answer(&service, &request).await,
        Room::Full => respond::without_room(),
    };
    respond::secured(response, peer.over_tls)
}

async fn answer(service: &Service, request: &Request<Incoming>) -> Response<Bytes> {
    let path = request.uri().path();
    let Some(route) = OF_OPERATIONS.iter().find(|route| route.path == path) else {
        return respond::text(StatusCode::NOT_FOUND, "there are /health/live, /health/ready and /metrics\n");
    };
    if !route.knows(request.method()) {
        return respond::wrong_method(route.methods);
    }
    match route.place {
        MachinePlace::Metrics => respond::text(StatusCode::OK, crate::metrics::render(service)),
        MachinePlace::Ready if service.draining.load(Ordering::Relaxed) => {
            respond::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
        MachinePlace::Ready => match service.store.reload_organizations().await {
            Ok(()) => respond::text(StatusCode::OK, "ready\n"),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                respond::text(StatusCode::SERVICE_UNAVAILABLE, "the control database does not answer\n")
            }
        },
        MachinePlace::Alive => respond::text(StatusCode::OK, "alive\n"),
    }
}
