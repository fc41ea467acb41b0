//! Making a record.

use std::sync::Arc;

use custodia_access::{OwnerFacts, Place, UnitPath};
use custodia_schema::{
    Column, ColumnKind, Guid, LookupFlavor, Ownership, PrivilegeKind, RequiredLevel, RowSecurity, Table, TableId, Value,
};
use custodia_store::{AuditFilter, AuditOperation, AuditedChange, RowKey};

use crate::audit_detail::action;
use crate::error::{Error, Fault, Result};
use crate::input::{Input, RecordInput};
use crate::writing::{Draft, Writing, Written, fault};
use crate::{companions, names, validate};

/// Columns that only the platform and imports may set, although no caller may (an import says in `overriddencreatedon` when a record was made).
const TRUSTED_COLUMNS: &[&str] = &["statecode", "statuscode", "createdon", "modifiedon", "actualclosedate"];

/// The privilege to say that a record was made at another time than now.
const OVERRIDE_CREATED: &str = "prvOverrideCreatedOnCreatedBy";
/// How far ahead that time may be: a day, by which the dates of time zones differ.
const OVERRIDE_AHEAD_SECONDS: i64 = 86_400;

impl Writing<'_> {
    /// Makes a record: validates, authorises, fills the platform's columns, stores, passes on inherited shares, audits.
    pub(crate) async fn create(&mut self, input: RecordInput) -> Result<Written> {
        self.require_storage()?;
        let table = self.table(input.table)?;
        if table.is_intersect {
            return Err(Error::Invalid(format!(
                "records of '{}' are links: associate the two records instead",
                table.name
            )));
        }
        let id = input.id.ok_or_else(|| Error::Invalid("a new record needs an id".to_owned()))?;
        if id.is_nil() {
            return Err(Error::Invalid(format!(
                "an id of zeros says that there is none; '{}' needs another",
                table.name
            )));
        }
        let mut row = self.given(&table, input, Purpose::Create).await?;
        self.authority.check_created_columns(&table, row.iter().map(|(column, _)| column).collect::<Vec<_>>())?;
        let overridden = table.column("overriddencreatedon").and_then(|column| Some((column, row.get(column.id)?)));
        if let Some((column, value)) = overridden.filter(|(_, value)| !value.is_null()) {
            if !self.is_trusted() {
                self.authority.check_privilege(OVERRIDE_CREATED)?;
            }
            let latest = self.transaction.now() + OVERRIDE_AHEAD_SECONDS;
            if matches!(as_instant(value.clone()), Value::DateTime(made) if made > latest) {
                let why = "the record would be made at a time that is still to come";
                return Err(fault(&table, column, Fault::OutOfRange, why));
            }
        }
        // Before the platform adds links of its own: nobody needs a right for those.
        let links = self.check_links(&table, &row, None).await?;
        self.fill_defaults(&table, &mut row)?;
        self.settle_state(&table, &mut row)?;
        let chosen_unit = self.take_chosen_unit(&table, &mut row)?;
        let owner = self.settle_owner(&table, &mut row).await?;
        let elsewhere = self.settle_unit(&table, &mut row, owner.as_ref(), chosen_unit).await?;
        self.follow_parent(&table, &mut row).await?;
        self.stamp_new(&table, &mut row);
        self.before_create(&table, id, &mut row).await?;
        let now = self.transaction.now();
        companions::settle(&table, None, &mut row, now, |id| self.schema.table(id).map(|table| table.name.as_str()));
        let mut changes = row.clone();
        self.settle_amounts(&table, &mut row, &mut changes).await?;
        for (column, value) in names::compose(&table, &row) {
            let value = self.composed(&table, column, value)?;
            row.set(column, value);
        }
        self.require(&table, &row)?;
        let permit = self.place_new(&table, &row, owner.as_ref(), elsewhere.as_ref(), !links.is_empty()).await?;

        let values = row.clone().into_values();
        let version = self.transaction.insert(permit, &table, id, values.clone())?;
        let audited = values
            .into_iter()
            .filter(|(column, value)| !value.is_null() && table.column_by_id(*column).is_some_and(|c| !is_stamp(c)))
            .map(|(column, new)| AuditedChange { column, old: Value::Null, new })
            .collect();
        self.audit(&table, id, AuditOperation::Create, action::CREATE, audited, None).await?;
        self.tell_dated_back(&table, id, &row).await?;
        self.inherit_shares(&table, id, &row).await?;
        self.after_create(&table, id, &row).await?;
        Ok(Written { id, version, masked: std::mem::take(&mut self.masked) })
    }

    /// Tells, without values, that a record was made which is dated back and has the id of a former one, where the switches of
    /// the audit let nothing be told of it. Histories know the records of one id apart by such entries; when a record was made
    /// helps them only where nobody chose it.
    async fn tell_dated_back(&mut self, table: &Table, id: Guid, row: &Draft) -> Result<()> {
        let is_of_now =
            row.named(table, "createdon").is_none_or(|made| *made == Value::DateTime(self.transaction.now()));
        if is_of_now || self.shared.settings.audits(self.transaction, table).await? {
            return Ok(());
        }
        if self.transaction.newest_audit(&AuditFilter::of_row(1, table.id, id)).await?.is_some() {
            let entry = self.audit_entry(table.id, id, AuditOperation::Create, action::CREATE);
            self.transaction.audit(&entry);
        }
        Ok(())
    }

    /// The columns a caller gave, resolved and validated. Columns that callers may not set are passed over, as Dataverse
    /// does: clients send back whole records that they read.
    pub(crate) async fn given(&mut self, table: &Arc<Table>, input: RecordInput, purpose: Purpose) -> Result<Draft> {
        let mut row = Draft::default();
        for (column, given) in input.columns {
            let Some(column) = table.column_by_id(column) else {
                return Err(Error::Invalid(format!("table '{}' has no column number {column}", table.name)));
            };
            let settable = match purpose {
                Purpose::Create => column.creatable,
                Purpose::Update => column.updatable,
            };
            // What makes a role or a team what it is, not even an import says.
            let is_platform = self.authority.platform_name().is_some();
            let trusted = self.is_trusted() && TRUSTED_COLUMNS.contains(&column.name.as_str())
                || is_platform && table.ownership == Ownership::Business;
            if column.id == table.primary_id || !settable && !trusted && !self.may_choose_unit(table, column.id).await?
            {
                continue;
            }
            let value = match given {
                Input::Value(value) => value,
                Input::Link(reference) => self.link_value(column, &reference).await?,
            };
            let value = validate::value(table, column, value)?;
            let value = self.inspected(table, column, value)?;
            row.set(column.id, value);
        }
        Ok(row)
    }

    pub(crate) fn fill_defaults(&self, table: &Table, row: &mut Draft) -> Result<()> {
        for column in table.columns() {
            // Null for a column that keeps a value says nothing.
            let keeps_value =
                column.required == RequiredLevel::System || matches!(column.kind, ColumnKind::Boolean { .. });
            if keeps_value && row.get(column.id).is_some_and(Value::is_null) {
                row.remove(column.id);
            }
            if row.contains(column.id) {
                continue;
            }
            let default = match &column.kind {
                ColumnKind::Choice { default: Some(n), .. } => Value::Integer(*n),
                ColumnKind::Boolean { default: Some(b), .. } => Value::Boolean(*b),
                // Every yes-or-no column of a new record has a value, as in Dataverse.
                ColumnKind::Boolean { default: None, .. } if column.creatable => Value::Boolean(false),
                _ => continue,
            };
            row.set(column.id, default);
        }
        Ok(())
    }

    /// State and status of a new record: the first state and its default status unless a status of it was given.
    fn settle_state(&self, table: &Table, row: &mut Draft) -> Result<()> {
        let Some(state) = table.state() else { return Ok(()) };
        let ColumnKind::State { options } = &state.kind else { return Ok(()) };
        let status_given = table.status().is_some_and(|status| row.contains(status.id));
        // Only the platform and imports choose the state a record begins in; a status alone then names its state.
        if !self.is_trusted() || !row.contains(state.id) && !status_given {
            let first = options.iter().map(|option| option.choice.value).min().unwrap_or(0);
            row.set(state.id, Value::Integer(first));
        }
        complete_state(table, row)
    }

    /// The owner of a new record: as given, else the caller. Sets owner, unit and their companions.
    pub(crate) async fn settle_owner(&mut self, table: &Arc<Table>, row: &mut Draft) -> Result<Option<OwnerFacts>> {
        let RowSecurity::Owned { owner, .. } = table.security else { return Ok(None) };
        let column = table.column_by_id(owner);
        let given = row.get(owner).cloned().filter(|value| !value.is_null());
        let (target, id) = match given {
            Some(Value::Lookup(target, id)) => (target, id),
            _ => (self.table_named("systemuser")?.id, self.acting()),
        };
        let facts = self.owner_facts(target, id).await?;
        let Some(facts) = facts else {
            let table_name = self.table(target)?.name.clone();
            return Err(match column {
                Some(column) => fault(table, column, Fault::Target, format!("there is no {table_name} {id}")),
                None => Error::NotFound { table: table_name, id },
            });
        };
        self.stamp_owner(table, row, target, id, facts.unit.unit);
        Ok(Some(facts))
    }

    /// A line shows the owner of the row it hangs on; its security follows that row anyway.
    async fn follow_parent(&mut self, table: &Arc<Table>, row: &mut Draft) -> Result<()> {
        let RowSecurity::Parent { lookups } = &table.security else { return Ok(()) };
        if table.column("ownerid").is_none() {
            return Ok(());
        }
        for lookup in lookups {
            let Some((parent_table, parent)) = row.get(*lookup).and_then(Self::pointed) else { continue };
            let parent_table = self.table(parent_table)?;
            let Some(found) = self.find(&parent_table, &RowKey::Id(parent)).await? else { return Ok(()) };
            for name in ["ownerid", "owningbusinessunit", "owninguser", "owningteam"] {
                if let Some(column) = parent_table.column(name) {
                    row.stamp(table, name, found.get(column.id).clone());
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// Writes owner, unit and the columns that follow from them.
    pub(crate) fn stamp_owner(&self, table: &Table, row: &mut Draft, target: TableId, id: Guid, unit: Guid) {
        let users = self.schema.table_named("systemuser").map(|table| table.id);
        let units = self.schema.table_named("businessunit").map_or(TableId(0), |table| table.id);
        let is_user = users == Some(target);
        row.stamp(table, "ownerid", Value::Lookup(target, id));
        row.stamp(table, "owningbusinessunit", Value::Lookup(units, unit));
        row.stamp(table, "owninguser", if is_user { Value::Lookup(target, id) } else { Value::Null });
        row.stamp(table, "owningteam", if is_user { Value::Null } else { Value::Lookup(target, id) });
    }

    pub(crate) fn stamp_new(&mut self, table: &Table, row: &mut Draft) {
        let now = Value::DateTime(self.transaction.now());
        let users = self.schema.table_named("systemuser").map_or(TableId(0), |table| table.id);
        let by = Value::Lookup(users, self.acting());
        // An import may say when the record was made in the system it comes from.
        if let Some(overridden) = row.named(table, "overriddencreatedon").cloned().filter(|value| !value.is_null()) {
            row.stamp_absent(table, "createdon", as_instant(overridden));
        }
        row.stamp_absent(table, "createdon", now.clone());
        row.stamp_absent(table, "modifiedon", now);
        row.stamp(table, "createdby", by.clone());
        row.stamp(table, "modifiedby", by);
        if self.caller.acting_for.is_some() {
            let behind = Value::Lookup(users, self.caller.user);
            row.stamp(table, "createdonbehalfby", behind.clone());
            row.stamp(table, "modifiedonbehalfby", behind);
        }
    }

    /// Columns without which a record cannot exist.
    fn require(&self, table: &Table, row: &Draft) -> Result<()> {
        if self.authority.platform_name().is_some() {
            return Ok(());
        }
        for column in table.columns() {
            if table.must_be_given(column) && row.get(column.id).is_none_or(Value::is_null) {
                return Err(fault(table, column, Fault::Required, "a value is required"));
            }
        }
        Ok(())
    }

    /// Whether the caller may make a row in this place.
    async fn place_new(
        &mut self,
        table: &Arc<Table>,
        row: &Draft,
        owner: Option<&OwnerFacts>,
        elsewhere: Option<&UnitPath>,
        links: bool,
    ) -> Result<custodia_access::Permit> {
        if self.authority.platform_name().is_some() {
            return Ok(custodia_access::Permit::platform(&self.authority, table, PrivilegeKind::Create)?);
        }
        let authority = self.authority.clone();
        let unit;
        let place = match &table.security {
            RowSecurity::Owned { .. } => match (owner, elsewhere) {
                (Some(owner), Some(unit)) => Place::OwnerIn(owner, unit),
                (Some(owner), None) => Place::Owner(owner),
                (None, _) => Place::Caller,
            },
            RowSecurity::Unit { unit: column, .. } => {
                let id = self.unit_of_new(table, *column, row)?;
                unit = self.transaction.unit_path(id).await?;
                match &unit {
                    Some(unit) => Place::Unit(unit),
                    None => return Err(Error::NotFound { table: "businessunit".to_owned(), id }),
                }
            }
            RowSecurity::Organization => Place::Organization,
            RowSecurity::Parent { lookups } => {
                let reached = self.parent_reached(table, lookups, row).await?;
                Place::Following { reached }
            }
            RowSecurity::Intersect => Place::Following { reached: false },
        };
        if links {
            authority.check_append_new(table, place)?;
        }
        Ok(authority.permit_create(table, place)?)
    }

    /// The unit a new row of a unit's table will sit in; a new unit sits in its parent.
    fn unit_of_new(&self, table: &Table, unit: custodia_schema::ColumnId, row: &Draft) -> Result<Guid> {
        let column =
            if table.name == "businessunit" { table.column("parentbusinessunitid") } else { table.column_by_id(unit) };
        let column = column.ok_or_else(|| Error::Invalid(format!("table '{}' has no unit", table.name)))?;
        row.get(column.id)
            .and_then(Value::guid)
            .ok_or_else(|| fault(table, column, Fault::Required, "a value is required"))
    }

    /// Whether the caller reaches the row that a new line hangs on.
    pub(crate) async fn parent_reached(
        &mut self,
        table: &Arc<Table>,
        lookups: &[custodia_schema::ColumnId],
        row: &Draft,
    ) -> Result<bool> {
        let access = self.authority.rows(table, PrivilegeKind::Create)?;
        for lookup in lookups {
            let Some(Value::Lookup(parent_table, parent)) = row.get(*lookup).cloned() else { continue };
            let parent_table = self.table(parent_table)?;
            let Some(access) = access.parent(*lookup, parent_table.id) else { return Ok(false) };
            let found = self.transaction.reach(&parent_table, &RowKey::Id(parent), &access).await?;
            return Ok(found.is_some_and(|row| row.is_reached));
        }
        Ok(false)
    }

    /// Checks every link that is being set: its record exists, and the caller may link to it (AppendTo there). Returns
    /// the links that need Append on this record.
    pub(crate) async fn check_links(
        &mut self,
        table: &Arc<Table>,
        row: &Draft,
        before: Option<&custodia_store::StoredRow>,
    ) -> Result<Vec<custodia_schema::ColumnId>> {
        let mut set = Vec::new();
        let links: Vec<_> = row
            .iter()
            .filter_map(|(column, value)| match value {
                Value::Lookup(target, id) => Some((column, *target, *id)),
                _ => None,
            })
            .collect();
        for (column, target, id) in links {
            let Some(column) = table.column_by_id(column) else { continue };
            // Ids may be the same in two tables: only the same record in the same table is no new link.
            let is_kept = before.is_some_and(|before| *before.get(column.id) == Value::Lookup(target, id));
            if !is_link_of_caller(column) || is_kept {
                continue;
            }
            let target = self.table(target)?;
            let kind = custodia_access::append_to_kind(&target);
            let found = self.link_end(&target, &RowKey::Id(id), kind).await?;
            let _checked = self.permit_on(&target, kind, found.is_reached)?;
            set.push(column.id);
        }
        set.sort_unstable();
        Ok(set)
    }

    /// What an owner may do, and where it sits; `None` when there is no such user or team.
    pub(crate) async fn owner_facts(&mut self, target: TableId, id: Guid) -> Result<Option<OwnerFacts>> {
        use custodia_access::{OwnerKind, Rights};
        let is_team = self.table(target)?.name == "team";
        let (kind, rights) = if is_team {
            let Some((kind, facts)) = self.transaction.team_facts(id).await? else { return Ok(None) };
            (kind, Arc::new(Rights::build(&self.schema, &facts)))
        } else {
            match self.shared.rights_in(self.transaction, id).await {
                Ok(rights) => (OwnerKind::User, rights),
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        let unit = self.transaction.unit_path(rights.unit()).await?;
        let unit = unit.ok_or_else(|| Error::NotFound { table: "businessunit".to_owned(), id: rights.unit() })?;
        let mut members = Vec::new();
        if is_team {
            for user in [Some(self.caller.user), self.caller.acting_for].into_iter().flatten() {
                if self.transaction.is_member(user, id).await? {
                    members.push(user);
                }
            }
        }
        Ok(Some(OwnerFacts { kind, unit, members, rights }))
    }
}

/// What input is for: which columns a caller may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create,
    Update,
}

/// Makes state and status a pair: a status alone names its state, a state alone takes its default status.
pub(crate) fn complete_state(table: &Table, row: &mut Draft) -> Result<()> {
    let (Some(state), Some(status)) = (table.state(), table.status()) else { return Ok(()) };
    let (ColumnKind::State { options: states }, ColumnKind::Status { options: reasons }) = (&state.kind, &status.kind)
    else {
        return Ok(());
    };
    let chosen_state = number(row.get(state.id));
    let chosen_status = number(row.get(status.id));
    match (chosen_state, chosen_status) {
        (None, None) => Ok(()),
        (Some(value), None) => {
            let default = states.iter().find(|option| option.choice.value == value).map(|option| option.default_status);
            if let Some(default) = default {
                row.set(status.id, Value::Integer(default));
            }
            Ok(())
        }
        (chosen, Some(reason)) => {
            let of = reasons.iter().find(|(option, _)| option.value == reason).map(|(_, of)| *of);
            match (of, chosen) {
                (Some(of), None) => {
                    row.set(state.id, Value::Integer(of));
                    Ok(())
                }
                (Some(of), Some(chosen)) if of == chosen => Ok(()),
                _ => Err(fault(
                    table,
                    status,
                    Fault::StateStatus,
                    format!("{reason} is not a status of state {}", chosen.unwrap_or_default()),
                )),
            }
        }
    }
}

pub(crate) fn number(value: Option<&Value>) -> Option<i32> {
    match value {
        Some(Value::Integer(n)) => Some(*n),
        _ => None,
    }
}

/// Columns the platform stamps on every write: an audit entry says them already.
pub(crate) fn is_stamp(column: &Column) -> bool {
    matches!(
        column.name.as_str(),
        "activitytypecode"
            | "createdon"
            | "createdby"
            | "createdonbehalfby"
            | "modifiedon"
            | "modifiedby"
            | "modifiedonbehalfby"
            | "versionnumber"
    )
}

/// Links that a caller makes, as against those the platform keeps (owner, unit, who and when).
fn is_link_of_caller(column: &Column) -> bool {
    let owner = matches!(column.kind, ColumnKind::Lookup { flavor: LookupFlavor::Owner, .. });
    !owner
        && !is_stamp(column)
        && (column.creatable || column.updatable)
        && !matches!(column.name.as_str(), "owningbusinessunit" | "owninguser" | "owningteam")
}

fn as_instant(value: Value) -> Value {
    match value {
        Value::Date(days) => Value::DateTime(i64::from(days) * 86_400),
        other => other,
    }
}
