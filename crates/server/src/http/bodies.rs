//! Reading the bodies of requests: each has a longest length and a longest time, and all of them together have so much memory,
//! with what they are parsed into.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::respond;
use crate::config::Limits;

/// Bytes of a body that are taken from whoever has not shown a token.
const STRANGERS_BYTES_MAX: usize = 64 << 10;

/// Bytes that are taken for a value of a body once it is read, beside its text: its name, its place in a list or a record, and
/// the record itself where it is the first.
const VALUE_BYTES: usize = 96;
/// How often a body is there besides itself while it is put together and its texts are read.
const COPIES: usize = 3;

/// The memory for bodies, and what is taken of it.
#[derive(Clone)]
pub struct Bodies {
    held: Arc<AtomicUsize>,
    held_max: usize,
    bytes_max: usize,
    time: Duration,
}

/// Memory that is taken, until it is dropped.
struct Taken {
    bodies: Bodies,
    bytes: usize,
}

/// The body of a request. It is read once it is known who sends it: until then nobody can fill the memory.
pub struct UnreadBody {
    incoming: Incoming,
    bodies: Bodies,
}

/// A body that was read; its memory, and that of what it will be parsed into, counts as taken until it is dropped.
pub struct ReadBody {
    /// All of it.
    pub bytes: Bytes,
    taken: Taken,
}

impl Bodies {
    /// Nothing is taken yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            held: Arc::default(),
            held_max: limits.bodies_bytes,
            bytes_max: limits.body_bytes,
            time: Duration::from_secs(limits.body_seconds),
        }
    }

    /// A body that is to be read later.
    ///
    /// # Errors
    /// The answer to one whose announced length is too large: said before it is sent.
    pub fn unread(&self, incoming: Incoming) -> Result<UnreadBody, Box<Response<Bytes>>> {
        if incoming.size_hint().lower() > self.bytes_max as u64 {
            return Err(Box::new(too_large(self.bytes_max)));
        }
        Ok(UnreadBody { incoming, bodies: self.clone() })
    }
}

impl Taken {
    /// Takes more, if there is so much.
    fn more(&mut self, bytes: usize) -> Result<(), Box<Response<Bytes>>> {
        self.bytes += bytes;
        let held = self.bodies.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held <= self.bodies.held_max {
            return Ok(());
        }
        let message = "Requests hold as much memory as there is for them. Try again shortly.";
        Err(Box::new(respond::busy(message)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl UnreadBody {
    /// Reads the whole body of a caller who showed a token, and takes the memory for what it will be parsed into.
    ///
    /// # Errors
    /// The answer to a body that is too large, takes too long, breaks off, or has more values than there is memory for.
    pub async fn read(self) -> Result<ReadBody, Box<Response<Bytes>>> {
        let (limit, held_max) = (self.bodies.bytes_max, self.bodies.held_max);
        let mut body = self.read_up_to(limit).await?;
        let parsed = parsed_bytes(&body.bytes);
        if body.bytes.len().saturating_add(parsed) > held_max {
            return Err(Box::new(too_much_to_read(parsed, held_max)));
        }
        body.taken.more(parsed)?;
        Ok(body)
    }

    /// Reads the whole body of somebody who has not shown a token.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_of_stranger(self) -> Result<ReadBody, Box<Response<Bytes>>> {
        let limit = self.bodies.bytes_max.min(STRANGERS_BYTES_MAX);
        self.read_up_to(limit).await
    }

    async fn read_up_to(self, limit: usize) -> Result<ReadBody, Box<Response<Bytes>>> {
        let time = self.bodies.time;
        let seconds = time.as_secs();
        tokio::time::timeout(time, self.collect(limit)).await.unwrap_or_else(|_| {
            let message = format!("The body did not come to its end within {seconds} seconds.");
            let mut response = respond::error(StatusCode::REQUEST_TIMEOUT, "0x80060888", &message);
            // Clients repeat a request by themselves that a kept connection answers so, unless it is closed.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Err(Box::new(response))
        })
    }

    async fn collect(mut self, limit: usize) -> Result<ReadBody, Box<Response<Bytes>>> {
        let mut taken = Taken { bodies: self.bodies, bytes: 0 };
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = self.incoming.frame().await {
            let Ok(frame) = frame else {
                let message = "The body could not be read to its end.";
                return Err(Box::new(respond::error(StatusCode::BAD_REQUEST, "0x80060888", message)));
            };
            // What is no data is fields at the end, which nobody asks for.
            let Ok(data) = frame.into_data() else { continue };
            if taken.bytes + data.len() > limit {
                return Err(Box::new(too_large(limit)));
            }
            taken.more(data.len())?;
            // Most bodies are one piece, and need not be put together.
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                all.extend_from_slice(&std::mem::take(&mut first));
                all.extend_from_slice(&data);
            }
        }
        let bytes = if all.is_empty() { first } else { all.freeze() };
        Ok(ReadBody { bytes, taken })
    }
}

/// What reading a body takes at most beside itself: copies of it, and so much for each value. Each value but the first of all
/// stands behind one of these, and those within texts are counted too: too much rather than too little.
fn parsed_bytes(body: &[u8]) -> usize {
    let values = body.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    body.len().saturating_mul(COPIES).saturating_add(values.saturating_mul(VALUE_BYTES))
}

fn too_much_to_read(parsed: usize, held_max: usize) -> Response<Bytes> {
    let message = format!(
        "Reading the body takes up to {parsed} bytes besides itself, and there are {held_max} for all bodies. Send less at one time."
    );
    respond::error(StatusCode::PAYLOAD_TOO_LARGE, "0x80060888", &message)
}

fn too_large(limit: usize) -> Response<Bytes> {
    let message = format!("The body is larger than {limit} bytes.");
    respond::error(StatusCode::PAYLOAD_TOO_LARGE, "0x80060888", &message)
}
