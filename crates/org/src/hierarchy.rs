//! What may be changed of who stands below whom (security model 7), and of the organisation's switches for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use custodia_access::OrganizationOptions;
use custodia_query::{Filter, Path, Query};
use custodia_schema::{ColumnId, Guid, Table, Value};
use custodia_store::{RowKey, StoredRow};

use crate::error::{Error, Result, refusal};
use crate::model::column;
use crate::writing::{Draft, Writing};

/// Levels of managers and of positions that an organisation may have above the lowest one.
const LEVELS_MAX: usize = 100;

/// Accounts above an account that is given another parent or merged: each is read by itself, once in a request. More are refused.
const ABOVE_MAX: usize = 1_000;

/// Records whose levels below are asked for in one statement.
const ASKED_AT_ONCE: usize = 500;

/// How far hierarchy security may reach down.
const DEPTH_MAX: i32 = 100;

/// The parents of accounts that a request has read, or given them: accounts that it puts under one chain read the chain once.
#[derive(Default)]
pub(crate) struct AccountParents(HashMap<Guid, Option<Guid>>);

impl AccountParents {
    /// Has them read again: parents may have changed without a check.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

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
            "account" => return self.check_account(table, id, stored, changes).await,
            _ => return Ok(()),
        };
        let Some(above) = changes.get(parent).and_then(Value::guid) else { return Ok(()) };
        if stored.is_some_and(|stored| stored.get(parent).guid() == Some(above)) {
            return Ok(());
        }
        let too_deep = || Error::Invalid(format!("there would be more than {LEVELS_MAX} levels"));
        let (mut next, mut levels) = (Some(above), 0);
        while let Some(at) = next {
            if at == id {
                let why = match table.name.as_str() {
                    "systemuser" => "nobody can be above themselves in a chain of managers",
                    _ => "a position cannot lie above itself",
                };
                return Err(Error::Invalid(why.to_owned()));
            }
            if levels >= LEVELS_MAX {
                return Err(too_deep());
            }
            levels += 1;
            next = self.find(table, &RowKey::Id(at)).await?.and_then(|row| row.get(parent).guid());
        }
        // Whoever is below comes along.
        if stored.is_some() && self.is_deeper_than(table, parent, id, LEVELS_MAX - levels).await? {
            return Err(too_deep());
        }
        if table.name == "systemuser" { self.check_manager(table, above, stored, changes).await } else { Ok(()) }
    }

    /// That an account does not come to stand above itself.
    async fn check_account(
        &mut self,
        accounts: &Arc<Table>,
        id: Guid,
        stored: Option<&StoredRow>,
        changes: &Draft,
    ) -> Result<()> {
        let parent = column(accounts, "parentaccountid")?;
        let Some(given) = changes.get(parent).map(Value::guid) else { return Ok(()) };
        let former = stored.and_then(|stored| stored.get(parent).guid());
        if let Some(above) = given.filter(|above| former != Some(*above)) {
            // Nothing stands below an account that is made just now.
            if above == id || stored.is_some() && self.is_account_above(accounts, parent, id, above).await? {
                let why = "an account cannot be its own parent or stand above itself; choose another parent";
                return Err(Error::refused(refusal::ACCOUNT_LOOP, why));
            }
        }
        self.account_parents.0.insert(id, given);
        Ok(())
    }

    /// Whether an account stands above another one.
    async fn is_account_above(
        &mut self,
        accounts: &Arc<Table>,
        parent: ColumnId,
        account: Guid,
        below: Guid,
    ) -> Result<bool> {
        let (mut at, mut met) = (below, HashSet::new());
        // In a loop, which older versions took, each is met once.
        while met.insert(at) {
            let above = match self.account_parents.0.get(&at) {
                Some(known) => *known,
                None => {
                    let read = self.above(accounts, parent, at).await?;
                    self.account_parents.0.insert(at, read);
                    read
                }
            };
            match above {
                None => return Ok(false),
                Some(above) if above == account => return Ok(true),
                Some(_) if met.len() > ABOVE_MAX => return Err(too_many_above(accounts)),
                Some(above) => at = above,
            }
        }
        Ok(false)
    }

    /// The records above one by a lookup to its own table.
    pub(crate) async fn chain_above(
        &mut self,
        table: &Arc<Table>,
        parent: ColumnId,
        id: Guid,
    ) -> Result<HashSet<Guid>> {
        let (mut chain, mut next) = (HashSet::new(), Some(id));
        while let Some(at) = next {
            next = self.above(table, parent, at).await?.filter(|above| !chain.contains(above));
            if next.is_some() && chain.len() >= ABOVE_MAX {
                return Err(too_many_above(table));
            }
            chain.extend(next);
        }
        Ok(chain)
    }

    /// The record of the same table that a lookup of a record names.
    async fn above(&mut self, table: &Arc<Table>, lookup: ColumnId, id: Guid) -> Result<Option<Guid>> {
        let row = self.find(table, &RowKey::Id(id)).await?;
        Ok(match row.as_ref().map(|row| row.get(lookup)) {
            Some(Value::Lookup(target, above)) if *target == table.id => Some(*above),
            _ => None,
        })
    }

    /// Whether more levels than these lie below a record.
    async fn is_deeper_than(&mut self, table: &Arc<Table>, parent: ColumnId, id: Guid, levels: usize) -> Result<bool> {
        let mut level = vec![id];
        for _ in 0..=levels {
            let mut below = Vec::new();
            for some in level.chunks(ASKED_AT_ONCE) {
                let values = some.iter().map(|id| Value::Guid(*id)).collect();
                let filter = Filter::In { path: Path::own(parent), values };
                let query = Query { filter, ..Query::of(table, self.shared.limits.cascade_rows) };
                below.extend(self.platform_ids("levels below", &query).await?);
            }
            if below.is_empty() {
                return Ok(false);
            }
            level = below;
        }
        Ok(true)
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
            Some(path) if !path.is_within(managed_from) => Err(Error::refused(
                refusal::MANAGER_ELSEWHERE,
                "a manager has to sit in the business unit of the user or above it; choose another, move one of \
                      them, or switch ManagersMustBeInSameOrParentBusinessUnitAsReports off",
            )),
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

fn too_many_above(table: &Table) -> Error {
    Error::Invalid(format!("more than {ABOVE_MAX} records of '{}' stand above one", table.name))
}
