//! Accepts connections, ends TLS, and stops gracefully.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::stream::{Opening, Stream};

/// Seconds a TLS handshake may take.
const HANDSHAKE_SECONDS: u64 = 10;
/// Bytes of a request's head that are buffered at most.
const HEAD_BYTES_MAX: usize = 128 << 10;

/// A bound listener.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    /// The address it listens on.
    pub address: SocketAddr,
}

/// How connections are held.
#[derive(Clone, Copy)]
pub struct Holding {
    /// Connections at one time.
    pub connections_max: usize,
    /// Seconds for a request's head.
    pub head_seconds: u64,
    /// Seconds for running requests at the end.
    pub shutdown_seconds: u64,
}

/// A peer of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The connection is encrypted.
    pub over_tls: bool,
}

impl Listener {
    /// Binds an address.
    ///
    /// # Errors
    /// When it is taken or not ours.
    pub async fn bind(address: &str, tls: Option<Arc<ServerConfig>>) -> Result<Self> {
        let tcp = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = tcp.local_addr().context("the listener's address")?;
        Ok(Self { tcp, tls, address })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Serves connections until `stop` turns true, then lets running requests end.
pub async fn serve<H, F>(listener: Listener, holding: Holding, mut stop: watch::Receiver<bool>, handler: H)
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    let acceptor = listener.tls.map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(holding.connections_max));
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(holding.head_seconds))
        .max_buf_size(HEAD_BYTES_MAX);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(30)));
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit,
            _ = stop.changed() => break,
        };
        let Ok(permit) = permit else { break };
        let (stream, address) = tokio::select! {
            accepted = listener.tcp.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Descriptors may be short for a moment; the next accept waits for one.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stop.changed() => break,
        };
        let _ = stream.set_nodelay(true);
        let (builder, handler, acceptor) = (builder.clone(), handler.clone(), acceptor.clone());
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let _permit = permit;
            let Some(stream) = secure(stream, acceptor).await else { return };
            let peer = Peer { address, over_tls: stream.is_tls() };
            let stream = Opening::new(stream, Duration::from_secs(holding.head_seconds));
            let service = service_fn(move |request| {
                let answer = handler(request, peer);
                async move { Ok::<_, Infallible>(answer.await.map(Full::new)) }
            });
            let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener.tcp);
    if tokio::time::timeout(Duration::from_secs(holding.shutdown_seconds), graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running when the time to stop was over");
    }
}

async fn secure(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> Option<Stream> {
    let Some(acceptor) = acceptor else { return Some(Stream::Plain(stream)) };
    match tokio::time::timeout(Duration::from_secs(HANDSHAKE_SECONDS), acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}
