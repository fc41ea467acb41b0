//! The connections that carry the reads of one PostgreSQL database: shared, pipelined, and each with a bound on what is on its
//! way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::connection_slot::{ConnectionSlot, MADE_SOON};
use crate::postgres::{PostgresConnection, PostgresSettings};
use crate::{Error, Limits, Result};

/// Connections that carry the short reads of one PostgreSQL database: a server process answers what comes over its
/// connection one after the other, so that one alone would use one core.
pub(crate) const READING_CONNECTIONS: usize = 2;

/// The connections for reads.
pub(crate) struct ReadingConnections {
    slots: [ConnectionSlot; READING_CONNECTIONS],
    /// Told when something is answered on one of them.
    room: Arc<Notify>,
    pipeline_max: usize,
    wait: Duration,
}

impl ReadingConnections {
    /// To a database; they are made when they are needed.
    pub(crate) fn new(settings: &PostgresSettings, limits: &Limits) -> Self {
        let room = Arc::new(Notify::new());
        Self {
            slots: std::array::from_fn(|_| ConnectionSlot::new(settings.reading(Arc::clone(&room)))),
            room,
            pipeline_max: limits.postgres_pipeline_max,
            wait: Duration::from_millis(limits.postgres_wait_ms),
        }
    }

    /// The connection for a read: the one that is not held up by a slow statement, of those the one with the fewest on their
    /// way. While as many are on their way as may be, the read waits.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it waits in vain, or when no connection can be made.
    pub(crate) async fn take(&self) -> Result<Arc<PostgresConnection>> {
        if let Some(connection) = self.free().await? {
            return Ok(connection);
        }
        let waiting = async {
            loop {
                self.room.notified().await;
                if let Some(connection) = self.free().await? {
                    return Ok(connection);
                }
            }
        };
        tokio::time::timeout(self.wait, waiting).await.unwrap_or_else(|_| {
            let context = "as many reads are on their way to PostgreSQL as may be".to_owned();
            Err(Error::Unavailable { context, source: None })
        })
    }

    /// The least busy of those that there are.
    fn whole(&self) -> Option<Arc<PostgresConnection>> {
        self.slots.iter().filter_map(ConnectionSlot::open).min_by_key(|connection| connection.load())
    }

    async fn free(&self) -> Result<Option<Arc<PostgresConnection>>> {
        let [first, ..] = &self.slots;
        let slot = self.slots.iter().min_by_key(|slot| slot.load()).unwrap_or(first);
        // What is made only now has been given to others, too, who waited for it.
        let connection = match slot.open() {
            Some(connection) => connection,
            None => self.made(slot).await?,
        };
        Ok(Some(connection).filter(|connection| connection.load().sent < self.pipeline_max))
    }

    /// A connection for a place that has none: a new one, or another that is whole, where this one is long in the making or
    /// cannot be made, since the server may take no more of them.
    async fn made(&self, slot: &ConnectionSlot) -> Result<Arc<PostgresConnection>> {
        // What holds up nobody.
        let good = || {
            self.whole().filter(|connection| {
                let load = connection.load();
                !load.slow && load.sent < self.pipeline_max
            })
        };
        let Some(other) = self.whole() else { return slot.connected().await };
        let Some(mut making) = slot.making_unless_it_rests() else { return Ok(other) };
        loop {
            if good().is_some()
                && let Some(made) = making.made_soon().await
            {
                return made.or_else(|error| self.whole().ok_or(error));
            }
            if let Some(other) = good() {
                return Ok(other);
            }
            // The other one may have become a good one meanwhile.
            if let Ok(made) = tokio::time::timeout(MADE_SOON, making.made()).await {
                return made.or_else(|error| self.whole().ok_or(error));
            }
        }
    }
}

#[cfg(test)]
mod tests;
