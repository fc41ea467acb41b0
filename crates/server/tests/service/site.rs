//! An installation in a folder of its own, the commands that are given to it, and the servers that run on it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::{Answer, Api, Client};

/// How long something may take that takes no time; a demonstration needs more.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);

/// The engine that keeps the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs tests that take an engine on both.
macro_rules! on_both_engines {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test]
            fn $test() {
                super::$test(crate::site::Engine::Sqlite);
            })+
        }
        mod on_postgres {
            $(#[test]
            fn $test() {
                super::$test(crate::site::Engine::Postgres);
            })+
        }
    };
}
pub(crate) use on_both_engines;

/// An installation.
pub struct Site {
    folder: TempDir,
    data: PathBuf,
    database: Option<String>,
    variables: Vec<(String, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub output: String,
    pub errors: String,
}

impl Site {
    pub fn new(engine: Engine) -> Self {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                let cluster = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
                Some(custodia_testbed::with_database(&cluster, &custodia_testbed::fresh_database_name()))
            }
        };
        Self::with_database(database)
    }

    pub fn with_database(database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { data: folder.path().join("data"), folder, database, variables: Vec::new() }
    }

    /// The same, with a variable of the environment for all its processes.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An organisation `north` with the administrator `ada@north.example`, made without a server.
    pub fn with_north(self) -> Self {
        self.done(&["org", "create", "north", "--admin", "ada@north.example"]);
        self
    }

    /// The address of its PostgreSQL database.
    #[allow(dead_code, reason = "the tests of the service use it")]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Has the data folder elsewhere.
    pub fn set_data(&mut self, name: &str) {
        self.data = self.beside(name);
    }

    /// A path beside the data folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the data folder; its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.beside(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The command line for this installation.
    fn command(&self, arguments: &[&str]) -> Command {
        self.given_to(program(), arguments)
    }

    /// The same, after what is there of the command line.
    fn given_to(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).arg("--data").arg(self.data()).envs(self.variables.iter().cloned());
        if let Some(database) = &self.database {
            command.arg("--database").arg(database);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command(arguments))
    }

    /// Runs a command whose output nobody reads; its exit code.
    pub fn run_unread(&self, arguments: &[&str]) -> Option<i32> {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.command(arguments).stdin(Stdio::null()).stdout(writer).status().unwrap().code()
    }

    /// Runs a command that succeeds; its output.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.errors);
        outcome.output
    }

    /// Runs a command that is refused; the one line that says why.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> String {
        self.run(arguments).refusal()
    }

    /// A token from the command line.
    #[track_caller]
    pub fn token(&self, organization: &str, user: &str) -> String {
        self.done(&["token", "--org", organization, "--user", user]).trim_end().to_owned()
    }

    /// Starts a server and waits until it says that it answers.
    #[track_caller]
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut server = self.start(arguments);
        server.wait_until_ready(PATIENCE);
        server
    }

    /// Starts a server.
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Server {
        self.start_with(arguments, File::create(self.log()).unwrap().into())
    }

    fn log(&self) -> PathBuf {
        self.beside("log")
    }

    fn start_with(&self, arguments: &[&str], errors: Stdio) -> Server {
        self.start_command(program(), arguments, errors)
    }

    /// Starts a server by a program that turns into it, such as `sh -c 'ulimit -n 64; exec "$@"' sh`.
    #[track_caller]
    #[allow(dead_code, reason = "the tests of robustness use it")]
    pub fn serve_by(&self, program_and_arguments: &[&str]) -> Server {
        let (first, rest) = program_and_arguments.split_first().unwrap();
        let mut command = Command::new(first);
        command.args(rest).arg(env!("CARGO_BIN_EXE_custodia"));
        let mut server = self.start_command(command, &[], File::create(self.log()).unwrap().into());
        server.wait_until_ready(PATIENCE);
        server
    }

    /// Starts a server whose log goes there.
    #[track_caller]
    pub fn serve_logging_to(&self, errors: Stdio) -> Server {
        std::fs::write(self.log(), "").unwrap();
        let mut server = self.start_with(&[], errors);
        server.wait_until_ready(PATIENCE);
        server
    }

    fn start_command(&self, command: Command, arguments: &[&str], errors: Stdio) -> Server {
        let mut command = self.given_to(command, &["serve"]);
        // Something else in the arguments stands above this.
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Server { child, lines: Mutex::new(lines), log: self.log(), output: Vec::new(), url: String::new() }
    }

    /// Starts a server whose log nobody reads.
    pub fn serve_unread(&self) -> Server {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.serve_logging_to(writer.into())
    }

    /// Whether any file of the data folder, or a folder in it, has a name that contains the text.
    pub fn has_file_named(&self, text: &str) -> bool {
        files_below(self.data()).iter().any(|path| path.file_name().unwrap().to_string_lossy().contains(text))
    }
}

/// The program, with an empty environment.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custodia"));
    command.env_clear();
    command
}

pub fn outcome(mut command: Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Outcome {
        code: output.status.code().unwrap_or_else(|| panic!("{:?} ended by {}", command.get_args(), output.status)),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Outcome {
    /// The one line that says why it was not done: the last, after how far the work had got.
    #[track_caller]
    pub fn refusal(&self) -> String {
        assert_eq!((self.code, self.output.as_str()), (1, ""), "{}", self.errors);
        let reasons: Vec<_> = self.errors.lines().filter(|line| line.starts_with("custodia: ")).collect();
        let [line] = reasons.as_slice() else { panic!("one line, not {}", self.errors) };
        assert_eq!(self.errors.lines().last(), Some(*line));
        line.strip_prefix("custodia: ").unwrap_or_else(|| panic!("{line}")).to_owned()
    }
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Looks until there is something.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let steps = PATIENCE.as_millis() / STEP.as_millis();
    for _ in 0..steps {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(STEP);
    }
    panic!("{what} did not come about");
}

/// A running server. It is killed when it is dropped.
pub struct Server {
    child: Child,
    lines: Mutex<Receiver<String>>,
    log: PathBuf,
    /// The lines it has printed so far.
    pub output: Vec<String>,
    /// What it says it is reached at.
    pub url: String,
}

impl Server {
    #[track_caller]
    pub fn wait_until_ready(&mut self, patience: Duration) {
        loop {
            let Ok(line) = self.lines.get_mut().unwrap().recv_timeout(patience) else {
                panic!("the server is not ready: {:?}, {}", self.output, self.log());
            };
            self.output.push(line.clone());
            if let Some(url) = line.strip_prefix("ready ") {
                url.clone_into(&mut self.url);
                return;
            }
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        until(&format!("'{text}' in the log"), || self.log().contains(text).then_some(()));
    }

    pub fn address(&self) -> SocketAddr {
        self.url.split_once("://").unwrap().1.parse().unwrap()
    }

    pub fn client(&self) -> Client {
        Client::plain(self.address())
    }

    /// The operations listener.
    pub fn machines(&self) -> Client {
        let line = self.output.iter().find_map(|line| line.strip_prefix("operations http://")).unwrap();
        Client::plain(line.parse().unwrap())
    }

    /// The Web API for a user, with a token from the command line.
    #[track_caller]
    pub fn api(&self, site: &Site, organization: &str, user: &str) -> Api {
        let token = site.token(organization, user);
        Api { client: self.client(), organization: organization.to_owned(), token }
    }

    /// What a program is answered that signs in to `north` with its secret.
    pub fn program_signs_in(&self, application: &str, secret: &str) -> Answer {
        let scope = format!("{}/north/.default", self.url);
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", application),
            ("client_secret", secret),
            ("scope", scope.as_str()),
        ];
        self.client().form("/north/oauth2/v2.0/token", &fields)
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.process()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Asks it to end.
    pub fn tell_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        until("the end of the server", || self.child.try_wait().unwrap())
    }

    /// Asks it to end, and it does so in order.
    #[track_caller]
    pub fn stop(mut self) {
        self.tell_to_stop();
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
