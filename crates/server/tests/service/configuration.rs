//! `custodia config check`, and where settings come from.

use std::os::unix::ffi::OsStrExt;

use crate::site::{Engine, Outcome, Site, outcome, program};

fn check(file: Option<&str>, variables: &[(&str, &str)]) -> Outcome {
    let mut command = program();
    command.args(["config", "check"]).envs(variables.iter().copied());
    if let Some(file) = file {
        command.args(["--config", file]);
    }
    outcome(command)
}

#[test]
fn what_is_in_force_is_shown_and_can_be_read_back() {
    let site = Site::new(Engine::Sqlite);
    let defaults = check(None, &[]);
    assert_eq!((defaults.code, defaults.errors.as_str()), (0, ""));
    let file = site.write("defaults.toml", &defaults.output);
    assert_eq!(check(Some(&file), &[]).output, defaults.output);

    let file =
        site.write("custodia.toml", "listen = '127.0.0.1:9443'\ndatabase = 'postgres://anna:secret@db/custodia'\n");
    let shown = check(Some(&file), &[("CUSTODIA_LIMITS_BODY_BYTES", "7777"), ("CUSTODIA_TLS_LOCAL", "true")]);
    assert_eq!(shown.code, 0, "{}", shown.errors);
    let table: toml::Table = shown.output.parse().unwrap();
    assert_eq!(table["listen"].as_str(), Some("127.0.0.1:9443"));
    assert_eq!(table["limits"]["body_bytes"].as_integer(), Some(7777));
    assert_eq!(table["tls"]["local"].as_bool(), Some(true));
    assert!(!shown.output.contains("secret"), "{}", shown.output);
}

#[test]
fn every_fault_is_named_with_its_line() {
    let site = Site::new(Engine::Sqlite);
    let file = site.write("custodia.toml", "listen = 8080\n\n[limits]\nbody_bytez = 3\nconnections = 'many'\n");
    let found = check(Some(&file), &[("CUSTODIA_TLS_LOCAL", "perhaps")]);
    assert_eq!((found.code, found.output.as_str()), (1, ""));
    let lines: Vec<_> = found.errors.lines().collect();
    let expected = [
        format!("custodia: {file}:1: listen takes "),
        format!("custodia: {file}:4: there is no key limits.body_bytez"),
        format!("custodia: {file}:5: limits.connections takes "),
        "custodia: CUSTODIA_TLS_LOCAL: tls.local takes ".to_owned(),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(&expected), "{line}");
    }
    let missing = check(Some("/nowhere/custodia.toml"), &[]);
    assert!(missing.refusal().contains("/nowhere/custodia.toml cannot be read"));
    // A server with it does not start.
    let outcome = site.run(&["serve", "--config", &file]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.errors.contains(":4: there is no key limits.body_bytez"), "{}", outcome.errors);
    assert!(!site.data().exists());
}

#[test]
fn the_most_that_limits_may_be_can_be_served_with() {
    let site = Site::new(Engine::Sqlite);
    let defaults: toml::Table = check(None, &[]).output.parse().unwrap();
    let keys: Vec<_> = defaults["limits"].as_table().unwrap().keys().cloned().collect();
    let beyond: String = keys.iter().map(|key| format!("{key} = {}\n", i64::MAX)).collect();
    let file = site.write("beyond.toml", &format!("[limits]\n{beyond}"));
    let told = check(Some(&file), &[]).errors;
    // Each is told with its line and the most that it may be.
    let most: String = keys
        .iter()
        .enumerate()
        .map(|(at, key)| {
            let begin = format!("custodia: {file}:{}: limits.{key}: at most ", at + 2);
            let line =
                told.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_else(|| panic!("{key}: {told}"));
            format!("{key} = {}\n", line.strip_suffix(" are possible").unwrap())
        })
        .collect();
    assert_eq!(told.lines().count(), keys.len(), "{told}");
    // Not these: the server would answer for a year when it is told to stop.
    let most = most.lines().filter(|line| !line.starts_with("drain_seconds")).collect::<Vec<_>>().join("\n");
    let file = site.write("most.toml", &format!("[limits]\n{most}\n"));
    assert_eq!(check(Some(&file), &[]).code, 0);
    let site = site.with("CUSTODIA_CONFIG", &file).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    assert_eq!(api.account_names(), ["Contoso"]);
    server.stop();
}

#[test]
fn variables_that_are_no_text_or_no_key_are_told() {
    let not_text = std::ffi::OsStr::from_bytes(b"\xff");
    for name in ["CUSTODIA_LOG_FILTER", "CUSTODIA_MASTER_KEY", "CUSTODIA_LIMITS_STREAMS"] {
        let mut command = program();
        command.args(["config", "check"]).env(name, not_text);
        assert_eq!(outcome(command).refusal(), format!("{name}: its value is not UTF-8"));
    }
    let refusal = check(None, &[("CUSTODIA_MASTER_KEY", "abc")]).refusal();
    assert_eq!(refusal, "CUSTODIA_MASTER_KEY: a master key is 64 hexadecimal digits");
}

#[test]
fn flags_stand_above_variables_and_those_above_the_file() {
    let site = Site::new(Engine::Sqlite);
    let file =
        site.write("custodia.toml", "listen = '127.0.0.9:0'\nops_listen = '127.0.0.9:0'\n[log]\nformat = 'json'\n");
    let site = site.with("CUSTODIA_CONFIG", &file).with("CUSTODIA_OPS_LISTEN", "127.0.0.8:0");
    let server = site.serve(&["--listen", "127.0.0.7:0"]);
    assert!(server.url.starts_with("http://127.0.0.7:"), "{}", server.url);
    assert!(server.output.iter().any(|line| line.starts_with("operations http://127.0.0.8:")), "{:?}", server.output);
    server.client().get("/").expect(200);
    server.wait_for_log("\"answered\"");
    for line in server.log().lines().filter(|line| line.starts_with('{')) {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    server.stop();
}

#[test]
fn behind_a_proxy_addresses_are_those_that_clients_know() {
    let site = Site::new(Engine::Sqlite).with_north();
    let bearer = format!("Bearer {}", site.token("north", "ada@north.example"));
    let context = |server: &crate::site::Server, bearer: &str| {
        // What the proxy says stands behind what a client said before it.
        let headers = [
            ("Authorization", bearer),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "crm.example"),
        ];
        let answer = server.client().request("GET", "/north/api/data/v9.2/WhoAmI", &headers, None).expect(200);
        answer.json()["@odata.context"].as_str().unwrap().to_owned()
    };
    // Not believed unless it is said that there is a proxy.
    let server = site.serve(&[]);
    assert!(context(&server, &bearer).starts_with(&format!("{}/north/", server.url)));
    server.stop();
    let site = site.with("CUSTODIA_TRUST_FORWARDED", "true");
    let server = site.serve(&[]);
    assert!(context(&server, &bearer).starts_with("https://crm.example/north/"));
    server.stop();
    let site = site.with("CUSTODIA_PUBLIC_URL", "https://public.example");
    let server = site.serve(&[]);
    let bearer = format!("Bearer {}", site.token("north", "ada@north.example"));
    assert!(context(&server, &bearer).starts_with("https://public.example/north/"));
}

#[test]
fn what_is_withheld_is_refused() {
    let wrong = check(None, &[("CUSTODIA_WITHHELD", "odata.function.contains odata.function.contained")]);
    let refusal = wrong.refusal();
    assert!(
        refusal.contains("CUSTODIA_WITHHELD: withheld") && refusal.contains("odata.function.contained"),
        "{refusal}"
    );
    let site = Site::new(Engine::Sqlite).with_north();
    let site = site.with("CUSTODIA_WITHHELD", "odata.function.contains function.RetrieveVersion");
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.get("accounts?$filter=startswith(name,'a')").expect(200);
    api.get("accounts?$filter=contains(name,'a')").expect(400);
    api.get("WhoAmI").expect(200);
    api.get("RetrieveVersion").expect(404);
}
