//! Runs the server programs, and sees to it that a cluster never outlives the tests that wanted it.
//!
//! The owner of a cluster may be killed at any moment, so no exit handler of its own can be relied on. A small shell
//! process starts the server and then waits on its standard input, whose other end only the owner holds: when the owner
//! ends in whatever way, the wait ends, and the shell stops the server and removes its folder.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{Doing, Error};
use crate::installation::{Installation, User};

/// Arguments: folder of the programs, folder of the cluster. Says `ready` or `failed`, then waits for one word.
const SCRIPT: &str = r#"
programs=$1
folder=$2
if "$programs/pg_ctl" start --pgdata="$folder/data" --log="$folder/log" --wait --timeout=60 --silent \
    </dev/null >/dev/null 2>&1
then echo ready
else echo failed; exit 1
fi
exec >/dev/null 2>&1
read -r word || word=vanished
case $word in
    crashed) ;;
    stop) "$programs/pg_ctl" stop --pgdata="$folder/data" --mode=fast --wait ;;
    *) "$programs/pg_ctl" stop --pgdata="$folder/data" --mode=immediate --wait; rm -rf "$folder" ;;
esac
"#;

/// How a server is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// Orderly, the folder stays.
    Stop,
    /// The server is dead already, the folder stays.
    Crashed,
    /// At once, and the folder is removed.
    Remove,
}

/// The shell process that watches over a running server.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Supervisor {
    /// Starts the server of the cluster in `folder` and waits until it answers.
    pub(crate) fn start(installation: &Installation, folder: &Path) -> Result<Self, Error> {
        let mut shell = program("sh")
            .args(["-c", SCRIPT, "supervisor"])
            .arg(&installation.programs)
            .arg(folder)
            .current_dir(folder)
            // A group of its own: an interrupt typed at the tests must not end the one that cleans up after them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing(|| "starting the PostgreSQL server".to_owned())?;
        let input = shell.stdin.take();
        let mut answer = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut answer).doing(|| "waiting for the PostgreSQL server".to_owned())?;
        }
        if answer.trim_end() == "ready" {
            return Ok(Self { shell, input });
        }
        shell.wait().doing(|| "ending the supervisor of the PostgreSQL server".to_owned())?;
        Err(Error::DidNotStart { folder: folder.to_owned(), log: end_of_log(folder) })
    }

    /// Ends the server as asked and waits until that is done.
    pub(crate) fn end(mut self, ending: Ending) -> Result<(), Error> {
        let word: &[u8] = match ending {
            Ending::Stop => b"stop\n",
            Ending::Crashed => b"crashed\n",
            Ending::Remove => b"remove\n",
        };
        if let Some(mut input) = self.input.take() {
            input.write_all(word).doing(|| "speaking to the supervisor of the PostgreSQL server".to_owned())?;
        }
        self.shell.wait().doing(|| "waiting for the PostgreSQL server to end".to_owned())?;
        Ok(())
    }
}

/// The end of what the server wrote, enough to see why it did not start.
pub(crate) fn end_of_log(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let kept = lines.len().min(20);
    lines.split_at(lines.len() - kept).1.join("\n")
}

/// A command that runs as the user the cluster belongs to, undisturbed by the caller's PostgreSQL settings and language.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = match User::instead_of_root() {
        None => Command::new(name),
        Some(User { user_id, group_id }) => {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={user_id}"))
                .arg(format!("--regid={group_id}"))
                .args(["--clear-groups", "--"])
                .arg(name);
            command
        }
    };
    for variable in ["PGDATA", "PGDATABASE", "PGHOST", "PGOPTIONS", "PGPASSWORD", "PGPORT", "PGSERVICE", "PGUSER"] {
        command.env_remove(variable);
    }
    command.env("LC_ALL", "C");
    command
}
