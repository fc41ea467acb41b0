//! Separation of duties: pairs of roles or privileges that nobody is to hold together. The rules are a setting of the
//! organisation; they stand in the way wherever somebody gets a role, and of what was there before a report tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use custodia_access::{Facts, RolePrivilege};
use custodia_query::Query;
use custodia_schema::{ColumnId, Guid, Level, ManyToMany, Value, builtin_roles};
use custodia_store::{AuditEntry, AuditOperation, RowKey};

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::error::{Error, Result, refusal};
use crate::explaining::Named;
use crate::lint::{LOOKS_OVER, too_many};
use crate::model;
use crate::organization::Organization;
use crate::writing::Writing;

/// Characters of a rule's name at most.
const NAME_CHARACTERS_MAX: usize = 100;
/// What a refusal says to whoever may not read the rules.
const UNTOLD: &str =
    "A rule that separates duties stands in the way. Ask whoever looks after the rights of this organisation.";

/// One half of a rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    /// A role, by its topmost one: all copies are meant.
    Role(Guid),
    /// A privilege by its name, at any level. Holding it as a System Administrator does not count: that role has them all.
    Privilege(String),
}

/// Two things that nobody is to hold together.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DutyRule {
    /// What people call it; one of its kind in the organisation.
    pub name: String,
    /// One.
    pub first: Duty,
    /// The other.
    pub second: Duty,
}

/// Somebody who holds both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyConflict {
    /// The name of the rule.
    pub rule: String,
    /// The user.
    pub user: Named,
}

impl Organization {
    /// The rules, by name.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to configure hierarchy security; store errors.
    pub async fn duty_rules(&self, caller: &Caller) -> Result<Vec<DutyRule>> {
        self.in_transaction(caller, |writing| {
            Box::pin(async move {
                writing.authority.check_privilege(LOOKS_OVER)?;
                writing.duty_rules().await
            })
        })
        .await
    }

    /// Makes a rule, in the place of one of the same name. It holds for what is given from now on; who holds both already
    /// keeps them, and is told of by [`Self::duty_conflicts`].
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to configure hierarchy security; [`Error::Invalid`] for a role or privilege
    /// that there is not, twice the same, a name that is empty, too long or holds a payment card number, or too many rules;
    /// store errors.
    pub async fn set_duty_rule(&self, caller: &Caller, rule: DutyRule) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let rule = rule.clone();
            Box::pin(async move { writing.set_duty_rule(rule).await })
        })
        .await
    }

    /// Takes a rule away; whether there was one of that name.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to configure hierarchy security; store errors.
    pub async fn remove_duty_rule(&self, caller: &Caller, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.in_transaction(caller, move |writing| {
            let name = name.clone();
            Box::pin(async move {
                writing.authority.check_privilege(LOOKS_OVER)?;
                writing.transaction.claim_alone()?;
                let mut rules = writing.duty_rules().await?;
                let before = rules.len();
                rules.retain(|rule| rule.name != name);
                let is_gone = rules.len() < before;
                if is_gone {
                    writing.store_duty_rules(&rules)?;
                    writing.audit_duty_rule(format!("separation of duties: '{name}' removed"))?;
                }
                Ok(is_gone)
            })
        })
        .await
    }

    /// Who holds now what a rule says nobody is to hold together, disabled users among them.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to configure hierarchy security; [`Error::Invalid`] in an organisation with
    /// more users than `looked_over_rows` of its limits; store errors.
    pub async fn duty_conflicts(&self, caller: &Caller) -> Result<Vec<DutyConflict>> {
        let rules = self.duty_rules(caller).await?;
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let schema = self.schema();
        let users = model::table(&schema, "systemuser")?;
        let limit = self.shared.limits.looked_over_rows;
        let query = Query::of(users, limit).showing(model::columns(users, &["fullname"])?);
        let (rows, _) = self.shared.platform_rows("separation of duties", &query).await?;
        if rows.len() > limit as usize {
            return Err(too_many(users, limit));
        }
        let mut conflicts = Vec::new();
        for row in &rows {
            let Some(user) = row.first().and_then(Value::guid) else { continue };
            let facts = custodia_store::retry_stale(|| self.shared.database.user_facts(user)).await?;
            let Some(held) = facts.map(|facts| Held::of(&facts, None)) else { continue };
            let name = match row.get(1) {
                Some(Value::Text(name)) => name.clone(),
                _ => String::new(),
            };
            let broken = rules.iter().filter(|rule| held.has(&rule.first) && held.has(&rule.second));
            conflicts.extend(
                broken
                    .map(|rule| DutyConflict { rule: rule.name.clone(), user: Named { id: user, name: name.clone() } }),
            );
        }
        conflicts.sort_by(|a, b| (&a.rule, &a.user.name, a.user.id).cmp(&(&b.rule, &b.user.name, b.user.id)));
        Ok(conflicts)
    }
}

impl Writing<'_> {
    async fn duty_rules(&mut self) -> Result<Vec<DutyRule>> {
        let Some(kept) = self.transaction.separated_duties().await? else { return Ok(Vec::new()) };
        serde_json::from_slice(&kept)
            .map_err(|error| Error::Store(custodia_store::Error::Corrupt(format!("rules of duties: {error}"))))
    }

    fn store_duty_rules(&mut self, rules: &[DutyRule]) -> Result<()> {
        let kept = serde_json::to_vec(rules).map_err(|error| Error::Invalid(error.to_string()))?;
        self.transaction.set_separated_duties(kept);
        Ok(())
    }

    async fn set_duty_rule(&mut self, rule: DutyRule) -> Result<()> {
        self.authority.check_privilege(LOOKS_OVER)?;
        if rule.name.trim().is_empty() || rule.name.chars().count() > NAME_CHARACTERS_MAX {
            return Err(Error::Invalid(format!("the name of a rule has 1 to {NAME_CHARACTERS_MAX} characters")));
        }
        // It is stored and audited like what callers write into records, and not at their gate.
        if custodia_inspection::holds_card_number(&rule.name) {
            return Err(Error::Invalid("the name of a rule holds a payment card number: leave it out".to_owned()));
        }
        let rule = DutyRule {
            first: self.known_duty(rule.first).await?,
            second: self.known_duty(rule.second).await?,
            name: rule.name,
        };
        if rule.first == rule.second {
            return Err(Error::Invalid("a rule is about two different roles or privileges".to_owned()));
        }
        self.transaction.claim_alone()?;
        let mut rules = self.duty_rules().await?;
        rules.retain(|known| known.name != rule.name);
        let limit = self.shared.limits.duty_rules;
        if rules.len() >= limit {
            return Err(Error::Invalid(format!(
                "an organisation has at most {limit} rules of this kind (limits.duty_rules): remove one first"
            )));
        }
        let said =
            format!("separation of duties: '{}' set: {} and {}", rule.name, word(&rule.first), word(&rule.second));
        rules.push(rule);
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        self.store_duty_rules(&rules)?;
        self.audit_duty_rule(said)
    }

    /// An entry about a rule is one about the organisation.
    fn audit_duty_rule(&mut self, said: String) -> Result<()> {
        let (table, row) = (self.table_named("organization")?.id, self.shared.database.organization());
        let entry = self.audit_entry(table, row, AuditOperation::Update, action::DUTY_RULE);
        self.transaction.audit(&AuditEntry { detail: Some(said), ..entry });
        Ok(())
    }

    /// A half of a rule, with a role by its topmost one and a privilege as it is written.
    async fn known_duty(&mut self, duty: Duty) -> Result<Duty> {
        match duty {
            Duty::Role(role) => {
                let table = self.table_named("role")?;
                let row = self.get(&table, role).await?;
                Ok(Duty::Role(row.get(model::column(&table, "parentrootroleid")?).guid().unwrap_or(role)))
            }
            Duty::Privilege(name) => {
                let schema = Arc::clone(&self.schema);
                let known = schema.privileges().iter().find(|known| known.name.eq_ignore_ascii_case(&name));
                let known = known.ok_or_else(|| Error::Invalid(format!("there is no privilege '{name}'")))?;
                Ok(Duty::Privilege(known.name.clone()))
            }
        }
    }

    /// That nobody gets by a link what a rule keeps from what they hold: a role, or membership of a team with roles.
    pub(crate) async fn check_duties_of_link(&mut self, link: &ManyToMany, ids: &[(ColumnId, Guid); 2]) -> Result<()> {
        let rules = self.duty_rules().await?;
        if rules.is_empty() {
            return Ok(());
        }
        // What the same request gave before counts as well.
        self.transaction.flush().await?;
        let mut given = Held::default();
        if link.name == "teammembership_association" {
            let team = self.end(link, ids, "team")?;
            for role in self.linked_to("teamroles", "teamid", team, "roleid").await? {
                self.add_role(&mut given, role).await?;
            }
        } else {
            self.add_role(&mut given, self.end(link, ids, "role")?).await?;
        }
        let rules = touched(rules, &given);
        if rules.is_empty() {
            return Ok(());
        }
        let users = if link.name == "teamroles_association" {
            let team = self.end(link, ids, "team")?;
            self.linked_to("teammembership", "teamid", team, "systemuserid").await?
        } else {
            vec![self.end(link, ids, "systemuser")?]
        };
        for user in users {
            let Some(facts) = self.transaction.user_facts(user).await? else { continue };
            self.refuse_broken(&rules, &Held::of(&facts, None), &given, user).await?;
        }
        Ok(())
    }

    /// That no holder of a role gains by a change of its privileges what a rule keeps from what they hold.
    pub(crate) async fn check_duties_of_role(
        &mut self,
        root: Guid,
        before: &BTreeMap<Guid, Level>,
        after: &BTreeMap<Guid, Level>,
    ) -> Result<()> {
        let schema = Arc::clone(&self.schema);
        let name_of = |id: &Guid| schema.privilege_of(*id).map(|privilege| privilege.name.clone());
        let gained = after.keys().filter(|id| !before.contains_key(id)).filter_map(name_of).collect();
        let given = Held { roles: BTreeSet::new(), privileges: gained };
        let rules = touched(self.duty_rules().await?, &given);
        if rules.is_empty() {
            return Ok(());
        }
        let table = self.table_named("role")?;
        let mut users = Vec::new();
        for copy in self.rows_where(&table, "parentrootroleid", root).await? {
            users.extend(self.linked_to("systemuserroles", "roleid", copy, "systemuserid").await?);
            for team in self.linked_to("teamroles", "roleid", copy, "teamid").await? {
                users.extend(self.linked_to("teammembership", "teamid", team, "systemuserid").await?);
            }
        }
        users.sort_unstable();
        users.dedup();
        for user in users {
            let Some(facts) = self.transaction.user_facts(user).await? else { continue };
            let mut held = Held::of(&facts, Some(root));
            held.privileges.extend(after.keys().filter_map(name_of));
            self.refuse_broken(&rules, &held, &given, user).await?;
        }
        Ok(())
    }

    /// That no rule is about a role that is to go: one made again under its name would be another role, which the rule does
    /// not know.
    pub(crate) async fn check_no_duty_names(&mut self, root: Guid) -> Result<()> {
        let rules = self.duty_rules().await?;
        let is_named = |duty: &Duty| *duty == Duty::Role(root);
        match rules.iter().find(|rule| is_named(&rule.first) || is_named(&rule.second)) {
            None => Ok(()),
            Some(rule) => Err(self.separated(format!(
                "a role cannot be deleted that the rule '{}' separates from something: remove the rule first",
                rule.name
            ))),
        }
    }

    /// That a user who got roles beside a request, by the team of a business unit, holds nothing that a rule keeps apart.
    pub(crate) async fn check_duties_held(&mut self, user: Guid) -> Result<()> {
        let rules = self.duty_rules().await?;
        if rules.is_empty() {
            return Ok(());
        }
        self.transaction.flush().await?;
        let Some(facts) = self.transaction.user_facts(user).await? else { return Ok(()) };
        let held = Held::of(&facts, None);
        self.refuse_broken(&rules, &held, &held, user).await
    }

    /// Refuses what is given where it makes up a rule, by itself or with what is held.
    async fn refuse_broken(&mut self, rules: &[DutyRule], held: &Held, given: &Held, user: Guid) -> Result<()> {
        let Some(rule) = broken(rules, held, given) else { return Ok(()) };
        let (first, second) = (self.duty_name(&rule.first).await?, self.duty_name(&rule.second).await?);
        Err(self.separated(format!(
            "User {user} would hold what the rule '{}' separates: {first} and {second}. Take one away first.",
            rule.name
        )))
    }

    /// A half of a rule as people call it; a role that is gone by its id.
    async fn duty_name(&mut self, duty: &Duty) -> Result<String> {
        let Duty::Role(role) = duty else { return Ok(word(duty)) };
        let table = self.table_named("role")?;
        let Some(row) = self.find(&table, &RowKey::Id(*role)).await? else { return Ok(word(duty)) };
        Ok(match row.get(model::column(&table, "name")?) {
            Value::Text(name) => format!("role '{name}'"),
            _ => word(duty),
        })
    }

    /// A refusal of what a rule keeps apart. What others hold, and which rules there are, is told to whoever may read the
    /// rules: a caller who gives roles would learn from it what somebody holds whose roles are closed to them.
    fn separated(&self, why: String) -> Error {
        let is_told = self.authority.check_privilege(LOOKS_OVER).is_ok();
        Error::refused(refusal::DUTIES_SEPARATED, if is_told { why } else { UNTOLD.to_owned() })
    }

    async fn add_role(&mut self, held: &mut Held, role: Guid) -> Result<()> {
        let table = self.table_named("role")?;
        let row = self.get(&table, role).await?;
        let named = |name: &str| Ok::<_, Error>(row.get(model::column(&table, name)?).guid());
        let (root, template) = (named("parentrootroleid")?.unwrap_or(role), named("roletemplateid")?);
        let privileges = self.transaction.role_privileges(root, template).await?;
        held.add(root, &privileges);
        Ok(())
    }
}

/// Whether a link gives somebody roles.
pub(crate) fn gives_roles(link: &ManyToMany) -> bool {
    matches!(link.name.as_str(), "systemuserroles_association" | "teamroles_association" | "teammembership_association")
}

/// Roles, and the privileges that they give.
#[derive(Default)]
struct Held {
    roles: BTreeSet<Guid>,
    privileges: BTreeSet<String>,
}

impl Held {
    /// What somebody holds, without the privileges of one role.
    fn of(facts: &Facts, without: Option<Guid>) -> Self {
        let mut held = Self::default();
        for role in facts.roles.iter().chain(facts.team_roles.iter().map(|held| &held.role)) {
            held.add(role.root, if Some(role.root) == without { &[] } else { &role.privileges });
        }
        held
    }

    fn add(&mut self, root: Guid, privileges: &[RolePrivilege]) {
        self.roles.insert(root);
        // System Administrators have every privilege: no rule about privileges could be kept by them.
        if !builtin_roles().iter().any(|role| role.is_administrator() && role.root_id == root) {
            self.privileges.extend(privileges.iter().map(|privilege| privilege.name.clone()));
        }
    }

    fn has(&self, duty: &Duty) -> bool {
        match duty {
            Duty::Role(root) => self.roles.contains(root),
            Duty::Privilege(name) => self.privileges.contains(name),
        }
    }
}

/// The rules that say something of what is given: where there is none, nobody who gets it needs to be looked at.
fn touched(mut rules: Vec<DutyRule>, given: &Held) -> Vec<DutyRule> {
    rules.retain(|rule| given.has(&rule.first) || given.has(&rule.second));
    rules
}

/// The rule that what is given makes up, by itself or with what is held.
fn broken<'r>(rules: &'r [DutyRule], held: &Held, given: &Held) -> Option<&'r DutyRule> {
    let has = |duty: &Duty| held.has(duty) || given.has(duty);
    let is_broken = |rule: &&DutyRule| {
        (given.has(&rule.first) && has(&rule.second)) || (given.has(&rule.second) && has(&rule.first))
    };
    rules.iter().find(is_broken)
}

fn word(duty: &Duty) -> String {
    match duty {
        Duty::Role(role) => format!("role {role}"),
        Duty::Privilege(name) => format!("privilege {name}"),
    }
}
