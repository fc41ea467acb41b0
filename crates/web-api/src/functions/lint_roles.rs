//! `custodia_LintRoles`: what somebody who looks after rights would want to know of. A function of our own.

use bytes::Bytes;
use custodia_org::{Finding, LintBounds};
use http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::begin;
use crate::answer;
use crate::call::Call;
use crate::failure::Failure;

pub(super) async fn answer(call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
    let findings = call.organization.lint_roles(call.caller, LintBounds::default()).await?;
    let findings: Vec<Json> = findings.iter().map(finding_json).collect();
    let mut body = begin(call, "custodia_LintRolesResponse");
    body.extend_from_slice(b"\"Findings\":");
    body.extend_from_slice(Json::Array(findings).to_string().as_bytes());
    body.push(b'}');
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// A finding as the function answers it.
#[must_use]
pub fn finding_json(finding: &Finding) -> Json {
    json!({
        "Code": finding.code,
        "Severity": finding.severity.word(),
        "Subject": finding.subject.as_ref().map(|named| json!({ "Id": named.id, "Name": named.name })),
        "Where": finding.place,
        "What": finding.what,
        "Do": finding.advice,
    })
}
