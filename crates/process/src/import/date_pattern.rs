//! Dates and times as a file writes them: `M/D/YYYY H:MM` and the like.

use std::fmt;

use custodia_query::instant;
use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// How a date or a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DatePattern {
    /// ISO 8601: `2017-03-01`, `2017-03-01T14:05:00`, `2017-03-01 14:05`, `2017-03-01T14:05:00Z`, with any offset.
    Iso,
    /// A pattern of the mapping.
    Pattern(Vec<Token>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Four digits.
    Year,
    Field {
        field: Field,
        /// Exactly two digits, else one or two.
        two_digits: bool,
    },
    /// `Jan` to `Dec`, in English.
    MonthName,
    /// `AM` or `PM`.
    HalfOfDay,
    Literal(char),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Month,
    Day,
    Hour,
    /// 1 to 12, with `AM` or `PM`.
    HourOfHalf,
    Minute,
    Second,
}

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A date or time without a zone; midnight if it has no time.
    Local(DateTime),
    /// An instant, in whole seconds since 1970: it came with an offset.
    Instant(i64),
}

/// Why a text is not a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotADate;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl DatePattern {
    /// Reads a pattern: `YYYY`, `M` or `MM`, `MMM` for a name, `D` or `DD`, `H` or `HH` (0 to 23), `h` or `hh` with `A`
    /// (AM, PM), `S` or `SS`; an `M` behind an hour is a minute. Everything else but letters stands for itself.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        if pattern == "iso" {
            return Ok(Self::Iso);
        }
        let mut tokens: Vec<Token> = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(letter) = rest.next() {
            if !letter.is_ascii_alphabetic() || matches!(letter, 'T') {
                tokens.push(Token::Literal(letter));
                continue;
            }
            let mut length = 1;
            while rest.next_if_eq(&letter).is_some() {
                length += 1;
            }
            let field = |field| Ok(Token::Field { field, two_digits: length == 2 });
            let behind_hour = tokens.iter().rev().find(|token| !matches!(token, Token::Literal(_)));
            let behind_hour = matches!(behind_hour, Some(Token::Field { field: Field::Hour | Field::HourOfHalf, .. }));
            let token = match (letter, length) {
                ('Y', 4) => Ok(Token::Year),
                ('M', 1 | 2) if behind_hour => field(Field::Minute),
                ('M', 1 | 2) => field(Field::Month),
                ('M', 3) => Ok(Token::MonthName),
                ('D', 1 | 2) => field(Field::Day),
                ('H', 1 | 2) => field(Field::Hour),
                ('h', 1 | 2) => field(Field::HourOfHalf),
                ('S', 1 | 2) => field(Field::Second),
                ('A', 1) => Ok(Token::HalfOfDay),
                _ => Err(format!(
                    "`{}` is no part of a date pattern; there are YYYY, M, MM, MMM, D, DD, H, HH, h, hh with A, S, SS",
                    String::from(letter).repeat(length)
                )),
            };
            tokens.push(token?);
        }
        let pattern = Self::Pattern(tokens);
        pattern.check()?;
        Ok(pattern)
    }

    fn check(&self) -> Result<(), String> {
        let Self::Pattern(tokens) = self else { return Ok(()) };
        let count = |wanted: &dyn Fn(&Token) -> bool| tokens.iter().filter(|token| wanted(token)).count();
        let of = |field: Field| count(&|token| matches!(token, Token::Field { field: f, .. } if *f == field));
        let months = of(Field::Month) + count(&|token| *token == Token::MonthName);
        let years = count(&|token| *token == Token::Year);
        if (years, months, of(Field::Day)) != (1, 1, 1) {
            return Err("a date pattern has one year (YYYY), one month (M, MM or MMM) and one day (D or DD)".to_owned());
        }
        let halves = count(&|token| *token == Token::HalfOfDay);
        if of(Field::Hour) + of(Field::HourOfHalf) > 1 || of(Field::Minute) > 1 || of(Field::Second) > 1 {
            return Err("a date pattern has each part once".to_owned());
        }
        if halves != of(Field::HourOfHalf) {
            return Err("h or hh and A go together: write H or HH for hours from 0 to 23".to_owned());
        }
        Ok(())
    }

    /// Reads a text.
    pub fn read(&self, text: &str) -> Result<Moment, NotADate> {
        match self {
            Self::Iso => iso(text),
            Self::Pattern(tokens) => {
                let mut parts = Parts::default();
                let rest = tokens.iter().try_fold(text, |rest, token| parts.take(token, rest));
                if rest != Some("") {
                    return Err(NotADate);
                }
                parts.moment().ok_or(NotADate)
            }
        }
    }
}

impl fmt::Display for DatePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Pattern(tokens) = self else { return f.write_str("YYYY-MM-DD (iso)") };
        for token in tokens {
            let (letter, two_digits) = match token {
                Token::Year => {
                    f.write_str("YYYY")?;
                    continue;
                }
                Token::MonthName => {
                    f.write_str("MMM")?;
                    continue;
                }
                Token::HalfOfDay => ('A', false),
                Token::Literal(literal) => (*literal, false),
                Token::Field { field, two_digits } => (
                    match field {
                        Field::Month | Field::Minute => 'M',
                        Field::Day => 'D',
                        Field::Hour => 'H',
                        Field::HourOfHalf => 'h',
                        Field::Second => 'S',
                    },
                    *two_digits,
                ),
            };
            write!(f, "{letter}")?;
            if two_digits {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    afternoon: Option<bool>,
}

impl Parts {
    /// Takes what a token stands for off the text; `None` if it is not there.
    fn take<'t>(&mut self, token: &Token, text: &'t str) -> Option<&'t str> {
        match token {
            Token::Literal(literal) => text.strip_prefix(*literal),
            Token::Year => {
                let (year, rest) = digits(text, 4, 4)?;
                self.year = year;
                Some(rest)
            }
            Token::MonthName => {
                let (name, rest) = text.split_at_checked(3)?;
                let at = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month))?;
                self.month = i8::try_from(at + 1).ok()?;
                Some(rest)
            }
            Token::HalfOfDay => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = Some(match half {
                    _ if half.eq_ignore_ascii_case("am") => false,
                    _ if half.eq_ignore_ascii_case("pm") => true,
                    _ => return None,
                });
                Some(rest)
            }
            Token::Field { field, two_digits } => {
                let (number, rest) = digits(text, if *two_digits { 2 } else { 1 }, 2)?;
                let number = i8::try_from(number).ok()?;
                match field {
                    Field::Month => self.month = number,
                    Field::Day => self.day = number,
                    Field::Hour => self.hour = number,
                    Field::HourOfHalf => self.hour = (1..=12).contains(&number).then_some(number % 12)?,
                    Field::Minute => self.minute = number,
                    Field::Second => self.second = number,
                }
                Some(rest)
            }
        }
    }

    fn moment(self) -> Option<Moment> {
        let hour = if self.afternoon == Some(true) { self.hour + 12 } else { self.hour };
        DateTime::new(self.year, self.month, self.day, hour, self.minute, self.second, 0).ok().map(Moment::Local)
    }
}

/// A number of `least` to `most` digits at the beginning of a text.
fn digits(text: &str, least: usize, most: usize) -> Option<(i16, &str)> {
    let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if length < least {
        return None;
    }
    let (digits, rest) = text.split_at_checked(length)?;
    Some((digits.parse().ok()?, rest))
}

fn iso(text: &str) -> Result<Moment, NotADate> {
    // A date alone would also be taken for the beginning of a time by the more lenient readers, so it is first.
    if let Ok(date) = text.parse::<Date>()
        && text.len() <= 10
    {
        return Ok(Moment::Local(date.into()));
    }
    if let Ok(pieces) = Pieces::parse(text)
        && let (Some(time), Some(offset)) = (pieces.time(), pieces.to_numeric_offset())
    {
        let instant = instant::of_clock(pieces.date().to_datetime(time), offset.seconds());
        return instant.map(Moment::Instant).ok_or(NotADate);
    }
    text.parse::<DateTime>().map(Moment::Local).map_err(|_| NotADate)
}

/// A time zone by its IANA name, from the list inside the program: the machine's own does not matter.
pub(super) fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&str>) {
        let read = DatePattern::parse(pattern).unwrap().read(text);
        let shown = read.ok().map(|moment| match moment {
            Moment::Local(local) => local.to_string(),
            Moment::Instant(seconds) => instant::Shown(seconds).to_string(),
        });
        assert_eq!(shown.as_deref(), expected, "{text} as {pattern}");
    }

    #[test]
    fn a_pattern_reads_dates_and_times() {
        check("M/D/YYYY", "10/20/2016", Some("2016-10-20T00:00:00"));
        check("M/D/YYYY", "3/1/2017", Some("2017-03-01T00:00:00"));
        check("M/D/YYYY H:MM", "3/14/2025 1:20", Some("2025-03-14T01:20:00"));
        check("M/D/YYYY H:MM", "12/31/2024 23:59", Some("2024-12-31T23:59:00"));
        check("YYYY-MM-DDTHH:MM:SS", "2024-02-29T08:09:10", Some("2024-02-29T08:09:10"));
        check("DD.MM.YYYY", "05.11.1999", Some("1999-11-05T00:00:00"));
        check("D MMM YYYY h:MM A", "7 Mar 2020 12:05 am", Some("2020-03-07T00:05:00"));
        check("D MMM YYYY h:MM A", "7 DEC 2020 12:05 PM", Some("2020-12-07T12:05:00"));
        check("YYYYMMDD", "20200307", Some("2020-03-07T00:00:00"));
    }

    #[test]
    fn what_does_not_fit_the_pattern_is_no_date() {
        check("M/D/YYYY", "13/1/2017", None);
        check("M/D/YYYY", "2/30/2017", None);
        check("M/D/YYYY", "3/1/17", None);
        check("M/D/YYYY", "3/1/2017 ", None);
        check("M/D/YYYY", "3/1/2017 4:00", None);
        check("MM/DD/YYYY", "3/1/2017", None);
        check("M/D/YYYY H:MM", "3/1/2017 24:00", None);
        check("M/D/YYYY h:MM A", "3/1/2017 13:00 PM", None);
        check("M/D/YYYY", "", None);
        check("M/D/YYYY", "3/١/2017", None);
        check("D MMM YYYY", "7 Mär 2020", None);
    }

    #[test]
    fn iso_reads_dates_times_and_instants() {
        check("iso", "2017-03-01", Some("2017-03-01T00:00:00"));
        check("iso", "1962-02-18 00:00:00", Some("1962-02-18T00:00:00"));
        check("iso", "2017-03-01T14:05:00Z", Some("2017-03-01T14:05:00Z"));
        check("iso", "2017-03-01T14:05:00+02:00", Some("2017-03-01T12:05:00Z"));
        check("iso", "2017-03-01T14:05:00.999Z", Some("2017-03-01T14:05:00Z"));
        check("iso", "9999-12-31", Some("9999-12-31T00:00:00"));
        check("iso", "9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z"));
        check("iso", "9999-12-31T23:59:59+10:00", Some("9999-12-31T13:59:59Z"));
        check("iso", "9999-12-31T23:59:59-01:00", None);
        check("iso", "3/1/2017", None);
        check("iso", "2017-02-29", None);
        check("iso", "yesterday", None);
    }

    #[test]
    fn a_faulty_pattern_says_what_there_is() {
        assert!(DatePattern::parse("M/D/YY").unwrap_err().contains("`YY`"));
        assert!(DatePattern::parse("M/D").unwrap_err().contains("one year"));
        assert!(DatePattern::parse("M/D/YYYY h:MM").unwrap_err().contains("go together"));
        assert!(DatePattern::parse("M/D/YYYY H:MM H").unwrap_err().contains("once"));
        assert!(DatePattern::parse("D/M/YYYY W").unwrap_err().contains("`W`"));
    }

    #[test]
    fn a_pattern_is_shown_as_it_was_written() {
        for pattern in ["M/D/YYYY H:MM", "DD.MM.YYYY HH:MM:SS", "D MMM YYYY h:MM A"] {
            assert_eq!(DatePattern::parse(pattern).unwrap().to_string(), pattern);
        }
    }

    #[test]
    fn local_times_become_instants_by_their_zone() {
        let zone = time_zone("America/New_York").unwrap();
        let at = |text: &str| instant::of_local(text.parse().unwrap(), &zone).unwrap();
        assert_eq!(at("2025-03-14T01:20:00"), 1_741_929_600);
        assert_eq!(at("2025-01-14T01:20:00"), 1_736_835_600);
        // 2025-03-09 02:30 does not exist: the clocks went from 2:00 to 3:00.
        assert_eq!(at("2025-03-09T02:30:00"), at("2025-03-09T03:30:00"));
        // 2024-11-03 01:30 came twice: the first, in summer time.
        assert_eq!(at("2024-11-03T02:30:00") - at("2024-11-03T01:30:00"), 7200);
        assert_eq!(at("9999-12-31T18:59:59"), 253_402_300_799);
        assert_eq!(instant::of_local("9999-12-31T19:00:00".parse().unwrap(), &zone), None);
        assert!(time_zone("America/New_Yrok").is_none());
    }
}
