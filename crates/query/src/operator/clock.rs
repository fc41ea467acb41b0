//! The caller's clock: moments to local time and back.

use crate::Zone;

/// Seconds of a day.
pub(super) const DAY_SECONDS: i64 = 86_400;

impl Zone {
    /// A moment (UTC seconds since 1970) as seconds of the local clock.
    #[must_use]
    pub fn local(&self, moment: i64) -> i64 {
        moment.saturating_add(i64::from(self.ahead_at(moment)))
    }

    /// The first moment at which the local clock shows this time or a later one: where the clock is set forward over it,
    /// the moment of the change; where the clock shows it twice, the first of them.
    #[must_use]
    pub fn moment_of(&self, local: i64) -> i64 {
        // No clock differs from UTC by a day: moments further away need no look.
        let before = local.saturating_sub(DAY_SECONDS);
        let first_near = self.changes.partition_point(|(from, _)| *from <= before);
        let mut ahead = self.ahead_at(before);
        let mut from = before;
        for (change, then) in self.changes.get(first_near..).unwrap_or_default() {
            let moment = local.saturating_sub(i64::from(ahead)).max(from);
            if moment < *change {
                return moment;
            }
            (from, ahead) = (*change, *then);
        }
        local.saturating_sub(i64::from(ahead)).max(from)
    }
}
