//! The wall clock jumps by hours, forward and back, under the real program: a library that is loaded before the system's
//! (`moved_clock.c`) moves it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, Api};
use crate::site::{Engine, Server, Site, on_both_engines, until};

on_both_engines!(
    a_clock_that_jumps_ahead_and_back_breaks_nothing,
    what_was_given_out_in_the_second_of_a_new_password_ends_with_the_former
);

const ADA: &str = "ada@north.example";
const HOUR: i64 = 3_600;

/// A clock that the test moves, of all processes of an installation.
struct MovedClock {
    folder: TempDir,
}

impl MovedClock {
    fn new() -> Self {
        let clock = Self { folder: tempfile::tempdir().unwrap() };
        clock.set(0);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/robustness/moved_clock.c");
        let mut compiler = Command::new("gcc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", source, "-o"]).arg(clock.library());
        assert!(compiler.status().unwrap().success());
        clock
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("moved_clock.so")
    }

    fn moved(&self, site: Site) -> Site {
        let file = self.folder.path().join("seconds");
        site.with("LD_PRELOAD", self.library().to_str().unwrap()).with("MOVED_CLOCK_FILE", file.to_str().unwrap())
    }

    /// So many seconds ahead of the machine's clock from now on.
    fn set(&self, seconds: i64) {
        self.write(&seconds.to_string());
    }

    /// Standing still from now on, so many seconds after 1970.
    fn stop(&self, at: i64) {
        self.write(&format!("={at}"));
    }

    fn write(&self, said: &str) {
        let (fresh, file) = (self.folder.path().join("fresh"), self.folder.path().join("seconds"));
        std::fs::write(&fresh, said).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }
}

fn sign_in(server: &Server, user: &str, password: &str) -> Answer {
    let fields = [("grant_type", "password"), ("username", user), ("password", password)];
    server.client().form("/north/oauth2/v2.0/token", &fields)
}

fn signed_in(server: &Server, password: &str) -> Api {
    let answer = sign_in(server, ADA, password).expect(200).json();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let api = Api { client: server.client(), organization: "north".to_owned(), token };
    // A fresh token is good at once.
    api.user_id();
    api
}

fn password_of(output: &str) -> String {
    output.lines().find_map(|line| line.strip_prefix("temporary password ")).unwrap().to_owned()
}

/// Has all accounts of that name deleted, and waits until it is done.
fn delete_by_a_job(api: &Api, name: &str) {
    let condition =
        json!({"AttributeName": "name", "Operator": "Equal", "Values": [{"Value": name, "Type": "System.String"}]});
    let query = json!({"EntityName": "account", "Criteria": {"FilterOperator": "And", "Conditions": [condition]}});
    let body = json!({"QuerySet": [query], "JobName": "One account"});
    let job = api.post("BulkDelete", &body).expect(200).json()["JobId"].as_str().unwrap().to_owned();
    until("the job is done", || {
        let record = api.get(&format!("asyncoperations({job})?$select=statecode,statuscode")).expect(200).json();
        (record["statecode"] == 3).then(|| assert_eq!(record["statuscode"], 30))
    });
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

fn a_clock_that_jumps_ahead_and_back_breaks_nothing(engine: Engine) {
    let clock = MovedClock::new();
    let site = clock.moved(Site::new(engine));
    let password = password_of(&site.done(&["org", "create", "north", "--admin", ADA]));
    let server = site.serve(&[]);
    let before = signed_in(&server, &password);
    before.account("one");
    let guess = || sign_in(&server, "nobody@north.example", "wrong");
    until("a guesser has to wait", || (guess().status == 429).then_some(()));

    clock.set(12 * HOUR);
    // Tokens end, waits are over, and whoever signs in goes on.
    assert_eq!(before.get("WhoAmI").expect(401).error().0, "0x8005F101");
    guess().expect(400);
    let ahead = signed_in(&server, &password);
    ahead.account("two");
    ahead.account("gone");
    delete_by_a_job(&ahead, "gone");
    until("a guesser has to wait", || (guess().status == 429).then_some(()));

    clock.set(0);
    // Nobody waits longer than the longest wait, a quarter of an hour.
    let wait: i64 = guess().expect(429).header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // Tokens of both times are good until their own ends, and so is a new one.
    for api in [&before, &ahead] {
        api.user_id();
    }
    let after = signed_in(&server, &password);
    after.account("three");
    after.account("gone");
    delete_by_a_job(&after, "gone");

    // What was made later has the later id, and no earlier date.
    let records = after.get("accounts?$select=accountid,name,createdon,versionnumber&$orderby=name").expect(200).json();
    let find =
        |name: &str| records["value"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    let [one, two, three] = ["one", "two", "three"].map(find);
    for (earlier, later) in [(&one, &two), (&two, &three)] {
        assert!(text(earlier, "accountid") < text(later, "accountid"), "{earlier} {later}");
        assert!(text(earlier, "createdon") <= text(later, "createdon"), "{earlier} {later}");
        assert!(earlier["versionnumber"].as_i64() < later["versionnumber"].as_i64(), "{earlier} {later}");
    }
    let audits = after.get("audits?$select=createdon&$orderby=createdon desc").expect(200).json();
    assert!(audits["value"].as_array().is_some_and(|entries| entries.len() > 5));
    site.done(&["audit", "verify", "--org", "north"]);

    // A new password ends the tokens that were given out while the clock was ahead, and is good for new ones at once.
    let renewed = password_of(&site.done(&["password", "--org", "north", "--user", ADA]));
    ahead.get("WhoAmI").expect(401);
    before.get("WhoAmI").expect(401);
    let api = signed_in(&server, &renewed);
    assert_eq!(api.account_names(), ["one", "three", "two"]);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    server.stop();

    // A machine that starts with a clock of hours ago.
    clock.set(-12 * HOUR);
    let server = site.serve(&[]);
    let api = signed_in(&server, &renewed);
    api.account("four");
    assert_eq!(api.account_names(), ["four", "one", "three", "two"]);
    site.done(&["audit", "verify", "--org", "north"]);
    server.stop();
}

fn what_was_given_out_in_the_second_of_a_new_password_ends_with_the_former(engine: Engine) {
    let clock = MovedClock::new();
    // Its address is the same after a restart.
    let site = clock.moved(Site::new(engine).with("CUSTODIA_PUBLIC_URL", "https://crm.example"));
    // Later than anything that was made of the installation before.
    clock.stop(4_000_000_000);
    let former = password_of(&site.done(&["org", "create", "north", "--admin", ADA]));
    let server = site.serve(&[]);
    let form = |fields: &[(&str, &str)]| server.client().form("/north/oauth2/v2.0/token", fields);
    let granted = |password: &str| {
        let fields = [("grant_type", "password"), ("username", ADA), ("password", password)];
        let answer = form(&[&fields[..], &[("scope", "offline_access")]].concat()).expect(200).json();
        (text(&answer, "access_token"), text(&answer, "refresh_token"))
    };
    let refresh = |token: &str| form(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
    let who = |token: &str| {
        Api { client: server.client(), organization: "north".to_owned(), token: token.to_owned() }.get("WhoAmI")
    };
    let (access, refreshing) = granted(&former);
    let by_command = site.token("north", ADA);
    for token in [&access, &by_command] {
        who(token).expect(200);
    }

    let present = password_of(&site.done(&["password", "--org", "north", "--user", ADA]));
    for token in [&access, &by_command] {
        who(token).expect(401);
    }
    refresh(&refreshing).expect(400);
    let (access_now, refreshing_now) = granted(&present);
    let by_command_now = site.token("north", ADA);
    let refreshed = text(&refresh(&refreshing_now).expect(200).json(), "access_token");
    for token in [&access_now, &by_command_now, &refreshed] {
        who(token).expect(200);
    }
    // Once more in the same second, which is not before what was given out since.
    let last = password_of(&site.done(&["password", "--org", "north", "--user", ADA]));
    refresh(&refreshing_now).expect(400);
    let ended = [access, by_command, access_now, by_command_now, refreshed];
    let good = [granted(&last).0, site.token("north", ADA)];
    server.stop();

    // The same is read at the next start.
    let server = site.serve(&[]);
    let who = |token: &str| {
        Api { client: server.client(), organization: "north".to_owned(), token: token.to_owned() }.get("WhoAmI")
    };
    for token in &ended {
        who(token).expect(401);
    }
    for token in &good {
        who(token).expect(200);
    }
    server.stop();
}
