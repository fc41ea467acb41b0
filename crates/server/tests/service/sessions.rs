//! What ends everything that was given out: a restore, ended keys, a disabled user. Access tokens and refresh tokens alike.

use serde_json::{Value, json};

use crate::http::{Answer, Api};
use crate::organizations::password_in;
use crate::site::{Engine, Server, Site, on_both_engines, until};

on_both_engines!(
    a_restored_organisation_takes_nothing_of_before,
    ended_keys_end_refresh_tokens,
    a_user_who_is_enabled_again_goes_on_with_nothing_of_before
);

const ADA: &str = "ada@north.example";
const BEN: &str = "ben@north.example";

/// What a sign-in gave.
struct Session {
    access: String,
    refresh: String,
}

impl Session {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{name} in {answer}")).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }

    /// The answer to a refresh at an organisation.
    fn refresh(&self, server: &Server, organization: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", self.refresh.as_str())];
        server.client().form(&format!("/{organization}/oauth2/v2.0/token"), &fields)
    }

    /// The status of a request with the access token.
    fn status(&self, server: &Server, organization: &str) -> u16 {
        let api = Api { client: server.client(), organization: organization.to_owned(), token: self.access.clone() };
        api.get("WhoAmI").status
    }

    #[track_caller]
    fn is_good(&self, server: &Server, organization: &str) {
        assert_eq!(self.status(server, organization), 200);
        let refreshed = Self::of(&self.refresh(server, organization).expect(200).json());
        assert_eq!(refreshed.status(server, organization), 200);
    }
}

fn sign_in(server: &Server, organization: &str, user: &str, password: &str) -> Answer {
    let fields = [("grant_type", "password"), ("username", user), ("password", password), ("scope", "offline_access")];
    server.client().form(&format!("/{organization}/oauth2/v2.0/token"), &fields)
}

fn session(server: &Server, organization: &str, user: &str, password: &str) -> Session {
    Session::of(&sign_in(server, organization, user, password).expect(200).json())
}

/// An installation whose tokens are good at the next start, too, when the server has another port, and its first password.
fn made(site: Site) -> (Site, String) {
    let site = site.with("CUSTODIA_PUBLIC_URL", "https://crm.example");
    let password = password_in(&site.done(&["org", "create", "north", "--admin", ADA]));
    (site, password)
}

fn new_password(site: &Site, user: &str) -> String {
    password_in(&site.done(&["password", "--org", "north", "--user", user]))
}

fn a_restored_organisation_takes_nothing_of_before(engine: Engine) {
    let (site, former) = made(Site::new(engine));
    let server = site.serve(&[]);
    let in_backup = session(&server, "north", ADA, &former);
    let file = site.beside("north.backup").display().to_string();
    site.done(&["backup", "--org", "north", "--to", &file]);
    let later = session(&server, "north", ADA, &former);
    let present = new_password(&site, ADA);
    let last = session(&server, "north", ADA, &present);
    for ended in [&in_backup, &later] {
        assert_eq!((ended.status(&server, "north"), ended.refresh(&server, "north").status), (401, 400));
    }

    // A copy has its users with the passwords of then, and is told so.
    let said = site.done(&["restore", "--from", &file, "--org", "trial"]);
    assert!(said.contains("with the password of then") && said.contains("'custodia org suspend trial'"), "{said}");
    for session in [&in_backup, &later, &last] {
        assert_eq!((session.status(&server, "trial"), session.refresh(&server, "trial").status), (401, 400));
    }
    sign_in(&server, "trial", ADA, &present).expect(400);
    let of_the_copy = session(&server, "trial", ADA, &former);
    of_the_copy.is_good(&server, "trial");
    assert_eq!((of_the_copy.status(&server, "north"), of_the_copy.refresh(&server, "north").status), (401, 400));

    // Nothing that had ended comes back, nor does what the backup does not know.
    site.done(&["restore", "--from", &file, "--replace"]);
    let check = |server: &Server| {
        for session in [&in_backup, &later, &last] {
            assert_eq!((session.status(server, "north"), session.refresh(server, "north").status), (401, 400));
        }
    };
    check(&server);
    sign_in(&server, "north", ADA, &present).expect(400);
    let anew = session(&server, "north", ADA, &former);
    server.stop();
    let server = site.serve(&[]);
    check(&server);
    anew.is_good(&server, "north");
}

fn ended_keys_end_refresh_tokens(engine: Engine) {
    let (site, password) = made(Site::new(engine));
    let server = site.serve(&[]);
    let [kept, ended] = [0, 1].map(|_| session(&server, "north", ADA, &password));
    site.done(&["key", "rotate"]);
    kept.is_good(&server, "north");
    site.done(&["key", "rotate", "--end-tokens"]);
    ended.refresh(&server, "north").expect(400);
    let [now, then] = [0, 1].map(|_| session(&server, "north", ADA, &password));
    now.is_good(&server, "north");
    server.stop();
    let server = site.serve(&[]);
    ended.refresh(&server, "north").expect(400);
    then.is_good(&server, "north");
    // Without a server, and more than once.
    server.stop();
    site.done(&["key", "rotate", "--end-tokens"]);
    let server = site.serve(&[]);
    then.refresh(&server, "north").expect(400);
    session(&server, "north", ADA, &password).is_good(&server, "north");
}

/// A second administrator.
fn ben(api: &Api) -> String {
    let me = api.get("WhoAmI").expect(200).json();
    let unit = me["BusinessUnitId"].as_str().unwrap();
    let ben = json!({
        "domainname": BEN, "internalemailaddress": BEN, "firstname": "Ben", "lastname": "Baker",
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    });
    let ben = api.post("systemusers", &ben).expect(204).created_id();
    let roles = api.get("roles?$select=roleid&$filter=name eq 'System Administrator'").expect(200).json();
    let role = roles["value"][0]["roleid"].as_str().unwrap();
    let link = json!({ "@odata.id": format!("/roles({role})") });
    api.post(&format!("systemusers({ben})/systemuserroles_association/$ref"), &link).expect(204);
    ben
}

fn a_user_who_is_enabled_again_goes_on_with_nothing_of_before(engine: Engine) {
    // An access token of before is refused once this node has looked which have ended.
    let (site, _) = made(Site::new(engine).with("CUSTODIA_LIMITS_HOUSEKEEPING_SECONDS", "1"));
    let server = site.serve(&[]);
    let api = server.api(&site, "north", ADA);
    let ben = ben(&api);
    let password = new_password(&site, BEN);
    let before = session(&server, "north", BEN, &password);
    assert_eq!(before.status(&server, "north"), 200);
    let disable = |disabled: bool| {
        api.patch(&format!("systemusers({ben})"), &json!({ "isdisabled": disabled })).expect(204);
    };
    disable(true);
    sign_in(&server, "north", BEN, &password).expect(400);
    before.refresh(&server, "north").expect(400);
    disable(false);
    before.refresh(&server, "north").expect(400);
    let after = session(&server, "north", BEN, &password);
    after.is_good(&server, "north");
    until("the access token has ended", || (before.status(&server, "north") == 401).then_some(()));
    assert_eq!(after.status(&server, "north"), 200);
    // Ended twice within a moment, which may be one second.
    disable(true);
    disable(false);
    after.refresh(&server, "north").expect(400);
    let last = session(&server, "north", BEN, &password);
    server.stop();
    let server = site.serve(&[]);
    assert_eq!((after.status(&server, "north"), last.status(&server, "north")), (401, 200));
    assert_eq!((before.status(&server, "north"), before.refresh(&server, "north").status), (401, 400));
    last.is_good(&server, "north");
}
