//! What the machine has, or leaves this process: limits that nobody set follow from it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where Linux tells the memory of the machine, and what the control group of the process may have of it.
const MEMORY: &str = "/proc/meminfo";
const MEMORY_OF_GROUP: &str = "/sys/fs/cgroup/memory.max";

/// Threads that run at one time; 1 where the system does not tell.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// MiB of memory that the process may have: the machine's, or less where its control group has less. `None` where the system
/// does not tell.
pub fn memory_mebibytes() -> Option<usize> {
    let machine =
        std::fs::read_to_string(MEMORY).ok().and_then(|text| total_kibibytes(&text)).map(|total| total / 1024);
    let group = std::fs::read_to_string(MEMORY_OF_GROUP).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let least = machine.into_iter().chain(group.map(|bytes| bytes >> 20)).min()?;
    usize::try_from(least).ok()
}

/// Files that the process may have open. The system's bound is raised first, as far as it lets itself be.
pub fn open_files() -> usize {
    let allowed = getrlimit(Resource::Nofile);
    if allowed.current < allowed.maximum || allowed.maximum.is_none() {
        // Where it is refused, the bound stays what it was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, maximum: allowed.maximum });
    }
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// The first line of `/proc/meminfo`.
fn total_kibibytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_system_tells_what_there_is() {
        assert_eq!(total_kibibytes("MemTotal:       24567890 kB\nMemFree: 1 kB\n"), Some(24_567_890));
        assert_eq!(total_kibibytes("MemFree: 1 kB\n"), None);
        assert!(memory_mebibytes().unwrap() > 64);
        assert!(open_files() >= 64 && processors() >= 1);
    }
}
