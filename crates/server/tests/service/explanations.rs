//! `custodia why` and `custodia roles lint`: people are told who may do what, in words and by the exit code, beside a server and
//! without one.

use serde_json::{Value, json};

use crate::http::Api;
use crate::site::{Engine, Outcome, Site, on_both_engines};
use crate::tokens::audit;

on_both_engines!(duties_are_kept_apart, people_are_told_why, requests_are_simulated, roles_are_looked_over);

/// A user of the root unit.
fn user(api: &Api, name: &str) -> String {
    let unit = api.get("WhoAmI").expect(200).json()["BusinessUnitId"].as_str().unwrap().to_owned();
    let user = json!({
        "domainname": format!("{name}@north.example"), "firstname": name, "lastname": "Baker",
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    });
    api.post("systemusers", &user).expect(204).created_id()
}

fn give(api: &Api, user: &str, role: &str) {
    let found = api.get(&format!("roles?$select=roleid&$filter=name eq '{role}'")).expect(200).json();
    let role = found["value"][0]["roleid"].as_str().unwrap().to_owned();
    let address = format!("http://{}/north/api/data/v9.2/roles({role})", api.client.host());
    let path = format!("systemusers({user})/systemuserroles_association/$ref");
    api.post(&path, &json!({ "@odata.id": address })).expect(204);
}

fn why(site: &Site, arguments: &[&str]) -> Outcome {
    site.run(&[&["why", "--org", "north"], arguments].concat())
}

fn people_are_told_why(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let ada = server.api(&site, "north", "ada@north.example");
    let ben = user(&ada, "ben");
    let account = ada.account("Contoso");
    let of_ben: &[&str] = &["--user", "ben@north.example", "--may"];

    let refused = why(&site, &[of_ben, &["read", "--table", "account"]].concat());
    assert_eq!(refused.code, 3, "{}", refused.errors);
    let lines: Vec<&str> = refused.output.lines().collect();
    assert_eq!(lines[0], "ben@north.example may not read records of account");
    assert!(lines[1].starts_with("  missing: ben@north.example has no security role"), "{lines:?}");

    give(&ada, &ben, "Salesperson");
    let allowed = why(&site, &[of_ben, &["prvReadAccount"]].concat());
    assert_eq!(allowed.code, 0, "{}", allowed.errors);
    let lines: Vec<&str> = allowed.output.lines().collect();
    assert_eq!(lines[0], "ben@north.example may use prvReadAccount");
    assert!(lines[1].starts_with("  by the role Salesperson, level "), "{lines:?}");
    let on_record = why(&site, &["--user", &ben, "--may", "read", "--table", "account", "--record", &account]);
    assert!(on_record.output.starts_with(&format!("{ben} may")), "{}", on_record.output);
    let deleting = why(&site, &[of_ben, &["delete", "--table", "account", "--record", &account]].concat());
    assert_eq!(deleting.code, 3, "{}", deleting.output);
    assert!(deleting.output.contains("missing: "), "{}", deleting.output);
    let as_administrator = [of_ben, &["delete", "--table", "account", "--record", &account]].concat();
    let as_administrator = why(&site, &[&as_administrator[..], &["--with-role", "System Administrator"]].concat());
    assert_eq!(as_administrator.code, 0, "{}", as_administrator.output);
    assert!(
        as_administrator.output.contains("reaches it: every record of the table is"),
        "{}",
        as_administrator.output
    );

    // As the function of the Web API answers it.
    let told = why(&site, &[of_ben, &["delete", "--table", "account", "--record", &account, "--json"]].concat());
    let function = format!(
        "systemusers({ben})/Microsoft.Dynamics.CRM.custodia_ExplainAccess(Right='Delete',Target=@t)?@t={{'@odata.id':'accounts({account})'}}"
    );
    let mut answered = ada.get(&function).expect(200).json();
    answered.as_object_mut().unwrap().remove("@odata.context");
    assert_eq!(serde_json::from_str::<Value>(&told.output).unwrap(), answered);

    // A column, until a profile opens it; a privilege; acting; giving away; a team.
    site.done(&["secure", "--org", "north", "account.creditlimit"]);
    let column = why(&site, &[of_ben, &["read", "--table", "account", "--column", "creditlimit"]].concat());
    assert_eq!(column.code, 3);
    assert!(column.output.contains("column: secured, closed"), "{}", column.output);
    assert_eq!(why(&site, &[of_ben, &["prvDeleteAuditData"]].concat()).code, 3);
    assert_eq!(why(&site, &["--user", "ada@north.example", "--acting-for", "ben@north.example"]).code, 0);
    let acting = why(&site, &["--user", "ben@north.example", "--acting-for", "ada@north.example"]);
    assert_eq!(acting.code, 3);
    assert!(acting.output.contains("may not act for ada@north.example"), "{}", acting.output);
    let kim = user(&ada, "kim");
    let acting = why(&site, &["--user", "ada@north.example", "--acting-for", "kim@north.example"]);
    assert!(acting.output.contains("missing: kim@north.example has no security role"), "{}", acting.output);
    let giving = ["--user", "ada@north.example", "--may", "assign", "--table", "account", "--to-user"];
    let giving = why(&site, &[&giving[..], &["kim@north.example"]].concat());
    assert!(giving.output.contains("missing: The new owner kim@north.example lacks "), "{}", giving.output);
    assert!(!acting.output.contains(&kim) && !giving.output.contains(&kim));
    let by_name = why(&site, &[of_ben, &["prvAppendToAccount", "--table", "account"]].concat());
    assert!(by_name.output.contains(" use prvAppendToAccount on records of account\n"), "{}", by_name.output);
    let by_word = why(&site, &[of_ben, &["append-to", "--table", "account"]].concat());
    assert!(by_word.output.contains(" append-to records of account\n"), "{}", by_word.output);
    let giving = ["--user", "ada@north.example", "--may", "assign", "--table", "account", "--record", &account];
    let giving = why(&site, &[&giving[..], &["--to-user", "ben@north.example"]].concat());
    assert_eq!(giving.code, 0, "{}", giving.output);
    let team = ada.get("teams?$select=name&$top=1").expect(200).json()["value"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(why(&site, &["--team", &team, "--may", "read", "--table", "account"]).code, 3);

    // With other roles the answer also tells what is now.
    let salesless = [of_ben, &["read", "--table", "account", "--without-role", "Salesperson", "--json"]].concat();
    let told: Value = serde_json::from_str(&why(&site, &salesless).output).unwrap();
    assert_eq!((&told["Allowed"], &told["Supposed"]["AllowedNow"]), (&json!(false), &json!(true)), "{told}");

    // What would change with another role; nothing does.
    let supposed = why(&site, &["--user", "ben@north.example", "--without-role", "Salesperson"]);
    assert_eq!(supposed.code, 0, "{}", supposed.errors);
    assert!(supposed.output.lines().all(|line| line.ends_with("-> none")), "{}", supposed.output);
    assert!(supposed.output.contains("prvReadAccount: "), "{}", supposed.output);
    assert_eq!(why(&site, &[of_ben, &["read", "--table", "account"]].concat()).code, 0);
    let told = audit(&site, &["--table", "systemuser"]);
    let asked = told
        .iter()
        .filter(|entry| entry["detail"].as_str().is_some_and(|detail| detail.starts_with("asked what would be: with")));
    let actions: Vec<&Value> = asked.map(|entry| &entry["action_name"]).collect();
    assert_eq!(actions, ["roles-supposed"; 3], "{told:#?}");

    // The same without a server.
    server.stop();
    assert_eq!(why(&site, &[of_ben, &["read", "--table", "account"]].concat()).code, 0);
    for (arguments, reason) in [
        (
            &["--user", "eve@north.example", "--may", "read", "--table", "account"][..],
            "there is no user 'eve@north.example'",
        ),
        (&["--team", "Nobody", "--may", "read", "--table", "account"], "there is no team 'Nobody'"),
        (&["--user", "ben@north.example", "--may", "fly", "--table", "account"], "'fly' is neither a right"),
        (&["--user", "ben@north.example", "--may", "read"], "say of which table"),
        (&["--user", "ben@north.example", "--may", "prvMerge", "--table", "account"], "prvMerge belongs to no table"),
        (&["--user", "ben@north.example", "--may", "read", "--table", "boat"], "there is no table 'boat'"),
        (
            &["--user", "ben@north.example", "--may", "prvReadContact", "--table", "account"],
            "prvReadContact is no privilege on the table 'account'",
        ),
        (&["--user", "ben@north.example", "--with-role", "Pilot"], "there is no role 'Pilot'"),
        (&["--user", "ben@north.example"], "say what is asked about"),
    ] {
        let line = why(&site, arguments).refusal();
        assert!(line.starts_with(reason), "{arguments:?}: {line}");
    }
}

fn requests_are_simulated(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let ada = server.api(&site, "north", "ada@north.example");
    let ben = user(&ada, "ben");
    let simulate = |arguments: &[&str]| {
        site.run(&[&["simulate", "--org", "north", "--as", "ben@north.example"], arguments].concat())
    };
    let path = "/accounts?$select=name&$orderby=name desc";
    ada.account("Contoso");
    let without_role = simulate(&["GET", path]);
    assert_eq!(without_role.code, 3, "{}", without_role.errors);
    assert!(without_role.errors.contains("ben@north.example would be answered 403"), "{}", without_role.errors);
    let error: Value = serde_json::from_str(&without_role.output).unwrap();
    assert_eq!(error["error"]["code"], "0x80042f09");

    give(&ada, &ben, "Salesperson");
    let of_ben = server.api(&site, "north", "ben@north.example");
    of_ben.account("Fabrikam");
    let values = |text: &str| serde_json::from_str::<Value>(text).unwrap()["value"].clone();
    let shown = simulate(&["GET", path]);
    assert_eq!(shown.code, 0, "{}", shown.errors);
    let got = of_ben.get(path.trim_start_matches('/')).expect(200);
    let names = |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&values(&shown.output)), names(&values(got.text())), "what the user gets");
    assert!(!names(&values(&shown.output)).is_empty());
    let me = simulate(&["get", "WhoAmI"]);
    assert_eq!(serde_json::from_str::<Value>(&me.output).unwrap()["UserId"], json!(ben));

    // A column that is closed to the user is closed here.
    site.done(&["secure", "--org", "north", "account.creditlimit"]);
    ada.post("accounts", &json!({ "name": "Tailspin", "creditlimit": 7_654_321 })).expect(204);
    let closed = simulate(&["GET", "/accounts?$select=creditlimit"]);
    assert!(closed.code == 0 && !closed.output.contains("7654321"), "{}", closed.output);

    // Nothing is changed: other methods are refused, and so is what a GET cannot ask for.
    for method in ["POST", "PATCH", "DELETE", "PUT"] {
        let line = simulate(&[method, "/accounts"]).refusal();
        assert!(line.starts_with(&format!("{method} is not simulated")), "{line}");
    }
    assert_eq!(simulate(&["GET", "/PublishAllXml"]).code, 3);
    assert_eq!(simulate(&["GET", "/boats"]).code, 3);
    let line = site.refused(&["simulate", "--org", "north", "--as", "eve@north.example", "GET", "/accounts"]);
    assert_eq!(line, "there is no user 'eve@north.example'");

    // It is told of as what it was, and not as something that the user did.
    server.stop();
    assert_eq!(simulate(&["GET", path]).code, 0, "without a server, too");
    let told = audit(&site, &["--table", "systemuser", "--record", &ben]);
    let simulated: Vec<&Value> = told
        .iter()
        .filter(|entry| {
            entry["detail"].as_str().is_some_and(|detail| detail.starts_with("simulated with this user's rights: GET "))
        })
        .collect();
    assert_eq!(simulated.len(), 7, "{told:#?}");
    assert!(simulated.iter().all(|entry| entry["user"] != json!(ben)), "{simulated:#?}");
}

fn roles_are_looked_over(engine: Engine) {
    let site = Site::new(engine).with_north();
    let lint = |arguments: &[&str]| site.run(&[&["roles", "lint", "--org", "north"], arguments].concat());
    let found = lint(&[]);
    assert_eq!(found.code, 3, "{}", found.errors);
    assert!(found.output.contains("medium administrator-alone organisation\n  one enabled user"), "{}", found.output);
    let lines: Vec<Value> = lint(&["--json"]).output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["Code"] == "administrator-alone"), "{lines:?}");
    let crowded = lint(&["--roles-max", "0", "--administrators-max", "0"]);
    for rule in ["user-many-roles", "administrators-many"] {
        assert!(crowded.output.contains(rule) && !found.output.contains(rule), "{rule}: {}", crowded.output);
    }
    let line = site.refused(&["roles", "lint", "--org", "south"]);
    assert!(line.contains("south"), "{line}");
}

fn duties_are_kept_apart(engine: Engine) {
    let site = Site::new(engine).with_north();
    let duties = |arguments: &[&str]| {
        let (first, rest) = arguments.split_first().unwrap();
        site.run(&[&["duties", first, "--org", "north"], rest].concat())
    };
    assert_eq!(duties(&["list"]).output, "");
    assert_eq!(duties(&["check"]).code, 0);
    let server = site.serve(&[]);
    let ada = server.api(&site, "north", "ada@north.example");
    let (ben, eve) = (user(&ada, "ben"), user(&ada, "eve"));
    give(&ada, &eve, "Salesperson");
    give(&ada, &eve, "Sales Manager");
    let set = duties(&["set", "Sells and approves", "--role", "Salesperson", "--role", "Sales Manager"]);
    assert_eq!(set.code, 0, "{}", set.errors);
    assert_eq!(duties(&["list"]).output, "Sells and approves: role Salesperson, role Sales Manager\n");

    give(&ada, &ben, "Salesperson");
    let found = ada.get("roles?$select=roleid&$filter=name eq 'Sales Manager'").expect(200).json();
    let role = found["value"][0]["roleid"].as_str().unwrap();
    let address = json!({ "@odata.id": format!("roles({role})") });
    let refused = ada.post(&format!("systemusers({ben})/systemuserroles_association/$ref"), &address).expect(400);
    let (code, message) = refused.error();
    assert!(code == "0x8005f120" && message.contains("'Sells and approves'"), "{code} {message}");
    assert!(message.ends_with("role 'Salesperson' and role 'Sales Manager'. Take one away first."), "{message}");
    let both = duties(&["check"]);
    assert_eq!((both.code, both.output), (3, format!("Sells and approves: eve Baker {eve}\n")));

    // Without a server, too; and gone is gone.
    server.stop();
    assert_eq!(duties(&["check"]).code, 3);
    for (arguments, reason) in [
        (&["set", "One", "--role", "Salesperson"][..], "a rule is about two"),
        (&["set", "Same", "--role", "Salesperson", "--role", "Salesperson"], "a rule is about two different"),
        (&["set", "None", "--role", "Pilot", "--privilege", "prvMerge"], "there is no role 'Pilot'"),
        (&["set", "None", "--role", "Salesperson", "--privilege", "prvFly"], "there is no privilege 'prvFly'"),
        (&["remove", "Nothing"], "there is no rule 'Nothing'"),
    ] {
        let line = duties(arguments).refusal();
        assert!(line.starts_with(reason), "{arguments:?}: {line}");
    }
    assert_eq!(duties(&["remove", "Sells and approves"]).code, 0);
    assert_eq!(duties(&["check"]).code, 0);
    let told = audit(&site, &[]);
    for part in ["'Sells and approves' set: role ", "'Sells and approves' removed"] {
        let is_told = |entry: &Value| entry["detail"].as_str().is_some_and(|detail| detail.contains(part));
        assert!(told.iter().any(is_told), "{part}: {told:#?}");
    }
}
