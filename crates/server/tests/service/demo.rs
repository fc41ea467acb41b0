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
fn people_of(described: &Value) -> Vec<(String, String, String)> {
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

/// How many rows there are, page by page: a `$count` ends at 5,000.
fn count(api: &Api, set: &str, key: &str, filter: &str) -> usize {
    let mut rows = 0;
    let mut path = format!("{set}?$select={key}{filter}");
    loop {
        let page = api.get(&path).expect(200).json();
        rows += page["value"].as_array().unwrap().len();
        let Some(next) = page["@odata.nextLink"].as_str() else { return rows };
        next.split_once("/api/data/v9.2/").unwrap().1.clone_into(&mut path);
    }
}

fn opportunities(api: &Api, filter: &str) -> usize {
    count(api, "opportunities", "opportunityid", filter)
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
    let people = people_of(&demo);
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
    assert_eq!(opportunities(&admin, ""), 8_800);
    for (state, expected) in [(0, 2_089), (1, 4_238), (2, 2_473)] {
        assert_eq!(opportunities(&admin, &format!("&$filter=statecode eq {state}")), expected, "state {state}");
    }
    assert!(count(&admin, "accounts", "accountid", "") >= 85);
    assert_eq!(count(&admin, "incidents", "incidentid", ""), 4_969);
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
    let visible = opportunities(&seller, "");
    assert!(visible > 0 && visible < 8_800, "{visible}");

    let second = described(&site, "demo2");
    assert_eq!(second["org"], json!("demo2"));
    let (user, password, _) = &people_of(&second)[0];
    assert!(count(&signed_in(&server, "demo2", user, password), "accounts", "accountid", "") > 0);
    let log_bytes: u64 = crate::site::files_below(site.data())
        .iter()
        .filter(|path| path.to_string_lossy().ends_with("-wal"))
        .map(|path| std::fs::metadata(path).unwrap().len())
        .sum();
    assert!(log_bytes < 100 << 20, "write-ahead logs of {log_bytes} bytes: nobody empties them");

    // The next start finds it as it is; a password that was replaced is not told any more.
    let (replaced, old_password, role) = &people[1];
    site.done(&["password", "--org", "demo", "--user", replaced]);
    server.stop();
    let server = site.serve(&["--demo"]);
    let line = format!("  {replaced:<38} {:<26} {role}", "(by 'custodia password')");
    assert!(server.output.contains(&line), "{line} in {:#?}", server.output);
    assert!(!server.output.iter().any(|line| line.contains(old_password.as_str())), "{:#?}", server.output);
    assert_eq!(described(&site, "demo")["users"], demo["users"]);
    assert_eq!(described(&site, "demo")["url"], json!(format!("{}/demo/", server.url)));
    let admin = server.api(&site, "demo", "admin@demo.example");
    assert_eq!(opportunities(&admin, ""), 8_800);
    until("nothing is filled again", || (!server.log().contains("filling")).then_some(()));
    server.stop();

    // One that somebody suspended is told of, and the other is served.
    site.done(&["org", "suspend", "demo2"]);
    let server = site.serve(&["--demo"]);
    assert!(server.output.iter().any(|line| line.contains("suspended")), "{:#?}", server.output);
    let admin = server.api(&site, "demo", "admin@demo.example");
    admin.get("WhoAmI").expect(200);
    server.stop();
}
