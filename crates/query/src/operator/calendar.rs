//! Days, months and fiscal years. A day is a number: days since 1970-01-01. Nothing here overflows or fails: years far
//! beyond those that can be stored are days as others.

use crate::{Fiscal, FiscalPeriods};

/// Days that Gregorian years repeat after, and how many years these are.
const CYCLE_DAYS: i64 = 146_097;
const CYCLE_YEARS: i64 = 400;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i64 = 719_468;

/// Years that are reckoned with; beyond them a date is as good as the last one.
const YEAR_MAX: i64 = 1_000_000;

/// A calendar date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

impl Date {
    /// The date of a day.
    pub(super) fn of(days: i64) -> Self {
        let days = days.clamp(-YEAR_MAX * 366, YEAR_MAX * 366) + EPOCH_SHIFT;
        // Years begin in March here, so that a leap day is the last of its year.
        let (cycle, in_cycle) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
        let in_year = (in_cycle - in_cycle / 1_460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
        let in_year_days = in_cycle - (365 * in_year + in_year / 4 - in_year / 100);
        let march_month = (5 * in_year_days + 2) / 153;
        let day = in_year_days - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self { year: cycle * CYCLE_YEARS + in_year + i64::from(month <= 2), month, day }
    }

    /// Its day.
    pub(super) fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (cycle, in_cycle) = (year.div_euclid(CYCLE_YEARS), year.rem_euclid(CYCLE_YEARS));
        let march_month = (self.month + 9) % 12;
        let in_year_days = (153 * march_month + 2) / 5 + self.day - 1;
        cycle * CYCLE_DAYS + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + in_year_days - EPOCH_SHIFT
    }

    /// So many months later (earlier, when negative); the day is clipped to the last of its month.
    pub(super) fn plus_months(self, months: i64) -> Self {
        let count = (self.year * 12 + self.month - 1).saturating_add(months).clamp(-YEAR_MAX * 12, YEAR_MAX * 12);
        let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
        let day = self.day.min(month_length(year, month));
        Self { year, month, day }
    }
}

fn month_length(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The first day of the week that a day lies in.
pub(super) fn week_start(day: i64, week_begins: u8) -> i64 {
    // 1970-01-01 was a Thursday.
    day - (day + 4 - i64::from(week_begins)).rem_euclid(7)
}

/// A period of a fiscal year: the calendar year that the fiscal year begins in, and its number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FiscalPeriod {
    pub(super) year: i64,
    pub(super) at: i64,
}

impl Fiscal {
    /// How many periods a year has.
    #[must_use]
    pub fn periods_of_year(&self) -> u32 {
        match self.periods {
            FiscalPeriods::Annually => 1,
            FiscalPeriods::Semiannually => 2,
            FiscalPeriods::Quarterly => 4,
            FiscalPeriods::Monthly => 12,
            FiscalPeriods::FourWeeks => 13,
        }
    }

    fn count(&self) -> i64 {
        i64::from(self.periods_of_year())
    }

    /// The first day of the fiscal year that begins in this calendar year.
    pub(super) fn year_start(&self, year: i64) -> i64 {
        let year = year.clamp(-YEAR_MAX, YEAR_MAX);
        Date { year, month: i64::from(self.month).clamp(1, 12), day: i64::from(self.day).clamp(1, 28) }.days()
    }

    /// The calendar year in which the fiscal year of a day begins.
    pub(super) fn year_of(&self, day: i64) -> i64 {
        let year = Date::of(day).year;
        if day < self.year_start(year) { year - 1 } else { year }
    }

    /// The calendar year in which the fiscal year with this name begins.
    pub(super) fn year_named(&self, name: i64) -> i64 {
        let ends_in_its_year = Date::of(self.year_start(1971) - 1).year == 1970;
        if self.named_by_start || ends_in_its_year { name } else { name - 1 }
    }

    /// The first day of a period.
    pub(super) fn period_start(&self, period: FiscalPeriod) -> i64 {
        let start = self.year_start(period.year);
        match self.periods {
            FiscalPeriods::FourWeeks => start + 28 * period.at,
            _ => Date::of(start).plus_months(period.at * (12 / self.count())).days(),
        }
    }

    /// The day after the last one of a period.
    pub(super) fn period_end(&self, period: FiscalPeriod) -> i64 {
        self.period_start(self.plus_periods(period, 1))
    }

    /// The period of a day.
    pub(super) fn period_of(&self, day: i64) -> FiscalPeriod {
        let year = self.year_of(day);
        let starts_before = |at: &i64| self.period_start(FiscalPeriod { year, at: *at }) <= day;
        let at = (0..self.count()).rev().find(starts_before).unwrap_or(0);
        FiscalPeriod { year, at }
    }

    /// So many periods later; earlier, when negative.
    pub(super) fn plus_periods(&self, period: FiscalPeriod, periods: i64) -> FiscalPeriod {
        let index = (period.year * self.count() + period.at).saturating_add(periods);
        FiscalPeriod { year: index.div_euclid(self.count()), at: index.rem_euclid(self.count()) }
    }
}

/// Month (1 to 12) and day (1 to 31) of a day, counted from 1970-01-01.
#[must_use]
pub fn month_and_day(days: i64) -> (u8, u8) {
    let date = Date::of(days);
    (u8::try_from(date.month).unwrap_or(1), u8::try_from(date.day).unwrap_or(1))
}
