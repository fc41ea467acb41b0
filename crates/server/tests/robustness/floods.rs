//! Too many of something: connections, requests of nobody, bad tokens, sign-ins.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use custodia_testbed::effort;

use crate::http::{Client, read_answer};
use crate::process::{Before, metric, open_files};
use crate::site::{Engine, PATIENCE, Server, Site, until};
use crate::slow::first_answer;

/// A connection from another address of this machine.
fn from_elsewhere(server: &Server, last: u8) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        let stream = socket.connect(server.address()).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    })
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn one_address_has_so_many_connections_and_others_get_theirs() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_ADDRESS_CONNECTIONS", "20");
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let held: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = server.client().connect().unwrap();
            stream.write_all(REQUEST).unwrap();
            read_answer(&mut stream).unwrap().expect(200);
            stream
        })
        .collect();
    for _ in 0..30 {
        let mut stream = server.client().connect().unwrap();
        let _ = stream.write_all(REQUEST);
        let mut received = Vec::new();
        match stream.read_to_end(&mut received) {
            Ok(_) => assert!(received.is_empty()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    let mut other = from_elsewhere(&server, 2);
    other.write_all(REQUEST).unwrap();
    read_answer(&mut other).unwrap().expect(200);
    drop(held);
    until("the address may connect again", || server.client().try_request("GET", "/", &[], None).ok());
    assert!(metric(&server, "custodia_connections_refused_total") >= 30);
    before.holds(&server);
}

#[test]
fn behind_a_proxy_the_connections_of_an_address_are_not_counted() {
    let site = Site::new(Engine::Sqlite)
        .with("CUSTODIA_LIMITS_ADDRESS_CONNECTIONS", "1")
        .with("CUSTODIA_PUBLIC_URL", "https://crm.example");
    let server = site.serve(&[]);
    let mut held: Vec<_> = (0..3).map(|_| server.client().connect().unwrap()).collect();
    for stream in &mut held {
        stream.write_all(REQUEST).unwrap();
        read_answer(stream).unwrap().expect(200);
    }
}

#[test]
fn thousands_of_connections_leave_nothing_behind() {
    let many = 800 * effort().min(10) as usize;
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_LIMITS_CONNECTIONS", "500");
    let server = site.serve(&[]);
    let before = Before::of(&server);
    let held: Vec<_> = (0..many).filter_map(|_| server.client().connect().ok()).collect();
    until("as many are taken as may be", || (open_files(&server) >= 400).then_some(()));
    // The operations listener has connections of its own.
    server.machines().get("/health/live").expect(200);
    drop(held);
    until("there is room again", || server.client().try_request("GET", "/", &[], None).ok());
    before.holds(&server);
}

#[test]
fn requests_without_a_good_token_are_refused_at_little_cost() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let (head, signature) = api.token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let before = Before::of(&server);
    let each = 250 * effort() as usize;
    let bearers = ["", "Authorization: Bearer x.y.z\r\n", &format!("Authorization: Bearer {forged}\r\n")];
    std::thread::scope(|scope| {
        for (number, bearer) in bearers.into_iter().enumerate() {
            let server = &server;
            scope.spawn(move || {
                let mut stream = server.client().connect().unwrap();
                for at in 0..each {
                    // Another host each time: what is remembered of hosts is bounded.
                    write!(
                        stream,
                        "GET /north/api/data/v9.2/WhoAmI HTTP/1.1\r\nHost: host-{number}-{at}.example\r\n{bearer}\r\n"
                    )
                    .unwrap();
                    read_answer(&mut stream).unwrap().expect(401);
                }
            });
        }
        for _ in 0..20 {
            api.user_id();
        }
    });
    before.holds(&server);
}

#[test]
fn sign_ins_at_work_are_bounded_and_take_nothing_from_users() {
    let site = Site::new(Engine::Sqlite)
        .with("CUSTODIA_LIMITS_STRANGERS", "4")
        .with("CUSTODIA_LIMITS_ADDRESS_STRANGERS", "3")
        .with("CUSTODIA_LIMITS_CONCURRENT_REQUESTS", "10")
        .with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let before = Before::of(&server);
    let half = b"POST /north/oauth2/v2.0/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab";
    let begin = |mut stream: TcpStream| {
        stream.write_all(half).unwrap();
        stream
    };
    let one_is_refused = |streams: &mut Vec<TcpStream>| {
        let answer = first_answer(streams).expect(503);
        assert_eq!((answer.error().0.as_str(), answer.header("Retry-After")), ("0x8005F103", Some("1")));
    };
    // The fourth of an address, then the fifth of all.
    let mut held: Vec<_> = (0..4).map(|_| begin(server.client().connect().unwrap())).collect();
    one_is_refused(&mut held);
    let mut others = vec![begin(from_elsewhere(&server, 2)), begin(from_elsewhere(&server, 3))];
    one_is_refused(&mut others);
    // Those with a token are answered meanwhile.
    api.account("Contoso");
    for stream in held.iter_mut().chain(&mut others) {
        stream.write_all(b"cde").unwrap();
        read_answer(stream).unwrap().expect(400);
    }
    // Many wrong passwords at one time: each is answered, and the user with a token too.
    std::thread::scope(|scope| {
        for number in 0..12 {
            let client: Client = server.client();
            scope.spawn(move || {
                let name = format!("nobody-{number}@north.example");
                let fields = [("grant_type", "password"), ("username", name.as_str()), ("password", "wrong")];
                let answer = client.form("/north/oauth2/v2.0/token", &fields);
                assert!(matches!(answer.status, 400 | 401 | 429 | 503), "{answer:?}");
            });
        }
        api.user_id();
    });
    before.holds(&server);
}
