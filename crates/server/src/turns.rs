//! Who is worked for next: each organisation in its turn, so that a flood of one does not hold up the others.
//!
//! An organisation holds at most its share of the places at work; what more it asks for stands in a line of its own, and a
//! place that becomes free goes to the lines in turn. A short read of an embedded database is done in one go, without ever
//! letting go of its thread: places would never be short. So who asks for much while others ask too steps back once when its
//! turn has come, behind what is ready to be run by then.
//!
//! Places are for what is short. A read that takes long has a thread of its own by then, or waits for PostgreSQL: it keeps no
//! place from others.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use custodia_store::Clock;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The time over which it is counted who asks for much.
const SLICE_MS: u64 = 100;
/// A request that is at work for so long does not count as holding a place any more.
const LONG_MS: u64 = 50;
/// Requests of one slice that are never much: a person, or a program that waits for its answers.
const LITTLE: u32 = 16;

/// Places at work, given out in turn.
pub struct Turns<K> {
    places: usize,
    share: usize,
    clock: Arc<dyn Clock>,
    state: Mutex<State<K>>,
}

struct State<K> {
    /// Those that hold a place: their numbers, whose they are, and since when.
    working: Vec<(u64, K, u64)>,
    taken: u64,
    lines: HashMap<K, Line>,
    /// Whose lines wait, in the order of their turns.
    order: VecDeque<K>,
    slice: u64,
    /// Requests of this slice, and of how many they are.
    asked: u32,
    asking: u32,
}

#[derive(Default)]
struct Line {
    working: usize,
    waiting: VecDeque<oneshot::Sender<u64>>,
    asked: u32,
}

/// A place at work, given back when it is dropped.
pub struct Turn<'t, K: Eq + Hash + Copy> {
    turns: &'t Turns<K>,
    number: u64,
}

/// A place that is waited for; if nobody waits any more when it comes, the next one gets it.
struct Waiting<'t, K: Eq + Hash + Copy> {
    turns: &'t Turns<K>,
    granted: oneshot::Receiver<u64>,
}

impl<K: Eq + Hash + Copy> Turns<K> {
    /// So many places, of which one organisation holds at most `share`.
    pub fn new(places: usize, share: usize, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            working: Vec::new(),
            taken: 0,
            lines: HashMap::new(),
            order: VecDeque::new(),
            slice: 0,
            asked: 0,
            asking: 0,
        };
        Self { places: places.max(1), share: share.clamp(1, places.max(1)), clock, state: Mutex::new(state) }
    }

    /// Waits for a turn.
    pub async fn take(&self, of: K) -> Turn<'_, K> {
        let now_ms = self.clock.monotonic_ms();
        let (asked, steps_back) = {
            let mut state = self.state.lock();
            let steps_back = state.asks(of, now_ms);
            (state.ask(of, self.places, self.share, now_ms), steps_back)
        };
        let turn = match asked {
            Ok(number) => Turn { turns: self, number },
            Err(granted) => Waiting { turns: self, granted }.turn().await,
        };
        if steps_back {
            tokio::task::yield_now().await;
        }
        turn
    }

    /// Requests that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.state.lock().lines.values().map(|line| line.waiting.len()).sum()
    }

    /// Ends a turn, and gives its place to the next, unless it was taken from it because it lasted too long.
    fn give_back(&self, number: u64) {
        if self.state.lock().ended(number) {
            self.pass_on();
        }
    }

    /// Gives what places are free to those whose turn it is.
    fn pass_on(&self) {
        let now_ms = self.clock.monotonic_ms();
        loop {
            let next = self.state.lock().next(self.places, self.share, now_ms);
            let Some((number, place)) = next else { return };
            if place.send(number).is_err() {
                // Whoever waited there has gone.
                self.state.lock().ended(number);
            }
        }
    }
}

impl<K: Eq + Hash + Copy> State<K> {
    /// Counts a request; whether its organisation asks for more than its equal part while others ask too.
    fn asks(&mut self, of: K, now_ms: u64) -> bool {
        let slice = now_ms / SLICE_MS + 1;
        if self.slice != slice {
            (self.slice, self.asked, self.asking) = (slice, 0, 0);
            self.lines.retain(|_, line| line.working > 0 || !line.waiting.is_empty());
            self.lines.values_mut().for_each(|line| line.asked = 0);
        }
        let line = self.lines.entry(of).or_default();
        self.asking += u32::from(line.asked == 0);
        line.asked = line.asked.saturating_add(1);
        self.asked = self.asked.saturating_add(1);
        self.asking > 1 && line.asked > LITTLE && line.asked > self.asked / self.asking
    }

    /// Takes a place at once, or a place in the line.
    fn ask(&mut self, of: K, places: usize, share: usize, now_ms: u64) -> Result<u64, oneshot::Receiver<u64>> {
        let line = self.lines.entry(of).or_default();
        // Lines that wait while a place is free are those of organisations that hold their share.
        if self.working.len() < places && line.working < share {
            return Ok(self.begin(of, now_ms));
        }
        let (place, granted) = oneshot::channel();
        if line.waiting.is_empty() {
            self.order.push_back(of);
        }
        line.waiting.push_back(place);
        Err(granted)
    }

    fn begin(&mut self, of: K, now_ms: u64) -> u64 {
        self.taken += 1;
        self.working.push((self.taken, of, now_ms));
        self.lines.entry(of).or_default().working += 1;
        self.taken
    }

    /// Ends a turn; whether it still held its place.
    fn ended(&mut self, number: u64) -> bool {
        let Some(at) = self.working.iter().position(|(working, ..)| *working == number) else { return false };
        let (_, of, _) = self.working.swap_remove(at);
        if let Some(line) = self.lines.get_mut(&of) {
            line.working = line.working.saturating_sub(1);
        }
        true
    }

    /// Takes their places from turns that last too long.
    fn end_long(&mut self, now_ms: u64) {
        let long: Vec<_> = self.working.iter().filter(|(.., since)| now_ms.saturating_sub(*since) >= LONG_MS).collect();
        let long: Vec<_> = long.into_iter().map(|(number, ..)| *number).collect();
        for number in long {
            self.ended(number);
        }
    }

    /// Who gets a place that is free: the first of the line whose turn it is. It counts as working from here on.
    fn next(&mut self, places: usize, share: usize, now_ms: u64) -> Option<(u64, oneshot::Sender<u64>)> {
        if self.working.len() >= places {
            return None;
        }
        let lines = &self.lines;
        let at = self.order.iter().position(|of| lines.get(of).is_some_and(|line| line.working < share))?;
        let of = self.order.remove(at)?;
        let line = self.lines.get_mut(&of)?;
        let place = line.waiting.pop_front()?;
        if !line.waiting.is_empty() {
            self.order.push_back(of);
        }
        Some((self.begin(of, now_ms), place))
    }
}

impl<'t, K: Eq + Hash + Copy> Waiting<'t, K> {
    async fn turn(mut self) -> Turn<'t, K> {
        loop {
            match tokio::time::timeout(Duration::from_millis(LONG_MS), &mut self.granted).await {
                Ok(Ok(number)) => return Turn { turns: self.turns, number },
                // The sender goes only when it has granted the place; nothing else is known to happen.
                Ok(Err(_)) => return Turn { turns: self.turns, number: 0 },
                Err(_) => {
                    self.turns.state.lock().end_long(self.turns.clock.monotonic_ms());
                    self.turns.pass_on();
                }
            }
        }
    }
}

impl<K: Eq + Hash + Copy> Drop for Waiting<'_, K> {
    fn drop(&mut self) {
        self.granted.close();
        // Granted, but nobody came for it.
        if let Ok(number) = self.granted.try_recv() {
            self.turns.give_back(number);
        }
    }
}

impl<K: Eq + Hash + Copy> Drop for Turn<'_, K> {
    fn drop(&mut self) {
        self.turns.give_back(self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use std::future::Future;
    use std::pin::Pin;

    use futures::FutureExt;

    use super::*;
    use crate::ambient::HeldClock;

    fn held() -> Arc<HeldClock> {
        Arc::new(HeldClock::default())
    }

    type Asked<'t> = Pin<Box<dyn Future<Output = Turn<'t, char>> + 't>>;

    /// Asks once each; the turns that were given out at once, and the requests that wait.
    fn asked<'t>(turns: &'t Turns<char>, of: &str) -> (Vec<Turn<'t, char>>, Vec<(char, Asked<'t>)>) {
        let (mut at_once, mut waiting) = (Vec::new(), Vec::new());
        for of in of.chars() {
            let mut request: Asked<'t> = Box::pin(turns.take(of));
            match request.as_mut().now_or_never() {
                Some(turn) => at_once.push(turn),
                None => waiting.push((of, request)),
            }
        }
        (at_once, waiting)
    }

    /// Gives places back one by one; who got them, in order.
    fn order<'t>(mut working: Vec<Turn<'t, char>>, mut waiting: Vec<(char, Asked<'t>)>) -> String {
        let mut order = String::new();
        while !working.is_empty() {
            drop(working.remove(0));
            let mut ready = None;
            for (at, (_, request)) in waiting.iter_mut().enumerate() {
                if let Some(turn) = request.as_mut().now_or_never() {
                    assert!(ready.is_none(), "one place, one turn");
                    ready = Some((at, turn));
                }
            }
            if let Some((at, turn)) = ready {
                // A request that has its turn is not asked again.
                order.push(waiting.remove(at).0);
                working.push(turn);
            }
        }
        assert!(waiting.is_empty(), "everybody gets a turn");
        order
    }

    #[tokio::test]
    async fn places_go_to_the_lines_in_turn_however_long_one_is() {
        let turns = Turns::new(2, 2, held());
        let (working, waiting) = asked(&turns, "aaaaaaaabbc");
        assert_eq!((working.len(), turns.waiting()), (2, 9));
        assert_eq!(order(working, waiting), "abcabaaaa");
        assert_eq!(turns.waiting(), 0);
    }

    #[tokio::test]
    async fn nobody_holds_more_than_the_share() {
        let turns = Turns::new(3, 2, held());
        let (working, waiting) = asked(&turns, "aaaa");
        assert_eq!((working.len(), waiting.len()), (2, 2));
        // What is left is free for who comes, at once, although others came before.
        let (other, none) = asked(&turns, "b");
        assert_eq!((other.len(), none.len()), (1, 0));
        // Its place is not for who has the share.
        drop(other);
        assert_eq!(turns.waiting(), 2);
        assert_eq!(order(working, waiting), "aa");
    }

    #[tokio::test]
    async fn who_goes_away_gives_the_place_to_the_next() {
        let turns = Turns::new(1, 1, held());
        let (mut working, mut waiting) = asked(&turns, "aabc");
        // One that is in the line, and one that has been granted a place and not taken it yet.
        drop(waiting.remove(0));
        drop(working.remove(0));
        drop(waiting.remove(0));
        let turn = waiting.remove(0).1.now_or_never().expect("the place came down to the last one");
        assert_eq!(turns.waiting(), 0);
        drop(turn);
        assert_eq!(asked(&turns, "z").0.len(), 1);
    }

    #[tokio::test]
    async fn what_takes_long_keeps_no_place_from_others() {
        let clock = held();
        let turns = Turns::new(1, 1, Arc::clone(&clock) as Arc<dyn Clock>);
        let long = turns.take('a').await;
        let mut waiting = Box::pin(turns.take('b'));
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.set(LONG_MS);
        let turn = waiting.await;
        // The one that took long ends: that frees nothing, since the place is another's.
        drop(long);
        let mut last = Box::pin(turns.take('c'));
        assert!(last.as_mut().now_or_never().is_none());
        drop(turn);
        drop(last.await);
        assert!(turns.state.lock().working.is_empty());
    }

    #[test]
    fn only_who_asks_for_more_than_others_steps_back() {
        let turns: Turns<char> = Turns::new(1, 1, held());
        let mut state = turns.state.lock();
        // Alone, nobody steps back.
        assert!((0..1_000).all(|_| !state.asks('a', 5)));
        assert!(!state.asks('b', 6));
        assert!(state.asks('a', 7));
        // Little is never much, and equal parts are nobody's fault.
        assert!((0..LITTLE).all(|_| !state.asks('c', 100) && !state.asks('d', 100)));
        assert!((0..100).all(|_| !state.asks('c', 150) | !state.asks('d', 150)));
        // Another slice begins with nothing.
        assert!(!state.asks('a', 200));
        assert_eq!((state.asked, state.asking, state.lines.len()), (1, 1, 1));
    }
}
