//! Accepts connections, ends TLS, and stops gracefully.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;

use super::addresses::Shares;
use super::respond;
use super::stream::{Stream, Timed};
use super::traffic::{Exchanges, Room, Seen, Traffic};

/// Connections that the system keeps waiting to be accepted, if it keeps so many: one beyond has to knock again, a second
/// later and then ever more seldom.
const WAITING_MAX: u32 = 4_096;
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
    /// Connections of one address at one time.
    pub address_connections_max: usize,
    /// Requests of one connection of HTTP/2 at one time.
    pub streams_max: u32,
    /// Requests at work and answers that were not taken, of all connections, at one time.
    pub exchanges_max: usize,
    /// Seconds for a TLS handshake.
    pub handshake_seconds: u64,
    /// Seconds for a request's head.
    pub head_seconds: u64,
    /// Seconds to take an answer.
    pub answer_seconds: u64,
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
    /// Binds an address, which the flag named `flag` sets.
    ///
    /// # Errors
    /// When it is taken or not ours.
    pub fn bind(address: &str, flag: &str, tls: Option<Arc<ServerConfig>>) -> Result<Self> {
        let cannot = || format!("cannot listen on {address}");
        let taken = |error: std::io::Error| match error.kind() {
            ErrorKind::AddrInUse => {
                anyhow!("{}: {error}: another program listens there; stop it, or give {flag} 127.0.0.1:PORT", cannot())
            }
            _ => anyhow::Error::from(error).context(cannot()),
        };
        let wanted: SocketAddr = address.parse().with_context(cannot)?;
        let socket = if wanted.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }.with_context(cannot)?;
        // So that a server that is started again gets its address while old connections run out.
        socket.set_reuseaddr(true).with_context(cannot)?;
        socket.bind(wanted).map_err(taken)?;
        let tcp = socket.listen(WAITING_MAX).map_err(taken)?;
        let address = tcp.local_addr().context("the listener's address")?;
        Ok(Self { tcp, tls, address })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Serves connections until `stop` turns true, then lets running requests end. `refused` is told of each connection that
/// was closed at once, because its address has as many as it may.
pub async fn serve<H, F>(
    listener: Listener,
    holding: Holding,
    refused: impl Fn(),
    mut stop: watch::Receiver<bool>,
    handler: H,
) where
    H: Fn(Request<Incoming>, Peer, Room) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    let acceptor = listener.tls.map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(holding.connections_max));
    let shares = Shares::default();
    let exchanges = Arc::new(Exchanges::new(holding.exchanges_max));
    let builder = protocol(holding);
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
        let Some(share) = shares.take(address.ip(), holding.address_connections_max) else {
            refused();
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (builder, handler, acceptor, stop) = (builder.clone(), handler.clone(), acceptor.clone(), stop.clone());
        let traffic = Traffic::of(&exchanges);
        tokio::spawn(async move {
            let _held = (permit, share);
            let handshake = Duration::from_secs(holding.handshake_seconds);
            let stream = match secure(stream, acceptor, handshake).await {
                Opening::Opened(stream) => stream,
                Opening::Plain(stream) => {
                    let answer = |_, _| std::future::ready(respond::not_https());
                    // An answer of HTTP/2 would not end the connection.
                    let builder = builder.clone().http1_only();
                    return converse(&builder, Stream::Plain(stream), holding, traffic, stop, answer).await;
                }
                Opening::Failed => return,
            };
            let peer = Peer { address, over_tls: stream.is_tls() };
            let answer = move |request, room| handler(request, peer, room);
            converse(&builder, stream, holding, traffic, stop, answer).await;
        });
    }
    drop(listener.tcp);
    let all = u32::try_from(holding.connections_max).unwrap_or(u32::MAX);
    let ended = tokio::time::timeout(Duration::from_secs(holding.shutdown_seconds), room.acquire_many(all));
    if ended.await.is_err() {
        tracing::warn!("some requests were still running when the time to stop was over");
    }
}

/// What is spoken, and its bounds.
fn protocol(holding: Holding) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(holding.head_seconds))
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(holding.head_seconds)))
        .max_concurrent_streams(holding.streams_max)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    builder
}

/// Serves one connection to its end.
async fn converse<H, F>(
    builder: &Builder<TokioExecutor>,
    stream: Stream,
    holding: Holding,
    traffic: Traffic,
    mut stop: watch::Receiver<bool>,
    handler: H,
) where
    H: Fn(Request<Incoming>, Room) -> F,
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    let (opening, taking) = (Duration::from_secs(holding.head_seconds), Duration::from_secs(holding.answer_seconds));
    let stream = Timed::new(stream, opening, taking);
    let service = service_fn(|request: Request<Incoming>| {
        let (exchange, room) = traffic.begin();
        let owing = request.version() == Version::HTTP_2;
        // In a box, which is gone when there is an answer: hyper keeps the room of the future itself until the answer is taken.
        let answer = Box::pin(handler(request, room));
        async move {
            let response = answer.await;
            // Over HTTP/1 an answer is taken when the stream has taken it, which has a time limit of its own.
            let response = if owing { response.map(|body| exchange.owe(body)) } else { response };
            Ok::<_, Infallible>(response.map(Full::new))
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut looks = tokio::time::interval(taking);
    looks.reset();
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            _ = stop.changed(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = looks.tick() => match traffic.look() {
                Seen::InUse => {}
                Seen::Idle => connection.as_mut().graceful_shutdown(),
                Seen::Overdue => {
                    tracing::debug!("a connection was closed whose client did not take its answer");
                    return;
                }
            },
        }
    }
}

/// How a connection begins.
enum Opening {
    /// Requests are answered over it.
    Opened(Stream),
    /// It is to be encrypted, and the client speaks HTTP without: it is told so, and nothing else.
    Plain(TcpStream),
    /// It comes to nothing.
    Failed,
}

async fn secure(stream: TcpStream, acceptor: Option<TlsAcceptor>, time: Duration) -> Opening {
    let Some(acceptor) = acceptor else { return Opening::Opened(Stream::Plain(stream)) };
    let opened = async {
        let mut first = [0];
        stream.peek(&mut first).await?;
        // A method; a handshake begins with 22.
        let [first] = first;
        if first.is_ascii_uppercase() {
            return Ok(Opening::Plain(stream));
        }
        Ok(Opening::Opened(Stream::Tls(Box::new(acceptor.accept(stream).await?))))
    };
    match tokio::time::timeout(time, opened).await {
        Ok(Ok(opening)) => opening,
        Ok(Err(error)) => {
            let error: std::io::Error = error;
            tracing::debug!(%error, "a TLS handshake failed");
            Opening::Failed
        }
        Err(_) => Opening::Failed,
    }
}
