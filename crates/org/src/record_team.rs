//! The access team of a record: made from a template when the first user is added to it, and gone with the last one or with
//! the record.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_access::{Denied, RightsMask};
use custodia_schema::{Guid, PrivilegeKind, RowSecurity, Table, Value};
use custodia_store::{AuditOperation, RowKey, StoredRow};

use crate::administration::is_kept_team;
use crate::audit_detail::action;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::input::Reference;
use crate::model::column;
use crate::organization::Organization;
use crate::share::{Share, Sharing};
use crate::writing::{Draft, Writing};

/// Why the platform writes the rows of such teams.
const WHY: &str = "record team";

/// A user who is to be in the access team of a record, or in it no longer.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordTeamMember {
    /// The user.
    pub user: Guid,
    /// The record.
    pub record: Reference,
    /// The template: for which table, and with which rights its teams are shared with.
    pub template: Guid,
}

impl Organization {
    /// Adds a user to the access team of a record; makes the team, and shares the record with it, when it is the first.
    /// Returns the team.
    ///
    /// # Errors
    /// [`Error::Denied`] when the caller may not share the record, or lacks a right that the template gives; see [`Error`].
    pub async fn add_to_record_team(&self, caller: &Caller, member: RecordTeamMember) -> Result<Guid> {
        self.in_transaction(caller, move |writing| {
            let member = member.clone();
            Box::pin(async move { writing.add_to_record_team(&member).await })
        })
        .await
    }

    /// Takes a user out of the access team of a record; with the last one the team goes. Returns the team.
    ///
    /// # Errors
    /// [`Error::Denied`] when the caller may not share the record; see [`Error`].
    pub async fn remove_from_record_team(&self, caller: &Caller, member: RecordTeamMember) -> Result<Guid> {
        self.in_transaction(caller, move |writing| {
            let member = member.clone();
            Box::pin(async move { writing.remove_from_record_team(&member).await })
        })
        .await
    }
}

impl Writing<'_> {
    pub(crate) async fn add_to_record_team(&mut self, member: &RecordTeamMember) -> Result<Guid> {
        self.require_storage()?;
        let (template, rights) = self.template_for(member).await?;
        let table = self.table(member.record.table)?;
        let (record, held) = self.held_on(&table, &member.record.key).await?;
        if self.authority.platform_name().is_none() {
            let _checked = self.authority.permit_share(&table, held, rights)?;
        }
        let users = self.table_named("systemuser")?;
        self.get(&users, member.user).await?;
        let team = record_team_id(&table, record.id, template.id);
        let teams = self.table_named("team")?;
        match self.find(&teams, &RowKey::Id(team)).await? {
            Some(row) if is_record_team(&teams, &row, template.id) => {
                // The template may say less by now than the team was given.
                let shares = self.shares_of(&table, record.id).await?;
                let share = shares.into_iter().find(|share| share.principal == team);
                let given = share.map_or(RightsMask::NONE, |share| share.explicit.union(share.inherited));
                if self.authority.platform_name().is_none() {
                    let _checked = self.authority.permit_share(&table, held, rights.union(given))?;
                }
            }
            // The id follows from record and template: somebody made another team of it beforehand.
            Some(_) => return Err(Error::Duplicate { table: teams.name.clone(), id: team }),
            None => {
                self.check_principal_id(&teams, team).await?;
                self.make_record_team(&table, record.id, team, &template).await?;
                self.transaction.flush().await?;
                let target = Reference::id(table.id, record.id);
                self.share_with(&target, team, Sharing::Grant(rights)).await?;
            }
        }
        let memberships = self.table_named("teammembership")?;
        let ends = [(column(&memberships, "teamid")?, team), (column(&memberships, "systemuserid")?, member.user)];
        if self.intersect_rows(&memberships, &ends).await?.is_empty() {
            let values = ends.map(|(column, id)| (column, Value::Guid(id))).to_vec();
            let permit = self.platform_permit(WHY, &memberships, PrivilegeKind::Create)?;
            let id = self.fresh.id();
            self.transaction.insert(permit, &memberships, id, values)?;
            self.audit_member(team, member.user, true).await?;
        }
        Ok(team)
    }

    pub(crate) async fn remove_from_record_team(&mut self, member: &RecordTeamMember) -> Result<Guid> {
        let (template, _) = self.template_for(member).await?;
        let table = self.table(member.record.table)?;
        let (record, held) = self.held_on(&table, &member.record.key).await?;
        let shares = held.contains(RightsMask::of(PrivilegeKind::Share));
        let _checked = self.permit_on(&table, PrivilegeKind::Share, shares)?;
        let team = record_team_id(&table, record.id, template.id);
        let teams = self.table_named("team")?;
        match self.find(&teams, &RowKey::Id(team)).await? {
            Some(row) if is_record_team(&teams, &row, template.id) => {}
            _ => return Ok(team),
        }
        let memberships = self.table_named("teammembership")?;
        let (of, who) = (column(&memberships, "teamid")?, column(&memberships, "systemuserid")?);
        let members = self.intersect_rows(&memberships, &[(of, team)]).await?;
        let Some(leaves) = members.iter().find(|row| row.get(who).guid() == Some(member.user)) else {
            return Ok(team);
        };
        let permit = self.platform_permit(WHY, &memberships, PrivilegeKind::Delete)?;
        self.transaction.delete(permit, &memberships, leaves)?;
        self.audit_member(team, member.user, false).await?;
        if members.len() == 1 {
            self.transaction.flush().await?;
            let target = Reference::id(table.id, record.id);
            self.share_with(&target, team, Sharing::Revoke).await?;
            self.transaction.flush().await?;
            self.remove_record_team(&teams, team).await?;
        }
        Ok(team)
    }

    /// Removes the access teams that a record had, of those it was shared with.
    pub(crate) async fn remove_record_teams(&mut self, of: &Table, record: Guid, shares: &[Share]) -> Result<()> {
        let teams = self.table_named("team")?;
        let template = column(&teams, "teamtemplateid")?;
        for share in shares.iter().filter(|share| share.is_team) {
            let Some(team) = self.find(&teams, &RowKey::Id(share.principal)).await? else { continue };
            // Teams of the records above have shares here too.
            let is_own = team
                .get(template)
                .guid()
                .is_some_and(|id| is_record_team(&teams, &team, id) && record_team_id(of, record, id) == team.id);
            if is_own {
                self.transaction.flush().await?;
                self.remove_record_team(&teams, team.id).await?;
            }
        }
        Ok(())
    }

    async fn remove_record_team(&mut self, teams: &Arc<Table>, team: Guid) -> Result<()> {
        self.remove_shares_of_principal(team).await?;
        let Some(row) = self.find(teams, &RowKey::Id(team)).await? else { return Ok(()) };
        self.remove_links(teams, team, &HashSet::new()).await?;
        let permit = self.platform_permit(WHY, teams, PrivilegeKind::Delete)?;
        self.transaction.delete(permit, teams, &row)?;
        self.audit(teams, team, AuditOperation::Delete, action::DELETE, Vec::new(), None).await
    }

    /// The template, which the caller may read, and the rights that it gives.
    async fn template_for(&mut self, member: &RecordTeamMember) -> Result<(StoredRow, RightsMask)> {
        let templates = self.table_named("teamtemplate")?;
        let key = RowKey::Id(member.template);
        let template = self.fetch_for(&templates, &key, PrivilegeKind::Read).await?;
        let _checked = self.permit_on(&templates, PrivilegeKind::Read, template.reaches(0))?;
        let number = |name: &str| match template.get(column(&templates, name)?) {
            Value::Integer(number) => Ok(u32::try_from(*number).unwrap_or(0)),
            _ => Ok::<_, Error>(0),
        };
        if number("objecttypecode")? != member.record.table.0 {
            return Err(Error::Invalid("the team template is for records of another table".to_owned()));
        }
        let rights = RightsMask(number("defaultaccessrightsmask")?);
        Ok((template, rights))
    }

    async fn held_on(&mut self, table: &Arc<Table>, key: &RowKey) -> Result<(StoredRow, RightsMask)> {
        let found = self.fetch_held(table, key, &PrivilegeKind::ALL).await?;
        found.ok_or_else(|| Self::missing(table, key))
    }

    async fn make_record_team(
        &mut self,
        table: &Arc<Table>,
        record: Guid,
        team: Guid,
        template: &StoredRow,
    ) -> Result<()> {
        let RowSecurity::Owned { .. } = table.security else {
            return Err(Error::Denied(Denied::NotApplicable {
                table: table.name.clone(),
                right: PrivilegeKind::Share,
            }));
        };
        let teams = self.table_named("team")?;
        let (templates, users) = (self.table_named("teamtemplate")?, self.table_named("systemuser")?);
        let mut row = Draft::default();
        row.stamp(&teams, "name", Value::Text(format!("{record}+{}", template.id)));
        row.stamp(&teams, "teamtype", Value::Integer(1));
        row.stamp(&teams, "isdefault", Value::Boolean(false));
        row.stamp(&teams, "systemmanaged", Value::Boolean(true));
        row.stamp(&teams, "teamtemplateid", Value::Lookup(templates.id, template.id));
        // It owns nothing, so its unit decides nothing; the root is never in anybody's way.
        let root = self.root_unit().await?;
        row.stamp(&teams, "businessunitid", Value::Lookup(self.table_named("businessunit")?.id, root));
        row.stamp(&teams, "administratorid", Value::Lookup(users.id, self.acting()));
        self.stamp_new(&teams, &mut row);
        let permit = self.platform_permit(WHY, &teams, PrivilegeKind::Create)?;
        self.transaction.insert(permit, &teams, team, row.into_values())?;
        self.audit(&teams, team, AuditOperation::Create, action::CREATE, Vec::new(), None).await
    }

    /// Tells of a member who came or went, as of a link that somebody made or cut.
    async fn audit_member(&mut self, team: Guid, user: Guid, joins: bool) -> Result<()> {
        let schema = Arc::clone(&self.schema);
        let link = schema.many_to_many().iter().find(|link| link.name == "teammembership_association");
        let link = link.ok_or_else(|| Error::Invalid("teams have no members".to_owned()))?;
        let teams = self.table_named("team")?;
        let ends = [link.first, link.second].map(|end| if end == teams.id { team } else { user });
        let [first, second] = ends;
        self.audit_link(link, &[(link.first_column, first), (link.second_column, second)], joins).await
    }

    /// That a template says something: rights that there are, for a table whose records can be shared.
    pub(crate) fn check_team_template(&self, templates: &Table, changes: &Draft) -> Result<()> {
        let given = |name: &str| match changes.named(templates, name) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        };
        if let Some(mask) = given("defaultaccessrightsmask") {
            let mask = RightsMask(u32::try_from(mask).unwrap_or(0));
            if mask.is_empty() || !mask.is_valid() {
                return Err(Error::Denied(Denied::InvalidMask { mask }));
            }
        }
        if let Some(code) = given("objecttypecode") {
            let id = custodia_schema::TableId(u32::try_from(code).unwrap_or(0));
            let table = self.schema.table(id);
            if !table.is_some_and(|table| matches!(table.security, RowSecurity::Owned { .. })) {
                return Err(Error::Invalid(format!("there is no table {code} whose records could be shared")));
            }
        }
        Ok(())
    }
}

/// Whether a team is one that the platform keeps for a template.
fn is_record_team(teams: &Table, team: &StoredRow, template: Guid) -> bool {
    let made_from = teams.column("teamtemplateid").and_then(|column| team.get(column.id).guid());
    is_kept_team(teams, team) && made_from == Some(template)
}

/// A record has one team of a template, so its id follows from both.
fn record_team_id(table: &Table, record: Guid, template: Guid) -> Guid {
    Guid::new_v5(&template, &[record.as_bytes().as_slice(), &table.id.0.to_be_bytes()].concat())
}
