//! Time zones by their numbers in a user's settings.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zones by number, from the data file.
static ZONES: LazyLock<HashMap<i32, &'static str>> = LazyLock::new(|| {
    include_str!("data/time-zones.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(number, zone)| Some((number.parse().ok()?, zone)))
        .collect()
});

/// The rules of the zones, built into the program: what a machine has installed decides nothing.
static RULES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The time zone with that number; UTC for an unknown one.
pub(crate) fn time_zone(number: i32) -> TimeZone {
    ZONES.get(&number).and_then(|name| RULES.get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// An instant, in seconds since 1970, as seconds of the zone's own clock.
pub(crate) fn local_seconds(zone: &TimeZone, seconds: i64) -> i64 {
    match Timestamp::from_second(seconds) {
        Ok(instant) => seconds + i64::from(zone.to_offset(instant).seconds()),
        Err(_) => seconds,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn every_line_of_the_file_names_a_zone_that_exists() {
        let lines = include_str!("data/time-zones.txt").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(ZONES.len(), lines, "a line is malformed, or a number stands twice");
        for (number, name) in ZONES.iter() {
            assert!(RULES.get(name).is_ok(), "{number} {name}");
        }
    }

    #[test]
    fn clocks_follow_the_zone_and_its_summer_time() {
        // 2024-07-01T12:00:00Z and 2024-01-01T12:00:00Z.
        let (summer, winter) = (1_719_835_200, 1_704_110_400);
        let cases = [(92, 0, 0), (85, 0, 1), (110, 1, 2), (35, -5, -4), (190, 5, 5), (-7, 0, 0)];
        for (number, winter_hours, summer_hours) in cases {
            let zone = time_zone(number);
            let minutes = if number == 190 { 30 * 60 } else { 0 };
            assert_eq!(local_seconds(&zone, winter) - winter, winter_hours * 3_600 + minutes, "{number} in winter");
            assert_eq!(local_seconds(&zone, summer) - summer, summer_hours * 3_600 + minutes, "{number} in summer");
        }
    }
}
