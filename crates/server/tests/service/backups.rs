//! `custodia backup` and `custodia restore`, from and to either engine.

use crate::site::{Engine, Site, on_both_engines};

on_both_engines!(
    beside_a_server,
    what_cannot_be_restored_is_refused,
    an_empty_folder_takes_a_backup_with_its_key_alone
);

/// An installation with the same master key.
fn with_key_of(other: &Site, engine: Engine) -> Site {
    let site = Site::new(engine);
    std::fs::create_dir(site.data()).unwrap();
    std::fs::copy(other.data().join("master.key"), site.data().join("master.key")).unwrap();
    site
}

/// An organisation `north` with some accounts.
fn filled(engine: Engine) -> Site {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    for name in ["Contoso", "Fabrikam", "Žluťoučký kůň"] {
        api.account(name);
    }
    server.stop();
    site
}

#[test]
fn a_backup_of_either_engine_is_restored_on_either() {
    for from in [Engine::Sqlite, Engine::Postgres] {
        let source = filled(from);
        let file = source.beside("north.backup").display().to_string();
        let said = source.done(&["backup", "--org", "north", "--to", &file]);
        assert!(said.contains("north"), "{said}");
        for to in [Engine::Sqlite, Engine::Postgres] {
            let target = with_key_of(&source, to);
            let said = target.done(&["restore", "--from", &file]);
            assert!(said.contains("organisation north was made from the backup"), "{said}");
            let server = target.serve(&[]);
            let api = server.api(&target, "north", "ada@north.example");
            assert_eq!(api.account_names(), ["Contoso", "Fabrikam", "Žluťoučký kůň"], "{from:?} {to:?}");
            api.account("Tailspin");
            server.stop();
        }
    }
}

fn beside_a_server(engine: Engine) {
    let site = filled(engine);
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let file = site.beside("north.backup").display().to_string();
    site.done(&["backup", "--org", "north", "--to", &file]);
    api.account("Tailspin");

    // Beside the present one under another name: tokens of one are no good for the other.
    site.done(&["restore", "--from", &file, "--org", "south"]);
    let south = server.api(&site, "south", "ada@north.example");
    assert_eq!(south.account_names().len(), 3);
    crate::http::Api { organization: "south".to_owned(), client: server.client(), token: api.token.clone() }
        .get("accounts")
        .expect(401);
    assert_eq!(api.account_names().len(), 4);

    // In place of the present one: what was written since is gone, and it goes on.
    let line = site.refused(&["restore", "--from", &file]);
    assert!(line.contains("an organisation of that name exists"), "{line}");
    assert_eq!(api.account_names().len(), 4);
    let said = site.done(&["restore", "--from", &file, "--replace"]);
    assert!(said.contains("organisation north was put back"), "{said}");
    api.get("accounts").expect(401);
    let api = server.api(&site, "north", "ada@north.example");
    assert_eq!(api.account_names(), ["Contoso", "Fabrikam", "Žluťoučký kůň"]);
    api.account("Wingtip");
    assert_eq!(api.account_names().len(), 4);

    // The server makes the file, which may do less than whoever asks, or more.
    let line = site.refused(&["backup", "--org", "north", "--to", "/sys/north.backup"]);
    assert!(line.contains("; the server does this, as user "), "{line}");

    // In place of another one: only when that is named twice.
    south.account("Northwind");
    let replace = ["restore", "--from", &file, "--org", "south", "--replace"];
    let line = site.refused(&replace);
    assert!(line.starts_with("the backup is of another organisation, north ("), "{line}");
    assert!(line.ends_with("If that is meant, add --confirm south"), "{line}");
    let line = site.refused(&[&replace[..], &["--confirm", "north"]].concat());
    assert!(line.starts_with("--confirm north is not south"), "{line}");
    assert_eq!(south.account_names().len(), 4);
    site.done(&[&replace[..], &["--confirm", "south"]].concat());
    let south = server.api(&site, "south", "ada@north.example");
    assert_eq!(south.account_names().len(), 3);
    server.stop();
    let server = site.serve(&[]);
    assert_eq!(server.api(&site, "north", "ada@north.example").account_names().len(), 4);
}

fn what_cannot_be_restored_is_refused(engine: Engine) {
    let site = filled(engine);
    let file = site.beside("north.backup");
    let path = file.display().to_string();
    site.done(&["backup", "--org", "north", "--to", &path]);
    let whole = std::fs::read(&file).unwrap();
    for private in ["Contoso", "ada@north.example"] {
        assert!(!whole.windows(private.len()).any(|window| window == private.as_bytes()), "a backup is encrypted");
    }

    let line = site.refused(&["backup", "--org", "north", "--to", &path]);
    assert!(line.contains("the file exists and a backup never overwrites one"), "{line}");
    let line = site.refused(&["backup", "--org", "north", "--to", "-"]);
    assert!(line.starts_with("a backup is written to a file, not to standard output"), "{line}");
    let inside = site.data().join("north.backup");
    let line = site.refused(&["backup", "--org", "north", "--to", &inside.display().to_string()]);
    assert!(line.contains("is inside the data folder: a copy there is lost with it"), "{line}");
    assert!(!inside.exists());
    // A folder in which nobody may make files.
    let line = site.refused(&["backup", "--org", "north", "--to", "/sys/north.backup"]);
    assert!(line.starts_with("/sys/north.backup: "), "{line}");
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    let line = site.refused(&["backup", "--org", "south", "--to", &site.beside("south.backup").display().to_string()]);
    assert_eq!(line, "there is no organisation 'south'");
    let line = site.refused(&["backup", "--org", "north", "--to", "/nowhere/at/all"]);
    assert_eq!(line, "/nowhere/at/all: there is no such folder");
    assert!(!site.beside("south.backup").exists());

    let restore = |name: &str, bytes: &[u8]| {
        let path = site.beside(name);
        std::fs::write(&path, bytes).unwrap();
        site.refused(&["restore", "--from", &path.display().to_string(), "--org", "south"])
    };
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for (name, line) in [
        ("damaged", restore("damaged", &damaged)),
        ("short", restore("short", &whole[..whole.len() - 1])),
        ("half", restore("half", &whole[..middle])),
        ("empty", restore("empty", b"")),
        ("foreign", restore("foreign", b"not a backup at all, but long enough to be read as one")),
    ] {
        assert!(line.contains(&site.beside(name).display().to_string()) || line.contains("damaged"), "{name}: {line}");
    }
    let line = site.refused(&["restore", "--from", "/nowhere/at/all"]);
    assert!(line.contains("/nowhere/at/all"), "{line}");
    let line = site.refused(&["restore", "--from", &path, "--org", "south", "--replace"]);
    assert_eq!(line, "there is no organisation 'south'");
    let line = site.refused(&["restore", "--from", &path, "--org", "health"]);
    assert!(line.contains("reserved"), "{line}");

    assert_eq!(site.done(&["org", "list"]).lines().count(), 1);
    // What was deleted is not brought back.
    site.done(&["org", "delete", "north", "--confirm", "north"]);
    let line = site.refused(&["restore", "--from", &path]);
    assert!(line.contains("which was deleted here"), "{line}");
    assert!(!site.has_file_named("unfinished"));
}

fn an_empty_folder_takes_a_backup_with_its_key_alone(engine: Engine) {
    let source = filled(engine);
    let file = source.beside("north.backup").display().to_string();
    source.done(&["backup", "--org", "north", "--to", &file]);

    let target = Site::new(engine);
    let restore = ["restore", "--from", &file];
    let path = target.data().join("master.key");
    let key_needed = format!("put the key that fits this backup at {} first", path.display());
    for is_there in [false, true] {
        if is_there {
            std::fs::create_dir(target.data()).unwrap();
        }
        let line = target.refused(&restore);
        assert!(line.contains("has no master key") && line.contains(&key_needed), "{line}");
        let made = std::fs::read_dir(target.data()).map_or(0, Iterator::count);
        assert_eq!((target.data().exists(), made), (is_there, 0));
    }
    std::fs::write(&path, "5c".repeat(32)).unwrap();
    let line = target.refused(&restore);
    assert!(line.contains(&format!("the key at {} does not open this backup", path.display())), "{line}");
    assert!(!target.data().join("control.db").exists());
    std::fs::copy(source.data().join("master.key"), &path).unwrap();
    let said = target.done(&restore);
    assert!(said.contains("organisation north was made from the backup"), "{said}");
    assert!(target.done(&["org", "list"]).starts_with("north "));
}
