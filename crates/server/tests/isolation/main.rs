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
const CALLS: u32 = 3_600;

/// How often each kind of call has to be made; those that may succeed have to do so once in five times at least.
const OFTEN: u64 = 10;

/// Kinds of calls that may succeed, and how often the same call by the other organisation's own people has to show canaries
/// at least: where it does not there, that it does not here would show nothing.
const MAY_SUCCEED: [(&str, u64); 35] = [
    ("a list", 50),
    ("a record by an id of the other", 30),
    ("an upsert by an id of the other", 0),
    ("the next page", 0),
    ("who am I", 0),
    ("FetchXML, inner", 1),
    ("FetchXML, outer", 5),
    ("FetchXML, exists", 1),
    ("FetchXML, in", 1),
    ("FetchXML, matchfirstrowusingcrossapply", 5),
    ("FetchXML, any", 1),
    ("FetchXML, not any", 5),
    ("FetchXML, all", 1),
    ("FetchXML, not all", 1),
    ("FetchXML, groups", 5),
    ("FetchXML, the next page", 0),
    ("a stored view", 0),
    ("a lambda", 5),
    ("an $expand within an $expand", 5),
    ("$apply", 5),
    ("a query function", 5),
    ("?sql=", 5),
    ("a list with changes to come", 3),
    ("changes", 0),
    ("changes at a link of the other", 0),
    ("a batch of questions", 20),
    ("a description", 0),
    ("CreateMultiple", 0),
    ("UpdateMultiple", 0),
    ("UpsertMultiple", 0),
    ("DeleteMultiple", 0),
    ("a record within a record", 0),
    ("a batch of changes", 0),
    ("Merge", 0),
    ("InitializeFrom", 0),
];

/// Kinds of calls that are refused.
const REFUSED: [&str; 16] = [
    "FetchXML, a cookie of the other",
    "a stored view of the other",
    "a mistake that is quoted",
    "a delete by an id of the other",
    "a change by an id of the other",
    "a new record bound to one of the other",
    "a role of the other",
    "a link of the other's record",
    "rights on a record of the other",
    "sharing a record of the other",
    "on behalf of a user of the other",
    "our token there",
    "their token here",
    "a damaged token there",
    "a page token of the other",
    "signing in with the other's name",
];

/// Text columns that have to hold a canary: nearly all that a client can fill with any text. Forms, views and site maps take
/// only what is one; questions hold theirs in a condition.
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

    let mut calls = Calls::new(engine as u64 + 1, &canaries, &north, &south);
    // The search finds them where they may be: a test that finds nothing anywhere would show nothing.
    let before = canaries.state(&north);
    assert!(before.contains(MARK));

    let mut kinds: BTreeMap<&'static str, Kind> = BTreeMap::new();
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for _ in 0..CALLS * effort() {
        let call = calls.next();
        let Some(answer) = call.send(&server.client()) else {
            // The connection was closed on bytes that are no request at all.
            assert_eq!(call.kind, "bytes that are no request");
            kinds.entry(call.kind).or_default().refused += 1;
            continue;
        };
        assert!(!shows(&answer), "{call:?} was answered {}:\n{}", answer.status, String::from_utf8_lossy(&answer.body));
        check(&call.expected, &answer, &call);
        let kind = kinds.entry(call.kind).or_default();
        if answer.status < 400 {
            kind.good += 1;
        } else {
            kind.refused += 1;
        }
        *statuses.entry(answer.status).or_default() += 1;
        if let Some(at_home) = call.at_home(&north) {
            kind.shown_at_home += u64::from(shows(&at_home));
        }
        calls.learn(&answer);
    }
    println!("{engine:?}: {statuses:?}");
    println!("{:40} {:>8} {:>8} {:>14}", "", "answered", "refused", "shows at home");
    for (name, kind) in &kinds {
        println!("{name:40} {:>8} {:>8} {:>14}", kind.good, kind.refused, kind.shown_at_home);
    }
    assert_everything_occurred(&kinds);
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

/// What came of the calls of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    good: u64,
    refused: u64,
    /// The same call, asked by the other's own people, showed a canary.
    shown_at_home: u64,
}

fn assert_everything_occurred(kinds: &BTreeMap<&'static str, Kind>) {
    let mut rare = Vec::new();
    for (name, shown_at_least) in MAY_SUCCEED {
        let kind = kinds.get(name).copied().unwrap_or_default();
        let calls = kind.good + kind.refused;
        if calls < OFTEN || kind.good * 5 < calls || kind.shown_at_home < shown_at_least {
            rare.push(format!("{name}: {kind:?}"));
        }
    }
    for name in REFUSED {
        let kind = kinds.get(name).copied().unwrap_or_default();
        if kind.refused < OFTEN {
            rare.push(format!("{name}: {kind:?}"));
        }
    }
    assert!(rare.is_empty(), "too rare to count as tested:\n{}", rare.join("\n"));
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
