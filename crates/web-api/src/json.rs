//! JSON written by hand, straight into a buffer.
//!
//! Rows are the hot path: nothing here allocates, and no value passes through a tree. Numbers are written from their
//! exact form, so that no digit is lost on the way.

use std::io::Write as _;

use custodia_schema::{Decimal, Guid, Money};

/// For each byte, whether it must be escaped in a JSON text: quote, backslash and control characters.
#[expect(clippy::indexing_slicing, reason = "worked out by the compiler: an index out of range does not build")]
const ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The two hexadecimal digits of every byte, one after the other.
#[expect(clippy::indexing_slicing, reason = "worked out by the compiler: an index out of range does not build")]
const HEX_PAIRS: [[u8; 2]; 256] = {
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    table
};

/// The two decimal digits of the numbers from 0 to 99.
#[expect(clippy::indexing_slicing, reason = "worked out by the compiler: an index out of range does not build")]
const DIGIT_PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    table
};

/// Digits after the point that an amount of money is written with, as many as are kept.
const MONEY_PLACES: u8 = 4;

/// Writes a text with its quotes.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Writes a text as it stands between quotes.
pub(crate) fn escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = first_special(rest) {
        let (plain, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        if let Some((special, after)) = after.split_first() {
            escape(out, *special);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
}

/// Where the first byte stands that must be escaped.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().take_while(|word| !has_special(u64::from_le_bytes(**word))).count() * 8;
    let special = |byte: &u8| ESCAPED.get(usize::from(*byte)).copied().unwrap_or(false);
    bytes.get(plain..)?.iter().position(special).map(|at| plain + at)
}

/// Whether one of eight bytes must be escaped. Taking one from each byte borrows into its highest bit only where the byte
/// was less: so eight are compared at once.
fn has_special(word: u64) -> bool {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = EACH << 7;
    let any_less = |word: u64, than: u8| word.wrapping_sub(EACH * u64::from(than)) & !word & HIGHEST;
    let any_equal = |byte: u8| any_less(word ^ (EACH * u64::from(byte)), 1);
    any_less(word, 0x20) | any_equal(b'"') | any_equal(b'\\') != 0
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short: &[u8] = match byte {
        b'"' => b"\\\"",
        b'\\' => b"\\\\",
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        b'\t' => b"\\t",
        0x08 => b"\\b",
        0x0c => b"\\f",
        other => {
            out.extend_from_slice(b"\\u00");
            hex(out, other);
            return;
        }
    };
    out.extend_from_slice(short);
}

fn hex(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(HEX_PAIRS.get(usize::from(byte)).unwrap_or(&[b'0'; 2]));
}

/// Writes a GUID in lower case, without quotes or braces.
pub(crate) fn guid(out: &mut Vec<u8>, id: &Guid) {
    let mut digits = [b'-'; 36];
    let mut slots = digits.iter_mut();
    for (position, byte) in id.as_bytes().iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            slots.next();
        }
        let [high, low] = HEX_PAIRS.get(usize::from(*byte)).copied().unwrap_or_default();
        if let (Some(first), Some(second)) = (slots.next(), slots.next()) {
            (*first, *second) = (high, low);
        }
    }
    out.extend_from_slice(&digits);
}

/// Writes an integer.
pub(crate) fn integer(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    natural(out, number.unsigned_abs());
}

/// Writes a number without a sign.
pub(crate) fn natural(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes a number from 0 to 99 with two digits.
pub(crate) fn two_digits(out: &mut Vec<u8>, number: u32) {
    let pair = usize::try_from(number).ok().and_then(|number| DIGIT_PAIRS.get(number));
    out.extend_from_slice(pair.unwrap_or(&[b'0'; 2]));
}

/// Writes an amount of money with four digits after the point.
pub(crate) fn money(out: &mut Vec<u8>, amount: Money) {
    scaled(out, i128::from(amount.0), MONEY_PLACES);
}

/// Writes a decimal with at least `places` digits after the point: more only where it has more that are not zero.
pub(crate) fn decimal(out: &mut Vec<u8>, number: Decimal, places: u8) {
    let mut number = number;
    if number.scale() > u32::from(places) {
        number = number.normalize();
    }
    let (mut units, mut scale) = (number.mantissa(), number.scale());
    while scale < u32::from(places) {
        // 96 bits times ten to the twelfth fit 128 bits.
        units = units.saturating_mul(10);
        scale += 1;
    }
    scaled(out, units, u8::try_from(scale).unwrap_or(places));
}

/// Writes a number counted in units of ten to the power of minus `places`.
fn scaled(out: &mut Vec<u8>, units: i128, places: u8) {
    if units < 0 {
        out.push(b'-');
    }
    let mut room = DIGITS_ROOM;
    let (whole, after) = digits(units.unsigned_abs(), places, &mut room);
    out.extend_from_slice(whole);
    if !after.is_empty() {
        out.push(b'.');
        out.extend_from_slice(after);
    }
}

/// Room for all digits of a number, with zeros before them.
pub(crate) const DIGITS_ROOM: [u8; 64] = [b'0'; 64];

/// The digits before and behind the point of a number counted in units of ten to the power of minus `places`: at least one
/// before it. `room` is a copy of [`DIGITS_ROOM`].
pub(crate) fn digits(size: u128, places: u8, room: &mut [u8; 64]) -> (&[u8], &[u8]) {
    let mut buffer = itoa::Buffer::new();
    // Nearly all numbers fit the quick way: dividing 128 bits costs ten times as much.
    let text = match u64::try_from(size) {
        Ok(size) => buffer.format(size),
        Err(_) => buffer.format(size),
    };
    let behind = usize::from(places).min(room.len() - 1);
    let start = room.len() - text.len().max(behind + 1);
    let at = room.len() - text.len();
    if let Some(slots) = room.get_mut(at..) {
        slots.copy_from_slice(text.as_bytes());
    }
    let digits = room.get(start..).unwrap_or_default();
    digits.split_at_checked(digits.len() - behind).unwrap_or((digits, &[]))
}

/// Writes a floating-point number so that it reads back as the same one. It is never infinite.
pub(crate) fn double(out: &mut Vec<u8>, number: f64) {
    // Writing into a vector cannot fail. The debug form keeps `.0`, so that a whole number stays one of this type.
    let _ = write!(out, "{number:?}");
}

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: u32,
    /// From 1.
    pub(crate) day: u32,
}

/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01. Years are counted from March, so that the leap day is a year's last.
const EPOCH_FROM_MARCH: i64 = 719_468;

impl Day {
    /// The day that many days after 1970-01-01.
    pub(crate) fn since_epoch(days: i64) -> Self {
        let days = days + EPOCH_FROM_MARCH;
        let era = days.div_euclid(ERA_DAYS);
        let of_era = days.rem_euclid(ERA_DAYS);
        // Whole years in it: each 4th is longer by a day, not each 100th, but the last of the era.
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA_DAYS - 1)) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        // Months from March have 31, 30, 31, 30, 31 days, twice over: 153 days for five.
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        Self { year, month: u32::try_from(month).unwrap_or(1), day: u32::try_from(day).unwrap_or(1) }
    }
}

/// Seconds of a day.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// Writes a date as `2024-02-29`, without quotes.
pub(crate) fn date(out: &mut Vec<u8>, days: i64) {
    let day = Day::since_epoch(days);
    let year = u32::try_from(day.year).unwrap_or_default();
    two_digits(out, year / 100 % 100);
    two_digits(out, year % 100);
    out.push(b'-');
    two_digits(out, day.month);
    out.push(b'-');
    two_digits(out, day.day);
}

/// Writes an instant as `2024-02-29T10:00:00Z`, without quotes. Never with a fraction: clients know whole seconds only.
pub(crate) fn instant(out: &mut Vec<u8>, seconds: i64) {
    date(out, seconds.div_euclid(DAY_SECONDS));
    let of_day = u32::try_from(seconds.rem_euclid(DAY_SECONDS)).unwrap_or_default();
    out.push(b'T');
    two_digits(out, of_day / 3_600);
    out.push(b':');
    two_digits(out, of_day / 60 % 60);
    out.push(b':');
    two_digits(out, of_day % 60);
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use std::str::FromStr;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_escaped_as_serde_does() {
        let every: String = (0..0x250).filter_map(char::from_u32).collect();
        let cases =
            ["", "plain", "\"", "\\", "a\"b\\c", "\n\r\t\u{8}\u{c}\u{1f}\u{0}", "Zürich 😀 \u{2028}", "\"\"\"", &every];
        for case in cases {
            assert_eq!(written(|out| text(out, case)), serde_json::to_string(case).unwrap(), "{case:?}");
        }
    }

    #[test]
    fn every_byte_is_escaped_wherever_it_stands() {
        for special in (0..0x80_u8).map(char::from).chain(['\u{80}', 'ÿ', '\u{ffff}', '😀']) {
            for before in 0..20 {
                let case = format!("{}{special}{}", "x".repeat(before), "\u{7f}é".repeat(before % 3));
                assert_eq!(written(|out| text(out, &case)), serde_json::to_string(&case).unwrap(), "{case:?}");
            }
        }
    }

    #[test]
    fn guids_are_lower_case_without_braces() {
        for id in [Guid::nil(), Guid::max(), Guid::from_u128(0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978)] {
            assert_eq!(written(|out| guid(out, &id)), id.to_string());
        }
    }

    #[test]
    fn integers_have_all_their_digits() {
        for number in [0, 1, -1, 9, 10, 99, 100, 1_234_567_890, i64::MAX, i64::MIN, i64::from(i32::MIN)] {
            assert_eq!(written(|out| integer(out, number)), number.to_string());
        }
    }

    #[test]
    fn money_has_four_digits_after_the_point() {
        let cases = [
            (0, "0.0000"),
            (1, "0.0001"),
            (-1, "-0.0001"),
            (12_345_000, "1234.5000"),
            (-99_999, "-9.9999"),
            (i64::MAX, "922337203685477.5807"),
            (i64::MIN, "-922337203685477.5808"),
        ];
        for (units, expected) in cases {
            assert_eq!(written(|out| money(out, Money(units))), expected);
        }
    }

    #[test]
    fn decimals_have_the_digits_of_their_column_and_lose_none() {
        let cases = [
            ("1", 10, "1.0000000000"),
            ("0", 0, "0"),
            ("12.50", 2, "12.50"),
            ("12.500000000000", 2, "12.50"),
            ("12.505", 2, "12.505"),
            ("-0.05", 2, "-0.05"),
            ("79228162514264337593543950335", 2, "79228162514264337593543950335.00"),
            ("7.9228162514264337593543950335", 12, "7.9228162514264337593543950335"),
            ("100", 0, "100"),
            ("-100.000000000000", 0, "-100"),
        ];
        for (number, places, expected) in cases {
            assert_eq!(written(|out| decimal(out, Decimal::from_str(number).unwrap(), places)), expected);
        }
    }

    #[test]
    fn doubles_read_back_the_same() {
        for number in [0.0, -0.0, 1.0, 0.1, 1e300, -2.5e-300, f64::MAX, f64::MIN_POSITIVE, 123_456_789.125] {
            let text = written(|out| double(out, number));
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits(), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap().is_number(), "{text}");
        }
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        let epoch = jiff::civil::date(1970, 1, 1);
        // Every day around the turns of centuries and eras, and a sample of all others.
        let days = (-719_162..2_932_896).step_by(97).chain(-25_700..-25_400).chain(10_800..11_100).chain(0..400);
        for days in days {
            let expected = epoch.checked_add(jiff::Span::new().days(days)).unwrap();
            assert_eq!(written(|out| date(out, days)), expected.to_string(), "{days}");
        }
    }

    #[test]
    fn instants_have_whole_seconds() {
        for seconds in [0, -1, 59, 86_399, 86_400, 1_709_200_800, -62_135_596_800] {
            let expected = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            assert_eq!(written(|out| instant(out, seconds)), expected);
        }
        assert_eq!(written(|out| instant(out, 253_402_300_799)), "9999-12-31T23:59:59Z");
    }
}
