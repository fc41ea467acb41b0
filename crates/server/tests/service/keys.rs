//! The master key: made at the first start, exported, and asked for when it is not there.

use std::os::unix::fs::PermissionsExt;

use crate::site::{Engine, Site};

#[test]
fn it_is_made_at_the_first_start_which_says_what_it_is() {
    let site = Site::new(Engine::Sqlite);
    let server = site.serve(&[]);
    let path = site.data().join("master.key");
    let notice = server.log();
    assert!(notice.contains(&format!("A master key was made: {}", path.display())), "{notice}");
    assert!(notice.contains("Without it all data and all backups are lost"), "{notice}");
    assert!(notice.contains("custodia key export --data"), "{notice}");
    let key = std::fs::read_to_string(&path).unwrap();
    assert!(key.trim_end().len() == 64 && key.trim_end().bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(!notice.contains(key.trim_end()));
    server.stop();

    // It is said until there is a copy.
    let server = site.serve(&[]);
    assert!(server.log().contains("The master key has no copy"), "{}", server.log());
    let copy = site.beside("copy.key");
    let copy_path = copy.display().to_string();
    site.done(&["key", "export", "--to", &copy_path]);
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), key);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let line = site.refused(&["key", "export", "--to", &copy_path]);
    assert!(line.contains(&copy_path), "{line}");
    server.stop();
    let server = site.serve(&[]);
    assert!(!server.log().contains("master key"), "{}", server.log());
    server.stop();
}

#[test]
fn without_it_nothing_is_opened_and_nothing_is_made() {
    let site = Site::new(Engine::Sqlite).with_north();
    let path = site.data().join("master.key");
    let key = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let list = ["org", "list"];
    for arguments in [&serve[..], &list] {
        let line = site.refused(arguments);
        assert!(line.contains(&format!("no master key at {}", path.display())), "{line}");
        assert!(line.contains("put back the key that was exported"), "{line}");
    }
    assert!(!path.exists());
    let line = site.refused(&["key", "export", "--to", &site.beside("copy.key").display().to_string()]);
    assert!(line.contains("there is no master key"), "{line}");

    std::fs::write(&path, format!("{}\n", "0".repeat(64))).unwrap();
    for arguments in [&serve[..], &list] {
        let line = site.refused(arguments);
        assert!(line.contains("cannot be decrypted"), "{line}");
    }
    std::fs::write(&path, "a key of my own\n").unwrap();
    let line = site.refused(&list);
    assert!(line.contains("64 hexadecimal digits") && !line.contains("my own"), "{line}");

    // From the environment instead of the file.
    std::fs::remove_file(&path).unwrap();
    let site = site.with("CUSTODIA_MASTER_KEY", key.trim_end());
    assert!(site.done(&list).starts_with("north "));
    let server = site.serve(&[]);
    server.api(&site, "north", "ada@north.example").user_id();
    assert!(!server.log().contains("master key"), "{}", server.log());
    server.stop();
    assert!(!path.exists());
}

#[test]
fn nodes_of_one_postgresql_need_the_same_key() {
    let cluster = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
    let database = custodia_testbed::with_database(&cluster, &custodia_testbed::fresh_database_name());
    let first = Site::with_database(Some(database.clone())).with_north();
    let second = Site::with_database(Some(database));
    let path = second.data().join("master.key");
    let line = second.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(line.contains("master key is not here") && line.contains(&path.display().to_string()), "{line}");
    assert!(!path.exists(), "a key that fits nothing is not kept");

    std::fs::copy(first.data().join("master.key"), &path).unwrap();
    let (one, two) = (first.serve(&[]), second.serve(&[]));
    let api = one.api(&first, "north", "ada@north.example");
    api.account("Contoso");
    let other = crate::http::Api { client: two.client(), organization: "north".to_owned(), token: api.token.clone() };
    assert_eq!(other.account_names(), ["Contoso"]);
    other.account("Fabrikam");
    assert_eq!(api.account_names(), ["Contoso", "Fabrikam"]);
    one.stop();
    two.stop();
}
