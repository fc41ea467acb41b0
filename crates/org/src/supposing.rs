//! What somebody could do with other roles, and that it was asked, or a request simulated: an entry of the audit, and nothing else
//! is stored.

use std::collections::{BTreeMap, BTreeSet};

use custodia_access::{Authority, Facts, RoleGrant};
use custodia_query::{Filter, Query};
use custodia_schema::{Guid, Level, PrivilegeKind, Schema, Value, builtin_roles};
use custodia_store::{ADMINISTRATOR_PROFILE, AuditEntry, AuditOperation, RowKey};

use crate::audit_detail::{PrivilegeChange, action};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::explaining::beyond_explaining;
use crate::model;
use crate::organization::Organization;
use crate::telling::{Principal, allowed_level};

/// Roles that somebody is supposed to hold, or not to hold, directly: each by its own id or by that of a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supposed {
    /// Held besides.
    pub with: Vec<Guid>,
    /// Not held any more.
    pub without: Vec<Guid>,
}

/// What supposed roles change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supposition {
    /// Whether it is allowed with the roles that are really held.
    pub allowed_now: bool,
    /// The privileges that would be gained, lost or held at another level, by name.
    pub changes: Vec<PrivilegeChange>,
}

impl Supposed {
    /// Whether everything is as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.with.is_empty() && self.without.is_empty()
    }
}

impl Organization {
    /// The privileges that would be gained, lost or held at another level, by name; those of teams count as well. Takes reading
    /// the user or team and roles, and is told of in the audit.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`]; [`Error::Invalid`] where a role is held already, is not held, or is of another
    /// business unit; store errors.
    pub async fn suppose_roles(
        &self,
        caller: &Caller,
        of: Principal,
        supposed: &Supposed,
    ) -> Result<Vec<PrivilegeChange>> {
        let changes =
            self.told_fresh(&caller.users(), || Box::pin(self.suppose_roles_once(caller, of, supposed))).await?;
        Box::pin(self.tell_supposed(caller, of, supposed)).await?;
        Ok(changes)
    }

    pub(crate) async fn suppose_roles_once(
        &self,
        caller: &Caller,
        of: Principal,
        supposed: &Supposed,
    ) -> Result<Vec<PrivilegeChange>> {
        let asking = self.authority(caller).await?;
        let head = self.check_tells_of(caller, &asking, of).await?;
        let facts = self.facts_as_of(of, &head).await?;
        let schema = self.schema();
        let before = levels(&schema, &facts);
        let after = levels(&schema, &self.supposed_facts(caller, &asking, facts, supposed).await?);
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let change = |name: &String| PrivilegeChange {
            name: name.clone(),
            before: before.get(name).copied(),
            after: after.get(name).copied(),
        };
        Ok(names.into_iter().map(change).filter(|change| change.before != change.after).collect())
    }

    /// Facts as they would be.
    pub(crate) async fn supposed_facts(
        &self,
        caller: &Caller,
        asking: &Authority,
        mut facts: Facts,
        supposed: &Supposed,
    ) -> Result<Facts> {
        if supposed.is_nothing() {
            return Ok(facts);
        }
        let limit = self.shared.limits.supposed_roles;
        if supposed.with.len().saturating_add(supposed.without.len()) > limit {
            return Err(Error::Invalid(format!("at most {limit} roles are supposed at once (limits.supposed_roles)")));
        }
        asking.rows(model::table(&self.schema(), "role")?, PrivilegeKind::Read)?;
        let administrators = builtin_roles().iter().find(|role| role.is_administrator()).map(|role| role.root_id);
        for role in &supposed.without {
            let role = self.supposed_role(caller, asking, *role).await?;
            if !facts.roles.iter().any(|held| held.root == role.root) {
                let why = format!("the role {} is not held directly, so it cannot be taken", role.name);
                return Err(Error::Invalid(why));
            }
            facts.roles.retain(|held| held.root != role.root);
            if Some(role.root) == administrators {
                facts.all_columns = self.opens_all_by_profile(facts.user.id).await?;
            }
        }
        for role in &supposed.with {
            let role = self.supposed_role(caller, asking, *role).await?;
            if facts.roles.iter().any(|held| held.root == role.root) {
                return Err(Error::Invalid(format!("the role {} is held already", role.name)));
            }
            self.check_offered(&role, facts.user.unit).await?;
            facts.roles.push(self.grant_of(caller, &role, &facts).await?);
            // Of a team, the columns are not asked.
            facts.all_columns |= Some(role.root) == administrators && !facts.user.is_team;
        }
        Ok(facts)
    }

    /// What a role would give, as of the version of the facts beside it.
    async fn grant_of(&self, caller: &Caller, role: &RoleFound, facts: &Facts) -> Result<RoleGrant> {
        let (root, template) = (role.root, role.template);
        let (version, privileges) = self
            .in_transaction(caller, move |writing| {
                Box::pin(async move {
                    let version = writing.transaction.versions().security;
                    Ok((version, writing.transaction.role_privileges(root, template).await?))
                })
            })
            .await?;
        if u64::try_from(version).ok() != Some(facts.security_version) {
            return Err(Error::Store(custodia_store::Error::Stale));
        }
        Ok(RoleGrant { root, base_unit: facts.user.unit, privileges })
    }

    async fn supposed_role(&self, caller: &Caller, asking: &Authority, role: Guid) -> Result<RoleFound> {
        let schema = self.schema();
        let table = model::table(&schema, "role")?;
        self.check_reads(caller, asking, table, role).await?;
        let shown = model::columns(table, &["parentrootroleid", "roletemplateid", "name"])?;
        let query = Query::of_row(table, &RowKey::Id(role)).showing(shown);
        let (rows, _) = self.shared.platform_rows("suppose a role", &query).await?;
        let row = rows.first().ok_or_else(|| Error::NotFound { table: table.name.clone(), id: role })?;
        Ok(RoleFound {
            root: row.get(1).and_then(Value::guid).unwrap_or(role),
            template: row.get(2).and_then(Value::guid),
            name: match row.get(3) {
                Some(Value::Text(name)) => name.clone(),
                _ => String::new(),
            },
        })
    }

    /// That a role has a copy in the business unit of its holder: it cannot be given there otherwise.
    async fn check_offered(&self, role: &RoleFound, unit: Guid) -> Result<()> {
        let schema = self.schema();
        let table = model::table(&schema, "role")?;
        let filter = Filter::And(vec![
            Filter::equal(model::column(table, "parentrootroleid")?, Value::Guid(role.root)),
            Filter::equal(model::column(table, "businessunitid")?, Value::Guid(unit)),
        ]);
        let (rows, _) = self.shared.platform_rows("suppose a role", &Query { filter, ..Query::of(table, 1) }).await?;
        if rows.is_empty() {
            let why = format!("the role {} is of another business unit, so it cannot be given", role.name);
            return Err(Error::Invalid(why));
        }
        Ok(())
    }

    /// Whether a user holds the System Administrator profile, also through a team.
    async fn opens_all_by_profile(&self, user: Guid) -> Result<bool> {
        let schema = self.schema();
        let mut holders = vec![("systemuserprofiles", "systemuserid", user)];
        let members = model::table(&schema, "teammembership")?;
        let filter = Filter::equal(model::column(members, "systemuserid")?, Value::Guid(user));
        let limit = self.shared.limits.explained_rows;
        let query = Query { filter, ..Query::of(members, limit) }.showing([model::column(members, "teamid")?]);
        let (rows, _) = self.shared.platform_rows("suppose a role", &query).await?;
        if rows.len() > limit as usize {
            return Err(beyond_explaining(members, limit));
        }
        holders.extend(rows.iter().filter_map(|row| row.get(1)?.guid()).map(|team| ("teamprofiles", "teamid", team)));
        for (table, holder, id) in holders {
            let table = model::table(&schema, table)?;
            let filter = Filter::And(vec![
                Filter::equal(model::column(table, holder)?, Value::Guid(id)),
                Filter::equal(model::column(table, "fieldsecurityprofileid")?, Value::Guid(ADMINISTRATOR_PROFILE)),
            ]);
            let query = Query { filter, ..Query::of(table, 1) };
            if !self.shared.platform_rows("suppose a role", &query).await?.0.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells the audit that a request was tried out with a user's rights.
    ///
    /// # Errors
    /// [`Error::Denied`]; store errors.
    pub async fn audit_simulation(&self, caller: &Caller, user: Guid, request: &str) -> Result<()> {
        let detail = format!("simulated with this user's rights: {request}");
        self.in_transaction(caller, move |writing| {
            let detail = detail.clone();
            Box::pin(async move {
                writing.audit_service(user, action::REQUEST_SIMULATED, &detail);
                Ok(())
            })
        })
        .await
    }

    /// Tells the audit that somebody asked what would be.
    pub(crate) async fn tell_supposed(&self, caller: &Caller, of: Principal, supposed: &Supposed) -> Result<()> {
        if supposed.is_nothing() {
            return Ok(());
        }
        let with = supposed.with.iter().map(|role| format!("with role {role}"));
        let without = supposed.without.iter().map(|role| format!("without role {role}"));
        let said: Vec<String> = with.chain(without).collect();
        let detail = format!("asked what would be: {}", said.join(", "));
        self.in_transaction(caller, move |writing| {
            let detail = detail.clone();
            Box::pin(async move {
                let table = writing.table_named(of.table_name())?.id;
                let entry = writing.audit_entry(table, of.id(), AuditOperation::Access, action::ROLES_SUPPOSED);
                writing.transaction.audit(&AuditEntry { detail: Some(detail), ..entry });
                Ok(())
            })
        })
        .await
    }
}

/// A role that is supposed to be held or not.
struct RoleFound {
    root: Guid,
    template: Option<Guid>,
    name: String,
}

/// The highest level of each privilege.
fn levels(schema: &Schema, facts: &Facts) -> BTreeMap<String, Level> {
    let mut levels: BTreeMap<String, Level> = BTreeMap::new();
    let roles = facts.roles.iter().chain(facts.team_roles.iter().map(|held| &held.role));
    for granted in roles.flat_map(|role| &role.privileges) {
        let Some(privilege) = schema.privilege_named(&granted.name) else { continue };
        let level = allowed_level(privilege, granted.level);
        let known = levels.entry(privilege.name.clone()).or_insert(level);
        *known = level.max(*known);
    }
    levels
}
