//! The bytes of a connection: plain or encrypted, not silent at its beginning, and taken by the client in time.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// What HTTP/2 begins with (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A plain or an encrypted stream.
pub enum Stream {
    /// As it comes.
    Plain(TcpStream),
    /// Through TLS.
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether it is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

/// A stream that ends where the HTTP library would wait for ever: when the client is silent before it has shown which HTTP
/// it speaks, and when it does not take what it is sent.
pub struct Timed {
    stream: Stream,
    /// Until when, and how much of the preface has come; `None` from then on.
    opening: Option<(Pin<Box<Sleep>>, usize)>,
    /// How long the client may take to take what waits for it.
    taking: Duration,
    /// Until when that is, while something waits.
    until: Option<Pin<Box<Sleep>>>,
    /// Answers follow on each other without an end (HTTP/2): here the client has to take some, not all, in that time.
    endless: bool,
}

impl Timed {
    /// Gives the client `opening` to begin, and `taking` to take what it is sent.
    pub fn new(stream: Stream, opening: Duration, taking: Duration) -> Self {
        let opening = Some((Box::pin(tokio::time::sleep(opening)), 0));
        Self { stream, opening, taking, until: None, endless: false }
    }

    /// Holds what became of a write against the time.
    fn timed(&mut self, cx: &mut Context<'_>, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        match written {
            Poll::Pending => {
                let until = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.taking)));
                until.as_mut().poll(cx).map(|()| Err(Error::from(ErrorKind::TimedOut)))
            }
            Poll::Ready(_) if self.endless => {
                self.until = None;
                written
            }
            ready @ Poll::Ready(_) => ready,
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let filled = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let Some((deadline, seen)) = &mut this.opening else { return read };
        if read.is_pending() {
            return deadline.as_mut().poll(cx).map(|()| Err(Error::from(ErrorKind::TimedOut)));
        }
        let fresh = buffer.filled().get(filled..).unwrap_or_default();
        let expected = PREFACE.get(*seen..).unwrap_or_default();
        *seen += fresh.len();
        this.endless = *seen >= PREFACE.len() && expected.starts_with(fresh.get(..expected.len()).unwrap_or(fresh));
        // HTTP/1, all of the preface, or the end of the stream.
        if fresh.is_empty() || fresh.len() >= expected.len() || !expected.starts_with(fresh) {
            this.opening = None;
        }
        read
    }
}

impl AsyncWrite for Timed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.timed(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.timed(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx).map_ok(|()| 0);
        if flushed.is_ready() {
            this.until = None;
        }
        this.timed(cx, flushed).map_ok(|_| ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
