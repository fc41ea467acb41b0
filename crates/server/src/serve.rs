//! `custodia serve`: listeners, timers, and a graceful end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::folder::{DataFolder, Makes};
use crate::http::{Holding, Listener, operations, public};
use crate::operation::no_organization;
use crate::service::Service;
use crate::timers::Timers;

/// Serves until the process is told to stop.
///
/// # Errors
/// What keeps it from starting.
pub async fn serve(folder: DataFolder, config: Config, demo: bool) -> Result<()> {
    let mut ending = Ending::listen()?;
    let tls = crate::tls::server_config(&config.tls, folder.path())?;
    let listener = Listener::bind(&config.listen, "--listen", tls)?;
    let operations_listener = Listener::bind(&config.ops_listen, "--ops-listen", None)?;
    let service = tokio::select! {
        opened = Service::open(folder, config, Makes::Installation) => Arc::new(opened?),
        () = ending.told() => return Ok(()),
    };
    if let Some(reminder) = &service.reminder {
        crate::tell(reminder);
    }
    if !service.config.tells_clients_apart() {
        tracing::warn!(
            "public_url is set and trust_forwarded is not: clients are not told apart, so that nothing slows down whoever guesses \
             at many accounts. Have the proxy set X-Forwarded-For and set trust_forwarded, too \
             (docs/operations/running.md, \"Configuration\")"
        );
    }
    service.warn_of_open_key();
    let timers = Timers::start(&service);
    let jobs = crate::jobs::Jobs::start(&service);
    let url = format!("{}://{}", listener.scheme(), listener.address);
    let filled = async {
        match demo {
            true => crate::demo::make(&service, &url).await.context("the demo data"),
            false => Ok(()),
        }
    };
    // Filling goes on where it was at the next start.
    let filled = tokio::select! {
        filled = filled => Some(filled),
        () = ending.told() => None,
    };
    let served = match filled {
        Some(Ok(())) => answer(&service, listener, operations_listener, &url, ending).await,
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    jobs.end().await;
    timers.end().await;
    let closing = Arc::clone(&service);
    tokio::task::spawn_blocking(move || closing.store.close()).await.context("closing the databases")?;
    tracing::info!("stopped");
    served
}

/// Answers clients, machines and commands until it is told to stop.
async fn answer(
    service: &Arc<Service>,
    listener: Listener,
    operations_listener: Listener,
    url: &str,
    mut ending: Ending,
) -> Result<()> {
    let (stop, stopped) = watch::channel(false);
    let socket = crate::socket::listen(Arc::clone(service))?;
    let limits = &service.config.limits;
    let holding = Holding {
        connections_max: connections_max(limits.connections),
        address_connections_max: if service.config.is_behind_proxy() {
            limits.connections
        } else {
            limits.address_connections
        },
        streams_max: limits.streams,
        exchanges_max: limits.exchanges,
        handshake_seconds: limits.handshake_seconds,
        head_seconds: limits.head_seconds,
        answer_seconds: limits.answer_seconds,
        shutdown_seconds: limits.shutdown_seconds,
    };
    if service.store.organizations().is_empty() {
        crate::tell(&no_organization(service));
    }
    crate::say(&format!("operations http://{}", operations_listener.address));
    crate::say(&format!("ready {url}"));
    tracing::info!(%url, "ready");
    // Machines are answered for as long as clients are.
    let (clients_left, no_client_left) = watch::channel(false);
    let clients = async {
        let service = Arc::clone(service);
        let counting = Arc::clone(&service);
        let refused = move || {
            counting.metrics.connections_refused.fetch_add(1, Ordering::Relaxed);
        };
        let answer = move |request, peer, room| public(Arc::clone(&service), request, peer, room);
        crate::http::serve(listener, holding, refused, stopped, answer).await;
        let _ = clients_left.send(true);
    };
    let machines = {
        let service = Arc::clone(service);
        let answer = move |request, peer, room| operations(Arc::clone(&service), request, peer, room);
        crate::http::serve(operations_listener, holding, || (), no_client_left, answer)
    };
    let told = async move {
        ending.told().await;
        drain(service, &mut ending).await;
        tracing::info!("stopping");
        let _ = stop.send(true);
    };
    tokio::join!(clients, machines, told);
    socket.abort();
    let _ = std::fs::remove_file(crate::folder::socket_path(service.folder()));
    Ok(())
}

/// Answers as before for the configured time, but says that it is not ready, so that balancers send their clients elsewhere.
/// To be told a second time ends it.
async fn drain(service: &Service, ending: &mut Ending) {
    service.draining.store(true, Ordering::Relaxed);
    let seconds = service.config.limits.drain_seconds;
    if seconds > 0 {
        tracing::info!(seconds, "draining");
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
            () = ending.told() => {}
        }
    }
}

/// Connections at one time: as configured, but no more than half of the files that the process may have open, so that the
/// other half is there for databases.
fn connections_max(configured: usize) -> usize {
    let files = crate::machine::open_files();
    let most = (files / 2).max(1);
    if most < configured {
        tracing::warn!(
            connections = most,
            files,
            "the system allows few open files: fewer connections are taken than configured"
        );
    }
    configured.min(most)
}

/// The signals to end. They are caught from the first moment on, so that none of them ends the process in the middle.
struct Ending {
    terminate: Signal,
    interrupt: Signal,
    /// The terminal hung up; nothing, where whoever started the process had it ignore that, as `nohup` does.
    hangup: Option<Signal>,
}

impl Ending {
    fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?,
            hangup: if crate::ambient::is_hangup_ignored() {
                None
            } else {
                Some(signal(SignalKind::hangup()).context("SIGHUP cannot be caught")?)
            },
        })
    }

    /// Waits for one of them.
    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hung_up(self.hangup.as_mut()) => {}
        }
    }
}

async fn hung_up(signal: Option<&mut Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}
