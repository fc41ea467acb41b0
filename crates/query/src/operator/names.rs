//! What operators are called in FetchXML and in OData.

use super::kind::{Operator, Unit};
use crate::Comparison;

/// Each operator with its name in FetchXML and the name of its query function in OData.
#[rustfmt::skip]
const NAMES: [(Operator, Option<&str>, Option<&str>); 84] = [
    (Operator::Compare(Comparison::Equal), Some("eq"), None),
    (Operator::Compare(Comparison::NotEqual), Some("ne"), None),
    (Operator::Compare(Comparison::Greater), Some("gt"), None),
    (Operator::Compare(Comparison::GreaterOrEqual), Some("ge"), None),
    (Operator::Compare(Comparison::LessOrEqual), Some("le"), None),
    (Operator::Compare(Comparison::Less), Some("lt"), None),
    (Operator::Like, Some("like"), Some("Like")),
    (Operator::NotLike, Some("not-like"), Some("NotLike")),
    (Operator::Contains, None, Some("Contains")),
    (Operator::BeginsWith, Some("begins-with"), Some("BeginsWith")),
    (Operator::NotBeginWith, Some("not-begin-with"), Some("DoesNotBeginWith")),
    (Operator::EndsWith, Some("ends-with"), Some("EndsWith")),
    (Operator::NotEndWith, Some("not-end-with"), Some("DoesNotEndWith")),
    (Operator::In, Some("in"), Some("In")),
    (Operator::NotIn, Some("not-in"), Some("NotIn")),
    (Operator::Between, Some("between"), Some("Between")),
    (Operator::NotBetween, Some("not-between"), Some("NotBetween")),
    (Operator::Null, Some("null"), None),
    (Operator::NotNull, Some("not-null"), None),
    (Operator::ContainValues, Some("contain-values"), Some("ContainValues")),
    (Operator::NotContainValues, Some("not-contain-values"), Some("DoesNotContainValues")),
    (Operator::User, Some("eq-userid"), Some("EqualUserId")),
    (Operator::NotUser, Some("ne-userid"), Some("NotEqualUserId")),
    (Operator::UserTeams, Some("eq-userteams"), Some("EqualUserTeams")),
    (Operator::UserOrTeams, Some("eq-useroruserteams"), Some("EqualUserOrUserTeams")),
    (Operator::UserOrReports, Some("eq-useroruserhierarchy"), Some("EqualUserOrUserHierarchy")),
    (Operator::UserOrReportsOrTeams, Some("eq-useroruserhierarchyandteams"), Some("EqualUserOrUserHierarchyAndTeams")),
    (Operator::BusinessUnit, Some("eq-businessid"), Some("EqualBusinessId")),
    (Operator::NotBusinessUnit, Some("ne-businessid"), Some("NotEqualBusinessId")),
    (Operator::UserLanguage, Some("eq-userlanguage"), Some("EqualUserLanguage")),
    (Operator::Under, Some("under"), Some("Under")),
    (Operator::NotUnder, Some("not-under"), Some("NotUnder")),
    (Operator::UnderOrEqual, Some("eq-or-under"), Some("UnderOrEqual")),
    (Operator::Above, Some("above"), Some("Above")),
    (Operator::AboveOrEqual, Some("eq-or-above"), Some("AboveOrEqual")),
    (Operator::On, Some("on"), Some("On")),
    (Operator::NotOn, Some("not-on"), Some("NotOn")),
    (Operator::OnOrBefore, Some("on-or-before"), Some("OnOrBefore")),
    (Operator::OnOrAfter, Some("on-or-after"), Some("OnOrAfter")),
    (Operator::Yesterday, Some("yesterday"), Some("Yesterday")),
    (Operator::Today, Some("today"), Some("Today")),
    (Operator::Tomorrow, Some("tomorrow"), Some("Tomorrow")),
    (Operator::LastSevenDays, Some("last-seven-days"), Some("Last7Days")),
    (Operator::NextSevenDays, Some("next-seven-days"), Some("Next7Days")),
    (Operator::Last(Unit::Week), Some("last-week"), Some("LastWeek")),
    (Operator::This(Unit::Week), Some("this-week"), Some("ThisWeek")),
    (Operator::Next(Unit::Week), Some("next-week"), Some("NextWeek")),
    (Operator::Last(Unit::Month), Some("last-month"), Some("LastMonth")),
    (Operator::This(Unit::Month), Some("this-month"), Some("ThisMonth")),
    (Operator::Next(Unit::Month), Some("next-month"), Some("NextMonth")),
    (Operator::Last(Unit::Year), Some("last-year"), Some("LastYear")),
    (Operator::This(Unit::Year), Some("this-year"), Some("ThisYear")),
    (Operator::Next(Unit::Year), Some("next-year"), Some("NextYear")),
    (Operator::Last(Unit::FiscalPeriod), Some("last-fiscal-period"), Some("LastFiscalPeriod")),
    (Operator::This(Unit::FiscalPeriod), Some("this-fiscal-period"), Some("ThisFiscalPeriod")),
    (Operator::Next(Unit::FiscalPeriod), Some("next-fiscal-period"), Some("NextFiscalPeriod")),
    (Operator::Last(Unit::FiscalYear), Some("last-fiscal-year"), Some("LastFiscalYear")),
    (Operator::This(Unit::FiscalYear), Some("this-fiscal-year"), Some("ThisFiscalYear")),
    (Operator::Next(Unit::FiscalYear), Some("next-fiscal-year"), Some("NextFiscalYear")),
    (Operator::LastX(Unit::Hour), Some("last-x-hours"), Some("LastXHours")),
    (Operator::NextX(Unit::Hour), Some("next-x-hours"), Some("NextXHours")),
    (Operator::LastX(Unit::Day), Some("last-x-days"), Some("LastXDays")),
    (Operator::NextX(Unit::Day), Some("next-x-days"), Some("NextXDays")),
    (Operator::LastX(Unit::Week), Some("last-x-weeks"), Some("LastXWeeks")),
    (Operator::NextX(Unit::Week), Some("next-x-weeks"), Some("NextXWeeks")),
    (Operator::LastX(Unit::Month), Some("last-x-months"), Some("LastXMonths")),
    (Operator::NextX(Unit::Month), Some("next-x-months"), Some("NextXMonths")),
    (Operator::LastX(Unit::Year), Some("last-x-years"), Some("LastXYears")),
    (Operator::NextX(Unit::Year), Some("next-x-years"), Some("NextXYears")),
    (Operator::LastX(Unit::FiscalPeriod), Some("last-x-fiscal-periods"), Some("LastXFiscalPeriods")),
    (Operator::NextX(Unit::FiscalPeriod), Some("next-x-fiscal-periods"), Some("NextXFiscalPeriods")),
    (Operator::LastX(Unit::FiscalYear), Some("last-x-fiscal-years"), Some("LastXFiscalYears")),
    (Operator::NextX(Unit::FiscalYear), Some("next-x-fiscal-years"), Some("NextXFiscalYears")),
    (Operator::OlderThanX(Unit::Minute), Some("olderthan-x-minutes"), Some("OlderThanXMinutes")),
    (Operator::OlderThanX(Unit::Hour), Some("olderthan-x-hours"), Some("OlderThanXHours")),
    (Operator::OlderThanX(Unit::Day), Some("olderthan-x-days"), Some("OlderThanXDays")),
    (Operator::OlderThanX(Unit::Week), Some("olderthan-x-weeks"), Some("OlderThanXWeeks")),
    (Operator::OlderThanX(Unit::Month), Some("olderthan-x-months"), Some("OlderThanXMonths")),
    (Operator::OlderThanX(Unit::Year), Some("olderthan-x-years"), Some("OlderThanXYears")),
    (Operator::InFiscalYear, Some("in-fiscal-year"), Some("InFiscalYear")),
    (Operator::InFiscalPeriod, Some("in-fiscal-period"), Some("InFiscalPeriod")),
    (Operator::InFiscalPeriodAndYear, Some("in-fiscal-period-and-year"), Some("InFiscalPeriodAndYear")),
    (Operator::InOrBeforeFiscalPeriodAndYear, Some("in-or-before-fiscal-period-and-year"), Some("InOrBeforeFiscalPeriodAndYear")),
    (Operator::InOrAfterFiscalPeriodAndYear, Some("in-or-after-fiscal-period-and-year"), Some("InOrAfterFiscalPeriodAndYear")),
];

impl Operator {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(operator, _, _)| *operator)
    }

    /// The operator of that name in FetchXML.
    #[must_use]
    pub fn of_fetchxml(name: &str) -> Option<Self> {
        // An old spelling.
        let name = if name == "neq" { "ne" } else { name };
        NAMES.iter().find(|(_, found, _)| *found == Some(name)).map(|(operator, _, _)| *operator)
    }

    /// The operator of that query function, without its namespace: `LastXDays`.
    #[must_use]
    pub fn of_function(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, _, found)| *found == Some(name)).map(|(operator, _, _)| *operator)
    }

    /// Its name in FetchXML; one of OData's alone has none.
    #[must_use]
    pub fn fetchxml_name(self) -> Option<&'static str> {
        NAMES.iter().find(|(operator, _, _)| *operator == self).and_then(|(_, name, _)| *name)
    }

    /// The name of its query function; one that OData has other words for has none.
    #[must_use]
    pub fn function_name(self) -> Option<&'static str> {
        NAMES.iter().find(|(operator, _, _)| *operator == self).and_then(|(_, _, name)| *name)
    }

    /// For messages.
    pub(super) fn name(self) -> &'static str {
        self.fetchxml_name().or_else(|| self.function_name()).unwrap_or_default()
    }
}
