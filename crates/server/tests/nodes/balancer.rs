//! The balancer: HAProxy with the configuration that operators are given, at other addresses.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::http::Client;
use crate::site::until;

/// What operators are given.
const CONFIGURATION: &str = include_str!("../../../../docs/operations/haproxy.cfg");
/// Where Debian puts it, which is not on everybody's search path.
const PROGRAM: &str = "/usr/sbin/haproxy";
/// Seconds after which a node that does not answer is given up here.
pub const PATIENCE_SECONDS: u32 = 10;

/// A running balancer. It ends with this value, or with the thread that made it.
pub struct Balancer {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// Where a node is asked.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// By clients.
    pub clients: SocketAddr,
    /// By machines.
    pub machines: SocketAddr,
}

/// An address that nobody has, and nobody gets who names none: it is not of the ports that the system gives out.
pub fn free_address() -> SocketAddr {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let of_this_process = u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = 20_000 + (of_this_process + TRIED.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

impl Balancer {
    pub fn start(nodes: [Addresses; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let mut text = CONFIGURATION.to_owned();
        let mut set = |theirs: &str, ours: String| {
            assert_eq!(text.matches(theirs).count(), 1, "{theirs}");
            text = text.replace(theirs, &ours);
        };
        set("bind 127.0.0.1:8080", format!("bind {address}"));
        for (node, theirs) in nodes.iter().zip(["127.0.0.1:8081 port 9081", "127.0.0.1:8082 port 9082"]) {
            set(theirs, format!("{} port {}", node.clients, node.machines.port()));
        }
        set("timeout server 130s", format!("timeout server {PATIENCE_SECONDS}s"));
        let path = folder.path().join("haproxy.cfg");
        std::fs::write(&path, text).unwrap();
        let program = if std::path::Path::new(PROGRAM).exists() { PROGRAM } else { "haproxy" };
        // It ends with the thread that started it, also when this process is killed.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", program, "-q", "-db", "-f"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("HAProxy and setpriv are needed for this test: scripts/prepare test");
        let balancer = Self { process, address, _folder: folder };
        until("the balancer", || TcpStream::connect(address).ok());
        balancer
    }

    pub fn client(&self) -> Client {
        Client::plain(self.address)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
