//! Exact decimals as bytes that sort like the numbers (decision 0001.11): SQLite has no decimal type.

use custodia_schema::Decimal;

/// Digits after the point that are kept. Exchange rates need the most.
pub(crate) const SCALE: u32 = 12;

/// Sixteen bytes, big-endian, sign bit flipped: comparing bytes compares numbers. `None` when the number needs more
/// than [`SCALE`] digits after the point.
pub(crate) fn encode(value: Decimal) -> Option<[u8; 16]> {
    let value = value.normalize();
    let shift = SCALE.checked_sub(value.scale())?;
    let scaled = value.mantissa().checked_mul(10_i128.checked_pow(shift)?)?;
    Some(bytes(scaled))
}

/// The bytes of a number given in units of its last digit kept.
pub(crate) fn bytes(units: i128) -> [u8; 16] {
    (units ^ i128::MIN).to_be_bytes()
}

/// The number of [`encode`]d bytes in units of its last digit kept; `None` for bytes of another length.
pub(crate) fn units(bytes: &[u8]) -> Option<i128> {
    Some(i128::from_be_bytes(bytes.try_into().ok()?) ^ i128::MIN)
}

/// The number of [`encode`]d bytes; `None` for bytes that it never writes.
pub(crate) fn decode(bytes: &[u8]) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(units(bytes)?, SCALE).ok().map(|value| value.normalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_sort_like_the_numbers_and_come_back() {
        let texts = [
            "-99999999999.9999999999",
            "-1",
            "-0.000000000001",
            "0",
            "0.000000000001",
            "0.1",
            "1",
            "1.5",
            "100000000000",
        ];
        let encoded: Vec<_> = texts.iter().map(|text| encode(text.parse().unwrap()).unwrap()).collect();
        assert!(encoded.windows(2).all(|pair| pair[0] < pair[1]));
        for (text, bytes) in texts.iter().zip(&encoded) {
            assert_eq!(decode(bytes).unwrap().to_string(), *text);
        }
    }

    #[test]
    fn too_many_digits_are_refused() {
        assert_eq!(encode("0.0000000000001".parse().unwrap()), None);
    }
}
