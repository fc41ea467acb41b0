//! How requests write: one after the other in the organisation's queue, worked off in batches.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::{Database, Engine, Inner, RETIRED};
use crate::link::Link;
use crate::migration::PROGRAM_VERSION;
use crate::transaction::Transaction;
use crate::writer::{Ran, Request, Writer};
use crate::{Error, Result};

/// Somebody who waits for a request, and withdraws it on leaving.
struct Waiting<'w> {
    writer: &'w Writer,
    /// Its place in the queue; none when it was answered.
    ticket: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.writer.withdraw(ticket);
        }
    }
}

/// A request with its answer, once it has run.
struct Queued<F, T, E> {
    request: F,
    kept: Option<std::result::Result<T, E>>,
    answer: Option<oneshot::Sender<std::result::Result<T, E>>>,
}

impl<T, E, F> Request for Queued<F, T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: for<'t> Fn(&'t mut Transaction) -> BoxFuture<'t, std::result::Result<T, E>> + Send + Sync + 'static,
{
    fn run<'t>(&'t mut self, transaction: &'t mut Transaction) -> BoxFuture<'t, Ran> {
        Box::pin(async move {
            // A fault in one request must cost neither the others of its batch nor the thread that writes.
            let request = &self.request;
            let ran = AssertUnwindSafe(async move { request(transaction).await }).catch_unwind().await;
            let result = ran.unwrap_or_else(|_| {
                let context = "the request failed in a way that it should not; the log says where".to_owned();
                Err(E::from(Error::Unavailable { context, source: None }))
            });
            let ran = if result.is_ok() { Ran::Write } else { Ran::Drop };
            self.kept = Some(result);
            ran
        })
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        let result = match (outcome, self.kept.take()) {
            (Ok(()), Some(kept)) => kept,
            (Ok(()), None) => Err(E::from(Error::Stale)),
            (Err(error), _) => Err(E::from(error)),
        };
        if let Some(answer) = self.answer.take() {
            // The caller may have gone; what was written stays written.
            let _ = answer.send(result);
        }
    }
}

impl Database {
    /// Runs a request in the next write batch and gives its answer once it is durable.
    ///
    /// The request may be run more than once; only what its last run gathered is stored. When it answers with an error
    /// nothing of it is stored. Dropped before the request was begun, nothing is done of it; afterwards it is done all the
    /// same.
    ///
    /// # Errors
    /// The request's own, or the store's.
    pub async fn write<T, E, F>(&self, request: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> Fn(&'t mut Transaction) -> BoxFuture<'t, std::result::Result<T, E>> + Send + Sync + 'static,
    {
        self.require_current()?;
        if let Some(needed) = self.inner.writer_needed {
            return Err(E::from(Error::TooNew { needed, present: PROGRAM_VERSION }));
        }
        self.touch();
        let (answer, answered) = oneshot::channel();
        let queued = Box::new(Queued { request, kept: None, answer: Some(answer) });
        let place = self.inner.writer.enqueue(queued);
        if place.as_ref().is_some_and(|place| place.is_unattended) {
            self.schedule();
        }
        let mut waiting = Waiting { writer: &self.inner.writer, ticket: place.map(|place| place.ticket) };
        let answered = answered.await;
        waiting.ticket = None;
        match answered {
            Ok(result) => result,
            // Whoever was at it is gone: it may have been before the commit or after it.
            Err(_) => Err(E::from(Error::Unknown("the write queue was closed".to_owned()))),
        }
    }

    fn schedule(&self) {
        match &self.inner.engine {
            Engine::Sqlite { threads, .. } => threads.schedule(Arc::clone(&self.inner)),
            Engine::Postgres { .. } => {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(async move { inner.work_off().await });
            }
        }
    }
}

impl Inner {
    /// Answers everything that waits with an error.
    pub(crate) fn refuse_waiting(&self, why: &str) {
        self.writer.refuse_all(why);
    }

    /// Works off one batch; whether more is waiting.
    pub(crate) async fn work_once(&self) -> bool {
        if self.writer.is_closed() {
            self.writer.refuse_all(RETIRED);
            return false;
        }
        let link = match &self.engine {
            Engine::Sqlite { file, .. } => Link::Sqlite(Arc::clone(file)),
            Engine::Postgres { writing, .. } => match writing.connected().await {
                Ok(connection) => Link::Postgres(connection),
                Err(error) => {
                    self.writer.refuse_all(&error.to_string());
                    return false;
                }
            },
        };
        self.writer.work(&link).await
    }

    async fn work_off(&self) {
        while self.work_once().await {}
    }
}
