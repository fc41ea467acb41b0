//! Requests that are larger or deeper than anybody needs: refused with what is too much, at little cost.

use std::io::Write;

use serde_json::json;

use crate::http::{Answer, Api};
use crate::process::{Before, GROWTH_MAX, metric};
use crate::site::{Engine, Site, until};
use crate::slow::first_answer;

/// Sends a body as it is.
fn post(api: &Api, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let bearer = format!("Bearer {}", api.token);
    let mut all = vec![("Authorization", bearer.as_str())];
    all.extend(headers);
    let path = format!("/{}/api/data/v9.2/{path}", api.organization);
    api.client.request("POST", &path, &all, Some(body))
}

#[test]
fn bodies_that_unfold_are_refused_before_they_do() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let body = json!({ "name": "Contoso" }).to_string();
    for encoding in ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip", "identity, gzip", "x-anything"] {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", encoding)];
        let answer = post(&api, "accounts", &headers, &body).expect(415);
        let (code, message) = answer.error();
        assert_eq!(code, "0x80048d19");
        assert!(message.contains(encoding), "{message}");
        assert_eq!(answer.header("Accept-Encoding"), Some("identity"));
        server
            .client()
            .request("POST", "/north/oauth2/v2.0/token", &[("Content-Encoding", encoding)], Some("x"))
            .expect(415);
    }
    assert!(api.account_names().is_empty());
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "identity")];
    post(&api, "accounts", &headers, &body).expect(204);
}

#[test]
fn all_bodies_together_have_so_much_memory() {
    let site = Site::new(Engine::Sqlite)
        .with("CUSTODIA_LIMITS_BODY_BYTES", "1000000")
        .with("CUSTODIA_LIMITS_BODIES_BYTES", "4000000")
        .with("CUSTODIA_LIMITS_ORGANIZATION_BODIES_BYTES", "2000000")
        .with("CUSTODIA_LIMITS_USER_BODIES_BYTES", "2000000")
        .with_north();
    let said = site.done(&["org", "create", "south", "--admin", "ben@south.example"]);
    let password = said.lines().find_map(|line| line.strip_prefix("temporary password ")).unwrap();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let other = server.api(&site, "south", "ben@south.example");
    let json = [("Content-Type", "application/json")];
    let large = |name: &str| format!("{}{}", " ".repeat(400_000), json!({ "name": name }));
    let head = format!(
        "POST /north/api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n",
        api.token
    );
    // What is only announced takes nothing.
    let announced: Vec<_> = (0..5)
        .map(|_| {
            let mut stream = server.client().connect().unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let id = api.account("Contoso");
    let begin = || {
        let mut stream = server.client().connect().unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // It may be refused before all of it was taken.
        let _ = stream.write_all(&vec![b' '; 900_000]);
        stream
    };
    // The third finds no room; which of them is refused is a matter of who is read first.
    let mut held = vec![begin(), begin(), begin()];
    let refused = |answer: Answer| {
        let answer = answer.expect(503);
        let (code, message) = answer.error();
        assert_eq!((code.as_str(), answer.header("Retry-After")), ("0x8005F103", Some("1")));
        assert!(message.starts_with("Requests of this user hold"), "{message}");
    };
    refused(first_answer(&mut held));
    refused(post(&api, "accounts", &json, &large("Fabrikam")));
    // What is small is taken from them all the same; so is a sign-in, and whatever is of another organisation.
    api.request("PATCH", &format!("accounts({id})"), Some(&json!({ "name": "Contoso AG" }))).expect(204);
    assert_eq!(api.account_names(), ["Contoso AG"]);
    let fields = [("grant_type", "password"), ("username", "ben@south.example"), ("password", password)];
    server.client().form("/south/oauth2/v2.0/token", &fields).expect(200);
    post(&other, "accounts", &json, &large("Northwind")).expect(204);
    assert_eq!(other.account_names(), ["Northwind"]);
    drop((held, announced));
    until("no request is at work", || (metric(&server, "custodia_http_requests_running") == 0).then_some(()));
    post(&api, "accounts", &json, &large("Fabrikam")).expect(204);
    assert_eq!(api.account_names(), ["Contoso AG", "Fabrikam"]);
}

#[test]
fn of_a_batch_counts_what_is_read_of_it_at_one_time() {
    let site = Site::new(Engine::Sqlite)
        .with("CUSTODIA_LIMITS_BODY_BYTES", "3000000")
        .with("CUSTODIA_LIMITS_BODIES_BYTES", "9000000")
        .with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let batch = [("Content-Type", "multipart/mixed; boundary=b")];
    let part = |content: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\n\r\nPOST accounts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{content}\r\n"
        )
    };
    // Commas that nobody reads take nothing besides themselves, and parts are read one after the other.
    let preamble = ",".repeat(1_000_000);
    let described = part(&json!({ "name": "Contoso", "description": ",".repeat(1_900) }).to_string());
    let body = format!("{preamble}\r\n{}--b--\r\n", described.repeat(60));
    let answer = post(&api, "$batch", &batch, &body);
    assert_eq!((answer.status, api.account_names().len()), (200, 60), "{}", answer.text());
    // Of one part they count, and where the type alone says that it is a batch.
    for (path, body) in [
        ("$batch", format!("{}--b--\r\n", part(&format!("[{preamble}1]")))),
        ("accounts", format!("{preamble}\r\n{described}--b--\r\n")),
    ] {
        let (code, message) = post(&api, path, &batch, &body).expect(413).error();
        assert_eq!(code, "0x80060888");
        assert!(message.contains("for all bodies of one user"), "{message}");
    }
}

/// Records for a request that makes many at once, of about so many bytes together.
fn targets(record: &str, bytes: usize) -> String {
    let records = vec![record; bytes / (record.len() + 1)].join(",");
    format!("{{\"Targets\":[{records}]}}")
}

#[test]
fn what_bodies_are_parsed_into_counts_too() {
    const ALL: usize = 9 << 20;
    let many = "accounts/Microsoft.Dynamics.CRM.CreateMultiple";
    let json = [("Content-Type", "application/json")];
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(100_000));
    let wide = format!("{{{}}}", (0..500).map(|at| format!("\"a{at}\":1")).collect::<Vec<_>>().join(","));
    let bodies = [
        targets("{}", 3 << 19),
        targets("{\"a\":1}", 3 << 20),
        targets("{\"name\":\"\"}", 3 << 19),
        targets("{\"a\":{\"b\":[1,2,3]}}", 3 << 19),
        targets(&wide, 3 << 19),
        targets(&long, 8 << 20),
    ];
    let all = ALL.to_string();
    let site = Site::new(Engine::Sqlite)
        .with("CUSTODIA_LIMITS_BODY_BYTES", &all)
        .with("CUSTODIA_LIMITS_BODIES_BYTES", &all)
        .with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let before = Before::of(&server);
    // More than there is for all bodies: refused with what it would take, before it is parsed.
    let counted = bodies.each_ref().map(|body| {
        let (code, message) = post(&api, many, &json, body).expect(413).error();
        assert_eq!(code, "0x80060888");
        let told = message
            .split_once("takes up to ")
            .and_then(|(_, rest)| rest.split_once(" bytes"))
            .map(|(number, _)| number);
        let parsed: u64 = told.unwrap_or_else(|| panic!("{message}")).parse().unwrap();
        parsed + body.len() as u64
    });
    before.holds(&server);
    // What was taken was given back each time.
    let small = targets(&long, 2 << 20);
    let answer = post(&api, many, &json, &small);
    assert_eq!(answer.status, 400, "{}", answer.text());
    // It is at least what a body takes where it is parsed, whatever it is made of.
    let plenty = (512 << 20).to_string();
    for (body, counted) in bodies.iter().zip(counted) {
        let site = Site::new(Engine::Sqlite)
            .with("CUSTODIA_LIMITS_ORGANIZATION_BODIES_BYTES", &plenty)
            .with("CUSTODIA_LIMITS_USER_BODIES_BYTES", &plenty)
            .with_north();
        let server = site.serve(&[]);
        let api = server.api(&site, "north", "ada@north.example");
        api.account("Contoso");
        let before = Before::of(&server);
        let answer = post(&api, many, &json, body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        // What the allocator keeps of each thread comes on top.
        before.holds_within(&server, counted + (32 << 20));
        assert_eq!(api.account_names(), ["Contoso"]);
    }
}

#[test]
fn what_is_too_deep_or_too_long_is_refused_and_changes_nothing() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let before = Before::of(&server);
    let json = [("Content-Type", "application/json")];
    let nested = |open: &str, close: &str, many: usize| format!("{}{}", open.repeat(many), close.repeat(many));
    let bodies = [
        ("arrays in arrays", nested("[", "]", 1_000_000)),
        ("objects in objects", format!("{}1{}", "{\"name\":".repeat(200_000), "}".repeat(200_000))),
        ("deep in a column", format!("{{\"name\":{}}}", nested("[", "]", 100_000))),
        ("deep in a link", format!("{{\"contact_customer_accounts\":{}}}", nested("[{\"a\":", "}]", 10_000))),
        ("deep and never closed", "[{\"a\":".repeat(100_000)),
        ("a million elements", format!("{{\"name\":[{}1]}}", "1,".repeat(1_000_000))),
        ("a million columns", format!("{{{}\"b\":1}}", "\"a\":1,".repeat(1_000_000))),
        ("a long text", format!("{{\"name\":\"{}\"}}", "x".repeat(10_000_000))),
        ("a long name", format!("{{\"{}\":1}}", "x".repeat(10_000_000))),
        ("a long number", format!("{{\"revenue\":{}}}", "9".repeat(1_000_000))),
        ("a large exponent", "{\"revenue\":1e999999999999}".to_owned()),
        ("a long exponent", format!("{{\"revenue\":1e-{}}}", "9".repeat(1_000_000))),
        ("escapes", format!("{{\"name\":\"{}\"}}", "\\u0041".repeat(2_000_000))),
        ("half a character", "{\"name\":\"\\ud800\"}".to_owned()),
    ];
    for (what, body) in &bodies {
        let answer = post(&api, "accounts", &json, body);
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        let (code, message) = answer.error();
        assert!(code.starts_with("0x") && message.len() < 2_000, "{what}: {code}, {} bytes", message.len());
    }
    let contacts = |many: usize| vec![json!({ "name": "x" }).to_string(); many].join(",");
    let answer = post(
        &api,
        "accounts/Microsoft.Dynamics.CRM.CreateMultiple",
        &json,
        &format!("{{\"Targets\":[{}]}}", contacts(500_000)),
    );
    assert!((400..500).contains(&answer.status), "a bulk of 500,000: {} {}", answer.status, answer.text());
    assert_eq!(api.account_names(), ["Contoso"]);
    // A body of 16 MiB is parsed before it is refused: its tree takes several times as much.
    before.holds_within(&server, 4 * GROWTH_MAX);
}

#[test]
fn addresses_that_are_too_deep_or_too_long_do_no_harm() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let before = Before::of(&server);
    let wrapped = |open: &str, inner: &str, close: &str, many: usize| {
        format!("{}{inner}{}", open.repeat(many), close.repeat(many))
    };
    let links = wrapped(
        "%3Clink-entity%20name='account'%20from='accountid'%20to='parentaccountid'%3E",
        "",
        "%3C/link-entity%3E",
        250,
    );
    let filters = wrapped("%3Cfilter%3E", "", "%3C/filter%3E", 900);
    let fetch = |inner: &str| {
        format!("accounts?fetchXml=%3Cfetch%3E%3Centity%20name='account'%3E{inner}%3C/entity%3E%3C/fetch%3E")
    };
    let addresses = [
        ("parentheses", format!("accounts?$filter={}", wrapped("(", "name eq 'x'", ")", 10_000))),
        ("not", format!("accounts?$filter={}(name eq 'x')", "not ".repeat(5_000))),
        ("and", format!("accounts?$filter=name eq 'x'{}", " and name eq 'x'".repeat(1_300))),
        ("functions", format!("accounts?$filter={} eq 'x'", wrapped("tolower(", "name", ")", 2_000))),
        ("lambdas", format!("accounts?$filter={}", wrapped("contact_customer_accounts/any(c:", "c/x eq 1", ")", 600))),
        ("expands", format!("accounts?$expand={}", wrapped("contact_customer_accounts($expand=", "x", ")", 600))),
        ("in", format!("accounts?$filter=name in ({}'x')", "'x',".repeat(6_000))),
        ("columns", format!("accounts?$select={}name", "name,".repeat(6_000))),
        ("orders", format!("accounts?$orderby={}name", "name,".repeat(6_000))),
        ("options", format!("accounts?{}$top=1", "$top=1&".repeat(4_000))),
        ("quotes", format!("accounts?$filter=name eq '{}", "''".repeat(15_000))),
        ("a long number", format!("accounts?$filter=revenue eq {}", "9".repeat(30_000))),
        ("segments", format!("accounts{}", "/primarycontactid".repeat(1_500))),
        ("links of FetchXML", fetch(&links)),
        ("filters of FetchXML", fetch(&filters)),
        ("a token", format!("accounts?$skiptoken={}", "x".repeat(30_000))),
        ("SQL", format!("accounts?sql=SELECT name FROM account WHERE {}", wrapped("(", "name='x'", ")", 10_000))),
    ];
    for (what, address) in &addresses {
        let answer = api.get(address);
        // What says the same thing a thousand times may be answered.
        assert!(answer.status != 500 && answer.status < 502, "{what}: {} {}", answer.status, answer.text());
        assert!(answer.body.len() < 4_000, "{what}: {}", answer.body.len());
    }
    assert_eq!(api.account_names(), ["Contoso"]);
    before.holds(&server);
}

#[test]
fn batches_within_batches_are_refused() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let before = Before::of(&server);
    let batch = [("Content-Type", "multipart/mixed; boundary=b")];
    let part = |address: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{address} HTTP/1.1\r\n\r\n\r\n"
        )
    };
    let many = format!("{}--b--\r\n", part("GET accounts").repeat(20_000));
    let refused = post(&api, "$batch", &batch, &many);
    assert!((400..500).contains(&refused.status), "{} {}", refused.status, refused.text());
    let within = format!("{}--b--\r\n", part("POST $batch"));
    let answer = post(&api, "$batch", &batch, &within);
    assert!(!answer.text().contains("HTTP/1.1 200"), "{}", answer.text());
    let mut deep = String::new();
    for level in 0..20_000 {
        deep.push_str(&format!("--b{level}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n", level + 1));
    }
    let headers = [("Content-Type", "multipart/mixed; boundary=b0")];
    let answer = post(&api, "$batch", &headers, &deep);
    assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text());
    before.holds(&server);
}
