//! What every answer carries, whatever it says: so that a browser that is led to one takes it for no page.

use serde_json::json;

use crate::encryption::trusting;
use crate::http::{Answer, Client};
use crate::site::{Engine, Site};

const ADA: &str = "ada@north.example";

/// Asserts that an answer has that status and what every answer has.
#[track_caller]
fn check(what: &str, status: u16, over_tls: bool, answer: &Answer) {
    hardened(what, status, over_tls, answer);
    let id = answer.header("x-ms-service-request-id").unwrap_or_else(|| panic!("{what}: {:?}", answer.headers));
    assert_eq!((id.len(), answer.header("REQ_ID")), (36, Some(id)), "{what}");
    let ids = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("req_id")).count();
    assert_eq!(ids, 1, "{what}: {:?}", answer.headers);
    if answer.text().starts_with("{\"error\":{") {
        assert_eq!(answer.header("OData-Version"), Some("4.0"), "{what}");
    }
}

/// Asserts that an answer has that status and what a browser is to be told.
#[track_caller]
fn hardened(what: &str, status: u16, over_tls: bool, answer: &Answer) {
    assert_eq!(answer.status, status, "{what}: {:?}", answer.body.escape_ascii().to_string());
    for (name, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("content-security-policy", Some("default-src 'none'; frame-ancestors 'none'")),
        ("referrer-policy", Some("no-referrer")),
        ("cross-origin-resource-policy", Some("same-origin")),
        ("cache-control", Some("no-store")),
        ("strict-transport-security", over_tls.then_some("max-age=31536000")),
        // What the program is and which version it has is told to whoever may ask.
        ("server", None),
        ("x-powered-by", None),
        ("access-control-allow-origin", None),
    ] {
        assert_eq!(answer.header(name), value, "{what}: {name}");
    }
    let times = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cache-control")).count();
    assert_eq!(times, 1, "{what}: {:?}", answer.headers);
    let kind = answer.header("content-type").unwrap_or("");
    let known = ["application/json", "application/xml", "text/plain", "multipart/mixed"];
    assert!(answer.body.is_empty() || known.iter().any(|known| kind.starts_with(known)), "{what}: '{kind}'");
}

#[test]
fn every_kind_of_answer_carries_them() {
    let mut site = Site::new(Engine::Sqlite).with_north();
    let file = site.write("custodia.toml", "[limits]\nbody_bytes = 2_000\ntarget_bytes = 2_000\n");
    site = site.with("CUSTODIA_CONFIG", &file);
    site.done(&["org", "create", "south", "--admin", "sue@south.example"]);
    site.done(&["org", "suspend", "south"]);
    let server = site.serve(&[]);
    let api = server.api(&site, "north", ADA);
    let client = server.client();
    let id = api.account("Acme");
    let record = format!("accounts({id})");
    let long = "x".repeat(2_500);

    let stored = api.get(&record);
    check("a record", 200, false, &stored);
    let tag = stored.json()["@odata.etag"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", api.token);
    let with = |name: &'static str, value: &str, path: &str| {
        let headers = [("Authorization", bearer.as_str()), (name, value)];
        client.request("GET", &format!("/north/api/data/v9.2/{path}"), &headers, None)
    };
    check("a record that is known", 304, false, &with("If-None-Match", &tag, &record));
    check("a body that unfolds", 415, false, &with("Content-Encoding", "gzip", "accounts"));
    check(
        "a token that is none",
        401,
        false,
        &client.request("GET", "/north/api/data/v9.2/WhoAmI", &[("Authorization", "Bearer x.y.z")], None),
    );
    for (method, path, status) in [
        ("GET", "accounts", 200),
        ("GET", "accounts/$count", 200),
        ("GET", "$metadata", 200),
        ("GET", "accounts?$filter=nonsense", 400),
        ("GET", "contacts(00000000-0000-0000-0000-00000000dead)", 404),
        ("GET", "nothing", 404),
        ("PUT", "accounts", 405),
        ("POST", "WinOpportunity", 501),
        ("DELETE", record.as_str(), 204),
    ] {
        check(&format!("{method} {path}"), status, false, &api.request(method, path, None));
    }
    check("a long body", 413, false, &api.post("accounts", &json!({ "name": "A", "description": long })));
    check("a long address", 414, false, &api.get(&format!("accounts?$filter={long}")));
    check("a new record", 204, false, &api.post("accounts", &json!({ "name": "B" })));
    check("a body that is none", 400, false, &api.post("accounts", &json!([])));

    for (method, path, status) in [
        ("GET", "/", 200),
        ("PUT", "/", 405),
        ("GET", "/north", 200),
        ("GET", "/north/", 200),
        ("POST", "/north/", 405),
        ("GET", "/nobody/", 404),
        ("GET", "/south/", 503),
        ("GET", "/north/nothing", 404),
        ("GET", "/nobody/api/data/v9.2/WhoAmI", 404),
        ("GET", "/south/api/data/v9.2/WhoAmI", 503),
        ("GET", "/north/api/data/v9.2/WhoAmI", 401),
        ("GET", "/north/oauth2/v2.0/token", 405),
        ("POST", "/north/oauth2/v2.0/token", 400),
        ("GET", "/north/oauth2/v2.0/authorize", 400),
        ("GET", "/north/v2.0/.well-known/openid-configuration", 200),
        ("GET", "/north/discovery/v2.0/keys", 200),
        ("GET", "/north/api/search/v1.0/query", 501),
    ] {
        let answer = client.request(method, path, &[], None);
        check(&format!("{method} {path}"), status, false, &answer);
        if status == 405 {
            assert!(answer.header("allow").is_some_and(|methods| !methods.is_empty()), "{path}");
        }
    }
    let machines = server.machines();
    for (method, path, status) in
        [("GET", "/health/live", 200), ("GET", "/metrics", 200), ("GET", "/", 404), ("POST", "/metrics", 405)]
    {
        let answer = machines.request(method, path, &[], None);
        hardened(&format!("{method} {path} of the operations listener"), status, false, &answer);
    }
}

#[test]
fn over_tls_browsers_are_told_to_stay_there() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&["--tls", "local"]);
    let client: Client = trusting(&server, &site.data().join("tls/ca.pem"), rustls::ALL_VERSIONS);
    check("the root", 200, true, &client.get("/"));
    check("nobody", 401, true, &client.get("/north/api/data/v9.2/WhoAmI"));
    check("nothing", 404, true, &client.get("/north/nothing"));
}

#[test]
fn markup_in_a_record_is_data_and_never_a_page() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", ADA);
    let markup = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    let id = api.post("accounts", &json!({ "name": markup, "description": markup })).expect(204).created_id();
    for (path, kind) in [
        (format!("accounts({id})"), "application/json"),
        (format!("accounts({id})/description"), "application/json"),
        ("accounts?$select=description".to_owned(), "application/json"),
        (format!("accounts({id})/description/$value"), "text/plain"),
    ] {
        let answer = api.get(&path);
        check(&path, 200, false, &answer);
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{path}: {:?}", answer.headers);
        assert!(answer.text().contains("alert(1)"), "it is stored as it was sent");
    }
    // What an error repeats of a request is data, too.
    let answer = api.get("accounts?$filter=%3Cscript%3Ealert(1)%3C/script%3E%20eq%201");
    check("an error", 400, false, &answer);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"));
}
