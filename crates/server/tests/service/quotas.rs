//! What one organisation may use: requests, requests at one time, storage; and few open databases for many organisations.

use std::io::{Read, Write};

use serde_json::json;

use crate::http::{Api, Client, read_answer};
use crate::site::{Engine, Server, Site, on_both_engines, until};

on_both_engines!(
    an_organisation_has_so_many_requests_in_five_minutes,
    a_full_organisation_reads_and_deletes,
    few_open_databases_serve_many_organisations,
);

const REQUESTS: &str = "requests";
const STORAGE: &str = "storage-bytes";
/// What a client that waits for it is told when its body is read.
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

fn metric(machines: &Client, name: &str) -> u64 {
    let text = machines.get("/metrics").expect(200).text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
}

/// What `org limits` says of a limit: its value, and whose it is.
#[track_caller]
fn shown(output: &str, limit: &str) -> (u64, String) {
    let line = output.lines().find_map(|line| line.strip_prefix(limit)).unwrap_or_else(|| panic!("{output}"));
    let (value, origin) = line.trim().split_once(' ').unwrap();
    (value.parse().unwrap(), origin.to_owned())
}

/// A second organisation beside `north`.
fn south(site: &Site, server: &Server) -> Api {
    site.done(&["org", "create", "south", "--admin", "eve@south.example"]);
    server.api(site, "south", "eve@south.example")
}

fn an_organisation_has_so_many_requests_in_five_minutes(engine: Engine) {
    let site = Site::new(engine).with("CUSTODIA_LIMITS_ORGANIZATION_REQUESTS", "1000").with_north();
    let server = site.serve(&[]);
    let (north, south) = (server.api(&site, "north", "ada@north.example"), south(&site, &server));
    assert_eq!(shown(&site.done(&["org", "limits", "north"]), REQUESTS), (1_000, "as configured".to_owned()));
    // It counts at once, with what was asked before.
    north.get("WhoAmI").expect(200);
    let output = site.done(&["org", "limits", "north", "--requests", "3"]);
    assert_eq!(shown(&output, REQUESTS), (3, "its own".to_owned()));
    north.get("WhoAmI").expect(200);
    north.account("Contoso");
    let refused = north.post("accounts", &json!({ "name": "One more" })).expect(429);
    let (code, message) = refused.error();
    assert_eq!(code, "0x80072322");
    assert!(message.contains("for this organisation within 5 minutes"), "{message}");
    let after: u32 = refused.header("Retry-After").unwrap().parse().unwrap();
    // Few seconds after all of them were asked for, which are forgotten together.
    assert!((240..=300).contains(&after), "{after}");
    assert_eq!(metric(&server.machines(), "custodia_http_requests_limited_total"), 1);
    assert!(!server.machines().get("/metrics").text().contains("north"));
    for _ in 0..5 {
        south.get("WhoAmI").expect(200);
    }

    // It is kept, and taken away again; what was refused changed nothing.
    site.done(&["org", "limits", "north", "--requests", "default"]);
    assert_eq!(north.account_names(), ["Contoso"]);
    site.done(&["org", "limits", "north", "--requests", "2", "--concurrent-requests", "7"]);
    server.stop();
    let output = site.done(&["org", "limits", "north"]);
    assert_eq!(shown(&output, REQUESTS), (2, "its own".to_owned()));
    assert_eq!(shown(&output, "concurrent-requests"), (7, "its own".to_owned()));
    assert_eq!(shown(&output, STORAGE).1, "as configured");
    assert_eq!(shown(&site.done(&["org", "limits", "south"]), REQUESTS).0, 1_000);
    assert_eq!(site.refused(&["org", "limits", "west"]), "there is no organisation 'west'");
    let wrong = site.run(&["org", "limits", "north", "--requests", "0"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.errors.contains("use a number from 1 on, or the word default"), "{}", wrong.errors);
}

fn a_full_organisation_reads_and_deletes(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let (north, south) = (server.api(&site, "north", "ada@north.example"), south(&site, &server));
    let (first, second) = (north.account("Contoso"), north.account("Fabrikam"));
    site.done(&["org", "limits", "north", "--storage-bytes", "1000"]);
    let refused = |answer: crate::http::Answer| {
        let (code, message) = answer.expect(507).error();
        assert_eq!(code, "0x8005f104");
        assert_eq!(
            message,
            "the organisation's storage of 1000 bytes is used up; delete records, or have the limit raised"
        );
    };
    refused(north.post("accounts", &json!({ "name": "One more" })));
    refused(north.patch(&format!("accounts({first})"), &json!({ "name": "Longer" })));
    let link = json!({ "@odata.id": format!("accounts({second})") });
    refused(north.post(&format!("accounts({first})/account_parent_account/$ref"), &link));
    assert_eq!(north.account_names(), ["Contoso", "Fabrikam"]);
    north.request("DELETE", &format!("accounts({second})"), None).expect(204);
    assert_eq!(north.account_names(), ["Contoso"]);
    // Signing in goes on, and so do the others.
    server.api(&site, "north", "ada@north.example").get("WhoAmI").expect(200);
    south.account("Elsewhere");

    site.done(&["org", "limits", "north", "--storage-bytes", "default"]);
    north.patch(&format!("accounts({first})"), &json!({ "name": "Longer" })).expect(204);
    if engine == Engine::Postgres {
        return;
    }

    // A file that is full has room again for what is deleted, although it stays as large as it was.
    let text = "x".repeat(100_000);
    let note = |number: u32| json!({ "subject": number.to_string(), "notetext": text });
    let kept = north.post("annotations", &note(0)).expect(204).created_id();
    site.done(&["org", "limits", "north", "--storage-bytes", "6000000"]);
    let mut many = 0;
    let refused = until("a full organisation", || {
        many += 1;
        let answer = north.post("annotations", &note(many));
        if answer.status == 204 { None } else { Some(answer) }
    });
    refused.expect(507);
    assert!(many > 5, "{many}");
    north.request("DELETE", &format!("annotations({kept})"), None).expect(204);
    north.post("accounts", &json!({ "name": "There is room" })).expect(204);
}

fn few_open_databases_serve_many_organisations(engine: Engine) {
    const CLIENTS: usize = 4;
    const ROUNDS: usize = 6;
    let site = Site::new(engine).with("CUSTODIA_LIMITS_OPEN_DATABASES", "2");
    let server = site.serve(&[]);
    let apis: Vec<_> = (0..5)
        .map(|number| {
            let (name, mail) = (format!("many-{number}"), format!("ada@many-{number}.example"));
            site.done(&["org", "create", &name, "--admin", &mail]);
            server.api(&site, &name, &mail)
        })
        .collect();
    let machines = server.machines();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (apis, machines) = (&apis, &machines);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    for at in 0..apis.len() {
                        apis[(at + client) % apis.len()].account(&format!("{client}-{round}"));
                        assert!(metric(machines, "custodia_open_databases") <= 2);
                    }
                }
            });
        }
    });
    let opened = metric(&server.machines(), "custodia_databases_opened_total");
    assert!(opened > 10, "{opened}");
    let mut expected: Vec<_> =
        (0..CLIENTS).flat_map(|client| (0..ROUNDS).map(move |round| format!("{client}-{round}"))).collect();
    expected.sort();
    for api in &apis {
        assert_eq!(api.account_names(), expected);
    }
    // Suspended, it is closed at once, and nobody keeps a place for it.
    site.done(&["org", "suspend", "many-4"]);
    apis[4].get("WhoAmI").expect(503);
    for api in &apis[..4] {
        api.get("WhoAmI").expect(200);
    }
    assert!(metric(&server.machines(), "custodia_open_databases") <= 2);
    server.stop();
}

#[test]
fn an_organisation_has_so_many_requests_at_one_time() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let (north, south) = (server.api(&site, "north", "ada@north.example"), south(&site, &server));
    site.done(&["org", "limits", "north", "--concurrent-requests", "1"]);
    let mut slow = server.client().connect().unwrap();
    let head = format!(
        "POST /north/api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 18\r\nExpect: 100-continue\r\n\r\n",
        north.token
    );
    slow.write_all(head.as_bytes()).unwrap();
    // Asked for when the request was let in.
    let mut go_on = [0; GO_ON.len()];
    slow.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, GO_ON);
    let refused = north.get("WhoAmI").expect(429);
    let (code, message) = refused.error();
    assert_eq!((code.as_str(), refused.header("Retry-After")), ("0x80072326", Some("1")));
    assert!(message.contains("concurrent requests exceeded the limit for this organisation"), "{message}");
    south.get("WhoAmI").expect(200);
    slow.write_all(b"{\"name\":\"Contoso\"}").unwrap();
    read_answer(&mut slow).unwrap().expect(204);
    assert_eq!(north.account_names(), ["Contoso"]);
}
