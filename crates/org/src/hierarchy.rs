//! What may be changed of who stands below whom (security model 7), and of the organisation's switches for it.

use std::sync::Arc;

use custodia_access::OrganizationOptions;
use custodia_schema::{Guid, Table, Value};
use custodia_store::{RowKey, StoredRow};

use crate::error::{Error, Result};
use crate::model::column;
use crate::writing::{Draft, Writing};

/// Levels of managers and of positions that an organisation may have.
const LEVELS_MAX: usize = 100;

/// How far hierarchy security may reach down.
const DEPTH_MAX: i32 = 100;

/// A manager outside of the line of business units.
const MANAGER_ELSEWHERE: u32 = 0x8004_1d07;

impl Writing<'_> {
    /// That the record which a change puts another one under may stand there: no chain bites its own tail, and a manager sits
    /// in the unit of whom they manage or above it. `stored` is what there is of the record so far.
    pub(crate) async fn check_chain(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        stored: Option<&StoredRow>,
        changes: &Draft,
    ) -> Result<()> {
        let parent = match table.name.as_str() {
            "systemuser" => column(table, "parentsystemuserid")?,
            "position" => column(table, "parentpositionid")?,
            _ => return Ok(()),
        };
        let Some(above) = changes.get(parent).and_then(Value::guid) else { return Ok(()) };
        if stored.is_some_and(|stored| stored.get(parent).guid() == Some(above)) {
            return Ok(());
        }
        let (mut next, mut levels) = (Some(above), 0);
        while let Some(at) = next {
            if at == id || levels >= LEVELS_MAX {
                let why = match table.name.as_str() {
                    "systemuser" => "nobody can be above themselves in a chain of managers",
                    _ => "a position cannot lie above itself",
                };
                let deep = format!("there are more than {LEVELS_MAX} levels");
                return Err(Error::Invalid(if at == id { why.to_owned() } else { deep }));
            }
            levels += 1;
            next = self.find(table, &RowKey::Id(at)).await?.and_then(|row| row.get(parent).guid());
        }
        if table.name == "systemuser" { self.check_manager(table, above, stored, changes).await } else { Ok(()) }
    }

    async fn check_manager(
        &mut self,
        users: &Arc<Table>,
        manager: Guid,
        stored: Option<&StoredRow>,
        changes: &Draft,
    ) -> Result<()> {
        let settings = self.shared.settings.organization(self.transaction).await?;
        if !settings.options.managers_above_reports {
            return Ok(());
        }
        let unit = column(users, "businessunitid")?;
        let sits = changes.get(unit).or_else(|| stored.map(|stored| stored.get(unit))).and_then(Value::guid);
        let managed_from = self.get(users, manager).await?.get(unit).guid();
        let (Some(sits), Some(managed_from)) = (sits, managed_from) else { return Ok(()) };
        match self.transaction.unit_path(sits).await? {
            Some(path) if !path.is_within(managed_from) => Err(Error::Refused {
                code: MANAGER_ELSEWHERE,
                why: "a manager has to sit in the business unit of the user or above it; choose another, move one of \
                      them, or switch ManagersMustBeInSameOrParentBusinessUnitAsReports off"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// That the organisation's switches are given values that they have.
    pub(crate) fn check_switches(&self, organization: &Table, changes: &Draft) -> Result<()> {
        if let Some(Value::Text(options)) = changes.named(organization, "orgdborgsettings") {
            OrganizationOptions::read(options).map_err(|error| Error::Invalid(error.to_string()))?;
        }
        match changes.named(organization, "maxdepthforhierarchicalsecuritymodel") {
            Some(Value::Integer(depth)) if !(1..=DEPTH_MAX).contains(depth) => Err(Error::Invalid(format!(
                "hierarchy security reaches down {depth} levels; expected 1 to {DEPTH_MAX}"
            ))),
            _ => Ok(()),
        }
    }
}
