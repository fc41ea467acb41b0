//! What one organisation holds never reaches another: every text column of organisation `north` holds a canary, and every
//! answer that `south` is given under random calls, good and bad ones, is searched for them; so are the log and the metrics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod calls;
mod canaries;
#[path = "../service/http.rs"]
#[allow(dead_code, reason = "the tests of the service use the rest")]
mod http;
#[path = "../service/site.rs"]
#[allow(dead_code, reason = "the tests of the service use the rest")]
mod site;

use std::collections::BTreeMap;

use custodia_testbed::effort;
use serde_json::json;

use crate::calls::{Calls, Expected};
use crate::canaries::{Canaries, MARK, shows};
use crate::http::{Answer, Api};
use crate::site::{Engine, Site, on_both_engines};

/// Calls made by the other organisation.
const CALLS: u32 = 2_500;

/// Text columns that have to hold a canary: nearly all that a client can fill.
const COLUMNS_AT_LEAST: usize = 870;

on_both_engines!(nothing_of_one_organisation_reaches_another);

fn nothing_of_one_organisation_reaches_another(engine: Engine) {
    // Everything there is to log is logged: what never reaches the log must not do so at any level.
    let site = Site::new(engine).with("CUSTODIA_LOG_FILTER", "debug").with_north();
    site.done(&["org", "create", "south", "--admin", "bob@south.example"]);
    let server = site.serve(&[]);
    let north = server.api(&site, "north", "ada@north.example");
    let south = server.api(&site, "south", "bob@south.example");
    let canaries = Canaries::put(&north);
    println!(
        "{engine:?}: canaries in {} columns of {} tables; not made: {:?}",
        canaries.columns,
        canaries.records.len(),
        canaries.refused
    );
    assert!(canaries.columns >= COLUMNS_AT_LEAST, "only {} columns", canaries.columns);
    south.account("An account of the south");

    // The search finds them where they may be: a test that finds nothing anywhere would show nothing.
    let before = canaries.state(&north);
    assert!(before.contains(MARK));
    let mut found_at_home = 0;

    let mut calls = Calls::new(engine as u64 + 1, &canaries, &north, &south);
    let mut kinds: BTreeMap<&'static str, [u64; 2]> = BTreeMap::new();
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for _ in 0..CALLS * effort() {
        let call = calls.next();
        let Some(answer) = call.send(&server.client()) else {
            // The connection was closed on bytes that are no request at all.
            assert_eq!(call.kind, "bytes that are no request");
            kinds.entry(call.kind).or_default()[1] += 1;
            continue;
        };
        assert!(!shows(&answer), "{call:?} was answered {}:\n{}", answer.status, String::from_utf8_lossy(&answer.body));
        check(&call.expected, &answer, &call);
        let good = answer.status < 400;
        kinds.entry(call.kind).or_default()[usize::from(!good)] += 1;
        *statuses.entry(answer.status).or_default() += 1;
        if let Some(at_home) = call.at_home(&north) {
            found_at_home += u64::from(shows(&at_home));
        }
        calls.learn(&answer);
    }
    println!("{engine:?}: {statuses:?}");
    for (kind, [good, refused]) in &kinds {
        println!("{kind:40} {good:>6} {refused:>6}");
    }
    assert!(found_at_home >= 50, "the same calls by their own people showed canaries only {found_at_home} times");
    assert_eq!(canaries.state(&north), before, "the south changed something of the north");

    speak_of_them(&north);
    let log = server.log();
    println!("{engine:?}: {} lines of log", log.lines().count());
    assert!(!shows_text(&log), "the log shows a canary: {}", line_of(&log));
    for private in [&north.token, &south.token, "ada@north.example"] {
        assert!(!log.contains(private), "the log shows {private}");
    }
    let metrics = server.machines().get("/metrics").expect(200);
    assert!(!shows(&metrics), "the metrics show a canary");
    server.stop();
}

/// The people of the north use canaries themselves, in questions and mistakes: what they write is theirs too.
fn speak_of_them(north: &Api) {
    for (status, path) in [
        (200, "accounts?$select=name&$filter=contains(name,'QZkan')&$orderby=name"),
        (200, "contacts?$filter=lastname eq 'QZkan' or startswith(firstname,'qzKAN')&$count=true"),
        (400, "accounts?$filter=name eq 'QZkan"),
        (400, "accounts?$filter=qzkan eq 1"),
        (404, "transactioncurrencies(isocurrencycode='QZkanX')"),
        (404, "qzkans"),
    ] {
        north.get(path).expect(status);
    }
    let mistakes = [
        json!({ "name": "QZkan".repeat(100) }),
        json!({ "name": 1, "description": "QZkan" }),
        json!({ "QZkan": "QZkan" }),
        json!({ "primarycontactid@odata.bind": "/contacts(QZkan)" }),
    ];
    for body in &mistakes {
        assert!((400..500).contains(&north.post("accounts", body).status));
    }
}

fn check(expected: &Expected, answer: &Answer, call: &calls::Call) {
    let fits = match expected {
        Expected::Anything => answer.status != 500,
        Expected::Refused => matches!(answer.status, 400..500),
        Expected::NoSignIn => answer.status == 401,
    };
    assert!(fits, "{call:?} was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
}

fn shows_text(text: &str) -> bool {
    text.to_ascii_lowercase().contains(MARK)
}

fn line_of(text: &str) -> &str {
    text.lines().find(|line| shows_text(line)).unwrap_or_default()
}

/// What a user of an organisation asks for.
pub fn path(api: &Api, rest: &str) -> String {
    format!("/{}/api/data/v9.2/{rest}", api.organization)
}
