//! The switches that say what the audit tells of. That one of them was set is always told, whatever they say.

use custodia_schema::{AuditSwitch, ColumnId, Guid, Table, TableId, Value, description_id};
use custodia_store::{AuditEntry, AuditOperation, StoredRow};

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::customization::CUSTOMIZE;
use crate::error::{Error, Result};
use crate::organization::Organization;
use crate::writing::{Draft, Writing};

/// Columns of the organisation that decide what the audit tells of and how long it is kept, with the actions that tell of
/// them being switched on and off.
const ORGANIZATION_SWITCHES: [(&str, i32, i32); 5] = [
    ("isauditenabled", action::STARTED, action::STOPPED),
    ("isuseraccessauditenabled", action::ACCESS_STARTED, action::ACCESS_STOPPED),
    ("isreadauditenabled", action::ORGANIZATION_CHANGED, action::ORGANIZATION_CHANGED),
    ("auditretentionperiodv2", action::ORGANIZATION_CHANGED, action::ORGANIZATION_CHANGED),
    ("useraccessauditinginterval", action::ORGANIZATION_CHANGED, action::ORGANIZATION_CHANGED),
];

/// What is to change of the description of a table or of one of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptionChange {
    /// Switches of the audit, and what they shall be.
    pub switches: Vec<(AuditSwitch, bool)>,
    /// Column security of a column, and what it shall be.
    pub secured: Option<(TableId, ColumnId, bool)>,
}

impl Organization {
    /// Switches the audit of a table's changes on or off.
    ///
    /// # Errors
    /// [`crate::Error::Denied`]; store errors.
    pub async fn audit_table(&self, caller: &Caller, table: TableId, audited: bool) -> Result<()> {
        let switches = vec![(AuditSwitch::Table(table), audited)];
        self.change_description(caller, DescriptionChange { switches, secured: None }).await
    }

    /// Changes what of descriptions of tables and columns may be changed, all of it or nothing. It holds at once.
    ///
    /// # Errors
    /// [`crate::Error::Denied`]; [`Error::Invalid`] for a table or column that there is not; as
    /// [`Organization::secure_column`]; store errors.
    pub async fn change_description(&self, caller: &Caller, change: DescriptionChange) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let change = change.clone();
            Box::pin(async move {
                writing.set_audit_switches(&change.switches).await?;
                match change.secured {
                    Some((table, column, secured)) => writing.secure_column(table, column, secured).await,
                    None => Ok(()),
                }
            })
        })
        .await?;
        Ok(self.shared.database.reload_metadata().await?)
    }
}

impl Writing<'_> {
    async fn set_audit_switches(&mut self, wanted: &[(AuditSwitch, bool)]) -> Result<()> {
        self.authority.check_privilege(CUSTOMIZE)?;
        if wanted.is_empty() {
            return Ok(());
        }
        // Another request of the same batch may be about to change the same list.
        self.transaction.claim_alone()?;
        let mut switches = self.transaction.audit_switches().await?;
        for (switch, on) in wanted {
            let table = self.table(switch.table())?;
            let (kind, description, what) = told_of(&table, *switch, *on)?;
            switches.retain(|(known, _)| known != switch);
            switches.push((*switch, *on));
            let state = if *on { "on" } else { "off" };
            self.audit_switch(table.id, description, kind, format!("audit of {what} switched {state}"));
        }
        switches.sort_unstable();
        self.transaction.set_audit_switches(&switches);
        Ok(())
    }

    /// Tells of the switches among the changes of the organisation's own record.
    pub(crate) fn tell_organization_switches(&mut self, table: &Table, stored: &StoredRow, changes: &Draft) {
        for (name, on, off) in ORGANIZATION_SWITCHES {
            let Some(column) = table.column(name) else { continue };
            let (before, after) = (stored.get(column.id), changes.get(column.id));
            let Some(after) = after.filter(|after| *after != before) else { continue };
            let kind = if *after == Value::Boolean(true) { on } else { off };
            self.audit_switch(table.id, stored.id, kind, format!("{name}: {} -> {}", word(before), word(after)));
        }
    }

    fn audit_switch(&mut self, table: TableId, row: Guid, kind: i32, detail: String) {
        let entry = self.audit_entry(table, row, AuditOperation::Update, kind);
        self.transaction.audit(&AuditEntry { detail: Some(detail), ..entry });
    }
}

/// The action that tells of a switch, the id of the description that it is of, and its name in words.
fn told_of(table: &Table, switch: AuditSwitch, on: bool) -> Result<(i32, Guid, String)> {
    let either = |started, stopped| if on { started } else { stopped };
    let of_table = || description_id("EntityMetadata", &table.name);
    Ok(match switch {
        AuditSwitch::Table(_) => (either(action::TABLE_STARTED, action::TABLE_STOPPED), of_table(), table.name.clone()),
        AuditSwitch::Reads(_) => (action::TABLE_CHANGED, of_table(), format!("single reads of {}", table.name)),
        AuditSwitch::Lists(_) => (action::TABLE_CHANGED, of_table(), format!("lists of {}", table.name)),
        AuditSwitch::Column(_, column) => {
            let column = table
                .column_by_id(column)
                .ok_or_else(|| Error::Invalid(format!("table '{}' has no column number {column}", table.name)))?;
            let name = format!("{}.{}", table.name, column.name);
            (either(action::COLUMN_STARTED, action::COLUMN_STOPPED), description_id("AttributeMetadata", &name), name)
        }
    })
}

fn word(value: &Value) -> String {
    match value {
        Value::Boolean(true) => "on".to_owned(),
        Value::Boolean(false) => "off".to_owned(),
        Value::Integer(number) => number.to_string(),
        _ => "none".to_owned(),
    }
}
