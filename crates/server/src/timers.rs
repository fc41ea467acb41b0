//! What is done again and again while databases are open.

use std::sync::Arc;
use std::time::Duration;

use custodia_store::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::service::Service;

/// How often committed pages are moved into the embedded files (decision 0005.1).
const CHECKPOINT: Duration = Duration::from_millis(100);

/// The timers of one process.
pub struct Timers {
    stop: watch::Sender<bool>,
    running: [JoinHandle<()>; 2],
}

impl Timers {
    /// Starts them.
    pub fn start(service: &Arc<Service>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let running = [
            tokio::spawn(checkpoints(Arc::clone(service), stopped.clone())),
            tokio::spawn(housekeeping(Arc::clone(service), stopped)),
        ];
        Self { stop, running }
    }

    /// Ends them, after what they are doing now.
    pub async fn end(self) {
        let _ = self.stop.send(true);
        for timer in self.running {
            let _ = timer.await;
        }
    }
}

async fn checkpoints(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(CHECKPOINT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let service = Arc::clone(&service);
                let _ = tokio::task::spawn_blocking(move || service.store.checkpoint()).await;
            }
            _ = stop.changed() => return,
        }
    }
}

/// Closes unused databases, looks after the keys, and at what other nodes changed.
async fn housekeeping(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(service.config.limits.housekeeping_seconds));
    // A process that was stopped for long does not make up for what it missed.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                service.release_idle();
                service.protection.forget_idle(service.clock.monotonic_ms());
                if let Err(error) = service.store.reload_organizations().await {
                    tracing::warn!(%error, "the list of organisations could not be read again");
                }
                if let Err(error) = service.reload_keys().await {
                    tracing::warn!(%error, "token signing keys could not be read again");
                }
                if let Err(error) = service.rotate_keys_if_due().await {
                    tracing::warn!(%error, "token signing keys could not be rotated");
                }
            }
            _ = stop.changed() => return,
        }
    }
}
