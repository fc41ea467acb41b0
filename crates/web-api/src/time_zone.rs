//! Time zones by their numbers in a user's settings.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use custodia_query::Zone;
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

/// Whether there is a time zone with that number.
pub(crate) fn is_known(number: i32) -> bool {
    ZONES.contains_key(&number)
}

/// The years whose changes of the clock questions know: 1900-01-01 to 2100-01-01, in seconds since 1970. Before and after,
/// the clock stays as it is then.
const CHANGES_FROM: i64 = -2_208_988_800;
const CHANGES_TO: i64 = 4_102_444_800;

/// The zones that were asked for, by number.
static CLOCKS: LazyLock<RwLock<HashMap<i32, Arc<Zone>>>> = LazyLock::new(RwLock::default);

/// The time zone with that number as questions take it; UTC for an unknown one.
#[must_use]
pub fn clock(number: i32) -> Arc<Zone> {
    if !is_known(number) {
        return Arc::new(Zone::utc());
    }
    if let Ok(known) = CLOCKS.read()
        && let Some(zone) = known.get(&number)
    {
        return Arc::clone(zone);
    }
    let zone = Arc::new(changes_of(&time_zone(number)));
    if let Ok(mut known) = CLOCKS.write() {
        known.insert(number, Arc::clone(&zone));
    }
    zone
}

fn changes_of(zone: &TimeZone) -> Zone {
    let Ok(start) = Timestamp::from_second(CHANGES_FROM) else { return Zone::utc() };
    let first = zone.to_offset(start).seconds();
    let mut changes: Vec<(i64, i32)> = Vec::new();
    let mut ahead = first;
    for change in zone.following(start) {
        let moment = change.timestamp().as_second();
        if moment >= CHANGES_TO {
            break;
        }
        // A zone also notes changes of its name alone.
        if change.offset().seconds() != ahead {
            ahead = change.offset().seconds();
            changes.push((moment, ahead));
        }
    }
    Zone { first, changes }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use custodia_query::instant;

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
            assert_eq!(instant::local(&zone, winter) - winter, winter_hours * 3_600 + minutes, "{number} in winter");
            assert_eq!(instant::local(&zone, summer) - summer, summer_hours * 3_600 + minutes, "{number} in summer");
        }
    }

    #[test]
    fn questions_know_the_same_clocks() {
        for number in [92, 85, 110, 35, 190, 255, -7] {
            let (zone, rules) = (clock(number), time_zone(number));
            assert!(zone.changes.is_sorted(), "{number}");
            // Every day of the years 1990 to 2040, at noon.
            for day in 7_305..25_567 {
                let moment = day * 86_400 + 43_200;
                assert_eq!(zone.local(moment), instant::local(&rules, moment), "{number} on day {day}");
            }
        }
        assert_eq!(*clock(-7), Zone::utc());
        assert!(Arc::ptr_eq(&clock(110), &clock(110)), "a zone is worked out once");
    }
}
