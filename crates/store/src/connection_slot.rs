//! The place of one connection to PostgreSQL, which is made when it is needed and again when it broke.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::Result;
use crate::pipeline::Load;
use crate::postgres::{PostgresConnection, PostgresSettings};

/// Milliseconds for which a connection is not tried again that could not be made, where there is another.
const FAILED_RESTS_MS: u64 = 1_000;

/// The place of a connection.
pub(crate) struct ConnectionSlot {
    settings: PostgresSettings,
    present: Mutex<Option<Arc<PostgresConnection>>>,
    /// Held while one is made: whoever needs it too waits for that one.
    connecting: tokio::sync::Mutex<()>,
    /// When one could not be made last.
    failed_ms: Mutex<Option<u64>>,
}

impl ConnectionSlot {
    /// Without a connection yet.
    pub(crate) fn new(settings: PostgresSettings) -> Self {
        Self {
            settings,
            present: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
            failed_ms: Mutex::new(None),
        }
    }

    /// With one that was made before.
    pub(crate) fn with(settings: PostgresSettings, connection: PostgresConnection) -> Self {
        Self { present: Mutex::new(Some(Arc::new(connection))), ..Self::new(settings) }
    }

    /// How busy it is; one that is still to be made has nothing to do.
    pub(crate) fn load(&self) -> Load {
        self.open().map_or_else(Load::default, |connection| connection.load())
    }

    /// The connection, if it is there and whole.
    pub(crate) fn open(&self) -> Option<Arc<PostgresConnection>> {
        self.present.lock().as_ref().filter(|connection| !connection.is_closed()).map(Arc::clone)
    }

    /// The connection, or a new one in the place of what broke. That is made only when the other is closed: they would be one
    /// more than there are places else.
    pub(crate) async fn connected(&self) -> Result<Arc<PostgresConnection>> {
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let _one_at_a_time = self.connecting.lock().await;
        let broken = match self.present.lock().clone() {
            Some(connection) if !connection.is_closed() => return Ok(connection),
            other => other,
        };
        if let Some(broken) = broken {
            broken.ended().await;
        }
        let connected = PostgresConnection::connect(&self.settings).await;
        *self.failed_ms.lock() = connected.is_err().then(|| self.settings.clock.monotonic_ms());
        let connection = Arc::new(connected?);
        *self.present.lock() = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Whether somebody is making a connection.
    pub(crate) fn is_made_now(&self) -> bool {
        self.connecting.try_lock().is_err()
    }

    /// Whether a connection is being made, or could not be made a moment ago: who has another one to go over takes that.
    pub(crate) fn is_awaited(&self) -> bool {
        let rests = |failed: u64| self.settings.clock.monotonic_ms().saturating_sub(failed) < FAILED_RESTS_MS;
        self.is_made_now() || self.failed_ms.lock().is_some_and(rests)
    }
}
