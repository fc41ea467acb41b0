//! What the server holds while it is at work, looked at again and again; and whether that grows.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::over::Over;
use crate::site::{Site, files_below};

/// Time between two looks, where the load goes on for long enough.
const INTERVAL: Duration = Duration::from_secs(10);
/// Looks at least.
const LOOKS_MIN: u32 = 20;

/// Something that is counted; how much of it there may be at any time, and how much it may grow: a line through the second half
/// of the looks rises by no more than what is noise anyway and what is allowed for an hour.
struct Bound {
    name: &'static str,
    unit: &'static str,
    most: f64,
    noise: f64,
    per_hour: f64,
}

const BOUNDS: [Bound; 6] = [
    Bound { name: "resident memory", unit: "MiB", most: 384.0, noise: 24.0, per_hour: 16.0 },
    Bound { name: "open files", unit: "", most: 200.0, noise: 40.0, per_hour: 10.0 },
    Bound { name: "threads", unit: "", most: 64.0, noise: 24.0, per_hour: 4.0 },
    // A file keeps the room that its log took at most, which is what is written while a backup copies it: the busier the machine,
    // the longer that takes. Here it is a third of what `limits.log_mebibytes` allows the three.
    Bound { name: "write-ahead logs", unit: "MiB", most: 256.0, noise: 32.0, per_hour: 8.0 },
    Bound { name: "files of the data folder", unit: "", most: 64.0, noise: 10.0, per_hour: 2.0 },
    Bound { name: "connections to PostgreSQL", unit: "", most: 40.0, noise: 6.0, per_hour: 1.0 },
];

/// All looks: when, in seconds since the first one, and the numbers in the order of the bounds.
pub struct Samples {
    looks: Vec<(f64, [f64; BOUNDS.len()])>,
}

impl Samples {
    /// Looks at a server's process until it is over. `port` is that of its PostgreSQL, where it has one.
    pub fn of(process: u32, site: &Site, port: Option<u16>, length: Duration, over: &Over) -> Self {
        let begun = Instant::now();
        let mut looks = Vec::new();
        println!(
            "{}",
            BOUNDS.iter().fold(format!("{:>8}", "seconds"), |line, bound| format!("{line} {:>26}", bound.name))
        );
        loop {
            let (seconds, numbers) = (begun.elapsed().as_secs_f64(), look(process, site, port));
            println!("{}", line(seconds, &numbers));
            looks.push((seconds, numbers));
            if over.within(INTERVAL.min(length / LOOKS_MIN)) {
                return Self { looks };
            }
        }
    }

    /// What there was more of, at some time, than there may be.
    pub fn excesses(&self) -> Vec<String> {
        let most = |at: usize| self.looks.iter().map(|(_, numbers)| numbers[at]).fold(0.0, f64::max);
        let found = BOUNDS.iter().enumerate().filter(|(at, bound)| most(*at) > bound.most);
        found
            .map(|(at, bound)| format!("{}: {:.1} {}, {:.1} at most", bound.name, most(at), bound.unit, bound.most))
            .collect()
    }

    /// What grew by more than it may. Seconds say nothing of it: an import and a backup take what the next ones use again.
    pub fn faults(&self) -> Vec<String> {
        let half = self.second_half();
        let (Some((from, _)), Some((to, _))) = (half.first(), half.last()) else { return Vec::new() };
        let hours = (to - from) / 3_600.0;
        let grown = BOUNDS.iter().enumerate().filter_map(|(at, bound)| {
            let points: Vec<_> = half.iter().map(|(seconds, numbers)| (*seconds, numbers[at])).collect();
            let (rise, allowed) = (rise(&points), bound.noise + bound.per_hour * hours);
            let Bound { name, unit, .. } = bound;
            (rise > allowed)
                .then(|| format!("{name}: {rise:.1} {unit} more over the second half, {allowed:.1} are allowed"))
        });
        grown.collect()
    }

    /// First and last numbers of the second half, and how the line between them rises.
    pub fn summary(&self) -> String {
        let half = self.second_half();
        let told = BOUNDS.iter().enumerate().filter_map(|(at, bound)| {
            let points: Vec<_> = half.iter().map(|(seconds, numbers)| (*seconds, numbers[at])).collect();
            let last = points.last()?.1;
            let Bound { name, unit, .. } = bound;
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            (last > 0.0).then(|| format!("{name} {last:.0}{unit} ({:+.1} over the second half)", rise(&points)))
        });
        told.collect::<Vec<_>>().join(", ")
    }

    fn second_half(&self) -> &[(f64, [f64; BOUNDS.len()])] {
        &self.looks[self.looks.len() / 2..]
    }
}

/// A look as a line of a table.
fn line(seconds: f64, numbers: &[f64; BOUNDS.len()]) -> String {
    numbers.iter().fold(format!("{seconds:>8.0}"), |line, number| format!("{line} {number:>26.1}"))
}

/// How much a line fitted to points (seconds, value) rises between the first and the last.
fn rise(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (middle, value) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(at, _)| (at - middle).powi(2)).sum();
    if spread == 0.0 {
        return 0.0;
    }
    let slope = points.iter().map(|(at, found)| (at - middle) * (found - value)).sum::<f64>() / spread;
    slope * (points[points.len() - 1].0 - points[0].0)
}

fn look(process: u32, site: &Site, port: Option<u16>) -> [f64; BOUNDS.len()] {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let number = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .collect();
    // A file may be gone between its listing and this.
    let files = files_below(site.data());
    let logs = files.iter().filter(|path| path.display().to_string().ends_with("-wal"));
    let log_bytes: u64 = logs.filter_map(|path| Some(path.metadata().ok()?.len())).sum();
    let mebibyte = (1 << 20) as f64;
    [
        number("VmRSS:") / 1_024.0,
        open.len() as f64,
        number("Threads:"),
        log_bytes as f64 / mebibyte,
        files.len() as f64,
        port.map_or(0, |port| connections(&open, port)) as f64,
    ]
}

/// How many of the open sockets lead to a port.
fn connections(open: &[String], port: u16) -> usize {
    let own: HashSet<&str> = open.iter().filter_map(|name| name.strip_prefix("socket:[")?.strip_suffix(']')).collect();
    // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!(":{port:04X}");
    table
        .lines()
        .filter(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.get(2).is_some_and(|address| address.ends_with(&remote))
                && words.get(9).is_some_and(|inode| own.contains(inode))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks over an hour, one in ten seconds.
    fn over_an_hour(memory: impl Fn(f64) -> f64) -> Samples {
        let looks = (0..360).map(|number| {
            let seconds = f64::from(number) * 10.0;
            (seconds, [memory(seconds), 0.0, 0.0, 0.0, 0.0, 0.0])
        });
        Samples { looks: looks.collect() }
    }

    #[test]
    fn what_grows_without_end_is_found_and_what_settles_or_sways_is_not() {
        // 70 MiB an hour are 35 in its second half; 24 and 8 are allowed.
        let leaking = over_an_hour(|seconds| 100.0 + seconds * 70.0 / 3_600.0);
        let [fault] = leaking.faults().try_into().unwrap();
        assert_eq!(fault, "resident memory: 34.8 MiB more over the second half, 32.0 are allowed");
        let settling = over_an_hour(|seconds| 400.0 - 300.0 * (-seconds / 300.0).exp());
        assert_eq!(settling.faults(), [""; 0]);
        let swaying = over_an_hour(|seconds| 200.0 + if (seconds as u64).is_multiple_of(20) { 60.0 } else { 0.0 });
        assert_eq!(swaying.faults(), [""; 0]);
        assert_eq!(swaying.excesses(), [""; 0]);
        let [excess] = over_an_hour(|seconds| if seconds == 50.0 { 400.0 } else { 1.0 }).excesses().try_into().unwrap();
        assert_eq!(excess, "resident memory: 400.0 MiB, 384.0 at most");
    }
}
