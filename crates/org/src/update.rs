//! Changing a record, and making it when there is none (upsert).

use std::sync::Arc;

use custodia_access::{Permit, Place, RightsMask};
use custodia_schema::{ColumnId, PrivilegeKind, RequiredLevel, RowSecurity, Table, TableId, Value};
use custodia_store::{AuditOperation, AuditedChange, RowKey, StoredRow};

use crate::audit_detail::action;
use crate::create::{Purpose, complete_state, is_stamp};
use crate::error::{Error, Fault, Result, refusal};
use crate::input::{Input, Precondition, RecordInput, Reference};
use crate::jobs::ASYNC_OPERATION;
use crate::writing::{Draft, Upserted, Writing, Written, fault};
use crate::{companions, names};

impl Writing<'_> {
    /// Changes a record that exists.
    pub(crate) async fn update(
        &mut self,
        target: &Reference,
        input: RecordInput,
        when: Precondition,
    ) -> Result<Written> {
        let table = self.table(target.table)?;
        self.require_storage_of(&table)?;
        let found = self.fetch_held(&table, &target.key, &KINDS).await?;
        let (stored, held) = found.ok_or_else(|| Self::missing(&table, &target.key))?;
        self.update_stored(&table, stored, held, input, when).await
    }

    /// A job that deletes can be cancelled where storage is used up.
    fn require_storage_of(&self, table: &Table) -> Result<()> {
        if table.name == ASYNC_OPERATION { Ok(()) } else { self.require_storage() }
    }

    /// Changes a record, or makes it with `fresh` as its id when it is named by an alternate key and there is none.
    pub(crate) async fn upsert(
        &mut self,
        target: &Reference,
        mut input: RecordInput,
        when: Precondition,
        fresh: custodia_schema::Guid,
    ) -> Result<Upserted> {
        let table = self.table(target.table)?;
        self.require_storage_of(&table)?;
        let found = self.fetch_held(&table, &target.key, &KINDS).await?;
        match (found, when) {
            (Some((_, held)), Precondition::Absent) => {
                // Who may not change it is not told that it is there.
                let _checked = self.permit_write(&table, held)?;
                Err(match &target.key {
                    RowKey::Id(id) => Error::Duplicate { table: table.name.clone(), id: *id },
                    RowKey::Alternate(_) => Error::DuplicateKey { constraint: table.name.clone() },
                })
            }
            (Some((stored, held)), when) => {
                let written = self.update_stored(&table, stored, held, input, when).await?;
                Ok(Upserted { written, created: false })
            }
            (None, Precondition::Exists | Precondition::Version(_)) => Err(Self::missing(&table, &target.key)),
            // One who cancels a job that is gone means to make none.
            (None, _) if table.name == ASYNC_OPERATION && !self.is_trusted() => Err(Self::missing(&table, &target.key)),
            (None, Precondition::None | Precondition::Absent) => {
                match &target.key {
                    RowKey::Id(id) => input.id = Some(*id),
                    RowKey::Alternate(parts) => {
                        input.id = Some(fresh);
                        for (column, value) in parts {
                            // What is made is what was addressed, whatever else is given for the columns of the key.
                            input.columns.retain(|(given, _)| given != column);
                            let kind = table.column_by_id(*column).map(|column| &column.kind);
                            // A key names the record a lookup holds by its id alone.
                            let value = match (kind.map(custodia_schema::ColumnKind::targets), value) {
                                (Some([target]), Value::Guid(id)) => Value::Lookup(*target, *id),
                                _ => value.clone(),
                            };
                            input.columns.push((*column, Input::Value(value)));
                        }
                    }
                }
                let written = self.create(input).await?;
                Ok(Upserted { written, created: true })
            }
        }
    }

    async fn update_stored(
        &mut self,
        table: &Arc<Table>,
        stored: StoredRow,
        held: RightsMask,
        input: RecordInput,
        when: Precondition,
    ) -> Result<Written> {
        if table.is_intersect {
            return Err(Error::Invalid(format!("records of '{}' are links and cannot be changed", table.name)));
        }
        // The right comes before the version: who may not change the record does not learn of its changes.
        let permit = self.permit_write(table, held)?;
        check_version(table, &stored, when)?;
        let mut changes = self.given(table, input, Purpose::Update).await?;
        let mentioned: Vec<_> = changes.iter().map(|(column, _)| column).collect();
        self.check_updated_columns(table, stored.id, mentioned).await?;

        let chosen_unit = self.take_chosen_unit(table, &mut changes)?;
        let new_owner = match table.security {
            RowSecurity::Owned { owner, .. } => changes.remove(owner).filter(|value| value != stored.get(owner)),
            _ => None,
        };
        let is_given = new_owner.is_some();
        if let Some(value) = new_owner {
            let Value::Lookup(target, id) = value else {
                return Err(Error::refused(refusal::NO_OWNER, "a record cannot be without an owner"));
            };
            let assigned = self.assign_stored(table, &stored, target, id, held).await?;
            for (column, value) in assigned {
                changes.set(column, value);
            }
        }
        self.move_to_unit(table, &stored, &mut changes, chosen_unit, held).await?;
        complete_changed_state(table, &stored, &mut changes)?;
        self.keep_required(table, &stored, &mut changes)?;
        let links = self.check_links(table, &changes, Some(&stored)).await?;
        if !links.is_empty() && self.authority.platform_name().is_none() {
            let kind = custodia_access::append_kind(table);
            let _checked = self.authority.permit_row(kind, table, held.contains(RightsMask::of(kind)))?;
        }
        self.check_moved(table, &stored, &changes).await?;
        self.before_update(table, &stored, &mut changes).await?;
        let now = self.transaction.now();
        let name_of = |id| self.schema.table(id).map(|table| table.name.as_str());
        companions::settle(table, Some(&stored), &mut changes, now, name_of);

        let mut row = Draft::default();
        for (column, value) in stored.values() {
            row.set(*column, value.clone());
        }
        for (column, value) in changes.iter() {
            row.set(column, value.clone());
        }
        self.settle_amounts(table, &mut row, &mut changes).await?;
        for (column, value) in names::compose(table, &row) {
            if *stored.get(column) != value {
                let value = self.composed(table, column, value)?;
                changes.set(column, value);
            }
        }
        self.stamp_modified(table, &mut changes);

        let values = changes.clone().into_values();
        let audited: Vec<_> = values
            .iter()
            .filter(|(column, new)| {
                stored.get(*column) != new && table.column_by_id(*column).is_some_and(|c| !is_stamp(c))
            })
            .map(|(column, new)| AuditedChange { column: *column, old: stored.get(*column).clone(), new: new.clone() })
            .collect();
        let version = self.transaction.update(permit, table, stored.id, values)?;
        if !audited.is_empty() {
            let action = update_action(table, &audited);
            self.audit(table, stored.id, AuditOperation::Update, action, audited, None).await?;
        }
        self.reparent(table, &stored, &changes).await?;
        if is_given {
            self.share_back(table, &stored).await?;
        }
        self.after_update(table, &stored, &changes).await?;
        Ok(Written { id: stored.id, version, masked: std::mem::take(&mut self.masked) })
    }

    /// A column without which a record cannot exist keeps a value: null for one that need not be given when a record is made
    /// says nothing. The platform may take it: a link goes with what it led to.
    fn keep_required(&self, table: &Table, stored: &StoredRow, changes: &mut Draft) -> Result<()> {
        if self.authority.platform_name().is_some() {
            return Ok(());
        }
        let cleared = changes.iter().filter(|(column, value)| value.is_null() && !stored.get(*column).is_null());
        let required: Vec<_> = cleared
            .filter_map(|(column, _)| table.column_by_id(column))
            .filter(|column| column.required == RequiredLevel::System)
            .collect();
        for column in required {
            if !table.is_given_otherwise(column) {
                return Err(fault(table, column, Fault::Required, "a value is required"));
            }
            changes.remove(column.id);
        }
        Ok(())
    }

    /// A row whose rights come from where it stands is moved only to where the caller could have made it: a line under another
    /// parent, a row of a unit into another unit.
    async fn check_moved(&mut self, table: &Arc<Table>, stored: &StoredRow, changes: &Draft) -> Result<()> {
        let moves = |column: ColumnId| changes.get(column).is_some_and(|value| value != stored.get(column));
        if self.authority.platform_name().is_some() {
            return Ok(());
        }
        match &table.security {
            RowSecurity::Parent { lookups } if lookups.iter().any(|lookup| moves(*lookup)) => {
                let mut row = Draft::default();
                for lookup in lookups {
                    row.set(*lookup, changes.get(*lookup).unwrap_or_else(|| stored.get(*lookup)).clone());
                }
                let left = lookups.iter().find(|lookup| moves(**lookup)).and_then(|lookup| table.column_by_id(*lookup));
                if let (Some(column), true) = (left, row.iter().all(|(_, value)| value.is_null())) {
                    return Err(fault(
                        table,
                        column,
                        Fault::Required,
                        "a value is required: a record of this table belongs to another one",
                    ));
                }
                let reached = self.parent_reached(table, lookups, &row).await?;
                let _checked = self.authority.permit_create(table, Place::Following { reached })?;
                Ok(())
            }
            RowSecurity::Unit { unit, .. } if moves(*unit) => {
                let Some(id) = changes.get(*unit).and_then(Value::guid) else {
                    return Err(Error::Invalid(format!(
                        "a record of '{}' cannot be without a business unit",
                        table.name
                    )));
                };
                let path = self.transaction.unit_path(id).await?;
                let path = path.ok_or_else(|| Error::NotFound { table: "businessunit".to_owned(), id })?;
                Ok(self.authority.check_append_new(table, Place::Unit(&path))?)
            }
            _ => Ok(()),
        }
    }

    /// A permit to change a row on which the caller holds these rights.
    fn permit_write(&self, table: &Table, held: RightsMask) -> Result<Permit> {
        self.permit_on(table, PrivilegeKind::Write, held.contains(RightsMask::of(PrivilegeKind::Write)))
    }

    /// A permit for a change of a stored row.
    pub(crate) fn permit_on(&self, table: &Table, kind: PrivilegeKind, reached: bool) -> Result<Permit> {
        if self.authority.platform_name().is_some() {
            return Ok(Permit::platform(&self.authority, table, kind)?);
        }
        Ok(self.authority.permit_row(kind, table, reached)?)
    }

    /// Who changed it, and when.
    pub(crate) fn stamp_modified(&self, table: &Table, changes: &mut Draft) {
        let users = self.schema.table_named("systemuser").map_or(TableId(0), |table| table.id);
        changes.stamp(table, "modifiedon", Value::DateTime(self.transaction.now()));
        changes.stamp(table, "modifiedby", Value::Lookup(users, self.acting()));
        let behind = self.caller.acting_for.map_or(Value::Null, |_| Value::Lookup(users, self.caller.user));
        changes.stamp(table, "modifiedonbehalfby", behind);
    }
}

/// Rights asked for with every row that is about to be changed.
const KINDS: [PrivilegeKind; 3] = [PrivilegeKind::Write, PrivilegeKind::Append, PrivilegeKind::Assign];

/// Refuses when the row is not at the version the caller read. Tables without optimistic concurrency ignore versions.
pub(crate) fn check_version(table: &Table, stored: &StoredRow, when: Precondition) -> Result<()> {
    let Precondition::Version(expected) = when else { return Ok(()) };
    let Some(version) = table.column("versionnumber").filter(|_| table.optimistic_concurrency) else { return Ok(()) };
    if *stored.get(version.id) == Value::BigInt(expected) { Ok(()) } else { Err(Error::VersionMismatch) }
}

/// A state that is set without a status takes its default; a status alone must fit the state it names.
fn complete_changed_state(table: &Table, stored: &StoredRow, changes: &mut Draft) -> Result<()> {
    let (Some(state), Some(status)) = (table.state(), table.status()) else { return Ok(()) };
    if changes.get(state.id).is_some_and(Value::is_null) {
        changes.remove(state.id);
    }
    if changes.get(status.id).is_some_and(Value::is_null) {
        changes.remove(status.id);
    }
    if !changes.contains(state.id) && !changes.contains(status.id) {
        return Ok(());
    }
    // Setting the state a record is in already keeps its status.
    let same_state = changes.get(state.id).is_some_and(|value| value == stored.get(state.id));
    if same_state && !changes.contains(status.id) {
        changes.remove(state.id);
        return Ok(());
    }
    complete_state(table, changes)
}

/// Dataverse's finer action of an update.
fn update_action(table: &Table, changes: &[AuditedChange]) -> i32 {
    let changed =
        |name: &str| table.column(name).is_some_and(|column| changes.iter().any(|change| change.column == column.id));
    if changed("ownerid") {
        action::ASSIGN
    } else if changed("statecode") {
        action::SET_STATE
    } else {
        action::UPDATE
    }
}
