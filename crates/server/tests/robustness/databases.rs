//! PostgreSQL that crashes, stops, falls silent or ends its connections, while clients write: they are told to come back
//! within a bounded time, the service recovers by itself, and nothing that was acknowledged is lost or there twice.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use custodia_testbed::PrivateCluster;
use serde_json::json;

use crate::http::Api;
use crate::site::{Site, until};

const WRITERS: usize = 3;
/// Records that are acknowledged before something happens, and again after it.
const ENOUGH: usize = 10;

/// What the writers were told.
#[derive(Default)]
struct Told {
    acknowledged: Mutex<Vec<String>>,
    /// Names whose request ended otherwise: they may be there or not.
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
            assert_eq!(answer.header("Retry-After"), Some("1"), "{}", answer.text());
            told.unknown.lock().unwrap().push(name);
            *told.refused.lock().unwrap() += 1;
        }
    }
}

#[test]
fn clients_outlive_a_database_that_goes_and_comes_back() {
    let mut cluster = PrivateCluster::start(&[]).unwrap();
    let site = Site::with_database(Some(custodia_testbed::with_database(&cluster.url(), "custodia_robustness")))
        .with("CUSTODIA_LIMITS_STATEMENT_MS", "1000")
        .with("CUSTODIA_LIMITS_SILENCE_MS", "500")
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
        server.machines().get("/health/ready").expect(200);
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
        assert!(unknown.contains(name), "{name} was never asked for");
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
    server.stop();
}
