//! Instants, in seconds since 1970, as calendars and clocks show them: all of the years 1 to 9999.
//!
//! Nothing here goes through a [`jiff::Timestamp`], which ends two hours before the last day but one; the last day is what
//! people write for "without end".

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The first second of the year 1.
pub const SECONDS_MIN: i64 = -62_135_596_800;
/// The last second of the year 9999.
pub const SECONDS_MAX: i64 = 253_402_300_799;

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// An instant as UTC's calendar and clock have it; `None` outside of the years 1 to 9999.
#[must_use]
pub fn civil(seconds: i64) -> Option<DateTime> {
    let seconds = Some(seconds).filter(|seconds| (SECONDS_MIN..=SECONDS_MAX).contains(seconds))?;
    EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// The day that many days after 1970-01-01; `None` outside of the years 1 to 9999.
#[must_use]
pub fn day(days: i32) -> Option<Date> {
    Some(civil(i64::from(days) * DAY_SECONDS)?.date())
}

/// The instant at which UTC's clock shows a time. A fraction of a second is dropped, towards the past.
#[must_use]
pub fn of_civil(civil: DateTime) -> i64 {
    DateTime::new(civil.year(), civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second(), 0)
        .unwrap_or(civil)
        .duration_since(EPOCH)
        .as_secs()
}

/// The instant at which a clock that is so many seconds ahead of UTC shows a time; `None` outside of the years 1 to 9999.
#[must_use]
pub fn of_clock(civil: DateTime, ahead: i32) -> Option<i64> {
    Some(of_civil(civil) - i64::from(ahead)).filter(|seconds| (SECONDS_MIN..=SECONDS_MAX).contains(seconds))
}

/// The instant of a local time; `None` outside of the years 1 to 9999. A time that a change of the clocks leaves out is moved
/// on by the hour that was left out; of a time that occurs twice, the first is meant.
#[must_use]
pub fn of_local(local: DateTime, zone: &TimeZone) -> Option<i64> {
    use jiff::tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
    let (Unambiguous { offset } | Gap { before: offset, .. } | Fold { before: offset, .. }) =
        zone.to_ambiguous_timestamp(local).offset();
    of_clock(local, offset.seconds())
}

/// An instant as seconds of the zone's own clock, which stops at the first and the last second that can be written.
#[must_use]
pub fn local(zone: &TimeZone, seconds: i64) -> i64 {
    // No clock is changed in the hours that a timestamp does not have.
    let known = Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX });
    (seconds + i64::from(zone.to_offset(known).seconds())).clamp(SECONDS_MIN, SECONDS_MAX)
}

/// An instant as it is written: `2024-02-29T10:00:00Z`. What is outside of the years 1 to 9999, and so is no instant of any
/// record, is shown as its number.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub i64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match civil(self.0) {
            Some(civil) => write!(f, "{civil}Z"),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use jiff::tz::Offset;

    use super::*;

    #[test]
    fn the_first_and_the_last_second_are_written_and_read() {
        for (seconds, text) in [
            (SECONDS_MIN, "0001-01-01T00:00:00"),
            (-6_847_804_800, "1753-01-01T00:00:00"),
            (-1, "1969-12-31T23:59:59"),
            (253_402_207_200, "9999-12-30T22:00:00"),
            (253_402_214_400, "9999-12-31T00:00:00"),
            (SECONDS_MAX, "9999-12-31T23:59:59"),
        ] {
            assert_eq!(civil(seconds).unwrap().to_string(), text);
            assert_eq!(Shown(seconds).to_string(), format!("{text}Z"));
            assert_eq!(of_civil(text.parse().unwrap()), seconds);
        }
        assert_eq!((civil(SECONDS_MIN - 1), civil(SECONDS_MAX + 1), civil(i64::MAX)), (None, None, None));
        assert_eq!(Shown(SECONDS_MAX + 1).to_string(), "253402300800");
        assert_eq!(of_civil("1969-12-31T23:59:59.999".parse().unwrap()), -1);
        assert_eq!(of_civil("1970-01-01T00:00:00.999".parse().unwrap()), 0);
        assert_eq!(day(2_932_896).unwrap().to_string(), "9999-12-31");
        assert_eq!(day(i32::MAX), None);
    }

    #[test]
    fn clocks_go_on_to_the_last_day() {
        let east = TimeZone::fixed(Offset::constant(10));
        let west = TimeZone::fixed(Offset::constant(-5));
        let last_midnight = 253_402_214_400;
        assert_eq!(local(&east, last_midnight), last_midnight + 36_000);
        assert_eq!(local(&west, last_midnight), last_midnight - 18_000);
        assert_eq!(local(&east, SECONDS_MAX), SECONDS_MAX, "there is no year 10000");
        let shown: DateTime = "9999-12-31T00:00:00".parse().unwrap();
        assert_eq!(of_local(shown, &east), Some(last_midnight - 36_000));
        assert_eq!(of_local(shown, &west), Some(last_midnight + 18_000));
        assert_eq!(of_local("9999-12-31T20:00:00".parse().unwrap(), &west), None);
    }
}
