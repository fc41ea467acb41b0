//! Nobody comes in without a token but where the program says so: every way in that docs/attack-surface.md lists is tried.

use std::path::PathBuf;

use custodia_web_api::{EntranceKind, entrances};

use crate::http::{Answer, Client};
use crate::site::{Engine, Site};

const NOBODY: &str = "00000000-0000-0000-0000-00000000dead";

/// What somebody without a token, and somebody with a bad one, is answered.
fn tried(client: &Client, method: &str, path: &str) -> [Answer; 2] {
    let body = (method != "GET").then_some("{}");
    let bad = [("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."), ("Content-Type", "application/json")];
    [client.request(method, path, &[], body), client.request(method, path, &bad, body)]
}

#[test]
fn every_way_into_the_web_api_asks_for_a_token() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let client = server.client();
    let mut seen = 0;
    for entrance in entrances() {
        let below = match (entrance.kind, entrance.bound) {
            (EntranceKind::Address, _) if entrance.name.starts_with('(') => String::new(),
            (EntranceKind::Address, _) => {
                let path = entrance.name.split(' ').next().unwrap();
                path.replace("(…)", &format!("({NOBODY})")).replace('…', "")
            }
            (_, "record") => format!("accounts({NOBODY})/Microsoft.Dynamics.CRM.{}", entrance.name),
            (_, "collection") => format!("accounts/Microsoft.Dynamics.CRM.{}", entrance.name),
            _ => entrance.name.to_owned(),
        };
        for answer in tried(&client, entrance.method, &format!("/north/api/data/v9.2/{below}")) {
            assert_eq!(answer.status, 401, "{} {below}: {}", entrance.method, answer.text());
            assert!(answer.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Bearer ")), "{below}");
        }
        seen += 1;
    }
    assert!(seen > 60, "{seen} ways in were tried");
}

#[test]
fn every_route_asks_for_what_the_page_says() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/attack-surface.md");
    let page = std::fs::read_to_string(page).unwrap();
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let (mut open, mut closed) = (0, 0);
    for line in page.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [listener @ ("`listen`" | "`ops_listen`"), path, methods, asks] = cells.as_slice() else { continue };
        if !path.starts_with("`/") {
            continue;
        }
        let path = path.trim_matches('`').replace("{organization}", "north").replace('…', "/WhoAmI");
        let method =
            methods.split(", ").next().filter(|method| !matches!(*method, "those below" | "any")).unwrap_or("GET");
        let client = if *listener == "`listen`" { server.client() } else { server.machines() };
        for answer in tried(&client, method, &path) {
            if asks.starts_with("a token") {
                assert_eq!(answer.status, 401, "{method} {path}");
                closed += 1;
            } else {
                assert!(asks.starts_with("**nothing**: "), "{line}");
                assert!(!matches!(answer.status, 401 | 403 | 404 | 500), "{method} {path}: {}", answer.status);
                open += 1;
            }
        }
    }
    assert!(open >= 20 && closed >= 6, "the routes are found by their table: {open} open, {closed} closed");
}
