//! Runs a command beside a temporary PostgreSQL cluster: `with-postgres [--set NAME=VALUE]… COMMAND [ARGUMENT]…`.
//!
//! The command finds the cluster's URL in `CUSTODIA_TEST_POSTGRES`; this program ends with the command's exit code. If the
//! variable is set already, the command runs with that cluster. `--set` gives a line of the cluster's `postgresql.conf`.

#![expect(clippy::disallowed_methods, reason = "a program for tests: its arguments are its own to read")]

use std::process::{Command, ExitCode};

use custodia_testbed::{POSTGRES_VARIABLE, PrivateCluster};

const USAGE: &str = "usage: with-postgres [--set NAME=VALUE]… COMMAND [ARGUMENT]…";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("with-postgres: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut settings = Vec::new();
    while arguments.next_if(|argument| argument == "--set").is_some() {
        let setting = arguments.next().ok_or(USAGE)?;
        let (name, value) = setting.split_once('=').ok_or(USAGE)?;
        settings.push((name.to_owned(), value.to_owned()));
    }
    let mut command = Command::new(arguments.next().ok_or(USAGE)?);
    command.args(arguments);

    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let _cluster = match std::env::var_os(POSTGRES_VARIABLE) {
        Some(_) => None,
        None => {
            let cluster = PrivateCluster::start(&settings).map_err(|error| error.to_string())?;
            command.env(POSTGRES_VARIABLE, cluster.url());
            Some(cluster)
        }
    };
    let status = command.status().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
