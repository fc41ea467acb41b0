//! `custodia simulate`: what the Web API would answer somebody. It is asked with that user's rights and no others; nothing is
//! stored but an entry of the audit that tells of it.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use custodia_org::{Caller, Organization};
use custodia_web_api::ApiRequest;
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use crate::naming;
use crate::operation::Output;
use crate::service::Service;

/// A request, and as whom.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Request {
    /// E-mail address, domain name or id of the user.
    pub user: String,
    /// The method, which has to be GET.
    pub method: String,
    /// Path and query below the service root.
    pub path: String,
}

/// Prints the body of the answer; the exit code says whether it is a refusal.
///
/// # Errors
/// Another method than GET; a user that there is not.
pub async fn run(
    service: &Service,
    organization: &Organization,
    request: &Request,
    output: &mut dyn Output,
) -> Result<()> {
    if !request.method.eq_ignore_ascii_case(Method::GET.as_str()) {
        bail!("{} is not simulated: GET alone, which changes nothing", request.method);
    }
    let user = naming::user(organization, &request.user).await?;
    let address = request.path.trim_start_matches('/').replace(' ', "%20");
    let (path, query) = address.split_once('?').unwrap_or((&address, ""));
    let id = service.new_id();
    // Told before anything is read, so that nothing is shown that is not told of.
    let asking = Caller::platform("custodia simulate", id);
    organization.audit_simulation(&asking, user.id, &format!("GET {}", request.path)).await?;
    let headers = HeaderMap::new();
    let service_root = format!("http://localhost/{}/api/data/v9.2/", organization.name());
    let api_request = ApiRequest {
        method: &Method::GET,
        path,
        query,
        headers: &headers,
        body: Bytes::new(),
        service_root: &service_root,
        limits: &service.odata_limits,
        page_token_key: &service.page_token_key,
        questions: &service.questions,
        turns: &custodia_web_api::AtOnce,
        memory: &custodia_web_api::Unbounded,
    };
    // A rehearsal stores nothing, whatever is asked: the user did not do it.
    let rehearsal = organization.rehearsal();
    let response = custodia_web_api::handle(&rehearsal, &Caller::user(user.id, id), &api_request).await;
    let status = response.status();
    output.progress(&format!("{} would be answered {status}", request.user));
    let body = std::str::from_utf8(response.body()).context("the answer is no text")?;
    if !body.is_empty() {
        output.line(body);
    }
    if !status.is_success() {
        output.refused_rows();
    }
    Ok(())
}
