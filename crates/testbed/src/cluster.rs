//! A PostgreSQL cluster of one's own, in a temporary folder, on a port of its own.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::error::{Doing, Error};
use crate::installation::{Installation, User};
use crate::processes::{kill_all_in, serving_clients_in, signal_all_in, signal_server_of};
use crate::supervisor::{Ending, Supervisor, end_of_log, program};
use crate::write_ahead_log;

/// The cluster's superuser, as whom the tests connect.
const SUPERUSER: &str = "custodia";

/// How often another port is tried when somebody else took the chosen one.
const ATTEMPTS_MAX: usize = 5;

/// What every test cluster is set to, unless a test says otherwise. Durability is PostgreSQL's default: on.
///
/// Checkpoints are rare, so that the tests that cut back the write-ahead log still find all of it.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "300"),
    ("shared_buffers", "256MB"),
    ("jit", "off"),
    ("checkpoint_timeout", "1h"),
    ("max_wal_size", "4GB"),
];

/// A cluster that belongs to one test: it may be killed, started again, copied and cut back.
///
/// It ends with this value, or with the process if that comes first, even if the process is killed; its folder goes
/// with it. Its default collation is a linguistic one on purpose: a statement that relies on the order of bytes has to
/// say so, since an operator's cluster may have any collation.
#[derive(Debug)]
pub struct PrivateCluster {
    installation: Installation,
    folder: TempDir,
    port: u16,
    password: String,
    server: Server,
}

/// What the server of a cluster is doing.
#[derive(Debug)]
enum Server {
    Running(Supervisor),
    Stopped,
    Crashed,
}

impl PrivateCluster {
    /// Makes a cluster and starts it.
    ///
    /// `settings` are lines of `postgresql.conf` that go beyond or against the usual ones, for example
    /// `("synchronous_commit", "off")`.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] without the server programs, [`Error::DidNotStart`] with the server's own words.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, Error> {
        let installation = Installation::find().ok_or(Error::NotInstalled)?;
        let folder = new_folder()?;
        let password = new_password()?;
        make(&installation, folder.path(), &password)?;
        configure(folder.path(), SETTINGS.iter().chain(settings))?;
        let mut cluster = Self { installation, folder, port: 0, password, server: Server::Stopped };
        cluster.start_on_a_free_port()?;
        Ok(cluster)
    }

    /// Where to connect: a URL with user, password, loopback port and the database `postgres`. It stays the same when
    /// the cluster is restarted. See [`with_database`] for another database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// The end of what the server wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        end_of_log(self.folder.path())
    }

    /// Kills every process of the server at once, as a crash does, and returns when all are gone.
    ///
    /// What the operating system was given stays: this alone shows nothing about flushing. For that, see
    /// [`PrivateCluster::take_write_ahead_log`].
    ///
    /// # Errors
    /// [`Error::WrongState`] if it is not running.
    pub fn crash(&mut self) -> Result<(), Error> {
        let supervisor = self.running()?;
        kill_all_in(&self.data())?;
        self.server = Server::Crashed;
        supervisor.end(Ending::Crashed)?;
        // Every process is gone, but until somebody has asked for its exit code the server's number still exists, and
        // the next start would take that for a running server.
        for lock in
            [self.data().join("postmaster.pid"), self.folder.path().join(format!(".s.PGSQL.{}.lock", self.port))]
        {
            std::fs::remove_file(&lock).doing(|| format!("removing {}", lock.display()))?;
        }
        Ok(())
    }

    /// Stops every process of the server where it is (`SIGSTOP`): it takes connections and answers nothing.
    ///
    /// # Errors
    /// When the processes cannot be listed or signalled.
    pub fn pause(&self) -> Result<(), Error> {
        signal_all_in(&self.data(), Signal::STOP)
    }

    /// Stops the process that lets clients in: connections that there are go on, and new ones are never answered.
    ///
    /// # Errors
    /// As [`PrivateCluster::pause`].
    pub fn pause_admission(&self) -> Result<(), Error> {
        signal_server_of(&self.data(), Signal::STOP)
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    /// As [`PrivateCluster::pause`].
    pub fn go_on(&self) -> Result<(), Error> {
        signal_all_in(&self.data(), Signal::CONT)
    }

    /// Ends every connection of a client, as `pg_terminate_backend` does; how many there were.
    ///
    /// # Errors
    /// As [`PrivateCluster::pause`].
    pub fn end_connections(&self) -> Result<usize, Error> {
        let connections = serving_clients_in(&self.data())?;
        for pid in &connections {
            // One that is gone already has ended too.
            let _ = kill_process(*pid, Signal::TERM);
        }
        Ok(connections.len())
    }

    /// Stops the server in an orderly way: open transactions are rolled back, everything is written to its place.
    ///
    /// # Errors
    /// [`Error::WrongState`] if it is not running.
    pub fn stop(&mut self) -> Result<(), Error> {
        let supervisor = self.running()?;
        supervisor.end(Ending::Stop)
    }

    /// Starts a stopped, crashed or copied cluster at the same address, and returns when it has recovered and answers.
    ///
    /// # Errors
    /// [`Error::WrongState`] if it is running, [`Error::DidNotStart`] if it does not recover.
    pub fn restart(&mut self) -> Result<(), Error> {
        if let Server::Running(_) = self.server {
            return Err(Error::WrongState { is: "running", wanted: "crash or stop it first" });
        }
        self.server = Server::Running(Supervisor::start(&self.installation, self.folder.path())?);
        Ok(())
    }

    /// A second cluster with a copy of this one's files, not running yet: [`PrivateCluster::restart`] starts it.
    ///
    /// # Errors
    /// [`Error::WrongState`] if this one is running, since its files change while they are copied.
    pub fn copy_data_dir(&self) -> Result<Self, Error> {
        self.at_rest()?;
        let folder = new_folder()?;
        copy(&self.data(), &folder.path().join("data"))?;
        let copied = Self {
            installation: self.installation.clone(),
            folder,
            port: free_port()?,
            password: self.password.clone(),
            server: Server::Stopped,
        };
        copied.move_to_own_address()?;
        Ok(copied)
    }

    /// Makes this copy what the disk of `crashed` would hold if nothing after the position `flushed` had reached it.
    ///
    /// This cluster must be a copy of `crashed`, made when that was stopped last. It takes over the write-ahead log that
    /// was written since, up to the position (as `pg_current_wal_flush_lsn()` gives it) and not a byte further; the next
    /// [`PrivateCluster::restart`] recovers from that. A write that was acknowledged before the position was read has to
    /// be there afterwards. It is a statement about the order of flush and acknowledgement, so assert `fsync` and
    /// `full_page_writes` beside it: with `fsync` off, PostgreSQL counts as flushed what it never flushed.
    ///
    /// # Errors
    /// [`Error::WrongState`] if one of the two is running or `crashed` made a checkpoint since it was copied,
    /// [`Error::NotAPosition`].
    pub fn take_write_ahead_log(&mut self, crashed: &Self, flushed: &str) -> Result<(), Error> {
        self.at_rest()?;
        crashed.at_rest()?;
        let position = flushed.parse()?;
        if self.last_checkpoint()? != crashed.last_checkpoint()? {
            return Err(Error::WrongState {
                is: "older than the crashed one's last checkpoint",
                wanted: "copy it when it was stopped last, and do not checkpoint it after that",
            });
        }
        // Says that the databases were in use, without which the server sees no need to recover.
        let control = Path::new("global/pg_control");
        copy(&crashed.data().join(control), &self.data().join(control))?;
        write_ahead_log::take_until(&crashed.data(), &self.data(), position)
    }

    /// Where recovery would begin, as the cluster's control file has it.
    fn last_checkpoint(&self) -> Result<String, Error> {
        let reading = || format!("reading the control file of {}", self.data().display());
        let output =
            program(self.installation.programs.join("pg_controldata")).arg(self.data()).output().doing(reading)?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines()
            .find_map(|line| line.strip_prefix("Latest checkpoint location:"))
            .map(|location| location.trim().to_owned())
            .ok_or_else(|| std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
            .doing(reading)
    }

    /// The folder that holds the databases.
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Takes the supervisor of the running server; the server counts as stopped from here on.
    fn running(&mut self) -> Result<Supervisor, Error> {
        match std::mem::replace(&mut self.server, Server::Stopped) {
            Server::Running(supervisor) => Ok(supervisor),
            other => {
                let is = other.name();
                self.server = other;
                Err(Error::WrongState { is, wanted: "restart it first" })
            }
        }
    }

    fn at_rest(&self) -> Result<(), Error> {
        match self.server {
            Server::Running(_) => Err(Error::WrongState { is: "running", wanted: "stop or crash it first" }),
            Server::Stopped | Server::Crashed => Ok(()),
        }
    }

    fn start_on_a_free_port(&mut self) -> Result<(), Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            self.port = free_port()?;
            self.move_to_own_address()?;
            match self.restart() {
                Err(Error::DidNotStart { log, .. })
                    if attempts < ATTEMPTS_MAX && log.contains("Address already in use") => {}
                outcome => return outcome,
            }
        }
    }

    /// The last word on port and socket folder, both of which belong to one cluster only.
    fn move_to_own_address(&self) -> Result<(), Error> {
        let socket_folder = self.folder.path().display().to_string();
        configure(
            self.folder.path(),
            [("port", self.port.to_string().as_str()), ("unix_socket_directories", &socket_folder)].iter(),
        )
    }
}

impl Server {
    fn name(&self) -> &'static str {
        match self {
            Self::Running(_) => "running",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        }
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        // What is paused does not stop.
        let _ = self.go_on();
        if let Server::Crashed = self.server {
            // A killed server leaves shared memory behind, and only a server on the same files knows which.
            let _ = self.restart();
        }
        if let Ok(supervisor) = self.running() {
            // Nobody is left to tell; the supervisor does the same once this process has ended.
            let _ = supervisor.end(Ending::Remove);
        }
    }
}

/// The same cluster's URL for another of its databases.
#[must_use]
pub fn with_database(url: &str, database: &str) -> String {
    let without_database = url.rsplit_once('/').map_or(url, |(cluster, _)| cluster);
    format!("{without_database}/{database}")
}

/// A folder that the server's user may enter and nobody else.
fn new_folder() -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new()
        .prefix("custodia-postgres-")
        .tempdir()
        .doing(|| "making a folder for the PostgreSQL cluster".to_owned())?;
    if let Some(User { user_id, group_id }) = User::instead_of_root() {
        chown(folder.path(), Some(user_id), Some(group_id))
            .doing(|| format!("giving {} to the user that runs PostgreSQL", folder.path().display()))?;
    }
    Ok(folder)
}

/// A password, since the port is open to every user of the machine while the tests run.
fn new_password() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .doing(|| "making a password for the PostgreSQL cluster".to_owned())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Error> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .doing(|| "looking for a free port".to_owned())
}

/// Makes the files of a new cluster.
fn make(installation: &Installation, folder: &Path, password: &str) -> Result<(), Error> {
    let password_file = folder.join("password");
    std::fs::write(&password_file, password).doing(|| format!("writing {}", password_file.display()))?;
    if let Some(User { user_id, group_id }) = User::instead_of_root() {
        chown(&password_file, Some(user_id), Some(group_id))
            .doing(|| format!("giving away {}", password_file.display()))?;
    }
    let output = program(installation.programs.join("initdb"))
        .arg("--pgdata")
        .arg(folder.join("data"))
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"])
        .args(["--locale-provider", "icu", "--icu-locale", "en-US", "--locale", "C.UTF-8"])
        .current_dir(folder)
        .output()
        .doing(|| "running initdb".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::DidNotStart {
        folder: folder.to_owned(),
        log: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
    })
}

/// Appends settings; a later line overrules an earlier one.
fn configure<'setting>(
    folder: &Path,
    settings: impl Iterator<Item = &'setting (&'setting str, &'setting str)>,
) -> Result<(), Error> {
    use std::io::Write;

    let path = folder.join("data/postgresql.conf");
    let text: String = settings.map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''"))).collect();
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .doing(|| format!("writing {}", path.display()))
}

/// Copies files and folders with owners, modes and holes, as the user that the cluster belongs to.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |message: String| Error::System {
        doing: format!("copying {} to {}", from.display(), to.display()),
        source: std::io::Error::other(message),
    };
    let output = program("cp").arg("-a").arg(from).arg(to).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
}
