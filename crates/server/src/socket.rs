//! The local socket over which the command line reaches the process that owns a data folder: one operation a connection,
//! answered by lines of JSON. Only the folder's owner can open it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::folder::{DataFolder, Owned, socket_path};
use crate::operation::{Operation, Output};
use crate::service::Service;

/// Longest request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// How long a command waits for a folder that another process has without taking commands: another command, or a
/// server that is starting or ending.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How often it looks.
const WAIT_STEP: Duration = Duration::from_millis(50);
/// After which the next command is accepted where one could not be.
const ACCEPTED_AGAIN: Duration = Duration::from_millis(50);
/// Parts of data that wait to be written to one command.
const DATA_QUEUED_MAX: usize = 2;
/// The longest path of a socket that every system takes, in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// Who carries out a command on a folder.
pub enum Owner {
    /// This process.
    Ours(DataFolder),
    /// The server at the other end.
    Server(UnixStream),
}

/// One line of an answer.
#[derive(Serialize, Deserialize)]
enum Reply {
    Line(String),
    Data(String),
    Progress(String),
    Refused,
    Done,
    Failed(String),
}

/// Takes operations until the task is dropped.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(service: Arc<Service>) -> Result<tokio::task::JoinHandle<()>> {
    let path = socket_path(service.folder());
    let reachable = Reachable::of(&path)?;
    // A socket left by a process that was killed; the folder's lock says that it is gone.
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&reachable.path).with_context(|| format!("the socket {} cannot be made", path.display()))?;
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, service).await {
                            tracing::warn!(%error, "a command over the local socket broke off");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the local socket");
                    // As for clients: descriptors may be short for a moment.
                    tokio::time::sleep(ACCEPTED_AGAIN).await;
                }
            }
        }
    }))
}

async fn answer(stream: UnixStream, service: Arc<Service>) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(REQUEST_BYTES_MAX));
    read.read_line(&mut line).await?;
    if line.is_empty() {
        // Somebody who wanted to know whether anybody listens.
        return Ok(());
    }
    let operation: Operation = serde_json::from_str(&line).context("not an operation of this version")?;
    let (sender, mut receiver) = mpsc::unbounded_channel::<Queued>();
    let writing = async move {
        while let Some((reply, room)) = receiver.recv().await {
            let mut text = serde_json::to_vec(&reply)?;
            text.push(b'\n');
            write.write_all(&text).await?;
            drop(room);
        }
        write.shutdown().await?;
        Ok::<_, anyhow::Error>(())
    };
    // Nothing more is sent: what comes is the end of whoever gave it.
    let gone = async move {
        let mut rest = Vec::new();
        let _ = read.read_to_end(&mut rest).await;
    };
    // Commands are rare and may be long: a thread of its own, away from the requests of clients.
    let runtime = tokio::runtime::Handle::current();
    let working = tokio::task::spawn_blocking(move || {
        let mut output = Remote { sender: sender.clone(), room: Arc::new(Semaphore::new(DATA_QUEUED_MAX)) };
        let is_ended = operation.ends_with_its_giver();
        let done = runtime.block_on(async {
            tokio::select! {
                done = operation.run(&service, &mut output) => done,
                () = gone, if is_ended => Err(anyhow!("whoever gave the command went away")),
            }
        });
        let reply = match done {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Failed(told_to_giver(&error)),
        };
        let _ = sender.send((reply, None));
    });
    let (written, worked) = tokio::join!(writing, working);
    worked.context("the command broke off")?;
    written
}

/// An error as whoever gave the command is told of it, who may be allowed what the server is not.
fn told_to_giver(error: &anyhow::Error) -> String {
    let text = custodia_store::with_causes(error.as_ref());
    let is_denied = |cause: &(dyn std::error::Error + 'static)| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if !error.chain().any(is_denied) {
        return text;
    }
    let user = rustix::process::geteuid().as_raw();
    format!("{text}; the server does this, as user {user}: name a place where that user may read and write")
}

/// A reply on its way, and the room that it takes until it is written.
type Queued = (Reply, Option<OwnedSemaphorePermit>);

struct Remote {
    sender: mpsc::UnboundedSender<Queued>,
    /// For data: words are few.
    room: Arc<Semaphore>,
}

impl Output for Remote {
    fn line(&mut self, text: &str) {
        // A reader that went away loses lines; the work goes on.
        let _ = self.sender.send((Reply::Line(text.to_owned()), None));
    }

    fn data(&mut self, text: String) -> BoxFuture<'_, std::io::Result<()>> {
        let room = Arc::clone(&self.room);
        Box::pin(async move {
            let gone = || std::io::Error::new(std::io::ErrorKind::BrokenPipe, "nobody reads the output any more");
            let room = room.acquire_owned().await.map_err(|_| gone())?;
            self.sender.send((Reply::Data(text), Some(room))).map_err(|_| gone())
        })
    }

    fn progress(&mut self, text: &str) {
        let _ = self.sender.send((Reply::Progress(text.to_owned()), None));
    }

    fn refused_rows(&mut self) {
        let _ = self.sender.send((Reply::Refused, None));
    }
}

/// Takes the folder, or reaches the server that has it.
///
/// # Errors
/// When another process has it for long and takes no commands.
pub async fn owner(folder: &Path) -> Result<Owner> {
    let path = socket_path(folder);
    let trying = async {
        loop {
            if let Owned::Ours(folder) = DataFolder::take(folder)? {
                return Ok(Owner::Ours(folder));
            }
            if let Ok(stream) = UnixStream::connect(&Reachable::of(&path)?.path).await {
                return Ok(Owner::Server(stream));
            }
            tokio::time::sleep(WAIT_STEP).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, trying).await.unwrap_or_else(|_| {
        bail!(
            "the data folder {} is in use by a process that takes no commands: a server that is starting, or another command; try again when it is done",
            folder.display()
        )
    })
}

/// The path of a socket as the system takes it: it must be short, and folders need not be.
struct Reachable {
    path: PathBuf,
    /// Stands for the folder in the path.
    _folder: Option<File>,
}

impl Reachable {
    fn of(path: &Path) -> Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("{} is no path of a socket", path.display());
        };
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        let folder = File::open(folder).with_context(|| format!("the folder {}", folder.display()))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }
}

/// Has the server carry out an operation.
///
/// # Errors
/// The operation's own; a server that goes away.
pub async fn ask(stream: UnixStream, operation: &Operation, output: &mut dyn Output) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut request = serde_json::to_vec(operation)?;
    request.push(b'\n');
    write.write_all(&request).await?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Reply::Line(text) => output.line(&text),
            Reply::Data(text) => output.data(text).await.context("the output")?,
            Reply::Progress(text) => output.progress(&text),
            Reply::Refused => output.refused_rows(),
            Reply::Done => return Ok(()),
            Reply::Failed(why) => bail!(why),
        }
    }
    bail!(
        "the server went away before the command was done, which may be done in part: its log says why it ended; start it, look \
         at what there is, and give the command again"
    )
}
