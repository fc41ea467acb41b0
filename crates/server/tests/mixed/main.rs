//! All kinds of requests and commands at once, for as long as wanted: nothing breaks, nothing is kept that is not needed, and
//! nothing becomes slower. Seconds in `make test`, an hour in `scripts/soak mixed`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![expect(clippy::disallowed_methods, reason = "a load goes on for a time, and is measured")]

mod client;
#[path = "../service/http.rs"]
#[allow(dead_code, reason = "the tests of the service use the rest")]
mod http;
mod operator;
mod over;
mod samples;
#[path = "../service/site.rs"]
#[allow(dead_code, reason = "the tests of the service use the rest")]
mod site;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{ACCOUNTS, Client, Measured};
use crate::http::Api;
use crate::operator::Operator;
use crate::over::Over;
use crate::samples::Samples;
use crate::site::{Engine, Server, Site, on_both_engines, until};

on_both_engines!(a_mixed_load_breaks_nothing_and_leaves_nothing_behind);

/// How long the load goes on in `make test`; `scripts/soak` says otherwise.
const SECONDS: u64 = 8;
/// Clients at one time.
const CLIENTS: u64 = 6;
/// Names of the organisations.
const ORGANIZATIONS: [&str; 3] = ["north", "south", "east"];
/// In so many parts the time is divided; each one's slowest requests are compared.
pub const PARTS: usize = 4;
/// Loads that are shorter say nothing about requests becoming slower, since a hundredth of a part's requests is too few, and
/// nothing about what grows.
const DRIFT_JUDGED_SECONDS: u64 = 120;
/// How many times slower the slowest hundredth may be in the last part than in the one before it.
const DRIFT_MAX: u64 = 3;
/// Differences below this are noise.
const DRIFT_FLOOR: Duration = Duration::from_millis(100);

/// An organisation that is asked, and its administrator.
pub struct Asked {
    /// The Web API for the administrator.
    pub api: Api,
    /// The password.
    pub password: String,
    /// The name to sign in with.
    pub user: String,
}

fn a_mixed_load_breaks_nothing_and_leaves_nothing_behind(engine: Engine) {
    let database = (engine == Engine::Postgres).then(|| {
        let cluster = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
        custodia_testbed::with_database(&cluster, &custodia_testbed::fresh_database_name())
    });
    let port = database.as_deref().map(port_of);
    let site = Site::with_database(database);
    let passwords = ORGANIZATIONS.map(|name| {
        let made = site.done(&["org", "create", name, "--admin", &administrator(name)]);
        made.lines().find_map(|line| line.strip_prefix("temporary password ")).unwrap().to_owned()
    });
    let mut server = site.serve(&[]);
    let asked: Vec<Asked> = ORGANIZATIONS
        .iter()
        .zip(passwords)
        .map(|(name, password)| {
            let user = administrator(name);
            let token = site.done(&["token", "--org", name, "--user", &user, "--ttl", "7d"]).trim_end().to_owned();
            let api = Api { client: server.client(), organization: (*name).to_owned(), token };
            fill(&api);
            Asked { api, password, user }
        })
        .collect();
    let length = Duration::from_secs(custodia_testbed::seconds(SECONDS));
    let over = Over::default();
    let begun = Instant::now();
    let (measured, samples, commands) = std::thread::scope(|scope| {
        let end = over.at_the_end();
        let (asked, over, site, process) = (&asked, &over, &site, server.process());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || Client::new(number, asked).run(begun, length, over)))
            .collect();
        let operator = scope.spawn(move || Operator::new(site, asked).run(over));
        let sampler = scope.spawn(move || Samples::of(process, site, port, length, over));
        over.within(length);
        drop(end);
        let mut all = Measured::default();
        for client in clients {
            all.append(client.join().unwrap());
        }
        (all, sampler.join().unwrap(), operator.join().unwrap())
    });
    until("the end of the last request", || {
        let text = server.machines().get("/metrics").expect(200).text().to_owned();
        text.contains("\ncustodia_http_requests_running 0\n").then_some(())
    });
    tell(engine, length, &measured, &samples, &commands);
    let mut faults = samples.excesses();
    if length.as_secs() >= DRIFT_JUDGED_SECONDS {
        faults.extend(samples.faults());
        judge_drift(&measured);
    }
    assert!(faults.is_empty(), "{faults:#?}");
    for asked in &asked {
        asked.api.get("WhoAmI").expect(200);
    }
    end_in_order(&mut server);
}

fn end_in_order(server: &mut Server) {
    server.tell_to_stop();
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
}

/// The port in the address of a database.
fn port_of(address: &str) -> u16 {
    let (_, port) = address.rsplit_once(':').unwrap();
    port.split('/').next().unwrap().parse().unwrap()
}

fn administrator(organization: &str) -> String {
    format!("ada@{organization}.example")
}

/// What is read again and again: accounts of ten cities with contacts, and opportunities.
fn fill(api: &Api) {
    for first in (0..ACCOUNTS).step_by(50) {
        let numbers = first..ACCOUNTS.min(first + 50);
        let accounts: Vec<_> = numbers
            .clone()
            .map(|number| {
                json!({
                    "@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": client::account(number),
                    "name": format!("Account {number}"), "address1_city": format!("City {}", number % 10),
                    "revenue": number * 1_000, "numberofemployees": number,
                })
            })
            .collect();
        create(api, "accounts", accounts);
        let contacts: Vec<_> = numbers
            .clone()
            .map(|number| {
                json!({
                    "@odata.type": "Microsoft.Dynamics.CRM.contact", "firstname": "Con", "lastname": format!("Tact {number}"),
                    "parentcustomerid_account@odata.bind": format!("accounts({})", client::account(number)),
                })
            })
            .collect();
        create(api, "contacts", contacts);
        let opportunities: Vec<_> = numbers
            .map(|number| {
                json!({
                    "@odata.type": "Microsoft.Dynamics.CRM.opportunity", "name": format!("Deal {number}"),
                    "estimatedvalue": number * 10, "opportunityratingcode": 1 + number % 3,
                })
            })
            .collect();
        create(api, "opportunities", opportunities);
    }
}

fn create(api: &Api, set: &str, records: Vec<serde_json::Value>) {
    api.post(&format!("{set}/Microsoft.Dynamics.CRM.CreateMultiple"), &json!({ "Targets": records })).expect(200);
}

/// The record of a run.
fn tell(
    engine: Engine,
    length: Duration,
    measured: &Measured,
    samples: &Samples,
    commands: &BTreeMap<&'static str, u64>,
) {
    let slowest: Vec<_> = (0..PARTS).map(|part| measured.slowest_hundredth(part)).collect();
    println!("p99 of each part: {slowest:?}");
    println!("requests: {:?}", measured.counts);
    let requests: u64 = measured.counts.values().sum();
    let commands = commands.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ");
    custodia_testbed::tell(&format!(
        "mixed load on {engine:?}, {} s, {CLIENTS} clients, {} organisations: {requests} requests, {commands}; p99 {:.1} ms in \
         the third quarter, {:.1} ms in the last; {}",
        length.as_secs(),
        ORGANIZATIONS.len(),
        slowest[PARTS - 2].as_secs_f64() * 1_000.0,
        slowest[PARTS - 1].as_secs_f64() * 1_000.0,
        samples.summary(),
    ));
}

fn judge_drift(measured: &Measured) {
    let (before, last) = (measured.slowest_hundredth(PARTS - 2), measured.slowest_hundredth(PARTS - 1));
    let allowed = before * u32::try_from(DRIFT_MAX).unwrap() + DRIFT_FLOOR;
    assert!(last <= allowed, "the slowest hundredth took {before:?} in the third quarter and {last:?} in the last");
}
