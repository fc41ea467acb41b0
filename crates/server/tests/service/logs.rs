//! What the log tells of requests: under their ids, and of which organisation.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::http::{Answer, read_answer};
use crate::site::{Engine, Server, Site, files_below, until};

const ADA: &str = "ada@north.example";

/// The database of the only organisation.
fn file_of(site: &Site) -> PathBuf {
    let files = files_below(&site.data().join("organizations"));
    files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "db")).unwrap()
}

/// The line that stands in the log under the id of an answer.
#[track_caller]
fn line_of(server: &Server, answer: &Answer, what: &str) -> String {
    let id = answer.header("REQ_ID").unwrap();
    until(&format!("'{what}' of {id}"), || {
        server.log().lines().find(|line| line.contains(id) && line.contains(what)).map(str::to_owned)
    })
}

#[test]
fn an_organisation_that_cannot_be_opened_is_told_with_its_cause() {
    let site = Site::new(Engine::Sqlite).with_north();
    let bearer = format!("Bearer {}", site.token("north", ADA));
    let file = file_of(&site);
    std::fs::write(&file, vec![7; 100_000]).unwrap();
    let ask = |server: &Server| {
        let headers = [("Authorization", bearer.as_str())];
        server.client().request("GET", "/north/api/data/v9.2/accounts", &headers, None).expect(503)
    };
    let server = site.serve(&[]);
    let line = line_of(&server, &ask(&server), "an organisation could not be opened");
    assert!(line.contains("organization.name=north"), "{line}");
    assert!(line.contains(file.file_stem().unwrap().to_str().unwrap()), "{line}");
    assert!(!line.contains("eyJ"), "{line}");
    let answered = line_of(&server, &ask(&server), "answered");
    assert!(answered.contains("organization.name=north"), "{answered}");
    // Sign-ins open it, too.
    let scope = format!("{}/north/.default", server.url);
    let answer = server.client().form(
        "/north/oauth2/v2.0/token",
        &[("grant_type", "password"), ("username", ADA), ("password", "x"), ("client_id", "x"), ("scope", &scope)],
    );
    line_of(&server, &answer.expect(503), "an organisation could not be opened");
    // What is no organisation is not repeated.
    let answer = server.client().get("/nobody/api/data/v9.2/accounts").expect(404);
    let answered = line_of(&server, &answer, "answered");
    assert!(!answered.contains("nobody") && !answered.contains("organization"), "{answered}");
    server.stop();

    let site = site.with("CUSTODIA_LOG_FORMAT", "json");
    let server = site.serve(&[]);
    let line: Value =
        serde_json::from_str(&line_of(&server, &ask(&server), "an organisation could not be opened")).unwrap();
    assert_eq!(line["fields"]["organization.name"], "north", "{line}");
    assert!(line["fields"]["error"].as_str().is_some_and(|error| error.contains(": ")), "{line}");
}

#[test]
fn what_breaks_stands_in_the_log_under_the_id_of_the_answer() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", ADA);
    api.account("Contoso");
    let (file, away) = (file_of(&site), site.beside("away"));
    std::fs::rename(&file, &away).unwrap();
    let failed = api.post("accounts", &json!({ "name": "Fabrikam" })).expect(503);
    let line = line_of(&server, &failed, "a request failed");
    assert!(line.contains("organization.name=north"), "{line}");
    assert!(line.contains("was moved, removed or replaced while it was open"), "{line}");

    let body = "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
        POST accounts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"name\":\"Fabrikam\"}\r\n--b--\r\n";
    let bearer = format!("Bearer {}", api.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "multipart/mixed;boundary=b")];
    let answer = server.client().request("POST", "/north/api/data/v9.2/$batch", &headers, Some(body)).expect(503);
    // The parts have the id of the whole.
    let id = answer.header("REQ_ID").unwrap();
    assert!(answer.text().contains(&format!("REQ_ID: {id}\r\n")), "{}", answer.text());
    let line = line_of(&server, &answer, "a request failed");
    assert!(line.contains("organization.name=north"), "{line}");
    std::fs::rename(&away, &file).unwrap();
    server.stop();
}

/// Lines that wait share a bound: one that a stranger fills with what they like takes the room of others.
#[test]
fn no_line_is_as_long_as_a_stranger_likes() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let long = "X".repeat(100_000);
    let ask = |method: &str, target: &str| {
        let mut stream = server.client().connect().unwrap();
        stream.write_all(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        read_answer(&mut stream).unwrap()
    };
    let answer = ask(&long, "/north/api/data/v9.2/accounts");
    assert!(line_of(&server, &answer, "answered").contains("http.method=other "));
    let answer = ask("GET", &format!("/{}", &long[..60_000]));
    assert!(line_of(&server, &answer, "answered").contains("http.method=GET "));
    let longest = server.log().lines().map(str::len).max();
    assert!(longest < Some(1_000), "{longest:?}");
}
