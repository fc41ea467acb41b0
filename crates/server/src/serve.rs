//! `custodia serve`: listeners, timers, and a graceful end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;

use crate::config::Config;
use crate::folder::DataFolder;
use crate::http::{Holding, Listener, operations, public};
use crate::service::Service;

/// How often committed pages are moved into the embedded files (spikes A).
const CHECKPOINT: Duration = Duration::from_millis(100);
/// How often unused databases are closed and keys looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Serves until the process is told to stop.
///
/// # Errors
/// What keeps it from starting.
pub async fn serve(folder: DataFolder, config: Config, demo: bool) -> Result<()> {
    let tls = crate::tls::server_config(&config.tls, folder.path())?;
    let service = Arc::new(Service::open(folder, config).await?);
    let listener = Listener::bind(&service.config.listen, tls).await?;
    let operations_listener = Listener::bind(&service.config.ops_listen, None).await?;
    let url = format!("{}://{}", listener.scheme(), listener.address);
    if demo {
        crate::demo::make(&service, &url).await.context("the demo data")?;
    }
    let (stop, stopped) = watch::channel(false);
    let socket = crate::socket::listen(Arc::clone(&service))?;
    let timers = [
        tokio::spawn(checkpoints(Arc::clone(&service), stopped.clone())),
        tokio::spawn(housekeeping(Arc::clone(&service), stopped.clone())),
    ];
    let limits = &service.config.limits;
    let holding = Holding {
        connections_max: limits.connections,
        head_seconds: limits.head_seconds,
        shutdown_seconds: limits.shutdown_seconds,
    };
    println!("operations http://{}", operations_listener.address);
    println!("ready {url}");
    tracing::info!(%url, "ready");
    let clients = {
        let service = Arc::clone(&service);
        crate::http::serve(listener, holding, stopped.clone(), move |request, peer| {
            public(Arc::clone(&service), request, peer)
        })
    };
    let machines = {
        let service = Arc::clone(&service);
        crate::http::serve(operations_listener, holding, stopped, move |request, _| {
            operations(Arc::clone(&service), request)
        })
    };
    let told = async move {
        told_to_stop().await;
        tracing::info!("stopping");
        let _ = stop.send(true);
    };
    tokio::join!(clients, machines, told);
    socket.abort();
    let _ = std::fs::remove_file(crate::folder::socket_path(service.folder()));
    for timer in timers {
        let _ = timer.await;
    }
    let closing = Arc::clone(&service);
    tokio::task::spawn_blocking(move || closing.store.close()).await.context("closing the databases")?;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for the signal to end.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
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

async fn housekeeping(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                service.release_idle();
                if let Err(error) = service.store.reload_organizations().await {
                    tracing::warn!(%error, "the list of organisations could not be read again");
                }
                if let Err(error) = service.rotate_keys_if_due().await {
                    tracing::warn!(%error, "token signing keys could not be rotated");
                }
            }
            _ = stop.changed() => return,
        }
    }
}
