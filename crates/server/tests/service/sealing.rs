//! `custodia audit verify` and what keeps the audit, on the real program.

use serde_json::json;

use crate::site::{Engine, Server, Site, on_both_engines, until};

on_both_engines!(
    an_audit_is_verified_beside_a_server_and_without_one,
    what_was_published_cannot_be_changed_unnoticed,
    entries_and_values_go_and_the_audit_still_verifies,
);

/// An organisation in use whose accounts are audited.
fn audited(engine: Engine) -> (Site, Server) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    site.done(&["audit-table", "--org", "north", "account"]);
    (site, server)
}

fn verify(site: &Site) -> String {
    site.done(&["audit", "verify", "--org", "north"])
}

fn an_audit_is_verified_beside_a_server_and_without_one(engine: Engine) {
    let (site, server) = audited(engine);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let beside = verify(&site);
    assert!(beside.starts_with("sealed head: entry "), "{beside}");
    assert!(beside.contains("stand after the last one") || beside.contains("no published head"), "{beside}");
    server.stop();
    let after = verify(&site);
    let head = |text: &str| text.lines().find(|line| line.starts_with("sealed head")).unwrap().to_owned();
    assert_eq!(head(&after), head(&beside));
    assert!(after.contains("the last one is the sealed head"), "what stood at the end was published: {after}");
    let elsewhere = site.beside("heads").display().to_string();
    let refused = site.refused(&["audit", "verify", "--org", "north", "--heads", &elsewhere]);
    assert!(refused.contains(&elsewhere), "{refused}");
    assert!(site.refused(&["audit", "verify", "--org", "south"]).contains("there is no organisation 'south'"));
}

fn what_was_published_cannot_be_changed_unnoticed(engine: Engine) {
    let (site, server) = audited(engine);
    let api = server.api(&site, "north", "ada@north.example");
    let account = api.account("Contoso");
    api.patch(&format!("accounts({account})"), &json!({ "name": "Contoso Ltd" })).expect(204);
    server.stop();
    site.done(&["audit", "rotate-key"]);
    let server = site.serve(&[]);
    server.api(&site, "north", "ada@north.example").account("Fabrikam");
    server.stop();
    let heads = site.data().join("audit-heads.jsonl");
    let copy = std::fs::read_to_string(&heads).unwrap();
    assert_eq!(copy.lines().filter(|line| line.contains("\"kind\":\"key\"")).count(), 2, "{copy}");
    assert!(verify(&site).contains("the last one is the sealed head"));

    let export = site.beside("export").display().to_string();
    site.done(&["audit", "export", "--org", "north", "--to", &export]);
    let again = site.refused(&["audit", "export", "--org", "north", "--to", &export]);
    assert!(again.ends_with(" exists: remove it, or name another file"), "{again}");
    let told = crate::tokens::audit(&site, &["--action", "exported"]);
    assert_eq!((told.len(), &told[0]["detail"]), (1, &json!("export of the audit")), "{told:#?}");
    assert_eq!((&told[0]["table"], &told[0]["origin"]), (&json!("audit"), &json!("export")));
    let copy = std::fs::read_to_string(&heads).unwrap();
    let copied = site.write("copy", &copy);
    let check = ["audit", "verify", "--export", &export, "--heads", &copied];
    assert!(site.done(&check).contains("the last one is the sealed head"));
    let text = std::fs::read_to_string(&export).unwrap();
    let number = text.lines().count() - 2;
    let without: Vec<_> = text.lines().enumerate().filter(|(at, _)| *at != number).map(|(_, line)| line).collect();
    site.write("export", &(without.join("\n") + "\n"));
    let outcome = site.run(&check);
    assert_eq!(outcome.code, 1);
    let expected = format!("broken at entry {number}: entry {number} is missing\n");
    assert!(outcome.output.ends_with(&expected), "{}", outcome.output);
    // The end cut off, and what the first line says with it: only what was published tells.
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.pop();
    let last: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let mut first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    first["number"] = last["number"].clone();
    first["chain"] = last["chain"].clone();
    lines[0] = first.to_string();
    site.write("export", &(lines.join("\n") + "\n"));
    assert!(site.done(&["audit", "verify", "--export", &export]).contains("could have been written anew"));
    let outcome = site.run(&check);
    assert_eq!(outcome.code, 1);
    assert!(outcome.output.contains("a published head names the last (published at 20"), "{}", outcome.output);

    let at = copy.rfind("\"number\":").unwrap() + "\"number\":".len();
    let digit = if &copy[at..=at] == "9" { "8" } else { "9" };
    let forged = site.write("forged", &format!("{}{digit}{}", &copy[..at], &copy[at + 1..]));
    let refused = site.refused(&["audit", "verify", "--org", "north", "--heads", &forged]);
    assert!(refused.contains("the signature does not fit"), "{refused}");
}

fn entries_and_values_go_and_the_audit_still_verifies(engine: Engine) {
    let (site, server) = audited(engine);
    let api = server.api(&site, "north", "ada@north.example");
    let kept = api.account("Contoso");
    api.account("Fabrikam");
    let erase = ["audit", "erase", "--org", "north", "--table", "account", "--record", &kept, "--reason", "asked for"];
    assert_eq!(site.done(&erase), "the values of 1 audit entry were erased; an entry tells of it\n");
    assert_eq!(site.done(&erase), "no audit entry of that record holds values\n");
    assert!(verify(&site).contains("1 entries had their values erased"));
    let told = crate::tokens::audit(&site, &["--table", "account", "--record", &kept]);
    assert_eq!((&told[0]["action"], &told[1]["erased"]), (&json!(111), &json!(true)), "{told:#?}");
    assert_eq!(told[1]["changes"]["name"], json!({ "old": null, "new": null }));

    let prune = |before: &str| {
        site.done(&["audit", "prune", "--org", "north", "--before", before, "--reason", "the year is over"])
    };
    assert_eq!(prune("2020-01-01"), "no audit entry is that old\n");
    // Not all of it, by a slip of the year, nor without a word why.
    let future = ["audit", "prune", "--org", "north", "--before", "2962-11-23", "--reason", "x"];
    assert!(site.refused(&future).starts_with("--before 2962-11-23T00:00:00Z is still to come: "));
    for reason in ["", " "] {
        for command in [&["prune", "--before", "2020-01-01"][..], &["erase", "--table", "account", "--record", &kept]] {
            let outcome = site.run(&[&["audit"], command, &["--org", "north", "--reason", reason]].concat());
            assert_eq!(outcome.code, 2, "{}", outcome.errors);
            assert!(outcome.errors.contains("say why"), "{}", outcome.errors);
        }
    }
    assert!(verify(&site).contains("entries verified"));
    // Entries of the second in which it is asked stay, and all that was done until now may be of one second.
    let pruned = until("entries of a second before", || {
        // A file that is written now has the time of now.
        let written = std::fs::metadata(site.write("now", "")).unwrap().modified().unwrap();
        let now = jiff::Timestamp::try_from(written).unwrap().to_string();
        Some(prune(&now)).filter(|told| told != "no audit entry is that old\n")
    });
    assert!(pruned.ends_with(" audit entries were removed; a signed record tells of it\n"), "{pruned}");
    let found = verify(&site);
    assert!(found.contains("the year is over") && found.contains("sealed head"), "{found}");
    api.account("Litware");
    server.stop();
    assert!(verify(&site).contains("the last one is the sealed head"));
    assert_eq!(site.run(&["audit", "prune", "--org", "north", "--before", "soon", "--reason", "x"]).code, 2);
}
