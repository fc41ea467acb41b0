//! Parts of dates in local time, and fiscal periods.
//!
//! A date-time is moved by what the zone is ahead at that moment, found among the zone's changes by nested comparisons, and
//! then cut to a day; from there on both engines know the calendar. A fiscal year that begins on another day than the first
//! of a month is that of days moved back by as many days.

use custodia_query::{DatePart, Fiscal, FiscalPeriods, Path, Zone};
use custodia_schema::Value;

use super::filter::{FilterWriter, constant};
use super::join::Place;
use super::storage::Storage;
use super::writer::{Alias, Writer};
use super::{CompileError, Dialect};

const DAY_SECONDS: i64 = 86_400;
/// Days moved by so many are never negative, so that dividing rounds down.
const LIFT_DAYS: i64 = 1_000_000;
/// 0002-01-01 and 9999-12-30, in days since 1970: what lies beyond counts as these, so that no move leaves the calendar.
const FIRST_DAY: i64 = -718_797;
const LAST_DAY: i64 = 2_932_895;

/// The value of a column that has a date, or the type error of one that has none.
pub(crate) fn dated(place: Place<'_>) -> Result<Storage, CompileError> {
    match Storage::of(&place.column.kind) {
        Some(storage @ (Storage::Date | Storage::DateTime)) => Ok(storage),
        _ => Err(CompileError::Type {
            table: place.table.name.clone(),
            column: place.column.name.clone(),
            given: "a part of a date",
        }),
    }
}

impl FilterWriter<'_, '_> {
    /// Whether a moment lies in a period of this number in whichever fiscal year.
    pub(super) fn in_period(
        &self,
        w: &mut Writer,
        path: &Path,
        part: DatePart,
        zone: &Zone,
        period: u32,
        negated: bool,
    ) -> Result<(), CompileError> {
        let column = self.joins.column_of(path)?;
        dated(Place { alias: self.joins.root, table: self.joins.table_of(path)?, column, joined: false })?;
        let Some(place) = self.joins.place(path)? else {
            constant(w, negated);
            return Ok(());
        };
        w.text(if negated { "(" } else { "" });
        write_part(w, place, part, zone)?;
        w.text(" = ");
        w.value(Value::BigInt(i64::from(period)), Storage::BigInt);
        w.text(if negated { ") IS NOT TRUE" } else { "" });
        Ok(())
    }
}

/// A part of a date, as an integer; null where there is none.
pub(crate) fn write_part(w: &mut Writer, place: Place<'_>, part: DatePart, zone: &Zone) -> Result<(), CompileError> {
    let storage = dated(place)?;
    let back = match part {
        DatePart::FiscalPeriod(fiscal) | DatePart::FiscalYear(fiscal) => i64::from(fiscal.day.saturating_sub(1)),
        _ => 0,
    };
    let day = Day { alias: w.new_alias() };
    w.text("(SELECT ");
    match part {
        DatePart::Day => day.part(w, "day", "%d"),
        DatePart::Month => day.month(w),
        DatePart::Year => day.year(w),
        DatePart::Quarter => {
            w.text("(");
            day.month(w);
            w.text(" + 2) / 3");
        }
        DatePart::Week => {
            // The weekday of 1 January is today's, less the days since; 371 days are 53 weeks.
            w.text("(");
            day.of_year(w);
            w.text(" - 1 + (");
            day.part(w, "dow", "%w");
            w.text(" + 372 - ");
            day.of_year(w);
            w.text(") % 7) / 7 + 1");
        }
        DatePart::FiscalPeriod(fiscal) => day.fiscal_period(w, fiscal),
        DatePart::FiscalYear(fiscal) => day.fiscal_year(w, fiscal),
    }
    w.text(" FROM (SELECT ");
    write_date(w, place, storage, zone, back);
    w.text(" AS d) ");
    w.alias(day.alias);
    w.text(")");
    Ok(())
}

/// A calendar day of a subquery.
struct Day {
    alias: Alias,
}

impl Day {
    fn name(&self, w: &mut Writer) {
        w.alias(self.alias);
        w.text(".d");
    }

    fn part(&self, w: &mut Writer, postgres: &str, sqlite: &str) {
        match w.dialect {
            Dialect::Sqlite => {
                w.text("CAST(strftime('");
                w.text(sqlite);
                w.text("', ");
                self.name(w);
                w.text(") AS INTEGER)");
            }
            Dialect::Postgres => {
                w.text("extract(");
                w.text(postgres);
                w.text(" FROM ");
                self.name(w);
                w.text(")::integer");
            }
        }
    }

    fn month(&self, w: &mut Writer) {
        self.part(w, "month", "%m");
    }

    fn year(&self, w: &mut Writer) {
        self.part(w, "year", "%Y");
    }

    fn of_year(&self, w: &mut Writer) {
        self.part(w, "doy", "%j");
    }

    /// Whole months since the fiscal year began.
    fn fiscal_month(&self, w: &mut Writer, fiscal: Fiscal) {
        w.text("(");
        self.month(w);
        w.text(" + ");
        w.number(12_u64.saturating_sub(u64::from(fiscal.month)));
        w.text(") % 12");
    }

    fn fiscal_period(&self, w: &mut Writer, fiscal: Fiscal) {
        let months = match fiscal.periods {
            FiscalPeriods::Annually => 12,
            FiscalPeriods::Semiannually => 6,
            FiscalPeriods::Quarterly => 3,
            FiscalPeriods::Monthly => 1,
            FiscalPeriods::FourWeeks => {
                // The thirteenth goes up to the end of the year.
                w.text("CASE WHEN ");
                self.since_fiscal_year(w, fiscal);
                w.text(" >= 336 THEN 13 ELSE ");
                self.since_fiscal_year(w, fiscal);
                w.text(" / 28 + 1 END");
                return;
            }
        };
        w.text("(");
        self.fiscal_month(w, fiscal);
        w.text(") / ");
        w.number(months);
        w.text(" + 1");
    }

    /// Days since the fiscal year began.
    fn since_fiscal_year(&self, w: &mut Writer, fiscal: Fiscal) {
        match w.dialect {
            Dialect::Sqlite => {
                w.text("CAST(julianday(");
                self.name(w);
                w.text(") - julianday(");
                self.name(w);
                w.text(", 'start of month', '-' || (");
                self.fiscal_month(w, fiscal);
                w.text(") || ' months') AS INTEGER)");
            }
            Dialect::Postgres => {
                w.text("(");
                self.name(w);
                w.text(" - (date_trunc('month', ");
                self.name(w);
                w.text("::timestamp) - make_interval(months => ");
                self.fiscal_month(w, fiscal);
                w.text("))::date)");
            }
        }
    }

    fn fiscal_year(&self, w: &mut Writer, fiscal: Fiscal) {
        let is_calendar_year = fiscal.month == 1 && fiscal.day == 1;
        self.year(w);
        if fiscal.month > 1 {
            w.text(" - CASE WHEN ");
            self.month(w);
            w.text(" < ");
            w.number(u64::from(fiscal.month));
            w.text(" THEN 1 ELSE 0 END");
        }
        if !fiscal.named_by_start && !is_calendar_year {
            w.text(" + 1");
        }
    }
}

/// The local calendar day of a column, some days back: a text on SQLite, a date on PostgreSQL.
fn write_date(w: &mut Writer, place: Place<'_>, storage: Storage, zone: &Zone, back: i64) {
    match w.dialect {
        Dialect::Sqlite => {
            w.text("date((");
            write_days(w, place, storage, zone);
            w.text(" - ");
            w.integer(back);
            w.text(") * 86400, 'unixepoch')");
        }
        Dialect::Postgres => {
            w.text("date '1970-01-01' + (");
            write_days(w, place, storage, zone);
            w.text(" - ");
            w.integer(back);
            w.text(")::integer");
        }
    }
}

/// The local day of a column, in days since 1970.
fn write_days(w: &mut Writer, place: Place<'_>, storage: Storage, zone: &Zone) {
    if storage == Storage::Date {
        write_within(w, FIRST_DAY, LAST_DAY + 1, |w| {
            w.column(place.alias, &place.column.name, "");
            if w.dialect == Dialect::Postgres {
                w.text(" - date '1970-01-01'");
            }
        });
        return;
    }
    let seconds = w.new_alias();
    w.text("(SELECT (");
    w.alias(seconds);
    w.text(".s + ");
    write_ahead(w, seconds, zone.first, &zone.changes);
    w.text(" + ");
    w.integer(LIFT_DAYS * DAY_SECONDS);
    w.text(") / 86400 - ");
    w.integer(LIFT_DAYS);
    w.text(" FROM (SELECT ");
    write_within(w, FIRST_DAY * DAY_SECONDS, LAST_DAY * DAY_SECONDS + DAY_SECONDS - 1, |w| match w.dialect {
        Dialect::Sqlite => w.column(place.alias, &place.column.name, ""),
        Dialect::Postgres => {
            w.text("floor(extract(epoch FROM ");
            w.column(place.alias, &place.column.name, "");
            w.text("))::bigint");
        }
    });
    w.text(" AS s) ");
    w.alias(seconds);
    w.text(")");
}

fn write_within(w: &mut Writer, least: i64, greatest: i64, write: impl Fn(&mut Writer)) {
    w.text("CASE WHEN ");
    write(w);
    w.text(" < ");
    w.integer(least);
    w.text(" THEN ");
    w.integer(least);
    w.text(" WHEN ");
    write(w);
    w.text(" > ");
    w.integer(greatest);
    w.text(" THEN ");
    w.integer(greatest);
    w.text(" ELSE ");
    write(w);
    w.text(" END");
}

/// Seconds that local time is ahead at a moment, `before` being those before the first of the changes.
fn write_ahead(w: &mut Writer, seconds: Alias, before: i32, changes: &[(i64, i32)]) {
    let Some((moment, ahead)) = changes.get(changes.len() / 2).copied() else {
        w.text(if before < 0 { "(" } else { "" });
        w.integer(i64::from(before));
        w.text(if before < 0 { ")" } else { "" });
        return;
    };
    let (earlier, later) = changes.split_at(changes.len() / 2);
    w.text("CASE WHEN ");
    w.alias(seconds);
    w.text(".s < ");
    w.integer(moment);
    w.text(" THEN ");
    write_ahead(w, seconds, before, earlier);
    w.text(" ELSE ");
    write_ahead(w, seconds, ahead, later.get(1..).unwrap_or_default());
    w.text(" END");
}
