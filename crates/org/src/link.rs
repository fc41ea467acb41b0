//! Linking two records: over an N:N relationship by a row of its intersect, over a 1:N one by setting the lookup.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_access::append_kind;
use custodia_schema::{Column, ColumnId, Guid, ManyToMany, OneToMany, PrivilegeKind, Table, TableId, Value};
use custodia_store::{AuditOperation, RowKey, StoredRow};

use crate::audit_detail::{AuditDetail, action};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::input::{Input, Precondition, RecordInput, Reference};
use crate::organization::Organization;
use crate::writing::{Draft, Writing};

/// Two records and the relationship between them.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkRequest {
    /// The record addressed.
    pub record: Reference,
    /// Schema name of the relationship.
    pub relationship: String,
    /// The other record.
    pub other: Reference,
}

/// Pairs that a request has met so far: the intersect, and the ids in its columns.
type Met = HashSet<(TableId, [(ColumnId, Guid); 2])>;

/// A relationship as seen from the record addressed.
enum Side {
    /// An intersect holds both ids; whether the record addressed stands on the first side.
    Many(ManyToMany, bool),
    /// The other record's lookup holds the record addressed.
    Children(OneToMany),
    /// The lookup of the record addressed holds the other.
    Parent(OneToMany),
}

impl Organization {
    /// Links two records.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`] when they are linked already over an N:N relationship; see [`Error`].
    pub async fn associate(&self, caller: &Caller, request: LinkRequest) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let request = request.clone();
            Box::pin(async move { writing.associate(&request).await })
        })
        .await
    }

    /// Links several pairs, all or none; pairs that are linked already stay so.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn associate_all(&self, caller: &Caller, requests: Vec<LinkRequest>) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let requests = requests.clone();
            Box::pin(async move { writing.associate_all(&requests).await })
        })
        .await
    }

    /// Takes several links away, all or none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn disassociate_all(&self, caller: &Caller, requests: Vec<LinkRequest>) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let requests = requests.clone();
            Box::pin(async move { writing.disassociate_all(&requests).await })
        })
        .await
    }

    /// Takes a link away. One that is not there is no error.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn disassociate(&self, caller: &Caller, request: LinkRequest) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let request = request.clone();
            Box::pin(async move { writing.disassociate(&request).await })
        })
        .await
    }
}

impl Writing<'_> {
    pub(crate) async fn associate_all(&mut self, requests: &[LinkRequest]) -> Result<()> {
        let mut met = Met::new();
        for request in requests {
            self.link(request, &mut met).await?;
        }
        Ok(())
    }

    pub(crate) async fn disassociate_all(&mut self, requests: &[LinkRequest]) -> Result<()> {
        let mut met = Met::new();
        for request in requests {
            self.unlink(request, &mut met).await?;
        }
        Ok(())
    }

    pub(crate) async fn associate(&mut self, request: &LinkRequest) -> Result<()> {
        if self.link(request, &mut Met::new()).await? {
            Ok(())
        } else {
            Err(Error::DuplicateKey { constraint: request.relationship.clone() })
        }
    }

    pub(crate) async fn disassociate(&mut self, request: &LinkRequest) -> Result<()> {
        self.unlink(request, &mut Met::new()).await
    }

    /// Links two records; `false`, and nothing is done, where an N:N relationship links them already or did so for this
    /// request: what was gathered for it is not read yet.
    async fn link(&mut self, request: &LinkRequest, met: &mut Met) -> Result<bool> {
        self.require_storage()?;
        match self.side(request)? {
            Side::Many(link, first) => {
                let (intersect, ids) = self.linked(request, &link, first).await?;
                let ends = ends_of(&intersect, &link, &ids);
                if !met.insert((intersect.id, ids)) || !self.rows_between(&intersect, &ends).await?.is_empty() {
                    return Ok(false);
                }
                self.before_link(&link, &ids).await?;
                let mut row = Draft::default();
                for (column, end) in ends {
                    row.set(column, end);
                }
                let permit = self.platform_permit("associate", &intersect, PrivilegeKind::Create)?;
                let id = self.fresh.id();
                self.transaction.insert(permit, &intersect, id, row.into_values())?;
                self.audit_link(&link, &ids, true).await?;
            }
            Side::Children(relationship) => {
                let id = self.id_of(&request.record).await?;
                self.set_lookup(&request.other, &relationship, Some((request.record.table, id))).await?;
            }
            Side::Parent(relationship) => {
                let id = self.id_of(&request.other).await?;
                self.set_lookup(&request.record, &relationship, Some((request.other.table, id))).await?;
            }
        }
        Ok(true)
    }

    async fn unlink(&mut self, request: &LinkRequest, met: &mut Met) -> Result<()> {
        match self.side(request)? {
            Side::Many(link, first) => {
                let (intersect, ids) = self.linked(request, &link, first).await?;
                if !met.insert((intersect.id, ids)) {
                    return Ok(());
                }
                self.before_unlink(&link, &ids).await?;
                let rows = self.rows_between(&intersect, &ends_of(&intersect, &link, &ids)).await?;
                let none = rows.is_empty();
                for row in rows {
                    let permit = self.platform_permit("disassociate", &intersect, PrivilegeKind::Delete)?;
                    self.transaction.delete(permit, &intersect, &row)?;
                }
                if none { Ok(()) } else { self.audit_link(&link, &ids, false).await }
            }
            Side::Children(relationship) => {
                let id = self.id_of(&request.record).await?;
                let child_table = self.table(request.other.table)?;
                let child = self.find(&child_table, &request.other.key).await?;
                let child = child.ok_or_else(|| Self::missing(&child_table, &request.other.key))?;
                if child.get(relationship.referencing_column).guid() != Some(id) {
                    return Ok(());
                }
                self.set_lookup(&request.other, &relationship, None).await
            }
            Side::Parent(relationship) => self.set_lookup(&request.record, &relationship, None).await,
        }
    }

    /// Which relationship is meant, and from which side.
    fn side(&self, request: &LinkRequest) -> Result<Side> {
        let (record, other) = (request.record.table, request.other.table);
        if let Some(link) = self.schema.links_of(record).find(|link| link.name == request.relationship) {
            if link.first == record && link.second == other {
                return Ok(Side::Many(link.clone(), true));
            }
            if link.second == record && link.first == other {
                return Ok(Side::Many(link.clone(), false));
            }
        }
        let one = |relationship: &&OneToMany| relationship.name == request.relationship;
        if let Some(found) = self.schema.children_of(record).filter(|r| r.referencing == other).find(one) {
            return Ok(Side::Children(found.clone()));
        }
        if let Some(found) = self.schema.parents_of(record).filter(|r| r.referenced == other).find(one) {
            return Ok(Side::Parent(found.clone()));
        }
        Err(Error::Invalid(format!("relationship '{}' does not join these two tables", request.relationship)))
    }

    /// The intersect of an N:N relationship with both ids in their columns, once both records are found and may be linked:
    /// Append on either, from whichever side the link is made (docs/security-choices.md).
    async fn linked(
        &mut self,
        request: &LinkRequest,
        link: &ManyToMany,
        first: bool,
    ) -> Result<(Arc<Table>, [(ColumnId, Guid); 2])> {
        let record = self.reached(&request.record).await?;
        let other = self.reached(&request.other).await?;
        let intersect = self.table(link.intersect)?;
        let (one, two) = if first { (record, other) } else { (other, record) };
        Ok((intersect, [(link.first_column, one), (link.second_column, two)]))
    }

    /// The id of a record that the caller reaches with the right that linking needs there.
    async fn reached(&mut self, reference: &Reference) -> Result<Guid> {
        let table = self.table(reference.table)?;
        let kind = append_kind(&table);
        let row = self.link_end(&table, &reference.key, kind).await?;
        let _checked = self.permit_on(&table, kind, row.is_reached)?;
        Ok(row.id)
    }

    /// What a lookup holds of a record that a request names.
    pub(crate) async fn link_value(&mut self, lookup: &Column, reference: &Reference) -> Result<Value> {
        match self.schema.target_for(lookup, reference.table) {
            // An activity named by its type: it stands among all activities, and has to be of that type.
            Some(target) if target != reference.table => {
                let table = self.table(reference.table)?;
                let id = self.id_of_key(&table, &reference.key).await?;
                Ok(Value::Lookup(target, id.ok_or_else(|| Self::missing(&table, &reference.key))?))
            }
            _ => Ok(Value::Lookup(reference.table, self.id_of(reference).await?)),
        }
    }

    /// The id of a record that a request names.
    pub(crate) async fn id_of(&mut self, reference: &Reference) -> Result<Guid> {
        let table = self.table(reference.table)?;
        match &reference.key {
            RowKey::Id(id) => Ok(*id),
            key @ RowKey::Alternate(_) => {
                Ok(self.id_of_key(&table, key).await?.ok_or_else(|| Self::missing(&table, key))?)
            }
        }
    }

    /// A lookup is set by an ordinary update of the record that has it.
    async fn set_lookup(
        &mut self,
        child: &Reference,
        relationship: &OneToMany,
        parent: Option<(TableId, Guid)>,
    ) -> Result<()> {
        let input = match parent {
            Some((table, id)) => Input::Link(Reference::id(table, id)),
            None => Input::Value(Value::Null),
        };
        let columns = vec![(relationship.referencing_column, input)];
        let input = RecordInput { table: relationship.referencing, id: None, columns };
        self.update(child, input, Precondition::None).await.map(|_| ())
    }

    /// Tells of a link that went with something else, if it gave somebody rights.
    pub(crate) async fn audit_right_lost(&mut self, link: &ManyToMany, row: &StoredRow) -> Result<()> {
        let (_, gives_rights) = link_action(&link.name, false);
        let ends = (row.get(link.first_column).guid(), row.get(link.second_column).guid());
        match ends {
            (Some(first), Some(second)) if gives_rights => {
                self.audit_link(link, &[(link.first_column, first), (link.second_column, second)], false).await
            }
            _ => Ok(()),
        }
    }

    /// Tells of a link on both records that it joins. Those that give rights are told whatever the switches of the tables.
    pub(crate) async fn audit_link(
        &mut self,
        link: &ManyToMany,
        ids: &[(ColumnId, Guid); 2],
        made: bool,
    ) -> Result<()> {
        let [(_, first), (_, second)] = *ids;
        let (kind, gives_rights) = link_action(&link.name, made);
        for (table, record, far, other) in
            [(link.first, first, link.second, second), (link.second, second, link.first, first)]
        {
            let detail = || AuditDetail::Link { relationship: link.name.clone(), table: far, other: Some(other) };
            if gives_rights {
                Box::pin(self.audit_rights(table, record, kind, &detail())).await?;
                continue;
            }
            let table = self.table(table)?;
            // Nothing is put into words for tables that are not told of, and the request is no larger for it.
            if self.shared.settings.audits(self.transaction, &table).await? {
                let detail = Some(detail().to_text());
                Box::pin(self.audit(&table, record, AuditOperation::Update, kind, Vec::new(), detail)).await?;
            }
        }
        Ok(())
    }
}

/// What a column of an intersect holds of a record at that end: a column that may lead to several tables tells which one.
pub(crate) fn end_of(intersect: &Table, column: ColumnId, table: TableId, id: Guid) -> Value {
    let leads = intersect.column_by_id(column).is_some_and(|column| !column.kind.targets().is_empty());
    if leads { Value::Lookup(table, id) } else { Value::Guid(id) }
}

/// Both ends of a link, by the ids that stand in the columns of its intersect.
fn ends_of(intersect: &Table, link: &ManyToMany, ids: &[(ColumnId, Guid); 2]) -> [(ColumnId, Value); 2] {
    let [(first_column, first), (second_column, second)] = *ids;
    [
        (first_column, end_of(intersect, first_column, link.first, first)),
        (second_column, end_of(intersect, second_column, link.second, second)),
    ]
}

/// Dataverse's number for a link that is made or goes, by its relationship, and whether it gives somebody rights.
fn link_action(relationship: &str, made: bool) -> (i32, bool) {
    let (on, off, gives_rights) = match relationship {
        "systemuserroles_association" => (action::ROLE_TO_USER, action::ROLE_FROM_USER, true),
        "teamroles_association" => (action::ROLE_TO_TEAM, action::ROLE_FROM_TEAM, true),
        "teammembership_association" => (action::ADD_MEMBERS, action::REMOVE_MEMBERS, true),
        "systemuserprofiles_association" | "teamprofiles_association" => {
            (action::ASSOCIATE, action::DISASSOCIATE, true)
        }
        "listaccount_association" | "listcontact_association" | "listlead_association" => {
            (action::ADD_MEMBER, action::REMOVE_MEMBER, false)
        }
        _ => (action::ASSOCIATE, action::DISASSOCIATE, false),
    };
    (if made { on } else { off }, gives_rights)
}
