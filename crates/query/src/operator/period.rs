//! What span of time an operator means.

use super::Asker;
use super::calendar::{Date, FiscalPeriod, week_start};
use super::clock::DAY_SECONDS;
use super::kind::{Operator, Unit};

/// An end of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// A moment, UTC seconds since 1970.
    Moment(i64),
    /// The beginning of a day of the local calendar, days since 1970-01-01.
    Day(i64),
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: From,
    pub(super) to: To,
}

/// Where a span begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// It has no beginning.
    Ever,
    /// At this point.
    At(Bound),
    /// Behind this point.
    After(Bound),
}

/// Where a span ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// It has no end.
    Ever,
    /// With this point.
    At(Bound),
    /// Before this point.
    Before(Bound),
}

impl Span {
    /// From the beginning of a day to the beginning of another.
    fn days(from: i64, to: i64) -> Self {
        Self { from: From::At(Bound::Day(from)), to: To::Before(Bound::Day(to)) }
    }

    /// On a day.
    pub(super) fn day(day: i64) -> Self {
        Self::days(day, day.saturating_add(1))
    }

    /// Before a day.
    pub(super) fn before(day: i64) -> Self {
        Self { from: From::Ever, to: To::Before(Bound::Day(day)) }
    }

    /// From a day on.
    pub(super) fn since(day: i64) -> Self {
        Self { from: From::At(Bound::Day(day)), to: To::Ever }
    }
}

/// What an operator that takes no value means, if it means a span of time.
pub(super) fn relative(operator: Operator, asker: &Asker) -> Option<Span> {
    let today = today(asker);
    let now = Bound::Moment(asker.now);
    Some(match operator {
        Operator::Yesterday => Span::day(today - 1),
        Operator::Today => Span::day(today),
        Operator::Tomorrow => Span::day(today + 1),
        Operator::LastSevenDays => Span { from: From::At(Bound::Day(today - 7)), to: To::At(now) },
        Operator::NextSevenDays => Span { from: From::After(now), to: To::Before(Bound::Day(today + 8)) },
        Operator::Last(unit) => whole(unit, -1, asker, today),
        Operator::This(unit) => whole(unit, 0, asker, today),
        Operator::Next(unit) => whole(unit, 1, asker, today),
        _ => return None,
    })
}

/// What an operator that takes a number of units means, if it means a span of time.
pub(super) fn counted(operator: Operator, count: i64, asker: &Asker) -> Option<Span> {
    let now = Bound::Moment(asker.now);
    Some(match operator {
        Operator::LastX(unit) => Span { from: From::At(ago(unit, count, asker)), to: To::At(now) },
        Operator::NextX(unit) => Span { from: From::After(now), to: To::Before(ahead(unit, count, asker)) },
        Operator::OlderThanX(unit) => Span { from: From::Ever, to: To::Before(ago(unit, count, asker)) },
        _ => return None,
    })
}

/// What an operator says that compares with the fiscal period of a number (from 1) in the year of a name.
pub(super) fn fiscal_period(operator: Operator, number: u32, year: i64, asker: &Asker) -> Option<Span> {
    let fiscal = &asker.fiscal;
    let period = FiscalPeriod { year: fiscal.year_named(year), at: i64::from(number) - 1 };
    Some(match operator {
        Operator::InFiscalPeriodAndYear => Span::days(fiscal.period_start(period), fiscal.period_end(period)),
        Operator::InOrBeforeFiscalPeriodAndYear => Span::before(fiscal.period_end(period)),
        Operator::InOrAfterFiscalPeriodAndYear => Span::since(fiscal.period_start(period)),
        _ => return None,
    })
}

/// The fiscal year of a name.
pub(super) fn fiscal_year(name: i64, asker: &Asker) -> Span {
    let year = asker.fiscal.year_named(name);
    Span::days(asker.fiscal.year_start(year), asker.fiscal.year_start(year + 1))
}

/// The caller's day.
fn today(asker: &Asker) -> i64 {
    asker.zone.local(asker.now).div_euclid(DAY_SECONDS)
}

/// A unit of the calendar: this one, or so many further on.
fn whole(unit: Unit, steps: i64, asker: &Asker, today: i64) -> Span {
    let fiscal = &asker.fiscal;
    match unit {
        Unit::Week => {
            let start = week_start(today, asker.week_begins) + 7 * steps;
            Span::days(start, start + 7)
        }
        Unit::Month => {
            let start = Date { day: 1, ..Date::of(today) }.plus_months(steps);
            Span::days(start.days(), start.plus_months(1).days())
        }
        Unit::Year => {
            let start = Date { month: 1, day: 1, ..Date::of(today) }.plus_months(12 * steps);
            Span::days(start.days(), start.plus_months(12).days())
        }
        Unit::FiscalYear => {
            let year = fiscal.year_of(today) + steps;
            Span::days(fiscal.year_start(year), fiscal.year_start(year + 1))
        }
        Unit::FiscalPeriod => {
            let period = fiscal.plus_periods(fiscal.period_of(today), steps);
            Span::days(fiscal.period_start(period), fiscal.period_end(period))
        }
        Unit::Minute | Unit::Hour | Unit::Day => Span::day(today + steps),
    }
}

/// So many units before now: the beginning of a minute, an hour or a day.
fn ago(unit: Unit, count: i64, asker: &Asker) -> Bound {
    let today = today(asker);
    let fiscal = &asker.fiscal;
    match unit {
        Unit::Minute => Bound::Moment(begun(asker, 60).saturating_sub(count.saturating_mul(60))),
        Unit::Hour => Bound::Moment(begun(asker, 3_600).saturating_sub(count.saturating_mul(3_600))),
        Unit::Day => Bound::Day(today.saturating_sub(count)),
        Unit::Week => Bound::Day(today.saturating_sub(count.saturating_mul(7))),
        Unit::Month => Bound::Day(Date::of(today).plus_months(-count).days()),
        Unit::Year => Bound::Day(Date::of(today).plus_months(count.saturating_mul(-12)).days()),
        Unit::FiscalYear => Bound::Day(fiscal.year_start(fiscal.year_of(today).saturating_sub(count))),
        Unit::FiscalPeriod => Bound::Day(fiscal.period_start(fiscal.plus_periods(fiscal.period_of(today), -count))),
    }
}

/// So many units after now, extended to the end of a minute, an hour or a day.
fn ahead(unit: Unit, count: i64, asker: &Asker) -> Bound {
    let today = today(asker);
    let fiscal = &asker.fiscal;
    let more = count.saturating_add(1);
    match unit {
        Unit::Minute => Bound::Moment(begun(asker, 60).saturating_add(more.saturating_mul(60))),
        Unit::Hour => Bound::Moment(begun(asker, 3_600).saturating_add(more.saturating_mul(3_600))),
        Unit::Day => Bound::Day(today.saturating_add(more)),
        Unit::Week => Bound::Day(today.saturating_add(count.saturating_mul(7)).saturating_add(1)),
        Unit::Month => Bound::Day(Date::of(today + 1).plus_months(count).days()),
        Unit::Year => Bound::Day(Date::of(today + 1).plus_months(count.saturating_mul(12)).days()),
        Unit::FiscalYear => Bound::Day(fiscal.year_start(fiscal.year_of(today).saturating_add(more))),
        Unit::FiscalPeriod => Bound::Day(fiscal.period_end(fiscal.plus_periods(fiscal.period_of(today), count))),
    }
}

/// When the minute or the hour of the local clock began in which it is now.
fn begun(asker: &Asker, seconds: i64) -> i64 {
    asker.now - asker.zone.local(asker.now).rem_euclid(seconds)
}
