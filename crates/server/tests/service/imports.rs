//! `custodia import`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::site::{Engine, Site, on_both_engines, program};

on_both_engines!(rows_come_in_once_and_refused_ones_are_told);

const MAPPING: &str = r#"
name = "companies"
table = "account"
key = "No"

[columns]
name = "Company"
numberofemployees = "People"
websiteurl = "Site"
"#;

const ROWS: &str = "No,Company,People,Site\n\
    1,Contoso,12,https://contoso.example\n\
    2,Fabrikam,many,https://fabrikam.example\n\
    3,Tailspin,7,\n";

fn import(site: &Site, mapping: &str, file: &str) -> crate::site::Outcome {
    site.run(&["import", "--org", "north", "--map", mapping, file])
}

/// Opening a pipe that nobody writes to waits for good, and so would a thread of the server.
#[test]
fn what_is_no_regular_file_is_refused() {
    let site = Site::new(Engine::Sqlite).with_north();
    let (mapping, rows) = (site.write("companies.toml", MAPPING), site.write("companies.csv", ROWS));
    let pipe = site.beside("pipe").display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let folder = site.data().display().to_string();
    let check = || {
        for (mapping, file) in [(&mapping, &pipe), (&pipe, &rows), (&mapping, &folder)] {
            let line = import(&site, mapping, file).refusal();
            assert!(line.contains("is no regular file"), "{line}");
        }
    };
    check();
    let server = site.serve(&[]);
    check();
    server.stop();
}

fn rows_come_in_once_and_refused_ones_are_told(engine: Engine) {
    let site = Site::new(engine).with_north();
    let (mapping, rows) = (site.write("companies.toml", MAPPING), site.write("companies.csv", ROWS));
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let first = import(&site, &mapping, &rows);
    assert_eq!(first.code, 3, "{}", first.errors);
    assert!(
        first.output.contains("read 3, created 2, updated 0, unchanged 0, skipped 0, failed 1, incomplete 0"),
        "{}",
        first.output
    );
    assert!(first.output.contains("line 3: numberofemployees"), "{}", first.output);
    assert!(first.errors.contains("3 of 3 rows"), "{}", first.errors);
    let errors = site.beside("companies.csv.errors.csv");
    assert!(first.output.contains(&errors.display().to_string()), "{}", first.output);
    assert_eq!(api.account_names(), ["Contoso", "Tailspin"]);

    // Again: nothing is made twice, what changed meanwhile is put right, also without a server.
    server.stop();
    std::fs::write(&rows, ROWS.replace("Tailspin", "Tailspin Toys")).unwrap();
    let second = import(&site, &mapping, &rows);
    assert_eq!(second.code, 3);
    assert!(
        second.output.contains("read 3, created 0, updated 1, unchanged 1, skipped 0, failed 1"),
        "{}",
        second.output
    );

    // The error file, mended, is imported like any other.
    let mended = std::fs::read_to_string(&errors).unwrap().replace("many", "5");
    let mended = site.write("mended.csv", &mended);
    let third = import(&site, &mapping, &mended);
    assert_eq!(third.code, 0, "{}{}", third.output, third.errors);
    assert!(third.output.contains("read 1, created 1"), "{}", third.output);
    assert!(!site.beside("mended.csv.errors.csv").exists());
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    assert_eq!(api.account_names(), ["Contoso", "Fabrikam", "Tailspin Toys"]);
    server.stop();
}

#[test]
fn what_cannot_be_imported_is_refused_before_anything_is_written() {
    let site = Site::new(Engine::Sqlite).with_north();
    let mapping = site.write("companies.toml", MAPPING);
    let rows = site.write("companies.csv", ROWS);
    let faulty = site.write("faulty.toml", &MAPPING.replace("numberofemployees", "headcount"));
    let lacking = site.write("lacking.csv", "No,Company\n1,Contoso\n");
    let refused = |mapping: &str, file: &str| import(&site, mapping, file).refusal();
    let line = refused(&faulty, &rows);
    assert!(line.contains(&format!("{faulty}:8")) && line.contains("headcount"), "{line}");
    let line = refused(&mapping, &lacking);
    assert!(line.contains("People"), "{line}");
    let line = refused(&mapping, "/nowhere/companies.csv");
    assert!(line.contains("/nowhere/companies.csv"), "{line}");
    let line = refused("/nowhere/companies.toml", &rows);
    assert!(line.contains("/nowhere/companies.toml"), "{line}");
    let other_way = rows.replace("companies.csv", "./companies.csv");
    let line = site.refused(&["import", "--org", "north", "--map", &mapping, &rows, &other_way]);
    assert_eq!(line, format!("{rows} is named twice: name each file once"));
    let line = site.refused(&["import", "--org", "south", "--map", &mapping, &rows]);
    assert_eq!(line, "there is no organisation 'south'");
    let line = site.refused(&["import", "--org", "north", "--user", "eve@north.example", "--map", &mapping, &rows]);
    assert!(line.contains("eve@north.example"), "{line}");
    let server = site.serve(&[]);
    assert!(server.api(&site, "north", "ada@north.example").account_names().is_empty());
}

#[test]
fn rows_are_brought_in_with_the_rights_of_the_user() {
    let site = Site::new(Engine::Sqlite).with_north();
    let (mapping, rows) = (site.write("companies.toml", MAPPING), site.write("companies.csv", ROWS));
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let unit = api.get("WhoAmI").expect(200).json()["BusinessUnitId"].as_str().unwrap().to_owned();
    let ben = serde_json::json!({
        "domainname": "ben@north.example", "firstname": "Ben", "lastname": "Baker",
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    });
    api.post("systemusers", &ben).expect(204);
    let outcome = site.run(&["import", "--org", "north", "--user", "ben@north.example", "--map", &mapping, &rows]);
    assert!(outcome.code == 3 || outcome.code == 1, "{outcome:?}");
    assert!(api.account_names().is_empty(), "Ben has no role");
    let outcome = site.run(&["import", "--org", "north", "--user", "ada@north.example", "--map", &mapping, &rows]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let made = api.get("accounts?$select=name,_createdby_value").expect(200).json();
    let me = api.user_id();
    for row in made["value"].as_array().unwrap() {
        assert_eq!(row["_createdby_value"].as_str(), Some(me.as_str()));
    }
}

/// Killed beside a server it ends as it does alone, and the next one goes on where it was.
#[test]
fn an_import_that_is_killed_beside_a_server_ends() {
    const MANY: usize = 12_000;
    let site = Site::new(Engine::Sqlite).with_north();
    let mapping = site.write("companies.toml", MAPPING);
    let rows: String = (0..MANY).map(|number| format!("{number},Company {number},1,\n")).collect();
    let file = site.write("companies.csv", &format!("No,Company,People,Site\n{rows}"));
    let server = site.serve(&[]);
    let mut command = program();
    command.args(["import", "--org", "north", "--map", &mapping, &file, "--data"]).arg(site.data());
    let mut killed = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(killed.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(&format!(" of {MANY} rows")), "{line}");
    let at_once = import(&site, &mapping, &file).refusal();
    assert!(at_once.contains("is at work already"), "{at_once}");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let again = crate::site::until("the first one has ended", || {
        Some(import(&site, &mapping, &file)).filter(|again| !again.errors.contains("is at work already"))
    });
    // Had the first one gone on to its end, there would be nothing left to make.
    assert!(
        again.output.contains(&format!("read {MANY}, created {MANY}, updated 0")),
        "{}{}",
        again.output,
        again.errors
    );
    assert_eq!(again.code, 0, "{}", again.errors);
    assert!(!site.beside("companies.csv.import-lock").exists());
    server.stop();
}
