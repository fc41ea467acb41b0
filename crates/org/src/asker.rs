//! What questions like "mine" and "this fiscal year" depend on.

use std::sync::Arc;

use custodia_query::operator::Asker;
use custodia_query::{Filter, Fiscal, FiscalPeriods, Query, Zone};
use custodia_schema::{Schema, Table, Value};

use crate::caller::Caller;
use crate::error::Result;
use crate::model;
use crate::organization::Organization;

/// Teams of one user that are looked at.
const TEAMS_MAX: u32 = 10_000;

/// Columns of the organisation's calendar, in the order in which they are read after the id.
const CALENDAR: [&str; 4] = ["fiscalcalendarstart", "fiscalperiodtype", "fiscalyeardisplaycode", "weekstartdaycode"];

/// The value of `fiscalyeardisplaycode` for years that are named by the one they end in.
const NAMED_BY_END: i64 = 2;

const DAY_SECONDS: i64 = 86_400;

impl Organization {
    /// What operators depend on for a caller: the clock, the caller's settings and teams, the organisation's calendar. `zone`
    /// gives the time zone of a code.
    ///
    /// # Errors
    /// [`crate::Error::Denied`] when the user is disabled or has no role; store errors.
    pub async fn asker(&self, caller: &Caller, zone: impl FnOnce(i32) -> Arc<Zone>) -> Result<Asker> {
        let known = self.who_am_i(caller).await?;
        let settings = self.user_settings(known.user).await?;
        let schema = self.schema();
        let now = self.shared.clock.now_ms().div_euclid(1_000);
        let mut asker = Asker::plain(now, known.user, known.unit);
        asker.zone = zone(settings.time_zone_code);
        asker.language = settings.language;

        let members = model::table(&schema, "teammembership")?;
        let (user, team) = (model::column(members, "systemuserid")?, model::column(members, "teamid")?);
        let mut query = Query::of(members, TEAMS_MAX).showing([team]);
        query.filter = Filter::equal(user, Value::Guid(known.user));
        let (rows, _) = self.shared.platform_rows("the caller's teams", &query).await?;
        asker.teams = rows.iter().filter_map(|row| row.get(1)?.guid()).collect();

        let (rows, _) = self.shared.platform_rows("the organisation's calendar", &calendar_query(&schema)?).await?;
        if let Some(row) = rows.first() {
            let number = |at: usize| row.get(at).and_then(whole);
            let start = row.get(1).and_then(day_of).unwrap_or((1, 1));
            asker.fiscal = Fiscal {
                month: start.0,
                day: start.1,
                periods: number(2).map_or(FiscalPeriods::Quarterly, periods),
                named_by_start: number(3) != Some(NAMED_BY_END),
            };
            asker.week_begins = number(4).and_then(|day| u8::try_from(day).ok()).filter(|day| *day < 7).unwrap_or(0);
        }
        Ok(asker)
    }
}

fn calendar_query(schema: &Schema) -> Result<Query> {
    let table: &Table = model::table(schema, "organization")?;
    Ok(Query::of(table, 1).showing(model::columns(table, &CALENDAR)?))
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(i64::from(*number)),
        Value::BigInt(number) => Some(*number),
        _ => None,
    }
}

/// How fiscal years are divided, by Dataverse's number for it.
fn periods(code: i64) -> FiscalPeriods {
    match code {
        2_000 => FiscalPeriods::Annually,
        2_001 => FiscalPeriods::Semiannually,
        2_003 => FiscalPeriods::Monthly,
        2_004 => FiscalPeriods::FourWeeks,
        _ => FiscalPeriods::Quarterly,
    }
}

/// Month and day of a moment; a day that not every month has is the last that every month has.
fn day_of(value: &Value) -> Option<(u8, u8)> {
    let Value::DateTime(seconds) = value else { return None };
    let (month, day) = custodia_query::operator::month_and_day(seconds.div_euclid(DAY_SECONDS));
    Some((month, day.min(28)))
}
