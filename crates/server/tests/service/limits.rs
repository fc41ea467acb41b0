//! The bounds of requests, each answered with a clear error when it is hit.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::http::read_answer;
use crate::site::{Engine, Server, Site, until};

fn say(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = server.client().connect().unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Whatever comes until the server closes the connection.
fn until_closed(mut stream: TcpStream) -> String {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    String::from_utf8(received).unwrap()
}

#[test]
fn a_body_has_a_longest_length() {
    let mut site = Site::new(Engine::Sqlite).with_north();
    let file = site.write("custodia.toml", "[limits]\nbody_bytes = 1_000\n");
    site = site.with("CUSTODIA_CONFIG", &file);
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let description = |length: usize| json!({ "name": "Contoso", "description": "x".repeat(length) });
    api.post("accounts", &description(900)).expect(204);
    let (code, message) = api.post("accounts", &description(1_000)).expect(413).error();
    assert_eq!((code.as_str(), message.as_str()), ("0x80060888", "The body is larger than 1000 bytes."));

    // Announced, it is refused before it is sent.
    let head = "POST /north/api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    read_answer(&mut say(&server, head.as_bytes())).unwrap().expect(413);
    // In pieces, at the first byte too many.
    let mut text = "POST /north/oauth2/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    text.push_str(&format!("1f4\r\n{}\r\n", "x".repeat(500)).repeat(3));
    read_answer(&mut say(&server, text.as_bytes())).unwrap().expect(413);
    assert_eq!(api.account_names(), ["Contoso"]);
}

#[test]
fn an_address_and_a_head_have_a_longest_length() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_TARGET_BYTES", "1000").with_north();
    let server = site.serve(&[]);
    let (code, message) = server.client().get(&format!("/north/{}", "x".repeat(1_000))).expect(414).error();
    assert_eq!(code, "0x80060888");
    assert_eq!(message, "The address is 1007 bytes long; at most 1000 are accepted.");
    server.client().get(&format!("/north/{}", "x".repeat(993))).expect(404);
    server.client().get(&format!("/north/{}", "x".repeat(100_000))).expect(414);
    let large = "x".repeat(200 << 10);
    let mut stream = say(&server, b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: ");
    // The server may have closed before all of it was sent.
    let _ = stream.write_all(large.as_bytes());
    let mut status = [0; 12];
    if stream.read_exact(&mut status).is_ok() {
        assert_eq!(&status, b"HTTP/1.1 431");
    }
    let many: String = (0..1_000).map(|number| format!("X-{number}: x\r\n")).collect();
    let mut stream = say(&server, format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes());
    read_answer(&mut stream).unwrap().expect(431);
    server.client().get("/").expect(200);
}

#[test]
fn heads_that_can_be_read_in_two_ways_are_refused() {
    let server = Site::new(Engine::Sqlite).with_north().serve(&[]);
    let body = "\r\n3\r\na=b\r\n0\r\n\r\n";
    let protocol = "0x80060888";
    for (head, status, code) in [
        ("Host: x\r\nHost: x\r\n", 400, protocol),
        ("Host: x\r\nHost: y\r\n", 400, protocol),
        ("Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501, protocol),
        ("Host: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501, protocol),
        ("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400, protocol),
        ("Host: x\r\nAuthorization: Basic eDp5\r\nAuthorization: Basic eDp5\r\n", 400, protocol),
        ("Host: x\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n", 415, "0x80048d19"),
        // What is wrong is the sign-in.
        ("Host: x\r\nTransfer-Encoding: Chunked\r\n", 400, "invalid_request"),
    ] {
        let framed = if head.contains("Transfer") { body } else { "Content-Length: 3\r\n\r\na=b" };
        let mut stream = say(&server, format!("POST /north/oauth2/token HTTP/1.1\r\n{head}{framed}").as_bytes());
        let answer = read_answer(&mut stream).unwrap().expect(status);
        assert!(answer.text().contains(code), "{head}: {}", answer.text());
    }
}

#[test]
fn a_user_has_so_many_requests_in_five_minutes() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_USER_REQUESTS", "5").with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let left: Vec<u32> = (0..5)
        .map(|_| api.get("WhoAmI").expect(200))
        .map(|answer| answer.header("x-ms-ratelimit-burst-remaining-xrm-requests").unwrap().parse().unwrap())
        .collect();
    assert_eq!(left, [4, 3, 2, 1, 0]);
    let refused = api.get("WhoAmI").expect(429);
    assert_eq!(refused.error().0, "0x80072322");
    let after: u32 = refused.header("Retry-After").unwrap().parse().unwrap();
    // They were all asked for just now, and are forgotten together.
    assert!((240..=300).contains(&after), "{after}");
    // What was refused changed nothing.
    api.post("accounts", &json!({ "name": "Contoso" })).expect(429);
    server.stop();
}

#[test]
fn a_slow_client_is_cut_off() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_HEAD_SECONDS", "1");
    let server = site.serve(&[]);
    // Nothing at all, a beginning of HTTP/2, a beginning of HTTP/1, and silence after an answer.
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let received = until_closed(say(&server, beginning.as_bytes()));
        assert!(received.is_empty() || received.starts_with("HTTP/1.1 408"), "{beginning}: {received}");
    }
    let received = until_closed(say(&server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(received.starts_with("HTTP/1.1 200"), "{received}");
    server.stop();

    let site = site.with("CUSTODIA_LIMITS_HANDSHAKE_SECONDS", "1");
    let server = site.serve(&["--tls", "local"]);
    assert_eq!(until_closed(say(&server, b"")), "", "before TLS is agreed on");
    server.stop();
}

#[test]
fn connections_beyond_the_limit_wait() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_CONNECTIONS", "2");
    let server = site.serve(&[]);
    let held = [say(&server, b"GET / HT"), say(&server, b"GET / HT")];
    let mut waiting = say(&server, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    waiting.set_nonblocking(true).unwrap();
    server.machines().get("/health/live").expect(200);
    let error = waiting.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(held);
    waiting.set_nonblocking(false).unwrap();
    read_answer(&mut waiting).unwrap().expect(200);
}

#[test]
fn too_many_requests_at_a_time_are_refused() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_CONCURRENT_REQUESTS", "1").with_north();
    let server = site.serve(&[]);
    let mut first = say(&server, b"POST /north/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    until("a running request", || {
        server.machines().get("/metrics").text().contains("\ncustodia_http_requests_running 1\n").then_some(())
    });
    let refused = server.client().get("/").expect(503);
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(refused.error().0, "0x8005F103");
    let counted = server.machines().get("/metrics");
    assert!(counted.text().contains("\ncustodia_http_requests_overloaded_total 1\n"), "{}", counted.text());
    first.write_all(b"cde").unwrap();
    read_answer(&mut first).unwrap().expect(400);
    server.client().get("/").expect(200);
}

#[test]
fn a_request_has_a_longest_time() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_REQUEST_SECONDS", "1").with_north();
    let server = site.serve(&[]);
    let mut stream = say(&server, b"POST /north/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    let (code, message) = read_answer(&mut stream).unwrap().expect(503).error();
    assert_eq!(code, "0x80044151");
    assert!(message.contains("took too long"), "{message}");
    until("no running request", || {
        server.machines().get("/metrics").text().contains("\ncustodia_http_requests_running 0\n").then_some(())
    });
}

#[test]
fn what_is_no_http_does_no_harm() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    for bytes in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame, nor anything like it",
    ] {
        let mut stream = say(&server, bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        assert!(!received.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&received));
        assert!(!received.starts_with(b"HTTP/1.1 5"), "{}", String::from_utf8_lossy(&received));
    }
    server.client().get("/").expect(200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    server.stop();
}
