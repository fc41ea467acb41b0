//! Numbers as they are written: exact, whatever their size.

/// A number as written, never through binary floating point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    text: String,
    negative: bool,
    /// Digits without leading or trailing zeros; none for zero.
    digits: String,
    /// The value is `digits` times ten to this power.
    exponent: i64,
}

/// A number counted in units of a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scaled {
    /// Less than any that 38 digits can say.
    TooSmall,
    /// Greater than any that 38 digits can say.
    TooGreat,
    /// The greatest whole number of units that is not greater.
    Units {
        /// How many units.
        floor: i128,
        /// Nothing is left over.
        exact: bool,
    },
}

/// More digits than this may not fit an `i128`.
const DIGITS_MAX: usize = 38;

impl Number {
    /// Reads `-12.50e3`: digits, at most one point with digits on both sides, at most one exponent.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mantissa, power) = match text.find(['e', 'E']) {
            Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?)),
            None => (text, None),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let mut exponent = match power {
            Some(power) => exponent_of(power)?,
            None => 0,
        };
        exponent = exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
        let joined = format!("{whole}{fraction}");
        let significant = joined.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        exponent = exponent.saturating_add(i64::try_from(significant.len() - digits.len()).ok()?);
        if digits.is_empty() {
            exponent = 0;
        }
        Some(Self { text: text.to_owned(), negative, digits: digits.to_owned(), exponent })
    }

    /// The number as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The number in units of ten to the power of minus `places`.
    pub(crate) fn scaled(&self, places: u8) -> Scaled {
        let beyond = if self.negative { Scaled::TooSmall } else { Scaled::TooGreat };
        let shift = self.exponent.saturating_add(i64::from(places));
        let Ok(length) = i64::try_from(self.digits.len()) else { return beyond };
        let whole_digits = length.saturating_add(shift);
        if self.digits.is_empty() {
            return Scaled::Units { floor: 0, exact: true };
        }
        if usize::try_from(whole_digits).is_ok_and(|count| count > DIGITS_MAX) {
            return beyond;
        }
        let kept = usize::try_from(whole_digits).unwrap_or(0).min(self.digits.len());
        let (whole, left_over) = self.digits.split_at_checked(kept).unwrap_or((&self.digits, ""));
        let mut units: i128 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(0) };
        for _ in 0..shift.max(0) {
            // No overflow: the digit count was checked.
            units = units.saturating_mul(10);
        }
        let exact = left_over.is_empty();
        if self.negative {
            units = -units - i128::from(!exact);
        }
        Scaled::Units { floor: units, exact }
    }

    /// The nearest binary floating-point number; infinite beyond their range.
    pub(crate) fn nearest_double(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }
}

/// An exponent; what does not fit 64 bits is as good as the greatest that does.
fn exponent_of(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Half the range, so that adding a length cannot overflow.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(i64::MAX / 2);
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn units(floor: i128, exact: bool) -> Scaled {
        Scaled::Units { floor, exact }
    }

    #[test]
    fn numbers_scale_exactly() {
        let cases = [
            ("0", 4, units(0, true)),
            ("-0.000", 4, units(0, true)),
            ("1", 0, units(1, true)),
            ("1.5", 0, units(1, false)),
            ("-1.5", 0, units(-2, false)),
            ("1.5", 1, units(15, true)),
            ("-1.5", 1, units(-15, true)),
            ("12.50e3", 0, units(12_500, true)),
            ("125e-4", 4, units(125, true)),
            ("0.00001", 4, units(0, false)),
            ("-0.00001", 4, units(-1, false)),
            ("9223372036854775807", 0, units(i128::from(i64::MAX), true)),
            ("-9223372036854775809", 0, units(i128::from(i64::MIN) - 1, true)),
            (
                "12345678901234567890123456789012345678",
                0,
                units(12_345_678_901_234_567_890_123_456_789_012_345_678, true),
            ),
            ("123456789012345678901234567890123456789", 0, Scaled::TooGreat),
            ("1e37", 0, units(10_i128.pow(37), true)),
            ("1e37", 1, Scaled::TooGreat),
            ("1e38", 0, Scaled::TooGreat),
            ("-1e400", 12, Scaled::TooSmall),
            ("1e99999999999999999999999", 0, Scaled::TooGreat),
            ("1e-99999999999999999999999", 12, units(0, false)),
            ("0e99999999999999999999999", 12, units(0, true)),
            ("0.1", 12, units(100_000_000_000, true)),
        ];
        for (text, places, expected) in cases {
            assert_eq!(Number::parse(text).unwrap().scaled(places), expected, "{text} at {places}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".5", "5.", "1e", "1e+", "+1", "1.2.3", "0x10", "1_000", "--1", "1e1.5", "٣"] {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn doubles_are_the_nearest() {
        assert_eq!(Number::parse("0.1").unwrap().nearest_double(), 0.1);
        assert!(Number::parse("-1e400").unwrap().nearest_double().is_infinite());
    }
}
