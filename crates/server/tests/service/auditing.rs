//! `custodia audit` lists what was done.

use serde_json::{Value, json};

use crate::site::{Engine, Site, on_both_engines};
use crate::tokens::audit;

on_both_engines!(changes_are_listed_with_old_and_new_values);

fn changes_are_listed_with_old_and_new_values(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let me = api.user_id();
    // Tables start without; it counts from the next request on.
    api.account("Before");
    let said = site.done(&["audit-table", "--org", "north", "account"]);
    assert_eq!(said, "the audit of account is on\n");
    let kept = api.account("Contoso");
    let gone = api.account("Fabrikam");
    api.patch(&format!("accounts({kept})"), &json!({ "name": "Contoso Ltd", "revenue": 12.5 })).expect(204);
    api.request("DELETE", &format!("accounts({gone})"), None).expect(204);
    site.done(&["audit-table", "--org", "north", "account", "--off"]);
    api.account("After");
    server.stop();

    let of_kept = audit(&site, &["--table", "account", "--record", &kept]);
    let operations =
        |entries: &[Value]| -> Vec<i64> { entries.iter().map(|entry| entry["operation"].as_i64().unwrap()).collect() };
    // Newest first: update, create.
    assert_eq!(operations(&of_kept), [2, 1], "{of_kept:#?}");
    let updated = &of_kept[0];
    assert_eq!(updated["changes"]["name"], json!({ "old": "Contoso", "new": "Contoso Ltd" }));
    assert_eq!(updated["changes"]["revenue"]["old"], Value::Null);
    assert_eq!(updated["changes"]["revenue"]["new"].as_str().unwrap().trim_end_matches('0'), "12.5");
    assert_eq!(
        (&updated["user"], &updated["table"], &updated["record"]),
        (&json!(me), &json!("account"), &json!(kept))
    );
    assert!(updated["created"].as_str().unwrap().ends_with('Z'));
    let of_gone = audit(&site, &["--table", "account", "--record", &gone]);
    assert_eq!(operations(&of_gone), [3, 1], "{of_gone:#?}");
    assert_eq!(of_gone[0]["changes"]["name"]["old"], json!("Fabrikam"));

    let accounts = audit(&site, &["--table", "account"]);
    // With the switch of the table, which is told of as a change of it.
    assert_eq!(operations(&accounts), [2, 3, 2, 1, 1, 2]);
    let numbers: Vec<_> = audit(&site, &[]).iter().map(|entry| entry["number"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    assert_eq!(audit(&site, &["--limit", "2"]).len(), 2);
    assert_eq!(audit(&site, &["--table", "account", "--limit", "1"]).len(), 1);
    assert_eq!(audit(&site, &["--limit", "0"]).len(), 0);

    let switches = audit(&site, &["--action", "entity-audit-stopped", "--action", "105"]);
    assert_eq!(switches[0]["detail"], json!("audit of account switched off"));
    assert_eq!(switches[1]["detail"], json!("audit of account switched on"));
    assert_eq!((switches.len(), &switches[1]["action_name"]), (2, &json!("entity-audit-started")));
    // Who it was, from where, since when.
    assert_eq!((&updated["origin"], &updated["address"]), (&json!("web-api"), &json!("127.0.0.1")));
    assert_eq!(audit(&site, &["--user", "ada@north.example", "--id", &kept, "--table", "account"]), of_kept);
    assert_eq!(audit(&site, &["--user", &me, "--since", "2020-01-01", "--action", "delete"]).len(), 1);
    assert_eq!(audit(&site, &["--since", "2999-01-01T00:00:00Z"]).len(), 0);
    for arguments in
        [["audit", "--org", "north", "--table", "unicorn"], ["audit-table", "--org", "north", "--off", "unicorn"]]
    {
        assert_eq!(site.refused(&arguments), "there is no table 'unicorn'");
    }
    for (option, wrong) in [("--user", "nobody@north.example"), ("--since", "once"), ("--action", "dance")] {
        let line = site.refused(&["audit", "--org", "north", option, wrong]);
        assert!(line.contains(wrong), "{line}");
    }
    let line = site.refused(&["audit", "--org", "north", "--record", &kept]);
    assert!(line.contains("--record needs --table"), "{line}");
}
