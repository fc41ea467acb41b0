//! `RetrieveAvailableLanguages`, `RetrieveProvisionedLanguages` and `RetrieveTimestamp`: the languages that labels are in,
//! and the stamp of what is described.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::changes::written_stamp;
use super::item::LANGUAGE;
use crate::answer;
use crate::call::Call;
use crate::failure::Failure;
use crate::functions::begin;

/// `name` is that of one of the three functions.
pub(crate) async fn answer(call: &Call<'_>, name: &str) -> Result<Response<Bytes>, Failure> {
    let (version, _) = call.organization.described(call.caller).await?;
    let (member, value) = match name {
        "RetrieveAvailableLanguages" => ("LocaleIds", json!([LANGUAGE])),
        "RetrieveProvisionedLanguages" => ("RetrieveProvisionedLanguages", json!([LANGUAGE])),
        _ => ("Timestamp", json!(written_stamp(version))),
    };
    let mut body = begin(call, &format!("{name}Response"));
    body.extend_from_slice(format!("\"{member}\":{value}}}").as_bytes());
    Ok(answer::json(StatusCode::OK, call.media, body))
}
