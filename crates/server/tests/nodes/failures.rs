//! Nodes that end, die and hang under load.

use std::collections::BTreeMap;

use rustix::process::Signal;

use crate::balancer::Balancer;
use crate::clients::Clients;
use crate::http::Api;
use crate::pair::{ADA, Pair, below_api};
use crate::site::until;
use crate::writer::Journal;

/// Writes that are to be acknowledged after each blow, by the node that is left.
const WRITES_AFTER: usize = 60;

#[test]
fn clients_meet_nothing_worse_than_having_to_ask_again() {
    let mut pair = Pair::new();
    let balancer = Balancer::start(pair.addresses);
    let token = pair.sites[0].token("north", ADA);
    let clients = Clients::new(balancer.client(), &token, &pair.password.clone());
    let journal = clients.run(|| {
        for _ in 0..custodia_testbed::effort() {
            for node in 0..2 {
                ended(&mut pair, node, &clients);
                killed(&mut pair, node, &clients);
                hung(&pair, node, &clients);
            }
        }
    });
    let met: Vec<_> = clients.met().iter().map(|(what, count)| format!("{what} {count} times")).collect();
    let (rounds, writes) = (custodia_testbed::effort(), clients.acknowledged());
    custodia_testbed::tell(&format!(
        "two nodes, each stopped, killed and hung {rounds} times: {writes} writes acknowledged, none lost or done twice; \
         clients met {}",
        met.join(", ")
    ));
    for node in 0..2 {
        holds(&pair.api(node, ADA), &journal);
    }
}

/// A node is told to stop while clients are at work, and none of them notices.
fn ended(pair: &mut Pair, node: usize, clients: &Clients) {
    pair.wait_for_traffic(node);
    let before = clients.met();
    let server = pair.take(node);
    let machines = server.machines();
    machines.get("/health/ready").expect(200);
    server.tell_to_stop();
    until("the word that it is not ready", || {
        let answer = machines.get("/health/ready");
        (answer.status == 503).then(|| assert_eq!(answer.text(), "draining\n"))
    });
    machines.get("/health/live").expect(200);
    let mut server = server;
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
    clients.wait_for_more(WRITES_AFTER);
    assert_eq!(clients.met(), before, "to end in order disturbs nobody");
    pair.start(node);
}

/// A node is killed while clients are at work: some hear nothing, and ask again. It may happen that all of them are at the other
/// one at that moment, and notice nothing: then it is killed once more.
fn killed(pair: &mut Pair, node: usize, clients: &Clients) {
    for _ in 0..5 {
        pair.wait_for_traffic(node);
        let before = clients.met();
        pair.take(node).kill();
        clients.wait_for_more(WRITES_AFTER);
        pair.start(node);
        if clients.met() != before {
            return;
        }
    }
    panic!("it was never killed at work");
}

/// A node hangs for longer than the balancer waits, perhaps in the middle of a write, and comes to itself again.
fn hung(pair: &Pair, node: usize, clients: &Clients) {
    pair.wait_for_traffic(node);
    let given_up = || clients.met().get("504 of the balancer").copied().unwrap_or(0);
    let before = given_up();
    pair.server(node).signal(Signal::STOP);
    until("requests that were given up", || (given_up() > before).then_some(()));
    clients.wait_for_more(WRITES_AFTER);
    pair.server(node).signal(Signal::CONT);
    pair.wait_for_traffic(node);
}

/// Everything that was acknowledged is there, as often as it was, and nothing else.
fn holds(api: &Api, journal: &Journal) {
    let accounts = all(api, "accounts?$select=numberofemployees", |row| {
        (row["accountid"].as_str().unwrap().to_owned(), row["numberofemployees"].as_i64().unwrap())
    });
    assert_eq!(accounts, journal.accounts);
    let links = all(api, "contacts?$select=_parentcustomerid_value", |row| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (text("contactid"), text("_parentcustomerid_value"))
    });
    assert_eq!(links, journal.links);
}

/// All rows of a list.
fn all<T>(api: &Api, path: &str, read: impl Fn(&serde_json::Value) -> (String, T)) -> BTreeMap<String, T> {
    let mut rows = BTreeMap::new();
    let mut next = Some(path.to_owned());
    while let Some(page) = next {
        let answer = api.get(&page).expect(200).json();
        rows.extend(answer["value"].as_array().unwrap().iter().map(&read));
        next = answer.get("@odata.nextLink").map(below_api);
    }
    rows
}
