//! The end of a load, which everybody who waits for something else hears of at once.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Whether it is over.
#[derive(Default)]
pub struct Over {
    over: Mutex<bool>,
    changed: Condvar,
}

/// Ends it when dropped, also when a test fails in the middle.
pub struct End<'o>(&'o Over);

impl Over {
    pub fn at_the_end(&self) -> End<'_> {
        End(self)
    }

    pub fn is_over(&self) -> bool {
        *self.over.lock().unwrap()
    }

    /// Waits so long, or until it is over; whether it is.
    pub fn within(&self, time: Duration) -> bool {
        let waiting = self.over.lock().unwrap();
        *self.changed.wait_timeout_while(waiting, time, |over| !*over).unwrap().0
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        // A lock that another one left by failing still tells the others to end.
        *self.0.over.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}
