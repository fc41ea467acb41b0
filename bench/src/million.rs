//! Many records through the program as a person has them: brought in from CSV files, the server killed midway and started
//! again, counted in three ways, taken out again, and asked over HTTP; with the time of each phase and how far the memory
//! of the server grew in it.
//!
//! Every record is made from its number alone, and everything that is counted must come to the exact number.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::custodia::Place;
use crate::http::Connection;
use crate::process::{Server, memory_mebibytes};
use crate::world;

const ORGANIZATION: &str = "million";
const ADMINISTRATOR: &str = "ada.admin@million.example";
const ROOT: &str = "/million/api/data/v9.2/";
/// Records of one account, up to the accounts of the world.
const CONTACTS_OF_AN_ACCOUNT: u32 = 100;
/// How far the memory of the server may grow in a phase, in MiB.
pub const GROWTH_MAX: u64 = 100;
/// How often memory and the state of an import are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Times that a question is asked.
const ASKED: usize = 21;
/// Rows of a page.
const PAGE: u32 = 50;
/// The page that is measured against the first.
const LATE_PAGE: u32 = 1_000;

/// What to do it with.
pub struct Plan {
    /// The program `custodia`.
    pub program: PathBuf,
    /// A folder that is empty.
    pub folder: PathBuf,
    /// Where a PostgreSQL database may be made; a file if not given.
    pub database: Option<String>,
    /// How many contacts, and how many opportunities.
    pub rows: u32,
}

/// What a phase took.
#[derive(Clone, Debug)]
pub struct Phase {
    /// In words.
    pub name: String,
    /// How long.
    pub time: Duration,
    /// Rows, where it is about rows.
    pub rows: Option<u32>,
    /// MiB by which the server grew at most, where that was looked at.
    pub growth: Option<u64>,
}

/// What a question took, in the middle of the times it was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// In words.
    pub name: String,
    /// Its time.
    pub median: Duration,
}

/// What the run came to.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// In their order.
    pub phases: Vec<Phase>,
    /// In their order.
    pub questions: Vec<Asked>,
}

impl Findings {
    /// A table of all of it.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from("| phase | seconds | rows/s | memory grew by |\n| --- | --- | --- | --- |\n");
        for phase in &self.phases {
            let seconds = phase.time.as_secs_f64();
            let rate = phase.rows.map_or_else(String::new, |rows| format!("{:.0}", f64::from(rows) / seconds));
            let growth = phase.growth.map_or_else(String::new, |growth| format!("{growth} MiB"));
            text.push_str(&format!("| {} | {seconds:.1} | {rate} | {growth} |\n", phase.name));
        }
        text.push_str("\n| question | p50 in ms |\n| --- | --- |\n");
        for asked in &self.questions {
            text.push_str(&format!("| {} | {:.2} |\n", asked.name, asked.median.as_secs_f64() * 1_000.0));
        }
        text
    }
}

/// Does all of it.
///
/// # Errors
/// What did not come to the exact number, or grew too far, or was refused.
pub async fn run(plan: &Plan) -> Result<Findings> {
    let place =
        Place { program: plan.program.clone(), data: plan.folder.join("data"), database: plan.database.clone() };
    let accounts = (plan.rows / CONTACTS_OF_AN_ACCOUNT).clamp(1, world::ACCOUNTS);
    let mut findings = Findings::default();
    write_files(plan, accounts)?;
    place.run(ORGANIZATION_MADE)?;

    let mut server = start(&place, plan)?;
    let began = Instant::now();
    let said = import(&place, plan, ACCOUNTS)?.wait()?;
    require_counts(&said, accounts)?;
    findings.phases.push(phase("accounts in", began, Some(accounts), None));

    // Killed in the middle, and gone on with.
    let began = Instant::now();
    let command = import(&place, plan, CONTACTS)?;
    command.until_done(plan.rows / 2)?;
    server.kill();
    let broken = command.wait();
    ensure!(broken.is_err(), "the import was through before the server was killed: take more rows");
    findings.phases.push(phase("half of the contacts in, killed", began, None, None));
    let began = Instant::now();
    server = start(&place, plan)?;
    findings.phases.push(phase("started again", began, None, None));
    for file in [CONTACTS, OPPORTUNITIES] {
        let memory = Memory::watch(&server)?;
        let began = Instant::now();
        require_counts(&import(&place, plan, file)?.wait()?, plan.rows)?;
        let growth = memory.growth()?;
        let name = if file == CONTACTS { "the rest of the contacts in" } else { "opportunities in" };
        let rows = if file == CONTACTS { plan.rows - plan.rows / 2 } else { plan.rows };
        findings.phases.push(phase(name, began, Some(rows), Some(growth)));
    }

    for (table, file) in [("contact", "contacts-out.csv"), ("opportunity", "opportunities-out.csv")] {
        let to = plan.folder.join(file);
        let memory = Memory::watch(&server)?;
        let began = Instant::now();
        let columns = if table == "contact" { CONTACT_COLUMNS } else { OPPORTUNITY_COLUMNS };
        place.run(&["export", "--org", ORGANIZATION, "--table", table, "--columns", columns, "--to", text_of(&to)?])?;
        let growth = memory.growth()?;
        findings.phases.push(phase(&format!("{table} out"), began, Some(plan.rows), Some(growth)));
        let lines = lines(&to)?;
        ensure!(lines == u64::from(plan.rows) + 1, "{file} has {lines} lines, not {} and a header", plan.rows);
    }
    for phase in &findings.phases {
        let growth = phase.growth.unwrap_or(0);
        ensure!(growth < GROWTH_MAX, "{}: memory grew by {growth} MiB\n{}", phase.name, findings.table());
    }

    let token = place.token(ORGANIZATION, ADMINISTRATOR)?;
    let mut client = Client { connection: Connection::open(server.address).await?, token };
    count(&mut client, plan.rows).await?;
    findings.questions = ask(&mut client, plan.rows).await?;
    Ok(findings)
}

const ORGANIZATION_MADE: &[&str] = &["org", "create", ORGANIZATION, "--admin", ADMINISTRATOR];
const ACCOUNTS: &str = "accounts";
const CONTACTS: &str = "contacts";
const OPPORTUNITIES: &str = "opportunities";
const CONTACT_COLUMNS: &str = "fullname,jobtitle,emailaddress1,telephone1,address1_city,birthdate,parentcustomerid";
const OPPORTUNITY_COLUMNS: &str = "name,estimatedvalue,parentaccountid,statuscode";

const MAPPINGS: &[(&str, &str)] = &[
    (
        ACCOUNTS,
        "name = \"accounts\"\ntable = \"account\"\nkey = \"no\"\n[columns]\nname = \"name\"\naccountnumber = \"number\"\n\
         address1_city = \"city\"\nrevenue = \"revenue\"\n",
    ),
    (
        CONTACTS,
        "name = \"contacts\"\ntable = \"contact\"\nkey = \"no\"\n[columns]\nfirstname = \"first\"\nlastname = \"last\"\n\
         jobtitle = \"title\"\nemailaddress1 = \"mail\"\ntelephone1 = \"telephone\"\nmobilephone = \"mobile\"\n\
         address1_city = \"city\"\naddress1_line1 = \"street\"\naddress1_postalcode = \"postal\"\nbirthdate = \"born\"\n\
         parentcustomerid = { from = \"account\", lookup = { table = \"account\", mapping = \"accounts\" } }\n",
    ),
    (
        OPPORTUNITIES,
        "name = \"opportunities\"\ntable = \"opportunity\"\nkey = \"no\"\n[columns]\nname = \"name\"\n\
         estimatedvalue = \"value\"\nparentaccountid = { from = \"account\", lookup = { mapping = \"accounts\" } }\n",
    ),
];

fn phase(name: &str, began: Instant, rows: Option<u32>, growth: Option<u64>) -> Phase {
    Phase { name: name.to_owned(), time: began.elapsed(), rows, growth }
}

fn start(place: &Place, plan: &Plan) -> Result<Server> {
    Server::start(&mut place.command(&["serve", "--listen", "127.0.0.1:0"]), &plan.folder.join("log"))
}

fn write_files(plan: &Plan, accounts: u32) -> Result<()> {
    for (name, mapping) in MAPPINGS {
        std::fs::write(plan.folder.join(format!("{name}.toml")), mapping)?;
    }
    let create = |name: &str| File::create(plan.folder.join(format!("{name}.csv"))).map(BufWriter::new);
    let mut file = create(ACCOUNTS)?;
    writeln!(file, "no,name,number,city,revenue")?;
    for number in 0..accounts {
        let account = world::account(number);
        writeln!(file, "{number},{},{},{},{}", account.name, account.number, account.city, account.revenue)?;
    }
    file.flush()?;
    let mut file = create(CONTACTS)?;
    writeln!(file, "no,first,last,title,mail,telephone,mobile,street,city,postal,born,account")?;
    for number in 0..plan.rows {
        let contact = world::contact(number);
        writeln!(file, "{number},{},{}", contact.cells(), number % accounts)?;
    }
    file.flush()?;
    let mut file = create(OPPORTUNITIES)?;
    writeln!(file, "no,name,value,account")?;
    for number in 0..plan.rows {
        let opportunity = world::opportunity(number);
        writeln!(file, "{number},{},{},{}", opportunity.name, opportunity.value, number % accounts)?;
    }
    Ok(file.flush()?)
}

/// An import at work.
struct Importing {
    child: Child,
    state: PathBuf,
}

fn import(place: &Place, plan: &Plan, name: &str) -> Result<Importing> {
    let (map, file) = (plan.folder.join(format!("{name}.toml")), plan.folder.join(format!("{name}.csv")));
    let state = plan.folder.join(format!("{name}.csv.import-state"));
    let mut command = place.command(&[
        "import",
        "--org",
        ORGANIZATION,
        "--user",
        ADMINISTRATOR,
        "--map",
        text_of(&map)?,
        text_of(&file)?,
    ]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    Ok(Importing { child, state })
}

impl Importing {
    /// Waits until so many rows are done, by what the import keeps beside its file.
    fn until_done(&self, rows: u32) -> Result<()> {
        let done = || {
            let text = std::fs::read_to_string(&self.state).ok()?;
            text.lines().find_map(|line| line.strip_prefix("rows_done = ")?.trim().parse::<u32>().ok())
        };
        // The bound is that of the slowest disk.
        let began = Instant::now();
        while done().unwrap_or(0) < rows {
            ensure!(began.elapsed() < Duration::from_secs(7_200), "the import does not get on");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// What it says at its end.
    fn wait(self) -> Result<String> {
        let output = self.child.wait_with_output()?;
        ensure!(output.status.success(), "the import ended with {}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Every row of the file made one record, whoever killed the import that made it.
fn require_counts(said: &str, rows: u32) -> Result<()> {
    let expected = format!("read {rows}, created {rows}, updated 0, unchanged 0, skipped 0, failed 0, incomplete 0");
    ensure!(said.contains(&expected), "the import should say '{expected}', not '{}'", said.trim_end());
    Ok(())
}

/// Looks at the memory of a server, all the time.
struct Memory {
    before: u64,
    ends: Arc<AtomicBool>,
    looking: std::thread::JoinHandle<u64>,
}

impl Memory {
    fn watch(server: &Server) -> Result<Self> {
        let before = server.memory_mebibytes()?;
        let ends = Arc::new(AtomicBool::new(false));
        let (seen, process) = (Arc::clone(&ends), server.id());
        let looking = std::thread::spawn(move || {
            let mut most = before;
            while !seen.load(Ordering::Relaxed) {
                most = most.max(memory_mebibytes(process).unwrap_or(0));
                std::thread::sleep(LOOK);
            }
            most
        });
        Ok(Self { before, ends, looking })
    }

    /// MiB by which it grew at most.
    fn growth(self) -> Result<u64> {
        self.ends.store(true, Ordering::Relaxed);
        match self.looking.join() {
            Ok(most) => Ok(most.saturating_sub(self.before)),
            Err(_) => bail!("the memory of the server was not looked at"),
        }
    }
}

fn text_of(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no text", path.display()))
}

fn lines(path: &Path) -> Result<u64> {
    let mut reader = std::io::BufReader::new(File::open(path)?);
    let mut lines = 0;
    let mut line = Vec::new();
    while std::io::BufRead::read_until(&mut reader, b'\n', &mut line)? > 0 {
        lines += 1;
        line.clear();
    }
    Ok(lines)
}

struct Client {
    connection: Connection,
    token: String,
}

impl Client {
    async fn get(&mut self, address: &str) -> Result<Value> {
        let address = address.replace(' ', "%20").replace('"', "%22");
        let request = format!(
            "GET {address} HTTP/1.1\r\nhost: custodia\r\nauthorization: Bearer {}\r\nprefer: odata.maxpagesize={PAGE}\r\n\r\n",
            self.token
        );
        let answer = self.connection.ask(request.as_bytes()).await?;
        ensure!(answer.status == 200, "{address}: {}", answer.describe());
        // A count alone is a bare number behind a byte order mark.
        let body = answer.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(answer.body);
        Ok(serde_json::from_slice(body)?)
    }

    async fn times(&mut self, name: &str, address: &str) -> Result<Asked> {
        let mut times = Vec::with_capacity(ASKED);
        for _ in 0..ASKED {
            let began = Instant::now();
            self.get(address).await?;
            times.push(began.elapsed());
        }
        times.sort();
        let median = times.get(ASKED / 2).copied().unwrap_or_default();
        Ok(Asked { name: name.to_owned(), median })
    }
}

/// The numbers of records, by an aggregate and by `$count`, which tells at most 5,000.
async fn count(client: &mut Client, rows: u32) -> Result<()> {
    let by_aggregate = client
        .get(&format!("{ROOT}RetrieveTotalRecordCount(EntityNames=@names)?@names=[\"contact\",\"opportunity\"]"))
        .await?;
    let counts = by_aggregate.pointer("/EntityRecordCountCollection/Values").context("the counts")?;
    ensure!(*counts == serde_json::json!([rows, rows]), "the aggregate counts {counts}, not {rows} of each");
    for set in [CONTACTS, OPPORTUNITIES] {
        let found = client.get(&format!("{ROOT}{set}/$count")).await?;
        ensure!(found == rows.min(5_000), "$count of {set} is {found}");
    }
    Ok(())
}

async fn ask(client: &mut Client, rows: u32) -> Result<Vec<Asked>> {
    let first = format!("{ROOT}contacts?$select=fullname,emailaddress1&$orderby=fullname");
    let late = LATE_PAGE.min(rows / PAGE).max(1);
    let mut address = first.clone();
    for page in 1..late {
        let body = client.get(&address).await?;
        let next = body.get("@odata.nextLink").and_then(Value::as_str);
        let next = next.with_context(|| format!("page {page} has no next one"))?;
        let path = next.find(ROOT).and_then(|at| next.get(at..)).context("the address of a page")?;
        address = path.to_owned();
    }
    let city = world::city(0);
    let questions = [
        ("page 1 by name".to_owned(), first),
        (format!("page {late} by name"), address),
        (
            "50 of a city by name".to_owned(),
            format!("{ROOT}contacts?$select=fullname&$filter=address1_city eq '{city}'&$orderby=fullname&$top=50"),
        ),
        (
            "quick find, contains".to_owned(),
            format!("{ROOT}contacts?$select=fullname&$filter=contains(emailaddress1,'wagner{}@')&$top=50", rows / 2),
        ),
        (
            "count of a city, aggregate".to_owned(),
            format!("{ROOT}contacts?$apply=filter(address1_city eq '{city}')/aggregate($count as n)"),
        ),
        (
            "count of all, aggregate".to_owned(),
            format!("{ROOT}RetrieveTotalRecordCount(EntityNames=@names)?@names=[\"contact\"]"),
        ),
    ];
    let mut asked = Vec::with_capacity(questions.len());
    for (name, address) in questions {
        asked.push(client.times(&name, &address).await?);
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_row_too_few_is_seen() {
        let said = "c.csv: read 10, created 9, updated 0, unchanged 1, skipped 0, failed 0, incomplete 0\n";
        assert!(require_counts(said, 10).is_err());
        assert!(
            require_counts(&said.replace("created 9", "created 10").replace("unchanged 1", "unchanged 0"), 10).is_ok()
        );
    }

    #[test]
    fn a_table_has_a_line_for_each_phase_and_question() {
        let second = Duration::from_secs(1);
        let findings = Findings {
            phases: vec![Phase { name: "in".to_owned(), time: second, rows: Some(7), growth: Some(3) }],
            questions: vec![Asked { name: "list".to_owned(), median: second }],
        };
        let table = findings.table();
        assert!(table.contains("| in | 1.0 | 7 | 3 MiB |") && table.contains("| list | 1000.00 |"), "{table}");
    }
}
