//! Clients that go away in the middle of a request, or send what nobody asked for, take nothing from the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_custodia");
/// Requests at work at one time, in this test.
const AT_ONCE: usize = 3;

/// A server that is killed when the test is over.
struct Server {
    process: Child,
    /// `host:port` of the client listener.
    clients: String,
    /// The same of the operations listener.
    operations: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder)
            .env("CUSTODIA_LIMITS_CONCURRENT_REQUESTS", AT_ONCE.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut after =
            |word: &str| lines.find_map(|line| line.strip_prefix(word).map(str::to_owned)).expect("the server ended");
        let operations = after("operations http://");
        let clients = after("ready http://");
        Self { process, clients, operations }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a request and takes the whole answer.
fn answer(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The value of a metric.
fn metric(server: &Server, name: &str) -> u64 {
    let text = answer(&server.operations, "/metrics");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no metric {name}"))
}

/// Waits until something is so.
#[expect(clippy::disallowed_methods, reason = "a server that runs beside the test is waited for by the real clock")]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

const RUNNING: &str = "custodia_http_requests_running";
const REFUSED: &str = "custodia_sign_ins_refused_total";

/// A data folder with the organisation `demo`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(PROGRAM)
        .args(["org", "create", "demo", "--admin", "ada@demo.example", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

#[test]
fn strangers_do_not_fill_the_memory() {
    let folder = folder();
    let server = Server::start(folder.path());
    // A megabyte is announced, and a part of it sent: who waits for the rest keeps what came.
    for (path, expected) in [("api/data/v9.2/accounts", "401"), ("oauth2/v2.0/token", "413"), ("nothing", "404")] {
        let mut stream = TcpStream::connect(&server.clients).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head = format!("POST /demo/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 1 << 20);
        stream.write_all(head.as_bytes()).unwrap();
        // The server may have answered and closed before all of it was taken.
        let _ = stream.write_all(&[b'x'; 65 << 10]);
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(std::str::from_utf8(&status).unwrap(), format!("HTTP/1.1 {expected}"), "{path}");
    }
}

#[test]
fn requests_of_clients_that_went_away_make_room() {
    let folder = folder();
    let server = Server::start(folder.path());
    // Checking a password takes tens of milliseconds: time enough to go away.
    let body = "grant_type=password&username=ada%40demo.example&password=not-the-right-one";
    let tries = 3 * AT_ONCE as u64;
    for _ in 0..tries {
        let answered = metric(&server, REFUSED);
        let mut stream = TcpStream::connect(&server.clients).unwrap();
        write!(
            stream,
            "POST /demo/oauth2/v2.0/token HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            server.clients,
            body.len()
        )
        .unwrap();
        wait_until("the request is at work", || metric(&server, RUNNING) == 1 || metric(&server, REFUSED) > answered);
        drop(stream);
        wait_until("no request is at work", || metric(&server, RUNNING) == 0);
    }
    assert!(metric(&server, REFUSED) < tries, "nobody went away in the middle of a request");
    assert!(answer(&server.clients, "/").starts_with("HTTP/1.1 200"), "there is room again");
}
