//! Two nodes on one database, each with a data folder of its own, and the organisation `north` on both.

use std::os::unix::fs::DirBuilderExt;

use serde_json::Value;

use crate::balancer::{Addresses, free_address};
use crate::http::Api;
use crate::site::{Server, Site, until};

/// The administrator.
pub const ADA: &str = "ada@north.example";
/// Seconds after which one node looks at what the other changed.
pub const HOUSEKEEPING_SECONDS: u64 = 2;
/// Seconds for which a node that ends says that it is not ready: longer than the balancer takes to see it.
const DRAIN_SECONDS: &str = "4";
/// Milliseconds a node may stand still within a transaction.
const STALLED_MS: &str = "1500";

/// Two nodes.
pub struct Pair {
    pub sites: [Site; 2],
    /// One that is down is none.
    servers: [Option<Server>; 2],
    pub addresses: [Addresses; 2],
    /// Ada's temporary password.
    pub password: String,
}

/// A node's data folder, with the master key that the first one made.
pub fn another_site(first: &Site, database: &str) -> Site {
    let site = Site::with_database(Some(database.to_owned()));
    std::fs::DirBuilder::new().mode(0o700).create(site.data()).unwrap();
    std::fs::copy(first.data().join("master.key"), site.data().join("master.key")).unwrap();
    site
}

/// The address of a database that is not there yet.
pub fn fresh_database() -> String {
    let cluster = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
    custodia_testbed::with_database(&cluster, &custodia_testbed::fresh_database_name())
}

impl Pair {
    /// Makes them and starts both.
    pub fn new() -> Self {
        let database = fresh_database();
        let first = Site::with_database(Some(database.clone()));
        let made = first.done(&["org", "create", "north", "--admin", ADA]);
        let password = made.lines().find_map(|line| line.strip_prefix("temporary password ")).unwrap().to_owned();
        let second = another_site(&first, &database);
        let housekeeping = HOUSEKEEPING_SECONDS.to_string();
        let settings = [
            ("CUSTODIA_TRUST_FORWARDED", "true"),
            ("CUSTODIA_LIMITS_DRAIN_SECONDS", DRAIN_SECONDS),
            ("CUSTODIA_LIMITS_HOUSEKEEPING_SECONDS", housekeeping.as_str()),
            ("CUSTODIA_LIMITS_STALLED_MS", STALLED_MS),
        ];
        let sites =
            [first, second].map(|site| settings.iter().fold(site, |site, (name, value)| site.with(name, value)));
        let addresses = [(), ()].map(|()| Addresses { clients: free_address(), machines: free_address() });
        let mut pair = Self { sites, servers: [None, None], addresses, password };
        pair.start(0);
        pair.start(1);
        pair
    }

    /// Starts a node that is down, at the addresses it had.
    pub fn start(&mut self, node: usize) {
        assert!(self.servers[node].is_none());
        let Addresses { clients, machines } = self.addresses[node];
        let (clients, machines) = (clients.to_string(), machines.to_string());
        let server = self.sites[node].serve(&["--listen", &clients, "--ops-listen", &machines]);
        self.servers[node] = Some(server);
    }

    /// A node that runs.
    pub fn server(&self, node: usize) -> &Server {
        self.servers[node].as_ref().unwrap()
    }

    /// Takes a node that is to go down.
    pub fn take(&mut self, node: usize) -> Server {
        self.servers[node].take().unwrap()
    }

    /// The Web API at one node, for a user.
    pub fn api(&self, node: usize, user: &str) -> Api {
        self.server(node).api(&self.sites[node], "north", user)
    }

    /// The same user at the other node.
    pub fn elsewhere(&self, node: usize, api: &Api) -> Api {
        Api { client: self.server(node).client(), organization: api.organization.clone(), token: api.token.clone() }
    }

    /// Waits until a node is given work by the balancer.
    pub fn wait_for_traffic(&self, node: usize) {
        let answered = || -> u64 {
            let text = self.server(node).machines().get("/metrics").expect(200).text().to_owned();
            let name = "custodia_http_requests_total{status=\"2xx\"} ";
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
        };
        let before = answered();
        until("work for the node", || (answered() >= before + 20).then_some(()));
    }
}

/// Below the Web API's address: the path of a link that an answer holds.
pub fn below_api(link: &Value) -> String {
    let (_, path) = link.as_str().unwrap().split_once("/north/api/data/v9.2/").unwrap();
    path.to_owned()
}
