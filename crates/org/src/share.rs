//! Sharing one record, and the rights that children inherit from the records they hang on.
//!
//! A share row keeps explicit and inherited rights apart. Inherited ones have several sources, so they are always computed
//! anew from the present parents, never subtracted (decision 0001.8).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use custodia_access::RightsMask;
use custodia_query::{Filter, Path, Query};
use custodia_schema::{AssignCascade, Guid, OneToMany, PrivilegeKind, Table, Value};
use custodia_store::{AuditOperation, RowKey, StoredRow};

use crate::administration::is_kept_team;
use crate::assign::owner_of;
use crate::audit_detail::{AuditDetail, action};
use crate::caller::Caller;
use crate::error::{Error, Result, refusal};
use crate::input::Reference;
use crate::model::{column, columns};
use crate::organization::Organization;
use crate::writing::{Draft, Writing};

/// Principals one record may be shared with; more belongs into a team.
const SHARES_MAX: u32 = 10_000;

/// Rights that the owner of a parent inherits on its children.
const OWNER_RIGHTS: RightsMask = RightsMask::ALL.without(RightsMask::of(PrivilegeKind::Create));

/// Rights that the former owner of a record keeps, where the organisation shares back on assigning.
const FORMER_OWNER_RIGHTS: RightsMask = RightsMask::of(PrivilegeKind::Read)
    .union(RightsMask::of(PrivilegeKind::Write))
    .union(RightsMask::of(PrivilegeKind::Append))
    .union(RightsMask::of(PrivilegeKind::AppendTo));

/// One share of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The user or team.
    pub principal: Guid,
    /// It is a team.
    pub is_team: bool,
    /// Rights given by hand.
    pub explicit: RightsMask,
    /// Rights that come from parent records.
    pub inherited: RightsMask,
    row: Guid,
}

/// What to do with a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    Grant(RightsMask),
    Modify(RightsMask),
    Revoke,
}

impl Organization {
    /// Shares a record with a user or team: adds rights to those it has.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn grant_access(
        &self,
        caller: &Caller,
        target: Reference,
        principal: Guid,
        rights: RightsMask,
    ) -> Result<()> {
        self.share(caller, target, principal, Sharing::Grant(rights)).await
    }

    /// Replaces the rights a record is shared with.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn modify_access(
        &self,
        caller: &Caller,
        target: Reference,
        principal: Guid,
        rights: RightsMask,
    ) -> Result<()> {
        self.share(caller, target, principal, Sharing::Modify(rights)).await
    }

    /// Takes a share away. Rights that come from a parent record stay.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn revoke_access(&self, caller: &Caller, target: Reference, principal: Guid) -> Result<()> {
        self.share(caller, target, principal, Sharing::Revoke).await
    }

    /// The shares of a record that were given by hand.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`] when the caller may not read the record; see [`Error`].
    pub async fn shared_with(&self, caller: &Caller, target: Reference) -> Result<Vec<Share>> {
        self.in_transaction(caller, move |writing| {
            let target = target.clone();
            Box::pin(async move { writing.shared_with(&target).await })
        })
        .await
    }

    async fn share(&self, caller: &Caller, target: Reference, principal: Guid, sharing: Sharing) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let target = target.clone();
            Box::pin(async move { writing.share(&target, principal, sharing).await })
        })
        .await
    }
}

impl Writing<'_> {
    async fn shared_with(&mut self, target: &Reference) -> Result<Vec<Share>> {
        let table = self.table(target.table)?;
        let stored = self.fetch_for(&table, &target.key, PrivilegeKind::Read).await?;
        let _checked = self.permit_on(&table, PrivilegeKind::Read, stored.reaches(0))?;
        let mut shares = self.shares_of(&table, stored.id).await?;
        shares.retain(|share| share.explicit != RightsMask::NONE);
        shares.sort_by_key(|share| share.principal);
        Ok(shares)
    }

    /// Shares by hand, which access teams that the platform keeps for a record are not open to.
    pub(crate) async fn share(&mut self, target: &Reference, principal: Guid, sharing: Sharing) -> Result<()> {
        self.share_as(target, principal, sharing, true).await
    }

    /// Shares with the access team that the platform keeps for a record.
    pub(crate) async fn share_with(&mut self, target: &Reference, team: Guid, sharing: Sharing) -> Result<()> {
        self.share_as(target, team, sharing, false).await
    }

    async fn share_as(&mut self, target: &Reference, principal: Guid, sharing: Sharing, by_hand: bool) -> Result<()> {
        if !matches!(sharing, Sharing::Revoke) {
            self.require_storage()?;
        }
        let table = self.table(target.table)?;
        let found = self.fetch_held(&table, &target.key, &PrivilegeKind::ALL).await?;
        let (stored, held) = found.ok_or_else(|| Self::missing(&table, &target.key))?;
        if self.authority.platform_name().is_none() {
            let _checked = match sharing {
                Sharing::Grant(rights) | Sharing::Modify(rights) => {
                    self.authority.permit_share(&table, held, rights)?
                }
                Sharing::Revoke => {
                    let reached = held.contains(RightsMask::of(PrivilegeKind::Share));
                    self.authority.permit_row(PrivilegeKind::Share, &table, reached)?
                }
            };
        }
        if owner_of(&table, &stored) == Some(principal) {
            return Err(Error::refused(
                refusal::SHARED_WITH_OWNER,
                "a record cannot be shared with its owner, who has all rights already",
            ));
        }
        let (is_team, is_kept) = self.kind_of_principal(principal).await?;
        if is_kept && by_hand && self.authority.platform_name().is_none() {
            return Err(Error::refused(
                refusal::KEPT_TEAM,
                "the team is kept by the platform for one record; add users to it with AddUserToRecordTeam",
            ));
        }
        let present = self.shares_of(&table, stored.id).await?.into_iter().find(|share| share.principal == principal);
        let before = present.as_ref().map_or(RightsMask::NONE, |share| share.explicit);
        let after = match sharing {
            Sharing::Grant(rights) => before.union(rights),
            Sharing::Modify(rights) => rights,
            Sharing::Revoke => RightsMask::NONE,
        };
        let inherited = present.as_ref().map_or(RightsMask::NONE, |share| share.inherited);
        self.write_share(&table, stored.id, principal, is_team, after, inherited, present.as_ref())?;
        let action = match (sharing, before == RightsMask::NONE) {
            (Sharing::Revoke, _) => action::UNSHARE,
            (_, true) => action::SHARE,
            (_, false) => action::MODIFY_SHARE,
        };
        let detail = AuditDetail::Share { principal, is_team, before, after }.to_text();
        self.audit(&table, stored.id, AuditOperation::Update, action, Vec::new(), Some(detail)).await?;
        let unshares = sharing == Sharing::Revoke;
        self.pass_shares_down(&table, stored.id, |relationship| {
            if unshares { relationship.cascade.unshare } else { relationship.cascade.share }
        })
        .await
    }

    /// Whether a principal is a team, and one that the platform keeps; refuses one that is neither user nor team.
    async fn kind_of_principal(&mut self, principal: Guid) -> Result<(bool, bool)> {
        let users = self.table_named("systemuser")?;
        if self.find(&users, &RowKey::Id(principal)).await?.is_some() {
            return Ok((false, false));
        }
        let teams = self.table_named("team")?;
        if let Some(team) = self.find(&teams, &RowKey::Id(principal)).await? {
            return Ok((true, is_kept_team(&teams, &team)));
        }
        Err(Error::NotFound { table: "systemuser or team".to_owned(), id: principal })
    }

    /// All shares of a record.
    pub(crate) async fn shares_of(&mut self, of: &Table, record: Guid) -> Result<Vec<Share>> {
        let table = self.table_named("principalobjectaccess")?;
        let names = self.schema.shared_as(of).map(|name| Value::Text(name.to_owned())).collect();
        let of_record = Filter::And(vec![
            Filter::equal(column(&table, "objectid")?, Value::Guid(record)),
            Filter::In { path: Path::own(column(&table, "objecttypecode")?), values: names },
        ]);
        let query =
            Query { filter: of_record, ..Query::of(&table, SHARES_MAX) }.showing(columns(&table, &SHARE_COLUMNS)?);
        let rows = self.platform_rows("shares of a record", &query).await?;
        Ok(rows.iter().filter_map(|row| share_of(row)).collect())
    }

    /// Stores one share, or removes it when nothing is left of it.
    #[expect(clippy::too_many_arguments, reason = "a share row is these seven facts")]
    fn write_share(
        &mut self,
        of: &Table,
        record: Guid,
        principal: Guid,
        is_team: bool,
        explicit: RightsMask,
        inherited: RightsMask,
        present: Option<&Share>,
    ) -> Result<()> {
        let table = self.table_named("principalobjectaccess")?;
        let masks = [("accessrightsmask", explicit), ("inheritedaccessrightsmask", inherited)];
        match present {
            Some(share) if explicit == RightsMask::NONE && inherited == RightsMask::NONE => {
                let permit = self.platform_permit("share", &table, PrivilegeKind::Delete)?;
                let last = StoredRow::of(share.row, Vec::new());
                self.transaction.delete(permit, &table, &last)?;
            }
            Some(share) => {
                let mut row = Draft::default();
                for (name, mask) in masks {
                    row.set(column(&table, name)?, mask_value(mask));
                }
                let permit = self.platform_permit("share", &table, PrivilegeKind::Write)?;
                self.transaction.update(permit, &table, share.row, row.into_values())?;
            }
            None if explicit == RightsMask::NONE && inherited == RightsMask::NONE => {}
            None => {
                let mut row = Draft::default();
                row.set(column(&table, "objectid")?, Value::Guid(record));
                row.set(column(&table, "objecttypecode")?, Value::Text(of.name.clone()));
                row.set(column(&table, "principalid")?, Value::Guid(principal));
                let kind = if is_team { "team" } else { "systemuser" };
                row.set(column(&table, "principaltypecode")?, Value::Text(kind.to_owned()));
                row.stamp(&table, "changedon", Value::DateTime(self.transaction.now()));
                for (name, mask) in masks {
                    row.set(column(&table, name)?, mask_value(mask));
                }
                let permit = self.platform_permit("share", &table, PrivilegeKind::Create)?;
                let id = self.fresh.id();
                self.transaction.insert(permit, &table, id, row.into_values())?;
            }
        }
        Ok(())
    }

    /// Gives a new record what it inherits from the records it hangs on.
    pub(crate) async fn inherit_shares(&mut self, table: &Arc<Table>, id: Guid, row: &Draft) -> Result<()> {
        let wanted = self.inherited(table, row).await?;
        for (principal, (is_team, rights)) in wanted {
            self.write_share(table, id, principal, is_team, RightsMask::NONE, rights, None)?;
        }
        Ok(())
    }

    /// After a change of lookups or owner: computes anew what the record inherits and passes on.
    pub(crate) async fn reparent(&mut self, table: &Arc<Table>, stored: &StoredRow, changes: &Draft) -> Result<()> {
        let owner = table.column("ownerid").map(|column| column.id);
        let lookups = parents(&self.schema, table).map(|relationship| relationship.referencing_column);
        // An owner inherits nothing on the own record, so another owner changes what is inherited there too.
        let changed =
            |column: custodia_schema::ColumnId| changes.get(column).is_some_and(|value| value != stored.get(column));
        if lookups.chain(owner).any(changed) {
            let mut row = Draft::default();
            for (column, value) in stored.values() {
                row.set(*column, value.clone());
            }
            for (column, value) in changes.iter() {
                row.set(column, value.clone());
            }
            if self.store_inherited(table, stored.id, &row).await? {
                self.pass_shares_down(table, stored.id, |relationship| relationship.cascade.share).await?;
            }
        }
        Ok(())
    }

    /// After a record was given away: shares it with the owner it had, where the organisation wants that. The new owner's
    /// children inherit it as they do other shares.
    pub(crate) async fn share_back(&mut self, table: &Arc<Table>, stored: &StoredRow) -> Result<()> {
        if !self.shared.settings.organization(self.transaction).await?.shares_back {
            return Ok(());
        }
        let former = table.column("ownerid").and_then(|column| Self::pointed(stored.get(column.id)));
        let Some((kind, former)) = former else { return Ok(()) };
        let is_team = self.table(kind)?.name == "team";
        self.transaction.flush().await?;
        let present = self.shares_of(table, stored.id).await?.into_iter().find(|share| share.principal == former);
        let (before, inherited) =
            present.as_ref().map_or((RightsMask::NONE, RightsMask::NONE), |share| (share.explicit, share.inherited));
        let after = before.union(FORMER_OWNER_RIGHTS);
        self.write_share(table, stored.id, former, is_team, after, inherited, present.as_ref())?;
        let kind = if before == RightsMask::NONE { action::SHARE } else { action::MODIFY_SHARE };
        let detail = AuditDetail::Share { principal: former, is_team, before, after }.to_text();
        self.audit(table, stored.id, AuditOperation::Update, kind, Vec::new(), Some(detail)).await?;
        self.pass_shares_down(table, stored.id, |relationship| relationship.cascade.share).await
    }

    /// After a change of owner: the owner's inherited rights on the children follow.
    pub(crate) async fn owner_changed(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        former: Option<Guid>,
        owner: Guid,
    ) -> Result<()> {
        if former != Some(owner) {
            self.moved_owners.push((table.id, id));
        }
        Ok(())
    }

    /// The last step of a request: what records inherit that lost a parent or followed one to another owner, and what
    /// children inherit from records whose owner changed.
    pub(crate) async fn settle_inherited(&mut self) -> Result<()> {
        for (table, id) in std::mem::take(&mut self.unsettled) {
            let table = self.table(table)?;
            self.transaction.flush().await?;
            let Some(stored) = self.find(&table, &RowKey::Id(id)).await? else { continue };
            let mut row = Draft::default();
            for (column, value) in stored.values() {
                row.set(*column, value.clone());
            }
            if self.store_inherited(&table, id, &row).await? {
                self.pass_shares_down(&table, id, |relationship| relationship.cascade.share).await?;
            }
        }
        for (table, id) in std::mem::take(&mut self.moved_owners) {
            let table = self.table(table)?;
            self.pass_shares_down(&table, id, |relationship| relationship.cascade.reparent).await?;
        }
        Ok(())
    }

    /// Computes anew what the children of a record inherit, and theirs where something changed.
    async fn pass_shares_down(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        cascade: impl Fn(&OneToMany) -> AssignCascade,
    ) -> Result<()> {
        let mut waiting = vec![(Arc::clone(table), id)];
        let mut met = HashSet::from([id]);
        while let Some((table, id)) = waiting.pop() {
            let relationships: Vec<_> =
                self.schema.children_of(table.id).filter(|r| cascade(r) != AssignCascade::None).cloned().collect();
            for relationship in relationships {
                let child_table = self.table(relationship.referencing)?;
                if self.child_ids(&child_table, &relationship, id, 1).await?.is_empty() {
                    continue;
                }
                // Children are judged by what their parent is now.
                self.transaction.flush().await?;
                let parent = self.get(&table, id).await?;
                let former = owner_of(&table, &parent);
                for child in self.children(&relationship, id, cascade(&relationship), former).await? {
                    if !met.insert(child.id) {
                        continue;
                    }
                    let mut row = Draft::default();
                    for (column, value) in child.values() {
                        row.set(*column, value.clone());
                    }
                    if self.store_inherited(&child_table, child.id, &row).await? {
                        waiting.push((Arc::clone(&child_table), child.id));
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes what a record inherits where it differs from what is stored; whether anything did.
    async fn store_inherited(&mut self, table: &Arc<Table>, id: Guid, row: &Draft) -> Result<bool> {
        let mut wanted = self.inherited(table, row).await?;
        let mut changed = false;
        for share in self.shares_of(table, id).await? {
            let rights = wanted.remove(&share.principal).map_or(RightsMask::NONE, |(_, rights)| rights);
            if rights != share.inherited {
                self.write_share(table, id, share.principal, share.is_team, share.explicit, rights, Some(&share))?;
                changed = true;
            }
        }
        for (principal, (is_team, rights)) in wanted {
            self.write_share(table, id, principal, is_team, RightsMask::NONE, rights, None)?;
            changed = true;
        }
        Ok(changed)
    }

    /// What a record inherits from the records its lookups hold: their shares, and all rights for their owners.
    async fn inherited(&mut self, table: &Arc<Table>, row: &Draft) -> Result<BTreeMap<Guid, (bool, RightsMask)>> {
        let mut wanted: BTreeMap<Guid, (bool, RightsMask)> = BTreeMap::new();
        let relationships: Vec<_> = parents(&self.schema, table).cloned().collect();
        let owner = table.column("ownerid").and_then(|column| row.get(column.id)).and_then(Value::guid);
        for relationship in relationships {
            let Some((target, parent)) = row.get(relationship.referencing_column).and_then(Self::pointed) else {
                continue;
            };
            if target != relationship.referenced || !selects(table, row, relationship.cascade.reparent) {
                continue;
            }
            let parent_table = self.table(target)?;
            let Some(parent_row) = self.find(&parent_table, &RowKey::Id(parent)).await? else { continue };
            if let Some((kind, parent_owner)) =
                parent_table.column("ownerid").and_then(|column| Self::pointed(parent_row.get(column.id)))
                && Some(parent_owner) != owner
            {
                let is_team = self.table(kind)?.name == "team";
                wanted.insert(parent_owner, (is_team, OWNER_RIGHTS));
            }
            for share in self.shares_of(&parent_table, parent).await? {
                if Some(share.principal) == owner {
                    continue;
                }
                let held = wanted.entry(share.principal).or_insert((share.is_team, RightsMask::NONE));
                held.1 = held.1.union(share.explicit).union(share.inherited);
            }
        }
        Ok(wanted)
    }

    /// Removes all shares of a record that goes.
    pub(crate) async fn remove_shares(&mut self, of: &Table, record: Guid) -> Result<()> {
        let table = self.table_named("principalobjectaccess")?;
        let shares = self.shares_of(of, record).await?;
        for share in &shares {
            let permit = self.platform_permit("share", &table, PrivilegeKind::Delete)?;
            self.transaction.delete(permit, &table, &StoredRow::of(share.row, Vec::new()))?;
        }
        self.remove_record_teams(of, record, &shares).await
    }
}

/// Columns of a share row, in the order [`share_of`] reads them after the id.
const SHARE_COLUMNS: [&str; 4] = ["principalid", "principaltypecode", "accessrightsmask", "inheritedaccessrightsmask"];

fn share_of(row: &[Value]) -> Option<Share> {
    let mask = |at: usize| row.get(at).map_or(RightsMask::NONE, mask_of);
    Some(Share {
        row: row.first()?.guid()?,
        principal: row.get(1)?.guid()?,
        is_team: matches!(row.get(2), Some(Value::Text(kind)) if kind == "team"),
        explicit: mask(3),
        inherited: mask(4),
    })
}

fn mask_value(mask: RightsMask) -> Value {
    Value::Integer(i32::try_from(mask.0).unwrap_or(0))
}

/// Relationships over which a record of this table inherits rights.
pub(crate) fn parents<'s>(schema: &'s custodia_schema::Schema, table: &Table) -> impl Iterator<Item = &'s OneToMany> {
    schema.parents_of(table.id).filter(|relationship| relationship.cascade.reparent != AssignCascade::None)
}

/// Whether a cascade setting selects this child; the owner it compares with is the parent's, which inherits anyway.
fn selects(table: &Table, row: &Draft, cascade: AssignCascade) -> bool {
    match cascade {
        AssignCascade::None => false,
        AssignCascade::All | AssignCascade::UserOwned => true,
        AssignCascade::Active => {
            table.state().is_none_or(|state| row.get(state.id).is_none_or(|value| *value == Value::Integer(0)))
        }
    }
}

/// The rights that a share's column holds.
pub(crate) fn mask_of(value: &Value) -> RightsMask {
    match value {
        Value::BigInt(n) => RightsMask(u32::try_from(*n).unwrap_or(0)),
        Value::Integer(n) => RightsMask(u32::try_from(*n).unwrap_or(0)),
        _ => RightsMask::NONE,
    }
}
