//! Decimal digits of all scripts, and what looks like one.

/// The zero of each run of ten decimal digits, ascending: general category Nd of the Unicode Character Database.
const ZEROS: [u32; 75] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6,
    0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0,
    0x11950, 0x11bf0, 0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce,
    0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

/// The one of each run of nine digits without a zero: circled, in brackets, with a full stop, on a ground.
const ONES: [u32; 7] = [0x2460, 0x2474, 0x2488, 0x24f5, 0x2776, 0x2780, 0x278a];

/// The value of a digit, 0 to 9.
pub(crate) fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    let code = c as u32;
    let within = |first: u32, count: u32| code.checked_sub(first).filter(|value| *value < count);
    let before = ZEROS.partition_point(|zero| *zero <= code);
    let decimal = before.checked_sub(1).and_then(|at| ZEROS.get(at)).and_then(|zero| within(*zero, 10));
    let value = decimal.or_else(|| match code {
        0xb2 | 0xb3 => Some(code - 0xb0),
        0xb9 => Some(1),
        0x2070 => Some(0),
        0x2074..=0x2079 => Some(code - 0x2070),
        0x2080..=0x2089 => Some(code - 0x2080),
        0x24ea | 0x24ff | 0x1f100 | 0x1f10b | 0x1f10c => Some(0),
        0x1f101..=0x1f10a => Some(code - 0x1f101),
        _ => ONES.iter().find_map(|one| within(*one, 9)).map(|value| value + 1),
    });
    value.and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn digits_of_all_scripts_have_their_value() {
        assert!(ZEROS.is_sorted());
        for zero in ZEROS {
            for value in 0..10 {
                assert_eq!(digit(char::from_u32(zero + value).unwrap()), u8::try_from(value).ok());
            }
        }
        for (text, value) in
            [("٤४４𝟒𝟜𝟰④⑷⒋⁴₄❹➃➍", 4), ("0٠०０⓪⁰₀", 0), ("9９⑨⑼⒐⓽❾➈➒⁹₉", 9), ("¹①", 1), ("²", 2), ("³", 3)]
        {
            for c in text.chars() {
                assert_eq!(digit(c), Some(value), "{c}");
            }
        }
        for c in "aO⑩½四Ⅳ十٫".chars() {
            assert_eq!(digit(c), None, "{c}");
        }
    }
}
