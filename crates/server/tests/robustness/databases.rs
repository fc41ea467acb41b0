//! PostgreSQL that crashes, stops, falls silent or ends its connections, while clients write: they are told to come back
//! within a bounded time, the service recovers by itself, and nothing that was acknowledged is lost or there twice.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use custodia_testbed::{PrivateCluster, fresh_database_name};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::http::{Api, read_answer};
use crate::process::metric;
use crate::site::{Server, Site, until};

const WRITERS: usize = 3;
/// Records that are acknowledged before something happens, and again after it.
const ENOUGH: usize = 10;

/// What the writers were told.
#[derive(Default)]
struct Told {
    acknowledged: Mutex<Vec<String>>,
    /// Names of requests of which nobody could tell: they may be there or not.
    unknown: Mutex<Vec<String>>,
    refused: Mutex<usize>,
    over: AtomicBool,
}

impl Told {
    fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }
}

fn write_until_over(api: &Api, told: &Told, writer: usize) {
    for number in 0.. {
        if told.over.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("account {writer} {number}");
        let answer = api.post("accounts", &json!({ "name": name }));
        if answer.status == 204 {
            told.acknowledged.lock().unwrap().push(name);
        } else {
            assert_eq!(answer.status, 503, "{}", answer.text());
            // Who is told to come again has nothing there.
            match answer.header("Retry-After") {
                Some(seconds) => assert_eq!(seconds, "1", "{}", answer.text()),
                None => told.unknown.lock().unwrap().push(name),
            }
            *told.refused.lock().unwrap() += 1;
        }
    }
}

#[test]
fn clients_outlive_a_database_that_goes_and_comes_back() {
    let mut cluster = PrivateCluster::start(&[]).unwrap();
    let site = Site::with_database(Some(custodia_testbed::with_database(&cluster.url(), "custodia_robustness")))
        .with("CUSTODIA_LIMITS_STATEMENT_MS", "2000")
        .with("CUSTODIA_LIMITS_SILENCE_MS", "2000")
        .with_north();
    let server = site.serve(&[]);
    let token = site.token("north", "ada@north.example");
    let api = || Api { client: server.client(), organization: "north".to_owned(), token: token.clone() };
    let told = Told::default();
    std::thread::scope(|scope| {
        let told = &told;
        for writer in 0..WRITERS {
            let api = api();
            scope.spawn(move || write_until_over(&api, told, writer));
        }
        let goes_on = || {
            let before = told.acknowledged();
            until("writes are acknowledged", || (told.acknowledged() >= before + ENOUGH).then_some(()));
        };
        let refuses = || {
            let before = *told.refused.lock().unwrap();
            until("writes are refused", || (*told.refused.lock().unwrap() > before).then_some(()));
            let answer = api().get("accounts?$select=name&$top=1");
            assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
            assert!(server.machines().get("/health/live").status == 200);
        };
        goes_on();
        for _ in 0..3 {
            assert!(cluster.end_connections().unwrap() > 0);
            goes_on();
        }
        cluster.pause().unwrap();
        refuses();
        api().get("accounts?$select=name&$top=1").expect(503);
        server.machines().get("/health/ready").expect(503);
        cluster.go_on().unwrap();
        goes_on();
        until("it is ready", || (server.machines().get("/health/ready").status == 200).then_some(()));
        cluster.crash().unwrap();
        refuses();
        api().get("accounts?$select=name&$top=1").expect(503);
        cluster.restart().unwrap();
        goes_on();
        cluster.stop().unwrap();
        refuses();
        cluster.restart().unwrap();
        goes_on();
        told.over.store(true, Ordering::SeqCst);
    });
    let mut found: HashMap<String, usize> = HashMap::new();
    for name in api().account_names() {
        *found.entry(name).or_default() += 1;
    }
    assert!(found.values().all(|many| *many == 1), "twice: {found:?}");
    let unknown = told.unknown.into_inner().unwrap();
    for name in told.acknowledged.into_inner().unwrap() {
        assert!(found.remove(&name).is_some(), "{name} was acknowledged");
    }
    for name in found.keys() {
        assert!(unknown.contains(name), "{name} was to come again, or never asked for");
    }
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.contains("terminating connection due to administrator command (57P01)"), "{log}");
    assert!(!log.contains("db error"), "{log}");
    server.stop();
}

/// Holds a table of the newest organisation of a cluster, so that whoever reads it waits.
struct Held {
    runtime: Runtime,
    client: tokio_postgres::Client,
}

impl Held {
    fn new(cluster: &PrivateCluster, table: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connect = async |database: &str| {
            let url = custodia_testbed::with_database(&cluster.url(), database);
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        };
        let client = runtime.block_on(async {
            let newest = "SELECT datname FROM pg_database WHERE datname LIKE '%north%' ORDER BY oid DESC LIMIT 1";
            let name: String = connect("postgres").await.query_one(newest, &[]).await.unwrap().get(0);
            let client = connect(&name).await;
            client.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await.unwrap();
            client
        });
        Self { runtime, client }
    }

    fn run(&self, statements: &str) {
        self.runtime.block_on(self.client.batch_execute(statements)).unwrap();
    }

    /// How many other server processes the database has, and how many of them wait for the lock.
    fn processes(&self) -> (i64, i64) {
        let count = "SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity \
                     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let row = self.runtime.block_on(self.client.query_one(count, &[])).unwrap();
        (row.get(0), row.get(1))
    }
}

/// Asks for accounts, and does not wait for them.
fn ask(server: &Server, api: &Api) -> TcpStream {
    let mut stream = server.client().connect().unwrap();
    let head = format!(
        "GET /north/api/data/v9.2/accounts?$select=name HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        api.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn running(server: &Server, many: u64) {
    until("requests are at work", || (metric(server, "custodia_http_requests_running") == many).then_some(()));
}

#[test]
fn reads_that_clients_cut_off_hold_up_nobody() {
    const CUT: usize = 100;
    let cluster = PrivateCluster::start(&[]).unwrap();
    let database = custodia_testbed::with_database(&cluster.url(), "custodia_robustness");
    // Half of what a statement has: behind one of those that are cut off nothing would be answered.
    let site = Site::with_database(Some(database)).with("CUSTODIA_LIMITS_REQUEST_SECONDS", "15").with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let contact = api.post("contacts", &json!({ "lastname": "Ames" })).expect(204).created_id();
    let path = format!("contacts({contact})?$select=lastname");
    api.get(&path).expect(200);
    let held = Held::new(&cluster, "account");
    // The cluster notices a moment later that somebody went away, such as who made the organisation.
    until("nobody else is connected", || (held.processes().0 <= 3).then_some(()));
    let cut: Vec<_> = (0..CUT).map(|_| ask(&server, &api)).collect();
    running(&server, CUT as u64);
    drop(cut);
    assert_eq!(api.get(&path).expect(200).json()["lastname"], "Ames");
    running(&server, 0);
    until("nothing is at work for nobody", || (held.processes().1 == 0).then_some(()));
    let (processes, _) = held.processes();
    assert!(processes <= 3, "{processes}");
    drop(held);
    // Neither connection is left in the middle of anything.
    let mut asked: Vec<_> = (0..CUT).map(|_| ask(&server, &api)).collect();
    for stream in &mut asked {
        read_answer(stream).unwrap().expect(200);
    }
    server.stop();
}

#[test]
fn requests_that_are_cut_off_or_stopped_count_their_time() {
    let cluster = PrivateCluster::start(&[]).unwrap();
    let site = |request_seconds: &str| {
        Site::with_database(Some(custodia_testbed::with_database(&cluster.url(), &fresh_database_name())))
            .with("CUSTODIA_LIMITS_USER_SECONDS", "5")
            .with("CUSTODIA_LIMITS_REQUEST_SECONDS", request_seconds)
            .with_north()
    };
    let counted = |site: Site, asking: &dyn Fn(&Server, &Api, &Held)| {
        let server = site.serve(&[]);
        let api = server.api(&site, "north", "ada@north.example");
        // The table is made with its first record, in a part of the time.
        api.account("Contoso");
        let held = Held::new(&cluster, "account");
        asking(&server, &api, &held);
        running(&server, 0);
        drop(held);
        assert_eq!(api.get("WhoAmI").expect(429).error().0, "0x80072321");
        server.stop();
    };
    counted(site("120"), &|server, api, held| {
        let stream = ask(server, api);
        until("it waits for the database", || (held.processes().1 > 0).then_some(()));
        held.run("SELECT pg_sleep(5.2)");
        drop(stream);
    });
    counted(site("3"), &|server, api, _| {
        let mut streams = [ask(server, api), ask(server, api), ask(server, api)];
        for stream in &mut streams {
            assert_eq!(read_answer(stream).unwrap().expect(503).error().0, "0x80044151");
        }
    });
}

/// Who is disabled while a sign-in is at work gets no token: it would count as one of after that.
#[test]
fn a_sign_in_that_crosses_a_disabling_is_refused() {
    const ADA: &str = "ada@north.example";
    let cluster = PrivateCluster::start(&[]).unwrap();
    let site = Site::with_database(Some(custodia_testbed::with_database(&cluster.url(), "custodia_robustness")));
    let told = site.done(&["org", "create", "north", "--admin", ADA]);
    let password = told.lines().find_map(|line| line.strip_prefix("temporary password ")).unwrap();
    let server = site.serve(&[]);
    let sign_in = || {
        let fields = [("grant_type", "password"), ("username", ADA), ("password", password)];
        server.client().form("/north/oauth2/v2.0/token", &fields)
    };
    let operators_token = ["token", "--org", "north", "--user", ADA];
    let application = "11111111-2222-3333-4444-555555555555";
    let api = server.api(&site, "north", ADA);
    let unit = api.get("WhoAmI").expect(200).json()["BusinessUnitId"].as_str().unwrap().to_owned();
    let program = json!({
        "applicationid": application, "domainname": "loader@north.example", "firstname": "Nightly", "lastname": "Loader",
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    });
    api.post("systemusers", &program).expect(204);
    let told = site.done(&["secret", "--org", "north", "--user", application]);
    let secret = told.lines().find_map(|line| line.strip_prefix("client secret ")).unwrap();
    let program_signs_in = || server.program_signs_in(application, secret);
    program_signs_in().expect(200);
    let crossing = |ask: &(dyn Fn() + Sync)| {
        sign_in().expect(200);
        // What tells when tokens ended: the user was found enabled by then.
        let held = Held::new(&cluster, "custodia_credential");
        std::thread::scope(|scope| {
            let asking = scope.spawn(ask);
            until("it waits for the database", || (held.processes().1 > 0).then_some(()));
            held.run("UPDATE systemuser SET isdisabled = true; COMMIT");
            asking.join().unwrap();
        });
        held.run("UPDATE systemuser SET isdisabled = false");
    };
    crossing(&|| {
        let refused = sign_in().expect(400);
        assert!(refused.text().contains("The account is disabled."), "{}", refused.text());
    });
    crossing(&|| {
        let refused = program_signs_in();
        assert!(refused.status >= 400 && refused.text().contains("disabled"), "{} {}", refused.status, refused.text());
    });
    program_signs_in().expect(200);
    crossing(&|| {
        let refused = site.refused(&operators_token);
        assert!(refused.contains("is disabled"), "{refused}");
    });
    site.done(&operators_token);
    server.stop();
}
