//! Signals, a log that nobody reads on, and too few files.

use std::io::{PipeReader, Read};
use std::process::Stdio;

use rustix::process::Signal;

use crate::http::Api;
use crate::process::{open_files, worked};
use crate::site::{Engine, Server, Site, until};

/// Requests whose lines in the log are more than a pipe holds, which is 64 KiB.
const MORE_THAN_A_PIPE_HOLDS: usize = 1_500;

#[test]
fn a_terminal_that_hangs_up_ends_the_service_in_order() {
    let site = Site::new(Engine::Sqlite).with_north();
    // Whoever runs the tests may have asked them to outlive their terminal.
    let mut server = site.serve_by(&["env", "--default-signal=HUP"]);
    server.api(&site, "north", "ada@north.example").account("Contoso");
    server.signal(Signal::HUP);
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
    assert!(!site.has_file_named("-wal"), "everything is in the files themselves");
}

#[test]
fn a_service_that_was_started_to_outlive_its_terminal_does() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve_by(&["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]);
    server.signal(Signal::HUP);
    server.signal(Signal::PIPE);
    server.api(&site, "north", "ada@north.example").account("Contoso");
    server.stop();
}

/// Asks often enough to fill a pipe with what is logged of it.
fn fill_the_log(api: &Api) {
    use std::io::Write;
    let mut stream = api.client.connect().unwrap();
    let request = format!(
        "GET /north/api/data/v9.2/WhoAmI HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        api.client.host(),
        api.token
    );
    for _ in 0..MORE_THAN_A_PIPE_HOLDS {
        stream.write_all(request.as_bytes()).unwrap();
        crate::http::read_answer(&mut stream).unwrap().expect(200);
    }
}

/// A server whose log goes into a pipe.
fn logging_into_a_pipe(site: &Site) -> (Server, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    (site.serve_logging_to(Stdio::from(writer)), reader)
}

#[test]
fn a_log_that_nobody_reads_on_does_not_stop_the_service() {
    let site = Site::new(Engine::Sqlite).with_north();
    let (server, mut reader) = logging_into_a_pipe(&site);
    let api = server.api(&site, "north", "ada@north.example");
    fill_the_log(&api);
    // Warnings do not wait either.
    server.client().form("/north/oauth2/v2.0/token", &[("grant_type", "nonsense")]);
    api.account("Contoso");
    // Whoever reads on finds all of it.
    let mut text = String::new();
    let mut buffer = [0; 64 << 10];
    while text.matches("answered").count() < MORE_THAN_A_PIPE_HOLDS {
        let read = reader.read(&mut buffer).unwrap();
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    // Nor does it hold up the end.
    fill_the_log(&api);
    server.stop();
}

#[test]
fn too_few_files_for_all_connections_leave_enough_for_the_databases() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve_by(&["sh", "-c", "ulimit -n 100; exec \"$@\"", "sh"]);
    server.wait_for_log("fewer connections are taken than configured");
    let token = site.token("north", "ada@north.example");
    let held: Vec<_> = (0..120).filter_map(|_| server.client().connect().ok()).collect();
    until("as many are taken as may be", || (open_files(&server) >= 60).then_some(()));
    // It waits for room and does not look for it without end.
    let before = worked(&server);
    let commands: Vec<_> = (0..3).map(|_| site.token("north", "ada@north.example")).collect();
    assert_eq!(commands.len(), 3);
    let spent = worked(&server) - before;
    assert!(spent < 300, "{spent} hundredths of a second for three commands");
    drop(held);
    let api = Api { client: server.client(), organization: "north".to_owned(), token };
    until("there is room again", || api.try_request("GET", "WhoAmI", None).ok());
    api.account("Contoso");
    assert!(!server.log().contains("panicked"), "{}", server.log());
    server.stop();
}
