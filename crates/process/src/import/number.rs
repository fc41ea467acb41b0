//! Numbers as a file writes them, read exactly.

use rust_decimal::Decimal;

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberFormat {
    /// Between whole and fraction.
    pub decimal_mark: char,
    /// Between groups of digits, if any.
    pub group_mark: Option<char>,
}

impl Default for NumberFormat {
    fn default() -> Self {
        Self { decimal_mark: '.', group_mark: None }
    }
}

impl NumberFormat {
    /// Reads a number; `None` if it is none or has more digits than can be kept. Never through binary floating point.
    pub fn read(&self, text: &str) -> Option<Decimal> {
        let mut plain = String::with_capacity(text.len());
        let mut digits_of_group = None;
        let mut in_fraction = false;
        for character in text.chars() {
            if Some(character) == self.group_mark {
                // A mark stands behind the first digits, then behind every three.
                if in_fraction
                    || !plain.ends_with(|c: char| c.is_ascii_digit())
                    || digits_of_group.is_some_and(|n| n != 3)
                {
                    return None;
                }
                digits_of_group = Some(0);
            } else if character == self.decimal_mark {
                if in_fraction || digits_of_group.is_some_and(|n| n != 3) {
                    return None;
                }
                in_fraction = true;
                plain.push('.');
            } else if character.is_ascii_digit() || (matches!(character, '-' | '+') && plain.is_empty()) {
                if !in_fraction && character.is_ascii_digit() {
                    digits_of_group = digits_of_group.map(|n| n + 1);
                }
                plain.push(character);
            } else {
                return None;
            }
        }
        if !in_fraction && digits_of_group.is_some_and(|n| n != 3) || !plain.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        Decimal::from_str_exact(plain.trim_start_matches('+')).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[track_caller]
    fn check(decimal_mark: char, group_mark: Option<char>, text: &str, expected: Option<&str>) {
        let read = NumberFormat { decimal_mark, group_mark }.read(text).map(|number| number.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn numbers_are_read_exactly() {
        check('.', None, "1100.04", Some("1100.04"));
        check('.', None, "-0.1", Some("-0.1"));
        check('.', None, "+7", Some("7"));
        check('.', None, "0.123456789012", Some("0.123456789012"));
        check('.', None, "922337203685477.5807", Some("922337203685477.5807"));
        check('.', Some(','), "1,234,567.5", Some("1234567.5"));
        check(',', Some('.'), "1.234,5", Some("1234.5"));
        check(',', None, "3,14", Some("3.14"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1e5", "1,234", "12 ", "$5", "0x10", "١٢", "1.2.3", "--1", "1-", "NaN"] {
            check('.', None, text, None);
        }
        for text in ["12,34", "1,2345", ",123", "1,23.4", "1.234,5", "1,234,"] {
            check('.', Some(','), text, None);
        }
        check('.', None, "0.12345678901234567890123456789012", None);
    }
}
