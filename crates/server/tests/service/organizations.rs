//! Organisations are made, listed, suspended, resumed and destroyed from the command line.

use serde_json::json;

use crate::http::Api;
use crate::site::{Engine, Server, Site, on_both_engines};

on_both_engines!(a_life_beside_a_server, a_life_without_a_server, one_organisation_knows_nothing_of_the_other);

/// The temporary password in what `org create` and `password` print.
#[track_caller]
pub fn password_in(output: &str) -> String {
    let mut found = output.lines().filter_map(|line| line.strip_prefix("temporary password "));
    let (Some(password), None) = (found.next(), found.next()) else { panic!("{output}") };
    password.to_owned()
}

/// What `org list` says of an organisation: its state, id and name for people.
fn listed(site: &Site, name: &str) -> Option<(String, String, String)> {
    let output = site.done(&["org", "list"]);
    let line = output.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    let mut words = line.split_whitespace().skip(1).map(str::to_owned);
    let (state, id) = (words.next().unwrap(), words.next().unwrap());
    Some((state, id, words.collect::<Vec<_>>().join(" ")))
}

fn sign_in(server: &Server, organization: &str, user: &str, password: &str) -> crate::http::Answer {
    let fields = [("grant_type", "password"), ("username", user), ("password", password)];
    server.client().form(&format!("/{organization}/oauth2/v2.0/token"), &fields)
}

fn a_life_beside_a_server(engine: Engine) {
    let site = Site::new(engine);
    let server = site.serve(&[]);
    let who_am_i = "/northwind/api/data/v9.2/WhoAmI";
    server.client().get(who_am_i).expect(404);
    let none = site.run(&["org", "list"]);
    assert_eq!((none.code, none.output.as_str()), (0, ""));
    let database = site.database().map_or("", |_| " --database postgres://…");
    let create = format!("custodia org create NAME --admin EMAIL --data {}{database}", site.data().display());
    assert_eq!(none.errors, format!("There is no organisation yet: {create}\n"));
    assert!(server.log().contains(&none.errors), "{}", server.log());

    let output = site.done(&[
        "org",
        "create",
        "northwind",
        "--admin",
        "ada.lovelace@north.example",
        "--display-name",
        "Northwind Ltd",
    ]);
    assert!(output.contains("organisation northwind was made") && output.contains("ada.lovelace@north.example"));
    let (state, id, display_name) = listed(&site, "northwind").unwrap();
    assert_eq!((state.as_str(), display_name.as_str()), ("active", "Northwind Ltd"));

    assert!(!server.log().contains("brought forward"), "a new database is none of an older program: {}", server.log());
    let password = password_in(&output);
    let token = sign_in(&server, "northwind", "ada.lovelace@north.example", &password).expect(200).json();
    let token = token["access_token"].as_str().unwrap().to_owned();
    let api = Api { client: server.client(), organization: "northwind".to_owned(), token };
    let me = api.get("WhoAmI").expect(200).json();
    assert_eq!(me["OrganizationId"], json!(id));
    // Its root says where to go on; one that is not here is named.
    let root = format!("{}/northwind", server.url);
    for path in ["/northwind/".to_owned(), format!("/{}", id)] {
        let welcome = server.client().get(&path).expect(200);
        assert!(welcome.text().contains(&format!(" {root}/api/data/v9.2/\n")), "{}", welcome.text());
        assert!(welcome.text().contains(&format!(" {root}/oauth2/v2.0/token\n")), "{}", welcome.text());
    }
    for path in ["/nope/", "/nope/api/data/v9.2/WhoAmI", "/nope/v2.0/.well-known/openid-configuration"] {
        let (code, message) = server.client().get(path).expect(404).error();
        assert_eq!((code.as_str(), message.as_str()), ("0x0", "There is no organisation 'nope' here."), "{path}");
    }
    let (_, message) = server.client().get("/4111111111111111/").expect(404).error();
    assert_eq!(message, "There is no such organisation here.");
    let user = api.get(&format!("systemusers({})?$select=fullname,domainname", api.user_id())).expect(200).json();
    assert_eq!(
        (&user["fullname"], &user["domainname"]),
        (&json!("Ada Lovelace"), &json!("ada.lovelace@north.example"))
    );
    api.account("Contoso");

    // Suspended: nobody gets in by any door, and nothing is lost.
    let said = site.done(&["org", "suspend", "northwind"]);
    assert!(said.contains("org resume northwind"), "{said}");
    assert_eq!(listed(&site, "northwind").unwrap().0, "suspended");
    let (code, message) = api.get("WhoAmI").expect(503).error();
    assert_eq!((code.as_str(), message.as_str()), ("0x8005F103", "This organisation is suspended by its operator."));
    sign_in(&server, "northwind", "ada.lovelace@north.example", &password).expect(503);
    server.client().get("/northwind/v2.0/.well-known/openid-configuration").expect(503);
    let line = site.refused(&["token", "--org", "northwind", "--user", "ada.lovelace@north.example"]);
    assert_eq!(line, "organisation 'northwind' is suspended");
    assert_eq!(site.refused(&["org", "suspend", "northwind"]), "organisation 'northwind' is suspended, not active");
    site.done(&["org", "resume", "northwind"]);
    assert_eq!(site.refused(&["org", "resume", "northwind"]), "organisation 'northwind' is active, not suspended");
    assert_eq!(api.account_names(), ["Contoso"]);

    // Destroyed: only when it is named twice; then nothing is left, and nothing old works in a new one of that name.
    let line = site.refused(&["org", "delete", "northwind", "--confirm", "northwin"]);
    assert!(line.contains("--confirm northwin is not northwind"), "{line}");
    assert_eq!(api.account_names(), ["Contoso"]);
    let said = site.done(&["org", "delete", "northwind", "--confirm", "northwind"]);
    assert!(said.contains(&format!("No backup that was taken of it (id {id}) ")), "{said}");
    assert_eq!(listed(&site, "northwind"), None);
    assert!(!site.has_file_named("northwind"));
    api.get("WhoAmI").expect(404);
    sign_in(&server, "northwind", "ada.lovelace@north.example", &password).expect(404);
    for arguments in [
        vec!["org", "delete", "northwind", "--confirm", "northwind"],
        vec!["org", "suspend", "northwind"],
        vec!["org", "resume", "northwind"],
        vec!["token", "--org", "northwind", "--user", "ada.lovelace@north.example"],
    ] {
        assert_eq!(site.refused(&arguments), "there is no organisation 'northwind'");
    }
    site.done(&["org", "create", "northwind", "--admin", "ada.lovelace@north.example"]);
    api.get("WhoAmI").expect(401);
    let api = server.api(&site, "northwind", "ada.lovelace@north.example");
    assert!(api.account_names().is_empty());
    assert_ne!(listed(&site, "northwind").unwrap().1, id);
    server.stop();
}

fn a_life_without_a_server(engine: Engine) {
    let site = Site::new(engine);
    for name in ["north", "south"] {
        let output = site.done(&["org", "create", name, "--admin", &format!("ada@{name}.example")]);
        password_in(&output);
    }
    site.done(&["org", "suspend", "south"]);
    let states: Vec<_> = ["north", "south"].map(|name| listed(&site, name).unwrap().0).into();
    assert_eq!(states, ["active", "suspended"]);
    assert_eq!(site.refused(&["org", "suspend", "south"]), "organisation 'south' is suspended, not active");

    let server = site.serve(&[]);
    server.api(&site, "north", "ada@north.example").account("Contoso");
    server.client().get("/south/api/data/v9.2/WhoAmI").expect(503);
    server.stop();

    site.done(&["org", "resume", "south"]);
    site.done(&["org", "delete", "north", "--confirm", "north"]);
    assert!(!site.has_file_named("north"));
    let server = site.serve(&[]);
    server.client().get("/north/api/data/v9.2/WhoAmI").expect(404);
    server.client().get("/south/api/data/v9.2/WhoAmI").expect(401);
    server.api(&site, "south", "ada@south.example").user_id();
    server.stop();
}

fn one_organisation_knows_nothing_of_the_other(engine: Engine) {
    let site = Site::new(engine).with_north();
    site.done(&["org", "create", "south", "--admin", "ada@north.example"]);
    let server = site.serve(&[]);
    let north = server.api(&site, "north", "ada@north.example");
    let account = north.account("Contoso");
    let stray = Api { organization: "south".to_owned(), ..server.api(&site, "north", "ada@north.example") };
    stray.get("accounts").expect(401);
    let south = server.api(&site, "south", "ada@north.example");
    south.get(&format!("accounts({account})")).expect(404);
    assert!(south.account_names().is_empty());
    assert_eq!(north.account_names(), ["Contoso"]);
}

#[test]
fn names_that_cannot_be_are_refused() {
    let site = Site::new(Engine::Sqlite).with_north();
    let create = |name: &str| site.refused(&["org", "create", name, "--admin", "ada@x.example"]);
    for name in ["service", "status", "trust", "health", "metrics", "api", "assets", "oauth2", "admin", "www"] {
        let line = create(name);
        assert_eq!(
            line,
            format!("'{name}' cannot be the name of an organisation: the name is reserved for the service itself")
        );
    }
    for name in ["North", "9lives", "a_b", "a.b", "../x", "north/", "a-", "é", &"x".repeat(41)] {
        let line = create(name);
        assert!(line.contains("use 1 to 40 lower-case letters, digits and hyphens"), "{line}");
    }
    let line = create("north");
    assert_eq!(line, "'north' cannot be the name of an organisation: an organisation of that name exists");
    let line = site.refused(&["org", "create", "south", "--admin", "ada"]);
    assert!(line.contains("--admin ada is not an e-mail address"), "{line}");
    for admin in ["a\n@b.c", "a b@c.d", "@b.c", "a@", "a@b@c", "a\u{7}@b.c"] {
        let line = site.refused(&["org", "create", "west", "--admin", admin]);
        assert!(line.ends_with(" is not an e-mail address"), "{line}");
    }
    assert_eq!(site.done(&["org", "list"]).lines().count(), 1);
    site.done(&["org", "create", &"x".repeat(40), "--admin", "ada@x.example"]);
}

#[test]
fn what_clients_look_for_beside_the_web_api_is_told_apart_from_what_nobody_knows() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let ask = |path: &str| {
        let answer = server.client().get(path);
        (answer.status, answer.error().0)
    };
    for path in ["api/search/v1.0/query", "api/search/v2.0/query", "api/backgroundoperation/1"] {
        assert_eq!(ask(&format!("/north/{path}")), (501, "0x80060888".to_owned()), "{path}");
    }
    for path in ["api/searches", "api", "api/data", "api/data/v8.2/WhoAmI"] {
        assert_eq!(ask(&format!("/north/{path}")), (404, "0x0".to_owned()), "{path}");
    }
}
