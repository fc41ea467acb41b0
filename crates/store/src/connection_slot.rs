//! The place of one connection to PostgreSQL, which is made when it is needed and again when it broke.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::pipeline::Load;
use crate::postgres::{PostgresConnection, PostgresSettings};
use crate::{Error, Result};

/// Within what time a connection must be made for reads to wait for it that have another.
pub(crate) const MADE_SOON: Duration = Duration::from_millis(50);
/// Milliseconds for which a connection is not tried again that could not be made, where there is another.
pub(crate) const FAILED_RESTS_MS: u64 = 1_000;

/// The place of a connection.
pub(crate) struct ConnectionSlot {
    settings: PostgresSettings,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    present: Option<Arc<PostgresConnection>>,
    /// One that is being made now.
    making: Option<(Making, AbortHandle)>,
    /// When one could not be made last.
    failed_ms: Option<u64>,
}

/// How far the making of a connection has come.
enum Progress {
    Begun,
    /// It takes longer than who has another connection waits.
    Long,
    Ended(std::result::Result<Arc<PostgresConnection>, Arc<Error>>),
}

/// A connection that is being made, by a task: it is made whoever of those that wait for it goes away.
#[derive(Clone)]
pub(crate) struct Making(watch::Receiver<Progress>);

impl Making {
    /// Waits until it is made, or cannot be made: then all who wait are told so.
    pub(crate) async fn made(&mut self) -> Result<Arc<PostgresConnection>> {
        let ended = self.0.wait_for(|progress| matches!(progress, Progress::Ended(_))).await;
        ended.ok().and_then(|ended| ended.outcome()).unwrap_or_else(gone)
    }

    /// The same for whoever has another one: nothing, where it takes longer than [`MADE_SOON`] since it began.
    pub(crate) async fn made_soon(&mut self) -> Option<Result<Arc<PostgresConnection>>> {
        match self.0.wait_for(|progress| !matches!(progress, Progress::Begun)).await {
            Ok(progress) => progress.outcome(),
            Err(_) => Some(gone()),
        }
    }

    /// Whether somebody still makes it.
    fn goes_on(&self) -> bool {
        self.0.has_changed().is_ok()
    }
}

impl Progress {
    fn outcome(&self) -> Option<Result<Arc<PostgresConnection>>> {
        match self {
            Self::Begun | Self::Long => None,
            Self::Ended(Ok(connection)) => Some(Ok(Arc::clone(connection))),
            Self::Ended(Err(error)) => Some(Err(Error::shared(error))),
        }
    }
}

/// Without the task that makes a connection its runtime is gone, too.
fn gone<T>() -> Result<T> {
    Err(Error::Unavailable { context: "connecting to PostgreSQL".to_owned(), source: None })
}

impl State {
    fn open(&self) -> Option<&Arc<PostgresConnection>> {
        self.present.as_ref().filter(|connection| !connection.is_closed())
    }
}

impl ConnectionSlot {
    /// Without a connection yet.
    pub(crate) fn new(settings: PostgresSettings) -> Self {
        Self { settings, state: Arc::default() }
    }

    /// With one that was made before.
    pub(crate) fn with(settings: PostgresSettings, connection: PostgresConnection) -> Self {
        let this = Self::new(settings);
        this.state.lock().present = Some(Arc::new(connection));
        this
    }

    /// How busy it is; one that is still to be made has nothing to do.
    pub(crate) fn load(&self) -> Load {
        self.open().map_or_else(Load::default, |connection| connection.load())
    }

    /// The connection, if it is there and whole.
    pub(crate) fn open(&self) -> Option<Arc<PostgresConnection>> {
        self.state.lock().open().cloned()
    }

    /// The connection, or a new one in the place of what broke.
    pub(crate) async fn connected(&self) -> Result<Arc<PostgresConnection>> {
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let mut making = self.begun(&mut self.state.lock());
        making.made().await
    }

    /// The same for whoever has another one to go over; nothing, where it could not be made a moment ago.
    pub(crate) fn making_unless_it_rests(&self) -> Option<Making> {
        let mut state = self.state.lock();
        let now = self.settings.clock.monotonic_ms();
        let rests = state.failed_ms.is_some_and(|failed| now.saturating_sub(failed) < FAILED_RESTS_MS);
        (!rests || state.making.is_some()).then(|| self.begun(&mut state))
    }

    /// The connection as it is, as it is being made, or as its making begins now.
    fn begun(&self, state: &mut State) -> Making {
        if let Some(connection) = state.open() {
            return Making(watch::channel(Progress::Ended(Ok(Arc::clone(connection)))).1);
        }
        if let Some((making, _)) = state.making.as_ref().filter(|(making, _)| making.goes_on()) {
            return making.clone();
        }
        let (told, progress) = watch::channel(Progress::Begun);
        let (settings, place) = (self.settings.clone(), Arc::clone(&self.state));
        let broken = state.present.clone();
        let task = tokio::spawn(async move {
            let mut connecting = std::pin::pin!(async {
                // Made before the other is closed, it would be one more than there are places.
                if let Some(broken) = broken {
                    broken.ended().await;
                }
                PostgresConnection::connect(&settings).await
            });
            let connected = match tokio::time::timeout(MADE_SOON, connecting.as_mut()).await {
                Ok(connected) => connected,
                Err(_) => {
                    told.send_replace(Progress::Long);
                    connecting.await
                }
            };
            let made = connected.map(Arc::new).map_err(Arc::new);
            let mut state = place.lock();
            state.making = None;
            state.failed_ms = made.is_err().then(|| settings.clock.monotonic_ms());
            if let Ok(connection) = &made {
                state.present = Some(Arc::clone(connection));
            }
            drop(state);
            told.send_replace(Progress::Ended(made));
        });
        let making = Making(progress);
        state.making = Some((making.clone(), task.abort_handle()));
        making
    }

    /// Whether a connection is being made.
    #[cfg(test)]
    pub(crate) fn is_made_now(&self) -> bool {
        self.state.lock().making.is_some()
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        // Nobody is left who could use it.
        if let Some((_, task)) = self.state.lock().making.take() {
            task.abort();
        }
    }
}
