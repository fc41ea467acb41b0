//! `custodia export`.

use std::process::Stdio;

use crate::site::{Engine, Site, on_both_engines, program, until};

on_both_engines!(what_was_exported_is_imported_into_another_organisation);

const MAPPING: &str = r#"
name = "companies"
table = "account"
key = "No"

[columns]
name = "Company"
numberofemployees = "People"
websiteurl = "Site"
industrycode = "Trade"
"#;

const ROWS: &str = "No,Company,People,Site,Trade\n\
    1,Contoso,12,https://contoso.example,Accounting\n\
    2,\"=cmd|' /C calc'!A0\",3,,\n\
    3,Tailspin,7,,Consulting\n";

const FILTER: &str = "<fetch><entity name='account'><filter>\
    <condition attribute='numberofemployees' operator='gt' value='5'/></filter></entity></fetch>";

fn filled(engine: Engine) -> Site {
    let site = Site::new(engine).with_north();
    let (mapping, rows) = (site.write("companies.toml", MAPPING), site.write("companies.csv", ROWS));
    site.done(&["import", "--org", "north", "--user", "ada@north.example", "--map", &mapping, &rows]);
    site
}

fn path(site: &Site, name: &str) -> String {
    site.beside(name).display().to_string()
}

fn what_was_exported_is_imported_into_another_organisation(engine: Engine) {
    let site = filled(engine);
    let (file, mapping) = (path(&site, "out.csv"), path(&site, "out.toml"));
    let columns = "name,numberofemployees,websiteurl,industrycode";
    let export = ["export", "--org", "north", "--table", "account", "--columns", columns];
    let server = site.serve(&[]);
    let outcome = site.run(&[&export[..], &["--labels", "--mapping", &mapping, "--to", &file]].concat());
    assert_eq!((outcome.code, outcome.output.as_str()), (0, ""), "{}", outcome.errors);
    let written = std::fs::read_to_string(&file).unwrap();
    let expected = format!("exported 3 rows, {} bytes", written.len());
    assert_eq!(outcome.errors.lines().last(), Some(expected.as_str()));
    assert!(written.starts_with("accountid,name,numberofemployees,websiteurl,industrycode\n"), "{written}");
    assert!(written.contains(",'=cmd|' /C calc'!A0,3,,\n"), "{written}");
    assert!(written.contains(",Contoso,12,https://contoso.example,Accounting\n"), "{written}");
    assert!(!site.beside("out.csv.unfinished").exists());

    // Standard output has the same bytes, whoever carries the command out.
    let piped = site.run(&[&export[..], &["--labels", "--to", "-"]].concat());
    assert_eq!((piped.code, piped.output.as_str()), (0, written.as_str()), "{}", piped.errors);
    assert_eq!(piped.errors.lines().last(), Some(expected.as_str()));
    server.stop();
    let alone = site.run(&[&export[..], &["--labels", "--to", "-"]].concat());
    assert_eq!((alone.code, alone.output.as_str()), (0, written.as_str()), "{}", alone.errors);

    site.done(&["org", "create", "south", "--admin", "ada@north.example"]);
    let back = site.done(&["import", "--org", "south", "--map", &mapping, &file]);
    assert!(back.contains("read 3, created 3, updated 0, unchanged 0, skipped 0, failed 0, incomplete 0"), "{back}");
    let of_south = ["export", "--org", "south", "--table", "account", "--columns", columns, "--labels", "--to", "-"];
    assert_eq!(site.done(&of_south), written);

    // A part, and what the audit tells of it.
    let filter = site.write("filter.xml", FILTER);
    let part = site.done(&[&export[..], &["--user", "ada@north.example", "--filter", &filter, "--to", "-"]].concat());
    assert_eq!(part.lines().count(), 3, "{part}");
    assert!(part.contains("Contoso") && part.contains("Tailspin") && part.contains(",1\n"), "{part}");
    let told = site.done(&["audit", "--org", "north", "--table", "account", "--limit", "2"]);
    assert!(
        told.lines().next().unwrap().contains("operator='gt' value='5'/></filter></entity></fetch>: 2 rows"),
        "{told}"
    );
    assert!(told.lines().nth(1).unwrap().contains(": begun"), "{told}");
    assert!(told.lines().all(|line| line.contains("\"action_name\":\"exported\"")), "{told}");
    let exported = site.done(&["audit", "--org", "north", "--action", "exported", "--limit", "2"]);
    assert_eq!(exported, told);
}

#[test]
fn what_cannot_be_exported_is_refused_and_leaves_no_file() {
    let site = filled(Engine::Sqlite);
    let file = path(&site, "out.csv");
    let refused = |arguments: &[&str]| {
        let line = site.refused(&[&["export", "--org", "north", "--to", &file], arguments].concat());
        assert!(!site.beside("out.csv").exists() && !site.beside("out.csv.unfinished").exists(), "{line}");
        line
    };
    assert!(refused(&["--table", "acount"]).contains("there is no table 'acount'"));
    assert!(refused(&["--table", "account", "--columns", "nme"]).contains("no column 'nme'"));
    assert!(refused(&["--table", "account", "--user", "eve@north.example"]).contains("eve@north.example"));
    assert!(refused(&["--table", "account", "--filter", "/nowhere/f.xml"]).contains("/nowhere/f.xml"));
    let filter = site.write("filter.xml", "<fetch><entity name='contact'/></fetch>");
    assert!(refused(&["--table", "account", "--filter", &filter]).contains("asks for 'contact'"));
    let line = site.refused(&["export", "--org", "north", "--table", "account", "--to", "/nowhere/out.csv"]);
    assert!(line.contains("/nowhere/out.csv"), "{line}");

    // What is there is not overwritten.
    site.write("out.csv", "mine");
    let line = site.refused(&["export", "--org", "north", "--table", "account", "--to", &file]);
    assert!(line.contains("out.csv exists"), "{line}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    // What an export that was killed left is.
    std::fs::remove_file(&file).unwrap();
    site.write("out.csv.unfinished", &"left over ".repeat(10_000));
    site.done(&["export", "--org", "north", "--table", "account", "--columns", "name", "--to", &file]);
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("accountid,name\n") && !written.contains("left over"), "{written}");
}

#[test]
fn one_file_is_not_written_for_two() {
    let site = filled(Engine::Sqlite);
    std::fs::create_dir(site.beside("folder")).unwrap();
    let to = path(&site, "z.csv");
    for mapping in ["z.csv", "./z.csv", "folder/../z.csv"] {
        let export =
            ["export", "--org", "north", "--table", "account", "--to", &to, "--mapping", &path(&site, mapping)];
        let line = site.refused(&export);
        assert!(line.starts_with("--to and --mapping name one file, "), "{line}");
        assert!(!site.beside("z.csv").exists() && !site.beside("z.csv.unfinished").exists());
    }
}

#[test]
fn an_export_whose_reader_goes_away_ends() {
    let site = filled(Engine::Sqlite);
    let export = ["export", "--org", "north", "--table", "account", "--to", "-"];
    assert_eq!(site.run_unread(&export), Some(1));
    let server = site.serve(&[]);
    assert_eq!(site.run_unread(&export), Some(1));
    let whole = site.done(&export);
    assert_eq!(whole.lines().count(), 4);
    server.stop();
}

#[test]
fn an_export_that_is_killed_beside_a_server_ends() {
    const MANY: usize = 12_000;
    let site = Site::new(Engine::Sqlite).with_north();
    let mapping = site.write("companies.toml", MAPPING);
    let rows: String = (0..MANY).map(|number| format!("{number},Company {number},1,,\n")).collect();
    let file = site.write("companies.csv", &format!("No,Company,People,Site,Trade\n{rows}"));
    site.done(&["import", "--org", "north", "--map", &mapping, &file]);
    let server = site.serve(&[]);
    let mut command = program();
    command.args(["export", "--org", "north", "--table", "account", "--to", &path(&site, "out.csv"), "--data"]);
    let mut killed = command.arg(site.data()).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let unfinished = site.beside("out.csv.unfinished");
    until("rows are written", || unfinished.metadata().is_ok_and(|found| found.len() > 0).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();
    until("nothing is left of it", || (!unfinished.exists()).then_some(()));
    assert!(!site.beside("out.csv").exists());
    server.stop();
}
