//! Whole requests to the Web API: addresses, headers, batches, bodies of records.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use crate::http_message::{Message, check};
use crate::world::world;

/// A request of somebody who may read everything: request line, headers, body. What the headers `Prefer`, `If-Match`,
/// `Accept`, `CallerObjectId` and the others hold is read here, and what metadata and functions are asked.
pub(crate) fn request(data: &[u8]) {
    let Some(message) = Message::read(data) else { return };
    let world = world();
    check(&world.answer(&world.reader(), &message.method, &message.target, &message.headers, message.body));
}

/// The body of a batch whose boundary is `b`.
pub(crate) fn batch(data: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("multipart/mixed;boundary=b"));
    headers.insert("prefer", HeaderValue::from_static("odata.continue-on-error"));
    let world = world();
    check(&world.answer(&world.reader(), &Method::POST, "$batch", &headers, Bytes::copy_from_slice(data)));
}

/// Ends the parts of the batch that a body stands in.
const BOUNDARY: &str = "b-7d1f5a";

/// A record: the first line is where it is sent (`POST accounts`), the rest its body. It is sent by somebody who may do
/// everything, so that it is read and checked to the end, in a change set that fails at its last request, so that nothing lasts.
pub(crate) fn record_body(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (first, body) = data.split_at(end);
    if data.windows(BOUNDARY.len()).any(|window| window == BOUNDARY.as_bytes()) {
        // It would end the change set before the request that fails.
        return;
    }
    let Ok(first) = std::str::from_utf8(first) else { return };
    let first = first.trim();
    let mut whole = format!(
        "--{BOUNDARY}\r\nContent-Type: multipart/mixed;boundary=c{BOUNDARY}\r\n\r\n\
         --c{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n\
         {first} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
    )
    .into_bytes();
    whole.extend_from_slice(body.strip_prefix(b"\n").unwrap_or_default());
    whole.extend_from_slice(
        format!(
            "\r\n--c{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\n\
             DELETE accounts(00000000-0000-4000-8000-00000000dead) HTTP/1.1\r\n\r\n\r\n\
             --c{BOUNDARY}--\r\n--{BOUNDARY}--\r\n"
        )
        .as_bytes(),
    );
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-type",
        HeaderValue::from_str(&format!("multipart/mixed;boundary={BOUNDARY}")).expect("it is a header"),
    );
    let world = world();
    let answer = world.answer(&world.administrator(), &Method::POST, "$batch", &headers, Bytes::from(whole));
    check(&answer);
    assert!(!answer.status().is_success(), "the change set must fail: {}", String::from_utf8_lossy(answer.body()));
}
