//! Those without a good token: they have no database opened, and sign-ins have so many opened.

use crate::http::Answer;
use crate::process::{Before, metric};
use crate::site::{Engine, Server, Site, on_both_engines};

on_both_engines!(
    strangers_open_nothing_and_whoever_bears_a_good_token_does,
    sign_ins_open_so_many_databases_and_tokens_open_theirs_all_the_same,
);

const ADA: &str = "ada@north.example";

fn opened(server: &Server) -> u64 {
    metric(server, "custodia_databases_opened_total")
}

fn ask(server: &Server, method: &str, path: &str, token: &str, body: Option<&str>) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "multipart/mixed; boundary=b")];
    server.client().request(method, path, &headers, body)
}

/// An installation of three organisations, and the first password of the administrator of each.
fn three(engine: Engine) -> (Site, Vec<String>) {
    let site = Site::new(engine)
        .with("CUSTODIA_LIMITS_STRANGERS_OPENINGS", "2")
        .with("CUSTODIA_LIMITS_ADDRESS_STRANGERS_OPENINGS", "2");
    let made = |name| site.done(&["org", "create", name, "--admin", ADA]);
    let password =
        |said: String| said.lines().find_map(|line| line.strip_prefix("temporary password ")).unwrap().to_owned();
    let passwords = ["north", "south", "west"].map(made).map(password);
    (site, passwords.to_vec())
}

fn strangers_open_nothing_and_whoever_bears_a_good_token_does(engine: Engine) {
    let (site, _) = three(engine);
    let (good, ended, foreign) = (site.token("north", ADA), site.token("west", ADA), site.token("south", ADA));
    site.done(&["password", "--org", "west", "--user", ADA]);
    let server = site.serve(&[]);
    let before = Before::of(&server);
    assert_eq!(opened(&server), 0);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for organization in ["north", "west"] {
        let api = format!("/{organization}/api/data/v9.2");
        for token in ["", "x.y.z", &forged, &foreign] {
            for (method, path, body) in [
                ("GET", "/WhoAmI", None),
                ("GET", "/$metadata", None),
                ("POST", "/accounts", Some("{}")),
                ("POST", "/$batch", Some("--b\r\nContent-Type: application/http\r\n\r\nGET /x HTTP/1.1\r\n\r\n--b--")),
            ] {
                let answer = ask(&server, method, &format!("{api}{path}"), token, body).expect(401);
                assert!(answer.header("WWW-Authenticate").is_some_and(|where_to| where_to.contains(organization)));
            }
        }
        server.client().get(&format!("{api}/WhoAmI")).expect(401);
        for (path, status) in [
            ("v2.0/.well-known/openid-configuration", 200),
            (".well-known/openid-configuration", 200),
            ("discovery/v2.0/keys", 200),
            ("oauth2/v2.0/authorize", 400),
            ("api/search/v1.0/query", 501),
        ] {
            server.client().get(&format!("/{organization}/{path}")).expect(status);
        }
        // What proves nothing is refused before anybody is looked for.
        let token = format!("/{organization}/oauth2/v2.0/token");
        for fields in [
            &[("grant_type", "magic")][..],
            &[("grant_type", "password"), ("username", ADA)],
            &[("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "x")],
            &[("grant_type", "refresh_token"), ("refresh_token", "nonsense")],
        ] {
            let status = server.client().form(&token, fields).status;
            assert!(matches!(status, 400 | 401), "{status}");
        }
    }
    assert_eq!(opened(&server), 0);
    // A good token opens its organisation, and one that was ended is found out by what its organisation knows.
    ask(&server, "GET", "/north/api/data/v9.2/WhoAmI", &good, None).expect(200);
    assert_eq!(opened(&server), 1);
    for _ in 0..2 {
        let answer = ask(&server, "GET", "/west/api/data/v9.2/WhoAmI", &ended, None).expect(401);
        assert!(answer.error().1.contains("revoked"), "{answer:?}");
    }
    assert_eq!(opened(&server), 2);
    before.holds(&server);
}

fn sign_ins_open_so_many_databases_and_tokens_open_theirs_all_the_same(engine: Engine) {
    let (site, passwords) = three(engine);
    let token = site.token("west", ADA);
    let server = site.serve(&[]);
    let sign_in = |organization: &str, password: &str| {
        let fields = [("grant_type", "password"), ("username", ADA), ("password", password)];
        server.client().form(&format!("/{organization}/oauth2/v2.0/token"), &fields)
    };
    sign_in("north", "wrong").expect(400);
    sign_in("south", &passwords[1]).expect(200);
    assert_eq!(opened(&server), 2);
    // The minute is the service's first.
    let refused = sign_in("west", &passwords[2]).expect(503);
    assert_eq!(refused.error().0, "0x8005F103");
    let wait: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(opened(&server), 2);
    // What is open needs no leave.
    sign_in("north", &passwords[0]).expect(200);
    // Nor does whoever bears a token, and then the organisation is open for others too.
    ask(&server, "GET", "/west/api/data/v9.2/WhoAmI", &token, None).expect(200);
    sign_in("west", &passwords[2]).expect(200);
    assert_eq!(opened(&server), 3);
}
