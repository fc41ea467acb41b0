//! A server as a process of its own: started, asked what it has used, ended.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::http::Connection;

/// Clock ticks a second in which Linux counts a process's time: `USER_HZ`, 100 on every machine.
const TICKS_PER_SECOND: u32 = 100;

/// How often is looked whether a server that was asked to end has ended, and how long between two looks.
const ENDS_LOOKS: u32 = 1_000;
const ENDS_LOOK: Duration = Duration::from_millis(20);

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it answers.
    pub address: SocketAddr,
    /// Where it tells its metrics, if it said so.
    pub operations: Option<SocketAddr>,
}

impl Server {
    /// Starts a program and waits for its line `ready http://…`. What it writes to standard error goes to `log`.
    ///
    /// # Errors
    /// A program that ends first, or is not there.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let errors = std::fs::File::create(log).with_context(|| format!("making {}", log.display()))?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("starting {name}: it is built by 'make bench'"))?;
        let output = child.stdout.take().context("the output of the server")?;
        let mut lines = BufReader::new(output).lines();
        let mut operations = None;
        for line in lines.by_ref() {
            let line = line?;
            let address_in = |text: &str| text.trim().parse().with_context(|| format!("the address in '{line}'"));
            if let Some(address) = line.strip_prefix("operations http://") {
                operations = Some(address_in(address)?);
            } else if let Some(address) = line.strip_prefix("ready http://") {
                let address = address_in(address)?;
                // Nobody reads on, and a full pipe would stop the server.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { child, address, operations });
            }
        }
        let status = child.wait()?;
        let said = std::fs::read_to_string(log).unwrap_or_default();
        bail!("{name} ended before it was ready ({status}): {}", said.trim_end())
    }

    /// Ends it as a failure does, without a word before.
    pub fn kill(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory that it has now, in MiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory_mebibytes(&self) -> Result<u64> {
        Ok(self.memory_kibibytes()? / 1024)
    }

    /// Memory that it has now, in KiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory_kibibytes(&self) -> Result<u64> {
        memory_kibibytes(self.id())
    }

    /// A counter or gauge without labels among its metrics.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn metric(&self, name: &str) -> Result<u64> {
        let operations = self.operations.context("the server says where its metrics are")?;
        let mut connection = Connection::open(operations).await?;
        let answer = connection.ask(b"GET /metrics HTTP/1.1\r\nhost: custodia\r\n\r\n").await?;
        metric(&String::from_utf8_lossy(answer.body), name).with_context(|| format!("the metric {name}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // What it learnt of its own work it writes when it ends in order (`scripts/release`).
        let asked = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let ended = asked.is_ok()
            && (0..ENDS_LOOKS).any(|_| {
                std::thread::sleep(ENDS_LOOK);
                !matches!(self.child.try_wait(), Ok(None))
            });
        if !ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Memory that a process has now, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn memory_mebibytes(process: u32) -> Result<u64> {
    Ok(memory_kibibytes(process)? / 1024)
}

fn memory_kibibytes(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the memory of a process")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A counter without labels in Prometheus' text.
fn metric(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Processor time that a process has used in all its threads.
///
/// # Errors
/// When there is no such process.
pub fn processor_time(process: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).context("the time of a process")?;
    used_ticks(&text).map(|ticks| Duration::from_secs(ticks) / TICKS_PER_SECOND).context("the time of a process")
}

/// Processor time that the calling thread has used, to the nanosecond.
///
/// # Errors
/// When Linux does not tell.
pub fn thread_time() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("the time of a thread")?;
    let nanoseconds = text.split_whitespace().next().and_then(|field| field.parse().ok());
    nanoseconds.map(Duration::from_nanos).context("the time of a thread")
}

/// Ticks in user and system mode: the 14th and 15th field, where the second may hold blanks.
fn used_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(ticks()? + ticks()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ticks_stand_behind_a_name_with_blanks() {
        let stat = "12 (a b) c) S 1 2 3 4 5 6 7 8 9 10 70 35 0 0 20 0 5 0 99 1 2";
        assert_eq!(used_ticks(stat), Some(105));
        assert!(processor_time(std::process::id()).is_ok());
    }

    #[test]
    fn a_server_is_ready_when_it_says_so_and_ends_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut script = Command::new("sh");
        script.args([
            "-c",
            "echo starting; echo operations http://127.0.0.1:82; echo ready http://127.0.0.1:81; exec sleep 1000",
        ]);
        let server = Server::start(&mut script, &log).unwrap();
        assert_eq!((server.address.port(), server.operations.unwrap().port()), (81, 82));
        let id = server.id();
        drop(server);
        assert!(processor_time(id).is_err());
    }

    #[test]
    fn a_server_that_ends_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let mut script = Command::new("sh");
        script.args(["-c", "echo no such folder >&2; exit 3"]);
        let error = Server::start(&mut script, &folder.path().join("log")).unwrap_err().to_string();
        assert!(error.contains("no such folder") && error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# TYPE custodia_write_requests_total counter\ncustodia_write_requests_total_x 1\ncustodia_write_requests_total 42\n";
        assert_eq!(metric(text, "custodia_write_requests_total"), Some(42));
        assert_eq!(metric(text, "custodia_write"), None);
    }
}
