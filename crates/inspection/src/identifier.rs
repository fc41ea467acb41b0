//! Identifiers that are no card number whatever digits they hold: GUIDs and IBANs.

/// Countries with the length of their account numbers: the IBAN registry (ISO 13616).
const IBAN_LENGTHS: [(&[u8; 2], usize); 88] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// Bytes of a GUID as it is written: 8-4-4-4-12.
const GUID_BYTES: usize = 36;
/// Where its hyphens are.
const GUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The bytes of the identifier that a text begins with. The text must begin a word.
pub(crate) fn identifier(text: &[u8]) -> Option<usize> {
    guid(text).or_else(|| iban(text))
}

/// A GUID has a letter: one of decimal digits alone is one in a million, and would be a place to hide a number in.
fn guid(text: &[u8]) -> Option<usize> {
    let bytes = text.get(..GUID_BYTES)?;
    let is_shaped = bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| if GUID_HYPHENS.contains(&at) { *byte == b'-' } else { byte.is_ascii_hexdigit() });
    let ends = text.get(GUID_BYTES).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (is_shaped && ends && bytes.iter().any(u8::is_ascii_alphabetic)).then_some(GUID_BYTES)
}

/// An IBAN with the length of its country and right check digits, in one piece or in groups with a blank between.
fn iban(text: &[u8]) -> Option<usize> {
    let country = text.first_chunk::<2>().filter(|country| country.iter().all(u8::is_ascii_uppercase))?;
    let (_, length) = IBAN_LENGTHS.iter().find(|(known, _)| *known == country)?;
    let mut read = 0;
    let mut at = 0;
    // The first four characters count behind the others: their remainder is kept until those are through.
    let (mut head, mut remainder) = ([0_u8; 4], 0);
    while read < *length {
        let byte = *text.get(at)?;
        at += 1;
        if byte == b' ' && read > 0 && text.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        if !byte.is_ascii_digit() && !byte.is_ascii_uppercase() {
            return None;
        }
        match head.get_mut(read) {
            Some(place) => *place = byte,
            None => remainder = appended(remainder, byte),
        }
        read += 1;
    }
    let remainder = head.iter().fold(remainder, |remainder, byte| appended(remainder, *byte));
    let ends = text.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let has_check_digits = head.iter().skip(2).all(u8::is_ascii_digit);
    (remainder == 1 && ends && has_check_digits).then_some(at)
}

/// The remainder by 97 of a number to which a character's number is appended: letters count from 10.
fn appended(remainder: u32, byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn guids_and_account_numbers_are_known() {
        for text in [
            "5a0b1c2d-1111-4111-8111-411111111111",
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29 NWBK 6016 1331 9268 19",
            "FR1420041010050500013M02606",
            "NO93 8601 1117 947",
        ] {
            assert_eq!(identifier(text.as_bytes()), Some(text.len()), "{text}");
            assert_eq!(identifier(format!("{text}, and on").as_bytes()), Some(text.len()), "{text}");
        }
        for text in [
            "41111111-1111-1111-1111-411111111111",
            "5a0b1c2d-1111-4111-8111-4111111111111",
            "DE88370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "ZZ89370400440532013000",
            "DE",
            "",
        ] {
            assert_eq!(identifier(text.as_bytes()), None, "{text}");
        }
    }
}
