//! How a server starts, and what keeps it from it.

use std::os::unix::fs::PermissionsExt;

use crate::site::{Engine, PATIENCE, Site, files_below, on_both_engines};

on_both_engines!(it_answers_at_the_address_it_prints);

fn it_answers_at_the_address_it_prints(engine: Engine) {
    let site = Site::new(engine);
    let server = site.serve(&[]);
    let ready: Vec<_> = server.output.iter().filter(|line| line.starts_with("ready")).collect();
    assert_eq!(ready, [&format!("ready http://127.0.0.1:{}", server.address().port())]);
    assert_ne!(server.address().port(), 0);
    assert!(server.client().get("/").expect(200).text().contains("/api/data/v9.2/"));
    server.client().get("/north/api/data/v9.2/WhoAmI").expect(404);

    site.done(&["org", "create", "north", "--admin", "ada@north.example"]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let me = api.user_id();
    server.stop();

    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    assert_eq!(api.user_id(), me);
    assert_eq!(api.account_names(), ["Contoso"]);
    let older = crate::http::Api { token: api.token.clone(), ..server.api(&site, "north", "ada@north.example") };
    assert_eq!(older.user_id(), me, "a token outlives a restart");
    server.stop();
}

#[test]
fn all_three_versions_of_the_address_answer() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let bearer = format!("Bearer {}", site.token("north", "ada@north.example"));
    for version in ["v9.0", "v9.1", "v9.2"] {
        let path = format!("/north/api/data/{version}/WhoAmI");
        let answer = server.client().request("GET", &path, &[("Authorization", &bearer)], None).expect(200);
        assert!(answer.json()["@odata.context"].as_str().unwrap().contains(version));
    }
    server.client().request("GET", "/north/api/data/v8.2/WhoAmI", &[("Authorization", &bearer)], None).expect(404);
}

#[test]
fn without_a_token_nobody_gets_in_and_is_told_where_to_sign_in() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let answer = server.client().get("/north/api/data/v9.2/WhoAmI").expect(401);
    let challenge = answer.header("WWW-Authenticate").unwrap();
    assert!(challenge.starts_with("Bearer ") && challenge.contains(&format!("{}/north", server.url)), "{challenge}");
    let bearer = [("Authorization", "Bearer not.a.token")];
    server.client().request("GET", "/north/api/data/v9.2/WhoAmI", &bearer, None).expect(401);
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(answer.header("Strict-Transport-Security"), None, "that is for encrypted connections");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let site = Site::new(Engine::Sqlite);
    let server = site.serve(&[]);
    let line = site.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(line.contains("another custodia process serves the data folder"), "{line}");
    assert!(line.contains(&site.data().display().to_string()), "{line}");
    server.client().get("/").expect(200);
    server.stop();
    site.serve(&[]).stop();
}

#[test]
fn an_address_that_is_taken_is_named_and_nothing_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::new(Engine::Sqlite);
    for flags in
        [["--listen", &address, "--ops-listen", "127.0.0.1:0"], ["--listen", "127.0.0.1:0", "--ops-listen", &address]]
    {
        let mut arguments = vec!["serve"];
        arguments.extend(flags);
        let line = site.refused(&arguments);
        assert!(line.starts_with(&format!("cannot listen on {address}: ")), "{line}");
        let taken = flags.iter().position(|value| *value == address).unwrap() - 1;
        let what_to_do = format!("another program listens there; stop it, or give {} 127.0.0.1:PORT", flags[taken]);
        assert!(line.ends_with(&what_to_do), "{line}");
    }
    assert!(!site.has_file_named("master.key"));
}

#[test]
fn a_database_that_does_not_answer_is_named() {
    // A port that was free a moment ago; nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = Site::with_database(Some(format!("postgres://anna:secret@127.0.0.1:{port}/custodia")));
    let outcome = site.run(&["serve", "--listen", "127.0.0.1:0"]);
    let line = outcome.refusal();
    assert!(line.contains("connecting to PostgreSQL"), "{line}");
    assert!(!line.contains("secret"), "{line}");
}

#[test]
fn what_is_private_is_for_the_owner_alone() {
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for made_before in [false, true] {
        let site = Site::new(Engine::Sqlite);
        if made_before {
            std::fs::create_dir(site.data()).unwrap();
            std::fs::set_permissions(site.data(), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let server = site.serve(&["--tls", "local"]);
        site.done(&["org", "create", "north", "--admin", "ada@north.example"]);
        assert_eq!(mode(site.data()), if made_before { 0o755 } else { 0o700 });
        let files = files_below(site.data());
        for name in ["master.key", "custodia.sock", "control.db", "control.db-wal", "server.key"] {
            assert!(files.iter().any(|path| path.ends_with(name)), "{name} in {files:?}");
        }
        assert!(files.iter().any(|path| path.to_string_lossy().contains("organizations/north-")));
        for path in files {
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        }
        server.stop();
    }
}

#[test]
fn a_folder_may_have_a_longer_path_than_a_socket() {
    let mut site = Site::new(Engine::Sqlite);
    site.set_data(&format!("{}/{}", "a".repeat(120), "b".repeat(120)));
    let server = site.serve(&[]);
    site.done(&["org", "create", "north", "--admin", "ada@north.example"]);
    server.api(&site, "north", "ada@north.example").account("Contoso");
    server.stop();
    assert!(!site.has_file_named("custodia.sock"));
}

#[test]
fn a_command_waits_for_another_one_that_has_the_folder() {
    let site = Site::new(Engine::Sqlite).with_north();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| site.run(&["token", "--org", "north", "--user", "ada@north.example"])))
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for outcome in outcomes {
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
    }
}

#[test]
fn a_command_works_while_a_server_starts() {
    let site = Site::new(Engine::Sqlite).with_north();
    // Whichever comes first, both do what they are to do.
    let mut server = site.start(&[]);
    site.token("north", "ada@north.example");
    server.wait_until_ready(PATIENCE);
    server.stop();
}

#[test]
fn a_folder_in_which_nothing_is_is_not_made_by_mistake() {
    let site = Site::new(Engine::Sqlite);
    for arguments in [
        vec!["org", "list"],
        vec!["token", "--org", "north", "--user", "ada@north.example"],
        vec!["audit", "--org", "north"],
        vec!["key", "rotate"],
    ] {
        let line = site.refused(&arguments);
        assert!(line.starts_with("there is no data folder "), "{line}");
    }
    assert!(!site.data().exists());
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let site = Site::new(Engine::Sqlite);
    for arguments in [
        vec!["serv"],
        vec!["serve", "--tls", "remote"],
        vec!["serve", "--tls-cert", "a.pem"],
        vec!["serve", "--tls", "local", "--tls-cert", "a.pem", "--tls-key", "a.key"],
        vec!["token", "--org", "north"],
        vec!["token", "--org", "north", "--user", "a", "--ttl", "soon"],
        vec!["org", "create", "north"],
    ] {
        let outcome = site.run(&arguments);
        assert_eq!((outcome.code, outcome.output.as_str()), (2, ""), "{arguments:?}");
        assert!(outcome.errors.contains("Usage:") || outcome.errors.contains("--help"), "{}", outcome.errors);
    }
    let help = crate::site::outcome({
        let mut command = crate::site::program();
        command.arg("--help");
        command
    });
    assert_eq!(help.code, 0);
    assert!(help.output.contains("Exit codes:"));
    let version = site.run(&["--version"]);
    let expected =
        format!("custodia {} (storage format {})\n", env!("CARGO_PKG_VERSION"), custodia_store::PROGRAM_VERSION);
    assert_eq!((version.code, version.output), (0, expected));
}

/// Among what is lost then may be a password that is shown once.
#[test]
fn what_cannot_be_said_is_exit_code_1() {
    let site = Site::new(Engine::Sqlite);
    for arguments in [
        vec!["org", "create", "north", "--admin", "ada@north.example"],
        vec!["org", "list"],
        vec!["audit", "--org", "north"],
        vec!["token", "--org", "north", "--user", "ada@north.example"],
    ] {
        let mut command = crate::site::program();
        command.args(&arguments).arg("--data").arg(site.data());
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let outcome = command.stdout(full).output().unwrap();
        let told = String::from_utf8(outcome.stderr).unwrap();
        assert_eq!(outcome.status.code(), Some(1), "{arguments:?} {told}");
        assert!(told.contains("it was done, but what it says of it could not be written"), "{arguments:?} {told}");
    }
    assert!(site.done(&["org", "list"]).starts_with("north "));
}
