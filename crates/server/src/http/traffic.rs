//! What a connection of HTTP/2 still owes its client. Such a client says itself how much of an answer it takes, and none
//! at all if it likes; the HTTP library then keeps the answers for as long as the connection lasts. Here it is told how
//! long that has been so, and whether a connection is used at all; and there are so many exchanges on all connections
//! together, whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

/// Exchanges that each connection has whatever the others have, so that those who take no answers leave something to those
/// who do.
const OF_A_CONNECTION_MIN: usize = 4;

/// The exchanges of all connections.
pub struct Exchanges {
    open: AtomicUsize,
    most: usize,
}

/// The exchanges of one connection: requests at work, and answers that were not taken whole yet.
#[derive(Clone)]
pub struct Traffic {
    inner: Arc<Inner>,
}

struct Inner {
    all: Arc<Exchanges>,
    /// Exchanges begun and not over.
    open: AtomicUsize,
    /// Exchanges begun since the last look.
    begun: AtomicUsize,
    /// Answers given and not taken, by when they were given.
    owed: Mutex<Owed>,
}

/// Answers that were given before the last look and since.
#[derive(Default)]
struct Owed {
    looks: usize,
    of_even_looks: usize,
    of_odd_looks: usize,
}

impl Owed {
    fn given_after(&mut self, looks: usize) -> &mut usize {
        if looks.is_multiple_of(2) { &mut self.of_even_looks } else { &mut self.of_odd_looks }
    }
}

/// Whether there is room for an answer that would have to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Free,
    /// There is not: the answer is to have no body, so that nobody needs to take it.
    Full,
}

/// One request and its answer, until it is dropped.
pub struct Exchange {
    traffic: Traffic,
}

/// An answer that is being taken, until it is dropped.
struct Answer {
    body: Bytes,
    /// How many looks there had been when it was given.
    looks: usize,
    exchange: Exchange,
}

/// What a look at a connection shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing is wrong with it.
    InUse,
    /// Nothing was asked since the look before, and nothing is at work.
    Idle,
    /// An answer that was given before the look before is not taken yet.
    Overdue,
}

impl Exchanges {
    /// None is open yet, and so many may be.
    pub fn new(most: usize) -> Self {
        Self { open: AtomicUsize::new(0), most }
    }
}

impl Traffic {
    /// The traffic of a new connection.
    pub fn of(all: &Arc<Exchanges>) -> Self {
        let inner = Inner {
            all: Arc::clone(all),
            open: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            owed: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A request begins. There is no room for its answer if there are as many as may be on all connections, and a few on this one.
    pub fn begin(&self) -> (Exchange, Room) {
        let Inner { all, open, begun, .. } = self.inner.as_ref();
        let (of_all, here) = (all.open.fetch_add(1, Ordering::Relaxed), open.fetch_add(1, Ordering::Relaxed));
        begun.fetch_add(1, Ordering::Relaxed);
        let has_room = of_all < all.most || here < OF_A_CONNECTION_MIN;
        (Exchange { traffic: self.clone() }, if has_room { Room::Free } else { Room::Full })
    }

    /// Looks at the connection; looks are made at equal distances.
    pub fn look(&self) -> Seen {
        let begun = self.inner.begun.swap(0, Ordering::Relaxed);
        let mut owed = self.inner.owed.lock();
        owed.looks += 1;
        let looks = owed.looks;
        // Those of the present parity were given before the look before, since none were given under this number yet.
        if *owed.given_after(looks) > 0 {
            Seen::Overdue
        } else if begun == 0 && self.inner.open.load(Ordering::Relaxed) == 0 {
            Seen::Idle
        } else {
            Seen::InUse
        }
    }
}

impl Exchange {
    /// The bytes of the answer; the exchange is over when all of them were taken.
    pub fn owe(self, body: Bytes) -> Bytes {
        if body.is_empty() {
            return body;
        }
        let looks = {
            let mut owed = self.traffic.inner.owed.lock();
            let looks = owed.looks;
            *owed.given_after(looks) += 1;
            looks
        };
        Bytes::from_owner(Answer { body, looks, exchange: self })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.traffic.inner.open.fetch_sub(1, Ordering::Relaxed);
        self.traffic.inner.all.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        *self.exchange.traffic.inner.owed.lock().given_after(self.looks) -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic() -> Traffic {
        Traffic::of(&Arc::new(Exchanges::new(100)))
    }

    #[test]
    fn an_answer_has_from_one_look_to_the_next_but_one() {
        let traffic = traffic();
        let first = traffic.begin().0.owe(Bytes::from_static(b"first"));
        assert_eq!(traffic.look(), Seen::InUse);
        let second = traffic.begin().0.owe(Bytes::from_static(b"second"));
        // A part of it keeps all of it.
        let part = first.slice(4..);
        drop(first);
        assert_eq!(traffic.look(), Seen::Overdue);
        drop(part);
        assert_eq!(traffic.look(), Seen::Overdue, "the second, by now");
        drop(second);
        assert_eq!(traffic.look(), Seen::Idle);
    }

    #[test]
    fn a_connection_with_a_request_at_work_is_not_idle() {
        let traffic = traffic();
        let exchange = traffic.begin().0;
        for _ in 0..5 {
            assert_eq!(traffic.look(), Seen::InUse);
        }
        drop(exchange.owe(Bytes::new()));
        assert_eq!(traffic.look(), Seen::Idle);
        drop(traffic.begin().0);
        assert_eq!(traffic.look(), Seen::InUse, "there was one since");
        assert_eq!(traffic.look(), Seen::Idle);
    }

    #[test]
    fn all_connections_have_so_many_exchanges_and_each_has_a_few() {
        let all = Arc::new(Exchanges::new(10));
        let (greedy, other) = (Traffic::of(&all), Traffic::of(&all));
        // What is owed of so many requests.
        let ask = |traffic: &Traffic, requests: usize| -> Vec<_> {
            let begun = (0..requests).map(|_| match traffic.begin() {
                (exchange, Room::Free) => Some(exchange.owe(Bytes::from_static(b"answer"))),
                (exchange, Room::Full) => Some(exchange.owe(Bytes::new())).filter(|body| !body.is_empty()),
            });
            begun.flatten().collect()
        };
        let mut held = ask(&greedy, 20);
        assert_eq!(held.len(), 10);
        assert_eq!(ask(&other, 20).len(), OF_A_CONNECTION_MIN);
        assert!(ask(&greedy, 5).is_empty());
        held.pop();
        held.extend(ask(&greedy, 5));
        assert_eq!((held.len(), all.open.load(Ordering::Relaxed)), (10, 10));
        drop(held);
        assert_eq!(all.open.load(Ordering::Relaxed), 0);
    }
}
