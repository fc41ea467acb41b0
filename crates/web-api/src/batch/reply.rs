//! The bytes of the answer to a batch.
//!
//! Clients take it apart with little more than searches for text, so its form is narrow: it begins with its delimiter, the
//! boundary is the last parameter and unquoted, and nothing but bodies has braces.

use bytes::Bytes;
use custodia_org::{Caller, Organization};
use custodia_schema::Guid;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::answer;
use crate::failure::Failure;
use crate::json;

/// Names that clients search for as the protocol spells them.
const SPELLED: [(&str, &str); 4] = [
    ("odata-entityid", "OData-EntityId"),
    ("odata-version", "OData-Version"),
    ("req_id", "REQ_ID"),
    ("x-ms-service-request-id", "x-ms-service-request-id"),
];

/// The answer to one request of a batch.
pub(super) struct PartReply {
    response: Response<Bytes>,
    content_id: Option<String>,
}

impl PartReply {
    /// An answer, with the name of its request.
    pub(super) fn of(response: Response<Bytes>, content_id: Option<String>) -> Self {
        Self { response, content_id }
    }

    /// A failure as an answer.
    pub(super) fn failure(
        failure: &Failure,
        organization: &Organization,
        caller: &Caller,
        content_id: Option<String>,
    ) -> Self {
        Self::of(answer::refused(failure, organization, caller.request), content_id)
    }

    /// Whether what was asked for is done, or nobody knows.
    pub(super) fn may_be_done(&self) -> bool {
        answer::may_be_done(&self.response)
    }

    /// When it is worth while to ask again.
    pub(super) fn retry_after(&self) -> Option<&HeaderValue> {
        self.response.headers().get(RETRY_AFTER)
    }

    /// What it says of its request.
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }
}

/// A `multipart/mixed` body at work.
pub(super) struct Multipart {
    boundary: String,
    out: Vec<u8>,
}

impl Multipart {
    /// An empty one, named after what it answers.
    pub(super) fn begin(prefix: &str, id: Guid) -> Self {
        Self { boundary: format!("{prefix}_{id}"), out: Vec::new() }
    }

    /// Its length so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Adds the answer to one request.
    pub(super) fn part(&mut self, reply: &PartReply) {
        let out = &mut self.out;
        delimiter(out, &self.boundary);
        out.extend_from_slice(b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n");
        if let Some(content_id) = &reply.content_id {
            header(out, "Content-ID", content_id.as_bytes());
        }
        out.extend_from_slice(b"\r\nHTTP/1.1 ");
        let status = reply.response.status();
        json::natural(out, u64::from(status.as_u16()));
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, value) in reply.response.headers() {
            if name != CACHE_CONTROL {
                header(out, &spelled(name), value.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(reply.response.body());
        out.extend_from_slice(b"\r\n");
    }

    /// Adds the answers to the requests of a change set.
    pub(super) fn change_set(&mut self, id: Guid, replies: &[PartReply]) {
        let mut inner = Self::begin("changesetresponse", id);
        replies.iter().for_each(|reply| inner.part(reply));
        delimiter(&mut self.out, &self.boundary);
        let (content_type, body) = inner.finish();
        header(&mut self.out, "Content-Type", content_type.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(&body);
        self.out.extend_from_slice(b"\r\n");
    }

    /// The content type and the whole body.
    pub(super) fn finish(mut self) -> (HeaderValue, Bytes) {
        self.out.extend_from_slice(b"--");
        self.out.extend_from_slice(self.boundary.as_bytes());
        self.out.extend_from_slice(b"--\r\n");
        let content_type = format!("multipart/mixed; boundary={}", self.boundary);
        // A boundary is a word and an id, which every header takes.
        let content_type =
            HeaderValue::from_str(&content_type).unwrap_or_else(|_| HeaderValue::from_static("multipart/mixed"));
        (content_type, answer::held(self.out))
    }
}

fn delimiter(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(b"--");
    out.extend_from_slice(boundary.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A header's name as people write it: `Content-Type`.
fn spelled(name: &HeaderName) -> String {
    if let Some((_, spelled)) = SPELLED.iter().find(|(known, _)| *known == name.as_str()) {
        return (*spelled).to_owned();
    }
    let mut begins = true;
    name.as_str()
        .chars()
        .map(|c| {
            let shown = if begins { c.to_ascii_uppercase() } else { c };
            begins = c == '-';
            shown
        })
        .collect()
}
