//! `custodia why`: why somebody may do something, or what is missing, in words or as JSON.

use anyhow::{Context, Result, bail};
use custodia_org::{
    AccessQuestion, Asked, Caller, Explanation, Granted, Named, Organization, Principal, PrivilegeChange, Reached,
    RightQuestion, Supposed,
};
use custodia_schema::{Guid, Level, PrivilegeKind, Schema};
use serde::{Deserialize, Serialize};

use crate::naming;
use crate::operation::{Output, one_line};
use crate::service::Service;

/// Who is asked about, and what.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Request {
    /// E-mail address, domain name or id of a user.
    pub user: Option<String>,
    /// Name or id of a team.
    pub team: Option<String>,
    /// A right or the name of a privilege.
    pub may: Option<String>,
    /// Logical name of the table.
    pub table: Option<String>,
    /// A record of it.
    pub record: Option<Guid>,
    /// Logical name of a column.
    pub column: Option<String>,
    /// The user whom the record shall be given to.
    pub to_user: Option<String>,
    /// The team that the record shall be given to.
    pub to_team: Option<String>,
    /// The user who shall be acted for.
    pub acting_for: Option<String>,
    /// Names or ids of roles that are supposed to be held.
    pub with_roles: Vec<String>,
    /// Names or ids of roles that are supposed not to be held.
    pub without_roles: Vec<String>,
    /// Tell in JSON.
    pub json: bool,
}

/// Answers, and says by the exit code whether it may be done.
///
/// # Errors
/// What there is not; a question that makes no sense.
pub async fn run(
    service: &Service,
    organization: &Organization,
    request: &Request,
    output: &mut dyn Output,
) -> Result<()> {
    let caller = Caller::platform("custodia why", service.new_id());
    let of = principal(organization, request.user.as_deref(), request.team.as_deref()).await?;
    let schema = organization.schema();
    let supposed = Supposed {
        with: roles(organization, &request.with_roles).await?,
        without: roles(organization, &request.without_roles).await?,
    };
    let Some(asked) = asked(organization, &schema, request).await? else {
        if supposed.is_nothing() {
            bail!("say what is asked about: --may, --acting-for, --with-role or --without-role");
        }
        let changes = organization.suppose_roles(&caller, of, &supposed).await?;
        tell_changes(&changes, request.json, output);
        return Ok(());
    };
    let question = AccessQuestion { of, asked, supposed };
    let explanation = organization.explain_access(&caller, &question).await?;
    if request.json {
        output.line(&custodia_web_api::explanation_json(&schema, &question, &explanation).to_string());
    } else {
        tell(&explanation, &question, request, &schema, output);
    }
    if !explanation.allowed {
        output.refused_rows();
    }
    Ok(())
}

/// A user or a team by name.
async fn principal(org: &Organization, user: Option<&str>, team: Option<&str>) -> Result<Principal> {
    match (user, team) {
        (Some(user), None) => Ok(Principal::User(naming::user(org, user).await?.id)),
        (None, Some(team)) => Ok(Principal::Team(naming::team(org, team).await?)),
        _ => bail!("say who is asked about: either a user or a team"),
    }
}

async fn roles(org: &Organization, names: &[String]) -> Result<Vec<Guid>> {
    let mut roles = Vec::new();
    for name in names {
        roles.push(naming::role(org, name).await?);
    }
    Ok(roles)
}

/// What is asked about; `None` where nothing is but roles that are supposed.
async fn asked(org: &Organization, schema: &Schema, request: &Request) -> Result<Option<Asked>> {
    if let Some(user) = &request.acting_for {
        return Ok(Some(Asked::ActingFor(naming::user(org, user).await?.id)));
    }
    let Some(may) = &request.may else {
        if request.table.is_some() {
            bail!("say what is asked about of the table: --may read, write, …");
        }
        return Ok(None);
    };
    let privilege = schema.privileges().iter().find(|privilege| privilege.name.eq_ignore_ascii_case(may));
    let (right, tables) = match (right_of(may), privilege) {
        (Some(right), _) => (right, Vec::new()),
        (None, Some(privilege)) => match privilege.kind {
            Some(right) => (right, privilege.tables.clone()),
            None if request.table.is_some() => bail!("{} belongs to no table: leave --table out", privilege.name),
            None => return Ok(Some(Asked::Privilege(privilege.name.clone()))),
        },
        (None, None) => bail!("'{may}' is neither a right ({}) nor a privilege", rights()),
    };
    let table = match (&request.table, tables.as_slice()) {
        (Some(name), _) => schema.table_named(name).with_context(|| format!("there is no table '{name}'"))?,
        (None, [only]) => schema.table(*only).context("the table of the privilege is gone")?,
        (None, _) => bail!("say of which table: --table account"),
    };
    if !tables.is_empty() && !tables.contains(&table.id) {
        bail!("{may} is no privilege on the table '{}'", table.name);
    }
    let column = match &request.column {
        Some(name) => {
            Some(table.column(name).with_context(|| format!("table '{}' has no column '{name}'", table.name))?.id)
        }
        None => None,
    };
    let owner = match (&request.to_user, &request.to_team) {
        (None, None) => None,
        (user, team) => Some(principal(org, user.as_deref(), team.as_deref()).await?),
    };
    Ok(Some(Asked::Right(RightQuestion { right, table: table.id, record: request.record, column, owner })))
}

/// A right by its word: `read`, `append-to`.
fn right_of(text: &str) -> Option<PrivilegeKind> {
    let said = text.replace('-', "");
    PrivilegeKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(&said))
}

/// The word of a right as it is typed.
fn word(right: PrivilegeKind) -> String {
    match right {
        PrivilegeKind::AppendTo => "append-to".to_owned(),
        other => other.word().to_lowercase(),
    }
}

fn rights() -> String {
    PrivilegeKind::ALL.map(word).join(", ")
}

/// The question in words, without who is asked about.
fn described(schema: &Schema, request: &Request) -> String {
    if let Some(user) = &request.acting_for {
        return format!("act for {user}");
    }
    let may = request.may.as_deref().unwrap_or_default();
    let mut text = match (right_of(may), &request.table) {
        (Some(right), _) => word(right),
        (None, Some(_)) => format!("use {may} on"),
        (None, None) => format!("use {may}"),
    };
    let known = request.table.as_deref().and_then(|table| schema.table_named(table));
    match (known, &request.record) {
        (Some(table), Some(record)) => text.push_str(&format!(" {} {record}", table.name)),
        (Some(table), None) => text.push_str(&format!(" records of {}", table.name)),
        (None, _) => {}
    }
    if let Some(column) = &request.column {
        text.push_str(&format!(", column {column}"));
    }
    if let Some(owner) = request.to_user.as_ref().or(request.to_team.as_ref()) {
        text.push_str(&format!(" to {owner}"));
    }
    for role in &request.with_roles {
        text.push_str(&format!(", with the role {role}"));
    }
    for role in &request.without_roles {
        text.push_str(&format!(", without the role {role}"));
    }
    text
}

fn tell(
    explanation: &Explanation,
    question: &AccessQuestion,
    request: &Request,
    schema: &Schema,
    output: &mut dyn Output,
) {
    let may = if explanation.allowed { "may" } else { "may not" };
    let name = request.user.as_ref().or(request.team.as_ref());
    output.line(&format!("{} {may} {}", name.map_or("", String::as_str), described(schema, request)));
    let other = match &question.asked {
        Asked::ActingFor(user) => Some((*user, request.acting_for.as_ref())),
        Asked::Right(right) => right.owner.map(|of| (of.id(), request.to_user.as_ref().or(request.to_team.as_ref()))),
        Asked::Privilege(_) => None,
    };
    for missing in &explanation.missing {
        // Refusals name people by their ids.
        let mut told = missing.clone();
        for (id, name) in [Some((question.of.id(), name)), other].into_iter().flatten() {
            let name = name.map_or("", String::as_str);
            told = told.replace(&format!("User {id}"), name).replace(&id.to_string(), name);
        }
        output.line(&format!("  missing: {}", one_line(&told)));
    }
    for grant in &explanation.grants {
        output.line(&format!("  {}", told_grant(grant)));
        for way in &grant.reaches {
            output.line(&format!("    reaches it: {}", told_way(way)));
        }
    }
    if let Some(column) = &explanation.column {
        let state = match (column.secured, column.allowed, column.masked) {
            (false, ..) => "not secured",
            (true, true, true) => "secured, shown masked",
            (true, true, false) => "secured, open",
            (true, false, _) => "secured, closed",
        };
        output.line(&format!("  column: {state}"));
        for profile in &column.profiles {
            output.line(&format!("    opened by the profile {}", told_name(profile)));
        }
        for with in &column.shared_with {
            output.line(&format!("    shared on this record with {}", told_name(with)));
        }
    }
}

fn told_grant(grant: &Granted) -> String {
    let mut text = format!("by the role {}", told_name(&grant.role));
    if let Some(team) = &grant.team {
        text.push_str(&format!(" of the team {}", told_name(team)));
    }
    if let Some(level) = grant.level {
        let reach = match level {
            Level::Basic if grant.team_privileges_only => "records of that team".to_owned(),
            Level::Basic => "own records and those of own teams".to_owned(),
            Level::Local => format!("the business unit {}", told_name(&grant.unit)),
            Level::Deep => format!("the business unit {} and those below", told_name(&grant.unit)),
            Level::Global => "all records".to_owned(),
        };
        text.push_str(&format!(", level {level:?}: {reach}"));
    }
    text
}

fn told_way(way: &Reached) -> String {
    match way {
        Reached::Everything => "every record of the table is".to_owned(),
        Reached::Own => "it is their own".to_owned(),
        Reached::OfTeam(team) => format!("it is owned by their team {}", told_name(team)),
        Reached::Unit(unit) => format!("it sits in the business unit {}", told_name(unit)),
        Reached::Subtree(unit) => format!("it sits in the business unit {} or below", told_name(unit)),
        Reached::Shared(shares) => {
            let one = |share: &custodia_org::SharedBy| {
                let how = if share.explicit { "" } else { " (inherited from a record above)" };
                format!("{}{how}", told_name(&share.with))
            };
            format!("it is shared with {}", shares.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Reached::Reports => "it is of somebody below in the hierarchy".to_owned(),
        Reached::Parent(lookups) => format!("the record is that its {} points at", lookups.join(" or ")),
        Reached::Telling => "it is an audit entry about a table that may be read".to_owned(),
        Reached::All => "everything that it connects is".to_owned(),
    }
}

fn told_name(named: &Named) -> String {
    if named.name.is_empty() { named.id.to_string() } else { one_line(&named.name) }
}

fn tell_changes(changes: &[PrivilegeChange], json: bool, output: &mut dyn Output) {
    let level = |level: Option<Level>| level.map_or_else(|| "none".to_owned(), |level| format!("{level:?}"));
    for change in changes {
        output.line(&match json {
            true => custodia_web_api::privilege_change_json(change).to_string(),
            false => format!("{}: {} -> {}", change.name, level(change.before), level(change.after)),
        });
    }
    if changes.is_empty() && !json {
        output.line("no privilege would change");
    }
}
