//! `Assign`: gives a record another owner, as older clients ask for it.

use custodia_org::{Change, Input, Precondition, RecordInput};

use crate::body::Object;
use crate::call::Call;
use crate::failure::Failure;
use crate::prepared::PreparedWrite;

pub(super) fn prepare(call: &Call<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let target = call.referenced("Target", &body.need_object("Target")?)?;
    let assignee = call.referenced("Assignee", &body.need_object("Assignee")?)?;
    let table = call.table(target.table)?;
    let owner = table.column("ownerid").filter(|owner| owner.kind.targets().contains(&assignee.table));
    let owner = owner.ok_or_else(|| {
        let assignee = call.schema.table(assignee.table).map_or("", |table| &table.name);
        Failure::body(format!("records of '{}' cannot be given to a record of '{assignee}'", table.name))
    })?;
    let columns = vec![(owner.id, Input::Link(assignee))];
    let input = RecordInput { table: table.id, id: None, columns };
    Ok(PreparedWrite::done(Change::Update { target, input, when: Precondition::Exists }))
}
