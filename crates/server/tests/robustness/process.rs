//! What a server takes of the machine, as the system tells it.

use crate::site::{Server, until};

/// Bytes that an attack may add to what the server held at its busiest before, unless a test says otherwise: buffers of
/// connections, and what the allocator keeps.
pub const GROWTH_MAX: u64 = 96 << 20;
/// Files that may be open afterwards besides those before: databases and pooled readers that were opened meanwhile.
const FILES_KEPT_MAX: usize = 24;

/// What a server had open and held before something was done to it.
pub struct Before {
    files: usize,
    most_bytes: u64,
}

impl Before {
    pub fn of(server: &Server) -> Self {
        Self { files: open_files(server), most_bytes: most_bytes(server) }
    }

    /// Holds what the server has now against it: memory at its most, and open files once they are closed again. A request
    /// is answered, and nothing panicked.
    #[track_caller]
    pub fn holds(&self, server: &Server) {
        self.holds_within(server, GROWTH_MAX);
    }

    #[track_caller]
    pub fn holds_within(&self, server: &Server, growth_max: u64) {
        let grown = most_bytes(server).saturating_sub(self.most_bytes);
        assert!(grown <= growth_max, "it took {} MiB more, not {}", grown >> 20, growth_max >> 20);
        until("files are closed again", || (open_files(server) <= self.files + FILES_KEPT_MAX).then_some(()));
        until("no request is at work", || (metric(server, "custodia_http_requests_running") == 0).then_some(()));
        server.client().get("/").expect(200);
        assert!(!server.log().contains("panicked"), "{}", server.log());
    }
}

/// Files, sockets among them, that the process has open.
pub fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.process())).unwrap().count()
}

/// Bytes of memory that the process held at its most.
pub fn most_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Hundredths of a second that the process has worked.
pub fn worked(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process())).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    // User and system time stand at places 14 and 15 of the line, the third is the first after the name.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The value of a metric.
#[track_caller]
pub fn metric(server: &Server, name: &str) -> u64 {
    let answer = server.machines().get("/metrics");
    let value = answer.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no metric {name}"))
}
