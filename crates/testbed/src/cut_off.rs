//! A way to a PostgreSQL server that is cut off at the worst moment: when a commit was sent and its answer is awaited.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Doing, Error};

/// Longest message taken in: those of tests are far shorter.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Where the connection that sends the next commit is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never hears of the commit.
    BeforeCommit,
    /// The server has committed; its answer is lost.
    AfterCommit,
    /// The same, and nobody gets to the server until [`CutOff::let_in`].
    AfterCommitAndAway,
}

/// A port that leads to a server. Threads that carry bytes end with their connections, the one that accepts with the process.
#[derive(Debug)]
pub struct CutOff {
    url: String,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    next: Mutex<Option<Cut>>,
    away: AtomicBool,
}

impl State {
    fn take(&self) -> Option<Cut> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl CutOff {
    /// Leads to the server of that URL, which names its port.
    ///
    /// # Errors
    /// When there is no port to listen on, or the URL names no address.
    pub fn of(url: &str) -> Result<Self, Error> {
        let doing = || "leading to a PostgreSQL server".to_owned();
        let (user, rest) = url.rsplit_once('@').ok_or_else(|| io::Error::other("a URL without a user")).doing(doing)?;
        let (address, database) = rest.split_once('/').unwrap_or((rest, ""));
        let server: SocketAddr = address.parse().map_err(io::Error::other).doing(doing)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).doing(doing)?;
        let own = listener.local_addr().doing(doing)?;
        let state = Arc::new(State::default());
        let accepting = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&accepting);
                if !state.away.load(Ordering::SeqCst) {
                    std::thread::spawn(move || lead(client, server, &state));
                }
            }
        });
        Ok(Self { url: format!("{user}@{own}/{database}"), state })
    }

    /// The server's URL by this way.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Cuts off the connection that sends the next commit.
    pub fn at_next_commit(&self, cut: Cut) {
        *self.state.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// Whether that has happened.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state.next.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Lets connections in again.
    pub fn let_in(&self) {
        self.state.away.store(false, Ordering::SeqCst);
    }
}

/// Carries the bytes of one connection until one side ends it.
fn lead(client: TcpStream, server: SocketAddr, state: &State) {
    let Ok(server) = TcpStream::connect(server) else { return };
    let is_cut = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = answers(&server, &client, &is_cut);
            end(&client, &server);
        });
        let _ = requests(&client, &server, state, &is_cut);
        if !is_cut.load(Ordering::SeqCst) {
            end(&client, &server);
        }
    });
}

fn end(client: &TcpStream, server: &TcpStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn requests(mut client: &TcpStream, mut server: &TcpStream, state: &State, is_cut: &AtomicBool) -> io::Result<()> {
    // The first message has no letter.
    server.write_all(&message(client, 0)?)?;
    loop {
        let message = message(client, 1)?;
        let cut = if message.get(5..) == Some(b"COMMIT\0") { state.take() } else { None };
        match cut {
            None => {}
            Some(Cut::BeforeCommit) => return Ok(()),
            Some(cut) => {
                state.away.store(cut == Cut::AfterCommitAndAway, Ordering::SeqCst);
                is_cut.store(true, Ordering::SeqCst);
            }
        }
        server.write_all(&message)?;
        if cut.is_some() {
            // The other side ends both when the server has committed.
            return client.read(&mut [0]).map(drop);
        }
    }
}

fn answers(server: &TcpStream, mut client: &TcpStream, is_cut: &AtomicBool) -> io::Result<()> {
    loop {
        let message = message(server, 1)?;
        if !is_cut.load(Ordering::SeqCst) {
            client.write_all(&message)?;
        } else if message.get(5..) == Some(b"COMMIT\0") {
            return Ok(());
        }
    }
}

/// A message: a letter or none, its length, which counts itself, and the rest.
fn message(mut from: &TcpStream, letters: usize) -> io::Result<Vec<u8>> {
    let mut message = vec![0; letters + 4];
    from.read_exact(&mut message)?;
    let length = message.last_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
    let rest = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
    let rest = rest.filter(|rest| *rest <= MESSAGE_BYTES_MAX).ok_or_else(|| io::Error::other("no message"))?;
    let begins = message.len();
    message.resize(begins + rest, 0);
    from.read_exact(message.get_mut(begins..).unwrap_or_default())?;
    Ok(message)
}
