//! `custodia token`, `custodia password` and what they leave in the audit.

use serde_json::{Value, json};

use crate::organizations::password_in;
use crate::sign_in::claims;
use crate::site::{Engine, Site, on_both_engines};

on_both_engines!(a_token_and_nothing_else, whoever_may_not_sign_in_gets_none, a_new_password_ends_the_old_tokens);

/// The audit of an organisation, newest first.
pub fn audit(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["audit", "--org", "north"];
    all.extend(arguments);
    site.done(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn a_token_and_nothing_else(engine: Engine) {
    let site = Site::new(engine).with_north();
    let arguments = ["token", "--org", "north", "--user", "ada@north.example"];
    let without = site.run(&arguments);
    let server = site.serve(&[]);
    let beside = site.run(&arguments);
    for outcome in [without, beside] {
        assert_eq!(outcome.code, 0);
        let lines: Vec<_> = outcome.output.lines().collect();
        let [token] = lines.as_slice() else { panic!("{}", outcome.output) };
        assert!(token.split('.').count() == 3 && !token.contains(' '), "{token}");
        let claims = claims(token);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), 3_600);
        let bearer = format!("Bearer {token}");
        server.client().request("GET", "/north/api/data/v9.2/WhoAmI", &[("Authorization", &bearer)], None).expect(200);
    }
    for (ttl, seconds) in [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800), ("5", 5)] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--ttl", ttl]);
        let claims = claims(site.done(&arguments).trim_end());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), seconds, "{ttl}");
    }
    let mut long = arguments.to_vec();
    long.extend(["--ttl", "8d"]);
    let long = site.run(&long);
    assert!(long.code == 2 && long.errors.contains("at most 7d"), "{long:?}");

    // Every use stands in the audit, with whom it was for.
    let me = claims(&site.token("north", "ADA@north.example"))["oid"].clone();
    let uses: Vec<_> =
        audit(&site, &[]).into_iter().filter(|entry| entry["origin"] == json!("custodia token")).collect();
    assert_eq!(uses.len(), 2 + 5 + 1, "{uses:#?}");
    for used in &uses {
        assert!(used["detail"].as_str().unwrap().contains(me.as_str().unwrap()), "{used}");
    }
    server.stop();
}

fn whoever_may_not_sign_in_gets_none(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let unit = api.get("WhoAmI").expect(200).json()["BusinessUnitId"].as_str().unwrap().to_owned();
    let ben = api
        .post(
            "systemusers",
            &json!({
                "domainname": "ben@north.example", "internalemailaddress": "benjamin@north.example", "firstname": "Ben",
                "lastname": "Baker", "businessunitid@odata.bind": format!("/businessunits({unit})"),
            }),
        )
        .expect(204)
        .created_id();
    // By domain name and by e-mail address, however the user was made.
    let bens = ["ben@north.example", "benjamin@north.example"].map(|name| site.token("north", name));
    api.patch(&format!("systemusers({ben})"), &json!({ "isdisabled": true })).expect(204);
    let check = || {
        let line = site.refused(&["token", "--org", "north", "--user", "ben@north.example"]);
        assert!(line.contains("'ben@north.example'") && line.contains("disabled"), "{line}");
        let line = site.refused(&["token", "--org", "north", "--user", "eve@north.example"]);
        assert!(line.contains("no user 'eve@north.example'"), "{line}");
        let line = site.refused(&["token", "--org", "nowhere", "--user", "ada@north.example"]);
        assert_eq!(line, "there is no organisation 'nowhere'");
    };
    check();
    // The very next request of a disabled user is refused, whatever token comes with it.
    for token in bens {
        let bens = crate::http::Api { client: server.client(), organization: "north".to_owned(), token };
        let status = bens.get("accounts").status;
        assert!(status == 401 || status == 403, "{status}");
    }
    server.stop();
    check();
}

fn a_new_password_ends_the_old_tokens(engine: Engine) {
    // Its address is the same after a restart.
    let site = Site::new(engine).with("CUSTODIA_PUBLIC_URL", "https://crm.example");
    let first = password_in(&site.done(&["org", "create", "north", "--admin", "ada@north.example"]));
    let server = site.serve(&[]);
    let sign_in = |password: &str| {
        let fields = [("grant_type", "password"), ("username", "ada@north.example"), ("password", password)];
        server.client().form("/north/oauth2/v2.0/token", &fields)
    };
    let token = sign_in(&first).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let api = crate::http::Api { client: server.client(), organization: "north".to_owned(), token };
    api.user_id();

    let output = site.done(&["password", "--org", "north", "--user", "ada@north.example"]);
    let second = password_in(&output);
    assert_ne!(first, second);
    api.get("WhoAmI").expect(401);
    sign_in(&first).expect(400);
    sign_in(&second).expect(200);
    let line = site.refused(&["password", "--org", "north", "--user", "eve@north.example"]);
    assert!(line.contains("'eve@north.example'"), "{line}");
    let entries = audit(&site, &["--table", "systemuser"]);
    assert!(entries.iter().any(|entry| entry["detail"] == json!("password set")), "{entries:#?}");
    assert!(!serde_json::to_string(&entries).unwrap().contains(&second));
    server.stop();

    // What was ended stays so after a restart.
    let server = site.serve(&[]);
    let api = crate::http::Api { client: server.client(), ..api };
    api.get("WhoAmI").expect(401);
}
