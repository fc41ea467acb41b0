//! Clients that take their time: with heads, bodies, answers, handshakes, or with nothing at all.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::http::{Answer, Api, read_answer};
use crate::process::Before;
use crate::site::{Engine, Server, Site, until};

/// How long a slow client waits before it sends the next byte.
const PACE: Duration = Duration::from_millis(100);
/// Bytes that a slow client sends at most: twenty times what its time allows.
const DRIPS: usize = 400;
/// Answers asked for on one connection that nobody reads.
const ASKED: usize = 10;

/// Sends the bytes one by one until the server has had enough; what it said then. `None`: it never had.
fn drip(mut stream: TcpStream, bytes: impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    stream.set_read_timeout(Some(PACE)).unwrap();
    let mut received = Vec::new();
    for byte in bytes.take(DRIPS) {
        let written = stream.write_all(&[byte]);
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(0) => return Some(received),
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Some(received),
        }
        if written.is_err() {
            return Some(received);
        }
    }
    None
}

/// A connection whose client takes few bytes at a time.
pub fn narrow(address: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(address).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    })
}

fn send(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = server.client().connect().unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// The first answer that comes on one of several connections, which is taken out: which request is first the server knows.
pub fn first_answer(streams: &mut Vec<TcpStream>) -> Answer {
    let at = until("one is answered", || {
        streams.iter().position(|stream| {
            stream.set_nonblocking(true).unwrap();
            let waits = stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
            stream.set_nonblocking(false).unwrap();
            !waits
        })
    });
    read_answer(&mut streams.remove(at)).unwrap()
}

#[test]
fn a_head_that_comes_byte_by_byte_is_cut_off() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_HEAD_SECONDS", "1");
    let server = site.serve(&[]);
    let before = Before::of(&server);
    std::thread::scope(|scope| {
        let dripping: Vec<_> = (0..40)
            .map(|_| {
                let stream = send(&server, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
                scope.spawn(move || drip(stream, std::iter::repeat(b'x')))
            })
            .collect();
        server.client().get("/").expect(200);
        for one in dripping {
            let received = one.join().unwrap().expect("it is cut off");
            assert!(received.is_empty() || received.starts_with(b"HTTP/1.1 408"), "{received:?}");
        }
    });
    before.holds(&server);
}

#[test]
fn a_body_that_trickles_is_cut_off() {
    let site = Site::new(Engine::Sqlite)
        .with("CUSTODIA_LIMITS_BODY_SECONDS", "1")
        .with("CUSTODIA_LIMITS_CONCURRENT_REQUESTS", "60")
        .with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let before = Before::of(&server);
    let of_user =
        format!("POST /north/api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n", api.token);
    let of_stranger = "POST /north/oauth2/v2.0/token HTTP/1.1\r\nHost: x\r\n";
    let refused = "POST /north/api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\n";
    std::thread::scope(|scope| {
        let dripping: Vec<_> = [(of_user.as_str(), "408"), (of_stranger, "408"), (refused, "401")]
            .into_iter()
            .flat_map(|(head, status)| {
                let announced = format!("{head}Content-Length: 50000\r\n\r\n");
                let in_pieces = format!("{head}Transfer-Encoding: chunked\r\n\r\nffff\r\n");
                [(announced, status), (in_pieces, status)]
            })
            .flat_map(|head| std::iter::repeat_n(head, 5))
            .map(|(head, status)| {
                let stream = send(&server, head.as_bytes());
                (scope.spawn(move || drip(stream, std::iter::repeat(b' '))), status)
            })
            .collect();
        api.account("Contoso");
        for (one, status) in dripping {
            let received = one.join().unwrap().expect("it is cut off");
            let received = String::from_utf8(received).unwrap();
            assert!(received.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {received}");
            if status == "408" {
                assert!(received.contains("\"0x80060888\"") && received.contains("within 1 seconds"), "{received}");
            }
        }
    });
    assert_eq!(api.account_names(), ["Contoso"]);
    before.holds(&server);
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_ANSWER_SECONDS", "1").with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let metadata = api.get("$metadata").expect(200).body.len();
    assert!(ASKED * metadata > 8 << 20, "{metadata} bytes fit into the buffers of a connection");
    let before = Before::of(&server);
    let head = format!(
        "GET /north/api/data/v9.2/$metadata HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        api.token
    );
    let mut held: Vec<_> = (0..10)
        .map(|_| {
            let mut stream = narrow(server.address());
            // Many answers on one connection, none of which is read.
            stream.write_all(head.repeat(ASKED).as_bytes()).unwrap();
            stream
        })
        .collect();
    api.account("Contoso");
    // A few bytes now and then are no taking either.
    let mut received = 0;
    for stream in &mut held {
        stream.set_read_timeout(Some(PACE)).unwrap();
        let mut buffer = [0; 512];
        let closed = (0..DRIPS).any(|_| match stream.read(&mut buffer) {
            Ok(0) => true,
            Ok(read) => {
                received += read;
                false
            }
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        });
        let _ = closed;
    }
    assert!(received < 10 * metadata, "nobody read a whole answer");
    // While the clients still hold their ends.
    before.holds(&server);
    drop(held);
}

#[test]
fn answers_that_nobody_takes_have_so_much_memory() {
    let site = Site::new(Engine::Sqlite)
        .with("CUSTODIA_LIMITS_ANSWERS_BYTES", "200000000")
        .with("CUSTODIA_LIMITS_ORGANIZATION_ANSWERS_BYTES", "50000000")
        .with("CUSTODIA_LIMITS_USER_ANSWERS_BYTES", "50000000")
        .with_north();
    let said = site.done(&["org", "create", "south", "--admin", "ben@south.example"]);
    assert!(said.contains("temporary password "));
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let other = server.api(&site, "south", "ben@south.example");
    let mut note = json!({ "subject": "long", "documentbody": "QUFB".repeat(250_000) });
    let fill = |of: &Api, note: &serde_json::Value| -> Vec<_> {
        (0..20).map(|_| of.post("annotations", note).expect(204).created_id()).collect()
    };
    fill(&other, &note);
    let account = api.account("South");
    note["objectid_account@odata.bind"] = json!(format!("/accounts({account})"));
    let ids = fill(&api, &note);
    let target = "annotations?$select=documentbody";
    let long = api.get(target).expect(200).body.len();
    assert!((20_000_000..25_000_000).contains(&long), "{long}");
    let head =
        format!("GET /north/api/data/v9.2/{target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", api.token);
    let begin = || {
        let mut stream = narrow(server.address());
        stream.write_all(head.as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    };
    let held = [begin(), begin()];
    let refused = api.get(target).expect(503);
    let (code, message) = refused.error();
    assert_eq!((code.as_str(), refused.header("Retry-After")), ("0x8005F103", Some("1")));
    assert!(message.starts_with("Requests of this user hold"), "{message}");
    // What is small is answered all the same, and so is another organisation; what was done is told, however long.
    api.account("Contoso");
    assert_eq!(api.account_names(), ["Contoso", "South"]);
    other.get(target).expect(200);
    let represented = format!(
        "POST /north/api/data/v9.2/annotations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nPrefer: return=representation\r\nContent-Length: {}\r\n\r\n{note}",
        api.token,
        note.to_string().len()
    );
    let mut made = send(&server, represented.as_bytes());
    let made = read_answer(&mut made).unwrap().expect(201);
    assert!(made.body.len() > 1_000_000);
    // What is changed is shown as far as there is room, and told by its address beyond that.
    let patch = |id: &str| {
        format!(
            "annotations({id})?$select=documentbody HTTP/1.1\r\nContent-Type: application/json\r\nPrefer: return=representation\r\n"
        )
    };
    let body = r#"{"subject":"changed"}"#;
    let parts: String = ids
        .iter()
        .map(|id| format!("--b\r\nContent-Type: application/http\r\n\r\nPATCH {}\r\n{body}\r\n", patch(id)))
        .collect();
    let bearer = format!("Bearer {}", api.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "multipart/mixed;boundary=b")];
    let batch = api.client.request("POST", "/north/api/data/v9.2/$batch", &headers, Some(&format!("{parts}--b--\r\n")));
    let batch = batch.expect(200);
    let answer = batch.text();
    let [shown, told] = ["200", "204"].map(|status| answer.matches(&format!("HTTP/1.1 {status}")).count());
    assert!((1..20).contains(&shown) && shown + told == 20, "{shown} {told}");
    drop(held);
    until("there is room again", || (api.get(target).status == 200).then_some(()));
    let changed = api.get("annotations/$count?$filter=subject%20eq%20'changed'").expect(200);
    assert_eq!(changed.text().trim_start_matches('\u{feff}'), "20");
    // So is what comes alone; others are answered meanwhile.
    let head = format!(
        "PATCH /north/api/data/v9.2/accounts({account})?$select=name&$expand=Account_Annotation($select=documentbody) HTTP/1.1\r\n\
         Host: x\r\nAuthorization: Bearer {}\r\nPrefer: return=representation\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{{\"name\":\"North\"}}",
        api.token
    );
    let changing: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = narrow(server.address());
            stream.write_all(head.as_bytes()).unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            (stream, String::from_utf8(first.to_vec()).unwrap())
        })
        .collect();
    let statuses: Vec<_> = changing.iter().map(|(_, first)| first.trim_start_matches("HTTP/1.1 ")).collect();
    assert_eq!(statuses, ["200", "200", "204", "204"]);
    other.get(target).expect(200);
}

#[test]
fn a_handshake_that_is_not_finished_is_cut_off() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_HANDSHAKE_SECONDS", "1");
    let server = site.serve(&["--tls", "local"]);
    // A record of a handshake that announces 512 bytes.
    let begun: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = server.client().connect().unwrap();
            stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).unwrap();
            stream
        })
        .collect();
    for stream in begun {
        assert!(drip(stream, std::iter::repeat(0)).is_some(), "it is cut off");
    }
    server.machines().get("/health/live").expect(200);
    server.stop();
}

#[test]
fn users_who_send_slowly_do_not_take_the_requests_of_the_others() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_USER_CONCURRENT_REQUESTS", "3").with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let head = format!(
        "POST /north/api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 9\r\n\r\n{{",
        api.token
    );
    // One of them is refused before its body is read: whoever comes fourth.
    let mut held: Vec<_> = (0..4).map(|_| send(&server, head.as_bytes())).collect();
    let refused = first_answer(&mut held).expect(429);
    assert_eq!(refused.error().0, "0x80072326");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    drop(held);
    until("there is room again", || {
        api.try_request("GET", "WhoAmI", None).is_ok_and(|a| a.status == 200).then_some(())
    });
    api.post("accounts", &json!({ "name": "Contoso" })).expect(204);
}
