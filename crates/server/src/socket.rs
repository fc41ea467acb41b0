//! The local socket over which the command line reaches the process that owns a data folder: one operation a connection,
//! answered by lines of JSON. Only the folder's owner can open it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::folder::socket_path;
use crate::operation::{Operation, Output};
use crate::service::Service;

/// Longest request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

/// One line of an answer.
#[derive(Serialize, Deserialize)]
enum Reply {
    Line(String),
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
    // A socket left by a process that was killed; the folder's lock says that it is gone.
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&path).with_context(|| format!("the socket {} cannot be made", path.display()))?;
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
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
                Err(error) => tracing::warn!(%error, "the local socket"),
            }
        }
    }))
}

async fn answer(stream: UnixStream, service: Arc<Service>) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(REQUEST_BYTES_MAX)).read_line(&mut line).await?;
    let operation: Operation = serde_json::from_str(&line).context("not an operation of this version")?;
    let (sender, mut receiver) = mpsc::unbounded_channel::<Reply>();
    let writing = async move {
        while let Some(reply) = receiver.recv().await {
            let mut text = serde_json::to_vec(&reply)?;
            text.push(b'\n');
            write.write_all(&text).await?;
        }
        write.shutdown().await?;
        Ok::<_, anyhow::Error>(())
    };
    // Commands are rare and may be long: a thread of its own, away from the requests of clients.
    let runtime = tokio::runtime::Handle::current();
    let working = tokio::task::spawn_blocking(move || {
        let mut output = Remote { sender: sender.clone() };
        let reply = match runtime.block_on(operation.run(&service, &mut output)) {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Failed(format!("{error:#}")),
        };
        let _ = sender.send(reply);
    });
    let (written, worked) = tokio::join!(writing, working);
    worked.context("the command broke off")?;
    written
}

struct Remote {
    sender: mpsc::UnboundedSender<Reply>,
}

impl Output for Remote {
    fn line(&mut self, text: &str) {
        // A reader that went away loses lines; the work goes on.
        let _ = self.sender.send(Reply::Line(text.to_owned()));
    }

    fn progress(&mut self, text: &str) {
        let _ = self.sender.send(Reply::Progress(text.to_owned()));
    }

    fn refused_rows(&mut self) {
        let _ = self.sender.send(Reply::Refused);
    }
}

/// Has the process that owns the folder carry out an operation.
///
/// # Errors
/// The operation's own; a process that does not answer.
pub async fn ask(folder: &Path, operation: &Operation, output: &mut dyn Output) -> Result<()> {
    let path = socket_path(folder);
    let stream = UnixStream::connect(&path).await.with_context(|| {
        format!("the data folder {} is in use, but nobody answers at {}", folder.display(), path.display())
    })?;
    let (read, mut write) = stream.into_split();
    let mut request = serde_json::to_vec(operation)?;
    request.push(b'\n');
    write.write_all(&request).await?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Reply::Line(text) => output.line(&text),
            Reply::Progress(text) => output.progress(&text),
            Reply::Refused => output.refused_rows(),
            Reply::Done => return Ok(()),
            Reply::Failed(why) => bail!(why),
        }
    }
    bail!("the server went away before the command was done")
}
