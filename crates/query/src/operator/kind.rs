//! The operators.

use crate::Comparison;

/// A test on a column. Those named `Not…` are the exact complements, so they hold for null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Compared with one value.
    Compare(Comparison),
    /// Matches a pattern.
    Like,
    /// Does not.
    NotLike,
    /// Contains a pattern.
    Contains,
    /// Begins with a pattern.
    BeginsWith,
    /// Does not.
    NotBeginWith,
    /// Ends with a pattern.
    EndsWith,
    /// Does not.
    NotEndWith,
    /// Is one of the values.
    In,
    /// Is none of them.
    NotIn,
    /// Is from the first to the second value, both included.
    Between,
    /// Is not.
    NotBetween,
    /// Has no value.
    Null,
    /// Has one.
    NotNull,
    /// Of several choices, one is among the values.
    ContainValues,
    /// None is.
    NotContainValues,
    /// Is the caller.
    User,
    /// Is not.
    NotUser,
    /// Is a team of the caller.
    UserTeams,
    /// Is the caller or a team of the caller.
    UserOrTeams,
    /// Is the caller or somebody whose manager, or manager's manager and so on, is the caller.
    UserOrReports,
    /// Is one of those or a team of one.
    UserOrReportsOrTeams,
    /// Is the caller's business unit.
    BusinessUnit,
    /// Is not.
    NotBusinessUnit,
    /// Is the number of the caller's language.
    UserLanguage,
    /// Lies under a row.
    Under,
    /// Does not.
    NotUnder,
    /// Is that row or lies under it.
    UnderOrEqual,
    /// Lies above a row.
    Above,
    /// Is that row or lies above it.
    AboveOrEqual,
    /// On a day.
    On,
    /// Not on it.
    NotOn,
    /// On it or before.
    OnOrBefore,
    /// On it or after.
    OnOrAfter,
    /// The day before the caller's day.
    Yesterday,
    /// The caller's day.
    Today,
    /// The day after it.
    Tomorrow,
    /// The seven days before today, and today up to now.
    LastSevenDays,
    /// After now, up to the end of the seventh day after today.
    NextSevenDays,
    /// In the calendar's unit before this one.
    Last(Unit),
    /// In this one.
    This(Unit),
    /// In the one after.
    Next(Unit),
    /// In so many units before now.
    LastX(Unit),
    /// In so many units after now.
    NextX(Unit),
    /// Longer ago than so many units.
    OlderThanX(Unit),
    /// In the fiscal year of this name.
    InFiscalYear,
    /// In the fiscal period of this number, of whichever year.
    InFiscalPeriod,
    /// In the fiscal period of this number of the year of this name.
    InFiscalPeriodAndYear,
    /// In it or before.
    InOrBeforeFiscalPeriodAndYear,
    /// In it or after.
    InOrAfterFiscalPeriodAndYear,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// Seven days, or a week of the organisation's calendar.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
    /// A fiscal period.
    FiscalPeriod,
    /// A fiscal year.
    FiscalYear,
}

/// How many values an operator takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// None.
    None,
    /// One.
    One,
    /// Two.
    Two,
    /// One at least.
    Many,
}

impl Take {
    /// Whether so many are right.
    #[must_use]
    pub fn accepts(self, count: usize) -> bool {
        match self {
            Self::None => count == 0,
            Self::One => count == 1,
            Self::Two => count == 2,
            Self::Many => count > 0,
        }
    }

    /// For messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::None => "no value",
            Self::One => "one value",
            Self::Two => "two values",
            Self::Many => "one value at least",
        }
    }
}

impl Operator {
    /// How many values it takes.
    #[must_use]
    pub fn takes(self) -> Take {
        match self {
            Self::Null
            | Self::NotNull
            | Self::User
            | Self::NotUser
            | Self::UserTeams
            | Self::UserOrTeams
            | Self::UserOrReports
            | Self::UserOrReportsOrTeams
            | Self::BusinessUnit
            | Self::NotBusinessUnit
            | Self::UserLanguage
            | Self::Yesterday
            | Self::Today
            | Self::Tomorrow
            | Self::LastSevenDays
            | Self::NextSevenDays
            | Self::Last(_)
            | Self::This(_)
            | Self::Next(_) => Take::None,
            Self::Compare(_)
            | Self::Like
            | Self::NotLike
            | Self::Contains
            | Self::BeginsWith
            | Self::NotBeginWith
            | Self::EndsWith
            | Self::NotEndWith
            | Self::Under
            | Self::NotUnder
            | Self::UnderOrEqual
            | Self::Above
            | Self::AboveOrEqual
            | Self::On
            | Self::NotOn
            | Self::OnOrBefore
            | Self::OnOrAfter
            | Self::LastX(_)
            | Self::NextX(_)
            | Self::OlderThanX(_)
            | Self::InFiscalYear
            | Self::InFiscalPeriod => Take::One,
            Self::Between
            | Self::NotBetween
            | Self::InFiscalPeriodAndYear
            | Self::InOrBeforeFiscalPeriodAndYear
            | Self::InOrAfterFiscalPeriodAndYear => Take::Two,
            Self::In | Self::NotIn | Self::ContainValues | Self::NotContainValues => Take::Many,
        }
    }

    /// The operator that this one is the exact complement of.
    pub(super) fn negates(self) -> Option<Self> {
        Some(match self {
            Self::NotLike => Self::Like,
            Self::NotBeginWith => Self::BeginsWith,
            Self::NotEndWith => Self::EndsWith,
            Self::NotIn => Self::In,
            Self::NotBetween => Self::Between,
            Self::NotNull => Self::Null,
            Self::NotContainValues => Self::ContainValues,
            Self::NotUser => Self::User,
            Self::NotBusinessUnit => Self::BusinessUnit,
            Self::NotUnder => Self::Under,
            Self::NotOn => Self::On,
            _ => return None,
        })
    }
}
