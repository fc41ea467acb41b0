//! Custodia as a side of a measurement: a server of its own, filled with the world over its Web API, and a caller who is
//! no administrator.
//!
//! The caller holds two built-in roles that reach their own records and no more (Basic depth), owns three tenths of the
//! accounts and contacts, may not read the secured columns of an account, and is a member of 300 teams that each have a
//! record shared with them. Auditing is on, as an organisation has it from the start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::http::Connection;
use crate::load::{Requests, each};
use crate::process::{Server, processor_time};
use crate::work::{contact_fields, post, targets};
use crate::world::{self, Kind, id};

/// The organisation.
pub const ORGANIZATION: &str = "bench";
const ADMINISTRATOR: &str = "ada.admin@bench.example";
/// Roles that the owners of rows hold; together they reach own accounts, contacts and opportunities, and nobody else's.
const ROLES: &[&str] = &["Basic User", "System Customizer"];
/// Connections over which single records are brought in, and those over which many go at once.
const CONNECTIONS: usize = 64;
const CONNECTIONS_OF_MANY: usize = 4;
/// Records of one request of many.
const MANY: u32 = 500;
/// The path of the service.
pub const ROOT: &str = "/bench/api/data/v9.2/";

/// A running Custodia that holds the world.
pub struct Custodia {
    /// The process.
    pub server: Server,
    /// The cluster behind it, if it has one.
    pub cluster: Option<Cluster>,
    /// The caller's token.
    pub token: String,
    /// Where it is, for its command line.
    pub place: Place,
    /// Memory that it had before the first request, in MiB.
    pub idle_mebibytes: u64,
}

/// What a Custodia is filled with, beside the users, who are always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The whole world.
    World,
    /// So many accounts, and nothing else.
    Accounts(u32),
}

/// Writes acknowledged and batches flushed since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Batches, one flush each.
    pub batches: u64,
    /// Requests in them.
    pub requests: u64,
}

impl Custodia {
    /// Starts a server on a new data folder, or on new databases of a cluster, and fills it.
    ///
    /// # Errors
    /// A program that does not start, a request that is refused.
    pub async fn start(program: &Path, folder: &Path, postgres: Option<&str>, content: Content) -> Result<Self> {
        let data = folder.join("custodia");
        let mut serve = Command::new(program);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data"]).arg(&data);
        if let Some(url) = postgres {
            serve.args(["--database", url]);
        }
        let server = Server::start(&mut serve, &folder.join("custodia.log"))?;
        let idle_mebibytes = server.memory_mebibytes()?;
        let place = Place { program: program.to_owned(), data, database: postgres.map(str::to_owned) };
        place.run(&["org", "create", ORGANIZATION, "--admin", ADMINISTRATOR])?;
        let administrator = place.token(ORGANIZATION, ADMINISTRATOR)?;
        fill(&server, &administrator, content).await.context("filling Custodia with the world")?;
        let token = place.token(ORGANIZATION, &caller_mail())?;
        let cluster = match postgres {
            Some(url) => {
                let cluster = Cluster::connect(url).await?;
                cluster.gather_statistics(url, ORGANIZATION).await.context("gathering statistics")?;
                Some(cluster)
            }
            None => None,
        };
        Ok(Self { server, cluster, token, place, idle_mebibytes })
    }

    /// Processor time of the server and, if it has one, of its cluster.
    ///
    /// # Errors
    /// When a process is gone.
    pub async fn processor_time(&self) -> Result<Duration> {
        let own = processor_time(self.server.id())?;
        Ok(match &self.cluster {
            Some(cluster) => own + cluster.processor_time().await?,
            None => own,
        })
    }

    /// What the engine has done for reads so far: rows of scans and entries of indexes on PostgreSQL, steps of its virtual
    /// machine on SQLite.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn engine_work(&self) -> Result<u64> {
        match &self.cluster {
            Some(cluster) => cluster.rows_met().await,
            None => self.server.metric("custodia_sqlite_steps_total").await,
        }
    }

    /// What it has written so far, by its own metrics.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn written(&self) -> Result<Written> {
        Ok(Written {
            batches: self.server.metric("custodia_write_batches_total").await?,
            requests: self.server.metric("custodia_write_requests_total").await?,
        })
    }
}

/// Where the installation is, for the command line.
#[derive(Clone)]
pub struct Place {
    /// The program.
    pub program: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// PostgreSQL, if it keeps records there.
    pub database: Option<String>,
}

impl Place {
    /// A command for this installation.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--data").arg(&self.data);
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        command
    }

    /// Runs a command; what it prints.
    ///
    /// # Errors
    /// What the command says when it is not done.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().with_context(|| format!("running {}", self.program.display()))?;
        if !output.status.success() {
            bail!("custodia {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim_end());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A token of a user for a day.
    ///
    /// # Errors
    /// What the command says when it is not done.
    pub fn token(&self, organization: &str, user: &str) -> Result<String> {
        Ok(self.run(&["token", "--org", organization, "--user", user, "--ttl", "1d"])?.trim().to_owned())
    }
}

/// The caller's sign-in name.
#[must_use]
pub fn caller_mail() -> String {
    mail(0)
}

fn mail(owner: u32) -> String {
    format!("owner{owner}@bench.example")
}

async fn fill(server: &Server, token: &str, content: Content) -> Result<()> {
    let mut connection = Connection::open(server.address).await?;
    let unit = get(&mut connection, token, "WhoAmI").await?;
    let unit = unit.get("BusinessUnitId").and_then(Value::as_str).context("the administrator's unit")?.to_owned();
    let roles = role_ids(&mut connection, token).await?;
    let shared = world::shared_opportunities();

    let owners = all(world::OWNERS, |number| Step::new("systemusers", user(number, &unit)));
    let held = ROLES.len() as u32;
    let granted = all(world::OWNERS * held, |number| {
        let role = roles.get((number % held) as usize).map_or("", String::as_str);
        let path = format!("systemusers({})/systemuserroles_association/$ref", id(Kind::User, number / held));
        Step::new(&path, json!({ "@odata.id": format!("roles({role})") }))
    });
    let teams = all(world::TEAMS, |number| Step::new("teams", team(number, &unit)));
    let joined = all(world::TEAMS, |number| {
        let path = format!("teams({})/teammembership_association/$ref", id(Kind::Team, number));
        Step::new(&path, json!({ "@odata.id": format!("systemusers({})", id(Kind::User, 0)) }))
    });
    for (what, steps) in [("users", owners), ("roles", granted), ("teams", teams), ("members", joined)] {
        // One after the other: each changes who may do what, and the next one is judged by it.
        bring(server, token, what, 1, steps).await?;
    }
    let accounts = match content {
        Content::World => world::ACCOUNTS,
        Content::Accounts(rows) => rows,
    };
    bring_many(server, token, ("accounts", "account"), accounts, account).await?;
    if content != Content::World {
        return Ok(());
    }
    bring_many(server, token, ("contacts", "contact"), world::CONTACTS, contact).await?;
    bring_many(server, token, ("opportunities", "opportunity"), world::OPPORTUNITIES, opportunity).await?;
    let shares = all(world::TEAMS, |number| {
        let target = shared.get(number as usize).copied().unwrap_or(0);
        Step::new("GrantAccess", share(id(Kind::Opportunity, target), id(Kind::Team, number)))
    });
    bring(server, token, "shares", CONNECTIONS, shares).await
}

/// A request that brings a part of the world in.
struct Step {
    path: String,
    body: Value,
}

impl Step {
    fn new(path: &str, body: Value) -> Self {
        Self { path: path.to_owned(), body }
    }
}

fn all(count: u32, step: impl Fn(u32) -> Step) -> Vec<Step> {
    (0..count).map(step).collect()
}

async fn bring(server: &Server, token: &str, what: &str, connections: usize, steps: Vec<Step>) -> Result<()> {
    let count = steps.len() as u64;
    let token = token.to_owned();
    let requests: Requests = Arc::new(move |number, request| {
        if let Some(step) = usize::try_from(number).ok().and_then(|number| steps.get(number)) {
            request.extend_from_slice(&post(ROOT, &step.path, &token, &step.body));
        }
    });
    each(server.address, connections, count, &requests).await.with_context(|| format!("bringing in {what}"))
}

/// Brings records in, many by one request, each made when it is sent: there may be a million.
async fn bring_many(
    server: &Server,
    token: &str,
    (set, table): (&'static str, &'static str),
    count: u32,
    record: fn(u32) -> Value,
) -> Result<()> {
    let token = token.to_owned();
    let requests: Requests = Arc::new(move |number, request| {
        let first = u32::try_from(number).unwrap_or(u32::MAX).saturating_mul(MANY);
        let records = (first..first.saturating_add(MANY).min(count)).map(record);
        let path = format!("{set}/Microsoft.Dynamics.CRM.CreateMultiple");
        request.extend_from_slice(&post(ROOT, &path, &token, &targets(table, records)));
    });
    let chunks = u64::from(count.div_ceil(MANY));
    each(server.address, CONNECTIONS_OF_MANY, chunks, &requests).await.with_context(|| format!("bringing in {set}"))
}

async fn role_ids(connection: &mut Connection, token: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for role in ROLES {
        let path = format!("roles?$select=roleid&$filter=name eq '{role}'").replace(' ', "%20");
        let found = get(connection, token, &path).await?;
        let id = found.pointer("/value/0/roleid").and_then(Value::as_str);
        ids.push(id.with_context(|| format!("the role '{role}'"))?.to_owned());
    }
    Ok(ids)
}

async fn get(connection: &mut Connection, token: &str, path: &str) -> Result<Value> {
    let request = format!("GET {ROOT}{path} HTTP/1.1\r\nhost: custodia\r\nauthorization: Bearer {token}\r\n\r\n");
    let answer = connection.ask(request.as_bytes()).await?;
    ensure!(answer.status == 200, "{path}: {}", answer.describe());
    Ok(serde_json::from_slice(answer.body)?)
}

fn owner(account: u32) -> u32 {
    world::owner_of_account(account)
}

fn bound_owner(account: u32) -> String {
    format!("/systemusers({})", id(Kind::User, owner(account)))
}

fn bound_account(account: u32) -> String {
    format!("/accounts({})", id(Kind::Account, account))
}

fn user(number: u32, unit: &str) -> Value {
    json!({
        "systemuserid": id(Kind::User, number).to_string(),
        "firstname": "Owner",
        "lastname": format!("Number {number}"),
        "internalemailaddress": mail(number),
        "domainname": mail(number),
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    })
}

fn team(number: u32, unit: &str) -> Value {
    /// `teamtype` of an access team.
    const ACCESS: u32 = 1;
    json!({
        "teamid": id(Kind::Team, number).to_string(),
        "name": format!("Team {number:03}"),
        "teamtype": ACCESS,
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    })
}

fn account(number: u32) -> Value {
    let account = world::account(number);
    json!({
        "accountid": account.id.to_string(),
        "name": account.name,
        "accountnumber": account.number,
        "address1_city": account.city,
        "address1_line1": account.street,
        "address1_postalcode": account.postal_code,
        "telephone1": account.telephone,
        "emailaddress1": account.email,
        "websiteurl": account.website,
        "numberofemployees": account.employees,
        "revenue": account.revenue,
        "ownerid@odata.bind": bound_owner(number),
    })
}

fn contact(number: u32) -> Value {
    let contact = world::contact(number);
    let mut fields = contact_fields(&contact);
    fields.insert("contactid".to_owned(), contact.id.to_string().into());
    fields.insert("parentcustomerid_account@odata.bind".to_owned(), bound_account(contact.account).into());
    fields.insert("ownerid@odata.bind".to_owned(), bound_owner(contact.account).into());
    Value::Object(fields)
}

fn opportunity(number: u32) -> Value {
    let opportunity = world::opportunity(number);
    json!({
        "opportunityid": opportunity.id.to_string(),
        "name": opportunity.name,
        "estimatedvalue": opportunity.value,
        "salesstage": opportunity.stage,
        "customerid_account@odata.bind": bound_account(opportunity.account),
        "ownerid@odata.bind": bound_owner(opportunity.account),
    })
}

fn share(opportunity: uuid::Uuid, team: uuid::Uuid) -> Value {
    json!({
        "Target": { "@odata.type": "Microsoft.Dynamics.CRM.opportunity", "opportunityid": opportunity.to_string() },
        "PrincipalAccess": {
            "Principal": { "@odata.type": "Microsoft.Dynamics.CRM.team", "teamid": team.to_string() },
            "AccessMask": "ReadAccess",
        },
    })
}
