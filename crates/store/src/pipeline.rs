//! What is on its way over one connection to PostgreSQL, in the order in which the server answers it.
//!
//! A server process works off what comes over its connection one statement after the other. Whoever has gone away since has
//! its statement there all the same, so what counts is what the server has not answered yet, not who waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Clock;

/// Milliseconds after which the statement at the head counts as slow: what can go another way does.
const SLOW_MS: u64 = 50;

/// The statements that are on their way over one connection.
pub(crate) struct Pipeline {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    answered_ms: AtomicU64,
    /// Told of each answer: there is room for another statement.
    room: Arc<Notify>,
}

#[derive(Default)]
struct State {
    sent: VecDeque<Sent>,
    next: u64,
    /// When what is at the head came there.
    head_since_ms: u64,
}

struct Sent {
    number: u64,
    /// Told when it comes to the head.
    at_head: Option<Arc<Notify>>,
}

/// How busy a pipeline is: less is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    /// Whether the statement at the head has been there for long.
    pub slow: bool,
    /// Statements that were sent and not answered.
    pub sent: usize,
}

/// A place in the pipeline: taken before a statement is sent, kept until it is answered.
pub(crate) struct Ticket {
    pipeline: Arc<Pipeline>,
    number: u64,
}

impl Pipeline {
    /// Nothing is on its way.
    pub(crate) fn new(clock: Arc<dyn Clock>, room: Arc<Notify>) -> Self {
        let answered_ms = AtomicU64::new(clock.monotonic_ms());
        Self { clock, state: Mutex::default(), answered_ms, room }
    }

    /// A place behind all that was sent before.
    pub(crate) fn take(self: &Arc<Self>) -> Ticket {
        let mut state = self.state.lock();
        if state.sent.is_empty() {
            state.head_since_ms = self.clock.monotonic_ms();
        }
        state.next += 1;
        let number = state.next;
        state.sent.push_back(Sent { number, at_head: None });
        Ticket { pipeline: Arc::clone(self), number }
    }

    /// How busy it is now.
    pub(crate) fn load(&self) -> Load {
        let state = self.state.lock();
        let slow = !state.sent.is_empty() && self.clock.monotonic_ms().saturating_sub(state.head_since_ms) >= SLOW_MS;
        Load { slow, sent: state.sent.len() }
    }

    /// Notes that the server answered something.
    pub(crate) fn answered(&self) {
        self.answered_ms.store(self.clock.monotonic_ms(), Ordering::Relaxed);
    }

    /// Milliseconds since it answered last.
    pub(crate) fn silent_ms(&self) -> u64 {
        self.clock.monotonic_ms().saturating_sub(self.answered_ms.load(Ordering::Relaxed))
    }
}

impl Ticket {
    /// Milliseconds for which the statement has been at the head; 0 before.
    pub(crate) fn at_work_ms(&self) -> u64 {
        let state = self.pipeline.state.lock();
        let at_head = state.sent.front().is_some_and(|first| first.number == self.number);
        if at_head { self.pipeline.clock.monotonic_ms().saturating_sub(state.head_since_ms) } else { 0 }
    }

    /// Waits until all that was sent before is answered.
    pub(crate) async fn at_head(&self) {
        let told = {
            let mut state = self.pipeline.state.lock();
            match state.sent.iter_mut().position(|sent| sent.number == self.number) {
                None | Some(0) => return,
                Some(at) => {
                    let told = Arc::new(Notify::new());
                    if let Some(sent) = state.sent.get_mut(at) {
                        sent.at_head = Some(Arc::clone(&told));
                    }
                    told
                }
            }
        };
        told.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let now_ms = self.pipeline.clock.monotonic_ms();
        self.pipeline.answered_ms.store(now_ms, Ordering::Relaxed);
        {
            let mut state = self.pipeline.state.lock();
            // Mostly the first; tasks may come to their answers in another order.
            let Some(at) = state.sent.iter().position(|sent| sent.number == self.number) else { return };
            state.sent.remove(at);
            if at == 0 {
                state.head_since_ms = now_ms;
                if let Some(told) = state.sent.front_mut().and_then(|first| first.at_head.take()) {
                    told.notify_one();
                }
            }
        }
        self.pipeline.room.notify_one();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    /// A clock that stands still until it is moved.
    #[derive(Default)]
    pub(crate) struct HeldClock(pub(crate) AtomicU64);

    impl Clock for HeldClock {
        fn now_ms(&self) -> i64 {
            0
        }

        fn monotonic_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn what_is_slow_is_busier_than_any_number() {
        assert!(Load { slow: true, sent: 1 } > Load { slow: false, sent: 100 });
        assert!(Load { slow: true, sent: 2 } > Load { slow: true, sent: 1 });
    }

    #[test]
    fn what_is_not_answered_counts_and_the_head_moves_on() {
        let clock = Arc::new(HeldClock::default());
        let room = Arc::new(Notify::new());
        let pipeline = Arc::new(Pipeline::new(Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&room)));
        let at = |ms| clock.0.store(ms, Ordering::Relaxed);
        assert_eq!(pipeline.load(), Load::default());
        at(1_000);
        assert_eq!(pipeline.silent_ms(), 1_000);
        let (first, second, third) = (pipeline.take(), pipeline.take(), pipeline.take());
        at(1_000 + SLOW_MS - 1);
        assert_eq!(pipeline.load(), Load { slow: false, sent: 3 });
        at(1_000 + SLOW_MS);
        assert_eq!(pipeline.load(), Load { slow: true, sent: 3 });
        assert_eq!((first.at_work_ms(), second.at_work_ms()), (SLOW_MS, 0));
        assert!(first.at_head().now_or_never().is_some());
        let mut waiting = Box::pin(third.at_head());
        assert!(waiting.as_mut().now_or_never().is_none());
        // Whoever is told of its answer first need not be the first.
        drop(second);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(pipeline.load(), Load { slow: true, sent: 2 });
        drop(first);
        assert!(waiting.now_or_never().is_some());
        assert_eq!((pipeline.load(), pipeline.silent_ms()), (Load { slow: false, sent: 1 }, 0));
        assert!(room.notified().now_or_never().is_some());
        at(1_500);
        assert_eq!((third.at_work_ms(), pipeline.silent_ms()), (500 - SLOW_MS, 500 - SLOW_MS));
        drop(third);
        assert_eq!(pipeline.load(), Load::default());
    }
}
