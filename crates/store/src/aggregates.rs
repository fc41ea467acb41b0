//! Sums and averages that SQLite lacks: of decimals, which it keeps as bytes, and of whole numbers without an overflow on
//! the way.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};

/// The sum of decimals, as bytes; null over no values.
pub(crate) const DECIMAL_SUM: &str = "custodia_decimal_sum";
/// The average of decimals, as bytes, rounded half away from zero to so many digits after the point; null over no values.
pub(crate) const DECIMAL_AVERAGE: &str = "custodia_decimal_average";
/// The sum of whole numbers: an error only when the sum itself is too large, not one on the way. Null over no values.
pub(crate) const WHOLE_SUM: &str = "custodia_whole_sum";
/// The average of whole numbers, cut towards zero; null over no values.
pub(crate) const AVERAGE_CUT: &str = "custodia_average_cut";
/// The average of whole numbers, rounded half away from zero; null over no values.
pub(crate) const AVERAGE_ROUNDED: &str = "custodia_average_rounded";

/// Makes the functions known to a connection.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function(DECIMAL_SUM, 1, flags, DecimalSum)?;
    connection.create_aggregate_function(DECIMAL_AVERAGE, 2, flags, DecimalAverage)?;
    connection.create_aggregate_function(WHOLE_SUM, 1, flags, WholeSum)?;
    connection.create_aggregate_function(AVERAGE_CUT, 1, flags, WholeAverage { rounded: false })?;
    connection.create_aggregate_function(AVERAGE_ROUNDED, 1, flags, WholeAverage { rounded: true })
}

/// What was met so far.
#[derive(Default)]
struct Total {
    sum: i128,
    count: i128,
    /// Digits after the point to round to.
    digits: u32,
}

impl Total {
    fn add(&mut self, value: i128) -> Result<()> {
        self.sum = self.sum.checked_add(value).ok_or_else(|| fault("integer overflow"))?;
        self.count += 1;
        Ok(())
    }
}

fn fault(why: &'static str) -> Error {
    Error::UserFunctionError(why.into())
}

/// A decimal in units of its last digit kept, from its bytes.
fn units(value: ValueRef<'_>) -> Result<Option<i128>> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => crate::decimal::units(bytes).map(Some).ok_or_else(|| fault("not a decimal")),
        _ => Err(fault("not a decimal")),
    }
}

/// A quotient rounded half away from zero.
fn rounded(sum: i128, by: i128) -> Option<i128> {
    let (whole, rest) = (sum.checked_div(by)?, sum.checked_rem(by)?);
    if rest.unsigned_abs().checked_mul(2)? < by.unsigned_abs() { Some(whole) } else { whole.checked_add(sum.signum()) }
}

struct DecimalSum;

impl Aggregate<Total, Option<Vec<u8>>> for DecimalSum {
    fn init(&self, _: &mut Context<'_>) -> Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<()> {
        units(context.get_raw(0))?.map_or(Ok(()), |value| total.add(value))
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Option<Vec<u8>>> {
        Ok(total.filter(|total| total.count > 0).map(|total| crate::decimal::bytes(total.sum).to_vec()))
    }
}

struct DecimalAverage;

impl Aggregate<Total, Option<Vec<u8>>> for DecimalAverage {
    fn init(&self, _: &mut Context<'_>) -> Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<()> {
        total.digits = context.get(1)?;
        units(context.get_raw(0))?.map_or(Ok(()), |value| total.add(value))
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Option<Vec<u8>>> {
        let Some(total) = total.filter(|total| total.count > 0) else { return Ok(None) };
        let cut = 10_i128.checked_pow(crate::decimal::SCALE.saturating_sub(total.digits));
        let average = cut.and_then(|cut| rounded(total.sum, total.count.checked_mul(cut)?)?.checked_mul(cut));
        average.map(|average| Some(crate::decimal::bytes(average).to_vec())).ok_or_else(|| fault("integer overflow"))
    }
}

struct WholeSum;

impl Aggregate<Total, Option<i64>> for WholeSum {
    fn init(&self, _: &mut Context<'_>) -> Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<()> {
        context.get::<Option<i64>>(0)?.map_or(Ok(()), |value| total.add(i128::from(value)))
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Option<i64>> {
        let Some(total) = total.filter(|total| total.count > 0) else { return Ok(None) };
        i64::try_from(total.sum).map(Some).map_err(|_| fault("integer overflow"))
    }
}

struct WholeAverage {
    rounded: bool,
}

impl Aggregate<Total, Option<i64>> for WholeAverage {
    fn init(&self, _: &mut Context<'_>) -> Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<()> {
        context.get::<Option<i64>>(0)?.map_or(Ok(()), |value| total.add(i128::from(value)))
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Option<i64>> {
        let Some(total) = total.filter(|total| total.count > 0) else { return Ok(None) };
        let average = if self.rounded { rounded(total.sum, total.count) } else { total.sum.checked_div(total.count) };
        Ok(average.and_then(|average| i64::try_from(average).ok()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let cases = [(7, 2, 4), (-7, 2, -4), (7, 3, 2), (8, 3, 3), (-8, 3, -3), (0, 5, 0), (1, 2, 1), (-1, 3, 0)];
        for (sum, by, expected) in cases {
            assert_eq!(rounded(sum, by), Some(expected), "{sum} / {by}");
        }
    }
}
