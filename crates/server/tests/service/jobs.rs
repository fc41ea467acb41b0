//! Jobs of the real program: done by themselves, gone on with after a kill, shown and cancelled at the command line.

use serde_json::{Value, json};

use crate::http::Api;
use crate::site::{Engine, Site, on_both_engines, until};

on_both_engines!(a_killed_server_goes_on_with_its_job, jobs_are_shown_and_cancelled_at_the_command_line);

/// Accounts that a job deletes in many steps.
const ACCOUNTS: usize = 150;

fn fill(api: &Api, accounts: usize) {
    let targets: Vec<_> = (0..accounts).map(|n| json!({"name": format!("Account {n}")})).collect();
    api.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", &json!({ "Targets": targets })).expect(200);
}

fn ask(api: &Api, start: Option<&str>) -> String {
    let query = json!({"EntityName": "account"});
    let body = json!({"QuerySet": [query], "JobName": "All accounts", "StartDateTime": start});
    api.post("BulkDelete", &body).expect(200).json()["JobId"].as_str().unwrap().to_owned()
}

/// The state of a job, and how many records it has deleted.
fn shown(api: &Api, job: &str) -> (i64, i64) {
    let record = api.get(&format!("asyncoperations({job})?$select=statecode")).expect(200).json();
    let path = format!("bulkdeleteoperations?$filter=_asyncoperationid_value eq {job}&$select=successcount");
    let operation: Value = api.get(&path).expect(200).json()["value"][0].clone();
    (record["statecode"].as_i64().unwrap(), operation["successcount"].as_i64().unwrap())
}

fn a_killed_server_goes_on_with_its_job(engine: Engine) {
    let site = Site::new(engine)
        .with("CUSTODIA_LIMITS_JOB_STEP_ROWS", "1")
        .with("CUSTODIA_LIMITS_JOB_LEASE_SECONDS", "1")
        .with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    // So many that a job of one at a time lasts for seconds, and is at work when the server is killed.
    let accounts = 10 * ACCOUNTS;
    for _ in 0..10 {
        fill(&api, ACCOUNTS);
    }
    let job = ask(&api, None);
    until("the first steps", || (shown(&api, &job).1 > 0).then_some(()));
    let (state, deleted) = shown(&api, &job);
    server.kill();
    assert!(state == 2 && deleted < accounts as i64, "{state} {deleted}: it was through before it was killed");

    // Nobody asks for anything of the organisation but how the job is.
    let site = site.with("CUSTODIA_LIMITS_JOB_STEP_ROWS", "50");
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    until("the end of the job", || (shown(&api, &job).0 == 3).then_some(()));
    assert_eq!(shown(&api, &job), (3, accounts as i64));
    assert_eq!(api.account_names(), Vec::<String>::new());
    let record = api.get(&format!("asyncoperations({job})?$select=statuscode")).expect(200).json();
    assert_eq!(record["statuscode"], 30);
    // It is counted once its end is stored.
    until("one that succeeded", || {
        let metrics = server.machines().get("/metrics").expect(200);
        metrics.text().contains("\ncustodia_jobs_succeeded_total 1\n").then_some(())
    });

    // One that stops in order lets its job go, and it goes on at once.
    fill(&api, ACCOUNTS);
    let job = ask(&api, None);
    until("the first steps", || (shown(&api, &job).1 > 0).then_some(()));
    server.stop();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    until("the end of the job", || (shown(&api, &job).0 == 3).then_some(()));
    assert_eq!(shown(&api, &job), (3, ACCOUNTS as i64));
}

fn jobs_are_shown_and_cancelled_at_the_command_line(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    let none = site.run(&["job", "list", "--org", "north"]);
    assert_eq!((none.output.as_str(), none.errors.as_str()), ("", "organisation north has no open job\n"));
    let job = ask(&api, Some("2999-01-01T00:00:00Z"));
    let listed = site.done(&["job", "list", "--org", "north"]);
    assert!(listed.starts_with(&format!("{job} later ")) && listed.ends_with(" All accounts\n"), "{listed}");
    let cancelled = site.done(&["job", "cancel", &job, "--org", "north"]);
    assert!(cancelled.contains("is cancelled"), "{cancelled}");
    assert_eq!(site.done(&["job", "list", "--org", "north"]), "");
    let again = site.refused(&["job", "cancel", &job, "--org", "north"]);
    assert!(again.contains("has no open job"), "{again}");
    let record = api.get(&format!("asyncoperations({job})?$select=statecode,statuscode")).expect(200).json();
    assert_eq!((&record["statecode"], &record["statuscode"]), (&json!(3), &json!(32)));
    assert_eq!(api.account_names(), ["Contoso"]);
}
