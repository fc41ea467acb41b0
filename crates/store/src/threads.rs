//! Threads that write for the embedded databases: a few for the whole process, each batch on one of them.
//!
//! An organisation with waiting requests stands in the queue once; after each batch it goes to the end, so that a busy
//! one does not hold up the others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::database::Inner;
use crate::{Error, Result};

pub(crate) struct WriterThreads {
    shared: Arc<Shared>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Inner>>,
    stopping: bool,
}

impl WriterThreads {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::new(State::default()), changed: Condvar::new() });
        let mut handles = Vec::with_capacity(threads);
        for at in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            let handle = std::thread::Builder::new()
                .name(format!("writer-{at}"))
                .spawn(move || work(&shared))
                .map_err(|error| Error::unavailable("starting a writer thread", error))?;
            handles.push(handle);
        }
        Ok(Self { shared, handles: Mutex::new(handles) })
    }

    /// Has the database's queue worked off. After [`Self::stop`] what waits in it is refused: nobody is left to write.
    pub(crate) fn schedule(&self, database: Arc<Inner>) {
        let mut state = self.shared.state.lock();
        if state.stopping {
            drop(state);
            database.refuse_waiting("the service is stopping");
            return;
        }
        state.ready.push_back(database);
        drop(state);
        self.shared.changed.notify_one();
    }

    /// Works off what is queued and ends the threads.
    pub(crate) fn stop(&self) {
        self.shared.state.lock().stopping = true;
        self.shared.changed.notify_all();
        for handle in self.handles.lock().drain(..) {
            // A thread that panicked has said so; there is nothing left to wait for.
            let _ = handle.join();
        }
    }
}

impl Drop for WriterThreads {
    fn drop(&mut self) {
        // Not joined: the last handle may be dropped on one of these threads.
        self.shared.state.lock().stopping = true;
        self.shared.changed.notify_all();
    }
}

fn work(shared: &Shared) {
    loop {
        let database = {
            let mut state = shared.state.lock();
            loop {
                if let Some(database) = state.ready.pop_front() {
                    break database;
                }
                if state.stopping {
                    return;
                }
                shared.changed.wait(&mut state);
            }
        };
        // The requests of an embedded database never wait for anything but the file: one poll runs them through.
        if futures::executor::block_on(database.work_once()) {
            shared.state.lock().ready.push_back(database);
            shared.changed.notify_one();
        }
    }
}
