//! Writes that take long, or that nobody waits for any more: each has bounds of its own, and others are answered meanwhile.

use custodia_testbed::PrivateCluster;
use serde_json::json;

use crate::http::{Answer, Api};
use crate::process::{Before, metric};
use crate::site::{Engine, Site, until};

/// Sends a batch of one change set that makes accounts, so many with each of its requests.
fn change_set(api: &Api, requests: usize, accounts: usize) -> Answer {
    let targets = vec!["{\"name\":\"of a change set\"}"; accounts].join(",");
    let mut body = "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n".to_owned();
    for number in 0..requests {
        body.push_str(&format!(
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n\
             POST accounts/Microsoft.Dynamics.CRM.CreateMultiple HTTP/1.1\r\nContent-Type: application/json\r\n\r\n\
             {{\"Targets\":[{targets}]}}\r\n"
        ));
    }
    body.push_str("--c--\r\n--b--\r\n");
    let bearer = format!("Bearer {}", api.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "multipart/mixed;boundary=b")];
    api.client.request("POST", &format!("/{}/api/data/v9.2/$batch", api.organization), &headers, Some(&body))
}

/// An installation with a second organisation, and one thread that writes for both.
fn one_thread_for_two() -> Site {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_WRITER_THREADS", "1").with_north();
    site.done(&["org", "create", "south", "--admin", "bea@south.example"]);
    site
}

#[test]
fn change_sets_of_too_many_records_are_refused_before_anything_is_done() {
    let site = one_thread_for_two();
    let server = site.serve(&[]);
    let (north, south) =
        (server.api(&site, "north", "ada@north.example"), server.api(&site, "south", "bea@south.example"));
    south.account("Contoso");
    let before = Before::of(&server);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            for _ in 0..10 {
                let answer = change_set(&north, 3, 5_000).expect(400);
                assert!(answer.text().contains("0x80040203"), "{}", answer.text());
                assert!(answer.text().contains("at most 10000 records"), "{}", answer.text());
            }
        });
        while !flood.is_finished() {
            south.account("Fabrikam");
        }
    });
    assert!(north.account_names().is_empty());
    before.holds(&server);
}

#[test]
fn writes_that_take_too_long_are_refused_and_others_are_done_meanwhile() {
    let site =
        one_thread_for_two().with("CUSTODIA_LIMITS_WRITE_MS", "2000").with("CUSTODIA_LIMITS_CHANGE_RECORDS", "20000");
    let server = site.serve(&[]);
    let api = |organization: &str, user: &str| server.api(&site, organization, user);
    let (north, south) = (api("north", "ada@north.example"), api("south", "bea@south.example"));
    let also_north = api("north", "ada@north.example");
    south.account("Contoso");
    north.account("Contoso");
    let (mut of_south, mut of_north) = (0, 0);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            for _ in 0..3 {
                let answer = change_set(&north, 4, 5_000);
                assert!(answer.status == 503 && answer.text().contains("0x80044151"), "{}", answer.text());
            }
        });
        while !flood.is_finished() {
            south.account("Fabrikam");
            also_north.account("Fabrikam");
            (of_south, of_north) = (of_south + 1, of_north + 1);
        }
    });
    assert_eq!(south.account_names().len(), 1 + of_south);
    assert_eq!(north.account_names().len(), 1 + of_north, "nothing of a change set is there");
    assert!(of_north > 0);
}

#[test]
fn writes_whose_clients_were_told_to_come_back_are_not_done_later() {
    let cluster = PrivateCluster::start(&[]).unwrap();
    let site = Site::with_database(Some(custodia_testbed::with_database(&cluster.url(), "custodia_robustness")))
        .with("CUSTODIA_LIMITS_REQUEST_SECONDS", "3")
        .with_north();
    let server = site.serve(&[]);
    let token = site.token("north", "ada@north.example");
    let api = || Api { client: server.client(), organization: "north".to_owned(), token: token.clone() };
    api().account("before");
    cluster.pause().unwrap();
    // Given up after it was begun: what comes then waits for it.
    api().post("accounts", &json!({ "name": "begun" })).expect(503);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| api().post("accounts", &json!({ "name": "waited" })).expect(503));
        }
        until("all of them wait", || (metric(&server, "custodia_writes_waiting") == 20).then_some(()));
    });
    assert_eq!(metric(&server, "custodia_writes_waiting"), 0, "nothing waits for a database that is away");
    cluster.go_on().unwrap();
    until("writes are done again", || {
        (api().post("accounts", &json!({ "name": "after" })).status == 204).then_some(())
    });
    let names = api().account_names();
    assert!(names.contains(&"before".to_owned()) && names.contains(&"after".to_owned()), "{names:?}");
    assert!(!names.contains(&"waited".to_owned()), "{names:?}");
    server.stop();
}
