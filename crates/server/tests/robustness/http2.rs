//! Clients of HTTP/2 that make the server keep something, or work, for nothing.

use std::io::Read;
use std::time::Duration;

use serde_json::json;

use crate::frames::{
    ACKNOWLEDGED, CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, HEADERS, Heard, INITIAL_WINDOW, NONE, PING,
    RESET, SETTINGS, WINDOW_UPDATE, frame, request, text,
};
use crate::process::{Before, GROWTH_MAX, metric};
use crate::site::{Engine, PATIENCE, Server, Site, until};
use crate::slow::narrow;

/// Bytes that an answer of a few bytes holds which nobody takes, with what the allocator keeps.
const HELD_OF_AN_ANSWER_MAX: u64 = 8 << 10;

fn connect(server: &Server, settings: &[(u16, u32)]) -> Connection {
    Connection::begin(server.client().connect().unwrap(), settings)
}

/// A request without a body.
fn get(stream: u32, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &request("GET", path, headers))
}

/// The numbers of a client's streams.
fn streams() -> impl Iterator<Item = u32> + Clone {
    (1..).step_by(2)
}

#[test]
fn a_request_over_plain_http2_is_answered() {
    let site = Site::new(Engine::Sqlite);
    let server = site.serve(&[]);
    let mut connection = connect(&server, &[]);
    connection.send(&get(1, "/", &[]));
    let mut body = Vec::new();
    while let Heard::Frame(frame) = connection.hear(PATIENCE) {
        if frame.kind == DATA {
            body.extend(&frame.payload);
            if frame.flags & END_STREAM != 0 {
                break;
            }
        }
    }
    assert_eq!(String::from_utf8(body).unwrap(), server.client().get("/").expect(200).text());
}

#[test]
fn requests_that_are_taken_back_at_once_end_the_connection() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let mut connection = connect(&server, &[]);
    // CVE-2023-44487.
    for stream in streams().take(20_000) {
        let mut bytes = get(stream, "/north/api/data/v9.2/WhoAmI", &[]);
        bytes.extend(frame(RESET, NONE, stream, &8_u32.to_be_bytes()));
        if !connection.send(&bytes) {
            break;
        }
    }
    connection.until_it_goes_away(PATIENCE);
    before.holds(&server);
}

#[test]
fn a_head_without_an_end_ends_the_connection() {
    let site = Site::new(Engine::Sqlite);
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let mut connection = connect(&server, &[]);
    connection.send(&frame(HEADERS, END_STREAM, 1, &request("GET", "/", &[])));
    let mut field = vec![0];
    text(&mut field, "x-more");
    text(&mut field, &"x".repeat(16_000));
    let more = frame(CONTINUATION, NONE, 1, &field);
    let sent = (0..5_000).take_while(|_| connection.send(&more)).count();
    assert!(sent < 5_000, "80 MB of a head were taken");
    before.holds(&server);
}

#[test]
fn small_fields_that_unfold_to_large_ones_are_refused() {
    let site = Site::new(Engine::Sqlite);
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let mut connection = connect(&server, &[]);
    // A field of 3,900 bytes that goes into the table (RFC 7541 section 6.2.1), then 60,000 times one byte for it.
    let mut block = request("GET", "/", &[]);
    block.push(64);
    text(&mut block, "x-bomb");
    text(&mut block, &"x".repeat(3_900));
    block.extend(std::iter::repeat_n(128 | 62, 12_000));
    connection.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
    let mut status = None;
    loop {
        match connection.hear(PATIENCE) {
            Heard::Frame(frame) if frame.kind == HEADERS => {
                status = Some(frame.payload);
                break;
            }
            Heard::Frame(frame) if frame.kind != RESET => {}
            _ => break,
        }
    }
    if let Some(block) = status {
        // A status that is not in the table stands as a text: 431.
        assert!(block.windows(3).any(|part| part == b"431") || block[0] != 0x88, "{block:?}");
    }
    before.holds(&server);
}

#[test]
fn frames_that_ask_for_answers_nobody_reads_do_not_fill_the_memory() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_ANSWER_SECONDS", "1");
    let server = site.serve(&[]);
    let before = Before::of(&server);
    for bytes in [frame(SETTINGS, NONE, 0, &[]), frame(PING, NONE, 0, &[7; 8])] {
        let mut connection = Connection::begin(narrow(server.address()), &[]);
        connection.tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        let many = bytes.repeat(1_000);
        // Until the server does not read on, because its answers are not read, and then gives up.
        let sent = (0..20_000).take_while(|_| connection.send(&many)).count();
        assert!(sent < 20_000, "20 million were taken");
        server.client().get("/").expect(200);
    }
    before.holds(&server);
}

#[test]
fn more_requests_at_a_time_than_allowed_are_refused() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_STREAMS", "10").with_north();
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let mut connection = connect(&server, &[]);
    for stream in streams().take(3_000) {
        // Their bodies never come.
        let head = request("POST", "/north/oauth2/v2.0/token", &[("content-length", "5")]);
        if !connection.send(&frame(HEADERS, END_HEADERS, stream, &head)) {
            break;
        }
    }
    let mut refused = 0;
    let gone = loop {
        if refused >= 2_990 {
            break false;
        }
        match connection.hear(PATIENCE) {
            Heard::Frame(frame) if frame.kind == RESET => refused += 1,
            Heard::Frame(frame) if frame.kind == crate::frames::GO_AWAY => break true,
            Heard::Frame(_) => {}
            Heard::Closed => break true,
            Heard::Silence => break false,
        }
    };
    assert!(gone || refused >= 2_990, "{refused} were refused");
    drop(connection);
    before.holds(&server);
}

#[test]
fn answers_that_a_client_leaves_no_room_for_are_given_up() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_ANSWER_SECONDS", "1").with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let metadata = api.get("$metadata").expect(200).body.len() as u64;
    let bearer = format!("Bearer {}", api.token);
    let before = Before::of(&server);
    for window in [0, 1] {
        let mut connection = connect(&server, &[(INITIAL_WINDOW, window)]);
        for stream in streams().take(8) {
            connection.send(&get(stream, "/north/api/data/v9.2/$metadata", &[("authorization", &bearer)]));
        }
        // A byte more now and then is no taking.
        let mut streams = streams().take(8).cycle();
        let closed = loop {
            match connection.hear(Duration::from_millis(50)) {
                Heard::Closed => break true,
                Heard::Frame(frame) if frame.kind == PING && frame.flags & ACKNOWLEDGED == 0 => {
                    connection.send(&crate::frames::frame(PING, ACKNOWLEDGED, 0, &frame.payload));
                }
                Heard::Frame(_) => {}
                Heard::Silence => {
                    let more = frame(WINDOW_UPDATE, NONE, streams.next().unwrap(), &1_u32.to_be_bytes());
                    if !connection.send(&more) {
                        break true;
                    }
                }
            }
        };
        assert!(closed);
        server.client().get("/").expect(200);
    }
    before.holds_within(&server, GROWTH_MAX + 16 * metadata);
}

#[test]
fn a_connection_without_requests_is_closed() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_ANSWER_SECONDS", "3");
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let mut idle = connect(&server, &[]);
    let mut used = connect(&server, &[]);
    used.send(&get(1, "/", &[]));
    let came = idle.until_it_goes_away(PATIENCE);
    assert_eq!(came[usize::from(DATA)], 0);
    let came = used.until_it_goes_away(PATIENCE);
    assert!(came[usize::from(DATA)] > 0, "{came:?}");
    // It goes, and does not only say so.
    idle.tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    let _ = idle.tcp.read_to_end(&mut rest);
    before.holds(&server);
}

#[test]
fn small_answers_that_a_client_leaves_no_room_for_have_so_much_memory() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_USER_ANSWERS_BYTES", "1048576").with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let note = json!({ "subject": "long", "documentbody": "QUFB".repeat(15_000) });
    let id = api.post("annotations", &note).expect(204).created_id();
    let path = format!("annotations({id})?$select=documentbody");
    api.get(&path).expect(200);
    let mut connection = connect(&server, &[(INITIAL_WINDOW, 0)]);
    let bearer = format!("Bearer {}", api.token);
    let whole = format!("/north/api/data/v9.2/{path}");
    for stream in streams().take(60) {
        assert!(connection.send(&get(stream, &whole, &[("authorization", &bearer)])));
    }
    let mut answers = [0; 2];
    while answers.iter().sum::<usize>() < 60 {
        match connection.hear(PATIENCE) {
            // 200 stands in the table (RFC 7541 appendix A), 503 does not.
            Heard::Frame(frame) if frame.kind == HEADERS => answers[usize::from(frame.payload[0] != 0x88)] += 1,
            Heard::Frame(_) => {}
            other => panic!("{answers:?} {other:?}"),
        }
    }
    // Of 60 KB each, in half as much again as one user has for what is longer; but a few that began together.
    assert!((20..40).contains(&answers[0]), "{answers:?}");
    drop(connection);
    until("there is room again", || (api.get(&path).status == 200).then_some(()));
}

/// Listens until so many answers have begun; how many of them have a body, and how many have none.
#[track_caller]
fn begun(connection: &mut Connection, answers: usize) -> [usize; 2] {
    let mut begun = [0; 2];
    while begun.iter().sum::<usize>() < answers {
        match connection.hear(PATIENCE) {
            Heard::Frame(frame) if frame.kind == HEADERS => begun[usize::from(frame.flags & END_STREAM)] += 1,
            Heard::Frame(_) => {}
            other => panic!("{begun:?} {other:?}"),
        }
    }
    begun
}

#[test]
fn answers_that_a_client_leaves_no_room_for_hold_little_besides() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let bearer = format!("Bearer {}", api.token);
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("/nothing/here", &[]),
        ("/north/api/data/v9.2/WhoAmI", &[("authorization", "Bearer none")]),
        ("/north/api/data/v9.2/WhoAmI", &[("authorization", &bearer)]),
        ("/north/api/data/v9.2/contacts", &[("authorization", &bearer)]),
    ];
    let hold = |connections: usize| -> Vec<_> {
        let ask = |(path, headers): (&str, &[(&str, &str)])| {
            let mut connection = connect(&server, &[(INITIAL_WINDOW, 0)]);
            streams().take(100).for_each(|stream| assert!(connection.send(&get(stream, path, headers))));
            assert_eq!(begun(&mut connection, 100), [100, 0], "{path}");
            connection
        };
        cases.iter().flat_map(|case| (0..connections).map(|_| ask(*case))).collect()
    };
    // What is made once for all.
    drop(hold(1));
    let before = Before::of(&server);
    let held = hold(10);
    before.holds_within(&server, 4_000 * HELD_OF_AN_ANSWER_MAX);
    drop(held);
}

#[test]
fn all_connections_hold_so_many_answers_and_each_may_a_few() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_EXCHANGES", "50");
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let ask = |requests: usize| {
        let mut connection = connect(&server, &[(INITIAL_WINDOW, 0)]);
        streams().take(requests).for_each(|stream| assert!(connection.send(&get(stream, "/nothing/here", &[]))));
        (begun(&mut connection, requests), connection)
    };
    let (answers, greedy) = ask(100);
    assert_eq!(answers, [50, 50], "what is refused holds no body");
    let (answers, other) = ask(10);
    assert_eq!(answers, [4, 6]);
    // Over HTTP/1 there is one at a time, and machines are apart.
    server.client().get("/").expect(200);
    assert_eq!(metric(&server, "custodia_http_requests_overloaded_total"), 56);
    drop((greedy, other));
    until("there is room again", || (ask(50).0 == [50, 0]).then_some(()));
    before.holds(&server);
}
