//! `WhoAmI`: the caller's user, business unit and organisation.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::begin;
use crate::answer;
use crate::call::Call;
use crate::failure::Failure;
use crate::json;

pub(super) async fn answer(call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
    let who = call.organization.who_am_i(call.caller).await?;
    let mut body = begin(call, "WhoAmIResponse");
    for (before, id) in [
        (&b"\"BusinessUnitId\":\""[..], who.unit),
        (b"\",\"UserId\":\"", who.user),
        (b"\",\"OrganizationId\":\"", who.organization),
    ] {
        body.extend_from_slice(before);
        json::guid(&mut body, &id);
    }
    body.extend_from_slice(b"\"}");
    Ok(answer::json(StatusCode::OK, call.media, body))
}
