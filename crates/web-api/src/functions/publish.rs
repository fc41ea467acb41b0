//! `PublishXml` and `PublishAllXml`: here a changed description holds at once, so that nothing is left to publish.

use custodia_org::{Change, DescriptionChange};

use super::Operation;
use crate::body::Object;
use crate::failure::Failure;
use crate::prepared::PreparedWrite;

pub(super) async fn prepare(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    if operation.name == "PublishXml" {
        body.need_text("ParameterXml")?;
    }
    // Who may not change descriptions may not publish them.
    let nothing = DescriptionChange { switches: Vec::new(), secured: None };
    operation.call.organization.change_description(operation.call.caller, nothing).await?;
    Ok(PreparedWrite::done(Change::All(Vec::new())))
}
