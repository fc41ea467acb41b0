//! `custodia roles`: looking over who may do what.

use anyhow::Result;
use custodia_org::{Caller, LintBounds, Organization};
use serde::{Deserialize, Serialize};

use crate::operation::{Output, one_line};
use crate::service::Service;

/// How roles are looked over.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Request {
    /// Roles of one user that are not too many.
    pub roles_max: usize,
    /// System Administrators that are not too many.
    pub administrators_max: usize,
    /// Tell in JSON.
    pub json: bool,
}

/// Tells what was found; the exit code says whether anything was.
///
/// # Errors
/// What the organisation says.
pub async fn run(
    service: &Service,
    organization: &Organization,
    request: &Request,
    output: &mut dyn Output,
) -> Result<()> {
    let caller = Caller::platform("custodia roles", service.new_id());
    let bounds = LintBounds { roles_of_user_max: request.roles_max, administrators_max: request.administrators_max };
    let findings = organization.lint_roles(&caller, bounds).await?;
    for finding in &findings {
        if request.json {
            output.line(&custodia_web_api::finding_json(finding).to_string());
            continue;
        }
        output.line(&format!("{} {} {}", finding.severity.word(), finding.code, one_line(&finding.place)));
        output.line(&format!("  {}", one_line(&finding.what)));
        output.line(&format!("  {}", finding.advice));
    }
    match findings.len() {
        0 if !request.json => output.line("nothing was found"),
        0 => {}
        _ => output.refused_rows(),
    }
    Ok(())
}
