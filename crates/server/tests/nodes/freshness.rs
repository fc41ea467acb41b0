//! What one node was told, the other knows: with the next request, or within the time that the documentation gives.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::Api;
use crate::pair::{ADA, HOUSEKEEPING_SECONDS, Pair, below_api};
use crate::site::until;

/// How much later than documented a node may learn of a change, where the machine is busy.
const SLACK: Duration = Duration::from_secs(30);

#[test]
fn what_one_node_was_told_governs_the_next_request_at_the_other() {
    let pair = Pair::new();
    let ada = [0, 1].map(|node| pair.elsewhere(node, &pair.api(0, ADA)));
    let unit = ada[0].get("WhoAmI").expect(200).json()["BusinessUnitId"].as_str().unwrap().to_owned();
    let user = json!({
        "domainname": "ben@north.example", "firstname": "Ben", "lastname": "Baker",
        "businessunitid@odata.bind": format!("businessunits({unit})"),
    });
    let ben_id = ada[0].post("systemusers", &user).expect(204).created_id();
    let roles = ada[0].get("roles?$select=roleid&$filter=name eq 'Basic User'").expect(200).json();
    let role = roles["value"][0]["roleid"].as_str().unwrap().to_owned();
    let held = format!("systemusers({ben_id})/systemuserroles_association");
    let role_link = json!({ "@odata.id": format!("roles({role})") });
    // Without a role nobody is given a token.
    ada[0].post(&format!("{held}/$ref"), &role_link).expect(204);
    let ben = pair.api(1, "ben@north.example");
    let ben = [0, 1].map(|node| pair.elsewhere(node, &ben));
    for round in 0..10 * custodia_testbed::effort() {
        let (here, there) = if round % 2 == 0 { (0, 1) } else { (1, 0) };
        // Records.
        let id = ada[here].account(&format!("account {round}"));
        let record = format!("accounts({id})");
        assert_eq!(ada[there].get(&record).expect(200).json()["name"], format!("account {round}"));
        ada[there].patch(&record, &json!({ "name": "renamed" })).expect(204);
        assert_eq!(ada[here].get(&record).expect(200).json()["name"], "renamed");
        ada[here].request("DELETE", &record, None).expect(204);
        ada[there].get(&record).expect(404);
        // Rights.
        ben[there].account("Contoso");
        ada[here].request("DELETE", &format!("{held}({role})/$ref"), None).expect(204);
        ben[there].post("accounts", &json!({ "name": "Contoso" })).expect(403);
        ada[there].post(&format!("{held}/$ref"), &role_link).expect(204);
        ben[here].account("Contoso");
    }
}

#[test]
fn links_of_one_node_are_followed_at_the_other() {
    let pair = Pair::new();
    let ada = [0, 1].map(|node| pair.elsewhere(node, &pair.api(0, ADA)));
    for number in 0..7 {
        ada[0].account(&format!("account {number}"));
    }
    let mut seen = Vec::new();
    let mut path = Some("accounts?$select=name&$orderby=name".to_owned());
    let mut node = 0;
    while let Some(page) = path {
        let answer = read(&ada[node], &page, "odata.maxpagesize=2");
        seen.extend(answer["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        path = answer.get("@odata.nextLink").map(below_api);
        node = 1 - node;
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6].map(|number| format!("account {number}")));

    let mut link = below_api(&read(&ada[0], "accounts?$select=name", "odata.track-changes")["@odata.deltaLink"]);
    for round in 0..4 {
        let (here, there) = (round % 2, (round + 1) % 2);
        ada[here].account(&format!("later {round}"));
        let answer = ada[there].get(&link).expect(200).json();
        let names: Vec<_> = answer["value"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
        assert_eq!(names, [format!("later {round}")]);
        link = below_api(&answer["@odata.deltaLink"]);
    }
}

fn read(api: &Api, path: &str, preference: &str) -> serde_json::Value {
    let bearer = format!("Bearer {}", api.token);
    let headers = [("Authorization", bearer.as_str()), ("Prefer", preference)];
    let path = format!("/north/api/data/v9.2/{}", path.replace(' ', "%20"));
    api.client.request("GET", &path, &headers, None).expect(200).json()
}

#[test]
fn what_operators_do_at_one_node_the_other_learns_within_the_documented_time() {
    let pair = Pair::new();
    let operator = &pair.sites[0];
    let other = |token: &str| {
        let api = Api { client: pair.server(1).client(), organization: "north".to_owned(), token: token.to_owned() };
        api.get("WhoAmI").status
    };
    let learns = |what: &str, token: &str, status: u16| {
        let begun = Instant::now();
        until(what, || (other(token) == status).then_some(()));
        let within = Duration::from_secs(HOUSEKEEPING_SECONDS) + SLACK;
        assert!(begun.elapsed() < within, "{what}: {:?}", begun.elapsed());
    };
    let token = operator.token("north", ADA);
    assert_eq!(other(&token), 200);
    operator.done(&["org", "suspend", "north"]);
    learns("a suspended organisation", &token, 503);
    operator.done(&["org", "resume", "north"]);
    learns("an organisation that was opened again", &token, 200);

    // A key that is new is looked for at once; one that was thrown away is found out about later.
    operator.done(&["key", "rotate"]);
    let signed_anew = operator.token("north", ADA);
    assert_eq!((other(&signed_anew), other(&token)), (200, 200));
    operator.done(&["key", "rotate", "--end-tokens"]);
    learns("tokens that ended with their key", &token, 401);
    let token = operator.token("north", ADA);
    assert_eq!(other(&token), 200);
    operator.done(&["password", "--org", "north", "--user", ADA]);
    learns("tokens that ended with a password", &token, 401);

    operator.done(&["org", "create", "south", "--admin", "sue@south.example"]);
    let at_south = pair.sites[0].token("south", "sue@south.example");
    let api = Api { client: pair.server(1).client(), organization: "south".to_owned(), token: at_south };
    until("a new organisation", || (api.get("WhoAmI").status == 200).then_some(()));
}

#[test]
fn what_was_restored_at_one_node_takes_the_place_of_what_the_other_has_open() {
    let pair = Pair::new();
    let operator = &pair.sites[0];
    let here = pair.api(0, ADA);
    let there = pair.elsewhere(1, &here);
    here.account("Contoso");
    let file = operator.beside("north.backup").display().to_string();
    operator.done(&["backup", "--org", "north", "--to", &file]);
    here.account("Fabrikam");
    assert_eq!(there.account_names(), ["Contoso", "Fabrikam"]);
    operator.done(&["restore", "--from", &file, "--replace"]);
    here.get("accounts").expect(401);
    let here = pair.api(0, ADA);
    let there = pair.elsewhere(1, &here);
    assert_eq!(here.account_names(), ["Contoso"]);
    // It is asked all the while, so that nothing is closed because nobody uses it.
    let begun = Instant::now();
    let names = until("the restored organisation", || {
        let answer = there.get("accounts?$select=name");
        (answer.status == 200).then(|| answer.json()["value"].as_array().unwrap().len())
    });
    let within = Duration::from_secs(HOUSEKEEPING_SECONDS) + SLACK;
    assert!(begun.elapsed() < within, "{:?}", begun.elapsed());
    assert_eq!(names, 1);
    there.account("Tailspin");
    assert_eq!(here.account_names(), ["Contoso", "Tailspin"]);
}
