//! Payment card numbers are kept out of the running service: of records, answers, the log, the files of an import; `custodia
//! cards` sets the rules and finds what is there already.

use serde_json::{Value, json};

use crate::site::{Engine, Site, on_both_engines};
use crate::tokens::audit;

on_both_engines!(a_card_number_is_neither_stored_nor_told, what_is_there_already_is_found_and_masked);

const NUMBER: &str = "4111-1111-1111-1111";
const DIGITS: &str = "4111111111111111";
const MASKED: &str = "****-****-****-1111";

/// Whether a text tells the number. Ids are made of digits, too: fewer of them say nothing.
fn tells(text: &str) -> bool {
    ["4111-1111", "41111111"].iter().any(|part| text.contains(part))
}

fn cards(site: &Site, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["cards", arguments[0], "--org", "north"].iter().chain(&arguments[1..]).copied().collect();
    site.done(&all)
}

fn a_card_number_is_neither_stored_nor_told(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let account = api.account("Contoso");
    let body = json!({ "name": "Fabrikam", "description": format!("charge {NUMBER} please") });
    let check = |(code, message): (String, String)| {
        assert_eq!(code, "0x8005f110");
        assert!(message.starts_with("account.description: it holds a payment card number"), "{message}");
        assert!(!tells(&message), "{message}");
    };
    check(api.post("accounts", &body).expect(400).error());
    check(api.patch(&format!("accounts({account})"), &body).expect(400).error());
    let many = json!({ "Targets": [{ "@odata.type": "Microsoft.Dynamics.CRM.account", "name": "Tailspin", "description": DIGITS }] });
    let refused = api.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", &many).expect(400).error();
    assert!(refused.0 == "0x8005f110" && !tells(&refused.1), "{refused:?}");
    // What is wrong otherwise is told without it, too.
    for (path, body) in [
        ("accounts", json!({ "name": "Fabrikam", "numberofemployees": DIGITS })),
        ("accounts", json!({ "name": "Fabrikam", DIGITS: 1 })),
        ("accounts", json!({ "name": "Fabrikam", "primarycontactid@odata.bind": format!("/contacts({DIGITS})") })),
    ] {
        let answer = api.post(path, &body);
        assert!(answer.status >= 400 && !tells(answer.text()), "{}", answer.text());
    }
    let asked = api.get(&format!("accounts?$filter=createdon eq '{DIGITS}'"));
    assert!(asked.status == 400 && !tells(asked.text()), "{}", asked.text());

    assert_eq!(cards(&site, &["policy"]), "organisation: block\n");
    let said = cards(&site, &["policy", "warn", "--scope", "account.description"]);
    assert_eq!(said, "organisation: block\naccount.description: warn\n");
    let made = api.post("accounts", &body).expect(204);
    assert_eq!(made.header("custodia-card-numbers"), Some("masked"));
    let shown = api.get(&format!("accounts({})?$select=description", made.created_id())).expect(200).json();
    assert_eq!(shown["description"], json!(format!("charge {MASKED} please")));
    let clean = api.post("accounts", &json!({ "name": "Northwind" })).expect(204);
    assert_eq!(clean.header("custodia-card-numbers"), None);
    let said = cards(&site, &["reference", "account.address1_line2"]);
    assert!(said.contains("account.address1_line2: payment references only"), "{said}");
    let reference = |text: &str| json!({ "name": "Wingtip", "address1_line2": text });
    api.post("accounts", &reference("visa:1111:tok_1Nq5XyZ")).expect(204);
    let refused = api.post("accounts", &reference("visa 1111")).expect(400).error();
    assert!(refused.1.contains("BRAND:LAST4:TOKEN"), "{refused:?}");

    // An import leaves the row out, and the number out of what it tells of the row.
    let mapping =
        "name = \"a\"\ntable = \"account\"\nkey = \"No\"\n[columns]\nname = \"Name\"\naddress1_line1 = \"Street\"\n";
    let mapping = site.write("a.toml", mapping);
    let rows = site.write("a.csv", &format!("No,Name,Street\n1,Adatum,{DIGITS}\n2,Litware,1 Main St\n"));
    let outcome = site.run(&["import", "--org", "north", "--map", &mapping, &rows]);
    assert_eq!(outcome.code, 3, "{}", outcome.errors);
    assert!(outcome.output.contains("created 1") && outcome.output.contains("failed 1"), "{}", outcome.output);
    assert!(outcome.output.contains("line 2: account.address1_line1: it holds a payment card"), "{}", outcome.output);
    let errors = std::fs::read_to_string(site.beside("a.csv.errors.csv")).unwrap();
    assert!(errors.contains("************1111"), "{errors}");
    for told in [&outcome.output, &outcome.errors, &errors] {
        assert!(!tells(told), "{told}");
    }

    for (arguments, why) in [
        (&["cards", "policy", "--org", "north", "off", "--scope", "unicorn"][..], "there is no table 'unicorn'"),
        (&["cards", "policy", "--org", "north", "off", "--scope", "account.x"], "table 'account' has no column 'x'"),
        (&["cards", "scan", "--org", "north", "--from", "unicorn"], "there is no table 'unicorn' to go on from"),
    ] {
        assert_eq!(site.refused(arguments), why);
    }
    server.stop();
    let log = std::fs::read_to_string(site.beside("log")).unwrap();
    assert!(log.contains("answered") && !tells(&log), "{log}");
    let told = audit(&site, &[]);
    assert!(
        told.iter().any(|entry| entry["detail"] == json!("card numbers in account.description: warn")),
        "{told:#?}"
    );
    assert!(!tells(&format!("{told:?}")));
}

fn what_is_there_already_is_found_and_masked(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    cards(&site, &["policy", "off"]);
    let body = json!({ "name": "Contoso", "description": NUMBER, "address1_line1": DIGITS });
    let account = api.post("accounts", &body).expect(204).created_id();
    let note = api.post("annotations", &json!({ "subject": "Call", "notetext": NUMBER })).expect(204).created_id();
    cards(&site, &["policy", "default"]);
    cards(&site, &["policy", "off", "--scope", "annotation"]);

    let scan = |arguments: &[&str]| site.run(&[&["cards", "scan", "--org", "north"], arguments].concat());
    let found = scan(&[]);
    assert_eq!(found.code, 3, "{}", found.errors);
    for expected in [
        format!("account {account} description: left as it is (policy block)\n"),
        format!("account {account} address1_line1: left as it is (policy block)\n"),
        format!("account {account} address1_composite: left as it is (policy block)\n"),
        format!("annotation {note} notetext: left as it is (policy off)\n"),
    ] {
        assert!(found.output.contains(&expected), "{}", found.output);
    }
    assert!(found.output.contains("4 values hold a card number, 0 of them were masked"), "{}", found.output);
    assert!(!tells(&found.output));
    let later = scan(&["--from", &format!("account/{account}")]);
    assert!(!later.output.contains("description") && later.output.contains("notetext"), "{}", later.output);

    let masked = scan(&["--mask", "--json"]);
    assert_eq!(masked.code, 3, "what its policy leaves is still there: {}", masked.errors);
    let lines: Vec<Value> = masked.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = json!({ "table": "account", "record": account, "column": "description", "policy": "block", "became": "masked" });
    assert!(lines.contains(&expected), "{lines:#?}");
    let counts = lines.last().unwrap();
    assert_eq!((&counts["found"], &counts["masked"]), (&json!(4), &json!(3)), "{counts}");
    let shown = api.get(&format!("accounts({account})?$select=description,address1_line1")).expect(200).json();
    assert_eq!((&shown["description"], &shown["address1_line1"]), (&json!(MASKED), &json!("************1111")));

    cards(&site, &["policy", "default", "--scope", "annotation"]);
    server.stop();
    assert_eq!(scan(&["--mask"]).code, 0, "also without a server");
    let nothing = scan(&[]);
    assert_eq!(nothing.code, 0);
    assert!(nothing.output.contains("0 values hold a card number"), "{}", nothing.output);
}
