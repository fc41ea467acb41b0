//! The data key of one database file.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A raw 256-bit key for one database file.
///
/// It is wiped from memory when dropped, never printed, and not `Clone`: share it behind an `Arc`.
#[derive(ZeroizeOnDrop)]
pub struct Key([u8; Key::LENGTH]);

impl Key {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// Takes the key out of `source`, which holds zeros afterwards.
    pub fn take(source: &mut [u8; Self::LENGTH]) -> Self {
        let key = Self(*source);
        source.zeroize();
        key
    }

    /// SQLCipher's spelling of a raw key, `x'…'` with hexadecimal digits: such a key is used as it is, without the slow
    /// derivation that a passphrase needs.
    pub(crate) fn to_blob_literal(&self) -> Zeroizing<[u8; Self::LENGTH * 2 + 3]> {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 0xf)).copied().unwrap_or(b'0');
        let mut literal = Zeroizing::new([b'\''; Self::LENGTH * 2 + 3]);
        let mut characters = literal.iter_mut();
        let mut put = |character: u8| {
            if let Some(place) = characters.next() {
                *place = character;
            }
        };
        put(b'x');
        put(b'\'');
        for byte in &self.0 {
            put(digit(byte >> 4));
            put(digit(*byte));
        }
        literal
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(hidden)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn taking_a_key_wipes_the_source() {
        let mut source = [0xa5; Key::LENGTH];
        let key = Key::take(&mut source);
        assert_eq!(source, [0; Key::LENGTH]);
        assert_eq!(key.0, [0xa5; Key::LENGTH]);
    }

    #[test]
    fn key_is_never_printed() {
        let key = Key::take(&mut [0xa5; Key::LENGTH]);
        assert_eq!(format!("{key:?}"), "Key(hidden)");
    }

    #[test]
    fn blob_literal_holds_every_byte_in_order() {
        let mut bytes = [0; Key::LENGTH];
        for (byte, value) in bytes.iter_mut().zip(0_u8..) {
            *byte = value.wrapping_mul(37);
        }
        let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let literal = Key::take(&mut bytes).to_blob_literal();
        assert_eq!(std::str::from_utf8(literal.as_slice()).unwrap(), format!("x'{expected}'"));
    }
}
