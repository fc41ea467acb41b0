//! Nodes that join others.

use crate::pair::{ADA, Pair, another_site, fresh_database};
use crate::site::Site;

#[test]
fn a_node_with_another_master_key_is_refused_and_leaves_the_first_alone() {
    let database = fresh_database();
    let first = Site::with_database(Some(database.clone())).with_north();
    let server = first.serve(&[]);
    let stranger = another_site(&first, &database);
    let path = stranger.data().join("master.key");
    std::fs::write(&path, format!("{}\n", "5".repeat(64))).unwrap();
    let line = stranger.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(line.contains("master key"), "{line}");
    assert!(stranger.refused(&["org", "list"]).contains("master key"));
    server.api(&first, "north", ADA).account("Contoso");
    server.stop();
}

#[test]
fn a_node_that_starts_beside_another_serves_what_is_there() {
    let mut pair = Pair::new();
    let ada = pair.api(0, ADA);
    ada.account("Contoso");
    pair.take(1).kill();
    ada.account("Fabrikam");
    pair.start(1);
    assert_eq!(pair.elsewhere(1, &ada).account_names(), ["Contoso", "Fabrikam"]);
}
