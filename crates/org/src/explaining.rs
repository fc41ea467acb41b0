//! Telling why a user or team may do something, or what is missing: the roles, teams, units, shares and profiles that decide.
//!
//! The verdict on a record is that of the user's rights; each role is tried by rights that are computed from that role
//! alone, and each way to reach a record by a statement that has that way alone.

mod column;

use std::sync::Arc;

use custodia_access::{
    ACT_ON_BEHALF, Authority, Facts, Rights, RightsMask, RoleGrant, TeamRole, Way, new_owner_may_hold,
};
use custodia_query::{Filter, Path, Query};
use custodia_schema::{ColumnId, Guid, Level, PrivilegeKind, RowSecurity, Schema, Table, TableId, Value};
use custodia_store::{Head, RowKey};

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::model;
use crate::organization::Organization;
use crate::share::mask_of;
use crate::supposing::{Supposed, Supposition};
use crate::telling::{Principal, Reach};

/// "May this user or team do that?"
#[derive(Clone, Debug)]
pub struct AccessQuestion {
    /// The user, or a team by itself.
    pub of: Principal,
    /// What.
    pub asked: Asked,
    /// Roles that are supposed to be held, or not to be.
    pub supposed: Supposed,
}

/// What is asked about.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A right on records of a table.
    Right(RightQuestion),
    /// A privilege that belongs to no table, by its name.
    Privilege(String),
    /// Acting for this user.
    ActingFor(Guid),
}

/// A right on records of a table.
#[derive(Clone, Debug)]
pub struct RightQuestion {
    /// The right. With a column: Read, Create or Write.
    pub right: PrivilegeKind,
    /// The table.
    pub table: TableId,
    /// One record of it; without one the question is about any.
    pub record: Option<Guid>,
    /// A column besides; of users alone.
    pub column: Option<ColumnId>,
    /// Who shall own the record, with Assign.
    pub owner: Option<Principal>,
}

/// The answer, and what it follows from.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Whether the user or team may.
    pub allowed: bool,
    /// The name of the privilege; `None` where the table has none of its own for this right.
    pub privilege: Option<String>,
    /// Each role that gives the privilege.
    pub grants: Vec<Granted>,
    /// How the column stands, where one was asked about.
    pub column: Option<ColumnOpening>,
    /// What is missing, each a sentence; empty when the user or team may.
    pub missing: Vec<String>,
    /// What the supposed roles change, where there are any.
    pub supposed: Option<Supposition>,
}

/// A row of the security model, by id and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: Guid,
    /// Its name, empty where it has none.
    pub name: String,
}

/// A role that gives the privilege.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The role, by the topmost one that it is a copy of.
    pub role: Named,
    /// The team that it is held through.
    pub team: Option<Named>,
    /// Its Basic level covers rows of that team alone.
    pub team_privileges_only: bool,
    /// The highest level; `None` where rows follow others.
    pub level: Option<Level>,
    /// The business unit that the level is measured from.
    pub unit: Named,
    /// The ways by which this role reaches the record that was asked about.
    pub reaches: Vec<Reached>,
}

/// How a record is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// As every record of the table.
    Everything,
    /// It is owned by the user, or stands for the user.
    Own,
    /// It is owned by a team of the user.
    OfTeam(Named),
    /// It sits in this business unit.
    Unit(Named),
    /// It sits in this business unit or below.
    Subtree(Named),
    /// It is shared with the user or a team of theirs, and what was given or inherited contains the right.
    Shared(Vec<SharedBy>),
    /// It is owned by somebody below the user in the hierarchy, or such a user was given the right on it.
    Reports,
    /// The record that one of these lookups points at is reached.
    Parent(Vec<String>),
    /// It is an entry of the audit about a table that the user may read.
    Telling,
    /// Everything that this record connects is reached.
    All,
}

/// A share that contains the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedBy {
    /// The user or the team that it is shared with.
    pub with: Named,
    /// Whether it was given for this record; otherwise it was inherited from a record above.
    pub explicit: bool,
}

/// How a column stands to a user.
#[derive(Clone, Debug)]
pub struct ColumnOpening {
    /// Whether it may be used.
    pub allowed: bool,
    /// Whether it is secured, or derived from columns that are.
    pub secured: bool,
    /// Whether it shows masked only.
    pub masked: bool,
    /// Profiles of the user that open it, or the columns that it is derived from.
    pub profiles: Vec<Named>,
    /// Users and teams with whom it was shared on this record, where no profile opens it.
    pub shared_with: Vec<Named>,
}

impl Organization {
    /// Why a user or team may do something, or what is missing. Everybody may ask about themselves; about others who reads that
    /// user or team and roles. About a record that the caller may not read only what concerns the caller's own rights is told.
    /// What is supposed of roles takes reading roles, and is told of in the audit.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`]; [`Error::Invalid`] when the question makes no sense; store errors.
    pub async fn explain_access(&self, caller: &Caller, question: &AccessQuestion) -> Result<Explanation> {
        let explanation =
            self.told_fresh(&caller.users(), || Box::pin(self.explain_supposed_once(caller, question))).await?;
        Box::pin(self.tell_supposed(caller, question.of, &question.supposed)).await?;
        Ok(explanation)
    }

    async fn explain_supposed_once(&self, caller: &Caller, question: &AccessQuestion) -> Result<Explanation> {
        let mut explanation = Box::pin(self.explain_access_once(caller, question)).await?;
        if !question.supposed.is_nothing() {
            let now = AccessQuestion { supposed: Supposed::default(), ..question.clone() };
            let allowed_now = Box::pin(self.explain_access_once(caller, &now)).await?.allowed;
            let changes = Box::pin(self.suppose_roles_once(caller, question.of, &question.supposed)).await?;
            explanation.supposed = Some(Supposition { allowed_now, changes });
        }
        Ok(explanation)
    }

    async fn explain_access_once(&self, caller: &Caller, question: &AccessQuestion) -> Result<Explanation> {
        let asking = self.authority(caller).await?;
        let head = self.check_tells_of(caller, &asking, question.of).await?;
        let schema = self.schema();
        let facts = self.facts_as_of(question.of, &head).await?;
        let facts = Box::pin(self.supposed_facts(caller, &asking, facts, &question.supposed)).await?;
        let general = Holding { org: self, schema: &schema, of: question.of, facts: &facts, asking: &asking };
        match &question.asked {
            Asked::Privilege(name) => Box::pin(general.privilege(name)).await,
            Asked::ActingFor(user) => {
                self.check_tells_of(caller, &asking, Principal::User(*user)).await?;
                let other = self.facts_as_of(Principal::User(*user), &head).await?;
                Box::pin(general.acting_for(&other)).await
            }
            Asked::Right(right) => {
                let explaining = Box::pin(self.explaining(caller, general, right)).await?;
                let mut explanation = Box::pin(explaining.explanation()).await?;
                if let Some(owner) = right.owner {
                    self.check_tells_of(caller, &asking, owner).await?;
                    let missing = Box::pin(self.why_not_owner(caller, right, owner, &head)).await?;
                    explanation.allowed &= missing.is_none();
                    explanation.missing.extend(missing);
                }
                Ok(explanation)
            }
        }
    }

    /// What decides the rights of somebody, at the moment of a head.
    pub(crate) async fn facts_as_of(&self, of: Principal, head: &Head) -> Result<Facts> {
        let (found, table) = match of {
            Principal::User(user) => (self.shared.database.user_facts(user).await?, "systemuser"),
            Principal::Team(team) => (self.shared.database.team_facts(team).await?, "team"),
        };
        let facts = found.ok_or_else(|| Error::NotFound { table: table.to_owned(), id: of.id() })?;
        if u64::try_from(head.versions.security).ok() != Some(facts.security_version) {
            return Err(Error::Store(custodia_store::Error::Stale));
        }
        Ok(facts)
    }

    /// A question about a right, once it makes sense.
    async fn explaining<'e>(
        &self,
        caller: &Caller,
        general: Holding<'e>,
        question: &'e RightQuestion,
    ) -> Result<Explaining<'e>> {
        let found = general.schema.table(question.table);
        let table = found.ok_or_else(|| Error::Invalid("there is no such table".to_owned()))?;
        if question.column.is_some() && matches!(general.of, Principal::Team(_)) {
            let why = "columns are asked about of users: what the profiles of a team open, it opens to its members";
            return Err(Error::Invalid(why.to_owned()));
        }
        if question.owner.is_some() && question.right != PrivilegeKind::Assign {
            return Err(Error::Invalid("a new owner is asked about with the right Assign alone".to_owned()));
        }
        let mut readable = true;
        if let Some(record) = question.record {
            if question.right == PrivilegeKind::Create {
                return Err(Error::Invalid(
                    "a record that is there already is not created: ask without one".to_owned(),
                ));
            }
            match self.check_reads(caller, general.asking, table, record).await {
                Err(Error::Denied(_)) if caller.users() == [general.of.id()] => readable = false,
                checked => drop(checked?),
            }
        }
        Ok(Explaining { general, table, question, readable })
    }

    /// Why somebody cannot own records of a table; `None` where nothing stands in the way.
    async fn why_not_owner(
        &self,
        caller: &Caller,
        question: &RightQuestion,
        owner: Principal,
        head: &Head,
    ) -> Result<Option<String>> {
        let (asked, security) = (question.table, head.versions.security);
        self.in_transaction(caller, move |writing| {
            Box::pin(async move {
                if writing.transaction.versions().security != security {
                    return Err(Error::Store(custodia_store::Error::Stale));
                }
                let kind = writing.table_named(owner.table_name())?.id;
                let found = writing.owner_facts(kind, owner.id()).await?;
                let not_found = || Error::NotFound { table: owner.table_name().to_owned(), id: owner.id() };
                let facts = found.ok_or_else(not_found)?;
                let table = writing.table(asked)?;
                Ok(new_owner_may_hold(&facts, &table).err().map(|denied| denied.to_string()))
            })
        })
        .await
    }
}

/// Who is asked about, with what decides their rights, and who asks.
#[derive(Clone, Copy)]
struct Holding<'e> {
    org: &'e Organization,
    schema: &'e Arc<Schema>,
    of: Principal,
    facts: &'e Facts,
    /// The caller, to whom no name is told that is closed to them.
    asking: &'e Authority,
}

impl Holding<'_> {
    /// Whether a privilege that belongs to no table is held, and by which roles.
    async fn privilege(&self, name: &str) -> Result<Explanation> {
        let known = self.schema.privileges().iter().find(|known| known.name.eq_ignore_ascii_case(name));
        let known = known.ok_or_else(|| Error::Invalid(format!("there is no privilege '{name}'")))?;
        if known.kind.is_some() {
            let why = format!("{} is a right on records: ask for the right and the table", known.name);
            return Err(Error::Invalid(why));
        }
        let authority = Authority::user(Arc::new(Rights::build(self.schema, self.facts)));
        let refused = authority.check_privilege(&known.name).err();
        let grants = self.holding(|alone| alone.holds(&known.name)).await?;
        Ok(Explanation {
            allowed: refused.is_none(),
            privilege: Some(known.name.clone()),
            grants,
            column: None,
            missing: refused.iter().map(ToString::to_string).collect(),
            supposed: None,
        })
    }

    /// Whether one user may act for another.
    async fn acting_for(&self, other: &Facts) -> Result<Explanation> {
        if matches!(self.of, Principal::Team(_)) {
            return Err(Error::Invalid("a team acts for nobody: ask about a user".to_owned()));
        }
        let [caller, user] = [self.facts, other].map(|facts| Arc::new(Rights::build(self.schema, facts)));
        let refused = Authority::on_behalf(caller, user).err();
        Ok(Explanation {
            allowed: refused.is_none(),
            privilege: Some(ACT_ON_BEHALF.to_owned()),
            grants: self.holding(|alone| alone.holds_directly(ACT_ON_BEHALF)).await?,
            column: None,
            missing: refused.iter().map(ToString::to_string).collect(),
            supposed: None,
        })
    }

    /// Each role by itself that passes a test, for privileges that no level goes with.
    async fn holding(&self, gives: impl Fn(&Rights) -> bool) -> Result<Vec<Granted>> {
        let mut grants = Vec::new();
        for (role, held) in self.roles() {
            if gives(&Rights::build(self.schema, &self.only(role, held))) {
                grants.push(self.granted(role, held, None, Vec::new()).await?);
            }
        }
        Ok(grants)
    }

    /// The roles held, with the team that each is held through.
    fn roles(&self) -> impl Iterator<Item = (&RoleGrant, Option<&TeamRole>)> {
        let direct = self.facts.roles.iter().map(|role| (role, None));
        direct.chain(self.facts.team_roles.iter().map(|held| (&held.role, Some(held))))
    }

    /// What would be held with one role alone.
    fn only(&self, role: &RoleGrant, held: Option<&TeamRole>) -> Facts {
        let roles = if held.is_none() { vec![role.clone()] } else { Vec::new() };
        Facts { roles, team_roles: held.cloned().into_iter().collect(), ..self.facts.clone() }
    }

    async fn granted(
        &self,
        role: &RoleGrant,
        held: Option<&TeamRole>,
        level: Option<Level>,
        reaches: Vec<Reached>,
    ) -> Result<Granted> {
        Ok(Granted {
            role: self.named("role", role.root).await?,
            team: match held {
                Some(held) => Some(self.named("team", held.team).await?),
                None => None,
            },
            team_privileges_only: held.is_some_and(|held| held.team_privileges_only),
            level,
            unit: self.named("businessunit", role.base_unit).await?,
            reaches,
        })
    }

    /// A user or a team by name.
    async fn principal(&self, id: Guid) -> Result<Named> {
        let users = model::table(self.schema, "systemuser")?;
        let query = Query::of_row(users, &RowKey::Id(id));
        let (rows, _) = self.org.shared.platform_rows("explain a right", &query).await?;
        self.named(if rows.is_empty() { "team" } else { "systemuser" }, id).await
    }

    async fn named(&self, table: &str, id: Guid) -> Result<Named> {
        let table = model::table(self.schema, table)?;
        let name = table.primary_name.filter(|name| self.asking.reads_column(table, *name));
        let query = Query::of_row(table, &RowKey::Id(id)).showing(name);
        let (rows, _) = self.org.shared.platform_rows("explain a right", &query).await?;
        let name = match rows.first().and_then(|row| row.get(1)) {
            Some(Value::Text(name)) => name.clone(),
            _ => String::new(),
        };
        Ok(Named { id, name })
    }
}

/// One question about a right at work.
struct Explaining<'e> {
    general: Holding<'e>,
    table: &'e Arc<Table>,
    question: &'e RightQuestion,
    /// Whether the caller may read the record, and so be told whose it is.
    readable: bool,
}

impl Explaining<'_> {
    async fn explanation(&self) -> Result<Explanation> {
        let rights = Arc::new(Rights::build(self.general.schema, self.general.facts));
        let mut missing = Vec::new();
        let mut grants = Vec::new();
        let mut allowed = true;
        match Authority::user(Arc::clone(&rights)).rows(self.table, self.question.right) {
            Err(denied) => {
                allowed = false;
                missing.push(denied.to_string());
            }
            Ok(access) => {
                grants = self.grants().await?;
                if let Some(record) = self.question.record
                    && !self.is_reached(record, access).await?
                {
                    allowed = false;
                    missing.push(self.not_reached(record, &grants).await?);
                }
            }
        }
        if self.question.owner.is_some()
            && let Some(lacks) = self.lacks_write(&rights).await?
        {
            allowed = false;
            missing.push(lacks);
        }
        let column = match self.question.column {
            Some(column) => Some(self.column(&rights, column, &mut missing).await?),
            None => None,
        };
        allowed &= column.as_ref().is_none_or(|column| column.allowed);
        let privilege = self.table.privilege(self.question.right).map(|privilege| privilege.name.clone());
        Ok(Explanation { allowed, privilege, grants, column, missing, supposed: None })
    }

    /// Giving a record away takes Write besides Assign: why that is missing.
    async fn lacks_write(&self, rights: &Arc<Rights>) -> Result<Option<String>> {
        let access = match Authority::user(Arc::clone(rights)).rows(self.table, PrivilegeKind::Write) {
            Ok(access) => access,
            Err(denied) => return Ok(Some(denied.to_string())),
        };
        match self.question.record {
            Some(record) if !self.is_reached(record, access).await? => Ok(Some(
                "Giving a record to somebody takes Write on it as well, and no role or share gives it.".to_owned(),
            )),
            _ => Ok(None),
        }
    }

    /// Each role by itself: whether it passes the gate, and by which ways it reaches the record.
    async fn grants(&self) -> Result<Vec<Granted>> {
        let mut grants = Vec::new();
        for (role, held) in self.general.roles() {
            let alone = Arc::new(Rights::build(self.general.schema, &self.general.only(role, held)));
            let Ok(access) = Authority::user(Arc::clone(&alone)).rows(self.table, self.question.right) else {
                continue;
            };
            let mut reaches = Vec::new();
            if let Some(record) = self.question.record.filter(|_| self.readable) {
                for (way, access) in access.ways() {
                    // What is below comes last, and is asked together with shares: it tells something only without these.
                    let is_known = way == Way::Reports && reaches.iter().any(|way| matches!(way, Reached::Shared(_)));
                    if !is_known && self.is_reached(record, access).await? {
                        reaches.push(self.reached(record, way).await?);
                    }
                }
            }
            let level = alone.level(self.table.id, self.question.right);
            grants.push(self.general.granted(role, held, level, reaches).await?);
        }
        Ok(grants)
    }

    async fn is_reached(&self, record: Guid, access: custodia_access::RowAccess) -> Result<bool> {
        let query = Query::of_row(self.table, &RowKey::Id(record));
        let (rows, _) = self.general.org.shared.database.rows(&query, &Reach { access, table: self.table.id }).await?;
        Ok(!rows.is_empty())
    }

    async fn reached(&self, record: Guid, way: Way) -> Result<Reached> {
        Ok(match way {
            Way::Everything => Reached::Everything,
            Way::Owned => match self.place_of(record).await?.owner {
                Some(owner) if owner != self.general.of.id() => {
                    Reached::OfTeam(self.general.named("team", owner).await?)
                }
                _ => Reached::Own,
            },
            Way::Unit(unit) => Reached::Unit(self.general.named("businessunit", unit).await?),
            Way::Subtree(unit) => Reached::Subtree(self.general.named("businessunit", unit).await?),
            Way::Shared => Reached::Shared(self.shares_of(record).await?),
            Way::Parent(parents) => Reached::Parent(
                parents.iter().filter_map(|(lookup, _)| Some(self.table.column_by_id(*lookup)?.name.clone())).collect(),
            ),
            Way::Reports => Reached::Reports,
            Way::Telling => Reached::Telling,
            Way::All => Reached::All,
        })
    }

    /// What is missing to reach a record, although the privilege is held.
    async fn not_reached(&self, record: Guid, grants: &[Granted]) -> Result<String> {
        let right = self.question.right.word();
        let general = format!("None of the roles with this privilege reaches the record, and no share gives {right}");
        let place = self.place_of(record).await?;
        let (true, Some(unit)) = (self.readable, place.unit) else { return Ok(format!("{general}.")) };
        let mut text = general;
        if let Some(owner) = place.owner {
            let owner = self.general.principal(owner).await?;
            text.push_str(&format!(": it is owned by {}", owner.name));
        }
        let unit = self.general.named("businessunit", unit).await?;
        text.push_str(&format!(", in the business unit {}", unit.name));
        let above = self.units_above(unit.id).await?;
        let mut bases: Vec<&Named> = grants.iter().map(|grant| &grant.unit).collect();
        bases.sort_by_key(|base| base.id);
        bases.dedup();
        for base in bases {
            let needed = if base.id == unit.id {
                "Local"
            } else if above.contains(&base.id) {
                "Deep"
            } else {
                "Global"
            };
            text.push_str(&format!(". A role measured from {} would need the level {needed}", base.name));
        }
        text.push('.');
        Ok(text)
    }

    async fn teams(&self) -> Result<Vec<Guid>> {
        match self.general.of {
            Principal::User(user) => {
                self.ids("teammembership", "systemuserid", vec![Value::Guid(user)], "teamid").await
            }
            Principal::Team(_) => Ok(Vec::new()),
        }
    }

    /// Shares of a record with the user and the user's teams that contain the right.
    async fn shares_of(&self, record: Guid) -> Result<Vec<SharedBy>> {
        let mut principals = self.teams().await?;
        principals.push(self.general.of.id());
        let shares = model::table(self.general.schema, "principalobjectaccess")?;
        let names = self.general.schema.shared_as(self.table).map(|name| Value::Text(name.to_owned())).collect();
        let filter = Filter::And(vec![
            Filter::equal(model::column(shares, "objectid")?, Value::Guid(record)),
            Filter::In { path: Path::own(model::column(shares, "objecttypecode")?), values: names },
            Filter::In {
                path: Path::own(model::column(shares, "principalid")?),
                values: principals.into_iter().map(Value::Guid).collect(),
            },
        ]);
        let asked = ["principalid", "accessrightsmask", "inheritedaccessrightsmask"];
        let mut found = Vec::new();
        for row in self.rows("principalobjectaccess", filter, &asked).await? {
            let contains =
                |at: usize| row.get(at).is_some_and(|mask| mask_of(mask).contains(RightsMask::of(self.question.right)));
            let (Some(with), true) = (row.first().and_then(Value::guid), contains(1) || contains(2)) else { continue };
            found.push(SharedBy { with: self.general.principal(with).await?, explicit: contains(1) });
        }
        Ok(found)
    }

    async fn place_of(&self, record: Guid) -> Result<PlaceOf> {
        let (owner, unit) = match self.table.security {
            RowSecurity::Owned { owner, unit } => (Some(owner), Some(unit)),
            RowSecurity::Unit { unit, .. } => (None, Some(unit)),
            RowSecurity::Organization | RowSecurity::Parent { .. } | RowSecurity::Intersect => (None, None),
        };
        let query = Query::of_row(self.table, &RowKey::Id(record)).showing(owner.into_iter().chain(unit));
        let (rows, _) = self.general.org.shared.platform_rows("explain a right", &query).await?;
        let row = rows.first();
        let at = |at: usize| row.and_then(|row| row.get(at)).and_then(Value::guid);
        // The id of the record is the first value.
        let owner = owner.and_then(|_| at(1));
        Ok(PlaceOf { owner, unit: unit.and_then(|_| at(if owner.is_some() { 2 } else { 1 })) })
    }

    async fn units_above(&self, unit: Guid) -> Result<Vec<Guid>> {
        let units = model::table(self.general.schema, "businessunit")?;
        let parent = model::column(units, "parentbusinessunitid")?;
        let mut above: Vec<Guid> = Vec::new();
        let mut next = Some(unit);
        while let Some(unit) = next {
            let query = Query::of_row(units, &RowKey::Id(unit)).showing([parent]);
            let (rows, _) = self.general.org.shared.platform_rows("explain a right", &query).await?;
            next = rows.first().and_then(|row| row.get(1)).and_then(Value::guid).filter(|next| !above.contains(next));
            above.extend(next);
        }
        Ok(above)
    }

    /// One id of each row of a table in which a column is one of these values.
    async fn ids(&self, table: &str, of: &str, values: Vec<Value>, shown: &str) -> Result<Vec<Guid>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let column = model::column(model::table(self.general.schema, table)?, of)?;
        let rows = self.rows(table, Filter::In { path: Path::own(column), values }, &[shown]).await?;
        Ok(rows.iter().filter_map(|row| row.first().and_then(Value::guid)).collect())
    }

    /// Rows of a table of the security model, with these columns.
    async fn rows(&self, table: &str, filter: Filter, shown: &[&str]) -> Result<Vec<Vec<Value>>> {
        let table = model::table(self.general.schema, table)?;
        let limit = self.general.org.shared.limits.explained_rows;
        let query = Query { filter, ..Query::of(table, limit) };
        let fields = query.fields.len();
        let query = query.showing(model::columns(table, shown)?);
        let (mut rows, _) = self.general.org.shared.platform_rows("explain a right", &query).await?;
        if rows.len() > limit as usize {
            return Err(beyond_explaining(table, limit));
        }
        for row in &mut rows {
            row.drain(..fields.min(row.len()));
        }
        Ok(rows)
    }
}

/// Where a record is.
struct PlaceOf {
    owner: Option<Guid>,
    unit: Option<Guid>,
}

/// The refusal of explaining what more rows of a table decide about than the limit: an explanation that leaves something out
/// would be a wrong one.
pub(crate) fn beyond_explaining(table: &Table, limit: u32) -> Error {
    Error::Invalid(format!(
        "more than {limit} records of table '{}' decide about this, so that it is not explained; the limit is \
         limits.explained_rows",
        table.name
    ))
}
