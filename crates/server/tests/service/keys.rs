//! The master key: made at the first start, exported, and asked for when it is not there.

use std::os::unix::fs::PermissionsExt;

use crate::site::{Engine, Outcome, Site, files_below, on_both_engines, outcome, program};

on_both_engines!(only_serving_and_making_an_organisation_make_an_installation);

/// Runs a command on the folder of a site, without the address of its database.
fn run_on_folder(site: &Site, arguments: &[&str]) -> Outcome {
    let mut command = program();
    command.args(arguments).arg("--data").arg(site.data());
    outcome(command)
}

fn only_serving_and_making_an_organisation_make_an_installation(engine: Engine) {
    let site = Site::new(engine);
    let line = site.refused(&["org", "list"]);
    assert!(line.starts_with("there is no data folder "), "{line}");
    assert!(!site.data().exists());
    // Nor with a key elsewhere that is not there.
    let config = site.write("elsewhere.toml", "master_key_file = '/nowhere/master.key'\n");
    let line = site.refused(&["org", "list", "--config", &config]);
    assert!(line.starts_with("there is no data folder "), "{line}");
    let backup = site.write("north.backup", "");
    let line = site.refused(&["restore", "--from", &backup, "--config", &config]);
    assert!(line.contains("put the key that fits this backup at /nowhere/master.key first"), "{line}");
    assert!(!site.data().exists());
    // A volume that is not mounted.
    std::fs::create_dir(site.data()).unwrap();
    let line = site.refused(&["token", "--org", "north", "--user", "ada@north.example"]);
    assert!(line.starts_with("there is no installation in the data folder "), "{line}");
    assert_eq!(files_below(site.data()).len(), 0);
    let key = "5c".repeat(32);
    std::fs::write(site.data().join("master.key"), &key).unwrap();
    for _ in 0..2 {
        let line = site.refused(&["org", "list"]);
        assert!(line.starts_with("there is no installation in the "), "{line}");
        assert!(!site.has_file_named("control.db") && !site.has_file_named("on-postgresql"));
    }
    site.done(&["org", "create", "north", "--admin", "ada@north.example"]);
    assert!(site.done(&["org", "list"]).starts_with("north "));
    assert_eq!(std::fs::read_to_string(site.data().join("master.key")).unwrap(), key);
}

#[test]
fn a_folder_knows_which_engine_has_its_records() {
    let site = Site::new(Engine::Postgres).with_north();
    for arguments in [&["org", "list"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let line = run_on_folder(&site, arguments).refusal();
        assert!(line.contains("belongs to an installation on PostgreSQL: add --database postgres://…"), "{line}");
    }
    assert!(!site.has_file_named("control.db"));
    assert!(site.done(&["org", "list"]).starts_with("north "));

    let address = site.database().unwrap().to_owned();
    let site = Site::new(Engine::Sqlite).with_north();
    let line = site.refused(&["org", "list", "--database", &address]);
    assert!(line.contains("belongs to an installation in files: leave --database"), "{line}");
    assert!(site.done(&["org", "list"]).starts_with("north "));
}

#[test]
fn a_mistyped_database_makes_no_second_control_database() {
    let site = Site::new(Engine::Postgres).with_north();
    let address = site.database().unwrap().to_owned();
    let absent = custodia_testbed::with_database(&address, &custodia_testbed::fresh_database_name());
    // One that is there has no organisations in it.
    let other = custodia_testbed::with_database(&address, "postgres");
    let backup = site.write("north.backup", "");
    for address in [&absent, &other] {
        for arguments in [
            &["org", "list"][..],
            &["org", "create", "south", "--admin", "ada@south.example"],
            &["restore", "--from", &backup],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            let line = run_on_folder(&site, &[arguments, &["--database", address]].concat()).refusal();
            assert!(line.contains("which is not in the database of this address: correct --database"), "{line}");
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connected = runtime.block_on(tokio_postgres::connect(&absent, tokio_postgres::NoTls));
    assert_eq!(connected.err().unwrap().code(), Some(&tokio_postgres::error::SqlState::UNDEFINED_DATABASE));
    assert!(site.done(&["org", "list"]).starts_with("north "));
}

#[test]
fn a_key_that_was_made_for_nothing_is_not_kept() {
    let site = Site::with_database(Some("postgres://nobody@127.0.0.1:1/custodia".to_owned()));
    let line = site.refused(&["org", "create", "north", "--admin", "ada@north.example"]);
    assert!(line.contains("connecting to PostgreSQL"), "{line}");
    assert!(!site.has_file_named("master.key"));
}

#[test]
fn who_may_not_make_databases_is_told_how_to() {
    let cluster = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
    let name = custodia_testbed::fresh_database_name();
    let role = format!("weak_{name}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |sql: String| {
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&cluster, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&sql).await.unwrap();
        });
    };
    run(format!("CREATE ROLE {role} LOGIN PASSWORD 'weak'"));
    let server = cluster.trim_start_matches("postgres://");
    let server = server.rsplit_once('@').map_or(server, |(_, server)| server);
    let address = custodia_testbed::with_database(&format!("postgres://{role}:weak@{server}"), &name);
    let site = Site::with_database(Some(address));
    let line = site.refused(&["org", "create", "north", "--admin", "ada@north.example"]);
    assert!(line.contains(&format!("may not make databases: ALTER ROLE {role} CREATEDB")), "{line}");
    assert!(!site.has_file_named("master.key"));
    // Roles are the cluster's, which other tests share.
    run(format!("DROP ROLE {role}"));
}

#[test]
fn a_copy_beside_the_key_is_none() {
    let site = Site::new(Engine::Sqlite).with_north();
    let copy = site.data().join("copy.key");
    let line = site.refused(&["key", "export", "--to", &copy.display().to_string()]);
    assert!(line.contains("is inside the data folder: a copy there is lost with it"), "{line}");
    assert!(!copy.exists());
}

#[test]
fn a_key_that_others_may_read_is_told_at_the_start() {
    let site = Site::new(Engine::Sqlite).with_north();
    let warning = "others than its owner may read the master key: chmod 600";
    let server = site.serve(&[]);
    assert!(!server.log().contains(warning));
    server.stop();
    let key = site.data().join("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let server = site.serve(&[]);
    server.wait_for_log(warning);
    server.stop();
}

#[test]
fn a_key_elsewhere_is_exported_by_the_command_that_is_printed() {
    let site = Site::new(Engine::Sqlite);
    let key = site.beside("elsewhere.key");
    let file = site.write("custodia.toml", &format!("master_key_file = '{}'\n", key.display()));
    let made = site.run(&["org", "create", "north", "--admin", "ada@north.example", "--config", &file]);
    let data = site.data().display().to_string();
    let command = format!("custodia key export --data {data} --config {file} --to FILE");
    assert!(made.errors.contains(&command), "{}", made.errors);
    let copy = site.beside("copy.key");
    run_on_folder(&site, &["key", "export", "--config", &file, "--to", &copy.display().to_string()]);
    assert_eq!(std::fs::read(copy).unwrap(), std::fs::read(key).unwrap());
}

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
    assert!(server.log().contains("No copy of the master key was made from here: "), "{}", server.log());
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
    assert!(line.contains(&format!("the master key file {} is gone. Do not stop a server", path.display())), "{line}");

    std::fs::write(&path, format!("{}\n", "0".repeat(64))).unwrap();
    for arguments in [&serve[..], &list] {
        let line = site.refused(arguments);
        assert!(line.contains("cannot be decrypted"), "{line}");
        assert!(line.ends_with("; put back the master key that was exported from this installation"), "{line}");
    }
    std::fs::write(&path, "a key of my own\n").unwrap();
    let line = site.refused(&list);
    assert!(line.contains("64 hexadecimal digits") && !line.contains("my own"), "{line}");
    assert!(!line.contains("decrypted"), "{line}");

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
    // What the other has made since it was last looked is listed, too.
    first.done(&["org", "create", "south", "--admin", "sue@south.example"]);
    assert_eq!(second.done(&["org", "list"]).lines().count(), 2);
    one.stop();
    two.stop();
}

#[test]
fn another_users_folder_is_left_to_that_user() {
    const OTHER: u32 = 61_234;
    if !rustix::process::geteuid().is_root() {
        println!("files can be given to another user by the administrator alone");
        return;
    }
    let give = |path: &std::path::Path| std::os::unix::fs::chown(path, Some(OTHER), None).unwrap();
    let told = format!(
        "belongs to user {OTHER}, who could not read what is made here: run it as that user (sudo -u '#{OTHER}'"
    );
    let site = Site::new(Engine::Sqlite);
    // Where nothing is yet.
    std::fs::create_dir(site.data()).unwrap();
    give(site.data());
    let create = ["org", "create", "north", "--admin", "ada@north.example"];
    for arguments in [&create[..], &["serve", "--listen", "127.0.0.1:0"]] {
        assert!(site.refused(arguments).contains(&told));
        assert_eq!(files_below(site.data()).len(), 0);
    }
    std::fs::remove_dir(site.data()).unwrap();

    // Where its service is at rest.
    let site = site.with_north();
    let server = site.serve(&[]);
    give(site.data());
    files_below(site.data()).iter().for_each(|path| give(path));
    // What goes to a server is done by that one.
    site.done(&["org", "create", "south", "--admin", "sue@south.example"]);
    server.stop();
    let before = files_below(site.data());
    assert!(site.refused(&["org", "create", "west", "--admin", "wes@west.example"]).contains(&told));
    assert!(site.refused(&["org", "list"]).contains(&told));
    assert_eq!(files_below(site.data()), before);
    // A copy of the key is made by whoever may, and the service knows of it.
    for copy in ["copy", "copy2"] {
        site.done(&["key", "export", "--to", &site.beside(copy).display().to_string()]);
        let mark = site.data().join("master.key.exported");
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(mark).unwrap()), OTHER);
    }
    // What the user of the service put there is not written to, and not given to that user.
    let mark = site.data().join("master.key.exported");
    let victim = site.beside("victim");
    std::fs::write(&victim, "the administrator's").unwrap();
    std::fs::remove_file(&mark).unwrap();
    std::os::unix::fs::symlink(&victim, &mark).unwrap();
    site.done(&["key", "export", "--to", &site.beside("copy3").display().to_string()]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "the administrator's");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&victim).unwrap()), 0);
    let mark = std::fs::symlink_metadata(mark).unwrap();
    assert!(mark.is_file() && std::os::unix::fs::MetadataExt::uid(&mark) == OTHER);
}
