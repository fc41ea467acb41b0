//! Who asks, when and where: what operators like `today` and `eq-userid` depend on.

use std::sync::Arc;

use custodia_schema::Guid;

use crate::{Fiscal, FiscalPeriods, Zone};

/// What a test may depend on besides the row: the moment, the caller, the caller's clock and the organisation's calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// UTC seconds since 1970.
    pub now: i64,
    /// Where the caller's days begin.
    pub zone: Arc<Zone>,
    /// The caller.
    pub user: Guid,
    /// The caller's business unit.
    pub business_unit: Guid,
    /// The teams that the caller belongs to.
    pub teams: Vec<Guid>,
    /// The number of the language that the caller sees (1033 English).
    pub language: i32,
    /// The organisation's fiscal years.
    pub fiscal: Fiscal,
    /// The first day of the organisation's weeks, 0 Sunday to 6 Saturday.
    pub week_begins: u8,
}

impl Asker {
    /// A caller without teams in UTC, who sees English, in an organisation with the settings of a new one: weeks from Sunday,
    /// fiscal years of quarters from 1 January, named by the year they begin in.
    #[must_use]
    pub fn plain(now: i64, user: Guid, business_unit: Guid) -> Self {
        Self {
            now,
            zone: Arc::new(Zone::utc()),
            user,
            business_unit,
            teams: Vec::new(),
            language: 1033,
            fiscal: Fiscal { month: 1, day: 1, periods: FiscalPeriods::Quarterly, named_by_start: true },
            week_begins: 0,
        }
    }
}
