//! What connections set for themselves, and what is told of those that fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use custodia_testbed::PrivateCluster;

use super::*;
use crate::site::{Engine, Site, master_key};
use crate::sql::content::show;
use crate::with_causes;

/// The database of an organisation: its name, and how it is connected to.
async fn demo() -> (Site, String, PostgresSettings) {
    let site = Site::new(Engine::Postgres).await;
    drop(site.organization("demo").await);
    let name = site.store.organization("demo").unwrap().database.clone();
    let settings = site.store.postgres_settings().unwrap().database(&name);
    (site, name, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_durable_whatever_is_set_for_a_database() {
    let (_site, name, settings) = demo().await;
    for (set, used) in [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply"), ("on", "on")] {
        let connection = PostgresConnection::connect(&settings).await.unwrap();
        connection.run(&format!("ALTER DATABASE \"{name}\" SET synchronous_commit = {set}")).await.unwrap();
        let connection = PostgresConnection::connect(&settings).await.unwrap();
        assert_eq!(connection.text(&show("synchronous_commit")).await.unwrap().as_deref(), Some(used));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_cost_what_they_do_in_memory_until_somebody_says_otherwise() {
    let (_site, name, settings) = demo().await;
    let costs = async || {
        let connection = PostgresConnection::connect(&settings).await.unwrap();
        let [page, random] = [show("seq_page_cost"), show("random_page_cost")];
        [connection.text(&page).await.unwrap().unwrap(), connection.text(&random).await.unwrap().unwrap()]
    };
    assert_eq!(costs().await, ["0.1", "0.2"]);
    let connection = PostgresConnection::connect(&settings).await.unwrap();
    connection.run(&format!("ALTER DATABASE \"{name}\" SET random_page_cost = 1.5")).await.unwrap();
    assert_eq!(costs().await, ["1", "1.5"], "what is said of one is not mixed with ours of the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_may_lose_writes_is_told_of() {
    let cluster = PrivateCluster::start(&[("full_page_writes", "off"), ("synchronous_commit", "off")]).unwrap();
    let url = custodia_testbed::with_database(&cluster.url(), "custodia_control");
    let site = Site::at(Some(url), &master_key(), None, Limits::default()).await;
    let told = site.store.settings_that_lose_writes().await.unwrap();
    assert_eq!(told, [("full_page_writes", "off".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_says_is_told_once_and_without_values() {
    let site = Site::new(Engine::Postgres).await;
    let settings = site.store.postgres_settings().unwrap();
    let refused = PostgresConnection::connect(&settings.database("nowhere")).await.err().unwrap();
    let told = "the database is not available: connecting to PostgreSQL: database \"nowhere\" does not exist (3D000)";
    assert_eq!((refused.to_string().as_str(), with_causes(&refused).as_str()), (told, told));

    let connection = PostgresConnection::connect(settings).await.unwrap();
    connection.run("CREATE TABLE held (name text CHECK (name <> 'Ada'))").await.unwrap();
    let refused = connection.run("INSERT INTO held VALUES ('Ada')").await.unwrap_err();
    let told = with_causes(&refused);
    assert!(told.ends_with("violates check constraint \"held_name_check\" (23514)"), "{told}");
    assert!(!told.contains("Ada"), "{told}");
}

#[test]
fn a_server_that_takes_nothing_in_has_the_time_of_a_statement() {
    let timeout = |url: &str, statement_ms: u64| {
        let limits = Limits { statement_ms, silence_ms: 10_000, ..Limits::default() };
        let settings = PostgresSettings::parse(url, &limits, Arc::new(crate::site::HeldClock::default())).unwrap();
        let of = |settings: &PostgresSettings| {
            let mut config = tokio_postgres::Config::clone(&settings.config);
            notice_lost_hosts(&mut config, settings);
            config.get_tcp_user_timeout().copied()
        };
        (of(&settings), of(&settings.unlimited()))
    };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let url = "postgres://user@host/database";
    assert_eq!(timeout(url, 5_000), (seconds(60), None));
    assert_eq!(timeout(url, 600_000), (seconds(610), None));
    assert_eq!(timeout(&format!("{url}?tcp_user_timeout=7"), 600_000), (seconds(7), seconds(7)));
}
