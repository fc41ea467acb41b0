//! `docs/attack-surface.md`: by which ways the program is reached, what each asks for, what it reads, and what it reaches itself.
//!
//! Written from what the program is built of: the configuration, the tables of routes and operations, the command line, the
//! list of parsers. After a change: `cargo test -p custodia-server --bin custodia write_the_attack_surface -- --ignored`, then
//! read the diff: what is new there is open to somebody.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::CommandFactory;
use custodia_fuzz_targets::{Fuzzed, PARSERS, Sender};
use custodia_house::repository::files;
use custodia_house::source::Source;
use custodia_schema::PrivilegeKind;
use custodia_web_api::{Asks, EntranceKind, Need, On, entrances};

use crate::cli::Cli;
use crate::config::Config;
use crate::http::{OF_OPERATIONS, OF_ORGANIZATIONS, Route, WELCOME};

const INTRODUCTION: &str = "\
# Attack surface

By which ways Custodia is reached, what each asks for, what the program reads, and what it reaches itself. Written from the
program (`crates/server/src/attack_surface.rs`); a test fails where this page is not what the program is built of. What stands
against attacks, and the tests that hold it: [SECURITY.md](../SECURITY.md), [operations/limits.md](operations/limits.md).

A right is asked for at a level that reaches the row: [security-model.md](security-model.md). Parts of the protocol can be
switched off: the setting `withheld` ([api-coverage.md](api-coverage.md)); a function or action that is withheld is answered 404.
";

/// Where a command may be given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// By whoever may enter the data folder, which is made for its owner alone: here, or at the server over its socket.
    Folder,
    /// By anybody: it opens no installation.
    Anywhere,
}

/// Every command, and where it may be given.
const COMMANDS: &[(&str, Runs)] = &[
    ("audit", Runs::Folder),
    ("audit erase", Runs::Folder),
    ("audit export", Runs::Folder),
    ("audit prune", Runs::Folder),
    ("audit rotate-key", Runs::Folder),
    ("audit verify", Runs::Folder),
    ("audit-table", Runs::Folder),
    ("backup", Runs::Folder),
    ("cards policy", Runs::Folder),
    ("cards reference", Runs::Folder),
    ("cards scan", Runs::Folder),
    ("config check", Runs::Anywhere),
    ("duties check", Runs::Folder),
    ("duties list", Runs::Folder),
    ("duties remove", Runs::Folder),
    ("duties set", Runs::Folder),
    ("export", Runs::Folder),
    ("import", Runs::Folder),
    ("indexes add", Runs::Folder),
    ("indexes advise", Runs::Folder),
    ("indexes list", Runs::Folder),
    ("indexes remove", Runs::Folder),
    ("job cancel", Runs::Folder),
    ("job list", Runs::Folder),
    ("key export", Runs::Folder),
    ("key rotate", Runs::Folder),
    ("org create", Runs::Folder),
    ("org delete", Runs::Folder),
    ("org limits", Runs::Folder),
    ("org list", Runs::Folder),
    ("org resume", Runs::Folder),
    ("org suspend", Runs::Folder),
    ("password", Runs::Folder),
    ("restore", Runs::Folder),
    ("roles lint", Runs::Folder),
    ("secret", Runs::Folder),
    ("secure", Runs::Folder),
    ("serve", Runs::Folder),
    ("simulate", Runs::Folder),
    ("token", Runs::Folder),
    ("why", Runs::Folder),
];

/// A source file that opens files: which, and for whom they are readable.
const FILES: &[(&str, &str, &str)] = &[
    (
        "crates/process/src/import/journal.rs",
        "how far an import got, in the data folder",
        "written for the owner alone",
    ),
    (
        "crates/process/src/import/rejects.rs",
        "rows that an import refused, beside the imported file",
        "written for the owner alone",
    ),
    ("crates/process/src/import/source.rs", "files that are imported", "read, as a command names them"),
    ("crates/server/src/ambient.rs", "`/proc/self/status`, for the metric of memory", "read"),
    (
        "crates/server/src/audit_heads.rs",
        "published heads of audits (`audit.heads_file`)",
        "written for owner and group",
    ),
    ("crates/server/src/audit_keeping.rs", "exported audits", "read, as a command names them"),
    ("crates/server/src/config/load.rs", "the configuration file", "read"),
    (
        "crates/server/src/demo.rs",
        "what was made of the demonstration, in the data folder",
        "written for the owner alone",
    ),
    ("crates/server/src/export.rs", "filters of exports", "read, as a command names them"),
    (
        "crates/server/src/folder.rs",
        "the data folder, its lock, the mark that the master key was exported",
        "made for the owner alone",
    ),
    (
        "crates/server/src/held_file.rs",
        "files that one command has at a time, until they are whole or it ends",
        "made for the owner alone; no link is followed, and what is no file that nobody has locked stays",
    ),
    ("crates/server/src/import.rs", "mapping files of imports", "read, as a command names them"),
    ("crates/server/src/machine.rs", "`/proc/meminfo` and `memory.max` of the control group", "read"),
    (
        "crates/server/src/new_file.rs",
        "exported records, mappings, audits and keys; the master key",
        "made for the owner alone, as a command names them",
    ),
    ("crates/server/src/serve.rs", "`custodia.sock`", "removed at the end"),
    ("crates/server/src/service.rs", "left-overs in the data folder", "removed"),
    ("crates/server/src/socket.rs", "`custodia.sock`", "made for the owner alone"),
    (
        "crates/server/src/tls.rs",
        "certificates and keys; those of `--tls local` in the data folder",
        "read; written for the owner alone",
    ),
    ("crates/sqlite/src/connection.rs", "database files", "encrypted"),
    ("crates/store/src/backup.rs", "backups", "encrypted, written for the owner alone, as a command names them"),
    ("crates/store/src/container.rs", "backups", "encrypted, written for the owner alone, as a command names them"),
    ("crates/store/src/control_file.rs", "the folder of databases, whether one is there", "listed"),
    ("crates/store/src/keys.rs", "the master key and copies of it (`master_key_file`)", "read"),
    ("crates/store/src/new_name.rs", "what is whole, under the name that it is to have", "nothing is replaced"),
    ("crates/store/src/sqlite.rs", "database files", "encrypted, made for the owner alone"),
    ("crates/store/src/store.rs", "database files in the data folder", "encrypted, made for the owner alone"),
    (
        "crates/store/src/unfinished.rs",
        "backups and copies while they are made, beside their place",
        "in a folder for the owner alone; no link is followed",
    ),
];

/// A source file that connects to something, and to what.
const CONNECTIONS: &[(&str, &str)] = &[
    ("crates/server/src/socket.rs", "the local socket of the data folder, from a command to the server"),
    ("crates/store/src/postgres.rs", "the PostgreSQL server that `database` names, and no other"),
];

/// This file, which is compiled for tests alone.
const HERE: &str = "/attack_surface.rs";

/// What opens files.
const OPENS: &[&str] = &["std::fs::", "File::", "OpenOptions::", "Connection::open_with_flags"];
/// What connects.
const CONNECTS: &[&str] =
    &["TcpStream::connect", "UnixStream::connect", "UdpSocket::bind", "config.connect", "lookup_host"];

/// The crates that the program is built of.
const CRATES: &[&str] = &[
    "access",
    "identity",
    "inspection",
    "interface",
    "org",
    "process",
    "query",
    "schema",
    "server",
    "sqlite",
    "store",
    "web-api",
];

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    listeners(&mut page);
    routes(&mut page);
    web_api(&mut page);
    commands(&mut page);
    parsers(&mut page);
    limits(&mut page);
    page.push_str("\n## Files\n\nEverything is read and written with the rights of the process; nothing is run, and no library is loaded.\n\n");
    page.push_str("| file | what | how |\n| --- | --- | --- |\n");
    for (path, what, how) in FILES {
        writeln!(page, "| `{path}` | {what} | {how} |").unwrap();
    }
    page.push_str("\n## Connections that it makes\n\n| file | to |\n| --- | --- |\n");
    for (path, to) in CONNECTIONS {
        writeln!(page, "| `{path}` | {to} |").unwrap();
    }
    page
}

fn listeners(page: &mut String) {
    let config = Config::default();
    page.push_str(
        "\n## Listeners\n\n| key | where, unless it is set | for whom | encrypted |\n| --- | --- | --- | --- |\n",
    );
    for (key, address, whom, encrypted) in [
        ("`listen`", config.listen.as_str(), "clients", "where `tls.cert` or `tls.local` is set"),
        ("`ops_listen`", config.ops_listen.as_str(), "machines that look after it", "no"),
        (
            "",
            "`custodia.sock` in the data folder",
            "commands of the folder's owner",
            "no: it does not leave the machine",
        ),
    ] {
        writeln!(page, "| {key} | {address} | {whom} | {encrypted} |").unwrap();
    }
}

fn routes(page: &mut String) {
    fn row<P>(page: &mut String, listener: &str, begin: &str, route: &Route<P>) {
        let methods: Vec<&str> = route.methods.iter().map(http::Method::as_str).collect();
        let methods = match (methods.as_slice(), route.asks) {
            ([], Asks::Token(_)) => "those below".to_owned(),
            ([], _) => "any".to_owned(),
            (methods, _) => methods.join(", "),
        };
        writeln!(page, "| {listener} | `{begin}{}` | {methods} | {} |", route.path, asks(route.asks)).unwrap();
    }
    page.push_str("\n## Routes\n\nWhat is not here is answered 404.\n\n| listener | path | methods | asks for |\n| --- | --- | --- | --- |\n");
    row(page, "`listen`", "", &WELCOME);
    for route in OF_ORGANIZATIONS {
        row(page, "`listen`", "/{organization}/", route);
    }
    for route in OF_OPERATIONS {
        row(page, "`ops_listen`", "", route);
    }
}

fn web_api(page: &mut String) {
    page.push_str(
        "\n## The Web API\n\nBelow `/{organization}/api/data/v9.2/`; `accounts` stands for every set, and what follows it for every \
         column and navigation. *The record* is what the address names first, *the other* what it is linked with.\n",
    );
    for (kind, title) in
        [(EntranceKind::Address, "Addresses"), (EntranceKind::Function, "Functions"), (EntranceKind::Action, "Actions")]
    {
        writeln!(page, "\n### {title}\n").unwrap();
        let third = if kind == EntranceKind::Address { "method" } else { "called on" };
        let name = if kind == EntranceKind::Address { "address" } else { "name" };
        writeln!(page, "| {name} | {third} | asks for |\n| --- | --- | --- |").unwrap();
        for entrance in entrances().into_iter().filter(|entrance| entrance.kind == kind) {
            let third = if kind == EntranceKind::Address { entrance.method } else { entrance.bound };
            writeln!(page, "| `{}` | {third} | {} |", entrance.name, asks(entrance.asks)).unwrap();
        }
    }
}

/// What is asked for, in words.
fn asks(asks: Asks) -> String {
    let all = |needs: &[Need]| needs.iter().map(|need| said(*need)).collect::<Vec<_>>().join("; ");
    match asks {
        Asks::Nothing(because) => format!("**nothing**: {because}"),
        Asks::Token(because) => format!("a token: {because}"),
        Asks::Rights(needs) => all(needs),
        Asks::RightsUnlessOwn(needs) => format!("of oneself a token; of others {}", all(needs)),
    }
}

fn said(need: Need) -> String {
    match need {
        Need::Privilege(name) => format!("`{name}`"),
        Need::Right(kind, On::Record) => format!("{} on the record", kind.word()),
        Need::Right(kind, On::Other) => format!("{} on the other", kind.word()),
        Need::Right(PrivilegeKind::Read, On::Table("audit")) => "Read on the audit".to_owned(),
        Need::Right(kind, On::Table(table)) => format!("{} on `{table}`", kind.word()),
        Need::Said(words) => words.to_owned(),
    }
}

/// The commands that do something, as they are typed, with what they do.
fn typed(command: &clap::Command, before: &str, found: &mut Vec<(String, String)>) {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        let name = format!("{before}{}", inner.get_name());
        if !inner.is_subcommand_required_set() {
            let about = inner.get_about().map(ToString::to_string).unwrap_or_default();
            found.push((name.clone(), about.lines().next().unwrap_or_default().to_owned()));
        }
        typed(inner, &format!("{name} "), found);
    }
}

fn commands(page: &mut String) {
    page.push_str(
        "\n## Commands\n\nWhoever may enter the data folder holds the master key, and with it everything; each command beside a server goes \
         over the socket in the folder. Changes are audited with the command as their origin.\n\n\
         | command | what it does | who may |\n| --- | --- | --- |\n",
    );
    let mut found = Vec::new();
    typed(&Cli::command(), "", &mut found);
    found.sort();
    for (name, about) in found {
        let runs = COMMANDS.iter().find(|(known, _)| *known == name).map(|(_, runs)| *runs);
        let who = match runs.unwrap_or_else(|| panic!("say in COMMANDS who may give the command '{name}'")) {
            Runs::Folder => "whoever may enter the data folder",
            Runs::Anywhere => "anybody: it opens no installation",
        };
        writeln!(page, "| `{name}` | {} | {who} |", about.replace('|', "\\|")).unwrap();
    }
}

fn parsers(page: &mut String) {
    page.push_str(
        "\n## Parsers\n\nThe fuzz targets are in `crates/fuzz-targets`; their kept inputs run in every `make test`. HTTP and TLS are read by \
         `hyper` and `rustls`, the command line by `clap`, the configuration by `toml`.\n\n\
         | function | reads | from | bounded by | fuzz target |\n| --- | --- | --- | --- | --- |\n",
    );
    let mut sorted = PARSERS.to_vec();
    sorted.sort_by_key(|parser| (parser.of, parser.function));
    for parser in sorted {
        let (path, name) = parser.function.split_once(": ").unwrap();
        let from = match parser.of {
            Sender::Stranger => "anybody",
            Sender::User => "users",
            Sender::Operator => "operators",
            Sender::Itself => "itself",
        };
        let bounds: Vec<String> = parser
            .bounds
            .iter()
            .map(|bound| if bound.starts_with("limits.") { format!("`{bound}`") } else { (*bound).to_owned() })
            .collect();
        let fuzzed = match parser.fuzzed {
            Fuzzed::By(target) => format!("`{target}`"),
            Fuzzed::Not(why) => format!("none: {why}"),
        };
        writeln!(page, "| `{path}`: `{name}` | {} | {from} | {} | {fuzzed} |", parser.reads, bounds.join(", "))
            .unwrap();
    }
}

/// The keys of the configuration with their defaults.
fn keys() -> Vec<(String, String)> {
    let config = toml::Table::try_from(Config::default()).unwrap();
    let limits = config["limits"].as_table().unwrap();
    limits.iter().map(|(key, value)| (format!("limits.{key}"), value.to_string())).collect()
}

fn limits(page: &mut String) {
    page.push_str("\n## Limits\n\nWhat each means: [operations/running.md](operations/running.md).\n\n| key | unless it is set |\n| --- | --- |\n");
    for (key, value) in keys() {
        writeln!(page, "| `{key}` | {value} |").unwrap();
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/attack-surface.md")
}

/// The source files of the program that hold one of these words in code that is not for tests alone.
fn with(words: &[&str]) -> BTreeSet<String> {
    let of_program = files().into_iter().filter(|file| {
        let is_source = file.extension() == "rs" && file.path.contains("/src/") && !file.path.ends_with(HERE);
        is_source && file.crate_name().is_some_and(|name| CRATES.contains(&name))
    });
    let sources = of_program.map(|file| Source::parse(&file));
    let holds = |source: &Source| {
        words.iter().any(|word| {
            source.code.match_indices(word).any(|(at, _)| {
                let is_longer = source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                !is_longer && !source.is_test(at)
            })
        })
    };
    sources.filter(holds).map(|source| source.path).collect()
}

#[test]
fn the_page_is_what_the_program_is_built_of() {
    let written = std::fs::read_to_string(file()).unwrap_or_default();
    assert!(
        written == page(),
        "docs/attack-surface.md is not what the program is built of: write it as this file tells"
    );
}

#[test]
#[ignore = "rewrites the page after an intended change"]
fn write_the_attack_surface() {
    std::fs::write(file(), page()).unwrap();
}

#[test]
fn every_command_that_is_listed_is_there() {
    let mut found = Vec::new();
    typed(&Cli::command(), "", &mut found);
    let found: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let listed: BTreeSet<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_bound_of_a_parser_is_a_key() {
    let keys = keys();
    for parser in PARSERS {
        for bound in parser.bounds.iter().filter(|bound| bound.starts_with("limits.")) {
            assert!(keys.iter().any(|(key, _)| key == bound), "{}: there is no key {bound}", parser.function);
        }
    }
}

#[test]
fn every_file_and_connection_that_is_opened_is_listed() {
    let listed: BTreeSet<String> = FILES.iter().map(|(path, ..)| (*path).to_owned()).collect();
    assert_eq!(with(OPENS), listed, "what opens files, and what FILES lists");
    let listed: BTreeSet<String> = CONNECTIONS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(with(CONNECTS), listed, "what connects, and what CONNECTIONS lists");
    // Programs that are run, and libraries that are loaded.
    assert_eq!(with(&["Command::new(", "dlopen", "libloading"]), BTreeSet::new());
}
