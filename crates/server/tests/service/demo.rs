//! `custodia serve --demo`: filled once, through interruptions, with the numbers that its data has. Filling it takes
//! longer than everything else here, so all that needs it is in one test.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::Api;
use crate::site::{Engine, Server, Site, until};

/// Filling takes a minute on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_secs(600);

fn described(site: &Site, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(site.data().join(format!("{name}.json"))).unwrap()).unwrap()
}

/// Who can sign in: user, password, role.
fn people(described: &Value) -> Vec<(String, String, String)> {
    let people = described["users"].as_array().unwrap().iter();
    people
        .map(|person| ["user", "password", "role"].map(|key| person[key].as_str().unwrap().to_owned()).into())
        .collect()
}

fn signed_in(server: &Server, organization: &str, user: &str, password: &str) -> Api {
    let fields = [("grant_type", "password"), ("username", user), ("password", password)];
    let answer = server.client().form(&format!("/{organization}/oauth2/v2.0/token"), &fields).expect(200);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    Api { client: server.client(), organization: organization.to_owned(), token }
}

fn count(api: &Api, query: &str) -> u64 {
    let mut path = query.to_owned();
    path.push_str(if query.contains('?') { "&$count=true&$top=1" } else { "?$count=true&$top=1" });
    // A list's count ends at 5,000; the number behind the path does not.
    let (set, filter) = query.split_once('?').unwrap_or((query, ""));
    let answer = api.get(&format!("{set}/$count?{filter}")).expect(200);
    answer.text().trim_start_matches('\u{feff}').parse().unwrap()
}

#[test]
fn it_is_filled_once_and_whoever_is_named_can_sign_in() {
    let site = Site::new(Engine::Sqlite);
    // Told to stop in the middle, and killed in the middle: the next start goes on.
    let mut server = site.start(&["--demo"]);
    server.wait_for_log("filling demo: ");
    server.tell_to_stop();
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
    assert!(!site.data().join("demo.json").exists());
    let server = site.start(&["--demo"]);
    server.wait_for_log("filling demo: demo/crm-sales-opportunities");
    server.kill();
    let mut server = site.start(&["--demo"]);
    server.wait_until_ready(PATIENCE);

    let demo = described(&site, "demo");
    assert_eq!(demo["org"], json!("demo"));
    assert_eq!(demo["url"], json!(format!("{}/demo/", server.url)));
    let people = people(&demo);
    let roles: Vec<_> = people.iter().map(|(_, _, role)| role.as_str()).collect();
    for role in ["System Administrator", "Sales Manager", "Customer Service Representative"] {
        assert!(roles.contains(&role), "{role} in {roles:?}");
    }
    let mut units = std::collections::HashSet::new();
    for (user, password, role) in &people {
        let line = format!("  {user:<38} {password:<26} {role}");
        assert!(server.output.contains(&line), "{line} in {:#?}", server.output);
        let me = signed_in(&server, "demo", user, password).get("WhoAmI").expect(200).json();
        if role == "Salesperson" {
            units.insert(me["BusinessUnitId"].as_str().unwrap().to_owned());
        }
    }
    assert!(units.len() >= 2, "two salespersons of different business units");

    let (user, password, _) = people.iter().find(|(_, _, role)| role == "System Administrator").unwrap();
    let admin = signed_in(&server, "demo", user, password);
    assert_eq!(count(&admin, "opportunities"), 8_800);
    for (state, expected) in [(0, 2_089), (1, 4_238), (2, 2_473)] {
        assert_eq!(count(&admin, &format!("opportunities?$filter=statecode eq {state}")), expected, "state {state}");
    }
    assert!(count(&admin, "accounts") >= 85);
    assert_eq!(count(&admin, "incidents"), 4_969);
    let sellers = admin
        .get("systemusers?$select=fullname&$filter=jobtitle eq 'Salesperson'&$expand=businessunitid($select=name)")
        .expect(200)
        .json();
    let sellers = sellers["value"].as_array().unwrap();
    assert_eq!(sellers.len(), 35);
    let units: std::collections::HashSet<_> =
        sellers.iter().map(|seller| seller["businessunitid"]["name"].as_str().unwrap()).collect();
    assert_eq!(units.len(), 3, "{units:?}");

    // A salesperson sees less than everything, and everything that is asked for is visible to them.
    let (user, password, _) = people.iter().find(|(_, _, role)| role == "Salesperson").unwrap();
    let seller = signed_in(&server, "demo", user, password);
    let visible = count(&seller, "opportunities");
    assert!(visible > 0 && visible < 8_800, "{visible}");

    let second = described(&site, "demo2");
    assert_eq!(second["org"], json!("demo2"));
    let others = people_of_second(&server, &second);
    assert!(others > 0);
    let log_bytes: u64 = crate::site::files_below(site.data())
        .iter()
        .filter(|path| path.to_string_lossy().ends_with("-wal"))
        .map(|path| std::fs::metadata(path).unwrap().len())
        .sum();
    assert!(log_bytes < 100 << 20, "write-ahead logs of {log_bytes} bytes: nobody empties them");

    // The next start finds it as it is.
    server.stop();
    let server = site.serve(&["--demo"]);
    assert_eq!(described(&site, "demo")["users"], demo["users"]);
    assert_eq!(described(&site, "demo")["url"], json!(format!("{}/demo/", server.url)));
    let admin = server.api(&site, "demo", "admin@demo.example");
    assert_eq!(count(&admin, "opportunities"), 8_800);
    until("nothing is filled again", || (!server.log().contains("filling")).then_some(()));
    server.stop();
}

/// How many accounts the second organisation's administrator sees.
fn people_of_second(server: &Server, described: &Value) -> u64 {
    let people = people(described);
    let (user, password, _) = people.iter().find(|(_, _, role)| role == "System Administrator").unwrap();
    count(&signed_in(server, "demo2", user, password), "accounts")
}
