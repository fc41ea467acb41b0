//! Merging two records of one table: the lesser gives its children to the greater and is closed.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::{ColumnId, Guid, MergeCascade, OneToMany, PrivilegeKind, Table, Value};
use custodia_store::{AuditOperation, AuditedChange, StoredRow};

use crate::audit_detail::action;
use crate::create::is_stamp;
use crate::error::{Error, Result};
use crate::input::{Precondition, RecordInput, Reference};
use crate::link::end_of;
use crate::share::parents;
use crate::writing::{Draft, Writing};

/// The privilege to merge at all.
const MERGE: &str = "prvMerge";

/// Two records that become one.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeRequest {
    /// The record that stays.
    pub target: Reference,
    /// The record that is closed.
    pub subordinate: Reference,
    /// What changes of the record that stays.
    pub content: Option<RecordInput>,
    /// Refuse when the two have different parents.
    pub checks_parents: bool,
}

/// A table whose records can be merged.
struct Mergeable {
    table: &'static str,
    /// State and status of a record that was merged into another.
    closed: (i32, i32),
    /// Lookups that hold the parents which [`MergeRequest::checks_parents`] compares.
    parents: &'static [&'static str],
}

const MERGEABLE: [Mergeable; 4] = [
    Mergeable { table: "account", closed: (1, 2), parents: &["parentaccountid"] },
    Mergeable { table: "contact", closed: (1, 2), parents: &["parentcustomerid"] },
    Mergeable { table: "incident", closed: (2, 2000), parents: &["parentcaseid"] },
    Mergeable { table: "lead", closed: (2, 7), parents: &["parentaccountid", "parentcontactid"] },
];

impl Writing<'_> {
    /// Merges two records. The caller needs the privilege, and Write on both; what hangs on the lesser follows it without a
    /// check of its own, as in other cascades.
    pub(crate) async fn merge(&mut self, request: MergeRequest) -> Result<()> {
        let MergeRequest { target, subordinate, content, checks_parents } = request;
        let table = self.table(target.table)?;
        let Some(rules) = MERGEABLE.iter().find(|rules| rules.table == table.name) else {
            return Err(Error::Invalid(format!(
                "records of '{}' cannot be merged; those of account, contact, incident and lead can",
                table.name
            )));
        };
        if subordinate.table != table.id {
            return Err(Error::Invalid("two records are merged only if they are of the same table".to_owned()));
        }
        if self.authority.platform_name().is_none() {
            self.authority.check_privilege(MERGE)?;
        }
        let greater = self.fetch_for(&table, &target.key, PrivilegeKind::Write).await?;
        let _checked = self.permit_on(&table, PrivilegeKind::Write, greater.reaches(0))?;
        let lesser = self.fetch_for(&table, &subordinate.key, PrivilegeKind::Write).await?;
        let permit = self.permit_on(&table, PrivilegeKind::Write, lesser.reaches(0))?;
        check_pair(&table, rules, &greater, &lesser, checks_parents)?;

        if let Some(content) = content {
            self.update(&Reference::id(table.id, greater.id), content, Precondition::None).await?;
            self.transaction.flush().await?;
        }
        self.account_parents.forget();
        self.move_children(&table, lesser.id, greater.id).await?;
        self.move_links(&table, lesser.id, greater.id).await?;

        let (state, status) = rules.closed;
        let mut changes = Draft::default();
        changes.stamp(&table, "statecode", Value::Integer(state));
        changes.stamp(&table, "statuscode", Value::Integer(status));
        changes.stamp(&table, "merged", Value::Boolean(true));
        changes.stamp(&table, "masterid", Value::Lookup(table.id, greater.id));
        self.stamp_modified(&table, &mut changes);
        let audited = changed(&table, &lesser, &changes);
        self.transaction.update(permit, &table, lesser.id, changes.into_values())?;
        let into = format!("merged into {}", greater.id);
        self.audit(&table, lesser.id, AuditOperation::Update, action::MERGE, audited, Some(into)).await?;
        let from = format!("merged from {}", lesser.id);
        self.audit(&table, greater.id, AuditOperation::Update, action::MERGE, Vec::new(), Some(from)).await
    }

    /// Gives the children that follow on merge to the greater.
    async fn move_children(&mut self, table: &Arc<Table>, from: Guid, to: Guid) -> Result<()> {
        let schema = Arc::clone(&self.schema);
        let moves = |relationship: &&OneToMany| relationship.cascade.merge == MergeCascade::Cascade;
        for relationship in schema.children_of(table.id).filter(moves) {
            let child_table = self.table(relationship.referencing)?;
            let children = self.all_children(&child_table, relationship, from).await?;
            let lookup = relationship.referencing_column;
            let above = match child_table.id == table.id && !children.is_empty() {
                true => self.chain_above(table, lookup, to).await?,
                false => HashSet::new(),
            };
            for child in &children {
                self.count_cascaded(&child_table)?;
                // No record becomes its own parent, or that of one above it.
                let would_loop = child_table.id == table.id && (child.id == to || above.contains(&child.id));
                let link = if would_loop { Value::Null } else { Value::Lookup(table.id, to) };
                self.move_child(&child_table, child, lookup, link).await?;
            }
            if !children.is_empty() {
                // A record may hang on the lesser by more than one lookup: the next change is of what this one left.
                self.transaction.flush().await?;
            }
        }
        Ok(())
    }

    async fn move_child(&mut self, table: &Arc<Table>, child: &StoredRow, lookup: ColumnId, link: Value) -> Result<()> {
        let mut changes = Draft::default();
        changes.set(lookup, link);
        self.stamp_modified(table, &mut changes);
        let audited = changed(table, child, &changes);
        self.mirror_activity(table, child.id, &changes, false).await?;
        let permit = self.platform_permit("merge", table, PrivilegeKind::Write)?;
        self.transaction.update(permit, table, child.id, changes.into_values())?;
        if parents(&self.schema, table).any(|relationship| relationship.referencing_column == lookup) {
            self.unsettled.push((table.id, child.id));
        }
        self.audit(table, child.id, AuditOperation::Update, action::UPDATE, audited, None).await
    }

    /// Gives the N:N links of the lesser to the greater, but for those that the greater has already.
    async fn move_links(&mut self, table: &Arc<Table>, from: Guid, to: Guid) -> Result<()> {
        let links: Vec<_> = self.schema.links_of(table.id).cloned().collect();
        for link in links {
            let intersect = self.table(link.intersect)?;
            if !self.transaction.has_table(intersect.id) {
                continue;
            }
            let ends = [
                (link.first, link.first_column, link.second, link.second_column),
                (link.second, link.second_column, link.first, link.first_column),
            ];
            for (_, own, far_table, other) in ends.into_iter().filter(|(end, ..)| *end == table.id) {
                let lesser = end_of(&intersect, own, table.id, from);
                for row in self.rows_between(&intersect, &[(own, lesser)]).await? {
                    let Some(far) = row.get(other).guid() else { continue };
                    let far = end_of(&intersect, other, far_table, far);
                    let moved = vec![(own, end_of(&intersect, own, table.id, to)), (other, far)];
                    let is_there = !self.rows_between(&intersect, &moved).await?.is_empty();
                    let permit = self.platform_permit("merge", &intersect, PrivilegeKind::Delete)?;
                    self.transaction.delete(permit, &intersect, &row)?;
                    if is_there {
                        continue;
                    }
                    let permit = self.platform_permit("merge", &intersect, PrivilegeKind::Create)?;
                    let id = self.fresh.id();
                    self.transaction.insert(permit, &intersect, id, moved)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether these two can become one.
fn check_pair(
    table: &Table,
    rules: &Mergeable,
    greater: &StoredRow,
    lesser: &StoredRow,
    checks_parents: bool,
) -> Result<()> {
    if greater.id == lesser.id {
        return Err(Error::Invalid("a record cannot be merged with itself".to_owned()));
    }
    for (row, role) in [(greater, "Target"), (lesser, "Subordinate")] {
        let value = |name: &str| table.column(name).map_or(&Value::Null, |column| row.get(column.id));
        if *value("merged") == Value::Boolean(true) {
            return Err(Error::Invalid(format!("{role}: {} {} was merged already", table.name, row.id)));
        }
        if *value("statecode") != Value::Integer(0) {
            return Err(Error::Invalid(format!("{role}: {} {} is not active", table.name, row.id)));
        }
    }
    if !checks_parents {
        return Ok(());
    }
    for parent in rules.parents.iter().filter_map(|name| table.column(name)) {
        let (one, other) = (greater.get(parent.id), lesser.get(parent.id));
        if !one.is_null() && !other.is_null() && one != other {
            return Err(Error::Invalid(format!(
                "the two records have different parents in '{}'; give them the same, or merge without the check",
                parent.name
            )));
        }
    }
    Ok(())
}

/// What a change tells the audit.
fn changed(table: &Table, before: &StoredRow, changes: &Draft) -> Vec<AuditedChange> {
    changes
        .iter()
        .filter(|(column, new)| {
            before.get(*column) != *new && table.column_by_id(*column).is_some_and(|column| !is_stamp(column))
        })
        .map(|(column, new)| AuditedChange { column, old: before.get(column).clone(), new: new.clone() })
        .collect()
}
