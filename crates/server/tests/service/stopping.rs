//! How a server ends: in order when it is told to, and without loss when it is not.

use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::http::read_answer;
use crate::site::{Engine, Site, on_both_engines, until};

on_both_engines!(running_requests_are_answered_before_the_end, what_was_acknowledged_survives_a_kill);

/// A request to make an account, of which only the first bytes are sent. The rest, and where to send it.
fn half_a_request(server: &crate::site::Server, token: &str, name: &str) -> (std::net::TcpStream, Vec<u8>) {
    let body = json!({ "name": name }).to_string();
    let head = format!(
        "POST /north/api/data/v9.2/accounts HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.client().host(),
        body.len()
    );
    let (first, rest) = body.as_bytes().split_at(5);
    let mut stream = server.client().connect().unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(first).unwrap();
    until("a running request", || {
        server.machines().get("/metrics").text().contains("\ncustodia_http_requests_running 1\n").then_some(())
    });
    (stream, rest.to_vec())
}

fn running_requests_are_answered_before_the_end(engine: Engine) {
    let site = Site::new(engine).with_north();
    let mut server = site.serve(&[]);
    let token = site.token("north", "ada@north.example");
    let (mut stream, rest) = half_a_request(&server, &token, "Late & Sons");
    server.tell_to_stop();
    until("nobody new is let in", || server.client().connect().is_err().then_some(()));
    stream.write_all(&rest).unwrap();
    read_answer(&mut stream).unwrap().expect(204);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "the connection is not kept");
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
    assert!(!site.has_file_named("custodia.sock"));
    assert!(!site.has_file_named("-wal"), "everything is in the files themselves");

    let server = site.serve(&[]);
    assert_eq!(server.api(&site, "north", "ada@north.example").account_names(), ["Late & Sons"]);
}

#[test]
fn a_request_that_does_not_end_is_not_waited_for_for_ever() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_SHUTDOWN_SECONDS", "1").with_north();
    let mut server = site.serve(&[]);
    let token = site.token("north", "ada@north.example");
    let (_stream, _) = half_a_request(&server, &token, "Never");
    server.tell_to_stop();
    assert_eq!(server.ended().code(), Some(0));
    assert!(server.log().contains("some requests were still running"), "{}", server.log());
    let server = site.serve(&[]);
    assert!(server.api(&site, "north", "ada@north.example").account_names().is_empty());
}

#[test]
fn who_is_told_to_stop_says_so_first_and_the_second_time_ends() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_DRAIN_SECONDS", "600").with_north();
    let mut server = site.serve(&[]);
    let (client, machines) = (server.client(), server.machines());
    let api = server.api(&site, "north", "ada@north.example");
    let connection_is_kept = || {
        let mut stream = client.connect().unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        read_answer(&mut stream).unwrap().expect(200).header("connection") != Some("close")
    };
    assert!(connection_is_kept());
    server.tell_to_stop();
    until("the word that it is not ready", || {
        let answer = machines.get("/health/ready");
        (answer.status == 503).then(|| assert_eq!(answer.text(), "draining\n"))
    });
    machines.get("/health/live").expect(200);
    assert!(!connection_is_kept(), "clients are to come by another way");
    api.account("Contoso");
    server.tell_to_stop();
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
}

#[test]
fn a_stop_right_after_the_start_is_in_order_too() {
    let site = Site::new(Engine::Sqlite).with_north();
    for _ in 0..5 {
        site.serve(&[]).stop();
    }
}

fn what_was_acknowledged_survives_a_kill(engine: Engine) {
    let site = Site::new(engine).with_north();
    let mut expected = Vec::new();
    for round in 0..2 {
        let server = site.serve(&[]);
        let api = server.api(&site, "north", "ada@north.example");
        let acknowledged = Mutex::new(Vec::new());
        let (over, in_flight_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (api, acknowledged, over, in_flight_failed) = (&api, &acknowledged, &over, &in_flight_failed);
                scope.spawn(move || {
                    for number in 0.. {
                        let name = format!("account {round} {writer} {number}");
                        match api.try_request("POST", "accounts", Some(&json!({ "name": name }))) {
                            Ok(answer) => {
                                answer.expect(204);
                                acknowledged.lock().unwrap().push(name);
                            }
                            Err(_) => {
                                assert!(over.load(Ordering::SeqCst), "a server that runs answers");
                                in_flight_failed.store(true, Ordering::SeqCst);
                                return;
                            }
                        }
                    }
                });
            }
            until("forty accounts", || (acknowledged.lock().unwrap().len() >= 40).then_some(()));
            over.store(true, Ordering::SeqCst);
            server.kill();
        });
        assert!(in_flight_failed.into_inner(), "writes were in flight");
        expected.extend(acknowledged.into_inner().unwrap());

        let server = site.serve(&[]);
        let found = server.api(&site, "north", "ada@north.example").account_names();
        for name in &expected {
            assert!(found.contains(name), "{name} was acknowledged");
        }
        // Of each writer one request at most was done and not acknowledged.
        assert!(found.len() <= expected.len() + 4 * (round + 1));
        server.stop();
    }
}

#[test]
fn who_reads_the_output_may_have_gone_away() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve_unread();
    let api = server.api(&site, "north", "ada@north.example");
    for number in 0..5 {
        api.account(&format!("account {number}"));
    }
    server.stop();
    assert_eq!(site.run_unread(&["audit", "--org", "north"]), Some(0));
}
