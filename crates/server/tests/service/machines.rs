//! Health and metrics, on a listener of their own.

use custodia_testbed::PrivateCluster;

use crate::site::{Engine, Site, files_below, until};

#[test]
fn health_and_metrics_have_a_listener_of_their_own() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let machines = server.machines();
    assert!(machines.address.ip().is_loopback());
    assert_ne!(machines.address, server.address());
    assert_eq!(machines.get("/health/live").expect(200).text(), "alive\n");
    assert_eq!(machines.get("/health/ready").expect(200).text(), "ready\n");
    machines.get("/").expect(404);
    machines.get("/north/api/data/v9.2/WhoAmI").expect(404);
    let refused = machines.request("POST", "/metrics", &[], Some("")).expect(405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    for path in ["/health/live", "/health/ready", "/metrics"] {
        server.client().get(path).expect(404);
    }
}

/// The value of a metric.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
}

#[test]
fn metrics_count_what_was_done_and_name_nobody() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    let text = || server.machines().get("/metrics").expect(200).text().to_owned();
    let before = text();
    for number in 0..3 {
        api.account(&format!("Confidential {number}"));
    }
    api.get("accounts?$filter=nonsense").expect(400);
    let after = text();
    let grown = |name: &str| metric(&after, name) - metric(&before, name);
    assert_eq!(grown("custodia_http_requests_total{status=\"2xx\"}"), 3.0);
    assert_eq!(grown("custodia_http_requests_total{status=\"4xx\"}"), 1.0);
    assert_eq!(grown("custodia_http_request_duration_seconds_count"), 4.0);
    assert_eq!(grown("custodia_http_request_duration_seconds_bucket{le=\"+Inf\"}"), 4.0);
    assert_eq!(grown("custodia_write_requests_total"), 3.0);
    assert!(grown("custodia_http_request_duration_seconds_sum") > 0.0);
    assert_eq!(metric(&after, "custodia_organizations"), 1.0);

    // Prometheus text: each metric is described once, before its values, and each value is a number.
    let mut described = std::collections::HashSet::new();
    for line in after.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(described.insert(name.to_owned()), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let name = name.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(described.contains(name) || described.contains(family), "{line}");
        }
    }
    // Each stands in the table for those who watch.
    let document = include_str!("../../../../docs/operations/running.md");
    for name in described {
        let row = document.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}")));
        assert!(row.is_some(), "{name} is not in docs/operations/running.md");
    }
    for private in ["north", "ada", "Confidential"] {
        assert!(!after.contains(private), "{private}");
    }
    let server_log = server.log();
    for private in ["Confidential", &api.token, "ada@north.example"] {
        assert!(!server_log.contains(private), "{private} in {server_log}");
    }
}

#[test]
fn an_organisation_whose_file_is_missing_is_counted() {
    let site = Site::new(Engine::Sqlite).with_north();
    site.done(&["org", "create", "south", "--admin", "sue@south.example"]);
    let (ada, sue) = (site.token("north", "ada@north.example"), site.token("south", "sue@south.example"));
    let is_of_north = |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("north-");
    files_below(&site.data().join("organizations"))
        .iter()
        .filter(|path| is_of_north(path))
        .for_each(|path| std::fs::remove_file(path).unwrap());
    let server = site.serve(&[]);
    let ask = |organization: &str, token: &str| {
        let (organization, token) = (organization.to_owned(), token.to_owned());
        crate::http::Api { client: server.client(), organization, token }.get("WhoAmI").status
    };
    let counted =
        || metric(server.machines().get("/metrics").expect(200).text(), "custodia_databases_not_opened_total");
    assert_eq!((ask("south", &sue), counted()), (200, 0.0));
    assert!(ask("north", &ada) >= 500);
    let first = counted();
    assert!(first > 0.0);
    // For as long as it is missing; one that its operator closed is not.
    ask("north", &ada);
    assert!(counted() > first);
    let before = counted();
    site.done(&["org", "suspend", "north"]);
    assert_eq!((ask("north", &ada), counted()), (503, before));
    server.machines().get("/health/ready").expect(200);
}

#[test]
fn a_database_that_is_away_is_told_and_waited_for() {
    let mut cluster = PrivateCluster::start(&[]).expect("PostgreSQL is needed for this test");
    let site = Site::with_database(Some(custodia_testbed::with_database(&cluster.url(), "control"))).with_north();
    let server = site.serve(&[]);
    let api = server.api(&site, "north", "ada@north.example");
    api.account("Contoso");
    cluster.stop().unwrap();
    until("not ready", || (server.machines().get("/health/ready").status == 503).then_some(()));
    server.machines().get("/health/live").expect(200);
    assert_eq!(api.get("accounts").status, 503);
    assert_eq!(api.post("accounts", &serde_json::json!({ "name": "lost" })).status, 503);

    cluster.restart().unwrap();
    until("ready again", || (server.machines().get("/health/ready").status == 200).then_some(()));
    until("served again", || (api.get("accounts").status == 200).then_some(()));
    until("written again", || {
        (api.post("accounts", &serde_json::json!({ "name": "Fabrikam" })).status == 204).then_some(())
    });
    assert_eq!(api.account_names(), ["Contoso", "Fabrikam"]);
    server.stop();
}
