//! Reading the bodies of requests: each has a longest length and a longest time, and all of them together have so much memory,
//! with what they are parsed into, of which one organisation and one user have a part. Small ones are taken whatever is held.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::memory::{Bounds, Memory, Taken};
use super::respond;
use crate::config::Limits;
use crate::protection::User;

/// Bytes of a body that are taken from whoever has not shown a token: `limits.strangers` bounds how many of them there are.
const STRANGERS_BYTES_MAX: usize = 64 << 10;
/// Bytes of a body that is taken whatever others hold: `limits.concurrent_requests` bounds how many of them there are.
const SMALL_BYTES_MAX: usize = 64 << 10;
/// Bytes that such a body and what it is parsed into take at most; one of more is counted like a large one.
const SMALL_PARSED_BYTES_MAX: usize = 1 << 20;

/// Bytes that are taken for a value of a body once it is read, beside its text: its name, its place in a list or a record, and
/// the record itself where it is the first.
const VALUE_BYTES: usize = 96;
/// How often a body is there besides itself while it is put together and its texts are read.
const COPIES: usize = 3;

/// The memory for bodies, and what is taken of it.
#[derive(Clone)]
pub struct Bodies {
    memory: Memory,
    bytes_max: usize,
    time: Duration,
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
    _taken: Option<Taken>,
}

/// Why a body is not read.
type Refusal = Box<Response<Bytes>>;

impl Bodies {
    /// Nothing is taken yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory: Memory::new(bounds(limits)),
            bytes_max: limits.body_bytes,
            time: Duration::from_secs(limits.body_seconds),
        }
    }

    /// A body that is to be read later.
    ///
    /// # Errors
    /// The answer to one whose announced length is too large: said before it is sent.
    pub fn unread(&self, incoming: Incoming) -> Result<UnreadBody, Refusal> {
        if incoming.size_hint().lower() > self.bytes_max as u64 {
            return Err(Box::new(too_large(self.bytes_max)));
        }
        Ok(UnreadBody { incoming, bodies: self.clone() })
    }
}

/// A user may always send the longest body of plain text.
fn bounds(limits: &Limits) -> Bounds {
    let longest = limits.body_bytes.saturating_mul(COPIES + 1).saturating_add(SMALL_PARSED_BYTES_MAX);
    Bounds::of(limits.bodies_bytes, limits.organization_bodies_bytes, limits.user_bodies_bytes, longest)
}

impl UnreadBody {
    /// Reads the whole body of a caller who showed a token, sent to a path below the service root, and takes the memory for
    /// what it will be parsed into.
    ///
    /// # Errors
    /// The answer to a body that is too large, takes too long, breaks off, or has more values than there is memory for.
    pub async fn read(self, user: User, path: &str, headers: &HeaderMap) -> Result<ReadBody, Refusal> {
        let (limit, most) = (self.bodies.bytes_max, self.bodies.memory.of_user());
        let mut taken = self.bodies.memory.begin(user);
        let bytes = self.read_up_to(limit, Some(&mut taken)).await?;
        let parsed = custodia_web_api::reading_cost(path, headers, &bytes, parsed_bytes);
        let all = bytes.len().saturating_add(parsed);
        if bytes.len() > SMALL_BYTES_MAX || all > SMALL_PARSED_BYTES_MAX {
            if all > most {
                return Err(Box::new(too_much_to_read(parsed, most)));
            }
            taken.up_to(all).map_err(|why| Box::new(respond::busy(&why)))?;
        }
        Ok(ReadBody { bytes, _taken: Some(taken) })
    }

    /// Reads the whole body of somebody who has not shown a token.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_of_stranger(self) -> Result<ReadBody, Refusal> {
        let limit = self.bodies.bytes_max.min(STRANGERS_BYTES_MAX);
        Ok(ReadBody { bytes: self.read_up_to(limit, None).await?, _taken: None })
    }

    async fn read_up_to(self, limit: usize, taken: Option<&mut Taken>) -> Result<Bytes, Refusal> {
        let time = self.bodies.time;
        let seconds = time.as_secs();
        tokio::time::timeout(time, self.collect(limit, taken)).await.unwrap_or_else(|_| {
            let message = format!("The body did not come to its end within {seconds} seconds.");
            let mut response = respond::error(StatusCode::REQUEST_TIMEOUT, "0x80060888", &message);
            // Clients repeat a request by themselves that a kept connection answers so, unless it is closed.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Err(Box::new(response))
        })
    }

    async fn collect(mut self, limit: usize, mut taken: Option<&mut Taken>) -> Result<Bytes, Refusal> {
        let mut length: usize = 0;
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = self.incoming.frame().await {
            let Ok(frame) = frame else {
                let message = "The body could not be read to its end.";
                return Err(Box::new(respond::error(StatusCode::BAD_REQUEST, "0x80060888", message)));
            };
            // What is no data is fields at the end, which nobody asks for.
            let Ok(data) = frame.into_data() else { continue };
            length = length.saturating_add(data.len());
            if length > limit {
                return Err(Box::new(too_large(limit)));
            }
            if let Some(taken) = taken.as_deref_mut().filter(|_| length > SMALL_BYTES_MAX) {
                taken.up_to(length).map_err(|why| Box::new(respond::busy(&why)))?;
            }
            // Most bodies are one piece, and need not be put together.
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                all.extend_from_slice(&std::mem::take(&mut first));
                all.extend_from_slice(&data);
            }
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
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
        "Reading the body takes up to {parsed} bytes besides itself, and there are {held_max} for all bodies of one user. \
         Send less at one time."
    );
    respond::error(StatusCode::PAYLOAD_TOO_LARGE, "0x80060888", &message)
}

fn too_large(limit: usize) -> Response<Bytes> {
    let message = format!("The body is larger than {limit} bytes.");
    respond::error(StatusCode::PAYLOAD_TOO_LARGE, "0x80060888", &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_may_always_send_the_longest_body_of_plain_text() {
        let of = |all, body, organization, user| {
            bounds(&Limits {
                bodies_bytes: all,
                body_bytes: body,
                organization_bodies_bytes: organization,
                user_bodies_bytes: user,
                ..Limits::default()
            })
        };
        let mebibytes = |all: usize, organization: usize, user: usize| Bounds {
            all: all << 20,
            organization: organization << 20,
            user: user << 20,
        };
        assert_eq!(bounds(&Limits::default()), mebibytes(512, 128, 65));
        assert_eq!(of(800 << 20, 1 << 20, 0, 0), mebibytes(800, 200, 100));
        assert_eq!(of(64 << 20, 16 << 20, 0, 0), mebibytes(64, 64, 64));
        assert_eq!(of(512 << 20, 16 << 20, 100 << 20, 20 << 20), mebibytes(512, 100, 20));
        assert_eq!(of(512 << 20, 16 << 20, 50 << 20, 90 << 20), mebibytes(512, 50, 50));
    }
}
