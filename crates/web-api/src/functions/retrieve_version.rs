//! `RetrieveVersion`: the version that clients choose their behaviour by.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::begin;
use crate::answer;
use crate::call::Call;

/// The version of the protocol that is spoken, then this program's own.
pub(super) const VERSION: &str = concat!("9.2.", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

pub(super) fn answer(call: &Call<'_>) -> Response<Bytes> {
    let mut body = begin(call, "RetrieveVersionResponse");
    body.extend_from_slice(format!("\"Version\":\"{VERSION}\"}}").as_bytes());
    answer::json(StatusCode::OK, call.media, body)
}
