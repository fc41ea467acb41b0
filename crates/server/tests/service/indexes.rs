//! `custodia indexes`: what people ask is noted by the server, advised at the command line, and helped by an index that stays.

use serde_json::{Value, json};

use crate::http::Api;
use crate::site::{Engine, Site, on_both_engines};

on_both_engines!(indexes_are_advised_made_and_kept);

fn indexes(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let outcome = site.run(&[&["indexes"], arguments, &["--org", "north"]].concat());
    (Some(outcome.code), outcome.output)
}

fn advice(site: &Site) -> Vec<Value> {
    let (_, said) = indexes(site, &["advise", "--rows", "20", "--json"]);
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn found(api: &Api, number: &str) -> Vec<String> {
    let path = format!("accounts?$select=name&$filter=telephone1 eq '{number}'&$orderby=name");
    let rows = api.get(&path.replace(' ', "%20")).expect(200).json();
    rows["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

fn indexes_are_advised_made_and_kept(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let ada = server.api(&site, "north", "ada@north.example");
    let targets: Vec<_> = (0..60)
        .map(|number| {
            json!({
                "@odata.type": "Microsoft.Dynamics.CRM.account",
                "name": format!("Account {number}"),
                "telephone1": format!("canary-{}", number % 30),
            })
        })
        .collect();
    ada.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", &json!({ "Targets": targets })).expect(200);
    assert_eq!(advice(&site), Vec::<Value>::new());
    let before = found(&ada, "canary-7");
    assert_eq!(before.len(), 2);

    // Beside the server: what it noted a moment ago.
    let said = advice(&site);
    let [one] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((&one["table"], &one["columns"]), (&json!("account"), &json!(["telephone1"])), "{one}");
    let question = &one["questions"][0];
    assert_eq!((&question["equal"], &question["times"]), (&json!(["telephone1"]), &json!(1)), "{one}");
    assert_eq!((&question["metNow"], &question["metThen"]), (&json!(60), &json!(2)), "{one}");
    let (code, words) = indexes(&site, &["advise", "--rows", "20"]);
    assert_eq!(code, Some(3));
    assert!(words.contains("account: an index over telephone1 would help"), "{words}");
    assert!(words.contains("custodia indexes add --org north account telephone1"), "{words}");
    assert!(!words.contains("canary") && !one.to_string().contains("canary"), "no value is noted");
    assert_eq!(indexes(&site, &["advise"]).0, Some(0), "sixty rows are none to speak of");

    let (code, said) = indexes(&site, &["add", "account", "telephone1"]);
    assert_eq!((code, said.trim()), (Some(0), "table account has an index over telephone1 now"));
    assert_eq!(found(&ada, "canary-7"), before);
    assert_eq!(advice(&site), Vec::<Value>::new());
    let (_, listed) = indexes(&site, &["list", "account"]);
    let own: Vec<_> = listed.lines().filter(|line| line.contains("the organisation's own")).collect();
    assert!(own.len() == 1 && own[0].starts_with("account: telephone1, ") && own[0].contains(" KiB"), "{listed}");
    let (_, of_units) = indexes(&site, &["list", "businessunit"]);
    assert!(of_units.contains("businessunit: businessunitid, name,"), "a column is named once: {of_units}");
    let (_, listed) = indexes(&site, &["list", "account", "--json"]);
    let own = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(own.filter(|index| index["own"] == json!(["telephone1"])).count(), 1, "{listed}");

    for (arguments, why) in [
        (&["add", "account", "telephone1"][..], "an index of table 'account' begins with telephone1 already"),
        (&["add", "account", "description"], "cannot stand in an index"),
        (&["add", "account", "secret"], "table 'account' has no column 'secret'"),
        (&["add", "secrets", "name"], "there is no table 'secrets'"),
        (&["remove", "account", "name"], "has no index of the organisation's own over name"),
    ] {
        let line = site.refused(&[&["indexes"], arguments, &["--org", "north"]].concat());
        assert!(line.contains(why), "{arguments:?}: {line}");
    }

    let again = site.run(&["indexes", "add", "account", "telephone1", "--org", "north"]);
    assert!(!again.errors.contains("making the index"), "{}", again.errors);

    // Without the server, and after it was started again: index and notes are there.
    server.stop();
    let kept: Vec<_> =
        site.done(&["indexes", "list", "account", "--org", "north"]).lines().map(str::to_owned).collect();
    assert!(kept.iter().any(|line| line.starts_with("account: telephone1, ") && line.contains("own")), "{kept:?}");
    site.done(&["indexes", "remove", "account", "telephone1", "--org", "north"]);
    let server = site.serve(&[]);
    let ada = Api { client: server.client(), ..ada };
    let said = advice(&site);
    assert_eq!(said[0]["questions"][0]["times"], json!(2), "{said:?}");
    assert_eq!(found(&ada, "canary-7"), before);
    assert_eq!(advice(&site)[0]["questions"][0]["times"], json!(3));
}
