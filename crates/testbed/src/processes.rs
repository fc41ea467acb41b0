//! Kills a server the way a power cut does: every process of it at once, with no chance to tidy up.

use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::error::{Doing, Error};

/// Kills every process that works in the folder, and returns when none is left.
///
/// All processes of a PostgreSQL server work in its data folder, so that this finds the server's children too, whoever
/// their parent is by now. The server itself goes first: it starts new children.
pub(crate) fn kill_all_in(data: &Path) -> Result<(), Error> {
    let mut first = server_of(data);
    loop {
        let present = working_in(data)?;
        if present.is_empty() {
            return Ok(());
        }
        let first = first.take().filter(|server| present.contains(server));
        let others = present.into_iter().filter(|pid| Some(*pid) != first);
        let handles: Vec<_> = first.into_iter().chain(others).filter_map(kill).collect::<Result<_, _>>()?;
        for handle in handles {
            poll(&mut [PollFd::new(&handle, PollFlags::IN)], None)
                .doing(|| "waiting for a killed PostgreSQL process to end".to_owned())?;
        }
    }
}

/// Sends a signal to every process that works in the folder.
pub(crate) fn signal_all_in(data: &Path, signal: Signal) -> Result<(), Error> {
    working_in(data)?.into_iter().try_for_each(|pid| send(pid, signal))
}

/// Sends a signal to the process that started all others of the folder, and lets clients in.
pub(crate) fn signal_server_of(data: &Path, signal: Signal) -> Result<(), Error> {
    let server = server_of(data).ok_or(Error::WrongState { is: "not running", wanted: "start it first" })?;
    send(server, signal)
}

fn send(pid: Pid, signal: Signal) -> Result<(), Error> {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        outcome => outcome.doing(|| format!("sending a signal to the PostgreSQL process {pid:?}")),
    }
}

/// The processes of the folder that serve clients.
pub(crate) fn serving_clients_in(data: &Path) -> Result<Vec<Pid>, Error> {
    // The server names them for whoever lists processes: user, database and where the client is.
    let serves = |pid: &Pid| {
        let line = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        line.starts_with("postgres: ") && line.contains("127.0.0.1(")
    };
    Ok(working_in(data)?.into_iter().filter(serves).collect())
}

/// Sends the signal and gives a handle that becomes readable when the process is gone; nothing if it is gone already.
fn kill(pid: Pid) -> Option<Result<std::os::fd::OwnedFd, Error>> {
    let killed = pidfd_open(pid, PidfdFlags::empty()).and_then(|handle| {
        kill_process(pid, Signal::KILL)?;
        Ok(handle)
    });
    match killed {
        Err(Errno::SRCH) => None,
        outcome => Some(outcome.doing(|| format!("killing the PostgreSQL process {pid:?}"))),
    }
}

/// The server's own process, from the file that it keeps while it runs.
fn server_of(data: &Path) -> Option<Pid> {
    let lock = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    Pid::from_raw(lock.lines().next()?.trim().parse().ok()?)
}

/// The living processes whose working folder is this one.
fn working_in(folder: &Path) -> Result<Vec<Pid>, Error> {
    let folder = folder.canonicalize().doing(|| format!("looking at {}", folder.display()))?;
    let processes = std::fs::read_dir("/proc").doing(|| "listing the processes".to_owned())?;
    Ok(processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
            // A process that has ended but was not waited for has no working folder any more.
            let works_in = std::fs::read_link(entry.path().join("cwd")).ok()?;
            (works_in == folder).then_some(pid)
        })
        .collect())
}
