//! Programs sign in: the token endpoint, what it signs with, and how it slows down guessing.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::http::{Answer, Api};
use crate::organizations::password_in;
use crate::site::{Engine, Server, Site, on_both_engines};

on_both_engines!(by_password_and_refreshed, an_application_by_its_secret);

const ADA: &str = "ada@north.example";

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What a token says.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// Checks a token's signature with a key of a published set.
fn is_signed_by(token: &str, keys: &Value) -> bool {
    let id = part(token, 0)["kid"].clone();
    let Some(key) = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == id) else { return false };
    assert_eq!((text(key, "kty"), text(key, "use"), text(key, "alg")), ("RSA", "sig", "RS256"));
    let decode = |name: &str| URL_SAFE_NO_PAD.decode(text(key, name)).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    RsaPublicKeyComponents { n: &decode("n"), e: &decode("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .is_ok()
}

/// What an address of the server answers, given whole as discovery documents do.
fn at(server: &Server, address: &str) -> Value {
    let path = address.strip_prefix(&server.url).unwrap_or_else(|| panic!("{address} is elsewhere"));
    server.client().get(path).expect(200).json()
}

fn token_of(answer: &Answer) -> String {
    text(&answer.json(), "access_token").to_owned()
}

fn who(server: &Server, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    server.client().request("GET", "/north/api/data/v9.2/WhoAmI", &[("Authorization", &bearer)], None)
}

fn made(engine: Engine) -> (Site, String) {
    let site = Site::new(engine);
    let password = password_in(&site.done(&["org", "create", "north", "--admin", ADA]));
    (site, password)
}

/// The error of a refused sign-in.
#[track_caller]
fn refusal(answer: Answer, status: u16) -> String {
    let answer = answer.expect(status);
    assert!(!text(&answer.json(), "error_description").is_empty());
    text(&answer.json(), "error").to_owned()
}

fn by_password_and_refreshed(engine: Engine) {
    let (site, password) = made(engine);
    let server = site.serve(&[]);
    for (version, prefix) in [(2, "/north/oauth2/v2.0"), (1, "/north/oauth2")] {
        let documents = if version == 2 { "/north/v2.0" } else { "/north" };
        let document = server.client().get(&format!("{documents}/.well-known/openid-configuration")).expect(200).json();
        let endpoint = text(&document, "token_endpoint");
        assert_eq!(endpoint, format!("{}{prefix}/token", server.url));
        let keys = at(&server, text(&document, "jwks_uri"));

        let root = format!("{}/north", server.url);
        let (target, wanted) = if version == 2 {
            ("scope", format!("{root}/.default offline_access"))
        } else {
            ("resource", root.clone())
        };
        let fields =
            [("grant_type", "password"), ("username", ADA), ("password", &password), (target, wanted.as_str())];
        let answer = server.client().form(&format!("{prefix}/token"), &fields).expect(200);
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        let granted = answer.json();
        assert_eq!(text(&granted, "token_type"), "Bearer");
        // Numbers in the present form, strings in the older one.
        let lifetime = &granted["expires_in"];
        assert!(if version == 2 { lifetime.as_i64() } else { lifetime.as_str().unwrap().parse().ok() }.unwrap() > 60);
        let token = token_of(&answer);
        assert!(is_signed_by(&token, &keys));
        let claims = claims(&token);
        assert_eq!(text(&claims, "iss"), text(&document, "issuer"));
        let me = who(&server, &token).expect(200).json();
        assert_eq!((&claims["oid"], &claims["tid"]), (&me["UserId"], &me["OrganizationId"]));
        assert_eq!(text(&claims, "upn"), ADA);

        // Each refresh gives a new refresh token; an old one that comes back ends the family.
        let refresh = |token: &str| {
            server
                .client()
                .form(&format!("{prefix}/token"), &[("grant_type", "refresh_token"), ("refresh_token", token)])
        };
        let first = text(&granted, "refresh_token").to_owned();
        let second = text(&refresh(&first).expect(200).json(), "refresh_token").to_owned();
        let third = text(&refresh(&second).expect(200).json(), "refresh_token").to_owned();
        assert!(first != second && second != third);
        assert_eq!(refusal(refresh(&first), 400), "invalid_grant");
        assert_eq!(refusal(refresh(&third), 400), "invalid_grant", "somebody else has the family's tokens");
        assert_eq!(refusal(refresh("not-a-token"), 400), "invalid_grant");
        // The same organisation by its id, as some libraries ask.
        let by_id = format!("/{}/v2.0/.well-known/openid-configuration", text(&me, "OrganizationId"));
        server.client().get(&by_id).expect(200);
    }
    server.stop();
}

#[test]
fn what_is_refused_says_why() {
    let (site, password) = made(Engine::Sqlite);
    let server = site.serve(&[]);
    let ask = |fields: &[(&str, &str)]| server.client().form("/north/oauth2/v2.0/token", fields);
    let wrong = ask(&[("grant_type", "password"), ("username", ADA), ("password", "guess")]);
    let unknown = ask(&[("grant_type", "password"), ("username", "eve@north.example"), ("password", "guess")]);
    assert_eq!(wrong.text(), unknown.text(), "nobody learns who exists");
    assert_eq!(refusal(wrong, 400), "invalid_grant");
    assert_eq!(refusal(ask(&[("grant_type", "password"), ("username", ADA)]), 400), "invalid_request");
    assert_eq!(refusal(ask(&[("grant_type", "magic")]), 400), "unsupported_grant_type");
    assert_eq!(refusal(ask(&[]), 400), "invalid_request");
    let json = [("Content-Type", "application/json")];
    let json = server.client().request("POST", "/north/oauth2/v2.0/token", &json, Some(r#"{"grant_type":"password"}"#));
    let told = json.expect(400).json();
    assert_eq!(text(&told, "error"), "invalid_request");
    assert!(text(&told, "error_description").contains("Send a form (application/x-www-form-urlencoded)."), "{told}");
    let elsewhere = [
        ("grant_type", "password"),
        ("username", ADA),
        ("password", password.as_str()),
        ("scope", "https://elsewhere.example/.default"),
    ];
    assert_eq!(refusal(ask(&elsewhere), 400), "invalid_scope");
    assert_eq!(refusal(server.client().get("/north/oauth2/v2.0/authorize"), 400), "unsupported_response_type");
    assert_eq!(server.client().get("/north/oauth2/v2.0/token").expect(405).header("allow"), Some("POST"));
    let keys = server.client().form("/north/discovery/v2.0/keys", &[]);
    assert_eq!(keys.expect(405).header("allow"), Some("GET"));
    server.client().form("/nowhere/oauth2/v2.0/token", &[]).expect(404);
    assert!(!server.log().contains(&password) && !server.log().contains("guess"));
    let counted = server.machines().get("/metrics");
    assert!(counted.text().contains("\ncustodia_sign_ins_refused_total 7\n"), "{}", counted.text());
}

#[test]
fn guessing_is_slowed_down() {
    let (site, password) = made(Engine::Sqlite);
    let server = site.serve(&[]);
    let sign_in = |password: &str| {
        let fields = [("grant_type", "password"), ("username", ADA), ("password", password)];
        server.client().form("/north/oauth2/v2.0/token", &fields)
    };
    sign_in(&password).expect(200);
    // The first wait, of a second, may be over by the next request; those that follow are twice as long each.
    crate::site::until("who guesses waits for a while", || {
        let answer = sign_in("guess");
        if answer.status == 400 {
            return None;
        }
        let wait: u64 = answer.expect(429).header("Retry-After").unwrap().parse().unwrap();
        assert!(wait >= 1);
        (wait >= 2).then_some(())
    });
    // Not even the right password is looked at now: the guesser does not learn which one it is.
    sign_in(&password).expect(429);
    let waited =
        crate::site::until("the wait is over", || Some(sign_in(&password)).filter(|answer| answer.status != 429));
    waited.expect(200);
}

#[test]
fn behind_a_proxy_a_stranger_locks_out_nobody_else() {
    let site = Site::new(Engine::Sqlite).with("CUSTODIA_PUBLIC_URL", "https://crm.example");
    let password = password_in(&site.done(&["org", "create", "north", "--admin", ADA]));
    let ask = |server: &Server, from: &str, fields: &[(&str, &str)]| {
        server.client().form_with("/north/oauth2/v2.0/token", &[("X-Forwarded-For", from)], fields)
    };
    let made_up = "A".repeat(64);
    let guess = [("grant_type", "refresh_token"), ("refresh_token", made_up.as_str())];
    let right = [("grant_type", "password"), ("username", ADA), ("password", &password)];
    let stranger = "198.51.100.7";
    let guesses =
        |server: &Server| (0..150).map(|_| ask(server, stranger, &guess).status).find(|status| *status != 400);

    let warning = "public_url is set and trust_forwarded is not";
    let server = site.serve(&[]);
    server.wait_for_log(warning);
    assert_eq!(guesses(&server), None);
    ask(&server, "203.0.113.9", &right).expect(200);
    server.stop();

    let site = site.with("CUSTODIA_TRUST_FORWARDED", "true");
    let server = site.serve(&[]);
    assert_eq!(guesses(&server), Some(429));
    ask(&server, "203.0.113.9", &right).expect(200);
    assert!(!server.log().contains(warning));
    server.stop();
}

/// Makes an application's user with the rights of an administrator; its id.
fn application_user(api: &Api, application: &str) -> String {
    let unit = text(&api.get("WhoAmI").expect(200).json(), "BusinessUnitId").to_owned();
    let user = json!({
        "applicationid": application, "domainname": "loader@north.example", "firstname": "Nightly", "lastname": "Loader",
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    });
    let user = api.post("systemusers", &user).expect(204).created_id();
    let role = api.get("roles?$select=roleid&$filter=name eq 'System Administrator'").expect(200).json();
    let role = format!("{}/north/api/data/v9.2/roles({})", api.client.host(), text(&role["value"][0], "roleid"));
    let link = json!({ "@odata.id": format!("http://{role}") });
    api.post(&format!("systemusers({user})/systemuserroles_association/$ref"), &link).expect(204);
    user
}

fn an_application_by_its_secret(engine: Engine) {
    let (site, _) = made(engine);
    let server = site.serve(&[]);
    let api = server.api(&site, "north", ADA);
    let application = "11111111-2222-3333-4444-555555555555";
    let user = application_user(&api, application);
    let secret_in = |output: &str| {
        assert!(output.contains(&format!("client id {application}\n")), "{output}");
        output.lines().find_map(|line| line.strip_prefix("client secret ")).unwrap().to_owned()
    };
    let secret = secret_in(&site.done(&["secret", "--org", "north", "--user", application]));
    let ask = |secret: &str| server.program_signs_in(application, secret);
    let token = token_of(&ask(&secret).expect(200));
    let me = who(&server, &token).expect(200).json();
    assert_eq!(text(&me, "UserId"), user);
    assert_eq!(text(&claims(&token), "appid"), application);
    let bearer = Api { client: server.client(), organization: "north".to_owned(), token };
    bearer.account("made by a program");

    // In the header, as RFC 6749 would have it.
    let basic = format!("Basic {}", STANDARD.encode(format!("{application}:{secret}")));
    let fields = [("grant_type", "client_credentials")];
    let headers = [("Authorization", basic.as_str())];
    server.client().form_with("/north/oauth2/token", &headers, &fields).expect(200);
    assert_eq!(refusal(ask("guess"), 401), "invalid_client");

    // A second one beside the first, so that programs can change over; then one that ends the others.
    let second = secret_in(&site.done(&["secret", "--org", "north", "--user", application, "--days", "30"]));
    ask(&secret).expect(200);
    ask(&second).expect(200);
    let third = secret_in(&site.done(&["secret", "--org", "north", "--user", application, "--replace"]));
    assert_eq!(refusal(ask(&secret), 401), "invalid_client");
    assert_eq!(refusal(ask(&second), 401), "invalid_client");
    ask(&third).expect(200);

    let line = site.refused(&["secret", "--org", "north", "--user", ADA]);
    assert!(line.contains("applicationid"), "{line}");
    let line = site.refused(&["password", "--org", "north", "--user", application]);
    assert!(line.contains(&format!("'custodia secret --org north --user {application}'")), "{line}");
    // One without a name of its own goes by its application's id wherever a user is named.
    let unit = text(&api.get("WhoAmI").expect(200).json(), "BusinessUnitId").to_owned();
    let nameless = "11111111-2222-3333-4444-666666666666";
    let user_of = json!({ "applicationid": nameless, "businessunitid@odata.bind": format!("/businessunits({unit})") });
    let id = api.post("systemusers", &user_of).expect(204).created_id();
    for name in [nameless, &id] {
        let token = site.token("north", name);
        assert_eq!(text(&claims(&token), "oid"), id);
    }
    let line = site.refused(&["secret", "--org", "north", "--user", "22222222-2222-3333-4444-555555555555"]);
    assert_eq!(line, "there is no user '22222222-2222-3333-4444-555555555555'");
    let audit = crate::tokens::audit(&site, &["--table", "systemuser"]);
    assert!(audit.iter().any(|entry| entry["detail"] == json!("client secret set")));
    assert!(audit.iter().any(|entry| entry["detail"] == json!("signed in: ClientCredentials")), "{audit:#?}");
    assert!(!serde_json::to_string(&audit).unwrap().contains(&third));

    api.patch(&format!("systemusers({user})"), &json!({ "isdisabled": true })).expect(204);
    assert_eq!(refusal(ask(&third), 401), "invalid_client");
    server.stop();
}

#[test]
fn keys_are_rotated() {
    let (site, _) = made(Engine::Sqlite);
    let server = site.serve(&[]);
    let keys = || at(&server, &format!("{}/north/discovery/v2.0/keys", server.url));
    let before = site.token("north", ADA);
    assert_eq!(keys()["keys"].as_array().unwrap().len(), 1);

    site.done(&["key", "rotate"]);
    let after = site.token("north", ADA);
    assert_ne!(part(&before, 0)["kid"], part(&after, 0)["kid"]);
    assert_eq!(keys()["keys"].as_array().unwrap().len(), 2);
    for token in [&before, &after] {
        assert!(is_signed_by(token, &keys()));
        who(&server, token).expect(200);
    }

    site.done(&["key", "rotate", "--end-tokens"]);
    assert_eq!(keys()["keys"].as_array().unwrap().len(), 1);
    for token in [&before, &after] {
        who(&server, token).expect(401);
    }
    let last = site.token("north", ADA);
    who(&server, &last).expect(200);
    server.stop();
    let server = site.serve(&[]);
    who(&server, &last).expect(200);
    who(&server, &after).expect(401);
}

#[test]
fn a_token_is_good_for_one_organisation_and_as_it_was_signed() {
    let (site, _) = made(Engine::Sqlite);
    let server = site.serve(&[]);
    let token = site.token("north", ADA);
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    let altered = |parts: &[String]| who(&server, &parts.join(".")).status;
    assert_eq!(altered(&parts), 200);
    let signature = parts[2].clone();
    parts[2].replace_range(0..4, "AAAA");
    assert_eq!(altered(&parts), 401);
    parts[2] = String::new();
    assert_eq!(altered(&parts), 401);
    parts[2] = signature;
    let mut claims = claims(&token);
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 1);
    parts[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
    assert_eq!(altered(&parts), 401);
    parts[0] = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"none"}"#);
    assert_eq!(altered(&parts), 401);
}
