//! Disks that are full, and files that go away or are not what they were.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::http::Api;
use crate::site::{Engine, Server, Site, files_below, until};

/// A small disk of its own. It is let go of when it is dropped.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one; nothing where the tests may not.
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(&at)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { at })
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.filler()).unwrap();
        for size in [64 << 10, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

/// Writes until the disk is full, then makes sure that nothing else broke.
#[track_caller]
fn refused_for_lack_of_room(api: &Api, acknowledged: &mut Vec<String>) {
    // What is left of the last pages may take a few more.
    let mut round = 0;
    let refused = until("a write is refused", || {
        round += 1;
        let name = format!("{} {round}", acknowledged.len());
        let body = json!({ "name": name, "description": "x".repeat(2_000) });
        let answer = api.post("accounts", &body);
        if answer.status == 204 {
            acknowledged.push(name);
            return None;
        }
        Some(answer)
    });
    let refused = refused.expect(507);
    let (code, message) = refused.error();
    assert_eq!((code.as_str(), refused.header("Retry-After")), ("0x8005F103", Some("60")));
    assert!(message.contains("disk"), "{message}");
}

#[track_caller]
fn holds(api: &Api, acknowledged: &[String]) {
    let mut expected = acknowledged.to_vec();
    expected.sort();
    let mut found = api.account_names();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let site = Site::new(Engine::Sqlite);
    let Some(disk) = SmallDisk::mount(site.data().to_owned(), "40m") else {
        println!(
            "no disk can be mounted here: org::a_request_that_meets_a_failing_disk_leaves_nothing_and_the_next_succeeds"
        );
        return;
    };
    let site = site.with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let mut acknowledged = Vec::new();
    for _ in 0..2 {
        acknowledged.push(format!("{} before", acknowledged.len()));
        api.account(acknowledged.last().unwrap());
        disk.fill();
        refused_for_lack_of_room(&api, &mut acknowledged);
        holds(&api, &acknowledged);
        let line = site.refused(&["org", "create", "south", "--admin", "ada@south.example"]);
        assert!(line.contains("full") || line.contains("space") || line.contains("I/O"), "{line}");
        disk.make_room();
        until("it is written again", || {
            let name = format!("{} after", acknowledged.len());
            let answer = api.post("accounts", &json!({ "name": name }));
            (answer.status == 204).then(|| acknowledged.push(name))
        });
        holds(&api, &acknowledged);
    }
    // The disk was full for no longer than a few writes take. Checkpoints are tried ten times a second, and meet it only where
    // they have pages to add to the file: it is filled behind such pages until one did.
    let told = |what: &str| server.log().matches(what).count();
    let mut filled = 2;
    let mut full = false;
    until("a checkpoint fails", || {
        if full {
            disk.make_room();
        }
        full = told("a checkpoint failed") == 0;
        if !full {
            return Some(());
        }
        for _ in 0..8 {
            let name = format!("{} long", acknowledged.len());
            let answer = api.post("accounts", &json!({ "name": name, "description": "x".repeat(2_000) }));
            assert_eq!(answer.status, 204, "{answer:?}");
            acknowledged.push(name);
        }
        disk.fill();
        filled += 1;
        None
    });
    until("checkpoints succeed again", || {
        (told("checkpoints succeed again") == told("a checkpoint failed")).then_some(())
    });
    // Each time that the disk is full they begin to fail once.
    assert!(told("a checkpoint failed") <= filled, "{}", server.log());
    holds(&api, &acknowledged);
    // Killed with a full disk, it has everything when there is room.
    disk.fill();
    refused_for_lack_of_room(&api, &mut acknowledged);
    server.kill();
    disk.make_room();
    let server = site.serve(&[]);
    holds(&server.api(&site, "north", "ada@north.example"), &acknowledged);
    site.done(&["org", "create", "south", "--admin", "ada@south.example"]);
    server.stop();
}

#[test]
fn a_full_disk_of_the_log_or_of_backups_stops_nobody() {
    let site = Site::new(Engine::Sqlite).with_north();
    let Some(disk) = SmallDisk::mount(site.beside("small"), "2m") else {
        println!("no disk can be mounted here");
        return;
    };
    let log = std::fs::File::create(disk.at.join("log")).unwrap();
    disk.fill();
    let server = site.serve_logging_to(log.into());
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let backup = disk.at.join("north.backup").display().to_string();
    let outcome = site.run(&["backup", "--org", "north", "--to", &backup]);
    assert_eq!(outcome.code, 1, "{}", outcome.errors);
    let line = outcome.refusal();
    assert!(line.contains("full") || line.contains("space"), "{line}");
    assert!(!Path::new(&backup).exists(), "half a backup looks like one");
    // The same twice: nothing stands in the way when there is room.
    let on_disk = |name: &str| disk.at.join(name).display().to_string();
    let (audit, key, rows) = (on_disk("audit"), on_disk("key"), on_disk("rows"));
    let commands = [
        (&["audit", "export", "--org", "north", "--to", &audit][..], &audit),
        (&["key", "export", "--to", &key], &key),
        (&["export", "--org", "north", "--table", "account", "--to", &rows], &rows),
    ];
    for (command, _) in [commands, commands].concat() {
        let line = site.refused(command);
        assert!(line.contains("full") || line.contains("space"), "{line}");
    }
    let left: Vec<_> = std::fs::read_dir(&disk.at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    api.account("Fabrikam");
    disk.make_room();
    std::fs::remove_file(disk.at.join("log")).unwrap();
    let elsewhere = site.beside("north.backup").display().to_string();
    site.done(&["backup", "--org", "north", "--to", &elsewhere]);
    for (command, made) in commands {
        site.done(command);
        assert!(Path::new(made).exists());
    }
    server.stop();
}

#[test]
fn a_first_start_on_a_full_disk_leaves_no_key_that_is_none() {
    let mut site = Site::new(Engine::Sqlite);
    let Some(disk) = SmallDisk::mount(site.beside("small"), "8m") else {
        println!("no disk can be mounted here");
        return;
    };
    site.set_data("small/data");
    std::fs::create_dir(site.data()).unwrap();
    std::fs::write(site.data().join("custodia.lock"), "").unwrap();
    disk.fill();
    for _ in 0..2 {
        let line = site.refused(&["org", "create", "north", "--admin", "ada@north.example"]);
        assert!(line.contains("space"), "{line}");
        assert!(!site.data().join("master.key").exists());
    }
    disk.make_room();
    site.done(&["org", "create", "north", "--admin", "ada@north.example"]);
    // One that an older program left so, or that was damaged.
    let key = site.data().join("master.key");
    for text in ["", "abc", "\u{fffd}"] {
        std::fs::write(&key, text).unwrap();
        let line = site.refused(&["org", "list"]);
        assert!(line.contains("a master key is 64 hexadecimal digits; put the copy back that was exported"), "{line}");
    }
}

/// The file of an organisation.
fn file_of(site: &Site, name: &str) -> PathBuf {
    let files = files_below(site.data());
    let begins = format!("{name}-");
    let named = |path: &&PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.starts_with(&begins) && file.ends_with(".db")
    };
    files.iter().find(named).unwrap_or_else(|| panic!("{name} in {files:?}")).clone()
}

fn with_two() -> Site {
    let site = Site::new(Engine::Sqlite).with_north();
    site.done(&["org", "create", "south", "--admin", "ada@south.example"]);
    site
}

#[track_caller]
fn is_told_and_south_goes_on(server: &Server, site: &Site, north: &str, statuses: &[u16]) {
    let bearer = format!("Bearer {north}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = json!({ "name": "Lost?" }).to_string();
    let answer = server.client().request("POST", "/north/api/data/v9.2/accounts", &headers, Some(&body));
    assert!(statuses.contains(&answer.status), "{} {}", answer.status, answer.text());
    let (code, message) = answer.error();
    assert!(code.starts_with("0x80") && !message.is_empty());
    assert!(!message.contains(&site.data().display().to_string()), "a client is told of no path: {message}");
    let south = server.api(site, "south", "ada@south.example");
    south.account("South");
}

#[test]
fn a_file_that_is_moved_away_while_it_is_open_takes_no_writes() {
    let site = with_two();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let file = file_of(&site, "north");
    let log = PathBuf::from(format!("{}-wal", file.display()));
    for path in [&file, &log] {
        let away = site.beside("away");
        std::fs::rename(path, &away).unwrap();
        is_told_and_south_goes_on(&server, &site, &api.token, &[503]);
        server.wait_for_log("was moved, removed or replaced while it was open");
        std::fs::rename(&away, path).unwrap();
        api.account(&format!("After {}", api.account_names().len()));
    }
    server.stop();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    assert_eq!(api.account_names(), ["After 1", "After 2", "Contoso"]);
}

#[test]
fn a_file_that_cannot_be_opened_closes_its_organisation_and_no_other() {
    let site = with_two();
    let token = site.token("north", "ada@north.example");
    let file = file_of(&site, "north");
    let away = site.beside("away");
    std::fs::copy(&file, &away).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let faults: [(&str, &dyn Fn()); 5] = [
        ("removed", &|| ()),
        ("a folder", &|| std::fs::create_dir(&file).unwrap()),
        ("empty", &|| std::fs::write(&file, b"").unwrap()),
        ("cut off", &|| std::fs::write(&file, &whole[..whole.len() / 2]).unwrap()),
        ("something else", &|| std::fs::write(&file, vec![7; 100_000]).unwrap()),
    ];
    for (what, fault) in faults {
        std::fs::remove_file(&file).unwrap();
        fault();
        let server = site.serve(&[]);
        is_told_and_south_goes_on(&server, &site, &token, &[500, 503]);
        if file.is_dir() {
            std::fs::remove_dir(&file).unwrap();
        }
        // Put back, it works again, without a restart.
        std::fs::copy(&away, &file).unwrap();
        for companion in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{companion}", file.display()));
        }
        let api = Api { client: server.client(), organization: "north".to_owned(), token: token.clone() };
        until(&format!("it works again after it was {what}"), || {
            api.try_request("GET", "WhoAmI", None).ok().filter(|answer| answer.status == 200)
        });
        server.stop();
        std::fs::copy(&away, &file).unwrap();
    }
}

#[test]
fn a_file_that_was_emptied_keeps_its_log() {
    let site = with_two();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let names = ["Contoso", "Fabrikam", "Litware"];
    for name in names {
        api.account(name);
    }
    let token = api.token;
    server.kill();
    let file = file_of(&site, "north");
    let log = PathBuf::from(format!("{}-wal", file.display()));
    let (whole, logged) = (std::fs::read(&file).unwrap(), std::fs::read(&log).unwrap());
    assert!(!logged.is_empty());
    for left in [0, 4_095] {
        std::fs::write(&file, &whole[..left]).unwrap();
        let server = site.serve(&[]);
        is_told_and_south_goes_on(&server, &site, &token, &[503]);
        server.wait_for_log("is empty or was cut off: put the file back, and leave the log beside it");
        server.stop();
        assert!(std::fs::read(&log).unwrap() == logged);
    }
    std::fs::write(&file, &whole).unwrap();
    let server = site.serve(&[]);
    holds(&server.api(&site, "north", "ada@north.example"), &names.map(str::to_owned));
    server.stop();
}

/// What is in the files of a folder, but for those that each process makes.
fn contents(site: &Site) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = files_below(site.data());
    files.retain(|path| !path.ends_with("custodia.lock") && !path.ends_with("custodia.sock"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// With it go the keys of all organisations.
#[test]
fn a_control_database_that_is_gone_is_not_replaced_by_a_new_one() {
    let site = Site::new(Engine::Sqlite);
    let server = site.serve(&[]);
    site.done(&["org", "create", "north", "--admin", "ada@north.example"]);
    server.kill();
    let (control, log) = (site.data().join("control.db"), site.data().join("control.db-wal"));
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0, "a change is in the file at once");
    let whole = std::fs::read(&control).unwrap();
    // Of a process that was killed before it could move it.
    let logged = vec![7; 4_152];
    let key = site.data().join("master.key");
    let backup = site.write("north.backup", "");
    let is_refused = |why: &str| {
        let before = contents(&site);
        for command in [
            &["org", "list"][..],
            &["org", "create", "north", "--admin", "ada@north.example"],
            &["restore", "--from", &backup],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            let line = site.refused(command);
            assert!(line.contains(why), "{line}");
        }
        assert!(contents(&site) == before, "{why}");
    };
    for (left, lost) in [(None, "is gone, while"), (Some(0), "is empty or was"), (Some(4_095), "is empty or was")] {
        std::fs::remove_file(&control).unwrap();
        if let Some(left) = left {
            std::fs::write(&control, &whole[..left]).unwrap();
        }
        for logged in [Some(&logged), None] {
            match logged {
                Some(logged) => std::fs::write(&log, logged).unwrap(),
                // The organisation's file is there still.
                None => std::fs::remove_file(&log).unwrap(),
            }
            is_refused(lost);
        }
        let away = site.beside("away");
        std::fs::rename(&key, &away).unwrap();
        is_refused("but no master key at");
        let address = "postgres://nobody@127.0.0.1:1/custodia";
        let line = site.refused(&["serve", "--listen", "127.0.0.1:0", "--database", address]);
        assert!(line.contains("belongs to an installation in files"), "{line}");
        std::fs::rename(&away, &key).unwrap();
        std::fs::write(&control, &whole).unwrap();
    }
    assert!(site.done(&["org", "list"]).starts_with("north "));
    let server = site.serve(&[]);
    server.api(&site, "north", "ada@north.example").account("Contoso");
    server.stop();
}

#[test]
fn a_first_start_that_wrote_nothing_is_made_up_for() {
    let site = Site::new(Engine::Sqlite);
    std::fs::create_dir(site.data()).unwrap();
    std::fs::write(site.data().join("control.db"), b"").unwrap();
    let line = site.refused(&["org", "list"]);
    assert!(line.starts_with("there is no installation in the data folder "), "{line}");
    site.done(&["org", "create", "north", "--admin", "ada@north.example"]);
}

#[test]
fn a_control_database_that_is_moved_away_while_it_is_open_takes_no_changes() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    for name in ["control.db", "control.db-wal"] {
        let (path, away) = (site.data().join(name), site.beside("away"));
        std::fs::rename(&path, &away).unwrap();
        server.machines().get("/health/ready").expect(503);
        for command in [
            &["org", "create", "south", "--admin", "ada@south.example"][..],
            &["key", "rotate"],
            &["org", "suspend", "north"],
        ] {
            let line = site.refused(command);
            assert!(line.contains("was moved, removed or replaced while it was open"), "{line}");
        }
        // Records are elsewhere.
        api.account(name);
        std::fs::rename(&away, &path).unwrap();
        server.machines().get("/health/ready").expect(200);
    }
    site.done(&["org", "create", "south", "--admin", "ada@south.example"]);
    server.kill();
    let listed = site.done(&["org", "list"]);
    assert!(listed.contains("north ") && listed.contains("south "), "{listed}");
}
