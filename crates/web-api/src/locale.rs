//! How dates, times and numbers are written for people.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::json::{self, DAY_SECONDS, Day};

/// The number of the locale that stands in for those the file does not have.
const FALLBACK: i32 = 1033;

static LOCALES: LazyLock<HashMap<i32, Locale>> = LazyLock::new(|| lines().filter_map(Locale::read).collect());

fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("data/locales.txt").lines().filter(|line| !line.starts_with('#'))
}

/// Where a currency's symbol stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SymbolPlace {
    Before,
    After,
    BeforeWithBlank,
    AfterWithBlank,
}

/// How dates, times and numbers are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Locale {
    date: Vec<Part>,
    time: Vec<Part>,
    point: &'static str,
    thousands: &'static str,
    symbol: SymbolPlace,
}

/// A piece of a date or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Day { padded: bool },
    Month { padded: bool },
    Year,
    Hour { of_twelve: bool, padded: bool },
    Minute,
    HalfOfDay,
    Literal(char),
}

/// A blank that does not break a line.
const FIRM_BLANK: &str = "\u{a0}";

impl Locale {
    /// The locale with that number.
    pub(crate) fn numbered(number: i32) -> Option<&'static Self> {
        LOCALES.get(&number).or_else(|| LOCALES.get(&FALLBACK))
    }

    fn read(line: &'static str) -> Option<(i32, Self)> {
        let mut words = line.split(' ');
        let number = words.next()?.parse().ok()?;
        let date = parts(words.next()?)?;
        let time = parts(words.next()?)?;
        let mut mark = || words.next().map(|mark| if mark == "nbsp" { FIRM_BLANK } else { mark });
        let (point, thousands) = (mark()?, mark()?);
        let symbol = match words.next()? {
            "$n" => SymbolPlace::Before,
            "n$" => SymbolPlace::After,
            "$_n" => SymbolPlace::BeforeWithBlank,
            "n_$" => SymbolPlace::AfterWithBlank,
            _ => return None,
        };
        words.next().is_none().then_some((number, Self { date, time, point, thousands, symbol }))
    }

    /// Writes a date: days since 1970-01-01.
    pub(crate) fn write_date(&self, out: &mut Vec<u8>, days: i64) {
        write_parts(out, &self.date, Day::since_epoch(days), 0);
    }

    /// Writes a date and the time of day: seconds of a clock since 1970-01-01.
    pub(crate) fn write_date_time(&self, out: &mut Vec<u8>, seconds: i64) {
        let day = Day::since_epoch(seconds.div_euclid(DAY_SECONDS));
        let of_day = u32::try_from(seconds.rem_euclid(DAY_SECONDS)).unwrap_or_default();
        write_parts(out, &self.date, day, of_day);
        out.push(b' ');
        write_parts(out, &self.time, day, of_day);
    }

    /// Writes an integer with separators.
    pub(crate) fn write_integer(&self, out: &mut Vec<u8>, number: i64) {
        self.write_number(out, i128::from(number), 0, 0);
    }

    /// Writes a number of `units` of ten to the power of minus `scale`, with separators, rounded half away from zero to
    /// `places` digits after the point.
    pub(crate) fn write_number(&self, out: &mut Vec<u8>, units: i128, scale: u32, places: u8) {
        let rounded = rounded(units, scale, places);
        if rounded < 0 {
            out.push(b'-');
        }
        let mut room = json::DIGITS_ROOM;
        let (whole, fraction) = json::digits(rounded.unsigned_abs(), places, &mut room);
        for (position, digit) in whole.iter().enumerate() {
            if position > 0 && (whole.len() - position) % 3 == 0 {
                out.extend_from_slice(self.thousands.as_bytes());
            }
            out.push(*digit);
        }
        if !fraction.is_empty() {
            out.extend_from_slice(self.point.as_bytes());
            out.extend_from_slice(fraction);
        }
    }

    /// Writes an amount with its currency's symbol.
    pub(crate) fn write_money(&self, out: &mut Vec<u8>, ten_thousandths: i64, places: u8, symbol: &str) {
        let units = i128::from(ten_thousandths);
        if rounded(units, 4, places) < 0 {
            out.push(b'-');
        }
        let before = matches!(self.symbol, SymbolPlace::Before | SymbolPlace::BeforeWithBlank);
        let blank = matches!(self.symbol, SymbolPlace::BeforeWithBlank | SymbolPlace::AfterWithBlank);
        let blank = if blank && !symbol.is_empty() { FIRM_BLANK } else { "" };
        if before {
            json::escaped(out, symbol);
            out.extend_from_slice(blank.as_bytes());
        }
        self.write_number(out, units.abs(), 4, places);
        if !before {
            out.extend_from_slice(blank.as_bytes());
            json::escaped(out, symbol);
        }
    }
}

/// Units of ten to the power of minus `scale` as units of ten to the power of minus `places`.
fn rounded(units: i128, scale: u32, places: u8) -> i128 {
    let places = u32::from(places);
    if scale <= places {
        return units.saturating_mul(10_i128.saturating_pow(places - scale));
    }
    let unit = 10_i128.saturating_pow(scale - places);
    // Nearly all numbers fit the quick way: dividing 128 bits costs ten times as much.
    if let (Ok(units), Ok(unit)) = (i64::try_from(units), i64::try_from(unit)) {
        let half = if units < 0 { -(unit / 2) } else { unit / 2 };
        if let Some(sum) = units.checked_add(half) {
            return i128::from(sum / unit);
        }
    }
    let half = if units < 0 { -(unit / 2) } else { unit / 2 };
    units.saturating_add(half) / unit
}

fn parts(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let run = rest.chars().take_while(|c| *c == first).count();
        let (part, taken) = match (first, run) {
            ('d', 1 | 2) => (Part::Day { padded: run == 2 }, run),
            ('M', 1 | 2) => (Part::Month { padded: run == 2 }, run),
            ('y', 4) => (Part::Year, run),
            ('h', 1 | 2) => (Part::Hour { of_twelve: true, padded: run == 2 }, run),
            ('H', 1 | 2) => (Part::Hour { of_twelve: false, padded: run == 2 }, run),
            ('m', 2) => (Part::Minute, run),
            ('t', 2) => (Part::HalfOfDay, run),
            ('_', _) => (Part::Literal(' '), 1),
            (letter, _) if letter.is_alphanumeric() => return None,
            (mark, _) => (Part::Literal(mark), 1),
        };
        parts.push(part);
        rest = rest.get(taken * first.len_utf8()..)?;
    }
    Some(parts)
}

fn write_parts(out: &mut Vec<u8>, parts: &[Part], day: Day, of_day: u32) {
    let hour = of_day / 3_600;
    let number = |out: &mut Vec<u8>, number: u32, padded: bool| {
        if padded {
            json::two_digits(out, number);
        } else {
            json::natural(out, u64::from(number));
        }
    };
    for part in parts {
        match part {
            Part::Day { padded } => number(out, day.day, *padded),
            Part::Month { padded } => number(out, day.month, *padded),
            Part::Year => json::integer(out, day.year),
            Part::Hour { of_twelve: true, padded } => number(out, (hour + 11) % 12 + 1, *padded),
            Part::Hour { of_twelve: false, padded } => number(out, hour, *padded),
            Part::Minute => json::two_digits(out, of_day / 60 % 60),
            Part::HalfOfDay => out.extend_from_slice(if hour < 12 { b"AM" } else { b"PM" }),
            Part::Literal(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn locale(number: i32) -> &'static Locale {
        Locale::numbered(number).unwrap()
    }

    #[test]
    fn every_line_of_the_file_is_a_locale() {
        assert_eq!(LOCALES.len(), lines().count(), "a line is malformed, or a number stands twice");
        assert_eq!(locale(-1), locale(FALLBACK));
    }

    #[test]
    fn dates_are_written_as_in_the_locale() {
        // 2024-02-29T10:05:00Z, midnight, and 13:00.
        let morning = 1_709_201_100;
        let day = morning / DAY_SECONDS;
        let cases = [
            (1033, "2/29/2024", "2/29/2024 10:05 AM", "2/29/2024 12:00 AM", "2/29/2024 1:00 PM"),
            (2057, "29/02/2024", "29/02/2024 10:05", "29/02/2024 00:00", "29/02/2024 13:00"),
            (1031, "29.02.2024", "29.02.2024 10:05", "29.02.2024 00:00", "29.02.2024 13:00"),
            (1035, "29.2.2024", "29.2.2024 10.05", "29.2.2024 0.00", "29.2.2024 13.00"),
            (1053, "2024-02-29", "2024-02-29 10:05", "2024-02-29 00:00", "2024-02-29 13:00"),
        ];
        for (number, date, first, midnight, afternoon) in cases {
            let locale = locale(number);
            assert_eq!(written(|out| locale.write_date(out, day)), date);
            for (seconds, expected) in
                [(morning, first), (day * DAY_SECONDS, midnight), (day * DAY_SECONDS + 46_800, afternoon)]
            {
                assert_eq!(written(|out| locale.write_date_time(out, seconds)), expected);
            }
        }
    }

    #[test]
    fn numbers_have_separators_and_round_half_away_from_zero() {
        let english = locale(1033);
        let cases = [
            (0, 0, 0, "0"),
            (999, 0, 0, "999"),
            (1_500, 0, 0, "1,500"),
            (-1_234_567, 0, 0, "-1,234,567"),
            (12_345_678, 4, 2, "1,234.57"),
            (5, 1, 0, "1"),
            (-5, 1, 0, "-1"),
            (4, 1, 0, "0"),
            (1, 0, 2, "1.00"),
            (-5, 2, 2, "-0.05"),
        ];
        for (units, scale, places, expected) in cases {
            assert_eq!(written(|out| english.write_number(out, units, scale, places)), expected);
        }
        assert_eq!(written(|out| locale(1031).write_number(out, 12_345_670, 4, 2)), "1.234,57");
        assert_eq!(written(|out| locale(2055).write_integer(out, 1_500)), "1’500");
        assert_eq!(written(|out| english.write_integer(out, i64::MIN)), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn money_has_its_symbol_where_the_locale_wants_it() {
        let cases = [
            (1033, 12_345_000, "$", "$1,234.50"),
            (1033, -12_345_000, "$", "-$1,234.50"),
            (1033, -1, "$", "$0.00"),
            (1031, 12_345_000, "€", "1.234,50\u{a0}€"),
            (1046, 12_345_000, "R$", "R$\u{a0}1.234,50"),
            (1031, 12_345_000, "", "1.234,50"),
            (1033, 10_000, "\"", "\\\"1.00"),
        ];
        for (number, amount, symbol, expected) in cases {
            assert_eq!(written(|out| locale(number).write_money(out, amount, 2, symbol)), expected);
        }
    }
}
