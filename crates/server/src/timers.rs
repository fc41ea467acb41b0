//! What is done again and again while databases are open.

use std::sync::Arc;
use std::time::Duration;

use custodia_store::{Clock, OrganizationState};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::service::Service;

/// How often committed pages are moved into the embedded files (decision 0005.1).
const CHECKPOINT: Duration = Duration::from_millis(100);

/// How often it is looked which audit entries were kept long enough. It opens every organisation.
const RETENTION: Duration = Duration::from_secs(86_400);
/// How long after the start that is done first.
const FIRST_RETENTION: Duration = Duration::from_secs(600);

/// How long the last notes of what was asked may take to be kept when the process ends.
const LAST_NOTES: Duration = Duration::from_secs(2);

/// The timers of one process.
pub struct Timers {
    stop: watch::Sender<bool>,
    running: [JoinHandle<()>; 4],
}

impl Timers {
    /// Starts them.
    pub fn start(service: &Arc<Service>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let running = [
            tokio::spawn(checkpoints(Arc::clone(service), stopped.clone())),
            tokio::spawn(housekeeping(Arc::clone(service), stopped.clone())),
            tokio::spawn(audit_heads(Arc::clone(service), stopped.clone())),
            tokio::spawn(audit_retention(Arc::clone(service), stopped)),
        ];
        Self { stop, running }
    }

    /// Ends them, after what they are doing now. What is written afterwards is not published before the next start.
    pub async fn end(self) {
        let _ = self.stop.send(true);
        for timer in self.running {
            let _ = timer.await;
        }
    }
}

/// Publishes heads of audits, the last ones at the end.
async fn audit_heads(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let period = Duration::from_secs(service.config.audit.heads_seconds);
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let stopping = tokio::select! {
            _ = ticks.tick() => false,
            _ = stop.changed() => true,
        };
        let publishing = Arc::clone(&service);
        let _ = tokio::task::spawn_blocking(move || publishing.publish_audit_heads()).await;
        if stopping {
            return;
        }
        if let Err(error) = service.audit_heads.reload(&service.store).await {
            tracing::warn!(%error, "the keys that audits are signed with could not be read again");
        }
    }
}

/// Removes audit entries that their organisations do not want to keep any longer.
async fn audit_retention(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut wait = FIRST_RETENTION;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => return,
        }
        wait = RETENTION;
        for organization in service.store.organizations() {
            if *stop.borrow() {
                return;
            }
            if organization.state != OrganizationState::Active {
                continue;
            }
            let pruned = async {
                let organization = service.organization_in_time(&organization.name).await?;
                crate::audit_keeping::prune_by_retention(&service, &organization).await
            };
            if let Err(error) = pruned.await {
                tracing::warn!(organization.name = %organization.name, %error, "old audit entries could not be removed");
            }
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
                service.store.keep_questions(false).await;
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
            _ = stop.changed() => {
                // What was asked is advice: it does not hold up the end.
                let _ = tokio::time::timeout(LAST_NOTES, service.store.keep_questions(true)).await;
                return;
            }
        }
    }
}
