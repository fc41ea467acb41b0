//! Questions that pass many rows, and requests of many questions: others are answered meanwhile, and they end in time.

use std::fmt::Write as _;
use std::io::Write;

use serde_json::json;

use crate::http::{Answer, Api, read_answer};
use crate::process::{Before, metric};
use crate::site::{Engine, Server, Site, until};

/// Accounts of `north`.
const ROWS: usize = 600;
/// Requests that others make while those of `north` are at work.
const OTHERS: usize = 100;

fn serve(site: &Site) -> (Server, Api) {
    let server = site.serve(&[]);
    let api = server.api(site, "north", "ada@north.example");
    (server, api)
}

fn fill(api: &Api) {
    let targets: Vec<_> = (0..ROWS)
        .map(|number| json!({ "@odata.type": "Microsoft.Dynamics.CRM.account", "name": format!("Account {number}") }))
        .collect();
    api.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", &json!({ "Targets": targets })).expect(200);
}

/// Every three accounts together, none of which is asked for: no row is answered, and 200 million are met.
fn endless() -> String {
    let fetch = "<fetch top='1'><entity name='account'><attribute name='name'/>\
        <link-entity name='account' from='statecode' to='statecode' alias='b'>\
        <link-entity name='account' from='statecode' to='statecode' alias='c'>\
        <attribute name='name'/></link-entity></link-entity>\
        <filter type='or'><condition attribute='description' operator='eq' value='none'/>\
        <condition entityname='b' attribute='description' operator='eq' value='none'/>\
        <condition entityname='c' attribute='description' operator='eq' value='none'/></filter></entity></fetch>";
    let mut encoded = String::new();
    for byte in fetch.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02x}").unwrap(),
        }
    }
    format!("accounts?fetchXml={encoded}")
}

#[test]
fn questions_that_pass_many_rows_hold_up_nobody_else() {
    const ASKING: u64 = 6;
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_STATEMENT_MS", "4000").with_north();
    site.done(&["org", "create", "south", "--admin", "ada@south.example"]);
    let (server, north) = serve(&site);
    fill(&north);
    let south = server.api(&site, "south", "ada@south.example");
    let account = format!("accounts({})?$select=name", south.account("Contoso"));
    let before = Before::of(&server);
    let question = endless();
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..ASKING).map(|_| scope.spawn(|| north.get(&question))).collect();
        until("they are asked", || (metric(&server, "custodia_http_requests_running") >= ASKING).then_some(()));
        let mut answered = 0;
        while answered < OTHERS && asked.iter().all(|asked| !asked.is_finished()) {
            south.get(&account).expect(200);
            server.machines().get("/health/live").expect(200);
            answered += 1;
        }
        // Who waited for one of them would be answered once.
        assert!(answered >= 10, "others waited: {answered}");
        for asked in asked {
            let answer = asked.join().unwrap().expect(503);
            assert_eq!(answer.error().0, "0x80044151");
        }
    });
    before.holds(&server);
}

/// A batch of so many questions, each of which is answered without waiting for anything.
fn batch(api: &Api, questions: usize) -> String {
    let none: Vec<_> = (0..40).map(|number| format!("contains(name,'none{number}')")).collect();
    let part = format!(
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
         GET accounts?$select=name&$top=1&$filter={} HTTP/1.1\r\n\r\n\r\n",
        none.join("%20or%20")
    );
    let mut body = part.repeat(questions);
    body.push_str("--b--\r\n");
    format!(
        "POST /north/api/data/v9.2/$batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/mixed;boundary=b\r\nContent-Length: {}\r\n\r\n{body}",
        api.token,
        body.len()
    )
}

fn send(server: &Server, request: &str) -> Answer {
    let mut stream = server.client().connect().unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(&mut stream).unwrap()
}

#[test]
fn a_batch_of_many_questions_ends_in_time() {
    let site = Site::new(Engine::Sqlite).with_north();
    let (server, north) = serve(&site);
    fill(&north);
    server.stop();
    // What comes before the long one has more time than it needs.
    let site = site.with("CUSTODIA_LIMITS_REQUEST_SECONDS", "3");
    let (server, north) = serve(&site);
    let before = Before::of(&server);
    send(&server, &batch(&north, 10)).expect(200);
    assert_eq!(send(&server, &batch(&north, 1_000)).expect(503).error().0, "0x80044151");
    before.holds(&server);
}

#[test]
fn a_batch_of_many_questions_ends_with_its_client() {
    let site = Site::new(Engine::Sqlite).with_north();
    let (server, north) = serve(&site);
    fill(&north);
    let before = Before::of(&server);
    let answered = || server.log().lines().filter(|line| line.contains("POST")).count();
    let mut stream = server.client().connect().unwrap();
    stream.write_all(batch(&north, 1_000).as_bytes()).unwrap();
    until("it is worked on", || (metric(&server, "custodia_http_requests_running") == 1).then_some(()));
    drop(stream);
    until("it is given up", || (metric(&server, "custodia_http_requests_running") == 0).then_some(()));
    before.holds(&server);
    // What was answered is told in the log, what was given up is not: the accounts, and this one.
    let body = send(&server, &batch(&north, 1)).expect(200);
    assert!(body.text().contains("batchresponse"));
    until("the log has the next one", || (answered() >= 2).then_some(()));
    assert_eq!(answered(), 2, "{}", server.log());
}
