//! `Merge`: two records of one table become one.

use custodia_org::{Change, MergeRequest};

use crate::body::Object;
use crate::call::Call;
use crate::failure::Failure;
use crate::input::record_input;
use crate::prepared::PreparedWrite;

pub(super) fn prepare(call: &Call<'_>, body: &Object<'_>, numbers_quoted: bool) -> Result<PreparedWrite, Failure> {
    let target = call.referenced("Target", &body.need_object("Target")?)?;
    let subordinate = call.referenced("Subordinate", &body.need_object("Subordinate")?)?;
    let content = match body.given("UpdateContent") {
        None => None,
        Some(_) => {
            let table = call.table(target.table)?;
            Some(record_input(call, table, &body.need_object("UpdateContent")?, numbers_quoted)?)
        }
    };
    let checks_parents = body.boolean_of("PerformParentingChecks")?.unwrap_or(false);
    Ok(PreparedWrite::done(Change::Merge(MergeRequest { target, subordinate, content, checks_parents })))
}
