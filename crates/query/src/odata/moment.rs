//! Dates and instants as they are written.

use jiff::civil::{Date, DateTime};

use crate::instant;

/// A date or an instant. A fraction of a second is dropped, as in stored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// UTC seconds since 1970; midnight for a date.
    pub(super) seconds: i64,
}

/// Reads a date or an instant in the form of literals, `2024-02-29` or `2024-02-29T10:00:00Z`, as UTC seconds since 1970:
/// midnight for a date. `None` for anything else.
#[must_use]
pub fn parse_moment(text: &str) -> Option<i64> {
    Moment::parse(text).map(|moment| moment.seconds)
}

/// Seconds of a day.
pub(super) const DAY_SECONDS: i64 = 86_400;

/// What stands where a date may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// Not written like a date.
    NoDate,
    /// Written like a date, but there is no such day, time or offset.
    Impossible,
    /// A date or an instant, and how many bytes it takes.
    Moment(Moment, usize),
}

impl Moment {
    /// Reads a whole text as [`Moment::prefix`] does.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match Self::prefix(text) {
            Prefix::Moment(moment, length) if length == text.len() => Some(moment),
            _ => None,
        }
    }

    /// Reads `2024-02-29`, `2024-02-29T10:00Z`, `2024-02-29T10:00:00.5+02:00` at the start of `text`.
    ///
    /// Without an offset the time is UTC. A blank before the offset's digits is a plus sign that form decoding took.
    pub(super) fn prefix(text: &str) -> Prefix {
        let mut reader = Reader { rest: text.as_bytes() };
        let Some((year, month, day)) = reader.date() else { return Prefix::NoDate };
        let Ok(day) = Date::new(year, month, day) else { return Prefix::Impossible };
        let (mut hour, mut minute, mut second, mut offset) = (0, 0, 0, 0);
        if reader.skip_any(b"Tt") {
            let Some(time) = reader.time() else { return Prefix::Impossible };
            (hour, minute, second) = time;
            let Some(read) = reader.offset() else { return Prefix::Impossible };
            offset = read;
        }
        let Ok(civil) = DateTime::new(day.year(), day.month(), day.day(), hour, minute, second, 0) else {
            return Prefix::Impossible;
        };
        let Some(seconds) = instant::of_clock(civil, offset) else { return Prefix::Impossible };
        Prefix::Moment(Self { seconds }, text.len() - reader.rest.len())
    }
}

/// Takes bytes from the front.
struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn skip(&mut self, expected: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[expected])?;
        Some(())
    }

    fn skip_any(&mut self, expected: &[u8]) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if expected.contains(first) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<i16> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let mut number = 0_i16;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number.checked_mul(10)?.checked_add(i16::from(digit - b'0'))?;
        }
        self.rest = rest;
        Some(number)
    }

    fn two_digits(&mut self) -> Option<i8> {
        self.digits(2).and_then(|number| i8::try_from(number).ok())
    }

    fn date(&mut self) -> Option<(i16, i8, i8)> {
        let year = self.digits(4)?;
        self.skip(b'-')?;
        let month = self.two_digits()?;
        self.skip(b'-')?;
        let day = self.two_digits()?;
        Some((year, month, day))
    }

    fn time(&mut self) -> Option<(i8, i8, i8)> {
        let hour = self.two_digits()?;
        self.skip(b':')?;
        let minute = self.two_digits()?;
        let mut second = 0;
        if self.skip_any(b":") {
            second = self.two_digits()?;
            if self.skip_any(b".") {
                self.digits(1)?;
                while self.digits(1).is_some() {}
            }
        }
        Some((hour, minute, second))
    }

    /// Seconds east of UTC; 0 when none is written.
    fn offset(&mut self) -> Option<i32> {
        let lost_plus = matches!(self.rest, [b' ', hour, ..] if hour.is_ascii_digit());
        let sign = match self.rest.first() {
            Some(b'Z' | b'z') => {
                self.skip_any(b"Zz");
                return Some(0);
            }
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(b' ') if lost_plus => 1,
            _ => return Some(0),
        };
        self.skip_any(b"+- ");
        let hours = self.two_digits()?;
        self.skip(b':')?;
        let minutes = self.two_digits()?;
        if hours > 14 || minutes > 59 {
            return None;
        }
        Some(sign * (i32::from(hours) * 3_600 + i32::from(minutes) * 60))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;
    use crate::instant::{SECONDS_MAX, SECONDS_MIN};

    #[test]
    fn dates_and_instants_are_read() {
        let cases = [
            ("1970-01-01", 0),
            ("1970-01-02", DAY_SECONDS),
            ("1969-12-31T23:59:59Z", -1),
            ("1970-01-01T00:01Z", 60),
            ("1970-01-01T00:00:01", 1),
            ("1970-01-01T00:00:01.999Z", 1),
            ("1969-12-31T23:59:59.999Z", -1),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1970-01-01T02:00:00 02:00", 0),
            ("1970-01-01T00:00:00-05:30", 19_800),
            ("1970-01-01t00:00:00z", 0),
            ("2024-02-29T10:00:00Z", 1_709_200_800),
            ("0001-01-01T00:00:00Z", SECONDS_MIN),
            ("9999-12-31T23:59:59Z", SECONDS_MAX),
        ];
        for (text, seconds) in cases {
            assert_eq!(Moment::parse(text), Some(Moment { seconds }), "{text}");
        }
    }

    #[test]
    fn impossible_dates_are_told_from_other_text() {
        for text in [
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "0000-01-01",
            "2024-01-01T25:00:00Z",
            "2024-01-01T10",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00+2:00",
            "2024-01-01T10:00:00+15:00",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert_eq!(Moment::prefix(text), Prefix::Impossible, "{text}");
        }
        for text in ["", "2024", "2024-1-01", "24-01-01", "-2024-01-01", "２０２４-01-01"] {
            assert_eq!(Moment::prefix(text), Prefix::NoDate, "{text}");
        }
    }

    #[test]
    fn a_date_ends_where_it_ends() {
        assert_eq!(Moment::prefix("1970-01-01 and"), Prefix::Moment(Moment { seconds: 0 }, 10));
        assert_eq!(Moment::prefix("1970-01-01T00:00:00Z)"), Prefix::Moment(Moment { seconds: 0 }, 20));
        assert_eq!(Moment::prefix("1970-01-01T00:00:00 and x"), Prefix::Moment(Moment { seconds: 0 }, 19));
    }
}
